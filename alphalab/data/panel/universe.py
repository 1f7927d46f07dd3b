"""Universes: intervals of membership, by row and at an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import Instant, nanoseconds
from alphalab.data.formats import arrow
from alphalab.errors import UnknownNameError
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The column of bars with 1.0 for members.
MEMBER = "member"

_NEVER = np.iinfo(np.int64).max
_EVER = np.iinfo(np.int64).min


class Universe:
    """The intervals of membership of one universe.

    A symbol is a member in [start, end), but not before its interval was known.

    Parameters
    ----------
    rows : pyarrow.Table
        Columns symbol, start, end (null: still a member) and known.

    Examples
    --------
    >>> import datetime as dt
    >>> day = [dt.datetime(2024, 1, number) for number in range(1, 10)]
    >>> rows = {"symbol": ["A", "B"], "start": [day[0], day[2]], "end": [day[3], None]}
    >>> universe = Universe(pa.table(rows | {"known": [day[0], day[4]]}))
    >>> time = np.array(day[:6], "datetime64[ns]").astype(np.int64)
    >>> universe.by_row(time, ["A", "B"]).T
    array([[1., 1., 1., 0., 0., 0.],
           [0., 0., 0., 0., 1., 1.]])
    >>> universe.members("2024-01-03"), universe.members()
    (('A',), ('B',))
    """

    def __init__(self, rows: pa.Table) -> None:
        self._symbols: list[str] = rows["symbol"].to_pylist()
        start, self._end, known = (_instants(rows[x]) for x in ("start", "end", "known"))
        self._start = np.maximum(start, known)

    def by_row(self, time: IntArray, symbols: Sequence[str]) -> FloatArray:
        """Return 1.0 where a symbol was known to be a member, else 0.0, (T, N).

        Parameters
        ----------
        time : ndarray of shape (T,)
            ns UTC, increasing.
        symbols : sequence of str
            The N symbols.
        """
        column = np.zeros((len(time), len(symbols)))
        places = {symbol: place for place, symbol in enumerate(symbols)}
        first = np.searchsorted(time, self._start)
        last = np.searchsorted(time, self._end)
        for symbol, i0, i1 in zip(self._symbols, first, last, strict=True):
            if symbol in places:
                column[i0:i1, places[symbol]] = 1.0
        return column

    def members(self, at: Instant | None = None) -> tuple[str, ...]:
        """Return the members at an instant, sorted; not given: those that have not left."""
        when = _NEVER - 1 if at is None else nanoseconds(at)
        return self.ever(when, when)

    def ever(self, start: int | None = None, end: int | None = None) -> tuple[str, ...]:
        """Return the members at some time between two instants, both included, ns; sorted."""
        from_, to = _EVER if start is None else start, _NEVER if end is None else end
        there = (self._start <= to) & (self._end > from_) & (self._start < self._end)
        return tuple(sorted({self._symbols[row] for row in np.flatnonzero(there)}))


def universe_of(rows: pa.Table, name: str) -> Universe:
    """Return the universe of a name, of all rows of the table.

    Raises
    ------
    UnknownNameError
        No universe of this name; near names are suggested.
    """
    names: list[str] = rows["name"].to_pylist()
    mine = np.flatnonzero([name == other for other in names])
    if not len(mine):
        raise UnknownNameError("universe", name, set(names))
    return Universe(rows.take(pa.array(mine)))


def _instants(column: pa.ChunkedArray) -> IntArray:
    """Return times in ns UTC; null becomes the largest value."""
    filled = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).fill_null(_NEVER // 1_000)
    micros = arrow.integers(filled)
    return np.where(micros == _NEVER // 1_000, _NEVER, micros * 1_000)
