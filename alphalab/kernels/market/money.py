"""Values of units and positions, fees, rounding to ticks and lots, and affordable quantities."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Kind
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.layout import BOOKS, FLOAT, INT, ORDER_RECORD

SPOT, LINEAR, INVERSE = (np.int64(x) for x in Kind)

ROUNDING = 1e-9  # a smaller part of a tick or a lot is a rounding error
DECIMAL_ERROR = 1e-14  # relative error of sums and ratios of decimals: about forty ulps
MOST_SLACK = 0.1  # of a tick or a lot
MAX_STEPS = 64  # steps to the next smaller float before `affordable` gives up


@jit
def unit_of(kind, multiplier, price, rate):
    """Return the value of one unit, quote currency."""
    if kind == INVERSE:
        return multiplier / price * rate
    return price * multiplier * rate


@jit
def unit_value(instrument, price, rate):
    """Return the value of one unit of an instrument, quote currency."""
    return unit_of(instrument["kind"], instrument["multiplier"], price, rate)


@jit
def basis_at(kind, price, rate):
    """Return the profit basis at a price: profit is qty * scale * (change of basis)."""
    if kind == SPOT:
        return price * rate
    return price if kind == LINEAR else -1.0 / price


@jit
def basis_of(instrument, price, rate):
    """Return the profit basis of an instrument at a price."""
    return basis_at(instrument["kind"], price, rate)


@jit
def profit_of(kind, multiplier, rate, basis, qty, price):
    """Return the profit of qty units from their average basis to a price, quote currency."""
    gain = basis_at(kind, price, rate) - basis
    scale = multiplier if kind == SPOT else multiplier * rate
    return qty * gain * scale


@jit
def profit(instrument, position, qty, price):
    """Return the profit of qty units of a position at a price, quote currency."""
    terms = instrument["kind"], instrument["multiplier"], position["rate"], position["basis"]
    return profit_of(*terms, qty, price)


@jit
def value_at(instrument, position, price):
    """Return the value of a position at a price; of a contract, its open profit."""
    qty = position["qty"]
    if qty == 0.0:
        return 0.0
    if instrument["kind"] == SPOT:
        return qty * unit_value(instrument, price, position["rate"])
    return profit(instrument, position, qty, price)


@jit
def unit_at_mark(books, j):
    """Return the value of one unit of asset j at its mark, quote currency."""
    position = books.positions[j]
    return unit_value(books.instruments[j], position["mark"], position["rate"])


@jit
def size(books, j):
    """Return the size of asset j's position at its mark, quote currency, negative when short."""
    qty = books.positions[j]["qty"]
    return 0.0 if qty == 0.0 else qty * unit_at_mark(books, j)


@jit
def held_weight(books, j):
    """Return the weight of asset j as held: its size over equity."""
    return size(books, j) / books.account["equity"]


@jit
def multiple(k, step, den):
    """Return k * step as the nearest float to the decimal; step * den is a whole number."""
    return k * np.rint(step * den) / den if den > 0.0 else k * step


@jit
def slack(steps):
    """Return by how much a number of ticks or lots may miss a whole number through rounding."""
    return min(max(ROUNDING, DECIMAL_ERROR * abs(steps)), MOST_SLACK)


@jit
def on_tick(instrument, price, up):
    """Return the price rounded up or down to a tick, at least one tick."""
    tick = instrument["tick"]
    if tick == 0.0:
        return price
    ticks = price / tick
    k = np.ceil(ticks - slack(ticks)) if up else np.floor(ticks + slack(ticks))
    return multiple(max(k, 1.0), tick, instrument["tick_den"])


@jit
def nearest_tick(instrument, price):
    """Return a price rounded to the nearest tick."""
    tick = instrument["tick"]
    return multiple(np.rint(price / tick), tick, instrument["tick_den"]) if tick > 0.0 else price


@jit
def whole_lots(instrument, qty):
    """Return the quantity rounded down to whole lots, units."""
    lot = instrument["lot"]
    if lot == 0.0:
        return qty
    lots = qty / lot
    return multiple(np.floor(lots + slack(lots)), lot, instrument["lot_den"])


@jit
def nearest_lot(instrument, qty):
    """Return the quantity rounded to the nearest lot, units."""
    lot = instrument["lot"]
    return multiple(np.rint(qty / lot), lot, instrument["lot_den"]) if lot > 0.0 else qty


@jit
def is_whole(number, step):
    """Return True if a number is a whole number of steps."""
    if step == 0.0:
        return True
    steps = number / step
    return abs(steps - np.rint(steps)) <= slack(steps)


@jit
def add_units(instrument, held, qty):
    """Return held + qty without rounding errors: 0, or whole lots, if it is that close."""
    total = held + qty
    larger = max(abs(held), abs(qty))
    lot = instrument["lot"]
    if lot == 0.0:
        return 0.0 if abs(total) <= ROUNDING * larger else total
    k = np.rint(total / lot)
    if abs(total / lot - k) > slack(larger / lot):
        return total
    return nearest_lot(instrument, total) if k != 0.0 else 0.0


@jit
def is_flat(books, j, qty):
    """Return True if `qty` units of asset j are no position that an order could close.

    Where orders are sized at the decision, less than a lot is none: no venue takes such an order.
    """
    if books.rules["at_decision"] == 1:
        return whole_lots(books.instruments[j], abs(qty)) == 0.0
    return qty == 0.0


@jit
def fee_rate(books, j, maker):
    """Return the fee in force as a fraction of the traded value."""
    if books.tiers.size > 0:
        tier = books.tiers[books.account["tier"]]
        return tier["maker"] if maker else tier["taker"]
    instrument = books.instruments[j]
    return instrument["maker"] if maker else instrument["taker"]


@jit
def trade_fee(rules, qty, unit, rate):
    """Return the fee of a trade by value and units, without the fees per order."""
    return qty * unit * rate + qty * rules["unit_fee"]


@jit
def order_fee(rules, order):
    """Return the fixed fee of an order: its first trade pays it."""
    return rules["order_fee"] if order["filled"] == 0.0 else 0.0


@jit
def raw_fee(rules, order, qty, unit, rate):
    """Return the fee of an order's next trade, before minimum, maximum and rounding."""
    return trade_fee(rules, qty, unit, rate) + order_fee(rules, order)


@jit
def fee_of(rules, order, qty, unit, rate):
    """Return the fee of an order's next trade, quote currency."""
    fee = raw_fee(rules, order, qty, unit, rate)
    least, most = rules["min_fee"], rules["max_fee"]
    if least > -np.inf or most < np.inf:
        fee = min(max(order["raw_fee"] + fee, least), most) - order["fee"]
    step = rules["fee_step"]
    if step > 0.0:
        return multiple(np.floor(fee / step + 0.5 + ROUNDING), step, rules["fee_den"])
    return fee


@jit
def spendable(rules, order, money, unit, rate):
    """Return the units that an amount of money buys, fees included."""
    money -= 0.5 * rules["fee_step"]  # rounding the fee may add this
    qty = max(money - order_fee(rules, order), 0.0) / (unit * (1.0 + rate) + rules["unit_fee"])
    total = order["raw_fee"] + raw_fee(rules, order, qty, unit, rate)
    bound = min(max(total, rules["min_fee"]), rules["max_fee"])
    if bound != total:
        qty = max(money - max(bound - order["fee"], 0.0), 0.0) / unit
    return qty


@jit
def affordable(rules, order, cash, owed, unit, rate):
    """Return the largest quantity whose value and fee the cash pays, at least `owed`."""
    qty = max(spendable(rules, order, cash, unit, rate), owed)
    for _ in range(MAX_STEPS):
        if qty <= owed or qty * unit + fee_of(rules, order, qty, unit, rate) <= cash:
            return qty
        qty = np.nextafter(qty, owed)
    return owed


@jit_late(FLOAT(BOOKS, INT, ORDER_RECORD, FLOAT, FLOAT, FLOAT, FLOAT))
def margin_allows(books, j, o, owed, price, unit, rate):
    """Return the largest quantity of asset j that the initial margin allows, at least `owed`."""
    rules = books.rules
    equity = books.account["cash"] - order_fee(rules, o)
    gross = 0.0
    for i in range(books.positions.size):
        position = books.positions[i]
        if i == j:
            equity += value_at(books.instruments[i], position, price)
        else:
            equity += value_at(books.instruments[i], position, position["mark"])
            gross += abs(size(books, i))
    gross += (abs(books.positions[j]["qty"]) - owed) * unit
    more = (equity - rules["initial"] * gross) / (
        unit * (rules["initial"] + rate) + rules["unit_fee"]
    )
    return owed + max(more, 0.0)
