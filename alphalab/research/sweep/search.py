"""`Search`: Optuna chooses combinations, in batches that a sweep runs in parallel."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alphalab.errors import ParameterError, UnknownNameError, import_extra
from alphalab.research.sweep.combinations import plain, short

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

SAMPLERS = ("tpe", "cmaes", "random")

_RULE = (
    "a name has a range (its integers), a pair (low, high) of integers or of fractions, both"
    " included, a list to choose from, or an Optuna distribution."
)


@dataclass(frozen=True)
class Search:
    """A search in place of a grid: each batch of combinations depends on the results so far.

    Parameters
    ----------
    space : mapping of str to object
        Where to search, for each swept name:

        - ``range(5, 50)`` or ``range(20, 200, 10)``: one of these integers;
        - ``(5, 49)``: an integer from 5 to 49, ``(0.0, 0.5)``: any number from 0 to 0.5;
        - ``["next_open", "next_close"]``: one of these, in no order (None, booleans, numbers,
          texts);
        - an Optuna distribution, say ``FloatDistribution(1e-4, 0.1, log=True)``.
    sampler : {"tpe", "cmaes", "random"} or optuna.samplers.BaseSampler, optional
        Tree-structured Parzen estimator (multivariate, with a constant liar, so that a batch
        spreads), CMA-ES (numbers only; a batch is a generation), chance, or any of Optuna's, whose
        seed is its own. Not given: "tpe", or the sampler of a given study.
    n_trials : int
        Combinations to try. A repeated combination is not run again.
    batch : int
        Combinations chosen at a time. A small batch chooses better, a large one runs faster.
    seed : int
        Seed of a named sampler. The same seed, batch and data give the same trials.
    study : optuna.Study, optional
        Study that receives the trials: its storage and dashboard show them, and its earlier trials
        count. Not given: a study in memory.

    Raises
    ------
    ParameterError
        A space, a sampler or a study that cannot be searched.
    MissingExtraError
        Optuna, or a package of the sampler, is not installed.

    Examples
    --------
    >>> search = Search({"fast": range(5, 50), "slow": range(60, 200, 10)}, n_trials=40, batch=20)
    >>> trials = batches(search, maximize=True)
    >>> first = next(trials)
    >>> len(first), sorted(first[0])
    (20, ['fast', 'slow'])
    >>> second = trials.send([-float(params["fast"]) for params in first])
    >>> trials.close()
    """

    space: Mapping[str, Any]
    _: KW_ONLY
    sampler: str | BaseSampler | None = None
    n_trials: int = 200
    batch: int = 50
    seed: int = 0
    study: Study | None = None

    def __post_init__(self) -> None:
        optuna = import_extra("optuna", "research")
        for name, least in (("n_trials", 1), ("batch", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ParameterError(
                    f"Search({name}={value!r})",
                    rule=f"{name} is a whole number of at least {least}.",
                )
        if not isinstance(self.space, Mapping) or not self.space:
            raise ParameterError(f"Search({self.space!r})", rule=f"in a space, {_RULE}")
        if self.study is not None and not isinstance(self.study, optuna.Study):
            raise ParameterError(
                f"Search(study={self.study!r})",
                rule="a study is an optuna.Study.",
                fix="Make it with optuna.create_study or optuna.load_study.",
            )
        if self.study is not None and self.sampler is not None:
            raise ParameterError(
                "Search(sampler=..., study=...)",
                rule="a study has a sampler already.",
                fix="Give the sampler to optuna.create_study or optuna.load_study.",
            )
        if isinstance(self.sampler, str):
            if self.sampler not in SAMPLERS:
                raise UnknownNameError("sampler", self.sampler, SAMPLERS)
        elif not isinstance(self.sampler, optuna.samplers.BaseSampler | None):
            raise ParameterError(
                f"Search(sampler={self.sampler!r})",
                rule=f"a sampler is one of {', '.join(SAMPLERS)}, or one of Optuna's.",
            )
        distributions = self.distributions
        if self.sampler == "cmaes":
            import_extra("cmaes", "research")
            numbers = optuna.distributions.IntDistribution, optuna.distributions.FloatDistribution
            for name, found in distributions.items():
                if not (isinstance(found, numbers) or found.single()):
                    raise ParameterError(
                        f'Search(sampler="cmaes") over {name}: {short(self.space[name])}',
                        rule="CMA-ES searches numbers, and a list has no order.",
                        fix='Give a range or (low, high), or use sampler="tpe".',
                    )

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The space as Optuna distributions."""
        return {name: _distribution(name, given) for name, given in self.space.items()}


def batches(
    search: Search, maximize: bool
) -> Generator[list[dict[str, Any]], Sequence[float], None]:
    """Yield batches of combinations without repeats; send back one value for each.

    Parameters
    ----------
    search : Search
    maximize : bool
        True if larger values are better.

    Yields
    ------
    list of dict
        At most `Search.batch` combinations. A value that is not finite fails its trial. Closing the
        generator fails the trials without values.

    Raises
    ------
    ParameterError
        A study with another direction, or with trials of another space.
    """
    from optuna.trial import TrialState

    study = _study(search, maximize)
    known: dict[tuple[Any, ...], float] = {}
    for start in range(0, search.n_trials, search.batch):
        n = min(search.batch, search.n_trials - start)
        trials = [_ask(study, search.distributions) for _ in range(n)]
        keys = [tuple(trial.params.values()) for trial in trials]
        new = {
            key: trial.params for key, trial in zip(keys, trials, strict=True) if key not in known
        }
        try:
            if new:
                values = yield list(new.values())
                known.update(zip(new, map(float, values), strict=True))
        finally:
            for key, trial in zip(keys, trials, strict=True):
                if math.isfinite(value := known.get(key, math.nan)):
                    study.tell(trial, value)
                else:
                    study.tell(trial, state=TrialState.FAIL)


def _study(search: Search, maximize: bool) -> Study:
    import optuna

    direction: Literal["maximize", "minimize"] = "maximize" if maximize else "minimize"
    if search.study is None:
        with quiet_optuna():
            return optuna.create_study(sampler=_sampler(search), direction=direction)
    if [way.name.lower() for way in search.study.directions] != [direction]:
        ways = ", ".join(way.name.lower() for way in search.study.directions)
        raise ParameterError(
            f"a study to {ways}",
            rule=f"the direction of this metric is {direction}.",
            fix=f'Make the study with direction="{direction}".',
        )
    return search.study


def _sampler(search: Search) -> BaseSampler:
    from optuna import samplers

    if isinstance(search.sampler, samplers.BaseSampler):
        return search.sampler
    if search.sampler == "random":
        return samplers.RandomSampler(seed=search.seed)
    if search.sampler == "cmaes":
        # With a population smaller than the batch, Optuna would ignore the rest of the batch.
        default = 4 + int(3 * math.log(len(search.space)))
        return samplers.CmaEsSampler(seed=search.seed, popsize=max(search.batch, default))
    return samplers.TPESampler(seed=search.seed, multivariate=True, constant_liar=True)


def _ask(study: Study, distributions: dict[str, BaseDistribution]) -> Trial:
    try:
        return study.ask(distributions)
    except ValueError as error:  # earlier trials had other choices
        raise ParameterError(
            f"study {study.study_name!r}: {error}", rule="a study keeps to one space."
        ) from None


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's message on a new study in memory."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _distribution(name: Any, given: Any) -> BaseDistribution:
    from optuna import distributions as d

    if isinstance(given, d.BaseDistribution):
        return given
    if isinstance(given, range) and given:
        low, high = sorted((given[0], given[-1]))
        return d.IntDistribution(low, high, step=abs(given.step))
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, tuple):
        pair = [plain(x) for x in given]
        kinds = {type(x) for x in pair}
        if len(pair) == 2 and kinds <= {int, float} and -math.inf < pair[0] < pair[1] < math.inf:
            return d.IntDistribution(*pair) if kinds == {int} else d.FloatDistribution(*pair)
    if isinstance(given, list) and given:
        choices = [plain(x) for x in given]
        if all(x is None or isinstance(x, bool | int | float | str) for x in choices):
            return d.CategoricalDistribution(choices)
    raise ParameterError(f"Search over {name}: {short(given)}", rule=_RULE)
