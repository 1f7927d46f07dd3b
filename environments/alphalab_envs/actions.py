"""Actions: what an agent may ask for, and the weights that it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from alphalab.errors import ParameterError
from alphalab.types import FloatArray

ROUNDING = 1e-9  # of the gross limit


class Actions(Protocol):
    """A space of actions, and the weights that they mean."""

    space: gym.Space[Any]

    def one(self, action: Any, asked: FloatArray) -> None:
        """Write the weights (N,) of one action."""

    def many(self, actions: Any, asked: FloatArray) -> None:
        """Write the weights (C, N) of C actions."""


class Positions:
    """A choice among weights of one asset.

    Parameters
    ----------
    weights : sequence of float
        The weight that each action asks for, at least two.
    gross : float
        The gross limit: no weight is above it.

    Raises
    ------
    ParameterError
        Fewer than two weights, a weight that is not finite or above the limit; an action that is
        not the place of one of them.

    Examples
    --------
    >>> actions, asked = Positions([-1.0, 0.0, 1.0], gross=1.0), np.zeros((2, 1))
    >>> actions.many(np.array([0, 2]), asked)
    >>> asked.tolist()
    [[-1.0], [1.0]]
    """

    def __init__(self, weights: Sequence[float], gross: float) -> None:
        self.weights = np.array(weights, np.float64)
        if self.weights.ndim != 1 or self.weights.size < 2:
            raise ParameterError(
                f"positions={weights!r}", rule="an agent chooses among two weights or more."
            )
        _check_weights("positions", self.weights, gross)
        self._table = tuple(self.weights.tolist())
        self._n = self.weights.size
        self.space: gym.Space[Any] = gym.spaces.Discrete(self._n)

    def one(self, action: Any, asked: FloatArray) -> None:
        """Write the weight of one action."""
        place = action if type(action) is int else _whole(action)
        if not 0 <= place < self._n:
            raise _outside(action, self.space)
        asked[0] = self._table[place]

    def many(self, actions: Any, asked: FloatArray) -> None:
        """Write the weights of C actions."""
        places = np.asarray(actions)
        if places.shape != asked.shape[:1] or places.dtype.kind not in "iu":
            raise _wrong_shape(places, asked.shape[:1], "whole numbers")
        if places.min() < 0 or places.max() >= self._n:
            raise _outside(places[(places < 0) | (places >= self._n)][0], self.space)
        asked[:, 0] = self.weights[places]


class Weights:
    """A weight for each asset: action -1 asks for the lowest weight, 1 for the highest.

    Agents work best with actions around 0 (Stable-Baselines3 asks for -1 to 1), so an action a
    means the weight ``low + (a + 1) / 2 * (high - low)``.

    Parameters
    ----------
    n_assets : int
    low, high : float
        Bounds of the weight of one asset.
    gross : float
        The gross limit: no weight is above it. The gate scales weights down that add up to more.

    Raises
    ------
    ParameterError
        Bounds in the wrong order, not finite or above the limit; an action outside -1 to 1, or one
        that is NaN.

    Examples
    --------
    >>> actions, asked = Weights(2, low=0.0, high=1.0, gross=1.0), np.zeros((1, 2))
    >>> actions.many(np.array([[-1.0, 0.5]], np.float32), asked)
    >>> asked.tolist()
    [[0.0, 0.75]]
    """

    def __init__(self, n_assets: int, *, low: float, high: float, gross: float) -> None:
        if not low < high:
            raise ParameterError(f"weights from {low:g} to {high:g}", rule="low < high.")
        _check_weights("weights", np.array([low, high]), gross)
        self.low, self.half = low, (high - low) / 2.0
        self.space: gym.Space[Any] = gym.spaces.Box(-1.0, 1.0, (n_assets,), np.float32)

    def one(self, action: Any, asked: FloatArray) -> None:
        """Write the weights of one action."""
        self.many(action, asked)

    def many(self, actions: Any, asked: FloatArray) -> None:
        """Write the weights of C actions."""
        given = np.asarray(actions)
        if given.shape != asked.shape or given.dtype.kind not in "fiu":
            raise _wrong_shape(given, asked.shape, "numbers")
        if not (abs(given) <= 1.0).all():  # False for NaN as well
            raise _outside(given[~(abs(given) <= 1.0)][0], self.space)
        np.add(given, 1.0, out=asked, dtype=np.float64)
        asked *= self.half
        asked += self.low


def _whole(action: Any) -> int:
    """Return an action as a number; -1 for what is no whole number."""
    value = np.asarray(action)
    return int(value) if value.ndim == 0 and value.dtype.kind in "iu" else -1


def _check_weights(name: str, weights: FloatArray, gross: float) -> None:
    if not (abs(weights) <= gross * (1 + ROUNDING)).all():
        raise ParameterError(
            f"{name} {', '.join(f'{w:g}' for w in weights)}",
            rule=f"a weight is a number, and the gross limit is {gross:g}.",
            fix="Lower the weights, or raise limits=al.Limits(gross=...).",
        )


def _outside(action: Any, space: gym.Space[Any]) -> ParameterError:
    return ParameterError(f"action {action}", rule=f"an action lies in {space}.")


def _wrong_shape(given: Any, shape: tuple[int, ...], kind: str) -> ParameterError:
    return ParameterError(
        f"actions of shape {given.shape} and type {given.dtype}",
        rule=f"actions are {kind} of shape {shape}.",
    )
