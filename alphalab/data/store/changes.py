"""Comparison of given rows with stored ones: new, revised and equal rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.store.incoming import differences, key_text, same_values
from alphalab.data.store.tables import Table
from alphalab.errors import DataError

_THERE, _PLACE = "stored row", "given row"
_MANY = 100  # more differing rows, and over half of all, is an error and not a correction


class Changes(NamedTuple):
    """The rows that a write adds or revises.

    Attributes
    ----------
    new, revised : pyarrow.Table
        Sorted by key. Columns that are not given keep their stored values.
    n_same : int
        Number of rows that are stored with equal values.
    """

    new: pa.Table
    revised: pa.Table
    n_same: int


def changes(table: Table, rows: pa.Table, stored: pa.Table | None, *, revise: bool) -> Changes:
    """Compare rows with those that are stored.

    Parameters
    ----------
    table : Table
    rows : pyarrow.Table
        Each key once, sorted.
    stored : pyarrow.Table or None
        All rows of the table that may have one of the keys; None: there are none.
    revise : bool
        True if a known key may get other values.

    Raises
    ------
    DataError
        A known key with other values, unless `revise`.
    """
    if stored is None or stored.num_rows == 0:
        return Changes(rows, rows.slice(0, 0), 0)
    place = _places(table, rows, stored)
    known = pc.is_valid(place)
    new = rows.filter(pc.invert(known))
    given, found = rows.filter(known), stored.take(place.drop_null())
    for name in (name for name in rows.column_names if name not in found.column_names):
        found = found.append_column(name, pa.nulls(found.num_rows, rows[name].type))
    differ = pc.invert(same_values(given, found, rows.column_names))
    revised = given.filter(differ)
    if revised.num_rows and not revise:
        row = pc.index(differ, True).as_py()
        fix = "Correct the source, or write it with revise=True (--revise)."
        if revised.num_rows >= _MANY and 2 * revised.num_rows > rows.num_rows:
            fix = (
                "Another label or time zone than before? An ingestion that was wrong is undone "
                f"with alphalab data restore {table.name} VERSION. {fix}"
            )
        raise DataError(
            f"{table.name}: {key_text(table, given, row)} is stored with other values, "
            f"{differences(table, found, row, given, row, words=('stored', 'given'))} "
            f"({revised.num_rows:,} of {rows.num_rows:,} rows differ)",
            rule="a stored row changes only in a revision.",
            fix=fix,
        )
    kept = found.filter(differ)
    for name in (name for name in kept.column_names if name not in revised.column_names):
        revised = revised.append_column(name, kept[name])
    return Changes(new, revised, given.num_rows - revised.num_rows)


def without(table: Table, rows: pa.Table, others: pa.Table) -> pa.Table:
    """Return the rows whose keys other rows do not have."""
    return rows.filter(pc.is_null(_places(table, rows, others)))


def _places(table: Table, rows: pa.Table, stored: pa.Table) -> pa.Array:
    """Return the place of each row's key among the stored ones; null for a new key."""
    key = list(table.key)
    left = rows.select(key).append_column(_PLACE, pa.array(np.arange(rows.num_rows)))
    right = stored.select(key).append_column(_THERE, pa.array(np.arange(stored.num_rows)))
    joined = left.join(right, keys=key, join_type="left outer").sort_by(_PLACE)
    return joined[_THERE].combine_chunks()
