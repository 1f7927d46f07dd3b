"""`Result`: a run with its tables, pictures, report and exports as methods."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.codes import Reason
from alphalab.data.clock.times import Instant
from alphalab.expr.text import parse
from alphalab.research.pages import page
from alphalab.research.results import (
    assumptions,
    exports,
    figures,
    plots,
    price_plot,
    report,
    tables,
)
from alphalab.research.results.explain import Explanation, explain
from alphalab.research.results.places import asset_of, rows_between
from alphalab.research.results.provenance import data_of, plain
from alphalab.research.results.record import Run
from alphalab.research.results.values import values_of
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SCHEMA = "alphalab.backtest/1"


class Result(Run):
    """What a backtest recorded, with tables, metrics and pictures, each computed when first used.

    `record` holds the records themselves: ``result.record.ledger``, ``result.record.fills``.
    """

    @property
    def equity(self) -> pd.Series:
        """Account value at the close of each row, quote currency; index in UTC."""
        return self._series(self.record.ledger["equity"], "equity")

    @property
    def returns(self) -> pd.Series:
        """Simple return of each row, the first one from the starting cash; NaN after ruin."""
        return self._series(self.row_returns, "returns")

    @property
    def positions(self) -> pd.DataFrame:
        """Units of each asset held after each row, negative when short."""
        return tables.over_time(self, self.record.qty, list(self.bars.symbols))

    @property
    def weights(self) -> pd.DataFrame:
        """Position sizes after each row as fractions of equity; NaN while it is zero or less."""
        return tables.over_time(self, self.held_weights, list(self.bars.symbols))

    @property
    def trades(self) -> pd.DataFrame:
        """Round trips in order of entry, one in each row; see `round_trips.py`.

        ``pnl`` is after fees, ``return`` is pnl over the value entered, ``rows`` counts from the
        first to the last fill. ``closed`` is False for positions still held at the end, valued
        there. ``left_by`` is the kind of order that closed the trip, a key of
        `order_lives.LEFT_BY`.
        """
        return tables.trades(self)

    @property
    def orders(self) -> pd.DataFrame:
        """Orders by id, one in each row, with their final status.

        ``qty`` is the quantity ordered, in units: NaN for orders by value and for orders that close
        a whole position. ``limit`` and ``stop`` are the last prices of the order, ``price`` is its
        average fill price. ``submitted`` is the close at which it was decided; ``active`` and
        ``ended`` are NaT for orders that were never active or have not ended. Repeats of a refused
        order are left out.
        """
        return tables.orders(self)

    @property
    def order_events(self) -> pd.DataFrame:
        """Status changes of the orders in order, one in each row; ``qty`` is still unfilled."""
        return tables.order_events(self)

    @property
    def postings(self) -> pd.DataFrame:
        """Funding, borrowing, interest, dividends, splits: one in each row.

        ``amount`` is positive when the account received it and negative when it paid.
        """
        return tables.postings(self)

    @property
    def ambiguities(self) -> pd.DataFrame:
        """Bars in which the unknown path of the price changes the result, one in each row.

        ``low_first`` and ``high_first`` are the equity at the close for each of the two paths,
        ``taken`` is the path of this run, ``at_stake`` the difference.
        """
        return tables.ambiguities(self)

    @property
    def fills(self) -> pd.DataFrame:
        """Executions in order; ``order`` is an id, ``decided`` the close that decided the order."""
        return tables.fills(self)

    @property
    def refusals(self) -> pd.DataFrame:
        """Targets and orders that the gate or the venue refused or reduced, with the reason."""
        return tables.refusals(self)

    @property
    def signals(self) -> pd.DataFrame:
        """Every expression of the strategy over time; two column levels, name and symbol.

        ``result.signals["weights"]`` is what `weights` asked for; of a `decide`, the series that it
        read. NaN: unknown.
        """
        import pandas as pd

        named = {name: parse(text) for name, text in self.expressions.items()}
        values = values_of(named, self.bars, self.before)
        names = [list(values), list(self.bars.symbols)]
        columns = pd.MultiIndex.from_product(names, names=["name", "symbol"])
        frame = pd.DataFrame(np.hstack(list(values.values())), columns=columns)
        return frame.set_axis(self.equity.index)

    def explain(self, time: Instant, symbol: str | None = None) -> Explanation:
        """Explain what was decided about an asset at a time, and what came of it.

        Parameters
        ----------
        time : str, date, datetime or datetime64
            The last row that closed by then is explained; a bare date includes its whole day.
        symbol : str, optional
            Not given: the only one.

        Returns
        -------
        Explanation
            Its text has the tree of every expression with the value of each part, the target, the
            gate, the orders, their fills and the round trip; `plot` draws the trees.

        Raises
        ------
        DataError, UnknownNameError
            No such row or symbol.

        Examples
        --------
        >>> import alphalab as al
        >>> strategy = al.ExprStrategy(text="where(close > 1000, 1, 0)")
        >>> result = al.backtest(strategy, al.load("sp500"))
        >>> print(result.explain("2008-10-07"))
        ExprStrategy, SP500 at 2008-10-07T20:00:00Z (row 2,455)
        ...
        """
        return explain(self, time, symbol)

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

        A bar does not tell the path of the price inside it, so the fill of a stop or a limit order
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

        return pd.DataFrame(self.metrics_by_path())

    @property
    def assumptions(self) -> dict[str, str]:
        """Everything the figures depend on, by label, in sentences."""
        return assumptions.assumptions(self)

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
            "params": plain(self.params),
            "data": data_of(self.bars, self.quality),
            "metrics": {k: v if np.isfinite(v) else None for k, v in self.metrics.items()},
            "settings": plain(self.settings),
            "n_warm": self.n_warm,
            "ledger": self.ledger,
            "refusals": {
                Reason(code).name: count
                for code, count in sorted(Counter(self.record.refusals["reason"].tolist()).items())
            },
            "warnings": list(self.warnings),
            "digest": self.digest,
            "seconds": self.seconds,
        }

    def plot(self) -> go.Figure:
        """Return one Plotly figure: equity against the benchmark, drawdown, exposure."""
        return plots.overview(self)

    def plot_trades(
        self, symbol: str | None = None, start: Instant | None = None, end: Instant | None = None
    ) -> go.Figure:
        """Return one Plotly figure of an asset: price, fills, positions, the strategy's own series.

        Up to 9,000 rows are drawn as candles, which zooming in shows; of more rows, the close.
        Expressions and parts of expressions that lie near the price, such as averages and bands,
        are drawn beside it, 4 at most. Rows that held a position are shaded.

        Parameters
        ----------
        symbol : str, optional
            Not given: the only one.
        start, end : str, date, datetime or datetime64, optional
            The first and the last instant to draw; a bare date as `end` includes its whole day.
            Not given: the whole run.

        Raises
        ------
        DataError
            No symbol where there are several, or no row between `start` and `end`.
        UnknownNameError
            No such symbol; near names are suggested.

        Examples
        --------
        >>> import alphalab as al
        >>> strategy = al.ExprStrategy(text="where(close > ts_mean(close, 50), 1, 0)")
        >>> result = al.backtest(strategy, al.load("sp500"))
        >>> figure = result.plot_trades("SP500", start="2008-01-01", end="2008-12-31")
        >>> [trace.name for trace in figure.data if trace.type == "candlestick"]
        ['Price']
        """
        asset = asset_of(self.bars, symbol, "plot_trades")
        first, stop = rows_between(self.bars, start, end, "plot_trades")
        return price_plot.price_of(self, asset, first, stop)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report: one page that needs neither other files nor a network.

        Parameters
        ----------
        path : path-like
            The file appears only when it is complete; missing folders are made.

        Returns
        -------
        pathlib.Path
            The file that was written.

        Raises
        ------
        InputError
            A path that cannot be written.
        """
        return page.write(report.render(self), path)

    def to_pyfolio(self) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
        """Return daily returns, positions and transactions as pyfolio's tear sheets take them."""
        return exports.to_pyfolio(self)

    def to_vectorbt(self) -> Any:
        """Return a vectorbt Portfolio that holds the same orders; needs ``alphalab[research]``."""
        return exports.to_vectorbt(self)

    def __repr__(self) -> str:
        """Return the headline on one line."""
        return figures.headline(self)

    def _repr_html_(self) -> str:
        return figures.headline_html(self)

    def _series(self, values: FloatArray, name: str) -> pd.Series:
        return tables.over_time(self, values[:, np.newaxis], [name])[name]
