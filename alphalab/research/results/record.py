"""`Run`: what a backtest recorded, and the arrays and figures that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from alphalab.config import RunSettings
from alphalab.core.engine import Block
from alphalab.core.rules import quote_currency, start_equity
from alphalab.data.clock.times import NS_DAY
from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import Verdict
from alphalab.errors import DataError, StateError
from alphalab.kernels._jit import silent
from alphalab.kernels.market.digest import N_WORDS, fold_run
from alphalab.research.results import (
    holdings,
    metrics,
    order_lives,
    round_trips,
    sensitivity,
    series,
)
from alphalab.research.results.sensitivity import PATHS, Path
from alphalab.research.results.tally_metrics import digest_of
from alphalab.types import FILL, FloatArray, Records


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a backtest recorded, and the arrays and figures that follow from it.

    Tables, pictures, pages and exports read a run. `Result` is a run that offers them as methods.

    Parameters
    ----------
    strategy : str
        Name of the strategy.
    params : dict
        Its parameters.
    expressions : dict of str to str
        Canonical text of every expression it was compiled from.
    settings : RunSettings
    bars : Bars
        T rows of N assets.
    record : Block
        Ledger, positions, targets, fills, refusals, order events, postings and ambiguities as the
        engine recorded them.
    warnings : tuple of str
        Sentences that a reader needs before the figures.
    seconds : float
        Wall time of the run; no part of the digest.
    benchmark : ndarray of shape (T,), optional
        Closes to compare with. Not given: the assets themselves, equally weighted.
    benchmark_name : str
        Description of the benchmark for reports.
    quality : Verdict, optional
        Verdict on the data. Not given: the data was not checked.
    before : Bars, optional
        Rows before the first one that the expressions saw without trading in them.
    ledger : str
        File of the trial ledger that counted it, or ``off``. Empty: it was not counted, as a part
        of another run.
    rerun : callable, optional
        ``rerun(settings, benchmark=...)`` runs the same strategy again and returns its run.

    Raises
    ------
    DataError
        The benchmark does not have one close above 0 (NaN: unknown) for each row.
    """

    strategy: str
    params: dict[str, Any]
    expressions: dict[str, str]
    settings: RunSettings
    bars: Bars
    record: Block
    warnings: tuple[str, ...]
    seconds: float
    benchmark: FloatArray | None = None
    benchmark_name: str = ""
    quality: Verdict | None = None
    before: Bars | None = None
    ledger: str = ""
    rerun: Callable[..., Run] | None = None

    def __post_init__(self) -> None:
        """Check the benchmark and name it."""
        if self.benchmark is not None:
            self._check_benchmark(self.benchmark)
        if not self.benchmark_name:
            object.__setattr__(self, "benchmark_name", self._default_benchmark_name())

    @property
    def n_warm(self) -> int:
        """Rows before the first one that the expressions saw without trading in them."""
        return 0 if self.before is None else self.before.n_rows

    @property
    def start_equity(self) -> float:
        """Equity before the first row, quote currency: cash, and what is held then."""
        return start_equity(self.settings, self.bars.instruments)

    @property
    def currency(self) -> str:
        """Quote currency of the account."""
        return quote_currency(self.settings, self.bars.instruments)

    @property
    def periods_per_year(self) -> float:
        """Rows in a year, from the bars; NaN when there are too few rows to know."""
        return series.periods_per_year(self.bars)

    @property
    def years(self) -> float:
        """Length in years, as its rows over the rows of a year; NaN where that is not known."""
        return self.bars.n_rows / self.periods_per_year

    @cached_property
    def equity_path(self) -> FloatArray:
        """Starting cash, then the equity of each row: (T + 1,)."""
        return np.concatenate([[self.start_equity], self.record.ledger["equity"]])

    @cached_property
    def row_returns(self) -> FloatArray:
        """Simple return of each row, (T,); NaN after ruin."""
        return metrics.row_returns(self.equity_path)

    @cached_property
    def benchmark_returns(self) -> FloatArray:
        """Simple return of the benchmark in each row, (T,); 0 in the first row."""
        if self.benchmark is None:
            closes = holdings.closes_to_compare(self.bars, self.settings)
            return series.equal_weight_returns(closes)
        return series.equal_weight_returns(self.benchmark[:, np.newaxis])

    @property
    def held_weights(self) -> FloatArray:
        """Position sizes over equity, (T, N); NaN while equity is zero or less."""
        size = self.position_sizes
        equity = self.record.ledger["equity"][:, np.newaxis]
        held = np.full(size.shape, np.nan)
        np.divide(size, equity, out=held, where=equity > 0)
        return held

    @property
    def position_sizes(self) -> FloatArray:
        """Positions at their last known close, quote currency, negative when short: (T, N)."""
        return holdings.position_sizes(self.record.qty, self.assets, self.marks, self.rates)

    @property
    def position_values(self) -> FloatArray:
        """What each position adds to equity: its size, or a contract's open profit, (T, N)."""
        return holdings.position_values(
            self.record.qty, self.assets, self.marks, self.rates, self.changes
        )

    @cached_property
    def assets(self) -> holdings.Assets:
        """Kind and multiplier of each asset, which turn prices into money."""
        return holdings.assets_of(self.bars)

    @cached_property
    def marks(self) -> FloatArray:
        """Last known close at every row, (T, N); in new units after a split."""
        return holdings.marks_of(self.bars, self.settings)

    @cached_property
    def rates(self) -> FloatArray:
        """Quote currency per unit of each asset's currency at every row, (T, N)."""
        return holdings.rates_of(self.bars, self.settings)

    @cached_property
    def changes(self) -> Records:
        """Changes of the positions: records of `alphalab.research.results.holdings.CHANGE`."""
        return holdings.changes_of(self.record.fills, self.record.postings, self.rates)

    @cached_property
    def lives(self) -> Records:
        """Orders by id: records of `alphalab.research.results.order_lives.LIFE`."""
        return order_lives.lives(self.record.events, self.record.fills)

    @cached_property
    def round_trips(self) -> Records:
        """Round trips: records of `alphalab.research.results.round_trips.TRIP`."""
        last = self.bars.n_rows - 1
        mark, rate, time = self.marks[last], self.rates[last], int(self.bars.time[last])
        return round_trips.round_trips(self.changes, self.assets, mark, rate, last, time)

    @cached_property
    def metrics(self) -> dict[str, float | int]:
        """Every figure by name, in the order of reports; formulas in `metrics.py`.

        NaN where a figure is not defined.
        """
        equity, returns, year = self.equity_path, self.row_returns, self.periods_per_year
        ledger, bench, trips = self.record.ledger, self.benchmark_returns, self.round_trips
        gross = np.ascontiguousarray(ledger["gross"])
        falls = metrics.drawdowns(equity)
        deepest = metrics.max_drawdown_span(equity, falls)
        longest = metrics.longest_drawdown_span(equity, falls)
        value_at_risk, cvar = metrics.tail(returns)
        beta = metrics.beta(returns, bench)
        bench_path = np.cumprod(np.append(1.0, 1 + bench))
        holding_rows, holding_days = round_trips.average_holding(trips)
        return {
            "final_equity": float(equity[-1]),
            "total_return": metrics.total_return(equity),
            "annual_return": metrics.annual_return(equity, year),
            "volatility": metrics.volatility(returns, year),
            "sharpe": metrics.sharpe(returns, year),
            "sortino": metrics.sortino(returns, year),
            "max_drawdown": metrics.max_drawdown(equity, falls),
            "n_fills": int(self.record.fills.size),
            "n_round_trips": int(trips["closed"].sum()),
            "fees": float(ledger["fees"][-1]),
            "turnover": metrics.turnover(ledger["turnover"][-1], equity, year),
            "exposure": metrics.exposure(gross),
            "mean_gross_exposure": metrics.mean_gross_exposure(gross, equity),
            "max_gross_exposure": metrics.max_gross_exposure(gross, equity),
            "n_orders": int(np.count_nonzero(np.bincount(self.record.events["order"]))),
            "carry": float(ledger["carry"][-1]),
            "calmar": metrics.calmar(equity, year, falls),
            "omega": metrics.omega(returns),
            "max_drawdown_length": deepest[1] - deepest[0],
            "max_drawdown_days": self._days(deepest),
            "longest_drawdown": longest[1] - longest[0],
            "longest_drawdown_days": self._days(longest),
            "value_at_risk": value_at_risk,
            "cvar": cvar,
            "skew": metrics.skew(returns),
            "kurtosis": metrics.kurtosis(returns),
            "win_rate": round_trips.win_rate(trips),
            "profit_factor": round_trips.profit_factor(trips),
            "average_holding": holding_rows,
            "average_holding_days": holding_days,
            "benchmark_return": float(bench_path[-1] - 1),
            "benchmark_sharpe": metrics.sharpe(bench, year),
            "benchmark_drawdown": metrics.max_drawdown(bench_path, metrics.drawdowns(bench_path)),
            "alpha": metrics.alpha(returns, bench, year, beta),
            "beta": beta,
            "information_ratio": metrics.information_ratio(returns, bench, year),
        }

    @cached_property
    def digest(self) -> str:
        """BLAKE2b over hash words of equity, quantities and fills; 32 hexadecimal digits.

        Equal digests mean equal runs, bit for bit. `kernels/market/digest.py` defines the words; a
        sweep computes those of its columns while their rows are pushed.
        """
        words = np.zeros(N_WORDS, np.uint64)
        parts = (self.record.ledger["equity"], self.record.qty, self.record.fills.view(np.float64))
        equity, qty, fills = (np.ascontiguousarray(part).view(np.uint64) for part in parts)
        with silent():
            fold_run()(words, equity, qty, fills.reshape(-1, len(FILL.names or ())))
        return digest_of(words)

    @property
    def depends_on_path(self) -> bool:
        """True if another path inside the bars could have given another result.

        That needs an order other than a market order, or a position in a margin account: the
        pessimistic path liquidates inside the bar. Otherwise all paths agree, bit for bit.
        """
        held_on_margin = self.settings.margin is not None and self.record.fills.size > 0
        return held_on_margin or order_lives.meet_the_inside(self.record.events)

    def with_settings(self, settings: RunSettings) -> Run:
        """Run the same strategy on the same bars with other settings.

        Raises
        ------
        StateError
            A run that was not made by `al.backtest`.
        """
        if self.rerun is None:
            raise StateError(
                f"{self!r} cannot be run again",
                rule="only a result of al.backtest(...) still has its strategy.",
                fix="Make it with al.backtest(...).",
            )
        return self.rerun(settings, benchmark=self.benchmark)

    def metrics_by_path(self) -> dict[Path, dict[str, float | int]]:
        """Return the metrics for every path inside the bars, from the worst to the best.

        The other two paths are run once, and only if they can give another result.
        """
        return self._metrics_by_path

    def break_even_bps(self) -> float:
        """Return the fee at which the total return is 0, basis points of the traded value.

        One fee for every fill replaces the instruments' fees and the tiers; all other costs stay.
        The fee is found by running the strategy again, to 0.01 bps, because a fee can change what
        is traded. NaN when nothing was traded, or when the run loses without any fee; infinite when
        it gains even at 9,999 bps.

        Raises
        ------
        StateError
            A run that was not made by `al.backtest`.
        """
        return self._break_even_bps

    @property
    def known_metrics_by_path(self) -> dict[Path, dict[str, float | int]]:
        """`metrics_by_path` if it has been computed; else empty."""
        known: dict[Path, dict[str, float | int]] = vars(self).get("_metrics_by_path", {})
        return known

    @property
    def known_break_even_bps(self) -> float:
        """`break_even_bps` if it has been computed; else NaN."""
        return float(vars(self).get("_break_even_bps", "nan"))

    @cached_property
    def _metrics_by_path(self) -> dict[Path, dict[str, float | int]]:
        if not self.depends_on_path:
            return dict.fromkeys(PATHS, self.metrics)
        execution, found = self.settings.execution, {}
        for path in PATHS:
            changed = msgspec.structs.replace(execution, path=path)
            settings = msgspec.structs.replace(self.settings, execution=changed)
            run = self if path == execution.path else self.with_settings(settings)
            found[path] = run.metrics
        return found

    @cached_property
    def _break_even_bps(self) -> float:
        return sensitivity.break_even_bps(self._profit) if self.record.fills.size else float("nan")

    def _profit(self, fee_bps: float) -> tuple[float, float]:
        """Return profit and traded value with one fee for every fill."""
        costs = msgspec.structs.replace(self.settings.costs, fee_bps=fee_bps, tiers=())
        run = self.with_settings(msgspec.structs.replace(self.settings, costs=costs))
        last = run.record.ledger[-1]
        return float(last["equity"] - self.start_equity), float(last["turnover"])

    def _check_benchmark(self, closes: FloatArray) -> None:
        rows = self.bars.n_rows
        if closes.shape != (rows,) or not np.isfinite(closes).any() or (closes <= 0).any():
            raise DataError(
                f"benchmark: shape {closes.shape}, values {closes.ravel()[:3]} ...",
                rule=f"shape ({rows},): one close above 0 for each row, NaN where unknown.",
            )

    def _default_benchmark_name(self) -> str:
        if self.benchmark is not None:
            return "the closes given"
        more = "" if self.settings.actions == "none" else ", dividends included"
        if self.bars.n_symbols == 1:
            return f"buy and hold {self.bars.symbols[0]}{more}"
        n_symbols = self.bars.n_symbols
        return f"equal-weight average of the {n_symbols} symbols, rebalanced every row{more}"

    def _days(self, span: tuple[int, int]) -> float:
        """Days between two points of the equity path; the starting cash counts as the first row."""
        begin, end = (int(self.bars.time[max(point - 1, 0)]) for point in span)
        return (end - begin) / NS_DAY
