"""The laws of the design, each over random expressions, markets and settings.

Bit-identical means equal bytes: tables are compared by `tobytes`, so NaN equals NaN and 0 differs
from -0.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from expressions import expressions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import DISTANCES, random_market
from msgspec import structs

import alphalab as al
from alphalab.codes import OrderStatus, OrderType, Origin, Posting
from alphalab.config import RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.kernels._jit import DISABLED

ASSETS = [
    al.Instrument(symbol="S0", taker_bps=5, groups={"sector": "energy"}),
    al.Instrument(symbol="S1", lot=0.01, min_value=10, groups={"sector": "banks"}),
    al.Instrument(symbol="S2", lot=1, multiplier=5),
]
N_ASSETS = len(ASSETS)
HOUR_NS = 3_600_000_000_000

pytestmark = pytest.mark.nojit


class Weights(al.Strategy):
    """Whatever expression it is given, as weights or through `decide`."""

    text: str

    def weights(self) -> al.Expr:
        return al.parse(self.text)


class Decided(al.Strategy):
    """The same expression through a `decide` that looks at the position and keeps a memory."""

    text: str

    memory_rows = 2

    def signals(self) -> dict[str, al.Expr]:
        return {"x": al.parse(self.text), "close": al.close}

    @staticmethod
    def decide(table, account, memory):
        targets = np.empty(table.shape[1])
        for j in range(targets.size):
            memory[0, j] += 1.0
            memory[1, j] = 0.9 * memory[1, j] + account.equity * 1e-9
            held = account.positions[j]["qty"] != 0.0
            targets[j] = 0.0 if held and memory[0, j] % 5.0 == 0.0 else table[0, j]
        return targets


def weights() -> st.SearchStrategy[str]:
    """Expressions squeezed into sensible weights, and raw ones that the gate has to deal with."""
    any_expr = expressions(n_symbols=N_ASSETS)
    squeezed = any_expr.map(lambda e: al.clip(e.cs_rank() - 0.5, -1, 1))
    return st.one_of(squeezed, any_expr.map(lambda e: al.sign(e) / N_ASSETS), any_expr).map(str)


def market(seed: int, n_rows: int) -> al.Bars:
    """Bars with unlisted assets, untraded cells, jumps, runs of equal prices, an extra column."""
    rng = np.random.default_rng(seed)
    shape = (n_rows, N_ASSETS)
    change = rng.normal(0, rng.choice([0.0, 0.01, 0.05, 0.3]), shape) * (rng.random(shape) < 0.8)
    close = 10.0 ** rng.uniform(-2, 4, N_ASSETS) * np.exp(np.cumsum(change, axis=0))
    open_ = close * np.exp(rng.normal(0, 0.02, shape) * (rng.random(shape) < 0.7))
    columns = {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + rng.random(shape) * 0.02),
        "low": np.minimum(open_, close) * (1 - rng.random(shape) * 0.02),
        "close": close,
        "volume": np.round(rng.exponential(1000, shape)),
    }
    untraded = rng.random(shape) < rng.choice([0.0, 0.1])
    untraded |= np.arange(n_rows)[:, None] < rng.integers(0, n_rows // 2 + 1, N_ASSETS)
    for values in columns.values():
        values[untraded] = np.nan
    columns["split"] = np.where(rng.random(shape) < 0.02, rng.choice([0.5, 2.0, 3.0]), np.nan)
    columns["dividend"] = np.where(rng.random(shape) < 0.05, close * rng.random(shape) / 20, np.nan)
    columns["extra"] = np.where(rng.random(shape) < 0.1, np.nan, rng.normal(size=shape))
    for name in DISTANCES:
        columns[name] = np.where(rng.random(shape) < 0.1, np.nan, close * rng.random(shape) / 10)
    time = 1_577_836_800_000_000_000 + np.cumsum(rng.integers(1, 30, n_rows)) * HOUR_NS
    symbols = [asset.symbol for asset in ASSETS]
    return al.Bars(time, symbols, columns, instruments=ASSETS, periods_per_year=252)


def settings_drawn(rng: random.Random) -> RunSettings:
    """Settings of a random market, without what only its own assets and columns have."""
    drawn = random_market(rng, max_rows=1).settings
    return structs.replace(drawn, holdings={}, costs=structs.replace(drawn.costs, quotes="none"))


def cases() -> st.SearchStrategy[tuple[al.Strategy, al.Bars, RunSettings]]:
    strategies = st.one_of(st.builds(Weights, text=weights()), st.builds(Decided, text=weights()))
    bars = st.builds(market, st.integers(0, 2**32), st.integers(1, 60))
    runs = st.randoms(use_true_random=False).map(settings_drawn)
    return st.tuples(strategies, bars, runs)


def push(engine: Engine, bars: al.Bars, start: int = 0, end: int | None = None) -> Block:
    columns = {name: bars.columns[name][start:end] for name in engine.columns}
    return engine.push(bars.time[start:end], columns)


def run(case: Any, cuts: tuple[int, ...] = (), capacity: int | None = None) -> Block:
    strategy, bars, run_settings = case
    engine = Engine(strategy, bars.instruments, run_settings, capacity=capacity)
    edges = [0, *sorted(cuts), bars.n_rows]
    parts = [push(engine, bars, i, j) for i, j in pairwise(edges)]
    return Block(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))


def same(a: Block, b: Block) -> bool:
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def until(case: Any, row: int) -> Block:
    """What a run says by the end of the rows before `row`.

    How long its logs are by then is asked of a run of these rows alone: an event may be told later
    than it was.
    """
    strategy, bars, run_settings = case
    head = push(Engine(strategy, bars.instruments, run_settings), bars, 0, row)
    block = run(case)
    logs = (log[: told.size] for log, told in zip(block[3:], head[3:], strict=True))
    return Block(*(table[:row] for table in block[:3]), *logs)


law = settings(
    max_examples=40 if DISABLED else 200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def valid(case: Any) -> bool:
    """Constant weights above the gross limit are refused before anything runs."""
    try:
        Engine(case[0], ASSETS, case[2])
    except al.errors.ParameterError:
        return False
    return True


valid_cases = cases().filter(valid)


def test_comparison_can_fail():
    bars = market(0, 20)
    cases = [(Weights(text=text), bars, RunSettings()) for text in ("0.3", "0.2")]
    a, b = map(run, cases)
    assert same(a, a)
    assert not same(a, b)
    assert same(until(cases[0], 0), until(cases[1], 0))
    assert not same(until(cases[0], 5), until(cases[1], 5))
    changed = a._replace(qty=a.qty + 0.0)
    assert same(a, changed)
    changed.qty[-1, 0] = np.nextafter(changed.qty[-1, 0], np.inf)
    assert not same(a, changed)


@law
@given(case=valid_cases, data=st.data())
def test_block_invariance(case, data):
    """Law 1: any partition of the rows gives the same bits."""
    n_rows = case[1].n_rows
    whole = run(case, capacity=n_rows)
    cuts = data.draw(st.lists(st.integers(0, n_rows), max_size=6).map(tuple))
    assert same(whole, run(case, cuts))
    assert same(whole, run(case, tuple(range(n_rows)), capacity=1))
    assert same(whole, run(case, capacity=7))


@law
@given(case=valid_cases, data=st.data())
def test_causality(case, data):
    """Law 2: changing any later input changes no earlier output."""
    strategy, bars, run_settings = case
    row = data.draw(st.integers(0, bars.n_rows))
    other = market(data.draw(st.integers(0, 2**32)), bars.n_rows)
    columns = {
        name: np.concatenate([values[:row], other.columns[name][row:]])
        for name, values in bars.columns.items()
    }
    changed = al.Bars(bars.time, bars.symbols, columns, instruments=bars.instruments)
    assert same(until(case, row), until((strategy, changed, run_settings), row))


@law
@given(case=valid_cases)
def test_conservation(case):
    """Law 3: cash and positions add up at every row, and every change of equity is explained."""
    _, bars, run_settings = case
    block = run(case)
    ledger = block.ledger
    cash = run_settings.cash
    scale = cash + ledger["gross"] + np.abs(ledger["realised"]) + ledger["turnover"]
    scale += np.abs(ledger["carry"])
    assert np.isfinite(ledger["equity"]).all()
    assert np.array_equal(ledger["equity"], ledger["cash"] + ledger["value"])
    explained = cash + ledger["realised"] + ledger["unrealised"] - ledger["fees"]
    explained += ledger["carry"]
    assert (np.abs(ledger["equity"] - explained) <= 1e-12 * scale).all()

    # The same from fills and postings alone: what was paid, and what is held.
    multiplier = np.array([i.multiplier for i in bars.instruments])
    paid = np.zeros(bars.n_rows)
    held = np.zeros((bars.n_rows, bars.n_symbols))
    fills = block.fills
    value = fills["qty"] * fills["price"] * multiplier[fills["asset"]]
    np.add.at(paid, fills["row"], value + fills["fee"])
    np.add.at(held, (fills["row"], fills["asset"]), fills["qty"])
    posted = block.postings
    np.add.at(paid, posted["row"], -posted["amount"])
    came = posted[np.isin(posted["kind"], [Posting.SPLIT, Posting.REINVESTMENT])]
    np.add.at(held, (came["row"], came["asset"]), came["qty"])
    assert (np.abs(ledger["cash"] - (cash - np.cumsum(paid))) <= 1e-12 * scale).all()
    units = np.abs(block.qty).max(axis=0, initial=1.0)
    assert (np.abs(np.cumsum(held, axis=0) - block.qty) <= 1e-12 * units).all()


@law
@given(case=valid_cases, data=st.data())
def test_replay_from_a_snapshot(case, data):
    """Law 4: a new engine that takes up a snapshot goes on to the same bits."""
    strategy, bars, run_settings = case
    row = data.draw(st.integers(0, bars.n_rows))
    first = Engine(strategy, bars.instruments, run_settings)
    push(first, bars, 0, row)
    snapshot = first.snapshot()
    second = Engine(strategy, bars.instruments, run_settings)
    second.restore(snapshot)
    assert second.snapshot() == snapshot
    assert same(push(first, bars, row), push(second, bars, row))
    assert first.snapshot() == second.snapshot()


PROGRAM = """
import alphalab as al
class Mixed(al.Strategy):
    def weights(self):
        strength = al.cs_neutralize(al.close.returns(20), al.group("sector"))
        held = al.latch(al.close > al.close.ema(9), al.close.rsi(5) > 80)
        return al.cs_scale(strength.ts_rank(30) - 0.5) * held
bars = al.load("sp500_stocks", start="2015-01-01")
rule = al.Rebalance.drift(0.02, 2)
result = al.backtest(Mixed(), bars, costs=al.Costs(fee_bps=3), rebalance=rule)
print(result.digest, end="")
"""


def test_replay_in_other_processes():
    """Law 4: hash seed and number of threads change nothing."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "NUMBA_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("0", "1"), ("1", "2"), ("12345", "1"))
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 32


@law
@given(case=valid_cases)
def test_honesty(case):
    """Law 5: a decision trades at a later price, unless the run says same_close."""
    _, bars, run_settings = case
    block = run(case)
    events = block.events[block.events["status"] == OrderStatus.SUBMITTED]
    events = events[np.argsort(events["order"])]
    order = events[np.searchsorted(events["order"], block.fills["order"])]
    fills, cell = block.fills, (block.fills["row"], block.fills["asset"])
    column = "open" if run_settings.fill == "next_open" else "close"
    friction = run_settings.costs.worst_bps / 1e4
    by_market = (order["type"] == OrderType.MARKET) & (order["origin"] != Origin.VENUE)
    if friction == 0.0:
        assert np.array_equal(fills["price"][by_market], bars.columns[column][cell][by_market])
    inside = ~by_market & (order["origin"] != Origin.VENUE)
    assert (fills["price"] <= bars.columns["high"][cell] * (1 + friction))[inside].all()
    assert (fills["price"] >= bars.columns["low"][cell] * (1 - friction))[inside].all()
    assert np.array_equal(fills["time"], bars.time[fills["row"]])
    assert (fills["order_row"] <= fills["row"]).all()
    if run_settings.fill != "same_close":
        decided = order["origin"] == Origin.TARGET
        assert (fills["order_row"] < fills["row"])[decided | by_market].all()


def test_a_fill_at_a_seen_price_is_said_everywhere(tmp_path):
    """Law 5: every report of a same_close run says that its prices had been seen."""
    bars = market(1, 40)
    result = al.backtest(
        Weights(text="where(close > 0, 0.3, 0)"), bars, fill="same_close", quality="accept"
    )
    page = tmp_path / "report.html"
    result.to_html(page)
    for text in (repr(result), result._repr_html_(), page.read_text(), str(result.assumptions)):
        assert "same_close" in text or "has seen" in text
