"""Splits and dividends of adjusted data: from factors to events, from events to adjusted prices."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rules import PRICES
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


def adjusted_columns(
    bars: Bars, dividends: bool, ahead: tuple[FloatArray, FloatArray] | None
) -> dict[str, FloatArray]:
    """Return the columns of bars, (T, N) each, as if all splits and dividends were behind them.

    Prices before a split are divided by it and volume is multiplied by it; prices before a dividend
    are multiplied by 1 less its share of the last close. The last bar stays as it was. Neither
    column is left, so nothing is booked twice; other columns stay.

    Parameters
    ----------
    bars : Bars
        Unadjusted prices with the columns ``split`` and ``dividend``, or one of them.
    dividends : bool
        Whether prices are adjusted for dividends as well. Returns are then those of a position
        whose dividends are put into the same asset, at the close before less the dividend.
    ahead : pair of ndarray of shape (N,), optional
        Splits and dividends that are due before the next bar; NaN where there is none.

    Raises
    ------
    DataError
        Bars without these columns (`Bars.with_actions` adds them), or a dividend that is not below
        the price it is paid from.
    """
    if not {"split", "dividend"} & bars.columns.keys():
        raise DataError(
            f"{bars.source or 'the bars'}: no column split or dividend",
            rule="prices are adjusted for the splits and dividends that stand beside them.",
            fix="Add them with bars.with_actions(...).",
        )
    split, paid = (_with_row_ahead(bars, name, ahead) for name in ("split", "dividend"))
    split = np.where(np.isnan(split), 1.0, split)
    paid = np.nan_to_num(paid) if dividends else np.zeros_like(paid)
    share = paid * split / _close_before(bars.close)
    share[np.isnan(share)] = 0.0  # paid before the first price
    _check_share(bars, paid, share)
    columns = {
        name: values for name, values in bars.columns.items() if name not in ("split", "dividend")
    }
    to_price = _product_of_later((1 - share) / split)
    for name in PRICES:
        columns[name] = bars.columns[name] * to_price
    columns["volume"] = bars.volume * _product_of_later(split)
    return columns


def statement(dividends: bool, as_of: str) -> str:
    """Return what a report has to say about adjusted prices.

    Examples
    --------
    >>> statement(False, "2014-06-06")
    'prices are adjusted for splits (dividends are left out) as of 2014-06-06: ...'
    """
    what = "splits and dividends" if dividends else "splits (dividends are left out)"
    return (
        f"prices are adjusted for {what} as of {as_of}: earlier ones are not those that were paid"
    )


def _with_row_ahead(
    bars: Bars, name: str, ahead: tuple[FloatArray, FloatArray] | None
) -> FloatArray:
    """Return a column with one more row, (T + 1, N), for what is due before the next bar."""
    nothing = np.full((1, bars.n_symbols), np.nan)
    given = bars.columns.get(name)
    body = np.repeat(nothing, bars.n_rows, axis=0) if given is None else given
    last = nothing if ahead is None else ahead[name == "dividend"][None]
    return np.vstack((body, last))


def _product_of_later(factor: FloatArray) -> FloatArray:
    """Return for each of T rows the product of the factors in the rows after it, of T + 1."""
    result: FloatArray = np.multiply.accumulate(factor[::-1])[::-1][1:]
    return result


def _check_share(bars: Bars, paid: FloatArray, share: FloatArray) -> None:
    if (share >= 1).any():
        row, asset = np.argwhere(share >= 1)[0]
        when = iso(bars.time[row]) if row < bars.n_rows else "the next"
        raise DataError(
            f"{bars.symbols[asset]!r}: a dividend of {paid[row, asset]:g} in row {row} ({when})",
            rule="a dividend is below the price it is paid from.",
        )


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
    """Return the last known close before each row and after the last, (T + 1, N); NaN: none yet."""
    known = np.where(np.isnan(close), 0, np.arange(len(close))[:, None])
    last = np.maximum.accumulate(known, axis=0)
    filled = np.take_along_axis(close, last, axis=0)
    result: FloatArray = np.vstack((np.full((1, close.shape[1]), np.nan), filled))
    return result
