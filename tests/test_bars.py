from __future__ import annotations

import datetime as dt
import pickle
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import texts
from hypothesis import given, settings
from hypothesis import strategies as st

from alphalab.data.clock.annual import rows_per_year
from alphalab.data.clock.times import (
    NS_DAY,
    NS_SECOND,
    bar_spacing,
    iso,
    nanoseconds,
)
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import Instrument

START = nanoseconds("2024-01-02T21:00")
PRICES = ("open", "high", "low", "close")


def columns_of(close: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "open": close - 0.5,
        "high": close + 1.0,
        "low": close - 1.0,
        "close": close.copy(),
        "volume": np.full(close.shape, 1000.0),
    }


def panel(n_rows: int = 5, symbols: tuple[str, ...] = ("AAA", "BBB"), **options: object) -> Bars:
    close = 10.0 + np.arange(n_rows * len(symbols), dtype=float).reshape(n_rows, len(symbols))
    time = START + np.arange(n_rows) * NS_DAY
    return Bars(time, symbols, columns_of(close), **options)  # type: ignore[arg-type]


def message(error: pytest.ExceptionInfo[DataError]) -> str:
    return str(error.value)


# ---- the panel -------------------------------------------------------------------------------


def test_a_panel_knows_itself() -> None:
    bars = panel(source="here", notes=("said",), periods_per_year=252)
    assert (bars.n_rows, bars.n_symbols, len(bars)) == (5, 2, 5)
    assert (bars.start, bars.end) == ("2024-01-02T21:00:00Z", "2024-01-06T21:00:00Z")
    assert bars.instruments == (Instrument(symbol="AAA"), Instrument(symbol="BBB"))
    assert (bars.source, texts(bars), bars.periods_per_year) == ("here", ("said",), 252.0)
    for name in (*PRICES, "volume"):
        assert getattr(bars, name) is bars[name]
        assert bars[name].flags.c_contiguous and bars[name].dtype == np.float64
    assert (
        repr(bars)
        == "<Bars: 5 rows x 2 symbols, 2024-01-02T21:00:00Z to 2024-01-06T21:00:00Z, here>"
    )
    with pytest.raises(UnknownNameError, match="unknown column 'clos': did you mean 'close'"):
        bars["clos"]


def test_arrays_are_read_only_and_the_callers_are_left_alone() -> None:
    columns = columns_of(np.full((3, 1), 10.0))
    time = START + np.arange(3) * NS_DAY
    bars = Bars(time, ["A"], columns)
    before = bars.id
    columns["close"][0] = 10.5
    time[0] = 0
    assert bars.close[0, 0] == 10.0 and bars.start == "2024-01-02T21:00:00Z"
    for array in (bars.time, bars.close, bars.rows(0, 1).close, bars.select("A").close):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(TypeError):
        bars.columns["close"] = columns["close"]  # type: ignore[index]
    assert Bars(bars.time, ["A"], dict(bars.columns)).id == before


def test_a_read_only_view_of_what_somebody_can_write_to_is_copied() -> None:
    owner = np.full((3, 1), 10.0)
    view = owner.view()
    view.setflags(write=False)
    bars = Bars(START + np.arange(3) * NS_DAY, ["A"], dict.fromkeys((*PRICES, "volume"), view))
    owner[:] = 99.0
    assert bars.close[0, 0] == 10.0


def test_frozen_arrays_are_taken_as_they_are() -> None:
    bars = panel()
    again = Bars(bars.time, bars.symbols, bars.columns)
    assert again.close is bars.close and again.time is bars.time


def test_datetime64_times_of_any_unit() -> None:
    close = columns_of(np.full((3, 1), 10.0))
    for unit in ("s", "ms", "us", "ns"):
        time = np.array(["2024-01-02T21", "2024-01-03T21", "2024-01-04T21"], f"datetime64[{unit}]")
        assert Bars(time, ["A"], close).start == "2024-01-02T21:00:00Z"


def test_id_is_of_the_data_only() -> None:
    bars = panel()
    same = Bars(
        bars.time, bars.symbols, dict(reversed(bars.columns.items())), source="x", notes=("y",)
    )
    assert same.id == bars.id and same == bars and hash(same) == hash(bars)
    assert len(bars.id) == 32 and bars != 5
    moved = Bars(bars.time + 1, bars.symbols, bars.columns)
    renamed = Bars(bars.time, ["AAA", "CCC"], bars.columns)
    more = bars.with_columns({"score": np.zeros((5, 2))})
    other = bars.with_columns({"volume": bars.volume + 1})
    ticked = Bars(
        bars.time,
        bars.symbols,
        bars.columns,
        instruments=[Instrument(symbol="AAA", tick=0.01), Instrument(symbol="BBB")],
    )
    assert len({b.id for b in (bars, moved, renamed, more, other, ticked)}) == 6


def test_id_does_not_depend_on_the_bits_of_nan() -> None:
    bars = panel()
    negative = np.full((5, 2), -np.nan)
    assert np.signbit(negative).all()
    ids = {bars.with_columns({"x": x}).id for x in (negative, np.full((5, 2), np.nan))}
    assert len(ids) == 1


def test_pickle_keeps_everything() -> None:
    bars = panel(source="s", notes=("n",)).with_columns({"x": np.full((5, 2), np.nan)})
    again = pickle.loads(pickle.dumps(bars))
    assert again == bars and texts(again) == texts(bars) and again.source == "s"
    assert again.periods_per_year == bars.periods_per_year
    assert not again.close.flags.writeable


# ---- rules -----------------------------------------------------------------------------------


def broken(name: str, row: int, asset: int, value: float) -> pytest.ExceptionInfo[DataError]:
    good = panel(source="file.csv")
    column = good[name].copy()
    column[row, asset] = value
    with pytest.raises(DataError) as error:
        Bars(good.time, good.symbols, {**good.columns, name: column}, source="file.csv")
    return error


@pytest.mark.parametrize(
    ("name", "value", "shown", "rule"),
    [
        ("close", -1.0, "close=-1", "prices are finite and above 0."),
        ("open", 0.0, "open=0", "prices are finite and above 0."),
        ("low", -np.inf, "low=-inf", "prices are finite and above 0."),
        ("high", np.inf, "high=inf", "prices are finite and above 0."),
        ("high", 11.0, "open=14.5, high=11, low=14, close=15", "high is not below"),
        ("low", 14.75, "open=14.5, high=16, low=14.75, close=15", "low is not above"),
        ("open", 17.0, "open=17, high=16, low=14, close=15", "high is not below"),
        ("close", 13.0, "open=14.5, high=16, low=14, close=13", "low is not above"),
        ("close", np.nan, "open=14.5, high=16, low=14, close=nan", "known together"),
        ("open", np.nan, "open=nan, high=16, low=14, close=15", "known together"),
        ("volume", -1.0, "volume=-1", "volume is finite and at least 0"),
        ("volume", np.inf, "volume=inf", "volume is finite and at least 0"),
    ],
)
def test_a_bad_cell_is_named(name: str, value: float, shown: str, rule: str) -> None:
    error = broken(name, 2, 1, value)
    where = "file.csv: row 2 (2024-01-04T21:00:00Z), symbol 'BBB': "
    assert message(error).startswith(where + shown)
    assert rule in error.value.rule
    assert "Correct the row" in error.value.fix
    assert (error.value.code, error.value.exit_code) == ("DATA", 2)


def test_the_first_bad_row_is_the_one_named() -> None:
    good = panel()
    column = good.close.copy()
    column[3, 0] = column[1, 1] = -1.0
    with pytest.raises(DataError, match=r"row 1 .* symbol 'BBB'"):
        Bars(good.time, good.symbols, {**good.columns, "close": column})


def test_what_passes() -> None:
    good = panel()
    untraded = {name: column.copy() for name, column in good.columns.items()}
    for name in PRICES:
        untraded[name][1] = np.nan
    untraded["volume"][1] = np.nan
    assert np.isnan(Bars(good.time, good.symbols, untraded).close[1]).all()
    flat = np.full((5, 2), 7.0)
    Bars(good.time, good.symbols, dict.fromkeys((*PRICES, "volume"), flat))
    extra = np.array([[np.nan, np.inf]] * 5) * -1
    assert np.isinf(good.with_columns({"score": extra})["score"][0, 1])


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ([0, 1, 1, 3, 4], "row 2 has the time of row 1: 2024-01-03T21:00:00Z is duplicated"),
        (
            [0, 2, 1, 3, 4],
            "row 2 (2024-01-03T21:00:00Z) is earlier than row 1 (2024-01-04T21:00:00Z): "
            "times are unsorted",
        ),
    ],
)
def test_times_increase(order: list[int], shown: str) -> None:
    good = panel()
    with pytest.raises(DataError) as error:
        Bars(good.time[order], good.symbols, good.columns, source="f")
    assert message(error).startswith(f"f: {shown}")
    assert error.value.rule == "times are strictly increasing."


def test_shapes_and_names() -> None:
    good = panel()

    def refused(match: str, **changes: object) -> None:
        parts = {"time": good.time, "symbols": good.symbols, "columns": good.columns} | changes
        with pytest.raises(DataError, match=match):
            Bars(**parts)  # type: ignore[arg-type]

    refused("no rows", time=good.time[:0])
    refused("shape .* type float64", time=good.time.astype(float))
    refused("shape", time=good.time.reshape(5, 1))
    refused("row 1: time is NaT", time=np.array(["2020-01-01", "NaT"] * 2, "datetime64[ns]"))
    refused("between the years 1678", time=np.array(["9999-01-01"], "datetime64[s]"))
    refused("no symbols", symbols=[])
    refused("symbol 'AAA' is there twice", symbols=["AAA", "AAA"])
    refused("symbol number 1 is ' '", symbols=["AAA", " "])
    refused("symbol number 0 is 7", symbols=[7, "AAA"])
    refused(r"column 'open' has shape \(5, 2\)\n.*\(4, 2\): rows, symbols", time=good.time[:4])
    refused("column 'open' has shape", columns={**good.columns, "open": good.open[:, 0]})
    refused("no column volume; there are", columns={n: good[n] for n in PRICES})
    refused("a column is named ''", columns={**good.columns, "": good.open})
    refused("column 'x': could not convert", columns={**good.columns, "x": [["a", "b"]] * 5})
    refused("periods_per_year=0", periods_per_year=0)
    refused("periods_per_year=nan", periods_per_year=np.nan)
    refused("instruments .* for symbols", instruments=[Instrument(symbol="AAA")])


def test_symbols_may_be_quoted_in_several_currencies() -> None:
    two = [Instrument(symbol="AAA"), Instrument(symbol="BBB", currency="EUR")]
    bars = panel(instruments=two)
    assert [instrument.currency for instrument in bars.instruments] == ["USD", "EUR"]
    assert bars != panel()


# ---- parts of a panel ------------------------------------------------------------------------


def test_rows_share_memory() -> None:
    bars = panel()
    part = bars.rows(1, 4)
    assert part.n_rows == 3 and np.shares_memory(part.close, bars.close)
    assert part.close.flags.c_contiguous and part.time[0] == bars.time[1]
    assert part.instruments is bars.instruments
    for i0, i1 in ((-1, 2), (2, 2), (3, 2), (0, 6)):
        with pytest.raises(DataError, match=r"0 <= i0 < i1 <= 5"):
            bars.rows(i0, i1)


def test_select() -> None:
    bars = panel(symbols=("AAA", "BBB", "CCC"))
    part = bars.select(["CCC", "AAA"])
    assert part.symbols == ("CCC", "AAA") and part.instruments[0].symbol == "CCC"
    np.testing.assert_array_equal(part.close, bars.close[:, [2, 0]])
    assert bars.select("BBB").symbols == ("BBB",)
    with pytest.raises(UnknownNameError, match="unknown symbol 'AAB': did you mean"):
        bars.select(["AAB"])
    with pytest.raises(DataError, match="there twice"):
        bars.select(["AAA", "AAA"])
    with pytest.raises(DataError, match="no symbols"):
        bars.select([])


def test_between() -> None:
    bars = panel()  # 21:00 UTC of 2 to 6 January 2024
    assert bars.between() == bars
    assert bars.between("2024-01-03", "2024-01-04").n_rows == 2
    assert bars.between(end="2024-01-03").n_rows == 2
    assert bars.between(end="2024-01-03T20:59").n_rows == 1
    assert bars.between("2024-01-03T21:00:00Z", "2024-01-03T22:00+01:00").n_rows == 1
    assert bars.between(dt.date(2024, 1, 5)).n_rows == 2
    assert bars.between(end=dt.datetime(2024, 1, 3, 21)).n_rows == 2
    assert bars.between(np.datetime64("2024-01-03"), np.datetime64("2024-01-03")).n_rows == 1
    assert bars.between(pd.Timestamp("2024-01-03 22:00", tz="Europe/Berlin")).n_rows == 4
    assert bars.between("1000-01-01", "9999-12-31") == bars
    with pytest.raises(DataError, match="start=2024-01-04 is after end=2024-01-03"):
        bars.between("2024-01-04", "2024-01-03")
    with pytest.raises(DataError, match=r"no rows between .*\n.*runs from 2024-01-02T21:00:00Z"):
        bars.between("2025-01-01")
    with pytest.raises(DataError, match="no rows between"):
        bars.between(end="2023-12-31")
    for bad in ("yesterday", "1/4/2024", "2024-13-01", 5, np.datetime64("NaT"), pd.NaT):
        with pytest.raises(DataError, match="is not a date"):
            bars.between(bad)  # type: ignore[arg-type]


def test_with_columns_checks_what_it_is_given() -> None:
    bars = panel()
    assert bars.with_columns({"x": np.ones((5, 2))})["x"].flags.writeable is False
    with pytest.raises(DataError, match="shape"):
        bars.with_columns({"x": np.ones(5)})
    with pytest.raises(DataError, match="low is not above"):
        bars.with_columns({"low": bars.high})


# ---- rows a year -----------------------------------------------------------------------------


def business_days(n: int) -> np.ndarray:
    return pd.bdate_range("2024-01-02 21:00", periods=n).to_numpy("M8[ns]").view(np.int64)


@pytest.mark.parametrize(
    ("time", "expected", "words"),
    [
        (business_days(300), 252, "no sessions on weekends, 252 sessions of 1 bar"),
        (START + np.arange(30) * NS_DAY, 365, "rows on weekends, 365 days of 1 bar"),
        (np.arange(1, 24 * 14 + 1) * 3_600 * NS_SECOND, 8760, "365 days of 24 bars"),
        (np.arange(1440 * 9) * 60 * NS_SECOND, 525_600, "525,600 periods a year"),
        (START + np.arange(9) * 3 * NS_DAY, 365.25 / 3, "a row every 3 days on average"),
        (START + np.arange(9) * 7 * NS_DAY, 52, "weekly"),
        (START + np.arange(3) * NS_DAY, 252, "no weekend in the data, weekday sessions assumed"),
    ],
)
def test_rows_a_year(time: np.ndarray, expected: float, words: str) -> None:
    number, sentence = rows_per_year(time)
    assert number == pytest.approx(expected) and words in sentence


@pytest.mark.parametrize(("freq", "expected"), [("ME", 12), ("BME", 12), ("QE", 4), ("YE", 1)])
def test_calendar_rows_a_year(freq: str, expected: float) -> None:
    time = pd.date_range("2000-01-01", periods=40, freq=freq).to_numpy("M8[ns]").view(np.int64)
    assert rows_per_year(time)[0] == expected


def test_sessions_with_several_bars() -> None:
    sessions = business_days(20) - 6 * 3_600 * NS_SECOND
    time = (sessions[:, None] + np.arange(7) * 3_600 * NS_SECOND).ravel()
    assert rows_per_year(time)[0] == 252 * 7
    gap = np.delete(time, [3, 50, 51])
    assert rows_per_year(gap)[0] == 252 * 7


def test_a_currency_market_is_not_open_on_saturdays() -> None:
    hours = pd.date_range("2024-01-01", "2024-03-01", freq="h")
    weekday, hour = hours.day_of_week, hours.hour
    open_ = (weekday < 4) | ((weekday == 4) & (hour <= 22)) | ((weekday == 6) & (hour > 22))
    number, sentence = rows_per_year(hours[open_].to_numpy("M8[ns]").view(np.int64))
    assert number == 252 * 24 and "no sessions on weekends" in sentence


def test_gaps_do_not_change_a_market_that_never_closes() -> None:
    rng = np.random.default_rng(0)
    minutes = np.sort(rng.choice(60 * 24 * 21, 20_000, replace=False)) * 60 * NS_SECOND
    assert bar_spacing(minutes) == 60 * NS_SECOND
    assert rows_per_year(minutes)[0] == 525_600


def test_the_calendar_of_the_instruments_decides_when_known() -> None:
    time = START + np.arange(3) * NS_DAY
    columns = columns_of(np.full((3, 1), 10.0))

    def of(calendar: str) -> Bars:
        return Bars(time, ["A"], columns, instruments=[Instrument(symbol="A", calendar=calendar)])

    assert of("24/7").periods_per_year == 365 and of("XNYS").periods_per_year == 252
    assert "calendar XNYS" in texts(of("XNYS"))[-1]


def test_two_rows_tell_nothing_until_asked() -> None:
    bars = panel(n_rows=2, notes=("said",))
    assert texts(bars) == ("said",) and bars.rows(0, 1).n_rows == 1
    with pytest.raises(DataError, match="periods_per_year is not given, and the data has 2"):
        _ = bars.periods_per_year


def test_a_part_has_the_rows_a_year_of_the_whole() -> None:
    bars = panel(n_rows=30)
    assert bars.rows(0, 1).periods_per_year == bars.periods_per_year == 365
    assert texts(bars.rows(0, 1)) == texts(bars)
    assert panel(periods_per_year=7).between(end="2024-01-02").periods_per_year == 7


# ---- frames ----------------------------------------------------------------------------------


def single(index: pd.Index | None = None) -> pd.DataFrame:
    index = pd.date_range("2024-01-02 21:00", periods=4, freq="D") if index is None else index
    close = np.arange(10.0, 10.0 + len(index))
    return pd.DataFrame(columns_of(close), index=index)


def test_one_asset_in_any_letter_case_zone_and_unit() -> None:
    frame = single()
    expected = Bars.from_frame(frame, symbol="A")
    assert expected.symbols == ("A",) and expected.start == "2024-01-02T21:00:00Z"
    assert Bars.from_frame(frame).symbols == ("asset",)
    index = pd.DatetimeIndex(frame.index)
    variants = [
        frame.rename(columns=str.upper),
        frame.rename(columns=str.title),
        frame.set_axis(index.as_unit("s")),
        frame.set_axis(index.tz_localize("UTC").tz_convert("America/New_York")),
        frame.set_axis(index.rename("Date")),
        frame.set_axis(index.rename("anything")),
        frame.reset_index(names="Timestamp"),
        frame.reset_index(names="time").assign(time=lambda f: f["time"].astype(str)),
        frame.reset_index(names="time").set_index("time"),
    ]
    for variant in variants:
        assert Bars.from_frame(variant, symbol="A") == expected
    assert "times carry no zone: taken as UTC" in texts(expected)
    assert "times carry no zone: taken as UTC" not in texts(Bars.from_frame(variants[3]))


def test_daylight_saving_is_no_duplicate() -> None:
    index = pd.date_range("2024-10-27 00:00", periods=8, freq="h", tz="Europe/Berlin")
    bars = Bars.from_frame(single(index))
    assert bars.start == "2024-10-26T22:00:00Z" and bar_spacing(bars.time) == 3_600 * NS_SECOND


def test_volume_and_further_columns() -> None:
    frame = single().drop(columns="volume")
    bars = Bars.from_frame(frame)
    assert np.isnan(bars.volume).all() and "no volume column: volume is unknown" in texts(bars)
    frame["Adj Close"], frame["n"], frame["venue"] = [1.0, None, 3.0, 4.0], [1, 2, 3, 4], "x"
    bars = Bars.from_frame(frame)
    np.testing.assert_array_equal(bars["Adj Close"][:, 0], [1.0, np.nan, 3.0, 4.0])
    assert bars["n"].dtype == np.float64
    assert any("'venue' is not numeric" in note for note in texts(bars))


def test_long_frames() -> None:
    first = single().reset_index(names="time").assign(symbol="B")
    second = first.iloc[1:3].assign(symbol="A")
    long = pd.concat([first, second])
    bars = Bars.from_frame(long)
    assert bars.symbols == ("B", "A") and bars.n_rows == 4
    np.testing.assert_array_equal(np.isnan(bars.close[:, 1]), [True, False, False, True])
    assert Bars.from_frame(long.sort_values(["time", "symbol"])).select(["B", "A"]) == bars
    assert Bars.from_frame(long.astype({"symbol": "category"})) == bars
    assert Bars.from_frame(long.set_index(["time", "symbol"])) == bars
    assert Bars.from_frame(long.rename(columns={"symbol": "Ticker"})) == bars
    assert Bars.from_frame(long.assign(symbol=7)[:4]).symbols == ("7",)


def test_long_frames_that_are_refused() -> None:
    long = pd.concat([single().reset_index(names="time").assign(symbol=s) for s in "AB"])

    def refused(frame: pd.DataFrame, match: str) -> None:
        with pytest.raises(DataError, match=match):
            Bars.from_frame(frame, source="f")

    refused(long.iloc[[0, 1, 2, 3, 4, 5, 5]], r"f: symbol 'B': row 6 has the time of row 5")
    refused(long.iloc[[0, 4, 6, 1, 5]], r"symbol 'B': row 4 \(.*\) is earlier than row 2")
    nan = long.reset_index(drop=True)
    nan.loc[5, "high"] = np.nan
    refused(nan, r"row 5 \(2024-01-03T21:00:00Z\): high is NaN\n.*four prices")
    refused(long.assign(symbol=None), "row 0: no symbol in column 'symbol'")
    refused(long.assign(symbol=1.5), "column 'symbol' has type double")
    refused(long.assign(close="x"), "row 0, column 'close': 'x' is not a number")
    refused(long.drop(columns=["open", "low"]), "no column open, low; columns found: 'time'")
    refused(long.drop(columns="time"), "no time column; columns found: 'open'")
    refused(long.assign(date=1), "'time' and 'date' could each be the time")
    refused(long.assign(ticker="x"), "'symbol' and 'ticker' could each be the symbol")
    refused(long.assign(Close=1.0), "columns 'close' and 'Close' have one name")
    refused(long.assign(time=None), "row 0: no time in column 'time'")
    refused(long.assign(time=True), "column 'time' has type bool")
    refused(long.assign(x=[1, "a"] * 4), "the frame cannot be read as a table")
    refused(long.set_axis(["time"] * 7, axis=1), "the frame cannot be read as a table")
    refused(long[:0], "f: no rows")


def test_a_time_column_that_names_its_label() -> None:
    frame = single().reset_index(names="open_time")
    with pytest.raises(DataError, match=r"is 'open_time' and label='close'\n.*label='open'"):
        Bars.from_frame(frame)
    assert Bars.from_frame(frame, label="open").start == "2024-01-03T21:00:00Z"
    with pytest.raises(DataError, match="label='close'"):
        Bars.from_frame(frame.rename(columns={"open_time": "close_time"}), label="open")


@pytest.mark.parametrize("field_first", [True, False])
def test_wide_frames(field_first: bool) -> None:
    bars = panel()
    wide = bars.to_frame().rename(columns=str.title, level="field")
    wide = wide if field_first else wide.swaplevel(axis=1).sort_index(axis=1)
    assert Bars.from_frame(wide) == bars
    no_volume = wide.drop(columns="Volume", level="field")
    again = Bars.from_frame(no_volume)
    assert np.isnan(again.volume).all() and "no volume column" in texts(again)[0]


def test_wide_frames_with_holes() -> None:
    wide = panel().to_frame()
    wide.loc[wide.index[1], (slice(None), "BBB")] = np.nan
    assert np.isnan(Bars.from_frame(wide).close[1, 1])
    wide["score", "AAA"] = 1.0
    assert np.isnan(Bars.from_frame(wide)["score"][:, 1]).all()


def test_wide_frames_that_are_refused() -> None:
    wide = panel().to_frame()

    def refused(frame: pd.DataFrame, match: str) -> None:
        with pytest.raises(DataError, match=match):
            Bars.from_frame(frame)

    refused(wide.rename(columns={"open": "o"}), "columns have 2 levels and start with")
    refused(pd.concat({"x": wide}, axis=1), "columns have 3 levels")
    refused(pd.concat([wide, wide], axis=1), r"column \('open', 'AAA'\) is there twice")
    refused(wide.reset_index(drop=True), "index is a RangeIndex")
    refused(wide.iloc[::-1], "row 1 .* is earlier than row 0")
    refused(wide.astype(object).replace({10.0: "ten"}), "column .*: could not convert")
    refused(wide.set_axis([*wide.index[:-1], pd.NaT]), "row 4: time is NaT")
    refused(wide.drop(columns=[("open", "AAA")]), "row 0 .*'AAA': open=nan")


def test_closes_only() -> None:
    days = pd.date_range("2024-01-02", periods=4)
    frame = pd.DataFrame({"A": [1.0, 2.0, 3.0, 4.0], "B": [np.nan, 2.0, 2.5, 3.0]}, index=days)
    bars = Bars.from_closes(frame, label="close")
    assert bars.symbols == ("A", "B")
    assert texts(bars)[0] == "closes only: open, high and low are set to the close"
    for name in PRICES:
        np.testing.assert_array_equal(bars[name], frame.to_numpy())
    assert np.isnan(bars.volume).all()
    assert Bars.from_closes(frame, label="open").start == "2024-01-03T00:00:00Z"
    evening = frame.set_axis(days + pd.Timedelta("21h"))
    assert "times carry no zone: taken as UTC" in texts(Bars.from_closes(evening))
    with pytest.raises(DataError, match="no symbols"):
        Bars.from_closes(frame[[]], label="close")
    with pytest.raises(DataError, match="is there twice"):
        Bars.from_closes(frame[["A", "A"]], label="close")
    with pytest.raises(DataError, match="open=-1"):
        Bars.from_closes(-frame[:1][["A"]])
    with pytest.raises(DataError, match="a Table is not a pandas frame"):
        Bars.from_closes(pa.table({"A": [1.0]}))


def test_opening_times_move_by_the_most_frequent_step() -> None:
    index = pd.DatetimeIndex(["2024-01-01 00:00", "2024-01-01 00:05", "2024-01-01 00:30"])
    bars = Bars.from_frame(single(index.append(index[-1:] + pd.Timedelta("5min"))), label="open")
    assert bars.start == "2024-01-01T00:05:00Z" and bars.end == "2024-01-01T00:40:00Z"
    assert "times were those of the open: moved 5m to the close" in texts(bars)
    with pytest.raises(DataError, match="one row does not tell"):
        Bars.from_frame(single(index[:1]), label="open")
    with pytest.raises(DataError, match=r"label='middle'\n.*'close', 'open'"):
        Bars.from_frame(single(), label="middle")


class Exporter:
    """What polars and others offer: a table that hands itself over as an Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def test_arrow_tables_and_exporters() -> None:
    frame = single().reset_index(names="time").assign(symbol="A")
    table = pa.Table.from_pandas(frame)
    expected = Bars.from_frame(frame)
    assert Bars.from_frame(table) == expected
    assert Bars.from_frame(Exporter(table)) == expected
    with pytest.raises(DataError, match="a list is not a table"):
        Bars.from_frame([1, 2])


def test_to_frame() -> None:
    bars = panel()
    wide = bars.to_frame()
    assert (
        wide.columns.names == ["field", "symbol"] and str(wide.index.dtype) == "datetime64[ns, UTC]"
    )
    assert wide["close", "BBB"].iloc[1] == bars.close[1, 1]
    long = bars.to_frame("long")
    assert list(long.columns) == ["time", "symbol", *PRICES, "volume"] and len(long) == 10
    with pytest.raises(DataError, match="layout='tall'"):
        bars.to_frame("tall")  # type: ignore[arg-type]


@st.composite
def panels(draw: st.DrawFn) -> Bars:
    n_rows, n_symbols = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (n_rows, n_symbols)
    low = rng.uniform(1e-6, 1e6, shape)
    span = rng.uniform(0, 1e5, (3, *shape))
    columns = {
        "open": low + span[0],
        "high": low + span.max(axis=0),
        "low": low,
        "close": low + span[1],
        "volume": np.where(rng.random(shape) < 0.2, np.nan, rng.uniform(0, 1e9, shape)),
        "Extra One": rng.normal(size=shape),
    }
    untraded = rng.random(shape) < draw(st.sampled_from([0.0, 0.3]))
    untraded[0], untraded[:, 0] = False, False  # every row and symbol trades
    for column in columns.values():
        column[untraded] = np.nan
    time = nanoseconds("1999-12-31") + np.cumsum(rng.integers(1, 10**15, n_rows))
    return Bars(time, draw(st.permutations(["a", "B", "c/d", "Ä1"]))[:n_symbols], columns)


@settings(max_examples=50)
@given(panels())
def test_frames_round_trip(bars: Bars) -> None:
    assert Bars.from_frame(bars.to_frame()) == bars
    assert Bars.from_frame(bars.to_frame("long")) == bars
    assert Bars.from_frame(bars.to_frame().swaplevel(axis=1)) == bars
    assert pickle.loads(pickle.dumps(bars)) == bars


@settings(max_examples=50)
@given(panels(), st.data())
def test_between_two_rows_is_the_rows_between(bars: Bars, data: st.DataObject) -> None:
    i0 = data.draw(st.integers(0, bars.n_rows - 1))
    i1 = data.draw(st.integers(i0, bars.n_rows - 1))
    part = bars.between(np.datetime64(int(bars.time[i0]), "ns"), iso(bars.time[i1]))
    assert part == bars.rows(i0, i1 + 1)


@given(st.integers(nanoseconds("1678-01-01"), nanoseconds("2261-12-31")))
def test_iso_text_is_read_back_to_the_nanosecond(ns: int) -> None:
    assert nanoseconds(iso(ns)) == nanoseconds(np.datetime64(ns, "ns")) == ns
    assert nanoseconds(pd.Timestamp(ns, tz="UTC")) == ns


def test_bars_do_not_need_pandas() -> None:
    import subprocess

    code = (
        "import sys; from alphalab.data.load import load; b = load('sp500'); b.id; b.notes;"
        "b.between('2001-01-01', '2002-01-01').close;"
        "assert 'pandas' not in sys.modules and 'arch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_last_digit_of_a_price_is_rounding() -> None:
    close = np.full((3, 1), 100.1348288)
    columns = dict.fromkeys(("open", "low", "close", "volume"), close)
    time = np.arange(1, 4)
    Bars(time, ["A"], columns | {"high": np.nextafter(close, 0)})
    with pytest.raises(DataError, match="high is not below"):
        Bars(time, ["A"], columns | {"high": close * (1 - 1e-9)})
