"""`EventTable`: the reader of every table that is not bars: trades, funding, splits, members ...

Bars join such tables, a store keeps them and the quality rules check them. All read them here.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Fields
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats import arrow
from alphalab.data.formats.header import (
    SYMBOL_NAMES,
    TIME_NAMES,
    Columns,
    columns_of,
    symbols_of,
)
from alphalab.data.formats.notes import Note
from alphalab.data.formats.schema import Schema
from alphalab.data.formats.stamps import stamps, utc_times
from alphalab.data.formats.tables import given_table
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray

#: The columns of each kind of table.
KINDS: dict[str, tuple[str, ...]] = {
    "trades": ("time", "symbol", "id", "side", "price", "amount"),
    "funding": ("time", "symbol", "rate"),
    "actions": ("time", "symbol", "known", "split", "dividend"),
    "delistings": ("time", "symbol", "known", "price"),
    "instruments": (),  # those of `Instrument`, which the store's table lists
    "observations": ("time", "symbol", "known", "name", "value"),
    "universe": ("symbol", "start", "end", "known", "name"),
}

# Usual names of our columns besides their own.
_NAMES: dict[str, tuple[str, ...]] = {
    "time": TIME_NAMES,
    "symbol": SYMBOL_NAMES,
    "id": ("id", "trade_id", "tradeid", "agg_trade_id"),
    "amount": ("amount", "qty", "quantity", "size", "volume"),
    "rate": ("rate", "funding_rate", "funding"),
    "known": ("known", "known_at"),
}
_TIMES = {
    "actions": ("ex_date", *TIME_NAMES),
    "observations": ("time", "reference_time"),
}
# Our columns that may be one column of a source together with another of ours.
_SHARED = ("known", "start", "time", "ex_date")

# Columns that hold text even where they look like numbers.
TEXTS = ("id", "trade_id", "tradeid", "name", "venue", "groups", "calendar", "currency")

_NS_UTC = pa.timestamp("ns", tz="UTC")


_SIDES = {"buy": "buy", "b": "buy", "sell": "sell", "s": "sell"}

# The range of numbers, by table and column; the store refuses unknown ones.
_Range = tuple[Callable[[FloatArray], Any], str]
_ABOVE_ZERO: _Range = (lambda x: ~(x <= 0) & ~np.isinf(x), "finite and above 0")
_NOT_NEGATIVE: _Range = (lambda x: ~(x < 0) & ~np.isinf(x), "finite and at least 0")
_FINITE: _Range = (lambda x: ~np.isinf(x), "a finite number")
_RANGES: dict[tuple[str, str], _Range] = {
    ("trades", "price"): _ABOVE_ZERO,
    ("trades", "amount"): _ABOVE_ZERO,
    ("funding", "rate"): _FINITE,
    ("actions", "split"): _ABOVE_ZERO,
    ("actions", "dividend"): _NOT_NEGATIVE,
    ("delistings", "price"): _NOT_NEGATIVE,
    ("observations", "value"): _FINITE,
}


@dataclass(frozen=True, eq=False)
class EventTable:
    """A table of E events, read column by column.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    table : pyarrow.Table
    columns : Columns
    schema : Schema
        How the table is written.
    where : str
        Leads the messages about it.
    symbols : tuple of str
        In order of appearance; ``("",)`` where neither the table nor the schema names one, and
        none in a table without rows.
    codes : ndarray of shape (E,)
        The place of each row's symbol among `symbols`.
    notes : list of Note
        Statements about what was read so far.
    """

    kind: str
    table: pa.Table
    columns: Columns
    schema: Schema
    where: str
    symbols: tuple[str, ...]
    codes: IntArray
    notes: list[Note] = field(default_factory=list)

    @classmethod
    def read(
        cls,
        kind: str,
        given: Any,
        schema: Schema | None = None,
        *,
        symbol: str = "",
        fields: Fields[str, Any] | None = None,
    ) -> EventTable:
        """Read a table of events.

        Parameters
        ----------
        kind : str
            One of `KINDS`.
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table, or a CSV, Parquet or Feather file of one.
        schema : Schema, optional
            How it is written. Not given: by the usual names, times in UTC.
        symbol : str
            The symbol of all rows where neither the table nor the schema names one.
        fields : mapping, optional
            Further columns of the kind.

        Raises
        ------
        DataError
            No table, or a file that cannot be read.
        UnknownNameError
            A schema with a column that is not there; near names are suggested.
        """
        schema = schema or Schema()
        table, where = given_table(given, schema, texts=TEXTS)
        return cls.of(kind, table, schema, where, symbol=symbol, fields=fields)

    @classmethod
    def of(
        cls,
        kind: str,
        table: pa.Table,
        schema: Schema,
        where: str,
        *,
        symbol: str = "",
        fields: Fields[str, Any] | None = None,
    ) -> EventTable:
        """Return the events of a table that is read already; see `read`."""
        own = (*KINDS[kind], *(fields or ()))
        names = [name for column in own for name in (column, *_NAMES.get(column, ()))]
        columns = columns_of(table, schema, where, (*names, "ex_date", "date"))
        columns = _shared(columns, schema)
        named = columns.one_of(SYMBOL_NAMES, "symbol")
        if not table.num_rows:  # its columns need no type
            return cls(kind, table, columns, schema, where, (), np.zeros(0, np.int64))
        if kind == "observations" and named is not None:  # without a symbol they concern all
            place = table.column_names.index(named)
            texts = arrow.plain(table[named]).cast(pa.large_string()).fill_null("")
            table = table.set_column(place, named, texts)
        symbols, codes = symbols_of(table, named, schema, symbol, where)
        return cls(kind, table, columns, schema, where, symbols, codes)

    def __len__(self) -> int:
        """Return the number of events."""
        return int(self.table.num_rows)

    def named(self, name: str) -> str | None:
        """Return the table's name of one of our columns; None where it has none."""
        return self.columns.one_of(self._names(name), name)

    def required(self, name: str, fix: str = "") -> str:
        """Return the table's name of one of our columns; a missing one is refused."""
        named = self.named(name)
        if named is None:
            raise DataError(
                f"{self.where}no column {' or '.join(self._names(name))}; {self.columns.found}",
                rule=f"a table of {self.kind} has a column {name} (any letter case).",
                fix=fix
                or f"Rename it: frame.rename(columns={{...: {name!r}}}). `alphalab data ingest` "
                f"takes its name (-c {name}=...).",
            )
        return named

    def require_one(self, names: tuple[str, ...]) -> None:
        """Refuse a table that has none of some columns."""
        if not any(map(self.named, names)):
            usual = [name for ours in names for name in self._names(ours)]
            raise DataError(
                f"{self.where}no column {' or '.join(usual)}; {self.columns.found}",
                rule="one column has one of these names (any letter case).",
            )

    def _names(self, name: str) -> tuple[str, ...]:
        usual = _TIMES.get(self.kind, TIME_NAMES) if name == "time" else _NAMES.get(name, (name,))
        return tuple(usual)

    def time(self) -> IntArray:
        """Return when the events happened, (E,), ns UTC."""
        if not len(self):
            return np.zeros(0, np.int64)
        return self._instants(self.columns.time(self._names("time")))

    def times(self, name: str, fix: str = "") -> IntArray:
        """Return a column of times, (E,), ns UTC."""
        named = self.required(name, fix)
        return self._instants((named,)) if len(self) else np.zeros(0, np.int64)

    def known(self, fix: str = "") -> IntArray:
        """Return when each row became known, (E,), ns UTC: a date counts when its day is over."""
        named = self.required("known", fix)
        ns = self._instants((named,))
        clocks = stamps(self.table, (named,), self.schema.time_format, self.where).ns
        if (clocks % NS_DAY).any():
            return ns
        self.note(Note("known", "known on a date: counts as known when that day is over"))
        return ns + NS_DAY

    def optional_times(self, name: str) -> pa.Array:
        """Return a column of times, timestamps in UTC; null where a cell or the column is empty."""
        named = self.named(name)
        empty = pa.nulls(len(self), _NS_UTC)
        if named is None or self.table[named].null_count == len(self):
            return empty
        column = arrow.plain(self.table[named])
        there = column.is_valid()
        place = self.table.column_names.index(named)
        # Another row's time in the empty cells, so that rows keep their numbers in messages.
        full = column.fill_null(column.filter(there)[0])
        filled = replace(self, table=self.table.set_column(place, named, full))
        return pc.if_else(there, timestamps(filled.times(name)), empty)

    def numbers(self, name: str) -> FloatArray:
        """Return a column of numbers, (E,); NaN where a cell or the column is empty."""
        named = self.named(name)
        if named is None or not len(self):
            return np.full(len(self), np.nan)
        column = arrow.plain(self.table[named])
        if not arrow.is_number(column.type):
            raise arrow.not_a_number(column, named, self.where)
        return arrow.floats(column)

    def ranged(self, name: str) -> FloatArray:
        """Return a column of numbers, see `numbers`; a number outside its range is refused."""
        values = self.numbers(name)
        if (self.kind, name) in _RANGES:
            allowed, words = _RANGES[self.kind, name]
            good = allowed(values)
            if not good.all():
                row = int(np.argmin(good))
                raise DataError(
                    f"{self.where}row {row}, column {self.named(name)!r}: {values[row]:g}",
                    rule=f"{name} is {words}.",
                )
        return values

    def sides(self) -> pa.Array:
        """Return the sides of trades, (E,): ``"buy"``, ``"sell"`` or null where unknown."""
        named = self.named("side")
        if named is None:
            return pa.nulls(len(self), pa.string())
        texts, codes = np.unique(
            np.array([str(x or "").strip().lower() for x in self.table[named].to_pylist()]),
            return_inverse=True,
        )
        for code, text in enumerate(texts.tolist()):
            if text and text not in _SIDES:
                raise DataError(
                    f"{self.where}row {int(np.argmax(codes == code))}, column {named!r}: {text!r}",
                    rule="a side is buy or sell, of the one who took, or empty.",
                )
        sides = pa.array([_SIDES.get(text) for text in texts.tolist()], pa.string())
        return sides.take(pa.array(codes))

    def texts(self, name: str) -> pa.ChunkedArray:
        """Return a column of text."""
        return arrow.plain(self.table[self.required(name)]).cast(pa.string())

    def note(self, *notes: Note) -> None:
        """Add notes, each once."""
        self.notes.extend(note for note in notes if note not in self.notes)

    def _instants(self, names: tuple[str, ...]) -> IntArray:
        ns, notes = utc_times(self.table, names, self.codes, self.schema, self.where)
        self.note(*notes)
        return ns


def timestamps(ns: IntArray) -> pa.Array:
    """Return instants, ns UTC, as Arrow timestamps."""
    return pa.array(ns).cast(pa.timestamp("ns")).cast(_NS_UTC)


def kind_of(names: set[str]) -> str:
    """Return the kind of a table by its column names in small letters; empty if it has none.

    Examples
    --------
    >>> kind_of({"time", "price", "amount"}), kind_of({"time", "temperature"})
    ('trades', '')
    """

    def has(name: str) -> bool:
        return not names.isdisjoint(_NAMES.get(name, (name,)))

    if has("price") and has("amount"):
        return "trades"
    if has("rate"):
        return "funding"
    return "actions" if has("split") or has("dividend") else ""


def _shared(columns: Columns, schema: Schema) -> Columns:
    """Return columns of which one may be two of ours, such as a start that is the time known."""
    times = [name for ours, name in columns.mapped.items() if ours in _SHARED]
    own = {name.strip().lower(): name for name in times}
    return replace(columns, shared=own if schema.header else {})
