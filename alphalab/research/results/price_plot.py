"""Price charts of a run: candles, the strategy's own series, positions and fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alphalab.research.pages.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    MOST_POINTS,
    MUTED,
    PURPLE,
    RED,
    TEAL,
    faint,
)
from alphalab.research.pages.thinning import thin
from alphalab.research.results import order_lives
from alphalab.research.results.plots import add_scale, blank, dates, menu
from alphalab.research.results.price_series import price_series
from alphalab.research.results.record import Run
from alphalab.types import FloatArray, Records

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: Most fills and most assets that the chart of a report shows.
MOST_FILLS = 200
MOST_ASSETS = 6
#: Most candles of a figure, shared by its assets.
MOST_CANDLES = 9_000
#: Marks of fills that closed a trade, if not by the strategy's signal.
EXIT_MARKS = {
    "stop": ("Stop", "x", RED),
    "target": ("Take-profit", "star", GREEN),
    "trailing": ("Trailing stop", "diamond", AMBER),
    "time": ("Held as long as allowed", "square", BLUE),
    "liquidation": ("Liquidation", "hexagram", INK),
}
_SERIES_COLOURS = (BLUE, AMBER, PURPLE, TEAL)
_PAD = 0.01  # of the time shown, left and right


class _Part(NamedTuple):
    """What is drawn of one asset: rows from `first` to before `stop`, and the newest fills."""

    asset: int
    first: int
    stop: int
    fills: Records
    left_by: NDArray[np.str_]
    n_fills: int


def price(run: Run) -> go.Figure:
    """Price of the most traded assets, one at a time, with the last 200 fills of each."""
    assets = _most_traded(run)
    parts = [_part(run, asset, 0, run.bars.n_rows, MOST_FILLS) for asset in assets]
    return _figure(run, parts)


def price_of(run: Run, asset: int, first: int, stop: int) -> go.Figure:
    """Price of one asset from row `first` to before row `stop`, with every fill."""
    return _figure(run, [_part(run, asset, first, stop, None)])


def _part(run: Run, asset: int, first: int, stop: int, most_fills: int | None) -> _Part:
    fills = run.record.fills
    ours = np.flatnonzero(
        (fills["asset"] == asset) & (fills["row"] >= first) & (fills["row"] < stop)
    )
    n_fills = ours.size
    if most_fills is not None and n_fills > most_fills:
        ours = ours[-most_fills:]
        first = int(fills["row"][ours[0]])
    return _Part(asset, first, stop, fills[ours], _exit_kinds(run)[ours], n_fills)


def _figure(run: Run, parts: Sequence[_Part]) -> go.Figure:
    figure = blank(520, "Price", hovermode="closest")
    figure.update_layout(
        legend={"yref": "container", "y": 0, "yanchor": "bottom"},
        yaxis={"overlaying": "y2", "tickmode": "auto", "tickformat": ",.6~g"},
        yaxis2={"range": [0, 1], "visible": False, "fixedrange": True},
    )
    series = price_series(run, [part.asset for part in parts])
    kinds = set().union(*(part.left_by.tolist() for part in parts)) - {""}
    counts = []
    for place, part in enumerate(parts):
        before = len(figure.data)
        _add_spans(figure, run, part)
        _add_price(figure, run, part, MOST_CANDLES // len(parts))
        ours = {name: values[:, place] for name, values in series.items()}
        _add_series(figure, run, part, ours, MOST_POINTS // len(parts))
        _add_trips(figure, run, part)
        _add_fills(figure, run, part, kinds)
        counts.append(len(figure.data) - before)
    _hide(figure, counts)
    if len(parts) > 1:
        names = [escape(run.bars.symbols[part.asset], quote=False) for part in parts]
        figure.update_layout(updatemenus=[_choice(names, counts)])
    first = parts[0]
    _set_period(figure, run, min(part.first for part in parts), first.stop)
    close = run.bars.close[first.first : first.stop, first.asset]
    if np.isfinite(close).any():
        add_scale(figure, float(np.nanmin(close)), float(np.nanmax(close)))
    return figure


def _hide(figure: go.Figure, counts: Sequence[int]) -> None:
    """Hide the traces of all assets but the first."""
    for trace in figure.data[counts[0] :]:
        trace.visible = False


def _add_spans(figure: go.Figure, run: Run, part: _Part) -> None:
    """Shade the rows in which a position was held, on an axis of their own from 0 to 1."""
    trips = _trips(run, part)
    for name, colour, chosen in (
        ("Long", BLUE, trips["side"] > 0),
        ("Short", AMBER, trips["side"] < 0),
    ):
        begins, ends = (
            dates(run, np.clip(trips[chosen][at], part.first, part.stop - 1)).astype(str)
            for at in ("entry_row", "exit_row")
        )
        pairs = zip(begins, ends, strict=True)
        figure.add_scatter(
            x=[x for begin, end in pairs for x in (begin, begin, end, end, None)],
            y=[0, 1, 1, 0, None] * begins.size,
            name=f"{name} held",
            mode="lines",
            line={"width": 0, "color": colour},
            fill="toself",
            fillcolor=faint(colour, 0.09),
            hoverinfo="skip",
            showlegend=bool(begins.size),
            yaxis="y2",
        )


def _add_price(figure: go.Figure, run: Run, part: _Part, most_candles: int) -> None:
    """Draw candles if the rows are few enough and have a range, else a thinned close."""
    shown = slice(part.first, part.stop)
    bars, n_shown = run.bars, part.fills.size
    some = f" (the last {n_shown} of {part.n_fills:,} fills)" if n_shown < part.n_fills else ""
    high, low, close = (x[shown, part.asset] for x in (bars.high, bars.low, bars.close))
    if close.size <= most_candles and (high > low).any():
        prices = {"open": bars.open[shown, part.asset], "high": high, "low": low, "close": close}
        figure.add_candlestick(
            x=dates(run, np.arange(part.first, part.stop)),
            **{name: values.astype(np.float32) for name, values in prices.items()},
            name=f"Price{some}",
            increasing={"line": {"color": MUTED, "width": 0.8}, "fillcolor": "white"},
            decreasing={"line": {"color": MUTED, "width": 0.8}, "fillcolor": GREY},
        )
        figure.update_xaxes(rangeslider_visible=False)
        return
    rows = thin(close, MOST_POINTS)
    figure.add_scatter(
        x=dates(run, part.first + rows),
        y=close[rows],
        name=f"Close{some}",
        line={"color": GREY, "width": 1.2},
        hoverinfo="skip",
    )


def _add_series(
    figure: go.Figure, run: Run, part: _Part, series: Mapping[str, FloatArray], most_points: int
) -> None:
    for (name, values), colour in zip(series.items(), _SERIES_COLOURS, strict=False):
        ours = values[part.first : part.stop]
        rows = thin(ours, most_points)
        figure.add_scatter(
            x=dates(run, part.first + rows),
            y=ours[rows].astype(np.float32),
            name=escape(name if len(name) <= 60 else f"{name[:59]}…", quote=False),
            mode="lines",
            line={"color": colour, "width": 1},
            hovertemplate="%{fullData.name} %{y:,.6~g}<extra></extra>",
        )


def _add_trips(figure: go.Figure, run: Run, part: _Part) -> None:
    trips = _trips(run, part)
    trips = trips[trips["entry_row"] >= part.first]
    for name, colour, chosen in (
        ("Profit", GREEN, trips["pnl"] > 0),
        ("Loss", RED, trips["pnl"] <= 0),
    ):
        x, y = _segments(run, trips[chosen])
        figure.add_scatter(
            x=x,
            y=y,
            name=name,
            mode="lines",
            line={"color": colour, "width": 1.2, "dash": "dot"},
            hoverinfo="skip",
            showlegend=bool(x),
        )


def _add_fills(figure: go.Figure, run: Run, part: _Part, kinds: set[str]) -> None:
    """Draw each fill at its price; the more there are, the smaller the marks."""
    fills, left_by = part.fills, part.left_by
    size = 12 if fills.size <= 60 else 10 if fills.size <= 250 else 7
    symbol = escape(run.bars.symbols[part.asset], quote=False)
    for name, shape, colour, chosen in (
        ("Buy", "triangle-up", GREEN, (left_by == "") & (fills["qty"] > 0)),
        ("Sell", "triangle-down", RED, (left_by == "") & (fills["qty"] < 0)),
        *((*EXIT_MARKS[kind], left_by == kind) for kind in EXIT_MARKS if kind in kinds),
    ):
        ours = fills[chosen]
        figure.add_scatter(
            x=dates(run, ours["row"]),
            y=ours["price"],
            customdata=np.column_stack([ours["qty"], ours["fee"]]),
            name=name,
            mode="markers",
            marker={
                "symbol": shape,
                "size": size,
                "color": faint(colour, 0.55),
                "line": {"color": colour, "width": 0.8},
            },
            cliponaxis=False,
            hovertemplate=(
                f"{name} {symbol} %{{x}}<br>%{{customdata[0]:+,.6~g}} at %{{y:,.6~g}}"
                "<br>fee %{customdata[1]:,.2f}<extra></extra>"
            ),
        )


def _trips(run: Run, part: _Part) -> Records:
    """Return the round trips that held the asset in the rows shown."""
    trips = run.round_trips
    inside = (trips["exit_row"] >= part.first) & (trips["entry_row"] < part.stop)
    found: Records = trips[(trips["asset"] == part.asset) & inside]
    return found


def _most_traded(run: Run) -> list[int]:
    fills = run.record.fills
    traded = np.zeros(run.bars.n_symbols)
    asset = fills["asset"]
    unit = run.assets.unit(fills["price"], run.rates[fills["row"], asset], asset)
    value = np.abs(fills["qty"]) * unit
    np.add.at(traded, fills["asset"], value)
    most = np.argsort(-traded, kind="stable")[:MOST_ASSETS]
    return [int(asset) for asset in most if traded[asset] > 0] or [0]


def _exit_kinds(run: Run) -> NDArray[np.str_]:
    """Return the mark of each fill, a key of `EXIT_MARKS`; empty for none."""
    trips, order = run.round_trips, run.record.fills["order"]
    kind = order_lives.left_by(run.lives, order)
    closes = np.isin(order, trips["exit_order"][trips["closed"]])
    return np.where(closes & np.isin(kind, list(EXIT_MARKS)), kind, "")


def _segments(run: Run, trips: Records) -> tuple[list[Any], list[Any]]:
    """Return the ends of the trips' lines, with a gap after each."""
    begins = dates(run, trips["entry_row"]).astype(str)
    ends = dates(run, trips["exit_row"]).astype(str)
    x = [point for pair in zip(begins, ends, strict=True) for point in (*pair, None)]
    prices = zip(trips["entry_price"].tolist(), trips["exit_price"].tolist(), strict=True)
    return x, [point for pair in prices for point in (*pair, None)]


def _set_period(figure: go.Figure, run: Run, first: int, stop: int) -> None:
    """Show the rows and no more: Plotly leaves room for marks, up to a year of it."""
    begin, end = dates(run, np.array([first, stop - 1])).astype("datetime64[s]")
    pad = max((end - begin) * _PAD, np.timedelta64(1, "m"))
    figure.update_xaxes(range=[str(begin - pad), str(end + pad)])


def _choice(names: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    """Return the menu that shows the traces of one asset; `counts` has how many each has."""
    owner = np.repeat(np.arange(len(counts)), counts)
    buttons = [
        {"label": name, "method": "restyle", "args": ["visible", (owner == place).tolist()]}
        for place, name in enumerate(names)
    ]
    return menu(0.88) | {"type": "dropdown", "buttons": buttons}
