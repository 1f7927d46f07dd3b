"""Two doors for what the language lacks: a compiled update, and Python on the last rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from alphalab.errors import ExprError, UnknownNameError
from alphalab.expr import functions
from alphalab.expr.functions import function_of
from alphalab.expr.nodes import Expr, as_expr
from alphalab.expr.registry import REGISTRY, WINDOW, Linear, Operator, Param, register
from alphalab.kernels.identity import identity
from alphalab.types import FloatArray

#: Python functions by name and identity, and the identity of the latest of each name.
PYTHON_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {}
LATEST: dict[str, str] = {}

# Words that are no operators: sources, composites, and what every expression has.
_WORDS = {*functions.__all__, "nan", "inf", *(name for name in dir(Expr) if name[0] != "_")}

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
        Its numbers, in order. One named ``n`` is a count of rows of at least 1.
    rows : str
        Rows it needs for its first value: ``"1"``, ``"n"``, ``"n + 1"``. It counts as warm-up only:
        what the function returns before then is used. Return NaN where the value is not known yet.
    state : str
        float64 values it carries per asset, such as ``"n + 2"``; all zeros before the first row.
    recursive : bool
        Whether rows older than `rows` still count.
    family : {"series", "elementwise"}
        ``series`` updates are called as ``f(state, params, x, ...)`` and return one value;
        ``elementwise`` ones as ``f(params, x, ...)``.
    unknown : str
        What it does with NaN, for the documentation.

    Returns
    -------
    callable
        A decorator that returns the function of the language. The function is compiled with numba
        (nopython); it may use numpy, and compiled functions of its own module. It writes its state
        only, and draws no random numbers.

    Raises
    ------
    ExprError
        A name that the language or another function has taken, arguments that do not start as
        they must, or a count of rows in an n that is not the first of its numbers.

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
    """Tell whether this is one function, as it was or as edited in a notebook."""
    old, new = getattr(old, "py_func", old), getattr(new, "py_func", new)
    if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
        return False
    return "<locals>" not in new.__qualname__ or identity(old) == identity(new)


def _check_counts(record: Operator) -> None:
    """Refuse counts in an n that is not there, and such that may become too small."""
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

    Slower than a compiled operator (one Python call a row), but the same in every mode: the
    function is never shown a longer history, whatever the size of the block.

    Parameters
    ----------
    function : callable
        ``f(x, ...) -> (N,)``: one read-only array of shape (lookback, N) per input, oldest row
        first. It must be a function of its arguments alone, without random numbers. Not called
        before `lookback` rows are there (NaN until then).
    inputs : sequence of Expr
    lookback : int
        At least 1.
    name : str, optional
        Name in the text form; by default the function's own. Where two functions have one name,
        each expression keeps its own, and `parse` takes the latest.
    version : str, optional
        Stands for the function's code and all that it names, such as the release of a model whose
        content cannot be compared. By default these are compared themselves.

    Raises
    ------
    ExprError
        A function without a name, that names random numbers, or whose code names an object without
        content to compare; no inputs; a lookback that is no count of rows.

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
    """Return the Python function that `python_op` has registered under a name and an identity."""
    if (name, code) not in PYTHON_FUNCTIONS:
        raise UnknownNameError(
            "Python function",
            name,
            {known for known, _ in PYTHON_FUNCTIONS} - {name},
            fix="Register it, as it was, with al.python_op first.",
        )
    return PYTHON_FUNCTIONS[name, code]


def python_expr(name: str, inputs: tuple[Expr, ...], lookback: float) -> Expr:
    """Return the expression of the latest Python function that has this name."""
    if name not in LATEST:
        raise UnknownNameError(
            "Python function", name, LATEST, fix="Register it with al.python_op first."
        )
    if not inputs:
        raise ExprError(f"python_op({name!r})", rule="it reads at least one expression.")
    rows = Param("lookback", integer=True, low=1).check("python_op", lookback)
    return Expr("python_op", inputs, (name, rows, LATEST[name]))
