"""`SingleEnv`: one account as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from alphalab.core.engine import Block
from alphalab.errors import ParameterError
from alphalab.kernels.market.env_observation import BOUND
from alphalab_envs.actions import Actions
from alphalab_envs.setup import Setup

Observation = NDArray[np.float32]
MODES = ("human", "rgb_array")


def observation_space(size: int) -> gym.Space[Observation]:
    """Return the space of observations: finite numbers."""
    space: Any = gym.spaces.Box(-BOUND, BOUND, (size,), np.float32)
    return space  # type: ignore[no-any-return]


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
        self.observation_space = observation_space(self.engine.observation.shape[1])
        self._actions = actions
        self._window: Any = None

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
        return self._show(), drawn | {"equity": self.engine.equity[0].item()}

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
        engine = self.engine
        self._actions.one(action, engine.asked[0])
        engine.step()
        return (
            self._show(),
            engine.reward[0].item(),
            engine.terminated[0].item(),
            engine.truncated[0].item(),
            {"equity": engine.equity[0].item()},
        )

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

    def _show(self) -> Observation:
        if self.render_mode == "human":
            self.render()
        shown: Observation = self.engine.observation[0].copy()
        return shown
