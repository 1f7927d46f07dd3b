"""Correlation of a factor with what follows it, across the assets of each row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alphalab.kernels._jit import silent
from alphalab.kernels.operators.rank_ic import scoring
from alphalab.types import FloatArray


class Target:
    """Returns that factors are compared with, ranked once for all of them.

    Parameters
    ----------
    returns : ndarray of shape (T, N)
        NaN where unknown.
    """

    def __init__(self, returns: FloatArray) -> None:
        self.returns = np.ascontiguousarray(returns, np.float64)
        self.ranks = np.empty(returns.shape)
        self.sizes = np.empty(len(returns), np.int64)
        with silent():
            scoring()[0](self.returns, self.ranks, self.sizes)

    @property
    def n_known(self) -> int:
        """Cells in which the returns are known."""
        return int(self.sizes.sum())

    def rank_ic(self, values: FloatArray, first: int = 0) -> tuple[FloatArray, int]:
        """Return the rank correlation of each row, (R,), and the cells known in both.

        Parameters
        ----------
        values : ndarray of shape (R, N)
            Of the rows from `first` on.
        """
        rows = slice(first, first + len(values))
        out = np.empty(len(values))
        with silent():
            known = scoring()[1](
                values, self.returns[rows], self.ranks[rows], self.sizes[rows], out
            )
        return out, int(known)


def rank_ic(values: FloatArray, returns: FloatArray) -> FloatArray:
    """Return Spearman's correlation of values and returns in each row, (T,).

    NaN where fewer than two assets are known in both, or where either is equal for all.

    Examples
    --------
    >>> rank_ic(np.array([[1.0, 2.0, 9.0]]), np.array([[0.1, 0.3, 0.2]]))
    array([0.5])
    """
    return Target(returns).rank_ic(np.ascontiguousarray(values, np.float64))[0]


def pearson_ic(values: FloatArray, returns: FloatArray) -> FloatArray:
    """Return Pearson's correlation of values and returns in each row, (T,); NaN as `rank_ic`.

    Examples
    --------
    >>> pearson_ic(np.array([[1.0, 2.0, 3.0]]), np.array([[0.1, 0.2, 0.3]]))
    array([1.])
    """
    known = both_known(values, returns)
    x, y = centred(values, known), centred(returns, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.where(np.isfinite(r), np.clip(r, -1.0, 1.0), np.nan)


def both_known(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
    """Return the cells in which both are finite."""
    result: NDArray[np.bool_] = np.isfinite(a) & np.isfinite(b)
    return result


def centred(x: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Return x minus the mean of its row's known cells; 0 in the other cells.

    Values that are all equal are exactly 0.
    """
    n = np.maximum(known.sum(axis=1, keepdims=True), 1)
    first = x[np.arange(len(x)), known.argmax(axis=1)][:, None]
    moved = np.where(known, x - first, 0.0)
    result: FloatArray = np.where(known, moved - moved.sum(axis=1, keepdims=True) / n, 0.0)
    return result
