"""When an approved target becomes an order, and how large it is."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Origin, Reason, Rebalancing, Sizing
from alphalab.kernels._jit import jit, jit_apart
from alphalab.kernels.market.books import FREE, ROUNDING, SUBMITTED, leave_due, refuse_once
from alphalab.kernels.market.money import held_weight, on_tick, size, unit_at_mark
from alphalab.kernels.market.order_table import drop_target_order, place_target_order, submit
from alphalab.kernels.market.order_types import LIMIT, MARKET
from alphalab.kernels.market.orders import BUY, SELL
from alphalab.types import NEVER

ON_CHANGE, EVERY_ROW, DRIFT, CALENDAR = (np.int64(x) for x in Rebalancing)
QTY, BUY_VALUE, SELL_QTY, CLOSE, SELL_VALUE = (np.int64(x) for x in Sizing)
TARGET, EXITS = np.int64(Origin.TARGET), np.int64(Origin.EXITS)
LARGEST_ORDER, REPLACED = np.int64(Reason.LARGEST_ORDER), np.int64(Reason.REPLACED)


@jit
def due(books, j, target, period):
    """Tell whether the rebalancing rule wants asset j traded now."""
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
def close_position(books, j, value, origin):
    """Close what is held of asset j by market order."""
    side = SELL if books.positions[j]["qty"] > 0.0 else BUY
    o = place_target_order(books, j, MARKET, CLOSE, side, value, np.nan, origin)
    o["reduce_only"] = 1
    if o["logged"] == 1:
        submit(books, j, o)


@jit
def trade_towards(books, j, value, reduces, by_limit):
    """Buy or sell asset j for a value."""
    position = books.positions[j]
    rules = books.rules
    side = BUY if value > 0.0 else SELL
    qty = np.nan
    if side > 0:
        sizing = BUY_VALUE
    elif rules["at_fill"] == 1:
        sizing = SELL_VALUE
    else:
        sizing = SELL_QTY
        qty = abs(value) / unit_at_mark(books, j)
    o = place_target_order(
        books, j, LIMIT if by_limit else MARKET, sizing, side, value, qty, TARGET
    )
    if sizing == SELL_VALUE and reduces:
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
    """Tell whether an order that closes the position in asset j waits already."""
    o = books.orders[j, 0]
    return o["state"] != FREE and o["sizing"] == CLOSE


@jit
def order_for(books, j, target):
    """Make the order that takes asset j from what is held to its target, valued at the mark."""
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
        drop_target_order(books, j, REPLACED)
        refuse_once(books, j, LARGEST_ORDER, abs(value) / equity)
        leave_due(position)
        return
    enters = books.rules["entry"] == 1 and not reduces
    if enters and target * held < 0.0:
        if not closes(books, j):
            close_position(books, j, value, TARGET)
        leave_due(position)
        return
    by_limit = enters and position["chase"] == 0
    trade_towards(books, j, value, reduces, by_limit)


@jit_apart
def close_old(books):
    """Close positions that have been held for as long as they may be."""
    for j in range(books.positions.size):
        position = books.positions[j]
        age = books.account["row"] - position["entry_row"]
        o = books.orders[j, 0]
        closing = o["state"] == SUBMITTED or (o["state"] != FREE and o["sizing"] == CLOSE)
        if position["qty"] != 0.0 and age >= books.rules["max_holding"] and not closing:
            close_position(books, j, -size(books, j), EXITS)
            position["out"] = 1


@jit
def drop_old_target(books, j):
    """Cancel the waiting order of a target that the strategy has replaced by another."""
    if books.orders[j, 0]["origin"] == TARGET:
        drop_target_order(books, j, REPLACED)


@jit
def rebalance(books, targets, forced, period):
    """Turn approved targets into orders that wait for the next price.

    Nothing happens without an opinion, nor without a mark to value it with, nor while an order is
    on its way: such an asset stays due. One that an exit has closed stays out until its target
    changes.
    """
    for j in range(targets.size):
        position = books.positions[j]
        target = targets[j]
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
        # What was forced out may come back as soon as the account is let go.
        position["period"] = NEVER if forced else period
        order_for(books, j, target)
