"""Sources into a store: once, again, revised, refused; on the command line, interrupted, killed."""

from __future__ import annotations

import gzip
import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from builders import texts
from commands import IN_A_PROCESS, on_a_terminal
from pyarrow import csv, feather, parquet

from alphalab.cli.data.ingest import Kind
from alphalab.data.ingestion.ingest import KINDS, Ingested, ingest
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rules import PRICES
from alphalab.data.samples.synthetic import synthetic
from alphalab.data.store.store import Store
from alphalab.errors import DataError, InputError
from alphalab.types import Instrument

HEADER = "time,open,high,low,close,volume\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def bring(given: Any, store: Store, **options: Any) -> Ingested:
    return ingest(given, **{"venue": "x", "interval": "1h", "store": store} | options)


def counts(done: Ingested) -> tuple[int, int, int]:
    written = done.written[0]
    return written.n_new, written.n_revised, written.n_same


def hourly(folder: Path, first: int, last: int, name: str = "ACME.csv", price: float = 10) -> Path:
    lines = [
        f"2024-01-{2 + hour // 24:02}T{hour % 24:02}:00Z,{price},12,9,11,{hour}\n"
        for hour in range(first, last)
    ]
    path = folder / name
    path.write_text(HEADER + "".join(lines))
    return path


# ---- bars ------------------------------------------------------------------------------------


def test_again_changes_nothing_and_more_adds_what_is_new(tmp_path: Path, store: Store) -> None:
    assert counts(bring(hourly(tmp_path, 0, 10), store)) == (10, 0, 0)
    assert counts(bring(hourly(tmp_path, 0, 10), store)) == (0, 0, 10)
    assert store.version("bars") == 0
    assert counts(bring(hourly(tmp_path, 5, 30), store)) == (20, 0, 5)
    rows = store.read("bars")
    assert rows["volume"].to_pylist() == list(range(30))
    assert rows["symbol"].unique().to_pylist() == ["ACME"]


def test_other_values_are_refused_or_revise(tmp_path: Path, store: Store) -> None:
    bring(hourly(tmp_path, 0, 10), store)
    other = hourly(tmp_path, 9, 12, price=9.5)
    with pytest.raises(DataError, match=r"ACME.csv: .*open") as error:
        bring(other, store)
    assert "9.5" in str(error.value) and "10" in str(error.value)
    assert store.version("bars") == 0
    assert counts(bring(other, store, revise=True)) == (2, 1, 0)
    assert store.read("bars")["open"].to_pylist() == [10.0] * 9 + [9.5] * 3


def test_what_a_version_remembers(tmp_path: Path, store: Store) -> None:
    path = hourly(tmp_path, 0, 4)
    path.write_text(path.read_text().replace("Z", "") + "2024-01-02T01:00,10,12,9,11,1\n")
    bring(path, store, repairs=["sort", "drop_duplicates"], schema={"symbol": "BTC/USDT"})
    notes = texts(store.bars("x", "1h"))
    assert "times carry no zone: taken as UTC" in notes
    assert any("drop_duplicates: 1 of 5 rows" in note for note in notes)
    record = store.history("bars")[0].record
    assert record == {
        "source": "ACME.csv",
        "kind": "bars",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "venue": "x",
        "interval": "1h",
        "schema": {"symbol": "BTC/USDT", "interval": "1h"},
        "symbols": ["BTC/USDT"],
        "notes": [{"code": "no_zone", "text": "times carry no zone: taken as UTC"}],
        "repairs": [
            {"step": step, "rows": 1, "said": f"{step}: 1 of 5 rows, first row {row} ({at})"}
            for step, row, at in (
                ("sort", 4, "2024-01-02T01:00:00Z"),
                ("drop_duplicates", 4, "2024-01-02T01:00:00Z"),
            )
        ],
    }


@pytest.mark.parametrize(("bar", "interval"), [("5m", "1h"), ("1h", "5m"), ("1d", "1h")])
def test_an_interval_that_the_rows_contradict(store: Store, bar: str, interval: str) -> None:
    with pytest.raises(DataError, match=f"most frequent step is {bar}.*\n.*Use interval '{bar}'"):
        bring(synthetic(200, 2, bar=bar), store, interval=interval)
    assert store.tables() == {}


def test_bars_come_back_as_they_went_in(store: Store) -> None:
    bars = synthetic(300, 3, seed=3)
    done = bring(bars, store)
    assert [written.table for written in done.written] == ["bars", "instruments"]
    back = store.bars("x", "1h")
    traded = ~np.isnan(bars.close).all(axis=1)
    assert back == Bars(
        bars.time[traded],
        bars.symbols,
        {name: values[traded] for name, values in bars.columns.items()},
        instruments=bars.instruments,
    )
    assert [written.n_new for written in bring(bars, store).written] == [0]


def test_data_sets_and_frames(store: Store) -> None:
    done = bring("sp500", store, interval="1d")
    assert (done.source, done.symbols, counts(done)) == ("sp500", ("SP500",), (5031, 0, 0))
    assert store.bars("x", "1d") == load("sp500")
    days = pd.date_range("2024-01-02", periods=5, tz="America/New_York")
    frame = pd.DataFrame(
        {"Open": 1.0, "High": 1.0, "Low": 1.0, "Close": 1.0}, index=days[[0, 1, 2]]
    )
    session = {"label": "session", "calendar": "XNYS", "symbol": "SPX"}
    assert counts(bring(frame, store, interval="1d", schema=session)) == (3, 0, 0)
    with pytest.raises(DataError, match="sp500 with label='open'"):
        bring("sp500", store, interval="1d", schema={"label": "open"})


def test_a_column_that_has_a_table_of_its_own(store: Store) -> None:
    bars = synthetic(50, 1).with_columns({"funding": np.zeros((50, 1))})
    with pytest.raises(DataError, match=r"column 'funding' among bars\n.*kind 'funding'"):
        bring(bars, store)


def test_a_symbol_that_is_renamed(tmp_path: Path, store: Store) -> None:
    old, new = hourly(tmp_path, 0, 5).read_text(), hourly(tmp_path, 5, 10).read_text()
    lines = [
        f"{symbol},{line}"
        for symbol, text in (("FB", old), ("META", new))
        for line in text.splitlines()[1:]
    ]
    path = tmp_path / "both.csv"
    path.write_text("symbol," + HEADER + "\n".join(lines) + "\n")
    done = bring(path, store, venue="y", schema={"rename": {"FB": "META"}})
    assert done.symbols == ("META",) and texts(done) == ("symbol 'FB' was renamed 'META'",)
    assert store.bars("y", "1h").n_rows == 10


# ---- bad input -------------------------------------------------------------------------------


def spoiled(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return files that are broken, each with words of the message about it."""
    good = hourly(folder, 0, 60).read_text()
    table = csv.read_csv(folder / "ACME.csv")
    parquet.write_table(table, folder / "cut.parquet")
    feather.write_feather(table, folder / "cut.feather")
    for name in ("cut.parquet", "cut.feather"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) * 2 // 3])
    zipped = gzip.compress(good.encode())
    lines = good.splitlines(keepends=True)
    texts: dict[str, tuple[bytes, str]] = {
        "cut.csv.gz": (zipped[: len(zipped) // 2], "Truncated"),
        "cut.csv": (good[:-30].encode(), "line 61 has"),
        "latin.csv": (good.replace("volume", "größe").encode("latin-1"), "line 1 is no UTF-8"),
        "mixed.csv": (
            (good + lines[1].replace("Z", "")).encode(),
            "60 of 61 times carry a zone, the first does and row 60",
        ),
        "text.csv": (good.replace(",11,", ",n.a.,", 1).encode(), "row 0, column 'close': 'n.a.'"),
        "ragged.csv": ((good + "2024-01-06,1,2\n").encode(), "line 62 has 3 cells"),
        "empty.csv": (b"", "is empty"),
        "header.csv": (HEADER.encode(), "no rows"),
        "twice.csv": ((good + lines[-1]).encode(), "row 60 has the time of row 59"),
        "unsorted.csv": ((good + lines[1]).encode(), "row 60 (2024-01-02T00:00:00Z) is earlier"),
        "negative.csv": (good.replace(",9,", ",-9,", 1).encode(), "row 0 ("),
        "missing.csv": (good.replace(",9,", ",,", 1).encode(), "row 0 (2024-01-02T00:00:00Z): low"),
        "early.csv": (lines[0].encode() + b"1500-01-01,1,1,1,1,1\n", "between the years 1678"),
    }
    for name, (content, _) in texts.items():
        (folder / name).write_bytes(content)
    words = {name: said for name, (_, said) in texts.items()}
    words |= {"cut.parquet": "cannot be read as .parquet", "cut.feather": "cannot be read as"}
    return {name: (folder / name, said) for name, said in words.items()}


_REPAIRS = {
    "twice": "drop_duplicates",
    "unsorted": "sort",
    "negative": "drop_nonpositive",
    "missing": "drop_unknown",
}


def test_broken_files_are_named_and_nothing_is_written(tmp_path: Path, store: Store) -> None:
    bring(hourly(tmp_path, 0, 3, "GOOD.csv"), store)
    for path, words in spoiled(tmp_path).values():
        with pytest.raises(DataError) as error:
            bring(path, store)
        assert words in str(error.value) and str(path) in error.value.what, path.name
        assert error.value.rule, path.name
        step = _REPAIRS.get(path.stem)
        assert ("repair" in error.value.fix) == (step is not None)
        assert step is None or f"repair: '{step}' (--repair {step})." in error.value.fix
    assert store.version("bars") == 0 and store.read("bars").num_rows == 3


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"venue": ""}, "bars without venue"),
        ({"interval": ""}, "bars without interval"),
        ({"interval": "1w"}, "a whole number and s, m, h or d"),
        ({"interval": "60m"}, "one spelling, .* Write '1h'"),
        ({"kind": "bar"}, "unknown kind 'bar': did you mean 'bars'"),
        ({"repairs": ["sorted"]}, "unknown repair 'sorted': did you mean 'sort'"),
        ({"kind": "trades", "repairs": ["sort"]}, "repairs is for bars"),
        ({"kind": "funding", "instrument": {"lot": 1}}, "instrument is for bars"),
        ({"instrument": {"lots": 1}}, "unknown field of an instrument 'lots': did you mean 'lot'"),
        ({"instrument": {"lot": -1}}, "lot is finite and at least 0"),
        ({"schema": {"interval": "5m"}}, "an interval is given once"),
        ({"schema": {"zones": "UTC"}}, "unknown field of a schema 'zones'"),
    ],
)
def test_arguments_that_do_not_go_together(
    store: Store, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        bring(synthetic(50, 1), store, **options)


def test_refused_instruments_leave_the_bars_as_they_are(tmp_path: Path, store: Store) -> None:
    bring(hourly(tmp_path, 0, 2), store, instrument={"lot": 1})
    more = hourly(tmp_path, 0, 4)
    with pytest.raises(DataError, match=r"ACME.csv: instruments: .*lot: stored 1, given 2"):
        bring(more, store, instrument={"lot": 2})
    assert store.tables() == {"bars": 0, "instruments": 0}
    done = bring(more, store, instrument={"lot": 2}, revise=True)
    assert [(one.n_new, one.n_revised) for one in done.written] == [(2, 0), (0, 1)]


def test_a_second_run_completes_an_interrupted_one(tmp_path: Path, store: Store) -> None:
    path = hourly(tmp_path, 0, 4)
    bring(path, store)  # as if it ended before the instruments
    assert bring(path, store, instrument={"lot": 1}).written[1].n_new == 1


def test_one_repair_may_be_a_text(tmp_path: Path, store: Store) -> None:
    assert bring(hourly(tmp_path, 0, 3), store, repairs="sort").n_rows == 3


# ---- on the command line ---------------------------------------------------------------------


def test_files_on_the_command_line(cli: Any, tmp_path: Path) -> None:
    files = [hourly(tmp_path, 0, 5, f"{name}.csv") for name in ("A", "B")]
    flags = ("--venue", "x", "--interval", "1h", "--store", tmp_path / "store")
    run = cli("data", "ingest", *files, *flags, "--json")
    assert run.code == 0 and run.object["schema"] == "alphalab.data.ingest/1"
    written = [file["written"][0] for file in run.object["files"]]
    assert [(one["n_new"], one["version"]) for one in written] == [(5, 0), (5, 1)]
    run = cli("data", "ingest", *files, *flags)
    assert run.code == 0 and run.out.splitlines()[1:] == [
        "source  table  new  revised  same  version",
        "A.csv   bars     0        0     5        1",
        "B.csv   bars     0        0     5        1",
        "A.csv: 5 rows from 2024-01-02T00:00:00Z to 2024-01-02T04:00:00Z",
        "B.csv: 5 rows from 2024-01-02T00:00:00Z to 2024-01-02T04:00:00Z",
    ]
    assert f"Next: alphalab data check store:x/1h --store {tmp_path / 'store'}\n" in run.err
    assert "2 files: symbol: the name of the file\n" in run.err
    run = cli("data", "ingest", files[0], *flags, "--json")
    (one,) = run.object["files"]
    assert one["address"] == "store:x/1h/A" and one["end"] == "2024-01-02T04:00:00Z"


def test_schema_flags(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "A;02.01.2024 16;1,5;2;1;1,5\nA;02.01.2024 17;1,5;2;1;1,5\nA;02.01.2024 17;1,5;2;1;1,5\n"
    )
    (tmp_path / "m.toml").write_text(
        'decimal = ","\nheader = false\n[columns]\nopen = 2\nhigh = 3\n'
    )
    flags = ["--schema", tmp_path / "m.toml", "--zone", "Europe/Berlin", "--label", "open"]
    flags += ["--time-format", "%d.%m.%Y %H", "--rename", "A=B", "--repair", "drop_duplicates"]
    for column in ("symbol=0", "time=1", "low=4", "close=5"):
        flags += ["--column", column]
    where = ("--venue", "x", "--interval", "1h", "--store", tmp_path / "store")
    run = cli("data", "ingest", path, *flags, *where)
    assert run.code == 0, run.err
    assert "repair drop_duplicates: 1 of 3 rows, first row 2" in run.err
    rows = Store(tmp_path / "store").read("bars")
    assert rows["symbol"].to_pylist() == ["B", "B"] and rows["close"].to_pylist() == [1.5, 1.5]
    assert str(rows["time"][0]).startswith("2024-01-02 16:00")
    run = cli("data", "ingest", path, *flags, "--column", "volume=Last", *where)
    assert run.code == 2 and "called by their place" in run.err


def test_instruments_of_files(cli: Any, tmp_path: Path) -> None:
    flags = ["--venue", "x", "--interval", "1h", "--store", tmp_path / "store"]
    fields = ["--instrument", "calendar=24/7", "--instrument", "lot=0.5"]
    run = cli("data", "ingest", hourly(tmp_path, 0, 5), *flags, *fields, "--json")
    assert [one["table"] for one in run.object["files"][0]["written"]] == ["bars", "instruments"]
    store = Store(tmp_path / "store")
    assert store.bars("x", "1h").instruments == (
        Instrument(symbol="ACME", calendar="24/7", lot=0.5),
    )
    assert store.history("instruments")[0].record["instrument"] == {"calendar": "24/7", "lot": 0.5}
    # The same is no news: neither of the same rows nor of later ones.
    for last in (5, 9):
        assert cli("data", "ingest", hourly(tmp_path, 0, last), *flags, *fields).code == 0
    assert cli("data", "ingest", hourly(tmp_path, 9, 12), *flags, *fields).code == 0
    assert store.version("instruments") == 0
    fields[-1] = "lot=0.25"
    run = cli("data", "ingest", hourly(tmp_path, 12, 15), *flags, *fields)
    assert run.code == 0 and store.version("instruments") == 1
    assert [state["lot"] for state in store.read("instruments").to_pylist()] == [0.5, 0.25]


def test_the_calendar_of_sessions_is_that_of_their_instruments(store: Store) -> None:
    days = pd.DataFrame(
        {"date": ["2024-01-02", "2024-01-03"]} | {name: [1.0, 1.0] for name in PRICES}
    )
    session = {"label": "session", "calendar": "XNYS", "symbol": "SPX"}
    done = bring(days, store, interval="1d", schema=session)
    assert texts(done)[-1] == "XNYS is kept as the calendar of these symbols"
    assert len(bring(days, store, interval="1d", schema=session).written) == 1
    assert store.bars("x", "1d").instruments[0].calendar == "XNYS"
    other = {"calendar": "XNAS", "lot": 5}
    bring(days, store, interval="1d", schema=session, venue="y", instrument=other)
    assert len(bring(days, store, interval="1d", schema=session, venue="y").written) == 1
    assert store.bars("y", "1d").instruments[0].calendar == "XNAS"
    bring(
        days,
        store,
        interval="1d",
        schema={**session, "calendar": ""} | {"label": "close"},
        venue="z",
        instrument={"lot": 5},
    )
    done = bring(days, store, interval="1d", schema=session, venue="z", revise=True)
    assert "--instrument calendar=XNYS" in texts(done)[-1]


def test_what_is_said_of_many_files_is_said_once(tmp_path: Path) -> None:
    files = [str(hourly(tmp_path, 0, 5, f"{name}.csv")) for name in ("FB", "META")]
    flags = ["--venue", "x", "--interval", "1h", "--label", "open", "--rename", "FB=META"]
    shown = on_a_terminal("data", "ingest", *files, *flags, "--store", str(tmp_path / "store"))
    assert shown.count("2 files: times were those of the open: moved 1h to the close") == 1
    assert "FB.csv: symbol 'FB' was renamed 'META'" in shown
    assert "META.csv: no rows of 'FB', which was to be renamed 'META'" in shown
    rows = Store(tmp_path / "store").read("bars")
    assert rows["symbol"].to_pylist() == ["META"] * 5


def test_files_before_a_broken_one_stay(cli: Any, tmp_path: Path) -> None:
    files = [hourly(tmp_path, 0, 5, f"{name}.csv") for name in ("A", "B", "C")]
    files[1].write_text(HEADER)
    flags = ("--venue", "x", "--interval", "1h", "--store", tmp_path / "store")
    run = cli("data", "ingest", *files, *flags)
    assert run.code == 2 and "B.csv: no rows" in run.err
    assert "1 of 3 files are in the store" in run.err
    hourly(tmp_path, 0, 5, "B.csv")
    assert cli("data", "ingest", *files, *flags).code == 0
    assert Store(tmp_path / "store").read("bars").num_rows == 15


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_ingestion_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    files = [str(hourly(tmp_path, 0, 50, f"S{place}.csv")) for place in range(12)]
    there = tmp_path / "store"
    arguments = [
        "data",
        "ingest",
        *files,
        "--venue",
        "x",
        "--interval",
        "1h",
        "--store",
        str(there),
    ]
    command = [sys.executable, "-c", IN_A_PROCESS, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (there / "bars" / "_delta_log" / f"{2:020}.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    store = Store(there)
    kept = store.read("bars")
    assert 3 <= len(kept["symbol"].unique()) < 12 and kept.num_rows % 50 == 0
    if how == signal.SIGINT:
        assert process.returncode == 130 and "of 12 files are in the store" in err
    else:
        assert process.returncode == -signal.SIGKILL
    assert subprocess.run(command, capture_output=True, timeout=120, check=True)
    undisturbed = Store(tmp_path / "other")
    for file in files:
        bring(file, undisturbed)
    assert store.read("bars").equals(undisturbed.read("bars"))


def test_what_kinds_there_are(cli: Any, tmp_path: Path) -> None:
    assert get_args(Kind) == KINDS
    run = cli("data", "ingest", hourly(tmp_path, 0, 3), "--kind", "bar")
    assert run.code == 2 and "'universe'" in run.err
