"""REST endpoints of the spot market, and of the rights of a key."""

from __future__ import annotations

from typing import Any

from alphalab_live.exchange import routes, spot
from alphalab_live.exchange.books import MOST_ORDERS
from alphalab_live.exchange.desk import Desk
from alphalab_live.exchange.listing import Listing
from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.parsing import types_of
from alphalab_live.exchange.routes import Call, Route, Routes, Security

Json = dict[str, Any]

MOST_QTY = "9000000000"
MOST_PRICE = "1000000000"


def exchange_info(call: Call) -> Json:
    """Return the markets, their filters, and the request limits."""
    return {
        "timezone": "UTC",
        "serverTime": call.desk.clock(),
        "rateLimits": rate_limits(call.desk),
        "exchangeFilters": [],
        "symbols": [_symbol(call.desk, x) for x in call.desk.listings if x.kind == "spot"],
    }


def rate_limits(desk: Desk) -> list[Json]:
    """Return the request limits."""
    return [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": desk.limits.weight,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": desk.limits.orders,
        },
    ]


def lot_filters(desk: Desk, listing: Listing) -> list[Json]:
    """Return the filters of prices and quantities: ticks and lots in force."""
    instrument = desk.tape.instruments[listing.asset]
    tick, lot = text(instrument.tick), text(instrument.lot)
    sizes = {"minQty": lot, "maxQty": MOST_QTY, "stepSize": lot}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": MOST_PRICE, "tickSize": tick},
        {"filterType": "LOT_SIZE", **sizes},
        {"filterType": "MARKET_LOT_SIZE", **sizes},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MOST_ORDERS, "limit": MOST_ORDERS},
    ]


def _symbol(desk: Desk, listing: Listing) -> Json:
    least = text(desk.tape.instruments[listing.asset].min_value)
    notional = {
        "filterType": "NOTIONAL",
        "minNotional": least,
        "applyMinToMarket": True,
        "maxNotional": MOST_PRICE,
        "applyMaxToMarket": False,
        "avgPriceMins": 0,
    }
    return {
        "symbol": listing.id,
        "status": "BREAK" if listing in desk.halted else "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": types_of("spot"),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": False,
        "allowTrailingStop": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [*lot_filters(desk, listing), notional],
        "permissions": ["SPOT"],
        "defaultSelfTradePreventionMode": "NONE",
    }


def submit(call: Call) -> Json:
    """Submit an order."""
    return spot.order(routes.new_order(call), full=True)


def cancel(call: Call) -> Json:
    """Cancel an order."""
    return spot.order(routes.cancel_order(call))


def account(call: Call) -> Json:
    """Return the account and its balances."""
    rights = call.owner.rights
    return spot.account(
        call.wallet, call.desk.tape.now, can_trade=rights.trade, can_withdraw=rights.withdraw
    )


def restrictions(call: Call) -> Json:
    """Return the rights of the key."""
    rights = call.owner.rights
    return {
        "ipRestrict": True,
        "createTime": 0,
        "enableReading": rights.read,
        "enableWithdrawals": rights.withdraw,
        "enableInternalTransfer": rights.transfer,
        "permitsUniversalTransfer": rights.transfer,
        "enableMargin": False,
        "enableVanillaOptions": False,
        "enableFutures": rights.trade,
        "enableSpotAndMarginTrading": rights.trade,
        "enableFixApiTrade": False,
        "enablePortfolioMarginTrading": False,
    }


ROUTES: Routes = {
    ("GET", "/api/v3/ping"): Route(routes.ping, 1, Security.PUBLIC),
    ("GET", "/api/v3/time"): Route(routes.server_time, 1, Security.PUBLIC),
    ("GET", "/api/v3/exchangeInfo"): Route(exchange_info, 20, Security.PUBLIC),
    ("GET", "/api/v3/klines"): Route(routes.klines, 2, Security.PUBLIC),
    ("POST", "/api/v3/order"): Route(submit, 1, orders=True),
    ("GET", "/api/v3/order"): Route(lambda call: spot.order(routes.known_order(call)), 4),
    ("DELETE", "/api/v3/order"): Route(cancel, 1),
    ("GET", "/api/v3/openOrders"): Route(
        lambda call: [spot.order(x) for x in routes.open_orders(call)], 6
    ),
    ("DELETE", "/api/v3/openOrders"): Route(
        lambda call: [spot.order(x) for x in routes.cancel_all(call)], 1
    ),
    ("GET", "/api/v3/allOrders"): Route(
        lambda call: [spot.order(x) for x in routes.all_orders(call)], 20
    ),
    ("GET", "/api/v3/myTrades"): Route(
        lambda call: [spot.trade(x) for x in routes.own_trades(call)], 20
    ),
    ("GET", "/api/v3/account"): Route(account, 20),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(restrictions, 1),
    # ccxt asks for these when it loads markets with credentials; nothing of the kind is here.
    ("GET", "/sapi/v1/margin/allPairs"): Route(lambda call: [], 1, Security.KEY),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(lambda call: []),
    ("GET", "/sapi/v1/capital/config/getall"): Route(lambda call: []),
}
