"""What a sweep says of its own luck: independent trials, deflated Sharpe ratio, PBO."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from commands import Run

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.core.columns import column_type
from alphalab.errors import DataError, ParameterError
from alphalab.research.results.overfitting import clusters_of, pbo
from alphalab.research.results.segments import segment_sums
from alphalab.research.results.sharpe_ratio import Moments, deflated_sharpe, expected_max_sharpe
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.selection import Selection

GRID = {"fast": [3, 5, 8, 13], "slow": [20, 50, 100, 200]}


@pytest.fixture(scope="module")
def bars() -> al.Bars:
    return al.load("sp500")


@pytest.fixture(scope="module")
def swept(bars: al.Bars) -> Sweep:
    return al.sweep(load_strategy("sma_cross"), bars, GRID, costs=al.Costs(fee_bps=2))


def returns_of(sweep: Sweep) -> np.ndarray:
    return np.stack([sweep.result(i).row_returns for i in range(len(sweep.variants))], axis=1)


def test_columns_of_one_cluster_are_chosen_from_two_trials() -> None:
    """Chance counts although all columns are one idea; a single column owes nothing to it."""
    rng = np.random.default_rng(8)
    idea = rng.normal(0.0005, 0.01, (1_600, 1))
    alike = clusters_of(segment_sums(idea + rng.normal(0.0, 0.003, (1_600, 40))))
    assert (alike.n_effective, alike.variance) == (1, 0.0)
    variance = np.var(alike.column_sharpes, ddof=1)
    assert alike.column_variance == pytest.approx(variance, rel=1e-12)
    assert alike.by_chance == expected_max_sharpe(2, alike.column_variance) > 0.0
    single = clusters_of(segment_sums(idea))
    assert (single.column_variance, single.by_chance) == (0.0, 0.0)


def test_all_figures_are_those_of_the_full_results(swept: Sweep) -> None:
    returns = returns_of(swept)
    sums = segment_sums(returns)
    clusters = clusters_of(sums)
    assert swept.n_effective == clusters.n_effective > 1
    for column in (swept.best, 0, 7):
        moments = Moments.of(returns[:, column])
        # The two clusters are close: two trials as far apart as all columns are the larger bar.
        expected = deflated_sharpe(moments, 2, np.var(clusters.column_sharpes, ddof=1))
        assert expected < deflated_sharpe(moments, clusters.n_effective, clusters.variance)
        assert swept.deflated_sharpe(column) == pytest.approx(expected, rel=1e-9)
    assert swept.deflated_sharpe() == swept.deflated_sharpe(swept.best)
    found, expected = swept.pbo(), pbo(sums)
    assert found.probability == expected.probability
    assert found.logits.tolist() == expected.logits.tolist()
    assert found.chosen.tolist() == expected.chosen.tolist()


def test_more_segments_are_merged(bars: al.Bars) -> None:
    many = al.sweep(load_strategy("sma_cross"), bars, GRID, n_segments=64)
    sums = segment_sums(returns_of(many), 64)
    assert many.pbo().logits.size == math.comb(16, 8)
    assert many.pbo(8).probability == pbo(sums.merged(8)).probability
    assert many.n_effective == clusters_of(sums).n_effective
    with pytest.raises(ParameterError, match="64 segments merged to 10"):
        many.pbo(10)
    with pytest.raises(ParameterError, match="32 segments"):
        many.pbo(32)


def test_it_stands_beside_the_raw_figure(swept: Sweep, cli: Callable[..., Run], tmp_path) -> None:
    best, deflated = swept.best, swept.deflated_sharpe()
    assert f"deflated Sharpe {deflated:.3f} ({swept.n_effective} independent trials)" in repr(swept)
    columns = list(swept.table.columns)
    assert columns[columns.index("sharpe") + 1] == "deflated_sharpe"
    assert swept.table["deflated_sharpe"][best] == deflated
    page = swept.to_html(tmp_path / "sweep.html").read_text()
    for words in ("Independent trials", "Deflated Sharpe of the best", "Probability of overf"):
        assert words in page
    grid = [f"--grid={name}={','.join(map(str, values))}" for name, values in GRID.items()]
    said = cli("sweep", "sma_cross", "--data", "sp500", "--fee-bps", "2", *grid, "--json").object
    assert said["best"]["deflated_sharpe"] == deflated
    assert said["trials"]["n_effective"] == swept.n_effective
    year = swept.bars.periods_per_year or 0
    assert said["trials"]["variance_per_year"] == swept.selection.clusters.variance * year
    text = cli("sweep", "sma_cross", "--data", "sp500", "--fee-bps", "2", *grid).out
    assert "Deflated Sharpe" in text
    assert f"Independent trials: {swept.n_effective}; by chance alone the best of them" in text


def test_the_best_of_noise_is_deflated_and_a_true_edge_is_not() -> None:
    """Columns of returns of their own: the first has a Sharpe ratio of 2.5 a year."""
    rng = np.random.default_rng(3)
    returns = rng.normal(0.0, 0.01, (2_520, 60))
    tallies = np.concatenate([tally_of(column) for column in returns.T])
    ran = np.ones(60, np.bool_)
    noise = Selection(tallies, ran, 2_520, 16)
    assert noise.clusters.n_effective > 40
    assert np.nanmax(noise.deflated) < 0.95 < np.nanmax(sharpe_alone(returns))
    assert 0.2 < noise.pbo().probability < 0.8
    returns[:, 0] += 0.01 * 2.5 / np.sqrt(252)
    edge = Selection(np.concatenate([tally_of(returns[:, 0]), tallies[1:]]), ran, 2_520, 16)
    assert edge.deflated[0] > 0.95 > np.nanmax(edge.deflated[1:])
    assert edge.pbo().probability < 0.1


def tally_of(returns: np.ndarray) -> np.ndarray:
    tally = np.zeros(1, column_type(16))
    sums, centred = segment_sums(returns), returns - returns.mean()
    tally["rows"], tally["least_before"], tally["mean"] = returns.size, 1.0, returns.mean()
    for power in (2, 3, 4):
        tally[f"m{power}"] = (centred**power).sum()
    tally["segments"][0] = sums.total[:, 0], sums.squares[:, 0]
    return tally


def sharpe_alone(returns: np.ndarray) -> list[float]:
    return [deflated_sharpe(Moments.of(column), 1, 0.0) for column in returns.T]


# --- what cannot be told -------------------------------------------------------------------------


class Held(al.Strategy):
    part: float = 0.5
    rebalance = al.Rebalance.every_row()

    def weights(self) -> al.Expr:
        return al.where(al.close > 0, self.part, 0.0)


def test_one_column_was_not_chosen(bars: al.Bars) -> None:
    one = al.sweep(Held, bars, {"part": [0.5]})
    assert one.n_effective == 1
    alone = deflated_sharpe(Moments.of(one.result(0).row_returns), 1, 0.0)
    assert one.deflated_sharpe() == pytest.approx(alone, rel=1e-9)
    with pytest.raises(DataError, match="1 of 1 columns ever moved"):
        one.pbo()


def test_columns_that_never_moved_are_one_trial(bars: al.Bars) -> None:
    flat = al.sweep(Held, bars, {"part": [0.0, 0.5], "costs.fee_bps": [1.0, 2.0]})
    assert flat.n_effective == 2
    with pytest.raises(DataError, match="column 0 has no Sharpe ratio"):
        flat.deflated_sharpe(0)
    assert math.isnan(flat.table["deflated_sharpe"][0])
    none = al.sweep(Held, bars, {"part": [0.0], "costs.fee_bps": [1.0, 2.0]})
    with pytest.raises(DataError, match="0 of 2 columns ever moved"):
        none.pbo()
    assert "deflated" not in repr(none)


def test_ruined_columns_are_left_out() -> None:
    prices = 100.0 * np.cumprod(1.0 + np.random.default_rng(1).normal(0.002, 0.01, 400))
    prices[200:] *= 0.5
    margin = al.Margin(initial=0.2, maintenance=0.01)
    days = pd.date_range("2020-01-01T21:00", periods=400)
    bars = al.Bars.from_closes(pd.DataFrame({"A": prices}, index=days))
    found = al.sweep(Held, bars, {"part": [0.1, 0.5, 4.5]}, margin=margin)
    assert found.table["final_equity"][2] <= 0.0
    assert math.isnan(found.table["deflated_sharpe"][2])
    assert found.selection.columns.tolist() == [0, 1]
    assert set(found.pbo().chosen.tolist()) <= {0, 1}


def test_too_few_rows_say_how_many_are_needed(bars: al.Bars) -> None:
    short = al.sweep(Held, bars.rows(0, 31), {"part": [0.2, 0.5]})
    assert short.table["deflated_sharpe"].isna().all()
    assert short.to_dict()["trials"] is None
    for figure in (short.pbo, short.deflated_sharpe, lambda: short.n_effective):
        with pytest.raises(DataError, match=r"31 rows in 16 segments[\s\S]*32 rows are needed"):
            figure()
    assert al.sweep(Held, bars.rows(0, 31), {"part": [0.2, 0.5]}, n_segments=4).n_effective == 1
