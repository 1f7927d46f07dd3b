"""Sections 3 to 5 of docs/market.md: what follows an execution. Children, groups, exits."""

from __future__ import annotations

import math
from typing import Any

from page_assets import on_tick
from page_books import Account
from page_orders import Order

from alphalab.codes import OrderState, OrderStatus, OrderType, Origin, Reason, Sizing


def afterwards(a: Account, order: Order, p: float, before: float) -> None:
    """Children, the group, reduce-only orders, exits: in this order after each execution."""
    j = order.asset
    held = a.positions[j]
    for child in a.living(j):
        if child.parent == order.id and child.state == OrderState.HELD:
            wake(a, child, p)
    for other in a.living(j):
        is_of_group = other.lives and other is not order and 0 != order.group == other.group
        if is_of_group and not (order.lives and other.reduce_only):
            a.end(other, OrderStatus.CANCELLED, Reason.ONE_CANCELS_OTHER)
    for other in a.living(j):
        idle = other.lives and other.reduce_only and other.state != OrderState.HELD
        if idle and other.side * held.qty >= 0:
            a.end(other, OrderStatus.CANCELLED, Reason.NOTHING_TO_REDUCE)
    if order.origin == Origin.EXITS and held.qty == 0:
        held.out = True
        waiting = a.target_order(j)
        if waiting is not None:
            a.end(waiting, OrderStatus.CANCELLED, Reason.REPLACED)
    place_exits(a, j, p, before)


def wake(a: Account, child: Order, p: float) -> None:
    """Bring a child to life at its parent's first fill, at `p`; it keeps its own delay."""
    if child.type == OrderType.TRAILING:
        follow(a, child, p, start=True)
    child.state = OrderState.SUBMITTED
    if has_arrived(a, child):
        child.woken_row = a.row
        a.activate(child)


def has_arrived(a: Account, child: Order) -> bool:
    """True if a child could be at the venue by itself: it keeps its own delay."""
    return a.row >= child.live_row


def follow(a: Account, order: Order, price: float, start: bool = False) -> None:
    """Let a trailing stop take a price into account."""
    s = order.side
    if start:
        order.best = price
    order.best = max(order.best, price) if s < 0 else min(order.best, price)
    away = order.best * (1 + s * order.trail_frac)
    if not math.isnan(order.trail):
        away = order.best + s * order.trail
    order.stop = on_tick(a.instruments[order.asset], away, up=s > 0)
    if has_no_stop(order):
        order.stop = math.nan


def has_no_stop(order: Order) -> bool:
    """True if a trailing stop has not seen its start yet."""
    return order.side * order.best > order.side * order.start


def place_exits(a: Account, j: int, p: float, before: float) -> None:
    """Section 5, exits: placed when a trade opens or turns a position, moved when one adds."""
    exits, held = a.settings.exits, a.positions[j]
    if exits is None or held.qty == 0:
        return
    if before * held.qty > 0:
        if abs(held.qty) > abs(before):
            for order in a.living(j):
                move_exit(a, order)
        return
    s = 1 if held.qty > 0 else -1
    common: dict[str, Any] = dict(
        asset=j, origin=Origin.EXITS, sizing=Sizing.CLOSE, side=-s, reduce_only=True,
        live_row=a.row,
    )  # fmt: skip
    target = exits.ladder[0].profit if exits.ladder else exits.take_profit
    known = held.distances
    for kind, part, away in (
        (OrderType.STOP, exits.stop_loss, known.get("stop_distance")),
        (OrderType.LIMIT, target, known.get("profit_distance")),
    ):
        if part is not None or away is not None:
            numbers = dict(part=_or_nan(part), away=_or_nan(away))
            order = a.new_order(type=kind, **numbers, **common)
            set_level(order, level(a, order))
            _tell(a, order)
    away = known.get("trailing_distance")
    if exits.trailing is not None or away is not None:
        start = math.nan
        if exits.trailing_after is not None:
            start = held.entry_price * (1 + s * exits.trailing_after)
        numbers = dict(trail_frac=_or_nan(exits.trailing), trail=_or_nan(away), start=start)
        order = a.new_order(type=OrderType.TRAILING, **numbers, **common)
        follow(a, order, p, start=True)
        _tell(a, order)


def _or_nan(x: float | None) -> float:
    return math.nan if x is None else x


def _tell(a: Account, order: Order) -> None:
    a.event(order, OrderStatus.SUBMITTED)
    a.activate(order)


def level(a: Account, order: Order) -> float:
    """The price of a stop or a limit at its distance from the entry price."""
    held, s = a.positions[order.asset], -order.side
    beyond = s if order.type == OrderType.LIMIT else -s
    price = held.entry_price + beyond * order.away
    if math.isnan(order.away):
        price = held.entry_price * (1 + beyond * order.part)
    return on_tick(a.instruments[order.asset], price, up=beyond > 0)


def set_level(order: Order, price: float) -> None:
    if order.type == OrderType.LIMIT:
        order.limit = price
    else:
        order.stop = price


def move_exit(a: Account, order: Order) -> bool:
    """Move a stop or a limit of the exits to its distance; True if it has another price now."""
    if order.origin != Origin.EXITS or order.type not in (OrderType.STOP, OrderType.LIMIT):
        return False
    price = level(a, order)
    if price == (order.limit if order.type == OrderType.LIMIT else order.stop):
        return False
    set_level(order, price)
    a.event(order, OrderStatus.AMENDED)
    return True


def take_rung(a: Account, j: int) -> None:
    """Section 5, ladder: at the end of a row the target follows the age of its position."""
    exits, held = a.settings.exits, a.positions[j]
    if exits is None or held.qty == 0:
        return
    rows, time = a.row - held.entry_row, a.time - held.entry_time
    reached = [x.profit for x in exits.ladder if rows >= x.rows and time >= x.time]
    for order in a.living(j):
        is_target = order.origin == Origin.EXITS and order.type == OrderType.LIMIT
        if is_target and reached and order.part != reached[-1]:
            order.part = reached[-1]
            if move_exit(a, order):
                order.met = is_rested(order)


def is_rested(order: Order) -> bool:
    """True if a target that a ladder has moved is still a maker at the next open; it is not."""
    return False
