"""Data that a user's function holds: arrays it closes over, names as globals or as defaults.

A function that is shown the past alone can still know the future when it holds the data. No other
future of the bars changes what it holds, so it is looked for in the function itself.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.types import FloatArray

#: Consecutive rows that an array shares with a column only if it was taken from it.
_ROWS = 5
_DEEPEST = 6


def held_data(function: Callable[..., Any], bars: Bars) -> str:
    """Return where a function holds rows of the bars, in words; empty where it holds none.

    An array is of the bars when five rows in a row are those of some column, or when it has one
    value for each row of the bars: derived values, such as returns, are no longer comparable.

    Examples
    --------
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> bars = synthetic(200, 1)
    >>> close = bars.close
    >>> def cheat(x):
    ...     return close[np.searchsorted(close[:, 0], x[-1, 0])]
    >>> held_data(cheat, bars)
    "'close' holds rows of the column 'close'"
    >>> held_data(np.mean, bars)
    ''
    """
    for name, array in _arrays(function, "", set(), 0):
        if array.shape[0] >= _ROWS and (column := _column_of(array, bars)):
            return f"{name!r} holds rows of the column {column!r}"
        if bars.n_rows > _ROWS and array.shape[0] == bars.n_rows:
            return f"{name!r} holds one value for each of the {bars.n_rows:,} rows"
    return ""


def _arrays(value: Any, name: str, seen: set[int], depth: int) -> Iterator[tuple[str, FloatArray]]:
    """Yield every array of numbers that a value reaches, as (rows, columns), with its name."""
    value = getattr(value, "py_func", value)  # of a compiled function
    if id(value) in seen or depth > _DEEPEST or isinstance(value, types.ModuleType | type):
        return
    seen.add(id(value))
    if isinstance(value, Bars):
        yield name, value.close
    elif _is_numbers(value):
        array = np.asarray(value, np.float64)
        if array.ndim:
            yield name, array.reshape(len(array), -1)
    else:
        for inner, part in _parts(value):
            yield from _arrays(part, inner or name, seen, depth + 1)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value names or contains; empty names: the value's own."""
    if isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        for name, cell in cells:
            with_content = cell.cell_contents if _is_filled(cell) else None
            yield name, with_content
        for name in _names(value.__code__):
            if name in value.__globals__:
                yield name, value.__globals__[name]
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield "a default", default
    elif isinstance(value, functools.partial):
        yield from (("", part) for part in (value.func, *value.args, *value.keywords.values()))
    elif isinstance(value, types.MethodType):
        yield from (("", value.__func__), ("", value.__self__))
    elif isinstance(value, dict):
        yield from ((str(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (("", part) for part in value)
    elif hasattr(value, "__dict__") and type(value).__module__ not in ("builtins", "numpy"):
        yield from vars(value).items()


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _names(part)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_numbers(value: Any) -> bool:
    """Return True for an array, a frame or a list of numbers."""
    if isinstance(value, list | tuple):
        return len(value) >= _ROWS and all(isinstance(x, int | float) for x in value)
    if not hasattr(value, "__array__") or not hasattr(value, "shape"):
        return False
    kind = getattr(np.asarray(value), "dtype", np.dtype("O")).kind
    return kind in "fiu"


def _column_of(array: FloatArray, bars: Bars) -> str:
    """Return the column of the bars whose rows some column of the array holds; empty if none."""
    wanted = _runs(array)
    for name, values in bars.columns.items():
        if wanted and not wanted.isdisjoint(_runs(values)):
            return name
    return ""


def _runs(table: FloatArray) -> set[bytes]:
    """Return the bytes of every few consecutive known values that are not all equal."""
    if len(table) < _ROWS:
        return set()
    windows = np.lib.stride_tricks.sliding_window_view(table, _ROWS, axis=0)
    spread = windows.max(axis=-1) - windows.min(axis=-1)
    return {run.tobytes() for run in np.ascontiguousarray(windows[spread > 0.0])}
