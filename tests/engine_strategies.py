"""Strategies with memory, and a process that restores their snapshots."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping

import numpy as np

from alphalab.config import Costs, Limits, Rebalance, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import close, column, where
from alphalab.expr.nodes import Expr
from alphalab.types import FloatArray, Instrument, IntArray

INSTRUMENTS = tuple(
    Instrument(symbol=name, lot=lot, groups={"sector": sector})
    for name, lot, sector in (("A", 0.0, "x"), ("B", 1.0, "x"), ("C", 0.1, "y"))
)
SETTINGS = RunSettings(
    cash=50_000.0,
    costs=Costs(fee_bps=7),
    limits=Limits(gross=1.5, group="sector", group_gross=0.9, daily_loss=0.04),
    rebalance=Rebalance(when="drift", threshold=0.02, cooldown=2),
)


class Trend(Strategy):
    """Windows, a recursion and a cross-section."""

    n: int = 5

    def weights(self) -> Expr:
        trend = close > close.ts_mean(self.n)
        strength = (close / close.ema(self.n) - 1.0).abs().cs_rank()
        return where(trend, 0.6, -0.4) * (1.0 + strength)


class Patient(Strategy):
    """Buys a rise, and sells after some rows or at a loss: reads its positions and its memory."""

    rows: int = 4
    memory_rows = 2

    def signals(self) -> dict[str, Expr]:
        return {"rise": close.returns(1), "rows": column("w") * 0.0 + float(self.rows)}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        targets = np.full(table.shape[1], np.nan)
        memory[1] += 1.0
        for j in range(targets.size):
            position = account.positions[j]
            memory[0, j] = memory[0, j] + 1.0 if position["qty"] > 0.0 else 0.0
            if position["qty"] > 0.0:
                lost = position["mark"] < 0.97 * position["entry_price"]
                if lost or memory[0, j] >= table[1, j] or account.drawdown > 0.2:
                    targets[j] = 0.0
            elif table[0, j] > 0.0:
                targets[j] = 0.3
        return targets


STRATEGIES = (Trend(n=4), Patient(rows=3))


def prices(n_rows: int = 120) -> tuple[IntArray, dict[str, FloatArray]]:
    """Rows of three assets every six hours, with holes."""
    rng = np.random.default_rng(5)
    close = 50.0 * np.exp(rng.normal(0.0, 0.02, (n_rows, 3)).cumsum(axis=0))
    open_ = close * np.exp(rng.normal(0.0, 0.005, (n_rows, 3)))
    holes = rng.random((n_rows, 3)) < 0.05
    close[holes] = np.nan
    open_[holes] = np.nan
    time = 1_700_000_000_000_000_000 + 6 * 3_600 * 10**9 * np.arange(n_rows)
    return time, {"open": open_, "close": close, "w": np.ones((n_rows, 3))}


def engine_of(strategy: Strategy, capacity: int | None = None) -> Engine:
    return Engine(strategy, INSTRUMENTS, SETTINGS, capacity=capacity)


def pushed(
    engine: Engine, time: IntArray, columns: Mapping[str, FloatArray], first: int, last: int
) -> Block:
    rows = slice(first, last)
    return engine.push(time[rows], {name: values[rows] for name, values in columns.items()})


def digest(engine: Engine, block: Block) -> str:
    """Return a hash of everything the rows gave and of everything the engine now remembers."""
    data = b"".join(table.tobytes() for table in block) + engine.snapshot()
    return hashlib.sha256(data).hexdigest()


def finish(folder: str) -> None:
    """Go on from snapshots named STRATEGY_ROW, print what the other rows give."""
    import pathlib

    time, columns = prices()
    for path in sorted(pathlib.Path(folder).iterdir()):
        strategy, row = path.name.split("_")
        engine = engine_of(STRATEGIES[int(strategy)])
        engine.restore(path.read_bytes())
        print(path.name, digest(engine, pushed(engine, time, columns, int(row), time.size)))


if __name__ == "__main__":
    finish(sys.argv[1])
