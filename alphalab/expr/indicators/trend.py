"""Direction and strength of a trend.

They are unknown until their windows are full, and where their operators are.
"""

from __future__ import annotations

from math import log, log2
from typing import NamedTuple

from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, apply


class Dmi(NamedTuple):
    """Directional movement, each 0 to 100: upward, downward, and the strength of the trend."""

    plus: Expr
    minus: Expr
    adx: Expr


def dmi(high: Expr, low: Expr, close: Expr, n: int = 14) -> Dmi:
    """Return Wilder's directional indices +DI and -DI, and the average directional index ADX.

    The sums start from the mean of the first n rows, as Wilder's do. TA-Lib starts with one row
    less, so its first values differ from these and then converge.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> dmi(high, low, close, 14).adx.warmup
    27
    """
    rise, fall = apply("delta", high, 1), -apply("delta", low, 1)
    range_ = apply("atr", high, low, close, n)
    plus, minus = (
        100.0 * apply("wilder", apply("where", (a > b) & (a > 0), a, 0.0), n) / range_
        for a, b in ((rise, fall), (fall, rise))
    )
    return Dmi(plus, minus, apply("wilder", 100.0 * abs(plus - minus) / (plus + minus), n))


def adx(high: Expr, low: Expr, close: Expr, n: int = 14) -> Expr:
    """Return the average directional index, 0 to 100: the strength of a trend; see `dmi`.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> adx(high, low, close).same_as(dmi(high, low, close).adx)
    True
    """
    return dmi(high, low, close, n).adx


class Aroon(NamedTuple):
    """Age of the extremes, 100 for this row to 0 for n rows ago, and the difference."""

    up: Expr
    down: Expr
    oscillator: Expr


def aroon(high: Expr, low: Expr, n: int = 25) -> Aroon:
    """Return Aroon: how recent the highest high and the lowest low of n + 1 rows are.

    References
    ----------
    T. Chande, A Time Price Oscillator, Stocks & Commodities 13:9 (1995).

    Examples
    --------
    >>> from alphalab.expr.functions import high, low
    >>> str(aroon(high, low, 25).up)
    '100.0 - 4.0 * ts_argmax(high, 26)'
    """
    if not n >= 1:
        raise ExprError(f"aroon: n={n!r}", rule="n is an integer of at least 1.")
    up = 100.0 - 100.0 / n * apply("ts_argmax", high, n + 1)
    down = 100.0 - 100.0 / n * apply("ts_argmin", low, n + 1)
    return Aroon(up, down, up - down)


class Supertrend(NamedTuple):
    """The stop line, and the direction: 1 while the line is below the price, else 0."""

    line: Expr
    rising: Expr


def supertrend(high: Expr, low: Expr, close: Expr, n: int = 10, width: float = 3.0) -> Supertrend:
    """Return Supertrend: a stop `width` average ranges from the middle of the bar.

    The lower stop never falls until the close has been below it, the upper one never rises until
    the close has been above it. The direction begins as falling. It turns where the close crosses
    the stop of its row.

    References
    ----------
    O. Seban, Supertrend; the rules are those of TradingView's ``ta.supertrend``.

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low
    >>> str(supertrend(high, low, close).rising)[:56]
    'latch(close > -ratchet(-((high + low) / 2.0 + 3.0 * atr('
    """
    middle, reach = (high + low) / 2.0, width * apply("atr", high, low, close, n)
    lower = apply("ratchet", middle - reach, close)
    upper = -apply("ratchet", -(middle + reach), -close)
    rising = apply("latch", close > upper, close < lower)
    return Supertrend(apply("where", rising, lower, upper), rising)


class Ichimoku(NamedTuple):
    """Conversion line (tenkan), base line (kijun), and the two edges of the cloud of this row."""

    conversion: Expr
    base: Expr
    span_a: Expr
    span_b: Expr


def ichimoku(
    high: Expr, low: Expr, conversion: int = 9, base: int = 26, span: int = 52, shift: int = 26
) -> Ichimoku:
    """Return the lines of Ichimoku that are known: all but the lagging span.

    A line is the middle of the range of its rows. The cloud of this row was computed `shift` rows
    ago. The lagging span shows a close that lies in the future; compare ``close`` with
    ``delay(close, 26)`` instead.

    References
    ----------
    G. Hosoda, Ichimoku Kinko Hyo (1969).

    Examples
    --------
    >>> from alphalab.expr.functions import high, low
    >>> str(ichimoku(high, low).base)
    '(ts_max(high, 26) + ts_min(low, 26)) / 2.0'
    """
    turning, standard, wide = (
        (apply("ts_max", high, n) + apply("ts_min", low, n)) / 2.0 for n in (conversion, base, span)
    )
    ahead = (apply("delay", line, shift) for line in ((turning + standard) / 2.0, wide))
    return Ichimoku(turning, standard, *ahead)


class Candle(NamedTuple):
    """The four prices of a bar."""

    open: Expr
    high: Expr
    low: Expr
    close: Expr


def heikin_ashi(open: Expr, high: Expr, low: Expr, close: Expr) -> Candle:
    """Return Heikin-Ashi candles: averaged bars.

    close is the mean of the four prices, open the middle of the candle before, high and low the
    extremes of these and the bar's. The open is an exponential mean of weight 1/2 of the closes
    before; it starts from the mean of three, so that the recursion from any other start gives the
    same after 50 rows, within one part in 10^15.

    References
    ----------
    D. Valcu, Using the Heikin-Ashi Technique, Stocks & Commodities 22:2 (2004).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, open
    >>> str(heikin_ashi(open, high, low, close).close)
    '(open + high + low + close) / 4.0'
    """
    end = (open + high + low + close) / 4.0
    start = apply("ema", apply("delay", end, 1), 3)
    top = apply("maximum", high, apply("maximum", start, end))
    return Candle(start, top, apply("minimum", low, apply("minimum", start, end)), end)


def ts_slope(x: Expr, n: int = 14) -> Expr:
    """Return the slope of the regression of x on time over n rows, per row.

    Raises
    ------
    ExprError
        An n below 2.

    References
    ----------
    TA-Lib, LINEARREG_SLOPE. Least squares over 1..n is 6 / (n - 1) times the difference of the
    linearly weighted mean and the mean.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> str(ts_slope(close, 4))
    '2.0 * (ts_decay_linear(close, 4) - ts_mean(close, 4))'
    """
    if not n >= 2:
        raise ExprError(f"ts_slope: n={n!r}", rule="n is an integer of at least 2.")
    return 6.0 / (n - 1.0) * (apply("ts_decay_linear", x, n) - apply("ts_mean", x, n))


def ts_rsquare(x: Expr, n: int = 14) -> Expr:
    """Return the share of x's variance over n rows that its regression on time explains, 0 to 1.

    It is unknown where x has not moved.

    Raises
    ------
    ExprError
        An n below 2.

    References
    ----------
    Ordinary least squares on time; the factor RSQR of qlib's Alpha158.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> ts_rsquare(close, 20).warmup
    19
    """
    # The variance of 1..n, divisor n - 1, is n (n + 1) / 12.
    return ts_slope(x, n) ** 2 * (n * (n + 1.0) / 12.0) / apply("ts_var", x, n)


def ts_resi(x: Expr, n: int = 14) -> Expr:
    """Return this row's residual of the regression of x on time over n rows.

    Raises
    ------
    ExprError
        An n below 2.

    References
    ----------
    Ordinary least squares on time; the factor RESI of qlib's Alpha158.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> ts_resi(close, 20).warmup
    19
    """
    return x - (apply("ts_mean", x, n) + ts_slope(x, n) * ((n - 1.0) / 2.0))


def hurst(x: Expr, n: int = 100, lags: tuple[int, ...] = (1, 2, 4, 8, 16)) -> Expr:
    """Return the Hurst exponent: 0.5 for a random walk, more for a trend, less for reversion.

    Parameters
    ----------
    x : Expr
        A price, or the logarithm of one.
    n : int
        Rows of the standard deviations.
    lags : tuple of int
        Rows of the changes, at least two different ones.

    Raises
    ------
    ExprError
        Fewer than two lags.

    References
    ----------
    E. Chan, Algorithmic Trading (2013), chapter 2: the variance of changes over tau rows grows as
    tau^2H. H is the slope of the log of their standard deviation on the log of tau.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> hurst(close.log(), 100).warmup
    115
    """
    if len(set(lags)) < 2:
        raise ExprError(f"hurst: lags={lags!r}", rule="at least two different lags.")
    logs = [log2(lag) for lag in lags]
    middle = sum(logs) / len(logs)
    spread = sum((value - middle) ** 2 for value in logs)
    parts = [
        (value - middle) / spread * apply("log", apply("ts_std", apply("delta", x, lag), n))
        for lag, value in zip(lags, logs, strict=True)
    ]
    return sum(parts[1:], parts[0]) / log(2.0)
