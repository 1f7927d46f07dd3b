"""The asset and the rows of a run that a user names."""

from __future__ import annotations

import numpy as np

from alphalab.data.clock.times import Instant, nanoseconds
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, UnknownNameError


def asset_of(bars: Bars, symbol: str | None, method: str) -> int:
    """Return the position of a symbol; of the only one if none is named.

    Parameters
    ----------
    bars : Bars
    symbol : str or None
    method : str
        The method that the user called, for the message of an error.

    Raises
    ------
    DataError
        No symbol where there are several.
    UnknownNameError
        No such symbol; near names are suggested.
    """
    if symbol is None and bars.n_symbols > 1:
        raise DataError(
            f"{method} without a symbol, of {bars.n_symbols} symbols",
            rule="it shows one asset.",
            fix=f"Name it: {method}(..., symbol={bars.symbols[0]!r}).",
        )
    symbol = bars.symbols[0] if symbol is None else symbol
    if symbol not in bars.symbols:
        raise UnknownNameError("symbol", symbol, bars.symbols)
    return bars.symbols.index(symbol)


def rows_between(
    bars: Bars, start: Instant | None, end: Instant | None, method: str
) -> tuple[int, int]:
    """Return the first row that closed at `start` or later, and the row after the last by `end`.

    Raises
    ------
    DataError
        No row between them.
    """
    first, stop = 0, bars.n_rows
    if start is not None:
        first = int(np.searchsorted(bars.time, nanoseconds(start), side="left"))
    if end is not None:
        until = nanoseconds(end, end_of_day=True)
        stop = int(np.searchsorted(bars.time, until, side="right"))
    if first >= stop:
        raise DataError(
            f"{method}(start={start!r}, end={end!r}) has no rows",
            rule=f"rows lie between {bars.start} and {bars.end}.",
        )
    return first, stop
