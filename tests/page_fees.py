"""Section 4 of docs/market.md: fees, and how many units money buys with them."""

from __future__ import annotations

import math

from page_assets import steps
from page_books import Account
from page_orders import Order


def is_coin_fee(a: Account, order: Order) -> bool:
    """True if the fee is taken from the units that come."""
    is_purchase = order.side > 0 and a.instruments[order.asset].kind == "spot"
    return a.settings.costs.fee_in == "coin" and is_purchase


def fixed_fee(a: Account, order: Order) -> float:
    """The order's fixed fee, if it is still to be paid."""
    return 0.0 if order.filled else a.settings.costs.fee_per_order


def bound_of(a: Account, raw: float) -> float:
    """The fee of a whole order: at least the least (0: there is none), at most the largest."""
    costs = a.settings.costs
    fee = max(raw, costs.min_fee) if costs.min_fee else raw
    return fee if costs.max_fee is None else min(fee, costs.max_fee)


def is_bounded(a: Account) -> bool:
    return a.settings.costs.min_fee > 0 or a.settings.costs.max_fee is not None


def raw_fee(a: Account, order: Order, q: float, u: float, rate: float) -> float:
    return q * u * rate + q * a.settings.costs.fee_per_unit + fixed_fee(a, order)


def fee_of(a: Account, order: Order, q: float, u: float, rate: float) -> tuple[float, float]:
    """Step 7: the fee of an execution without the order's bounds, and as it is paid."""
    raw = fee = raw_fee(a, order, q, u, rate)
    if is_bounded(a):
        fee = bound_of(a, order.raw_fee + raw) - order.fee
    step = a.settings.costs.fee_step
    if step:
        fee = steps(math.floor(fee / step + 0.5 + 1e-9), step)
    return raw, fee


def spendable(a: Account, order: Order, money: float, u: float, rate: float) -> float:
    """Units that money buys, fees included."""
    costs = a.settings.costs
    money -= costs.fee_step / 2
    units = max(money - fixed_fee(a, order), 0.0) / (u * (1 + rate) + costs.fee_per_unit)
    raw = order.raw_fee + raw_fee(a, order, units, u, rate)
    if is_bounded(a) and bound_of(a, raw) != raw:
        return max(money - max(bound_of(a, raw) - order.fee, 0.0), 0.0) / u
    return units
