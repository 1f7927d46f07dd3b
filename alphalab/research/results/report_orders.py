"""The report on orders: what hangs on their path, what became of them, and what was posted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from alphalab.codes import POSTINGS, REASONS, OrderStatus, OrderType, Origin, Posting, Reason
from alphalab.research.pages.page import chart, quiet, section, sign, signed, table, when
from alphalab.research.results import figures as display
from alphalab.research.results import order_lives as orders
from alphalab.research.results import plots
from alphalab.research.results import round_trips as trips
from alphalab.types import Records

if TYPE_CHECKING:
    from alphalab.research.results.result import Result

#: Figures that the interval shows.
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


def interval(result: Result) -> str:
    """Return the section on the three paths and the break-even fee."""
    title = "Interval and break-even"
    if result._run is None:
        said = "Not known: this result was not made by al.backtest and cannot be run again."
        return section(title, quiet(said))
    if result.depends_on_path:
        stake = float(orders.at_stake(result.ambiguous).sum())
        note = (
            "A bar does not say which way the price took inside it. The same strategy where each "
            "bar took the worst way, a guessed one (the nearer of high and low first) and the "
            f"best. In this report {result.ambiguous.size:,} bars made a difference, of "
            f"{stake:,.2f} {result.currency} in all."
        )
        body = _paths(result)
    else:
        note = (
            "No order could trade inside a bar: whichever way the price took there, the result is "
            "the same, and nothing had to be run again."
        )
        body = ""
    return section(title, body + f"<p>{escape(break_even(result))}</p>", note)


def _paths(result: Result) -> str:
    by_path = result.by_path
    own = result.settings.execution.path
    head = ["", *(_path_name(path) + (" (this report)" * (path == own)) for path in by_path)]
    rows = []
    for name in COMPARED:
        figure = display.FIGURES[name]
        values = [figures[name] for figures in by_path.values()]
        cells = [
            signed(value, figure.text(value)) if name in _SIGNED else figure.text(value)
            for value in values
        ]
        rows.append([figure.label, *cells])
    return table(head, rows)


def _path_name(path: str) -> str:
    return display.PATH_NAMES[path].capitalize()


def break_even(result: Result) -> str:
    """Return the break-even fee in a sentence."""
    fee = result.break_even_bps
    if not result.fills.size:
        return "Break-even fee: none, nothing was traded."
    if math.isnan(fee):
        return "Break-even fee: none, the strategy loses even without a fee."
    if math.isinf(fee):
        return "Break-even fee: none, the strategy gains whatever the fee."
    paid = result.ledger["fees"][-1] / result.ledger["turnover"][-1] * 1e4
    return (
        f"Break-even fee: {fee:,.2f} bps of the traded value. On every fill, in place of the fees "
        f"here ({paid:,.2f} bps on average), it would leave a total return of 0."
    )


def ways_out(result: Result) -> Iterator[str]:
    """Yield the section on how trades ended, where they did so in several ways."""
    closed = result.round_trips[result.round_trips["closed"]]
    left_by = orders.left_by(result.lives, closed["exit_order"])
    ways = [way for way in orders.LEFT_BY if (left_by == way).any()]
    if len(ways) < 2:
        return
    rows = []
    for way in ways:
        ours = closed[left_by == way]
        pnl = float(ours["pnl"].sum())
        rows.append(
            (
                orders.LEFT_BY[way].capitalize(),
                f"{ours.size:,}",
                display.percent(ours.size / closed.size),
                display.percent(trips.win_rate(ours)),
                signed(pnl, display.money(pnl)),
                display.percent(float(ours["return"].mean())),
                display.rows(float(np.mean(ours["exit_row"] - ours["entry_row"]))),
            )
        )
    head = ("Closed by", "Trips", "Share", "Win rate", "Profit", "Mean return", "Mean holding")
    yield section("How trades ended", table(head, rows), "Closed round trips, after fees.")


def summary(result: Result) -> str:
    """Return the section on what became of the orders."""
    lives = result.lives
    if not lives.size:
        return section("Orders", quiet("No order was sent."))
    kinds = np.unique(lives[["origin", "type"]])
    rows = [_kind(lives, origin, kind) for origin, kind in kinds.tolist()]
    head = ["Asked by", "Type", "Orders", "Filled", "Cancelled", "Expired", "Refused", "Alive"]
    body = table(head, rows, text=2)
    reasons = _reasons(lives)
    return section(
        "Orders",
        body + reasons,
        f"{lives.size:,} orders; alive are those that wait after the last row. All of them are in "
        "result.orders.",
    )


def _kind(lives: Records, origin: int, kind: int) -> list[str]:
    ours = lives[(lives["origin"] == origin) & (lives["type"] == kind)]
    ends = [int((ours["status"] == status).sum()) for status in _ENDS]
    alive = ours.size - sum(ends)
    name = OrderType(kind).name.lower().replace("_", " ")
    return [_ORIGINS[Origin(origin)], name, *(f"{n:,}" for n in (ours.size, *ends, alive))]


def _reasons(lives: Records) -> str:
    """Return why orders ended otherwise than by being filled."""
    ended = lives[np.isin(lives["status"], _ENDS[1:])]
    if not ended.size:
        return ""
    kinds, counts = np.unique(ended[["status", "reason"]], return_counts=True)
    rows = [
        (
            OrderStatus(status).name.lower(),
            escape(REASONS[Reason(reason)]) if reason else "its time was over",
            f"{count:,}",
        )
        for (status, reason), count in zip(kinds.tolist(), counts.tolist(), strict=True)
    ]
    return "<br>" + table(("Ended", "Why (unit)", "Orders"), rows, text=2)


def postings(result: Result) -> Iterator[str]:
    """Yield the section on what was posted, if anything was."""
    posted = result.posted
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
                when(result, ours["row"][0]),
                when(result, ours["row"][-1]),
                signed(total, display.money(total)),
            )
        )
    total = float(result.ledger["carry"][-1])
    rows.append(
        ("Carry: what holding brought", "", "", "", f'<b class="{sign(total)}">{total:,.2f}</b>')
    )
    head = ("What", "Times", "First", "Last", f"Sum ({escape(result.currency)})")
    body = table(head, rows)
    title, note = "Carry", "What holding brought and cost, besides prices and fees."
    if (posted["kind"] == Posting.REINVESTMENT).any():
        note += " A dividend that is put into its asset counts; what it buys is a purchase."
    if plots.carried(result).size:
        yield chart(title, plots.carry(result), note, body)
    else:
        yield section(title, body, note)
