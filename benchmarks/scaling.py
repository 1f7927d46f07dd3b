"""How a sweep scales: from 1 to 2 threads, and from 10,000 to 10,000,000 rows.

python benchmarks/scaling.py [--columns 200] [--rows 10000,100000,1000000,10000000]
                             [--threads 1,2] [--repeats 3] [--json]

Moving-average crossings, all four prices and the volume in memory. Each number of rows runs in a
process of its own, whose peak of resident memory is read from VmHWM: imports, bars, and the sweep.
Tables of one and of more threads are compared; exit code 1 if they are not equal.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import measure
import numpy as np

import alphalab as al
from alphalab.artifact.loading import load_strategy

STRATEGY = Path(__file__).parents[1] / "strategies" / "sma_cross.py"
THREADS_ROWS = 50_000
CHUNK = 1 << 16
MINUTE_NS = 60_000_000_000


def frugal_bars(rows: int) -> al.Bars:
    """Return a random walk, written into its columns piece by piece.

    `al.load("synthetic:...")` would do, but needs several times the memory of what it makes.
    """
    rng = np.random.default_rng(1)
    columns = {name: np.empty((rows, 1)) for name in ("open", "high", "low", "close", "volume")}
    price = 100.0
    for i in range(0, rows, CHUNK):
        part = slice(i, min(i + CHUNK, rows))
        n = part.stop - i
        path = price * np.exp(np.cumsum(rng.normal(0.0, 5e-4, 2 * n + 1)))
        open_, close, reach = path[:-1:2], path[1::2], rng.random(n) * 1e-4
        columns["open"][part, 0] = open_
        columns["close"][part, 0] = close
        columns["high"][part, 0] = np.maximum(open_, close) * (1.0 + reach)
        columns["low"][part, 0] = np.minimum(open_, close) * (1.0 - reach)
        columns["volume"][part, 0] = 1e6
        price = path[-1] / path[-1] ** 0.1 * 100.0**0.1  # back towards 100
    time = np.arange(1, rows + 1) * MINUTE_NS
    for values in (time, *columns.values()):
        values.setflags(write=False)  # nobody copies what nobody can write
    return al.Bars(time, ["WALK"], columns, periods_per_year=525_600.0)


def space(columns: int) -> list[dict[str, int]]:
    """Return so many pairs of windows, from as few windows as there can be."""
    n = next(n for n in itertools.count(2) if n * (n - 1) // 2 >= columns)
    pairs = itertools.combinations(range(10, 10 * n + 1, 10), 2)
    return [{"fast": fast, "slow": slow} for fast, slow in itertools.islice(pairs, columns)]


def sweep(bars: al.Bars, columns: int, threads: int) -> Any:
    costs = al.Costs(fee_bps=1)
    strategy = load_strategy(str(STRATEGY))
    how = {"costs": costs, "n_jobs": threads, "quality": "unchecked"}
    return al.sweep(strategy, bars, space(columns), **how).table


def rows_alone(rows: int, columns: int, threads: int, repeats: int) -> dict[str, Any]:
    """Return what a process of its own spends on so many rows."""
    bars = frugal_bars(rows)
    made = measure.peak_mib()
    sweep(bars.rows(0, min(rows, 5000)), columns, threads)  # compile, or load what is compiled
    held = measure.resident_mib()
    measure.forget_peak()
    spent = [measure.timed(lambda: sweep(bars, columns, threads))[:2] for _ in range(repeats)]
    return {
        "rows": rows,
        "held_mib": held,
        "swept_mib": measure.peak_mib(),
        "peak_mib": max(made, measure.peak_mib()),  # making the bars took memory, too
        **measure.summary(spent)._asdict(),
    }


def by_rows(given: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for rows in given.rows:
        repeats = given.repeats if rows <= 1_000_000 else 1
        alone = measure.alone(
            __file__,
            *("--alone", str(rows), "--columns", str(given.columns)),
            *("--threads", str(max(given.threads)), "--repeats", str(repeats)),
        )
        steps = rows * given.columns
        found.append(
            alone
            | {
                "ns_per_bar_step": alone["best"] / steps * 1e9,
                "cpu_ns_per_bar_step": alone["cpu"] / steps * 1e9,
                "bar_steps_per_s": steps / alone["best"],
                "added_mib": alone["swept_mib"] - alone["held_mib"],
            }
        )
    return found


def by_threads(given: argparse.Namespace) -> tuple[list[dict[str, Any]], bool]:
    bars = frugal_bars(min(THREADS_ROWS, max(given.rows)))
    sides = {
        str(threads): lambda threads=threads: sweep(bars, given.columns, threads)
        for threads in given.threads
    }
    tables = [run() for run in sides.values()]
    times = measure.side_by_side(sides, given.repeats)
    first = times[str(given.threads[0])].best
    found = [
        {
            "threads": int(name),
            "rows": bars.n_rows,
            "best_s": spent.best,
            "median_s": spent.median,
            "cpu_s": spent.cpu,
            "columns_per_s": given.columns / spent.best,
            "speedup": first / spent.best,
        }
        for name, spent in times.items()
    ]
    return found, all(table.equals(tables[0]) for table in tables)


def examine(given: argparse.Namespace) -> dict[str, Any]:
    threads, agrees = by_threads(given)
    return {
        "benchmark": "scaling",
        "columns": given.columns,
        "threads": threads,
        "rows": by_rows(given),
        "agrees": agrees,
        "environment": measure.environment(),
    }


def tell(found: dict[str, Any]) -> None:
    measure.show(
        f"{found['columns']} columns x {found['threads'][0]['rows']:,} rows",
        [
            {
                "threads": row["threads"],
                "best, s": row["best_s"],
                "median": row["median_s"],
                "cpu": row["cpu_s"],
                "columns/s": row["columns_per_s"],
                "speedup": row["speedup"],
            }
            for row in found["threads"]
        ],
        f"Equal tables: {'yes' if found['agrees'] else 'NO'}.",
    )
    measure.show(
        f"{found['columns']} columns, {found['threads'][-1]['threads']} threads",
        [
            {
                "rows": row["rows"],
                "best, s": row["best"],
                "ns a row and column": row["ns_per_bar_step"],
                "cpu, ns": row["cpu_ns_per_bar_step"],
                "M bar-steps/s": row["bar_steps_per_s"] / 1e6,
                "held, MiB": row["held_mib"],
                "added": row["added_mib"],
                "peak": row["peak_mib"],
            }
            for row in found["rows"]
        ],
        "held: imports, compiled code and bars; added: by the sweep; peak: of the whole process.",
    )


def counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=counts, default="10000,100000,1000000,10000000")
    parser.add_argument("--threads", type=counts, default="1,2")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.alone:
        print(json.dumps(rows_alone(given.alone, given.columns, given.threads[0], given.repeats)))
        return 0
    found = examine(given)
    measure.finish(found, given.json, lambda: tell(found))
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
