"""After a trade: its order group, its child orders, and the exits that protect the position."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, Origin, Reason, Sizing
from alphalab.kernels._jit import jit, jit_apart, jit_late
from alphalab.kernels.market.books import ACTIVE, FREE, HELD, NO_REASON, SUBMITTED, tell
from alphalab.kernels.market.layout import BOOKS, FLOAT, INT, TABLE, VOID
from alphalab.kernels.market.money import is_flat
from alphalab.kernels.market.order_table import (
    FIRST_EXIT,
    FIRST_EXPLICIT,
    drop_target_order,
    end,
    join,
    level_from,
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


@jit_late(VOID(BOOKS, TABLE))
def take_distances(books, values):
    """Store the distances of new exits after a row, (3, N), price; an unknown one changes nothing.

    A distance is known if it is finite and above 0.
    """
    for j in range(books.positions.size):
        position = books.positions[j]
        if values[0, j] > 0.0 and values[0, j] < np.inf:
            position["stop_distance"] = values[0, j]
        if values[1, j] > 0.0 and values[1, j] < np.inf:
            position["profit_distance"] = values[1, j]
        if values[2, j] > 0.0 and values[2, j] < np.inf:
            position["trailing_distance"] = values[2, j]


@jit
def lacks_distance(books, j):
    """Return True if an exit of asset j would have an unknown distance."""
    rules, position = books.rules, books.positions[j]
    return (
        (rules["stop_distance"] == 1 and np.isnan(position["stop_distance"]))
        or (rules["profit_distance"] == 1 and np.isnan(position["profit_distance"]))
        or (rules["trailing_distance"] == 1 and np.isnan(position["trailing_distance"]))
    )


@jit
def new_exit(books, j, k, kind, distance, frac):
    """Return an exit at a distance, price, or NaN and a fraction."""
    side = np.int64(-1 if books.positions[j]["qty"] > 0.0 else 1)
    o = new_order(books, j, k, EXITS, kind, CLOSE, side)
    o["reduce_only"] = 1
    o["trail"] = distance
    o["trail_frac"] = frac
    return o


@jit
def exit_level(books, j, o):
    """Return the level of a stop or target, at its distance from the entry price."""
    side = -o["side"] if o["type"] == LIMIT else o["side"]
    return level_from(books, j, o, books.positions[j]["entry_price"], side)


@jit
def stand(books, j, o):
    """Log an exit and make it active at once."""
    submit(books, j, o)
    join(books, j, o)


@jit
def place_exits(books, j, price):
    """Place the exits of a position that was opened at `price`."""
    rules, position = books.rules, books.positions[j]
    if rules["stop_loss"] > 0.0 or rules["stop_distance"] == 1:
        distance = position["stop_distance"]
        o = new_exit(books, j, STOP_PLACE, STOP, distance, rules["stop_loss"])
        o["stop"] = exit_level(books, j, o)
        stand(books, j, o)
    if rules["take_profit"] == rules["take_profit"] or rules["profit_distance"] == 1:
        distance = position["profit_distance"]
        o = new_exit(books, j, PROFIT_PLACE, LIMIT, distance, rules["take_profit"])
        o["limit"] = exit_level(books, j, o)
        stand(books, j, o)
    if rules["trailing"] > 0.0 or rules["trailing_distance"] == 1:
        distance = position["trailing_distance"]
        o = new_exit(books, j, TRAILING_PLACE, TRAILING, distance, rules["trailing"])
        gain = rules["trailing_after"]
        if gain > 0.0:
            o["starts_at"] = position["entry_price"] * (1.0 - o["side"] * gain)
        o["best"] = price
        o["stop"] = trailing_level(books, j, o, price)
        stand(books, j, o)


@jit
def move_exits(books, j):
    """Move stop and take-profit to the new average entry price."""
    o = books.orders[j, STOP_PLACE]
    if o["state"] != FREE:
        level = exit_level(books, j, o)
        if level != o["stop"]:
            o["stop"] = level
            tell(books, j, o, AMENDED, NO_REASON)
    o = books.orders[j, PROFIT_PLACE]
    if o["state"] != FREE:
        level = exit_level(books, j, o)
        if level != o["limit"]:
            o["limit"] = level
            tell(books, j, o, AMENDED, NO_REASON)


@jit
def rung_of(books, j):
    """Return the fraction of the last rung that a position has reached; NaN: still the first."""
    position, account = books.positions[j], books.account
    rows, time = account["row"] - position["entry_row"], account["time"] - position["entry_time"]
    profit = np.nan
    for i in range(books.ladder.size):
        rung = books.ladder[i]
        if rows >= rung["rows"] and time >= rung["time"]:
            profit = rung["profit"]
    return profit


@jit_late(VOID(BOOKS))
def step_down(books):
    """Move targets to the rung that the age of their position has reached.

    A moved target may trade at once at the next open, so there it pays as a taker.
    """
    for j in range(books.positions.size):
        o = books.orders[j, PROFIT_PLACE]
        if o["state"] == FREE:
            continue
        profit = rung_of(books, j)
        if profit == profit and profit != o["trail_frac"]:
            o["trail_frac"] = profit
            level = exit_level(books, j, o)
            if level != o["limit"]:
                o["limit"] = level
                o["met_row"] = -1
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
