"""Gymnasium environments over alphalab's step.

`gym.make("alphalab/Trading-v0", bars=bars)` and `gym.make("alphalab/Portfolio-v0", bars=bars)` are
environments of one account, `gym.make_vec` of many. A step pushes one row through the compiled step
that a backtest pushes in blocks, so an agent learns on what it is later measured on.

Importing this package registers them. The training of policies (`train`, `tune`) is imported when
it is first used, because it needs torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from alphalab.errors import import_extra

import_extra("gymnasium", "rl")

from alphalab.core.rewards import Reward  # noqa: E402
from alphalab_envs.portfolio import PortfolioEnv, PortfolioVectorEnv  # noqa: E402
from alphalab_envs.randomise import Randomise  # noqa: E402
from alphalab_envs.registration import register_envs  # noqa: E402
from alphalab_envs.trading import TradingEnv, TradingVectorEnv  # noqa: E402

__all__ = [
    "PortfolioEnv",
    "PortfolioVectorEnv",
    "Randomise",
    "Reward",
    "TradingEnv",
    "TradingVectorEnv",
    "Trained",
    "Training",
    "train",
    "tune",
]

if TYPE_CHECKING:
    from alphalab_envs.training.settings import Training
    from alphalab_envs.training.train import Trained, train
    from alphalab_envs.training.tune import tune

_HOME = {
    "Trained": "alphalab_envs.training.train",
    "Training": "alphalab_envs.training.settings",
    "train": "alphalab_envs.training.train",
    "tune": "alphalab_envs.training.tune",
}


def __getattr__(name: str) -> Any:
    """Import what trains where it lives."""
    if name not in _HOME:
        raise AttributeError(f"module 'alphalab_envs' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


register_envs()
