"""Killed and concurrent writers of a store: no row is lost, and none is stored twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from store_rows import bar_rows
from writers import finish, start, writer

from alphalab.data.store.delta import commit, open_table
from alphalab.data.store.store import Store
from alphalab.data.store.tables import TABLES

N_PARTS, PART = 12, 15_000
INGEST = f"""
for part in range({N_PARTS}):
    first = part * {PART}
    rows = [bar_rows(symbol, first, first + {PART}, 1.0 + part) for symbol in "ABC"]
    store.write("bars", pa.concat_tables(rows), record={{"part": part}})
"""
REVISE = """
price = 2.0
while True:
    rows = [bar_rows(symbol, 0, 20_000, price) for symbol in "AB"]
    store.write("bars", pa.concat_tables(rows), revise=True)
    price += 1.0
"""


def _n_versions(store: Store) -> int:
    return len(list(Path(store.url, "bars", "_delta_log").glob("*.json")))


def _files(store: Store) -> set[str]:
    """Return the names of all data files, finished or not."""
    return {path.name for path in Path(store.url).rglob("*.parquet*")}


def _unknown(store: Store) -> set[str]:
    """Return the data files that no version knows."""
    known = DeltaTable(store.url + "/bars").file_uris() if _n_versions(store) else []
    return _files(store) - {Path(file).name for file in known}


def _killed_when(body: str, store: Store, is_time: Callable[[], bool]) -> None:
    process = writer(body, store.url)
    start(process)
    while not is_time():
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()


def _check_versions(store: Store) -> None:
    n_versions = _n_versions(store)
    assert n_versions < N_PARTS
    for version in {*range(n_versions)[:1], *range(n_versions)[-1:]}:
        assert store.read("bars", version=version).num_rows == (version + 1) * 3 * PART


def test_a_killed_ingestion(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for _ in range(5):  # until one was killed between its data files and their commit
        _killed_when(INGEST, store, lambda: len(_files(store)) > 3 * _n_versions(store))
        _check_versions(store)
        if _unknown(store):
            break
    assert _unknown(store)
    _killed_when(INGEST, store, lambda: _n_versions(store) >= 5)
    _check_versions(store)

    again = writer(INGEST, store.url)
    start(again)
    finish(again)
    assert [commit.record["part"] for commit in store.history("bars")] == [*range(N_PARTS)][::-1]
    whole = [bar_rows(s, p * PART, (p + 1) * PART, 1.0 + p) for s in "ABC" for p in range(N_PARTS)]
    assert store.read("bars").equals(pa.concat_tables(whole))
    assert store.sql("select count(*) n from bars")["n"].to_pylist() == [N_PARTS * 3 * PART]


def test_a_killed_revision_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.write("bars", pa.concat_tables([bar_rows(symbol, 0, 20_000) for symbol in "AB"]))
    _killed_when(REVISE, store, lambda: len(_files(store)) > 2 * max(_n_versions(store), 3))
    read = store.read("bars")
    assert read.num_rows == 40_000
    assert set(read["close"].to_pylist()) == {1.0 + store.version("bars")}


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.write("bars", bar_rows("A", 0, 10))
    body = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    store.write("bars", bar_rows("B", 0, 50_000, np.arange(50_000) / 7))
except Exception as error:
    print(type(error).__name__, error)
"""
    process = writer(body, store.url)
    start(process)
    (said,) = finish(process)
    assert said.startswith(f"DataError {store.url}/bars: ") and "File too large" in said
    assert store.read("bars").num_rows == 10
    assert store.write("bars", bar_rows("B", 0, 10)).version == 1


def test_a_commit_holds_only_on_what_was_opened(tmp_path: Path) -> None:
    table, url = TABLES["bars"], str(tmp_path / "bars")

    def write(target: Any, first: int, *, replace: bool = False) -> int:
        rows = bar_rows("A", first, first + 5)
        return commit(table, target, rows, replace=replace, metadata={}, options={})

    assert write(url, 0) == 0  # nothing was there
    for replace in (False, True):
        slow = open_table(table, url, {})
        with pytest.raises(CommitFailedError):
            write(url, 5)  # nothing is said to be there, still
        assert write(open_table(table, url, {}), 10 + replace) == 1 + replace
        with pytest.raises(CommitFailedError):
            write(slow, 20, replace=replace)


def test_writers_that_meet(tmp_path: Path) -> None:
    """Each writes all rows, part by part in an order of its own; the first makes the table."""
    store = Store(tmp_path / "store")
    body = """
for part in {parts}:
    rows = [bar_rows(symbol, 10 * part, 10 * part + 15) for symbol in "AB"]
    print(store.write("bars", pa.concat_tables(rows)).n_new)
"""
    orders = [range(12), range(11, -1, -1)]
    processes = [writer(body.format(parts=list(order)), store.url) for order in orders]
    start(*processes)
    n_new = [int(line) for out in finish(*processes) for line in out.split()]
    assert sum(n_new) == 250
    assert store.read("bars").equals(pa.concat_tables([bar_rows(s, 0, 125) for s in "AB"]))
    assert len(store.history("bars")) == sum(n > 0 for n in n_new)


def test_revisions_that_meet(tmp_path: Path) -> None:
    """All count up the same rows: if one overwrote another's commit, a step would be missing."""
    store = Store(tmp_path / "store")
    store.write("bars", bar_rows("A", 0, 10, 1.0))
    body = """
for price in {prices}:
    store.write("bars", bar_rows("A", 0, 10, price), revise=True)
"""
    prices = [[float(10 * k + n) for n in range(1, 9)] for k in range(1, 3)]
    processes = [writer(body.format(prices=some), store.url) for some in prices]
    start(*processes)
    finish(*processes)
    commits = store.history("bars")
    assert [commit.n_revised for commit in commits] == [10] * 16 + [0]
    seen = [set(store.read("bars", version=c.version)["close"].to_pylist()) for c in commits]
    assert sorted(price for (price,) in seen) == sorted(
        [1.0, *(p for some in prices for p in some)]
    )
