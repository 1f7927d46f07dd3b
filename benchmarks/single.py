"""One backtest against vectorbt, backtesting.py and nautilus_trader: seconds, equal results.

python benchmarks/single.py [--rows 100000] [--repeats 5] [--json]

Long in everything while a fast average is above a slow one, in cash otherwise, filled at the close
that decided: what all four can do. Each counts its own fills and its own return; the sides that
have an equity curve are compared at every row. Exit code 1 if they differ by more than their
`TOLERANCE` allows. What differs in meaning is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import measure
import numpy as np

import alphalab as al
from alphalab.artifact.loading import load_strategy

ROOT = measure.ROOT
STRATEGY = ROOT / "strategies" / "sma_cross.py"
NAUTILUS = ROOT / ".venv-nautilus" / "bin" / "python"
FAST, SLOW = 10, 30
FEE_BPS = 1.0
CASH = 1e9  # so large that whole units, which two peers trade, are 1e-7 of it
#: Relative: whole units, and cents of fees, are left over in every trade of the last two.
TOLERANCE = {"alphalab": 0.0, "vectorbt": 1e-9, "backtesting.py": 1e-6, "nautilus_trader": 1e-6}


class Run(NamedTuple):
    """What one backtest gave."""

    n_fills: int
    total_return: float
    sharpe: float | None
    max_drawdown: float | None
    equity: Any  # after each row, or None
    rows: Any = slice(None)  # of the fills


def load_bars(rows: int) -> al.Bars:
    """Prices of nine digits, as nautilus_trader needs some number of them.

    They begin where the fast average is below the slow one: backtesting.py first decides a row
    after both are known.
    """
    bars = al.load(f"synthetic:rows={rows + 1000},symbols=1,seed=1,bar=1m")
    names = ("open", "high", "low", "close")
    bars = bars.with_columns({name: np.round(bars[name], 9) for name in names})
    fast, slow = (np.convolve(bars.close[:, 0], np.full(n, 1 / n), "valid") for n in (FAST, SLOW))
    below = fast[SLOW - FAST :] < slow
    first = int(np.argmax(below[:-1] & below[1:]))  # its first two known rows
    return bars.rows(first, first + rows)


def alphalab_side(bars: al.Bars) -> Callable[[], Run]:
    strategy = load_strategy(str(STRATEGY))(fast=FAST, slow=SLOW)

    def run() -> Run:
        costs = al.Costs(fee_bps=FEE_BPS)
        result = al.backtest(strategy, bars, cash=CASH, costs=costs, fill="same_close")
        found = result.metrics
        figures = (found[name] for name in ("total_return", "sharpe", "max_drawdown"))
        fills = result.record.fills
        return Run(len(fills), *figures, result.record.ledger["equity"], fills["row"])

    return run


def vectorbt_side(bars: al.Bars, engine: str) -> Callable[[], Run]:
    import pandas as pd
    import vectorbt_peer

    time = pd.DatetimeIndex(bars.time.astype("M8[ns]"))  # with a time zone it is 20 times slower
    series = (pd.Series(bars[name][:, 0], time) for name in ("open", "close"))
    market = vectorbt_peer.Market(*series, FEE_BPS / 1e4, CASH, "1min", bars.periods_per_year)

    def run() -> Run:
        portfolio, found = vectorbt_peer.single(market, FAST, SLOW, engine)
        figures = (found.total_return, found.sharpe, found.max_drawdown)
        return Run(int(found.n_fills), *map(float, figures), portfolio.value().to_numpy())

    return run


def backtesting_side(bars: al.Bars) -> Callable[[], Run]:
    import backtesting_peer

    frame = bars.to_frame()
    frame.columns = [str(name).capitalize() for name in frame.columns.get_level_values(0)]

    def run() -> Run:
        return Run(*backtesting_peer.single(frame, FAST, SLOW, FEE_BPS / 1e4, CASH))

    return run


def side(name: str, bars: al.Bars) -> Callable[[], Run]:
    if name == "alphalab":
        return alphalab_side(bars)
    if name == "backtesting.py":
        return backtesting_side(bars)
    return vectorbt_side(bars, name.rpartition(" ")[2])


def present() -> list[str]:
    """Return the sides that are installed in this environment."""
    found = ["alphalab"]
    found += ["vectorbt, numba"] if measure.installed("vectorbt") else []
    found += ["vectorbt, rust"] if measure.installed("vectorbt_rust") else []
    found += ["backtesting.py"] if measure.installed("backtesting") else []
    return found


def nautilus(bars: al.Bars, repeats: int) -> dict[str, Any] | None:
    """Run nautilus_trader in its own environment, if there is one."""
    if not NAUTILUS.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npz"
        prices = {name: bars[name][:, 0] for name in ("open", "high", "low", "close")}
        # As much volume as it takes: liquidity is no part of the comparison.
        volume = np.full(bars.n_rows, 1e9)
        np.savez(path, time=bars.time, volume=volume, cash=CASH, **prices)
        arguments = (str(path), str(FAST), str(SLOW), str(FEE_BPS), str(repeats))
        peer = Path(__file__).with_name("nautilus_peer.py")
        return measure.alone(peer, *arguments, python=str(NAUTILUS))  # type: ignore[no-any-return]


def difference(name: str, run: Run, reference: Run) -> float:
    """Largest relative difference of the equity; of its last value where there is no other.

    backtesting.py books a fill at the close one row later, at the same price: its equity lacks the
    fee in the row of a fill, and is compared in all others.
    """
    if run.n_fills != reference.n_fills:
        return float("inf")
    if run.equity is None:
        return abs((1 + run.total_return) / (1 + reference.total_return) - 1)
    off = np.abs(np.asarray(run.equity) / reference.equity - 1)
    if name == "backtesting.py":
        off[reference.rows] = 0.0
    return float(np.max(off))


def memory(name: str, rows: int) -> dict[str, float]:
    run = side(name, load_bars(rows))
    loaded = measure.peak_mib()
    run()
    return {"loaded_mib": loaded, "peak_mib": measure.peak_mib()}


def examine(rows: int, repeats: int, with_memory: bool) -> dict[str, Any]:
    bars = load_bars(rows)
    sides = {name: side(name, bars) for name in present()}
    results = {name: run() for name, run in sides.items()}
    times = measure.side_by_side(sides, repeats)
    peaks = {
        name: measure.alone(__file__, "--side", name, "--rows", str(rows))
        for name in sides
        if with_memory
    }
    versions = {}
    if (other := nautilus(bars, max(1, repeats // 2))) is not None:
        name = "nautilus_trader"
        results[name] = Run(other["n_fills"], other["total_return"], None, None, None)
        times[name] = measure.summary([(spent, spent) for spent in other["runs_s"]])
        peaks[name] = {"peak_mib": other["peak_mib"]}
        versions = {"nautilus_trader": other["version"], "its pandas": other["pandas"]}
    reference, best = results["alphalab"], times["alphalab"].best
    found = [
        {
            "side": name,
            "best_s": times[name].best,
            "median_s": times[name].median,
            "bars_per_s": rows / times[name].best,
            "times_ours": times[name].best / best,
            "peak_mib": peaks.get(name, {}).get("peak_mib"),
            **{key: value for key, value in run._asdict().items() if key not in ("equity", "rows")},
            "difference": difference(name, run, reference),
            "tolerance": TOLERANCE[name.partition(",")[0]],
        }
        for name, run in results.items()
    ]
    packages = ("vectorbt", "vectorbt-rust", "backtesting")
    return {
        "benchmark": "single",
        "rows": rows,
        "sides": found,
        "agrees": all(row["difference"] <= row["tolerance"] for row in found),
        "environment": measure.environment(*filter(measure.has, packages)) | versions,
    }


def tell(found: dict[str, Any]) -> None:
    measure.show(
        f"One backtest of {found['rows']:,} bars",
        [
            {
                "": row["side"],
                "best, s": row["best_s"],
                "median": row["median_s"],
                "bars/s": round(row["bars_per_s"]),
                "x ours": row["times_ours"],
                "peak, MiB": row["peak_mib"],
                "fills": row["n_fills"],
                "return": f"{row['total_return']:.6%}",
                "Sharpe": row["sharpe"],
                "differs by": row["difference"],
                "allowed": row["tolerance"],
            }
            for row in found["sides"]
        ],
        f"Results agree: {'yes' if found['agrees'] else 'NO'}.",
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave out what takes processes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.side:
        print(json.dumps(memory(given.side, given.rows)))
        return 0
    found = examine(given.rows, given.repeats, not given.no_memory)
    measure.finish(found, given.json, lambda: tell(found))
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
