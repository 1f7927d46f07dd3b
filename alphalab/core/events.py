"""Typed events of a journal, their bytes, and the events of a live run.

An event is a frozen struct that is written as a msgpack array: first its tag, then its fields in
order. The tag holds a kind and a version. Bytes of an old version stay readable for ever: its class
stays in the codec, and its `newer` returns the same event as the next version.

Equal events have equal bytes. So fields are numbers, text, bytes, and tuples of these: a dict or a
set has no order to rely on, and every NaN is written as the same one.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec
import numpy as np
from msgspec import inspect

from alphalab.errors import JournalError
from alphalab.types import FloatArray

NAN = float("nan")
#: A tag is ``kind * _VERSIONS + version``.
_VERSIONS = 256
_PLAIN = (
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.BytesType,
    inspect.BoolType,
    inspect.NoneType,
)


def tag(kind: int, version: int = 1) -> int:
    """Return the tag of one version of a kind.

    Examples
    --------
    >>> hex(tag(2, version=1))
    '0x201'
    """
    return kind * _VERSIONS + version


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of all events. Subclasses give a `tag`; their time stands in the journal beside them."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value != value or (isinstance(value, tuple) and value):
                msgspec.structs.force_setattr(self, name, _with_one_nan(value))

    def newer(self) -> Event:
        """Return this event as the next version of its kind; the current version returns itself."""
        return self


class Codec:
    """The kinds of event that one journal holds, to and from bytes.

    Parameters
    ----------
    name : str
        What such a journal is for, such as ``run``; a journal states it, and is opened with no
        other codec.
    *events : type
        Subclasses of `Event`: of each kind the current version and all older ones.

    Raises
    ------
    TypeError
        A class without a tag, two of one tag, or a field that has no canonical bytes.

    Examples
    --------
    >>> class Tick(Event, frozen=True, tag=tag(1)):
    ...     price: float
    >>> codec = Codec("ticks", Tick)
    >>> kind, payload = codec.encode(Tick(price=2.5))
    >>> kind, codec.decode(payload), codec.name_of(kind)
    (1, Tick(price=2.5), 'tick')
    """

    def __init__(self, name: str, *events: type[Event]) -> None:
        self.name = name
        self._classes: dict[int, type[Event]] = {}
        for event in events:
            number = _tag_of(event)
            if number in self._classes:
                raise TypeError(f"{event.__name__} and {self._classes[number].__name__}: one tag")
            for field in inspect.type_info(event).fields:  # type: ignore[attr-defined]
                _check_canonical(f"{event.__name__}.{field.name}", field.type)
            self._classes[number] = event
        self._names = {n // _VERSIONS: _words(c) for n, c in sorted(self._classes.items())}
        union: Any = None
        for event in events:
            union = event if union is None else union | event
        self._decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(union)
        self._encoder = msgspec.msgpack.Encoder()

    def encode(self, event: Event) -> tuple[int, bytes]:
        """Return the kind of an event and its bytes.

        Raises
        ------
        JournalError
            An event that is no part of this codec, or a field of another type than its class says.
        """
        number = event.__struct_config__.tag
        if self._classes.get(number) is not type(event):  # type: ignore[arg-type]
            raise JournalError(
                f"a {type(event).__name__} for a journal of {self.name!r}",
                rule=f"such a journal holds {', '.join(self._names.values())}.",
            )
        try:
            # Read back once: a wrong type is refused here, and an integer in a float field becomes
            # a float, so that equal events have equal bytes.
            whole = self._decoder.decode(self._encoder.encode(event))
        except (TypeError, OverflowError, msgspec.DecodeError) as error:
            raise JournalError(
                f"{type(event).__name__}: {error}",
                rule="a field has the type that its class says.",
            ) from None
        return number // _VERSIONS, self._encoder.encode(whole)  # type: ignore[operator]

    def decode(self, payload: bytes) -> Event:
        """Return the event of bytes, in the current version of its kind.

        Raises
        ------
        JournalError
            Bytes that are no event of this codec, such as one of a newer alphalab.
        """
        try:
            event = self._decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalError(
                f"not an event of a journal of {self.name!r}: {error}",
                rule="an event is one of the kinds and versions that this alphalab knows.",
                fix="Read it with the alphalab that wrote it, or a newer one.",
            ) from None
        while (newer := event.newer()) is not event:
            event = newer
        return event

    def name_of(self, kind: int) -> str:
        """Return the name of a kind, or its number as text if this codec does not have it."""
        return self._names.get(kind, str(kind))

    def kinds(self) -> dict[str, int]:
        """Return the numbers of all kinds by name."""
        return {name: kind for kind, name in self._names.items()}


def array_bytes(values: FloatArray) -> bytes:
    """Return float64 values as bytes, little-endian and row by row, every NaN as the same one.

    Examples
    --------
    >>> np.frombuffer(array_bytes(np.array([1.0, 2.0])), "<f8")
    array([1., 2.])
    """
    array = np.asarray(values, "<f8")
    return np.where(np.isnan(array), NAN, array).astype("<f8").tobytes()


def _with_one_nan(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_with_one_nan(item) for item in value)
    return value if value == value else NAN


def _tag_of(event: type[Event]) -> int:
    number = event.__struct_config__.tag
    if not isinstance(number, int) or number < _VERSIONS or number % _VERSIONS == 0:
        raise TypeError(f"{event.__name__} has tag {number!r}: give it tag=tag(kind, version)")
    return number


def _words(event: type[Event]) -> str:
    """Return the name of a class in lower case, without the version of an old one."""
    return event.__name__.rstrip("0123456789").removesuffix("V").lower()


def _check_canonical(name: str, kind: inspect.Type) -> None:
    parts: Iterator[inspect.Type]
    if isinstance(kind, inspect.UnionType):
        parts = iter(kind.types)
    elif isinstance(kind, inspect.TupleType):
        parts = iter(kind.item_types)
    elif isinstance(kind, inspect.VarTupleType):
        parts = iter([kind.item_type])
    elif isinstance(kind, _PLAIN):
        return
    else:
        raise TypeError(f"{name}: a field is a number, text, bytes, or a tuple of these")
    for part in parts:
        _check_canonical(name, part)


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
