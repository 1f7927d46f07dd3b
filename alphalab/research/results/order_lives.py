"""The life of each order, from its events and fills."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alphalab.codes import OrderStatus, OrderType, Origin, Reason
from alphalab.types import NEVER, FloatArray, IntArray, Records

#: One order.
LIFE = np.dtype(
    [
        ("id", "i8"),
        ("asset", "i8"),  # index into the symbols
        ("origin", "i8"),  # an Origin code
        ("type", "i8"),  # an OrderType code
        ("side", "i8"),  # 1 buys, -1 sells
        ("qty", "f8"),  # units ordered; NaN for orders by value and for closing a position
        ("filled", "f8"),  # units
        ("price", "f8"),  # average fill price; NaN without a fill
        ("limit", "f8"),  # last limit price
        ("stop", "f8"),  # last stop price
        ("submitted", "i8"),  # ns UTC
        ("active", "i8"),  # ns UTC; NEVER if it was never active
        ("ended", "i8"),  # ns UTC; NEVER while it is open
        ("status", "i8"),  # an OrderStatus code: the last one
        ("reason", "i8"),  # a Reason code, or 0
    ]
)

#: Kinds of orders that close a position.
LEFT_BY = {
    "signal": "market order of the strategy",
    "limit": "limit order of the strategy",
    "stop": "stop order",
    "target": "take-profit",
    "trailing": "trailing stop",
    "time": "held as long as allowed",
    "liquidation": "liquidation",
    "delisting": "end of the listing",
    "split": "fraction of a lot after a split, paid in cash",
}
_BY_TYPE = {
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop",
    OrderType.TAKE_PROFIT: "target",
    OrderType.TRAILING: "trailing",
    OrderType.LIMIT_IF_TOUCHED: "limit",
}
_BY_VENUE = {
    Reason.LIQUIDATED: "liquidation",
    Reason.DELISTED: "delisting",
    Reason.CASH_IN_LIEU: "split",
    Reason.HELD_BEFORE: "signal",  # opens a position
}
_BY_MARKET = (OrderType.MARKET, OrderType.MARKET_ON_OPEN, OrderType.MARKET_ON_CLOSE)
_ENDED = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUSED)
_ASKED = (OrderStatus.SUBMITTED, OrderStatus.AMENDED)


def lives(events: Records, fills: Records) -> Records:
    """Return the life of each order.

    Parameters
    ----------
    events : records of `alphalab.types.EVENT`
    fills : records of `alphalab.types.FILL`

    Returns
    -------
    records of `LIFE`
        By id.

    Examples
    --------
    >>> from alphalab.types import EVENT, FILL
    >>> events = np.zeros(3, EVENT)
    >>> events["order"], events["status"] = 7, [1, 2, 5]  # submitted, active, filled
    >>> events["qty"], events["time"] = [4.0, 4.0, 0.0], [10, 20, 20]
    >>> fills = np.zeros(2, FILL)
    >>> fills["order"], fills["qty"], fills["price"] = 7, [1.0, 3.0], [10.0, 20.0]
    >>> lives(events, fills)[["id", "qty", "filled", "price", "submitted", "ended"]].tolist()
    [(7, 4.0, 4.0, 17.5, 10, 20)]
    """
    event = events[np.argsort(events["order"], kind="stable")]
    first = np.flatnonzero(np.diff(event["order"], prepend=-1))
    life = np.empty(first.size, LIFE)
    if not first.size:
        return life
    last = np.append(first[1:], event.size) - 1
    now = event[last]
    for name in ("asset", "origin", "type", "side", "limit", "stop", "status", "reason"):
        life[name] = now[name]
    life["id"], life["submitted"] = now["order"], event["time"][first]
    life["ended"] = np.where(np.isin(now["status"], _ENDED), now["time"], NEVER)
    active = np.where(event["status"] == OrderStatus.ACTIVE, event["time"], NEVER)
    life["active"] = np.maximum.reduceat(active, first)

    asks = np.isin(event["status"], _ASKED)
    begin = np.repeat(first, last - first + 1)
    asked = event[np.maximum.reduceat(np.where(asks, np.arange(event.size), begin), first)]
    life["qty"] = asked["qty"] + asked["filled"]

    place, known = _places(life["id"], fills["order"])
    units, value = np.zeros(life.size), np.zeros(life.size)
    traded = np.abs(fills["qty"][known])
    np.add.at(units, place[known], traded)
    np.add.at(value, place[known], traded * fills["price"][known])
    life["filled"] = units
    life["price"] = np.divide(value, units, out=np.full(units.size, np.nan), where=units > 0)
    return life


def left_by(lives: Records, ids: IntArray) -> NDArray[np.str_]:
    """Return the kind of each order as a way to close a position: a key of `LEFT_BY`.

    Empty for ids without an order.
    """
    kinds = [_kind(*life) for life in lives[["origin", "type", "reason"]].tolist()]
    place, known = _places(lives["id"], ids)
    return np.array([*kinds, ""])[np.where(known, place, -1)]


def meet_the_inside(events: Records) -> bool:
    """Return True if any order could trade inside a bar, which a market order cannot."""
    return not np.isin(events["type"], _BY_MARKET).all()


def at_stake(ambiguities: Records) -> FloatArray:
    """Return the difference in equity at the close between the two paths, quote currency."""
    stake: FloatArray = np.abs(ambiguities["high_first"] - ambiguities["low_first"])
    return stake


def _kind(origin: int, kind: int, reason: int) -> str:
    if origin == Origin.VENUE:
        return _BY_VENUE[Reason(reason)]
    if kind in _BY_MARKET:
        return "time" if origin == Origin.EXITS else "signal"
    if kind == OrderType.LIMIT:
        return "target" if origin == Origin.EXITS else "limit"
    return _BY_TYPE[OrderType(kind)]


def _places(ids: IntArray, wanted: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the positions of ids in a sorted array, and which ids are in it."""
    place = np.searchsorted(ids, wanted)
    return place, np.append(ids, -1)[place] == wanted
