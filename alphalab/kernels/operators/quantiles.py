"""Order statistics of a window: extremes by rounds, quantiles by a sorted copy.

The contract is that of `window.py`. An unknown value is stored as infinity, so that a window
whose largest value is infinite gives NaN.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.operators.window import HEAD, ROWS, A, B, fill, tick


@jit
def beyond(x):
    """Return x, or infinity if it is unknown."""
    return x if np.isfinite(x) else np.inf


@jit
def either(condition, x, y):
    """Return x where the condition holds, else y.

    Adding 0.0 makes the compiler select values. Selecting addresses would prevent vectorisation.
    """
    return x if condition else y + 0.0


@jit
def extreme(state, n, x, sign, out):
    """Write the largest sign * x of the window, times sign, to `out`. Head at A."""
    full, slot = tick(state, n)
    ring, head = state[HEAD:], state[A]
    if slot == 0:
        fill(head, -np.inf)
        fill(ring[n], -np.inf)
    values, tail = ring[slot], ring[slot + 1]
    for j in range(x.size):
        value, largest, last = beyond(sign * x[j]), head[j], tail[j]
        values[j] = value
        largest = value if value >= largest else largest
        head[j] = largest
        largest = largest if largest >= last else last
        out[j] = sign * largest if full & (largest < np.inf) else np.nan
    if slot + 1 == n:
        for i in range(n - 1, -1, -1):
            values, after = ring[i], ring[i + 1]
            for j in range(x.size):
                value, last = values[j], after[j]
                values[j] = last if last >= value else value


@jit
def ts_max(state, params, x, out):
    extreme(state, int(params[0]), x, 1.0, out)


@jit
def ts_min(state, params, x, out):
    extreme(state, int(params[0]), x, -1.0, out)


@jit
def since_extreme(state, n, x, sign, out):
    """Write the rows since the largest sign * x of the window, the latest of equals, to `out`.

    The head's extreme is at A, its row at B; a second ring has the rows of the tails' extremes.
    """
    full, slot = tick(state, n)
    row = state[ROWS, 0]
    ring, rows = state[HEAD:], state[HEAD + n + 1 :]
    head, head_row = state[A], state[B]
    if slot == 0:
        fill(head, -np.inf)
        fill(ring[n], -np.inf)
    values, whens, tail, tail_row = ring[slot], rows[slot], ring[slot + 1], rows[slot + 1]
    for j in range(x.size):
        value, largest, when = beyond(sign * x[j]), head[j], head_row[j]
        last, last_row = tail[j], tail_row[j]
        values[j] = value
        whens[j] = row
        newer = value >= largest
        largest = either(newer, value, largest)
        when = either(newer, row, when)
        head[j] = largest
        head_row[j] = when
        newer = largest >= last
        largest = either(newer, largest, last)
        when = either(newer, when, last_row)
        out[j] = row - when if full & (largest < np.inf) else np.nan
    if slot + 1 == n:
        for i in range(n - 1, -1, -1):
            values, after, whens, later = ring[i], ring[i + 1], rows[i], rows[i + 1]
            for j in range(x.size):
                value, last, when, last_row = values[j], after[j], whens[j], later[j]
                newer = last >= value
                values[j] = either(newer, last, value)
                whens[j] = either(newer, last_row, when)


@jit
def ts_argmax(state, params, x, out):
    since_extreme(state, int(params[0]), x, 1.0, out)


@jit
def ts_argmin(state, params, x, out):
    since_extreme(state, int(params[0]), x, -1.0, out)


@jit
def sorted_window(state, n, x):
    """Advance the window and its sorted copy in a second ring; return True if it is full.

    One pass over the copy removes `old`, the value that leaves, and inserts x. The values above
    `old` move down by one place; then the values above x move up by one.
    """
    full, slot = tick(state, n)
    values, ordered = state[HEAD + slot], state[HEAD + n + 1 :]
    old, new, below = state[A], state[B], state[HEAD + n]
    fill(ordered[n], np.inf)
    fill(below, -np.inf)
    for j in range(x.size):
        old[j] = values[j]
        new[j] = beyond(x[j]) + 0.0  # turns -0.0 into 0.0: the two compare as equal
        values[j] = new[j]
    for i in range(n):
        places, above = ordered[i], ordered[i + 1]
        for j in range(x.size):
            here, later, value, low = places[j], above[j], new[j], below[j]
            here = here if here < old[j] else later
            value = value if value > low else low
            places[j] = value if value < here else here
            below[j] = here
    return full


@jit
def quantiles(state, n, q, x, out):
    """Quantile q of the window (Hyndman & Fan 1996, type 7: linear)."""
    full = sorted_window(state, n, x)
    ordered = state[HEAD + n + 1 :]
    place = q * (n - 1)
    low = int(place)
    part = place - low
    below, above, largest = ordered[low], ordered[low if place == low else low + 1], ordered[n - 1]
    for j in range(x.size):
        value, next_value = below[j], above[j]
        between = value + part * (next_value - value)
        between = value if part == 0.0 else between
        out[j] = between if full & (largest[j] < np.inf) else np.nan


@jit
def ts_quantile(state, params, x, out):
    quantiles(state, int(params[0]), params[1], x, out)


@jit
def ts_median(state, params, x, out):
    quantiles(state, int(params[0]), 0.5, x, out)
