"""Observations onto bars: in each row the latest value that was known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import duration_text, iso, parse_duration
from alphalab.data.formats import arrow
from alphalab.data.formats.header import SYMBOL_NAMES
from alphalab.data.panel.events import column_named, given_table
from alphalab.data.panel.rules import names_of
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    from alphalab.data.panel.bars import Bars

_NAMES = ("name",)
_TIMES = ("time", "reference_time")
_KNOWN = ("known", "known_at")
_VALUES = ("value",)

# What is about no symbol in particular is about all.
_ALL = ""


class _Observations(NamedTuple):
    """Observations in the order of their table."""

    where: str  # leads the messages about them
    name: IntArray  # index into the names
    names: tuple[str, ...]
    symbol: IntArray  # index into the symbols
    symbols: tuple[str, ...]
    time: IntArray  # what the value is about, ns UTC
    known: IntArray  # since when it is known, ns UTC
    value: FloatArray

    def of(self, names: Sequence[str]) -> Mapping[str, IntArray]:
        """Return the rows of each name.

        Raises
        ------
        UnknownNameError
            A name that no row has.
        """
        for name in names:
            if name not in self.names:
                raise UnknownNameError("observation", name, self.names)
        return {name: np.flatnonzero(self.name == self.names.index(name)) for name in names}


def observation_columns(
    bars: Bars, given: Any, names: str | Sequence[str] | None, max_age: str | None
) -> tuple[dict[str, FloatArray], dict[str, int], tuple[str, ...]]:
    """Return a column for each name, (T, N), how many were known early, and notes for a report.

    In each row stands, of what was known at its time or before, the value about the latest time, in
    its last revision; NaN before the first. What is about a future time (a forecast) counts from
    when it is known, like all else.

    Parameters
    ----------
    bars : Bars
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table, or a CSV, Parquet or Feather file of one: ``time`` (what a value is about, such as
        the end of a quarter), ``known`` (since when it could be used), ``value``, ``name``, and
        ``symbol``, empty where a value is about all. Without a column for names there is one name;
        without one for symbols all is about all. Or what `Store.read("observations")` gives.
    names : str or sequence of str, optional
        The names to join. Not given: all.
    max_age : str, optional
        How long a value counts after it became known, such as ``"7d"``; later the column is NaN.
        Not given: until the next.

    Raises
    ------
    DataError
        A column that is missing, a value that is no finite number, two that became known together,
        or a name that a column has already.
    UnknownNameError
        A name that the table does not have.

    Notes
    -----
    Of two about the same time that became known together, one about the symbol goes before one
    about all. It is said which symbols are not among the bars.

    Examples
    --------
    >>> import pandas as pd
    >>> from alphalab.data.panel.bars import Bars
    >>> days = pd.date_range("2024-01-02", periods=4)
    >>> bars = Bars.from_closes(pd.DataFrame({"ACME": [10.0, 11.0, 12.0, 13.0]}, index=days))
    >>> earnings = pd.DataFrame({
    ...     "name": "earnings",
    ...     "time": pd.to_datetime(["2023-12-31", "2023-12-31"]),
    ...     "known": pd.to_datetime(["2024-01-03", "2024-01-05"]),
    ...     "value": [1.20, 1.15],  # the second revises the first
    ... })
    >>> bars.with_observations(earnings)["earnings"].ravel()
    array([ nan, 1.2 , 1.2 , 1.15])
    """
    names = None if names is None else names_of(names)
    observed = _read(given, names)
    chosen = observed.names if names is None else names
    for name in chosen:
        if name in bars.columns:
            raise DataError(
                f"observations of {name!r}, and the bars have a column of that name",
                rule="a column is made once.",
                fix="Choose others by names=[...].",
            )
    oldest = None if max_age is None else parse_duration(max_age)
    columns: dict[str, FloatArray] = {}
    early: dict[str, int] = {}
    for name, rows in observed.of(chosen).items():
        own = _by_symbol(observed, rows)
        general = own.get(_ALL, rows[:0])
        column = np.full((bars.n_rows, bars.n_symbols), np.nan)
        for asset, symbol in enumerate(bars.symbols):
            mine = np.concatenate((general, own.get(symbol, rows[:0])))
            column[:, asset] = _latest(observed, mine, bars.time, oldest)
        columns[name] = column
        early[name] = int((observed.known[rows] < observed.time[rows]).sum())
    return columns, early, _said(bars, observed, max_age)


def _by_symbol(observed: _Observations, rows: IntArray) -> dict[str, IntArray]:
    """Return the rows of each symbol."""
    codes = observed.symbol[rows]
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(observed.symbols) + 1))
    return {
        symbol: rows[order[ends[place] : ends[place + 1]]]
        for place, symbol in enumerate(observed.symbols)
    }


def _latest(
    observed: _Observations, rows: IntArray, time: IntArray, oldest: int | None
) -> FloatArray:
    """Return for each of T times the value in force, (T,); NaN where there is none.

    Of what is known by then, the one about the latest time; of its revisions, the last; of two that
    became known together, the one about the symbol itself before the one about all.
    """
    if not len(rows):
        return np.full(len(time), np.nan)
    own = np.array([name != _ALL for name in observed.symbols])[observed.symbol[rows]]
    rows = rows[np.lexsort((own, observed.time[rows], observed.known[rows]))]
    known, about = observed.known[rows], observed.time[rows]
    # In the order in which they became known, each is in force unless it is about an earlier time.
    counts = about >= np.maximum.accumulate(about)
    in_force = np.maximum.accumulate(np.where(counts, np.arange(len(rows)), 0))
    last = np.searchsorted(known, time, side="right") - 1
    chosen = in_force[np.maximum(last, 0)]
    missing = last < 0
    if oldest is not None:
        missing |= time - known[chosen] > oldest
    return np.where(missing, np.nan, observed.value[rows[chosen]])


def _read(given: Any, names: Sequence[str] | None) -> _Observations:
    table, where = given_table(given)
    columns = {
        role: column_named(table, usual, where)
        for role, usual in (("time", _TIMES), ("known", _KNOWN), ("value", _VALUES))
    }
    for role, column in columns.items():
        if column is None:
            raise DataError(
                f"{where}no column {role}; there are {table.column_names}",
                rule="observations have time (what a value is about), known (since when it could "
                "be used) and value.",
                fix="Say when each value became known; one that is late is a look into the future.",
            )
    time, known = (_instants(table, str(columns[role]), where) for role in ("time", "known"))
    value = _numbers(table, str(columns["value"]), where)
    named, name = _texts(table, _NAMES, _only(names, table, where), where)
    symbols, symbol = _texts(table, SYMBOL_NAMES, _ALL, where)
    observed = _Observations(where, name, named, symbol, symbols, time, known, value)
    _check_once(observed)
    return observed


def _only(names: Sequence[str] | None, table: pa.Table, where: str) -> str:
    """Return what the observations of a table without names are called."""
    if column_named(table, _NAMES, where) is not None:
        return ""
    if names is None or len(names) != 1:
        raise DataError(
            f"{where}no column name; there are {table.column_names}",
            rule="observations have names, or are of one name.",
            fix='Give it: names=["..."].',
        )
    return names[0]


def _instants(table: pa.Table, name: str, where: str) -> IntArray:
    if not table.num_rows:
        return np.zeros(0, np.int64)
    return arrow.instants(arrow.plain(table[name]), name, where)[0]


def _numbers(table: pa.Table, name: str, where: str) -> FloatArray:
    column = arrow.plain(table[name])
    if not arrow.is_number(column.type):
        raise arrow.not_a_number(column, name, where)
    values = arrow.floats(column)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DataError(
            f"{where}row {row}: a value of {values[row]}",
            rule="values are finite numbers.",
            fix="Leave out what is not known.",
        )
    return values


def _texts(
    table: pa.Table, spelled: tuple[str, ...], default: str, where: str
) -> tuple[tuple[str, ...], IntArray]:
    """Return the distinct texts of a column and the place of each row's among them."""
    column = column_named(table, spelled, where)
    if column is None:
        return (default,), np.zeros(table.num_rows, np.int64)
    texts = arrow.plain(table[column])
    if column.strip().lower() in SYMBOL_NAMES:
        texts = texts.cast(pa.large_string()).fill_null(_ALL)
    return arrow.symbol_codes(texts, column, where)


def _check_once(observed: _Observations) -> None:
    """Refuse two values of one name, symbol and time that became known together."""
    keys = (observed.known, observed.time, observed.symbol, observed.name)
    order = np.lexsort(keys)  # stable: the first comes first
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    if same.any():
        place = int(np.argmax(same))
        first, second = int(order[place]), int(order[place + 1])
        raise DataError(
            f"{observed.where}row {second}: {observed.names[observed.name[second]]!r} about "
            f"{iso(observed.time[second])}, known {iso(observed.known[second])}, is in row "
            f"{first} already",
            rule="a revision becomes known later than what it revises.",
            fix="Keep one of the two rows.",
        )


def _said(bars: Bars, observed: _Observations, max_age: str | None) -> tuple[str, ...]:
    others = sorted({*observed.symbols} - {*bars.symbols, _ALL})
    said = []
    if others:
        shown = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
        said.append(f"{observed.where}observations of {shown} are left out: not among the bars")
    if max_age is not None:
        age = duration_text(parse_duration(max_age))
        said.append(f"observations count for {age} after they became known")
    return tuple(said)
