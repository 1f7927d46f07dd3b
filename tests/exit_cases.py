"""Exits and entries of targets, worked out by hand: section 5 of docs/market.md.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from math import nan

from case_strategy import Case, case

from alphalab.config import Entry, Execution, Exits, Limits, Rebalance

HALF = Execution(participation=0.5)  # half a bar's volume can be had

EXITS = [
    case(
        "a stop-loss closes, and the asset stays out until its target changes",
        bars=[100, 100, (100, 100, 94, 96), 99.5, 99.5],
        asks={0: "hold 0.1", 3: "hold 0.2"},
        fills=[(1, 10, 100), (2, -10, 95), (4, 20, 99.5)],  # a fifth of 9,950
        cash=10_000 - 10 * 5 - 20 * 99.5,
        exits=Exits(stop_loss=0.05),
    ),
    case(
        "an asset stays out even where every row is traded to its target",
        bars=[100, (100, 101, 94, 96), 96, 96],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (1, -10, 95)],
        cash=10_000 - 10 * 5,
        exits=Exits(stop_loss=0.05),
        rebalance=Rebalance.every_row(),
    ),
    case(
        "the stop-loss of a short is above",
        bars=[100, 100, (100, 106, 100, 104)],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100), (2, 10, 105)],
        cash=10_000 - 10 * 5,
        exits=Exits(stop_loss=0.05),
        instrument={"tick": 5},
    ),
    case(
        "a gap through a stop-loss closes at the open",
        bars=[100, 100, (90, 91, 88, 89)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 90)],
        cash=10_000 - 10 * 10,
        exits=Exits(stop_loss=0.05),
    ),
    case(
        "an exit that would be between two ticks is on the far one",
        bars=[[100, 100], [100, 100], [(100, 100, 91, 92), (100, 109, 100, 108)]],
        asks={0: "hold 0.1; B hold -0.1"},
        fills=[
            *((1, "B", -10, 100), (1, 10, 100)),
            *((2, -10, 92), (2, "B", 10, 108)),  # from 95 and 105
        ],
        cash=10_000 - 10 * 16,
        exits=Exits(stop_loss=0.05),
        instrument={"tick": 4},
    ),
    case(
        "a take-profit exit is a limit order and pays the maker's fee",
        bars=[[100, 100], [100, 100], [(100, 107, 99, 106), (100, 101, 93, 94)]],
        asks={0: "hold 0.1; B hold -0.1"},
        fills=[
            *((1, "B", -10, 100), (1, 10, 100)),
            *((2, -10, 106.25, 106.25), (2, "B", 10, 93.75, 93.75)),
        ],
        cash=10_000 + 10 * 6.25 * 2 - 200,
        exits=Exits(take_profit=0.0625),
        instrument={"maker_bps": 1_000},
    ),
    case(
        "a trailing exit follows from the price of the entry on",
        bars=[100, (100, 110, 100, 109), (109, 109, 98, 100)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 99)],  # 110 * 0.9
        cash=10_000 - 10,
        exits=Exits(trailing=0.1),
    ),
    case(
        "with next_close the bar of the entry is over when its exits come",
        bars=[100, (100, 100, 90, 100), (100, 101, 94, 99)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 95)],
        cash=10_000 - 10 * 5,
        fill="next_close",
        exits=Exits(stop_loss=0.05),
    ),
    case(
        "with same_close too",
        bars=[(100, 101, 94, 100), (100, 101, 94, 99)],
        asks={0: "hold 0.1"},
        fills=[(0, 10, 100), (1, -10, 95)],
        cash=10_000 - 10 * 5,
        fill="same_close",
        exits=Exits(stop_loss=0.05),
    ),
    case(
        "exits are there at once, however long orders are on their way",
        bars=[100, (100, 101, 94, 100), (100, 101, 94, 100)],
        asks={0: "hold 0.1"},
        fills=[(2, 10, 100), (2, -10, 95)],
        cash=10_000 - 10 * 5,
        exits=Exits(stop_loss=0.05),
        execution=Execution(delay=1),
    ),
    case(
        "a take-profit exit has rested and is a maker at a better open",
        bars=[100, 100, (112, 113, 111, 112)],
        asks={0: "buy 10 market"},
        fills=[(1, 10, 100, 2), (2, -10, 112, 1.12)],
        cash=10_000 + 10 * 12 - 3.12,
        exits=Exits(stop_loss=0.05, take_profit=0.05),
        instrument={"maker_bps": 10, "taker_bps": 20},
        changes=[(2, 2, "CANCELLED", "NOTHING_TO_REDUCE")],
    ),
    case(
        "after max_holding rows a position is closed at the next open, and stays out",
        bars=[100, 100, 101, 102, 103, 103, 103],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (4, -10, 103)],
        cash=10_000 + 10 * 3,
        exits=Exits(max_holding=2),
    ),
    case(
        "adding moves stop and target to the average",
        bars=[100, 100, 120, (120, 138, 100, 130)],
        asks={0: "buy 10 market", 1: "buy 10 market"},
        fills=[(1, 10, 100), (2, 10, 120), (3, -20, 137.5)],  # 110 * 1.25
        cash=10_000 - 2_200 + 20 * 137.5,
        exits=Exits(stop_loss=0.1, take_profit=0.25),
        changes=[
            *((2, 2, "AMENDED"), (2, 3, "AMENDED")),
            (3, 2, "CANCELLED", "NOTHING_TO_REDUCE"),
        ],
    ),
    case(
        "exits close what is left of a position",
        bars=[100, 100, 100, (100, 100, 94, 96)],
        asks={0: "buy 10 market", 1: "sell 4 market"},
        fills=[(1, 10, 100), (2, -4, 100), (3, -6, 95)],
        cash=10_000 - 6 * 5,
        exits=Exits(stop_loss=0.05),
    ),
    case(
        "turning round gives the new position exits of its own",
        bars=[100, 100, 100, (100, 106, 99, 104)],
        asks={0: "hold 0.1", 1: "hold -0.1"},
        fills=[(1, 10, 100), (2, -20, 100), (3, 10, 105)],
        cash=10_000 - 10 * 5,
        exits=Exits(stop_loss=0.05, take_profit=0.1),
        changes=[
            *((2, 2, "CANCELLED", "NOTHING_TO_REDUCE"), (2, 3, "CANCELLED", "NOTHING_TO_REDUCE")),
            (3, 6, "CANCELLED", "NOTHING_TO_REDUCE"),
        ],
    ),
    case(
        "an exit cancels the rest of the target's order",
        bars=[100, (100, 100, 94, 100, 12), (90, 91, 89, 90, 12), (90, 12)],
        asks={0: "hold 0.1"},
        fills=[(1, 6, 100), (2, -6, 90)],
        cash=10_000 - 6 * 10,
        exits=Exits(stop_loss=0.05),
        execution=HALF,
        changes=[(2, 1, "CANCELLED", "REPLACED")],
    ),
]

ENTRY = [
    case(
        "an entry is a limit order below the close and spends its value with the maker's fee",
        bars=[100, (100, 100, 79, 90)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 80, 200)],  # 1,000 / (80 * 1.25)
        cash=10_000 - 1_000,
        entry=Entry(limit_offset_bps=2_000),
        instrument={"maker_bps": 2_500},
    ),
    case(
        "an entry to sell is above the close and sized at it",
        bars=[100, (100, 121, 100, 110)],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 120)],
        cash=10_000 + 10 * 120,
        entry=Entry(limit_offset_bps=2_000),
    ),
    case(
        "an entry's limit is rounded away from the close to the tick",
        bars=[[100, 100], [(100, 100, 89, 95), (100, 111, 99, 105)]],
        asks={0: "hold 0.1; B hold -0.1"},
        fills=[(1, 1_000 / 92, 92), (1, "B", -10, 108)],  # from 95 and 105
        cash=10_000 - 1_000 + 10 * 108,
        entry=Entry(limit_offset_bps=500),
        instrument={"tick": 4},
    ),
    case(
        "after the last bar of its ttl an entry is quoted anew at the close",
        bars=[100, (100, 125, 90, 125), (125, 125, 99, 120)],
        asks={0: "hold 0.1"},
        fills=[(2, 10, 100)],  # 125 * 0.8
        cash=10_000 - 1_000,
        entry=Entry(limit_offset_bps=2_000, ttl=1, then="requote"),
        changes=[(1, 1, "EXPIRED")],
    ),
    case(
        "after its ttl an entry goes to the market",
        bars=[100, 100, 100, 125],
        asks={0: "hold 0.1"},
        fills=[(3, 8, 125)],
        cash=10_000 - 1_000,
        entry=Entry(limit_offset_bps=2_000, ttl=2, then="market"),
        changes=[(2, 1, "EXPIRED")],
    ),
    case(
        "after its ttl an entry is given up until the target changes",
        bars=[100, 100, 50, 50, (50, 50, 39, 40)],
        asks={0: "hold 0.1", 3: "hold 0.2"},
        fills=[(4, 50, 40)],
        cash=10_000 - 2_000,
        entry=Entry(limit_offset_bps=2_000, ttl=1, then="give_up"),
        changes=[(1, 1, "EXPIRED")],
    ),
    case(
        "without a ttl an entry waits until a new target replaces it",
        bars=[100, 100, 100, (100, 100, 79, 90)],
        asks={0: "hold 0.1", 2: "hold 0.2"},
        fills=[(3, 25, 80)],
        cash=10_000 - 2_000,
        entry=Entry(limit_offset_bps=2_000),
        changes=[(2, 1, "CANCELLED", "REPLACED")],
    ),
    case(
        "a post-only entry that would trade at once is refused, again and again, told once",
        bars=[100, 100, 100, (120, 121, 109, 110)],
        asks={0: "hold 0.11"},
        fills=[(3, 10, 110)],
        cash=10_000 - 1_100,
        entry=Entry(limit_offset_bps=-1_000, post_only=True),
        refusals=[(1, "POST_ONLY", 110, 0)],
        changes=[(1, 1, "REFUSED", "POST_ONLY")],
        life=[
            *((0, 1, "SUBMITTED"), (1, 1, "ACTIVE"), (1, 1, "REFUSED")),
            *((2, 3, "SUBMITTED"), (3, 3, "ACTIVE"), (3, 3, "FILLED")),
        ],
    ),
    case(
        "what reduces goes by market order",
        bars=[100, (100, 100, 79, 80), 90],
        asks={0: "hold 0.1", 1: "hold 0.05"},
        fills=[(1, 12.5, 80), (2, -6.25, 90)],
        cash=9_000 + 6.25 * 90,
        entry=Entry(limit_offset_bps=2_000),
    ),
    case(
        "an exit cancels the entry that would add",
        bars=[100, (100, 100, 79, 80), (80, 80, 75, 75), (75, 75, 60, 60)],
        asks={0: "hold 0.1", 1: "hold 0.2"},
        fills=[(1, 12.5, 80), (2, -12.5, 76)],
        cash=10_000 - 12.5 * 4,
        entry=Entry(limit_offset_bps=2_000),
        exits=Exits(stop_loss=0.05),
        changes=[(2, 3, "CANCELLED", "REPLACED")],
    ),
    case(
        "what closes goes by market order",
        bars=[100, (100, 100, 79, 80), 80],
        asks={0: "hold 0.1", 1: "hold 0"},
        fills=[(1, 12.5, 80), (2, -12.5, 80)],
        cash=10_000,
        entry=Entry(limit_offset_bps=2_000),
    ),
    case(
        "a target on the other side closes first, then enters",
        bars=[100, (100, 100, 79, 80), 80, (80, 97, 79, 90)],
        asks={0: "hold 0.1", 1: "hold -0.1"},
        fills=[(1, 12.5, 80), (2, -12.5, 80), (3, -12.5, 96)],  # 1,000 / 80 units, 80 * 1.2
        cash=10_000 + 12.5 * 96,
        entry=Entry(limit_offset_bps=2_000),
    ),
]

DISTANCES = [
    case(
        "a distance of price is the value at the close before the fill, and stays",
        bars=[100, (100, 100, 95, 96), (96, 97, 93, 94)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 94)],
        cash=10_000 - 10 * 6,
        columns={"stop_distance": [6, 2, 2]},
        exits=Exits(stop_distance="column('stop_distance')"),
    ),
    case(
        "a distance that is unknown keeps its last value; before the first no position is opened",
        bars=[100, 100, 100, 100, (100, 104, 97, 98), (98, 98, 96, 96)],
        asks={0: "hold 0.1"},
        fills=[(3, 10, 100), (4, -10, 97)],
        cash=10_000 - 10 * 3,
        columns={"stop_distance": [nan, -1, 3, nan, 9, 9]},
        exits=Exits(stop_distance="column('stop_distance')"),
        refusals=[(0, "NO_DISTANCE", 0.1, 0)],
    ),
    case(
        "stop and target of a short are at their distances from the average",
        bars=[100, 100, 120, (120, 126, 119, 125)],
        asks={0: "sell 10 market", 1: "sell 10 market"},
        fills=[(1, -10, 100), (2, -10, 120), (3, 20, 125)],
        cash=10_000 + 2_200 - 20 * 125,
        columns={"stop_distance": [15, 1, 1, 1], "profit_distance": [30, 1, 1, 1]},
        exits=Exits(
            stop_distance="column('stop_distance')", profit_distance="column('profit_distance')"
        ),
        changes=[
            *((2, 2, "AMENDED"), (2, 3, "AMENDED")),
            (3, 3, "CANCELLED", "NOTHING_TO_REDUCE"),
        ],
    ),
    case(
        "an order of a decide that opens needs the distances too",
        bars=[100, 100, 100],
        asks={0: "buy 10 market", 1: "buy 10 market"},
        fills=[(2, 10, 100)],
        cash=9_000,
        columns={"stop_distance": [nan, 5, 5]},
        exits=Exits(stop_distance="column('stop_distance')"),
        refusals=[(0, "NO_DISTANCE", 0.1, 0)],
        changes=[(0, 1, "REFUSED", "NO_DISTANCE")],
    ),
    case(
        "a trailing stop at a distance of price",
        bars=[100, (100, 103, 100, 103), (110, 110, 104, 105)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 106)],
        cash=10_000 + 10 * 6,
        columns={"trailing_distance": [4, 9, 9]},
        exits=Exits(trailing_distance="column('trailing_distance')"),
    ),
    case(
        "a split divides the distance of what is held",
        bars=[100, 100, (50, 51, 46, 47)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (2, -20, 47)],
        cash=10_000 - 20 * 3,
        columns={"stop_distance": [6, 6, 6], "split": [nan, nan, 2]},
        actions="cash",
        exits=Exits(stop_distance="column('stop_distance')"),
        postings=[(2, "SPLIT", 0, 10)],
    ),
]

LADDER = [
    case(
        "a target moves with the age of its position, in rows",
        bars=[
            *(100, (100, 103, 100, 102), (102, 103, 102, 102)),
            *((102, 103, 101, 101), (101, 102.5, 101, 102)),
        ],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (4, -10, 102)],
        cash=10_000 + 10 * 2,
        exits=Exits(take_profit={0: 0.04, 1: 0.035, 2: 0.02}),
        changes=[(3, 2, "AMENDED")],
        instrument={"tick": 1},
    ),
    case(
        "ages in time are counted from the close of the fill's row",
        bars=[100, 100, 100, (100, 101, 99, 100), (100, 101.5, 99, 100)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (4, -10, 101)],
        cash=10_000 + 10,
        hours=[0, 24, 36, 48, 60],
        exits=Exits(take_profit={0: 0.04, "24h": 0.01}),
        changes=[(3, 2, "AMENDED")],
    ),
    case(
        "a target that has moved below the price trades at the next open, as a taker",
        bars=[100, (100, 102, 99, 102), 102, (103, 104, 103, 103)],
        asks={0: "buy 10 market"},
        fills=[(1, 10, 100, 10), (3, -10, 103, 10.3)],
        cash=10_000 + 30 - 20.3,
        exits=Exits(take_profit={0: 0.5, 1: -0.01}),
        instrument={"taker_bps": 100},
        changes=[(2, 2, "AMENDED")],
    ),
]

START = [
    case(
        "a trailing stop with a start stands from the gain on",
        bars=[100, (100, 104, 90, 104), (104, 105, 103, 105), (105, 105, 94, 95)],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100), (3, -10, 99.75)],  # 105 * 0.95
        cash=10_000 - 2.5,
        exits=Exits(trailing=0.05, trailing_after=0.05),
    ),
    case(
        "a trailing stop of a short starts below",
        bars=[100, (100, 109, 96, 97), (97, 97, 95, 95), (95, 101, 95, 100)],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100), (3, 10, 99.75)],  # 95 * 1.05
        cash=10_000 + 2.5,
        exits=Exits(trailing=0.05, trailing_after=0.05),
    ),
]

AGAIN = [
    case(
        "after NaN of a decide the same target is a new one, for an asset that an exit has closed",
        bars=[100, 100, (100, 100, 94, 96), 96, 96],
        asks={0: "hold 0.1", 2: "hold nan", 3: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 95), (4, 995 / 96, 96)],
        cash=9_950 - 995,
        exits=Exits(stop_loss=0.05),
    ),
    case(
        "also where the exit came after the NaN",
        bars=[100, 100, (100, 100, 94, 96), 96],
        asks={0: "hold 0.1", 1: "hold nan", 2: "hold 0.1"},
        fills=[(1, 10, 100), (2, -10, 95), (3, 995 / 96, 96)],
        cash=9_950 - 995,
        exits=Exits(stop_loss=0.05),
    ),
]

PLACES = [
    case(
        "the largest targets get the places, the first asset where they are equal",
        bars=[[100, 100, 100], [100, 100, 100]],
        asks={0: "hold 0.1; B hold -0.2; C hold 0.2"},
        fills=[(1, "B", -20, 100)],
        cash=12_000,
        limits=Limits(max_positions=1),
        refusals=[(0, "*", "MAX_POSITIONS", 3, 1), (1, "*", "MAX_POSITIONS", 3, 1)],
    ),
    case(
        "an asset keeps its place until its target is 0, which frees it on that row",
        bars=[[100, 100], [100, 100], [100, 100], [100, 100], [100, 100]],
        asks={0: "hold 0.1", 1: "B hold 0.2", 2: "hold 0; B hold 0.2"},
        fills=[(1, 10, 100), (3, -10, 100), (3, "B", 20, 100)],
        cash=8_000,
        limits=Limits(max_positions=1),
        refusals=[(1, "*", "MAX_POSITIONS", 2, 1)],
    ),
    case(
        "an asset that an exit has closed waits outside",
        bars=[[100, 100], [100, 100], [(100, 100, 94, 96), 100], [96, 100], [96, 100]],
        asks={0: "hold 0.1; B hold 0.05"},
        fills=[(1, 10, 100), (2, -10, 95), (3, "B", 4.975, 100)],
        cash=9_950 - 497.5,
        limits=Limits(max_positions=1),
        exits=Exits(stop_loss=0.05),
        refusals=[(0, "*", "MAX_POSITIONS", 2, 1), (1, "*", "MAX_POSITIONS", 2, 1)],
    ),
    case(
        "an order of a decide needs a place, and an order that may open has one",
        bars=[[100, 100], [100, 100], [100, 100]],
        asks={0: "buy 10 limit 90; B buy 10 market; buy 5 market"},
        fills=[(1, 5, 100)],
        cash=9_500,
        limits=Limits(max_positions=1),
        refusals=[(0, "B", "MAX_POSITIONS", 2, 0)],
        changes=[(0, 2, "REFUSED", "MAX_POSITIONS")],
    ),
]

CASES: list[Case] = [
    *(*EXITS, *ENTRY, *DISTANCES, *LADDER, *START, *AGAIN, *PLACES),
]
