"""`TradingEnv` and `TradingVectorEnv`: one asset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from gymnasium.vector import AutoresetMode

from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError
from alphalab_envs.actions import Actions, Positions, Weights
from alphalab_envs.making import setup_of
from alphalab_envs.setup import EnvOptions, Setup
from alphalab_envs.single import SingleEnv
from alphalab_envs.vector import ManyEnvs


class TradingEnv(SingleEnv):
    """One account that trades one asset: ``gym.make("alphalab/Trading-v0", bars=bars)``.

    A step is a row of bars. The action decides at the close of a row; by default the order trades
    at the open of the next row, and the reward counts to the close of that row. Matching, costs and
    limits are those of `alphalab.backtest`: the equity of an episode is that of a backtest of its
    targets, bit for bit. docs/market.md has every rule.

    **Action space.** ``Discrete(len(positions))``: action i asks for the weight ``positions[i]``.
    With ``continuous=True`` ``Box(-1, 1, (1,), float32)``: -1 asks for the lowest of the positions,
    1 for the highest, linear in between. An order is made when the weight changes, unless
    `rebalance` says otherwise.

    **Observation space.** ``Box(-1e9, 1e9, (window * F + 5,), float32)`` for F features:

    | place | number | range |
    |---|---|---|
    | 0 to window * F - 1 | features of the last rows, oldest row first | as given |
    | window * F | cash, fraction of equity | -1e9 to 1e9 |
    | + 1 | drawdown, fraction of the peak of equity | 0 to 1, above 1 after ruin |
    | + 2 | weight held, fraction of equity, negative when short | -1e9 to 1e9 |
    | + 3 | last action, the weight asked for; 0 after a reset | the positions |
    | + 4 | time held, n / (n + 100) for n rows since the opening fill; 0 when flat | 0 to 1 |

    **Reward.** The log return of equity, or another kind of `alphalab_envs.Reward`.

    **Start.** A row drawn uniformly among those at which an episode may begin, with cash only.

    **End.** ``terminated``: equity is 0 or less, or the drawdown limit has locked the account.
    ``truncated``: the last row of the episode.

    Parameters
    ----------
    bars : Bars or str
    positions : sequence of float
        Weights, negative for short; the lowest and the highest bound a continuous action.
    continuous : bool
    render_mode : {"human", "rgb_array"}, optional
    **options : EnvOptions
        features, rows, episode, window, reward, randomise, quality as in `Setup`; and all settings
        of `alphalab.backtest`: cash, costs, fill, limits, exits, margin, ...

    Raises
    ------
    AlphalabError
        Bars with several assets, or options that break a rule.

    Examples
    --------
    >>> import alphalab as al
    >>> import gymnasium as gym
    >>> import alphalab_envs
    >>> features = {"z": al.close.ts_zscore(20)}
    >>> env = gym.make("alphalab/Trading-v0", bars="sp500", features=features, episode=50)
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape, info["stop"] - info["start"]
    ((6,), 50)
    >>> observation, reward, terminated, truncated, info = env.step(1)
    >>> terminated, truncated
    (False, False)
    """

    def __init__(
        self,
        bars: Bars | str,
        *,
        positions: Sequence[float] = (0.0, 1.0),
        continuous: bool = False,
        render_mode: str | None = None,
        **options: Unpack[EnvOptions],
    ) -> None:
        setup = setup_of(bars, options)
        super().__init__(setup, actions_of(setup, positions, continuous), render_mode)


class TradingVectorEnv(ManyEnvs):
    """C accounts that trade one asset, in one call of the compiled step.

    ``gym.make_vec("alphalab/Trading-v0", num_envs=C, bars=bars, ...)`` returns it. Spaces, rewards
    and options are those of `TradingEnv`, and the i-th account is a `TradingEnv` with the i-th
    seed, bit for bit.

    Parameters
    ----------
    bars, positions, continuous, **options
        As in `TradingEnv`.
    num_envs : int
        C.
    autoreset_mode : AutoresetMode or str
        As in `alphalab_envs.vector.ManyEnvs`.

    Examples
    --------
    >>> import gymnasium as gym
    >>> import alphalab_envs
    >>> envs = gym.make_vec("alphalab/Trading-v0", num_envs=3, bars="sp500", episode=50)
    >>> observations, infos = envs.reset(seed=1)
    >>> observations.shape, envs.action_space
    ((3, 6), MultiDiscrete([2 2 2]))
    """

    def __init__(
        self,
        num_envs: int,
        bars: Bars | str,
        *,
        positions: Sequence[float] = (0.0, 1.0),
        continuous: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **options: Unpack[EnvOptions],
    ) -> None:
        setup = setup_of(bars, options)
        actions = actions_of(setup, positions, continuous)
        super().__init__(setup, actions, num_envs, autoreset_mode)


def actions_of(setup: Setup, positions: Sequence[float], continuous: bool) -> Actions:
    """Return the actions of one asset.

    Raises
    ------
    ParameterError
        Bars with several assets.
    """
    n = setup.bars.n_symbols
    if n != 1:
        raise ParameterError(
            f"alphalab/Trading-v0 on bars with {n} symbols",
            rule="it trades one asset.",
            fix=f"Use bars.select([{setup.bars.symbols[0]!r}]), or alphalab/Portfolio-v0.",
        )
    chosen: Any = Positions(positions, setup.settings.gross)
    if continuous:
        low, high = min(positions), max(positions)
        chosen = Weights(1, low=low, high=high, gross=setup.settings.gross)
    return chosen  # type: ignore[no-any-return]
