"""A local exchange and unmodified ccxt clients, for tests."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro
import numpy as np
from alphalab_live.exchange import Account, LocalExchange

from alphalab.config import Costs, Margin, RunSettings
from alphalab.data.panel.bars import Bars

MINUTE = 60 * 10**9
FIRST = int(np.datetime64("2024-01-01T00:01", "ns").astype(np.int64))
SPOT, PERP = "BTC/USDT", "ETH/USDT:USDT"
MARGIN = Margin(initial=0.1, maintenance=0.05)
SETTINGS = RunSettings(cash=10_000.0, margin=MARGIN)


def bars_of(
    prices: Sequence[tuple[float, float, float, float]], *, funding: Sequence[float] | None = None
) -> Bars:
    """Return bars of a spot pair and a perpetual with the same prices: open, high, low, close."""
    table = np.array(prices, np.float64)
    time = FIRST + MINUTE * np.arange(len(table))
    names = ("open", "high", "low", "close")
    columns = {name: np.repeat(table[:, [i]], 2, axis=1) for i, name in enumerate(names)}
    columns["volume"] = np.full((len(table), 2), 10.0)
    if funding is not None:
        columns["funding"] = np.stack([np.full(len(table), np.nan), funding], axis=1)
    bars = Bars(time, (SPOT, PERP), columns)
    bars = bars.with_instruments(
        tick=0.01, lot=0.001, min_value=5.0, maker_bps=2, taker_bps=5, currency="USDT"
    )
    fields = {} if funding is None else {"funding_hours": 1}
    return bars.with_instruments(symbol=PERP, kind="linear", **fields)


#: Flat at 100, with one swing: up to 110 and down to 90 in row 3.
SWING = bars_of([(100, 100, 100, 100)] * 3 + [(100, 110, 90, 100)] + [(100, 100, 100, 100)] * 8)


class Venue:
    """An exchange with a client of each market."""

    def __init__(self, exchange: LocalExchange, spot: Any, perp: Any) -> None:
        self.exchange, self.spot, self.perp = exchange, spot, perp

    async def rows(self, n: int = 1) -> int:
        """Play n rows to their ends; return the number of events that accounts were told."""
        told = 0
        for _ in range(n):
            while True:
                phase = await self.exchange.step()
                told += phase.told
                if phase.name != "fills":
                    break
        return told

    def client(self, symbol: str) -> Any:
        return self.spot if symbol == SPOT else self.perp


@asynccontextmanager
async def trading(bars: Bars = SWING, **options: Any) -> AsyncIterator[Venue]:
    """Return a context with an exchange whose first row has been played, and its clients."""
    account = Account(settings=options.pop("settings", SETTINGS))
    accounts = options.pop("accounts", [account])
    async with LocalExchange(bars, accounts, **options) as exchange:
        spot = ccxt.pro.binance(exchange.ccxt_config(accounts[0]))
        perp = ccxt.pro.binanceusdm(exchange.ccxt_config(accounts[0]))
        try:
            await asyncio.gather(spot.load_markets(), perp.load_markets())
            venue = Venue(exchange, spot, perp)
            await venue.rows()
            yield venue
        finally:
            await asyncio.gather(spot.close(), perp.close())


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function to its end."""
    asyncio.run(asyncio.wait_for(test(), 60))


async def refused(request: Coroutine[Any, Any, Any], client: Any = None) -> int:
    """Return the code with which a request is refused.

    For some messages ccxt drops the code: `client` has the answer then.
    """
    try:
        await request
    except ccxt.BaseError as error:
        found = re.search(r"\{.*\}", str(error))
        answer = found[0] if found else client.last_http_response
        return int(json.loads(answer)["code"])
    raise AssertionError("it was not refused")


COIN_FEES = RunSettings(cash=10_000.0, costs=Costs(fee_bps=10, fee_in="coin"))
