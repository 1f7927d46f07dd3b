"""What a store has of a series."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from alphalab.data.exchanges.series import Row, Series, in_order
from alphalab.data.store.store import Store


class Stored(NamedTuple):
    """The times (ms; of candles their opens) between which a store has rows, and how many."""

    first: int
    last: int
    n_rows: int


def stored_span(store: Store, series: Series) -> Stored | None:
    """Return between which times a store has rows of a series; None: it has none."""
    condition = reduce(and_, [pc.field(name) == text for name, text in series.key.items()])
    first, last, n_rows = [], [], 0
    files = store.dataset(series.table, where=series.key)
    # Batch by batch: there may be a billion trades.
    for batch in files.to_batches(columns=["time"], filter=condition):
        if batch.num_rows:
            ends = pc.min_max(batch["time"].cast("int64"))  # microseconds
            first.append(ends["min"].as_py())
            last.append(ends["max"].as_py())
            n_rows += batch.num_rows
    if not n_rows:
        return None
    opened = series.length
    return Stored(min(first) // 1_000 - opened, max(last) // 1_000 - opened, n_rows)


def last_trade(store: Store, series: Series, time: int) -> Row | None:
    """Return the last stored trade, whose time (ms) it is; None where the series is no trades."""
    if series.table != "trades":
        return None
    start = np.datetime64(time, "ms")
    rows = store.read("trades", where=series.key, start=start, columns=["time", "id"])
    return max((Row(time, text, ()) for text in rows["id"].to_pylist()), key=in_order)
