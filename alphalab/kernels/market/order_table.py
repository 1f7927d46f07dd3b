"""The order table: orders come, become active, and end."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, Origin, Reason, TimeInForce
from alphalab.kernels._jit import jit, jit_apart
from alphalab.kernels.market.books import ACTIVE, FREE, HELD, NO_REASON, SUBMITTED, tell
from alphalab.kernels.market.money import on_tick
from alphalab.types import FOREVER

GTC = np.int64(TimeInForce.GTC)
TARGET = np.int64(Origin.TARGET)
WAS_SUBMITTED = np.int64(OrderStatus.SUBMITTED)
WAS_ACTIVE = np.int64(OrderStatus.ACTIVE)
CANCELLED = np.int64(OrderStatus.CANCELLED)
REPLACED = np.int64(Reason.REPLACED)
PARENT_ENDED = np.int64(Reason.PARENT_ENDED)

TARGET_PLACE = np.int64(0)  # of an asset
FIRST_EXIT, FIRST_EXPLICIT = np.int64(1), np.int64(4)


@jit
def new_order(books, j, k, origin, kind, sizing, side):
    """Put a new order on its way to the venue, in a place that is free; returns it."""
    account = books.account
    account["n_orders"] += 1
    account["waiting"] += 1
    o = books.orders[j, k]
    o["state"] = SUBMITTED
    o["id"] = account["n_orders"]
    o["origin"] = origin
    o["type"] = kind
    o["sizing"] = sizing
    o["side"] = side
    o["qty"] = np.nan
    o["value"] = np.nan
    o["filled"] = 0.0
    o["limit"] = np.nan
    o["stop"] = np.nan
    o["trail"] = np.nan
    o["trail_frac"] = np.nan
    o["best"] = np.nan
    o["triggered"] = 0
    o["tif"] = GTC
    o["until_row"] = FOREVER
    o["until_time"] = FOREVER
    o["day"] = 0
    o["reduce_only"] = 0
    o["post_only"] = 0
    o["group"] = 0
    o["parent"] = 0
    o["row"] = account["row"]
    o["time"] = account["time"]
    o["active_row"] = -1
    o["active_time"] = 0
    o["live_row"] = account["row"] + 1 + books.rules["delay"]
    o["met_row"] = -1
    o["spent_row"] = -1
    o["raw_fee"] = 0.0
    o["fee"] = 0.0
    o["logged"] = 1
    return o


@jit
def submit(books, j, o):
    """Log an order that is complete now."""
    tell(books, j, o, WAS_SUBMITTED, NO_REASON)


@jit
def activate(books, j, o):
    """Make an order active from now on."""
    account = books.account
    o["state"] = ACTIVE
    o["day"] = account["day"]
    if o["logged"] == 1:
        tell(books, j, o, WAS_ACTIVE, NO_REASON)
    o["active_row"] = account["row"]
    o["active_time"] = account["time"]


@jit
def join(books, j, o):
    """Make an order active in the middle of a bar."""
    activate(books, j, o)
    o["live_row"] = books.account["row"] + 1  # its first open; the rest of the bar it can meet


@jit
def follow(books, j, o, price):
    """Let a trailing stop take a price into account."""
    sells = o["side"] < 0
    o["best"] = max(o["best"], price) if sells else min(o["best"], price)
    o["stop"] = trailing_level(books, j, o, o["best"])


@jit
def trailing_level(books, j, o, best):
    """Return where a trailing stop stands, given the best price."""
    side = o["side"]
    if o["trail"] == o["trail"]:
        level = best + side * o["trail"]
    else:
        level = best * (1.0 + side * o["trail_frac"])
    return on_tick(books.instruments[j], level, side > 0)


@jit
def free(books, o):
    o["state"] = FREE
    books.account["waiting"] -= 1


@jit
def lives(books, j, order):
    """Tell whether an order of asset j is on the table."""
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != FREE and o["id"] == order:
            return True
    return False


@jit_apart
def cancel_orphans(books, j):
    """Cancel what waits for an order that ended unfilled, and what waits for that in turn."""
    found = True
    while found:
        found = False
        for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
            o = books.orders[j, k]
            if o["state"] == HELD and not lives(books, j, o["parent"]):
                free(books, o)
                tell(books, j, o, CANCELLED, PARENT_ENDED)
                found = True


@jit
def end(books, j, o, status, reason):
    """Take an order off the table, with all that waits for it."""
    free(books, o)
    tell(books, j, o, status, reason)
    if o["filled"] == 0.0 and books.orders.shape[1] > FIRST_EXPLICIT:
        cancel_orphans(books, j)


@jit
def drop_target_order(books, j, reason):
    """Cancel the order of an asset's target, if it waits."""
    o = books.orders[j, 0]
    if o["state"] != FREE:
        end(books, j, o, CANCELLED, reason)


@jit
def place_target_order(books, j, kind, sizing, side, value, qty, origin):
    """Put the order of an asset's target on its way, in place of the one before; returns it.

    While the last one of its asset was refused, it is not told before its outcome is another.
    """
    drop_target_order(books, j, REPLACED)
    position = books.positions[j]
    o = new_order(books, j, TARGET_PLACE, origin, kind, sizing, side)
    o["value"] = value
    o["qty"] = qty
    position["traded_row"] = books.account["row"]
    position["chase"] = 0
    o["logged"] = 0 if origin == TARGET and position["refusal"] != 0 else 1
    return o
