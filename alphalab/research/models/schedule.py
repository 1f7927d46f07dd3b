"""When models are fitted again, and on which rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alphalab.errors import DataError, ParameterError
from alphalab.types import IntArray

_LENGTH = re.compile(r"([1-9][0-9]*)([mhdwMY])")
_OFFSETS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks", "M": "months", "Y": "years"}
_FIXED = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}  # seconds
_MONTHS = {"M": 1, "Y": 12}
_MONDAY = 4 * 86_400 * 10**9  # of the first week that began in 1970


class Window(NamedTuple):
    """One fit: the rows it learns from, and the rows it speaks about.

    Attributes
    ----------
    first, last : int
        Training rows: the first one, and one after the last one.
    row : int
        The row at whose close it is fitted; the first one that it speaks about.
    end : int
        One after the last row that it speaks about.
    """

    first: int
    last: int
    row: int
    end: int


def windows(
    time: IntArray, *, every: int | str, train: int | str, horizon: int, embargo: int
) -> Iterator[Window]:
    """Yield the fits of a forward walk, in order of time.

    Parameters
    ----------
    time : ndarray of shape (T,)
        Close times, ns UTC.
    every : int or str
        Rows between fits; or a calendar length ``"1d"``, ``"1w"``, ``"1M"``, ``"1Y"``: a fit at the
        first row of each such period, UTC.
    train : int or str
        Rows to learn from, or their calendar length; the first fit comes when they are there.
        ``"all"``: every row so far, from the first period on that has any.
    horizon : int
        Rows after its own that a label looks at: a row is learned from only when its label has
        ended at the fit.
    embargo : int
        Further rows left out before the fit.

    Raises
    ------
    ParameterError
        A length that is none.
    DataError
        Rows too few for one fit.

    Examples
    --------
    >>> days = 86_400 * 10**9 * np.arange(8)
    >>> [tuple(w) for w in windows(days, every=2, train=3, horizon=1, embargo=0)]
    [(1, 4, 4, 6), (3, 6, 6, 8)]
    """
    lead = horizon + embargo
    rows = _rows_of_fits(time, every)
    found = []
    for row in rows:
        last = row + 1 - lead
        first = _first(time, row, last, train)
        if first is not None and last > first:
            found.append((first, last, row))
    if not found:
        raise DataError(
            f"{len(time):,} rows are too few for one fit with train={train!r}, every={every!r}, "
            f"horizon={horizon}, embargo={embargo}",
            rule="a fit needs the rows of `train` before it, whose labels have ended.",
            fix="Use a shorter train, or more data.",
        )
    ends = [row for _, _, row in found[1:]] + [len(time)]
    for (first, last, row), end in zip(found, ends, strict=True):
        yield Window(first, last, row, end)


def _rows_of_fits(time: IntArray, every: int | str) -> list[int]:
    if is_count(every):
        return list(range(0, len(time), int(every)))
    number, unit = _parsed(every, "every")
    ends = time - 1  # a row that closes at midnight belongs to the day that ends
    if unit in _MONTHS:
        period = ends.astype("M8[ns]").astype("M8[M]").astype(np.int64) // (number * _MONTHS[unit])
    else:
        shift = _MONDAY if unit == "w" else 0
        period = (ends - shift) // (number * _FIXED[unit] * 10**9)
    return [0, *(np.flatnonzero(np.diff(period)) + 1).tolist()]


def _first(time: IntArray, row: int, last: int, train: int | str) -> int | None:
    """Return the first training row; None while the rows before the fit are fewer than `train`."""
    if train == "all":
        return 0
    if is_count(train):
        first = last - int(train)
        return first if first >= 0 else None
    number, unit = _parsed(train, "train")
    start = pd.Timestamp(int(time[row])) - _offset(unit, number)
    if start.value < time[0]:
        return None
    return int(np.searchsorted(time, start.value, side="right"))


def _offset(unit: str, number: int) -> pd.DateOffset:
    length: Any = {_OFFSETS[unit]: number}
    return pd.DateOffset(**length)


def is_count(given: Any) -> bool:
    """Return True for a whole number of at least 1."""
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    return bool(whole and given >= 1)


def _parsed(given: Any, name: str) -> tuple[int, str]:
    match = _LENGTH.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        more = ", or 'all'" if name == "train" else ""
        raise ParameterError(
            f"{name}={given!r}",
            rule=f"{name} is a number of rows, at least 1, or a whole number and m, h, d, w, M "
            f"or Y, such as '5d', '1M' or '5Y'{more}.",
        )
    return int(match[1]), match[2]
