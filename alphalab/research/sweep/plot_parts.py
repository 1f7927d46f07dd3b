"""Parts that the figures of a sweep share: texts of values, colours, titles and marks."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alphalab.research.pages.style import AMBER, BLUE, INK, MUTED
from alphalab.research.results import figures
from alphalab.research.results.tally_metrics import SMALLER_IS_BETTER
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.robustness import View
from alphalab.research.sweep.space import Axis
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import plotly.graph_objects as go


#: Metrics whose sign separates gains from losses.
SIGNED = ("total_return", "annual_return", "sharpe", "sortino", "calmar", "carry")

_REACH = 0.98  # share of the values within the range of colours
_TICKS: dict[Any, str] = {figures.percent: ",.2~%", figures.money: "~s", figures.count: "~s"}
_TITLE_WIDTH, _LABEL_WIDTH = 120, 40  # characters


def metric_figure(metric: str) -> figures.Figure:
    """Return label and format of a metric."""
    label = metric.removeprefix("n_").replace("_", " ").capitalize()
    return figures.FIGURES.get(metric, figures.Figure(label, figures.count, ""))


def tick_format(metric: str) -> str:
    """Return the Plotly format of a metric on an axis."""
    return _TICKS.get(metric_figure(metric).show, ",.3~f")


def value_text(value: Any) -> str:
    """Return a swept value as text, numbers as short as possible.

    Examples
    --------
    >>> [value_text(value) for value in (5, 20.0, 0.1, 1e6, None, "ohlc")]
    ['5', '20', '0.1', '1000000', 'None', 'ohlc']
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return str(value)


def params_text(outcome: Outcome, column: int) -> str:
    """Return the swept values of a column, as in ``fast 5, slow 20``."""
    params = outcome.variants[column].params
    return ", ".join(f"{name} {value_text(params[name])}" for name in outcome.names)


def colours(metric: str, values: FloatArray) -> dict[str, Any]:
    """Return a scale of colours for a metric, without the extreme 2 % of its values.

    Losses are amber and gains blue; metrics without a sign go from dark (bad) to bright (good).
    """
    known = values[np.isfinite(values)]
    if metric in SIGNED:
        reach = float(np.quantile(np.abs(known), _REACH)) or 1.0
        scale: Any = [[0, AMBER], [0.5, "#ffffff"], [1, BLUE]]
        return {"colorscale": scale, "cmin": -reach, "cmax": reach}
    low, high = np.quantile(known, ((1 - _REACH) / 2, (1 + _REACH) / 2)).tolist()
    if low == high:
        low, high = low - 0.5, high + 0.5
    reverse = metric in SMALLER_IS_BETTER
    return {"colorscale": "Viridis", "reversescale": reverse, "cmin": low, "cmax": high}


def colour_bar(metric: str) -> dict[str, Any]:
    """Return the legend of a scale of colours."""
    return {
        "title": {"text": metric_figure(metric).label, "font": {"color": MUTED}},
        "tickformat": tick_format(metric),
        "tickfont": {"color": MUTED},
        "thickness": 10,
        "outlinewidth": 0,
    }


def titled(figure: go.Figure, text: str) -> go.Figure:
    """Put a sentence above a figure; `untitled` takes it off again."""
    lines = textwrap.wrap(text, _TITLE_WIDTH)
    title = {
        "text": "<br>".join(escape(line, quote=False) for line in lines),
        "font": {"size": 12, "color": MUTED},
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"t": 10},
    }
    extra = 17 * len(lines)
    top = figure.layout.margin.t or figure.layout.template.layout.margin.t
    return figure.update_layout(
        title=title,
        meta={"note": text, "note_height": extra},
        margin_t=top + extra,
        height=figure.layout.height + extra,
    )


def untitled(figure: go.Figure) -> tuple[go.Figure, str]:
    """Return a figure without its sentence, and the sentence, for a page to print it."""
    note, height = figure.layout.meta["note"], figure.layout.meta["note_height"]
    top, whole = figure.layout.margin.t - height, figure.layout.height - height
    return figure.update_layout(title=None, meta=None, margin_t=top, height=whole), note


def best_mark(view: View, x: Sequence[Any], **options: Any) -> dict[str, Any]:
    """Return the mark of the best column; at the height of its value unless y is given."""
    value = view.values[view.best]
    return {
        "x": x,
        "y": [value],
        "name": f"Best: {metric_figure(view.metric).text(value)}",
        "mode": "markers",
        "marker": {"symbol": "circle-open", "size": 13, "color": INK, "line": {"width": 2.5}},
        "hoverinfo": "skip",
        "cliponaxis": False,
        "showlegend": True,
        **options,
    }


def short_texts(values: Sequence[Any]) -> list[str]:
    """Return values as labels: short, all different, and no markup.

    Examples
    --------
    >>> short_texts([1.0, "close > open", "a" * 50, "a" * 60])
    ['1', 'close &gt; open', 'aaa...aaa…', 'aaa...aaa… (2)']
    """
    seen: Counter[str] = Counter()
    labels = []
    for value in values:
        text = value_text(value)
        text = text if len(text) <= _LABEL_WIDTH else f"{text[: _LABEL_WIDTH - 1]}…"
        seen[text] += 1
        labels.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return [escape(label, quote=False) for label in labels]


def places(axis: Axis) -> NDArray[Any]:
    """Return the axis positions of the values of a name: numbers, or labels."""
    if axis.ordered:
        return np.asarray(axis.values)
    return np.asarray(short_texts(axis.values), object)


def hovers(view: View, columns: IntArray) -> list[str]:
    """Return the hover texts of columns."""
    shown = metric_figure(view.metric)
    return [
        f"column {column}: {escape(params_text(view.outcome, column), quote=False)}"
        f"<br>{escape(shown.label)} {shown.text(view.values[column])}"
        for column in columns.tolist()
    ]
