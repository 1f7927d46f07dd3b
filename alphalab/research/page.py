"""Parts of the report's page: sections, charts, tables."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from alphalab.research import plots

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from alphalab.research.result import Result


def section(title: str, body: str, note: str = "") -> str:
    """Return a section: a title, a note, and a body that is HTML already."""
    said = f"<p>{escape(note)}</p>" if note else ""
    return f'<section><h2>{escape(title)}</h2>{said}<div class="scroll">{body}</div></section>'


def chart(title: str, figure: go.Figure, note: str = "", below: str = "") -> str:
    """Return a section with a figure, and HTML below it."""
    # Inside a script element only "<" could end it early.
    data = str(figure.to_json()).replace("<", "\\u003c")
    height = figure.layout.height
    body = (
        f'<div class="chart" style="height:{height}px"></div>'
        f'<script type="application/json">{data}</script>'
    )
    return section(title, body + below, note)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], text: int = 1) -> str:
    """Return a table of cells that are HTML already; the first `text` columns are words."""

    def line(cells: Iterable[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=text' if i < text else ''}>{cell}</{tag}>"
            for i, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def quiet(text: str) -> str:
    """Return a sentence in place of a table."""
    return f"<p class=quiet>{escape(text)}</p>"


def when(result: Result, row: int) -> str:
    """Return the time of a row as text."""
    return str(plots.dates(result, np.array([row]))[0]).replace("T", " ")


def sign(value: float) -> str:
    """Return the class of a figure that is a gain or a loss."""
    return "up" if value > 0 else "down" if value < 0 else ""


def signed(value: float, text: str) -> str:
    """Return a figure in the colour of its sign."""
    return f'<span class="{sign(value)}">{text}</span>'
