"""Two series in one window: covariance, correlation and the regression of one on the other.

Same contract and the same re-anchoring as `alphalab.kernels.window`; a row where either value is
unknown is unknown.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.window import BAD, CANCELLED, POS, ROWS

RUN_X, RUN_Y = 3, 4  # equal values in a row
AX, AY = 5, 6  # anchors
SX, SY, SXX, SYY, SXY = 7, 8, 9, 10, 11  # sums of deviations from the anchors and of their products
PX, PY = 12, 13  # largest SXX and SYY since anchoring
VX, VY, COV = 14, 15, 16  # sums of products of deviations from the means
RING = 17


@jit
def pair(state, n, x, y):
    """Advance the window; VX, VY and COV are up to date unless it returns False (unknown)."""
    if not (np.isfinite(x) and np.isfinite(y)):
        x = np.nan
        y = np.nan
    state[ROWS] += 1
    pos = int(state[POS])
    last = pos - 1 if pos > 0 else n - 1
    xs = state[RING : RING + n]
    ys = state[RING + n : RING + 2 * n]
    old_x = xs[pos]
    old_y = ys[pos]
    started = state[ROWS] > 1
    state[RUN_X] = state[RUN_X] + 1 if started and x == xs[last] else 1.0
    state[RUN_Y] = state[RUN_Y] + 1 if started and y == ys[last] else 1.0
    xs[pos] = x
    ys[pos] = y
    state[POS] = pos + 1 if pos + 1 < n else 0
    if np.isnan(x):
        state[BAD] = state[ROWS]
    if state[ROWS] - state[BAD] < n:
        return False
    moved = state[ROWS] - state[BAD] > n and state[POS] != 0
    if not (
        moved
        and slide(state, n, x - state[AX], y - state[AY], old_x - state[AX], old_y - state[AY])
    ):
        anchor(state, n, xs, ys)
    if state[RUN_X] >= n:
        state[VX] = 0.0
        state[COV] = 0.0
    if state[RUN_Y] >= n:
        state[VY] = 0.0
        state[COV] = 0.0
    return True


@jit
def slide(state, n, x, y, old_x, old_y):
    """Replace one pair of deviations by another; False when too many digits were cancelled."""
    state[SX] += x - old_x
    state[SY] += y - old_y
    state[SXX] += x * x - old_x * old_x
    state[SYY] += y * y - old_y * old_y
    state[SXY] += x * y - old_x * old_y
    state[PX] = max(state[PX], state[SXX])
    state[PY] = max(state[PY], state[SYY])
    centre(state, n)
    return state[VX] > CANCELLED * state[PX] and state[VY] > CANCELLED * state[PY]


@jit
def anchor(state, n, xs, ys):
    """Compute everything again from the window, about its means."""
    mean_x = 0.0
    mean_y = 0.0
    for i in range(n):
        mean_x += xs[i] / n
        mean_y += ys[i] / n
    state[AX] = mean_x
    state[AY] = mean_y
    state[SX : SXY + 1] = 0.0
    for i in range(n):
        dx = xs[i] - mean_x
        dy = ys[i] - mean_y
        state[SX] += dx
        state[SY] += dy
        state[SXX] += dx * dx
        state[SYY] += dy * dy
        state[SXY] += dx * dy
    state[PX] = state[SXX]
    state[PY] = state[SYY]
    centre(state, n)


@jit
def centre(state, n):
    state[VX] = max(state[SXX] - state[SX] * state[SX] / n, 0.0)
    state[VY] = max(state[SYY] - state[SY] * state[SY] / n, 0.0)
    state[COV] = state[SXY] - state[SX] * state[SY] / n


@jit
def varies(variance):
    """Tell whether one can divide by it: not constant, not beyond float64."""
    return 0.0 < variance < np.inf


@jit
def ts_cov(state, params, x, y):
    n = int(params[0])
    return state[COV] / (n - 1) if pair(state, n, x, y) else np.nan


@jit
def ts_corr(state, params, x, y):
    if not (pair(state, int(params[0]), x, y) and varies(state[VX]) and varies(state[VY])):
        return np.nan
    r = state[COV] / np.sqrt(state[VX]) / np.sqrt(state[VY])
    return min(max(r, -1.0), 1.0)


@jit
def line(state, n, x, y):
    """Advance the window and tell whether y has a line on x; a constant y has a flat one."""
    return pair(state, n, x, y) and varies(state[VX]) and state[VY] < np.inf


@jit
def ts_beta(state, params, y, x):
    return state[COV] / state[VX] if line(state, int(params[0]), x, y) else np.nan


@jit
def ts_residual(state, params, y, x):
    n = int(params[0])
    if not line(state, n, x, y):
        return np.nan
    dx = (x - state[AX]) - state[SX] / n
    dy = (y - state[AY]) - state[SY] / n
    return dy - state[COV] / state[VX] * dx
