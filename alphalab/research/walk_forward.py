"""`walk_forward`: choose parameters on the past, trade them on what comes next, and so on."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import msgspec

from alphalab.config import RunSettings
from alphalab.core.engine import Engine
from alphalab.core.strategy import Strategy
from alphalab.data.bars import Bars
from alphalab.data.times import iso, parse_duration
from alphalab.errors import ParameterError, StateError
from alphalab.research import metrics
from alphalab.research.backtest import joined, result_of
from alphalab.research.options import RunOptions, run_settings
from alphalab.research.result import Result
from alphalab.research.search import Search
from alphalab.research.sweep import sweep
from alphalab.research.sweeps import Sweep
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


class Fold(NamedTuple):
    """Rows that parameters are chosen on, and rows that they trade: first, and one after last."""

    train: tuple[int, int]
    test: tuple[int, int]


@dataclass(frozen=True, repr=False)
class WalkForward:
    """What a walk-forward gave.

    Attributes
    ----------
    bars : Bars
    folds : tuple of Fold
        Rows of the bars.
    sweeps : tuple of Sweep
        What each choice was made from: its `best` was traded.
    result : Result
        All rows out of sample, as one run of one account.
    """

    bars: Bars
    folds: tuple[Fold, ...]
    sweeps: tuple[Sweep, ...]
    result: Result

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each fold: its times, what was chosen, and figures in and out of sample.

        ``train_`` and ``test_`` are total return, annualised Sharpe ratio and largest drawdown;
        out of sample, of the fold's rows of the one account.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "train_start": self._time(fold.train[0]),
                    "train_end": self._time(fold.train[1] - 1),
                    "test_start": self._time(fold.test[0]),
                    "test_end": self._time(fold.test[1] - 1),
                    **found.variants[found.best].params,
                    **{f"train_{name}": found.figures[name][found.best] for name in _FIGURES},
                    **{f"test_{name}": x for name, x in self._out_of_sample(fold).items()},
                }
                for fold, found in zip(self.folds, self.sweeps, strict=True)
            ],
            index=pd.RangeIndex(len(self.folds), name="fold"),
        )

    @property
    def efficiency(self) -> float:
        """Annual return out of sample over the mean annual return of the choices in sample.

        Pardo (2008), The Evaluation and Optimization of Trading Strategies, chapter 11. NaN where
        the choices did not gain in sample.
        """
        chosen = [found.figures["annual_return"][found.best] for found in self.sweeps]
        mean = sum(chosen) / len(chosen)
        return self.result.metrics["annual_return"] / mean if mean > 0 else float("nan")

    def plot(self) -> go.Figure:
        """Return the figure of the result, with a line where each fold begins."""
        figure = self.result.plot()
        for fold in self.folds[1:]:
            figure.add_vline(
                x=iso(int(self.bars.time[fold.test[0]])), line_width=1, line_dash="dot"
            )
        return figure

    def __repr__(self) -> str:
        """Return the headline on one line."""
        result = self.result
        return (
            f"<WalkForward {result.strategy}: {len(self.folds)} folds, out of sample "
            f"{result.bars.start[:10]} to {result.bars.end[:10]}, sharpe "
            f"{result.metrics['sharpe']:.3f}, efficiency {self.efficiency:.2f}>"
        )

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


_FIGURES = ("total_return", "sharpe", "max_drawdown")


def walk_forward(
    strategy: type[Strategy] | Strategy,
    bars: Bars,
    space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Search,
    *,
    train: int | str,
    test: int | str,
    anchored: bool = False,
    gap: int = 0,
    metric: str = "sharpe",
    n_jobs: int | None = None,
    progress: bool = False,
    **options: Unpack[RunOptions],
) -> WalkForward:
    """Choose parameters on past rows by a sweep, trade them on the next rows, and so on.

    What is traded is one account from the first row out of sample to the last. Where a choice ends
    the next one takes the account over as it is, with its positions and waiting orders: nothing is
    sold and bought back for free. Nothing else passes from one choice to the next: indicators have
    seen every row before, but no later one, and the memory of a `decide` begins at zeros.

    Parameters
    ----------
    strategy : Strategy class or Strategy
    bars : Bars
    space : mapping, sequence of mappings, or Search
        What to choose from, as in `alphalab.sweep`; parameters of the strategy only.
    train, test : int or str
        Length of a choice and of its use: rows, or a time such as ``"365d"`` or ``"12h"``.
    anchored : bool
        Whether every choice sees all rows from the first on; else only the last `train`.
    gap : int
        Rows between a choice and its use that are neither.
    metric : str
        The figure to choose by.
    n_jobs, progress
        As in `alphalab.sweep`.
    **options : RunOptions
        How all are run: the keywords of `alphalab.backtest`.

    Returns
    -------
    WalkForward

    Raises
    ------
    ParameterError
        Lengths that leave no fold, or a space that varies settings.
    StateError
        Rows to choose on in which no column has the metric.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> grid = {"fast": range(5, 25, 5), "slow": range(30, 110, 20)}
    >>> walk = walk_forward(
    ...     load_strategy("sma_cross"), al.load("sp500"), grid, train="1500d", test="500d"
    ... )
    >>> walk
    <WalkForward SmaCross: 12 folds, out of sample 2003-02-12 to 2018-12-31, sharpe 0.265, ...>
    >>> walk.table[["test_start", "fast", "slow"]].iloc[0].astype(str).tolist()
    ['2003-02-12 21:00:00+00:00', '5', '30']
    """
    started = clock.perf_counter()
    folds = tuple(_folds(bars, train, test, anchored, gap))
    sweeps, strategies = [], []
    for i, fold in enumerate(folds):
        rows = bars.rows(*fold.train)
        found = sweep(
            strategy, rows, space, metric=metric, n_jobs=n_jobs, progress=progress, **options
        )
        if found.stopped == "interrupted":
            raise KeyboardInterrupt
        if settings := [name for name in found.names if name not in _parameters(strategy)]:
            raise ParameterError(
                f"walk_forward over {', '.join(settings)}",
                rule="one account has one set of settings: choices are between parameters.",
                fix="Make it a parameter of the strategy, or walk once for each value.",
            )
        try:
            chosen = found.variants[found.best].strategy
        except StateError as error:
            error.add_note(f"in fold {i + 1} of {len(folds)}, {rows.start} to {rows.end}")
            raise
        assert chosen is not None  # the best one was run
        sweeps.append(found)
        strategies.append(chosen)
    trade = partial(_trade, strategies, bars, folds, started)
    outside = bars.rows(folds[0].test[0], folds[-1].test[1])
    return WalkForward(bars, folds, tuple(sweeps), trade(outside, run_settings(strategy, options)))


def _parameters(strategy: type[Strategy] | Strategy) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(strategy))


def _trade(
    strategies: Sequence[Strategy],
    bars: Bars,
    folds: Sequence[Fold],
    started: float,
    outside: Bars,
    settings: RunSettings,
    *,
    benchmark: FloatArray | None = None,
) -> Result:
    """Trade each strategy on its rows, all with one account."""
    blocks = []
    before: Engine | None = None
    for strategy, fold in zip(strategies, folds, strict=True):
        engine = Engine(strategy, bars.instruments, settings)
        engine.warm({name: bars.columns[name][: fold.test[0]] for name in engine.plan.columns})
        if before is not None:
            engine.take_over(before)
        rows = slice(*fold.test)
        blocks.append(engine.push(bars.time[rows], {k: x[rows] for k, x in bars.columns.items()}))
        before = engine
    assert before is not None  # there is a fold
    return result_of(
        before,
        outside,
        joined(blocks),
        seconds=clock.perf_counter() - started,
        benchmark=benchmark,
        again=partial(_trade, strategies, bars, folds, clock.perf_counter()),
    )


def _folds(
    bars: Bars, train: int | str, test: int | str, anchored: bool, gap: int
) -> Iterator[Fold]:
    """Yield folds whose test rows follow each other to the end of the bars."""
    if not isinstance(gap, int) or gap < 0:
        raise ParameterError(f"gap={gap!r}", rule="gap is a number of rows, at least 0.")
    first = 0
    trained = _after(bars, first, train, "train")
    if trained + gap >= bars.n_rows:
        raise ParameterError(
            f"walk_forward(train={train!r}, gap={gap}) on {bars.n_rows:,} rows",
            rule="there are rows after the first choice.",
            fix="Choose on fewer rows, or take more data.",
        )
    while trained + gap < bars.n_rows:
        start = trained + gap
        end = min(_after(bars, start, test, "test"), bars.n_rows)
        yield Fold((0 if anchored else first, trained), (start, end))
        first, trained = first + end - start, trained + end - start


def _after(bars: Bars, row: int, length: int | str, name: str) -> int:
    """Return the first row that lies a length after a row."""
    if isinstance(length, str):
        until = int(bars.time[row]) + parse_duration(length)
        return int(bars.time.searchsorted(until))
    if not isinstance(length, int) or isinstance(length, bool) or length < 1:
        raise ParameterError(
            f"{name}={length!r}",
            rule=f"{name} is a number of rows, at least 1, or a time such as '365d'.",
        )
    return row + length
