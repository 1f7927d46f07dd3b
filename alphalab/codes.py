"""Integer codes of the kernels, and the text for each posting and reason."""

from __future__ import annotations

from enum import IntEnum


class FillAt(IntEnum):
    """Where a market order decided at row t is filled."""

    NEXT_OPEN = 0
    NEXT_CLOSE = 1
    SAME_CLOSE = 2


class Path(IntEnum):
    """Which path the price takes inside a bar."""

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
    """How splits and dividends are handled."""

    NONE = 0
    CASH = 1
    REINVEST = 2


class Quotes(IntEnum):
    """Which takers trade at the quotes of the columns `bid` and `ask`."""

    NONE = 0
    BOTH = 1
    ASK = 2
    BID = 3


class RewardKind(IntEnum):
    """What an environment pays for a step; `alphalab.core.rewards` has the formulas."""

    LOG_RETURN = 0
    DIFFERENTIAL_SHARPE = 1
    DRAWDOWN = 2
    DOWNSIDE = 3
    VARIANCE = 4
    COST = 5


class EnvCommand(IntEnum):
    """What the driver of environments does with an account."""

    REST = 0
    STEP = 1
    RESET = 2


class OnExpiry(IntEnum):
    """What replaces an entry order that ended unfilled."""

    REQUOTE = 0
    MARKET = 1
    GIVE_UP = 2


class OrderType(IntEnum):
    """Order types; `alphalab.kernels.market.order_types` has their rules."""

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
    """How the units of an order follow from its fields."""

    QTY = 1  # `qty` units
    BUY_VALUE = 2  # `value` is spent, fees included
    SELL_QTY = 3  # `qty` units, rounded down to whole lots
    CLOSE = 4  # all units held
    SELL_VALUE = 5  # `value` at the fill price, rounded down to whole lots


class TimeInForce(IntEnum):
    """How long an order lives."""

    GTC = 0
    DAY = 1
    IOC = 2
    FOK = 3
    GTD = 4


class OrderState(IntEnum):
    """The state of a place in the order table; FREE: it holds no order."""

    FREE = 0
    HELD = 1  # waits for its parent's first fill
    SUBMITTED = 2  # on its way to the venue
    ACTIVE = 3


class OrderStatus(IntEnum):
    """The stages in the life of an order, as logged in its events."""

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
    """What created an order: a target, an exit, a `decide`, or the venue."""

    TARGET = 1
    EXITS = 2
    DECIDE = 3
    VENUE = 4


class RequestKind(IntEnum):
    """The kinds of requests of a `decide`."""

    SUBMIT = 1
    AMEND = 2
    CANCEL = 3


class ReportKind(IntEnum):
    """What a venue outside reports, or an operator commands."""

    ACCEPTED = 1  # the order is at the venue
    TRIGGERED = 2  # a two-stage order is a limit order now
    MOVED = 3  # the level of a trailing stop
    EXECUTED = 4  # units changed hands
    CANCELLED = 5  # the venue ended the order
    EXPIRED = 6  # the time of the order is over
    REFUSED = 7  # the venue refused the order, or less than the whole was affordable
    POSTED = 8  # a posting: funding, a dividend, a split ...
    ADJUSTED = 9  # units or cash that came or went without a trade
    COMMAND = 10  # an operator flattens the account, or lets it trade again


class Posting(IntEnum):
    """The kinds of postings: changes of cash or position without a trade."""

    FUNDING = 1
    BORROW = 2
    LOAN = 3
    INTEREST = 4
    DIVIDEND = 5
    REINVESTMENT = 6
    SPLIT = 7
    LIQUIDATION = 8
    TRANSFER = 9


#: The text of each posting.
POSTINGS: dict[Posting, str] = {
    Posting.FUNDING: "funding of a perpetual contract",
    Posting.BORROW: "borrow fee of a short position",
    Posting.LOAN: "interest on borrowed cash",
    Posting.INTEREST: "interest on idle cash",
    Posting.DIVIDEND: "dividend",
    Posting.REINVESTMENT: "dividend reinvested in the same asset",
    Posting.SPLIT: "split",
    Posting.LIQUIDATION: "liquidation fee",
    Posting.TRANSFER: "cash or units that came or went without a trade",
}


class Reason(IntEnum):
    """Why an order or target was refused, reduced or ended. `REASONS` has the text."""

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
    ADJUSTED = 34
    COMMANDED = 35
    NO_DISTANCE = 36
    MAX_POSITIONS = 37


#: The text of each reason; the unit of `asked` and `approved` is in brackets.
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
    Reason.LOT: "order smaller than one lot, or not a whole number of lots: refused (units)",
    Reason.CASH: "order larger than the available cash: a target is cut, an order refused "
    "(quote currency)",
    Reason.BANKRUPT: "equity is zero or less: flat and locked (quote currency)",
    Reason.MARGIN: "order larger than the margin allows: a target is cut, an order refused "
    "(quote currency)",
    Reason.LIQUIDATED: "equity below the maintenance margin: liquidated (quote currency)",
    Reason.UNKNOWN_ASSET: "order for an asset that does not exist: refused (index)",
    Reason.BAD_QUANTITY: "order without a side, or with a quantity of 0 or less: refused (units)",
    Reason.BAD_PRICE: "order with a price that is missing, infinite, 0 or less: refused (price)",
    Reason.NO_PRICE: "order for an asset that has no price yet: refused (units)",
    Reason.OFF_TICK: "price between two ticks: refused (price)",
    Reason.WRONG_SIDE: "stop or target on the wrong side of the price: refused (price)",
    Reason.NOTHING_TO_REDUCE: "reduce-only order without a position to reduce (units)",
    Reason.TOO_MANY_ORDERS: "more orders or requests than `max_orders` allows: refused (orders)",
    Reason.UNKNOWN_ORDER: "no live order with this id to amend or cancel (order)",
    Reason.POST_ONLY: "post-only order would have traded at once: refused (price)",
    Reason.FILL_OR_KILL: "order could not fill at once and whole: cancelled (units)",
    Reason.IMMEDIATE_OR_CANCEL: "the rest of the order could not fill at once: cancelled (units)",
    Reason.REPLACED: "replaced by a newer decision",
    Reason.ONE_CANCELS_OTHER: "another order of its group was filled",
    Reason.PARENT_ENDED: "the parent order ended unfilled",
    Reason.ASKED_FOR: "cancelled by the strategy",
    Reason.HELD_BEFORE: "held at the start of the run",
    Reason.DELISTED: "the listing of the asset ended",
    Reason.CASH_IN_LIEU: "cash for the fraction of a lot that a split left",
    Reason.ADJUSTED: "position corrected by an operator",
    Reason.COMMANDED: "flattened by an operator: flat and locked (quote currency)",
    Reason.NO_DISTANCE: "distance of an exit is unknown: no position is opened (weight)",
    Reason.MAX_POSITIONS: "more assets wanted than may be held (assets)",
}
