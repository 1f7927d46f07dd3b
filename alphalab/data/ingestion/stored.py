"""Rows of bars and instruments in the form of the tables of a store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from shlex import quote

import msgspec
import numpy as np
import pyarrow as pa

from alphalab.data.panel.instruments import dated_instruments
from alphalab.data.panel.rows import Rows
from alphalab.data.store.incoming import FORBIDDEN
from alphalab.data.store.store import Store
from alphalab.errors import DataError
from alphalab.types import Instrument

_TIME = pa.timestamp("ns", tz="UTC")
# Columns of bars that a store keeps in other tables.
_ELSEWHERE = {"funding": "funding", "split": "actions", "dividend": "actions", "member": "universe"}


def bars_table(rows: Rows, venue: str, interval: str) -> pa.Table:
    """Return rows in the form of the table of bars.

    Raises
    ------
    DataError
        A column that the store keeps in another table, or with a forbidden name.
    """
    for name in rows.columns:
        if name in _ELSEWHERE:
            raise DataError(
                f"column {name!r} among bars",
                rule=f"a store keeps it in a table of its own, by kind {_ELSEWHERE[name]!r}.",
                fix="Ingest it by itself (--kind), and leave the column out here.",
            )
        if not FORBIDDEN.isdisjoint(name):
            ours = "_".join(re.findall(r"\w+", name.lower()))
            raise DataError(
                f"column {name!r} among bars",
                rule="a further column's name has no spaces and none of , ; { } ( ) =.",
                fix=f"Give it another by a schema: columns={{{ours!r}: {name!r}}} "
                f"(-c {ours}={quote(name)}).",
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


def instruments_table(instruments: Sequence[Instrument], venue: str, start: int) -> pa.Table:
    """Return instruments in the form of their table, valid from an instant, ns UTC.

    Examples
    --------
    >>> table = instruments_table([Instrument(symbol="SPY", calendar="XNYS")], "nyse", 0)
    >>> table["calendar"].to_pylist(), table["groups"].to_pylist()
    (['XNYS'], ['{}'])
    """
    rows = [
        {
            **msgspec.structs.asdict(one),
            "venue": venue,
            "groups": msgspec.json.encode(one.groups, order="sorted").decode(),
        }
        for one in instruments
    ]
    starts = pa.array(np.full(len(rows), start)).cast(_TIME)
    return pa.Table.from_pylist(rows).append_column("start", starts)


def known_instruments(
    store: Store, venue: str, symbols: Sequence[str], start: int
) -> dict[str, Instrument]:
    """Return the stored instruments of symbols at an instant, ns UTC."""
    rows = store.read("instruments", where={"venue": venue, "symbol": symbols})
    found = {}
    for symbol, states in dated_instruments(rows).items():
        before = [state.instrument for state in states if state.start <= start]
        if before:
            found[symbol] = before[-1]
    return found
