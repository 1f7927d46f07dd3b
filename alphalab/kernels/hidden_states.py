"""The filter of a hidden Markov model: the probabilities of its states, given the rows so far.

A recursion over rows whose state is an array that is carried on: blocks of any size give the same
bits.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from numba import float64, void

from alphalab.kernels._jit import jit


def _hidden_states(x, transitions, means, whiten, log_norms, state, out):
    """Write the probability of each hidden state of a Gaussian hidden Markov model, row by row.

    p[t] is proportional to q[t] * N(x[t]; mean, covariance) with q[t + 1] = p[t] @ transitions:
    Hamilton (1994), Time Series Analysis, equations 22.4.5 and 22.4.6. `state` is q of the next
    row. A row with NaN tells nothing: its p is q.
    """
    n_rows, n_values = x.shape
    n_states = means.shape[0]
    for t in range(n_rows):
        p = out[t]
        known = True
        for d in range(n_values):
            known &= not np.isnan(x[t, d])
        highest = -np.inf
        for k in range(n_states):
            p[k] = 0.0
            if known:
                square = 0.0
                for d in range(n_values):
                    z = 0.0
                    for e in range(d + 1):
                        z += whiten[k, d, e] * (x[t, e] - means[k, e])
                    square += z * z
                p[k] = log_norms[k] - 0.5 * square
            if state[k] > 0.0:
                highest = max(highest, p[k])
        total = 0.0
        for k in range(n_states):
            p[k] = state[k] * np.exp(p[k] - highest) if state[k] > 0.0 else 0.0
            total += p[k]
        for k in range(n_states):
            p[k] /= total
        for k in range(n_states):
            state[k] = 0.0
            for j in range(n_states):
                state[k] += p[j] * transitions[j, k]


@cache
def hidden_states():
    """Return the compiled `f(x (T, D), transitions, means, whiten, log_norms, state, out)`.

    For K states: transitions (K, K), means (K, D), the inverse Cholesky factors `whiten` (K, D, D)
    of their covariances, the logarithms of their densities at the means (K,), the probabilities
    `state` (K,) before the first row is seen, and those after each row, `out` (T, K).
    """
    one, two, three = (numba.types.Array(float64, n, "C", readonly=True) for n in (1, 2, 3))
    state, out = (numba.types.Array(float64, n, "C") for n in (1, 2))
    return jit(_hidden_states, void(two, two, two, three, one, state, out))
