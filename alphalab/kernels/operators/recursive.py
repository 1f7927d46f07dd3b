"""Recursive operators. The contract is that of `alphalab.kernels.operators.window`.

A row with an unknown input gives NaN and leaves the asset's state unchanged, unless the operator's
docstring has another rule.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.operators.window import add

COUNT, LEVEL = 0, 1


@jit
def smooth(count, level, n, weight, x):
    """Return count, level and value of an exponential mean after x; an unknown x changes no state.

    The mean starts from the arithmetic mean of the first n known values; it is NaN before.
    """
    known, counted = np.isfinite(x), count + 1.0
    share = weight if counted > n else 1.0 / counted
    # With weight 1 the result is exactly x: level + (x - level) would be inexact after a spike.
    moved = x if weight == 1.0 else level + share * (x - level)
    value = moved if known & (counted >= n) else np.nan
    return counted if known else count, moved if known else level, value


@jit
def restart(counts, levels, others, out):
    """Reset assets whose means have overflowed float64: they start again at the next value."""
    for j in range(out.size):
        if not np.isfinite(levels[j] + others[j]):
            counts[j] = 0.0
            levels[j] = 0.0
            others[j] = 0.0
            out[j] = np.nan


@jit
def smoothed(state, n, weight, x, out):
    """Advance the exponential means at COUNT and LEVEL of the state."""
    counts, levels = state[COUNT], state[LEVEL]
    lost = 0
    for j in range(x.size):
        count, level, value = smooth(counts[j], levels[j], n, weight, x[j])
        counts[j] = count
        levels[j] = level
        out[j] = value
        lost |= not np.isfinite(level)
    if lost:
        restart(counts, levels, levels, out)


@jit
def ema(state, params, x, out):
    smoothed(state, params[0], 2.0 / (params[0] + 1.0), x, out)


@jit
def wilder(state, params, x, out):
    smoothed(state, params[0], 1.0 / params[0], x, out)


# State of rsi: number of changes, mean gain, mean loss, previous value, 1.0 if there is one.
@jit
def rsi(state, params, x, out):
    n, weight, lost = params[0], 1.0 / params[0], 0
    counts, gains, losses, previous, started = state[0], state[1], state[2], state[3], state[4]
    for j in range(out.size):
        value, before, told, count = x[j], previous[j], started[j], counts[j]
        known = np.isfinite(value)
        previous[j] = value if known else before
        started[j] = 1.0 if known else told
        # Neither mean includes a change that overflows float64.
        change = value - before
        change = change if np.isfinite(change) & (told != 0.0) else np.nan
        up = 0.0 if change < 0.0 else change
        down = 0.0 if change > 0.0 else -change
        counted, gain, mean_gain = smooth(count, gains[j], n, weight, up)
        counted, loss, mean_loss = smooth(count, losses[j], n, weight, down)
        counts[j] = counted
        gains[j] = gain
        losses[j] = loss
        out[j] = 100.0 * (mean_gain / (mean_gain + mean_loss))
        lost |= not np.isfinite(gain + loss)
    if lost:
        restart(counts, gains, losses, out)


# State of atr: count and level of the mean true range, previous close, 1.0 if there is one.
@jit
def atr(state, params, high, low, close, out):
    n, weight, lost = params[0], 1.0 / params[0], 0
    counts, levels, previous, started = state[0], state[1], state[2], state[3]
    for j in range(out.size):
        up, down, value, before, told = high[j], low[j], close[j], previous[j], started[j]
        known = np.isfinite(up) & np.isfinite(down) & np.isfinite(value)
        previous[j] = value if known else before
        started[j] = 1.0 if known else told
        widest = max(up - down, abs(up - before), abs(down - before))
        widest = widest if known & (told != 0.0) else np.nan
        count, level, mean = smooth(counts[j], levels[j], n, weight, widest)
        counts[j] = count
        levels[j] = level
        out[j] = mean
        lost |= not np.isfinite(level)
    if lost:
        restart(counts, levels, levels, out)


@jit
def latch(state, params, enter, exit, out):
    """1 from enter to exit, exit wins; NaN if an unknown input could change the result."""
    inside = state[0]
    for j in range(out.size):
        come, leave, before = enter[j], exit[j], inside[j]
        entering = 0.0 if come == 0.0 else (np.nan if np.isnan(come) else 1.0)
        unsure = 0.0 if come == 0.0 else np.nan
        outside = entering if leave == 0.0 else (unsure if np.isnan(leave) else 0.0)
        within = 1.0 if leave == 0.0 else (np.nan if np.isnan(leave) else 0.0)
        stays = 0.0 if within == 0.0 else 1.0
        inside[j] = stays if before != 0.0 else (1.0 if outside == 1.0 else 0.0)
        out[j] = within if before != 0.0 else outside


@jit
def bars_since(state, params, condition, out):
    """Rows since the condition was true; state[0] is this number plus 1, or 0 if unknown."""
    counts = state[0]
    for j in range(out.size):
        value, count = condition[j], counts[j]
        count = count + 1.0 if count > 0.0 else 0.0
        count = count if value == 0.0 else (0.0 if np.isnan(value) else 1.0)
        counts[j] = count
        out[j] = count - 1.0 if count > 0.0 else np.nan


# State of ffill: last known value, and rows since it, plus 1; 0: there was none.
@jit
def ffill(state, params, x, out):
    values, ages = state[0], state[1]
    for j in range(out.size):
        value, age = x[j], ages[j]
        age = 1.0 if not np.isnan(value) else (age + 1.0 if age > 0.0 else 0.0)
        value = values[j] if np.isnan(value) else value
        values[j] = value
        ages[j] = age
        out[j] = value if (age > 0.0) & (age <= params[0] + 1.0) else np.nan


# State of cum_sum: the sum, and the rounding error that it lacks.
@jit
def cum_sum(state, params, x, out):
    sums, rests = state[0], state[1]
    for j in range(out.size):
        known = np.isfinite(x[j])
        total, rest = add(sums[j], rests[j], x[j] if known else 0.0)
        sums[j] = total
        rests[j] = rest
        out[j] = total + rest if known else np.nan


# State of sum_since: as cum_sum, then 1.0 if the start is known.
@jit
def sum_since(state, params, x, start, out):
    sums, rests, started = state[0], state[1], state[2]
    for j in range(out.size):
        begins, unsure = start[j] != 0.0, np.isnan(start[j])
        known = np.isfinite(x[j])
        total, rest = add(
            0.0 if begins else sums[j], 0.0 if begins else rests[j], x[j] if known else 0.0
        )
        since = 0.0 if unsure else (1.0 if begins else started[j])
        sums[j] = total
        rests[j] = rest
        started[j] = since
        out[j] = total + rest if known & (since != 0.0) else np.nan
