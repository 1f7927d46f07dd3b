"""`Engine`: plan, gate, rebalance, ledger and venue behind `push`, `snapshot` and `restore`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from alphalab.config import RunSettings
from alphalab.core.checks import check_assets, check_weights
from alphalab.core.decide import compiled_decide, decide_identity
from alphalab.core.rules import periods, rule_records
from alphalab.core.strategy import Strategy
from alphalab.errors import (
    DataError,
    StateError,
    StrategyError,
    UnknownNameError,
)
from alphalab.expr.plan import Plan, group_codes
from alphalab.kernels import step
from alphalab.kernels._jit import silent
from alphalab.types import (
    ACCOUNT,
    FILL,
    LEDGER,
    NEVER,
    POSITION,
    REFUSAL,
    FloatArray,
    Instrument,
    IntArray,
    Records,
    instrument_records,
)

SNAPSHOT_VERSION = 1


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
    fills, refusals : records
        `alphalab.types.FILL` and `alphalab.types.REFUSAL`, in order.
    """

    ledger: Records
    qty: FloatArray
    targets: FloatArray
    fills: Records
    refusals: Records


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """Everything an engine remembers."""

    version: int
    engine_id: str
    account: bytes
    positions: bytes
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
        check_assets(self.instruments, capacity)
        n_assets = len(self.instruments)
        self.capacity = default_capacity(n_assets) if capacity is None else capacity
        self.expressions = strategy.expressions()
        self.plan = Plan(self.expressions, self.instruments, self.capacity)
        self.columns = tuple(dict.fromkeys(("open", "close", *self.plan.columns)))
        self.warmup = self.plan.warmup
        if type(strategy).decide is None:
            name = type(strategy).__name__
            check_weights(name, self.expressions, settings.limits, self.instruments)
        self.id = _identity(self)

        group = settings.limits.group
        codes = np.full(n_assets, np.nan) if group is None else group_codes(self.instruments, group)
        self._groups = np.where(np.isnan(codes), -1, codes).astype(np.int64)
        self._rules = rule_records(settings, n_groups=int(self._groups.max(initial=-1)) + 1)
        self._instruments = instrument_records(self.instruments, settings.costs.fee_bps)
        self._account, self._positions = _opened(n_assets, settings.cash)
        self._memory = np.zeros((strategy.memory_rows, n_assets))
        self._buffers = _Buffers(self.capacity, n_assets, len(self.expressions))
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
        self._check_rows(time, columns)
        self._within_push = True
        n_rows, n_assets = time.size, len(self.instruments)
        block = Block(
            np.zeros(n_rows, LEDGER),
            np.empty((n_rows, n_assets)),
            np.empty((n_rows, n_assets)),
            np.empty(0, FILL),
            np.empty(0, REFUSAL),
        )
        fills: list[Records] = []
        refusals: list[Records] = []
        for i in range(0, n_rows, self.capacity):
            rows = slice(i, min(i + self.capacity, n_rows))
            self._step(rows, time, columns, block, fills, refusals)
        _check_equity(block)
        self._within_push = False
        return block._replace(
            fills=np.concatenate(fills) if fills else block.fills,
            refusals=np.concatenate(refusals) if refusals else block.refusals,
        )

    def _check_whole(self) -> None:
        if self._within_push:
            raise StateError(
                f"the push of row {self._account['row'][0]} did not end",
                rule="an engine that failed half way through its rows takes no more.",
                fix="Restore a snapshot, or make a new engine.",
            )

    def _check_rows(self, time: IntArray, columns: Mapping[str, FloatArray]) -> None:
        last = self._account["time"][0]
        if time.ndim != 1 or time.dtype != np.int64:
            raise DataError(
                f"times of type {time.dtype} and shape {time.shape}",
                rule="times are one int64 nanosecond number (UTC) per row.",
            )
        if time.size and (time[0] <= last or (time[1:] <= time[:-1]).any()):
            raise DataError(
                f"rows from {np.datetime64(int(time[0]), 'ns')}, "
                f"after {np.datetime64(int(last), 'ns')}",
                rule="rows are pushed in strictly increasing time.",
            )
        shape = (time.size, len(self.instruments))
        for name in self.columns:
            if name not in columns:
                raise UnknownNameError(
                    "column",
                    name,
                    columns,
                    fix="Add a column of your own with bars.with_columns({...}).",
                )
            if np.shape(columns[name]) != shape:
                raise DataError(
                    f"column {name!r} of shape {np.shape(columns[name])}",
                    rule=f"a column has one value per row and asset: {shape}.",
                )
        for name in ("open", "close"):
            prices = columns[name]
            bad = (prices <= 0.0) | (prices == np.inf)
            if bad.any():
                row, asset = np.argwhere(bad)[0]
                raise DataError(
                    f"{name} of {self.instruments[asset].symbol!r} in row {row} of this push: "
                    f"{prices[row, asset]:g}",
                    rule="a price is finite and above 0, or NaN where there is none.",
                )

    def _step(
        self,
        rows: slice,
        time: IntArray,
        columns: Mapping[str, FloatArray],
        block: Block,
        fills: list[Records],
        refusals: list[Records],
    ) -> None:
        """Push up to `capacity` rows through plan and step, emptying the logs as they fill."""
        b = self._buffers
        n = rows.stop - rows.start
        outputs = self.plan.run({name: columns[name][rows] for name in self.plan.columns}, n)
        b.time[:n] = time[rows]
        b.period[:n] = periods(time[rows], self.settings.rebalance.period)
        b.open[:n] = columns["open"][rows]
        b.close[:n] = columns["close"][rows]
        targets = block.targets[rows]
        books = (
            *(self._rules, self._instruments, self._groups, self._account, self._positions),
            *(b.fills, b.refusals, b.counts),
        )
        table = (
            *(b.time[:n], b.period[:n], b.open[:n], b.close[:n]),
            *(targets, block.ledger[rows], block.qty[rows]),
        )
        more: tuple[Any, ...] = ()
        if self._decide is None:
            run = step.run_weights()
            targets[:] = outputs["weights"]
        else:
            run = step.run_decide()
            for k, values in enumerate(outputs.values()):
                b.signals[:n, k] = values
            more = (b.signals[:n], self._memory, b.seen, self._decide)
        done = 0
        while done < n:
            try:
                with silent():
                    done = run(*books, *table, done, *more)
            except Exception as error:
                raise StrategyError(
                    f"{type(self.strategy).__name__}.decide failed in row "
                    f"{self._account['row'][0]}: {type(error).__name__}: {error}",
                    rule="decide(signals, account, memory) returns N weights.",
                    fix="Run with NUMBA_DISABLE_JIT=1 and --debug to see the line.",
                ) from error
            n_fills, n_refusals = b.counts
            if n_fills:
                fills.append(b.fills[:n_fills].copy())
            if n_refusals:
                refusals.append(b.refusals[:n_refusals].copy())
            b.counts[:] = 0

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
            (self._memory, state.memory),
        )
        if any(array.nbytes != len(data) for array, data in books):
            raise StateError(
                "not a whole snapshot: the account, the positions or the memory are cut",
                rule="restore takes what snapshot() returned.",
            )
        self.plan.restore(state.plan)
        for array, data in books:
            array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)
        self._buffers.counts[:] = 0
        self._within_push = False


def _check_equity(block: Block) -> None:
    finite = np.isfinite(block.ledger["equity"])
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(
            f"equity is {block.ledger['equity'][row]} in row {row} of this push",
            rule="prices and positions stay within what a float can hold.",
            fix="Look for a broken price there.",
        )


class _Buffers:
    """Arrays that the step reads and writes, made once."""

    def __init__(self, capacity: int, n_assets: int, n_signals: int) -> None:
        self.time = np.empty(capacity, np.int64)
        self.period = np.empty(capacity, np.int64)
        self.open = np.empty((capacity, n_assets))
        self.close = np.empty((capacity, n_assets))
        self.seen = np.empty(n_assets, POSITION)
        self.signals = np.empty((capacity, n_signals, n_assets))
        self.fills = np.empty(max(4096, 4 * n_assets), FILL)
        self.refusals = np.empty(max(4096, 16 * n_assets), REFUSAL)
        self.counts = np.zeros(2, np.int64)


def _opened(n_assets: int, cash: float) -> tuple[Records, Records]:
    """Return the account and the positions before the first row."""
    account: Any = np.zeros(1, ACCOUNT)
    for name in ("cash", "equity", "peak", "day_equity"):
        account[name] = cash
    for name in ("day", "flat_day", "time"):
        account[name] = NEVER
    positions: Any = np.zeros(n_assets, POSITION)
    positions["period"] = NEVER
    for name in ("mark", "entry_price", "target"):
        positions[name] = np.nan
    for name in ("entry_row", "traded_row", "order_row"):
        positions[name] = -1
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
