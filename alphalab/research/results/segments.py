"""Segment sums: what the statistics of overfitting need to know of a column of returns.

The rows are cut into S segments of equal length. For each segment a column keeps three numbers: the
sum of its returns, the sum of their squares, and the number of rows. Sums over any set of segments
follow by addition, so no statistic reads the returns a second time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray, IntArray

#: Default number of segments.
N_SEGMENTS = 16
#: Fewest segments that statistics of overfitting take.
FEWEST_SEGMENTS = 4
#: Most segments: 64 halves have more combinations than anybody can look at.
MOST_SEGMENTS = 64
#: A spread of returns below this is rounding, as in the metrics.
ROUNDING = 1e-14
#: Fewest rows of a segment: a Sharpe ratio of one row does not exist.
FEWEST_ROWS = 2


class SegmentSums(NamedTuple):
    """Sums of the returns of M columns in S segments.

    Attributes
    ----------
    total, squares : ndarray of shape (S, M)
        Sum of the returns, and of their squares.
    rows : ndarray of shape (S,)
        int64: rows of each segment.
    """

    total: FloatArray
    squares: FloatArray
    rows: IntArray

    @property
    def n_segments(self) -> int:
        """Number of segments, S."""
        return self.rows.size

    @property
    def n_columns(self) -> int:
        """Number of columns, M."""
        return int(self.total.shape[1])

    def merged(self, n_segments: int) -> SegmentSums:
        """Return the sums of fewer segments: neighbours are added.

        Raises
        ------
        ParameterError
            A number that does not divide that of the segments.

        Examples
        --------
        >>> sums = segment_sums(np.array([0.5, 0.25, -0.5, 0.125] * 2), n_segments=4)
        >>> sums.merged(2).total[:, 0].tolist(), sums.merged(2).rows.tolist()
        ([0.375, 0.375], [4, 4])
        """
        if n_segments < 1 or self.n_segments % n_segments:
            raise ParameterError(
                f"{self.n_segments} segments merged to {n_segments}",
                rule=f"the number divides {self.n_segments}.",
            )

        def added(values: Any) -> Any:
            return values.reshape(n_segments, -1, *values.shape[1:]).sum(axis=1)

        return SegmentSums(*map(added, self))


def segment_bounds(n_rows: int, n_segments: int) -> IntArray:
    """Return the first row of every segment, and the number of rows at the end.

    Segment s holds the rows from ``n_rows * s // n_segments`` on; lengths differ by one row at
    most.

    Raises
    ------
    ParameterError
        A number of segments that is odd, below 2 or above `MOST_SEGMENTS`.
    DataError
        Fewer rows than two for each segment.

    Examples
    --------
    >>> segment_bounds(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    if not 2 <= n_segments <= MOST_SEGMENTS or n_segments % 2:
        raise ParameterError(
            f"n_segments={n_segments}",
            rule=f"the number of segments is even, from 2 to {MOST_SEGMENTS}.",
        )
    if n_rows < FEWEST_ROWS * n_segments:
        raise DataError(
            f"{n_rows} rows in {n_segments} segments",
            rule=f"each segment has at least {FEWEST_ROWS} rows: "
            f"{FEWEST_ROWS * n_segments} rows are needed.",
            fix="Take more data, or fewer segments.",
        )
    return np.arange(n_segments + 1, dtype=np.int64) * n_rows // n_segments


def kept_segments(n_rows: int, n_segments: int) -> int:
    """Return the number of segments that a sweep of so many rows keeps: 0 if the rows are too few.

    Raises
    ------
    ParameterError
        A number of segments that is odd, below 4 or above `MOST_SEGMENTS`.

    Examples
    --------
    >>> kept_segments(2_520, 16), kept_segments(31, 16)
    (16, 0)
    """
    if not FEWEST_SEGMENTS <= n_segments <= MOST_SEGMENTS or n_segments % 2:
        raise ParameterError(
            f"n_segments={n_segments}",
            rule="the number of segments of a sweep is even, from "
            f"{FEWEST_SEGMENTS} to {MOST_SEGMENTS}.",
        )
    return n_segments if n_rows >= FEWEST_ROWS * n_segments else 0


def segment_sums(returns: FloatArray, n_segments: int = N_SEGMENTS) -> SegmentSums:
    """Return the sums of each segment, added in the order of the rows.

    The order of addition is part of the contract: an addition row by row gives the same bits.

    Parameters
    ----------
    returns : ndarray of shape (T, M) or (T,)
        Simple return of each row and column, as a fraction. NaN is refused.
    n_segments : int
        S, even, from 2 to 64.

    Returns
    -------
    SegmentSums

    Raises
    ------
    DataError
        A return that is not finite; fewer rows than two for each segment.
    ParameterError
        A number of segments that is not allowed.

    Examples
    --------
    >>> sums = segment_sums(np.array([0.5, 0.25, -0.5, 0.125]), n_segments=2)
    >>> sums.total[:, 0].tolist(), sums.squares[:, 0].tolist(), sums.rows.tolist()
    ([0.75, -0.375], [0.3125, 0.265625], [2, 2])
    """
    table = np.asarray(returns, np.float64)
    table = table[:, np.newaxis] if table.ndim == 1 else table
    unknown = np.argwhere(~np.isfinite(table))
    if unknown.size:
        row, column = (int(place) for place in unknown[0])
        raise DataError(
            f"the return of row {row}, column {column} is {table[row, column]}",
            rule="every return is a finite number.",
            fix="Leave out columns whose account fell to zero, and rows without a return.",
        )
    bounds = segment_bounds(len(table), n_segments)
    total = np.empty((n_segments, table.shape[1]))
    squares = np.empty_like(total)
    for s in range(n_segments):
        part = table[bounds[s] : bounds[s + 1]]
        # np.sum adds pairwise in some shapes; a running sum adds row after row in all of them.
        total[s] = np.add.accumulate(part, axis=0)[-1]
        squares[s] = np.add.accumulate(part * part, axis=0)[-1]
    return SegmentSums(total, squares, np.diff(bounds))


def sharpe_of(
    total: FloatArray, squares: FloatArray, rows: FloatArray | IntArray | int
) -> FloatArray:
    """Return Sharpe ratios per row from sums: mean / standard deviation, ddof 1.

    The ratio of a column that never moved (all its returns are 0) is 0: it made no bet. The ratio
    of any other column without a spread is infinite.

    Parameters
    ----------
    total, squares : ndarray
        Sums of the returns and of their squares.
    rows : int or ndarray
        How many there were.

    Examples
    --------
    >>> sharpe_of(np.array([0.02, 0.0]), np.array([0.0004, 0.0]), 2).round(6).tolist()
    [0.707107, 0.0]
    """
    spread = np.sqrt(np.maximum(squares - total * total / rows, 0.0) / (rows - 1))
    flat = spread <= ROUNDING
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = total / rows / np.where(flat, 0.0, spread)
    return np.where(squares == 0.0, 0.0, ratio)
