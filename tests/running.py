"""Runs expressions in blocks of given sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.types import Instrument

SECTORS = ("energy", "banks", None, "energy", "retail")


def symbols(n_assets: int) -> list[str]:
    return [f"S{i}" for i in range(n_assets)]


def assets(n_assets: int) -> list[Instrument]:
    """Assets S0, S1, ... of three sectors; every fifth, from S2 on, has none."""
    sectors = [SECTORS[i % len(SECTORS)] for i in range(n_assets)]
    return [
        Instrument(symbol=symbol, groups={"sector": sector} if sector else {})
        for symbol, sector in zip(symbols(n_assets), sectors, strict=True)
    ]


def bars(n_rows: int, n_assets: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of unrelated numbers around 100."""
    rng = np.random.default_rng(seed)
    names = ("open", "high", "low", "close", "volume", "extra")
    return {name: 100.0 + 5.0 * rng.normal(size=(n_rows, n_assets)) for name in names}


def cut(n_rows: int, size: int) -> list[int]:
    """Lengths of the blocks of `size` rows that `n_rows` rows are cut into."""
    return [min(size, n_rows - i) for i in range(0, n_rows, size)]


def random_cut(n_rows: int, rng: np.random.Generator) -> list[int]:
    ends = np.sort(rng.choice(np.arange(1, n_rows), size=min(9, n_rows - 1), replace=False))
    return [int(length) for length in np.diff([0, *ends, n_rows])]


def push(plan: Plan, columns: Mapping[str, np.ndarray], blocks: Iterable[int]) -> dict:
    """Outputs of consecutive blocks, put together."""
    parts: list[dict[str, np.ndarray]] = []
    start = 0
    for length in blocks:
        rows = {name: values[start : start + length] for name, values in columns.items()}
        parts.append({name: out.copy() for name, out in plan.run(rows, length).items()})
        start += length
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def run(
    expr: Expr, columns: Mapping[str, np.ndarray], blocks: Sequence[int] | None = None
) -> np.ndarray:
    """Values of an expression over columns of shape (T, N), in one block unless cut."""
    n_rows, n_assets = next(iter(columns.values())).shape
    blocks = blocks or [n_rows]
    plan = Plan({"out": expr}, assets(n_assets), capacity=max(blocks))
    return push(plan, columns, blocks)["out"]
