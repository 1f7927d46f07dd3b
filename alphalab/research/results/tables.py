"""The records of a run as pandas tables, with words in place of codes.

`alphalab.research.results.result.Result` documents their columns.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.codes import POSTINGS, REASONS, OrderStatus, OrderType, Origin, Posting, Reason
from alphalab.errors import ParameterError
from alphalab.research.results import order_lives, series
from alphalab.research.results.formulas import ROUNDING
from alphalab.research.results.record import Run
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def over_time(run: Run, values: FloatArray, names: list[str]) -> pd.DataFrame:
    """Return (T, K) values with the bars' times as the index."""
    import pandas as pd

    return pd.DataFrame(values, index=utc(run.bars.time).rename("time"), columns=names)


def trades(run: Run) -> pd.DataFrame:
    """Return the round trips, one in each row."""
    trip = run.round_trips
    columns: dict[str, Any] = {
        "symbol": symbols_of(run, trip["asset"]),
        "side": np.where(trip["side"] > 0, "long", "short"),
        "entry_time": utc(trip["entry_time"]),
        "exit_time": utc(trip["exit_time"]),
        "rows": trip["exit_row"] - trip["entry_row"],
    }
    for name in ("qty", "entry_price", "exit_price", "fees", "pnl", "return", "closed"):
        columns[name] = trip[name]
    columns["left_by"] = order_lives.left_by(run.lives, trip["exit_order"])
    return table(columns)


def fills(run: Run) -> pd.DataFrame:
    """Return the executions, one in each row."""
    fill, asset = run.record.fills, run.record.fills["asset"]
    rate = run.rates[fill["row"], asset]
    return table(
        {
            "time": utc(fill["time"]),
            "symbol": symbols_of(run, asset),
            "order": fill["order"],
            "qty": fill["qty"],
            "price": fill["price"],
            "value": fill["qty"] * run.assets.unit(fill["price"], rate, asset),
            "fee": fill["fee"],
            "realised": fill["realised"],
            "row": fill["row"],
            "decided": utc(run.bars.time[fill["order_row"]]),
        }
    )


def orders(run: Run) -> pd.DataFrame:
    """Return the orders, one in each row."""
    life = run.lives
    columns: dict[str, Any] = {
        "id": life["id"],
        "symbol": symbols_of(run, life["asset"], "unknown"),
        "origin": words(Origin, life["origin"]),
        "type": words(OrderType, life["type"]),
        "side": np.where(life["side"] > 0, "buy", "sell"),
    }
    for name in ("qty", "filled", "price", "limit", "stop"):
        columns[name] = life[name]
    for name in ("submitted", "active", "ended"):
        columns[name] = utc(life[name])
    columns["status"] = words(OrderStatus, life["status"])
    return table(columns | {"reason": reasons(life["reason"])})


def order_events(run: Run) -> pd.DataFrame:
    """Return the stages of the orders' lives, one in each row."""
    event = run.record.events
    columns: dict[str, Any] = {
        "time": utc(event["time"]),
        "order": event["order"],
        "symbol": symbols_of(run, event["asset"], "unknown"),
        "origin": words(Origin, event["origin"]),
        "type": words(OrderType, event["type"]),
        "side": np.where(event["side"] > 0, "buy", "sell"),
        "status": words(OrderStatus, event["status"]),
    }
    for name in ("qty", "filled", "limit", "stop"):
        columns[name] = event[name]
    return table(columns | {"reason": reasons(event["reason"]), "row": event["row"]})


def postings(run: Run) -> pd.DataFrame:
    """Return the postings, one in each row."""
    posted = run.record.postings
    columns: dict[str, Any] = {
        "time": utc(posted["time"]),
        "symbol": symbols_of(run, posted["asset"], "account"),
        "kind": [POSTINGS[Posting(code)] for code in posted["kind"].tolist()],
    }
    return table(columns | {name: posted[name] for name in ("qty", "rate", "amount", "row")})


def ambiguities(run: Run) -> pd.DataFrame:
    """Return the bars in which the path changes the result, one in each row."""
    bar = run.record.ambiguities
    return table(
        {
            "time": utc(bar["time"]),
            "symbol": symbols_of(run, bar["asset"]),
            "low_first": bar["low_first"],
            "high_first": bar["high_first"],
            "taken": np.where(bar["taken"] == 0, "low first", "high first"),
            "at_stake": order_lives.at_stake(bar),
            "row": bar["row"],
        }
    )


def refusals(run: Run) -> pd.DataFrame:
    """Return the refusals, one in each row, with their reasons in words."""
    refusal = run.record.refusals
    reasons = [Reason(code) for code in refusal["reason"].tolist()]
    return table(
        {
            "time": utc(refusal["time"]),
            "symbol": symbols_of(run, refusal["asset"]),
            "reason": [reason.name for reason in reasons],
            "meaning": [REASONS[reason] for reason in reasons],
            "asked": refusal["asked"],
            "approved": refusal["approved"],
            "row": refusal["row"],
        }
    )


def monthly_returns(run: Run) -> pd.DataFrame:
    """Return the returns by year and month, and of each year."""
    import pandas as pd

    months, month_ends = series.period_ends(run.bars.time, "M")
    years, year_ends = series.period_ends(run.bars.time, "Y")
    table = np.full((years.size, 13), np.nan)
    row = np.searchsorted(years, months.astype("datetime64[Y]"))
    table[row, months.astype(np.int64) % 12] = series.period_returns(run.equity_path, month_ends)
    table[:, 12] = series.period_returns(run.equity_path, year_ends)
    index = pd.Index(years.astype(np.int64) + 1970, name="year")
    return pd.DataFrame(table, index=index, columns=[*MONTHS, "Year"])


def rolling(run: Run, window: int) -> pd.DataFrame:
    """Return the figures over the last `window` rows."""
    import pandas as pd

    if window < 2:
        raise ParameterError(f"window={window}", rule="a rolling figure needs 2 rows or more.")
    path = pd.Series(run.equity_path)
    lowest, highest = (getattr(path.rolling(window + 1), end)() for end in ("min", "max"))
    rows = pd.Series(run.row_returns).rolling(window)
    spread, year = rows.std(), run.periods_per_year
    figures = {
        "return": (path / path.shift(window).where(lowest > 0) - 1)[1:],
        "volatility": spread * year**0.5,
        "sharpe": rows.mean() / spread.where(spread > ROUNDING) * year**0.5,
        "drawdown": (1 - path / highest)[1:],
    }
    return over_time(run, np.column_stack(list(figures.values())), list(figures))


def words(codes: type[IntEnum], values: IntArray) -> list[str]:
    """Return codes as words: ``STOP_LIMIT`` is ``stop limit``."""
    names = {int(code): code.name.lower().replace("_", " ") for code in codes}
    return [names[value] for value in values.tolist()]


def reasons(values: IntArray) -> list[str]:
    """Return reasons in words; empty for no reason."""
    names = {int(code): text for code, text in REASONS.items()} | {0: ""}
    return [names[value] for value in values.tolist()]


def symbols_of(run: Run, assets: IntArray, whole: str = "portfolio") -> list[str]:
    """Return the symbols of asset indices; -1 stands for the whole account."""
    names = (*run.bars.symbols, whole)
    return [names[asset] for asset in assets.tolist()]


def utc(time: IntArray) -> pd.DatetimeIndex:
    """Return times as a pandas index; the least integer becomes NaT."""
    import pandas as pd

    return pd.DatetimeIndex(np.asarray(time).astype("datetime64[ns]"), tz="UTC")


def table(columns: dict[str, Any]) -> pd.DataFrame:
    """Return columns as a table."""
    import pandas as pd

    return pd.DataFrame(columns)
