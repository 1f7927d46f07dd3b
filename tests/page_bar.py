"""Section 4 of docs/market.md: which orders meet a bar, in which order, at which price."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from page_books import Account, Order, limit_like
from page_execution import execute, follow

from alphalab.codes import OrderState, OrderStatus, OrderType, Reason, TimeInForce

_ENDS = {
    TimeInForce.IOC: Reason.IMMEDIATE_OR_CANCEL,
    TimeInForce.FOK: Reason.FILL_OR_KILL,
}


class Bar(NamedTuple):
    """One asset's prices of a row; NaN is unknown."""

    open: float
    high: float
    low: float
    close: float


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
        if not any(math.isnan(price) for price in bar) and _remains(a, j):
            walk_both_ways(a, j, bar)
            for order in a.living(j):
                order.met = order.met or order.is_active
    if a.settings.fill == "next_close":
        market = [o for o in a.orders if o.is_active and o.type == OrderType.MARKET]
        market = [o for o in market if o.woken_row < a.row]
        at_one_price(a, market, [bar.close for bar in bars])
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
    return order.type != OrderType.MARKET or a.settings.fill == "next_open"


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
    if order.type == OrderType.STOP_LIMIT and not order.triggered:
        if s * price < s * order.stop:
            return
        trigger(a, order)
    elif limit_like(order):
        maker = order.met
    match order.type:
        case OrderType.LIMIT | OrderType.STOP_LIMIT:
            trades = s * price <= s * order.limit
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


def trigger(a: Account, order: Order) -> None:
    order.triggered = True
    a.event(order, OrderStatus.TRIGGERED)


# --- inside the bar ------------------------------------------------------------------------------


def _inside(a: Account, j: int) -> list[Order]:
    """The orders of an asset that can trade inside this bar."""
    return [
        order
        for order in a.living(j)
        if order.is_active and order.type != OrderType.MARKET and order.spent_row != a.row
    ]


def _remains(a: Account, j: int) -> bool:
    return any(order.is_active and order.type != OrderType.MARKET for order in a.living(j))


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
        met = [(abs(x - start), o.id, x, o) for o in _inside(a, j) if (x := reach(o, start, end))]
        if not met:
            break
        _, _, x, order = min(met)
        _trail(a, j, x)
        start = x
        if order.type == OrderType.STOP_LIMIT and not order.triggered:
            trigger(a, order)
            if order.side * x <= order.side * order.limit:
                execute(a, order, x, maker=False)
        else:
            execute(a, order, x, maker=limit_like(order))
    _trail(a, j, end)


def reach(order: Order, start: float, end: float) -> float | None:
    """The first price on a leg at which an order trades or is triggered."""
    falls_to = limit_like(order) or order.type == OrderType.TAKE_PROFIT
    level = order.limit if limit_like(order) else order.stop
    if (order.side > 0) == falls_to:
        return min(level, start) if min(start, end) <= level else None
    return max(level, start) if max(start, end) >= level else None


def _trail(a: Account, j: int, price: float) -> None:
    for order in a.living(j):
        if order.is_active and order.type == OrderType.TRAILING:
            follow(a, order, price)
