"""The order table: new orders, activation, and their end."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, Origin, Reason, TimeInForce
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import ACTIVE, FREE, HELD, NO_REASON, SUBMITTED, tell
from alphalab.kernels.market.layout import BOOKS, INT, VOID
from alphalab.kernels.market.money import on_tick
from alphalab.types import FOREVER

GTC = np.int64(TimeInForce.GTC)
TARGET = np.int64(Origin.TARGET)
WAS_SUBMITTED = np.int64(OrderStatus.SUBMITTED)
WAS_ACTIVE = np.int64(OrderStatus.ACTIVE)
CANCELLED = np.int64(OrderStatus.CANCELLED)
REPLACED = np.int64(Reason.REPLACED)
PARENT_ENDED = np.int64(Reason.PARENT_ENDED)

TARGET_PLACE = np.int64(0)  # the place of the target's order, per asset
FIRST_EXIT, FIRST_EXPLICIT = np.int64(1), np.int64(4)


@jit
def new_order(books, j, k, origin, kind, sizing, side):
    """Return a new submitted order of asset j, written to the free place k."""
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
    o["starts_at"] = np.nan
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
    """Log the submission of an order, after all its fields are set."""
    tell(books, j, o, WAS_SUBMITTED, NO_REASON)


@jit
def activate(books, j, o):
    """Make an order active."""
    account = books.account
    o["state"] = ACTIVE
    o["day"] = account["day"]
    if o["logged"] == 1:
        tell(books, j, o, WAS_ACTIVE, NO_REASON)
    o["active_row"] = account["row"]
    o["active_time"] = account["time"]


@jit
def join(books, j, o):
    """Make an order active inside a bar."""
    activate(books, j, o)
    # The first open it meets is that of the next row. The rest of this bar can fill it too.
    o["live_row"] = books.account["row"] + 1


@jit
def follow(books, j, o, price):
    """Move a trailing stop to a price, if that is a new best price."""
    sells = o["side"] < 0
    o["best"] = max(o["best"], price) if sells else min(o["best"], price)
    o["stop"] = trailing_level(books, j, o, o["best"])


@jit
def level_from(books, j, o, price, side):
    """Return the level at an order's distance from a price, above it for side 1, on a tick."""
    if o["trail"] == o["trail"]:
        level = price + side * o["trail"]
    else:
        level = price * (1.0 + side * o["trail_frac"])
    return on_tick(books.instruments[j], level, side > 0)


@jit
def trailing_level(books, j, o, best):
    """Return the level of a trailing stop for a best price; NaN before it starts."""
    if o["side"] * (best - o["starts_at"]) > 0.0:
        return np.nan
    return level_from(books, j, o, best, o["side"])


@jit
def free(books, o):
    """Free the place of an order."""
    o["state"] = FREE
    books.account["waiting"] -= 1


@jit
def lives(books, j, order):
    """Return True if the order with this id is in the table of asset j."""
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != FREE and o["id"] == order:
            return True
    return False


@jit_late(VOID(BOOKS, INT))
def cancel_orphans(books, j):
    """Cancel the held children of orders that ended unfilled, recursively."""
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
    """Remove an order from the table; if it is unfilled, cancel its held children too."""
    free(books, o)
    tell(books, j, o, status, reason)
    if o["filled"] == 0.0 and books.orders.shape[1] > FIRST_EXPLICIT:
        cancel_orphans(books, j)


@jit
def drop_target_order(books, j, reason):
    """Cancel the live order of an asset's target, if there is one."""
    o = books.orders[j, 0]
    if o["state"] != FREE:
        end(books, j, o, CANCELLED, reason)


@jit
def place_target_order(books, j, kind, sizing, side, value, qty, origin):
    """Return a new order for an asset's target, which replaces the previous one.

    If the previous order was refused, the new one is logged only when its outcome differs:
    otherwise every row would log the same refusal again.
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
