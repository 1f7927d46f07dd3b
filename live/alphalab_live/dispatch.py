"""Send what is decided: cancels first, then sales, then purchases; and resolve what is unknown.

Every request is in the journal before it leaves. The runner queries an order with an
unknown outcome by its client id. It sends the order again only after the venue has answered several
times that it does not have it.
"""

from __future__ import annotations

import asyncio
import time

from alphalab.codes import ReportKind
from alphalab.core.events import Answer
from alphalab.errors import HaltError
from alphalab_live.bookkeeper import Bookkeeper
from alphalab_live.control import Control
from alphalab_live.order_book import LiveOrder, OrderState
from alphalab_live.outcomes import Outcome, Request
from alphalab_live.recorder import Recorder
from alphalab_live.reports import about, accepted
from alphalab_live.settings import LiveSettings
from alphalab_live.trader import Trader
from alphalab_live.venue import Answered, Venue
from alphalab_live.verdicts import CLOCK, REASONS, check_explained, stop_if_hopeless
from alphalab_live.wanted import wanted

_PAUSE = 0.05  # seconds between two looks at an order that is being cancelled
_ASK_AGAIN = 3.0  # seconds after which a cancel is sent again: it may have been lost
_LONGEST_WAIT = 60.0  # seconds that a venue may ask for


class Dispatcher:
    """Sends the intents of a session to its venue.

    Parameters
    ----------
    recorder : Recorder
    venue : Venue
    settings : LiveSettings
    books : Bookkeeper
    control : Control
    """

    def __init__(
        self,
        recorder: Recorder,
        venue: Venue,
        settings: LiveSettings,
        books: Bookkeeper,
        control: Control,
    ) -> None:
        self._recorder = recorder
        self._session = recorder.session
        self._venue = venue
        self._settings = settings
        self._settle = books.settle
        self._check = control.check
        self._clock_errors = 0

    async def dispatch(self) -> None:
        """Send everything that waits, and return when nothing does.

        Raises
        ------
        HaltError
            An order stays unknown, the keys are refused, or the venue has banned this machine.
        """
        if not any(map(_needs_work, self._session.orders.living())):
            return
        self._drop_stale(await self.cancel())
        await self._send()
        await self.resolve()

    # ---- cancels

    async def cancel(self) -> set[str]:
        """Cancel what is not wanted until it has ended; return the symbols that traded."""
        unwanted = [x for x in self._session.orders.living() if x.unwanted]
        before = {x.terms.client_id: x.filled for x in unwanted}
        for order in unwanted:
            if order.state is OrderState.UNKNOWN or order.state is OrderState.SENDING:
                await self._resolve_one(order)
            if order.state in (OrderState.ACKED, OrderState.CANCELLING):
                await self._ask_end(order)
        await self._await_ends(unwanted)
        return {x.terms.symbol for x in unwanted if x.filled != before[x.terms.client_id]}

    async def _ask_end(self, order: LiveOrder) -> None:
        self._check()
        answered = await self._venue.cancel(order.terms)
        self._recorder.note(_answer(order, Request.CANCEL, answered))
        stop_if_hopeless(answered)
        if answered.reading.outcome is Outcome.THROTTLED:
            await self._wait(answered)

    async def _await_ends(self, orders: list[LiveOrder]) -> None:
        began = asked = time.monotonic()
        while True:
            await self._settle()
            ending = [x for x in orders if x.state is OrderState.CANCELLING]
            if not ending:
                return
            now = time.monotonic()
            if now - asked > _ASK_AGAIN:
                asked = now
                for order in ending:
                    await self._ask_end(order)
            if now - began > self._settings.unknown_seconds:
                names = ", ".join(x.terms.client_id for x in ending)
                raise HaltError(
                    f"{names}: asked to end {self._settings.unknown_seconds:g} s ago, and the "
                    "venue has not ended it, or its trades do not add up",
                    rule="an order has ended when its trades make up its filled units.",
                    fix="Look at the order at the exchange; then start with --resume WHY.",
                )
            await asyncio.sleep(_PAUSE)

    def _drop_stale(self, symbols: set[str]) -> None:
        """Expire new orders whose size was decided before an old order of the symbol filled."""
        for trader in self._session.traders:
            sized = {x.order for x in wanted(trader) if not x.closes}
            for order in self._session.orders.living(trader.place):
                terms = order.terms
                waits = order.state is OrderState.INTENT and terms.order in sized
                if waits and terms.symbol in symbols:
                    self._drop(trader, order)

    def _drop(self, trader: Trader, order: LiveOrder) -> None:
        """Report that an order was never sent, or never arrived: its target stays due."""
        now = self._venue.now()
        self._recorder.book([about(trader, order, ReportKind.CANCELLED, now, final=True)])

    # ---- submits

    async def _send(self) -> None:
        waiting = [x for x in self._session.orders.living() if x.state is OrderState.INTENT]
        waiting.sort(key=lambda x: (x.terms.qty > 0, x.terms.engine, x.terms.order))
        for order in waiting:
            if order.state is OrderState.INTENT:
                await self._send_one(self._session.traders[order.terms.engine], order)

    async def _send_one(self, trader: Trader, order: LiveOrder) -> None:
        while order.state is OrderState.INTENT:
            if not (self._is_current(trader) or order.protects):
                self._drop(trader, order)
                return
            self._check()
            if order.state is not OrderState.INTENT:  # a command has ended it
                return
            answered = await self._venue.submit(order.terms)
            reading, answer = answered.reading, _answer(order, Request.SUBMIT, answered)
            if reading.outcome is Outcome.ACKED:
                now = self._venue.now()
                self._recorder.book([accepted(trader, order, reading.venue_id, now)], answer)
            elif reading.outcome is Outcome.REFUSED:
                self._refused(trader, order, answered, answer)
            else:
                self._recorder.note(answer)
            stop_if_hopeless(answered)
            if reading.outcome is Outcome.THROTTLED:
                await self._wait(answered)
            elif reading.code in CLOCK:
                await self._set_clock()

    def _refused(
        self, trader: Trader, order: LiveOrder, answered: Answered, answer: Answer
    ) -> None:
        """Book a refusal by a rule of the market; one for any other reason halts the run."""
        code, now = answered.reading.code, self._venue.now()
        if code in REASONS:
            units, reason = abs(order.terms.qty), int(REASONS[code])
            kind = ReportKind.REFUSED
            report = about(trader, order, kind, now, final=True, qty=units, code=reason)
            self._recorder.book([report], answer)
            return
        report = about(trader, order, ReportKind.CANCELLED, now, final=True)
        self._recorder.book([report], answer)
        check_explained(order, answered)

    def _is_current(self, trader: Trader) -> bool:
        """Return True while what was decided on the last row may still be sent."""
        return self._settings.is_current(trader.last, self._venue.now())

    # ---- what is unknown

    async def resolve(self) -> None:
        """Find out what became of every order whose outcome is unknown."""
        for order in self._session.orders.living():
            if order.state in (OrderState.UNKNOWN, OrderState.SENDING):
                await self._resolve_one(order)

    async def _resolve_one(self, order: LiveOrder) -> None:
        """Ask for an order until the venue has it, or has said often enough that it does not."""
        settings, trader = self._settings, self._session.traders[order.terms.engine]
        began, absences = time.monotonic(), 0
        gap = settings.absence_seconds / max(settings.absence_checks - 1, 1)
        while order.state in (OrderState.UNKNOWN, OrderState.SENDING):
            answered = await self._venue.query(order.terms)
            reading = answered.reading
            if reading.outcome is Outcome.ACKED:
                answer = _answer(order, Request.QUERY, answered)
                now = self._venue.now()
                self._recorder.book([accepted(trader, order, reading.venue_id, now)], answer)
                return
            stop_if_hopeless(answered)
            absences = absences + 1 if reading.outcome is Outcome.ABSENT else 0
            waited = time.monotonic() - began
            if absences >= settings.absence_checks and waited >= settings.absence_seconds:
                if await self._is_absent(trader, order, answered):
                    return
                absences = 0
            elif waited > settings.unknown_seconds + settings.absence_seconds:
                raise HaltError(
                    f"{order.terms.client_id}: what became of it is not known after {waited:.0f} s",
                    rule="an order with an unknown outcome is neither forgotten nor sent again.",
                    fix="Look for this client id at the exchange; then start with --resume WHY.",
                )
            await asyncio.sleep(min(gap, max(settings.unknown_seconds - waited, _PAUSE)))

    async def _is_absent(self, trader: Trader, order: LiveOrder, answered: Answered) -> bool:
        """Make sure by the trades that the venue has no such order; then send it again, or not."""
        filled = order.filled
        await self._settle()
        if not order.lives or order.venue_id or order.filled != filled:
            return not order.lives or bool(order.venue_id)
        self._recorder.note(_answer(order, Request.QUERY, answered))
        if order.unwanted or not (self._is_current(trader) or order.protects):
            self._drop(trader, order)
        else:
            await self._send_one(trader, order)
        return order.state not in (OrderState.UNKNOWN, OrderState.SENDING)

    # ---- what the venue asks for

    async def _wait(self, answered: Answered) -> None:
        await asyncio.sleep(min(answered.wire.retry_after or 1.0, _LONGEST_WAIT))

    async def _set_clock(self) -> None:
        """Follow the venue's clock after it has refused the time of a request; once."""
        self._clock_errors += 1
        skew = await self._venue.skew()
        if self._clock_errors > 1:
            raise HaltError(
                f"the venue refuses the time of requests again; this clock is {skew:+.1f} s off",
                rule="after one refusal requests are signed with the venue's time.",
                fix="Set the clock of this machine (NTP); then start with --resume WHY.",
            )
        self._venue.follow_clock()


def _needs_work(order: LiveOrder) -> bool:
    return order.unwanted or order.state in (
        OrderState.INTENT,
        OrderState.SENDING,
        OrderState.UNKNOWN,
        OrderState.CANCELLING,
    )


def _answer(order: LiveOrder, request: Request, answered: Answered) -> Answer:
    return Answer(
        client_id=order.terms.client_id,
        request=request,
        outcome=answered.reading.outcome,
        status=answered.wire.status,
        code=answered.reading.code,
        body=answered.wire.body,
    )
