from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import texts, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, feather, parquet

from alphalab.data.clock.times import NS_DAY, parse_duration
from alphalab.data.load import DATASETS, load
from alphalab.data.panel.bars import Bars
from alphalab.data.read_rows import read_rows
from alphalab.data.samples.datasets import SECTORS, session_closes
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import DataError, MissingExtraError, ParameterError, UnknownNameError

HEADER = "time,open,high,low,close,volume\n"
ROWS = "2024-01-02T21:00:00Z,10,12,9,11,100\n2024-01-03T21:00:00Z,11,13,10,12,200\n"


def refused(path: Path, *parts: str, **options: str) -> DataError:
    with pytest.raises(DataError) as error:
        load(path, **options)  # type: ignore[arg-type]
    for part in (str(path), *parts):
        assert part in str(error.value)
    return error.value


# ---- data sets -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "last"), [("sp500", 2506.850098), ("nasdaq", 6635.279785)])
def test_indices(name: str, last: float) -> None:
    bars = load(name)
    assert (bars.n_rows, bars.symbols, bars.source) == (5031, (name.upper(),), name)
    assert (bars.start, bars.end) == ("1999-01-04T21:00:00Z", "2018-12-31T21:00:00Z")
    assert bars.close[-1, 0] == last and not np.isnan(bars.volume).any()
    assert bars.periods_per_year == 252 and bars.instruments[0].calendar == "XNYS"
    assert "an index" in texts(bars)[0]


def test_an_index_is_what_its_package_ships() -> None:
    from arch.data import sp500

    frame, bars = sp500.load(), load("sp500")
    for field in ("Open", "High", "Low", "Close", "Volume"):
        np.testing.assert_array_equal(bars[field.lower()][:, 0], frame[field])
    closes = (frame.index + pd.Timedelta(hours=16)).tz_localize("America/New_York")
    assert (closes.tz_convert("UTC").to_numpy("M8[ns]") == bars.time.view("M8[ns]")).all()


def test_stocks() -> None:
    from skfolio.datasets import load_sp500_dataset

    frame, bars = load_sp500_dataset(), load("sp500_stocks")
    assert bars.n_rows == 8313 and bars.symbols == tuple(frame.columns) == tuple(SECTORS)
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(bars[name], frame)
    assert np.isnan(bars.volume).all()
    assert [i.groups["sector"] for i in bars.select(["XOM", "JPM"]).instruments] == [
        "Energy",
        "Financials",
    ]
    assert texts(bars)[1] == (
        "closes only: open, high and low are set to the close; "
        "dividends and splits are in the prices as the package ships them"
    )


def test_sessions_close_at_16_in_new_york_whatever_the_clock() -> None:
    days = np.arange(-2_000, 25_000)
    closes = session_closes(days)
    zone = ZoneInfo("America/New_York")
    for day, close in zip(days[::7], closes[::7], strict=True):
        date = np.datetime64(int(day), "D").astype(object)
        local = pd.Timestamp(close, tz="UTC").astimezone(zone)
        assert (local.date(), local.hour, local.minute) == (date, 16, 0)
    assert set(np.diff(closes)) == {23 * NS_DAY // 24, NS_DAY, 25 * NS_DAY // 24}


def test_a_data_set_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    # A None entry is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "arch", None)
    with pytest.raises(MissingExtraError, match=r"sp500.csv.gz of the package 'arch'") as error:
        load("sp500")
    assert "pip install 'alphalab[data]'" in str(error.value)


def test_every_data_set_loads_and_says_what_it_is() -> None:
    for name, (description, loader) in DATASETS.items():
        bars = loader()
        assert bars.source == name and bars == load(name) and texts(bars)
        assert description and "\n" not in description


def test_parts_of_a_data_set() -> None:
    bars = load("sp500_stocks", symbols=["MSFT", "AAPL"], start="2020-01-01", end="2020-12-31")
    assert bars.symbols == ("MSFT", "AAPL") and bars.n_rows == 253
    assert bars.periods_per_year == 252 and len(texts(bars)) == 2


def test_names_that_do_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="unknown data set 'sp50': did you mean 'sp500'"):
        load("sp50")
    with pytest.raises(UnknownNameError, match="'syntetic': did you mean 'synthetic'"):
        load("syntetic:rows=5,gaps=0.01")
    with pytest.raises(UnknownNameError, match="path of a CSV, Parquet or Feather file works too"):
        load("bitcoin")
    with pytest.raises(UnknownNameError, match="unknown symbol 'APPL': did you mean 'AAPL'"):
        load("sp500_stocks", symbols=["APPL"])
    with pytest.raises(DataError, match="is after end"):
        load("sp500", start="2010-01-01", end="2009-01-01")
    with pytest.raises(DataError, match="labelled by the close; a label is for files"):
        load("sp500", label="open")
    with pytest.raises(DataError, match="sp500 takes no options"):
        load("sp500:rows=5")


def test_the_first_data_set_needs_no_heavy_import() -> None:
    code = (
        "import sys; from alphalab.data.load import load; load('sp500').id;"
        "print(*{'pandas', 'scipy', 'arch', 'numba'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


# ---- synthetic -------------------------------------------------------------------------------


def test_synthetic_defaults() -> None:
    bars = load("synthetic")
    assert (bars.n_rows, bars.symbols) == (5000, ("SYN1", "SYN2", "SYN3", "SYN4"))
    assert bars.periods_per_year == 8760 and bars.instruments[0].calendar == "24/7"
    share = np.isnan(bars.close).mean()
    assert 0.005 < share < 0.015
    steps = np.diff(bars.time)
    assert (steps % parse_duration("1h") == 0).all()
    assert 0.001 < (steps > parse_duration("1h")).mean() < 0.01
    assert "not market data" in texts(bars)[0]


def test_synthetic_follows_its_seed_and_options() -> None:
    bars = load("synthetic:rows=300,symbols=1,seed=3,bar=1m,gaps=0")
    assert bars.symbols == ("SYN",) and bars.n_rows == 300
    assert (np.diff(bars.time) == parse_duration("1m")).all()
    assert bars == synthetic(300, 1, seed=3, bar="1m", gap_frac=0)
    assert bars != synthetic(300, 1, seed=4, bar="1m", gap_frac=0)
    assert bars.start == "2020-01-01T00:01:00Z"


def test_synthetic_is_the_same_in_another_process() -> None:
    code = "from alphalab.data.load import load; print(load('synthetic').id)"
    ids = {subprocess.check_output([sys.executable, "-c", code]).decode().strip()}
    assert ids == {load("synthetic").id}


@settings(max_examples=30)
@given(
    st.integers(1, 400),
    st.integers(1, 4),
    st.integers(0, 2**40),
    st.sampled_from(["1s", "5m", "4h", "1d"]),
    st.floats(0, 0.5),
)
def test_synthetic_keeps_the_rules(n: int, k: int, seed: int, bar: str, gaps: float) -> None:
    bars = synthetic(n, k, seed, bar, gaps)
    assert (bars.n_rows, bars.n_symbols) == (n, k)  # and Bars has checked the rest


def test_synthetic_has_regimes_and_brownian_ranges() -> None:
    bars = synthetic(200_000, 1, seed=1, gap_frac=0)
    close, open_ = np.log(bars.close[:, 0]), np.log(bars.open[:, 0])
    inside = close - open_
    blocks = inside[: 200_000 // 100 * 100].reshape(-1, 100).std(axis=1)
    assert np.quantile(blocks, 0.95) > 2.5 * np.quantile(blocks, 0.05)
    # Parkinson (1980): E[(high - low)^2] = 4 ln 2 variance, were both ends drawn jointly.
    span = np.log(bars.high[:, 0]) - np.log(bars.low[:, 0])
    assert (span**2).mean() / (4 * np.log(2) * (inside**2).mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ("rows=0", "n_rows=0.*\n.*n_rows is at least 1"),
        ("rows=ten", "synthetic:rows=ten\n.*rows is a whole number"),
        ("rows=1e6", "rows is a whole number"),
        ("rows", "rows is a whole number"),
        ("symbols=0", "n_symbols is at least 1"),
        ("seed=-1", "seed is at least 0"),
        ("gaps=0.9", "gap_frac is from 0 to 0.5"),
        ("gaps=nan", "gap_frac is from 0 to 0.5"),
        ("gaps=x", "gaps is a number"),
        ("bar=1w", "bar='1w'.*\n.*such as 1m, 4h or 1d"),
        ("bar=0m", "a whole number and s, m, h or d"),
        ("bar=", "bar=''"),
        ("bar=1d,rows=99999999", "end before 2262"),
    ],
)
def test_synthetic_refuses_bad_options(options: str, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        load(f"synthetic:{options}")


def test_synthetic_suggests_near_options() -> None:
    with pytest.raises(UnknownNameError, match="'row': did you mean 'rows'"):
        load("synthetic:row=5")


# ---- files -----------------------------------------------------------------------------------


def test_csv(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ROWS)
    bars = load(path)
    assert bars.symbols == ("ACME",) and bars.source == str(path) and bars.n_rows == 2
    np.testing.assert_array_equal(bars.open[:, 0], [10, 11])
    np.testing.assert_array_equal(bars.volume[:, 0], [100, 200])
    assert load(str(path)) == bars and texts(bars) == ()
    assert load(written(tmp_path, "\ufeff" + HEADER.upper() + ROWS)) == bars
    zipped = written(tmp_path, gzip.compress((HEADER + ROWS).encode()), "ACME.csv.gz")
    assert load(zipped) == bars


def long_table(n_rows: int = 50, symbols: tuple[str, ...] = ("A", "B")) -> pa.Table:
    return pa.Table.from_pandas(
        synthetic(n_rows, len(symbols), seed=5, gap_frac=0.05).to_frame("long"),
        preserve_index=False,
    )


def test_every_kind_of_file_holds_the_same(tmp_path: Path) -> None:
    table = long_table()
    expected = Bars.from_frame(table)
    parquet.write_table(table, tmp_path / "x.parquet")
    parquet.write_table(table, tmp_path / "x.pq", use_dictionary=True, row_group_size=7)
    feather.write_feather(table, tmp_path / "x.feather")
    feather.write_feather(table, tmp_path / "x.arrow", compression="uncompressed", chunksize=9)
    csv.write_csv(table, tmp_path / "x.csv")
    table.to_pandas().to_parquet(tmp_path / "pandas.parquet")
    table.to_pandas().set_index("time").to_parquet(tmp_path / "indexed.parquet")
    unnamed = table.to_pandas().set_index("time").rename_axis(None)
    unnamed.to_parquet(tmp_path / "unnamed.parquet")
    unnamed.to_csv(tmp_path / "unnamed.csv")
    table.to_pandas().to_csv(tmp_path / "numbered.csv")
    files = sorted(tmp_path.iterdir())
    assert len(files) == 10
    for file in files:
        assert load(file) == expected, file.name


def test_wide_frames_survive_a_file(tmp_path: Path) -> None:
    bars = synthetic(200, 3, seed=9, gap_frac=0)
    bars.to_frame("long").to_parquet(tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet") == Bars(bars.time, bars.symbols, bars.columns)


@pytest.mark.parametrize(
    ("times", "start", "note"),
    [
        (["2024-01-02", "2024-01-03"], "2024-01-02T00:00:00Z", "times are dates"),
        (["2024-01-02 21:00", "2024-01-03 21:00"], "2024-01-02T21:00:00Z", "carry no zone"),
        (["2024-01-02T21:00Z", "2024-01-03T22:00+01:00"], "2024-01-02T21:00:00Z", ""),
        (["2024-01-02", "2024-01-03 10:00"], "2024-01-02T00:00:00Z", "carry no zone"),
        (["1704229200", "1704315600"], "2024-01-02T21:00:00Z", "taken as seconds"),
        (["1704229200000", "1704315600000"], "2024-01-02T21:00:00Z", "taken as milliseconds"),
        (["1704229200000000", "1704315600000000"], "2024-01-02T21:00:00Z", "as microseconds"),
        (["1704229200000000000", "1704315600000000001"], "2024-01-02T21:00:00Z", "nanoseconds"),
    ],
)
def test_times_in_text(tmp_path: Path, times: list[str], start: str, note: str) -> None:
    text = HEADER + "".join(f"{t},10,12,9,11,5\n" for t in times)
    bars = load(written(tmp_path, text))
    assert bars.start == start
    assert any(note in said for said in texts(bars)) if note else texts(bars) == ()


@pytest.mark.parametrize(
    "times",
    [
        pa.array([1704229200, 1704315600], pa.timestamp("s")),
        pa.array([1704229200000, 1704315600000], pa.timestamp("ms", tz="America/New_York")),
        pa.array([1704229200, 1704315600], pa.int64()),
        pa.array(["2024-01-02T21:00", "2024-01-03T21:00"], pa.large_string()),
        pa.array(["2024-01-02T21:00", "2024-01-03T21:00"]).dictionary_encode(),
    ],
)
def test_types_of_time(tmp_path: Path, times: pa.Array) -> None:
    prices = {name: [1.0, 2.0] for name in ("open", "high", "low", "close")}
    parquet.write_table(pa.table({"time": times, **prices}), tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").start == "2024-01-02T21:00:00Z"


def test_types_of_number() -> None:
    kinds = [pa.float32(), pa.int8(), pa.uint64(), pa.decimal128(9, 2), pa.float64()]
    columns = {
        name: pa.array([1, 2], kind)
        for name, kind in zip(["open", "high", "low", "close", "volume"], kinds, strict=True)
    }
    time = pa.array([19_000, 19_001], pa.date32())
    bars = Bars.from_frame(
        pa.table({"date": time, **columns, "empty": pa.nulls(2), "big": [2**62, None]}),
        label="close",
    )
    assert all(bars[name][1, 0] == 2 for name in columns)
    assert np.isnan(bars["empty"]).all() and bars["big"][0, 0] == 2.0**62
    assert np.isnan(bars["big"][1, 0])


def test_symbols_that_look_like_numbers_keep_their_zeros(tmp_path: Path) -> None:
    text = "Symbol," + HEADER + "000001," + ROWS.replace("\n2024", "\n600519,2024")
    assert load(written(tmp_path, text)).symbols == ("000001", "600519")
    other = written(tmp_path, text.replace("Symbol", '" Code"'))
    for name in (" code", 0):
        assert load(other, schema={"columns": {"symbol": name}}).symbols == ("000001", "600519")


def test_further_columns_of_a_file(tmp_path: Path) -> None:
    text = "score,venue," + HEADER + "0.5,x," + ROWS.replace("\n2024", "\n,y,2024")
    bars = load(written(tmp_path, text))
    np.testing.assert_array_equal(bars["score"][:, 0], [0.5, np.nan])
    assert texts(bars) == ("column 'venue' is not numeric (string): left out",)


def test_opening_labels(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ROWS)
    bars = load(path, label="open")
    assert bars.start == "2024-01-03T21:00:00Z" and "moved 1d to the close" in texts(bars)[0]


def test_missing_files(tmp_path: Path) -> None:
    written(tmp_path, HEADER + ROWS, "prices.csv")
    error = refused(tmp_path / "price.csv", "no such file")
    assert f"Did you mean {tmp_path / 'prices.csv'}?" in error.fix
    assert "Did you mean sp500?" in refused(Path("sp50.csv")).fix
    assert refused(tmp_path / "nowhere" / "x.parquet", "no such file").fix == ""
    refused(tmp_path, "is not a file")
    refused(written(tmp_path, "x", "notes.txt"), "of an unknown kind", ".csv, .csv.gz, .parquet")
    with pytest.raises(DataError, match="no such file"):
        load("folder/sp500")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty"]),
        (HEADER, ["no rows"]),
        (
            HEADER + ROWS + "2024-01-04,1\n",
            ["line 4 has 2 cells, the first line 6: '2024-01-04,1'"],
        ),
        (HEADER + ROWS.replace("12,9", "abc,9"), ["row 0, column 'high': 'abc' is not a number"]),
        (HEADER + ROWS.replace("200", "many"), ["row 1, column 'volume': 'many' is not a number"]),
        (HEADER + ROWS.replace("13,10", ",10"), ["row 1 (2024-01-03T21:00:00Z): high is NaN"]),
        (HEADER + ROWS.replace("13,10", "-1,10"), ["row 1 (2024-01-03T21:00:00Z), symbol 'ACME'"]),
        (HEADER + ROWS.replace("13,10", "9,10"), ["row 1 (", "high=9", "high is not below"]),
        (HEADER + ROWS + ROWS, ["row 2 (2024-01-02T21:00:00Z) is earlier than row 1"]),
        (HEADER + ROWS[:36] + ROWS, ["row 1 has the time of row 0"]),
        (HEADER + ROWS.replace("2024-01-03T21:00:00Z", ""), ["row 1: no time in column 'time'"]),
        (HEADER.replace("time", "when") + ROWS, ["no time column", "'when'", "open_time"]),
        (HEADER.replace("volume", "date") + ROWS, ["'time' and 'date' could each be the time"]),
        (HEADER.replace("close", "last") + ROWS, ["no column close", "columns found: 'time'"]),
        (HEADER.replace("volume", "Close") + ROWS, ["columns 'close' and 'Close' have one name"]),
        (HEADER + "1/4/1999,10,12,9,11,1\n", ["row 0", "'1/4/1999' is not an ISO date", "January"]),
        (
            HEADER + ROWS + "soon,10,12,9,11,1\n",
            ["row 2, column 'time': 'soon' is not an ISO date"],
        ),
        (HEADER + ROWS + "2024-02-01,10,12,9,11,1\n", ["2 of 3 times carry a zone"]),
        (HEADER + "20240102,10,12,9,11,1\n", ["integers from 20240102 to 20240102"]),
        (HEADER + "1704229200,1,1,1,1,1\n1704315600000,1,1,1,1,1\n", ["all of one unit"]),
        (HEADER + "1.5,10,12,9,11,1\n", ["column 'time' has type double"]),
        (HEADER + "9999-01-01,10,12,9,11,1\n", ["between the years 1678 and 2261"]),
        (HEADER.replace(",", "|") + ROWS.replace(",", "|"), ["no time column", "time|open|high"]),
        (b"PAR1\x00\xff\xfe\x01", ["no UTF-8 text"]),
        ("time;öffnung\n1;2\n".encode("latin-1"), ["line 1 is no UTF-8 text", "b'\\xf6'"]),
        (
            (HEADER + ROWS.replace("100", "ö")).encode("latin-1"),
            ["line 2 is no UTF-8 text: it holds the byte b'\\xf6'", "encoding='latin-1'"],
        ),
        ((HEADER + ROWS).encode("utf-16"), ["is UTF-16", "Give encoding='utf-16'"]),
    ],
)
def test_bad_csv(tmp_path: Path, text: str | bytes, parts: list[str]) -> None:
    refused(written(tmp_path, text, "ACME.csv"), *parts)


def test_rows_hold_what_bars_refuse_and_messages_name_the_row_of_the_file(tmp_path: Path) -> None:
    lines = [
        f"2024-01-0{day},{symbol},10,{high},9,11\n"
        for day, symbol, high in ((3, "A", 12), (2, "B", -1), (2, "A", ""), (2, "A", 12))
    ]
    path = written(tmp_path, "time,symbol,open,high,low,close\n" + "".join(lines))
    rows = read_rows(path)
    assert rows.symbols == ("A", "B") and rows.number.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(rows.columns["high"], [12, -1, np.nan, 12])
    assert np.diff(rows.time).tolist() == [-NS_DAY, 0, 0]
    refused(path, "row 2 (2024-01-02T00:00:00Z): high is NaN")
    for kept, words in (
        ([0, 3], "symbol 'A': row 3 (2024-01-02T00:00:00Z) is earlier than row 0"),
        ([3, 0, 1], "row 1 (2024-01-02T00:00:00Z), symbol 'B': high=-1"),
    ):
        with pytest.raises(DataError) as error:
            Bars.from_rows(rows.take(kept))
        assert words in str(error.value) and str(path) in str(error.value)


def test_truncated_and_mislabelled_files(tmp_path: Path) -> None:
    parquet.write_table(long_table(), tmp_path / "x.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    refused(written(tmp_path, whole[:-20], "cut.parquet"), "cannot be read as .parquet")
    refused(written(tmp_path, whole, "x.feather"), "cannot be read as .feather")
    refused(written(tmp_path, HEADER + ROWS, "csv.parquet"), "cannot be read as .parquet")
    refused(written(tmp_path, b"", "empty.parquet"), "is empty")
    refused(written(tmp_path, b"not gzip", "x.csv.gz"), "cannot be read as .csv.gz")
    csv.write_csv(long_table(), tmp_path / "x.csv")
    zipped = gzip.compress((tmp_path / "x.csv").read_bytes())
    refused(written(tmp_path, zipped[: len(zipped) // 2], "cut.csv.gz"), "Truncated")
    corrupt = bytearray(whole)
    corrupt[len(whole) // 3 : len(whole) // 2] = b"\xff" * (len(whole) // 2 - len(whole) // 3)
    refused(written(tmp_path, bytes(corrupt), "corrupt.parquet"), "cannot be read as .parquet")


def test_prices_that_are_text_in_a_typed_file(tmp_path: Path) -> None:
    table = long_table()
    prices = table["close"].cast(pa.string())
    text = table.set_column(table.column_names.index("close"), "close", prices)
    parquet.write_table(text, tmp_path / "x.parquet")
    refused(tmp_path / "x.parquet", "row 0, column 'close'", "convert the column")


# ---- real files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label", "rows", "symbols", "start", "end", "per_year"),
    [
        (
            "btc_perp_1m",
            "open",
            45_031,
            1,
            "2021-12-31T23:02:00Z",
            "2022-02-01T05:32:00Z",
            525_600,
        ),
        (
            "crypto_5m_binance",
            "open",
            5_760,
            10,
            "2018-01-10T05:00:00Z",
            "2018-01-30T04:55:00Z",
            105_120,
        ),
        ("xrp_perp_5m", "open", 1_999, 1, "2021-11-15T00:05:00Z", "2021-11-21T22:35:00Z", 105_120),
        (
            "us_equity_daily_raw",
            "open",
            5_849,
            4,
            "1998-01-03T00:00:00Z",
            "2021-04-01T00:00:00Z",
            252,
        ),
        (
            "us_equity_daily_raw",
            "close",
            5_849,
            4,
            "1998-01-02T00:00:00Z",
            "2021-03-31T00:00:00Z",
            252,
        ),
    ],
)
def test_real_files(
    shared_data: Path,
    name: str,
    label: str,
    rows: int,
    symbols: int,
    start: str,
    end: str,
    per_year: float,
) -> None:
    bars = load(shared_data / f"{name}.parquet", label=label)
    assert (bars.n_rows, bars.n_symbols, bars.start, bars.end) == (rows, symbols, start, end)
    assert bars.periods_per_year == per_year


def test_real_gaps_stay_gaps(shared_data: Path) -> None:
    path = shared_data / "crypto_5m_binance.parquet"
    bars, frame = load(path), pd.read_parquet(path)
    counts = (~np.isnan(bars.close)).sum(axis=0)
    assert dict(zip(bars.symbols, counts, strict=True)) == dict(frame["symbol"].value_counts())
    assert 0 < np.isnan(bars.close).sum() == np.isnan(bars.volume).sum()
    assert Bars.from_frame(frame) == bars


def test_files_without_bars(shared_data: Path) -> None:
    refused(shared_data / "us_equity_factors.parquet", "no column open, high, low, close")
    refused(shared_data / "xrp_eth_trades.parquet", "'price', 'amount'")


@pytest.mark.slow
@pytest.mark.parametrize("n_symbols", [1, 20])
def test_a_million_rows(tmp_path: Path, n_symbols: int) -> None:
    bars = synthetic(1_000_000 // n_symbols, n_symbols, bar="1m", gap_frac=0)
    table = pa.Table.from_pandas(bars.to_frame("long"), preserve_index=False)
    parquet.write_table(table, tmp_path / "x.parquet")
    csv.write_csv(table, tmp_path / "x.csv")
    for name in ("x.parquet", "x.csv"):
        loaded = load(tmp_path / name)
        assert loaded.n_rows == bars.n_rows
        np.testing.assert_array_equal(loaded.close, bars.close)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_separated_by_semicolons_or_tabs(tmp_path: Path, separator: str) -> None:
    text = HEADER + ROWS
    path = written(tmp_path, text.replace(",", separator))
    assert load(path) == load(written(tmp_path, text))


@pytest.mark.parametrize(("label", "kept"), [("open", 0), ("close", 1)])
def test_the_label_chooses_between_two_times(tmp_path: Path, label: str, kept: int) -> None:
    rows = [
        (f"2024-01-01T0{i}:00:00", f"2024-01-01T0{i}:59:59", 10, 11, 9, 10) for i in range(1, 5)
    ]
    lines = [",".join(map(str, row)) for row in rows]
    header = "open_time,close_time,open,high,low,close"
    bars = load(written(tmp_path, "\n".join([header, *lines])), label=label)
    shift = 3600 if label == "open" else 0
    assert bars.time[0] == (np.datetime64(rows[0][kept]) + shift).astype("M8[ns]").astype(int)
