"""Fine rows to rows of a coarser clock, one row at a time.

A window of the coarser clock is finished by a row at its end, or by the first row after it. What is
carried from row to row is the window that is open and its values so far.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import boolean, float64, int64

from alphalab.kernels._jit import jit

# How a column of a window is made of those of its rows.
FIRST, HIGHEST, LOWEST, LAST, TOTAL, LATEST = range(6)

# Fields of `clock`.
NUMBER, OPEN = 0, 1  # of the window, and 1.0 if it is open

_SIGNATURE = int64(
    float64[::1],
    float64[:, ::1],
    int64[::1],
    int64[::1],
    boolean[::1],
    float64[:, :, ::1],
    float64[:, :, ::1],
    int64[::1],
    int64[::1],
)


def merged(clock, part, kinds, numbers, ends, rows, out, windows, shown):
    """Take R rows into windows and return how many windows they finish, K.

    Parameters
    ----------
    clock : (2,)
        Carried: the last window, and whether it is open.
    part : (1 + C, N)
        Carried: rows of the open window in which each asset traded, then its columns so far.
    kinds : (C,)
        How each column is merged; the first column is the close, which says who traded.
    numbers : (R,)
        The window of each row.
    ends : (R,)
        True where a row stands at the end of its window.
    rows : (C, R, N)
    out : (C, R + 1, N)
        The columns of finished windows.
    windows, shown : (R + 1,)
        Their numbers, and the row from which on each is known.
    """
    done = 0
    for t in range(numbers.size):
        if clock[OPEN] != 0.0 and numbers[t] != int(clock[NUMBER]):
            done = _finish(clock, part, out, windows, shown, done, t)
        if clock[OPEN] == 0.0:
            clock[NUMBER] = numbers[t]
            clock[OPEN] = 1.0
            for j in range(part.shape[1]):
                part[0, j] = 0.0
                for c in range(1, part.shape[0]):
                    part[c, j] = np.nan
        for c in range(kinds.size):
            _merge(kinds[c], part[0], part[c + 1], rows[0, t], rows[c, t])
        for j in range(part.shape[1]):
            part[0, j] += 0.0 if np.isnan(rows[0, t, j]) else 1.0
        if ends[t]:
            done = _finish(clock, part, out, windows, shown, done, t)
    return done


@jit
def _merge(kind, traded, part, close, row):
    """Merge one row of one column into the open window."""
    for j in range(part.size):
        now, so_far, value = not np.isnan(close[j]), part[j], row[j]
        if kind == FIRST:
            part[j] = value if now and traded[j] == 0.0 else so_far
        elif kind == HIGHEST:
            part[j] = value if np.isnan(so_far) or value > so_far else so_far
        elif kind == LOWEST:
            part[j] = value if np.isnan(so_far) or value < so_far else so_far
        elif kind == LAST:
            part[j] = value if now else so_far
        elif kind == TOTAL:
            if now:
                part[j] = value if traded[j] == 0.0 else so_far + value
        else:
            part[j] = so_far if np.isnan(value) else value


@jit
def _finish(clock, part, out, windows, shown, done, t):
    """Write the open window as the next finished one, known from row t on."""
    for c in range(out.shape[0]):
        for j in range(part.shape[1]):
            out[c, done, j] = part[c + 1, j]
    windows[done] = int(clock[NUMBER])
    shown[done] = t
    clock[OPEN] = 0.0
    return done + 1


@cache
def merging() -> Callable[..., int]:
    """Return `merged`, compiled or loaded when the first plan needs it."""
    return jit(merged, _SIGNATURE)  # type: ignore[no-any-return]
