"""Rows of a store as `Bars`: raw or adjusted, with what belongs to them, as of any date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data import arrow
from alphalab.data.bars import Bars
from alphalab.data.instruments import dated_instruments, for_span, some
from alphalab.data.store.failures import in_our_words
from alphalab.data.store.store import Store
from alphalab.data.store.tables import table_named
from alphalab.data.store.view import Adjust, View
from alphalab.data.times import NS_DAY, Instant, bar_spacing, nanoseconds
from alphalab.data.universe import MEMBER, Universe, universe_of
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, IntArray

_KEY = ("symbol", "time")


def read_bars(
    store: Store,
    venue: str,
    interval: str,
    *,
    symbols: Sequence[str] | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
    versions: Mapping[str, int | None] | str | int | None = None,
    adjust: Adjust | None = None,
    as_of: Instant | None = None,
    universe: str | None = None,
    observations: Sequence[str] = (),
) -> Bars:
    """Read bars of a store: see `Store.bars`.

    Parameters
    ----------
    store : Store
    venue, interval : str
        Such as ``"binance"`` and ``"1h"``.
    symbols : sequence of str, optional
        These, in this order. Not given: all, or the members of `universe`.
    start, end : str, date, datetime or datetime64, optional
        Rows between them, see `Bars.between`.
    versions : mapping of str to int, str or int, optional
        Of the tables that are read at a version, ``17`` or ``"bars=17,funding=4"``; None for a
        table that is to be read as if it were not there. Others are read at their newest.
    adjust : {"splits", "all"}, optional
        Prices adjusted for splits, or for dividends as well, see `Bars.adjusted`. Not given: raw
        prices, and the columns ``split`` and ``dividend`` where the venue has such events.
    as_of : str, date, datetime or datetime64, optional
        What could be known at this moment: no later row, no event after it, and none, no
        membership and no instrument that became known after it. A bare date includes its whole day.
    universe : str, optional
        A universe of the store: all that were members at some time between the rows, and the column
        ``member``, 1.0 where a symbol was known to be one, else 0.0.
    observations : sequence of str
        Names of observations to join, see `Bars.with_observations`.

    Returns
    -------
    Bars
        `Bars.version` names every table that was read and its version, and how: `alphalab.load`
        makes the same bars of it. `Bars.notes` names recorded repairs, changes of instruments, and
        members that the store has no bars of.

    Raises
    ------
    UnknownNameError
        A series, a symbol, a universe or an observation that the store does not have.
    DataError
        No row in the span, no such version, `adjust` for a venue without events, or data that
        breaks a rule of `Bars`.
    """
    view = View.of(
        venue=venue,
        interval=interval,
        symbols=symbols,
        start=start,
        end=end,
        versions=versions,
        adjust=adjust,
        as_of=as_of,
        universe=universe,
        observations=observations,
    )
    return read_view(store, view)


def read_view(store: Store, view: View) -> Bars:
    """Read the bars that a view asks for: `read_bars`, with what is asked for in one piece."""
    return _Reading(store, view).bars()


class _Reading:
    """One reading of a store: a view, and the versions of the tables that it has met."""

    def __init__(self, store: Store, view: View) -> None:
        self.store = store
        self.view = view
        self.versions: dict[str, int | None] = {}
        self.as_of = None if view.as_of is None else nanoseconds(view.as_of, end_of_day=True)

    def bars(self) -> Bars:
        """Return the bars of the view."""
        view = self.view
        symbols, members, about_members = self._symbols()
        # Adjusted as of a date: by what happened up to it, even if fewer rows are asked for.
        beyond = view.adjust is not None and view.as_of is not None
        time, symbols, columns = _panel(
            self._rows(symbols, view.as_of if beyond else self._end()),
            None if view.symbols is None and members is None else symbols,
        )
        instruments, about = self._instruments(symbols, time)
        self._meet(instruments)
        bars = Bars(
            time,
            symbols,
            columns,
            instruments=instruments,
            source=view.source,
            notes=(*self._repairs(symbols), *about_members, *about),
            version=str(replace(view, versions=self.versions)),
        )
        bars = self._with_actions(self._with_funding(bars))
        if beyond and view.end is not None:
            bars = bars.between(end=view.end)
        if members is not None:
            bars = bars.with_columns({MEMBER: members.by_row(bars.time, bars.symbols)})
        return self._with_observations(bars)

    def _end(self) -> str | None:
        """Return the end of what is asked for, or the date of the view where that is earlier."""
        given = [when for when in (self.view.end, self.view.as_of) if when is not None]
        return min(given, key=lambda when: nanoseconds(when, end_of_day=True), default=None)

    # ---- tables ------------------------------------------------------------------------------

    def _version(self, table: str) -> int | None:
        """Return the version of a table that is read: as asked for, or the newest."""
        if table not in self.versions:
            asked = self.view.versions
            self.versions[table] = asked[table] if table in asked else self.store.version(table)
        return self.versions[table]

    def _table(self, table: str, **keywords: Any) -> pa.Table:
        version = self._version(table)
        if version is None:
            return pa.schema(list(table_named(table).columns.items())).empty_table()
        return self.store.read(table, version=version, **keywords)

    def _meet(self, instruments: Sequence[Instrument]) -> None:
        """Fix the versions of the tables that are still to be read."""
        if any(instrument.kind == "spot" for instrument in instruments):
            self._version("actions")
        if any(instrument.funding_hours for instrument in instruments):
            self._version("funding")
        if self.view.observations:
            self._version("observations")

    # ---- symbols and rows --------------------------------------------------------------------

    def _symbols(self) -> tuple[tuple[str, ...], Universe | None, tuple[str, ...]]:
        """Return the symbols to read, the universe, and what to say about its members."""
        view = self.view
        there = self._series()
        for symbol in view.symbols or ():
            if symbol not in there:
                raise UnknownNameError(f"symbol of {view.venue}/{view.interval}", symbol, there)
        if view.universe is None:
            return view.symbols or there, None, ()
        universe = universe_of(self._table("universe"), view.universe)
        if view.symbols is not None:
            return view.symbols, universe, ()
        start = None if view.start is None else nanoseconds(view.start)
        end = self._end()
        members = universe.ever(start, None if end is None else nanoseconds(end, end_of_day=True))
        chosen = tuple(symbol for symbol in members if symbol in there)
        if not chosen:
            raise DataError(
                f"{view.source}: bars of none of the {len(members)} members of {view.universe!r}",
                rule="bars of a universe are those of its members at the time.",
                fix=f"Ingest them, or look who they are: store.members({view.universe!r}).",
            )
        missing = [symbol for symbol in members if symbol not in there]
        said = (
            f"universe {view.universe!r}: {len(missing)} of {len(members)} members have no bars: "
            f"{some(missing)}"
        )
        return chosen, universe, (said,) if missing else ()

    def _series(self) -> tuple[str, ...]:
        """Return the symbols that the store has of the venue and interval, sorted."""
        view = self.view
        version = self._version("bars")
        series = [] if version is None else self.store.series("bars", version)
        if not series:
            raise DataError(
                f"the store {self.store.url} has no bars",
                rule="bars are ingested, or fetched, before they are read.",
                fix="See: alphalab data ingest --help.",
            )
        wanted = (view.venue, view.interval)
        found = tuple(one.names[2] for one in series if one.names[:2] == wanted)
        if not found:
            known = {"/".join(one.names[:2]) for one in series}
            raise UnknownNameError("series", "/".join(wanted), known)
        return found

    def _rows(self, symbols: Sequence[str], end: str | None) -> pa.Table:
        """Return the rows in any order; to sort them would take their memory once more."""
        view = self.view
        dataset = self.store.dataset("bars", self._version("bars"))
        condition = (pc.field("venue") == view.venue) & (pc.field("interval") == view.interval)
        condition &= pc.field("symbol").isin(list(symbols))
        if view.start is not None:
            condition &= pc.field("time") > _stamp(nanoseconds(view.start) - 1)
        if end is not None:
            condition &= pc.field("time") <= _stamp(nanoseconds(end, end_of_day=True))
        names = [name for name in dataset.schema.names if name not in ("venue", "interval")]
        with in_our_words(f"{self.store.url}/bars"):
            rows = dataset.to_table(names, filter=condition)
        if not rows.num_rows:
            raise DataError(
                f"{view.source}: no rows between start={view.start} and end={end}",
                rule="there is at least one row.",
                fix="Look at what is there: alphalab data list.",
            )
        return rows

    # ---- what belongs to the rows ------------------------------------------------------------

    def _instruments(
        self, symbols: Sequence[str], time: IntArray
    ) -> tuple[tuple[Instrument, ...], tuple[str, ...]]:
        where = {"venue": self.view.venue, "symbol": list(symbols)}
        rows = self._table("instruments", where=where)
        return for_span(dated_instruments(rows), symbols, int(time[0]), int(time[-1]))

    def _with_funding(self, bars: Bars) -> Bars:
        funded = [x.symbol for x in bars.instruments if x.funding_hours]
        if not funded:
            return bars
        where = {"venue": self.view.venue, "symbol": funded}
        rows = self._table("funding", where=where, columns=["time", "symbol", "rate"])
        rows = rows.filter(_between(rows["time"], _first(bars), int(bars.time[-1]) - 1))
        return bars.with_funding(rows) if rows.num_rows else bars

    def _with_actions(self, bars: Bars) -> Bars:
        """Return the bars with splits and dividends beside them, or adjusted for them."""
        view = self.view
        if "actions" not in self.versions:
            return bars if view.adjust is None else bars.adjusted()  # which refuses
        rows = self._table("actions", where={"venue": view.venue})
        if not rows.num_rows:
            if view.adjust is None:
                return bars
            raise DataError(
                f"{view.source}: adjust={view.adjust!r}, and the store has no splits and dividends "
                f"of {view.venue}",
                rule="prices are adjusted for what is known.",
                fix="Ingest them (--kind actions), or read raw prices.",
            )
        rows = rows.filter(pc.is_in(rows["symbol"], pa.array(bars.symbols)))
        if self.as_of is not None:
            for name in ("time", "known"):
                rows = rows.filter(_between(rows[name], None, self.as_of))
        rows = rows.select(["time", "symbol", "split", "dividend"])
        last = int(bars.time[-1])
        bars = bars.with_actions(rows.filter(_between(rows["time"], _first(bars), last)))
        if view.adjust is None:
            return bars
        ahead = None if self.as_of is None else _ahead(bars, rows)
        return bars.adjusted(dividends=view.adjust == "all", as_of=view.as_of, ahead=ahead)

    def _with_observations(self, bars: Bars) -> Bars:
        for name in self.view.observations:
            rows = self._table("observations", where={"name": name})
            if not rows.num_rows:
                known = pc.unique(self._table("observations", columns=["name"])["name"])
                raise UnknownNameError("observation", name, known.to_pylist())
            rows = rows.filter(pc.is_in(rows["symbol"], pa.array(["", *bars.symbols])))
            if rows.num_rows:
                bars = bars.with_observations(rows, [name])
            else:
                bars = bars.with_columns({name: np.full_like(bars.close, np.nan)})
        return bars

    def _repairs(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Return what was said when the rows were stored, and how they were repaired before."""
        version = self._version("bars")
        said: list[str] = []
        for commit in reversed(self.store.history("bars")):
            record = commit.record
            if (
                version is None
                or commit.version > version
                or not _meets(record, self.view, symbols)
            ):
                continue
            where = record.get("source", "")
            said += record.get("notes", ())
            said += [f"{where}: {repair['said']}" for repair in record.get("repairs", ())]
        return tuple(dict.fromkeys(said))


def _panel(
    rows: pa.Table, symbols: tuple[str, ...] | None
) -> tuple[IntArray, tuple[str, ...], dict[str, FloatArray]]:
    """Spread rows over (T, N); cells without a row are NaN.

    Symbols that are not given are those of the rows.
    """
    if symbols is None:
        symbols = tuple(sorted(pc.unique(rows["symbol"]).to_pylist()))
    stamps = arrow.integers(rows["time"]) * 1_000
    names = [name for name in rows.column_names if name not in _KEY]
    # A column that only other series have is none of these.
    names = [x for x in names if x in BAR_COLUMNS or rows[x].null_count < rows.num_rows]
    if len(symbols) == 1 and (stamps[1:] > stamps[:-1]).all():
        return stamps, symbols, {name: arrow.floats(rows[name]).reshape(-1, 1) for name in names}
    time, row = np.unique(stamps, return_inverse=True)
    asset = arrow.integers(pc.index_in(rows["symbol"], pa.array(symbols)).cast(pa.int64()))
    columns = {}
    for name in names:
        cells = np.full((len(time), len(symbols)), np.nan)
        cells[row, asset] = arrow.floats(rows[name])
        cells.setflags(write=False)
        columns[name] = cells
        rows = rows.drop_columns([name])  # its memory is free before the next is spread
    return time, symbols, columns


def _stamp(ns: int) -> pa.Scalar:
    """Return an instant as the store has it; between two microseconds, the one before."""
    return pa.scalar(ns // 1_000, pa.timestamp("us", "UTC"))


def _first(bars: Bars) -> int:
    """Return the time from which the first row is, about."""
    return int(bars.time[0]) - (bar_spacing(bars.time) if bars.n_rows > 1 else NS_DAY)


def _between(column: pa.ChunkedArray, first: int | None, last: int) -> pa.Array:
    """Return which times lie between two instants, both included, ns UTC."""
    time = pc.multiply(column.cast(pa.int64()), 1_000)
    inside = pc.less_equal(time, last)
    return inside if first is None else pc.and_(inside, pc.greater_equal(time, first))


def _ahead(bars: Bars, events: pa.Table) -> tuple[FloatArray, FloatArray]:
    """Return splits and dividends, (N,) each, that no row of their symbol carries yet."""
    split, dividend = np.full(bars.n_symbols, np.nan), np.full(bars.n_symbols, np.nan)
    rows = np.arange(bars.n_rows)[:, None]
    last = np.where(np.isnan(bars.close), -1, rows).max(axis=0)
    end = np.where(last < 0, np.iinfo(np.int64).max, bars.time[last])
    for event in events.sort_by("time").to_pylist():
        asset = bars.symbols.index(event["symbol"])
        if nanoseconds(event["time"]) < end[asset]:
            continue
        if event["split"] is not None:
            split[asset] = event["split"] * (1.0 if np.isnan(split[asset]) else split[asset])
            dividend[asset] /= event["split"]
        if event["dividend"] is not None:
            dividend[asset] = event["dividend"] + np.nan_to_num(dividend[asset])
    return split, dividend


def _meets(record: Mapping[str, Any], view: View, symbols: Sequence[str]) -> bool:
    """Return whether a commit is about bars of a view."""
    named = record.get("symbols", ())
    same = (record.get("venue"), record.get("interval")) == (view.venue, view.interval)
    return same and not set(named).isdisjoint(symbols)
