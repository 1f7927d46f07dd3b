"""The neighbours of the best column of a sweep, which tell a plateau from a needle.

A parameter that works at one value only is fitted to noise, so the values of the neighbours tell
how far to trust the best. `alphalab.research.sweep.space` defines neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from alphalab.errors import StateError
from alphalab.research.results.tally_metrics import SMALLER_IS_BETTER
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.space import Space, axis_of
from alphalab.types import FloatArray, IntArray

#: Most pairs of columns that are compared in a list or a search. Of larger ones only the best
#: columns get neighbours.
MOST_PAIRS = 50_000_000
#: Fewest neighbours with a value that make a neighbourhood.
FEWEST = 2


def space_of(outcome: Outcome) -> Space:
    """Return the swept values of all columns, including invalid ones and those not run."""
    params = [variant.params for variant in outcome.variants]
    axes = tuple(axis_of(name, [given[name] for given in params]) for name in outcome.names)
    return Space(axes, len(params))


def values_of(outcome: Outcome, metric: str) -> FloatArray:
    """Return one metric of all columns, (C,); NaN where it is not finite.

    Raises
    ------
    StateError
        No column has run, or the metric is not defined in any that has.
    """
    ran = outcome.ran
    values = outcome.values(metric)
    values = np.where(np.isfinite(values), values, np.nan)
    if not ran.any():
        raise StateError(
            f"none of the {len(ran):,} columns has run",
            rule="a picture of a sweep needs a column that ran.",
            fix="See the column 'reason' of the sweep's table.",
        )
    if np.isnan(values).all():
        raise StateError(
            f"{metric} is not defined in any of the {ran.sum():,} columns that ran",
            rule="a picture needs at least one finite value.",
            fix="Choose another metric, or see in n_fills whether the columns traded.",
        )
    return values


def worth(metric: str, values: Any) -> Any:
    """Return a metric, negated if smaller values are better."""
    return -values if metric in SMALLER_IS_BETTER else values


class View(NamedTuple):
    """One metric of an outcome, with what its pictures need.

    Parameters
    ----------
    outcome : Outcome
    metric : str
    values : ndarray of shape (C,)
        NaN where a column has none.
    space : Space
    best : int
        Column with the best value, the first of equals.
    """

    outcome: Outcome
    metric: str
    values: FloatArray
    space: Space
    best: int

    @property
    def good(self) -> FloatArray:
        """The values, negated if smaller values are better."""
        good: FloatArray = worth(self.metric, self.values)
        return good


def view_of(outcome: Outcome, metric: str | None = None) -> View:
    """Return one metric of an outcome; not given: the metric of the sweep.

    Raises
    ------
    UnknownNameError
        A metric that does not exist.
    StateError
        No column has run, or the metric is not defined in any that has.
    """
    metric = outcome.metric if metric is None else metric
    values = values_of(outcome, metric)
    return View(outcome, metric, values, space_of(outcome), outcome.best_by(metric))


class Ring(NamedTuple):
    """Columns at one distance from the best; statistics are NaN if none of them has a value."""

    n: int
    n_left_out: int  # invalid, not run, or without a value
    mean: float
    median: float
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class Robustness:
    """The neighbours of the best column, for one metric.

    Columns that are invalid, have not run or have no finite value are left out, and counted.

    Parameters
    ----------
    metric : str
    best : int
        Column with the best value, the first of equals.
    value : float
        Its value.
    rings : tuple of Ring
        The columns one step and two steps away from the best.
    above_median : float
        Share of its neighbours that are better than the median of all columns; about one half by
        chance. NaN without neighbours.
    positive : float
        Share of its neighbours with a value above 0. NaN without neighbours.
    median : float
        Median of all columns.
    n, n_left_out : int
        Columns with a value, and without.
    plateau : ndarray of float, (C,)
        For each column the median of its own value and its neighbours'. NaN where it has no value,
        where fewer than `FEWEST` neighbours have one, and, in lists and searches of more than
        7,000 columns, beyond the best (those that make `MOST_PAIRS` pairs).
    steadiest : int or None
        Column with the best `plateau`, of equals the one with the better value. None: no column
        has enough neighbours.
    """

    metric: str
    best: int
    value: float
    rings: tuple[Ring, Ring]
    above_median: float
    positive: float
    median: float
    n: int
    n_left_out: int
    plateau: FloatArray
    steadiest: int | None


def robustness_of(outcome: Outcome, metric: str | None = None) -> Robustness:
    """Return statistics of the neighbours of the best column.

    Parameters
    ----------
    outcome : Outcome
    metric : str, optional
        Not given: the metric of the sweep.

    Raises
    ------
    UnknownNameError, StateError
        As in `view_of`.
    """
    view = view_of(outcome, metric)
    metric, values, space, best = view.metric, view.values, view.space, view.best
    good, middle = view.good, float(np.nanmedian(values))
    steps = space.steps_from(best)
    near = values[steps == 1]
    near = near[np.isfinite(near)]
    plateau = plateaus(space, values, np.argsort(-good, kind="stable"))
    return Robustness(
        metric=metric,
        best=best,
        value=float(values[best]),
        rings=(_ring(values[steps == 1]), _ring(values[steps == 2])),
        above_median=_share(worth(metric, near) > worth(metric, middle)),
        positive=_share(near > 0),
        median=middle,
        n=int(np.isfinite(values).sum()),
        n_left_out=int(np.isnan(values).sum()),
        plateau=plateau,
        steadiest=_steadiest(worth(metric, plateau), good),
    )


def plateaus(space: Space, values: FloatArray, first: IntArray) -> FloatArray:
    """Return for each column the median of its own value and those of its neighbours.

    Parameters
    ----------
    space : Space
        C columns.
    values : ndarray of shape (C,)
        NaN: left out.
    first : ndarray of int, (C,)
        Columns in the order of computation; `MOST_PAIRS` limits how many are computed.

    Returns
    -------
    ndarray of shape (C,)
        NaN for a column without a value, or with fewer than `FEWEST` neighbours that have one.

    Examples
    --------
    >>> line = Space((axis_of("n", [10, 20, 30, 40]),), 4)
    >>> plateaus(line, np.array([0.1, 0.9, 0.2, 0.3]), np.arange(4))
    array([nan, 0.2, 0.3, nan])
    """
    if not space.is_grid:
        first = first[: max(1, MOST_PAIRS // space.n_columns)]
    plateau = np.full(values.size, np.nan)
    around = space.neighbours(first)
    beside = np.where(around >= 0, values[around], np.nan)
    own = values[first]
    counted = (np.isfinite(beside).sum(axis=1) >= FEWEST) & np.isfinite(own)
    plateau[first[counted]] = _medians(np.column_stack([own, beside])[counted])
    return plateau


def _medians(values: FloatArray) -> FloatArray:
    """Median of each row without its NaN; each row has one value at least."""
    if not len(values):
        return np.empty(0)
    last = np.isfinite(values).sum(axis=1) - 1
    ranked, row = np.sort(values, axis=1), np.arange(len(values))  # NaN come last
    middle: FloatArray = (ranked[row, last // 2] + ranked[row, (last + 1) // 2]) / 2
    return middle


def _ring(values: FloatArray) -> Ring:
    known = values[np.isfinite(values)]
    figures = (known.mean(), np.median(known), known.min(), known.max()) if known.size else ()
    return Ring(known.size, values.size - known.size, *(map(float, figures or (math.nan,) * 4)))


def _share(true: Any) -> float:
    return float(np.mean(true)) if true.size else math.nan


def _steadiest(plateau: FloatArray, good: FloatArray) -> int | None:
    if np.isnan(plateau).all():
        return None
    equals = np.flatnonzero(plateau == np.nanmax(plateau))
    return int(equals[good[equals].argmax()])
