"""The market of an exchange: orders enter at any time, and a row is met in several calls.

A backtest meets a row in one call. The clients of an exchange answer a fill with further orders,
which meet the rest of the same bar, so here the stages of `step.before_decision` return after
everything that clients have to know:

    open_bar      postings; orders meet the open
    next_inside   one execution or trigger on the path inside the bar
    close_bar     orders meet the close; positions are marked; margin is checked

The caller empties the logs after each call. A path other than `ohlc` is chosen with the orders that
stand at the open of the bar: the exchange does not know the orders that its clients will send.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
from numba import int64

from alphalab.codes import Sizing
from alphalab.kernels._jit import DISABLED, jit, jit_apart
from alphalab.kernels._reference import by_reference
from alphalab.kernels.market.arguments import COLUMNS, ROWS, WORKSPACE, Group
from alphalab.kernels.market.books import NO_REASON, row_of, switches
from alphalab.kernels.market.fills import execute
from alphalab.kernels.market.forced import close_delisted
from alphalab.kernels.market.layout import Books
from alphalab.kernels.market.matching import (
    HIGH_FIRST,
    LOW_FIRST,
    OHLC,
    PESSIMISTIC,
    WITHIN,
    begin,
    cross,
    first_reached,
    follow_all,
    give_room,
    go_back,
    have_met,
    known,
    may_trade_inside,
    save,
    take_quotes,
    trigger,
    walk,
)
from alphalab.kernels.market.money import unit_value, value_at
from alphalab.kernels.market.order_table import (
    FIRST_EXPLICIT,
    join,
    new_order,
    submit,
    trailing_level,
)
from alphalab.kernels.market.order_types import (
    AT_CLOSE,
    AT_OPEN,
    TRAILING,
    is_untriggered,
    met_at,
    reached,
    rests,
)
from alphalab.kernels.market.orders import N_REQUESTS
from alphalab.kernels.market.postings import post_due
from alphalab.kernels.market.requests import (
    CANCEL,
    DECIDE,
    MIN_VALUE,
    NEW,
    TOO_MANY_ORDERS,
    cancel_order,
    copy_request,
    fault_of_form,
    free_place,
    reference,
    refuse_submit,
)
from alphalab.kernels.market.step import begin_account, check_margin, mark_row, turn_clock, write
from alphalab.types import LEDGER

QTY, CLOSE = np.int64(Sizing.QTY), np.int64(Sizing.CLOSE)


class Stage(IntEnum):
    """How far the current row has been met."""

    BETWEEN = 0  # the row is over, the next one has not begun
    OPENED = 1  # its orders have met the open
    INSIDE = 2  # its path is being walked


BETWEEN, OPENED, INSIDE = (np.int64(x) for x in Stage)
NOT_BEGUN = np.int64(-1)

#: How far the current row has been met. `asset`, `leg`, `first` and `price` are the place on the
#: path inside the bar: leg -1 is before the open of the asset's bar.
PROGRESS = np.dtype(
    [
        ("stage", "i8"),  # a Stage code
        ("asset", "i8"),
        ("leg", "i8"),  # 0 to 2
        ("first", "i8"),  # which extreme comes first
        ("price", "f8"),  # reached on the path
    ]
)

#: What is kept between two calls.
STAND = Group("Stand", progress=(PROGRESS, 1), ledger=(LEDGER, 1))
# Numba recognises the named tuple in the next process only if it finds it here by its name.
Stand = STAND.kind
Stand.__module__ = __name__


@jit
def logged(books):
    """Return True if anything has been logged since the caller emptied the logs."""
    counts = books.counts
    return counts[0] + counts[1] + counts[2] + counts[3] > 0


@jit_apart
def open_bar(books, on, bars, time):
    """Begin the next row: its postings, and the orders that meet its open."""
    account = books.account
    account["row"] += 1
    begin_account(books, time)
    days = turn_clock(books, time)
    if on.posts:
        post_due(books, bars, 0, days)
    if on.participates:
        give_room(books, bars, 0)
    if account["waiting"] > 0:
        begin(books)
        row = row_of(bars, 0)
        cross(books, row, row.open, AT_OPEN)


@jit_apart
def left_by(books, row, j, first):
    """Return the equity at the close after one path of the bar, and undo that path."""
    counts = books.counts
    before = counts[0], counts[1], counts[2], counts[3]
    save(books, j)
    walk(books, row, j, first)
    left = books.account["cash"] + value_at(books.instruments[j], books.positions[j], row.close[j])
    go_back(books, j)
    for i in range(4):
        counts[i] = before[i]
    return left


@jit
def path_of(books, row, j):
    """Return which extreme of the bar comes first, for the orders that stand now."""
    path = books.rules["path"]
    if path == OHLC:
        high = row.high[j] - row.open[j] < row.open[j] - row.low[j]
    else:
        low_first = left_by(books, row, j, LOW_FIRST)
        high_first = left_by(books, row, j, HIGH_FIRST)
        high = high_first < low_first if path == PESSIMISTIC else high_first > low_first
    return HIGH_FIRST if high else LOW_FIRST


@jit
def point(row, j, first, i):
    """Return one of the four points of the path: open, two extremes, close."""
    if i == 0:
        return row.open[j]
    if i == 3:
        return row.close[j]
    return row.low[j] if (i == 1) == (first == LOW_FIRST) else row.high[j]


@jit
def may_walk(books, row, p):
    """Begin the bar of the next asset; return True if its path can reach an order."""
    j = p["asset"]
    if row.open[j] == row.open[j]:
        follow_all(books, j, row.open[j])
    if not known(row, j) or not may_trade_inside(books, row, j):
        return False
    p["first"] = path_of(books, row, j)
    p["leg"] = 0
    p["price"] = row.open[j]
    return True


@jit_apart
def next_inside(books, row, p):
    """Walk on to the next order that the path inside the bars reaches."""
    while p["asset"] < books.positions.size:
        j = p["asset"]
        if p["leg"] != NOT_BEGUN or may_walk(books, row, p):
            while p["leg"] < 3:
                b = point(row, j, p["first"], p["leg"] + 1)
                k = first_reached(books, j, p["price"], b)
                if k < 0:
                    follow_all(books, j, b)
                    p["leg"] += 1
                    p["price"] = b
                    continue
                o = books.orders[j, k]
                a = met_at(o, p["price"])
                p["price"] = a
                follow_all(books, j, a)
                maker = rests(o)
                if is_untriggered(o):
                    trigger(books, j, o)
                # An order that has just been triggered may be beyond its limit.
                if maker or reached(o, a, a, WITHIN):
                    execute(books, row.volume[j], j, k, a, maker)
                if logged(books):
                    return
        if known(row, j):
            have_met(books, j)
        p["asset"] += 1
        p["leg"] = NOT_BEGUN


@jit_apart
def close_bar(books, on, bars, ledger):
    """End the row: orders that meet its close, delistings, marks, margin."""
    row = row_of(bars, 0)
    if on.quotes:
        take_quotes(books, bars, 0)
    if books.account["waiting"] > 0:
        cross(books, row, row.close, AT_CLOSE)
    if on.delists:
        close_delisted(books, bars, 0)
    mark_row(books, on, bars, 0, ledger)
    if on.margin and ledger["gross"] > 0.0:
        check_margin(books, on, bars, 0, ledger)
    marked = ledger["value"], ledger["gross"], ledger["unrealised"]
    write(ledger, books.account, books.account["equity"], *marked)


@jit_apart
def meet(books, rows, stand):
    """Go on with the row, or begin the next; return its stage: BETWEEN, the row is over.

    At the other stages something has been logged.
    """
    p = stand.progress[0]
    on = switches(books, rows.delists[0] == 1)
    if p["stage"] == BETWEEN:
        open_bar(books, on, rows.bars, rows.time[0])
        p["stage"] = OPENED
        p["asset"] = 0
        p["leg"] = NOT_BEGUN
        if logged(books):
            return OPENED
    p["stage"] = INSIDE
    next_inside(books, row_of(rows.bars, 0), p)
    if logged(books):
        return INSIDE
    close_bar(books, on, rows.bars, stand.ledger[0])
    p["stage"] = BETWEEN
    return BETWEEN


@jit
def last_price(books, row, p, j):
    """Return the last price of an asset that its clients know."""
    mark = books.positions[j]["mark"]
    if p["stage"] == BETWEEN or row.open[j] != row.open[j]:
        return mark
    if j > p["asset"] or (j == p["asset"] and p["leg"] == NOT_BEGUN):
        return row.open[j]
    return p["price"] if j == p["asset"] else row.close[j]


@jit
def fault_of(books, j, r):
    """Return (reason, figure) for the first rule that an order breaks, or (0, 0)."""
    closes = np.isnan(r["qty"])
    if closes:  # the units are those held when it trades: any valid number passes the check
        lot = books.instruments[j]["lot"]
        r["qty"] = lot if lot > 0.0 else 1.0
    reason, figure = fault_of_form(books, j, r, NEW, False)
    if closes:
        r["qty"] = np.nan
    if reason == NO_REASON and r["reduce_only"] == 0:
        unit = unit_value(books.instruments[j], reference(books, j, r), books.positions[j]["rate"])
        if r["qty"] * unit < books.instruments[j]["min_value"]:
            return MIN_VALUE, r["qty"] * unit
    return reason, figure


@jit_apart
def enter(books, r, inside):
    """Add an order to the table, or refuse it; `inside`: it meets the rest of the current bar."""
    j = r["asset"]
    reason, figure = fault_of(books, j, r)
    k = free_place(books, j)
    if reason == NO_REASON and k < 0:
        reason, figure = TOO_MANY_ORDERS, float(books.orders.shape[1] - FIRST_EXPLICIT)
    if reason != NO_REASON:
        refuse_submit(books, r, j, reason, figure)
        return
    o = new_order(books, j, k, DECIDE, r["type"], QTY, r["side"])
    copy_request(books, j, r, o)
    if np.isnan(r["qty"]):
        o["sizing"], o["qty"] = CLOSE, np.nan
    if r["type"] == TRAILING and r["stop"] == r["stop"]:
        o["best"] = r["stop"]
        o["stop"] = trailing_level(books, j, o, o["best"])
    submit(books, j, o)
    if inside:
        join(books, j, o)


@jit_apart
def take(books, r, rows, stand):
    """Submit or cancel the order of a request; the logs have what became of it.

    A request without units closes the position. The stop of a trailing stop is the price from which
    it trails. Money is checked when the order trades.
    """
    if r["kind"] == CANCEL:
        cancel_order(books, r["order"])
        return
    p = stand.progress[0]
    position = books.positions[r["asset"]]
    mark = position["mark"]
    position["mark"] = last_price(books, row_of(rows.bars, 0), p, r["asset"])
    enter(books, r, p["stage"] != BETWEEN)
    position["mark"] = mark


def _run(columns, work, rows, stand):
    """Take the request, if there is one, else go on with the row; return the row's stage."""
    books = by_reference(Books(
        columns.rules[0], columns.tiers[0], columns.ladder[0],
        columns.instruments[0], columns.groups[0], columns.starts[0],
        columns.accounts[0:1], columns.accounts[0],
        columns.positions[0], columns.orders[0], columns.traded[0],
        work.fills, work.refusals, work.events, work.postings, work.ambiguities, work.counts,
        work.saved_account, work.saved_position, work.saved_orders, work.saved_traded,
    ))  # fmt: skip
    if work.sent[N_REQUESTS] > 0:
        take(books, work.requests[0], rows, stand)
        return stand.progress[0]["stage"]
    return meet(books, rows, stand)


@cache
def venue() -> Any:
    """Return the compiled market: `venue(columns, work, rows, stand)`.

    It is the entry point of the machine code, which checks no argument: pack them by their groups
    (`alphalab.kernels.market.arguments`).
    """
    run = jit(_run, int64(COLUMNS.type, WORKSPACE.type, ROWS.type, STAND.type))
    if DISABLED:
        return run
    (overload,) = run.overloads.values()
    return overload.entry_point
