"""Answers and events of the USD-M futures market."""

from __future__ import annotations

from typing import Any

from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.orders import Income, Order, Trade
from alphalab_live.exchange.wallet import Event, Update, Wallet

Json = dict[str, Any]


def order(o: Order) -> Json:
    """Return an order."""
    return {
        "orderId": o.id,
        "symbol": o.listing.id,
        "status": o.status,
        "clientOrderId": o.client_id,
        "price": o.price,
        "avgPrice": _average(o),
        "origQty": o.qty,
        "executedQty": text(o.filled),
        "cumQty": text(o.filled),
        "cumQuote": text(o.quote),
        "timeInForce": o.tif,
        "type": o.type,
        "reduceOnly": o.reduce_only,
        "closePosition": o.closes,
        "side": o.side,
        "positionSide": "BOTH",
        "stopPrice": o.stop,
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": o.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": o.created,
        "updateTime": o.updated,
    }


def algo_status(o: Order) -> str:
    """Return the status of a conditional order: TRIGGERED and FINISHED follow its trigger."""
    if o.id is None:
        return o.status
    return "TRIGGERED" if o.lives else "FINISHED"


def algo(o: Order) -> Json:
    """Return a conditional order; `actualOrderId` names its order once it has triggered."""
    return {
        "algoId": o.algo_id,
        "clientAlgoId": o.client_id,
        "algoType": "CONDITIONAL",
        "orderType": o.type,
        "symbol": o.listing.id,
        "side": o.side,
        "positionSide": "BOTH",
        "timeInForce": o.tif,
        "quantity": o.qty,
        "algoStatus": algo_status(o),
        "actualOrderId": "" if o.id is None else str(o.id),
        "actualPrice": _average(o),
        "actualQty": text(o.filled),
        "triggerPrice": o.stop,
        "price": o.price,
        "selfTradePreventionMode": "NONE",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": o.closes,
        "priceProtect": False,
        "reduceOnly": o.reduce_only,
        "createTime": o.created,
        "updateTime": o.updated,
        "triggerTime": 0 if o.id is None else o.updated,
        "goodTillDate": 0,
    }


def trade(t: Trade) -> Json:
    """Return one execution."""
    return {
        "symbol": t.listing.id,
        "id": t.id,
        "orderId": t.order,
        "side": t.side,
        "price": t.price,
        "qty": t.qty,
        "quoteQty": t.quote,
        "realizedPnl": t.realised,
        "commission": t.fee,
        "commissionAsset": t.fee_coin,
        "time": t.time,
        "positionSide": "BOTH",
        "buyer": t.side == "BUY",
        "maker": t.maker,
    }


def income(i: Income) -> Json:
    """Return one change of cash."""
    return {
        "symbol": i.listing.id,
        "incomeType": i.kind,
        "income": i.amount,
        "asset": i.coin,
        "info": i.kind,
        "time": i.time,
        "tranId": i.id,
        "tradeId": "",
    }


def profits(wallet: Wallet) -> dict[int, float]:
    """Return the open profit of every position, by its place in the books."""
    found = {}
    for place, position in enumerate(wallet.books.positions):
        if position["qty"] != 0.0:
            moved = float(position["mark"]) - float(position["basis"])
            multiplier = wallet.books.instruments[place].multiplier
            found[place] = float(position["qty"]) * moved * multiplier
    return found


def account(wallet: Wallet) -> Json:
    """Return the account, version 3."""
    cash, open_profit = float(wallet.books.account["cash"]), sum(profits(wallet).values())
    gross = sum(abs(_notional(wallet, place)) for place in profits(wallet))
    initial = gross * float(wallet.books.rules["initial"])
    maintenance = gross * float(wallet.books.rules["maintenance"])
    available = max(cash + open_profit - initial, 0.0)
    asset = {
        "asset": wallet.coin,
        "walletBalance": text(cash),
        "unrealizedProfit": text(open_profit),
        "marginBalance": text(cash + open_profit),
        "maintMargin": text(maintenance),
        "initialMargin": text(initial),
        "positionInitialMargin": text(initial),
        "openOrderInitialMargin": "0",
        "crossWalletBalance": text(cash),
        "crossUnPnl": text(open_profit),
        "availableBalance": text(available),
        "maxWithdrawAmount": text(available),
        "updateTime": 0,
    }
    return {
        "totalInitialMargin": text(initial),
        "totalMaintMargin": text(maintenance),
        "totalWalletBalance": text(cash),
        "totalUnrealizedProfit": text(open_profit),
        "totalMarginBalance": text(cash + open_profit),
        "totalPositionInitialMargin": text(initial),
        "totalOpenOrderInitialMargin": "0",
        "totalCrossWalletBalance": text(cash),
        "totalCrossUnPnl": text(open_profit),
        "availableBalance": text(available),
        "maxWithdrawAmount": text(available),
        "assets": [asset],
        "positions": [],
    }


def positions(wallet: Wallet, now: int) -> list[Json]:
    """Return the open positions, version 3."""
    found = []
    for place, profit in profits(wallet).items():
        position, notional = wallet.books.positions[place], _notional(wallet, place)
        initial = abs(notional) * float(wallet.books.rules["initial"])
        found.append(
            {
                "symbol": wallet.listings[place].id,
                "positionSide": "BOTH",
                "positionAmt": text(position["qty"]),
                "entryPrice": text(position["entry_price"]),
                "breakEvenPrice": text(position["entry_price"]),
                "markPrice": text(position["mark"]),
                "unRealizedProfit": text(profit),
                "liquidationPrice": "0",
                "isolatedMargin": "0",
                "notional": text(notional),
                "marginAsset": wallet.coin,
                "isolatedWallet": "0",
                "initialMargin": text(initial),
                "maintMargin": text(abs(notional) * float(wallet.books.rules["maintenance"])),
                "positionInitialMargin": text(initial),
                "openOrderInitialMargin": "0",
                "adl": 0,
                "bidNotional": "0",
                "askNotional": "0",
                "updateTime": now,
            }
        )
    return found


def brackets(wallet: Wallet) -> list[Json]:
    """Return the leverage brackets: one a symbol, from the margin settings of the account."""
    bracket = {
        "bracket": 1,
        "initialLeverage": wallet.most_leverage,
        "notionalCap": 10**15,
        "notionalFloor": 0,
        "maintMarginRatio": float(wallet.books.rules["maintenance"]),
        "cum": 0.0,
    }
    return [{"symbol": x.id, "notionalCoef": 1, "brackets": [bracket]} for x in wallet.listings]


def messages(event: Event, wallet: Wallet, now: int) -> list[Json]:
    """Return what the stream of the account says about an event."""
    if isinstance(event, Income):
        return [_account_update(wallet, event.kind, now, None)]
    o = event.order
    if event.execution == "TRIGGERED":
        return [_algo_update(o, now), _order_update(Update(o, "NEW"), now)]
    if o.algo_id is not None and (o.id is None or event.execution == "NEW"):
        return [_algo_update(o, now)]
    found = [_order_update(event, now)]
    if event.trade is not None:
        found.append(_account_update(wallet, "ORDER", now, wallet.place_of(o.listing)))
        if o.algo_id is not None and not o.lives:
            found.append(_algo_update(o, now))
    return found


def _order_update(event: Update, now: int) -> Json:
    o, t = event.order, event.trade
    paid = {"N": t.fee_coin, "n": t.fee} if t else {}
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": now,
        "T": o.updated,
        "o": {
            "s": o.listing.id,
            "c": o.client_id,
            "S": o.side,
            "o": o.type,
            "f": o.tif,
            "q": o.qty,
            "p": o.price,
            "ap": _average(o),
            "sp": o.stop,
            "x": event.execution,
            "X": o.status,
            "i": o.id,
            "l": t.qty if t else "0",
            "z": text(o.filled),
            "L": t.price if t else "0",
            **paid,
            "T": o.updated,
            "t": t.id if t else 0,
            "b": "0",
            "a": "0",
            "m": t.maker if t else False,
            "R": o.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": o.type,
            "ps": "BOTH",
            "cp": o.closes,
            "rp": t.realised if t else "0",
            "er": o.reason,
        },
    }


def _algo_update(o: Order, now: int) -> Json:
    return {
        "e": "ALGO_UPDATE",
        "E": now,
        "T": now,
        "o": {
            "caid": o.client_id,
            "aid": o.algo_id,
            "at": "CONDITIONAL",
            "o": o.type,
            "s": o.listing.id,
            "S": o.side,
            "ps": "BOTH",
            "f": o.tif,
            "q": o.qty,
            "X": algo_status(o),
            "ai": "" if o.id is None else str(o.id),
            "ap": _average(o),
            "aq": text(o.filled),
            "act": "0",
            "tp": o.stop,
            "p": o.price,
            "V": "NONE",
            "wt": "CONTRACT_PRICE",
            "pm": "NONE",
            "cp": o.closes,
            "pP": False,
            "R": o.reduce_only,
            "tt": 0 if o.id is None else o.updated,
            "gtd": 0,
            "rm": o.reason if o.status in ("EXPIRED", "REJECTED") else "",
        },
    }


def _account_update(wallet: Wallet, cause: str, now: int, place: int | None) -> Json:
    cash = text(wallet.books.account["cash"])
    changed = []
    if place is not None:
        position = wallet.books.positions[place]
        entry = float(position["entry_price"])
        changed.append(
            {
                "s": wallet.listings[place].id,
                "pa": text(position["qty"]),
                "ep": text(entry if entry == entry else 0.0),
                "bep": "0",
                "cr": "0",
                "up": text(profits(wallet).get(place, 0.0)),
                "mt": "cross",
                "iw": "0",
                "ps": "BOTH",
            }
        )
    balance = {"a": wallet.coin, "wb": cash, "cw": cash, "bc": "0"}
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now,
        "T": now,
        "a": {"m": cause, "B": [balance], "P": changed},
    }


def _average(o: Order) -> str:
    return text(o.quote / o.filled) if o.filled else "0"


def _notional(wallet: Wallet, place: int) -> float:
    position = wallet.books.positions[place]
    size = float(position["qty"]) * float(position["mark"])
    return size * wallet.books.instruments[place].multiplier
