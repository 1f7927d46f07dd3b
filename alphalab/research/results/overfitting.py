"""Overfitting of a sweep, from its segment sums alone: PBO and the number of independent trials."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.research.results.segments import (
    FEWEST_SEGMENTS,
    ROUNDING,
    SegmentSums,
    sharpe_of,
)
from alphalab.research.results.sharpe_ratio import sharpe_by_chance
from alphalab.types import FloatArray, IntArray

#: Most segments of a PBO: 20 have 184,756 combinations.
MOST_SEGMENTS = 20
#: Columns with a correlation of their segment returns of at least this are one trial.
SAME_TRIAL = 0.7
_CELLS = 100_000  # computed at a time: what stays in the cache
_BLOCK = 1_024  # columns compared with all leaders at a time
_TINY = 1e-300  # keeps 0 / 0 away


class Pbo(NamedTuple):
    """Probability of backtest overfitting, and what it was counted from.

    Attributes
    ----------
    probability : float in [0, 1]
        Share of the combinations in which the best column in sample is at or below the median out
        of sample: the logit is at most 0.
    probability_of_loss : float in [0, 1]
        Share of the combinations in which it loses out of sample.
    logits : ndarray of shape (C,)
        log(w / (1 - w)), w = rank out of sample / (M + 1): of the column that is best in sample.
    inside, outside : ndarray of shape (C,)
        Its Sharpe ratio per row in sample and out of sample.
    chosen : ndarray of shape (C,)
        int64: the column.
    """

    probability: float
    probability_of_loss: float
    logits: FloatArray
    inside: FloatArray
    outside: FloatArray
    chosen: IntArray

    @property
    def degradation(self) -> tuple[float, float]:
        """Slope and intercept of the regression of `outside` on `inside`; NaN without a spread."""
        finite = np.isfinite(self.inside) & np.isfinite(self.outside)
        x, y = self.inside[finite], self.outside[finite]
        if x.size < 2 or not np.ptp(x) > ROUNDING:
            return float("nan"), float("nan")
        centred = x - x.mean()
        slope = float(centred @ y / (centred @ centred))
        return slope, float(y.mean() - slope * x.mean())


def pbo(sums: SegmentSums) -> Pbo:
    """Return the probability of backtest overfitting of choosing the best column.

    Combinatorially symmetric cross-validation: for every choice of half of the segments, take the
    column with the best Sharpe ratio in that half, and rank it among all columns in the other half.
    Bailey, Borwein, Lopez de Prado & Zhu, The Probability of Backtest Overfitting (2017), Journal
    of Computational Finance 20(4).

    Of equally good columns the first is chosen; ranks of ties are averaged. About 0.5 for columns
    without skill, near 0 when one column is truly better.

    Parameters
    ----------
    sums : SegmentSums
        S segments (4 to 20) of M columns.

    Raises
    ------
    DataError
        Fewer than two columns that ever moved.
    ParameterError
        Fewer than 4 segments, or more than 20.

    Examples
    --------
    >>> from alphalab.research.results.segments import segment_sums
    >>> noise = np.random.default_rng(1).normal(0.0, 0.01, (1_600, 50))
    >>> round(pbo(segment_sums(noise)).probability, 2)
    0.52
    >>> noise[:, 7] += 0.003
    >>> round(pbo(segment_sums(noise)).probability, 2)
    0.0
    """
    _check(sums)
    low, high = _subsets(sums, 0), _subsets(sums, 1)
    halves = _halves(sums.n_segments)
    parts: list[tuple[FloatArray, ...]] = []
    step = max(_CELLS // sums.n_columns, 1)
    for i in range(0, halves.shape[1], step):
        first = _joined(low, high, halves[:, i : i + step])
        second = _joined(low, high, ~halves[:, i : i + step])  # indices from the end: complements
        first_order, second_order = _order(first), _order(second)
        parts.append(_ranked(first, second, first_order, second_order))
        parts.append(_ranked(second, first, second_order, first_order))
    inside, outside, logits, chosen = (np.concatenate(x) for x in zip(*parts, strict=True))
    return Pbo(
        float(np.mean(logits <= 0.0)),
        float(np.mean(outside < 0.0)),
        *(logits, inside, outside, chosen.astype(np.int64)),
    )


def _halves(n_segments: int) -> IntArray:
    """Return the halves that hold segment 0 as two bit masks each: the lower segments, the upper.

    Each stands for two combinations: one trains on it, the other on its complement.
    """
    low = n_segments // 2
    masks = np.array(
        [1 + sum(1 << s for s in more) for more in combinations(range(1, n_segments), low - 1)],
        np.int64,
    )
    return np.stack([masks % (1 << low), masks >> low])


def _subsets(sums: SegmentSums, upper: int) -> SegmentSums:
    """Add up every subset of the lower or the upper segments, at the row that is its bit mask."""
    low = sums.n_segments // 2
    part = slice(low, None) if upper else slice(low)

    def table(values: Any) -> Any:
        added = np.zeros((1, *values.shape[1:]), values.dtype)
        for row in values[part]:
            added = np.concatenate([added, added + row])
        return added

    return SegmentSums(*map(table, sums))


def _joined(low: SegmentSums, high: SegmentSums, halves: IntArray) -> SegmentSums:
    """Add the two parts of each half: one half in a row."""
    return SegmentSums(*(x[halves[0]] + y[halves[1]] for x, y in zip(low, high, strict=True)))


def _order(sums: SegmentSums) -> FloatArray:
    """Return a number that grows with the Sharpe ratio and is cheap: sign * mean**2 / mean square.

    m / s grows with m / sqrt(m**2 + s**2), and all columns have the same number of rows.
    """
    order = np.abs(sums.total)
    order *= sums.total
    order /= sums.squares + _TINY  # 0 for a column that did not move
    return order


def _ranked(
    train: SegmentSums, test: SegmentSums, by: FloatArray, found: FloatArray
) -> tuple[FloatArray, ...]:
    """Choose the column that is best by `by` in each row, and rank it in `found`."""
    best = np.argmax(by, axis=1)
    row = np.arange(best.size)
    # Row by row: NumPy counts a whole array far faster than along an axis.
    below = [np.count_nonzero(x < x[j]) for x, j in zip(found, best, strict=True)]
    upto = [np.count_nonzero(x <= x[j]) for x, j in zip(found, best, strict=True)]
    place = (np.add(below, upto) + 1) / 2.0 / (found.shape[1] + 1)
    inside, outside = (
        sharpe_of(half.total[row, best], half.squares[row, best], half.rows)
        for half in (train, test)
    )
    return inside, outside, np.log(place / (1.0 - place)), best.astype(np.float64)


class Clusters(NamedTuple):
    """Columns put together that are one trial.

    Attributes
    ----------
    labels : ndarray of shape (M,)
        int64: cluster of each column, from 0; cluster 0 holds the best column.
    sharpes : ndarray of shape (K,)
        Mean Sharpe ratio of the columns of each cluster, per row.
    column_sharpes : ndarray of shape (M,)
        Sharpe ratio of each column, per row.
    """

    labels: IntArray
    sharpes: FloatArray
    column_sharpes: FloatArray

    @property
    def n_effective(self) -> int:
        """Effective number of independent trials, K."""
        return self.sharpes.size

    @property
    def variance(self) -> float:
        """Variance of the Sharpe ratios between clusters, ddof 1; 0 for a single one."""
        return float(self.sharpes.var(ddof=1)) if self.n_effective > 1 else 0.0

    @property
    def column_variance(self) -> float:
        """Variance of the Sharpe ratios of all columns, ddof 1; 0 for a single one."""
        return float(self.column_sharpes.var(ddof=1)) if self.column_sharpes.size > 1 else 0.0

    @property
    def by_chance(self) -> float:
        """Sharpe ratio per row that the best column is expected to show without skill."""
        return sharpe_by_chance(self.n_effective, self.variance, self.column_variance)


def clusters_of(sums: SegmentSums, same: float = SAME_TRIAL) -> Clusters:
    """Put columns together whose segment returns move together: the effective number of trials.

    Columns are visited from the best Sharpe ratio to the worst. Each joins the first leader that it
    correlates with by at least `same` (Pearson, over the S segments), or becomes a leader itself
    (Hartigan, Clustering Algorithms (1975), chapter 3). So leaders are pairwise less alike than
    `same`. Columns that never moved are one cluster. Lopez de Prado & Lewis, Detection of False
    Investment Strategies (2019), count independent trials by clusters too, with another algorithm.

    With S = 16 independent columns correlate by 0.7 or more once in 800 pairs; a threshold that is
    lower would merge independent trials and flatter the deflated Sharpe ratio.

    Parameters
    ----------
    sums : SegmentSums
        At least 4 segments of at least one column.
    same : float
        In (0, 1].

    Raises
    ------
    DataError
        No column.
    ParameterError
        A threshold outside (0, 1], or fewer than 4 segments.

    Examples
    --------
    >>> from alphalab.research.results.segments import segment_sums
    >>> rng = np.random.default_rng(5)
    >>> trials = rng.normal(0.0, 0.01, (1_600, 3))
    >>> copies = np.repeat(trials, 20, axis=1) + rng.normal(0.0, 0.001, (1_600, 60))
    >>> clusters_of(segment_sums(copies)).n_effective
    3
    """
    if not 0.0 < same <= 1.0:
        raise ParameterError(f"same={same:g}", rule="a correlation in (0, 1].")
    _check_segments(sums, sums.n_segments)
    if not sums.n_columns:
        raise DataError("no columns", rule="there is at least one trial.")
    sharpes = sharpe_of(sums.total.sum(axis=0), sums.squares.sum(axis=0), int(sums.rows.sum()))
    labels = _labels(_directions(sums), np.argsort(-sharpes, kind="stable"), same - 1e-12)
    members = np.bincount(labels)
    return Clusters(labels, np.bincount(labels, sharpes) / members, sharpes)


def _labels(directions: FloatArray, order: IntArray, same: float) -> IntArray:
    """Return the cluster of each column; its first column in the order is its leader.

    Blocks of columns are compared with all leaders at once, then with each other.
    """
    labels = np.full(order.size, -1, np.int64)
    leaders = np.empty((0, len(directions)))
    for i in range(0, order.size, _BLOCK):
        left = order[i : i + _BLOCK]
        joins = leaders @ directions[:, left] >= same
        if len(leaders):
            joined = joins.any(axis=0)
            labels[left[joined]] = np.argmax(joins[:, joined], axis=0)
            left = left[~joined]
        new: list[FloatArray] = []
        while left.size:
            alike = directions[:, left[0]] @ directions[:, left] >= same
            alike[0] = True  # one without a direction correlates with nothing, itself included
            labels[left[alike]] = len(leaders) + len(new)
            new.append(directions[:, left[0]])
            left = left[~alike]
        leaders = np.vstack([leaders, *new])
    return labels


def _directions(sums: SegmentSums) -> FloatArray:
    """Return a vector of length 1 for each column, (S + 1, M): their products are correlations.

    The last place is 1 for columns that never moved, and 0 for all others.
    """
    means = sums.total / sums.rows[:, np.newaxis]
    centred = means - means.mean(axis=0)
    length = np.sqrt((centred * centred).sum(axis=0))
    unit: FloatArray = np.zeros((sums.n_segments + 1, sums.n_columns))
    np.divide(centred, length, out=unit[:-1], where=length > ROUNDING)
    unit[-1] = sums.squares.sum(axis=0) == 0.0
    return unit


def _check_segments(sums: SegmentSums, most: int) -> None:
    if not FEWEST_SEGMENTS <= sums.n_segments <= most:
        raise ParameterError(
            f"{sums.n_segments} segments",
            rule=f"this takes {FEWEST_SEGMENTS} to {most} segments.",
            fix="Merge finer ones: sums.merged(16).",
        )


def _check(sums: SegmentSums) -> None:
    _check_segments(sums, MOST_SEGMENTS)
    moving = int(np.count_nonzero(sums.squares.sum(axis=0)))
    if moving < 2:
        raise DataError(
            f"{moving} of {sums.n_columns} columns ever moved",
            rule="overfitting is a matter of choosing: it takes two columns with returns.",
            fix="Sweep more than one combination.",
        )
