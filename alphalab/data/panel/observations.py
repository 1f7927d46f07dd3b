"""Joins of observations to bars: each row has the latest value that was known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.data.clock.times import duration_text, iso, parse_duration
from alphalab.data.formats import arrow
from alphalab.data.formats.events import EventTable
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.panel.panel import Panel
from alphalab.data.panel.rules import names_of, repeats
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, IntArray

# An observation without a symbol applies to all symbols.
_ALL = ""


class _Observations(NamedTuple):
    """Observations in the order of their table."""

    where: str  # leads the messages about them
    name: IntArray  # index into the names
    names: tuple[str, ...]
    symbol: IntArray  # index into the symbols
    symbols: tuple[str, ...]
    time: IntArray  # reference time of the value, ns UTC
    known: IntArray  # when it became known, ns UTC
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


class Joined(NamedTuple):
    """Observations as columns of bars.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (T, N)
    early : dict of str to int
        Values that were known before the time they are about.
    known : dict of str to dict of str to ndarray
        By column and symbol: when its values became known, ns UTC, increasing. Without columns
        whose values end by `max_age`.
    notes : tuple of Note
    """

    columns: dict[str, FloatArray]
    early: dict[str, int]
    known: dict[str, dict[str, IntArray]]
    notes: Notes


def observation_columns(
    bars: Panel, given: Any, names: str | Sequence[str] | None, max_age: str | None
) -> Joined:
    """Return a column for each name, (T, N), and what is to be said about it.

    A row has, of the values known at its time or before, the one about the latest reference time,
    in its last revision; NaN before the first. A value about a future time (a forecast) counts
    from when it became known, like any other.

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
        How long a value is valid after it became known, such as ``"7d"``; later the column is NaN.
        Not given: until the next value, and a backtest warns where it trades on a value much older
        than the usual interval between two.

    Raises
    ------
    DataError
        A column that is missing, a value that is no finite number, two that became known together,
        or a name that a column has already.
    UnknownNameError
        A name that the table does not have.

    Notes
    -----
    Of two values about the same time that became known together, the one of the symbol precedes
    the one for all symbols. A note names symbols that the bars do not have.

    Examples
    --------
    >>> import pandas as pd
    >>> from alphalab.data.panel.bars import Bars
    >>> days = pd.date_range("2024-01-02", periods=4)
    >>> closes = pd.DataFrame({"ACME": [10.0, 11.0, 12.0, 13.0]}, index=days)
    >>> bars = Bars.from_closes(closes, label="close")
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
                rule="an observation has a name that no column has.",
                fix="Choose others by names=[...].",
            )
    oldest = None if max_age is None else parse_duration(max_age)
    columns: dict[str, FloatArray] = {}
    early: dict[str, int] = {}
    known: dict[str, dict[str, IntArray]] = {}
    for name, rows in observed.of(chosen).items():
        own = _by_symbol(observed, rows)
        general = own.get(_ALL, rows[:0])
        column = np.full((bars.n_rows, bars.n_symbols), np.nan)
        since = {}
        for asset, symbol in enumerate(bars.symbols):
            mine = np.concatenate((general, own.get(symbol, rows[:0])))
            column[:, asset] = _latest(observed, mine, bars.time, oldest)
            since[symbol] = np.unique(observed.known[mine])
        columns[name] = column
        early[name] = int((observed.known[rows] < observed.time[rows]).sum())
        if oldest is None:
            known[name] = since
    return Joined(columns, early, known, _notes(bars, observed, max_age))


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
    """Return the value in force at each of T times, (T,); NaN where there is none.

    It is the value about the latest reference time; of its revisions the last; of two that became
    known together the one of the symbol itself.
    """
    if not len(rows):
        return np.full(len(time), np.nan)
    own = np.array([name != _ALL for name in observed.symbols])[observed.symbol[rows]]
    rows = rows[np.lexsort((own, observed.time[rows], observed.known[rows]))]
    known, about = observed.known[rows], observed.time[rows]
    # A later value is in force unless it is about an earlier reference time.
    counts = about >= np.maximum.accumulate(about)
    in_force = np.maximum.accumulate(np.where(counts, np.arange(len(rows)), 0))
    last = np.searchsorted(known, time, side="right") - 1
    chosen = in_force[np.maximum(last, 0)]
    missing = last < 0
    if oldest is not None:
        missing |= time - known[chosen] > oldest
    return np.where(missing, np.nan, observed.value[rows[chosen]])


def _read(given: Any, names: Sequence[str] | None) -> _Observations:
    read = EventTable.read("observations", given)
    for role in ("time", "known", "value"):
        if read.named(role) is None:
            raise DataError(
                f"{read.where}no column {role}; {read.columns.found}",
                rule="observations have time (what a value is about), known (since when it could "
                "be used) and value.",
                fix="Give the time at which each value became known; without it a backtest would "
                "see values too early.",
            )
    value = read.numbers("value")
    if not np.isfinite(value).all():
        row = int(np.argmin(np.isfinite(value)))
        raise DataError(
            f"{read.where}row {row}: a value of {value[row]}",
            rule="values are finite numbers.",
            fix="Leave out what is not known.",
        )
    named, name = _names(read, names)
    observed = _Observations(
        read.where, name, named, read.codes, read.symbols, read.time(), read.times("known"), value
    )
    _check_once(observed)
    return observed


def _names(read: EventTable, names: Sequence[str] | None) -> tuple[tuple[str, ...], IntArray]:
    """Return the distinct names of observations and the place of each row's among them."""
    column = read.named("name")
    if column is not None:
        return arrow.symbol_codes(arrow.plain(read.table[column]), column, read.where)
    if names is None or len(names) != 1:
        raise DataError(
            f"{read.where}no column name; {read.columns.found}",
            rule="observations have names, or are of one name.",
            fix='Give it: names=["..."].',
        )
    return (names[0],), np.zeros(len(read), np.int64)


def _check_once(observed: _Observations) -> None:
    """Refuse two values of one name, symbol and time that became known together."""
    keys = (observed.known, observed.time, observed.symbol, observed.name)
    again = repeats(*keys)
    if again.any():
        second = int(np.argmax(again))
        same = np.logical_and.reduce([key == key[second] for key in keys])
        first = int(np.argmax(same))
        raise DataError(
            f"{observed.where}row {second}: {observed.names[observed.name[second]]!r} about "
            f"{iso(observed.time[second])}, known {iso(observed.known[second])}, is in row "
            f"{first} already",
            rule="a revision becomes known later than what it revises.",
            fix="Keep one of the two rows.",
        )


def _notes(bars: Panel, observed: _Observations, max_age: str | None) -> Notes:
    others = sorted({*observed.symbols} - {*bars.symbols, _ALL})
    texts = []
    if others:
        shown = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
        texts.append(f"{observed.where}observations of {shown} are left out: not among the bars")
    if max_age is not None:
        age = duration_text(parse_duration(max_age))
        texts.append(f"observations count for {age} after they became known")
    return tuple(Note("observations", text) for text in texts)
