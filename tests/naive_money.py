"""The money of the naive twin: values of assets, the books, and all postings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from alphalab.config import RunSettings
from alphalab.types import Instrument

ROUNDING = 1e-9
NAN = math.nan
HOUR = 3_600 * 10**9


class Row(NamedTuple):
    """What is known of one row: its close time (ns UTC), numbers per asset, what a script asks."""

    time: int
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[float]
    weights: Sequence[float]
    rate: Sequence[float]  # of the asset's currency
    funding: Sequence[float]
    split: Sequence[float]
    dividend: Sequence[float]
    bid: Sequence[float]
    ask: Sequence[float]
    delisting: Sequence[float]  # what is paid for an asset whose listing ends
    stop_distance: Sequence[float]
    profit_distance: Sequence[float]
    trailing_distance: Sequence[float]
    requests: Sequence[dict[str, Any]]


@dataclass
class Asset:
    """One asset in the account."""

    index: int
    instrument: Instrument
    group: str | None
    rate: float = NAN  # what its currency is worth
    held: float = 0.0
    mark: float = NAN
    entry: float = NAN  # average price
    basis: float = NAN  # average of what profit is counted from
    opened_in: int = -1
    opened_at: int = 0
    acted_on: float = NAN  # last target that became a decision
    handled_in: Any = None  # calendar period in which that was
    is_unmet: bool = False  # its order was refused or ended: it is still to be met
    ordered_in: int | None = None
    told: str = ""  # reason of the last refusal that nothing has been traded since
    out: bool = False  # left by an exit until the target changes
    silent: bool = False  # a decide had no opinion in the last row
    chase: bool = False  # the next entry goes by market order
    most: float = math.inf  # units that the bar could fill when it began
    room: float = math.inf  # units that the bar can still fill
    volume: float = NAN
    over: float = NAN  # the ask above the close, as a fraction of it
    under: float = NAN  # the bid below it
    distances: dict[str, float] = field(default_factory=dict)  # of exits, last known
    orders: dict[int, Any] = field(default_factory=dict)  # by slot

    @property
    def is_spot(self) -> bool:
        return self.instrument.kind == "spot"

    @property
    def used(self) -> float:
        """Units that earlier orders have taken from the bar."""
        return self.most - self.room

    @property
    def scale(self) -> float:
        return self.instrument.multiplier * (1.0 if self.is_spot else self.rate)

    def unit(self, price: float) -> float:
        if self.instrument.kind == "inverse":
            return self.instrument.multiplier / price * self.rate
        return price * self.instrument.multiplier * self.rate

    def basis_of(self, price: float) -> float:
        if self.instrument.kind == "inverse":
            return -1.0 / price
        return price * self.rate if self.is_spot else price

    def profit(self, units: float, price: float) -> float:
        return units * (self.basis_of(price) - self.basis) * self.scale

    def size(self, price: float) -> float:
        return self.held * self.unit(price) if self.held else 0.0

    def value(self, price: float) -> float:
        if self.is_spot or not self.held:
            return self.size(price)
        return self.profit(self.held, price)

    def on_tick(self, price: float, up: bool) -> float:
        tick = self.instrument.tick
        if not tick:
            return price
        k = price / tick
        ticks = math.ceil(k - slack(k)) if up else math.floor(k + slack(k))
        return steps_of(max(ticks, 1), tick)

    def in_lots(self, units: float) -> float:
        lot = self.instrument.lot
        return steps_of(math.floor(units / lot + slack(units / lot)), lot) if lot else units

    def exact_price(self, price: float) -> float:
        """A price on a tick, as a person would write it."""
        tick = self.instrument.tick
        return steps_of(round(price / tick), tick) if tick and not math.isnan(price) else price

    def exact_units(self, units: float) -> float:
        """The nearest whole lots as a person would write them."""
        lot = self.instrument.lot
        return steps_of(round(units / lot), lot) if lot else units

    def sum_of(self, held: float, units: float) -> float:
        """Units that come to others. What is left by rounding alone is nothing."""
        together = held + units
        larger, lot = max(abs(held), abs(units)), self.instrument.lot
        if not lot or not math.isfinite(together):
            return 0.0 if abs(together) <= ROUNDING * larger else together
        lots = together / lot
        if not abs(lots - round(lots)) <= slack(larger / lot):
            return together
        return self.exact_units(together) if round(lots) else 0.0


def steps_of(number: float, step: float) -> float:
    """A number of steps, worked out in decimals."""
    exact = Decimal(repr(step))
    whole = exact * Decimal(10) ** max(-int(exact.normalize().as_tuple().exponent), 0)
    return float(Decimal(number) * exact) if whole < 10**9 else number * step


def slack(steps: float) -> float:
    """How far a number of steps may be from a whole one."""
    return min(max(ROUNDING, 1e-14 * abs(steps)), 0.1)


def is_whole(number: float, step: float) -> bool:
    """Whether a number is a multiple of a step, roundings aside."""
    if not step or math.isnan(number):
        return True
    steps = number / step
    return abs(steps - round(steps)) <= slack(steps)


@dataclass
class Purse:
    """What is not per asset."""

    cash: float
    realised: float = 0.0
    fees: float = 0.0
    turnover: float = 0.0
    carry: float = 0.0
    traded_today: float = 0.0
    n_orders: int = 0


class Diary:
    """Everything that happened, as plain dicts."""

    def __init__(self) -> None:
        self.row, self.time = 0, 0
        self.fills: list[dict[str, Any]] = []
        self.refusals: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.postings: list[dict[str, Any]] = []
        self.ambiguities: list[dict[str, Any]] = []
        self.orders: dict[int, Any] = {}  # every order as it was made, by id

    def refuse(self, asset: int, reason: str, asked: float, approved: float = 0.0) -> None:
        self.refusals.append(
            self.now() | dict(asset=asset, reason=reason, asked=asked, approved=approved)
        )

    def post(self, asset: int, kind: str, qty: float, rate: float, amount: float) -> None:
        self.postings.append(
            self.now() | dict(asset=asset, kind=kind, qty=qty, rate=rate, amount=amount)
        )

    def now(self) -> dict[str, Any]:
        return {"row": self.row, "time": self.time}


class Books:
    """Cash and positions."""

    def __init__(self, instruments: Sequence[Instrument], settings: RunSettings) -> None:
        self.settings = settings
        label = settings.limits.group
        quote = settings.currency or instruments[0].currency
        self.assets = [
            Asset(
                index=i,
                instrument=instrument,
                group=instrument.groups.get(label) if label else None,
                rate=1.0 if instrument.currency == quote else NAN,
            )
            for i, instrument in enumerate(instruments)
        ]
        self.purse = Purse(settings.cash)
        for asset in self.assets:
            holding = settings.holdings.get(asset.instrument.symbol)
            if holding is not None and asset.is_spot:
                self.purse.cash += holding.qty * holding.price * asset.instrument.multiplier
        self.diary = Diary()
        self.equity = self.purse.cash
        self.value = self.gross = self.open_profit = 0.0
        self.day: int | None = None
        self.day_began_with = self.equity
        self.last_time: int | None = None
        self.traded: dict[int, float] = {}  # value by UTC day
        self.force: Callable[..., None]  # trades by themselves, which the venue's table logs
        self.after_force: Callable[[Asset], None]
        self.tier = 0

    # The row begins.

    def begin(self, row: Row) -> None:
        """The clock moves, conversion rates are taken, and what is due is posted."""
        self.diary.time = row.time
        day, days = day_of(row.time), 0
        if day != self.day:
            if self.day is not None:
                days = day - self.day
                self.traded[self.day] = self.purse.traded_today
            self.day, self.purse.traded_today = day, 0.0
            self.day_began_with = self.equity
            self.look_up_tier()
        for asset in self.assets:
            if not math.isnan(row.rate[asset.index]):
                asset.rate = row.rate[asset.index]
        if self.settings.actions != "none":
            self.each(row.split, self.split, {0.0, 1.0})
            self.each(row.dividend, self.pay_dividend, {0.0})
        self.each(row.funding, self.pay_funding, {0.0})
        if days:
            self.finance(days)
        self.last_time = row.time

    def look_up_tier(self) -> None:
        assert self.day is not None
        traded = 0.0
        for days_ago in range(1, 31):
            traded += self.traded.get(self.day - days_ago, 0.0)
        for i, tier in enumerate(self.settings.costs.tiers):
            if tier.value <= traded:
                self.tier = i

    def each(
        self, column: Sequence[float], post: Callable[[Asset, float], None], nothing: set[float]
    ) -> None:
        for asset in self.assets:
            number = column[asset.index]
            if not math.isnan(number) and number not in nothing:
                post(asset, number)

    # What is posted.

    def post(self, asset: Asset | None, kind: str, qty: float, rate: float, amount: float) -> None:
        if amount != 0.0:
            self.purse.cash += amount
            if kind != "REINVESTMENT":  # that is a purchase: what it costs is in the position
                self.purse.carry += amount
            self.diary.post(-1 if asset is None else asset.index, kind, qty, rate, amount)

    def split(self, asset: Asset, ratio: float) -> None:
        came = asset.held * ratio - asset.held
        asset.held *= ratio
        asset.mark /= ratio
        asset.entry /= ratio
        asset.basis /= ratio
        asset.distances = {name: x / ratio for name, x in asset.distances.items()}
        for order in asset.orders.values():
            order.qty *= ratio
            for price in ("limit", "stop", "trail", "best", "away", "starts_at"):
                setattr(order, price, getattr(order, price) / ratio)
        if asset.held:
            self.diary.post(asset.index, "SPLIT", came, ratio, 0.0)
            if self.settings.fractions == "paid":
                self.pay_fraction(asset)

    def pay_fraction(self, asset: Asset) -> None:
        """What is left beside whole lots is sold at the mark. The venue, set later, does it."""
        whole = asset.in_lots(abs(asset.held))
        rest = abs(asset.held) - whole
        if rest > ROUNDING * abs(asset.held):
            units = abs(asset.held) if whole == 0.0 else rest
            self.force(asset, -math.copysign(units, asset.held), asset.mark, 0.0, "CASH_IN_LIEU")
            self.after_force(asset)

    def pay_dividend(self, asset: Asset, dividend: float) -> None:
        if not asset.held:
            return
        amount = asset.held * dividend * asset.instrument.multiplier * asset.rate
        self.post(asset, "DIVIDEND", asset.held, dividend, amount)
        price = asset.mark - dividend
        if self.settings.actions == "reinvest" and asset.held > 0.0 and price > 0.0:
            extra = asset.held * dividend / price
            self.post(asset, "REINVESTMENT", extra, price, -amount)
            self.average_in(asset, extra, price, asset.held + extra)
            asset.held += extra

    def pay_funding(self, asset: Asset, rate: float) -> None:
        if asset.held and self.is_funded(asset.instrument.funding_hours):
            self.post(asset, "FUNDING", asset.held, rate, -(asset.size(asset.mark) * rate))

    def is_funded(self, hours: float) -> bool:
        """Whether a multiple of the hours since midnight lies in [last row, this row)."""
        if not hours or self.last_time is None:
            return False
        midnight = self.last_time // (24 * HOUR) * 24 * HOUR
        step = round(hours * HOUR)
        next_one = midnight + -((midnight - self.last_time) // step) * step
        return min(next_one, midnight + 24 * HOUR) < self.diary.time

    def finance(self, days: int) -> None:
        financing = self.settings.financing
        borrow, loan, interest = (
            bps / 1e4 / financing.day_count
            for bps in (financing.borrow_bps, financing.loan_bps, financing.interest_bps)
        )
        sold_short = [asset for asset in self.assets if asset.is_spot and asset.held < 0.0]
        for asset in sold_short:
            cost = asset.size(asset.mark) * borrow * days
            self.post(asset, "BORROW", asset.held, borrow, cost)
        if self.purse.cash < 0.0:
            self.post(None, "LOAN", self.purse.cash, loan, self.purse.cash * loan * days)
            return
        short = 0.0
        for asset in sold_short:
            short += asset.size(asset.mark)
        free = self.purse.cash + short
        if free > 0.0:
            self.post(None, "INTEREST", free, interest, free * interest * days)

    # Trades.

    def fee_rate(self, asset: Asset, taker: bool) -> float:
        costs = self.settings.costs
        if costs.fee_bps is not None:
            return costs.fee_bps / 1e4
        fees = costs.tiers[self.tier] if costs.tiers else asset.instrument
        return (fees.taker_bps if taker else fees.maker_bps) / 1e4

    def trade(self, asset: Asset, units: float, price: float, fee: float, order: Any) -> None:
        """Book a trade of `units`, negative for a sale."""
        purse = self.purse
        size = units * asset.unit(price)
        before, after = asset.held, asset.sum_of(asset.held, units)
        profit = 0.0
        if before > 0.0 > units:
            profit = asset.profit(min(-units, before), price)
        elif before < 0.0 < units:
            profit = asset.profit(-min(units, -before), price)
        if after == 0.0:
            asset.entry = asset.basis = NAN
            asset.opened_in = -1
        elif before == 0.0 or (before > 0.0) != (after > 0.0):
            asset.entry, asset.basis = price, asset.basis_of(price)
            asset.opened_in, asset.opened_at = self.diary.row, self.diary.time
        elif (before > 0.0) == (units > 0.0):
            self.average_in(asset, units, price, after)
        asset.held = after
        if asset.is_spot:
            purse.cash -= size + fee
        else:
            purse.cash += profit - fee
        purse.realised += profit
        purse.fees += fee
        purse.turnover += abs(size)
        purse.traded_today += abs(size)
        asset.told = ""
        self.diary.fills.append(
            self.diary.now()
            | dict(asset=asset.index, order=order.id, order_row=order.row, qty=units)
            | dict(price=price, fee=fee, realised=profit)
        )

    def average_in(self, asset: Asset, units: float, price: float, together: float) -> None:
        held = asset.held
        asset.entry = (held * asset.entry + units * price) / together
        asset.basis = (held * asset.basis + units * asset.basis_of(price)) / together

    # Marking: an asset without a close keeps its last one.

    def mark(self, close: Sequence[float]) -> None:
        for asset in self.assets:
            if not math.isnan(close[asset.index]):
                asset.mark = close[asset.index]
        self.value = self.gross = self.open_profit = 0.0
        for asset in self.assets:
            if asset.held != 0.0:
                self.value += asset.value(asset.mark)
                self.gross += abs(asset.size(asset.mark))
                self.open_profit += asset.profit(asset.held, asset.mark)
        self.equity = self.purse.cash + self.value


def stamp(time: int) -> datetime:
    """Return the last whole second before an instant in ns, UTC: midnight ends the day before."""
    return datetime.fromtimestamp((time - 1) // 1_000_000_000, UTC)


def day_of(time: int) -> int:
    return (time - 1) // (24 * HOUR)
