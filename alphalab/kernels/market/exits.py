"""After a trade: its order group, its child orders, and the exits that protect the position."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, Origin, Reason, Sizing
from alphalab.kernels._jit import jit, jit_apart, jit_late
from alphalab.kernels.market.books import ACTIVE, FREE, HELD, NO_REASON, SUBMITTED, tell
from alphalab.kernels.market.layout import BOOKS, FLOAT, INT, VOID
from alphalab.kernels.market.money import is_flat, on_tick
from alphalab.kernels.market.order_table import (
    FIRST_EXIT,
    FIRST_EXPLICIT,
    drop_target_order,
    end,
    join,
    new_order,
    submit,
    trailing_level,
)
from alphalab.kernels.market.order_types import LIMIT, STOP, TRAILING

CLOSE = np.int64(Sizing.CLOSE)
EXITS = np.int64(Origin.EXITS)
AMENDED, CANCELLED = np.int64(OrderStatus.AMENDED), np.int64(OrderStatus.CANCELLED)
ONE_CANCELS_OTHER = np.int64(Reason.ONE_CANCELS_OTHER)
NOTHING_TO_REDUCE = np.int64(Reason.NOTHING_TO_REDUCE)
REPLACED = np.int64(Reason.REPLACED)

STOP_PLACE, PROFIT_PLACE, TRAILING_PLACE = (FIRST_EXIT + np.int64(i) for i in range(3))


@jit
def cancel_group(books, j, k):
    """Cancel the other orders of the group; a partial fill leaves the reduce-only ones."""
    o = books.orders[j, k]
    for i in range(FIRST_EXPLICIT, books.orders.shape[1]):
        other = books.orders[j, i]
        if (
            i != k
            and other["state"] != FREE
            and other["group"] == o["group"]
            and (o["state"] == FREE or other["reduce_only"] == 0)
        ):
            end(books, j, other, CANCELLED, ONE_CANCELS_OTHER)


@jit
def join_children(books, j, parent, price):
    """Release the held children at their parent's first fill; delayed ones arrive later."""
    for i in range(FIRST_EXPLICIT, books.orders.shape[1]):
        child = books.orders[j, i]
        if child["state"] == HELD and child["parent"] == parent:
            if child["type"] == TRAILING:
                child["best"] = price
                child["stop"] = trailing_level(books, j, child, price)
            if books.account["row"] >= child["live_row"]:
                join(books, j, child)
            else:
                child["state"] = SUBMITTED


@jit
def drop_idle(books, j):
    """Cancel reduce-only orders if there is no position for them to reduce."""
    held = books.positions[j]["qty"]
    flat = is_flat(books, j, held)
    for i in range(books.orders.shape[1]):
        o = books.orders[j, i]
        lives = o["state"] == ACTIVE or o["state"] == SUBMITTED
        if lives and o["reduce_only"] == 1 and (flat or held * o["side"] >= 0.0):
            end(books, j, o, CANCELLED, NOTHING_TO_REDUCE)


@jit
def exit_level(books, j, frac, side):
    """Return entry price * (1 + side * frac), on a tick."""
    price = books.positions[j]["entry_price"] * (1.0 + side * frac)
    return on_tick(books.instruments[j], price, side > 0)


@jit
def new_exit(books, j, k, kind):
    side = np.int64(-1 if books.positions[j]["qty"] > 0.0 else 1)
    o = new_order(books, j, k, EXITS, kind, CLOSE, side)
    o["reduce_only"] = 1
    return o


@jit
def place_exits(books, j, price):
    """Place the exits of a position that was opened at `price`."""
    rules = books.rules
    if rules["stop_loss"] > 0.0:
        o = new_exit(books, j, STOP_PLACE, STOP)
        o["stop"] = exit_level(books, j, rules["stop_loss"], o["side"])
        submit(books, j, o)
        join(books, j, o)
    if rules["take_profit"] > 0.0:
        o = new_exit(books, j, PROFIT_PLACE, LIMIT)
        o["limit"] = exit_level(books, j, rules["take_profit"], -o["side"])
        submit(books, j, o)
        join(books, j, o)
    if rules["trailing"] > 0.0:
        o = new_exit(books, j, TRAILING_PLACE, TRAILING)
        o["trail_frac"] = rules["trailing"]
        o["best"] = price
        o["stop"] = trailing_level(books, j, o, price)
        submit(books, j, o)
        join(books, j, o)


@jit
def move_exits(books, j):
    """Move stop and take-profit to the new average entry price."""
    o = books.orders[j, STOP_PLACE]
    if o["state"] != FREE:
        level = exit_level(books, j, books.rules["stop_loss"], o["side"])
        if level != o["stop"]:
            o["stop"] = level
            tell(books, j, o, AMENDED, NO_REASON)
    o = books.orders[j, PROFIT_PLACE]
    if o["state"] != FREE:
        level = exit_level(books, j, books.rules["take_profit"], -o["side"])
        if level != o["limit"]:
            o["limit"] = level
            tell(books, j, o, AMENDED, NO_REASON)


@jit_apart
def protect(books, j, by_exit, before, price):
    """Let reduce-only orders and exits follow a position that a trade has changed."""
    drop_idle(books, j)
    if books.rules["exits"] == 0:
        return
    position = books.positions[j]
    after = position["qty"]
    if is_flat(books, j, after):
        if by_exit:
            position["out"] = 1
            drop_target_order(books, j, REPLACED)
    elif before * after <= 0.0 or is_flat(books, j, before):
        place_exits(books, j, price)
    elif abs(after) > abs(before):
        move_exits(books, j)


@jit_late(VOID(BOOKS, INT, INT, FLOAT, FLOAT))
def after_trade(books, j, k, before, price):
    """Apply the consequences of a fill of the order at place k; `before`: units held before."""
    o = books.orders[j, k]
    if k >= FIRST_EXPLICIT:
        join_children(books, j, o["id"], price)
        if o["group"] != 0:
            cancel_group(books, j, k)
    protect(books, j, o["origin"] == EXITS, before, price)
