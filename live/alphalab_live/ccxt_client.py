"""ccxt's own client, listened to: what went over the wire, and which candles are closed.

Nothing of ccxt is replaced: four of its hooks are extended, and they call what they extend. The
session refuses every host that is not one of the exchange's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from alphalab.errors import RefusedError, UnknownNameError, VenueError, import_extra
from alphalab_live.outcomes import Wire

#: Called before a request leaves, with method, path and body without signature and keys.
OnSend = Callable[[str, str, str], None]
_SECRET = ("signature", "apiKey", "listenKey")


class NoJson(Exception):
    """An exchange has answered with something else, such as a web page."""


class _Recording:
    """What one request did on the wire."""

    def __init__(self, on_send: OnSend | None) -> None:
        self.on_send = on_send
        self.wire = Wire(sent=False)


_recording: ContextVar[_Recording | None] = ContextVar("recording", default=None)


@contextlib.contextmanager
def recording(on_send: OnSend | None = None) -> Iterator[_Recording]:
    """Record what the requests of this task do on the wire: the last one counts."""
    found = _Recording(on_send)
    token = _recording.set(found)
    try:
        yield found
    finally:
        _recording.reset(token)


class Listening:
    """Mixed into a class of `ccxt.pro`: extends four hooks of it."""

    on_kline: Callable[[str, Mapping[str, Any]], None] | None = None
    stream_ends: frozenset[str] = frozenset()

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        """Send a request, and note that it left; refuse an answer that is no JSON.

        ccxt hands a web page on as text, and reads candles and orders from its letters.
        """
        found = _recording.get()
        if found is not None:
            if found.on_send is not None:
                found.on_send(method, *_without_secrets(url, body))
            found.wire = Wire(sent=True)
        answer = await super().fetch(url, method, headers, body)  # type: ignore[misc]
        if not isinstance(answer, dict | list):
            raise NoJson(f"the answer is no JSON: {' '.join(str(answer).split())[:100]}")
        return answer

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *sent: Any
    ) -> Any:
        """Note the status and the body of an answer before anything is made of them."""
        found = _recording.get()
        if found is not None:
            wait = {str(name).lower(): value for name, value in headers.items()}.get("retry-after")
            seconds = float(wait) if wait is not None and str(wait).isdigit() else 0.0
            found.wire = Wire(True, code, body.encode(errors="replace"), seconds)
        return super().on_rest_response(  # type: ignore[misc]
            code, reason, url, method, headers, body, *sent
        )

    def handle_ohlcv(self, client: Any, message: Any) -> None:
        """Pass on a candle with its closed flag, which ccxt drops."""
        if self.on_kline is not None:
            ccxt: Any = self
            kind = "spot" if ccxt.is_spot_url(client) else "contract"
            self.on_kline(ccxt.safe_symbol(message["k"]["s"], None, None, kind), message["k"])
        super().handle_ohlcv(client, message)  # type: ignore[misc]

    def handle_message(self, client: Any, message: Any) -> None:
        """Fail the calls that wait for a stream whose key has expired; ccxt keeps them waiting."""
        super().handle_message(client, message)  # type: ignore[misc]
        told = message.get("event", message) if isinstance(message, Mapping) else {}
        if isinstance(told, Mapping) and told.get("e") in self.stream_ends:
            ccxt: Any = self
            for kept in ccxt.options.values():
                if isinstance(kept, dict) and "lastAuthenticatedTime" in kept:
                    kept["lastAuthenticatedTime"] = 0  # it asks for a new key
            client.reject(VenueError(f"the stream has ended: {told['e']}"))


def make_client(
    name: str, config: Mapping[str, Any], *, api: Mapping[str, Any] | None = None
) -> Any:
    """Return a client of `ccxt.pro` that is listened to.

    Parameters
    ----------
    name : str
        Of the exchange, as ccxt writes it.
    config : mapping
        As ccxt takes it: keys and options.
    api : mapping, optional
        Addresses that replace the exchange's own, in the layout of ccxt's ``urls["api"]``.

    Raises
    ------
    UnknownNameError
        ccxt has no such exchange with streams.
    RefusedError
        A ccxt whose signing was replaced.
    """
    pro = import_extra("ccxt.pro", "live")
    if name not in pro.exchanges:
        raise UnknownNameError("exchange", name, pro.exchanges)
    original = getattr(pro, name)
    cls = type(f"Listening_{name}", (Listening, original), {})
    given = dict(config)
    if api is not None:
        given["urls"] = {"api": dict(api)}
    client = cls(given)
    if type(client).sign is not original.sign:
        raise RefusedError(
            f"the signing of ccxt's {name} was replaced",
            rule="requests are signed by ccxt itself.",
            fix="Install ccxt again, from its own index.",
        )
    return client


def open_session(client: Any) -> aiohttp.ClientSession:
    """Give a client a session that talks to the exchange's hosts alone, and return it."""
    client.own_session = False
    client.open()  # makes ccxt's own TLS context and loop, and no session
    allowed = hosts_of(client.urls["api"])

    async def refuse_others(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: Any
    ) -> None:
        if params.url.host not in allowed:
            raise RefusedError(
                f"a request to {params.url.host}",
                rule=f"the runner talks to {', '.join(sorted(allowed))} alone.",
                fix="Look for what changed the addresses of ccxt.",
            )

    async def refuse_redirect(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: Any
    ) -> None:
        target = params.response.headers.get("Location", "another address")
        raise RefusedError(
            f"{params.url.host} redirects {params.url.path} to {target}",
            rule="the runner follows no redirect: a signed request goes to one host.",
            fix="Look at the status of the exchange, and for what changed the addresses of ccxt.",
        )

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(refuse_others)
    trace.on_request_redirect.append(refuse_redirect)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=client.ssl_context or True), trace_configs=[trace]
    )
    client.session = session
    return session


def hosts_of(urls: Any) -> set[str]:
    """Return the hosts of nested addresses.

    Examples
    --------
    >>> sorted(hosts_of({"public": "https://a.com/v3", "ws": {"spot": "wss://s.a.com:9443/ws"}}))
    ['a.com', 's.a.com']
    """
    if isinstance(urls, Mapping):
        return set().union(*(hosts_of(address) for address in urls.values()))
    host = urlsplit(str(urls)).hostname
    return {host} if host else set()


def moved(urls: Any, host: str, *, futures: bool = False) -> Any:
    """Return nested addresses of Binance on another host and port, without TLS; paths are kept.

    Streams of spot and futures have one path on hosts of their own: on one host they are told
    apart by the first part of the path, ``/stream`` and ``/fstream``.

    Examples
    --------
    >>> moved({"public": "https://api.binance.com/api/v3"}, "127.0.0.1:8000")
    {'public': 'http://127.0.0.1:8000/api/v3'}
    """
    if isinstance(urls, Mapping):
        return {
            name: moved(address, host, futures=futures or name in ("future", "delivery", "papi"))
            for name, address in urls.items()
        }
    parts = urlsplit(str(urls))
    if parts.scheme not in ("ws", "wss"):
        return urlunsplit(("http", host, parts.path, "", ""))
    prefix = "" if parts.path.startswith("/ws-") else "/fstream" if futures else "/stream"
    return urlunsplit(("ws", host, prefix + parts.path, "", ""))


def _without_secrets(url: str, body: Any) -> tuple[str, str]:
    """Return path and body of a request without what signs it."""
    parts = urlsplit(url)
    text = body if isinstance(body, str) and body else parts.query
    kept = [x for x in text.split("&") if x.split("=", 1)[0] not in _SECRET]
    return parts.path, "&".join(kept)
