"""Execution of an order at a price: its quantity, its fill price, and the booking."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, Origin, Quotes, Reason, Sizing, TimeInForce
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import (
    N_FILLS,
    NO_REASON,
    ROUNDING,
    leave_due,
    refuse,
    refuse_once,
    tell,
    tell_held_back,
)
from alphalab.kernels.market.exits import after_trade
from alphalab.kernels.market.layout import BOOKS, BOOL, FLOAT, INT, VOID
from alphalab.kernels.market.money import (
    SPOT,
    add_units,
    affordable,
    basis_of,
    fee_of,
    fee_rate,
    is_flat,
    margin_allows,
    on_tick,
    profit,
    raw_fee,
    spendable,
    unit_value,
    whole_lots,
)
from alphalab.kernels.market.order_table import end, free
from alphalab.types import NEVER

QTY, BUY_VALUE, SELL_QTY, CLOSE, SELL_VALUE = (np.int64(x) for x in Sizing)
TARGET = np.int64(Origin.TARGET)
FOK = np.int64(TimeInForce.FOK)
BOTH, ASK, BID = np.int64(Quotes.BOTH), np.int64(Quotes.ASK), np.int64(Quotes.BID)
PARTIALLY_FILLED = np.int64(OrderStatus.PARTIALLY_FILLED)
FILLED = np.int64(OrderStatus.FILLED)
CANCELLED = np.int64(OrderStatus.CANCELLED)
REFUSED = np.int64(OrderStatus.REFUSED)
MIN_VALUE, LOT = np.int64(Reason.MIN_VALUE), np.int64(Reason.LOT)
CASH, MARGIN = np.int64(Reason.CASH), np.int64(Reason.MARGIN)
NOTHING_TO_REDUCE = np.int64(Reason.NOTHING_TO_REDUCE)
FILL_OR_KILL = np.int64(Reason.FILL_OR_KILL)


@jit
def priced(instrument, o, x, friction):
    """Return the fill price at reference price x: with friction, never beyond the limit."""
    side = o["side"]
    price = x * (1.0 + side * friction)
    if friction > 0.0:
        price = on_tick(instrument, price, side > 0)
    limit = o["limit"]
    if limit == limit:
        price = min(price, limit) if side > 0 else max(price, limit)
    return price


@jit
def units_asked(rules, instrument, o, held, unit, rate):
    """Return the units that an order asks for."""
    sizing = o["sizing"]
    if sizing == BUY_VALUE:
        return spendable(rules, o, o["value"], unit, rate)
    if sizing == CLOSE:
        return whole_lots(instrument, abs(held)) if rules["at_decision"] == 1 else abs(held)
    if sizing == SELL_VALUE:
        qty = max(-o["value"], 0.0) / unit
        return min(qty, abs(held)) if o["reduce_only"] == 1 else qty
    if o["reduce_only"] == 0 or o["qty"] <= abs(held):
        return o["qty"]
    return whole_lots(instrument, abs(held)) if rules["at_decision"] == 1 else abs(held)


@jit
def friction_of(books, j, side):
    """Return a taker's friction without impact, fraction of the price; NaN before any quote."""
    rules = books.rules
    friction = rules["slippage"]
    quotes = rules["quotes"]
    if side > 0 and quotes in (BOTH, ASK):
        friction += books.positions[j]["over"]
    elif side < 0 and quotes in (BOTH, BID):
        friction += books.positions[j]["under"]
    return friction


@jit
def with_impact(rules, friction, qty, room, volume):
    """Return the friction plus market impact; earlier orders have used part of the volume."""
    used = rules["participation"] * volume - room
    share = (used + min(qty, room)) / volume
    return friction + rules["share_impact"] * share * share + rules["root_impact"] * np.sqrt(share)


@jit
def money_allows(books, j, o, owed, price, unit, rate):
    """Return the largest quantity the account can pay for, at least `owed` (which reduces)."""
    account = books.account
    if books.rules["margin"] == 1 or books.instruments[j]["kind"] != SPOT:
        return margin_allows(books, j, o, owed, price, unit, rate)
    if o["side"] > 0:
        return affordable(books.rules, o, account["cash"], owed, unit, rate)
    return np.inf


@jit
def refuse_order(books, j, o, reason, asked):
    """End an order that cannot trade at all."""
    if o["origin"] == TARGET:
        leave_due(books.positions[j])
        if refuse_once(books, j, reason, asked):
            end(books, j, o, REFUSED, reason)
        else:
            free(books, o)
        return
    refuse(books, j, reason, asked, 0.0)
    end(books, j, o, REFUSED, reason)


@jit
def book_trade(books, j, order, order_row, qty, price, unit, fee):
    """Book one execution: cash, fee, averages, realised profit."""
    account = books.account
    position = books.positions[j]
    instrument = books.instruments[j]
    rate = position["rate"]
    value = qty * unit
    held = position["qty"]
    after = add_units(instrument, held, qty)
    realised = 0.0
    if held * qty < 0.0:
        closed = min(abs(qty), abs(held))
        realised = profit(instrument, position, closed * np.sign(held), price)
    if after == 0.0:
        position["entry_price"] = np.nan
        position["basis"] = np.nan
        position["entry_row"] = -1
        position["entry_time"] = NEVER
    elif held == 0.0 or held * after < 0.0:
        position["entry_price"] = price
        position["basis"] = basis_of(instrument, price, rate)
        position["entry_row"] = account["row"]
        position["entry_time"] = account["time"]
    elif held * qty > 0.0:
        basis = basis_of(instrument, price, rate)
        position["entry_price"] = (held * position["entry_price"] + qty * price) / after
        position["basis"] = (held * position["basis"] + qty * basis) / after
    position["qty"] = after
    account["cash"] -= (value if instrument["kind"] == SPOT else -realised) + fee
    account["realised"] += realised
    account["fees"] += fee
    account["turnover"] += abs(value)
    if books.tiers.size > 0:
        books.traded[0] += abs(value)
    f = books.fills[books.counts[N_FILLS]]
    f["row"] = account["row"]
    f["time"] = account["time"]
    f["asset"] = j
    f["order"] = order
    f["order_row"] = order_row
    f["qty"] = qty
    f["price"] = price
    f["fee"] = fee
    f["realised"] = realised
    position["refusal"] = 0
    books.counts[N_FILLS] += 1


@jit
def pays_in_coin(books, j, o):
    """Return True if the fee of a purchase is taken from the units bought."""
    return books.rules["coin_fee"] == 1 and o["side"] > 0 and books.instruments[j]["kind"] == SPOT


@jit
def trade(books, j, k, qty, price, unit, rate, whole, reason):
    """Fill `qty` units of an order, with the fee that follows from the rules."""
    o = books.orders[j, k]
    raw = raw_fee(books.rules, o, qty, unit, rate)
    units, fee = qty, fee_of(books.rules, o, qty, unit, rate)
    if pays_in_coin(books, j, o):
        units = qty - qty * rate
        fee = qty * unit - units * unit
    o["raw_fee"] += raw
    book_fill(books, j, k, units, qty, price, unit, fee, whole, reason)


@jit
def book_fill(books, j, k, units, qty, price, unit, fee, whole, reason):
    """Book a fill of `qty` units of an order and its consequences.

    The account receives or gives `units`, which differ from `qty` by a fee that is paid in units.
    `whole`: the order is complete.
    """
    o = books.orders[j, k]
    if o["logged"] == 0:
        tell_held_back(books.events, books.counts, j, o)
    o["fee"] += fee
    held = books.positions[j]["qty"]
    book_trade(books, j, o["id"], o["row"], units * o["side"], price, unit, fee)
    instrument = books.instruments[j]
    o["filled"] = add_units(instrument, o["filled"], qty)
    if o["sizing"] == BUY_VALUE:
        o["value"] -= units * unit + fee
    elif o["sizing"] == SELL_VALUE:
        o["value"] += qty * unit
    elif o["sizing"] != CLOSE:
        o["qty"] = add_units(instrument, o["qty"], -qty)
    if whole:
        end(books, j, o, FILLED, reason)
    else:
        o["spent_row"] = books.account["row"]
        tell(books, j, o, PARTIALLY_FILLED, reason)
    if books.orders.shape[1] > 1:
        after_trade(books, j, k, held, price)


@jit_late(VOID(BOOKS, FLOAT, INT, INT, FLOAT, BOOL))
def execute(books, volume, j, k, x, maker):
    """Trade as much of an order as money, lots and volume allow, at reference price x."""
    o = books.orders[j, k]
    rules = books.rules
    position = books.positions[j]
    instrument = books.instruments[j]
    held = position["qty"]
    side = o["side"]
    if o["reduce_only"] == 1 and (held * side >= 0.0 or is_flat(books, j, held)):
        end(books, j, o, CANCELLED, NOTHING_TO_REDUCE)
        return
    room = position["room"]
    if not room > 0.0:
        o["spent_row"] = books.account["row"]
        return
    friction = 0.0 if maker else friction_of(books, j, side)
    if np.isnan(friction):
        o["spent_row"] = books.account["row"]
        return
    fee = fee_rate(books, j, maker)
    rate = 0.0 if pays_in_coin(books, j, o) else fee  # fee rate that cash pays
    price = priced(instrument, o, x, friction)
    unit = unit_value(instrument, price, position["rate"])
    asked = units_asked(rules, instrument, o, held, unit, rate)
    if not maker and (rules["share_impact"] > 0.0 or rules["root_impact"] > 0.0):
        friction = with_impact(rules, friction, asked, room, volume)
        price = priced(instrument, o, x, friction)
        unit = unit_value(instrument, price, position["rate"])
        asked = units_asked(rules, instrument, o, held, unit, rate)
    sizing = o["sizing"]
    reduces = max(-side * held, 0.0)
    owed = asked if asked <= reduces * (1.0 + ROUNDING) else reduces
    most = money_allows(books, j, o, owed, price, unit, rate)
    by_cash = rules["margin"] == 0 and instrument["kind"] == SPOT
    short_of = NO_REASON
    if asked > most * (1.0 + ROUNDING):
        short_of = CASH if by_cash else MARGIN
        if sizing == QTY:
            refuse_order(books, j, o, short_of, asked * unit * (1.0 + rate if by_cash else 1.0))
            return
    sent = rules["at_decision"] == 1  # the order has been checked before it was sent
    exact = sent and o["origin"] == TARGET and short_of == NO_REASON
    qty = asked if exact else min(asked, most)
    if sizing in (BUY_VALUE, SELL_QTY, SELL_VALUE):
        qty = whole_lots(instrument, qty)
        if qty > most:  # rounding up to a lot costs more than the cash allows
            qty = whole_lots(instrument, qty - 0.5 * instrument["lot"])
    wanted = o["value"] if sizing == BUY_VALUE else asked * unit
    if qty <= 0.0:
        if short_of != NO_REASON:
            refuse_order(books, j, o, short_of, wanted)
        else:
            refuse_order(books, j, o, LOT, asked)
        return
    small = qty * unit < instrument["min_value"] and not sent
    if small and o["origin"] == TARGET and o["filled"] == 0.0:
        refuse_order(books, j, o, MIN_VALUE, qty * unit)
        return
    whole = True
    if qty > room * (1.0 + ROUNDING):
        if o["tif"] == FOK:
            end(books, j, o, CANCELLED, FILL_OR_KILL)
            return
        qty = whole_lots(instrument, room)
        whole = False
        if qty <= 0.0:
            o["spent_row"] = books.account["row"]
            return
    if short_of != NO_REASON:
        paid = qty * unit
        if by_cash:
            paid += 0.0 if pays_in_coin(books, j, o) else fee_of(rules, o, qty, unit, fee)
        refuse(books, j, short_of, wanted, paid)
    position["room"] = max(room - qty, 0.0)
    trade(books, j, k, qty, price, unit, fee, whole, short_of)
