"""Rows before they are stored: columns and types of the table, unique keys, sorted by key.

Prices are not checked here: the quality check does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import iso
from alphalab.data.formats.arrow import is_number, is_text, plain
from alphalab.data.store.address import check_name
from alphalab.data.store.order import order_of
from alphalab.data.store.tables import Table
from alphalab.errors import DataError, UnknownNameError

#: Characters that Delta Lake forbids in column names.
FORBIDDEN = frozenset(" ,;{}()=")
_YEARS = ("1678", "2262")  # the years of int64 ns, the last excluded


class Incoming(NamedTuple):
    """Rows in the form of a table.

    Attributes
    ----------
    rows : pyarrow.Table
        Sorted by key, each key once.
    n_twice : int
        Rows that were there again with equal values, and are left out.
    """

    rows: pa.Table
    n_twice: int


def checked(table: Table, rows: pa.Table) -> Incoming:
    """Return rows in the form of a table.

    Parameters
    ----------
    table : Table
    rows : pyarrow.Table
        The columns of the table in any order; optional ones may be missing. NaN and null are the
        same: unknown.

    Raises
    ------
    DataError
        A column that is missing or of another type, a row without a value it needs, a time that is
        not a whole microsecond or outside the years 1678 to 2261, two rows of one key with
        different values.
    UnknownNameError
        A column that the table does not have.
    """
    _check_names(table, rows.column_names)
    names = [name for name in table.columns if name in rows.column_names]
    names += [name for name in rows.column_names if name not in table.columns]
    columns = {name: _column(table, name, rows[name]) for name in names}
    return _each_once(table, pa.table(columns))


def _check_names(table: Table, names: list[str]) -> None:
    lower = [name.lower() for name in names]
    doubled = next((name for name in names if lower.count(name.lower()) > 1), None)
    if doubled is not None:
        raise DataError(
            f"{table.name}: column {doubled!r} is there twice",
            rule="names of columns differ in more than their case.",
        )
    required = [name for name in table.columns if name not in table.optional]
    missing = [name for name in required if name not in names]
    if missing:
        raise DataError(
            f"{table.name}: no column {', '.join(map(repr, missing))} among {', '.join(names)}",
            rule=f"{table.name} have the columns {', '.join(required)}.",
        )
    for name in (name for name in names if name not in table.columns):
        if not table.extra:
            raise UnknownNameError(f"column of {table.name}", name, table.columns)
        if not name.isprintable() or not FORBIDDEN.isdisjoint(name):
            raise DataError(
                f"{table.name}: column {name!r}",
                rule="a further column's name has no spaces and none of , ; { } ( ) =.",
            )
    check_spelling(table, names, table.columns)


def check_spelling(table: Table, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse column names that differ from known ones only in letter case."""
    spelled = {name.lower(): name for name in known}
    for name in names:
        there = spelled.get(name.lower(), name)
        if there != name:
            raise DataError(
                f"{table.name}: column {name!r}, where the table has {there!r}",
                rule="names of columns differ in more than their case.",
                fix=f"Call it {there!r}.",
            )


def _column(table: Table, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = table.columns.get(name, pa.float64())
    values = plain(values)
    if pa.types.is_null(values.type):
        values = values.cast(kind)
    elif pa.types.is_timestamp(kind):
        values = _microseconds(table, name, values)
    elif pa.types.is_floating(kind):
        values = _numbers(table, name, values)
    elif not is_text(values.type):
        raise _other_type(table, name, values, "text")
    if name in table.columns and name not in table.optional and values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise DataError(
            f"{table.name}, row {row}: no value in column {name!r}",
            rule=f"every row of {table.name} has one.",
        )
    values = values.cast(kind)
    if name in table.partition:
        for text in pc.unique(values).to_pylist():
            check_name(name, text)
    return values


def _microseconds(table: Table, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise _other_type(table, name, values, "timestamps with a time zone")
    _check_years(table, name, values)
    if kind.unit == "ns":
        ns = values.cast(pa.int64())
        whole = pc.multiply(pc.divide(ns, 1_000), 1_000)
        row = pc.index(pc.not_equal(ns, whole), True).as_py()
        if row >= 0:
            raise DataError(
                f"{table.name}, row {row}: {name} is {iso(ns[row].as_py())}",
                rule="a store keeps times to the microsecond.",
                fix="Round the times before they are stored.",
            )
    return values.cast(pa.timestamp("us", tz="UTC"))


def _check_years(table: Table, name: str, values: pa.ChunkedArray) -> None:
    """Refuse times outside the range of int64 ns: a reader would get other times."""
    unit, counts = values.type.unit, values.cast(pa.int64())
    first, end = (int(np.datetime64(year, unit).astype(np.int64)) for year in _YEARS)
    outside = pc.or_(pc.less(counts, first), pc.greater_equal(counts, end))
    row = pc.index(outside, True).as_py()
    if row >= 0:
        moment = np.datetime64(counts[row].as_py(), unit).astype("M8[s]")
        raise DataError(
            f"{table.name}, row {row}: {name} is {moment}Z",
            rule="times lie in the years 1678 to 2261.",
            fix="Leave it empty (null): that means still." if name in table.optional else "",
        )


def _numbers(table: Table, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if not is_number(values.type):
        raise _other_type(table, name, values, "numbers")
    # Not `safe`: float64 rounds integers above 2**53.
    numbers = values.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _other_type(table: Table, name: str, values: pa.ChunkedArray, what: str) -> DataError:
    return DataError(
        f"{table.name}: column {name!r} has type {values.type}", rule=f"it holds {what}."
    )


def _each_once(table: Table, rows: pa.Table) -> Incoming:
    """Return the rows sorted by key, without duplicates."""
    order = order_of(table, rows)
    rows = rows.take(order)
    n_pairs = max(rows.num_rows - 1, 0)
    above, below = rows.slice(0, n_pairs), rows.slice(1)
    again = same_values(above, below, table.key)
    n_twice = again.true_count
    if n_twice == 0:
        return Incoming(rows, 0)
    other = pc.and_not(again, same_values(above, below, rows.column_names))
    if other.true_count:
        pair = pc.index(other, True).as_py()
        places = order.slice(pair, 2).to_pylist()
        first, then = (above, below) if places[0] < places[1] else (below, above)
        raise DataError(
            f"{table.name}, rows {min(places)} and {max(places)}: {key_text(table, above, pair)} "
            f"is there twice, {differences(table, first, pair, then, pair)}",
            rule="a key is there once, or again with equal values.",
            fix="Correct the source, or drop one of the rows.",
        )
    keep = pa.concat_arrays([pa.array([True]), pc.invert(again)])
    return Incoming(rows.filter(keep), n_twice)


def same_values(one: pa.Table, other: pa.Table, names: Sequence[str]) -> pa.BooleanArray:
    """Return True where two tables of one length have equal values in these columns."""
    same = pa.array(np.ones(one.num_rows, np.bool_))
    for name in names:
        a, b = one[name], other[name]
        unknown = pc.and_(pc.is_null(a), pc.is_null(b))
        same = pc.and_(same, pc.or_(pc.fill_null(pc.equal(a, b), False), unknown))
    return same if isinstance(same, pa.BooleanArray) else same.combine_chunks()


def key_text(table: Table, rows: pa.Table, row: int) -> str:
    """Return the key of a row for messages."""
    return " ".join(_shown(rows[name], row) for name in table.key)


def differences(
    table: Table,
    one: pa.Table,
    i: int,
    other: pa.Table,
    j: int,
    words: tuple[str, str] = ("first", "then"),
) -> str:
    """Return the columns in which two rows differ, with both values, as text."""
    names = [name for name in other.column_names if name not in table.key]
    pairs = [(name, _shown(one[name], i), _shown(other[name], j)) for name in names]
    return ", ".join(f"{name}: {words[0]} {a}, {words[1]} {b}" for name, a, b in pairs if a != b)


def _shown(column: pa.ChunkedArray, row: int) -> str:
    value = column.slice(row, 1)
    if value.null_count:
        return "unknown"
    if pa.types.is_timestamp(column.type):
        return iso(value.cast(pa.int64())[0].as_py() * 1_000)
    found = value[0].as_py()
    return f"{found:.17g}" if isinstance(found, float) else str(found)
