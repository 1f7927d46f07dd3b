"""The books of one account and its logs, shared by all stages of the step."""

from __future__ import annotations

import numpy as np

from alphalab.codes import FillAt, OrderState, OrderStatus, Rebalancing, Sizing
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.layout import (
    ACCOUNT_RECORD,
    COUNTS,
    EVENTS,
    INT,
    ORDER_RECORD,
    VOID,
    Row,
    Switches,
)

FREE, HELD, SUBMITTED, ACTIVE = (np.int64(x) for x in OrderState)
SAME_CLOSE = np.int64(FillAt.SAME_CLOSE)
ON_CHANGE = np.int64(Rebalancing.ON_CHANGE)
WAS_SUBMITTED = np.int64(OrderStatus.SUBMITTED)
WAS_ACTIVE = np.int64(OrderStatus.ACTIVE)
BUY_VALUE, CLOSE = np.int64(Sizing.BUY_VALUE), np.int64(Sizing.CLOSE)

NO_REASON = np.int64(0)
PORTFOLIO = np.int64(-1)  # in place of an asset

ROUNDING = 1e-9  # a smaller relative difference is a rounding error, not a decision

N_FILLS, N_REFUSALS, N_EVENTS, N_POSTINGS, N_AMBIGUITIES = range(5)  # places in `counts`


@jit
def row_of(bars, t):
    """Return row t of bars of shape (fields, rows, assets).

    Call it only from kernels without reference counts: others would release borrowed arrays.
    """
    return Row(
        *(bars[0, t], bars[1, t], bars[2, t], bars[3, t], bars[4, t]),
        *(bars[5, t], bars[6, t], bars[7, t], bars[8, t], bars[9, t], bars[10, t], bars[11, t]),
    )


@jit
def switches(books, delists):
    """Return the flags of the per-row rules in force.

    `delists`: the listing of an asset ends in this block of rows.
    """
    rules = books.rules
    posts = rules["posts"] == 1
    participates = rules["participation"] < np.inf
    margin = rules["margin"] == 1
    ages = rules["max_holding"] > 0 or books.ladder.size > 0
    measures = rules["stop_distance"] + rules["profit_distance"] + rules["trailing_distance"] > 0
    same_close = rules["fill"] == SAME_CLOSE
    quotes = rules["quotes"] != 0
    limited = min(rules["drawdown"], rules["daily_loss"], rules["net"], rules["group_gross"])
    every_row = posts or participates or margin or ages or quotes or books.tiers.size > 0
    every_row = every_row or delists or rules["starts"] == 1
    every_row = every_row or measures or rules["max_positions"] > 0
    rests = rules["rebalancing"] == ON_CHANGE and limited == np.inf and not every_row
    external = rules["external"] == 1
    return Switches(
        *(posts, participates, margin, ages, same_close, quotes, delists, rests, external, measures)
    )


def most_of_row(n_assets: int, n_orders: int, n_requests: int) -> tuple[int, ...]:
    """Return the most entries that one row can add to each log, in the order of `counts`."""
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
    """Return the largest count of each log at which one more row still fits."""
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
    """Return True if every log has room for one more row."""
    return (
        counts[N_FILLS] <= most[N_FILLS]
        and counts[N_REFUSALS] <= most[N_REFUSALS]
        and counts[N_EVENTS] <= most[N_EVENTS]
        and counts[N_POSTINGS] <= most[N_POSTINGS]
        and counts[N_AMBIGUITIES] <= most[N_AMBIGUITIES]
    )


@jit
def refuse(books, asset, reason, asked, approved):
    """Log a refusal or a reduction; asset -1 means the whole portfolio."""
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
    """Mark the asset's target as unmet: rebalancing tries it again on the next row."""
    position["unmet"] = 1


@jit
def refuse_once(books, j, reason, asked):
    """Log the refusal of a target's order, once per reason; return True if it was logged."""
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


@jit_late(VOID(EVENTS, COUNTS, INT, ORDER_RECORD))
def tell_held_back(events, counts, j, o):
    """Log the submission and activation of an order that were not logged yet."""
    o["logged"] = 1
    if events.size == 0:
        return
    write_event(events, counts, j, o, WAS_SUBMITTED, NO_REASON, o["row"], o["time"])
    if o["active_row"] >= 0:
        row, time = o["active_row"], o["active_time"]
        write_event(events, counts, j, o, WAS_ACTIVE, NO_REASON, row, time)


@jit_late(VOID(EVENTS, COUNTS, ACCOUNT_RECORD, INT, ORDER_RECORD, INT, INT))
def tell_stage(events, counts, account, j, o, status, reason):
    if o["logged"] == 0:
        tell_held_back(events, counts, j, o)
    write_event(events, counts, j, o, status, reason, account["row"], account["time"])


@jit
def tell(books, j, o, status, reason):
    """Log a stage of an order's life, after any earlier stages that were not logged yet."""
    if books.events.size > 0:
        tell_stage(books.events, books.counts, books.account, j, o, status, reason)


@jit
def log_posting(books, asset, kind, qty, rate, amount):
    """Log a posting, and add its amount to cash."""
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
    """Log a posting, and add its amount to cash and to `carry`."""
    log_posting(books, asset, kind, qty, rate, amount)
    books.account["carry"] += amount
