"""Builders of files, rows, bars and strategies for tests, and readers of their notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

import alphalab as al
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rows import Rows
from alphalab.types import BAR_COLUMNS, FloatArray, IntArray

DAY = 86_400 * 10**9
START = int(np.datetime64("2020-01-01T21:00", "ns").astype(np.int64))


class AboveMean(al.Strategy):
    """One weight while the close is above its mean, another one below it."""

    n: int = 10
    above: float = 1.0
    below: float = 0.0

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(self.n), self.above, self.below)


class Cross(al.Strategy):
    """Long while the fast mean is above the slow one."""

    fast: int = 10
    slow: int = 30

    def weights(self) -> al.Expr:
        return al.where(al.close.ts_mean(self.fast) > al.close.ts_mean(self.slow), 1.0, 0.0)


def texts(noted: Any) -> tuple[str, ...]:
    """Return the words of the notes of bars, rows, a scan or an ingestion."""
    return tuple(note.text for note in noted.notes)


def written(
    folder: Path, text: str | bytes, name: str = "ACME.csv", encoding: str = "utf-8"
) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


def one_price(time: ArrayLike, close: Any, symbols: Sequence[str] = ("A",), **options: Any) -> Bars:
    """Return bars whose four prices and volume are `close`: a number, (T,) or (T, N)."""
    shape = (len(np.asarray(time)), len(symbols))
    cells = np.asarray(close, np.float64)
    cells = np.broadcast_to(cells[:, np.newaxis] if cells.ndim == 1 else cells, shape)
    columns = options.pop("columns", {})
    return Bars(time, symbols, dict.fromkeys(BAR_COLUMNS, cells) | columns, **options)


def panel(close: Any, symbols: Sequence[str] = (), step: int = DAY, **fields: Any) -> Bars:
    """Return bars whose open is the close of the row before; `close` is (T,) or (T, N)."""
    close = np.asarray(close, np.float64).reshape(len(close), -1)
    opens = np.vstack([close[:1], close[:-1]])
    opens = np.where(np.isnan(opens) | np.isnan(close), close, opens)
    columns = {
        "open": opens,
        "high": np.maximum(opens, close),
        "low": np.minimum(opens, close),
        "close": close,
        "volume": np.full_like(close, 1e6),
    }
    time = START + step * np.arange(len(close))
    symbols = symbols or [f"S{i}" for i in range(close.shape[1])]
    return Bars(time, symbols, columns, **({"periods_per_year": 252.0} | fields))


def closes(n_rows: int, seed: int = 5, n_assets: int = 1) -> FloatArray:
    """Return closes of random walks from about 100, (T, N)."""
    rng = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, (n_rows, n_assets)), axis=0))


def dated_closes(
    prices: Mapping[str, Sequence[float]], dates: Sequence[str], label: str = "date"
) -> Bars:
    """Return bars of closing prices by symbol, with dates as times: nobody said what they name."""
    frame = pd.DataFrame(prices, index=pd.to_datetime(list(dates)))
    if label != "date":
        return Bars.from_closes(frame, label=label)
    return dates_of(Bars.from_closes(frame, label="close"))


def dates_of(bars: Bars) -> Bars:
    """Return bars at midnights as those of a file that does not say what its dates name."""
    return Bars(bars.time, bars.symbols, bars.columns, notes=bars.notes, time_names="date")


def walk(time: IntArray, seed: int = 0, volume: float = 1e4) -> dict[str, FloatArray]:
    """Return columns of a random walk with sound bars, (R,) each."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.002 * rng.standard_normal(len(time))))
    open_ = np.append(100.0, close[:-1])
    reach = 1 + 0.001 * np.abs(rng.standard_normal((2, len(time))))
    return {
        "open": open_,
        "high": np.maximum(open_, close) * reach[0],
        "low": np.minimum(open_, close) / reach[1],
        "close": close,
        "volume": volume * rng.lognormal(0, 0.5, len(time)),
    }


def rows_at(time: IntArray, symbol: str = "ACME") -> Rows:
    """Return sound rows of one symbol at given times."""
    zeros = np.zeros(len(time), np.int64)
    return Rows(time, (symbol,), zeros, walk(time), np.arange(len(time)), "prices.csv")
