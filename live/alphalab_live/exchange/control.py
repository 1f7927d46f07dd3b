"""The control port: the signal to go on, faults, and what the exchange has seen."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from alphalab.errors import UnknownNameError
from alphalab_live.exchange.desk import Desk, Phase
from alphalab_live.exchange.faults import Fault, Faults
from alphalab_live.exchange.refusals import Refused
from alphalab_live.exchange.rest import Rest

TOKEN = "X-Token"


class _Halt(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    symbol: str
    halted: bool


class _Cancel(msgspec.Struct, forbid_unknown_fields=True):
    id: int


class Control:
    """The handlers of the control port. Every request has the token in the header X-Token.

    Parameters
    ----------
    desk : Desk
    rest : Rest
    faults : Faults
    token : str
    step : callable or None
        Goes on to the next phase; None: the exchange goes on by itself.
    cancel : callable
        Cancels the order with an id.
    """

    def __init__(
        self,
        desk: Desk,
        rest: Rest,
        faults: Faults,
        *,
        token: str,
        step: Callable[[], Awaitable[Phase]] | None,
        cancel: Callable[[int], Awaitable[None]],
    ) -> None:
        self._desk, self._rest, self._faults = desk, rest, faults
        self._token, self._step, self._cancel = token, step, cancel

    def application(self) -> web.Application:
        """Return the application of the control port."""
        app = web.Application(middlewares=[self._check])
        app.router.add_post("/faults", self._add_faults)
        app.router.add_delete("/faults", self._clear_faults)
        app.router.add_post("/halt", self._halt)
        app.router.add_post("/cancel", self._cancel_order)
        app.router.add_get("/requests", self._requests)
        app.router.add_get("/orders", self._orders)
        app.router.add_get("/lockstep", self._lockstep)
        return app

    @web.middleware
    async def _check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse a request without the token."""
        if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), self._token.encode()):
            return web.json_response({"error": f"the header {TOKEN} has the token"}, status=401)
        try:
            return await handler(request)
        except (msgspec.MsgspecError, Refused, UnknownNameError) as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _add_faults(self, request: web.Request) -> web.Response:
        faults = msgspec.json.decode(await request.read(), type=list[Fault])
        self._faults.add(faults)
        return web.json_response({"added": len(faults)})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({})

    async def _halt(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=_Halt)
        listing = self._desk.listing(asked.kind, asked.symbol)
        (self._desk.halted.add if asked.halted else self._desk.halted.discard)(listing)
        return web.json_response({})

    async def _cancel_order(self, request: web.Request) -> web.Response:
        await self._cancel(msgspec.json.decode(await request.read(), type=_Cancel).id)
        return web.json_response({})

    async def _requests(self, request: web.Request) -> web.Response:
        return web.json_response(list(self._rest.requests))

    async def _orders(self, request: web.Request) -> web.Response:
        """Return every order of every account, as the exchange has it."""
        found: list[dict[str, Any]] = []
        for (key, kind), wallet in self._desk.wallets.items():
            for order in (*wallet.algos.values(), *wallet.orders.values()):
                found.append(
                    {
                        "key": key,
                        "kind": kind,
                        "id": order.id,
                        "algoId": order.algo_id,
                        "clientId": order.client_id,
                        "symbol": order.listing.id,
                        "status": order.status,
                        "filled": order.filled,
                    }
                )
        return web.json_response(found)

    async def _lockstep(self, request: web.Request) -> web.StreamResponse:
        """Go on by one phase for every message; answer with the phase."""
        if self._step is None:
            return web.json_response({"error": "the exchange is not in lockstep"}, status=409)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                phase = await self._step()
                await socket.send_str(msgspec.json.encode(phase._asdict()).decode())
        return socket
