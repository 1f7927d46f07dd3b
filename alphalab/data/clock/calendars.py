"""Sessions of exchanges: open and close, number a year, and the closes of their bars.

Real calendars are those of the package `exchange_calendars`, by its codes (``XNYS``, ``XLON``,
``CMES`` ...) and aliases (``NYSE``); ``24/7`` is a market that never closes, in days of UTC.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from alphalab.data.clock.times import NS_DAY, duration_text
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import IntArray

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

ALWAYS = "24/7"

#: The years over which sessions a year are averaged.
YEARS = (2015, 2024)

# The first and last year of calendars without a limit of their own. The package tests its sessions
# from 1990 on; before 1953, New York traded on Saturdays.
_SINCE = {"XNYS": 1953}
_SINCE_OTHERS = 1990
_UNTIL = 2200

_NO_TIME = np.iinfo(np.int64).min


class Sessions(NamedTuple):
    """The sessions of some days, in order.

    Attributes
    ----------
    day : ndarray of shape (S,)
        The date of each session in its market, days since 1970-01-01.
    open, close : ndarray of shape (S,)
        ns UTC. A session may open on the evening before its date.
    part_open, part_close : ndarray of shape (P,)
        The same for the parts of which sessions consist: two where there is a break, else one.
    """

    day: IntArray
    open: IntArray
    close: IntArray
    part_open: IntArray
    part_close: IntArray


def session_bounds(
    calendar: str, first_day: int, last_day: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the sessions from one date to another, both included.

    Parameters
    ----------
    calendar : str
        ``"24/7"`` or a code such as ``"XNYS"``.
    first_day, last_day : int
        Dates in the market's own time zone, days since 1970-01-01.

    Returns
    -------
    day, open, close : ndarray of shape (S,)
        Days since 1970-01-01, and ns UTC; early closes included. Empty if there is no session.

    Raises
    ------
    UnknownNameError
        No such calendar; near names are suggested.
    DataError
        Dates outside the years of the calendar.

    Examples
    --------
    >>> christmas = np.array(["2024-12-23", "2024-12-26"], "datetime64[D]").astype(int)
    >>> day, open_, close = session_bounds("XNYS", *christmas)
    >>> day.astype("datetime64[D]")
    array(['2024-12-23', '2024-12-24', '2024-12-26'], dtype='datetime64[D]')
    >>> close.view("datetime64[ns]").astype("datetime64[h]")
    array(['2024-12-23T21', '2024-12-24T18', '2024-12-26T21'], dtype='datetime64[h]')
    """
    found = sessions(calendar, first_day, last_day)
    return found.day, found.open, found.close


def sessions(calendar: str, first_day: int, last_day: int) -> Sessions:
    """Return the sessions from one date to another, with their breaks; see `session_bounds`."""
    first_day, last_day = int(first_day), int(last_day)
    if calendar == ALWAYS:
        day = np.arange(first_day, last_day + 1)
        opens, closes = day * NS_DAY, (day + 1) * NS_DAY
        return Sessions(day, opens, closes, opens, closes)
    if last_day < first_day:
        return Sessions(*[np.zeros(0, np.int64)] * 5)
    known = _whole_years(calendar, _year(first_day), _year(last_day))
    i0, i1 = np.searchsorted(known.day, [first_day, last_day + 1])
    if i0 == i1:
        return Sessions(*[np.zeros(0, np.int64)] * 5)
    day, opens, closes = known.day[i0:i1], known.open[i0:i1], known.close[i0:i1]
    p0, p1 = np.searchsorted(known.part_open, [opens[0], closes[-1]])
    return Sessions(day, opens, closes, known.part_open[p0:p1], known.part_close[p0:p1])


def sessions_around(
    calendar: str, first_day: int, last_day: int, *, before: int = 1, after: int = 1
) -> Sessions:
    """Return the sessions of some days, and of days before and after as far as they are known.

    Raises
    ------
    UnknownNameError
        No such calendar.
    DataError
        A day from the first to the last for which sessions are not known.
    """
    if calendar == ALWAYS:
        return sessions(calendar, first_day - before, last_day + after)
    since, until = _limits(calendar)
    low, high = _first_day(since), _first_day(until + 1) - 1
    return sessions(
        calendar,
        max(first_day - before, min(first_day, low)),
        min(last_day + after, max(last_day, high)),
    )


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
    first = max(YEARS[0], _limits(calendar)[0])
    return float(round(_whole_years(calendar, first, YEARS[1]).day.size / (YEARS[1] - first + 1)))


def session_days(calendars: frozenset[str]) -> float:
    """Return the days a year on which at least one of several calendars has a session."""
    if len(calendars) == 1 or ALWAYS in calendars:
        return sessions_per_year(ALWAYS if ALWAYS in calendars else next(iter(calendars)))
    first = max(YEARS[0], *(_limits(name)[0] for name in calendars))
    days = [_whole_years(name, first, YEARS[1]).day for name in calendars]
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
    first = max(YEARS[0], _limits(calendar)[0])
    known = _whole_years(calendar, first, YEARS[1])
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


def _first_day(year: int) -> int:
    return int(np.datetime64(f"{year}-01-01", "D").astype(np.int64))


def _year(day: int) -> int:
    return int(np.datetime64(day, "D").astype("M8[Y]").astype(np.int64)) + 1970


@lru_cache(maxsize=64)
def _limits(calendar: str) -> tuple[int, int]:
    """Return the first and the last whole year with known sessions."""
    made = _make(calendar, "2023-06-01", "2023-06-30")
    low, high = made.bound_min(), made.bound_max()
    since, until = _SINCE.get(made.name, _SINCE_OTHERS), _UNTIL
    if low is not None:
        since = low.year + ((low.month, low.day) > (1, 1))
    if high is not None:
        until = high.year - ((high.month, high.day) < (12, 31))
    return since, until


@lru_cache(maxsize=64)
def _whole_years(calendar: str, first: int, last: int) -> Sessions:
    since, until = _limits(calendar)
    if first < since or last > until:
        raise DataError(
            f"calendar {calendar}: sessions of {first if first < since else last}",
            rule=f"its sessions are known for the years {since} to {until}.",
            fix="Use rows of those years, or calendar='24/7'.",
        )
    schedule = _make(calendar, f"{first}-01-01", f"{last}-12-31").schedule
    day = schedule.index.to_numpy().astype("M8[D]").astype(np.int64)
    opens, pause, resume, closes = (
        schedule[name].dt.tz_convert(None).to_numpy().astype("M8[ns]").astype(np.int64)
        for name in ("open", "break_start", "break_end", "close")
    )
    broken = pause != _NO_TIME
    parts = (
        np.sort(np.concatenate((opens, resume[broken]))),
        np.sort(np.concatenate((closes, pause[broken]))),
    )
    for array in (day, opens, closes, *parts):
        array.setflags(write=False)
    return Sessions(day, opens, closes, *parts)


def _make(calendar: str, start: str, end: str) -> ExchangeCalendar:
    import exchange_calendars
    from exchange_calendars.errors import CalendarError, InvalidCalendarName

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, inside the package
            return exchange_calendars.get_calendar(calendar, start=start, end=end)
    except InvalidCalendarName:
        names = exchange_calendars.get_calendar_names()
        raise UnknownNameError("calendar", calendar, names) from None
    except (CalendarError, NotImplementedError, ValueError) as error:
        raise DataError(
            f"calendar {calendar}, {start} to {end}: the package exchange_calendars cannot make it "
            f"({str(error)[:200]})",
            rule="sessions are known, never guessed.",
            fix="Use rows of other years, or another calendar ('' where none is known).",
        ) from None
