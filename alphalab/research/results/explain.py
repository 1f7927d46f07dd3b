"""`explain`: one decision, from the columns it read to what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.data.clock.times import Instant, iso, nanoseconds
from alphalab.errors import DataError
from alphalab.expr.nodes import OWN_CLOCK, Expr
from alphalab.expr.registry import REGISTRY
from alphalab.expr.text import parse
from alphalab.research.pages import page
from alphalab.research.results import tables
from alphalab.research.results.places import asset_of
from alphalab.research.results.record import Run
from alphalab.research.results.tree_plot import tree_plot
from alphalab.research.results.value_tree import Node
from alphalab.research.results.values import value_blocks
from alphalab.types import BAR_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


_SCHEMA = "alphalab.why/1"


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a strategy saw of one asset in one row, what it decided, and what came of it.

    Attributes
    ----------
    strategy, symbol : str
    row, time : int
        The row, and its close in ns UTC.
    signals : dict of str to Node
        Every expression of the strategy as a tree with the value of each part.
    target, held : float
        Approved weight (NaN: no opinion), and the weight held after the row.
    refusals, orders, fills, trades : pandas.DataFrame
        What the gate or the venue refused in the row, the orders decided in it, their executions,
        and the round trips that these belong to; see the tables of `Result`.
    """

    strategy: str
    symbol: str
    row: int
    time: int
    signals: dict[str, Node]
    target: float
    held: float
    refusals: pd.DataFrame
    orders: pd.DataFrame
    fills: pd.DataFrame
    trades: pd.DataFrame

    def __str__(self) -> str:
        """Return the whole as text."""
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        """Return what is explained, on one line."""
        return f"<Explanation: {self.strategy}, {self.symbol} at {iso(self.time)}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data; an unknown value is None."""
        tables = {"refusals": self.refusals, "orders": self.orders, "fills": self.fills}
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "symbol": self.symbol,
            "row": self.row,
            "time": iso(self.time),
            "signals": {name: tree.to_dict() for name, tree in self.signals.items()},
            "target": None if math.isnan(self.target) else self.target,
            "held": None if math.isnan(self.held) else self.held,
            **{name: _records(table) for name, table in tables.items()},
            "trades": _records(self.trades),
        }

    def page(self, about: tuple[str, ...]) -> str:
        """Return a page with the figure and the text."""
        return page.Page(
            title=repr(self)[1:-1],
            heading=self.strategy,
            detail=f"{self.symbol} at {iso(self.time)}",
            about=about,
            remarks=(),
            tiles=(),
            sections=(
                page.chart("Expressions", self.plot(), "Each part in a line below what reads it."),
                page.section("In words", f"<pre>{escape(str(self))}</pre>"),
            ),
            assumptions={},
            footer="alphalab",
        ).html()

    def _lines(self) -> Iterator[str]:
        yield f"{self.strategy}, {self.symbol} at {iso(self.time)} (row {self.row:,})"
        for name, tree in self.signals.items():
            yield f"\n{name}:"
            yield from tree.lines("  ")
        yield f"\ntarget: {_weight(self.target)}"
        yield f"held after the row: {self.held:z.2%} of equity"
        yield from _listed("gate", self.refusals, _refusal, "it approved the target")
        yield from _listed("orders", self.orders, _order, "none: the target asked for no trade")
        if len(self.orders):
            yield from _listed("fills", self.fills, _fill, "none")
        if len(self.fills):
            yield from _listed("outcome", self.trades, _trade, "none")

    def plot(self) -> go.Figure:
        """Return the trees as one Plotly figure: each part with its value below what reads it."""
        return tree_plot(self.signals, repr(self)[1:-1])


def explain(run: Run, time: Instant, symbol: str | None = None) -> Explanation:
    """Explain what a run decided about an asset at a time.

    Parameters
    ----------
    run : Run
    time : str, date, datetime or datetime64
        The last row that closed by then is explained; a bare date includes its whole day.
    symbol : str, optional
        Not given: the only one.

    Raises
    ------
    DataError
        A time before the first row, or no symbol where there are several.
    UnknownNameError
        No such symbol; near names are suggested.
    """
    bars = run.bars
    row = int(np.searchsorted(bars.time, nanoseconds(time, end_of_day=True), side="right")) - 1
    if row < 0:
        raise DataError(f"explain({time!r})", rule=f"rows lie between {bars.start} and {bars.end}.")
    asset = asset_of(bars, symbol, "explain")
    symbol = bars.symbols[asset]
    orders = tables.orders(run)
    orders = orders[(run.lives["submitted"] == bars.time[row]) & (orders["symbol"] == symbol)]
    fills = tables.fills(run)
    fills = fills[fills["order"].isin(orders["id"])]
    refused = run.record.refusals
    here = (refused["row"] == row) & np.isin(refused["asset"], (asset, -1))  # -1: the account
    return Explanation(
        strategy=run.strategy,
        symbol=symbol,
        row=row,
        time=int(bars.time[row]),
        signals=_trees(run, row, asset),
        target=float(run.record.targets[row, asset]),
        held=float(run.held_weights[row, asset]),
        refusals=tables.refusals(run)[here],
        orders=orders,
        fills=fills,
        trades=_trips_of(run, fills, symbol),
    )


def _trees(run: Run, row: int, asset: int) -> dict[str, Node]:
    """Return the expressions with the value of every part in a row."""
    expressions = {name: parse(text) for name, text in run.expressions.items()}
    seen: set[bytes] = set()
    nodes = [node for x in expressions.values() for node in x.walk(seen, inside=False)]
    values: dict[bytes, float] = {}
    by_place = {str(place): node for place, node in enumerate(nodes)}
    for rows, place, part in value_blocks(by_place, run.bars.rows(0, row + 1), run.before):
        if rows.stop == row + 1:
            values[by_place[place].key] = float(part[-1, asset])
    return {name: _tree(expr, values) for name, expr in expressions.items()}


def _tree(expr: Expr, values: dict[bytes, float]) -> Node:
    written = expr.op == "constant" or (expr.op == "column" and expr.params[0] in BAR_COLUMNS)
    args = () if written or expr.op in OWN_CLOCK else expr.args
    shown = tuple(_tree(arg, values) for arg in args if arg.op != "constant")
    text = str(expr)
    if len(text) > 60 and shown:  # its parts follow below
        text = f"{REGISTRY[expr.op].infix or expr.op}(...)"
    return Node(text, values[expr.key], shown)


def _trips_of(run: Run, fills: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Return the round trips of a symbol that some of its fills belong to."""
    trips, table = run.round_trips, tables.trades(run)
    mine = table["symbol"] == symbol
    inside = np.zeros(len(table), np.bool_)
    for row in fills["row"].tolist():
        inside |= (trips["entry_row"] <= row) & (row <= trips["exit_row"])
    return table[mine & inside]


def _listed(name: str, table: pd.DataFrame, line: Any, empty: str) -> Iterator[str]:
    if not len(table):
        yield f"{name}: {empty}"
        return
    yield f"{name}:"
    for record in table.to_dict("records"):
        yield f"  {line(record)}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as plain data: times as text, NaN as None."""
    return [
        {
            str(name): iso(x.value)
            if hasattr(x, "tzinfo") and x == x
            else None
            if x is None or x != x
            else x.item()
            if hasattr(x, "item")
            else x
            for name, x in record.items()
        }
        for record in table.to_dict("records")
    ]


def _refusal(x: dict[str, Any]) -> str:
    return f"{x['meaning']}: asked {x['asked']:,.6g}, approved {x['approved']:,.6g}"


def _order(x: dict[str, Any]) -> str:
    size = "" if math.isnan(x["qty"]) else f"{x['qty']:,.6g} units, "
    why = f" ({x['reason']})" if x["reason"] else ""
    return f"{x['id']}: {x['side']} {size}{x['type']}, {x['status']}{why}"


def _fill(x: dict[str, Any]) -> str:
    day = iso(x["time"].value)
    return f"{x['qty']:+,.6g} units at {x['price']:,.6g} on {day}, fee {x['fee']:,.2f}"


def _trade(x: dict[str, Any]) -> str:
    days = f"{x['entry_time']:%Y-%m-%d} to {x['exit_time']:%Y-%m-%d}"
    end = "" if x["closed"] else ", still open"
    return f"{x['side']} {days}{end}: profit {x['pnl']:,.2f} ({x['return']:z.2%})"


def _weight(value: float) -> str:
    return "none (no opinion)" if math.isnan(value) else f"{value:z.2%} of equity"
