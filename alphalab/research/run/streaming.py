"""A backtest over a scan: blocks of a store are pushed and added up, and not kept."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np

from alphalab.config import RunSettings
from alphalab.core.columns import Column
from alphalab.core.strategy import PARAMS, Strategy
from alphalab.core.vector_engine import VectorEngine
from alphalab.data.panel.blocks import Block, BlockSource
from alphalab.data.quality.bars import check_bars
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.joined import joined
from alphalab.research.results.figures import SEEN_PRICE
from alphalab.research.results.provenance import Gate, quality_warnings
from alphalab.research.results.summary import Summary
from alphalab.research.run.look_ahead import tables_read
from alphalab.research.run.warnings import unused
from alphalab.types import DELISTING, Records

#: Approximate number of rows at which equity is kept.
SAMPLES = 2_000


def run_scan(
    strategy: Strategy,
    scan: BlockSource,
    settings: RunSettings,
    *,
    gate: Gate | None,
    capacity: int | None,
    ledger: str,
    advance: Callable[[int], None],
) -> Summary:
    """Backtest a strategy over a scan; ``advance(n)`` after n more rows.

    The data is checked block by block; errors are refused at the end.
    """
    started = clock.perf_counter()
    column = Column.of(strategy, settings, scan.instruments)
    changes = scan.instrument_changes
    engine = VectorEngine([column], scan.instruments, changes, capacity=capacity)
    every = max(scan.n_rows // SAMPLES, 1)
    time, sampled = [], []

    def push(block: Block) -> None:
        for part in _parts(block, every):
            engine.push(part.time, part.columns)
            time.append(part.time[-1])
            sampled.append(engine.equity[0])
            advance(part.time.size)

    verdict = None
    read = engine.columns
    if DELISTING in scan.belonging:
        read = (*read, DELISTING)
    if gate is not None:
        gate.events(scan.n_splits, settings.actions, scan.source)
    if gate is None:
        for block in scan.blocks(read):
            push(block)
    else:
        verdict = joined(_verdicts(scan, gate, read, push))
        gate.pass_(verdict, scan.source)
    tally = engine.tallies()[0]
    return Summary(
        strategy=type(strategy).__name__,
        params=msgspec.structs.asdict(strategy),
        expressions={
            name: str(expr)
            for name, expr in column.expressions.items()
            if not name.startswith(PARAMS)
        },
        settings=settings,
        scan=scan,
        tally=tally,
        time=np.array(time),
        sampled=np.array(sampled),
        warnings=(
            *quality_warnings(verdict),
            *_warnings(scan, engine, tally, settings),
            *tables_read(strategy, column.expressions),
        ),
        quality=verdict,
        seconds=clock.perf_counter() - started,
        ledger=ledger,
    )


def _verdicts(
    scan: BlockSource, gate: Gate, names: Sequence[str], push: Callable[[Block], None]
) -> Iterator[Verdict]:
    """Push the blocks of a scan, and yield the verdict of each."""
    for bars, block in scan.pieces(names):
        push(block)
        yield check_bars(bars, gate.settings, exact=False)


def _parts(block: Block, rows: int) -> Iterator[Block]:
    """Cut a block into parts of so many rows; the last one may be shorter."""
    for i in range(0, block.time.size, rows):
        part = slice(i, i + rows)
        yield Block(block.time[part], {name: x[part] for name, x in block.columns.items()})


def _warnings(
    scan: BlockSource, engine: VectorEngine, tally: Records, settings: RunSettings
) -> Iterator[str]:
    if not tally["n_fills"]:
        yield "Nothing was traded."
    yield from unused(scan.belonging, engine.columns, settings)
    if settings.fill == "same_close":
        yield SEEN_PRICE
    if tally["n_refusals"]:
        yield (
            f"{tally['n_refusals']:,} times the gate or the venue refused or reduced a target or "
            "an order: a backtest of fewer rows in memory reports the reasons."
        )
    if tally["n_ambiguities"]:
        yield f"The unknown path changed the result in {tally['n_ambiguities']:,} bars."
    if tally["least"] <= 0:
        yield "Equity was zero or less: figures that need returns after it are NaN."
