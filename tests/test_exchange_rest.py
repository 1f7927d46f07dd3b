"""The REST endpoints of the local exchange, asked by unmodified ccxt over real sockets."""

from __future__ import annotations

import math
from typing import Any

import pytest
from alphalab_live.exchange import Account, LocalExchange, Rights
from exchange_cases import (
    COIN_FEES,
    FIRST,
    MINUTE,
    PERP,
    SPOT,
    SWING,
    bars_of,
    refused,
    run,
    trading,
)

from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError, UnknownNameError


def test_markets_have_ticks_lots_and_minimum_values() -> None:
    async def test() -> None:
        async with trading() as venue:
            assert sorted(venue.spot.markets) == [SPOT, PERP]
            for symbol in (SPOT, PERP):
                market = venue.client(symbol).markets[symbol]
                assert market["active"]
                assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 1e-3)
                assert market["limits"]["cost"]["min"] == 5.0
                assert await venue.client(symbol).fetch_time() > 1.7e12

    run(test)


def test_candles_are_those_of_closed_bars() -> None:
    async def test() -> None:
        async with trading(start=2) as venue:
            for symbol in (SPOT, PERP):
                client = venue.client(symbol)
                found = await client.fetch_ohlcv(symbol, "1m", limit=2)
                opens = [(FIRST + (t - 1) * MINUTE) // 10**6 for t in (1, 2)]
                assert [candle[0] for candle in found] == opens
                assert found[0][1:] == [100.0, 100.0, 100.0, 100.0, 10.0]
                since = await client.fetch_ohlcv(symbol, "1m", since=opens[0] - 1, limit=1)
                assert [candle[0] for candle in since] == opens[:1]
                await venue.rows()
                assert (await client.fetch_ohlcv(symbol, "1m"))[-1][2:4] == [110.0, 90.0]
                venue.exchange.desk.tape.row -= 1

    run(test)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_a_market_order_fills_at_the_next_open(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client = venue.client(symbol)
            sent = await client.create_order(symbol, "market", "buy", 2.0, None, named("a"))
            assert (sent["status"], sent["clientOrderId"]) == ("open", "a")
            assert await venue.rows() == 1
            found = await client.fetch_order(sent["id"], symbol)
            assert (found["status"], found["filled"], found["average"]) == ("closed", 2.0, 100.0)
            (trade,) = await client.fetch_my_trades(symbol)
            assert (trade["order"], trade["price"], trade["amount"]) == (sent["id"], 100.0, 2.0)
            assert (trade["fee"]["cost"], trade["fee"]["currency"]) == (0.1, "USDT")
            assert trade["takerOrMaker"] == "taker"
            assert trade["timestamp"] == (FIRST + MINUTE) // 10**6
            later = await client.fetch_my_trades(symbol, params={"fromId": int(trade["id"]) + 1})
            assert later == []
            assert await client.fetch_open_orders(symbol) == []
            assert [o["id"] for o in await client.fetch_orders(symbol)] == [sent["id"]]

    run(test)


def test_balances_and_positions_follow() -> None:
    async def test() -> None:
        async with trading() as venue:
            for symbol in (SPOT, PERP):
                await venue.client(symbol).create_order(symbol, "market", "buy", 2.0)
            await venue.rows()
            spot = await venue.spot.fetch_balance()
            assert (spot["BTC"]["free"], spot["USDT"]["free"]) == (2.0, 10_000 - 200.1)
            perp = await venue.perp.fetch_balance()
            assert perp["USDT"]["total"] == 9_999.9
            assert perp["USDT"]["used"] == pytest.approx(20.0)
            (position,) = await venue.perp.fetch_positions([PERP])
            assert (position["contracts"], position["entryPrice"]) == (2.0, 100.0)
            assert position["side"] == "long"

    run(test)


def test_a_fee_in_coins_is_taken_from_the_units() -> None:
    async def test() -> None:
        async with trading(settings=COIN_FEES) as venue:
            await venue.spot.create_order(SPOT, "market", "buy", 2.0)
            await venue.rows()
            (trade,) = await venue.spot.fetch_my_trades(SPOT)
            assert (trade["amount"], trade["fee"]["currency"]) == (2.0, "BTC")
            held = (await venue.spot.fetch_balance())["BTC"]["free"]
            assert held == 2.0 - trade["fee"]["cost"] == 2.0 - 2.0 * 0.001

    run(test)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_a_limit_order_rests_and_is_a_maker(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client = venue.client(symbol)
            sent = await client.create_order(symbol, "limit", "buy", 1.0, 95.0, named("low"))
            await venue.rows()
            (waiting,) = await client.fetch_open_orders(symbol)
            assert (waiting["id"], waiting["price"], waiting["status"]) == (
                sent["id"],
                95.0,
                "open",
            )
            await venue.rows(2)
            (trade,) = await client.fetch_my_trades(symbol)
            assert (trade["price"], trade["takerOrMaker"]) == (95.0, "maker")
            assert trade["fee"]["cost"] == pytest.approx(95 * 2e-4)

    run(test)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_an_order_is_found_and_cancelled_by_its_client_id(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client = venue.client(symbol)
            await client.create_order(symbol, "limit", "buy", 1.0, 50.0, named("mine"))
            found = await client.fetch_order(None, symbol, {"origClientOrderId": "mine"})
            assert found["status"] == "open"
            ended = await client.cancel_order(None, symbol, {"origClientOrderId": "mine"})
            assert ended["status"] == "canceled"
            again = client.cancel_order(None, symbol, {"origClientOrderId": "mine"})
            assert await refused(again) == -2011
            unknown = client.fetch_order(None, symbol, {"origClientOrderId": "other"})
            assert await refused(unknown) == -2013
            for price in (50.0, 51.0):
                await client.create_order(symbol, "limit", "buy", 1.0, price)
            await client.cancel_all_orders(symbol)
            assert await client.fetch_open_orders(symbol) == []

    run(test)


STOPS = [
    ("stopLossPrice", 92.0, 92.0),
    ("takeProfitPrice", 108.0, 108.0),
]


@pytest.mark.parametrize(("name", "level", "price"), STOPS)
def test_stops_of_spot_are_orders(name: str, level: float, price: float) -> None:
    async def test() -> None:
        async with trading() as venue:
            await venue.spot.create_order(SPOT, "market", "buy", 2.0)
            await venue.rows()
            more = {name: level, **named("exit")}
            sent = await venue.spot.create_order(SPOT, "market", "sell", 2.0, None, more)
            assert sent["triggerPrice"] == level
            await venue.rows(2)
            found = await venue.spot.fetch_order(sent["id"], SPOT)
            assert (found["status"], found["average"]) == ("closed", price)
            assert (await venue.spot.fetch_balance())["BTC"]["free"] == 0.0

    run(test)


@pytest.mark.parametrize(("name", "level", "price"), STOPS)
def test_stops_of_futures_are_conditional_orders(name: str, level: float, price: float) -> None:
    async def test() -> None:
        async with trading() as venue:
            client, query = venue.perp, {"trigger": True}
            await client.create_order(PERP, "market", "buy", 2.0)
            await venue.rows()
            more = {name: level, "reduceOnly": True, **named("exit")}
            sent = await client.create_order(PERP, "market", "sell", 2.0, None, more)
            assert (sent["status"], sent["info"]["algoStatus"]) == ("open", "NEW")
            (waiting,) = await client.fetch_open_orders(PERP, params=query)
            assert waiting["id"] == sent["id"]
            assert await client.fetch_open_orders(PERP) == []
            await venue.rows(2)
            by_id = {"clientAlgoId": "exit", "trigger": True}
            found = await client.fetch_order(None, PERP, by_id)
            assert found["info"]["algoStatus"] == "FINISHED"
            actual = found["info"]["actualOrderId"]
            order = await client.fetch_order(actual, PERP)
            assert (order["status"], order["average"]) == ("closed", price)
            assert order["clientOrderId"] == "exit"
            trades = await client.fetch_my_trades(PERP)
            assert trades[-1]["order"] == actual
            assert await client.fetch_positions([PERP]) == []

    run(test)


def test_conditional_orders_with_a_limit_trigger_first() -> None:
    async def test() -> None:
        async with trading() as venue:
            client, query = venue.perp, {"clientAlgoId": "entry", "trigger": True}
            more = {"triggerPrice": 105.0, **named("entry")}
            await client.create_order(PERP, "limit", "buy", 1.0, 95.0, more)
            await venue.rows(2)
            while (await venue.exchange.step()).name == "fills":
                found = await client.fetch_order(None, PERP, query)
                if found["info"]["actualOrderId"]:
                    break
            assert found["info"]["algoStatus"] == "TRIGGERED"
            (order,) = await client.fetch_open_orders(PERP)
            assert (order["id"], order["price"]) == (found["info"]["actualOrderId"], 95.0)
            late = client.cancel_order(None, PERP, query)
            assert await refused(late) == -2011

    run(test)


def test_conditional_orders_are_cancelled_one_by_one_and_all() -> None:
    async def test() -> None:
        async with trading() as venue:
            client, query = venue.perp, {"trigger": True}
            for i, level in enumerate((50.0, 51.0, 52.0)):
                more = {"stopLossPrice": level, **named(f"s{i}")}
                await client.create_order(PERP, "market", "sell", 1.0, None, more)
            await client.cancel_order(None, PERP, {"clientAlgoId": "s0", **query})
            left = await client.fetch_open_orders(PERP, params=query)
            assert [order["clientOrderId"] for order in left] == ["s1", "s2"]
            await client.cancel_all_orders(PERP, query)
            assert await client.fetch_open_orders(PERP, params=query) == []
            every = await client.fetch_orders(PERP, params=query)
            assert {order["status"] for order in every} == {"canceled"}

    run(test)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_a_trailing_stop_follows_the_best_price(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client = venue.client(symbol)
            await client.create_order(symbol, "market", "buy", 1.0)
            await venue.rows()
            more = {"trailingPercent": "5", "stopLossOrTakeProfit": "stopLoss"}
            if symbol == PERP:
                more = {"trailingPercent": "5", "reduceOnly": "true"}
            await client.create_order(symbol, "market", "sell", 1.0, None, more)
            await venue.rows(2)
            trades = await client.fetch_my_trades(symbol)
            # The bar falls to 90 first, the path against the account: the stop is still at 95.
            assert [trade["price"] for trade in trades] == [100.0, 95.0]

    run(test)


def test_an_order_can_close_the_position_whatever_its_size() -> None:
    async def test() -> None:
        async with trading() as venue:
            await venue.perp.create_order(PERP, "market", "buy", 1.0)
            await venue.rows()
            more = {"stopLossPrice": 95.0, "closePosition": True}
            await venue.perp.create_order(PERP, "market", "sell", None, None, more)
            await venue.perp.create_order(PERP, "market", "buy", 1.5)
            await venue.rows(2)
            trades = await venue.perp.fetch_my_trades(PERP)
            assert [(t["side"], t["amount"]) for t in trades][-1] == ("sell", 2.5)

    run(test)


def test_exits_end_with_their_position() -> None:
    async def test() -> None:
        async with trading() as venue:
            client, sent = venue.perp, {}
            await client.create_order(PERP, "market", "buy", 1.0)
            await venue.rows()
            for name, level in (("stopLossPrice", 80.0), ("takeProfitPrice", 108.0)):
                more = {name: level, "reduceOnly": True, **named(name)}
                await client.create_order(PERP, "market", "sell", 1.0, None, more)
            await venue.rows(2)
            for name in ("stopLossPrice", "takeProfitPrice"):
                query = {"clientAlgoId": name, "trigger": True}
                sent[name] = (await client.fetch_order(None, PERP, query))["info"]["algoStatus"]
            assert sent == {"stopLossPrice": "EXPIRED", "takeProfitPrice": "FINISHED"}

    run(test)


def test_a_conditional_order_without_money_is_rejected_at_its_trigger() -> None:
    async def test() -> None:
        async with trading() as venue:
            more = {"triggerPrice": 105.0, **named("big")}
            await venue.perp.create_order(PERP, "market", "buy", 950.0, None, more)
            await venue.perp.create_order(PERP, "market", "buy", 900.0)
            await venue.rows(3)
            query = {"clientAlgoId": "big", "trigger": True}
            found = await venue.perp.fetch_order(None, PERP, query)
            assert (found["status"], found["info"]["actualOrderId"]) == ("rejected", "")

    run(test)


def test_the_venue_can_cancel_an_order() -> None:
    async def test() -> None:
        async with trading() as venue:
            sent = await venue.spot.create_order(SPOT, "limit", "buy", 1.0, 50.0)
            await venue.exchange.cancel(int(sent["id"]))
            assert (await venue.spot.fetch_order(sent["id"], SPOT))["status"] == "canceled"
            with pytest.raises(UnknownNameError, match="unknown living order '1'"):
                await venue.exchange.cancel(1)

    run(test)


def test_orders_at_once_fill_or_end() -> None:
    async def test() -> None:
        async with trading() as venue:
            sent = {}
            for tif, price in (("IOC", 99.0), ("FOK", 99.0), ("IOC", 101.0)):
                more = {"timeInForce": tif}
                order = await venue.perp.create_order(PERP, "limit", "buy", 1.0, price, more)
                sent[tif, price] = order["id"]
            await venue.rows()
            ends = {}
            for key, order_id in sent.items():
                ends[key] = (await venue.perp.fetch_order(order_id, PERP))["status"]
            assert list(ends.values()) == ["expired", "expired", "closed"]

    run(test)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_a_post_only_order_never_takes(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client, more = venue.client(symbol), {"postOnly": True}
            taker = await client.create_order(symbol, "limit", "buy", 1.0, 101.0, more)
            maker = await client.create_order(symbol, "limit", "buy", 1.0, 95.0, more)
            await venue.rows(3)
            assert (await client.fetch_order(taker["id"], symbol))["status"] == "expired"
            assert (await client.fetch_order(maker["id"], symbol))["status"] == "closed"

    run(test)


def test_funding_is_income() -> None:
    flat = [(100.0, 100.0, 100.0, 100.0)] * 64
    rates = [math.nan] * 60 + [0.001] + [math.nan] * 3

    async def test() -> None:
        async with trading(bars_of(flat, funding=rates)) as venue:
            await venue.perp.create_order(PERP, "market", "buy", 2.0)
            await venue.rows(62)
            (paid,) = await venue.perp.fetch_funding_history(PERP)
            assert (paid["amount"], paid["code"]) == (-0.2, "USDT")
            assert (await venue.perp.fetch_balance())["USDT"]["total"] == 10_000 - 0.1 - 0.2

    run(test)


def test_leverage_and_modes() -> None:
    async def test() -> None:
        async with trading() as venue:
            found = await venue.perp.set_leverage(5, PERP)
            assert found["leverage"] == "5"
            assert (await venue.perp.fetch_leverage(PERP))["longLeverage"] == 5
            assert await refused(venue.perp.set_leverage(11, PERP)) == -4028
            brackets = await venue.perp.fetch_leverage_tiers([PERP])
            assert brackets[PERP][0]["maxLeverage"] == 10
            assert not (await venue.perp.fetch_position_mode(PERP))["hedged"]
            raw = venue.perp.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
            assert await refused(raw) == -4068

    run(test)


def test_an_account_below_its_margin_is_liquidated() -> None:
    prices = [(100.0, 100.0, 100.0, 100.0)] * 2 + [(100.0, 100.0, 80.0, 80.0)] * 2

    async def test() -> None:
        async with trading(bars_of(prices)) as venue:
            await venue.perp.create_order(PERP, "market", "buy", 900.0)
            await venue.rows(2)
            assert await venue.perp.fetch_positions([PERP]) == []
            orders = await venue.perp.fetch_orders(PERP)
            assert orders[-1]["clientOrderId"].startswith("autoclose-")

    run(test)


def test_the_rights_of_a_key_are_told_and_hold() -> None:
    account = Account(rights=Rights(withdraw=True, trade=False))

    async def test() -> None:
        async with trading(accounts=[account]) as venue:
            rights = await venue.spot.sapiGetAccountApiRestrictions()
            assert rights["enableWithdrawals"] and not rights["enableSpotAndMarginTrading"]
            order = venue.spot.create_order(SPOT, "market", "buy", 1.0)
            assert await refused(order) == -2015

    run(test)


def test_accounts_do_not_see_each_other() -> None:
    accounts = [Account("one", "s1"), Account("two", "s2")]

    async def test() -> None:
        async with trading(accounts=accounts) as venue:
            await venue.spot.create_order(SPOT, "limit", "buy", 1.0, 90.0)
            venue.spot.apiKey, venue.spot.secret = "two", "s2"
            assert await venue.spot.fetch_open_orders(SPOT) == []

    run(test)


def named(client_id: str) -> dict[str, Any]:
    return {"clientOrderId": client_id}


TWO_SPOT = SWING.with_instruments(kind="spot")
NO_LOT = bars_of([(100.0, 100.0, 100.0, 100.0)] * 2).with_instruments(lot=0)


@pytest.mark.parametrize(
    ("bars", "options", "error", "said"),
    [
        (NO_LOT, {}, DataError, "has no lot"),
        (SWING.with_instruments(kind="inverse"), {}, DataError, "inverse contract"),
        (SWING, {"start": 99}, DataError, "from row 99 on"),
        (SWING, {"accounts": []}, ParameterError, "0 accounts"),
        (SWING, {"lockstep": False, "speed": 0}, ParameterError, "speed=0"),
        (SWING, {"names": {"BTC": "A/USDT"}}, UnknownNameError, "unknown symbol 'BTC'"),
        (TWO_SPOT, {"names": {SPOT: "A/USDT", PERP: "A/USDT"}}, DataError, "both AUSDT"),
        (SWING, {"names": {SPOT: "A/USDT", PERP: "A/USDT"}}, None, ""),
    ],
)
def test_bars_and_settings_that_no_exchange_has(
    bars: Bars, options: dict[str, Any], error: type[Exception] | None, said: str
) -> None:
    if error is None:
        LocalExchange(bars, **options)
        return
    with pytest.raises(error, match=said):
        LocalExchange(bars, **options)
