"""`Carry`: the state of all rows before a block that a join of the block needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from alphalab.data.formats import arrow
from alphalab.data.panel.rules import PRICES
from alphalab.data.store.belongings import Belongings
from alphalab.types import FloatArray, IntArray

_MICROSECOND = 1_000  # ns


@dataclass(frozen=True, eq=False)
class Carry:
    """The last row before a block, of N symbols; it replaces all earlier rows for later joins.

    Attributes
    ----------
    time : int
        Time of the last row, ns UTC; before the first row, the time at which that one opens.
    close : ndarray of shape (N,)
        Last known close; NaN before the first.
    priced : ndarray of shape (N,)
        Times of the rows with these closes, ns UTC.
    row : mapping of str to ndarray of shape (N,)
        Columns of the last row.
    """

    time: int
    close: FloatArray
    priced: IntArray
    row: Mapping[str, FloatArray]

    @classmethod
    def start(cls, time: int, n_symbols: int) -> Carry:
        """Return the state before the first row."""
        return cls(time, np.full(n_symbols, np.nan), np.full(n_symbols, time), {})

    def after(self, time: IntArray, columns: Mapping[str, FloatArray]) -> Carry:
        """Return the state after these rows."""
        known = ~np.isnan(columns["close"])
        last = len(time) - 1 - np.argmax(known[::-1], axis=0)
        seen = known.any(axis=0)
        here = np.take_along_axis(columns["close"], last[np.newaxis], axis=0)[0]
        return Carry(
            time=int(time[-1]),
            close=np.where(seen, here, self.close),
            priced=np.where(seen, time[last], self.priced),
            row={name: values[-1] for name, values in columns.items()},
        )

    @property
    def whole(self) -> bool:
        """True if every symbol with an earlier price has one in the last row."""
        return bool(self.row) and bool((np.isnan(self.close) == np.isnan(self.row["close"])).all())

    def before(
        self, time: IntArray, columns: Mapping[str, FloatArray]
    ) -> tuple[IntArray, dict[str, FloatArray]]:
        """Return the rows behind one row of the last known prices."""
        nothing = np.full_like(self.close, np.nan)
        first = {name: self.row.get(name, nothing) for name in columns}
        halted = np.isnan(first["close"])
        first |= {name: np.where(halted, self.close, first[name]) for name in PRICES}
        stacked = {name: np.vstack([first[name], values]) for name, values in columns.items()}
        return np.append(self.time, time), stacked

    def waiting(self, belongings: Belongings, symbols: tuple[str, ...]) -> Belongings:
        """Return the tables without the splits and dividends of earlier rows.

        An event of a day on which its symbol did not trade belongs to the next row with a price: it
        is moved behind the last row, after earlier such events.
        """
        rows = belongings.actions
        if rows is None:
            return belongings
        rows = rows.sort_by("time")
        place = {symbol: place for place, symbol in enumerate(symbols)}
        asset = np.array([place[symbol] for symbol in rows["symbol"].to_pylist()], np.int64)
        time = arrow.integers(rows["time"]) * _MICROSECOND
        left = time >= self.priced[asset]
        rows, time = rows.filter(pa.array(left)), time[left]
        # Events of symbols without any price so far are dropped: they come before the first row.
        late = (time <= self.time) & ~np.isnan(self.close[asset[left]])
        moved = self.time + _MICROSECOND * (1 + np.arange(len(time)))
        stamps = pa.array(
            np.where(late, moved, time) // _MICROSECOND, rows.schema.field("time").type
        )
        return replace(belongings, actions=rows.set_column(0, "time", stamps))
