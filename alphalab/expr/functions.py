"""The functions of the alpha language: sources, and one per operator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, Number, apply, as_expr, constant, on_clock
from alphalab.expr.registry import REGISTRY, Operator, partial_form
from alphalab.types import BAR_COLUMNS

__all__ = [
    "close",
    "column",
    "constant",
    "group",
    "high",
    "low",
    "on",
    "on_traded",
    "open",
    "per_symbol",
    "session_open",
    "volume",
]


def column(name: str) -> Expr:
    """Return a named column of the bars: prices, volume, or any column of your own.

    Examples
    --------
    >>> str(column("sentiment").delay(1) > 0)
    "delay(column('sentiment'), 1) > 0.0"
    >>> column("close").same_as(close)
    True
    """
    if not isinstance(name, str) or not name:
        raise ExprError(f"column({name!r})", rule="a column has a name.")
    return Expr("column", (), (name,))


open, high, low, close, volume = (column(name) for name in BAR_COLUMNS)


def group(label: str) -> Expr:
    """Return the group of each asset as a code, from its instrument; NaN without a label.

    Examples
    --------
    >>> str(close.returns(20).cs_neutralize(group("sector")))
    "cs_neutralize(returns(close, 20), group('sector'))"
    """
    if not isinstance(label, str) or not label:
        raise ExprError(f"group({label!r})", rule="a group has a label, such as 'sector'.")
    return Expr("group", (), (label,))


def per_symbol(expressions: Mapping[str, Expr | Number]) -> Expr:
    """Return an expression with its own formula per asset; other assets get NaN (no opinion).

    Examples
    --------
    >>> str(per_symbol({"KO": close, "PEP": -close}))
    "per_symbol({'KO': close, 'PEP': -close})"
    """
    if not expressions:
        raise ExprError("per_symbol({})", rule="at least one symbol is named.")
    if wrong := [symbol for symbol in expressions if not isinstance(symbol, str) or not symbol]:
        raise ExprError(f"per_symbol: {wrong[0]!r}", rule="symbols are text and not empty.")
    args = tuple(as_expr(expr, "per_symbol") for expr in expressions.values())
    return Expr("per_symbol", args, tuple(expressions))


def on(interval: str, x: Expr | Number, offset: str = "") -> Expr:
    """Return an expression on the bars of a coarser clock.

    The bars of the fine clock are merged into windows of the interval, and x is computed on these.
    A row sees the last window that has closed: its own if it stands at the end of it, else the one
    before. Windows of x count rows of the coarser clock.

    Parameters
    ----------
    interval : str
        Such as ``"15m"``, ``"1h"`` or ``"1d"``; windows are multiples of it since 1970, UTC. On
        rows that are as far apart or farther, every row is a window.
    x : Expr
        Any expression. Columns of a window: open the first, high the highest, low the lowest, close
        the last, volume, ``buy_volume``, ``n_trades`` and ``traded_value`` the sum, others the last
        known value.
    offset : str
        By how much windows begin later: ``on("7d", x, "4d")`` has weeks that begin on Mondays.

    Raises
    ------
    ExprError
        Not a length of time; splits, dividends, funding or delistings inside.

    Examples
    --------
    >>> str(on("1h", close.rsi(14)) < 30)
    "on('1h', rsi(close, 14)) < 30.0"
    """
    if isinstance(interval, Expr):
        raise ExprError(
            "on(expression, interval)",
            rule="the interval comes first.",
            fix="Write al.on('1h', x) or x.on('1h').",
        )
    return on_clock(as_expr(x, "on"), interval, offset)


def on_traded(x: Expr) -> Expr:
    """Return an expression over the rows in which each asset trades, unknown in the others.

    Windows count the rows in which the asset has a close, so a weekday's fund beside a daily coin
    has full windows. What needs all assets of a row, such as `cs_rank`, stands around it.

    Examples
    --------
    >>> str(on_traded(close.ts_mean(20)).ffill())
    'ffill(on_traded(ts_mean(close, 20)), inf)'
    """
    return apply("on_traded", x)


def session_open() -> Expr:
    """Return 1 in the first row of a session of the asset's exchange, else 0.

    Sessions are those of `Instrument.calendar`; days of UTC without one. The first row of the data
    is unknown, because its session may have begun before.

    Examples
    --------
    >>> str(session_open())
    'delta(session(), 1) > 0.0'
    """
    return apply("delta", apply("session"), 1) > 0


def function_of(record: Operator) -> Callable[..., Expr]:
    """Return the Python function of an operator, with its signature and documentation."""

    def call(*args: Any, **kwargs: Any) -> Expr:
        return apply(record.name, *args, **kwargs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    inputs = [inspect.Parameter(name, kind, annotation=Expr) for name in record.inputs]
    numbers = [
        inspect.Parameter(
            p.name,
            kind,
            annotation=int if p.integer else float,
            default=inspect.Parameter.empty if p.default is None else p.default,
        )
        for p in record.params
    ]
    if partial_form(record.name) in REGISTRY:
        numbers.append(
            inspect.Parameter(
                "min_periods",
                inspect.Parameter.KEYWORD_ONLY,
                annotation=int | None,
                default=None,
            )
        )
    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = f"{record.doc}\n\nMemory: {record.memory}. NaN: {record.unknown}."
    call.__signature__ = inspect.Signature([*inputs, *numbers], return_annotation=Expr)  # type: ignore[attr-defined]
    return call


_OPERATORS = {
    name: function_of(record)
    for name, record in REGISTRY.items()
    if record.family in ("clock", "elementwise", "series", "cross") and not record.form_of
}


def __getattr__(name: str) -> Callable[..., Expr]:
    try:
        return _OPERATORS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*__all__, *_OPERATORS])
