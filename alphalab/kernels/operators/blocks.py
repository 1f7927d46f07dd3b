"""From an operator's update to a kernel over a block of rows: one loop per family.

The families `elementwise` and `series` (a user's series operator) call the update for each cell.
The families `rows` (a built-in series operator) and `cross` call it once per row: the compiler
turns the update's own loop over the assets into vector instructions, and removes it for one asset.

Numba cannot cache a closure over another compiled function. So each operator gets a copy of its
family's loop that names the update as a global. The next process finds it in the cache.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from numba import float64
from numba import types as nb

from alphalab.kernels._jit import compiled, jit


def update(*_: Any) -> Any:
    """Stand for the operator's update in the loops below; each copy of a loop names its own."""


def _elementwise1(state, params, x, out):
    flat, xs = out.reshape(out.size), x.reshape(out.size)
    for i in range(flat.size):
        flat[i] = update(params, xs[i])


def _elementwise2(state, params, x, y, out):
    flat, xs, ys = out.reshape(out.size), x.reshape(out.size), y.reshape(out.size)
    for i in range(flat.size):
        flat[i] = update(params, xs[i], ys[i])


def _elementwise3(state, params, x, y, z, out):
    flat, xs, ys, zs = (
        out.reshape(out.size),
        x.reshape(out.size),
        y.reshape(out.size),
        z.reshape(out.size),
    )
    for i in range(flat.size):
        flat[i] = update(params, xs[i], ys[i], zs[i])


def _series1(state, params, x, out):
    for j in range(out.shape[1]):
        memory = state[j]
        for t in range(out.shape[0]):
            out[t, j] = update(memory, params, x[t, j])


def _series2(state, params, x, y, out):
    for j in range(out.shape[1]):
        memory = state[j]
        for t in range(out.shape[0]):
            out[t, j] = update(memory, params, x[t, j], y[t, j])


def _series3(state, params, x, y, z, out):
    for j in range(out.shape[1]):
        memory = state[j]
        for t in range(out.shape[0]):
            out[t, j] = update(memory, params, x[t, j], y[t, j], z[t, j])


# Both branches do the same. In the first the compiler knows that the update's loops have length 1.


def _rows1(state, params, x, out):
    if state.shape[1] == 1 and x.shape[1] == 1 and out.shape[1] == 1:
        for t in range(out.shape[0]):
            update(state, params, x[t], out[t])
    else:
        for t in range(out.shape[0]):
            update(state, params, x[t], out[t])


def _rows2(state, params, x, y, out):
    if state.shape[1] == 1 and x.shape[1] == 1 and out.shape[1] == 1:
        for t in range(out.shape[0]):
            update(state, params, x[t], y[t], out[t])
    else:
        for t in range(out.shape[0]):
            update(state, params, x[t], y[t], out[t])


def _rows3(state, params, x, y, z, out):
    if state.shape[1] == 1 and x.shape[1] == 1 and out.shape[1] == 1:
        for t in range(out.shape[0]):
            update(state, params, x[t], y[t], z[t], out[t])
    else:
        for t in range(out.shape[0]):
            update(state, params, x[t], y[t], z[t], out[t])


def _cross1(state, params, x, out):
    for t in range(out.shape[0]):
        update(params, x[t], out[t])


def _cross2(state, params, x, y, out):
    for t in range(out.shape[0]):
        update(params, x[t], y[t], out[t])


LOOPS: dict[tuple[str, int], Callable[..., None]] = {
    ("elementwise", 1): _elementwise1,
    ("elementwise", 2): _elementwise2,
    ("elementwise", 3): _elementwise3,
    ("series", 1): _series1,
    ("series", 2): _series2,
    ("series", 3): _series3,
    ("rows", 1): _rows1,
    ("rows", 2): _rows2,
    ("rows", 3): _rows3,
    ("cross", 1): _cross1,
    ("cross", 2): _cross2,
}

_PANEL = float64[:, ::1]
_PARAMS = nb.Array(float64, 1, "C", readonly=True)


def block_kernel(
    update: Callable[..., Any], family: str, n_inputs: int, identity: str = ""
) -> Callable[..., None]:
    """Return the compiled `kernel(state, params, *inputs, out)` of an operator.

    Parameters
    ----------
    update : callable
        The operator's update, compiled or plain.
    family : {"elementwise", "series", "rows", "cross"}
        How the update is called, see the module.
    n_inputs : int
    identity : str
        Hash of a user's update and of all that it names; empty for a built-in operator. The name of
        the cache file contains it, so an edited update is compiled again.

    Returns
    -------
    callable
        Takes `state`, `params` (P,), each input and `out` (R, N), all float64 and C-contiguous,
        and fills `out`. The state of a `series` is (N, S), of `rows` (S, N). An update
        that writes `params` does not compile.
    """
    source = getattr(update, "py_func", update)
    name = f"{family}_{source.__module__.rpartition('.')[2]}_{source.__name__}"
    if identity:
        name += f"_{identity}"
        if not compiled(update):
            update = jit(update, allocates=True, boundscheck=True, folder=None)
    template = LOOPS[family, n_inputs]
    kernel = types.FunctionType(template.__code__, {"update": update, "range": range}, name)
    kernel.__qualname__ = name
    kernel.__module__ = __name__
    signature = nb.void(_PANEL, _PARAMS, *[_PANEL] * n_inputs, _PANEL)
    return jit(kernel, signature, allocates=family == "cross" or bool(identity))  # type: ignore[no-any-return]
