"""Rules about missing bars, and about the spacing of bars.

With a calendar, bars are compared with its sessions. Without one, the expected bars follow from the
rows themselves: a market that trades on weekends never closes; elsewhere usual breaks and a few
missing weekdays (holidays) are not gaps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.calendars import expected_closes
from alphalab.data.clock.times import NS_DAY, bar_spacing, duration_text, iso
from alphalab.data.quality.series import Hit, Series, among
from alphalab.sessions import ALWAYS, session_bounds
from alphalab.types import IntArray

_HOUR = NS_DAY // 24
#: A time of day with a smaller share of the rows is unusual.
_RARE = 0.02
#: Missing bars are gaps only if at least this share of the expected bars exists.
_FITS = 0.5
#: Number of stretches whose spacing is checked.
_STRETCHES = 20


def never_closes(time: IntArray) -> bool:
    """Return True if over half of the Saturdays and over half of the Sundays have rows.

    Examples
    --------
    >>> hours = np.arange(24 * 14) * 3_600_000_000_000
    >>> never_closes(hours), never_closes(hours[:24])
    (True, False)
    """
    if not len(time):
        return False
    day = (time - 1) // NS_DAY
    day = day[np.diff(day, prepend=day[0] - 1) > 0]
    spanned = (np.arange(day[0], day[-1] + 1) + 3) % 7
    weekday = (day + 3) % 7  # 0 is Monday
    counts = [(np.count_nonzero(weekday == x), np.count_nonzero(spanned == x)) for x in (5, 6)]
    return all(all_ > 0 and there > all_ / 2 for there, all_ in counts)


def missing(s: Series, *, exact: bool) -> Iterator[Hit]:
    """Find missing bars between the first row and the last.

    With `exact`, the sessions of the calendar are the expected bars.
    """
    if s.n < 3 or not s.interval:
        return
    if s.calendar == ALWAYS or (not s.calendar and never_closes(s.time)):
        yield from _always(s)
    elif exact and s.calendar:
        yield from _against_sessions(s)
    else:
        yield from _against_itself(s)


def spacing(s: Series) -> Iterator[Hit]:
    """Find stretches of rows whose spacing is not the length of the bars."""
    if not s.interval or s.n < s.settings.min_rows:
        return
    size = max(s.settings.min_rows // 2, s.n // _STRETCHES, 1)
    n_whole = (s.n - 1) // size
    own = np.array([bar_spacing(s.time[i * size : (i + 1) * size + 1]) for i in range(n_whole)])
    steps = np.diff(s.time)[: n_whole * size].reshape(n_whole, size)
    regular = (steps == own.reshape(-1, 1)).mean(axis=1) > 0.5  # otherwise bars are missing
    odd = np.flatnonzero(_differs(own, s.interval) & regular)
    if odd.size:
        at = int(odd[0])
        first = at * size
        rows = np.concatenate([np.arange(i * size, (i + 1) * size) for i in odd])
        yield Hit(
            "spacing",
            rows,
            f"bars are taken as {duration_text(s.interval)} long, and {rows.size:,} rows are "
            f"another distance apart: from row {s.number[first]} ({iso(s.time[first])}) on "
            f"{duration_text(int(own[at]))}",
        )


def off_grid(s: Series) -> Iterator[Hit]:
    """Find times that do not lie on the usual grid of the bars."""
    if s.n < s.settings.min_rows or not 0 < s.interval < NS_DAY:
        return
    phase = s.time % s.interval
    usual = phase == phase[0]
    if usual.all():
        return
    values, place, counts = np.unique(phase, return_inverse=True, return_counts=True)
    rare = counts < _RARE * s.n
    if s.calendar and s.calendar != ALWAYS:
        rare &= values % (_HOUR // 60) != 0  # the last bar of a session may be a short one
    rows = np.flatnonzero(rare[place])
    if rows.size:
        at, main = int(rows[0]), int(values[np.argmax(counts)])
        yield Hit(
            "off_grid",
            rows,
            f"{rows.size:,} of {s.n:,} rows are off the grid of {duration_text(s.interval)} bars"
            f"{f' (which is {duration_text(main)} behind its multiples)' if main else ''}: the "
            f"first is row {s.number[at]} ({iso(s.time[at])})",
        )


def _differs(own: IntArray, interval: int) -> NDArray[np.bool_]:
    # Months and years have no fixed length.
    allowed = 0.15 * interval if interval >= 27 * NS_DAY else 0.0
    differs: NDArray[np.bool_] = np.abs(own - interval) > allowed
    return differs


def _always(s: Series) -> Iterator[Hit]:
    steps = np.diff(s.time)
    absent = np.where(steps > 1.5 * s.interval, np.round(steps / s.interval) - 1, 0)
    span = round((int(s.time[-1]) - int(s.time[0])) / s.interval) + 1
    if s.interval >= 27 * NS_DAY:
        absent = np.where(steps > 1.3 * s.interval, absent, 0)
    yield from _told(s, absent.astype(np.int64), span, "")


def _against_itself(s: Series) -> Iterator[Hit]:
    steps = np.diff(s.time)
    if s.interval > NS_DAY + _HOUR:
        yield from _always(s)
        return
    days = _weekdays(s.time[1:] - 1) - _weekdays(s.time[:-1] - 1) - 1
    absent = np.where(days > s.settings.holiday_days, days, 0)
    if s.interval < NS_DAY - _HOUR:
        inside = (steps > 1.5 * s.interval) & (steps < _usual_break(s, steps))
        absent = np.where(inside, np.round(steps / s.interval) - 1, 0)
    span = s.n + int(absent.sum())
    yield from _told(s, absent.astype(np.int64), span, "")
    if s.interval < NS_DAY - _HOUR:
        long = np.where(days > s.settings.holiday_days, days, 0)
        rows = 1 + np.flatnonzero(long)
        if rows.size:
            yield _gap_hit(s, rows, long[rows - 1], "weekdays", f"{int(long.sum()):,} weekdays")


def _usual_break(s: Series, steps: IntArray) -> float:
    """Return the shortest usual break of the market, ns; infinite if it has none."""
    n_days = 1 + np.count_nonzero(np.diff(s.time // NS_DAY))
    values, counts = np.unique(steps[steps > 1.5 * s.interval], return_counts=True)
    usual = values[counts >= 0.1 * n_days]
    # One hour less, for daylight-saving changes.
    return float(usual[0]) - _HOUR if usual.size else np.inf


def _weekdays(time: IntArray) -> IntArray:
    """Return the number of weekdays since a fixed Monday, for each time."""
    day = time // NS_DAY + 3
    return day // 7 * 5 + np.minimum(day % 7, 4)


def _against_sessions(s: Series) -> Iterator[Hit]:
    if s.interval >= 1.5 * NS_DAY:
        yield from _always(s)
        return
    expected, there = expected_bars(s)
    if not there.size or there.mean() < _FITS:
        return  # zone, label and off_session say why
    row_after = np.searchsorted(s.time, expected[~there])
    absent = np.bincount(np.minimum(row_after, s.n - 1), minlength=s.n)[1:]
    yield from _told(s, absent, expected.size, f" of {s.calendar}")


def expected_bars(s: Series) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the closes that the calendar expects, and True for those that exist, (K,).

    For bars up to a day long.
    """
    if s.interval > NS_DAY - _HOUR:
        day, _, expected = session_bounds(s.calendar, s.time[0] // NS_DAY, s.time[-1] // NS_DAY)
        return expected, among(day, session_days(s, day))
    phase = int(np.bincount((s.time % s.interval) // 10**9).argmax()) * 10**9
    first, last = int(s.time[0]), int(s.time[-1])
    expected = expected_closes(s.calendar, s.interval, first, last, phase)
    return expected, among(expected, s.time)


def session_days(s: Series, sessions: IntArray) -> IntArray:
    """Return the session date of each daily row, days since 1970-01-01.

    A midnight is the date itself or its end, whichever matches more sessions.
    """
    same, before = s.time // NS_DAY, (s.time - 1) // NS_DAY
    fits = [among(days, sessions).sum() for days in (same, before)]
    return same if fits[0] >= fits[1] else before


def _told(s: Series, absent: IntArray, expected: int, of: str) -> Iterator[Hit]:
    rows = 1 + np.flatnonzero(absent)
    if rows.size:
        total = int(absent.sum())
        many = f"{total:,} of {expected:,} bars{of}"
        yield _gap_hit(s, rows, absent[rows - 1], "bars", many)


def _gap_hit(s: Series, rows: IntArray, sizes: IntArray, unit: str, many: str) -> Hit:
    longest = int(rows[np.argmax(sizes)])
    gaps = "one gap" if rows.size == 1 else f"{rows.size:,} gaps"
    most, total = int(sizes.max()), int(sizes.sum())
    verb = "is" if total == 1 else "are"
    lasts = f"{most:,} {unit if most > 1 else unit[:-1]}"
    text = (
        f"{many} {verb} missing in {gaps}; the longest has {lasts}, after "
        f"{iso(s.time[longest - 1])} and before row {s.number[longest]} ({iso(s.time[longest])})"
    )
    return Hit("gaps", rows, text, total)
