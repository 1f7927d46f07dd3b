"""Whether an account can pay for a new order, before it is accepted."""

from __future__ import annotations

from collections.abc import Iterable

from alphalab.codes import OrderType, Reason
from alphalab_live.exchange.books import Books
from alphalab_live.exchange.orders import Order

#: A market order trades at the next open, at a price that nobody knows yet. An order is refused at
#: once only if a move of 5 % would not make it payable; the exact test follows when it trades.
TOLERANCE = 0.05


def fault_of_means(
    books: Books, place: int, order: Order, waiting: Iterable[tuple[int, Order]]
) -> Reason | None:
    """Return the reason to refuse an order for want of money or units; None: it may be payable.

    Market orders that wait count as traded: a sale pays for a purchase that was sent after it.
    Other orders reserve nothing.

    Parameters
    ----------
    books : Books
    place : int
        The asset's place in the books.
    order : Order
    waiting : iterable of (int, Order)
        The account's living orders, and the places of their assets.
    """
    mark = float(books.positions[place]["mark"])
    if books.account["row"] < 0 or mark != mark:
        return Reason.NO_PRICE
    if order.closes:
        return None
    market = [(i, x) for i, x in waiting if x.kind == OrderType.MARKET]
    price = next(x for x in (order.limit, order.trigger, mark) if x == x)
    if books.instruments[place].kind != "spot":
        return None if order.reduce_only else _margin(books, place, order, price, market)
    if order.sign < 0:
        return _units(books, place, order, price)
    traded = sum(x.sign * x.units * float(books.positions[i]["mark"]) for i, x in market)
    cash = float(books.account["cash"]) - traded
    return Reason.CASH if order.units * price > cash * (1.0 + TOLERANCE) else None


def _units(books: Books, place: int, order: Order, price: float) -> Reason | None:
    """Refuse a sale of more than the account holds, or below the minimum value.

    The books take a sale of spot for an order that only reduces, which has no minimum.
    """
    held = float(books.positions[place]["qty"])
    if 0.0 < order.units * price < books.instruments[place].min_value:
        return Reason.MIN_VALUE
    return Reason.CASH if order.units > held * (1.0 + 1e-9) else None


def _margin(
    books: Books, place: int, order: Order, price: float, market: list[tuple[int, Order]]
) -> Reason | None:
    """Refuse a position that grows beyond the initial margin."""
    qty = [float(x) for x in books.positions["qty"]]
    for i, x in market:
        qty[i] = 0.0 if x.closes else qty[i] + x.sign * x.units
    after = qty[place] + order.sign * order.units
    if abs(after) <= abs(qty[place]):
        return None
    gross = abs(after) * price * books.instruments[place].multiplier
    for i, units in enumerate(qty):
        if i != place and units != 0.0:
            gross += (
                abs(units) * float(books.positions[i]["mark"]) * books.instruments[i].multiplier
            )
    initial, equity = float(books.rules["initial"]), float(books.account["equity"])
    return Reason.MARGIN if gross * initial > equity * (1.0 + TOLERANCE) else None
