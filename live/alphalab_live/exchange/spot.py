"""Answers and events of the spot market."""

from __future__ import annotations

from typing import Any

from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.orders import Income, Order, Trade
from alphalab_live.exchange.wallet import Event, Update, Wallet

Json = dict[str, Any]


def order(o: Order, *, full: bool = False) -> Json:
    """Return an order; `full`: with its fills, as the answer to a new order."""
    found: Json = {
        "symbol": o.listing.id,
        "orderId": o.id,
        "orderListId": -1,
        "clientOrderId": o.client_id,
        "price": o.price,
        "origQty": o.qty,
        "executedQty": text(o.filled),
        "cummulativeQuoteQty": text(o.quote),
        "origQuoteOrderQty": "0",
        "status": o.status,
        "timeInForce": o.tif,
        "type": o.type,
        "side": o.side,
        "stopPrice": o.stop,
        "icebergQty": "0",
        "time": o.created,
        "updateTime": o.updated,
        "workingTime": o.created,
        "isWorking": True,
        "selfTradePreventionMode": "NONE",
    }
    if full:
        found["transactTime"] = o.updated
        found["fills"] = [
            {
                "price": t.price,
                "qty": t.qty,
                "commission": t.fee,
                "commissionAsset": t.fee_coin,
                "tradeId": t.id,
            }
            for t in o.trades
        ]
    return found


def trade(t: Trade) -> Json:
    """Return one execution."""
    return {
        "symbol": t.listing.id,
        "id": t.id,
        "orderId": t.order,
        "orderListId": -1,
        "price": t.price,
        "qty": t.qty,
        "quoteQty": t.quote,
        "commission": t.fee,
        "commissionAsset": t.fee_coin,
        "time": t.time,
        "isBuyer": t.side == "BUY",
        "isMaker": t.maker,
        "isBestMatch": True,
    }


def balances(wallet: Wallet) -> dict[str, str]:
    """Return the free units of every coin; orders that rest lock nothing."""
    held = {wallet.coin: float(wallet.books.account["cash"])}
    for place, listing in enumerate(wallet.listings):
        held[listing.base] = float(wallet.books.positions[place]["qty"])
    return {coin: text(units) for coin, units in held.items()}


def account(wallet: Wallet, now: int, *, can_trade: bool, can_withdraw: bool) -> Json:
    """Return the account."""
    basis = round(wallet.books.taker_rate(0) * 1e4)
    return {
        "makerCommission": basis,
        "takerCommission": basis,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "canTrade": can_trade,
        "canWithdraw": can_withdraw,
        "canDeposit": False,
        "updateTime": now,
        "accountType": "SPOT",
        "balances": [
            {"asset": coin, "free": free, "locked": "0"} for coin, free in balances(wallet).items()
        ],
        "permissions": ["SPOT"],
    }


def messages(event: Event, wallet: Wallet, now: int) -> list[Json]:
    """Return what the stream of the account says about an event."""
    if isinstance(event, Income):
        return []
    found = [_report(event, now)]
    if event.trade is not None:
        listing = event.trade.listing
        changed = {listing.base, listing.quote}
        found.append(
            {
                "e": "outboundAccountPosition",
                "E": now,
                "u": now,
                "B": [
                    {"a": coin, "f": free, "l": "0"}
                    for coin, free in balances(wallet).items()
                    if coin in changed
                ],
            }
        )
    return found


def _report(event: Update, now: int) -> Json:
    o, t = event.order, event.trade
    return {
        "e": "executionReport",
        "E": now,
        "s": o.listing.id,
        "c": o.client_id,
        "S": o.side,
        "o": o.type,
        "f": o.tif,
        "q": o.qty,
        "p": o.price,
        "P": o.stop,
        "F": "0",
        "g": -1,
        "C": "",
        "x": event.execution if event.execution != "TRIGGERED" else "NEW",
        "X": o.status,
        "r": o.reason if o.status in ("EXPIRED", "REJECTED") else "NONE",
        "i": o.id,
        "l": t.qty if t else "0",
        "z": text(o.filled),
        "L": t.price if t else "0",
        "n": t.fee if t else "0",
        "N": t.fee_coin if t else None,
        "T": o.updated,
        "t": t.id if t else -1,
        "I": 0,
        "w": o.lives,
        "m": t.maker if t else False,
        "M": False,
        "O": o.created,
        "Z": text(o.quote),
        "Y": t.quote if t else "0",
        "Q": "0",
        "W": o.created,
        "V": "NONE",
    }
