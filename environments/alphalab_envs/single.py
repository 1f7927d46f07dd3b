"""`SingleEnv`: one account as a Gymnasium environment."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym

from alphalab.core.engine import Block
from alphalab.errors import ParameterError
from alphalab_envs.actions import Actions
from alphalab_envs.observation import Observation, observation_space
from alphalab_envs.setup import Setup

MODES = ("human", "rgb_array")


class SingleEnv(gym.Env[Observation, Any]):
    """One account that an agent trades, a row of bars at each step.

    Parameters
    ----------
    setup : Setup
        Bars, features, episodes and settings.
    actions : Actions
    render_mode : {"human", "rgb_array"}, optional
        A window that follows the episode, or an array of pixels from `render`.

    Attributes
    ----------
    setup : Setup
    actions : Actions
    engine : StepEngine
        Its one account records, see `block`.
    """

    metadata = {"render_modes": list(MODES), "render_fps": 10}  # noqa: RUF012

    def __init__(self, setup: Setup, actions: Actions, render_mode: str | None) -> None:
        if render_mode is not None and render_mode not in MODES:
            raise ParameterError(
                f"render_mode={render_mode!r}", rule=f"render_mode is None or one of {MODES}."
            )
        self.setup, self.render_mode = setup, render_mode
        self.engine = setup.engine(1, record=True)
        self.action_space = actions.space
        self.observation_space = observation_space(setup.places.size)
        self.actions = actions
        self._window: Any = None
        # Looked up once: a step takes microseconds, and the compiled part only one of them.
        engine = self.engine
        self._one, self._step, self._asked = actions.one, engine.step, engine.asked[0]
        whole = engine.observation[0]
        all_shown = setup.places.size == whole.size
        self._show = whole.copy if all_shown else partial(whole.take, setup.places)
        given = engine.reward, engine.terminated, engine.truncated, engine.equity
        self._items = tuple(x.item for x in given)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Parameters
        ----------
        seed : int, optional
            Starts the random generator of this environment.
        options : dict, optional
            ``{"start": row}``: the row of the first decision, instead of one that is drawn.

        Returns
        -------
        observation : ndarray of shape (D,), float32
        info : dict
            ``start`` and ``stop``: rows of the bars; ``equity``; and the costs that were drawn.
        """
        super().reset(seed=seed)
        drawn = self.setup.begin(self.engine, 0, self.np_random, options)
        self.engine.reset()
        if self.render_mode == "human":
            self.render()
        return self._show(), drawn | {"equity": self.engine.equity.item(0)}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """End the open row with an action, and begin the next row.

        Returns
        -------
        observation : ndarray of shape (D,), float32
        reward : float
        terminated : bool
            The account is ruined, or locked by the limit of drawdown.
        truncated : bool
            The episode came to its last row, which has no decision.
        info : dict
            ``equity`` after the step.

        Raises
        ------
        ParameterError
            An action outside the space, or NaN.
        StateError
            The episode has ended.
        """
        self._one(action, self._asked)
        self._step()
        shown = self._show()
        if self.render_mode == "human":
            self.render()
        reward, terminated, truncated, equity = self._items
        return shown, reward(0), terminated(0), truncated(0), {"equity": equity(0)}

    def block(self) -> Block:
        """Return the records of the episode that has ended, as `Engine.push` returns them.

        The last row has no decision: its targets are NaN.

        Raises
        ------
        StateError
            The episode goes on.
        """
        return self.engine.block()

    def render(self) -> Any:
        """Return the episode so far as pixels (H, W, 3), or show it in a window."""
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode: make the env with one.")
            return None
        from alphalab_envs.render import Window, draw

        if self.render_mode == "rgb_array":
            return draw(self)
        if self._window is None:
            self._window = Window()
        return self._window.show(self)

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
            self._window = None
