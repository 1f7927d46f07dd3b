"""Order types: which prices reach an order, where it trades, and which prices a valid one has.

To add a type: a code in `alphalab.codes.OrderType`, its rules here, its function in `orders.py`,
and its rules in the twin of the tests.
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

#: The moments of a row when orders meet a single price.
AT_OPEN, AT_CLOSE, AT_OWN_CLOSE = np.int64(0), np.int64(1), np.int64(2)


@jit
def by_market(kind):
    """Return True for the market order types: they wait for a moment, not for a price."""
    return kind in (MARKET, MARKET_ON_OPEN, MARKET_ON_CLOSE)


@jit
def takes_part(kind, fill, moment):
    """Return True if a type of order meets the price of a moment; `fill` is a FillAt code."""
    if moment == AT_OPEN:
        return (
            not by_market(kind) or kind == MARKET_ON_OPEN or (kind == MARKET and fill == NEXT_OPEN)
        )
    if moment == AT_CLOSE:
        return kind == MARKET_ON_CLOSE or (kind == MARKET and fill == NEXT_CLOSE)
    return kind == MARKET


@jit
def in_two_stages(kind):
    """Return True if one price triggers the order, which is then a limit order at another price."""
    return kind in (STOP_LIMIT, LIMIT_IF_TOUCHED)


@jit
def is_untriggered(o):
    """Return True if a two-stage order is not triggered yet."""
    return in_two_stages(o["type"]) and o["triggered"] == 0


@jit
def rests(o):
    """Return True if the order is a limit order, from the start or since its trigger."""
    return o["type"] == LIMIT or (in_two_stages(o["type"]) and o["triggered"] == 1)


@jit
def level_of(o):
    """Return the price that executes or triggers an order; NaN for a market order."""
    return o["limit"] if rests(o) else o["stop"]


@jit
def rises_to(o):
    """Return True if rising prices reach the order, False if falling prices do."""
    wants_better = rests(o) or o["type"] in (TAKE_PROFIT, LIMIT_IF_TOUCHED)
    return (o["side"] > 0) != wants_better


@jit
def reached(o, low, high, beyond):
    """Return True if a range of prices reaches the order; `beyond`: the level does not count."""
    level = level_of(o)
    if rises_to(o):
        return high > level if beyond else high >= level
    return low < level if beyond else low <= level


@jit
def met_at(o, a):
    """Return the price at which a reached order trades, on a path that starts at `a`."""
    return max(level_of(o), a) if rises_to(o) else min(level_of(o), a)


@jit
def needs_limit(kind):
    """Return True if the type has a limit price."""
    return kind == LIMIT or in_two_stages(kind)


@jit
def needs_stop(kind):
    """Return True if the type has a stop price: one that executes or triggers it."""
    return kind in (STOP, TAKE_PROFIT) or in_two_stages(kind)


@jit
def is_price(x):
    """Return True if a number is a valid price: positive and finite."""
    return x > 0.0 and x < np.inf


@jit
def off_grid(number, step):
    """Return True if a number is not a positive multiple of the step."""
    return step > 0.0 and (number < 0.5 * step or not is_whole(number, step))


@jit
def bad_price(r):
    """Return (True, value) for the first invalid price or distance, or (False, 0)."""
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
    """Return True if the price has reached the stop already: the order would trigger at once."""
    if kind in (STOP, STOP_LIMIT):
        return side * (stop - price) <= 0.0
    return kind in (TAKE_PROFIT, LIMIT_IF_TOUCHED) and side * (stop - price) >= 0.0
