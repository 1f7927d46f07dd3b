"""What every policy is compared with: nothing, holding, equal weights, a simple rule, chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from alphalab.artifact.ledger import uncounted
from alphalab.config import Rebalance
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.research.results.result import Result
from alphalab.research.sweep.run import sweep
from alphalab_envs.training.task import Task

_WINDOWS = (5, 10, 20, 50, 100, 200)


def baselines(task: Task, rows: slice) -> Iterator[tuple[str, Result]]:
    """Yield the name and the backtest of each baseline on a period.

    ``flat`` holds nothing; ``buy and hold`` buys equal weights once; ``equal weight`` restores them
    on every row; ``best rule`` is the best of a sweep over the rows before the period, of trend
    rules (close above its mean) and reversion rules (close below its mean) with six windows;
    ``random`` asks for random weights on every row, with a fixed seed. The sweep counts in the
    trial ledger.
    """
    n = task.bars.n_symbols
    share = f"{_highest(task) / n!r}"
    yield "flat", _measured(task, "0.0", rows)
    yield "buy and hold", _measured(task, share, rows)
    yield "equal weight", _measured(task, share, rows, rebalance=Rebalance.every_row())
    yield "best rule", _measured(task, _best_rule(task, share, rows), rows)
    yield "random", _random(task, rows)


def _highest(task: Task) -> float:
    """Return the largest weight that the agent may ask for in total."""
    gross = task.sample.setup.settings.gross
    if task.env == "trading":
        return float(min(max(task.actions["positions"]), gross))
    return float(min(task.actions["high"] * task.bars.n_symbols, gross))


def _measured(task: Task, text: str, rows: slice, **more: Any) -> Result:
    with uncounted():  # they are what one compares with, not what one chooses from
        return task.measured(ExprStrategy(text=text), rows, **more)


def _best_rule(task: Task, share: str, rows: slice) -> str:
    rules = [
        f"where(close {sign} ts_mean(close, {n}), {share}, 0.0)"
        for sign in (">", "<")
        for n in _WINDOWS
        if n < rows.start // 2
    ]
    before = task.bars.rows(0, rows.start)
    found = sweep(ExprStrategy, before, {"expression": rules}, **task.run, quality=task.quality)
    sharpes = np.nan_to_num(found.table["sharpe"].to_numpy(), nan=-np.inf)
    return rules[int(np.argmax(sharpes))]


def _random(task: Task, rows: slice) -> Result:
    bars, rng = task.bars, np.random.default_rng(0)
    shape = bars.n_rows, bars.n_symbols
    if task.env == "trading" and not task.actions["continuous"]:
        asked = rng.choice(np.array(task.actions["positions"], np.float64), shape)
    elif task.env == "trading":
        asked = rng.uniform(min(task.actions["positions"]), max(task.actions["positions"]), shape)
    else:
        asked = rng.uniform(task.actions["low"], task.actions["high"], shape)
    with uncounted():
        strategy = ExprStrategy(text="column('asked_at_random')")
        return task.measured(strategy, rows, bars=bars.with_columns({"asked_at_random": asked}))
