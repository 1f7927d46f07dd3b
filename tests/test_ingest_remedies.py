"""Refused sources: the message has the remedy, as a keyword and as a flag."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from builders import texts, written

from alphalab.data.ingestion.ingest import ingest
from alphalab.data.load import load
from alphalab.data.quality.registry import RULES
from alphalab.data.store.store import Store
from alphalab.errors import DataError, InputError, UnknownNameError

HEADER = "time,open,high,low,close,volume\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def hours(*times: str, cells: str = "10,12,9,11,5") -> str:
    return HEADER + "".join(f"{time},{cells}\n" for time in times)


def refused(given: Any, store: Store, **options: Any) -> InputError:
    with pytest.raises(InputError) as error:
        ingest(given, **{"venue": "x", "interval": "1h", "store": store} | options)
    assert store.version("bars") is None
    return error.value


# ---- nights in which clocks go back ----------------------------------------------------------

FALL = [f"2024-11-03 {time}" for time in ("00:00", "01:00", "01:00", "02:00", "03:00")]


@pytest.mark.parametrize("bar", [60, 5])
@pytest.mark.parametrize("label", ["open", "close"])
@pytest.mark.parametrize(
    ("zone", "day"),
    [("America/New_York", "2024-11-03"), ("Europe/Berlin", "2024-10-27"),
     ("Europe/London", "2023-10-29"), ("Australia/Sydney", "2024-04-07")],
)  # fmt: skip
def test_an_hour_that_came_twice(
    tmp_path: Path, store: Store, bar: int, label: str, zone: str, day: str
) -> None:
    times = pd.date_range(day, periods=6 * 60 // bar, freq=f"{bar}min", tz=zone)
    texts = times.tz_localize(None).strftime("%Y-%m-%d %H:%M")
    path = written(tmp_path, hours(*texts))
    options: dict[str, Any] = {"interval": f"{bar}m" if bar < 60 else "1h"}
    error = refused(path, store, schema={"label": label}, **options)
    assert f"--zone {zone} --repeated-hour infer" in error.fix
    assert "--repair" not in error.fix and "Keep one" not in error.fix
    (rule,) = (rule for rule in RULES.values() if rule.name == "conflicting_duplicates")
    assert "--repeated-hour infer" in rule.fix  # what `alphalab data check` says
    schema = {"label": label, "zone": zone, "repeated_hour": "infer"}
    assert ingest(path, venue="x", schema=schema, store=store, **options).n_rows == len(times)


@pytest.mark.parametrize(
    "times",
    [
        [*FALL, "2024-11-03 03:00"],
        [f"2024-11-02 {time[11:]}" for time in FALL],
        [f"{time}Z" for time in FALL],
        [f"2024-03-10 {time}" for time in ("01:00", "02:00", "02:00", "03:00")],
    ],
)
def test_a_duplicate_of_no_such_night(tmp_path: Path, store: Store, times: list[str]) -> None:
    error = refused(written(tmp_path, hours(*times)), store)
    assert "--zone" not in error.fix and "--repair drop_duplicates" in error.fix


# ---- repairs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "steps"),
    [
        ("10,9,9,11,5", ["widen", "drop_inconsistent"]),
        ("10,12,11,11,5", ["widen", "drop_inconsistent"]),
        ("10,12,0,11,5", ["drop_nonpositive"]),
        ("10,inf,9,11,5", []),
        ("10,12,9,11,-5", []),
        ("10,12,,11,5", ["drop_unknown"]),
    ],
)
def test_repairs_that_fit(tmp_path: Path, store: Store, cells: str, steps: list[str]) -> None:
    error = refused(written(tmp_path, hours("2024-01-02T01:00Z", cells=cells)), store)
    assert [part.split(" ")[0].rstrip(").") for part in error.fix.split("--repair ")[1:]] == steps
    for step in steps[:1]:
        path = written(tmp_path, hours("2024-01-02T01:00Z", cells=cells) +
                       "2024-01-02T02:00Z,10,12,9,11,5\n")  # fmt: skip
        assert ingest(path, venue="x", interval="1h", repairs=step, store=store).n_rows


def test_one_time_with_other_values(tmp_path: Path, store: Store) -> None:
    text = hours("2024-01-02T01:00Z") + "2024-01-02T01:00Z,10,12,9,10,5\n"
    error = refused(written(tmp_path, text), store)
    assert "--repair keep_first or --repair keep_last" in error.fix


# ---- times -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "said"), [("59.999", "1 ms"), ("59", "1 s"), ("59.999999", "1 us")]
)
def test_last_moments_are_no_closes(tmp_path: Path, store: Store, end: str, said: str) -> None:
    lines = [
        f"2024-01-02 0{hour}:00:00,10,12,9,11,5,2024-01-02 0{hour}:59:{end}\n" for hour in range(5)
    ]
    path = written(tmp_path, "open_time,open,high,low,close,volume,close_time\n" + "".join(lines))
    error = refused(path, store)
    assert f"is {said} before the end of its 1h bar" in error.what
    assert "--label open -c time=open_time" in error.fix
    assert "time is 'close_time' (close); 'open_time' is not used" in texts(load(path))
    done = ingest(path, venue="x", interval="1h", schema={"label": "open"}, store=store)
    assert done.start == "2024-01-02T01:00:00Z"
    assert "time is 'open_time' (open); 'close_time' is not used" in texts(done)


def test_dates_and_times_of_day(tmp_path: Path, store: Store) -> None:
    text = "Date,Time,Open,High,Low,Close\n2024-01-02,21:00,1,1,1,1\n"
    error = refused(written(tmp_path, text), store)
    assert "schema={'columns': {'date': 'Date', 'time': 'Time'}}" in error.fix
    assert "(-c date=Date -c time=Time)" in error.fix


def test_dates_as_integers(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path, hours("20240102", "20240103"))
    assert "(--time-format %Y%m%d)" in refused(path, store).fix
    assert load(path, schema={"time_format": "%Y%m%d"}).end == "2024-01-03T00:00:00Z"
    assert "--time-format" not in refused(written(tmp_path, hours("7", "8")), store).fix


# ---- how a file is written -------------------------------------------------------------------


def test_decimal_commas(tmp_path: Path, store: Store) -> None:
    text = HEADER.replace(",", ";") + '2024-01-02T21:00Z;"100,1679";12;9;11;5\n'
    assert "decimal=',' (--decimal ,)" in refused(written(tmp_path, text), store).fix
    error = refused(written(tmp_path, text.replace("100,1679", "1,2,3")), store)
    assert "--decimal" not in error.fix


def test_other_encodings(tmp_path: Path, store: Store) -> None:
    path = written(
        tmp_path, hours("2024-01-02T21:00Z").replace("volume", "größe"), encoding="latin-1"
    )
    assert "(--encoding latin-1)" in refused(path, store).fix
    path = written(tmp_path, hours("2024-01-02T21:00Z"), encoding="utf-16")
    assert "(--encoding utf-16)" in refused(path, store).fix


@pytest.mark.parametrize("above", ["Prices of ACME\n", "Prices\nin EUR, daily\n\n", "a,b\n\n"])
def test_lines_before_the_header(tmp_path: Path, store: Store, above: str) -> None:
    path = written(tmp_path, above + hours("2024-01-02T20:00Z", "2024-01-02T21:00Z"))
    skip = above.count("\n")
    assert f"skip={skip} (--skip {skip})" in refused(path, store).fix
    assert load(path, schema={"skip": skip}).n_rows == 2


def test_lines_before_a_header_with_semicolons(tmp_path: Path, store: Store) -> None:
    text = hours(*["2024-01-02T20:00Z"] * 2).replace(",", ";").replace("9;", "9,5;")
    path = written(tmp_path, "Prices of ACME\n" + text.replace("10;12;", "10,1;12,3;"))
    assert "skip=1 (--skip 1)" in refused(path, store).fix


def test_a_cut_line_is_nothing_to_skip(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path, hours("2024-01-02T20:00Z", "2024-01-02T21:00Z")[:-8])
    assert "--skip" not in refused(path, store).fix


def test_a_file_that_may_not_be_read(store: Store) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = written(folder, hours("2024-01-02T21:00Z"))
        path.chmod(0)
        own = os.geteuid()
        os.seteuid(65_534 if own == 0 else own)  # root may read all
        try:
            with pytest.raises(DataError, match=r"ACME\.csv: no permission to read it"):
                load(path)
        finally:
            os.seteuid(own)


# ---- names -----------------------------------------------------------------------------------


def test_names_that_a_store_does_not_take(tmp_path: Path, store: Store) -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02T21:00Z,10,12,9,11,10.5,5\n"
    path = written(tmp_path, text)
    assert "(-c adj_close='Adj Close')" in refused(path, store).fix
    schema = {"columns": {"adj_close": "Adj Close"}}
    ingest(path, venue="x", interval="1h", schema=schema, store=store)
    assert store.read("bars")["adj_close"].to_pylist() == [10.5]


def test_names_that_are_nearly_ours(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path, hours("2024-01-02T21:00Z"))
    with pytest.raises(UnknownNameError, match="unknown column 'clsoe': did you mean 'close'"):
        load(path, schema={"columns": {"clsoe": "close"}})
    text = HEADER.replace("volume", "x") + "2024-01-02T21:00Z,10,12,9,11,5\n"
    assert "close2" in load(written(tmp_path, text), schema={"columns": {"close2": "x"}}).columns
    path = written(tmp_path, hours("2024-01-02T21:00Z"))
    assert "score" in load(path, schema={"columns": {"score": "volume"}}).columns
    trades = {"columns": {"amuont": "volume"}}
    error = refused(path, store, kind="trades", schema=trades)
    assert "did you mean 'amount'" in str(error)


def test_a_rename_of_no_symbol(tmp_path: Path, store: Store, cli: Any) -> None:
    path = written(tmp_path, "symbol," + HEADER + "FB,2024-01-02T21:00Z,10,12,9,11,5\n")
    rename = {"schema": {"rename": {"FBB": "META"}}}
    assert "unknown symbol 'FBB': did you mean 'FB'" in str(refused(path, store, **rename))
    flags = ("--venue", "x", "--interval", "1h", "--rename", "FBB=META", "--store", store.url)
    run = cli("data", "ingest", path, *flags)
    assert run.code == 2 and "did you mean 'FB'" in run.err
    trades = written(tmp_path, "symbol,time,id,price,amount\nFB,2024-01-02T21:00Z,1,10,1\n")
    assert "did you mean 'FB'" in str(refused(trades, store, kind="trades", **rename))
    path = written(tmp_path, "symbol," + HEADER + "FB,2024-01-02T21:00Z,10,12,9,11,5\n")
    run = cli("data", "ingest", path, path, *flags)
    assert run.code == 0 and "no rows of 'FBB'" in run.err


def test_a_frame_without_a_symbol(store: Store) -> None:
    index = pd.date_range("2024-01-02T01:00", periods=2, freq="h", tz="UTC")
    frame = pd.DataFrame(1.0, index, ["open", "high", "low", "close"])
    error = refused(frame, store)
    assert "a DataFrame without a symbol" in error.what and "schema={'symbol':" in error.fix
    done = ingest(frame, venue="x", interval="1h", schema={"symbol": "A"}, store=store)
    assert done.symbols == ("A",) and done.address == "store:x/1h/A"
    assert load(done.address.replace("/A", ""), store=store.url).symbols == ("A",)


@pytest.mark.parametrize("kind", ["universe", "actions"])
def test_a_column_may_be_two_of_ours(tmp_path: Path, store: Store, kind: str) -> None:
    time, rest = ("start", "end") if kind == "universe" else ("ex_date", "split")
    cell = "" if kind == "universe" else "2"
    path = written(tmp_path, f"symbol,{time},{rest}\nA,2024-01-02T14:30Z,{cell}\n")
    schema = {"columns": {"known": time}}
    done = ingest(path, venue="x", name="us", kind=kind, schema=schema, store=store)
    (row,) = store.read(kind).to_pylist()
    assert row["known"] == row["start" if kind == "universe" else "time"]
    assert done.start == "2024-01-02T14:30:00Z" and done.address == ""
    if kind == "universe":
        error = refused(path, store, kind=kind, name="us")
        assert "a table of universe has a column known" in error.rule
        assert "(-c known=published)" in error.fix
