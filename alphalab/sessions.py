"""Sessions of exchanges: the open, the close and the breaks of each, and the exchange's time zone.

Real calendars are those of the package `exchange_calendars`, by its codes (``XNYS``, ``XLON``,
``CMES`` ...) and aliases (``NYSE``); ``24/7`` is a market that never closes, in days of UTC.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from alphalab.errors import DataError, UnknownNameError
from alphalab.types import IntArray

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

ALWAYS = "24/7"
NS_DAY = 86_400 * 10**9

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
    known = whole_years(calendar, _year(first_day), _year(last_day))
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
    since, until = years_known(calendar)
    low, high = _first_day(since), _first_day(until + 1) - 1
    return sessions(
        calendar,
        max(first_day - before, min(first_day, low)),
        min(last_day + after, max(last_day, high)),
    )


@lru_cache(maxsize=64)
def time_zone(calendar: str) -> str:
    """Return the name of the time zone of an exchange; ``UTC`` for ``24/7``.

    Raises
    ------
    UnknownNameError
        No such calendar.

    Examples
    --------
    >>> time_zone("XNYS"), time_zone("24/7")
    ('America/New_York', 'UTC')
    """
    return "UTC" if calendar == ALWAYS else str(_make(calendar, "2023-06-01", "2023-06-30").tz)


def _first_day(year: int) -> int:
    return int(np.datetime64(f"{year}-01-01", "D").astype(np.int64))


def _year(day: int) -> int:
    return int(np.datetime64(day, "D").astype("M8[Y]").astype(np.int64)) + 1970


@lru_cache(maxsize=64)
def years_known(calendar: str) -> tuple[int, int]:
    """Return the first and the last whole year of a calendar with known sessions."""
    made = _make(calendar, "2023-06-01", "2023-06-30")
    low, high = made.bound_min(), made.bound_max()
    since, until = _SINCE.get(made.name, _SINCE_OTHERS), _UNTIL
    if low is not None:
        since = low.year + ((low.month, low.day) > (1, 1))
    if high is not None:
        until = high.year - ((high.month, high.day) < (12, 31))
    return since, until


@lru_cache(maxsize=64)
def whole_years(calendar: str, first: int, last: int) -> Sessions:
    """Return the sessions of whole years, from the first to the last."""
    since, until = years_known(calendar)
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
