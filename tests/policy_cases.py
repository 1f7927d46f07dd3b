"""Small policies for tests: untrained models of Stable-Baselines3, exported."""

from __future__ import annotations

from typing import Any

import numpy as np
from alphalab_envs.sb3 import Sb3VecEnv
from alphalab_envs.training.export import export
from alphalab_envs.training.settings import Training
from alphalab_envs.training.task import Periods, Task
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

import alphalab as al
from alphalab.expr.policy_file import PolicyFile

FEATURES = {"z": "ts_zscore(close, 5)", "move": "returns(close, 1)"}


def task_of(bars: al.Bars, **options: Any) -> Task:
    """Return a task whose three periods are 60, 20 and 20 % of the rows."""
    env = "trading" if bars.n_symbols == 1 else "portfolio"
    given = {"features": FEATURES, "episode": 20} | options
    return Task(env, bars, Periods.of(bars), {}, **given)


def model_of(task: Task, algo: str, seed: int = 0) -> BaseAlgorithm:
    """Return a model that has seen some steps, so that its normaliser has moments."""
    training = Training(algo=algo, timesteps=1, stages=1, n_envs=4, net=(8, 8))
    envs = VecNormalize(Sb3VecEnv(task.many(4)), gamma=0.9)
    model = training.model(envs, seed)
    envs.seed(seed)
    envs.reset()
    rng = np.random.default_rng(seed)
    for _ in range(30):
        actions = [envs.action_space.sample() for _ in range(4)]
        if envs.action_space.shape:
            actions = rng.uniform(-1, 1, (4, *envs.action_space.shape)).astype(np.float32)
        else:
            actions = rng.integers(0, envs.action_space.n, 4)  # type: ignore[attr-defined]
        envs.step(np.asarray(actions))
    envs.training = False
    return model


def policy_of(task: Task, algo: str = "ppo", seed: int = 0) -> PolicyFile:
    """Return an exported policy."""
    return export(model_of(task, algo, seed), task.sample.setup, task.sample.actions)
