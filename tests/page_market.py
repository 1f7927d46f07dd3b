"""The market of docs/market.md in plain Python, written from that page alone, row by row.

It is slow and simple on purpose: section by section it says what the page says, to be read beside
it. `test_page_market.py` compares it with the compiled market.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from page_assets import HOUR, day_of
from page_bar import Bar, meet, meet_close
from page_books import Account
from page_requests import Wish, amend, cancel, submit
from page_targets import asks_again, rebalance

from alphalab.codes import OrderState, OrderStatus, OrderType, Origin, Reason, TimeInForce

TOLERANCE = 1 + 1e-9

#: What an amend may change, and its name in a script.
AMENDED = {
    "qty": "qty", "limit": "limit", "stop": "stop", "trail": "trail", "trail_frac": "frac",
}  # fmt: skip


def run(market: Any) -> Account:
    """Push all rows of a drawn market."""
    a = Account(market.settings, market.instruments, market.max_orders)
    ids: list[int] = []
    for t in range(len(market.time)):
        step(a, market, t, ids)
    return a


def step(a: Account, market: Any, t: int, ids: list[int]) -> None:
    """One row (section 2)."""
    n = len(market.instruments)
    unknown = [math.nan] * n
    columns = [
        market.columns[name][t].tolist() if name in market.columns else unknown
        for name in Bar._fields
    ]
    bars = [Bar(*prices) for prices in zip(*columns, strict=True)]
    _move_clock(a, int(market.time[t]))
    _new_volume(a, market.columns["volume"][t].tolist())
    meet(a, bars)
    _mark(a, bars)
    _lock(a)
    _learn_distances(a, market, t)
    flat = a.flat_reason()
    if flat:
        _end_orders_of_decide(a, flat)
    handle(a, market.requests[t] if market.requests else (), ids)
    rebalance(a, _approved(a, market.columns["w"][t].tolist()), bool(flat))
    if a.settings.fill == "same_close":
        _fill_at_close(a, bars)
        _mark(a, bars)
    _record(a)
    a.orders = [order for order in a.orders if order.lives]


def _move_clock(a: Account, time: int) -> None:
    a.row, a.time = a.row + 1, time
    day = day_of(time)
    if day == a.day:
        return
    a.day, a.day_equity = day, a.equity
    tiers = a.settings.costs.tiers
    traded = sum(a.traded[d] for d in range(day - 30, day) if d in a.traded)
    a.tier = max((i for i, tier in enumerate(tiers) if tier.value <= traded), default=0)


def _new_volume(a: Account, volume: Sequence[float]) -> None:
    share = a.settings.execution.participation
    for j, held in enumerate(a.positions):
        a.volume[j] = volume[j]
        held.room = math.inf
        if share is not None:
            held.room = 0.0 if math.isnan(volume[j]) else share * volume[j]


def _mark(a: Account, bars: Sequence[Bar]) -> None:
    for held, bar in zip(a.positions, bars, strict=True):
        if not math.isnan(bar.close):
            held.mark = bar.close
    a.equity = a.cash + a.total_value()
    a.peak = max(a.peak, a.equity)


def _lock(a: Account) -> None:
    """Look whether the account has to be flat."""
    limits = a.settings.limits
    if not a.lock and a.equity <= 0:
        a.lock = int(Reason.BANKRUPT)
        a.refusal(-1, Reason.BANKRUPT, a.equity, 0.0)
    if a.lock:
        return
    if has_lost(a, a.peak, limits.drawdown):
        a.lock = int(Reason.DRAWDOWN_LOCK)
        a.refusal(-1, Reason.DRAWDOWN_LOCK, a.measure_of(a.lock), limits.drawdown)
        return
    if a.flat_day != a.day and has_lost(a, a.day_equity, limits.daily_loss):
        a.flat_day = a.day
        a.refusal(-1, Reason.DAILY_LOSS, a.measure_of(Reason.DAILY_LOSS), limits.daily_loss)


def has_lost(a: Account, before: float, share: float | None) -> bool:
    """True if the equity has fallen by this share of what it was, or to its rounding."""
    return share is not None and a.equity <= before * (1 - share) * TOLERANCE


def _end_orders_of_decide(a: Account, flat: int) -> None:
    """End what is not reduce-only: orders at the venue or on their way, then held children."""
    for order in sorted(a.orders, key=lambda o: (o.state == OrderState.HELD, o.asset)):
        if order.lives and order.origin == Origin.DECIDE and not order.reduce_only:
            a.end(order, OrderStatus.CANCELLED, flat)


def _approved(a: Account, targets: list[float]) -> list[float]:
    """The gate, without limits of weights: an infinite target is ignored."""
    if not a.flat_reason():
        _give_places(a, targets)
    for j, target in enumerate(targets):
        if math.isinf(target):
            a.refusal(j, Reason.NOT_FINITE, target, math.nan)
            targets[j] = math.nan
    return targets


def _give_places(a: Account, targets: list[float]) -> None:
    """Section 5, places: the largest targets are let in."""
    most = a.settings.limits.max_positions
    if most is None:
        return
    places = [j for j in range(len(targets)) if a.has_place(j)]
    newcomers = [j for j in range(len(targets)) if j not in places and _wants(a, j, targets[j])]
    taken = sum(targets[j] != 0 for j in places)
    if taken + len(newcomers) <= most or not newcomers:
        return
    a.refusal(-1, Reason.MAX_POSITIONS, taken + len(newcomers), most)
    newcomers.sort(key=lambda j: rank(targets, j), reverse=True)
    for j in newcomers[max(most - taken, 0) :]:
        targets[j] = math.nan


def _wants(a: Account, j: int, target: float) -> bool:
    """True if a target would open an asset: no exit has closed it, or its target is new."""
    held = a.positions[j]
    waits = held.out and target == held.target and not asks_again(held)
    return math.isfinite(target) and target != 0 and not waits


def rank(targets: list[float], j: int) -> tuple[float, int]:
    """The larger it is, the sooner a newcomer gets a place."""
    return abs(targets[j]), -j


def _learn_distances(a: Account, market: Any, t: int) -> None:
    """Distances of exits take their value of the row, if it is finite and above 0."""
    exits = a.settings.exits
    for name in exits.distances if exits is not None else ():
        for held, x in zip(a.positions, market.columns[name][t].tolist(), strict=True):
            if is_distance(x):
                held.distances = held.distances | {name: x}


def is_distance(x: float) -> bool:
    return math.isfinite(x) and x > 0


def _fill_at_close(a: Account, bars: Sequence[Bar]) -> None:
    """Step 7: with `same_close` the market orders of the row meet its close."""
    for order in list(a.orders):
        if order.state == OrderState.SUBMITTED and order.type == OrderType.MARKET:
            a.activate(order)
    meet_close(a, [OrderType.MARKET], bars)


def handle(a: Account, requests: Sequence[dict[str, Any]], ids: list[int]) -> None:
    """Requests of a row, in order (section 6); `ids` are the orders that the script has sent."""
    for request in requests:
        of = request.get("of")
        known = 0
        if of is not None and 0 <= of < len(ids):
            known = ids[of] + request.get("offset", 0)
        match request["action"]:
            case "amend":
                amend(a, known, {x: request.get(y, math.nan) for x, y in AMENDED.items()})
            case "cancel":
                cancel(a, known)
            case "bracket":
                ids.append(_bracket(a, request))
            case _:
                ids.append(submit(a, _wish(a, request, known)))


def _wish(a: Account, request: dict[str, Any], parent: int) -> Wish:
    action = request["action"]
    name = {"trailing": "TRAILING"}.get(action, action.upper())
    prices = {
        "limit": ("limit", action in ("limit", "stop_limit", "limit_if_touched")),
        "stop": ("stop", action in ("stop", "stop_limit", "take_profit", "limit_if_touched")),
        "trail": ("trail", action == "trailing"),
        "frac": ("trail_frac", action == "trailing"),
    }
    given = {to: request.get(x, math.nan) for x, (to, takes) in prices.items() if takes}
    return Wish(
        asset=request["asset"], side=request["side"], type=OrderType[name], qty=request["qty"],
        tif=TimeInForce[request.get("tif", "GTC")],
        until_time=a.time + request.get("hours", 0) * HOUR,
        reduce_only=request.get("reduce_only", False),
        post_only=request.get("post_only", False) and action == "limit",
        group=request.get("group", 0), parent=parent, **given,
    )  # fmt: skip


def _bracket(a: Account, request: dict[str, Any]) -> int:
    """An entry, a limit order that takes the profit and a stop, both reduce-only."""
    limit = request.get("limit", math.nan)
    common = {"asset": request["asset"], "qty": request["qty"]}
    is_market = math.isnan(limit)
    kind = OrderType.MARKET if is_market else OrderType.LIMIT
    entry = submit(a, Wish(side=request["side"], type=kind, limit=limit, **common))
    common |= dict(side=-request["side"], reduce_only=True, group=("bracket", entry), parent=entry)
    submit(a, Wish(type=OrderType.LIMIT, limit=request["trail"], **common))
    submit(a, Wish(type=OrderType.STOP, stop=request["stop"], **common))
    return entry


def _record(a: Account) -> None:
    value = a.total_value()
    gross = sum((abs(a.size(j)) for j in range(len(a.positions))), 0.0)
    profit = sum((a.open_profit(j) for j in range(len(a.positions))), 0.0)
    a.equity = a.cash + value
    a.logs.ledger.append(
        (a.equity, a.cash, value, gross, a.realised, profit, a.fees, a.turnover, a.carry)
    )
    a.logs.qty.append([held.qty for held in a.positions])
