"""Rows of a store as `Bars`: raw or adjusted, joined with other tables, as of any date."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.formats import arrow
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.instruments import some
from alphalab.data.store.reading import Reading
from alphalab.data.store.versions import VersionedTables
from alphalab.data.store.view import View
from alphalab.types import BAR_COLUMNS, FloatArray, IntArray

_KEY = ("symbol", "time")


def read_view(store: VersionedTables, view: View) -> Bars:
    """Read the bars of a view; `Store.bars` documents the options."""
    reading = Reading(store, view)
    symbols, missing = reading.symbols()
    # As of a date, all events up to it adjust prices, also those after the last row of the view.
    beyond = view.adjust is not None and view.as_of is not None
    time, symbols, columns = panel_of(
        reading.rows(symbols, view.as_of if beyond else reading.end),
        None if view.symbols is None and view.universe is None else symbols,
    )
    assets = reading.instruments(symbols, int(time[0]), int(time[-1]))
    belongings = reading.belongings(assets.instruments)
    notes = (*reading.notes(symbols), *missing, *assets.notes)
    notes += _ended(symbols, columns, belongings.delisted(int(time[-1])))
    bars = belongings.onto(
        Bars(
            time,
            symbols,
            columns,
            instruments=assets.instruments,
            instrument_changes=assets.changes,
            source=view.source,
            notes=notes,
        )
    )
    if view.adjust is not None:
        ahead = None if view.as_of is None else belongings.ahead(bars)
        bars = bars.adjusted(dividends=view.adjust == "all", as_of=view.as_of, ahead=ahead)
    if beyond and view.end is not None:
        bars = bars.between(end=view.end)
    return bars.named(reading.address)


def panel_of(
    rows: pa.Table, symbols: tuple[str, ...] | None
) -> tuple[IntArray, tuple[str, ...], dict[str, FloatArray]]:
    """Return times, symbols and columns, (T, N), of rows; cells without a row are NaN.

    Not given: the symbols of the rows, sorted.
    """
    if symbols is None:
        symbols = tuple(sorted(pc.unique(rows["symbol"]).to_pylist()))
    stamps = arrow.integers(rows["time"]) * 1_000
    names = [name for name in rows.column_names if name not in _KEY]
    # A further column that only other series of the table have.
    names = [x for x in names if x in BAR_COLUMNS or rows[x].null_count < rows.num_rows]
    if len(symbols) == 1 and (stamps[1:] > stamps[:-1]).all():
        return stamps, symbols, {name: arrow.floats(rows[name]).reshape(-1, 1) for name in names}
    time, row = np.unique(stamps, return_inverse=True)
    asset = arrow.integers(pc.index_in(rows["symbol"], pa.array(symbols)).cast(pa.int64()))
    columns = {}
    for name in names:
        cells = np.full((len(time), len(symbols)), np.nan)
        cells[row, asset] = arrow.floats(rows[name])
        cells.setflags(write=False)
        columns[name] = cells
        rows = rows.drop_columns([name])  # frees its memory before the next column
    return time, symbols, columns


def _ended(
    symbols: Sequence[str], columns: Mapping[str, FloatArray], delisted: Collection[str]
) -> Notes:
    """Return a note about symbols that have no bar in the last row and were not delisted."""
    ended = [
        symbol
        for symbol, close in zip(symbols, columns["close"][-1], strict=True)
        if np.isnan(close) and symbol not in delisted
    ]
    if not ended:
        return ()
    text = f"bars of {some(ended)} end before the last row: what is held then keeps its last price"
    return (Note("ended", text),)
