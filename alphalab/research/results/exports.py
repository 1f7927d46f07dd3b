"""Exports of a run to other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.codes import Kind
from alphalab.errors import DataError, import_extra
from alphalab.research.results import series, tables
from alphalab.research.results.record import Run

if TYPE_CHECKING:
    import pandas as pd


def to_pyfolio(run: Run) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """Return the three inputs of ``pyfolio.create_full_tear_sheet``.

    Parameters
    ----------
    run : Run

    Returns
    -------
    returns : pandas.Series
        Simple returns of each UTC day with rows, compounded from its bars; index at midnight.
    positions : pandas.DataFrame
        Size of each position and ``cash`` at the end of these days, quote currency. Cash is equity
        less all sizes, also for contracts, which are not paid for.
    transactions : pandas.DataFrame
        ``amount`` (units, multiplier and conversion included), ``price``, ``symbol``; one row for
        each fill, at its bar's close less a nanosecond: a bar closing at midnight counts for the
        day it ends.

    Raises
    ------
    DataError
        A symbol called ``cash``, which pyfolio uses for the account's cash.
    """
    import pandas as pd

    bars = run.bars
    if "cash" in bars.symbols:
        raise DataError(
            "symbol 'cash'",
            rule="pyfolio uses this name for the account's cash.",
            fix="Rename it.",
        )
    days, last = series.period_ends(bars.time, "D")
    index = pd.DatetimeIndex(days.astype("datetime64[ns]"), tz="UTC")
    returns = series.period_returns(run.equity_path, last)
    sizes = run.position_sizes[last]
    positions = pd.DataFrame(sizes, index, columns=list(bars.symbols))
    positions["cash"] = run.record.ledger["equity"][last] - sizes.sum(axis=1)
    fills = run.record.fills
    unit = run.assets.unit(fills["price"], run.rates[fills["row"], fills["asset"]], fills["asset"])
    transactions = pd.DataFrame(
        {
            "amount": fills["qty"] * (unit / fills["price"]),
            "price": fills["price"],
            "symbol": tables.symbols_of(run, fills["asset"]),
        },
        index=pd.DatetimeIndex((fills["time"] - 1).astype("datetime64[ns]"), tz="UTC"),
    )
    return pd.Series(returns, index, name="returns"), positions, transactions


def to_vectorbt(run: Run) -> Any:
    """Return a ``vectorbt.Portfolio`` of this result's fills, one group sharing the cash.

    Its order records are the fills of the run, one for one. Nothing is simulated again, so several
    fills of one asset in one row and absolute fees are kept, and ``value()`` equals the equity.

    Parameters
    ----------
    run : Run

    Returns
    -------
    vectorbt.Portfolio
        An unknown close is filled with the last known one; before the first close, with the first
        one (no position can be held there).

    Raises
    ------
    MissingExtraError
        vectorbt is not installed.
    DataError
        Postings, conversions or inverse contracts, which a vectorbt portfolio cannot hold.
    """
    has_others = (run.assets.kind == Kind.INVERSE).any() or run.settings.conversions
    if has_others or run.record.postings.size:
        raise DataError(
            "a result with postings, conversions or inverse contracts",
            rule="a vectorbt portfolio holds only purchases and sales in one currency.",
            fix="Use result.fills and result.postings.",
        )
    vectorbt = import_extra("vectorbt", "research")
    from vectorbt.portfolio.enums import OrderSide, log_dt, order_dt

    # vectorbt expects the orders of a column together, in time.
    fills = run.record.fills[np.argsort(run.record.fills["asset"], kind="stable")]
    orders = np.empty(fills.size, order_dt)
    orders["id"] = np.arange(fills.size)
    orders["col"], orders["idx"] = fills["asset"], fills["row"]
    orders["size"] = np.abs(fills["qty"]) * run.assets.multiplier[fills["asset"]]
    orders["price"], orders["fees"] = fills["price"], fills["fee"]
    orders["side"] = np.where(fills["qty"] > 0, OrderSide.Buy, OrderSide.Sell)

    close = tables.over_time(run, run.bars.close, list(run.bars.symbols)).ffill().bfill()
    steps = np.diff(run.bars.time).astype("timedelta64[ns]")
    freq = np.sort(steps)[steps.size // 2] if steps.size else None
    return vectorbt.Portfolio(
        vectorbt.ArrayWrapper.from_obj(close, group_by=True, freq=freq),
        close,
        orders,
        np.empty(0, log_dt),
        np.array([run.start_equity]),
        cash_sharing=True,
    )
