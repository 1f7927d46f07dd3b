"""The store: what a write changes and what it refuses, what a read returns, at every version."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders import texts
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from store_rows import MINUTE, bar_rows, times
from writers import start, writer

from alphalab.data.store import writing
from alphalab.data.store.store import Store
from alphalab.data.store.tables import TABLES
from alphalab.errors import AlphalabError, DataError, UnknownNameError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_rows_come_back_in_the_order_of_the_table(store: Store) -> None:
    rows = pa.concat_tables([bar_rows("B", 0, 5), bar_rows("A", 2, 7)])
    shuffled = rows.take(np.random.default_rng(1).permutation(10)).select(rows.column_names[::-1])
    assert store.write("bars", shuffled) == ("bars", 0, 10, 0, 0)
    read = store.read("bars")
    assert read.schema == pa.schema(list(TABLES["bars"].columns.items()))
    assert read.equals(rows.sort_by([("symbol", "ascending"), ("time", "ascending")]))


@pytest.mark.parametrize("table", TABLES)
def test_every_table_takes_its_rows_once(store: Store, table: str) -> None:
    kinds = TABLES[table].columns
    values = {"string": "x", "double": 1.5, "timestamp[us, tz=UTC]": times(3, 4)[0]}
    row = pa.table({name: pa.array([values[str(kind)]], kind) for name, kind in kinds.items()})
    assert store.write(table, row)[1:] == (0, 1, 0, 0)
    assert store.write(table, row)[1:] == (0, 0, 0, 1)
    assert store.read(table).equals(row)


def test_trades_of_one_time_are_in_the_order_of_their_numbers(store: Store) -> None:
    ids = ["1000", "999", "1001", "98"]
    texts = {"venue": ["v"] * 4, "symbol": ["A"] * 4, "id": ids}
    rows = pa.table({**texts, "time": [times(0, 1)[0]] * 4, "price": range(4), "amount": range(4)})
    store.write("trades", rows.slice(0, 2))
    store.write("trades", rows)
    assert store.read("trades", columns=["id"])["id"].to_pylist() == ["98", "999", "1000", "1001"]
    assert store.read("trades", columns=["price"])["price"].to_pylist() == [3, 1, 0, 2]
    assert store.read("trades")["side"].to_pylist() == [None] * 4


def test_a_second_run_makes_no_version(store: Store) -> None:
    store.write("bars", bar_rows("A", 0, 5))
    assert store.write("bars", bar_rows("A", 0, 5)) == ("bars", 0, 0, 0, 5)
    assert store.write("bars", bar_rows("A", 3, 8)) == ("bars", 1, 3, 0, 2)
    assert store.version("bars") == 1
    assert store.write("bars", bar_rows("A", 0, 0)) == ("bars", 1, 0, 0, 0)
    assert store.write("funding", store.read("funding")) == ("funding", None, 0, 0, 0)
    assert store.tables() == {"bars": 1}


def test_other_values_are_a_revision(store: Store) -> None:
    store.write("bars", pa.concat_tables([bar_rows("A", 0, 5), bar_rows("B", 0, 5)]))
    with pytest.raises(DataError) as caught:
        store.write("bars", bar_rows("A", 3, 7, 2.0))
    assert "binance 1m A 1970-01-01T00:03:00Z" in str(caught.value)
    assert "open: stored 1, given 2" in str(caught.value)
    assert "2 of 4 rows" in str(caught.value)
    assert store.version("bars") == 0

    assert store.write("bars", bar_rows("A", 3, 7, 2.0), revise=True) == ("bars", 1, 2, 2, 0)
    closes = store.read("bars", where={"symbol": "A"})["close"].to_pylist()
    assert closes == [1, 1, 1, 2, 2, 2, 2]
    assert store.read("bars", where={"symbol": "B"})["close"].to_pylist() == [1] * 5
    assert store.read("bars", version=0)["close"].to_pylist() == [1] * 10


def test_unknown_is_a_value_like_others(store: Store) -> None:
    unknown = bar_rows("A", 0, 2).set_column(8, "volume", pa.array([np.nan, None], pa.float64()))
    store.write("bars", unknown)
    assert store.read("bars")["volume"].to_pylist() == [None, None]
    assert store.write("bars", unknown).n_same == 2
    with pytest.raises(DataError, match="volume: stored unknown, given 1"):
        store.write("bars", bar_rows("A", 0, 2))


def test_further_columns(store: Store) -> None:
    store.write("bars", bar_rows("A", 0, 2).drop_columns("volume"))
    store.write("bars", bar_rows("A", 2, 4, oi=[5, 6]))
    assert store.read("bars")["oi"].to_pylist() == [None, None, 5, 6]
    assert store.read("bars")["volume"].to_pylist() == [None, None, 1, 1]
    # What is not given is not contradicted, and a revision keeps it.
    assert store.write("bars", bar_rows("A", 2, 4)).n_same == 2
    store.write("bars", bar_rows("A", 3, 4, 9.0), revise=True)
    assert store.read("bars", columns=["close", "oi"]).to_pylist()[2:] == [
        {"close": 1, "oi": 5},
        {"close": 9, "oi": 6},
    ]
    with pytest.raises(DataError, match="oi: stored unknown, given 5"):
        store.write("bars", bar_rows("A", 0, 1, oi=[5]))
    assert "oi" not in store.read("bars", version=0).column_names


def test_further_columns_are_spelled_in_one_way(store: Store) -> None:
    store.write("bars", bar_rows("A", 0, 2, vwap=[5.0, 6.0]))
    for symbol, revise in (("A", True), ("B", False)):
        with pytest.raises(DataError, match="column 'VWAP', where the table has 'vwap'"):
            store.write("bars", bar_rows(symbol, 1, 3, VWAP=[6.0, 7.0]), revise=revise)
    with pytest.raises(DataError, match="column 'Volume', where the table has 'volume'"):
        store.write("bars", bar_rows("B", 0, 1, Volume=[6.0]).drop_columns("volume"))
    assert store.version("bars") == 0


def test_rows_that_are_there_twice(store: Store) -> None:
    twice = pa.concat_tables([bar_rows("A", 0, 3), bar_rows("A", 1, 2)])
    assert store.write("bars", twice) == ("bars", 0, 3, 0, 1)
    other = pa.concat_tables([bar_rows("A", 5, 8, 7.0), bar_rows("A", 6, 7, 3.0)])
    with pytest.raises(DataError, match=r"rows 1 and 3: .*00:06:00Z .*open: first 7, then 3"):
        store.write("bars", other, revise=True)


def _without(name: str) -> pa.Table:
    return bar_rows("A", 0, 2).drop_columns(name)


def _with(name: str, values: object, kind: pa.DataType | None = None) -> pa.Table:
    rows = bar_rows("A", 0, 2)
    column = pa.array(values, kind)
    if name not in rows.column_names:
        return rows.append_column(name, column)
    return rows.set_column(rows.column_names.index(name), name, column)


NS, S = pa.timestamp("ns", "UTC"), pa.timestamp("s", "UTC")
FAR = 9_214_646_400  # 2262-01-01, in seconds since 1970


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (_without("close"), "no column 'close'"),
        (_with("close", [1.0, None]), "row 1: no value in column 'close'"),
        (_with("close", [np.nan, 1.0]), "row 0: no value in column 'close'"),
        (_with("close", ["1", "2"]), "column 'close' has type string"),
        (_with("symbol", [1, 2]), "column 'symbol' has type int64"),
        (_with("symbol", ["A", " "]), "symbol=' '"),
        (_with("symbol", ["A", "B?"]), "symbol='B?'"),
        (_with("symbol", ["A", "B@17"]), "symbol='B@17'"),
        (_with("venue", ["a", "a/b"]), "venue='a/b'"),
        (_with("time", [0, 1]), "column 'time' has type int64"),
        (_with("time", [0, 1], pa.timestamp("us")), "timestamps with a time zone"),
        (_with("time", [0, 1_500], NS), "row 1: time is 1970-01-01T00:00:00.000001500Z"),
        (_with("time", [0, FAR], S), "bars, row 1: time is 2262-01-01T00:00:00Z"),
        (_with("time", [-FAR, 0], S), "bars, row 0: time is 1677-12-31T00:00:00Z"),
        (_with("time", [0, 10**9 * FAR], NS), "row 1: time is 2262-01-01T00:00:00Z"),
        (_with("Close", [1.0, 1.0]), "column 'close' is there twice"),
        (_with("open interest", [1.0, 1.0]), "column 'open interest'"),
        (_with("note", ["x", "y"]), "column 'note' has type string"),
    ],
)
def test_rows_that_are_refused(store: Store, rows: pa.Table, message: str) -> None:
    with pytest.raises(DataError) as caught:
        store.write("bars", rows)
    assert message in str(caught.value)
    assert store.tables() == {}


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_an_end_that_never_comes_is_null(store: Store, unit: str) -> None:
    texts = {"name": ["u", "u"], "symbol": ["A", "B"]}
    start = times(0, 2)
    ends = np.array(["1970-01-03", "9999-12-31"], f"M8[{unit}]")
    rows = pa.table({**texts, "start": start, "known": start})
    ended = rows.append_column("end", pa.array(ends).cast(pa.timestamp(unit, "UTC")))
    with pytest.raises(DataError) as caught:
        store.write("universe", ended)
    assert "universe, row 1: end is 9999-12-31T00:00:00Z" in str(caught.value)
    assert "(null): that means still" in str(caught.value)
    last = "2261-12-31T23:59:59.999999"
    edges = pa.array(np.array([last, None], "M8[us]")).cast(pa.timestamp("us", "UTC"))
    store.write("universe", rows.append_column("end", edges))
    assert store.members("u", last) == ("B",)
    assert store.members("u", "2261-12-31") == ("A", "B")


def test_names_that_do_not_exist(store: Store) -> None:
    store.write("bars", bar_rows("A", 0, 2))
    rate = {"venue": "b", "symbol": "A", "time": times(0, 1)[0], "rates": 1.0, "rate": 1.0}
    with pytest.raises(UnknownNameError, match="did you mean 'bars'"):
        store.read("bar")
    with pytest.raises(UnknownNameError, match="did you mean 'symbol'"):
        store.read("bars", where={"symbols": "A"})
    with pytest.raises(DataError, match="where is about columns of text"):
        store.read("bars", where={"time": "1970-01-01"})
    with pytest.raises(UnknownNameError, match="did you mean 'close'"):
        store.read("bars", columns=["closes"])
    with pytest.raises(UnknownNameError, match="column of funding 'rates': did you mean 'rate'"):
        store.write("funding", pa.Table.from_pylist([rate]))
    for version in (-1, 1, 99, "1", "0", 0.5):
        with pytest.raises(DataError, match=f"there is no version {version!r}"):
            store.read("bars", version=version)
    for symbol in (5, None, ["A", 5]):
        with pytest.raises(DataError, match=r"where: symbol=(5|None)"):
            store.read("bars", where={"symbol": symbol})
    with pytest.raises(DataError, match="there is no version 0"):
        store.read("funding", version=0)
    with pytest.raises(UnknownNameError, match="known names are abfs"):
        Store("s4://bucket")


def test_times_of_any_unit_and_zone(store: Store) -> None:
    kinds = [pa.timestamp("s", "UTC"), NS, pa.timestamp("ms", "America/New_York")]
    for kind in kinds:
        store.write("bars", bar_rows("A", 0, 3).set_column(3, "time", times(0, 3).cast(kind)))
    assert store.version("bars") == 0
    assert store.read("bars")["time"].combine_chunks().equals(times(0, 3))


def test_what_is_read(store: Store) -> None:
    store.write("bars", pa.concat_tables([bar_rows(s, 0, 3_000) for s in "ABC"]))
    assert store.read("bars", where={"symbol": ["C", "A", "Z"]}).num_rows == 6_000
    assert store.read("bars", where={"symbol": []}).num_rows == 0
    assert store.read("bars", start="1970-01-02", end="1970-01-02").num_rows == 3 * 1_440
    assert store.read("bars", start="1970-01-01T00:01", end="1970-01-01T00:02").num_rows == 6
    assert store.read("bars", start="1970-01-01T00:01:00.000000001").num_rows == 3 * 2_998
    only = store.read("bars", columns=["close", "symbol"], end="1970-01-01T00:00")
    assert only.to_pydict() == {"close": [1, 1, 1], "symbol": ["A", "B", "C"]}
    assert store.read("bars", columns="close").column_names == ["close"]
    assert store.read("bars", version=np.int64(0)).num_rows == 9_000
    empty = store.read("funding", columns=["rate"])
    assert empty.num_rows == 0 and empty.column_names == ["rate"]


def test_a_time_between_milliseconds_is_found(store: Store) -> None:
    """Statistics of files are rounded to milliseconds; what they rule out must not be there."""
    moment = pa.array([1_700_000_000_123_456], pa.timestamp("us", "UTC"))
    store.write("bars", bar_rows("A", 0, 1).set_column(3, "time", moment))
    span = {"start": "2023-11-14T22:13:20.123456Z", "end": "2023-11-14T22:13:20.123456Z"}
    assert store.read("bars", **span).num_rows == 1
    assert store.sql("select * from bars where time >= '2023-11-14 22:13:20.123456Z'").num_rows == 1
    assert store.write("bars", store.read("bars")).n_same == 1
    assert store.series("bars")[0].last == 1_700_000_000_123_000_000


def test_files_that_are_left_out_hold_no_answer(store: Store) -> None:
    random = np.random.default_rng(3)
    moments = random.choice(20_000, 60, replace=False) + 1_700_000_000_000_000
    for part in moments.reshape(6, 10):
        rows = bar_rows("A", 0, 10).set_column(3, "time", pa.array(part, times(0, 0).type))
        store.write("bars", rows)
    for ends in np.sort(random.choice(moments, (40, 2)) + random.integers(-1, 2, (40, 2))):
        first, last = ends.astype("M8[us]")
        inside = ((moments >= ends[0]) & (moments <= ends[1])).sum()
        assert store.read("bars", start=first, end=last).num_rows == inside
    assert store.dataset("bars", start=ends[1].astype("M8[us]"), end="2023-11-14").count_rows() < 60
    assert len(store.dataset("bars", where={"symbol": "B"}).files) == 0


@pytest.mark.parametrize(
    "symbol", ["BTC/USDT:USDT", "it's", 'q"q', "a\\b", "ü%20 x", "../x", ".", "a=b", "日本", "NULL"]
)
def test_symbols_are_any_text(store: Store, symbol: str) -> None:
    store.write("bars", bar_rows(symbol, 0, 2))
    store.write("bars", bar_rows(symbol, 0, 3, 2.0), revise=True)
    read = store.read("bars", where={"symbol": symbol})
    assert read["symbol"].to_pylist() == [symbol] * 3
    assert read["close"].to_pylist() == [2.0] * 3
    folders = {path.name for path in Path(store.url).parent.rglob("*") if path.is_dir()}
    assert "x" not in folders


def test_history_says_what_was_done(store: Store) -> None:
    record = {"source": "a.csv", "repairs": [{"step": "sort", "said": "2 rows moved"}]}
    store.write("bars", bar_rows("A", 0, 5), record=record)
    store.write("bars", bar_rows("A", 4, 6, 2.0), revise=True)
    second, first = store.history("bars")
    assert (first.version, first.n_new, first.n_revised, first.record) == (0, 5, 0, record)
    assert (second.version, second.n_new, second.n_revised, second.record) == (1, 1, 1, {})
    assert first.time < second.time
    assert store.history("trades") == []


def test_an_ingestion_is_undone(store: Store) -> None:
    right, more = bar_rows("A", 0, 5), bar_rows("B", 0, 3)
    about = {"venue": "binance", "interval": "1m", "symbols": ["A"]}
    store.write("bars", right, record={**about, "notes": ["right"]})
    wrong = bar_rows("A", 0, 9, 2.0, oi=np.ones(9))
    store.write("bars", wrong, revise=True, record={**about, "notes": ["wrong"]})
    store.write("bars", more)
    states = [store.read("bars", version=version) for version in range(3)]

    assert store.restore("bars", 0) == 3
    assert store.read("bars").equals(right)
    newest = store.history("bars")[0]
    assert (newest.operation, newest.record) == ("RESTORE", {"restored": 0})
    assert store.restore("bars", 0) == store.restore("bars", 3) == 3  # it is so already
    assert texts(store.bars("binance", "1m", versions=1)).count("wrong") == 1
    notes = texts(store.bars("binance", "1m", symbols=["A"]))
    assert "right" in notes and "wrong" not in notes  # what was undone says nothing

    assert store.write("bars", more) == ("bars", 4, 3, 0, 0)
    assert store.read("bars").equals(pa.concat_tables([right, more]))
    assert store.restore("bars", 2) == 5
    assert store.read("bars").equals(states[2])
    assert [store.read("bars", version=version) for version in range(3)] == states
    assert [(one.names[-1], one.n_rows) for one in store.series("bars")] == [("A", 9), ("B", 3)]


def test_a_restore_undoes_nothing_that_it_has_not_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(3):
        store.write("bars", bar_rows("A", minute, minute + 1))
    bring_back = writing.bring_back

    def late(*arguments: Any) -> int:
        store.write("bars", bar_rows("B", 0, 1))
        return bring_back(*arguments)

    monkeypatch.setattr(writing, "bring_back", late)
    with pytest.raises(DataError, match="another writer was faster"):
        store.restore("bars", 0)
    assert (store.version("bars"), store.read("bars").num_rows) == (3, 4)


@pytest.mark.parametrize(
    ("table", "version", "message"),
    [
        ("bars", 1, "there is no version 1.*\n.*its versions are 0 to 0"),
        ("bars", -1, "there is no version -1"),
        ("trades", 0, "there is no version 0.*\n.*the table is not there"),
        ("bar", 0, "did you mean 'bars'"),
    ],
)
def test_what_cannot_be_restored(store: Store, table: str, version: int, message: str) -> None:
    store.write("bars", bar_rows("A", 0, 1))
    with pytest.raises(AlphalabError, match=message):
        store.restore(table, version)


@pytest.mark.parametrize(("n_differ", "hinted"), [(100, False), (101, True), (200, True)])
def test_rows_that_nearly_all_differ_hint_at_why(store: Store, n_differ: int, hinted: bool) -> None:
    store.write("bars", bar_rows("A", 0, 200))
    prices = np.where(np.arange(200) < n_differ, 2.0, 1.0)
    with pytest.raises(DataError, match=f"{n_differ} of 200 rows differ") as caught:
        store.write("bars", bar_rows("A", 0, 200, prices))
    assert ("Another label or time zone" in caught.value.fix) == hinted
    assert ("alphalab data restore bars VERSION" in caught.value.fix) == hinted


_AS_NOBODY = """
import os
if os.getuid() == 0:  # who may do everything
    os.setuid(65534)
for folder in ("sealed", "sealed/new", "hidden"):
    there = Store(f"{store.url}/{folder}")
    for ask in (lambda: there.write("bars", bar_rows("A", 0, 9)), lambda: there.read("bars")):
        try:
            print(folder, len(ask()))
        except Exception as error:
            print(folder, type(error).__name__, str(error).replace("\\n", " "))
"""


def test_folders_that_one_may_not_write_to_or_read() -> None:
    """In a folder that everyone can reach: pytest's own is for its user alone."""
    with TemporaryDirectory() as top:
        store = Store(f"{top}/sealed")
        store.write("bars", bar_rows("A", 0, 5))
        Path(top, "hidden").mkdir()
        for folder in (*(f for f in Path(top).rglob("*") if f.is_dir()), Path(top)):
            folder.chmod(0o555)
        Path(top, "hidden").chmod(0o000)
        child = writer(_AS_NOBODY, top)
        start(child)
        out, err = child.communicate(timeout=60)
        for folder in (Path(top), *Path(top).rglob("*")):
            folder.chmod(0o755)
    log = f"{top}/sealed/bars/_delta_log"
    rule = "Rule: a store is a folder that its users may read"
    expected = [
        f"sealed DataError {top}/sealed/bars: this user may not write in {log}   {rule}",
        "sealed 5",
        f"sealed/new DataError {top}/sealed/new/bars: this user may not write in {top}/sealed ",
        "sealed/new 0",
        f"hidden DataError {top}/hidden/bars: this user may not read in {top}/hidden   {rule}",
        f"hidden DataError {top}/hidden/bars: this user may not read in {top}/hidden   {rule}",
    ]
    assert err == ""
    for line, beginning in zip(out.splitlines(), expected, strict=True):
        assert line.startswith(beginning)


def test_versions_are_kept_for_good(store: Store) -> None:
    """Delta's default deletes logs after 30 days, when a checkpoint is written."""
    for day in range(4):
        store.write("bars", bar_rows("A", day, day + 1))
    table = DeltaTable(store.url + "/bars")
    table.create_checkpoint()
    for file in Path(store.url, "bars", "_delta_log").iterdir():
        os.utime(file, (1, 1))
    table.cleanup_metadata()
    assert [store.read("bars", version=v).num_rows for v in range(4)] == [1, 2, 3, 4]
    assert len(store.history("bars")) == 4


def test_files_are_sorted_and_in_row_groups(store: Store) -> None:
    n = 120_000
    store.write("bars", pa.concat_tables([bar_rows("B", 0, n), bar_rows("A", 0, n)]))
    store.write("bars", bar_rows("A", 50_000, 50_001, 2.0), revise=True)
    files = DeltaTable(store.url + "/bars").file_uris()
    assert len(files) == 2
    for file in files:
        parquet = pq.ParquetFile(file)
        rows = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
        time = parquet.read(["time"])["time"].cast(pa.int64()).to_numpy()
        assert rows == [100_000, 20_000]
        assert (np.diff(time) == MINUTE).all()


def test_series_are_answered_by_the_log(store: Store) -> None:
    store.write("bars", pa.concat_tables([bar_rows("B", 5, 8), bar_rows("A", 0, 2)]))
    store.write("bars", bar_rows("A", 10, 11))
    for file in Path(store.url).rglob("*.parquet"):
        file.unlink()
    minute = MINUTE * 1_000
    assert store.series("bars") == [
        (("binance", "1m", "A"), 3, 0, 10 * minute, 2),
        (("binance", "1m", "B"), 3, 5 * minute, 7 * minute, 1),
    ]
    assert store.series("bars", version=0)[0].n_rows == 2
    assert store.series("trades") == []


def test_damaged_files_are_named(store: Store) -> None:
    store.write("bars", bar_rows("A", 0, 500))
    store.write("bars", bar_rows("B", 0, 500))
    store.write("bars", bar_rows("C", 0, 500))
    damaged = next(Path(store.url).rglob("symbol=B/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    for ask in (lambda: store.read("bars"), lambda: store.write("bars", bar_rows("B", 0, 1))):
        with pytest.raises(DataError, match=damaged.name):
            ask()
    assert store.read("bars", version=0).num_rows == 500
    assert store.read("bars", where={"symbol": ["A", "C"]}).num_rows == 1_000

    log = sorted(Path(store.url, "bars", "_delta_log").glob("*.json"))
    log[2].write_text(log[2].read_text()[:50])
    with pytest.raises(DataError, match="bars: ") as caught:
        store.read("bars", where={"symbol": "A"})
    assert len(str(caught.value)) < 300
    assert store.read("bars", where={"symbol": "A"}, version=1).num_rows == 500


def test_tables_of_others_are_left_alone(store: Store, tmp_path: Path) -> None:
    write_deltalake(store.url + "/bars", pa.table({"a": [1]}))
    for ask in (lambda: store.read("bars"), lambda: store.write("bars", bar_rows("B", 0, 1))):
        with pytest.raises(DataError, match="a Delta table that alphalab did not make"):
            ask()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        Store(tmp_path / "file")


def test_where_a_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ALPHALAB_STORE", raising=False)
    assert Store().url == "data"
    monkeypatch.setenv("ALPHALAB_STORE", str(tmp_path))
    assert Store().url == str(tmp_path)
    hidden = Store("s3://bucket/a/", options={"AWS_SECRET_ACCESS_KEY": "hush"})
    assert repr(hidden) == "<Store s3://bucket/a>"


WRITES = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.dictionaries(st.integers(0, 5), st.sampled_from([1.0, 2.0, None]), max_size=4),
        st.booleans(),
    ),
    max_size=5,
)


@settings(max_examples=25)
@given(writes=WRITES)
def test_a_store_is_a_dictionary_with_versions(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, dict, bool]]
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    known: dict[tuple[str, int], float | None] = {}
    versions = []
    for symbol, given_rows, revise in writes:
        rows = _volumes(symbol, given_rows)
        there = {k for k in given_rows if (symbol, k) in known}
        differ = {k for k in there if known[symbol, k] != given_rows[k]}
        if differ and not revise:
            with pytest.raises(AlphalabError, match=f"{len(differ)} of {len(given_rows)} rows"):
                store.write("bars", rows)
            continue
        n_new = len(given_rows) - len(there)
        written = store.write("bars", rows, revise=revise)
        assert written[2:] == (n_new, len(differ), len(there) - len(differ))
        known |= {(symbol, k): v for k, v in given_rows.items()}
        if n_new or differ:
            versions.append(dict(known))
        assert written.version == (len(versions) - 1 if versions else None)
    for version, expected in enumerate(versions):
        read = store.read("bars", version=version)
        minutes = pc.divide(read["time"].cast(pa.int64()), MINUTE).to_pylist()
        keys = list(zip(read["symbol"].to_pylist(), minutes, strict=True))
        assert keys == sorted(expected)
        assert dict(zip(keys, read["volume"].to_pylist(), strict=True)) == expected


def _volumes(symbol: str, volumes: dict[int, float | None]) -> pa.Table:
    rows = bar_rows(symbol, 0, 6).take(pa.array(volumes, pa.int64()))
    return rows.set_column(8, "volume", pa.array(volumes.values(), pa.float64()))
