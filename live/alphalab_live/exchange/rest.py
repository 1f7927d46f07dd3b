"""Requests over HTTP: limits, keys, signatures, the endpoint, and what goes wrong on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from alphalab_live.exchange import rest_futures, rest_spot
from alphalab_live.exchange.accounts import Account
from alphalab_live.exchange.desk import Desk, Told
from alphalab_live.exchange.faults import Fault, Faults
from alphalab_live.exchange.hub import Hub, merged
from alphalab_live.exchange.refusals import Refused
from alphalab_live.exchange.routes import Call, Route, Security
from alphalab_live.exchange.signing import check_signed, check_time
from alphalab_live.exchange.streams import announce

ROUTES = rest_spot.ROUTES | rest_futures.ROUTES
PAGE = "<html><body><h1>Please wait</h1></body></html>"


class Request(NamedTuple):
    """A request as it arrived. `query` is what was signed, with its signature."""

    method: str
    path: str
    query: str
    key: str
    address: str


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    headers: dict[str, str]


class Rest:
    """The handler of all requests.

    Parameters
    ----------
    desk : Desk
    hub : Hub
    faults : Faults

    Attributes
    ----------
    requests : deque of (str, str)
        Method and path of the last 10,000 requests.
    """

    def __init__(self, desk: Desk, hub: Hub, faults: Faults) -> None:
        self._desk, self._hub, self._faults = desk, hub, faults
        self.requests: deque[tuple[str, str]] = deque(maxlen=10_000)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Answer a request."""
        sent_in_url = http.method in ("GET", "DELETE")
        query = http.rel_url.raw_query_string
        request = Request(
            http.method,
            http.path,
            query if sent_in_url else (await http.text() or query),
            http.headers.get("X-MBX-APIKEY", ""),
            http.remote or "",
        )
        self.requests.append((request.method, request.path))
        fault = self._faults.take(f"{request.method} {request.path}")
        if fault is None:
            return _response(await self.answer(request))
        answer = Answer(200, b"{}", {})
        if fault.done:
            answer = await self.answer(request)
        if fault.do == "twice":
            await self.answer(request)
        return await _spoiled(http, answer, fault)

    async def answer(self, request: Request) -> Answer:
        """Carry out a request, and return its answer."""
        headers: dict[str, str] = {}
        route = ROUTES.get((request.method, request.path))
        call = Call(
            self._desk,
            "linear" if request.path.startswith("/fapi") else "spot",
            dict(parse_qsl(request.query, keep_blank_values=True)),
        )
        try:
            if route is None:
                message = f"Path {request.path}, Method {request.method} is invalid"
                raise Refused(-5000, message, 404)
            used = self._desk.meter.weigh(request.address, route.weight)
            headers["X-MBX-USED-WEIGHT-1M"] = str(used)
            call.account = self._account(request, call, route)
            if route.orders:
                count = self._desk.meter.order(f"{call.owner.key} {call.kind}")
                headers["X-MBX-ORDER-COUNT-10S"] = str(count)
            body = route.handle(call)
        except Refused as refused:
            if refused.retry_after is not None:
                headers["Retry-After"] = str(refused.retry_after)
            return Answer(refused.status, msgspec.json.encode(refused.body), headers)
        if call.events:
            told = [Told(call.owner.key, call.wallet, event) for event in call.events]
            await announce(self._hub, told, self._desk.tape.now)
        if route.security == Security.KEY and request.path.endswith("listenKey"):
            self._hub.renew(call.owner.key, call.kind)
        return Answer(200, msgspec.json.encode(body), headers)

    def _account(self, request: Request, call: Call, route: Route) -> Account | None:
        """Return the account of a request that proves what its endpoint asks for."""
        if route.security == Security.PUBLIC:
            return None
        if not request.key:
            raise Refused(-2014, "API-key format invalid.", 401)
        account = self._desk.accounts.get(request.key)
        if account is None:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if route.security == Security.SIGNED:
            payload, _, signature = request.query.rpartition("&signature=")
            check_time(call.q, self._desk.clock())
            check_signed(account.secret, payload, signature if payload else None)
        return account


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers=answer.headers,
        content_type="application/json",
    )


async def _spoiled(http: web.Request, answer: Answer, fault: Fault) -> web.StreamResponse:
    """Send an answer with its fault."""
    match fault.do:
        case "lose":
            return _hang_up(http)
        case "cut":
            return await _cut(http, answer)
        case "html":
            return web.Response(text=PAGE, content_type="text/html")
        case "empty":
            return web.Response(body=b"", content_type="application/json")
        case "object":
            return web.json_response({})
        case "answer":
            waits = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            body: dict[str, Any] = {"code": fault.code, "msg": fault.msg}
            return web.json_response(body, status=fault.status, headers=waits)
        case "change":
            content = merged(msgspec.json.decode(answer.body), fault.fields)
            return _response(answer._replace(body=msgspec.json.encode(content)))
        case "delay":
            await asyncio.sleep(fault.seconds)
    return _response(answer)


def _hang_up(http: web.Request) -> web.Response:
    """End the connection without an answer."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response()


async def _cut(http: web.Request, answer: Answer) -> web.StreamResponse:
    """Send half of the body, and end the connection."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = "application/json"
    response.content_length = len(answer.body)
    await response.prepare(http)
    await response.write(answer.body[: len(answer.body) // 2])
    if http.transport is not None:
        http.transport.close()
    return response
