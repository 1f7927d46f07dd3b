"""`Schema`: how a source is written: names of columns, times, numbers, symbols."""

from __future__ import annotations

import codecs
from collections.abc import Mapping as Fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from alphalab.data.clock.times import parse_duration
from alphalab.errors import DataError, InputError, ParameterError, UnknownNameError, led_by
from alphalab.settings import Settings

NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
BarLabel = Literal["close", "open", "session"]


class Schema(Settings, frozen=True):
    """How a source is written. Columns that it does not name have the usual names.

    Parameters
    ----------
    columns : dict of str to str or int
        Our name of a column to the source's name, such as ``{"close": "Last"}``, or to its place,
        counted from 0. ``time`` is the time of a row; where it is written in two columns, ``date``
        and ``time`` are these. Without a header only what is named here is read.
    label : {"close", "open", "session"}, optional
        What the time of a bar names: the close; the open, and the close follows one interval later;
        or the session, by its date, and the close is that of the calendar. Not given: the close,
        and a note says so where times are dates.
    calendar : str
        Exchange whose sessions the dates name, such as ``"XNYS"``.
    interval : str
        Length of a bar, such as ``"5m"``. Not given: the most frequent step between the rows.
    zone : str
        Zone of times that carry none, such as ``"America/New_York"``. Not given: UTC.
    repeated_hour : {"refuse", "infer"}
        How to treat local times that occur twice at the end of daylight saving: refuse them, or
        infer the hour from the order of the rows.
    time_format : str
        How times are written where they are not ISO, such as ``"%d.%m.%Y %H:%M"``; of a date and a
        time in two columns: both, with a blank between them.
    delimiter, decimal, thousands, encoding : str
        Of a CSV file. Not given: a comma, semicolon or tab, whichever the first line has most of; a
        point; no mark between thousands; UTF-8.
    header : bool
        True if a CSV file begins with the names of its columns.
    skip : int
        Lines of a CSV file before its header, or its data.
    symbol : str
        The symbol of a source that names none. Not given: the name of the file.
    rename : dict of str to str
        Old symbol to new: the rows of both become one series.

    Raises
    ------
    ParameterError
        A field of the wrong type, or fields that contradict each other.
    UnknownNameError
        A zone that does not exist; near ones are suggested.

    Examples
    --------
    >>> Schema(columns={"close": "Last"}, zone="America/New_York").zone
    'America/New_York'
    >>> Schema(label="session")
    Traceback (most recent call last):
        ...
    alphalab.errors.ParameterError: Schema: label='session' without a calendar
      Rule: the calendar of the exchange has the closes of sessions. Give it, such as ...
    """

    columns: dict[str, str | int] = msgspec.field(default_factory=dict)
    label: BarLabel | None = None
    calendar: str = ""
    interval: str = ""
    zone: str = ""
    repeated_hour: Literal["refuse", "infer"] = "refuse"
    time_format: str = ""
    delimiter: str = ""
    decimal: str = "."
    thousands: str = ""
    encoding: str = ""
    header: bool = True
    skip: NonNegativeInt = 0
    symbol: str = ""
    rename: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label == "session" and not self.calendar:
            raise ParameterError(
                "Schema: label='session' without a calendar",
                rule="the calendar of the exchange has the closes of sessions.",
                fix="Give it, such as calendar='XNYS' (--calendar XNYS).",
            )
        if self.label == "session" and self.zone:
            raise ParameterError(
                f"Schema: label='session' and zone={self.zone!r}",
                rule="dates of sessions have no zone: their calendar has one.",
            )
        if self.interval:
            _ = self.interval_ns
        if self.zone:
            _check_zone(self.zone)
        for name, text in (
            ("delimiter", self.delimiter),
            ("decimal", self.decimal),
            ("thousands", self.thousands),
        ):
            if len(text) > 1:
                raise ParameterError(f"Schema: {name}={text!r}", rule=f"{name} is one character.")
        if self.thousands == self.decimal:
            raise ParameterError(
                f"Schema: decimal={self.decimal!r} and thousands={self.thousands!r}",
                rule="the two marks differ.",
                fix="Give the other one as well.",
            )
        if self.encoding:
            _check_encoding(self.encoding)
        named = [name for name in self.columns if not isinstance(self.columns[name], int)]
        if named and not self.header:
            raise ParameterError(
                f"Schema: column {named[0]}={self.columns[named[0]]!r} without a header",
                rule="columns of a file without a header are called by their place, from 0.",
            )

    @classmethod
    def read(cls, path: str | Path) -> Schema:
        """Return the schema that a TOML file holds.

        Raises
        ------
        InputError
            No such file, or one that is no TOML.
        UnknownNameError
            A name that is no field; near ones are suggested.
        """
        import tomllib

        try:
            fields = tomllib.loads(Path(path).read_text("utf-8"))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}", rule="a schema is a TOML file.") from None
        except ValueError as error:  # not TOML, or not text
            raise InputError(
                f"{path}: {error}",
                rule='a schema is a TOML file: lines like zone = "America/New_York", and a table '
                '[columns] with lines like close = "Last".',
            ) from None
        with led_by(f"{path}: "):
            return cls.of(fields)

    @classmethod
    def of(cls, given: Schema | Fields[str, Any] | str | Path | None) -> Schema:
        """Return the schema of a `Schema`, of fields, of the path of a TOML file, or of None."""
        if given is None:
            return cls()
        if isinstance(given, str | Path):
            return cls.read(given)
        if isinstance(given, Schema):
            return given
        for name in given:
            if name not in cls.__struct_fields__:
                raise UnknownNameError("field of a schema", name, cls.__struct_fields__)
        return cls(**given)

    @property
    def interval_ns(self) -> int | None:
        """Length of a bar, ns; None: not given."""
        if not self.interval:
            return None
        try:
            return parse_duration(self.interval)
        except DataError as error:
            raise ParameterError(f"Schema: interval={self.interval!r}", rule=error.rule) from None

    def labelled(self, label: str | None, calendar: str = "") -> Schema:
        """Return the schema with the label and the calendar of keywords of these names.

        Raises
        ------
        DataError
            An unknown label, or another one than that of the schema; a label of sessions without a
            calendar, or a calendar without it.
        """
        known = ("close", "open", "session")
        if label not in (None, *known):
            raise DataError(f"label={label!r}", rule="a label is 'close', 'open' or 'session'.")
        given = {"label": label or self.label, "calendar": calendar or self.calendar}
        for name, value in given.items():
            own = getattr(self, name)
            if own and own != value:
                raise DataError(
                    f"{name}={value!r}, and the schema has {name}={own!r}",
                    rule=f"a {name} is given once.",
                )
        if calendar and given["label"] != "session":
            raise DataError(
                f"calendar={calendar!r} with label={given['label']!r}",
                rule="a calendar has the closes of sessions, whose dates the times name.",
                fix="Add label='session' (--label session).",
            )
        return msgspec.structs.replace(self, **given)

    def changes(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults.

        Examples
        --------
        >>> Schema(label="open").changes()
        {'label': 'open'}
        """
        plain = type(self)()
        return {
            name: getattr(self, name)
            for name in self.__struct_fields__
            if getattr(self, name) != getattr(plain, name)
        }


def _check_zone(name: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownNameError("time zone", name, zoneinfo.available_timezones()) from None


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ParameterError(
            f"Schema: encoding={name!r}",
            rule="an encoding is one that Python knows, such as utf-8, latin-1 or utf-16.",
        ) from None
