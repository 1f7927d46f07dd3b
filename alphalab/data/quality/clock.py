"""Rules about times: a wrong zone, opening times, and rows outside the sessions.

They compare rows with the sessions of an exchange. Without a calendar they check only daily rows
and markets that never close.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import NS_DAY, iso
from alphalab.data.quality.gaps import never_closes, session_days
from alphalab.data.quality.series import Hit, Series, among
from alphalab.sessions import ALWAYS, Sessions, sessions
from alphalab.types import IntArray

_HOUR = NS_DAY // 24
#: Shifts in hours that a wrong zone explains.
_SHIFTS = np.arange(-14, 15)
#: Times are right from this share of rows inside sessions on; a shift is reported if it gains this
#: much.
_RIGHT, _GAIN = 0.98, 0.05
#: With fewer rows, zone and label are not checked.
_FEW = 5
#: Number of rows that a shift is estimated from.
_TELL = 20_000


def dates_as_times(s: Series) -> Iterator[Hit]:
    """Find daily rows at midnight from Monday to Friday: dates, not closing times."""
    if s.n < 5 or s.interval != NS_DAY or (s.time % NS_DAY).any():
        return
    weekday = (s.time // NS_DAY + 3) % 7
    if (weekday >= 5).any() or not (weekday == 0).any():
        return
    yield Hit(
        "label",
        np.arange(s.n),
        f"daily rows stand at 00:00 UTC from Monday to Friday, as {iso(s.time[0])}: these are "
        "dates, and taken as the close they are known before the market opened",
    )


def whole_days_by_open(s: Series) -> Iterator[Hit]:
    """Find rows of whole days, the first at midnight, of a market that never closes.

    Checked of raw rows only: `Bars` may be a slice that begins at midnight.
    """
    if not 0 < s.interval < NS_DAY or s.n < s.settings.min_rows:
        return
    if s.calendar != ALWAYS and (s.calendar or not never_closes(s.time)):
        return
    first, end = int(s.time[0]), int(s.time[-1]) + s.interval
    if first % NS_DAY == 0 and end % NS_DAY == 0:
        yield Hit(
            "label",
            np.array([0, s.n - 1]),
            f"the rows begin at {iso(first)} and end at {iso(s.time[-1])}: whole days, if the "
            "times are those of the open",
        )


def against_sessions(s: Series) -> Iterator[Hit]:
    """Find rows outside the sessions of an exchange, and the shift or label that explains them."""
    if not s.interval or s.interval > 1.5 * NS_DAY:
        return
    known = sessions(s.calendar, s.time[0] // NS_DAY - 2, s.time[-1] // NS_DAY + 2)
    if not known.day.size:
        return
    if s.interval > NS_DAY - _HOUR:
        yield from _daily(s, known)
    elif s.n >= _FEW:
        yield from _intraday(s, known)


def _daily(s: Series, known: Sessions) -> Iterator[Hit]:
    own = session_days(s, known.day)
    closed = np.flatnonzero(~among(own, known.day))
    shares = {by: float(among(own + by, known.day).mean()) for by in (-1, 1)}
    by = max(shares, key=lambda day: shares[day])
    if s.n >= _FEW and shares[by] > 1 - closed.size / s.n + _GAIN:
        yield Hit(
            "zone",
            np.arange(s.n),
            f"{closed.size:,} of {s.n:,} daily rows are of days without a session of {s.calendar}, "
            f"and {(1 - shares[by]) * s.n:,.0f} if every date were {abs(by)} day "
            f"{'later' if by > 0 else 'earlier'}: a zone was lost",
        )
        return
    if closed.size:
        yield _closed(s, closed, f"of days without a session of {s.calendar}")
    # Rows that close before their session opens, or while it is open.
    place = np.searchsorted(known.day, own).clip(max=known.day.size - 1)
    early = (known.day[place] == own) & (s.time < known.close[place])
    if s.n >= _FEW and early.mean() > 0.5:
        yield Hit(
            "label",
            np.flatnonzero(early),
            f"{int(early.sum()):,} of {s.n:,} daily rows count as known before the session of "
            f"their date has closed: {iso(s.time[np.argmax(early)])} is before "
            f"{iso(known.close[place[np.argmax(early)]])}",
        )


def _intraday(s: Series, known: Sessions) -> Iterator[Hit]:
    inside = _inside(s.time, known)
    opened = among(known.open, s.time)
    closes = among(known.close, s.time)
    seen = among(known.day, s.time // NS_DAY)
    now = float(inside.mean())
    shift = _shift_of(s, known, now) if s.enough and now < _RIGHT else ""
    if shift:
        yield Hit("zone", np.flatnonzero(~inside), shift)
        return
    by_open = seen.any() and opened[seen].mean() > 0.5 and closes[seen].mean() < 0.5
    if by_open:
        rows = np.flatnonzero(among(s.time, known.open))
        yield Hit(
            "label",
            rows,
            f"{rows.size:,} of {int(seen.sum()):,} sessions of {s.calendar} have a row at their "
            f"opening ({iso(s.time[rows[0]])}), where no bar has closed, and "
            f"{int((closes & seen).sum()):,} have one at their close",
        )
        inside |= among(s.time, known.open)
    closed = np.flatnonzero(~inside)
    if closed.size:
        yield _closed(s, closed, f"while {s.calendar} is closed")


def _shift_of(s: Series, known: Sessions, now: float) -> str:
    """Return a sentence about the shift that moves the rows into the sessions, or an empty one."""
    time = s.time[:: _stride(s.n)]
    best, share = _best_shift(time, known)
    halves = _by_offset(time, known)
    each = [_best_shift(time[half], known) for half in halves if half.sum() >= 20]
    if len(each) == 2 and each[0][0] != each[1][0] and min(x for _, x in each) > share:
        (winter, a), (summer, b) = each
        if min(a, b) > now + _GAIN:
            return (
                f"{now:.0%} of the rows lie in sessions of {s.calendar}; {min(a, b):.0%} would if "
                f"times were {winter:+d} h in winter and {summer:+d} h in summer: times of a zone "
                "whose clocks change were read with a fixed one"
            )
    if best and share > now + _GAIN:
        return (
            f"{now:.0%} of the rows lie in sessions of {s.calendar}, and {share:.0%} if every time "
            f"were {best:+d} h"
        )
    return ""


def _stride(n: int) -> int:
    """Return a sampling step for the rows that still meets all hours and minutes."""
    stride = max(n // _TELL, 1)
    while gcd(stride, 30) > 1:
        stride += 1
    return stride


def _best_shift(time: IntArray, known: Sessions) -> tuple[int, float]:
    """Return the shift, hours, with most rows inside sessions, and their share."""
    shares = [float(_inside(time + int(h) * _HOUR, known).mean()) for h in _SHIFTS]
    top = max(shares)
    near = [int(h) for h, x in zip(_SHIFTS, shares, strict=True) if x > top - 0.005]
    best = min(near, key=abs)
    return best, shares[int(best - _SHIFTS[0])]


def _by_offset(time: IntArray, known: Sessions) -> list[NDArray[np.bool_]]:
    """Return the rows of days with the later close in UTC (winter), and the other rows."""
    place = np.searchsorted(known.day, time // NS_DAY).clip(max=known.day.size - 1)
    of_day = (known.open[place] % NS_DAY) // _HOUR
    return [of_day == value for value in sorted(np.unique(of_day).tolist(), reverse=True)[:2]]


def _inside(time: IntArray, known: Sessions) -> NDArray[np.bool_]:
    """Return True where a time lies after the open of a session and up to its close."""
    place = np.searchsorted(known.part_open, time, side="left") - 1
    return (place >= 0) & (time <= known.part_close[np.maximum(place, 0)])


def _closed(s: Series, rows: IntArray, words: str) -> Hit:
    verb = "row is" if rows.size == 1 else "rows are"
    at = int(rows[0])
    text = f"{rows.size:,} {verb} {words}, the first is row {s.number[at]} ({iso(s.time[at])})"
    return Hit("off_session", rows, text)
