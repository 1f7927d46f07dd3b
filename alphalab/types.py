"""The shapes that cross a kernel's boundary: record layouts with a unit on every field.

Money is in quote currency, quantities in units of the asset, times in int64 nanoseconds UTC, rates
as plain fractions (0.001 is 10 bps). `row` counts from the first row an engine was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.codes import Kind
from alphalab.errors import ParameterError

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Records: TypeAlias = NDArray[np.void]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")

#: The column of the ends of listings: in the row in which one ends, the price at which positions
#: are closed; NaN elsewhere. Bars need not have it.
DELISTING = "delisting"

#: A time, day or period before all others.
NEVER = np.iinfo(np.int64).min

#: A time after all others.
FOREVER = np.iinfo(np.int64).max

#: What a venue says about one asset, as the kernels see it.
INSTRUMENT = np.dtype(
    [
        ("kind", "i8"),  # a Kind code
        ("tick", "f8"),  # smallest step of an order's price; 0: none
        ("tick_den", "f8"),  # power of ten that makes the tick a whole number; 0: there is none
        ("lot", "f8"),  # smallest quantity step, units; 0: none
        ("lot_den", "f8"),  # power of ten that makes the lot a whole number; 0: there is none
        ("min_value", "f8"),  # smallest order value, quote currency
        ("maker", "f8"),  # fee, fraction of traded value, below 0 a maker is paid
        ("taker", "f8"),  # fee, fraction of traded value
        ("multiplier", "f8"),  # currency per unit and point of price; inverse: face value
    ]
)

#: The settings of one run, as the kernels see them. A limit that is not set is infinite.
RULES = np.dtype(
    [
        ("fill", "i8"),  # a FillAt code
        ("rebalancing", "i8"),  # a Rebalancing code
        ("threshold", "f8"),  # drift, weight
        ("cooldown", "i8"),  # drift, rows
        ("gross", "f8"),  # weight
        ("net", "f8"),  # weight
        ("weight", "f8"),  # weight
        ("group_gross", "f8"),  # weight
        ("n_groups", "i8"),
        ("drawdown", "f8"),  # fraction of the peak
        ("daily_loss", "f8"),  # fraction of the equity at the last row of the day before
        ("order", "f8"),  # fraction of equity
        ("path", "i8"),  # a Path code
        ("delay", "i8"),  # rows
        ("participation", "f8"),  # fraction of a bar's volume
        ("slippage", "f8"),  # half the spread and the fixed slippage, fraction of the price
        ("share_impact", "f8"),  # fraction of the price when trading a bar's whole volume
        ("root_impact", "f8"),  # fraction of the price when trading a bar's whole volume
        ("quotes", "i8"),  # a Quotes code: whether takers pay the ask and get the bid
        ("through", "i8"),  # 1: a resting limit order trades only past its limit
        ("unit_fee", "f8"),  # quote currency per unit
        ("order_fee", "f8"),  # quote currency per order, with its first fill
        ("min_fee", "f8"),  # quote currency per order; -inf: none
        ("max_fee", "f8"),  # quote currency per order; inf: none
        ("fee_step", "f8"),  # fees are rounded to whole steps, quote currency; 0: they are not
        ("fee_den", "f8"),  # power of ten that makes the step a whole number; 0: there is none
        ("coin_fee", "i8"),  # 1: the fee of a purchase of spot is taken from the units that come
        ("margin", "i8"),  # 1: a margin account
        ("initial", "f8"),  # equity per value of positions; 1 in a cash account
        ("maintenance", "f8"),  # equity per value of positions
        ("liquidation", "f8"),  # fee, fraction of value
        ("borrow", "f8"),  # per day, fraction of what is sold short
        ("loan", "f8"),  # per day, fraction
        ("interest", "f8"),  # per day, fraction
        ("posts", "i8"),  # 1: there are postings or conversion rates
        ("daily", "i8"),  # 1: holding costs or earns
        ("actions", "i8"),  # an Actions code
        ("in_lieu", "i8"),  # 1: fractions of a lot after a split are paid in cash
        ("starts", "i8"),  # 1: something is held at the start
        ("at_fill", "i8"),  # 1: a target's sale is sized at the price of its fill
        ("funds", "i8"),  # 1: there is funding
        ("converts", "i8"),  # 1: there are conversion rates
        ("exits", "i8"),  # 1: positions have protective orders
        ("stop_loss", "f8"),  # fraction of the entry price; NaN: none
        ("take_profit", "f8"),  # fraction of the entry price; NaN: none
        ("trailing", "f8"),  # fraction of the best price; NaN: none
        ("max_holding", "i8"),  # rows; 0: no limit
        ("entry", "i8"),  # 1: entries by limit orders
        ("entry_offset", "f8"),  # fraction of the mark
        ("entry_ttl", "i8"),  # rows; 0: no limit
        ("entry_then", "i8"),  # an OnExpiry code
        ("entry_post_only", "i8"),  # 0 or 1
    ]
)

#: What is held of one asset at the start.
START = np.dtype(
    [
        ("qty", "f8"),  # units, negative when short
        ("price", "f8"),  # at which they are taken over
    ]
)

#: Fees from a traded value on.
TIER = np.dtype(
    [
        ("value", "f8"),  # traded in the 30 days before, quote currency
        ("maker", "f8"),  # fraction of traded value
        ("taker", "f8"),
    ]
)

#: One asset's place in the account.
POSITION = np.dtype(
    [
        ("qty", "f8"),  # units held, negative when short
        ("mark", "f8"),  # last known close; NaN before the first
        ("rate", "f8"),  # quote currency per unit of the asset's currency
        ("entry_price", "f8"),  # average price of what is held; NaN when flat
        ("basis", "f8"),  # average of what profit is counted from; NaN when flat
        ("entry_row", "i8"),  # row of the fill that opened the position; -1 when flat
        ("target", "f8"),  # last approved weight acted upon; NaN: none
        ("unmet", "i8"),  # 1: its order was refused or ended unfilled, it is still to be met
        ("period", "i8"),  # calendar period in which that was; NEVER before
        ("traded_row", "i8"),  # row of the last order (drift cooldown); -1 before the first
        ("refusal", "i8"),  # Reason last logged for its orders; 0: none since its last fill
        ("out", "i8"),  # 1: left by an exit, stays out until its target changes
        ("chase", "i8"),  # 1: its next entry goes by market order
        ("room", "f8"),  # units that the current bar can still fill
        ("over", "f8"),  # last known ask above the close, fraction of it
        ("under", "f8"),  # last known bid below the close, fraction of it
    ]
)

#: One order. A price that does not belong to its type is NaN.
ORDER = np.dtype(
    [
        ("state", "i8"),  # an OrderState code; FREE: no order here
        ("id", "i8"),  # 1, 2, 3, ... in the order of submission
        ("origin", "i8"),  # an Origin code
        ("type", "i8"),  # an OrderType code
        ("sizing", "i8"),  # a Sizing code
        ("side", "i8"),  # 1 buys, -1 sells
        ("qty", "f8"),  # units still to fill; NaN where the sizing is by value or CLOSE
        ("value", "f8"),  # BUY_VALUE: still to spend, fees included; otherwise as decided
        ("filled", "f8"),  # units filled so far
        ("limit", "f8"),  # price
        ("stop", "f8"),  # price that triggers it; of a trailing order: as it stands
        ("trail", "f8"),  # distance of a trailing stop, price
        ("trail_frac", "f8"),  # the same as a fraction of the best price
        ("best", "f8"),  # best price seen by a trailing stop
        ("triggered", "i8"),  # 1: a stop-limit order that is a limit order now
        ("tif", "i8"),  # a TimeInForce code
        ("until_row", "i8"),  # last row it may meet
        ("until_time", "i8"),  # ns UTC: last close it may meet
        ("day", "i8"),  # UTC day on which it became active
        ("reduce_only", "i8"),  # 0 or 1
        ("post_only", "i8"),  # 0 or 1
        ("group", "i8"),  # of orders of which one cancels the others; 0: none
        ("parent", "i8"),  # order whose first fill it waits for; 0: none
        ("row", "i8"),  # row that decided it
        ("time", "i8"),  # close time of that row, ns UTC
        ("active_row", "i8"),  # row in which it became active; -1 before
        ("active_time", "i8"),  # close time of that row, ns UTC
        ("live_row", "i8"),  # first row it may meet
        ("met_row", "i8"),  # row in which it first met a price; -1 before
        ("spent_row", "i8"),  # row in which the volume ran out for it; -1: none
        ("raw_fee", "f8"),  # fees so far, without the minimum
        ("fee", "f8"),  # fees so far
        ("logged", "i8"),  # 0: the same order as one refused before, not told again
    ]
)

#: What a `decide` asks for.
REQUEST = np.dtype(
    [
        ("kind", "i8"),  # a RequestKind code
        ("order", "i8"),  # id: to be given, or of the order to amend or cancel
        ("asset", "i8"),
        ("side", "i8"),
        ("type", "i8"),
        ("qty", "f8"),  # units
        ("limit", "f8"),  # price
        ("stop", "f8"),  # price
        ("trail", "f8"),  # price
        ("trail_frac", "f8"),
        ("tif", "i8"),
        ("until", "i8"),  # ns UTC
        ("reduce_only", "i8"),
        ("post_only", "i8"),
        ("group", "i8"),
        ("parent", "i8"),
    ]
)

#: The account of one column: everything that is not per asset.
ACCOUNT = np.dtype(
    [
        ("row", "i8"),  # rows pushed so far
        ("cash", "f8"),
        ("equity", "f8"),  # cash + market value at the last mark
        ("peak", "f8"),  # highest equity so far
        ("realised", "f8"),  # closed profit before fees, cumulative
        ("fees", "f8"),  # cumulative
        ("turnover", "f8"),  # traded value, cumulative, quote currency
        ("carry", "f8"),  # sum of all postings, quote currency
        ("day", "i8"),  # UTC day number of the last row
        ("day_equity", "f8"),  # equity at the last row of the day before
        ("lock", "i8"),  # 0, or the Reason that closed the account to new risk
        ("flat_day", "i8"),  # UTC day the daily loss limit was last reached; NEVER before
        ("waiting", "i8"),  # orders that live
        ("n_orders", "i8"),  # orders so far: the id of the last one
        ("tier", "i8"),  # place of the fees in force among the tiers
        ("time", "i8"),  # close time of the current row, ns UTC
    ]
)

#: The account at one row, after everything that happened in it.
LEDGER = np.dtype(
    [
        ("equity", "f8"),  # cash + value
        ("cash", "f8"),
        ("value", "f8"),  # market value of all positions: shorts negative, contracts their profit
        ("gross", "f8"),  # sum of absolute position sizes
        ("realised", "f8"),  # closed profit before fees, cumulative
        ("unrealised", "f8"),  # open profit before fees
        ("fees", "f8"),  # cumulative
        ("turnover", "f8"),  # traded value, cumulative
        ("carry", "f8"),  # funding, borrowing, interest, dividends: cumulative
    ]
)

#: One execution.
FILL = np.dtype(
    [
        ("row", "i8"),  # row of the execution
        ("time", "i8"),  # close time of that row, ns UTC
        ("asset", "i8"),  # index into the symbols
        ("order", "i8"),  # id
        ("order_row", "i8"),  # row of the decision
        ("qty", "f8"),  # units, negative for a sale
        ("price", "f8"),
        ("fee", "f8"),  # quote currency
        ("realised", "f8"),  # profit this execution closed, before its fee
    ]
)

#: Something the gate or the venue did not let through as asked.
REFUSAL = np.dtype(
    [
        ("row", "i8"),
        ("time", "i8"),  # ns UTC
        ("asset", "i8"),  # index into the symbols; -1: the whole portfolio
        ("reason", "i8"),  # a Reason code
        ("asked", "f8"),  # in the unit that the reason names
        ("approved", "f8"),
    ]
)

#: One stage in the life of an order.
EVENT = np.dtype(
    [
        ("row", "i8"),
        ("time", "i8"),  # ns UTC
        ("order", "i8"),  # id
        ("qty", "f8"),  # units still to fill; NaN where the sizing is by value or CLOSE
        ("filled", "f8"),  # units filled so far
        ("limit", "f8"),  # price
        ("stop", "f8"),  # price
        ("side", "i8"),  # 1 buys, -1 sells
        ("asset", "i4"),  # index into the symbols
        ("origin", "i1"),  # an Origin code
        ("status", "i1"),  # an OrderStatus code
        ("reason", "i1"),  # a Reason code, or 0
        ("type", "i1"),  # an OrderType code
    ]
)

#: A change of cash or position that is no trade.
POSTED = np.dtype(
    [
        ("row", "i8"),
        ("time", "i8"),  # ns UTC
        ("asset", "i8"),  # index into the symbols; -1: the account
        ("kind", "i8"),  # a Posting code
        ("qty", "f8"),  # units it is for; of a split or a reinvestment: units that came
        ("rate", "f8"),  # funding rate, dividend per unit, split ratio, rate per day ...
        ("amount", "f8"),  # quote currency that came, negative: was paid
    ]
)

#: A bar in which the path of the price decides what became of an asset.
AMBIGUITY = np.dtype(
    [
        ("row", "i8"),
        ("time", "i8"),  # ns UTC
        ("asset", "i8"),  # index into the symbols
        ("low_first", "f8"),  # equity at the close if the low came first, quote currency
        ("high_first", "f8"),  # equity at the close if the high came first
        ("taken", "i8"),  # 0: the low came first; 1: the high
    ]
)


#: The figures of a run, folded as its rows went by. r is the return of a row.
TALLY = np.dtype(
    [
        ("rows", "i8"),  # folded into the figures below
        ("kept", "i8"),  # rows that wait to be folded
        ("equity", "f8"),  # after the last row
        ("start", "f8"),  # before the first row
        ("peak", "f8"),  # highest equity
        ("least", "f8"),  # lowest equity, the start included
        ("least_before", "f8"),  # the same without the last row
        ("max_drawdown", "f8"),  # fraction of the peak
        ("mean", "f8"),  # of r
        ("m2", "f8"),  # sum of (r - mean)^2
        ("m3", "f8"),
        ("m4", "f8"),
        ("gained", "f8"),  # sum of max(r, 0)
        ("lost", "f8"),  # sum of max(-r, 0)
        ("downside", "f8"),  # sum of min(r, 0)^2
        ("equity_sum", "f8"),  # over the rows
        ("invested", "i8"),  # rows that end with a position
        ("fees", "f8"),
        ("turnover", "f8"),  # traded value
        ("carry", "f8"),
        ("n_fills", "i8"),
        ("n_refusals", "i8"),
        ("n_ambiguities", "i8"),
        ("n_trips", "i8"),  # closed round trips
        ("n_won", "i8"),  # of them
        ("trips_won", "f8"),  # sum of their profits, after fees
        ("trips_lost", "f8"),  # sum of the losses of the others
        ("trip_rows", "i8"),  # sum of the rows from first to last fill
    ]
)

#: The round trip that a position is in.
TRIP_SO_FAR = np.dtype(
    [
        ("total", "f8"),  # sum of all units that came and went
        ("held", "f8"),  # the same; 0 where only rounding is left
        ("qty", "f8"),  # units as they were last seen
        ("entry_row", "i8"),  # row of the first fill
        ("realised", "f8"),  # before fees
        ("fees", "f8"),
    ]
)


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a venue says about one asset.

    Parameters
    ----------
    symbol : str
    kind : {"spot", "linear", "inverse"}
        ``spot``: paid for and owned (stocks, coins). ``linear``: a contract of which only profit
        and loss change hands (futures, perpetuals). ``inverse``: the same, settled in the coin it
        is on: one unit is worth multiplier / price of it.
    tick, lot : float
        Smallest step of price and of quantity; 0 means any.
    min_value : float
        Smallest order value, quote currency.
    maker_bps, taker_bps : float
        Fees in basis points of traded value: the maker's for orders that waited in the book, the
        taker's for all others.
    multiplier : float
        Currency per unit and point of price (1 for stocks and spot). Of an inverse contract: its
        face value, such as 100 (dollars).
    currency : str
        What prices are in; of an inverse contract: what it settles in.
    funding_hours : float
        Hours between two fundings of a perpetual contract, counted from midnight UTC; 0: none.
    groups : dict of str to str
        Labels such as ``{"sector": "energy"}``, read by `al.group`.
    calendar : str
        ``"24/7"`` or an exchange code such as ``"XNYS"``; empty when unknown.

    Raises
    ------
    ParameterError
        A negative or non-finite number, an empty symbol.

    Examples
    --------
    >>> Instrument(symbol="AAPL", lot=1, groups={"sector": "technology"}).lot
    1.0
    """

    symbol: str
    kind: Literal["spot", "linear", "inverse"] = "spot"
    tick: float = 0.0
    lot: float = 0.0
    min_value: float = 0.0
    maker_bps: float = 0.0
    taker_bps: float = 0.0
    multiplier: float = 1.0
    currency: str = "USD"
    funding_hours: float = 0.0
    groups: dict[str, str] = {}
    calendar: str = ""

    def __post_init__(self) -> None:
        if not self.symbol:
            raise ParameterError("Instrument(symbol='')", rule="a symbol has at least one letter.")
        if self.kind.upper() not in Kind.__members__:
            raise ParameterError(
                f"Instrument {self.symbol!r}: kind={self.kind!r}",
                rule="kind is spot, linear or inverse.",
            )
        if self.funding_hours and self.kind == "spot":
            raise ParameterError(
                f"Instrument {self.symbol!r}: funding_hours={self.funding_hours:g}",
                rule="funding is for contracts.",
                fix='Set kind="linear" or kind="inverse".',
            )
        for name in _RANGES:
            value = float(getattr(self, name))
            msgspec.structs.force_setattr(self, name, value)
            if not _RANGES[name][0](value):
                raise ParameterError(
                    f"Instrument {self.symbol!r}: {name}={value:g}",
                    rule=f"{name} is {_RANGES[name][1]}.",
                )


class InstrumentChange(msgspec.Struct, frozen=True):
    """What an instrument becomes at a time.

    Parameters
    ----------
    time : int
        ns UTC; it counts from the first row on that ends after it.
    instrument : Instrument
        The whole instrument from then on.
    """

    time: int
    instrument: Instrument


_LEAST_ZERO = (lambda x: 0.0 <= x < np.inf, "finite and at least 0")
_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "tick": _LEAST_ZERO,
    "lot": _LEAST_ZERO,
    "min_value": _LEAST_ZERO,
    "maker_bps": (lambda x: -1e4 < x < 1e4, "between -10,000 and 10,000 (below 0 a maker is paid)"),
    "taker_bps": (lambda x: 0.0 <= x < 1e4, "at least 0 and below 10,000"),
    "funding_hours": (
        lambda x: x == 0.0 or (0.0 < x <= 24.0 and (24.0 / x).is_integer()),
        "0 or a part of a day, such as 8 or 1",
    ),
    "multiplier": (lambda x: 0.0 < x < np.inf, "finite and above 0"),
}
