"""How large an account may become before its own trading eats the edge."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray


class Capacity(NamedTuple):
    """Size at which impact eats a share of the edge.

    Attributes
    ----------
    cash : float
        Starting cash at which it does, quote currency; 0 when there is no profit to eat.
    impact : float
        What impact would have cost at the size that was run, quote currency.
    profit : float
        Profit of that run, without impact, quote currency.
    """

    cash: float
    impact: float
    profit: float


def capacity(
    traded: FloatArray,
    volume: FloatArray,
    volatility: FloatArray,
    *,
    profit: float,
    cash: float,
    share: float = 0.5,
    factor: float = 1.0,
) -> Capacity:
    """Return the starting cash at which impact eats `share` of the profit: square-root law.

    A fill of value q in a bar that trades the value V costs ``factor * volatility * sqrt(q / V) *
    q``: Toth et al., Anomalous Price Impact and the Critical Nature of Liquidity in Financial
    Markets (2011), who find a factor near 1. Scaled by k, profit grows by k and impact by k**1.5,
    so that impact is `share` of the profit at k = (share * profit / impact)**2.

    Parameters
    ----------
    traded : ndarray of shape (F,)
        Value of each fill, quote currency, above 0.
    volume : ndarray of shape (F,)
        Value that its bar traded, quote currency, above 0.
    volatility : ndarray of shape (F,)
        Standard deviation of the returns of one bar, as a fraction, at least 0.
    profit : float
        What the run gained without impact, quote currency.
    cash : float
        Its starting cash.
    share : float
        In (0, 1].
    factor : float
        Above 0.

    Raises
    ------
    DataError
        No fills, shapes that differ, or a bar whose volume is unknown or 0.
    ParameterError
        An argument outside its range.

    Examples
    --------
    >>> fills, volume, daily = np.full(100, 1e4), np.full(100, 1e8), np.full(100, 0.01)
    >>> found = capacity(fills, volume, daily, profit=2_000.0, cash=1e4)
    >>> round(found.impact, 2), round(found.cash)
    (100.0, 1000000)
    """
    arrays = [np.asarray(x, np.float64) for x in (traded, volume, volatility)]
    q, v, sigma = arrays
    if q.ndim != 1 or not q.size or any(x.shape != q.shape for x in arrays):
        raise DataError(
            f"fills of shape {[x.shape for x in arrays]}",
            rule="value, volume and volatility have one number for each fill, and there is a fill.",
        )
    if not ((q > 0) & (v > 0) & (v < np.inf) & (sigma >= 0) & (sigma < np.inf)).all():
        raise DataError(
            "a fill whose value or volume is not above 0, or whose volatility is not known",
            rule="impact needs the volume of every bar that was traded in.",
            fix="Use data with volume.",
        )
    if not (cash > 0 and 0 < share <= 1 and factor > 0 and math.isfinite(profit)):
        raise ParameterError(
            f"cash={cash:g}, profit={profit:g}, share={share:g}, factor={factor:g}",
            rule="cash and factor are above 0, the profit is finite, and 0 < share <= 1.",
        )
    impact = float(np.sum(factor * sigma * np.sqrt(q / v) * q))
    if profit <= 0 or impact == 0:
        return Capacity(0.0 if profit <= 0 else math.inf, impact, profit)
    return Capacity(cash * (share * profit / impact) ** 2, impact, profit)
