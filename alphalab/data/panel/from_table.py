"""Tables to rows: an Arrow table with one bar in each row becomes `Rows`.

Files and frames are read here. Prices and the order of the rows are not checked; only unreadable
cells are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats import arrow
from alphalab.data.formats.files import read_table, stem
from alphalab.data.formats.header import (
    SYMBOL_NAMES,
    TIME_NAMES,
    UNNAMED,
    Columns,
    columns_of,
    symbols_of,
)
from alphalab.data.formats.labels import closes
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.formats.schema import Schema
from alphalab.data.formats.stamps import session_dates, utc_times
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import NO_VOLUME, PRICES
from alphalab.errors import DataError
from alphalab.types import BAR_COLUMNS, FloatArray, IntArray


def rows_of(
    table: pa.Table, schema: Schema | None = None, *, symbol: str = "asset", source: str = ""
) -> Rows:
    """Return the rows of a table that holds one bar of one symbol in each row.

    Parameters
    ----------
    table : pyarrow.Table
        A time column (one of `TIME_NAMES`, or an unnamed index), open, high, low, close, and
        optionally volume and symbol, in any letter case. Further numeric columns keep their name.
    schema : Schema, optional
        How the table is written.
    symbol : str
        The symbol where neither the table nor the schema names one.
    source : str
        Leads the messages.

    Raises
    ------
    DataError
        A missing or ambiguous column, or a cell that cannot be read. Rows are counted from 0 in the
        order of the table.
    UnknownNameError
        A schema with an unknown column or symbol.

    Examples
    --------
    >>> prices = {"Open": [1, 2], "High": [3, 3], "Low": [1, 1], "Last": [2, 3]}
    >>> table = pa.table({"time": [1577836800, 1577840400], **prices})
    >>> rows = rows_of(table, Schema(columns={"close": "Last"}), symbol="ACME")
    >>> rows.columns["close"], rows.notes[0].text
    (array([2., 3.]), 'times are integers: taken as seconds since 1970-01-01 UTC')
    """
    schema = schema or Schema()
    where = f"{source}: " if source else ""
    label = schema.label or "close"
    columns, unused = _chosen_by_label(columns_of(table, schema, where), label)
    time = _time_columns(columns, label)
    columns.require(
        PRICES,
        "Name them by schema={'columns': {'close': ...}} (-c close=...). "
        "Bars.from_closes reads a frame of "
        "closing prices, one column for each symbol.",
    )
    if table.num_rows == 0:
        raise DataError(f"{where}no rows", rule="bars have at least one row.")
    named = columns.one_of(SYMBOL_NAMES, "symbol")
    symbols, codes = symbols_of(table, named, schema, symbol, where)
    labels, read = _labels(table, time, codes, schema, where)
    values, left_out = _values(table, columns, {*time, named}, schema, where)
    closing = closes(labels, schema, where)
    rows = Rows(
        time=closing.time,
        symbols=symbols,
        symbol=codes,
        columns=values,
        number=np.arange(table.num_rows),
        source=source,
        notes=unused + read + left_out + closing.notes,
        time_names=closing.names,
    )
    return rows.renamed(schema.rename)


def _chosen_by_label(columns: Columns, label: str) -> tuple[Columns, Notes]:
    """Return columns with one time column, if a table has opening and closing times."""
    if not {"open_time", "close_time"} <= columns.others.keys() or label == "session":
        return columns, ()
    time, other = ("open_time", "close_time")[:: 1 if label == "open" else -1]
    kept = {key: name for key, name in columns.others.items() if key != other}
    text = f"time is {columns.others[time]!r} ({label}); {columns.others[other]!r} is not used"
    return replace(columns, others=kept), (Note("unused_column", text),)


def _time_columns(columns: Columns, label: str) -> tuple[str, ...]:
    time = columns.time()
    key = next((key for key, name in columns.others.items() if (name,) == time), "")
    if key in ("open_time", "close_time") and key != f"{label}_time":
        raise DataError(
            f"{columns.where}the time column is {time[0]!r} and label={label!r}",
            rule="a label names what times are: the open or the close of a bar.",
            fix=f"Use label={(of := key.removesuffix('_time'))!r} (--label {of}), or name it "
            "as the time by a schema (-c time=...).",
        )
    return time


def _labels(
    table: pa.Table, time: tuple[str, ...], codes: IntArray, schema: Schema, where: str
) -> tuple[IntArray, Notes]:
    if schema.label == "session" and len(time) == 1 and not schema.time_format:
        return session_dates(table[time[0]], time[0], where) * NS_DAY, ()
    return utc_times(table, time, codes, schema, where)


def _values(
    table: pa.Table, columns: Columns, taken: set[str | None], schema: Schema, where: str
) -> tuple[dict[str, FloatArray], Notes]:
    """Return the numeric columns, (R,) each, volume among them, and notes about the rest."""
    values: dict[str, FloatArray] = {}
    notes = []
    ours = {name: written for name, written in columns.mapped.items() if written not in taken}
    for key, written in columns.others.items():
        name = key if key in BAR_COLUMNS else written
        if name in columns.mapped or (key in TIME_NAMES and "time" in columns.mapped):
            role = name if name in columns.mapped else "time"
            text = f"column {written!r} is not used: {role} is {columns.mapped[role]!r}"
            notes.append(Note("unused_column", text))
        elif written not in taken and key not in UNNAMED:
            ours[name] = written
    for name, written in ours.items():
        column = arrow.plain(table[written])
        if schema.thousands and arrow.is_text(column.type):
            column = arrow.ungrouped(column, schema.thousands, schema.decimal)
        if arrow.is_number(column.type):
            values[name] = arrow.floats(column)
        elif name in BAR_COLUMNS or name in columns.mapped:
            raise arrow.not_a_number(column, written, where)
        else:
            text = f"column {written!r} is not numeric ({column.type}): left out"
            notes.append(Note("unused_column", text))
    if "volume" not in values:
        values["volume"] = np.full(table.num_rows, np.nan)
        notes.append(NO_VOLUME)
    return values, tuple(notes)


def file_rows(
    path: Path,
    schema: Schema | None = None,
    also: Iterable[str] = (),
    *,
    symbol: str | None = None,
) -> Rows:
    """Return the rows of a file of bars, see `rows_of`.

    Parameters
    ----------
    path, schema, also
        As in `alphalab.data.formats.files.read_table`.
    symbol : str, optional
        The symbol where neither the file nor the schema names one. Not given: the file's name.

    Raises
    ------
    DataError
        No such file, one that cannot be read, or a cell that cannot; the message names the file.
    """
    table = read_table(path, schema, also=also)
    named = stem(path) if symbol is None else symbol
    return rows_of(table, schema, symbol=named, source=str(path))
