"""Files in other formats, read by a schema; and files that a schema refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import texts, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from alphalab.data.clock.times import iso
from alphalab.data.formats.schema import Schema
from alphalab.data.formats.zones import to_utc
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.read_rows import read_rows
from alphalab.errors import DataError, InputError, ParameterError, UnknownNameError

HEADER = "time,open,high,low,close,volume\n"


def hours(*times: str, header: str = HEADER) -> str:
    return header + "".join(f"{time},10,12,9,11,5\n" for time in times)


def times_of(path: Path, **fields: object) -> list[str]:
    return [iso(ns) for ns in read_rows(path, Schema(**fields)).time]  # type: ignore[arg-type]


def refused(path: Path, *parts: str, **fields: object) -> None:
    with pytest.raises(DataError) as error:
        read_rows(path, Schema(**fields))  # type: ignore[arg-type]
    for part in (str(path), *parts):
        assert part in str(error.value)


NEW_YORK = "America/New_York"

# ---- how a file is written -------------------------------------------------------------------

PLAIN = "time,open,high,low,close,volume\n2024-01-02T21:00Z,10.5,12,9,11,5\n"
HEADERLESS = "X,2024-01-02,21:00,5,10.5,12,9,11\n"
PLACES = {
    "symbol": 0,
    "date": 1,
    "time": 2,
    "volume": 3,
    "open": 4,
    "high": 5,
    "low": 6,
    "close": 7,
}


STAMP = "2024-01-02T21:00Z"
SESSION = {"label": "session", "calendar": "XNYS"}


def stamped(text: str) -> str:
    return PLAIN.replace(STAMP, text)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (PLAIN, {}),
        (PLAIN.replace("close", "Last"), {"columns": {"close": "last"}}),
        (PLAIN.replace("close", "Last"), {"columns": {"close": 4}}),
        (PLAIN.replace("time", "when"), {"columns": {"time": "when"}}),
        (PLAIN.replace("close,", "Close,a,").replace(",11", ",9,11"), {"columns": {"close": "a"}}),
        (PLAIN.replace(",", ";").replace(".", ","), {"decimal": ","}),
        (PLAIN.replace(",", "|"), {"delimiter": "|"}),
        ("https://example.com\nin EUR, daily, adjusted\n" + PLAIN, {"skip": 2}),
        ("a\n" + HEADERLESS, {"skip": 1, "header": False, "columns": PLACES}),
        (PLAIN.encode("utf-16"), {"encoding": "utf-16"}),
        (PLAIN.replace("open", "Ö").encode("cp1252"),
         {"encoding": "cp1252", "columns": {"open": "ö"}}),
        (HEADERLESS, {"header": False, "columns": PLACES}),
        (HEADERLESS.replace("24-01-02,21:", "24 01 02,21"),
         {"header": False, "columns": PLACES, "time_format": "%Y %m %d %H%M"}),
        ("Day," + stamped("2024-01-02,21:00"), {"columns": {"date": "day", "time": "time"}}),
        (stamped("20240102 2100"), {"time_format": "%Y%m%d %H%M"}),
        (stamped("2.1.2024 16:00 -0500"), {"time_format": "%d.%m.%Y %H:%M %z"}),
        (stamped("2024-01-02 16:00"), {"zone": "America/New_York"}),
        (stamped("2024-01-02T20:00Z"), {"label": "open", "interval": "1h"}),
        (stamped("2024-01-02"), SESSION),
        (stamped("2024-01-02 00:00:00-05:00"), SESSION),
        (stamped("02/01/2024"), {**SESSION, "time_format": "%d/%m/%Y"}),
    ],
)  # fmt: skip
def test_one_bar_written_in_many_ways(
    tmp_path: Path, text: str | bytes, fields: dict[str, object]
) -> None:
    bars = load(written(tmp_path, text), schema=fields)
    assert bars.start == "2024-01-02T21:00:00Z" and bars.n_rows == 1
    assert [float(bars[name][0, 0]) for name in ("open", "high", "low", "close", "volume")] == [
        *(10.5, 12, 9, 11, 5)
    ]


def test_a_typed_file_with_a_date_and_a_time(tmp_path: Path) -> None:
    frame = pd.DataFrame({name: [1.0] for name in ("open", "high", "low", "close")})
    frame["d"], frame["t"] = [pd.Timestamp("2024-01-02")], [pd.Timestamp("2024-01-02 21:00").time()]
    frame.to_parquet(tmp_path / "x.parquet")
    pair = {"date": "d", "time": "t"}
    assert times_of(tmp_path / "x.parquet", columns=pair) == ["2024-01-02T21:00:00Z"]


def test_symbols_given_and_renamed(tmp_path: Path) -> None:
    path = written(tmp_path, hours("2024-01-02T21:00Z"))
    assert read_rows(path, Schema(symbol="X")).symbols == ("X",)
    two = hours(
        "2024-01-02T21:00Z,FB",
        "2024-01-03T21:00Z,META",
        header="time,symbol,open,high,low,close,volume\n",
    )
    rows = read_rows(written(tmp_path, two), Schema(rename={"FB": "META"}))
    assert rows.symbols == ("META",) and Bars.from_rows(rows).n_rows == 2
    assert texts(rows) == ("symbol 'FB' was renamed 'META'",)
    refused(written(tmp_path, two), "names the symbols", symbol="X")
    with pytest.raises(UnknownNameError, match="unknown symbol 'FBX': did you mean 'FB'"):
        read_rows(written(tmp_path, two), Schema(rename={"FBX": "META"}))


def test_wide_frames() -> None:
    days = pd.DatetimeIndex(["2024-11-27", "2024-11-29"], tz=NEW_YORK)
    columns = pd.MultiIndex.from_product([["open", "high", "low", "close"], ["FB", "B"]])
    frame = pd.DataFrame(1.0, index=days, columns=columns)
    rows = read_rows(frame, Schema(**SESSION, rename={"FB": "META"}))  # type: ignore[arg-type]
    assert rows.symbols == ("META", "B")
    assert [iso(ns) for ns in rows.time[:2]] == ["2024-11-27T21:00:00Z", "2024-11-29T18:00:00Z"]
    with pytest.raises(DataError, match="a wide frame with zone='UTC'"):
        read_rows(frame, Schema(zone="UTC"))


def test_columns_that_a_schema_takes_the_place_of_are_named(tmp_path: Path) -> None:
    text = "time,date,open,high,low,close,last\n2024-01-02T21:00Z,2024-01-02,1,1,1,1,1\n"
    rows = read_rows(written(tmp_path, text), Schema(columns={"time": "time", "close": "last"}))
    assert set(texts(rows)[:2]) == {
        "column 'date' is not used: time is 'time'",
        "column 'close' is not used: close is 'last'",
    }


@pytest.mark.parametrize(
    ("text", "fields", "part"),
    [
        (PLAIN, {"columns": {"close": "lastt"}}, "unknown column 'lastt'"),
        (PLAIN, {"columns": {"close": 9}}, "column 9 of 6"),
        (PLAIN, {"time_format": "%d.%m"}, f"row 0, column 'time': '{STAMP}' is not written as"),
        (PLAIN, {"time_format": "%Q"}, "a format of times is that of datetime.strptime"),
        (PLAIN, {"zone": "Asia/Tokyo"}, "times carry a zone"),
        (PLAIN, SESSION, f"row 0, column 'time': '{STAMP}' is no date"),
        (PLAIN, {"label": "open"}, "one row does not tell how long a bar is"),
        (PLAIN.replace(",10.5", ",ten"), {}, "row 0, column 'open': 'ten' is not a number"),
        (stamped("2024-01-01"), SESSION, "row 0: 2024-01-01 is no session of XNYS"),
        (stamped("01"), {**SESSION, "time_format": "%H"}, "row 0: 1900-01-01T01:00:00Z is no date"),
        (HEADERLESS, {"header": False, "columns": {"time": 1}}, "no column open, high, low, close"),
        (PLAIN + "2024-01-02T22:00,1,1,1,1,1\n", {}, "1 of 2 times carry a zone"),
        (PLAIN.encode("utf-16"), {"encoding": "ascii"}, "line 1 is no ascii text"),
    ],
)  # fmt: skip
def test_what_a_schema_does_not_fit(
    tmp_path: Path, text: str | bytes, fields: dict[str, object], part: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_rows(path, Schema(**fields))  # type: ignore[arg-type]
    assert part in str(error.value)
    assert str(path) in str(error.value) or "time_format" in part + str(fields)


# ---- hours that come twice, and never --------------------------------------------------------

FALL = ["2024-11-03 00:30", "2024-11-03 01:30", "2024-11-03 01:30", "2024-11-03 02:30"]


def test_an_hour_that_comes_twice(tmp_path: Path) -> None:
    path = written(tmp_path, hours(*FALL))
    refused(
        path,
        "row 1: 2024-11-03T01:30:00 came twice in America/New_York",
        "2024-11-03T05:30:00Z and 2024-11-03T06:30:00Z",
        "repeated_hour='infer'",
        zone=NEW_YORK,
    )
    assert times_of(path, zone=NEW_YORK, repeated_hour="infer") == [
        f"2024-11-03T0{hour}:30:00Z" for hour in (4, 5, 6, 7)
    ]
    one = written(tmp_path, hours(FALL[0], FALL[1], FALL[3]))
    refused(one, "row 1:", "does not tell", zone=NEW_YORK, repeated_hour="infer")


def test_local_days_have_23_to_25_hours(tmp_path: Path) -> None:
    path = written(tmp_path, hours("2024-03-30", "2024-03-31", "2024-04-01", "2024-10-27"))
    day = {"label": "open", "interval": "1d", "zone": "Europe/Berlin"}
    assert times_of(path, **day) == [
        *("2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z", "2024-04-01T22:00:00Z"),
        "2024-10-27T23:00:00Z",
    ]


def test_an_hour_that_does_not_exist(tmp_path: Path) -> None:
    path = written(tmp_path, hours("2024-03-10 01:30", "2024-03-10 02:30"))
    refused(
        path,
        "row 1: 2024-03-10T02:30:00 did not exist in America/New_York",
        zone=NEW_YORK,
        repeated_hour="infer",
    )


@settings(max_examples=15)
@given(
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Tokyo"]),
    st.integers(2010, 2024),
    st.sampled_from([5, 15, 30]),
)
def test_clocks_of_whole_years_come_back(zone: str, year: int, minutes: int) -> None:
    """Every instant of two interleaved series, written as clocks showed it, is found again."""
    span = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=f"{minutes}min", tz="UTC")
    clock = span.tz_convert(zone).tz_localize(None).to_numpy("M8[ns]").view(np.int64)
    twice, series = np.repeat(clock, 2), np.tile([0, 1], len(clock))
    utc = to_utc(twice, zone, series, True, "")
    np.testing.assert_array_equal(utc, np.repeat(span.to_numpy("M8[ns]").view(np.int64), 2))


# ---- the schema itself ----------------------------------------------------------------------


def test_a_schema_from_a_file(tmp_path: Path) -> None:
    text = 'label = "open"\nzone = "Europe/Berlin"\n[columns]\nclose = "Last"\nopen = 3\n'
    schema = Schema.read(written(tmp_path, text, "m.toml"))
    assert schema.columns == {"close": "Last", "open": 3} and schema.label == "open"
    assert Schema.of(tmp_path / "m.toml") == schema == Schema(**schema.changes())
    for bad, match in (("lable = 'open'", "'lable': did you mean 'label'"), ("x", "m.toml: ")):
        with pytest.raises(InputError, match=match):
            Schema.read(written(tmp_path, bad, "m.toml"))
    with pytest.raises(InputError, match="No such file"):
        Schema.read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"zone": "America/NewYork"}, "did you mean 'America/New_York'"),
        ({"interval": "1x"}, "a whole number and s, m, h or d"),
        ({"label": "opening"}, "Choose from close, open, session"),
        ({"label": "session"}, "without a calendar"),
        ({**SESSION, "zone": "UTC"}, "dates of sessions have no zone"),
        ({"skip": -1}, "Expected int >= 0"),
        ({"encoding": "latin-99"}, "one that Python knows"),
        ({"delimiter": "::"}, "one character"),
        ({"header": False, "columns": {"close": "Last"}}, "by their place, from 0"),
        ({"columns": {"close": 1.5}}, "Expected int | str"),
    ],
)
def test_what_no_schema_says(fields: dict[str, object], match: str) -> None:
    with pytest.raises(InputError, match=match.replace("|", r"\|")):
        Schema(**fields)  # type: ignore[arg-type]


def test_a_label_is_given_once(tmp_path: Path) -> None:
    path = written(tmp_path, hours("2024-01-02", "2024-01-03"))
    assert load(path, schema=SESSION).end == "2024-01-03T21:00:00Z"
    with pytest.raises(DataError, match="a label is given once"):
        load(path, label="open", schema=SESSION)
    assert load(path, label="open", schema={"symbol": "X"}).symbols == ("X",)


def test_real_sessions_close_when_their_exchange_does(shared_data: Path) -> None:
    schema = Schema(label="session", calendar="XNYS")
    bars = load(shared_data / "us_equity_daily_raw.parquet", schema=schema)
    frame = parquet.read_table(shared_data / "us_equity_daily_raw.parquet").to_pandas()
    assert bars.n_rows == frame["time"].nunique()
    # The day after Thanksgiving closes at 13:00 in New York, the Monday behind it at 16:00.
    closes = {iso(ns)[:10]: iso(ns)[11:16] for ns in bars.time}
    assert (closes["2020-11-27"], closes["2020-11-30"], closes["2020-07-01"]) == (
        *("18:00", "21:00", "20:00"),
    )


def test_settings_of_a_schema_are_settings() -> None:
    with pytest.raises(ParameterError):
        Schema(header="yes")  # type: ignore[arg-type]
