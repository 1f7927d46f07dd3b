"""Typed events of a journal, and their bytes.

An event is a frozen struct that is written as a msgpack array: first its tag, then its fields in
order. The tag holds a kind and a version. Bytes of an old version stay readable for ever: its class
stays in the codec, and its `newer` returns the same event as the next version.

Equal events have equal bytes. So fields are numbers, text, bytes, and tuples of these: a dict or a
set has no order to rely on, and every NaN is written as the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
