"""`StepEngine`: accounts that stand at rows of their own and take their targets from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alphalab.codes import EnvCommand
from alphalab.config import RunSettings
from alphalab.core.accounts import Accounts, Market, shape_of
from alphalab.core.checks import check_assets
from alphalab.core.engine import Block
from alphalab.core.record import Record
from alphalab.core.rewards import Reward
from alphalab.core.rows import check_rows
from alphalab.core.strategy import Strategy
from alphalab.core.workspace import workspace
from alphalab.errors import DataError, ParameterError, StateError
from alphalab.kernels._jit import DISABLED, silent
from alphalab.kernels.market.arguments import COLUMNS, ENVS, OUTPUT, ROWS
from alphalab.kernels.market.env_driver import ENDED, OUTSIDE, advance
from alphalab.kernels.market.env_observation import size_of
from alphalab.types import LEDGER, FloatArray, Instrument, IntArray, Records

_NO_SEGMENTS = np.zeros(1, np.int64)


class Outside(Strategy, frozen=True):
    """Targets that come from outside: it has no expressions."""


class Stretch(NamedTuple):
    """Consecutive rows of one history: time (T,) in ns UTC, and the columns of its bars (T, N)."""

    time: IntArray
    columns: Mapping[str, FloatArray]


class StepEngine:
    """C accounts on the same bars: each stands at a row of its own, and its decision is open.

    `reset` puts accounts at the start of an episode, `step` ends their open row with targets and
    begins the next one. The rows of an episode equal, bit for bit, those of an `Engine` that is
    pushed from `start` to `stop` with the same targets, and no opinion in the last row.

    Parameters
    ----------
    stretches : sequence of Stretch
        Histories of the same assets, one after the other. An episode stays inside one of them.
    instruments : sequence of Instrument
        The N assets.
    settings : RunSettings
    features : ndarray of shape (T, F), float32
        What observations show of the T rows of all stretches.
    n_accounts : int
        C.
    window : int
        Rows of features in an observation.
    reward : Reward
    record : bool
        Keep all records of the episode of the only account, see `block`.
    tally : bool
        Keep the tally of every account, see `tallied`.

    Attributes
    ----------
    asked : ndarray of shape (C, N)
        Weights that the next step asks for; NaN: no opinion. Written by the caller.
    at, start, stop : ndarray of shape (C,), int64
        Row of the open decision; first and last row of the episode. `reset` reads start and stop.
    observation : ndarray of shape (C, D), float32
    reward : ndarray of shape (C,)
    equity : ndarray of shape (C,)
        Account value at the open decision, quote currency.
    terminated, truncated : ndarray of shape (C,), bool
        The account is ruined or locked; the episode came to its last row. All are overwritten by
        the next call.
    rules, instruments : records
        `alphalab.types.RULES` (C,) and `INSTRUMENT` (C, N), which a caller may change at a reset.

    Raises
    ------
    DataError, ParameterError, UnknownNameError
        Rows, assets or settings that break a rule.

    Examples
    --------
    >>> close = np.array([[10.0], [10.0], [20.0]])
    >>> bars = Stretch(np.array([1, 2, 3]), {"open": close, "close": close})
    >>> features = np.zeros((3, 0), np.float32)
    >>> engine = StepEngine([bars], [Instrument(symbol="A")], RunSettings(cash=100.0), features)
    >>> engine.start[0], engine.stop[0] = 0, 2
    >>> engine.reset()
    >>> engine.asked[0] = 1.0
    >>> engine.step()
    >>> engine.step()
    >>> engine.reward, engine.truncated
    (array([0.69314718]), array([ True]))
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        instruments: Sequence[Instrument],
        settings: RunSettings,
        features: NDArray[np.float32],
        *,
        n_accounts: int = 1,
        window: int = 1,
        reward: Reward | None = None,
        record: bool = False,
        tally: bool = False,
    ) -> None:
        self.assets, self.settings = tuple(instruments), settings
        n_rows, n_assets = sum(x.time.size for x in stretches), len(instruments)
        check_assets(self.assets, settings, n_rows)
        _check_exits(settings)
        strategy = Outside()
        shape = shape_of(strategy, settings, (), n_assets)
        accounts = Accounts([(strategy, settings)] * n_accounts, self.assets, shape, _NO_SEGMENTS)
        template = Accounts([(strategy, settings)], self.assets, shape, _NO_SEGMENTS)
        rows = _rows_of(stretches, self.assets, settings, strategy, template)
        reward = Reward() if reward is None else reward
        size = size_of(features.shape[1], window, n_assets)
        envs = _envs(n_accounts, n_assets, features, size, reward)
        self._accounts, self._envs = accounts, envs
        self._record = Record(n_assets) if record else None
        self._ended: Block | None = None
        self._work = workspace(n_assets, shape, _NO_SEGMENTS, events=record)
        self._fixed = _packed(accounts), self._work, rows
        self._output = OUTPUT.pack(
            targets=np.zeros((n_accounts, 1, n_assets)),
            ledger=np.zeros((n_accounts, 1), LEDGER),
            qty=np.zeros((n_accounts, 1, n_assets)),
        )
        self._rest = envs, _packed(template), record, tally, window, int(reward.code)
        self._arguments = *self._fixed, self._output, *self._rest
        self._advance = _silently if DISABLED else advance()
        self._all_step = False  # every command is STEP
        self.asked, self.observation, self.reward = envs.asked, envs.observation, envs.reward
        self.at, self.start, self.stop = envs.at, envs.start, envs.stop
        self.equity = envs.last_equity
        self.terminated, self.truncated = envs.terminated, envs.truncated
        self.rules, self.instruments = accounts.rules, accounts.instruments

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        """Begin an episode from `start` to `stop`, for all accounts or those in a mask."""
        if self._record is not None:
            self._record.begin(int(self.stop[0] - self.start[0]) + 1)
            self._work.counts[:] = 0
            self._output = self._record.output(slice(None))
            self._arguments = *self._fixed, self._output, *self._rest
            self._ended = None
        self._command(EnvCommand.RESET, which)

    def step(self, which: NDArray[np.bool_] | None = None) -> None:
        """End the open row with the targets `asked`, and begin the next row."""
        if which is None and self._all_step:
            self._run()
        else:
            self._command(EnvCommand.STEP, which)

    def step_or_reset(self, resets: NDArray[np.bool_]) -> None:
        """Reset the accounts in a mask, and step all others."""
        self._all_step = False
        self._envs.command[:] = np.where(resets, EnvCommand.RESET, EnvCommand.STEP)
        self._run()

    def _command(self, command: EnvCommand, which: NDArray[np.bool_] | None) -> None:
        self._all_step = which is None and command == EnvCommand.STEP
        if which is None:
            self._envs.command.fill(command)
        else:
            self._envs.command[:] = np.where(which, command, EnvCommand.REST)
        self._run()

    def _run(self) -> None:
        """Call the driver; empty the logs of an account that records if they are full."""
        done = self._advance(*self._arguments)
        if done == 0 and self._record is not None:
            self._record.empty(self._work)
            done = self._advance(*self._arguments)
        if done < 0:
            self._fail(*divmod(-1 - done, self.at.size))

    def _fail(self, code: int, c: int) -> None:
        if code == ENDED:
            raise StateError(
                f"a step of environment {c}, whose episode has ended",
                rule="an episode that is terminated or truncated takes no more steps.",
                fix="Reset it first.",
            )
        if code == OUTSIDE:
            raise ParameterError(
                f"an episode from row {self.start[c]} to row {self.stop[c]}",
                rule="it has two rows or more, inside the bars, with a whole window before the "
                "first decision.",
            )
        raise DataError(
            f"equity is {self._accounts.accounts['equity'][c]} in row {self.at[c]}",
            rule="prices and positions stay within what a float can hold.",
            fix="Look for a broken price there.",
        )

    @property
    def account(self) -> Records:
        """The accounts at their open decisions, (C,), a copy: `alphalab.types.ACCOUNT`."""
        return self._accounts.accounts.copy()  # type: ignore[no-any-return]

    @property
    def ledger(self) -> Records:
        """The rows of the episode that are complete, of an account that records, (R,)."""
        return self._output.ledger[0, : self._accounts.accounts["row"][0]]  # type: ignore[no-any-return]

    @property
    def qty(self) -> FloatArray:
        """Units held after each complete row, of an account that records, (R, N)."""
        return self._output.qty[0, : self._accounts.accounts["row"][0]]  # type: ignore[no-any-return]

    def block(self) -> Block:
        """Return the records of the episode that has ended, of an account that records.

        Raises
        ------
        StateError
            The episode goes on, or the engine does not record.
        """
        ended = bool(self.terminated[0] or self.truncated[0])
        if self._record is None or not ended:
            raise StateError(
                "records of an episode that has not ended" if self._record else "no records",
                rule="an engine that records gives the records of an episode once it has ended.",
            )
        if self._ended is None:
            self._record.empty(self._work)
            n = int(self._accounts.accounts["row"][0])
            ledger, qty, targets, *logs = self._record.taken()
            self._ended = Block(ledger[:n], qty[:n], targets[:n], *logs)
        return self._ended

    def tallied(self) -> tuple[Records, Any]:
        """Return figures (C,), `alphalab.types.TALLY`, and digest words of all accounts."""
        figures, words, _ = self._accounts.tallied()
        return figures, words


def _check_exits(settings: RunSettings) -> None:
    """Refuse distances from expressions: accounts start anywhere, with no rows before."""
    if settings.exits is not None and settings.exits.distances:
        name, text = next(iter(settings.exits.distances.items()))
        raise ParameterError(
            f"an environment with Exits({name}={text!r})",
            rule="an episode starts in any row, so the exits of an environment read no expression.",
            fix="Use a fraction of the price: stop_loss, take_profit or trailing.",
        )


def _silently(*arguments: Any) -> Any:
    """Call the driver that is not compiled, without NumPy's warnings."""
    with silent():
        return advance()(*arguments)


def _packed(accounts: Accounts) -> Any:
    return COLUMNS.pack(**{name: getattr(accounts, name) for name in COLUMNS.names})


def _envs(n: int, n_assets: int, features: NDArray[np.float32], size: int, reward: Reward) -> Any:
    counts = {name: np.zeros(n, np.int64) for name in ("command", "start", "at", "stop", "forced")}
    return ENVS.pack(
        **counts,
        asked=np.zeros((n, n_assets)),
        features=np.array(features, np.float32, order="C"),
        observation=np.zeros((n, size), np.float32),
        last_equity=np.zeros(n),
        turnover=np.zeros(n),
        moments=np.zeros((n, 2)),
        reward=np.zeros(n),
        weight=np.array([reward.of_kind]),
        terminated=np.zeros(n, np.bool_),
        truncated=np.zeros(n, np.bool_),
    )


def _rows_of(
    stretches: Sequence[Stretch],
    assets: Sequence[Instrument],
    settings: RunSettings,
    strategy: Strategy,
    template: Accounts,
) -> Any:
    """Check the rows of every stretch, and return them packed for the driver."""
    pairs = [(strategy, settings)]
    n_rows = sum(x.time.size for x in stretches)
    market = Market(pairs, assets, n_rows)
    first = template.accounts[0], template.positions["mark"][0]
    time, bars, delists, at = np.empty(n_rows, np.int64), market.bars.copy(), 0, 0
    for stretch in stretches:
        names = market.columns, market.columns
        check_rows(settings, assets, *names, *first, stretch.time, stretch.columns)
        n = market.read(stretch.time, stretch.columns, slice(0, stretch.time.size))
        time[at : at + n], bars[:, at : at + n] = market.time[:n], market.bars[:, :n]
        delists |= int(market.delists[0])
        at += n
    market.time[:] = time
    return ROWS.pack(
        time=time,
        period=np.ascontiguousarray(market.periods(settings.rebalance.period, n_rows)),
        bars=bars,
        delists=np.array([delists]),
        signals=np.empty((template.accounts.size, 0, 0, len(assets))),
        distances=np.empty((template.accounts.size, 0, 0, len(assets))),
    )
