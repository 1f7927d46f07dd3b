"""vectorbt's side, twice: as its documentation writes it, and as lean as we know how.

Orders are filled at the next open: averages are taken of the closes up to the row before, and
orders are given the opens as prices. Everything is bought and everything sold, with a fee.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import vectorbt as vbt

CHUNK = 19  # columns at a time in the lean variant: what keeps its matrices in the cache


class Market(NamedTuple):
    """One asset's bars, what a trade costs, and how the year is counted."""

    open: pd.Series
    close: pd.Series
    fee: float  # fraction of the value
    cash: float
    freq: str
    periods_per_year: float


class Figures(NamedTuple):
    """One number for each combination."""

    total_return: np.ndarray
    sharpe: np.ndarray
    max_drawdown: np.ndarray
    n_fills: np.ndarray


def documented(market: Market, windows: Sequence[int], engine: str) -> Figures:
    """`MA.run_combs`, `from_signals`, and the portfolio's own metrics."""
    fast, slow = vbt.MA.run_combs(
        market.close.shift(1), window=windows, r=2, short_names=["fast", "slow"]
    )
    portfolio = vbt.Portfolio.from_signals(
        market.close,
        entries=fast.ma_above(slow),
        exits=fast.ma_below(slow),
        price=market.open,
        fees=market.fee,
        init_cash=market.cash,
        freq=market.freq,
        engine=engine,
    )
    return Figures(
        portfolio.total_return().to_numpy(),
        portfolio.sharpe_ratio().to_numpy(),
        -portfolio.max_drawdown().to_numpy(),
        portfolio.orders.count().to_numpy(),
    )


def lean(market: Market, windows: Sequence[int], engine: str) -> Figures:
    """Each average once, signals and metrics by NumPy, a few columns at a time."""
    averages = np.asfortranarray(vbt.MA.run(market.close.shift(1), window=windows).ma.to_numpy())
    pairs = list(itertools.combinations(range(len(windows)), 2))
    parts = [
        _lean_chunk(market, averages, pairs[i : i + CHUNK], engine)
        for i in range(0, len(pairs), CHUNK)
    ]
    return Figures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _lean_chunk(
    market: Market, averages: np.ndarray, pairs: Sequence[tuple[int, int]], engine: str
) -> Figures:
    shape = (len(averages), len(pairs))
    entries, exits = np.empty(shape, bool, order="F"), np.empty(shape, bool, order="F")
    for column, (fast, slow) in enumerate(pairs):
        np.greater(averages[:, fast], averages[:, slow], out=entries[:, column])
        np.less(averages[:, fast], averages[:, slow], out=exits[:, column])
    portfolio = vbt.Portfolio.from_signals(
        market.close,
        entries=entries,
        exits=exits,
        price=market.open,
        fees=market.fee,
        init_cash=market.cash,
        freq=market.freq,
        engine=engine,
        max_orders=int((entries[1:] != entries[:-1]).sum()) + len(pairs),
    )
    equity = portfolio.value().to_numpy()
    before = np.vstack([np.full(len(pairs), market.cash), equity[:-1]])
    returns = equity / before - 1.0
    return Figures(
        equity[-1] / market.cash - 1.0,
        returns.mean(axis=0) / returns.std(axis=0, ddof=1) * np.sqrt(market.periods_per_year),
        1.0 - (equity / np.maximum.accumulate(equity, axis=0)).min(axis=0),
        np.bincount(portfolio.orders.values["col"], minlength=len(pairs)),
    )


VARIANTS: dict[str, Callable[[Market, Sequence[int], str], Figures]] = {
    "documented": documented,
    "lean": lean,
}


def single(market: Market, fast: int, slow: int, engine: str) -> tuple[Any, Figures]:
    """One backtest that fills at the close that decided: the equity, and its figures."""
    quick, slower = (vbt.MA.run(market.close, window).ma for window in (fast, slow))
    portfolio = vbt.Portfolio.from_signals(
        market.close,
        entries=quick > slower,
        exits=quick < slower,
        fees=market.fee,
        init_cash=market.cash,
        freq=market.freq,
        engine=engine,
    )
    figures = Figures(
        portfolio.total_return(),
        portfolio.sharpe_ratio(),
        -portfolio.max_drawdown(),
        portfolio.orders.count(),
    )
    return portfolio, figures
