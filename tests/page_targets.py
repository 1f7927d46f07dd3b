"""Section 5 of docs/market.md: how targets, max_holding and a flat account become orders."""

from __future__ import annotations

import math
from typing import Any

from page_after import take_rung
from page_assets import on_tick, period_of
from page_books import Account, Position
from page_orders import FOREVER, Order

from alphalab.codes import OrderState, OrderStatus, OrderType, Origin, Reason, Sizing

TOLERANCE = 1 + 1e-9


def rebalance(a: Account, targets: list[float], flat: bool) -> None:
    """Step 6 of a row, after the gate."""
    for j in range(len(targets)):
        take_rung(a, j)
    for j in range(len(targets)):
        close_what_was_held_too_long(a, j)
    for j, target in enumerate(targets):
        if flat:
            leave(a, j)
        else:
            meet_target(a, j, target)


def close_what_was_held_too_long(a: Account, j: int) -> None:
    held, exits = a.positions[j], a.settings.exits
    if exits is None or exits.max_holding is None or held.qty == 0:
        return
    if a.row - held.entry_row < exits.max_holding or math.isnan(held.mark):
        return
    waiting = a.target_order(j)
    if waiting is not None:
        if waiting.state == OrderState.SUBMITTED or closes_already(waiting):
            return
        a.end(waiting, OrderStatus.CANCELLED, Reason.REPLACED)
    held.out = True
    _close(a, j, Origin.EXITS)


def leave(a: Account, j: int) -> None:
    """Meet the target 0 of an account that has to be flat, also where its rule would not."""
    held, waiting = a.positions[j], a.target_order(j)
    if asks_again(held):
        held.target = math.nan
    held.silent = False
    if math.isnan(held.mark) or (waiting is not None and waiting.state == OrderState.SUBMITTED):
        return
    closes = waiting is not None and closes_already(waiting)
    if held.target == 0 and (held.qty == 0 or closes):
        return
    act_upon(a, j, 0.0, waiting)
    held.period = None  # it may be opened again in the same period


def meet_target(a: Account, j: int, target: float) -> None:
    held = a.positions[j]
    if asks_again(held):
        held.target = math.nan
    held.silent = math.isnan(target)
    if math.isnan(target) or math.isnan(held.mark):
        return
    waiting = a.target_order(j)
    if waiting is not None and waiting.state == OrderState.SUBMITTED:
        return
    is_other = target != held.target
    if is_other:
        held.out = False
        held.chase = chases_another(held)
    elif held.out:
        return
    if is_due(a, j, target):
        act_upon(a, j, target, waiting)
    elif is_other and waiting is not None and ends_when_left(a, waiting):
        a.end(waiting, OrderStatus.CANCELLED, Reason.REPLACED)


def asks_again(held: Position) -> bool:
    """True if any target of an asset that is out is another: its `decide` was silent before."""
    return held.out and held.silent


def chases_another(held: Position) -> bool:
    """True if the market order after an entry holds for another target; it never does."""
    return False


def ends_when_left(a: Account, waiting: Order) -> bool:
    """True if an order ends with its target although the new one is not due: under drift."""
    return a.settings.rebalance.when == "drift" and waiting.origin == Origin.TARGET


def is_due(a: Account, j: int, target: float) -> bool:
    """True if the rebalancing rule says that a target is acted upon on this row."""
    held, rule = a.positions[j], a.settings.rebalance
    match rule.when:
        case "on_change":
            return target != held.target or held.due
        case "every_row":
            return True
        case "calendar":
            assert rule.period is not None
            return held.period != period_of(a.time, rule.period) or held.due
    if target == 0:
        return held.qty != 0
    far = held.qty == 0 or abs(target - a.size(j) / a.equity) > rule.threshold
    return far and has_rested(a, held)


def has_rested(a: Account, held: Position) -> bool:
    """True if the asset's last order is more than `cooldown` rows old."""
    return held.order_row is None or a.row - held.order_row > a.settings.rebalance.cooldown


def act_upon(a: Account, j: int, target: float, waiting: Order | None) -> None:
    held, rule = a.positions[j], a.settings.rebalance
    value = target * a.equity - a.size(j)
    turns = held.qty * target < 0
    is_small = target != 0 and abs(value) < 1e-9 * a.equity
    large = is_too_large(a, j, value) and target != 0 and not is_small
    large_or_unsafe = large or (target != 0 and not is_small and is_unsafe(a, j, target))
    closes = held.qty != 0 and not large_or_unsafe
    closes &= target == 0 or (turns and a.settings.entry is not None)
    held.target, held.out = target, False
    held.due = large_or_unsafe or (closes and target != 0)
    if rule.period is not None:
        held.period = period_of(a.time, rule.period)
    if waiting is not None:
        if closes and closes_already(waiting):
            return
        a.end(waiting, OrderStatus.CANCELLED, Reason.REPLACED)
    if closes:
        _close(a, j, Origin.TARGET)
    elif large:
        _refuse_early(a, j, Reason.LARGEST_ORDER, abs(value) / a.equity)
    elif large_or_unsafe:
        _refuse_early(a, j, Reason.NO_DISTANCE, target)
    elif target != 0 and not is_small:
        grows = held.qty * value >= 0
        _submit(a, j, value, is_entry=a.settings.entry is not None and grows and not held.chase)


def closes_already(waiting: Order) -> bool:
    """True if an order that waits is a close: it is not replaced by the same close."""
    return waiting.sizing == Sizing.CLOSE


def is_too_large(a: Account, j: int, value: float) -> bool:
    """True if an order for a value is above the order limit and does more than reduce."""
    held, largest = a.positions[j], a.settings.limits.order
    reduces = held.qty * value < 0 and abs(value) <= abs(a.size(j))
    return largest is not None and not reduces and abs(value) > largest * a.equity * TOLERANCE


def is_unsafe(a: Account, j: int, target: float) -> bool:
    """True if a target opens or turns a position while a distance of its exits is unknown."""
    return a.positions[j].qty * target <= 0 and a.lacks_distance(j)


def _refuse_early(a: Account, j: int, reason: Reason, asked: float) -> None:
    """Refuse a target before an order is made; the same is told once."""
    held = a.positions[j]
    if held.told != reason:
        held.told = int(reason)
        a.refusal(j, reason, asked, 0.0)


def _submit(a: Account, j: int, value: float, is_entry: bool) -> None:
    held, s = a.positions[j], 1 if value > 0 else -1
    fields: dict[str, Any] = dict(type=OrderType.MARKET, sizing=Sizing.BUY_VALUE, value=abs(value))
    if s < 0 and a.settings.sizing == "at_fill":
        reduces = held.qty > 0 and held.target >= 0
        fields |= dict(sizing=Sizing.SELL_VALUE, reduce_only=reduces)
    elif s < 0:
        fields |= dict(sizing=Sizing.SELL_QTY, qty=-value / a.unit(j, held.mark))
    if is_entry:
        entry = a.settings.entry
        assert entry is not None
        limit = held.mark * (1 - s * entry.limit_offset_bps / 1e4)
        last = FOREVER
        if entry.ttl is not None:
            last = a.row + a.settings.execution.delay + entry.ttl
        fields |= dict(
            type=OrderType.LIMIT, limit=on_tick(a.instruments[j], limit, up=s < 0),
            until_row=last, post_only=entry.post_only, is_entry=True,
        )  # fmt: skip
    _place(a, j, side=s, origin=Origin.TARGET, **fields)


def _close(a: Account, j: int, origin: Origin) -> None:
    side = -1 if a.positions[j].qty > 0 else 1
    fields: dict[str, Any] = dict(type=OrderType.MARKET, sizing=Sizing.CLOSE, reduce_only=True)
    _place(a, j, side=side, origin=origin, **fields)


def _place(a: Account, j: int, **fields: Any) -> None:
    """Submit an order to the one place that an asset's target has."""
    held = a.positions[j]
    held.chase = False
    held.order_row = a.row
    untold: list[Any] | None = [] if held.told and fields["origin"] == Origin.TARGET else None
    a.submit(asset=j, in_place=True, untold=untold, **fields)
