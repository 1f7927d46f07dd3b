"""User-defined operators: a compiled update (`op`), or a Python function (`python_op`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from alphalab.errors import ExprError, UnknownNameError
from alphalab.expr import functions
from alphalab.expr.functions import function_of
from alphalab.expr.identity import identity
from alphalab.expr.indicators import HOME
from alphalab.expr.nodes import Expr, as_expr
from alphalab.expr.registry import REGISTRY, WINDOW, Linear, Operator, Param, register
from alphalab.types import FloatArray

#: Registered Python functions by name and identity, and the latest identity of each name.
PYTHON_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {}
LATEST: dict[str, str] = {}

# Reserved words that are not operators: sources, indicators, and attributes of `Expr`.
_WORDS = {
    *functions.__all__,
    *HOME,
    "nan",
    "inf",
    *(name for name in dir(Expr) if name[0] != "_"),
}

_LEADING = {"series": ("state", "params"), "elementwise": ("params",)}


def op(
    *,
    params: Sequence[Param | str] = (),
    rows: str = "1",
    state: str = "0",
    recursive: bool = False,
    family: Literal["series", "elementwise"] = "series",
    unknown: str = WINDOW,
) -> Callable[[Callable[..., float]], Callable[..., Expr]]:
    """Register a compiled operator of your own, under the name of the function.

    Parameters
    ----------
    params : sequence of str or Param
        The operator's numbers, in order. A number named ``n`` is a count of rows, at least 1.
    rows : str
        Rows needed for the first value: ``"1"``, ``"n"``, ``"n + 1"``. It only sets the warm-up:
        values that the function returns earlier are used, so return NaN until a value is known.
    state : str
        Number of float64 values of state per asset, such as ``"n + 2"``; all zeros before the first
        row.
    recursive : bool
        True if rows older than `rows` affect the value.
    family : {"series", "elementwise"}
        ``series`` updates are called as ``f(state, params, x, ...)`` and return one value;
        ``elementwise`` ones as ``f(params, x, ...)``.
    unknown : str
        The NaN rule of the operator, for the documentation.

    Returns
    -------
    callable
        A decorator that returns the operator as a function of expressions. The update is compiled
        with numba (nopython); it may use NumPy and compiled functions of its own module. It may
        write only to its state, and draws no random numbers.

    Raises
    ------
    ExprError
        A name that is taken, arguments that do not start as the family requires, or a count of
        rows that uses n although n is not the first number.

    Examples
    --------
    >>> @op(params=["n"], rows="2", state="2", recursive=True)
    ... def held_peak(state, params, x):
    ...     state[0] = x if state[1] == 0.0 else max(x, state[0])
    ...     state[1] = 1.0
    ...     return state[0] * (1.0 - 1.0 / params[0])
    >>> from alphalab.expr.functions import close
    >>> str(held_peak(close, 10))
    'held_peak(close, 10)'
    """
    if family not in _LEADING:
        raise UnknownNameError("family of operators", family, _LEADING)

    def decorate(function: Callable[..., float]) -> Callable[..., Expr]:
        name = function.__name__
        names = tuple(inspect.signature(getattr(function, "py_func", function)).parameters)
        leading = _LEADING[family]
        inputs = names[len(leading) :]
        if names[: len(leading)] != leading or not 1 <= len(inputs) <= 3:
            raise ExprError(
                f"al.op: {name}({', '.join(names)})",
                rule=f"it is called as f({', '.join(leading)}, x) with one to three inputs.",
            )
        if name in _WORDS or isinstance(REGISTRY[name].update if name in REGISTRY else None, str):
            raise ExprError(
                f"al.op: {name}",
                rule="the language's words keep their meaning.",
                fix="Rename yours.",
            )
        if name in REGISTRY and not _same(REGISTRY[name].update, function):
            raise ExprError(
                f"al.op: {name} is another function already",
                rule="expressions hold an operator by its name, so it means one function.",
                fix="Rename yours; what it closes over can be one of its numbers, params=[...].",
            )
        numbers = tuple(
            p
            if isinstance(p, Param)
            else Param(p, integer=p == "n", low=1 if p == "n" else -np.inf)
            for p in params
        )
        record = Operator(
            name=name,
            family=family,
            doc=(inspect.getdoc(function) or "A user's operator.").splitlines()[0],
            inputs=inputs,
            params=numbers,
            rows=Linear.parse(rows),
            recursive=recursive,
            state=Linear.parse(state),
            unknown=unknown,
            update=function,
        )
        _check_counts(record)
        return function_of(register(record))

    return decorate


def _same(old: Any, new: Any) -> bool:
    """Return True if both are one function, or the new one is its edited version."""
    old, new = getattr(old, "py_func", old), getattr(new, "py_func", new)
    if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
        return False
    return "<locals>" not in new.__qualname__ or identity(old) == identity(new)


def _check_counts(record: Operator) -> None:
    """Refuse counts that use an n the operator does not have, or that may be below 1 row."""
    least = record.params[0].low if record.counts_rows else -np.inf
    counted = record.rows.per_n or record.state.per_n
    if (counted and least < 0) or record.rows.at(int(max(least, 0))) < 1:
        raise ExprError(
            f"al.op: {record.name}: rows={str(record.rows)!r}, state={str(record.state)!r}",
            rule="n is the first of its params, an integer with a least value; rows is at least 1.",
        )


def python_op(
    function: Callable[..., FloatArray],
    inputs: Sequence[Expr],
    lookback: int,
    *,
    name: str | None = None,
    version: str | None = None,
) -> Expr:
    """Return an expression computed by a Python function of exactly the last `lookback` rows.

    It is slower than a compiled operator (one Python call per row), but gives the same values in
    every mode: the function receives exactly `lookback` rows for every block size.

    Parameters
    ----------
    function : callable
        ``f(x, ...) -> (N,)``: one read-only array of shape (lookback, N) per input, oldest row
        first. The result must depend on the arguments alone, without random numbers. The function
        is not called for the first ``lookback - 1`` rows, whose value is NaN.
    inputs : sequence of Expr
    lookback : int
        At least 1.
    name : str, optional
        Name in the text of the expression; by default the function's own. If two functions share a
        name, each expression keeps its own function, and `parse` uses the latest.
    version : str, optional
        Identity of the function, instead of the hash of its code and of all that it names. Use it
        if the function names an object that cannot be hashed, such as a model: give its release.

    Raises
    ------
    ExprError
        A function without a name, one that draws random numbers, or one that names an object whose
        content cannot be hashed; no inputs; a lookback below 1 or not an integer.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> def spread(x):
    ...     return x.max(axis=0) - x.min(axis=0)
    >>> str(python_op(spread, [close], lookback=5))
    "python_op('spread', close, 5)"
    """
    name = name or getattr(function, "__name__", "")
    if not name or name == "<lambda>":
        raise ExprError(
            f"python_op({function!r})", rule="the function has a name.", fix="Give name='...'."
        )
    LATEST[name] = identity(function) if version is None else f"version {version}"
    PYTHON_FUNCTIONS[name, LATEST[name]] = function
    return python_expr(name, tuple(as_expr(x, "python_op") for x in inputs), lookback)


def python_function(name: str, code: str) -> Callable[..., FloatArray]:
    """Return the Python function registered under a name and an identity."""
    if (name, code) not in PYTHON_FUNCTIONS:
        raise UnknownNameError(
            "Python function",
            name,
            {known for known, _ in PYTHON_FUNCTIONS} - {name},
            fix="Register it, as it was, with al.python_op first.",
        )
    return PYTHON_FUNCTIONS[name, code]


def python_expr(name: str, inputs: tuple[Expr, ...], lookback: float) -> Expr:
    """Return an expression of the latest Python function with this name."""
    if name not in LATEST:
        raise UnknownNameError(
            "Python function", name, LATEST, fix="Register it with al.python_op first."
        )
    if not inputs:
        raise ExprError(f"python_op({name!r})", rule="it reads at least one expression.")
    rows = Param("lookback", integer=True, low=1).check("python_op", lookback)
    return Expr("python_op", inputs, (name, rows, LATEST[name]))
