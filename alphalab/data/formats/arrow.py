"""Arrow columns as NumPy arrays: numbers, times, symbols; errors name file, row and column.

Arrow's own ``to_numpy`` imports pandas, which takes longer than reading most files.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alphalab.data.formats.notes import Note, Notes
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray

# Units of integers since 1970. From 1973-03-03 on, no number fits two of them.
_EPOCHS = (("seconds", 10**9), ("milliseconds", 10**6), ("microseconds", 10**3), ("nanoseconds", 1))
_EARLIEST = 10**17
_FIRST_DATE, _LAST_DATE = 1678_01_01, 2261_12_31
_ZONES = (None, "UTC")
_GROUPED = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*$")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+(\.\d{3})*,\d+\s*$")


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without dictionary encoding."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def is_number(kind: pa.DataType) -> bool:
    """Return True if a column of this type can be read as float64, such as an empty one."""
    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def floats(column: pa.ChunkedArray) -> FloatArray:
    """Return a numeric column, (R,), as read-only float64; null becomes NaN."""
    # Not `safe`: float64 rounds integers above 2**53.
    array = column.cast(pa.float64(), safe=False).combine_chunks()
    values: FloatArray = np.frombuffer(array.buffers()[1], np.float64, len(array), 8 * array.offset)
    if array.null_count:
        values = np.where(_nulls(column), np.nan, values)
        values.setflags(write=False)
    return values


def integers(column: pa.ChunkedArray) -> IntArray:
    """Return a column of integers or timestamps without nulls, (R,), as int64."""
    values: IntArray = np.asarray(np.from_dlpack(column.cast(pa.int64()).combine_chunks()))
    return values


class Times(NamedTuple):
    """The times of a column.

    Attributes
    ----------
    ns : ndarray of shape (R,)
        Since 1970-01-01T00:00, ns.
    zoned : bool
        True for instants in UTC; False for local times of an unknown zone.
    notes : tuple of Note
        How they were read.
    """

    ns: IntArray
    zoned: bool
    notes: Notes = ()


def times(column: pa.ChunkedArray, name: str, where: str) -> Times:
    """Return a time column, (R,).

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Timestamps, dates, ISO text, or integers since 1970 whose size tells their unit.
    name, where : str
        Of the column, and what leads a message about it.

    Raises
    ------
    DataError
        No time in a row, text that is not ISO, or a time outside the years 1678 to 2261.
    """
    require_all(column, name, where, "time")
    kind = column.type
    if pa.types.is_integer(kind):
        return _since_1970(integers(column), name, where)
    if is_text(kind):
        column = _parsed(column, name, where)
    elif not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise DataError(
            f"{where}column {name!r} has type {kind}",
            rule="times are timestamps, dates, ISO text, or integers since 1970.",
        )
    zone = getattr(column.type, "tz", None)
    try:
        ns = integers(column.cast(pa.timestamp("ns", tz=zone)))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{where}column {name!r}: {error}", rule="times lie between the years 1678 and 2261."
        ) from None
    return Times(ns, zone is not None)


def symbol_codes(
    column: pa.ChunkedArray, name: str, where: str
) -> tuple[tuple[str, ...], IntArray]:
    """Return the symbols in order of appearance and, for each row, the place of its own."""
    require_all(column, name, where, "symbol")
    if not (is_text(column.type) or pa.types.is_integer(column.type)):
        raise DataError(f"{where}column {name!r} has type {column.type}", rule="symbols are text.")
    encoded: Any = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    return tuple(encoded.dictionary.to_pylist()), integers(pa.chunked_array([encoded.indices]))


def not_a_number(column: pa.ChunkedArray, name: str, where: str) -> DataError:
    """Return the error for a column that is not numeric; it shows the first value that is not."""
    values = column.to_pylist() if is_text(column.type) else [column[0].as_py()]
    row = next((row for row, value in enumerate(values) if not _reads_as_float(value)), 0)
    text, fixes = str(values[row]), []
    if _GROUPED.match(text):
        fixes.append("Where a comma separates thousands: thousands=',' (--thousands ,).")
    if _DECIMAL_COMMA.match(text):
        fixes.append("Where a comma is the decimal sign: decimal=',' (--decimal ,).")
    return DataError(
        f"{where}row {row}, column {name!r}: {values[row]!r} is not a number",
        rule="prices and volume are numeric columns.",
        fix=" ".join(fixes) or "Correct the value, or convert the column.",
    )


def ungrouped(column: pa.ChunkedArray, thousands: str, decimal: str) -> pa.ChunkedArray:
    """Return text such as ``1,234.5`` as numbers; unchanged where a cell is not one.

    Examples
    --------
    >>> ungrouped(pa.chunked_array([["1.234,5", "7,25"]]), ".", ",").to_pylist()
    [1234.5, 7.25]
    """
    import pyarrow.compute as pc

    plain_text = pc.replace_substring(column, thousands, "")
    if decimal != ".":
        plain_text = pc.replace_substring(plain_text, decimal, ".")
    try:
        return plain_text.cast(pa.float64())
    except pa.ArrowInvalid:
        return column


def is_text(kind: pa.DataType) -> bool:
    """Return True for a text type of any width."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def _nulls(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.from_dlpack(column.is_null().cast(pa.uint8()).combine_chunks()).view(np.bool_)


def require_all(column: pa.ChunkedArray, name: str, where: str, what: str) -> None:
    """Refuse a column in which a row has no value."""
    if column.null_count:
        row = int(np.argmax(_nulls(column)))
        raise DataError(
            f"{where}row {row}: no {what} in column {name!r}", rule=f"every row has a {what}."
        )


def _since_1970(values: IntArray, name: str, where: str) -> Times:
    low, high = int(values.min()), int(values.max())
    for unit, factor in _EPOCHS:
        if low * factor >= _EARLIEST and high * factor <= np.iinfo(np.int64).max:
            said = f"times are integers: taken as {unit} since 1970-01-01 UTC"
            return Times(values * factor, True, (Note("epoch", said),))
    raise DataError(
        f"{where}column {name!r} holds integers from {low} to {high}",
        rule="integer times are seconds, ms, us or ns since 1970, all of one unit, "
        "between 1973-03-03 and 2262.",
        fix="Where they read as 20240131: time_format='%Y%m%d' (--time-format %Y%m%d)."
        if _FIRST_DATE <= low <= high <= _LAST_DATE
        else "Write times as ISO text, such as 2020-01-31T16:00:00Z.",
    )


def _parsed(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return ISO text as timestamps; the code after the loop only finds the error."""
    for zone in _ZONES:
        try:
            return column.cast(pa.timestamp("ns", tz=zone))
        except pa.ArrowInvalid:
            continue
    zoned: list[bool] = []
    for row, text in enumerate(column.to_pylist()):
        fitting = [zone for zone in _ZONES if _reads_as_instant(text, zone)]
        if not fitting:
            raise DataError(
                f"{where}row {row}, column {name!r}: {text!r} is not an ISO date or time",
                rule="times in text are ISO-8601, between the years 1678 and 2261 "
                "(1/4/1999 could be in January or in April).",
                fix="Write 1999-01-04 or 1999-01-04T16:00:00Z, or give their format by a "
                "schema: time_format='%d/%m/%Y' (--time-format %d/%m/%Y).",
            )
        zoned.append("UTC" in fitting)
    odd = zoned.index(not zoned[0])
    raise DataError(
        f"{where}column {name!r}: {sum(zoned)} of {len(column)} times carry a zone, "
        f"the first does{'' if zoned[0] else ' not'} and row {odd} ({column[odd].as_py()!r}) "
        f"does{' not' if zoned[0] else ''}",
        rule="all times of a column carry a zone, or none does.",
        fix="Correct the rows at their source.",
    )


def _reads_as_instant(text: str, zone: str | None) -> bool:
    try:
        pa.array([text]).cast(pa.timestamp("ns", tz=zone))
    except pa.ArrowInvalid:
        return False
    return True


def _reads_as_float(value: Any) -> bool:
    try:
        float(value or 0)
    except (TypeError, ValueError):
        return False
    return True
