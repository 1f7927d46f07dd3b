"""Trades of one symbol as arrays, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import iso
from alphalab.data.formats import arrow
from alphalab.data.formats.events import EventTable
from alphalab.data.formats.notes import Note, Notes
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, IntArray


class Trades(NamedTuple):
    """R trades of one symbol.

    Attributes
    ----------
    symbol : str
    time : ndarray of shape (R,)
        ns UTC, not decreasing.
    price, amount : ndarray of shape (R,)
    side : ndarray of shape (R,)
        1 where the buyer took, -1 where the seller did, 0 unknown.
    notes : tuple of Note
    """

    symbol: str
    time: IntArray
    price: FloatArray
    amount: FloatArray
    side: FloatArray
    notes: Notes


def trades_of(given: Any, symbol: str | None) -> Trades:
    """Return the trades of a table or a file; `trade_bars` says what is given and refused."""
    read = EventTable.read("trades", given, symbol=symbol or "asset")
    where = read.where
    if not len(read):
        raise DataError(f"{where}no rows", rule="a table of trades has at least one row.")
    chosen = _chosen(read.symbols, symbol, where)
    mine = np.flatnonzero(read.codes == read.symbols.index(chosen))
    for name in ("price", "amount"):
        read.required(name)
    time = read.time()[mine]
    back = np.diff(time) < 0
    if back.any():
        row = int(np.argmax(back)) + 1
        raise DataError(
            f"{where}trade {row} ({iso(time[row])}) is earlier than the one before "
            f"({iso(time[row - 1])})",
            rule="trades come in the order of their times.",
            fix="Sort them by time.",
        )
    order = _order(time, read.texts("id").take(mine), where)
    side = _signs(pa.chunked_array([read.sides()]))[mine]
    if unknown := int(np.count_nonzero(side == 0)):
        read.note(Note("side", f"the side of {unknown:,} of {len(side):,} trades is unknown"))
    price, amount = (read.ranged(name)[mine][order] for name in ("price", "amount"))
    return Trades(chosen, time, price, amount, side[order], tuple(read.notes))


def _chosen(names: Sequence[str], symbol: str | None, where: str) -> str:
    if symbol is None and len(names) > 1:
        raise DataError(
            f"{where}trades of {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}",
            rule="bars are made of the trades of one symbol.",
            fix=f"Give one: symbol={names[0]!r}.",
        )
    if symbol is not None and symbol not in names:
        raise UnknownNameError("symbol", symbol, names)
    return names[0] if symbol is None else symbol


def _order(time: IntArray, ids: pa.ChunkedArray, where: str) -> IntArray:
    """Return the order of trades: by time, and by ids where these are numbers."""
    numeric = pc.all(pc.match_substring_regex(ids, "^[0-9]{1,18}$")).as_py()
    if numeric:
        keys = arrow.integers(ids.cast(pa.int64()))
    else:
        keys = arrow.integers(pa.chunked_array([ids.combine_chunks().dictionary_encode().indices]))
    order: IntArray = np.lexsort((keys, time))
    twice = (np.diff(keys[order]) == 0) & (np.diff(time[order]) == 0)
    if twice.any():
        place = int(np.argmax(twice))
        first, second = sorted(order[place : place + 2].tolist())
        raise DataError(
            f"{where}trades {first} and {second} ({iso(time[first])}) both have the id "
            f"{ids[first].as_py()!r}",
            rule="each trade is there once.",
            fix="Leave the second one out.",
        )
    return order if numeric else np.arange(len(time))


def _signs(side: pa.ChunkedArray) -> FloatArray:
    bought, sold = (
        arrow.floats(pc.equal(side, word).fill_null(False).cast(pa.float64()))
        for word in ("buy", "sell")
    )
    return bought - sold
