"""Prices weighted by volume, and volume counted by the direction of the price."""

from __future__ import annotations

from alphalab.expr.functions import session_open
from alphalab.expr.nodes import Expr, apply


def vwap(high: Expr, low: Expr, close: Expr, volume: Expr, start: Expr | None = None) -> Expr:
    """Return the mean typical price weighted by volume, from the first row of the session on.

    Parameters
    ----------
    high, low, close, volume : Expr
    start : Expr, optional
        Condition that is true in the row from which on it is counted. Not given: `session_open`,
        so that the part of a session before the first full one is unknown.

    References
    ----------
    S. Berkowitz, D. Logue and E. Noser, The Total Cost of Transactions on the NYSE (1988).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, volume
    >>> monthly = vwap(high, low, close, volume, start=volume > 1e6)
    >>> str(monthly)[:60]
    'sum_since((high + low + close) / 3.0 * volume, volume > 1000'
    """
    begins = session_open() if start is None else start
    value = (high + low + close) / 3.0 * volume
    return apply("sum_since", value, begins) / apply("sum_since", volume, begins)


def adv(close: Expr, volume: Expr, n: int = 20) -> Expr:
    """Return the average value traded a row over n rows, in quote currency.

    References
    ----------
    Kakushadze (2016), 101 Formulaic Alphas, appendix A.1: average daily dollar volume.

    Examples
    --------
    >>> from alphalab.expr.functions import close, volume
    >>> str(adv(close, volume, 20))
    'ts_mean(close * volume, 20)'
    """
    return apply("ts_mean", close * volume, n)


def obv(close: Expr, volume: Expr) -> Expr:
    """Return on-balance volume: volume of rising closes minus volume of falling ones, so far.

    Its level depends on the first row of the data; its changes do not.

    References
    ----------
    J. Granville, New Key to Stock Market Profits (1963).

    Examples
    --------
    >>> from alphalab.expr.functions import close, volume
    >>> str(obv(close, volume))
    'cum_sum(sign(delta(close, 1)) * volume)'
    """
    return apply("cum_sum", apply("sign", apply("delta", close, 1)) * volume)


def mfi(high: Expr, low: Expr, close: Expr, volume: Expr, n: int = 14) -> Expr:
    """Return the money flow index, 0 to 100: traded value of rising typical prices in all of it.

    References
    ----------
    G. Quong and A. Soudack, Volume-Weighted RSI: Money Flow, Stocks & Commodities 7:3 (1989).

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, volume
    >>> mfi(high, low, close, volume).warmup
    14
    """
    price = (high + low + close) / 3.0
    change, value = apply("delta", price, 1), price * volume
    up, down = (
        apply("ts_sum", apply("where", moved, value, 0.0), n) for moved in (change > 0, change < 0)
    )
    return 100.0 * up / (up + down)


def accumulation_distribution(high: Expr, low: Expr, close: Expr, volume: Expr) -> Expr:
    """Return the accumulation line: volume times the place of the close in its bar, so far.

    The place is 1 at the high, -1 at the low, 0 in a bar without a range. The level of the line
    depends on the first row of the data; its changes do not.

    References
    ----------
    M. Chaikin; TA-Lib, AD.

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, volume
    >>> str(accumulation_distribution(high, low, close, volume))[:41]
    'cum_sum(where(high > low, (close - low - '
    """
    return apply("cum_sum", _flow(high, low, close, volume))


def chaikin_oscillator(
    high: Expr, low: Expr, close: Expr, volume: Expr, fast: int = 3, slow: int = 10
) -> Expr:
    """Return the fast minus the slow exponential mean of the accumulation line.

    References
    ----------
    M. Chaikin; TA-Lib, ADOSC, which starts both means from the first row and then converges.

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, volume
    >>> chaikin_oscillator(high, low, close, volume).warmup
    9
    """
    line = accumulation_distribution(high, low, close, volume)
    return apply("ema", line, fast) - apply("ema", line, slow)


def chaikin_money_flow(high: Expr, low: Expr, close: Expr, volume: Expr, n: int = 20) -> Expr:
    """Return the accumulation of n rows as a share of their volume, -1 to 1.

    References
    ----------
    M. Chaikin; TradingView, Chaikin Money Flow.

    Examples
    --------
    >>> from alphalab.expr.functions import close, high, low, volume
    >>> chaikin_money_flow(high, low, close, volume).warmup
    19
    """
    return apply("ts_sum", _flow(high, low, close, volume), n) / apply("ts_sum", volume, n)


def _flow(high: Expr, low: Expr, close: Expr, volume: Expr) -> Expr:
    place = ((close - low) - (high - close)) / (high - low)
    return apply("where", high > low, place, 0.0) * volume
