"""What units are worth, what trading them costs, and what the account can pay."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Kind
from alphalab.kernels._jit import jit

SPOT, LINEAR, INVERSE = (np.int64(x) for x in Kind)

ROUNDING = 1e-9  # part of a tick or a lot that is rounding
SUM_ERROR = 1e-14  # relative error of a sum of floats that are decimals: some forty ulps
MAX_STEPS = 64  # to the next smaller float, before a purchase is given up


@jit
def unit_of(kind, multiplier, price, rate):
    """Return what one unit of an instrument is worth, quote currency."""
    if kind == INVERSE:
        return multiplier / price * rate
    return price * multiplier * rate


@jit
def unit_value(instrument, price, rate):
    """Return what one unit is worth, quote currency."""
    return unit_of(instrument["kind"], instrument["multiplier"], price, rate)


@jit
def basis_at(kind, price, rate):
    """Return the number whose differences, times the scale, are profit."""
    if kind == SPOT:
        return price * rate
    return price if kind == LINEAR else -1.0 / price


@jit
def basis_of(instrument, price, rate):
    """Return the number whose differences, times the scale, are profit."""
    return basis_at(instrument["kind"], price, rate)


@jit
def profit_of(kind, multiplier, rate, basis, qty, price):
    """Return the profit of units held, from their average basis to a price."""
    gain = basis_at(kind, price, rate) - basis
    scale = multiplier if kind == SPOT else multiplier * rate
    return qty * gain * scale


@jit
def profit(instrument, position, qty, price):
    """Return the profit of units held, from their average basis to a price."""
    terms = instrument["kind"], instrument["multiplier"], position["rate"], position["basis"]
    return profit_of(*terms, qty, price)


@jit
def value_at(instrument, position, price):
    """Return what a position is worth at a price: its size, or the open profit of a contract."""
    qty = position["qty"]
    if qty == 0.0:
        return 0.0
    if instrument["kind"] == SPOT:
        return qty * unit_value(instrument, price, position["rate"])
    return profit(instrument, position, qty, price)


@jit
def unit_at_mark(books, j):
    """Return what one unit of asset j is worth at its mark."""
    position = books.positions[j]
    return unit_value(books.instruments[j], position["mark"], position["rate"])


@jit
def size(books, j):
    """Return what is held of asset j at the mark, quote currency, negative when short."""
    qty = books.positions[j]["qty"]
    return 0.0 if qty == 0.0 else qty * unit_at_mark(books, j)


@jit
def held_weight(books, j):
    """Return asset j's share of equity as it stands."""
    return size(books, j) / books.account["equity"]


@jit
def multiple(k, step, den):
    """Return k steps as the float nearest to their decimal; `den` makes the step a whole number."""
    return k * np.rint(step * den) / den if den > 0.0 else k * step


@jit
def on_tick(instrument, price, up):
    """Return the price on the next tick, at least one."""
    tick = instrument["tick"]
    if tick == 0.0:
        return price
    k = np.ceil(price / tick - ROUNDING) if up else np.floor(price / tick + ROUNDING)
    return multiple(max(k, 1.0), tick, instrument["tick_den"])


@jit
def nearest_tick(instrument, price):
    """Return a price that is a whole number of ticks but for rounding, without the rounding."""
    tick = instrument["tick"]
    return multiple(np.rint(price / tick), tick, instrument["tick_den"]) if tick > 0.0 else price


@jit
def whole_lots(instrument, qty):
    """Return the quantity rounded down to whole lots."""
    lot = instrument["lot"]
    if lot == 0.0:
        return qty
    return multiple(np.floor(qty / lot + ROUNDING), lot, instrument["lot_den"])


@jit
def nearest_lot(instrument, qty):
    """Return the whole number of lots that a quantity is nearest to."""
    lot = instrument["lot"]
    return multiple(np.rint(qty / lot), lot, instrument["lot_den"]) if lot > 0.0 else qty


@jit
def add_units(instrument, held, qty):
    """Return held + qty: 0 where only rounding is left, and on the grid of lots where it was."""
    total = held + qty
    if abs(total) <= ROUNDING * max(abs(held), abs(qty)):
        return 0.0
    lot = instrument["lot"]
    if lot == 0.0 or abs(total) < 0.5 * lot:
        return total
    lots = total / lot
    few_ulps = abs(lots - np.rint(lots)) <= max(ROUNDING, SUM_ERROR * abs(lots))
    return nearest_lot(instrument, total) if few_ulps else total


@jit
def is_whole(number, step):
    """Tell whether a number is a whole number of steps."""
    if step == 0.0:
        return True
    steps = number / step
    return abs(steps - np.rint(steps)) <= ROUNDING * max(abs(steps), 1.0)


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
    """Return the fee of a trade by its size, without what belongs to its order."""
    return qty * unit * rate + qty * rules["unit_fee"]


@jit
def order_fee(rules, order):
    """Return the fixed fee of an order that its next trade pays."""
    return rules["order_fee"] if order["filled"] == 0.0 else 0.0


@jit
def raw_fee(rules, order, qty, unit, rate):
    """Return the fee of an order's next trade, before its least and largest fee and rounding."""
    return trade_fee(rules, qty, unit, rate) + order_fee(rules, order)


@jit
def fee_of(rules, order, qty, unit, rate):
    """Return the fee of an order's next trade."""
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
    """Return the units that money buys, fees included."""
    money -= 0.5 * rules["fee_step"]  # that rounding may add
    qty = max(money - order_fee(rules, order), 0.0) / (unit * (1.0 + rate) + rules["unit_fee"])
    total = order["raw_fee"] + raw_fee(rules, order, qty, unit, rate)
    bound = min(max(total, rules["min_fee"]), rules["max_fee"])
    if bound != total:
        qty = max(money - max(bound - order["fee"], 0.0), 0.0) / unit
    return qty


@jit
def affordable(rules, order, cash, owed, unit, rate):
    """Return the largest quantity whose value and fee the cash pays, at least what is owed."""
    qty = max(spendable(rules, order, cash, unit, rate), owed)
    for _ in range(MAX_STEPS):
        if qty <= owed or qty * unit + fee_of(rules, order, qty, unit, rate) <= cash:
            return qty
        qty = np.nextafter(qty, owed)
    return owed


@jit
def margin_allows(books, j, o, owed, price, unit, rate):
    """Return the largest quantity of asset j that the margin allows at a price."""
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
