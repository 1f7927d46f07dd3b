"""What a file holds, bars, trades, funding rates or splits, and its rows as the rules see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import structs

from alphalab.data.clock.calendars import ALWAYS, sessions_around
from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats import arrow
from alphalab.data.formats.files import read_table, stem
from alphalab.data.formats.header import SYMBOL_NAMES, TIME_NAMES, columns_of
from alphalab.data.formats.schema import Mapping as Written
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.events import RATE_NAMES, given_table
from alphalab.data.panel.from_table import rows_of, utc_times
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import PRICES
from alphalab.data.quality.series import Series
from alphalab.data.quality.settings import QualitySettings
from alphalab.data.read_rows import is_file
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray

_TIMES = (*TIME_NAMES, "ex_date")
_AMOUNTS = ("amount", "qty", "quantity", "size", "volume")

#: Kinds of tables besides bars: for each of our columns the names that it goes by. The number says
#: how many of the first columns are required.
_KINDS: dict[str, tuple[int, dict[str, tuple[str, ...]]]] = {
    "trades": (2, {"price": ("price",), "amount": _AMOUNTS}),
    "funding": (1, {"rate": RATE_NAMES}),
    "actions": (0, {"split": ("split",), "dividend": ("dividend",)}),
}


@dataclass(frozen=True, eq=False)
class Events:
    """E rows of something that is no bar, in the order of their source.

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
    given: str, mapping: Written | None = None, store: str | None = None
) -> Bars | Rows | Events:
    r"""Read what a name stands for, without any rule asked of it.

    Parameters
    ----------
    given : str
        A data set, the address of a store, or a file of bars, trades (price and amount), funding
        rates, or splits and dividends: told apart by their columns.
    mapping : Mapping, optional
        How a file is written.
    store : str, optional
        Where the store of an address is.

    Raises
    ------
    DataError
        No such file, one that cannot be read, or one of no kind that is known; or a mapping for
        what is no file.

    Notes
    -----
    A date that is no session of its calendar is a finding, no error: its row ends as that of the
    session before it would have.

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
    mapping = mapping or Written()
    if not is_file(given):
        _check_mapping(mapping, given)
        return load(given, store=store)
    path = Path(given).expanduser()
    table = read_table(path, mapping, texts=("id",))
    columns = columns_of(table, mapping, f"{path}: ")
    named = {*columns.mapped, *columns.others}
    kind = kind_of(named)
    if kind == "bars":
        by_day = mapping.label == "session"
        # First, every day is a session.
        plain = structs.replace(mapping, calendar=ALWAYS) if by_day else mapping
        rows = rows_of(table, plain, symbol=stem(path), source=str(path))
        return _by_session(rows, mapping.calendar) if by_day else rows
    if not kind:
        raise DataError(
            f"{path}: neither bars nor trades, funding, splits or dividends; {columns.found}",
            rule="bars have open, high, low and close; trades price and amount; funding a rate.",
            fix="Say which columns they are by --column OURS=THEIRS.",
        )
    return _events(table, kind, mapping, stem(path), str(path))


def _check_mapping(mapping: Written, given: str) -> None:
    """Refuse to say of bars that are read already how they are written."""
    said = sorted(mapping.changes().keys() - {"calendar", "interval"})
    if said:
        raise DataError(
            f"{given} with {said[0]}={getattr(mapping, said[0])!r}",
            rule="what is written otherwise is said of files; data sets and stores are read "
            "already.",
        )


def _by_session(rows: Rows, calendar: str) -> Rows:
    """Return rows that end with their day with the closes of the sessions of their dates."""
    day = rows.time // NS_DAY - 1
    found = sessions_around(calendar, int(day.min()), int(day.max()), before=15)
    before = np.maximum(np.searchsorted(found.day, day, side="right") - 1, 0)
    time = found.close[before] + (day - found.day[before]) * NS_DAY
    return replace(rows, time=time)


def read_events(given: Any, kinds: tuple[str, ...]) -> Events:
    """Read a table of events that has to be of one of some kinds.

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
    return _events(table, kind, Written(), "", where.removesuffix(": "))


def kind_of(names: set[str]) -> str:
    """Return the kind of a table by the names of its columns, in small letters; empty: none.

    Examples
    --------
    >>> kind_of({"time", "price", "amount"}), kind_of({"time", "temperature"})
    ('trades', '')
    """
    if names.issuperset(PRICES):
        return "bars"
    for kind, (required, columns) in _KINDS.items():
        there = [any(name in names for name in known) for known in columns.values()]
        if all(there[:required]) and any(there):
            return kind
    return ""


def _events(table: pa.Table, kind: str, mapping: Written, symbol: str, source: str) -> Events:
    where = f"{source}: " if source else ""
    columns = columns_of(table, mapping, where)
    if table.num_rows == 0:
        raise DataError(f"{where}no rows", rule="a file of data has at least one row.")
    named = columns.one_of(SYMBOL_NAMES, "symbol")
    symbols: tuple[str, ...] = (mapping.symbol or symbol,)
    codes = np.zeros(table.num_rows, np.int64)
    if named is not None:
        symbols, codes = arrow.symbol_codes(arrow.plain(table[named]), named, where)
    time, _ = utc_times(table, columns.time(_TIMES), codes, mapping, where)
    values = {}
    for ours, names in _KINDS[kind][1].items():
        if (written := columns.one_of(names, ours)) is not None:
            column = arrow.plain(table[written])
            if not arrow.is_number(column.type):
                raise arrow.not_a_number(column, written, where)
            values[ours] = arrow.floats(column)
    ids = columns.one_of(("id", "trade_id"), "id") if kind == "trades" else None
    texts = None if ids is None else np.array(arrow.plain(table[ids]).cast(pa.string()).to_pylist())
    return Events(kind, source, symbols, codes, time, values, texts)


def splits_in(
    events: Events, symbols: tuple[str, ...]
) -> Mapping[str, tuple[IntArray, FloatArray]]:
    """Return the splits of a table by symbol; a table that names none is about the only one.

    Raises
    ------
    DataError
        A table without symbols, for data that has several.
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
