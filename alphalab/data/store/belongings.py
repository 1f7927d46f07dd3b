"""Tables that join bars of a store: read once, joined to all rows or block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import NS_DAY, NS_SECOND, bar_spacing, nanoseconds
from alphalab.data.formats import arrow
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.universe import MEMBER, Universe
from alphalab.types import DELISTING, NEVER, FloatArray


@dataclass(frozen=True)
class Belongings:
    """Rows of other tables that are joined to bars.

    Attributes
    ----------
    funding : pyarrow.Table or None
        Columns time, symbol and rate; None: no symbol has funding.
    actions : pyarrow.Table or None
        Columns time, symbol, split and dividend; None: the venue has none.
    delistings : pyarrow.Table or None
        Columns time, symbol and price; None: no listing ends.
    universe : Universe or None
    observations : mapping of str to pyarrow.Table
        By name, those of the symbols.
    """

    funding: pa.Table | None
    actions: pa.Table | None
    delistings: pa.Table | None
    universe: Universe | None
    observations: Mapping[str, pa.Table]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that `onto` adds."""
        names = [] if self.funding is None else ["funding"]
        names += [] if self.actions is None else ["split", "dividend"]
        names += [] if self.delistings is None else [DELISTING]
        names += [] if self.universe is None else [MEMBER]
        return *names, *self.observations

    def delisted(self, until: int) -> frozenset[str]:
        """Return the symbols whose listings ended by an instant, ns UTC."""
        if self.delistings is None:
            return frozenset()
        return frozenset(_between(self.delistings, NEVER, until)["symbol"].to_pylist())

    def n_splits(self, first: int, last: int) -> int:
        """Return the number of splits between two instants, both included, ns UTC."""
        if self.actions is None:
            return 0
        ratio = _between(self.actions, first, last)["split"]
        return int(pc.sum(pc.not_equal(ratio, 1.0)).as_py() or 0)

    def onto(self, bars: Bars) -> Bars:
        """Return bars joined with all tables.

        The columns are funding, split and dividend (prices stay raw), delisting, member, and one
        for each name of observations.
        """
        first, last = _first(bars), int(bars.time[-1])
        if self.funding is not None:
            bars = bars.with_funding(_due(self.funding, bars, first, last))
        if self.actions is not None:
            bars = bars.with_actions(_between(self.actions, first, last))
        if self.delistings is not None:
            bars = bars.with_delistings(_between(self.delistings, first, last))
        if self.universe is not None:
            bars = bars.joined({MEMBER: self.universe.by_row(bars.time, bars.symbols)})
        for name, rows in self.observations.items():
            if rows.num_rows:
                bars = bars.with_observations(rows, [name])
            else:
                bars = bars.joined({name: np.full_like(bars.close, np.nan)})
        return bars

    def ahead(self, bars: Bars) -> tuple[FloatArray, FloatArray]:
        """Return the splits and dividends, (N,) each, after the last row of their symbol."""
        split, dividend = np.full(bars.n_symbols, np.nan), np.full(bars.n_symbols, np.nan)
        priced = np.where(np.isnan(bars.close), -1, np.arange(bars.n_rows)[:, None]).max(axis=0)
        ends = np.where(priced < 0, np.iinfo(np.int64).max, bars.time[priced])
        end = dict(zip(bars.symbols, ends.tolist(), strict=True))
        events = [] if self.actions is None else self.actions.sort_by("time").to_pylist()
        for event in events:
            if nanoseconds(event["time"]) < end[event["symbol"]]:
                continue
            asset = bars.symbols.index(event["symbol"])
            if event["split"] is not None:
                split[asset] = event["split"] * (1.0 if np.isnan(split[asset]) else split[asset])
                dividend[asset] /= event["split"]
            if event["dividend"] is not None:
                dividend[asset] = event["dividend"] + np.nan_to_num(dividend[asset])
        return split, dividend


def _first(bars: Bars) -> int:
    """Return an estimate of the time at which the first row opens, ns UTC."""
    return int(bars.time[0]) - (bar_spacing(bars.time) if bars.n_rows > 1 else NS_DAY)


def _due(rows: pa.Table, bars: Bars, first: int, last: int) -> pa.Table:
    """Return the rates that are due from one instant on and before another, ns UTC.

    The stamp of a rate may lag its due time.
    """
    spans = {x.symbol: round(x.funding_hours * 3_600 * NS_SECOND) for x in bars.instruments}
    span = np.array([spans[symbol] for symbol in rows["symbol"].to_pylist()], np.int64)
    time = arrow.integers(rows["time"]) * 1_000
    due = time - time % NS_DAY % np.maximum(span, 1)
    return rows.filter(pa.array((due >= first) & (due < last)))


def _between(rows: pa.Table, first: int, last: int) -> pa.Table:
    """Return the rows whose times lie between two instants, both included, ns UTC."""
    time = pc.multiply(rows["time"].cast(pa.int64()), 1_000)
    return rows.filter(pc.and_(pc.greater_equal(time, first), pc.less_equal(time, last)))
