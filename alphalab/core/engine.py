"""`Engine`: one account that trades one strategy, with `push`, `snapshot` and `restore`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from alphalab.codes import OrderState
from alphalab.config import RunSettings
from alphalab.core.books_check import check_books
from alphalab.core.columns import Column
from alphalab.core.decide import decide_identity
from alphalab.core.record import Record
from alphalab.core.reports import check_external, check_reports
from alphalab.core.snapshot import Snapshot, decode, encode
from alphalab.core.strategy import Strategy
from alphalab.core.vector_engine import VectorEngine
from alphalab.errors import StateError
from alphalab.types import FloatArray, Instrument, InstrumentChange, IntArray, Records


class Block(NamedTuple):
    """The records of R pushed rows.

    Attributes
    ----------
    ledger : records of shape (R,)
        `alphalab.types.LEDGER`.
    qty : ndarray of shape (R, N)
        Units held after each row.
    targets : ndarray of shape (R, N)
        Approved weights; NaN: no opinion, the position is kept.
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
    """One account that trades one strategy: it takes rows and returns what happened in them.

    A backtest pushes all its rows, a live runner one row at a time. The results are bit for bit the
    same however the rows are cut.

    Parameters
    ----------
    strategy : Strategy
    instruments : sequence of Instrument
        The N assets, in the order of the columns.
    settings : RunSettings
    changes : sequence of InstrumentChange
        Later changes of ticks, lots, minimum values and fees.
    capacity : int, optional
        Rows computed at a time; `push` takes any number of rows.
    external : bool
        A venue outside matches the orders: `working` are the orders it should hold, and `report`
        books what it says. The results are those of a simulation in which the same happens, so the
        `id` is the same too.

    Attributes
    ----------
    columns : tuple of str
        The bar columns that `push` reads.
    warmup : int
        Rows before the windows of all signals are full.
    id : str
        Hash of everything that decides its results, except the rows.

    Raises
    ------
    AlphalabError
        A strategy, an expression or a setting that breaks a rule.

    Examples
    --------
    >>> import numpy as np
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
        external: bool = False,
    ) -> None:
        if external:
            check_external(settings)
        self.strategy = strategy
        self.instruments = tuple(instruments)
        self.settings = settings
        self.changes = tuple(changes)
        self.external = external
        column = Column.of(strategy, settings, self.instruments)
        self._record = Record(len(self.instruments))
        self._rows = VectorEngine(
            [column],
            self.instruments,
            self.changes,
            capacity=capacity,
            record=self._record,
            external=external,
        )
        (self._accounts,) = self._rows.accounts
        self.expressions = column.expressions
        self.plan = self._rows.plan
        self.capacity = self._rows.capacity
        self.columns = self._rows.columns
        self.warmup = self.plan.warmup
        self.id = _identity(self)

    def push(self, time: IntArray, columns: Mapping[str, FloatArray]) -> Block:
        """Push the next rows and return their records.

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
            Times that do not increase, a column that is missing or of another shape, a price
            outside of its bounds: no row has been pushed then.
        StrategyError, ExprError
            A `decide` or a Python operator that fails on one of the rows.
        StateError
            An earlier push has failed half way: `restore` a snapshot first.
        """
        self._rows.push(time, columns)
        return Block(*self._record.taken())

    def report(self, reports: Records) -> Block:
        """Book what a venue outside says of the row in progress, and return the log entries.

        Parameters
        ----------
        reports : records
            `alphalab.types.REPORT`, in the order in which they became known. Their `time` is the
            close of the row that is pushed next.

        Returns
        -------
        Block
            Without rows.

        Raises
        ------
        DataError
            A report that breaks a rule: none is booked then.
        StateError
            The engine simulates its venue, or an earlier push has failed half way.

        Examples
        --------
        >>> import numpy as np
        >>> from alphalab.codes import ReportKind
        >>> from alphalab.core.reports import report
        >>> from alphalab.expr.functions import close, where
        >>> class Long(Strategy):
        ...     def weights(self):
        ...         return where(close > 0, 1.0, 0.0)
        >>> settings = RunSettings(cash=100.0, sizing="at_decision")
        >>> engine = Engine(Long(), [Instrument(symbol="A")], settings, external=True)
        >>> prices = np.array([[10.0]])
        >>> _ = engine.push(np.array([60]), {"close": prices})
        >>> ((asset, order),) = engine.working
        >>> print(asset, order["id"], order["side"], order["qty"])
        0 1 1 10.0
        >>> fill = report(
        ...     ReportKind.EXECUTED, time=120, order=1, asset=0, qty=10, filled=10, price=9.5,
        ...     last=True,
        ... )
        >>> engine.report(fill).fills[["order", "qty", "price"]].tolist()
        [(1, 10.0, 9.5)]
        >>> engine.push(np.array([120]), {"close": prices}).ledger["equity"]
        array([105.])
        """
        if not self.external:
            raise StateError(
                "reports for an engine that simulates its venue",
                rule="only an engine with external=True takes reports.",
            )
        account = self._accounts.accounts[0]
        check_reports(reports, len(self.instruments), account)
        self._rows.report(np.ascontiguousarray(reports))
        return Block(*self._record.taken())

    @property
    def working(self) -> list[tuple[int, np.void]]:
        """The orders that should stand at the venue: index of the asset and `ORDER`, by id.

        A delayed order is among them from the row on in which it may first be filled.
        """
        if self._accounts.accounts["waiting"][0] == 0:
            return []
        orders, row = self._accounts.orders[0], self._accounts.accounts["row"][0]
        state = orders["state"]
        sent = (state == OrderState.SUBMITTED) & (orders["live_row"] <= row)
        stands = sent | (state == OrderState.ACTIVE)
        places = sorted(np.argwhere(stands).tolist(), key=lambda place: orders[*place]["id"])
        return [(j, orders[j, k].copy()) for j, k in places]

    @property
    def account(self) -> np.void:
        """The account after the last row or report, a copy: `alphalab.types.ACCOUNT`."""
        return self._accounts.accounts[0].copy()  # type: ignore[no-any-return]

    @property
    def positions(self) -> Records:
        """The positions after the last row or report, (N,), a copy: `alphalab.types.POSITION`."""
        return self._accounts.positions[0].copy()  # type: ignore[no-any-return]

    def warm(self, columns: Mapping[str, FloatArray], time: IntArray | None = None) -> None:
        """Fill the windows of the expressions with rows before the first push, without trading.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (R, N)
            At least the names in `self.plan.columns`, oldest row first. May be empty where the
            expressions read no column.
        time : ndarray of shape (R,), optional
            int64 ns UTC, increasing; required if the expressions have a clock of their own
            (`alphalab.expr.functions.on`).
        """
        self.warmup = max(self.warmup - self._rows.warm(columns, time), 0)

    def take_over(self, other: Engine) -> None:
        """Copy the account, the positions and the live orders of another engine.

        The memory of `decide` and the windows of the expressions are not copied.

        Raises
        ------
        StateError
            An engine with other settings, other assets, or another number of orders per asset.
        """
        theirs = (other.settings, other.instruments, other.changes)
        if theirs != (self.settings, self.instruments, self.changes) or (
            other._accounts.shape.places != self._accounts.shape.places
        ):
            raise StateError(
                f"{type(self.strategy).__name__} cannot go on with the account of "
                f"{type(other.strategy).__name__}",
                rule="both engines have the same settings, assets and number of orders per asset.",
            )
        for mine, book in zip(self._accounts.books, other._accounts.books, strict=True):
            mine[...] = book

    def snapshot(self) -> bytes:
        """Return the state of the engine as bytes, for `restore` in any process.

        Raises
        ------
        StateError
            The last push has failed half way, so the state is invalid.
        """
        self._rows.check_state()
        books = (array.tobytes() for array in self._accounts.state)
        return encode(Snapshot(self.id, *books, self.plan.snapshot()))  # type: ignore[call-arg]

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by that of a `snapshot` of an engine with the same id.

        Raises
        ------
        StateError
            Bytes that are no snapshot, a damaged one, one of another strategy, other settings or
            other assets, or one that no engine can have taken: the state is not changed then.
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
        self._rows.reset()


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
