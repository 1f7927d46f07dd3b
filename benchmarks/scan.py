"""A backtest over more rows than are held: peak memory, and rows a second.

python benchmarks/scan.py [--rows 50000000] [--store FOLDER] [--compare] [--json]

A random walk of one-second bars is written into a store, part by part, in a process of its own
(a store that is there already is gone on with); another process runs the moving-average crossing
over it and reads its own peak of resident memory, imports included. With --compare a third one runs
it with all rows in memory: the digests have to be equal, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure
import numpy as np
import pyarrow as pa

import alphalab as al
from alphalab.artifact.loading import load_strategy

STRATEGY = Path(__file__).parents[1] / "strategies" / "sma_cross.py"
PART = 1_000_000
SECOND_US = 1_000_000
ADDRESS = "store:synthetic/1s/WALK"


def part_of_walk(number: int, rows: int) -> pa.Table:
    """Return rows of a walk that begins at 100 in each part."""
    rng = np.random.default_rng(number)
    steps = rng.normal(0.0, 2e-4, 2 * rows)
    path = 100.0 * np.exp(np.cumsum(steps - steps.mean()))  # ends where it began
    open_, close, reach = path[::2], path[1::2], rng.random(rows) * 1e-4
    time = (number * PART + 1 + np.arange(rows)) * SECOND_US + 1_577_836_800 * SECOND_US
    columns = {
        "open": open_,
        "high": np.maximum(open_, close) * (1.0 + reach),
        "low": np.minimum(open_, close) * (1.0 - reach),
        "close": close,
        "volume": rng.integers(1, 1_000, rows).astype(np.float64),
    }
    names = {"venue": "synthetic", "interval": "1s", "symbol": "WALK"}
    return pa.table(
        {
            **{name: pa.repeat(text, rows) for name, text in names.items()},
            "time": pa.array(time, pa.timestamp("us", "UTC")),
            **columns,
        }
    )


def write(rows: int, folder: str) -> dict[str, Any]:
    """Write the walk; parts that are there are left."""
    store = al.Store(folder)
    n_new = 0

    def all_parts() -> None:
        nonlocal n_new
        for number in range(-(-rows // PART)):
            part = part_of_walk(number, min(PART, rows - number * PART))
            n_new += store.write("bars", part, record={"source": "benchmarks/scan.py"}).n_new

    seconds, _, _ = measure.timed(all_parts)
    return {"seconds": seconds, "new": n_new, "version": store.version("bars")}


def run(folder: str, *, scan: bool) -> dict[str, Any]:
    """Return what one backtest gives and costs."""
    strategy = load_strategy(str(STRATEGY))()
    costs, store = al.Costs(fee_bps=1), al.Store(folder)
    first = store.bars("synthetic", "1s", end="2020-01-01T01:00:00")
    al.backtest(strategy, first, costs=costs)  # compile, or load what is compiled
    held = measure.resident_mib()
    measure.forget_peak()

    def backtest() -> Any:
        bars = al.scan(ADDRESS, store=store) if scan else store.bars("synthetic", "1s")
        return al.backtest(strategy, bars, costs=costs)

    seconds, cpu, result = measure.timed(backtest)
    return {
        "seconds": seconds,
        "cpu": cpu,
        "held_mib": held,
        "peak_mib": measure.peak_mib(),
        "fills": result.metrics["n_fills"],
        "digest": result.digest,
    }
