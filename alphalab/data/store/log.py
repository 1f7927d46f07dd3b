"""The log of a table: its versions and the extent of its partitions; no row is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from alphalab.data.store.delta import METADATA
from alphalab.data.store.tables import Table
from alphalab.errors import DataError

if TYPE_CHECKING:
    from deltalake import DeltaTable


class Commit(NamedTuple):
    """One version of a table.

    Attributes
    ----------
    version : int
    time : int
        When it was written, ns UTC, by the clock of the writer.
    operation : str
        What Delta Lake calls it.
    n_new, n_revised : int
    record : dict
        What the writer said about it: source, repairs.
    """

    version: int
    time: int
    operation: str
    n_new: int
    n_revised: int
    record: dict[str, Any]


class Series(NamedTuple):
    """One partition of a table.

    Attributes
    ----------
    names : tuple of str
        The values of the columns of the partition: venue, interval and symbol of bars.
    n_rows : int
    first, last : int
        Times of the first and the last row, ns UTC, cut to the millisecond as Delta Lake's
        statistics are: the rows themselves may be up to 999 microseconds later.
    n_files : int
    """

    names: tuple[str, ...]
    n_rows: int
    first: int
    last: int
    n_files: int


def commits_of(there: DeltaTable) -> list[Commit]:
    """Return the versions of a table, the newest first."""
    commits = []
    for entry in there.history():
        said = json.loads(entry.get(METADATA, "{}"))
        commits.append(
            Commit(
                version=int(entry["version"]),
                time=int(entry["timestamp"]) * 1_000_000,
                operation=str(entry.get("operation", "")),
                n_new=int(said.get("n_new", 0)),
                n_revised=int(said.get("n_revised", 0)),
                record=said.get("record", {}),
            )
        )
    return commits


def lineage(commits: Sequence[Commit], version: int) -> list[Commit]:
    """Return the commits that a version consists of, the oldest first, without undone ones.

    Parameters
    ----------
    commits : sequence of Commit
        Of the table, in any order.
    version : int
    """
    known = {commit.version: commit for commit in commits}
    made = []
    while commit := known.get(version):
        made.append(commit)
        restored = commit.record.get("restored") if commit.operation == "RESTORE" else None
        version = version - 1 if restored is None else restored
    return made[::-1]


def series_of(table: Table, there: DeltaTable) -> list[Series]:
    """Return the partitions of a table in order.

    Raises
    ------
    DataError
        A file without statistics: something else than a store wrote it.
    """
    files = pa.table(there.get_add_actions(flatten=True))
    keys = [f"partition.{name}" for name in table.partition]
    first, last = f"min.{table.time}", f"max.{table.time}"
    needed = [*keys, "num_records", first, last]
    if any(name not in files.column_names or files[name].null_count for name in needed):
        raise DataError(
            f"{there.table_uri}: a file has no statistics",
            rule="a store writes how many rows a file has, and from when to when.",
            fix="Write the rows into a store of their own.",
        )
    groups = files.group_by(keys).aggregate(
        [("num_records", "sum"), (first, "min"), (last, "max"), ("num_records", "count")]
    )
    times = [
        groups[name].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        for name in (f"{first}_min", f"{last}_max")
    ]
    counts = [groups[f"num_records_{what}"].to_pylist() for what in ("sum", "count")]
    names = zip(*(groups[key].to_pylist() for key in keys), strict=True)
    rows = zip(names, counts[0], *times, counts[1], strict=True)
    return sorted(
        Series(name, n, start * 1_000, end * 1_000, n_files)
        for name, n, start, end, n_files in rows
    )
