"""Observations that a run still trades on long after they became known, told as warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from alphalab.data.clock.times import NS_DAY, NS_SECOND, duration_text, iso
from alphalab.data.panel.bars import Bars
from alphalab.types import IntArray

#: A value older than this many usual intervals between two values is old.
USUAL_INTERVALS = 3


def old_values(bars: Bars, read: Iterable[str]) -> Iterator[str]:
    """Yield a warning for each observation, among the columns that are read, with old values.

    Of the symbols of one column the one with the oldest value is named.
    """
    for name in read:
        found = []
        for symbol, known in bars.known_since.get(name, {}).items():
            if symbol in bars.symbols and known.size > 1:
                asset = bars.symbols.index(symbol)
                traded = ~np.isnan(bars.close[:, asset]) & ~np.isnan(bars[name][:, asset])
                found.append((*_ages(bars.time[traded], known), symbol))
        if found and (worst := max(found))[0] > 0:
            oldest, row, n_old, n_rows, usual, symbol = worst
            yield (
                f"Column {name}: {symbol} trades in {n_old:,} of {n_rows:,} rows on a value that "
                f"is more than {USUAL_INTERVALS} times as old as its usual interval of "
                f"{_rounded(usual)}; on {iso(row)[:10]} it is {_rounded(oldest)} old. Give "
                "bars.with_observations(..., max_age=...) if values end."
            )


def _ages(time: IntArray, known: IntArray) -> tuple[int, int, int, int, int]:
    """Return the greatest age and its time, the rows with old values, all rows, the interval.

    The age is 0 where no value is old.
    """
    usual = int(np.median(np.diff(known)))
    age = time - known[np.maximum(np.searchsorted(known, time, side="right") - 1, 0)]
    old = age > USUAL_INTERVALS * usual
    if not old.any():
        return 0, 0, 0, time.size, usual
    worst = int(np.argmax(age))
    return int(age[worst]), int(time[worst]), int(old.sum()), time.size, usual


def _rounded(ns: int) -> str:
    """Return a length of time in whole days, or in whole seconds below one."""
    unit = NS_DAY if ns >= NS_DAY else NS_SECOND
    return duration_text(ns // unit * unit)
