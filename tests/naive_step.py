"""The whole step once more, slow and plain: the rules read out loud.

Written from the rules, not from the kernels: objects and lists, one small method per sentence. Only
the order of the floating-point operations is shared, so that both can be compared bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from alphalab.config import RunSettings
from alphalab.types import Instrument

ROUNDING = 1e-9
NAN = math.nan


class Row(NamedTuple):
    """What is known of one row: its close time (ns UTC), and prices and weights per asset."""

    time: int
    open: Sequence[float]
    close: Sequence[float]
    weights: Sequence[float]


@dataclass
class Order:
    """A market order that waits for a price."""

    row: int
    kind: str  # "spend" a budget, "sell" units, "close" the position
    budget: float = NAN
    units: float = NAN


@dataclass
class Asset:
    """One asset in the account."""

    index: int
    instrument: Instrument
    fee: float
    group: str | None
    held: float = 0.0
    mark: float = NAN
    entry: float = NAN
    acted_on: float = NAN  # last target that became a decision
    handled_in: Any = None  # calendar period in which that was
    ordered_in: int | None = None
    told: str = ""  # reason of the last refusal that nothing has been traded since
    order: Order | None = None

    @property
    def unit(self) -> float:
        """What one unit is worth at the mark."""
        return self.mark * self.instrument.multiplier

    @property
    def worth(self) -> float:
        if self.held == 0.0:
            return 0.0
        return self.held * self.mark * self.instrument.multiplier

    @property
    def buys(self) -> bool:
        assert self.order is not None
        return self.order.kind == "spend" or (self.order.kind == "close" and self.held < 0.0)

    def in_lots(self, units: float) -> float:
        lot = self.instrument.lot
        return math.floor(units / lot + ROUNDING) * lot if lot else units


@dataclass
class NaiveAccount:
    """An account that is pushed row by row, and keeps a diary of plain tuples and dicts."""

    instruments: Sequence[Instrument]
    settings: RunSettings
    ledger: list[dict[str, float]] = field(default_factory=list)
    qty: list[list[float]] = field(default_factory=list)
    targets: list[list[float]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits = self.settings.limits
        fee_bps = self.settings.costs.fee_bps
        self.assets = [
            Asset(
                index=i,
                instrument=instrument,
                fee=(instrument.taker_bps if fee_bps is None else fee_bps) / 1e4,
                group=instrument.groups.get(self.limits.group) if self.limits.group else None,
            )
            for i, instrument in enumerate(self.instruments)
        ]
        self.cash = self.equity = self.peak = self.day_began_with = self.settings.cash
        self.realised = self.fees = self.turnover = 0.0
        self.row = 0
        self.now: Row | None = None
        self.day: Any = None
        self.locked = False
        self.flat_today = False

    def push(self, rows: Iterable[Row]) -> NaiveAccount:
        for row in rows:
            self.now = row
            self.begin(row)
            self.fill(row.open if self.settings.fill == "next_open" else row.close)
            self.mark(row.close)
            targets = list(row.weights)
            forced = self.has_to_be_flat()
            targets = [0.0] * len(targets) if forced else self.within_limits(targets)
            self.decide_orders(targets, forced, self.period(row.time))
            if self.settings.fill == "same_close":
                self.fill(row.close)
                self.mark(row.close)
            self.write_down(targets)
            self.row += 1
        return self

    # The row begins: a new UTC day remembers the equity of the last row before it.

    def begin(self, row: Row) -> None:
        day = stamp(row.time).date()
        if day != self.day:
            self.day = day
            self.day_began_with = self.equity
            self.flat_today = False

    def period(self, time: int) -> Any:
        now = stamp(time)
        return {
            None: "always",
            "day": now.date(),
            "week": now.isocalendar()[:2],
            "month": (now.year, now.month),
            "quarter": (now.year, (now.month - 1) // 3),
            "year": now.year,
        }[self.settings.rebalance.period]

    # Orders meet a price: sales first, then purchases, each in the order of the symbols.

    def fill(self, prices: Sequence[float]) -> None:
        ready = [a for a in self.assets if a.order and not math.isnan(prices[a.index])]
        sales = [a for a in ready if not a.buys]
        purchases = [a for a in ready if a.buys]
        for asset in sales + purchases:
            self.execute(asset, prices[asset.index])
            asset.order = None

    def execute(self, asset: Asset, price: float) -> None:
        order, unit, fee = asset.order, price * asset.instrument.multiplier, asset.fee
        assert order is not None
        starved = False
        if order.kind == "close":
            wanted = units = -asset.held
        elif order.kind == "sell":
            wanted = -order.units
            units = -asset.in_lots(order.units)
        else:
            wanted = order.budget / (unit * (1.0 + fee))
            most = self.most_units(asset, wanted, unit)
            starved = wanted > min(wanted, most) * (1.0 + ROUNDING)
            units = asset.in_lots(min(wanted, most))
            if units > most:
                units = min(units - asset.instrument.lot, most)
        value = abs(units) * unit
        if units == 0.0 and starved:
            self.drop(asset, "CASH", order.budget)
        elif units == 0.0:
            self.drop(asset, "LOT", abs(wanted))
        elif value < asset.instrument.min_value:
            self.drop(asset, "MIN_VALUE", value)
        else:
            if starved:
                self.refuse(asset, "CASH", order.budget, value * (1.0 + fee))
            self.book(asset, units, price, order.row)

    def drop(self, asset: Asset, reason: str, asked: float) -> None:
        """Give an order up. The target is still to be met; the same reason is told once."""
        if asset.told != reason:
            self.refuse(asset, reason, asked, 0.0)
        asset.told = reason
        asset.acted_on = NAN
        asset.handled_in = None

    def most_units(self, asset: Asset, wanted: float, unit: float) -> float:
        """What the cash pays for, fee included; the covering of a short is owed in any case."""
        owed = min(-asset.held if asset.held < 0.0 else 0.0, wanted)
        units = self.cash / (unit * (1.0 + asset.fee))
        if units <= owed:
            return owed
        for _ in range(64):
            if units <= owed or units * unit + units * unit * asset.fee <= self.cash:
                return units
            units = math.nextafter(units, owed)
        return owed

    def book(self, asset: Asset, units: float, price: float, decided: int) -> None:
        multiplier = asset.instrument.multiplier
        value = units * (price * multiplier)
        fee = abs(value) * asset.fee
        before, after = asset.held, asset.held + units
        profit = 0.0
        if before > 0.0 > units:
            profit = min(-units, before) * (price - asset.entry) * 1.0 * multiplier
        elif before < 0.0 < units:
            profit = min(units, -before) * (price - asset.entry) * -1.0 * multiplier
        if after == 0.0:
            asset.entry = NAN
        elif before == 0.0 or (before > 0.0) != (after > 0.0):
            asset.entry = price
        elif (before > 0.0) == (units > 0.0):
            asset.entry = (before * asset.entry + units * price) / after
        asset.held = after
        self.cash -= value + fee
        self.realised += profit
        self.fees += fee
        self.turnover += abs(value)
        asset.told = ""
        assert self.now is not None
        self.fills.append(
            {
                "row": self.row,
                "time": self.now.time,
                "asset": asset.index,
                "order_row": decided,
                "qty": units,
                "price": price,
                "fee": fee,
                "realised": profit,
            }
        )

    # Marking: an asset without a close keeps its last one.

    def mark(self, close: Sequence[float]) -> None:
        for asset in self.assets:
            if not math.isnan(close[asset.index]):
                asset.mark = close[asset.index]
        self.value = self.gross = self.open_profit = 0.0
        for asset in self.assets:
            if asset.held != 0.0:
                self.value += asset.worth
                self.gross += abs(asset.worth)
                gain = asset.mark - asset.entry
                self.open_profit += asset.held * gain * asset.instrument.multiplier
        self.equity = self.cash + self.value

    # The gate.

    def has_to_be_flat(self) -> bool:
        self.peak = max(self.peak, self.equity)
        limits = self.limits
        if not self.locked:
            fall = 1.0 - self.equity / self.peak
            if self.equity <= 0.0:
                self.locked = True
                self.refuse(None, "BANKRUPT", self.equity, 0.0)
            elif limits.drawdown and fall >= limits.drawdown * (1.0 - ROUNDING):
                self.locked = True
                self.refuse(None, "DRAWDOWN_LOCK", fall, limits.drawdown)
        if not self.locked and not self.flat_today and limits.daily_loss:
            loss = 1.0 - self.equity / self.day_began_with
            if loss >= limits.daily_loss * (1.0 - ROUNDING):
                self.flat_today = True
                self.refuse(None, "DAILY_LOSS", loss, limits.daily_loss)
        return self.locked or self.flat_today

    def within_limits(self, targets: list[float]) -> list[float]:
        limits = self.limits
        for asset in self.assets:
            weight = targets[asset.index]
            if math.isinf(weight):
                targets[asset.index] = NAN
                self.refuse(asset, "NOT_FINITE", weight, NAN)
            elif limits.weight is not None and abs(weight) > limits.weight * (1.0 + ROUNDING):
                targets[asset.index] = math.copysign(limits.weight, weight)
                self.refuse(asset, "WEIGHT_LIMIT", weight, targets[asset.index])
        if limits.group_gross is not None:
            for name in sorted({asset.group for asset in self.assets if asset.group is not None}):
                members = [asset for asset in self.assets if asset.group == name]
                self.shrink(members, targets, limits.group_gross, "GROUP_LIMIT")
        self.shrink(self.assets, targets, limits.gross, "GROSS_LIMIT")
        if limits.net is not None:
            self.balance(targets, limits.net)
        return targets

    def sums(self, members: Sequence[Asset], targets: list[float]) -> dict[str, float]:
        """Long and short weight, of the targets and of what is held without an opinion."""
        total = {"long": 0.0, "short": 0.0, "held long": 0.0, "held short": 0.0}
        for asset in members:
            weight = targets[asset.index]
            silent = math.isnan(weight)
            if silent:
                weight = asset.acted_on if asset.order else asset.worth / self.equity
            side = ("held " if silent else "") + ("long" if weight > 0.0 else "short")
            total[side] += abs(weight)
        return total

    def shrink(
        self, members: Sequence[Asset], targets: list[float], limit: float, reason: str
    ) -> None:
        total = self.sums(members, targets)
        asked = total["long"] + total["short"]
        fixed = total["held long"] + total["held short"]
        if asked == 0.0 or asked + fixed <= limit * (1.0 + ROUNDING):
            return
        factor = min(max((limit - fixed) / asked, 0.0), 1.0)
        for asset in members:
            targets[asset.index] *= factor  # NaN stays NaN
        self.refuse(None, reason, asked + fixed, fixed + factor * asked)

    def balance(self, targets: list[float], limit: float) -> None:
        total = self.sums(self.assets, targets)
        net = total["long"] + total["held long"] - total["short"] - total["held short"]
        sign = 1.0 if net > 0.0 else -1.0
        larger = total["long" if net > 0.0 else "short"]
        if larger == 0.0 or abs(net) <= limit + ROUNDING:
            return
        rest = abs(net) - larger
        factor = min(max((limit - rest) / larger, 0.0), 1.0)
        for i, weight in enumerate(targets):
            if weight * sign > 0.0:
                targets[i] *= factor
        self.refuse(None, "NET_LIMIT", net, sign * (rest + factor * larger))

    # Rebalancing: targets become orders that wait for the next price.

    def decide_orders(self, targets: list[float], forced: bool, period: Any) -> None:
        for asset in self.assets:
            target = targets[asset.index]
            if math.isnan(target) or math.isnan(asset.mark):
                continue
            changed = target != asset.acted_on
            if (forced and changed) or self.is_due(asset, target, changed, period):
                asset.acted_on = target
                asset.handled_in = None if forced else period
                asset.order = self.order_to(asset, target)
                if asset.order:
                    asset.ordered_in = self.row

    def is_due(self, asset: Asset, target: float, changed: bool, period: Any) -> bool:
        rule = self.settings.rebalance
        match rule.when:
            case "on_change":
                return changed
            case "every_row":
                return True
            case "calendar":
                return period != asset.handled_in
        if target == 0.0:
            return asset.held != 0.0
        tired = asset.ordered_in is not None and self.row - asset.ordered_in <= rule.cooldown
        far = abs(target - asset.worth / self.equity) > rule.threshold
        return not tired and (far or asset.held == 0.0)

    def order_to(self, asset: Asset, target: float) -> Order | None:
        if target == 0.0:
            return Order(self.row, "close") if asset.held else None
        held = asset.held * asset.unit
        value = target * self.equity - held
        if abs(value) <= ROUNDING * self.equity:
            return None
        same_side = (target > 0.0) == (held > 0.0) and held != 0.0
        reduces = same_side and abs(target * self.equity) < abs(held)
        share = abs(value) / self.equity
        largest = self.limits.order
        if largest is not None and not reduces and share > largest * (1.0 + ROUNDING):
            self.drop(asset, "LARGEST_ORDER", share)
            return None
        if value > 0.0:
            return Order(self.row, "spend", budget=value)
        return Order(self.row, "sell", units=-value / asset.unit)

    # The diary.

    def refuse(self, asset: Asset | None, reason: str, asked: float, approved: float) -> None:
        assert self.now is not None
        self.refusals.append(
            {
                "row": self.row,
                "time": self.now.time,
                "asset": -1 if asset is None else asset.index,
                "reason": reason,
                "asked": asked,
                "approved": approved,
            }
        )

    def write_down(self, targets: list[float]) -> None:
        self.ledger.append(
            {
                "equity": self.equity,
                "cash": self.cash,
                "value": self.value,
                "gross": self.gross,
                "realised": self.realised,
                "unrealised": self.open_profit,
                "fees": self.fees,
                "turnover": self.turnover,
            }
        )
        self.qty.append([asset.held for asset in self.assets])
        self.targets.append(targets)


def stamp(time: int) -> datetime:
    """Return the last whole second before an instant in ns, UTC: midnight ends the day before."""
    return datetime.fromtimestamp((time - 1) // 1_000_000_000, UTC)
