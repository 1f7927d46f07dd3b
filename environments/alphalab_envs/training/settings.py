"""`Training`: how policies are trained, and the algorithms with their defaults."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from msgspec import Meta
from stable_baselines3 import A2C, DDPG, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecEnv

from alphalab.errors import ParameterError, UnknownNameError
from alphalab.settings import Settings

Algorithm = Literal["ppo", "sac", "ddpg", "a2c"]


class _Defaults(NamedTuple):
    cls: type[BaseAlgorithm]
    continuous: bool  # takes continuous actions only
    n_envs: int
    parameters: dict[str, Any]


_ON_POLICY = {"learning_rate": 1e-3, "gamma": 0.9, "ent_coef": 0.0}
_OFF_POLICY = {
    "learning_rate": 1e-3,
    "gamma": 0.9,
    "buffer_size": 50_000,
    "learning_starts": 1_000,
    "batch_size": 256,
    "train_freq": 1,
    "gradient_steps": 2,
}
_ALGORITHMS = {
    "ppo": _Defaults(PPO, False, 32, {**_ON_POLICY, "n_steps": 64, "n_epochs": 5}),
    "a2c": _Defaults(A2C, False, 32, {**_ON_POLICY, "n_steps": 16}),
    "sac": _Defaults(SAC, True, 8, {**_OFF_POLICY}),
    "ddpg": _Defaults(DDPG, True, 8, {**_OFF_POLICY}),
}
# Set by the training itself.
_OWN = {"self", "policy", "env", "seed", "device", "verbose", "tensorboard_log", "policy_kwargs"}


class Training(Settings, frozen=True):
    """How policies are trained.

    Parameters
    ----------
    algo : {"ppo", "sac", "ddpg", "a2c"}
        Of Stable-Baselines3. SAC and DDPG take continuous actions.
    timesteps : int
        Steps of the environments, of each seed.
    seeds : int
        Policies that are trained, with the seeds 0, 1, 2, ...
    stages : int
        Parts of a training. After each the policy is measured on the validation period and a
        checkpoint is written; each begins with new episodes and random numbers of its own.
    patience : int, optional
        Stop after so many stages without a better Sharpe ratio. None: never.
    n_envs : int, optional
        Accounts that step together; None: 32 for PPO and A2C, 8 for SAC and DDPG.
    net : tuple of int
        Units of the hidden layers.
    normalise : bool
        Scale observations and rewards by their running moments.
    parameters : dict
        Hyperparameters of the algorithm, over the defaults.

    Raises
    ------
    ParameterError
        Fewer timesteps than stages, or a value outside its range.
    UnknownNameError
        A hyperparameter that the algorithm does not have.

    Examples
    --------
    >>> Training(algo="ppo", parameters={"gamma": 0.99}).hyperparameters["gamma"]
    0.99
    """

    algo: Algorithm = "ppo"
    timesteps: Annotated[int, Meta(ge=1)] = 100_000
    seeds: Annotated[int, Meta(ge=1, le=1000)] = 5
    stages: Annotated[int, Meta(ge=1, le=1000)] = 10
    patience: Annotated[int, Meta(ge=1)] | None = None
    n_envs: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    net: tuple[Annotated[int, Meta(ge=1, le=4096)], ...] = (32, 32)
    normalise: bool = True
    parameters: dict[str, float | int | str | bool] = {}  # noqa: RUF012

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timesteps < self.stages:
            raise ParameterError(
                f"timesteps={self.timesteps} in stages={self.stages}",
                rule="a stage has one step or more.",
            )
        known = set(inspect.signature(self.defaults.cls.__init__).parameters) - _OWN
        for name in self.parameters:
            if name not in known:
                raise UnknownNameError(f"hyperparameter of {self.algo}", name, known)

    @property
    def defaults(self) -> _Defaults:
        """The algorithm with its defaults."""
        return _ALGORITHMS[self.algo]

    @property
    def continuous(self) -> bool:
        """True if the algorithm takes continuous actions only."""
        return self.defaults.continuous

    @property
    def accounts(self) -> int:
        """Accounts that step together."""
        return self.n_envs or self.defaults.n_envs

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters in force."""
        found = {**self.defaults.parameters, **self.parameters}
        if self.algo == "ppo" and "batch_size" not in found:  # four batches of a rollout
            found["batch_size"] = max(int(found["n_steps"]) * self.accounts // 4, 2)
        return found

    def steps_at(self, stage: int) -> int:
        """Return the steps after which a stage ends, counted from 0."""
        return self.timesteps * (stage + 1) // self.stages

    def model(self, envs: VecEnv, seed: int) -> BaseAlgorithm:
        """Return an untrained model.

        Raises
        ------
        ParameterError
            A hyperparameter that Stable-Baselines3 refuses.
        """
        more: dict[str, Any] = {}
        if self.algo == "ddpg":
            n = envs.action_space.shape[0]  # type: ignore[index]
            more["action_noise"] = NormalActionNoise(np.zeros(n), np.full(n, 0.2))
        make: Any = self.defaults.cls
        try:
            model: BaseAlgorithm = make(
                "MlpPolicy",
                envs,
                seed=seed,
                device="cpu",
                policy_kwargs={"net_arch": list(self.net)},
                **{**more, **self.hyperparameters},
            )
        except (AssertionError, TypeError, ValueError) as error:
            raise ParameterError(
                f"{self.algo} with {self.hyperparameters}: {error}",
                rule="hyperparameters are those of Stable-Baselines3.",
            ) from None
        return model
