"""`Result`: what a backtest recorded, and everything that follows from it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from alphalab.config import RunSettings
from alphalab.data.bars import Bars
from alphalab.data.times import NS_DAY, iso
from alphalab.errors import DataError
from alphalab.research import metrics, series, tables, trips
from alphalab.types import FILL, FloatArray, Reason, Records

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
    warnings : tuple of str
        What the reader has to know. Ruin is added here when the ledger shows it.
    seconds : float
        Wall time of the run; no part of the digest.
    benchmark : ndarray of shape (T,), optional
        Closes of what to compare with. Not given: the assets themselves, equally weighted.
    benchmark_name : str
        What the benchmark is, in words.

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
    warnings: tuple[str, ...]
    seconds: float
    benchmark: FloatArray | None = None
    benchmark_name: str = ""

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
        """Position values after each row as fractions of equity; NaN while it is zero or less."""
        return tables.over_time(self, self.held_weights, list(self.bars.symbols))

    @property
    def trades(self) -> pd.DataFrame:
        """Round trips in order of entry, one in each row; see `alphalab.research.trips`.

        ``pnl`` is after fees, ``return`` is pnl over the value entered, ``rows`` counts from first
        to last fill. ``closed`` is False for positions still held at the end, valued there.
        """
        return tables.trades(self)

    @property
    def fills_frame(self) -> pd.DataFrame:
        """Executions in order; ``decided`` is the close at which the order was decided."""
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
            NaN until `window` rows have passed, and as in `alphalab.research.metrics`.

        Raises
        ------
        ParameterError
            A window below 2.
        """
        return tables.rolling(self, window)

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
            return series.equal_weight_returns(self.bars.close)
        return series.equal_weight_returns(self.benchmark[:, np.newaxis])

    @property
    def held_weights(self) -> FloatArray:
        """`weights` as an array, (T, N)."""
        value = self.position_values
        equity = self.ledger["equity"][:, np.newaxis]
        held = np.full(value.shape, np.nan)
        np.divide(value, equity, out=held, where=equity > 0)
        return held

    @property
    def position_values(self) -> FloatArray:
        """Value of each position at its last known close, negative when short: (T, N)."""
        price = series.last_known(self.bars.close) * self.multiplier
        return np.multiply(self.qty, price, out=np.zeros(self.qty.shape), where=self.qty != 0)

    @property
    def multiplier(self) -> FloatArray:
        """Quote currency per unit and point of price, (N,)."""
        return np.array([instrument.multiplier for instrument in self.bars.instruments])

    @cached_property
    def round_trips(self) -> Records:
        """Round trips as records of `alphalab.research.trips.TRIP`."""
        mark = np.array([series.last_known(column)[-1] for column in self.bars.close.T])
        last = self.bars.n_rows - 1
        return trips.round_trips(self.fills, mark, self.multiplier, last, int(self.bars.time[last]))

    @property
    def periods_per_year(self) -> float:
        """Rows a year holds, as the bars say; NaN when there are too few rows to say."""
        try:
            return self.bars.periods_per_year
        except DataError:
            return float("nan")

    @cached_property
    def metrics(self) -> dict[str, float | int]:
        """Every figure by name, in the order of reports; formulas in `alphalab.research.metrics`.

        NaN where a figure is not defined.
        """
        equity, returns, year = self.equity_path, self.row_returns, self.periods_per_year
        gross, bench, trip = self.ledger["gross"], self.benchmark_returns, self.round_trips
        deepest = metrics.max_drawdown_span(equity)
        longest = metrics.longest_drawdown_span(equity)
        holding_rows, holding_days = trips.average_holding(trip)
        return {
            "final_equity": float(equity[-1]),
            "total_return": metrics.total_return(equity),
            "annual_return": metrics.annual_return(equity, year),
            "volatility": metrics.volatility(returns, year),
            "sharpe": metrics.sharpe(returns, year),
            "sortino": metrics.sortino(returns, year),
            "max_drawdown": metrics.max_drawdown(equity),
            "n_fills": int(self.fills.size),
            "n_round_trips": int(trip["closed"].sum()),
            "fees": float(self.ledger["fees"][-1]),
            "turnover": metrics.turnover(self.ledger["turnover"][-1], equity, year),
            "exposure": metrics.exposure(gross),
            "mean_gross_exposure": metrics.mean_gross_exposure(gross, equity),
            "calmar": metrics.calmar(equity, year),
            "omega": metrics.omega(returns),
            "max_drawdown_length": deepest[1] - deepest[0],
            "max_drawdown_days": self._days(deepest),
            "longest_drawdown": longest[1] - longest[0],
            "longest_drawdown_days": self._days(longest),
            "value_at_risk": metrics.value_at_risk(returns),
            "cvar": metrics.cvar(returns),
            "skew": metrics.skew(returns),
            "kurtosis": metrics.kurtosis(returns),
            "win_rate": trips.win_rate(trip),
            "profit_factor": trips.profit_factor(trip),
            "average_holding": holding_rows,
            "average_holding_days": holding_days,
            "benchmark_return": float(np.prod(1 + bench) - 1),
            "alpha": metrics.alpha(returns, bench, year),
            "beta": metrics.beta(returns, bench),
            "information_ratio": metrics.information_ratio(returns, bench, year),
        }

    @cached_property
    def digest(self) -> str:
        """BLAKE2b over the bytes of equity, quantities and fills, 32 hexadecimal digits.

        Equal digests mean equal runs, bit for bit: little-endian, C order.
        """
        digest = hashlib.blake2b(digest_size=16)
        for part, layout in (
            (self.ledger["equity"], "<f8"),
            (self.qty, "<f8"),
            (self.fills, FILL.newbyteorder("<")),
        ):
            digest.update(np.ascontiguousarray(part, layout).data)
        return digest.hexdigest()

    @property
    def assumptions(self) -> dict[str, str]:
        """Everything the figures rest on, by label, in sentences."""
        from alphalab.research.assumptions import assumptions

        return assumptions(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, the object that ``alphalab backtest --json`` prints.

        Returns
        -------
        dict
            Only str, int, float, bool, None, list and dict; a figure that is not defined is None.
        """
        bars = self.bars
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "params": msgspec.to_builtins(self.params),
            "data": {
                "id": bars.id,
                "source": bars.source,
                "rows": bars.n_rows,
                "symbols": list(bars.symbols),
                "start": bars.start,
                "end": bars.end,
                "notes": list(bars.notes),
            },
            "metrics": {k: v if np.isfinite(v) else None for k, v in self.metrics.items()},
            "settings": msgspec.to_builtins(self.settings),
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
        from alphalab.research.plots import overview

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
        from alphalab.research.report import write

        return write(self, path)

    def to_pyfolio(self) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
        """Return daily returns, positions and transactions as pyfolio's tear sheets take them."""
        from alphalab.research.exports import to_pyfolio

        return to_pyfolio(self)

    def to_vectorbt(self) -> Any:
        """Return a vectorbt Portfolio that holds the same orders; needs ``alphalab[research]``."""
        from alphalab.research.exports import to_vectorbt

        return to_vectorbt(self)

    def __repr__(self) -> str:
        """Return the headline on one line."""
        from alphalab.research.display import headline

        return headline(self)

    def _repr_html_(self) -> str:
        from alphalab.research.display import headline_html

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
        if self.bars.n_symbols == 1:
            return f"buy and hold {self.bars.symbols[0]}"
        return f"equal-weight average of the {self.bars.n_symbols} symbols, rebalanced every row"

    def _days(self, span: tuple[int, int]) -> float:
        """Days between two points of the equity path; the starting cash counts as the first row."""
        begin, end = (int(self.bars.time[max(point - 1, 0)]) for point in span)
        return (end - begin) / NS_DAY

    def _series(self, values: FloatArray, name: str) -> pd.Series:
        return tables.over_time(self, values[:, np.newaxis], [name])[name]
