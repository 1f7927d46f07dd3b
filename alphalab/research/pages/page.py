"""HTML pages that need neither other files nor a network, and their parts.

The Content-Security-Policy of a page forbids every load, and all text from outside (names of
strategies, symbols, sources, warnings) is escaped.
"""

from __future__ import annotations

import contextlib
import os
import string
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alphalab.errors import InputError
from alphalab.research.pages.style import FONT, MODE_BAR

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from alphalab.data.panel.bars import Bars


class Page(NamedTuple):
    """The content of a page, from top to bottom.

    Parameters
    ----------
    title : str
        Title of the window.
    heading, detail : str
        The main heading, and the small print beside it.
    about : iterable of str
        Parts of the line below; empty ones are left out.
    remarks : iterable of str
        Warnings at the top.
    tiles, sections : iterable of str
        HTML.
    assumptions : mapping of str to str
        Assumptions by label.
    footer : str
    """

    title: str
    heading: str
    detail: str
    about: Iterable[str]
    remarks: Iterable[str]
    tiles: Iterable[str]
    sections: Iterable[str]
    assumptions: Mapping[str, str]
    footer: str

    def html(self) -> str:
        """Return the page."""
        template = resources.files(__package__).joinpath("page.html").read_text("utf-8")
        items = "".join(f"<li>{escape(remark)}</li>" for remark in self.remarks)
        return string.Template(template).substitute(
            title=escape(f"{self.title} · alphalab"),
            font=FONT,
            plotly=_packed_plotly(),
            heading=escape(self.heading),
            detail=escape(self.detail),
            about=escape(" · ".join(filter(None, self.about))),
            warnings=f'<div class="warning"><b>Read first</b><ul>{items}</ul></div>'
            if items
            else "",
            tiles="\n".join(self.tiles),
            sections="\n".join(self.sections),
            assumptions=_assumptions(self.assumptions),
            footer=escape(self.footer),
        )


def _assumptions(texts: Mapping[str, str]) -> str:
    if not texts:
        return ""
    items = "\n".join(
        f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in texts.items()
    )
    return f'<section id="assumptions">\n<h2>Assumptions</h2>\n<dl>\n{items}\n</dl>\n</section>'


def packed(text: str) -> str:
    """Return text as base64 of gzip, which the page unpacks: 2 MB for Plotly in place of 5."""
    import base64
    import gzip

    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


@cache
def _packed_plotly() -> str:
    from plotly.offline import get_plotlyjs

    return packed(get_plotlyjs())


def write(html: str, path: str | os.PathLike[str]) -> Path:
    """Write a page.

    Parameters
    ----------
    html : str
    path : path-like
        The file appears only when it is complete; missing folders are made.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        A path that cannot be written; no partial file is left.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(html, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise InputError(
            f"cannot write the report {path}: {error.strerror}",
            rule="a report is a file in a folder that can be written.",
        ) from None
    return path


def about(bars: Bars) -> tuple[str, ...]:
    """Return source, symbols, period and number of rows of bars."""
    symbols = bars.symbols[0] if bars.n_symbols == 1 else f"{bars.n_symbols} symbols"
    return bars.source, symbols, f"{bars.start[:10]} to {bars.end[:10]}", f"{bars.n_rows:,} rows"


def tile(label: str, text: str, colour: str = "", below: str = "") -> str:
    """Return a tile: a figure in large type below its name, and small print below it."""
    name, figure = escape(label), escape(text)
    small = f"<span>{escape(below)}</span>" if below else ""
    return f'<div class="tile"><span>{name}</span><b class="{colour}">{figure}</b>{small}</div>'


def section(title: str, body: str, note: str = "") -> str:
    """Return a section: a title, a note, and a body of HTML."""
    below = f"<p>{escape(note)}</p>" if note else ""
    return f'<section><h2>{escape(title)}</h2>{below}<div class="scroll">{body}</div></section>'


def chart(title: str, figure: go.Figure, note: str = "", below: str = "") -> str:
    """Return a section with a figure, and HTML below it; pages have no mode bar, nor its strip."""
    import plotly.graph_objects as go

    layout = figure.layout
    top = layout.margin.t if layout.margin.t is not None else layout.template.layout.margin.t
    cut = MODE_BAR if top >= MODE_BAR else 0
    height = layout.height - cut
    figure = go.Figure(figure).update_layout(height=height, margin_t=top - cut)
    body = (
        f'<div class="chart" style="height:{height}px"></div>'
        f'<script type="application/gzip" class="figure">{packed(str(figure.to_json()))}</script>'
    )
    return section(title, body + below, note)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], text: int = 1) -> str:
    """Return a table of HTML cells; the first `text` columns hold words."""

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


def sign(value: float) -> str:
    """Return the CSS class of a gain or a loss."""
    return "up" if value > 0 else "down" if value < 0 else ""


def signed(value: float, text: str) -> str:
    """Return a figure in the colour of its sign."""
    return f'<span class="{sign(value)}">{text}</span>'
