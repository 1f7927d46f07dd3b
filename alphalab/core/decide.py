"""A strategy's `decide`: its compilation and identity."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from typing import Any

from alphalab.core.strategy import PARAMS, Strategy, arguments_of
from alphalab.errors import StrategyError
from alphalab.expr.identity import identity
from alphalab.kernels.market.by_name import compile_by_name


def compiled_decide(strategy: Strategy, names: tuple[str, ...]) -> Any:
    """Return the strategy's `decide`, compiled for the step; None without one.

    The step calls it with the table of all signals and parameters, (K, N), so one compilation does
    for all parameters.

    Parameters
    ----------
    strategy : Strategy
    names : tuple of str
        What the rows of the table are: its `Strategy.expressions`.

    Raises
    ------
    StrategyError
        A function that numba cannot compile, or that does not return an array of float64.
    """
    decide = type(strategy).decide
    if decide is None:
        return None
    numbers = type(strategy).numbers_of_class()
    try:
        return _compiled(decide, names, tuple(numbers.items()))
    except Exception as error:
        signals = [name for name in names if not name.startswith(PARAMS)]
        _refuse_keys(strategy, decide, signals, error)
        place = getattr(error, "loc", None)  # an error of numba names the line
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if not line.startswith("Failed in nopython")), "")
        has = f"signals has {', '.join(signals)}"
        if "params" in arguments_of(decide):
            has += f"; params has {', '.join(numbers)}"
        raise StrategyError(
            f"{type(strategy).__name__}.decide cannot be compiled: {type(error).__name__}"
            f"{f' in line {place.line}' if place else ''}: {reason:.200}",
            rule="decide returns an array of float64, and uses what numba compiles. "
            f"{has}; a signal is an array with one number for each asset.",
            fix="Run with NUMBA_DISABLE_JIT=1 to see it as plain Python.",
        ) from error


@cache
def _compiled(
    decide: Callable[..., Any], names: tuple[str, ...], numbers: tuple[tuple[str, type], ...]
) -> Any:
    takes = arguments_of(decide)
    signals = [name for name in names if not name.startswith(PARAMS)]
    params = {}
    if "params" in takes:
        params = {name: (names.index(PARAMS + name), kind) for name, kind in numbers}
    plain = getattr(decide, "py_func", decide)
    return compile_by_name(plain, takes, signals, params, identity(decide))


def _refuse_keys(
    strategy: Strategy, decide: Callable[..., Any], signals: list[str], error: Exception
) -> None:
    """Say so where a `decide` that does not compile asks for signals by key."""
    code: types.CodeType = getattr(decide, "py_func", decide).__code__
    names = [name for name in signals if name in code.co_consts]
    if names:
        raise StrategyError(
            f"{type(strategy).__name__}.decide reads signals[{names[0]!r}]",
            rule="signals are read by name, each an array with one number for each asset.",
            fix=f"Write signals.{names[0]}.",
        ) from error


def decide_identity(strategy: Strategy) -> str:
    """Return an identity of the strategy's `decide` and of its memory; empty without one."""
    decide = type(strategy).decide
    return (
        "" if decide is None else f"{identity(decide)} {strategy.memory_rows} {strategy.max_orders}"
    )
