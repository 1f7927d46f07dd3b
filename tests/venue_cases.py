"""What venues do besides plain orders and fees in basis points, worked out by hand.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from math import nan

from case_strategy import Case, case

from alphalab.config import Costs, Execution, Exits, Holding, every_row

HALF = Execution(participation=0.5)  # half a bar's volume can be had
QUEUE = Execution(limits="traded_through")
QUOTES = {"ask": [101.0, 102.0, nan], "bid": [99.0, nan, 100.0]}

TYPES = [
    case(
        "market-on-close trades at the next close, market-on-open at the next open",
        bars=[100, (101, 103, 99, 102)],
        asks={0: "buy 10 on-close; buy 5 on-open"},
        fills=[(1, 5, 101), (1, 10, 102)],
        cash=10_000 - 5 * 101 - 10 * 102,
    ),
    case(
        "market-on-close decided at a close does not trade at it",
        bars=[100, (101, 103, 99, 102)],
        asks={0: "buy 10 on-close; buy 5 on-open; buy 1 market"},
        fills=[(0, 1, 100), (1, 5, 101), (1, 10, 102)],
        cash=10_000 - 100 - 5 * 101 - 10 * 102,
        fill="same_close",
    ),
    case(
        "a limit-if-touched order rests at its limit once it was touched",
        bars=[100, (100, 100, 94, 94.5), (94.5, 97, 94, 96)],
        asks={0: "buy 10 touched 95 94.2"},
        fills=[(1, 10, 94.2, 0.942)],
        cash=10_000 - 942 - 0.942,
        instrument={"maker_bps": 10, "taker_bps": 20},
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a limit-if-touched order whose limit is better than the touch takes",
        bars=[100, (100, 100, 94, 96)],
        asks={0: "buy 10 touched 95 96"},
        fills=[(1, 10, 95, 1.9)],
        cash=10_000 - 950 - 1.9,
        instrument={"maker_bps": 10, "taker_bps": 20},
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a sale if touched waits for a higher price, and is refused below the mark",
        bars=[100, (100, 106, 100, 104)],
        asks={0: "sell 10 touched 105 104; sell 10 touched 99 98"},
        fills=[(1, -10, 105)],
        cash=10_000 + 1_050,
        changes=[(0, 2, "REFUSED", "WRONG_SIDE"), (1, 1, "TRIGGERED")],
        refusals=[(0, "WRONG_SIDE", 99, 0)],
    ),
    case(
        "a limit order that is only touched waits where limits are traded through",
        bars=[100, (100, 101, 98, 100), (100, 101, 97.9, 100)],
        asks={0: "buy 10 limit 98"},
        fills=[(2, 10, 98)],
        cash=10_000 - 980,
        execution=QUEUE,
    ),
    case(
        "a limit order that takes at its first open needs no price beyond it",
        bars=[100, 98],
        asks={0: "buy 10 limit 98"},
        fills=[(1, 10, 98)],
        cash=10_000 - 980,
        execution=QUEUE,
    ),
    case(
        "an open at the limit of an order that rests does not fill it, one beyond does",
        bars=[100, 99, 98, 97],
        asks={0: "buy 10 limit 98"},
        fills=[(3, 10, 97)],
        cash=10_000 - 970,
        execution=QUEUE,
    ),
    case(
        "an amended trailing stop follows from the best price so far",
        bars=[100, 100, (104, 110, 104, 110), (110, 110, 106, 106)],
        asks={0: "buy 10 market", 1: "sell 10 trail 8 reduce", 2: "amend 2 trail 4"},
        fills=[(1, 10, 100), (3, -10, 106)],
        cash=10_000 + 60,
        changes=[(2, 2, "AMENDED")],
    ),
    case(
        "the distance of an order that does not trail cannot be amended",
        bars=[100, 100],
        asks={0: "buy 10 limit 95; amend 1 frac 0.1; buy 1 limit 90"},
        fills=[],
        cash=10_000,
        refusals=[(0, "BAD_PRICE", 0.1, 0)],
    ),
]

FEES = [
    case(
        "a fixed fee is paid with the first fill of an order",
        bars=[(100, 12)] * 4,
        asks={0: "buy 10 market"},
        fills=[(1, 6, 100, 2.0), (2, 4, 100, 0.0)],
        cash=10_000 - 1_000 - 2,
        execution=HALF,
        costs=Costs(fee_per_order=2.0),
    ),
    case(
        "the fees of an order end at the largest",
        bars=[(100, 12)] * 4,
        asks={0: "buy 10 market"},
        fills=[(1, 6, 100, 6.0), (2, 4, 100, 1.5)],
        cash=10_000 - 1_000 - 7.5,
        execution=HALF,
        costs=Costs(fee_bps=100, max_fee=7.5),
    ),
    case(
        "fees are rounded to cents, half a cent up",
        bars=[100, 100.05],
        asks={0: "buy 1 market"},
        fills=[(1, 1, 100.05, 0.1)],  # 0.10005
        cash=10_000 - 100.05 - 0.1,
        costs=Costs(fee_bps=10, fee_step=0.01),
    ),
    case(
        "the fee of a purchase is taken from the coins, that of a sale from the money",
        bars=[100, 100, 110],
        asks={0: "buy 10 market", 1: "hold 0"},
        fills=[(1, 9.99, 100, 1.0), (2, -9.99, 110, 1.0989)],
        cash=10_000 - 1_000 + 9.99 * 110 - 1.0989,
        costs=Costs(fee_bps=10, fee_in="coin"),
    ),
    case(
        "a target with fees in coins spends its value on units",
        bars=[100, 100],
        asks={0: "hold 1"},
        fills=[(1, 99.9, 100, 10.0)],
        cash=0,
        costs=Costs(fee_bps=10, fee_in="coin"),
    ),
    case(
        "a taker pays the last ask before an open and gets the last bid",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 101), (2, -10, 99)],
        cash=10_000 - 20,
        columns=QUOTES,
        costs=Costs(quotes="both"),
    ),
    case(
        "at a close the quotes of its row count",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 102), (2, -10, 100)],
        cash=10_000 - 20,
        columns=QUOTES,
        costs=Costs(quotes="both"),
        fill="next_close",
    ),
    case(
        "with the ask alone a sale trades at the price",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "sell 10 market"},
        fills=[(1, 10, 101), (2, -10, 100)],
        cash=10_000 - 10,
        columns=QUOTES,
        costs=Costs(quotes="ask"),
    ),
    case(
        "an order that takes waits for the first quote",
        bars=[100, 100, 100],
        asks={0: "buy 10 market"},
        fills=[(2, 10, 103)],
        cash=10_000 - 1_030,
        columns={"ask": [nan, 103.0, nan], "bid": [nan, nan, nan]},
        costs=Costs(quotes="both"),
    ),
]

HOLDING = [
    case(
        "what is held at the start is taken over at its price, and protected",
        bars=[100, (100, 100, 88, 90)],
        asks={},
        fills=[(0, 50, 100), (1, -50, 90)],
        cash=10_000 + 50 * 90,
        equity=[15_000, 14_500],
        realised=-500,
        holdings={"A": Holding(qty=50, price=100)},
        exits=Exits(stop_loss=0.1),
    ),
    case(
        "the first target counts what is held at the start",
        bars=[100, 100],
        asks={0: "hold 1"},
        fills=[(0, 50, 80), (1, 100, 100)],
        cash=0,
        equity=[15_000, 15_000],
        holdings={"A": Holding(qty=50, price=80)},
    ),
    case(
        "a position is closed at the price paid where the listing ends",
        bars=[100, 100, 90, nan, nan],
        asks={0: "hold 0.5; buy 1 limit 80"},
        fills=[(1, 50, 100), (3, -50, 90)],
        cash=9_500,
        columns={"delisting": [nan, nan, nan, 90, nan]},
        changes=[(3, 1, "CANCELLED", "DELISTED")],
    ),
    case(
        "a worthless unit takes its value with it; the asset is not bought again",
        bars=[100, 100, 90, nan, nan],
        asks={0: "hold 0.5"},
        fills=[(1, 50, 100), (2, -50, 0)],
        cash=5_000,
        equity=[10_000, 10_000, 5_000, 5_000, 5_000],
        columns={"delisting": [nan, nan, 0, nan, nan]},
        rebalance=every_row(),
    ),
    case(
        "the fraction of a lot that a split leaves is paid out at the new price",
        bars=[90, 90, 60, 60],
        asks={0: "buy 11 market"},
        fills=[(1, 11, 90), (2, -0.5, 60)],
        cash=10_000 - 11 * 90 + 0.5 * 60,
        postings=[(2, "SPLIT", 0.0, 5.5)],
        columns={"split": [nan, nan, 1.5, nan], "dividend": [nan] * 4},
        instrument={"lot": 1},
        actions="cash",
        fractions="paid",
        realised=0,
    ),
    case(
        "a sale sized at its fill sells as many units as its value is then",
        bars=[100, 100, (80, 80)],
        asks={0: "hold 0.8", 1: "hold 0.4"},
        fills=[(1, 80, 100), (2, -50, 80)],  # 4,000 at 80
        cash=10_000 - 8_000 + 4_000,
        sizing="at_fill",
    ),
    case(
        "a sale sized at its fill that only reduces does not turn the position",
        bars=[100, 100, 30],
        asks={0: "hold 0.8", 1: "hold 0.4"},
        fills=[(1, 80, 100), (2, -80, 30)],
        cash=2_000 + 2_400,
        sizing="at_fill",
    ),
]

CASES: list[Case] = [*TYPES, *FEES, *HOLDING]
