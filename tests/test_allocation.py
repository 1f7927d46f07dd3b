"""Weights that an optimiser chose from the past: equal to its own, and nothing from later rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import panel
from skfolio import RiskMeasure
from skfolio.optimization import (
    EqualWeighted,
    HierarchicalRiskParity,
    InverseVolatility,
    MeanRisk,
    RiskBudgeting,
)
from sklearn.base import BaseEstimator

import alphalab as al
from alphalab.errors import AlphalabError, DataError, ParameterError, StrategyError
from alphalab.research.portfolio.allocation import Allocation, allocate

BARS = al.load("sp500_stocks", start="2017-01-01").select(["AAPL", "JNJ", "JPM", "XOM", "WMT"])


def chosen(optimiser: Any, bars: al.Bars = BARS, **options: Any) -> Allocation:
    given = {"every": "1Y", "train": "1Y", "cache": None, "progress": False}
    return allocate(optimiser, bars, **(given | options))


def returns_of(bars: al.Bars) -> pd.DataFrame:
    close = pd.DataFrame(bars.close, columns=list(bars.symbols))
    return close / close.shift(1) - 1


@pytest.mark.parametrize(
    "optimiser",
    [
        InverseVolatility(),
        HierarchicalRiskParity(),
        RiskBudgeting(),
        MeanRisk(risk_measure=RiskMeasure.CVAR, max_weights=0.4),
    ],
    ids=lambda x: type(x).__name__,
)
def test_weights_are_those_of_the_optimiser_by_hand(optimiser: Any) -> None:
    made = chosen(optimiser)
    assert len(made.windows) == 4
    for window, weights in zip(made.windows, made.weights.to_numpy(), strict=True):
        rows = returns_of(BARS).iloc[window.first : window.row + 1]
        np.testing.assert_allclose(weights, optimiser.fit(rows).weights_, rtol=1e-12)


def test_later_rows_change_nothing() -> None:
    whole = chosen(MeanRisk()).join()["weight"]
    for cut in (510, 760, 900):
        part = chosen(MeanRisk(), BARS.rows(0, cut)).join()["weight"]
        np.testing.assert_array_equal(part, whole[:cut])


def test_it_trades_its_weights_when_they_change_and_drift() -> None:
    made = chosen(InverseVolatility())
    result = al.backtest(made.strategy, made.join())
    assert len({fill["row"] for fill in result.record.fills}) == 4  # once after each fit
    drifting = al.backtest(made.strategy, made.join(), rebalance=al.Rebalance.drift(0.02))
    assert drifting.metrics["n_fills"] > result.metrics["n_fills"]


def test_weights_are_known_after_the_latency() -> None:
    now, then = (chosen(EqualWeighted(), latency=x).join()["weight"] for x in (None, "1h"))
    np.testing.assert_array_equal(then[1:], now[:-1])


def test_limits_on_sectors_weights_and_drawdown_hold_in_sample() -> None:
    limited = MeanRisk(
        max_weights=0.4,
        max_max_drawdown=0.18,  # 0.195 without
        linear_constraints=["Energy <= 0.1", "Health Care >= 0.3"],
    )
    bars = BARS.rows(0, 520)  # 2017 and 2018
    made = chosen(limited, bars, groups="sector")
    table = made.weights
    assert (table["XOM"] <= 0.1 + 1e-6).all() and (table["JNJ"] >= 0.3 - 1e-6).all()
    assert table.to_numpy().max() <= 0.4 + 1e-6
    for window, weights in zip(made.windows, table.to_numpy(), strict=True):
        rows = returns_of(bars).iloc[window.first : window.row + 1].to_numpy()
        wealth = np.append(0.0, (rows @ weights).cumsum())  # skfolio adds returns up
        assert (np.maximum.accumulate(wealth) - wealth).max() <= 0.18 + 1e-6


def test_a_symbol_without_history_has_no_weight() -> None:
    close = BARS.close.copy()
    close[:100, 2] = np.nan
    made = chosen(EqualWeighted(), panel(close, BARS.symbols), every=200, train=200)
    assert made.weights.iloc[0].tolist() == [0.25, 0.25, 0.0, 0.25, 0.25]
    assert made.weights.iloc[1].tolist() == [0.2] * 5


class Equal(BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any = None) -> Equal:
        self.weights_ = np.full(X.shape[1], 1 / X.shape[1])
        return self


def test_splits_and_dividends_count_in_the_returns() -> None:
    """A share that splits in two has lost nothing."""
    close = BARS.close.copy()
    split, dividend = np.full_like(close, np.nan), np.full_like(close, np.nan)
    close[300:, 0] /= 2
    split[300, 0] = 2.0
    close[400:, 1] *= 0.9
    dividend[400, 1] = close[400, 1] / 9
    bars = panel(close, BARS.symbols).with_columns({"split": split, "dividend": dividend})
    plain = panel(BARS.close, BARS.symbols)
    found, expected = (
        chosen(InverseVolatility(), x, every=200, train=200).weights for x in (bars, plain)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_fits_are_kept(tmp_path: Path) -> None:
    first = chosen(Equal(), cache=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(before) == 4
    again = chosen(Equal(), cache=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert again.weights.equals(first.weights)


class Fails(Equal):
    def fit(self, X: Any, y: Any = None) -> Fails:
        raise ValueError("no luck")


class Short(Equal):
    def fit(self, X: Any, y: Any = None) -> Short:
        self.weights_ = np.ones(1)
        return self


CLASH = MeanRisk(linear_constraints=["AAPL >= 0.8", "JNJ <= 0.1"], max_weights=0.3)

REFUSED: list[tuple[Any, dict[str, Any], type[AlphalabError], str]] = [
    (CLASH, {}, StrategyError, r"without max_weights=0.3 or without 'AAPL >= 0.8' there"),
    (
        MeanRisk(linear_constraints=["AAPL >= 0.8", "JNJ >= 0.8", "JPM >= 0.8"]),
        {},
        StrategyError,
        "more than two of its constraints clash",
    ),
    (Fails(), {}, StrategyError, "no luck"),
    (Short(), {}, StrategyError, r"weights of shape \(1,\)"),
    ("hrp", {}, ParameterError, "an instance of a class of skfolio"),
    (MeanRisk(), {"groups": "colour"}, ParameterError, "'AAPL' has none"),
    (MeanRisk(), {"bars": BARS.select(["AAPL"])}, DataError, "at least two"),
    (MeanRisk(), {"train": 10, "every": 10}, DataError, "at least 20 rows"),
    (MeanRisk(), {"train": "9Y"}, DataError, "too few for one fit"),
]


@pytest.mark.parametrize(("optimiser", "change", "error", "text"), REFUSED)
def test_what_is_refused(
    optimiser: Any, change: dict[str, Any], error: type[AlphalabError], text: str
) -> None:
    with pytest.raises(error, match=text):
        chosen(optimiser, **change)


def test_bars_that_do_not_fit() -> None:
    made = chosen(EqualWeighted())
    with pytest.raises(DataError, match="of the same symbols"):
        made.join(BARS.select(["AAPL", "JNJ"]))
    with pytest.raises(DataError, match="have a column 'weight'"):
        made.join(made.join())
