"""An exchange on loopback: the public REST protocols of Binance and Kraken over given data.

It answers like the real exchanges: pages start at a time or an id, have a limit of rows, and
include the candle that is still open. Tests script its faults: see `Fault`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
Query = dict[str, str]


class Candle(NamedTuple):
    open_time: int  # ms
    open: float
    high: float
    low: float
    close: float
    volume: float


class Trade(NamedTuple):
    id: int
    time: int  # ms
    side: str  # of the taker
    price: float
    amount: float


class Funding(NamedTuple):
    time: int  # ms
    rate: float


@dataclass
class Listing:
    """One symbol of the exchange, and what has happened in it: all in order of time."""

    base: str
    quote: str
    kind: str = "spot"  # spot, linear, inverse
    tick: str = "0.01"
    lot: str = "0.001"
    min_value: str = "5"
    contract_size: str = "1"
    funding_hours: int = 8
    candles: dict[str, list[Candle]] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    fundings: list[Funding] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.base}{self.quote}{'_PERP' if self.kind == 'inverse' else ''}"

    def in_days(self, interval: str) -> None:
        """Make the daily candles of those of a shorter interval."""
        days: dict[int, Candle] = {}
        for candle in self.candles[interval]:
            day = candle.open_time // UNITS["d"] * UNITS["d"]
            old = days.get(day, candle._replace(volume=0.0))
            days[day] = Candle(
                day,
                old.open,
                max(old.high, candle.high),
                min(old.low, candle.low),
                candle.close,
                old.volume + candle.volume,
            )
        self.candles["1d"] = list(days.values())


@dataclass
class Fault:
    """What goes wrong with requests.

    Parameters
    ----------
    path : str
        Requests whose path has this in it.
    skip, times : int
        So many go well first, then so many do not.
    status : int
        Of the answer, in place of 200.
    retry_after : int, optional
        Seconds that the answer says to wait.
    delay : float
        Seconds before the answer.
    cut : bool
        Whether the connection ends in the middle of the body.
    body : bytes, optional
        The answer, whatever was asked.
    change : callable, optional
        Changes the answer: rows again, rows left out, other values.
    """

    path: str
    skip: int = 0
    times: int = 1
    status: int = 200
    retry_after: int | None = None
    delay: float = 0.0
    cut: bool = False
    body: bytes | None = None
    change: Callable[[Any], Any] | None = None

    def hits(self, path: str) -> bool:
        """Return whether this request is one of those, and count it."""
        if self.path not in path or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class ExchangeServer(ThreadingHTTPServer):
    """The exchange; as a context it serves, on a port of its own.

    Parameters
    ----------
    listings : iterable of Listing
    now : int
        Its time, ms; it stands still.
    most : int
        Rows of a page.

    Attributes
    ----------
    faults : list of Fault
    asked : list of str
        Path and query of every request.
    """

    daemon_threads = True

    def __init__(self, listings: Iterable[Listing], now: int, most: int = 1_000) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.listings = {(listing.kind, listing.id): listing for listing in listings}
        self.now, self.most = now, most
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *request: object) -> None:
        """Tell what is wrong here; a client that is gone is none of it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)  # type: ignore[arg-type]

    def n_asked(self, path: str) -> int:
        """Return how many requests had this in their path or query."""
        return sum(path in asked for asked in self.asked)

    def fault(self, request: str) -> Fault:
        """Write a request down, and return what goes wrong with it."""
        with self._lock:
            self.asked.append(request)
            return next((fault for fault in self.faults if fault.hits(request)), Fault(""))

    def answer(self, path: str, query: Query) -> Any:
        """Return what the exchange says; None: there is no such place."""
        for start, kind in (("/api/v3", "spot"), ("/fapi/v1", "linear"), ("/dapi/v1", "inverse")):
            if path.startswith(start):
                return _BINANCE[path.removeprefix(start)](self, kind, query)
        return {"error": [], "result": _KRAKEN[path.removeprefix("/0/public")](self, query)}

    def of_kind(self, kind: str) -> list[Listing]:
        return [listing for listing in self.listings.values() if listing.kind == kind]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two of them wait for each other
    server: ExchangeServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        fault = self.server.fault(self.path)
        time.sleep(fault.delay)
        if fault.status != 200:
            # What is wrong with the exchange itself is told by the web server before it.
            if fault.status >= 500 and fault.body is None:
                fault.body = b"<html>It is not there.</html>"
            code = -1003 if fault.status in (418, 429) else -1100
            self._send(fault.status, {"code": code, "msg": "It was not meant to be."}, fault)
            return
        try:
            said = self.server.answer(parts.path, dict(parse_qsl(parts.query)))
        except KeyError as missing:
            self._send(400, {"code": -1121, "msg": f"Invalid symbol: {missing}."}, fault)
            return
        self._send(200, said if fault.change is None else fault.change(said), fault)

    def _send(self, status: int, said: Any, fault: Fault) -> None:
        body = json.dumps(said).encode() if fault.body is None else fault.body
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if fault.retry_after is not None:
            self.send_header("Retry-After", str(fault.retry_after))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault.cut else body)
        self.close_connection = fault.cut

    def log_message(self, *arguments: object) -> None:
        """Be silent."""


def _from(rows: list[Any], since: int | None, until: int, most: int) -> list[Any]:
    """Return a page: rows from a time on, or without one the latest."""
    end = bisect_left(rows, (until + 1,))
    if since is None:
        return rows[max(0, end - most) : end]
    begin = bisect_left(rows, (since,))
    return rows[begin : min(end, begin + most)]


def _page(server: ExchangeServer, rows: list[Any], query: Query) -> list[Any]:
    since, until = _span(server, query)
    return _from(rows, since, until, _limit(server, query))


def _span(server: ExchangeServer, query: Query) -> tuple[int | None, int]:
    since = int(query["startTime"]) if "startTime" in query else None
    return since, min(int(query.get("endTime", server.now)), server.now)


def _limit(server: ExchangeServer, query: Query) -> int:
    return min(int(query.get("limit", 500)), server.most)


def _klines(server: ExchangeServer, kind: str, query: Query) -> Any:
    interval = query["interval"]
    length = int(interval[:-1]) * UNITS[interval[-1]]
    candles = server.listings[kind, query["symbol"]].candles.get(interval, [])
    rows = []
    for c in _page(server, candles, query):
        # Of inverse contracts the volume is in contracts first, and then in coins.
        volume, other = ("1", str(c.volume)) if kind == "inverse" else (str(c.volume), "1")
        end = c.open_time + length - 1
        rows.append([c.open_time, *map(str, c[1:5]), volume, end, other, 1, "0", "0", "0"])
    return rows


def _agg_trades(server: ExchangeServer, kind: str, query: Query) -> Any:
    trades = server.listings[kind, query["symbol"]].trades
    if "fromId" in query:
        begin = bisect_left([trade.id for trade in trades], int(query["fromId"]))
        page = trades[begin : begin + _limit(server, query)]
        page = [trade for trade in page if trade.time <= server.now]
    else:
        # As the real one: of a span with more than a page holds the last ones.
        since, until = _span(server, query)
        page = [t for t in trades if (since or 0) <= t.time <= until][-_limit(server, query) :]
    more = {"M": True} if kind == "spot" else {}
    return [
        {
            **{"a": t.id, "p": str(t.price), "q": str(t.amount), "f": t.id, "l": t.id},
            **{"T": t.time, "m": t.side == "sell", **more},
        }
        for t in page
    ]


def _funding_rate(server: ExchangeServer, kind: str, query: Query) -> Any:
    return [
        {"symbol": query["symbol"], "fundingTime": f.time, "fundingRate": f"{f.rate:.8f}"}
        for f in _page(server, server.listings[kind, query["symbol"]].fundings, query)
    ]


def _funding_info(server: ExchangeServer, kind: str, query: Query) -> Any:
    # As the real one: only those whose hours are not the usual eight.
    return [
        {"symbol": listing.id, "fundingIntervalHours": listing.funding_hours}
        for listing in server.of_kind(kind)
        if listing.funding_hours != 8
    ]


def _exchange_info(server: ExchangeServer, kind: str, query: Query) -> Any:
    return {"serverTime": server.now, "symbols": [_market(each) for each in server.of_kind(kind)]}


def _market(listing: Listing) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": listing.tick, "minPrice": listing.tick},
        {"filterType": "LOT_SIZE", "stepSize": listing.lot, "minQty": listing.lot},
        {"filterType": "MIN_NOTIONAL", "minNotional": listing.min_value},
    ]
    contract = {
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "marginAsset": listing.quote if listing.kind == "linear" else listing.base,
        "contractSize": listing.contract_size,
    }
    return {
        "symbol": listing.id,
        "status": "TRADING",
        "contractStatus": "TRADING",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "filters": filters,
        **({} if listing.kind == "spot" else contract),
    }


_BINANCE: dict[str, Callable[[ExchangeServer, str, Query], Any]] = {
    "/time": lambda server, kind, query: {"serverTime": server.now},
    "/exchangeInfo": _exchange_info,
    "/klines": _klines,
    "/aggTrades": _agg_trades,
    "/fundingRate": _funding_rate,
    "/fundingInfo": _funding_info,
}

_MINUTES = {"1": "1m", "5": "5m", "60": "1h", "1440": "1d"}


def _asset_pairs(server: ExchangeServer, query: Query) -> Any:
    return {
        listing.id: {
            **{"altname": listing.id, "wsname": f"{listing.base}/{listing.quote}"},
            **{"base": listing.base, "quote": listing.quote, "status": "online"},
            "pair_decimals": len(listing.tick.partition(".")[2]),
            "lot_decimals": len(listing.lot.partition(".")[2]),
            **{"costmin": listing.min_value, "ordermin": listing.lot},
            **{"fees": [[0, 0.26]], "fees_maker": [[0, 0.16]], "leverage_buy": []},
        }
        for listing in server.of_kind("spot")
    }


def _ohlc(server: ExchangeServer, query: Query) -> Any:
    # Whatever time is asked for: only the latest, with the one that is still open.
    candles = server.listings["spot", query["pair"]].candles[_MINUTES[query["interval"]]]
    page = _from(candles, None, server.now, min(720, server.most))
    rows = [
        [c.open_time // 1_000, *map(str, c[1:5]), "0", str(c.volume), 1]
        for c in page
        if c.open_time > int(query.get("since", 0)) * 1_000
    ]
    return {query["pair"]: rows, "last": 0}


def _kraken_trades(server: ExchangeServer, query: Query) -> Any:
    trades = [(trade.time, trade) for trade in server.listings["spot", query["pair"]].trades]
    since = int(query.get("since", 0))  # seconds, or ns
    after = since // 1_000_000 if since > 10**15 else since * 1_000
    page = [trade for _, trade in _from(trades, after + 1, server.now, server.most)]
    rows = [[str(t.price), str(t.amount), t.time / 1e3, t.side[0], "l", "", t.id] for t in page]
    return {query["pair"]: rows, "last": "0"}


_KRAKEN: dict[str, Callable[[ExchangeServer, Query], Any]] = {
    "/Time": lambda server, query: {"unixtime": server.now // 1_000},
    "/Assets": lambda server, query: {},
    "/AssetPairs": _asset_pairs,
    "/OHLC": _ohlc,
    "/Trades": _kraken_trades,
}
