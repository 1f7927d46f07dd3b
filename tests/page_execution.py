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


class Terms(NamedTuple):
    """At what an order trades."""

    p: float
    u: float  # value of one unit
    rate: float  # fee that is paid in money
    coin_rate: float  # fee that is taken from the units that come
    asked: float  # units


class Fill(NamedTuple):
    """One execution as it is booked."""

    q: float  # units, as the order counts them
    units: float  # that come or go: fewer where the fee is taken from them
    p: float
    u: float
    raw: float  # fee without the least and the largest of an order
    fee: float

    @property
    def paid(self) -> float:
        """What a purchase costs; a fee that is taken from the units is in their value."""
        value = self.q * self.u
        return value + self.fee if self.units == self.q else value


def execute(a: Account, order: Order, x: float, maker: bool) -> None:
    """Trade an order at the reference price `x`, as far as it can."""
    j, s = order.asset, order.side
    held = a.positions[j]
    if order.reduce_only and s * held.qty >= 0:
        a.end(order, OrderStatus.CANCELLED, Reason.NOTHING_TO_REDUCE)
        return
    if held.room <= 0 or (not maker and math.isnan(a.slippage(j, s))):
        order.spent_row = a.row
        return
    terms = _terms(a, order, x, maker)
    most, reason = _most(a, order, terms)
    is_cut = terms.asked > most * TOLERANCE
    if is_cut and order.origin == Origin.DECIDE:
        fee = terms.rate if reason == Reason.CASH else 0.0
        a.refuse(order, reason, terms.asked * terms.u * (1 + fee))
        return
    by_value = order.sizing == Sizing.BUY_VALUE
    asked_value = order.value if by_value else terms.asked * terms.u
    sent = a.settings.sizing == "at_decision" and order.origin == Origin.TARGET
    q = terms.asked if sent and not is_cut else min(terms.asked, most)
    if order.sizing in (Sizing.BUY_VALUE, Sizing.SELL_QTY, Sizing.SELL_VALUE):
        q = _whole_lots(a, j, q, most)
    if q <= 0:
        a.refuse(order, *((reason, asked_value) if is_cut else (Reason.LOT, terms.asked)))
    elif _is_too_small(a, order, q * terms.u):
        a.refuse(order, Reason.MIN_VALUE, q * terms.u)
    elif q > held.room * TOLERANCE:
        _fill_part(a, order, terms, reason if is_cut else 0, asked_value)
    else:
        _fill(a, order, terms, q, False, reason if is_cut else 0, asked_value)


def _terms(a: Account, order: Order, x: float, maker: bool) -> Terms:
    """Steps 1 to 3."""
    j = order.asset
    friction = 0.0 if maker else a.slippage(j, order.side)
    rate = a.rates_of(j)[0 if maker else 1]
    coin_rate = rate if is_coin_fee(a, order) else 0.0
    rate -= coin_rate
    p = _price(a, order, x, friction)
    asked = _asked(a, order, p, rate)
    if a.settings.costs.has_impact and not maker:
        p = _price(a, order, x, _with_impact(a, j, friction, asked))
        asked = _asked(a, order, p, rate)
    return Terms(p, a.unit(j, p), rate, coin_rate, asked)


def _is_too_small(a: Account, order: Order, value: float) -> bool:
    """True if a target's first fill is below the venue's minimum value."""
    is_first = order.origin == Origin.TARGET and not order.filled
    return is_first and value < a.instruments[order.asset].min_value


def _fill_part(a: Account, order: Order, terms: Terms, cut: int, asked_value: float) -> None:
    """Step 6: the bar has room for a part of the order."""
    if order.tif == TimeInForce.FOK:
        a.end(order, OrderStatus.CANCELLED, Reason.FILL_OR_KILL)
        return
    order.spent_row = a.row
    q = lots(a.instruments[order.asset], a.positions[order.asset].room)
    if q > 0:
        _fill(a, order, terms, q, True, cut, asked_value)


def _fill(
    a: Account, order: Order, terms: Terms, q: float, goes_on: bool, cut: int, asked_value: float
) -> None:
    p, u, rate, coin_rate, _ = terms
    before = a.positions[order.asset].qty
    fill = Fill(q, q - q * coin_rate, p, u, *fee_of(a, order, q, u, rate))
    if coin_rate:
        fill = fill._replace(fee=q * u - fill.units * u)
    _book(a, order, fill, goes_on, cut)
    if cut:
        approved = fill.paid if cut == Reason.CASH else q * u
        a.refusal(order.asset, cut, asked_value, approved)
    afterwards(a, order, p, before)


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


def _most(a: Account, order: Order, terms: Terms) -> tuple[float, int]:
    """Step 4: the units that cash or margin allow, and the reason that a cut would have."""
    j, s = order.asset, order.side
    held = a.positions[j].qty
    p, u, rate, _, asked = terms
    reduces = max(-s * held, 0.0)
    owed = asked if asked <= reduces * TOLERANCE else reduces
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


def _book(a: Account, order: Order, fill: Fill, goes_on: bool, cut: int) -> None:
    """Steps 6 and 7: the ledger, the position and the logs of an execution."""
    j, s = order.asset, order.side
    held = a.positions[j]
    q, units, p, u, _, fee = fill
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
    _count(a, order, fill)
    status = OrderStatus.PARTIALLY_FILLED if goes_on else OrderStatus.FILLED
    a.logs.fills.append((a.row, a.time, j, order.id, order.row, s * units, p, fee, realised))
    if not goes_on:
        order.state = OrderState.FREE
    a.event(order, status, cut)


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
        held.entry_price, held.basis = p, a.basis(j, p)
        held.entry_row, held.entry_time = a.row, a.time
    elif old * q > 0:
        held.entry_price = (old * held.entry_price + q * p) / new
        held.basis = (old * held.basis + q * a.basis(j, p)) / new
    held.qty = new
    return realised
