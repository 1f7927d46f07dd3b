"""Window operators: the last n rows of all assets at once, in O(1) per row.

Every function is an operator's `update(state, params, x, ..., out)` for one row: `x` and `out` are
that row's values (N,), `state` is (S, N) and all zeros before the first row; `params[0]` is n. A
value that is not finite is unknown: a window that holds one gives NaN, and recovers when the value
has left the window.

Rows are stored in a ring of n slots. A window consists of the tail of the previous round and the
head of the current round::

    slots       0   1   2   3   4      n = 5; this row is in slot 1
    this round  x   x                  head: one running sum, grows by one value a row
    last round          x   x   x      tail: one sum per slot, computed when the round ends

So a window's sum is head + tail, and no value is ever subtracted again. Sums cannot drift, a value
has no effect after it has left, and NaN spreads without a test. To avoid cancellation, moments use
deviations from a value of the window: the first of the head, the last of the tail.

The compiler vectorises the loops over assets. For that they load all values first, and select
between values instead of branching.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit

# Fields of the state, one value per asset; the clock (ROWS, SLOT) is stored for asset 0 only.
ROWS, SLOT = 0, 1  # rows seen, slot of the next row
A, B, C, D, E, F = 2, 3, 4, 5, 6, 7  # each operator documents its own use
HEAD = 8  # start of the first ring; a ring has n slots and one more, the empty tail


@jit
def tick(state, n):
    """Advance the clock; return True if the window is full, and this row's slot."""
    row = state[ROWS, 0] + 1.0
    slot = state[SLOT, 0]
    state[ROWS, 0] = row
    state[SLOT, 0] = slot + 1.0 if slot + 1.0 < n else 0.0
    return row >= n, int(slot)


@jit
def known(x):
    """Return x, or NaN if it is not finite."""
    return x if np.isfinite(x) else np.nan


@jit
def fill(row, value):
    for j in range(row.size):
        row[j] = value


# Sums.


@jit
def add(total, rest, x):
    """Return total + x, and the rest: the rounding error so far (Neumaier 1974)."""
    new = total + x
    large, small = (total, x) if abs(total) >= abs(x) else (x, total)
    lost = (large - new) + small
    return new, rest + lost


@jit
def window_sum(state, n, x, out):
    """Write the compensated sum to `out`. Head: sum at A, rest at B; tails in two rings."""
    full, slot = tick(state, n)
    ring, rests = state[HEAD:], state[HEAD + n + 1 :]
    values, tail, tail_rest = ring[slot], ring[slot + 1], rests[slot + 1]
    head, head_rest = state[A], state[B]
    for j in range(x.size):
        value, last, last_rest = known(x[j]), tail[j], tail_rest[j]
        values[j] = value
        total, rest = add(head[j], head_rest[j], value)
        head[j] = total
        head_rest[j] = rest
        total, rest = add(last, last_rest + rest, total)
        out[j] = total + rest if full else np.nan
    if slot + 1 == n:
        fill(head, 0.0)
        fill(head_rest, 0.0)
        end_sums(n, ring, rests)


@jit
def end_sums(n, ring, rests):
    """Turn the values of the finished round into sums over its tails."""
    if ring.shape[1] == 1:  # one asset: keep the sums in registers
        total, rest = 0.0, 0.0
        for i in range(n - 1, -1, -1):
            total, rest = add(total, rest, ring[i, 0])
            ring[i, 0] = total
            rests[i, 0] = rest
        return
    for i in range(n - 1, -1, -1):
        totals, after, lost, lost_after = ring[i], ring[i + 1], rests[i], rests[i + 1]
        for j in range(totals.size):
            totals[j], lost[j] = add(after[j], lost_after[j], totals[j])


@jit
def ts_sum(state, params, x, out):
    window_sum(state, int(params[0]), x, out)


@jit
def ts_mean(state, params, x, out):
    """Mean, exact for equal values. C: the last value, D: how often it has repeated."""
    n = int(params[0])
    window_sum(state, n, x, out)
    last, run = state[C], state[D]
    for j in range(x.size):
        value, before, length = known(x[j]), last[j], run[j]
        length = (length if value == before else 0.0) + 1.0
        last[j] = value
        run[j] = length
        mean = out[j] / n
        out[j] = value if length >= n else mean


@jit
def ts_count(state, params, x, out):
    n = int(params[0])
    full, slot = tick(state, n)
    ring = state[HEAD:]
    values, tail, head = ring[slot], ring[slot + 1], state[A]
    for j in range(x.size):
        value, last, total = x[j], tail[j], head[j]
        held = np.nan if np.isnan(value) else (1.0 if value != 0.0 else 0.0)
        values[j] = held
        head[j] = total + held
        out[j] = last + (total + held) if full else np.nan
    if slot + 1 == n:
        fill(head, 0.0)
        for i in range(n - 1, -1, -1):
            values, after = ring[i], ring[i + 1]
            for j in range(x.size):
                values[j] += after[j]


@jit
def ts_product(state, params, x, out):
    n = int(params[0])
    full, slot = tick(state, n)
    ring, head = state[HEAD:], state[A]
    if slot == 0:
        fill(head, 1.0)
        fill(ring[n], 1.0)
    values, tail = ring[slot], ring[slot + 1]
    for j in range(x.size):
        value, last = known(x[j]), tail[j]
        values[j] = value
        product = head[j] * value
        head[j] = product
        out[j] = last * product if full else np.nan
    if slot + 1 == n:
        for i in range(n - 1, -1, -1):
            values, after = ring[i], ring[i + 1]
            for j in range(x.size):
                values[j] *= after[j]


@jit
def ts_decay_linear(state, params, x, out):
    """Head: sum at A, sum weighted by slot at B. Tails: cumulative sums of their sums."""
    n = int(params[0])
    full, slot = tick(state, n)
    ring, head, weighted = state[HEAD:], state[A], state[B]
    values, tail = ring[slot], ring[slot + 1]
    weights = n * (n + 1.0) / 2.0
    for j in range(x.size):
        value, last = known(x[j]), tail[j]
        values[j] = value
        total = head[j] + value
        by_slot = weighted[j] + slot * value
        head[j] = total
        weighted[j] = by_slot
        out[j] = (last + ((n - slot) * total + by_slot)) / weights if full else np.nan
    if slot + 1 == n:
        fill(head, 0.0)
        fill(weighted, 0.0)
        for i in range(n - 1, -1, -1):
            values, after = ring[i], ring[i + 1]
            for j in range(x.size):
                end = head[j] + values[j]
                head[j] = end
                values[j] = after[j] + end
        fill(head, 0.0)


# Moments.


@jit
def moments(state, n, x):
    """Advance the window; return True if it is full, and this row's slot.

    A: first value of the head, B: sum of deviations from it, C: sum of their squares; D: last value
    of the tail. Results, for the window: E: mean minus A, F: sum of squares about the mean.
    """
    full, slot = tick(state, n)
    ring, squares = state[HEAD:], state[HEAD + n + 1 :]
    first, total, square, end = state[A], state[B], state[C], state[D]
    if slot == 0:
        for j in range(x.size):
            first[j] = known(x[j])
        fill(total, 0.0)
        fill(square, 0.0)
    values, tail, tail_square = ring[slot], ring[slot + 1], squares[slot + 1]
    deviation, variation = state[E], state[F]
    n_tail, share = n - slot - 1.0, 1.0 / n
    if n_tail == 0.0:
        for j in range(x.size):
            end[j] = first[j]
    for j in range(x.size):
        value, point, last, last_square = x[j], first[j], tail[j], tail_square[j]
        values[j] = value
        s, ss = deviate(total[j], square[j], value - point)
        total[j] = s
        square[j] = ss
        apart = end[j] - point
        s += last + n_tail * apart
        ss += last_square + apart * (2.0 * last + n_tail * apart)
        mean = s * share
        about_mean = ss - s * mean
        deviation[j] = mean
        variation[j] = 0.0 if about_mean < 0.0 else about_mean
    if slot + 1 == n:
        for j in range(x.size):
            end[j] = x[j]
        end_moments(n, ring, squares, end)
    return full, slot


@jit
def deviate(total, square, d):
    """Return the sums of deviations and of their squares after one more deviation d."""
    return total + d, square + d * d


@jit
def end_moments(n, ring, squares, end):
    """Turn the values of the finished round into sums over its tails, about its last value."""
    if ring.shape[1] == 1:  # one asset: keep the sums in registers
        total, square = 0.0, 0.0
        for i in range(n - 1, -1, -1):
            total, square = deviate(total, square, ring[i, 0] - end[0])
            ring[i, 0] = total
            squares[i, 0] = square
        return
    for i in range(n - 1, -1, -1):
        totals, after, square, square_after = ring[i], ring[i + 1], squares[i], squares[i + 1]
        for j in range(totals.size):
            totals[j], square[j] = deviate(after[j], square_after[j], totals[j] - end[j])


@jit
def ts_var(state, params, x, out):
    n = int(params[0])
    full, _ = moments(state, n, x)
    variation = state[F]
    for j in range(x.size):
        out[j] = variation[j] / (n - 1) if full else np.nan


@jit
def ts_std(state, params, x, out):
    ts_var(state, params, x, out)
    for j in range(x.size):
        out[j] = np.sqrt(out[j])


@jit
def varies(variation):
    """Return True if a sum of squares is a valid divisor: not 0 (constant window), not infinite."""
    return (variation > 0.0) & (variation < np.inf)


@jit
def ts_zscore(state, params, x, out):
    n = int(params[0])
    full, _ = moments(state, n, x)
    first, deviation, variation = state[A], state[E], state[F]
    for j in range(x.size):
        square = variation[j]
        z = ((x[j] - first[j]) - deviation[j]) / np.sqrt(square / (n - 1))
        out[j] = z if varies(square) & full else np.nan


# Rings of the values themselves.


@jit
def powered(value, first, mean, scale, power):
    """Return (((value - first) - mean) * scale) ** power, for power 3 or 4."""
    z = ((value - first) - mean) * scale
    return z * z * (z if power == 3 else z * z)


@jit
def standardised(state, n, power, x, out):
    """Write the mean of ((x - mean) / deviation)^power to `out`. Values are in a third ring.

    O(n) per row: running sums of raw third and fourth powers would overflow float64.
    """
    full, slot = moments(state, n, x)
    first, deviation, variation = state[A], state[E], state[F]
    window = state[HEAD + 2 * (n + 1) :]
    values, scale = window[slot], window[n]
    for j in range(x.size):
        values[j] = x[j]
        scale[j] = 1.0 / np.sqrt(variation[j] / n)
        out[j] = 0.0
    if window.shape[1] == 1:  # one asset: keep the sum in a register
        total = 0.0
        for i in range(n):
            total += powered(window[i, 0], first[0], deviation[0], scale[0], power)
        out[0] = total
    else:
        for i in range(n):
            values = window[i]
            for j in range(x.size):
                out[j] += powered(values[j], first[j], deviation[j], scale[j], power)
    for j in range(x.size):
        total, square = out[j], variation[j]
        out[j] = total / n if varies(square) & full else np.nan


@jit
def ts_skew(state, params, x, out):
    n = int(params[0])
    standardised(state, n, 3, x, out)
    for j in range(x.size):
        out[j] = out[j] * np.sqrt(n * (n - 1.0)) / (n - 2.0)


@jit
def ts_kurt(state, params, x, out):
    n = int(params[0])
    standardised(state, n, 4, x, out)
    for j in range(x.size):
        raw = out[j]
        out[j] = (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * raw - 3.0 * (n - 1.0))


@jit
def half_places(value, x):
    """Return twice what a value adds to the rank of x: 2 if less, 1 if equal, else 0."""
    return int(value < x) + int(value <= x)


@jit
def ts_rank(state, params, x, out):
    """Rank by counting. A: row of the last unknown value, counted from 1; 0: none yet."""
    n = int(params[0])
    _, slot = tick(state, n)
    row, bad, ring = state[ROWS, 0], state[A], state[HEAD:]
    values = ring[slot]
    for j in range(x.size):
        value, before = x[j], bad[j]
        values[j] = value
        bad[j] = before if np.isfinite(value) else row
        out[j] = 1.0
    if ring.shape[1] == 1:  # one asset: keep the sum in a register
        places = 1
        for i in range(n):
            places += half_places(ring[i, 0], x[0])
        out[0] = places
    else:
        for i in range(n):
            values = ring[i]
            for j in range(x.size):
                out[j] += half_places(values[j], x[j])
    for j in range(x.size):
        out[j] = out[j] / 2.0 / n if row - bad[j] >= n else np.nan


@jit
def delay(state, params, x, out):
    n = int(params[0])
    _, slot = tick(state, n)
    values, full = state[HEAD + slot], state[ROWS, 0] > n
    for j in range(x.size):
        before, value = values[j], x[j]
        values[j] = value
        out[j] = before if full else np.nan


@jit
def delta(state, params, x, out):
    delay(state, params, x, out)
    for j in range(x.size):
        out[j] = x[j] - out[j]


@jit
def returns(state, params, x, out):
    delay(state, params, x, out)
    for j in range(x.size):
        out[j] = x[j] / out[j] - 1.0
