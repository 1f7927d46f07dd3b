"""Advice: remedies for rows that break a rule of bars."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from alphalab.data.clock.times import NS_SECOND
from alphalab.data.formats.notes import has
from alphalab.data.formats.schema import Schema
from alphalab.data.ingestion.repairs import repair
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import PRICES, BrokenRule, repeats
from alphalab.types import IntArray

# One zone for each date and hour at which daylight saving ends.
_ZONES = ("America/New_York", "Europe/Berlin", "Europe/London", "Australia/Sydney")
_INCONSISTENT = ("widen", "drop_inconsistent")
_BY_RULE: dict[BrokenRule, tuple[str, ...]] = {
    "unknown_price": ("drop_unknown",),
    "unsorted_time": ("sort",),
    "high": _INCONSISTENT,
    "low": _INCONSISTENT,
}


def advice(rows: Rows, broken: BrokenRule, schema: Schema) -> str:
    """Return which remedies help rows that break a rule; empty where none does.

    Parameters
    ----------
    rows : Rows
    broken : str
        The rule that `Rows.broken` found.
    schema : Schema
        How the rows were read.
    """
    zone = repeated_hour(rows, schema)
    if zone:
        return (
            f"These local times occurred twice in {zone}, where daylight saving ended: with "
            f"zone={zone!r}, or the zone of these times, and repeated_hour='infer' (--zone {zone} "
            "--repeated-hour infer) both hours are kept; a repair would drop real rows."
        )
    steps = _fitting(rows, broken)
    if not steps:
        return ""
    flags = " or ".join(f"--repair {step}" for step in steps)
    return f"Or use a repair: {' or '.join(map(repr, steps))} ({flags})."


def repeated_hour(rows: Rows, schema: Schema) -> str:
    """Return a zone whose repeated hour explains all times that repeat or go back; empty: none.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alphalab.data.formats.notes import Note
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> hours = np.array(["2024-11-03T00", "2024-11-03T01", "2024-11-03T01"], "M8[ns]")
    >>> rows = synthetic(3, 1, gap_frac=0.0).to_rows()
    >>> unzoned = Note("no_zone", "times carry no zone: taken as UTC")
    >>> rows = replace(rows, time=hours.view(np.int64), notes=(unzoned,))
    >>> repeated_hour(rows, Schema())
    'America/New_York'
    """
    if not has(rows.notes, "no_zone"):
        return ""
    ahead = schema.interval_ns or 0 if schema.label == "open" else 0
    series = [rows.time[places] - ahead for _, places in rows.by_symbol()]
    back = np.unique(np.concatenate([time[1:][time[1:] <= time[:-1]] for time in series]))
    # Over 1,000 duplicate times are not a daylight-saving change.
    if not 0 < len(back) <= 1_000:
        return ""
    return next((zone for zone in _ZONES if _shown_twice(back, ZoneInfo(zone))), "")


def _shown_twice(readings: IntArray, zone: ZoneInfo) -> bool:
    for seconds in (readings // NS_SECOND).tolist():
        reading = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=zone)
        first, second = (reading.replace(fold=fold).utcoffset() for fold in (0, 1))
        if first is None or second is None or first <= second:
            return False
    return True


def _fitting(rows: Rows, broken: BrokenRule) -> tuple[str, ...]:
    """Return the names of the repairs that help with a broken rule."""
    if broken == "duplicate_time":
        distinct, _ = repair(rows, ["drop_duplicates"])
        if repeats(distinct.symbol, distinct.time).any():
            return ("keep_first", "keep_last")
        return ("drop_duplicates",)
    if broken == "price_range":
        low = any((rows.columns[name] <= 0).any() for name in PRICES)
        return ("drop_nonpositive",) if low else ()
    return _BY_RULE.get(broken, ())
