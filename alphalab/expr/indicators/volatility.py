"""Volatility of a row, estimated from n rows: a standard deviation of log returns.

None is annualised: multiply by the square root of the rows a year, `Bars.periods_per_year`.
"""

from __future__ import annotations

from math import log

from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, apply


def true_range(high: Expr, low: Expr, close: Expr) -> Expr:
    """Return the range of the bar and the gap from the close before it, as one.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> str(true_range(high, low, close))
    'maximum(high, delay(close, 1)) - minimum(low, delay(close, 1))'
    """
    before = apply("delay", close, 1)
    return apply("maximum", high, before) - apply("minimum", low, before)


def realised_volatility(close: Expr, n: int = 20) -> Expr:
    """Return the root mean square of n log returns; their mean is taken as 0.

    References
    ----------
    T. Andersen, T. Bollerslev, F. Diebold and P. Labys, Modeling and Forecasting Realized
    Volatility, Econometrica 71 (2003).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(realised_volatility(close, 20))
    'sqrt(ts_mean(log(close / delay(close, 1)) ** 2.0, 20))'
    """
    return _root_mean(_log_ratio(close, apply("delay", close, 1)) ** 2, n)


def parkinson_volatility(high: Expr, low: Expr, n: int = 20) -> Expr:
    """Return Parkinson's volatility, from the ranges of n rows.

    References
    ----------
    M. Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return,
    Journal of Business 53 (1980).

    Examples
    --------
    >>> from alphalab.expr.functions import high, low
    >>> parkinson_volatility(high, low).warmup
    19
    """
    return _root_mean(_log_ratio(high, low) ** 2 / (4.0 * log(2.0)), n)


def garman_klass_volatility(open: Expr, high: Expr, low: Expr, close: Expr, n: int = 20) -> Expr:
    """Return Garman's and Klass' volatility, from ranges and bodies of n rows.

    References
    ----------
    M. Garman and M. Klass, On the Estimation of Security Price Volatilities from Historical Data,
    Journal of Business 53 (1980).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, open
    >>> garman_klass_volatility(open, high, low, close).warmup
    19
    """
    range_, body = _log_ratio(high, low) ** 2, _log_ratio(close, open) ** 2
    return _root_mean(0.5 * range_ - (2.0 * log(2.0) - 1.0) * body, n)


def yang_zhang_volatility(open: Expr, high: Expr, low: Expr, close: Expr, n: int = 20) -> Expr:
    """Return Yang's and Zhang's volatility, which counts gaps between bars and bears a drift.

    Raises
    ------
    ExprError
        An n below 2.

    References
    ----------
    D. Yang and Q. Zhang, Drift-Independent Volatility Estimation Based on High, Low, Open, and
    Close Prices, Journal of Business 73 (2000).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, open
    >>> yang_zhang_volatility(open, high, low, close).warmup
    20
    """
    if not n >= 2:
        raise ExprError(f"yang_zhang_volatility: n={n!r}", rule="n is an integer of at least 2.")
    gap, body = _log_ratio(open, apply("delay", close, 1)), _log_ratio(close, open)
    up, down = _log_ratio(high, open), _log_ratio(low, open)
    inside = apply("ts_mean", up * (up - body) + down * (down - body), n)  # Rogers and Satchell
    share = 0.34 / (1.34 + (n + 1.0) / (n - 1.0))
    outside = apply("ts_var", gap, n) + share * apply("ts_var", body, n)
    return apply("sqrt", outside + (1.0 - share) * inside)


def _log_ratio(x: Expr, y: Expr) -> Expr:
    return apply("log", x / y)


def _root_mean(x: Expr, n: int) -> Expr:
    return apply("sqrt", apply("ts_mean", x, n))
