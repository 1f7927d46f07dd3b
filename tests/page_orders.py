"""What the market of docs/market.md keeps of an order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from alphalab.codes import OrderState, OrderType

NAN = math.nan
FOREVER = 2**63 - 1
AT_ONE_PRICE = (OrderType.MARKET, OrderType.MARKET_ON_OPEN, OrderType.MARKET_ON_CLOSE)
TRIGGERED = (OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED)
HAS_LIMIT = (OrderType.LIMIT, *TRIGGERED)
HAS_STOP = (OrderType.STOP, OrderType.TAKE_PROFIT, *TRIGGERED)


@dataclass
class Order:
    id: int
    asset: int
    origin: int
    type: int
    sizing: int
    side: int
    row: int  # that decided it
    live_row: int  # the first it may meet
    qty: float = NAN  # units still to fill
    value: float = NAN  # still to spend; of others: what it was decided for
    limit: float = NAN
    stop: float = NAN
    trail: float = NAN
    trail_frac: float = NAN
    best: float = NAN
    away: float = NAN  # of an exit from the entry price
    part: float = NAN  # the same as a fraction of it
    start: float = NAN  # best price from which it has a stop
    tif: int = 0
    until_time: int = FOREVER
    until_row: int = FOREVER
    reduce_only: bool = False
    post_only: bool = False
    group: Any = 0
    parent: int = 0
    state: int = OrderState.SUBMITTED
    woken_row: int = -1  # row of the fill that brought it to life
    day: int = 0
    filled: float = 0.0
    raw_fee: float = 0.0  # without the minimum
    fee: float = 0.0
    triggered: bool = False
    met: bool = False  # it has met an open, or the rest of a bar
    spent_row: int = -1  # row in which the volume ended for it
    in_place: bool = False  # the one order of its asset's target, or max_holding's in its place
    is_entry: bool = False
    untold: list[tuple[Any, ...]] | None = None  # events that wait for the outcome

    @property
    def lives(self) -> bool:
        return self.state != OrderState.FREE

    @property
    def is_active(self) -> bool:
        return self.state == OrderState.ACTIVE


def limit_like(order: Order) -> bool:
    """True if the order is a limit order now."""
    return order.type == OrderType.LIMIT or (order.type in TRIGGERED and order.triggered)


def by_touch(order: Order) -> bool:
    """True if the order's stop is a target: better than the price, not worse."""
    return order.type in (OrderType.TAKE_PROFIT, OrderType.LIMIT_IF_TOUCHED)
