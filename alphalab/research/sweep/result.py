"""`Sweep`: an outcome with its table, pictures and report as methods."""

from __future__ import annotations

import os
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.research.pages import page
from alphalab.research.results.figures import BAD_DATA, SEEN_PRICE
from alphalab.research.results.overfitting import Pbo
from alphalab.research.results.provenance import data_of
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.tally_metrics import METRICS, digests, metrics_of
from alphalab.research.sweep import heatmap, plots, report, study
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import titled

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from optuna import Study

#: Columns of the table that are not swept names.
_TAKEN = frozenset({"column", "status", "digest", "reason", "deflated_sharpe", *METRICS})

_SCHEMA = "alphalab.sweep/1"


class Sweep(Outcome):
    """What a sweep recorded, with a table, pictures and a report.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> grid = {"fast": range(5, 15), "slow": range(20, 70, 5)}
    >>> sweep = al.sweep(load_strategy("sma_cross"), al.load("sp500"), grid)
    >>> sweep
    <Sweep SmaCross: 100 columns, best by sharpe #79 fast=12 slow=65: 0.419, deflated Sharpe ...>
    >>> sweep.top(2)[["fast", "slow", "sharpe", "max_drawdown"]].round(3).to_numpy().tolist()
    [[12.0, 65.0, 0.419, 0.319], [13.0, 65.0, 0.415, 0.305]]
    >>> sweep.result(79).digest == sweep.table.digest[79]
    True
    """

    @cached_property
    def table(self) -> pd.DataFrame:
        """The columns: swept names, ``status``, metrics, ``digest`` and ``reason``.

        Beside ``sharpe`` stands ``deflated_sharpe``: the probability that the column's true Sharpe
        ratio is above 0, given the independent trials of the sweep.

        ``status`` is ``ok``, ``invalid`` (the reason says why) or ``not run``. Metrics are NaN, and
        counts are missing, where a column was not run.
        """
        import pandas as pd

        table: dict[str, Any] = {
            self.label(name): [variant.params[name] for variant in self.variants]
            for name in self.names
        }
        table["status"] = self.statuses
        for name, values in self.metrics.items():
            whole = np.issubdtype(metrics_of(self.tallies[:0], 1.0)[name].dtype, np.integer)
            table[name] = pd.Series(values, dtype="Int64") if whole else values
            if name == "sharpe":
                table["deflated_sharpe"] = self.deflated
        words = digests(self.tallies)
        table["digest"] = [x if ran else "" for x, ran in zip(words, self.ran, strict=True)]
        table["reason"] = [variant.reason for variant in self.variants]
        index = pd.RangeIndex(len(self.variants), name="column")
        return pd.DataFrame(table, index=index)

    def label(self, name: str) -> str:
        """Return the column of the table that holds a swept name.

        That is the name itself, or ``params.NAME`` if a metric has this name.
        """
        return f"params.{name}" if name in _TAKEN else name

    def top(self, n: int = 20, by: str | None = None) -> pd.DataFrame:
        """Return the n best rows of the table, the best first; columns without a value last."""
        if not isinstance(n, int | np.integer) or n < 0:
            raise ParameterError(f"top({n!r})", rule="n is a number of rows, at least 0.")
        return self.table.iloc[self.ranked(by or self.metric)[:n]]

    @property
    def n_effective(self) -> int:
        """Effective number of independent trials: clusters of columns that move together.

        See `alphalab.research.results.overfitting.clusters_of`. Columns whose account fell to zero
        are left out.

        Raises
        ------
        DataError
            Fewer rows than two for each segment, or no column with returns.
        """
        return self.selection.clusters.n_effective

    def deflated_sharpe(self, column: int | None = None) -> float:
        """Return the deflated Sharpe ratio of a column, of the best one unless given.

        The probability that its true Sharpe ratio is above 0, where the benchmark is what the best
        of `n_effective` trials shows by chance; the variance of the trials is that between their
        clusters. Bailey & Lopez de Prado (2014): see
        `alphalab.research.results.sharpe_ratio.deflated_sharpe`. The benchmark is never below that
        of two trials with the variance of all columns.

        Raises
        ------
        DataError
            A column whose returns are all equal, or that fell to zero; and as `n_effective`.
        ParameterError
            No such column.
        """
        column = self.best if column is None else column
        self.check_column(column)
        value = float(self.selection.deflated[column])
        if not np.isfinite(value):
            raise DataError(
                f"column {column} has no Sharpe ratio",
                rule="it needs returns that differ, and equity above zero before every row.",
                fix="Look at its row of sweep.table: did it trade, and is it valid?",
            )
        return value

    def pbo(self, n_segments: int | None = None) -> Pbo:
        """Return the probability of backtest overfitting of choosing the best column by Sharpe.

        See `alphalab.research.results.overfitting.pbo`. `chosen` counts the columns of the sweep;
        those whose account fell to zero are left out.

        Parameters
        ----------
        n_segments : int, optional
            Neighbouring segments are merged to this many, 4 to 20. Not given: all of them, or the
            largest even number up to 20 that divides them.

        Raises
        ------
        DataError
            Fewer than two columns that ever moved; and as `n_effective`.
        ParameterError
            A number of segments that does not divide those of the sweep.

        Examples
        --------
        >>> import alphalab as al
        >>> from alphalab.artifact.loading import load_strategy
        >>> grid = {"fast": range(5, 15), "slow": range(20, 70, 5)}
        >>> sweep = al.sweep(load_strategy("sma_cross"), al.load("sp500"), grid)
        >>> found = sweep.pbo()
        >>> round(found.probability, 2), sweep.n_effective
        (0.34, 4)
        """
        return self.selection.pbo(n_segments)

    def heatmap(
        self, x: str | None = None, y: str | None = None, metric: str | None = None
    ) -> go.Figure:
        """Return a figure of a metric over two swept names; over one, a line."""
        return titled(*heatmap.heatmap(self, x, y, metric))

    def to_study(self, metric: str | None = None) -> Study:
        """Return the columns as trials of an Optuna study; needs ``alphalab[research]``.

        The functions of `optuna.visualization` draw it: slices, contours, parallel coordinates,
        importances of the swept names.
        """
        return study.study_of(self, metric)

    def robustness(self, metric: str | None = None) -> go.Figure:
        """Return a figure of a metric by the distance from the best column."""
        return titled(*plots.robustness(self, metric))

    def histogram(self, metric: str | None = None) -> go.Figure:
        """Return a histogram of a metric over the columns, with the best marked."""
        return titled(*plots.histogram(self, metric))

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report: one page that needs neither other files nor a network."""
        return page.write(report.render(self), path)

    def to_dict(self, top: int = 20) -> dict[str, Any]:
        """Return the sweep as plain data, the object that ``alphalab sweep --json`` prints.

        A metric that is not defined is None.
        """
        known = np.isfinite(self.values(self.metric)).any()
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "names": list(self.names),
            "metric": self.metric,
            "data": data_of(self.bars, self.quality),
            "columns": self.counts,
            "n_warm": self.history.n_warm,
            "trials": self.trials,
            "ledger": self.ledger,
            "best": self._described(self.best) if known else None,
            "top": [self._row(int(i)) for i in self.top(top).index],
            "stopped": str(self.stopped or ""),
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
            "deflated_sharpe": _plain(row["deflated_sharpe"]),
            **{name: row[name] for name in ("status", "digest", "reason")},
        }

    @property
    def trials(self) -> dict[str, Any] | None:
        """The independent trials as plain data; None where they cannot be counted."""
        try:
            clusters, by_chance = self.selection.clusters, self.selection.by_chance
        except DataError:
            return None
        year = periods_per_year(self.bars)
        return {
            "n_effective": clusters.n_effective,
            "variance_per_year": _plain(clusters.variance * year),
            "sharpe_by_chance": _plain(by_chance * year**0.5),
            "n_segments": self.selection.sums.n_segments,
        }

    def _described(self, i: int) -> dict[str, Any]:
        """Return a column with its full strategy and settings."""
        column = self.variants[i].column
        assert column is not None  # the best column is valid
        params, settings = msgspec.structs.asdict(column.strategy), column.settings
        return {
            **self._row(i),
            "strategy": msgspec.to_builtins(params),
            "settings": msgspec.to_builtins(settings),
        }

    def _repr_html_(self) -> str:
        order = np.argsort(-np.nan_to_num(self.values(self.metric), nan=-np.inf), kind="stable")
        top = self.table.iloc[order[:10]].drop(columns="digest", errors="ignore")
        return f"<div><b>{escape(repr(self)[1:-1])}</b>{top.to_html()}</div>"

    def __repr__(self) -> str:
        """Return the headline on one line."""
        text = f"<Sweep {self.strategy}: {len(self.variants):,} columns"
        for name, count in self.counts.items():
            if name != "ok" and count:
                text += f", {count:,} {name}"
        values = self.values(self.metric)
        if np.isfinite(values).any():
            best = self.best
            params = " ".join(f"{k}={v}" for k, v in self.variants[best].params.items())
            text += f", best by {self.metric} #{best} {params}: {values[best]:.3f}"
            deflated = self.deflated[best]
            if np.isfinite(deflated):
                trials = f"{self.n_effective:,} independent trial{'s' * (self.n_effective > 1)}"
                text += f", deflated Sharpe {deflated:.3f} ({trials})"
        if self.n_same_close:
            text += f". {SEEN_PRICE}"
        if self.quality is not None and self.quality.errors:
            text += f". {BAD_DATA}"
        return text + ">"


def _plain(value: Any) -> Any:
    """Return a cell of the table as JSON holds it."""
    import pandas as pd

    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | None) else str(value)
