"""`Engine`: plan, gate, rebalance, ledger and venue behind `push`, `snapshot` and `restore`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.config import RunSettings
from alphalab.core.checks import check_assets, check_weights
from alphalab.core.decide import compiled_decide, decide_identity
from alphalab.core.rows import check_rows, market_columns
from alphalab.core.rules import (
    foreign,
    instrument_records,
    periods,
    rule_records,
    tier_records,
)
from alphalab.core.strategy import Strategy
from alphalab.errors import DataError, StateError, StrategyError
from alphalab.expr.plan import Plan, group_codes
from alphalab.kernels import step
from alphalab.kernels._jit import silent
from alphalab.kernels.books import Row, most_of_row
from alphalab.kernels.postings import DAYS
from alphalab.kernels.table import FIRST_EXPLICIT
from alphalab.types import (
    ACCOUNT,
    AMBIGUITY,
    EVENT,
    FILL,
    LEDGER,
    NEVER,
    ORDER,
    POSITION,
    POSTED,
    REFUSAL,
    REQUEST,
    FloatArray,
    Instrument,
    IntArray,
    Records,
)

SNAPSHOT_VERSION = 2
LOGS = (FILL, REFUSAL, EVENT, POSTED, AMBIGUITY)  # in the order of the kernels' counts
_USUAL = (2048, 512, 4096, 256, 256)  # entries of each log


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


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """Everything an engine remembers."""

    version: int
    engine_id: str
    account: bytes
    positions: bytes
    orders: bytes
    traded: bytes
    memory: bytes
    plan: list[bytes]


def default_capacity(n_assets: int) -> int:
    """Return the rows that keep a node's buffer in the cache: 8,192 cells, 16 to 4,096 rows."""
    return min(max(8192 // n_assets, 16), 4096)


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
        capacity: int | None = None,
    ) -> None:
        self.strategy = strategy
        self.instruments = tuple(instruments)
        self.settings = settings
        check_assets(self.instruments, settings, capacity)
        n_assets = len(self.instruments)
        self.capacity = default_capacity(n_assets) if capacity is None else capacity
        self.expressions = strategy.expressions()
        self.plan = Plan(self.expressions, self.instruments, self.capacity)
        inside = bool(settings.exits or settings.entry or strategy.max_orders)
        self._market = market_columns(settings, self.instruments, inside)
        self._rates = foreign(settings, self.instruments)
        names = (*self._market, *self._rates.values(), *self.plan.columns)
        self.columns = tuple(dict.fromkeys(names))
        self.warmup = self.plan.warmup
        if type(strategy).decide is None:
            name = type(strategy).__name__
            check_weights(name, self.expressions, settings.gross, self.instruments)
        self.id = _identity(self)

        group = settings.limits.group
        codes = np.full(n_assets, np.nan) if group is None else group_codes(self.instruments, group)
        self._groups = np.where(np.isnan(codes), -1, codes).astype(np.int64)
        n_groups = int(self._groups.max(initial=-1)) + 1
        self._rules = rule_records(settings, self.instruments, n_groups)
        self._instruments = instrument_records(self.instruments, settings.costs)
        self._tiers = tier_records(settings.costs)
        self._account, self._positions = _opened(n_assets, settings.cash)
        places = int(FIRST_EXPLICIT) + strategy.max_orders if inside else 1
        self._orders: Any = np.zeros((n_assets, places), ORDER)
        self._traded = np.zeros(DAYS + 1)
        self._memory = np.zeros((strategy.memory_rows, n_assets))
        n_requests = max(16, 4 * n_assets * strategy.max_orders) if strategy.max_orders else 0
        self._buffers = _Buffers(self.capacity, n_assets, places, len(self.expressions), n_requests)
        self._decide = compiled_decide(strategy)
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
            that is not finite and above 0. Nothing has been pushed then.
        StrategyError, ExprError
            A `decide` or a Python operator that fails on one of the rows.
        StateError
            A push before this one has failed half way: `restore` a snapshot first.
        """
        self._check_whole()
        last = int(self._account["time"][0])
        marks = self._positions["mark"]
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
        for i in range(0, n_rows, self.capacity):
            rows = slice(i, min(i + self.capacity, n_rows))
            self._step(rows, time, columns, block, logs)
        self._within_push = False
        whole = (
            np.concatenate(parts).view(log) if parts else np.empty(0, log)
            for log, parts in zip(LOGS, logs, strict=True)
        )
        return Block(block.ledger, block.qty, block.targets, *whole)

    def _check_whole(self) -> None:
        if self._within_push:
            raise StateError(
                f"the push of row {self._account['row'][0]} did not end",
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
        b = self._buffers
        n = rows.stop - rows.start
        outputs = self.plan.run({name: columns[name][rows] for name in self.plan.columns}, n)
        b.time[:n] = time[rows]
        b.period[:n] = periods(time[rows], self.settings.rebalance.period)
        for name in self._market:
            b.bars[_PLACE[name], :n] = columns[name][rows]
        for j, instrument in enumerate(self.instruments):
            if instrument.symbol in self._rates:
                rates = columns[self._rates[instrument.symbol]]
                b.bars[_PLACE["rate"], :n, j] = rates[rows, j]
        targets = block.targets[rows]
        books = (
            *(self._rules, self._tiers, self._instruments, self._groups),
            *(self._account, self._positions, self._orders, self._traded),
            *(*b.logs, b.counts, *b.saved),
        )
        table = (b.time, b.period, b.bars, targets, block.ledger[rows], block.qty[rows])
        more: tuple[Any, ...] = ()
        if self._decide is None:
            run = step.run_weights()
            targets[:] = outputs["weights"]
        else:
            run = step.run_decide()
            for k, values in enumerate(outputs.values()):
                b.signals[:n, k] = values
            more = (
                *(b.signals, self._memory, b.seen, b.seen_orders, b.requests, b.sent),
                self._decide,
            )
        done = 0
        while done < n:
            try:
                with silent():
                    done = run(*books, *table, done, n, *more)
            except Exception as error:
                raise StrategyError(
                    f"{type(self.strategy).__name__}.decide failed in row "
                    f"{self._account['row'][0]}: {type(error).__name__}: {error}",
                    rule="decide(signals, account, memory) returns N weights.",
                    fix="Run with NUMBA_DISABLE_JIT=1 and --debug to see the line.",
                ) from error
            for parts, log, count in zip(logs, b.logs, b.counts, strict=True):
                if count:
                    parts.append(log[:count].view(np.uint8).copy())  # whole, not field by field
            b.counts[:] = 0
        _check_equity(block.ledger["equity"][rows], rows.start)

    def snapshot(self) -> bytes:
        """Return everything it remembers, to go on from in another process.

        Raises
        ------
        StateError
            The push before has failed half way: there is no whole state to go on from.
        """
        self._check_whole()
        return msgspec.msgpack.encode(
            Snapshot(
                SNAPSHOT_VERSION,
                self.id,
                self._account.tobytes(),
                self._positions.tobytes(),
                self._orders.tobytes(),
                self._traded.tobytes(),
                self._memory.tobytes(),
                self.plan.snapshot(),
            )
        )

    def restore(self, snapshot: bytes) -> None:
        """Take up the state of a `snapshot` of an engine with the same id.

        Raises
        ------
        StateError
            Bytes that are no snapshot, or one of another strategy, other settings or other assets.
            The engine is as it was then.
        """
        try:
            state = msgspec.msgpack.decode(snapshot, type=Snapshot)
        except (msgspec.DecodeError, TypeError, ValueError) as error:
            raise StateError(
                f"not a snapshot: {error}", rule="restore takes what snapshot() returned."
            ) from None
        if (state.version, state.engine_id) != (SNAPSHOT_VERSION, self.id):
            raise StateError(
                f"snapshot of engine {state.engine_id[:12]} (version {state.version}), "
                f"this is {self.id[:12]}",
                rule="a snapshot fits the same strategy, parameters, settings and assets.",
            )
        books = (
            (self._account, state.account),
            (self._positions, state.positions),
            (self._orders, state.orders),
            (self._traded, state.traded),
            (self._memory, state.memory),
        )
        if any(array.nbytes != len(data) for array, data in books):
            raise StateError(
                "not a whole snapshot: the account, its positions, orders or memory are cut",
                rule="restore takes what snapshot() returned.",
            )
        self.plan.restore(state.plan)
        for array, data in books:
            array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)
        self._buffers.counts[:] = 0
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


_PLACE = {name: place for place, name in enumerate(Row._fields)}  # of the kernels' columns


class _Buffers:
    """Arrays that the step reads and writes, made once."""

    def __init__(
        self, capacity: int, n_assets: int, places: int, n_signals: int, n_requests: int
    ) -> None:
        self.time = np.empty(capacity, np.int64)
        self.period = np.empty(capacity, np.int64)
        self.bars = np.empty((len(Row._fields), capacity, n_assets))
        self.bars[_PLACE["rate"]] = 1.0
        self.seen = np.empty(n_assets, POSITION)
        self.seen_orders: Any = np.zeros((n_assets, places), ORDER)
        self.signals = np.empty((capacity, n_signals, n_assets))
        self.requests: Any = np.zeros(n_requests + 1, REQUEST)
        self.sent = np.zeros(3, np.int64)
        most = most_of_row(n_assets, n_assets * places, n_requests + 1)
        self.logs = [
            np.empty(max(usual, 2 * size), log)
            for log, usual, size in zip(LOGS, _USUAL, most, strict=True)
        ]
        self.counts = np.zeros(len(LOGS), np.int64)
        self.saved = (
            *(np.zeros(1, ACCOUNT), np.zeros(1, POSITION), np.zeros(places, ORDER)),
            np.zeros(DAYS + 1),
        )


def _opened(n_assets: int, cash: float) -> tuple[Records, Records]:
    """Return the account and the positions before the first row."""
    account: Any = np.zeros(1, ACCOUNT)
    for name in ("cash", "equity", "peak", "day_equity"):
        account[name] = cash
    for name in ("day", "flat_day", "time"):
        account[name] = NEVER
    positions: Any = np.zeros(n_assets, POSITION)
    positions["period"] = NEVER
    for name in ("mark", "entry_price", "basis", "target"):
        positions[name] = np.nan
    for name in ("entry_row", "traded_row"):
        positions[name] = -1
    positions["rate"] = 1.0
    positions["room"] = np.inf
    return account, positions


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
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
