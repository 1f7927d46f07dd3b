"""Postings, the account changes without a trade: splits, dividends, funding, borrow, interest."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Actions, Posting
from alphalab.kernels._jit import jit, jit_apart, jit_late
from alphalab.kernels.market.books import FREE, PORTFOLIO, log_posting, post, row_of
from alphalab.kernels.market.forced import pay_fraction
from alphalab.kernels.market.layout import BARS, BOOKS, INT, VOID
from alphalab.kernels.market.money import SPOT, basis_of, size

FUNDING, BORROW, LOAN, INTEREST = (
    np.int64(Posting.FUNDING),
    np.int64(Posting.BORROW),
    np.int64(Posting.LOAN),
    np.int64(Posting.INTEREST),
)
DIVIDEND, REINVESTMENT, SPLIT = (
    np.int64(Posting.DIVIDEND),
    np.int64(Posting.REINVESTMENT),
    np.int64(Posting.SPLIT),
)
NONE, REINVEST = np.int64(Actions.NONE), np.int64(Actions.REINVEST)

DAYS = 30  # length of the window of traded value that selects the fee tier


@jit
def post_amount(books, asset, kind, qty, rate, amount):
    """Log and book an amount, unless it is 0."""
    if amount != 0.0:
        post(books, asset, kind, qty, rate, amount)


@jit_apart
def split(books, j, ratio):
    """Rescale a position and its orders at a split: units times `ratio`, prices divided by it."""
    position = books.positions[j]
    before = position["qty"]
    position["qty"] = before * ratio
    position["mark"] /= ratio
    position["entry_price"] /= ratio
    position["basis"] /= ratio
    position["stop_distance"] /= ratio
    position["profit_distance"] /= ratio
    position["trailing_distance"] /= ratio
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != FREE:
            o["qty"] *= ratio
            o["limit"] /= ratio
            o["stop"] /= ratio
            o["trail"] /= ratio
            o["best"] /= ratio
            o["starts_at"] /= ratio
    if before != 0.0:
        post(books, j, SPLIT, position["qty"] - before, ratio, 0.0)
        if books.rules["in_lieu"] == 1 and books.rules["external"] == 0:
            pay_fraction(books, j)


@jit
def reinvest(books, j, extra, price, amount):
    """Book units that a dividend bought at a price; `amount` of cash came, below 0: was paid."""
    position = books.positions[j]
    qty = position["qty"]
    basis = basis_of(books.instruments[j], price, position["rate"])
    after = qty + extra
    position["entry_price"] = (qty * position["entry_price"] + extra * price) / after
    position["basis"] = (qty * position["basis"] + extra * basis) / after
    position["qty"] = after
    log_posting(books, j, REINVESTMENT, extra, price, amount)


@jit_apart
def pay_dividend(books, j, dividend):
    """Book a dividend: income for a long position, cost for a short one."""
    position = books.positions[j]
    instrument = books.instruments[j]
    qty = position["qty"]
    amount = qty * dividend * instrument["multiplier"] * position["rate"]
    post(books, j, DIVIDEND, qty, dividend, amount)
    price = position["mark"] - dividend
    if books.rules["actions"] == REINVEST and qty > 0.0 and price > 0.0:
        reinvest(books, j, qty * dividend / price, price, -amount)


@jit
def take_rates(books, row):
    """Store the conversion rates of the row; NaN keeps the last known rate."""
    for j in range(books.positions.size):
        if row.rate[j] == row.rate[j]:
            books.positions[j]["rate"] = row.rate[j]


@jit
def post_daily(books, days):
    """Post borrow fees, loan interest and interest on cash for a number of days."""
    account, rules = books.account, books.rules
    short = 0.0
    for j in range(books.positions.size):
        position = books.positions[j]
        if books.instruments[j]["kind"] == SPOT and position["qty"] < 0.0:
            short += size(books, j)
            amount = size(books, j) * rules["borrow"] * days
            post_amount(books, j, BORROW, position["qty"], rules["borrow"], amount)
    if account["cash"] < 0.0:
        amount = account["cash"] * rules["loan"] * days
        post_amount(books, PORTFOLIO, LOAN, account["cash"], rules["loan"], amount)
    elif account["cash"] + short > 0.0:
        amount = (account["cash"] + short) * rules["interest"] * days
        post_amount(books, PORTFOLIO, INTEREST, account["cash"] + short, rules["interest"], amount)


@jit_late(VOID(BOOKS, BARS, INT, INT))
def post_due(books, bars, t, days):
    """Post everything due since the previous row; `days`: UTC days that have passed."""
    rules = books.rules
    row = row_of(bars, t)
    if rules["converts"] == 1:
        take_rates(books, row)
    if rules["actions"] != NONE:
        for j in range(books.positions.size):
            ratio = row.split[j]
            if ratio == ratio and ratio != 1.0:
                split(books, j, ratio)
        for j in range(books.positions.size):
            dividend = row.dividend[j]
            if dividend == dividend and dividend != 0.0 and books.positions[j]["qty"] != 0.0:
                pay_dividend(books, j, dividend)
    if rules["funds"] == 1:
        for j in range(books.positions.size):
            rate = row.funding[j]
            position = books.positions[j]
            if rate == rate and position["qty"] != 0.0:
                amount = -(size(books, j) * rate)
                post_amount(books, j, FUNDING, position["qty"], rate, amount)
    if days > 0 and rules["daily"] == 1:
        post_daily(books, days)


@jit_late(VOID(BOOKS, INT))
def turn_tiers(books, days):
    """Shift the traded values by `days`, and select the fee tier for the last 30 days."""
    traded = books.traded
    for i in range(traded.size - 1, -1, -1):
        traded[i] = traded[i - days] if i >= days else 0.0
    total = 0.0
    for i in range(1, DAYS + 1):
        total += traded[i]
    account = books.account
    account["tier"] = 0
    for i in range(books.tiers.size):
        if books.tiers[i]["value"] <= total:
            account["tier"] = i
