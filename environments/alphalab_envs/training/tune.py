"""`tune`: Optuna searches hyperparameters; every trial is counted in the trial ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from alphalab.errors import ParameterError, import_extra
from alphalab_envs.training.settings import Training
from alphalab_envs.training.train import Trained, train

_SPACE = {
    "learning_rate": (1e-4, 1e-2),
    "gamma": (0.5, 0.999),
    "ent_coef": (1e-8, 1e-1),
}


def tune(
    bars: Any,
    training: Training | None = None,
    *,
    folder: Path | str,
    n_trials: int = 20,
    seed: int = 0,
    **options: Any,
) -> tuple[Training, Trained]:
    """Search learning rate, discount and entropy bonus, then train with the best.

    Each trial trains one seed in a folder of its own and is scored by its Sharpe ratio on the
    validation period; all of them are rows of the trial ledger, so the gate knows how many were
    tried. The test period is used once, by the final training.

    Parameters
    ----------
    bars, training, folder, **options
        As in `alphalab_envs.training.train.train`; `training` says what is not searched. DDPG has
        no entropy bonus.
    n_trials : int
        At least 1.
    seed : int
        Of Optuna's sampler.

    Returns
    -------
    training : Training
        With the best hyperparameters.
    trained : Trained
        What they gave with all seeds.

    Raises
    ------
    ParameterError
        Fewer than one trial.
    AlphalabError
        Arguments that `train` refuses.
    """
    optuna: Any = import_extra("optuna", "research")
    if n_trials < 1:
        raise ParameterError(f"n_trials={n_trials}", rule="a search has one trial or more.")
    training = Training() if training is None else training
    names = [name for name in _SPACE if training.algo != "ddpg" or name != "ent_coef"]
    folder = Path(folder)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))

    def with_parameters(values: dict[str, float], **more: Any) -> Training:
        parameters = {**training.parameters, **values}
        return msgspec.structs.replace(training, parameters=parameters, **more)

    def score(trial: Any) -> float:
        values = {name: trial.suggest_float(name, *_SPACE[name], log=True) for name in names}
        tried = train(
            bars,
            with_parameters(values, seeds=1),
            folder=folder / f"trial-{trial.number}",
            measure_test=False,
            **options,
        )
        return float(tried.table["validation_sharpe"].max())

    study.optimize(score, n_trials=n_trials)
    best = with_parameters(study.best_params)
    return best, train(bars, best, folder=folder / "best", **options)
