"""Folds: rows to choose on, and the rows after them to test the choice on."""

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
    """Rows that parameters are chosen on, and rows that they trade: first, and one after last."""

    train: tuple[int, int]
    test: tuple[int, int]


def make_folds(bars: Bars, train: Any, test: Any, anchored: bool, gap: Any) -> Iterator[Fold]:
    """Yield folds whose test rows follow each other to the end of the bars.

    Parameters
    ----------
    bars : Bars
    train, test : int or str
        Rows, or a time. The last test rows may be fewer.
    anchored : bool
        Whether all training rows begin with the first row; else they are the last ones of this
        length before the gap.
    gap : int
        Rows between training and test rows.

    Raises
    ------
    ParameterError
        What is no length, or training rows that leave no row to test on.

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
            rule="there are rows after the first choice.",
            fix="Choose on fewer rows, or take more data.",
        )
    while start < bars.n_rows:
        trained, end = start - int(gap), min(used.after(bars.time, start), bars.n_rows)
        yield Fold((0 if anchored else seen.before(bars.time, trained), trained), (start, end))
        start = end


class _Length(NamedTuple):
    """A number of rows, or a time in nanoseconds: the other one is 0."""

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
            rule=f"{name} is a number of rows, at least 1, or a time such as '365d' or '12h'.",
        )

    def after(self, time: IntArray, row: int) -> int:
        """Return the first row that lies this long after a row."""
        if self.rows:
            return row + self.rows
        return int(time.searchsorted(min(int(time[row]) + self.ns, _LAST)))

    def before(self, time: IntArray, row: int) -> int:
        """Return the first of the rows before a row that are within this length."""
        if self.rows:
            return row - self.rows
        return int(time.searchsorted(max(int(time[row - 1]) - self.ns, -_LAST), side="right"))


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
