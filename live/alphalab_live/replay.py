"""Replay a journal: the one fold behind recovery and `verify`.

Rows and reports are pushed again into fresh engines. Every row must give the recorded decision, and
after every batch of inputs the recorded intents must be the ones that follow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from alphalab.core.event_codec import Event
from alphalab.core.events import Intent, Report, Row
from alphalab.core.journal_reader import Entry, JournalReader
from alphalab.core.journal_table import event_text
from alphalab.errors import AlphalabError
from alphalab.types import FloatArray, IntArray
from alphalab_live.session import Session
from alphalab_live.trader import Trader, ledger_of

_BLOCK = 4096  # rows pushed at a time


class Divergence(NamedTuple):
    """The first event that does not follow from those before it, as recorded and as computed."""

    seq: int
    what: str
    recorded: str
    computed: str

    def __str__(self) -> str:
        return "\n".join(
            (
                f"row {self.seq}: {self.what}",
                f"  recorded: {self.recorded}",
                f"  computed: {self.computed}",
            )
        )


class Replayed(NamedTuple):
    """A replay.

    Attributes
    ----------
    session : Session
        The state after the last event that was replayed.
    n_rows, n_events : int
    inputs, decisions : str
        SHA-256 over all inputs, and over all decisions and intents, hexadecimal.
    divergence : Divergence or None
    """

    session: Session
    n_rows: int
    n_events: int
    inputs: str
    decisions: str
    divergence: Divergence | None


class _Diverged(Exception):
    """The replay has found a divergence."""

    def __init__(self, found: Divergence) -> None:
        super().__init__(found.what)
        self.found = found


class _Replay:
    """The state of a replay: a session, and inputs that are not pushed yet."""

    def __init__(self, session: Session, starts: dict[int, int]) -> None:
        self.session = session
        self.starts = starts  # row of the journal that each engine's snapshot follows
        self.rows: list[tuple[int, Row]] = []
        self.reports: list[tuple[int, Report]] = []
        self.due: list[Intent] | None = None  # that have to follow; None: not computed
        self.stirred = False  # something other than a row came since the last row
        self.n_rows = 0
        self.inputs, self.decisions = hashlib.sha256(), hashlib.sha256()

    def take(self, entry: Entry, event: Event) -> None:
        """Take in the next event of the journal."""
        if isinstance(event, Row):
            self._before_row(entry.seq, event)
            self.rows.append((entry.seq, event))
            self.n_rows += 1
            return
        self.stirred = True
        if isinstance(event, Report):
            self.push_rows()
            self.inputs.update(entry.payload)
            self.reports.append((entry.seq, event))
            return
        self.flush()
        if isinstance(event, Intent):
            self._compare_intent(entry.seq, event)
            self.decisions.update(entry.payload)
        else:
            self._no_intent_is_missing(entry.seq, self.due)
            self.due = None
            self.inputs.update(entry.payload)
        self.session.apply(event)

    def _before_row(self, seq: int, row: Row) -> None:
        """Push what came before, unless the row only makes the block of rows longer."""
        same = not self.rows or self.rows[0][1].engine == row.engine
        if self.stirred:
            self.flush()
            due = self._intents(seq) if self.due is None else self.due
            self._no_intent_is_missing(seq, due)
            self.due, self.stirred = None, False
        elif not same or len(self.rows) >= _BLOCK:
            self.push_rows()

    def flush(self) -> None:
        """Push everything that waits."""
        self.push_rows()
        if self.reports:
            waiting = [(s, r) for s, r in self.reports if s > self.starts.get(r.engine, 0)]
            self._run(waiting[0][0] if waiting else 0, lambda: self._book(waiting))

    def _book(self, waiting: Sequence[tuple[int, Report]]) -> None:
        known = [report for _, report in self.reports]
        self.reports = []
        self.session.book(known, into_engines=[report for _, report in waiting])

    def push_rows(self) -> None:
        rows, self.rows = self.rows, []
        if not rows:
            return
        trader = self.session.traders[rows[0][1].engine]
        trader.last = rows[-1][1].time
        new = [(s, r) for s, r in rows if s > self.starts.get(trader.place, 0)]
        for _, row in rows:
            self.inputs.update(row.values)
            self.decisions.update(row.decision)
        if not new:
            return
        shape = (len(new), len(trader.columns), len(trader.symbols))
        values = np.frombuffer(b"".join(row.values for _, row in new), "<f8").reshape(shape)
        times = np.array([row.time for _, row in new])
        self._compare_observations(trader, [seq for seq, _ in new], times, values)
        pushed = self._run(new[0][0], lambda: trader.push(times, values))
        for (seq, row), again in zip(new, pushed, strict=True):
            if row != again:
                raise _Diverged(
                    Divergence(seq, "another decision", _row_text(row), _row_text(again))
                )

    def _compare_observations(
        self, trader: Trader, seqs: Sequence[int], times: IntArray, values: FloatArray
    ) -> None:
        """Compare the observed columns of rows, (R, columns, symbols), with what was told."""
        if not self.session.ages:
            return
        for seq, time, recorded in zip(seqs, times, values, strict=True):
            for place, told in self.session.observations(trader, int(time)):
                if not np.array_equal(recorded[place], told, equal_nan=True):
                    name = f"another observation of {trader.columns[place]}"
                    raise _Diverged(
                        Divergence(seq, name, str(recorded[place].tolist()), str(told.tolist()))
                    )

    def _run(self, seq: int, push: Callable[[], list[Row] | None]) -> list[Row]:
        try:
            return push() or []
        except AlphalabError as error:
            raise _Diverged(
                Divergence(seq, "the engine refuses it", "accepted", error.what)
            ) from None

    def _intents(self, seq: int) -> list[Intent]:
        """Return the intents that follow now, of engines that are no further than an event."""
        return [x for x in self.session.intents() if self.starts.get(x.engine, 0) < seq]

    def _compare_intent(self, seq: int, event: Intent) -> None:
        if seq <= self.starts.get(event.engine, 0):
            return  # its engine is further already
        if self.due is None:
            self.due = self._intents(seq)
        if not self.due:
            raise _Diverged(Divergence(seq, "an intent too many", event_text(event), "no intent"))
        expected = self.due.pop(0)
        if expected != event:
            raise _Diverged(
                Divergence(seq, "another intent", event_text(event), event_text(expected))
            )

    def _no_intent_is_missing(self, seq: int, due: Sequence[Intent] | None) -> None:
        if due:
            raise _Diverged(
                Divergence(seq, "an intent is missing", "no intent", event_text(due[0]))
            )


def replay(
    reader: JournalReader, traders: Sequence[Trader], *, from_snapshots: bool = False
) -> Replayed:
    """Replay the journal of a run into fresh traders.

    Parameters
    ----------
    reader : JournalReader
    traders : sequence of Trader
        Made as for the first row.
    from_snapshots : bool
        Restore the last snapshots and push only what came after: for recovery. False: push all.

    Raises
    ------
    JournalError
        An event that cannot be read.
    """
    starts: dict[int, int] = {}
    if from_snapshots:
        for trader in traders:
            kept = reader.latest_snapshot(trader.engine.id)
            if kept is not None:
                starts[trader.place] = kept[0]
                trader.engine.restore(kept[1])
    session = Session(traders)
    session.warmed = set(starts)
    state = _Replay(session, starts)
    n_events, divergence = 0, None
    try:
        for entry, event in reader.events():
            n_events = entry.seq
            state.take(entry, event)
        state.flush()
    except _Diverged as diverged:
        divergence = diverged.found
    return Replayed(
        session,
        state.n_rows,
        n_events,
        state.inputs.hexdigest(),
        state.decisions.hexdigest(),
        divergence,
    )


def _row_text(row: Row) -> str:
    """Return what followed from a row, on one line."""
    ledger = ledger_of(row)
    qty = np.frombuffer(row.qty, "<f8")
    return (
        f"engine {row.engine}, time {row.time}, equity {float(ledger['equity'])!r}, "
        f"cash {float(ledger['cash'])!r}, units {qty.tolist()}, decision {row.decision.hex()[:16]}"
    )
