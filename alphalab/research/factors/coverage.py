"""In how many cells a factor is known."""

from __future__ import annotations

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.types import FloatArray

#: Share of the cells in which a factor has to be known; scores and searches refuse one below it.
#: Without it a search finds factors that are known in few lucky cells.
LEAST_COVERAGE = 0.8


def coverage(values: FloatArray, bars: Bars, warmup: int) -> float:
    """Return the share of the cells with a close, after the warm-up, that are known.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500")
    >>> coverage(al.evaluate("ts_mean(close, 20)", bars).to_numpy(), bars, 19)
    1.0
    """
    traded = ~np.isnan(bars.close[warmup:])
    known = np.isfinite(values[warmup:]) & traded
    return float(known.sum() / traded.sum()) if traded.any() else 0.0
