"""`sweep`: many variants of a strategy on the same bars."""

from __future__ import annotations

import os
import time as clock
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from alphalab.artifact.ledger import check_ledger
from alphalab.core.columns import COLUMN, Column
from alphalab.core.expression import Expression
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
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER, figures
from alphalab.research.run.count import count_sweep
from alphalab.research.run.options import RunOptions
from alphalab.research.sweep.combinations import MAX_COLUMNS
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

    All go through the bars together, in blocks of rows: an indicator that several need is computed
    once, and nothing of the size rows times variants is ever held. Every column is, bit for bit,
    the backtest of its variant.

    Parameters
    ----------
    strategy : Strategy class, Strategy, or sequence of Expr and str
        A class, or a strategy whose other parameters stay as they are. A sequence sweeps
        expressions, each as the weights, under the name ``expression``.
    bars : Bars
    space : mapping, sequence of mappings, Search, or None
        A grid (names to values; every combination), a list of combinations, or a search. Names are
        parameters of the strategy, or settings: ``fill``, ``costs.fee_bps``, ``exits.stop_loss``,
        ``limits.gross`` and so on. None: only with a sequence of expressions.
    metric : str
        The figure that `Sweep.best` and a search go by: one of `tally_metrics.METRICS`.
    results : path-like, optional
        A file that finished columns are saved to at once. Columns that are in it already are not
        run again: that is how a sweep that was interrupted goes on.
    max_columns : int
        A larger grid has to be asked for.
    n_jobs : int, optional
        Columns are run in parallel: in threads, or where `joblib.parallel_config` says. Not given:
        on all cores.
    progress : bool
        Show a progress bar on stderr.
    quality : {"refuse", "accept", "unchecked"}, QualitySettings or Verdict
        What becomes of data with errors, as in `alphalab.backtest`; or a verdict of before.
    **options : RunOptions
        How all variants are run: the keywords of `alphalab.backtest`.

    Returns
    -------
    Sweep
        After Ctrl-C, or when a result cannot be saved: with what is finished, a warning, and the
        reason in `Sweep.stopped`.

    Raises
    ------
    AlphalabError
        A space, a strategy, a setting or data that break a rule. Combinations that the strategy
        refuses are no error: they are in the table, with the reason.

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
        advance = stack.enter_context(_progress(total)) if progress else _ignore
        try:
            for batch in steps:
                work.run(batch, advance)
        except KeyboardInterrupt:
            work.stopped = "interrupted"
        except SaveError as error:
            work.stopped = str(error)
    made = work.sweep(name, names, metric, clock.perf_counter() - started)
    made = count_sweep(made, "search" if isinstance(space, Search) else "sweep")
    if made.stopped:
        warnings.warn(next(x for x in made.warnings if x.startswith(made.stopped)), stacklevel=2)
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
        self.stopped = ""

    def run(self, batch: Sequence[Variant], advance: Callable[[float], None]) -> None:
        """Run the columns of a batch, those excepted that the results file has."""
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
                known = figures(tallies, periods_per_year(self.bars))
                self.file.save([keys[i] for i in some], params, tallies, known)

        if left:
            columns = [self._column(i) for i in left]
            run_columns(columns, self.bars, n_jobs=self.n_jobs, done=done, advance=advance)

    def sweep(self, name: str, names: tuple[str, ...], metric: str, seconds: float) -> Sweep:
        """Return what there is."""
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
        notes = [text.rstrip(".") for text in quality_warnings(self.verdict)]
        if self.stopped:
            n, left = int(self.ran.sum()), made.counts["not run"]
            notes.append(f"{self.stopped}: {n:,} columns are finished, {left:,} are not")
        undefined = self.ran & ~np.isfinite(made.figures[metric])
        if undefined.any():
            notes.append(f"{int(undefined.sum()):,} columns have no {metric}: it is not defined")
        columns = [variant.column for variant in self.variants if variant.column is not None]
        seen = sum(column.settings.fill == "same_close" for column in columns)
        if seen:
            which = f"{seen:,} column{'s' if seen > 1 else ''} with fill same_close: "
            notes.append(f"{which if seen < len(columns) else ''}{SEEN_PRICE.rstrip('.')}")
        return replace(made, warnings=tuple(notes))

    def _column(self, i: int) -> Column:
        column = self.variants[i].column
        assert column is not None
        return column


def _searching(
    work: _Work, family: Family, search: Search, metric: str
) -> Iterator[Sequence[Variant]]:
    """Yield batches of variants; the search learns what each batch gave."""
    asked = batches(search, maximize=metric not in SMALLER_IS_BETTER)
    try:
        params = next(asked)
        while True:
            batch = [family.variant(x) for x in params]
            first = len(work.variants)
            yield batch
            made = work.sweep("", (), metric, 0.0)
            params = asked.send(made.figures[metric][first:].tolist())
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
    return getattr(strategy, "__name__", Expression.__name__)


def _ignore(columns: float) -> None:
    """Show nothing."""


@contextmanager
def _progress(total: int) -> Iterator[Callable[[float], None]]:
    """Show columns done, and the time that is left, on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("columns, left:"),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweep", total=total)
        yield lambda columns: bar.advance(task, columns)
