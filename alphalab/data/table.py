"""Rows to panel: an Arrow table with one bar in each row becomes `Bars`.

Files and frames come through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from alphalab.data import arrow
from alphalab.data.bars import Bars
from alphalab.data.rules import NO_VOLUME, PRICES, check_increasing
from alphalab.data.times import closing_times, iso
from alphalab.errors import DataError
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, IntArray

TIME_NAMES = ("time", "timestamp", "date", "datetime", "open_time", "close_time")
SYMBOL_NAMES = ("symbol", "ticker")
# What writers of tables call an index without a name: the time if no other column is, else nothing.
_UNNAMED = ("__index_level_0__", "unnamed: 0", "")


@dataclass(frozen=True)
class _Roles:
    """Which column of a table is what: names as the table writes them."""

    time: str
    symbol: str | None
    values: dict[str, str]  # name in the bars -> name in the table


def from_table(
    table: pa.Table,
    *,
    symbol: str,
    bar_label: str = "close",
    instruments: Sequence[Instrument] | None = None,
    periods_per_year: float | None = None,
    source: str = "",
) -> Bars:
    """Return the bars of a table that holds one bar of one symbol in each row.

    Parameters
    ----------
    table : pyarrow.Table
        A time column (one of `TIME_NAMES`, or an unnamed index), open, high, low, close, and
        optionally volume and symbol, in any letter case. Each symbol's rows are sorted by time.
        Further numeric columns keep their name.
    symbol : str
        The symbol where the table has no column for it.
    bar_label, instruments, periods_per_year, source
        As in `Bars.from_frame`.

    Raises
    ------
    DataError
        A missing or ambiguous column, a time or a price that cannot be read, a row without its
        prices, or a broken rule of `Bars`. Rows are counted from 0 in the order of the table.

    Examples
    --------
    >>> prices = {"Open": [1, 2], "High": [3, 3], "Low": [1, 1], "Close": [2, 3]}
    >>> table = pa.table({"time": [1577836800, 1577840400], **prices})
    >>> bars = from_table(table, symbol="ACME")
    >>> bars.start, bars.notes[0]
    ('2020-01-01T00:00:00Z', 'times are integers: taken as seconds since 1970-01-01 UTC')
    """
    where = f"{source}: " if source else ""
    roles = _roles(table, bar_label, where)
    if table.num_rows == 0:
        raise DataError(f"{where}no rows", rule="bars have at least one row.")
    labels, about_times = arrow.instants(arrow.plain(table[roles.time]), roles.time, where)
    values, about_values = _values(table, roles, where)
    _require_prices(values, labels, where)
    names: tuple[str, ...] = (symbol,)
    codes = np.zeros(table.num_rows, np.int64)
    if roles.symbol is not None:
        names, codes = arrow.symbol_codes(arrow.plain(table[roles.symbol]), roles.symbol, where)
    time, panel = _panel(labels, codes, names, values, where)
    time, about_label = closing_times(time, bar_label)
    return Bars(
        time,
        names,
        panel,
        instruments=instruments,
        periods_per_year=periods_per_year,
        source=source,
        notes=about_times + about_values + about_label,
    )


def _roles(table: pa.Table, bar_label: str, where: str) -> _Roles:
    found = f"columns found: {', '.join(map(repr, table.column_names)) or 'none'}"
    written: dict[str, str] = {}
    for name in table.column_names:
        key = name.strip().lower()
        if key in written:
            raise DataError(
                f"{where}columns {written[key]!r} and {name!r} have one name",
                rule="names of columns differ in more than letter case.",
            )
        written[key] = name

    def one_of(names: tuple[str, ...], what: str) -> str | None:
        there = [name for name in names if name in written]
        if len(there) > 1:
            raise DataError(
                f"{where}{' and '.join(map(repr, there))} could each be the {what}; {found}",
                rule=f"exactly one column is the {what}.",
                fix="Drop or rename the others.",
            )
        return there[0] if there else None

    if {"open_time", "close_time"} <= written.keys():
        del written["close_time" if bar_label == "open" else "open_time"]  # bar_label chooses

    time = one_of(TIME_NAMES, "time") or one_of(("index", *_UNNAMED), "time")
    if time is None:
        raise DataError(
            f"{where}no time column; {found}",
            rule=f"one column is named {', '.join(TIME_NAMES)} (any letter case).",
        )
    if time in ("open_time", "close_time") and not time.startswith(bar_label):
        raise DataError(
            f"{where}the time column is {written[time]!r} and bar_label={bar_label!r}",
            rule="bar_label says whether times are those of a bar's open or of its close.",
            fix=f"Use bar_label={time.removesuffix('_time')!r}, or rename the column.",
        )
    missing = [name for name in PRICES if name not in written]
    if missing:
        raise DataError(
            f"{where}no column {', '.join(missing)}; {found}",
            rule="bars have open, high, low and close (any letter case); volume is optional.",
            fix="Bars.from_closes reads a frame of closing prices, one column for each symbol.",
        )
    symbol = one_of(SYMBOL_NAMES, "symbol")
    values = {
        key if key in BAR_COLUMNS else name: name
        for key, name in written.items()
        if key not in (time, symbol, *_UNNAMED)
    }
    return _Roles(written[time], None if symbol is None else written[symbol], values)


def _values(
    table: pa.Table, roles: _Roles, where: str
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Return the numeric columns, (R,) each, volume among them, and what to say about the rest."""
    values, said = {}, []
    for name, written in roles.values.items():
        column = arrow.plain(table[written])
        if arrow.is_number(column.type):
            values[name] = arrow.floats(column)
        elif name in BAR_COLUMNS:
            raise arrow.not_a_number(column, written, where)
        else:
            said.append(f"column {written!r} is not numeric ({column.type}): left out")
    if "volume" not in values:
        values["volume"] = np.full(table.num_rows, np.nan)
        said.append(NO_VOLUME)
    return values, tuple(said)


def _require_prices(values: dict[str, FloatArray], labels: IntArray, where: str) -> None:
    for name in PRICES:
        unknown = np.isnan(values[name])
        if unknown.any():
            row = int(np.argmax(unknown))
            raise DataError(
                f"{where}row {row} ({iso(labels[row])}): {name} is NaN",
                rule="a row that is given has its four prices.",
                fix="Leave the row out where nothing was traded.",
            )


def _panel(
    labels: IntArray,
    codes: IntArray,
    symbols: tuple[str, ...],
    values: dict[str, FloatArray],
    where: str,
) -> tuple[IntArray, dict[str, FloatArray]]:
    """Spread rows over (T, N); cells without a row are NaN."""
    if len(symbols) == 1:
        check_increasing(labels, np.arange(len(labels)), where)
        return labels, {name: column.reshape(-1, 1) for name, column in values.items()}
    by_symbol = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[by_symbol], np.arange(len(symbols) + 1))
    for place, name in enumerate(symbols):
        rows = by_symbol[ends[place] : ends[place + 1]]
        check_increasing(labels[rows], rows, f"{where}symbol {name!r}: ")
    time, row_of = np.unique(labels, return_inverse=True)
    panel = {}
    for name, column in values.items():
        cells = np.full((len(time), len(symbols)), np.nan)
        cells[row_of, codes] = column
        cells.setflags(write=False)
        panel[name] = cells
    return time, panel
