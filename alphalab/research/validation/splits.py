"""Splits of rows into folds: training rows, and the test rows after them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from alphalab.data.clock.times import parse_duration
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError
from alphalab.types import IntArray

_LAST = int(np.iinfo(np.int64).max)


class Fold(NamedTuple):
    """Training rows, on which a variant is chosen, and test rows: first, and one after last."""

    train: tuple[int, int]
    test: tuple[int, int]


def make_folds(bars: Bars, train: Any, test: Any, anchored: bool, gap: Any) -> Iterator[Fold]:
    """Yield folds whose test rows are adjacent and reach the end of the bars.

    Parameters
    ----------
    bars : Bars
    train, test : int or str
        Rows, or a duration. The last fold may have fewer test rows.
    anchored : bool
        True: training rows begin with the first row. False: they are the last ones of length
        `train` before the gap.
    gap : int
        Rows between training and test rows.

    Raises
    ------
    ParameterError
        An invalid length, or training rows that leave no test row.

    Examples
    --------
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> [tuple(fold) for fold in make_folds(synthetic(10, 1), 4, 3, False, gap=1)]
    [((0, 4), (5, 8)), ((3, 7), (8, 10))]
    """
    if not _is_whole(gap) or gap < 0:
        raise ParameterError(f"gap={gap!r}", rule="gap is a number of rows, at least 0.")
    seen, used = _Length.of(train, "train"), _Length.of(test, "test")
    start = seen.after(bars.time, 0) + int(gap)
    if start >= bars.n_rows:
        raise ParameterError(
            f"walk_forward(train={train!r}, gap={gap}) on {bars.n_rows:,} rows",
            rule="at least one test row follows the first training rows.",
            fix="Use fewer training rows, or more data.",
        )
    while start < bars.n_rows:
        trained, end = start - int(gap), min(used.after(bars.time, start), bars.n_rows)
        yield Fold((0 if anchored else seen.before(bars.time, trained), trained), (start, end))
        start = end


class _Length(NamedTuple):
    """A number of rows, or a duration in nanoseconds; the other field is 0."""

    rows: int
    ns: int

    @classmethod
    def of(cls, given: Any, name: str) -> _Length:
        try:
            if isinstance(given, str):
                return cls(0, parse_duration(given))
            if _is_whole(given) and given >= 1:
                return cls(int(given), 0)
        except DataError:
            pass
        raise ParameterError(
            f"{name}={given!r}",
            rule=f"{name} is a number of rows, at least 1, or a duration such as '365d' or '12h'.",
        )

    def after(self, time: IntArray, row: int) -> int:
        """Return the first row that is this length or more after a row."""
        if self.rows:
            return row + self.rows
        return int(time.searchsorted(min(int(time[row]) + self.ns, _LAST)))

    def before(self, time: IntArray, row: int) -> int:
        """Return the first of the rows within this length before a row."""
        if self.rows:
            return row - self.rows
        return int(time.searchsorted(max(int(time[row - 1]) - self.ns, -_LAST), side="right"))


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
