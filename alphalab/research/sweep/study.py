"""A sweep as an Optuna study, for the pictures of `optuna.visualization`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from alphalab.errors import import_extra
from alphalab.research.results.tally_metrics import SMALLER_IS_BETTER
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import value_text
from alphalab.research.sweep.robustness import space_of
from alphalab.research.sweep.search import quiet_optuna
from alphalab.research.sweep.space import Axis

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution


def study_of(outcome: Outcome, metric: str | None = None) -> Study:
    """Return a study in memory with one trial for every column, in their order.

    Parameters
    ----------
    outcome : Outcome
    metric : str, optional
        The value of the trials. Not given: the metric of the sweep.

    Returns
    -------
    optuna.Study
        Columns that are invalid, have not run or have no finite value are failed trials. Swept
        values other than numbers, texts, booleans and None are texts.

    Raises
    ------
    MissingExtraError
        Optuna is not installed.
    UnknownNameError
        A metric that does not exist.
    """
    optuna = import_extra("optuna", "research")
    metric = outcome.metric if metric is None else metric
    axes = space_of(outcome).axes
    choices = {axis.name: [_plain(value) for value in axis.values] for axis in axes}
    distributions = {axis.name: _distribution(axis, choices[axis.name]) for axis in axes}
    direction = "minimize" if metric in SMALLER_IS_BETTER else "maximize"
    trials = []
    for column, value in enumerate(outcome.values(metric).tolist()):
        known = math.isfinite(value)
        trials.append(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE if known else optuna.trial.TrialState.FAIL,
                value=value if known else None,
                params={axis.name: choices[axis.name][axis.code[column]] for axis in axes},
                distributions=distributions,
            )
        )
    with quiet_optuna():
        study: Study = optuna.create_study(direction=direction)
    study.add_trials(trials)
    return study


def _distribution(axis: Axis, choices: list[Any]) -> BaseDistribution:
    from optuna import distributions

    if not axis.ordered:
        return distributions.CategoricalDistribution(choices)
    if all(isinstance(value, int) for value in choices):
        return distributions.IntDistribution(choices[0], choices[-1])
    return distributions.FloatDistribution(choices[0], choices[-1])


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float | None) else value_text(value)
