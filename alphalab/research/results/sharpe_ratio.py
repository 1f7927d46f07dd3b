"""How sure a Sharpe ratio is: probabilistic and deflated Sharpe, and how long a record must be.

Conventions, the same everywhere: Sharpe ratios are per row (not annualised), mean / standard
deviation with ddof 1, without a risk-free rate; skewness is m_3 / m_2**1.5 and kurtosis the **raw**
m_4 / m_2**2 (a normal distribution has 3), both population moments.

Sources: Bailey & Lopez de Prado, The Sharpe Ratio Efficient Frontier (2012), Journal of Risk 15(2);
Bailey & Lopez de Prado, The Deflated Sharpe Ratio (2014), Journal of Portfolio Management 40(5);
Bailey, Borwein, Lopez de Prado & Zhu, Pseudo-Mathematics and Financial Charlatanism (2014), Notices
of the AMS 61(5).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.research.results.metrics import kurtosis, skew
from alphalab.research.results.segments import ROUNDING
from alphalab.types import FloatArray

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
#: Fewest rows that a statistic of the Sharpe ratio is computed from.
FEWEST_ROWS = 3


class Moments(NamedTuple):
    """What the statistics of the Sharpe ratio need to know of a series of returns.

    Attributes
    ----------
    n : int
        Number of returns.
    sharpe : float
        Mean / standard deviation (ddof 1), per row.
    skew : float
        Skewness, 0 for a normal distribution.
    kurtosis : float
        Raw kurtosis, 3 for a normal distribution.
    """

    n: int
    sharpe: float
    skew: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, returns: FloatArray) -> Moments:
        """Compute them from returns.

        Raises
        ------
        DataError
            Fewer than 3 returns, a return that is not finite, or returns that are all equal.

        Examples
        --------
        >>> round(Moments.of(np.array([0.01, -0.01, 0.03, 0.01])).kurtosis, 12)
        2.0
        """
        values = np.asarray(returns, np.float64)
        check_returns(values, FEWEST_ROWS)
        deviation = float(values.std(ddof=1))
        return cls(
            values.size, float(values.mean()) / deviation, skew(values), kurtosis(values) + 3.0
        )

    @property
    def spread(self) -> float:
        """Standard deviation of the Sharpe ratio as an estimate, times sqrt(n - 1).

        sqrt(1 - skew * SR + (kurtosis - 1) / 4 * SR**2), Mertens (2002).
        """
        square = 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        if not square > 0.0:
            raise DataError(
                f"Sharpe ratio {self.sharpe:g}, skewness {self.skew:g}, kurtosis {self.kurtosis:g}",
                rule="no distribution has these moments: kurtosis is at least skewness**2 + 1.",
                fix="Pass the raw kurtosis: 3 for a normal distribution.",
            )
        return math.sqrt(square)


def check_returns(returns: FloatArray, least: int) -> None:
    """Refuse returns that no statistic can be computed from.

    Raises
    ------
    DataError
        Not one-dimensional, fewer than `least`, not finite, or all equal.
    """
    if returns.ndim != 1 or returns.size < least:
        raise DataError(
            f"returns of shape {returns.shape}",
            rule=f"this needs one series of at least {least} returns.",
            fix="Take more data.",
        )
    known = np.isfinite(returns)
    if not known.all():
        row = int(np.argmin(known))
        raise DataError(
            f"the return of row {row} is {returns[row]}",
            rule="every return is a finite number.",
            fix="An account that fell to zero has no returns from there on: lower its leverage.",
        )
    if not returns.std() > ROUNDING:
        raise DataError(
            f"all {returns.size} returns are {returns[0]:g}",
            rule="a Sharpe ratio needs returns that differ.",
            fix="Did the strategy trade? Look at its fills.",
        )


def probabilistic_sharpe(moments: Moments, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above a benchmark.

    Parameters
    ----------
    moments : Moments
    benchmark : float
        Sharpe ratio per row to compare with.

    Returns
    -------
    float in [0, 1]
        Phi((SR - benchmark) * sqrt(n - 1) / sqrt(1 - skew * SR + (kurtosis - 1) / 4 * SR**2)),
        Bailey & Lopez de Prado (2012), equation 11.

    Examples
    --------
    Their example, 24 monthly returns:

    >>> round(probabilistic_sharpe(Moments(24, 0.458, -2.448, 10.164)), 3)
    0.913
    """
    score = (moments.sharpe - benchmark) * math.sqrt(moments.n - 1) / moments.spread
    return _NORMAL.cdf(score)


def expected_max_sharpe(n_trials: float, variance: float) -> float:
    """Sharpe ratio that the best of N trials without skill is expected to show.

    Parameters
    ----------
    n_trials : float
        Independent trials, N, at least 1. Of one trial it is 0.
    variance : float
        Variance of the Sharpe ratios of the trials.

    Returns
    -------
    float
        sqrt(V) * ((1 - g) * Phi^-1(1 - 1/N) + g * Phi^-1(1 - 1/(N e))), g = 0.5772...; in the units
        of the square root of `variance`. Bailey & Lopez de Prado (2014), equation 1. The trials'
        true Sharpe ratios are taken to be 0.

    Raises
    ------
    ParameterError
        Fewer than one trial, or a negative variance.

    Examples
    --------
    >>> round(expected_max_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    if not n_trials >= 1 or not variance >= 0:
        raise ParameterError(
            f"n_trials={n_trials:g}, variance={variance:g}",
            rule="there is at least one trial, and a variance is at least 0.",
        )
    if n_trials == 1:
        return 0.0
    best = _NORMAL.inv_cdf(1.0 - 1.0 / n_trials)
    far = _NORMAL.inv_cdf(1.0 - 1.0 / (n_trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * best + _EULER * far)


def sharpe_by_chance(n_trials: float, variance: float, column_variance: float) -> float:
    """Sharpe ratio that the best of clustered trials is expected to show without skill.

    The larger of two expected maxima: that of the N independent trials, with the variance between
    them, and that of two trials with the variance of all columns. Without the second one a sweep
    whose columns are all one cluster owes nothing to chance, although its best column was chosen.

    Parameters
    ----------
    n_trials : float
        Independent trials, N, at least 1.
    variance : float
        Variance of their Sharpe ratios.
    column_variance : float
        Variance of the Sharpe ratios of all columns, 0 for a single one.

    Returns
    -------
    float
        In the units of the square roots of the variances.

    Raises
    ------
    ParameterError
        As `expected_max_sharpe`.

    Examples
    --------
    >>> round(sharpe_by_chance(1, 0.0, 1e-4), 4)
    0.0052
    >>> sharpe_by_chance(25, 1e-4, 1e-4) == expected_max_sharpe(25, 1e-4)
    True
    """
    return max(expected_max_sharpe(n_trials, variance), expected_max_sharpe(2, column_variance))


def deflated_sharpe(moments: Moments, n_trials: float, variance: float) -> float:
    """Probability that the true Sharpe ratio of the best of N trials is above 0.

    The probabilistic Sharpe ratio with what the best of N trials without skill is expected to show
    as its benchmark.

    Parameters
    ----------
    moments : Moments
        Of the best trial.
    n_trials : float
        Independent trials; see `alphalab.research.results.overfitting.clusters_of`.
    variance : float
        Variance of their Sharpe ratios, per row.

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    The example of Bailey & Lopez de Prado (2014): 100 trials, 1,250 days.

    >>> best = Moments(1250, 2.5 / 250**0.5, -3.0, 10.0)
    >>> round(deflated_sharpe(best, 100, 0.5 / 250), 3)
    0.9
    """
    return probabilistic_sharpe(moments, expected_max_sharpe(n_trials, variance))


def min_track_record(moments: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Rows a record needs before its Sharpe ratio is above a benchmark with this confidence.

    Parameters
    ----------
    moments : Moments
        Their `n` is not used.
    benchmark : float
        Sharpe ratio per row.
    confidence : float
        In (0.5, 1).

    Returns
    -------
    float
        1 + (1 - skew * SR + (kurtosis - 1) / 4 * SR**2) * (Phi^-1(confidence) / (SR - benchmark))
        **2; infinite when SR is not above the benchmark. Bailey & Lopez de Prado (2012).

    Raises
    ------
    ParameterError
        A confidence outside (0.5, 1).

    Examples
    --------
    A Sharpe ratio of 2 a year against 1, daily and normal, takes 2.73 years:

    >>> daily = Moments(0, 2 / 252**0.5)
    >>> round(min_track_record(daily, benchmark=1 / 252**0.5) / 252, 2)
    2.73
    """
    if not 0.5 < confidence < 1.0:
        raise ParameterError(f"confidence={confidence:g}", rule="0.5 < confidence < 1.")
    if not moments.sharpe > benchmark:
        return math.inf
    score = _NORMAL.inv_cdf(confidence) / (moments.sharpe - benchmark)
    return 1.0 + (moments.spread * score) ** 2


def min_backtest_years(n_trials: float, sharpe: float = 1.0) -> float:
    """Years of data below which the best of N trials without skill shows this Sharpe ratio.

    Parameters
    ----------
    n_trials : float
        Independent trials, at least 1.
    sharpe : float
        Annualised Sharpe ratio, above 0.

    Returns
    -------
    float
        (E[max of N standard normals] / sharpe)**2. Bailey, Borwein, Lopez de Prado & Zhu (2014),
        theorem 1.

    Raises
    ------
    ParameterError
        Fewer than one trial, or a Sharpe ratio that is not above 0.

    Examples
    --------
    >>> round(min_backtest_years(45), 1)
    5.0
    """
    if not sharpe > 0:
        raise ParameterError(f"sharpe={sharpe:g}", rule="the Sharpe ratio is above 0.")
    return (expected_max_sharpe(n_trials, 1.0) / sharpe) ** 2
