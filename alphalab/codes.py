"""Codes: what kernels say with an integer, and the words for it."""

from __future__ import annotations

from enum import IntEnum


class FillAt(IntEnum):
    """Where a market order decided at row t is filled."""

    NEXT_OPEN = 0
    NEXT_CLOSE = 1
    SAME_CLOSE = 2


class Path(IntEnum):
    """How the way of the price inside a bar is taken."""

    PESSIMISTIC = 0
    OPTIMISTIC = 1
    OHLC = 2


class Rebalancing(IntEnum):
    """When a target becomes an order."""

    ON_CHANGE = 0
    EVERY_ROW = 1
    DRIFT = 2
    CALENDAR = 3


class Kind(IntEnum):
    """How an asset is paid for."""

    SPOT = 0
    LINEAR = 1
    INVERSE = 2


class Actions(IntEnum):
    """What is done with splits and dividends."""

    NONE = 0
    CASH = 1
    REINVEST = 2


class Quotes(IntEnum):
    """Whose price the columns `bid` and `ask` decide."""

    NONE = 0
    BOTH = 1
    ASK = 2
    BID = 3


class OnExpiry(IntEnum):
    """What follows an entry order that ended unfilled."""

    REQUOTE = 0
    MARKET = 1
    GIVE_UP = 2


class OrderType(IntEnum):
    """What makes an order trade, and at which price."""

    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4
    TAKE_PROFIT = 5
    TRAILING = 6
    MARKET_ON_OPEN = 7
    MARKET_ON_CLOSE = 8
    LIMIT_IF_TOUCHED = 9


class Sizing(IntEnum):
    """How large an order is."""

    QTY = 1  # so many units
    BUY_VALUE = 2  # a value to spend, fees included
    SELL_QTY = 3  # so many units, rounded down to whole lots
    CLOSE = 4  # whatever is held
    SELL_VALUE = 5  # so much value at the price of the fill, rounded down to whole lots


class TimeInForce(IntEnum):
    """How long an order lives."""

    GTC = 0
    DAY = 1
    IOC = 2
    FOK = 3
    GTD = 4


class OrderState(IntEnum):
    """Where an order stands; FREE is a place in the table without an order."""

    FREE = 0
    HELD = 1  # waits for its parent's first fill
    SUBMITTED = 2  # on its way to the venue
    ACTIVE = 3


class OrderStatus(IntEnum):
    """What happened to an order: the stages of its life."""

    SUBMITTED = 1
    ACTIVE = 2
    TRIGGERED = 3
    PARTIALLY_FILLED = 4
    FILLED = 5
    AMENDED = 6
    CANCELLED = 7
    EXPIRED = 8
    REFUSED = 9


class Origin(IntEnum):
    """Who asked for an order."""

    TARGET = 1
    EXITS = 2
    DECIDE = 3
    VENUE = 4


class RequestKind(IntEnum):
    """What a `decide` asks the venue for."""

    SUBMIT = 1
    AMEND = 2
    CANCEL = 3


class Posting(IntEnum):
    """What changed the cash or a position besides trading."""

    FUNDING = 1
    BORROW = 2
    LOAN = 3
    INTEREST = 4
    DIVIDEND = 5
    REINVESTMENT = 6
    SPLIT = 7
    LIQUIDATION = 8


#: What each posting is.
POSTINGS: dict[Posting, str] = {
    Posting.FUNDING: "funding of a perpetual contract",
    Posting.BORROW: "borrowing of what is sold short",
    Posting.LOAN: "interest on borrowed cash",
    Posting.INTEREST: "interest on idle cash",
    Posting.DIVIDEND: "dividend",
    Posting.REINVESTMENT: "dividend put into the same asset",
    Posting.SPLIT: "split",
    Posting.LIQUIDATION: "fee of a liquidation",
}


class Reason(IntEnum):
    """Why something was refused, reduced or ended. `REASONS` has the words."""

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
    MARGIN = 13
    LIQUIDATED = 14
    UNKNOWN_ASSET = 15
    BAD_QUANTITY = 16
    BAD_PRICE = 17
    NO_PRICE = 18
    OFF_TICK = 19
    WRONG_SIDE = 20
    NOTHING_TO_REDUCE = 21
    TOO_MANY_ORDERS = 22
    UNKNOWN_ORDER = 23
    POST_ONLY = 24
    FILL_OR_KILL = 25
    IMMEDIATE_OR_CANCEL = 26
    REPLACED = 27
    ONE_CANCELS_OTHER = 28
    PARENT_ENDED = 29
    ASKED_FOR = 30
    HELD_BEFORE = 31
    DELISTED = 32
    CASH_IN_LIEU = 33


#: What each reason means; `asked` and `approved` are in the unit named last.
REASONS: dict[Reason, str] = {
    Reason.NOT_FINITE: "target is infinite: ignored (weight)",
    Reason.WEIGHT_LIMIT: "weight of one asset above its limit (weight)",
    Reason.GROUP_LIMIT: "weights of one group above its limit (gross weight)",
    Reason.NET_LIMIT: "net exposure above the limit (net weight)",
    Reason.GROSS_LIMIT: "gross exposure above the limit (gross weight)",
    Reason.DRAWDOWN_LOCK: "drawdown limit reached: flat and locked (drawdown)",
    Reason.DAILY_LOSS: "daily loss limit reached: flat until the next UTC day (loss)",
    Reason.LARGEST_ORDER: "order larger than the limit: refused (fraction of equity)",
    Reason.MIN_VALUE: "order below the venue's minimum value: refused (quote currency)",
    Reason.LOT: "order smaller than one lot, or no whole number of lots: refused (units)",
    Reason.CASH: "order larger than the cash at hand: a target is cut, an order refused "
    "(quote currency)",
    Reason.BANKRUPT: "equity is zero or less: flat and locked (quote currency)",
    Reason.MARGIN: "order larger than the margin allows: a target is cut, an order refused "
    "(quote currency)",
    Reason.LIQUIDATED: "equity below the maintenance margin: liquidated (quote currency)",
    Reason.UNKNOWN_ASSET: "order for an asset that does not exist: refused (index)",
    Reason.BAD_QUANTITY: "order without a side, or with a quantity that is not above 0: refused "
    "(units)",
    Reason.BAD_PRICE: "order with a price that is not a number above 0: refused (price)",
    Reason.NO_PRICE: "order for an asset that has no price yet: refused (units)",
    Reason.OFF_TICK: "price between two ticks: refused (price)",
    Reason.WRONG_SIDE: "stop or target on the wrong side of the price: refused (price)",
    Reason.NOTHING_TO_REDUCE: "reduce-only order without a position to reduce (units)",
    Reason.TOO_MANY_ORDERS: "no room in the order table: refused (orders)",
    Reason.UNKNOWN_ORDER: "no such order to amend or cancel (order)",
    Reason.POST_ONLY: "post-only order would have traded at once: refused (price)",
    Reason.FILL_OR_KILL: "not to be filled at once and whole: cancelled (units)",
    Reason.IMMEDIATE_OR_CANCEL: "the rest was not to be filled at once: cancelled (units)",
    Reason.REPLACED: "replaced by a newer decision",
    Reason.ONE_CANCELS_OTHER: "another order of its group was filled",
    Reason.PARENT_ENDED: "the order it belongs to ended unfilled",
    Reason.ASKED_FOR: "cancelled by the strategy",
    Reason.HELD_BEFORE: "held at the start of the run",
    Reason.DELISTED: "the listing of the asset ended",
    Reason.CASH_IN_LIEU: "the fraction of a lot that a split left, paid in cash",
}
