"""Labels: from what a time names, the open, the close or the session, to the close of its bar."""

from __future__ import annotations

import numpy as np

from alphalab.data.clock.times import NS_DAY, closing_times, duration_text, iso
from alphalab.data.formats.schema import Mapping
from alphalab.errors import DataError
from alphalab.types import IntArray

#: How the note about bars begins that are labelled by dates: which instants these are is a guess.
DATED = "times are dates"


def closes(labels: IntArray, mapping: Mapping, where: str = "") -> tuple[IntArray, tuple[str, ...]]:
    """Return the closing times of bars, (R,), and what a report has to say about them.

    Parameters
    ----------
    labels : ndarray of shape (R,)
        ns UTC, in any order; of sessions: midnights of their dates.
    mapping : Mapping
        Its label, interval and calendar count.
    where : str
        What leads the messages.

    Raises
    ------
    DataError
        A date without a session, or opening times whose spacing is not to be seen.
    """
    if mapping.label == "session":
        if (labels % NS_DAY).any():
            row = int(np.argmax(labels % NS_DAY != 0))
            raise DataError(
                f"{where}row {row}: {iso(labels[row])} is no date",
                rule="where a time names a session it is a date.",
                fix="Use label='close' or label='open' (--label) for times of day.",
            )
        return _session_closes(labels // NS_DAY, mapping.calendar, where)
    if mapping.label == "open" and mapping.interval_ns is not None:
        step = mapping.interval_ns
        return labels + step, (
            f"times were those of the open: moved {duration_text(step)} to the close",
        )
    distinct = labels if (labels[1:] > labels[:-1]).all() else np.unique(labels)
    if mapping.label == "open" and len(distinct) < 2:
        raise DataError(
            f"{where}one row does not tell how long a bar is",
            rule="a bar closes one interval after it opened.",
            fix="Give the interval, such as interval='1h' (--interval 1h).",
        )
    if mapping.label == "close":
        return labels, ()  # dates, too, if they are said to be closes
    moved, said = closing_times(distinct, mapping.label or "close")
    return labels + int(moved[0] - distinct[0]), said


def _session_closes(days: IntArray, calendar: str, where: str) -> tuple[IntArray, tuple[str, ...]]:
    from alphalab.data.clock.calendars import session_bounds

    known, _, close = session_bounds(calendar, int(days.min()), int(days.max()))
    none = ~np.isin(days, known)
    if none.any():
        row = int(np.argmax(none))
        raise DataError(
            f"{where}row {row}: {np.datetime64(int(days[row]), 'D')} is no session of {calendar}, "
            f"as {int(none.sum())} of {len(days)} rows",
            rule="where a time names a session, its date is one.",
            fix="Correct the calendar (--calendar), or leave these rows out.",
        )
    return close[np.searchsorted(known, days)], (
        f"times were dates of sessions of {calendar}: moved to their closes",
    )
