"""One backtest of a million one-minute bars: seconds and peak memory.

python benchmarks/one_million_bars.py [--json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import measure

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.data.quality.of_bars import quality_of

STRATEGY = Path(__file__).parents[1] / "strategies" / "sma_cross.py"
ROWS = 1_000_000


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    strategy = load_strategy(str(STRATEGY))()
    make, _, bars = measure.timed(lambda: al.load(f"synthetic:rows={ROWS},symbols=1,seed=1,bar=1m"))
    costs = al.Costs(fee_bps=1)
    al.backtest(strategy, bars.rows(0, 1000))  # compile, or load what is compiled
    check, _, _ = measure.timed(lambda: quality_of(bars))  # once for each bars, by the first run
    runs = []
    for _ in range(5):
        result = None  # one result at a time: its memory is part of what is measured
        spent, cpu, result = measure.timed(lambda: al.backtest(strategy, bars, costs=costs))
        runs.append((spent, cpu))
    times = measure.summary(runs)
    figures = {
        "rows": bars.n_rows,
        "fills": len(result.fills),
        "make_bars_s": make,
        "check_of_quality_s": check,
        "backtest_best_of_5_s": times.best,
        "backtest_median_s": times.median,
        "backtest_worst_of_5_s": times.worst,
        "backtest_cpu_s": times.cpu,
        "metrics_s": measure.timed(lambda: result.metrics)[0],
        "digest_s": measure.timed(lambda: result.digest)[0],
        "peak_mib": measure.peak_mib(),
    }
    if given.json:
        print(json.dumps(figures))
    else:
        measure.show(
            "One column, one process, one result at a time",
            [{"": name, "measured": value} for name, value in figures.items()],
        )


if __name__ == "__main__":
    main()
