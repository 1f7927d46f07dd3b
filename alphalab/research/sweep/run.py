"""`sweep`: run many variants of a strategy on the same bars."""

from __future__ import annotations

import os
import time as clock
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from alphalab.artifact.ledger import check_ledger
from alphalab.core.columns import COLUMN, Column
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.research.parallel.jobs import run_columns
from alphalab.research.results.figures import SEEN_PRICE
from alphalab.research.results.provenance import accepted, quality_warnings
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER, metrics_of
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.options import RunOptions
from alphalab.research.run.progress import progress_bar
from alphalab.research.sweep.combinations import MAX_COLUMNS
from alphalab.research.sweep.count import count_sweep
from alphalab.research.sweep.outcome import Outcome, Stop, StoppedWarning
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.results_file import ResultsFile, SaveError
from alphalab.research.sweep.search import Search, batches
from alphalab.research.sweep.variants import Family, Variant, variants
from alphalab.types import Records


def sweep(
    strategy: type[Strategy] | Strategy | Sequence[Expr | str],
    bars: Bars,
    space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Search | None = None,
    *,
    metric: str = "sharpe",
    results: str | os.PathLike[str] | None = None,
    max_columns: int = MAX_COLUMNS,
    n_jobs: int | None = None,
    progress: bool = False,
    quality: OnErrors | QualitySettings | Verdict = "refuse",
    **options: Unpack[RunOptions],
) -> Sweep:
    """Run many variants of a strategy on the same bars.

    All variants are pushed together, in blocks of rows: an indicator that several of them use is
    computed once, and memory does not grow with rows times variants. Every column equals, bit for
    bit, the backtest of its variant.

    Parameters
    ----------
    strategy : Strategy class, Strategy, or sequence of Expr and str
        A class, or a strategy whose other parameters are kept. A sequence sweeps expressions, each
        as the weights, under the name ``expression``.
    bars : Bars
    space : mapping, sequence of mappings, Search, or None
        A grid (names to values; every combination), a list of combinations, or a search. Names are
        parameters of the strategy, or settings: ``fill``, ``costs.fee_bps``, ``exits.stop_loss``,
        ``limits.gross`` and so on. None: only with a sequence of expressions.
    metric : str
        The metric that ranks columns and guides a search: one of `tally_metrics.METRICS`.
    results : path-like, optional
        A file to which finished columns are saved at once. Columns in the file are not run again,
        so an interrupted sweep continues with the same file.
    max_columns : int
        Larger grids are refused.
    n_jobs : int, optional
        Number of parallel workers: threads, or the backend of `joblib.parallel_config`. Not given:
        all cores.
    progress : bool
        Show a progress bar on stderr.
    quality : {"refuse", "accept", "unchecked"}, QualitySettings or Verdict
        The reaction to data with errors, as in `alphalab.backtest`; or a verdict that was accepted
        before.
    **options : RunOptions
        Settings of all variants: the keywords of `alphalab.backtest`.

    Returns
    -------
    Sweep
        After Ctrl-C, or when a result cannot be saved: with the finished columns, a
        `StoppedWarning`, and the reason in `Sweep.stopped`.

    Raises
    ------
    AlphalabError
        A space, a strategy, a setting or data that break a rule. Combinations that the strategy
        refuses are not errors: the table lists them with the reason.

    Examples
    --------
    >>> import alphalab as al
    >>> momentum = [al.close.returns(n) > 0 for n in (20, 60, 250)]
    >>> found = sweep(momentum, al.load("sp500"), {"costs.fee_bps": [0, 10]})
    >>> found.names, len(found.table)
    (('expression', 'costs.fee_bps'), 6)
    >>> found.table["total_return"].round(2).tolist()[-2:]
    [1.11, 0.98]
    """
    started = clock.perf_counter()
    refuse_swapped("sweep", strategy, bars)
    if not isinstance(bars, Bars):
        raise ParameterError(
            f"sweep(..., {type(bars).__name__})",
            rule="it takes bars.",
            fix="Make them with al.load(name or path) or al.Bars.from_frame(frame).",
        )
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    verdict = accepted(bars, quality, actions=options.get("actions", "none"))
    check_ledger()
    with ExitStack() as stack:
        file = None
        if results is not None:
            file = stack.enter_context(ResultsFile(Path(results), {"bars": bars.id}))
        work = _Work(bars, n_jobs, file, verdict)
        if isinstance(space, Search):
            family = Family(
                _one(strategy), tuple(space.space), options, bars.instruments, tuple(bars.columns)
            )
            name, names = family.name, tuple(space.space)
            total = space.n_trials
            steps = _searching(work, family, space, metric)
        else:
            names, found = variants(
                strategy,
                space,
                options,
                bars.instruments,
                columns=tuple(bars.columns),
                max_columns=max_columns,
            )
            name, total = _name_of(strategy), len(found)
            steps = iter([found])
        advance = stack.enter_context(progress_bar("sweep", total, "columns", shown=progress))
        try:
            for batch in steps:
                work.run(batch, advance)
        except KeyboardInterrupt:
            work.stopped = Stop("interrupted", "interrupted")
        except SaveError as error:
            work.stopped = Stop("not saved", str(error))
    made = work.sweep(name, names, metric, clock.perf_counter() - started)
    made = count_sweep(made, "search" if isinstance(space, Search) else "sweep")
    if made.stopped is not None:
        warnings.warn(_stop_note(made), StoppedWarning, stacklevel=2)
    return made


class _Work:
    """The columns so far: variants, tallies, and which were run."""

    def __init__(
        self, bars: Bars, n_jobs: int | None, file: ResultsFile | None, verdict: Verdict | None
    ) -> None:
        self.bars = bars
        self.verdict = verdict
        self.n_jobs = n_jobs
        self.file = file
        self.variants: list[Variant] = []
        self.tallies: Records = np.zeros(0, COLUMN)
        self.ran = np.zeros(0, np.bool_)
        self.stopped: Stop | None = None

    def run(self, batch: Sequence[Variant], advance: Callable[[float], None]) -> None:
        """Run the columns of a batch, except those in the results file."""
        first = len(self.variants)
        self.variants += batch
        self.tallies = np.concatenate([self.tallies, np.zeros(len(batch), COLUMN)])
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
                known = metrics_of(tallies, periods_per_year(self.bars))
                self.file.save([keys[i] for i in some], params, tallies, known)

        if left:
            columns = [self._column(i) for i in left]
            run_columns(columns, self.bars, n_jobs=self.n_jobs, done=done, advance=advance)

    def values(self, metric: str, first: int) -> list[float]:
        """Return a metric of the columns from the first on; NaN where one was not run."""
        year = periods_per_year(self.bars)
        found = metrics_of(self.tallies[first:], year)[metric]
        return np.where(self.ran[first:], found, np.nan).tolist()  # type: ignore[no-any-return]

    def sweep(self, name: str, names: tuple[str, ...], metric: str, seconds: float) -> Sweep:
        """Build the Sweep of the columns run so far."""
        made = Sweep(
            strategy=name,
            names=names,
            variants=tuple(self.variants),
            tallies=self.tallies,
            ran=self.ran,
            bars=self.bars,
            metric=metric,
            stopped=self.stopped,
            seconds=seconds,
            quality=self.verdict,
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
        yield _stop_note(outcome)
    undefined = int((outcome.ran & ~np.isfinite(outcome.values(outcome.metric))).sum())
    if undefined:
        yield f"{undefined:,} columns have no {outcome.metric}: it is not defined"
    seen = outcome.n_same_close
    if seen:
        some = seen < len(outcome.variants) - outcome.counts["invalid"]
        which = f"{seen:,} column{'s' if seen > 1 else ''} with fill same_close: "
        yield f"{which if some else ''}{SEEN_PRICE.rstrip('.')}"


def _stop_note(outcome: Outcome) -> str:
    """Return why a sweep stopped, and how many columns are finished."""
    counts = outcome.counts
    return (
        f"{outcome.stopped}: {counts['ok']:,} columns are finished, {counts['not run']:,} are not"
    )


def _searching(
    work: _Work, family: Family, search: Search, metric: str
) -> Iterator[Sequence[Variant]]:
    """Yield batches of variants, and tell the search the metric of each batch."""
    asked = batches(search, maximize=metric not in SMALLER_IS_BETTER)
    try:
        params = next(asked)
        while True:
            batch = [family.variant(x) for x in params]
            first = len(work.variants)
            yield batch
            params = asked.send(work.values(metric, first))
    except StopIteration:
        return
    finally:
        asked.close()


def _one(strategy: Any) -> Strategy | type[Strategy]:
    if isinstance(strategy, list | tuple):
        raise ParameterError(
            f"a search over {len(strategy)} expressions",
            rule="a search varies the parameters of one strategy.",
            fix="Sweep the expressions themselves, without al.Search.",
        )
    return strategy  # type: ignore[no-any-return]


def _name_of(strategy: Any) -> str:
    if isinstance(strategy, Strategy):
        return type(strategy).__name__
    return getattr(strategy, "__name__", ExprStrategy.__name__)
