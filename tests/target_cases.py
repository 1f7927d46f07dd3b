"""What becomes of orders when the target, the parent or the volume behind them changes, by hand.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from case_strategy import Case, case

from alphalab.config import Costs, Entry, Execution, Exits, drift

HALF = Execution(participation=0.5)  # half a bar's volume can be had
TENTH = {"lot": 0.1}

CHILDREN = [
    case(
        "a child decided after its parent keeps the delay",
        bars=[100, 100, 100, 100, (100, 103, 100, 102), (100, 103, 100, 102)],
        asks={0: "buy 10 limit 100", 2: "sell 10 limit 102 reduce after 1"},
        fills=[(3, 10, 100), (5, -10, 102)],
        cash=10_000 + 10 * 2,
        execution=Execution(delay=2),
        life=[
            *((0, 1, "SUBMITTED"), (2, 2, "SUBMITTED"), (3, 1, "ACTIVE"), (3, 1, "FILLED")),
            *((5, 2, "ACTIVE"), (5, 2, "FILLED")),
        ],
    ),
    case(
        "a child decided with its parent is at the venue when the parent fills",
        bars=[100, 100, (100, 103, 100, 102)],
        asks={0: "buy 10 limit 100; sell 10 limit 102 reduce after 1"},
        fills=[(2, 10, 100), (2, -10, 102)],
        cash=10_000 + 10 * 2,
        execution=Execution(delay=1),
    ),
    case(
        "a trailing child on its way starts from its parent's fill when it arrives",
        bars=[100, 100, (100, 104, 99, 104), (104, 106, 104, 105), (105, 105, 98, 98)],
        asks={0: "buy 10 limit 100", 1: "sell 10 trail 5 reduce after 1"},
        fills=[(2, 10, 100), (4, -10, 101)],  # 106 - 5
        cash=10_000 + 10,
        execution=Execution(delay=1, path="ohlc"),
    ),
    case(
        "a child of a half-filled parent is checked against the mark",
        bars=[(100, 102, 98, 100, 80)] * 3,
        asks={0: "sell 80 limit 101", 1: "buy 40 stop 100.5 after 1"},
        fills=[(1, -40, 101), (2, 40, 100.5)],
        cash=10_000 + 40 * 0.5,
        execution=Execution(participation=0.5, path="ohlc"),
    ),
]

TARGETS = [
    case(
        "drift cancels the order of a target that has been left",
        bars=[(100, 200), (100, 200), (100, 200), (100, 100), (100, 10), (100, 100)],
        asks={0: "hold 1", 2: "hold -1", 3: "hold 0.5"},
        fills=[(1, 100, 100), (3, -50, 100)],
        cash=5_000,
        changes=[(3, 2, "CANCELLED", "REPLACED")],
        execution=HALF,
        rebalance=drift(0.05),
    ),
    case(
        "drift does not give up the order of a target that is still asked for",
        bars=[(100, 200), (100, 60), (100, 60), (100, 60), (100, 60)],
        asks={0: "hold 1"},
        fills=[(1, 30, 100), (2, 30, 100), (3, 30, 100), (4, 10, 100)],
        cash=0,
        execution=HALF,
        rebalance=drift(0.95),
    ),
    case(
        "drift does not give up the closing of a position that was held too long",
        bars=[(100, 200), (100, 200), (100, 200), (100, 40), (100, 40), (100, 200)],
        asks={0: "hold 1", 3: "hold 0.8"},
        fills=[(1, 100, 100), (3, -20, 100), (4, -20, 100), (5, -60, 100)],
        cash=10_000,
        execution=HALF,
        rebalance=drift(0.5),
        exits=Exits(max_holding=1),
    ),
    case(
        "what follows an entry that expired does not follow another target",
        bars=[100, 100, 100, (100, 100, 97, 98)],
        asks={0: "hold 0.5", 1: "hold 0", 2: "hold 0.4"},
        fills=[(3, 4_000 / 98, 98)],
        cash=6_000,
        changes=[(1, 1, "EXPIRED")],
        entry=Entry(limit_offset_bps=200, ttl=1, then="market"),
    ),
    case(
        "an entry that expired is followed by a market order for the same target",
        bars=[100, 100, 100],
        asks={0: "hold 0.5"},
        fills=[(2, 50, 100)],
        cash=5_000,
        changes=[(1, 1, "EXPIRED")],
        entry=Entry(limit_offset_bps=200, ttl=1, then="market"),
    ),
    case(
        "the first target after an exit waits for the cooldown of drift",
        bars=[100] * 8,
        asks={0: "hold 0.5", 2: "hold 0", 3: "hold 0.5"},
        fills=[(1, 50, 100), (3, -50, 100), (6, 50, 100)],
        cash=5_000,
        rebalance=drift(0.05, cooldown=2),
    ),
]

ROUNDING = [
    case(
        "what rounding alone leaves of a position is nothing",
        bars=[(100, 0.6)] * 6,
        asks={0: "buy 0.1 market", 1: "buy 0.2 market", 3: "hold 0"},
        fills=[(1, 0.1, 100), (2, 0.2, 100), (4, -0.3, 100)],
        cash=10_000,
        execution=HALF,
        equity=[10_000] * 6,
    ),
    case(
        "units on a grid of lots are the floats nearest to their decimals",
        bars=[100] * 4,
        asks={0: "buy 0.1 market", 1: "buy 0.2 market", 2: "sell 0.3 market"},
        fills=[(1, 0.1, 100), (2, 0.2, 100), (3, -0.3, 100)],
        cash=10_000,
        instrument=TENTH,
    ),
]

IMPACT = [
    case(
        "the impact of an order counts what earlier orders took of the bar",
        bars=[(100, 100)] * 2,
        asks={0: "buy 10 market; buy 10 market"},
        fills=[(1, 10, 100 * (1 + 0.04 * 0.1**2)), (1, 10, 100 * (1 + 0.04 * 0.2**2))],
        cash=10_000 - 1_000 * (2 + 0.04 * (0.1**2 + 0.2**2)),
        execution=HALF,
        costs=Costs(share_impact_bps=400),
    ),
]

CASES: list[Case] = [*CHILDREN, *TARGETS, *ROUNDING, *IMPACT]
