"""`VectorEngine`: accounts on the same bars, each with a strategy and settings of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphalab.core.accounts import Accounts, Market, Shape, default_capacity, shape_of
from alphalab.core.batches import Batch, batches_of
from alphalab.core.checks import check_assets
from alphalab.core.columns import Column, column_type, common_settings
from alphalab.core.record import Record
from alphalab.core.rows import check_rows
from alphalab.core.timeline import Timeline
from alphalab.errors import DataError, StateError, StrategyError
from alphalab.expr.plan import Plan
from alphalab.kernels._jit import silent
from alphalab.kernels.market.drivers import run
from alphalab.kernels.market.reports import report_driver
from alphalab.types import (
    TALLY,
    FloatArray,
    Instrument,
    InstrumentChange,
    IntArray,
    Records,
)


class VectorEngine:
    """C accounts on the same bars: the one way through which rows reach the step.

    An expression that several strategies use is computed once. Of each column the engine keeps a
    tally, so memory does not grow with the number of rows; or it records everything about a single
    column, which is how `alphalab.core.engine.Engine` works. Results of a column do not depend on
    its neighbours, on how rows are cut into pushes, or on which of the two is kept.

    Parameters
    ----------
    columns : sequence of Column
        At least one. All have the same account currency, conversions and treatment of splits and
        dividends.
    instruments : sequence of Instrument
        The N assets, in the order of the columns of the bars.
    changes : sequence of InstrumentChange
        Later changes of ticks, lots, minimum values and fees.
    capacity : int, optional
        Rows computed at a time.
    record : Record, optional
        Receives the rows of each push; there is one column then. Not given: tallies are kept.
    external : bool
        A venue outside matches the orders of the only column, see `report`.
    bounds : ndarray of shape (S + 1,), optional
        int64: the first row of each of S segments, and the number of rows that will be pushed. The
        tallies then keep the sums of each segment. Not given: S is 0.

    Attributes
    ----------
    columns : tuple of str
        The bar columns that `push` reads.
    accounts : list of Accounts
        The books, one item per shape.
    failed : bool
        True after a push that raised half way: the books are invalid until they are restored.

    Raises
    ------
    AlphalabError
        An expression or a setting that breaks a rule.

    Examples
    --------
    >>> from alphalab.config import RunSettings
    >>> from alphalab.core.strategy import Strategy
    >>> from alphalab.expr.functions import close, where
    >>> class Part(Strategy):
    ...     part: float
    ...     def weights(self):
    ...         return where(close > 0, self.part, 0.0)
    >>> assets, settings = [Instrument(symbol="A")], RunSettings(cash=100.0)
    >>> parts = [Column.of(Part(part=part), settings, assets) for part in (0.5, 1.0)]
    >>> engine = VectorEngine(parts, assets)
    >>> prices = np.array([[10.0], [10.0], [20.0]])
    >>> engine.push(np.array([1, 2, 3]), {"open": prices, "close": prices})
    >>> engine.tallies()["equity"]
    array([150., 200.])
    """

    def __init__(
        self,
        columns: Sequence[Column],
        instruments: Sequence[Instrument],
        changes: Sequence[InstrumentChange] = (),
        *,
        capacity: int | None = None,
        record: Record | None = None,
        external: bool = False,
        bounds: IntArray | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        n_assets = len(self.instruments)
        self._settings = common_settings(columns)
        check_assets(self.instruments, self._settings, capacity)
        self._timeline = Timeline(self.instruments, changes)
        self._state = 0  # place in the timeline of the instruments in force
        self.capacity = default_capacity(n_assets) if capacity is None else capacity
        self._record = record
        # A copy: workers of a cluster get arrays that cannot be written to.
        self._bounds = np.array([0] if bounds is None else bounds, np.int64)
        self.failed = False
        shapes = [shape_of(x.strategy, x.settings, x.expressions, n_assets) for x in columns]
        by_shape: dict[Shape, list[int]] = {}
        for place, shape in enumerate(shapes):
            by_shape.setdefault(shape, []).append(place)
        self._order = np.array([place for places in by_shape.values() for place in places])
        self._columns = [columns[place] for place in self._order]
        outputs = {
            f"{place} {name}": expr
            for place, column in enumerate(self._columns)
            for name, expr in column.outputs.items()
        }
        self.plan = Plan(outputs, self.instruments, self.capacity)
        pairs = [(x.strategy, x.settings) for x in self._columns]
        self._market = Market(pairs, self.instruments, self.capacity, external)
        self.columns = tuple(dict.fromkeys((*self._market.columns, *self.plan.columns)))
        self.accounts: list[Accounts] = []
        self._batches: list[Batch] = []
        first = 0
        for shape, places in by_shape.items():
            some = pairs[first : first + len(places)]
            self.accounts.append(Accounts(some, self.instruments, shape, self._bounds))
            self.accounts[-1].rules["external"] = external
            self._batches += batches_of(
                self.accounts[-1],
                [strategy for strategy, _ in some],
                self._market,
                recording=record is not None,
            )
            first += len(places)

    def push(self, time: IntArray, columns: Mapping[str, FloatArray]) -> None:
        """Push the next rows through all columns.

        Parameters
        ----------
        time : ndarray of shape (R,)
            int64 ns UTC, strictly increasing, after every row pushed before.
        columns : mapping of str to ndarray of shape (R, N)
            float64; at least the names in `self.columns`. NaN: not traded.

        Raises
        ------
        DataError, UnknownNameError
            Times that do not increase, a column that is missing or of another shape, a price
            that is not finite and above 0: no row has been pushed then.
        StrategyError, ExprError
            A `decide` or a Python operator that fails on one of the rows.
        StateError
            An earlier push has failed half way; more rows than the segments have.
        """
        self.check_state()
        first = self.accounts[0]
        self._check_segments(int(first.accounts["row"][0]) + time.size)
        names = self.columns, self._market.columns
        before = first.accounts[0], first.positions["mark"][0]
        check_rows(self._settings, self.instruments, *names, *before, time, columns)
        self.failed = True
        if self._record is not None:
            self._record.begin(time.size)
        for rows, state in self._timeline.spans(time, self.capacity):
            if state != self._state:
                for accounts in self.accounts:
                    accounts.change(self._timeline.states[state])
                self._state = state
            self._push(rows, time, columns)
        for accounts in self.accounts if time.size else ():
            accounts.accounts["row_time"] = time[-1]
        self.failed = False

    def report(self, reports: Records) -> None:
        """Book reports of a venue outside into the only column, and record what follows.

        Parameters
        ----------
        reports : records
            `alphalab.types.REPORT`, checked, of the row that is pushed next.
        """
        self.check_state()
        record, (batch,) = self._record, self._batches
        assert record is not None  # only an engine that records has a venue outside
        self.failed = True
        record.begin(0)
        reports = np.require(reports, requirements=["C", "W"])  # the kernel takes no other array
        booked = 0
        while booked < reports.size:
            with silent():
                booked = report_driver()(batch.columns, batch.work, reports, booked)
            record.empty(batch.work)
        self.failed = False

    def check_state(self) -> None:
        """Refuse an engine whose last push failed half way.

        Raises
        ------
        StateError
            Its books hold some of the rows of that push.
        """
        if self.failed:
            raise StateError(
                f"the push of row {self.accounts[0].accounts['row'][0]} did not end",
                rule="an engine that failed half way through its rows takes no more.",
                fix="Restore a snapshot, or make a new engine.",
            )

    def _check_segments(self, n_rows: int) -> None:
        if self._bounds.size > 1 and n_rows > self._bounds[-1]:
            raise StateError(
                f"{n_rows} rows pushed, and segments of {self._bounds[-1]} rows",
                rule="every row belongs to a segment.",
            )

    def warm(self, columns: Mapping[str, FloatArray], time: IntArray | None = None) -> int:
        """Show the expressions rows before the first push, without trading; return their number.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (R, N)
            At least the names in `self.plan.columns`, oldest row first. May be empty where the
            expressions read no column.
        time : ndarray of shape (R,), optional
            int64 ns UTC, increasing; required if the expressions have a clock of their own.
        """
        n_rows = len(next(iter(columns.values()), ()))
        for i in range(0, n_rows, self.capacity):
            rows = slice(i, min(i + self.capacity, n_rows))
            block = {name: columns[name][rows] for name in self.plan.columns}
            when = None if time is None else time[rows]
            for _ in self.plan.each(block, rows.stop - rows.start, when):
                pass
        return n_rows

    def reset(self) -> None:
        """Take rows again after a failed push: the books and the plan have been restored."""
        for batch in self._batches:
            batch.work.counts[:] = 0
        self.failed = False

    def _push(self, rows: slice, time: IntArray, columns: Mapping[str, FloatArray]) -> None:
        """Push up to `capacity` rows; the plan yields the values of batch after batch."""
        market, record = self._market, self._record
        n = market.read(time, columns, rows)
        read = {name: columns[name][rows] for name in self.plan.columns}
        values = self.plan.each(read, n, time[rows])
        for batch in self._batches:
            output = batch.output if record is None else record.output(rows)
            batch.fill(market, values, output.targets, n)
            self._step(batch, output, n)
        for _ in values:  # the plan counts rows as pushed once it has come to its end
            pass
        if record is not None:
            record.check_equity(rows)

    def _step(self, batch: Batch, output: Any, n: int) -> None:
        """Take n rows of a batch through the step, emptying the logs as they fill."""
        push, record = run(), self._record
        arguments = *(batch.columns, batch.work, batch.rows, output), record is not None
        row = batch.columns.accounts["row"]
        end = row[0] + n
        done = 0
        while done < n:
            try:
                with silent():
                    done = push(*arguments, done, n, batch.entry)
            except Exception as error:
                c = int(np.argmax(row < end))  # the columns before it have all rows
                raise StrategyError(
                    f"{batch.strategies[c]!r}.decide failed in row {row[c]}: "
                    f"{type(error).__name__}: {error}",
                    rule="decide returns N weights.",
                    fix="Run it alone with NUMBA_DISABLE_JIT=1 and --debug to see the line.",
                ) from error
            if record is not None:
                record.empty(batch.work)

    @property
    def equity(self) -> FloatArray:
        """Account value after the last row, (C,), quote currency; in the order of the columns."""
        values = np.concatenate([accounts.accounts["equity"] for accounts in self.accounts])
        result: FloatArray = values[np.argsort(self._order)]
        return result

    def tallies(self) -> Records:
        """Return the figures of every column so far.

        Returns
        -------
        records of shape (C,)
            `alphalab.core.columns.column_type` of the number of segments. In the order in which the
            columns were given.

        Raises
        ------
        DataError
            An equity beyond what a float can hold.
        """
        tallies: Any = np.empty(self._order.size, column_type(self._bounds.size - 1))
        first = 0
        for accounts in self.accounts:
            figures, words, segments = accounts.tallied()
            places = self._order[first : first + figures.size]
            for name in TALLY.names or ():
                tallies[name][places] = figures[name]
            tallies["words"][places] = words
            tallies["segments"][places] = segments
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
