"""`BarColumns`: the five columns that every table of bars has, by name."""

from __future__ import annotations

from collections.abc import Mapping

from alphalab.types import FloatArray


class BarColumns:
    """Reads the prices and the volume from `columns`; their shape is that of the table."""

    __slots__ = ()

    columns: Mapping[str, FloatArray]

    @property
    def open(self) -> FloatArray:
        """Opening prices: (T, N) of bars, (R,) of rows."""
        return self.columns["open"]

    @property
    def high(self) -> FloatArray:
        """Highest prices: (T, N) of bars, (R,) of rows."""
        return self.columns["high"]

    @property
    def low(self) -> FloatArray:
        """Lowest prices: (T, N) of bars, (R,) of rows."""
        return self.columns["low"]

    @property
    def close(self) -> FloatArray:
        """Closing prices: (T, N) of bars, (R,) of rows."""
        return self.columns["close"]

    @property
    def volume(self) -> FloatArray:
        """Traded units: (T, N) of bars, (R,) of rows; NaN where unknown."""
        return self.columns["volume"]
