"""Statistics of each group in one row of assets. The contract is that of `cross.py`.

`group` holds the code of each asset's group, below the number of assets; NaN: in no group. An asset
in no group does not count, and its output is NaN.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit, jit_allocating
from alphalab.kernels.operators.sorting import ascending


@jit
def counts(x, group, j):
    """Return True if an asset enters the statistics of its group."""
    return np.isfinite(x[j]) and not np.isnan(group[j])


@jit_allocating
def group_sizes(x, group):
    """Return the number of assets that count in each group."""
    sizes = np.zeros(x.size)
    for j in range(x.size):
        if counts(x, group, j):
            sizes[int(group[j])] += 1.0
    return sizes


@jit_allocating
def group_centres(x, group, sizes):
    """Return a point of each group, one of its values, and its mean minus that point."""
    points, means, seen = np.zeros(x.size), np.zeros(x.size), np.zeros(x.size)
    for j in range(x.size):
        if counts(x, group, j):
            g = int(group[j])
            if seen[g] == 0.0:
                points[g] = x[j]
            seen[g] = 1.0
            means[g] += (x[j] - points[g]) / sizes[g]
    return points, means


@jit_allocating
def group_mean(params, x, group, out):
    points, means = group_centres(x, group, group_sizes(x, group))
    for j in range(x.size):
        g = int(group[j]) if counts(x, group, j) else 0
        out[j] = points[g] + means[g] if counts(x, group, j) else np.nan


@jit_allocating
def group_zscore(params, x, group, out):
    sizes = group_sizes(x, group)
    points, means = group_centres(x, group, sizes)
    squares = np.zeros(x.size)
    for j in range(x.size):
        if counts(x, group, j):
            g = int(group[j])
            squares[g] += ((x[j] - points[g]) - means[g]) ** 2
    for j in range(x.size):
        if counts(x, group, j):
            g = int(group[j])
            deviation = np.sqrt(squares[g] / (sizes[g] - 1.0)) if sizes[g] > 1.0 else np.nan
            out[j] = ((x[j] - points[g]) - means[g]) / deviation
        else:
            out[j] = np.nan


@jit_allocating
def group_rank(params, x, group, out):
    sizes, below, tied = group_sizes(x, group), np.zeros(x.size), np.zeros(x.size)
    ranked = ascending(x)
    out[:] = np.nan
    start = 0
    while start < ranked.size:
        end = start
        while end < ranked.size and x[ranked[end]] == x[ranked[start]]:
            if counts(x, group, ranked[end]):
                tied[int(group[ranked[end]])] += 1.0
            end += 1
        for i in range(start, end):
            j = ranked[i]
            if counts(x, group, j):
                g = int(group[j])
                out[j] = (2.0 * below[g] + tied[g] + 1.0) / 2.0 / sizes[g]
        for i in range(start, end):
            j = ranked[i]
            if counts(x, group, j):
                below[int(group[j])] += 1.0
                tied[int(group[j])] = 0.0
        start = end
