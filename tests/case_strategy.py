"""Bar cases: a few bars, the orders or targets of each row, and the expected results.

`bars` has one entry per row: a price where all four are the same, `(price, volume)`, `(open, high,
low, close)`, or all five; a list of them has one per asset, A, B, C. `asks` says per row what the
strategy wants, statements separated by `;`, those for another asset than A with its letter in
front:

    hold 0.5                            a target from this row on
    buy 10 market                       sell 10 limit 101
    buy 10 on-open                      sell 10 on-close
    buy 10 stop 105                     buy 10 stop-limit 105 106 (the stop, the limit)
    buy 10 touched 95 96                a limit order at 96 once the price has fallen to 95
    sell 10 take 110                    a take-profit order
    sell 10 trail 5                     a trailing stop; as a fraction: trail 5%
    buy 10 bracket 95 105 90            limit (or market), take-profit, stop-loss
    amend 1 qty 5 limit 98 stop 95      cancel 1; also: trail 3, frac 0.03

after an order: `day`, `ioc`, `fok`, `gtd 48` (hours), `reduce`, `post`, `group 1`, `after 2` (its
parent). Orders are numbered as they come: 1, 2, 3, ..., those of targets and exits too.

A fill is `(row, units, price)` with its fee as a fourth number where there is one, a refusal `(row,
reason)`, then what was asked and approved where the case looks at it, a posting `(row, kind,
amount)`, then its units where it looks at them; each with the letter of another asset than A in
the second place, `*` for the whole account. `changes` are all events but the ordinary ones: `(row,
order, status)` with its reason; `life` is every event. `ambiguous` bars are `(row, equity if the
low came first, if the high did, the one taken)`. Every account starts with 10,000, and a case that
does not say so has no costs, a volume of 1,000 and daily rows from a Monday on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np

from alphalab.config import RunSettings
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr
from alphalab.kernels.market import orders
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, IntArray

HOUR = 3_600 * 10**9
MONDAY = int(np.datetime64("2024-01-01T21:00", "ns").astype(np.int64))
VOLUME = 1_000.0

SLOTS = 5  # statements of one row
FIELDS = (
    *("kind", "asset", "side", "qty", "first", "second", "third", "fourth"),
    *("tif", "hours", "reduce", "post", "group", "parent"),
)
WIDTH = len(FIELDS)
SIGNALS = [f"{name}{slot}" for slot in range(SLOTS) for name in FIELDS]

MARKET, LIMIT, STOP, STOP_LIMIT, TAKE, TRAIL, BRACKET, AMEND, CANCEL = range(1, 10)
ON_OPEN, ON_CLOSE, TOUCHED = range(10, 13)
KINDS = {
    **{"market": MARKET, "limit": LIMIT, "stop": STOP, "stop-limit": STOP_LIMIT},
    **{"take": TAKE, "trail": TRAIL, "bracket": BRACKET},
    **{"on-open": ON_OPEN, "on-close": ON_CLOSE, "touched": TOUCHED},
}
SIDES = {"buy": 1.0, "sell": -1.0, "swap": 0.0}
TIMES = {"day": orders.DAY, "ioc": orders.IOC, "fok": orders.FOK, "gtd": orders.GTD}
OPTIONS = dict.fromkeys(("day", "ioc", "fok", "reduce", "post"), False)  # without a number
OPTIONS |= dict.fromkeys(("gtd", "group", "after"), True)
ORDINARY = ("SUBMITTED", "ACTIVE", "PARTIALLY_FILLED", "FILLED")


class Scripted(Strategy):
    """Does what the columns say."""

    max_orders = 6

    def signals(self) -> dict[str, Expr | float]:
        return {"w": column("w")} | {name: column(name) for name in SIGNALS}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        for slot in range(SLOTS):
            k = 1 + slot * WIDTH
            kind = int(table[k, 0])
            asset = int(table[k + 1, 0])
            side = int(table[k + 2, 0])
            qty = table[k + 3, 0]
            p, q, r, x = (
                table[k + 4, 0],
                table[k + 5, 0],
                table[k + 6, 0],
                table[k + 7, 0],
            )
            tif = int(table[k + 8, 0])
            until = account.time + int(table[k + 9, 0]) * HOUR
            reduce = table[k + 10, 0] > 0.0
            post = table[k + 11, 0] > 0.0
            group = int(table[k + 12, 0])
            parent = int(table[k + 13, 0])
            if kind == MARKET:
                orders.market(account, asset, side, qty, tif, until, reduce, group, parent)
            elif kind == LIMIT:
                orders.limit(account, asset, side, qty, p, tif, until, reduce, post, group, parent)
            elif kind == STOP:
                orders.stop(account, asset, side, qty, p, tif, until, reduce, group, parent)
            elif kind == STOP_LIMIT:
                orders.stop_limit(
                    account, asset, side, qty, p, q, tif, until, reduce, group, parent
                )
            elif kind == TAKE:
                orders.take_profit(account, asset, side, qty, p, tif, until, reduce, group, parent)
            elif kind == TRAIL:
                orders.trailing_stop(
                    account, asset, side, qty, p, q, tif, until, reduce, group, parent
                )
            elif kind == BRACKET:
                orders.bracket(account, asset, side, qty, p, q, r)
            elif kind == AMEND:
                orders.amend(account, asset, qty, p, q, r, x)
            elif kind == CANCEL:
                orders.cancel(account, asset)
            elif kind == ON_OPEN:
                orders.market_on_open(account, asset, side, qty, tif, until, reduce, group, parent)
            elif kind == ON_CLOSE:
                orders.market_on_close(account, asset, side, qty, tif, until, reduce, group, parent)
            elif kind == TOUCHED:
                orders.limit_if_touched(
                    account, asset, side, qty, p, q, tif, until, reduce, group, parent
                )
        return table[0].copy()


class Narrow(Scripted):
    """The same with room for two orders."""

    max_orders = 2


@dataclass
class Case:
    """One account and what has to come of it."""

    name: str
    bars: list[Any]
    asks: dict[int, str]
    fills: list[tuple[Any, ...]]
    cash: float  # after the last row
    changes: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    postings: list[tuple[Any, ...]] = field(default_factory=list)
    ambiguous: list[tuple[int, float, float, str]] = field(default_factory=list)
    life: list[tuple[int, int, str]] | None = None
    equity: list[float] | None = None
    realised: float | None = None
    instrument: dict[str, Any] | list[dict[str, Any]] = field(default_factory=dict)
    columns: dict[str, list[float]] = field(default_factory=dict)
    hours: list[float] | float = 24.0  # after Monday 2024-01-01 21:00 UTC, or between the rows
    narrow: bool = False  # room for two orders
    settings: dict[str, Any] = field(default_factory=dict)


def case(
    name: str, bars: list[Any], asks: dict[int, str], fills: list[Any], cash: float, **rest: Any
) -> Case:
    """Return a case; what is no field of it is a setting of the run."""
    names = Case.__dataclass_fields__
    settings = {key: value for key, value in rest.items() if key not in names}
    rest = {key: value for key, value in rest.items() if key in names}
    return Case(name, bars, asks, fills, cash, settings=settings, **rest)


def settings_of(case: Case) -> RunSettings:
    return RunSettings(cash=10_000.0, **case.settings)


def instruments_of(case: Case) -> list[Instrument]:
    fields = _per_asset(case.instrument, n_assets(case))
    return [
        Instrument(symbol=letter, **given) for letter, given in zip("ABC", fields, strict=False)
    ]


def n_assets(case: Case) -> int:
    return max(len(row) if isinstance(row, list) else 1 for row in case.bars)


def times_of(case: Case) -> IntArray:
    hours = case.hours
    offsets = hours if isinstance(hours, list) else [hours * i for i in range(len(case.bars))]
    return np.array([MONDAY + int(offset * HOUR) for offset in offsets])


def columns_of(case: Case) -> dict[str, FloatArray]:
    """Return everything that is pushed: bars, the script, and the columns of the case."""
    n_rows, width = len(case.bars), n_assets(case)
    bars = np.array([[_bar(bar) for bar in _per_asset(row, width)] for row in case.bars])
    columns = {name: bars[:, :, i].copy() for i, name in enumerate(BAR_COLUMNS)}
    for name in ("split", "dividend", "funding", "bid", "ask", "delisting"):
        columns[name] = np.full((n_rows, width), nan)
    for name, values in case.columns.items():
        columns[name] = np.array([_per_asset(value, width) for value in values], np.float64)
    columns["w"] = np.full((n_rows, width), nan)
    columns |= {name: np.zeros((n_rows, width)) for name in SIGNALS}
    for row, text in case.asks.items():
        slot = 0
        for statement in text.split(";"):
            words = statement.split()
            asset = "ABC".index(words.pop(0)) if words[0] in "ABC" else 0
            if words[0] == "hold":
                columns["w"][row:, asset] = float(words[1])
                continue
            for name, value in zip(FIELDS, _request(words, asset), strict=True):
                columns[f"{name}{slot}"][row, 0] = value
            slot += 1
    return columns


def _per_asset(row: Any, width: int) -> list[Any]:
    return row if isinstance(row, list) else [row] * width


def _bar(bar: Any) -> tuple[float, ...]:
    """Return open, high, low, close and volume."""
    match bar:
        case (price, volume):
            return (price, price, price, price, volume)
        case (open_, high, low, close):
            return (open_, high, low, close, VOLUME)
        case tuple():
            return bar
    return (bar, bar, bar, bar, VOLUME)


def _request(words: list[str], asset: int) -> tuple[float, ...]:
    """Return the fields of one statement, in the order of `FIELDS`."""
    verb, first, *words = words
    if verb == "cancel":
        return (CANCEL, float(first), *[0.0] * (WIDTH - 2))
    if verb == "amend":
        new = dict(zip(words[::2], map(float, words[1::2]), strict=True))
        figures = [new.get(name, nan) for name in ("qty", "limit", "stop", "trail", "frac")]
        return (AMEND, float(first), 0.0, *figures, *[0.0] * (WIDTH - 8))
    kind = KINDS[words.pop(0)]
    n_levels = next((i for i, word in enumerate(words) if word in OPTIONS), len(words))
    prices = [nan, nan, nan, nan]
    for i, word in enumerate(words[:n_levels]):
        if word.endswith("%"):
            prices[1] = float(word[:-1]) / 100
        elif word != "market":
            prices[i] = float(word)
    given = _options(words[n_levels:])
    tif = next((int(TIMES[name]) for name in given if name in TIMES), int(orders.GTC))
    return (
        *(kind, asset, SIDES[verb], float(first), *prices, tif, given.get("gtd", 0.0)),
        *(given.get(name, 0.0) for name in ("reduce", "post", "group", "after")),
    )


def _options(words: list[str]) -> dict[str, float]:
    given = {}
    while words:
        name, *words = words
        given[name] = float(words.pop(0)) if OPTIONS[name] else 1.0
    return given
