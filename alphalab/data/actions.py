"""Splits and dividends of adjusted data: from factors to events, from events to adjusted prices."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.data.bars import Bars
from alphalab.data.times import iso
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd

FACTORS = ("time", "symbol", "price_factor", "split_factor")

# Files round factors to six or seven digits, and splits have small whole numbers.
_ROUNDING = 1e-5
_LARGEST = 20


def actions_from_factors(factors: pd.DataFrame, closes: pd.DataFrame) -> pd.DataFrame:
    """Return the splits and dividends that cumulative factors imply.

    Parameters
    ----------
    factors : pandas.DataFrame
        Columns time, symbol, price_factor and split_factor as QuantConnect's Lean writes them:
        unadjusted prices times both are adjusted prices. A row's factors hold up to and including
        its date, from the row before on. In the order of time for each symbol.
    closes : pandas.DataFrame
        Unadjusted closes: dates of sessions as the index, one column for each symbol; NaN: did not
        trade. Of the same time zone, or without one, as the times of the factors.

    Returns
    -------
    pandas.DataFrame
        Columns time (the ex-date: the first session in which other factors hold), symbol, split
        (new units for an old one) and dividend (cash per unit after the split); NaN where there is
        none. By symbol and time, as `Bars.with_actions` reads it.

    Raises
    ------
    DataError
        Times that are unsorted, a factor that is not above 0, or sessions after the last factors.
    UnknownNameError
        A column or a symbol that is missing.

    Notes
    -----
    With C, the last close before the ex-date, and factors of price p and of splits s before and
    from the ex-date on: split = s_from / s_before, dividend = C (1 - p_before / p_from) / split. A
    ratio within 1e-5 of one of whole numbers, the smaller up to 20, is that ratio: factors rounded
    to six digits make 6.999997 of 7. What happened while a symbol did not trade is one event.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.to_datetime(["2014-06-06", "2014-06-09", "2014-08-06", "2014-08-07"])
    >>> closes = pd.DataFrame({"AAPL": [645.57, 93.70, 94.97, 94.48]}, index=days)
    >>> last = pd.Timestamp("2050-12-31")
    >>> factors = pd.DataFrame({
    ...     "time": [days[0], days[2], last],
    ...     "symbol": "AAPL",
    ...     "price_factor": [0.9011820, 0.9011820, 0.9056639],
    ...     "split_factor": [0.0357143, 0.25, 0.25],
    ... })
    >>> actions_from_factors(factors, closes).round({"dividend": 3})
            time symbol  split  dividend
    0 2014-06-09   AAPL    7.0       NaN
    1 2014-08-07   AAPL    NaN      0.47
    """
    import pandas as pd

    for name in FACTORS:
        if name not in factors.columns:
            raise UnknownNameError("column of factors", name, map(str, factors.columns))
    parts = []
    for symbol, rows in factors.groupby("symbol", sort=True):
        if symbol not in closes.columns:
            raise UnknownNameError("symbol", str(symbol), map(str, closes.columns))
        parts.append(_implied(str(symbol), rows, closes[symbol].dropna()))
    return pd.concat(parts, ignore_index=True)


def adjusted(bars: Bars, actions: Any, *, dividends: bool = True) -> FloatArray:
    """Return the closes of unadjusted bars as if splits and dividends had always been behind them.

    Parameters
    ----------
    bars : Bars
        Unadjusted prices.
    actions : pandas.DataFrame or another table
        As in `Bars.with_actions`.
    dividends : bool
        Whether prices are adjusted for dividends as well.

    Returns
    -------
    ndarray of shape (T, N)
        Closes; the last one of each symbol is as it was. Returns are those of a position whose
        dividends are put into the same asset at the close before the ex-date less the dividend.

    Raises
    ------
    DataError
        A dividend that is not below the price it is paid from.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-02", periods=3, name="date")
    >>> bars = Bars.from_closes(pd.DataFrame({"ACME": [100.0, 50.0, 49.0]}, index=days))
    >>> actions = pd.DataFrame({"date": days[1:], "split": [2, None], "dividend": [None, 1]})
    >>> adjusted(bars, actions).ravel(), adjusted(bars, actions, dividends=False).ravel()
    (array([49., 49., 49.]), array([50., 50., 49.]))
    """
    placed = bars.with_actions(actions)
    split = np.where(np.isnan(placed["split"]), 1.0, placed["split"])
    paid = np.nan_to_num(placed["dividend"]) if dividends else np.zeros_like(split)
    share = paid * split / _close_before(bars.close)
    share[np.isnan(share)] = 0.0  # paid before the first price
    if (share >= 1).any():
        row, asset = np.argwhere(share >= 1)[0]
        raise DataError(
            f"{bars.symbols[asset]!r}: a dividend of {paid[row, asset]:g} in row {row} "
            f"({iso(bars.time[row])})",
            rule="a dividend is below the price it is paid from.",
        )
    factor = (1 - share) / split
    from_here = np.cumprod(factor[::-1], axis=0)[::-1]
    later = np.vstack((from_here[1:], np.ones((1, bars.n_symbols))))
    result: FloatArray = bars.close * later
    return result


def _implied(symbol: str, rows: pd.DataFrame, closes: pd.Series) -> pd.DataFrame:
    """Return the events of one symbol: where the factors of two sessions in succession differ."""
    import pandas as pd

    if not (rows["time"].is_monotonic_increasing and closes.index.is_monotonic_increasing):
        raise DataError(f"{symbol!r}: times are unsorted", rule="times are increasing.")
    place = rows["time"].searchsorted(closes.index, side="left")
    if len(place) and place[-1] == len(rows):
        raise DataError(
            f"{symbol!r}: no factors from {rows['time'].iloc[-1]} on, and closes to "
            f"{closes.index[-1]}",
            rule="factors hold up to and including their date.",
            fix="Add a row of a later date with what holds from there on, such as 1 and 1.",
        )
    values = rows[["price_factor", "split_factor"]].to_numpy(np.float64)
    if not ((values > 0) & np.isfinite(values)).all():
        raise DataError(f"{symbol!r}: a factor that is 0, negative or NaN", rule="factors are > 0.")
    price, split = values[place].T
    ratio = np.array([_simple(x) for x in split[1:] / split[:-1]])
    paid = closes.to_numpy()[:-1] * (1 - price[:-1] / price[1:]) / ratio
    is_split, is_dividend = split[1:] != split[:-1], price[1:] != price[:-1]
    any_ = is_split | is_dividend
    table = {
        "time": closes.index[1:][any_],
        "symbol": symbol,
        "split": np.where(is_split, ratio, np.nan)[any_],
        "dividend": np.where(is_dividend, paid, np.nan)[any_],
    }
    return pd.DataFrame(table)


def _simple(ratio: float) -> float:
    """Return the ratio of small whole numbers that was rounded, or the ratio itself."""
    if ratio < 1:
        return 1 / _simple(1 / ratio)
    near = float(Fraction(ratio).limit_denominator(_LARGEST))
    return near if abs(ratio - near) <= _ROUNDING * near else ratio


def _close_before(close: FloatArray) -> FloatArray:
    """Return the last known close before each row, NaN before the first."""
    known = np.where(np.isnan(close), 0, np.arange(len(close))[:, None])
    last = np.maximum.accumulate(known, axis=0)
    filled = np.take_along_axis(close, last, axis=0)
    result: FloatArray = np.vstack((np.full((1, close.shape[1]), np.nan), filled[:-1]))
    return result
