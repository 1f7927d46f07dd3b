"""Accounts worked out by hand: a few rows of prices and weights, and the expected results.

A row is `(price, weight)`, or `(open, close, weight)` where the prices differ; each is a number, or
a tuple of one number per asset. A fill is `(row, asset, units, price)`, decided on the row before
(on the same row with same_close), or has the row of its decision as a fifth number. A refusal is
`(row, asset, reason, asked, approved)`. Every account starts with 1000 in cash, and pays no fee
unless the case says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, nan
from typing import Any

from alphalab.config import Costs, Limits, Rebalance, RunSettings
from alphalab.types import Instrument

DAILY = 24.0


@dataclass
class Case:
    """One account and what has to come of it."""

    name: str
    rows: list[tuple[Any, ...]]
    fills: list[tuple[float, ...]]
    cash: float  # after the last row
    refusals: list[tuple[int, int, str, float, float]] = field(default_factory=list)
    fees: float = 0.0
    realised: float | None = None
    equity: list[float] | None = None
    fee_bps: float | None = 0.0
    fill: str = "next_open"
    rebalance: Rebalance = field(default_factory=Rebalance.on_change)
    limits: Limits = field(default_factory=Limits)
    instrument: dict[str, Any] = field(default_factory=dict)
    sectors: str = ""  # one letter per asset
    hours: list[float] | float = DAILY  # after Monday 2024-01-01 21:00 UTC, or between the rows

    @property
    def settings(self) -> RunSettings:
        return RunSettings(
            cash=1000.0,
            fill=self.fill,
            costs=Costs(fee_bps=self.fee_bps),
            limits=self.limits,
            rebalance=self.rebalance,
        )

    @property
    def columns(self) -> tuple[list[list[float]], list[list[float]], list[list[float]]]:
        """Opens, closes and weights."""
        rows = [row if len(row) == 3 else (row[0], *row) for row in self.rows]
        n = max(len(x) if isinstance(x, tuple) else 1 for row in rows for x in row)
        tables = [[list(x) if isinstance(x, tuple) else [x] * n for x in row] for row in rows]
        opens, closes, weights = (list(column) for column in zip(*tables, strict=True))
        return opens, closes, weights

    @property
    def instruments(self) -> list[Instrument]:
        n = len(self.columns[0][0])
        labels = [{"sector": letter} for letter in self.sectors] or [{}] * n
        return [
            Instrument(symbol=f"S{i}", groups=groups, **self.instrument)
            for i, groups in enumerate(labels)
        ]

    @property
    def offsets(self) -> list[float]:
        """Hours of the rows after the first."""
        if isinstance(self.hours, list):
            return self.hours
        return [self.hours * i for i in range(len(self.rows))]


CASES = [
    # Where and how large
    Case(
        "next_open buys what the value is worth at the open",
        rows=[(10, 1.0), (12.5, 12, 1.0)],
        fills=[(1, 0, 80, 12.5)],
        cash=0,
        equity=[1000, 960],
    ),
    Case(
        "next_close buys what the value is worth at the next close",
        rows=[(10, 1.0), (12.5, 8, 1.0)],
        fills=[(1, 0, 125, 8)],
        cash=0,
        fill="next_close",
    ),
    Case(
        "same_close trades at the price it has seen",
        rows=[(9, 10, 1.0)],
        fills=[(0, 0, 100, 10)],
        cash=0,
        fill="same_close",
    ),
    Case("a decision on the last row is not filled", rows=[(10, 1.0)], fills=[], cash=1000),
    Case(
        "a sale is sized at the close that decided it",
        rows=[(10, 1.0), (10, 0.25), (20, 0.25)],
        fills=[(1, 0, 100, 10), (2, 0, -75, 20)],
        cash=1500,
        realised=750,
    ),
    Case(
        "target zero sells exactly what is held",
        rows=[(3, 1.0), (3, 0.0), (7, 0.0)],
        fills=[(1, 0, 1000 / 3, 3), (2, 0, -1000 / 3, 7)],
        cash=7000 / 3,
        realised=4000 / 3,
    ),
    Case(
        "a short is sized at the close that decided it",
        rows=[(10, -0.5), (8, -0.5)],
        fills=[(1, 0, -50, 8)],
        cash=1400,
        equity=[1000, 1000],
    ),
    Case(
        "target zero covers a short exactly",
        rows=[(10, -0.5), (10, 0.0), (5, 0.0)],
        fills=[(1, 0, -50, 10), (2, 0, 50, 5)],
        cash=1250,
        realised=250,
    ),
    Case(
        "long to short and back again",
        rows=[(10, 1.0), (10, -1.0), (10, 1.0), (10, 1.0)],
        fills=[(1, 0, 100, 10), (2, 0, -200, 10), (3, 0, 200, 10)],
        cash=0,
        realised=0,
    ),
    Case(
        "a flip realises what it closed and opens at its own price",
        rows=[(10, 1.0), (10, -1.0), (12, 11, -1.0)],
        fills=[(1, 0, 100, 10), (2, 0, -200, 12)],
        cash=2400,
        realised=200,
        equity=[1000, 1000, 1300],
    ),
    Case(
        "profit is counted from the average price",
        rows=[(10, 0.5), (10, 20, 0.9), (17.5, 0.0), (17.5, 0.0)],
        fills=[(1, 0, 50, 10), (2, 0, 20, 17.5), (3, 0, -70, 17.5)],
        cash=1375,
        realised=375,
    ),
    Case(
        "no opinion keeps what is held",
        rows=[(10, 1.0), (10, nan), (20, nan)],
        fills=[(1, 0, 100, 10)],
        cash=0,
        equity=[1000, 1000, 2000],
    ),
    Case(
        "a contract's multiplier counts in size and profit",
        rows=[(10, 1.0), (10, 1.0), (11, 0.0), (11, 0.0)],
        fills=[(1, 0, 2, 10), (3, 0, -2, 11)],
        cash=1100,
        realised=100,
        instrument={"multiplier": 50},
    ),
    # Fees
    Case(
        "the fee of a purchase is inside its budget",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[(1, 0, 80, 10)],
        cash=0,
        fee_bps=2500,
        fees=200,
    ),
    Case(
        "half the equity is half with its fee",
        rows=[(10, 0.5), (10, 0.5)],
        fills=[(1, 0, 40, 10)],
        cash=500,
        fee_bps=2500,
        fees=100,
    ),
    Case(
        "both sides of a round trip pay",
        rows=[(10, 1.0), (10, 0.0), (11, 0.0)],
        fills=[(1, 0, 1000 / 11, 10), (2, 0, -1000 / 11, 11)],
        cash=900,
        fee_bps=1000,
        fees=1000 / 11 + 100,
        realised=1000 / 11,
    ),
    Case(
        "the fee of a short sale is taken from its proceeds",
        rows=[(10, -0.5), (10, -0.5)],
        fills=[(1, 0, -50, 10)],
        cash=1450,
        fee_bps=1000,
        fees=50,
    ),
    Case(
        "same_close has paid its fee in the row's equity",
        rows=[(10, 1.0)],
        fills=[(0, 0, 80, 10)],
        cash=0,
        fill="same_close",
        fee_bps=2500,
        fees=200,
        equity=[800],
    ),
    Case(
        "a contract's fee is a part of its whole value",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[(1, 0, 1.6, 10)],
        cash=0,
        fee_bps=2500,
        fees=200,
        instrument={"multiplier": 50},
    ),
    Case(
        "without costs of the run the instrument's taker fee counts",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[(1, 0, 80, 10)],
        cash=0,
        fee_bps=None,
        fees=200,
        instrument={"taker_bps": 2500},
    ),
    Case(
        "costs of the run replace the instrument's fee",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[(1, 0, 100, 10)],
        cash=0,
        fee_bps=0,
        instrument={"taker_bps": 2500},
    ),
    # Cash
    Case(
        "sales come first and free cash for an earlier symbol",
        rows=[(10, (0.0, 1.0)), (10, (1.0, 0.0)), (10, (1.0, 0.0))],
        fills=[(1, 1, 100, 10), (2, 1, -100, 10), (2, 0, 100, 10)],
        cash=0,
    ),
    Case(
        "a purchase is cut to the cash at hand",
        rows=[(10, (1.0, 0.0)), (10, (0.0, 1.0)), ((8, 10), (0.0, 1.0))],
        fills=[(1, 0, 100, 10), (2, 0, -100, 8), (2, 1, 80, 10)],
        cash=0,
        realised=-200,
        refusals=[(2, 1, "CASH", 1000, 800)],
    ),
    Case(
        "what a cut leaves is with its fee",
        rows=[(10, (1.0, 0.0)), (10, (0.0, 1.0)), ((8, 10), (0.0, 1.0))],
        fills=[(1, 0, 80, 10), (2, 0, -80, 8), (2, 1, 38.4, 10)],
        cash=0,
        fee_bps=2500,
        fees=200 + 160 + 96,
        refusals=[(2, 1, "CASH", 800, 480)],
    ),
    Case(
        "the first symbol takes the cash there is",
        rows=[(10, (1, 0, 0)), (10, (0, 0.5, 0.5)), ((6, 10, 10), (0, 0.5, 0.5))],
        fills=[(1, 0, 100, 10), (2, 0, -100, 6), (2, 1, 50, 10), (2, 2, 10, 10)],
        cash=0,
        refusals=[(2, 2, "CASH", 500, 100)],
    ),
    Case(
        "without cash there is no purchase",
        rows=[(10, (1.0, nan)), (10, (nan, 0.5)), (10, (nan, 0.5))],
        fills=[(1, 0, 100, 10)],
        cash=0,
        limits=Limits(gross=2),
        refusals=[(2, 1, "CASH", 500, 0)],
    ),
    Case(
        "a short is covered even beyond the cash",
        rows=[(10, -1.0), (10, 0.0), (30, 0.0)],
        fills=[(1, 0, -100, 10), (2, 0, 100, 30)],
        cash=-1000,
        realised=-2000,
        refusals=[(2, -1, "BANKRUPT", -1000, 0)],
    ),
    Case(
        "a short is reduced even without cash",
        rows=[(10, (-1.0, 2.0)), (10, (-0.5, 2.0)), (10, (-0.5, 2.0))],
        fills=[(1, 0, -100, 10), (1, 1, 200, 10), (2, 0, 50, 10)],
        cash=-500,
        limits=Limits(gross=3),
    ),
    Case(
        "beyond the cover only cash buys",
        rows=[(10, (-1.0, 2.0)), (10, (0.5, 2.0)), (10, (0.5, 2.0))],
        fills=[(1, 0, -100, 10), (1, 1, 200, 10), (2, 0, 100, 10)],
        cash=-1000,
        limits=Limits(gross=3),
        refusals=[(2, 0, "CASH", 1500, 1000)],
    ),
    # Lots and the least value
    Case(
        "a purchase is rounded down to lots",
        rows=[(300, 1.0), (300, 1.0)],
        fills=[(1, 0, 3, 300)],
        cash=100,
        instrument={"lot": 1},
    ),
    Case(
        "a sale is rounded down to lots",
        rows=[(10, 1.0), (10, 0.55), (10, 0.55)],
        fills=[(1, 0, 100, 10), (2, 0, -40, 10)],
        cash=400,
        instrument={"lot": 10},
    ),
    Case(
        "three tenths are three lots of a tenth",
        rows=[(1, 0.0003), (1, 0.0003)],
        fills=[(1, 0, 0.3, 1)],
        cash=999.7,
        instrument={"lot": 0.1},
    ),
    Case(
        "a lot reached but for rounding still has to be paid",
        rows=[(100, 1.0), (100.000000001, 1.0)],
        fills=[(1, 0, 9, 100.000000001)],
        cash=99.999999991,
        instrument={"lot": 1},
    ),
    Case(
        "less than a lot is refused",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[],
        cash=1000,
        instrument={"lot": 200},
        refusals=[(1, 0, "LOT", 100, 0)],
    ),
    Case(
        "a sale of less than a lot is refused",
        rows=[(10, 1.0), (10, 0.95), (10, 0.95)],
        fills=[(1, 0, 100, 10)],
        cash=0,
        instrument={"lot": 10},
        refusals=[(2, 0, "LOT", 5, 0)],
    ),
    Case(
        "what the cash pays is rounded down to lots",
        rows=[(10, (1.0, 0.0)), (10, (0.0, 1.0)), ((7, 9), (0.0, 1.0))],
        fills=[(1, 0, 100, 10), (2, 0, -100, 7), (2, 1, 70, 9)],
        cash=70,
        instrument={"lot": 10},
        refusals=[(2, 1, "CASH", 1000, 630)],
    ),
    Case(
        "an order below the least value is refused",
        rows=[(10, 0.05), (10, 0.05)],
        fills=[],
        cash=1000,
        instrument={"min_value": 100},
        refusals=[(1, 0, "MIN_VALUE", 50, 0)],
    ),
    Case(
        "an order of just the least value is filled",
        rows=[(10, 0.1), (10, 0.1)],
        fills=[(1, 0, 10, 10)],
        cash=900,
        instrument={"min_value": 100},
    ),
    Case(
        "the last rest of a position can be below the least value",
        rows=[(10, 0.15), (10, 0.0), (5, 0.0)],
        fills=[(1, 0, 15, 10)],
        cash=850,
        instrument={"min_value": 100},
        refusals=[(2, 0, "MIN_VALUE", 75, 0)],
    ),
    # Waiting
    Case(
        "an order waits for an open",
        rows=[(10, 1.0), (nan, 10, 1.0), (20, 1.0)],
        fills=[(2, 0, 50, 20, 0)],
        cash=0,
    ),
    Case(
        "a new target replaces the order that waits",
        rows=[(10, 1.0), (nan, 10, 0.5), (20, 0.5)],
        fills=[(2, 0, 25, 20, 1)],
        cash=500,
    ),
    Case(
        "target zero cancels a purchase that waits",
        rows=[(10, 1.0), (nan, 10, 0.0), (20, 0.0)],
        fills=[],
        cash=1000,
    ),
    Case(
        "no opinion leaves the order that waits",
        rows=[(10, 1.0), (nan, 10, nan), (20, nan)],
        fills=[(2, 0, 50, 20, 0)],
        cash=0,
    ),
    Case(
        "a sale waits while its asset does not trade",
        rows=[(10, 1.0), (10, 0.0), (nan, 0.0), (15, 0.0)],
        fills=[(1, 0, 100, 10), (3, 0, -100, 15, 1)],
        cash=1500,
        equity=[1000, 1000, 1000, 1500],
    ),
    Case(
        "same_close without a close waits for the next",
        rows=[(10, nan), (nan, 1.0), (12.5, 1.0)],
        fills=[(2, 0, 80, 12.5, 1)],
        cash=0,
        fill="same_close",
    ),
    Case(
        "an asset that is listed later is bought then",
        rows=[((10, nan), 0.5), ((10, nan), 0.5), ((10, 20), 0.5), ((10, 25), 0.5)],
        fills=[(1, 0, 50, 10), (3, 1, 20, 25)],
        cash=0,
    ),
    Case(
        "a position is worth its last close while it does not trade",
        rows=[(10, 1.0), (10, 12, 1.0), (nan, 1.0), (15, 1.0)],
        fills=[(1, 0, 100, 10)],
        cash=0,
        equity=[1000, 1200, 1200, 1500],
    ),
    # Rebalancing
    Case(
        "on_change lets a position drift",
        rows=[(10, 0.5), (10, 0.5), (20, 0.5), (20, 0.5)],
        fills=[(1, 0, 50, 10)],
        cash=500,
    ),
    Case(
        "every_row trades back to the target",
        rows=[(10, 0.5), (10, 0.5), (20, 0.5), (20, 0.5)],
        fills=[(1, 0, 50, 10), (3, 0, -12.5, 20)],
        cash=750,
        rebalance=Rebalance.every_row(),
    ),
    Case(
        "drift trades when the weight is far from the target",
        rows=[(10, 0.5), (10, 0.5), (11, 0.5), (20, 0.5), (20, 0.5)],
        fills=[(1, 0, 50, 10), (4, 0, -12.5, 20)],
        cash=750,
        rebalance=Rebalance.drift(0.1),
    ),
    Case(
        "drift does not trade at the threshold itself",
        rows=[(10, 0.5), (10, 0.5), (30, 0.5), (30, 0.5)],
        fills=[(1, 0, 50, 10)],
        cash=500,
        rebalance=Rebalance.drift(0.25),
    ),
    Case(
        "drift opens a position whatever its threshold",
        rows=[(10, 0.5), (10, 0.5)],
        fills=[(1, 0, 50, 10)],
        cash=500,
        rebalance=Rebalance.drift(0.6),
    ),
    Case(
        "drift closes a position whatever its threshold and cooldown",
        rows=[(10, 0.5), (10, 0.0), (10, 0.0)],
        fills=[(1, 0, 50, 10), (2, 0, -50, 10)],
        cash=1000,
        rebalance=Rebalance.drift(0.6, cooldown=5),
    ),
    Case(
        "drift rests for its cooldown after an order",
        rows=[(10, 0.5), (10, 20, 0.5), (20, 0.5), (20, 0.5), (20, 0.5)],
        fills=[(1, 0, 50, 10), (4, 0, -12.5, 20)],
        cash=750,
        rebalance=Rebalance.drift(0.1, cooldown=2),
    ),
    Case(
        "calendar week acts on Mondays",
        rows=[(10, 0.5), (10, 1.0), (10, 1.0), (10, 1.0), (10, 1.0)],
        hours=[0, 24, 4 * 24, 7 * 24, 8 * 24],
        fills=[(1, 0, 50, 10), (4, 0, 50, 10)],
        cash=0,
        rebalance=Rebalance.calendar("week"),
    ),
    Case(
        "calendar week acts on the first row of a week that begins late",
        rows=[(10, 0.5), (10, 1.0), (10, 1.0), (10, 1.0)],
        hours=[0, 6 * 24, 9 * 24, 10 * 24],
        fills=[(1, 0, 50, 10), (3, 0, 50, 10)],
        cash=0,
        rebalance=Rebalance.calendar("week"),
    ),
    Case(
        "calendar month acts on the first of February",
        rows=[(10, 0.5), (10, 1.0), (10, 1.0), (10, 1.0)],
        hours=[0, 30 * 24, 31 * 24, 32 * 24],
        fills=[(1, 0, 50, 10), (3, 0, 50, 10)],
        cash=0,
        rebalance=Rebalance.calendar("month"),
    ),
    Case(
        "calendar quarter acts in April",
        rows=[(10, 0.5), (10, 1.0), (10, 1.0), (10, 1.0)],
        hours=[0, 90 * 24, 91 * 24, 92 * 24],
        fills=[(1, 0, 50, 10), (3, 0, 50, 10)],
        cash=0,
        rebalance=Rebalance.calendar("quarter"),
    ),
    Case(
        "calendar day acts after midnight UTC, and a row that ends at midnight is of the old day",
        rows=[(10, 0.5), (10, 1.0), (10, 1.0), (10, 1.0), (10, 1.0)],
        hours=[0, 2, 3, 4, 5],
        fills=[(1, 0, 50, 10), (4, 0, 50, 10)],
        cash=0,
        rebalance=Rebalance.calendar("day"),
    ),
    Case(
        "calendar trades back to an unchanged target",
        rows=[(10, 0.5), (10, 0.5), (20, 0.5), (20, 0.5)],
        hours=[0, 24, 7 * 24, 8 * 24],
        fills=[(1, 0, 50, 10), (3, 0, -12.5, 20)],
        cash=750,
        rebalance=Rebalance.calendar("week"),
    ),
    Case(
        "calendar waits for the first opinion of a period",
        rows=[(10, nan), (10, 1.0), (10, 0.5), (10, 0.5)],
        fills=[(2, 0, 100, 10)],
        cash=0,
        rebalance=Rebalance.calendar("month"),
    ),
    Case(
        "calendar waits for the first price of an asset",
        rows=[(nan, nan, 0.5), (nan, nan, 0.5), (10, 10, 0.5), (10, 0.5)],
        fills=[(3, 0, 50, 10)],
        cash=500,
        rebalance=Rebalance.calendar("month"),
    ),
    Case(
        "what a daily loss closed under a calendar comes back the next day",
        rows=[(10, 1.0), (10, 1.0), (9, 1.0), (9, 1.0), (9, 1.0), (9, 1.0)],
        hours=[0, 1, 2, 2.5, 3.5, 4],
        fills=[(1, 0, 100, 10), (3, 0, -100, 9), (5, 0, 100, 9)],
        cash=0,
        rebalance=Rebalance.calendar("month"),
        limits=Limits(daily_loss=0.1),
        refusals=[(2, -1, "DAILY_LOSS", 0.1, 0.1)],
    ),
    Case(
        "on_change asks again for what was less than a lot, and logs it once",
        rows=[(100, 0.5), (100, 0.5), (100, 0.5), (10, 0.5), (10, 0.5)],
        fills=[(3, 0, 50, 10)],
        cash=500,
        instrument={"lot": 10.0},
        refusals=[(1, 0, "LOT", 5, 0)],
    ),
    # The gate
    Case(
        "gross above the limit is scaled down in proportion",
        rows=[(10, (1.5, 0.5)), (10, (1.5, 0.5))],
        fills=[(1, 0, 75, 10), (1, 1, 25, 10)],
        cash=0,
        refusals=[(0, -1, "GROSS_LIMIT", 2, 1), (1, -1, "GROSS_LIMIT", 2, 1)],
    ),
    Case(
        "gross counts long and short",
        rows=[(10, (0.8, -0.8)), (10, (0.8, -0.8))],
        fills=[(1, 1, -50, 10), (1, 0, 50, 10)],
        cash=1000,
        refusals=[(0, -1, "GROSS_LIMIT", 1.6, 1), (1, -1, "GROSS_LIMIT", 1.6, 1)],
    ),
    Case(
        "what is held without an opinion takes its room first",
        rows=[(10, (0.5, nan)), (10, (nan, 1.0)), (10, (nan, 1.0))],
        fills=[(1, 0, 50, 10), (2, 1, 50, 10)],
        cash=0,
        refusals=[(1, -1, "GROSS_LIMIT", 1.5, 1), (2, -1, "GROSS_LIMIT", 1.5, 1)],
    ),
    Case(
        "without room the rest goes to zero",
        rows=[(10, (0.4, 0.1)), (10, (20, 10), (nan, 0.1)), ((20, 10), (nan, 0.0))],
        fills=[(1, 0, 40, 10), (1, 1, 10, 10), (2, 1, -10, 10)],
        cash=600,
        limits=Limits(gross=0.5),
        refusals=[(1, -1, "GROSS_LIMIT", 8 / 14 + 0.1, 8 / 14)],
    ),
    Case(
        "net above the limit scales the long side",
        rows=[(10, (1.0, -0.25)), (10, (1.0, -0.25))],
        fills=[(1, 1, -25, 10), (1, 0, 75, 10)],
        cash=500,
        limits=Limits(gross=2, net=0.5),
        refusals=[(0, -1, "NET_LIMIT", 0.75, 0.5), (1, -1, "NET_LIMIT", 0.75, 0.5)],
    ),
    Case(
        "net below minus the limit scales the short side",
        rows=[(10, (-1.0, 0.25)), (10, (-1.0, 0.25))],
        fills=[(1, 0, -75, 10), (1, 1, 25, 10)],
        cash=1500,
        limits=Limits(gross=2, net=0.5),
        refusals=[(0, -1, "NET_LIMIT", -0.75, -0.5), (1, -1, "NET_LIMIT", -0.75, -0.5)],
    ),
    Case(
        "net that is only held cannot give way",
        rows=[(10, 0.5), (10, 30, nan), (30, nan)],
        fills=[(1, 0, 50, 10)],
        cash=500,
        limits=Limits(net=0.5),
    ),
    Case(
        "a weight is cut to its limit on either side",
        rows=[(10, (1.0, -0.75)), (10, (1.0, -0.75))],
        fills=[(1, 1, -25, 10), (1, 0, 25, 10)],
        cash=1000,
        limits=Limits(weight=0.25),
        refusals=[
            (0, 0, "WEIGHT_LIMIT", 1, 0.25),
            (0, 1, "WEIGHT_LIMIT", -0.75, -0.25),
            (1, 0, "WEIGHT_LIMIT", 1, 0.25),
            (1, 1, "WEIGHT_LIMIT", -0.75, -0.25),
        ],
    ),
    Case(
        "three tenths are within a limit of three tenths",
        rows=[(10, 0.1 + 0.2), (10, 0.1 + 0.2)],
        fills=[(1, 0, 30, 10)],
        cash=700,
        limits=Limits(weight=0.3),
    ),
    Case(
        "a group is scaled down to its limit, the others are not",
        rows=[(10, (0.5, 0.25, 0.25)), (10, (0.5, 0.25, 0.25))],
        fills=[(1, 0, 25, 10), (1, 1, 12.5, 10), (1, 2, 25, 10)],
        cash=375,
        sectors="aab",
        limits=Limits(group="sector", group_gross=0.375),
        refusals=[(0, -1, "GROUP_LIMIT", 0.75, 0.375), (1, -1, "GROUP_LIMIT", 0.75, 0.375)],
    ),
    Case(
        "a group's silent member takes its room first",
        rows=[(10, (0.5, nan)), (10, (nan, 0.5)), (10, (nan, 0.5))],
        fills=[(1, 0, 50, 10), (2, 1, 25, 10)],
        cash=250,
        sectors="aa",
        limits=Limits(group="sector", group_gross=0.75),
        refusals=[(1, -1, "GROUP_LIMIT", 1, 0.75), (2, -1, "GROUP_LIMIT", 1, 0.75)],
    ),
    Case(
        "an infinite weight is no opinion",
        rows=[(10, 0.5), (10, inf), (10, 0.5)],
        fills=[(1, 0, 50, 10)],
        cash=500,
        refusals=[(1, 0, "NOT_FINITE", inf, nan)],
    ),
    Case(
        "the drawdown lock closes and stays closed",
        rows=[(10, 1.0), (10, 1.0), (8, 1.0), (9, 1.0), (20, 0.5), (20, 1.0)],
        fills=[(1, 0, 100, 10), (3, 0, -100, 9)],
        cash=900,
        realised=-100,
        limits=Limits(drawdown=0.2),
        refusals=[(2, -1, "DRAWDOWN_LOCK", 0.2, 0.2)],
    ),
    Case(
        "a drawdown is counted from the peak",
        rows=[(10, 1.0), (10, 16, 1.0), (14, 1.0), (12, 1.0), (12, 1.0)],
        fills=[(1, 0, 100, 10), (4, 0, -100, 12)],
        cash=1200,
        limits=Limits(drawdown=0.25),
        refusals=[(3, -1, "DRAWDOWN_LOCK", 0.25, 0.25)],
    ),
    Case(
        "the drawdown lock cancels a purchase that waits",
        rows=[(10, 0.5), ((10, nan), (5, 10), 0.5), ((5, 10), 0.5), (10, 0.5)],
        fills=[(1, 0, 50, 10), (2, 0, -50, 5)],
        cash=750,
        limits=Limits(drawdown=0.2),
        refusals=[(1, -1, "DRAWDOWN_LOCK", 0.25, 0.2)],
    ),
    Case(
        "the drawdown lock does not wait for the calendar",
        rows=[(10, 1.0), (10, 5, 1.0), (5, 1.0)],
        fills=[(1, 0, 100, 10), (2, 0, -100, 5)],
        cash=500,
        rebalance=Rebalance.calendar("year"),
        limits=Limits(drawdown=0.2),
        refusals=[(1, -1, "DRAWDOWN_LOCK", 0.5, 0.2)],
    ),
    Case(
        "the drawdown lock does not wait for a cooldown",
        rows=[(10, 1.0), (10, 5, 1.0), (5, 1.0)],
        fills=[(1, 0, 100, 10), (2, 0, -100, 5)],
        cash=500,
        rebalance=Rebalance.drift(0.1, cooldown=100),
        limits=Limits(drawdown=0.2),
        refusals=[(1, -1, "DRAWDOWN_LOCK", 0.5, 0.2)],
    ),
    Case(
        "after the daily loss it is flat until the next UTC day, then trades again",
        rows=[(10, 1.0), (10, 1.0), (9, 1.0), (9, 0.5), (9, 1.0), (9, 1.0)],
        hours=[0, 1, 2, 2.5, 3.5, 4],
        fills=[(1, 0, 100, 10), (3, 0, -100, 9), (5, 0, 100, 9)],
        cash=0,
        limits=Limits(daily_loss=0.1),
        refusals=[(2, -1, "DAILY_LOSS", 0.1, 0.1)],
    ),
    Case(
        "a day's loss is counted from the last row of the day before",
        rows=[(10, 1.0), (10, 20, 1.0), (20, 15, 1.0), (15, 1.0), (15, 1.0)],
        hours=[0, 1, 4, 5, 6],
        fills=[(1, 0, 100, 10), (3, 0, -100, 15)],
        cash=1500,
        limits=Limits(daily_loss=0.25),
        refusals=[(2, -1, "DAILY_LOSS", 0.25, 0.25)],
    ),
    Case(
        "with daily rows the daily loss costs one row",
        rows=[(10, 1.0), (10, 1.0), (9, 1.0), (9, 1.0), (9, 1.0)],
        fills=[(1, 0, 100, 10), (3, 0, -100, 9), (4, 0, 100, 9)],
        cash=0,
        limits=Limits(daily_loss=0.1),
        refusals=[(2, -1, "DAILY_LOSS", 0.1, 0.1)],
    ),
    Case(
        "an order above the largest is refused, and not asked for again on_change",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[],
        cash=1000,
        limits=Limits(order=0.5),
        refusals=[(0, 0, "LARGEST_ORDER", 1, 0)],
    ),
    Case(
        "an order above the largest stays due and is logged once",
        rows=[(10, 1.0), (10, 1.0)],
        fills=[],
        cash=1000,
        rebalance=Rebalance.every_row(),
        limits=Limits(order=0.5),
        refusals=[(0, 0, "LARGEST_ORDER", 1, 0)],
    ),
    Case(
        "an order of the largest size passes, rounding aside",
        rows=[(3, 0.2), (3, 8, 0.9), (8, 0.9)],
        fills=[(1, 0, 200 / 3, 3), (2, 0, 250 / 3, 8)],
        cash=400 / 3,
        limits=Limits(order=0.5),
    ),
    Case(
        "a reduction passes whatever its size",
        rows=[(10, 0.3), (10, 100, 0.1), (100, 0.1)],
        fills=[(1, 0, 30, 10), (2, 0, -26.3, 100)],
        cash=3330,
        limits=Limits(order=0.3),
    ),
    Case(
        "a reduction of a short passes whatever its size",
        rows=[(10, -0.3), (10, 20, -0.1), (20, -0.1)],
        fills=[(1, 0, -30, 10), (2, 0, 26.5, 20)],
        cash=770,
        limits=Limits(order=0.3),
    ),
    Case(
        "an exit passes whatever its size",
        rows=[(10, -0.3), (10, 20, 0.0), (20, 0.0)],
        fills=[(1, 0, -30, 10), (2, 0, 30, 20)],
        cash=700,
        limits=Limits(order=0.3),
    ),
    Case(
        "a flip is no reduction",
        rows=[(10, 0.5), (10, -0.5), (10, -0.5)],
        fills=[(1, 0, 50, 10)],
        cash=500,
        limits=Limits(order=0.6),
        refusals=[(1, 0, "LARGEST_ORDER", 1, 0)],
    ),
    Case(
        "a short that eats the account is closed for good",
        rows=[(10, -1.0), (10, -1.0), (25, -1.0), (25, -1.0), (10, 1.0), (10, 1.0)],
        fills=[(1, 0, -100, 10), (3, 0, 100, 25)],
        cash=-500,
        realised=-1500,
        refusals=[(2, -1, "BANKRUPT", -500, 0)],
    ),
    Case(
        "equity of just zero is bankrupt",
        rows=[(10, -1.0), (10, -1.0), (20, -1.0), (20, -1.0)],
        fills=[(1, 0, -100, 10), (3, 0, 100, 20)],
        cash=0,
        refusals=[(2, -1, "BANKRUPT", 0, 0)],
    ),
]
