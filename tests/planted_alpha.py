"""Bars in which a column foretells the next return, and a strategy that trades it."""

from __future__ import annotations

import numpy as np

import alphalab as al


class Follow(al.Strategy):
    """Long while the mean of the signal is above zero, else out."""

    n: int = 5

    def weights(self) -> al.Expr:
        return al.where(al.column("signal").ts_mean(self.n) > 0, 1.0, 0.0)


def planted_bars(rows: int = 2_000, strength: float = 0.12, seed: int = 0) -> al.Bars:
    """Daily bars; a share of each return is known as ``signal`` at the close before it."""
    rng = np.random.default_rng(seed)
    signal = np.zeros(rows)
    for t in range(1, rows):
        signal[t] = 0.97 * signal[t - 1] + 0.24 * rng.normal()
    shock = rng.normal(size=rows)
    returns = 0.01 * (strength * np.append(0.0, signal[:-1]) + shock)
    close = 100.0 * np.exp(np.cumsum(returns))
    opened = np.append(100.0, close[:-1])
    day = np.datetime64("2010-01-04", "ns") + np.arange(rows) * np.timedelta64(1, "D")
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.001,
        "low": np.minimum(opened, close) / 1.001,
        "close": close,
        "volume": np.full(rows, 1e6),
        "signal": signal,
    }
    table = {name: values[:, np.newaxis] for name, values in columns.items()}
    return al.Bars(day, ["PLANT"], table, periods_per_year=365.0)
