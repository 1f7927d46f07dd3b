"""Conversion of frames to `Bars` and back."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alphalab.data.clock.times import datetimes_to_ns
from alphalab.data.formats.labels import Closes, TimeNames, ask_about_dates, closes, zone_notes
from alphalab.data.formats.schema import Schema
from alphalab.data.formats.tables import as_table
from alphalab.data.panel.from_table import rows_of
from alphalab.data.panel.panel import P, Panel
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import CLOSES_ONLY, NO_VOLUME, PRICES, check_increasing
from alphalab.errors import DataError
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, IntArray

if TYPE_CHECKING:
    import pandas as pd

# The attribute of a frame with the digest of its times, by what these name. Changed times have
# another digest.
_TIMES: dict[TimeNames, str] = {"close": "alphalab_closes", "date": "alphalab_dates"}

# Fields of a schema that apply to wide frames.
_FOR_WIDE = {"calendar", "interval", "label", "rename"}


def from_frame(
    make: type[P],
    frame: Any,
    *,
    symbol: str,
    schema: Schema,
    instruments: Sequence[Instrument] | None,
    periods_per_year: float | None,
    source: str,
) -> P:
    """Return the bars of a frame as a `make`; see `Bars.from_frame`."""
    if _is_wide(frame):
        _refuse_dates(frame, schema, source)
        return _from_wide(make, frame, schema, instruments, periods_per_year, source)
    rows = frame_rows(frame, schema, symbol=symbol, source=source)
    if rows.time_names == "date" and not _wrote(frame, rows.time, "date"):
        raise ask_about_dates(rows.time.min(), f"{source or 'frame'}: ")
    return make.from_rows(rows, instruments=instruments, periods_per_year=periods_per_year)


def frame_rows(
    frame: Any, schema: Schema | None = None, *, symbol: str = "asset", source: str = ""
) -> Rows:
    """Return the rows of a frame, see `from_frame`; no rule of bars is checked."""
    if _is_wide(frame):
        schema = schema or Schema()
        panel = _from_wide(Panel, frame, schema, None, None, source)
        return panel.to_rows().renamed(schema.rename)
    rows = rows_of(as_table(frame), schema, symbol=symbol, source=source)
    return rows if rows.time_names == "close" or not _wrote(frame, rows.time) else _certain(rows)


def from_closes(
    make: type[P],
    frame: pd.DataFrame,
    *,
    label: str | None,
    calendar: str,
    instruments: Sequence[Instrument] | None,
    periods_per_year: float | None,
    source: str,
) -> P:
    """Return bars whose four prices are the closes of a frame, one column for each symbol."""
    pd = sys.modules.get("pandas")
    if pd is None or not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"a {type(frame).__name__} is not a pandas frame",
            rule="closing prices come as a pandas frame, one column for each symbol.",
        )
    schema = Schema().labelled(label, calendar)
    _refuse_dates(frame, schema, source)
    times = _index_times(frame, schema)
    close = np.empty(frame.shape)
    for column in range(frame.shape[1]):
        close[:, column] = _numbers(frame, column)
    close.setflags(write=False)
    columns = dict.fromkeys(PRICES, close) | {"volume": np.full_like(close, np.nan)}
    return make(
        times.time,
        [str(name) for name in frame.columns],
        columns,
        instruments=instruments,
        periods_per_year=periods_per_year,
        source=source,
        notes=(CLOSES_ONLY, *times.notes),
        time_names=times.names,
    )


def to_frame(bars: Panel, layout: Literal["wide", "long"]) -> pd.DataFrame:
    """Return the panel as a pandas frame in one of two layouts."""
    import pandas as pd

    index = pd.DatetimeIndex(bars.time.view("M8[ns]"), name="time").tz_localize("UTC")
    if layout == "wide":
        columns = pd.MultiIndex.from_product(
            [bars.columns, bars.symbols], names=["field", "symbol"]
        )
        frame = pd.DataFrame(np.hstack(list(bars.columns.values())), index=index, columns=columns)
    elif layout == "long":
        # Sorted by symbol, so that the order of appearance is the order of the symbols.
        asset, row = np.nonzero(~np.isnan(bars.close).T)
        cells = {name: values[row, asset] for name, values in bars.columns.items()}
        symbols = np.array(bars.symbols, dtype=object)[asset]
        frame = pd.DataFrame({"time": index[row], "symbol": symbols, **cells})
    else:
        raise DataError(f"layout={layout!r}", rule="layout is 'wide' or 'long'.")
    frame.attrs[_TIMES[bars.time_names]] = _digest(bars.time)
    return frame


def _wrote(frame: Any, time: IntArray, names: TimeNames = "close") -> bool:
    """Return True if `to_frame` wrote these times into the frame, for what they name."""
    known = getattr(frame, "attrs", {}).get(_TIMES[names])
    return known is not None and known == _digest(np.unique(time))


def _certain(rows: Rows) -> Rows:
    """Return rows whose midnights are known to be closes."""
    notes = tuple(note for note in rows.notes if note.code != "dates")
    return replace(rows, notes=notes, time_names="close")


def _digest(time: IntArray) -> str:
    return hashlib.blake2b(time.astype("<i8").tobytes(), digest_size=16).hexdigest()


def _is_wide(frame: Any) -> bool:
    pd = sys.modules.get("pandas")
    return pd is not None and isinstance(frame, pd.DataFrame) and frame.columns.nlevels > 1


def _from_wide(
    make: type[P],
    frame: pd.DataFrame,
    schema: Schema,
    instruments: Sequence[Instrument] | None,
    periods_per_year: float | None,
    source: str,
) -> P:
    other = sorted(schema.changes().keys() - _FOR_WIDE)
    if other:
        raise DataError(
            f"a wide frame with {other[0]}={getattr(schema, other[0])!r}",
            rule=f"a schema of a wide frame has {', '.join(sorted(_FOR_WIDE))}.",
            fix="Give its index a zone, and its columns names, in pandas.",
        )
    pairs = _fields_and_symbols(frame)
    symbols = list(dict.fromkeys(owner for _, owner in pairs))
    places = {name: place for place, name in enumerate(symbols)}
    times = _index_times(frame, schema)
    shape, notes = (len(times.time), len(symbols)), times.notes
    columns: dict[str, FloatArray] = {name: np.full(shape, np.nan) for name, _ in pairs}
    for column, (name, owner) in enumerate(pairs):
        columns[name][:, places[owner]] = _numbers(frame, column)
    if "volume" not in columns:
        columns["volume"] = np.full(shape, np.nan)
        notes = (NO_VOLUME, *notes)
    return make(
        times.time,
        symbols,
        columns,
        instruments=instruments,
        periods_per_year=periods_per_year,
        source=source,
        notes=notes,
        time_names=times.names,
    )


def _fields_and_symbols(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (field, symbol) of each column, whichever level holds the fields."""
    pairs = [tuple(map(str, pair)) for pair in frame.columns]
    levels = [{pair[level].lower() for pair in pairs} for level in (0, 1)]
    if frame.columns.nlevels == 2 and levels[0].issuperset(PRICES):
        ordered = [(_field_name(first), second) for first, second in pairs]
    elif frame.columns.nlevels == 2 and levels[1].issuperset(PRICES):
        ordered = [(_field_name(second), first) for first, second in pairs]
    else:
        raise DataError(
            f"the frame's columns have {frame.columns.nlevels} levels and start with {pairs[:3]}",
            rule="wide columns are pairs of field and symbol, in either order; "
            "the fields are open, high, low, close (any letter case) and others.",
        )
    if len(set(ordered)) < len(ordered):
        twice = next(pair for pair in ordered if ordered.count(pair) > 1)
        raise DataError(
            f"column {twice} is there twice", rule="each pair of field and symbol is there once."
        )
    return ordered


def _field_name(written: str) -> str:
    return written.lower() if written.lower() in BAR_COLUMNS else written


def _refuse_dates(frame: pd.DataFrame, schema: Schema, source: str) -> None:
    times = _index_times(frame, schema)
    if times.names == "date" and not _wrote(frame, times.time, "date"):
        raise ask_about_dates(times.time[0], f"{source or 'frame'}: ")


def _index_times(frame: pd.DataFrame, schema: Schema) -> Closes:
    import pandas as pd

    index = frame.index
    if pd.api.types.is_string_dtype(index):
        index = _parsed(index)
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(
            f"the frame's index is a {type(index).__name__}",
            rule="a frame with one column for each symbol has its times as a DatetimeIndex.",
            fix="Use frame.set_index(pd.to_datetime(...)).",
        )
    naive = index
    if index.tz is not None:  # session dates are dates of the zone of the index
        local = index if schema.label == "session" else index.tz_convert("UTC")
        naive = local.tz_localize(None)
    time = datetimes_to_ns(naive.to_numpy())
    check_increasing(time, np.arange(len(time)), "")
    found = closes(time, schema)
    if found.names == "date" and _wrote(frame, found.time):
        found = Closes(found.time)
    return found._replace(notes=zone_notes(time, index.tz is not None) + found.notes)


def _parsed(index: pd.Index) -> pd.DatetimeIndex:
    """Return an index of ISO text as times."""
    import pandas as pd
    import pyarrow as pa

    from alphalab.data.formats import arrow

    found = arrow.times(pa.chunked_array([pa.array(index.to_numpy(str))]), "index", "")
    times = pd.DatetimeIndex(found.ns.view("M8[ns]"))
    return times.tz_localize("UTC") if found.zoned else times


def _numbers(frame: pd.DataFrame, column: int) -> FloatArray:
    try:
        values: FloatArray = frame.iloc[:, column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"column {frame.columns[column]!r}: {error}", rule="prices and volume are numbers."
        ) from None
    return values
