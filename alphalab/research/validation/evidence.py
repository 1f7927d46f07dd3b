"""Everything a validation looks at, computed from one strategy on one data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from alphalab.config import Costs, RunSettings
from alphalab.core.engine import Block
from alphalab.core.strategy import Strategy
from alphalab.data.panel.history import History
from alphalab.errors import DataError
from alphalab.research.results import metrics
from alphalab.research.results.overfitting import Clusters, Pbo, clusters_of, pbo
from alphalab.research.results.result import Result
from alphalab.research.results.segments import (
    N_SEGMENTS,
    ROUNDING,
    SegmentSums,
    segment_sums,
)
from alphalab.research.results.sharpe_ratio import Moments
from alphalab.research.run.backtest import run
from alphalab.research.validation.capacity import Capacity, capacity
from alphalab.research.validation.causality import check_causality
from alphalab.research.validation.cpcv_paths import cpcv_paths
from alphalab.research.validation.leaks import Causality
from alphalab.research.validation.periods import Period, by_volatility, by_year
from alphalab.research.validation.resampling import (
    Interval,
    Superiority,
    bootstrap_interval,
    superiority,
)
from alphalab.research.validation.stress import (
    Outcome,
    outcome_of,
    parameter_cases,
    setting_cases,
    stress,
)
from alphalab.research.validation.trade_order import TradeOrder, shuffled_trades
from alphalab.research.validation.warm_up import Certificate, certify_warmup
from alphalab.types import FloatArray, Records

#: Rows whose standard deviation is a bar's volatility.
_VOLATILITY_ROWS = 20

Watch = Callable[[str], None]
_Found = TypeVar("_Found")
STEPS = ("causality", "warm-up", "neighbours", "stress", "resampling", "periods and capacity")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a validation found; what could not be computed is a sentence that says why.

    Attributes
    ----------
    strategy : Strategy
    history : History
        The rows that were seen, and from which on was traded.
    result : Result
        The backtest that is validated.
    causality : Causality
    warm_up : Certificate or str
    labels : tuple of str
        Columns of `returns`: the strategy as it is, then its parameter neighbours.
    returns : ndarray of shape (T, 1 + K)
        Their returns.
    stress : tuple of Outcome
        All stress runs, those of the neighbours last.
    interval : Interval
        Bootstrap interval of the annualised Sharpe ratio.
    superiority : Superiority
        Of the columns against cash.
    trade_order : TradeOrder or str
    years, regimes : tuple of Period
    cost_bps : float
        Fees, half the spread and slippage, basis points of the traded value.
    capacity : Capacity or str
    """

    strategy: Strategy
    history: History
    result: Result
    causality: Causality
    warm_up: Certificate | str
    labels: tuple[str, ...]
    returns: FloatArray
    stress: tuple[Outcome, ...]
    interval: Interval
    superiority: Superiority
    trade_order: TradeOrder | str
    years: tuple[Period, ...]
    regimes: tuple[Period, ...]
    cost_bps: float
    capacity: Capacity | str

    @property
    def year(self) -> float:
        """Rows a year holds."""
        return self.result.periods_per_year

    @cached_property
    def moments(self) -> Moments:
        """Of the returns that are validated, per row."""
        return Moments.of(self.result.row_returns)

    @cached_property
    def sums(self) -> SegmentSums:
        """Segment sums of the columns."""
        return segment_sums(self.returns, N_SEGMENTS)

    @property
    def has_neighbours(self) -> bool:
        """True if there is more than one column."""
        return len(self.labels) > 1

    @cached_property
    def pbo(self) -> Pbo | None:
        """Of choosing between the columns; None for a single one."""
        return pbo(self.sums) if self.has_neighbours else None

    @cached_property
    def clusters(self) -> Clusters | None:
        """Of the columns; None for a single one."""
        return clusters_of(self.sums) if self.has_neighbours else None

    @cached_property
    def paths(self) -> FloatArray | None:
        """Annualised Sharpe ratios of the paths of cross-validation; None for a single column."""
        return cpcv_paths(self.sums) * np.sqrt(self.year) if self.has_neighbours else None


def run_validated(strategy: Strategy, history: History, settings: RunSettings) -> Result:
    """Run the backtest that is validated, and refuse one of which no figure can be made.

    Raises
    ------
    DataError
        Too few rows, or returns that are all equal or end in ruin.
    """
    result = run(strategy, history, settings)
    if not result.periods_per_year > 0:
        raise DataError(
            f"{result.bars.n_rows} rows that do not say how many make a year",
            rule="a validation annualises.",
            fix="Give the bars their periods_per_year.",
        )
    Moments.of(result.row_returns)
    return result


def gather(
    strategy: Strategy, history: History, result: Result, *, seed: int, watch: Watch
) -> Evidence:
    """Run every check on a strategy and its backtest.

    `watch` is called with the name of each step of `STEPS` before it.

    Raises
    ------
    DataError
        Too few rows for the statistics.
    """
    bars, settings, year = result.bars, result.settings, result.periods_per_year
    watch(STEPS[0])
    start = np.datetime64(int(bars.time[0]), "ns")
    causality = check_causality(
        strategy, history.bars, start=start, seed=seed, **_options(settings)
    )
    watch(STEPS[1])
    warm_up = _or_why(lambda: certify_warmup(strategy, history.bars, seed=seed))
    watch(STEPS[2])
    labels, columns, near = ["as given"], [result.row_returns], []
    for case in parameter_cases(strategy, history, settings):
        neighbour = run(case.strategy, case.history, case.settings)
        near.append(outcome_of(case, neighbour))
        if np.ptp(neighbour.row_returns) > ROUNDING:  # NaN, or no trade: no column
            labels.append(case.label)
            columns.append(neighbour.row_returns)
    returns = np.stack(columns, axis=1)
    watch(STEPS[3])
    cases = stress(setting_cases(strategy, history, settings))
    watch(STEPS[4])
    interval = bootstrap_interval(
        result.row_returns, lambda sample: metrics.sharpe(sample, year), seed=seed
    )
    superior = superiority(returns, seed=seed)
    trades = _or_why(lambda: shuffled_trades(_trade_returns(result), seed=seed))
    watch(STEPS[5])
    return Evidence(
        strategy=strategy,
        history=history,
        result=result,
        causality=causality,
        warm_up=warm_up,
        labels=tuple(labels),
        returns=returns,
        stress=(*cases, *near),
        interval=interval,
        superiority=superior,
        trade_order=trades,
        years=by_year(bars.time, result.row_returns, year),
        regimes=by_volatility(result.benchmark_returns, result.row_returns, year),
        cost_bps=_cost_bps(result.record, settings.costs),
        capacity=_or_why(lambda: _capacity(result, result.record.fills)),
    )


def _or_why(compute: Callable[[], _Found]) -> _Found | str:
    try:
        return compute()
    except DataError as error:
        return f"{error.what}: {error.rule}"


def _options(settings: RunSettings) -> Any:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def _trade_returns(result: Result) -> FloatArray:
    """Return the profit of each closed round trip as a fraction of the equity before it."""
    trips = result.round_trips
    closed = trips[trips["closed"]]
    before = result.equity_path[closed["entry_row"]]
    return np.asarray(closed["pnl"] / before)


def _cost_bps(block: Block, costs: Costs) -> float:
    turnover = float(block.ledger["turnover"][-1])
    if not turnover > 0:
        return math.nan
    fees = float(block.ledger["fees"][-1]) / turnover * 1e4
    return fees + costs.spread_bps / 2 + costs.slippage_bps


def _capacity(result: Result, fills: Records) -> Capacity:
    """Return the capacity from the fills, the traded value and the volatility of their bars."""
    bars, cash = result.bars, result.settings.cash
    row, asset = fills["row"], fills["asset"]
    rate = result.rates[row, asset]
    traded = np.abs(fills["qty"]) * result.assets.unit(fills["price"], rate, asset)
    volume = bars.volume[row, asset] * result.assets.unit(bars.close[row, asset], rate, asset)
    spread = _rolling_deviation(result.marks)[row, asset]
    profit = float(result.equity_path[-1] - cash)
    return capacity(traded, volume, spread, profit=profit, cash=cash)


def _rolling_deviation(marks: FloatArray) -> FloatArray:
    """Return the standard deviation of the last rows' returns, (T, N).

    In an asset's first rows, where there are too few of them, it is that of its first full window;
    NaN for assets without one.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = marks[1:] / marks[:-1] - 1.0
    spread = np.full(marks.shape, np.nan)
    if len(returns) < _VOLATILITY_ROWS:
        return spread
    windows = np.lib.stride_tricks.sliding_window_view(returns, _VOLATILITY_ROWS, axis=0)
    spread[_VOLATILITY_ROWS:] = windows.std(axis=-1, ddof=1)
    for column in spread.T:
        known = np.flatnonzero(np.isfinite(column))
        if known.size:
            column[: known[0]] = column[known[0]]
    return spread
