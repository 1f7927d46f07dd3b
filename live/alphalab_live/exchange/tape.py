"""The bars that the exchange plays, row by row, and its candles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from alphalab.core.timeline import Timeline
from alphalab.errors import DataError
from alphalab.types import Instrument, InstrumentChange, IntArray

MS = 1_000_000  # nanoseconds
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


class Rows(Protocol):
    """What the exchange reads of bars; `alphalab.Bars` has it."""

    @property
    def time(self) -> IntArray:
        """Close times, ns UTC, (T,)."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The assets, (N,)."""

    @property
    def instrument_changes(self) -> Sequence[InstrumentChange]:
        """Later changes of ticks, lots, minimum values and fees."""

    @property
    def columns(self) -> Collection[str]:
        """The names of the columns."""

    def __getitem__(self, name: str) -> Any:
        """One column, (T, N)."""


class Candle(NamedTuple):
    """One bar of one asset. Times are ms: `close_time` is the last millisecond of the bar."""

    open_time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Tape:
    """The rows of the bars, one of which is the current one.

    Parameters
    ----------
    bars : Rows
    start : int
        Rows before it are history: the exchange plays from this row on.

    Attributes
    ----------
    row : int
        The current row; ``start - 1`` before the first.
    open : bool
        True while the bar of the current row is not over: it has no candle yet.

    Raises
    ------
    DataError
        Fewer than two rows, a start outside of them, or a spacing that no candle has.
    """

    def __init__(self, bars: Rows, start: int = 0) -> None:
        self.n_rows = len(bars.time)
        if self.n_rows < 2 or not 0 <= start < self.n_rows:
            raise DataError(
                f"an exchange over {self.n_rows} rows, from row {start} on",
                rule="there are at least two rows, and it starts at one of them.",
            )
        self.time = bars.time
        self.columns = {name: np.asarray(bars[name], np.float64) for name in bars.columns}
        self.row = start - 1
        self.open = False
        self._timeline = Timeline(bars.instruments, bars.instrument_changes)
        self.spacing = int(np.min(np.diff(self.time))) // MS
        self.interval = interval_of(self.spacing)
        self._prices = [self.columns[name] for name in ("open", "high", "low", "close")]
        volume = self.columns.get("volume")
        self._volume = np.zeros_like(self._prices[0]) if volume is None else volume

    def begin(self) -> None:
        """Begin the next row."""
        self.row += 1
        self.open = True

    def end(self) -> None:
        """End the current row: its candles are closed."""
        self.open = False

    @property
    def now(self) -> int:
        """Time of the market: the close of the current row, or the open of the first, ms."""
        if self.row < 0:
            return int(self.time[0]) // MS - self.spacing
        return int(self.time[self.row]) // MS

    @property
    def ended(self) -> bool:
        """True after the last row."""
        return self.row + 1 >= self.n_rows

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments in force at the current row."""
        last = self.time[max(self.row, 0)]
        return self._timeline.states[int(np.searchsorted(self._timeline.times, last))]

    def candle(self, asset: int, row: int) -> Candle | None:
        """Return the candle of an asset in a row; None where it was not traded."""
        prices = [float(column[row, asset]) for column in self._prices]
        if any(price != price for price in prices):
            return None
        end = int(self.time[row]) // MS
        volume = float(self._volume[row, asset])
        open_, high, low, close = prices
        known = volume if volume == volume else 0.0
        return Candle(end - self.spacing, end - 1, open_, high, low, close, known)

    def candles(self, asset: int, since: int | None, until: int | None, limit: int) -> list[Candle]:
        """Return closed candles, the oldest first.

        Parameters
        ----------
        asset : int
        since, until : int or None
            Bounds of the open time, both included, ms. Without `since`, the last ones.
        limit : int
            Most candles.
        """
        closed = self.time[: self.row + 1 - self.open]
        first, last = 0, closed.size
        if since is not None:
            first = int(np.searchsorted(closed, (since + self.spacing) * MS))
        if until is not None:
            last = int(np.searchsorted(closed, (until + self.spacing) * MS, "right"))
        rows = range(first, last)
        found: list[Candle] = []
        for row in rows if since is not None else reversed(rows):
            if len(found) == limit:
                break
            if (candle := self.candle(asset, row)) is not None:
                found.append(candle)
        return found if since is not None else found[::-1]


def interval_of(spacing: int) -> str:
    """Return the name of the candles with a spacing in ms.

    Raises
    ------
    DataError
        A spacing that is no whole number of seconds.

    Examples
    --------
    >>> interval_of(60_000), interval_of(14_400_000), interval_of(86_400_000)
    ('1m', '4h', '1d')
    """
    for unit, letter in _UNITS:
        if spacing > 0 and spacing % unit == 0:
            return f"{spacing // unit}{letter}"
    raise DataError(
        f"bars {spacing} ms apart", rule="candles are whole seconds, minutes, hours or days."
    )
