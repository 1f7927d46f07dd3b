"""Streams: who listens to which markets and accounts, and what is sent to them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import msgspec
from aiohttp.web import WebSocketResponse

from alphalab_live.exchange.faults import Fault, Faults

Json = dict[str, Any]


class Hub:
    """The open sockets and their subscriptions.

    Parameters
    ----------
    faults : Faults
        What goes wrong with events.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._markets: dict[WebSocketResponse, set[str]] = {}
        self._users: dict[tuple[str, str], list[WebSocketResponse]] = defaultdict(list)
        self._silent: set[tuple[str, str]] = set()
        self._held: dict[WebSocketResponse, list[str]] = defaultdict(list)
        self._late: set[asyncio.Task[None]] = set()

    def open(self, socket: WebSocketResponse) -> set[str]:
        """Add a socket; return the names of the streams that it listens to, to be changed."""
        return self._markets.setdefault(socket, set())

    def listen(self, socket: WebSocketResponse, key: str, kind: str) -> None:
        """Subscribe a socket to the events of an account."""
        if socket not in self._users[key, kind]:
            self._users[key, kind].append(socket)

    def close(self, socket: WebSocketResponse) -> None:
        """Forget a socket."""
        self._markets.pop(socket, None)
        self._held.pop(socket, None)
        for sockets in self._users.values():
            if socket in sockets:
                sockets.remove(socket)

    def renew(self, key: str, kind: str) -> None:
        """Let the stream of an account speak again after its key had expired."""
        self._silent.discard((key, kind))

    async def publish(self, name: str, message: Json) -> None:
        """Send a message of a market to everyone who listens."""
        sockets = [socket for socket, names in self._markets.items() if name in names]
        if sockets:
            await self._spread(sockets, message, self._faults.take(f"stream {name}"))

    async def tell(self, key: str, kind: str, message: Json) -> None:
        """Send an event to the owner of an account."""
        sockets = list(self._users[key, kind])
        if not sockets or (key, kind) in self._silent:
            return
        fault = self._faults.take(f"user {kind} {message['e']}")
        if fault is not None and fault.do == "expire":
            self._silent.add((key, kind))
            expired = {"e": "listenKeyExpired", "E": message["E"], "listenKey": key}
            if kind == "linear":
                await self._spread(sockets, expired, None)
            return
        if kind == "spot":
            message = {"subscriptionId": 0, "event": message}
        await self._spread(sockets, message, fault)

    async def drain(self) -> None:
        """Wait for the events that are late."""
        if self._late:
            await asyncio.gather(*self._late, return_exceptions=True)

    async def stop(self) -> None:
        """Close every socket."""
        for task in self._late:
            task.cancel()
        for socket in [*self._markets]:
            await socket.close()

    async def _spread(
        self, sockets: list[WebSocketResponse], message: Json, fault: Fault | None
    ) -> None:
        match None if fault is None else fault.do:
            case "drop":
                return
            case "close":
                for socket in sockets:
                    await socket.close()
                return
            case "change" if fault is not None:
                message = merged(message, fault.fields)
        content = msgspec.json.encode(message).decode()
        for socket in sockets:
            if fault is not None and fault.do == "hold":
                self._held[socket].append(content)
            elif fault is not None and fault.do == "delay":
                task = asyncio.create_task(self._send_late(socket, content, fault.seconds))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            else:
                await self._send(socket, content)
                if fault is not None and fault.do == "twice":
                    await self._send(socket, content)

    async def _send(self, socket: WebSocketResponse, content: str) -> None:
        for text in (content, *self._held.pop(socket, ())):
            if not socket.closed:
                try:
                    await socket.send_str(text)
                except ConnectionError:  # the client has gone; its handler ends by itself
                    return

    async def _send_late(self, socket: WebSocketResponse, content: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._send(socket, content)


def merged(message: Json, fields: Json) -> Json:
    """Return a message in which the given fields, at any depth, have other values.

    Examples
    --------
    >>> merged({"e": "kline", "k": {"c": "1", "x": True}}, {"k": {"c": "2"}})
    {'e': 'kline', 'k': {'c': '2', 'x': True}}
    """
    found = dict(message)
    for name, value in fields.items():
        inner = found.get(name)
        nested = isinstance(value, dict) and isinstance(inner, dict)
        found[name] = merged(inner, value) if nested else value  # type: ignore[arg-type]
    return found
