"""Operators that remember through recursion. Same contract as `alphalab.kernels.window`.

A row with an unknown input gives NaN and leaves the state as it was, unless the operator says
otherwise.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit

COUNT, LEVEL = 0, 1


@jit
def smooth(state, n, weight, x):
    """Exponential mean at LEVEL, started from that of the first n known values; NaN until then.

    A step beyond float64 starts it again with the next value.
    """
    if not np.isfinite(x):
        return np.nan
    state[COUNT] += 1
    if state[COUNT] <= n:
        state[LEVEL] += (x - state[LEVEL]) / state[COUNT]
    else:
        state[LEVEL] += weight * (x - state[LEVEL])
    if weight == 1.0:
        state[LEVEL] = x  # exactly: the sum would keep the last digits of a spike
    if not np.isfinite(state[LEVEL]):
        state[COUNT] = 0.0
        state[LEVEL] = 0.0
    return state[LEVEL] if state[COUNT] >= n else np.nan


@jit
def ema(state, params, x):
    return smooth(state, params[0], 2.0 / (params[0] + 1.0), x)


@jit
def wilder(state, params, x):
    return smooth(state, params[0], 1.0 / params[0], x)


# rsi: average gain in state[0:2], average loss in state[2:4], then the previous value and whether
# there is one.
PREVIOUS, STARTED = 4, 5


@jit
def rsi(state, params, x):
    if not np.isfinite(x):
        return np.nan
    change = x - state[PREVIOUS]
    state[PREVIOUS] = x
    if state[STARTED] == 0.0:
        state[STARTED] = 1.0
        return np.nan
    if not np.isfinite(change):  # beyond float64: neither average sees it
        return np.nan
    gain = wilder(state[0:2], params, max(change, 0.0))
    loss = wilder(state[2:4], params, max(-change, 0.0))
    return 100.0 / (1.0 + loss / gain)


# atr: average true range in state[0:2], then the previous close and whether there is one.
@jit
def atr(state, params, high, low, close):
    if not (np.isfinite(high) and np.isfinite(low) and np.isfinite(close)):
        return np.nan
    before = state[2]
    started = state[3]
    state[2] = close
    state[3] = 1.0
    if started == 0.0:
        return np.nan
    true_range = max(high - low, abs(high - before), abs(low - before))
    return wilder(state[0:2], params, true_range)


@jit
def latch(state, params, enter, exit):
    """1 from enter to exit, exit wins; NaN, and skipped, where an unknown one could change it."""
    if exit == 0.0:
        if enter == 0.0 or state[0] == 1.0:
            return state[0]
        if np.isnan(enter):
            return np.nan
        state[0] = 1.0
        return 1.0
    if np.isnan(exit):
        return 0.0 if state[0] == 0.0 and enter == 0.0 else np.nan
    state[0] = 0.0
    return 0.0


@jit
def bars_since(state, params, condition):
    """Rows since the condition held, counted in state[0] from 1; 0 stands for "not known"."""
    if np.isnan(condition):
        state[0] = 0.0
    elif condition != 0.0:
        state[0] = 1.0
    elif state[0] > 0.0:
        state[0] += 1.0
    return state[0] - 1.0 if state[0] > 0.0 else np.nan
