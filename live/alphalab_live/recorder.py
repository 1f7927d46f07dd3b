"""`Recorder`: events go to the journal first, and to the session after.

One call is one transaction. What may be sent follows from it in the same transaction, on disk
before the call returns; so no crash can separate a decision from its intents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alphalab.core.event_codec import Event
from alphalab.core.events import Intent, Report, State
from alphalab.core.journal import Journal
from alphalab.types import FloatArray
from alphalab_live.session import Session
from alphalab_live.states import RunState, check_step
from alphalab_live.trader import Trader


class Recorder:
    """The one way through which a runner changes its session.

    Parameters
    ----------
    journal : Journal
    session : Session
    clock : callable
        The time of events, ns UTC.
    """

    def __init__(self, journal: Journal, session: Session, clock: Callable[[], int]) -> None:
        self.session = session
        self.now = clock
        self._journal = journal

    def note(self, *events: Event, durable: bool = False) -> None:
        """Write events that lead to no intents."""
        self._write(events, durable=durable)
        for event in events:
            self.session.apply(event)

    def push(self, trader: Trader, time: int, values: FloatArray) -> None:
        """Push a row, and write it with what has to be sent."""
        row = self.session.push(trader.place, time, values)
        self._write_with_intents([row])

    def book(self, reports: Sequence[Report], *before: Event) -> None:
        """Book reports, and write them with what has to be sent; `before` is written first."""
        for event in before:
            self.session.apply(event)
        if reports:
            self.session.book(reports)
        self._write_with_intents([*before, *reports])

    def change(self, after: RunState, reason: str) -> None:
        """Go to another state, and write that with what has to be sent in it."""
        before = self.session.state
        if after is before:
            return
        check_step(before, after)
        state = State(before=before, after=after, reason=reason)
        self.session.apply(state)
        self._write_with_intents([state])

    def snapshot(self, trader: Trader) -> None:
        """Keep the state of an engine, so that a restart need not push its rows again."""
        self._journal.write_snapshot(trader.engine.id, trader.engine.snapshot())

    def _write_with_intents(self, events: Sequence[Event]) -> None:
        intents: list[Intent] = self.session.intents()
        self._write([*events, *intents], durable=bool(intents))
        for intent in intents:
            self.session.apply(intent)

    def _write(self, events: Sequence[Event], *, durable: bool) -> None:
        now = self.now()
        self._journal.write([(now, event) for event in events], durable=durable)
