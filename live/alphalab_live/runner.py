"""`Runner`: rows come in, decisions go out, and everything is in the journal before it counts.

One task does everything, one thing after the other::

    a candle closes  ->  settle  ->  push the row  ->  commit it with its intents  ->  send them
    an order stirs   ->  settle  ->  commit reports with what follows from them    ->  send it
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from alphalab.core.events import Command, Cursor, Observation, Run, Sent
from alphalab.core.journal import Journal
from alphalab.errors import AlphalabError, HaltError, JournalError
from alphalab_live.arrival import check_clock, check_key, history_of
from alphalab_live.bookkeeper import Bookkeeper
from alphalab_live.control import Control, End, Trouble
from alphalab_live.dispatch import Dispatcher
from alphalab_live.market_checks import check_terms, set_modes
from alphalab_live.pushing import RowPusher
from alphalab_live.reconcile import baseline
from alphalab_live.recorder import Recorder
from alphalab_live.run_folder import RunFolder
from alphalab_live.session import BEGIN, Session
from alphalab_live.settings import LiveSettings
from alphalab_live.states import LATCHED, STARTING, RunState
from alphalab_live.venue import Signal, Stir, Venue


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
        self._session, self._venue, self._settings = session, venue, settings
        recorder = self._recorder = Recorder(journal, session, venue.now)
        control = self._control = Control(folder, recorder, tell)
        books = self._books = Bookkeeper(recorder, venue, settings, control)
        self._dispatcher = Dispatcher(recorder, venue, settings, books, control)
        self._rows = RowPusher(recorder, venue, settings, books, self._dispatcher, control)
        self.ended = False

    def stop(self) -> None:
        """Stop after what is being done; orders and positions stay at the venue."""
        self._control.stopping = True

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
        except End:
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
        self._recorder.change(RunState.LOADING, "start")
        self._recorder.change(RunState.RECONCILING, "start")
        await self._venue.open()
        await check_clock(self._venue, self._settings.max_skew_seconds)
        check_terms(self._venue, self._session.traders)
        if start.real:
            await check_key(self._venue, self._control.tell)
        if self._session.sends:
            for changed in await set_modes(
                self._venue, self._session.traders, tell=self._control.tell
            ):
                self._recorder.note(changed)
        if first:
            await self._begin(start)
        if self._session.sends:
            await self._reconcile()
        self._recorder.change(RunState.WARMING, "start")
        for trader, rows in zip(self._session.traders, start.warmup, strict=True):
            if trader.place not in self._session.warmed and rows:
                self._recorder.note(await history_of(trader, self._venue, rows))
        self._rows.begin()
        if not first:
            await self._rows.catch_up()
        if start.resumed:
            self._control.unlock()
        goes_on = before not in LATCHED or start.resumed
        self._recorder.change(RunState.RUNNING if goes_on else before, "start")
        self._control.take_observations()
        await self._rows.push_whole()
        await self._dispatcher.dispatch()

    async def _begin(self, start: Start) -> None:
        """Note when the run begins, and what the account holds then."""
        held: list[Observation | Cursor] = []
        if self._session.sends:
            held = await baseline(self._session, self._venue, ignore=start.ignore_holdings)
        self._recorder.note(Cursor(name=BEGIN, value=self._venue.now()), *held)

    async def _reconcile(self) -> None:
        """Find out what became of orders of an earlier process, settle, and compare."""
        await self._books.settle(everything=True)
        await self._dispatcher.resolve()
        await self._books.settle(everything=True)
        await self._books.compare()

    def _note_sent(self, client_id: str, method: str, path: str, body: str) -> None:
        self._recorder.note(Sent(client_id=client_id, method=method, path=path, body=body))

    # ---- the loop

    async def _loop(self) -> None:
        while not self._control.stopping:
            self._control.check()
            if self._control.stopping:
                break
            signal = await self._venue.signal()
            if signal.stir is Stir.END:
                break
            await self._take(signal)
            await self._venue.idle()
        self.ended = not self._control.stopping
        reason = "the market has ended" if self.ended else "stopped"
        self._recorder.change(RunState.STOPPED, reason)

    async def _take(self, signal: Signal) -> None:
        self._control.take_observations()
        if signal.stir is Stir.DOWN:
            self._control.begins(Trouble.STREAM)
        elif signal.stir is Stir.UP:
            self._control.ends(Trouble.STREAM)
            await self._books.settle(everything=True)  # what was not heard meanwhile
        elif signal.stir is Stir.ORDERS:
            await self._books.settle()
        if signal.candle is not None:
            self._rows.add(signal.candle)
        await self._rows.push_whole()
        await self._books.compare_if_due()
        await self._dispatcher.dispatch()
        self._control.end_flattening()

    async def _halt(self, error: AlphalabError) -> None:
        """Journal that the run has halted, and cancel the orders that would open or add."""
        if self._control.halt(error):
            with contextlib.suppress(AlphalabError, End):
                await self._dispatcher.cancel()
