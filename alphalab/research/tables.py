"""A result's records as pandas tables; `alphalab.research.result.Result` says what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.errors import ParameterError
from alphalab.research import metrics, series
from alphalab.types import REASONS, FloatArray, IntArray, Reason

if TYPE_CHECKING:
    import pandas as pd

    from alphalab.research.result import Result

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def over_time(result: Result, values: FloatArray, names: list[str]) -> pd.DataFrame:
    """Return (T, K) values with the bars' times as the index."""
    import pandas as pd

    return pd.DataFrame(values, index=_utc(result.bars.time).rename("time"), columns=names)


def trades(result: Result) -> pd.DataFrame:
    """Return the round trips, one in each row."""
    trip = result.round_trips
    columns: dict[str, Any] = {
        "symbol": symbols_of(result, trip["asset"]),
        "side": np.where(trip["side"] > 0, "long", "short"),
        "entry_time": _utc(trip["entry_time"]),
        "exit_time": _utc(trip["exit_time"]),
        "rows": trip["exit_row"] - trip["entry_row"],
    }
    for name in ("qty", "entry_price", "exit_price", "fees", "pnl", "return", "closed"):
        columns[name] = trip[name]
    return _table(columns)


def fills(result: Result) -> pd.DataFrame:
    """Return the executions, one in each row."""
    fill = result.fills
    return _table(
        {
            "time": _utc(fill["time"]),
            "symbol": symbols_of(result, fill["asset"]),
            "qty": fill["qty"],
            "price": fill["price"],
            "value": fill["qty"] * fill["price"] * result.multiplier[fill["asset"]],
            "fee": fill["fee"],
            "realised": fill["realised"],
            "row": fill["row"],
            "decided": _utc(result.bars.time[fill["order_row"]]),
        }
    )


def refusals(result: Result) -> pd.DataFrame:
    """Return the refusals, one in each row, with their reasons in words."""
    refusal = result.refusals
    reasons = [Reason(code) for code in refusal["reason"].tolist()]
    return _table(
        {
            "time": _utc(refusal["time"]),
            "symbol": symbols_of(result, refusal["asset"]),
            "reason": [reason.name for reason in reasons],
            "meaning": [REASONS[reason] for reason in reasons],
            "asked": refusal["asked"],
            "approved": refusal["approved"],
            "row": refusal["row"],
        }
    )


def monthly_returns(result: Result) -> pd.DataFrame:
    """Return the returns by year and month, and of each year."""
    import pandas as pd

    months, month_ends = series.period_ends(result.bars.time, "M")
    years, year_ends = series.period_ends(result.bars.time, "Y")
    table = np.full((years.size, 13), np.nan)
    row = np.searchsorted(years, months.astype("datetime64[Y]"))
    table[row, months.astype(np.int64) % 12] = series.period_returns(result.equity_path, month_ends)
    table[:, 12] = series.period_returns(result.equity_path, year_ends)
    index = pd.Index(years.astype(np.int64) + 1970, name="year")
    return pd.DataFrame(table, index=index, columns=[*MONTHS, "Year"])


def rolling(result: Result, window: int) -> pd.DataFrame:
    """Return the figures over the last `window` rows."""
    import pandas as pd

    if window < 2:
        raise ParameterError(f"window={window}", rule="a rolling figure needs 2 rows or more.")
    path = pd.Series(result.equity_path)
    lowest, highest = (getattr(path.rolling(window + 1), end)() for end in ("min", "max"))
    rows = pd.Series(result.row_returns).rolling(window)
    spread, year = rows.std(), result.periods_per_year
    figures = {
        "return": (path / path.shift(window).where(lowest > 0) - 1)[1:],
        "volatility": spread * year**0.5,
        "sharpe": rows.mean() / spread.where(spread > metrics.ROUNDING) * year**0.5,
        "drawdown": (1 - path / highest)[1:],
    }
    return over_time(result, np.column_stack(list(figures.values())), list(figures))


def symbols_of(result: Result, assets: IntArray) -> list[str]:
    """Return the symbols of asset indices; -1 is the whole portfolio."""
    names = (*result.bars.symbols, "portfolio")
    return [names[asset] for asset in assets.tolist()]


def _utc(time: IntArray) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex(np.asarray(time).astype("datetime64[ns]"), tz="UTC")


def _table(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
