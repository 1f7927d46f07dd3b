"""Reconcile: compare the venue's open orders, positions and cash with the books of the run.

Nothing is corrected by itself: a difference that settling does not explain halts the run, and is
printed with what to do about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from alphalab.core.event_codec import array_bytes
from alphalab.core.events import Cursor, Observation, Reconcile
from alphalab_live.order_book import PREFIX
from alphalab_live.session import Session, trades_name
from alphalab_live.settings import LiveSettings
from alphalab_live.venue import Holdings, Venue, VenueOrder

_CASH = "cash at the start in "
_UNITS = "units at the start of "


async def differences(session: Session, venue: Venue, settings: LiveSettings) -> list[Reconcile]:
    """Return what differs between the venue and the books.

    Raises
    ------
    VenueError
        The venue does not answer.
    """
    orders = await venue.open_orders(session.symbols)
    holdings = await venue.holdings(session.symbols)
    return [
        *_order_differences(session, orders),
        *_unit_differences(session, holdings),
        *_cash_differences(session, holdings, settings.cash_tolerance),
    ]


async def baseline(session: Session, venue: Venue, *, ignore: bool) -> list[Observation | Cursor]:
    """Return what the account holds and has traded before the first row, beyond the run's capital.

    Parameters
    ----------
    session : Session
    venue : Venue
    ignore : bool
        True: units that the account holds already are not the run's. False: they are a difference.
    """
    holdings = await venue.holdings(session.symbols)
    now = venue.now()
    found: list[Observation | Cursor] = []
    for currency, capital in _cash(session).items():
        extra = holdings.cash.get(currency, 0.0) - capital
        found.append(_observed(_CASH + currency, now, extra))
    for symbol in session.symbols:
        extra = holdings.units.get(symbol, 0.0) if ignore else 0.0
        found.append(_observed(_UNITS + symbol, now, extra))
        found.append(Cursor(name=trades_name(symbol), value=await venue.last_trade(symbol)))
    return found


def _observed(name: str, now: int, value: float) -> Observation:
    return Observation(name=name, known=now, values=array_bytes(np.array([value])))


def _order_differences(session: Session, orders: Sequence[VenueOrder]) -> Iterator[Reconcile]:
    own = f"{PREFIX}-{session.run.run}-" if session.run is not None else ""
    for order in orders:
        name = order.client_id
        if name in session.orders and session.orders[name].lives:
            continue
        if own and name.startswith(own):
            cause = "the journal is an older copy, or two runners share this run"
        elif name.startswith(f"{PREFIX}-"):
            cause = "another run trades this account"
        else:
            cause = "somebody else trades this account"
        yield Reconcile(
            subject=f"open order {name or order.venue_id} of {order.symbol}",
            expected="none",
            found="open",
            action=f"Cancel it at the exchange: {cause}.",
        )


def _unit_differences(session: Session, holdings: Holdings) -> Iterator[Reconcile]:
    for trader in session.traders:
        for asset, symbol in enumerate(trader.symbols):
            extra = session.baseline.get(_UNITS + symbol, 0.0)
            expected = float(trader.qty[asset]) + extra
            found = holdings.units.get(symbol, 0.0)
            if abs(expected - found) > trader.half_lot(asset):
                yield Reconcile(
                    subject=f"units of {symbol}",
                    expected=repr(expected),
                    found=repr(found),
                    action="Close the difference at the exchange, or begin a new run with "
                    "--ignore-holdings.",
                )


def _cash_differences(
    session: Session, holdings: Holdings, tolerance: float
) -> Iterator[Reconcile]:
    for currency, booked in _cash(session).items():
        extra = session.baseline.get(_CASH + currency, 0.0)
        found = holdings.cash.get(currency, 0.0)
        if extra < -tolerance * booked:
            yield Reconcile(
                subject=f"{currency} at the start",
                expected=f"at least {booked!r}",
                found=repr(booked + extra),
                action="Pay the capital of the run in, or set a smaller capital.",
            )
        elif abs(booked + extra - found) > tolerance * max(abs(booked), abs(found), 1.0):
            yield Reconcile(
                subject=f"cash in {currency}",
                expected=repr(booked + extra),
                found=repr(found),
                action="Look for a deposit, a withdrawal or a fee that is not booked.",
            )


def _cash(session: Session) -> dict[str, float]:
    """Return the cash of the books by currency."""
    found: dict[str, float] = defaultdict(float)
    for trader in session.traders:
        found[trader.currency] += trader.cash
    return found
