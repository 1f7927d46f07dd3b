"""Section 4 of docs/market.md, "One execution"."""

from __future__ import annotations

import math
from typing import NamedTuple

from page_after import afterwards
from page_assets import lots, on_tick, sum_of
from page_books import Account
from page_fees import fee_of, fixed_fee, is_coin_fee, spendable
from page_orders import HAS_LIMIT, Order

from alphalab.codes import OrderState, OrderStatus, Origin, Reason, Sizing, TimeInForce

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
    friction = 0.0 if maker else a.slippage(j, s)
    if math.isnan(friction):
        order.spent_row = a.row
        return
    rate = a.rates_of(j)[0 if maker else 1]
    coin_rate = rate if is_coin_fee(a, order) else 0.0
    rate -= coin_rate
    p = _price(a, order, x, friction)
    asked = _asked(a, order, p, rate)
    if a.settings.costs.has_impact and not maker:
        friction = _with_impact(a, j, friction, asked)
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
    if order.sizing in (Sizing.BUY_VALUE, Sizing.SELL_QTY, Sizing.SELL_VALUE):
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
    fill = Fill(q, q - q * coin_rate, p, u, *fee_of(a, order, q, u, rate))
    if coin_rate:
        fill = fill._replace(fee=q * u - fill.units * u)
    _book(a, order, fill, goes_on, reason if cut else 0)


def _price(a: Account, order: Order, x: float, friction: float) -> float:
    """Step 1."""
    p = x * (1 + order.side * friction)
    if friction > 0:
        p = on_tick(a.instruments[order.asset], p, order.side > 0)
        if order.type in HAS_LIMIT:
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
        case Sizing.SELL_VALUE:
            qty = order.value / a.unit(order.asset, p)
        case _:
            qty = order.qty
    return min(qty, held) if order.reduce_only else qty


def _with_impact(a: Account, j: int, friction: float, asked: float) -> float:
    """Step 3: impact accumulates over an asset's orders of a bar."""
    held, costs = a.positions[j], a.settings.costs
    e = (taken(a, j) + min(asked, held.room)) / a.volume[j]
    share, root = costs.share_impact_bps / 1e4, costs.root_impact_bps / 1e4
    return friction + share * e * e + root * math.sqrt(e)


def taken(a: Account, j: int) -> float:
    """Units that the asset's orders have taken of the bar so far."""
    participation = a.settings.execution.participation
    assert participation is not None
    return participation * a.volume[j] - a.positions[j].room


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
    equity = a.cash - fixed_fee(a, order)
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


class Fill(NamedTuple):
    """One execution as it is booked."""

    q: float  # units, as the order counts them
    units: float  # that come or go: fewer where the fee is taken from them
    p: float
    u: float  # value of one unit
    raw: float  # fee without the least and the largest of an order
    fee: float

    @property
    def paid(self) -> float:
        """What a purchase costs; a fee that is taken from the units is in their value."""
        value = self.q * self.u
        return value + self.fee if self.units == self.q else value


def _book(a: Account, order: Order, fill: Fill, goes_on: bool, cut: int) -> None:
    """Steps 6 and 7: the ledger, the position and the logs of an execution."""
    j, s = order.asset, order.side
    held = a.positions[j]
    q, units, p, u, _, fee = fill
    before = held.qty
    realised = _move(a, j, s * units, p)
    if a.instruments[j].kind == "spot":
        a.cash -= s * units * u + fee
    else:
        a.cash += realised - fee
    a.realised += realised
    a.fees += fee
    a.turnover += units * u
    a.traded[a.day] += units * u
    held.room -= q
    held.told = 0
    value = order.value
    _count(a, order, fill)
    status = OrderStatus.PARTIALLY_FILLED if goes_on else OrderStatus.FILLED
    a.logs.fills.append((a.row, a.time, j, order.id, order.row, s * units, p, fee, realised))
    if not goes_on:
        order.state = OrderState.FREE
    a.event(order, status, cut)
    if cut:
        a.refusal(j, cut, value, fill.paid if cut == Reason.CASH else q * u)
    afterwards(a, order, p, before)


def _count(a: Account, order: Order, fill: Fill) -> None:
    """What an order has filled and paid, and what it has still to fill."""
    instrument = a.instruments[order.asset]
    order.filled = sum_of(instrument, order.filled, fill.q)
    order.raw_fee += fill.raw
    order.fee += fill.fee
    match order.sizing:
        case Sizing.BUY_VALUE:
            order.value -= fill.paid
        case Sizing.SELL_VALUE:
            order.value -= fill.q * fill.u
        case Sizing.QTY | Sizing.SELL_QTY:
            order.qty = sum_of(instrument, order.qty, -fill.q)


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
