"""Requests about orders through ccxt: what is sent, and what the answer means."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from alphalab.core.events import Intent
from alphalab.errors import AlphalabError, VenueError
from alphalab_live.ccxt_client import OnSend, recording
from alphalab_live.ccxt_records import order_record
from alphalab_live.outcomes import (
    BINANCE,
    UNLISTED,
    Outcome,
    Protocol,
    Request,
    Wire,
    read_answer,
)
from alphalab_live.venue import Answered

_TRIGGERED = ("stop", "stop_limit", "take_profit", "limit_if_touched", "trailing")


class Dialect(NamedTuple):
    """What differs between exchanges beyond what ccxt makes equal.

    Attributes
    ----------
    protocol : Protocol
    closed_flag : bool
        Its stream of candles says which are closed.
    trade_ids : bool
        Its own trades are numbered, and can be read from a number on.
    stream_ends : frozenset of str
        Events by which a stream of the account says that nothing more will come.
    """

    protocol: Protocol
    closed_flag: bool
    trade_ids: bool
    stream_ends: frozenset[str] = frozenset()


_BINANCE = Dialect(
    BINANCE,
    closed_flag=True,
    trade_ids=True,
    stream_ends=frozenset({"listenKeyExpired", "eventStreamTerminated"}),
)
DIALECTS = {"binance": _BINANCE, "binanceusdm": _BINANCE}
PLAIN = Dialect(UNLISTED, closed_flag=False, trade_ids=False)


class CcxtOrders:
    """Sends, cancels and queries the orders of one account.

    Parameters
    ----------
    client : ccxt.Exchange
    dialect : Dialect
    symbols : mapping of str to str
        The exchange's symbol of each of the artifacts' symbols.

    Attributes
    ----------
    on_send : callable
        Called with client id, method, path and body before a submit or a cancel leaves.
    """

    def __init__(self, client: Any, dialect: Dialect, symbols: Mapping[str, str]) -> None:
        self.on_send: Callable[[str, str, str, str], None] = lambda *_: None
        self._client, self._dialect, self._symbols = client, dialect, dict(symbols)

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
            except (AlphalabError, asyncio.CancelledError):  # such as a full disk
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
        record = None
        if reading.outcome is Outcome.ACKED and order is not None:
            with contextlib.suppress(VenueError):  # its ids are right: request the rest
                record = order_record(order, intent.symbol)
        return Answered(reading, wire, record)

    def _terms(self, intent: Intent) -> tuple[str, float | None, dict[str, Any]]:
        """Return type, price and parameters of an order as ccxt takes them."""
        params: dict[str, Any] = {"clientOrderId": intent.client_id}
        contract = bool(self._market(intent.symbol).get("contract"))
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
        if intent.order_type in _TRIGGERED and self._market(intent.symbol).get("contract"):
            params["trigger"] = True  # contracts keep such orders in a list of their own
        return params

    def _market(self, symbol: str) -> Mapping[str, Any]:
        market: Mapping[str, Any] = self._client.market(self._symbols[symbol])
        return market
