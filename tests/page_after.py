"""Sections 3 to 5 of docs/market.md: what follows an execution. Children, groups, exits."""

from __future__ import annotations

import math

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


def place_exits(a: Account, j: int, p: float, before: float) -> None:
    """Section 5, exits: placed when a trade opens or turns a position, moved when one adds."""
    exits, held = a.settings.exits, a.positions[j]
    if exits is None or held.qty == 0:
        return
    s = 1 if held.qty > 0 else -1
    stop = target = math.nan
    instrument = a.instruments[j]
    if exits.stop_loss is not None:
        stop = on_tick(instrument, held.entry_price * (1 - s * exits.stop_loss), up=s < 0)
    if exits.take_profit is not None:
        target = on_tick(instrument, held.entry_price * (1 + s * exits.take_profit), up=s > 0)
    if before * held.qty > 0:
        if abs(held.qty) > abs(before):
            _move_exits(a, j, stop, target)
        return
    common = dict(
        asset=j, origin=Origin.EXITS, sizing=Sizing.CLOSE, side=-s, reduce_only=True,
        live_row=a.row,
    )  # fmt: skip
    if exits.stop_loss is not None:
        a.activate(a.submit(type=OrderType.STOP, stop=stop, **common))
    if exits.take_profit is not None:
        a.activate(a.submit(type=OrderType.LIMIT, limit=target, **common))
    if exits.trailing is not None:
        order = a.new_order(type=OrderType.TRAILING, trail_frac=exits.trailing, **common)
        follow(a, order, p, start=True)
        a.event(order, OrderStatus.SUBMITTED)
        a.activate(order)


def _move_exits(a: Account, j: int, stop: float, target: float) -> None:
    for order in a.living(j):
        if order.origin != Origin.EXITS:
            continue
        if order.type == OrderType.STOP and order.stop != stop:
            order.stop = stop
            a.event(order, OrderStatus.AMENDED)
        elif order.type == OrderType.LIMIT and order.limit != target:
            order.limit = target
            a.event(order, OrderStatus.AMENDED)
