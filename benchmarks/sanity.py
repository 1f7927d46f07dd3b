"""Does learning work at all? Three markets whose answer is known, several seeds on several paths.

python benchmarks/sanity.py [--seeds 5] [--paths 3] [--only NAME] [--out FILE] [--plot PICTURE]

- oracle: a feature is tomorrow's return. PPO must win by far.
- noise: returns without a mean, 10 bps of costs, a risk penalty. PPO must end flat.
- reversion: prices return to a slow mean. PPO must beat buy and hold on rows that it never saw.
- compared: PPO, A2C, SAC and DDPG on the reverting market, the same steps each.

Each run is a path of the market (seeded) and a seed of the agent. The policy after the last stage
is measured on the last 40 % of the rows, which nothing was chosen by. Every run is one line of
JSON; runs that are in the file already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from alphalab_envs import Reward
from alphalab_envs.training.learning import learn
from alphalab_envs.training.settings import Training
from alphalab_envs.training.task import Periods, Task

import alphalab as al

ROWS, SEEN = 5_000, 3_000
COSTS = al.Costs(fee_bps=10)


class Case(NamedTuple):
    """A market, what the agent sees of it, and how long it learns."""

    market: str
    algo: str
    timesteps: int
    reward: Reward


CASES = {
    "oracle": Case("oracle", "ppo", 20_480, Reward()),
    "noise": Case("noise", "ppo", 102_400, Reward(kind="variance", weight=40)),
    "reversion": Case("reversion", "ppo", 61_440, Reward()),
    **{
        f"compared {x}": Case("reversion", x, 20_480, Reward())
        for x in ("ppo", "a2c", "sac", "ddpg")
    },
}


def bars_of(market: str, path: int) -> al.Bars:
    """Return daily bars of one asset: one path of a market."""
    rng = np.random.default_rng([path, sorted({c.market for c in CASES.values()}).index(market)])
    if market == "reversion":
        swing = np.zeros(ROWS)
        noise = rng.normal(0.0, 0.02, ROWS)
        for t in range(1, ROWS):
            swing[t] = 0.9 * swing[t - 1] + noise[t]
        log = swing + np.cumsum(rng.normal(0.0, 0.004, ROWS))
    else:
        log = np.cumsum(rng.normal(0.0, 0.01, ROWS))
    close = 100.0 * np.exp(log - log[0])[:, None]
    before = np.vstack([close[:1], close[:-1]])
    time = np.datetime64("2000-01-01", "ns") + np.arange(ROWS) * np.timedelta64(1, "D")
    columns = {
        "open": before, "high": np.maximum(before, close), "low": np.minimum(before, close),
        "close": close, "volume": np.full((ROWS, 1), 1e6),
        # What a decision of row t earns: it trades at the open of t + 1, the close of t.
        "tomorrow": 100.0 * np.vstack([close[1:] / close[:-1] - 1.0, [[0.0]]]),
    }  # fmt: skip
    return al.Bars(time.astype(np.int64), ("A",), columns)


def features_of(market: str) -> dict[str, Any]:
    if market == "oracle":
        return {"tomorrow": al.column("tomorrow")}
    return {"z": al.close.ts_zscore(20), "gap": 10 * (al.close / al.close.ts_mean(50) - 1)}


def task_of(case: Case, path: int) -> Task:
    return Task(
        "trading",
        bars_of(case.market, path),
        Periods(slice(0, SEEN), slice(SEEN, ROWS), slice(ROWS - 1, ROWS)),
        {"costs": COSTS if case.market != "oracle" else al.Costs()},
        continuous=case.algo in ("sac", "ddpg"),
        features=features_of(case.market),
        episode=250,
        reward=case.reward,
    )


def ran(name: str, path: int, seed: int) -> dict[str, Any]:
    """Train one seed on one path; return its figures on rows that were never seen."""
    case = CASES[name]
    task = task_of(case, path)
    training = Training(algo=case.algo, timesteps=case.timesteps, stages=10)
    with tempfile.TemporaryDirectory() as folder:
        done = learn(task, training, seed, Path(folder), "sanity")
    hold = task.measured(al.ExprStrategy(text="1.0"), task.periods.validation)
    last = done.returns[:, -1]
    return {
        "case": name, "path": path, "seed": seed, "steps": done.steps, "sharpes": done.sharpes,
        "flat": bool((last == 0.0).all()), "hold": hold.metrics["sharpe"],
    }  # fmt: skip


def summary(lines: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return one row for each case: runs, Sharpe ratios, and how many did what they must."""
    by_case = defaultdict(list)
    for line in lines:
        by_case[line["case"]].append(line)
    rows = []
    for name in CASES:
        if not (found := by_case[name]):
            continue
        last = np.array([x["sharpes"][-1] for x in found])
        hold = np.array([x["hold"] for x in found])
        good = [x["flat"] for x in found] if name == "noise" else list(last > np.maximum(hold, 0.0))
        rows.append(
            (name, CASES[name].algo, f"{CASES[name].timesteps:,}", f"{last.mean():.2f}",
             f"{last.min():.2f} to {last.max():.2f}", f"{hold.mean():.2f}",
             f"{sum(good)} of {len(good)}")
        )  # fmt: skip
    return rows


def plot(lines: list[dict[str, Any]], path: Path) -> None:
    """Draw the learning curves: a panel for each case, a line for each run."""
    from matplotlib.figure import Figure

    names = [name for name in CASES if any(x["case"] == name for x in lines)]
    figure = Figure(figsize=(10, 2.6 * ((len(names) + 2) // 3)), dpi=110, layout="constrained")
    axes = figure.subplots((len(names) + 2) // 3, 3, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes, names, strict=False):
        runs = [x for x in lines if x["case"] == name]
        for x in runs:
            axis.plot(x["steps"], x["sharpes"], lw=0.8, color=f"C{x['path']}", alpha=0.7)
        hold = np.mean([x["hold"] for x in runs])
        axis.axhline(hold, color="black", lw=0.8, ls="--")
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    figure.supxlabel("steps", fontsize=9)
    figure.supylabel("Sharpe ratio on unseen rows; dashed: buy and hold", fontsize=9)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--paths", type=int, default=3)
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--out", type=Path, default=Path("sanity.jsonl"))
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    os.environ["ALPHALAB_TRIALS"] = "off"  # markets made up here are no research
    import torch

    torch.set_num_threads(1)
    lines = (
        [json.loads(x) for x in given.out.read_text().splitlines()] if given.out.exists() else []
    )
    known = {(x["case"], x["path"], x["seed"]) for x in lines}
    for name in CASES if given.only is None else [given.only]:
        for path, seed in np.ndindex(given.paths, given.seeds):
            if (name, path, seed) in known:
                continue
            lines.append(ran(name, path, seed))
            with given.out.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    header = ("case", "algorithm", "steps", "Sharpe", "range", "hold", "as it must")
    for row in [header, *summary(lines)]:
        print("  ".join(f"{cell:<16}" for cell in row))
    if given.plot:
        plot(lines, given.plot)


if __name__ == "__main__":
    main()
