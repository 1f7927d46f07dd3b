"""Sections of a report on orders: the interval, exits, final statuses, and postings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

import numpy as np

from alphalab.codes import POSTINGS, REASONS, OrderStatus, OrderType, Origin, Posting, Reason
from alphalab.research.pages.page import chart, quiet, section, sign, signed, table
from alphalab.research.results import figures, order_lives, plots, round_trips
from alphalab.research.results.plots import when
from alphalab.research.results.record import Run
from alphalab.types import Records

#: Metrics in the table of the interval.
COMPARED = (
    "total_return",
    "annual_return",
    "sharpe",
    "max_drawdown",
    "n_round_trips",
    "win_rate",
    "profit_factor",
    "fees",
    "final_equity",
)
_SIGNED = ("total_return", "annual_return")

_ENDS = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUSED)
_ORIGINS = {
    Origin.TARGET: "target",
    Origin.EXITS: "exit",
    Origin.DECIDE: "order of the strategy",
    Origin.VENUE: "venue",
}


def interval(run: Run) -> str:
    """Return the section on the three paths and the break-even fee."""
    title = "Interval and break-even"
    if run.rerun is None:
        text = "Unknown: this result was not made by al.backtest and cannot be run again."
        return section(title, quiet(text))
    if run.depends_on_path:
        stake = float(order_lives.at_stake(run.record.ambiguities).sum())
        note = (
            "A bar does not tell the path of the price inside it. The columns show the strategy "
            "with the worst path in each bar, a guess (the nearer of high and low first) and the "
            f"best. In this report the path matters in {run.record.ambiguities.size:,} bars, by "
            f"{stake:,.2f} {run.currency} in all."
        )
        body = _paths(run)
    else:
        note = (
            "No order could trade inside a bar, so the result does not depend on the path, and "
            "nothing had to be run again."
        )
        body = ""
    return section(title, body + f"<p>{escape(break_even(run))}</p>", note)


def _paths(run: Run) -> str:
    by_path = run.metrics_by_path()
    own = run.settings.execution.path
    head = ["", *(_path_name(path) + (" (this report)" * (path == own)) for path in by_path)]
    rows = []
    for name in COMPARED:
        figure = figures.FIGURES[name]
        values = [found[name] for found in by_path.values()]
        cells = [
            signed(value, figure.text(value)) if name in _SIGNED else figure.text(value)
            for value in values
        ]
        rows.append([figure.label, *cells])
    return table(head, rows)


def _path_name(path: str) -> str:
    return figures.PATH_NAMES[path].capitalize()


def break_even(run: Run) -> str:
    """Return the break-even fee in a sentence."""
    fee = run.break_even_bps()
    if not run.record.fills.size:
        return "Break-even fee: none, nothing was traded."
    if math.isnan(fee):
        return "Break-even fee: none, the strategy loses even without a fee."
    if math.isinf(fee):
        return "Break-even fee: none, the strategy gains whatever the fee."
    paid = run.record.ledger["fees"][-1] / run.record.ledger["turnover"][-1] * 1e4
    return (
        f"Break-even fee: {fee:,.2f} bps of the traded value. On every fill, in place of the fees "
        f"here ({paid:,.2f} bps on average), it would leave a total return of 0."
    )


def ways_out(run: Run) -> Iterator[str]:
    """Yield the section on how trades were closed, if in several ways."""
    closed = run.round_trips[run.round_trips["closed"]]
    left_by = order_lives.left_by(run.lives, closed["exit_order"])
    ways = [way for way in order_lives.LEFT_BY if (left_by == way).any()]
    if len(ways) < 2:
        return
    rows = []
    for way in ways:
        ours = closed[left_by == way]
        pnl = float(ours["pnl"].sum())
        rows.append(
            (
                order_lives.LEFT_BY[way].capitalize(),
                f"{ours.size:,}",
                figures.percent(ours.size / closed.size),
                figures.percent(round_trips.win_rate(ours)),
                signed(pnl, figures.money(pnl)),
                figures.percent(float(ours["return"].mean())),
                figures.rows(float(np.mean(ours["exit_row"] - ours["entry_row"]))),
            )
        )
    head = ("Closed by", "Trips", "Share", "Win rate", "Profit", "Mean return", "Mean holding")
    yield section("How trades ended", table(head, rows), "Closed round trips, after fees.")


def summary(run: Run) -> str:
    """Return the section on the final status of the orders."""
    lives = run.lives
    if not lives.size:
        return section("Orders", quiet("No order was sent."))
    kinds = np.unique(lives[["origin", "type"]])
    rows = [_kind(lives, origin, kind) for origin, kind in kinds.tolist()]
    head = ["Origin", "Type", "Orders", "Filled", "Cancelled", "Expired", "Refused", "Alive"]
    body = table(head, rows, text=2)
    reasons = _reasons(lives)
    return section(
        "Orders",
        body + reasons,
        f"{lives.size:,} orders; those alive are open after the last row. All of them are in "
        "result.orders.",
    )


def _kind(lives: Records, origin: int, kind: int) -> list[str]:
    ours = lives[(lives["origin"] == origin) & (lives["type"] == kind)]
    ends = [int((ours["status"] == status).sum()) for status in _ENDS]
    alive = ours.size - sum(ends)
    name = OrderType(kind).name.lower().replace("_", " ")
    return [_ORIGINS[Origin(origin)], name, *(f"{n:,}" for n in (ours.size, *ends, alive))]


def _reasons(lives: Records) -> str:
    """Return the table of reasons why orders ended unfilled."""
    ended = lives[np.isin(lives["status"], _ENDS[1:])]
    if not ended.size:
        return ""
    kinds, counts = np.unique(ended[["status", "reason"]], return_counts=True)
    rows = [
        (
            OrderStatus(status).name.lower(),
            escape(REASONS[Reason(reason)]) if reason else "it expired",
            f"{count:,}",
        )
        for (status, reason), count in zip(kinds.tolist(), counts.tolist(), strict=True)
    ]
    return "<br>" + table(("Ended", "Why (unit)", "Orders"), rows, text=2)


def postings(run: Run) -> Iterator[str]:
    """Yield the section on postings, if there are any."""
    posted = run.record.postings
    if not posted.size:
        return
    rows = []
    for code in np.unique(posted["kind"]).tolist():
        ours = posted[posted["kind"] == code]
        total = float(ours["amount"].sum())
        rows.append(
            (
                POSTINGS[Posting(code)].capitalize(),
                f"{ours.size:,}",
                when(run, ours["row"][0]),
                when(run, ours["row"][-1]),
                signed(total, figures.money(total)),
            )
        )
    total = float(run.record.ledger["carry"][-1])
    rows.append(
        ("Carry: sum of the postings", "", "", "", f'<b class="{sign(total)}">{total:,.2f}</b>')
    )
    head = ("What", "Times", "First", "Last", f"Sum ({escape(run.currency)})")
    body = table(head, rows)
    title, note = "Carry", "Income and cost of holding positions, besides prices and fees."
    if (posted["kind"] == Posting.REINVESTMENT).any():
        note += " A reinvested dividend counts; its purchase does not."
    if plots.carried(run).size:
        yield chart(title, plots.carry(run), note, body)
    else:
        yield section(title, body, note)
