"""Regimes as they were known in time, against hmmlearn, statsmodels and the sum over all paths."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.stats
from builders import panel
from hmmlearn.hmm import GaussianHMM
from sklearn.base import BaseEstimator, clone

import alphalab as al
from alphalab.errors import AlphalabError, DataError, ParameterError, StrategyError
from alphalab.research.models.change_points import ChangePoints
from alphalab.research.models.hidden_markov import GaussianHmm
from alphalab.research.models.markov_switching import MarkovSwitching
from alphalab.research.models.regimes import Regimes

BARS = al.load("sp500", start="2013-01-01")
RETURNS = al.evaluate("returns(close, 1)", BARS).to_numpy()[1:]


def two_features(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(1)
    calm = rng.multivariate_normal([0.1, 0.0], [[1.0, 0.5], [0.5, 1.0]], n // 2)
    wild = rng.multivariate_normal([-0.5, 1.0], [[9.0, -3.0], [-3.0, 4.0]], n // 2)
    return np.concatenate([calm, wild])


@pytest.fixture(scope="module")
def model() -> GaussianHmm:
    return GaussianHmm(2, n_starts=2, random_state=0).fit(RETURNS)


def of_hmmlearn(model: GaussianHmm) -> GaussianHMM:
    theirs = GaussianHMM(model.n_states, "full")
    theirs.startprob_, theirs.transmat_ = model.start_, model.transitions_
    theirs.means_, theirs.covars_ = model.means_, model.covariances_
    return theirs


# --- hidden Markov models ------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 17, 500, 1_400])
def test_the_filter_is_the_forward_probability_of_hmmlearn(model: GaussianHmm, n: int) -> None:
    """The smoothed probability of the last row of a prefix is the filtered one."""
    expected = of_hmmlearn(model).predict_proba(RETURNS[:n])[-1]
    np.testing.assert_allclose(model.predict_proba(RETURNS)[n - 1], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_several_features(covariance: str) -> None:
    x = two_features()
    made = GaussianHmm(3, covariance=covariance, n_starts=1, random_state=0).fit(x)
    for n in (1, 50, 400):
        expected = of_hmmlearn(made).predict_proba(x[:n])[-1]
        np.testing.assert_allclose(made.predict_proba(x)[n - 1], expected, rtol=0, atol=1e-10)


def test_the_filter_is_the_sum_over_all_paths(model: GaussianHmm) -> None:
    """The definition: the joint probability of rows and states, summed over the states before."""
    x = RETURNS[:6, 0]
    density = [
        scipy.stats.norm.pdf(x, model.means_[k, 0], np.sqrt(model.covariances_[k, 0, 0]))
        for k in range(2)
    ]
    for t in range(6):
        total = np.zeros(2)
        for path in itertools.product(range(2), repeat=t + 1):
            p = model.start_[path[0]] * density[path[0]][0]
            for i in range(1, t + 1):
                p *= model.transitions_[path[i - 1], path[i]] * density[path[i]][i]
            total[path[-1]] += p
        np.testing.assert_allclose(
            model.predict_proba(RETURNS[:6])[t], total / total.sum(), rtol=1e-12
        )


def test_a_row_that_is_unknown_tells_nothing(model: GaussianHmm) -> None:
    rows = RETURNS[:10].copy()
    rows[7] = np.nan
    p = model.predict_proba(rows)
    np.testing.assert_allclose(p[7], p[6] @ model.transitions_, rtol=1e-14)


def test_states_are_in_the_order_of_their_variances() -> None:
    for seed in range(2):
        made = GaussianHmm(3, n_starts=1, random_state=seed).fit(RETURNS)
        variances = made.covariances_[:, 0, 0]
        assert (np.diff(variances) > 0).all()


def test_far_from_every_state_the_filter_goes_on(model: GaussianHmm) -> None:
    p = model.predict_proba(np.array([[0.0], [50.0], [-1e6], [0.0]]))
    assert np.isfinite(p).all() and p.sum(axis=1) == pytest.approx([1.0] * 4)
    assert p[1].argmax() == 1


class Smoother(GaussianHMM):  # type: ignore[misc]
    """hmmlearn as it comes: its `predict` is the most probable path through all rows."""


def test_a_smoother_is_refused() -> None:
    with pytest.raises(StrategyError, match="changes when later rows are dropped"):
        forward(Smoother(2, random_state=0), output="predict", every="3M")


def forward(model: Any, **options: Any) -> Any:
    given = {
        "features": {"r": "returns(close, 1)"},
        "every": "1Y",
        "train": "2Y",
        "name": "regime",
        "output": "regimes",
        "cache": None,
        "progress": False,
    }
    return al.fit_forward(model, BARS, **(given | options))


def test_states_of_a_forward_fit_and_their_report() -> None:
    made = forward(GaussianHmm(2, n_starts=2))
    assert sorted(made.values) == ["regime", "regime_p0", "regime_p1"]
    regimes = Regimes.of(made)
    table = regimes.table
    assert table["volatility"].is_monotonic_increasing
    known = np.isfinite(regimes.states)
    for state in range(2):
        here = regimes.states == state
        returns = regimes.next_returns[here & np.isfinite(regimes.next_returns)]
        assert table["rows"][state] == here.sum()
        assert table["sharpe"][state] == pytest.approx(
            returns.mean() / returns.std(ddof=1) * BARS.periods_per_year**0.5
        )
    assert table["share"].sum() == pytest.approx(1.0)
    np.testing.assert_allclose(regimes.transitions.sum(axis=1), 1.0)
    hindsight = regimes.hindsight_table["sharpe"]
    assert hindsight["smoothed"] > hindsight["filtered"]
    assert regimes.hindsight is not None
    assert (regimes.hindsight[known] != regimes.states[known]).mean() > 0.01
    assert len(regimes.plot().data) == 3 and "state" in repr(regimes)
    assert "<table" in regimes._repr_html_()


# --- Markov switching ----------------------------------------------------------------------------


def test_filtered_probabilities_of_statsmodels() -> None:
    made = MarkovSwitching(2).fit(RETURNS[:1_000])
    p = made.predict_proba(RETURNS[:1_200])
    np.testing.assert_allclose(made.predict_proba(RETURNS[:900]), p[:900], rtol=0, atol=1e-12)
    assert np.abs(made.smoothed(RETURNS[:900])[-1] - p[899]).max() < 1e-12
    assert np.abs(made.smoothed(RETURNS[:900])[:800] - p[:800]).max() > 0.05
    variances = made.params_[-2:][made.order_]
    assert variances[0] < variances[1]


# --- change points -------------------------------------------------------------------------------


def by_definition(x: np.ndarray, every: float, prior: tuple[float, ...]) -> np.ndarray:
    """P(run length) at the last row: a sum over the last change, runs before it by recursion."""
    mean, kappa, alpha, beta = prior

    def evidence(rows: np.ndarray) -> float:
        """Density of rows of one run, by the predictive t of each."""
        m, k, a, b = mean, kappa, alpha, beta
        total = 1.0
        for value in rows:
            total *= scipy.stats.t.pdf(value, 2 * a, m, np.sqrt(b * (k + 1) / (a * k)))
            m, k, a, b = (
                (k * m + value) / (k + 1),
                k + 1,
                a + 0.5,
                b + k * (value - m) ** 2 / (2 * (k + 1)),
            )
        return total

    n, h = len(x), 1.0 / every
    total = np.zeros(n + 1)  # density of the first i rows, with a change after them
    total[0] = 1.0
    joint = np.zeros((n + 1, n + 1))
    for i in range(1, n + 1):
        for length in range(1, i + 1):
            start = i - length
            joint[i, length] = total[start] * (1 - h) ** (length - 1) * evidence(x[start:i])
        total[i] = h * joint[i].sum()
    return joint[n, 1:] / joint[n].sum()


def test_run_lengths_are_the_sum_over_all_changes() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(0, 1, 8), rng.normal(4, 0.5, 5)])
    prior = (0.5, 0.3, 1.5, 0.7)
    made = ChangePoints(20, prior=prior).fit(x[:, np.newaxis])
    p = made.run_lengths(x[:, np.newaxis])
    for n in (1, 2, 7, 9, 13):
        np.testing.assert_allclose(p[n - 1, 1 : n + 1], by_definition(x[:n], 20, prior), rtol=1e-9)
        assert p[n - 1, 0] == 0.0 and p[n - 1, n + 1 :].sum() == 0.0


def test_planted_changes_are_seen_in_a_few_rows() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(0, 1, 300), rng.normal(3, 1, 300), rng.normal(3, 4, 300)]
    x = np.concatenate(parts)[:, np.newaxis]
    likely = ChangePoints(300).fit(x[:300]).said(x)["likely"]
    assert likely[299] == pytest.approx(300, abs=5)
    assert likely[310] == pytest.approx(11, abs=3)
    assert likely[640] == pytest.approx(41, abs=8)


def test_rows_so_far_and_the_longest_run() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 1))
    short, whole = (ChangePoints(1_000, longest=n, recent=5).fit(x) for n in (20, 100))
    np.testing.assert_array_equal(short.run_lengths(x)[:30], short.run_lengths(x[:30]))
    np.testing.assert_allclose(short.run_lengths(x).sum(axis=1), 1.0)
    np.testing.assert_allclose(
        short.run_lengths(x)[:20, :20], whole.run_lengths(x)[:20, :20], rtol=1e-12
    )
    gap = x.copy()
    gap[30] = np.nan
    p = whole.run_lengths(gap)
    np.testing.assert_array_equal(p[30], p[29])


# --- bad input -----------------------------------------------------------------------------------

REFUSED: list[tuple[BaseEstimator, np.ndarray, type[AlphalabError], str]] = [
    (GaussianHmm(1), RETURNS, ParameterError, "at least 2 states"),
    (GaussianHmm(2, covariance="tied"), RETURNS, ParameterError, "'full' or 'diag'"),
    (GaussianHmm(2), RETURNS[:10], DataError, "at least 20 rows"),
    (GaussianHmm(2), np.ones((50, 1)), DataError, "constant"),
    (GaussianHmm(2), RETURNS[:, 0], DataError, r"shape \(n, D\)"),
    (MarkovSwitching(1), RETURNS, ParameterError, "at least 2 states"),
    (MarkovSwitching(2), np.ones((50, 1)), DataError, "constant"),
    (MarkovSwitching(2), two_features(), DataError, "one feature"),
    (ChangePoints(1.0), RETURNS, ParameterError, "above 1 row"),
    (ChangePoints(9, recent=9, longest=9), RETURNS, ParameterError, "longest is above it"),
    (ChangePoints(9), np.ones((50, 1)), DataError, "vary"),
    (ChangePoints(9), two_features(), DataError, "one feature"),
]


@pytest.mark.parametrize(("model", "x", "error", "text"), REFUSED)
def test_what_is_refused(
    model: BaseEstimator, x: np.ndarray, error: type[AlphalabError], text: str
) -> None:
    with pytest.raises(error, match=text):
        clone(model).fit(x)


def test_a_filter_of_several_symbols_and_states_that_are_none() -> None:
    bars = panel(np.exp(np.random.default_rng(0).normal(0, 0.01, (300, 2)).cumsum(axis=0)))
    with pytest.raises(ParameterError, match="per_symbol=True"):
        al.fit_forward(GaussianHmm(), bars, features={"c": "close"}, cache=None, progress=False)
    with pytest.raises(DataError, match="of one symbol"):
        Regimes(bars, np.zeros(300))
    with pytest.raises(DataError, match="one state for each row"):
        Regimes(BARS, np.zeros(3))
