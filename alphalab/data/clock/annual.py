"""Rows a year, derived from the times of the rows and the session calendars."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from alphalab.data.clock.calendars import bars_per_session, session_days
from alphalab.data.clock.times import NS_DAY, NS_SECOND, bar_spacing
from alphalab.errors import DataError
from alphalab.sessions import ALWAYS
from alphalab.types import IntArray

#: Rows are irregular if a smaller share of the steps is the most frequent one.
_REGULAR = 0.1

# Most frequent step in days, from and to; rows a year; the word for it.
_LONG_STEPS = (
    (6.5, 7.5, 52.0, "weekly"),
    (27.0, 32.0, 12.0, "monthly"),
    (85.0, 97.0, 4.0, "quarterly"),
    (350.0, 380.0, 1.0, "yearly"),
)


def rows_per_year(time: IntArray, calendars: Collection[str] = ()) -> tuple[float, str]:
    """Return the number of rows a year holds, and a sentence on the derivation.

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
    """Return the session days a year, the bars of a session, and the reason."""
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
    # Both days count: currencies trade on Sunday evenings, but not on Saturdays.
    if (_weekend_days(days)[spanned > 0] > spanned[spanned > 0] / 2).all():
        return True, "rows on weekends"
    return False, "no sessions on weekends"


def _weekend_days(days: IntArray) -> IntArray:
    """Return the number of Saturdays and of Sundays."""
    weekday = (days + 3) % 7  # 0 is Monday: 1970-01-01 was a Thursday
    return np.array([np.count_nonzero(weekday == 5), np.count_nonzero(weekday == 6)])
