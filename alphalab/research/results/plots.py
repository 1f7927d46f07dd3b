"""Plotly figures of a run. Long histories are thinned, and the figures say how."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alphalab.codes import Posting
from alphalab.data.clock.times import NS_DAY
from alphalab.research.pages.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    GRID,
    INK,
    MODE_BAR,
    MOST_POINTS,
    MUTED,
    RED,
    faint,
    layout,
)
from alphalab.research.pages.thinning import bucket_means, thin
from alphalab.research.results import metrics, tables
from alphalab.research.results.formulas import ROUNDING
from alphalab.research.results.record import Run
from alphalab.types import FloatArray, IntArray, Records

if TYPE_CHECKING:
    import plotly.graph_objects as go


#: Buckets of rows whose mean exposure is drawn for long runs.
MOST_MEANS = 1_000
_WIDE_RANGE = 5.0  # highest over lowest
_MOST_HEAT_ROWS = 40
_MOST_HEAT_COLUMNS = 300
_SHORTEST_DAY = NS_DAY - NS_DAY // 24  # the day on which clocks go forward


def overview(run: Run) -> go.Figure:
    """Equity against the benchmark, drawdown and exposure under each other, with one time axis."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=3, shared_xaxes=True, row_heights=[0.56, 0.2, 0.24], vertical_spacing=0.05
    )
    figure.update_layout(layout(640), showlegend=True)
    path = run.equity_path
    bench = run.start_equity * np.cumprod(np.append(1.0, 1 + run.benchmark_returns))
    lines = (
        (run.strategy, path, BLUE, 1.6, 2),
        (f"Benchmark: {run.benchmark_name}", bench, GREY, 1.2, 1),
    )
    rows = np.union1d(thin(path[1:], MOST_POINTS), thin(bench[1:], MOST_POINTS))
    falls = [-100 * metrics.drawdowns(values)[1:] for _, values, *_ in lines]
    below = np.union1d(*(thin(fall, MOST_POINTS) for fall in falls))
    for (name, values, colour, width, front), fall in zip(lines, falls, strict=True):
        line = {"color": colour, "width": width}
        figure.add_scatter(
            x=dates(run, rows),
            y=values[1:][rows],
            name=escape(name, quote=False),
            line=line,
            zorder=front,
            row=1,
            col=1,
        )
        ours = values is path
        figure.add_scatter(
            x=dates(run, below),
            y=fall[below],
            name="Drawdown" if ours else "Drawdown of the benchmark",
            line={"color": RED if ours else GREY, "width": 1},
            fill="tozeroy" if ours else None,
            fillcolor=faint(RED),
            showlegend=False,
            zorder=front,
            row=2,
            col=1,
        )
    _add_exposure(figure, run)
    currency = escape(run.currency, quote=False)
    figure.update_yaxes(title_text=f"Equity ({currency})", row=1, col=1, tickformat="~s")
    figure.update_yaxes(title_text="Drawdown (%)", row=2, col=1, ticksuffix=" ")
    figure.update_yaxes(title_text="Exposure (%)", row=3, col=1)
    figure.update_xaxes(title_text="Time (UTC)", row=3, col=1)
    if path.min() > 0:
        add_scale(figure, min(path.min(), bench.min()), max(path.max(), bench.max()))
    return figure


def sampled_equity(name: str, cash: float, time: IntArray, equity: FloatArray) -> go.Figure:
    """Equity at some rows, which a summary keeps, and the drawdown between these.

    Parameters
    ----------
    name : str
        Label of the line.
    cash : float
        Equity before the first row.
    time : ndarray of shape (S,)
        ns UTC.
    equity : ndarray of shape (S,)
        Quote currency.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    figure.update_layout(layout(480), showlegend=False)
    dates = time.view("M8[ns]")
    path = np.append(cash, equity)
    line = {"color": BLUE, "width": 1.6}
    figure.add_scatter(x=dates, y=equity, name=name, line=line, row=1, col=1)
    figure.add_scatter(
        x=dates,
        y=-100 * metrics.drawdowns(path)[1:],
        name="Drawdown",
        line={"color": RED, "width": 1},
        fill="tozeroy",
        fillcolor=faint(RED),
        row=2,
        col=1,
    )
    figure.update_yaxes(title_text=f"Equity at {time.size:,} rows", row=1, col=1, tickformat="~s")
    figure.update_yaxes(title_text="Drawdown (%)", row=2, col=1, ticksuffix=" ")
    figure.update_xaxes(title_text="Time (UTC)", row=2, col=1)
    return figure


def weights(run: Run) -> go.Figure:
    """Weight of each asset over time as colours; the largest 40 by mean absolute weight."""
    means, last = bucket_means(run.held_weights, _MOST_HEAT_COLUMNS)
    largest = np.argsort(-np.nansum(np.abs(means), axis=0), kind="stable")[:_MOST_HEAT_ROWS]
    shown = 100 * means[:, np.sort(largest)].T
    top = float(np.nanmax(np.abs(shown), initial=0.0)) or 1.0
    short = bool(np.nanmin(shown, initial=0.0) < 0)
    colours = [[0, "#ffffff"], [1, BLUE]]
    if short:
        colours = [[0, AMBER], [0.5, "#ffffff"], [1, BLUE]]
    figure = blank(80 + 18 * len(shown), "", hovermode="closest")
    figure.add_heatmap(
        x=dates(run, last),
        y=[escape(run.bars.symbols[asset], quote=False) for asset in np.sort(largest)],
        z=shown,
        zmin=-top if short else 0,
        zmax=top,
        colorscale=colours,
        colorbar={"title": {"text": "Weight (%)"}, "thickness": 10, "outlinewidth": 0},
        hovertemplate="%{y} %{x}<br>weight %{z:.1f} %<extra></extra>",
    )
    figure.update_layout(margin_t=8 + MODE_BAR)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def distribution(run: Run) -> go.Figure:
    """Histogram of the returns of the rows that held something, and the normal curve beside it."""
    returns = active_returns(run)
    figure = blank(330, "Rows", hovermode="closest", bargap=0.04)
    if returns.size < 2 or np.ptp(returns) <= ROUNDING:
        figure.update_xaxes(visible=False).update_yaxes(visible=False)
        return figure.add_annotation(text="No position has moved in value.", showarrow=False)
    mean, spread = returns.mean(), returns.std(ddof=1)
    reach = min(6 * spread, float(np.abs(returns - mean).max()))
    inside = np.clip(returns, mean - reach, mean + reach)
    count, edges = np.histogram(inside, bins=min(81, max(11, math.isqrt(returns.size))))
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    curve = np.linspace(edges[0], edges[-1], 201)
    normal = np.exp(-(((curve - mean) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))
    figure.add_bar(
        x=100 * middle,
        y=count,
        width=100 * width,
        name="Returns",
        marker={"color": [RED if value < 0 else GREEN for value in middle], "opacity": 0.75},
        hovertemplate="%{x:.2f} %: %{y} rows<extra></extra>",
        showlegend=False,
    )
    figure.add_scatter(
        x=100 * curve,
        y=normal * width * returns.size,
        name="Normal with the same mean and deviation",
        line={"color": INK, "width": 1.2, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.update_xaxes(title_text="Return of one row (%)", type="linear")
    return figure


def rolling(run: Run) -> go.Figure:
    """Sharpe ratio and volatility over the last `rolling_window` rows."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08)
    figure.update_layout(layout(330), showlegend=False, margin_t=8 + MODE_BAR)
    table = tables.rolling(run, rolling_window(run))
    for row, (name, title, scale) in enumerate(
        (("sharpe", "Sharpe", 1), ("volatility", "Volatility (%)", 100)), start=1
    ):
        values = scale * table[name].to_numpy()
        rows = thin(values, MOST_POINTS)
        figure.add_scatter(
            x=dates(run, rows),
            y=values[rows],
            name=title,
            line={"color": BLUE, "width": 1.3},
            row=row,
            col=1,
        )
        figure.update_yaxes(title_text=title, row=row, col=1)
    figure.update_xaxes(title_text="Time (UTC)", row=2, col=1)
    return figure


def carry(run: Run) -> go.Figure:
    """Cumulative sum of the postings of each kind."""
    figure = blank(280, f"Sum ({escape(run.currency, quote=False)})")
    posted = carried(run)
    colours = (BLUE, AMBER, GREEN, RED, INK, GREY, MUTED, BLUE)
    for colour, kind in zip(colours, np.unique(posted["kind"]).tolist(), strict=False):
        ours = posted[posted["kind"] == kind]
        total = np.cumsum(ours["amount"])
        rows = thin(total, MOST_POINTS)
        figure.add_scatter(
            x=dates(run, ours["row"][rows]),
            y=total[rows],
            name=Posting(kind).name.capitalize(),
            line={"color": colour, "width": 1.4, "shape": "hv"},
        )
    return figure.update_layout(showlegend=True)


def carried(run: Run) -> Records:
    """Return the postings that count as carry: no splits, no reinvestments."""
    posted = run.record.postings
    kept: Records = posted[(posted["amount"] != 0) & (posted["kind"] != Posting.REINVESTMENT)]
    return kept


def rolling_window(run: Run) -> int:
    """Rows of the rolling figures: half a year, but at most a quarter of the run and at least 2."""
    half_year = run.periods_per_year / 2
    rows = half_year if math.isfinite(half_year) else math.inf
    return max(2, int(min(rows, run.bars.n_rows // 4)))


def active_returns(run: Run) -> FloatArray:
    """Return the returns of the rows that began or ended with a position."""
    gross = run.record.ledger["gross"]
    active = (gross > 0) | (np.append(0.0, gross[:-1]) > 0)
    returns = run.row_returns[active]
    return returns[np.isfinite(returns)]


def when(run: Run, row: int) -> str:
    """Return the time of a row as text."""
    return str(dates(run, np.array([row]))[0]).replace("T", " ")


def dates(run: Run, rows: IntArray) -> NDArray[np.datetime64]:
    """Return the times of rows: as dates when no two rows share a day, else to the second."""
    time = run.bars.time
    if time.size < 2 or np.diff(time).min() >= _SHORTEST_DAY:
        return (time[rows] - 1).astype("datetime64[ns]").astype("datetime64[D]")
    return time[rows].astype("datetime64[ns]").astype("datetime64[s]")


def _add_exposure(figure: go.Figure, run: Run) -> None:
    held = run.held_weights
    buckets = len(held) if len(held) <= MOST_POINTS else MOST_MEANS
    sides = [np.maximum(held, 0).sum(axis=1), np.minimum(held, 0).sum(axis=1)]
    parts = [("Long", sides[0], GREEN)]
    if (sides[1] < 0).any():
        parts += [("Short", sides[1], AMBER), ("Net", sides[0] + sides[1], INK)]
    for name, values, colour in parts:
        means, last = bucket_means(100 * values, buckets)
        figure.add_scatter(
            x=dates(run, last),
            y=means,
            name=name,
            line={"color": colour, "width": 1, "shape": "vh"},
            fill=None if name == "Net" else "tozeroy",
            fillcolor=faint(colour),
            row=3,
            col=1,
        )


def blank(height: int, y_title: str, **more: Any) -> go.Figure:
    """Return a figure over time without traces."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(height) | more)
    figure.update_xaxes(title_text="Time (UTC)", type="date")
    figure.update_yaxes(title_text=y_title)
    return figure


def add_scale(figure: go.Figure, lowest: float, highest: float) -> None:
    """Add buttons for a linear and a logarithmic axis; a wide range begins logarithmic."""
    wide = highest > _WIDE_RANGE * lowest
    scales = {
        "Linear": {"yaxis.type": "linear", "yaxis.dtick": None},
        "Log": {"yaxis.type": "log", "yaxis.dtick": "D2" if wide else None},  # 1, 2, 5, 10 ...
    }
    buttons = [
        {"label": name, "method": "relayout", "args": [scale]} for name, scale in scales.items()
    ]
    choice = {"type": "buttons", "direction": "right", "buttons": buttons, "active": int(wide)}
    figure.update_layout(updatemenus=[*figure.layout.updatemenus, menu(1.0) | choice])
    if wide:
        figure.update_layout(yaxis_type="log", yaxis_dtick="D2")


def menu(right: float) -> dict[str, Any]:
    """Return the look of a menu above a figure whose right end is at a fraction of the width."""
    return {
        "x": right,
        "xanchor": "right",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"t": 0, "b": 0, "l": 0, "r": 0},
        "bgcolor": "white",
        "bordercolor": GRID,
        "font": {"size": 11, "color": MUTED},
    }
