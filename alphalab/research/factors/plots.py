"""Figures of a factor report."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.research.factors.analysis import Analysis
from alphalab.research.factors.inference import Mean, newey_west
from alphalab.research.pages.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    MOST_POINTS,
    MUTED,
    PURPLE,
    RED,
    TEAL,
    faint,
    layout,
)
from alphalab.research.pages.thinning import thin
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: Half width of an interval of 95 %, in standard errors.
_WIDE = 1.96
_HORIZONS = (BLUE, TEAL, PURPLE, AMBER)
#: Quantiles from the lowest values to the highest.
_LOW_TO_HIGH = (RED, AMBER, GREY, TEAL, GREEN)


def overview(one: Analysis, bars: Bars) -> go.Figure:
    """Rank IC through time, its decay, and what the quantiles earn, in one figure."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        subplot_titles=("Sum of the rank IC", "Rank IC by horizon", "Return by quantile"),
        vertical_spacing=0.16,
    )
    figure.update_layout(layout(560), showlegend=True, title=None)
    for trace in cumulative_ic(one, bars).data:
        figure.add_trace(trace, row=1, col=1)
    for trace in decay(one).data:
        figure.add_trace(trace.update(showlegend=False), row=2, col=1)
    for trace in quantile_bars(one).data:
        figure.add_trace(trace.update(showlegend=False), row=2, col=2)
    figure.update_xaxes(type="category", row=2)
    figure.update_yaxes(title_text="Basis points a row", row=2, col=2)
    return figure


def cumulative_ic(one: Analysis, bars: Bars) -> go.Figure:
    """Sum of the rank IC of each horizon through time: a straight rise is a steady factor."""
    figure = _figure(320)
    for place, h in enumerate(one.horizons):
        series = np.nancumsum(one.rank_ic[h])
        rows = thin(series, MOST_POINTS // 2)
        figure.add_scatter(
            x=_dates(bars, rows),
            y=series[rows],
            name=rows_text(h),
            line={"color": _HORIZONS[place % len(_HORIZONS)], "width": 1.5},
        )
    figure.update_yaxes(title_text="Sum of rank IC")
    return figure


def decay(one: Analysis) -> go.Figure:
    """Mean rank IC by horizon with intervals of 95 %."""
    figure = _figure(300)
    _bars(figure, [str(h) for h in one.decay], list(one.decay.values()), BLUE)
    figure.update_xaxes(title_text="Horizon (rows)", type="category")
    figure.update_yaxes(title_text="Mean rank IC")
    return figure


def quantile_bars(one: Analysis) -> go.Figure:
    """Mean return of each quantile above the mean of all, basis points a row."""
    figure = _figure(300)
    for place, h in enumerate(one.horizons):
        excess = _excess(one.quantile_returns[h])
        means = [newey_west(excess[:, q], h) for q in range(one.n_quantiles)]
        figure.add_bar(
            x=[str(q + 1) for q in range(one.n_quantiles)],
            y=[1e4 * m.mean / h for m in means],
            error_y={"array": [1e4 * _half(m) / h for m in means], "color": MUTED, "thickness": 1},
            name=rows_text(h),
            marker_color=_HORIZONS[place % len(_HORIZONS)],
        )
    figure.update_xaxes(title_text="Quantile: 1 has the lowest values", type="category")
    figure.update_yaxes(title_text="Basis points a row")
    return figure


def quantile_growth(one: Analysis, bars: Bars) -> go.Figure:
    """Sum of each quantile's return above the mean of all, at the shortest horizon."""
    figure = _figure(320)
    h = one.horizons[0]
    excess = _excess(one.quantile_returns[h]) / h
    for q in range(one.n_quantiles):
        path = 100 * np.nancumsum(excess[:, q])
        rows = thin(path, MOST_POINTS // one.n_quantiles)
        place = round(q * (len(_LOW_TO_HIGH) - 1) / (one.n_quantiles - 1))
        figure.add_scatter(
            x=_dates(bars, rows),
            y=path[rows],
            name=f"Quantile {q + 1}",
            line={"color": _LOW_TO_HIGH[place], "width": 1.4},
        )
    figure.update_yaxes(title_text="Sum of excess returns (%)")
    return figure


def histogram(one: Analysis) -> go.Figure:
    """Rank IC of the rows at the shortest horizon."""
    figure = _figure(300)
    series = one.rank_ic[one.horizons[0]]
    heights, edges = np.histogram(series[np.isfinite(series)], bins=41, range=(-1.0, 1.0))
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2, y=heights, marker_color=faint(BLUE, 0.6), showlegend=False
    )
    figure.add_vline(x=one.decay[one.horizons[0]].mean, line={"color": RED, "width": 1.5})
    figure.update_layout(bargap=0.05)
    figure.update_xaxes(title_text="Rank IC of a row; the line is the mean")
    figure.update_yaxes(title_text="Rows")
    return figure


def years(one: Analysis, bars: Bars) -> go.Figure:
    """Mean rank IC of each calendar year."""
    figure = _figure(300)
    found = one.by_year(bars.time)
    _bars(figure, [str(year) for year in found], list(found.values()), TEAL)
    figure.update_xaxes(title_text="Year (UTC)", type="category")
    figure.update_yaxes(title_text="Mean rank IC")
    return figure


def groups(one: Analysis, bars: Bars, label: str) -> go.Figure:
    """Mean rank IC among the assets of each group."""
    figure = _figure(300)
    h = one.horizons[0]
    found = one.by_group(bars.instruments, label)
    _bars(
        figure,
        [escape(name, quote=False) for name in found],
        [x[h] for x in found.values()],
        PURPLE,
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(title_text="Mean rank IC")
    return figure


def _bars(figure: go.Figure, names: list[str], means: list[Mean], colour: str) -> None:
    figure.add_bar(
        x=names,
        y=[m.mean for m in means],
        error_y={"array": [_half(m) for m in means], "color": MUTED, "thickness": 1},
        marker_color=colour,
        showlegend=False,
    )


def _half(mean: Mean) -> float:
    """Return half the interval of 95 % of a mean."""
    return _WIDE * abs(mean.mean / mean.t) if mean.t else np.nan


def _excess(returns: FloatArray) -> FloatArray:
    """Return quantile returns minus their mean in each row; a row without all quantiles is NaN."""
    result: FloatArray = returns - returns.mean(axis=1, keepdims=True)
    return result


def _figure(height: int) -> go.Figure:
    import plotly.graph_objects as go

    return go.Figure().update_layout(layout(height), showlegend=True)


def _dates(bars: Bars, rows: Any) -> Any:
    return bars.time[rows].astype("M8[ns]")


def rows_text(horizon: int) -> str:
    """Return a number of rows with its noun."""
    return f"{horizon} row{'s' if horizon > 1 else ''}"
