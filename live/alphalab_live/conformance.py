"""Does an exchange do what the runner relies on? Asked of a venue that the user names."""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator
from typing import NamedTuple

from alphalab.core.events import Intent
from alphalab.core.rules import whole_lots
from alphalab.errors import AlphalabError
from alphalab_live.order_book import client_id
from alphalab_live.outcomes import Outcome
from alphalab_live.venue import Answered, Candle, Terms
from alphalab_live.venue_ccxt import CcxtVenue

_CANDLES = 20
_FAR = 0.9  # of the last close: a purchase at this price waits
_CURRENT = 3  # intervals


class Check(NamedTuple):
    """One thing that the runner relies on; `passed` None: the venue does not tell."""

    name: str
    passed: bool | None
    text: str


async def conformance(
    venue: CcxtVenue, symbol: str, interval: int, *, orders: bool, run: str
) -> AsyncIterator[Check]:
    """Yield what was checked, until something fails that the rest needs.

    Parameters
    ----------
    venue : CcxtVenue
        Not open yet; it is closed at the end. With a key, the account is read as well.
    symbol : str
    interval : int
        Length of the candles, ns.
    orders : bool
        True: a smallest purchase is sent far below the market, found, and cancelled.
    run : str
        Part of the client id of that order: another one each time.
    """
    try:
        await venue.open()
        terms = venue.terms(symbol)
        yield Check("market", terms.is_active, _terms_text(terms))
        skew = await venue.skew()
        yield Check("clock", abs(skew) <= 1, f"this machine is {skew:+.3f} s ahead")
        candles = await venue.candles(symbol, interval, venue.now() - _CANDLES * interval, _CANDLES)
        yield _candles(candles, interval, venue.now())
        if venue.key:
            async for check in _account(venue, symbol):
                yield check
        if orders and candles:
            intent = _purchase(symbol, candles[-1].close, terms, run)
            async for check in _order(venue, intent):
                yield check
    except AlphalabError as error:
        yield Check("stopped", False, error.what)
    finally:
        await venue.close()


def _terms_text(terms: Terms) -> str:
    told = {"tick": terms.tick, "lot": terms.lot, "minimum value": terms.min_value}
    known = ", ".join(f"{name} {value:g}" for name, value in told.items() if value == value)
    return f"{terms.kind} in {terms.currency}, {known or 'no grid is told'}"


def _candles(candles: list[Candle], interval: int, now: int) -> Check:
    times = [candle.time for candle in candles]
    gaps = sum(b - a != interval for a, b in itertools.pairwise(times))
    late = (now - times[-1]) / interval if times else math.inf
    return Check(
        "candles",
        bool(times) and gaps == 0 and late < _CURRENT,
        f"{len(times)} closed, {gaps} gaps, the last one closed {late:.1f} bars ago",
    )


async def _account(venue: CcxtVenue, symbol: str) -> AsyncIterator[Check]:
    rights = await venue.key_rights()
    safe = None if rights.moves_money is None else not rights.moves_money
    yield Check("key may not move money", safe, "" if safe is not None else "it is not told")
    yield Check(
        "key may trade", rights.trades, "" if rights.trades is not None else "it is not told"
    )
    holdings = await venue.holdings([symbol])
    cash = ", ".join(f"{value:g} {coin}" for coin, value in holdings.cash.items() if value)
    yield Check("balance", True, cash or "empty")
    found = await venue.open_orders([symbol])
    yield Check("open orders", True, str(len(found)))
    last = await venue.last_trade(symbol)
    trades = await venue.trades(symbol, last, venue.now() - 3_600 * 10**9)
    yield Check("own trades", True, f"{len(trades)} in the last hour")
    if venue.terms(symbol).kind != "spot":
        modes = await venue.modes(symbol)
        known = None not in modes
        yield Check("modes", True if known else None, str(modes))


def _purchase(symbol: str, close: float, terms: Terms, run: str) -> Intent:
    """Return the smallest purchase that the venue takes, far below the last close."""
    price = whole_lots(close * _FAR, terms.tick) if terms.tick == terms.tick else close * _FAR
    least = max(x for x in (terms.lot, terms.least, terms.min_value / price) if x == x)
    lots = math.ceil(least / terms.lot - 1e-9) if terms.lot == terms.lot else 1
    return Intent(
        client_id=client_id(run, 0, 1, 0),
        engine=0,
        order=1,
        revision=0,
        action="submit",
        order_type="limit",
        symbol=symbol,
        qty=whole_lots(lots * terms.lot * (1 + 1e-9), terms.lot)
        if terms.lot == terms.lot
        else least,
        price=price,
        stop=math.nan,
        trail=math.nan,
        time_in_force="GTC",
        reduce_only=False,
        post_only=False,
    )


async def _order(venue: CcxtVenue, intent: Intent) -> AsyncIterator[Check]:
    """Yield what becomes of an order that is sent, found and cancelled."""
    yield _outcome("an id that was never sent", await venue.query(intent), Outcome.ABSENT)
    sent = await venue.submit(intent)
    yield _outcome("order sent", sent, Outcome.ACKED)
    if sent.reading.outcome not in (Outcome.ACKED, Outcome.UNKNOWN):
        return
    found = await venue.query(intent)
    yield _outcome("order found by its client id", found, Outcome.ACKED)
    names = [order.client_id for order in await venue.open_orders([intent.symbol])]
    yield Check("order in the list", intent.client_id in names, f"{len(names)} open")
    await venue.cancel(intent)
    after = await venue.query(intent)
    ended = after.order is not None and not after.order.is_open
    gone = after.reading.outcome is Outcome.ABSENT
    text = "" if ended or gone else "CANCEL IT AT THE EXCHANGE"
    yield Check("order cancelled", ended or gone, text)


def _outcome(name: str, answered: Answered, wanted: Outcome) -> Check:
    reading = answered.reading
    text = f"{reading.outcome.value}, status {answered.wire.status}"
    return Check(
        name, reading.outcome is wanted, text + (f", code {reading.code}" * bool(reading.code))
    )
