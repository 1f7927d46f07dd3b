"""Means of series that overlap, with Newey-West errors; regressions of Fama and MacBeth."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from alphalab.research.factors.correlation import both_known, centred
from alphalab.types import FloatArray

_NORMAL = NormalDist()
#: Fewest rows that a t statistic is computed from.
FEWEST = 10
#: Share of a factor's squares below which a residual is rounding.
_ROUNDING = 1e-18


class Mean(NamedTuple):
    """A mean with its Newey-West t statistic; NaN for fewer than `FEWEST` rows."""

    mean: float
    std: float
    t: float
    p: float
    n: int


def newey_west(series: FloatArray, horizon: int) -> Mean:
    """Return the mean of a series with a t statistic that allows for overlap.

    Parameters
    ----------
    series : ndarray of shape (T,)
        NaN is left out.
    horizon : int
        Rows that neighbouring values share: errors have at least ``horizon - 1`` lags.

    Returns
    -------
    Mean
        `p` is two-sided, from the normal distribution.

    Notes
    -----
    The lags are the larger of ``horizon - 1`` and ``4 (n / 100)^(2/9)`` (Newey and West, 1994), the
    weights Bartlett's (Newey and West, 1987). Equal to statsmodels' OLS on a constant with
    ``cov_type="HAC"``, which takes longer than the rank IC of a factor.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(newey_west(0.1 + rng.normal(size=1000), 1).t, 1)
    1.7
    """
    values = series[np.isfinite(series)]
    n = values.size
    if n == 0:
        return Mean(np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(values.mean())
    std = float(values.std(ddof=1)) if n > 1 else np.nan
    lags = max(horizon - 1, int(4 * (n / 100) ** (2 / 9)))
    if n < max(FEWEST, lags + 2) or not std > 0.0:
        return Mean(mean, std, np.nan, np.nan, n)
    d = values - mean
    total = d @ d
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * (d[lag:] @ d[:-lag])
    t = mean / (math.sqrt(total) / n)
    return Mean(mean, std, t, 2.0 * _NORMAL.cdf(-abs(t)), n)


def standardised(x: FloatArray) -> FloatArray:
    """Return x minus the row's mean in the row's standard deviations (ddof 1), (T, N)."""
    known = np.isfinite(x)
    moved = centred(x, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        std = np.sqrt((moved**2).sum(axis=1) / (known.sum(axis=1) - 1))[:, None]
        result: FloatArray = np.where(known & (std > 0.0), moved / std, np.nan)
    return result


def slopes(factors: list[FloatArray], returns: FloatArray) -> FloatArray:
    """Return the slopes of each row's regression of returns on factors, (T, K).

    The first step of Fama and MacBeth (1973). Factors are standardised in each row, so a slope is
    the return for one standard deviation. NaN in rows with too few assets, or with factors that
    depend on each other.
    """
    x = np.stack([standardised(values) for values in factors], axis=2)
    known = np.isfinite(x).all(axis=2) & np.isfinite(returns)
    out = np.full((len(returns), x.shape[2]), np.nan)
    for t in np.flatnonzero(known.sum(axis=1) > x.shape[2] + 1):
        rows = np.column_stack((np.ones(known[t].sum()), x[t, known[t]]))
        found, _, rank, _ = np.linalg.lstsq(rows, returns[t, known[t]], rcond=None)
        if rank == rows.shape[1]:
            out[t] = found[1:]
    return out


def residuals(values: FloatArray, known_factors: list[FloatArray]) -> FloatArray:
    """Return what known factors do not explain of a factor in each row, (T, N).

    A row in which nothing is left but rounding is unknown, and so is one in which a known factor is
    unknown for every asset.
    """
    x = np.stack(known_factors, axis=2)
    known = np.isfinite(x).all(axis=2) & np.isfinite(values)
    out = np.full(values.shape, np.nan)
    for t in np.flatnonzero(known.sum(axis=1) > x.shape[2] + 1):
        rows = np.column_stack((np.ones(known[t].sum()), x[t, known[t]]))
        y = values[t, known[t]]
        rest = y - rows @ np.linalg.lstsq(rows, y, rcond=None)[0]
        if (rest @ rest) > _ROUNDING * (y @ y):
            out[t, known[t]] = rest
    return out


def row_correlation(a: FloatArray, b: FloatArray) -> float:
    """Return the mean over rows of the correlation of two panels; NaN if no row has one."""
    known = both_known(a, b)
    x, y = centred(a, known), centred(b, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return float(np.nanmean(r)) if np.isfinite(r).any() else np.nan
