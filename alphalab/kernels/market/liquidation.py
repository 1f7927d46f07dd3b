"""A margin account whose equity no longer carries its positions is closed."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Path, Posting, Reason
from alphalab.kernels._jit import jit
from alphalab.kernels.market.books import PORTFOLIO, post, refuse
from alphalab.kernels.market.forced import cancel_all, force
from alphalab.kernels.market.matching import TAKER, known
from alphalab.kernels.market.money import INVERSE, fee_rate, trade_fee, unit_value, value_at

PESSIMISTIC, LIQUIDATED = np.int64(Path.PESSIMISTIC), np.int64(Reason.LIQUIDATED)
LIQUIDATION = np.int64(Posting.LIQUIDATION)

AT_MARK = np.float64(-1.0)  # in place of a share of the way


@jit
def price_on_the_way(books, row, j, way):
    """Return asset j's price a share of the way from its open to its worst, or its mark."""
    position = books.positions[j]
    if way == AT_MARK or not known(row, j):
        return position["mark"]
    start = row.open[j]
    worst = row.low[j] if position["qty"] > 0.0 else row.high[j]
    if way == 1.0 or worst == start:
        return worst
    if way == 0.0:
        return start
    if books.instruments[j]["kind"] == INVERSE:
        return 1.0 / (1.0 / start + way * (1.0 / worst - 1.0 / start))
    return start + way * (worst - start)


@jit
def equity_and_need(books, row, way):
    """Return equity and required equity a share of the way to the worst prices."""
    value = 0.0
    gross = 0.0
    for j in range(books.positions.size):
        position = books.positions[j]
        if position["qty"] != 0.0:
            instrument = books.instruments[j]
            price = price_on_the_way(books, row, j, way)
            value += value_at(instrument, position, price)
            gross += abs(position["qty"] * unit_value(instrument, price, position["rate"]))
    return books.account["cash"] + value, books.rules["maintenance"] * gross


@jit
def close_all(books, row, way):
    """Close every position a share of the way to the worst prices, and cancel every order."""
    for j in range(books.positions.size):
        cancel_all(books, j, LIQUIDATED)
    for j in range(books.positions.size):
        position = books.positions[j]
        held = position["qty"]
        if held == 0.0:
            continue
        price = price_on_the_way(books, row, j, way)
        unit = unit_value(books.instruments[j], price, position["rate"])
        fee = trade_fee(books.rules, abs(held), unit, fee_rate(books, j, TAKER))
        force(books, j, -held, price, fee, LIQUIDATED)
        position["out"] = 1
        share = books.rules["liquidation"]
        if share > 0.0:
            post(books, j, LIQUIDATION, -held, share, -(abs(held) * unit * share))


@jit
def liquidate(books, row):
    """Close everything if the margin does not last; returns whether it has."""
    if books.rules["path"] == PESSIMISTIC:
        equity0, need0 = equity_and_need(books, row, 0.0)
        equity1, need1 = equity_and_need(books, row, 1.0)
        before, after = equity0 - need0, equity1 - need1
        if after < 0.0:
            way = 0.0 if before <= 0.0 else min(before / (before - after), 1.0)
            equity = equity0 + way * (equity1 - equity0)
            need = need0 + way * (need1 - need0)
            refuse(books, PORTFOLIO, LIQUIDATED, equity, need)
            close_all(books, row, way)
            return True
    equity, need = equity_and_need(books, row, AT_MARK)
    if equity < need:
        refuse(books, PORTFOLIO, LIQUIDATED, equity, need)
        close_all(books, row, AT_MARK)
        return True
    return False
