"""Tables to rows: an Arrow table with one bar in each row becomes `Rows`.

Files and frames come through here. Nothing is asked of prices, nor of the order of the rows: only
what cannot be read is refused.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import NS_DAY, zone_notes
from alphalab.data.formats import arrow
from alphalab.data.formats.header import SYMBOL_NAMES, TIME_NAMES, UNNAMED, Columns, columns_of
from alphalab.data.formats.labels import closes
from alphalab.data.formats.schema import Mapping
from alphalab.data.formats.stamps import session_dates, stamps
from alphalab.data.formats.zones import to_utc
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import NO_VOLUME, PRICES
from alphalab.errors import DataError
from alphalab.types import BAR_COLUMNS, FloatArray, IntArray


def rows_of(
    table: pa.Table, mapping: Mapping | None = None, *, symbol: str = "asset", source: str = ""
) -> Rows:
    """Return the rows of a table that holds one bar of one symbol in each row.

    Parameters
    ----------
    table : pyarrow.Table
        A time column (one of `TIME_NAMES`, or an unnamed index), open, high, low, close, and
        optionally volume and symbol, in any letter case. Further numeric columns keep their name.
    mapping : Mapping, optional
        What is called otherwise, and how times are written.
    symbol : str
        The symbol where neither the table nor the mapping names one.
    source : str
        Leads the messages.

    Raises
    ------
    DataError
        A missing or ambiguous column, or a cell that cannot be read. Rows are counted from 0 in the
        order of the table.
    UnknownNameError
        A mapping to a column, or from a symbol, that is not there.

    Examples
    --------
    >>> prices = {"Open": [1, 2], "High": [3, 3], "Low": [1, 1], "Last": [2, 3]}
    >>> table = pa.table({"time": [1577836800, 1577840400], **prices})
    >>> rows = rows_of(table, Mapping(columns={"close": "Last"}), symbol="ACME")
    >>> rows.columns["close"], rows.notes[0]
    (array([2., 3.]), 'times are integers: taken as seconds since 1970-01-01 UTC')
    """
    mapping = mapping or Mapping()
    where = f"{source}: " if source else ""
    label = mapping.label or "close"
    columns, about_time = _chosen_by_label(columns_of(table, mapping, where), label)
    time = _time_columns(columns, label)
    columns.require(
        PRICES,
        "Say which they are by a mapping: columns={'close': ...}. Bars.from_closes reads a frame "
        "of closing prices, one column for each symbol.",
    )
    if table.num_rows == 0:
        raise DataError(f"{where}no rows", rule="bars have at least one row.")
    named = columns.one_of(SYMBOL_NAMES, "symbol")
    symbols, codes = symbols_of(table, named, mapping, symbol, where)
    labels, about_times = _labels(table, time, codes, mapping, where)
    values, about_values = _values(table, columns, {*time, named}, where)
    closing, about_label = closes(labels, mapping, where)
    rows = Rows(
        time=closing,
        symbols=symbols,
        symbol=codes,
        columns=values,
        number=np.arange(table.num_rows),
        source=source,
        notes=about_time + about_times + about_values + about_label,
    )
    return rows.renamed(mapping.rename)


def utc_times(
    table: pa.Table, names: tuple[str, ...], codes: IntArray, mapping: Mapping, where: str
) -> tuple[IntArray, tuple[str, ...]]:
    """Return the instants of rows, (R,), ns, and what a report has to say about them.

    Parameters
    ----------
    table : pyarrow.Table
    names : tuple of str
        The column of the time, or those of the date and the time of day.
    codes : ndarray of shape (R,)
        Which series each row belongs to.
    mapping : Mapping
        Its zone, repeated_hour and time_format count, and label and interval: of days that are
        labelled by their open, the closes are right once the interval is added.
    where : str
        What leads the messages.

    Raises
    ------
    DataError
        A time that cannot be read, or that the zone does not have, or has twice.
    """
    read = stamps(table, names, mapping.time_format, where)
    if not mapping.zone:
        return read.ns, read.notes + zone_notes(read.ns, read.zoned)
    if read.zoned:
        raise DataError(
            f"{where}column {' and '.join(map(repr, names))}: times carry a zone, and "
            f"zone={mapping.zone!r} is given",
            rule="zone is for times that carry none.",
            fix="Leave zone (--zone) out.",
        )
    infer = mapping.repeated_hour == "infer"
    # A day that opens at midnight closes at the next one: after 23 or 25 hours where clocks change.
    interval = mapping.interval_ns or 0
    ahead = interval if mapping.label == "open" and interval % NS_DAY == 0 else 0
    return to_utc(read.ns + ahead, mapping.zone, codes, infer, where) - ahead, read.notes


def _chosen_by_label(columns: Columns, label: str) -> tuple[Columns, tuple[str, ...]]:
    """Return columns of which only one is a time, where a table has the open's and the close's."""
    if not {"open_time", "close_time"} <= columns.others.keys() or label == "session":
        return columns, ()
    time, other = ("open_time", "close_time")[:: 1 if label == "open" else -1]
    kept = {key: name for key, name in columns.others.items() if key != other}
    said = f"time is {columns.others[time]!r} ({label}); {columns.others[other]!r} is not used"
    return replace(columns, others=kept), (said,)


def _time_columns(columns: Columns, label: str) -> tuple[str, ...]:
    time = columns.time()
    key = next((key for key, name in columns.others.items() if (name,) == time), "")
    if key in ("open_time", "close_time") and not key.startswith(label):
        raise DataError(
            f"{columns.where}the time column is {time[0]!r} and bar_label={label!r}",
            rule="bar_label says whether times are those of a bar's open or of its close.",
            fix=f"Use bar_label={(of := key.removesuffix('_time'))!r} (--label {of}), or say by a "
            "mapping that it is the time (-c time=...).",
        )
    return time


def symbols_of(
    table: pa.Table, named: str | None, mapping: Mapping, symbol: str, where: str
) -> tuple[tuple[str, ...], IntArray]:
    """Return the symbols in order of appearance and, for each row, the place of its own.

    Parameters
    ----------
    table : pyarrow.Table
    named : str, optional
        The column that names them.
    mapping : Mapping
        Its symbol counts where no column does.
    symbol : str
        Counts where the mapping names none either.
    where : str
        What leads the messages.
    """
    if named is None:
        return (mapping.symbol or symbol,), np.zeros(table.num_rows, np.int64)
    if mapping.symbol:
        raise DataError(
            f"{where}symbol={mapping.symbol!r}, and column {named!r} names the symbols",
            rule="symbol is for a source that names none.",
        )
    return arrow.symbol_codes(arrow.plain(table[named]), named, where)


def _labels(
    table: pa.Table, time: tuple[str, ...], codes: IntArray, mapping: Mapping, where: str
) -> tuple[IntArray, tuple[str, ...]]:
    if mapping.label == "session" and len(time) == 1 and not mapping.time_format:
        return session_dates(table[time[0]], time[0], where) * NS_DAY, ()
    return utc_times(table, time, codes, mapping, where)


def _values(
    table: pa.Table, columns: Columns, taken: set[str | None], where: str
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Return the numeric columns, (R,) each, volume among them, and what to say about the rest."""
    values: dict[str, FloatArray] = {}
    said = []
    ours = {name: written for name, written in columns.mapped.items() if written not in taken}
    for key, written in columns.others.items():
        name = key if key in BAR_COLUMNS else written
        if name in columns.mapped or (key in TIME_NAMES and "time" in columns.mapped):
            role = name if name in columns.mapped else "time"
            said.append(f"column {written!r} is not used: {role} is {columns.mapped[role]!r}")
        elif written not in taken and key not in UNNAMED:
            ours[name] = written
    for name, written in ours.items():
        column = arrow.plain(table[written])
        if arrow.is_number(column.type):
            values[name] = arrow.floats(column)
        elif name in BAR_COLUMNS or name in columns.mapped:
            raise arrow.not_a_number(column, written, where)
        else:
            said.append(f"column {written!r} is not numeric ({column.type}): left out")
    if "volume" not in values:
        values["volume"] = np.full(table.num_rows, np.nan)
        said.append(NO_VOLUME)
    return values, tuple(said)
