"""`Streams`: what wakes the runner. Nothing that a stream says is booked: REST has it too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from alphalab_live.ccxt_records import NS_MS, timeframe
from alphalab_live.venue import Candle, Signal, Stir

_TICK = 0.5  # seconds
_BACKOFF = (0.2, 1.0, 5.0, 15.0)  # seconds before a stream is opened again
_OPEN = 2.0  # seconds after which a stream that has not failed is open again


class Streams:
    """The streams of one account: closed candles, changes of orders, and the passing of time.

    Parameters
    ----------
    client : ccxt.pro.Exchange
        Made by `make_client`.
    symbols : mapping of str to str
        The exchange's symbol of each of the artifacts' symbols.
    intervals : mapping of str to int
        Length of the bars of each symbol, ns.
    """

    def __init__(
        self, client: Any, symbols: Mapping[str, str], intervals: Mapping[str, int]
    ) -> None:
        self._client = client
        self._symbols, self._intervals = dict(symbols), dict(intervals)
        self._ours = {theirs: ours for ours, theirs in symbols.items()}
        self._signals: asyncio.Queue[Signal] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed: set[str] = set()  # names of streams
        client.on_kline = self._on_kline

    def open(self, *, candles: bool, orders: bool) -> None:
        """Begin to listen; where candles have no stream, time alone wakes the runner."""
        self._tasks.append(asyncio.create_task(self._tick()))
        if candles:
            self._keep("candles", self._watch_candles)
        if orders:
            self._keep("orders", self._watch_orders)

    async def close(self) -> None:
        """Listen no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def signal(self) -> Signal:
        """Wait for the next signal."""
        return await self._signals.get()

    def wake(self) -> None:
        """Let `signal` return."""
        self._signals.put_nowait(Signal(Stir.TICK))

    async def _tick(self) -> None:
        """Wake the runner now and then: for commands, and for candles that do not come."""
        while True:
            await asyncio.sleep(_TICK)
            self.wake()

    def _keep(self, name: str, watch: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._keep_open(name, watch)))

    async def _keep_open(self, name: str, watch: Callable[[], Awaitable[None]]) -> None:
        """Keep a stream open; its loss and its return are signals."""
        failures = 0
        while True:
            waiting = asyncio.ensure_future(watch())
            try:
                await asyncio.wait({waiting}, timeout=_OPEN if name in self._closed else None)
                if not waiting.done():
                    self._is_open(name)
                await waiting
                self._is_open(name)
                failures = 0
            except asyncio.CancelledError:
                waiting.cancel()
                raise
            except Exception:  # whatever ccxt raises, the stream is opened again
                self._closed.add(name)
                self._signals.put_nowait(Signal(Stir.DOWN))
                await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
                failures += 1

    def _is_open(self, name: str) -> None:
        if name in self._closed:
            self._closed.remove(name)
            if not self._closed:
                self._signals.put_nowait(Signal(Stir.UP))

    async def _watch_candles(self) -> None:
        wanted = [[x, timeframe(self._intervals[ours])] for ours, x in self._symbols.items()]
        await self._client.watch_ohlcv_for_symbols(wanted)

    async def _watch_orders(self) -> None:
        await self._client.watch_orders()
        self._signals.put_nowait(Signal(Stir.ORDERS))

    def _on_kline(self, theirs: str, k: Mapping[str, Any]) -> None:
        symbol = self._ours.get(theirs)
        if symbol is None or k.get("x") is not True:
            return
        close = int(k["t"]) * NS_MS + self._intervals[symbol]
        candle = Candle(symbol, close, *(float(k[name]) for name in "ohlcv"))
        self._signals.put_nowait(Signal(Stir.CANDLE, candle))
