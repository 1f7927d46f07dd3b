"""What the reader of a result has to know before its figures, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from alphalab.core.engine import Block, Engine
from alphalab.data.bars import Bars
from alphalab.data.times import iso
from alphalab.types import REASONS, Reason, Records

_FINAL = (Reason.DRAWDOWN_LOCK, Reason.BANKRUPT)


def warnings_of(engine: Engine, bars: Bars, block: Block) -> Iterator[str]:
    """Yield the warnings of a run."""
    if not block.fills.size:
        yield _nothing(engine, bars)
    yield from _refusals(engine, bars, block.refusals)
    yield from _stale(bars, block)


def _nothing(engine: Engine, bars: Bars) -> str:
    if engine.warmup < bars.n_rows:
        return "Nothing was traded."
    return (
        f"Nothing can trade: the windows need {engine.warmup + 1} rows and the data has "
        f"{bars.n_rows}. Use shorter windows, more data or an earlier start."
    )


def _refusals(engine: Engine, bars: Bars, refusals: Records) -> Iterator[str]:
    counts = Counter(Reason(code) for code in refusals["reason"].tolist())
    for reason, count in sorted(counts.items()):
        rows = refusals[refusals["reason"] == reason]
        day = iso(int(rows["time"][0]))[:10]
        if reason in _FINAL:
            left = bars.n_rows - 1 - int(rows["row"][0])
            yield f"{day}: {REASONS[reason]}. It holds for the {left:,} rows that follow."
        elif reason == Reason.GROSS_LIMIT:
            yield (
                f"{count:,} times, first on {day}: the targets asked for a gross exposure of up to "
                f"{np.abs(rows['asked']).max():.4g} and were scaled down to the limit of "
                f"{engine.settings.limits.gross:.4g}. Lower them, for example with al.cs_scale."
            )
        else:
            yield f"{count:,} times, first on {day}: {REASONS[reason]}."


def _stale(bars: Bars, block: Block) -> Iterator[str]:
    """Positions that are valued at a price nobody has paid for a while."""
    last = bars.close[-1]
    for j in np.flatnonzero((block.qty[-1] != 0.0) & np.isnan(last)):
        row = int(np.flatnonzero(~np.isnan(bars.close[:, j]))[-1])
        day = iso(int(bars.time[row]))[:10]
        yield f"{bars.symbols[j]} is held at the end, valued at its last price of {day}."
