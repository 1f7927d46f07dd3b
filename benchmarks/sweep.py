"""A sweep of moving-average crossings against vectorbt: seconds, peak memory, equal results.

python benchmarks/sweep.py [--rows 50000] [--combinations 190] [--repeats 5] [--json]

Total return, Sharpe ratio, largest drawdown and fills of every pair of windows, all in and all out
at the next open, with a fee. The figures of all sides are compared before anything is timed; exit
code 1 if they differ by more than 1e-9.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import measure
import numpy as np

import alphalab as al
from alphalab.artifact.loading import load_strategy

STRATEGY = Path(__file__).parents[1] / "strategies" / "sma_cross.py"
FEE_BPS, CASH = 1.0, 10_000.0
TOLERANCE = 1e-9
NAMES = ("total_return", "sharpe", "max_drawdown", "n_fills")
OURS = {"alphalab, 2 threads": 2, "alphalab, 1 thread": 1}
REFERENCE = "alphalab, 2 threads"
THEIRS = {
    f"vectorbt {variant}, {engine}": (variant, engine)
    for variant, engine in itertools.product(("documented", "lean"), ("numba", "rust"))
}
Side = Callable[[], dict[str, np.ndarray]]


def windows_for(combinations: int) -> list[int]:
    """Return the fewest windows, 10 rows apart, that have so many pairs."""
    n = next(n for n in itertools.count(2) if n * (n - 1) // 2 >= combinations)
    return list(range(10, 10 * n + 1, 10))


def load_bars(rows: int) -> al.Bars:
    return al.load(f"synthetic:rows={rows},symbols=1,seed=1,bar=1m")


def ours(bars: al.Bars, windows: list[int], n_jobs: int) -> dict[str, np.ndarray]:
    space = [{"fast": fast, "slow": slow} for fast, slow in itertools.combinations(windows, 2)]
    table = al.sweep(
        load_strategy(str(STRATEGY)),
        bars,
        space,
        cash=CASH,
        costs=al.Costs(fee_bps=FEE_BPS),
        n_jobs=n_jobs,
    ).table
    return {name: table[name].to_numpy() for name in NAMES}


def theirs(bars: al.Bars, windows: list[int], variant: str, engine: str) -> Side:
    """Return vectorbt's side, its inputs ready."""
    import pandas as pd
    import vectorbt_peer

    time = pd.DatetimeIndex(bars.time.astype("M8[ns]"))  # with a time zone it is 20 times slower
    market = vectorbt_peer.Market(
        open=pd.Series(bars.open[:, 0], time),
        close=pd.Series(bars.close[:, 0], time),
        fee=FEE_BPS / 1e4,
        cash=CASH,
        freq="1min",
        periods_per_year=bars.periods_per_year,
    )
    run = vectorbt_peer.VARIANTS[variant]
    return lambda: run(market, windows, engine)._asdict()


def side(name: str, bars: al.Bars, windows: list[int]) -> Side:
    if name in OURS:
        return partial(ours, bars, windows, OURS[name])
    return theirs(bars, windows, *THEIRS[name])


def present() -> list[str]:
    """Return the sides that are installed here."""
    found = list(OURS)
    if measure.installed("vectorbt"):
        rust = measure.installed("vectorbt_rust")
        found += [name for name, (_, engine) in THEIRS.items() if engine != "rust" or rust]
    return found


def differences(figures: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> dict:
    return {name: measure.largest_difference(figures[name], reference[name]) for name in NAMES}


def memory(name: str, rows: int, combinations: int) -> dict[str, float]:
    """Run one side once, and three times: what the process held before, and its peaks, MiB."""
    bars, windows = load_bars(rows), windows_for(combinations)
    run = side(name, bars, windows)
    tiny = bars.rows(0, min(rows, 1000))
    side(name, tiny, windows[:3])()  # whatever is imported or compiled on first use
    loaded = measure.resident_mib()
    measure.forget_peak()
    run()
    first = measure.peak_mib()
    for _ in range(2):
        run()
    return {"loaded_mib": loaded, "peak_mib": first, "peak_after_3_mib": measure.peak_mib()}


def examine(rows: int, combinations: int, repeats: int, with_memory: bool) -> dict[str, Any]:
    bars, windows = load_bars(rows), windows_for(combinations)
    n_columns = len(windows) * (len(windows) - 1) // 2
    sides = {name: side(name, bars, windows) for name in present()}
    results = {name: run() for name, run in sides.items()}  # to compare, and to warm up
    reference = results[REFERENCE]
    wrong = {name: differences(found, reference) for name, found in results.items()}
    times = measure.side_by_side(sides, repeats)
    found = [
        {
            "side": name,
            "best_s": spent.best,
            "median_s": spent.median,
            "cpu_s": spent.cpu,
            "bar_steps_per_s": rows * n_columns / spent.best,
            "times_ours": spent.best / times[REFERENCE].best,
            "difference": max(wrong[name].values()),
        }
        for name, spent in times.items()
    ]
    if with_memory:
        add_memory(found, rows, combinations)
    return {
        "benchmark": "sweep",
        "rows": rows,
        "combinations": n_columns,
        "fills": int(reference["n_fills"].sum()),
        "sides": found,
        "differences": wrong,
        "agrees": all(row["difference"] <= TOLERANCE for row in found),
        "environment": measure.environment(*filter(measure.has, ("vectorbt", "vectorbt-rust"))),
    }


def add_memory(found: list[dict[str, Any]], rows: int, combinations: int) -> None:
    """Measure each side in a process of its own; ratios to the first."""
    arguments = ("--rows", str(rows), "--combinations", str(combinations))
    for row in found:
        row |= measure.alone(__file__, "--side", row["side"], *arguments)
        row["added_mib"] = row["peak_mib"] - row["loaded_mib"]
    for row in found:
        for name in ("peak_mib", "added_mib", "peak_after_3_mib"):
            row[f"times_our_{name.removesuffix('_mib')}"] = row[name] / found[0][name]


def tell(found: dict[str, Any]) -> None:
    measure.show(
        f"{found['combinations']} crossings x {found['rows']:,} bars, {found['fills']:,} fills",
        [
            {
                "": row["side"],
                "best, s": row["best_s"],
                "median": row["median_s"],
                "cpu": row["cpu_s"],
                "M bar-steps/s": row["bar_steps_per_s"] / 1e6,
                "x ours": row["times_ours"],
                "peak, MiB": row.get("peak_mib"),
                "x": row.get("times_our_peak"),
                "added": row.get("added_mib"),
                "x ": row.get("times_our_added"),
                "after 3": row.get("peak_after_3_mib"),
                "x  ": row.get("times_our_peak_after_3"),
                "differs by": row["difference"],
            }
            for row in found["sides"]
        ],
        "added: peak of one run less what the process held before, after a tiny run. "
        f"Figures agree to {TOLERANCE:g}: {'yes' if found['agrees'] else 'NO'}.",
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--combinations", type=int, default=190)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave out what takes processes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=[*OURS, *THEIRS], help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.side:
        print(json.dumps(memory(given.side, given.rows, given.combinations)))
        return 0
    found = examine(given.rows, given.combinations, given.repeats, not given.no_memory)
    measure.finish(found, given.json, lambda: tell(found))
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
