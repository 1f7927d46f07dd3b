"""The heat map of a sweep: one metric over two swept names, or along one."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from alphalab.errors import ParameterError, UnknownNameError
from alphalab.research.pages.style import BLUE, MOST_POINTS, layout
from alphalab.research.pages.thinning import thin
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import (
    best_mark,
    colour_bar,
    hovers,
    metric_figure,
    params_text,
    short_texts,
    tick_format,
)
from alphalab.research.sweep.robustness import View, view_of
from alphalab.research.sweep.space import Axis
from alphalab.types import IntArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


#: Most values of an axis that have cells of their own.
MOST_LEVELS = 100
#: Most bars for a swept name of words.
MOST_BARS = 30
#: Further metrics in the hover text.
MORE_METRICS = ("sharpe", "total_return", "max_drawdown", "n_round_trips")

_GREYS = {"Invalid": "#c5ccd4", "Without a value": "#e9edf1"}
_FEWEST_BINS, _MOST_BINS = 6, 40


class Levels(NamedTuple):
    """Positions of the columns along an axis, (C,), -1 for hidden ones, and the axis labels."""

    name: str
    position: IntArray
    labels: list[str]
    note: str = ""


def heatmap(
    outcome: Outcome, x: str | None = None, y: str | None = None, metric: str | None = None
) -> tuple[go.Figure, str]:
    """Return one metric over two swept names as colours; over one name as a line, or bars of words.

    If more names were swept, a cell shows the median over their values: the best of them would
    show luck. Cells without a value are grey, and their hover text gives the reason. If a name has
    more than `MOST_LEVELS` values, adjacent numbers share cells, and of texts only the best are
    shown. The extreme 2 % of the values have the end colours of the scale.

    Parameters
    ----------
    outcome : Outcome
    x, y : str, optional
        Swept names. Not given: the first ones that have several values.
    metric : str, optional
        Not given: the metric of the sweep.

    Returns
    -------
    plotly.graph_objects.Figure
    str
        A sentence that names what it shows.

    Raises
    ------
    UnknownNameError
        A name that was not swept, a metric that does not exist.
    ParameterError
        The same name twice.
    StateError
        No column has a value.
    """
    _check_names(outcome, x, y)
    view = view_of(outcome, metric)
    chosen = _chosen(view.space.axes, x, y)
    if len(chosen) == 1:
        return (_line if chosen[0].ordered else _bars)(view, chosen[0])
    across, up = (_levels(view, axis) for axis in chosen)
    return _cells(view, across, up)


def _check_names(outcome: Outcome, x: str | None, y: str | None) -> None:
    for name in (x, y):
        if name is not None and name not in outcome.names:
            raise UnknownNameError(
                "swept name", name, outcome.names, fix="An axis is a swept name."
            )
    if x is not None and x == y:
        raise ParameterError(
            f"heatmap(x={x!r}, y={y!r})",
            rule="the axes are two different names.",
            fix="Leave y out to have the next name.",
        )


def _chosen(axes: Sequence[Axis], x: str | None, y: str | None) -> list[Axis]:
    """Return one or two axes: the given names, then the first ones with several values."""
    free = [axis.name for axis in axes if axis.name not in (x, y) and len(axis.values) > 1]
    names = [name or (free.pop(0) if free else None) for name in (x, y)]
    by_name = {axis.name: axis for axis in axes}
    return [by_name[name] for name in names if name] or [axes[0]]


def _levels(view: View, axis: Axis) -> Levels:
    """Place the values of a name along an axis, thinned to a readable number."""
    most, n = MOST_LEVELS, len(axis.values)
    if not view.space.is_grid:
        most = min(max(math.isqrt(view.space.n_columns), _FEWEST_BINS), _MOST_BINS)
    texts = short_texts(axis.values)
    if n <= most:
        return Levels(axis.name, axis.code, texts)
    if axis.ordered:
        edges = [math.ceil(k * n / most) for k in range(most + 1)]
        labels = [
            texts[a] if b - a == 1 else f"{texts[a]} to {texts[b - 1]}" for a, b in pairwise(edges)
        ]
        note = f" The {n:,} values of {axis.name} share {most} cells."
        return Levels(axis.name, axis.code * most // n, labels, note)
    top = np.full(n, -np.inf)
    np.fmax.at(top, axis.code, view.good)
    kept = np.sort(np.argsort(-top, kind="stable")[:most])
    position = np.full(n, -1)
    position[kept] = np.arange(most)
    note = f" Of the {n:,} values of {axis.name} the best {most} are shown."
    return Levels(axis.name, position[axis.code], [texts[k] for k in kept], note)


def _cells(view: View, across: Levels, up: Levels) -> tuple[go.Figure, str]:
    import plotly.graph_objects as go

    cells = _grouped(view, across, up)
    cells["hover"] = [_hover(view, cell, across, up) for cell in cells.itertuples()]
    shape = len(up.labels), len(across.labels)
    place = cells["y"].to_numpy(), cells["x"].to_numpy()
    figure = go.Figure(layout=layout(min(640, 190 + 24 * shape[0])) | {"hovermode": "closest"})

    def add(name: str, value: str, **options: Any) -> None:
        """Add the cells of one kind as a layer."""
        ours = (cells["kind"] == name).to_numpy()
        z, hover = np.full(shape, np.nan), np.full(shape, "", "O")
        z[place] = np.where(ours, cells[value], np.nan)
        hover[place] = np.where(ours, cells["hover"], "")
        figure.add_heatmap(
            **{"x": across.labels, "y": up.labels, "z": z, "hovertext": hover, "name": name},
            **dict.fromkeys(("xgap", "ygap"), 1 if max(shape) <= 40 else 0),
            **{"hovertemplate": "%{hovertext}<extra></extra>", "hoverongaps": False, **options},
        )

    for name, colour in _GREYS.items():
        if (cells["kind"] == name).any():
            scale = [[0, colour], [1, colour]]
            add(name, "size", colorscale=scale, showscale=False, showlegend=True)
    add("", "median", **colour_bar(view.metric, cells["median"].to_numpy()))
    x, y = (part.labels[part.position[view.best]] for part in (across, up))
    figure.add_scatter(**best_mark(view, [x], y=[y]))
    for update, part, n in (
        (figure.update_xaxes, across, shape[1]),
        (figure.update_yaxes, up, shape[0]),
    ):
        title = escape(part.name, quote=False)
        update(title_text=title, type="category", showgrid=False, range=[-0.5, n - 0.5])
    return figure, _note(view, (across.name, up.name), cells) + across.note + up.note


def _grouped(view: View, across: Levels, up: Levels) -> pd.DataFrame:
    """Return the cells that hold columns, with statistics and the kind: "" or a name of a grey."""
    import pandas as pd

    table = pd.DataFrame(
        {
            "x": across.position,
            "y": up.position,
            "value": view.values,
            "column": np.arange(view.values.size),
            "invalid": [variant.column is None for variant in view.outcome.variants],
        }
    )
    cells = (
        table[(table["x"] >= 0) & (table["y"] >= 0)]
        .groupby(["y", "x"], as_index=False)
        .agg(
            median=("value", "median"),
            low=("value", "min"),
            high=("value", "max"),
            known=("value", "count"),
            size=("value", "size"),
            column=("column", "first"),
            invalid=("invalid", "max"),
        )
    )
    invalid, unknown = _GREYS
    cells["kind"] = np.where(cells["invalid"], invalid, unknown)
    cells.loc[cells["known"] > 0, "kind"] = ""
    return cells


def _hover(view: View, cell: Any, across: Levels, up: Levels) -> str:
    """Return the hover text of a cell."""
    shown = metric_figure(view.metric)
    parts = ((part.name, part.labels[part.position[cell.column]]) for part in (across, up))
    place = ", ".join(f"{escape(name, quote=False)} {label}" for name, label in parts)
    if cell.size == 1:
        params = escape(params_text(view.outcome, cell.column), quote=False)
        place = f"column {cell.column}: {params}"
    if not cell.known:
        return "<br>".join([place, *_why(view.outcome, cell.column, cell.size)])
    value = f"{shown.label} <b>{shown.text(cell.median)}</b>"
    if cell.size > 1:
        span = f"{shown.text(cell.low)} to {shown.text(cell.high)}"
        counts = f"median of {cell.known:,} of {cell.size:,} columns"
        return "<br>".join([place, f"{value}, {span}", counts])
    metrics = view.outcome.metrics
    others = ((metric_figure(k), metrics[k]) for k in MORE_METRICS if k != view.metric)
    return "<br>".join(
        [place, value, *(f"{x.label} {x.text(values[cell.column])}" for x, values in others)]
    )


def _why(outcome: Outcome, column: int, size: int) -> list[str]:
    """Return the reason why a cell has no value, in lines."""
    variant = outcome.variants[column]
    why = "not run" if not outcome.ran[column] else "the figure is not defined"
    lines = textwrap.wrap(f"invalid: {variant.reason}" if variant.column is None else why, 70)
    more = [f"and {size - 1:,} more without a value"] if size > 1 else []
    return [escape(line, quote=False) for line in [*lines, *more]]


def _note(view: View, names: tuple[str, str], cells: pd.DataFrame) -> str:
    label = metric_figure(view.metric).label
    others = [name for name in view.outcome.names if name not in names]
    if (cells["size"] == 1).all():
        return f"{label} by {names[0]} and {names[1]}."
    over = f"all values of {', '.join(others)}" if others else "the columns of a cell"
    return f"{label} by {names[0]} and {names[1]}: the median over {over}."


def _line(view: View, axis: Axis) -> tuple[go.Figure, str]:
    """Draw a metric along one name of numbers."""
    import plotly.graph_objects as go

    label, place = metric_figure(view.metric).label, np.asarray(axis.values)
    columns = np.argsort(axis.code, kind="stable")
    columns = columns[thin(view.values[columns], MOST_POINTS)]
    figure = go.Figure(layout=layout(380) | {"hovermode": "closest"})
    figure.add_scatter(
        x=place[axis.code[columns]],
        y=view.values[columns],
        text=hovers(view, columns),
        hovertemplate="%{text}<extra></extra>",
        mode="lines+markers" if view.space.is_grid else "markers",
        line={"color": BLUE, "width": 1.6},
        showlegend=False,
    )
    figure.add_scatter(**best_mark(view, [place[axis.code[view.best]]]))
    figure.update_xaxes(title_text=escape(axis.name, quote=False))
    figure.update_yaxes(title_text=escape(label), tickformat=tick_format(view.metric))
    return figure, f"{label} by {axis.name}."


def _bars(view: View, axis: Axis) -> tuple[go.Figure, str]:
    """Draw a metric for the values of one name of words, the best on top."""
    import plotly.graph_objects as go

    label, place = metric_figure(view.metric).label, np.asarray(short_texts(axis.values), object)
    ranked = np.argsort(-view.good, kind="stable")[:MOST_BARS][::-1]  # NaN come last
    known = ranked[np.isfinite(view.values[ranked])]
    figure = go.Figure(layout=layout(110 + 26 * known.size) | {"hovermode": "closest"})
    figure.add_bar(
        x=view.values[known],
        y=place[axis.code[known]],
        orientation="h",
        hovertext=hovers(view, known),
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": BLUE, "opacity": 0.75},
        showlegend=False,
    )
    value, where = view.values[view.best], place[axis.code[view.best]]
    figure.add_scatter(**best_mark(view, [value], y=[where]))
    figure.update_xaxes(title_text=escape(label), tickformat=tick_format(view.metric))
    ranks = place[axis.code[known]]
    figure.update_yaxes(type="category", categoryarray=ranks, showgrid=False)
    few = f" The best {known.size} of {len(place):,}." if known.size < len(place) else ""
    return figure, f"{label} by {axis.name}.{few}"
