"""A backtest over more rows than are held: peak memory, and rows a second.

python benchmarks/scan.py [--rows 50000000] [--store FOLDER] [--memory] [--json]

A random walk of one-second bars is written into a store, part by part (parts that are there are
left). Processes of their own run the moving-average crossing over it: as a scan whose data is
checked as it goes by, as a scan that is not checked, and with --memory with all rows in memory.
Each reads its own peak of resident memory, imports included. The digests have to be equal, or the
exit code is 1.
"""

from __future__ import annotations

import argparse
import json
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


SIDES = {
    "scan, checked": {"scan": True, "quality": "refuse"},
    "scan, unchecked": {"scan": True, "quality": "unchecked"},
    "in memory, unchecked": {"scan": False, "quality": "unchecked"},
}


def run(folder: str, side: str) -> dict[str, Any]:
    """Return what one backtest gives and costs."""
    strategy = load_strategy(str(STRATEGY))()
    store, costs = al.Store(folder), al.Costs(fee_bps=1)
    how = SIDES[side]
    first = store.bars("synthetic", "1s", end="2020-01-01T01:00:00")
    al.backtest(strategy, first, costs=costs)  # compile, or load what is compiled
    held = measure.resident_mib()
    measure.forget_peak()

    def backtest() -> Any:
        bars = al.scan(ADDRESS, store=store) if how["scan"] else al.load(ADDRESS, store=folder)
        return al.backtest(strategy, bars, costs=costs, quality=how["quality"])

    seconds, cpu, result = measure.timed(backtest)
    return {
        "side": side,
        "seconds": seconds,
        "cpu": cpu,
        "held_mib": held,
        "peak_mib": measure.peak_mib(),
        "fills": result.metrics["n_fills"],
        "digest": result.digest,
    }


def measured(given: argparse.Namespace, folder: str) -> dict[str, Any]:
    written = write(given.rows, folder)
    sides = [side for side, how in SIDES.items() if how["scan"] or given.memory]
    found = [measure.alone(__file__, "--store", folder, "--alone", side) for side in sides]
    for row in found:
        row["rows_per_s"] = given.rows / row["seconds"]
    return {
        "environment": measure.environment("deltalake", "pyarrow"),
        "rows": given.rows,
        "written": written,
        "sides": found,
        "agrees": len({row["digest"] for row in found}) == 1,
    }


def tell(found: dict[str, Any]) -> None:
    rows = [
        {
            "": row["side"],
            "s": row["seconds"],
            "rows/s": round(row["rows_per_s"]),
            "peak, MiB": row["peak_mib"],
            "before, MiB": row["held_mib"],
            "fills": row["fills"],
            "digest": row["digest"][:8],
        }
        for row in found["sides"]
    ]
    new, seconds = found["written"]["new"], found["written"]["seconds"]
    note = f"{new:,} rows were written in {seconds:,.1f} s. Digests equal: {found['agrees']}."
    measure.show(f"{found['rows']:,} rows of one asset, from a store", rows, note)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--store", help="a folder to keep the rows in; not given: a temporary one")
    parser.add_argument("--memory", action="store_true", help="also with all rows in memory")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", choices=list(SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.alone:
        print(json.dumps(run(given.store, given.alone)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = measured(given, given.store or folder)
    measure.finish(found, given.json, lambda: tell(found))
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
