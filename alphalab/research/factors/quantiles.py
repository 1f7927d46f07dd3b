"""What the assets of each quantile of a factor earn, and how long they stay there."""

from __future__ import annotations

import numpy as np

from alphalab.research.factors.correlation import rank_ic
from alphalab.types import FloatArray


def quantile_returns(buckets: FloatArray, returns: FloatArray, n: int) -> FloatArray:
    """Return the mean return of each quantile in each row, equally weighted.

    Parameters
    ----------
    buckets : ndarray of shape (T, N)
        1 to n, as the operator `cs_bucket` gives; NaN: in none.
    returns : ndarray of shape (T, N)
    n : int
        Quantiles.

    Returns
    -------
    ndarray of shape (T, n)
        NaN where a quantile has no asset with a known return.

    Examples
    --------
    >>> quantile_returns(np.array([[1.0, 1.0, 2.0]]), np.array([[0.1, 0.3, 0.5]]), 2)
    array([[0.2, 0.5]])
    """
    out = np.full((len(buckets), n), np.nan)
    for q in range(n):
        member = (buckets == q + 1) & np.isfinite(returns)
        total = np.where(member, returns, 0.0).sum(axis=1)
        with np.errstate(invalid="ignore"):
            out[:, q] = total / member.sum(axis=1)
    return out


def turnover(buckets: FloatArray, q: int, horizon: int) -> FloatArray:
    """Return the share of a quantile's assets that were not in it `horizon` rows before, (T,).

    NaN where the quantile is empty, and in the first rows.

    Examples
    --------
    >>> turnover(np.array([[1.0, 1.0, 2.0], [1.0, 2.0, 1.0]]), 1, 1)
    array([nan, 0.5])
    """
    inside = buckets == q
    new = inside[horizon:] & ~inside[:-horizon]
    out = np.full(len(buckets), np.nan)
    with np.errstate(invalid="ignore"):
        out[horizon:] = new.sum(axis=1) / inside[horizon:].sum(axis=1)
    out[horizon:][~np.isfinite(buckets[:-horizon]).any(axis=1)] = np.nan
    return out


def rank_autocorrelation(values: FloatArray, horizon: int) -> FloatArray:
    """Return the rank correlation of a factor with itself `horizon` rows before, (T,).

    Examples
    --------
    >>> rank_autocorrelation(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 9.0]]), 1)
    array([nan,  1.])
    """
    out = np.full(len(values), np.nan)
    out[horizon:] = rank_ic(values[horizon:], values[:-horizon])
    return out
