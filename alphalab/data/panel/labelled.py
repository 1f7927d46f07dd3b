"""Tables that carry labels, as arrays over the rows and symbols of bars: by label, never by place.

A table has its times as its index (pandas) or in a time column (polars, Arrow), and one column for
each symbol. It must name exactly the rows and symbols of the bars, in any order. Arrays have no
labels: their shape alone must say what they are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import NS_DAY, datetimes_to_ns, iso
from alphalab.data.formats.header import TIME_NAMES
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray

_DATES = (
    "The times of bars are the closes of rows: al.load and Bars.from_frame turn dates into closes "
    "by label='session' and a calendar, or by label='open'."
)
_MISSING = (
    "Where values are missing, frame.reindex(index=bars.to_frame().index) makes them NaN; values "
    "with times of their own are observations: bars.with_observations(...)."
)


class _Labels(NamedTuple):
    """Values with their labels: times in ns UTC, and one name for each column."""

    time: IntArray
    symbols: tuple[str, ...] | None  # None: one series, which names no symbol
    values: FloatArray  # (R, C)


def by_label(given: Any, name: str, time: IntArray, symbols: Sequence[str]) -> Any:
    """Return a table of values as an array over bars, (T, N); anything else is returned as it is.

    Parameters
    ----------
    given : pandas.DataFrame or Series, polars.DataFrame, pyarrow.Table, or an array
        A pandas Series holds for every symbol.
    name : str
        Of the column; leads the messages.
    time : ndarray of shape (T,)
        The times of the bars, ns UTC.
    symbols : sequence of str
        The N symbols of the bars.

    Raises
    ------
    DataError
        A table without times; a row or a symbol that the bars do not have, or one of the bars that
        is missing: the message names the first.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DatetimeIndex(["2024-01-03T21", "2024-01-02T21"])  # the later one first
    >>> frame = pd.DataFrame({"B": [4.0, 2.0], "A": [3.0, 1.0]}, index=days)
    >>> time = np.array(["2024-01-02T21", "2024-01-03T21"], "datetime64[ns]").astype(np.int64)
    >>> by_label(frame, "score", time, ["A", "B"])
    array([[1., 2.],
           [3., 4.]])
    """
    labels = _labels_of(given, f"column {name!r}: ")
    if labels is None:
        return given
    rows = _places(labels.time, time, f"column {name!r}")
    if labels.symbols is None:
        return np.repeat(labels.values[rows], len(symbols), axis=1)
    return labels.values[rows][:, _columns(labels.symbols, symbols, f"column {name!r}")]


def series_by_label(given: Any, name: str, time: IntArray) -> Any:
    """Return a series with times as an array over bars, (T,); an array is returned as it is.

    Raises
    ------
    DataError
        As `by_label`; a table with several columns.
    """
    labels = _labels_of(given, f"{name}: ")
    if labels is None:
        return given
    if labels.values.shape[1] != 1:
        raise DataError(
            f"{name}: a table of {labels.values.shape[1]} columns",
            rule="it is one series.",
            fix="Choose a column: frame['close'].",
        )
    return labels.values[_places(labels.time, time, name), 0]


def _labels_of(given: Any, where: str) -> _Labels | None:
    pandas, polars, arrow = (sys.modules.get(name) for name in ("pandas", "polars", "pyarrow"))
    if pandas is not None and isinstance(given, pandas.DataFrame | pandas.Series):
        return _of_pandas(given, where)
    if polars is not None and isinstance(given, polars.DataFrame):
        return _of_table(given.to_arrow(), where)
    if arrow is not None and isinstance(given, arrow.Table):
        return _of_table(given, where)
    return None


def _of_pandas(given: Any, where: str) -> _Labels:
    import pandas as pd

    if not isinstance(given.index, pd.DatetimeIndex):
        raise DataError(
            f"{where}its index is a {type(given.index).__name__}",
            rule="a table carries the times of its rows: values are put in place by label.",
            fix="Use frame.set_index(pd.to_datetime(...)), frame.unstack() where the index is of "
            "times and symbols, or frame.to_numpy() for an array in the order of the bars.",
        )
    if getattr(given, "columns", pd.Index([])).nlevels > 1:
        raise DataError(
            f"{where}its columns have {given.columns.nlevels} levels",
            rule="a table has one column for each symbol.",
            fix="Choose one field: frame['close'].",
        )
    index = given.index if given.index.tz is None else given.index.tz_convert("UTC")
    time = datetimes_to_ns(index.tz_localize(None).to_numpy())
    frame = given.to_frame() if isinstance(given, pd.Series) else given
    symbols = None if isinstance(given, pd.Series) else tuple(map(str, frame.columns))
    try:
        values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}{error}", rule="a column holds numbers.") from None
    return _Labels(time, symbols, values)


def _of_table(table: Any, where: str) -> _Labels:
    from alphalab.data.formats import arrow

    named = [name for name in table.column_names if name.lower() in TIME_NAMES]
    if len(named) != 1:
        raise DataError(
            f"{where}{len(named)} time columns among {', '.join(table.column_names)}",
            rule="a table carries the times of its rows: values are put in place by label.",
            fix="Name one of its columns time.",
        )
    time = arrow.times(arrow.plain(table[named[0]]), named[0], where).ns
    others = [name for name in table.column_names if name != named[0]]
    for name in others:
        if not arrow.is_number(table[name].type):
            raise arrow.not_a_number(arrow.plain(table[name]), name, where)
    values = [arrow.floats(table[name]) for name in others]
    return _Labels(time, tuple(others), np.column_stack(values) if values else np.empty((0, 0)))


def _places(labels: IntArray, time: IntArray, where: str) -> NDArray[np.intp]:
    """Return the place of each time of the bars among the labels."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    if len(again := np.flatnonzero(ordered[1:] == ordered[:-1])):
        raise DataError(
            f"{where}: the time {iso(ordered[again[0]])} is there twice",
            rule="each row of the bars has one value.",
        )
    if len(odd := np.setdiff1d(labels, time)):
        raise DataError(
            f"{where}: {len(odd):,} of {len(labels):,} times are no rows of the bars, the first "
            f"is {iso(odd[0])}; the bars begin at {iso(time[0])}",
            rule="labels are matched exactly, and every label is that of a row.",
            fix=_DATES if not (labels % NS_DAY).any() else _MISSING,
        )
    if len(missing := np.setdiff1d(time, labels)):
        raise DataError(
            f"{where}: {len(missing):,} of {len(time):,} rows of the bars have no label, the first "
            f"is {iso(missing[0])}",
            rule="every row of the bars has a value, which may be NaN.",
            fix=_MISSING,
        )
    return order[np.searchsorted(ordered, time)]


def _columns(labels: Sequence[str], symbols: Sequence[str], where: str) -> list[int]:
    """Return the place of each symbol of the bars among the labels."""
    for one, others, which in (
        (labels, symbols, "the bars do not have"),
        (symbols, labels, "the table does not have"),
    ):
        if odd := [name for name in one if name not in others]:
            raise DataError(
                f"{where}: symbol {odd[0]!r}, which {which}",
                rule="a table has one column for each symbol of the bars, and no other.",
                fix=f"Choose the columns: frame[{list(symbols)!r:.80}]. A pandas Series with the "
                "times as its index holds for every symbol.",
            )
    if len(set(labels)) < len(labels):
        raise DataError(f"{where}: a symbol is there twice", rule="symbols are unique.")
    return [list(labels).index(name) for name in symbols]
