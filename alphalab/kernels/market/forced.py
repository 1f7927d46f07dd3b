"""Trades by the venue, without an order of the strategy.

The venue books the holdings at the start, closes positions in delisted assets, and pays cash for
the fraction of a lot that a split leaves. `liquidation.py` closes all positions of an account.
"""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, OrderType, Origin, Reason
from alphalab.kernels._jit import jit, jit_apart, jit_late
from alphalab.kernels.market.books import FREE, NO_REASON, ROUNDING, row_of, tell
from alphalab.kernels.market.exits import drop_idle, place_exits
from alphalab.kernels.market.fills import book_trade
from alphalab.kernels.market.layout import BARS, BOOKS, INT, VOID
from alphalab.kernels.market.money import unit_value, whole_lots
from alphalab.kernels.market.order_table import free

MARKET, VENUE = np.int64(OrderType.MARKET), np.int64(Origin.VENUE)
SUBMITTED, FILLED = np.int64(OrderStatus.SUBMITTED), np.int64(OrderStatus.FILLED)
CANCELLED = np.int64(OrderStatus.CANCELLED)
HELD_BEFORE, DELISTED = np.int64(Reason.HELD_BEFORE), np.int64(Reason.DELISTED)
CASH_IN_LIEU = np.int64(Reason.CASH_IN_LIEU)


@jit
def force(books, j, qty, price, fee, reason):
    """Trade units of asset j at a price, by an order of the venue that fills at once."""
    account = books.account
    account["n_orders"] += 1
    o = books.saved_orders[0]
    o["id"] = account["n_orders"]
    o["origin"] = VENUE
    o["type"] = MARKET
    o["side"] = np.int64(np.sign(qty))
    o["qty"] = np.nan
    o["filled"] = 0.0
    o["limit"] = np.nan
    o["stop"] = np.nan
    o["logged"] = 1
    tell(books, j, o, SUBMITTED, NO_REASON)
    unit = unit_value(books.instruments[j], price, books.positions[j]["rate"])
    book_trade(books, j, o["id"], account["row"], qty, price, unit, fee)
    o["filled"] = abs(qty)
    tell(books, j, o, FILLED, reason)


@jit
def cancel_all(books, j, reason):
    """Cancel every order of asset j."""
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != FREE:
            free(books, o)
            tell(books, j, o, CANCELLED, reason)


@jit_late(VOID(BOOKS))
def take_over(books):
    """Book the holdings at the start as fills; the initial cash includes their cost."""
    for j in range(books.positions.size):
        start = books.starts[j]
        if start["qty"] != 0.0:
            force(books, j, start["qty"], start["price"], 0.0, HELD_BEFORE)
            if books.rules["exits"] == 1:
                place_exits(books, j, start["price"])
    books.account["turnover"] = books.traded[0] = 0.0  # the holdings are no turnover


@jit_late(VOID(BOOKS, BARS, INT))
def close_delisted(books, bars, t):
    """Close positions in delisted assets at the delisting price."""
    paid = row_of(bars, t).delisting
    for j in range(books.positions.size):
        if paid[j] == paid[j]:
            cancel_all(books, j, DELISTED)
            held = books.positions[j]["qty"]
            if held != 0.0:
                force(books, j, -held, paid[j], 0.0, DELISTED)


@jit_late(VOID(BOOKS, BARS, INT))
def forget_delisted(books, bars, t):
    """Set the mark of delisted assets to NaN: no order is made without a mark."""
    paid = row_of(bars, t).delisting
    for j in range(books.positions.size):
        if paid[j] == paid[j]:
            books.positions[j]["mark"] = np.nan


@jit_apart
def pay_fraction(books, j):
    """Close the fraction of a lot that a split left, at the mark (cash in lieu)."""
    position = books.positions[j]
    held = position["qty"]
    whole = whole_lots(books.instruments[j], abs(held))
    rest = abs(held) - whole
    if rest > ROUNDING * abs(held):
        side = 1.0 if held > 0.0 else -1.0
        qty = -held if whole == 0.0 else -side * rest
        force(books, j, qty, position["mark"], 0.0, CASH_IN_LIEU)
        if books.orders.shape[1] > 1:
            drop_idle(books, j)
