"""Combinations of values by name: from a grid, or from a list."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from alphalab.errors import ParameterError

#: Most combinations that run without `max_columns`.
MAX_COLUMNS = 100_000

Combinations = tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]


def combinations(space: Any, max_columns: int) -> Combinations:
    """Return the swept names, and the values of each combination in that order.

    Parameters
    ----------
    space : mapping of str to iterable, or iterable of mappings
        A grid: every combination, the last name varies fastest. Or a list of combinations of the
        same names, in the given order. NumPy scalars become Python's.
    max_columns : int
        Larger grids and lists are refused before they are expanded.

    Raises
    ------
    ParameterError
        A grid or list that is empty, too large, or has duplicates.

    Examples
    --------
    >>> names, rows = combinations({"fast": range(5, 7), "slow": [20, 50]}, 100)
    >>> names, list(rows)
    (('fast', 'slow'), [(5, 20), (5, 50), (6, 20), (6, 50)])
    """
    return (_grid if isinstance(space, Mapping) else _list)(space, max_columns)


def too_many(what: str, max_columns: int) -> ParameterError:
    """Return the error for more combinations than `max_columns`."""
    return ParameterError(
        what,
        rule=f"at most {max_columns:,} combinations run, unless a larger limit is set.",
        fix="Set max_columns=... (--max-columns), or let a search choose some of them:"
        " al.Search(...) (--search).",
    )


def _grid(space: Mapping[Any, Any], max_columns: int) -> Combinations:
    if not space:
        raise ParameterError("an empty grid", rule="a grid has at least one name with values.")
    counted = {name: _counted(name, values, max_columns) for name, values in space.items()}
    total = math.prod(n for n, _ in counted.values())
    if total > max_columns:
        raise too_many(f"grid of {total:,} combinations", max_columns)
    lists = {}
    for name, (_, values) in counted.items():
        lists[name] = [plain(value) for value in values]
        if pair := _twice(lists[name]):
            raise ParameterError(
                f"{name}: {lists[name][pair[0]]!r} twice, at {pair[0]} and {pair[1]}",
                rule="a grid has no duplicate values.",
            )
    return tuple(lists), itertools.product(*lists.values())


def _list(space: Any, max_columns: int) -> Combinations:
    rule = "a list of parameters holds mappings of names to values, all with the same names."
    if isinstance(space, str) or not isinstance(space, Iterable):
        raise ParameterError(
            f"{type(space).__name__} in place of a grid",
            rule="a sweep takes a mapping of names to values, a list of mappings, or al.Search.",
        )
    given = list(itertools.islice(space, max_columns + 1))
    if not given:
        raise ParameterError("an empty list of parameters", rule=rule)
    if len(given) > max_columns:
        total = f"{len(space):,}" if isinstance(space, Sized) else f"more than {max_columns:,}"
        raise too_many(f"list of {total} combinations", max_columns)
    for i, params in enumerate(given):
        if not isinstance(params, Mapping):
            fix = 'Pass a frame as frame.to_dict("records").' if hasattr(space, "to_dict") else ""
            raise ParameterError(f"{short(params)} at {i}", rule=rule, fix=fix)
        if not params or params.keys() != given[0].keys():
            names, first = (", ".join(map(str, p)) or "nothing" for p in (params, given[0]))
            what = f"{names} at {i}" + (f", but {first} at 0" if i else "")
            raise ParameterError(what, rule=rule)
    rows = [tuple(plain(params[name]) for name in given[0]) for params in given]
    if pair := _twice(rows):
        raise ParameterError(
            f"{shown(given[pair[0]])} twice, at {pair[0]} and {pair[1]}",
            rule="a list has no duplicate combinations.",
        )
    return tuple(given[0]), rows


def _counted(name: Any, values: Any, most: int) -> tuple[int, Iterable[Any]]:
    """Return the number of values (counted up to `most`) and the values."""
    rule = "the values of a name are a list, a range or an array of one dimension."
    # A set has no order, and a mapping in place of a list is a mistake.
    refused = isinstance(values, str | bytes | Mapping | set | frozenset)
    flat = not isinstance(values, np.ndarray) or values.ndim == 1
    if refused or not flat or not isinstance(values, Iterable):
        fix = "" if isinstance(values, Iterable) else f"Write [{values!r}] for a single value."
        raise ParameterError(f"{name}: {short(values)}", rule=rule, fix=fix)
    if isinstance(values, range):  # len() of a range ends at sys.maxsize
        n = max(-((values.start - values.stop) // values.step), 0)
    elif isinstance(values, Sized):
        n = len(values)
    else:
        values = list(itertools.islice(values, most + 1))
        n = len(values)
    if not n:
        raise ParameterError(f"{name}: no values", rule=rule)
    return n, values


def _twice(values: Sequence[Any]) -> tuple[int, int] | None:
    """Return the positions of the first duplicate value."""
    seen: dict[Any, int] = {}
    for i, value in enumerate(map(key_of, values)):
        if seen.setdefault(value, i) != i:
            return seen[value], i
    return None


def key_of(value: Any) -> Any:
    """Return a hashable key of a value."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def plain(value: Any) -> Any:
    """Return a value, a NumPy scalar as its Python type."""
    return value.item() if isinstance(value, np.generic) else value


def shown(params: Mapping[str, Any]) -> str:
    """Return a combination on one line."""
    return ", ".join(f"{name}={short(value)}" for name, value in params.items())


def short(value: Any) -> str:
    """Return a value on one line, cut if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
