"""Windows of one asset's last n rows, in O(1) a row where that is exact.

Every function is an operator's `update(state, params, x, ...) -> y`. `state` is one float64 vector
per asset, all zeros before the first row; `params[0]` is n. A value that is not finite is unknown:
a window that holds one gives NaN and recovers when it has left.

Running sums are re-anchored: they are computed again from the window itself every n rows, and
whenever cancellation has cost more than three digits of a sum of squares, or more than ten of a
compensated sum. So nothing drifts, and a result depends on at most the last 2n rows.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit

# The head of every window's state; the ring of n values starts at HEAD.
ROWS = 0  # rows seen
BAD = 1  # row (counted from 1) of the last unknown value; 0 stands for "before the data"
POS = 2  # next slot of the ring
RUN = 3  # equal values in a row, ending here
A, B, C, D, E, F, G = 4, 5, 6, 7, 8, 9, 10  # accumulators, named where they are used
HEAD = 11

CANCELLED = 1e-3  # share of a sum of squares below which it is computed again
LOST = 1e-10  # the same of a compensated sum


@jit
def push(state, n, x):
    """Put x into the ring, and return what fell out."""
    state[ROWS] += 1
    pos = int(state[POS])
    old = state[HEAD + pos]
    last = state[HEAD + (pos - 1 if pos > 0 else n - 1)]
    state[RUN] = state[RUN] + 1 if x == last and state[ROWS] > 1 else 1.0
    state[HEAD + pos] = x
    state[POS] = pos + 1 if pos + 1 < n else 0
    if not np.isfinite(x):
        state[BAD] = state[ROWS]
    return old


@jit
def known(state, n):
    """Tell whether the window is full and holds no unknown value."""
    return state[ROWS] - state[BAD] >= n


@jit
def fresh(state, n):
    """Tell whether this is the first row of a known window, or the ring has come round."""
    return state[ROWS] - state[BAD] == n or state[POS] == 0


@jit
def add(state, x):
    """Add x to the sum at A with Neumaier's compensation at B; C is the largest A so far."""
    total = state[A] + x
    if abs(state[A]) >= abs(x):
        state[B] += (state[A] - total) + x
    else:
        state[B] += (x - total) + state[A]
    state[A] = total
    state[C] = max(state[C], abs(total))


@jit
def running_sum(state, n, x):
    """Advance the window and return its sum, NaN when unknown."""
    old = push(state, n, x)
    if not known(state, n):
        return np.nan
    if not fresh(state, n) and np.isfinite(state[A]):
        add(state, x)
        add(state, -old)
        total = state[A] + state[B]
        if np.isfinite(total) and abs(total) >= LOST * state[C]:
            return total
    state[A] = 0.0
    state[B] = 0.0
    for i in range(HEAD, HEAD + n):
        add(state, state[i])
    state[C] = abs(state[A])
    return state[A] + state[B]


@jit
def ts_sum(state, params, x):
    return running_sum(state, int(params[0]), x)


@jit
def ts_mean(state, params, x):
    n = int(params[0])
    total = running_sum(state, n, x)
    return x if state[RUN] >= n and known(state, n) else total / n


@jit
def ts_count(state, params, x):
    held = x
    if not np.isnan(x):
        held = 1.0 if x != 0.0 else 0.0
    return running_sum(state, int(params[0]), held)


@jit
def moments(state, n, x):
    """Advance the window; mean at A + B / n and sum of squared deviations at D. False when unknown.

    A: anchor, B: sum of x - A, C: sum of (x - A)^2, D: the same about the mean, E: largest C since
    anchoring.
    """
    old = push(state, n, x)
    if not known(state, n):
        return False
    if state[RUN] >= n:
        state[A], state[B], state[C], state[D], state[E] = x, 0.0, 0.0, 0.0, 0.0
        return True
    if not fresh(state, n):
        into = x - state[A]
        out = old - state[A]
        state[B] += into - out
        state[C] += into * into - out * out
        state[D] = state[C] - state[B] * state[B] / n
        state[E] = max(state[E], state[C])
        if state[D] > CANCELLED * state[E]:
            return True
    anchor = 0.0
    for i in range(HEAD, HEAD + n):
        anchor += state[i] / n
    first = 0.0
    second = 0.0
    for i in range(HEAD, HEAD + n):
        d = state[i] - anchor
        first += d
        second += d * d
    state[A], state[B], state[C], state[E] = anchor, first, second, second
    state[D] = max(second - first * first / n, 0.0)
    return True


@jit
def ts_var(state, params, x):
    n = int(params[0])
    return state[D] / (n - 1) if moments(state, n, x) else np.nan


@jit
def ts_std(state, params, x):
    return np.sqrt(ts_var(state, params, x))


@jit
def spread(state):
    """Tell whether the window has a deviation to divide by: not constant, not beyond float64."""
    return 0.0 < state[D] < np.inf


@jit
def ts_zscore(state, params, x):
    n = int(params[0])
    if not moments(state, n, x) or not spread(state):
        return np.nan
    return ((x - state[A]) - state[B] / n) / np.sqrt(state[D] / (n - 1))


@jit
def standardised(state, n, power):
    """Return the mean of ((x - mean) / deviation)^power over a window `moments` has advanced."""
    mean = state[B] / n
    scale = 1.0 / np.sqrt(state[D] / n)
    total = 0.0
    for i in range(HEAD, HEAD + n):
        total += (((state[i] - state[A]) - mean) * scale) ** power
    return total / n


@jit
def ts_skew(state, params, x):
    n = int(params[0])
    if not moments(state, n, x) or not spread(state):
        return np.nan
    return standardised(state, n, 3) * np.sqrt(n * (n - 1.0)) / (n - 2.0)


@jit
def ts_kurt(state, params, x):
    n = int(params[0])
    if not moments(state, n, x) or not spread(state):
        return np.nan
    raw = standardised(state, n, 4)
    return (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * raw - 3.0 * (n - 1.0))


@jit
def ts_product(state, params, x):
    n = int(params[0])
    push(state, n, x)
    if not known(state, n):
        return np.nan
    product = 1.0
    pos = int(state[POS])
    for i in range(n):
        product *= state[HEAD + (pos + i if pos + i < n else pos + i - n)]
    return product


@jit
def ts_decay_linear(state, params, x):
    n = int(params[0])
    push(state, n, x)
    if not known(state, n):
        return np.nan
    total = 0.0
    pos = int(state[POS])
    for i in range(n):
        total += (i + 1.0) * state[HEAD + (pos + i if pos + i < n else pos + i - n)]
    return total / (n * (n + 1.0) / 2.0)


@jit
def ts_rank(state, params, x):
    n = int(params[0])
    push(state, n, x)
    if not known(state, n):
        return np.nan
    less = 0
    equal = 0
    for i in range(HEAD, HEAD + n):
        less += state[i] < x
        equal += state[i] == x
    return (less + (equal + 1) / 2.0) / n


@jit
def delayed(state, n, x):
    """Advance the ring and return the value n rows ago, NaN before there is one."""
    old = push(state, n, x)
    return old if state[ROWS] > n else np.nan


@jit
def delay(state, params, x):
    return delayed(state, int(params[0]), x)


@jit
def delta(state, params, x):
    return x - delayed(state, int(params[0]), x)


@jit
def returns(state, params, x):
    return x / delayed(state, int(params[0]), x) - 1.0
