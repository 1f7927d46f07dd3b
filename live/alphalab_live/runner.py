"""`Runner`: rows come in, decisions go out, and everything is in the journal before it counts.

One task does everything, one thing after the other::

    a candle closes  ->  settle  ->  push the row  ->  commit it with its intents  ->  send them
    an order stirs   ->  settle  ->  commit reports with what follows from them    ->  send it
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from alphalab.codes import Reason, ReportKind
from alphalab.core.events import Command, Cursor, Observation, Reconcile, Report, Run, Sent
from alphalab.core.journal import Journal
from alphalab.core.rows import HOUR_NS
from alphalab.errors import AlphalabError, HaltError, JournalError, VenueError
from alphalab.types import FloatArray
from alphalab_live.arrival import check_clock, check_key, history_of
from alphalab_live.bookkeeper import Bookkeeper
from alphalab_live.dispatch import Dispatcher
from alphalab_live.feed import Feed
from alphalab_live.reconcile import baseline
from alphalab_live.recorder import Recorder
from alphalab_live.run_folder import RunFolder
from alphalab_live.session import BEGIN, Session
from alphalab_live.settings import LiveSettings
from alphalab_live.settle import report_of
from alphalab_live.states import LATCHED, RIGHTS, STARTING, RunState
from alphalab_live.trader import Trader, Wanted
from alphalab_live.venue import Candle, Signal, Stir, Venue

_NS = 1e9


class _End(Exception):
    """The run ends here: stopped or killed by a command."""


class Start(NamedTuple):
    """One start of a run.

    Attributes
    ----------
    run : Run
        For the journal.
    warmup : sequence of int
        Rows of history that each artifact needs.
    commands : sequence of Command
        Commands that let the run start.
    resumed : bool
        True: an operator has let a halted run go on.
    ignore_holdings : bool
        On the first start: units that the account holds already are not the run's.
    real : bool
        True: the API key is checked.
    """

    run: Run
    warmup: Sequence[int]
    commands: Sequence[Command] = ()
    resumed: bool = False
    ignore_holdings: bool = False
    real: bool = False


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
    tell : callable
        Called with lines for the operator.

    Attributes
    ----------
    ended : bool
        True once the market of a recording has no more rows.
    """

    def __init__(
        self,
        folder: RunFolder,
        journal: Journal,
        session: Session,
        venue: Venue,
        settings: LiveSettings,
        *,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._folder, self._session, self._venue = folder, session, venue
        self._settings, self._tell = settings, tell
        self._recorder = Recorder(journal, session, venue.now)
        self._dispatcher = Dispatcher(self._recorder, venue, settings, self._settle, self._check)
        self._books: Bookkeeper | None = None  # of a shadow run: none
        self._feeds: list[Feed] = []
        self._pushed = Counter[int]()  # rows of each engine
        self._streams = True  # they are open
        self._stopping = False
        self.ended = False

    async def run(self, start: Start) -> RunState:
        """Trade until the run is stopped, killed or halted, and return that state.

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
        try:
            await self._start(start)
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

    async def _start(self, start: Start) -> None:
        before, first = self._session.state, BEGIN not in self._session.cursors
        self._venue.listen(self._note_sent)
        self._recorder.note(start.run, *start.commands, durable=True)
        for state in (RunState.LOADING, RunState.COMPILING, RunState.RECOVERING):
            self._recorder.change(state, "start")
        self._recorder.change(RunState.RECONCILING, "start")
        await self._venue.open()
        await check_clock(self._venue, self._settings.max_skew_seconds)
        if start.real:
            await check_key(self._venue)
        if first:
            await self._begin(start)
        if start.run.sends:
            await self._reconcile()
        self._recorder.change(RunState.WARMING, "start")
        for trader, rows in zip(self._session.traders, start.warmup, strict=True):
            if trader.place not in self._session.warmed and rows:
                self._recorder.note(await history_of(trader, self._venue, rows))
        self._make_feeds()
        if not first:
            await self._catch_up()
        if start.resumed:
            self._command_engines(0)
        goes_on = before not in LATCHED or start.resumed
        self._recorder.change(RunState.RUNNING if goes_on else before, "start")
        await self._push_whole_rows()
        await self._dispatcher.dispatch()

    async def _begin(self, start: Start) -> None:
        """Note when the run begins, and what the account holds then."""
        held: list[Observation | Cursor] = []
        if start.run.sends:
            held = await baseline(self._session, self._venue, ignore=start.ignore_holdings)
        self._recorder.note(Cursor(name=BEGIN, value=self._venue.now()), *held)

    async def _reconcile(self) -> None:
        """Find out what became of orders of an earlier process, settle, and compare."""
        started = self._session.cursors[BEGIN]
        self._books = Bookkeeper(
            self._recorder, self._venue, self._settings, started, self._degrade
        )
        await self._books.settle(everything=True)
        await self._dispatcher.resolve()
        await self._books.settle(everything=True)
        await self._books.compare()

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
        self.ended = not self._stopping
        reason = "the market has ended" if self.ended else "stopped"
        self._recorder.change(RunState.STOPPED, reason)

    def stop(self) -> None:
        """Stop after what is being done; orders and positions stay at the venue."""
        self._stopping = True

    async def _take(self, signal: Signal) -> None:
        if signal.stir is Stir.DOWN:
            self._streams = False
            self._degrade("a stream is closed")
        elif signal.stir is Stir.UP:
            self._streams = True
        elif signal.stir is Stir.ORDERS:
            await self._settle()
        if signal.candle is not None:
            self._add(signal.candle)
        await self._push_whole_rows()
        if self._books is not None:
            await self._books.compare_if_due()
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
        await self._settle()
        is_current = self._is_current(due)
        if not is_current:
            self._degrade("rows come late")
        elif self._streams and (self._books is None or self._books.answers):
            self._recover()
        values = feed.row(due)
        await self._add_funding(trader, values, due)
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

    async def _settle(self) -> None:
        if self._books is not None:
            await self._books.settle()

    # ---- states

    def _degrade(self, reason: str) -> None:
        if self._session.state is RunState.RUNNING:
            self._recorder.change(RunState.DEGRADED, reason)
            self._tell(f"DEGRADED: {reason}")

    def _recover(self) -> None:
        if self._session.state is RunState.DEGRADED:
            self._recorder.change(RunState.RUNNING, "rows are current, and the venue answers")

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
        """Flatten and lock the accounts of the engines, or undo that (0)."""
        if self._books is None:
            return
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
        done = flat and not self._session.orders.living()
        if done and self._session.state is RunState.FLATTENING:
            self._tell("flat")
            self._stopping = True

    async def _halt(self, error: AlphalabError) -> None:
        """Journal that the run has halted, and cancel the orders that would open or add."""
        if self._session.state in (RunState.HALTED, RunState.KILLED, RunState.STOPPED):
            return
        self._recorder.change(RunState.HALTED, error.what)
        with contextlib.suppress(AlphalabError, _End):
            await self._dispatcher.cancel()
