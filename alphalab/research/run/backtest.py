"""`backtest`: push all bars through the engine, in blocks."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Unpack, overload

import msgspec
import numpy as np

from alphalab.artifact.ledger import check_ledger, counting_ledger
from alphalab.config import RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import PARAMS, Strategy
from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.blocks import BlockSource
from alphalab.data.panel.history import History
from alphalab.data.panel.labelled import series_by_label
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError
from alphalab.research.results.provenance import Gate, accepted, quality_warnings
from alphalab.research.results.result import Result
from alphalab.research.results.summary import Summary
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.count import count_backtest
from alphalab.research.run.options import BacktestOptions, RunOptions, run_settings
from alphalab.research.run.progress import progress_bar
from alphalab.research.run.streaming import run_scan
from alphalab.research.run.warnings import warnings_of
from alphalab.types import FloatArray


@overload
def backtest(strategy: Strategy, bars: Bars, **options: Unpack[BacktestOptions]) -> Result: ...


@overload
def backtest(
    strategy: Strategy, bars: BlockSource, **options: Unpack[BacktestOptions]
) -> Summary: ...


def backtest(
    strategy: Strategy,
    bars: Bars | BlockSource,
    *,
    block_rows: int | None = None,
    benchmark: Any = None,
    progress: bool = False,
    quality: OnErrors | QualitySettings = "refuse",
    start: Instant | None = None,
    **options: Unpack[RunOptions],
) -> Result | Summary:
    """Backtest a strategy.

    Parameters
    ----------
    strategy : Strategy
    bars : Bars or Scan
        All rows in memory, or in a store, from which they are read block by block.
    block_rows : int, optional
        Rows pushed at a time. It changes the speed only.
    benchmark : pandas.Series, a table with a time column, or ndarray of shape (T,), optional
        A close series to compare with. What has times is put in place by them, and refused where
        one does not fit; an array is in the order of the rows. Not given: the assets, equally
        weighted.
    progress : bool
        Show a progress bar on stderr.
    quality : {"refuse", "accept", "unchecked"} or QualitySettings
        The reaction to data in which a quick check finds errors, such as an unadjusted split. The
        result reports the verdict in any case.
    start : str, date, datetime or datetime64, optional
        The first row that is traded is the first one from here on. The expressions see the earlier
        rows without trading in them, and the result holds the rows that were traded. The memory of
        a `decide` begins at zeros there.
    **options : RunOptions
        Settings of the run:

        - cash (float): cash at the start, quote currency; 100,000 unless given;
        - costs (`Costs`): else the fees of the instruments, and nothing else;
        - fill: where a market order decided at row t trades, "next_open" (unless given),
          "next_close" or "same_close";
        - limits, rebalance, exits, entry: else as set by the strategy's class, else `Limits()`,
          `Rebalance.on_change()`, no protective orders, and entries by market orders;
        - execution (`Execution`): the path inside a bar, the largest share of its volume to fill,
          the delay of orders;
        - margin (`Margin`): else a cash account;
        - financing (`Financing`): else borrowing costs nothing and cash earns nothing;
        - actions: how the columns ``split`` and ``dividend`` are applied, "none" (unless given),
          "cash" or "reinvest"; fractions: what a split that leaves a fraction of a lot does with
          it, "kept" (unless given) or "paid";
        - sizing: how a target's sale is sized, "by_value" (unless given) or "at_fill";
        - holdings (mapping of symbol to `Holding`): what is held before the first row;
        - currency (str): quote currency of the account; else the one that all assets share;
        - conversions (mapping): the column with the value of each other currency in the quote
          currency.

    Returns
    -------
    Result
        Over bars. Over a scan a `Summary`: metrics, digest, and sampled equity.

    Raises
    ------
    RefusedError
        Data with errors that are not accepted.
    AlphalabError
        A strategy, a setting or data that break a rule.

    Examples
    --------
    >>> import alphalab as al
    >>> class Hold(al.Strategy):
    ...     def weights(self):
    ...         return al.where(al.close > 0, 1.0, 0.0)
    >>> result = backtest(Hold(), al.load("sp500"), cash=10_000)
    >>> len(result.fills)
    1
    >>> backtest(Hold(), al.load("sp500"), start="2018-01-01").n_warm
    4780
    """
    refuse_swapped("backtest", strategy, bars)
    if not isinstance(strategy, Strategy):
        name = getattr(strategy, "__name__", type(strategy).__name__)
        raise ParameterError(
            f"backtest({name}, ...)",
            rule="it takes a strategy with its parameters.",
            fix=f"Write {name}().",
        )
    if not isinstance(bars, Bars | BlockSource):
        raise ParameterError(
            f"backtest(..., {type(bars).__name__})",
            rule="it takes bars, or a scan of a store.",
            fix="Make them with al.load(name or path) or al.Bars.from_frame(frame).",
        )
    benchmark = _checked_benchmark(benchmark, bars)
    if not (block_rows is None or (isinstance(block_rows, int | np.integer) and block_rows >= 1)):
        raise ParameterError(
            f"block_rows={block_rows!r}", rule="block_rows is an integer of at least 1."
        )
    capacity = None if block_rows is None else min(int(block_rows), bars.n_rows)
    settings = run_settings(strategy, options)
    check_ledger()
    if isinstance(bars, BlockSource):
        if start is not None:
            raise ParameterError(
                f"backtest(scan, start={start})",
                rule="a scan begins where it was made to begin.",
                fix="Give the start to al.scan(...).",
            )
        gate = Gate.of(quality)
        with progress_bar("backtest", bars.n_rows, "rows", shown=progress) as advance:
            kept = run_scan(
                *(strategy, bars, settings),
                gate=gate,
                capacity=capacity,
                ledger=counting_ledger(),
                advance=advance,
            )
        return count_backtest(strategy, kept, data=bars.version)
    verdict = accepted(bars, quality, actions=settings.actions)
    history = History.of(bars, start)
    result = run(
        *(strategy, history, settings),
        verdict=verdict,
        capacity=capacity,
        benchmark=None if benchmark is None else benchmark[history.n_warm :],
        progress=progress,
        ledger=counting_ledger(),
    )
    return count_backtest(strategy, result, data=bars.id)


def run(
    strategy: Strategy,
    history: History,
    settings: RunSettings,
    *,
    verdict: Verdict | None = None,
    capacity: int | None = None,
    benchmark: FloatArray | None = None,
    progress: bool = False,
    ledger: str = "",
) -> Result:
    """Backtest a strategy with complete settings, on data that has passed the quality gate."""
    started = clock.perf_counter()
    bars = history.traded
    engine = engine_of(strategy, history, settings, capacity)
    block = _push(engine, bars, progress)
    return result_of(
        engine,
        bars,
        block,
        seconds=clock.perf_counter() - started,
        benchmark=benchmark,
        verdict=verdict,
        rerun=partial(run, strategy, history, verdict=verdict, capacity=capacity),
        before=history.before,
        ledger=ledger,
    )


def engine_of(
    strategy: Strategy, history: History, settings: RunSettings, capacity: int | None = None
) -> Engine:
    """Return an engine whose expressions have seen the rows before the first one to trade."""
    bars = history.traded
    changes = bars.instrument_changes
    engine = Engine(strategy, bars.instruments, settings, changes=changes, capacity=capacity)
    before = history.before
    if before is not None:
        engine.warm({name: before[name] for name in engine.plan.columns}, before.time)
    return engine


def result_of(
    engine: Engine,
    bars: Bars,
    block: Block,
    *,
    seconds: float,
    benchmark: FloatArray | None,
    verdict: Verdict | None,
    rerun: Callable[..., Result],
    before: Bars | None = None,
    ledger: str = "",
) -> Result:
    """Return the result of rows that were pushed; `rerun` runs them with other settings."""
    strategy = engine.strategy
    return Result(
        strategy=type(strategy).__name__,
        params=msgspec.structs.asdict(strategy),
        expressions={
            name: str(expr)
            for name, expr in engine.expressions.items()
            if not name.startswith(PARAMS)
        },
        settings=engine.settings,
        bars=bars,
        record=block,
        warnings=(*quality_warnings(verdict), *warnings_of(engine, bars, block, before)),
        seconds=seconds,
        benchmark=None if benchmark is None else np.asarray(benchmark, np.float64),
        quality=verdict,
        rerun=rerun,
        before=before,
        ledger=ledger,
    )


def _checked_benchmark(given: Any, bars: Bars | BlockSource) -> FloatArray | None:
    """Return the closes of a benchmark, (T,)."""
    if given is None:
        return None
    if isinstance(bars, BlockSource):
        raise ParameterError(
            "backtest(scan, benchmark=...)",
            rule="a scan keeps no rows to compare with a benchmark.",
            fix="Leave the benchmark out, or load the bars: al.load(...).",
        )
    closes = series_by_label(given, "benchmark", bars.time)
    if np.shape(closes) != (bars.n_rows,):
        raise ParameterError(
            f"backtest(benchmark={type(given).__name__} of shape {np.shape(closes)})",
            rule=f"a benchmark is one series of closes, one for each of the {bars.n_rows} rows.",
        )
    return np.asarray(closes, np.float64)


def joined(blocks: Sequence[Block]) -> Block:
    """Return consecutive blocks as one."""
    return Block(*(np.concatenate(field) for field in zip(*blocks, strict=True)))


def _push(engine: Engine, bars: Bars, progress: bool) -> Block:
    """Push all rows; with progress in parts of at least 1 % so that a bar can move."""
    if not progress:
        return engine.push(bars.time, bars.columns)
    size = max(engine.capacity, bars.n_rows // 100)
    parts: list[Block] = []
    with progress_bar("backtest", bars.n_rows, "rows", shown=True) as advance:
        for i in range(0, bars.n_rows, size):
            rows = slice(i, i + size)
            parts.append(
                engine.push(bars.time[rows], {name: x[rows] for name, x in bars.columns.items()})
            )
            advance(parts[-1].ledger.size)
    return joined(parts)
