"""What a result depends on and nobody knows: the path inside a bar, and the fee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

Path = Literal["pessimistic", "ohlc", "optimistic"]

#: Every path, from the worst to the best.
PATHS: tuple[Path, ...] = get_args(Path)

#: Precision of the break-even fee, basis points.
TOLERANCE_BPS = 0.01

#: The largest fee that is tried, basis points.
MOST_BPS = 9_999.0


def break_even_bps(profit: Callable[[float], tuple[float, float]]) -> float:
    """Return the fee at which a run ends with the cash it began with, basis points.

    Bracketing with secant steps; a halving step follows each secant step that did not halve the
    bracket, because equity can jump where a fee changes what is traded.

    Parameters
    ----------
    profit : callable
        ``profit(fee_bps)`` runs with this fee and returns profit and traded value.

    Returns
    -------
    float
        NaN when a fee of 0 loses or trades nothing, infinite when `MOST_BPS` still gains.

    Examples
    --------
    >>> round(break_even_bps(lambda fee: (50.0 - 4.0 * fee, 40_000.0)), 1)
    12.5
    """
    free, traded = profit(0.0)
    if free < 0 or not traded:
        return float("nan")
    low, high = 0.0, min(free / traded * 1e4, MOST_BPS)  # the gain per value traded
    at_low, at_high = free, profit(high)[0]
    while at_high > 0:
        if high == MOST_BPS:
            return float("inf")
        low, at_low, high = high, at_high, min(2 * high, MOST_BPS)
        at_high = profit(high)[0]
    halve = False
    while high - low > TOLERANCE_BPS:
        width = high - low
        share = 0.5 if halve else at_low / (at_low - at_high)
        edge = min(0.5, TOLERANCE_BPS / width / 2)
        fee = low + width * min(max(share, edge), 1 - edge)
        at_fee = profit(fee)[0]
        low, at_low, high, at_high = (
            (fee, at_fee, high, at_high) if at_fee > 0 else (low, at_low, fee, at_fee)
        )
        halve = not halve and high - low > width / 2
    return (low + high) / 2
