"""The distribution of out-of-sample paths of choosing the best column, from segment sums alone."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.research.validation.segments import SegmentSums, sharpe_of
from alphalab.types import FloatArray


def cpcv_paths(sums: SegmentSums, n_test: int = 2) -> FloatArray:
    """Sharpe ratios of the paths of combinatorial cross-validation over a sweep.

    For every choice of `n_test` of the S segments, the column with the best Sharpe ratio in all
    other segments is traded in them. Each segment is tested C(S - 1, n_test - 1) times, so that the
    tests join to as many paths over all rows. Lopez de Prado, Advances in Financial Machine
    Learning (2018), section 12.4.

    No rows are purged between the segments: a return belongs to one row, and no label reaches into
    the next one. Models fitted to labels that do are split by `purged.CombinatorialPurged`.

    Parameters
    ----------
    sums : SegmentSums
        At least 4 segments of at least two columns.
    n_test : int
        From 1 to S - 1.

    Returns
    -------
    ndarray of shape (C(S - 1, n_test - 1),)
        Sharpe ratio of each path, per row.

    Raises
    ------
    ParameterError
        Fewer than 4 segments, an `n_test` outside its range, or more than 100,000 combinations.
    DataError
        A single column: there is nothing to choose.

    Examples
    --------
    >>> from alphalab.research.validation.segments import segment_sums
    >>> returns = np.random.default_rng(3).normal(0.0, 0.01, (1_600, 20))
    >>> returns[:, 4] += 0.002
    >>> paths = cpcv_paths(segment_sums(returns))
    >>> paths.size, bool(paths.min() > 0.1)
    (15, True)
    """
    n = sums.n_segments
    if n < 4 or not 1 <= n_test < n:
        raise ParameterError(
            f"{n} segments, n_test={n_test}",
            rule="there are at least 4 segments, and 1 <= n_test < number of segments.",
        )
    if sums.n_columns < 2:
        raise DataError(
            "paths of 1 column",
            rule="a path is made of choices between columns: it takes at least two.",
            fix="Sweep more than one combination.",
        )
    if (n_splits := math.comb(n, n_test)) > 100_000:
        raise ParameterError(
            f"{n_splits:,} combinations", rule="at most 100,000.", fix="Use a smaller n_test."
        )
    tested = np.array(list(combinations(range(n), n_test)))
    trained = np.ones((len(tested), n))
    np.put_along_axis(trained, tested, 0.0, axis=1)
    rows = (trained @ sums.rows)[:, np.newaxis]
    chosen = np.argmax(sharpe_of(trained @ sums.total, trained @ sums.squares, rows), axis=1)
    total, squares = 0.0, 0.0
    for segment in range(n):
        columns = chosen[(tested == segment).any(axis=1)]  # in order: one for each path
        total = total + sums.total[segment, columns]
        squares = squares + sums.squares[segment, columns]
    return sharpe_of(np.asarray(total), np.asarray(squares), int(sums.rows.sum()))
