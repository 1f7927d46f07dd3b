"""Plotly figures of a sweep. Large sweeps are thinned, and the titles say how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.research.pages.style import BLUE, GREY, INK, MUTED, faint, layout
from alphalab.research.results.figures import Figure
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import (
    FEW,
    SIGNED,
    add_slice,
    colour_bar,
    colours,
    hovers,
    metric_figure,
    params_text,
    places,
    short_texts,
    tick_format,
    titled,
)
from alphalab.research.sweep.robustness import View, view_of
from alphalab.research.sweep.space import Axis, Space
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import plotly.graph_objects as go


#: Most lines of the parallel coordinates.
MOST_LINES = 2_000
#: Further metrics of the parallel coordinates.
MAIN_METRICS = ("total_return", "sharpe", "max_drawdown", "n_round_trips")
#: Most panels of `robustness`.
MOST_SLICES = 6
#: Most points of the line of medians; of more values, adjacent ones share a point.
MOST_MEDIANS = 30
#: Distances from the best with a box of their own.
MOST_STEPS = 7

_PER_ROW = 3


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
    note = f"{metric_figure(view.metric).label} of {_columns(known.size)}{above}."
    if known.size < view.values.size:
        note += f" {_columns(view.values.size - known.size)} without a value."
    if known.size > 1:
        note += " The best of many stands out even where nothing works."
    return titled(_histogram(view), note)


def parallel_coordinates(outcome: Outcome, metric: str | None = None) -> go.Figure:
    """Every column as a line through its swept values and main figures, coloured by a metric.

    Drag along an axis to keep the lines that pass there. Of more than `MOST_LINES` columns the
    best quarter of that number, the worst quarter and an even sample of the others are drawn.

    Raises
    ------
    UnknownNameError, StateError
        As in `alphalab.research.sweep.robustness.view_of`.
    """
    import plotly.graph_objects as go

    view = view_of(outcome, metric)
    table = {name: outcome.metrics[name] for name in dict.fromkeys((view.metric, *MAIN_METRICS))}
    table = {name: figures for name, figures in table.items() if np.isfinite(figures).any()}
    figures = np.column_stack([view.values, *table.values()])
    whole = np.flatnonzero(np.isfinite(figures).all(axis=1))
    ranked = whole[np.argsort(view.good[whole], kind="stable")]
    drawn = ranked[_thinned(ranked.size, MOST_LINES)]  # the best come last and lie on top
    dimensions = [_swept(axis, drawn) for axis in view.space.axes if axis.linked]
    dimensions += [
        {
            "label": escape(metric_figure(name).label),
            "values": figures[drawn],
            "tickformat": tick_format(name),
        }
        for name, figures in table.items()
    ]
    line = {"color": view.values[drawn], "showscale": True, "colorbar": colour_bar(view.metric)}
    figure = go.Figure(layout=layout(430))
    figure.add_parcoords(
        dimensions=dimensions,
        line=line | colours(view.metric, view.values, middle="#c3cad2"),
        labelfont={"size": 12, "color": INK},
        tickfont={"size": 11, "color": MUTED},
        rangefont={"size": 10, "color": GREY},
    )
    widest = max([6, *(len(text) for text in dimensions[0].get("ticktext", ()))])
    figure.update_layout(margin={"l": 20 + 6 * min(widest, 24), "t": 64, "b": 24})
    left_out = view.values.size - ranked.size
    without = f"; {_columns(left_out)} without all these figures left out" if left_out else ""
    which = _columns(ranked.size)
    if drawn.size < ranked.size:
        quarter = f"{MOST_LINES // 4:,}"
        which = (
            f"{drawn.size:,} of {which}: the best {quarter}, the worst {quarter} and an even "
            "sample between"
        )
    return titled(figure, f"{which}{without}. Drag along an axis to keep the lines that pass.")


def robustness(outcome: Outcome, metric: str | None = None) -> go.Figure:
    """How a metric changes with the distance from the best column.

    A panel for each swept name goes through the best along that name; below them are the columns by
    their distance from the best, see `robustness.py`. A name whose values are not next to each
    other has no panel; without any panel the figure is the histogram.

    Raises
    ------
    UnknownNameError, StateError
        As in `alphalab.research.sweep.robustness.view_of`.
    """
    from plotly.subplots import make_subplots

    view = view_of(outcome, metric)
    sliced = [a for a in view.space.axes if a.linked and len(a.values) > 1][:MOST_SLICES]
    if not sliced:
        return titled(_histogram(view), "No column has neighbours: no value is next to another.")
    across, down = min(_PER_ROW, len(sliced)), math.ceil(len(sliced) / _PER_ROW)
    figure = make_subplots(
        rows=down + 1,
        cols=across,
        specs=[[{}] * across] * down + [[{"colspan": across}] + [None] * (across - 1)],
        row_heights=[1.0] * down + [1.1],
        horizontal_spacing=0.035,
        vertical_spacing=0.2 / (down + 1),
    )
    figure.update_layout(layout(320 * (down + 1)), hovermode="closest", showlegend=True)
    for k, axis in enumerate(sliced):
        cell = {"row": k // _PER_ROW + 1, "col": k % _PER_ROW + 1}
        _add_median(figure, view, axis, cell, legend=k == 0)
        add_slice(figure, view, axis, _along(view, axis), legend=k == 0, **cell)
    _add_steps(figure, view, {"row": down + 1, "col": 1})
    figure.update_yaxes(tickformat=tick_format(view.metric))
    figure.for_each_yaxis(lambda axis: axis.update(matches="y") if axis.anchor != "x" else None)
    for row in range(1, down + 2):
        label = escape(metric_figure(view.metric).label)
        figure.update_yaxes(title_text=label, row=row, col=1)
    return titled(figure, _robustness_note(view, sliced))


def _robustness_note(view: View, sliced: Sequence[Axis]) -> str:
    through = (
        "each panel changes one name and keeps the others as they are there (blue)"
        if view.space.is_grid
        else "in blue the columns nearest to it, which differ in several names"
    )
    swept = sum(len(axis.values) > 1 for axis in view.space.axes)
    more = f" {len(sliced)} of {swept} names have a panel." if swept > len(sliced) else ""
    return (
        f"Through the best column, {params_text(view.outcome, view.best)}: {through}; grey: the "
        f"median of all columns there.{more} Below: all columns by the number of steps "
        "from the best. Boxes hold the middle half, whiskers reach to the lowest and the highest."
    )


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


def _add_median(
    figure: go.Figure, view: View, axis: Axis, cell: dict[str, int], legend: bool
) -> None:
    """Add to the panel of one name the median of all columns with a value, or in a range of it."""
    import pandas as pd

    place, n = places(axis), len(axis.values)
    part = axis.code * min(n, MOST_MEDIANS) // n if axis.ordered else axis.code
    groups = pd.DataFrame({"value": view.values, "code": axis.code}).groupby(part)
    medians = groups["value"].median()
    ticks, name = tick_format(view.metric), escape(axis.name, quote=False)
    figure.add_scatter(
        x=place[groups["code"].median().astype(int)],
        y=medians.to_numpy(),
        name="Median of all",
        legendgroup="median",
        line={"color": GREY, "width": 1.3, "dash": "dot"},
        mode="lines" if axis.ordered else "markers",
        marker={"color": GREY, "symbol": "line-ew-open", "size": 14},
        hovertemplate=f"median of all with {name} %{{x}}: %{{y:{ticks}}}<extra></extra>",
        showlegend=legend,
        **cell,
    )


def _along(view: View, axis: Axis) -> IntArray:
    """Return columns that agree with the best in all other names; in a list, those near it."""
    space, best = view.space, view.best
    if not space.is_grid:
        steps = space.steps_from(best)
        return np.flatnonzero((steps >= 0) & (steps <= 2))
    same = np.ones(space.n_columns, bool)
    for other in space.axes:
        if other is not axis:
            same &= other.code == other.code[best]
    ours = np.flatnonzero(same)
    return ours[np.argsort(axis.code[ours], kind="stable")]


def _add_steps(figure: go.Figure, view: View, cell: dict[str, int]) -> None:
    """Add boxes of the columns by their distance from the best, and points where they are few."""
    values, space = view.values, view.space
    steps = np.minimum(space.steps_from(view.best), MOST_STEPS + 1)
    rings = [k for k in range(MOST_STEPS + 2) if np.isfinite(values[steps == k]).any()]
    labels = []
    for k in rings:
        ours = np.flatnonzero((steps == k) & np.isfinite(values))
        labels.append(f"{_step_name(space, k)}<br>{ours.size:,}")
        if ours.size > 1:
            _add_box(figure, k, values[ours], cell)
        if ours.size <= FEW:
            figure.add_scatter(
                x=k + np.linspace(-0.2, 0.2, ours.size) * (ours.size > 1),
                y=values[ours],
                mode="markers",
                marker={"color": BLUE if k else INK, "size": 5, "opacity": 0.7},
                text=hovers(view, ours),
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
                **cell,
            )
    ends = [-0.5, max(rings) + 0.5]
    figure.update_xaxes(tickvals=rings, ticktext=labels, range=ends, **cell)
    figure.update_xaxes(title_text="Steps from the best, and columns with a value", **cell)


def _add_box(figure: go.Figure, x: int, values: FloatArray, cell: dict[str, int]) -> None:
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
        **cell,
    )


def _step_name(space: Space, step: int) -> str:
    if step == 0:
        return "the best"
    if step > MOST_STEPS:
        return f"{step} or more"
    if space.is_grid:
        return "1 step" if step == 1 else f"{step} steps"
    return f"nearest {space.n_nearest}" if step == 1 else f"next {space.n_nearest}"


def _swept(axis: Axis, columns: IntArray) -> dict[str, Any]:
    """Return a swept name as an axis of the parallel coordinates."""
    label = escape(axis.name, quote=False)
    few = len(axis.values) <= 12
    if not axis.ordered:
        texts = short_texts(axis.values)
        ticks = list(range(len(texts)))
        return {"label": label, "values": axis.code[columns], "tickvals": ticks, "ticktext": texts}
    dimension = {"label": label, "values": np.asarray(axis.values)[axis.code[columns]]}
    return dimension | ({"tickvals": list(axis.values)} if few else {})


def _thinned(count: int, most: int) -> IntArray:
    """Positions of the first and the last quarter of `most`, and an even sample between."""
    if count <= most:
        return np.arange(count)
    quarter = most // 4
    middle = np.linspace(quarter, count - quarter - 1, most - 2 * quarter).astype(np.int64)
    return np.concatenate([np.arange(quarter), middle, np.arange(count - quarter, count)])


def _bins(known: FloatArray) -> tuple[IntArray, FloatArray, float]:
    """Return counts, middles and the width of the bars of a histogram."""
    count, edges = np.histogram(known, bins=min(81, max(11, math.isqrt(known.size))))
    return count, (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count:,} columns"


def _ranges(shown: Figure, middle: FloatArray, width: float) -> list[str]:
    return [f"{shown.text(x - width / 2)} to {shown.text(x + width / 2)}" for x in middle.tolist()]
