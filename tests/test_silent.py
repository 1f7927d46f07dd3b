"""Warnings of a run: assets without signals, old observations, unknown volume."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from builders import one_price

import alphalab as al
from alphalab.data.clock.times import NS_DAY, nanoseconds

START = nanoseconds("2024-01-01T21:00")
DAYS = START + np.arange(300) * NS_DAY
WEEKDAY = np.arange(300) % 7 < 5


def etf_and_coin() -> al.Bars:
    """Return daily bars of a coin, and of a fund that trades on weekdays."""
    close = 100.0 + 10 * np.sin(np.arange(600.0).reshape(300, 2) / 9)
    close[~WEEKDAY, 0] = np.nan
    return one_price(DAYS, close, ["ETF", "COIN"])


class Trend(al.Strategy):
    n: int = 20

    def weights(self) -> al.Expr:
        return 0.4 * (al.close > al.close.ts_mean(self.n))


def said(result: al.Result, words: str) -> list[str]:
    return [warning for warning in result.warnings if words in warning]


def test_an_asset_without_signals_is_named_with_the_cause() -> None:
    """The trial's mistake: a weekday fund beside a daily coin never traded, without a word."""
    result = al.backtest(Trend(), etf_and_coin(), quality="accept")
    (warning,) = said(result, "no signal")
    assert warning.startswith("ETF has no signal in 215 of the 215 rows in which it trades")
    assert "ts_mean(close, 20) is unknown while its window holds one of the 85 rows" in warning
    for cure in ("on_traded", "ffill", "min_periods"):
        assert cure in warning
    assert set(result.record.fills["asset"].tolist()) == {1}


def test_no_warning_where_all_is_known() -> None:
    bars = etf_and_coin().select(["COIN"])
    assert not said(al.backtest(Trend(), bars, quality="accept"), "no signal")


def test_rows_before_the_start_count_as_warm_up() -> None:
    bars = etf_and_coin().select(["COIN"])
    result = al.backtest(Trend(n=100), bars, start=pd.Timestamp(DAYS[200]), quality="accept")
    assert not said(result, "no signal")


class Late(al.Strategy):
    def weights(self) -> al.Expr:
        return 0.4 * (al.close > al.close.ts_mean(50))


def test_an_asset_that_is_listed_too_late_is_named() -> None:
    close = 100.0 + 10 * np.sin(np.arange(600.0).reshape(300, 2) / 9)
    close[:260, 1] = np.nan
    result = al.backtest(Late(), one_price(DAYS, close, ["OLD", "NEW"]), quality="accept")
    (warning,) = said(result, "no signal")
    assert warning.startswith("NEW has no signal in 40 of the 40 rows")
    assert "ts_mean(close, 50) needs 50 rows" in warning


class Named(al.Strategy):
    def weights(self) -> al.Expr:
        return al.per_symbol({"COIN": al.where(al.close > 100, 0.5, float("nan"))})


def test_an_opinion_that_is_meant_to_be_missing_is_no_fault() -> None:
    assert not said(al.backtest(Named(), etf_and_coin(), quality="accept"), "no signal")


class Told(al.Strategy):
    def weights(self) -> al.Expr:
        return 0.5 * al.sign(al.column("score"))


def test_a_column_that_is_unknown_is_named() -> None:
    bars = etf_and_coin()
    score = np.ones((300, 2))
    score[:, 0] = np.nan
    result = al.backtest(Told(), bars.with_columns({"score": score}), quality="accept")
    (warning,) = said(result, "no signal")
    assert warning.startswith("ETF has") and "the column score is unknown" in warning


class Busy(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.volume.fill_nan(0.0) >= 0, 0.5, 0.0)


def test_a_strategy_may_read_a_volume_that_is_unknown() -> None:
    bars = one_price(DAYS, 100.0 + np.arange(300.0))
    bars = bars.with_columns({"volume": np.full((300, 1), np.nan)})
    assert len(al.backtest(Busy(), bars, quality="accept").fills) == 1
    with pytest.raises(al.errors.DataError, match="participation"):
        al.backtest(Busy(), bars, quality="accept", execution=al.Execution(participation=0.1))


def scores(n: int, every: int = 1) -> pd.DataFrame:
    known = pd.to_datetime(DAYS[:n:every])
    return pd.DataFrame({"time": known, "known": known, "value": 1.0, "name": "score"})


def test_old_observations_are_told_with_their_age() -> None:
    bars = etf_and_coin()
    fresh = al.backtest(Told(), bars.with_observations(scores(300)), quality="accept")
    assert not said(fresh, "usual interval")
    old = al.backtest(Told(), bars.with_observations(scores(100)), quality="accept")
    (warning,) = said(old, "usual interval")
    assert "COIN trades in 197 of 300 rows" in warning and "200d old" in warning
    ended = bars.with_observations(scores(100), max_age="3d")
    assert not said(al.backtest(Told(), ended, quality="accept"), "usual interval")
