"""The shapes that cross a kernel's boundary: record layouts with a unit on every field, and codes.

Money is in quote currency, quantities in units of the asset, times in int64 nanoseconds UTC, rates
as plain fractions (0.001 is 10 bps). `row` counts from the first row an engine was given.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.errors import ParameterError

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Records: TypeAlias = NDArray[np.void]

BAR_COLUMNS = ("open", "high", "low", "close", "volume")

#: What a venue says about one asset, as the kernels see it.
INSTRUMENT = np.dtype(
    [
        ("lot", "f8"),  # smallest quantity step, units; 0: none
        ("min_value", "f8"),  # smallest order value, quote currency
        ("fee", "f8"),  # taker fee, fraction of traded value
        ("multiplier", "f8"),  # quote currency per unit and point of price
    ]
)

#: A time, day or period before all others.
NEVER = np.iinfo(np.int64).min

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
    ]
)

#: One asset's place in the account, with the order that waits for it.
POSITION = np.dtype(
    [
        ("qty", "f8"),  # units held, negative when short
        ("mark", "f8"),  # last known close; NaN before the first
        ("entry_price", "f8"),  # average price of what is held; NaN when flat
        ("entry_row", "i8"),  # row of the fill that opened the position; -1 when flat
        ("target", "f8"),  # last approved weight acted upon; NaN: none, or its order was refused
        ("period", "i8"),  # calendar period in which that was; NEVER like target's NaN
        ("traded_row", "i8"),  # row of the last order (drift cooldown); -1 before the first
        ("refusal", "i8"),  # Reason last logged for its orders; 0: none since its last fill
        ("order", "i8"),  # waiting market order: a Sizing code
        ("order_row", "i8"),  # row that decided it
        ("order_value", "f8"),  # change of value it is for, quote currency, fees included
        ("order_qty", "f8"),  # the same in units at the mark, unsigned
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
        ("day", "i8"),  # UTC day number of the last row
        ("day_equity", "f8"),  # equity at the last row of the day before
        ("lock", "i8"),  # 0, or the Reason that closed the account to new risk
        (
            "flat_day",
            "i8",
        ),  # UTC day on which the daily loss limit was last reached; NEVER before
        ("waiting", "i8"),  # orders that wait
        ("time", "i8"),  # close time of the current row, ns UTC
    ]
)

#: The account at one row, after everything that happened in it.
LEDGER = np.dtype(
    [
        ("equity", "f8"),  # cash + value
        ("cash", "f8"),
        ("value", "f8"),  # market value of all positions, shorts negative
        ("gross", "f8"),  # sum of absolute position values
        ("realised", "f8"),  # closed profit before fees, cumulative
        ("unrealised", "f8"),  # open profit before fees
        ("fees", "f8"),  # cumulative
        ("turnover", "f8"),  # traded value, cumulative
    ]
)

#: One execution.
FILL = np.dtype(
    [
        ("row", "i8"),  # row of the execution
        ("time", "i8"),  # close time of that row, ns UTC
        ("asset", "i8"),  # index into the symbols
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
        ("asked", "f8"),  # weight, exposure or value, as the reason says
        ("approved", "f8"),
    ]
)


class Sizing(IntEnum):
    """How large a waiting market order is."""

    NONE = 0
    BUY_VALUE = 1
    SELL_QTY = 2
    CLOSE = 3


class FillAt(IntEnum):
    """Where a decision of row t is filled."""

    NEXT_OPEN = 0
    NEXT_CLOSE = 1
    SAME_CLOSE = 2


class Rebalancing(IntEnum):
    """When a target becomes an order."""

    ON_CHANGE = 0
    EVERY_ROW = 1
    DRIFT = 2
    CALENDAR = 3


class Reason(IntEnum):
    """Why something was refused or reduced. `REASONS` has the words."""

    NOT_FINITE = 1
    WEIGHT_LIMIT = 2
    GROUP_LIMIT = 3
    NET_LIMIT = 4
    GROSS_LIMIT = 5
    DRAWDOWN_LOCK = 6
    DAILY_LOSS = 7
    LARGEST_ORDER = 8
    MIN_VALUE = 9
    LOT = 10
    CASH = 11
    BANKRUPT = 12


#: What each reason means; `asked` and `approved` are in the unit named last.
REASONS: dict[Reason, str] = {
    Reason.NOT_FINITE: "target is infinite: ignored (weight)",
    Reason.WEIGHT_LIMIT: "weight of one asset cut to its limit (weight)",
    Reason.GROUP_LIMIT: "weights of one group scaled down to its limit (gross weight)",
    Reason.NET_LIMIT: "the larger side scaled down to the net limit (net weight)",
    Reason.GROSS_LIMIT: "all targets scaled down to the gross limit (gross weight)",
    Reason.DRAWDOWN_LOCK: "drawdown limit reached: flat and locked (drawdown)",
    Reason.DAILY_LOSS: "daily loss limit reached: flat until the next UTC day (loss)",
    Reason.LARGEST_ORDER: "order larger than the limit: refused (fraction of equity)",
    Reason.MIN_VALUE: "order below the venue's minimum value: refused (quote currency)",
    Reason.LOT: "order smaller than one lot: refused (units)",
    Reason.CASH: "purchase cut to the cash at hand (quote currency)",
    Reason.BANKRUPT: "equity is zero or less: flat and locked (quote currency)",
}


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a venue says about one asset.

    Parameters
    ----------
    symbol : str
    tick, lot : float
        Smallest step of price and of quantity; 0 means any. Market orders trade at prices that the
        market made, so the tick is for orders with a price of their own.
    min_value : float
        Smallest order value, quote currency.
    maker_bps, taker_bps : float
        Fees in basis points of traded value. Market orders pay the taker's.
    multiplier : float
        Quote currency per unit and point of price (1 for stocks and spot).
    currency : str
        Quote currency; the symbols of one account share it.
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
    tick: float = 0.0
    lot: float = 0.0
    min_value: float = 0.0
    maker_bps: float = 0.0
    taker_bps: float = 0.0
    multiplier: float = 1.0
    currency: str = "USD"
    groups: dict[str, str] = {}
    calendar: str = ""

    def __post_init__(self) -> None:
        if not self.symbol:
            raise ParameterError("Instrument(symbol='')", rule="a symbol has at least one letter.")
        for name in _RANGES:
            value = float(getattr(self, name))
            msgspec.structs.force_setattr(self, name, value)
            if not _RANGES[name][0](value):
                raise ParameterError(
                    f"Instrument {self.symbol!r}: {name}={value:g}",
                    rule=f"{name} is {_RANGES[name][1]}.",
                )


_LEAST_ZERO = (lambda x: 0.0 <= x < np.inf, "finite and at least 0")
_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "tick": _LEAST_ZERO,
    "lot": _LEAST_ZERO,
    "min_value": _LEAST_ZERO,
    "maker_bps": (lambda x: -1e4 < x < 1e4, "between -10,000 and 10,000 (below 0 a maker is paid)"),
    "taker_bps": (lambda x: 0.0 <= x < 1e4, "at least 0 and below 10,000"),
    "multiplier": (lambda x: 0.0 < x < np.inf, "finite and above 0"),
}


def instrument_records(instruments: tuple[Instrument, ...], fee_bps: float | None) -> Records:
    """Return the instruments as the kernels see them; `fee_bps` overrides their taker fees."""
    records: Any = np.zeros(len(instruments), INSTRUMENT)
    for record, instrument in zip(records, instruments, strict=True):
        record["lot"] = instrument.lot
        record["min_value"] = instrument.min_value
        record["fee"] = (instrument.taker_bps if fee_bps is None else fee_bps) / 1e4
        record["multiplier"] = instrument.multiplier
    return records  # type: ignore[no-any-return]
