"""Cross-section operators: `update(params, x, ..., out)` fills one row of all assets.

An asset whose input is not finite does not enter the row's statistics, and its output is NaN.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit, jit_allocating
from alphalab.kernels.operators.sorting import FEW, ascending, count_ranks


@jit
def masked(x, value):
    return value if np.isfinite(x) else np.nan


@jit_allocating
def doubled_ranks(x, out):
    """Write twice the rank of each known value, ties averaged, and return how many are known."""
    if x.size <= FEW:
        return few_doubled_ranks(x, out)
    ranked = ascending(x)
    out[:] = np.nan
    start = 0
    while start < ranked.size:
        end = start + 1
        while end < ranked.size and x[ranked[end]] == x[ranked[start]]:
            end += 1
        for i in range(start, end):
            out[ranked[i]] = start + end + 1
        start = end
    return ranked.size


@jit_allocating
def few_doubled_ranks(x, out):
    finite = np.empty(x.size)
    n = 0
    for j in range(x.size):
        known = np.isfinite(x[j])
        finite[j] = x[j] if known else np.nan
        n += 1 if known else 0
    count_ranks(finite, n, out)
    return n


@jit_allocating
def cs_rank(params, x, out):
    n = doubled_ranks(x, out)
    for j in range(x.size):
        out[j] = out[j] / 2.0 / n


@jit_allocating
def cs_bucket(params, x, out):
    n = doubled_ranks(x, out)
    for j in range(x.size):
        out[j] = np.ceil(out[j] * params[0] / (2.0 * n))


@jit
def centre(x):
    """Return a point, the first finite value, and the mean of the finite values minus that point.

    The deviation ``(v - point) - mean`` loses no digits to a large common offset, and is exactly 0
    when all values are equal.
    """
    point, total, n = np.nan, 0.0, 0
    for v in x:
        if np.isfinite(v):
            point = v if n == 0 else point
            total += v - point
            n += 1
    return point, total / n if n > 0 else np.nan


@jit
def spread(x):
    """Return the standard deviation of the finite values, divisor n - 1."""
    point, mean = centre(x)
    squares, n = 0.0, 0
    for v in x:
        if np.isfinite(v):
            squares += ((v - point) - mean) ** 2
            n += 1
    return np.sqrt(squares / (n - 1.0)) if n > 1 else np.nan


@jit
def cs_mean(params, x, out):
    point, mean = centre(x)
    for j in range(x.size):
        out[j] = masked(x[j], point + mean)


@jit
def cs_std(params, x, out):
    deviation = spread(x)
    for j in range(x.size):
        out[j] = masked(x[j], deviation)


@jit
def cs_demean(params, x, out):
    point, mean = centre(x)
    for j in range(x.size):
        out[j] = masked(x[j], (x[j] - point) - mean)


@jit
def cs_zscore(params, x, out):
    point, mean = centre(x)
    deviation = spread(x)
    for j in range(x.size):
        out[j] = masked(x[j], ((x[j] - point) - mean) / deviation)


@jit
def cs_scale(params, x, out):
    gross = 0.0
    for v in x:
        gross += abs(v) if np.isfinite(v) else 0.0
    for j in range(x.size):
        out[j] = masked(x[j], x[j] / gross * params[0] if gross > 0.0 else 0.0)


@jit
def interpolated(x, ranked, q):
    """Return the quantile q of x, sorted by `ranked` (Hyndman & Fan 1996, type 7: linear)."""
    place = q * (ranked.size - 1)
    low = int(place)
    value = x[ranked[low]]
    return value if place == low else value + (place - low) * (x[ranked[low + 1]] - value)


@jit_allocating
def cs_winsorize(params, x, out):
    ranked = ascending(x)
    if ranked.size == 0:
        out[:] = np.nan
        return
    low = interpolated(x, ranked, params[0])
    high = interpolated(x, ranked, 1.0 - params[0])
    for j in range(x.size):
        out[j] = masked(x[j], min(max(x[j], low), high))


@jit_allocating
def cs_neutralize(params, x, group, out):
    anchor = np.empty(x.size)
    total = np.zeros(x.size)
    count = np.zeros(x.size)
    for j in range(x.size):
        if np.isfinite(x[j]) and not np.isnan(group[j]):
            g = int(group[j])
            if count[g] == 0.0:
                anchor[g] = x[j]
            total[g] += x[j] - anchor[g]
            count[g] += 1.0
    for j in range(x.size):
        if np.isfinite(x[j]) and not np.isnan(group[j]):
            g = int(group[j])
            out[j] = (x[j] - anchor[g]) - total[g] / count[g]
        else:
            out[j] = np.nan


@jit_allocating
def cs_top(params, x, out):
    ranked = ascending(-x)
    out[:] = np.nan
    for i in range(ranked.size):
        out[ranked[i]] = 1.0 if i < params[0] else 0.0


@jit_allocating
def cs_residual(params, y, x, out):
    both = np.isfinite(x) & np.isfinite(y)
    point_x, mean_x = centre(x[both])
    point_y, mean_y = centre(y[both])
    cov = 0.0
    var = 0.0
    for j in range(x.size):
        if both[j]:
            dx = (x[j] - point_x) - mean_x
            cov += dx * ((y[j] - point_y) - mean_y)
            var += dx * dx
    for j in range(x.size):
        dx = (x[j] - point_x) - mean_x
        out[j] = (y[j] - point_y) - mean_y - cov / var * dx if both[j] else np.nan
