"""Orders, trades and income of an account, as the exchange keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from alphalab.codes import OrderType, TimeInForce
from alphalab_live.exchange.listing import Listing

OPEN = ("NEW", "PARTIALLY_FILLED")

TIMES = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
WITH_LIMIT = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED)
WITH_STOP = (
    OrderType.STOP,
    OrderType.STOP_LIMIT,
    OrderType.TAKE_PROFIT,
    OrderType.LIMIT_IF_TOUCHED,
)


class Trade(NamedTuple):
    """One execution of an order. Numbers are texts, times ms."""

    id: int
    order: int
    listing: Listing
    side: str
    price: str
    qty: str
    quote: str
    fee: str
    fee_coin: str
    realised: str
    time: int
    maker: bool


class Income(NamedTuple):
    """A change of cash without a trade."""

    id: int
    listing: Listing
    kind: str  # the exchange's word for it
    amount: str
    coin: str
    time: int  # ms


@dataclass
class Order:
    """One order. Numbers that the client sent stay as it wrote them; times are ms.

    A conditional order of the futures market has an `algo_id`, and an `id` only once it has
    triggered.
    """

    listing: Listing
    client_id: str
    side: str
    type: str
    kind: OrderType
    tif: str
    qty: str
    price: str
    stop: str
    reduce_only: bool
    closes: bool
    trail: float  # fraction of the best price; NaN: none
    id: int | None = None
    algo_id: int | None = None
    book_id: int = 0
    status: str = "NEW"
    reason: str = "NONE"
    filled: float = 0.0
    quote: float = 0.0
    created: int = 0
    updated: int = 0
    trades: list[Trade] = field(default_factory=list)

    @property
    def lives(self) -> bool:
        """True while it can trade."""
        return self.status in OPEN

    @property
    def sign(self) -> int:
        """1 for a purchase, -1 for a sale."""
        return 1 if self.side == "BUY" else -1

    @property
    def units(self) -> float:
        """Units asked for; NaN for an order that closes the position."""
        return float("nan") if self.closes else float(self.qty)

    @property
    def limit(self) -> float:
        """The limit price, or NaN."""
        return float(self.price) if self.kind in WITH_LIMIT else float("nan")

    @property
    def trigger(self) -> float:
        """The price that triggers it, or from which it trails; NaN: none."""
        return float(self.stop) if self.stop != "0" else float("nan")

    @property
    def post_only(self) -> bool:
        """True if it must not take."""
        return self.type == "LIMIT_MAKER" or self.tif == "GTX"

    @property
    def time_in_force(self) -> TimeInForce:
        """How long it lives."""
        return TIMES.get(self.tif, TimeInForce.GTC)
