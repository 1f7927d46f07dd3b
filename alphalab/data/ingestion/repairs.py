"""Repairs: named steps that change rows, each with a record of the rows it changed.

Nothing else changes data: rows that break a rule of bars are refused unless a repair is requested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.formats.notes import Note
from alphalab.data.panel.rows import Rows
from alphalab.data.panel.rules import PRICES, ROUNDING, repeats
from alphalab.errors import UnknownNameError


class Repair(NamedTuple):
    """The record of one step.

    Attributes
    ----------
    step : str
    n_rows : int
        Number of rows that it changed, moved or dropped.
    said : str
        The record in words, with the first of these rows.
    """

    step: str
    n_rows: int
    said: str


class Step(NamedTuple):
    """One repair.

    Attributes
    ----------
    rule : str
        The rows it changes, and how.
    run : callable
        From rows to the repaired rows, and True for each given row that it changed.
    """

    rule: str
    run: Callable[[Rows], tuple[Rows, Any]]


def repair(rows: Rows, steps: Sequence[str]) -> tuple[Rows, tuple[Repair, ...]]:
    """Return rows after repairs, in the order given, and a record of each.

    Parameters
    ----------
    rows : Rows
    steps : sequence of str
        Names in `STEPS`.

    Returns
    -------
    rows : Rows
        Rows keep their numbers; notes name the repairs.
    done : tuple of Repair
        One for each step, also if it changed nothing.

    Raises
    ------
    UnknownNameError
        No such step; near ones are suggested.

    Examples
    --------
    >>> from alphalab.data.read_rows import read_rows
    >>> import pandas as pd
    >>> days = pd.to_datetime(["2024-01-03", "2024-01-02", "2024-01-02"])
    >>> frame = pd.DataFrame({"time": days, "open": 1, "high": 2, "low": 1, "close": 2})
    >>> rows, done = repair(read_rows(frame), ["sort", "drop_duplicates"])
    >>> rows.number, [(step.step, step.n_rows) for step in done]
    (array([1, 0]), [('sort', 2), ('drop_duplicates', 1)])
    >>> done[1].said
    'drop_duplicates: 1 of 3 rows, first row 2 (2024-01-02T00:00:00Z)'
    """
    for step in steps:
        if step not in STEPS:
            raise UnknownNameError("repair", step, STEPS)
    done = []
    for step in steps:
        after, touched = STEPS[step].run(rows)
        done.append(Repair(step, int(np.count_nonzero(touched)), _said(step, rows, touched)))
        rows = after
    notes = tuple(Note("repair", f"repair {one.said}") for one in done if one.n_rows)
    return replace(rows, notes=rows.notes + notes), tuple(done)


def _said(step: str, rows: Rows, touched: Any) -> str:
    count = int(np.count_nonzero(touched))
    if not count:
        return f"{step}: none of {len(rows):,} rows"
    first = int(np.argmax(touched))
    symbol = f", symbol {rows.symbols[rows.symbol[first]]!r}" if len(rows.symbols) > 1 else ""
    return (
        f"{step}: {count:,} of {len(rows):,} rows, first row {rows.number[first]} "
        f"({iso(rows.time[first])}{symbol})"
    )


def _sort(rows: Rows) -> tuple[Rows, Any]:
    moved = np.zeros(len(rows), np.bool_)
    for _, places in rows.by_symbol():
        time = rows.time[places]
        moved[places] = time < np.maximum.accumulate(time)
    order = np.lexsort((rows.time, rows.symbol)) if moved.any() else np.arange(len(rows))
    return rows.take(order), moved


def _drop_duplicates(rows: Rows) -> tuple[Rows, Any]:
    values = [np.nan_to_num(column, nan=np.inf) for column in rows.columns.values()]
    return _without(rows, repeats(rows.symbol, rows.time, *values))


def _keep_first(rows: Rows) -> tuple[Rows, Any]:
    return _without(rows, repeats(rows.symbol, rows.time))


def _keep_last(rows: Rows) -> tuple[Rows, Any]:
    return _without(rows, repeats(rows.symbol[::-1], rows.time[::-1])[::-1])


def _drop_unknown(rows: Rows) -> tuple[Rows, Any]:
    return _without(rows, np.isnan(_prices(rows)).any(axis=0))


def _drop_nonpositive(rows: Rows) -> tuple[Rows, Any]:
    return _without(rows, (_prices(rows) <= 0).any(axis=0))


def _drop_inconsistent(rows: Rows) -> tuple[Rows, Any]:
    high, low = _range(rows)
    above, below = rows.columns["high"] * (1 + ROUNDING), rows.columns["low"] * (1 - ROUNDING)
    return _without(rows, (above < high) | (below > low))


def _widen(rows: Rows) -> tuple[Rows, Any]:
    high, low = _range(rows)
    touched = (rows.columns["high"] < high) | (rows.columns["low"] > low)
    columns = {
        **rows.columns,
        "high": np.where(touched, high, rows.columns["high"]),
        "low": np.where(touched, low, rows.columns["low"]),
    }
    return replace(rows, columns=columns), touched


def _drop_untraded(rows: Rows) -> tuple[Rows, Any]:
    high, low = _range(rows)
    return _without(rows, (rows.columns["volume"] == 0) & (high == low))


#: The repairs by name.
STEPS: dict[str, Step] = {
    "sort": Step("rows that are earlier than one before them: put in the order of time", _sort),
    "drop_duplicates": Step(
        "rows with the symbol, the time and all values of an earlier one: left out",
        _drop_duplicates,
    ),
    "keep_first": Step("of rows with one symbol and time: the first stays", _keep_first),
    "keep_last": Step("of rows with one symbol and time: the last stays", _keep_last),
    "drop_unknown": Step("rows that lack one of the four prices: left out", _drop_unknown),
    "drop_nonpositive": Step("rows with a price of 0 or less: left out", _drop_nonpositive),
    "drop_inconsistent": Step(
        "rows whose high is not the highest or whose low is not the lowest price: left out",
        _drop_inconsistent,
    ),
    "widen": Step(
        "rows whose high is not the highest or whose low is not the lowest price: these become so",
        _widen,
    ),
    "drop_untraded": Step(
        "rows with a volume of 0 and four equal prices, as fillers of gaps have: left out",
        _drop_untraded,
    ),
}


def _prices(rows: Rows) -> Any:
    return np.stack([rows.columns[name] for name in PRICES])


def _range(rows: Rows) -> tuple[Any, Any]:
    """Return the highest and the lowest of the four prices, NaN where one is unknown."""
    prices = _prices(rows)
    return prices.max(axis=0), prices.min(axis=0)


def _without(rows: Rows, bad: Any) -> tuple[Rows, Any]:
    return rows.take(~bad), bad
