"""Monte Carlo on the trades: how deep the fall could have been in another order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray

_CELLS = 1_000_000


class TradeOrder(NamedTuple):
    """Largest drawdowns of the same trades in other orders.

    Attributes
    ----------
    drawdown : float
        In the order in which they happened, as a fraction of the peak.
    drawdowns : ndarray of shape (n_samples,)
        In random orders, ascending.
    """

    drawdown: float
    drawdowns: FloatArray

    def quantile(self, q: float) -> float:
        """Return the drawdown that a share `q` of the orders stays within."""
        return float(np.quantile(self.drawdowns, q))

    @property
    def luck(self) -> float:
        """Share of the orders with a smaller drawdown than the one that happened."""
        return float(np.mean(self.drawdowns < self.drawdown))


def shuffled_trades(trade_returns: FloatArray, n_samples: int = 1_000, seed: int = 0) -> TradeOrder:
    """Put trades into random orders, and look at the largest drawdown of each.

    The product of the trades is the same in every order: only the way there differs.

    Parameters
    ----------
    trade_returns : ndarray of shape (n,)
        Profit of each trade as a fraction of the equity before it, above -1. NaN is refused.
    n_samples : int
        Orders, at least 100.
    seed : int

    Raises
    ------
    DataError
        Fewer than two trades, or one that is not finite or loses everything.
    ParameterError
        Fewer than 100 orders.

    Examples
    --------
    >>> found = shuffled_trades(np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1]))
    >>> round(found.drawdown, 3), round(found.quantile(1.0), 3)
    (0.118, 0.271)
    """
    trades = np.asarray(trade_returns, np.float64)
    if trades.ndim != 1 or trades.size < 2:
        raise DataError(
            f"trades of shape {trades.shape}", rule="at least two trades can change places."
        )
    if not (np.isfinite(trades) & (trades > -1.0)).all():
        raise DataError(
            f"trades from {trades.min()} to {trades.max()}",
            rule="each is a finite fraction of the equity before it, above -1.",
        )
    if n_samples < 100:
        raise ParameterError(f"n_samples={n_samples}", rule="at least 100 orders.")
    rng = np.random.default_rng(seed)
    growth = np.log1p(trades)
    step = max(_CELLS // trades.size, 1)
    found = [
        _drawdowns(rng.permuted(np.tile(growth, (min(step, n_samples - i), 1)), axis=1))
        for i in range(0, n_samples, step)
    ]
    return TradeOrder(float(_drawdowns(growth[np.newaxis])[0]), np.sort(np.concatenate(found)))


def _drawdowns(growth: FloatArray) -> FloatArray:
    """Return the largest fall of each row of log returns, as a fraction of the peak."""
    path = np.cumsum(growth, axis=1)
    peak = np.maximum(np.maximum.accumulate(path, axis=1), 0.0)
    return np.asarray(-np.expm1(np.minimum((path - peak).min(axis=1), 0.0)))
