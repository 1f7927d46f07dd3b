"""One backtest of a million one-minute bars: seconds and peak memory.

python benchmarks/one_million_bars.py [--json]
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import alphalab as al
from alphalab.artifact.loading import load_strategy

STRATEGY = Path(__file__).parents[1] / "strategies" / "sma_cross.py"


def seconds(function, *args, **kwargs):
    start = time.perf_counter()
    value = function(*args, **kwargs)
    return time.perf_counter() - start, value


def main() -> None:
    strategy = load_strategy(str(STRATEGY))()
    made, bars = seconds(al.load, "synthetic:rows=1000000,symbols=1,seed=1,bar=1m")
    al.backtest(strategy, bars.rows(0, 1000))  # compile, or load what is compiled
    runs = []
    for _ in range(5):
        result = None  # one result at a time: its memory is part of what is measured
        spent, result = seconds(al.backtest, strategy, bars, costs=al.Costs(fee_bps=1))
        runs.append(spent)
    figures = {
        "rows": bars.n_rows,
        "fills": len(result.fills),
        "make_bars_s": made,
        "backtest_best_of_5_s": min(runs),
        "backtest_worst_of_5_s": max(runs),
        "metrics_s": seconds(lambda: result.metrics)[0],
        "digest_s": seconds(lambda: result.digest)[0],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:22} {value:12,.3f}")


if __name__ == "__main__":
    main()
