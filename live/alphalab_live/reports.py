"""Reports for the books: of an engine, and about one of its orders."""

from __future__ import annotations

import math
from typing import Any

from alphalab.codes import ReportKind
from alphalab.core.events import Report
from alphalab_live.order_book import LiveOrder
from alphalab_live.trader import Trader

_PLAIN: dict[str, Any] = {
    "order": 0,
    "asset": -1,
    "qty": 0.0,
    "filled": 0.0,
    "price": 0.0,
    "stop": math.nan,
    "fee": 0.0,
    "amount": 0.0,
    "rate": math.nan,
    "code": 0,
    "last": False,
    "client_id": "",
    "final": False,
    "venue_id": "",
}


def report_of(trader: Trader, kind: ReportKind, venue_time: int, **fields: Any) -> Report:
    """Return a report of a trader; what is not given is zero, empty or NaN."""
    return Report(
        engine=trader.place,
        kind=int(kind),
        time=trader.in_progress,
        venue_time=venue_time,
        **_PLAIN | fields,
    )


def about(
    trader: Trader,
    order: LiveOrder,
    kind: ReportKind,
    time: int,
    *,
    final: bool = False,
    replaced: bool = False,
    **fields: Any,
) -> Report:
    """Return a report about an order.

    `final` ends it, and with it the engine's order, unless a newer revision has `replaced` it.
    """
    terms = order.terms
    return report_of(
        trader,
        kind,
        time,
        order=terms.order,
        asset=trader.symbols.index(terms.symbol),
        client_id=terms.client_id,
        final=final,
        last=final and not replaced,
        **fields,
    )


def accepted(trader: Trader, order: LiveOrder, venue_id: str, time: int) -> Report:
    """Return the report that the venue has an order."""
    return about(trader, order, ReportKind.ACCEPTED, time, venue_id=venue_id)
