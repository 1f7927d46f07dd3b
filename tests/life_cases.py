"""The life of orders: groups, parents, expiry and amendments, worked out by hand.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from case_strategy import Case, case

from alphalab.config import Costs, Execution

HALF = Execution(participation=0.5)  # half a bar's volume can be had
FEES = {"maker_bps": 10, "taker_bps": 20}

LINKED = [
    case(
        "a bracket's target cancels its stop",
        bars=[100, (96, 97, 94, 96), (96, 106, 95, 104)],
        asks={0: "buy 10 bracket 95 105 90"},
        fills=[(1, 10, 95), (2, -10, 105)],
        cash=10_000 + 10 * 10,
        changes=[(2, 3, "CANCELLED", "ONE_CANCELS_OTHER")],
        life=[
            *((0, 1, "SUBMITTED"), (0, 2, "SUBMITTED"), (0, 3, "SUBMITTED"), (1, 1, "ACTIVE")),
            *((1, 1, "FILLED"), (1, 2, "ACTIVE"), (1, 3, "ACTIVE")),
            *((2, 2, "FILLED"), (2, 3, "CANCELLED")),
        ],
    ),
    case(
        "a bracket at market has its exits from the open on",
        bars=[100, (101, 111, 95, 108)],
        asks={0: "buy 10 bracket market 110 90"},
        fills=[(1, 10, 101), (1, -10, 110)],
        cash=10_000 + 10 * 9,
        changes=[(1, 3, "CANCELLED", "ONE_CANCELS_OTHER")],
    ),
    case(
        "a bracket to sell has its stop above",
        bars=[100, (100, 106, 99, 104), (104, 111, 103, 110)],
        asks={0: "sell 10 bracket 105 95 110"},
        fills=[(1, -10, 105), (2, 10, 110)],
        cash=10_000 - 10 * 5,
        changes=[(2, 2, "CANCELLED", "ONE_CANCELS_OTHER")],
    ),
    case(
        "the children of an order that ends unfilled are cancelled",
        bars=[100, 100],
        asks={0: "buy 10 bracket 90 105 85", 1: "cancel 1"},
        fills=[],
        cash=10_000,
        changes=[
            (1, 1, "CANCELLED", "ASKED_FOR"),
            (1, 2, "CANCELLED", "PARENT_ENDED"),
            (1, 3, "CANCELLED", "PARENT_ENDED"),
        ],
    ),
    case(
        "of two entry stops the first one cancels the other",
        bars=[100, (100, 101, 94, 95), (95, 106, 94, 105)],
        asks={0: "buy 10 stop 105 group 1; sell 10 stop 95 group 1"},
        fills=[(1, -10, 95)],
        cash=10_000 + 10 * 95,
        changes=[(1, 1, "CANCELLED", "ONE_CANCELS_OTHER")],
    ),
    case(
        "of two entry stops in one bar pessimistic takes the worse",
        bars=[100, (100, 106, 94, 102)],
        asks={0: "buy 10 stop 105 group 1; sell 10 stop 95 group 1"},
        fills=[(1, -10, 95)],
        cash=10_000 + 10 * 95,
        changes=[(1, 1, "CANCELLED", "ONE_CANCELS_OTHER")],
        ambiguous=[(1, 9_930, 9_970, "low")],
    ),
    case(
        "a first fill, even in part, cancels the entries of its group",
        bars=[100, (100, 100, 97, 98, 10), (98, 99, 97, 98, 10)],
        asks={0: "buy 10 limit 99 group 1; buy 10 limit 98 group 1"},
        fills=[(1, 5, 99), (2, 5, 98)],
        cash=10_000 - 5 * 99 - 5 * 98,
        execution=HALF,
        changes=[(1, 2, "CANCELLED", "ONE_CANCELS_OTHER")],
    ),
    case(
        "a fill in part leaves the stop of its group, for what is left",
        bars=[100, 100, (100, 106, 99, 100, 12), (100, 100, 94, 95)],
        asks={
            0: "buy 10 market",
            1: "sell 10 limit 105 reduce group 1; sell 10 stop 95 reduce group 1",
        },
        fills=[(1, 10, 100), (2, -6, 105), (3, -4, 95)],
        cash=10_000 + 6 * 5 - 4 * 5,
        execution=HALF,
        changes=[(3, 2, "CANCELLED", "ONE_CANCELS_OTHER")],
    ),
    case(
        "a reduce-only order is cut to what is held, and filled with that",
        bars=[100, 100, (100, 111, 99, 110)],
        asks={0: "buy 10 market", 1: "sell 15 limit 110 reduce"},
        fills=[(1, 10, 100), (2, -10, 110)],
        cash=10_000 + 10 * 10,
        life=[
            *((0, 1, "SUBMITTED"), (1, 1, "ACTIVE"), (1, 1, "FILLED")),
            *((1, 2, "SUBMITTED"), (2, 2, "ACTIVE"), (2, 2, "FILLED")),
        ],
    ),
    case(
        "a reduce-only order is cancelled when nothing is left to reduce",
        bars=[100, 100, 100, (100, 100, 89, 90)],
        asks={0: "buy 10 market", 1: "sell 10 stop 90 reduce; sell 10 market"},
        fills=[(1, 10, 100), (2, -10, 100)],
        cash=10_000,
        changes=[(2, 2, "CANCELLED", "NOTHING_TO_REDUCE")],
    ),
    case(
        "a trailing child follows from the fill of its parent on",
        bars=[100, (95, 95, 94, 95), (92, 93, 89, 91)],
        asks={0: "buy 10 limit 96; sell 10 trail 5 reduce after 1"},
        fills=[(1, 10, 95), (2, -10, 90)],  # not at 92, below 100 - 5
        cash=10_000 - 10 * 5,
    ),
    case(
        "a child that is a market order trades at the open after the fill of its parent",
        bars=[100, (100, 100, 94, 96), 97],
        asks={0: "buy 10 limit 95; sell 10 market reduce after 1"},
        fills=[(1, 10, 95), (2, -10, 97)],
        cash=10_000 + 10 * 2,
    ),
    case(
        "a child that opens the other way waits for its parent",
        bars=[100, (100, 112, 100, 111), (101, 101, 98, 99), (99, 111, 99, 110)],
        asks={0: "buy 10 limit 99; sell 20 limit 110 after 1"},
        fills=[(2, 10, 99), (3, -20, 110)],
        cash=10_000 - 10 * 99 + 20 * 110,
    ),
]

LIFE = [
    case(
        "post-only is refused where it would trade at once, and rests where not",
        bars=[100, (100, 101, 98, 100)],
        asks={0: "buy 10 limit 101 post; buy 10 limit 99 post"},
        fills=[(1, 10, 99, 0.99)],
        cash=10_000 - 10 * 99 - 0.99,
        instrument=FEES,
        changes=[(1, 1, "REFUSED", "POST_ONLY")],
        refusals=[(1, "POST_ONLY", 101, 0)],
    ),
    case(
        "an IOC order that cannot trade at its first open ends there",
        bars=[100, (100, 100, 98, 99)],
        asks={0: "buy 10 limit 99 ioc"},
        fills=[],
        cash=10_000,
        changes=[(1, 1, "CANCELLED", "IMMEDIATE_OR_CANCEL")],
    ),
    case(
        "the rest of an IOC order that found too little volume ends",
        bars=[100, (100, 12), (100, 12)],
        asks={0: "buy 10 market ioc"},
        fills=[(1, 6, 100)],
        cash=10_000 - 6 * 100,
        execution=HALF,
        changes=[(1, 1, "CANCELLED", "IMMEDIATE_OR_CANCEL")],
    ),
    case(
        "a FOK order fills whole or not at all",
        bars=[100, (100, 12)],
        asks={0: "buy 10 market fok; buy 6 limit 100 fok"},
        fills=[(1, 6, 100)],
        cash=10_000 - 6 * 100,
        execution=HALF,
        changes=[(1, 1, "CANCELLED", "FILL_OR_KILL")],
    ),
    case(
        "a FOK order that cannot trade at its first open ends there",
        bars=[100, (100, 100, 98, 99)],
        asks={0: "buy 10 limit 99 fok"},
        fills=[],
        cash=10_000,
        changes=[(1, 1, "CANCELLED", "FILL_OR_KILL")],
    ),
    case(
        "a DAY order ends with the UTC day, of which midnight is the end",
        bars=[100, 100, 100, 100, (100, 100, 94, 100)],
        asks={0: "buy 10 limit 95 day"},
        fills=[],
        cash=10_000,
        hours=1,  # 21:00 to 01:00
        changes=[(4, 1, "EXPIRED")],
    ),
    case(
        "a DAY order lives on the day on which it became active",
        bars=[100, (100, 100, 94, 100), (100, 100, 89, 100)],
        asks={0: "buy 10 limit 95 day; buy 10 limit 90 day"},
        fills=[(1, 10, 95)],
        cash=10_000 - 10 * 95,
        changes=[(2, 2, "EXPIRED")],
    ),
    case(
        "a GTD order meets the bars that close by then",
        bars=[100, 100, 100, (100, 100, 94, 100)],
        asks={0: "buy 10 limit 95 gtd 48; buy 5 limit 95 gtd 72"},
        fills=[(3, 5, 95)],
        cash=10_000 - 5 * 95,
        changes=[(3, 1, "EXPIRED")],
    ),
    case(
        "amend changes units and limit",
        bars=[100, 100, (100, 100, 96, 98)],
        asks={0: "buy 10 limit 90", 1: "amend 1 qty 5 limit 97"},
        fills=[(2, 5, 97)],
        cash=10_000 - 5 * 97,
        changes=[(1, 1, "AMENDED")],
    ),
    case(
        "amend changes a stop",
        bars=[100, 100, (100, 100, 94, 98)],
        asks={0: "sell 10 stop 80", 1: "amend 1 stop 95"},
        fills=[(2, -10, 95)],
        cash=10_000 + 10 * 95,
        changes=[(1, 1, "AMENDED")],
    ),
    case(
        "an order with a new limit may be a taker again",
        bars=[100, 100, 100],
        asks={0: "buy 10 limit 90", 1: "amend 1 limit 105"},
        fills=[(2, 10, 101, 2.02)],
        cash=10_000 - 10 * 101 - 2.02,
        costs=Costs(spread_bps=200),
        instrument=FEES,
        changes=[(1, 1, "AMENDED")],
    ),
    case(
        "a post-only order with a new limit is refused where it would trade at once",
        bars=[100, 100, 100],
        asks={0: "buy 10 limit 90 post", 1: "amend 1 limit 105"},
        fills=[],
        cash=10_000,
        refusals=[(2, "POST_ONLY", 105, 0)],
        changes=[(1, 1, "AMENDED"), (2, 1, "REFUSED", "POST_ONLY")],
    ),
    case(
        "an amend that is refused leaves the order as it was",
        bars=[100, 100, (100, 100, 94, 95), (95, 95, 89, 90)],
        asks={0: "buy 10 limit 90", 1: "amend 1 limit 95.5"},
        fills=[(3, 10, 90)],
        cash=10_000 - 10 * 90,
        instrument={"tick": 1},
        refusals=[(1, "OFF_TICK", 95.5, 0)],
    ),
    case(
        "a price that the order's type has not got cannot be changed",
        bars=[100, 100],
        asks={0: "buy 10 limit 90; sell 10 stop 80; amend 1 stop 95; amend 2 limit 85"},
        fills=[],
        cash=10_000,
        refusals=[(0, "BAD_PRICE", 95, 0), (0, "BAD_PRICE", 85, 0)],
    ),
    case(
        "cancel ends an order at the end of the row, after its bar",
        bars=[100, (100, 100, 96, 98), (98, 98, 94, 95)],
        asks={0: "buy 10 limit 97; buy 10 limit 95", 1: "cancel 2"},
        fills=[(1, 10, 97)],
        cash=10_000 - 10 * 97,
        changes=[(1, 2, "CANCELLED", "ASKED_FOR")],
    ),
    case(
        "an order can be cancelled in the row that asks for it",
        bars=[100, (100, 100, 94, 95)],
        asks={0: "buy 10 limit 95; cancel 1"},
        fills=[],
        cash=10_000,
        changes=[(0, 1, "CANCELLED", "ASKED_FOR")],
    ),
    case(
        "what is not known or has ended cannot be changed",
        bars=[100, 100],
        asks={0: "buy 10 market; amend 8 limit 95", 1: "cancel 1"},
        fills=[(1, 10, 100)],
        cash=10_000 - 10 * 100,
        refusals=[(0, "*", "UNKNOWN_ORDER", 8, 0), (1, "*", "UNKNOWN_ORDER", 1, 0)],
    ),
]

# What a bar's volume leaves undone goes on with the next.
VOLUME = [
    case(
        "a market order goes on at the next open",
        bars=[100, (100, 12), (104, 12)],
        asks={0: "buy 10 market"},
        fills=[(1, 6, 100), (2, 4, 104)],
        cash=10_000 - 6 * 100 - 4 * 104,
        execution=HALF,
        life=[
            *((0, 1, "SUBMITTED"), (1, 1, "ACTIVE")),
            *((1, 1, "PARTIALLY_FILLED"), (2, 1, "FILLED")),
        ],
    ),
    case(
        "a limit order goes on at its limit",
        bars=[100, (100, 100, 98, 100, 12), (100, 100, 98, 100, 12)],
        asks={0: "buy 10 limit 99"},
        fills=[(1, 6, 99), (2, 4, 99)],
        cash=10_000 - 10 * 99,
        execution=HALF,
    ),
    case(
        "a target goes on with what it has not spent",
        bars=[100, (100, 12), (80, 12)],
        asks={0: "hold 0.1"},
        fills=[(1, 6, 100), (2, 5, 80)],  # 400 left
        cash=10_000 - 6 * 100 - 5 * 80,
        execution=HALF,
    ),
    case(
        "the least value is that of a target's order, not of what the volume leaves of it",
        bars=[100, (100, 6), (100, 8), 100],
        asks={0: "hold 0.1"},
        fills=[(1, 3, 100), (2, 4, 100), (3, 3, 100)],
        cash=10_000 - 10 * 100,
        execution=HALF,
        instrument={"min_value": 500},
    ),
    case(
        "closing goes on until nothing is held",
        bars=[100, 100, (90, 12), (80, 12)],
        asks={0: "hold 0.1", 1: "hold 0"},
        fills=[(1, 10, 100), (2, -6, 90), (3, -4, 80)],
        cash=10_000 - 10 * 100 + 6 * 90 + 4 * 80,
        execution=HALF,
    ),
    case(
        "the orders of a bar share its volume",
        bars=[100, (100, 12), (100, 12)],
        asks={0: "buy 4 market; buy 4 market"},
        fills=[(1, 4, 100), (1, 2, 100), (2, 2, 100)],
        cash=10_000 - 8 * 100,
        execution=HALF,
    ),
    case(
        "what the volume leaves is filled in whole lots",
        bars=[100, (100, 24), (100, 8), 100],
        asks={0: "buy 20 market"},
        fills=[(1, 10, 100), (3, 10, 100)],  # room for 12, 4 and 20
        cash=10_000 - 20 * 100,
        execution=HALF,
        instrument={"lot": 5},
    ),
    case(
        "a bar without volume fills nothing",
        bars=[100, (100, 100, 94, 95, 0), 96],
        asks={0: "buy 10 market; buy 5 limit 95"},
        fills=[(2, 10, 96)],
        cash=10_000 - 10 * 96,
        execution=HALF,
    ),
]

CASES: list[Case] = [*LINKED, *LIFE, *VOLUME]
