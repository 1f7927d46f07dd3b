"""`count_trials`: how many trials of a family there were, and how many of them were independent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from alphalab.artifact.trials import Family, PackedSums, Trial, unpacked
from alphalab.core.journal_reader import Head
from alphalab.research.results.overfitting import clusters_of
from alphalab.research.results.segments import SegmentSums
from alphalab.types import FloatArray


class Counted(NamedTuple):
    """The trials of a family.

    Attributes
    ----------
    n_runs, n_trials : int
        Rows of the ledger, and different columns that were tried: columns with the same returns on
        the same data are one trial, whatever run they were part of.
    n_effective : int
        Independent trials: clusters of columns whose segment returns move together. Columns on
        other data, or without segment sums, are independent of all others.
    sharpe_mean, sharpe_variance : float
        Over the independent trials, per row, ddof 1; NaN: too few.
    column_variance : float
        Variance of the Sharpe ratios of all different trials, per row, ddof 1; NaN: too few.
    head : Head
        Of the ledger when it was read.
    """

    n_runs: int
    n_trials: int
    n_effective: int
    sharpe_mean: float
    sharpe_variance: float
    column_variance: float
    head: Head


class _Part(NamedTuple):
    """Trials: how many, how many of them have a Sharpe ratio, and its moments."""

    n: int
    n_sharpes: int
    mean: float
    variance: float


def count_trials(family: Family) -> Counted:
    """Count the trials of a family, and take the variance of their Sharpe ratios between clusters.

    Raises
    ------
    JournalError
        Segment sums that cannot be read.
    """
    with_sums = [trial for trial in family.tried if trial.segments]
    without = [trial for trial in family.tried if not trial.segments]
    n_trials = sum(trial.n_columns for trial in without)
    parts = [_Part(t.n_columns, t.n_sharpes, t.sharpe_mean, t.sharpe_variance) for t in without]
    columns = list(parts)
    for sums, n_ruined in _groups(with_sums):
        n_trials += sums.n_columns + n_ruined
        if sums.n_columns:
            clusters = clusters_of(sums)
            parts.append(_part(clusters.sharpes))
            columns.append(_part(clusters.column_sharpes))
    n_effective = max(sum(part.n for part in parts), 1)
    _, column_variance = _pooled(columns)
    return Counted(
        family.n_runs, n_trials, n_effective, *_pooled(parts), column_variance, family.head
    )


def _groups(trials: Iterable[Trial]) -> Iterator[tuple[SegmentSums, int]]:
    """Yield the different columns of runs that can be compared, and how many fell to zero.

    They are of the same data, with the same segments; those of a walk-forward are of its last
    training rows.
    """
    groups: dict[tuple[Any, ...], list[tuple[Trial, PackedSums]]] = {}
    for trial in trials:
        sums = unpacked(trial.segments)
        key = (trial.data, trial.run == "walk_forward", sums.rows.tobytes())
        groups.setdefault(key, []).append((trial, sums))
    for members in groups.values():
        rows = members[0][1].rows
        stacked = np.hstack([np.vstack([s.total, s.squares]) for _, s in members])
        columns = np.ascontiguousarray(stacked.T)
        # Bits, not numbers: equal columns of several runs were computed by one kernel.
        _, first = np.unique(columns.view(f"V{4 * len(stacked)}").ravel(), return_index=True)
        different = columns[np.sort(first)].T.astype(np.float64)
        finite = np.isfinite(different).all(axis=0)
        total, squares = np.split(different[:, finite], 2)
        n_ruined = sum(trial.n_columns - s.total.shape[1] for trial, s in members)
        yield SegmentSums(total, squares, rows), n_ruined + int((~finite).sum())


def _part(sharpes: FloatArray) -> _Part:
    known = sharpes[np.isfinite(sharpes)]
    mean = float(known.mean()) if known.size else np.nan
    variance = float(known.var(ddof=1)) if known.size > 1 else np.nan
    return _Part(sharpes.size, known.size, mean, variance)


def _pooled(parts: Iterable[_Part]) -> tuple[float, float]:
    """Return mean and variance (ddof 1) of all Sharpe ratios from those of each part."""
    some = [part for part in parts if part.n_sharpes]
    n = sum(part.n_sharpes for part in some)
    if n == 0:
        return np.nan, np.nan
    mean = sum(part.n_sharpes * part.mean for part in some) / n
    squares = sum(
        (0.0 if part.n_sharpes == 1 else (part.n_sharpes - 1) * part.variance)
        + part.n_sharpes * (part.mean - mean) ** 2
        for part in some
    )
    return mean, squares / (n - 1) if n > 1 else np.nan
