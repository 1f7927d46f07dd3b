"""A strategy's `decide`: its compilation and identity."""

from __future__ import annotations

import hashlib
import types
from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numba

from alphalab.core.strategy import PARAMS, Strategy, arguments_of
from alphalab.errors import StrategyError
from alphalab.expr.identity import identity
from alphalab.kernels._jit import jit
from alphalab.kernels.market import drivers

#: How a number of the step's table becomes a parameter of its type.
_READ = {float: "{}", int: "int({})", bool: "{} != 0.0"}
_NUMBA = {float: numba.float64, int: numba.int64, bool: numba.boolean}


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
    plain: Any = getattr(decide, "py_func", decide)
    takes = arguments_of(decide)
    signals = [name for name in names if not name.startswith(PARAMS)]
    parts = {"table": "table", "account": "account", "memory": "memory"}
    scope: dict[str, Any] = {"decide": jit(plain, allocates=True, boundscheck=True, folder=None)}
    if "signals" in takes:
        scope["Signals"] = namedtuple("Signals", signals)  # type: ignore[misc]
        parts["signals"] = f"Signals({', '.join(f'table[{k}]' for k in range(len(signals)))})"
    if "params" in takes:
        scope["Params"] = namedtuple("Params", [name for name, _ in numbers])  # type: ignore[misc]
        cells = [f"table[{names.index(PARAMS + name)}, 0]" for name, _ in numbers]
        read = [_READ[kind].format(x) for x, (_, kind) in zip(cells, numbers, strict=True)]
        parts["params"] = f"Params({', '.join(read)})"
    source = (
        "def by_name(table, account, memory):\n"
        f"    return decide({', '.join(parts[name] for name in takes)})\n"
    )
    # Numba keeps compiled code beside the name of the file, so the function is said to be in it.
    exec(compile(source, plain.__code__.co_filename, "exec"), scope)
    known = hashlib.blake2b(f"{identity(decide)} {names} {source}".encode(), digest_size=8)
    try:
        return drivers.compile_decide(scope["by_name"], known.hexdigest())
    except numba.core.errors.NumbaError:
        _compile_alone(scope, takes, [_NUMBA[kind] for _, kind in numbers])
        raise


def _compile_alone(scope: dict[str, Any], takes: tuple[str, ...], numbers: list[Any]) -> None:
    """Compile a `decide` for its own arguments: the error then names its line."""
    table, view, memory = drivers.DECIDE.args
    row = numba.types.Array(numba.float64, 1, "C")
    kinds = {"table": table, "account": view, "memory": memory}
    if "signals" in takes:
        names = scope["Signals"]._fields
        kinds["signals"] = numba.types.NamedUniTuple(row, len(names), scope["Signals"])
    if "params" in takes:
        kinds["params"] = numba.types.NamedTuple(numbers, scope["Params"])
    scope["decide"].compile(tuple(kinds[name] for name in takes))


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
