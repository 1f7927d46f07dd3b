"""backtesting.py's side of `single.py`."""

from __future__ import annotations

import warnings
from typing import Any

import backtesting.backtesting
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

backtesting.backtesting._tqdm = lambda rows, **_: rows  # it would draw a bar for every run


def average(prices: Any, n: int) -> pd.Series:
    return pd.Series(prices).rolling(n).mean()


class SmaCross(Strategy):
    """As its documentation writes it; a state instead of a crossing, as all sides have it."""

    fast = 10
    slow = 30

    def init(self) -> None:
        self.quick = self.I(average, self.data.Close, self.fast)
        self.slower = self.I(average, self.data.Close, self.slow)

    def next(self) -> None:
        if self.quick[-1] > self.slower[-1]:
            if not self.position:
                self.buy()
        elif self.position:
            self.position.close()


def single(
    frame: pd.DataFrame, fast: int, slow: int, fee: float, cash: float
) -> tuple[int, float, float, float, np.ndarray]:
    """Fills, total return, Sharpe ratio, largest drawdown, equity after each row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a position is open at the end
        test = Backtest(frame, SmaCross, cash=cash, commission=fee, trade_on_close=True)
        found = test.run(fast=fast, slow=slow)
    held = len(found["_strategy"].trades)
    return (
        2 * len(found["_trades"]) + held,
        found["Return [%]"] / 100.0,
        found["Sharpe Ratio"],
        -found["Max. Drawdown [%]"] / 100.0,
        found["_equity_curve"]["Equity"].to_numpy(),
    )
