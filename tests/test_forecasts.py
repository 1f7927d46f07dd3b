"""Forecasts beside the naive ones: figures by their formulas, and a planted signal is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from builders import panel
from sklearn.linear_model import Ridge

import alphalab as al
from alphalab.errors import ParameterError
from alphalab.research.models.forecasts import NAIVE, Forecasts, compare_forecasts


def momentum(strength: float, n: int = 700, n_assets: int = 1) -> al.Bars:
    """Returns that repeat a part of the return before."""
    rng = np.random.default_rng(0)
    r = np.zeros((n, n_assets))
    for t in range(1, n):
        r[t] = strength * r[t - 1] + rng.normal(0, 0.01, n_assets)
    return panel(100 * np.exp(r.cumsum(axis=0)))


def compared(bars: al.Bars, **options: Any) -> Forecasts:
    given: dict[str, Any] = {
        "features": {"r1": "returns(close, 1)"},
        "target": "returns(close, 1)",
        "horizon": 1,
        "every": 100,
        "train": 200,
        "cache": None,
        "progress": False,
    }
    return compare_forecasts({"ridge": Ridge(1e-9)}, bars, **(given | options))


@pytest.fixture(scope="module")
def found() -> Forecasts:
    return compared(momentum(0.5))


def test_a_planted_signal_beats_the_naive_forecasts(found: Forecasts) -> None:
    table = found.table
    assert table["beats_naive"].to_dict() == {
        **{"ridge": True},
        **dict.fromkeys(NAIVE, False),
    }
    assert table["r2"]["ridge"] == pytest.approx(0.25, abs=0.08)
    assert table["sharpe"]["ridge"] > table["sharpe"]["mean"]
    assert "Not better" not in repr(found)


def test_noise_does_not() -> None:
    assert "Not better than the naive forecasts: ridge." in repr(compared(momentum(0.0)))


def test_figures_by_their_formulas(found: Forecasts) -> None:
    label = found.label[found.used]
    table = found.table
    for name, forward in found.forwards.items():
        forecast = forward.values["forecast"][found.used]
        error = forecast - label
        assert table["rmse"][name] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert table["mae"][name] == pytest.approx(np.mean(np.abs(error)))
    close = found.bars.close[:, 0]
    returns = np.append(np.nan, close[1:] / close[:-1] - 1)
    np.testing.assert_allclose(found.label[:-1, 0], returns[1:])
    np.testing.assert_allclose(
        found.forwards["last"].values["forecast"][found.used[:, 0], 0], returns[found.used[:, 0]]
    )
    assert table["rank_ic"]["ridge"] == pytest.approx(
        scipy.stats.spearmanr(found.forwards["ridge"].values["forecast"][found.used], label)[0]
    )


@pytest.mark.parametrize("horizon", [1, 4])
def test_diebold_and_mariano_by_their_formula(horizon: int) -> None:
    """Mean loss difference over its Newey-West error: Bartlett weights, horizon - 1 lags."""
    target = f"returns(close, {horizon})"
    found = compared(momentum(0.5), horizon=horizon, target=target)
    naive = min(NAIVE, key=lambda name: float((found.errors(name) ** 2).mean()))
    d = found.errors("ridge") ** 2 - found.errors(naive) ** 2
    n, apart = len(d), d - d.mean()
    variance = (apart @ apart) / n
    for lag in range(1, horizon):
        variance += 2 * (1 - lag / horizon) * (apart[lag:] @ apart[:-lag]) / n
    expected = d.mean() / np.sqrt(variance / (n - 1))
    assert found.table["dm"]["ridge"] == pytest.approx(expected, rel=1e-9)


def test_several_symbols_are_compared_row_by_row() -> None:
    found = compared(momentum(0.5, n_assets=3))
    assert found.used.shape == (700, 3)
    assert bool(found.table["beats_naive"]["ridge"])


def test_what_is_refused() -> None:
    with pytest.raises(ParameterError, match="naive forecasts, which are always compared"):
        compare_forecasts(
            {"mean": Ridge()}, momentum(0.5), features={"c": "close"}, target="close", horizon=1
        )
    with pytest.raises(ParameterError, match="at least one"):
        compare_forecasts({}, momentum(0.5), features={"c": "close"}, target="close", horizon=1)
