"""Windows that may hold unknown values: ``min_periods`` known ones of the last n rows are enough.

The contract is that of `alphalab.kernels.operators.window`; `params[1]` is the least number of
known values. Every row looks at all n rows of its window again, so a value that has left has no
effect, and the first rows count as a window that is not full.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.operators.window import HEAD, ROWS, A, B, C, D, add, fill, known, tick, varies


@jit
def keep(state, n, x):
    """Store this row; return how many slots of the ring are in use. A: number of known values."""
    full, slot = tick(state, n)
    ring, counts = state[HEAD:], state[A]
    values = ring[slot]
    for j in range(x.size):
        values[j] = known(x[j])
    used = n if full else int(state[ROWS, 0])
    fill(counts, 0.0)
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            counts[j] += 0.0 if np.isnan(values[j]) else 1.0
    return used


@jit
def total(state, n, x):
    """Write the compensated sum of the known values: sum at B, its rounding error at C."""
    used = keep(state, n, x)
    ring, sums, rests = state[HEAD:], state[B], state[C]
    fill(sums, 0.0)
    fill(rests, 0.0)
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            value = values[j]
            sums[j], rests[j] = add(sums[j], rests[j], 0.0 if np.isnan(value) else value)


@jit
def ts_sum(state, params, x, out):
    total(state, int(params[0]), x)
    counts, sums, rests = state[A], state[B], state[C]
    for j in range(x.size):
        out[j] = sums[j] + rests[j] if counts[j] >= params[1] else np.nan


@jit
def ts_mean(state, params, x, out):
    ts_sum(state, params, x, out)
    counts = state[A]
    for j in range(x.size):
        out[j] = out[j] / counts[j]


@jit
def moments(state, n, x):
    """Write mean deviation (B) from the last known value (D), and the sum of squares about it (C).

    A window of equal values has deviations of exactly 0.
    """
    used = keep(state, n, x)
    ring, counts, means, squares, last = state[HEAD:], state[A], state[B], state[C], state[D]
    for j in range(x.size):
        last[j] = x[j] if np.isfinite(x[j]) else last[j]
    fill(means, 0.0)
    fill(squares, 0.0)
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            apart = values[j] - last[j]
            means[j] += 0.0 if np.isnan(apart) else apart
    for j in range(x.size):
        means[j] = means[j] / counts[j]
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            apart = (values[j] - last[j]) - means[j]
            squares[j] += 0.0 if np.isnan(apart) else apart * apart


@jit
def ts_var(state, params, x, out):
    moments(state, int(params[0]), x)
    counts, squares = state[A], state[C]
    for j in range(x.size):
        enough = (counts[j] >= params[1]) & (counts[j] >= 2.0)
        out[j] = squares[j] / (counts[j] - 1.0) if enough else np.nan


@jit
def ts_std(state, params, x, out):
    ts_var(state, params, x, out)
    for j in range(x.size):
        out[j] = np.sqrt(out[j])


@jit
def ts_zscore(state, params, x, out):
    ts_var(state, params, x, out)
    means, last = state[B], state[D]
    for j in range(x.size):
        variance = out[j]
        z = ((x[j] - last[j]) - means[j]) / np.sqrt(variance)
        out[j] = z if varies(variance) & np.isfinite(x[j]) else np.nan


@jit
def ts_min(state, params, x, out):
    used = keep(state, int(params[0]), x)
    ring, counts = state[HEAD:], state[A]
    fill(out, np.inf)
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            out[j] = values[j] if values[j] < out[j] else out[j]
    for j in range(x.size):
        out[j] = out[j] if counts[j] >= params[1] else np.nan


@jit
def ts_max(state, params, x, out):
    used = keep(state, int(params[0]), x)
    ring, counts = state[HEAD:], state[A]
    fill(out, -np.inf)
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            out[j] = values[j] if values[j] > out[j] else out[j]
    for j in range(x.size):
        out[j] = out[j] if counts[j] >= params[1] else np.nan


@jit
def ts_count(state, params, x, out):
    used = keep(state, int(params[0]), x)
    ring, counts = state[HEAD:], state[A]
    fill(out, 0.0)
    for i in range(used):
        values = ring[i]
        for j in range(x.size):
            true = (values[j] != 0.0) & ~np.isnan(values[j])
            out[j] += 1.0 if true else 0.0
    for j in range(x.size):
        out[j] = out[j] if counts[j] >= params[1] else np.nan
