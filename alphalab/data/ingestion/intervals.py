"""Checks of the interval of bars against the spacing of their rows."""

from __future__ import annotations

import numpy as np

from alphalab.data.clock.times import NS_DAY, NS_SECOND, duration_text, iso, parse_duration
from alphalab.data.panel.rows import Rows
from alphalab.errors import DataError

# With fewer steps the spacing is not known.
_LEAST = 3
# Some sources write the last moment of a bar: its close is one unit later.
_MOMENTS = ((NS_SECOND, "1 s"), (1_000_000, "1 ms"), (1_000, "1 us"), (1, "1 ns"))


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
        Another interval; the message has the counts. Fewer than 3 steps are not checked.

    Examples
    --------
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> check_interval(synthetic(100, 2, bar="5m").to_rows(), "1h")
    Traceback (most recent call last):
        ...
    alphalab.errors.DataError: synthetic: interval '1h', and the most frequent step is 5m: ...
      Rule: rows are mostly one interval apart. Use interval '5m' (--interval 5m), or check ...
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
        fix=f"Use interval {found!r} (--interval {found}), or check the source.",
    )


def check_moments(rows: Rows, interval: str) -> None:
    """Refuse rows whose times are the last moments of their bars, such as 00:59:59.999.

    Parameters
    ----------
    rows : Rows
    interval : str
        Such as ``"5m"``.

    Raises
    ------
    DataError
        Most times are a second, a millisecond, ... before the end of an interval.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> rows = synthetic(100, 1).to_rows()
    >>> check_moments(replace(rows, time=rows.time - 1_000_000), "1h")
    Traceback (most recent call last):
        ...
    alphalab.errors.DataError: synthetic: row 0 (2020-01-01T00:59:59.999Z) is 1 ms before the ...
      Rule: a bar is labelled by its close, at which the next one opens. Take the opens: ...
    """
    grid = min(parse_duration(interval), NS_DAY)
    for moment, text in _MOMENTS:
        if grid <= moment or 2 * np.count_nonzero((rows.time + moment) % grid == 0) <= len(rows):
            continue
        where = f"{rows.source}: " if rows.source else ""
        raise DataError(
            f"{where}row {rows.number[0]} ({iso(rows.time[0])}) is {text} before the end of its "
            f"{interval} bar",
            rule="a bar is labelled by its close, at which the next one opens.",
            fix="Take the opens: label='open' and columns={'time': 'open_time'}, or what their "
            "column is called (--label open -c time=open_time).",
        )


def _count(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    number = int(np.count_nonzero(mask))
    return f"{number:,}" if number else "none"
