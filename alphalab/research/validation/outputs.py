"""Everything that leaves a run, row by row, and where two runs first differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from alphalab.codes import OrderStatus, Origin
from alphalab.config import RunSettings
from alphalab.core.engine import Block
from alphalab.core.strategy import Strategy
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.errors import AlphalabError
from alphalab.expr.nodes import Expr
from alphalab.research.results.values import values_of
from alphalab.research.run.backtest import engine_of
from alphalab.types import FloatArray, IntArray, Records


class Outputs(NamedTuple):
    """What leaves a run.

    Attributes
    ----------
    strategy : Strategy
    history : History
        What it ran on.
    signals : mapping of str to ndarray of shape (T, N)
        Every expression of the strategy, at every row that it saw.
    block : Block
        Targets, orders (``events``), fills and the ledger of the rows that were traded; they are
        counted from the first of these.
    """

    strategy: Strategy
    history: History
    signals: Mapping[str, FloatArray]
    block: Block

    @property
    def bars(self) -> Bars:
        """All rows that it saw."""
        return self.history.bars


class Difference(NamedTuple):
    """The first row at which two runs differ.

    Attributes
    ----------
    output : str
        ``rows``, ``symbols``, ``signals``, ``targets``, ``orders``, ``fills`` or ``account``.
    row, time : int
        Row of the first run's bars, and its close, ns UTC.
    symbol : str
        Empty where it is not one asset's.
    name : str
        What differs: the signal, or a field.
    was, now : float
        Its values; NaN: unknown, or not there.
    """

    output: str
    row: int
    time: int
    symbol: str
    name: str
    was: float
    now: float


def outputs_of(strategy: Strategy, history: History, settings: RunSettings) -> Outputs:
    """Run a strategy and return everything that leaves it."""
    signals = values_of(strategy.expressions(), history.bars)
    traded = history.traded
    block = engine_of(strategy, history, settings).push(traded.time, traded.columns)
    return Outputs(strategy, history, signals, block)


def differences(first: Outputs, second: Outputs, until: int) -> Iterator[Difference]:
    """Yield the first difference of each kind of output, in rows that close up to a moment.

    Rows of targets, orders, fills and the account are counted from the first one that is traded.
    Rows are compared by their times; NaN equals NaN, and nothing is rounded.
    """
    bars = first.bars
    n_first, n_second = (
        int(np.searchsorted(x.bars.time, until, side="right")) for x in (first, second)
    )
    n = min(n_first, n_second)
    same = bars.time[:n] == second.bars.time[:n]
    if n_first != n_second or not same.all():
        row = int(np.argmin(same)) if not same.all() else min(n, bars.n_rows - 1)
        yield _difference(bars, "rows", row, "", "time")
        return
    if bars.symbols != second.bars.symbols:
        other = set(bars.symbols) ^ set(second.bars.symbols)
        yield _difference(bars, "symbols", 0, min(other, default=""), "symbols")
        return
    yield from _in_tables("signals", bars, first.signals, second.signals, n)
    was, now = first.block, second.block
    traded, n = first.history.traded, n - first.history.n_warm
    yield from _in_tables("targets", traded, {"target": was.targets}, {"target": now.targets}, n)
    yield from _in_records("orders", traded, _told(was.events, n), _told(now.events, n), n)
    yield from _in_records("fills", traded, was.fills, now.fills, n)
    yield from _in_tables("account", traded, _equity(was), _equity(now), n)


def _equity(block: Block) -> dict[str, FloatArray]:
    return {"equity": block.ledger["equity"][:, np.newaxis]}


def source_of(first: Outputs, second: Outputs, row: int) -> str:
    """Return which node or column differs first, up to a row: the cause of a difference.

    Inputs come before what reads them, so of nodes that differ at one row the first is the cause.
    Empty where none differs.
    """
    best, found = row + 1, ""
    for node in _nodes(first.strategy):
        try:
            pair = [values_of({"x": node}, run.bars) for run in (first, second)]
        except AlphalabError:
            continue  # the other bars lack its column or its group
        place = _first_row(pair[0]["x"], pair[1]["x"], best)
        if place is not None:
            best, found = place, str(node)
    if found:
        return found
    for name, values in first.bars.columns.items():
        other = second.bars.columns.get(name)
        if other is None or _first_row(values, other, row + 1) is not None:
            return f"column({name!r})"
    return ""


def _nodes(strategy: Strategy) -> Iterator[Expr]:
    seen: set[bytes] = set()
    for expression in strategy.expressions().values():
        yield from expression.walk(seen)


def _in_tables(
    output: str,
    bars: Bars,
    first: Mapping[str, FloatArray],
    second: Mapping[str, FloatArray],
    n: int,
) -> Iterator[Difference]:
    best: tuple[int, str] | None = None
    for name in first:
        row = _first_row(first[name], second[name], n) if name in second else 0
        if row is not None and (best is None or row < best[0]):
            best = row, name
    if best is None:
        return
    row, name = best
    was = first[name][row]
    now = second[name][row] if name in second else np.full(was.shape, np.nan)
    asset = int(np.argmax(_unequal(was, now)))
    symbol = bars.symbols[asset] if was.size == bars.n_symbols else ""
    yield _difference(bars, output, row, symbol, name, was[asset], now[asset])


def _told(events: Records, n: int) -> Records:
    """Return the events of the first n rows, less target orders of which nothing came in them.

    An order of a target that repeats a refused one is logged when something comes of it, with the
    row of its submission: it may be in the log of a longer run alone. Its target is compared.
    """
    early = events[events["row"] < n]
    made = early["origin"] == Origin.TARGET
    made &= np.isin(early["status"], [OrderStatus.SUBMITTED, OrderStatus.ACTIVE])
    kept: Records = early[~made | np.isin(early["order"], early["order"][~made])]
    return kept


def _in_records(
    output: str, bars: Bars, first: Records, second: Records, n: int
) -> Iterator[Difference]:
    first, second = first[first["row"] < n], second[second["row"] < n]
    shared = min(first.size, second.size)
    unequal = (_bytes(first[:shared]) != _bytes(second[:shared])).any(axis=1)
    place = int(np.argmax(unequal)) if unequal.any() else shared
    if place == shared and first.size == second.size:
        return
    was, now = (x[place] if place < x.size else None for x in (first, second))
    some: Any = was if was is not None else now
    name = next(
        (f for f in _FIELDS if f in some.dtype.names and _field(was, f) != _field(now, f)), ""
    )
    symbol = bars.symbols[int(some["asset"])]
    yield _difference(
        bars, output, int(some["row"]), symbol, name, _field(was, name), _field(now, name)
    )


_FIELDS = ("row", "asset", "qty", "price", "limit", "stop", "fee")


def _field(record: Any, name: str) -> float:
    return float(record[name]) if record is not None and name else float("nan")


def _bytes(records: Records) -> Any:
    return np.ascontiguousarray(records).view(np.uint8).reshape(records.size, records.itemsize)


def _first_row(first: FloatArray, second: FloatArray, n: int) -> int | None:
    """Return the first of n rows in which two tables differ."""
    n = min(n, len(first), len(second))
    if first.shape[1:] != second.shape[1:]:
        return 0
    rows = np.flatnonzero(_unequal(first[:n], second[:n]).any(axis=1))
    return int(rows[0]) if rows.size else None


def _unequal(first: FloatArray, second: FloatArray) -> Any:
    return ~((first == second) | (np.isnan(first) & np.isnan(second)))


def _difference(
    bars: Bars,
    output: str,
    row: int,
    symbol: str,
    name: str,
    was: float = float("nan"),
    now: float = float("nan"),
) -> Difference:
    time: IntArray = bars.time
    return Difference(output, row, int(time[row]), symbol, name, float(was), float(now))
