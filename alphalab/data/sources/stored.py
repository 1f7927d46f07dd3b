"""Rows of bars and their instruments as the tables of a store have them."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from alphalab.data.bars import Bars
from alphalab.data.rows import Rows
from alphalab.data.times import bar_spacing
from alphalab.errors import DataError
from alphalab.types import Instrument

_TIME = pa.timestamp("ns", tz="UTC")
# Columns of bars that a store keeps in tables of their own.
_ELSEWHERE = {"funding": "funding", "split": "actions", "dividend": "actions", "member": "universe"}


def bars_table(rows: Rows, venue: str, interval: str) -> pa.Table:
    """Return rows as the table of bars has them.

    Raises
    ------
    DataError
        A column that the store keeps elsewhere.
    """
    for name in rows.columns:
        if name in _ELSEWHERE:
            raise DataError(
                f"column {name!r} among bars",
                rule=f"a store keeps it in a table of its own, by kind {_ELSEWHERE[name]!r}.",
                fix="Ingest it by itself, and leave the column out here.",
            )
    one = pa.array(np.zeros(len(rows), np.int32))
    return pa.table(
        {
            "venue": pa.DictionaryArray.from_arrays(one, [venue]),
            "interval": pa.DictionaryArray.from_arrays(one, [interval]),
            "symbol": pa.DictionaryArray.from_arrays(pa.array(rows.symbol), list(rows.symbols)),
            "time": pa.array(rows.time).cast(_TIME),
            **rows.columns,
        }
    )


def instruments_table(bars: Bars, venue: str) -> pa.Table | None:
    """Return the instruments of bars that say something, valid from where the first bar opens.

    Examples
    --------
    >>> from alphalab.data.datasets import sp500
    >>> instruments_table(sp500(), "demo")["calendar"].to_pylist()
    ['XNYS']
    """
    said = [one for one in bars.instruments if one != Instrument(symbol=one.symbol)]
    if not said:
        return None
    start = int(bars.time[0]) - (bar_spacing(bars.time) if bars.n_rows > 1 else 0)
    rows = [
        {
            **msgspec.structs.asdict(one),
            "venue": venue,
            "groups": msgspec.json.encode(one.groups, order="sorted").decode(),
        }
        for one in said
    ]
    starts = pa.array(np.full(len(rows), start)).cast(_TIME)
    return pa.Table.from_pylist(rows).append_column("start", starts)
