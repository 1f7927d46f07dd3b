"""Series for results: last known prices, benchmark returns and calendar periods."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray


def last_known(prices: FloatArray) -> FloatArray:
    """Carry each price forward over the NaN that follow it; NaN stays before the first.

    Parameters
    ----------
    prices : ndarray of shape (T,) or (T, N)

    Returns
    -------
    ndarray of the same shape
        `prices` itself when nothing is missing.

    Examples
    --------
    >>> last_known(np.array([np.nan, 2.0, np.nan, 3.0]))
    array([nan,  2.,  2.,  3.])
    """
    known = np.isfinite(prices)
    if known.all():
        return prices
    rows = np.arange(len(prices)).reshape(-1, *[1] * (prices.ndim - 1))
    return np.take_along_axis(prices, np.maximum.accumulate(known * rows, axis=0), axis=0)


def equal_weight_returns(close: FloatArray) -> FloatArray:
    """Mean over the assets of their close-to-close returns: equal weights, restored on every row.

    Parameters
    ----------
    close : ndarray of shape (T, N)

    Returns
    -------
    ndarray of shape (T,)
        An asset counts from the row after its first close. In a row without a close its return is
        0, and the next close brings the whole return. 0 in the first row.

    Examples
    --------
    >>> equal_weight_returns(np.array([[10.0, np.nan], [11.0, 5.0], [11.0, 6.0]])).round(12)
    array([0. , 0.1, 0.1])
    """
    total, count = np.zeros(len(close)), np.zeros(len(close))
    for column in close.T:
        price = last_known(column)
        before = price[:-1]
        counts = np.isfinite(before)
        total[1:] += np.divide(price[1:], before, out=np.ones(before.size), where=counts) - 1
        count[1:] += counts
    return total / np.maximum(count, 1)


def periods_per_year(bars: Bars) -> float:
    """Return rows in a year, from the bars; NaN when there are too few rows to know."""
    try:
        return bars.periods_per_year
    except DataError:
        return float("nan")


def period_ends(
    time: IntArray, unit: Literal["D", "M", "Y"]
) -> tuple[NDArray[np.datetime64], IntArray]:
    """Calendar periods (UTC) that hold rows, and the last row of each.

    A row belongs to the period in which its bar ran: a bar that closes at midnight is the last of
    the day that ends, not the first of the next.

    Parameters
    ----------
    time : ndarray of shape (T,)
        Bar closes, ns UTC, increasing.
    unit : {"D", "M", "Y"}
        Day, month or year.

    Examples
    --------
    >>> time = np.array(["2024-01-31T21", "2024-02-01T00", "2024-02-01T21"], "M8[ns]")
    >>> period_ends(time.astype(np.int64), "M")
    (array(['2024-01', '2024-02'], dtype='datetime64[M]'), array([1, 2]))
    """
    period = (time - 1).astype("datetime64[ns]").astype(f"datetime64[{unit}]")
    last = np.flatnonzero(np.append(period[1:] != period[:-1], True))
    return period[last], last


def period_returns(equity: FloatArray, last: IntArray) -> FloatArray:
    """Return of each period from the account's value at its end and at the end of the one before.

    Parameters
    ----------
    equity : ndarray of shape (T + 1,)
        Beginning with the cash before the first row.
    last : ndarray of shape (P,)
        Last row of each period, as `period_ends` gives them.

    Returns
    -------
    ndarray of shape (P,)
        NaN for a period that began at zero or below.

    Examples
    --------
    >>> period_returns(np.array([100.0, 105.0, 110.0, 99.0]), np.array([1, 2])).round(12)
    array([ 0.1, -0.1])
    """
    ends = equity[last + 1]
    begins = np.append(equity[0], ends[:-1])
    growth = np.full(ends.shape, np.nan)
    np.divide(ends, begins, out=growth, where=begins > 0)
    return growth - 1
