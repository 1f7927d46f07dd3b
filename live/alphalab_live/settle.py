"""Settle by REST: what the venue has done since the last time becomes reports, each exactly once.

Streams only wake the runner. What is booked comes from the venue's own lists: trades by their id,
fundings by their time, and orders by their client id.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from alphalab.codes import Posting, ReportKind
from alphalab.core.events import Report
from alphalab.core.rows import HOUR_NS
from alphalab.errors import HaltError
from alphalab_live.order_book import LiveOrder, OrderState
from alphalab_live.outcomes import Outcome
from alphalab_live.reports import about, accepted, report_of
from alphalab_live.session import BEGIN, Session, income_name, trade_key, trades_name
from alphalab_live.trader import Trader
from alphalab_live.venue import Income, Trade, Venue, VenueOrder

_MOST_ENDS = 3  # of one exit, by the venue


class Settlement:
    """Reads the venue's lists for a session.

    Parameters
    ----------
    session : Session
    venue : Venue
    """

    def __init__(self, session: Session, venue: Venue) -> None:
        self._session = session
        self._venue = venue
        self._ended = Counter[tuple[int, int]]()  # exits that the venue has ended by itself
        self._trades_as: dict[str, str] = {}  # client id by the id in the list of trades

    async def collect(self, *, everything: bool) -> list[Report]:
        """Return what has happened and is not booked yet, in the venue's order of time.

        Parameters
        ----------
        everything : bool
            False: only what orders at the venue, and fundings that are due, can have brought.

        Raises
        ------
        VenueError
            The venue does not answer, or answers nonsense.
        HaltError
            A trade of an order that this run has not sent.
        """
        found: list[Report] = []
        for trader in self._session.traders:  # each has symbols of its own
            if not everything and self._is_quiet(trader):
                continue
            incomes = await self._incomes(trader, everything=everything)
            trades = await self._trades(trader, everything=everything)
            found += await self._reports(trader, incomes, trades)
        return found

    def _is_quiet(self, trader: Trader) -> bool:
        """Return True if nothing can have happened: no order at the venue, and no funding due."""
        orders = self._session.orders.living(trader.place)
        return not any(x.may_be_there for x in orders) and not any(_fundings(trader))

    async def _trades(self, trader: Trader, *, everything: bool) -> list[Trade]:
        """Return the trades of a trader that are not booked, oldest first."""
        busy = {x.terms.symbol for x in self._session.orders.living(trader.place) if x.may_be_there}
        new: list[Trade] = []
        for symbol in trader.symbols:
            if everything or symbol in busy:
                after = self._session.cursors.get(trades_name(symbol), 0)
                told = await self._venue.trades(symbol, after, self._started)
                new += [
                    x
                    for x in told
                    if x.time >= self._started
                    and trade_key(trades_name(symbol), x.id) not in self._session.trades
                ]
        return sorted(new, key=_as_executed)

    async def _incomes(self, trader: Trader, *, everything: bool) -> list[Income]:
        names = [x for x, due in zip(trader.symbols, _fundings(trader), strict=True) if due]
        if everything:
            names = [i.symbol for i in trader.engine.instruments if i.funding_hours]
        new: list[Income] = []
        for symbol in names:
            name = income_name(symbol)
            since = self._session.cursors.get(name, self._started)
            told = await self._venue.income([symbol], since)
            new += [x for x in told if trade_key(name, x.id) not in self._session.trades]
        return sorted(new, key=lambda x: (x.time, x.symbol))

    @property
    def _started(self) -> int:
        """Start of the run, ns: nothing before it is the run's."""
        return self._session.cursors[BEGIN]

    async def _reports(
        self, trader: Trader, incomes: list[Income], trades: list[Trade]
    ) -> list[Report]:
        """Return fundings and trades in the order of their times, then the ends of orders."""
        held = {s: float(q) for s, q in zip(trader.symbols, trader.qty, strict=True)}
        found: list[Report] = []
        booked: dict[str, float] = {}
        steps: list[Income | Trade] = sorted(
            [*incomes, *trades], key=lambda x: (x.time, isinstance(x, Trade))
        )
        for one in steps:
            if isinstance(one, Income):
                found.append(_funding(trader, one, held[one.symbol]))
                continue
            order, accepted = await self._order_of(trader, one)
            found += accepted
            name = order.terms.client_id
            booked[name] = booked.get(name, order.filled) + abs(one.qty)
            left = abs(order.terms.qty) - booked[name]
            done = left < trader.half_lot(trader.symbols.index(one.symbol))
            found.append(self._execution(trader, order, one, done))
            held[one.symbol] += one.qty
        found += await self._ends(trader, booked)
        return found

    async def _order_of(self, trader: Trader, trade: Trade) -> tuple[LiveOrder, list[Report]]:
        """Return the order of a trade, with the report that the venue has it, if that is news."""
        orders = self._session.orders
        known = orders.of_venue_id(trade.order)
        if known is not None:
            return known, []
        if trade.order not in self._trades_as:
            await self._learn_ids(trader, trade)
        name = self._trades_as.get(trade.order, "")
        if name not in orders or not orders[name].lives:
            raise HaltError(
                f"{trade.symbol}: trade {trade.id} is of order {trade.order}"
                + (f" ({name})" if name else "")
                + ", which this run has not sent or has ended",
                rule="every trade of the account is of an order in the journal.",
                fix="Find who else trades the account; then adopt or ignore the position.",
            )
        order = orders[name]
        return order, [] if order.venue_id else [accepted(trader, order, trade.order, trade.time)]

    async def _learn_ids(self, trader: Trader, trade: Trade) -> None:
        """Ask under which ids living orders trade; then for the order of a trade itself."""
        for order in self._session.orders.living(trader.place):
            if order.may_be_there and order.terms.symbol == trade.symbol:
                told = (await self._venue.query(order.terms)).order
                if told is not None:
                    self._trades_as[told.trades_as] = order.terms.client_id
                    self._trades_as[told.venue_id] = order.terms.client_id
        if trade.order not in self._trades_as:
            found = await self._venue.order_of(trade.symbol, trade.order)
            self._trades_as[trade.order] = found.client_id

    def _execution(self, trader: Trader, order: LiveOrder, trade: Trade, done: bool) -> Report:
        asset = trader.symbols.index(trade.symbol)
        instrument = trader.engine.instruments[asset]
        qty, fee = trade.qty, trade.fee
        if trade.fee and trade.fee_currency != instrument.currency:
            base = self._venue.coin(trade.symbol)
            if trade.fee_currency != base:
                raise HaltError(
                    f"{trade.symbol}: a fee of {trade.fee} {trade.fee_currency}",
                    rule=f"fees are paid in {instrument.currency} or {base}.",
                    fix="Turn off the payment of fees in a third coin at the exchange.",
                )
            unit = trade.price * instrument.multiplier
            qty = trade.qty - trade.fee
            fee = abs(trade.qty) * unit - abs(qty) * unit
        return about(
            trader,
            order,
            ReportKind.EXECUTED,
            trade.time,
            qty=qty,
            filled=abs(trade.qty),
            price=trade.price,
            fee=fee,
            final=done,
            replaced=self._is_replaced(order),
            venue_id=trade.id,
        )

    async def _ends(self, trader: Trader, booked: dict[str, float]) -> list[Report]:
        """Return the ends of orders that the venue no longer has open, once their trades add up."""
        found = []
        for order in self._session.orders.living(trader.place):
            filled = booked.get(order.terms.client_id, order.filled)
            asset = trader.symbols.index(order.terms.symbol)
            half = trader.half_lot(asset)
            waits = order.state in (OrderState.ACKED, OrderState.CANCELLING)
            if not waits or abs(order.terms.qty) - filled < half:
                continue
            told = await self._venue.query(order.terms)
            if told.reading.outcome is not Outcome.ACKED or told.order is None:
                continue
            self._trades_as[told.order.trades_as] = order.terms.client_id
            if not told.order.is_open and abs(told.order.filled - filled) < half:
                found.append(self._end(trader, order, told.order))
        return found

    def _end(self, trader: Trader, order: LiveOrder, told: VenueOrder) -> Report:
        """Return the report that the venue has ended an order."""
        kind = ReportKind.EXPIRED if told.expired else ReportKind.CANCELLED
        replaced = self._is_replaced(order) or self._is_sent_again(order)
        return about(trader, order, kind, self._venue.now(), final=True, replaced=replaced)

    def _is_sent_again(self, order: LiveOrder) -> bool:
        """Return True for an exit that nobody has asked to end: the position still needs it.

        The engine keeps it, so it leaves as a new revision; if the position has gone with it, then
        the engine has ended it too.

        Raises
        ------
        HaltError
            The venue ends it again and again.
        """
        if not order.protects or order.unwanted:
            return False
        number = (order.terms.engine, order.terms.order)
        self._ended[number] += 1
        if self._ended[number] > _MOST_ENDS:
            raise HaltError(
                f"{order.terms.client_id}: the venue has ended this exit "
                f"{self._ended[number]} times",
                rule="a position keeps its exits at the venue.",
                fix="Protect or close the position by hand; then start with --resume WHY.",
            )
        return True

    def _is_replaced(self, order: LiveOrder) -> bool:
        newest = self._session.orders.current(order.terms.engine, order.terms.order)
        return newest is not None and newest is not order


def _as_executed(trade: Trade) -> tuple[int, int]:
    """Sort trades of several symbols: cash is a sum of floats, so their order shows in its bits."""
    return trade.time, int(trade.id) if trade.id.isdigit() else 0


def _funding(trader: Trader, income: Income, held: float) -> Report:
    return report_of(
        trader,
        ReportKind.POSTED,
        income.time,
        asset=trader.symbols.index(income.symbol),
        qty=held,
        price=0.0 if math.isnan(income.rate) else income.rate,
        amount=income.amount,
        code=int(Posting.FUNDING),
        venue_id=income.id,
    )


def _fundings(trader: Trader) -> Iterable[bool]:
    """Yield for each asset whether a funding is due in the row in progress.

    It is read before the fills of that row are booked: it is for the units held until then.
    """
    for instrument in trader.engine.instruments:
        step = int(instrument.funding_hours * HOUR_NS)
        first = -(-trader.last // step) * step if step else 0
        yield bool(step) and bool(trader.last) and first < trader.in_progress
