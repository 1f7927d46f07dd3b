"""Cross-validation of models whose labels reach into later rows: purged, with an embargo.

Splitters with scikit-learn's interface, for its `cross_val_score` and its searches. Two rules keep
a test honest (Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7):

- *purge*: a training row is left out when its label and the label of a test row share a row;
- *embargo*: so are the rows right after a test, whose features still remember it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray, IntArray

_MOST_SPLITS = 100_000


class PurgedKFold:
    """K folds in order of time; each is tested once, with purge and embargo around it.

    Parameters
    ----------
    n_splits : int
        Folds, at least 2.
    horizon : int or ndarray of shape (T,)
        Rows after its own that a label looks at: one number, or one for each row. A label of the
        return to the next row has 1.
    embargo : int
        Rows after each test that are not trained on.

    Raises
    ------
    ParameterError
        An argument outside its range.

    Examples
    --------
    >>> folds = PurgedKFold(3, horizon=2, embargo=1)
    >>> [(train.tolist(), test.tolist()) for train, test in folds.split(np.zeros(12))][1]
    ([0, 1, 11], [4, 5, 6, 7])
    """

    def __init__(self, n_splits: int = 5, *, horizon: int | IntArray = 1, embargo: int = 0) -> None:
        _check_counts(n_splits=(n_splits, 2), embargo=(embargo, 0))
        self.n_splits = n_splits
        self.horizon = horizon
        self.embargo = embargo

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(
        self,
        X: Any,
        y: Any = None,
        groups: Any = None,
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like with T rows, in order of time
        y, groups
            Not read.

        Raises
        ------
        DataError
            Too few rows, or a horizon and embargo that leave nothing to train on.
        """
        bounds = _bounds(_n_rows(X), self.n_splits)
        ends = _label_ends(self.horizon, int(bounds[-1]))
        for k in range(self.n_splits):
            yield _split(bounds, (k,), ends, self.embargo)


class CombinatorialPurged:
    """Every choice of test folds among all folds, with purge and embargo around each.

    The tests join to C(n_folds - 1, n_test_folds - 1) paths over all rows: section 12.4 of the book
    above. For a horizon that is the same in all rows the splits are those of
    `skfolio.model_selection.CombinatorialPurgedCV`, which also plots them.

    Parameters
    ----------
    n_folds : int
        Folds, at least 3.
    n_test_folds : int
        From 1 to ``n_folds - 1``.
    horizon, embargo
        As in `PurgedKFold`.

    Raises
    ------
    ParameterError
        An argument outside its range, or more than 100,000 splits.

    Examples
    --------
    >>> cv = CombinatorialPurged(6, 2)
    >>> cv.get_n_splits(), cv.n_paths
    (15, 5)
    """

    def __init__(
        self,
        n_folds: int = 10,
        n_test_folds: int = 2,
        *,
        horizon: int | IntArray = 1,
        embargo: int = 0,
    ) -> None:
        _check_counts(n_folds=(n_folds, 3), n_test_folds=(n_test_folds, 1), embargo=(embargo, 0))
        if n_test_folds >= n_folds or math.comb(n_folds, n_test_folds) > _MOST_SPLITS:
            raise ParameterError(
                f"n_test_folds={n_test_folds} of n_folds={n_folds}",
                rule=f"n_test_folds < n_folds, and at most {_MOST_SPLITS:,} splits.",
            )
        self.n_folds = n_folds
        self.n_test_folds = n_test_folds
        self.horizon = horizon
        self.embargo = embargo

    @property
    def n_paths(self) -> int:
        """Number of paths that the tests join to."""
        return math.comb(self.n_folds - 1, self.n_test_folds - 1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        return math.comb(self.n_folds, self.n_test_folds)

    def split(
        self,
        X: Any,
        y: Any = None,
        groups: Any = None,
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the training and test rows of each split, as `PurgedKFold.split` does."""
        bounds = _bounds(_n_rows(X), self.n_folds)
        ends = _label_ends(self.horizon, int(bounds[-1]))
        for tested in self._choices():
            yield _split(bounds, tested, ends, self.embargo)

    def paths(self, tested: list[FloatArray]) -> FloatArray:
        """Join what was predicted for the test rows of every split to whole paths.

        Parameters
        ----------
        tested : list of ndarray
            One value for each test row of each split, in the order of `split`.

        Returns
        -------
        ndarray of shape (n_paths, T)

        Raises
        ------
        DataError
            Another number of splits, or of rows, than `split` gave.
        """
        choices = list(self._choices())
        if len(tested) != len(choices):
            raise DataError(
                f"results of {len(tested)} splits", rule=f"there are {len(choices)} splits."
            )
        # Each row is tested by n_paths of the splits.
        n_rows = sum(len(values) for values in tested) // self.n_paths
        bounds = _bounds(n_rows, self.n_folds)
        joined = np.empty((self.n_paths, n_rows))
        used = [0] * self.n_folds
        for chosen, values in zip(choices, tested, strict=True):
            lengths = [int(bounds[k + 1] - bounds[k]) for k in chosen]
            if len(values) != sum(lengths):
                raise DataError(
                    f"{len(values)} values for the folds {chosen}",
                    rule=f"there is one for each of their {sum(lengths)} rows.",
                )
            parts = np.split(np.asarray(values, np.float64), np.cumsum(lengths)[:-1])
            for k, part in zip(chosen, parts, strict=True):
                joined[used[k], bounds[k] : bounds[k + 1]] = part
                used[k] += 1
        return joined

    def _choices(self) -> Iterator[tuple[int, ...]]:
        return combinations(range(self.n_folds), self.n_test_folds)


def _bounds(n_rows: int, n_folds: int) -> IntArray:
    """Return the first row of each fold, and the number of rows; the last fold takes the rest."""
    length = n_rows // n_folds
    if length < 1:
        raise DataError(
            f"{n_rows} rows in {n_folds} folds",
            rule=f"each fold has a row: {n_folds} rows are needed.",
            fix="Take more data, or fewer folds.",
        )
    return np.append(np.arange(n_folds, dtype=np.int64) * length, n_rows)


def _label_ends(horizon: int | IntArray, n_rows: int) -> IntArray:
    """Return the last row that the label of each row looks at."""
    ahead = np.asarray(horizon)
    if ahead.ndim and ahead.shape != (n_rows,):
        raise DataError(
            f"horizon of shape {ahead.shape} for {n_rows} rows",
            rule="a horizon is one number, or one for each row.",
        )
    if ahead.dtype.kind not in "iu" or (ahead < 0).any():
        raise ParameterError(
            f"horizon={horizon!r}", rule="a horizon is a whole number of rows, at least 0."
        )
    ends: IntArray = np.minimum(np.arange(n_rows) + ahead, n_rows - 1)
    return ends


def _split(
    bounds: IntArray, tested: tuple[int, ...], ends: IntArray, embargo: int
) -> tuple[IntArray, IntArray]:
    rows = np.arange(ends.size)
    train = np.ones(ends.size, bool)
    for k in tested:
        first, after = int(bounds[k]), int(bounds[k + 1])
        reach = int(ends[first:after].max())  # last row that a label of the test looks at
        shares = (ends >= first) & (rows <= reach)
        train &= ~shares & ~((rows >= first) & (rows <= reach + embargo))
    if not train.any():
        length = int(np.diff(bounds).min())
        raise DataError(
            f"embargo={embargo} and a horizon of up to {int((ends - rows).max())} rows leave no "
            f"training row beside the folds {', '.join(map(str, tested))} (fold length {length})",
            rule="purge and embargo are shorter than the folds that are trained on.",
            fix="Use a smaller embargo, or fewer folds.",
        )
    return rows[train], np.concatenate([rows[bounds[k] : bounds[k + 1]] for k in tested])


def _n_rows(given: Any) -> int:
    return int(given.shape[0]) if hasattr(given, "shape") else len(given)


def _check_counts(**given: tuple[Any, int]) -> None:
    for name, (value, least) in given.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise ParameterError(
                f"{name}={value!r}", rule=f"{name} is a whole number, at least {least}."
            )
