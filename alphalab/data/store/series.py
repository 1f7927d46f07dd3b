"""What a table holds, from its log alone: each partition with its rows and its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from alphalab.data.store.tables import Table
from alphalab.errors import DataError

if TYPE_CHECKING:
    from deltalake import DeltaTable


class Series(NamedTuple):
    """One partition of a table.

    Attributes
    ----------
    names : tuple of str
        The values of the columns of the partition: venue, interval and symbol of bars.
    n_rows : int
    first, last : int
        Times of the first and the last row, ns UTC.
    n_files : int
    """

    names: tuple[str, ...]
    n_rows: int
    first: int
    last: int
    n_files: int


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
