"""The report of a result: one HTML page that needs nothing else."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.codes import REASONS, Reason
from alphalab.research.pages import page
from alphalab.research.pages.page import chart, quiet, section, sign, signed, table, tile, when
from alphalab.research.results import figures as display
from alphalab.research.results import order_lives as orders
from alphalab.research.results import plots, report_orders, tables
from alphalab.types import Records

if TYPE_CHECKING:
    from alphalab.research.results.result import Result

#: Round trips that the table shows before it keeps the best and the worst.
MOST_TRIPS = 20

_SIGNED = ("total_return", "annual_return")
_RGB_GAIN, _RGB_LOSS = (28, 138, 91), (194, 59, 50)


def write(result: Result, path: str | os.PathLike[str]) -> Path:
    """Write the report of a result.

    Parameters
    ----------
    result : Result
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
    return page.write(render(result), path)


def render(result: Result) -> str:
    """Return the report of a result as HTML."""
    bars = result.bars
    remarks = list(result.warnings)
    if result.settings.fill == "same_close":
        remarks.insert(0, display.SEEN_PRICE)
    return page.Page(
        title=display.strategy_text(result),
        heading=result.strategy,
        detail=", ".join(f"{name} = {value!r}" for name, value in result.params.items()),
        about=page.about(bars),
        remarks=remarks,
        tiles=_tiles(result),
        sections=_sections(result),
        assumptions=result.assumptions,
        footer=f"alphalab · digest {result.digest}",
    ).html()


def _tiles(result: Result) -> Iterator[str]:
    text = display.figure_texts(result)
    for name in display.HEADLINE:
        colour = sign(result.metrics[name]) if name in _SIGNED else ""
        yield tile(display.FIGURES[name].label, text[name], colour)


def _sections(result: Result) -> Iterator[str]:
    n_rows, limit = result.bars.n_rows, plots.MOST_POINTS
    thinned = (
        f"Lines are drawn with about {limit:,} of {n_rows:,} rows: first, last, lowest and highest "
        f"of equal stretches, so no extreme is lost. Exposure is the mean of each of "
        f"{plots.MOST_MEANS:,} stretches."
    )
    yield chart(
        "Equity, drawdown and exposure", plots.overview(result), thinned if n_rows > limit else ""
    )
    yield report_orders.interval(result)
    yield chart("Trades on price", plots.price(result), _trades_note(result))
    if result.bars.n_symbols > 1:
        yield chart(
            "Weights by symbol",
            plots.weights(result),
            "Held, as the mean of each of at most 300 equal stretches of rows.",
        )
    yield section("Monthly returns", _months(result), "Percent, calendar months in UTC.")
    returns, window = plots.active_returns(result), plots.rolling_window(result)
    yield '<div class="pair">'
    yield chart(
        "Distribution of returns",
        plots.distribution(result),
        f"The {returns.size:,} rows with a position; {n_rows - returns.size:,} flat rows are left "
        "out. Beyond six deviations a return counts in the last bar.",
    )
    yield chart(
        "Rolling Sharpe ratio and volatility",
        plots.rolling(result),
        f"Over the last {window:,} rows, annualised.",
    )
    yield "</div>"
    yield section("All figures", _figures(result))
    yield from report_orders.ways_out(result)
    yield section("Round trips", *_trips(result))
    yield report_orders.summary(result)
    yield from report_orders.postings(result)
    yield section("Not done as asked", _refusals(result))


def _figures(result: Result) -> str:
    text = display.figure_texts(result)
    return "<table><tbody>{}</tbody></table>".format(
        "".join(
            f"<tr><td class=text>{figure.label}</td><td>{text[name]}</td>"
            f'<td class="text quiet">{escape(figure.definition)}</td></tr>'
            for name, figure in display.FIGURES.items()
        )
    )


def _months(result: Result) -> str:
    frame = result.monthly_returns
    values = frame.to_numpy()
    month_top, year_top = (
        max(float(np.nanmax(np.abs(part), initial=0.0)), 0.01)
        for part in (values[:, :12], values[:, 12])
    )
    tops = [month_top] * 12 + [year_top]
    head = "".join(f"<th>{name}</th>" for name in ("", *frame.columns))
    body = "".join(
        f"<tr><td>{year}</td>{''.join(map(_month, row, tops))}</tr>"
        for year, row in zip(frame.index, values.tolist(), strict=True)
    )
    return f'<table class="months"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _month(value: float, top: float) -> str:
    if math.isnan(value):
        return "<td></td>"
    red, green, blue = _RGB_GAIN if value > 0 else _RGB_LOSS
    shade = min(abs(value) / top, 1.0) * 0.75
    return f'<td style="background:rgba({red},{green},{blue},{shade:.2f})">{100 * value:z.1f}</td>'


def _trades_note(result: Result) -> str:
    shown, n_symbols = plots.MOST_ASSETS, result.bars.n_symbols
    which = (
        f"The {min(shown, n_symbols)} most traded symbols; choose one. " if n_symbols > 1 else ""
    )
    return (
        f"{which}Triangles are fills at their price, lines join the average entry and exit of a "
        f"round trip: green with a profit, red with a loss, after fees.{_marks_note(result)} Drag "
        "to zoom in, double-click to zoom out."
    )


def _marks_note(result: Result) -> str:
    """Say what the other marks are, if there are any."""
    if not orders.meet_the_inside(result.events):
        return ""
    return " Other marks are orders that closed a trade; the legend names them."


def _trips(result: Result) -> tuple[str, str]:
    trips = result.round_trips
    if not trips.size:
        return quiet("No position was ever opened."), ""
    ranked = trips[np.argsort(-trips["pnl"], kind="stable")]
    note = f"All {trips.size:,}, best first."
    if trips.size > MOST_TRIPS:
        half = MOST_TRIPS // 2
        ranked = np.concatenate([ranked[:half], ranked[-half:]])
        note = f"The {half} best and the {half} worst of {trips.size:,}, by profit after fees."
    left_by = orders.left_by(result.lives, ranked["exit_order"])
    head = ("Symbol", "Side", "Entry", "Exit", "Rows", "Units", "Entry price", "Exit price")
    rows = (_trip(result, trip, way) for trip, way in zip(ranked, left_by.tolist(), strict=True))
    return table((*head, "Closed by", "Fees", "Profit", "Return"), rows, text=2), note


def _trip(result: Result, trip: Any, left_by: str) -> tuple[str, ...]:
    return (
        escape(result.bars.symbols[trip["asset"]]),
        "long" if trip["side"] > 0 else "short",
        when(result, trip["entry_row"]),
        when(result, trip["exit_row"]) if trip["closed"] else "open",
        f"{trip['exit_row'] - trip['entry_row']:,}",
        f"{trip['qty']:,.6g}",
        f"{trip['entry_price']:,.6g}",
        f"{trip['exit_price']:,.6g}",
        left_by,
        f"{trip['fees']:,.2f}",
        signed(trip["pnl"], f"{trip['pnl']:,.2f}"),
        signed(trip["pnl"], f"{trip['return']:.2%}"),
    )


def _refusals(result: Result) -> str:
    refusals = result.refusals
    if not refusals.size:
        return quiet("Every target passed the gate, and no order was refused.")
    rows = []
    for code in np.unique(refusals["reason"]).tolist():
        same = refusals[refusals["reason"] == code]
        last = same[-1]
        rows.append(
            (
                escape(REASONS[Reason(code)]),
                escape(_whom(result, same)),
                f"{same.size:,}",
                when(result, same[0]["row"]),
                when(result, last["row"]),
                f"{last['asked']:,.6g}",
                f"{last['approved']:,.6g}",
            )
        )
    head = ("Reason (unit)", "Where", "Times", "First", "Last", "Last asked", "Last approved")
    return table(head, rows, text=2)


def _whom(result: Result, refusals: Records) -> str:
    """Name the most frequent asset of some refusals, and how many others there are."""
    assets, counts = np.unique(refusals["asset"], return_counts=True)
    name = tables.symbols_of(result, assets[[counts.argmax()]])[0]
    return name if assets.size == 1 else f"{name} and {assets.size - 1} more"
