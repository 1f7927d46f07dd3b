"""Random markets for the step, with all features of real markets, and more extreme ones."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from scripted import Scripted, encoded
from scripts import random_requests

from alphalab.config import (
    Costs,
    Entry,
    Execution,
    Exits,
    FeeTier,
    Financing,
    Holding,
    Limits,
    Margin,
    Rebalance,
    RunSettings,
)
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr
from alphalab.types import FloatArray, Instrument, IntArray

#: Fields of `Exits` that hold an expression, and the fraction that each replaces.
DISTANCES = {
    "stop_distance": "stop_loss",
    "profit_distance": "take_profit",
    "trailing_distance": "trailing",
}
HOUR = 3_600 * 10**9
DAY = 24 * HOUR
MONDAY = int(np.datetime64("2024-01-01T21:00", "ns").astype(np.int64))
CONVERSION = "eurusd"


class Given(Strategy):
    """Weights that the test has written down, in the column `w`."""

    def weights(self) -> Expr:
        return column("w")


class Market(NamedTuple):
    """What is pushed, and how it is traded.

    `more` are all columns besides open, close and weights. `requests` are, row by row, the orders
    that a script sends, see `scripted`; without any it is a strategy of weights alone.
    """

    time: IntArray
    open: FloatArray
    close: FloatArray
    weights: FloatArray
    instruments: list[Instrument]
    settings: RunSettings
    more: Mapping[str, FloatArray] = {}
    requests: Sequence[Sequence[dict[str, Any]]] = ()

    @property
    def columns(self) -> dict[str, FloatArray]:
        script = encoded(self.requests, len(self.instruments)) if self.requests else {}
        return {"open": self.open, "close": self.close, "w": self.weights, **self.more, **script}

    @property
    def strategy(self) -> Strategy:
        return Scripted() if self.requests else Given()

    def engine(self, capacity: int | None = None) -> Engine:
        return Engine(self.strategy, self.instruments, self.settings, capacity=capacity)

    def run(self, capacity: int | None = None) -> Block:
        return self.engine(capacity).push(self.time, self.columns)


class Dice:
    """Draws that are made often. The generator may be Hypothesis's, which shrinks what it drew."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def happens(self, chance: float) -> bool:
        return self.rng.random() < chance

    def some(self, chance: float, *values: Any, default: Any = None) -> Any:
        """One of the values with this chance, otherwise the default."""
        return self.rng.choice(values) if self.rng.random() < chance else default

    def gauss(self) -> float:
        """Draw a normal number, within 5 also where Hypothesis draws any float."""
        return min(max(self.rng.gauss(0.0, 1.0), -5.0), 5.0)


def random_market(rng: random.Random, max_rows: int = 60, max_assets: int = 6) -> Market:
    """Draw a market, an account and what a strategy wants of it.

    One in four is plain: targets alone, in a cash account, without anything inside a bar.
    """
    plain = rng.random() < 0.25
    n_rows, n_assets = rng.randint(1, max_rows), rng.randint(1, max_assets)
    dice = Dice(rng)
    walks = [_walk(dice, n_rows) for _ in range(n_assets)]
    instruments = [_instrument(dice, i, plain, walk) for i, walk in enumerate(walks)]
    time = _times(rng, n_rows)
    opens, closes = (np.array([walk[k] for walk in walks]).T.copy() for k in (0, 1))
    weights = _weights(rng, n_rows, n_assets)
    labels = {g for i in instruments for g in i.groups}
    fill = rng.choice(["next_open", "next_open", "next_close", "same_close"])
    settings = RunSettings(
        cash=rng.choice([100.0, 1e3, 12_345.67, 1e5, 1e9]),
        fill=fill,
        limits=_limits(dice, labels),
        rebalance=_rebalance(rng),
        **(_plain_costs(rng) if plain else _terms(dice, fill)),
    )
    market = Market(time, opens, closes, weights, instruments, settings)
    market = market if plain else _with_everything(dice, market)
    return _with_places(dice, _with_distances(dice, market))


def _with_places(dice: Dice, market: Market) -> Market:
    """Let an account hold only some of its assets."""
    most = dice.some(0.1, 1, 2, 3)
    limits = structs.replace(market.settings.limits, max_positions=most)
    return market._replace(settings=structs.replace(market.settings, limits=limits))


def _with_distances(dice: Dice, market: Market) -> Market:
    """Give exits a ladder, a start of the trailing stop, and distances of their own columns."""
    exits = market.settings.exits
    if exits is None:
        return market
    changes: dict[str, Any] = {}
    if exits.trailing is not None:
        changes["trailing_after"] = dice.some(0.4, 0.001, 0.02)
    if exits.take_profit is not None and dice.happens(0.4):
        ages = dice.rng.choice([(1, 3), (2,), (4, 5, 9), ("1h", "3d"), ("90m",)])
        profits = [dice.rng.choice([0.02, 0.005, 0.0, -0.01]) for _ in ages]
        changes["take_profit"] = {0: exits.take_profit, **dict(zip(ages, profits, strict=True))}
    more = {**market.more}
    for name, fraction in DISTANCES.items():
        given = changes.get(fraction, getattr(exits, fraction))
        if isinstance(given, float) and not market.settings.holdings and dice.happens(0.4):
            changes |= {name: f"column({name!r})", fraction: None}
            spread = [[dice.some(0.1, math.nan, -1.0, default=1.0) for _ in x] for x in more["bid"]]
            late = dice.rng.choice([0, 0, 5])
            more[name] = given * market.close * np.array(spread)
            more[name][:late] = math.nan
    exits = structs.replace(exits, **changes)
    return market._replace(settings=structs.replace(market.settings, exits=exits), more=more)


def _with_everything(dice: Dice, market: Market) -> Market:
    shape = market.open.shape
    known = ~np.isnan(market.close)
    more = _insides(dice, market.open, market.close)
    more["volume"] = _volumes(dice, market)
    more["split"], more["dividend"] = np.full(shape, np.nan), np.full(shape, np.nan)
    more["funding"] = np.full(shape, np.nan)
    more[CONVERSION] = np.tile(_rates(dice, shape[0])[:, None], shape[1])
    for j, instrument in enumerate(market.instruments):
        if instrument.kind == "spot":
            _draw_actions(dice, market.close[:, j], more["split"][:, j], more["dividend"][:, j])
        elif instrument.funding_hours:
            rates = [dice.some(0.7, 1e-4, -3e-4, 0.01, default=0.0) for _ in range(shape[0])]
            due = _is_due(market.time, round(instrument.funding_hours * HOUR))
            more["funding"][:, j] = np.where(due, rates, dice.rng.choice([0.0, math.nan]))
    for name in ("volume", "funding", CONVERSION):
        unknown = known.cumsum(axis=0) == 0 if name == "funding" else ~known
        holes = unknown & np.array([[dice.happens(0.5)] * shape[1] for _ in range(shape[0])])
        more[name][holes] = np.nan
    more |= _quotes(dice, market.close)
    more["delisting"] = _delistings(dice, market.close)
    market = _with_a_past(dice, market._replace(more=more))
    if dice.happens(0.5):
        return market
    weights = market.weights
    if dice.happens(0.6):
        weights = np.where(np.array([dice.happens(0.5) for _ in weights.T]), weights, np.nan)
    settings = market.settings
    if dice.happens(0.6):
        limits = Limits(gross=dice.rng.choice([None, 4.0]), order=dice.some(0.2, 0.5))
        settings = structs.replace(settings, limits=limits)
    market = market._replace(weights=weights, settings=settings)
    return market._replace(requests=random_requests(dice.rng, market))


def _with_a_past(dice: Dice, market: Market) -> Market:
    """Let the account hold something before the first row."""
    holdings = {}
    for j, instrument in enumerate(market.instruments):
        known = market.close[:, j][~np.isnan(market.close[:, j])]
        if known.size and instrument.currency == "USD" and dice.happens(0.1):
            price = float(known[0]) * dice.rng.choice([1.0, 0.9])
            units = dice.rng.choice([0.3, -0.1]) * market.settings.cash
            qty = units / unit_value(instrument, price)
            holdings[instrument.symbol] = Holding(qty=min(max(qty, -1e14), 1e14), price=price)
            funding = market.more["funding"][:, j]  # what is held is funded from the first row on
            funding[np.isnan(funding)] = 0.0
    return market._replace(settings=structs.replace(market.settings, holdings=holdings))


def _delistings(dice: Dice, close: FloatArray) -> FloatArray:
    """Let the listings of a few assets end, at the last close or another price, perhaps 0."""
    column = np.full(close.shape, math.nan)
    for j in range(close.shape[1]):
        known = np.flatnonzero(~np.isnan(close[:, j]))
        if known.size and dice.happens(0.08):
            row = dice.rng.randrange(int(known[0]), len(close))
            last = float(close[known[known <= row][-1], j])
            column[row, j] = last * dice.some(0.5, 0.5, 0.01, default=1.0)
            if dice.happens(0.7):
                close[row + 1 :, j] = math.nan
    return column


# --- prices and what comes with them -------------------------------------------------------------


def _walk(dice: Dice, n_rows: int) -> tuple[list[float], list[float], float]:
    """One asset's opens and closes: a walk with gaps and crashes, unlisted and missing rows."""
    rng = dice.rng
    wild = rng.random() < 0.1
    price = 10.0 ** rng.uniform(-9.0, 9.0) if wild else rng.choice([1.0, 10.0, 50.0, 437.21])
    start = price
    volatility = rng.choice([0.0, 0.002, 0.03, 0.03, 0.25])
    jumpy = rng.choice([0.0, 0.0, 0.05])
    cents = not wild and rng.random() < 0.5
    missing = rng.choice([0.0, 0.0, 0.05, 0.4])
    listed = rng.randint(0, n_rows) if rng.random() < 0.25 else 0
    delisted = rng.randint(0, n_rows) if rng.random() < 0.15 else n_rows

    def moved(price: float) -> float:
        price *= math.exp(volatility * dice.gauss())
        if rng.random() < jumpy:
            price *= rng.choice([0.05, 0.5, 2.0, 8.0])
        return max(round(price, 2), 0.01) if cents else price

    opens, closes = [], []
    for row in range(n_rows):
        open_ = moved(price) if rng.random() < 0.5 else price
        price = moved(open_)
        gone = not listed <= row < delisted or rng.random() < missing
        opens.append(math.nan if gone or rng.random() < missing / 4 else open_)
        closes.append(math.nan if gone or rng.random() < missing / 4 else price)
    return opens, closes, start


def _insides(dice: Dice, open_: FloatArray, close: FloatArray) -> dict[str, FloatArray]:
    """Highs and lows around opens and closes, some of them missing."""
    reach = dice.rng.choice([0.0, 0.003, 0.02, 0.2])
    missing = dice.rng.choice([0.0, 0.0, 0.1])
    high, low = np.fmax(open_, close), np.fmin(open_, close)
    for row in range(len(high)):
        for j in range(high.shape[1]):
            high[row, j] *= math.exp(reach * abs(dice.gauss()))
            low[row, j] *= math.exp(-reach * abs(dice.gauss()))
            if dice.happens(missing):
                high[row, j] = math.nan
    return {"high": high, "low": low}


def _volumes(dice: Dice, market: Market) -> FloatArray:
    """Volumes from a fraction of the account to far above it, some of them none."""
    volume = np.empty_like(market.close)
    for j, instrument in enumerate(market.instruments):
        typical = market.close[:, j][~np.isnan(market.close[:, j])]
        price = float(typical[0]) if typical.size else 1.0
        share = dice.rng.choice([0.1, 1.0, 10.0, 1000.0])
        units = share * market.settings.cash / unit_value(instrument, price)
        for row in range(len(volume)):
            drawn = units * math.exp(dice.gauss()) * dice.some(0.05, 0.0, default=1.0)
            volume[row, j] = drawn if units < 1.0 or dice.happens(0.2) else round(drawn)
    return volume


def _quotes(dice: Dice, close: FloatArray) -> dict[str, FloatArray]:
    """Asks above and bids below the closes, some of them missing."""
    missing = dice.rng.choice([0.0, 0.2])
    quotes = {}
    for name, side in (("ask", 1.0), ("bid", -1.0)):
        half = [[0.003 * abs(dice.gauss()) for _ in row] for row in close]
        quotes[name] = close * np.exp(side * np.array(half))
        for row in quotes[name]:
            if dice.happens(missing):
                row[:] = math.nan
    return quotes


def unit_value(instrument: Instrument, price: float) -> float:
    if instrument.kind == "inverse":
        return instrument.multiplier / price
    return instrument.multiplier * price


def _rates(dice: Dice, n_rows: int) -> FloatArray:
    steps = [dice.some(0.7, 0.0, 0.01, default=0.0) * dice.gauss() for _ in range(n_rows)]
    return 1.1 * np.exp(np.cumsum(steps))


def _draw_actions(dice: Dice, close: FloatArray, split: FloatArray, dividend: FloatArray) -> None:
    often = dice.rng.choice([0.0, 0.05, 0.2])
    known = close[~np.isnan(close)]
    price = float(known[0]) if known.size else 1.0
    for row in range(close.size):
        if dice.happens(often):
            split[row] = dice.rng.choice([2.0, 0.5, 1.5, 3.0, 0.1, 1.0])
        if dice.happens(often):
            dividend[row] = price * dice.rng.choice([0.0, 0.01, 0.01, 0.1, 3.0])


def _is_due(time: IntArray, span: int) -> NDArray[np.bool_]:
    """Tell in which rows funding is due: since the row before, that one included."""
    before = np.concatenate([time[:1], time[:-1]])
    return (time - 1) // span > (before - 1) // span


def _times(rng: random.Random, n_rows: int) -> IntArray:
    step = rng.choice([DAY, DAY, HOUR, 6 * HOUR, HOUR // 60 + 1, 9 * DAY])
    gappy = rng.choice([0.0, 0.2])
    time, times = MONDAY + rng.randint(-(10**5), 10**4) * HOUR, []
    for _ in range(n_rows):
        time += step * (rng.randint(2, 40) if rng.random() < gappy else 1)
        times.append(time)
    return np.array(times)


# --- what is traded, and on which terms ----------------------------------------------------------


def _instrument(dice: Dice, index: int, plain: bool, walk: Any) -> Instrument:
    rng = dice.rng
    group = rng.choice([None, "a", "b", "c"])
    fields: dict[str, Any] = {}
    if not plain:
        kind = rng.choice(["spot", "spot", "linear", "inverse"])
        fields = {
            "kind": kind,
            "tick": rng.choice([0.0, 0.0, 0.01, 0.25, walk[2] / 1000.0, walk[2] / 20.0]),
            "maker_bps": rng.choice([0.0, 2.0, -1.0]),
            "currency": rng.choice(["USD", "USD", "EUR"]),
            "funding_hours": 0.0 if kind == "spot" else rng.choice([0.0, 8.0, 1.0, 24.0, 0.5]),
        }
    return Instrument(
        symbol=f"S{index}",
        lot=rng.choice([0.0, 0.0, 0.0, 1.0, 0.1, 100.0, 1e-8]),
        min_value=rng.choice([0.0, 0.0, 0.0, 10.0, 1000.0]),
        taker_bps=rng.choice([0.0, 5.0, 30.0]),
        multiplier=rng.choice([1.0, 1.0, 1.0, 50.0, 0.1, 0.003]),
        groups={"sector": group} if group else {},
        **fields,
    )


def _plain_costs(rng: random.Random) -> dict[str, Any]:
    return {"costs": Costs(fee_bps=rng.choice([None, 0.0, 10.0, 250.0, 5000.0]))}


def _terms(dice: Dice, fill: str) -> dict[str, Any]:
    participation = dice.some(0.4, 0.05, 0.25, 1.0)
    return {
        "costs": _costs(dice, participation is not None),
        "execution": Execution(
            path=dice.rng.choice(["pessimistic", "optimistic", "ohlc"]),
            participation=participation,
            delay=dice.some(0.25, 1, 2, default=0) if fill == "next_open" else 0,
            limits=dice.some(0.3, "traded_through", default="touched"),
        ),
        "margin": _margin(dice),
        "financing": Financing(
            borrow_bps=dice.some(0.5, 50.0, 2000.0, default=0.0),
            loan_bps=dice.some(0.5, 300.0, 9000.0, default=0.0),
            interest_bps=dice.some(0.5, 150.0, default=0.0),
            day_count=dice.rng.choice([360, 365]),
        ),
        "exits": _exits(dice),
        "entry": _entry(dice),
        "actions": dice.rng.choice(["none", "cash", "reinvest"]),
        "fractions": dice.rng.choice(["kept", "paid"]),
        "sizing": dice.some(0.6, "at_fill", "at_decision", default="by_value"),
        "currency": "USD",
        "conversions": {"EUR": CONVERSION},
    }


def _costs(dice: Dice, has_room: bool) -> Costs:
    tiers: tuple[FeeTier, ...] = ()
    fee_bps = dice.some(0.5, 0.0, 10.0, 250.0)
    if fee_bps is None and dice.happens(0.5):
        tiers = tuple(
            FeeTier(value=value, maker_bps=maker, taker_bps=taker)
            for value, maker, taker in ((0.0, 8.0, 12.0), (2e3, 4.0, 10.0), (2e5, -1.0, 5.0))
        )
    in_coin = dice.happens(0.15)
    in_money: dict[str, Any] = {
        "fee_per_unit": dice.some(0.2, 0.005, 0.1, default=0.0),
        "fee_per_order": dice.some(0.2, 0.5, 3.0, default=0.0),
        "min_fee": dice.some(0.2, 1.0, 20.0, default=0.0),
        "max_fee": dice.some(0.15, 20.0, 300.0),
        "fee_step": dice.some(0.15, 0.01, 1.0, default=0.0),
    }
    quotes = dice.some(0.2, "both", "ask", "bid", default="none")
    return Costs(
        fee_bps=fee_bps,
        tiers=tiers,
        **({"fee_in": "coin"} if in_coin else in_money),
        quotes=quotes,
        spread_bps=dice.some(0.4, 2.0, 30.0, default=0.0) if quotes == "none" else 0.0,
        slippage_bps=dice.some(0.4, 1.0, 50.0, default=0.0),
        share_impact_bps=dice.some(0.3, 1000.0, default=0.0) if has_room else 0.0,
        root_impact_bps=dice.some(0.3, 100.0, 2000.0, default=0.0) if has_room else 0.0,
    )


def _margin(dice: Dice) -> Margin | None:
    initial = dice.some(0.5, 1.0, 0.5, 0.2, 0.05)
    if initial is None:
        return None
    return Margin(
        initial=initial,
        maintenance=initial * dice.rng.choice([0.5, 0.8, 0.99]),
        liquidation_fee_bps=dice.some(0.5, 50.0, default=0.0),
    )


def _exits(dice: Dice) -> Exits | None:
    exits = {
        "stop_loss": dice.some(0.5, 0.001, 0.02, 0.1),
        "take_profit": dice.some(0.5, 0.001, 0.03, 0.2),
        "trailing": dice.some(0.4, 0.002, 0.03, 0.1),
        "max_holding": dice.some(0.3, 1, 3, 10),
    }
    given = any(value is not None for value in exits.values())
    return Exits(**exits) if given and dice.happens(0.5) else None


def _entry(dice: Dice) -> Entry | None:
    if not dice.happens(0.35):
        return None
    return Entry(
        limit_offset_bps=dice.rng.choice([0.0, 5.0, 100.0, -50.0, 500.0]),
        ttl=dice.some(0.7, 1, 2, 5),
        then=dice.rng.choice(["requote", "market", "give_up"]),
        post_only=dice.happens(0.4),
    )


def _weights(rng: random.Random, n_rows: int, n_assets: int) -> FloatArray:
    """Weights that change seldom or always, some of them nonsense."""
    restless = rng.choice([0.0, 0.1, 0.3, 1.0])
    nonsense = rng.choice([0.0, 0.0, 0.05])
    plain = [0.0, 0.0, 0.3, 0.5, 1.0, -0.3, -0.5, -1.0, 1 / n_assets, -1 / n_assets, math.nan]
    odd = [math.inf, -math.inf, -0.0, 3.0, -3.0, 1e-12, -1e-12, 1e9]
    long_only = rng.random() < 0.4

    def drawn() -> float:
        if rng.random() < nonsense:
            return rng.choice(odd)
        weight = rng.choice(plain) if rng.random() < 0.7 else rng.gauss(0.0, 0.6)
        return abs(weight) if long_only else weight

    row = [drawn() for _ in range(n_assets)]
    rows = []
    for _ in range(n_rows):
        row = [drawn() if rng.random() < restless else weight for weight in row]
        rows.append(row)
    return np.array(rows)


def _limits(dice: Dice, labels: set[str]) -> Limits:
    group_gross = dice.some(0.25, 0.3, 0.6) if labels else None
    return Limits(
        gross=dice.rng.choice([None, 1.0, 0.5, 2.0, 4.0]),
        net=dice.some(0.25, 0.0, 0.2, 0.5),
        weight=dice.some(0.25, 0.1, 0.4, 1 / 3),
        group="sector" if group_gross else None,
        group_gross=group_gross,
        drawdown=dice.some(0.25, 0.05, 0.2, 1.0),
        daily_loss=dice.some(0.25, 0.005, 0.05),
        order=dice.some(0.25, 0.1, 0.3, 0.5),
    )


def _rebalance(rng: random.Random) -> Rebalance:
    when = rng.choice(["on_change", "on_change", "every_row", "drift", "calendar"])
    if when == "drift":
        return Rebalance(
            when=when, threshold=rng.choice([0.0, 0.02, 0.2]), cooldown=rng.choice([0, 1, 5])
        )
    if when == "calendar":
        return Rebalance(when=when, period=rng.choice(["day", "week", "month", "quarter", "year"]))
    return Rebalance(when=when)
