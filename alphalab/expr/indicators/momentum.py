"""Oscillators: how far and how fast a price has moved.

They are unknown until their windows are full, and where a divisor is 0: a price that has not moved
has no strength. `x` is any expression.
"""

from __future__ import annotations

from typing import NamedTuple

from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, apply


class Macd(NamedTuple):
    """Moving average convergence divergence."""

    line: Expr
    signal: Expr
    histogram: Expr


def macd(x: Expr, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Return MACD: the difference of two exponential means, its signal line, and the histogram.

    Both means start at the first row. TA-Lib starts the fast mean later, so its first values
    differ from these and then converge.

    References
    ----------
    G. Appel, The Moving Average Convergence-Divergence Method (1979).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(macd(close).line)
    'ema(close, 12) - ema(close, 26)'
    """
    if not fast < slow:
        raise ExprError(f"macd: fast={fast}, slow={slow}", rule="fast is less than slow.")
    line = apply("ema", x, fast) - apply("ema", x, slow)
    average = apply("ema", line, signal)
    return Macd(line, average, line - average)


def roc(x: Expr, n: int = 10) -> Expr:
    """Return the rate of change over n rows, in percent.

    References
    ----------
    TA-Lib, ROC.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(roc(close, 10))
    '100.0 * returns(close, 10)'
    """
    return 100.0 * apply("returns", x, n)


def trix(x: Expr, n: int = 30) -> Expr:
    """Return the change of a triple exponential mean from row to row, in percent.

    References
    ----------
    J. Hutson, Good TRIX, Stocks & Commodities 1:5 (1983).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(trix(close, 15))
    '100.0 * returns(ema(ema(ema(close, 15), 15), 15), 1)'
    """
    for _ in range(3):
        x = apply("ema", x, n)
    return roc(x, 1)


def true_strength(x: Expr, slow: int = 25, fast: int = 13) -> Expr:
    """Return the true strength index, -100 to 100: changes against absolute changes.

    Both are smoothed by exponential means of `slow`, then of `fast` rows.

    References
    ----------
    W. Blau, True Strength Index, Stocks & Commodities 9:11 (1991).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> true_strength(close).warmup
    37
    """
    change = apply("delta", x, 1)
    moved, path = (apply("ema", apply("ema", y, slow), fast) for y in (change, abs(change)))
    return 100.0 * moved / path


class Stochastic(NamedTuple):
    """Place of a value in its range, 0 to 100, and the mean of it."""

    k: Expr
    d: Expr


def stochastic(
    high: Expr, low: Expr, close: Expr, n: int = 14, smooth: int = 3, signal: int = 3
) -> Stochastic:
    """Return the stochastic oscillator: the place of the close in the range of n rows.

    k is its mean over `smooth` rows, d the mean of k over `signal` rows. ``smooth=1`` gives the
    fast oscillator.

    References
    ----------
    G. Lane, Lane's Stochastics, Stocks & Commodities 2:3 (1984).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> stochastic(high, low, close, smooth=1).d.warmup
    15
    """
    k = 100.0 * _mean(_place(high, low, close, n), smooth)
    return Stochastic(k, _mean(k, signal))


def stochastic_rsi(
    x: Expr, n: int = 14, window: int = 14, smooth: int = 3, signal: int = 3
) -> Stochastic:
    """Return the stochastic oscillator of the relative strength index of n rows.

    The index is placed in its range of `window` rows. ``smooth=1`` gives TA-Lib's.

    References
    ----------
    T. Chande and S. Kroll, The New Technical Trader (1994).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> stochastic_rsi(close).k.warmup
    29
    """
    index = apply("rsi", x, n)
    return stochastic(index, index, index, window, smooth, signal)


def williams_r(high: Expr, low: Expr, close: Expr, n: int = 14) -> Expr:
    """Return Williams' %R, -100 to 0: distance of the close from the high of n rows in the range.

    References
    ----------
    L. Williams, How I Made One Million Dollars Last Year Trading Commodities (1973).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> williams_r(high, low, close).warmup
    13
    """
    return 100.0 * (_place(high, low, close, n) - 1.0)


def cci(high: Expr, low: Expr, close: Expr, n: int = 20) -> Expr:
    """Return the commodity channel index: the typical price's distance from its mean.

    It is measured in mean absolute deviations, times 0.015.

    References
    ----------
    D. Lambert, Commodity Channel Index, Commodities 10 (1980).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> cci(high, low, close, 20).warmup
    19
    """
    price = (high + low + close) / 3.0
    return (price - apply("ts_mean", price, n)) / (0.015 * apply("ts_mad", price, n))


def _place(high: Expr, low: Expr, x: Expr, n: int) -> Expr:
    """Return the place of x between the lowest low and the highest high of n rows, 0 to 1."""
    lowest, highest = apply("ts_min", low, n), apply("ts_max", high, n)
    return (x - lowest) / (highest - lowest)


def _mean(x: Expr, n: int) -> Expr:
    return x if n == 1 else apply("ts_mean", x, n)
