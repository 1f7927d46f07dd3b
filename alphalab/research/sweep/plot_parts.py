"""Parts that the figures of a sweep share: texts of values, colours, titles and marks."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.research.pages.style import AMBER, BLUE, INK, MUTED
from alphalab.research.results import figures
from alphalab.research.results.tally_metrics import SMALLER_IS_BETTER
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.robustness import View
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


def colour_bar(metric: str, values: FloatArray) -> dict[str, Any]:
    """Return the options of a heat map that colours a metric.

    Losses are amber and gains blue; metrics without a sign go from dark (bad) to bright (good). The
    extreme 2 % of the values have the end colours.
    """
    known = values[np.isfinite(values)]
    bar = {
        "title": {"text": metric_figure(metric).label, "font": {"color": MUTED}},
        "tickformat": tick_format(metric),
        "tickfont": {"color": MUTED},
        "thickness": 10,
        "outlinewidth": 0,
    }
    if metric in SIGNED:
        reach = float(np.quantile(np.abs(known), _REACH)) or 1.0
        scale = [[0, AMBER], [0.5, "#ffffff"], [1, BLUE]]
        return {"colorbar": bar, "colorscale": scale, "zmin": -reach, "zmax": reach}
    low, high = np.quantile(known, ((1 - _REACH) / 2, (1 + _REACH) / 2)).tolist()
    if low == high:
        low, high = low - 0.5, high + 0.5
    reverse = metric in SMALLER_IS_BETTER
    colours = {"colorscale": "Viridis", "reversescale": reverse}
    return {"colorbar": bar, **colours, "zmin": low, "zmax": high}


def titled(figure: go.Figure, text: str) -> go.Figure:
    """Put a sentence above a figure."""
    lines = textwrap.wrap(text, _TITLE_WIDTH)
    extra = 17 * len(lines)
    return figure.update_layout(
        title={
            "text": "<br>".join(escape(line, quote=False) for line in lines),
            "font": {"size": 12, "color": MUTED},
            **{"x": 0, "xref": "paper", "xanchor": "left"},
            **{"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}},
        },
        margin_t=figure.layout.template.layout.margin.t + extra,
        height=figure.layout.height + extra,
    )


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


def hovers(view: View, columns: IntArray) -> list[str]:
    """Return the hover texts of columns."""
    shown = metric_figure(view.metric)
    return [
        f"column {column}: {escape(params_text(view.outcome, column), quote=False)}"
        f"<br>{escape(shown.label)} {shown.text(view.values[column])}"
        for column in columns.tolist()
    ]
