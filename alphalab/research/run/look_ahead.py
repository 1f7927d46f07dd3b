"""Doors through which the future can come into a run, told as warnings.

The language cannot look ahead. What a Python function reads besides its arguments can: a table of
all prices, indexed by the number of the row, is the future. So can an observation that was known
before the time it is about.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from alphalab.core.strategy import Strategy
from alphalab.expr.custom import python_function
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import operator
from alphalab.kernels.identity import installed

#: Numbers that a function may name as its constants before it is asked where they come from.
FEW_NUMBERS = 16


def known_early(early: Mapping[str, int], read: Iterable[str]) -> Iterator[str]:
    """Yield a warning for each column that is read of observations known too early.

    Parameters
    ----------
    early : mapping of str to int
        Observations that were known before the time they are about, by the column they are in.
    read : iterable of str
        Columns that a run reads.
    """
    for name in read:
        if count := early.get(name):
            said = "1 observation is" if count == 1 else f"{count:,} observations are"
            yield (
                f"Column {name}: {said} known before the time that it is about. That is right for "
                "a forecast; of something measured it is a look into the future."
            )


def tables_read(strategy: Strategy, expressions: Mapping[str, Expr]) -> Iterator[str]:
    """Yield a warning for each table of numbers that code of the user's names.

    Parameters
    ----------
    strategy : Strategy
        Its `decide` is looked at.
    expressions : mapping of str to Expr
        Their Python functions, and the updates of users' operators, are looked at.
    """
    for said, function in _functions(strategy, expressions):
        for name, value in _named(function, set()):
            if (count := _numbers(value)) > FEW_NUMBERS:
                yield (
                    f"{said} reads {name} ({type(value).__name__}, {count:,} numbers), which is "
                    "known in every row: the future, if it holds prices or results of the same "
                    "time. Give it as a column (bars.with_columns) or as observations "
                    "(bars.with_observations)."
                )


def _functions(
    strategy: Strategy, expressions: Mapping[str, Expr]
) -> Iterator[tuple[str, Callable[..., Any]]]:
    if (decide := type(strategy).decide) is not None:
        yield f"{type(strategy).__name__}.decide", decide
    seen: set[bytes] = set()
    for node in (node for expr in expressions.values() for node in expr.walk(seen)):
        if node.op == "python_op":
            name, _, code = node.params
            yield f"python_op {name!r}", python_function(name, code)
        elif callable(update := operator(node.op).update):
            yield f"operator {node.op!r}", update


def _named(function: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield what a user's function names besides its arguments, and what its helpers name."""
    plain = getattr(function, "py_func", function)
    if isinstance(plain, types.MethodType):
        plain = plain.__func__
    if not isinstance(plain, types.FunctionType) or id(plain) in seen:
        return
    seen.add(id(plain))
    if installed(plain.__code__.co_filename):
        return
    for name, value in _values(plain):
        if isinstance(value, types.ModuleType):
            yield from _of_module(name, value, plain, seen)
        elif callable(value):
            yield from _named(value, seen)
        else:
            yield name, value


def _values(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield globals, values closed over and defaults of a function."""
    names = dict.fromkeys(name for code in _codes(function.__code__) for name in code.co_names)
    yield from (
        (name, function.__globals__[name]) for name in names if name in function.__globals__
    )
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    yield from zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _of_module(
    name: str, module: types.ModuleType, function: types.FunctionType, seen: set[int]
) -> Iterator[tuple[str, Any]]:
    """Yield what a function may name of a module of the user's own."""
    if installed(getattr(module, "__file__", None) or "<frozen"):
        return
    for part in {part for code in _codes(function.__code__) for part in code.co_names}:
        if part in vars(module):
            value = vars(module)[part]
            if callable(value):
                yield from _named(value, seen)
            elif not isinstance(value, types.ModuleType):
                yield f"{name}.{part}", value


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield code and the code within it: of lambdas and comprehensions."""
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _codes(part)


def _numbers(value: Any) -> int:
    """Return how many numbers a value holds: an array, a frame, or containers of them."""
    if isinstance(value, dict):
        return max(len(value), sum(map(_numbers, value.values())))
    if isinstance(value, list | tuple | set | frozenset):
        return sum(map(_numbers, value))
    if isinstance(value, bytes | bytearray):
        return len(value)
    if isinstance(value, int | float | np.number):
        return 1
    size = getattr(value, "size", 0)  # of arrays, of frames and series of pandas
    return int(size) if isinstance(size, int | np.integer) else 0
