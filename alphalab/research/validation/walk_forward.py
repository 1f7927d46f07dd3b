"""`walk_forward`: choose parameters on past rows, trade them on the next rows, and repeat."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Unpack

import msgspec
import numpy as np

from alphalab.artifact.ledger import check_ledger, counting_ledger, uncounted
from alphalab.config import RunSettings
from alphalab.core.engine import Engine
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import Instant, iso
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError, StateError
from alphalab.expr.nodes import Expr
from alphalab.research.pages.style import MUTED
from alphalab.research.results import metrics
from alphalab.research.results.provenance import accepted
from alphalab.research.results.result import Result
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.backtest import joined, result_of
from alphalab.research.run.options import RunOptions, run_settings
from alphalab.research.run.progress import progress_bar
from alphalab.research.sweep.combinations import MAX_COLUMNS, combinations
from alphalab.research.sweep.outcome import Stop, StoppedWarning
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.run import sweep
from alphalab.research.sweep.search import Search
from alphalab.research.sweep.variants import Family, swept_fields
from alphalab.research.validation.count import count_walk_forward
from alphalab.research.validation.splits import Fold, make_folds
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_FIGURES = ("total_return", "sharpe", "max_drawdown")


@dataclass(frozen=True, eq=False, repr=False)
class WalkForward:
    """The folds of a walk-forward, the sweep of each, and the result out of sample.

    Attributes
    ----------
    history : History
        The rows that the expressions saw; those from `start` on are `bars`.
    folds : tuple of Fold
        Training and test rows of `bars`.
    sweeps : tuple of Sweep
        One sweep for each fold; its `best` was traded.
    result : Result
        All rows out of sample, as one run of one account. A parameter that differs between folds is
        a list with one value for each fold.
    stopped : Stop, optional
        Why it ends before the bars do. None: it does not.
    """

    history: History
    folds: tuple[Fold, ...]
    sweeps: tuple[Sweep, ...]
    result: Result
    stopped: Stop | None = None

    @property
    def bars(self) -> Bars:
        """The rows that were trained on and traded."""
        return self.history.traded

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each fold: its times, the chosen values, and metrics in and out of sample.

        ``train_`` and ``test_`` are total return, annualised Sharpe ratio and largest drawdown; out
        of sample, of the account over the fold's test rows. In sample there is also the metric of
        the sweep.
        """
        import pandas as pd

        names = dict.fromkeys((*_FIGURES, self.sweeps[0].metric))
        return pd.DataFrame(
            [
                {
                    "train_start": self._time(fold.train[0]),
                    "train_end": self._time(fold.train[1] - 1),
                    "test_start": self._time(fold.test[0]),
                    "test_end": self._time(fold.test[1] - 1),
                    **found.variants[found.best].params,
                    **{f"train_{name}": found.metrics[name][found.best] for name in names},
                    **{f"test_{name}": x for name, x in self._out_of_sample(fold).items()},
                }
                for fold, found in zip(self.folds, self.sweeps, strict=True)
            ],
            index=pd.RangeIndex(len(self.folds), name="fold"),
        )

    @property
    def efficiency(self) -> float:
        """Annual return out of sample over the mean annual return of the choices in sample.

        Pardo (2008), The Evaluation and Optimization of Trading Strategies, chapter 11. NaN if the
        mean in sample is not positive.
        """
        chosen = [found.metrics["annual_return"][found.best] for found in self.sweeps]
        mean = sum(chosen) / len(chosen)
        return float(self.result.metrics["annual_return"] / mean) if mean > 0 else float("nan")

    def plot(self) -> go.Figure:
        """Return the figure of the result, with a line at the first test row of each fold."""
        figure = self.result.plot()
        line = {"color": MUTED, "width": 1, "dash": "dot"}
        for fold in self.folds[1:]:
            at = iso(int(self.bars.time[fold.test[0]]))
            figure.add_vline(x=at, line=line, layer="below")
        return figure

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(repr(self)[1:-1])}</b>{self.table.to_html()}</div>"

    def __repr__(self) -> str:
        """Return the headline on one line."""
        result = self.result
        text = (
            f"<WalkForward {result.strategy}: {len(self.folds)} folds, out of sample "
            f"{result.bars.start[:10]} to {result.bars.end[:10]}, sharpe "
            f"{result.metrics['sharpe']:.3f}, efficiency {self.efficiency:.2f}"
        )
        return f"{text}, {self.stopped}>" if self.stopped else f"{text}>"

    def _time(self, row: int) -> pd.Timestamp:
        import pandas as pd

        return pd.Timestamp(int(self.bars.time[row]), tz="UTC")

    def _out_of_sample(self, fold: Fold) -> dict[str, float]:
        first = self.folds[0].test[0]
        equity = self.result.equity_path[fold.test[0] - first : fold.test[1] - first + 1]
        year = self.result.periods_per_year
        return {
            "total_return": metrics.total_return(equity),
            "sharpe": metrics.sharpe(metrics.row_returns(equity), year),
            "max_drawdown": metrics.max_drawdown(equity),
        }


def walk_forward(
    strategy: type[Strategy] | Strategy | Sequence[Expr | str],
    bars: Bars,
    space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Search | None = None,
    *,
    train: int | str,
    test: int | str,
    anchored: bool = False,
    gap: int = 0,
    metric: str = "sharpe",
    max_columns: int = MAX_COLUMNS,
    n_jobs: int | None = None,
    progress: bool = False,
    quality: OnErrors | QualitySettings = "refuse",
    start: Instant | None = None,
    **options: Unpack[RunOptions],
) -> WalkForward:
    """Choose parameters on past rows by a sweep, trade them on the next rows, and repeat.

    One account trades from the first row out of sample to the last. At the end of a fold the next
    choice takes over the account with its positions and open orders: nothing is sold and bought
    back. Nothing else is carried over: in training and in test rows indicators have seen every
    earlier row and no later one, and the memory of a `decide` begins at zeros.

    Parameters
    ----------
    strategy : Strategy class, Strategy, or sequence of Expr and str
        As in `alphalab.sweep`; one of the expressions is chosen in each fold.
    bars : Bars
    space : mapping, sequence of mappings, Search, or None
        The variants to choose from, as in `alphalab.sweep`; parameters of the strategy only. A
        search begins anew in every fold.
    train, test : int or str
        Length of training and test rows: rows, or a duration such as ``"365d"`` or ``"12h"``. The
        last test rows end with the bars, and may be fewer.
    anchored : bool
        True: train on all rows from the first on. False: on the last `train` only.
    gap : int
        Rows between training and test rows that are in neither.
    metric : str
        The metric that decides the choice.
    max_columns, n_jobs
        As in `alphalab.sweep`.
    progress : bool
        Show a progress bar on stderr: folds.
    quality : {"refuse", "accept", "unchecked"} or QualitySettings
        The reaction to data with errors, as in `alphalab.backtest`; all rows are checked at once.
    start : str, date, datetime or datetime64, optional
        The first training row is the first one from here on; the expressions see the earlier rows.
    **options : RunOptions
        Settings of all runs: the keywords of `alphalab.backtest`.

    Returns
    -------
    WalkForward
        After Ctrl-C: with the finished folds, if there are any, and a `StoppedWarning`.

    Raises
    ------
    ParameterError
        Lengths that leave no fold, or a space that varies settings.
    StateError
        A fold in which no column has the metric.
    AlphalabError
        As in `alphalab.sweep`.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> grid = {"fast": range(5, 25, 5), "slow": range(30, 110, 20)}
    >>> walk = walk_forward(
    ...     load_strategy("sma_cross"), al.load("sp500"), grid, train="1500d", test="500d"
    ... )
    >>> walk
    <WalkForward SmaCross: 12 folds, out of sample 2003-02-12 to 2018-12-31, sharpe 0.483, ...>
    >>> walk.table[["test_start", "fast", "slow"]].iloc[0].astype(str).tolist()
    ['2003-02-12 21:00:00+00:00', '5', '30']
    """
    refuse_swapped("walk_forward", strategy, bars)
    if not isinstance(bars, Bars):
        raise ParameterError(
            f"walk_forward(..., {type(bars).__name__})",
            rule="it takes bars.",
            fix="Make them with al.load(name or path) or al.Bars.from_frame(frame).",
        )
    verdict = accepted(bars, quality, actions=options.get("actions", "none"))
    check_ledger()
    history = History.of(bars, start)
    traded = history.traded
    folds = tuple(make_folds(traded, train, test, anchored, gap))
    strategy, space, settings = _prepared(strategy, traded, space, options, max_columns)
    sweeps: list[Sweep] = []
    chosen: list[Strategy] = []
    stopped: Stop | None = None
    with progress_bar("walk_forward", len(folds), "folds", shown=progress) as advance:
        for fold in folds:
            found = _sweep_of(
                *(strategy, bars.rows(0, history.n_warm + fold.train[1]), space),
                start=np.datetime64(int(traded.time[fold.train[0]]), "ns"),
                metric=metric,
                max_columns=max_columns,
                n_jobs=n_jobs,
                quality=verdict or "unchecked",
                **options,
            )
            if found.stopped is not None:
                text = f"{found.stopped} after {len(sweeps)} of {len(folds)} folds"
                stopped = Stop(found.stopped.code, text)
                break
            if sweeps and not isinstance(space, Search):
                found = replace(found, variants=sweeps[0].variants)  # equal ones: share them
            sweeps.append(found)
            chosen.append(_chosen(found, f"fold {len(sweeps)} of {len(folds)}"))
            advance(1)
    if not sweeps:
        raise KeyboardInterrupt
    if stopped is not None:
        warnings.warn(stopped.text, StoppedWarning, stacklevel=2)
        folds = folds[: len(sweeps)]
    result = _trade(chosen, history, folds, settings, verdict=verdict, ledger=counting_ledger())
    counted = count_walk_forward(sweeps, history, result)
    return WalkForward(history, folds, tuple(sweeps), counted, stopped)


def _sweep_of(strategy: Any, rows: Bars, space: Any, **keywords: Any) -> Sweep:
    """Sweep the training rows of a fold, without a warning if it is stopped."""
    space = deepcopy(space) if isinstance(space, Search) else space  # a sampler has state
    with uncounted(), warnings.catch_warnings():  # the walk is counted as one trial
        warnings.simplefilter("ignore", StoppedWarning)  # walk_forward warns
        return sweep(strategy, rows, space, **keywords)


def _prepared(
    strategy: Any, bars: Bars, space: Any, options: RunOptions, max_columns: int
) -> tuple[Any, Any, RunSettings]:
    """Return strategy and space in a form that can be iterated again, and the settings."""
    names: tuple[str, ...] = ()
    if isinstance(space, Search):
        names = tuple(space.space)
        if space.study is not None:
            raise ParameterError(
                "walk_forward with a study",
                rule="every fold is searched anew, and a study holds the trials of other rows.",
                fix="Give al.Search a sampler in place of the study.",
            )
    elif space is not None:
        names, rows = combinations(space, max_columns)
        space = [dict(zip(names, row, strict=True)) for row in rows]
    cls: type[Strategy] = ExprStrategy
    if isinstance(strategy, Iterable) and not isinstance(strategy, str | Mapping):
        strategy = list(strategy)
    else:
        Family(strategy, names, options, bars.instruments)  # checks the strategy and the names
        cls = strategy if isinstance(strategy, type) else type(strategy)
    if other := [name for name in names if name not in swept_fields(cls)]:
        raise ParameterError(
            f"walk_forward over {', '.join(other)}",
            rule="one account has one set of settings, so only parameters are chosen.",
            fix="Make it a parameter of the strategy, or run walk_forward once for each value.",
        )
    return strategy, space, run_settings(cls, options)


def _chosen(found: Sweep, where: str) -> Strategy:
    """Return the strategy of the best column of a sweep."""
    try:
        strategy = found.variants[found.best].strategy
    except StateError as error:
        bars = found.bars
        raise StateError(
            f"{where}, chosen on {bars.start} to {bars.end}: {error.what}",
            rule=error.rule,
            fix="Use more training rows, or a metric that is always defined: total_return.",
        ) from None
    assert strategy is not None  # it was run
    return strategy


def _trade(
    strategies: Sequence[Strategy],
    history: History,
    folds: Sequence[Fold],
    settings: RunSettings,
    *,
    verdict: Verdict | None = None,
    benchmark: FloatArray | None = None,
    ledger: str = "",
) -> Result:
    """Trade each strategy on its test rows, all with one account."""
    started = clock.perf_counter()
    bars = history.traded
    n_before = history.n_warm + folds[0].test[0]
    blocks = []
    before: Engine | None = None
    for strategy, fold in zip(strategies, folds, strict=True):
        engine = Engine(strategy, bars.instruments, settings, changes=bars.instrument_changes)
        seen = slice(history.n_warm + fold.test[0])
        past = {name: history.bars[name][seen] for name in engine.plan.columns}
        engine.warm(past, history.bars.time[seen])
        if before is not None:
            engine.take_over(before)
        rows = slice(*fold.test)
        blocks.append(engine.push(bars.time[rows], {k: x[rows] for k, x in bars.columns.items()}))
        before = engine
    assert before is not None  # there is a fold
    result = result_of(
        before,
        bars.rows(folds[0].test[0], folds[-1].test[1]),
        joined(blocks),
        seconds=clock.perf_counter() - started,
        benchmark=benchmark,
        verdict=verdict,
        rerun=partial(_trade, strategies, history, folds, verdict=verdict),
        before=history.bars.rows(0, n_before) if n_before else None,
        ledger=ledger,
    )
    begins = [iso(int(bars.time[fold.test[0]])) for fold in folds]
    return replace(result, params=_params(strategies), expressions=_expressions(strategies, begins))


def _params(strategies: Sequence[Strategy]) -> dict[str, Any]:
    """Return the parameters; one that differs between folds as a list."""
    values = [msgspec.structs.asdict(strategy) for strategy in strategies]
    return {
        name: first if all(x[name] == first for x in values) else [x[name] for x in values]
        for name, first in values[0].items()
    }


def _expressions(strategies: Sequence[Strategy], begins: Sequence[str]) -> dict[str, str]:
    """Return the texts of all expressions; later ones have their first time in the name."""
    texts = {name: str(expr) for name, expr in strategies[0].expressions().items()}
    for (before, strategy), begin in zip(pairwise(strategies), begins[1:], strict=True):
        if strategy != before:
            for name, expr in strategy.expressions().items():
                texts[f"{name} from {begin}"] = str(expr)
    return texts
