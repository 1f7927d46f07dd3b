"""Mean absolute deviation of a window. The contract is that of `window.py`, in O(n) per row."""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.operators.window import HEAD, A, fill, known, tick


@jit
def ts_mad(state, params, x, out):
    """Mean distance from the mean. A: mean deviation from this row's value."""
    n = int(params[0])
    full, slot = tick(state, n)
    ring, means = state[HEAD:], state[A]
    newest = ring[slot]
    for j in range(x.size):
        newest[j] = known(x[j])
    # Deviations from a value of the window first, so that an offset of all values costs no digit.
    fill(means, 0.0)
    for i in range(n):
        values = ring[i]
        for j in range(x.size):
            means[j] += (values[j] - newest[j]) / n
    fill(out, 0.0)
    for i in range(n):
        values = ring[i]
        for j in range(x.size):
            out[j] += abs((values[j] - newest[j]) - means[j]) / n
    for j in range(x.size):
        out[j] = out[j] if full & np.isfinite(out[j]) else np.nan
