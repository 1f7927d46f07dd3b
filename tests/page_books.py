"""What the market of docs/market.md keeps: positions, the account and its logs."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from page_assets import basis, scale, unit
from page_orders import NAN, Order

from alphalab.codes import OrderState, OrderStatus, Reason, Sizing
from alphalab.config import RunSettings
from alphalab.types import Instrument


@dataclass
class Position:
    qty: float = 0.0
    mark: float = NAN
    rate: float = 1.0
    entry_price: float = NAN
    basis: float = NAN
    entry_row: int = -1
    entry_time: int = 0
    distances: dict[str, float] = field(default_factory=dict)  # of exits, last known
    target: float = NAN  # the one last acted upon
    due: bool = False  # it is still to be met
    period: int | None = None  # calendar period in which it was acted upon
    order_row: int | None = None  # row of the last order, for the cooldown of drift
    out: bool = False  # an exit closed it
    silent: bool = False  # its decide had no opinion in the row before
    chase: bool = False  # the next order of its target is a market order
    told: int = 0  # Reason of the refusal last told, 0 after a fill
    room: float = math.inf
    over: float = NAN  # last known ask above the close, fraction of it
    under: float = NAN  # last known bid below the close, fraction of it


@dataclass
class Logs:
    fills: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    postings: list[tuple[Any, ...]] = field(default_factory=list)
    ambiguities: list[tuple[Any, ...]] = field(default_factory=list)
    ledger: list[tuple[float, ...]] = field(default_factory=list)
    qty: list[list[float]] = field(default_factory=list)


class Account:
    """One account: cash, positions, the orders that live, and what was logged."""

    def __init__(
        self, settings: RunSettings, instruments: Sequence[Instrument], max_orders: int
    ) -> None:
        self.settings = settings
        self.instruments = list(instruments)
        self.max_orders = max_orders
        self.cash = self.equity = self.peak = self.day_equity = settings.cash
        self.realised = self.fees = self.turnover = self.carry = 0.0
        self.row, self.time, self.day = -1, 0, -(2**62)
        self.lock = 0
        self.flat_day: int | None = None
        self.n_orders = 0
        self.traded: dict[int, float] = defaultdict(float)  # value by UTC day
        self.tier = 0
        self.volume = [NAN] * len(instruments)
        self.positions = [Position() for _ in instruments]
        self.orders: list[Order] = []
        self.logs = Logs()

    # --- what it is worth ------------------------------------------------------------------------

    def unit(self, j: int, price: float) -> float:
        return unit(self.instruments[j], price, self.positions[j].rate)

    def basis(self, j: int, price: float) -> float:
        return basis(self.instruments[j], price, self.positions[j].rate)

    def scale(self, j: int) -> float:
        return scale(self.instruments[j], self.positions[j].rate)

    def value(self, j: int, price: float) -> float:
        """What a position is worth: the whole of it, or a contract's open profit."""
        held = self.positions[j]
        if not held.qty:
            return 0.0
        if self.instruments[j].kind == "spot":
            return held.qty * self.unit(j, price)
        return held.qty * (self.basis(j, price) - held.basis) * self.scale(j)

    def open_profit(self, j: int) -> float:
        held = self.positions[j]
        if not held.qty:
            return 0.0
        return held.qty * (self.basis(j, held.mark) - held.basis) * self.scale(j)

    def size(self, j: int) -> float:
        held = self.positions[j]
        return held.qty * self.unit(j, held.mark) if held.qty else 0.0

    def rates_of(self, j: int) -> tuple[float, float]:
        """Fees of makers and takers."""
        costs = self.settings.costs
        if costs.fee_bps is not None:
            return costs.fee_bps / 1e4, costs.fee_bps / 1e4
        if costs.tiers:
            tier = costs.tiers[self.tier]
            return tier.maker_bps / 1e4, tier.taker_bps / 1e4
        return self.instruments[j].maker_bps / 1e4, self.instruments[j].taker_bps / 1e4

    def slippage(self, j: int, s: int) -> float:
        """What a taker's price is worse by; NaN before the first quote of its side."""
        costs, held = self.settings.costs, self.positions[j]
        fixed = (costs.spread_bps / 2 + costs.slippage_bps) / 1e4
        if costs.quotes in ("both", "ask" if s > 0 else "bid"):
            return fixed + (held.over if s > 0 else held.under)
        return fixed

    def flat_reason(self) -> int:
        """Why the account has to be flat, 0 if it has not."""
        if self.lock:
            return self.lock
        return int(Reason.DAILY_LOSS) if self.flat_day == self.day else 0

    def measure_of(self, reason: int) -> float:
        """What a lock is judged by, in the unit that its reason names."""
        match reason:
            case Reason.DRAWDOWN_LOCK:
                return 1 - self.equity / self.peak
            case Reason.DAILY_LOSS:
                return 1 - self.equity / self.day_equity
        return self.equity

    def has_place(self, j: int, without: Order | None = None) -> bool:
        """True if an asset is held, or a living order may open it."""
        opening = (o for o in self.living(j) if not o.reduce_only and o is not without)
        return self.positions[j].qty != 0 or any(opening)

    def lacks_distance(self, j: int) -> bool:
        """True if a distance of the asset's exits has had no value yet."""
        exits = self.settings.exits
        return (
            exits is not None and not exits.distances.keys() <= self.positions[j].distances.keys()
        )

    def total_value(self) -> float:
        return sum((self.value(j, p.mark) for j, p in enumerate(self.positions)), 0.0)

    # --- orders ----------------------------------------------------------------------------------

    def living(self, j: int) -> list[Order]:
        """Orders of an asset that live, by id."""
        return [order for order in self.orders if order.lives and order.asset == j]

    def by_id(self, number: int) -> Order | None:
        return next((order for order in self.orders if order.lives and order.id == number), None)

    def new_order(self, **fields: Any) -> Order:
        self.n_orders += 1
        fields.setdefault("live_row", self.row + 1 + self.settings.execution.delay)
        order = Order(id=self.n_orders, row=self.row, **fields)
        self.orders.append(order)
        return order

    def submit(self, **fields: Any) -> Order:
        order = self.new_order(**fields)
        self.event(order, OrderStatus.SUBMITTED)
        return order

    def activate(self, order: Order) -> None:
        order.state = OrderState.ACTIVE
        order.day = self.day
        self.event(order, OrderStatus.ACTIVE)

    def target_order(self, j: int) -> Order | None:
        """The one order of an asset that waits for its target or for max_holding (section 5)."""
        return next((order for order in self.living(j) if order.in_place), None)

    def end(self, order: Order, status: int, reason: int = 0) -> None:
        """End an order; without a fill its children end too, and their own (section 3)."""
        order.state = OrderState.FREE
        self.event(order, status, reason)
        if order.filled == 0.0:
            for child in self.living(order.asset):
                if child.parent == order.id and child.state == OrderState.HELD:
                    self.end(child, OrderStatus.CANCELLED, Reason.PARENT_ENDED)

    # --- logs ------------------------------------------------------------------------------------

    def event(self, order: Order, status: int, reason: int = 0) -> None:
        """Log a stage of an order's life, or keep it until the outcome is known (section 8)."""
        qty = order.qty if order.sizing in (Sizing.QTY, Sizing.SELL_QTY) else NAN
        stage = (self.row, self.time, order.id, qty, order.filled, order.limit, order.stop)
        stage += (order.side, order.asset, int(order.origin), int(status), int(reason))
        stage += (int(order.type),)
        if order.untold is not None:
            order.untold.append(stage)
            if status in (OrderStatus.SUBMITTED, OrderStatus.ACTIVE):
                return
            self.logs.events += order.untold
            order.untold = None
        else:
            self.logs.events.append(stage)

    def refusal(self, j: int, reason: int, asked: float, approved: float) -> None:
        self.logs.refusals.append((self.row, self.time, j, int(reason), asked, approved))

    def refuse(self, order: Order, reason: int, asked: float) -> None:
        """End an order by a refusal; of a target, the same one in succession is told once."""
        j = order.asset
        if order.in_place:
            held = self.positions[j]
            held.due = True
            if order.untold is not None and held.told == reason:
                order.state = OrderState.FREE
                return
            held.told = int(reason)
        self.end(order, OrderStatus.REFUSED, reason)
        self.refusal(j, reason, asked, 0.0)

    # --- two ways inside a bar -------------------------------------------------------------------

    def saved(self, j: int) -> dict[str, Any]:
        """Everything that a walk inside the bar of one asset may change."""
        state = {name: getattr(self, name) for name in _NUMBERS}
        state["position"] = copy.copy(self.positions[j])
        state["orders"] = [copy.copy(order) for order in self.orders]
        for order in state["orders"]:
            order.untold = None if order.untold is None else list(order.untold)
        state["traded"] = self.traded.copy()
        state["logged"] = [len(x) for x in self._growing()]
        return state

    def restore(self, j: int, state: dict[str, Any]) -> None:
        for name in _NUMBERS:
            setattr(self, name, state[name])
        self.positions[j] = copy.copy(state["position"])
        self.orders = [copy.copy(order) for order in state["orders"]]
        for order in self.orders:
            order.untold = None if order.untold is None else list(order.untold)
        self.traded = state["traded"].copy()
        for log, n in zip(self._growing(), state["logged"], strict=True):
            del log[n:]

    def _growing(self) -> tuple[list[tuple[Any, ...]], ...]:
        return self.logs.fills, self.logs.events, self.logs.refusals


_NUMBERS = ("cash", "realised", "fees", "turnover", "n_orders")
