"""`Sb3VecEnv`: the vector environments as Stable-Baselines3 takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

from alphalab.errors import ParameterError
from alphalab_envs.vector import ManyEnvs


class Sb3VecEnv(VecEnv):
    """C accounts as a `VecEnv` of Stable-Baselines3, without a process or a copy for each.

    Parameters
    ----------
    envs : ManyEnvs
        Made with ``autoreset_mode="SameStep"``, the mode of Stable-Baselines3.

    Raises
    ------
    ParameterError
        Another mode.

    Notes
    -----
    Where an episode ends, the info of its account has ``terminal_observation``,
    ``TimeLimit.truncated`` and, as of Stable-Baselines3's Monitor, ``episode``: the sum of its
    rewards ``r`` and its steps ``l``.

    Examples
    --------
    >>> import alphalab_envs
    >>> envs = alphalab_envs.TradingVectorEnv(2, "sp500", episode=5, autoreset_mode="SameStep")
    >>> vec = Sb3VecEnv(envs)
    >>> _ = vec.seed(1)
    >>> vec.reset().shape
    (2, 6)
    >>> for _ in range(5):
    ...     observations, rewards, dones, infos = vec.step(np.array([0, 1]))
    >>> dones.tolist(), infos[0]["episode"], infos[1]["TimeLimit.truncated"]
    ([True, True], {'r': 0.0, 'l': 5}, True)
    """

    def __init__(self, envs: ManyEnvs) -> None:
        if envs.autoreset_mode != AutoresetMode.SAME_STEP:
            raise ParameterError(
                f"autoreset_mode={envs.autoreset_mode.value!r}",
                rule="Stable-Baselines3 begins an episode in the step that ends one.",
                fix='Make the environments with autoreset_mode="SameStep".',
            )
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._sums, self._lengths = np.zeros(self.num_envs), np.zeros(self.num_envs, np.int64)
        self._waiting: Any = None

    def reset(self) -> Any:
        """Begin an episode of every account, with the seeds that `seed` was given."""
        seeds: Any = None if all(x is None for x in self._seeds) else self._seeds
        observations, _ = self.envs.reset(seed=seeds)
        self._reset_seeds()
        self._reset_options()
        self._sums[:] = self._lengths[:] = 0
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return observations

    def step_async(self, actions: Any) -> None:
        """Keep the actions for `step_wait`."""
        self._waiting = actions

    def step_wait(self) -> Any:
        """Step all accounts; return observations, rewards (float32), dones and infos."""
        observations, rewards, terminated, truncated, given = self.envs.step(self._waiting)
        dones = terminated | truncated
        self._sums += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for c in np.flatnonzero(dones):
            infos[c] = {
                "terminal_observation": given["final_obs"][c],
                "TimeLimit.truncated": bool(truncated[c]),
                "episode": {"r": float(self._sums[c]), "l": int(self._lengths[c])},
            }
        self._sums[dones] = self._lengths[dones] = 0
        return observations, rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute that all accounts share, once for each."""
        return [getattr(self.envs, attr_name) for _ in self._some(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of all accounts."""
        setattr(self.envs, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method that all accounts share; return its result once for each."""
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._some(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each account: nothing is wrapped."""
        return [False for _ in self._some(indices)]

    def _some(self, indices: int | Iterable[int] | None) -> Sequence[int]:
        return list(self._get_indices(indices))
