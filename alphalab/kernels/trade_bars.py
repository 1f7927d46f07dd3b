"""From trades to bars, one trade at a time: the state holds the unfinished bar.

A bar ends when it is full and the next trade has a later time: trades of one time stay in one bar.
Imbalance bars follow M. Lopez de Prado, Advances in Financial Machine Learning (2018),
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
    """The quantity that fills a bar."""

    TIME = 0
    TICK = 1
    VOLUME = 2
    DOLLAR = 3
    TICK_IMBALANCE = 4
    VOLUME_IMBALANCE = 5
    DOLLAR_IMBALANCE = 6


#: The rule that ends a bar.
BAR_RULE = np.dtype(
    [
        ("by", "i8"),  # a By code
        ("size", "f8"),  # trades, units or value of a bar; imbalance: trades of the first bar
        ("step", "i8"),  # length of a time window, ns
        ("shift", "i8"),  # offset of the time windows from multiples since 1970, ns
        ("span_bars", "f8"),  # span of the mean number of trades in a bar, bars
        ("span_trades", "f8"),  # span of the mean imbalance of a trade, trades
        ("least", "f8"),  # fewest trades of an imbalance bar
        ("most", "f8"),  # most trades of an imbalance bar
    ]
)

#: The unfinished bar, and its expected trades and imbalance.
BAR_SO_FAR = np.dtype(
    [
        ("time", "i8"),  # time of the last trade, ns UTC
        ("until", "i8"),  # no trade comes before this time, ns UTC
        ("end", "i8"),  # end of the time window, ns UTC
        ("n", "i8"),  # number of trades; 0: the bar has not begun
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),  # units
        ("bought", "f8"),  # units of trades that a buyer initiated; NaN: a side is unknown
        ("value", "f8"),  # sum of price times units
        ("imbalance", "f8"),  # theta: sum of signs, of signed units or of signed values
        ("price", "f8"),  # price of the last trade; 0: no trade yet
        ("sign", "f8"),  # sign of the last trade: 1 bought, -1 sold, 0 unknown
        ("n_signed", "f8"),  # trades in `mean`, the expected imbalance
        ("mean", "f8"),  # expected imbalance of a trade
        ("expected", "f8"),  # expected trades in a bar
        ("enough", "f8"),  # imbalance that ends this bar; NaN in the first bar
    ]
)

#: A finished bar.
FINISHED = np.dtype(
    [
        ("time", "i8"),  # ns UTC: end of the time window, or time of the last trade
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

# Tolerance of a full bar: the binary sum of ten trades of 0.1 is below 1.
NEARLY = 1.0 - 1e-12


@jit
def is_full(rule, bar, time):
    """Return True if a bar ends before a trade of a later time."""
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
    """Return True if the bar ends, given that no trade comes before `time`."""
    return bar["n"] > 0 and time > bar["time"] and is_full(rule, bar, time)


@jit
def finish(rule, bar, out):
    """Write the finished bar, and update what is expected of the next one."""
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
    """Add a trade to the bar. A side of 0 is unknown: the tick rule then gives the sign."""
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
    """Push trades, then move the clock to `until`; return the number of finished bars.

    Each trade finishes at most one bar, and so does the clock.
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
