"""Bars on their way into a store: read, renamed, repaired and checked, with their instruments."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from alphalab.data.bars import Bars
from alphalab.data.load import load
from alphalab.data.rows import Rows
from alphalab.data.rules import changed_instruments
from alphalab.data.sources.intervals import check_interval
from alphalab.data.sources.mapping import Mapping
from alphalab.data.sources.reading import is_file, read_rows
from alphalab.data.sources.repairs import STEPS, Repair, repair
from alphalab.data.sources.stored import bars_table, instruments_table, known_instruments
from alphalab.data.sources.succession import names_there, successors
from alphalab.data.store.store import Store
from alphalab.errors import DataError
from alphalab.types import Instrument


class Prepared(NamedTuple):
    """Rows of a store's table, and what is kept with the version that they make."""

    table: str
    rows: pa.Table
    record: dict[str, Any]
    symbols: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()
    notes: tuple[str, ...] = ()


class Task(NamedTuple):
    """What is asked for: the arguments of `ingest`."""

    venue: str
    interval: str
    name: str
    mapping: Mapping
    repairs: Sequence[str]
    instrument: Fields[str, Any]
    store: Store


def prepared_bars(given: Any, task: Task) -> list[Prepared]:
    """Return bars as a store keeps them, and behind them what is said of their instruments.

    Raises
    ------
    DataError
        What cannot be read, or breaks a rule of bars.
    ParameterError, UnknownNameError
        A field of an instrument that there is not, or that does not take its value.
    """
    if isinstance(given, str) and not is_file(given):
        given = load(given)
    rows = read_rows(given, msgspec.structs.replace(task.mapping, rename={}))
    rename, absent = names_there(task.mapping.rename, rows.symbols)
    rows, repairs = repair(rows.renamed(rename), task.repairs)
    _check(rows)
    check_interval(rows, task.interval)
    table = bars_table(rows, task.venue, task.interval)
    instruments, said = _instruments(given, rows, rename, task)
    record = {
        "symbols": list(rows.symbols),
        "notes": [note for note in rows.notes if not note.startswith("repair ")],
        "repairs": [
            {"step": one.step, "rows": one.n_rows, "said": one.said}
            for one in repairs
            if one.n_rows
        ],
    }
    notes = rows.notes + absent + successors(rows) + said
    return [Prepared("bars", table, record, rows.symbols, repairs, notes), *instruments]


def _check(rows: Rows) -> None:
    try:
        rows.check()
    except DataError as error:
        if len(rows):
            error.fix += f" Or ask for a repair: {', '.join(STEPS)}."
        raise


def _instruments(
    given: Any, rows: Rows, rename: Fields[str, str], task: Task
) -> tuple[list[Prepared], tuple[str, ...]]:
    """Return what is said of the instruments and is news to the store, and what is still to say.

    They are valid from where the first bar opens.
    """
    own: dict[str, Instrument] = {}
    for one in given.instruments if isinstance(given, Bars) else ():
        name = rename.get(one.symbol, one.symbol)
        own[name] = msgspec.structs.replace(one, symbol=name)
    plain = tuple(own.get(name, Instrument(symbol=name)) for name in rows.symbols)
    changed = changed_instruments(plain, None, task.instrument)
    start = int(rows.time.min()) - (task.mapping.interval_ns or 0)
    known = known_instruments(task.store, task.venue, rows.symbols, start)
    news = [
        one
        for one in changed
        if one != Instrument(symbol=one.symbol) and one != known.get(one.symbol)
    ]
    if news:
        table = instruments_table(news, task.venue, start)
        symbols = tuple(one.symbol for one in news)
        record = {"instrument": dict(task.instrument)} if task.instrument else {}
        return [Prepared("instruments", table, record, symbols)], ()
    calendar = task.mapping.calendar
    if calendar and not any(known[name].calendar for name in known):
        return [], (
            "the store does not know the calendar of these symbols: say it by "
            f"instrument={{'calendar': {calendar!r}}} (--instrument calendar={calendar})",
        )
    return [], ()
