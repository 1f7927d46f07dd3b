"""A factor handed over to alphalens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import import_extra
from alphalab.research.factors.analysis import Analysis

if TYPE_CHECKING:
    import pandas as pd


def to_alphalens(one: Analysis, bars: Bars, groups: str) -> pd.DataFrame:
    """Return the ``factor_data`` of alphalens: factor, quantile, group and our forward returns.

    alphalens knows prices and would take its returns from the price of the row itself. So the
    returns are put in place: those from the next open on. Dates are those of the rows, without a
    zone; with several rows a day they keep their time.
    """
    import_extra("alphalens", "research")
    import pandas as pd

    times = pd.DatetimeIndex(bars.time.astype("M8[ns]"))
    dates = times.normalize()
    dates = (dates if dates.is_unique else times).rename("date")
    index = pd.MultiIndex.from_product([dates, bars.symbols], names=["date", "asset"])
    data = pd.DataFrame(index=index)
    for h in one.horizons:
        data[f"{h}D"] = one.returns[h].returns.ravel()
    data["factor"] = one.values.ravel()
    if groups:
        labels = np.array([x.groups.get(groups, "none") for x in bars.instruments])
        data["group"] = pd.Categorical(np.tile(labels, bars.n_rows))
    data["factor_quantile"] = one.buckets.ravel()
    data = data.replace([np.inf, -np.inf], np.nan).dropna()
    data["factor_quantile"] = data["factor_quantile"].astype(int)
    index = cast("pd.MultiIndex", data.index).remove_unused_levels()
    cast("pd.DatetimeIndex", index.levels[0]).freq = _frequency(dates)  # type: ignore[misc]
    data.index = index
    return data


def _frequency(dates: pd.DatetimeIndex) -> Any:
    """Return business days, which alphalens needs to draw daily sessions; None for other clocks."""
    import pandas as pd

    daily = dates.is_unique and (dates == dates.normalize()).all()
    return pd.offsets.BDay() if daily else None
