"""The statistics of validation against published values, slow twins, and known results on
noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from compare import assert_identical, assert_same
from scipy import stats

import alphalab as al
from alphalab.data.panel.history import History
from alphalab.research.results.overfitting import clusters_of, pbo
from alphalab.research.results.segments import segment_bounds, segment_sums, sharpe_of
from alphalab.research.results.sharpe_ratio import (
    Moments,
    deflated_sharpe,
    expected_max_sharpe,
    min_backtest_years,
    min_track_record,
    probabilistic_sharpe,
)
from alphalab.research.validation.capacity import capacity
from alphalab.research.validation.cpcv_paths import cpcv_paths
from alphalab.research.validation.periods import by_volatility, by_year
from alphalab.research.validation.resampling import bootstrap_interval, superiority
from alphalab.research.validation.stress import (
    all_cases,
    cost_cases,
    neighbours,
    scaled_costs,
    stress,
)
from alphalab.research.validation.trade_order import shuffled_trades


def noise(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (rows, columns))


# Published values: Bailey & Lopez de Prado (2012, 2014), Bailey et al. (2014).


def test_probabilistic_sharpe_of_the_paper():
    assert probabilistic_sharpe(Moments(24, 0.458, -2.448, 10.164)) == pytest.approx(
        0.913, abs=1e-3
    )
    assert probabilistic_sharpe(Moments(24, 0.458)) == pytest.approx(0.982, abs=1e-3)


def test_deflated_sharpe_of_the_paper():
    best = Moments(1250, 2.5 / math.sqrt(250), -3.0, 10.0)
    assert expected_max_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=1e-4)
    assert deflated_sharpe(best, 100, 0.5 / 250) == pytest.approx(0.900, abs=1e-3)
    assert deflated_sharpe(best, 46, 0.5 / 250) == pytest.approx(0.9505, abs=1e-3)


@pytest.mark.parametrize(("year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_track_record_of_the_paper(year, years):
    record = min_track_record(Moments(0, 2 / math.sqrt(year)), 1 / math.sqrt(year))
    assert record / year == pytest.approx(years, abs=5e-3)


def test_backtest_length_of_the_paper():
    assert min_backtest_years(45) == pytest.approx(5.0, abs=0.05)


def test_a_track_record_is_infinite_below_the_benchmark():
    assert min_track_record(Moments(0, 0.1), 0.1) == math.inf


def test_expected_maximum_is_that_of_simulated_trials():
    best = np.random.default_rng(0).normal(size=(20_000, 50)).max(axis=1)
    assert expected_max_sharpe(50, 1.0) == pytest.approx(best.mean(), rel=0.02)


# Under the null.


@pytest.mark.parametrize("tails", [None, 5])
def test_probabilistic_sharpe_is_uniform_without_skill(tails):
    rng = np.random.default_rng(11)
    shape = (1_500, 500)
    returns = rng.normal(size=shape) if tails is None else rng.standard_t(tails, shape)
    found = [probabilistic_sharpe(Moments.of(series)) for series in returns]
    assert stats.kstest(found, "uniform").pvalue > 0.001
    better = [probabilistic_sharpe(Moments.of(series + 0.05)) for series in returns]
    assert stats.kstest(better, "uniform").pvalue < 1e-6  # the test can fail


def test_deflated_sharpe_is_uniform_at_its_threshold_and_strict_on_the_best_of_noise():
    """It is a test against the expected maximum: uniform where the true Sharpe ratio is there."""
    rng = np.random.default_rng(12)
    rows, trials = 500, 40
    threshold = expected_max_sharpe(trials, 1 / rows)
    at_it = rng.normal(threshold, 1.0, (1_500, rows))
    found = [deflated_sharpe(Moments.of(series), trials, 1 / rows) for series in at_it]
    assert stats.kstest(found, "uniform").pvalue > 0.001
    passed = 0
    for _ in range(200):
        searched = rng.normal(size=(rows, trials))
        best = searched[:, np.argmax(searched.mean(axis=0) / searched.std(axis=0))]
        clusters = clusters_of(segment_sums(searched))
        figure = deflated_sharpe(Moments.of(best), clusters.n_effective, clusters.variance)
        passed += figure > 0.95
    assert passed <= 10  # 5 %


def test_pbo_is_a_half_on_noise_and_near_zero_with_one_true_winner():
    on_noise, with_winner = [], []
    for seed in range(40):
        returns = noise(1_000, 30, seed)
        on_noise.append(pbo(segment_sums(returns, 10)).probability)
        returns[:, 3] += 0.003
        with_winner.append(pbo(segment_sums(returns, 10)).probability)
    assert np.mean(on_noise) == pytest.approx(0.5, abs=0.06)
    assert np.mean(with_winner) < 0.01


# Slow twins, from the returns themselves.


def ratio(returns: np.ndarray) -> float:
    return 0.0 if not returns.any() else returns.mean() / returns.std(ddof=1)


def naive_pbo(returns: np.ndarray, n_segments: int) -> dict[frozenset[int], tuple[float, ...]]:
    bounds = segment_bounds(len(returns), n_segments)
    parts = [returns[a:b] for a, b in itertools.pairwise(bounds)]
    found = {}
    for train in itertools.combinations(range(n_segments), n_segments // 2):
        inside = np.concatenate([parts[s] for s in train])
        outside = np.concatenate([parts[s] for s in range(n_segments) if s not in train])
        seen = [ratio(column) for column in inside.T]
        later = np.array([ratio(column) for column in outside.T])
        best = int(np.argmax(seen))
        place = stats.rankdata(later)[best] / (returns.shape[1] + 1)
        found[frozenset(train)] = seen[best], later[best], math.log(place / (1 - place))
    return found


@pytest.mark.parametrize("n_segments", [4, 6, 10])
def test_pbo_equals_its_twin(n_segments):
    returns = noise(203, 7, 1)
    returns[:, 5] = 0.0  # never traded
    returns[:40, 2] = 0.0
    found = pbo(segment_sums(returns, n_segments))
    expected = naive_pbo(returns, n_segments)
    actual = sorted(zip(found.inside, found.outside, found.logits, strict=True))
    assert_same(actual, sorted(expected.values()), atol=1e-12)
    assert found.probability == np.mean([x[2] <= 0 for x in expected.values()])
    assert found.probability_of_loss == np.mean([x[1] < 0 for x in expected.values()])
    assert_same(found.degradation, np.polyfit(found.inside, found.outside, 1), rtol=1e-8)


def test_pbo_equals_its_twin_check_can_fail():
    returns = noise(203, 7, 1)
    changed = returns.copy()
    changed[0, 0] += 0.05
    first, second = (sorted(naive_pbo(x, 4).values()) for x in (returns, changed))
    with pytest.raises(AssertionError, match="differs"):
        assert_same(first, second, atol=1e-12)


def test_segment_sums_add_in_the_order_of_the_rows():
    returns = noise(1_003, 3, 2)
    sums = segment_sums(returns, 8)
    bounds = segment_bounds(1_003, 8)
    for s in range(8):
        total, squares = np.zeros(3), np.zeros(3)
        for row in returns[bounds[s] : bounds[s + 1]]:
            total, squares = total + row, squares + row * row
        assert_identical(sums.total[s], total)
        assert_identical(sums.squares[s], squares)
    assert sums.rows.sum() == 1_003
    for one in range(3):  # a column alone has the same bits
        assert_identical(segment_sums(returns[:, one], 8).total[:, 0], sums.total[:, one])


def test_finer_segments_merge_to_coarser_ones():
    returns = noise(640, 6, 5)
    fine, coarse = segment_sums(returns, 64), segment_sums(returns, 16)
    merged = fine.merged(16)
    assert_same(merged.total, coarse.total, rtol=1e-12, atol=1e-15)
    assert merged.rows.tolist() == coarse.rows.tolist()
    assert pbo(merged).probability == pbo(coarse).probability
    with pytest.raises(al.errors.ParameterError, match="64 segments merged to 10"):
        fine.merged(10)


def test_sharpe_of_sums_is_that_of_the_returns():
    returns = noise(300, 4, 3)
    sums = segment_sums(returns)
    found = sharpe_of(sums.total.sum(axis=0), sums.squares.sum(axis=0), 300)
    assert_same(found, [ratio(column) for column in returns.T], rtol=1e-10)


def test_paths_equal_their_twin():
    returns, n_segments, n_test = noise(121, 5, 4), 6, 2
    bounds = segment_bounds(121, n_segments)
    parts = [returns[a:b] for a, b in itertools.pairwise(bounds)]
    pieces: list[list[np.ndarray]] = [[] for _ in range(n_segments)]
    for test in itertools.combinations(range(n_segments), n_test):
        train = np.concatenate([parts[s] for s in range(n_segments) if s not in test])
        best = int(np.argmax([ratio(column) for column in train.T]))
        for s in test:
            pieces[s].append(parts[s][:, best])
    paths = [ratio(np.concatenate(path)) for path in zip(*pieces, strict=True)]
    assert_same(cpcv_paths(segment_sums(returns, n_segments), n_test), paths, rtol=1e-10)


def test_copies_are_one_trial_and_independent_columns_are_many():
    trials = noise(1_600, 30, 6)
    assert clusters_of(segment_sums(trials)).n_effective >= 28
    copies = np.tile(trials[:, :4], 25)
    found = clusters_of(segment_sums(copies))
    assert found.n_effective == 4
    assert found.labels.tolist() == [*found.labels[:4]] * 25
    own = [ratio(column) for column in trials[:, :4].T]
    assert_same(sorted(found.sharpes), sorted(own), rtol=1e-9)
    assert found.variance == pytest.approx(np.var(own, ddof=1))


def test_a_single_cluster_is_one_trial():
    found = clusters_of(segment_sums(np.repeat(noise(400, 1, 1), 5, axis=1)))
    assert (found.n_effective, found.variance) == (1, 0.0)
    assert expected_max_sharpe(found.n_effective, found.variance) == 0.0


def test_a_true_winner_is_found_by_every_test_of_superiority():
    returns = noise(800, 12, 7)
    nothing = superiority(returns, seed=1, n_samples=300)
    assert nothing.superior == ()
    assert min(nothing.p_consistent, nothing.p_reality_check) > 0.05
    assert nothing.p_lower <= nothing.p_consistent <= nothing.p_upper
    returns[:, 4] += 0.002
    found = superiority(returns, seed=1, n_samples=300)
    assert (found.best, found.superior) == (4, (4,))
    assert max(found.p_upper, found.p_reality_check) < 0.01
    assert superiority(returns, returns[:, 4] + noise(800, 1, 8)[:, 0]).superior == ()


def test_superior_columns_are_those_of_stepm():
    from arch.bootstrap import StepM

    returns = noise(600, 8, 3)
    returns[:, [1, 6]] += [0.0012, 0.002]
    found = superiority(returns, block_rows=5, n_samples=300, seed=2)
    twin = StepM(np.zeros(600), -returns, size=0.05, block_size=5, reps=300, seed=2)
    twin.compute()
    assert found.superior == tuple(twin.superior_models) != ()


def test_columns_that_are_all_superior_are_found_in_steps():
    returns = np.random.default_rng(1).normal([0.003, 0.0009], 0.01, (400, 2))
    found = superiority(returns, block_rows=5, n_samples=200)
    assert found.superior == (0, 1)


@pytest.mark.parametrize("scheme", ["stationary", "block"])
def test_a_bootstrap_interval_covers_the_truth(scheme):
    covered = 0
    for seed in range(60):
        returns = np.random.default_rng(seed).normal(0.001, 0.01, 250)
        found = bootstrap_interval(
            returns, np.mean, scheme=scheme, level=0.9, n_samples=200, seed=seed
        )
        covered += found.low <= 0.001 <= found.high
    assert 46 <= covered <= 60  # 54 expected


def test_a_seed_decides_what_is_random():
    returns = noise(300, 1, 9)[:, 0]
    first, second, other = (bootstrap_interval(returns, np.mean, seed=s) for s in (1, 1, 2))
    assert first == second != other
    assert_identical(
        shuffled_trades(returns, 100, 3).drawdowns, shuffled_trades(returns, 100, 3).drawdowns
    )


def test_orders_of_trades_end_where_they_end_and_fall_differently():
    trades = np.array([0.2, -0.1, 0.05, -0.3, 0.1])
    found = shuffled_trades(trades, 2_000, 1)
    every = []
    for order in itertools.permutations(trades):
        equity = np.cumprod([1.0, *(1 + np.array(order))])
        every.append(np.max(1 - equity / np.maximum.accumulate(equity)))
    assert set(found.drawdowns.round(12)) == set(np.round(every, 12))
    assert found.quantile(0.5) == pytest.approx(np.median(every), abs=0.02)
    assert found.drawdown == pytest.approx(every[0])
    assert found.luck == pytest.approx(np.mean(np.array(every) < every[0] - 1e-12), abs=0.04)


def test_years_and_regimes_cover_the_rows():
    bars = al.load("sp500")
    result = al.backtest(al.ExprStrategy(text="where(close > 0, 1.0, 0.0)"), bars)
    years = by_year(bars.time, result.row_returns, 252.0)
    assert sum(year.rows for year in years) == bars.n_rows
    assert np.prod([1 + year.total_return for year in years]) - 1 == pytest.approx(
        result.metrics["total_return"]
    )
    calm, normal, wild = by_volatility(result.benchmark_returns, result.row_returns, 252.0)
    assert calm.rows + normal.rows + wild.rows == bars.n_rows - 60
    assert calm.sharpe > wild.sharpe


def test_capacity_is_where_impact_is_half_of_the_profit():
    rng = np.random.default_rng(0)
    q, v, s = rng.uniform(1e3, 1e4, 50), rng.uniform(1e6, 1e7, 50), rng.uniform(0.01, 0.02, 50)
    found = capacity(q, v, s, profit=500.0, cash=1e4)
    k = found.cash / 1e4
    impact = np.sum(s * np.sqrt(k * q / v) * k * q)
    assert impact == pytest.approx(0.5 * 500.0 * k)
    assert capacity(q, v, s, profit=-1.0, cash=1e4).cash == 0.0


# Stress.


def test_stress_makes_trading_dearer_and_later(strategies):
    settings = al.RunSettings(costs=al.Costs(fee_bps=5, spread_bps=2))
    bars = al.load("sp500", start="2010-01-01")
    cross = strategies["sma_cross"]()
    found = stress(all_cases(cross, History(bars), settings))
    by_label = {outcome.label: outcome for outcome in found}
    assert by_label["costs x3"].sharpe < by_label["costs x2"].sharpe
    base = al.backtest(cross, bars, costs=settings.costs)
    assert by_label["costs x2"].sharpe < base.metrics["sharpe"]
    assert by_label["delay +1"].sharpe != by_label["delay +2"].sharpe
    # Market orders know no path inside the bar.
    assert by_label["ohlc path"].sharpe == base.metrics["sharpe"]
    assert {outcome.kind for outcome in found} == {"costs", "delay", "path", "start", "parameter"}
    wide = al.backtest(type(cross)(fast=9, slow=30), bars, costs=settings.costs)
    assert by_label["fast=9"].sharpe == wide.metrics["sharpe"]


def test_fees_of_the_instruments_are_multiplied_too(strategies):
    bars = al.load("sp500").with_instruments(taker_bps=4.0, maker_bps=-1.0)
    (case,) = cost_cases(strategies["sma_cross"](), History(bars), al.RunSettings(), [2])
    (instrument,) = case.history.traded.instruments
    assert (instrument.taker_bps, instrument.maker_bps) == (8.0, -0.5)
    assert scaled_costs(al.Costs(), 3) == al.Costs()


def test_neighbours_leave_out_what_the_strategy_refuses(strategies):
    labels = [label for label, _ in neighbours(strategies["sma_cross"](fast=10, slow=11))]
    assert "fast=11" not in labels
    assert "slow=10" not in labels
    assert "slow=12" in labels


@pytest.fixture(scope="module")
def strategies():
    from alphalab.artifact.loading import load_strategy

    return {name: load_strategy(name) for name in ("sma_cross",)}


# Bad input: what was given, the rule, the remedy.

FLAT = np.full(100, 0.001)
HOLE = np.append(noise(99, 1, 0)[:, 0], np.nan)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: segment_sums(noise(20, 2, 0), 16), "20 rows in 16 segments.*32 rows are needed"),
        (lambda: segment_sums(noise(200, 2, 0), 7), "n_segments=7.*even"),
        (lambda: segment_sums(noise(2000, 2, 0), 128), "n_segments=128.*to 64"),
        (lambda: segment_sums(HOLE, 4), "row 99, column 0 is nan.*finite"),
        (lambda: pbo(segment_sums(noise(200, 1, 0))), "1 of 1 columns.*two columns"),
        (lambda: pbo(segment_sums(np.zeros((200, 3)))), "0 of 3 columns"),
        (lambda: pbo(segment_sums(noise(200, 3, 0), 2)), "2 segments.*4 to 20"),
        (lambda: pbo(segment_sums(noise(200, 3, 0), 32)), "32 segments.*4 to 20"),
        (lambda: clusters_of(segment_sums(noise(200, 3, 0)), same=0.0), "same=0"),
        (lambda: cpcv_paths(segment_sums(noise(200, 1, 0))), "1 column.*at least two"),
        (lambda: cpcv_paths(segment_sums(noise(200, 3, 0)), 16), "n_test=16"),
        (lambda: Moments.of(FLAT), "all 100 returns are 0.001.*differ"),
        (lambda: Moments.of(HOLE), "row 99 is nan"),
        (lambda: Moments.of(FLAT[:2]), "at least 3"),
        (lambda: probabilistic_sharpe(Moments(10, 1.0, 3.0, 3.0)), "no distribution"),
        (lambda: expected_max_sharpe(0, 1.0), "n_trials=0"),
        (lambda: min_track_record(Moments(0, 0.1), confidence=0.4), "confidence=0.4"),
        (lambda: min_backtest_years(10, sharpe=-1.0), "sharpe=-1"),
        (lambda: bootstrap_interval(noise(300, 1, 0)[:, 0], np.mean, block_rows=200), "half"),
        (lambda: bootstrap_interval(FLAT, np.mean), "all 100 returns"),
        (lambda: superiority(noise(300, 2, 0), np.zeros(5)), r"shape \(5,\)"),
        (lambda: shuffled_trades(np.array([0.1])), "at least two"),
        (lambda: shuffled_trades(np.array([0.1, -1.0])), "above -1"),
        (lambda: by_year(np.zeros(3, np.int64), HOLE[:2], 252.0), "one value for each row"),
        (lambda: by_volatility(HOLE[:50], HOLE[:50], 252.0), "at least 63 rows"),
        (lambda: capacity(np.array([]), np.array([]), np.array([]), profit=1, cash=1), "a fill"),
        (lambda: capacity(FLAT, FLAT * 0, FLAT, profit=1, cash=1), "volume of every bar"),
        (lambda: scaled_costs(al.Costs(), 0.5), "1 or more"),
    ],
)
def test_bad_input_is_refused_with_the_rule(call, message):
    with pytest.raises(al.errors.InputError, match=f"(?s){message}"):
        call()
