"""`sweep`: run many variants of a strategy on the same bars."""

from __future__ import annotations

import os
import time as clock
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Unpack

from alphalab.artifact.ledger import check_ledger
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.research.results.provenance import accepted
from alphalab.research.results.segments import N_SEGMENTS, kept_segments
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.options import RunOptions
from alphalab.research.run.progress import progress_bar
from alphalab.research.sweep.combinations import MAX_COLUMNS
from alphalab.research.sweep.count import count_sweep
from alphalab.research.sweep.outcome import Stop, StoppedWarning
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.results_file import ResultsFile, SaveError
from alphalab.research.sweep.search import Search, batches
from alphalab.research.sweep.variants import Family, Variant, variants
from alphalab.research.sweep.work import Work, stop_note


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
    start: Instant | None = None,
    n_segments: int = N_SEGMENTS,
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
    start : str, date, datetime or datetime64, optional
        The first row that is traded is the first one from here on; the expressions see the earlier
        rows, as in `alphalab.backtest`.
    n_segments : int
        Segments of equal length, 4 to 64 and even, in which each column keeps the sums that
        `Sweep.pbo` and `Sweep.deflated_sharpe` are computed from.
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
    history = History.of(bars, start)
    traded = history.traded
    kept = kept_segments(traded.n_rows, n_segments)
    check_ledger()
    with ExitStack() as stack:
        file = None
        if results is not None:
            header = {"bars": bars.id, "first traded row": str(history.n_warm)}
            file = stack.enter_context(ResultsFile(Path(results), header, n_segments=kept))
        work = Work(history, n_segments, n_jobs, file, verdict)
        if isinstance(space, Search):
            family = Family(
                _one(strategy), tuple(space.space), options, traded.instruments, tuple(bars.columns)
            )
            name, names = family.name, tuple(space.space)
            total = space.n_trials
            steps = _searching(work, family, space, metric)
        else:
            names, found = variants(
                strategy,
                space,
                options,
                traded.instruments,
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
        warnings.warn(stop_note(made), StoppedWarning, stacklevel=2)
    return made


def _searching(
    work: Work, family: Family, search: Search, metric: str
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
