"""`Series`: the rows of one symbol, with the statistics that several rules use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alphalab.data.formats.bar_columns import BarColumns
from alphalab.data.quality.settings import QualitySettings
from alphalab.types import FloatArray, IntArray

#: Upper quartile of the absolute value of a standard normal number.
_QUARTILE = 1.1503494


class Hit(NamedTuple):
    """A violation of a rule.

    Attributes
    ----------
    rule : str
    places : ndarray of shape (K,)
        Rows of the series.
    message : str
    n : int or None
        How often, where that is not the number of places.
    at : ndarray of shape (K,) or None
        When, ns UTC, where that is not the time of the places.
    """

    rule: str
    places: IntArray
    message: str
    n: int | None = None
    at: IntArray | None = None


@dataclass(frozen=True, eq=False)
class Series(BarColumns):
    """R rows of one symbol.

    Attributes
    ----------
    symbol : str
    time : ndarray of shape (R,)
        Closing times, ns UTC.
    columns : mapping of str to ndarray of shape (R,)
    number : ndarray of shape (R,)
        Where the source has them.
    settings : QualitySettings
    interval : int
        Length of a bar, ns; 0: not known.
    calendar : str
        Of the exchange; empty: not known.
    funding_hours : float
        0: none is due.
    splits : tuple of ndarray of shape (K,)
        Times, ns UTC, and new units for an old one, of the splits that are known.
    """

    symbol: str
    time: IntArray
    columns: Mapping[str, FloatArray]
    number: IntArray
    settings: QualitySettings
    interval: int = 0
    calendar: str = ""
    funding_hours: float = 0.0
    splits: tuple[IntArray, FloatArray] = (np.zeros(0, np.int64), np.zeros(0))

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.time)

    @property
    def enough(self) -> bool:
        """True if there are at least `QualitySettings.min_rows` rows."""
        return self.n >= self.settings.min_rows

    @cached_property
    def returns(self) -> FloatArray:
        """Differences of the logarithm of the close, (R,); 0 in the first row."""
        values = np.log(self.close)
        return np.diff(values, prepend=values[:1])

    @cached_property
    def scatter(self) -> FloatArray:
        """Robust deviation of the returns around each row, (R,)."""
        return scatter(self.returns, self.settings.window)

    @cached_property
    def closes_only(self) -> bool:
        """True if the four prices are equal in every row."""
        return bool((self.high == self.low).all())

    def take(self, rows: IntArray) -> Series:
        """Return some of the rows."""
        return Series(
            symbol=self.symbol,
            time=self.time[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            number=self.number[rows],
            settings=self.settings,
            interval=self.interval,
            calendar=self.calendar,
            funding_hours=self.funding_hours,
            splits=self.splits,
        )


def scatter(values: FloatArray, window: int) -> FloatArray:
    """Return a robust deviation of values around 0 at each place, (R,).

    For each stretch of `window` values: the upper quartile of the absolute values, divided by that
    of a standard normal variable; then the maximum over a stretch and its two neighbours. A quarter
    of the values may be wrong without effect. Where it is 0: the mean of the non-zero absolute
    values.

    Examples
    --------
    >>> x = np.where(np.arange(1000) % 2, 1.0, -1.0)
    >>> x[500] = 1e6
    >>> scatter(x, 250)[[0, 500]].round(3)
    array([0.869, 0.869])
    """
    size = np.abs(values)
    quartiles = by_stretch(size, window, 0.75) / _QUARTILE
    around = np.maximum(quartiles, np.append(quartiles[1:], 0.0))
    around = np.maximum(around, np.append(0.0, quartiles[:-1]))
    if not around.all():
        moved = size[size > 0]
        around = np.where(around > 0, around, moved.mean() if moved.size else 0.0)
    return over_rows(around, len(values), window)


def by_stretch(values: FloatArray, window: int, share: float) -> FloatArray:
    """Return a quantile of each stretch of `window` values; a shorter rest belongs to the last."""
    n_whole = max(len(values) // window, 1)
    if len(values) < window:
        return np.array([_quantile(values[np.newaxis], share)[0]]) if len(values) else np.zeros(1)
    head = values[: (n_whole - 1) * window].reshape(-1, window)
    tail = values[(n_whole - 1) * window :][np.newaxis]
    return np.concatenate([_quantile(head, share), _quantile(tail, share)])


def over_rows(values: FloatArray, n: int, window: int) -> FloatArray:
    """Return the value of its stretch for each of n rows, see `by_stretch`."""
    return values[np.minimum(np.arange(n) // window, len(values) - 1)]


def _quantile(rows: FloatArray, share: float) -> FloatArray:
    """Return a quantile of each row, always one of its values."""
    place = min(int(share * rows.shape[1]), rows.shape[1] - 1)
    found: FloatArray = np.partition(rows, place, axis=1)[:, place]
    return found


def among(values: IntArray, known: IntArray) -> NDArray[np.bool_]:
    """Return True where a value is among sorted known ones; much faster than `numpy.isin`.

    Examples
    --------
    >>> among(np.array([3, 4, 9]), np.array([1, 3, 5]))
    array([ True, False, False])
    """
    if not len(known):
        return np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    found: NDArray[np.bool_] = known[place] == values
    return found


def runs(same: FloatArray, least: int) -> IntArray:
    """Return first row and length of the runs of rows that are the same, (K, 2).

    Parameters
    ----------
    same : ndarray of bool, shape (R,)
        True if a row is as the row before it.
    least : int
        Length of a run, its first row included.

    Examples
    --------
    >>> runs(np.array([False, True, True, False, False, True]), 3)
    array([[0, 3]])
    """
    edges = np.diff(np.concatenate(([0], same.astype(np.int8), [0])))
    first, after = np.flatnonzero(edges == 1) - 1, np.flatnonzero(edges == -1)
    length = after - first
    long = length >= least
    return np.column_stack((first[long], length[long]))
