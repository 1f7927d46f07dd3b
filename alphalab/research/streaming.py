"""A backtest over a scan: blocks of rows from a store through the one step, folded as they go by."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from alphalab.config import RunSettings
from alphalab.core.columns import Column, Columns
from alphalab.core.strategy import Strategy
from alphalab.data.store.scan import Block, Scan
from alphalab.research.display import SEEN_PRICE
from alphalab.research.summary import Summary
from alphalab.types import Records

#: Rows at which the equity is kept, about.
SAMPLES = 2_000


def run_scan(
    strategy: Strategy,
    scan: Scan,
    settings: RunSettings,
    *,
    advance: Callable[[int], None] = lambda rows: None,
) -> Summary:
    """Backtest a strategy over a scan; ``advance(n)`` after n more rows."""
    started = clock.perf_counter()
    column = Column.of(strategy, settings, scan.instruments)
    columns = Columns([column], scan.instruments)
    every = max(scan.n_rows // SAMPLES, 1)
    time, sampled = [], []
    for block in _parts(scan.blocks(columns.columns), every):
        columns.push(block.time, block.columns)
        time.append(block.time[-1])
        sampled.append(columns.equity[0])
        advance(block.time.size)
    tally = columns.tallies()[0]
    return Summary(
        strategy=type(strategy).__name__,
        params=msgspec.structs.asdict(strategy),
        expressions={name: str(expr) for name, expr in column.expressions.items()},
        settings=settings,
        scan=scan,
        tally=tally,
        time=np.array(time),
        sampled=np.array(sampled),
        warnings=tuple(_warnings(tally, settings)),
        seconds=clock.perf_counter() - started,
    )


def _parts(blocks: Iterator[Block], rows: int) -> Iterator[Block]:
    """Cut blocks into parts of so many rows; the last part of a block may be shorter."""
    for time, columns in blocks:
        for i in range(0, time.size, rows):
            part = slice(i, i + rows)
            yield Block(time[part], {name: values[part] for name, values in columns.items()})


def _warnings(tally: Records, settings: RunSettings) -> Iterator[str]:
    if not tally["n_fills"]:
        yield "Nothing was traded."
    if settings.fill == "same_close":
        yield SEEN_PRICE
    if tally["n_refusals"]:
        yield (
            f"{tally['n_refusals']:,} times the gate or the venue did not let through what was "
            "asked: a backtest of fewer rows in memory says why."
        )
    if tally["n_ambiguities"]:
        yield f"{tally['n_ambiguities']:,} bars whose path is not known made a difference."
    if tally["least"] <= 0:
        yield "Equity was zero or less: figures that need returns after it are NaN."
