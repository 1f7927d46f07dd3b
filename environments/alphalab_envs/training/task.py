"""`Task`: what is learned: bars in three periods, and the environments on the first of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError
from alphalab.expr.policy_file import PolicyFile
from alphalab.expr.policy_rows import policy_expr, register_policy
from alphalab.expr.text import parse
from alphalab.research.results.result import Result
from alphalab.research.run.backtest import backtest
from alphalab.research.run.options import RunOptions
from alphalab_envs.portfolio import PortfolioVectorEnv
from alphalab_envs.sb3 import Sb3VecEnv
from alphalab_envs.setup import SetupOptions
from alphalab_envs.trading import TradingVectorEnv
from alphalab_envs.vector import ManyEnvs

EnvName = Literal["trading", "portfolio"]
_TRAINED, _VALIDATED = 0.6, 0.8  # shares of the rows, where no dates are given


class Periods(NamedTuple):
    """Rows of the bars: to train on, to choose by, and to report once."""

    train: slice
    validation: slice
    test: slice

    @classmethod
    def of(
        cls, bars: Bars, validate_from: Instant | None = None, test_from: Instant | None = None
    ) -> Periods:
        """Return the periods that begin at two moments; else after 60 % and 80 % of the rows.

        Raises
        ------
        ParameterError
            A period without rows.

        Examples
        --------
        >>> import alphalab as al
        >>> Periods.of(al.load("sp500"), "2012-01-01", "2016-01-01").test
        slice(4277, 5031, None)
        """
        first = _row(bars, validate_from, _TRAINED, "validate_from")
        second = _row(bars, test_from, _VALIDATED, "test_from")
        if not 0 < first < second < bars.n_rows:
            raise ParameterError(
                f"periods that begin in rows 0, {first} and {second} of {bars.n_rows}",
                rule="training, validation and test follow each other, and each has rows.",
                fix="Give validate_from and test_from inside the bars, in this order.",
            )
        return cls(slice(0, first), slice(first, second), slice(second, bars.n_rows))


def _row(bars: Bars, moment: Instant | None, share: float, name: str) -> int:
    if moment is None:
        return int(bars.n_rows * share)
    try:
        return bars.n_rows - bars.between(moment).n_rows
    except Exception as error:
        raise ParameterError(
            f"{name}={moment!r}",
            rule=f"it lies within the bars, {bars.start} to {bars.end}.",
        ) from error


class Task:
    """What is learned.

    Parameters
    ----------
    env : {"trading", "portfolio"}
        One asset, or weights over N assets.
    bars : Bars
    periods : Periods
    run : RunOptions
        Settings of every run: those of `alphalab.backtest`.
    positions : sequence of float
        Of ``trading``: the weights to choose among, or their bounds.
    low, high : float
        Of ``portfolio``: bounds of a weight.
    continuous : bool
        Of ``trading``: any weight between the positions.
    **setup : SetupOptions
        Of the environments: features, window, account, episode, reward, randomise, quality. The
        account is ``("asked",)`` unless given.

    Raises
    ------
    AlphalabError
        Bars, features, rows or settings that break a rule.
    """

    def __init__(
        self,
        env: EnvName,
        bars: Bars,
        periods: Periods,
        run: RunOptions,
        *,
        positions: Sequence[float] = (0.0, 1.0),
        low: float = 0.0,
        high: float = 1.0,
        continuous: bool = False,
        **setup: Any,
    ) -> None:
        self.env, self.bars, self.periods, self.run = env, bars, periods, run
        self.setup_options: SetupOptions = {"account": ("asked",), **setup}  # type: ignore[typeddict-item]
        self.quality = self.setup_options.get("quality", "refuse")
        if env == "trading":
            self.actions: dict[str, Any] = {"positions": positions, "continuous": continuous}
        else:
            self.actions = {"low": low, "high": high}
        self.sample = self.many(1)  # refuses what breaks a rule, before anything is trained

    @property
    def id(self) -> str:
        """Hash of all that decides what is learned, 64 hexadecimal digits."""
        setup, settings = self.sample.setup, self.sample.setup.settings
        known = {
            "env": self.env,
            "bars": self.bars.id,
            "periods": str(self.periods),
            "features": {name: str(expr) for name, expr in setup.features.items()},
            "window": setup.window,
            "account": setup.account,
            "episode": setup.episodes.length,
            "reward": setup.reward,
            "randomise": setup.randomise,
            "actions": self.actions,
            "settings": settings.id,
        }
        return hashlib.sha256(msgspec.json.encode(known)).hexdigest()

    def many(self, n: int) -> ManyEnvs:
        """Return n accounts on the rows of the training period."""
        make = TradingVectorEnv if self.env == "trading" else PortfolioVectorEnv
        options: Any = {**self.setup_options, **self.run, **self.actions}
        return make(n, self.bars, rows=self.periods.train, autoreset_mode="SameStep", **options)

    def envs(self, n: int, *, normalise: bool, gamma: float) -> VecEnv:
        """Return the accounts as Stable-Baselines3 takes them."""
        envs: VecEnv = Sb3VecEnv(self.many(n))
        return VecNormalize(envs, gamma=gamma) if normalise else envs

    def backtest(self, policy: PolicyFile, rows: slice) -> Result:
        """Return the backtest of a policy on a period; its features see the rows before."""
        return self.measured(strategy_of(policy), rows)

    def measured(
        self, strategy: Strategy, rows: slice, bars: Bars | None = None, **more: Any
    ) -> Result:
        """Return the backtest of a strategy on a period, with the settings of the task."""
        bars = (self.bars if bars is None else bars).rows(0, rows.stop)
        start = bars.time[rows.start].astype("M8[ns]")
        options: Any = {**self.run, **more}
        result: Result = backtest(strategy, bars, start=start, quality=self.quality, **options)
        return result


def strategy_of(policy: PolicyFile) -> ExprStrategy:
    """Return the strategy that holds what a policy asks for."""
    register_policy(policy)
    features = tuple(parse(text) for text in policy.description.features.values())
    return ExprStrategy(text=str(policy_expr(policy.sha256, features, policy.description.window)))
