"""`CcxtVenue`: an exchange through ccxt and ccxt.pro.

Reads are checked field by field; requests about orders are judged by what went over the wire
(`outcomes.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp

from alphalab.core.events import Intent
from alphalab.errors import RefusedError, UnknownNameError, VenueError
from alphalab_live.ccxt_client import make_client, open_session
from alphalab_live.ccxt_orders import DIALECTS, PLAIN, CcxtOrders
from alphalab_live.ccxt_records import (
    NS_MS,
    candle_record,
    cash_record,
    finite,
    income_record,
    is_true,
    market_terms,
    milliseconds,
    number_of,
    order_record,
    timeframe,
    trade_record,
)
from alphalab_live.ccxt_streams import Streams
from alphalab_live.venue import (
    Answered,
    Candle,
    Holdings,
    Income,
    KeyRights,
    Modes,
    Signal,
    Terms,
    Trade,
    VenueOrder,
)

_PAGE = 500  # of trades
_LONGEST_FUNDING = 86_400 * 10**9  # ns between two fundings


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
        self._symbols = dict(symbols)
        self._ours = {theirs: ours for ours, theirs in symbols.items()}
        self._intervals = dict(intervals)
        self._dialect = DIALECTS.get(exchange, PLAIN)
        self._client = make_client(exchange, _options(exchange, config), api=api)
        self._client.stream_ends = self._dialect.stream_ends
        self._streams = Streams(self._client, symbols, intervals)
        self._orders = CcxtOrders(self._client, self._dialect, symbols)
        self._session: aiohttp.ClientSession | None = None
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
        if not self._client.markets:
            raise VenueError(
                f"{self.name} lists no market", fix="Check the status of the exchange."
            )
        for theirs in self._symbols.values():
            if theirs not in self._client.markets:
                raise UnknownNameError(f"symbol of {self.name}", theirs, self._client.markets)
        await self.skew()
        orders = self._watches_orders and self.key and self._client.has.get("watchOrders")
        self._streams.open(candles=self._dialect.closed_flag, orders=bool(orders))

    async def close(self) -> None:
        """Close the streams and the session."""
        await self._streams.close()
        await self._client.close()
        if self._session is not None:
            await self._session.close()

    def market(self, symbol: str) -> Mapping[str, Any]:
        """Return the market of one of the artifacts' symbols, as ccxt describes it."""
        market: Mapping[str, Any] = self._client.market(self._symbols[symbol])
        return market

    def listen(self, on_send: Callable[[str, str, str, str], None]) -> None:
        """Call a function before each submit or cancel leaves."""
        self._orders.on_send = on_send

    @property
    def key(self) -> str:
        """The API key; empty: only public reads."""
        return str(self._client.apiKey or "")

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
        self._ahead_ns = between - milliseconds(told, "fetch_time") * NS_MS
        return self._ahead_ns / 1e9

    def follow_clock(self) -> None:
        """Sign requests with the venue's time from now on."""
        self._client.options["timeDifference"] = self._ahead_ns // NS_MS

    def terms(self, symbol: str) -> Terms:
        """Return the rules of a market."""
        return market_terms(self.market(symbol), self._client.precisionMode)

    async def modes(self, symbol: str) -> Modes:
        """Return how a contract is held, as far as the exchange tells."""
        theirs, has = self._symbols[symbol], self._client.has
        leverage = crossed = one_way = None
        if has.get("fetchLeverage"):
            told = await self._read("fetch_leverage", theirs)
            leverage = finite(told.get("longLeverage"))
        if has.get("fetchMarginMode"):
            told = await self._read("fetch_margin_mode", theirs)
            crossed = told.get("marginMode") == "cross"
        if has.get("fetchPositionMode"):
            told = await self._read("fetch_position_mode", theirs)
            one_way = told.get("hedged") is False
        return Modes(leverage, crossed, one_way)

    async def set_modes(self, symbol: str, before: Modes, wanted: Modes) -> None:
        """Change what differs."""
        theirs = self._symbols[symbol]
        if before.one_way is False:
            await self._read("set_position_mode", False, theirs)
        if before.crossed is False:
            await self._read("set_margin_mode", "cross", theirs)
        if before.leverage is not None and before.leverage != wanted.leverage:
            await self._read("set_leverage", wanted.leverage, theirs)

    async def key_rights(self) -> KeyRights:
        """Return what the API key may do, where the exchange tells."""
        if not hasattr(self._client, "sapi_get_account_apirestrictions"):
            return KeyRights(None, None)
        told = await self._read("sapi_get_account_apirestrictions")
        moves = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
        spot = all(self._client.market(x)["spot"] for x in self._ours)
        trades = told.get("enableSpotAndMarginTrading" if spot else "enableFutures")
        return KeyRights(is_true(trades), any(is_true(told.get(name)) for name in moves))

    # ---- bars

    async def candles(self, symbol: str, interval: int, after: int, most: int) -> list[Candle]:
        """Return up to `most` closed bars that close later than a time, oldest first."""
        frame = timeframe(interval)
        first = (after // interval) * interval
        rows = await self._read("fetch_ohlcv", self._symbols[symbol], frame, first // NS_MS, most)
        found = [candle_record(row, symbol, interval) for row in rows]
        now = self.now()
        return sorted((x for x in found if after < x.time <= now), key=lambda x: x.time)

    # ---- orders

    async def submit(self, intent: Intent) -> Answered:
        """Send an order, under the client id of its intent."""
        return await self._orders.submit(intent)

    async def cancel(self, intent: Intent) -> Answered:
        """Ask the venue to end an order."""
        return await self._orders.cancel(intent)

    async def query(self, intent: Intent) -> Answered:
        """Ask the venue for an order by its client id."""
        return await self._orders.query(intent)

    async def order_of(self, symbol: str, venue_id: str) -> VenueOrder:
        """Return an order by the venue's id."""
        told = await self._read("fetch_order", venue_id, self._symbols[symbol])
        return order_record(told, symbol)

    async def open_orders(self, symbols: Sequence[str]) -> list[VenueOrder]:
        """Return all open orders of some symbols."""
        found = []
        for symbol in symbols:
            theirs = self._symbols[symbol]
            told = list(await self._read("fetch_open_orders", theirs))
            if self.market(symbol).get("contract"):
                told += await self._read("fetch_open_orders", theirs, None, None, {"trigger": True})
            found += [order_record(order, symbol) for order in told]
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
            new = [x for x in (trade_record(told, symbol) for told in page) if x.id not in found]
            found.update((x.id, x) for x in new)
            if len(page) < _PAGE or not new:
                break
            since = new[-1].time
            after = max(number_of(x.id) for x in new)
        return sorted(found.values(), key=lambda x: (x.time, number_of(x.id), x.id))

    async def last_trade(self, symbol: str) -> int:
        """Return the id of the last trade of a symbol; 0: none, or they have no numbers."""
        if not self._dialect.trade_ids:
            return 0
        page = await self._read("fetch_my_trades", self._symbols[symbol], None, _PAGE)
        return max((number_of(trade_record(told, symbol).id) for told in page), default=0)

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
            found += [income_record(one, symbol, rates) for one in told]
        return sorted(found, key=lambda one: (one.time, one.symbol))

    async def funding_rates(self, symbol: str, since: int) -> dict[int, float]:
        """Return the funding rates of a symbol since a time, by their time (ns)."""
        told = await self._read(
            "fetch_funding_rate_history", self._symbols[symbol], since // NS_MS, 100
        )
        return {
            milliseconds(one.get("timestamp"), "funding rate") * NS_MS: finite(
                one.get("fundingRate")
            )
            for one in told
        }

    async def holdings(self, symbols: Sequence[str]) -> Holdings:
        """Return cash by currency and units by symbol."""
        told = await self._read("fetch_balance")
        if not told.get("info"):
            raise VenueError(
                f"{self.name}: fetch_balance: the answer is empty",
                rule="a balance names its coins.",
                fix="Check the status of the exchange.",
            )
        totals = cash_record(told)
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
        return await self._streams.signal()

    def wake(self) -> None:
        """Let `signal` return."""
        self._streams.wake()

    async def idle(self) -> None:
        """Do nothing: a real exchange does not wait."""

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
            raise VenueError(
                f"{self.name}: {method} answered nothing", fix="Check the status of the exchange."
            )
        return told


#: Kinds of markets that are loaded, of exchanges whose client would load those of other hosts too.
_MARKETS = {"binance": ["spot"], "binanceusdm": ["linear"]}


def _options(exchange: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of ccxt: what is not needed is not asked for, nothing is retried."""
    options: dict[str, Any] = {
        "fetchCurrencies": False,
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "maxRetriesOnFailure": 0,
        "ordersLimit": 200,
        "tradesLimit": 200,
        "OHLCVLimit": 10,
    }
    if exchange in _MARKETS:
        options["fetchMarkets"] = {"types": _MARKETS[exchange]}
    given = dict(config)
    return {"timeout": 10_000, **given, "options": options | dict(given.get("options", {}))}


def shortened(error: BaseException) -> str:
    """Return the text of an error on one line; exchanges answer with whole web pages."""
    return " ".join(str(error).split())[:300]
