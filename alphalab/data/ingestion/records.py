"""Tables of events in the form of the tables of a store: columns, types and ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from alphalab.data.formats.events import EventTable, timestamps
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.formats.schema import Schema
from alphalab.data.ingestion.renames import names_there
from alphalab.data.panel.instruments import dated_instruments
from alphalab.data.store.tables import Table, table_named
from alphalab.errors import DataError, ParameterError, led_by
from alphalab.types import FloatArray, Instrument


def read_records(
    kind: str,
    given: Any,
    schema: Schema,
    *,
    venue: str,
    name: str,
    absent: str = "note",
) -> tuple[pa.Table, Notes]:
    """Return a table of events with the columns of a store's table, and notes about it.

    Parameters
    ----------
    kind : str
        A table of the store besides bars.
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table, or a file of one.
    schema : Schema
        How it is written.
    venue, name : str
        Of all rows; empty: the table has a column for it.
    absent : {"note", "refuse"}
        As in `names_there`.

    Raises
    ------
    DataError
        A missing or ambiguous column, or a cell that cannot be read or is out of its range. Rows
        are counted from 0.
    """
    table = table_named(kind)
    read = EventTable.read(kind, given, schema, fields=table.columns)
    if not len(read):
        raise DataError(f"{read.where}no rows", rule="a table of records has at least one row.")
    with led_by(read.where):
        _, notes = names_there(schema.rename, read.symbols, absent)
    read.note(*notes)
    names = [schema.rename.get(text, text) for text in read.symbols]
    made: dict[str, Any] = {"symbol": pa.array(names, pa.string()).take(pa.array(read.codes))}
    if kind != "observations" and not all(names):  # observations without a symbol concern all
        read.required("symbol", "Name it for all rows by a schema: symbol=... (--symbol).")
    for column, value in (("venue", venue), ("name", name)):
        if column in table.columns:
            made[column] = _constant(read, column, value)
    made |= _READERS[kind](read, table)
    rows = pa.table({column: made[column] for column in table.columns})
    if kind == "instruments":
        with led_by(read.where):
            dated_instruments(rows)  # refuses a row that is no instrument
    return rows, tuple(read.notes)


def _numbers(read: EventTable, table: Table, name: str) -> FloatArray:
    """Return a column of numbers in its range, (R,); NaN where a cell is empty."""
    if name not in table.optional:
        read.required(name)
    return read.ranged(name)


def _constant(read: EventTable, name: str, given: str) -> Any:
    """Return a value of all rows, or the column of that name."""
    if given:
        return _repeated(given, len(read))
    if read.named(name) is None:
        raise ParameterError(
            f"{read.where}{read.kind} without a {name}",
            rule=f"a store keeps {read.kind} by {name}.",
            fix=f"Give {name}=..., or a column {name}.",
        )
    return read.texts(name)


def _repeated(value: Any, n_rows: int) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(n_rows, np.int64)))


def _trades(read: EventTable, table: Table) -> dict[str, Any]:
    return {
        "time": timestamps(read.time()),
        "id": read.texts("id"),
        "side": read.sides(),
        "price": _numbers(read, table, "price"),
        "amount": _numbers(read, table, "amount"),
    }


def _funding(read: EventTable, table: Table) -> dict[str, Any]:
    return {"time": timestamps(read.time()), "rate": _numbers(read, table, "rate")}


def _actions(read: EventTable, table: Table) -> dict[str, Any]:
    read.require_one(("split", "dividend"))
    return {
        **_dated(read, "splits and dividends count"),
        "split": _numbers(read, table, "split"),
        "dividend": _numbers(read, table, "dividend"),
    }


def _delistings(read: EventTable, table: Table) -> dict[str, Any]:
    return {**_dated(read, "a delisting counts"), "price": _numbers(read, table, "price")}


def _dated(read: EventTable, count: str) -> dict[str, Any]:
    """Return the time of events and when they became known; without a column: at that time."""
    time = timestamps(read.time())
    if read.named("known") is not None:
        return {"time": time, "known": timestamps(read.known())}
    read.note(Note("known", f"no column known: {count} as known from their date"))
    return {"time": time, "known": time}


def _instruments(read: EventTable, table: Table) -> dict[str, Any]:
    made: dict[str, Any] = {"start": timestamps(read.times("start"))}
    plain = Instrument(symbol="x")
    for name, kind in table.columns.items():
        if name in ("venue", "symbol", "start"):
            continue
        if read.named(name) is not None:
            is_number = pa.types.is_floating(kind)
            made[name] = _numbers(read, table, name) if is_number else read.texts(name)
        else:
            made[name] = _repeated("{}" if name == "groups" else getattr(plain, name), len(read))
    return made


def _observations(read: EventTable, table: Table) -> dict[str, Any]:
    return {
        "time": timestamps(read.time()),
        "known": _known(read),
        "value": _numbers(read, table, "value"),
    }


def _universe(read: EventTable, table: Table) -> dict[str, Any]:
    return {
        "start": timestamps(read.times("start")),
        "end": read.optional_times("end"),
        "known": _known(read),
    }


def _known(read: EventTable) -> pa.Array:
    fix = (
        "Say when each row became known: a column known, or one that stands for it, as in "
        "columns={'known': 'published'} (-c known=published). Without it a backtest would see "
        "values too early."
    )
    return timestamps(read.known(fix))


_READERS: dict[str, Callable[[EventTable, Table], dict[str, Any]]] = {
    "trades": _trades,
    "funding": _funding,
    "actions": _actions,
    "delistings": _delistings,
    "instruments": _instruments,
    "observations": _observations,
    "universe": _universe,
}
