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
    HISTORY = 12
    CURSOR = 13


Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Run(Event, frozen=True, tag=tag(Kind.RUN)):
    """A runner started, or started again.

    Fields that are tuples have one entry for each engine, in the same order.

    Attributes
    ----------
    run : str
        Id of the run, part of every client order id.
    artifacts, engines : tuple of str
        SHA-256 of the manifest, and the id of the engine made from it.
    capital : tuple of float
        Cash at the start, quote currency.
    intervals : tuple of int
        Length of a bar, ns.
    venue, account : str
    symbols, columns : tuple of tuples of str
        What the values of a `Row` are: one row of them per column.
    sends : bool
        False: a shadow run, which decides and sends nothing.
    versions : tuple of (name, version)
    observes : tuple of (column, age)
        Columns that observers fill, and how long a value holds after it became known, ns.
    """

    run: str
    artifacts: tuple[str, ...]
    engines: tuple[str, ...]
    capital: tuple[float, ...]
    intervals: tuple[int, ...]
    venue: str
    account: str
    symbols: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[str, ...], ...]
    sends: bool
    versions: Pairs
    observes: tuple[tuple[str, int], ...] = ()


class History(Event, frozen=True, tag=tag(Kind.HISTORY)):
    """Rows from before the first row: they fill the windows of an engine, and nothing is traded.

    Attributes
    ----------
    engine : int
        Place in `Run.engines`.
    times : bytes
        Closes of the R bars, int64 ns UTC, little-endian.
    values : bytes
        `array_bytes` of shape (R, columns, symbols).
    """

    engine: int
    times: bytes
    values: bytes


class Row(Event, frozen=True, tag=tag(Kind.ROW)):
    """A row of bars that was pushed into an engine, and what followed from it.

    Attributes
    ----------
    engine : int
        Place in `Run.engines`.
    time : int
        Close of the bar, int64 ns UTC.
    values : bytes
        `array_bytes` of shape (columns, symbols). NaN: not traded.
    ledger : bytes
        The account after the row, one record of `alphalab.types.LEDGER`.
    qty : bytes
        `array_bytes` of the units held after the row, one per symbol.
    decision : bytes
        SHA-256 of everything that the engine recorded since the row before.
    """

    engine: int
    time: int
    values: bytes
    ledger: bytes
    qty: bytes
    decision: bytes


class Observation(Event, frozen=True, tag=tag(Kind.OBSERVATION)):
    """Values of a slow or non-deterministic source, with the time they became known.

    Attributes
    ----------
    name : str
        Of a column, or of something that the runner itself has read.
    known : int
        When the runner had it, ns UTC.
    values : bytes
        `array_bytes` of any shape.
    time : int
        The instant that it is about, ns UTC.
    symbol : str
        Empty: about all symbols.
    """

    name: str
    known: int
    values: bytes
    time: int = 0
    symbol: str = ""


class Cursor(Event, frozen=True, tag=tag(Kind.CURSOR)):
    """How far a list of the venue has been read, such as the trades of a symbol."""

    name: str
    value: int


class Intent(Event, frozen=True, tag=tag(Kind.INTENT)):
    """A decision to send, replace or cancel an order, written before anything is sent.

    Attributes
    ----------
    client_id : str
    engine, order, revision : int
        Place of the engine, its number of the order, and how often it was replaced.
    action : str
        ``submit``, ``cancel`` or ``replace``: a new revision, sent once the old one has ended.
    order_type : str
        ``market``, ``limit``, ``stop``, ``stop_limit``, ``take_profit`` or ``trailing``.
    symbol : str
    qty : float
        Units, negative for a sale.
    price, stop, trail : float
        Limit, trigger, and distance of a trailing stop as a fraction. NaN: the order has none.
    time_in_force : str
        ``GTC``, ``DAY``, ``IOC``, ``FOK`` or ``GTD``.
    reduce_only, post_only : bool
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
    trail: float
    time_in_force: str
    reduce_only: bool
    post_only: bool


class Sent(Event, frozen=True, tag=tag(Kind.SENT)):
    """A request about an order that leaves for the venue, without its signature and keys."""

    client_id: str
    method: str
    path: str
    body: str


class Answer(Event, frozen=True, tag=tag(Kind.ANSWER)):
    """What the venue answered, byte for byte, and what that means for the order.

    Attributes
    ----------
    client_id : str
    request : str
        ``submit``, ``cancel`` or ``query``.
    outcome : str
        ``acked``, ``refused``, ``throttled``, ``unknown`` or ``absent``.
    status : int
        HTTP status; 0: no answer came.
    code : int
        The venue's code of the refusal; 0: none.
    body : bytes
    """

    client_id: str
    request: str
    outcome: str
    status: int
    code: int
    body: bytes


class Report(Event, frozen=True, tag=tag(Kind.REPORT)):
    """One report of the venue as it is booked: a record of `alphalab.types.REPORT`, and its origin.

    Attributes
    ----------
    engine : int
        Place in `Run.engines`.
    kind : int
        An `alphalab.codes.ReportKind`.
    time, order, asset, qty, filled, price, stop, fee, amount, rate, code, last
        As in `alphalab.types.REPORT`.
    client_id : str
        The runner's id of the order; empty: it is about none of the runner's orders.
    final : bool
        Whether the order of this client id has ended. `last` says so of the engine's order, which
        outlives a replaced one: the end of that is not booked.
    venue_time : int
        ns UTC, by the venue's clock.
    venue_id : str
        The venue's id of the trade; of an accepted order, of the order; empty: neither.
    """

    engine: int
    kind: int
    time: int
    order: int
    asset: int
    qty: float
    filled: float
    price: float
    stop: float
    fee: float
    amount: float
    rate: float
    code: int
    last: bool
    client_id: str
    final: bool
    venue_time: int
    venue_id: str


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
    *(Run, History, Row, Observation, Cursor, Intent, Sent, Answer, Report),
    *(State, Command, Refusal, Reconcile),
)
