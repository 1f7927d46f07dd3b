"""`validate`: the gate before promotion. It runs every check, counts itself, and can say no."""

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
from alphalab.artifact.ledger import check_ledger, uncounted
from alphalab.artifact.validation_record import ValidationRecord
from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError
from alphalab.research.pages import page
from alphalab.research.results.provenance import accepted
from alphalab.research.results.result import Result
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.count import count_validation
from alphalab.research.run.options import RunOptions, run_settings
from alphalab.research.validation.evidence import STEPS, Evidence, Watch, gather, run_validated
from alphalab.research.validation.policy import Policy
from alphalab.research.validation.verdict import Trials, checks_of


@dataclass(frozen=True, eq=False, repr=False)
class Validation:
    """The verdict on a strategy, and its evidence.

    Attributes
    ----------
    record : ValidationRecord
        Every check with its figure and its limit, and the verdict: what an artifact carries.
    evidence : Evidence
    policy : Policy
    trials : Trials
        Those of the trial ledger, or where it is off the parameter neighbours.
    """

    record: ValidationRecord
    evidence: Evidence
    policy: Policy
    trials: Trials

    @property
    def passed(self) -> bool:
        """True if every check passed."""
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

        return page.write(render(self.record, self.evidence, self.trials), path)


def validate(
    strategy: Strategy,
    bars: Bars,
    *,
    policy: Policy | None = None,
    seed: int = 0,
    progress: bool = False,
    quality: OnErrors | QualitySettings = "refuse",
    start: Instant | None = None,
    **options: Unpack[RunOptions],
) -> Validation:
    """Validate a strategy: causality, warm-up, overfitting, stress, years, regimes, capacity.

    The validation counts itself in the trial ledger, as one trial. The deflated Sharpe ratio takes
    the number of trials of the strategy's family, and their variance, from there; no argument
    changes them. With the ledger off it knows the parameter neighbours alone, and the record, the
    report and the command say "not counted".

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
    start : str, date, datetime or datetime64, optional
        The first row that is traded is the first one from here on. All checks see the earlier rows,
        as in `alphalab.backtest`.
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
    JournalError
        A trial ledger that cannot be read or written.
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
    >>> found.trials.counted
    True
    """
    check_ledger()
    with uncounted():
        history, result = _backtest(strategy, bars, start, quality, options)
    family = count_validation(strategy, result, data=bars.id)
    with uncounted(), _shown(progress) as watch:
        evidence = gather(strategy, history, result, seed=seed, watch=watch)
    trials = Trials.of_neighbours(evidence) if family is None else Trials.of_family(family)
    return judge(evidence, trials, policy, now=clock.time_ns())


def judge(
    evidence: Evidence, trials: Trials, policy: Policy | None = None, *, now: int
) -> Validation:
    """Return the verdict of a policy on evidence, given the trials that led to the strategy.

    `now` is the time of the record, ns UTC.
    """
    policy = Policy() if policy is None else policy
    checks = checks_of(evidence, policy, trials)
    result, warm_up = evidence.result, evidence.warm_up
    record = ValidationRecord(
        policy_id=policy.id,
        checks=checks,
        verdict="passed" if all(check.passed for check in checks) else "refused",
        strategy_id=strategy_id(evidence.strategy),
        data_ids=(evidence.history.bars.id,),
        settings_id=result.settings.id,
        digest=result.digest,
        created=now,
        ledger_head=trials.head,
        n_trials=trials.n_all,
        n_effective=round(trials.n),
        warmup_rows=None if isinstance(warm_up, str) else warm_up.rows,
    )
    return Validation(record, evidence, policy, trials)


def _backtest(
    strategy: Strategy,
    bars: Bars,
    start: Instant | None,
    quality: OnErrors | QualitySettings,
    options: RunOptions,
) -> tuple[History, Result]:
    """Return rows and backtest that are validated; refuse wrong arguments and bad data."""
    refuse_swapped("validate", strategy, bars)
    if not isinstance(strategy, Strategy) or not isinstance(bars, Bars):
        given = strategy if not isinstance(strategy, Strategy) else bars
        raise ParameterError(
            f"validate(..., {getattr(given, '__name__', type(given).__name__)})",
            rule="it takes a strategy with its parameters, and bars.",
        )
    settings = run_settings(strategy, options)
    accepted(bars, quality, actions=settings.actions)
    history = History.of(bars, start)
    return history, run_validated(strategy, history, settings)


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
