"""Columns of a sweep beside engines: random mixtures of strategies and settings on one market."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from engine_strategies import Patient, Trend
from markets import (
    DAY,
    HOUR,
    MONDAY,
    Dice,
    Market,
    _limits,
    _plain_costs,
    _rebalance,
    _terms,
    _weights,
    random_market,
)
from msgspec import structs
from scripted import NAMES, Scripted, encoded
from scripts import random_requests

from alphalab.config import Limits, RunSettings
from alphalab.core.columns import Column
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.core.vector_engine import VectorEngine
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr
from alphalab.kernels._jit import silent
from alphalab.kernels.market.digest import N_WORDS, fold_run
from alphalab.research.results.tally_metrics import digest_of, digests
from alphalab.types import FILL, FloatArray, Instrument, IntArray, Records


class Told(Strategy):
    """Weights that the test has written down, in a column."""

    source: str = "w"

    def weights(self) -> Expr:
        return column(self.source)


class Script(Scripted):
    """Orders that the test has written down, in the columns of a name."""

    source: str = ""

    def signals(self) -> dict[str, Expr | float]:
        return {name: column(self.source + name) for name in ("w", *NAMES)}


class NarrowScript(Script):
    """The same with less room for orders: columns of another shape."""

    max_orders = 1


class Mix(NamedTuple):
    """One market, and the accounts that are run on it."""

    time: IntArray
    columns: dict[str, FloatArray]
    instruments: list[Instrument]
    accounts: list[tuple[Strategy, RunSettings]]

    def engine(self, place: int, capacity: int | None = None) -> Engine:
        strategy, settings = self.accounts[place]
        return Engine(strategy, self.instruments, settings, capacity=capacity)

    def run(self, place: int, capacity: int | None = None) -> Block:
        """The account alone."""
        return self.engine(place, capacity).push(self.time, self.columns)

    def made(
        self, places: Iterable[int] | None = None, capacity: int | None = None
    ) -> VectorEngine:
        """Columns of the accounts at some places, or of all."""
        places = range(len(self.accounts)) if places is None else places
        made = [Column.of(*self.accounts[i], self.instruments) for i in places]
        return VectorEngine(made, self.instruments, capacity=capacity)

    def tallies(
        self,
        places: Iterable[int] | None = None,
        capacity: int | None = None,
        cuts: Sequence[int] = (),
    ) -> Records:
        """What columns give that are pushed in one portion, or in those between the cuts."""
        engine = self.made(places, capacity)
        for first, last in pairwise([0, *sorted(cuts), self.time.size]):
            push(engine, self.time, self.columns, first, last)
        return engine.tallies()


def push(
    engine: VectorEngine, time: IntArray, table: Mapping[str, FloatArray], first: int, last: int
) -> None:
    rows = slice(first, last)
    engine.push(time[rows], {name: values[rows] for name, values in table.items()})


def digest_of_block(block: Block) -> str:
    """The digest that the result of a backtest has."""
    words = np.zeros(N_WORDS, np.uint64)
    parts = (block.ledger["equity"], block.qty, block.fills.view(np.float64))
    equity, qty, fills = (np.ascontiguousarray(part).view(np.uint64) for part in parts)
    with silent():
        fold_run()(words, equity, qty, fills.reshape(-1, len(FILL)))
    return digest_of(words)


def told(block: Block) -> dict[str, Any]:
    """What the logs and the ledger of an engine say about its rows, in a tally's words."""
    last = block.ledger[-1]
    return {
        "digest": digest_of_block(block),
        "rows": len(block.ledger),
        "n_fills": block.fills.size,
        "n_refusals": block.refusals.size,
        "n_ambiguities": block.ambiguities.size,
        "invested": int((block.ledger["gross"] > 0.0).sum()),
        **{name: float(last[name]) for name in ("equity", "fees", "turnover", "carry")},
    }


def differences(tallies: Records, blocks: Sequence[Block]) -> list[str]:
    """Everything in which columns differ from engines, by place and name; exactly."""
    different = []
    for i, (digest, tally, block) in enumerate(zip(digests(tallies), tallies, blocks, strict=True)):
        for name, value in told(block).items():
            got = digest if name == "digest" else tally[name]
            if got != value:
                different.append(f"{i} {name}: {got}, alone {value}")
    return different


# --- mixtures of everything ----------------------------------------------------------------------


def random_mix(rng: random.Random, n_columns: int = 5, **size: int) -> Mix:
    """Draw a market and several accounts: other settings, other strategies, other shapes."""
    market = random_market(rng, **size)
    dice, n_rows = Dice(rng), market.time.size
    n_assets = len(market.instruments)
    columns = dict(market.columns)
    accounts = [(market.strategy, market.settings)]
    for i in range(1, n_columns):
        settings = _other_settings(dice, market)
        columns[f"w{i}"] = _weights(rng, n_rows, n_assets)
        strategy: Strategy = rng.choice(
            [Told(source=f"w{i}"), Told(source=f"w{i}"), Trend(n=i), Patient(rows=i)]
        )
        if market.more and dice.happens(0.4):
            strategy = rng.choice([Script, NarrowScript])(source=f"s{i}")
            script = encoded(random_requests(rng, market), n_assets)
            columns |= {f"s{i}{name}": values for name, values in script.items()}
            columns[f"s{i}w"] = np.where(dice.happens(0.5), columns[f"w{i}"], np.nan)
        accounts.append((strategy, settings))
    return Mix(market.time, columns, market.instruments, accounts)


def _other_settings(dice: Dice, market: Market) -> RunSettings:
    """Settings unlike the market's own, of an account in the same currency."""
    rng, own = dice.rng, market.settings
    if dice.happens(0.2):
        return own
    fill = rng.choice(["next_open", "next_close", "same_close"])
    labels = {g for instrument in market.instruments for g in instrument.groups}
    terms = _terms(dice, fill) if market.more else _plain_costs(rng)
    limits = Limits() if dice.happens(0.5) else _limits(dice, labels)
    return RunSettings(
        cash=rng.choice([own.cash, 2e4]),
        fill=fill,
        limits=limits,
        rebalance=_rebalance(rng),
        **terms | {name: getattr(own, name) for name in ("actions", "currency", "conversions")},
    )


# --- long stretches in which nothing is traded ---------------------------------------------------


def quiet_mix(rng: random.Random, n_columns: int = 3) -> Mix:
    """Draw accounts that seldom trade, on rows with gaps, crashes and days that begin anywhere."""
    seed = np.random.default_rng(rng.getrandbits(64))
    n_rows = rng.choice([1, 2, 40, 511, 512, 513, 700, 1024, 1300])
    n_assets = rng.choice([1, 1, 2, 3, 7])
    kinds = [rng.choice(["spot", "spot", "linear", "inverse"]) for _ in range(n_assets)]
    instruments = [
        Instrument(
            symbol=f"S{j}",
            kind=kind,
            multiplier=rng.choice([1.0, 1.0, 50.0, 0.003]),
            lot=rng.choice([0.0, 0.0, 0.01]),
        )
        for j, kind in enumerate(kinds)
    ]
    close = 10.0 * np.exp(np.cumsum(0.01 * seed.standard_normal((n_rows, n_assets)), axis=0))
    for _ in range(rng.choice([0, 1, 2, 5])):  # crashes and their opposite, most for good
        row, asset = rng.randrange(n_rows), rng.randrange(n_assets)
        last = n_rows if rng.random() < 0.6 else row + rng.randint(1, 30)
        close[row:last, asset] *= rng.choice([1e-6, 0.4, 2.1, 30.0])
    open_ = close * np.exp(0.003 * seed.standard_normal(close.shape))
    missing = rng.choice([0.0, 0.0, 0.01, 0.3])
    close[seed.random(close.shape) < missing] = np.nan
    open_[seed.random(close.shape) < missing] = np.nan
    for j in range(n_assets):
        listed = rng.choice([0, 0, rng.randint(0, n_rows)])
        delisted = rng.choice([n_rows, n_rows, rng.randint(0, n_rows)])
        for prices in (open_, close):
            prices[:listed, j] = np.nan
            prices[delisted:, j] = np.nan
    step = rng.choice([DAY, DAY, 9 * DAY, HOUR, 7 * HOUR, HOUR // 60])
    time = MONDAY + rng.randint(-30, 30) * HOUR + step * np.arange(n_rows)
    columns = {"open": open_, "close": close}
    accounts: list[tuple[Strategy, RunSettings]] = []
    for i in range(n_columns):
        columns[f"w{i}"] = _seldom(rng, n_rows, n_assets)
        accounts.append((Told(source=f"w{i}"), _quiet_settings(rng)))
    return Mix(time, columns, instruments, accounts)


def _seldom(rng: random.Random, n_rows: int, n_assets: int) -> FloatArray:
    """Weights that change in a row of a hundred, some of them unknown for a while."""
    plain = [0.0, 0.0, 1.0, 0.5, 0.5, -0.5, -1.0, 1.0 / n_assets, np.nan, np.nan, -0.0]
    weights = np.empty((n_rows, n_assets))
    row, drawn = 0, [rng.choice(plain) for _ in range(n_assets)]
    often = rng.choice([30, 150, 2000])
    while row < n_rows:
        last = row + rng.randint(1, often)
        weights[row:last] = drawn
        drawn = [rng.choice(plain) if rng.random() < 0.6 else x for x in drawn]
        row = last
    return weights


def _quiet_settings(rng: random.Random) -> RunSettings:
    fill = rng.choice(["next_open", "next_open", "next_close", "same_close"])
    return RunSettings(
        cash=rng.choice([1e3, 1e5]),
        fill=fill,
        costs={"fee_bps": rng.choice([0.0, 10.0])},
        limits=Limits(
            gross=rng.choice([None, 1.0, 2.0, 8.0]),
            weight=rng.choice([None, None, 0.4]),
            daily_loss=rng.choice([None, None, None, 0.03]),
            drawdown=rng.choice([None, None, None, 0.3]),
        ),
    )


def row_by_row(settings: RunSettings) -> RunSettings:
    """The same account with a limit so far away that it only makes the step look at every row."""
    limits = structs.replace(settings.limits, net=1e12)
    return structs.replace(settings, limits=limits)
