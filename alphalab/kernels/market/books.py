"""What the stages of the step share: the books of one account, and its logs."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from alphalab.codes import FillAt, OrderState, OrderStatus, Rebalancing, Sizing
from alphalab.kernels._jit import jit, jit_apart

FREE, HELD, SUBMITTED, ACTIVE = (np.int64(x) for x in OrderState)
SAME_CLOSE = np.int64(FillAt.SAME_CLOSE)
ON_CHANGE = np.int64(Rebalancing.ON_CHANGE)
WAS_SUBMITTED = np.int64(OrderStatus.SUBMITTED)
WAS_ACTIVE = np.int64(OrderStatus.ACTIVE)
BUY_VALUE, CLOSE = np.int64(Sizing.BUY_VALUE), np.int64(Sizing.CLOSE)

NO_REASON = np.int64(0)
PORTFOLIO = np.int64(-1)  # in place of an asset

ROUNDING = 1e-9  # relative size below which a difference is rounding, not a decision

N_FILLS, N_REFUSALS, N_EVENTS, N_POSTINGS, N_AMBIGUITIES = range(5)  # places in `counts`

#: One account with everything a stage may read or write. `rules` and `account` are single records;
#: `instruments`, `groups` and `positions` hold one entry per asset, `orders` a row of places per
#: asset (0 is its target's, 1 to 3 its exits', the others are for those of a `decide`), `tiers` the
#: fees, `traded` the value traded today and on each of the 30 days before. Of the logs the first
#: `counts` entries are in use; that of events may have no room at all, then they are not logged.
#: `starts` is what is held before the first row. `saved_account` and `saved_position`, of one
#: record each, and `saved_orders` are for going back.
Books = namedtuple(
    "Books",
    "rules tiers instruments groups starts accounts account positions orders traded"
    " fills refusals events postings ambiguities counts"
    " saved_account saved_position saved_orders saved_traded",
)

#: One row of bars: arrays of one value per asset. What a run does not use is not set.
Row = namedtuple("Row", "open high low close volume rate funding split dividend bid ask delisting")

CLOSE_COLUMN = Row._fields.index("close")

#: What a run does without on every row, told once. `rests`: a row may be one in which nothing can
#: happen.
Switches = namedtuple("Switches", "posts participates margin ages same_close quotes delists rests")


@jit
def row_of(bars, t):
    """Return row t of bars, (columns, rows, assets).

    Not for code that counts references: it would release what it does not own.
    """
    return Row(
        *(bars[0, t], bars[1, t], bars[2, t], bars[3, t], bars[4, t]),
        *(bars[5, t], bars[6, t], bars[7, t], bars[8, t], bars[9, t], bars[10, t], bars[11, t]),
    )


@jit
def switches(books, delists):
    """Return which of the rules that are looked at on every row are in force.

    `delists`: the listing of an asset ends in the rows to come.
    """
    rules = books.rules
    posts = rules["posts"] == 1
    participates = rules["participation"] < np.inf
    margin = rules["margin"] == 1
    ages = rules["max_holding"] > 0
    same_close = rules["fill"] == SAME_CLOSE
    quotes = rules["quotes"] != 0
    limited = min(rules["drawdown"], rules["daily_loss"], rules["net"], rules["group_gross"])
    every_row = posts or participates or margin or ages or quotes or books.tiers.size > 0
    every_row = every_row or delists or rules["starts"] == 1
    rests = rules["rebalancing"] == ON_CHANGE and limited == np.inf and not every_row
    return Switches(posts, participates, margin, ages, same_close, quotes, delists, rests)


def most_of_row(n_assets: int, n_orders: int, n_requests: int) -> tuple[int, ...]:
    """Return what one row may at most write into each of the logs, in the order of `counts`."""
    n_fills = 3 * n_orders + 4 * n_assets
    return (
        n_fills,
        7 * n_assets + 4 + 2 * n_fills + n_requests,
        8 * n_orders + 3 * n_fills + 2 * n_requests,
        6 * n_assets + 2,
        n_assets,
    )


_most_of_row = jit(most_of_row)


@jit
def fullest(books, n_requests):
    """Return the counts up to which each log can take whatever one row may write."""
    most = _most_of_row(books.positions.size, books.orders.size, n_requests)
    return (
        books.fills.size - most[N_FILLS],
        books.refusals.size - most[N_REFUSALS],
        books.events.size - most[N_EVENTS] if books.events.size > 0 else 0,
        books.postings.size - most[N_POSTINGS],
        books.ambiguities.size - most[N_AMBIGUITIES],
    )


@jit
def logs_have_room(counts, most):
    """Tell whether no log is fuller than it may be before a row."""
    return (
        counts[N_FILLS] <= most[N_FILLS]
        and counts[N_REFUSALS] <= most[N_REFUSALS]
        and counts[N_EVENTS] <= most[N_EVENTS]
        and counts[N_POSTINGS] <= most[N_POSTINGS]
        and counts[N_AMBIGUITIES] <= most[N_AMBIGUITIES]
    )


@jit
def refuse(books, asset, reason, asked, approved):
    """Log what was not let through as asked; asset -1 stands for the whole portfolio."""
    r = books.refusals[books.counts[N_REFUSALS]]
    r["row"] = books.account["row"]
    r["time"] = books.account["time"]
    r["asset"] = asset
    r["reason"] = reason
    r["asked"] = asked
    r["approved"] = approved
    books.counts[N_REFUSALS] += 1


@jit
def leave_due(position):
    """Leave an asset's target to be met."""
    position["unmet"] = 1


@jit
def refuse_once(books, j, reason, asked):
    """Log that the order of an asset's target was refused, once per reason; returns whether."""
    position = books.positions[j]
    if position["refusal"] == reason:
        return False
    position["refusal"] = reason
    refuse(books, j, reason, asked, 0.0)
    return True


@jit
def write_event(events, counts, j, o, status, reason, row, time):
    e = events[counts[N_EVENTS]]
    e["row"] = row
    e["time"] = time
    e["order"] = o["id"]
    e["asset"] = j
    e["origin"] = o["origin"]
    e["status"] = status
    e["reason"] = reason
    e["type"] = o["type"]
    e["side"] = o["side"]
    e["qty"] = o["qty"]
    e["filled"] = o["filled"]
    e["limit"] = o["limit"]
    e["stop"] = o["stop"]
    counts[N_EVENTS] += 1


@jit_apart
def tell_held_back(events, counts, j, o):
    o["logged"] = 1
    if events.size == 0:
        return
    write_event(events, counts, j, o, WAS_SUBMITTED, NO_REASON, o["row"], o["time"])
    if o["active_row"] >= 0:
        row, time = o["active_row"], o["active_time"]
        write_event(events, counts, j, o, WAS_ACTIVE, NO_REASON, row, time)


@jit_apart
def tell_stage(events, counts, account, j, o, status, reason):
    if o["logged"] == 0:
        tell_held_back(events, counts, j, o)
    write_event(events, counts, j, o, status, reason, account["row"], account["time"])


@jit
def tell(books, j, o, status, reason):
    """Log a stage of an order's life; those before it first, if they have been held back."""
    if books.events.size > 0:
        tell_stage(books.events, books.counts, books.account, j, o, status, reason)


@jit
def log_posting(books, asset, kind, qty, rate, amount):
    p = books.postings[books.counts[N_POSTINGS]]
    p["row"] = books.account["row"]
    p["time"] = books.account["time"]
    p["asset"] = asset
    p["kind"] = kind
    p["qty"] = qty
    p["rate"] = rate
    p["amount"] = amount
    books.counts[N_POSTINGS] += 1
    books.account["cash"] += amount


@jit
def post(books, asset, kind, qty, rate, amount):
    """Log a posting, and book its amount as earned or spent by holding."""
    log_posting(books, asset, kind, qty, rate, amount)
    books.account["carry"] += amount
