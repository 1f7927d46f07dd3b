"""Intervals: what the spacing of rows says about the length of their bars."""

from __future__ import annotations

import numpy as np

from alphalab.data.rows import Rows
from alphalab.data.times import duration_text, parse_duration
from alphalab.errors import DataError

# Fewer steps tell nothing: two days of a holiday week could be anything.
_LEAST = 3


def check_interval(rows: Rows, interval: str) -> None:
    """Refuse rows whose most frequent step, within a symbol, is not the interval.

    Parameters
    ----------
    rows : Rows
        In the order of time for each symbol.
    interval : str
        Such as ``"5m"``.

    Raises
    ------
    DataError
        Another interval; the message has the counts. Fewer than 3 steps say nothing.

    Examples
    --------
    >>> from alphalab.data.synthetic import synthetic
    >>> check_interval(Rows.of(synthetic(100, 2, bar="5m")), "1h")
    Traceback (most recent call last):
        ...
    alphalab.errors.DataError: synthetic: interval '1h', and the most frequent step is 5m: ...
      Rule: rows are mostly one interval apart. Use interval '5m', or check the source.
    """
    asked = parse_duration(interval)
    steps = np.concatenate([np.diff(rows.time[places]) for _, places in rows.by_symbol()])
    if len(steps) < _LEAST:
        return
    distinct, counts = np.unique(steps, return_counts=True)
    most = int(np.argmax(counts))
    if distinct[most] == asked:
        return
    where = f"{rows.source}: " if rows.source else ""
    found = duration_text(int(distinct[most]))
    raise DataError(
        f"{where}interval {interval!r}, and the most frequent step is {found}: "
        f"{counts[most]:,} of {len(steps):,} steps; {_count(steps == asked)} are {interval}",
        rule="rows are mostly one interval apart.",
        fix=f"Use interval {found!r}, or check the source.",
    )


def _count(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    number = int(np.count_nonzero(mask))
    return f"{number:,}" if number else "none"
