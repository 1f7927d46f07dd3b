"""The training of one seed: stages, each measured on the validation period; the best is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from alphalab.artifact.files import write_file
from alphalab.artifact.ledger import uncounted
from alphalab.expr.policy_file import PolicyFile, read_policy
from alphalab.types import FloatArray
from alphalab_envs.training.checkpoint import restore, save
from alphalab_envs.training.export import export
from alphalab_envs.training.settings import Training
from alphalab_envs.training.task import Task

POLICY, CHECKPOINT, BOARD = "policy.onnx", "checkpoint.pt", "tensorboard"


@dataclass(frozen=True)
class SeedRun:
    """One trained seed.

    Attributes
    ----------
    seed : int
    steps : tuple of int
        Steps of the environments at the end of each stage.
    sharpes : tuple of float
        Annualised Sharpe ratio on the validation period after each stage; 0 where nothing moved.
    returns : ndarray of shape (rows, stages)
        Returns per row of these measurements.
    best : int
        The stage whose policy is kept: the first with the highest ratio.
    policy : PolicyFile
    stopped_early : bool
    """

    seed: int
    steps: tuple[int, ...]
    sharpes: tuple[float, ...]
    returns: FloatArray
    best: int
    policy: PolicyFile
    stopped_early: bool


class _Watch(BaseCallback):
    """Says how many steps were done."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance, self._seen = advance, 0

    def _on_training_start(self) -> None:
        self._seen = self.num_timesteps

    def _on_step(self) -> bool:
        self._advance(self.num_timesteps - self._seen)
        self._seen = self.num_timesteps
        return True


def learn(
    task: Task,
    training: Training,
    seed: int,
    folder: Path,
    key: str,
    advance: Callable[[float], None] = lambda steps: None,
) -> SeedRun:
    """Train one seed in a folder, or go on with it.

    A stage depends on the state of the model at its start and on (seed, stage) only, so a training
    that was killed and resumed equals one that was not, bit for bit.

    Parameters
    ----------
    task : Task
    training : Training
    seed : int
    folder : Path
        Gets ``policy.onnx``, ``checkpoint.pt`` and ``tensorboard/``.
    key : str
        Identity of the task and the training; a checkpoint of another one is refused.
    advance : callable
        Called with the steps that were done.

    Raises
    ------
    StateError
        A checkpoint of another environment or other settings.
    """
    gamma = float(training.hyperparameters["gamma"])
    envs = task.envs(training.accounts, normalise=training.normalise, gamma=gamma)
    model = training.model(envs, seed)
    progress: dict[str, Any] = {"steps": [], "sharpes": [], "returns": []}
    path = folder / CHECKPOINT
    if path.exists():
        progress = restore(path, model, key)
        advance(sum(progress["steps"][-1:]))
    model.set_logger(configure(str(folder / BOARD), ["tensorboard"]))
    while len(progress["steps"]) < training.stages and not _waited(progress, training):
        stage = len(progress["steps"])
        _learn_stage(model, training, seed, stage, advance)
        notes = {"algo": training.algo, "seed": str(seed), "steps": str(model.num_timesteps)}
        policy = export(model, task.sample.setup, task.sample.actions, notes)
        with uncounted():  # the seed is counted as a whole
            result = task.backtest(policy, task.periods.validation)
        sharpe = result.metrics["sharpe"]
        progress["sharpes"].append(sharpe if np.isfinite(sharpe) else 0.0)
        progress["steps"].append(model.num_timesteps)
        progress["returns"].append(torch.as_tensor(result.row_returns.copy()))
        model.logger.record("validation/sharpe", progress["sharpes"][-1])
        model.logger.dump(model.num_timesteps)
        if _best(progress) == stage:
            write_file(folder / POLICY, policy.content, replace=True)
        save(path, model, key, progress)
    model.logger.close()
    envs.close()
    return SeedRun(
        seed=seed,
        steps=tuple(progress["steps"]),
        sharpes=tuple(progress["sharpes"]),
        returns=np.stack([x.numpy() for x in progress["returns"]], axis=1),
        best=_best(progress),
        policy=read_policy(folder / POLICY),
        stopped_early=len(progress["steps"]) < training.stages,
    )


def _learn_stage(
    model: BaseAlgorithm,
    training: Training,
    seed: int,
    stage: int,
    advance: Callable[[float], None],
) -> None:
    """Learn for one stage, from new episodes and newly seeded generators."""
    (stage_seed,) = np.random.SeedSequence([seed, stage]).generate_state(1)
    model.set_random_seed(int(stage_seed % 2**31))
    model._last_obs = None  # so that the environments are reset
    more = training.steps_at(stage) - model.num_timesteps
    if more > 0:  # rollouts are whole, so an earlier stage may have run ahead
        model.learn(more, callback=_Watch(advance), reset_num_timesteps=False)


def _best(progress: dict[str, Any]) -> int:
    return int(np.argmax(progress["sharpes"]))


def _waited(progress: dict[str, Any], training: Training) -> bool:
    """Return True if the patience is over."""
    done = len(progress["steps"])
    return bool(
        training.patience is not None and done and done - 1 - _best(progress) >= training.patience
    )
