"""`ManyEnvs`: C accounts as one Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from alphalab.errors import ParameterError
from alphalab_envs.actions import Actions
from alphalab_envs.observation import Observation, observation_space
from alphalab_envs.setup import Setup

Mask = NDArray[np.bool_]
Stepped = tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]


class ManyEnvs(gym.vector.VectorEnv[Observation, Any, Any]):
    """C accounts that step together, in one call of the compiled step.

    Parameters
    ----------
    setup : Setup
        Bars, features, episodes and settings, shared by all accounts.
    actions : Actions
    num_envs : int
        C.
    autoreset_mode : AutoresetMode or str
        What happens after the last step of an episode, as Gymnasium defines it. ``NextStep``: the
        next step begins another episode, ignores the action and pays 0. ``SameStep``: the same step
        does, and the last observation is in ``infos["final_obs"]``. ``Disabled``: the caller resets
        accounts with ``reset(options={"reset_mask": mask})``.
    tally : bool
        Keep the figures and the digest of every account, see `alphalab.core.step_engine`.

    Attributes
    ----------
    setup : Setup
    actions : Actions
    engine : StepEngine

    Raises
    ------
    ParameterError
        Fewer than one environment, or an unknown mode.
    """

    def __init__(
        self,
        setup: Setup,
        actions: Actions,
        num_envs: int,
        autoreset_mode: AutoresetMode | str,
        *,
        tally: bool = False,
    ) -> None:
        if not isinstance(num_envs, int) or num_envs < 1:
            raise ParameterError(f"num_envs={num_envs!r}", rule="num_envs is 1 or more.")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            raise ParameterError(
                f"autoreset_mode={autoreset_mode!r}",
                rule=f"the modes are {', '.join(mode.value for mode in AutoresetMode)}.",
            ) from None
        self.setup, self.num_envs = setup, num_envs
        self.engine = setup.engine(num_envs, tally=tally)
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": []}
        self.render_mode = None
        self.single_action_space = actions.space
        self.single_observation_space = observation_space(setup.places.size)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.actions = actions
        self._rngs: list[np.random.Generator] = [np_random(None)[0] for _ in range(num_envs)]
        self._over = np.ones(num_envs, np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode of every account, or of those in a mask.

        Parameters
        ----------
        seed : int or sequence of int, optional
            The seed of each account; a number s stands for s, s + 1, s + 2, ...
        options : dict, optional
            ``reset_mask``: bool array (C,), the accounts to reset; ``start``: the row of the first
            decision, instead of rows that are drawn.

        Returns
        -------
        observations : ndarray of shape (C, D), float32
        infos : dict
            Arrays as `TradingEnv.reset` gives numbers, each with a mask ``_name``.

        Raises
        ------
        ParameterError
            Seeds or a mask of another length.
        """
        given = dict(options or {})
        mask = self._mask(given.pop("reset_mask", None))
        for c, one in enumerate(self._seeds(seed)):
            if one is not None and mask[c]:
                self._rngs[c] = np_random(one)[0]
        infos = self._begin(mask, given)
        return self._shown(), infos

    def step(self, actions: Any) -> Stepped:
        """End the open row of every account with its action, and begin the next row.

        Returns
        -------
        observations (C, D), rewards (C,), terminated (C,), truncated (C,), infos
            As `TradingEnv.step`; all are copies.

        Raises
        ------
        ParameterError
            Actions outside the space, of another shape, or NaN.
        StateError
            An episode has ended and the autoreset mode is ``Disabled``.
        """
        engine, over = self.engine, self._over
        self.actions.many(actions, engine.asked)
        infos: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.NEXT_STEP and over.any():
            infos = self._draw(over, {})
            engine.step_or_reset(over)
        else:
            engine.step()
        rewards, terminated = engine.reward.copy(), engine.terminated.copy()
        truncated = engine.truncated.copy()
        over = self._over = terminated | truncated
        infos |= {"equity": engine.equity.copy(), "_equity": np.ones(self.num_envs, np.bool_)}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and over.any():
            infos = self._begin_again(over, infos)
        return self._shown(), rewards, terminated, truncated, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Do nothing: there is nothing to close."""

    def _begin_again(self, over: Mask, infos: dict[str, Any]) -> dict[str, Any]:
        """Begin the next episode of some accounts; keep what their last step showed."""
        final: Any = np.full(self.num_envs, None, object)
        for c in np.flatnonzero(over):
            final[c] = self.engine.observation[c].take(self.setup.places)
        equity = np.where(over, infos["equity"], 0.0)
        again = self._begin(over, {})
        return again | {
            "equity": self.engine.equity.copy(),
            "_equity": infos["_equity"],
            "final_obs": final,
            "_final_obs": over.copy(),
            "final_info": {"equity": equity, "_equity": over.copy()},
            "_final_info": over.copy(),
        }

    def _begin(self, mask: Mask, options: dict[str, Any]) -> dict[str, Any]:
        infos = self._draw(mask, options)
        self.engine.reset(mask)
        self._over = np.where(mask, False, self._over)
        return infos | {"equity": np.where(mask, self.engine.equity, 0.0), "_equity": mask.copy()}

    def _draw(self, mask: Mask, options: dict[str, Any]) -> dict[str, Any]:
        """Draw the next episode of the accounts in a mask."""
        infos: dict[str, Any] = {}
        for c in np.flatnonzero(mask).tolist():
            drawn = self.setup.begin(self.engine, c, self._rngs[c], options)
            for name, value in drawn.items():
                if name not in infos:
                    infos[name] = np.zeros(self.num_envs, type(value))
                    infos[f"_{name}"] = mask.copy()
                infos[name][c] = value
        return infos

    def _shown(self) -> Observation:
        """Return what all accounts show, a copy."""
        whole, places = self.engine.observation, self.setup.places
        all_shown = places.size == whole.shape[1]
        shown: Observation = whole.copy() if all_shown else whole.take(places, axis=1)
        return shown

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return range(int(seed), int(seed) + self.num_envs)
        if len(seed) != self.num_envs:
            raise ParameterError(
                f"{len(seed)} seeds for {self.num_envs} environments",
                rule="there is one seed for each, or one number for all.",
            )
        return seed

    def _mask(self, mask: Any) -> Mask:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        given = np.asarray(mask)
        if given.shape != (self.num_envs,) or given.dtype != np.bool_ or not given.any():
            raise ParameterError(
                f"reset_mask of shape {given.shape} and type {given.dtype}",
                rule=f"a mask is a bool array of shape ({self.num_envs},), with one True at least.",
            )
        return given
