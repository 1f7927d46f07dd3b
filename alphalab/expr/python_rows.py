"""Runs the Python function of a `python_op` row by row, on exactly the last rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from alphalab.errors import ExprError
from alphalab.types import FloatArray


def run_python(
    function: Callable[..., Any],
    params: tuple[str, int, str],
    state: FloatArray,
    inputs: list[FloatArray],
    out: FloatArray,
) -> None:
    """Fill `out` (R, N) by one call per row; `state` keeps the last rows.

    `state[0, 0]` counts the rows seen; the rest holds the last `lookback` rows of each input,
    oldest first.
    """
    name, lookback, _ = params
    n_assets = out.shape[1]
    history = state[0, 1:].reshape(len(inputs), lookback, n_assets)
    for t in range(out.shape[0]):
        history[:, :-1] = history[:, 1:].copy()
        for i, values in enumerate(inputs):
            history[i, -1] = values[t]
        state[0, 0] += 1
        out[t] = np.nan
        if state[0, 0] >= lookback:
            out[t] = _called(function, name, history, n_assets)


def _called(
    function: Callable[..., Any], name: str, history: FloatArray, n_assets: int
) -> FloatArray:
    windows = history.copy()
    windows.flags.writeable = False
    try:
        values = function(*windows)
        if values is None:
            raise TypeError("it returned nothing")
        _check_order(values, n_assets)
        values = np.asarray(values, np.float64)
    except Exception as error:
        raise ExprError(
            f"python_op {name!r} failed: {type(error).__name__}: {error}",
            rule=f"it takes {len(windows)} arrays of shape {windows.shape[1:]}, read-only.",
        ) from error
    if values.shape not in ((), (n_assets,)):
        raise ExprError(
            f"python_op {name!r} returned shape {values.shape}",
            rule=f"it returns one value per asset: shape ({n_assets},).",
        )
    return values


def _check_order(values: Any, n_assets: int) -> None:
    """Refuse a series whose labels are not the places of the assets in their order."""
    labels = getattr(values, "index", None)
    if labels is not None and not callable(labels) and list(labels) != list(range(n_assets)):
        raise TypeError(
            f"a {type(values).__name__} labelled {list(labels)[:3]} ...; values are in the order "
            "of the assets, with the labels 0, 1, ... or none"
        )
