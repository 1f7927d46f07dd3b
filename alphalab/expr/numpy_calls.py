"""NumPy's functions on expressions: those that the language has become operators, others refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alphalab.errors import ExprError
from alphalab.expr.registry import REGISTRY

# Functions of NumPy with another name in the language.
_NAMES = {
    "absolute": "abs",
    "bitwise_and": "and_",
    "bitwise_or": "or_",
    "bitwise_xor": "ne",
    "divide": "div",
    "equal": "eq",
    "fabs": "abs",
    "float_power": "power",
    "greater": "gt",
    "greater_equal": "ge",
    "invert": "not_",
    "isnan": "is_nan",
    "less": "lt",
    "less_equal": "le",
    "logical_and": "and_",
    "logical_not": "not_",
    "logical_or": "or_",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "subtract": "sub",
    # Functions of a whole series; each has a window here.
    "average": "ts_mean",
    "corrcoef": "ts_corr",
    "cov": "ts_cov",
    "cumsum": "ts_sum",
    "diff": "delta",
    "max": "ts_max",
    "amax": "ts_max",
    "amin": "ts_min",
    "mean": "ts_mean",
    "median": "ts_median",
    "min": "ts_min",
    "nan_to_num": "fill_nan",
    "quantile": "ts_quantile",
    "roll": "delay",
    "std": "ts_std",
    "sum": "ts_sum",
    "var": "ts_var",
}

#: Comparisons with their sides exchanged: Python writes `2 < x` as ``x > 2``.
MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}


def operator_of(ufunc: Any, method: str, options: dict[str, Any]) -> str:
    """Return the operator that is an elementwise function of NumPy.

    Raises
    ------
    ExprError
        The language has none, or the function is called in another way than ``f(x)``.
    """
    written: str = ufunc.__name__
    name = _NAMES.get(written, written)
    if method != "__call__" or options:
        raise no_values(f"np.{written}.{method}", "")
    if name not in REGISTRY:
        raise no_values(f"np.{written}", written)
    return name


def no_values(call: str, name: str) -> ExprError:
    """Return the error for a function that needs the values of an expression."""
    near = _NAMES.get(name, name)
    fix = f"Use al.{near}: `alphalab ops {near}` explains it." if near in REGISTRY else ""
    return ExprError(
        f"{call} of an expression",
        rule="an expression is a formula and has no values until it is run.",
        fix=fix
        or "`alphalab ops` lists the operators; al.python_op calls a Python function of the last "
        "rows, and al.evaluate returns the values on bars.",
    )


def refused(name: str) -> Callable[..., Any]:
    """Return a method of `Expr` that refuses what Python calls `name`."""

    def refuse(*_: Any) -> Any:
        raise no_values(f"{name}()", name)

    return refuse
