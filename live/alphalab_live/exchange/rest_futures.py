"""REST endpoints of the USD-M futures market."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from alphalab_live.exchange import futures, routes
from alphalab_live.exchange.desk import Desk
from alphalab_live.exchange.listing import Listing
from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.orders import Order
from alphalab_live.exchange.parsing import types_of
from alphalab_live.exchange.refusals import Refused, missing
from alphalab_live.exchange.rest_spot import lot_filters, rate_limits
from alphalab_live.exchange.routes import Call, Route, Routes, Security
from alphalab_live.exchange.tape import MS

Json = dict[str, Any]

_HOUR = 3_600_000  # ms


def exchange_info(call: Call) -> Json:
    """Return the markets, their filters, and the request limits."""
    coins = sorted({x.quote for x in call.desk.listings if x.kind == "linear"})
    return {
        "timezone": "UTC",
        "serverTime": call.desk.clock(),
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(call.desk),
        "exchangeFilters": [],
        "assets": [{"asset": x, "marginAvailable": True, "autoAssetExchange": "0"} for x in coins],
        "symbols": [_symbol(call.desk, x) for x in call.desk.listings if x.kind == "linear"],
    }


def _symbol(desk: Desk, listing: Listing) -> Json:
    instrument = desk.tape.instruments[listing.asset]
    return {
        "symbol": listing.id,
        "pair": listing.id,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 0,
        "status": "BREAK" if listing in desk.halted else "TRADING",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.quote,
        "pricePrecision": _digits(instrument.tick),
        "quantityPrecision": _digits(instrument.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "orderTypes": types_of("linear"),
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            *lot_filters(desk, listing),
            {"filterType": "MIN_NOTIONAL", "notional": text(instrument.min_value)},
        ],
    }


def _digits(step: float) -> int:
    """Return the decimals of a step."""
    return len(text(step).partition(".")[2])


def submit(call: Call) -> Json:
    """Submit a market or limit order."""
    return futures.order(routes.new_order(call))


def submit_algo(call: Call) -> Json:
    """Submit a conditional order."""
    if call.q.get("algoType") != "CONDITIONAL":
        raise missing("algoType")
    return futures.algo(routes.new_order(call, algo=True))


def _find_algo(call: Call) -> Order | None:
    if "algoId" in call.q:
        return call.wallet.algos.get(call.number("algoId") or 0)
    if "clientAlgoId" in call.q:
        order = call.wallet.client_ids.find(call.q["clientAlgoId"])
        return order if order is not None and order.algo_id is not None else None
    raise missing("algoId")


def algo(call: Call) -> Json:
    """Return a conditional order."""
    order = _find_algo(call)
    if order is None:
        raise Refused(-2013, "Order does not exist.")
    return futures.algo(order)


def cancel_algo(call: Call) -> Json:
    """Cancel a conditional order that has not triggered."""
    order = _find_algo(call)
    if order is None or order.id is not None:
        raise Refused(-2011, "Unknown order sent.")
    call.events += call.wallet.cancel(order)
    return {
        "algoId": order.algo_id,
        "clientAlgoId": order.client_id,
        "code": "200",
        "msg": "success",
    }


def cancel_algos(call: Call) -> Json:
    """Cancel the conditional orders of a market."""
    listing = call.listing()
    for order in call.wallet.living:
        if order.id is None and order.listing == listing:
            call.events += call.wallet.cancel(order)
    return {"code": "200", "msg": "The operation of cancel all open order is done."}


def cancel_all(call: Call) -> Json:
    """Cancel the living orders of a market."""
    routes.cancel_all(call)
    return {"code": "200", "msg": "The operation of cancel all open order is done."}


def algos(call: Call, *, living: bool) -> list[Json]:
    """Return conditional orders, of one market or of all."""
    listing = call.listing(needed=not living)
    orders = call.wallet.living if living else call.wallet.algos.values()
    return [
        futures.algo(order)
        for order in orders
        if order.algo_id is not None
        and (listing is None or order.listing == listing)
        and (not living or order.id is None)
    ]


def set_leverage(call: Call) -> Json:
    """Set the leverage of a market: at most that of the account's margin settings.

    It is kept and answered; margin is computed with the settings of the account.
    """
    listing, leverage = call.listing(), call.number("leverage")
    assert listing is not None
    if leverage is None:
        raise missing("leverage")
    if not 1 <= leverage <= call.wallet.most_leverage:
        raise Refused(-4028, f"Leverage {leverage} is not valid")
    call.wallet.leverage[listing.id] = leverage
    return {"symbol": listing.id, "leverage": leverage, "maxNotionalValue": str(10**15)}


def income(call: Call) -> list[Json]:
    """Return fundings and fees of liquidations, the oldest first."""
    listing, limit = call.listing(needed=False), call.limit(100, 1000)
    since, until = call.number("startTime"), call.number("endTime")
    kind = call.q.get("incomeType")
    items = call.wallet.income
    if since is not None:
        items = items[bisect_left(items, since, key=lambda item: item.time) :]
    found = [
        item
        for item in items
        if (listing is None or item.listing == listing)
        and (kind is None or item.kind == kind)
        and (until is None or item.time <= until)
    ]
    return [futures.income(x) for x in (found[-limit:] if since is None else found[:limit])]


def funding_rates(call: Call) -> list[Json]:
    """Return the funding rates of a market so far, the oldest first, at their own instants."""
    listing, limit = call.listing(), call.limit(100, 1000)
    assert listing is not None
    since, until = call.number("startTime") or 0, call.number("endTime")
    tape, rates = call.desk.tape, call.desk.tape.columns.get("funding")
    step = int(tape.instruments[listing.asset].funding_hours * _HOUR)
    if rates is None or step == 0:
        return []
    found = []
    for row in range(1, tape.row + 1):
        begin, end = int(tape.time[row - 1]) // MS, int(tape.time[row]) // MS
        due, rate = -(-begin // step) * step, float(rates[row, listing.asset])
        if due < end and rate == rate and since <= due and (until is None or due <= until):
            found.append({"symbol": listing.id, "fundingTime": due, "fundingRate": text(rate)})
    return found[:limit] if since else found[-limit:]


def symbol_config(call: Call) -> list[Json]:
    """Return margin mode and leverage of the markets."""
    listing = call.listing(needed=False)
    return [
        {
            "symbol": x.id,
            "marginType": "CROSSED",
            "isAutoAddMargin": False,
            "leverage": call.wallet.leverage[x.id],
            "maxNotionalValue": str(10**15),
        }
        for x in call.wallet.listings
        if listing is None or x == listing
    ]


def set_margin_type(call: Call) -> Json:
    """Refuse to change the margin mode: it is crossed."""
    call.listing()
    if call.q.get("marginType") == "CROSSED":
        raise Refused(-4046, "No need to change margin type.")
    raise Refused(-4048, "Margin type cannot be changed if there exists position.")


def set_position_mode(call: Call) -> Json:
    """Refuse to change the position mode: positions are one-way."""
    if call.q.get("dualSidePosition", "").lower() == "false":
        raise Refused(-4059, "No need to change position side.")
    raise Refused(-4068, "Position side cannot be changed if there exists position.")


def listen_key(call: Call) -> Json:
    """Return the key of the account's stream; asking again makes an expired one valid."""
    return {"listenKey": f"listen-{call.owner.key}"}


def positions(call: Call) -> list[Json]:
    """Return the open positions, of one market or of all."""
    listing = call.listing(needed=False)
    found = futures.positions(call.wallet, call.desk.tape.now)
    return [x for x in found if listing is None or x["symbol"] == listing.id]


ROUTES: Routes = {
    ("GET", "/fapi/v1/ping"): Route(routes.ping, 1, Security.PUBLIC),
    ("GET", "/fapi/v1/time"): Route(routes.server_time, 1, Security.PUBLIC),
    ("GET", "/fapi/v1/exchangeInfo"): Route(exchange_info, 1, Security.PUBLIC),
    ("GET", "/fapi/v1/fundingRate"): Route(funding_rates, 1, Security.PUBLIC),
    ("GET", "/fapi/v1/klines"): Route(routes.klines, 5, Security.PUBLIC),
    ("POST", "/fapi/v1/order"): Route(submit, 0, orders=True),
    ("GET", "/fapi/v1/order"): Route(lambda call: futures.order(routes.known_order(call))),
    ("DELETE", "/fapi/v1/order"): Route(lambda call: futures.order(routes.cancel_order(call))),
    ("GET", "/fapi/v1/openOrders"): Route(
        lambda call: [futures.order(x) for x in routes.open_orders(call)], 1
    ),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(cancel_all),
    ("GET", "/fapi/v1/allOrders"): Route(
        lambda call: [futures.order(x) for x in routes.all_orders(call)], 5
    ),
    ("POST", "/fapi/v1/algoOrder"): Route(submit_algo, 0, orders=True),
    ("GET", "/fapi/v1/algoOrder"): Route(algo),
    ("DELETE", "/fapi/v1/algoOrder"): Route(cancel_algo),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(cancel_algos),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(lambda call: algos(call, living=True)),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(lambda call: algos(call, living=False), 5),
    ("GET", "/fapi/v1/userTrades"): Route(
        lambda call: [futures.trade(x) for x in routes.own_trades(call)], 5
    ),
    ("GET", "/fapi/v3/account"): Route(lambda call: futures.account(call.wallet), 5),
    ("GET", "/fapi/v2/account"): Route(lambda call: futures.account(call.wallet), 5),
    ("GET", "/fapi/v3/positionRisk"): Route(positions, 5),
    ("GET", "/fapi/v1/leverageBracket"): Route(lambda call: futures.brackets(call.wallet)),
    ("POST", "/fapi/v1/leverage"): Route(set_leverage),
    ("POST", "/fapi/v1/marginType"): Route(set_margin_type),
    ("GET", "/fapi/v1/symbolConfig"): Route(symbol_config, 5),
    ("GET", "/fapi/v1/positionSide/dual"): Route(lambda call: {"dualSidePosition": False}),
    ("POST", "/fapi/v1/positionSide/dual"): Route(set_position_mode),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(lambda call: {"multiAssetsMargin": False}),
    ("GET", "/fapi/v1/income"): Route(income, 30),
    ("POST", "/fapi/v1/listenKey"): Route(listen_key, 1, Security.KEY),
    ("PUT", "/fapi/v1/listenKey"): Route(listen_key, 1, Security.KEY),
    ("DELETE", "/fapi/v1/listenKey"): Route(lambda call: {}, 1, Security.KEY),
}
