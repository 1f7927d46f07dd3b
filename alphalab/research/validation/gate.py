"""`validate`: the gate in front of promotion. It runs every check, and can say no."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import msgspec

from alphalab.artifact.identity import strategy_id
from alphalab.artifact.validation_record import ValidationRecord
from alphalab.core.strategy import Strategy
from alphalab.data.panel.bars import Bars
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError
from alphalab.research.pages import page
from alphalab.research.results.provenance import accepted
from alphalab.research.run.options import RunOptions, run_settings
from alphalab.research.validation.evidence import STEPS, Evidence, Watch, gather
from alphalab.research.validation.policy import Policy
from alphalab.research.validation.verdict import Trials, checks_of


@dataclass(frozen=True, eq=False, repr=False)
class Validation:
    """The verdict on a strategy, and what it rests on.

    Attributes
    ----------
    record : ValidationRecord
        Every check with its figure and its limit, and the verdict: what an artifact carries.
    evidence : Evidence
    policy : Policy
    trials : Trials
    seconds : float
        Wall time; no part of the record.
    """

    record: ValidationRecord
    evidence: Evidence
    policy: Policy
    trials: Trials
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.record.verdict == "passed"

    def __repr__(self) -> str:
        """Return the verdict on one line."""
        refused = ", ".join(check.name for check in self.record.refusals)
        name = self.evidence.result.strategy
        return f"<Validation {name}: {self.record.verdict}{': ' + refused if refused else ''}>"

    def to_dict(self) -> dict[str, Any]:
        """Return record and figures as plain data."""
        from alphalab.research.validation.figures import figures_of

        return {**msgspec.to_builtins(self.record), **figures_of(self.evidence, self.trials)}

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write ``validation.json``: the record and every figure. It appears when complete."""
        text = msgspec.json.format(msgspec.json.encode(self.to_dict()), indent=2)
        return page.write(text.decode() + "\n", path)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report: one page that needs nothing else. It appears when complete."""
        from alphalab.research.validation.validation_page import render

        return page.write(render(self), path)


def validate(
    strategy: Strategy,
    bars: Bars,
    *,
    policy: Policy | None = None,
    seed: int = 0,
    progress: bool = False,
    quality: OnErrors | QualitySettings = "refuse",
    **options: Unpack[RunOptions],
) -> Validation:
    """Validate a strategy: causality, warm-up, overfitting, stress, years, regimes, capacity.

    Parameters
    ----------
    strategy : Strategy
    bars : Bars
    policy : Policy, optional
        The limits. Not given: the defaults of `alphalab.research.validation.policy.CHECKS`.
    seed : int
        Of everything that is drawn: cuts, cold starts, resampled rows, orders of trades.
    progress : bool
        Show on stderr which step is running.
    quality : {"refuse", "accept", "unchecked"} or QualitySettings
        What becomes of data with errors, as in `alphalab.backtest`.
    **options : RunOptions
        How it is run: the keywords of `alphalab.backtest`.

    Returns
    -------
    Validation
        Refused is an outcome, not an error.

    Raises
    ------
    DataError
        Too few rows for the splits, or returns that are all equal or end in ruin.
    RefusedError
        Data with errors that are not accepted.
    MissingExtraError
        ``alphalab[research]`` is not installed.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> bars = al.load("sp500", start="2010-01-01")
    >>> found = validate(load_strategy("sma_cross")(), bars, costs=al.Costs(fee_bps=5))
    >>> found.passed, [check.name for check in found.record.refusals][:2]
    (False, ['probabilistic_sharpe', 'deflated_sharpe'])
    """
    return validate_counted(
        strategy, bars, None, policy, seed=seed, progress=progress, quality=quality, **options
    )


def validate_counted(
    strategy: Strategy,
    bars: Bars,
    trials: Trials | None,
    policy: Policy | None = None,
    *,
    seed: int = 0,
    progress: bool = False,
    quality: OnErrors | QualitySettings = "refuse",
    now: int | None = None,
    **options: Unpack[RunOptions],
) -> Validation:
    """Validate with the trials that were counted; None: nobody did, and the record says so.

    `now` is the time of the record, ns UTC; not given, that of the clock.
    """
    if not isinstance(strategy, Strategy) or not isinstance(bars, Bars):
        given = strategy if not isinstance(strategy, Strategy) else bars
        raise ParameterError(
            f"validate(..., {getattr(given, '__name__', type(given).__name__)})",
            rule="it takes a strategy with its parameters, and bars.",
        )
    started = clock.perf_counter()
    policy = Policy() if policy is None else policy
    settings = run_settings(strategy, options)
    accepted(bars, quality, actions=settings.actions)
    with _shown(progress) as watch:
        evidence = gather(strategy, bars, settings, seed, watch)
    trials = Trials.of_neighbours(evidence) if trials is None else trials
    checks = checks_of(evidence, policy, trials)
    warm_up = evidence.warm_up
    record = ValidationRecord(
        policy_id=policy.id,
        checks=checks,
        verdict="passed" if all(check.passed for check in checks) else "refused",
        strategy_id=strategy_id(strategy),
        data_ids=(bars.id,),
        settings_id=settings.id,
        digest=evidence.result.digest,
        created=clock.time_ns() if now is None else now,
        ledger_head=trials.head,
        n_trials=round(trials.n) if trials.counted else 0,
        warmup_rows=None if isinstance(warm_up, str) else warm_up.rows,
    )
    return Validation(record, evidence, policy, trials, clock.perf_counter() - started)


@contextmanager
def _shown(progress: bool) -> Iterator[Watch]:
    """Give what is told each step, and show it on stderr if asked to."""
    if not progress:
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("validate: {task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("backtest", total=len(STEPS) + 1)
        yield lambda step: bar.update(task, description=step, advance=1)
