"""The extent of a stored series."""

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
    """Return the extent of the stored rows of a series; None: no rows."""
    condition = reduce(and_, [pc.field(name) == text for name, text in series.key.items()])
    first, last, n_rows = [], [], 0
    files = store.dataset(series.table, where=series.key)
    # Batch by batch: a series may have a billion trades.
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
    """Return the last stored trade at a time (ms); None for other series."""
    if series.table != "trades":
        return None
    start = np.datetime64(time, "ms")
    rows = store.read("trades", where=series.key, start=start, columns=["time", "id"])
    return max((Row(time, text, ()) for text in rows["id"].to_pylist()), key=in_order)
