"""`RowPusher`: candles become rows, rows go into the engines, and what is decided goes out."""

from __future__ import annotations

import contextlib
import math
from collections import Counter

from alphalab.codes import ReportKind
from alphalab.core.events import Reconcile
from alphalab.core.rows import HOUR_NS
from alphalab.errors import VenueError
from alphalab.types import FloatArray
from alphalab_live.bookkeeper import Bookkeeper
from alphalab_live.control import Control, Trouble
from alphalab_live.dispatch import Dispatcher
from alphalab_live.feed import Feed
from alphalab_live.recorder import Recorder
from alphalab_live.reports import report_of
from alphalab_live.settings import LiveSettings
from alphalab_live.trader import Trader
from alphalab_live.venue import Candle, Venue
from alphalab_live.wanted import withheld

_NS = 1e9
_MOST_MISSED = 1_000  # rows that are read at once after a pause


class RowPusher:
    """Makes the rows of every engine, and pushes them in order.

    Parameters
    ----------
    recorder : Recorder
    venue : Venue
    settings : LiveSettings
    books : Bookkeeper
    dispatcher : Dispatcher
    control : Control
    """

    def __init__(
        self,
        recorder: Recorder,
        venue: Venue,
        settings: LiveSettings,
        books: Bookkeeper,
        dispatcher: Dispatcher,
        control: Control,
    ) -> None:
        self._recorder, self._session = recorder, recorder.session
        self._venue, self._settings = venue, settings
        self._books, self._dispatcher, self._control = books, dispatcher, control
        self._feeds: list[tuple[Trader, Feed]] = []
        self._pushed = Counter[int]()  # rows of each engine

    def begin(self) -> None:
        """Make the feeds: each goes on behind the last row of its engine."""
        grace = int(self._settings.grace_seconds * _NS)
        self._feeds = [
            (t, Feed(t.symbols, t.columns, t.interval, t.last, grace))
            for t in self._session.traders
        ]

    async def catch_up(self) -> None:
        """Push the rows that were missed; their orders are too late and end unsent."""
        for trader, feed in self._feeds:
            for symbol in trader.symbols:
                for candle in await self._venue.candles(
                    symbol, trader.interval, trader.last, _MOST_MISSED
                ):
                    feed.add(candle)
            while (due := feed.next_time()) and not self._settings.is_current(
                due, self._venue.now()
            ):
                await self._push(trader, feed, due)

    def add(self, candle: Candle) -> None:
        """Take a candle; one that was pushed already, and differs, is noted and left."""
        for _, feed in self._feeds:
            before = feed.add(candle)
            if before is not None:
                self._recorder.note(
                    Reconcile(
                        subject=f"candle of {candle.symbol} at {candle.time}",
                        expected=str(before[2:]),
                        found=str(candle[2:]),
                        action="none: it was pushed as it came first",
                    )
                )

    async def push_whole(self) -> None:
        """Push every row that is whole, or whose grace is over."""
        for trader, feed in self._feeds:
            while due := feed.next_time():
                if not feed.is_whole(due):
                    if not feed.is_over(due, self._venue.now()):
                        break
                    await self._fetch_missing(trader, feed, due)
                await self._push(trader, feed, due)

    async def _fetch_missing(self, trader: Trader, feed: Feed, due: int) -> None:
        with contextlib.suppress(VenueError):
            for symbol in feed.missing(due):
                begin = due - trader.interval
                for candle in await self._venue.candles(symbol, trader.interval, begin, 1):
                    feed.add(candle)
        if missing := feed.missing(due):
            self._control.tell(f"no candle of {', '.join(missing)} at {due}: not traded")

    async def _push(self, trader: Trader, feed: Feed, due: int) -> None:
        """Settle, push one row, commit it with its intents, and send them."""
        await self._books.settle()
        if self._settings.is_current(due, self._venue.now()):
            self._control.ends(Trouble.LATE)
            self._control.recover()
        else:
            self._control.begins(Trouble.LATE)
        values = feed.row(due)
        await self._add_funding(trader, values, due)
        for place, cells in self._session.observations(trader, due):
            values[place] = cells
        self._recorder.push(trader, due, values)
        self._pushed[trader.place] += 1
        if self._pushed[trader.place] % self._settings.snapshot_rows == 0:
            self._recorder.snapshot(trader)  # before reports: the next row's hash has them
        self._withhold(trader)
        await self._dispatcher.dispatch()

    async def _add_funding(self, trader: Trader, values: FloatArray, due: int) -> None:
        """Write the funding rates of a row for a strategy that reads them."""
        if "funding" not in trader.columns:
            return
        begin = due - trader.interval
        for j, instrument in enumerate(trader.engine.instruments):
            step = int(instrument.funding_hours * HOUR_NS)
            if step and -(-begin // step) * step < due:
                rates = await self._venue.funding_rates(instrument.symbol, begin)
                told = [rate for at, rate in rates.items() if begin <= at < due]
                if told:
                    values[trader.columns.index("funding"), j] = math.fsum(told)

    def _withhold(self, trader: Trader) -> None:
        """End the orders that the state does not let out: their targets stay due."""
        if self._session.sends:
            now = self._venue.now()
            reports = [
                report_of(
                    trader, ReportKind.CANCELLED, now, order=one.order, asset=one.asset, last=True
                )
                for one in withheld(trader, self._session.orders, self._session.rights)
            ]
            if reports:
                self._recorder.book(reports)
