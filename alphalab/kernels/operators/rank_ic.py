"""Rank correlation of a factor with a target, row by row: what a search of factors is scored by."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import float64, int64

from alphalab.kernels._jit import jit, jit_allocating
from alphalab.kernels.operators.cross import doubled_ranks
from alphalab.kernels.operators.sorting import FEW, count_ranks

_PANEL = float64[:, ::1]
_SIGNATURE = int64(_PANEL, _PANEL, _PANEL, int64[::1], float64[::1])


def target_ranks(target, ranks, sizes):
    """Write twice the rank of each known target of a row, and how many are known; R rows.

    Parameters
    ----------
    target, ranks : (R, N)
    sizes : (R,)
    """
    for t in range(target.shape[0]):
        sizes[t] = doubled_ranks(target[t], ranks[t])


def rank_ic(values, target, ranks, sizes, out):
    """Write the rank correlation of each of R rows, and return the cells known in both.

    Only assets that are known in both count. The correlation is NaN where fewer than two are, or
    where all values, or all targets, are equal.

    Parameters
    ----------
    values, target : (R, N)
    ranks : (R, N)
        As `target_ranks` writes them: they hold for the rows in which all of these targets count.
    sizes : (R,)
        How many.
    out : (R,)
    """
    n_known = 0
    both, other = np.empty(values.shape[1]), np.empty(values.shape[1])
    own, theirs = np.empty(values.shape[1]), np.empty(values.shape[1])
    for t in range(values.shape[0]):
        n = 0
        for j in range(both.size):
            known = np.isfinite(values[t, j]) and np.isfinite(target[t, j])
            both[j] = values[t, j] if known else np.nan
            n += 1 if known else 0
        n_known += n
        if n < 2:
            out[t] = np.nan
            continue
        rank_known(both, n, own)
        if n == sizes[t]:
            out[t] = correlation(own, ranks[t], n)
            continue
        for j in range(both.size):
            other[j] = np.nan if np.isnan(both[j]) else target[t, j]
        rank_known(other, n, theirs)
        out[t] = correlation(own, theirs, n)
    return n_known


@jit_allocating
def rank_known(x, n, ranks):
    """Write `doubled_ranks` of a row of which n values are known and the others are NaN."""
    if x.size <= FEW:
        count_ranks(x, n, ranks)
    else:
        doubled_ranks(x, ranks)


@jit
def correlation(x, y, n):
    """Return the correlation of doubled ranks of n assets, whose mean is n + 1; NaN: not ranked.

    All sums are integers, so they are exact in any order.
    """
    xx, yy, xy = 0.0, 0.0, 0.0
    for j in range(x.size):
        known = not np.isnan(x[j])
        dx = x[j] - (n + 1.0) if known else 0.0
        dy = y[j] - (n + 1.0) if known else 0.0
        xx += dx * dx
        yy += dy * dy
        xy += dx * dy
    return xy / np.sqrt(xx * yy) if xx > 0.0 and yy > 0.0 else np.nan


@cache
def scoring() -> tuple[Callable[..., None], Callable[..., int]]:
    """Return `target_ranks` and `rank_ic`, compiled or loaded when the first score needs them."""
    return (
        jit(target_ranks, (_PANEL, _PANEL, int64[::1]), allocates=True),
        jit_allocating(rank_ic, _SIGNATURE),
    )
