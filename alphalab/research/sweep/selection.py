"""`Selection`: what the best column of a sweep owes to being chosen, from segment sums alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alphalab.errors import DataError
from alphalab.research.results import formulas
from alphalab.research.results.overfitting import MOST_SEGMENTS, Clusters, Pbo, clusters_of, pbo
from alphalab.research.results.segments import SegmentSums, segment_bounds
from alphalab.research.results.sharpe_ratio import Moments, probabilistic_sharpe
from alphalab.types import FloatArray, IntArray, Records


@dataclass(frozen=True, eq=False)
class Selection:
    """The columns of a sweep as trials, one of which is chosen.

    Parameters
    ----------
    tallies : records of shape (C,)
        `alphalab.core.columns.column_type` of the number of segments, 0 if the rows were too few.
    ran : ndarray of bool, (C,)
    n_rows : int
        Rows that were traded.
    n_segments : int
        Segments that were asked for.
    """

    tallies: Records
    ran: NDArray[np.bool_]
    n_rows: int
    n_segments: int

    @cached_property
    def columns(self) -> IntArray:
        """The M columns that are trials: run, with equity above zero before each row."""
        return np.flatnonzero(self.ran & (self.tallies["least_before"] > 0))

    @cached_property
    def sums(self) -> SegmentSums:
        """Segment sums of the trials, S segments of M columns.

        Raises
        ------
        DataError
            Fewer rows than two for each segment, or no column that is a trial.
        """
        bounds = segment_bounds(self.n_rows, self.n_segments)
        if not self.columns.size:
            raise DataError(
                "no column was run and kept its equity above zero",
                rule="a trial has returns.",
                fix="Look at the table of the sweep: its reasons, and its final equity.",
            )
        total, squares = self.tallies["segments"][self.columns].transpose(1, 2, 0)
        return SegmentSums(total, squares, np.diff(bounds))

    @cached_property
    def clusters(self) -> Clusters:
        """The independent trials; labels are those of `columns`."""
        return clusters_of(self.sums)

    @property
    def by_chance(self) -> float:
        """Sharpe ratio per row that the best of these trials shows by chance."""
        return self.clusters.by_chance

    @cached_property
    def deflated(self) -> FloatArray:
        """Deflated Sharpe ratio of every column, (C,); NaN where it is not defined.

        Raises
        ------
        DataError
            As `sums`.
        """
        found = np.full(self.tallies.size, np.nan)
        by_chance, some = self.by_chance, self.tallies[self.columns]
        n = some["rows"]
        sharpe = formulas.sharpe(some["mean"], some["m2"], n, 1.0)
        skew, kurtosis = (
            formulas.standardised_moment(power, some[f"m{power}"], some["m2"], n)
            for power in (3, 4)
        )
        moments = zip(n.tolist(), *(x.tolist() for x in (sharpe, skew, kurtosis)), strict=True)
        for column, values in zip(self.columns.tolist(), moments, strict=True):
            if np.isfinite(values).all():
                found[column] = probabilistic_sharpe(Moments(*values), by_chance)
        return found

    def pbo(self, n_segments: int | None = None) -> Pbo:
        """Return the probability of backtest overfitting; `chosen` counts the columns of the sweep.

        Raises
        ------
        DataError, ParameterError
            As `alphalab.research.results.overfitting.pbo`, and as `sums`.
        """
        sums = self.sums
        if n_segments is None:
            fit = range(min(sums.n_segments, MOST_SEGMENTS), 1, -1)
            n_segments = next(n for n in fit if n % 2 == 0 and sums.n_segments % n == 0)
        found = pbo(sums.merged(n_segments))
        return found._replace(chosen=self.columns[found.chosen])
