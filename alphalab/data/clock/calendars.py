"""Numbers of sessions and of bars a year, and the closes of bars, by the calendars of exchanges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from alphalab.data.clock.times import NS_DAY, duration_text
from alphalab.errors import DataError
from alphalab.sessions import ALWAYS, sessions_around, whole_years, years_known
from alphalab.types import IntArray

#: The years over which sessions a year are averaged.
YEARS = (2015, 2024)

_NO_TIME = np.iinfo(np.int64).min


@lru_cache(maxsize=64)
def sessions_per_year(calendar: str) -> float:
    """Return the sessions a year: the mean of 2015 to 2024, rounded to a whole number.

    365 for ``24/7``, also in leap years. A calendar that begins later is averaged from there on.

    Raises
    ------
    UnknownNameError
        No such calendar.
    DataError
        One that is not known for those years.

    Examples
    --------
    >>> sessions_per_year("XNYS"), sessions_per_year("XLON"), sessions_per_year("24/7")
    (252.0, 253.0, 365.0)
    """
    if calendar == ALWAYS:
        return 365.0
    first = max(YEARS[0], years_known(calendar)[0])
    return float(round(whole_years(calendar, first, YEARS[1]).day.size / (YEARS[1] - first + 1)))


def session_days(calendars: frozenset[str]) -> float:
    """Return the days a year on which at least one of several calendars has a session."""
    if len(calendars) == 1 or ALWAYS in calendars:
        return sessions_per_year(ALWAYS if ALWAYS in calendars else next(iter(calendars)))
    first = max(YEARS[0], *(years_known(name)[0] for name in calendars))
    days = [whole_years(name, first, YEARS[1]).day for name in calendars]
    return float(round(np.unique(np.concatenate(days)).size / (YEARS[1] - first + 1)))


@lru_cache(maxsize=64)
def bars_per_session(calendar: str, interval_ns: int) -> float:
    """Return the number of bars of a usual session; the last one may be shorter.

    Examples
    --------
    >>> bars_per_session("XNYS", 3_600_000_000_000), bars_per_session("24/7", 3_600_000_000_000)
    (7.0, 24.0)
    """
    if calendar == ALWAYS:
        return NS_DAY / interval_ns
    if interval_ns >= NS_DAY:
        return 1.0
    first = max(YEARS[0], years_known(calendar)[0])
    known = whole_years(calendar, first, YEARS[1])
    bars = -(-(known.part_close - known.part_open) // interval_ns)
    session_of = np.searchsorted(known.open, known.part_open, side="right") - 1
    return float(np.median(np.bincount(session_of, bars)))


def expected_closes(
    calendar: str, interval_ns: int, start: int, end: int, offset_ns: int = 0
) -> IntArray:
    """Return the expected closes of the bars of an interval between two instants.

    Parameters
    ----------
    calendar : str
        ``"24/7"`` or a code such as ``"XNYS"``.
    interval_ns : int
        Up to a day, or whole days. Windows are multiples of it since 1970 in UTC. Those shorter
        than a day end where the session, or its part before a break, ends; a window of days ends
        with the last session whose date is in it.
    start, end : int
        ns UTC, both included.
    offset_ns : int
        By how much windows begin later than the multiples: 4 days make weeks begin on Mondays.

    Returns
    -------
    ndarray of shape (K,)
        ns UTC, increasing.

    Raises
    ------
    UnknownNameError
        No such calendar.
    DataError
        Days for which the sessions are not known, or an interval above a day that is not of days.

    Examples
    --------
    >>> hours = np.array(["2024-12-24T14", "2024-12-24T23"], "datetime64[ns]").astype(int)
    >>> closes = expected_closes("XNYS", 3_600_000_000_000, *hours)
    >>> closes.view("datetime64[ns]").astype("datetime64[h]")
    array(['2024-12-24T15', '2024-12-24T16', '2024-12-24T17', '2024-12-24T18'],
          dtype='datetime64[h]')
    """
    check_interval(calendar, interval_ns)
    if calendar == ALWAYS:
        first = -(-(start - offset_ns) // interval_ns)
        last = (end - offset_ns) // interval_ns
        return np.arange(first, last + 1) * interval_ns + offset_ns
    if interval_ns % NS_DAY == 0:
        n_days, shift = interval_ns // NS_DAY, offset_ns // NS_DAY
        last = ((end // NS_DAY - shift) // n_days + 1) * n_days + shift - 1  # day of its window
        found = sessions_around(calendar, start // NS_DAY, last)
        window = (found.day - shift) // n_days
        closes = found.close[np.diff(window, append=_NO_TIME) != 0]
    else:
        found = sessions_around(calendar, start // NS_DAY, end // NS_DAY)
        windows = zip(found.part_open.tolist(), found.part_close.tolist(), strict=True)
        parts = [_closes_of_part(a, b, interval_ns, offset_ns) for a, b in windows]
        closes = np.concatenate([np.zeros(0, np.int64), *parts])
    inside: IntArray = closes[(closes >= start) & (closes <= end)]
    return inside


def check_interval(calendar: str, interval_ns: int) -> None:
    """Refuse an interval above a day that is not of whole days, for a calendar with sessions."""
    if interval_ns <= 0 or (
        calendar != ALWAYS and interval_ns > NS_DAY and interval_ns % NS_DAY != 0
    ):
        raise DataError(
            f"an interval of {duration_text(interval_ns)} in calendar {calendar}",
            rule="an interval is up to a day, or whole days.",
        )


def _closes_of_part(opens: int, closes: int, step: int, offset: int) -> IntArray:
    first = (opens - offset) // step + 1
    last = -(-(closes - offset) // step)
    return np.minimum(np.arange(first, last + 1) * step + offset, closes)
