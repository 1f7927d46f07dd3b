"""The columns of a sweep as points in the space of the swept values, and their neighbours.

In a **grid** (every combination of the values occurs once) the neighbours of a column agree with it
in all swept names but one, and have the next lower or the next higher value there. Texts, booleans
and None have no order: all values of such a name are neighbours of each other, unless there are
more than `MOST_CHOICES` of them; then none are. The distance between two columns is the number of
such steps from one to the other.

In a **list or a search** the values are irregular. Each name has ranks, 0 for its smallest
value to 1 for its largest, the distance between two columns is the sum over the names of the
differences of their ranks (1 where texts differ), and the neighbours of a column are the 2 P
columns nearest to it, for P names with several values. One step leads to these, two steps to the
2 P columns after them, and so on. Copies of a column are not its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from alphalab.research.sweep.combinations import plain
from alphalab.types import FloatArray, IntArray

#: A name of texts with more values than this has no neighbours.
MOST_CHOICES = 32

_PAIRS_AT_ONCE = 2_000_000
_RANK_BITS, _COLUMN_BITS = 30, 24


class Axis(NamedTuple):
    """The values of one swept name.

    Parameters
    ----------
    name : str
    values : tuple
        Distinct values: numbers in ascending order, others in order of appearance.
    code : ndarray of int, (C,)
        Index into `values` for every column.
    ordered : bool
        True if all values are numbers.
    """

    name: str
    values: tuple[Any, ...]
    code: IntArray
    ordered: bool

    @property
    def linked(self) -> bool:
        """True if its values have neighbours."""
        return self.ordered or len(self.values) <= MOST_CHOICES


def axis_of(name: str, given: Sequence[Any]) -> Axis:
    """Return the axis of one name from its value in every column.

    Examples
    --------
    >>> axis_of("fast", [20, 5, 20])
    Axis(name='fast', values=(5, 20), code=array([1, 0, 1]), ordered=True)
    >>> axis_of("stop", [0.1, None, 0.05]).values
    (0.1, None, 0.05)
    """
    values = [plain(value) for value in given]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers, code = np.unique(np.asarray(values), return_inverse=True)
        return Axis(name, tuple(numbers.tolist()), code, True)
    firsts: dict[str, int] = {}
    code = np.array([firsts.setdefault(repr(value), len(firsts)) for value in values], np.int64)
    by_code = dict(zip(code[::-1].tolist(), values[::-1], strict=True))
    return Axis(name, tuple(by_code[k] for k in range(len(firsts))), code, False)


@dataclass(frozen=True, eq=False)
class Space:
    """The columns of a sweep as points, one axis for each swept name.

    Parameters
    ----------
    axes : tuple of Axis
    n_columns : int
    """

    axes: tuple[Axis, ...]
    n_columns: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each name."""
        return tuple(len(axis.values) for axis in self.axes)

    @cached_property
    def is_grid(self) -> bool:
        """True if every combination of the values occurs exactly once."""
        if math.prod(self.shape) != self.n_columns or not self.axes:
            return False
        return bool((np.bincount(self._cells, minlength=self.n_columns) == 1).all())

    @property
    def n_nearest(self) -> int:
        """Neighbours of a column in a list or a search."""
        moving = sum(axis.linked and len(axis.values) > 1 for axis in self.axes)
        return min(2 * moving, self.n_columns - 1)

    def neighbours(self, columns: IntArray) -> IntArray:
        """Return the neighbours of some columns.

        Parameters
        ----------
        columns : ndarray of int, (R,)

        Returns
        -------
        ndarray of int, (R, K)
            Indices of columns; -1 for none, as beyond the edge of a grid.
        """
        return self._in_grid(columns) if self.is_grid else self._nearest(columns, self.n_nearest)

    def steps_from(self, column: int) -> IntArray:
        """Return the distance of every column from one column, in steps.

        Returns
        -------
        ndarray of int, (C,)
            0 for the column itself and for copies of it; -1 for columns that cannot be reached.
        """
        steps = np.zeros(self.n_columns, np.int64)
        if self.is_grid:
            for axis in self.axes:
                apart = np.abs(axis.code - axis.code[column])
                steps += apart if axis.ordered else apart != 0
        elif self.n_nearest:
            apart = self._apart(np.array([column]))[0]
            others = np.flatnonzero(np.isfinite(apart) & (apart > 0))
            near = others[np.argsort(_quantised(apart[others]), kind="stable")]
            steps[near] = 1 + np.arange(near.size) // self.n_nearest
        for axis in self.axes:
            if not axis.linked:
                steps[axis.code != axis.code[column]] = -1
        return steps

    @cached_property
    def _cells(self) -> IntArray:
        """Index of every column in the grid, in C order."""
        return np.ravel_multi_index([axis.code for axis in self.axes], self.shape)

    def _in_grid(self, columns: IntArray) -> IntArray:
        cells = self._cells
        at = np.empty(self.n_columns, np.int64)
        at[cells] = np.arange(self.n_columns)
        found = [np.empty((columns.size, 0), np.int64)]
        strides = np.cumprod((1, *self.shape[:0:-1]))[::-1]
        for axis, stride in zip(self.axes, strides.tolist(), strict=True):
            n, code = len(axis.values), axis.code[columns][:, np.newaxis]
            if axis.ordered:
                other = code + np.array([-1, 1])
            elif axis.linked:
                other = (code + np.arange(1, n)) % n
            else:
                continue
            inside = (other >= 0) & (other < n)
            cell = cells[columns][:, np.newaxis] + (other - code) * stride
            found.append(np.where(inside, at[np.where(inside, cell, 0)], -1))
        return np.concatenate(found, axis=1)

    def _nearest(self, columns: IntArray, count: int) -> IntArray:
        """Return the nearest columns by rank; ties in the order of the columns."""
        found = np.full((columns.size, count), -1)
        if not count:
            return found
        size = max(1, _PAIRS_AT_ONCE // self.n_columns)
        for begin in range(0, columns.size, size):
            rows = slice(begin, begin + size)
            apart = self._apart(columns[rows])
            # Distance and column in one integer, so that ties do not depend on the sort.
            key = (_quantised(apart) << _COLUMN_BITS) + np.arange(self.n_columns)
            least = np.sort(np.partition(key, count - 1, axis=1)[:, :count], axis=1)
            known = least < _quantised(np.inf) << _COLUMN_BITS
            found[rows] = np.where(known, least & ((1 << _COLUMN_BITS) - 1), -1)
        return found

    def _apart(self, columns: IntArray) -> FloatArray:
        """Distances of some columns from all, (R, C); infinite for copies and unreachable ones."""
        apart = np.zeros((columns.size, self.n_columns))
        for axis in self.axes:
            here = axis.code[columns][:, np.newaxis]
            if axis.ordered:
                apart += np.abs(axis.code - here) / max(1, len(axis.values) - 1)
            else:
                apart += np.where(axis.code == here, 0.0, 1.0 if axis.linked else np.inf)
        apart[apart == 0] = np.inf
        return apart


def _quantised(apart: FloatArray | float) -> IntArray:
    """Return distances as integers, which do not depend on the order of summation."""
    most = 1 << (62 - _COLUMN_BITS)
    whole: IntArray = np.minimum(np.asarray(apart) * (1 << _RANK_BITS), most).round().astype(int)
    return whole
