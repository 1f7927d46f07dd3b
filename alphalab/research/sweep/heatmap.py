"""The heat map of a sweep: one metric over two swept names, or along one."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alphalab.errors import ParameterError, UnknownNameError
from alphalab.research.pages.style import BLUE, MOST_POINTS, layout
from alphalab.research.pages.thinning import thin
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import (
    best_mark,
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
from alphalab.research.sweep.space import Axis
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


#: Most values of an axis that have cells of their own.
MOST_LEVELS = 100
#: Most bars for a swept name of words.
MOST_BARS = 30
#: Further metrics in the hover text.
MORE_METRICS = ("sharpe", "total_return", "max_drawdown", "n_round_trips")

_INVALID, _UNKNOWN = "#c5ccd4", "#e9edf1"
_FEWEST_BINS, _MOST_BINS = 6, 40


class Levels(NamedTuple):
    """Positions of the columns along an axis, (C,), -1 for hidden ones, and the axis labels."""

    name: str
    position: IntArray
    labels: list[str]
    note: str


def heatmap(
    outcome: Outcome, x: str | None = None, y: str | None = None, metric: str | None = None
) -> go.Figure:
    """One metric over two swept names as colours; over one name as a line, or bars for words.

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
    given = [axis for name in (x, y) for axis in axes if axis.name == name]
    free = [axis for axis in axes if axis.name not in (x, y) and len(axis.values) > 1]
    both = [*given, *free] or list(axes)
    if x is None and y is not None and free:
        both = [free[0], *given]
    return both[:2] if given or free else both[:1]


def _levels(view: View, axis: Axis) -> Levels:
    """Place the values of a name along an axis, thinned to a readable number."""
    most, n = MOST_LEVELS, len(axis.values)
    if not view.space.is_grid:
        most = min(max(math.isqrt(view.space.n_columns), _FEWEST_BINS), _MOST_BINS)
    if n <= most:
        return Levels(axis.name, axis.code, short_texts(axis.values), "")
    if axis.ordered:
        texts = short_texts(axis.values)
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
    return Levels(axis.name, position[axis.code], short_texts([axis.values[k] for k in kept]), note)


def _cells(view: View, across: Levels, up: Levels) -> go.Figure:
    import plotly.graph_objects as go

    shape = len(up.labels), len(across.labels)
    cells = _grouped(view, across, up)
    middle, unknown, hover = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, "", "O")
    place = np.divmod(cells.index.to_numpy(), shape[1])
    middle[place] = cells["median"]
    unknown[place] = np.where(cells["median"].isna(), cells["invalid"], np.nan)
    hover[place] = _hovers(view, cells, across, up)
    gap = 1 if max(shape) <= 40 else 0
    shared = {"x": across.labels, "y": up.labels, "xgap": gap, "ygap": gap}
    shared |= {"hovertemplate": "%{hovertext}<extra></extra>", "hoverongaps": False}
    figure = go.Figure(layout=layout(min(640, 190 + 24 * shape[0])))
    if np.isfinite(unknown).any():
        _add_unknown(figure, unknown, np.where(np.isnan(unknown), "", hover), shared)
    scale = colours(view.metric, middle)
    shared |= {"zmin": scale.pop("cmin"), "zmax": scale.pop("cmax")}
    hover[np.isnan(middle)] = ""
    figure.add_heatmap(
        z=middle, hovertext=hover, colorbar=colour_bar(view.metric), **scale, **shared
    )
    x, y = (part.labels[part.position[view.best]] for part in (across, up))
    figure.add_scatter(**best_mark(view, [x], y=[y]))
    figure.update_layout(hovermode="closest")
    for update, name, n in (
        (figure.update_xaxes, across.name, shape[1]),
        (figure.update_yaxes, up.name, shape[0]),
    ):
        title = escape(name, quote=False)
        update(title_text=title, type="category", showgrid=False, range=[-0.5, n - 0.5])
    return titled(figure, _note(view, (across.name, up.name), cells) + across.note + up.note)


def _grouped(view: View, across: Levels, up: Levels) -> pd.DataFrame:
    """Return the cells that hold columns, by their place in rows from the bottom."""
    import pandas as pd

    shown = (across.position >= 0) & (up.position >= 0)
    cell = up.position * len(across.labels) + across.position
    table = pd.DataFrame(
        {
            "value": view.values,
            "column": np.arange(view.values.size),
            "invalid": [variant.column is None for variant in view.outcome.variants],
        }
    )
    groups = table[shown].groupby(cell[shown])
    return groups.agg(
        median=("value", "median"),
        low=("value", "min"),
        high=("value", "max"),
        known=("value", "count"),
        size=("value", "size"),
        column=("column", "first"),
        invalid=("invalid", "max"),
    )


def _add_unknown(
    figure: go.Figure, unknown: FloatArray, hover: NDArray[Any], shared: dict[str, Any]
) -> None:
    """Add the cells without a value."""
    figure.add_heatmap(
        z=unknown,
        hovertext=hover,
        zmin=0,
        zmax=1,
        colorscale=[[0, _UNKNOWN], [1, _INVALID]],
        showscale=False,
        **shared,
    )
    for value, name, colour in ((1, "Invalid", _INVALID), (0, "Without a value", _UNKNOWN)):
        if (unknown == value).any():
            mark = {"symbol": "square", "size": 11, "color": colour}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=mark, name=name)


def _hovers(view: View, cells: pd.DataFrame, across: Levels, up: Levels) -> list[str]:
    """Return the hover text of every cell."""
    shown, texts = metric_figure(view.metric), []
    more = [(metric_figure(k), view.outcome.metrics[k]) for k in MORE_METRICS if k != view.metric]
    names = [escape(part.name, quote=False) for part in (across, up)]
    columns = (cells[name].tolist() for name in ("column", "size", "known", "median"))
    spans = zip(cells["low"].tolist(), cells["high"].tolist(), strict=True)
    for column, size, known, median, span in zip(*columns, spans, strict=True):
        x, y = (part.labels[part.position[column]] for part in (across, up))
        place = f"{names[0]} {x}, {names[1]} {y}"
        if size == 1:
            params = escape(params_text(view.outcome, column), quote=False)
            place = f"column {column}: {params}"
        value = f"{shown.label} <b>{shown.text(median)}</b>"
        if not known:
            lines = [place, _why(view.outcome, column, size)]
        elif size == 1:
            lines = [place, value, *(f"{other.label} {other.text(x[column])}" for other, x in more)]
        else:
            low, high = map(shown.text, span)
            lines = [place, f"{value}, {low} to {high}", f"median of {known:,} of {size:,} columns"]
        texts.append("<br>".join(lines))
    return texts


def _why(outcome: Outcome, column: int, size: int) -> str:
    """Return the reason why a cell has no value."""
    variant = outcome.variants[column]
    why = "not run" if not outcome.ran[column] else "the figure is not defined"
    lines = textwrap.wrap(f"invalid: {variant.reason}" if variant.column is None else why, 70)
    more = [f"and {size - 1:,} more without a value"] if size > 1 else []
    return "<br>".join(escape(line, quote=False) for line in [*lines, *more])


def _note(view: View, names: tuple[str, str], cells: pd.DataFrame) -> str:
    label = metric_figure(view.metric).label
    others = [name for name in view.outcome.names if name not in names]
    if (cells["size"] == 1).all():
        return f"{label} by {names[0]} and {names[1]}."
    over = f"all values of {', '.join(others)}" if others else "the columns of a cell"
    return f"{label} by {names[0]} and {names[1]}: the median over {over}."


def _line(view: View, axis: Axis) -> go.Figure:
    """Draw a metric along one name of numbers."""
    import plotly.graph_objects as go

    label = metric_figure(view.metric).label
    columns = np.argsort(axis.code, kind="stable")
    columns = columns[thin(view.values[columns], MOST_POINTS)]
    figure = go.Figure(layout=layout(380) | {"hovermode": "closest"})
    place = places(axis)
    figure.add_scatter(
        x=place[axis.code[columns]],
        y=view.values[columns],
        text=hovers(view, columns),
        hovertemplate="%{text}<extra></extra>",
        mode="lines+markers" if view.space.is_grid else "markers",
        line={"color": BLUE, "width": 1.6},
        marker={"color": BLUE, "size": 5},
        showlegend=False,
    )
    figure.add_scatter(**best_mark(view, [place[axis.code[view.best]]]))
    figure.update_xaxes(title_text=escape(axis.name, quote=False))
    figure.update_yaxes(title_text=escape(label), tickformat=tick_format(view.metric))
    return titled(figure, f"{label} by {axis.name}.")


def _bars(view: View, axis: Axis) -> go.Figure:
    """Draw a metric for the values of one name of words, the best on top."""
    import plotly.graph_objects as go

    label, place = metric_figure(view.metric).label, places(axis)
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
    order = place[axis.code[known]]
    figure.update_xaxes(title_text=escape(label), tickformat=tick_format(view.metric))
    figure.update_yaxes(type="category", categoryarray=order, showgrid=False)
    few = f" The best {known.size} of {len(place):,}." if known.size < len(place) else ""
    return titled(figure, f"{label} by {axis.name}.{few}")
