"""Pages that need nothing else, neither files nor a network, and their parts.

A page's Content-Security-Policy forbids every load, and all text that came from outside (names of
strategies, symbols, sources, warnings) is escaped.
"""

from __future__ import annotations

import contextlib
import os
import string
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alphalab.errors import InputError
from alphalab.research.pages.style import FONT

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from alphalab.data.panel.bars import Bars


class Page(NamedTuple):
    """What a page says, in its order from top to bottom.

    Parameters
    ----------
    title : str
        What a window is named by.
    heading, detail : str
        What it is about, and the small print beside it.
    about : iterable of str
        The line below; what is empty is left out.
    remarks : iterable of str
        What has to be read first.
    tiles, sections : iterable of str
        HTML already.
    assumptions : mapping of str to str
        What it rests on, by label.
    footer : str
    compiles : bool
        Whether a figure compiles what it draws with, as WebGL does in plotly.js: the page then
        has to allow it.
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
    compiles: bool = False

    def html(self) -> str:
        """Return the page."""
        from plotly.offline import get_plotlyjs

        template = resources.files(__package__).joinpath("page.html").read_text("utf-8")
        items = "".join(f"<li>{escape(remark)}</li>" for remark in self.remarks)
        return string.Template(template).substitute(
            title=escape(f"{self.title} · alphalab"),
            scripts="'unsafe-inline' 'unsafe-eval'" if self.compiles else "'unsafe-inline'",
            font=FONT,
            plotly=get_plotlyjs(),
            heading=escape(self.heading),
            detail=escape(self.detail),
            about=escape(" · ".join(filter(None, self.about))),
            warnings=f'<div class="warning"><b>Read first</b><ul>{items}</ul></div>'
            if items
            else "",
            tiles="\n".join(self.tiles),
            sections="\n".join(self.sections),
            assumptions="\n".join(
                f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>"
                for label, text in self.assumptions.items()
            ),
            footer=escape(self.footer),
        )


def write(html: str, path: str | os.PathLike[str]) -> Path:
    """Write a page.

    Parameters
    ----------
    html : str
    path : path-like
        Its folders are made. The page appears under this name when it is complete.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        A path that cannot be written; nothing is left behind.
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
    """Return which data it was: source, symbols, period and rows."""
    symbols = bars.symbols[0] if bars.n_symbols == 1 else f"{bars.n_symbols} symbols"
    return bars.source, symbols, f"{bars.start[:10]} to {bars.end[:10]}", f"{bars.n_rows:,} rows"


def tile(label: str, text: str, colour: str = "") -> str:
    """Return a tile: a figure in large type below its name."""
    name, figure = escape(label), escape(text)
    return f'<div class="tile"><span>{name}</span><b class="{colour}">{figure}</b></div>'


def section(title: str, body: str, note: str = "") -> str:
    """Return a section: a title, a note, and a body that is HTML already."""
    said = f"<p>{escape(note)}</p>" if note else ""
    return f'<section><h2>{escape(title)}</h2>{said}<div class="scroll">{body}</div></section>'


def chart(
    title: str, figure: go.Figure, note: str = "", below: str = "", wide: bool = False
) -> str:
    """Return a section with a figure, and HTML below it; a wide one scrolls in narrow windows."""
    # Inside a script element only "<" could end it early.
    data = str(figure.to_json()).replace("<", "\\u003c")
    height = figure.layout.height
    body = (
        f'<div class="chart{" wide" if wide else ""}" style="height:{height}px"></div>'
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


def sign(value: float) -> str:
    """Return the class of a figure that is a gain or a loss."""
    return "up" if value > 0 else "down" if value < 0 else ""


def signed(value: float, text: str) -> str:
    """Return a figure in the colour of its sign."""
    return f'<span class="{sign(value)}">{text}</span>'
