"""Order statistics of a window: extremes by a monotonic queue, quantiles by a sorted copy.

Same contract as `alphalab.kernels.window`.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.window import BAD, HEAD, ROWS, known, push

# State of a monotonic queue: its values at QUEUE, the rows they came from at QUEUE + n.
FIRST, SIZE, QUEUE = 2, 3, 4


@jit
def extreme(state, n, x, sign):
    """Advance the queue of successive maxima of sign * x; its first slot, -1 when unknown."""
    state[ROWS] += 1
    row = state[ROWS]
    if not np.isfinite(x):
        state[BAD] = row
        state[SIZE] = 0
        return -1
    first = int(state[FIRST])
    size = int(state[SIZE])
    if size > 0 and state[QUEUE + n + first] <= row - n:
        first = first + 1 if first + 1 < n else 0
        size -= 1
    while size > 0:
        last = first + size - 1
        if last >= n:
            last -= n
        if sign * state[QUEUE + last] > sign * x:
            break
        size -= 1
    slot = first + size
    if slot >= n:
        slot -= n
    state[QUEUE + slot] = x
    state[QUEUE + n + slot] = row
    state[FIRST] = first
    state[SIZE] = size + 1
    return first if row - state[BAD] >= n else -1


@jit
def ts_max(state, params, x):
    slot = extreme(state, int(params[0]), x, 1.0)
    return state[QUEUE + slot] if slot >= 0 else np.nan


@jit
def ts_min(state, params, x):
    slot = extreme(state, int(params[0]), x, -1.0)
    return state[QUEUE + slot] if slot >= 0 else np.nan


@jit
def ts_argmax(state, params, x):
    n = int(params[0])
    slot = extreme(state, n, x, 1.0)
    return state[ROWS] - state[QUEUE + n + slot] if slot >= 0 else np.nan


@jit
def ts_argmin(state, params, x):
    n = int(params[0])
    slot = extreme(state, n, x, -1.0)
    return state[ROWS] - state[QUEUE + n + slot] if slot >= 0 else np.nan


@jit
def insert(ordered, i, x):
    """Put x into the free place i, moving larger values before it up."""
    while i > 0 and ordered[i - 1] > x:
        ordered[i] = ordered[i - 1]
        i -= 1
    ordered[i] = x


@jit
def sorted_window(state, n, x):
    """Advance the window and its sorted copy at HEAD + n; False when unknown."""
    old = push(state, n, x)
    if not known(state, n):
        return False
    ordered = state[HEAD + n : HEAD + 2 * n]
    if state[ROWS] - state[BAD] == n:
        for i in range(n):
            insert(ordered, i, state[HEAD + i])
        return True
    i = np.searchsorted(ordered, old)
    while i + 1 < n and ordered[i + 1] < x:
        ordered[i] = ordered[i + 1]
        i += 1
    insert(ordered, i, x)
    return True


@jit
def interpolated(ordered, q):
    """Return the quantile q of sorted values (Hyndman & Fan 1996, type 7: linear)."""
    place = q * (ordered.size - 1)
    low = int(place)
    if place == low:
        return ordered[low]
    return ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])


@jit
def ts_quantile(state, params, x):
    n = int(params[0])
    if not sorted_window(state, n, x):
        return np.nan
    return interpolated(state[HEAD + n : HEAD + 2 * n], params[1])


@jit
def ts_median(state, params, x):
    n = int(params[0])
    if not sorted_window(state, n, x):
        return np.nan
    return interpolated(state[HEAD + n : HEAD + 2 * n], 0.5)
