"""Recursive levels that follow a price. The contract is that of `recursive.py`."""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit


# State of adaptive_mean: level; 0.0: none, 1.0: the last x, 2.0: a mean.
@jit
def adaptive_mean(state, params, x, weight, out):
    """Move the mean by its own weight in each row; a weight outside [0, 1] is unknown."""
    levels, phases = state[0], state[1]
    for j in range(out.size):
        value, w, level, phase = x[j], weight[j], levels[j], phases[j]
        known, weighted = np.isfinite(value), (w >= 0.0) & (w <= 1.0)
        moved = level + w * (value - level)
        moved = value if (phase == 0.0) | (w == 1.0) else moved
        mean = moved if weighted else (value if phase < 2.0 else level)
        mean = mean if known else level
        levels[j] = mean
        phase = 2.0 if known & weighted else (max(phase, 1.0) if known else phase)
        lost = not np.isfinite(mean)  # a step beyond float64: start again
        levels[j] = 0.0 if lost else mean
        phases[j] = 0.0 if lost else phase
        out[j] = mean if known & weighted & np.isfinite(mean) else np.nan


# State of ratchet: its last value, the price of that row, 1.0 if there was one.
@jit
def ratchet(state, params, x, price, out):
    """Write the highest x since the price was last below the result of its row."""
    lasts, prices, started = state[0], state[1], state[2]
    for j in range(out.size):
        value, now, last = x[j], price[j], lasts[j]
        known = np.isfinite(value) & np.isfinite(now)
        held = (started[j] != 0.0) & (prices[j] >= last)
        level = max(value, last) if held else value
        lasts[j] = level if known else last
        prices[j] = now if known else prices[j]
        started[j] = 1.0 if known else started[j]
        out[j] = level if known else np.nan


# State of parabolic_sar: rows seen, 1.0 for a rising stop, stop of the next row, extreme price of
# the trend, acceleration, last high, last low.
@jit
def parabolic_sar(state, params, high, low, out):
    """Write Wilder's stop and reverse, as TA-Lib does; a falling stop is a rising one mirrored."""
    limit = params[1]
    step = min(params[0], limit)
    for j in range(out.size):
        up, down, rows = high[j], low[j], state[0, j]
        if not (np.isfinite(up) and np.isfinite(down)):
            out[j] = np.nan
            continue
        before_up, before_down = state[5, j], state[6, j]
        state[0, j], state[5, j], state[6, j] = min(rows + 1.0, 2.0), up, down
        if rows == 0.0:
            out[j] = np.nan
            continue
        rising, stop, extreme, speed = state[1, j] != 0.0, state[2, j], state[3, j], state[4, j]
        if rows == 1.0:
            fall = before_down - down
            rising = not (fall > 0.0 and fall > up - before_up)
            stop, extreme, speed = (before_down, up, step) if rising else (before_up, down, step)
            before_up, before_down = up, down
        # In mirrored prices every stop is a rising one: `near` is the side of the stop.
        sign = 1.0 if rising else -1.0
        near, far = (down, up) if rising else (-up, -down)
        before_near, before_far = (before_down, before_up) if rising else (-before_up, -before_down)
        stop, extreme = sign * stop, sign * extreme
        if near <= stop:
            stop = max(extreme, before_far, far)
            out[j] = sign * stop
            rising, extreme, speed = not rising, near, step
            stop = max(stop + speed * (extreme - stop), before_far, far)
        else:
            out[j] = sign * stop
            if far > extreme:
                extreme, speed = far, min(speed + step, limit)
            stop = min(stop + speed * (extreme - stop), before_near, near)
        state[1, j] = 1.0 if rising else 0.0
        state[2, j], state[3, j], state[4, j] = sign * stop, sign * extreme, speed
        if not np.isfinite(stop):  # a step beyond float64: start again
            state[0, j] = 0.0
