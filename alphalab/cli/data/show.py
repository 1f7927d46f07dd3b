"""``alphalab data show``: the last rows of bars, their instruments, version and notes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.data.options import (
    EndFlag,
    StartFlag,
    StoreFlag,
    SymbolsFlag,
)
from alphalab.cli.data.schema_flags import SchemaFlags
from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.data.panel.bars import Bars

_SHOWN_SYMBOLS = 8  # in text; --json has all of them


@with_flags(SchemaFlags)
def show(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A data set, a file, or an address: store:VENUE/INTERVAL for all symbols, "
            "store:VENUE/INTERVAL/SYMBOL@VERSION for one at a version.",
            show_default=False,
        ),
    ],
    source: SchemaFlags,
    rows: Annotated[int, typer.Option(min=1, help="Rows to print, the last ones.")] = 5,
    symbols: SymbolsFlag = None,
    start: StartFlag = None,
    end: EndFlag = None,
    adjust: Annotated[
        Literal["splits", "all"] | None,
        typer.Option(help="Adjust prices for splits, or for dividends as well."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Data as known on this day (whole) or at this instant.")
    ] = None,
    universe: Annotated[
        str | None, typer.Option(help="All symbols that were ever members of this universe.")
    ] = None,
    observations: Annotated[
        str | None, typer.Option(metavar="A,B", help="Observations of the store to join.")
    ] = None,
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Show the last rows of bars, raw or adjusted as of a date, and their instruments and notes."""
    from alphalab.data.load import load

    bars = load(
        data,
        schema=source.format_given(),
        symbols=_names(symbols),
        start=start,
        end=end,
        adjust=adjust,
        as_of=as_of,
        universe=universe,
        observations=_names(observations) or (),
        store=store,
    )
    out = Output(json=json, quiet=quiet)
    if json:
        out.object("data.show", _content(bars, rows))
    else:
        _print(out, bars, rows)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _content(bars: Bars, rows: int) -> dict[str, Any]:
    return {
        "data": {
            "source": bars.source,
            "version": bars.version,
            "id": bars.id,
            "start": bars.start,
            "end": bars.end,
            "n_rows": bars.n_rows,
            "symbols": bars.symbols,
            "columns": list(bars.columns),
            "instruments": bars.instruments,
            "instrument_changes": bars.instrument_changes,
            "notes": [str(note) for note in bars.notes],
        },
        "rows": [
            {"time": time, "symbol": symbol, **values}
            for time, symbol, values in _cells(bars, rows)
        ],
    }


def _cells(bars: Bars, rows: int) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield the cells of the last rows: time, symbol, values by column."""
    from alphalab.data.clock.times import iso

    for row in range(max(bars.n_rows - rows, 0), bars.n_rows):
        for asset, symbol in enumerate(bars.symbols):
            values = {name: float(x[row, asset]) for name, x in bars.columns.items()}
            yield iso(bars.time[row]), symbol, values


def _print(out: Output, bars: Bars, rows: int) -> None:
    import numpy as np

    from alphalab.data.quality.findings import counted

    priced = (~np.isnan(bars.close[-rows:])).any(axis=0)
    traded = [bars.symbols[place] for place in np.flatnonzero(priced)]
    shown = bars.select(traded[:_SHOWN_SYMBOLS])
    cells = [
        (time, symbol, *map(_text, values.values()))
        for time, symbol, values in _cells(shown, rows)
        if not math.isnan(values["close"])
    ]
    title = f"{bars.source or 'bars'}: {bars.n_rows:,} rows, {bars.start} to {bars.end}"
    out.table(cells, ("time", "symbol", *bars.columns), title)
    if len(traded) > _SHOWN_SYMBOLS:
        more = counted(len(traded) - _SHOWN_SYMBOLS, "more symbol")
        out.text(f"and {more}: see --symbols, or --json")
    if len(traded) < bars.n_symbols:
        absent = counted(bars.n_symbols - len(traded), "symbol")
        out.text(f"Not shown: {absent} without a price in these rows")
    header, *instruments = _instruments(shown)
    if len(header) > 1:
        out.text()
        out.table(instruments, header)
    out.text()
    out.text(f"Data id: {bars.version or bars.id}")
    for note in bars.notes:
        out.note(f"data: {note}")


def _instruments(bars: Bars) -> Iterator[tuple[str, ...]]:
    """Yield a header, then for each symbol the fields that differ from the defaults."""
    import msgspec

    from alphalab.types import Instrument

    given = [msgspec.structs.asdict(instrument) for instrument in bars.instruments]
    usual = msgspec.structs.asdict(Instrument(symbol="-"))
    names = [name for name in usual if any(fields[name] != usual[name] for fields in given)]
    yield tuple(names)
    for fields in given:
        yield tuple(_text(fields[name]) for name in names)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {label}" for name, label in value.items())
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:.10g}"
    return str(value)
