"""`Sweep`: what many variants of a strategy gave, as data with figures, a table and plots."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import Verdict
from alphalab.errors import ParameterError, StateError, UnknownNameError
from alphalab.research.results.figures import BAD_DATA, SEEN_PRICE
from alphalab.research.results.provenance import data_of
from alphalab.research.results.result import Result
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER, digests, figures
from alphalab.research.run.backtest import run
from alphalab.research.sweep.variants import Variant
from alphalab.types import FloatArray, Records

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

#: Columns of the table that are no varied names.
_TAKEN = frozenset({"column", "status", "digest", "reason", *METRICS})

_SCHEMA = "alphalab.sweep/1"


@dataclass(frozen=True, repr=False, eq=False)
class Sweep:
    """What a sweep gave: a column for every variant.

    Attributes
    ----------
    strategy : str
        Name of the strategy's class.
    names : tuple of str
        What was varied: parameters, and settings such as ``costs.fee_bps``.
    variants : tuple of Variant
        The columns in order: parameters, and why one is invalid.
    tallies : records of shape (n,)
        What each column kept of its rows, `alphalab.core.columns.COLUMN`; meaningless where `ran`
        is False.
    ran : ndarray of shape (n,)
        Which columns were run.
    bars : Bars
    metric : str
        The figure that `best` goes by.
    stopped : str
        Why not all columns were run; empty when they were.
    warnings : tuple of str
        What to know before believing the figures.
    seconds : float
        Wall time of the run.
    quality : Verdict or None
        What the check of the data says; None: it was not checked.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> grid = {"fast": range(5, 15), "slow": range(20, 70, 5)}
    >>> sweep = al.sweep(load_strategy("sma_cross"), al.load("sp500"), grid)
    >>> sweep
    <Sweep SmaCross: 100 columns, best by sharpe #79 fast=12 slow=65: 0.419>
    >>> sweep.top(2)[["fast", "slow", "sharpe", "max_drawdown"]].round(3).to_numpy().tolist()
    [[12.0, 65.0, 0.419, 0.319], [13.0, 65.0, 0.415, 0.305]]
    >>> sweep.result(79).digest == sweep.table.digest[79]
    True
    """

    strategy: str
    names: tuple[str, ...]
    variants: tuple[Variant, ...]
    tallies: Records
    ran: Any
    bars: Bars
    metric: str = "sharpe"
    stopped: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    quality: Verdict | None = None

    @cached_property
    def figures(self) -> dict[str, FloatArray]:
        """Every figure by name, one float64 for each column, (n,); NaN where it was not run."""
        found = figures(self.tallies, periods_per_year(self.bars))
        return {name: np.where(self.ran, x, np.nan) for name, x in found.items()}

    @cached_property
    def table(self) -> pd.DataFrame:
        """The columns: varied names, ``status``, figures, ``digest`` and ``reason``.

        ``status`` is ``ok``, ``invalid`` (the reason says why) or ``not run``. Figures are NaN, and
        counts are missing, where a column was not run.
        """
        import pandas as pd

        status = [self._status(i) for i in range(len(self.variants))]
        table: dict[str, Any] = {
            self.label(name): [variant.params[name] for variant in self.variants]
            for name in self.names
        }
        table["status"] = status
        for name, values in self.figures.items():
            whole = np.issubdtype(figures(self.tallies[:0], 1.0)[name].dtype, np.integer)
            table[name] = pd.Series(values, dtype="Int64") if whole else values
        words = digests(self.tallies)
        table["digest"] = [x if ran else "" for x, ran in zip(words, self.ran, strict=True)]
        table["reason"] = [variant.reason for variant in self.variants]
        index = pd.RangeIndex(len(self.variants), name="column")
        return pd.DataFrame(table, index=index)

    def label(self, name: str) -> str:
        """Return the column of the table that has a varied name.

        That is the name itself, or ``params.NAME`` where a figure has it already.
        """
        return f"params.{name}" if name in _TAKEN else name

    @property
    def counts(self) -> dict[str, int]:
        """How many columns are ``ok``, ``invalid`` and ``not run``."""
        status = [self._status(i) for i in range(len(self.variants))]
        return {name: status.count(name) for name in ("ok", "invalid", "not run")}

    @property
    def best(self) -> int:
        """The column with the best `metric`; of equal ones the first.

        Raises
        ------
        StateError
            No column has a finite one.
        """
        return self.best_by(self.metric)

    def best_by(self, metric: str) -> int:
        """Return the column with the best of a figure, as `best` does."""
        values = self._values(metric)
        if not np.isfinite(values).any():
            raise StateError(
                f"no column has a {metric}",
                rule="the best column is one whose figure is a number.",
                fix="Look at sweep.table: was anything traded, and are there enough rows?",
            )
        if metric in SMALLER_IS_BETTER:
            values = -values
        return int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))

    def top(self, n: int = 20, by: str | None = None) -> pd.DataFrame:
        """Return the n best rows of the table, the best first; columns without a figure last."""
        if not isinstance(n, int | np.integer) or n < 0:
            raise ParameterError(f"top({n!r})", rule="n is a number of rows, at least 0.")
        name = by or self.metric
        values = self._values(name)
        keys = values if name in SMALLER_IS_BETTER else -values
        order = np.argsort(np.where(np.isnan(keys), np.inf, keys), kind="stable")
        return self.table.iloc[order[:n]]

    def result(self, column: int) -> Result:
        """Run a column again, alone, and return its whole result.

        Raises
        ------
        ParameterError
            No such column, or an invalid one.
        StateError
            It gave another digest than in the sweep: something that it reads has changed.
        """
        whole = isinstance(column, int | np.integer) and not isinstance(column, bool)
        if not whole or not 0 <= column < len(self.variants):
            raise ParameterError(
                f"result({column!r})",
                rule=f"columns are counted from 0 to {len(self.variants) - 1}.",
            )
        found = self.variants[column].column
        if found is None:
            raise ParameterError(
                f"result({column}): {self.variants[column].reason}",
                rule="an invalid combination has no result.",
            )
        result = run(found.strategy, self.bars, found.settings, verdict=self.quality)
        expected = digests(self.tallies[column : column + 1])[0]
        if self.ran[column] and result.digest != expected:
            raise StateError(
                f"column {column} has digest {result.digest}, in the sweep it had {expected}",
                rule="the same code, settings and bars give the same result.",
                fix="What has been edited since? Run the sweep again.",
            )
        return result

    def heatmap(
        self, x: str | None = None, y: str | None = None, metric: str | None = None
    ) -> go.Figure:
        """Return a figure of a metric over two varied names; over one, a line."""
        from alphalab.research.sweep.heatmap import heatmap

        return heatmap(self, x, y, metric)

    def parallel_coordinates(self, metric: str | None = None) -> go.Figure:
        """Return a figure with a line for every column through its parameters and figures."""
        from alphalab.research.sweep.plots import parallel_coordinates

        return parallel_coordinates(self, metric)

    def robustness(self, metric: str | None = None) -> go.Figure:
        """Return a figure of how the neighbours of the best column do."""
        from alphalab.research.sweep.plots import robustness

        return robustness(self, metric)

    def histogram(self, metric: str | None = None) -> go.Figure:
        """Return a figure of how a metric is distributed over the columns, with the best marked."""
        from alphalab.research.sweep.plots import histogram

        return histogram(self, metric)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report: one page that needs nothing else, neither files nor a network."""
        from alphalab.research.sweep.report import write

        return write(self, path)

    def to_dict(self, top: int = 20) -> dict[str, Any]:
        """Return the sweep as plain data, the object that ``alphalab sweep --json`` prints.

        A figure that is not defined is None.
        """
        order = self.top(top).index
        known = np.isfinite(self._values(self.metric)).any()
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "names": list(self.names),
            "metric": self.metric,
            "data": data_of(self.bars, self.quality),
            "columns": self.counts,
            "best": self._described(self.best) if known else None,
            "top": [self._row(int(i)) for i in order],
            "stopped": self.stopped,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }

    def _row(self, i: int) -> dict[str, Any]:
        """Return a column of the sweep as plain data."""
        row = self.table.loc[i]
        return {
            "column": i,
            "params": {k: _plain(x) for k, x in self.variants[i].params.items()},
            "metrics": {name: _plain(row[name]) for name in METRICS},
            **{name: row[name] for name in ("status", "digest", "reason")},
        }

    def _described(self, i: int) -> dict[str, Any]:
        """Return a column with all that it was run with."""
        column = self.variants[i].column
        assert column is not None  # it was run
        params, settings = msgspec.structs.asdict(column.strategy), column.settings
        return {
            **self._row(i),
            "strategy": msgspec.to_builtins(params),
            "settings": msgspec.to_builtins(settings),
        }

    def __repr__(self) -> str:
        """Return the headline on one line."""
        text = f"<Sweep {self.strategy}: {len(self.variants):,} columns"
        for name, count in self.counts.items():
            if name != "ok" and count:
                text += f", {count:,} {name}"
        values = self._values(self.metric)
        if np.isfinite(values).any():
            best = self.best
            params = " ".join(f"{k}={v}" for k, v in self.variants[best].params.items())
            text += f", best by {self.metric} #{best} {params}: {values[best]:.3f}"
        if any(SEEN_PRICE.rstrip(".") in warning for warning in self.warnings):
            text += f". {SEEN_PRICE}"
        if self.quality is not None and self.quality.errors:
            text += f". {BAD_DATA}"
        return text + ">"

    def _values(self, metric: str) -> FloatArray:
        if metric not in METRICS:
            raise UnknownNameError("metric", metric, METRICS)
        return self.figures[metric]

    def _status(self, i: int) -> str:
        if self.variants[i].column is None:
            return "invalid"
        return "ok" if self.ran[i] else "not run"


def _plain(value: Any) -> Any:
    """Return a cell of the table as JSON has it."""
    import pandas as pd

    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | None) else str(value)
