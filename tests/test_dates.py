"""Frames of dates: somebody has to say what a date names, and then months are right."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from backtesting.test import GOOG

import alphalab as al
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError


class Hold(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close > 0, 1.0, 0.0)


def test_a_frame_of_dates_is_asked_about() -> None:
    for frame in (GOOG, GOOG.reset_index(names="Date")):
        with pytest.raises(DataError, match="state what a date names") as error:
            Bars.from_frame(frame)
        assert "label='session' with a calendar" in str(error.value)
    with pytest.raises(DataError, match="state what a date names"):
        Bars.from_closes(GOOG[["Close"]])


def test_months_of_sessions_are_those_of_pandas() -> None:
    """The trial's mistake: January 2005 was -0.46 % in place of 1.47 %."""
    bars = Bars.from_frame(GOOG, symbol="GOOG", label="session", calendar="XNYS")
    assert bars.start == "2004-08-19T20:00:00Z"
    result = al.backtest(Hold(), bars, quality="accept", start="2004-08-20")
    closes = GOOG.Close.resample("ME").last().pct_change()
    table = result.monthly_returns
    assert table.loc[2005, "Jan"] == pytest.approx(closes["2005-01-31"])
    assert table.loc[2008, "Oct"] == pytest.approx(closes["2008-10-31"])
    assert closes["2005-01-31"] == pytest.approx(0.0147, abs=1e-4)


def test_a_file_of_sessions_needs_two_words(tmp_path: Path) -> None:
    GOOG.to_csv(tmp_path / "goog.csv")
    loaded = al.load(tmp_path / "goog.csv", label="session", calendar="XNYS")
    frame = Bars.from_frame(GOOG, symbol="goog", label="session", calendar="XNYS")
    assert loaded == frame
    unknown = al.load(tmp_path / "goog.csv")
    warned = al.backtest(Hold(), unknown, quality="accept").warnings
    assert any("label='session'" in warning for warning in warned)
    assert not any("label" in w for w in al.backtest(Hold(), loaded, quality="accept").warnings)


def test_a_calendar_without_the_label_of_sessions_is_refused() -> None:
    with pytest.raises(DataError, match="label='session'"):
        Bars.from_frame(GOOG, label="open", calendar="XNYS")
    with pytest.raises(al.errors.ParameterError, match="without a calendar"):
        Bars.from_frame(GOOG, label="session")


def test_equal_frames_of_dates_go_round(tmp_path: Path) -> None:
    GOOG.to_csv(tmp_path / "goog.csv")
    bars = al.load(tmp_path / "goog.csv")
    assert Bars.from_frame(bars.to_frame()) == bars
    assert isinstance(bars.to_frame().index, pd.DatetimeIndex)
