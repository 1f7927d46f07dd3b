"""Bands around a price. They are unknown until their windows are full."""

from __future__ import annotations

from typing import NamedTuple

from alphalab.expr.nodes import Expr, apply


class Bands(NamedTuple):
    """A middle line and the lines below and above it."""

    lower: Expr
    middle: Expr
    upper: Expr


def bollinger(x: Expr, n: int = 20, width: float = 2.0) -> Bands:
    """Return the mean of n rows, and bands `width` standard deviations (ddof 1) around it.

    References
    ----------
    J. Bollinger, Bollinger on Bollinger Bands (2001), with divisor n - 1 in place of n.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(bollinger(close, 20).lower)
    'ts_mean(close, 20) - 2.0 * ts_std(close, 20)'
    """
    middle = apply("ts_mean", x, n)
    reach = width * apply("ts_std", x, n)
    return Bands(middle - reach, middle, middle + reach)


def keltner(
    high: Expr, low: Expr, close: Expr, n: int = 20, width: float = 2.0, atr_rows: int = 10
) -> Bands:
    """Return the exponential mean of the close, and bands `width` average true ranges around it.

    References
    ----------
    C. Keltner, How to Make Money in Commodities (1960), with the changes of L. Raschke.

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> str(keltner(high, low, close).upper)
    'ema(close, 20) + 2.0 * atr(high, low, close, 10)'
    """
    middle, reach = apply("ema", close, n), width * apply("atr", high, low, close, atr_rows)
    return Bands(middle - reach, middle, middle + reach)


def donchian(high: Expr, low: Expr, n: int = 20) -> Bands:
    """Return the lowest low and the highest high of n rows, this row included, and their middle.

    A breakout compares with the channel of the row before, ``donchian(high, low).upper.delay(1)``.

    References
    ----------
    R. Donchian, Trend-following Methods in Commodity Price Analysis (1957).

    Examples
    --------
    >>> from alphalab.expr.functions import high, low
    >>> str(donchian(high, low, 20).middle)
    '(ts_min(low, 20) + ts_max(high, 20)) / 2.0'
    """
    lower, upper = apply("ts_min", low, n), apply("ts_max", high, n)
    return Bands(lower, (lower + upper) / 2.0, upper)
