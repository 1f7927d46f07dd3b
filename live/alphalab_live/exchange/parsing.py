"""Orders as clients send them: the parameters of a request, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from alphalab.codes import OrderType
from alphalab_live.exchange.listing import Listing
from alphalab_live.exchange.orders import TIMES, WITH_LIMIT, WITH_STOP, Order
from alphalab_live.exchange.refusals import Refused, missing

Params = Mapping[str, str]

_CLIENT_ID = re.compile(r"[.A-Za-z:/0-9_-]{1,36}")
_TYPES = {
    "spot": {
        "MARKET": OrderType.MARKET,
        "LIMIT": OrderType.LIMIT,
        "LIMIT_MAKER": OrderType.LIMIT,
        "STOP_LOSS": OrderType.STOP,
        "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
        "TAKE_PROFIT": OrderType.TAKE_PROFIT,
        "TAKE_PROFIT_LIMIT": OrderType.LIMIT_IF_TOUCHED,
    },
    "linear": {
        "MARKET": OrderType.MARKET,
        "LIMIT": OrderType.LIMIT,
    },
    "algo": {
        "STOP_MARKET": OrderType.STOP,
        "STOP": OrderType.STOP_LIMIT,
        "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT,
        "TAKE_PROFIT": OrderType.LIMIT_IF_TOUCHED,
        "TRAILING_STOP_MARKET": OrderType.TRAILING,
    },
}


def types_of(kind: str) -> list[str]:
    """Return the order types that a market offers: ``"spot"`` or ``"linear"``."""
    return [*_TYPES[kind], *(_TYPES["algo"] if kind == "linear" else ())]


def parse_order(q: Params, listing: Listing, default_id: str, *, algo: bool) -> Order:
    """Return the order that a request asks for.

    Parameters
    ----------
    q : mapping of str to str
        The parameters of the request.
    listing : Listing
    default_id : str
        Client id of an order without one.
    algo : bool
        True for a conditional order of the futures market.

    Raises
    ------
    Refused
        A parameter that is missing, malformed, or not for this type.
    """
    spot = listing.kind == "spot"
    side, name = _given(q, "side"), _given(q, "type")
    if side not in ("BUY", "SELL"):
        raise Refused(-1117, "Invalid side.")
    types = _TYPES["algo" if algo else listing.kind]
    if name not in types:
        raise Refused(-1116, "Invalid orderType.")
    if not spot and q.get("positionSide", "BOTH") != "BOTH":
        raise Refused(-4061, "Order's position side does not match user's setting.")
    kind = types[name]
    trail, activation = _trail(q, spot=spot)
    if spot and trail == trail:
        kind = OrderType.TRAILING
    if kind == OrderType.TRAILING and trail != trail:
        raise missing("trailingDelta" if spot else "callbackRate")
    closes = q.get("closePosition", "").lower() == "true"
    if closes and "quantity" in q:
        raise Refused(-4137, "Quantity must be zero with closePosition equals true.")
    stop = activation
    if kind in WITH_STOP:
        stop = _number(q, "triggerPrice" if algo else "stopPrice")
    if kind not in WITH_LIMIT and "price" in q:
        raise Refused(-1106, "Parameter 'price' sent when not required.")
    return Order(
        listing=listing,
        client_id=_client_id(q, default_id, spot=spot, algo=algo),
        side=side,
        type=name,
        kind=kind,
        tif=_time_in_force(q, name, spot=spot, limit=kind in WITH_LIMIT),
        qty="0" if closes else _number(q, "quantity"),
        price=_number(q, "price") if kind in WITH_LIMIT else "0",
        stop=stop,
        reduce_only=closes or q.get("reduceOnly", "").lower() == "true",
        closes=closes,
        trail=trail,
    )


def _given(q: Params, name: str) -> str:
    if not q.get(name):
        raise missing(name)
    return q[name]


def _number(q: Params, name: str) -> str:
    """Return a number of the request as it was written.

    A number below 0 is no number of the exchange; one that is 0 is refused by the market.
    """
    written = _given(q, name)
    try:
        value = Decimal(written)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value < 0:
        message = f"Illegal characters found in parameter '{name}'; legal range is"
        raise Refused(-1100, f"{message} '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.")
    return written


def _client_id(q: Params, default: str, *, spot: bool, algo: bool) -> str:
    name = "clientAlgoId" if algo else "newClientOrderId"
    client_id = q.get(name, default)
    if _CLIENT_ID.fullmatch(client_id):
        return client_id
    if spot:
        message = f"Illegal characters found in parameter '{name}'; legal range is"
        raise Refused(-1100, f"{message} '^[a-zA-Z0-9-_]{{1,36}}$'.")
    raise Refused(-4015, "Client order id length should be less than 36 chars.")


def _time_in_force(q: Params, name: str, *, spot: bool, limit: bool) -> str:
    """Return the time in force; post-only is one on the futures market, and a type on spot."""
    given = q.get("timeInForce")
    known = (*TIMES, *(() if spot else ("GTX",)))
    if given is not None and given not in known:
        raise Refused(-1115, "Invalid timeInForce.")
    if spot and given is not None and (not limit or name == "LIMIT_MAKER"):
        raise Refused(-1106, "Parameter 'timeInForce' sent when not required.")
    if given is None and name in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
        raise missing("timeInForce")
    return given or "GTC"


def _trail(q: Params, *, spot: bool) -> tuple[float, str]:
    """Return the distance of a trailing stop, a fraction or NaN, and its activation price."""
    name, parts = ("trailingDelta", 10_000) if spot else ("callbackRate", 100)
    if name not in q:
        return float("nan"), "0"
    distance = float(Decimal(_number(q, name)) / parts)
    if not 0.0001 <= distance <= 0.2:
        if spot:
            raise Refused(-1013, "Filter failure: TRAILING_DELTA")
        raise Refused(-2007, "Invalid callBack rate")
    start = "stopPrice" if spot else "activationPrice"
    return distance, _number(q, start) if start in q else "0"
