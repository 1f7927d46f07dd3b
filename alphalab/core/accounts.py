"""The books of columns, and the rows of bars in the layout of the step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.config import RunSettings
from alphalab.core.decide import compiled_decide
from alphalab.core.distances import DISTANCES
from alphalab.core.rows import market_columns
from alphalab.core.rules import (
    foreign,
    instrument_records,
    ladder_records,
    periods,
    rule_records,
    start_equity,
    start_records,
    tier_records,
)
from alphalab.core.strategy import Strategy
from alphalab.errors import StateError
from alphalab.expr.plan import group_codes
from alphalab.kernels._jit import silent
from alphalab.kernels.market.digest import N_WORDS
from alphalab.kernels.market.layout import Row
from alphalab.kernels.market.order_table import FIRST_EXPLICIT
from alphalab.kernels.market.postings import DAYS
from alphalab.kernels.market.tally import CHUNK, fold_all
from alphalab.types import (
    ACCOUNT,
    DELISTING,
    NEVER,
    ORDER,
    POSITION,
    TALLY,
    TRIP_SO_FAR,
    FloatArray,
    Instrument,
    IntArray,
    Records,
)

_PLACE = {
    name: place for place, name in enumerate(Row._fields)
}  # place of each field in `Market.bars`


class Shape(NamedTuple):
    """The array sizes and the `decide` that columns pushed together must share."""

    places: int  # places of the order table per asset
    n_requests: int
    memory_rows: int
    n_tiers: int
    n_rungs: int
    signals: tuple[str, ...]  # of a `decide`, and its parameters
    distances: tuple[str, ...]  # of exits, from expressions
    period: str | None
    decide: Callable[..., Any] | None


def shape_of(
    strategy: Strategy, settings: RunSettings, signals: Collection[str], n_assets: int
) -> Shape:
    """Return the shape of a column's books."""
    most = strategy.max_orders
    return Shape(
        places=int(FIRST_EXPLICIT) + most if waits_inside(strategy, settings) else 1,
        n_requests=max(16, 4 * n_assets * most) if most else 0,
        memory_rows=strategy.memory_rows,
        n_tiers=len(settings.costs.tiers),
        n_rungs=len(ladder_records(settings)),
        signals=tuple(signals),
        distances=() if settings.exits is None else tuple(settings.exits.distances),
        period=settings.rebalance.period,
        decide=type(strategy).decide,
    )


def waits_inside(strategy: Strategy, settings: RunSettings) -> bool:
    """Return True if orders can fill between open and close: exits, entries, own orders."""
    return bool(settings.exits or settings.entry or strategy.max_orders)


class Accounts:
    """The books of C columns of one shape, before their first row.

    Every array has one entry per column on its first axis, except `bounds`, which all share: the
    first row of each segment whose sums are kept, and the row after the last one.
    """

    def __init__(
        self,
        columns: Sequence[tuple[Strategy, RunSettings]],
        instruments: Sequence[Instrument],
        shape: Shape,
        bounds: IntArray,
    ) -> None:
        n, n_assets = len(columns), len(instruments)
        self.shape = shape
        self.decide = compiled_decide(columns[0][0], shape.signals)
        different = {id(settings): settings for _, settings in columns}  # most columns share one
        place = {key: i for i, key in enumerate(different)}
        which = np.array([place[id(settings)] for _, settings in columns])
        self._costs, self._which = [settings.costs for settings in different.values()], which
        records = [_records_of(settings, instruments) for settings in different.values()]
        rules, tiers, ladders, assets, groups = zip(*records, strict=True)
        self.rules: Any = np.concatenate(rules)[which]
        self.rules["decides"] = self.decide is not None
        self.tiers: Any = np.array(tiers)[which]
        self.ladder: Any = np.array(ladders)[which]
        self.instruments: Any = np.array(assets)[which]
        self.groups = np.array(groups)[which]
        starts = [start_records(settings, instruments) for settings in different.values()]
        self.starts: Any = np.array(starts)[which]
        cash = np.array([start_equity(settings, instruments) for _, settings in columns])
        self.accounts = _opened(cash)
        self.positions = _flat(n, n_assets)
        held = self.starts["qty"] != 0.0
        self.positions["mark"][held] = self.starts["price"][held]
        self.orders: Any = np.zeros((n, n_assets, shape.places), ORDER)
        self.traded = np.zeros((n, DAYS + 1))
        self.memory = np.zeros((n, shape.memory_rows, n_assets))
        self.figures: Any = np.zeros(n, TALLY)
        self.equity = np.zeros((n, CHUNK + 1))
        self.trips: Any = np.zeros((n, n_assets), TRIP_SO_FAR)
        self.words = np.zeros((n, N_WORDS), np.uint64)
        self.bounds = bounds
        self.segments = np.zeros((n, 2, bounds.size - 1))
        for name in ("equity", "start", "peak", "least", "least_before"):
            self.figures[name] = cash
        self.equity[:, 0] = cash

    def change(self, instruments: Sequence[Instrument]) -> None:
        """Replace ticks, lots, minimum values and fees by those of changed instruments."""
        records = [instrument_records(instruments, costs) for costs in self._costs]
        self.instruments[...] = np.array(records)[self._which]

    @property
    def books(self) -> tuple[Any, ...]:
        """The arrays of the accounts without the tally: account, positions, orders, traded."""
        return self.accounts, self.positions, self.orders, self.traded

    @property
    def state(self) -> tuple[Any, ...]:
        """The books and the memory of a `decide`."""
        return *self.books, self.memory

    def read(self, parts: Sequence[bytes]) -> tuple[Any, ...]:
        """Return the arrays of a `state` from their bytes.

        Raises
        ------
        StateError
            Bytes of another length.
        """
        if any(len(data) != array.nbytes for array, data in zip(self.state, parts, strict=True)):
            raise StateError(
                "a snapshot whose account, positions, orders or memory are cut",
                rule="they have the sizes that the strategy, the assets and the settings give.",
            )
        return tuple(
            np.frombuffer(data, array.dtype).reshape(array.shape)
            for array, data in zip(self.state, parts, strict=True)
        )

    def tallied(self) -> tuple[Records, Any, FloatArray]:
        """Return figures, digest words and segment sums, with the rows that are not folded yet."""
        figures, equity, words = self.figures.copy(), self.equity.copy(), self.words.copy()
        segments = self.segments.copy()
        bits_of_equity, scratch = equity.view(np.uint64), np.empty(CHUNK)
        with silent():
            fold_all()(figures, equity, bits_of_equity, words, segments, self.bounds, scratch)
        return figures, words, segments

    @property
    def equity_bits(self) -> Any:
        """A view of `equity` as unsigned integers."""
        return self.equity.view(np.uint64)

    @property
    def trip_bits(self) -> Any:
        """A view of `trips` as unsigned integers, (C, N, fields)."""
        return bits(self.trips)


class Market:
    """A block of rows of bars in the layout that the step reads."""

    def __init__(
        self,
        columns: Sequence[tuple[Strategy, RunSettings]],
        instruments: Sequence[Instrument],
        capacity: int,
        external: bool = False,
    ) -> None:
        kinds = {(id(x), waits_inside(strategy, x)): x for strategy, x in columns}
        names = [
            name
            for (_, inside), settings in kinds.items()
            for name in market_columns(settings, instruments, inside, external)
        ]
        self.names = tuple(dict.fromkeys(names))
        rates = foreign(columns[0][1], instruments)
        self.rates = {
            j: rates[instrument.symbol]
            for j, instrument in enumerate(instruments)
            if instrument.symbol in rates
        }
        self.columns = tuple(dict.fromkeys((*self.names, *self.rates.values())))
        self.time = np.empty(capacity, np.int64)
        self.delists = np.zeros(1, np.int64)
        self.bars = np.empty((len(Row._fields), capacity, len(instruments)))
        self.bars[_PLACE["rate"]] = 1.0
        for name in ("bid", "ask", DELISTING):  # read whether or not the settings name them
            self.bars[_PLACE[name]] = np.nan

    def read(self, time: IntArray, columns: Mapping[str, FloatArray], rows: slice) -> int:
        """Copy the next rows; return their number."""
        n: int = rows.stop - rows.start
        self.time[:n] = time[rows]
        for name in self.names:
            self.bars[_PLACE[name], :n] = columns[name][rows]
        for j, name in self.rates.items():
            self.bars[_PLACE["rate"], :n, j] = columns[name][rows, j]
        self._read_delistings(columns.get(DELISTING), rows)
        return n

    def _read_delistings(self, ends: FloatArray | None, rows: slice) -> None:
        """Copy the column of delistings, which is optional."""
        if ends is not None:
            self.bars[_PLACE[DELISTING], : rows.stop - rows.start] = ends[rows]
        self.delists[0] = ends is not None and not np.isnan(ends[rows]).all()

    def periods(self, period: str | None, n: int) -> IntArray:
        """Return the calendar period of the first n rows."""
        return periods(self.time[:n], period)


def default_capacity(n_assets: int) -> int:
    """Return the rows of a block whose buffers fit the cache: 8,192 cells, 16 to 4,096 rows."""
    return min(max(8192 // n_assets, 16), 4096)


def bits(records: Records) -> Any:
    """Return records, (..., n), as unsigned integers, (..., n, fields)."""
    return records.view(np.uint64).reshape(*records.shape, -1)


def _records_of(settings: RunSettings, instruments: Sequence[Instrument]) -> tuple[Any, ...]:
    """Return settings as records for the kernels: rules, tiers, ladder, instruments, groups."""
    groups = _groups(settings, instruments)
    n_groups = int(groups.max(initial=-1)) + 1
    return (
        rule_records(settings, instruments, n_groups),
        tier_records(settings.costs),
        ladder_records(settings),
        instrument_records(instruments, settings.costs),
        groups,
    )


def _groups(settings: RunSettings, instruments: Sequence[Instrument]) -> IntArray:
    group = settings.limits.group
    if group is None:
        return np.full(len(instruments), -1, np.int64)
    codes = group_codes(instruments, group)
    return np.where(np.isnan(codes), -1, codes).astype(np.int64)


def _opened(cash: FloatArray) -> Any:
    """Return accounts before the first row."""
    accounts: Any = np.zeros(cash.size, ACCOUNT)
    for name in ("cash", "equity", "peak", "day_equity"):
        accounts[name] = cash
    for name in ("day", "flat_day", "time", "row_time"):
        accounts[name] = NEVER
    return accounts


def _flat(n_columns: int, n_assets: int) -> Any:
    """Return positions before the first row."""
    positions: Any = np.zeros((n_columns, n_assets), POSITION)
    positions["period"] = NEVER
    for name in ("mark", "entry_price", "basis", "target", *DISTANCES):
        positions[name] = np.nan
    positions["entry_time"] = NEVER
    for name in ("entry_row", "traded_row"):
        positions[name] = -1
    positions["rate"] = 1.0
    positions["room"] = np.inf
    for name in ("over", "under"):
        positions[name] = np.nan
    return positions
