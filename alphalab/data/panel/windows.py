"""Windows of time that rows fall into: multiples of an interval, cut where sessions end.

A window (start, end] holds the rows that became known in it. It is finished when a row at its end
or later exists.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alphalab.data.clock.calendars import check_interval
from alphalab.data.clock.times import NS_DAY, bar_spacing, duration_text, iso, parse_duration
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.panel.panel import Panel
from alphalab.errors import DataError
from alphalab.sessions import ALWAYS, sessions_around
from alphalab.types import IntArray

# Days; no market is closed for longer.
_LONGEST_BREAK = 60


class Cut(NamedTuple):
    """Rows cut into finished windows.

    Attributes
    ----------
    first : ndarray of shape (K,)
        The first row of each window; windows without rows are left out.
    stop : int
        The first row of the unfinished window; the number of rows if there is none.
    time : ndarray of shape (K,)
        When each window was known: its end, ns UTC. In calendars with sessions it may be the time
        of its last row, where that is stamped after the close; of several sessions it is the close
        of the last one that was held, see `resample`.
    notes : tuple of Note
    """

    first: IntArray
    stop: int
    time: IntArray
    notes: Notes


def cut(bars: Panel, interval: str, calendar: str | None, offset: str | None) -> Cut:
    """Return the finished windows of bars; `resample` says what is given and refused."""
    step, shift = parse_duration(interval), 0 if offset is None else parse_duration(offset)
    calendar = _agreed(bars) if calendar is None else calendar
    check_interval(calendar, step)
    spacing = bar_spacing(bars.time) if bars.n_rows > 1 else 0
    _check_sizes(interval, step, offset, shift, spacing, calendar)
    start, end = _bounds(bars.time, step, shift, calendar)
    first = np.flatnonzero(np.diff(end, prepend=end[0] - 1))
    _check_rows(bars.time, start, end, first, spacing, calendar)
    last = np.append(first[1:], bars.n_rows) - 1
    time = np.maximum(end[last], bars.time[last])
    notes = [_resampled(interval, spacing, calendar)] if spacing else []
    if spacing and start[0] < bars.time[0] - spacing:
        text = (
            f"the first {interval} bar holds rows from {iso(bars.time[0])} on: "
            f"its window began at {iso(start[0])}"
        )
        notes.append(Note("unfinished", text))
    stop = bars.n_rows
    if bars.time[-1] < end[-1]:
        stop = int(first[-1])
        first, time = first[:-1], time[:-1]
        text = (
            f"the {interval} window to {iso(end[-1])} has not closed: "
            f"its rows, {bars.n_rows - stop}, are left out"
        )
        notes.append(Note("unfinished", text))
    return Cut(first, stop, time, tuple(notes))


def _resampled(interval: str, spacing: int, calendar: str) -> Note:
    sessions = "" if calendar == ALWAYS else f", in sessions of {calendar}"
    return Note("resampled", f"resampled from {duration_text(spacing)} to {interval}{sessions}")


def _agreed(bars: Panel) -> str:
    """Return the calendar of all instruments; without one, windows are those of UTC."""
    calendars = {instrument.calendar for instrument in bars.instruments}
    return (calendars.pop() or ALWAYS) if len(calendars) == 1 else ALWAYS


def _check_sizes(
    interval: str, step: int, offset: str | None, shift: int, spacing: int, calendar: str
) -> None:
    if spacing and step % spacing:
        raise DataError(
            f"interval={interval!r} for bars of {duration_text(spacing)}",
            rule="an interval is a multiple of the spacing of the rows.",
        )
    if shift >= step or (calendar != ALWAYS and step % NS_DAY == 0 and shift % NS_DAY):
        raise DataError(
            f"offset={offset!r} for interval={interval!r}",
            rule="an offset is shorter than the interval, and of whole days for sessions.",
        )


def _bounds(time: IntArray, step: int, shift: int, calendar: str) -> tuple[IntArray, IntArray]:
    """Return start and end of the window of each row, (T,); in sessions a row may come after it."""
    if calendar == ALWAYS:
        end = _multiple(time, step, shift)
        return end - step, end
    if step % NS_DAY == 0:
        return _bounds_of_days(time, step // NS_DAY, shift // NS_DAY, calendar)
    first_day, last_day = int(time[0] // NS_DAY), int(time[-1] // NS_DAY)
    found = sessions_around(calendar, first_day, last_day, before=_LONGEST_BREAK)
    part = _begun_before(found.part_open, time, calendar)
    end = _multiple(np.minimum(time, found.part_close[part]), step, shift)
    return (
        np.maximum(end - step, found.part_open[part]),
        np.minimum(end, found.part_close[part]),
    )


def _bounds_of_days(
    time: IntArray, n_days: int, shift: int, calendar: str
) -> tuple[IntArray, IntArray]:
    first_day, last_day = int(time[0] // NS_DAY), int(time[-1] // NS_DAY)
    window_end = -((shift - last_day - 1) // n_days) * n_days + shift - 1
    before = _LONGEST_BREAK + n_days
    found = sessions_around(calendar, first_day, max(window_end, last_day), before=before)
    number = (found.day - shift) // n_days
    mine = number[_begun_before(found.open, time, calendar)]
    first = np.searchsorted(number, mine, side="left")
    last = np.searchsorted(number, mine, side="right") - 1
    return found.open[first], found.close[last]


def _multiple(time: IntArray, step: int, shift: int) -> IntArray:
    """Return the first multiple of a step since 1970, later by a shift, not before each time."""
    result: IntArray = -((shift - time) // step) * step + shift
    return result


def _begun_before(opens: IntArray, time: IntArray, calendar: str) -> IntArray:
    """Return the place of the session that each row is of: the last one that opened before it."""
    place = np.searchsorted(opens, time, side="left") - 1
    if place[0] < 0:
        raise DataError(
            f"row 0 ({iso(time[0])}) is before the first session of {calendar} that is known",
            rule="sessions are known, never guessed.",
            fix="Leave such rows out with bars.between(start=...).",
        )
    return place


def _check_rows(
    time: IntArray, start: IntArray, end: IntArray, first: IntArray, spacing: int, calendar: str
) -> None:
    """Refuse rows outside sessions, and bars that lie in two windows."""
    more = np.ones(len(time), np.bool_)  # another row of the same window follows
    more[first[1:] - 1] = more[-1] = False
    outside = (time >= end) & more
    if outside.any():
        row = int(np.argmax(outside)) + 1
        raise DataError(
            f"row {row} ({iso(time[row])}) comes after {iso(end[row])}, when the session of "
            f"{calendar} or its part before a break closed, and so does row {row - 1} or ends then",
            rule="one row of a session at most is stamped at its close or later.",
            fix="Leave rows outside sessions out, or give calendar='24/7'. Times that are those of "
            "the open are read with label='open'.",
        )
    if spacing >= NS_DAY:
        return  # a daily row spans its session
    split = (np.diff(time) == spacing) & (time[:-1] < start[1:])
    if split.any():
        row = int(np.argmax(split)) + 1
        raise DataError(
            f"row {row} spans {iso(time[row - 1])} to {iso(time[row])}, and a window begins at "
            f"{iso(start[row])}",
            rule="a bar lies in one window.",
            fix="Give an offset, such as '30m' for hours that begin at half past.",
        )
