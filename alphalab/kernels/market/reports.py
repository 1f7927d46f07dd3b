"""Reports of a venue outside, booked into the account where matching would book its own fills.

Orders stand in the table as in a simulation. A report says what became of one of them, and the
consequences follow as after a simulated fill: groups, children, exits. What the venue did is a
fact: a fill of an order that the table no longer holds is booked all the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from numba import int64

from alphalab.codes import OrderStatus, Posting, Reason, ReportKind
from alphalab.kernels._jit import jit, jit_apart
from alphalab.kernels._reference import by_reference
from alphalab.kernels.market.arguments import COLUMNS, WORKSPACE
from alphalab.kernels.market.books import (
    ACTIVE,
    FREE,
    NO_REASON,
    PORTFOLIO,
    fullest,
    leave_due,
    logs_have_room,
    post,
    refuse,
    tell,
)
from alphalab.kernels.market.exits import drop_idle, protect
from alphalab.kernels.market.fills import TARGET, book_fill, book_trade, refuse_order
from alphalab.kernels.market.forced import force
from alphalab.kernels.market.layout import Books
from alphalab.kernels.market.matching import POST_ONLY, refuse_taker, trigger, turn_to_target
from alphalab.kernels.market.money import unit_value
from alphalab.kernels.market.order_table import activate, end, free
from alphalab.kernels.market.postings import reinvest, split
from alphalab.kernels.market.step import begin_account, turn_clock
from alphalab.types import REPORT

(
    ACCEPTED, TRIGGERED, MOVED, EXECUTED, CANCELLED, EXPIRED, REFUSED, POSTED, ADJUSTED, COMMAND,
) = (np.int64(x) for x in ReportKind)  # fmt: skip
WAS_CANCELLED = np.int64(OrderStatus.CANCELLED)
WAS_EXPIRED = np.int64(OrderStatus.EXPIRED)
SPLIT, REINVESTMENT = np.int64(Posting.SPLIT), np.int64(Posting.REINVESTMENT)
TRANSFER = np.int64(Posting.TRANSFER)
LIQUIDATED, DELISTED = np.int64(Reason.LIQUIDATED), np.int64(Reason.DELISTED)
NOTHING_TO_REDUCE = np.int64(Reason.NOTHING_TO_REDUCE)
WAS_ADJUSTED, COMMANDED = np.int64(Reason.ADJUSTED), np.int64(Reason.COMMANDED)

NOWHERE = np.int64(-1)  # no place in the order table
NO_ROW = np.int64(-1)
NO_EXIT = np.bool_(False)


@jit
def place_in(books, j, order):
    """Return the place of an order in the table of asset j, or -1."""
    if order > 0 and j >= 0:
        for k in range(books.orders.shape[1]):
            o = books.orders[j, k]
            if o["state"] != FREE and o["id"] == order:
                return k
    return NOWHERE


@jit
def arrive(books, j, o):
    """Make an order active, unless it is."""
    if o["state"] != ACTIVE:
        activate(books, j, o)


@jit
def unit_at(books, j, price):
    """Return the value of one unit of asset j at a price, quote currency."""
    return unit_value(books.instruments[j], price, books.positions[j]["rate"])


@jit
def fill_order(books, j, k, r):
    """Book a fill of an order of the table."""
    o = books.orders[j, k]
    arrive(books, j, o)
    unit = unit_at(books, j, r["price"])
    units = r["qty"] * o["side"]
    whole = r["last"] == 1
    book_fill(books, j, k, units, r["filled"], r["price"], unit, r["fee"], whole, r["code"])


@jit
def fill_late(books, j, r):
    """Book a fill of an order that has left the table: its asset has to be rebalanced."""
    held = books.positions[j]["qty"]
    unit = unit_at(books, j, r["price"])
    book_trade(books, j, r["order"], NO_ROW, r["qty"], r["price"], unit, r["fee"])
    leave_due(books.positions[j])
    if books.orders.shape[1] > 1:
        protect(books, j, NO_EXIT, held, r["price"])


@jit
def trade_by_venue(books, j, r, reason):
    """Book a trade without an order of this account, such as a liquidation."""
    force(books, j, r["qty"], r["price"], r["fee"], reason)
    if books.orders.shape[1] > 1:
        drop_idle(books, j)
    if reason == LIQUIDATED:
        books.positions[j]["out"] = 1


@jit
def cancel(books, j, o, reason):
    """End an order that the venue has cancelled."""
    if reason in (LIQUIDATED, DELISTED):  # the venue cancels every order of the asset
        free(books, o)
        tell(books, j, o, WAS_CANCELLED, reason)
        return
    if o["origin"] == TARGET and reason != NOTHING_TO_REDUCE:
        leave_due(books.positions[j])
    end(books, j, o, WAS_CANCELLED, reason)


@jit
def refuse_of_venue(books, j, k, r):
    """Book a refusal: of an order, of a part of it, or by a rule for the whole account."""
    if k == NOWHERE or r["last"] == 0:
        refuse(books, j, r["code"], r["qty"], r["amount"])
    elif r["code"] == POST_ONLY:
        refuse_taker(books, j, books.orders[j, k])
    else:
        refuse_order(books, j, books.orders[j, k], r["code"], r["qty"])


@jit
def post_of_venue(books, j, r):
    """Book a posting of the venue."""
    if r["code"] == SPLIT:
        split(books, j, r["price"])
    elif r["code"] == REINVESTMENT:
        reinvest(books, j, r["qty"], r["price"], r["amount"])
    else:
        post(books, j, r["code"], r["qty"], r["price"], r["amount"])


@jit
def adjust(books, j, r):
    """Book units or cash that came without a trade."""
    if r["qty"] != 0.0:
        trade_by_venue(books, j, r, WAS_ADJUSTED)
    if r["amount"] != 0.0:
        post(books, j, TRANSFER, r["qty"], r["price"], r["amount"])


@jit
def command(books, r):
    """Flatten the account and lock it, or undo that."""
    account = books.account
    if r["code"] == COMMANDED and account["lock"] == 0:
        account["lock"] = COMMANDED
        refuse(books, PORTFOLIO, COMMANDED, account["equity"], 0.0)
    elif r["code"] == 0 and account["lock"] == COMMANDED:
        account["lock"] = 0


@jit
def change_order(books, j, k, kind, r):
    """Book what became of an order of the table without a fill."""
    o = books.orders[j, k]
    if kind == ACCEPTED:
        arrive(books, j, o)
    elif kind == TRIGGERED:
        arrive(books, j, o)
        trigger(books, j, o)
    elif kind == MOVED:
        o["best"] = r["price"]
    elif kind == CANCELLED:
        cancel(books, j, o, r["code"])
    elif kind == EXPIRED:
        turn_to_target(books, j, o)
        end(books, j, o, WAS_EXPIRED, NO_REASON)


@jit_apart
def book_report(books, r):
    """Book one report into the row in progress."""
    begin_account(books, r["time"])
    turn_clock(books, r["time"])
    kind, j = r["kind"], r["asset"]
    k = place_in(books, j, r["order"])
    if j >= 0 and r["rate"] == r["rate"]:
        books.positions[j]["rate"] = r["rate"]
    if k >= 0 and r["stop"] == r["stop"]:
        books.orders[j, k]["stop"] = r["stop"]
    if kind == EXECUTED:
        if k >= 0:
            fill_order(books, j, k, r)
        elif r["order"] > 0:
            fill_late(books, j, r)
        else:
            trade_by_venue(books, j, r, r["code"])
    elif kind == REFUSED:
        refuse_of_venue(books, j, k, r)
    elif kind == POSTED:
        post_of_venue(books, j, r)
    elif kind == ADJUSTED:
        adjust(books, j, r)
    elif kind == COMMAND:
        command(books, r)
    elif k >= 0:
        change_order(books, j, k, kind, r)


def _report(columns, work, reports, first):
    """Book the reports from `first` on; return the next one to book.

    That is their number, or the first report for which a log has no room.
    """
    books = by_reference(Books(
        columns.rules[0], columns.tiers[0], columns.ladder[0],
        columns.instruments[0], columns.groups[0], columns.starts[0],
        columns.accounts[0:1], columns.accounts[0],
        columns.positions[0], columns.orders[0], columns.traded[0],
        work.fills, work.refusals, work.events, work.postings, work.ambiguities, work.counts,
        work.saved_account, work.saved_position, work.saved_orders, work.saved_traded,
    ))  # fmt: skip
    most = fullest(books, 0)
    done = first
    while done < reports.size and logs_have_room(books.counts, most):
        book_report(books, reports[done])
        done += 1
    return done


@cache
def report_driver() -> Any:
    """Return the compiled driver of reports, for an engine of one column."""
    reports = numba.types.Array(numba.from_dtype(REPORT), 1, "C")
    return jit(_report, int64(COLUMNS.type, WORKSPACE.type, reports, int64))
