"""Shared by the tests of fetching: the data of an exchange, and the expected rows of a store."""

from __future__ import annotations

import random
from typing import Any

import ccxt
import pyarrow as pa
from exchange_server import Candle, ExchangeServer, Listing, Trade

from alphalab.data.exchanges.fetch import fetch
from alphalab.data.exchanges.fill import Fetched
from alphalab.data.store.store import Store

START = 1_609_459_200_000  # 2021-01-01, ms
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
KLINES, TRADES = "/klines", "/aggTrades"


def hourly(n: int, start: int = START, seed: int = 0) -> list[Candle]:
    rng, price, rows = random.Random(seed), 100.0, []
    for row in range(n):
        open_, price = price, round(price * (1 + rng.gauss(0, 0.01)), 2)
        high, low = max(open_, price) + 0.5, min(open_, price) - 0.5
        rows.append(Candle(start + row * HOUR, open_, high, low, price, float(rng.randint(0, 99))))
    return rows


def listing(candles: list[Candle], kind: str = "spot", **fields: Any) -> Listing:
    made = Listing("BTC", "USD" if kind == "inverse" else "USDT", kind, **fields)
    made.candles["1h"] = candles
    made.in_days("1h")
    return made


def expected(candles: list[Candle], hours: int = 1) -> list[tuple[Any, ...]]:
    return [(candle.open_time + hours * HOUR, *candle[1:]) for candle in candles]


def stored(store: Store, table: str = "bars", **where: str) -> list[tuple[Any, ...]]:
    rows = store.read(table, where=where)
    names = [name for name in rows.column_names if name not in ("venue", "symbol", "interval")]
    columns = [
        rows[name].cast(pa.int64()).to_pylist() if name == "time" else rows[name].to_pylist()
        for name in names
    ]
    times = [time // 1_000 for time in columns[0]]
    return list(zip(times, *columns[1:], strict=True))


def ask(server: ExchangeServer, store: Store, what: str = "1h", **options: Any) -> Fetched:
    """Fetch with a client that does not wait between its requests."""
    exchange = getattr(ccxt, options.pop("exchange", "binance"))
    client = exchange({"rateLimit": 0, "timeout": 500, **options.pop("client", {})})
    symbol = options.pop("symbol", "BTC/USDT")
    try:
        options = {"retry_wait": 0.001, **options}
        return fetch(client, symbol, what, store=store, url=server.url, **options)[0]
    finally:
        client.close()


def candles_of(server: ExchangeServer) -> list[Candle]:
    return server.listings["spot", "BTCUSDT"].candles["1h"]


def trades_of(n: int, crowd: int, seed: int = 0) -> list[Trade]:
    """Trades of which up to `crowd` share a ms."""
    rng, time, rows = random.Random(seed), START, []
    while len(rows) < n:
        time += rng.choice((1, 3, 500, 20_000, 3 * HOUR))
        for _ in range(rng.randint(1, crowd)):
            side = rng.choice(("buy", "sell"))
            rows.append(Trade(995 + len(rows), time, side, 100.0 + len(rows), 1.5))
    return rows[:n]


def as_stored(trades: list[Trade]) -> list[tuple[Any, ...]]:
    return [(t.time, str(t.id), t.side, t.price, t.amount) for t in trades]
