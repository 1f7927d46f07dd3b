"""`train`: several seeds of one algorithm, beside baselines, counted and exported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import torch

from alphalab.artifact.files import write_file
from alphalab.artifact.identity import family_id, strategy_id
from alphalab.artifact.ledger import check_ledger, is_counting
from alphalab.artifact.trials import packed, sharpe_moments
from alphalab.data.clock.times import Instant
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError, StateError
from alphalab.research.results.result import Result
from alphalab.research.results.segments import segment_sums
from alphalab.research.results.series import periods_per_year
from alphalab.research.run.count import canonical, family_fields, record_trial
from alphalab.research.run.progress import progress_bar
from alphalab_envs.setup import SetupOptions
from alphalab_envs.training.baselines import baselines
from alphalab_envs.training.learning import POLICY, SeedRun, learn
from alphalab_envs.training.settings import Training
from alphalab_envs.training.task import EnvName, Periods, Task, strategy_of

RECORD = "training.json"
_COLUMNS = ("sharpe", "total_return", "max_drawdown", "turnover", "n_fills")
_N_RESAMPLES = 10_000


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes
    ----------
    folder : Path
        ``policy.onnx`` is the policy of the best seed on the validation period; each seed has a
        folder of its own.
    training : Training
    table : pandas.DataFrame
        One row for each seed and each baseline: figures of the test period, and of seeds the Sharpe
        ratio of the validation period by which their stage was chosen.
    curves : pandas.DataFrame
        Sharpe ratio on the validation period: one row for each stage (its steps), one column for
        each seed; NaN after an early stop.
    interval : tuple of float
        95 % interval of the mean Sharpe ratio over seeds, on the test period, in which a policy
        that never traded counts as 0; NaN for one seed.
    """

    folder: Path
    training: Training
    table: pd.DataFrame
    curves: pd.DataFrame
    interval: tuple[float, float]

    @property
    def policy(self) -> Path:
        """The file of the policy that was chosen."""
        return self.folder / POLICY

    def __repr__(self) -> str:
        seeds = self.table[self.table["kind"] == "seed"]
        low, high = self.interval
        return (
            f"<Trained: {self.training.algo}, {len(seeds)} seeds, test Sharpe "
            f"{seeds['sharpe'].mean():.2f} ({low:.2f} to {high:.2f}), {self.policy}>"
        )


def train(
    bars: Bars | str,
    training: Training | None = None,
    *,
    folder: Path | str,
    env: EnvName = "trading",
    validate_from: Instant | None = None,
    test_from: Instant | None = None,
    positions: Sequence[float] = (0.0, 1.0),
    continuous: bool = False,
    low: float = 0.0,
    high: float = 1.0,
    progress: bool = False,
    measure_test: bool = True,
    **options: Any,
) -> Trained:
    """Train policies with several seeds, choose on a validation period, report on a test period.

    Every seed is one row of the trial ledger with as many columns as it had stages, and its policy
    is backtested once on the test period, which counts too. A training that was killed goes on if
    it is called again with the same arguments, and gives what it would have given.

    Parameters
    ----------
    bars : Bars or str
    training : Training, optional
        The algorithm, its budget and hyperparameters.
    folder : Path or str
        Gets the policies, checkpoints, TensorBoard files, ``table.csv`` and ``curves.csv``.
    env : {"trading", "portfolio"}
    validate_from, test_from : str, date, datetime or datetime64, optional
        Where these periods begin; None: after 60 % and 80 % of the rows.
    positions, continuous, low, high
        The actions, see `alphalab_envs.TradingEnv` and `alphalab_envs.PortfolioEnv`. SAC and DDPG
        always have continuous ones.
    progress : bool
        Show a progress bar on stderr.
    measure_test : bool
        False: leave the test period alone, without baselines; the table then has the validation
        period only.
    **options
        Of the environments and of every run: `alphalab_envs.setup.EnvOptions` without rows.

    Returns
    -------
    Trained

    Raises
    ------
    StateError
        A folder with a training of other data, another environment or other settings.
    AlphalabError
        Arguments that break a rule.

    Examples
    --------
    >>> import tempfile
    >>> import alphalab as al
    >>> folder = tempfile.mkdtemp()
    >>> brief = Training(timesteps=512, seeds=1, stages=2, n_envs=8, parameters={"n_steps": 16})
    >>> trained = train("sp500", brief, folder=folder, features={"z": al.close.ts_zscore(20)})
    >>> trained.table["name"].tolist()
    ['seed 0', 'flat', 'buy and hold', 'equal weight', 'best rule', 'random']
    >>> al.policy(trained.policy).op
    'policy'
    """
    training = Training() if training is None else training
    bars = load(bars) if isinstance(bars, str) else bars
    if "rows" in options:
        raise ParameterError(
            "train(..., rows=...)",
            rule="the periods say which rows are trained on.",
            fix="Use validate_from and test_from.",
        )
    setup = {name: x for name, x in options.items() if name in SetupOptions.__annotations__}
    run: Any = {name: x for name, x in options.items() if name not in setup}
    periods = Periods.of(bars, validate_from, test_from)
    setup.setdefault("episode", min(250, (periods.train.stop - 1) // 2))
    task = Task(
        env, bars, periods, run,
        positions=positions, low=low, high=high, continuous=continuous or training.continuous,
        **setup,
    )  # fmt: skip
    check_ledger()
    folder = Path(folder)
    key = _begin(folder, task, training)
    seeds, rows = [], []
    total = training.timesteps * training.seeds
    with progress_bar(training.algo, total, "steps", shown=progress) as advance, _one_thread():
        for seed in range(training.seeds):
            ran = learn(task, training, seed, folder / f"seed-{seed}", key, advance)
            _count(task, training, ran)
            result = task.backtest(ran.policy, periods.test) if measure_test else None
            seeds.append(ran)
            rows.append(_row(f"seed {seed}", "seed", result, ran.sharpes[ran.best]))
    best = max(seeds, key=lambda ran: ran.sharpes[ran.best])
    write_file(folder / POLICY, best.policy.content, replace=True)
    if measure_test:
        rows += [_row(name, "baseline", x, np.nan) for name, x in baselines(task, periods.test)]
    table = pd.DataFrame(rows)
    curves = pd.DataFrame({ran.seed: pd.Series(ran.sharpes, ran.steps) for ran in seeds})
    curves.index.name = "steps"
    table.to_csv(folder / "table.csv", index=False)
    curves.to_csv(folder / "curves.csv")
    sharpes = np.nan_to_num(table.loc[table["kind"] == "seed", "sharpe"].to_numpy())
    return Trained(folder, training, table, curves, interval(sharpes))


def interval(values: Any) -> tuple[float, float]:
    """Return the 95 % interval of a mean by the percentile bootstrap; NaN for fewer than two.

    Agarwal, Schwarzer, Castro, Courville and Bellemare, Deep Reinforcement Learning at the Edge of
    the Statistical Precipice (2021).

    Examples
    --------
    >>> low, high = interval([1.0, 1.2, 0.8, 1.1, 0.9])
    >>> 0.85 < low < 1.0 < high < 1.15
    True
    """
    known = np.asarray(values, np.float64)
    if known.size < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    means = rng.choice(known, (_N_RESAMPLES, known.size)).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _begin(folder: Path, task: Task, training: Training) -> str:
    """Return the identity of a training, after checking that its folder is free or its own."""
    key = hashlib.sha256(f"{task.id} {training.id}".encode()).hexdigest()
    path = folder / RECORD
    record = {"key": key, "task": task.id, "training": training}
    if not path.exists():
        content = msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=2)
        write_file(path, content + b"\n")
        return key
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any]).get("key")
    except msgspec.MsgspecError:
        found = None
    if found != key:
        raise StateError(
            f"{folder} has a training of another environment or other settings",
            rule="a training goes on with what it began with.",
            fix="Train in another folder.",
        )
    return key


def _count(task: Task, training: Training, ran: SeedRun) -> None:
    """Count a seed in the trial ledger: every stage that was measured is a column."""
    if not is_counting():
        return
    strategy, bars = strategy_of(ran.policy), task.bars
    year = periods_per_year(bars)
    returns = ran.returns
    with np.errstate(invalid="ignore", divide="ignore"):
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    try:
        segments = packed(*segment_sums(returns))
    except DataError:  # too few rows, or ruin
        segments = b""
    record_trial(
        run="train",
        **family_fields([family_id(strategy, bars.symbols, year)]),
        strategy=type(strategy).__name__,
        strategy_id=strategy_id(strategy),
        parameters=canonical({"training": training.canonical_json(), "seed": ran.seed}),
        data=bars.id,
        settings=task.sample.setup.settings.id,
        n_columns=len(ran.steps),
        n_rows=len(returns),
        periods_per_year=float(year),
        segments=segments,
        digest=ran.policy.sha256,
        **sharpe_moments(sharpes),
    )


def _row(name: str, kind: str, result: Result | None, validation: float) -> dict[str, Any]:
    figures = {column: np.nan if result is None else result.metrics[column] for column in _COLUMNS}
    return {"name": name, "kind": kind, "validation_sharpe": validation, **figures}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Train on one thread: small networks are faster so, and results do not depend on cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
