"""The same returns, year by year and in calm and wild markets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.research.results import metrics
from alphalab.types import FloatArray, IntArray

_REGIMES = ("calm", "normal", "wild")


class Period(NamedTuple):
    """Figures of some of the rows.

    Attributes
    ----------
    label : str
    rows : int
    total_return : float
        Compound return over these rows.
    sharpe : float
        Annualised; NaN where the returns do not differ.
    """

    label: str
    rows: int
    total_return: float
    sharpe: float


def by_year(time: IntArray, returns: FloatArray, periods_per_year: float) -> tuple[Period, ...]:
    """Return the figures of each calendar year, UTC.

    A row that closes at midnight belongs to the year that ends.

    Parameters
    ----------
    time : ndarray of shape (T,)
        int64 ns UTC: the close of each row.
    returns : ndarray of shape (T,)
        NaN is refused.
    periods_per_year : float

    Raises
    ------
    DataError
        Shapes that differ, or a return that is not finite.

    Examples
    --------
    >>> days = np.arange("2023-12-30", "2024-01-03", dtype="datetime64[D]")
    >>> time = days.astype("datetime64[ns]").astype(np.int64)
    >>> found = by_year(time, np.array([0.5, -0.5, 0.25, 0.25]), 365.0)
    >>> [(period.label, period.rows, period.total_return) for period in found]
    [('2023', 3, -0.0625), ('2024', 1, 0.25)]
    """
    _check(returns, time.shape)
    year = (time - 1).astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970
    return tuple(
        _period(str(one), returns[year == one], periods_per_year) for one in np.unique(year)
    )


def by_volatility(
    market: FloatArray, returns: FloatArray, periods_per_year: float, window: int = 60
) -> tuple[Period, ...]:
    """Return the figures in calm, normal and wild markets: a third of the rows each.

    A row's regime follows from the standard deviation of the market's returns over the `window`
    rows before it, so it was known then; the two borders are the terciles of all rows, so this
    describes and does not decide. Rows before the first full window are left out.

    Parameters
    ----------
    market : ndarray of shape (T,)
        Returns of the market, such as those of a benchmark. NaN is refused.
    returns : ndarray of shape (T,)
        NaN is refused.
    periods_per_year : float
    window : int
        At least 2.

    Raises
    ------
    DataError
        Shapes that differ, a return that is not finite, or fewer rows than ``window + 3``.
    ParameterError
        A window below 2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0, np.repeat([0.005, 0.03], 500))
    >>> [period.label for period in by_volatility(market, market, 252.0)]
    ['calm', 'normal', 'wild']
    """
    if window < 2:
        raise ParameterError(f"window={window}", rule="a window has at least 2 rows.")
    _check(market, returns.shape)
    _check(returns, market.shape)
    if returns.size < window + 3:
        raise DataError(
            f"{returns.size} rows with a window of {window}",
            rule=f"at least {window + 3} rows are needed.",
            fix="Use a shorter window.",
        )
    spread = np.lib.stride_tricks.sliding_window_view(market[:-1], window).std(axis=1)
    regime = np.searchsorted(np.quantile(spread, [1 / 3, 2 / 3]), spread)
    after = returns[window:]
    return tuple(
        _period(name, after[regime == k], periods_per_year) for k, name in enumerate(_REGIMES)
    )


def _period(label: str, returns: FloatArray, periods_per_year: float) -> Period:
    total = float(np.prod(1.0 + returns) - 1.0)
    return Period(label, returns.size, total, metrics.sharpe(returns, periods_per_year))


def _check(returns: FloatArray, shape: tuple[int, ...]) -> None:
    if returns.ndim != 1 or returns.shape != shape or not np.isfinite(returns).all():
        raise DataError(
            f"returns of shape {returns.shape} for {shape}",
            rule="times, market and returns have one value for each row, all finite.",
        )
