"""`Work`: the columns of a sweep while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from alphalab.artifact.ledger import counting_ledger
from alphalab.core.columns import Column, column_type
from alphalab.data.panel.history import History
from alphalab.data.quality.findings import Verdict
from alphalab.research.parallel.jobs import run_columns
from alphalab.research.results.figures import SEEN_PRICE
from alphalab.research.results.provenance import quality_warnings
from alphalab.research.results.segments import kept_segments, segment_bounds
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.tally_metrics import metrics_of
from alphalab.research.sweep.outcome import Outcome, Stop
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.results_file import ResultsFile
from alphalab.research.sweep.variants import Variant
from alphalab.types import Records


class Work:
    """The columns so far: variants, tallies, and which were run."""

    def __init__(
        self,
        history: History,
        asked_segments: int,
        n_jobs: int | None,
        file: ResultsFile | None,
        verdict: Verdict | None,
    ) -> None:
        self.history, self.asked_segments = history, asked_segments
        self.n_segments = kept_segments(history.traded.n_rows, asked_segments)
        self.year = periods_per_year(history.traded)
        self.verdict = verdict
        self.n_jobs = n_jobs
        self.file = file
        self.variants: list[Variant] = []
        self.tallies: Records = np.zeros(0, column_type(self.n_segments))
        self.ran = np.zeros(0, np.bool_)
        self.stopped: Stop | None = None

    def run(self, batch: Sequence[Variant], advance: Callable[[float], None]) -> None:
        """Run the columns of a batch, except those in the results file."""
        first = len(self.variants)
        self.variants += batch
        self.tallies = np.concatenate([self.tallies, np.zeros(len(batch), self.tallies.dtype)])
        self.ran = np.concatenate([self.ran, np.zeros(len(batch), np.bool_)])
        places = [first + i for i, variant in enumerate(batch) if variant.column is not None]
        keys = {} if self.file is None else {i: self._column(i).key for i in places}
        if self.file is not None:
            finished = self.file.finished(list(keys.values()))
            for i in places:
                if keys[i] in finished:
                    self.tallies[i], self.ran[i] = finished[keys[i]], True
        advance(len(batch) - len(places) + int(self.ran[first:].sum()))
        left = [i for i in places if not self.ran[i]]

        def done(parts: Sequence[int], tallies: Records) -> None:
            some = [left[part] for part in parts]
            self.tallies[some], self.ran[some] = tallies, True
            if self.file is not None:
                params = [self.variants[i].params for i in some]
                known = metrics_of(tallies, self.year)
                self.file.save([keys[i] for i in some], params, tallies, known)

        if left:
            columns = [self._column(i) for i in left]
            n_rows, n = self.history.traded.n_rows, self.n_segments
            run_columns(
                columns,
                self.history,
                bounds=segment_bounds(n_rows, n) if n else None,
                n_jobs=self.n_jobs,
                done=done,
                advance=advance,
            )

    def values(self, metric: str, first: int) -> list[float]:
        """Return a metric of the columns from the first on; NaN where one was not run."""
        found = metrics_of(self.tallies[first:], self.year)[metric]
        return np.where(self.ran[first:], found, np.nan).tolist()  # type: ignore[no-any-return]

    def sweep(self, name: str, names: tuple[str, ...], metric: str, seconds: float) -> Sweep:
        """Build the Sweep of the columns run so far."""
        made = Sweep(
            strategy=name,
            names=names,
            variants=tuple(self.variants),
            tallies=self.tallies,
            ran=self.ran,
            history=self.history,
            metric=metric,
            stopped=self.stopped,
            seconds=seconds,
            quality=self.verdict,
            n_segments=self.asked_segments,
            ledger=counting_ledger(),
        )
        return replace(made, warnings=tuple(_warnings(made)))

    def _column(self, i: int) -> Column:
        column = self.variants[i].column
        assert column is not None
        return column


def _warnings(outcome: Outcome) -> Iterator[str]:
    """Yield what a reader needs before the figures of a sweep."""
    yield from (text.rstrip(".") for text in quality_warnings(outcome.quality))
    if outcome.stopped is not None:
        yield stop_note(outcome)
    undefined = int((outcome.ran & ~np.isfinite(outcome.values(outcome.metric))).sum())
    if undefined:
        yield f"{undefined:,} columns have no {outcome.metric}: it is not defined"
    seen = outcome.n_same_close
    if seen:
        some = seen < len(outcome.variants) - outcome.counts["invalid"]
        which = f"{seen:,} column{'s' if seen > 1 else ''} with fill same_close: "
        yield f"{which if some else ''}{SEEN_PRICE.rstrip('.')}"


def stop_note(outcome: Outcome) -> str:
    """Return why a sweep stopped, and how many columns are finished."""
    counts = outcome.counts
    return (
        f"{outcome.stopped}: {counts['ok']:,} columns are finished, {counts['not run']:,} are not"
    )
