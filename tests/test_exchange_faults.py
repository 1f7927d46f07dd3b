"""What goes wrong with requests on demand: what the exchange has then, and what ccxt says."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import ccxt
import pytest
from alphalab_live.exchange import Fault
from alphalab_live.exchange.control import TOKEN
from exchange_cases import PERP, SPOT, Venue, run, trading

PATHS = {SPOT: "POST /api/v3/order", PERP: "POST /fapi/v1/order"}
BOTH = pytest.mark.parametrize("symbol", [SPOT, PERP])


async def outcome(venue: Venue, symbol: str, **fault: Any) -> tuple[Any, int]:
    """Send an order under a fault; return what ccxt says, and how often the exchange has it."""
    venue.exchange.faults.add([Fault(on=PATHS[symbol], **fault)])
    client = venue.client(symbol)
    try:
        said: Any = await client.create_order(
            symbol, "limit", "buy", 1.0, 50.0, {"clientOrderId": "mine"}
        )
    except ccxt.BaseError as error:
        said = type(error)
    kind = "spot" if symbol == SPOT else "linear"
    return said, len(venue.exchange.desk.wallet("key", kind).orders)


@BOTH
@pytest.mark.parametrize(
    ("fault", "said", "n_orders"),
    [
        ({"do": "lose"}, ccxt.NetworkError, 1),
        ({"do": "lose", "done": False}, ccxt.NetworkError, 0),
        ({"do": "cut"}, ccxt.BaseError, 1),
        ({"do": "answer", "status": 504, "code": -1007}, ccxt.BaseError, 1),
        ({"do": "answer", "status": 400, "code": -1006}, ccxt.BaseError, 1),
        ({"do": "answer", "status": 503, "code": -1008, "done": False}, ccxt.BaseError, 0),
        ({"do": "answer", "status": 429, "code": -1003, "done": False}, ccxt.DDoSProtection, 0),
        ({"do": "answer", "status": 418, "code": -1003, "done": False}, ccxt.DDoSProtection, 0),
    ],
)
def test_answers_that_raise(
    symbol: str, fault: dict[str, Any], said: type[Exception], n_orders: int
) -> None:
    async def test() -> None:
        async with trading() as venue:
            found, n_found = await outcome(venue, symbol, **fault)
            assert isinstance(found, type) and issubclass(found, said), found
            assert n_found == n_orders
            again, _ = await outcome(venue, symbol, do="lose", skip=9)
            if n_orders == 0:  # the fault is over
                assert again["clientOrderId"] == "mine"
            else:  # and the order is there
                assert issubclass(again, ccxt.ExchangeError)

    run(test)


@BOTH
@pytest.mark.parametrize("do", ["html", "empty", "object"])
def test_answers_that_ccxt_takes_for_an_order_without_an_id(symbol: str, do: str) -> None:
    async def test() -> None:
        async with trading() as venue:
            found, n_orders = await outcome(venue, symbol, do=do)
            assert n_orders == 1
            assert isinstance(found, dict) and found["id"] is None

    run(test)


def test_an_answer_about_another_order() -> None:
    async def test() -> None:
        async with trading() as venue:
            fields = {"orderId": 1, "clientOrderId": "other"}
            found, n_orders = await outcome(venue, PERP, do="change", fields=fields)
            assert (found["id"], found["clientOrderId"], n_orders) == ("1", "other", 1)

    run(test)


def test_a_late_answer() -> None:
    async def test() -> None:
        async with trading() as venue:
            began = asyncio.get_running_loop().time()
            found, n_orders = await outcome(venue, PERP, do="delay", seconds=0.2)
            assert asyncio.get_running_loop().time() - began >= 0.2
            assert (found["clientOrderId"], n_orders) == ("mine", 1)

    run(test)


@pytest.mark.parametrize("policy", ["open_only", "forever", "ttl"])
def test_a_request_that_arrives_twice_is_refused_once(policy: Any) -> None:
    async def test() -> None:
        async with trading(clid_policy=policy) as venue:
            found, n_orders = await outcome(venue, PERP, do="twice")
            assert (found["clientOrderId"], n_orders) == ("mine", 1)
            assert venue.exchange.requests.count(("POST", "/fapi/v1/order")) == 1

    run(test)


def test_the_control_port_takes_faults_and_tells_what_the_exchange_has() -> None:
    async def test() -> None:
        async with trading() as venue:
            url, headers = venue.exchange.control_url, {TOKEN: venue.exchange.token}
            async with aiohttp.ClientSession(headers=headers) as session:
                faults = [{"on": PATHS[PERP], "do": "lose", "times": 2}]
                async with session.post(f"{url}/faults", json=faults) as answer:
                    assert await answer.json() == {"added": 1}
                order = ("market", "buy", 1.0, None, {"clientOrderId": "mine"})
                with pytest.raises(ccxt.NetworkError):
                    await venue.perp.create_order(PERP, *order)
                async with session.delete(f"{url}/faults") as answer:
                    assert answer.status == 200
                async with session.get(f"{url}/orders") as answer:
                    (found,) = await answer.json()
                    assert (found["clientId"], found["status"]) == ("mine", "NEW")
                async with session.get(f"{url}/requests") as answer:
                    assert ["POST", "/fapi/v1/order"] in await answer.json()
                async with session.post(f"{url}/cancel", json={"id": found["id"]}) as answer:
                    assert answer.status == 200
                async with session.post(f"{url}/cancel", json={"id": 1}) as answer:
                    assert answer.status == 400
                halt = {"kind": "linear", "symbol": "ETHUSDT", "halted": True}
                async with session.post(f"{url}/halt", json=halt) as answer:
                    assert answer.status == 200
                with pytest.raises(ccxt.BaseError, match="-4140"):
                    await venue.perp.create_order(PERP, "market", "buy", 1.0)

    run(test)


def test_the_control_port_refuses_what_it_does_not_know() -> None:
    async def test() -> None:
        async with trading() as venue:
            url, headers = venue.exchange.control_url, {TOKEN: venue.exchange.token}
            async with aiohttp.ClientSession() as session:
                for method, path in (("POST", "faults"), ("GET", "orders"), ("GET", "lockstep")):
                    async with session.request(method, f"{url}/{path}") as answer:
                        assert answer.status == 401
                    wrong = {TOKEN: "no"}
                    async with session.request(method, f"{url}/{path}", headers=wrong) as answer:
                        assert answer.status == 401
                for faults in ([{"on": "x", "do": "explode"}], [{"on": "x"}], {"a": 1}):
                    async with session.post(
                        f"{url}/faults", json=faults, headers=headers
                    ) as answer:
                        assert answer.status == 400
                        assert "error" in await answer.json()

    run(test)


def test_the_signal_to_go_on_comes_over_the_control_port() -> None:
    async def test() -> None:
        async with trading() as venue:
            url, headers = venue.exchange.control_url, {TOKEN: venue.exchange.token}
            await venue.perp.create_order(PERP, "market", "buy", 1.0)
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.ws_connect(f"{url}/lockstep") as socket,
            ):
                heard = []
                for _ in range(3):
                    await socket.send_str("idle")
                    heard.append(await socket.receive_json())
            assert [(x["name"], x["row"], x["told"]) for x in heard] == [
                ("fills", 1, 1),
                ("candle", 1, 0),
                ("candle", 2, 0),
            ]

    run(test)
