"""Order types: what each one is, when a price reaches it, where it trades, what a valid one needs.

A new type is a code in `alphalab.codes.OrderType`, its lines here, its function in `orders.py`, and
its lines in the twin of the tests.
"""

from __future__ import annotations

import numpy as np

from alphalab.codes import FillAt, OrderType
from alphalab.kernels._jit import jit
from alphalab.kernels.market.money import is_whole

(
    MARKET,
    LIMIT,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TRAILING,
    MARKET_ON_OPEN,
    MARKET_ON_CLOSE,
    LIMIT_IF_TOUCHED,
) = (np.int64(x) for x in OrderType)

NEXT_OPEN, NEXT_CLOSE = np.int64(FillAt.NEXT_OPEN), np.int64(FillAt.NEXT_CLOSE)

#: The moments of a row at which orders meet a single price.
AT_OPEN, AT_CLOSE, AT_OWN_CLOSE = np.int64(0), np.int64(1), np.int64(2)


@jit
def by_market(kind):
    """Tell whether an order of a type waits for a moment, not for a price."""
    return kind in (MARKET, MARKET_ON_OPEN, MARKET_ON_CLOSE)


@jit
def takes_part(kind, fill, moment):
    """Tell whether orders of a type meet the price of a moment; `fill` is the run's FillAt."""
    if moment == AT_OPEN:
        return (
            not by_market(kind) or kind == MARKET_ON_OPEN or (kind == MARKET and fill == NEXT_OPEN)
        )
    if moment == AT_CLOSE:
        return kind == MARKET_ON_CLOSE or (kind == MARKET and fill == NEXT_CLOSE)
    return kind == MARKET


@jit
def in_two_stages(kind):
    """Tell whether a type is triggered by one price and then a limit order at another."""
    return kind in (STOP_LIMIT, LIMIT_IF_TOUCHED)


@jit
def is_untriggered(o):
    """Tell whether an order still waits for the price that triggers it."""
    return in_two_stages(o["type"]) and o["triggered"] == 0


@jit
def rests(o):
    """Tell whether an order is a limit order by now."""
    return o["type"] == LIMIT or (in_two_stages(o["type"]) and o["triggered"] == 1)


@jit
def level_of(o):
    """Return the price at which an order trades or is triggered; NaN for a market order."""
    return o["limit"] if rests(o) else o["stop"]


@jit
def rises_to(o):
    """Tell whether an order is reached by prices at its level or above, not by those below."""
    wants_better = rests(o) or o["type"] in (TAKE_PROFIT, LIMIT_IF_TOUCHED)
    return (o["side"] > 0) != wants_better


@jit
def reached(o, low, high, beyond):
    """Tell whether prices from low to high reach an order; `beyond`: only prices past its level."""
    level = level_of(o)
    if rises_to(o):
        return high > level if beyond else high >= level
    return low < level if beyond else low <= level


@jit
def met_at(o, a):
    """Return the price at which an order that is reached on the way from `a` trades."""
    return max(level_of(o), a) if rises_to(o) else min(level_of(o), a)


@jit
def needs_limit(kind):
    """Tell whether a type has a limit."""
    return kind == LIMIT or in_two_stages(kind)


@jit
def needs_stop(kind):
    """Tell whether a type has a price of its own that makes it trade or triggers it."""
    return kind in (STOP, TAKE_PROFIT) or in_two_stages(kind)


@jit
def is_price(x):
    """Tell whether a number can be a price."""
    return x > 0.0 and x < np.inf


@jit
def off_grid(number, step):
    """Tell whether a number is not a whole number of steps, at least one."""
    return step > 0.0 and (number < 0.5 * step or not is_whole(number, step))


@jit
def bad_price(r):
    """Return (whether a price or distance that the type needs is none, that number)."""
    kind = r["type"]
    if needs_limit(kind) and not is_price(r["limit"]):
        return True, r["limit"]
    if needs_stop(kind) and not is_price(r["stop"]):
        return True, r["stop"]
    if kind == TRAILING:
        by_price, by_frac = is_price(r["trail"]), is_price(r["trail_frac"])
        one = by_price != by_frac and np.isnan(r["trail_frac"] if by_price else r["trail"])
        if not one or (by_frac and r["trail_frac"] >= 1.0):
            return True, r["trail_frac"] if np.isnan(r["trail"]) else r["trail"]
    return False, 0.0


@jit
def wrong_side(kind, side, stop, price):
    """Tell whether a price that makes an order trade is reached already."""
    if kind in (STOP, STOP_LIMIT):
        return side * (stop - price) <= 0.0
    return kind in (TAKE_PROFIT, LIMIT_IF_TOUCHED) and side * (stop - price) >= 0.0
