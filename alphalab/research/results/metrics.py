"""Performance metrics as functions of arrays; `formulas.py` computes them from sums.

Arguments have the same meaning everywhere:

``equity``
    float64 of shape (T + 1,): account value in quote currency, beginning with the cash before the
    first row. E_0 is that cash, E_t the value at the close of row t.
``returns``, ``benchmark``
    float64 of shape (T,): r_t = E_t / E_{t-1} - 1, simple, as fractions (0.01 is one percent), raw:
    no risk-free rate is subtracted anywhere.
``periods_per_year``
    Rows in a year, from the bars; used to annualise.
``falls``
    `drawdowns(equity)`, if it has been computed already.

The NaN rule for every metric: NaN when an input holds a NaN, when there are too few rows for the
formula, when it would divide by zero (a spread or a fall of 1e-14 or less is rounding and counts as
zero), and when the account was at zero or below, because returns have no meaning after that. No
metric warns or raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alphalab.research.results import formulas
from alphalab.research.results.formulas import ROUNDING
from alphalab.types import FloatArray, IntArray

_NAN = float("nan")
_MANY = 10_000
_PART = 16_384


def row_returns(equity: FloatArray) -> FloatArray:
    """Return of each row; NaN from the first row that starts at zero or below.

    Returns
    -------
    ndarray of shape (T,)
        r_t = E_t / E_{t-1} - 1.

    Examples
    --------
    >>> row_returns(np.array([100.0, 110.0, 99.0]))
    array([ 0.1, -0.1])
    >>> row_returns(np.array([100.0, -5.0, -5.0]))
    array([-1.05,   nan])
    """
    before = np.asarray(equity[:-1], np.float64)
    if before.size and before.min() > 0:
        growth = equity[1:] / before
    else:
        growth = np.full(before.shape, np.nan)
        np.divide(equity[1:], before, out=growth, where=np.minimum.accumulate(before) > 0)
    growth -= 1
    return growth


def total_return(equity: FloatArray) -> float:
    """Gain over the whole run as a fraction of the starting cash: E_T / E_0 - 1.

    Examples
    --------
    >>> round(total_return(np.array([100.0, 90.0, 125.0])), 12)
    0.25
    """
    return float(formulas.share(equity[-1], equity[0]) - 1) if _known(equity, 2) else _NAN


def annual_return(equity: FloatArray, periods_per_year: float) -> float:
    """Compound growth per year: (E_T / E_0) ** (periods_per_year / T) - 1.

    NaN also when the run is so short that the power leaves the range of a float.

    Examples
    --------
    >>> round(annual_return(np.array([100.0, 110.0, 121.0]), periods_per_year=1), 12)
    0.1
    """
    if not _never_ruined(equity):
        return _NAN
    n = equity.size - 1
    return float(formulas.annual_return(equity[0], equity[-1], n, periods_per_year))


def volatility(returns: FloatArray, periods_per_year: float) -> float:
    """Annualised standard deviation of the returns: std(r, ddof=1) * sqrt(periods_per_year).

    Examples
    --------
    >>> round(volatility(np.array([0.01, -0.01]), periods_per_year=2), 12)
    0.02
    """
    if not _known(returns, 2):
        return _NAN
    return float(formulas.volatility(_m2(returns), returns.size, periods_per_year))


def sharpe(returns: FloatArray, periods_per_year: float) -> float:
    """Annualised Sharpe ratio, raw: mean(r) / std(r, ddof=1) * sqrt(periods_per_year).

    Sharpe (1994) with a risk-free rate of zero.

    Examples
    --------
    >>> round(sharpe(np.array([0.02, 0.00]), periods_per_year=2), 12)
    1.0
    """
    if not _known(returns, 2):
        return _NAN
    return float(formulas.sharpe(returns.mean(), _m2(returns), returns.size, periods_per_year))


def sortino(returns: FloatArray, periods_per_year: float) -> float:
    """Annualised Sortino ratio: mean(r) / sqrt(mean(min(r, 0)**2)) * sqrt(periods_per_year).

    The target is zero. The downside deviation is taken over all rows, not only over the losing
    ones (Sortino & Price 1994). NaN when no row lost.

    Examples
    --------
    >>> round(sortino(np.array([0.03, -0.01, 0.0, 0.02]), periods_per_year=1), 12)
    2.0
    """
    if not _known(returns, 1):
        return _NAN
    downside = _sum(lambda r: np.minimum(r, 0.0) ** 2, returns)
    return float(formulas.sortino(returns.mean(), downside, returns.size, periods_per_year))


def omega(returns: FloatArray) -> float:
    """Omega ratio at zero, gains over losses: sum(max(r, 0)) / sum(max(-r, 0)).

    Keating & Shadwick (2002). NaN when no row lost.

    Examples
    --------
    >>> omega(np.array([0.03, -0.01, 0.0, -0.01]))
    1.5
    """
    if not _known(returns, 1):
        return _NAN
    gained = _sum(lambda r: np.maximum(r, 0.0), returns)
    return float(formulas.ratio(gained, _sum(lambda r: np.maximum(-r, 0.0), returns)))


def drawdowns(equity: FloatArray) -> FloatArray:
    """Fall from the running peak at every point: 1 - E_t / max_{s<=t} E_s.

    Returns
    -------
    ndarray of shape (T + 1,)
        Fractions of the peak: 0 at a peak, above 1 when the account owes money. Bar-close equity
        hides falls inside a bar.

    Examples
    --------
    >>> drawdowns(np.array([100.0, 120.0, 90.0, 120.0]))
    array([0.  , 0.  , 0.25, 0.  ])
    """
    falls = np.maximum.accumulate(equity, dtype=np.float64)
    np.divide(equity, falls, out=falls)
    return np.subtract(1, falls, out=falls)


def max_drawdown(equity: FloatArray, falls: FloatArray | None = None) -> float:
    """Largest fall from a running peak, the starting cash included, as a fraction of that peak.

    Examples
    --------
    >>> max_drawdown(np.array([100.0, 120.0, 90.0, 110.0]))
    0.25
    """
    if not _known(equity, 1) or equity[0] <= 0:
        return _NAN
    return float((drawdowns(equity) if falls is None else falls).max())


def max_drawdown_span(equity: FloatArray, falls: FloatArray | None = None) -> tuple[int, int]:
    """Where the deepest drawdown begins and ends.

    Returns
    -------
    tuple of int
        Points of `equity`: the last peak before the deepest fall, and the first point back at that
        peak or above (the last point when it never came back). (0, 0) when nothing was ever lost.

    Examples
    --------
    >>> max_drawdown_span(np.array([100.0, 120.0, 90.0, 110.0, 120.0]))
    (1, 4)
    """
    falls = drawdowns(equity) if falls is None else falls
    starts, ends = _drawdown_spans(falls)
    if not starts.size:
        return 0, 0
    deepest = int(np.searchsorted(starts, falls.argmax())) - 1
    return int(starts[deepest]), int(ends[deepest])


def longest_drawdown_span(equity: FloatArray, falls: FloatArray | None = None) -> tuple[int, int]:
    """Where the longest time below a peak begins and ends, as points of `equity`.

    Examples
    --------
    >>> longest_drawdown_span(np.array([100.0, 50.0, 100.0, 99.0, 98.0, 99.0]))
    (2, 5)
    """
    starts, ends = _drawdown_spans(drawdowns(equity) if falls is None else falls)
    if not starts.size:
        return 0, 0
    longest = int((ends - starts).argmax())
    return int(starts[longest]), int(ends[longest])


def calmar(equity: FloatArray, periods_per_year: float, falls: FloatArray | None = None) -> float:
    """Annual return over the largest drawdown of the whole run (Young 1991, who took three years).

    Examples
    --------
    >>> round(calmar(np.array([100.0, 80.0, 121.0]), periods_per_year=1), 12)
    0.5
    """
    fall = max_drawdown(equity, falls)
    return float(formulas.ratio(annual_return(equity, periods_per_year), fall))


def value_at_risk(returns: FloatArray) -> float:
    """Historical 95 % value at risk of one row: minus the 5 % quantile of the returns.

    A positive number is a loss (0.02: in one row of twenty at least two percent is lost); linear
    interpolation between order statistics.

    Examples
    --------
    >>> round(value_at_risk(np.linspace(-0.10, 0.10, 21)), 12)
    0.09
    """
    return tail(returns)[0]


def cvar(returns: FloatArray) -> float:
    """Historical 95 % conditional value at risk of one row: minus the mean of the worst rows.

    The worst 5 % are the floor(0.05 * (T - 1)) + 1 smallest returns: those at or below the quantile
    of `value_at_risk`. A positive number is a loss.

    Examples
    --------
    >>> round(cvar(np.linspace(-0.10, 0.10, 21)), 12)
    0.095
    """
    return tail(returns)[1]


def tail(returns: FloatArray) -> tuple[float, float]:
    """`value_at_risk` and `cvar`, from one pass over the returns.

    Examples
    --------
    >>> [round(x, 12) for x in tail(np.linspace(-0.10, 0.10, 21))]
    [0.09, 0.095]
    """
    if not _known(returns, 1):
        return _NAN, _NAN
    place = 0.05 * (returns.size - 1)
    last = int(place)
    worst = _smallest(returns, last + 2)
    low, high = worst[last], worst[-1]  # of one return the same
    quantile = low + (place - last) * (high - low)
    return 0.0 - float(quantile), 0.0 - float(worst[: last + 1].mean())


def skew(returns: FloatArray) -> float:
    """Skewness of the returns: m_3 / m_2**1.5, population moments (ddof 0, no bias correction).

    Examples
    --------
    >>> round(skew(np.array([0.0, 0.0, 0.0, 0.04])), 12)
    1.154700538379
    """
    return _standardised_moment(returns, 3, lambda d: d * d * d)


def kurtosis(returns: FloatArray) -> float:
    """Excess kurtosis of the returns: m_4 / m_2**2 - 3, population moments (no bias correction).

    A normal distribution has 0; add 3 for the raw kurtosis.

    Examples
    --------
    >>> round(kurtosis(np.array([-0.01, 0.01, -0.01, 0.01])), 12)
    -2.0
    """
    return _standardised_moment(returns, 4, lambda d: (d * d) * (d * d)) - 3


def exposure(gross: FloatArray) -> float:
    """Share of the rows that end with a position: mean(gross_t > 0).

    Examples
    --------
    >>> exposure(np.array([0.0, 50.0, 50.0, 0.0]))
    0.5
    """
    if not _known(gross, 1):
        return _NAN
    return float(formulas.share(np.count_nonzero(gross > 0), gross.size))


def mean_gross_exposure(gross: FloatArray, equity: FloatArray) -> float:
    """Mean over all rows of the absolute position value in units of equity: mean(gross_t / E_t).

    Parameters
    ----------
    gross : ndarray of shape (T,)
        Sum of absolute position values after each row, quote currency.
    equity : ndarray of shape (T + 1,)

    Examples
    --------
    >>> mean_gross_exposure(np.array([0.0, 50.0]), np.array([100.0, 100.0, 100.0]))
    0.25
    """
    if not _known(gross, 1) or not _never_ruined(equity):
        return _NAN
    return _mean(lambda g, e: g / e, gross, equity[1:])


def max_gross_exposure(gross: FloatArray, equity: FloatArray) -> float:
    """Largest absolute position value at a close, in units of equity: max(gross_t / E_t).

    Examples
    --------
    >>> max_gross_exposure(np.array([0.0, 50.0]), np.array([100.0, 100.0, 100.0]))
    0.5
    """
    if not _known(gross, 1) or not _never_ruined(equity):
        return _NAN
    return max(float((g / e).max()) for g, e in _parts(gross, equity[1:]))


def turnover(traded: float, equity: FloatArray, periods_per_year: float) -> float:
    """Value traded per year, purchases and sales added, in units of the mean equity.

    traded / mean(E_1 .. E_T) * periods_per_year / T. Buying and selling the whole account once a
    year is a turnover of 2.

    Examples
    --------
    >>> turnover(200.0, np.array([100.0, 100.0, 100.0]), periods_per_year=2)
    2.0
    """
    if not _never_ruined(equity):
        return _NAN
    n = equity.size - 1
    return float(formulas.turnover(traded, equity[1:].sum(), n, periods_per_year))


def beta(returns: FloatArray, benchmark: FloatArray) -> float:
    """Slope of the returns on the benchmark's: cov(r, b) / var(b).

    Examples
    --------
    >>> round(beta(np.array([0.02, -0.02, 0.04]), np.array([0.01, -0.01, 0.02])), 12)
    2.0
    """
    if not _known(returns, 2) or not _known(benchmark, 2):
        return _NAN
    mean = benchmark.mean()
    variance = _mean(lambda b: (b - mean) ** 2, benchmark)
    covariance = _mean(lambda b, r: (b - mean) * r, benchmark, returns)
    return covariance / variance if variance > ROUNDING**2 else _NAN


def alpha(
    returns: FloatArray,
    benchmark: FloatArray,
    periods_per_year: float,
    slope: float | None = None,
) -> float:
    """Return per year that beta does not explain: (mean(r) - beta * mean(b)) * periods_per_year.

    Jensen (1968) with a risk-free rate of zero; arithmetic, not compounded. `slope` is `beta`,
    if it has been computed already.

    Examples
    --------
    >>> r, b = np.array([0.03, 0.01, 0.02]), np.array([0.02, 0.00, 0.01])
    >>> round(alpha(r, b, periods_per_year=10), 12)
    0.1
    """
    if not _known(returns, 2) or not _known(benchmark, 2):
        return _NAN
    slope = beta(returns, benchmark) if slope is None else slope
    unexplained = returns.mean() - slope * benchmark.mean()
    return float(unexplained) * periods_per_year


def information_ratio(returns: FloatArray, benchmark: FloatArray, periods_per_year: float) -> float:
    """Annualised Sharpe ratio of the active returns a = r - b (ddof 1).

    mean(a) / std(a, ddof=1) * sqrt(periods_per_year); Grinold & Kahn (1999). NaN when the account
    follows the benchmark exactly.

    Examples
    --------
    >>> r, b = np.array([0.03, 0.01]), np.array([0.01, 0.01])
    >>> round(information_ratio(r, b, periods_per_year=2), 12)
    1.0
    """
    if not _known(returns, 2) or not _known(benchmark, 2):
        return _NAN
    return sharpe(returns - benchmark, periods_per_year)


def _known(values: FloatArray, least: int) -> bool:
    """Return True for enough values, all finite; a NaN makes the minimum NaN."""
    return values.size >= least and bool(-np.inf < values.min() and values.max() < np.inf)


def _never_ruined(equity: FloatArray) -> bool:
    """Return True if there is a row and equity was always above zero."""
    return equity.size >= 2 and bool(equity.min() > 0 and equity.max() < np.inf)


def _drawdown_spans(falls: FloatArray) -> tuple[IntArray, IntArray]:
    """First peak and first recovery (or last point) of every time below a peak, in order."""
    below = falls > 0
    turns = np.flatnonzero(below[1:] != below[:-1])  # down and up again: the first point is a peak
    starts, ends = turns[::2], turns[1::2] + 1
    return starts, np.append(ends, falls.size - 1) if ends.size < starts.size else ends


def _smallest(values: FloatArray, n: int) -> FloatArray:
    """Return the n smallest values, or all if there are fewer, the two largest of them in order."""
    few = values
    if values.size > _MANY:  # a sample bounds the quantile: fewer values to partition
        few = values[values <= np.quantile(values[::100], min(1.0, 1.2 * n / values.size))]
    if few.size < n:
        few = values
    n = min(n, few.size)
    return np.partition(few, (max(n - 2, 0), n - 1))[:n]


def _standardised_moment(
    returns: FloatArray, power: int, powered: Callable[[FloatArray], FloatArray]
) -> float:
    """Return a standardised moment; `powered` takes products, as numpy's powers are far slower."""
    if not _known(returns, 2):
        return _NAN
    mean = returns.mean()
    moment = _sum(lambda r: powered(r - mean), returns)
    return float(formulas.standardised_moment(power, moment, _m2(returns), returns.size))


def _m2(returns: FloatArray) -> float:
    """Return the sum of squares around the mean."""
    mean = returns.mean()
    return _sum(lambda r: (r - mean) ** 2, returns)


def _mean(term: Callable[..., FloatArray], *series: FloatArray) -> float:
    return _sum(term, *series) / series[0].size


def _sum(term: Callable[..., FloatArray], *series: FloatArray) -> float:
    """Return the sum of a term over the rows."""
    return sum(float(term(*part).sum()) for part in _parts(*series))


def _parts(*series: FloatArray) -> Iterator[tuple[FloatArray, ...]]:
    """Yield series in stretches of rows that fit in the cache."""
    for i in range(0, series[0].size, _PART):
        yield tuple(values[i : i + _PART] for values in series)
