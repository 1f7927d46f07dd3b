"""What each exchange of ccxt offers, read from ccxt's own description and code.

``describe()`` says which requests an exchange has. It does not say which of them take a client id:
that is read from the code of the request.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from alphalab.errors import RefusedError, UnknownNameError, import_extra

_CLIENT_ID = "'clientOrderId'"
#: Methods that prepare a request about an order; those that read an answer tell nothing of it.
_CALLED = re.compile(r"self\.(\w*order\w*)\(")
_READS = ("parse", "safe", "fetch", "handle")


class Offer(NamedTuple):
    """What an exchange offers through ccxt.

    Attributes
    ----------
    name : str
        As ccxt writes it.
    spot, swap : bool
        Whether it has spot markets; perpetual contracts.
    own_trades, open_orders, candles : bool
        Lists that can be read.
    sends, finds, cancels : bool
        Whether an order is sent, found and cancelled by a client id.
    stops_spot, stops_swap : bool
        Whether it holds stop orders.
    order_stream : bool
        Whether changes of orders wake the runner.
    """

    name: str
    spot: bool
    swap: bool
    own_trades: bool
    open_orders: bool
    candles: bool
    sends: bool
    finds: bool
    cancels: bool
    stops_spot: bool
    stops_swap: bool
    order_stream: bool

    @property
    def lacks(self) -> list[str]:
        """What the runner needs and the exchange does not offer."""
        needed = {
            "a list of own trades": self.own_trades,
            "a list of open orders": self.open_orders,
            "candles": self.candles,
            "orders with a client id": self.sends,
            "queries by client id": self.finds,
            "cancels by client id": self.cancels,
        }
        return [what for what, is_there in needed.items() if not is_there]


def offers() -> Iterator[Offer]:
    """Yield what every exchange with streams offers, by name."""
    for name in sorted(import_extra("ccxt.pro", "live").exchanges):
        yield offer_of(name)


def offer_of(name: str) -> Offer:
    """Return what an exchange offers.

    Raises
    ------
    UnknownNameError
        ccxt has no such exchange with streams.

    Examples
    --------
    >>> offer_of("binanceusdm").lacks, offer_of("binanceusdm").stops_swap
    ([], True)
    """
    pro = import_extra("ccxt.pro", "live")
    if name not in pro.exchanges:
        raise UnknownNameError("exchange", name, pro.exchanges)
    exchange = getattr(pro, name)
    described = exchange().describe()
    has, features = described["has"], described.get("features") or {}
    return Offer(
        name=name,
        spot=bool(has.get("spot")),
        swap=bool(has.get("swap")),
        own_trades=bool(has.get("fetchMyTrades")),
        open_orders=bool(has.get("fetchOpenOrders")),
        candles=bool(has.get("fetchOHLCV")),
        sends=_takes_client_id(exchange, "create_order"),
        finds=_takes_client_id(exchange, "fetch_order"),
        cancels=_takes_client_id(exchange, "cancel_order"),
        stops_spot=_has_stops(features, features.get("spot")),
        stops_swap=_has_stops(features, (features.get("swap") or {}).get("linear")),
        order_stream=bool(has.get("watchOrders")),
    )


def check_offer(name: str) -> None:
    """Refuse an exchange that lacks what the runner needs.

    Raises
    ------
    RefusedError
        What it lacks.
    """
    if lacks := offer_of(name).lacks:
        raise RefusedError(
            f"{name} does not offer {', '.join(lacks)} through ccxt",
            rule="the runner finds its orders and trades again after a crash or a lost answer.",
            fix="Trade at another exchange: alphalab live venues lists them.",
        )


def _takes_client_id(exchange: Any, method: str) -> bool:
    """Return True if the code of a request, or of what prepares it, reads a client id."""
    code = inspect.getsource(getattr(exchange, method))
    prepares = [name for name in _CALLED.findall(code) if not name.startswith(_READS)]
    parts = [inspect.getsource(getattr(exchange, x)) for x in prepares if hasattr(exchange, x)]
    return any(_CLIENT_ID in part for part in (code, *parts))


def _has_stops(features: Any, market: Any) -> bool:
    """Return True if a kind of market takes orders with a trigger; some extend another kind."""
    order: dict[str, Any] = {}
    while isinstance(market, dict):
        order = (market.get("createOrder") or {}) | order
        market = features.get(market.get("extends"))
    return bool(order.get("stopLossPrice") or order.get("triggerPrice"))
