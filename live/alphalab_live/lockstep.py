"""`LockstepVenue`: a local exchange that waits for the runner after everything that happens.

The market goes on by one phase when the runner asks for the next signal, so a month of minutes
passes as fast as the machine can trade it, and always in the same way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from alphalab.errors import VenueError
from alphalab_live.ccxt_records import NS_MS, candle_record, timeframe
from alphalab_live.venue import Signal, Stir
from alphalab_live.venue_ccxt import CcxtVenue

_CANDLE_SECONDS = 0.05  # for the candles of a row to arrive after the phase was told


class LockstepVenue(CcxtVenue):
    """One account at a local exchange in lockstep.

    Parameters
    ----------
    exchange, account, symbols, intervals, config, api
        As of `CcxtVenue`.
    control_url, token : str
        Of the control port.
    pause : float
        Seconds between two rows; 0: none.
    """

    _watches_orders = False  # the phases of the market tell

    def __init__(
        self,
        exchange: str,
        account: str,
        symbols: Mapping[str, str],
        intervals: Mapping[str, int],
        config: Mapping[str, Any],
        *,
        api: Mapping[str, Any],
        control_url: str,
        token: str,
        pause: float = 0.0,
    ) -> None:
        super().__init__(exchange, account, symbols, intervals, config, api=api)
        self._control_url, self._token, self._pause = control_url, token, pause
        self._control: aiohttp.ClientWebSocketResponse | None = None
        self._control_session: aiohttp.ClientSession | None = None
        self._told: deque[Signal] = deque()
        self._market_time = 0

    async def open(self) -> None:
        """Connect to the exchange and to its control port."""
        self._control_session = aiohttp.ClientSession(headers={"X-Token": self._token})
        try:
            self._control = await self._control_session.ws_connect(f"{self._control_url}/lockstep")
        except aiohttp.ClientError as error:
            raise VenueError(
                f"the local exchange at {self._control_url}: {error}",
                rule="a paper run goes on at the exchange that it began with.",
                fix="Its account was in memory: begin a new run.",
            ) from None
        await super().open()
        for symbol, interval in self._intervals.items():
            told = await self._read("fetch_ohlcv", self._symbols[symbol], timeframe(interval))
            closes = (candle_record(row, symbol, interval).time for row in told)
            self._market_time = max(self._market_time, *closes, 0)

    async def close(self) -> None:
        """Disconnect."""
        await super().close()
        if self._control is not None:
            await self._control.close()
        if self._control_session is not None:
            await self._control_session.close()

    def now(self) -> int:
        """Return the close of the last row of the market, ns; 0 before the first."""
        return self._market_time

    async def signal(self) -> Signal:
        """Let the market go on, and return what has happened."""
        if not self._told:
            self._told.extend(await self._next_phase())
        return self._told.popleft()

    async def _next_phase(self) -> list[Signal]:
        if self._control is None:
            raise VenueError("the local exchange is not open")
        await self._control.send_str("go")
        message = await self._control.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise VenueError("the local exchange has gone", fix="Begin a new run.")
        phase = msgspec.json.decode(message.data)
        if phase["name"] == "fills":
            return [Signal(Stir.ORDERS)]
        if phase["name"] == "end":
            return [Signal(Stir.END)]
        self._market_time = phase["time"] * NS_MS
        if self._pause:
            await asyncio.sleep(self._pause)
        return await self._candles_of_row()

    async def _candles_of_row(self) -> list[Signal]:
        """Return the candles of the row; the runner asks for those that do not come."""
        missing = set(self._symbols)
        found: list[Signal] = []
        while missing:
            try:
                signal = await asyncio.wait_for(self._streams.signal(), _CANDLE_SECONDS)
            except TimeoutError:
                break
            candle = signal.candle
            if candle is not None and candle.time == self._market_time:
                missing.discard(candle.symbol)
                found.append(signal)
        return found or [Signal(Stir.TICK)]
