"""`CcxtVenue`: an exchange through ccxt and ccxt.pro.

Reads are checked field by field; requests about orders are judged by what went over the wire
(`outcomes.py`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import aiohttp
import msgspec

from alphalab.core.events import Intent
from alphalab.errors import ParameterError, RefusedError, UnknownNameError, VenueError
from alphalab_live.ccxt_client import OnSend, make_client, open_session, recording
from alphalab_live.outcomes import (
    BINANCE,
    UNLISTED,
    Outcome,
    Protocol,
    Request,
    Wire,
    read_answer,
)
from alphalab_live.venue import (
    Answered,
    Candle,
    Holdings,
    Income,
    KeyRights,
    Signal,
    Stir,
    Trade,
    VenueOrder,
)

T = TypeVar("T")
NS_MS = 1_000_000
_PAGE = 500  # of trades
NS_SECOND = 10**9
_LONGEST_FUNDING = 86_400 * NS_SECOND
_TRIGGERED = ("stop", "stop_limit", "take_profit", "limit_if_touched", "trailing")
_TICK = 0.5  # seconds
_BACKOFF = (0.2, 1.0, 5.0, 15.0)  # seconds before a stream is opened again


class Dialect(NamedTuple):
    """What differs between exchanges beyond what ccxt makes equal.

    Attributes
    ----------
    protocol : Protocol
    closed_flag : bool
        Its stream of candles says which are closed.
    trade_ids : bool
        Its own trades are numbered, and can be read from a number on.
    """

    protocol: Protocol
    closed_flag: bool
    trade_ids: bool


_BINANCE = Dialect(BINANCE, closed_flag=True, trade_ids=True)
DIALECTS = {"binance": _BINANCE, "binanceusdm": _BINANCE}
PLAIN = Dialect(UNLISTED, closed_flag=False, trade_ids=False)


class CcxtVenue:
    """One account at one exchange.

    Parameters
    ----------
    exchange : str
        As ccxt names it, such as ``binance`` or ``binanceusdm``.
    account : str
        A name for messages and the journal.
    symbols : mapping of str to str
        The exchange's symbol (as ccxt writes it) of each symbol of the artifacts.
    intervals : mapping of str to int
        Length of the bars of each symbol, ns.
    config : mapping
        Keys and options for ccxt.
    api : mapping, optional
        Addresses that replace the exchange's own.
    """

    #: Whether changes of orders wake the runner by a stream.
    _watches_orders = True

    def __init__(
        self,
        exchange: str,
        account: str,
        symbols: Mapping[str, str],
        intervals: Mapping[str, int],
        config: Mapping[str, Any],
        *,
        api: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = exchange
        self.account = account
        self.on_send: Callable[[str, str, str, str], None] = lambda *_: None
        self._symbols = dict(symbols)
        self._ours = {theirs: ours for ours, theirs in symbols.items()}
        self._intervals = dict(intervals)
        self._dialect = DIALECTS.get(exchange, PLAIN)
        self._client = make_client(exchange, _options(config), api=api)
        self._client.on_kline = self._on_kline
        self._session: aiohttp.ClientSession | None = None
        self._signals: asyncio.Queue[Signal] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._ahead_ns = 0  # of this machine's clock, before the venue's

    # ---- connection

    async def open(self) -> None:
        """Connect, load the markets, and open the streams.

        Raises
        ------
        UnknownNameError
            A symbol that the exchange does not have.
        VenueError
            It does not answer.
        """
        self._session = open_session(self._client)
        await self._read("load_markets")
        for theirs in self._symbols.values():
            if theirs not in self._client.markets:
                raise UnknownNameError(f"symbol of {self.name}", theirs, self._client.markets)
        await self.skew()
        if self._dialect.closed_flag:
            self._start(self._watch_candles)
        self._tasks.append(asyncio.create_task(self._tick()))
        if self._watches_orders and self._client.has.get("watchOrders"):
            self._start(self._watch_orders)

    async def close(self) -> None:
        """Close the streams and the session."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()
        if self._session is not None:
            await self._session.close()

    def market(self, symbol: str) -> Mapping[str, Any]:
        """Return the market of one of the artifacts' symbols, as ccxt describes it."""
        market: Mapping[str, Any] = self._client.market(self._symbols[symbol])
        return market

    @property
    def key(self) -> str:
        """The API key."""
        return str(self._client.apiKey)

    def coin(self, symbol: str) -> str:
        """Return the coin that a symbol of spot trades; of a contract, what it is on."""
        return str(self.market(symbol)["base"])

    def now(self) -> int:
        """Return the time by the venue's clock, ns."""
        return time.time_ns() - self._ahead_ns

    async def skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the venue's."""
        if not self._client.has.get("fetchTime"):
            return 0.0
        before = time.time_ns()
        told = await self._read("fetch_time")
        between = (before + time.time_ns()) // 2
        self._ahead_ns = between - _integer(told, "fetch_time") * NS_MS
        return self._ahead_ns / 1e9

    def follow_clock(self) -> None:
        """Sign requests with the venue's time from now on."""
        self._client.options["timeDifference"] = self._ahead_ns // NS_MS

    async def key_rights(self) -> KeyRights:
        """Return what the API key may do, where the exchange tells."""
        if not hasattr(self._client, "sapi_get_account_apirestrictions"):
            return KeyRights(None, None)
        told = await self._read("sapi_get_account_apirestrictions")
        moves = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
        spot = all(self._client.market(x)["spot"] for x in self._ours)
        trades = told.get("enableSpotAndMarginTrading" if spot else "enableFutures")
        return KeyRights(_is_true(trades), any(_is_true(told.get(name)) for name in moves))

    # ---- bars

    async def candles(self, symbol: str, interval: int, after: int, most: int) -> list[Candle]:
        """Return up to `most` closed bars that close later than a time, oldest first."""
        frame = timeframe(interval)
        first = (after // interval) * interval
        rows = await self._read("fetch_ohlcv", self._symbols[symbol], frame, first // NS_MS, most)
        now = self.now()
        found = []
        for row in rows:
            close = _integer(row[0], "fetch_ohlcv") * NS_MS + interval
            if after < close <= now:
                found.append(Candle(symbol, close, *(_price(x) for x in row[1:6])))
        return sorted(found, key=lambda candle: candle.time)

    def _on_kline(self, theirs: str, k: Mapping[str, Any]) -> None:
        symbol = self._ours.get(theirs)
        if symbol is None or k.get("x") is not True:
            return
        close = int(k["t"]) * NS_MS + self._intervals[symbol]
        candle = Candle(symbol, close, *(float(k[name]) for name in "ohlcv"))
        self._signals.put_nowait(Signal(Stir.CANDLE, candle))

    # ---- orders

    async def submit(self, intent: Intent) -> Answered:
        """Send an order, under the client id of its intent."""
        side = "buy" if intent.qty > 0 else "sell"
        kind, price, params = self._terms(intent)
        return await self._ask(
            Request.SUBMIT,
            intent,
            "create_order",
            self._symbols[intent.symbol],
            kind,
            side,
            abs(intent.qty),
            price,
            params,
        )

    async def cancel(self, intent: Intent) -> Answered:
        """Ask the venue to end an order."""
        symbol = self._symbols[intent.symbol]
        return await self._ask(
            Request.CANCEL, intent, "cancel_order", None, symbol, self._naming(intent)
        )

    async def query(self, intent: Intent) -> Answered:
        """Ask the venue for an order by its client id."""
        symbol = self._symbols[intent.symbol]
        return await self._ask(
            Request.QUERY, intent, "fetch_order", None, symbol, self._naming(intent)
        )

    async def _ask(
        self, request: Request, intent: Intent, method: str, *arguments: Any
    ) -> Answered:
        """Make a request about an order; nothing that ccxt raises is taken as an answer."""
        on_send: OnSend | None = None
        if request is not Request.QUERY:
            on_send = lambda *sent: self.on_send(intent.client_id, *sent)  # noqa: E731
        order: Any = None
        with recording(on_send) as found:
            try:
                order = await getattr(self._client, method)(*arguments)
            except (RefusedError, asyncio.CancelledError):
                raise
            except Exception as error:
                if not found.wire.sent:
                    found.wire = Wire(False, 0, f"{type(error).__name__}: {error}".encode())
        wire = found.wire
        if self._dialect.protocol is UNLISTED and order is not None and wire.sent:
            ids = {"id": order.get("id"), "clientOrderId": order.get("clientOrderId")}
            reading = read_answer(
                request, wire._replace(body=msgspec.json.encode(ids)), intent.client_id, UNLISTED
            )
        else:
            reading = read_answer(request, wire, intent.client_id, self._dialect.protocol)
        if reading.outcome is not Outcome.ACKED or order is None:
            return Answered(reading, wire)
        return Answered(reading, wire, _order(order, intent.symbol))

    def _terms(self, intent: Intent) -> tuple[str, float | None, dict[str, Any]]:
        """Return type, price and parameters of an order as ccxt takes them."""
        params: dict[str, Any] = {"clientOrderId": intent.client_id}
        contract = bool(self.market(intent.symbol).get("contract"))
        if intent.reduce_only and contract:
            params["reduceOnly"] = True
        limited = intent.order_type in ("limit", "stop_limit", "limit_if_touched")
        if limited and intent.post_only:
            params["postOnly"] = True
        elif limited:
            tif = intent.time_in_force
            params["timeInForce"] = "GTC" if tif in ("DAY", "GTD") else tif
        if intent.order_type in ("stop", "stop_limit"):
            params["stopLossPrice"] = intent.stop
        elif intent.order_type in ("take_profit", "limit_if_touched"):
            params["takeProfitPrice"] = intent.stop
        elif intent.order_type == "trailing":
            params["trailingPercent"] = round(intent.trail * 100, 10)
            if not contract:
                params["stopLossOrTakeProfit"] = "stopLoss"
        return "limit" if limited else "market", intent.price if limited else None, params

    def _naming(self, intent: Intent) -> dict[str, Any]:
        params: dict[str, Any] = {"clientOrderId": intent.client_id}
        if intent.order_type in _TRIGGERED and self.market(intent.symbol).get("contract"):
            params["trigger"] = True  # contracts keep such orders in a list of their own
        return params

    async def order_of(self, symbol: str, venue_id: str) -> VenueOrder:
        """Return an order by the venue's id."""
        told = await self._read("fetch_order", venue_id, self._symbols[symbol])
        return _order(told, symbol)

    async def open_orders(self, symbols: Sequence[str]) -> list[VenueOrder]:
        """Return all open orders of some symbols."""
        found = []
        for symbol in symbols:
            theirs = self._symbols[symbol]
            told = list(await self._read("fetch_open_orders", theirs))
            if self.market(symbol).get("contract"):
                told += await self._read("fetch_open_orders", theirs, None, None, {"trigger": True})
            found += [_order(order, symbol) for order in told]
        return found

    # ---- what has happened

    async def trades(self, symbol: str, after: int, since: int) -> list[Trade]:
        """Return trades of a symbol behind an id (0: none yet), since a time, in their order."""
        found: dict[str, Trade] = {}
        while True:
            numbered = self._dialect.trade_ids
            params = {"fromId": after + 1} if numbered else {}
            start = None if numbered else since // NS_MS
            page = await self._read("fetch_my_trades", self._symbols[symbol], start, _PAGE, params)
            new = [x for x in (_trade(told, symbol) for told in page) if x.id not in found]
            found.update((x.id, x) for x in new)
            if len(page) < _PAGE or not new:
                break
            since = new[-1].time
            after = max(_number(x.id) for x in new)
        return sorted(found.values(), key=lambda x: (x.time, _number(x.id), x.id))

    async def last_trade(self, symbol: str) -> int:
        """Return the id of the last trade of a symbol; 0: none, or they have no numbers."""
        if not self._dialect.trade_ids:
            return 0
        page = await self._read("fetch_my_trades", self._symbols[symbol], None, _PAGE)
        return max((_number(_trade(told, symbol).id) for told in page), default=0)

    async def income(self, symbols: Sequence[str], since: int) -> list[Income]:
        """Return fundings since a time, in their order."""
        found = []
        for symbol in symbols:
            if not self.market(symbol).get("swap"):
                continue
            told = await self._read(
                "fetch_funding_history", self._symbols[symbol], since // NS_MS, 100
            )
            step = _LONGEST_FUNDING if told else 0  # the rate may be stamped before its payment
            rates = await self.funding_rates(symbol, max(since - step, 0)) if told else {}
            found += [_income(one, symbol, rates) for one in told]
        return sorted(found, key=lambda one: (one.time, one.symbol))

    async def funding_rates(self, symbol: str, since: int) -> dict[int, float]:
        """Return the funding rates of a symbol since a time, by their time (ns)."""
        told = await self._read(
            "fetch_funding_rate_history", self._symbols[symbol], since // NS_MS, 100
        )
        return {
            _integer(one.get("timestamp"), "funding rate") * NS_MS: _price(one.get("fundingRate"))
            for one in told
        }

    async def holdings(self, symbols: Sequence[str]) -> Holdings:
        """Return cash by currency and units by symbol."""
        told = await self._read("fetch_balance")
        totals = _cash(told)
        units = {}
        contracts = [x for x in symbols if self.market(x).get("contract")]
        for symbol in symbols:
            if symbol not in contracts:
                units[symbol] = totals.get(str(self.market(symbol)["base"]), 0.0)
        if contracts:
            units |= dict.fromkeys(contracts, 0.0)
            theirs = [self._symbols[x] for x in contracts]
            for one in await self._read("fetch_positions", theirs):
                ours = self._ours.get(one["symbol"], "")
                if ours in units and one.get("contracts"):
                    units[ours] += float(one["contracts"]) * (-1 if one["side"] == "short" else 1)
        return Holdings(totals, units)

    # ---- signals

    async def signal(self) -> Signal:
        """Wait for the next signal."""
        return await self._signals.get()

    def wake(self) -> None:
        """Let `signal` return."""
        self._signals.put_nowait(Signal(Stir.TICK))

    async def idle(self) -> None:
        """Do nothing: a real exchange does not wait."""

    async def _tick(self) -> None:
        """Wake the runner now and then: for commands, and for candles that do not come."""
        while True:
            await asyncio.sleep(_TICK)
            self.wake()

    def _start(self, watch: Callable[[], Any]) -> None:
        self._tasks.append(asyncio.create_task(self._keep(watch)))

    async def _keep(self, watch: Callable[[], Any]) -> None:
        """Keep a stream open; each loss is a signal, and the runner settles by REST."""
        failures = 0
        while True:
            try:
                await watch()
                if failures:
                    failures = 0
                    self._signals.put_nowait(Signal(Stir.UP))
            except asyncio.CancelledError:
                raise
            except Exception:
                self._signals.put_nowait(Signal(Stir.DOWN))
                await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
                failures += 1

    async def _watch_candles(self) -> None:
        wanted = [[x, timeframe(self._intervals[o])] for o, x in self._symbols.items()]
        await self._client.watch_ohlcv_for_symbols(wanted)

    async def _watch_orders(self) -> None:
        await self._client.watch_orders()
        self._signals.put_nowait(Signal(Stir.ORDERS))

    async def _read(self, method: str, *arguments: Any) -> Any:
        """Call a method of ccxt that reads; any failure is a `VenueError`."""
        try:
            told = await getattr(self._client, method)(*arguments)
        except (RefusedError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise VenueError(
                f"{self.name}: {method}: {type(error).__name__}: {shortened(error)}",
                rule="a read is answered, and in the form that ccxt knows.",
                fix="Check the network, the keys and the status of the exchange.",
            ) from None
        if told is None:
            raise VenueError(f"{self.name}: {method} answered nothing")
        return told


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of ccxt: what is not needed is not asked for, nothing is retried."""
    options = {
        "fetchCurrencies": False,
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "maxRetriesOnFailure": 0,
        "ordersLimit": 200,
        "tradesLimit": 200,
        "OHLCVLimit": 10,
    }
    given = dict(config)
    return {"timeout": 10_000, **given, "options": options | dict(given.get("options", {}))}


def shortened(error: BaseException) -> str:
    """Return the text of an error on one line; exchanges answer with whole web pages."""
    return " ".join(str(error).split())[:300]


def timeframe(interval: int) -> str:
    """Return the exchange's name of a bar length, ns.

    Examples
    --------
    >>> timeframe(60 * 10**9), timeframe(4 * 3600 * 10**9), timeframe(86_400 * 10**9)
    ('1m', '4h', '1d')
    """
    seconds = interval // 10**9
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"


def interval_of(name: str) -> int:
    """Return the length of bars in ns.

    Raises
    ------
    ParameterError
        A text that names no length.

    Examples
    --------
    >>> interval_of("4h") == 4 * 3600 * 10**9
    True
    """
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    if not name[:-1].isdigit() or name[-1] not in units or int(name[:-1]) == 0:
        raise ParameterError(f"interval {name!r}", rule="it reads 1m, 15m, 4h or 1d.")
    return int(name[:-1]) * units[name[-1]] * 10**9


def _order(told: Mapping[str, Any], symbol: str) -> VenueOrder:
    info = told.get("info") or {}
    status = told.get("status")
    if told.get("id") is None or status is None:
        raise VenueError(f"an order of {symbol} without an id or a status")
    actual = info.get("actualOrderId") if isinstance(info, Mapping) else None
    return VenueOrder(
        client_id=str(told.get("clientOrderId") or ""),
        venue_id=str(told["id"]),
        symbol=symbol,
        is_open=status == "open",
        expired=status in ("expired", "rejected"),
        filled=float(told.get("filled") or 0.0),
        trades_as=str(actual or told["id"]),
    )


def _cash(told: Mapping[str, Any]) -> dict[str, float]:
    """Return the cash of a balance by currency, without open profit."""
    totals = {str(k): float(v) for k, v in (told.get("total") or {}).items() if v is not None}
    info = told.get("info")
    assets = info.get("assets", ()) if isinstance(info, Mapping) else ()
    for one in assets:  # of Binance's futures, where ccxt's total includes open profit
        if "walletBalance" in one:
            totals[str(one["asset"])] = _price(one["walletBalance"])
    return totals


def _trade(told: Mapping[str, Any], symbol: str) -> Trade:
    side, fee = told.get("side"), told.get("fee") or {}
    units, price = _price(told.get("amount")), _price(told.get("price"))
    if side not in ("buy", "sell") or not told.get("id") or not told.get("order") or units <= 0:
        raise VenueError(f"a trade of {symbol} that is not whole: {dict(told.get('info') or {})}")
    return Trade(
        symbol=symbol,
        id=str(told["id"]),
        order=str(told["order"]),
        time=_integer(told.get("timestamp"), "trade") * NS_MS,
        qty=units if side == "buy" else -units,
        price=price,
        fee=float(fee.get("cost") or 0.0),
        fee_currency=str(fee.get("currency") or ""),
    )


def _income(told: Mapping[str, Any], symbol: str, rates: Mapping[int, float]) -> Income:
    amount = told.get("amount")
    if amount is None or not math.isfinite(float(amount)):
        raise VenueError(f"an income of {symbol} without an amount")
    at = _integer(told.get("timestamp"), "income") * NS_MS
    before = [time for time in rates if time <= at + NS_SECOND]
    return Income(
        id=str(told.get("id") or told.get("timestamp")),
        symbol=symbol,
        time=at,
        amount=float(amount),
        currency=str(told.get("code") or ""),
        rate=rates[max(before)] if before else math.nan,
    )


def _price(value: Any) -> float:
    number = math.nan if value is None else float(value)
    if not math.isfinite(number):
        raise VenueError(f"a number reads {value!r}", rule="it is finite.")
    return number


def _integer(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise VenueError(f"{what}: a time reads {value!r}", rule="it is a whole number, ms.")
    return value


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
