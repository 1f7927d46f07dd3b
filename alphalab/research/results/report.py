"""The report of a run: one HTML page that needs no other file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from alphalab.codes import REASONS, Reason
from alphalab.research.pages import page
from alphalab.research.pages.page import chart, quiet, section, sign, signed, table, tile
from alphalab.research.pages.style import MOST_POINTS
from alphalab.research.results import figures, order_lives, plots, price_plot, report_orders, tables
from alphalab.research.results.assumptions import assumptions
from alphalab.research.results.plots import when
from alphalab.research.results.record import Run
from alphalab.types import Records

#: Most round trips in the table; of more it shows the best and the worst.
MOST_TRIPS = 20

_SIGNED = ("total_return", "annual_return")
_RGB_GAIN, _RGB_LOSS = (28, 138, 91), (194, 59, 50)


def render(run: Run) -> str:
    """Return the report of a run as HTML."""
    bars = run.bars
    remarks = list(run.warnings)
    if run.settings.fill == "same_close":
        remarks.insert(0, figures.SEEN_PRICE)
    return page.Page(
        title=figures.strategy_text(run.strategy, run.params),
        heading=run.strategy,
        detail=", ".join(f"{name} = {value!r}" for name, value in run.params.items()),
        about=page.about(bars),
        remarks=remarks,
        tiles=_tiles(run),
        sections=_sections(run),
        assumptions=assumptions(run),
        footer=f"alphalab · digest {run.digest}",
    ).html()


def _tiles(run: Run) -> Iterator[str]:
    text = figures.figure_texts(run.metrics, run.currency)
    for name in figures.headline_names(run):
        colour = sign(run.metrics[name]) if name in _SIGNED else ""
        other = figures.OF_BENCHMARK.get(name)
        below = f"benchmark {text[other]}" if other else ""
        yield tile(figures.FIGURES[name].label, text[name], colour, below)


def _sections(run: Run) -> Iterator[str]:
    n_rows, limit = run.bars.n_rows, MOST_POINTS
    thinned = (
        f"Lines are drawn with about {limit:,} of {n_rows:,} rows: first, last, lowest and highest "
        f"of equal stretches, so no extreme is lost. Exposure is the mean of each of "
        f"{plots.MOST_MEANS:,} stretches."
    )
    yield chart(
        "Equity, drawdown and exposure", plots.overview(run), thinned if n_rows > limit else ""
    )
    yield report_orders.interval(run)
    yield chart("Trades on price", price_plot.price(run), _trades_note(run))
    if run.bars.n_symbols > 1:
        yield chart(
            "Weights by symbol",
            plots.weights(run),
            "Held, as the mean of each of at most 300 equal stretches of rows.",
        )
    yield section("Monthly returns", _months(run), "Percent, calendar months in UTC.")
    returns, window = plots.active_returns(run), plots.rolling_window(run)
    yield '<div class="pair">'
    yield chart(
        "Distribution of returns",
        plots.distribution(run),
        f"The {returns.size:,} rows with a position; {n_rows - returns.size:,} flat rows are left "
        "out. Beyond six deviations a return counts in the last bar.",
    )
    yield chart(
        "Rolling Sharpe ratio and volatility",
        plots.rolling(run),
        f"Over the last {window:,} rows, annualised.",
    )
    yield "</div>"
    short = run.years < figures.LEAST_YEARS
    note = f"Figures a year are extrapolated from {run.years:.2f} years." if short else ""
    yield section("All figures", _figures(run), note)
    yield from report_orders.ways_out(run)
    yield section("Round trips", *_trips(run))
    yield report_orders.summary(run)
    yield from report_orders.postings(run)
    yield section("Refusals", _refusals(run))


def _figures(run: Run) -> str:
    text = figures.figure_texts(run.metrics, run.currency)
    return "<table><tbody>{}</tbody></table>".format(
        "".join(
            f"<tr><td class=text>{figure.label}</td><td>{text[name]}</td>"
            f'<td class="text quiet">{escape(figure.definition)}</td></tr>'
            for name, figure in figures.FIGURES.items()
        )
    )


def _months(run: Run) -> str:
    frame = tables.monthly_returns(run)
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


def _trades_note(run: Run) -> str:
    shown, n_symbols = price_plot.MOST_ASSETS, run.bars.n_symbols
    which = (
        f"The {min(shown, n_symbols)} most traded symbols; choose one. " if n_symbols > 1 else ""
    )
    return (
        f"{which}Triangles are fills at their price; dotted lines join the average entry and exit "
        f"of a round trip, green with a profit, red with a loss, after fees.{_marks_note(run)} "
        "Shaded: a position was held. Thin lines, if any, are the strategy's own series near the "
        "price. Drag to zoom in, double-click to zoom out."
    )


def _marks_note(run: Run) -> str:
    """Return the note on marks of exits, if there are any."""
    if not order_lives.meet_the_inside(run.record.events):
        return ""
    return " Other marks are orders that closed a trade; the legend names them."


def _trips(run: Run) -> tuple[str, str]:
    trips = run.round_trips
    if not trips.size:
        return quiet("No position was ever opened."), ""
    ranked = trips[np.argsort(-trips["pnl"], kind="stable")]
    note = f"All {trips.size:,}, best first."
    if trips.size > MOST_TRIPS:
        half = MOST_TRIPS // 2
        ranked = np.concatenate([ranked[:half], ranked[-half:]])
        note = f"The {half} best and the {half} worst of {trips.size:,}, by profit after fees."
    left_by = order_lives.left_by(run.lives, ranked["exit_order"])
    head = ("Symbol", "Side", "Entry", "Exit", "Rows", "Units", "Entry price", "Exit price")
    rows = (_trip(run, trip, way) for trip, way in zip(ranked, left_by.tolist(), strict=True))
    money = f"Profit, {run.currency}"
    return table((*head, "Closed by", "Fees", money, "Return"), rows, text=2), note


def _trip(run: Run, trip: Any, left_by: str) -> tuple[str, ...]:
    return (
        escape(run.bars.symbols[trip["asset"]]),
        "long" if trip["side"] > 0 else "short",
        when(run, trip["entry_row"]),
        when(run, trip["exit_row"]) if trip["closed"] else "open",
        f"{trip['exit_row'] - trip['entry_row']:,}",
        f"{trip['qty']:,.6g}",
        f"{trip['entry_price']:,.6g}",
        f"{trip['exit_price']:,.6g}",
        left_by,
        f"{trip['fees']:,.2f}",
        signed(trip["pnl"], f"{trip['pnl']:,.2f}"),
        signed(trip["pnl"], f"{trip['return']:.2%}"),
    )


def _refusals(run: Run) -> str:
    refusals = run.record.refusals
    if not refusals.size:
        return quiet("The gate approved every target, and no order was refused.")
    rows = []
    for code in np.unique(refusals["reason"]).tolist():
        same = refusals[refusals["reason"] == code]
        last = same[-1]
        rows.append(
            (
                escape(REASONS[Reason(code)]),
                escape(_whom(run, same)),
                f"{same.size:,}",
                when(run, same[0]["row"]),
                when(run, last["row"]),
                f"{last['asked']:,.6g}",
                f"{last['approved']:,.6g}",
            )
        )
    head = ("Reason (unit)", "Symbol", "Times", "First", "Last", "Last asked", "Last approved")
    return table(head, rows, text=2)


def _whom(run: Run, refusals: Records) -> str:
    """Return the most frequent asset of some refusals, and the number of others."""
    assets, counts = np.unique(refusals["asset"], return_counts=True)
    name = tables.symbols_of(run, assets[[counts.argmax()]])[0]
    return name if assets.size == 1 else f"{name} and {assets.size - 1} more"
