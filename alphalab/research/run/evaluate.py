"""`evaluate`: the values of an expression on bars, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alphalab.core.accounts import default_capacity
from alphalab.data.panel.bars import Bars
from alphalab.errors import UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.expr.text import parse

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

    node = parse(expr) if isinstance(expr, str) else expr
    plan = Plan({"value": node}, bars.instruments, default_capacity(bars.n_symbols))
    for name in plan.columns:
        if name not in bars.columns:
            raise UnknownNameError("column", name, bars.columns)
    values = np.empty((bars.n_rows, bars.n_symbols))
    for i in range(0, bars.n_rows, plan.capacity):
        rows = slice(i, min(i + plan.capacity, bars.n_rows))
        block = {name: bars.columns[name][rows] for name in plan.columns}
        values[rows] = plan.run(block, rows.stop - rows.start)["value"]
    index = pd.DatetimeIndex(bars.time.astype("M8[ns]"), tz="UTC", name="time")
    return pd.DataFrame(values, index=index, columns=list(bars.symbols))
