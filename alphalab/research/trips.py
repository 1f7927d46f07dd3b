"""Round trips: what happened to a position from flat to flat.

A trip begins with the fill that leaves flat and ends with the fill that comes back to it. Adding to
a position or selling a part of it stays in the same trip; a fill through zero ends one trip and
begins the next, and its fee is shared between them by quantity. A position still held after the
last row is a trip that is not closed, valued at the last known close. So the profits of all trips,
open ones included, add up to what the account made after fees.
"""

from __future__ import annotations

import itertools

import numpy as np

from alphalab.data.times import NS_DAY
from alphalab.types import FloatArray, Records

#: One round trip.
TRIP = np.dtype(
    [
        ("asset", "i8"),  # index into the symbols
        ("side", "i8"),  # 1 long, -1 short
        ("closed", "?"),  # False: still held after the last row
        ("entry_row", "i8"),  # row of the first fill
        ("entry_time", "i8"),  # close time of that row, ns UTC
        ("exit_row", "i8"),  # row of the last fill; the last row when not closed
        ("exit_time", "i8"),  # close time of that row, ns UTC
        ("qty", "f8"),  # units entered in all, unsigned
        ("entry_price", "f8"),  # average over the units entered
        ("exit_price", "f8"),  # average over the same units; those still held at the mark
        ("fees", "f8"),  # quote currency
        ("pnl", "f8"),  # profit after fees, quote currency
        ("return", "f8"),  # pnl over the value entered, fraction
    ]
)

#: A position below this part of the fill that led to it is rounding: flat.
DUST = 1e-9


def round_trips(
    fills: Records, mark: FloatArray, multiplier: FloatArray, last_row: int, last_time: int
) -> Records:
    """Pair fills into round trips.

    Parameters
    ----------
    fills : records of `alphalab.types.FILL`
        In order of execution, beginning flat.
    mark : ndarray of shape (N,)
        Last known price of each asset; read only for positions that are still held.
    multiplier : ndarray of shape (N,)
        Quote currency per unit and point of price.
    last_row, last_time : int
        Last row of the run and its time: where open trips are valued.

    Returns
    -------
    records of `TRIP`
        In order of entry. pnl = side * qty * (exit_price - entry_price) * multiplier - fees.

    Examples
    --------
    >>> from alphalab.types import FILL
    >>> fills = np.zeros(3, FILL)
    >>> fills["row"], fills["qty"], fills["price"] = [0, 1, 4], [2.0, 2.0, -4.0], [10.0, 12.0, 13.0]
    >>> trip = round_trips(fills, np.array([13.0]), np.array([1.0]), 5, 0)[0]
    >>> trip["entry_row"], trip["exit_row"], trip["entry_price"], trip["pnl"]
    (np.int64(0), np.int64(4), np.float64(11.0), np.float64(8.0))
    """
    if not fills.size:
        return np.empty(0, TRIP)
    order = np.argsort(fills["asset"], kind="stable")
    fill = fills[order]
    before, after = _positions(fill)

    # A fill through zero becomes two pieces: one that closes, one that opens.
    crosses = before * after < 0
    piece = np.repeat(np.arange(fill.size), 1 + crosses)
    second = np.diff(piece, prepend=-1) == 0
    first = crosses[piece] & ~second
    qty = np.select([first, second], [-before[piece], after[piece]], fill["qty"][piece])
    left = np.where(first, 0.0, after[piece])
    fee = fill["fee"][piece] * (qty / fill["qty"][piece])

    starts = np.flatnonzero(second | (before[piece] == 0))
    ends = np.append(starts[1:], piece.size) - 1
    entry, exit_ = fill[piece[starts]], fill[piece[ends]]
    asset, side = entry["asset"], np.sign(qty[starts])
    enters = qty * np.repeat(side, ends - starts + 1) > 0
    units, value = np.abs(qty), np.abs(qty) * fill["price"][piece]
    held = np.abs(left[ends])
    open_value = np.multiply(held, mark[asset], out=np.zeros(held.size), where=held > 0)

    trips = np.empty(starts.size, TRIP)
    trips["asset"], trips["side"], trips["closed"] = asset, side, held == 0
    trips["entry_row"], trips["entry_time"] = entry["row"], entry["time"]
    trips["exit_row"] = np.where(held > 0, last_row, exit_["row"])
    trips["exit_time"] = np.where(held > 0, last_time, exit_["time"])
    trips["qty"] = np.add.reduceat(np.where(enters, units, 0.0), starts)
    entry_value = np.add.reduceat(np.where(enters, value, 0.0), starts)
    exit_value = np.add.reduceat(np.where(enters, 0.0, value), starts) + open_value
    trips["entry_price"] = entry_value / trips["qty"]
    trips["exit_price"] = exit_value / trips["qty"]
    trips["fees"] = np.add.reduceat(fee, starts)
    trips["pnl"] = side * (exit_value - entry_value) * multiplier[asset] - trips["fees"]
    trips["return"] = trips["pnl"] / (entry_value * multiplier[asset])
    return trips[np.argsort(2 * order[piece[starts]] + second[starts], kind="stable")]


def win_rate(trips: Records) -> float:
    """Share of the closed trips that made money after fees: mean(pnl > 0).

    NaN without a closed trip.

    Examples
    --------
    >>> trips = np.zeros(4, TRIP)
    >>> trips["closed"], trips["pnl"] = True, [5.0, -1.0, 2.0, 0.0]
    >>> win_rate(trips)
    0.5
    """
    pnl = trips["pnl"][trips["closed"]]
    return float(np.mean(pnl > 0)) if pnl.size else float("nan")


def profit_factor(trips: Records) -> float:
    """Gains of the winning closed trips over the losses of the losing ones, both after fees.

    sum(max(pnl, 0)) / sum(max(-pnl, 0)). NaN when no closed trip lost.

    Examples
    --------
    >>> trips = np.zeros(3, TRIP)
    >>> trips["closed"], trips["pnl"] = True, [5.0, -1.0, -1.0]
    >>> profit_factor(trips)
    2.5
    """
    pnl = trips["pnl"][trips["closed"]]
    lost = float(np.maximum(-pnl, 0.0).sum())
    return float(np.maximum(pnl, 0.0).sum()) / lost if lost > 0 else float("nan")


def average_holding(trips: Records) -> tuple[float, float]:
    """Mean time from first to last fill of the closed trips: in rows, and in days of 24 hours.

    Examples
    --------
    >>> trips = np.zeros(2, TRIP)
    >>> trips["closed"], trips["exit_row"], trips["exit_time"] = True, [1, 3], [86_400 * 10**9, 0]
    >>> average_holding(trips)
    (2.0, 0.5)
    """
    closed = trips[trips["closed"]]
    if not closed.size:
        return float("nan"), float("nan")
    rows = np.mean(closed["exit_row"] - closed["entry_row"])
    days = np.mean(closed["exit_time"] - closed["entry_time"]) / NS_DAY
    return float(rows), float(days)


def _positions(fill: Records) -> tuple[FloatArray, FloatArray]:
    """Units held before and after each fill; the fills are sorted by asset."""
    after = np.empty(fill.size)
    bounds = np.flatnonzero(np.diff(fill["asset"], prepend=-1, append=-1))
    for low, high in itertools.pairwise(bounds):
        after[low:high] = np.cumsum(fill["qty"][low:high])
    after[np.abs(after) <= DUST * np.abs(fill["qty"])] = 0.0
    before = np.append(0.0, after[:-1])
    before[bounds[:-1]] = 0.0
    return before, after
