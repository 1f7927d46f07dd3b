"""Advice: what helps rows that break a rule of bars, by the rule that they break."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from alphalab.data.clock.times import NS_SECOND
from alphalab.data.formats.schema import Mapping
from alphalab.data.ingest.repairs import repair
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import PRICES, repeats
from alphalab.errors import DataError
from alphalab.types import IntArray

# Zones whose clocks go back at different hours or nights; others share theirs.
_ZONES = ("America/New_York", "Europe/Berlin", "Europe/London", "Australia/Sydney")
_INCONSISTENT = ("widen", "drop_inconsistent")
_BY_RULE = {
    "a row that is given has its four prices.": ("drop_unknown",),
    "high is not below open, close or low.": _INCONSISTENT,
    "low is not above open or close.": _INCONSISTENT,
}


def advice(rows: Rows, error: DataError, mapping: Mapping) -> str:
    """Return what to do about an error of rows, besides what it says itself.

    Parameters
    ----------
    rows : Rows
    error : DataError
        What `Rows.check` said of them.
    mapping : Mapping
        How they were read.

    Returns
    -------
    str
        Names what fits the broken rule; empty where nothing does.
    """
    zone = repeated_hour(rows, mapping)
    if zone:
        return (
            f"These readings came twice in {zone}, where clocks went back that night: with "
            f"zone={zone!r}, or the zone of these times, and repeated_hour='infer' (--zone {zone} "
            "--repeated-hour infer) both hours stay; a repair would leave real rows out."
        )
    steps = _fitting(rows, error)
    if not steps:
        return ""
    flags = " or ".join(f"--repair {step}" for step in steps)
    return f"Or ask for a repair: {' or '.join(map(repr, steps))} ({flags})."


def repeated_hour(rows: Rows, mapping: Mapping) -> str:
    """Return a zone in which all times that repeat or go back were shown twice; empty: in none.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> hours = np.array(["2024-11-03T00", "2024-11-03T01", "2024-11-03T01"], "M8[ns]")
    >>> rows = Rows.of(synthetic(3, 1, gap_frac=0.0))
    >>> rows = replace(rows, time=hours.view(np.int64), notes=("times carry no zone: UTC",))
    >>> repeated_hour(rows, Mapping())
    'America/New_York'
    """
    if not any(note.startswith("times carry no zone") for note in rows.notes):
        return ""
    ahead = mapping.interval_ns or 0 if mapping.label == "open" else 0
    series = [rows.time[places] - ahead for _, places in rows.by_symbol()]
    back = np.unique(np.concatenate([time[1:][time[1:] <= time[:-1]] for time in series]))
    # Some hours of some years: more times than that are no night's.
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


def _fitting(rows: Rows, error: DataError) -> tuple[str, ...]:
    """Return the names of the repairs that are about the rule of an error."""
    if error.rule == "times are strictly increasing.":
        if "is duplicated" not in error.what:
            return ("sort",)
        distinct, _ = repair(rows, ["drop_duplicates"])
        if repeats(distinct.symbol, distinct.time).any():
            return ("keep_first", "keep_last")
        return ("drop_duplicates",)
    if error.rule == "prices are finite and above 0.":
        low = any((rows.columns[name] <= 0).any() for name in PRICES)
        return ("drop_nonpositive",) if low else ()
    return _BY_RULE.get(error.rule, ())
