"""Records: trades, funding, splits, instruments, observations and members, as a store keeps them.

Each kind has its columns by their usual names, or by those that a mapping says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats import arrow
from alphalab.data.formats.header import SYMBOL_NAMES, TIME_NAMES, Columns, columns_of
from alphalab.data.formats.schema import Mapping
from alphalab.data.formats.stamps import stamps
from alphalab.data.ingest.renames import names_there
from alphalab.data.panel.from_table import symbols_of, utc_times
from alphalab.data.panel.instruments import dated_instruments
from alphalab.data.store.tables import Table, table_named
from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray, Instrument, IntArray

#: What columns of a store's tables are called elsewhere, besides their own names.
NAMES: dict[str, tuple[str, ...]] = {
    "time": TIME_NAMES,
    "symbol": SYMBOL_NAMES,
    "id": ("id", "trade_id", "tradeid", "agg_trade_id"),
    "amount": ("amount", "qty", "quantity", "size", "volume"),
    "rate": ("rate", "funding_rate", "funding"),
}
_NS_UTC = pa.timestamp("ns", tz="UTC")
# Ours that may be one column of a source with others.
_TIMES = ("known", "start", "time", "ex_date")
_EX_DATE = ("ex_date", *TIME_NAMES)
_SIDES = {"buy": "buy", "b": "buy", "sell": "sell", "s": "sell"}

# What numbers are, by table and column; unknown ones are the store's to refuse.
_ABOVE_ZERO: tuple[Callable[[FloatArray], Any], str] = (
    lambda x: ~(x <= 0) & ~np.isinf(x),
    "finite and above 0",
)
_RULES: dict[tuple[str, str], tuple[Callable[[FloatArray], Any], str]] = {
    ("trades", "price"): _ABOVE_ZERO,
    ("trades", "amount"): _ABOVE_ZERO,
    ("funding", "rate"): (lambda x: ~np.isinf(x), "a finite number"),
    ("actions", "split"): _ABOVE_ZERO,
    ("actions", "dividend"): (lambda x: ~(x < 0) & ~np.isinf(x), "finite and at least 0"),
    ("observations", "value"): (lambda x: ~np.isinf(x), "a finite number"),
}


@dataclass
class _Reading:
    """A table on its way to the columns of a store's table."""

    kind: Table
    table: pa.Table
    columns: Columns
    mapping: Mapping
    where: str
    codes: IntArray
    notes: list[str] = field(default_factory=list)

    def named(self, name: str) -> str | None:
        """Return what the table calls a column of the store's table."""
        names = _EX_DATE if (self.kind.name, name) == ("actions", "time") else NAMES.get(name)
        return self.columns.one_of(names or (name,), name)

    def required(self, name: str, fix: str = "") -> str:
        """Return the same; a column that is not there is refused."""
        named = self.named(name)
        if named is None:
            others = " or ".join(NAMES.get(name, (name,)))
            raise DataError(
                f"{self.where}no column {others}; {self.columns.found}",
                rule=f"a table of {self.kind.name} has the columns {', '.join(self.kind.columns)}.",
                fix=fix
                or f"Say which it is by a mapping: columns={{{name!r}: ...}} (-c {name}=...).",
            )
        return named

    def times(self, *names: str, known: bool = False) -> pa.Array:
        """Return a column of times; where they say when something became known, days are over."""
        ns, said = utc_times(self.table, names, self.codes, self.mapping, self.where)
        if known and not (self._clocks(names) % NS_DAY).any():
            ns = ns + NS_DAY
            said += ("known on a date: counts as known when that day is over",)
        self.notes += [note for note in said if note not in self.notes]
        return pa.array(ns).cast(pa.timestamp("ns")).cast(_NS_UTC)

    def _clocks(self, names: tuple[str, ...]) -> IntArray:
        """Return times as they are written, ns: a date is a midnight."""
        return stamps(self.table, names, self.mapping.time_format, self.where).ns

    def optional_times(self, name: str) -> pa.Array:
        """Return a column of times that may be empty, or not there."""
        named = self.named(name)
        empty = pa.nulls(self.table.num_rows, _NS_UTC)
        if named is None or self.table[named].null_count == self.table.num_rows:
            return empty
        column = arrow.plain(self.table[named])
        there = column.is_valid()
        place = self.table.column_names.index(named)
        # Another row's time in the empty cells, so that rows keep their numbers in messages.
        full = column.fill_null(column.filter(there)[0])
        filled = replace(self, table=self.table.set_column(place, named, full))
        return pc.if_else(there, filled.times(named), empty)

    def numbers(self, name: str) -> FloatArray:
        """Return a column of numbers, NaN where it or a cell is not there."""
        named = self.named(name) if name in self.kind.optional else self.required(name)
        if named is None:
            return np.full(self.table.num_rows, np.nan)
        column = arrow.plain(self.table[named])
        if not arrow.is_number(column.type):
            raise arrow.not_a_number(column, named, self.where)
        values = arrow.floats(column)
        rule = _RULES.get((self.kind.name, name))
        if rule is not None and not (good := rule[0](values)).all():
            row = int(np.argmin(good))
            raise DataError(
                f"{self.where}row {row}, column {named!r}: {values[row]:g}",
                rule=f"{name} is {rule[1]}.",
            )
        return values

    def texts(self, name: str) -> pa.ChunkedArray:
        """Return a column of text."""
        return arrow.plain(self.table[self.required(name)]).cast(pa.string())


def read_records(
    kind: str,
    table: pa.Table,
    mapping: Mapping,
    *,
    venue: str,
    name: str,
    where: str,
    absent: str = "note",
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return a table with the columns of one of a store's tables, and what is to be said about it.

    Parameters
    ----------
    kind : {"trades", "funding", "actions", "instruments", "observations", "universe"}
    table : pyarrow.Table
    mapping : Mapping
        What is called otherwise, and how times are written.
    venue, name : str
        Of all rows; empty: the table has a column for it.
    where : str
        What leads the messages.
    absent : {"note", "refuse"}
        As in `names_there`.

    Raises
    ------
    DataError
        A missing or ambiguous column, or a cell that cannot be read or breaks a rule. Rows are
        counted from 0.
    """
    columns = _shared(columns_of(table, mapping, where, _names(kind)), mapping)
    if table.num_rows == 0:
        raise DataError(f"{where}no rows", rule="a table of records has at least one row.")
    named = columns.one_of(SYMBOL_NAMES, "symbol")
    symbols, codes = symbols_of(table, named, mapping, "", where)
    reading = _Reading(table_named(kind), table, columns, mapping, where, codes)
    _, said = names_there(mapping.rename, symbols, absent)
    reading.notes += said
    names = [mapping.rename.get(text, text) for text in symbols]
    made: dict[str, Any] = {"symbol": pa.array(names, pa.string()).take(pa.array(codes))}
    if kind != "observations" and not all(names):  # observations without a symbol are about all
        reading.required("symbol", "Name it for all rows by a mapping: symbol=... (--symbol).")
    if "venue" in reading.kind.columns:
        made["venue"] = _constant(reading, "venue", venue)
    if "name" in reading.kind.columns:
        made["name"] = _constant(reading, "name", name)
    made |= _READERS[kind](reading)
    rows = pa.table({column: made[column] for column in reading.kind.columns})
    if kind == "instruments":
        dated_instruments(rows)  # an instrument that is none is refused
    return rows, tuple(reading.notes)


def _names(kind: str) -> list[str]:
    """Return all that columns of a kind may be called, in a table and in a mapping."""
    names = [name for own in table_named(kind).columns for name in (own, *NAMES.get(own, ()))]
    return [*names, "ex_date", "date"]


def _shared(columns: Columns, mapping: Mapping) -> Columns:
    """Return columns of which one may be two of ours: a start that is when it was known, too."""
    times = [name for ours, name in columns.mapped.items() if ours in _TIMES]
    own = {name.strip().lower(): name for name in times}
    return replace(columns, shared=own if mapping.header else {})


def _constant(reading: _Reading, name: str, given: str) -> Any:
    if given:
        return pa.array([given]).take(pa.array(np.zeros(reading.table.num_rows, np.int64)))
    if reading.named(name) is None:
        raise ParameterError(
            f"{reading.where}{reading.kind.name} without a {name}",
            rule=f"{reading.kind.name} are kept by {name}.",
            fix=f"Give {name}=..., or a column {name}.",
        )
    return reading.texts(name)


def _trades(reading: _Reading) -> dict[str, Any]:
    side = pa.nulls(reading.table.num_rows, pa.string())
    if (named := reading.named("side")) is not None:
        side = _sides(reading, named)
    return {
        "time": reading.times(*reading.columns.time()),
        "id": reading.texts("id"),
        "side": side,
        "price": reading.numbers("price"),
        "amount": reading.numbers("amount"),
    }


def _sides(reading: _Reading, named: str) -> pa.Array:
    texts, codes = np.unique(
        np.array([str(x or "").strip().lower() for x in reading.table[named].to_pylist()]),
        return_inverse=True,
    )
    for code, text in enumerate(texts.tolist()):
        if text and text not in _SIDES:
            raise DataError(
                f"{reading.where}row {int(np.argmax(codes == code))}, column {named!r}: {text!r}",
                rule="a side is buy or sell, of the one who took, or empty.",
            )
    sides = pa.array([_SIDES.get(text) for text in texts.tolist()], pa.string())
    return sides.take(pa.array(codes))


def _funding(reading: _Reading) -> dict[str, Any]:
    return {
        "time": reading.times(*reading.columns.time()),
        "rate": reading.numbers("rate"),
    }


def _actions(reading: _Reading) -> dict[str, Any]:
    time = reading.times(*reading.columns.time(_EX_DATE))
    known = reading.named("known")
    if known is None:
        reading.notes.append("no column known: splits and dividends count as known from their date")
    if reading.named("split") is None and reading.named("dividend") is None:
        reading.required("split")
    return {
        "time": time,
        "known": time if known is None else reading.times(known, known=True),
        "split": reading.numbers("split"),
        "dividend": reading.numbers("dividend"),
    }


def _instruments(reading: _Reading) -> dict[str, Any]:
    made: dict[str, Any] = {"start": reading.times(reading.required("start"))}
    plain, n_rows = Instrument(symbol="x"), reading.table.num_rows
    for name, kind in reading.kind.columns.items():
        if name in ("venue", "symbol", "start"):
            continue
        if reading.named(name) is not None:
            is_number = pa.types.is_floating(kind)
            made[name] = reading.numbers(name) if is_number else reading.texts(name)
            continue
        value = "{}" if name == "groups" else getattr(plain, name)
        made[name] = pa.array([value]).take(pa.array(np.zeros(n_rows, np.int64)))
    return made


def _observations(reading: _Reading) -> dict[str, Any]:
    return {
        "time": reading.times(*reading.columns.time()),
        "known": _known(reading),
        "value": reading.numbers("value"),
    }


def _universe(reading: _Reading) -> dict[str, Any]:
    return {
        "start": reading.times(reading.required("start")),
        "end": reading.optional_times("end"),
        "known": _known(reading),
    }


def _known(reading: _Reading) -> pa.Array:
    fix = (
        "Say when each row became known: a column known, or one that stands for it, as in "
        "columns={'known': 'published'} (-c known=published). Without it a backtest would see "
        "values too early."
    )
    return reading.times(reading.required("known", fix), known=True)


_READERS: dict[str, Callable[[_Reading], dict[str, Any]]] = {
    "trades": _trades,
    "funding": _funding,
    "actions": _actions,
    "instruments": _instruments,
    "observations": _observations,
    "universe": _universe,
}

#: Columns that are text even where they look like numbers.
TEXTS = ("id", "trade_id", "tradeid", "name", "venue", "groups", "calendar", "currency")
