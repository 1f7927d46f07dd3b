"""How long one row takes, as a live runner pushes it: median and 99th percentile.

python benchmarks/push.py [--rows 5000] [--json]

`Engine.push` of one row, for a strategy of twenty nodes, for 1 and for 500 assets: checks of the
row, signals, gate, rebalancing, fills, ledger. Rows pushed one by one leave the same equity, fills
and state as the same rows pushed at once, or the exit code is 1.

Also a row with the reports of a venue outside: each order of the row before is accepted and filled
at the open. The equity is that of the simulation.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import measure
import numpy as np

import alphalab as al
from alphalab.codes import ReportKind
from alphalab.core.reports import report

WARM_UP = 200  # rows, also what fills the windows
TARGETS_US = {1: 50.0, 500: 400.0}


class Twenty(al.Strategy):
    """Equal weights in what rises, is not overbought, trades, and ranks in the upper half."""

    n_assets: int = 1

    def weights(self) -> al.Expr:
        trend = (al.close.ema(10) - al.close.ema(30)) / al.close.ts_std(20)
        rises = (trend > 0) & (trend.cs_rank() >= 0.5)
        trades = al.volume > al.volume.ts_mean(20)
        calm = (al.close.rsi(14) < 70) & (al.close <= al.close.delay(1) * 1.05)
        return al.where(rises & trades & calm, 1.0 / self.n_assets, 0.0)


def nodes(engine: al.Engine) -> int:
    """Count what a row computes: all nodes but constants and columns."""
    return sum(1 for node in engine.plan.nodes if node.args)


def examine(n_assets: int, rows: int) -> dict[str, Any]:
    bars = al.load(f"synthetic:rows={rows + WARM_UP},symbols={n_assets},seed=1,bar=1m")
    settings = al.RunSettings(cash=1e6, costs=al.Costs(fee_bps=1))
    engine = al.Engine(Twenty(n_assets=n_assets), bars.instruments, settings)
    columns = {name: bars[name] for name in engine.columns}
    wall, cpu, equity, fills = [], [], [], 0
    for t in range(bars.n_rows):
        row = {name: values[t : t + 1] for name, values in columns.items()}
        instant = bars.time[t : t + 1]
        cpu_start, start = time.thread_time_ns(), time.perf_counter_ns()
        block = engine.push(instant, row)
        wall.append(time.perf_counter_ns() - start)
        cpu.append(time.thread_time_ns() - cpu_start)
        equity.append(block.ledger["equity"][0])
        fills += len(block.fills)
    whole = al.Engine(Twenty(n_assets=n_assets), bars.instruments, settings)
    block = whole.push(bars.time, columns)
    spent = np.array(wall[WARM_UP:]) / 1e3
    median, last = (float(np.quantile(spent, q)) for q in (0.5, 0.99))
    return {
        "assets": n_assets,
        "nodes": nodes(engine),
        "rows": rows,
        "fills": fills,
        "median_us": median,
        "p99_us": last,
        "cpu_median_us": float(np.median(cpu[WARM_UP:])) / 1e3,
        "target_us": TARGETS_US[n_assets],
        "agrees": bool(
            np.array_equal(equity, block.ledger["equity"])
            and len(block.fills) == fills
            and engine.snapshot() == whole.snapshot()
        ),
    }


def examine_reports(rows: int) -> dict[str, Any]:
    """Push rows one by one, with two reports after each row that sent an order."""
    bars = al.load(f"synthetic:rows={rows + WARM_UP},symbols=1,seed=1,bar=1m")
    settings = al.RunSettings(cash=1e6, sizing="at_decision")
    strategy = Twenty(n_assets=2)  # half of the equity: the cash is enough at any open
    engine = al.Engine(strategy, bars.instruments, settings, external=True)
    columns = {name: bars[name] for name in engine.columns}
    opens = bars["open"][:, 0]
    spent, equity, reported = [], [], []
    for t in range(bars.n_rows):
        row = {name: values[t : t + 1] for name, values in columns.items()}
        start = time.perf_counter_ns()
        for asset, order in engine.working:
            units = order["qty"]
            if np.isnan(units):  # it closes the position
                units = abs(engine.positions["qty"][asset])
            told = filled(order, asset, units, opens[t], int(bars.time[t]))
            engine.report(np.concatenate(told))
            reported.append(t)
        block = engine.push(bars.time[t : t + 1], row)
        spent.append((time.perf_counter_ns() - start) / 1e3)
        equity.append(block.ledger["equity"][0])
    simulating = al.Engine(strategy, bars.instruments, settings)
    whole = simulating.push(bars.time, {name: bars[name] for name in simulating.columns})
    busy = np.isin(np.arange(bars.n_rows), reported)
    busy[:WARM_UP] = False
    return {
        "rows": rows,
        "rows with reports": int(busy.sum()),
        "median_us": float(np.median(np.array(spent)[WARM_UP:])),
        "busy_median_us": float(np.median(np.array(spent)[busy])),
        "agrees": bool(np.array_equal(equity, whole.ledger["equity"])),
    }


def filled(order: np.void, asset: int, units: float, price: float, time: int) -> list[Any]:
    """Return the reports of an order that is accepted and filled whole, without a fee."""
    of_order = {"order": order["id"], "asset": asset, "time": time}
    return [
        report(ReportKind.ACCEPTED, **of_order),
        report(
            ReportKind.EXECUTED,
            **of_order,
            qty=order["side"] * units,
            filled=units,
            price=price,
            last=1,
        ),
    ]


def tell(found: dict[str, Any]) -> None:
    measure.show(
        "One row pushed",
        [
            {
                "assets": case["assets"],
                "nodes": case["nodes"],
                "rows": case["rows"],
                "fills": case["fills"],
                "median, us": case["median_us"],
                "p99, us": case["p99_us"],
                "cpu, us": case["cpu_median_us"],
                "target, us": case["target_us"],
                "equals one block": "yes" if case["agrees"] else "NO",
            }
            for case in found["cases"]
        ],
    )
    reports = found["reports"]
    measure.show(
        "One row of one asset, with reports of a venue outside",
        [
            {
                "rows": reports["rows"],
                "with reports": reports["rows with reports"],
                "median, us": reports["median_us"],
                "median with two reports, us": reports["busy_median_us"],
                "target, us": TARGETS_US[1],
                "equals the simulation": "yes" if reports["agrees"] else "NO",
            }
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    cases = [examine(n_assets, given.rows) for n_assets in TARGETS_US]
    reports = examine_reports(given.rows)
    found = {
        "benchmark": "push",
        "cases": cases,
        "reports": reports,
        "agrees": all(case["agrees"] for case in (*cases, reports)),
        "environment": measure.environment(),
    }
    measure.finish(found, given.json, lambda: tell(found))
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
