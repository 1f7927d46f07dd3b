"""Section 4 of docs/market.md: which orders meet a bar, in which order, at which price."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from page_after import follow
from page_books import Account
from page_execution import execute
from page_orders import AT_ONE_PRICE, TRIGGERED, Order, by_touch, limit_like

from alphalab.codes import OrderState, OrderStatus, OrderType, Reason, TimeInForce

_ENDS = {
    TimeInForce.IOC: Reason.IMMEDIATE_OR_CANCEL,
    TimeInForce.FOK: Reason.FILL_OR_KILL,
}


class Bar(NamedTuple):
    """One asset's prices and quotes of a row; NaN is unknown."""

    open: float
    high: float
    low: float
    close: float
    bid: float
    ask: float


def meet(a: Account, bars: list[Bar]) -> None:
    """Step 3 of a row."""
    for j in range(len(bars)):
        begin(a, j)
    met = [order for order in a.orders if order.is_active and _meets_open(a, order)]
    at_one_price(a, met, [bar.open for bar in bars])
    for j, bar in enumerate(bars):
        for order in a.living(j):
            trailing = order.is_active and order.type == OrderType.TRAILING
            if trailing and not math.isnan(bar.open):
                follow(a, order, bar.open)
    for j, bar in enumerate(bars):
        if not any(math.isnan(price) for price in bar[:4]) and _remains(a, j):
            walk_both_ways(a, j, bar)
            for order in a.living(j):
                order.met = order.met or order.is_active
    take_quotes(a, bars)
    at_close = [OrderType.MARKET_ON_CLOSE]
    if a.settings.fill == "next_close":
        at_close.append(OrderType.MARKET)
    meet_close(a, at_close, bars)
    for order in list(a.orders):
        if order.lives and order.until_row <= a.row:
            expire_entry(a, order)
    a.orders = [order for order in a.orders if order.lives]


def begin(a: Account, j: int) -> None:
    """End the orders whose time is over, and make active those whose row has come."""
    for order in a.living(j):
        if order.state == OrderState.HELD:
            continue
        over = order.tif == TimeInForce.GTD and a.time > order.until_time
        over |= order.tif == TimeInForce.DAY and order.is_active and a.day > order.day
        if order.lives and over:
            a.end(order, OrderStatus.EXPIRED)
    for order in a.living(j):
        if order.state == OrderState.SUBMITTED and order.live_row <= a.row:
            a.activate(order)


def take_quotes(a: Account, bars: list[Bar]) -> None:
    """From the close of a row on, its quotes are the last known."""
    for held, bar in zip(a.positions, bars, strict=True):
        if not math.isnan(bar.ask / bar.close):
            held.over = max(bar.ask / bar.close - 1, 0.0)
        if not math.isnan(bar.bid / bar.close):
            held.under = max(1 - bar.bid / bar.close, 0.0)


def expire_entry(a: Account, order: Order) -> None:
    a.end(order, OrderStatus.EXPIRED)
    follow_up(a, order)


def follow_up(a: Account, order: Order) -> None:
    """What follows an entry that expired, or was refused for post-only (section 5)."""
    held, entry = a.positions[order.asset], a.settings.entry
    assert entry is not None
    held.due = entry.then != "give_up"
    held.chase = entry.then == "market"


# --- at the open and at the close ----------------------------------------------------------------


def _meets_open(a: Account, order: Order) -> bool:
    if order.type == OrderType.MARKET:
        return a.settings.fill == "next_open"
    return order.type != OrderType.MARKET_ON_CLOSE


def meet_close(a: Account, types: Sequence[int], bars: list[Bar]) -> None:
    """Let orders of these types trade at the close; a child of this bar waits for the next."""
    met = [o for o in a.orders if o.is_active and o.type in types and o.woken_row < a.row]
    at_one_price(a, met, [bar.close for bar in bars])


def at_one_price(a: Account, orders: list[Order], prices: list[float]) -> None:
    """All sales, then all purchases; in each by symbol, then by id."""
    for order in sorted(orders, key=lambda o: (o.side, o.asset, o.id)):
        price = prices[order.asset]
        if not order.is_active or math.isnan(price):
            continue
        meet_price(a, order, price)
        order.met = True
        if order.lives and order.tif in _ENDS:
            a.end(order, OrderStatus.CANCELLED, _ENDS[order.tif])


def meet_price(a: Account, order: Order, price: float) -> None:
    """Let an order trade at an open (of a market order: or a close) if it can."""
    s, maker = order.side, False
    if order.type in TRIGGERED and not order.triggered:
        away = s * (price - order.stop)
        if (away > 0) if by_touch(order) else (away < 0):
            return
        trigger(a, order)
    elif limit_like(order):
        maker = order.met
    match order.type:
        case OrderType.LIMIT | OrderType.STOP_LIMIT | OrderType.LIMIT_IF_TOUCHED:
            trades = s * price <= s * order.limit
            trades &= not (maker and needs_more(a) and price == order.limit)
        case OrderType.STOP | OrderType.TRAILING:
            trades = s * price >= s * order.stop
        case OrderType.TAKE_PROFIT:
            trades = s * price <= s * order.stop
        case _:
            trades = True
    if not trades:
        return
    if order.post_only and not order.met:
        a.refuse(order, Reason.POST_ONLY, order.limit)
        if order.is_entry:
            follow_up(a, order)
        return
    execute(a, order, price, maker)


def needs_more(a: Account) -> bool:
    """True if a limit order that rests is filled only by prices beyond its limit."""
    return a.settings.execution.limits == "traded_through"


def trigger(a: Account, order: Order) -> None:
    order.triggered = True
    a.event(order, OrderStatus.TRIGGERED)


# --- inside the bar ------------------------------------------------------------------------------


def _inside(a: Account, j: int) -> list[Order]:
    """The orders of an asset that can trade inside this bar."""
    return [
        order
        for order in a.living(j)
        if order.is_active and order.type not in AT_ONE_PRICE and order.spent_row != a.row
    ]


def _remains(a: Account, j: int) -> bool:
    return any(order.is_active and order.type not in AT_ONE_PRICE for order in a.living(j))


def walk_both_ways(a: Account, j: int, bar: Bar) -> None:
    before = a.saved(j)
    left = []
    for high_first in (False, True):
        a.restore(j, before)
        walk(a, j, bar, high_first)
        left.append(a.cash + a.value(j, bar.close))
    match a.settings.execution.path:
        case "pessimistic":
            high_first = left[1] < left[0]
        case "optimistic":
            high_first = left[1] > left[0]
        case _:
            high_first = bar.high - bar.open < bar.open - bar.low
    if not high_first:
        a.restore(j, before)
        walk(a, j, bar, high_first)
    if abs(left[1] - left[0]) > 1e-9 * abs(a.equity):
        a.logs.ambiguities.append((a.row, a.time, j, *left, int(high_first)))


def walk(a: Account, j: int, bar: Bar, high_first: bool) -> None:
    turns = (bar.high, bar.low) if high_first else (bar.low, bar.high)
    legs = (bar.open, *turns, bar.close)
    for start, end in itertools.pairwise(legs):
        leg(a, j, start, end)


def leg(a: Account, j: int, start: float, end: float) -> None:
    """Let the price move straight from `start` to `end`, from one order to the next."""
    while True:
        reached = ((reach(a, order, start, end), order) for order in _inside(a, j))
        met = [(abs(x - start), order.id, x, order) for x, order in reached if x is not None]
        if not met:
            break
        _, _, x, order = min(met)
        _trail(a, j, x)
        start = x
        if order.type in TRIGGERED and not order.triggered:
            trigger(a, order)
            if order.side * x <= order.side * order.limit:
                execute(a, order, x, maker=False)
        else:
            execute(a, order, x, maker=limit_like(order))
    _trail(a, j, end)


def reach(a: Account, order: Order, start: float, end: float) -> float | None:
    """The first price on a leg at which an order trades or is triggered."""
    falls_to = limit_like(order) or by_touch(order)
    level = order.limit if limit_like(order) else order.stop
    if limit_like(order) and needs_more(a):
        best = min(start, end) if order.side > 0 else max(start, end)
        if best == level:
            return None
    if (order.side > 0) == falls_to:
        return min(level, start) if min(start, end) <= level else None
    return max(level, start) if max(start, end) >= level else None


def _trail(a: Account, j: int, price: float) -> None:
    for order in a.living(j):
        if order.is_active and order.type == OrderType.TRAILING:
            follow(a, order, price)
