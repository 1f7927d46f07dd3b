"""Splits and dividends out of the factor files of QuantConnect's Lean: a recipe to copy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd

# Files round factors to six or seven digits, and splits are ratios of small whole numbers.
ROUNDING = 1e-5
LARGEST_NUMBER = 20


def actions_from_factors(factors: pd.DataFrame, closes: pd.DataFrame) -> pd.DataFrame:
    """Return the splits and dividends that cumulative factors imply.

    Parameters
    ----------
    factors : pandas.DataFrame
        Columns time, symbol, price_factor and split_factor, sorted by time for each symbol. An
        unadjusted price times both factors is the adjusted price. The factors of a row hold from
        the day after the row before up to and including the row's own date.
    closes : pandas.DataFrame
        Unadjusted closes: session dates as the index, one column for each symbol; NaN where a
        symbol did not trade. The index and the times of the factors share one time zone, or have
        none.

    Returns
    -------
    pandas.DataFrame
        Columns time (the ex-date: the first session with other factors), symbol, split (new units
        for an old one) and dividend (cash per unit after the split); NaN where there is none.
        `Bars.with_actions` reads this table.

    Raises
    ------
    ValueError
        Unsorted times, a factor that is not above 0, or a session after the last factors.

    Notes
    -----
    C is the last close before the ex-date; p and s are the price and split factors. Then
    split = s_after / s_before and dividend = C (1 - p_before / p_after) / split. A ratio within
    1e-5 of a ratio of small whole numbers is that ratio: six digits make 6.999997 of 7. Events of
    days on which a symbol did not trade become one event.

    Examples
    --------
    >>> days = pd.to_datetime(["2014-06-06", "2014-06-09", "2014-08-06", "2014-08-07"])
    >>> closes = pd.DataFrame({"AAPL": [645.57, 93.70, 94.97, 94.48]}, index=days)
    >>> factors = pd.DataFrame({
    ...     "time": [days[0], days[2], pd.Timestamp("2050-12-31")],
    ...     "symbol": "AAPL",
    ...     "price_factor": [0.9011820, 0.9011820, 0.9056639],
    ...     "split_factor": [0.0357143, 0.25, 0.25],
    ... })
    >>> actions_from_factors(factors, closes).round({"dividend": 3})
            time symbol  split  dividend
    0 2014-06-09   AAPL    7.0       NaN
    1 2014-08-07   AAPL    NaN      0.47
    """
    tables = [
        _actions_of(str(symbol), rows, closes[symbol].dropna())
        for symbol, rows in factors.groupby("symbol", sort=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _actions_of(symbol: str, rows: pd.DataFrame, closes: pd.Series) -> pd.DataFrame:
    """Return an event for each session whose factors differ from those of the session before."""
    if not (rows["time"].is_monotonic_increasing and closes.index.is_monotonic_increasing):
        raise ValueError(f"{symbol}: times are not sorted")
    place = rows["time"].searchsorted(closes.index, side="left")
    if len(place) and place[-1] == len(rows):
        raise ValueError(f"{symbol}: no factors after {rows['time'].iloc[-1]}; add a later row")
    values = rows[["price_factor", "split_factor"]].to_numpy(np.float64)
    if not ((values > 0) & np.isfinite(values)).all():
        raise ValueError(f"{symbol}: a factor is not above 0")
    price, split = values[place].T
    ratio = np.array([_whole_ratio(x) for x in split[1:] / split[:-1]])
    paid = closes.to_numpy()[:-1] * (1 - price[:-1] / price[1:]) / ratio
    is_split, is_dividend = split[1:] != split[:-1], price[1:] != price[:-1]
    changed = is_split | is_dividend
    table = {
        "time": closes.index[1:][changed],
        "symbol": symbol,
        "split": np.where(is_split, ratio, np.nan)[changed],
        "dividend": np.where(is_dividend, paid, np.nan)[changed],
    }
    return pd.DataFrame(table)


def _whole_ratio(ratio: float) -> float:
    """Return the ratio of small whole numbers that was rounded to `ratio`, or `ratio` itself."""
    if ratio < 1:
        return 1 / _whole_ratio(1 / ratio)
    near = float(Fraction(ratio).limit_denominator(LARGEST_NUMBER))
    return near if abs(ratio - near) <= ROUNDING * near else ratio
