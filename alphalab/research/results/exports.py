"""Hand a result over to other libraries, in their own terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.codes import Kind
from alphalab.errors import DataError, import_extra
from alphalab.research.results import series, tables

if TYPE_CHECKING:
    import pandas as pd

    from alphalab.research.results.result import Result


def to_pyfolio(result: Result) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """Return the three inputs of ``pyfolio.create_full_tear_sheet``.

    Parameters
    ----------
    result : Result

    Returns
    -------
    returns : pandas.Series
        Simple returns of each UTC day with rows, compounded from its bars; index at midnight.
    positions : pandas.DataFrame
        Size of each position and ``cash`` at the end of these days, quote currency. Contracts are
        not paid for: cash is the equity less all sizes, as if they were.
    transactions : pandas.DataFrame
        ``amount`` (units, multiplier and conversion included), ``price``, ``symbol``; one row for
        each fill, at its bar's close less a nanosecond: a bar closing at midnight counts for the
        day it ends.

    Raises
    ------
    DataError
        A symbol called ``cash``, the name pyfolio keeps for itself.
    """
    import pandas as pd

    bars = result.bars
    if "cash" in bars.symbols:
        raise DataError(
            "symbol 'cash'",
            rule="pyfolio keeps this name for the account's cash.",
            fix="Rename it.",
        )
    days, last = series.period_ends(bars.time, "D")
    index = pd.DatetimeIndex(days.astype("datetime64[ns]"), tz="UTC")
    returns = series.period_returns(result.equity_path, last)
    sizes = result.position_sizes[last]
    positions = pd.DataFrame(sizes, index, columns=list(bars.symbols))
    positions["cash"] = result.ledger["equity"][last] - sizes.sum(axis=1)
    fills = result.fills
    unit = result.assets.unit(
        fills["price"], result.rates[fills["row"], fills["asset"]], fills["asset"]
    )
    transactions = pd.DataFrame(
        {
            "amount": fills["qty"] * (unit / fills["price"]),
            "price": fills["price"],
            "symbol": tables.symbols_of(result, fills["asset"]),
        },
        index=pd.DatetimeIndex((fills["time"] - 1).astype("datetime64[ns]"), tz="UTC"),
    )
    return pd.Series(returns, index, name="returns"), positions, transactions


def to_vectorbt(result: Result) -> Any:
    """Return a ``vectorbt.Portfolio`` of this result's fills, one group sharing the cash.

    Its order records are our fills, one for one: nothing is simulated again, so several fills of
    one asset in one row and absolute fees stay what they are, and ``value()`` is our equity.

    Parameters
    ----------
    result : Result

    Returns
    -------
    vectorbt.Portfolio
        Closes that are unknown hold the last known one; before the first, the first one that will
        be known (nothing can be held there).

    Raises
    ------
    MissingExtraError
        vectorbt is not installed.
    DataError
        Postings, conversions or inverse contracts, which a vectorbt portfolio cannot hold.
    """
    has_others = (result.assets.kind == Kind.INVERSE).any() or result.settings.conversions
    if has_others or result.posted.size:
        raise DataError(
            "a result with postings, conversions or inverse contracts",
            rule="a vectorbt portfolio holds purchases and sales in one currency, nothing else.",
            fix="Use result.fills_frame and result.postings.",
        )
    vectorbt = import_extra("vectorbt", "research")
    from vectorbt.portfolio.enums import OrderSide, log_dt, order_dt

    # vectorbt expects the orders of a column together, in time.
    fills = result.fills[np.argsort(result.fills["asset"], kind="stable")]
    orders = np.empty(fills.size, order_dt)
    orders["id"] = np.arange(fills.size)
    orders["col"], orders["idx"] = fills["asset"], fills["row"]
    orders["size"] = np.abs(fills["qty"]) * result.assets.multiplier[fills["asset"]]
    orders["price"], orders["fees"] = fills["price"], fills["fee"]
    orders["side"] = np.where(fills["qty"] > 0, OrderSide.Buy, OrderSide.Sell)

    close = tables.over_time(result, result.bars.close, list(result.bars.symbols)).ffill().bfill()
    steps = np.diff(result.bars.time).astype("timedelta64[ns]")
    freq = np.sort(steps)[steps.size // 2] if steps.size else None
    return vectorbt.Portfolio(
        vectorbt.ArrayWrapper.from_obj(close, group_by=True, freq=freq),
        close,
        orders,
        np.empty(0, log_dt),
        np.array([result.settings.cash]),
        cash_sharing=True,
    )
