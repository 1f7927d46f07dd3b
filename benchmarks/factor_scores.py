"""Scores of random factors a second of processor time: ``python benchmarks/factor_scores.py``."""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

import alphalab as al
from alphalab.expr.nodes import Expr, apply
from alphalab.research.factors.score import Scorer

WINDOWS = (2, 3, 5, 10, 20, 40, 60)
SERIES = (
    *("ts_mean", "ts_std", "ts_max", "ts_min", "delay", "delta", "ts_rank", "ts_zscore"),
    *("ts_decay_linear", "ema", "returns", "ts_sum"),
)
PAIRS = ("ts_corr", "ts_cov", "add", "sub", "mul", "div")
CROSS = ("cs_rank", "cs_zscore", "cs_demean")


def grown(rng: np.random.Generator, depth: int, columns: tuple[str, ...]) -> Expr:
    """Return a random expression of at most `depth` levels."""
    if depth == 0 or rng.random() < 0.1:
        return al.column(str(rng.choice(columns)))
    draw = rng.random()
    inside = grown(rng, depth - 1, columns)
    if draw < 0.55:
        return apply(str(rng.choice(SERIES)), inside, int(rng.choice(WINDOWS)))
    if draw < 0.8:
        return apply(str(rng.choice(CROSS)), inside)
    name, other = str(rng.choice(PAIRS)), grown(rng, depth - 1, columns)
    window = [int(rng.choice(WINDOWS))] if name.startswith("ts_") else []
    return apply(name, inside, other, *window)


def distinct(n: int, columns: tuple[str, ...], seed: int = 0) -> list[Expr]:
    rng, found = np.random.default_rng(seed), {}
    while len(found) < n:
        expr = apply("cs_rank", grown(rng, 3, columns))
        found[expr.key] = expr
    return list(found.values())


def measure(bars: al.Bars, exprs: list[Expr], horizon: int = 1) -> tuple[float, float]:
    """Return scores a second of processor time, and nodes of an expression."""
    scorer = Scorer(bars, horizon)
    named = [(str(i), expr) for i, expr in enumerate(exprs)]
    scorer.of_batch(named[:64])  # load the kernels
    start = time.process_time()
    for i in range(0, len(named), 64):
        scorer.of_batch(named[i : i + 64])
    spent = time.process_time() - start
    nodes = np.mean([sum(1 for _ in expr.walk()) for expr in exprs])
    return len(named) / spent, float(nodes)


def wide(n_rows: int = 2520, n_assets: int = 500) -> al.Bars:
    close = 50.0 * np.exp(
        np.cumsum(0.02 * np.random.default_rng(0).normal(size=(n_rows, n_assets)), 0)
    )
    days = np.busday_offset("2010-01-01", np.arange(n_rows), roll="forward").astype("M8[ns]")
    columns = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": 1e6 / close}
    return al.Bars(days, [f"S{j}" for j in range(n_assets)], columns, periods_per_year=252)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1000)
    given = parser.parse_args()
    cases = {
        "20 x 8,313": (al.load("sp500_stocks"), ("close",)),
        "500 x 2,520": (wide(), ("close", "volume")),
    }
    for name, (bars, columns) in cases.items():
        exprs = distinct(given.n if bars.n_symbols < 100 else max(given.n // 10, 64), columns)
        rate, nodes = measure(bars, exprs)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {rate:,.0f} scores a second of processor time, {nodes:.1f} nodes each, "
            f"{rate * bars.n_rows * bars.n_symbols / 1e6:,.0f} M cells/s, peak {memory:,.0f} MB"
        )


if __name__ == "__main__":
    main()
