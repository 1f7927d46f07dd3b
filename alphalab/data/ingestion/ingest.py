"""`ingest`: a source into a store: read by its schema, repaired on request, checked, written."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import pyarrow as pa

from alphalab.data.clock.times import duration_text, iso
from alphalab.data.formats.notes import Notes
from alphalab.data.formats.schema import Schema
from alphalab.data.ingestion.prepared import Prepared, Task, prepared_bars, where_of
from alphalab.data.ingestion.records import read_records
from alphalab.data.ingestion.repairs import STEPS, Repair
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rules import names_of
from alphalab.data.read_rows import is_file
from alphalab.data.store.changes import changes
from alphalab.data.store.incoming import checked
from alphalab.data.store.store import Store
from alphalab.data.store.tables import table_named
from alphalab.data.store.writing import Written
from alphalab.errors import ParameterError, UnknownNameError, led_by

#: Kinds of rows that a source can hold.
KINDS = (
    *("bars", "trades", "funding", "actions", "delistings"),
    *("instruments", "observations", "universe"),
)
_BY_NAME = ("observations", "universe")


class Ingested(NamedTuple):
    """The result of one ingestion.

    Attributes
    ----------
    source : str
        The name of the file or of the data set.
    written : tuple of Written
        One for each table that was written: the bars, then their instruments.
    n_rows : int
        Rows of the source after the repairs.
    symbols : tuple of str
        Their symbols.
    repairs : tuple of Repair
    notes : tuple of Note
        How it was read.
    start, end : str
        First and last time of its rows, ISO-8601, UTC.
    address : str
        What `alphalab.load` takes to get these bars; empty: other kinds.
    """

    source: str
    written: tuple[Written, ...]
    n_rows: int
    symbols: tuple[str, ...]
    repairs: tuple[Repair, ...]
    notes: Notes
    start: str
    end: str
    address: str


def ingest(
    given: Any,
    *,
    venue: str = "",
    interval: str = "",
    kind: str = "bars",
    name: str = "",
    schema: Schema | Fields[str, Any] | str | Path | None = None,
    repairs: str | Sequence[str] = (),
    instrument: Fields[str, Any] | None = None,
    absent: Literal["refuse", "note"] = "refuse",
    revise: bool = False,
    store: Store | str | Path | None = None,
) -> Ingested:
    """Write the rows of a source into a store, each table in one commit, or change nothing.

    A second run changes nothing: rows that are stored with equal values stay. After an interruption
    between bars and their instruments, a second run completes the ingestion.

    Parameters
    ----------
    given : str, Path, Bars, pandas.DataFrame or another table
        The path of a file, the name of a data set, or a table with one row for each bar, trade, ...
    venue, interval : str
        Where it was traded, and the length of the bars, such as ``"binance"`` and ``"1h"``. Bars
        need both; trades, funding, actions and instruments need the venue.
    kind : str
        What the rows are: bars, trades, funding, actions (splits and dividends), delistings,
        instruments, observations or universe.
    name : str
        Of the observation or the universe, where the table has no column for it.
    schema : Schema, dict or path of a TOML file, optional
        How the source is written. Not given: usual column names, times in UTC, closing times.
    repairs : str or sequence of str
        Repairs of bars before the check, in this order, see
        `alphalab.data.ingestion.repairs.STEPS`. The version records them.
    instrument : mapping, optional
        Fields of `Instrument` of all symbols of the bars, such as ``{"calendar": "XNYS",
        "currency": "USD", "lot": 1}``, valid from the first bar on.
    absent : {"refuse", "note"}
        How to treat a ``rename`` of a symbol without rows: ``"note"`` if one schema serves several
        files.
    revise : bool
        True to replace stored rows of the same key with other values.
    store : Store, str or Path, optional
        Or its address. Not given: the environment variable ``ALPHALAB_STORE``, else ``data``.

    Returns
    -------
    Ingested

    Raises
    ------
    DataError
        Unreadable data, a broken rule of bars, or rows that are stored with other values unless
        `revise`. Nothing is written.
    ParameterError
        Arguments that contradict each other.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> hours = pd.date_range("2024-01-02", periods=4, freq="h")
    >>> frame = pd.DataFrame({"t": hours, "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0})
    >>> schema = Schema(columns={"time": "t"}, label="open", symbol="BTC/USDT")
    >>> with TemporaryDirectory() as folder:
    ...     done = [
    ...         ingest(frame, venue="x", interval="1h", schema=schema, store=folder)
    ...         for _ in range(2)
    ...     ]
    >>> done[0].written[0]
    Written(table='bars', version=0, n_new=4, n_revised=0, n_same=0)
    >>> done[1].written[0]
    Written(table='bars', version=0, n_new=0, n_revised=0, n_same=4)
    """
    place = store if isinstance(store, Store) else Store(store)
    task = _checked(
        kind,
        Task(
            venue,
            interval,
            name,
            Schema.of(schema),
            names_of(repairs),
            instrument or {},
            place,
            absent,
        ),
    )
    source = _source(given)
    prepared = _prepare(kind, given, task)
    record = _record(given, source, kind, task)
    with led_by(where_of(given)):
        for part in prepared[1:]:  # the store checks the first one before it writes
            _check_change(part, task, revise)
        written = tuple(
            task.store.write(part.table, part.rows, revise=revise, record=record | part.record)
            for part in prepared
        )
    main = prepared[0]
    return Ingested(
        source,
        written,
        main.rows.num_rows,
        main.symbols,
        main.repairs,
        main.notes,
        *_span(main.rows),
        _address(main, task),
    )


def _span(rows: pa.Table) -> tuple[str, str]:
    import pyarrow.compute as pc

    times = rows["time" if "time" in rows.column_names else "start"].cast(pa.timestamp("ns", "UTC"))
    ends = pc.min_max(times.cast(pa.int64())).as_py()
    return iso(ends["min"]), iso(ends["max"])


def _address(main: Prepared, task: Task) -> str:
    symbols = main.symbols if len(main.symbols) == 1 else ()
    return (
        f"store:{'/'.join((task.venue, task.interval, *symbols))}" if main.table == "bars" else ""
    )


def _checked(kind: str, task: Task) -> Task:
    """Refuse arguments that contradict each other, before anything is read."""
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if not task.venue and kind not in _BY_NAME:
        raise ParameterError(
            f"{kind} without venue",
            rule="a store keeps market data by venue.",
            fix="Give it, such as venue='binance' (--venue binance).",
        )
    if not task.interval and kind == "bars":
        raise ParameterError(
            "bars without interval",
            rule="a store keeps bars by venue and interval.",
            fix="Give it, such as interval='1h' (--interval 1h).",
        )
    for argument in ("repairs", "instrument"):
        if getattr(task, argument) and kind != "bars":
            raise ParameterError(f"{argument} of {kind}", rule=f"{argument} is for bars.")
    for step in task.repairs:
        if step not in STEPS:
            raise UnknownNameError("repair", step, STEPS)
    if kind != "bars":
        return task
    if task.schema.interval not in ("", task.interval):
        raise ParameterError(
            f"interval {task.interval!r}, and {task.schema.interval!r} in the schema",
            rule="an interval is given once.",
        )
    schema = msgspec.structs.replace(task.schema, interval=task.interval)
    usual = duration_text(schema.interval_ns or 0)
    if task.interval != usual:
        raise ParameterError(
            f"interval {task.interval!r}",
            rule="each interval has one spelling, so that its bars are one series.",
            fix=f"Write {usual!r}.",
        )
    return task._replace(schema=schema)


def _source(given: Any) -> str:
    if isinstance(given, str | Path):
        return Path(given).name if is_file(given) else str(given)
    return given.source if isinstance(given, Bars) and given.source else type(given).__name__


def _record(given: Any, source: str, kind: str, task: Task) -> dict[str, Any]:
    """Return the metadata of the version: the source of the rows and how they were read."""
    record: dict[str, Any] = {"source": source, "kind": kind}
    if isinstance(given, str | Path) and is_file(given):
        import hashlib

        with Path(given).expanduser().open("rb") as file:
            record["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    named = {"venue": task.venue, "interval": task.interval, "name": task.name}
    record |= {key: text for key, text in named.items() if text}
    return record | {"schema": task.schema.changes()}


def _check_change(part: Prepared, task: Task, revise: bool) -> None:
    """Refuse rows that are stored with other values, before any table is written."""
    table = table_named(part.table)
    stored = task.store.read(part.table, where={"venue": task.venue, "symbol": part.symbols})
    changes(table, checked(table, part.rows).rows, stored, revise=revise)


def _prepare(kind: str, given: Any, task: Task) -> list[Prepared]:
    if kind == "bars":
        return prepared_bars(given, task)
    rows, notes = read_records(
        kind,
        given,
        task.schema,
        venue=task.venue,
        name=task.name,
        absent=task.absent,
    )
    symbols = tuple(rows["symbol"].unique().to_pylist())
    return [Prepared(kind, rows, {"notes": msgspec.to_builtins(notes)}, symbols, notes=notes)]
