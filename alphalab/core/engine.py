"""`Engine`: plan, gate, rebalance, ledger and venue behind `push`, `snapshot` and `restore`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.config import RunSettings
from alphalab.core.accounts import LOGS, Accounts, Market, Room, default_capacity, shape_of
from alphalab.core.books_check import check_books
from alphalab.core.checks import check_assets, check_weights
from alphalab.core.decide import decide_identity
from alphalab.core.rows import check_rows
from alphalab.core.snapshot import Snapshot, decode, encode
from alphalab.core.strategy import Strategy
from alphalab.core.timeline import Timeline
from alphalab.errors import DataError, StateError, StrategyError
from alphalab.expr.plan import Plan
from alphalab.kernels._jit import silent
from alphalab.kernels.market import drivers
from alphalab.types import LEDGER, FloatArray, Instrument, InstrumentChange, IntArray, Records


class Block(NamedTuple):
    """What R pushed rows gave.

    Attributes
    ----------
    ledger : records of shape (R,)
        `alphalab.types.LEDGER`.
    qty : ndarray of shape (R, N)
        Units held after each row.
    targets : ndarray of shape (R, N)
        Approved weights; NaN: no opinion.
    fills, refusals, events, postings, ambiguities : records
        `alphalab.types.FILL`, `REFUSAL`, `EVENT`, `POSTED` and `AMBIGUITY`, in order.
    """

    ledger: Records
    qty: FloatArray
    targets: FloatArray
    fills: Records
    refusals: Records
    events: Records
    postings: Records
    ambiguities: Records


class Engine:
    """One account that trades one strategy: push rows in, get decisions out.

    A backtest pushes large blocks, a live runner one row at a time; nothing else differs, and the
    results are equal bit for bit however the rows are cut.

    Parameters
    ----------
    strategy : Strategy
    instruments : sequence of Instrument
        The N assets, in the order of the columns.
    settings : RunSettings
    changes : sequence of InstrumentChange
        What becomes of the instruments later: ticks, lots, minimum values and fees.
    capacity : int, optional
        Rows computed at a time; `push` takes any number.

    Attributes
    ----------
    columns : tuple of str
        The bar columns that `push` reads.
    warmup : int
        Rows at the start before every window of some signal is full.
    id : str
        Identity of everything that decides what it does, except the rows.

    Raises
    ------
    AlphalabError
        A strategy, an expression or a setting that breaks a rule.

    Examples
    --------
    >>> from alphalab.expr.functions import close, where
    >>> class Long(Strategy):
    ...     def weights(self):
    ...         return where(close > 0, 1.0, 0.0)
    >>> engine = Engine(Long(), [Instrument(symbol="A")], RunSettings(cash=100.0))
    >>> prices = np.array([[10.0], [10.0], [20.0]])
    >>> block = engine.push(np.array([1, 2, 3]), {"open": prices, "close": prices})
    >>> block.ledger["equity"]
    array([100., 100., 200.])
    >>> block.fills[["row", "qty", "price"]].tolist()
    [(1, 10.0, 10.0)]
    """

    def __init__(
        self,
        strategy: Strategy,
        instruments: Sequence[Instrument],
        settings: RunSettings,
        *,
        changes: Sequence[InstrumentChange] = (),
        capacity: int | None = None,
    ) -> None:
        self.strategy = strategy
        self.instruments = tuple(instruments)
        self.settings = settings
        check_assets(self.instruments, settings, capacity)
        self.changes = tuple(changes)
        self._timeline = Timeline(self.instruments, self.changes)
        self._state = 0  # of the timeline, in force
        n_assets = len(self.instruments)
        self.capacity = default_capacity(n_assets) if capacity is None else capacity
        self.expressions = strategy.expressions()
        self.plan = Plan(self.expressions, self.instruments, self.capacity)
        self._market = Market([(strategy, settings)], self.instruments, self.capacity)
        self.columns = tuple(dict.fromkeys((*self._market.columns, *self.plan.columns)))
        self.warmup = self.plan.warmup
        if type(strategy).decide is None:
            name = type(strategy).__name__
            check_weights(name, self.expressions, settings.gross, self.instruments)
        self.id = _identity(self)
        n_signals = len(self.expressions)
        shape = shape_of(strategy, settings, n_signals, n_assets)
        self._accounts = Accounts([(strategy, settings)], self.instruments, shape)
        self._room = Room(n_assets, shape, events=True)
        self._books = self._accounts.arguments(slice(0, 1), self._room)
        self._signals = np.empty((1, self.capacity, n_signals, n_assets))
        self._within_push = False

    def push(self, time: IntArray, columns: Mapping[str, FloatArray]) -> Block:
        """Push the next rows.

        Parameters
        ----------
        time : ndarray of shape (R,)
            int64 ns UTC, strictly increasing, after every row pushed before.
        columns : mapping of str to ndarray of shape (R, N)
            float64; at least the names in `self.columns`. NaN: not traded.

        Returns
        -------
        Block

        Raises
        ------
        DataError, UnknownNameError
            Times that do not go forward, a column that is missing or of another shape, a price
            outside of its bounds. Nothing has been pushed then.
        StrategyError, ExprError
            A `decide` or a Python operator that fails on one of the rows.
        StateError
            A push before this one has failed half way: `restore` a snapshot first.
        """
        self._check_whole()
        last = int(self._accounts.accounts["time"][0])
        marks = self._accounts.positions["mark"][0]
        check_rows(self.settings, self.instruments, self.columns, last, marks, time, columns)
        self._within_push = True
        n_rows, n_assets = time.size, len(self.instruments)
        block = Block(
            np.zeros(n_rows, LEDGER),
            np.empty((n_rows, n_assets)),
            np.empty((n_rows, n_assets)),
            *(np.empty(0, log) for log in LOGS),
        )
        logs: list[list[NDArray[np.uint8]]] = [[] for _ in LOGS]
        for rows, state in self._timeline.spans(time, self.capacity):
            if state != self._state:
                self._accounts.change(self._timeline.states[state])
                self._state = state
            self._step(rows, time, columns, block, logs)
        self._within_push = False
        whole = (
            np.concatenate(parts).view(log) if parts else np.empty(0, log)
            for log, parts in zip(LOGS, logs, strict=True)
        )
        return Block(block.ledger, block.qty, block.targets, *whole)

    def warm(self, columns: Mapping[str, FloatArray]) -> None:
        """Let the expressions see rows that come before the first push; nothing trades in them.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (R, N)
            At least the names in `self.plan.columns`, oldest row first. None of them: nothing to
            see.
        """
        n_rows = len(next(iter(columns.values()), ()))
        self.warmup = max(self.warmup - n_rows, 0)
        for i in range(0, n_rows, self.capacity):
            rows = slice(i, min(i + self.capacity, n_rows))
            block = {name: columns[name][rows] for name in self.plan.columns}
            for _ in self.plan.each(block, rows.stop - rows.start):
                pass

    def take_over(self, other: Engine) -> None:
        """Go on with the account, the positions and the waiting orders of another engine.

        The memory of a `decide` stays its own: zeros at the start.

        Raises
        ------
        StateError
            An engine with other settings, other assets, or another number of orders.
        """
        theirs = (other.settings, other.instruments, other.changes)
        if theirs != (self.settings, self.instruments, self.changes) or (
            other._accounts.shape.places != self._accounts.shape.places
        ):
            raise StateError(
                f"{type(self.strategy).__name__} cannot go on with the account of "
                f"{type(other.strategy).__name__}",
                rule="settings, assets and the number of orders that may wait are the same.",
            )
        for mine, book in zip(self._accounts.books, other._accounts.books, strict=True):
            mine[...] = book

    def _check_whole(self) -> None:
        if self._within_push:
            raise StateError(
                f"the push of row {self._accounts.accounts['row'][0]} did not end",
                rule="an engine that failed half way through its rows takes no more.",
                fix="Restore a snapshot, or make a new engine.",
            )

    def _step(
        self,
        rows: slice,
        time: IntArray,
        columns: Mapping[str, FloatArray],
        block: Block,
        logs: list[list[NDArray[np.uint8]]],
    ) -> None:
        """Push up to `capacity` rows through plan and step, emptying the logs as they fill."""
        room, market, accounts = self._room, self._market, self._accounts
        n = market.read(time, columns, rows)
        targets = block.targets[rows]
        values = self.plan.each({name: columns[name][rows] for name in self.plan.columns}, n)
        more: tuple[Any, ...] = ()
        if accounts.decide is None:
            run = drivers.run_weights()
            for _, weights in values:
                targets[:] = weights
        else:
            run = drivers.run_decide()
            for k, (_, signal) in enumerate(values):
                self._signals[0, :n, k] = signal
            more = (
                *(self._signals, accounts.memory, room.seen, room.seen_orders),
                *(room.requests, room.sent, accounts.decide),
            )
        table = (
            *(market.time, market.periods(accounts.shape.period, n), market.bars, targets[None]),
            *(True, block.ledger[None, rows], block.qty[None, rows]),
        )
        done = 0
        while done < n:
            try:
                with silent():
                    done = run(*self._books, *table, done, n, *more)
            except Exception as error:
                raise StrategyError(
                    f"{type(self.strategy).__name__}.decide failed in row "
                    f"{accounts.accounts['row'][0]}: {type(error).__name__}: {error}",
                    rule="decide(signals, account, memory) returns N weights.",
                    fix="Run with NUMBA_DISABLE_JIT=1 and --debug to see the line.",
                ) from error
            for parts, log, count in zip(logs, room.logs, room.counts, strict=True):
                if count:
                    parts.append(log[:count].view(np.uint8).copy())  # whole, not field by field
            room.counts[:] = 0
        _check_equity(block.ledger["equity"][rows], rows.start)

    def snapshot(self) -> bytes:
        """Return everything it remembers, to go on from in another process.

        Raises
        ------
        StateError
            The push before has failed half way: there is no whole state to go on from.
        """
        self._check_whole()
        books = (array.tobytes() for array in self._accounts.state)
        return encode(Snapshot(self.id, *books, self.plan.snapshot()))  # type: ignore[call-arg]

    def restore(self, snapshot: bytes) -> None:
        """Take up the state of a `snapshot` of an engine with the same id.

        Raises
        ------
        StateError
            Bytes that are no snapshot, a damaged one, one of another strategy, other settings or
            other assets, or one that no engine can have taken. The engine is as it was then.
        """
        state = decode(snapshot)
        if state.engine_id != self.id:
            raise StateError(
                f"snapshot of engine {state.engine_id[:12]}, this is {self.id[:12]}",
                rule="a snapshot fits the same strategy, parameters, settings and assets.",
            )
        books = self._accounts.read(state.books)
        check_books(books, self.instruments, self._accounts.shape.n_tiers)
        self.plan.restore(state.plan)
        for array, read in zip(self._accounts.state, books, strict=True):
            array[...] = read
        self._room.counts[:] = 0
        self._within_push = False


def _check_equity(equity: FloatArray, first: int) -> None:
    finite = np.isfinite(equity)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(
            f"equity is {equity[row]} in row {first + row} of this push",
            rule="prices and positions stay within what a float can hold.",
            fix="Look for a broken price there.",
        )


def _identity(engine: Engine) -> str:
    parts = [
        type(engine.strategy).__name__,
        engine.strategy.canonical_json(),
        *(f"{name}={expr}" for name, expr in engine.expressions.items()),
        engine.plan.id.hex(),
        decide_identity(engine.strategy),
        engine.settings.canonical_json(),
        *(
            msgspec.json.encode(instrument, order="sorted").decode()
            for instrument in engine.instruments
        ),
        *(msgspec.json.encode(change, order="sorted").decode() for change in engine.changes),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
