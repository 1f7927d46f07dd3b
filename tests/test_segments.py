"""Segment sums of the compiled tally are those of the single backtest, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from sweeping import Mix, push, random_mix

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.core.columns import Column
from alphalab.core.rules import start_equity
from alphalab.core.vector_engine import VectorEngine
from alphalab.errors import ParameterError, StateError
from alphalab.research.results.metrics import row_returns
from alphalab.research.results.segments import kept_segments, segment_bounds, segment_sums
from alphalab.types import FloatArray, Records


def unlike(tallies: Records, returns: Sequence[FloatArray], n_segments: int) -> list[int]:
    """Columns whose sums are not those of their returns, to the last bit."""
    different = []
    for i, series in enumerate(returns):
        sums = segment_sums(series, n_segments)
        expected = np.stack([sums.total[:, 0], sums.squares[:, 0]])
        if tallies["segments"][i].tobytes() != expected.tobytes():
            different.append(i)
    return different


def returns_of(mix: Mix, place: int) -> FloatArray:
    equity = mix.run(place).ledger["equity"]
    cash = start_equity(mix.accounts[place][1], mix.instruments)
    return row_returns(np.concatenate([[cash], equity]))


def swept(mix: Mix, places: Sequence[int], n_segments: int, cuts: Sequence[int]) -> Records:
    made = [Column.of(*mix.accounts[i], mix.instruments) for i in places]
    bounds = segment_bounds(mix.time.size, n_segments)
    engine = VectorEngine(made, mix.instruments, bounds=bounds)
    ends = [0, *sorted(cuts), mix.time.size]
    for first, last in pairwise(ends):
        push(engine, mix.time, mix.columns, first, last)
    return engine.tallies()


@pytest.mark.parametrize("seed", range(12))
def test_random_accounts_however_the_rows_are_cut(seed: int) -> None:
    rng = random.Random(seed)
    mix = random_mix(rng, n_columns=6, max_rows=700)
    alive = [i for i in range(len(mix.accounts)) if np.isfinite(returns_of(mix, i)).all()]
    returns = [returns_of(mix, i) for i in alive]
    n_rows = mix.time.size
    for n_segments in [n for n in (2, 4, 16, 64) if n_rows >= 2 * n]:
        cuts = rng.sample(range(1, n_rows), min(rng.randint(0, 3), n_rows - 1))
        assert unlike(swept(mix, alive, n_segments, cuts), returns, n_segments) == []


@pytest.mark.parametrize("n_segments", [4, 16, 64])
def test_a_sweep_of_real_bars(n_segments: int) -> None:
    """Of 5,031 rows: chunks of 512 rows end inside of segments, and segments inside of chunks."""
    bars = al.load("sp500")
    for cls, grid in (
        (load_strategy("sma_cross"), {"fast": [3, 10], "slow": [20, 200]}),
        (load_strategy("donchian_breakout"), {"enter": [20, 55]}),
    ):
        found = al.sweep(cls, bars, grid, n_segments=n_segments)
        returns = [found.result(i).row_returns for i in range(len(found.variants))]
        assert unlike(found.tallies, returns, n_segments) == []


def test_the_comparison_sees_one_bit() -> None:
    bars = al.load("sp500", start="2015-01-01")
    found = al.sweep(load_strategy("sma_cross"), bars, {"fast": [3, 4, 5]})
    returns = [found.result(i).row_returns for i in range(3)]
    found.tallies["segments"][1, 1, 15] = np.nextafter(found.tallies["segments"][1, 1, 15], 1.0)
    assert unlike(found.tallies, returns, 16) == [1]


@pytest.mark.nojit
def test_short_runs_by_hand() -> None:
    """Four rows in two segments: returns of 10, -10, 20 and 0 percent."""
    prices = np.array([[100.0], [100.0], [110.0], [99.0], [118.8], [118.8]])
    bars = {"open": prices, "close": prices}
    assets = [al.Instrument(symbol="A")]
    column = Column.of(al.ExprStrategy(text="where(close > 0, 1.0, 0.0)"), al.RunSettings(), assets)
    engine = VectorEngine([column], assets, bounds=np.array([0, 3, 6]))
    engine.push(np.arange(6), bars)
    total, squares = engine.tallies()["segments"][0]
    assert total == pytest.approx([0.1, 0.1], rel=1e-12)
    assert squares == pytest.approx([0.01, 0.05], rel=1e-12)
    with pytest.raises(StateError, match="7 rows pushed, and segments of 6 rows"):
        engine.push(np.array([6]), {name: values[:1] for name, values in bars.items()})


def test_how_many_segments_a_sweep_keeps() -> None:
    assert [kept_segments(n, 16) for n in (31, 32, 5_000)] == [0, 16, 16]
    for wrong in (2, 15, 66, 0, -4):
        with pytest.raises(ParameterError, match=f"n_segments={wrong}"):
            al.sweep(
                load_strategy("sma_cross"), al.load("sp500"), {"fast": [3, 4]}, n_segments=wrong
            )
