"""Plotly figures of a sweep. Large sweeps are thinned, and the titles say how."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from alphalab.data.quality.findings import counted
from alphalab.research.pages.style import BLUE, INK, MUTED, faint, layout
from alphalab.research.results.figures import Figure
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import (
    SIGNED,
    hovers,
    metric_figure,
    params_text,
    tick_format,
    titled,
)
from alphalab.research.sweep.robustness import View, view_of
from alphalab.research.sweep.space import Space
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import plotly.graph_objects as go


#: Distances from the best with a box of their own.
MOST_STEPS = 7

_FEW = 60  # columns at one distance that are also drawn as points


def histogram(outcome: Outcome, metric: str | None = None) -> go.Figure:
    """Distribution of a metric over all columns, with the best and the median marked.

    Raises
    ------
    UnknownNameError, StateError
        As in `alphalab.research.sweep.robustness.view_of`.
    """
    view = view_of(outcome, metric)
    known = view.values[np.isfinite(view.values)]
    above = f", {np.mean(known > 0):.0%} are above 0" if view.metric in SIGNED else ""
    note = f"{metric_figure(view.metric).label} of {counted(known.size, 'column')}{above}."
    if known.size < view.values.size:
        note += f" {counted(view.values.size - known.size, 'column')} without a value."
    if known.size > 1:
        note += " The best of many stands out even where nothing works."
    return titled(_histogram(view), note)


def robustness(outcome: Outcome, metric: str | None = None) -> go.Figure:
    """How a metric changes with the distance from the best column.

    A box for each number of steps from the best, see `robustness.py`. If the swept values have no
    neighbours, the figure is the histogram.

    Raises
    ------
    UnknownNameError, StateError
        As in `alphalab.research.sweep.robustness.view_of`.
    """
    import plotly.graph_objects as go

    view = view_of(outcome, metric)
    if not any(axis.linked and len(axis.values) > 1 for axis in view.space.axes):
        return titled(_histogram(view), "No column has neighbours: the values have no order.")
    figure = go.Figure(layout=layout(360) | {"hovermode": "closest"})
    _add_steps(figure, view)
    label = escape(metric_figure(view.metric).label)
    figure.update_yaxes(title_text=label, tickformat=tick_format(view.metric))
    note = (
        f"All columns by the number of steps from the best, {params_text(outcome, view.best)}. "
        "Boxes hold the middle half, whiskers reach to the lowest and the highest."
    )
    return titled(figure, note)


def _histogram(view: View) -> go.Figure:
    import plotly.graph_objects as go

    shown, known = metric_figure(view.metric), view.values[np.isfinite(view.values)]
    count, middle, width = _bins(known)
    figure = go.Figure(layout=layout(330) | {"hovermode": "closest"})
    figure.add_bar(
        x=middle,
        y=count,
        width=0.96 * width,
        marker={"color": BLUE, "opacity": 0.7},
        customdata=_ranges(shown, middle, width),
        hovertemplate="%{customdata}: %{y} columns<extra></extra>",
        showlegend=False,
    )
    edge = (0.5 + 0.03 * middle.size) * width
    ends = [middle[0] - edge, middle[-1] + edge]
    for x, name, colour, dash, lift in (
        (float(np.median(known)), "median", MUTED, "dot", 0),
        (float(view.values[view.best]), "best", INK, "solid", 15),
    ):
        figure.add_vline(
            x=x,
            line={"color": colour, "width": 1.6, "dash": dash},
            annotation={
                "text": f"{name} {shown.text(x)}",
                "font": {"color": colour},
                "xanchor": "right" if x > sum(ends) / 2 else "left",
                "y": 1.0,
                "yanchor": "bottom",
                "yshift": lift,
            },
        )
    ticks = tick_format(view.metric)
    figure.update_xaxes(title_text=escape(shown.label), tickformat=ticks, range=ends)
    return figure.update_yaxes(title_text="Columns")


def _add_steps(figure: go.Figure, view: View) -> None:
    """Add boxes of the columns by their distance from the best, and points where they are few."""
    values, space = view.values, view.space
    steps = np.minimum(space.steps_from(view.best), MOST_STEPS + 1)
    rings = [k for k in range(MOST_STEPS + 2) if np.isfinite(values[steps == k]).any()]
    labels = []
    for k in rings:
        ours = np.flatnonzero((steps == k) & np.isfinite(values))
        labels.append(f"{_step_name(space, k)}<br>{ours.size:,}")
        if ours.size > 1:
            _add_box(figure, k, values[ours])
        if ours.size <= _FEW:
            figure.add_scatter(
                x=k + np.linspace(-0.2, 0.2, ours.size) * (ours.size > 1),
                y=values[ours],
                mode="markers",
                marker={"color": BLUE if k else INK, "size": 5, "opacity": 0.7},
                text=hovers(view, ours),
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
            )
    ends = [-0.5, max(rings) + 0.5]
    figure.update_xaxes(tickvals=rings, ticktext=labels, range=ends)
    figure.update_xaxes(title_text="Steps from the best, and columns with a value")


def _add_box(figure: go.Figure, x: int, values: FloatArray) -> None:
    low, q1, middle, q3, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    figure.add_box(
        x=[x],
        q1=[q1],
        median=[middle],
        q3=[q3],
        lowerfence=[low],
        upperfence=[high],
        width=0.5,
        line={"color": BLUE, "width": 1.3},
        fillcolor=faint(BLUE),
        showlegend=False,
        hoverinfo="y",
    )


def _step_name(space: Space, step: int) -> str:
    if step == 0:
        return "the best"
    if step > MOST_STEPS:
        return f"{step} or more"
    if space.is_grid:
        return "1 step" if step == 1 else f"{step} steps"
    return f"nearest {space.n_nearest}" if step == 1 else f"next {space.n_nearest}"


def _bins(known: FloatArray) -> tuple[IntArray, FloatArray, float]:
    """Return counts, middles and the width of the bars of a histogram."""
    count, edges = np.histogram(known, bins=min(81, max(11, math.isqrt(known.size))))
    return count, (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])


def _ranges(shown: Figure, middle: FloatArray, width: float) -> list[str]:
    return [f"{shown.text(x - width / 2)} to {shown.text(x + width / 2)}" for x in middle.tolist()]
