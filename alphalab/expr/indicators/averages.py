"""Moving averages that follow a series more closely than a plain or an exponential mean.

They are unknown until their windows are full, and where their operators are; `x` is any expression.
"""

from __future__ import annotations

from math import isqrt

from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, apply


def dema(x: Expr, n: int = 30) -> Expr:
    """Return the double exponential mean: twice the mean, minus the mean of the mean.

    References
    ----------
    P. Mulloy, Smoothing Data with Faster Moving Averages, Stocks & Commodities 12:1 (1994).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(dema(close, 20))
    '2.0 * ema(close, 20) - ema(ema(close, 20), 20)'
    """
    once = apply("ema", x, n)
    return 2.0 * once - apply("ema", once, n)


def tema(x: Expr, n: int = 30) -> Expr:
    """Return the triple exponential mean: 3 means, minus 3 means of it, plus the mean of that.

    References
    ----------
    P. Mulloy, Smoothing Data with Less Lag, Stocks & Commodities 12:2 (1994).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> tema(close, 20).warmup
    57
    """
    once = apply("ema", x, n)
    twice = apply("ema", once, n)
    return 3.0 * once - 3.0 * twice + apply("ema", twice, n)


def hull(x: Expr, n: int = 16) -> Expr:
    """Return Hull's mean: weighted means of n // 2 and n rows, smoothed over the root of n rows.

    Raises
    ------
    ExprError
        An n below 2.

    References
    ----------
    A. Hull, How to reduce lag in a moving average (2005).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(hull(close, 16))
    'ts_decay_linear(2.0 * ts_decay_linear(close, 8) - ts_decay_linear(close, 16), 4)'
    """
    if not n >= 2:
        raise ExprError(f"hull: n={n!r}", rule="n is an integer of at least 2.")
    fast, slow = (apply("ts_decay_linear", x, rows) for rows in (n // 2, n))
    return apply("ts_decay_linear", 2.0 * fast - slow, isqrt(int(n)))


def kama(x: Expr, n: int = 10, fast: int = 2, slow: int = 30) -> Expr:
    """Return Kaufman's adaptive mean: fast where x moves in one direction, slow where it wavers.

    Its weight lies between those of exponential means of `fast` and `slow` rows: the square of
    slow's weight plus the efficiency, |change over n rows| / path, times the difference of both.
    The efficiency is 1 where x has not moved.

    References
    ----------
    P. Kaufman, Smarter Trading (1995).

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> kama(close, 10).warmup
    10
    """
    path = apply("ts_sum", abs(apply("delta", x, 1)), n)
    efficiency = apply("where", path > 0, abs(apply("delta", x, n)) / path, 1.0)
    least, most = 2.0 / (slow + 1.0), 2.0 / (fast + 1.0)
    return apply("adaptive_mean", x, (efficiency * (most - least) + least) ** 2)
