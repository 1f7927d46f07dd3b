"""The look that all figures share: colours, fonts, layout."""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID = "#1b2733", "#66727f", "#e6eaef"
BLUE, GREY, GREEN, RED, AMBER = "#2557a7", "#98a3af", "#1c8a5b", "#c23b32", "#c9781a"
PURPLE, TEAL = "#7a4fa3", "#2a8c99"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

#: Height of the strip above a figure, pixels, that Plotly's mode bar has for itself in a notebook.
MODE_BAR = 28

#: Most points of one line; beyond it a line keeps the extremes of equal buckets of rows.
MOST_POINTS = 6_000


def layout(height: int) -> dict[str, Any]:
    """Return the layout that all figures share; `height` is without the strip of the mode bar."""
    axis = {
        "linecolor": GRID,
        "zerolinecolor": GREY,
        "automargin": True,
        "title": {"font": {"size": 12, "color": MUTED}, "standoff": 8},
        "tickfont": {"color": MUTED},
    }
    style = {
        "font": {"family": FONT, "size": 12, "color": INK},
        "margin": {"l": 64, "r": 16, "t": 40 + MODE_BAR, "b": 44},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": axis | {"showgrid": False, "zeroline": False},
        "yaxis": axis | {"gridcolor": GRID, "zeroline": True, "zerolinewidth": 1},
    }
    return {"template": {"layout": style}, "height": height + MODE_BAR}


def faint(colour: str, opacity: float = 0.16) -> str:
    """Return a colour, ``#rrggbb``, as a transparent one."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
