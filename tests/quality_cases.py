"""Rows with faults that are planted, each by a function of sound ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from builders import rows_at

from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rows import Rows
from alphalab.data.quality.findings import Verdict
from alphalab.data.samples.synthetic import synthetic

HOUR = 3_600 * 10**9
DAY = 24 * HOUR
N = 1_000


def sound(n: int = N) -> Rows:
    """Hourly bars of a market that never closes, from 01:00 on, without any fault."""
    return synthetic(n, 1, seed=5, gap_frac=0.0).to_rows()


def with_columns(rows: Rows, **columns: Any) -> Rows:
    return replace(rows, columns={**rows.columns, **columns})


def put(rows: Rows, place: Any, **values: float) -> Rows:
    """Put values into some rows of columns."""
    changed = {name: rows.columns[name].copy() for name in values}
    for name, value in values.items():
        changed[name][place] = value
    return with_columns(rows, **changed)


def scaled(rows: Rows, place: Any, by: float, names: tuple[str, ...], volume: float = 1.0) -> Rows:
    columns = {name: rows.columns[name].copy() for name in (*names, "volume")}
    for name in names:
        columns[name][place] *= by
    columns["volume"][place] *= volume
    return with_columns(rows, **columns)


PRICES = ("open", "high", "low", "close")


def _swapped(rows: Rows) -> Rows:
    order = np.arange(len(rows))
    order[[400, 401]] = 401, 400
    return rows.take(order)


def _frozen(rows: Rows) -> Rows:
    place = slice(301, 330)
    price = float(rows.columns["close"][300])
    return put(rows, place, **dict.fromkeys(PRICES, price), volume=0.0)


def _late(rows: Rows) -> Rows:
    time = rows.time.copy()
    time[500] += 7 * 10**9
    return replace(rows, time=time)


def _spike(rows: Rows) -> Rows:
    close = float(rows.columns["close"][500])
    return put(rows, 500, close=1.5 * close, high=1.6 * close)


#: what is planted -> (how, the rules that speak, each with its count)
FAULTS: dict[str, tuple[Callable[[Rows], Rows], dict[str, int]]] = {
    "two rows in the wrong order": (_swapped, {"unsorted": 1}),
    "a row twice": (lambda r: r.take(np.insert(np.arange(N), 10, 9)), {"duplicates": 1}),
    "a time twice": (
        lambda r: put(r.take(np.insert(np.arange(N), 10, 9)), 10, volume=1.0),
        {"conflicting_duplicates": 1},
    ),
    "an unknown high": (lambda r: put(r, [7, 8], high=np.nan), {"missing_values": 2, "gaps": 2}),
    "a negative price": (lambda r: put(r, 7, low=-1.0), {"nonpositive": 1, "gaps": 1}),
    "a price of 0": (
        lambda r: put(r, 7, **dict.fromkeys(PRICES, 0.0)),
        {"nonpositive": 1, "gaps": 1},
    ),
    "an infinite price": (lambda r: put(r, 7, high=np.inf), {"nonpositive": 1, "gaps": 1}),
    "high below close": (
        lambda r: put(r, 7, high=float(r.columns["low"][7])),
        {"inconsistent": 1},
    ),
    "a volume below 0": (lambda r: put(r, 7, volume=-1.0), {"negative_volume": 1}),
    "ten rows left out": (lambda r: r.take(np.delete(np.arange(N), range(500, 510))), {"gaps": 10}),
    "a feed that stood still": (_frozen, {"stale": 30}),
    "a close that comes back": (_spike, {"outliers": 1}),
    "a low from nowhere": (
        lambda r: put(r, 500, low=0.5 * float(r.columns["low"][500])),
        {"outliers": 1},
    ),
    "a split": (lambda r: scaled(r, slice(600, None), 0.5, PRICES, 2.0), {"splits": 1}),
    "a reverse split": (lambda r: scaled(r, slice(600, None), 10.0, PRICES, 0.1), {"splits": 1}),
    "another asset": (lambda r: scaled(r, slice(600, None), 1 / 1.75, PRICES), {"jumps": 1}),
    "no volume where it moves": (lambda r: put(r, [5, 6, 7], volume=0.0), {"zero_volume": 3}),
    "a volume in cents": (lambda r: scaled(r, 700, 1.0, (), 1e5), {"volume_spikes": 1}),
    "no volume": (lambda r: put(r, slice(None), volume=np.nan), {"volume_unknown": N}),
    "a time off the grid": (_late, {"off_grid": 1}),
    "a coarser half": (
        lambda r: r.take(np.concatenate((np.arange(700), np.arange(703, N, 4)))),
        {"spacing": 50, "gaps": 225},
    ),
    "times of the open": (
        lambda r: replace(r.take(slice(0, 984)), time=r.time[:984] - HOUR),
        {"label": 2},
    ),
}


def counts(verdict: Verdict) -> dict[str, int]:
    found: dict[str, int] = {}
    for finding in verdict.findings:
        found[finding.rule] = found.get(finding.rule, 0) + finding.count
    return found


def halved(n: int = 400, at: int = 200) -> Bars:
    """Daily bars with a split that nobody adjusted for."""
    rows = rows_at((19_000 + np.arange(n)) * DAY)
    rows = scaled(rows, slice(at, None), 0.5, PRICES, 2.0)
    return Bars.from_rows(replace(rows, source="split.csv"))
