"""Execution of orders, worked out by hand: each case is a rule of docs/market.md.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from math import nan

from case_strategy import Case, case

from alphalab.config import Costs, Execution, Exits, Rebalance

HALF = Execution(participation=0.5)  # half a bar's volume can be had
FEES = {"maker_bps": 10, "taker_bps": 20}

# A way that ends well if the low comes first, or the other way round.
BOTH_EXITS = [100, (100, 106, 93, 101)]
RATCHET = [100, 100, (100, 110, 98, 108)]

MARKET = [
    case(
        "a market order trades at the next open",
        bars=[100, (101, 103, 99, 102)],
        asks={0: "buy 10 market"},
        fills=[(1, 10, 101)],
        cash=10_000 - 10 * 101,
        equity=[10_000, 10_010],
        life=[(0, 1, "SUBMITTED"), (1, 1, "ACTIVE"), (1, 1, "FILLED")],
    ),
    case(
        "with next_close a market order trades at the next close",
        bars=[100, (101, 103, 99, 102)],
        asks={0: "buy 10 market"},
        fills=[(1, 10, 102)],
        cash=10_000 - 10 * 102,
        fill="next_close",
    ),
    case(
        "with same_close a market order trades at once, any other from the next row on",
        bars=[100, (96, 97, 94, 95)],
        asks={0: "buy 10 market; buy 5 limit 95"},
        fills=[(0, 10, 100), (1, 5, 95)],
        cash=10_000 - 10 * 100 - 5 * 95,
        fill="same_close",
    ),
    case(
        "sales come first, then by symbol, then in the order of submission",
        bars=[[100, 100], [100, 100], [100, 100]],
        asks={
            0: "B buy 10 market",
            1: "B buy 1 market; buy 5 market; buy 6 market; B sell 9 market",
        },
        fills=[(1, "B", 10, 100), (2, "B", -9, 100), (2, 5, 100), (2, 6, 100), (2, "B", 1, 100)],
        cash=10_000 - 13 * 100,
    ),
    case(
        "a market order waits for an open",
        bars=[100, nan, 104],
        asks={0: "buy 10 market"},
        fills=[(2, 10, 104)],
        cash=10_000 - 10 * 104,
    ),
    case(
        "an order with a delay misses the bars on its way",
        bars=[100, (100, 100, 90, 100), (100, 100, 97, 99)],
        asks={0: "buy 10 market; buy 10 limit 98"},
        fills=[(2, 10, 100), (2, 10, 98)],
        cash=10_000 - 10 * 100 - 10 * 98,
        execution=Execution(delay=1),
        life=[
            *((0, 1, "SUBMITTED"), (0, 2, "SUBMITTED")),
            *((2, 1, "ACTIVE"), (2, 2, "ACTIVE"), (2, 1, "FILLED"), (2, 2, "FILLED")),
        ],
    ),
    case(
        "an order on its way is not replaced, even where every row is traded to its target",
        bars=[100, 100, 100, 100],
        asks={0: "hold 0.1"},
        fills=[(2, 10, 100)],
        cash=10_000 - 10 * 100,
        execution=Execution(delay=1),
        rebalance=Rebalance.every_row(),
    ),
]

LIMIT = [
    case(
        "a limit purchase trades at its limit, a touch is enough, as a maker",
        bars=[100, (100, 102, 99, 101)],
        asks={0: "buy 10 limit 99"},
        fills=[(1, 10, 99, 0.99)],
        cash=10_000 - 10 * 99 - 0.99,
        instrument=FEES,
    ),
    case(
        "a limit sale trades at its limit",
        bars=[100, (100, 101, 98, 99)],
        asks={0: "sell 10 limit 101"},
        fills=[(1, -10, 101, 1.01)],
        cash=10_000 + 10 * 101 - 1.01,
        instrument=FEES,
    ),
    case(
        "a limit order that is not reached rests",
        bars=[100, (100, 103, 100, 102), (102, 102, 99, 100)],
        asks={0: "buy 10 limit 99"},
        fills=[(2, 10, 99)],
        cash=10_000 - 10 * 99,
    ),
    case(
        "an open below the limit of a purchase is taken",
        bars=[100, (97, 98, 96, 97)],
        asks={0: "buy 10 limit 99"},
        fills=[(1, 10, 97, 1.94)],
        cash=10_000 - 10 * 97 - 1.94,
        instrument=FEES,
    ),
    case(
        "an open above the limit of a sale is taken",
        bars=[100, (104, 105, 103, 104)],
        asks={0: "sell 10 limit 101"},
        fills=[(1, -10, 104, 2.08)],
        cash=10_000 + 10 * 104 - 2.08,
        instrument=FEES,
    ),
    case(
        "a limit order that rested is a maker even at a better open",
        bars=[100, (100, 100, 96, 98), (94, 96, 93, 95)],
        asks={0: "buy 10 limit 100; buy 10 limit 95"},
        fills=[(1, 10, 100, 2), (2, 10, 94, 0.94)],
        cash=10_000 - 10 * 100 - 2 - 10 * 94 - 0.94,
        instrument=FEES,
    ),
    case(
        "a limit order that takes pays the friction, but not beyond its limit",
        bars=[[100, 100], [100, 100]],
        asks={0: "buy 10 limit 100.5; B buy 10 limit 102"},
        fills=[(1, 10, 100.5), (1, "B", 10, 101)],
        cash=10_000 - 10 * 100.5 - 10 * 101,
        costs=Costs(spread_bps=200),
    ),
    case(
        "the limit that the price meets first trades first",
        bars=[100, (100, 100, 97, 98)],
        asks={0: "buy 5 limit 98; buy 6 limit 99"},
        fills=[(1, 6, 99), (1, 5, 98)],
        cash=10_000 - 6 * 99 - 5 * 98,
    ),
    case(
        "at one price the earlier order trades first",
        bars=[100, (100, 100, 97, 98, 12), (100, 100, 98, 98, 20)],
        asks={0: "buy 5 limit 99; buy 6 limit 99"},
        fills=[(1, 5, 99), (1, 1, 99), (2, 5, 99)],
        cash=10_000 - 11 * 99,
        execution=HALF,
    ),
    case(
        "at one price the earlier order trades first, wherever it stands in the table",
        bars=[100, 100, (100, 100, 98, 98)],
        asks={0: "buy 1 market; buy 5 limit 99", 1: "buy 6 limit 99"},
        fills=[(1, 1, 100), (2, 5, 99), (2, 6, 99)],
        cash=10_000 - 100 - 11 * 99,
    ),
    case(
        "a stop and a limit at one price trade in the order of submission",
        bars=[100, (100, 100, 95, 97)],
        asks={0: "sell 10 stop 95; buy 10 limit 95"},
        fills=[(1, -10, 95), (1, 10, 95)],
        cash=10_000,
    ),
    case(
        "a purchase below and a sale above both trade in a wide bar",
        bars=[100, (100, 106, 94, 100)],
        asks={0: "buy 10 limit 95; sell 10 limit 105"},
        fills=[(1, 10, 95), (1, -10, 105)],
        cash=10_000 + 10 * 10,
    ),
    case(
        "inside a bar of which high and low are not known nothing trades",
        bars=[100, (100, nan, nan, 96), (97, 98, 96, 97)],
        asks={0: "buy 10 limit 98"},
        fills=[(2, 10, 97)],
        cash=10_000 - 10 * 97,
    ),
    case(
        "an order rests while nothing trades",
        bars=[100, nan, nan, (100, 100, 97, 99)],
        asks={0: "buy 10 limit 98"},
        fills=[(3, 10, 98)],
        cash=10_000 - 10 * 98,
    ),
]

STOP = [
    case(
        "a stop sale trades at its stop as a taker, a touch is enough",
        bars=[100, (100, 101, 95, 96)],
        asks={0: "sell 10 stop 95"},
        fills=[(1, -10, 95, 1.9)],
        cash=10_000 + 10 * 95 - 1.9,
        instrument=FEES,
    ),
    case(
        "a stop purchase trades at its stop as a taker",
        bars=[100, (100, 106, 99, 104)],
        asks={0: "buy 10 stop 105"},
        fills=[(1, 10, 105, 2.1)],
        cash=10_000 - 10 * 105 - 2.1,
        instrument=FEES,
    ),
    case(
        "a gap through a stop sale trades at the open",
        bars=[100, (90, 92, 88, 91)],
        asks={0: "sell 10 stop 95"},
        fills=[(1, -10, 90)],
        cash=10_000 + 10 * 90,
    ),
    case(
        "a gap through a stop purchase trades at the open",
        bars=[100, (110, 112, 108, 109)],
        asks={0: "buy 10 stop 105"},
        fills=[(1, 10, 110)],
        cash=10_000 - 10 * 110,
    ),
    case(
        "a stop's price is worse by the friction, and then a whole tick",
        bars=[[100, 100], [(100, 106, 99, 104), (100, 101, 94, 96)]],
        asks={0: "buy 10 stop 105; B sell 10 stop 95"},
        fills=[(1, 10, 106.5), (1, "B", -10, 94)],  # from 106.05 up and 94.05 down
        cash=10_000 - 10 * 106.5 + 10 * 94,
        costs=Costs(slippage_bps=100),
        instrument={"tick": 0.5},
    ),
    case(
        "a stop that is not reached rests",
        bars=[100, (100, 101, 96, 99), (99, 99, 94, 97)],
        asks={0: "sell 10 stop 95"},
        fills=[(2, -10, 95)],
        cash=10_000 + 10 * 95,
    ),
    case(
        "a stop-limit order trades at its stop if its limit allows it, as a taker",
        bars=[100, (100, 106, 99, 104)],
        asks={0: "buy 10 stop-limit 105 107"},
        fills=[(1, 10, 105, 2.1)],
        cash=10_000 - 10 * 105 - 2.1,
        instrument=FEES,
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a stop-limit order takes an open between its stop and its limit",
        bars=[100, (106, 108, 104, 107)],
        asks={0: "buy 10 stop-limit 105 107"},
        fills=[(1, 10, 106, 2.12)],
        cash=10_000 - 10 * 106 - 2.12,
        instrument=FEES,
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a stop-limit order that gaps beyond its limit rests there as a maker",
        bars=[100, (110, 112, 108, 111), (111, 111, 106, 108)],
        asks={0: "buy 10 stop-limit 105 107"},
        fills=[(2, 10, 107, 1.07)],
        cash=10_000 - 10 * 107 - 1.07,
        instrument=FEES,
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a stop-limit sale that gaps beyond its limit rests there",
        bars=[100, (90, 92, 88, 91), (91, 94, 90, 92)],
        asks={0: "sell 10 stop-limit 95 93"},
        fills=[(2, -10, 93)],
        cash=10_000 + 10 * 93,
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a stop-limit sale with its limit above the stop waits for the way back",
        bars=[100, (100, 100, 94, 98)],
        asks={0: "sell 10 stop-limit 95 96"},
        fills=[(1, -10, 96, 0.96)],
        cash=10_000 + 10 * 96 - 0.96,
        instrument=FEES,
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "the friction of a stop-limit order ends at its limit",
        bars=[100, (100, 106, 99, 104)],
        asks={0: "buy 10 stop-limit 105 106"},
        fills=[(1, 10, 106)],  # not 105 * 1.02
        cash=10_000 - 10 * 106,
        costs=Costs(slippage_bps=200),
        changes=[(1, 1, "TRIGGERED")],
    ),
    case(
        "a take-profit order trades at its target as a taker",
        bars=[100, (100, 111, 99, 108)],
        asks={0: "buy 10 market; sell 10 take 110"},
        fills=[(1, 10, 100.5), (1, -10, 109.45)],
        cash=10_000 - 10 * 100.5 + 10 * 109.45,
        costs=Costs(spread_bps=100),
    ),
    case(
        "a gap through a take-profit sale trades at the better open",
        bars=[100, (115, 116, 113, 114)],
        asks={0: "sell 10 take 110"},
        fills=[(1, -10, 115)],
        cash=10_000 + 10 * 115,
    ),
    case(
        "a take-profit purchase waits below",
        bars=[100, (100, 101, 89, 92)],
        asks={0: "buy 10 take 90"},
        fills=[(1, 10, 90)],
        cash=10_000 - 10 * 90,
    ),
]

TRAILING = [
    case(
        "a trailing stop follows the best price and never goes back",
        bars=[100, 100, (106, 108, 104, 107), (107, 107, 102, 104)],
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100), (3, -10, 103)],  # 108 - 5
        cash=10_000 + 10 * 3,
    ),
    case(
        "a trailing purchase follows the lowest price at a fraction of it",
        bars=[100, 100, (94, 96, 90, 95)],
        asks={0: "sell 10 market", 1: "buy 10 trail 5% reduce"},
        fills=[(1, -10, 100), (2, 10, 94.5)],  # 90 * 1.05, whichever came first
        cash=10_000 + 10 * 5.5,
    ),
    case(
        "a trailing stop's price is a whole tick, away from the best price",
        bars=[100, 100, (104, 108, 104, 107), (107, 107, 102, 104)],
        asks={0: "buy 10 market", 1: "sell 10 trail 5% reduce"},
        fills=[(1, 10, 100), (3, -10, 102.5)],  # 108 * 0.95 = 102.6
        cash=10_000 + 10 * 2.5,
        instrument={"tick": 0.5},
    ),
    case(
        "a gap through a trailing stop trades at the open",
        bars=[100, 100, (106, 108, 105, 107), (98, 99, 97, 98)],
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100), (3, -10, 98)],
        cash=10_000 - 10 * 2,
    ),
    case(
        "a trailing stop follows from the close that decided it on",
        bars=[100, 100, (94, 96, 92, 95)],
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100), (2, -10, 94)],  # below 100 - 5
        cash=10_000 - 10 * 6,
    ),
    case(
        "pessimistic lets a trailing stop rise before the price falls",
        bars=RATCHET,
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100), (2, -10, 105)],  # 110 - 5
        cash=10_000 + 10 * 5,
        ambiguous=[(2, 10_080, 10_050, "high")],
    ),
    case(
        "optimistic lets the price fall before a trailing stop rises",
        bars=RATCHET,
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100)],
        cash=10_000 - 10 * 100,
        execution=Execution(path="optimistic"),
        ambiguous=[(2, 10_080, 10_050, "low")],
    ),
    case(
        "ohlc goes to the nearer end of the bar first",
        bars=RATCHET,
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100)],
        cash=10_000 - 10 * 100,
        execution=Execution(path="ohlc"),
        ambiguous=[(2, 10_080, 10_050, "low")],
    ),
]

# Which way the price took: a long position between a stop at 95 and a target at 105.
PATH = [
    case(
        "pessimistic meets the stop before the target",
        bars=BOTH_EXITS,
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (1, -10, 95)],
        cash=10_000 - 10 * 5,
        exits=Exits(stop_loss=0.05, take_profit=0.05),
        changes=[(1, 3, "CANCELLED", "NOTHING_TO_REDUCE")],
        ambiguous=[(1, 9_950, 10_050, "low")],
    ),
    case(
        "optimistic meets the target before the stop",
        bars=BOTH_EXITS,
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (1, -10, 105)],
        cash=10_000 + 10 * 5,
        exits=Exits(stop_loss=0.05, take_profit=0.05),
        execution=Execution(path="optimistic"),
        changes=[(1, 2, "CANCELLED", "NOTHING_TO_REDUCE")],
        ambiguous=[(1, 9_950, 10_050, "high")],
    ),
    case(
        "ohlc meets the target first where the high is nearer to the open",
        bars=BOTH_EXITS,
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (1, -10, 105)],
        cash=10_000 + 10 * 5,
        exits=Exits(stop_loss=0.05, take_profit=0.05),
        execution=Execution(path="ohlc"),
        changes=[(1, 2, "CANCELLED", "NOTHING_TO_REDUCE")],
        ambiguous=[(1, 9_950, 10_050, "high")],
    ),
    case(
        "of a short, pessimistic meets the stop above first",
        bars=[100, (100, 107, 94, 99)],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100), (1, 10, 105)],
        cash=10_000 - 10 * 5,
        exits=Exits(stop_loss=0.05, take_profit=0.05),
        changes=[(1, 3, "CANCELLED", "NOTHING_TO_REDUCE")],
        ambiguous=[(1, 10_050, 9_950, "high")],
    ),
    case(
        "a limit order and its stop trade in one bar",
        bars=[100, (100, 106, 89, 100)],
        asks={0: "buy 10 bracket 95 107 90"},
        fills=[(1, 10, 95), (1, -10, 90)],
        cash=10_000 - 10 * 5,
        changes=[(1, 2, "CANCELLED", "ONE_CANCELS_OTHER")],
    ),
    case(
        "pessimistic comes to the target of a new position only after the way down",
        bars=[100, (100, 106, 94, 100)],
        asks={0: "buy 10 bracket 95 105 90"},
        fills=[(1, 10, 95)],
        cash=10_000 - 10 * 95,
        ambiguous=[(1, 10_100, 10_050, "high")],
    ),
]

CASES: list[Case] = [*MARKET, *LIMIT, *STOP, *TRAILING, *PATH]
