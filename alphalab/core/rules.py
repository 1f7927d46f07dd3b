"""Run settings as the step reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphalab.config import RunSettings
from alphalab.types import RULES, FillAt, IntArray, Rebalancing, Records

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def rule_records(settings: RunSettings, n_groups: int) -> Records:
    """Return the settings as one `RULES` record; a limit that is not set is infinite."""
    limits, rebalance = settings.limits, settings.rebalance
    rules: Any = np.zeros(1, RULES)
    rules["fill"] = FillAt[settings.fill.upper()]
    rules["rebalancing"] = Rebalancing[rebalance.when.upper()]
    rules["threshold"] = rebalance.threshold
    rules["cooldown"] = rebalance.cooldown
    rules["n_groups"] = n_groups
    for name in ("gross", "net", "weight", "group_gross", "drawdown", "daily_loss", "order"):
        limit = getattr(limits, name)
        rules[name] = np.inf if limit is None else limit
    return rules  # type: ignore[no-any-return]


def periods(time: IntArray, period: str | None) -> IntArray:
    """Return the number of the UTC day, week (from Monday), month, quarter or year of each time.

    A row that ends at midnight belongs to the period that ends.

    Examples
    --------
    >>> stamps = np.array(["1970-01-05T00:00", "1970-01-05T00:01"], "M8[ns]")
    >>> periods(stamps.astype(np.int64), "week")
    array([0, 1])
    """
    if period is None:
        return np.zeros(time.size, np.int64)
    stamps = (time - 1).astype("M8[ns]")
    if period in ("day", "week"):
        days = stamps.astype("M8[D]").astype(np.int64)
        return days if period == "day" else (days + 3) // 7
    return stamps.astype("M8[M]").astype(np.int64) // _MONTHS[period]
