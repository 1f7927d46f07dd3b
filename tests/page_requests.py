"""Section 6 of docs/market.md: what a `decide` asks for, and why it is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from page_after import follow
from page_assets import is_whole, nearest
from page_books import Account
from page_orders import HAS_LIMIT, HAS_STOP, NAN, Order, by_touch

from alphalab.codes import OrderState, OrderStatus, OrderType, Origin, Reason, Sizing, TimeInForce

TOLERANCE = 1 + 1e-9
#: Types that have a price which an amend may change.
PRICED = {
    "limit": HAS_LIMIT,
    "stop": HAS_STOP,
    "trail": (OrderType.TRAILING,),
    "trail_frac": (OrderType.TRAILING,),
}


@dataclass
class Wish:
    """A requested order, or one as an `amend` would leave it."""

    asset: int
    side: int
    type: int
    qty: float
    limit: float = NAN
    stop: float = NAN
    trail: float = NAN
    trail_frac: float = NAN
    tif: int = TimeInForce.GTC
    until_time: int = 0
    reduce_only: bool = False
    post_only: bool = False
    group: Any = 0
    parent: int = 0


Verdict = tuple[Reason, float]  # why it is refused, and what was asked


def submit(a: Account, wish: Wish) -> int:
    """Take an order, or refuse it; either uses up an id."""
    verdict = refused(a, wish)
    if verdict is None:
        _put_on_grid(a, wish.asset, wish)
    limited = wish.type in HAS_LIMIT
    order = a.new_order(
        asset=wish.asset, side=wish.side, type=wish.type, qty=wish.qty, sizing=Sizing.QTY,
        origin=Origin.DECIDE, limit=wish.limit, stop=wish.stop, trail=wish.trail,
        trail_frac=wish.trail_frac, tif=wish.tif, until_time=wish.until_time,
        reduce_only=wish.reduce_only, post_only=wish.post_only and limited, group=wish.group,
        parent=wish.parent,
    )  # fmt: skip
    parent = a.by_id(wish.parent) if wish.parent else None
    if verdict is None:
        if parent is not None and parent.filled == 0:
            order.state = OrderState.HELD
        if wish.type == OrderType.TRAILING:
            follow(a, order, a.positions[wish.asset].mark, start=True)
        a.event(order, OrderStatus.SUBMITTED)
        return order.id
    if verdict[0] == Reason.UNKNOWN_ASSET:
        order.asset = -1
    a.event(order, OrderStatus.SUBMITTED)
    order.state = OrderState.FREE
    a.event(order, OrderStatus.REFUSED, verdict[0])
    a.refusal(order.asset, verdict[0], verdict[1], 0.0)
    return order.id


def amend(a: Account, number: int, changes: dict[str, float]) -> None:
    """Change what is not NaN of the units, the limit, the stop and the distances of an order."""
    order = _of_decide(a, number)
    if order is None:
        a.refusal(-1, Reason.UNKNOWN_ORDER, float(number), 0.0)
        return
    names = ("asset", "side", "type", "qty", "limit", "stop", "trail", "trail_frac")
    wish = Wish(
        **{name: getattr(order, name) for name in names},
        reduce_only=order.reduce_only,
        parent=order.parent,
    )
    new = {name: x for name, x in changes.items() if not math.isnan(x)}
    foreign = [name for name in new if order.type not in PRICED.get(name, (order.type,))]
    if foreign:
        a.refusal(order.asset, Reason.BAD_PRICE, new[foreign[0]], 0.0)
        return
    if "trail" in new or "trail_frac" in new:
        new = {"trail": NAN, "trail_frac": NAN, **new}
    verdict = refused(a, replace(wish, **new), order, stop_changes="stop" in new)
    if verdict is not None:
        a.refusal(order.asset, verdict[0], verdict[1], 0.0)
        return
    for name, x in new.items():
        setattr(order, name, x)
    _put_on_grid(a, order.asset, order)
    if "limit" in new:
        order.met = False
    if "trail" in new:
        follow(a, order, order.best)
    a.event(order, OrderStatus.AMENDED)


def _put_on_grid(a: Account, j: int, order: Any) -> None:
    """Take units and prices as the nearest whole lots and ticks (section 3)."""
    instrument = a.instruments[j]
    order.qty = nearest(order.qty, instrument.lot)
    order.limit = nearest(order.limit, instrument.tick)
    if order.type in HAS_STOP:
        order.stop = nearest(order.stop, instrument.tick)


def cancel(a: Account, number: int) -> None:
    order = _of_decide(a, number)
    if order is None:
        a.refusal(-1, Reason.UNKNOWN_ORDER, float(number), 0.0)
        return
    a.end(order, OrderStatus.CANCELLED, Reason.ASKED_FOR)


def _of_decide(a: Account, number: int) -> Order | None:
    order = a.by_id(number)
    return order if order is not None and order.origin == Origin.DECIDE else None


def refused(
    a: Account, wish: Wish, amended: Order | None = None, stop_changes: bool = True
) -> Verdict | None:
    """Return the first reason of the table that applies, with what was asked."""
    if not 0 <= wish.asset < len(a.positions):
        return Reason.UNKNOWN_ASSET, float(wish.asset)
    return (
        _malformed(a, wish)
        or _misplaced(a, wish, amended, stop_changes)
        or _too_large(a, wish, amended)
        or _too_many(a, wish, amended)
    )


def _is_price(x: float) -> bool:
    return math.isfinite(x) and x > 0


def _malformed(a: Account, wish: Wish) -> Verdict | None:
    j = wish.asset
    if wish.side not in (1, -1) or not _is_price(wish.qty):
        return Reason.BAD_QUANTITY, wish.qty
    if wish.type in HAS_LIMIT and not _is_price(wish.limit):
        return Reason.BAD_PRICE, wish.limit
    if wish.type in HAS_STOP and not _is_price(wish.stop):
        return Reason.BAD_PRICE, wish.stop
    if wish.type == OrderType.TRAILING:
        given = [x for x in (wish.trail, wish.trail_frac) if not math.isnan(x)]
        if len(given) != 1 or not _is_price(given[0]) or wish.trail_frac >= 1:
            return Reason.BAD_PRICE, given[0] if given else NAN
    if math.isnan(a.positions[j].mark):
        return Reason.NO_PRICE, wish.qty
    instrument = a.instruments[j]
    if wish.type in HAS_LIMIT and not is_whole(wish.limit, instrument.tick):
        return Reason.OFF_TICK, wish.limit
    if wish.type in HAS_STOP and not is_whole(wish.stop, instrument.tick):
        return Reason.OFF_TICK, wish.stop
    if not is_whole(wish.qty, instrument.lot):
        return Reason.LOT, wish.qty
    return None


def waits_for(parent: Order) -> bool:
    """True if a child is held back by its parent, which lives and has no fill yet."""
    return parent.filled == 0


def _misplaced(a: Account, wish: Wish, amended: Order | None, stop_changes: bool) -> Verdict | None:
    j, s, held = wish.asset, wish.side, a.positions[wish.asset]
    parent = _of_decide(a, wish.parent)
    if parent is not None and parent.asset != j:
        parent = None
    if wish.type in HAS_STOP and stop_changes:
        price = held.mark
        if parent is not None and waits_for(parent) and not math.isnan(parent.limit):
            price = parent.limit
        above = -s if by_touch(wish) else s
        if above * wish.stop <= above * price:
            return Reason.WRONG_SIDE, wish.stop
    waits = bool(wish.parent) and (parent is None or waits_for(parent))
    if amended is not None:
        waits = amended.state == OrderState.HELD
    if wish.reduce_only and not waits and s * held.qty >= 0:
        return Reason.NOTHING_TO_REDUCE, wish.qty
    if not wish.reduce_only and a.flat_reason():
        return Reason(a.flat_reason()), a.measure_of(a.flat_reason())
    if amended is None and wish.parent and parent is None:
        return Reason.PARENT_ENDED, float(wish.parent)
    return None


def reference(a: Account, order: Any) -> float:
    """Price that an order is judged by: its limit, else its stop, else the mark."""
    if order.type in HAS_LIMIT:
        return float(order.limit)
    if order.type in HAS_STOP:
        return float(order.stop)
    return a.positions[order.asset].mark


def _too_large(a: Account, wish: Wish, amended: Order | None) -> Verdict | None:
    if wish.reduce_only:
        return None
    j, s, held = wish.asset, wish.side, a.positions[wish.asset].qty
    u = a.unit(j, reference(a, wish))
    if wish.qty * u < a.instruments[j].min_value:
        return Reason.MIN_VALUE, wish.qty * u
    reduces = min(wish.qty, max(-s * held, 0.0))
    extra = wish.qty - reduces
    if extra <= 0:
        return None
    if (held == 0 or reduces > 0) and a.lacks_distance(j):
        return Reason.NO_DISTANCE, s * (extra * u / a.equity)
    return _above_limits(a, wish, extra * u / a.equity, amended) or _unpaid(
        a, wish, extra * u, reduces
    )


def _above_limits(a: Account, wish: Wish, w: float, amended: Order | None) -> Verdict | None:
    j, s, limits = wish.asset, wish.side, a.settings.limits
    waiting = [
        (o, o.qty * a.unit(o.asset, reference(a, o)) / a.equity)
        for o in a.orders
        if o.lives and o.origin == Origin.DECIDE and not o.reduce_only and o is not amended
    ]
    held = [a.size(k) / a.equity for k in range(len(a.positions))]
    if limits.order is not None and w > limits.order * TOLERANCE:
        return Reason.LARGEST_ORDER, w
    if limits.max_positions is not None and not a.has_place(j, amended):
        places = 1 + sum(a.has_place(k, amended) for k in range(len(held)))
        if places > limits.max_positions:
            return Reason.MAX_POSITIONS, float(places)
    if limits.weight is not None:
        same = sum(weight for o, weight in waiting if o.asset == j and o.side == s)
        asked = w + same + max(s * held[j], 0.0)
        if asked > limits.weight * TOLERANCE:
            return Reason.WEIGHT_LIMIT, asked
    label = limits.group
    group = None if label is None else a.instruments[j].groups.get(label)
    if group is not None:
        members = [k for k, i in enumerate(a.instruments) if i.groups.get(label) == group]
        asked = sum(abs(held[k]) for k in members) + w
        asked += sum(weight for o, weight in waiting if o.asset in members)
        if asked > limits.group_gross * TOLERANCE:
            return Reason.GROUP_LIMIT, asked
    if limits.net is not None:
        asked = s * sum(held) + sum(weight for o, weight in waiting if o.side == s) + w
        if asked > limits.net * TOLERANCE:
            return Reason.NET_LIMIT, asked
    asked = sum(abs(x) for x in held) + sum(weight for _, weight in waiting) + w
    if asked > a.settings.gross * TOLERANCE:
        return Reason.GROSS_LIMIT, asked
    return None


def _unpaid(a: Account, wish: Wish, value: float, reduces: float) -> Verdict | None:
    j, s = wish.asset, wish.side
    taker = a.rates_of(j)[1]
    if a.instruments[j].kind == "spot" and a.settings.margin is None:
        if s > 0 and value * (1 + taker) > a.cash * TOLERANCE:
            return Reason.CASH, value * (1 + taker)
        return None
    initial = 1.0 if a.settings.margin is None else a.settings.margin.initial
    gross = sum(abs(a.size(k)) for k in range(len(a.positions)))
    gross -= reduces * a.unit(j, a.positions[j].mark)
    needed = (gross + value) * initial + value * taker
    return (Reason.MARGIN, value) if needed > a.equity * TOLERANCE else None


def _too_many(a: Account, wish: Wish, amended: Order | None) -> Verdict | None:
    n = sum(order.origin == Origin.DECIDE for order in a.living(wish.asset))
    if amended is None and n >= a.max_orders:
        return Reason.TOO_MANY_ORDERS, float(n + 1)
    return None
