"""`PortfolioEnv` and `PortfolioVectorEnv`: weights over N assets."""

from __future__ import annotations

from typing import Unpack

from gymnasium.vector import AutoresetMode

from alphalab.data.panel.bars import Bars
from alphalab_envs.actions import Weights
from alphalab_envs.making import setup_of
from alphalab_envs.setup import EnvOptions
from alphalab_envs.single import SingleEnv
from alphalab_envs.vector import ManyEnvs


class PortfolioEnv(SingleEnv):
    """One account that holds N assets: ``gym.make("alphalab/Portfolio-v0", bars=bars)``.

    A step is a row of bars, as in `alphalab_envs.trading.TradingEnv`. Weights need not add up to 1:
    what is left is cash. The risk gate scales weights down whose absolute values add up to more
    than the gross limit: 1, or the leverage of a margin account.

    **Action space.** ``Box(-1, 1, (N,), float32)``: -1 asks for the weight `low`, 1 for `high`,
    linear in between, for each asset.

    **Observation space.** ``Box(-1e9, 1e9, (window * F * N + 2 + 3 * N,), float32)``, F features:

    | place | number | range |
    |---|---|---|
    | 0 to window * F * N - 1 | features of the last rows, oldest row first; in a row feature by
      feature, and in a feature asset by asset | as given |
    | then 1 | cash, fraction of equity | -1e9 to 1e9 |
    | then 1 | drawdown, fraction of the peak of equity | 0 to 1, above 1 after ruin |
    | then N | weights held, fraction of equity, negative when short | -1e9 to 1e9 |
    | then N | last action, the weights asked for; 0 after a reset | low to high |
    | then N | time held, n / (n + 100) for n rows since the position was opened | 0 to 1 |

    **Reward, start and end** are those of `alphalab_envs.trading.TradingEnv`.

    Parameters
    ----------
    bars : Bars or str
    low, high : float
        Bounds of the weight of one asset; `low` below 0 allows short positions.
    render_mode : {"human", "rgb_array"}, optional
    **options : EnvOptions
        features, rows, episode, window, reward, randomise, quality as in `Setup`; and all settings
        of `alphalab.backtest`.

    Raises
    ------
    AlphalabError
        Options that break a rule.

    Examples
    --------
    >>> import alphalab as al
    >>> import gymnasium as gym
    >>> import numpy as np
    >>> import alphalab_envs
    >>> features = {"momentum": al.cs_zscore(al.close.returns(20))}
    >>> env = gym.make("alphalab/Portfolio-v0", bars="sp500_stocks", features=features, episode=9)
    >>> observation, info = env.reset(seed=1)
    >>> env.action_space.shape, observation.shape
    ((20,), (82,))
    >>> equal = np.full(20, 2 / 20 - 1, np.float32)
    >>> observation, reward, terminated, truncated, info = env.step(equal)
    >>> observation[42:44].tolist() == [np.float32(0.05)] * 2
    True
    """

    def __init__(
        self,
        bars: Bars | str,
        *,
        low: float = 0.0,
        high: float = 1.0,
        render_mode: str | None = None,
        **options: Unpack[EnvOptions],
    ) -> None:
        setup = setup_of(bars, options)
        gross = setup.settings.gross
        actions = Weights(setup.bars.n_symbols, low=low, high=high, gross=gross)
        super().__init__(setup, actions, render_mode)


class PortfolioVectorEnv(ManyEnvs):
    """C accounts that hold N assets, in one call of the compiled step.

    ``gym.make_vec("alphalab/Portfolio-v0", num_envs=C, bars=bars, ...)`` returns it. The i-th
    account is a `PortfolioEnv` with the i-th seed, bit for bit.

    Parameters
    ----------
    bars, low, high, **options
        As in `PortfolioEnv`.
    num_envs : int
        C.
    autoreset_mode : AutoresetMode or str
        As in `alphalab_envs.vector.ManyEnvs`.
    """

    def __init__(
        self,
        num_envs: int,
        bars: Bars | str,
        *,
        low: float = 0.0,
        high: float = 1.0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **options: Unpack[EnvOptions],
    ) -> None:
        setup = setup_of(bars, options)
        gross = setup.settings.gross
        actions = Weights(setup.bars.n_symbols, low=low, high=high, gross=gross)
        super().__init__(setup, actions, num_envs, autoreset_mode)
