"""Readers of what is to be checked: bars, trades, funding rates, or splits and dividends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import structs

from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats.events import EventTable, kind_of
from alphalab.data.formats.files import read_table, stem
from alphalab.data.formats.header import columns_of
from alphalab.data.formats.schema import Schema
from alphalab.data.formats.tables import given_table
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.from_table import rows_of
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import PRICES
from alphalab.data.quality.series import Series
from alphalab.data.quality.settings import QualitySettings
from alphalab.data.read_rows import is_file
from alphalab.errors import DataError
from alphalab.sessions import ALWAYS, sessions_around
from alphalab.types import FloatArray, IntArray

#: The columns of numbers that are checked, by kind of table.
_NUMBERS = {
    "trades": ("price", "amount"),
    "funding": ("rate",),
    "actions": ("split", "dividend"),
}


@dataclass(frozen=True, eq=False)
class Events:
    """E events in the order of their source.

    Attributes
    ----------
    kind : {"trades", "funding", "actions"}
    source : str
    symbols : tuple of str
    symbol : ndarray of shape (E,)
        The place of each row's symbol among them.
    time : ndarray of shape (E,)
        ns UTC.
    values : dict of str to ndarray of shape (E,)
    ids : ndarray of shape (E,) or None
        Of trades, as texts.
    """

    kind: str
    source: str
    symbols: tuple[str, ...]
    symbol: IntArray
    time: IntArray
    values: dict[str, FloatArray]
    ids: Any = None

    def series(self, settings: QualitySettings) -> Iterator[tuple[Series, Any]]:
        """Yield the rows of each symbol, and their ids."""
        for place, symbol in enumerate(self.symbols):
            rows = np.flatnonzero(self.symbol == place)
            columns = {name: values[rows] for name, values in self.values.items()}
            s = Series(symbol, self.time[rows], columns, rows, settings)
            yield s, None if self.ids is None else self.ids[rows]

    def splits(self) -> dict[str, tuple[IntArray, FloatArray]]:
        """Return times and ratios of the splits of each symbol."""
        found = {}
        for place, symbol in enumerate(self.symbols):
            rows = np.flatnonzero(self.symbol == place)
            rows = rows[np.argsort(self.time[rows], kind="stable")]
            time = self.time[rows]
            ratio = self.values.get("split", np.full(len(self.time), np.nan))[rows]
            real = (ratio > 0) & np.isfinite(ratio) & (ratio != 1)
            found[symbol] = time[real], ratio[real]
        return found


def read(
    given: str, schema: Schema | None = None, store: str | None = None
) -> Bars | Rows | Events:
    r"""Read a data set, a store address or a file without checking any rule.

    Parameters
    ----------
    given : str
        A data set, the address of a store, or a file of bars, trades (price and amount), funding
        rates, or splits and dividends: told apart by their columns.
    schema : Schema, optional
        How a file is written.
    store : str, optional
        Address of the store.

    Raises
    ------
    DataError
        No such file, one that cannot be read, or one of an unknown kind; or a schema for a data set
        or a store.

    Notes
    -----
    A date that is not a session of its calendar is a finding and not an error: its row closes at
    the time of day of the session before.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "rates.csv")
    ...     _ = file.write_text("time,funding_rate\n2024-01-01T08:00Z,0.0001\n")
    ...     read(str(file)).kind
    'funding'
    """
    schema = schema or Schema()
    if not is_file(given):
        _check_schema(schema, given)
        return load(given, store=store)
    path = Path(given).expanduser()
    table = read_table(path, schema, texts=("id",))
    columns = columns_of(table, schema, f"{path}: ")
    named = {*columns.mapped, *columns.others}
    if named.issuperset(PRICES):
        by_day = schema.label == "session"
        # At first every day counts as a session.
        plain = structs.replace(schema, calendar=ALWAYS) if by_day else schema
        rows = rows_of(table, plain, symbol=stem(path), source=str(path))
        return _by_session(rows, schema.calendar) if by_day else rows
    kind = kind_of(named)
    if not kind:
        raise DataError(
            f"{path}: neither bars nor trades, funding, splits or dividends; {columns.found}",
            rule="bars have open, high, low and close; trades price and amount; funding a rate.",
            fix="Say which columns they are by --column OURS=THEIRS.",
        )
    return _events(table, kind, schema, stem(path), str(path))


def _check_schema(schema: Schema, given: str) -> None:
    """Refuse a schema of bars that need no reading."""
    said = sorted(schema.changes().keys() - {"calendar", "interval"})
    if said:
        raise DataError(
            f"{given} with {said[0]}={getattr(schema, said[0])!r}",
            rule="a schema describes files; data sets and stores need none.",
        )


def _by_session(rows: Rows, calendar: str) -> Rows:
    """Return rows whose times are the ends of days, moved to the closes of their sessions."""
    day = rows.time // NS_DAY - 1
    found = sessions_around(calendar, int(day.min()), int(day.max()), before=15)
    before = np.maximum(np.searchsorted(found.day, day, side="right") - 1, 0)
    time = found.close[before] + (day - found.day[before]) * NS_DAY
    return replace(rows, time=time)


def read_events(given: Any, kinds: tuple[str, ...]) -> Events:
    """Read a table of events of one of the given kinds.

    Raises
    ------
    DataError
        One of another kind, or one that cannot be read.
    """
    table, where = given_table(given)
    kind = kind_of({name.strip().lower() for name in table.column_names})
    if kind not in kinds:
        raise DataError(
            f"{where}{kind or 'no kind that is known'}; there are {table.column_names}",
            rule=f"this is a table of {' or '.join(kinds)}.",
        )
    return _events(table, kind, Schema(), "", str(given) if where else "")


def _events(table: pa.Table, kind: str, schema: Schema, symbol: str, source: str) -> Events:
    where = f"{source}: " if source else ""
    read = EventTable.of(kind, table, schema, where, symbol=symbol)
    if not len(read):
        raise DataError(f"{where}no rows", rule="a file of data has at least one row.")
    names = [name for name in _NUMBERS[kind] if read.named(name) is not None]
    values = {name: read.numbers(name) for name in names}
    has_ids = kind == "trades" and read.named("id") is not None
    ids = np.array(read.texts("id").to_pylist()) if has_ids else None
    return Events(kind, source, read.symbols, read.codes, read.time(), values, ids)


def splits_in(
    events: Events, symbols: tuple[str, ...]
) -> Mapping[str, tuple[IntArray, FloatArray]]:
    """Return the splits by symbol; a table without symbols belongs to the only one.

    Raises
    ------
    DataError
        A table without symbols for several symbols.
    """
    found = events.splits()
    if "" in found:
        if len(symbols) > 1:
            raise DataError(
                f"{events.source}: no column symbol",
                rule="events name their symbol where several could be meant.",
            )
        return {symbols[0]: found[""]} if symbols else {}
    return found
