"""Costs of trading, and limits of accounts, worked out by hand.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from math import nan

from case_strategy import Case, case

from alphalab.config import Costs, Execution, Exits, FeeTier, Limits, Margin

HALF = Execution(participation=0.5)  # half a bar's volume can be had
MARGIN = Margin(initial=0.5, maintenance=0.2)
TIERS = (
    FeeTier(value=0, maker_bps=10, taker_bps=20),
    FeeTier(value=1_000, maker_bps=5, taker_bps=10),
)
INVERSE = {"kind": "inverse", "multiplier": 100}  # at 100 one unit is worth 1

COSTS = [
    case(
        "whoever takes pays half the spread",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 101), (2, -10, 99)],
        cash=10_000 - 10 * 2,
        costs=Costs(spread_bps=200),
    ),
    case(
        "a price with slippage is a whole tick, the worse one",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 100.5), (2, -10, 99.5)],  # from 100.3 and 99.7
        cash=10_000 - 10,
        costs=Costs(slippage_bps=30),
        instrument={"tick": 0.5},
    ),
    case(
        "a fee per unit is inside the budget of a target",
        bars=[100, 100],
        asks={0: "hold 0.1"},
        fills=[(1, 8, 100, 200)],  # 1,000 / 125
        cash=9_000,
        costs=Costs(fee_per_unit=25),
    ),
    case(
        "the least fee is inside the budget of a target",
        bars=[100, 100],
        asks={0: "hold 0.1"},
        fills=[(1, 9.5, 100, 50)],
        cash=9_000,
        costs=Costs(min_fee=50),
    ),
    case(
        "the least fee is one for all fills of an order",
        bars=[100, (100, 6), (100, 8)],
        asks={0: "buy 7 market"},
        fills=[(1, 3, 100, 5), (2, 4, 100, 2)],  # 3 would be too little, 7 is not
        cash=10_000 - 700 - 7,
        costs=Costs(fee_per_unit=1, min_fee=5),
        execution=HALF,
    ),
    case(
        "what the least fee has paid for is not paid for again",
        bars=[100, (100, 6), (100, 8)],
        asks={0: "buy 4 market"},
        fills=[(1, 3, 100, 5), (2, 1, 100, 0)],
        cash=10_000 - 400 - 5,
        costs=Costs(fee_per_unit=1, min_fee=5),
        execution=HALF,
    ),
    case(
        "a maker may be paid",
        bars=[100, (100, 100, 98, 99)],
        asks={0: "buy 10 limit 99"},
        fills=[(1, 10, 99, -0.99)],
        cash=10_000 - 990 + 0.99,
        instrument={"maker_bps": -10, "taker_bps": 20},
    ),
    case(
        "the fee of a run is in place of makers' and takers'",
        bars=[100, (100, 100, 98, 99)],
        asks={0: "buy 10 market; buy 10 limit 99"},
        fills=[(1, 10, 100, 10), (1, 10, 99, 9.9)],
        cash=10_000 - 1_990 - 19.9,
        costs=Costs(fee_bps=100),
        instrument={"maker_bps": -10, "taker_bps": 20},
    ),
    case(
        "a fee tier is reached on the day after the trade",
        bars=[100, 100, 100, (100, 100, 98, 99)],
        asks={0: "buy 10 market", 1: "sell 10 market", 2: "buy 10 market; buy 10 limit 99"},
        fills=[(1, 10, 100, 2), (2, -10, 100, 2), (3, 10, 100, 1), (3, 10, 99, 0.495)],
        cash=10_000 - 1_990 - 5.495,
        hours=[0, 1, 2, 24],
        costs=Costs(tiers=TIERS),
    ),
    case(
        "a trade counts for thirty days",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 100, 2), (2, -10, 100, 1)],
        cash=10_000 - 3,
        hours=[0, 24, 31 * 24],
        costs=Costs(tiers=TIERS),
    ),
    case(
        "after thirty days a trade no longer counts",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 100, 2), (2, -10, 100, 2)],
        cash=10_000 - 4,
        hours=[0, 24, 32 * 24],
        costs=Costs(tiers=TIERS),
    ),
    case(
        "impact grows with the square of the share of the volume",
        bars=[100, (100, 100), (100, 100)],
        asks={0: "buy 50 market", 1: "sell 25 market"},
        fills=[(1, 50, 101), (2, -25, 99.75)],  # 0.04 * 0.5^2, 0.04 * 0.25^2
        cash=10_000 - 50 * 101 + 25 * 99.75,
        costs=Costs(share_impact_bps=400),
        execution=HALF,
    ),
    case(
        "impact grows with the root of the share of the volume, on top of the spread",
        bars=[100, (100, 100)],
        asks={0: "buy 25 market"},
        fills=[(1, 25, 102)],  # 0.01 + 0.02 * sqrt(0.25)
        cash=10_000 - 25 * 102,
        costs=Costs(spread_bps=200, root_impact_bps=200),
        execution=HALF,
    ),
    case(
        "the impact is that of what a bar can fill",
        bars=[100, (100, 100), (100, 100)],
        asks={0: "buy 80 market"},
        fills=[(1, 50, 101), (2, 30, 100.36)],  # 0.04 * 0.3^2
        cash=10_000 - 50 * 101 - 30 * 100.36,
        costs=Costs(share_impact_bps=400),
        execution=HALF,
    ),
    case(
        "a target's value is spent at the price with its impact",
        bars=[100, (100, 100)],
        asks={0: "hold 0.5"},
        fills=[(1, 5_000 / 101, 101)],  # the impact of the 50 units asked for
        cash=5_000,
        costs=Costs(share_impact_bps=400),
        execution=HALF,
    ),
    case(
        "a maker has no impact, a limit order that takes has it up to its limit",
        bars=[100, (100, 100, 98, 99, 100)],
        asks={0: "buy 25 limit 100.1; buy 25 limit 99"},
        fills=[(1, 25, 100.1), (1, 25, 99)],
        cash=10_000 - 25 * 100.1 - 25 * 99,
        costs=Costs(share_impact_bps=400),
        execution=HALF,
    ),
]

ACCOUNT = [
    case(
        "a target is cut to the cash that an order has left",
        bars=[[100, 100], [100, 100]],
        asks={0: "buy 50 market; B hold 0.6"},
        fills=[(1, 50, 100, 1_250), (1, "B", 30, 100, 750)],
        cash=0,
        costs=Costs(fee_bps=2_500),
        limits=Limits(gross=2),
        refusals=[(1, "B", "CASH", 6_000, 3_750)],
    ),
    case(
        "an order is refused where a target has left too little cash",
        bars=[[100, 100], [100, 100]],
        asks={0: "B buy 50 market; hold 0.6"},
        fills=[(1, 60, 100)],
        cash=4_000,
        refusals=[(1, "B", "CASH", 5_000, 0)],
        changes=[(1, 1, "REFUSED", "CASH")],
    ),
    case(
        "of two orders that the cash pays one by one the second is refused",
        bars=[100, (100, 100, 97, 98)],
        asks={0: "buy 60 limit 99; buy 60 limit 98"},
        fills=[(1, 60, 99)],
        cash=10_000 - 5_940,
        limits=Limits(gross=2),
        refusals=[(1, "CASH", 5_880, 0)],
        changes=[(1, 2, "REFUSED", "CASH")],
    ),
    case(
        "a short is covered by an order whatever it costs",
        bars=[100, 100, (100, 240, 100, 190)],
        asks={0: "sell 90 market; buy 20 limit 50", 1: "buy 90 stop 230 reduce"},
        fills=[(1, -90, 100), (2, 90, 230)],
        cash=19_000 - 90 * 230,
        refusals=[(2, "*", "BANKRUPT", -1_700, 0)],
        changes=[(2, 2, "CANCELLED", "BANKRUPT")],
    ),
    case(
        "targets beyond the leverage are scaled down to it",
        bars=[100, 100],
        asks={0: "hold 3"},
        fills=[(1, 200, 100)],
        cash=-10_000,
        margin=MARGIN,
        refusals=[(0, "*", "GROSS_LIMIT", 3, 2), (1, "*", "GROSS_LIMIT", 3, 2)],
    ),
    case(
        "a margin account borrows what it has not got",
        bars=[100, (100, 110, 100, 110)],
        asks={0: "hold 2"},
        fills=[(1, 200, 100)],
        cash=-10_000,
        margin=MARGIN,
        equity=[10_000, 12_000],
    ),
    case(
        "a margin account sells short beyond its equity",
        bars=[100, (100, 100, 90, 90)],
        asks={0: "hold -2"},
        fills=[(1, -200, 100)],
        cash=30_000,
        margin=MARGIN,
        equity=[10_000, 12_000],
    ),
    case(
        "a target is cut to the initial margin, its fee counted",
        bars=[100, 100],
        asks={0: "hold 2"},
        fills=[(1, 400 / 3, 100, 10_000 / 3)],  # 10,000 / (100 * (0.5 + 0.25))
        cash=10_000 - 50_000 / 3,
        margin=MARGIN,
        instrument={"taker_bps": 2_500},
        refusals=[(1, "MARGIN", 20_000, 40_000 / 3)],
    ),
    case(
        "an order beyond the margin at its open is refused",
        bars=[100, 125],
        asks={0: "buy 200 market"},
        fills=[],
        cash=10_000,
        margin=MARGIN,
        refusals=[(1, "MARGIN", 25_000, 0)],
        changes=[(1, 1, "REFUSED", "MARGIN")],
    ),
    case(
        "what is held needs margin too, at the open",
        bars=[100, 100, (80, 100, 80, 100)],
        asks={0: "buy 150 market", 1: "buy 50 market"},
        fills=[(1, 150, 100)],
        cash=-5_000,
        margin=MARGIN,
        refusals=[(2, "MARGIN", 4_000, 0)],  # 7,000 - 6,000 is for 2,000
        changes=[(2, 2, "REFUSED", "MARGIN")],
    ),
    case(
        "what is held of another asset needs margin too",
        bars=[[100, 100], [100, 100], [100, 120]],
        asks={0: "buy 150 market", 1: "B buy 50 market"},
        fills=[(1, 150, 100)],
        cash=-5_000,
        margin=MARGIN,
        refusals=[(2, "B", "MARGIN", 6_000, 0)],  # 10,000 - 7,500 is for 5,000
        changes=[(2, 2, "REFUSED", "MARGIN")],
    ),
]

# 200 units bought at 100 with 10,000 borrowed: 0.2 of the value is there down to 62.5.
LIQUIDATION = [
    case(
        "below the maintenance margin at the close everything is sold there",
        bars=[100, 100, (100, 100, 60, 60)],
        asks={0: "hold 2"},
        fills=[(1, 200, 100), (2, -200, 60)],
        cash=2_000,
        margin=MARGIN,
        execution=Execution(path="ohlc"),
        refusals=[(2, "*", "LIQUIDATED", 2_000, 2_400)],
        life=[
            *((0, 1, "SUBMITTED"), (1, 1, "ACTIVE"), (1, 1, "FILLED")),
            *((2, 2, "SUBMITTED"), (2, 2, "FILLED")),
        ],
    ),
    case(
        "inside the bar everything is sold where the margin is just met",
        bars=[[100, 100], [100, 100], [(100, 100, 50, 80), nan]],
        asks={0: "hold 2"},
        fills=[(1, 200, 100), (2, -200, 62.5)],
        cash=2_500,
        margin=MARGIN,
        refusals=[(2, "*", "LIQUIDATED", 2_500, 2_500)],
        equity=[10_000, 10_000, 2_500],
    ),
    case(
        "a gap below the margin is sold at the open",
        bars=[100, 100, (55, 60, 55, 60)],
        asks={0: "hold 2"},
        fills=[(1, 200, 100), (2, -200, 55)],
        cash=1_000,
        margin=MARGIN,
        refusals=[(2, "*", "LIQUIDATED", 1_000, 2_200)],
    ),
    case(
        "orders meet the bar first: a stop-loss saves from liquidation",
        bars=[100, 100, (100, 100, 50, 80)],
        asks={0: "hold 2"},
        fills=[(1, 200, 100), (2, -200, 80)],
        cash=10_000 - 200 * 20,
        margin=MARGIN,
        exits=Exits(stop_loss=0.2),
    ),
    case(
        "not below the margin at the worst nothing happens",
        bars=[100, 100, (100, 100, 63, 80)],
        asks={0: "hold 2"},
        fills=[(1, 200, 100)],
        cash=-10_000,
        margin=MARGIN,
    ),
    case(
        "a short is covered on the way up",
        bars=[100, 100, (100, 200, 100, 150)],
        asks={0: "hold -1"},
        fills=[(1, -100, 100), (2, 100, 160)],  # 20,000 - 100 p = 0.25 * 100 p
        cash=4_000,
        margin=Margin(initial=0.5, maintenance=0.25),
        refusals=[(2, "*", "LIQUIDATED", 4_000, 4_000)],
    ),
    case(
        "all positions go to their worst price at once",
        bars=[[100, 100], [100, 100], [(100, 100, 60, 100), (100, 140, 100, 100)]],
        asks={0: "hold 1; B hold -1"},
        fills=[
            *((1, "B", -100, 100), (1, 100, 100)),
            *((2, -100, 70), (2, "B", 100, 130)),  # three quarters of the way
        ],
        cash=4_000,
        margin=MARGIN,
        refusals=[(2, "*", "LIQUIDATED", 4_000, 4_000)],
    ),
    case(
        "an inverse contract loses faster the lower the price",
        bars=[100, 100, (100, 100, 80, 90)],
        asks={0: "hold 4"},
        fills=[(1, 40_000, 100), (2, -40_000, 88)],  # 50,000 - 4e6 / p = 0.1 * 4e6 / p
        cash=50_000 - 4e6 / 88,
        margin=Margin(initial=0.25, maintenance=0.1),
        instrument=INVERSE,
        refusals=[(2, "*", "LIQUIDATED", 4e5 / 88, 4e5 / 88)],
    ),
    case(
        "a liquidation costs the taker's fee and its own",
        bars=[100, 100, (100, 100, 40, 40)],
        asks={0: "buy 150 market"},
        fills=[(1, 150, 100, 150), (2, -150, 40, 60)],
        cash=10_000 - 15_000 - 150 + 6_000 - 60 - 60,
        margin=Margin(initial=0.5, maintenance=0.2, liquidation_fee_bps=100),
        execution=Execution(path="ohlc"),
        instrument={"taker_bps": 100},
        refusals=[(2, "*", "LIQUIDATED", 850, 1_200)],
        postings=[(2, "LIQUIDATION", -60, -150)],
    ),
    case(
        "a liquidation cancels all orders, and nothing is opened until the target changes",
        bars=[100, 100, 50, (50, 50, 19, 50), 50],
        asks={0: "buy 10 limit 20; hold 1.8", 3: "hold 0.5"},
        fills=[(1, 180, 100), (2, -180, 50), (4, 10, 50)],
        cash=10_000 - 180 * 50 - 10 * 50,
        margin=MARGIN,
        execution=Execution(path="ohlc"),
        refusals=[(2, "*", "LIQUIDATED", 1_000, 1_800)],
        changes=[(2, 1, "CANCELLED", "LIQUIDATED")],
    ),
]

CASES: list[Case] = [*COSTS, *ACCOUNT, *LIQUIDATION]
