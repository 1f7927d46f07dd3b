"""Labels: from the times of a source, which name opens, closes or sessions, to closing times."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from alphalab.data.clock.times import NS_DAY, bar_spacing, duration_text, iso
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.formats.schema import Schema
from alphalab.errors import DataError
from alphalab.sessions import session_bounds
from alphalab.types import IntArray

#: What the times of bars name: the close of each bar, or a date whose close is not known.
TimeNames: TypeAlias = Literal["close", "date"]


class Closes(NamedTuple):
    """Closing times of bars.

    Attributes
    ----------
    time : ndarray of shape (R,)
        ns UTC.
    names : {"close", "date"}
        What the times name. ``"date"``: midnights of dates, and nobody said whether the bar of a
        date ends or begins there.
    notes : tuple of Note
    """

    time: IntArray
    names: TimeNames = "close"
    notes: Notes = ()


def closes(labels: IntArray, schema: Schema, where: str = "") -> Closes:
    """Return the closing times of bars.

    Parameters
    ----------
    labels : ndarray of shape (R,)
        ns UTC, in any order; of sessions: midnights of their dates.
    schema : Schema
        Its label, interval and calendar count.
    where : str
        Leads the messages.

    Raises
    ------
    DataError
        A date without a session, or opening times without a known spacing.
    """
    if schema.label == "session":
        return _session_closes(labels, schema.calendar, where)
    if schema.label == "open":
        return _after_open(labels, schema.interval_ns, where)
    if schema.label is None and _are_dates(labels):
        return Closes(
            labels,
            "date",
            (
                Note(
                    "dates",
                    "times are dates: a row counts as known at 00:00 UTC of its date "
                    "(if the date names the day that was traded, load it with label='session' and "
                    "a calendar, or with label='open')",
                ),
            ),
        )
    return Closes(labels)


def ask_about_dates(first: int, where: str) -> DataError:
    """Return the error about dates of which nobody said what they name; `first` in ns UTC."""
    return DataError(
        f"{where}times are dates, from {iso(first)[:10]} on",
        rule="the time of a bar is the instant of its close; state what a date names.",
        fix="label='session' with a calendar for sessions of an exchange (--label session "
        "--calendar XNYS), label='open' for days that begin at this midnight (--label open), "
        "label='close' for days that end there (--label close).",
    )


def checked_time_names(given: TimeNames) -> TimeNames:
    """Return what times name; another word is refused.

    Raises
    ------
    DataError
    """
    if given not in get_args(TimeNames):
        raise DataError(
            f"time_names={given!r}", rule=f"time_names is one of {', '.join(get_args(TimeNames))}."
        )
    return given


def zone_notes(time: IntArray, zoned: bool) -> Notes:
    """Return a note about times that carry no zone, unless all are midnights."""
    if zoned or not (time % NS_DAY).any():
        return ()
    return (Note("no_zone", "times carry no zone: taken as UTC"),)


def _after_open(labels: IntArray, step: int | None, where: str) -> Closes:
    """Return opening times moved later by one bar."""
    if step is None:
        distinct = _distinct(labels)
        if len(distinct) < 2:
            raise DataError(
                f"{where}one row does not tell how long a bar is",
                rule="a bar closes one interval after it opened.",
                fix="Give the interval, such as interval='1h' (--interval 1h).",
            )
        step = bar_spacing(distinct)
    text = f"times were those of the open: moved {duration_text(step)} to the close"
    return Closes(labels + step, notes=(Note("moved_to_close", text),))


def _are_dates(labels: IntArray) -> bool:
    """Return True if all times are midnights, mostly a day or more apart."""
    if (labels % NS_DAY).any():
        return False
    distinct = _distinct(labels)
    return len(distinct) > 1 and bar_spacing(distinct) >= NS_DAY


def _distinct(labels: IntArray) -> IntArray:
    return labels if (labels[1:] > labels[:-1]).all() else np.unique(labels)


def _session_closes(labels: IntArray, calendar: str, where: str) -> Closes:
    if (labels % NS_DAY).any():
        row = int(np.argmax(labels % NS_DAY != 0))
        raise DataError(
            f"{where}row {row}: {iso(labels[row])} is no date",
            rule="where a time names a session it is a date.",
            fix="Use label='close' or label='open' (--label) for times of day.",
        )
    days = labels // NS_DAY
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
    text = f"times were dates of sessions of {calendar}: moved to their closes"
    return Closes(close[np.searchsorted(known, days)], notes=(Note("moved_to_close", text),))
