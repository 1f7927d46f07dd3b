"""`LocalExchange`: an exchange over bars, on sockets of this machine."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from alphalab.errors import ParameterError, StateError
from alphalab_live.exchange.accounts import Account
from alphalab_live.exchange.client_ids import Policy
from alphalab_live.exchange.control import Control
from alphalab_live.exchange.desk import Desk, Phase
from alphalab_live.exchange.faults import Faults
from alphalab_live.exchange.hub import Hub
from alphalab_live.exchange.limits import Limits
from alphalab_live.exchange.rest import Rest
from alphalab_live.exchange.streams import Streams, announce, announce_candles
from alphalab_live.exchange.tape import Rows

ANSWER_SECONDS = 0.25  # most that clients have to answer a fill inside a bar, without lockstep


class LocalExchange:
    """An exchange that speaks the protocol of Binance, spot and USD-M futures, over bars.

    Orders meet the bars by the compiled code of the backtest, so a client that trades through it
    gets the fills of the backtest. Use it as an asynchronous context manager.

    Parameters
    ----------
    bars : Bars
        Spot and linear assets, each with a tick and a lot.
    accounts : sequence of Account
        Key pairs, cash, costs, margin. Not given: one account with the key ``key``.
    lockstep : bool
        True: the market waits for `step`, or for the same signal on the control port.
    speed : float
        Without lockstep: how much faster than the bars' own time the market runs.
    start : int
        Row that is played first; the rows before it are history.
    names : mapping of str to str
        Other names for symbols, such as ``{"btc_perp_1m": "BTC/USDT:USDT"}``.
    clid_policy : {"open_only", "forever", "ttl"}
        Which client order ids may be used again: those of closed orders, none, or those older than
        a day.
    limits : Limits, optional
        Request limits; not given: requests are counted, and none is refused.
    host : str
    port, control_port : int
        0: any free port.
    token : str, optional
        Token of the control port; not given: a new one.
    clock : callable, optional
        Time of the server, ms; not given: that of this machine.

    Attributes
    ----------
    url, control_url : str
        Addresses, once it has started.
    faults : Faults
        What goes wrong: ``exchange.faults.add([Fault(on="POST /api/v3/order", do="lose")])``.
    desk : Desk
        Its markets and accounts.

    Raises
    ------
    DataError, ParameterError
        Bars or settings that an exchange cannot have.
    """

    def __init__(
        self,
        bars: Rows,
        accounts: Sequence[Account] = (Account(),),
        *,
        lockstep: bool = True,
        speed: float = 60.0,
        start: int = 0,
        names: Mapping[str, str] = {},
        clid_policy: Policy = "open_only",
        limits: Limits | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        control_port: int = 0,
        token: str | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        if not lockstep and not speed > 0:
            raise ParameterError(f"speed={speed:g}", rule="the speed is above 0.")
        self.desk = Desk(
            bars,
            accounts,
            start=start,
            names=names,
            clid_policy=clid_policy,
            limits=limits,
            clock=clock,
        )
        self.faults = Faults()
        self.token = secrets.token_urlsafe(24) if token is None else token
        self._hub = Hub(self.faults)
        self._rest = Rest(self.desk, self._hub, self.faults)
        self._lockstep, self._speed = lockstep, speed
        self._host, self._port, self._control_port = host, port, control_port
        self._runners: list[web.AppRunner] = []
        self._playing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self.url = self.control_url = ""

    async def __aenter__(self) -> Self:
        control = Control(
            self.desk,
            self._rest,
            self.faults,
            token=self.token,
            step=self.step if self._lockstep else None,
            cancel=self.cancel,
        )
        self.url = await self._open(self.application(), self._port)
        self.control_url = await self._open(control.application(), self._control_port)
        if not self._lockstep:
            self._playing = asyncio.create_task(self._play())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        await self._hub.stop()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    def application(self) -> web.Application:
        """Return the application of the exchange, to be served by other means than `url`."""
        streams = Streams(self.desk, self._hub)
        app = web.Application()
        app.router.add_get("/ws-api/v3", streams.api)
        app.router.add_get("/ws/{n}", streams.spot)
        for category in ("market", "public"):
            app.router.add_get(f"/fstream/{category}/ws/{{n}}", streams.futures)
        app.router.add_get("/fstream/private/ws", streams.futures)
        app.router.add_route("*", "/{path:.*}", self._rest.handle)
        return app

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of the last 10,000 requests."""
        return list(self._rest.requests)

    async def step(self) -> Phase:
        """Go on to the next point at which clients may act; see `Phase`.

        Raises
        ------
        StateError
            The exchange is not in lockstep.
        """
        if not self._lockstep:
            raise StateError(
                "step() of an exchange with a speed",
                rule="only an exchange in lockstep waits.",
                fix="Make it with lockstep=True.",
            )
        return await self._step()

    async def cancel(self, order_id: int) -> None:
        """Cancel an order by the venue, as in maintenance: nobody has asked for it.

        Raises
        ------
        UnknownNameError
            No order with this id lives.
        """
        await announce(self._hub, self.desk.cancel(order_id), self.desk.tape.now)

    def ccxt_config(self, account: Account | None = None) -> dict[str, Any]:
        """Return the configuration of a ccxt client for this exchange.

        Parameters
        ----------
        account : Account, optional
            Not given: the first one.

        Examples
        --------
        ``ccxt.pro.binanceusdm(exchange.ccxt_config())``
        """
        chosen = account or next(iter(self.desk.accounts.values()))
        kinds = {x.kind for x in self.desk.listings}
        return {
            "apiKey": chosen.key,
            "secret": chosen.secret,
            "enableRateLimit": False,
            "urls": {"api": ccxt_urls(self.url)},
            "options": {
                "fetchMarkets": {"types": sorted(kinds)},
                "fetchCurrencies": False,
                "fetchMargins": False,
                "warnOnFetchOpenOrdersWithoutSymbol": False,
            },
        }

    async def _step(self) -> Phase:
        async with self._turn:
            phase, told = self.desk.step()
            await announce(self._hub, told, phase.time)
            if phase.name == "candle":
                await announce_candles(self._hub, self.desk)
            return phase

    async def _play(self) -> None:
        """Play row after row. Orders sent before a row is played meet its open."""
        seconds = self.desk.tape.spacing / 1000 / self._speed
        while not self.desk.tape.ended:
            await asyncio.sleep(seconds)
            while (await self._step()).name == "fills":
                await asyncio.sleep(min(seconds / 10, ANSWER_SECONDS))

    async def _open(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._host, port).start()
        return f"http://{self._host}:{runner.addresses[0][1]}"


def ccxt_urls(url: str) -> dict[str, Any]:
    """Return the addresses of a ccxt binance client, all of them at a local exchange.

    Examples
    --------
    >>> ccxt_urls("http://127.0.0.1:8000")["ws"]["spot"]
    'ws://127.0.0.1:8000/ws'
    """
    socket = url.replace("http://", "ws://", 1)
    versions = {"": "v1", "V2": "v2", "V3": "v3", "V4": "v4"}
    found: dict[str, Any] = {"public": f"{url}/api/v3", "private": f"{url}/api/v3"}
    found["v1"] = f"{url}/api/v1"
    for suffix, version in versions.items():
        found[f"sapi{suffix}"] = f"{url}/sapi/{version}"
        found[f"fapiPublic{suffix}"] = f"{url}/fapi/{version}"
        found[f"fapiPrivate{suffix}"] = f"{url}/fapi/{version}"
    found["fapiData"] = f"{url}/futures/data"
    found["ws"] = {
        "spot": f"{socket}/ws",
        "future": f"{socket}/fstream/ws",
        "ws-api": {"spot": f"{socket}/ws-api/v3", "future": f"{socket}/ws-fapi/v1"},
    }
    return found
