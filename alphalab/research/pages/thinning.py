"""Thinning of lines with more rows than a screen can show."""

from __future__ import annotations

import numpy as np

from alphalab.types import FloatArray, IntArray


def thin(values: FloatArray, limit: int) -> IntArray:
    """Choose the points of a line to draw: first, last, lowest and highest of equal buckets.

    Parameters
    ----------
    values : ndarray of shape (T,)
    limit : int
        Roughly how many points may remain.

    Returns
    -------
    ndarray of int
        Increasing positions; all of them when there are at most `limit`. No extreme is lost.

    Examples
    --------
    >>> thin(np.array([1.0, 9.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0, 7.0, 8.0]), 4)
    array([0, 1, 5, 9])
    """
    n = values.size
    if n <= limit:
        return np.arange(n)
    edges = np.linspace(0, n, max(limit // 4, 1) + 1).astype(np.int64)
    low, high = np.where(np.isnan(values), [[np.inf], [-np.inf]], values)
    buckets = [
        (a, a + int(low[a:b].argmin()), a + int(high[a:b].argmax()), b - 1)
        for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    return np.unique(buckets)


def bucket_means(values: FloatArray, limit: int) -> tuple[FloatArray, IntArray]:
    """Mean of each of at most `limit` equal buckets of rows, and the last row of each.

    Parameters
    ----------
    values : ndarray of shape (T,) or (T, N)
    limit : int

    Examples
    --------
    >>> bucket_means(np.array([1.0, 3.0, 5.0, 7.0]), 2)
    (array([2., 6.]), array([1, 3]))
    """
    edges = np.linspace(0, len(values), min(limit, len(values)) + 1).astype(np.int64)
    sizes = np.diff(edges).reshape(-1, *[1] * (values.ndim - 1))
    return np.add.reduceat(values, edges[:-1], axis=0) / sizes, edges[1:] - 1
