"""`Venue`: what the runner needs of an exchange, and the records that go between them.

Times are int64 ns UTC, quantities units of the asset, prices in its currency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from alphalab.core.events import Intent
from alphalab_live.outcomes import Reading, Wire


class Candle(NamedTuple):
    """A closed bar; `time` is its close."""

    symbol: str
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Trade(NamedTuple):
    """An execution; `qty` is negative for a sale, `order` the venue's id of the order."""

    symbol: str
    id: str
    order: str
    time: int
    qty: float
    price: float
    fee: float
    fee_currency: str


class VenueOrder(NamedTuple):
    """An order as the venue has it.

    Attributes
    ----------
    client_id, venue_id : str
    symbol : str
    is_open : bool
        Whether it can still trade.
    expired : bool
        Whether the venue has ended it by its own rules, not by a cancel.
    filled : float
        Units, at least 0.
    trades_as : str
        Id of the order in the list of trades: of a triggered stop it can be another one.
    """

    client_id: str
    venue_id: str
    symbol: str
    is_open: bool
    expired: bool
    filled: float
    trades_as: str


class Income(NamedTuple):
    """A funding of a perpetual contract; `rate` is NaN where the venue does not tell it."""

    id: str
    symbol: str
    time: int
    amount: float
    currency: str
    rate: float


class Holdings(NamedTuple):
    """Cash by currency, and units by symbol (of spot: the balance of the coin)."""

    cash: dict[str, float]
    units: dict[str, float]


class KeyRights(NamedTuple):
    """What an API key may do; None: the venue does not tell."""

    trades: bool | None
    moves_money: bool | None


class Terms(NamedTuple):
    """The rules of a market; NaN where the venue does not tell.

    Attributes
    ----------
    kind : str
        ``spot``, ``linear`` or another.
    currency : str
        In which prices and profits are counted.
    is_active : bool
    tick, lot : float
        Steps of prices and of units.
    least : float
        Smallest order, units.
    min_value : float
        Smallest order, currency.
    multiplier : float
        Units of the asset in one unit of an order.
    """

    kind: str
    currency: str
    is_active: bool
    tick: float = math.nan
    lot: float = math.nan
    least: float = math.nan
    min_value: float = math.nan
    multiplier: float = 1.0


class Modes(NamedTuple):
    """How a contract is held; None: the venue does not tell."""

    leverage: float | None
    crossed: bool | None
    one_way: bool | None

    def __str__(self) -> str:
        leverage = "unknown" if self.leverage is None else f"{self.leverage:g}"
        margin = {True: "crossed", False: "isolated", None: "unknown"}[self.crossed]
        positions = {True: "one-way", False: "hedged", None: "unknown"}[self.one_way]
        return f"leverage {leverage}, margin {margin}, positions {positions}"


class Answered(NamedTuple):
    """The answer to a request about an order: what it means, and what went over the wire."""

    reading: Reading
    wire: Wire
    order: VenueOrder | None = None


class Stir(Enum):
    """Why the venue wakes the runner."""

    CANDLE = "a candle has closed"
    ORDERS = "something happened to an order"
    DOWN = "a stream is closed or silent"
    UP = "all streams are open"
    TICK = "time has passed"
    END = "the market of a recording has ended"


class Signal(NamedTuple):
    """What wakes the runner."""

    stir: Stir
    candle: Candle | None = None


class Venue(Protocol):
    """An exchange with one account. Reads raise `VenueError`; requests about orders never do."""

    name: str
    account: str

    def listen(self, on_send: Callable[[str, str, str, str], None]) -> None:
        """Call a function with client id, method, path and body before a request leaves."""

    def now(self) -> int:
        """Return the time by the venue's clock."""

    def coin(self, symbol: str) -> str:
        """Return the coin that a symbol of spot trades; of a contract, what it is on."""

    async def open(self) -> None:
        """Connect; load and check the markets."""

    async def close(self) -> None:
        """Disconnect."""

    async def skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the venue's."""

    def follow_clock(self) -> None:
        """Sign requests with the venue's time, as `skew` has found it."""

    def terms(self, symbol: str) -> Terms:
        """Return the rules of a market."""

    async def modes(self, symbol: str) -> Modes:
        """Return how a contract is held."""

    async def set_modes(self, symbol: str, before: Modes, wanted: Modes) -> None:
        """Change what differs."""

    async def key_rights(self) -> KeyRights:
        """Return what the API key may do."""

    async def candles(self, symbol: str, interval: int, after: int, most: int) -> list[Candle]:
        """Return closed bars that close later than a time, oldest first."""

    async def submit(self, intent: Intent) -> Answered:
        """Send an order."""

    async def cancel(self, intent: Intent) -> Answered:
        """Ask for the end of an order."""

    async def query(self, intent: Intent) -> Answered:
        """Ask what became of an order, by its client id."""

    async def order_of(self, symbol: str, venue_id: str) -> VenueOrder:
        """Return an order by the venue's id."""

    async def open_orders(self, symbols: Sequence[str]) -> list[VenueOrder]:
        """Return all open orders of some symbols, also those that others have sent."""

    async def trades(self, symbol: str, after: int, since: int) -> list[Trade]:
        """Return trades of a symbol behind an id (0: none yet), since a time, in their order."""

    async def last_trade(self, symbol: str) -> int:
        """Return the id of the last trade of a symbol; 0: none, or they have no numbers."""

    async def income(self, symbols: Sequence[str], since: int) -> list[Income]:
        """Return changes of the cash since a time, in their order."""

    async def funding_rates(self, symbol: str, since: int) -> dict[int, float]:
        """Return the funding rates of a symbol since a time, by their time (ns)."""

    async def holdings(self, symbols: Sequence[str]) -> Holdings:
        """Return cash and units."""

    async def signal(self) -> Signal:
        """Wait for the next signal."""

    async def idle(self) -> None:
        """Tell that everything up to the last signal has been done."""
