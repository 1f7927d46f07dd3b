"""When an approved target becomes an order, and how large it is."""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.books import (
    BUY_VALUE,
    CLOSE,
    DRIFT,
    EVERY_ROW,
    LARGEST_ORDER,
    NONE,
    ON_CHANGE,
    ROUNDING,
    SELL_QTY,
    held_weight,
    refuse_order,
)
from alphalab.types import NEVER


@jit
def due(books, j, target, period):
    """Tell whether the rebalancing rule wants asset j traded now."""
    position = books.positions[j]
    when = books.rules["rebalancing"]
    if when == ON_CHANGE:
        return target != position["target"]
    if when == DRIFT:
        if target == 0.0:
            return position["qty"] != 0.0
        since = books.account["row"] - position["traded_row"]
        rested = position["traded_row"] < 0 or since > books.rules["cooldown"]
        far = abs(target - held_weight(books, j)) > books.rules["threshold"]
        return rested and (far or position["qty"] == 0.0)
    return when == EVERY_ROW or position["period"] != period


@jit
def order_for(books, j, target):
    """Make the order that takes asset j from what is held to its target, valued at the mark."""
    account = books.account
    position = books.positions[j]
    unit = position["mark"] * books.instruments[j]["multiplier"]
    held = position["qty"] * unit
    value = target * account["equity"] - held
    if target == 0.0:
        if position["qty"] == 0.0:
            return
        order = CLOSE
    elif abs(value) <= ROUNDING * account["equity"]:
        return
    else:
        reduces = target * held > 0.0 and abs(target * account["equity"]) < abs(held)
        size = abs(value) / account["equity"]
        if not reduces and size > books.rules["order"] * (1.0 + ROUNDING):
            refuse_order(books, j, LARGEST_ORDER, size)
            return
        order = BUY_VALUE if value > 0.0 else SELL_QTY
    position["order"] = order
    position["order_row"] = account["row"]
    position["order_value"] = value
    position["order_qty"] = abs(value) / unit
    position["traded_row"] = account["row"]
    account["waiting"] += 1


@jit
def rebalance(books, targets, forced, period):
    """Turn approved targets into orders that wait for the next price.

    Nothing happens without an opinion, nor without a mark to value it with: such an asset stays due
    until it has both.
    """
    for j in range(targets.size):
        position = books.positions[j]
        target = targets[j]
        if np.isnan(target) or np.isnan(position["mark"]):
            continue
        must = forced and target != position["target"]
        if not (must or due(books, j, target, period)):
            continue
        position["target"] = target
        # What was forced out may come back as soon as the account is let go.
        position["period"] = NEVER if forced else period
        if position["order"] != NONE:
            position["order"] = NONE
            books.account["waiting"] -= 1
        order_for(books, j, target)
