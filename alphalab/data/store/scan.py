"""`scan`: bars that stay in their store and are read ahead, block by block."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from alphalab.data.clock.annual import rows_per_year
from alphalab.data.clock.times import (
    NS_DAY,
    NS_SECOND,
    Instant,
    bar_spacing,
    nanoseconds,
)
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.blocks import Block, BlockSource
from alphalab.data.panel.rules import checked_changes
from alphalab.data.store.carry import Carry
from alphalab.data.store.log import Series
from alphalab.data.store.panel import panel_of
from alphalab.data.store.reading import Reading
from alphalab.data.store.store import Store
from alphalab.data.store.view import View
from alphalab.errors import DataError, ParameterError, UnknownNameError
from alphalab.types import (
    BAR_COLUMNS,
    FOREVER,
    NEVER,
    FloatArray,
    Instrument,
    IntArray,
)

if TYPE_CHECKING:
    from alphalab.data.store.belongings import Belongings

#: Rows of the table in a block, about: some ten megabytes.
BLOCK_ROWS = 262_144

_AHEAD = 2  # blocks read ahead
_WEEKS = 28 * NS_DAY  # the span from which `periods_per_year` is derived

Part = TypeVar("Part")


@dataclass(frozen=True, eq=False, repr=False)
class Scan(BlockSource):
    """Bars that stay in their store; every pass reads the same rows.

    `al.load` and `scan` read them from `version`. `n_rows` is an estimate, and `periods_per_year`
    is derived from the first weeks; NaN where they have too few rows.
    """

    _reading: Reading = field(kw_only=True)
    _belongings: Belongings = field(kw_only=True)
    _windows: tuple[tuple[int, int], ...] = field(kw_only=True)
    _before: Carry = field(kw_only=True)

    @property
    def belonging(self) -> tuple[str, ...]:
        """The columns that other tables of the store add: funding, split, member ..."""
        return self._belongings.names

    @property
    def n_splits(self) -> int:
        """Number of splits of the symbols in the span."""
        first, last = self._before.time, self._windows[-1][-1]
        return self._belongings.n_splits(first, last)

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield the rows block by block, with some of the columns; the next blocks are read ahead.

        Raises
        ------
        UnknownNameError
            A column that the bars do not have; near names are suggested.
        DataError
            A file of the store that cannot be read.
        """
        if set(names) & set(self._belongings.names):
            for _, block in self.pieces(names):
                yield block
            return
        self._check(names)

        def read(window: tuple[int, int]) -> Block:
            return self._block(window, names)

        yield from (block for block in _ahead(read, self._windows) if block.time.size)

    def pieces(self, names: Sequence[str]) -> Iterator[tuple[Bars, Block]]:
        """Yield each block together with `Bars` of all its columns.

        These bars begin with the row before the block, if every symbol with an earlier price has
        one in it: a check then sees the change between two blocks.
        """
        self._check(names)
        carry = self._before
        wanted = (*names, *self._belongings.names)  # a joined column replaces one of its name
        own = [name for name in wanted if name in self._reading.columns]
        read_names = tuple(dict.fromkeys((*BAR_COLUMNS, *own)))

        def read(window: tuple[int, int]) -> tuple[Bars, Block] | None:
            nonlocal carry
            block = self._block(window, read_names)
            if not block.time.size:
                return None
            bars = self._bars(carry, block)
            seen = bars if carry.whole else bars.rows(1, bars.n_rows)
            carry = carry.after(*block)
            return seen, Block(block.time, {name: _later(bars, name) for name in names})

        yield from (piece for piece in _ahead(read, self._windows) if piece is not None)

    def _block(self, window: tuple[int, int], names: Sequence[str]) -> Block:
        rows = self._reading.between(self.symbols, *window, columns=names)
        time, _, columns = panel_of(rows, self.symbols)
        unknown = np.full((len(time), len(self.symbols)), np.nan)
        return Block(time, {name: columns.get(name, unknown) for name in names})

    def _bars(self, carry: Carry, block: Block) -> Bars:
        """Return bars of the row before a block and of the block, joined with the other tables."""
        time, columns = carry.before(*block)
        bars = Bars(
            *(time, self.symbols, columns),
            instruments=self.instruments,
            periods_per_year=None if np.isnan(self.periods_per_year) else self.periods_per_year,
            source=self.source,
        )
        return carry.waiting(self._belongings, self.symbols).onto(bars)

    def _check(self, names: Sequence[str]) -> None:
        known = (*self._reading.columns, *self._belongings.names)
        for name in names:
            if name not in known:
                raise UnknownNameError("column", name, known)


def scan(
    address: str,
    *,
    symbols: Sequence[str] | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
    as_of: Instant | None = None,
    universe: str | None = None,
    observations: Sequence[str] = (),
    store: Store | str | Path | None = None,
    block_rows: int = BLOCK_ROWS,
) -> Scan:
    """Return bars of a store that a backtest reads block by block.

    Parameters
    ----------
    address : str
        ``"store:binance/1m/BTC/USDT"``, or the `version` of other bars or of another scan.
    symbols, start, end, as_of, universe, observations
        As in `alphalab.load`.
    store : Store, str or Path, optional
        Not given: the environment variable ``ALPHALAB_STORE``, else the folder ``data``.
    block_rows : int
        Rows of the store in a block, about: affects memory and speed, never results.

    Returns
    -------
    Scan
        `alphalab.backtest` takes it in place of bars.

    Raises
    ------
    UnknownNameError
        A series, a symbol, a universe or an observation that the store does not have.
    DataError
        No row, no such version, or an address that asks for adjusted prices.

    Examples
    --------
    >>> import tempfile
    >>> import alphalab as al
    >>> folder = tempfile.TemporaryDirectory()
    >>> walk = "synthetic:rows=5000,symbols=1"
    >>> written = al.data.ingest(walk, venue="syn", interval="1h", store=folder.name)
    >>> scan = al.scan("store:syn/1h", store=folder.name)
    >>> trend = al.ExprStrategy(text="where(close > ts_mean(close, 50), 1, 0)")
    >>> summary = al.backtest(trend, scan)
    >>> bars = al.load("store:syn/1h", store=folder.name)
    >>> summary.digest == al.backtest(trend, bars).digest
    True
    >>> folder.cleanup()
    """
    if block_rows < 1:
        raise ParameterError(f"block_rows={block_rows}", rule="block_rows is at least 1.")
    asked = {"symbols": symbols, "start": start, "end": end, "as_of": as_of}
    view = View.parse(address, universe=universe, observations=observations, **asked)
    if view.adjust is not None:
        raise DataError(
            f"{address}: a scan of adjusted prices",
            rule="adjusted prices need later events, which a scan has not read yet.",
            fix='Scan raw prices and run with actions="cash" or actions="reinvest".',
        )
    reading = Reading(store if isinstance(store, Store) else Store(store), view)
    names, missing = reading.symbols()
    series = [one for one in reading.series() if one.names[2] in names]
    first = max(min(one.first for one in series), _bound(view.start, False))
    last = min(max(map(_end, series)), _bound(reading.end, True))
    if view.symbols is None and view.universe is None:  # then the symbols with rows in the span
        names = tuple(x.names[2] for x in series if _has_rows(reading, x, first, last))
    time, until = _ends(reading, names, windows(series, first, last, BLOCK_ROWS))
    assets = reading.instruments(names, int(time[0]), until)
    belongings = reading.belongings(assets.instruments)
    annual, derived = _annual(time, assets.instruments)
    return Scan(
        source=view.source,
        version=reading.address,
        symbols=names,
        instruments=assets.instruments,
        instrument_changes=checked_changes(assets.changes, names),
        notes=(*reading.notes(names), *missing, *assets.notes, *derived),
        n_rows=max(_rows_between(one, first, last) for one in series if one.names[2] in names),
        periods_per_year=annual,
        _reading=reading,
        _belongings=belongings,
        _windows=tuple(windows(series, first, last, block_rows)),
        _before=Carry.start(int(time[0]) - _spacing(time), len(names)),
    )


def windows(series: Sequence[Series], start: int, end: int, rows: int) -> list[tuple[int, int]]:
    """Return successive spans of time with about `rows` rows each.

    The estimate assumes evenly spread rows; other blocks are larger or smaller.

    Parameters
    ----------
    series : sequence of Series
    start, end : int
        First and last time of all spans, ns UTC.
    rows : int
        Rows of a span.

    Returns
    -------
    list of (int, int)
        First and last time of each.

    Examples
    --------
    >>> windows([Series(("a",), 20, 1, 20, n_files=1)], 1, 20, rows=10)
    [(1, 10), (11, 20)]
    """
    firsts, lasts = ([getattr(one, name) for one in series] for name in ("first", "last"))
    points = np.unique([*(first - 1 for first in firsts), *lasts])
    so_far = np.zeros(len(points))
    for one in series:
        passed = (points - (one.first - 1)) / (one.last - one.first + 1)
        so_far += one.n_rows * np.clip(passed, 0.0, 1.0)
    full = np.arange(rows, sum(one.n_rows for one in series), rows)
    cuts = np.interp(full, so_far, points).astype(np.int64)
    cuts = np.unique(np.append(cuts[(cuts >= start) & (cuts < end)], end))
    return [(before + 1, cut) for before, cut in pairwise([start - 1, *cuts.tolist()])]


def _ahead(
    read: Callable[[tuple[int, int]], Part], spans: Sequence[tuple[int, int]]
) -> Iterator[Part]:
    """Yield the content of each span; a thread reads the next spans meanwhile."""
    with ThreadPoolExecutor(1) as reader:
        ahead: deque[Future[Part]] = deque()
        try:
            for span in spans:
                ahead.append(reader.submit(read, span))
                if len(ahead) > _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:  # the consumer has stopped
                future.cancel()


def _later(bars: Bars, name: str) -> FloatArray:
    """Return a column without its first row; NaN where the bars lack the column."""
    if name in bars.columns:
        return bars.columns[name][1:]
    return np.full((bars.n_rows - 1, bars.n_symbols), np.nan)


def _bound(when: str | None, is_end: bool) -> int:
    if when is None:
        return FOREVER if is_end else NEVER
    return nanoseconds(when, end_of_day=is_end)


def _end(series: Series) -> int:
    """Return an upper limit of the last time of a series: file statistics are cut to the ms."""
    return series.last + NS_SECOND // 1_000 - 1


def _has_rows(reading: Reading, series: Series, first: int, last: int) -> bool:
    """Return True if a series has rows between two times; reads them unless its ends decide."""
    if first <= series.first <= last or (first <= series.last and _end(series) <= last):
        return True
    spans = series.first < first <= _end(series)
    return spans and reading.between(series.names[2:], first, last, columns=()).num_rows > 0


def _rows_between(series: Series, first: int, last: int) -> int:
    """Return the number of rows of a series between two times, if they are evenly spread."""
    shared = min(series.last, last) - max(series.first, first) + 1
    return max(int(series.n_rows * shared / (series.last - series.first + 1)), 1)


def _ends(
    reading: Reading, symbols: tuple[str, ...], spans: Sequence[tuple[int, int]]
) -> tuple[IntArray, int]:
    """Return the times of the first weeks of rows, and the last time."""
    parts: list[IntArray] = []
    for time in _times(reading, symbols, spans):
        parts.append(time)
        if time[-1] - parts[0][0] >= _WEEKS:
            break
    if not parts:
        raise DataError(
            f"{reading.view.source}: no rows between start={reading.view.start} and "
            f"end={reading.end}",
            rule="there is at least one row.",
            fix="Look at what is there: alphalab data list.",
        )
    last = next(_times(reading, symbols, spans[::-1]))[-1]
    return np.concatenate(parts), int(last)


def _times(
    reading: Reading, symbols: tuple[str, ...], spans: Sequence[tuple[int, int]]
) -> Iterator[IntArray]:
    """Yield the times of the rows, span by span; spans without rows are left out."""
    for span in spans if symbols else ():
        rows = reading.between(symbols, *span, columns=())
        if rows.num_rows:
            yield panel_of(rows, symbols)[0]


def _annual(time: IntArray, instruments: Sequence[Instrument]) -> tuple[float, Notes]:
    """Return the rows a year holds and a note on the derivation; NaN with too few rows."""
    if len(time) < 3:
        return np.nan, ()
    per_year, reason = rows_per_year(time, [instrument.calendar for instrument in instruments])
    return per_year, (Note("periods_per_year", f"{reason} (of the first rows)"),)


def _spacing(time: IntArray) -> int:
    return bar_spacing(time) if len(time) > 1 else NS_DAY
