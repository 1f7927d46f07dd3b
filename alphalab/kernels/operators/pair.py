"""Window operators of two series: covariance, correlation and linear regression.

The contract and the rounds are those of `window.py`. If one value of a row is unknown, both are.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.operators.window import ROWS, fill, tick, varies

# First values of the head and last values of the tail, of x and y.
FIRST_X, FIRST_Y, END_X, END_Y = 2, 3, 4, 5
# Sums over the head: deviations from its first values, and their products.
SX, SY, SXX, SYY, SXY = 6, 7, 8, 9, 10
# Over the window: means minus the head's first values; sums of products about the means.
MX, MY, VX, VY, COV = 11, 12, 13, 14, 15
RING = 16  # start of five rings: sums over the tails


@jit
def both_known(x, y):
    """Return both values, or NaN for both if one is unknown."""
    known = np.isfinite(x) & np.isfinite(y)
    return x if known else np.nan, y if known else np.nan


@jit
def pair(state, n, x, y):
    """Advance the window; return True if it is full."""
    full, slot = tick(state, n)
    first_x, first_y, end_x, end_y = state[FIRST_X], state[FIRST_Y], state[END_X], state[END_Y]
    sx, sy, sxx, syy, sxy = state[SX], state[SY], state[SXX], state[SYY], state[SXY]
    if slot == 0:
        for j in range(x.size):
            first_x[j], first_y[j] = both_known(x[j], y[j])
        for i in range(SX, SXY + 1):
            fill(state[i], 0.0)
    size = n + 1
    xs, ys = state[RING:], state[RING + size :]
    xxs, yys, xys = state[RING + 2 * size :], state[RING + 3 * size :], state[RING + 4 * size :]
    values_x, values_y = xs[slot], ys[slot]
    tail_x, tail_y = xs[slot + 1], ys[slot + 1]
    tail_xx, tail_yy, tail_xy = xxs[slot + 1], yys[slot + 1], xys[slot + 1]
    mean_xs, mean_ys, var_x, var_y, cov = state[MX], state[MY], state[VX], state[VY], state[COV]
    n_tail, share = n - slot - 1.0, 1.0 / n
    if n_tail == 0.0:
        for j in range(x.size):
            end_x[j] = first_x[j]
            end_y[j] = first_y[j]
    for j in range(x.size):
        value_x, value_y = both_known(x[j], y[j])
        values_x[j] = value_x
        values_y[j] = value_y
        dx = value_x - first_x[j]
        dy = value_y - first_y[j]
        sx[j] += dx
        sy[j] += dy
        sxx[j] += dx * dx
        syy[j] += dy * dy
        sxy[j] += dx * dy
    for j in range(x.size):
        apart_x = end_x[j] - first_x[j]
        apart_y = end_y[j] - first_y[j]
        last_x, last_y = tail_x[j], tail_y[j]
        total_x = sx[j] + (last_x + n_tail * apart_x)
        total_y = sy[j] + (last_y + n_tail * apart_y)
        xx = sxx[j] + (tail_xx[j] + apart_x * (2.0 * last_x + n_tail * apart_x))
        yy = syy[j] + (tail_yy[j] + apart_y * (2.0 * last_y + n_tail * apart_y))
        between = apart_x * last_y + apart_y * last_x + n_tail * apart_x * apart_y
        mean_x, mean_y = total_x * share, total_y * share
        xx -= total_x * mean_x
        yy -= total_y * mean_y
        mean_xs[j] = mean_x
        mean_ys[j] = mean_y
        var_x[j] = 0.0 if xx < 0.0 else xx
        var_y[j] = 0.0 if yy < 0.0 else yy
        cov[j] = sxy[j] + (tail_xy[j] + between) - total_x * mean_y
    if slot + 1 == n:
        end_round(n, x, y, end_x, end_y, xs, ys, xxs, yys, xys)
    return full


@jit
def end_round(n, x, y, end_x, end_y, xs, ys, xxs, yys, xys):
    """Turn the values of the finished round into sums over its tails."""
    for j in range(x.size):
        end_x[j], end_y[j] = both_known(x[j], y[j])
    for i in range(n - 1, -1, -1):
        row_x, row_y, row_xx, row_yy, row_xy = xs[i], ys[i], xxs[i], yys[i], xys[i]
        after_x, after_y = xs[i + 1], ys[i + 1]
        after_xx, after_yy, after_xy = xxs[i + 1], yys[i + 1], xys[i + 1]
        for j in range(x.size):
            dx = row_x[j] - end_x[j]
            dy = row_y[j] - end_y[j]
            row_x[j] = after_x[j] + dx
            row_y[j] = after_y[j] + dy
            row_xx[j] = after_xx[j] + dx * dx
            row_yy[j] = after_yy[j] + dy * dy
            row_xy[j] = after_xy[j] + dx * dy


@jit
def ts_cov(state, params, x, y, out):
    n = int(params[0])
    full = pair(state, n, x, y)
    cov = state[COV]
    for j in range(x.size):
        out[j] = cov[j] / (n - 1) if full else np.nan


@jit
def ts_corr(state, params, x, y, out):
    full = pair(state, int(params[0]), x, y)
    var_x, var_y, cov = state[VX], state[VY], state[COV]
    for j in range(x.size):
        xx, yy = var_x[j], var_y[j]
        r = cov[j] / np.sqrt(xx) / np.sqrt(yy)
        r = min(max(r, -1.0), 1.0)
        out[j] = r if full & varies(xx) & varies(yy) else np.nan


@jit
def ts_corr_or(state, params, x, y, out):
    """Correlation, or `params[1]` where the window of an input is constant."""
    n = int(params[0])
    ts_corr(state, params, x, y, out)
    full, var_x, var_y = state[ROWS, 0] >= n, state[VX], state[VY]
    for j in range(x.size):
        still = (var_x[j] == 0.0) | (var_y[j] == 0.0)
        known = (var_x[j] < np.inf) & (var_y[j] < np.inf)
        out[j] = params[1] if full & still & known else out[j]


@jit
def ts_beta(state, params, y, x, out):
    """Slope of y on x: 0 for a constant y, NaN for a constant x."""
    full = pair(state, int(params[0]), x, y)
    var_x, var_y, cov = state[VX], state[VY], state[COV]
    for j in range(x.size):
        xx, yy = var_x[j], var_y[j]
        slope = cov[j] / xx
        out[j] = slope if full & varies(xx) & (yy < np.inf) else np.nan


@jit
def ts_residual(state, params, y, x, out):
    ts_beta(state, params, y, x, out)
    first_x, first_y, mean_xs, mean_ys = state[FIRST_X], state[FIRST_Y], state[MX], state[MY]
    for j in range(x.size):
        dx = (x[j] - first_x[j]) - mean_xs[j]
        dy = (y[j] - first_y[j]) - mean_ys[j]
        out[j] = dy - out[j] * dx
