"""Gymnasium environments over alphalab's step.

`gym.make("alphalab/Trading-v0", bars=bars)` and `gym.make("alphalab/Portfolio-v0", bars=bars)` are
environments of one account, `gym.make_vec` of many. A step pushes one row through the compiled step
that a backtest pushes in blocks, so an agent learns on what it is later measured on.

Importing this package registers them.
"""

from __future__ import annotations

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
]

register_envs()
