"""The figure of an explanation: expressions as indented trees, one part in each line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from alphalab.research.pages.style import AMBER, BLUE, GREY, INK, layout
from alphalab.research.results.value_tree import Node, number

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LINE = 26  # height of a line, pixels
_ACROSS = 34  # indents in the width of the figure
_MOST_LETTERS = 90


class _Line(NamedTuple):
    """One line of the figure: its indent, the line of its reader, and its text."""

    depth: int
    reader: int
    text: str
    value: str
    colour: str
    whole: str


def tree_plot(trees: Mapping[str, Node], title: str) -> go.Figure:
    """Return trees as one Plotly figure, each part with its value in a line below its reader.

    Parameters
    ----------
    trees : mapping of str to Node
    title : str
    """
    import plotly.graph_objects as go

    lines: list[_Line] = []
    for name, tree in trees.items():
        lines.append(_Line(0, -1, f"<b>{escape(name, quote=False)}</b>", "", INK, name))
        _add(lines, tree, len(lines) - 1)
    figure = go.Figure(layout=layout(70 + _LINE * len(lines)))
    figure.add_scatter(
        **_joints(lines), mode="lines", line={"color": GREY, "width": 1}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=[line.depth for line in lines],
        y=list(range(len(lines))),
        text=[f"  {line.text}{line.value}" for line in lines],
        hovertext=[escape(line.whole, quote=False) for line in lines],
        hoverinfo="text",
        mode="markers+text",
        marker={"size": 7, "color": [line.colour for line in lines]},
        textposition="middle right",
        textfont={"size": 13},
        cliponaxis=False,
    )
    hidden = {"visible": False, "fixedrange": True}
    figure.update_xaxes(range=[-0.5, _ACROSS], **hidden)
    figure.update_yaxes(range=[len(lines) - 0.5, -0.5], **hidden)
    return figure.update_layout(
        title={"text": escape(title, quote=False), "font": {"size": 14}, "x": 0, "xref": "paper"},
        margin={"l": 8, "b": 8},
        showlegend=False,
        hovermode="closest",
    )


def _add(lines: list[_Line], node: Node, reader: int) -> None:
    value, colour = number(node.value), AMBER if math.isnan(node.value) else BLUE
    text = node.text if len(node.text) <= _MOST_LETTERS else f"{node.text[: _MOST_LETTERS - 1]}…"
    own = len(lines)
    end = f" = <b style='color:{colour}'>{value}</b>"
    shown = escape(text, quote=False)
    lines.append(_Line(lines[reader].depth + 1, reader, shown, end, colour, node.text))
    for part in node.parts:
        _add(lines, part, own)


def _joints(lines: list[_Line]) -> dict[str, list[float | None]]:
    """Return the lines that join each part to its reader: down, then right."""
    points = [point for place, line in enumerate(lines) for point in _joint(lines, place, line)]
    return {"x": [x for x, _ in points], "y": [y for _, y in points]}


def _joint(
    lines: list[_Line], place: int, line: _Line
) -> Iterator[tuple[float | None, float | None]]:
    if line.reader >= 0:
        above = lines[line.reader].depth
        yield from ((above, line.reader), (above, place), (line.depth, place), (None, None))
