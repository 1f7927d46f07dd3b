"""Instants as int64 nanoseconds UTC: from text and back, and lengths of time."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Literal, TypeAlias

import numpy as np

from alphalab.errors import DataError
from alphalab.types import IntArray

Instant: TypeAlias = str | dt.date | np.datetime64

NS_SECOND = 1_000_000_000
NS_DAY = 86_400 * NS_SECOND
_UNITS = {"d": NS_DAY, "h": 3_600 * NS_SECOND, "m": 60 * NS_SECOND, "s": NS_SECOND}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_INT64 = np.iinfo(np.int64)
_BEYOND_MICROSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})")  # digits that datetime drops


def iso(ns: int) -> str:
    """Return an instant as ISO-8601 text in UTC, with a fraction only where there is one.

    Examples
    --------
    >>> iso(915_483_600_000_000_000)
    '1999-01-04T21:00:00Z'
    """
    ns = int(ns)
    unit: Literal["s", "ms", "ns"] = (
        "s" if ns % NS_SECOND == 0 else "ms" if ns % 1_000_000 == 0 else "ns"
    )
    return f"{np.datetime_as_string(np.datetime64(ns, 'ns'), unit=unit)}Z"


def nanoseconds(when: Instant, *, end_of_day: bool = False) -> int:
    """Return an instant in ns UTC; without a zone it is UTC.

    Parameters
    ----------
    when : str, date, datetime or datetime64
        Text is ISO-8601.
    end_of_day : bool
        True if a bare date means its last nanosecond instead of its first.

    Returns
    -------
    int
        Limited to what int64 holds (the years 1677 to 2262).

    Raises
    ------
    DataError
        Text that is not an ISO date, or not a date at all.

    Examples
    --------
    >>> iso(nanoseconds("2020-03-01T10:00+01:00"))
    '2020-03-01T09:00:00Z'
    >>> iso(nanoseconds("2020-03-01", end_of_day=True))
    '2020-03-01T23:59:59.999999999Z'
    """
    try:
        text = _iso_text(when)
        bare = len(text) <= len("2020-01-31") and "T" not in text
        moment = dt.datetime.fromisoformat(text)
        since = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - _EPOCH
    except (TypeError, ValueError):
        raise DataError(
            f"{when!r} is not a date",
            rule="a date is ISO text such as 2020-01-31 or 2020-01-31T16:00:00Z, or a date object.",
        ) from None
    ns = since.days * NS_DAY + since.seconds * NS_SECOND + since.microseconds * 1_000
    if digits := _BEYOND_MICROSECONDS.search(text):
        ns += int(digits[1].ljust(3, "0"))
    if bare and end_of_day:
        ns += NS_DAY - 1
    return min(max(ns, int(_INT64.min) + 1), int(_INT64.max))


def _iso_text(when: Any) -> str:
    if isinstance(when, np.datetime64):
        return str(np.datetime_as_string(when, unit="D" if when.dtype == "M8[D]" else "ns"))
    if isinstance(when, dt.date):
        return when.isoformat()
    if isinstance(when, str):
        return when.strip()
    raise TypeError


def datetimes_to_ns(values: np.ndarray[Any, Any]) -> IntArray:
    """Return a datetime64 array of any unit as int64 ns; NumPy's own cast overflows silently.

    Raises
    ------
    DataError
        A missing time (NaT), or one outside the years 1677 to 2262.
    """
    if values.dtype == "M8[ns]":
        result = values.view(np.int64)
        bad = np.isnat(values)
    else:
        result = values.astype("M8[ns]").view(np.int64)
        bad = np.isnat(values) | (result.view("M8[ns]").astype(values.dtype) != values)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"row {row}: time is {values[row]}",
            rule="every row has a time between the years 1678 and 2261.",
        )
    return result


def duration_text(ns: int) -> str:
    """Return a duration in its largest whole unit.

    Examples
    --------
    >>> duration_text(300_000_000_000), duration_text(2 * NS_DAY)
    ('5m', '2d')
    """
    for unit, size in _UNITS.items():
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns / NS_SECOND:g}s"


def parse_duration(text: str) -> int:
    """Return a duration such as ``"1m"``, ``"4h"`` or ``"1d"`` in nanoseconds.

    Examples
    --------
    >>> parse_duration("5m") == 300 * NS_SECOND
    True
    """
    number, unit = (text[:-1], text[-1:]) if isinstance(text, str) else ("", "")
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS or int(number) == 0:
        raise DataError(
            f"{text!r} is not a length of time",
            rule="a length of time is a whole number and s, m, h or d, such as 1m, 4h or 1d.",
        )
    return int(number) * _UNITS[unit]


def bar_spacing(time: IntArray) -> int:
    """Return the most frequent step between rows, ns; of equally frequent ones the shortest.

    Raises
    ------
    DataError
        Fewer than two rows.

    Examples
    --------
    >>> bar_spacing(np.array([0, 60, 120, 300]))
    60
    """
    if len(time) < 2:
        raise DataError(
            "one row does not tell how far apart the rows are",
            rule="a bar spacing needs two rows or more.",
        )
    steps = np.diff(time)
    shortest = int(steps.min())
    if np.count_nonzero(steps == shortest) > len(steps) / 2:
        return shortest  # the common case, without sorting
    distinct, counts = np.unique(steps, return_counts=True)
    return int(distinct[np.argmax(counts)])
