"""`Runner`: rows come in, decisions go out, and everything is in the journal before it counts.

One task does everything, one thing after the other::

    a candle closes  ->  settle  ->  push the row  ->  commit it with its intents  ->  send them
    an order stirs   ->  settle  ->  commit reports with what follows from them    ->  send it
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from alphalab.codes import Reason, ReportKind
from alphalab.core.event_codec import array_bytes
from alphalab.core.events import Command, Cursor, History, Reconcile, Report, Run, Sent
from alphalab.core.journal import Journal
from alphalab.core.rows import HOUR_NS
from alphalab.errors import AlphalabError, HaltError, JournalError, RefusedError, VenueError
from alphalab.types import FloatArray
from alphalab_live.dispatch import Dispatcher
from alphalab_live.feed import Feed, cells_of
from alphalab_live.reconcile import baseline, differences
from alphalab_live.recorder import Recorder
from alphalab_live.run_folder import RunFolder
from alphalab_live.session import BEGIN, Session
from alphalab_live.settings import LiveSettings
from alphalab_live.settle import Settlement, report_of
from alphalab_live.states import LATCHED, RIGHTS, STARTING, RunState
from alphalab_live.trader import Trader, Wanted
from alphalab_live.venue import Candle, Signal, Stir, Venue

_NS = 1e9
#: Reason of the state STOPPED where the market of a recording has no more rows.
ENDED = "the market has ended"


class _End(Exception):
    """The run ends here: stopped or killed by a command."""


class Runner:
    """Trades a session at a venue.

    Parameters
    ----------
    folder : RunFolder
    journal : Journal
    session : Session
        As the replay of the journal has left it.
    venue : Venue
        Not open yet.
    settings : LiveSettings
    warmup : sequence of int
        Rows of history that each artifact needs.
    tell : callable
        Called with lines for the operator.
    before : sequence of Command
        Commands that let the run start.
    """

    def __init__(
        self,
        folder: RunFolder,
        journal: Journal,
        session: Session,
        venue: Venue,
        settings: LiveSettings,
        *,
        warmup: Sequence[int],
        tell: Callable[[str], None] = lambda line: None,
        before: Sequence[Command] = (),
    ) -> None:
        self._folder, self._session, self._venue = folder, session, venue
        self._settings, self._warmup, self._tell = settings, tuple(warmup), tell
        self._recorder = Recorder(journal, session, venue.now)
        self._dispatcher = Dispatcher(
            self._recorder, venue, settings, self._settle_some, self._check
        )
        self._settlement: Settlement | None = None  # of a shadow run: none
        self._feeds: list[Feed] = []
        self._full_at = -math.inf  # time.monotonic of the last full comparison
        self._pushed = 0  # rows since the last snapshot
        self._stopping = False
        self._before = tuple(before)
        self.check_keys = False

    async def run(self, start: Run, *, resumed: bool, ignore_holdings: bool = False) -> RunState:
        """Trade until the run is stopped, killed or halted, and return that state.

        Parameters
        ----------
        start : Run
            This start, for the journal.
        resumed : bool
            True: an operator has let a halted run go on.
        ignore_holdings : bool
            On the first start: units that the account holds already are not the run's.

        Raises
        ------
        HaltError
            The run has halted, and the journal says so.
        RefusedError, VenueError
            The start was refused, or the venue does not answer: the run has stopped, and can be
            started again.
        JournalError
            The journal cannot be written: nothing was sent after that.
        """
        before = self._session.state
        try:
            await self._start(start, before, resumed, ignore_holdings)
            await self._loop()
        except _End:
            pass
        except JournalError:
            raise
        except AlphalabError as error:
            if self._session.state in STARTING and not isinstance(error, HaltError):
                self._recorder.change(RunState.STOPPED, error.what)
                raise
            await self._halt(error)
            raise HaltError(error.what, rule=error.rule, fix=error.fix) from error
        finally:
            with contextlib.suppress(Exception):
                await self._venue.close()
        return self._session.state

    # ---- the start

    async def _start(self, start: Run, before: RunState, resumed: bool, ignore: bool) -> None:
        first = BEGIN not in self._session.cursors
        self._venue.listen(self._note_sent)
        self._recorder.note(start, *self._before, durable=True)
        for state in (RunState.LOADING, RunState.COMPILING, RunState.RECOVERING):
            self._recorder.change(state, "start")
        self._recorder.change(RunState.RECONCILING, "start")
        await self._venue.open()
        await self._check_clock()
        if self.check_keys:
            await self._check_rights()
        if first:
            held = await baseline(self._session, self._venue, ignore=ignore) if start.sends else []
            self._recorder.note(Cursor(name=BEGIN, value=self._venue.now()), *held)
        if start.sends:
            await self._reconcile()
        self._recorder.change(RunState.WARMING, "start")
        for trader in self._session.traders:
            await self._warm(trader)
        self._make_feeds()
        if not first:
            await self._catch_up()
        after = before if before in LATCHED and not resumed else RunState.RUNNING
        if after in (RunState.HALTED, RunState.KILLED):
            after = RunState.PAUSED
        self._recorder.change(after, "resumed" if resumed else "start")
        await self._push_whole_rows()
        await self._dispatcher.dispatch()

    async def _check_clock(self) -> None:
        skew = await self._venue.skew()
        if abs(skew) > self._settings.max_skew_seconds:
            raise RefusedError(
                f"this machine's clock is {skew:+.1f} s off the venue's",
                rule=f"they differ by at most {self._settings.max_skew_seconds:g} s.",
                fix="Set the clock (NTP), and start again.",
            )

    async def _check_rights(self) -> None:
        rights = await self._venue.key_rights()
        if rights.moves_money:
            raise RefusedError(
                "the API key may withdraw or transfer money",
                rule="the runner takes keys that may read and trade, and nothing else.",
                fix="Make a key without these rights at the exchange, and delete this one.",
            )
        if rights.trades is False:
            raise RefusedError(
                "the API key may not trade", fix="Give it the right to trade this market."
            )

    async def _reconcile(self) -> None:
        """Find out what became of orders of an earlier process, settle, and compare."""
        self._settlement = Settlement(self._session, self._venue, self._session.cursors[BEGIN])
        await self._settle(everything=True)
        await self._dispatcher.resolve()
        await self._settle(everything=True)
        await self._compare()

    async def _warm(self, trader: Trader) -> None:
        """Fill the windows of an engine with closed bars from before its first row."""
        rows = self._warmup[trader.place]
        if trader.place in self._session.warmed or rows == 0:
            return
        end = trader.last or self._venue.now() // trader.interval * trader.interval
        begin = end - rows * trader.interval
        values = np.full((rows, len(trader.columns), len(trader.symbols)), np.nan)
        for j, symbol in enumerate(trader.symbols):
            candles = await self._venue.candles(symbol, trader.interval, begin, rows)
            for candle in candles:
                i = (candle.time - begin) // trader.interval - 1
                if 0 <= i < rows:
                    values[i, :, j] = cells_of(candle, trader.columns)
        known = int(np.count_nonzero(~np.isnan(values).all(axis=(1, 2))))
        if known < rows:
            raise RefusedError(
                f"{', '.join(trader.symbols)}: the venue has {known} of {rows} bars of history",
                rule="a strategy starts with the history that its certificate asks for.",
                fix="Start later, or on a venue with more history.",
            )
        times = begin + trader.interval * np.arange(1, rows + 1, dtype="<i8")
        self._recorder.note(
            History(engine=trader.place, times=times.tobytes(), values=array_bytes(values))
        )

    def _make_feeds(self) -> None:
        grace = int(self._settings.grace_seconds * _NS)
        self._feeds = [
            Feed(t.symbols, t.columns, t.interval, t.last, grace) for t in self._session.traders
        ]

    async def _catch_up(self) -> None:
        """Push the rows that were missed; their orders are too late and end unsent."""
        for trader, feed in zip(self._session.traders, self._feeds, strict=True):
            for symbol in trader.symbols:
                for candle in await self._venue.candles(symbol, trader.interval, trader.last, 1000):
                    feed.add(candle)
            while (due := feed.next_time()) and not self._is_current(due):
                await self._push(trader, feed, due)

    # ---- the loop

    async def _loop(self) -> None:
        while not self._stopping:
            self._check()
            if self._stopping:
                break
            signal = await self._venue.signal()
            if signal.stir is Stir.END:
                break
            await self._take(signal)
            await self._venue.idle()
        self._recorder.change(RunState.STOPPED, "stopped" if self._stopping else ENDED)

    def stop(self) -> None:
        """Stop after what is being done; orders and positions stay at the venue."""
        self._stopping = True

    async def _take(self, signal: Signal) -> None:
        if signal.stir is Stir.DOWN:
            self._degrade("a stream is closed")
        elif signal.stir is Stir.UP and self._session.state is RunState.DEGRADED:
            await self._settle(everything=True)
            self._recorder.change(RunState.RUNNING, "the streams are open again")
        elif signal.stir is Stir.ORDERS:
            await self._settle(everything=False)
        if signal.candle is not None:
            self._add(signal.candle)
        await self._push_whole_rows()
        if self._full_is_due():
            await self._settle(everything=True)
            await self._compare()
        await self._dispatcher.dispatch()
        self._end_flattening()

    def _add(self, candle: Candle) -> None:
        for feed in self._feeds:
            changed = feed.add(candle)
            if changed is not None:
                self._recorder.note(
                    Reconcile(
                        subject=f"candle of {candle.symbol} at {candle.time}",
                        expected=str(changed[2:]),
                        found=str(candle[2:]),
                        action="none: it was pushed as it came first",
                    )
                )

    async def _push_whole_rows(self) -> None:
        """Push every row that is whole, or whose grace is over."""
        for trader, feed in zip(self._session.traders, self._feeds, strict=True):
            while due := feed.next_time():
                if not feed.is_whole(due):
                    if not feed.is_over(due, self._venue.now()):
                        break
                    await self._fetch_missing(trader, feed, due)
                await self._push(trader, feed, due)

    async def _fetch_missing(self, trader: Trader, feed: Feed, due: int) -> None:
        with contextlib.suppress(VenueError):
            for symbol in feed.missing(due):
                for candle in await self._venue.candles(
                    symbol, trader.interval, due - trader.interval, 1
                ):
                    feed.add(candle)
        if missing := feed.missing(due):
            self._tell(f"no candle of {', '.join(missing)} at {due}: not traded")

    async def _push(self, trader: Trader, feed: Feed, due: int) -> None:
        """Settle, push one row, commit it with its intents, and send them."""
        await self._settle(everything=False)
        if not self._is_current(due):
            self._degrade("rows come late")
        values = feed.row(due)
        await self._add_funding(trader, values, due)
        self._recorder.push(trader, due, values)
        self._withhold(trader)
        self._pushed += 1
        if self._pushed >= self._settings.snapshot_rows:
            self._pushed = 0
            for each in self._session.traders:
                self._recorder.snapshot(each)
        await self._dispatcher.dispatch()
        if self._session.state is RunState.DEGRADED and self._is_current(due):
            self._recorder.change(RunState.RUNNING, "rows are current again")

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
        if self._session.run is None or not self._session.run.sends:
            return
        orders = trader.withheld(self._session.orders, self._session.rights)
        if orders:
            self._recorder.book([self._unsent(trader, one) for one in orders])

    def _unsent(self, trader: Trader, one: Wanted) -> Report:
        now = self._venue.now()
        return report_of(
            trader, ReportKind.CANCELLED, now, order=one.order, asset=one.asset, last=True
        )

    # ---- settling and comparing

    async def _settle_some(self) -> None:
        await self._settle(everything=False)

    async def _settle(self, *, everything: bool) -> None:
        """Book what has happened at the venue; one that does not answer degrades the run."""
        if self._settlement is None:
            return
        try:
            reports = await self._settlement.collect(self._venue.now(), everything=everything)
        except VenueError as error:
            if self._session.state in STARTING:
                raise
            self._degrade(error.what)
            return
        if reports:
            self._recorder.book(reports)

    def _full_is_due(self) -> bool:
        waited = time.monotonic() - self._full_at
        return self._settlement is not None and waited > self._settings.settle_seconds

    async def _compare(self) -> None:
        """Compare open orders, positions and cash with the venue; settle once more, then halt."""
        try:
            found = await differences(self._session, self._venue, self._settings)
            if found:
                await self._settle(everything=True)
                found = await differences(self._session, self._venue, self._settings)
        except VenueError as error:
            if self._session.state in STARTING:
                raise
            self._degrade(error.what)
            return
        self._full_at = time.monotonic()
        if found:
            self._recorder.note(*found)
            raise HaltError(
                "; ".join(f"{x.subject}: {x.expected} expected, {x.found} found" for x in found),
                rule="the venue has what the books have.",
                fix="; ".join(dict.fromkeys(x.action.removeprefix("halt: ") for x in found)) + ".",
            )

    # ---- states

    def _degrade(self, reason: str) -> None:
        if self._session.state is RunState.RUNNING:
            self._recorder.change(RunState.DEGRADED, reason)
            self._tell(f"DEGRADED: {reason}")

    def _is_current(self, due: int) -> bool:
        return self._venue.now() <= due + int(self._settings.current_seconds * _NS)

    def _note_sent(self, client_id: str, method: str, path: str, body: str) -> None:
        self._recorder.note(Sent(client_id=client_id, method=method, path=path, body=body))

    def _check(self) -> None:
        """Take the commands of operators; called before every request that sends something."""
        for path, command in self._folder.commands():
            self._recorder.note(command, durable=True)
            path.unlink()
            self._obey(command.name)
        if self._folder.is_killed:
            self._recorder.change(RunState.KILLED, "the file KILL is there")
            raise _End

    def _obey(self, name: str) -> None:
        state = self._session.state
        if name == "pause" and state in (RunState.RUNNING, RunState.DEGRADED):
            self._recorder.change(RunState.PAUSED, "command")
        elif name == "resume" and state in (RunState.PAUSED, RunState.FLATTENING):
            self._command_engines(0)
            self._recorder.change(RunState.RUNNING, "command")
        elif name == "stop":
            self._stopping = True
        elif name == "flatten" and RIGHTS[state].reduce:
            self._command_engines(int(Reason.COMMANDED))
            self._recorder.change(RunState.FLATTENING, "command")

    def _command_engines(self, code: int) -> None:
        now = self._venue.now()
        self._recorder.book(
            [report_of(t, ReportKind.COMMAND, now, code=code) for t in self._session.traders]
        )

    def _end_flattening(self) -> None:
        flat = all(
            abs(trader.qty[j]) < trader.half_lot(j)
            for trader in self._session.traders
            for j in range(len(trader.symbols))
        )
        if (
            self._session.state is RunState.FLATTENING
            and flat
            and not self._session.orders.living()
        ):
            self._tell("flat")
            self._stopping = True

    async def _halt(self, error: AlphalabError) -> None:
        """Journal that the run has halted, and cancel the orders that would open or add."""
        if self._session.state in (RunState.HALTED, RunState.KILLED, RunState.STOPPED):
            return
        self._recorder.change(RunState.HALTED, error.what)
        with contextlib.suppress(AlphalabError, _End):
            await self._dispatcher.cancel()
