"""Times of a table, read by its schema."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats import arrow
from alphalab.data.formats.arrow import Times
from alphalab.data.formats.labels import zone_notes
from alphalab.data.formats.notes import Notes
from alphalab.data.formats.schema import Schema
from alphalab.data.formats.zones import to_utc
from alphalab.errors import DataError
from alphalab.types import IntArray

# What may follow the date of a session: midnight, in any zone.
_MIDNIGHT = r"^([T ]00:00(:00(\.0+)?)?)?\s*(Z|[+-]\d\d(:?\d\d)?)?$"
_ZONED = ("%z", "%Z", "%s")


def stamps(table: pa.Table, names: tuple[str, ...], time_format: str, where: str) -> Times:
    """Return the times of one column, or of a column of dates and one of times of day.

    Parameters
    ----------
    table : pyarrow.Table
    names : tuple of str
        The column, or the two columns.
    time_format : str
        How they are written (`datetime.strptime`); empty: as `arrow.times` reads them.
    where : str
        What leads the messages.

    Raises
    ------
    DataError
        A row without a time, or with one in another format.
    """
    columns = [arrow.plain(table[name]) for name in names]
    for column, name in zip(columns, names, strict=True):
        arrow.require_all(column, name, where, "time")
    if not time_format and len(columns) == 1:
        return arrow.times(columns[0], names[0], where)
    said = " and ".join(names)
    texts = columns[0] if len(columns) == 1 else _joined(columns, " " if time_format else "T")
    if time_format:
        return _formatted(texts.cast(pa.string()), said, time_format, where)
    return arrow.times(texts, said, where)


def session_dates(column: pa.ChunkedArray, name: str, where: str) -> IntArray:
    """Return the dates of a column in its own zone, days since 1970.

    Raises
    ------
    DataError
        A time of day besides midnight.
    """
    import pyarrow.compute as pc

    column = arrow.plain(column)
    arrow.require_all(column, name, where, "time")
    if arrow.is_text(column.type):
        late = pc.invert(pc.match_substring_regex(pc.utf8_slice_codeunits(column, 10), _MIDNIGHT))
        ns = arrow.times(pc.utf8_slice_codeunits(column, 0, 10), name, where).ns
    else:
        if getattr(column.type, "tz", None):
            column = pc.local_timestamp(column)
        ns = arrow.times(column, name, where).ns
        late = pa.chunked_array([pa.array(ns % NS_DAY != 0)])
    if pc.any(late).as_py():
        row = late.to_pylist().index(True)
        raise DataError(
            f"{where}row {row}, column {name!r}: {str(column[row])!r} is no date",
            rule="where a time names a session it is a date.",
            fix="Use label='close' or label='open' for times of day.",
        )
    return ns // NS_DAY


def utc_times(
    table: pa.Table, names: tuple[str, ...], codes: IntArray, schema: Schema, where: str
) -> tuple[IntArray, Notes]:
    """Return the instants of rows, (R,), ns, and notes about how they were read.

    Parameters
    ----------
    table : pyarrow.Table
    names : tuple of str
        The column of the time, or those of the date and the time of day.
    codes : ndarray of shape (R,)
        Which series each row belongs to.
    schema : Schema
        Uses its zone, repeated_hour, time_format, label and interval. Opening times of days are
        returned such that adding the interval gives the closes.
    where : str
        What leads the messages.

    Raises
    ------
    DataError
        An unreadable time, or a local time that the zone skips or has twice.
    """
    read = stamps(table, names, schema.time_format, where)
    if not schema.zone:
        return read.ns, read.notes + zone_notes(read.ns, read.zoned)
    if read.zoned:
        raise DataError(
            f"{where}column {' and '.join(map(repr, names))}: times carry a zone, and "
            f"zone={schema.zone!r} is given",
            rule="zone is for times that carry none.",
            fix="Leave zone (--zone) out.",
        )
    infer = schema.repeated_hour == "infer"
    # A day that opens at midnight closes at the next one, 23 to 25 hours later.
    interval = schema.interval_ns or 0
    ahead = interval if schema.label == "open" and interval % NS_DAY == 0 else 0
    return to_utc(read.ns + ahead, schema.zone, codes, infer, where) - ahead, read.notes


def _joined(columns: list[pa.ChunkedArray], separator: str) -> pa.ChunkedArray:
    """Return dates and times of day as one column of text."""
    import pyarrow.compute as pc

    date, clock = columns
    if pa.types.is_timestamp(date.type):
        date = date.cast(pa.date32())
    if pa.types.is_timestamp(clock.type):
        clock = clock.cast(pa.time64("ns"))
    return pc.binary_join_element_wise(date.cast(pa.string()), clock.cast(pa.string()), separator)


def _formatted(texts: pa.ChunkedArray, name: str, time_format: str, where: str) -> Times:
    import pandas as pd

    zoned = any(part in time_format for part in _ZONED)
    values = texts.to_pylist()
    try:
        read = pd.to_datetime(pd.Series(values), format=time_format, errors="coerce", utc=zoned)
    except ValueError as error:
        raise DataError(
            f"time_format={time_format!r}: {error}",
            rule="a format of times is that of datetime.strptime, such as %d.%m.%Y %H:%M.",
        ) from None
    unread = read.isna().to_numpy()
    if unread.any():
        row = int(np.argmax(unread))
        raise DataError(
            f"{where}row {row}, column {name!r}: {values[row]!r} is not written as {time_format!r}",
            rule="every time is written as time_format says, between the years 1678 and 2261.",
        )
    plain = read.dt.tz_localize(None) if zoned else read
    return Times(plain.to_numpy("M8[ns]").view(np.int64), zoned)
