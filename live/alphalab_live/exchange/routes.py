"""What an endpoint is: its handler, weight and security, and the call that it answers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from alphalab_live.exchange.accounts import Account
from alphalab_live.exchange.desk import Desk
from alphalab_live.exchange.listing import Listing
from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.orders import Order, Trade
from alphalab_live.exchange.parsing import parse_order
from alphalab_live.exchange.refusals import Refused, missing
from alphalab_live.exchange.wallet import Event, Wallet


class Security(Enum):
    """What a request has to prove."""

    PUBLIC = 0
    KEY = 1  # it names a key
    SIGNED = 2  # it is signed with the secret of that key


@dataclass
class Call:
    """One request: its parameters, and who sent it.

    `events` are what the owner of the account hears before the answer is sent.
    """

    desk: Desk
    kind: str
    q: Mapping[str, str]
    account: Account | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def owner(self) -> Account:
        """The account of the key."""
        if self.account is None:
            raise Refused(-2014, "API-key format invalid.", 401)
        return self.account

    @property
    def wallet(self) -> Wallet:
        """The wallet of the account in this market."""
        return self.desk.wallet(self.owner.key, self.kind)

    def listing(self, *, needed: bool = True) -> Listing | None:
        """Return the market that the request names.

        Raises
        ------
        Refused
            -1102 without a symbol where one is needed, -1121 with an unknown one.
        """
        if "symbol" not in self.q:
            if needed:
                raise missing("symbol")
            return None
        return self.desk.listing(self.kind, self.q["symbol"])

    def number(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number of the request.

        Raises
        ------
        Refused
            -1102: it is none.
        """
        if name not in self.q:
            return default
        try:
            return int(self.q[name])
        except ValueError:
            raise missing(name) from None

    def limit(self, default: int, most: int) -> int:
        """Return the number of rows asked for.

        Raises
        ------
        Refused
            -1130: it is below 1.
        """
        limit = self.number("limit", default)
        if limit is None or limit < 1:
            raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit, most)

    def trading(self) -> Account:
        """Return the account, which may trade.

        Raises
        ------
        Refused
            -2015: its key has no such right.
        """
        if not self.owner.rights.trade:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return self.owner


class Route(NamedTuple):
    """An endpoint."""

    handle: Callable[[Call], Any]
    weight: int = 1
    security: Security = Security.SIGNED
    orders: bool = False  # it counts as a new order


Routes = dict[tuple[str, str], Route]


def new_order(call: Call, *, algo: bool = False) -> Order:
    """Submit the order of a request.

    Raises
    ------
    Refused
        A wrong parameter, a halted market, or a rule of the market.
    """
    call.trading()
    listing = call.listing()
    assert listing is not None
    order = parse_order(call.q, listing, f"web_{next(call.desk.next_id)}", algo=algo)
    if listing in call.desk.halted:
        if call.kind == "spot":
            raise Refused(-1013, "Market is closed.")
        raise Refused(-4140, "Invalid symbol status for opening position.")
    call.events += call.wallet.submit(order)
    return order


def find_order(call: Call) -> Order | None:
    """Return the order that a request names by id or client id, of the named market.

    Raises
    ------
    Refused
        -1102: it names none.
    """
    listing = call.listing()
    if "orderId" in call.q:
        order = call.wallet.orders.get(call.number("orderId") or 0)
    elif "origClientOrderId" in call.q:
        order = call.wallet.client_ids.find(call.q["origClientOrderId"])
    else:
        raise missing("orderId")
    return order if order is not None and order.listing == listing and order.id else None


def known_order(call: Call) -> Order:
    """Return the order that a request names.

    Raises
    ------
    Refused
        -2013: there is none.
    """
    order = find_order(call)
    if order is None:
        raise Refused(-2013, "Order does not exist.")
    return order


def cancel_order(call: Call) -> Order:
    """Cancel the order that a request names.

    Raises
    ------
    Refused
        -2011: there is none that lives.
    """
    order = find_order(call)
    if order is None:
        raise Refused(-2011, "Unknown order sent.")
    call.events += call.wallet.cancel(order)
    return order


def cancel_all(call: Call) -> list[Order]:
    """Cancel the living orders of a market."""
    listing = call.listing()
    found = [x for x in call.wallet.living if x.id is not None and x.listing == listing]
    for order in found:
        call.events += call.wallet.cancel(order)
    return found


def open_orders(call: Call) -> list[Order]:
    """Return the living orders, of one market or of all."""
    listing = call.listing(needed=False)
    return [
        order
        for order in call.wallet.living
        if order.id is not None and (listing is None or order.listing == listing)
    ]


def all_orders(call: Call) -> list[Order]:
    """Return orders of a market, from an id or a time on; without either, the last ones."""
    listing, limit = call.listing(), call.limit(500, 1000)
    first, since = call.number("orderId"), call.number("startTime")
    until = call.number("endTime")
    found = [
        order
        for order in call.wallet.orders.values()
        if order.listing == listing
        and (first is None or (order.id or 0) >= first)
        and (since is None or order.created >= since)
        and (until is None or order.created <= until)
    ]
    return found[-limit:] if first is None and since is None else found[:limit]


def own_trades(call: Call) -> list[Trade]:
    """Return executions of a market, from an id, a time or of an order; else the last ones."""
    listing, limit = call.listing(), call.limit(500, 1000)
    first, since = call.number("fromId"), call.number("startTime")
    until, order = call.number("endTime"), call.number("orderId")
    trades = call.wallet.trades
    if first is not None:
        trades = trades[bisect_left(trades, first, key=lambda trade: trade.id) :]
    if since is not None:
        trades = trades[bisect_left(trades, since, key=lambda trade: trade.time) :]
    found = [
        trade
        for trade in trades
        if trade.listing == listing
        and (until is None or trade.time <= until)
        and (order is None or trade.order == order)
    ]
    return found[-limit:] if first is None and since is None else found[:limit]


def klines(call: Call) -> list[list[Any]]:
    """Return closed candles: twelve columns each."""
    listing = call.listing()
    assert listing is not None
    if call.q.get("interval") != call.desk.tape.interval:
        raise Refused(-1120, "Invalid interval.")
    since, until = call.number("startTime"), call.number("endTime")
    candles = call.desk.tape.candles(listing.asset, since, until, call.limit(500, 1500))
    return [
        [
            c.open_time,
            *(text(x) for x in (c.open, c.high, c.low, c.close, c.volume)),
            c.close_time,
            *(text(c.volume * c.close), 1, "0", "0", "0"),
        ]
        for c in candles
    ]


def server_time(call: Call) -> dict[str, int]:
    """Return the time of the server, ms."""
    return {"serverTime": call.desk.clock()}


def ping(call: Call) -> dict[str, Any]:
    """Return nothing."""
    return {}
