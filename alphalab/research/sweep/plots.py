"""Plotly figures of a sweep, each with a sentence; large sweeps are thinned, and it says how."""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from alphalab.data.quality.findings import counted
from alphalab.research.pages.style import BLUE, INK, MUTED, faint, layout
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import (
    SIGNED,
    hovers,
    metric_figure,
    params_text,
    tick_format,
)
from alphalab.research.sweep.robustness import View, view_of
from alphalab.research.sweep.space import Space

if TYPE_CHECKING:
    import plotly.graph_objects as go


#: Distances from the best with a box of their own.
MOST_STEPS = 7

_FEW = 60  # columns at one distance that are also drawn as points


def histogram(outcome: Outcome, metric: str | None = None) -> tuple[go.Figure, str]:
    """Return the distribution of a metric over all columns, with the best and the median marked.

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
    return _histogram(view), note


def robustness(outcome: Outcome, metric: str | None = None) -> tuple[go.Figure, str]:
    """Return how a metric changes with the distance from the best column.

    A box for each number of steps from the best, see `robustness.py`. If the swept values have no
    neighbours, the figure is the histogram.

    Raises
    ------
    UnknownNameError, StateError
        As in `alphalab.research.sweep.robustness.view_of`.
    """
    view = view_of(outcome, metric)
    if not any(axis.linked and len(axis.values) > 1 for axis in view.space.axes):
        return _histogram(view), "No column has neighbours: the values have no order."
    return _boxes(view), (
        f"All columns by the number of steps from the best, {params_text(outcome, view.best)}. "
        f"Boxes hold the middle half; up to {_FEW} columns are also points."
    )


def _histogram(view: View) -> go.Figure:
    import plotly.graph_objects as go

    shown, known = metric_figure(view.metric), view.values[np.isfinite(view.values)]
    count, edges = np.histogram(known, bins=min(81, max(11, math.isqrt(known.size))))
    texts = [shown.text(x) for x in edges.tolist()]
    width = edges[1] - edges[0]
    figure = go.Figure(layout=layout(330) | {"hovermode": "closest"})
    figure.add_bar(
        x=(edges[1:] + edges[:-1]) / 2,
        y=count,
        width=0.96 * width,
        marker={"color": BLUE, "opacity": 0.7},
        customdata=[f"{low} to {high}" for low, high in pairwise(texts)],
        hovertemplate="%{customdata}: %{y} columns<extra></extra>",
        showlegend=False,
    )
    for x, name, colour, dash in (
        (float(np.median(known)), "Median", MUTED, "dot"),
        (float(view.values[view.best]), "Best", INK, "solid"),
    ):
        line = {"color": colour, "width": 1.6, "dash": dash}
        figure.add_vline(x=x, line=line, name=f"{name}: {shown.text(x)}", showlegend=True)
    ends = [edges[0] - width / 2, edges[-1] + width / 2]
    ticks = tick_format(view.metric)
    figure.update_xaxes(title_text=escape(shown.label), tickformat=ticks, range=ends)
    return figure.update_yaxes(title_text="Columns")


def _boxes(view: View) -> go.Figure:
    """Draw a box of the columns at each distance from the best, with points where they are few."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(360) | {"hovermode": "closest"})
    steps = np.minimum(view.space.steps_from(view.best), MOST_STEPS + 1)
    for k in range(MOST_STEPS + 2):
        ours = np.flatnonzero((steps == k) & np.isfinite(view.values))
        if not ours.size:
            continue
        few = ours.size <= _FEW
        figure.add_box(
            y=view.values[ours],
            name=f"{_step_name(view.space, k)}<br>{ours.size:,}",
            text=hovers(view, ours) if few else None,
            hovertemplate="%{text}<extra></extra>" if few else None,
            boxpoints="all" if few else False,
            pointpos=0,
            jitter=0.4,
            line={"color": BLUE, "width": 1.3},
            marker={"color": BLUE if k else INK, "size": 5, "opacity": 0.7},
            fillcolor=faint(BLUE),
            showlegend=False,
        )
    label = escape(metric_figure(view.metric).label)
    figure.update_xaxes(title_text="Steps from the best, and columns with a value")
    return figure.update_yaxes(title_text=label, tickformat=tick_format(view.metric))


def _step_name(space: Space, step: int) -> str:
    if step == 0:
        return "the best"
    if step > MOST_STEPS:
        return f"{step} or more"
    if space.is_grid:
        return "1 step" if step == 1 else f"{step} steps"
    return f"nearest {space.n_nearest}" if step == 1 else f"next {space.n_nearest}"
