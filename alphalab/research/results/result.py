"""`Result`: what a backtest recorded, and everything that follows from it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from alphalab.codes import Reason
from alphalab.config import RunSettings
from alphalab.core.rules import quote_currency
from alphalab.data.clock.times import NS_DAY, iso
from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import Verdict
from alphalab.errors import DataError
from alphalab.kernels._jit import silent
from alphalab.kernels.market.digest import N_WORDS, fold_run
from alphalab.research.results import holdings, metrics, series, tables
from alphalab.research.results import order_lives as orders
from alphalab.research.results import round_trips as trips
from alphalab.research.results import sensitivity as interval
from alphalab.research.results.provenance import data_of
from alphalab.research.results.tally_metrics import digest_of
from alphalab.types import FILL, FloatArray, Records

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import plotly.graph_objects as go

_SCHEMA = "alphalab.backtest/1"


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a backtest recorded. Tables, metrics and pictures are computed from it when asked for.

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
    ledger : records of `alphalab.types.LEDGER`, (T,)
        The account after each row.
    qty : ndarray of shape (T, N)
        Units held after each row.
    targets : ndarray of shape (T, N)
        Weights the gate approved on each row; NaN: no opinion.
    fills : records of `alphalab.types.FILL`
    refusals : records of `alphalab.types.REFUSAL`
    events : records of `alphalab.types.EVENT`
        What became of the orders.
    posted : records of `alphalab.types.POSTED`
        What changed the account besides trading.
    ambiguous : records of `alphalab.types.AMBIGUITY`
        Bars in which the path of the price decides.
    warnings : tuple of str
        What the reader has to know. Ruin is added here when the ledger shows it.
    seconds : float
        Wall time of the run; no part of the digest.
    benchmark : ndarray of shape (T,), optional
        Closes of what to compare with. Not given: the assets themselves, equally weighted.
    benchmark_name : str
        What the benchmark is, in words.
    quality : Verdict, optional
        What the check of the data says. Not given: it was not checked.
    n_warm : int
        Rows before the first one, which the expressions have seen and nothing traded in.

    Raises
    ------
    DataError
        A benchmark that has not one close above 0 (NaN: unknown) for each row.
    """

    strategy: str
    params: dict[str, Any]
    expressions: dict[str, str]
    settings: RunSettings
    bars: Bars
    ledger: Records
    qty: FloatArray
    targets: FloatArray
    fills: Records
    refusals: Records
    events: Records
    posted: Records
    ambiguous: Records
    warnings: tuple[str, ...]
    seconds: float
    benchmark: FloatArray | None = None
    benchmark_name: str = ""
    quality: Verdict | None = None
    n_warm: int = 0
    _run: Callable[..., Result] | None = None  # runs it again, on bars and with settings

    def __post_init__(self) -> None:
        """Check the benchmark, name it, and warn of ruin."""
        if self.benchmark is not None:
            self._check_benchmark(self.benchmark)
        if not self.benchmark_name:
            object.__setattr__(self, "benchmark_name", self._default_benchmark_name())
        ruined = np.flatnonzero(self.ledger["equity"] <= 0)
        if ruined.size:
            day = iso(self.bars.time[ruined[0]])[:10]
            ruin = f"Equity was zero or less on {day}: figures that need returns after it are NaN."
            if ruin not in self.warnings:
                object.__setattr__(self, "warnings", (*self.warnings, ruin))

    @property
    def equity(self) -> pd.Series:
        """Account value at the close of each row, quote currency; index in UTC."""
        return self._series(self.ledger["equity"], "equity")

    @property
    def returns(self) -> pd.Series:
        """Simple return of each row, the first one from the starting cash; NaN after ruin."""
        return self._series(self.row_returns, "returns")

    @property
    def positions(self) -> pd.DataFrame:
        """Units of each asset held after each row, negative when short."""
        return tables.over_time(self, self.qty, list(self.bars.symbols))

    @property
    def weights(self) -> pd.DataFrame:
        """Position sizes after each row as fractions of equity; NaN while it is zero or less."""
        return tables.over_time(self, self.held_weights, list(self.bars.symbols))

    @property
    def trades(self) -> pd.DataFrame:
        """Round trips in order of entry, one in each row; see `round_trips.py`.

        ``pnl`` is after fees, ``return`` is pnl over the value entered, ``rows`` counts from first
        to last fill. ``closed`` is False for positions still held at the end, valued there.
        ``left_by`` says what order closed the others, a key of `order_lives.LEFT_BY`.
        """
        return tables.trades(self)

    @property
    def orders(self) -> pd.DataFrame:
        """Orders by id, one in each row, with what became of them.

        ``qty`` is what was asked for, in units: NaN where a value was, or whatever is held.
        ``limit`` and ``stop`` are as they stood last, ``price`` is the average filled at.
        ``submitted`` is the close that decided it, ``active`` and ``ended`` are NaT where it did
        not come so far. Orders that repeat one that was refused are left out.
        """
        return tables.orders(self)

    @property
    def order_events(self) -> pd.DataFrame:
        """Stages of the orders, one in each row, as they happened; ``qty`` is still to fill."""
        return tables.order_events(self)

    @property
    def postings(self) -> pd.DataFrame:
        """Funding, borrowing, interest, dividends, splits: one in each row.

        ``amount`` came in, or was paid where it is negative.
        """
        return tables.postings(self)

    @property
    def ambiguities(self) -> pd.DataFrame:
        """Bars in which it is not known whether an order traded, and it matters.

        ``low_first`` and ``high_first`` are the equity at the close for either way the price may
        have taken, ``taken`` is the one that counts here, ``at_stake`` their distance.
        """
        return tables.ambiguities(self)

    @property
    def fills_frame(self) -> pd.DataFrame:
        """Executions in order; ``order`` is an id, ``decided`` the close that decided the order."""
        return tables.fills(self)

    @property
    def refusals_frame(self) -> pd.DataFrame:
        """What the gate or the venue did not let through as asked, with the reason in words."""
        return tables.refusals(self)

    @property
    def monthly_returns(self) -> pd.DataFrame:
        """Returns by year (rows) and month (columns ``Jan`` to ``Dec``), and of the ``Year``.

        Calendar months in UTC; a bar that closes at midnight belongs to the month that ends. NaN:
        no rows in that month.
        """
        return tables.monthly_returns(self)

    def rolling(self, window: int) -> pd.DataFrame:
        """Figures over the last `window` rows, at every row.

        Parameters
        ----------
        window : int
            Rows, at least 2.

        Returns
        -------
        pandas.DataFrame
            ``return`` (compound, not annualised), ``volatility`` and ``sharpe`` (annualised, ddof
            1) and ``drawdown`` (fall from the highest equity of the window, its start included).
            NaN until `window` rows have passed, and as in `alphalab.research.results.metrics`.

        Raises
        ------
        ParameterError
            A window below 2.
        """
        return tables.rolling(self, window)

    def interval(self) -> pd.DataFrame:
        """Metrics (rows) with ``pessimistic``, ``ohlc`` and ``optimistic`` fills (columns).

        A bar does not say which way the price took inside it, so what a stop or a limit order got
        lies between the first column and the last; ``ohlc`` is a guess, the nearer extreme first.
        See `Execution`. The strategy runs again for each path that is not this result's own, once;
        where no order could trade inside a bar the columns are the same, and nothing runs.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        StateError
            A result that was not made by `al.backtest`.

        Examples
        --------
        >>> import alphalab as al
        >>> class Dip(al.Strategy):
        ...     def weights(self):
        ...         return al.where(al.close < al.close.ts_mean(20), 1.0, 0.0)
        >>> exits = al.Exits(stop_loss=0.01, take_profit=0.01)
        >>> result = al.backtest(Dip(), al.load("sp500"), exits=exits)
        >>> result.interval().loc["total_return"].round(3).to_dict()
        {'pessimistic': 0.021, 'ohlc': 0.062, 'optimistic': 0.106}
        """
        import pandas as pd

        return pd.DataFrame(self.by_path)

    @cached_property
    def by_path(self) -> dict[str, dict[str, float | int]]:
        """`interval` as plain data: metrics by path."""
        return interval.figures_by_path(self)

    @cached_property
    def break_even_bps(self) -> float:
        """Fee at which the total return is 0, basis points of the traded value.

        One fee for every fill, in place of the instruments' fees and of tiers, with all other costs
        as they are. It is found by running the strategy again, to 0.01 bps: the fee can change what
        is traded. NaN when nothing was traded, or when even a fee of 0 loses; infinite when a fee
        of 9,999 bps still gains.
        """
        return interval.break_even_bps(self)

    @property
    def depends_on_path(self) -> bool:
        """Whether the way of the price inside the bars could have made another result."""
        return interval.depends_on_path(self)

    @property
    def currency(self) -> str:
        """Quote currency of the account."""
        return quote_currency(self.settings, self.bars.instruments)

    @cached_property
    def equity_path(self) -> FloatArray:
        """Starting cash, then the equity of each row: (T + 1,)."""
        return np.concatenate([[self.settings.cash], self.ledger["equity"]])

    @cached_property
    def row_returns(self) -> FloatArray:
        """Returns of the rows as an array, (T,)."""
        return metrics.row_returns(self.equity_path)

    @cached_property
    def benchmark_returns(self) -> FloatArray:
        """Returns of the benchmark, (T,); 0 in the first row."""
        if self.benchmark is None:
            closes = holdings.closes_to_compare(self.bars, self.settings)
            return series.equal_weight_returns(closes)
        return series.equal_weight_returns(self.benchmark[:, np.newaxis])

    @property
    def held_weights(self) -> FloatArray:
        """`weights` as an array, (T, N)."""
        size = self.position_sizes
        equity = self.ledger["equity"][:, np.newaxis]
        held = np.full(size.shape, np.nan)
        np.divide(size, equity, out=held, where=equity > 0)
        return held

    @property
    def position_sizes(self) -> FloatArray:
        """What is held at its last known close, quote currency, negative when short: (T, N)."""
        return holdings.position_sizes(self)

    @property
    def position_values(self) -> FloatArray:
        """What each position adds to the equity: its size, or a contract's open profit, (T, N)."""
        return holdings.position_values(self)

    @cached_property
    def assets(self) -> holdings.Assets:
        """How prices become money."""
        return holdings.assets_of(self.bars)

    @cached_property
    def marks(self) -> FloatArray:
        """Last known close at every row, (T, N); after a split in new units."""
        return holdings.marks_of(self.bars, self.settings)

    @cached_property
    def rates(self) -> FloatArray:
        """Quote currency per unit of each asset's currency at every row, (T, N)."""
        return holdings.rates_of(self.bars, self.settings)

    @cached_property
    def changes(self) -> Records:
        """What changed the positions, as records of `alphalab.research.results.holdings.CHANGE`."""
        return holdings.changes_of(self.fills, self.posted, self.rates)

    @cached_property
    def lives(self) -> Records:
        """What became of the orders, as records of `alphalab.research.results.order_lives.LIFE`."""
        return orders.lives(self.events, self.fills)

    @cached_property
    def round_trips(self) -> Records:
        """Round trips as records of `alphalab.research.results.round_trips.TRIP`."""
        last = self.bars.n_rows - 1
        mark, rate, time = self.marks[last], self.rates[last], int(self.bars.time[last])
        return trips.round_trips(self.changes, self.assets, mark, rate, last, time)

    @property
    def periods_per_year(self) -> float:
        """Rows a year holds, as the bars say; NaN when there are too few rows to say."""
        return series.periods_per_year(self.bars)

    @cached_property
    def metrics(self) -> dict[str, float | int]:
        """Every figure by name, in the order of reports; formulas in `metrics.py`.

        NaN where a figure is not defined.
        """
        equity, returns, year = self.equity_path, self.row_returns, self.periods_per_year
        bench, trip = self.benchmark_returns, self.round_trips
        gross = np.ascontiguousarray(self.ledger["gross"])
        falls = metrics.drawdowns(equity)
        deepest = metrics.max_drawdown_span(equity, falls)
        longest = metrics.longest_drawdown_span(equity, falls)
        value_at_risk, cvar = metrics.tail(returns)
        beta = metrics.beta(returns, bench)
        holding_rows, holding_days = trips.average_holding(trip)
        return {
            "final_equity": float(equity[-1]),
            "total_return": metrics.total_return(equity),
            "annual_return": metrics.annual_return(equity, year),
            "volatility": metrics.volatility(returns, year),
            "sharpe": metrics.sharpe(returns, year),
            "sortino": metrics.sortino(returns, year),
            "max_drawdown": metrics.max_drawdown(equity, falls),
            "n_fills": int(self.fills.size),
            "n_round_trips": int(trip["closed"].sum()),
            "fees": float(self.ledger["fees"][-1]),
            "turnover": metrics.turnover(self.ledger["turnover"][-1], equity, year),
            "exposure": metrics.exposure(gross),
            "mean_gross_exposure": metrics.mean_gross_exposure(gross, equity),
            "max_gross_exposure": metrics.max_gross_exposure(gross, equity),
            "n_orders": int(np.count_nonzero(np.bincount(self.events["order"]))),
            "carry": float(self.ledger["carry"][-1]),
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
            "win_rate": trips.win_rate(trip),
            "profit_factor": trips.profit_factor(trip),
            "average_holding": holding_rows,
            "average_holding_days": holding_days,
            "benchmark_return": float(np.prod(1 + bench) - 1),
            "alpha": metrics.alpha(returns, bench, year, beta),
            "beta": beta,
            "information_ratio": metrics.information_ratio(returns, bench, year),
        }

    @cached_property
    def digest(self) -> str:
        """BLAKE2b over equity, quantities and fills as they are folded; 32 hexadecimal digits.

        Equal digests mean equal runs, bit for bit. `kernels/market/digest.py` says how rows
        are folded; a sweep folds its columns in the same way as their rows go by.
        """
        words = np.zeros(N_WORDS, np.uint64)
        parts = (self.ledger["equity"], self.qty, self.fills.view(np.float64))
        equity, qty, fills = (np.ascontiguousarray(part).view(np.uint64) for part in parts)
        with silent():
            fold_run()(words, equity, qty, fills.reshape(-1, len(FILL.names or ())))
        return digest_of(words)

    @property
    def assumptions(self) -> dict[str, str]:
        """Everything the figures rest on, by label, in sentences."""
        from alphalab.research.results.assumptions import assumptions

        return assumptions(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, the object that ``alphalab backtest --json`` prints.

        Returns
        -------
        dict
            Only str, int, float, bool, None, list and dict; a figure that is not defined is None.
        """
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "params": _plain(self.params),
            "data": data_of(self.bars, self.quality),
            "metrics": {k: v if np.isfinite(v) else None for k, v in self.metrics.items()},
            "settings": _plain(self.settings),
            "n_warm": self.n_warm,
            "refusals": {
                Reason(code).name: count
                for code, count in sorted(Counter(self.refusals["reason"].tolist()).items())
            },
            "warnings": list(self.warnings),
            "digest": self.digest,
            "seconds": self.seconds,
        }

    def plot(self) -> go.Figure:
        """Return one Plotly figure: equity against the benchmark, drawdown, exposure."""
        from alphalab.research.results.plots import overview

        return overview(self)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report: one page that needs nothing else, neither files nor a network.

        Parameters
        ----------
        path : path-like
            Written as a whole or not at all; folders are made.

        Returns
        -------
        pathlib.Path
            Where it is.

        Raises
        ------
        InputError
            A path that cannot be written.
        """
        from alphalab.research.results.report import write

        return write(self, path)

    def to_pyfolio(self) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
        """Return daily returns, positions and transactions as pyfolio's tear sheets take them."""
        from alphalab.research.results.exports import to_pyfolio

        return to_pyfolio(self)

    def to_vectorbt(self) -> Any:
        """Return a vectorbt Portfolio that holds the same orders; needs ``alphalab[research]``."""
        from alphalab.research.results.exports import to_vectorbt

        return to_vectorbt(self)

    def __repr__(self) -> str:
        """Return the headline on one line."""
        from alphalab.research.results.figures import headline

        return headline(self)

    def _repr_html_(self) -> str:
        from alphalab.research.results.figures import headline_html

        return headline_html(self)

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

    def _series(self, values: FloatArray, name: str) -> pd.Series:
        return tables.over_time(self, values[:, np.newaxis], [name])[name]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))
