"""Compilation and identity of a strategy's `decide`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from alphalab.core.strategy import Strategy
from alphalab.errors import StrategyError
from alphalab.expr.identity import identity
from alphalab.kernels.market import drivers


@cache
def _compiled(decide: Callable[..., Any]) -> Any:
    return drivers.compile_decide(decide, identity(decide))


def compiled_decide(strategy: Strategy) -> Any:
    """Return the strategy's `decide`, compiled for the step; None without one.

    Raises
    ------
    StrategyError
        A function that numba cannot compile, or that does not return an array of float64.
    """
    decide = type(strategy).decide
    if decide is None:
        return None
    try:
        return _compiled(decide)
    except Exception as error:
        _refuse_names(strategy, decide, error)
        place = getattr(error, "loc", None)  # an error of numba names the line
        lines = (line for line in str(error).splitlines() if line)
        reason = next((line for line in lines if not line.startswith("Failed in nopython")), "")
        raise StrategyError(
            f"{type(strategy).__name__}.decide cannot be compiled: {type(error).__name__}"
            f"{f' in line {place.line}' if place else ''}: {reason:.200}",
            rule="decide(signals, account, memory) returns an array of float64, "
            "and uses what numba compiles.",
            fix="Run with NUMBA_DISABLE_JIT=1 to see it as plain Python.",
        ) from error


def _refuse_names(strategy: Strategy, decide: Callable[..., Any], error: Exception) -> None:
    """Say so where a `decide` that does not compile asks for signals by their names."""
    order = list(strategy.signals())
    code = getattr(decide, "py_func", decide).__code__
    names = [name for name in order if name in code.co_consts]
    if names:
        raise StrategyError(
            f"{type(strategy).__name__}.decide reads signals[{names[0]!r}]",
            rule="signals is an array with one row for each of signals(), in their order.",
            fix=" ".join(f"signals[{order.index(n)}] is {n!r}." for n in names),
        ) from error


def decide_identity(strategy: Strategy) -> str:
    """Return an identity of the strategy's `decide` and of its memory; empty without one."""
    decide = type(strategy).decide
    return (
        "" if decide is None else f"{identity(decide)} {strategy.memory_rows} {strategy.max_orders}"
    )
