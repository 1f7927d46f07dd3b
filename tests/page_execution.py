"""Section 4 of docs/market.md, "One execution", and what follows each of them."""

from __future__ import annotations

import math

from page_assets import lots, on_tick, sum_of
from page_books import Account, Order

from alphalab.codes import (
    OrderState,
    OrderStatus,
    OrderType,
    Origin,
    Reason,
    Sizing,
    TimeInForce,
)

TOLERANCE = 1 + 1e-9


def execute(a: Account, order: Order, x: float, maker: bool) -> None:
    """Trade an order at the reference price `x`, as far as it can."""
    j, s = order.asset, order.side
    held = a.positions[j]
    if order.reduce_only and s * held.qty >= 0:
        a.end(order, OrderStatus.CANCELLED, Reason.NOTHING_TO_REDUCE)
        return
    if held.room <= 0:
        order.spent_row = a.row
        return
    rate = a.rates_of(j)[0 if maker else 1]
    friction = 0.0 if maker else a.slippage
    p = _price(a, order, x, friction)
    asked = _asked(a, order, p, rate)
    if a.settings.costs.has_impact and not maker:
        friction = _with_impact(a, j, asked)
        p = _price(a, order, x, friction)
        asked = _asked(a, order, p, rate)
    u = a.unit(j, p)
    most, reason = _most(a, order, p, rate, asked)
    q, cut = asked, False
    if asked > most * TOLERANCE:
        if order.origin == Origin.DECIDE:
            fee = rate if reason == Reason.CASH else 0.0
            a.refuse(order, reason, asked * u * (1 + fee))
            return
        cut = True
    q = min(asked, most)
    if order.sizing in (Sizing.BUY_VALUE, Sizing.SELL_QTY):
        q = _whole_lots(a, j, q, most)
    if q <= 0:
        if cut:
            a.refuse(order, reason, order.value)
        else:
            a.refuse(order, Reason.LOT, asked)
        return
    if order.origin == Origin.TARGET and not order.filled:
        least = a.instruments[j].min_value
        if q * u < least:
            a.refuse(order, Reason.MIN_VALUE, q * u)
            return
    goes_on = q > held.room * TOLERANCE
    if goes_on:
        if order.tif == TimeInForce.FOK:
            a.end(order, OrderStatus.CANCELLED, Reason.FILL_OR_KILL)
            return
        q = lots(a.instruments[j], held.room)
        order.spent_row = a.row
        if q <= 0:
            return
    _book(a, order, q, p, rate, goes_on, reason if cut else 0)


def _price(a: Account, order: Order, x: float, friction: float) -> float:
    """Step 1."""
    p = x * (1 + order.side * friction)
    if friction > 0:
        p = on_tick(a.instruments[order.asset], p, order.side > 0)
        if order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            p = min(p, order.limit) if order.side > 0 else max(p, order.limit)
    return p


def _asked(a: Account, order: Order, p: float, rate: float) -> float:
    """Step 2."""
    held = abs(a.positions[order.asset].qty)
    match order.sizing:
        case Sizing.CLOSE:
            return held
        case Sizing.BUY_VALUE:
            return spendable(a, order, order.value, a.unit(order.asset, p), rate)
    return min(order.qty, held) if order.reduce_only else order.qty


def _with_impact(a: Account, j: int, asked: float) -> float:
    """Step 3: impact accumulates over an asset's orders of a bar."""
    held, costs = a.positions[j], a.settings.costs
    e = (taken(a, j) + min(asked, held.room)) / a.volume[j]
    share, root = costs.share_impact_bps / 1e4, costs.root_impact_bps / 1e4
    return a.slippage + share * e * e + root * math.sqrt(e)


def taken(a: Account, j: int) -> float:
    """Units that the asset's orders have taken of the bar so far."""
    participation = a.settings.execution.participation
    assert participation is not None
    return participation * a.volume[j] - a.positions[j].room


def spendable(a: Account, order: Order, money: float, u: float, rate: float) -> float:
    """Units that money buys, fees included."""
    money = max(money, 0.0)
    costs = a.settings.costs
    units = money / (u * (1 + rate) + costs.fee_per_unit)
    raw = order.raw_fee + units * u * rate + units * costs.fee_per_unit
    if raw < costs.min_fee and costs.min_fee > 0:
        return max(money - max(costs.min_fee - order.fee, 0.0), 0.0) / u
    return units


def fee_of(a: Account, order: Order, q: float, u: float, rate: float) -> tuple[float, float]:
    """Step 7: the fee of an execution without the order's minimum, and as it is paid."""
    costs = a.settings.costs
    raw = q * u * rate + q * costs.fee_per_unit
    if costs.min_fee > 0:
        return raw, max(order.raw_fee + raw, costs.min_fee) - order.fee
    return raw, raw


def _most(a: Account, order: Order, p: float, rate: float, asked: float) -> tuple[float, int]:
    """Step 4: the units that cash or margin allow, and the reason that a cut would have."""
    j, s = order.asset, order.side
    held = a.positions[j].qty
    u = a.unit(j, p)
    owed = min(asked, max(-s * held, 0.0))
    spot = a.instruments[j].kind == "spot"
    if spot and a.settings.margin is None:
        if s < 0:
            return math.inf, 0
        most = max(spendable(a, order, a.cash, u, rate), owed)
        for _ in range(64):
            if most <= owed or most * u + fee_of(a, order, most, u, rate)[1] <= a.cash:
                return most, Reason.CASH
            most = max(math.nextafter(most, 0.0), owed)
        if most * u + fee_of(a, order, most, u, rate)[1] > a.cash:
            most = owed
        return most, Reason.CASH
    initial = 1.0 if a.settings.margin is None else a.settings.margin.initial
    equity = a.cash
    gross = 0.0
    for k, other in enumerate(a.positions):
        equity += a.value(k, p if k == j else other.mark)
        gross += (abs(held) - owed) * u if k == j else abs(a.size(k))
    free = (equity - initial * gross) / (u * (initial + rate) + a.settings.costs.fee_per_unit)
    return owed + max(free, 0.0), Reason.MARGIN


def _whole_lots(a: Account, j: int, q: float, most: float) -> float:
    """Step 5."""
    whole = lots(a.instruments[j], q)
    if whole > most:
        whole = min(whole - a.instruments[j].lot, most)
    return whole


def _book(
    a: Account, order: Order, q: float, p: float, rate: float, goes_on: bool, cut: int
) -> None:
    """Steps 6 and 7: the ledger, the position and the logs of an execution."""
    j, s = order.asset, order.side
    held, u = a.positions[j], a.unit(j, p)
    raw, fee = fee_of(a, order, q, u, rate)
    before = held.qty
    realised = _move(a, j, s * q, p)
    if a.instruments[j].kind == "spot":
        a.cash -= s * q * u + fee
    else:
        a.cash += realised - fee
    a.realised += realised
    a.fees += fee
    a.turnover += q * u
    a.traded[a.day] += q * u
    held.room -= q
    held.told = 0
    value = order.value
    instrument = a.instruments[j]
    order.filled = sum_of(instrument, order.filled, q)
    order.raw_fee += raw
    order.fee += fee
    if order.sizing == Sizing.BUY_VALUE:
        order.value -= q * u + fee
    elif order.sizing != Sizing.CLOSE:
        order.qty = sum_of(instrument, order.qty, -q)
    status = OrderStatus.PARTIALLY_FILLED if goes_on else OrderStatus.FILLED
    a.logs.fills.append((a.row, a.time, j, order.id, order.row, s * q, p, fee, realised))
    if not goes_on:
        order.state = OrderState.FREE
    a.event(order, status, cut)
    if cut:
        a.refusal(j, cut, value, q * u + fee if cut == Reason.CASH else q * u)
    _afterwards(a, order, p, before)


def _move(a: Account, j: int, q: float, p: float) -> float:
    """Change a position by `q` units at `p`; the profit that this closes."""
    held = a.positions[j]
    old, new = held.qty, sum_of(a.instruments[j], held.qty, q)
    closed = 0.0
    if old * q < 0:
        closed = math.copysign(min(abs(q), abs(old)), old)
    realised = closed * (a.basis(j, p) - held.basis) * a.scale(j) if closed else 0.0
    if new == 0:
        held.entry_price = held.basis = math.nan
        held.entry_row = -1
    elif old * new <= 0:
        held.entry_price, held.basis, held.entry_row = p, a.basis(j, p), a.row
    elif old * q > 0:
        held.entry_price = (old * held.entry_price + q * p) / new
        held.basis = (old * held.basis + q * a.basis(j, p)) / new
    held.qty = new
    return realised


def _afterwards(a: Account, order: Order, p: float, before: float) -> None:
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
