"""What the stages of the step share: the books of one account, its logs, and codes as integers."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from alphalab.kernels._jit import jit
from alphalab.types import NEVER, FillAt, Reason, Rebalancing, Sizing

NONE, BUY_VALUE, SELL_QTY, CLOSE = (int(x) for x in Sizing)
NEXT_OPEN, NEXT_CLOSE, SAME_CLOSE = (int(x) for x in FillAt)
ON_CHANGE, EVERY_ROW, DRIFT, CALENDAR = (int(x) for x in Rebalancing)
NOT_FINITE = int(Reason.NOT_FINITE)
WEIGHT_LIMIT = int(Reason.WEIGHT_LIMIT)
GROUP_LIMIT = int(Reason.GROUP_LIMIT)
NET_LIMIT = int(Reason.NET_LIMIT)
GROSS_LIMIT = int(Reason.GROSS_LIMIT)
DRAWDOWN_LOCK = int(Reason.DRAWDOWN_LOCK)
DAILY_LOSS = int(Reason.DAILY_LOSS)
LARGEST_ORDER = int(Reason.LARGEST_ORDER)
MIN_VALUE = int(Reason.MIN_VALUE)
LOT = int(Reason.LOT)
CASH = int(Reason.CASH)
BANKRUPT = int(Reason.BANKRUPT)

ROUNDING = 1e-9  # relative size below which a difference is rounding, not a decision

N_FILLS, N_REFUSALS = 0, 1  # places in `counts`

#: One account with everything a stage may read or write. `rules` and `account` are single records,
#: `instruments`, `groups` and `positions` hold one entry per asset, `fills` and `refusals` are logs
#: of which the first `counts` entries are in use.
Books = namedtuple(
    "Books",
    ["rules", "instruments", "groups", "account", "positions", "fills", "refusals", "counts"],
)


@jit
def refuse(books, asset, reason, asked, approved):
    """Log what was not let through as asked; asset -1 stands for the whole portfolio."""
    r = books.refusals[books.counts[N_REFUSALS]]
    r["row"] = books.account["row"]
    r["time"] = books.account["time"]
    r["asset"] = asset
    r["reason"] = reason
    r["asked"] = asked
    r["approved"] = approved
    books.counts[N_REFUSALS] += 1


@jit
def refuse_order(books, j, reason, asked):
    """Log that an asset's order traded nothing, once per reason, and leave its target to be met."""
    position = books.positions[j]
    if position["refusal"] != reason:
        position["refusal"] = reason
        refuse(books, j, reason, asked, 0.0)
    position["target"] = np.nan
    position["period"] = NEVER


@jit
def held_weight(books, j):
    """Return asset j's share of equity as it stands."""
    position = books.positions[j]
    qty = position["qty"]
    if qty == 0.0:
        return 0.0
    return qty * position["mark"] * books.instruments[j]["multiplier"] / books.account["equity"]
