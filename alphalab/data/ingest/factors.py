"""Cumulative factors to splits and dividends, with the closes that a store has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import NS_DAY
from alphalab.data.formats import arrow
from alphalab.data.formats.header import SYMBOL_NAMES, columns_of
from alphalab.data.formats.schema import Mapping
from alphalab.data.formats.stamps import session_dates
from alphalab.data.panel.adjust import FACTORS, actions_from_factors
from alphalab.data.panel.from_table import symbols_of
from alphalab.data.store.store import Store
from alphalab.errors import DataError
from alphalab.types import IntArray

if TYPE_CHECKING:
    import pandas as pd


def actions_of_factors(
    table: pa.Table, mapping: Mapping, store: Store, venue: str, interval: str, where: str
) -> tuple[pa.Table, int | None]:
    """Return the rows of actions that cumulative factors imply, and the version of the bars used.

    Parameters
    ----------
    table : pyarrow.Table
        Columns time, symbol, price_factor and split_factor, see `actions_from_factors`.
    mapping : Mapping
        What is called otherwise. Its calendar tells which session a bar closed.
    store : Store
        Has the daily bars, unadjusted and labelled by the close of their session.
    venue, interval : str
        Of these bars.
    where : str
        What leads the messages.

    Raises
    ------
    DataError
        No bars of a symbol, bars at midnight (of which day?), or as `actions_from_factors`.
    """
    import pandas as pd

    columns = columns_of(table, mapping, where)
    columns.require(FACTORS[2:])
    days = session_dates(table[columns.time()[0]], columns.time()[0], where)
    named = columns.one_of(SYMBOL_NAMES, "symbol")
    symbols, codes = symbols_of(table, named, mapping, "", where)
    names = np.array([mapping.rename.get(symbol, symbol) for symbol in symbols], object)
    frame = pd.DataFrame({"time": days.astype("M8[D]").astype("M8[ns]"), "symbol": names[codes]})
    for factor in FACTORS[2:]:
        written = columns.one_of((factor,), factor)
        frame[factor] = arrow.floats(arrow.plain(table[written]))
    version = store.version("bars")
    closes = _closes(store, version, venue, interval, list(names), mapping.calendar, where)
    actions = actions_from_factors(frame, closes)
    time = pa.array(actions["time"].to_numpy("M8[ns]").view(np.int64))
    times = time.cast(pa.timestamp("ns", tz="UTC"))
    made = {
        "venue": pa.array([venue]).take(pa.array(np.zeros(len(actions), np.int64))),
        "symbol": pa.array(actions["symbol"].to_list(), pa.string()),
        "time": times,
        "known": times,
        "split": pa.array(actions["split"].to_numpy(np.float64)),
        "dividend": pa.array(actions["dividend"].to_numpy(np.float64)),
    }
    return pa.table(made), version


def _closes(
    store: Store,
    version: int | None,
    venue: str,
    interval: str,
    symbols: list[str],
    calendar: str,
    where: str,
) -> pd.DataFrame:
    """Return the closes of a store: dates of sessions as the index, a column for each symbol."""
    rows = store.read(
        "bars",
        where={"venue": venue, "interval": interval, "symbol": symbols},
        columns=["symbol", "time", "close"],
        version=version,
    )
    missing = set(symbols) - set(rows["symbol"].unique().to_pylist())
    if missing:
        raise DataError(
            f"{where}the store has no bars of {', '.join(sorted(missing))} at {venue}/{interval}",
            rule="factors become cash and ratios with the closes of their symbols.",
            fix="Ingest the unadjusted daily bars first.",
        )
    frame = rows.to_pandas()
    ns = frame["time"].to_numpy("M8[ns]").view(np.int64)
    frame["day"] = _sessions(ns, calendar, where).astype("M8[D]").astype("M8[ns]")
    closes: pd.DataFrame = frame.pivot(index="day", columns="symbol", values="close")
    return closes


def _sessions(close: IntArray, calendar: str, where: str) -> IntArray:
    """Return the date of the session that each close ended, days since 1970."""
    if not (close % NS_DAY).any():
        raise DataError(
            f"{where}the bars of the store close at midnight UTC",
            rule="factors belong to sessions, and midnight may be the end of one day or the name "
            "of the next.",
            fix="Ingest the bars with label='session' and a calendar.",
        )
    if not calendar:
        return (close - 1) // NS_DAY
    from alphalab.data.clock.calendars import session_bounds

    day, _, ends = session_bounds(
        calendar, int(close.min() // NS_DAY) - 1, int(close.max() // NS_DAY) + 1
    )
    if not np.isin(close, ends).all():
        odd = np.datetime64(int(close[np.argmin(np.isin(close, ends))]), "ns")
        raise DataError(
            f"{where}a bar of the store closes at {odd}",
            rule=f"every bar closes with a session of {calendar}.",
        )
    return day[np.searchsorted(ends, close)]
