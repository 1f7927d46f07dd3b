"""One reading of a store: the tables of a view, each at one version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import nanoseconds
from alphalab.data.formats.notes import Note, Notes, notes_of
from alphalab.data.panel.instruments import OfSpan, dated_instruments, for_span, some
from alphalab.data.panel.universe import MEMBER, universe_of
from alphalab.data.store.belongings import Belongings
from alphalab.data.store.failures import in_our_words
from alphalab.data.store.log import Series, lineage
from alphalab.data.store.tables import table_named
from alphalab.data.store.versions import VersionedTables
from alphalab.data.store.view import View
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import Instrument

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


class Reading:
    """One reading of a store, table by table, each at one version.

    Parameters
    ----------
    store : VersionedTables
    view : View

    Attributes
    ----------
    versions : dict of str to int or None
        Versions of the tables that were read so far; None: the table does not exist.
    """

    def __init__(self, store: VersionedTables, view: View) -> None:
        self.store = store
        self.view = view
        self.versions: dict[str, int | None] = {}

    @property
    def address(self) -> str:
        """The address of the view with the versions of all tables that were read."""
        return str(replace(self.view, versions=self.versions))

    @property
    def end(self) -> str | None:
        """The end of the view, or its as-of date if that is earlier."""
        given = [when for when in (self.view.end, self.view.as_of) if when is not None]
        return min(given, key=lambda when: nanoseconds(when, end_of_day=True), default=None)

    def version(self, table: str) -> int | None:
        """Return the version of a table: that of the view, or the newest."""
        if table not in self.versions:
            asked = self.view.versions
            self.versions[table] = asked[table] if table in asked else self.store.version(table)
        return self.versions[table]

    def table(self, table: str, **keywords: Any) -> pa.Table:
        """Return rows of a table, see `Store.read`."""
        version = self.version(table)
        if version is None:
            return pa.schema(list(table_named(table).columns.items())).empty_table()
        return self.store.read(table, version=version, **keywords)

    def symbols(self) -> tuple[tuple[str, ...], Notes]:
        """Return the symbols to read, and notes about them."""
        view = self.view
        series = self.series()
        there = tuple(one.names[2] for one in series)
        for symbol in view.symbols or ():
            if symbol not in there:
                raise UnknownNameError(f"symbol of {view.venue}/{view.interval}", symbol, there)
        if view.symbols is not None or view.universe is None:
            return view.symbols or there, ()
        start = min(one.first for one in series)
        start = start if view.start is None else max(start, nanoseconds(view.start))
        end = max(one.last for one in series)
        end = end if self.end is None else min(end, nanoseconds(self.end, end_of_day=True))
        members = universe_of(self.table("universe"), view.universe).ever(start, end)
        chosen = tuple(symbol for symbol in members if symbol in there)
        if not chosen:
            raise DataError(
                f"{view.source}: bars of none of the {len(members)} members of {view.universe!r}",
                rule="bars of a universe are those of its members at the time.",
                fix=f"Ingest them, or list them: store.members({view.universe!r}).",
            )
        missing = [symbol for symbol in members if symbol not in there]
        text = (
            f"universe {view.universe!r}: {len(missing)} of {len(members)} members have no bars: "
            f"{some(missing)}"
        )
        return chosen, (Note("members", text),) if missing else ()

    def series(self) -> list[Series]:
        """Return the series of the venue and interval, by symbol."""
        view = self.view
        version = self.version("bars")
        series = [] if version is None else self.store.series("bars", version)
        if not series:
            raise DataError(
                f"the store {self.store.url} has no bars",
                rule="bars are ingested, or fetched, before they are read.",
                fix="See: alphalab data ingest --help.",
            )
        wanted = (view.venue, view.interval)
        found = [one for one in series if one.names[:2] == wanted]
        if not found:
            known = {"/".join(one.names[:2]) for one in series}
            raise UnknownNameError("series", "/".join(wanted), known)
        return found

    def rows(self, symbols: Sequence[str], end: str | None) -> pa.Table:
        """Return bars from the start of the view to an end, all columns, in any order."""
        view = self.view
        first = None if view.start is None else nanoseconds(view.start)
        last = None if end is None else nanoseconds(end, end_of_day=True)
        rows = self.between(symbols, first, last)
        if not rows.num_rows:
            raise DataError(
                f"{view.source}: no rows between start={view.start} and end={end}",
                rule="there is at least one row.",
                fix="Look at what is there: alphalab data list.",
            )
        return rows

    def between(
        self,
        symbols: Sequence[str],
        first: int | None,
        last: int | None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return bars between two times, ns UTC, both included: symbol, time, and columns.

        The order is arbitrary: sorting would double the memory.
        """
        view = self.view
        condition = (pc.field("venue") == view.venue) & (pc.field("interval") == view.interval)
        condition &= pc.field("symbol").isin(list(symbols))
        if first is not None:
            condition &= pc.field("time") > _stamp(first - 1)
        if last is not None:
            condition &= pc.field("time") <= _stamp(last)
        names = self.columns if columns is None else columns
        with in_our_words(f"{self.store.url}/bars"):
            return self._bars.to_table(["symbol", "time", *names], filter=condition)

    @property
    def columns(self) -> tuple[str, ...]:
        """The numeric columns of the table of bars, of all its series."""
        other = ("venue", "interval", "symbol", "time")
        return tuple(name for name in self._bars.schema.names if name not in other)

    @cached_property
    def _bars(self) -> Dataset:
        return self.store.dataset("bars", self.version("bars"))

    def instruments(self, symbols: Sequence[str], first: int, last: int) -> OfSpan:
        """Return the instruments of rows between two times, ns UTC."""
        where = {"venue": self.view.venue, "symbol": list(symbols)}
        rows = self.table("instruments", where=where, end=self.view.as_of)
        found = for_span(dated_instruments(rows), symbols, first, last)
        return found._replace(notes=(*found.notes, *self._unused(found.instruments)))

    def belongings(self, instruments: Sequence[Instrument]) -> Belongings:
        """Return the tables to join to the bars of instruments, as known at the as-of date."""
        view = self.view
        member = () if view.universe is None else (MEMBER,)
        for name in (*view.observations, *member):
            if name in self.columns:
                raise DataError(
                    f"{view.source}: the bars have a column {name!r} already",
                    rule="observations and members are columns of a name of their own.",
                    fix="Store the observation under another name.",
                )
        universe = None
        if view.universe is not None:
            universe = universe_of(self.table("universe"), view.universe)
        symbols = [instrument.symbol for instrument in instruments]
        return Belongings(
            funding=self._funding([x.symbol for x in instruments if x.funding_hours]),
            actions=self._actions(symbols, any(x.kind == "spot" for x in instruments)),
            delistings=self._delistings(symbols),
            universe=universe,
            observations={name: self._observations(name, symbols) for name in view.observations},
        )

    def _funding(self, symbols: list[str]) -> pa.Table | None:
        if not symbols:
            return None
        where = {"venue": self.view.venue, "symbol": symbols}
        rows = self.table("funding", where=where, columns=["time", "symbol", "rate"])
        return rows if rows.num_rows else None

    def _actions(self, symbols: list[str], spot: bool) -> pa.Table | None:
        """Return the splits and dividends that were known at the as-of date."""
        view = self.view
        rows = self.table("actions", where={"venue": view.venue}) if spot else None
        if not rows:
            if view.adjust is None:
                return None
            raise DataError(
                f"{view.source}: adjust={view.adjust!r}, and the store has no splits and dividends "
                f"of {view.venue}",
                rule="prices are adjusted for what is known.",
                fix="Ingest them (--kind actions), or read raw prices.",
            )
        keep = pc.field("symbol").isin(symbols)
        if view.as_of is not None:
            as_of = _stamp(nanoseconds(view.as_of, end_of_day=True))
            keep &= (pc.field("time") <= as_of) & (pc.field("known") <= as_of)
        return rows.filter(keep).select(["time", "symbol", "split", "dividend"])

    def _delistings(self, symbols: list[str]) -> pa.Table | None:
        """Return the delistings that were known at the as-of date."""
        view = self.view
        rows = self.table("delistings", where={"venue": view.venue, "symbol": symbols})
        if view.as_of is not None:
            as_of = _stamp(nanoseconds(view.as_of, end_of_day=True))
            rows = rows.filter((pc.field("time") <= as_of) & (pc.field("known") <= as_of))
        return rows.select(["time", "symbol", "price"]) if rows.num_rows else None

    def _observations(self, name: str, symbols: list[str]) -> pa.Table:
        rows = self.table("observations", where={"name": name})
        if not rows.num_rows:
            known = pc.unique(self.table("observations", columns=["name"])["name"])
            raise UnknownNameError("observation", name, known.to_pylist())
        return rows.filter(pc.is_in(rows["symbol"], pa.array(["", *symbols])))

    def _unused(self, instruments: Sequence[Instrument]) -> Notes:
        """Return a note about funding of symbols whose instruments have no funding_hours."""
        view = self.view
        if self.view.versions.get("funding", 0) is None:
            return ()
        plain = {x.symbol for x in instruments if not x.funding_hours}
        series = [one for one in self.store.series("funding") if one.names[0] == view.venue]
        left = [one.names[1] for one in series if one.names[1] in plain]
        if not left:
            return ()
        text = (
            f"funding of {some(left)} is in the store and not used: their instruments have no "
            "funding_hours (ingest with --instrument kind=linear --instrument funding_hours=8)"
        )
        return (Note("funding", text),)

    def notes(self, symbols: Sequence[str]) -> Notes:
        """Return the notes and the repairs that were recorded when the rows were stored."""
        version = self.version("bars")
        found: list[Note] = []
        for commit in [] if version is None else lineage(self.store.history("bars"), version):
            record = commit.record
            if not self._meets(record, symbols):
                continue
            where = record.get("source", "")
            found += notes_of(msgspec.convert(record.get("notes", []), list[Note | str]))
            repairs = record.get("repairs", ())
            found += [Note("repair", f"{where}: {repair['said']}") for repair in repairs]
        return tuple(dict.fromkeys(found))

    def _meets(self, record: dict[str, Any], symbols: Sequence[str]) -> bool:
        """Return True if a commit stored bars of the view."""
        view = self.view
        same = (record.get("venue"), record.get("interval")) == (view.venue, view.interval)
        return same and not set(record.get("symbols", ())).isdisjoint(symbols)


def _stamp(ns: int) -> pa.Scalar:
    """Return an instant in whole microseconds, rounded down."""
    return pa.scalar(ns // 1_000, pa.timestamp("us", "UTC"))
