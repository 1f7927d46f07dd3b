"""The orders that an engine wants at the venue, and what has to be sent for them.

It is a difference: what the engine holds as working against what the runner's order book says is
there. So a restart sends what is missing and nothing twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from alphalab.codes import OrderState as Stage
from alphalab.codes import OrderType, Sizing, TimeInForce
from alphalab.core.events import Intent
from alphalab.core.rules import whole_lots
from alphalab.errors import StateError
from alphalab_live.order_book import LiveOrder, OrderBook, OrderState, client_id
from alphalab_live.states import Rights
from alphalab_live.trader import Trader

_TYPES = {
    OrderType.MARKET: "market",
    OrderType.MARKET_ON_OPEN: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TAKE_PROFIT: "take_profit",
    OrderType.LIMIT_IF_TOUCHED: "limit_if_touched",
    OrderType.TRAILING: "trailing",
}


class Wanted(NamedTuple):
    """An order that the engine wants at the venue.

    `qty` is signed, prices may be NaN; `closes`: it is for the whole position, whatever that is.
    """

    order: int
    asset: int
    order_type: str
    qty: float
    price: float
    stop: float
    trail: float
    time_in_force: str
    reduce_only: bool
    post_only: bool
    closes: bool


def wanted(trader: Trader) -> Iterator[Wanted]:
    """Yield the orders that an engine wants at the venue, by its number of the order."""
    held = trader.qty
    for asset, o in trader.engine.working:
        if o["state"] not in (Stage.SUBMITTED, Stage.ACTIVE):
            continue
        yield Wanted(
            order=int(o["id"]),
            asset=asset,
            order_type=_type_of(o),
            qty=int(o["side"]) * _units(trader, asset, o, float(held[asset])),
            price=float(o["limit"]),
            stop=float(o["stop"]),
            trail=float(o["trail_frac"]) if o["type"] == OrderType.TRAILING else math.nan,
            time_in_force=TimeInForce(int(o["tif"])).name,
            reduce_only=bool(o["reduce_only"]),
            post_only=bool(o["post_only"]),
            closes=int(o["sizing"]) == Sizing.CLOSE,
        )


def intents(trader: Trader, book: OrderBook, run: str, rights: Rights) -> list[Intent]:
    """Return what has to be sent so that the venue has what the engine wants.

    Parameters
    ----------
    trader : Trader
    book : OrderBook
    run : str
        Id of the run, part of every client id.
    rights : Rights
        What the state of the run lets out.
    """
    all_wanted = {x.order: x for x in wanted(trader)}
    found: list[Intent] = []
    for order in book.living(trader.place):
        one = all_wanted.get(order.terms.order)
        drop = rights.cancel if one is None else rights.clear and increases(trader, one)
        if drop and not order.unwanted:
            found.append(msgspec.structs.replace(order.terms, action="cancel"))
    for number, one in all_wanted.items():
        live = book.current(trader.place, number)
        action = "submit"
        if live is not None and live.lives:
            if live.unwanted or _agree(trader, live, one):
                continue
            action = "replace"
        if _lets_out(rights, trader, one):
            revision = 0 if live is None else live.terms.revision + 1
            found.append(_intent(trader, one, run, revision, action))
    return found


def withheld(trader: Trader, book: OrderBook, rights: Rights) -> list[Wanted]:
    """Return the orders that the state of the run does not let out, and that were not sent."""
    found = []
    for one in wanted(trader):
        live = book.current(trader.place, one.order)
        if (live is None or not live.lives) and not _lets_out(rights, trader, one):
            found.append(one)
    return found


def increases(trader: Trader, one: Wanted) -> bool:
    """Return True if an order can leave the account with a larger position."""
    held = float(trader.qty[one.asset])
    after = held + one.qty
    return not one.reduce_only and abs(after) > abs(held) + trader.half_lot(one.asset)


def _lets_out(rights: Rights, trader: Trader, one: Wanted) -> bool:
    return rights.increase if increases(trader, one) else rights.reduce


def _agree(trader: Trader, live: LiveOrder, one: Wanted) -> bool:
    """Return True if an order at the venue is the one that the engine wants."""
    terms = live.terms
    if terms.order_type == one.order_type == "market" and live.state is not OrderState.INTENT:
        return True  # it trades at once: there is nothing to replace
    same_units = abs(live.left - abs(one.qty)) < trader.half_lot(one.asset)
    same_side = (terms.qty > 0) == (one.qty > 0)
    same_stop = terms.order_type == "trailing" or _same(terms.stop, one.stop)
    return same_units and same_side and same_stop and _same(terms.price, one.price)


def _units(trader: Trader, asset: int, o: np.void, held: float) -> float:
    if o["sizing"] in (Sizing.QTY, Sizing.SELL_QTY):
        return float(o["qty"])
    if o["sizing"] == Sizing.CLOSE:
        return whole_lots(abs(held), trader.engine.instruments[asset].lot)
    raise StateError(
        f"order {o['id']} is sized by value",
        rule='what trades is sized at the decision: RunSettings(sizing="at_decision").',
    )


def _intent(trader: Trader, one: Wanted, run: str, revision: int, action: str) -> Intent:
    return Intent(
        client_id=client_id(run, trader.place, one.order, revision),
        engine=trader.place,
        order=one.order,
        revision=revision,
        action=action,
        order_type=one.order_type,
        symbol=trader.symbols[one.asset],
        qty=one.qty,
        price=one.price,
        stop=one.stop,
        trail=one.trail,
        time_in_force=one.time_in_force,
        reduce_only=one.reduce_only,
        post_only=one.post_only,
    )


def _type_of(o: np.void) -> str:
    kind = OrderType(int(o["type"]))
    if kind not in _TYPES:
        raise StateError(
            f"order {o['id']} is of type {kind.name}",
            rule="no venue holds orders for its close.",
            fix="Use a market order.",
        )
    return _TYPES[kind]


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)
