"""Waiting orders meet a row's prices: size, cash, fee, average entry price."""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.kernels.books import (
    BUY_VALUE,
    CASH,
    CLOSE,
    LOT,
    MIN_VALUE,
    N_FILLS,
    NONE,
    ROUNDING,
    SELL_QTY,
    refuse,
    refuse_order,
)

MAX_ROUNDING = 64  # steps to the next smaller float, before a purchase is given up


@jit
def whole_lots(qty, lot):
    """Return the quantity rounded down to whole lots."""
    return np.floor(qty / lot + ROUNDING) * lot if lot > 0.0 else qty


@jit
def affordable(cash, owed, unit, fee):
    """Return the largest quantity whose value and fee the cash pays, at least what is owed."""
    qty = max(cash / (unit * (1.0 + fee)), owed)
    for _ in range(MAX_ROUNDING):
        if qty <= owed or qty * unit + qty * unit * fee <= cash:
            return qty
        qty = np.nextafter(qty, owed)
    return owed


@jit
def order_size(position, instrument, cash, unit):
    """Return the waiting order's quantity at this price: (asked, paid for, in whole lots), signed.

    `unit` is what one unit is worth: price times multiplier.
    """
    order = position["order"]
    held = position["qty"]
    lot = instrument["lot"]
    if order == CLOSE:
        return -held, -held, -held
    if order == SELL_QTY:
        asked = position["order_qty"]
        return -asked, -asked, -whole_lots(asked, lot)
    fee = instrument["fee"]
    asked = position["order_value"] / (unit * (1.0 + fee))
    # What covers a short is owed and bought whatever it costs; only what goes beyond needs cash.
    owed = min(max(-held, 0.0), asked)
    limit = affordable(cash, owed, unit, fee)
    paid = min(asked, limit)
    qty = whole_lots(paid, lot)
    if qty > limit:  # a lot that is reached but for rounding still has to be paid
        qty = min(qty - lot, limit)
    return asked, paid, qty


@jit
def trade(books, j, qty, price):
    """Book one execution: cash, fee, average entry price, realised profit."""
    account = books.account
    position = books.positions[j]
    multiplier = books.instruments[j]["multiplier"]
    # The product in this order is the one that `affordable` has compared with the cash.
    value = qty * (price * multiplier)
    fee = abs(value) * books.instruments[j]["fee"]
    held = position["qty"]
    after = held + qty
    realised = 0.0
    if held * qty < 0.0:
        closed = min(abs(qty), abs(held))
        realised = closed * (price - position["entry_price"]) * np.sign(held) * multiplier
    if after == 0.0:
        position["entry_price"] = np.nan
        position["entry_row"] = -1
    elif held == 0.0 or held * after < 0.0:
        position["entry_price"] = price
        position["entry_row"] = account["row"]
    elif held * qty > 0.0:
        position["entry_price"] = (held * position["entry_price"] + qty * price) / after
    position["qty"] = after
    account["cash"] -= value + fee
    account["realised"] += realised
    account["fees"] += fee
    account["turnover"] += abs(value)
    f = books.fills[books.counts[N_FILLS]]
    f["row"] = account["row"]
    f["time"] = account["time"]
    f["asset"] = j
    f["order_row"] = position["order_row"]
    f["qty"] = qty
    f["price"] = price
    f["fee"] = fee
    f["realised"] = realised
    position["refusal"] = 0
    books.counts[N_FILLS] += 1


@jit
def is_purchase(position):
    """Tell whether the waiting order buys."""
    order = position["order"]
    return order == BUY_VALUE or (order == CLOSE and position["qty"] < 0.0)


@jit
def fill_orders(books, prices):
    """Fill what waits, sales first (they free cash), then purchases, each in symbol order.

    An order for an asset without a price in this row goes on waiting.
    """
    for purchases in (False, True):
        for j in range(prices.size):
            position = books.positions[j]
            if (
                position["order"] == NONE
                or np.isnan(prices[j])
                or is_purchase(position) != purchases
            ):
                continue
            instrument = books.instruments[j]
            unit = prices[j] * instrument["multiplier"]
            asked, affords, qty = order_size(position, instrument, books.account["cash"], unit)
            value = abs(qty) * unit
            short_of_cash = abs(asked) > abs(affords) * (1.0 + ROUNDING)
            if qty == 0.0:
                if short_of_cash:
                    refuse_order(books, j, CASH, position["order_value"])
                else:
                    refuse_order(books, j, LOT, abs(asked))
            elif value < instrument["min_value"]:
                refuse_order(books, j, MIN_VALUE, value)
            else:
                if short_of_cash:
                    paid = value * (1.0 + instrument["fee"])
                    refuse(books, j, CASH, position["order_value"], paid)
                trade(books, j, qty, prices[j])
            position["order"] = NONE
            books.account["waiting"] -= 1
