"""`evaluate`: the values of an expression on bars, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alphalab.data.panel.bars import Bars
from alphalab.expr.nodes import Expr
from alphalab.expr.text import parse
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.values import values_of

if TYPE_CHECKING:
    import pandas as pd


def evaluate(expr: Expr | str, bars: Bars) -> pd.DataFrame:
    """Return the values of an expression at each row, as a strategy that uses it sees them.

    Parameters
    ----------
    expr : Expr or str
    bars : Bars

    Returns
    -------
    DataFrame of shape (T, N)
        Index in UTC, one column per symbol, NaN where unknown.

    Raises
    ------
    ExprError, UnknownNameError
        Text that is not an expression; a column, symbol or group that the bars do not have.

    Examples
    --------
    >>> import alphalab as al
    >>> evaluate("close / delay(close, 1) - 1", al.load("sp500")).iloc[1].round(4).item()
    0.0136
    """
    import pandas as pd

    refuse_swapped("evaluate", expr, bars)
    node = parse(expr) if isinstance(expr, str) else expr
    values = values_of({"value": node}, bars)["value"]
    index = pd.DatetimeIndex(bars.time.astype("M8[ns]"), tz="UTC", name="time")
    return pd.DataFrame(values, index=index, columns=list(bars.symbols))
