"""How often the default policy promotes noise, and how often it finds an edge that is there.

python benchmarks/calibration.py [--searches N] [--ideas N] [--power N] [--trials N]

Noise: each search tries random strategies of the language on a market without drift: whole days of
the S&P 500 index (opening gap, high, low, close, volume), drawn in blocks, less their mean return.
The best by Sharpe ratio goes to the gate with the trials of its search as counted. The same for
sweeps of the parameters of one strategy, whose columns are much alike.

Power: one of the trials is an edge of a known true Sharpe ratio on the same kind of market.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

import alphalab as al
from alphalab.artifact.ledger import uncounted
from alphalab.config import RunSettings
from alphalab.data.panel.history import History
from alphalab.research.results import metrics
from alphalab.research.results.overfitting import clusters_of, pbo
from alphalab.research.results.segments import segment_sums
from alphalab.research.results.sharpe_ratio import Moments, probabilistic_sharpe
from alphalab.research.run.backtest import run
from alphalab.research.validation.evidence import gather, run_validated
from alphalab.research.validation.gate import judge
from alphalab.research.validation.policy import CHECKS
from alphalab.research.validation.verdict import Trials

YEAR = 252
BLOCK = 20
SETTINGS = RunSettings(costs=al.Costs(fee_bps=2))
EDGE = "where(column('edge') > 0.5, 1.0, 0.0)"
WINDOWS = ("ts_mean", "ts_median", "ts_max", "ts_min", "ts_rank", "ts_zscore", "ema", "delay")
SOURCES = ("close", "volume", "high", "low", "returns(close, 1)", "high / low", "close / open")
GRID = {
    "fast": [2, 3, 5, 8, 10, 13, 17, 20, 25, 30],
    "slow": [35, 40, 50, 60, 70, 80, 100, 120, 150, 200],
}
#: What decides before the whole gate has to run: a search that fails here is refused by it.
FIRST = ("probabilistic_sharpe", "deflated_sharpe")


class Outcome(NamedTuple):
    """What became of one search."""

    promoted: bool
    found_edge: bool  # the best trial is the planted one
    sharpe: float  # of the best trial, a year
    n_effective: int
    pbo: float
    refused: tuple[str, ...]


def days() -> dict[str, np.ndarray]:
    """Return each day of the index relative to the close before it."""
    bars = al.load("sp500")
    before = bars.close[:-1, 0]
    names = ("open", "high", "low", "close")
    return {name: bars[name][1:, 0] / before for name in names} | {"volume": bars.volume[1:, 0]}


def market(rng: np.random.Generator, rows: int, sharpe: float = 0.0) -> al.Bars:
    """Return bars of blocks of days without drift, with an edge of this true Sharpe ratio a year.

    The column ``edge`` is 0 or 1 and lasts 17 rows on average; while it was 1 at a close, the next
    day drifts up between open and close, and otherwise down by as much.
    """
    day = days()
    starts = rng.integers(0, day["close"].size - BLOCK, rows // BLOCK + 1)
    pick = (starts[:, np.newaxis] + np.arange(BLOCK)).ravel()[:rows]
    ratio = {name: values[pick] for name, values in day.items()}
    # The mean of all days, not of those drawn: a market whose mean is 0 exactly is less random.
    drift = day["close"].mean() - 1.0
    edge = np.cumsum(rng.random(rows) < 0.06) % 2.0
    # In at half of the days: mean drift / 2 over a deviation of sqrt(1 / 2) of the market's.
    push = 2.0 * math.sqrt(0.5) * day["close"].std() * sharpe / math.sqrt(YEAR)
    push = push * (2.0 * np.append(0.0, edge[:-1]) - 1.0) if sharpe else np.zeros(rows)
    ratio["close"] = ratio["close"] - drift + push
    ratio["high"] = np.maximum(ratio["high"], np.maximum(ratio["open"], ratio["close"]))
    ratio["low"] = np.minimum(ratio["low"], np.minimum(ratio["open"], ratio["close"]))
    close = 1_000.0 * np.cumprod(ratio["close"])
    before = np.append(1_000.0, close[:-1])
    columns = {name: before * ratio[name] for name in ("open", "high", "low")}
    columns |= {"close": close, "volume": ratio["volume"], "edge": edge}
    time_ = np.datetime64("2000-01-03", "ns") + np.arange(rows) * np.timedelta64(1, "D")
    table = {name: values[:, np.newaxis] for name, values in columns.items()}
    return al.Bars(time_, ["INDEX"], table, periods_per_year=float(YEAR))


def random_strategy(rng: np.random.Generator) -> al.Strategy:
    """Return a strategy that is in the market where one window of a source is above another."""
    source = SOURCES[rng.integers(len(SOURCES))]

    def window() -> str:
        return f"{WINDOWS[rng.integers(len(WINDOWS))]}({source}, {int(rng.integers(2, 120))})"

    return al.ExprStrategy(text=f"where({window()} > {window()}, 1.0, 0.0)")


def search(seed: int, rows: int, n_trials: int, sharpe: float = 0.0) -> Outcome:
    """Try random strategies, one of them the edge if there is one, and validate the best."""
    rng = np.random.default_rng(seed)
    history = History(market(rng, rows, sharpe))
    strategies: list[al.Strategy] = [al.ExprStrategy(text=EDGE)] if sharpe else []
    tried: dict[str, al.Strategy] = {str(s.weights()): s for s in strategies}
    columns: list[np.ndarray] = []
    ratios: list[float] = []
    kept: list[al.Strategy] = []
    pending = list(tried.values())
    while len(kept) < n_trials:
        strategy = pending.pop() if pending else random_strategy(rng)
        returns = run(strategy, history, SETTINGS).row_returns
        ratio = metrics.sharpe(returns, YEAR)
        if math.isfinite(ratio):  # it traded
            kept.append(strategy)
            columns.append(returns)
            ratios.append(ratio)
    sums = segment_sums(np.stack(columns, axis=1))
    clusters = clusters_of(sums)
    trials = Trials.of_clusters(clusters)._replace(counted=True)
    best = int(np.argmax(ratios))
    moments = Moments.of(columns[best])
    outcome = judged(kept[best], history, moments, trials, pbo(sums).probability)
    return outcome._replace(found_edge=sharpe > 0 and best == 0)


def judged(
    strategy: al.Strategy, history: History, moments: Moments, trials: Trials, overfit: float
) -> Outcome:
    """Send the best of a search to the gate; a search that fails at `FIRST` is refused by it."""
    figures = (
        probabilistic_sharpe(moments),
        probabilistic_sharpe(moments, trials.by_chance),
    )
    limits = (CHECKS[name].rule.limit for name in FIRST)
    refused = tuple(n for n, x, limit in zip(FIRST, figures, limits, strict=True) if x < limit)
    if not refused:
        result = run_validated(strategy, history, SETTINGS)
        evidence = gather(strategy, history, result, seed=0, watch=lambda step: None)
        record = judge(evidence, trials, now=0).record
        refused = tuple(check.name for check in record.refusals)
    sharpe = moments.sharpe * math.sqrt(YEAR)
    return Outcome(not refused, False, sharpe, int(trials.n), overfit, refused)


def one_idea(seed: int, rows: int) -> Outcome:
    """Sweep the parameters of one strategy on noise, and validate the best."""
    bars = market(np.random.default_rng(seed), rows)
    with uncounted():
        found = al.sweep(
            al.load_strategy("sma_cross"), bars, GRID, costs=SETTINGS.costs, quality="unchecked"
        )
    best = found.best
    strategy = found.variants[best].strategy
    assert strategy is not None
    moments = Moments.of(found.result(best).row_returns)
    trials = Trials.of_clusters(found.selection.clusters)._replace(counted=True)
    return judged(strategy, History(bars), moments, trials, found.pbo().probability)


def interval(hits: int, n: int) -> str:
    """Return a share with its 95 % interval (Clopper & Pearson 1934)."""
    found = stats.binomtest(hits, n).proportion_ci(0.95)
    return f"{hits / n:.1%} ({found.low:.1%} to {found.high:.1%})"


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def noise(found: list[Outcome], what: str) -> str:
    """Return what became of searches of noise."""
    n_searches = len(found)
    reasons = [name for outcome in found for name in outcome.refused]
    first = ", ".join(f"{name} {reasons.count(name)}" for name in dict.fromkeys(reasons))
    naive = sum("probabilistic_sharpe" not in outcome.refused for outcome in found)
    rows = [
        ("searches", f"{n_searches} of {what}, 10 years each"),
        ("promoted by the default policy", interval(sum(x.promoted for x in found), n_searches)),
        ("that the probabilistic Sharpe ratio alone lets through", interval(naive, n_searches)),
        ("Sharpe ratio of the best, median", f"{np.median([x.sharpe for x in found]):.2f}"),
        ("effective trials, median", f"{np.median([x.n_effective for x in found]):.0f}"),
        ("PBO, mean", f"{np.mean([x.pbo for x in found]):.2f}"),
        ("refused by", first),
    ]
    return table(("noise", ""), rows)


def power(n_searches: int, n_trials: int) -> str:
    """Return the share of planted edges that is promoted; power_plot.py draws it."""
    rows = []
    for cell, (sharpe, years) in enumerate(itertools.product((1.0, 1.5, 2.0), (5, 10)), 1):
        seeds = range(10_000 * cell, 10_000 * cell + n_searches)
        found = [search(seed, years * YEAR, n_trials, sharpe) for seed in seeds]
        hits = sum(x.promoted and x.found_edge for x in found)
        reasons = [name for outcome in found for name in outcome.refused]
        often = sorted(set(reasons), key=lambda name: -reasons.count(name))[:3]
        rows.append(
            (
                f"{sharpe:g}",
                years,
                n_searches,
                interval(hits, n_searches),
                f"{np.median([x.sharpe for x in found]):.2f}",
                ", ".join(f"{name} {reasons.count(name)}" for name in often) or "-",
            )
        )
    head = ("true Sharpe", "years", "searches", "promoted", "best Sharpe, median", "refused by")
    return table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=1_000)
    parser.add_argument("--ideas", type=int, default=400)
    parser.add_argument("--power", type=int, default=100)
    parser.add_argument("--trials", type=int, default=100)
    given = parser.parse_args()
    started = time.perf_counter()
    rows = 10 * YEAR
    if given.searches:
        found = [search(seed, rows, given.trials) for seed in range(given.searches)]
        print(noise(found, f"{given.trials} random strategies"), flush=True)
    if given.ideas:
        found = [one_idea(5_000 + seed, rows) for seed in range(given.ideas)]
        print(f"\n{noise(found, '100 parameters of one strategy')}", flush=True)
    if given.power:
        print(f"\n{power(given.power, given.trials)}")
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
