"""Events over WebSockets: candles and trades of markets, and what happens to an account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from alphalab_live.exchange import futures, spot
from alphalab_live.exchange.desk import Desk, Told
from alphalab_live.exchange.hub import Hub
from alphalab_live.exchange.listing import Listing
from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.orders import Trade
from alphalab_live.exchange.refusals import Refused
from alphalab_live.exchange.signing import check_signed, check_time, sorted_payload
from alphalab_live.exchange.tape import Candle
from alphalab_live.exchange.wallet import Update

Json = dict[str, Any]

CLOSE_SECONDS = 1.0  # most that a client has to answer the end of a stream


async def announce(hub: Hub, told: Iterable[Told], now: int) -> None:
    """Send events to the owners of the accounts, and executions to their markets."""
    for key, wallet, event in told:
        dialect = spot if wallet.kind == "spot" else futures
        for message in dialect.messages(event, wallet, now):
            await hub.tell(key, wallet.kind, message)
        if isinstance(event, Update) and event.trade is not None:
            name = stream_name(event.trade.listing, "trade")
            await hub.publish(name, _trade(event.trade))


async def announce_candles(hub: Hub, desk: Desk) -> None:
    """Send the candles of the current row."""
    tape = desk.tape
    for listing in desk.listings:
        candle = tape.candle(listing.asset, tape.row)
        if candle is not None:
            name = stream_name(listing, f"kline_{tape.interval}")
            await hub.publish(name, _kline(listing, candle, tape.interval, tape.now))


def stream_name(listing: Listing, channel: str) -> str:
    """Return the name of a stream, with its market: ``spot btcusdt@kline_1m``."""
    return f"{listing.kind} {listing.id.lower()}@{channel}"


def _kline(listing: Listing, c: Candle, interval: str, now: int) -> Json:
    return {
        "e": "kline",
        "E": now,
        "s": listing.id,
        "k": {
            "t": c.open_time,
            "T": c.close_time,
            "s": listing.id,
            "i": interval,
            "f": 1,
            "L": 1,
            "o": text(c.open),
            "c": text(c.close),
            "h": text(c.high),
            "l": text(c.low),
            "v": text(c.volume),
            "n": 1,
            "x": True,
            "q": text(c.volume * c.close),
            "V": "0",
            "Q": "0",
            "B": "0",
        },
    }


def _trade(t: Trade) -> Json:
    return {
        "e": "trade",
        "E": t.time,
        "T": t.time,
        "s": t.listing.id,
        "t": t.id,
        "p": t.price,
        "q": t.qty,
        "m": t.maker == (t.side == "BUY"),
        "M": True,
        "X": "MARKET",
    }


class Streams:
    """The handlers of WebSockets.

    Parameters
    ----------
    desk : Desk
    hub : Hub
    """

    def __init__(self, desk: Desk, hub: Hub) -> None:
        self._desk, self._hub = desk, hub

    async def spot(self, http: web.Request) -> web.StreamResponse:
        """Serve the market streams of spot."""
        return await self._serve(http, "spot")

    async def futures(self, http: web.Request) -> web.StreamResponse:
        """Serve the streams of futures: of markets, and with a listen key of an account."""
        return await self._serve(http, "linear")

    async def _serve(self, http: web.Request, kind: str) -> web.StreamResponse:
        key = http.query.get("listenKey", "").removeprefix("listen-")
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS)
        await socket.prepare(http)
        names = self._hub.open(socket)
        if key in self._desk.accounts and kind == "linear":
            self._hub.listen(socket, key, kind)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await socket.send_str(_subscribe(message.data, names, kind))
        finally:
            self._hub.close(socket)
        return socket

    async def api(self, http: web.Request) -> web.StreamResponse:
        """Serve the WebSocket API of spot: the subscription to the events of an account."""
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS)
        await socket.prepare(http)
        self._hub.open(socket)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await socket.send_str(self._answer(message.data, socket))
        finally:
            self._hub.close(socket)
        return socket

    def _answer(self, data: str, socket: web.WebSocketResponse) -> str:
        try:
            asked = msgspec.json.decode(data, type=_Asked)
            if asked.method != "userDataStream.subscribe.signature":
                raise Refused(-1000, f"Method {asked.method} is not here.", 404)
            key = self._authorised(asked.params)
        except msgspec.MsgspecError as error:
            return _text({"id": None, "status": 400, "error": {"code": -1000, "msg": str(error)}})
        except Refused as refused:
            return _text({"id": asked.id, "status": refused.status, "error": refused.body})
        self._hub.listen(socket, key, "spot")
        self._hub.renew(key, "spot")
        return _text({"id": asked.id, "status": 200, "result": {"subscriptionId": 0}})

    def _authorised(self, params: Json) -> str:
        """Return the key of a signed request."""
        account = self._desk.accounts.get(str(params.get("apiKey", "")))
        if account is None:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        check_time(params, self._desk.clock())
        check_signed(account.secret, sorted_payload(params), str(params.get("signature", "")))
        return account.key


class _Asked(msgspec.Struct):
    method: str
    id: str | int | None = None
    params: Json = {}


class _Subscription(msgspec.Struct):
    method: str
    id: str | int | None = None
    params: list[str] = []


def _subscribe(data: str, names: set[str], kind: str) -> str:
    """Change the streams that a socket listens to; return the answer."""
    try:
        asked = msgspec.json.decode(data, type=_Subscription)
    except msgspec.MsgspecError as error:
        return _text({"error": {"code": 3, "msg": f"Invalid JSON: {error}"}})
    streams = {f"{kind} {name}" for name in asked.params}
    match asked.method:
        case "SUBSCRIBE":
            names.update(streams)
        case "UNSUBSCRIBE":
            names.difference_update(streams)
        case "LIST_SUBSCRIPTIONS":
            mine = sorted(name.removeprefix(f"{kind} ") for name in names)
            return _text({"result": mine, "id": asked.id})
        case _:
            message = f"Invalid request: unknown variant {asked.method}"
            return _text({"error": {"code": 2, "msg": message}, "id": asked.id})
    return _text({"result": None, "id": asked.id})


def _text(message: Json) -> str:
    return msgspec.json.encode(message).decode()
