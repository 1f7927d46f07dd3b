"""Record layouts of everything that Python and kernels exchange, with a unit on every field.

Money is in quote currency, quantities are in units of the asset, times in int64 nanoseconds UTC,
rates are fractions (0.001 is 10 bps). `row` is the number of a row since the engine's first row, 0.
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

#: The column of delistings: on the row on which a listing ends, the price that closes positions;
#: NaN on all other rows. The column is optional.
DELISTING = "delisting"

#: A time, day or period before all data.
NEVER = np.iinfo(np.int64).min

#: A time or row after all data.
FOREVER = np.iinfo(np.int64).max

#: The trading rules of one asset, as the kernels read them.
INSTRUMENT = np.dtype(
    [
        ("kind", "i8"),  # a Kind code
        ("tick", "f8"),  # smallest price step; 0: any price
        ("tick_den", "f8"),  # power of ten that makes the tick an integer; 0: none does
        ("lot", "f8"),  # smallest quantity step, units; 0: any quantity
        ("lot_den", "f8"),  # power of ten that makes the lot an integer; 0: none does
        ("min_value", "f8"),  # smallest order value, quote currency
        ("maker", "f8"),  # fee, fraction of traded value; below 0: a rebate
        ("taker", "f8"),  # fee, fraction of traded value
        ("multiplier", "f8"),  # currency per unit and price point; inverse contract: face value
    ]
)

#: The settings of one run, as the kernels read them. A limit that is not set is infinite.
RULES = np.dtype(
    [
        ("fill", "i8"),  # a FillAt code
        ("rebalancing", "i8"),  # a Rebalancing code
        ("threshold", "f8"),  # of `drift`, weight
        ("cooldown", "i8"),  # of `drift`, rows
        ("gross", "f8"),  # limit of gross exposure, weight
        ("net", "f8"),  # limit of net exposure, weight
        ("weight", "f8"),  # limit of one asset, weight
        ("group_gross", "f8"),  # limit of gross exposure in a group, weight
        ("n_groups", "i8"),
        ("drawdown", "f8"),  # limit, fraction of the peak
        ("daily_loss", "f8"),  # limit, fraction of the equity at the end of the previous day
        ("order", "f8"),  # limit of one order, fraction of equity
        ("max_positions", "i8"),  # limit of assets held; 0: no limit
        ("path", "i8"),  # a Path code
        ("delay", "i8"),  # rows
        ("participation", "f8"),  # fraction of a bar's volume
        ("slippage", "f8"),  # half the spread plus fixed slippage, fraction of the price
        ("share_impact", "f8"),  # quadratic impact of a bar's whole volume, fraction of the price
        ("root_impact", "f8"),  # square-root impact of a bar's whole volume, fraction of the price
        ("quotes", "i8"),  # a Quotes code: which takers trade at the quotes
        ("through", "i8"),  # 1: a resting limit order fills only at a price beyond its limit
        ("unit_fee", "f8"),  # quote currency per unit
        ("order_fee", "f8"),  # quote currency per order, charged with its first fill
        ("min_fee", "f8"),  # quote currency per order; -inf: none
        ("max_fee", "f8"),  # quote currency per order; inf: none
        ("fee_step", "f8"),  # fees are rounded to whole steps, quote currency; 0: no rounding
        ("fee_den", "f8"),  # power of ten that makes the step an integer; 0: none does
        ("coin_fee", "i8"),  # 1: the fee of a spot purchase is taken from the units bought
        ("margin", "i8"),  # 1: a margin account
        ("initial", "f8"),  # initial margin, equity per gross exposure; 1 in a cash account
        ("maintenance", "f8"),  # maintenance margin, equity per gross exposure
        ("liquidation", "f8"),  # liquidation fee, fraction of the value closed
        ("borrow", "f8"),  # borrow fee per day, fraction of the value sold short
        ("loan", "f8"),  # interest on borrowed cash per day, fraction
        ("interest", "f8"),  # interest on cash per day, fraction
        ("posts", "i8"),  # 1: rows may have postings or conversion rates
        ("daily", "i8"),  # 1: borrow, loan or interest is not 0
        ("actions", "i8"),  # an Actions code
        ("in_lieu", "i8"),  # 1: fractions of a lot after a split are paid in cash
        ("starts", "i8"),  # 1: the account has holdings at the start
        ("at_fill", "i8"),  # 1: the sale of a target is sized at its fill price
        ("at_decision", "i8"),  # 1: the order of a target asks for units, counted at the mark
        ("external", "i8"),  # 1: orders are matched by a venue outside, which sends reports
        ("funds", "i8"),  # 1: an asset has funding
        ("converts", "i8"),  # 1: an asset needs a conversion rate
        ("exits", "i8"),  # 1: positions have exit orders
        ("stop_loss", "f8"),  # fraction of the entry price; NaN: none
        ("take_profit", "f8"),  # fraction of the entry price; NaN: none
        ("trailing", "f8"),  # fraction of the best price; NaN: none
        ("stop_distance", "i8"),  # 1: the stop is at a distance from `Rows.distances`
        ("profit_distance", "i8"),  # 1: the target is
        ("trailing_distance", "i8"),  # 1: the trailing stop is
        ("trailing_after", "f8"),  # gain that starts the trailing stop, fraction of entry price
        ("max_holding", "i8"),  # rows; 0: no limit
        ("entry", "i8"),  # 1: limit orders open positions
        ("entry_offset", "f8"),  # fraction of the mark
        ("entry_ttl", "i8"),  # rows; 0: no limit
        ("entry_then", "i8"),  # an OnExpiry code
        ("entry_post_only", "i8"),  # 0 or 1
        ("decides", "i8"),  # 1: targets come from a `decide`
    ]
)

#: The holding of one asset at the start.
START = np.dtype(
    [
        ("qty", "f8"),  # units, negative when short
        ("price", "f8"),  # entry price of the holding
    ]
)

#: One fee tier.
TIER = np.dtype(
    [
        ("value", "f8"),  # least value traded in the previous 30 days, quote currency
        ("maker", "f8"),  # fraction of traded value
        ("taker", "f8"),
    ]
)

#: One rung of a ladder of targets: from an age on, the target of a position.
RUNG = np.dtype(
    [
        ("rows", "i8"),  # since the fill that opened the position
        ("time", "i8"),  # the same in ns; one of the two is 0
        ("profit", "f8"),  # fraction of the entry price
    ]
)

#: The position of one asset.
POSITION = np.dtype(
    [
        ("qty", "f8"),  # units held, negative when short
        ("mark", "f8"),  # last known close; NaN before the first
        ("rate", "f8"),  # quote currency per unit of the asset's currency
        ("entry_price", "f8"),  # average price of the units held; NaN when flat
        ("basis", "f8"),  # average profit basis (`basis_at` in money.py); NaN when flat
        ("entry_row", "i8"),  # row of the fill that opened the position; -1 when flat
        ("entry_time", "i8"),  # close time of that row, ns UTC; NEVER when flat
        ("target", "f8"),  # last approved weight that became an order; NaN: none
        ("unmet", "i8"),  # 1: the order of the target was refused or ended unfilled
        ("period", "i8"),  # calendar period of that order; NEVER before the first
        ("traded_row", "i8"),  # row of the last order, for the cooldown; -1 before the first
        ("refusal", "i8"),  # last Reason logged for its orders; 0: none since the last fill
        ("out", "i8"),  # 1: closed by an exit, stays flat until its target changes
        ("silent", "i8"),  # 1: the `decide` had no opinion in the last row
        ("chase", "i8"),  # 1: the next entry is a market order
        ("room", "f8"),  # units that the current bar can still fill
        ("over", "f8"),  # last known ask / close - 1, at least 0
        ("under", "f8"),  # last known 1 - bid / close, at least 0
        ("stop_distance", "f8"),  # last known distance of a new stop, price; NaN: none yet
        ("profit_distance", "f8"),  # the same of a new target
        ("trailing_distance", "f8"),  # the same of a new trailing stop
    ]
)

#: One order. Prices that its type does not use are NaN.
ORDER = np.dtype(
    [
        ("state", "i8"),  # an OrderState code; FREE: no order here
        ("id", "i8"),  # 1, 2, 3, ... in the order of submission
        ("origin", "i8"),  # an Origin code
        ("type", "i8"),  # an OrderType code
        ("sizing", "i8"),  # a Sizing code
        ("side", "i8"),  # 1 buys, -1 sells
        ("qty", "f8"),  # units still to fill; NaN where the sizing is by value or CLOSE
        ("value", "f8"),  # BUY_VALUE: left to spend, fees included; otherwise as decided
        ("filled", "f8"),  # units filled so far
        ("limit", "f8"),  # price
        ("stop", "f8"),  # price that triggers it; of a trailing stop: its current level
        ("trail", "f8"),  # distance, price: of a trailing stop from the best price, of an exit from
        # the entry price
        ("trail_frac", "f8"),  # the same as a fraction of that price
        ("best", "f8"),  # best price seen by a trailing stop
        ("starts_at", "f8"),  # best price from which a trailing stop has a level; NaN: from any
        ("triggered", "i8"),  # 1: a two-stage order that is a limit order now
        ("tif", "i8"),  # a TimeInForce code
        ("until_row", "i8"),  # last row it may meet
        ("until_time", "i8"),  # ns UTC: last close it may meet
        ("day", "i8"),  # UTC day on which it became active
        ("reduce_only", "i8"),  # 0 or 1
        ("post_only", "i8"),  # 0 or 1
        ("group", "i8"),  # a fill cancels the other orders of the group; 0: none
        ("parent", "i8"),  # id of the order whose first fill releases it; 0: none
        ("row", "i8"),  # row that decided it
        ("time", "i8"),  # close time of that row, ns UTC
        ("active_row", "i8"),  # row on which it became active; -1 before
        ("active_time", "i8"),  # close time of that row, ns UTC
        ("live_row", "i8"),  # first row it may meet
        ("met_row", "i8"),  # row on which it first met a price; -1 before
        ("spent_row", "i8"),  # row on which no volume was left for it; -1: none
        ("raw_fee", "f8"),  # fees so far, before minimum, maximum and rounding
        ("fee", "f8"),  # fees so far
        ("logged", "i8"),  # 0: not logged, a repeat of an order refused before
    ]
)

#: One request of a `decide`.
REQUEST = np.dtype(
    [
        ("kind", "i8"),  # a RequestKind code
        ("order", "i8"),  # id of the new order, or of the order to amend or cancel
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

#: The account of one column: all state that is not per asset.
ACCOUNT = np.dtype(
    [
        ("row", "i8"),  # rows pushed so far
        ("cash", "f8"),
        ("equity", "f8"),  # cash + value of positions at the last mark
        ("peak", "f8"),  # highest equity so far
        ("realised", "f8"),  # realised profit before fees, cumulative
        ("fees", "f8"),  # cumulative
        ("turnover", "f8"),  # traded value, cumulative
        ("carry", "f8"),  # sum of all postings, quote currency
        ("day", "i8"),  # UTC day number of the last row
        ("day_equity", "f8"),  # equity at the end of the previous day
        ("lock", "i8"),  # 0, or the Reason that locked the account
        ("flat_day", "i8"),  # UTC day on which the daily loss limit was last reached
        ("waiting", "i8"),  # number of live orders
        ("n_orders", "i8"),  # orders so far: the id of the last one
        ("tier", "i8"),  # index of the fee tier in force
        ("time", "i8"),  # close time of the current row, ns UTC
        ("row_time", "i8"),  # close time of the last row pushed, ns UTC; NEVER before the first
    ]
)

#: The account at the end of one row.
LEDGER = np.dtype(
    [
        ("equity", "f8"),  # cash + value
        ("cash", "f8"),
        ("value", "f8"),  # of all positions: negative for shorts, open profit of contracts
        ("gross", "f8"),  # sum of absolute position sizes
        ("realised", "f8"),  # realised profit before fees, cumulative
        ("unrealised", "f8"),  # open profit before fees
        ("fees", "f8"),  # cumulative
        ("turnover", "f8"),  # traded value, cumulative
        ("carry", "f8"),  # funding, borrowing, interest, dividends: cumulative
    ]
)

#: One report of a venue outside. It belongs to the row in progress, which is pushed after it.
REPORT = np.dtype(
    [
        ("kind", "i8"),  # a ReportKind code
        ("time", "i8"),  # close time of the row in progress, ns UTC
        ("order", "i8"),  # id; 0: not an order of this account
        ("asset", "i8"),  # index into the symbols; -1: the account
        ("qty", "f8"),  # EXECUTED, ADJUSTED: units that came, negative: went; REFUSED: as `asked`
        ("filled", "f8"),  # EXECUTED: units of the order that were filled, above 0
        ("price", "f8"),  # of the fill; POSTED: its `rate`; MOVED: best price so far
        ("stop", "f8"),  # level of a trailing stop; NaN: not known
        ("fee", "f8"),  # quote currency
        ("amount", "f8"),  # POSTED, ADJUSTED: quote currency that came; REFUSED: as `approved`
        ("rate", "f8"),  # quote currency per unit of the asset's currency; NaN: the last one
        ("code", "i8"),  # a Reason; POSTED: a Posting; COMMAND: COMMANDED flattens, 0 ends that
        ("last", "i8"),  # 1: the order has ended
    ]
)

#: One fill.
FILL = np.dtype(
    [
        ("row", "i8"),  # row of the fill
        ("time", "i8"),  # close time of that row, ns UTC
        ("asset", "i8"),  # index into the symbols
        ("order", "i8"),  # id
        ("order_row", "i8"),  # row of the decision
        ("qty", "f8"),  # units, negative for a sale
        ("price", "f8"),
        ("fee", "f8"),  # quote currency
        ("realised", "f8"),  # profit realised by this fill, before its fee
    ]
)

#: A refusal or reduction by the gate or the venue.
REFUSAL = np.dtype(
    [
        ("row", "i8"),
        ("time", "i8"),  # ns UTC
        ("asset", "i8"),  # index into the symbols; -1: the whole portfolio
        ("reason", "i8"),  # a Reason code
        ("asked", "f8"),  # unit as in the text of the reason
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

#: A change of cash or position without a trade.
POSTED = np.dtype(
    [
        ("row", "i8"),
        ("time", "i8"),  # ns UTC
        ("asset", "i8"),  # index into the symbols; -1: the account
        ("kind", "i8"),  # a Posting code
        ("qty", "f8"),  # units it applies to; split or reinvestment: units added
        ("rate", "f8"),  # funding rate, dividend per unit, split ratio, rate per day ...
        ("amount", "f8"),  # quote currency; above 0: received, below 0: paid
    ]
)

#: A bar in which the two paths of the price lead to different equity.
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


#: The figures of a run, updated as its rows are pushed. r is the return of a row.
TALLY = np.dtype(
    [
        ("rows", "i8"),  # number of rows folded into the figures below
        ("kept", "i8"),  # number of rows not folded yet
        ("equity", "f8"),  # after the last row
        ("start", "f8"),  # before the first row
        ("peak", "f8"),  # highest equity
        ("least", "f8"),  # lowest equity, including the start
        ("least_before", "f8"),  # lowest equity without the last row
        ("max_drawdown", "f8"),  # fraction of the peak
        ("mean", "f8"),  # of r
        ("m2", "f8"),  # sum of (r - mean)^2
        ("m3", "f8"),
        ("m4", "f8"),
        ("gained", "f8"),  # sum of max(r, 0)
        ("lost", "f8"),  # sum of max(-r, 0)
        ("downside", "f8"),  # sum of min(r, 0)^2
        ("equity_sum", "f8"),  # over the rows
        ("invested", "i8"),  # number of rows that end with a position
        ("fees", "f8"),
        ("turnover", "f8"),  # traded value
        ("carry", "f8"),
        ("n_fills", "i8"),
        ("n_refusals", "i8"),
        ("n_ambiguities", "i8"),
        ("n_trips", "i8"),  # number of closed round trips
        ("n_won", "i8"),  # round trips with a profit
        ("trips_won", "f8"),  # sum of their profits, after fees
        ("trips_lost", "f8"),  # sum of the losses of the others, as a positive number
        ("trip_rows", "i8"),  # sum of the rows from first to last fill
    ]
)

#: The open round trip of an asset.
TRIP_SO_FAR = np.dtype(
    [
        ("total", "f8"),  # sum of the signed units of all fills
        ("held", "f8"),  # the same without rounding errors: exactly 0 when flat
        ("qty", "f8"),  # units last recorded in the digest
        ("entry_row", "i8"),  # row of the first fill
        ("realised", "f8"),  # before fees
        ("fees", "f8"),
    ]
)


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trading rules of one asset.

    Parameters
    ----------
    symbol : str
    kind : {"spot", "linear", "inverse"}
        ``spot``: the account pays for the units and owns them (stocks, coins). ``linear``: a
        contract that only pays profit and loss (futures, perpetuals). ``inverse``: a contract that
        settles in its underlying coin; one unit is worth multiplier / price coins.
    tick, lot : float
        Smallest step of price and of quantity; 0: any price or quantity.
    min_value : float
        Smallest order value, quote currency.
    maker_bps, taker_bps : float
        Fees in basis points of traded value: the maker's for limit orders that rested in the book,
        the taker's for all others. A negative maker's fee is a rebate.
    multiplier : float
        Currency per unit and price point (1 for stocks and spot). For an inverse contract: its
        face value, such as 100 (dollars).
    currency : str
        Currency of the prices; for an inverse contract: of the settlement.
    funding_hours : float
        Hours between two fundings of a perpetual contract, from midnight UTC; 0: no funding.
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
    """A change of an instrument at a time.

    Parameters
    ----------
    time : int
        ns UTC. The change applies from the first row that ends after this time.
    instrument : Instrument
        The complete instrument after the change.
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
