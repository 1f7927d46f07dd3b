"""What the local exchange refuses: signatures, parameters, rules of the market, limits."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, get_args

import ccxt
import msgspec
import pytest
from alphalab_live.exchange import Account, Fault, Limits, refusals
from alphalab_live.exchange.refusals import refusal_of
from alphalab_live.exchange.rest import ROUTES
from alphalab_live.exchange.routes import Call, Security
from exchange_cases import PERP, SETTINGS, SPOT, Venue, refused, run, trading

from alphalab.codes import Reason

BUY = {"side": "BUY", "type": "MARKET", "quantity": "1"}
LIMIT = {"side": "BUY", "type": "LIMIT", "quantity": "1", "price": "90", "timeInForce": "GTC"}
STOP = {"side": "SELL", "type": "STOP_LOSS", "quantity": "1", "stopPrice": "90"}
ALGO = {
    "algoType": "CONDITIONAL",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "1",
    "triggerPrice": "90",
}

#: Market, parameters, code.
WRONG = [
    ("spot", {**BUY, "symbol": "NONE"}, -1121),
    ("spot", {k: v for k, v in BUY.items() if k != "side"}, -1102),
    ("spot", {**BUY, "side": "HOLD"}, -1117),
    ("spot", {**BUY, "type": "ODD"}, -1116),
    ("spot", {k: v for k, v in BUY.items() if k != "quantity"}, -1102),
    ("spot", {**BUY, "quantity": "-1"}, -1100),
    ("spot", {**BUY, "quantity": "much"}, -1100),
    ("spot", {**BUY, "quantity": "0"}, -1013),
    ("spot", {**BUY, "quantity": "1.0005"}, -1013),
    ("spot", {**BUY, "quantity": "0.01"}, -1013),
    ("spot", {**BUY, "quantity": "1000"}, -2010),
    ("spot", {**BUY, "price": "90"}, -1106),
    ("spot", {**BUY, "timeInForce": "GTC"}, -1106),
    ("spot", {**BUY, "newClientOrderId": "x" * 37}, -1100),
    ("spot", {**BUY, "newClientOrderId": "a b"}, -1100),
    ("spot", {**BUY, "side": "SELL"}, -2010),
    ("spot", {k: v for k, v in LIMIT.items() if k != "timeInForce"}, -1102),
    ("spot", {**LIMIT, "timeInForce": "DAY"}, -1115),
    ("spot", {**LIMIT, "price": "90.001"}, -1013),
    ("spot", {**LIMIT, "price": "0"}, -1013),
    ("spot", {**STOP, "side": "BUY"}, -2010),
    ("spot", STOP, -2010),
    ("spot", {**STOP, "trailingDelta": "5000"}, -1013),
    ("linear", {**BUY, "symbol": "NONE"}, -1121),
    ("linear", {**BUY, "positionSide": "LONG"}, -4061),
    ("linear", {**BUY, "quantity": "0"}, -4003),
    ("linear", {**BUY, "quantity": "1.0005"}, -1111),
    ("linear", {**BUY, "quantity": "0.01"}, -4164),
    ("linear", {**BUY, "quantity": "2000"}, -2019),
    ("linear", {**BUY, "reduceOnly": "true"}, -2022),
    ("linear", {**BUY, "newClientOrderId": "x" * 37}, -4015),
    ("linear", {**BUY, "type": "STOP_MARKET"}, -1116),
    ("linear", {**LIMIT, "price": "90.001"}, -4014),
    ("linear", {**LIMIT, "price": "0"}, -4001),
    ("algo", {**ALGO, "side": "BUY"}, -2021),
    ("algo", {k: v for k, v in ALGO.items() if k != "algoType"}, -1102),
    ("algo", {k: v for k, v in ALGO.items() if k != "triggerPrice"}, -1102),
    ("algo", {**ALGO, "closePosition": "true"}, -4137),
    ("algo", {**ALGO, "type": "TRAILING_STOP_MARKET"}, -1102),
    ("algo", {**ALGO, "type": "TRAILING_STOP_MARKET", "callbackRate": "50"}, -2007),
]


def sent(venue: Venue, market: str, q: dict[str, Any]) -> Any:
    """Return the request as ccxt sends it, without its own checks."""
    q = {"symbol": "BTCUSDT" if market == "spot" else "ETHUSDT", **q}
    if market == "spot":
        return venue.spot.privatePostOrder(q)
    if market == "linear":
        return venue.perp.fapiPrivatePostOrder(q)
    return venue.perp.fapiPrivatePostAlgoOrder(q)


def test_wrong_orders_have_the_codes_of_the_exchange() -> None:
    async def test() -> None:
        async with trading() as venue:
            for market, q, code in WRONG:
                client = venue.spot if market == "spot" else venue.perp
                assert await refused(sent(venue, market, q), client) == code, (market, q)
            assert all(not wallet.orders for wallet in venue.exchange.desk.wallets.values())

    run(test)


@pytest.mark.parametrize("kind", ["spot", "linear"])
def test_every_rule_of_the_market_has_a_code(kind: str) -> None:
    rules = [
        *(Reason.MIN_VALUE, Reason.LOT, Reason.OFF_TICK, Reason.BAD_QUANTITY, Reason.BAD_PRICE),
        *(Reason.NO_PRICE, Reason.TOO_MANY_ORDERS, Reason.WRONG_SIDE, Reason.NOTHING_TO_REDUCE),
        Reason.CASH if kind == "spot" else Reason.MARGIN,
    ]
    for reason in rules:
        refusal = refusal_of(kind, reason, "5")
        assert refusal.code < 0 and "{" not in refusal.message


def test_too_many_orders() -> None:
    async def test() -> None:
        async with trading() as venue:
            q = {**LIMIT, "quantity": "0.1"}
            for _ in range(200):
                await sent(venue, "linear", q)
            assert await refused(sent(venue, "linear", q)) == -2025

    run(test)


def test_no_order_before_the_first_price() -> None:
    async def test() -> None:
        async with trading(start=11) as venue:
            venue.exchange.desk.wallet("key", "spot").books.account["row"] = -1
            assert await refused(sent(venue, "spot", BUY), venue.spot) == -1013

    run(test)


@pytest.mark.parametrize(
    ("secret", "key", "code"),
    [("other", "key", -1022), ("secret", "nobody", -2015), ("secret", "", -2014)],
)
def test_keys_and_signatures(secret: str, key: str, code: int) -> None:
    async def test() -> None:
        async with trading() as venue:
            for client, symbol in ((venue.spot, SPOT), (venue.perp, PERP)):
                client.secret, client.apiKey = secret, key or " "
                if not key:
                    client.check_required_credentials = lambda: True
                    client.apiKey = ""
                assert await refused(client.fetch_open_orders(symbol)) == code

    run(test)


@pytest.mark.parametrize("minutes", [-1, 1])
def test_a_clock_that_is_off_by_a_minute(minutes: int) -> None:
    async def test() -> None:
        async with trading() as venue:
            for client, symbol in ((venue.spot, SPOT), (venue.perp, PERP)):
                client.options["timeDifference"] = 60_000 * minutes
                assert await refused(client.fetch_open_orders(symbol)) == -1021
                await client.load_time_difference()
                assert await client.fetch_open_orders(symbol) == []
                client.options["recvWindow"] = 60_001
                assert await refused(client.fetch_open_orders(symbol)) == -1131

    run(test)


POLICIES = {"open_only": [False, True, True], "forever": [False, False, False],
            "ttl": [False, False, True]}  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
def test_a_client_id_that_was_used_before(policy: Any) -> None:
    """Again at once, after its order is closed, and a day later."""
    now = [1_704_067_200_000]

    async def test() -> None:
        clock = lambda: now[0]  # noqa: E731
        async with trading(clid_policy=policy, clock=clock) as venue:
            for client, symbol, code in ((venue.spot, SPOT, -2010), (venue.perp, PERP, -4116)):
                client.nonce = clock

                async def again(client: Any = client, symbol: str = symbol, c: int = code) -> bool:
                    more = {"clientOrderId": "same"}
                    try:
                        await client.create_order(symbol, "limit", "buy", 1.0, 50.0, more)
                    except ccxt.BaseError as error:
                        assert str(c) in str(error)
                        return False
                    return True

                assert await again()
                found = [await again()]
                await client.cancel_all_orders(symbol)
                found.append(await again())
                await client.cancel_all_orders(symbol)
                now[0] += 86_400_001
                found.append(await again())
                assert found == POLICIES[policy]
                now[0] -= 86_400_001

    run(test)


def test_request_limits() -> None:
    now = [1_704_067_215_000]

    async def test() -> None:
        limits = Limits(weight=100, orders=3)
        async with trading(limits=limits, clock=lambda: now[0]) as venue:
            spot = venue.spot
            spot.nonce = lambda: now[0]
            now[0] += 60_000
            await spot.fetch_time()
            assert spot.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "1"
            for _ in range(3):
                await spot.create_order(SPOT, "limit", "buy", 1.0, 50.0)
            assert spot.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "3"
            assert await refused(spot.create_order(SPOT, "limit", "buy", 1.0, 50.0)) == -1015
            for _ in range(4):
                await spot.fetch_my_trades(SPOT)
            assert await refused(spot.fetch_my_trades(SPOT)) == -1003
            assert spot.last_response_headers["Retry-After"] == "45"
            for _ in range(20):
                assert await refused(spot.fetch_time()) == -1003
            assert spot.last_response_headers["Retry-After"] == "120"
            now[0] += 60_000
            with pytest.raises(ccxt.DDoSProtection, match="418"):
                await spot.fetch_time()
            now[0] += 60_001
            await spot.fetch_time()

    run(test)


def test_a_halted_market_takes_no_orders() -> None:
    async def test() -> None:
        async with trading() as venue:
            desk = venue.exchange.desk
            desk.halted.update(desk.listings)
            assert await refused(sent(venue, "spot", BUY), venue.spot) == -1013
            assert await refused(sent(venue, "linear", BUY)) == -4140
            await venue.spot.load_markets(True)
            assert not venue.spot.markets[SPOT]["active"]

    run(test)


def test_unknown_paths_and_intervals() -> None:
    async def test() -> None:
        async with trading() as venue:
            assert await refused(venue.spot.publicGetDepth({"symbol": "BTCUSDT"})) == -5000
            assert await refused(venue.spot.fetch_ohlcv(SPOT, "5m")) == -1120
            raw = venue.perp.fapiPrivateGetUserTrades({"symbol": "ETHUSDT", "limit": "x"})
            assert await refused(raw) == -1102

    run(test)


def test_every_private_endpoint_asks_for_a_signature() -> None:
    public = {path for (_, path), route in ROUTES.items() if route.security == Security.PUBLIC}
    assert {path.rpartition("/")[2] for path in public} == {
        *("ping", "time", "exchangeInfo", "klines", "fundingRate"),
    }


def test_a_call_without_a_key_has_no_account() -> None:
    async def test() -> None:
        async with trading(accounts=[Account(settings=SETTINGS)]) as venue:
            with pytest.raises(Exception, match="-2014"):
                _ = Call(venue.exchange.desk, "spot", {}).owner
            await asyncio.sleep(0)

    run(test)


PAGE = (Path(__file__).parents[1] / "docs" / "exchange.md").read_text()


def test_the_page_has_every_endpoint() -> None:
    shown = set(re.findall(r"`(/(?:api|sapi|fapi)/[\w/]+)`", PAGE))
    assert shown == {path for _, path in ROUTES}


def test_the_page_has_every_code_and_every_fault() -> None:
    folder = Path(refusals.__file__).parent
    sources = "".join(path.read_text() for path in folder.glob("*.py"))
    raised = set(re.findall(r"(?:Refused\(|: \()\s*(-\d{4}),", sources))
    section = PAGE.split("## Error codes")[1].split("\n## ")[0]
    assert raised == set(re.findall(r"-\d{4}", section))
    given = next(x.type for x in msgspec.structs.fields(Fault) if x.name == "do")
    assert all(f"`{name}`" in PAGE for name in get_args(given))
