"""`Feed`: closed candles of several symbols become the rows of one engine, in order, without gaps.

A row is whole when every symbol has its candle. When the grace is over, a symbol without one has
not traded: its cells are NaN. A candle that changes after it was pushed is a finding, never a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alphalab.types import FloatArray
from alphalab_live.venue import Candle

PRICES = ("open", "high", "low", "close", "volume")


class Feed:
    """The candles of one engine.

    Parameters
    ----------
    symbols, columns : sequence of str
        Of the rows.
    interval : int
        Length of a bar, ns.
    last : int
        Close of the last row that was pushed, ns; 0: the first candle begins.
    grace : int
        How long after the close of a bar its candles may come, ns.

    Examples
    --------
    >>> feed = Feed(["A"], ["close"], 60, 0, grace=10)
    >>> feed.add(Candle("A", 120, 1.0, 1.0, 1.0, 1.5, 0.0))
    >>> feed.next_time(), feed.row(120).tolist()
    (120, [[1.5]])
    """

    def __init__(
        self, symbols: Sequence[str], columns: Sequence[str], interval: int, last: int, grace: int
    ) -> None:
        self.symbols, self.columns = tuple(symbols), tuple(columns)
        self.interval, self.grace = interval, grace
        self.last = last
        self._candles: dict[int, dict[str, Candle]] = {}
        self._pushed: dict[str, Candle] = {}  # of the last row

    def add(self, candle: Candle) -> Candle | None:
        """Take a candle; return the one that it changes, if that was pushed already."""
        if candle.symbol not in self.symbols:
            return None
        if self.last and candle.time <= self.last:
            before = self._pushed.get(candle.symbol)
            same_time = before is not None and before.time == candle.time
            return before if same_time and before != candle else None
        self._candles.setdefault(candle.time, {})[candle.symbol] = candle
        return None

    def next_time(self) -> int:
        """Return the close of the next row, ns; 0 before the first candle."""
        if self.last:
            return self.last + self.interval
        return min(self._candles, default=0)

    def is_whole(self, time: int) -> bool:
        """Return True if every symbol has its candle of a row."""
        return len(self._candles.get(time, ())) == len(self.symbols)

    def is_over(self, time: int, now: int) -> bool:
        """Return True if the grace of a row has ended, or a later row has begun to come."""
        return now >= time + self.grace or any(other > time for other in self._candles)

    def missing(self, time: int) -> list[str]:
        """Return the symbols without a candle of a row."""
        known = self._candles.get(time, {})
        return [symbol for symbol in self.symbols if symbol not in known]

    def row(self, time: int) -> FloatArray:
        """Return the values of a row, (columns, symbols), and go on behind it."""
        known = self._candles.pop(time, {})
        values = np.full((len(self.columns), len(self.symbols)), np.nan)
        for j, symbol in enumerate(self.symbols):
            if symbol in known:
                values[:, j] = cells_of(known[symbol], self.columns)
        self._pushed = known
        self.last = time
        return values


def cells_of(candle: Candle, columns: Sequence[str]) -> list[float]:
    """Return the cells of a candle in the order of some columns; NaN for what it does not have."""
    return [getattr(candle, name) if name in PRICES else math.nan for name in columns]
