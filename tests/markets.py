"""Random markets for the step, with everything in them that real ones have and worse."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import numpy as np

from alphalab.config import Costs, Limits, Rebalance, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr
from alphalab.types import FloatArray, Instrument, IntArray

HOUR = 3_600 * 10**9
DAY = 24 * HOUR
MONDAY = int(np.datetime64("2024-01-01T21:00", "ns").astype(np.int64))


class Given(Strategy):
    """Weights that the test has written down, in the column `w`."""

    def weights(self) -> Expr:
        return column("w")


class Market(NamedTuple):
    time: IntArray
    open: FloatArray
    close: FloatArray
    weights: FloatArray
    instruments: list[Instrument]
    settings: RunSettings

    @property
    def columns(self) -> dict[str, FloatArray]:
        return {"open": self.open, "close": self.close, "w": self.weights}

    def engine(self, capacity: int | None = None) -> Engine:
        return Engine(Given(), self.instruments, self.settings, capacity=capacity)

    def run(self, capacity: int | None = None) -> Block:
        return self.engine(capacity).push(self.time, self.columns)


def random_market(rng: random.Random, max_rows: int = 60, max_assets: int = 6) -> Market:
    """Draw a market, an account and what a strategy wants of it.

    `rng` may be Hypothesis's, which then shrinks what it drew.
    """
    n_rows, n_assets = rng.randint(1, max_rows), rng.randint(1, max_assets)
    instruments = [_instrument(rng, i) for i in range(n_assets)]
    prices = [_prices(rng, n_rows) for _ in range(n_assets)]
    return Market(
        time=_times(rng, n_rows),
        open=np.array([p[0] for p in prices]).T.copy(),
        close=np.array([p[1] for p in prices]).T.copy(),
        weights=_weights(rng, n_rows, n_assets),
        instruments=instruments,
        settings=RunSettings(
            cash=rng.choice([100.0, 1e3, 12_345.67, 1e5, 1e9]),
            fill=rng.choice(["next_open", "next_open", "next_close", "same_close"]),
            costs=Costs(fee_bps=rng.choice([None, 0.0, 10.0, 250.0, 5000.0])),
            limits=_limits(rng, {g for i in instruments for g in i.groups}),
            rebalance=_rebalance(rng),
        ),
    )


def _instrument(rng: random.Random, index: int) -> Instrument:
    group = rng.choice([None, "a", "b", "c"])
    return Instrument(
        symbol=f"S{index}",
        lot=rng.choice([0.0, 0.0, 0.0, 1.0, 0.1, 100.0, 1e-8]),
        min_value=rng.choice([0.0, 0.0, 0.0, 10.0, 1000.0]),
        taker_bps=rng.choice([0.0, 5.0, 30.0]),
        multiplier=rng.choice([1.0, 1.0, 1.0, 50.0, 0.1, 0.003]),
        groups={"sector": group} if group else {},
    )


def _prices(rng: random.Random, n_rows: int) -> tuple[list[float], list[float]]:
    """One asset's opens and closes: a walk with gaps and crashes, unlisted and missing rows."""
    wild = rng.random() < 0.2
    price = 10.0 ** rng.uniform(-9.0, 9.0) if wild else rng.choice([1.0, 10.0, 50.0, 437.21])
    volatility = rng.choice([0.0, 0.002, 0.03, 0.25])
    jumpy = rng.choice([0.0, 0.0, 0.05])
    cents = not wild and rng.random() < 0.5
    missing = rng.choice([0.0, 0.0, 0.05, 0.4])
    listed = rng.randint(0, n_rows) if rng.random() < 0.25 else 0
    delisted = rng.randint(0, n_rows) if rng.random() < 0.15 else n_rows

    def moved(price: float) -> float:
        shock = min(max(rng.gauss(0.0, 1.0), -5.0), 5.0)  # Hypothesis draws any float
        price *= math.exp(volatility * shock)
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
    return opens, closes


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


def _times(rng: random.Random, n_rows: int) -> IntArray:
    step = rng.choice([DAY, DAY, HOUR, 6 * HOUR, HOUR // 60 + 1, 9 * DAY])
    gappy = rng.choice([0.0, 0.2])
    time, times = MONDAY + rng.randint(-(10**5), 10**4) * HOUR, []
    for _ in range(n_rows):
        time += step * (rng.randint(2, 40) if rng.random() < gappy else 1)
        times.append(time)
    return np.array(times)


def _limits(rng: random.Random, labels: set[str]) -> Limits:
    def sometimes(*values: float) -> float | None:
        return rng.choice(values) if rng.random() < 0.25 else None

    group_gross = sometimes(0.3, 0.6) if labels else None
    return Limits(
        gross=rng.choice([1.0, 1.0, 0.5, 2.0, 4.0]),
        net=sometimes(0.0, 0.2, 0.5),
        weight=sometimes(0.1, 0.4, 1 / 3),
        group="sector" if group_gross else None,
        group_gross=group_gross,
        drawdown=sometimes(0.05, 0.2, 1.0),
        daily_loss=sometimes(0.005, 0.05),
        order=sometimes(0.1, 0.3, 0.5),
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
