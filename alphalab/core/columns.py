"""`Columns`: many accounts, each with a strategy and settings of its own, on the same bars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.config import RunSettings
from alphalab.core.accounts import (
    Accounts,
    Market,
    Room,
    Shape,
    default_capacity,
    shape_of,
)
from alphalab.core.checks import check_assets, check_weights
from alphalab.core.decide import decide_identity
from alphalab.core.rows import check_rows
from alphalab.core.strategy import Strategy
from alphalab.core.timeline import Timeline
from alphalab.errors import DataError, ParameterError, StrategyError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.expr.registry import operator
from alphalab.kernels._jit import CACHE_DIR, silent
from alphalab.kernels.identity import identity
from alphalab.kernels.market import drivers
from alphalab.kernels.market.digest import N_WORDS
from alphalab.types import (
    LEDGER,
    TALLY,
    FloatArray,
    Instrument,
    InstrumentChange,
    IntArray,
    Records,
)

_BATCH_CELLS = 65_536  # targets of columns that are pushed in one call: half a megabyte

#: The tally of a column: its figures, and the words of its digest.
COLUMN = np.dtype([*TALLY.descr, ("words", "<u8", (N_WORDS,))])


class Column(NamedTuple):
    """A strategy that was asked for its expressions, and the settings it runs with."""

    strategy: Strategy
    settings: RunSettings
    expressions: Mapping[str, Expr]

    @classmethod
    def of(
        cls, strategy: Strategy, settings: RunSettings, instruments: Sequence[Instrument]
    ) -> Column:
        """Return the column of a strategy.

        Raises
        ------
        AlphalabError
            A strategy or an expression that breaks a rule, weights above the gross limit.
        """
        expressions = strategy.expressions()
        if type(strategy).decide is None:
            check_weights(type(strategy).__name__, expressions, settings.gross, instruments)
        return cls(strategy, settings, expressions)

    @property
    def key(self) -> bytes:
        """Identity of all that decides its results, except the rows and the assets: 16 bytes."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(CACHE_DIR.name.encode())  # the kernels
        for name, expr in self.expressions.items():
            digest.update(name.encode() + b"\0" + expr.key)
            for node in expr.walk():
                update = operator(node.op).update
                if callable(update):  # of a Python function it is in the key
                    digest.update(identity(update).encode())
        digest.update(decide_identity(self.strategy).encode())
        digest.update(self.settings.canonical_json().encode())
        return digest.digest()


class _Batch(NamedTuple):
    """Columns that are pushed in one call."""

    accounts: Accounts
    places: slice  # in the accounts
    arguments: tuple[Any, ...]
    room: Room


class Columns:
    """Many accounts on the same bars, each with a strategy and settings of its own.

    What several strategies compute is computed once. Of every account only its tally is kept, so
    memory depends on the number of columns and not on the number of rows. Each column is, bit for
    bit, what an `Engine` gives.

    Parameters
    ----------
    columns : sequence of Column
        At least one. The account's currency, its conversions, and what is done with splits and
        dividends are the same in all.
    instruments : sequence of Instrument
        The N assets, in the order of the columns of the bars.
    changes : sequence of InstrumentChange
        What becomes of them later: ticks, lots, minimum values and fees.
    capacity : int, optional
        Rows computed at a time.

    Attributes
    ----------
    columns : tuple of str
        The bar columns that `push` reads.

    Raises
    ------
    AlphalabError
        An expression or a setting that breaks a rule.

    Examples
    --------
    >>> from alphalab.expr.functions import close, where
    >>> class Part(Strategy):
    ...     part: float
    ...     def weights(self):
    ...         return where(close > 0, self.part, 0.0)
    >>> assets, settings = [Instrument(symbol="A")], RunSettings(cash=100.0)
    >>> parts = [Column.of(Part(part=part), settings, assets) for part in (0.5, 1.0)]
    >>> columns = Columns(parts, assets)
    >>> prices = np.array([[10.0], [10.0], [20.0]])
    >>> columns.push(np.array([1, 2, 3]), {"open": prices, "close": prices})
    >>> columns.tallies()["equity"]
    array([150., 200.])
    """

    def __init__(
        self,
        columns: Sequence[Column],
        instruments: Sequence[Instrument],
        changes: Sequence[InstrumentChange] = (),
        *,
        capacity: int | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        n_assets = len(self.instruments)
        self._settings = _common_settings(columns)
        check_assets(self.instruments, self._settings, capacity)
        self._timeline = Timeline(self.instruments, changes)
        self._state = 0  # of the timeline, in force
        self.capacity = default_capacity(n_assets) if capacity is None else capacity
        shapes = [shape_of(x.strategy, x.settings, len(x.expressions), n_assets) for x in columns]
        groups: dict[Shape, list[int]] = {}
        for place, shape in enumerate(shapes):
            groups.setdefault(shape, []).append(place)
        self._order = np.array([place for places in groups.values() for place in places])
        self._columns = [columns[place] for place in self._order]
        outputs = {
            f"{place} {name}": expr
            for place, column in enumerate(self._columns)
            for name, expr in column.expressions.items()
        }
        self.plan = Plan(outputs, self.instruments, self.capacity)
        pairs = [(x.strategy, x.settings) for x in self._columns]
        self._market = Market(pairs, self.instruments, self.capacity)
        self.columns = tuple(dict.fromkeys((*self._market.columns, *self.plan.columns)))
        self._accounts: list[Accounts] = []
        self._batches: list[_Batch] = []
        first = 0
        for shape, places in groups.items():
            accounts = Accounts(pairs[first : first + len(places)], self.instruments, shape)
            self._accounts.append(accounts)
            self._batches += self._cut(accounts, len(places))
            first += len(places)
        most = max(batch.places.stop - batch.places.start for batch in self._batches)
        signals = max((shape.n_signals for shape in groups if shape.decide), default=0)
        self._targets = np.empty((most, self.capacity, n_assets))
        self._signals = np.empty((most if signals else 0, self.capacity, signals, n_assets))
        self._ledger: Any = np.zeros((most, 1), LEDGER)
        self._qty = np.zeros((most, 1, n_assets))

    def _cut(self, accounts: Accounts, n_columns: int) -> Iterator[_Batch]:
        """Yield columns of one shape in batches that stay in the cache."""
        shape, n_assets = accounts.shape, len(self.instruments)
        room = Room(n_assets, shape, events=False)
        cells = self.capacity * n_assets * (1 + (shape.n_signals if shape.decide else 0))
        size = max(_BATCH_CELLS // cells, 1)
        for first in range(0, n_columns, size):
            places = slice(first, min(first + size, n_columns))
            yield _Batch(accounts, places, accounts.arguments(places, room), room)

    def push(self, time: IntArray, columns: Mapping[str, FloatArray]) -> None:
        """Push the next rows of all columns.

        Parameters
        ----------
        time : ndarray of shape (R,)
            int64 ns UTC, strictly increasing, after every row pushed before.
        columns : mapping of str to ndarray of shape (R, N)
            float64; at least the names in `self.columns`. NaN: not traded.

        Raises
        ------
        DataError, UnknownNameError
            As `Engine.push`. Nothing has been pushed then.
        StrategyError, ExprError
            A `decide` or a Python operator that fails. What was pushed is no use then.
        """
        first = self._accounts[0]
        last, marks = int(first.accounts["time"][0]), first.positions["mark"][0]
        check_rows(self._settings, self.instruments, self.columns, last, marks, time, columns)
        for rows, state in self._timeline.spans(time, self.capacity):
            if state != self._state:
                for accounts in self._accounts:
                    accounts.change(self._timeline.states[state], self._timeline.ended[state])
                self._state = state
            self._step(rows, time, columns)

    def _step(self, rows: slice, time: IntArray, columns: Mapping[str, FloatArray]) -> None:
        """Push up to `capacity` rows: the plan yields what batch after batch needs."""
        n = self._market.read(time, columns, rows)
        block = {name: columns[name][rows] for name in self.plan.columns}
        outputs = self.plan.each(block, n)
        for batch in self._batches:
            shape, n_columns = batch.accounts.shape, batch.places.stop - batch.places.start
            targets = self._targets[:n_columns]
            more: tuple[Any, ...] = ()
            if shape.decide is None:
                for c in range(n_columns):
                    targets[c, :n] = next(outputs)[1]
                run = drivers.run_weights()
            else:
                signals = self._signals[:n_columns, :, : shape.n_signals]
                for c in range(n_columns):
                    for k in range(shape.n_signals):
                        signals[c, :n, k] = next(outputs)[1]
                room = batch.room
                more = (
                    *(np.ascontiguousarray(signals), batch.accounts.memory[batch.places]),
                    *(room.seen, room.seen_orders, room.requests, room.sent),
                    batch.accounts.decide,
                )
                run = drivers.run_decide()
            market = self._market
            table = (
                *(market.time, market.periods(shape.period, n), market.bars, targets),
                *(False, self._ledger[:n_columns], self._qty[:n_columns], 0, n),
            )
            last_row = int(batch.accounts.accounts["row"][batch.places][0]) + n
            try:
                with silent():
                    run(*batch.arguments, *table, *more)
            except Exception as error:
                raise self._blamed(batch, last_row, error) from error
        for _ in outputs:  # the plan has to come to its end
            pass

    def _blamed(self, batch: _Batch, last_row: int, error: Exception) -> StrategyError:
        """Return the error of a `decide`, with the column and the row that it stopped in."""
        rows = batch.accounts.accounts["row"]
        first = next(i for i, x in enumerate(self._accounts) if x is batch.accounts)
        before = sum(x.accounts.size for x in self._accounts[:first])
        unfinished = rows[batch.places] < last_row
        place = int(np.argmax(unfinished)) + batch.places.start
        strategy = self._columns[before + place].strategy
        return StrategyError(
            f"{strategy!r}: decide failed in row {rows[place]}: {type(error).__name__}: {error}",
            rule="decide(signals, account, memory) returns N weights.",
            fix="Run it alone with NUMBA_DISABLE_JIT=1 and --debug to see the line.",
        )

    @property
    def equity(self) -> FloatArray:
        """Account value after the last row, (C,), quote currency; in the order of the columns."""
        values = np.concatenate([accounts.accounts["equity"] for accounts in self._accounts])
        result: FloatArray = values[np.argsort(self._order)]
        return result

    def tallies(self) -> Records:
        """Return the figures of every column so far.

        Returns
        -------
        records of shape (C,)
            `alphalab.core.columns.COLUMN`: the fields of `alphalab.types.TALLY` and ``words``, the
            digest before it is hashed. In the order the columns were given.

        Raises
        ------
        DataError
            An equity beyond what a float can hold.
        """
        tallies: Any = np.empty(self._order.size, COLUMN)
        first = 0
        for accounts in self._accounts:
            figures, words = accounts.tallied()
            places = self._order[first : first + figures.size]
            for name in TALLY.names or ():
                tallies[name][places] = figures[name]
            tallies["words"][places] = words
            first += figures.size
        finite = np.isfinite(tallies["equity_sum"]) & np.isfinite(tallies["least"])
        if not finite.all():
            strategy = self._columns[int(np.argsort(self._order)[np.argmin(finite)])].strategy
            raise DataError(
                f"{strategy!r}: equity is beyond what can be counted",
                rule="prices and positions stay within what a float can hold.",
                fix="Look for a broken price.",
            )
        return tallies  # type: ignore[no-any-return]


def compile_for(columns: Sequence[Column]) -> None:
    """Compile the drivers that columns need, or load them: before threads do it at one time."""
    decides = [type(column.strategy).decide is not None for column in columns]
    if not all(decides):
        drivers.run_weights()
    if any(decides):
        drivers.run_decide()


def columns_read(columns: Sequence[Column], instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """Return the bar columns that columns of a sweep read."""
    pairs = [(x.strategy, x.settings) for x in columns]
    nodes = (n for x in columns for expr in x.expressions.values() for n in expr.walk())
    read = (node.params[0] for node in nodes if node.op == "column")
    return tuple(dict.fromkeys((*Market(pairs, instruments, 1).columns, *read)))


def _common_settings(columns: Sequence[Column]) -> RunSettings:
    """Return settings that stand for all in what concerns the rows; refuse such that cannot.

    Columns are pushed in one market: it has one currency, and splits either happen or do not.
    """
    if not columns:
        raise ParameterError("Columns([])", rule="there is at least one column.")
    different = {id(x.settings): x.settings for x in columns}.values()
    first = next(iter(different))
    for settings in different:
        for name in ("currency", "conversions", "actions"):
            if getattr(settings, name) != getattr(first, name):
                raise ParameterError(
                    f"columns with {name}={getattr(first, name)!r} and "
                    f"{name}={getattr(settings, name)!r}",
                    rule=f"{name} is the same in all columns of a sweep.",
                    fix="Run one sweep for each.",
                )
    return first
