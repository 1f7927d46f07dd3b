"""Coarser bars against pandas and a naive twin; and no coarse bar is known before its last row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import one_price, texts
from hypothesis import given, settings
from hypothesis import strategies as st

import alphalab as al
from alphalab.data.clock.calendars import expected_closes
from alphalab.data.clock.times import NS_DAY, NS_SECOND, nanoseconds, parse_duration
from alphalab.data.panel.bars import Bars
from alphalab.data.samples.datasets import sp500
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import DataError, UnknownNameError
from alphalab.sessions import session_bounds
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, InstrumentChange, IntArray

MINUTE = 60 * NS_SECOND
HOUR = 60 * MINUTE
START = nanoseconds("2024-01-01")


def made(time: IntArray, n_symbols: int = 2, seed: int = 0, **fields: str) -> Bars:
    """Bars at given times, a tenth of the cells without trades, and a column of observations."""
    rng = np.random.default_rng(seed)
    shape = (len(time), n_symbols)
    close = 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(shape), axis=0))
    open_ = close * np.exp(0.01 * rng.standard_normal(shape))
    columns = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.001,
        "low": np.minimum(open_, close) * 0.999,
        "close": close,
        "volume": rng.integers(0, 9, shape).astype(float),
    }
    score = rng.standard_normal(shape)
    score[rng.random(shape) < 0.7] = np.nan
    hidden = rng.random(shape) < 0.1
    for values in columns.values():
        values[hidden] = np.nan
    names = [f"S{j}" for j in range(n_symbols)]
    bars = Bars(time, names, columns | {"score": score})
    return bars.with_instruments(**fields) if fields else bars


def naive(bars: Bars, window: list[int], name: str) -> FloatArray:
    """The columns of one window of rows, by loops over what is known."""
    row = np.full(bars.n_symbols, np.nan)
    for j in range(bars.n_symbols):
        traded = [i for i in window if not np.isnan(bars.close[i, j])]
        values = [float(bars[name][i, j]) for i in traded]
        if name == "score":
            known = [bars[name][i, j] for i in window if not np.isnan(bars[name][i, j])]
            row[j] = known[-1] if known else np.nan
        elif values:
            row[j] = {
                "open": values[0],
                "high": max(values),
                "low": min(values),
                "close": values[-1],
                "volume": sum(values),
            }[name]
    return row


# ---- pandas ----------------------------------------------------------------------------------

HOW = {"open": "first", "high": "max", "low": "min", "close": "last"}


def by_pandas(bars: Bars, interval: str, offset: str | None) -> pd.DataFrame:
    frame = bars.to_frame()
    step, shift = (pd.Timedelta(parse_duration(x) if x else 0) for x in (interval, offset))
    windows = frame.resample(step, closed="right", label="right", origin="epoch", offset=shift)
    how = {pair: HOW.get(pair[0], "last") for pair in frame.columns if pair[0] != "volume"}
    result = windows.agg(how)
    for symbol in bars.symbols:
        result["volume", symbol] = windows[[("volume", symbol)]].sum(min_count=1)
    return result[windows.size() > 0]


@pytest.mark.parametrize(
    ("bar", "interval", "offset"),
    [
        ("1m", "5m", None),
        ("1m", "1h", None),
        ("5m", "1h", "15m"),
        ("5m", "4h", "1h"),
        ("1h", "1d", None),
        ("1h", "7d", "4d"),
        ("1h", "36h", "12h"),
        ("1h", "1h", None),
    ],
)
def test_windows_are_those_of_pandas(bar: str, interval: str, offset: str | None) -> None:
    bars = synthetic(3_000, 3, seed=5, bar=bar, gap_frac=0.2)
    coarse = bars.resample(interval, calendar="24/7", offset=offset)
    expected = by_pandas(bars, interval, offset)
    if coarse.n_rows < len(expected):  # the last has not closed
        assert expected.index[-1] > pd.Timestamp(bars.end)
        expected = expected.iloc[:-1]
    frame = coarse.to_frame()
    pd.testing.assert_frame_equal(frame, expected[frame.columns], check_freq=False, rtol=1e-14)
    assert coarse.resample(interval, offset=offset) == coarse


def test_real_bars_with_gaps(shared_data: Path) -> None:
    bars = al.load(shared_data / "crypto_5m_binance.parquet", label="open")
    hours = bars.resample("1h")
    expected = by_pandas(bars, "1h", None)
    frame = hours.to_frame()
    pd.testing.assert_frame_equal(
        frame, expected[frame.columns].loc[: frame.index[-1]], check_freq=False, rtol=1e-12
    )
    assert "resampled from 5m to 1h" in texts(hours)


# ---- causality -------------------------------------------------------------------------------

GRIDS: dict[str, Callable[[int], IntArray]] = {
    "24/7": lambda n: START + np.arange(1, n + 1) * 10 * MINUTE,
    "XNYS": lambda n: expected_closes("XNYS", 10 * MINUTE, START, START + 15 * NS_DAY)[:n],
    "XHKG": lambda n: expected_closes("XHKG", 10 * MINUTE, START, START + 15 * NS_DAY)[:n],
}


@st.composite
def gappy(draw: st.DrawFn) -> tuple[str, IntArray]:
    """A calendar, and the closes that its bars should have without up to six runs of them."""
    calendar = draw(st.sampled_from(list(GRIDS)))
    grid = GRIDS[calendar](draw(st.integers(20, 300)))
    kept = np.ones(len(grid), np.bool_)
    for _ in range(draw(st.integers(0, 6))):
        first = draw(st.integers(15, len(grid)))
        kept[first : first + draw(st.integers(1, 90))] = False
    return calendar, grid[kept]


def prefix(bars: Bars, n_rows: int, interval: str) -> Bars | None:
    try:
        return bars.rows(0, n_rows).resample(interval)
    except DataError as error:
        assert "has closed" in str(error)
        return None


@settings(max_examples=80)
@given(case=gappy(), interval=st.sampled_from(["20m", "1h", "4h", "1d", "3d"]), data=st.data())
def test_what_a_prefix_tells_stays(
    case: tuple[str, IntArray], interval: str, data: st.DataObject
) -> None:
    calendar, time = case
    bars = made(time, calendar=calendar)
    n_rows = data.draw(st.integers(2, len(time)))
    before, after = (prefix(bars, n, interval) for n in (n_rows, len(time)))
    if before is None or after is None:
        assert before is None
        return
    assert before == after.rows(0, before.n_rows)
    # A bar that the prefix lacks was known later.
    assert (after.time[before.n_rows :] > time[n_rows - 1]).all()
    assert before.time[-1] <= time[n_rows - 1]


@settings(max_examples=80)
@given(case=gappy(), interval=st.sampled_from(["20m", "1h", "4h", "1d", "3d"]), data=st.data())
def test_a_timeframe_knows_no_later_row(
    case: tuple[str, IntArray], interval: str, data: st.DataObject
) -> None:
    calendar, time = case
    row = data.draw(st.integers(2, len(time)))
    one, other = (made(time, seed=seed, calendar=calendar) for seed in (1, 2))
    mixed = one.with_columns(
        {name: np.vstack((one[name][:row], other[name][row:])) for name in one.columns}
    )
    whole, changed = (x.with_timeframe(interval, None) for x in (one, mixed))
    short = one.rows(0, row).with_timeframe(interval, None)
    for name in one.columns:
        column = f"{name}_{interval}"
        np.testing.assert_array_equal(whole[column][:row], changed[column][:row])
        np.testing.assert_array_equal(whole[column][:row], short[column])


@settings(max_examples=60)
@given(case=gappy(), interval=st.sampled_from(["20m", "1h", "1d"]))
def test_bars_and_timeframes_are_what_loops_make(case: tuple[str, IntArray], interval: str) -> None:
    calendar, time = case
    bars = made(time, calendar=calendar)
    step = parse_duration(interval)
    ends = expected_closes(calendar, step, int(time[0]), int(time[-1]) + 9 * NS_DAY)
    windows: dict[int, list[int]] = {}
    for i, t in enumerate(time):
        windows.setdefault(min(end for end in ends if end >= t), []).append(i)
    closed = {end: rows for end, rows in windows.items() if end <= time[-1]}
    if closed:
        coarse = bars.resample(interval)
        assert coarse.time.tolist() == list(closed)
        for name in (*BAR_COLUMNS, "score"):
            expected = np.array([naive(bars, rows, name) for rows in closed.values()])
            np.testing.assert_allclose(coarse[name], expected, rtol=1e-14)
    fine = bars.with_timeframe(interval, ("close", "score"))
    for i, t in enumerate(time):
        known = [rows for end, rows in windows.items() if end <= t]
        for name in ("close", "score"):
            last = naive(bars, known[-1], name) if known else np.full(2, np.nan)
            np.testing.assert_array_equal(fine[f"{name}_{interval}"][i], last)


def test_a_timeframe_in_the_language() -> None:
    bars = synthetic(300, 1, bar="10m", gap_frac=0.0)
    fine = bars.with_timeframe("1h")
    mean = al.evaluate(al.column("close_1h").ts_mean(12), fine).to_numpy().ravel()
    hourly = bars.close.ravel()[5::6]
    # Twelve fine rows hold two hours, so the mean is that of two of their closes.
    assert mean[29] == pytest.approx((6 * hourly[3] + 5 * hourly[2] + hourly[4]) / 12)
    assert np.isnan(mean[15]) and not np.isnan(mean[16])


# ---- sessions --------------------------------------------------------------------------------


def test_days_are_sessions_early_closes_included() -> None:
    time = expected_closes("XNYS", 5 * MINUTE, nanoseconds("2020-10-20"), nanoseconds("2020-12-30"))
    bars = made(time, calendar="XNYS")
    days = bars.resample("1d")
    _, opens, closes = session_bounds("XNYS", time[0] // NS_DAY, time[-1] // NS_DAY)
    assert days.time.tolist() == closes.tolist()
    assert pd.Timestamp("2020-11-27T18:00Z").value in days.time  # at 13:00, after Thanksgiving
    for k in (0, 9, 20, -1):
        rows = np.flatnonzero((time > opens[k]) & (time <= closes[k])).tolist()
        np.testing.assert_array_equal(days.high[k], naive(bars, rows, "high"))
    assert days.periods_per_year == 252


@pytest.mark.parametrize(("interval", "offset"), [("1d", None), ("3d", None), ("7d", "4d")])
def test_a_prefix_of_days_ends_no_window_early(interval: str, offset: str | None) -> None:
    bars = sp500().between("2012-10-15", "2012-11-30")
    whole = bars.resample(interval, offset=offset)
    for n_rows in range(10, bars.n_rows):
        part = bars.rows(0, n_rows).resample(interval, offset=offset)
        assert part == whole.rows(0, part.n_rows)
        assert (whole.time[part.n_rows :] > bars.time[n_rows - 1]).all()


def test_a_row_at_the_open_is_of_the_session_before() -> None:
    bars = made(nanoseconds("2024-01-01") + np.arange(1, 97) * HOUR, calendar="24/5")
    days = bars.resample("1d")
    assert days == bars.resample("1d", calendar="24/7")
    assert days.n_rows == 4 and days.close[0, 0] == bars.close[23, 0]


def test_hours_end_with_the_session() -> None:
    time = expected_closes("XNYS", 30 * MINUTE, START, START + 9 * NS_DAY)
    bars = made(time, calendar="XNYS")
    of_clock, of_open = bars.resample("2h"), bars.resample("2h", offset="90m")
    day = of_clock.time[0] // NS_DAY * NS_DAY
    minutes = [(of.time[:4] - day) // MINUTE for of in (of_clock, of_open)]
    assert minutes[0].tolist() == [16 * 60, 18 * 60, 20 * 60, 21 * 60]
    assert minutes[1].tolist() == [15 * 60 + 30, 17 * 60 + 30, 19 * 60 + 30, 21 * 60]
    assert len(expected_closes("XNYS", 2 * HOUR, START, START + 9 * NS_DAY)) == of_clock.n_rows


def test_weeks_of_daily_bars_end_with_their_last_session() -> None:
    bars = sp500().between("2012-10-01", "2013-01-07")
    weeks = bars.resample("7d", offset="4d")
    assert len(weeks) == 14 and weeks.periods_per_year == 52
    dates = pd.DatetimeIndex(weeks.time)
    # The storm's week ends on a Friday; Thanksgiving's, too, with an early close (stamped 21:00).
    assert {"2012-11-02", "2012-11-23", "2012-12-28"} <= set(dates.strftime("%Y-%m-%d"))
    week = bars.between("2012-10-31", "2012-11-02")
    assert weeks.open[4, 0] == week.open[0, 0] and weeks.close[4, 0] == week.close[-1, 0]
    assert weeks.volume[4, 0] == week.volume.sum() and weeks.time[4] == week.time[-1]
    assert bars.resample("1d") == bars


def test_dates_that_name_the_day_before_are_of_its_session(shared_data: Path) -> None:
    path = shared_data / "us_equity_daily_raw.parquet"
    raw = al.load(path, label="open", start="2014-01-01", end="2014-12-31")
    weeks = raw.with_instruments(calendar="XNYS").resample("7d", offset="4d")
    frame = raw.to_frame()
    week = (frame.index - pd.Timedelta("1D")).tz_localize(None).to_period("W-SUN")
    expected = frame.groupby(week).agg({pair: HOW.get(pair[0], "sum") for pair in frame.columns})
    got = weeks.to_frame()
    np.testing.assert_array_equal(got["close"].to_numpy(), expected["close"].to_numpy()[: len(got)])
    np.testing.assert_array_equal(got["open"].to_numpy(), expected["open"].to_numpy()[: len(got)])


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ([15, 16, 17, 18, 19, 20, 21, 22], "comes after 2024-01-08T21:00:00Z"),
        ([20, 21, 22], "outside sessions out"),
        ([7, 8, 9, 10, 11], "row 1 .* comes after 2024-01-05T21:00:00Z"),
    ],
)
def test_rows_outside_sessions_are_refused(hours: list[int], words: str) -> None:
    bars = made(nanoseconds("2024-01-08") + np.array(hours) * HOUR, calendar="XNYS")
    with pytest.raises(DataError, match=words):
        bars.resample("4h")
    assert bars.resample("2h", calendar="24/7").n_rows


def test_a_stamp_after_the_close_is_when_the_bar_was_known() -> None:
    _, _, closes = session_bounds("XNYS", START // NS_DAY, START // NS_DAY + 20)
    late = closes + 90 * NS_SECOND
    days = made(late, calendar="XNYS").resample("1d")
    assert days.time.tolist() == late.tolist()


def test_rows_before_any_known_session_are_refused() -> None:
    bars = made(nanoseconds("1990-01-01") + np.arange(1, 9) * HOUR, calendar="XLON")
    with pytest.raises(DataError, match="before the first session of XLON"):
        bars.resample("2h")


# ---- what is in a bar ------------------------------------------------------------------------


def test_a_split_inside_a_bar_counts_in_new_units() -> None:
    time = START + np.arange(1, 9) * HOUR
    close = np.array([100.0, 102, 51, 50, 52, 26, 26, 27]).reshape(-1, 1)
    split, dividend = np.full((2, 8, 1), np.nan)
    split[[2, 5]] = 2.0
    dividend[[2, 4, 6]] = [[0.5], [1.0], [0.25]]
    columns = {"volume": np.full((8, 1), 10.0), "split": split, "dividend": dividend}
    bars = one_price(time, close, columns=columns)
    one = bars.resample("8h")
    cells = {name: float(values[0, 0]) for name, values in one.columns.items()}
    assert cells == {
        "open": 25.0,
        "high": 27.0,
        "low": 25.0,
        "close": 27.0,
        "volume": 10 * (4 + 4 + 2 + 2 + 2 + 1 + 1 + 1),
        "split": 4.0,
        "dividend": 0.5 / 2 + 1.0 / 2 + 0.25,
    }
    two = bars.resample("4h")
    assert two["split"].ravel().tolist() == [2, 2] and two.open.ravel().tolist() == [50, 26]
    np.testing.assert_array_equal(bars.resample("2h")["split"].ravel(), [np.nan, 2, 2, np.nan])


def test_a_position_is_worth_the_same_on_coarser_bars() -> None:
    days = pd.bdate_range("2024-01-01", periods=30) + pd.Timedelta("21h")
    rng = np.random.default_rng(3)
    price = 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(30)))
    price[12:] /= 4
    bars = Bars.from_closes(pd.DataFrame({"A": price}, index=days))
    actions = pd.DataFrame(
        {"time": days[[12, 14]].normalize(), "split": [4.0, None], "dividend": [None, 1.0]}
    )
    bars = bars.with_actions(actions)

    class Hold(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(al.close > 0, 1.0, 0.0)

    weeks = bars.resample("7d", offset="4d")
    coarse = al.backtest(Hold(), weeks, fill="same_close", actions="cash")
    fine = al.backtest(
        Hold(), bars.rows(4, 30), fill="same_close", actions="cash"
    )  # from the same Friday
    assert coarse.equity.iloc[-1] == pytest.approx(
        fine.equity.loc[: coarse.equity.index[-1]].iloc[-1]
    )


def test_funding_is_added_where_all_of_it_is_known() -> None:
    time = START + np.arange(1, 49) * HOUR
    bars = made(time, 1).with_instruments(kind="linear", funding_hours=8)
    due = np.flatnonzero((time - HOUR) % (8 * HOUR) == 0)
    funding = np.full((48, 1), np.nan)
    funding[due, 0] = [1, 2, 3, 4, 5, 6]
    bars = bars.with_columns({"funding": funding})
    assert bars.resample("1d")["funding"].ravel().tolist() == [6, 15]
    assert bars.resample("16h")["funding"].ravel().tolist() == [1, 5, 9]
    np.testing.assert_array_equal(
        bars.resample("4h")["funding"].ravel()[:4], [1, np.nan, 2, np.nan]
    )
    funding[due[1]] = np.nan
    bars = bars.with_columns({"funding": funding})
    np.testing.assert_array_equal(bars.resample("1d")["funding"].ravel(), [np.nan, 15])


@pytest.mark.parametrize("interval", ["30m", "4h", "8h", "1d"])
def test_real_funding_is_that_of_coarse_bars(shared_data: Path, interval: str) -> None:
    bars = al.load(shared_data / "xrp_perp_5m.parquet", label="open")
    bars = bars.with_instruments(kind="linear", funding_hours=8, calendar="24/7")
    path = shared_data / "xrp_perp_funding_8h.parquet"
    given_ = pd.read_parquet(path)
    given_["symbol"] = bars.symbols[0]
    fine, coarse = bars.with_funding(given_), bars.resample(interval)
    resampled, placed = fine.resample(interval)["funding"], coarse.with_funding(given_)["funding"]
    assert np.count_nonzero(~np.isnan(resampled)) > 2
    np.testing.assert_allclose(resampled[1:], placed[1:], rtol=1e-12)


def test_funding_that_a_gap_moves_to_another_window_is_unknown() -> None:
    time = START + np.delete(np.arange(1, 49), [14, 15, 16, 17, 18, 19, 20, 21, 22, 23]) * HOUR
    bars = made(time, 1).with_instruments(kind="linear", funding_hours=8)
    funding = np.zeros((len(time), 1))
    funding[[0, 8, 14, 22, 30], 0] = 1.0  # row 14 carries those of 16:00 and 24:00
    bars = bars.with_columns({"funding": funding})
    assert np.isnan(bars.resample("1d")["funding"]).ravel().tolist() == [True, True]


def test_an_unknown_volume_makes_the_sum_unknown() -> None:
    bars = made(START + np.arange(1, 9) * HOUR, 1)
    traded = np.flatnonzero(~np.isnan(bars.close.ravel()))
    volume = bars.volume.copy()
    volume[traded[0]] = np.nan
    total = bars.with_columns({"volume": volume}).resample("4h").volume.ravel()
    assert np.isnan(total[0]) and not np.isnan(total[1])


# ---- what is said and refused ----------------------------------------------------------------


def test_notes_tell_of_what_is_not_whole() -> None:
    bars = made(START + np.arange(3, 16) * 10 * MINUTE)
    hours = bars.resample("1h")
    assert hours.n_rows == 2 and texts(hours) == (
        "resampled from 10m to 1h",
        "the first 1h bar holds rows from 2024-01-01T00:30:00Z on: "
        "its window began at 2024-01-01T00:00:00Z",
        "the 1h window to 2024-01-01T03:00:00Z has not closed: its rows, 3, are left out",
    )
    change = InstrumentChange(int(bars.time[5]), Instrument(symbol="S1", tick=0.5))
    stored = Bars(
        bars.time,
        bars.symbols,
        bars.columns,
        instrument_changes=[change],
        version="store:v/10m@bars=3",
        source="v",
    )
    again = stored.resample("1h")
    assert again.instrument_changes == (change,)
    assert again.version == "" and again.source == "v"
    assert texts(again)[:2] == ("made of store:v/10m@bars=3", "resampled from 10m to 1h")
    finer = stored.with_timeframe("1h", "close")
    assert texts(finer)[0] == texts(again)[0] and finer.columns.keys() - bars.columns == {
        "close_1h"
    }
    assert texts(finer)[1:4] == tuple(f"columns of 1h: {note}" for note in texts(hours)[:3])


@pytest.mark.parametrize(
    ("interval", "given_", "words"),
    [
        ("25m", {}, "multiple of the spacing"),
        ("1h", {"offset": "5m"}, "a bar lies in one window"),
        ("1h", {"offset": "1h"}, "shorter than the interval"),
        ("1d", {"offset": "12h", "calendar": "XNYS"}, "of whole days"),
        ("36h", {"calendar": "XNYS"}, "up to a day, or whole days"),
        ("1w", {}, "'1w' is not a length of time"),
        (None, {}, "None is not a length of time"),
        ("7d", {}, "no 7d window has closed"),
    ],
)
def test_what_cannot_be_resampled(interval: str, given_: dict[str, str], words: str) -> None:
    bars = made(START + np.arange(1, 200) * 10 * MINUTE)
    with pytest.raises(DataError, match=words):
        bars.resample(interval, **given_)


def test_columns_of_a_timeframe_have_names_of_their_own() -> None:
    bars = made(START + np.arange(1, 20) * 10 * MINUTE)
    once = bars.with_timeframe("1h", ("close", "score"))
    assert set(once.columns) - set(bars.columns) == {"close_1h", "score_1h"}
    with pytest.raises(DataError, match="close_1h exists already"):
        once.with_timeframe("1h")
    with pytest.raises(UnknownNameError, match="did you mean 'close'"):
        bars.with_timeframe("1h", ("closes",))
    assert np.isnan(bars.with_timeframe("7d")["close_7d"]).all()
