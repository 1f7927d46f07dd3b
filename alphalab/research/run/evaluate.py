"""`evaluate` and `features`: the values of expressions on bars, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, Number, as_expr
from alphalab.expr.text import parse
from alphalab.research.results.values import values_of
from alphalab.research.run.arguments import refuse_swapped

if TYPE_CHECKING:
    import pandas as pd


def evaluate(expr: Expr | str | Mapping[str, Expr | str | Number], bars: Bars) -> pd.DataFrame:
    """Return the values of an expression at each row, as a strategy that uses it sees them.

    Parameters
    ----------
    expr : Expr, str, or mapping of str to Expr, str or number
        Several expressions are computed together: parts that they share are computed once.
    bars : Bars

    Returns
    -------
    DataFrame of shape (T, N), or (T, K * N) for K expressions
        Index in UTC, one column per symbol, NaN where unknown. For a mapping the columns have two
        levels, name and symbol, so that ``table["name"]`` is the table of one expression.

    Raises
    ------
    ExprError, UnknownNameError
        Text that is not an expression; a column, symbol or group that the bars do not have.

    Examples
    --------
    >>> import alphalab as al
    >>> evaluate("close / delay(close, 1) - 1", al.load("sp500")).iloc[1].round(4).item()
    0.0136
    >>> averages = {"fast": al.close.ts_mean(5), "slow": "ts_mean(close, 20)"}
    >>> table = evaluate(averages, al.load("sp500"))
    >>> list(table.columns)
    [('fast', 'SP500'), ('slow', 'SP500')]
    """
    import pandas as pd

    refuse_swapped("evaluate", expr, bars)
    if isinstance(expr, Mapping):
        values = values_of(_named(expr, "evaluate"), bars)
        columns = pd.MultiIndex.from_product([values, bars.symbols], names=["name", "symbol"])
        return pd.DataFrame(np.hstack(list(values.values())), index=_times(bars), columns=columns)
    values = values_of({"value": _read(expr, "evaluate")}, bars)
    return pd.DataFrame(values["value"], index=_times(bars), columns=list(bars.symbols))


def features(expressions: Mapping[str, Expr | str | Number], bars: Bars) -> pd.DataFrame:
    """Return the values of several expressions as one table of features, for scikit-learn.

    Parameters
    ----------
    expressions : mapping of str to Expr, str or number
        The features by name; parts that they share are computed once.
    bars : Bars

    Returns
    -------
    DataFrame of shape (T * N, K)
        One row for each time and symbol, times first, with these two as its index; one column for
        each feature, NaN where unknown. A feature of a row uses nothing that became known after it.

    Raises
    ------
    ExprError, UnknownNameError
        As `evaluate`; no expressions.

    Examples
    --------
    >>> import alphalab as al
    >>> table = features({"r1": "returns(close, 1)", "rsi": al.close.rsi(14)}, al.load("sp500"))
    >>> table.shape, table.dropna().shape
    ((5031, 2), (5017, 2))
    """
    import pandas as pd

    refuse_swapped("features", expressions, bars)
    values = values_of(_named(expressions, "features"), bars)
    index = pd.MultiIndex.from_product([_times(bars), bars.symbols], names=["time", "symbol"])
    return pd.DataFrame({name: x.ravel() for name, x in values.items()}, index=index)


def _named(expressions: Mapping[str, Expr | str | Number], function: str) -> dict[str, Expr]:
    if not isinstance(expressions, Mapping) or not expressions:
        raise ExprError(
            f"{function}({type(expressions).__name__}, ...)",
            rule="it takes expressions by their names, at least one.",
            fix=f'Write al.{function}({{"name": al.close.rsi(14)}}, bars).',
        )
    return {str(name): _read(x, f"{function}[{name!r}]") for name, x in expressions.items()}


def _read(expr: Expr | str | Number, owner: str) -> Expr:
    return parse(expr) if isinstance(expr, str) else as_expr(expr, owner)


def _times(bars: Bars) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex(bars.time.astype("M8[ns]"), tz="UTC", name="time")
