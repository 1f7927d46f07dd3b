"""`Session`: the state of a run, a fold over the events of its journal.

The runner and `replay` share it. The runner takes inputs to it, writes the events that it returns,
and only then sends anything; `replay` takes the same inputs from the journal, and compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from alphalab.codes import ReportKind
from alphalab.core.event_codec import Event
from alphalab.core.events import (
    Answer,
    Cursor,
    History,
    Intent,
    Observation,
    Report,
    Row,
    Run,
    Sent,
    State,
)
from alphalab.types import FloatArray
from alphalab_live.observed import Observed, value_of
from alphalab_live.order_book import OrderBook
from alphalab_live.states import NOTHING, RIGHTS, Rights, RunState
from alphalab_live.trader import Trader
from alphalab_live.wanted import intents

#: Cursor of the time at which the first row of a run begins, ns.
BEGIN = "begin"


class Session:
    """The state of a run.

    Parameters
    ----------
    traders : sequence of Trader

    Attributes
    ----------
    run : Run or None
        The last start.
    state : RunState
    reason : str
        Why it is in this state.
    orders : OrderBook
    cursors : dict of str to int
        How far lists of the venue have been read.
    baseline : dict of str to float
        What the account held before the first row, by name.
    observed : Observed
        What observers have told.
    trades : set of str
        `trade_key` of the trades and fundings that are booked.
    """

    def __init__(self, traders: Sequence[Trader]) -> None:
        self.traders = tuple(traders)
        self.run: Run | None = None
        self.state, self.reason = RunState.LOADING, ""
        self.orders = OrderBook()
        self.cursors: dict[str, int] = {}
        self.trades: set[str] = set()
        self.baseline: dict[str, float] = {}
        self.observed = Observed()
        self.warmed: set[int] = set()

    @property
    def sends(self) -> bool:
        """False before the start, and in a shadow run, which has no orders at the venue."""
        return self.run is not None and self.run.sends

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of all engines; each belongs to one."""
        return tuple(symbol for trader in self.traders for symbol in trader.symbols)

    @property
    def ages(self) -> dict[str, int]:
        """How long a value of each observed column holds after it became known, ns."""
        return {} if self.run is None else dict(self.run.observes)

    def observations(self, trader: Trader, time: int) -> Iterator[tuple[int, FloatArray]]:
        """Yield place and values of the observed columns of a row, (symbols,)."""
        for name, age in self.ages.items():
            if name in trader.columns:
                yield (
                    trader.columns.index(name),
                    np.array([self.observed.value(name, x, time, age) for x in trader.symbols]),
                )

    @property
    def rights(self) -> Rights:
        """What may be sent now; nothing in a shadow run."""
        return RIGHTS[self.state] if self.sends else NOTHING

    def intents(self) -> list[Intent]:
        """Return what has to be sent now, over all engines."""
        name = "" if self.run is None else self.run.run
        return [
            intent
            for trader in self.traders
            for intent in intents(trader, self.orders, name, self.rights)
        ]

    def push(self, place: int, time: int, values: FloatArray) -> Row:
        """Push one row, (columns, symbols), and return its event."""
        (row,) = self.traders[place].push(np.array([time]), values[None])
        return row

    def book(
        self, reports: Sequence[Report], *, into_engines: Sequence[Report] | None = None
    ) -> None:
        """Book reports, in their order; the engines may know some of them from a snapshot."""
        new = reports if into_engines is None else into_engines
        for trader in self.traders:
            trader.book([x for x in new if x.engine == trader.place])
        for report in reports:
            self.orders.apply(report)
            self._remember(report)

    def _remember(self, report: Report) -> None:
        """Note that a trade or a funding is booked, so that it is never booked again."""
        if report.kind not in (ReportKind.POSTED, ReportKind.EXECUTED):
            return
        symbol = self.traders[report.engine].symbols[report.asset]
        if report.kind == ReportKind.POSTED:
            name, read = income_name(symbol), report.venue_time
        else:
            name = trades_name(symbol)
            read = int(report.venue_id) if report.venue_id.isdigit() else 0
        self.trades.add(trade_key(name, report.venue_id))
        self.cursors[name] = max(self.cursors.get(name, 0), read)

    def apply(self, event: Event) -> None:
        """Take in an event that is no row and no report."""
        match event:
            case Run():
                self.run = event
            case History():
                if event.engine not in self.warmed:  # else a snapshot holds the windows
                    self.traders[event.engine].warm(event)
                    self.warmed.add(event.engine)
            case State():
                self.state, self.reason = RunState(event.after), event.reason
            case Cursor():
                self.cursors[event.name] = event.value
                if event.name == BEGIN:
                    for trader in self.traders:
                        trader.begin(event.value)
            case Observation():
                if event.name in self.ages:
                    self.observed.add(event)
                else:
                    self.baseline[event.name] = value_of(event)
            case Intent() | Sent() | Answer():
                self.orders.apply(event)
            case _:
                pass  # commands, refusals and reconciliations change no state themselves


def trades_name(symbol: str) -> str:
    """Return the name of the venue's list of a symbol's trades."""
    return f"trades {symbol}"


def income_name(symbol: str) -> str:
    """Return the name of the venue's list of a symbol's fundings."""
    return f"income {symbol}"


def trade_key(name: str, venue_id: str) -> str:
    """Return the key of an entry of a list of the venue in `Session.trades`."""
    return f"{name} {venue_id}"
