"""Rebalancing: when an approved target becomes an order, and the size of the order."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Origin, Reason, Rebalancing, Sizing
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import (
    FREE,
    NO_REASON,
    ROUNDING,
    SUBMITTED,
    leave_due,
    refuse_once,
)
from alphalab.kernels.market.exits import lacks_distance
from alphalab.kernels.market.gate import asks_again
from alphalab.kernels.market.layout import BOOKS, FLOAT, INT, VOID
from alphalab.kernels.market.matching import TAKER
from alphalab.kernels.market.money import (
    fee_rate,
    held_weight,
    is_flat,
    on_tick,
    size,
    unit_at_mark,
    whole_lots,
)
from alphalab.kernels.market.order_table import drop_target_order, place_target_order, submit
from alphalab.kernels.market.order_types import LIMIT, MARKET
from alphalab.kernels.market.orders import BUY, SELL
from alphalab.types import NEVER

ON_CHANGE, EVERY_ROW, DRIFT, CALENDAR = (np.int64(x) for x in Rebalancing)
QTY, BUY_VALUE, SELL_QTY, CLOSE, SELL_VALUE = (np.int64(x) for x in Sizing)
TARGET, EXITS = np.int64(Origin.TARGET), np.int64(Origin.EXITS)
LARGEST_ORDER, REPLACED = np.int64(Reason.LARGEST_ORDER), np.int64(Reason.REPLACED)
NO_DISTANCE = np.int64(Reason.NO_DISTANCE)
MIN_VALUE, LOT = np.int64(Reason.MIN_VALUE), np.int64(Reason.LOT)


@jit
def due(books, j, target, period):
    """Return True if the rebalancing rule trades asset j on this row."""
    position = books.positions[j]
    when = books.rules["rebalancing"]
    if when == ON_CHANGE:
        return position["unmet"] == 1 or target != position["target"]
    if when == DRIFT:
        if target == 0.0:
            return position["qty"] != 0.0
        since = books.account["row"] - position["traded_row"]
        rested = position["traded_row"] < 0 or since > books.rules["cooldown"]
        far = abs(target - held_weight(books, j)) > books.rules["threshold"]
        return rested and (far or position["qty"] == 0.0)
    return when == EVERY_ROW or position["unmet"] == 1 or position["period"] != period


@jit
def too_small(books, j, qty):
    """Return (reason, figure) if the venue would refuse so few units at the mark, or (0, 0)."""
    if qty <= 0.0:
        return LOT, qty
    value = qty * unit_at_mark(books, j)
    return (MIN_VALUE, value) if value < books.instruments[j]["min_value"] else (NO_REASON, 0.0)


@jit
def not_sent(books, j, reason, figure):
    """Refuse a target's order before it is sent: the target stays due."""
    drop_target_order(books, j, REPLACED)
    refuse_once(books, j, reason, figure)
    leave_due(books.positions[j])


@jit
def close_position(books, j, value, origin):
    """Close the position in asset j by market order."""
    if books.rules["at_decision"] == 1 and origin == TARGET:
        held = abs(books.positions[j]["qty"])
        reason, figure = too_small(books, j, whole_lots(books.instruments[j], held))
        if reason != NO_REASON:
            not_sent(books, j, reason, figure)
            return
    side = SELL if books.positions[j]["qty"] > 0.0 else BUY
    o = place_target_order(books, j, MARKET, CLOSE, side, value, np.nan, origin)
    o["reduce_only"] = 1
    if o["logged"] == 1:
        submit(books, j, o)


@jit
def units_at_mark(books, j, value):
    """Return the whole lots that a value buys at the mark, a taker's fee included, or sells."""
    unit = unit_at_mark(books, j)
    qty = abs(value) / unit
    if value > 0.0:
        rules = books.rules
        money = max(value - rules["order_fee"], 0.0)
        qty = money / (unit * (1.0 + fee_rate(books, j, TAKER)) + rules["unit_fee"])
    return whole_lots(books.instruments[j], qty)


@jit
def trade_towards(books, j, value, reduces, by_limit):
    """Buy or sell asset j for a value, quote currency; below 0 is a sale."""
    position = books.positions[j]
    rules = books.rules
    side = BUY if value > 0.0 else SELL
    qty = np.nan
    if rules["at_decision"] == 1:
        sizing = QTY
        qty = units_at_mark(books, j, value)
        reason, figure = too_small(books, j, qty)
        if reason != NO_REASON:
            not_sent(books, j, reason, figure)
            return
    elif side > 0:
        sizing = BUY_VALUE
    elif rules["at_fill"] == 1:
        sizing = SELL_VALUE
    else:
        sizing = SELL_QTY
        qty = abs(value) / unit_at_mark(books, j)
    o = place_target_order(
        books, j, LIMIT if by_limit else MARKET, sizing, side, value, qty, TARGET
    )
    if sizing in (SELL_VALUE, QTY) and reduces:
        o["reduce_only"] = 1
    if by_limit:
        price = position["mark"] * (1.0 - side * rules["entry_offset"])
        o["limit"] = on_tick(books.instruments[j], price, side < 0)
        o["post_only"] = rules["entry_post_only"]
        if rules["entry_ttl"] > 0:
            o["until_row"] = o["live_row"] + rules["entry_ttl"] - 1
    if o["logged"] == 1:
        submit(books, j, o)


@jit
def closes(books, j):
    """Return True if a live order closes the position in asset j already."""
    o = books.orders[j, 0]
    return o["state"] != FREE and o["sizing"] == CLOSE


@jit_late(VOID(BOOKS, INT, FLOAT))
def order_for(books, j, target):
    """Make the order that takes asset j from its position to its target, valued at the mark."""
    equity = books.account["equity"]
    position = books.positions[j]
    held = size(books, j)
    value = target * equity - held
    if target == 0.0:
        if position["qty"] != 0.0:
            if not closes(books, j):
                close_position(books, j, value, TARGET)
        else:
            drop_target_order(books, j, REPLACED)
        return
    if abs(value) <= ROUNDING * equity:
        drop_target_order(books, j, REPLACED)
        return
    reduces = target * held > 0.0 and abs(target * equity) < abs(held)
    if not reduces and abs(value) / equity > books.rules["order"] * (1.0 + ROUNDING):
        not_sent(books, j, LARGEST_ORDER, abs(value) / equity)
        return
    if target * held <= 0.0 and lacks_distance(books, j):
        not_sent(books, j, NO_DISTANCE, target)
        return
    enters = books.rules["entry"] == 1 and not reduces
    if enters and target * held < 0.0:
        if not closes(books, j):
            close_position(books, j, value, TARGET)
        leave_due(position)
        return
    by_limit = enters and position["chase"] == 0
    trade_towards(books, j, value, reduces, by_limit)


@jit_late(VOID(BOOKS))
def close_old(books):
    """Close positions that have reached the maximum holding time."""
    for j in range(books.positions.size):
        position = books.positions[j]
        age = books.account["row"] - position["entry_row"]
        o = books.orders[j, 0]
        closing = o["state"] == SUBMITTED or (o["state"] != FREE and o["sizing"] == CLOSE)
        held = not is_flat(books, j, position["qty"])
        longest = books.rules["max_holding"]
        if longest > 0 and held and age >= longest and not closing:
            close_position(books, j, -size(books, j), EXITS)
            position["out"] = 1


@jit
def drop_old_target(books, j):
    """Cancel the live order of a target that the strategy has replaced."""
    if books.orders[j, 0]["origin"] == TARGET:
        drop_target_order(books, j, REPLACED)


@jit
def rebalance(books, targets, forced, period):
    """Turn approved targets into orders for the next price.

    An asset is skipped if its target is NaN, if it has no mark to value the order with, or while an
    order is on its way to the venue: it stays due. A position that an exit closed is not reopened
    until its target changes; a `decide` that had no opinion in between has changed it.
    """
    for j in range(targets.size):
        position = books.positions[j]
        target = targets[j]
        if books.rules["decides"] == 1:
            if asks_again(books, j):
                position["target"] = np.nan
            position["silent"] = 1 if np.isnan(target) else 0
        changed = target != position["target"]
        nothing_new = not (changed or forced or position["unmet"] == 1)
        if np.isnan(target) or (nothing_new and books.rules["rebalancing"] == ON_CHANGE):
            continue
        waits = books.orders[j, 0]["state"]
        if np.isnan(position["mark"]) or waits == SUBMITTED:
            continue
        idle = position["qty"] != 0.0 and waits == FREE
        if changed:
            position["out"] = position["chase"] = 0
        open_ = changed or idle or position["unmet"] == 1
        if not (forced and open_) and (position["out"] == 1 or not due(books, j, target, period)):
            if changed and books.rules["rebalancing"] == DRIFT:
                drop_old_target(books, j)
            continue
        position["target"] = target
        position["unmet"] = 0
        # A position closed by a risk rule may reopen in the same period.
        position["period"] = NEVER if forced else period
        order_for(books, j, target)
