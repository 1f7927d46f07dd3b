"""The formula of each metric over sums, for one account or for the columns of a sweep at once.

Every argument is a number or an array of shape (C,), one entry for each column, and so is every
result: ndarray of float64, NaN where a formula divides by zero. `metrics.py` defines the metrics
and takes the sums over arrays; `tally_metrics.py` has them from the tallies of a sweep. A spread or
a fall of 1e-14 or less is rounding and counts as zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Returns are differences of numbers near one: a spread or a fall below this is rounding.
ROUNDING = 1e-14

_LARGEST_LOG = 700.0
_QUIET = np.errstate(all="ignore")  # a figure that is not defined is NaN, without a warning


@_QUIET
def ratio(numerator: Any, denominator: Any) -> Any:
    """Return numerator over denominator; NaN for a denominator that is rounding."""
    return np.where(denominator > ROUNDING, np.divide(numerator, denominator), np.nan)


@_QUIET
def share(part: Any, whole: Any) -> Any:
    """Return part over whole, of counts or amounts: NaN unless the whole is above zero."""
    return np.where(np.greater(whole, 0), np.divide(part, whole), np.nan)


@_QUIET
def annual_return(start: Any, end: Any, n: Any, year: float) -> Any:
    """Return (end / start) ** (year / n) - 1; NaN where the power leaves the range of a float."""
    log_growth = np.log(np.divide(end, start)) * year / n
    return np.where(log_growth < _LARGEST_LOG, np.expm1(log_growth), np.nan)


@_QUIET
def deviation(m2: Any, n: Any) -> Any:
    """Return the standard deviation (ddof 1) of n returns; m2: sum of squares around the mean."""
    return np.sqrt(np.divide(m2, n - 1))


@_QUIET
def volatility(m2: Any, n: Any, year: float) -> Any:
    """Return the annualised standard deviation."""
    return deviation(m2, n) * np.sqrt(year)


@_QUIET
def sharpe(mean: Any, m2: Any, n: Any, year: float) -> Any:
    """Return the annualised mean over standard deviation."""
    return ratio(mean, deviation(m2, n)) * np.sqrt(year)


@_QUIET
def sortino(mean: Any, downside: Any, n: Any, year: float) -> Any:
    """Return the annualised mean over the root of the mean squared loss; downside: their sum."""
    return ratio(mean, np.sqrt(np.divide(downside, n))) * np.sqrt(year)


@_QUIET
def standardised_moment(power: int, m_power: Any, m2: Any, n: Any) -> Any:
    """Return a central moment over the same power of the standard deviation, both ddof 0."""
    spread = np.sqrt(np.divide(m2, n))
    return ratio(np.divide(m_power, n), spread) / spread ** (power - 1)


@_QUIET
def turnover(traded: Any, equity_sum: Any, n: Any, year: float) -> Any:
    """Return the traded value in a year over the mean equity of n rows."""
    return np.divide(traded, np.divide(equity_sum, n)) * year / n
