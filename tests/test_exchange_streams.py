"""The streams of the local exchange, watched by unmodified ccxt.pro, and their faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from alphalab_live.exchange import Fault
from exchange_cases import FIRST, MINUTE, PERP, SPOT, Venue, run, trading

BOTH = pytest.mark.parametrize("symbol", [SPOT, PERP])


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is true; the test's own limit of time ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.01)


async def watching(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start to watch, and give the subscription the time to arrive."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.2)
    return task


@BOTH
def test_candles(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client = venue.client(symbol)
            candles = await watching(client.watch_ohlcv(symbol, "1m"))
            await venue.rows()
            (candle,) = await candles
            assert candle == [FIRST // 10**6, 100.0, 100.0, 100.0, 100.0, 10.0]

    run(test)


@BOTH
def test_orders_trades_and_balances(symbol: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            client = venue.client(symbol)
            orders = await watching(client.watch_orders(symbol))
            trades = await watching(client.watch_my_trades(symbol))
            balance = await watching(client.watch_balance())
            sent = await client.create_order(
                symbol, "market", "buy", 1.0, None, {"clientOrderId": "mine"}
            )
            (new,) = await orders
            assert (new["id"], new["clientOrderId"], new["status"]) == (sent["id"], "mine", "open")
            orders = asyncio.create_task(client.watch_orders(symbol))
            await venue.rows()
            assert (await orders)[-1]["status"] == "closed"
            (trade,) = await trades
            assert (trade["order"], trade["price"], trade["fee"]["cost"]) == (sent["id"], 100, 0.05)
            found = await balance
            assert found["USDT"]["total"] == (9_899.95 if symbol == SPOT else 9_999.95)

    run(test)


def test_a_conditional_order_is_heard_as_algo_and_as_order() -> None:
    async def test() -> None:
        async with trading() as venue:
            heard: list[dict[str, Any]] = []
            handle = venue.perp.handle_message

            def listen(client: Any, message: Any) -> None:
                if "o" in message:
                    heard.append(message)
                handle(client, message)

            venue.perp.handle_message = listen
            await watching(venue.perp.watch_orders(PERP))
            await venue.perp.create_order(PERP, "market", "buy", 1.0)
            await venue.rows()
            more = {"stopLossPrice": 95.0, "reduceOnly": True, "clientOrderId": "exit"}
            await venue.perp.create_order(PERP, "market", "sell", 1.0, None, more)
            await venue.rows(2)
            await until(lambda: heard[-1]["e"] == "ALGO_UPDATE" and heard[-1]["o"]["X"] != "NEW")
            of_exit = [m for m in heard if "exit" in (m["o"].get("caid"), m["o"].get("c"))]
            assert [(m["e"], m["o"]["X"]) for m in of_exit] == [
                ("ALGO_UPDATE", "NEW"),
                ("ALGO_UPDATE", "TRIGGERED"),
                ("ORDER_TRADE_UPDATE", "NEW"),
                ("ORDER_TRADE_UPDATE", "FILLED"),
                ("ALGO_UPDATE", "FINISHED"),
            ]

    run(test)


async def closes_heard(venue: Venue, faults: list[Fault], n_rows: int = 3) -> list[float]:
    """Return the close of every candle that arrives while rows are played under faults."""
    heard: list[tuple[int, float]] = []
    handle = venue.perp.handle_ohlcv

    def listen(client: Any, message: Any) -> None:
        heard.append((int(message["k"]["t"]), float(message["k"]["c"])))
        handle(client, message)

    venue.perp.handle_ohlcv = listen
    await watching(venue.perp.watch_ohlcv(PERP, "1m"))
    venue.exchange.faults.add(faults)
    await venue.rows(n_rows)
    await asyncio.sleep(0.3)
    first = (FIRST + MINUTE) // 10**6 - 60_000
    return [(time - first) / 60_000 if close == 100.0 else close for time, close in heard]


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        ({"do": "drop"}, [1, 2]),
        ({"do": "twice"}, [0, 0, 1, 2]),
        ({"do": "hold"}, [1, 0, 2]),
        ({"do": "delay", "seconds": 0.15}, [1, 2, 0]),
        ({"do": "change", "fields": {"k": {"c": "7"}}}, [7.0, 1, 2]),
        ({"do": "drop", "skip": 1, "times": 2}, [0]),
        ({"do": "close"}, []),
    ],
)
def test_faults_of_candles(fault: dict[str, Any], heard: list[float]) -> None:
    async def test() -> None:
        async with trading() as venue:
            given = Fault(on="stream linear ethusdt@kline_*", **fault)
            assert await closes_heard(venue, [given]) == heard

    run(test)


@BOTH
def test_events_of_an_account_can_be_lost_and_come_twice(symbol: str) -> None:
    kind, name = ("spot", "executionReport") if symbol == SPOT else ("linear", "ORDER_TRADE_UPDATE")

    async def test() -> None:
        async with trading() as venue:
            client, heard = venue.client(symbol), []
            handle = client.handle_order_update

            def listen(socket: Any, message: Any) -> None:
                heard.append(message.get("o", message)["X"] if kind == "linear" else message["X"])
                handle(socket, message)

            client.handle_order_update = listen
            await watching(client.watch_orders(symbol))
            faults = [Fault(on=f"user {kind} {name}", do="drop"),
                      Fault(on=f"user {kind} {name}", do="twice")]  # fmt: skip
            venue.exchange.faults.add(faults)
            await client.create_order(symbol, "market", "buy", 1.0)
            await venue.rows()
            await asyncio.sleep(0.2)
            assert heard == ["FILLED", "FILLED"]

    run(test)


def test_a_stream_whose_key_has_expired_falls_silent() -> None:
    async def test() -> None:
        async with trading() as venue:
            orders = await watching(venue.perp.watch_orders(PERP))
            venue.exchange.faults.add([Fault(on="user linear *", do="expire")])
            await venue.perp.create_order(PERP, "limit", "buy", 1.0, 50.0)
            await venue.perp.create_order(PERP, "limit", "buy", 1.0, 51.0)
            await asyncio.sleep(0.2)
            assert not orders.done()
            await venue.perp.fapiPrivatePostListenKey()
            await venue.perp.create_order(PERP, "limit", "buy", 1.0, 52.0)
            (heard,) = await orders
            assert heard["price"] == 52.0

    run(test)


def test_a_wrong_signature_opens_no_stream() -> None:
    async def test() -> None:
        async with trading() as venue:
            venue.spot.secret = "other"
            with pytest.raises(Exception, match="-1022"):
                await venue.spot.watch_orders(SPOT)
            venue.spot.secret, venue.spot.apiKey = "secret", "nobody"
            with pytest.raises(Exception, match="-2015"):
                await venue.spot.watch_orders(SPOT)

    run(test)


def test_a_client_can_leave_a_stream() -> None:
    async def test() -> None:
        async with trading() as venue:
            await watching(venue.perp.watch_ohlcv(PERP, "1m"))
            hub = venue.exchange._hub
            (names,) = hub._markets.values()
            assert names == {"linear ethusdt@kline_1m"}
            with_answer = asyncio.create_task(venue.perp.un_watch_ohlcv(PERP, "1m"))
            await until(lambda: names == set())
            with_answer.cancel()

    run(test)
