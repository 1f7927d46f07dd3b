"""Sections 1 and 2 of docs/market.md, plainly: what a unit is worth, ticks, lots, days, fees."""

from __future__ import annotations

import datetime
import functools
import math

from alphalab.types import Instrument

HOUR = 3_600 * 10**9
DAY = 24 * HOUR


def unit(instrument: Instrument, price: float, rate: float) -> float:
    """Value of one unit at a price, quote currency."""
    if instrument.kind == "inverse":
        return instrument.multiplier / price * rate
    return price * instrument.multiplier * rate


def basis(instrument: Instrument, price: float, rate: float) -> float:
    """What profit is counted from."""
    match instrument.kind:
        case "spot":
            return price * rate
        case "linear":
            return price
    return -1.0 / price


def scale(instrument: Instrument, rate: float) -> float:
    if instrument.kind == "spot":
        return instrument.multiplier
    return instrument.multiplier * rate


def error(k: float) -> float:
    """How far a number of ticks or lots may be from a whole one (section 1)."""
    return min(max(1e-9, 1e-14 * abs(k)), 0.1)


def on_tick(instrument: Instrument, price: float, up: bool) -> float:
    tick = instrument.tick
    if not tick:
        return price
    ticks = price / tick
    k = math.ceil(ticks - error(ticks)) if up else math.floor(ticks + error(ticks))
    return steps(max(k, 1), tick)


def lots(instrument: Instrument, qty: float) -> float:
    if not instrument.lot:
        return qty
    k = qty / instrument.lot
    return steps(math.floor(k + error(k)), instrument.lot)


@functools.cache
def _decimal(step: float) -> tuple[int, int]:
    """Whole numbers n < 1e9 and the smallest d with step = n / 10**d; (0, 0): there are none."""
    for d in range(23):
        n = round(step * 10**d)
        if n >= 1e9:
            break
        if n / 10**d == step:
            return n, d
    return 0, 0


def steps(k: int, step: float) -> float:
    """`k` ticks or lots, the float nearest to their decimal."""
    n, d = _decimal(step)
    return (k * n) / 10**d if n else k * step


def sum_of(instrument: Instrument, a: float, b: float) -> float:
    """A sum of units: 0 where that is rounding, whole lots where it is a whole number of them."""
    total, lot, larger = a + b, instrument.lot, max(abs(a), abs(b))
    if not lot or not math.isfinite(total):
        return 0.0 if abs(total) <= 1e-9 * larger else total
    k = round(total / lot)
    if abs(total / lot - k) > error(larger / lot):
        return total
    return steps(k, lot) if k else 0.0


def nearest(x: float, step: float) -> float:
    """The whole number of steps nearest to `x`, and `x` itself without a step or a number."""
    return steps(round(x / step), step) if step and math.isfinite(x) else x


def is_whole(x: float, step: float) -> bool:
    """True if `x` is a whole number k >= 1 of steps, to error(k) (section 6)."""
    if not step:
        return True
    k = round(x / step)
    return k >= 1 and abs(x / step - k) <= error(k)


def day_of(time: int) -> int:
    """UTC day number; a row that ends at midnight belongs to the day that ends."""
    return (time - 1) // DAY


def period_of(time: int, period: str) -> int:
    """Number of the calendar period a row belongs to; weeks start on Monday."""
    day = day_of(time)
    if period == "day":
        return day
    if period == "week":
        return (day + 3) // 7  # 1970-01-01 was a Thursday
    date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
    months = date.year * 12 + date.month - 1
    return months // {"month": 1, "quarter": 3, "year": 12}[period]
