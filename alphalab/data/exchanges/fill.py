"""`fill`: fetches the rows of one series that a store lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from alphalab.data.clock.times import iso
from alphalab.data.exchanges.series import DAY, Row, Series
from alphalab.data.exchanges.stored import Stored, last_trade, stored_span
from alphalab.data.exchanges.walk import Page, walk
from alphalab.data.store.store import Store
from alphalab.errors import AlphalabError, DataError

_NS = 1_000_000  # in a ms

# Rows are stored after so many pages or seconds: the most that an interruption loses.
_PAGES = 50
_SECONDS = 20.0


class Fetched(NamedTuple):
    """The result of a fetch of one symbol.

    Attributes
    ----------
    table, symbol, what : str
        Table of the store, symbol as ccxt writes it, and what was asked for.
    n_new, n_revised : int
        Rows that were added, and that replaced others.
    first, last : str
        Times of the first and last row stored now, UTC; of candles their close. Empty: none.
    version : int or None
        Of the table.
    notes : tuple of str
        What the reader has to know.
    """

    table: str
    symbol: str
    what: str
    n_new: int
    n_revised: int
    first: str
    last: str
    version: int | None
    notes: tuple[str, ...]


class Progress(NamedTuple):
    """The progress of a fetch.

    Attributes
    ----------
    symbol : str
    done_frac : float
        Of the time to be fetched, 0 to 1.
    reached : str
        The time that has been reached, UTC.
    n_rows : int
        Rows so far, stored and about to be.
    waiting : str
        Why it waits, how long, and how often it has been tried; empty: it does not.
    """

    symbol: str
    done_frac: float
    reached: str
    n_rows: int
    waiting: str = ""


class Order(NamedTuple):
    """The span and the options of a fetch, ms; see `fetch`."""

    since: int | None
    until: int
    again: bool
    revise: bool


def fill(
    series: Series, store: Store, order: Order, progress: Callable[[Progress], None]
) -> Fetched:
    """Fetch the rows of a series that a store lacks.

    A stored series has no gap after an interruption: later rows are added in order, earlier ones in
    chunks that end where the stored rows begin.

    Parameters
    ----------
    series : Series
    store : Store
    order : Order
    progress : callable
        Told after each page.

    Raises
    ------
    DataError
        See `fetch`.
    KeyboardInterrupt
        With a message that says what is kept.
    """
    filling = _Filling(series, store, order, progress)
    try:
        filling.run()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{filling.kept()}; run it again to go on") from None
    except AlphalabError as error:
        error.add_note(filling.kept())
        raise
    return filling.fetched()


class _Filling:
    def __init__(
        self, series: Series, store: Store, order: Order, progress: Callable[[Progress], None]
    ) -> None:
        self.series, self.store, self.order = series, store, order
        self.n_new = self.n_revised = 0
        self.notes: list[str] = []
        self._progress = progress
        self._rows: list[Row] = []  # not stored yet
        self._pages, self._committed = 0, time.monotonic()
        self._behind, self._total = 0, 1  # length of the span, ms
        self._at = Progress(series.symbol, 0.0, "", 0)
        series.client.on_wait = self._waits

    def run(self) -> None:
        """Fetch and store."""
        order, stored = self.order, stored_span(self.store, self.series)
        # The open of a candle that closes at `until` is the last one.
        stop = order.until - self.series.length + (1 if self.series.length else 0)
        if stored is None:
            if order.since is None:
                raise DataError(
                    f"no time from which to fetch {self.series.symbol}",
                    rule="what is not in the store yet is fetched from a time on.",
                    fix="Give since (--start 2021-01-01).",
                )
            self._forward(order.since, stop)
            return
        since = stored.first if order.since is None else min(order.since, stored.last)
        self._note_what_joins(stored, stop)
        if order.again:
            self._forward(since, max(stop, stored.first))
            return
        ahead = stop if stored.last + self.series.unit < stop else stored.last
        self._total = max(1, stored.first - min(since, stored.first) + ahead - stored.last)
        if since < stored.first:
            self._backward(since, stored.first)
        if stored.last < ahead:
            self._forward(stored.last, ahead, last_trade(self.store, self.series, stored.last))

    def kept(self) -> str:
        """Return a sentence on the rows that were stored."""
        return f"{self.series.symbol}: {self.n_new:,} new rows are kept"

    def fetched(self) -> Fetched:
        """Return the result, with the extent of the stored series."""
        series, stored = self.series, stored_span(self.store, self.series)
        first, last = (
            (iso((time + series.length) * _NS) for time in stored[:2]) if stored else ("", "")
        )
        return Fetched(
            table=series.table,
            symbol=series.symbol,
            what=series.key.get("interval", series.table),
            n_new=self.n_new,
            n_revised=self.n_revised,
            first=first,
            last=last,
            version=self.store.version(series.table),
            notes=(*dict.fromkeys(self.notes), *self._gaps(stored)),
        )

    def _forward(self, start: int, stop: int, after: Row | None = None) -> None:
        """Fetch and store a span in the order of time."""
        self._total = max(self._total, stop - start)
        try:
            for page in self._walk(start, stop, after):
                self._rows += page.rows
                self._pages += 1
                if self._pages >= _PAGES or time.monotonic() - self._committed >= _SECONDS:
                    self._store()
        finally:
            self._store()

    def _backward(self, start: int, stop: int) -> None:
        """Fetch and store the span before the stored rows, the last chunk first."""
        begin = next((p.rows[0].time for p in walk(self.series, start, stop) if p.rows), stop)
        chunk = self.series.hop * (2 if self.series.table == "trades" else _PAGES)
        while stop > begin:
            first = max(begin, stop - chunk)
            self._rows = [row for page in self._walk(first, stop) for row in page.rows]
            self._store()
            stop = first

    def _walk(self, start: int, stop: int, after: Row | None = None) -> Iterator[Page]:
        """Yield the pages of a span and report the progress."""
        reached = start
        for page in walk(self.series, start, stop, after=after, note=self.notes.append):
            self._behind += page.reached - reached
            reached = page.reached
            self._at = Progress(
                self.series.symbol,
                min(self._behind / self._total, 1.0),
                iso(reached * _NS),
                self._at.n_rows + len(page.rows),
            )
            self._progress(self._at)
            yield page

    def _waits(self, why: str) -> None:
        self._progress(self._at._replace(waiting=why))

    def _store(self) -> None:
        # Removed first, so that rows which the store refuses are not tried again at the end.
        rows, self._rows = self._rows, []
        self._pages, self._committed = 0, time.monotonic()
        if not rows:
            return
        series, client = self.series, self.series.client
        moved = ["times were those of the open: moved to the close"] if series.length else []
        record = {
            "source": client.source,
            **{name: text for name, text in series.key.items() if name != "symbol"},
            "symbols": [series.symbol],
            "clock": client.clock,
            "notes": moved,
        }
        table = series.rows(rows)
        done = self.store.write(series.table, table, revise=self.order.revise, record=record)
        self.n_new += done.n_new
        self.n_revised += done.n_revised

    def _note_what_joins(self, stored: Stored, stop: int) -> None:
        """Note a span that is wider than requested, which keeps the series without a gap."""
        since = self.order.since
        if since is None:
            return
        if since > stored.last + self.series.unit:
            self.notes.append(
                "the stored rows end earlier: fetched from their end on, without a gap"
            )
        if stop < stored.first:
            self.notes.append("the stored rows begin later: fetched up to them, without a gap")

    def _gaps(self, stored: Stored | None) -> list[str]:
        """Return notes about rows that the exchange did not give."""
        series, since, notes = self.series, self.order.since, []
        if stored is None:
            return [f"{series.client.name} has nothing in this time"]
        if since is not None and stored.first - since >= (series.length or DAY):
            notes.append(f"{series.client.name} has nothing before {iso(stored.first * _NS)}")
        if series.length:
            expected = (stored.last - stored.first) // series.length + 1
            if missing := max(expected - stored.n_rows, 0):
                notes.append(f"{missing:,} of {expected:,} candles are missing in between")
        return notes
