"""The runner's own orders: what was decided, what was sent, what the venue has said. A fold.

::

    INTENT -> SENDING -> ACKED -> CANCELLING -> FINAL
                 |         ^
                 +-> UNKNOWN   the outcome of the request is unknown: the runner queries the order
                 +-> FINAL     refused, or never sent

An order is FINAL only with a report that it has ended, and so only once its trades are booked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alphalab.codes import ReportKind
from alphalab.core.events import Answer, Intent, Report, Sent
from alphalab.errors import StateError
from alphalab_live.outcomes import Outcome, Request

PREFIX = "al"
#: The longest client id that venues take.
MOST_LETTERS = 36


class OrderState(StrEnum):
    """The state of one of the runner's orders."""

    INTENT = "INTENT"
    SENDING = "SENDING"
    ACKED = "ACKED"
    UNKNOWN = "UNKNOWN"
    CANCELLING = "CANCELLING"
    FINAL = "FINAL"


@dataclass
class LiveOrder:
    """One order of the runner.

    Attributes
    ----------
    terms : Intent
        As it was decided.
    state : OrderState
    venue_id : str
        Empty until the venue has accepted it.
    filled : float
        Units of it that are booked, at least 0.
    unwanted : bool
        It is to be cancelled.
    asked : bool
        A cancel has left for the venue.
    """

    terms: Intent
    state: OrderState = OrderState.INTENT
    venue_id: str = ""
    filled: float = 0.0
    unwanted: bool = False
    asked: bool = False

    @property
    def lives(self) -> bool:
        """True until it is FINAL."""
        return self.state is not OrderState.FINAL

    @property
    def may_be_there(self) -> bool:
        """True if the venue has it, or may have it."""
        return self.lives and self.state is not OrderState.INTENT

    @property
    def protects(self) -> bool:
        """True for an exit: an order that waits at the venue to reduce a position."""
        return self.terms.reduce_only and self.terms.order_type != "market"

    @property
    def left(self) -> float:
        """Units still to fill, at least 0."""
        return max(abs(self.terms.qty) - self.filled, 0.0)


def client_id(run: str, engine: int, order: int, revision: int) -> str:
    """Return the id by which the venue knows an order.

    Examples
    --------
    >>> client_id("k3x9", 0, 12, 0), client_id("k3x9", 1, 12, 2)
    ('al-k3x9-0-12', 'al-k3x9-1-12-2')
    """
    name = f"{PREFIX}-{run}-{engine}-{order}" + (f"-{revision}" if revision else "")
    if len(name) > MOST_LETTERS:
        raise StateError(f"client id {name!r}", rule=f"it has at most {MOST_LETTERS} letters.")
    return name


class OrderBook:
    """All orders of a run, by client id."""

    def __init__(self) -> None:
        self._orders: dict[str, LiveOrder] = {}
        self._current: dict[tuple[int, int], LiveOrder] = {}  # newest revision
        self._living: dict[str, LiveOrder] = {}

    def __getitem__(self, name: str) -> LiveOrder:
        return self._orders[name]

    def __contains__(self, name: str) -> bool:
        return name in self._orders

    def living(self, engine: int | None = None) -> list[LiveOrder]:
        """Return the orders that are not FINAL, oldest first."""
        orders = self._living.values()
        return [x for x in orders if engine is None or x.terms.engine == engine]

    def current(self, engine: int, order: int) -> LiveOrder | None:
        """Return the newest revision of an engine's order; None: it has none."""
        return self._current.get((engine, order))

    def of_venue_id(self, venue_id: str) -> LiveOrder | None:
        """Return the living order with the venue's id."""
        return next((x for x in self._living.values() if x.venue_id == venue_id), None)

    def apply(self, event: Intent | Sent | Answer | Report) -> None:
        """Take in one event of the journal.

        Raises
        ------
        StateError
            An event about an order that has no intent.
        """
        match event:
            case Intent():
                self._intend(event)
            case Sent():
                order = self._known(event.client_id)
                if order.state in (OrderState.INTENT, OrderState.UNKNOWN):
                    order.state = OrderState.SENDING
                elif order.unwanted:
                    order.asked, order.state = True, OrderState.CANCELLING
            case Answer():
                self._answered(self._known(event.client_id), event)
            case Report():
                self._reported(event)

    def _known(self, name: str) -> LiveOrder:
        if name not in self._orders:
            raise StateError(f"order {name} has no intent", rule="an intent comes first.")
        return self._orders[name]

    def _intend(self, event: Intent) -> None:
        if event.action == "cancel":
            order = self._known(event.client_id)
            order.unwanted = True
            if order.state is OrderState.INTENT:
                self._end(order)
            return
        old = self.current(event.engine, event.order)
        if event.action == "replace" and old is not None and old.lives:
            old.unwanted = True
            if old.state is OrderState.INTENT:
                self._end(old)
        order = LiveOrder(event)
        self._orders[event.client_id] = self._living[event.client_id] = order
        self._current[event.engine, event.order] = order

    def _answered(self, order: LiveOrder, event: Answer) -> None:
        if not order.lives or event.request == Request.CANCEL:
            return  # a query tells whether the order has ended, and its fills
        if event.outcome == Outcome.ACKED:
            order.state = OrderState.CANCELLING if order.asked else OrderState.ACKED
        elif event.request == Request.QUERY:
            if event.outcome == Outcome.ABSENT:
                order.state = OrderState.INTENT  # the venue does not have it: it may be sent
        else:
            nowhere = event.outcome in (Outcome.THROTTLED, Outcome.REFUSED)
            order.state = OrderState.INTENT if nowhere else OrderState.UNKNOWN

    def _reported(self, event: Report) -> None:
        if not event.client_id:
            return
        order = self._known(event.client_id)
        if event.kind == ReportKind.ACCEPTED:
            order.venue_id = event.venue_id
        elif event.kind == ReportKind.EXECUTED:
            order.filled += event.filled
        if event.final:
            self._end(order)

    def _end(self, order: LiveOrder) -> None:
        order.state = OrderState.FINAL
        self._living.pop(order.terms.client_id, None)
