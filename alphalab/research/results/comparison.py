"""`compare`: several results over the same rows, side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.errors import DataError, ParameterError
from alphalab.research.pages import page
from alphalab.research.pages.style import AMBER, BLUE, GREEN, GREY, MOST_POINTS, RED, layout
from alphalab.research.pages.thinning import thin
from alphalab.research.results import figures, metrics
from alphalab.research.results.plots import dates
from alphalab.research.results.record import Run
from alphalab.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SCHEMA = "alphalab.compare/1"
_MOST_SHOWN = 3  # differences in a name
_COLOURS = (BLUE, AMBER, GREEN, RED, "#7a4fa3", "#2a9d9d", "#8a6d3b")

#: Metrics of a comparison that is printed; its table has all of them.
SHOWN = (*figures.HEADLINE, "turnover", "n_fills")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Several runs over the same rows.

    Parameters
    ----------
    runs : dict of str to Run
        By the names that the table and the figure use.
    """

    runs: dict[str, Run]

    @property
    def table(self) -> pd.DataFrame:
        """Every metric (rows) of every run (columns); NaN where it is not defined."""
        import pandas as pd

        return pd.DataFrame({name: run.metrics for name, run in self.runs.items()})

    def texts(self) -> list[tuple[str, ...]]:
        """Return the metrics at the top with units, one line for each: label, then the runs."""
        found = [figures.figure_texts(run.metrics, run.currency) for run in self.runs.values()]
        short = any(run.years < figures.LEAST_YEARS for run in self.runs.values())
        names = [name for name in SHOWN if not (short and name in figures.OF_A_YEAR)]
        return [(figures.FIGURES[x].label, *(text[x] for text in found)) for x in names]

    def plot(self) -> go.Figure:
        """Return one Plotly figure: growth of 1 and drawdown of every run, and of the benchmark."""
        from plotly.subplots import make_subplots

        figure = make_subplots(
            rows=2, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06
        )
        figure.update_layout(layout(560), showlegend=True)
        first = next(iter(self.runs.values()))
        lines = {name: run.equity_path / run.start_equity for name, run in self.runs.items()}
        lines["Benchmark"] = np.cumprod(np.append(1.0, 1 + first.benchmark_returns))
        for place, (name, path) in enumerate(lines.items()):
            bench = place == len(self.runs)
            line = {"color": GREY if bench else _COLOURS[place % len(_COLOURS)], "width": 1.5}
            falls = -100 * metrics.drawdowns(path)[1:]
            for row, values in ((1, path[1:]), (2, falls)):
                rows = thin(values, MOST_POINTS // 2)
                figure.add_scatter(
                    x=dates(first, rows),
                    y=values[rows],
                    name=escape(name, quote=False),
                    legendgroup=name,
                    showlegend=row == 1,
                    line=line,
                    zorder=0 if bench else 1,
                    row=row,
                    col=1,
                )
        figure.update_yaxes(title_text="Growth of 1", row=1, col=1)
        figure.update_yaxes(title_text="Drawdown (%)", row=2, col=1, ticksuffix=" ")
        figure.update_xaxes(title_text="Time (UTC)", row=2, col=1)
        return figure

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the comparison as one page that needs neither other files nor a network.

        Raises
        ------
        InputError
            A path that cannot be written.
        """
        return page.write(self._page(), path)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data; a metric that is not defined is None."""
        return {
            "schema": _SCHEMA,
            "runs": {
                name: {
                    "strategy": run.strategy,
                    "digest": run.digest,
                    "metrics": {k: v if np.isfinite(v) else None for k, v in run.metrics.items()},
                    "warnings": list(run.warnings),
                }
                for name, run in self.runs.items()
            },
        }

    def _page(self) -> str:
        first = next(iter(self.runs.values()))
        head = ("Figure", *map(escape, self.runs))
        cells = [tuple(map(escape, line)) for line in self.texts()]
        every = self.table
        rows = [
            (figures.FIGURES[name].label, *(figures.FIGURES[name].text(x) for x in every.loc[name]))
            for name in every.index
        ]
        return page.Page(
            title="Comparison",
            heading="Comparison",
            detail=", ".join(self.runs),
            about=page.about(first.bars),
            remarks=[f"{name}: {text}" for name, run in self.runs.items() for text in run.warnings],
            tiles=(),
            sections=(
                page.chart("Growth and drawdown", self.plot(), first.benchmark_name),
                page.section("Headline", page.table(head, cells)),
                page.section("All figures", page.table(head, rows)),
            ),
            assumptions={name: f"digest {run.digest}" for name, run in self.runs.items()},
            footer="alphalab",
        ).html()

    def __repr__(self) -> str:
        """Return names, returns and Sharpe ratios on one line."""
        parts = (
            f"{name} {figures.FIGURES['total_return'].text(run.metrics['total_return'])}"
            for name, run in self.runs.items()
        )
        return f"<Comparison: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        return page.table(("Figure", *map(escape, self.runs)), self.texts())


def compare(results: Mapping[str, Run] | Sequence[Run]) -> Comparison:
    """Put results over the same rows side by side.

    Parameters
    ----------
    results : mapping of str to Result, or sequence of Result
        Not named: a result is called by its strategy, and by the parameters and settings that
        differ where several have one.

    Returns
    -------
    Comparison
        With a table, a figure and a page.

    Raises
    ------
    ParameterError
        No result, or something else.
    DataError
        Results over other rows: their figures are not comparable.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500")
    >>> sma_cross = al.load_strategy("sma_cross")
    >>> both = compare([al.backtest(sma_cross(fast=n), bars) for n in (5, 20)])
    >>> both.table.loc["n_fills"].astype(int).to_dict()
    {'SmaCross(fast=5)': 242, 'SmaCross(fast=20)': 172}
    """
    named = results.items() if isinstance(results, Mapping) else _named(results)
    runs = {str(name): run for name, run in named}
    for name, run in runs.items():
        if not isinstance(run, Run):
            raise ParameterError(
                f"compare: {name} is a {type(run).__name__}",
                rule="it takes results of al.backtest(...).",
            )
    if not runs:
        raise ParameterError("compare([])", rule="it takes at least one result.")
    (first_name, first), *others = runs.items()
    for name, run in others:
        if not np.array_equal(run.bars.time, first.bars.time):
            spans = [f"{x.bars.start} to {x.bars.end}" for x in (first, run)]
            raise DataError(
                f"compare: {first_name} covers {spans[0]}, {name} {spans[1]}",
                rule="results are compared over the same rows.",
                fix="Run both on bars.between(start, end).",
            )
    return Comparison(runs)


def _named(results: Sequence[Run]) -> list[tuple[str, Run]]:
    """Name results by their strategies, and by what differs where several have one."""
    strategies = [getattr(run, "strategy", type(run).__name__) for run in results]
    found: list[tuple[str, Run]] = []
    for strategy, run in zip(strategies, results, strict=True):
        same = [x for name, x in zip(strategies, results, strict=True) if name == strategy]
        name = strategy if len(same) == 1 else f"{strategy}{_differences(run, same)}"
        n = sum(other == name or other.startswith(f"{name} ") for other, _ in found)
        found.append((f"{name} {n + 1}" if n else name, run))
    return found


def _differences(run: Run, others: Sequence[Run]) -> str:
    """Return the parameters and settings of a run that other runs have otherwise."""
    mine, theirs = _parts(run), [_parts(other) for other in others]
    different = [key for key in mine if any(mine[key] != parts.get(key) for parts in theirs)]
    shown = [f"{key}={mine[key]!r:.40}" for key in different if mine[key] is not None]
    return f"({', '.join(shown[:_MOST_SHOWN])})" if shown else ""


def _parts(run: Run) -> dict[str, Any]:
    """Return parameters and settings by name, those of a table by their dotted names."""
    parts = dict(run.params)
    for field in run.settings.__struct_fields__:
        value = getattr(run.settings, field)
        if isinstance(value, Settings):
            parts |= {f"{field}.{name}": getattr(value, name) for name in value.__struct_fields__}
        else:
            parts[field] = value
    return parts
