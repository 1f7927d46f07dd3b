"""What an observation shows: its space, and the parts of the account in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from alphalab.errors import ParameterError, UnknownNameError
from alphalab.kernels.market.env_observation import BOUND
from alphalab.types import IntArray

Observation = NDArray[np.float32]

#: Parts of the account, in the order of an observation.
ACCOUNT = ("cash", "drawdown", "held", "asked", "age")
_ONE_NUMBER = ("cash", "drawdown")  # the others have one for each asset


def observation_space(size: int) -> gym.Space[Observation]:
    """Return the space of observations: finite numbers."""
    space: Any = gym.spaces.Box(-BOUND, BOUND, (size,), np.float32)
    return space  # type: ignore[no-any-return]


def places_of(n_features: int, n_assets: int, account: Sequence[str]) -> IntArray:
    """Return the places that are shown of an observation with all parts.

    Raises
    ------
    UnknownNameError
        A part that no account has.
    ParameterError
        Parts out of order, or given twice; an observation without any number.

    Examples
    --------
    >>> places_of(2, 3, ("cash", "asked")).tolist()
    [0, 1, 2, 7, 8, 9]
    """
    for name in account:
        if name not in ACCOUNT:
            raise UnknownNameError("part of the account", name, ACCOUNT)
    chosen = [name for name in ACCOUNT if name in account]
    if chosen != list(account) or not n_features + len(chosen):
        raise ParameterError(
            f"account={tuple(account)!r}",
            rule=f"parts are given once, in the order {', '.join(ACCOUNT)}, and an observation "
            "has a number.",
        )
    places, first = [np.arange(n_features)], n_features
    for name in ACCOUNT:
        n = 1 if name in _ONE_NUMBER else n_assets
        if name in chosen:
            places.append(np.arange(first, first + n))
        first += n
    return np.concatenate(places)
