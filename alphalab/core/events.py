"""The events of a live run."""

from __future__ import annotations

import enum
from typing import TypeAlias

from alphalab.core.event_codec import Codec, Event, tag


class Kind(enum.IntEnum):
    """Kinds of a live run. Numbers are written to files and never change."""

    RUN = 1
    ROW = 2
    OBSERVATION = 3
    INTENT = 4
    SENT = 5
    ANSWER = 6
    REPORT = 7
    STATE = 8
    COMMAND = 9
    REFUSAL = 10
    RECONCILE = 11


Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Run(Event, frozen=True, tag=tag(Kind.RUN)):
    """A runner started, or started again.

    Attributes
    ----------
    run : str
        Id of the run, part of every client order id.
    artifacts, engines : tuple of str
        SHA-256 of each manifest, and the id of the engine made from it, in the same order.
    venue, account : str
    symbols, columns : tuple of str
        What the values of a `Row` are: one row of them per column.
    versions : tuple of (name, version)
    """

    run: str
    artifacts: tuple[str, ...]
    engines: tuple[str, ...]
    venue: str
    account: str
    symbols: tuple[str, ...]
    columns: tuple[str, ...]
    versions: Pairs


class Row(Event, frozen=True, tag=tag(Kind.ROW)):
    """A row of bars that was pushed into an engine, and the hash of what was decided on it.

    Attributes
    ----------
    engine : int
        Place in `Run.engines`.
    time : int
        Close of the bar, int64 ns UTC.
    values : bytes
        `array_bytes` of shape (columns, symbols). NaN: not traded.
    decision : bytes
        SHA-256 of the block that the push returned.
    """

    engine: int
    time: int
    values: bytes
    decision: bytes


class Observation(Event, frozen=True, tag=tag(Kind.OBSERVATION)):
    """Values of a slow or non-deterministic source, with the time they became known (ns UTC)."""

    name: str
    known: int
    values: bytes


class Intent(Event, frozen=True, tag=tag(Kind.INTENT)):
    """A decision to send, replace or cancel an order, written before anything is sent.

    Attributes
    ----------
    client_id : str
    engine, order, revision : int
        Place of the engine, its number of the order, and how often it was replaced.
    action : str
        ``submit``, ``cancel`` or ``replace``.
    order_type : str
        ``market``, ``limit``, ``stop``, ``stop_limit``, ``take_profit`` or ``trailing``.
    symbol : str
    qty : float
        Units, negative for a sale.
    price, stop : float
        NaN: the order has none.
    """

    client_id: str
    engine: int
    order: int
    revision: int
    action: str
    order_type: str
    symbol: str
    qty: float
    price: float
    stop: float


class Sent(Event, frozen=True, tag=tag(Kind.SENT)):
    """A request that left for the venue, without its signature and keys."""

    client_id: str
    method: str
    path: str
    body: str


class Answer(Event, frozen=True, tag=tag(Kind.ANSWER)):
    """What the venue answered, byte for byte; `outcome` is acked, refused or unknown."""

    client_id: str
    outcome: str
    status: int
    body: bytes


class Report(Event, frozen=True, tag=tag(Kind.REPORT)):
    """One record of the venue's reports, as it is booked.

    Attributes
    ----------
    engine, report, order, asset : int
        Place of the engine, kind of the report, the engine's number of the order, column.
    venue_time : int
        ns UTC, by the venue's clock.
    qty, filled, price, fee, amount, rate : float
        Units of this fill and of all fills of the order, price, fee, cash posted, and value of the
        fee's currency in the quote currency. NaN: it has none.
    code : int
        Why an order was refused, cancelled or expired.
    last : bool
        Whether the order is final with this report.
    trade_id : str
        The venue's id of the trade; empty: it is no trade.
    """

    engine: int
    report: int
    order: int
    asset: int
    venue_time: int
    qty: float
    filled: float
    price: float
    fee: float
    amount: float
    rate: float
    code: int
    last: bool
    trade_id: str


class State(Event, frozen=True, tag=tag(Kind.STATE)):
    """The runner went from one state to another."""

    before: str
    after: str
    reason: str


class Command(Event, frozen=True, tag=tag(Kind.COMMAND)):
    """What an operator asked for; effective before the next order. An empty signature: none."""

    name: str
    arguments: Pairs
    who: str
    signature: bytes


class Refusal(Event, frozen=True, tag=tag(Kind.REFUSAL)):
    """An order that risk did not let through: wanted and allowed weight, and the code why."""

    engine: int
    asset: int
    code: int
    wanted: float
    allowed: float


class Reconcile(Event, frozen=True, tag=tag(Kind.RECONCILE)):
    """One difference between the books and the venue, and what was done about it."""

    subject: str
    expected: str
    found: str
    action: str


#: The events of a live run.
RUN_EVENTS = Codec(
    "run",
    *(Run, Row, Observation, Intent, Sent, Answer, Report, State, Command, Refusal, Reconcile),
)
