"""Instants in int64 ns UTC: from text and back, bar labels, and how many rows a year holds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
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
_BEYOND_MICROSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})")  # what datetime would drop

#: Rows are irregular where their most frequent step is rarer.
_REGULAR = 0.1

# Most frequent step in days, from and to; rows a year; the word for it.
_LONG_STEPS = (
    (6.5, 7.5, 52.0, "weekly"),
    (27.0, 32.0, 12.0, "monthly"),
    (85.0, 97.0, 4.0, "quarterly"),
    (350.0, 380.0, 1.0, "yearly"),
)


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
    """Return an instant in ns UTC; what has no zone is taken as UTC.

    Parameters
    ----------
    when : str, date, datetime or datetime64
        Text is ISO-8601.
    end_of_day : bool
        Whether a bare date means its last nanosecond instead of its first.

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
    """Return a datetime64 array of any unit as int64 ns; NumPy's own cast wraps around in silence.

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


def zone_notes(time: IntArray, zoned: bool) -> tuple[str, ...]:
    """Return what a report has to say about times that carry no zone, unless all are midnights."""
    return () if zoned or not (time % NS_DAY).any() else ("times carry no zone: taken as UTC",)


def closing_times(time: IntArray, bar_label: str) -> tuple[IntArray, tuple[str, ...]]:
    """Return the instants at which rows became known, and what a report has to say about them.

    Parameters
    ----------
    time : ndarray of shape (T,)
        Labels, ns UTC, strictly increasing.
    bar_label : {"close", "open"}
        What a label names. Opening times move later by the most frequent step of the rows.
    """
    if bar_label not in ("open", "close"):
        raise DataError(f"bar_label={bar_label!r}", rule="bar_label is 'open' or 'close'.")
    if bar_label == "open":
        step = bar_spacing(time)
        return time + step, (
            f"times were those of the open: moved {duration_text(step)} to the close",
        )
    if len(time) > 1 and not (time % NS_DAY).any() and bar_spacing(time) >= NS_DAY:
        return time, (
            "times are dates: a row counts as known at 00:00 UTC of its date "
            "(if the date names the day that was traded, load it with bar_label='open')",
        )
    return time, ()


def rows_per_year(time: IntArray, calendars: Collection[str] = ()) -> tuple[float, str]:
    """Return how many rows a year holds, and the sentence that says how that was found.

    Weekly, monthly, quarterly and yearly rows have 52, 12, 4 and 1. Other spacings above a day and
    a half, and rows of which less than a tenth are the most frequent step apart (bars of trades or
    of volume): 365.25 days over the average step. Daily and shorter rows:

    - calendar ``24/7``: 365 days of as many bars as fit into a day;
    - a calendar such as ``XNYS``: its sessions a year (`calendars.sessions_per_year`)
      of as many bars as fit into one, or of the median number of rows in a UTC day where that is
      more (rows outside sessions);
    - several of these: the days on which one of them at least has a session, of that median;
    - unknown: where the market trades on weekends as ``24/7``, elsewhere 252 sessions of that
      median.

    Parameters
    ----------
    time : ndarray of shape (T,)
        Closing times, ns UTC, strictly increasing.
    calendars : collection of str
        Session calendars of the instruments; an empty one is unknown, and then all are. A market of
        unknown calendar trades on weekends when more than half of the Saturdays and more than half
        of the Sundays have rows, of the weeks that have any.

    Raises
    ------
    DataError
        Fewer than three rows.
    UnknownNameError
        No such calendar; near names are suggested.

    Examples
    --------
    >>> hours = np.arange(24 * 14) * 3_600 * NS_SECOND
    >>> rows_per_year(hours)
    (8760.0, '8,760 periods a year: rows on weekends, 365 days of 24 bars')
    """
    if len(time) < 3:
        raise DataError(
            f"periods_per_year is not given, and the data has {len(time)} of the rows it needs",
            rule="it is derived from three rows or more.",
            fix="Give periods_per_year.",
        )
    step = bar_spacing(time)
    for low, high, per_year, word in _LONG_STEPS:
        if low <= step / NS_DAY <= high:
            return per_year, f"{per_year:g} periods a year: {word} rows"
    if step > 1.5 * NS_DAY:
        mean = float(time[-1] - time[0]) / (len(time) - 1) / NS_DAY
        return (
            365.25 / mean,
            f"{365.25 / mean:,.4g} periods a year: a row every {mean:.3g} days on average",
        )

    steps = np.diff(time)
    if np.count_nonzero(steps == step) < _REGULAR * len(steps):
        mean = float(time[-1] - time[0]) / len(steps)
        number = 365.25 * NS_DAY / mean
        return number, (
            f"{number:,.4g} periods a year: irregular rows, one every {mean / NS_SECOND:,.3g} "
            "seconds on average"
        )

    # A bar that closes at midnight belongs to the day that ends there.
    day_of = (time - 1) // NS_DAY
    first = np.flatnonzero(np.diff(day_of, prepend=day_of[0] - 1))
    days, counts = day_of[first], np.diff(first, append=len(time))
    known = frozenset(calendars)
    if known and "" not in known:
        n_days, a_day, why = _in_sessions(known, step, float(np.median(counts)))
    else:
        weekends, why = _trades_on_weekends(days)
        n_days, a_day = (365.0, NS_DAY / step) if weekends else (252.0, float(np.median(counts)))
    word = "days" if n_days == 365 else "sessions"
    text = f"{n_days * a_day:,.10g} periods a year: {why}, {n_days:g} {word} of {_bars(a_day)}"
    return n_days * a_day, text


def _bars(number: float) -> str:
    return f"{number:,g} bar{'' if number == 1 else 's'}"


def _in_sessions(calendars: frozenset[str], step: int, median: float) -> tuple[float, float, str]:
    """Return the days a year on which calendars have sessions, the bars of one, and the reason."""
    from alphalab.data.clock.calendars import ALWAYS, bars_per_session, session_days

    why = f"calendar {', '.join(sorted(calendars))}"
    if ALWAYS in calendars:
        return 365.0, NS_DAY / step, why
    bars = max(median, bars_per_session(*calendars, step)) if len(calendars) == 1 else median
    return session_days(calendars), bars, why


def _trades_on_weekends(days: IntArray) -> tuple[bool, str]:
    every = np.arange(days[0], days[-1] + 1)
    weeks = (every + 3) // 7  # from Monday on
    spanned = _weekend_days(every[np.isin(weeks, (days + 3) // 7)])  # of weeks that have rows
    if not spanned.any():
        return False, "no weekend in the data, weekday sessions assumed"
    # Each of the two days: currencies trade on Sunday evenings, and on no Saturday.
    if (_weekend_days(days)[spanned > 0] > spanned[spanned > 0] / 2).all():
        return True, "rows on weekends"
    return False, "no sessions on weekends"


def _weekend_days(days: IntArray) -> IntArray:
    """Return how many of the days are Saturdays, and how many Sundays."""
    weekday = (days + 3) % 7  # 0 is Monday: 1970-01-01 was a Thursday
    return np.array([np.count_nonzero(weekday == 5), np.count_nonzero(weekday == 6)])
