from __future__ import annotations

import math
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

import alphalab as al
from alphalab.errors import MissingExtraError
from alphalab.research.sweep.search import SAMPLERS, Search, batches

NUMBERS: dict[str, Any] = {"x": range(5, 50), "y": (0.0, 1.0), "z": range(20, 200, 10)}
MIXED = NUMBERS | {"fill": ["next_open", "next_close", None]}

Params = dict[str, Any]


def hill(params: Params) -> float:
    """Highest at x = 12, y = 0.3."""
    return -abs(params["x"] - 12) / 40 - abs(params["y"] - 0.3)


def run(
    search: Search, value: Callable[[Params], float] = hill, *, maximize: bool = True
) -> list[list[Params]]:
    """Run a search to its end and return its batches."""
    found = []
    trials = batches(search, maximize)
    try:
        batch = next(trials)
        while True:
            found.append(batch)
            batch = trials.send([value(params) for params in batch])
    except StopIteration:
        return found


def flat(found: Sequence[Sequence[Params]]) -> list[Params]:
    return [params for batch in found for params in batch]


def a_study(**options: Any) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options = {"direction": "maximize", "sampler": optuna.samplers.RandomSampler(seed=3)} | options
    return optuna.create_study(**options)


# ---- what is tried ---------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_trials(sampler: str) -> None:
    space = NUMBERS if sampler == "cmaes" else MIXED
    first, again, other = (
        run(Search(space, sampler=sampler, n_trials=60, batch=20, seed=seed)) for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_a_process_of_its_own_gives_the_same_trials() -> None:
    code = (
        "from alphalab.research.sweep.search import Search, batches\n"
        "search = Search({'x': range(5, 50), 'y': (0.0, 1.0)}, n_trials=24, batch=12)\n"
        "trials = batches(search, True)\n"
        "first = next(trials)\n"
        "print(first, trials.send([p['y'] for p in first]))\n"
        "trials.close()\n"
    )
    trials = batches(Search({"x": range(5, 50), "y": (0.0, 1.0)}, n_trials=24, batch=12), True)
    first = next(trials)
    here = f"{first} {trials.send([p['y'] for p in first])}\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert (done.stdout, done.stderr) == (here, "")  # and Optuna announces nothing


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_what_was_found_counts(sampler: str) -> None:
    """The later half of the trials is better than the first batch, which knows nothing."""
    for seed in range(3):
        found = run(Search(NUMBERS, sampler=sampler, n_trials=160, batch=20, seed=seed))
        first = np.median([hill(params) for params in found[0]])
        late = np.median([hill(params) for params in flat(found[4:])])
        assert late > first / 2, (sampler, seed)


def test_small_is_good_where_it_is_asked_for() -> None:
    search = Search(NUMBERS, n_trials=100, batch=20)
    found = run(search, lambda params: params["y"], maximize=False)
    assert np.median([params["y"] for params in flat(found[3:])]) < 0.25


@settings(max_examples=25)
@given(st.sampled_from(SAMPLERS), st.integers(1, 23), st.integers(1, 9), st.integers(0, 99))
def test_batches_are_respected_and_values_lie_in_the_space(
    sampler: str, n_trials: int, batch: int, seed: int
) -> None:
    space = NUMBERS if sampler == "cmaes" else MIXED
    found = run(Search(space, sampler=sampler, n_trials=n_trials, batch=batch, seed=seed))
    assert all(1 <= len(part) <= batch for part in found)
    assert len(found) <= math.ceil(n_trials / batch)
    # 45 x 18 places and a fraction: nothing comes twice, so all trials are there.
    assert len(flat(found)) == n_trials
    for params in flat(found):
        assert list(params) == list(space)
        assert params["x"] in space["x"] and type(params["x"]) is int
        assert params["z"] in space["z"] and type(params["z"]) is int
        assert 0 <= params["y"] <= 1 and type(params["y"]) is float
        assert params.get("fill", None) in MIXED["fill"]


def test_nothing_is_run_twice() -> None:
    study = a_study()
    found = run(Search({"x": range(3)}, n_trials=40, batch=8, study=study), lambda p: p["x"])
    assert sorted(p["x"] for p in flat(found)) == [0, 1, 2]
    assert len(study.trials) == 40
    assert all(trial.value == trial.params["x"] for trial in study.trials)


# ---- the space -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (range(5, 50), IntDistribution(5, 49)),
        (range(20, 200, 50), IntDistribution(20, 170, step=50)),
        (range(50, 20, -10), IntDistribution(30, 50, step=10)),
        (range(5, 6), IntDistribution(5, 5)),
        ((5, 50), IntDistribution(5, 50)),
        ((np.int64(5), np.int32(50)), IntDistribution(5, 50)),
        ((0.1, 0.5), FloatDistribution(0.1, 0.5)),
        ((0, 0.5), FloatDistribution(0.0, 0.5)),
        ((-5, np.float64(0.5)), FloatDistribution(-5.0, 0.5)),
        ([1, 2.5, None, True, "a"], CategoricalDistribution([1, 2.5, None, True, "a"])),
        ([np.float64(0.5)], CategoricalDistribution([0.5])),
        (np.array([5, 7]), CategoricalDistribution([5, 7])),
        (FloatDistribution(1e-4, 1, log=True), FloatDistribution(1e-4, 1, log=True)),
    ],
)
def test_what_a_place_means(given_: Any, expected: Any) -> None:
    assert Search({"x": given_}).distributions == {"x": expected}


@pytest.mark.parametrize(
    "given_",
    [
        *((5,), (5, 6, 7), (6, 5), (5, 5), (0.5, 0.5), (True, False), ("a", "b"), (0, math.nan)),
        *((0.0, math.inf), [], range(5, 5), [al.Costs()], [[1], [2]], 5, "abc", {1, 2}, None),
        *(np.ones((2, 2)), np.array([])),
    ],
)
def test_what_is_no_place_is_said(given_: Any) -> None:
    with pytest.raises(al.ParameterError, match="Search over fast: ") as caught:
        Search({"slow": (5, 9), "fast": given_})
    assert "a range (its integers), a pair (low, high)" in caught.value.rule


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"space": {}}, "Search({})"),
        ({"space": [1]}, "Search([1])"),
        ({"n_trials": 0}, "n_trials is a whole number of at least 1"),
        ({"n_trials": 2.5}, "Search(n_trials=2.5)"),
        ({"batch": 0}, "batch is a whole number of at least 1"),
        ({"batch": True}, "Search(batch=True)"),
        ({"seed": -1}, "seed is a whole number of at least 0"),
        ({"sampler": "tpee"}, "did you mean 'tpe'"),
        ({"sampler": 5}, "Search(sampler=5)"),
        ({"study": "study"}, "a study is an optuna.Study"),
        ({"study": a_study(), "sampler": "tpe"}, "a study has a sampler already"),
        ({"space": {"x": (1, 5), "fill": ["a", "b"]}, "sampler": "cmaes"}, "a list has no order"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(al.InputError) as caught:
        Search(options.pop("space", NUMBERS), **options)
    assert words in str(caught.value)


def test_cmaes_takes_what_cannot_vary() -> None:
    search = Search(NUMBERS | {"fill": ["next_open"]}, sampler="cmaes", n_trials=60, batch=20)
    assert {params["fill"] for params in flat(run(search))} == {"next_open"}
    alone = Search({"x": (1, 10**6)}, sampler="cmaes", n_trials=30, batch=10)
    assert len(flat(run(alone, lambda params: params["x"]))) == 30


@pytest.mark.parametrize("name", ["optuna", "cmaes"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def missing(module: str) -> types.ModuleType:
        if module == name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return sys.modules.get(module) or types.ModuleType(module)

    monkeypatch.setattr("alphalab.errors.importlib.import_module", missing)
    with pytest.raises(MissingExtraError, match=name) as caught:
        Search(NUMBERS, sampler="cmaes")
    assert "pip install 'alphalab[research]'" in caught.value.fix


# ---- Optuna's own ----------------------------------------------------------------------------


def test_a_study_holds_every_trial(tmp_path: Any) -> None:
    storage = f"sqlite:///{tmp_path}/trials.db"
    study = a_study(study_name="mine", storage=storage)
    found = run(Search(MIXED, n_trials=10, batch=4, study=study))
    kept = optuna.load_study(study_name="mine", storage=storage)
    assert [trial.params for trial in kept.trials] == flat(found)
    assert [trial.value for trial in kept.trials] == [hill(params) for params in flat(found)]
    assert kept.best_params == max(flat(found), key=hill)
    run(Search(MIXED, n_trials=5, batch=5, study=kept))
    assert len(kept.trials) == 15


def test_any_sampler_will_do() -> None:
    sampler = optuna.samplers.NSGAIISampler(seed=1, population_size=5)
    assert len(flat(run(Search(NUMBERS, sampler=sampler, n_trials=12, batch=5)))) == 12


def test_what_is_not_finite_fails_its_trial() -> None:
    study = a_study()
    values = {5: math.nan, 6: math.inf, 7: -math.inf}
    run(Search({"x": (5, 9)}, n_trials=30, batch=6, study=study), lambda p: values.get(p["x"], 1.0))
    for trial in study.trials:
        failed = trial.params["x"] in values
        assert trial.state == (TrialState.FAIL if failed else TrialState.COMPLETE)


def test_an_end_in_the_middle_leaves_no_trial_running() -> None:
    study = a_study()
    trials = batches(Search(NUMBERS, n_trials=30, batch=5, study=study), True)
    trials.send([1.0] * len(next(trials)))
    trials.close()
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 5 + [
        TrialState.FAIL
    ] * 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"direction": "minimize"}, 'Make the study with direction="maximize"'),
        ({"direction": None, "directions": ["maximize", "minimize"]}, "a study to maximize, min"),
    ],
)
def test_a_study_that_goes_another_way_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(al.ParameterError) as caught:
        next(batches(Search(NUMBERS, study=a_study(**options)), True))
    assert words in str(caught.value)


def test_a_study_of_another_space_is_refused() -> None:
    study = a_study(study_name="mine")
    run(Search(MIXED, n_trials=3, study=study))
    with pytest.raises(al.ParameterError, match="study 'mine'") as caught:
        run(Search(MIXED | {"fill": ["same_close"]}, n_trials=3, study=study))
    assert "keeps to one space" in caught.value.rule
