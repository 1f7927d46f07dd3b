"""One account in one market: its orders, trades and balances over the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from alphalab.codes import OrderStatus, OrderType, Posting, Reason
from alphalab.config import RunSettings
from alphalab.types import FloatArray, Instrument
from alphalab_live.exchange.books import Books, Change, Posted
from alphalab_live.exchange.client_ids import ClientIds, Policy
from alphalab_live.exchange.listing import Listing
from alphalab_live.exchange.means import fault_of_means
from alphalab_live.exchange.numbers import text
from alphalab_live.exchange.orders import Income, Order, Trade
from alphalab_live.exchange.refusals import Refused, refusal_of
from alphalab_live.exchange.tape import Tape

_ENDED = {
    OrderStatus.FILLED: "FILLED",
    OrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderStatus.CANCELLED: "CANCELED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.REFUSED: "EXPIRED",
}
#: Client ids of orders that the venue sends itself.
_BY_VENUE = {
    Reason.LIQUIDATED: "autoclose-",
    Reason.DELISTED: "settlement_autoclose-",
    Reason.HELD_BEFORE: "transfer-",
}
_ASKED_FOR = (Reason.ASKED_FOR, Reason.REPLACED)
_INCOME = {Posting.FUNDING: "FUNDING_FEE", Posting.LIQUIDATION: "INSURANCE_CLEAR"}


class Update(NamedTuple):
    """What an account hears about one of its orders.

    `order` is as it was then. `execution` is NEW, TRADE, CANCELED, EXPIRED, REJECTED or TRIGGERED;
    `trade` is set for TRADE.
    """

    order: Order
    execution: str
    trade: Trade | None = None


#: What an account hears.
Event = Update | Income


class Wallet:
    """The orders, trades and income of one account in one market.

    Parameters
    ----------
    settings : RunSettings
    tape : Tape
    listings : sequence of Listing
        The markets, all of one kind.
    policy : {"open_only", "forever", "ttl"}
        Which client ids may be used again.
    clock : callable
        Returns ms.
    ids : iterator of int
        Ids of orders, trades and income: each is given once, in rising order.
    """

    def __init__(
        self,
        settings: RunSettings,
        tape: Tape,
        listings: Sequence[Listing],
        policy: Policy,
        clock: Callable[[], int],
        ids: Iterator[int],
    ) -> None:
        self.kind = listings[0].kind
        self.listings = list(listings)
        self._places = {listing.id: place for place, listing in enumerate(listings)}
        self._assets = [listing.asset for listing in listings]
        self._tape, self._clock, self._ids = tape, clock, ids
        self._row = tape.row
        self._instruments = tuple(tape.instruments[asset] for asset in self._assets)
        self.books = Books(settings, self._instruments)
        self._columns = {name: self._part(name) for name in self.books.columns}
        first = tape.row + 1
        self.books.check(tape.time[first:], {n: x[first:] for n, x in self._columns.items()})
        self.client_ids = ClientIds(policy, clock)
        self.orders: dict[int, Order] = {}
        self.algos: dict[int, Order] = {}
        self._by_book: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.income: list[Income] = []
        self.leverage = {listing.id: self.most_leverage for listing in listings}

    def _part(self, name: str) -> FloatArray:
        return np.ascontiguousarray(self._tape.columns[name][:, self._assets])

    @property
    def coin(self) -> str:
        """The coin of the cash."""
        return self.listings[0].quote

    @property
    def most_leverage(self) -> int:
        """The largest leverage of the account, from its margin settings."""
        return max(int(1.0 / float(self.books.rules["initial"]) + 1e-9), 1)

    def place_of(self, listing: Listing) -> int:
        """Return the place of a listing in the books."""
        return self._places[listing.id]

    def meet(self) -> tuple[bool, list[Event]]:
        """Go on with the row until the account has something to hear, or to the row's end.

        Returns
        -------
        over : bool
            True if the row is over for this account.
        events : list of Event
        """
        if self._row != self._tape.row:
            self._begin()
        while True:
            over, changes, posted = self.books.meet()
            events = [*self._posted(posted), *self._changed(changes)]
            if events or over:
                return over, events

    def _begin(self) -> None:
        """Read the row that begins."""
        self._row = self._tape.row
        instruments = tuple(self._tape.instruments[asset] for asset in self._assets)
        if instruments != self._instruments:
            self._instruments = instruments
            self.books.change(instruments)
        self.books.begin(self._tape.time, self._columns, self._row)

    def submit(self, order: Order) -> list[Event]:
        """Take an order.

        Raises
        ------
        Refused
            A client id that is in use, a rule of the market, or too little money.
        """
        self.client_ids.check(order)
        place = self.place_of(order.listing)
        reason = fault_of_means(self.books, place, order, self._waiting)
        book_id = 0
        if reason is None:
            book_id, reason = self.books.submit(
                asset=place,
                side=order.sign,
                type=int(order.kind),
                qty=order.units,
                limit=order.limit,
                stop=order.trigger,
                trail_frac=order.trail,
                tif=int(order.time_in_force),
                # A spot account cannot be short: its sales only reduce what it holds.
                reduce_only=int(order.reduce_only or (self.kind == "spot" and order.sign < 0)),
                post_only=int(order.post_only),
            )
        if reason is not None:
            raise refusal_of(self.kind, reason, text(self.instrument(order).min_value))
        order.book_id = book_id
        order.created = order.updated = self._tape.now
        self._by_book[book_id] = order
        self.client_ids.keep(order)
        if self._conditional(order):
            order.algo_id = next(self._ids)
            self.algos[order.algo_id] = order
        else:
            self._enter(order)
        return [Update(order, "NEW")]

    def cancel(self, order: Order) -> list[Event]:
        """Cancel an order.

        Raises
        ------
        Refused
            -2011: it lives no longer.
        """
        if not order.lives:
            raise Refused(-2011, "Unknown order sent.")
        return self._changed(self.books.cancel(order.book_id))

    @property
    def living(self) -> list[Order]:
        """The orders that can trade, the oldest first."""
        return list(self._by_book.values())

    @property
    def _waiting(self) -> list[tuple[int, Order]]:
        return [(self._places[order.listing.id], order) for order in self.living]

    def instrument(self, order: Order) -> Instrument:
        """Return the instrument in force for an order."""
        return self._tape.instruments[order.listing.asset]

    def _conditional(self, order: Order) -> bool:
        return self.kind == "linear" and order.kind not in (OrderType.MARKET, OrderType.LIMIT)

    def _enter(self, order: Order) -> None:
        """Give an order its id in the book of the market."""
        order.id = next(self._ids)
        self.orders[order.id] = order

    def _posted(self, posted: Sequence[Posted]) -> list[Event]:
        found: list[Event] = []
        for item in posted:
            listing = self.listings[max(item.asset, 0)]
            amount = text(item.amount)
            income = Income(
                next(self._ids), listing, _INCOME[item.kind], amount, self.coin, self._tape.now
            )
            self.income.append(income)
            found.append(income)
        return found

    def _changed(self, changes: Sequence[Change]) -> list[Event]:
        """Apply what happened in the books to the orders; return what their owner hears."""
        events: list[Event] = []
        for change in changes:
            order = self._by_book.get(change.order)
            if order is None:
                if change.fill is None:
                    continue
                order = self._of_venue(change)
                events.append(Update(replace(order), "NEW"))
            events += self._apply(order, change)
        return events

    def _apply(self, order: Order, change: Change) -> list[Event]:
        now = self._tape.now
        events: list[Event] = []
        if change.status == OrderStatus.TRIGGERED or (change.fill is not None and order.id is None):
            order.updated = now
            if order.id is None:
                self._enter(order)
                events.append(Update(replace(order), "TRIGGERED"))
        if change.status not in _ENDED:
            return events
        order.status, order.updated = _ENDED[change.status], now
        if change.status == OrderStatus.CANCELLED and change.reason not in _ASKED_FOR:
            order.status = "EXPIRED"
        if change.reason:
            order.reason = Reason(change.reason).name
        if not order.lives:
            self._by_book.pop(change.order, None)
        trade = self._trade(order, change)
        if order.id is None and change.status == OrderStatus.REFUSED:
            order.status = (
                "REJECTED"  # a conditional order that could not be sent when it triggered
            )
        execution = "TRADE" if trade is not None else order.status
        return [*events, Update(replace(order), execution, trade)]

    def _trade(self, order: Order, change: Change) -> Trade | None:
        fill = change.fill
        if fill is None or order.id is None:
            return None
        quote = fill.executed * fill.price
        in_coin = fill.executed != abs(fill.units)
        trade = Trade(
            id=next(self._ids),
            order=order.id,
            listing=order.listing,
            side=order.side,
            price=text(fill.price),
            qty=text(fill.executed),
            quote=text(quote),
            fee=text(fill.executed - fill.units) if in_coin else text(fill.fee),
            fee_coin=order.listing.base if in_coin else self.coin,
            realised=text(fill.realised),
            time=self._tape.now,
            maker=fill.maker,
        )
        order.filled += fill.executed
        order.quote += quote
        order.trades.append(trade)
        self.trades.append(trade)
        return trade

    def _of_venue(self, change: Change) -> Order:
        """Return a new order of the venue itself: a liquidation, a delisting."""
        assert change.fill is not None
        prefix = _BY_VENUE.get(Reason(change.reason), "autoclose-")
        order = Order(
            listing=self.listings[change.asset],
            client_id=f"{prefix}{self._tape.now}",
            side="BUY" if change.side > 0 else "SELL",
            type="MARKET",
            kind=OrderType.MARKET,
            tif="GTC",
            qty=text(change.fill.executed),
            price="0",
            stop="0",
            reduce_only=False,
            closes=False,
            trail=float("nan"),
            book_id=change.order,
            created=self._tape.now,
        )
        self._enter(order)
        return order
