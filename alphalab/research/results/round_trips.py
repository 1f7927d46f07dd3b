"""Round trips: positions from flat to flat.

A trip begins with the fill that opens a position and ends with the fill that closes it. Adding to a
position or selling a part of it stays in the same trip; a fill through zero ends one trip and
begins the next, and its fee is shared between them by quantity. A position still held after the
last row is a trip that is not closed, valued at the last known close. So the profits of all trips,
open ones included, add up to the trading profit of the account, after fees and without funding,
dividends and other postings. After a split, units and prices of its trip are in the new units.
"""

from __future__ import annotations

import itertools

import numpy as np

from alphalab.data.clock.times import NS_DAY
from alphalab.research.results import formulas
from alphalab.research.results.holdings import Assets, costs_of
from alphalab.types import FloatArray, IntArray, Records

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
        ("exit_order", "i8"),  # id of the order that closed it; 0 when not closed
        ("qty", "f8"),  # units entered in all, unsigned
        ("entry_price", "f8"),  # average over the units entered
        ("exit_price", "f8"),  # average over the same units; those still held at the mark
        ("fees", "f8"),  # quote currency
        ("pnl", "f8"),  # profit after fees, quote currency
        ("return", "f8"),  # pnl over the value entered, fraction
    ]
)

#: A position below this fraction of the fill before it, and below half a lot, is rounding: flat.
DUST = 1e-9


def round_trips(
    changes: Records,
    assets: Assets,
    mark: FloatArray,
    rate: FloatArray,
    last_row: int,
    last_time: int,
) -> Records:
    """Pair fills into round trips.

    Parameters
    ----------
    changes : records of `alphalab.research.results.holdings.CHANGE`
        By asset and then in order, beginning flat.
    assets : Assets
    mark, rate : ndarray of shape (N,)
        Last known price and conversion rate of each asset; read only for positions still held.
    last_row, last_time : int
        Last row of the run and its time, at which open trips are valued.

    Returns
    -------
    records of `TRIP`
        In order of entry. pnl is realised plus open profit less fees. For prices in the quote
        currency, inverse contracts excepted, this is
        side * qty * (exit_price - entry_price) * multiplier - fees.

    Examples
    --------
    >>> from alphalab.research.results.holdings import CHANGE
    >>> changes = np.zeros(3, CHANGE)
    >>> changes["row"], changes["qty"] = [0, 1, 4], [2.0, 2.0, -4.0]
    >>> changes["price"], changes["realised"] = [10.0, 12.0, 13.0], [0.0, 0.0, 8.0]
    >>> changes["rate"] = changes["ratio"] = one = np.ones(1)
    >>> trip = round_trips(changes, Assets(np.zeros(1, np.int64), one, 0 * one), one, one, 5, 0)[0]
    >>> trip["entry_row"], trip["exit_row"], trip["entry_price"], trip["pnl"]
    (np.int64(0), np.int64(4), np.float64(11.0), np.float64(8.0))
    """
    change, before, after = _with_positions(changes, assets.lot)
    if not change.size:
        return np.empty(0, TRIP)

    # A fill through zero becomes two pieces: one that closes, one that opens.
    crosses = before * after < 0
    which = np.repeat(np.arange(change.size), 1 + crosses)
    second = np.diff(which, prepend=-1) == 0
    first = crosses[which] & ~second
    piece = change[which]
    piece["qty"] = np.select([first, second], [-before[which], after[which]], piece["qty"])
    piece["fee"] *= piece["qty"] / change["qty"][which]
    piece["realised"][second] = 0.0
    left = np.where(first, 0.0, after[which])

    starts = np.flatnonzero(second | (before[which] == 0))
    ends = np.append(starts[1:], piece.size) - 1
    entry, exit_ = piece[starts], piece[ends]
    asset, side, held = entry["asset"], np.sign(entry["qty"]), left[ends]
    is_open = held != 0

    # Units are those at the end of the trip. A split is no trade.
    units, value, worth = _sizes(piece, assets, starts, ends)
    enters = piece["qty"] * np.repeat(side, ends - starts + 1) > 0
    entered = np.add.reduceat(np.where(enters, units, 0.0), starts)
    at_mark = np.where(is_open, mark[asset], 1.0)
    entry_value = np.add.reduceat(np.where(enters, value, 0.0), starts)
    exit_value = np.add.reduceat(np.where(enters, 0.0, value), starts) + np.abs(held) * at_mark

    at_rate = np.where(is_open, rate[asset], exit_["rate"])
    cost = np.add.reduceat(costs_of(piece, assets), starts)
    gain = (held * assets.basis(at_mark, at_rate, asset) - cost) * assets.scale(at_rate, asset)

    trips = np.empty(starts.size, TRIP)
    trips["asset"], trips["side"], trips["closed"] = asset, side, ~is_open
    trips["entry_row"], trips["entry_time"] = entry["row"], entry["time"]
    trips["exit_row"] = np.where(is_open, last_row, exit_["row"])
    trips["exit_time"] = np.where(is_open, last_time, exit_["time"])
    trips["exit_order"] = np.where(is_open, 0, exit_["order"])
    trips["qty"] = entered
    trips["entry_price"] = entry_value / entered
    trips["exit_price"] = exit_value / entered
    invested = np.add.reduceat(np.where(enters, worth, 0.0), starts)
    rounding = (np.abs(gain) <= DUST * invested) | (starts == ends)
    gain[~is_open & rounding] = 0.0  # a closed trip has no open profit
    trips["fees"] = np.add.reduceat(piece["fee"], starts)
    trips["pnl"] = np.add.reduceat(piece["realised"], starts) + gain - trips["fees"]
    trips["return"] = np.divide(
        trips["pnl"], invested, out=np.full(invested.size, np.nan), where=invested > 0
    )
    return trips[np.lexsort((second[starts], entry["fill"]))]


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
    return float(formulas.share(np.count_nonzero(pnl > 0), pnl.size))


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
    return float(formulas.share(np.maximum(pnl, 0.0).sum(), np.maximum(-pnl, 0.0).sum()))


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
    rows = (closed["exit_row"] - closed["entry_row"]).sum()
    days = (closed["exit_time"] - closed["entry_time"]).sum() / NS_DAY
    return float(formulas.share(rows, closed.size)), float(formulas.share(days, closed.size))


def _with_positions(changes: Records, lot: FloatArray) -> tuple[Records, FloatArray, FloatArray]:
    """Return the changes with the units held before and after; drop splits of flat positions."""
    after = np.empty(changes.size)
    bounds = np.flatnonzero(np.diff(changes["asset"], prepend=-1, append=-1))
    for low, high in itertools.pairwise(bounds):
        after[low:high] = np.cumsum(changes["qty"][low:high])
    below = np.where(lot > 0.0, 0.5 * lot, np.inf)[changes["asset"]]
    after[(np.abs(after) <= DUST * np.abs(changes["qty"])) & (np.abs(after) < below)] = 0.0
    before = np.append(0.0, after[:-1])
    before[bounds[:-1]] = 0.0
    idle = (changes["fill"] < 0) & (before == 0)
    return changes[~idle], before[~idle], after[~idle]


def _sizes(
    piece: Records, assets: Assets, starts: IntArray, ends: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return unsigned units (as at the trip's end), units times price, and quote currency."""
    moved = np.isfinite(piece["price"])
    price = np.where(moved, piece["price"], 1.0)
    units = np.where(moved, np.abs(piece["qty"]), 0.0)
    worth = units * assets.unit(price, piece["rate"], piece["asset"])
    ratio = np.cumprod(piece["ratio"])
    later = np.repeat(ratio[ends], ends - starts + 1) / ratio
    return units * later, units * price, worth
