"""Rules about the funding of perpetual contracts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alphalab.data.clock.times import NS_SECOND, iso
from alphalab.data.quality.series import Hit, Series
from alphalab.types import FloatArray, IntArray

_NS_HOUR = 3_600 * NS_SECOND


def funding_of_bars(s: Series) -> Iterator[Hit]:
    """Find rows in which a funding is due and no rate is known."""
    if not s.funding_hours or s.n < 2:
        return
    step = round(s.funding_hours * _NS_HOUR)
    due = np.concatenate(([False], np.diff(-(-s.time // step)) > 0))
    rate = s.columns.get("funding")
    if rate is None:
        yield Hit(
            "funding",
            np.flatnonzero(due),
            f"{int(due.sum()):,} fundings are due, one each {s.funding_hours:g} h, and no rates "
            "are given",
        )
        return
    rows = np.flatnonzero(due & ~np.isfinite(rate))
    if rows.size:
        at = int(rows[0])
        yield Hit(
            "funding",
            rows,
            f"{rows.size:,} of {int(due.sum()):,} rows in which funding is due have no rate, the "
            f"first is row {s.number[at]} ({iso(s.time[at])})",
        )


def funding_of_rates(
    s: Series, rate: FloatArray, hours: float = 0.0, span: tuple[int, int] | None = None
) -> Iterator[Hit]:
    """Find funding rates that are missing, duplicated, not finite, or stamped off their schedule.

    Parameters
    ----------
    s : Series
        Its times are those of the rates, increasing.
    rate : ndarray of shape (R,)
    hours : float
        Between two fundings; 0: as the rates are apart.
    span : tuple of int, optional
        First and last instant in which fundings are due, ns UTC. Not given: from the first rate
        to the last.
    """
    bad = np.flatnonzero(~np.isfinite(rate))
    if bad.size:
        yield Hit("missing_values", bad, f"{bad.size:,} rates are no numbers{_first(s, bad)}")
    step = round(hours * _NS_HOUR) or _usual_step(s.time)
    if not step:
        return
    slot = (s.time + step // 2) // step
    late = np.abs(s.time - slot * step)
    odd = np.flatnonzero(late > s.settings.funding_late * NS_SECOND)
    if odd.size:
        yield Hit(
            "off_grid",
            odd,
            f"{odd.size:,} of {s.n:,} stamps are more than {s.settings.funding_late:g} s from a "
            f"multiple of {step / _NS_HOUR:g} h since midnight UTC{_first(s, odd)}",
        )
    twice = 1 + np.flatnonzero(np.diff(slot) == 0)
    if twice.size:
        yield Hit("funding", twice, f"{twice.size:,} fundings have two rates{_first(s, twice)}")
    first, last = (slot[0], slot[-1]) if span is None else (-(-span[0] // step), span[1] // step)
    due = np.arange(first, last + 1)
    absent = due[~np.isin(due, slot)]
    if absent.size:
        after = np.searchsorted(slot, absent).clip(max=s.n - 1)
        yield Hit(
            "funding",
            np.unique(after),
            f"{absent.size:,} of {due.size:,} fundings have no rate, the first is that of "
            f"{iso(int(absent[0]) * step)}, the last that of {iso(int(absent[-1]) * step)}",
            int(absent.size),
            absent * step,
        )


def _usual_step(time: IntArray) -> int:
    """Return the most frequent step between rates, ns, rounded to minutes: stamps are ms late."""
    if len(time) < 3:
        return 0
    minutes = np.round(np.diff(time) / (60 * NS_SECOND)).astype(np.int64)
    values, counts = np.unique(minutes[minutes > 0], return_counts=True)
    return int(values[np.argmax(counts)]) * 60 * NS_SECOND if values.size else 0


def _first(s: Series, rows: IntArray) -> str:
    at = int(rows[0])
    return f", the first is row {s.number[at]} ({iso(s.time[at])})"
