"""`Outcome`: what the columns of a sweep recorded, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.data.quality.findings import Verdict
from alphalab.errors import DataError, ParameterError, StateError, UnknownNameError
from alphalab.research.results.result import Result
from alphalab.research.results.segments import N_SEGMENTS
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER, digests, metrics_of
from alphalab.research.run.backtest import run
from alphalab.research.sweep.selection import Selection
from alphalab.research.sweep.variants import Variant
from alphalab.types import FloatArray, IntArray, Records

Status: TypeAlias = Literal["ok", "invalid", "not run"]


class Stop(NamedTuple):
    """Why a sweep or a walk-forward ended early: a code for programs, a sentence for people."""

    code: Literal["interrupted", "not saved"]
    text: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.text


class StoppedWarning(UserWarning):
    """A sweep or a walk-forward ended early; what was finished is returned."""


@dataclass(frozen=True, repr=False, eq=False)
class Outcome:
    """What a sweep recorded: one column for every variant.

    Tables, pictures and pages read an outcome. `Sweep` is an outcome that offers them as methods.

    Parameters
    ----------
    strategy : str
        Name of the strategy's class.
    names : tuple of str
        Swept names: parameters, and settings such as ``costs.fee_bps``.
    variants : tuple of Variant
        The C columns in order: parameters, and the reason if one is invalid.
    tallies : records of shape (C,)
        What each column kept of its rows, `alphalab.core.columns.column_type`; meaningless where
        `ran` is False.
    ran : ndarray of bool, (C,)
        Columns that were run.
    history : History
        The rows that the expressions saw; the columns traded `bars`.
    metric : str
        The metric that decides which column is `best`.
    stopped : Stop, optional
        Why not all columns were run. None: all were.
    warnings : tuple of str
        Sentences that a reader needs before the figures.
    seconds : float
        Wall time of the sweep.
    quality : Verdict, optional
        Verdict on the data. None: the data was not checked.
    n_segments : int
        Segments that were asked for.
    ledger : str
        File of the trial ledger that counted it, or ``off``. Empty: it was not counted, as a part
        of another run.
    """

    strategy: str
    names: tuple[str, ...]
    variants: tuple[Variant, ...]
    tallies: Records
    ran: NDArray[np.bool_]
    history: History
    metric: str = "sharpe"
    stopped: Stop | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    quality: Verdict | None = None
    n_segments: int = N_SEGMENTS
    ledger: str = ""

    @property
    def bars(self) -> Bars:
        """The rows that were traded."""
        return self.history.traded

    @cached_property
    def metrics(self) -> dict[str, FloatArray]:
        """Every metric by name, one float64 for each column, (C,); NaN where it was not run."""
        found = metrics_of(self.tallies, periods_per_year(self.bars))
        return {name: np.where(self.ran, x, np.nan) for name, x in found.items()}

    @cached_property
    def selection(self) -> Selection:
        """The columns as trials: what choosing the best of them does."""
        return Selection(self.tallies, self.ran, self.bars.n_rows, self.n_segments)

    @cached_property
    def deflated(self) -> FloatArray:
        """Deflated Sharpe ratio of every column, (C,); NaN where it is not defined."""
        try:
            return self.selection.deflated
        except DataError:
            return np.full(len(self.variants), np.nan)

    @property
    def statuses(self) -> list[Status]:
        """Status of every column."""
        return [
            "invalid" if variant.column is None else "ok" if ran else "not run"
            for variant, ran in zip(self.variants, self.ran.tolist(), strict=True)
        ]

    @property
    def counts(self) -> dict[Status, int]:
        """Number of columns with each status."""
        statuses = self.statuses
        kinds: tuple[Status, ...] = ("ok", "invalid", "not run")
        return {status: statuses.count(status) for status in kinds}

    @property
    def n_same_close(self) -> int:
        """Valid columns that fill at the close which decided: a price the decision has seen."""
        columns = [variant.column for variant in self.variants]
        return sum(c is not None and c.settings.fill == "same_close" for c in columns)

    @property
    def best(self) -> int:
        """The column with the best `metric`; of equal ones the first.

        Raises
        ------
        StateError
            The metric is not finite in any column.
        """
        return self.best_by(self.metric)

    def best_by(self, metric: str) -> int:
        """Return the column with the best value of a metric, as `best` does."""
        worth = self.worth(metric)
        if not np.isfinite(worth).any():
            raise StateError(
                f"no column has a {metric}",
                rule="the best column is one whose figure is a number.",
                fix="Look at sweep.table: was anything traded, and are there enough rows?",
            )
        return int(np.argmax(np.where(np.isfinite(worth), worth, -np.inf)))

    def ranked(self, metric: str) -> IntArray:
        """Return all columns, the best first; columns without a value last."""
        worth = self.worth(metric)
        return np.argsort(np.where(np.isnan(worth), np.inf, -worth), kind="stable")

    def values(self, metric: str) -> FloatArray:
        """Return one metric of all columns, (C,).

        Raises
        ------
        UnknownNameError
            A metric that does not exist.
        """
        if metric not in METRICS:
            raise UnknownNameError("metric", metric, METRICS)
        return self.metrics[metric]

    def worth(self, metric: str) -> FloatArray:
        """Return one metric of all columns, negated where smaller values are better."""
        values = self.values(metric)
        return -values if metric in SMALLER_IS_BETTER else values

    def digest(self, column: int) -> str:
        """Return the digest of a column: that of the `Result` of its variant."""
        return digests(self.tallies[column : column + 1])[0]

    def check_column(self, column: int) -> None:
        """Refuse what is no number of a column.

        Raises
        ------
        ParameterError
            It is no whole number, or there is no such column.
        """
        whole = isinstance(column, int | np.integer) and not isinstance(column, bool)
        if not whole or not 0 <= column < len(self.variants):
            raise ParameterError(
                f"column {column!r}",
                rule=f"columns are counted from 0 to {len(self.variants) - 1}.",
            )

    def result(self, column: int) -> Result:
        """Run a column again, alone, and return its full result.

        Raises
        ------
        ParameterError
            No such column, or an invalid one.
        StateError
            Its digest differs from the sweep's: code or data has changed since.
        """
        self.check_column(column)
        found = self.variants[column].column
        if found is None:
            raise ParameterError(
                f"result({column}): {self.variants[column].reason}",
                rule="an invalid combination has no result.",
            )
        result = run(found.strategy, self.history, found.settings, verdict=self.quality)
        expected = self.digest(column)
        if self.ran[column] and result.digest != expected:
            raise StateError(
                f"column {column} has digest {result.digest}, in the sweep it had {expected}",
                rule="the same code, settings and bars give the same result.",
                fix="What has been edited since? Run the sweep again.",
            )
        return result
