"""Preparation of bars for a store: read, rename, repair and check, with their instruments."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from alphalab.data.formats.files import stem
from alphalab.data.formats.labels import ask_about_dates
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.formats.schema import Schema
from alphalab.data.ingestion.advice import advice, repeated_hour
from alphalab.data.ingestion.intervals import check_interval, check_moments
from alphalab.data.ingestion.renames import names_there
from alphalab.data.ingestion.repairs import Repair, repair
from alphalab.data.ingestion.stored import bars_table, instruments_table, known_instruments
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import changed_instruments
from alphalab.data.read_rows import is_file, read_rows
from alphalab.data.store.store import Store
from alphalab.errors import DataError, led_by
from alphalab.types import Instrument


class Prepared(NamedTuple):
    """Rows of a table of the store, and the metadata of their version."""

    table: str
    rows: pa.Table
    record: dict[str, Any]
    symbols: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()
    notes: Notes = ()


class Task(NamedTuple):
    """The arguments of `ingest`."""

    venue: str
    interval: str
    name: str
    schema: Schema
    repairs: Sequence[str]
    instrument: Fields[str, Any]
    store: Store
    absent: str = "refuse"


def prepared_bars(given: Any, task: Task) -> list[Prepared]:
    """Return the rows of bars for the store, then those of their instruments.

    Raises
    ------
    DataError
        Unreadable data, or a broken rule of bars.
    ParameterError, UnknownNameError
        An unknown field of an instrument, or a value outside its range.
    """
    if isinstance(given, str) and not is_file(given):
        given = load(given)
    plain = msgspec.structs.replace(task.schema, rename={})
    rows, unnamed = _named(read_rows(given, plain, symbol=""), given)
    with led_by(where_of(given)):
        rename, absent = names_there(task.schema.rename, rows.symbols, task.absent)
    rows, repairs = repair(rows.renamed(rename), task.repairs)
    _check(rows, task.schema)
    _check_dates(rows)
    check_interval(rows, task.interval)
    check_moments(rows, task.interval)
    with led_by(where_of(given)):
        table = bars_table(rows, task.venue, task.interval)
        instruments, about_instruments = _instruments(given, rows, rename, task)
    record = {
        "symbols": list(rows.symbols),
        "notes": msgspec.to_builtins([x for x in rows.notes if x.code != "repair"]),
        "repairs": [
            {"step": one.step, "rows": one.n_rows, "said": one.said}
            for one in repairs
            if one.n_rows
        ],
    }
    notes = unnamed + rows.notes + absent + about_instruments
    return [Prepared("bars", table, record, rows.symbols, repairs, notes), *instruments]


def where_of(given: Any) -> str:
    """Return what leads the messages about a source: its path or name, if it has one."""
    return f"{given}: " if isinstance(given, str | Path) else ""


def _named(rows: Rows, given: Any) -> tuple[Rows, Notes]:
    """Return rows that all have a symbol; that of a file without symbols is its name."""
    if rows.symbols != ("",):
        return rows, ()
    if isinstance(given, str | Path):
        name = stem(Path(given))
        return replace(rows, symbols=(name,)), (Note("file_name", "symbol: the name of the file"),)
    raise DataError(
        f"a {type(given).__name__} without a symbol",
        rule="bars of a store have a symbol.",
        fix="Name it by schema={'symbol': ...}, or have a column symbol.",
    )


def _check(rows: Rows, schema: Schema) -> None:
    broken = rows.broken()
    if broken is None:
        return
    error = broken.error
    if len(rows):
        own = "" if repeated_hour(rows, schema) else error.fix
        error.fix = f"{own} {advice(rows, broken.rule, schema)}".strip()
    raise error


def _check_dates(rows: Rows) -> None:
    """Refuse dates with an unknown meaning: a store keeps closing times."""
    if rows.time_names == "date":
        raise ask_about_dates(rows.time.min(), f"{rows.source or 'table'}: ")


def _instruments(
    given: Any, rows: Rows, rename: Fields[str, str], task: Task
) -> tuple[list[Prepared], Notes]:
    """Return the instruments that the store does not have yet, and notes about their calendar.

    They are valid from the open of the first bar.
    """
    own: dict[str, Instrument] = {}
    for one in given.instruments if isinstance(given, Bars) else ():
        name = rename.get(one.symbol, one.symbol)
        own[name] = msgspec.structs.replace(one, symbol=name)
    plain = tuple(own.get(name, Instrument(symbol=name)) for name in rows.symbols)
    calendar = task.schema.calendar
    fields = {"calendar": calendar, **task.instrument} if calendar else task.instrument
    changed = changed_instruments(plain, None, fields)
    start = int(rows.time.min()) - (task.schema.interval_ns or 0)
    known = known_instruments(task.store, task.venue, rows.symbols, start)
    news = [
        one
        for one in changed
        if one != Instrument(symbol=one.symbol)
        and one != known.get(one.symbol)
        # A calendar that only the schema names does not change stored instruments.
        and (task.instrument or own or one.symbol not in known)
    ]
    if news:
        table = instruments_table(news, task.venue, start)
        symbols = tuple(one.symbol for one in news)
        record = {"instrument": dict(fields)} if fields else {}
        kept = Note("calendar", f"{calendar} is kept as the calendar of these symbols")
        implied = calendar and "calendar" not in task.instrument
        return [Prepared("instruments", table, record, symbols)], (kept,) if implied else ()
    if calendar and not any(known[name].calendar for name in known):
        text = (
            "the store does not know the calendar of these symbols: give it by "
            f"instrument={{'calendar': {calendar!r}}} (--instrument calendar={calendar})"
        )
        return [], (Note("calendar", text),)
    return [], ()
