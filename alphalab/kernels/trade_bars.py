"""Trades to bars, one trade after the other: the state holds the bar that is not finished.

A bar ends when what it holds is enough and a trade of a later time comes: trades of one time stay
together. Imbalance bars follow M. Lopez de Prado, Advances in Financial Machine Learning (2018),
section 2.3.2.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache

import numba
import numpy as np
from numba import float64, int64

from alphalab.kernels._jit import jit
from alphalab.kernels.operators.recursive import smooth


class By(IntEnum):
    """What a bar is full of."""

    TIME = 0
    TICK = 1
    VOLUME = 2
    DOLLAR = 3
    TICK_IMBALANCE = 4
    VOLUME_IMBALANCE = 5
    DOLLAR_IMBALANCE = 6


#: What ends a bar.
BAR_RULE = np.dtype(
    [
        ("by", "i8"),  # a By code
        ("size", "f8"),  # trades, units or value of a bar; of imbalance: trades of the first
        ("step", "i8"),  # ns of a window of time
        ("shift", "i8"),  # ns by which windows begin later than multiples since 1970
        ("span_bars", "f8"),  # of the mean of how many trades a bar has
        ("span_trades", "f8"),  # of the mean imbalance of a trade
        ("least", "f8"),  # trades of an imbalance bar
        ("most", "f8"),
    ]
)

#: The bar that is being made, and what is expected of it.
BAR_SO_FAR = np.dtype(
    [
        ("time", "i8"),  # of the last trade, ns UTC
        ("until", "i8"),  # no trade before it is to come, ns UTC
        ("end", "i8"),  # of the window of time, ns UTC
        ("n", "i8"),  # trades; 0: none yet
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),  # units
        ("bought", "f8"),  # units that buyers took; NaN: the side of a trade is unknown
        ("value", "f8"),  # sum of price times units
        ("imbalance", "f8"),  # theta: of signs, signed units or signed value
        ("price", "f8"),  # of the last trade; 0: none yet
        ("sign", "f8"),  # of the last trade: 1 bought, -1 sold, 0 unknown
        ("n_signed", "f8"),  # trades in the mean imbalance
        ("mean", "f8"),  # imbalance of a trade, expected
        ("expected", "f8"),  # trades in a bar, expected
        ("enough", "f8"),  # imbalance that ends this bar; NaN: it is the first
    ]
)

#: A finished bar.
FINISHED = np.dtype(
    [
        ("time", "i8"),  # ns UTC: the end of its window, or its last trade
        ("n", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
        ("bought", "f8"),
        ("value", "f8"),
    ]
)

TIME, TICK, VOLUME, DOLLAR = (np.int64(x) for x in (By.TIME, By.TICK, By.VOLUME, By.DOLLAR))
TICK_IMBALANCE, VOLUME_IMBALANCE = np.int64(By.TICK_IMBALANCE), np.int64(By.VOLUME_IMBALANCE)

# Ten trades of 0.1 make one unit, whatever their sum in binary.
NEARLY = 1.0 - 1e-12


@jit
def is_full(rule, bar, time):
    """Tell whether a bar ends before a trade of a later time."""
    by = rule["by"]
    if by == TIME:
        return time > bar["end"]
    if by == VOLUME:
        return bar["volume"] >= rule["size"] * NEARLY
    if by == DOLLAR:
        return bar["value"] >= rule["size"] * NEARLY
    if by == TICK or np.isnan(bar["enough"]):
        return bar["n"] >= rule["size"]
    if bar["n"] < rule["least"] or bar["n"] >= rule["most"]:
        return bar["n"] >= rule["most"]
    return abs(bar["imbalance"]) >= bar["enough"]


@jit
def ends(rule, bar, time):
    """Tell whether a bar ends where no trade before a time is to come."""
    return bar["n"] > 0 and time > bar["time"] and is_full(rule, bar, time)


@jit
def finish(rule, bar, out):
    """Write a bar, and begin the next with what is expected of it."""
    out["time"] = bar["end"] if rule["by"] == TIME else bar["time"]
    out["n"] = bar["n"]
    out["open"] = bar["open"]
    out["high"] = bar["high"]
    out["low"] = bar["low"]
    out["close"] = bar["close"]
    out["volume"] = bar["volume"]
    out["bought"] = bar["bought"]
    out["value"] = bar["value"]
    if rule["by"] >= TICK_IMBALANCE:
        weight = 2.0 / (rule["span_bars"] + 1.0)
        bar["expected"] += weight * (bar["n"] - bar["expected"])
        bar["enough"] = bar["expected"] * abs(bar["mean"])
    bar["n"] = 0


@jit
def begin(rule, bar, time, price):
    bar["open"] = price
    bar["high"] = price
    bar["low"] = price
    bar["volume"] = 0.0
    bar["bought"] = 0.0
    bar["value"] = 0.0
    bar["imbalance"] = 0.0
    if rule["by"] == TIME:
        bar["end"] = -((rule["shift"] - time) // rule["step"]) * rule["step"] + rule["shift"]


@jit
def add(rule, bar, time, price, amount, side):
    """Add a trade to the bar. A side of 0 is unknown, then the tick rule tells the sign."""
    if bar["n"] == 0:
        begin(rule, bar, time, price)
    bar["time"] = time
    bar["n"] += 1
    bar["high"] = max(bar["high"], price)
    bar["low"] = min(bar["low"], price)
    bar["close"] = price
    bar["volume"] += amount
    bar["value"] += price * amount
    bar["bought"] += np.nan if side == 0.0 else max(side, 0.0) * amount
    if rule["by"] < TICK_IMBALANCE:
        return
    if side != 0.0:
        bar["sign"] = side
    elif bar["price"] > 0.0 and price != bar["price"]:
        bar["sign"] = 1.0 if price > bar["price"] else -1.0
    bar["price"] = price
    signed = bar["sign"]
    if rule["by"] == VOLUME_IMBALANCE:
        signed *= amount
    elif rule["by"] != TICK_IMBALANCE:
        signed *= price * amount
    bar["imbalance"] += signed
    n, mean, _ = smooth(
        bar["n_signed"], bar["mean"], rule["span_trades"], 2.0 / (rule["span_trades"] + 1.0), signed
    )
    bar["n_signed"] = n
    bar["mean"] = mean


def _run(rules, bars, time, price, amount, side, until, out):
    """Push trades, and let the time pass; returns how many bars that finished.

    A trade finishes one at most, and so does the time.
    """
    rule, bar = rules[0], bars[0]
    count = 0
    for i in range(time.size):
        if ends(rule, bar, time[i]):
            finish(rule, bar, out[count])
            count += 1
        add(rule, bar, time[i], price[i], amount[i], side[i])
    bar["until"] = max(bar["until"], until)
    if ends(rule, bar, until):
        finish(rule, bar, out[count])
        count += 1
    return count


@cache
def run():
    """Return the compiled `f(rules (1,), bars (1,), time, price, amount, side, until, out)`."""
    records = [numba.types.Array(numba.from_dtype(x), 1, "C") for x in (BAR_RULE, BAR_SO_FAR)]
    numbers = numba.types.Array(float64, 1, "C", readonly=True)
    times = numba.types.Array(int64, 1, "C", readonly=True)
    finished = numba.types.Array(numba.from_dtype(FINISHED), 1, "C")
    return jit(_run, int64(*records, times, *[numbers] * 3, int64, finished))
