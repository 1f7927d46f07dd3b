"""Income and costs of holding, and the value of contracts, worked out by hand.

`case_strategy` explains how to read a case.
"""

from __future__ import annotations

from math import nan

from case_strategy import Case, case

from alphalab.config import Exits, Financing, Margin, Rebalance

LINEAR = {"kind": "linear"}
INVERSE = {"kind": "inverse", "multiplier": 100}  # at 100 one unit is worth 1
PERPETUAL = {"kind": "linear", "funding_hours": 8}
A_THOUSANDTH = 3_650  # bps a year: one thousandth a day
EURO = {"currency": "USD", "conversions": {"EUR": "eurusd"}}
MARGIN = Margin(initial=0.5, maintenance=0.2)

# Rows at 21:00, 23:00, 24:00, 1:00 and 2:00; a contract's funding is due at 0:00, 8:00 and 16:00.
HOLDING = [
    case(
        "funding is paid by the long and to the short, in the row that has the hour in it",
        bars=[[100, 100]] * 5,
        asks={0: "hold 0.2; B hold -0.1"},
        fills=[(1, "B", -10, 100), (1, 20, 100)],
        cash=10_000 - 2 + 1,
        hours=[0, 2, 3, 4, 5],
        columns={"funding": [nan, nan, nan, 0.001, nan]},
        instrument=PERPETUAL,
        postings=[(3, "FUNDING", -2), (3, "B", "FUNDING", 1)],
    ),
    case(
        "below 0 the long is paid, on the mark of the row before",
        bars=[100, 100, 150, 200],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100)],
        cash=10_000 + 1.5,
        hours=[0, 2, 3, 4],
        columns={"funding": [nan, nan, nan, -0.001]},
        instrument=PERPETUAL,
        postings=[(3, "FUNDING", 1.5)],
    ),
    case(
        "what is bought in the row itself pays no funding",
        bars=[100] * 5,
        asks={2: "hold 0.1"},
        fills=[(3, 10, 100)],
        cash=10_000,
        hours=[0, 2, 3, 4, 5],
        columns={"funding": [nan, nan, nan, 0.001, nan]},
        instrument=PERPETUAL,
    ),
    case(
        "funding of an inverse contract is in coins",
        bars=[100, 100, 125, 125],
        asks={0: "hold 0.1"},
        fills=[(1, 1_000, 100)],
        cash=10_000 - 8,  # 1,000 * 100 / 125 * 0.01
        hours=[0, 2, 3, 4],
        columns={"funding": [nan, nan, nan, 0.01]},
        instrument=INVERSE | {"funding_hours": 8},
        postings=[(3, "FUNDING", -8)],
    ),
    case(
        "borrowing over a weekend is for three days",
        bars=[100, 100, 100],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100)],
        cash=11_000 - 3,
        hours=[72, 96, 168],  # Thursday, Friday, Monday
        financing=Financing(borrow_bps=A_THOUSANDTH),
        postings=[(2, "BORROW", -3)],
    ),
    case(
        "contracts are not borrowed",
        bars=[100, 100, 100],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100)],
        cash=10_000,
        financing=Financing(borrow_bps=A_THOUSANDTH, loan_bps=A_THOUSANDTH),
        instrument=LINEAR,
    ),
    case(
        "borrowed cash costs, a year of 360 days if wanted",
        bars=[100, 100, 100],
        asks={0: "hold 2"},
        fills=[(1, 200, 100)],
        cash=-10_000 - 30,
        hours=[72, 96, 168],  # Thursday, Friday, Monday
        margin=MARGIN,
        financing=Financing(loan_bps=3_600, day_count=360),
        postings=[(2, "*", "LOAN", -30)],
    ),
    case(
        "interest comes once a UTC day and earns interest",
        bars=[100] * 6,
        asks={},
        fills=[],
        cash=10_000 + 10 + 20.02,
        hours=[0, 1, 2, 3, 4, 52],  # 21:00 to 1:00, 1:00 two days later
        financing=Financing(interest_bps=A_THOUSANDTH),
        postings=[(4, "*", "INTEREST", 10), (5, "*", "INTEREST", 20.02)],
    ),
    case(
        "the proceeds of a short sale earn no interest",
        bars=[100, 100, 100],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100)],
        cash=11_010 + 10.01,
        financing=Financing(interest_bps=A_THOUSANDTH),
        postings=[(1, "*", "INTEREST", 10), (2, "*", "INTEREST", 10.01)],
    ),
]

ACTIONS = [
    case(
        "a dividend is paid to the long and by the short",
        bars=[[100, 100], [100, 100], [98, 98]],
        asks={0: "hold 0.2; B hold -0.1"},
        fills=[(1, "B", -10, 100), (1, 20, 100)],
        cash=9_000 + 40 - 20,
        actions="cash",
        columns={"dividend": [nan, nan, 2]},
        postings=[(2, "DIVIDEND", 40), (2, "B", "DIVIDEND", -20)],
    ),
    case(
        "what is bought at the ex-date has no dividend",
        bars=[100, 100, 98],
        asks={1: "buy 10 market"},
        fills=[(2, 10, 98)],
        cash=10_000 - 980,
        actions="cash",
        columns={"dividend": [nan, nan, 2]},
    ),
    case(
        "a dividend is put into the asset at its close without it",
        bars=[100, (100, 120, 100, 120), 100, 110],
        asks={0: "hold 0.1", 2: "hold 0"},
        fills=[(1, 10, 100), (3, -12, 110)],
        cash=9_000 + 12 * 110,
        actions="reinvest",
        columns={"dividend": [nan, nan, 20, nan]},
        postings=[(2, "DIVIDEND", 200, 10), (2, "REINVESTMENT", -200, 2)],
        equity=[10_000, 10_200, 10_200, 10_320],
        realised=120,
    ),
    case(
        "what a dividend has bought counts in the average entry price",
        bars=[100, (130, 130, 120, 120), 100, 75, (75, 75, 49, 60)],
        asks={0: "buy 10 market", 2: "buy 12 market"},
        fills=[(1, 10, 130), (3, 12, 75), (4, -24, 50)],  # half of (12 * 125 + 12 * 75) / 24
        cash=10_000 - 10 * 130 - 12 * 75 + 24 * 50,
        actions="reinvest",
        columns={"dividend": [nan, nan, 20, nan, nan]},
        exits=Exits(stop_loss=0.5),
        postings=[(2, "DIVIDEND", 200, 10), (2, "REINVESTMENT", -200, 2)],
        changes=[(3, 2, "AMENDED")],
        realised=-24 * 50,
    ),
    case(
        "what a short pays is not reinvested",
        bars=[100, 100, 98],
        asks={0: "hold -0.1"},
        fills=[(1, -10, 100)],
        cash=11_000 - 20,
        actions="reinvest",
        columns={"dividend": [nan, nan, 2]},
        postings=[(2, "DIVIDEND", -20)],
    ),
    case(
        "a dividend of the whole price stays cash",
        bars=[100, 100, 1],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100)],
        cash=9_000 + 1_000,
        actions="reinvest",
        columns={"dividend": [nan, nan, 100]},
        postings=[(2, "DIVIDEND", 1_000)],
    ),
    case(
        "a split comes before the dividend of its row",
        bars=[100, 100, 50],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100)],
        cash=9_000 + 20,
        actions="cash",
        columns={"split": [nan, nan, 2], "dividend": [nan, nan, 1]},
        postings=[(2, "SPLIT", 0, 10), (2, "DIVIDEND", 20, 20)],
        equity=[10_000, 10_000, 10_020],
    ),
    case(
        "a split changes units and prices of a resting order",
        bars=[100, 100, (50, 51, 44, 46)],
        asks={0: "buy 10 market", 1: "sell 10 stop 90 reduce"},
        fills=[(1, 10, 100), (2, -20, 45)],
        cash=9_000 + 20 * 45,
        actions="cash",
        columns={"split": [nan, nan, 2]},
        postings=[(2, "SPLIT", 0, 10)],
        realised=-100,
    ),
    case(
        "a split reaches the orders of an asset that is not held",
        bars=[100, 100, (50, 50, 44, 48)],
        asks={0: "buy 10 limit 90"},
        fills=[(2, 20, 45)],
        cash=10_000 - 20 * 45,
        actions="cash",
        columns={"split": [nan, nan, 2]},
    ),
    case(
        "a split divides the average entry price",
        bars=[100, 100, 50, 60, (60, 60, 49, 55)],
        asks={0: "buy 10 market", 2: "buy 20 market"},
        fills=[(1, 10, 100), (3, 20, 60), (4, -40, 49.5)],  # 55 * 0.9
        cash=10_000 - 1_000 - 1_200 + 40 * 49.5,
        actions="cash",
        columns={"split": [nan, nan, 2, nan, nan]},
        exits=Exits(stop_loss=0.1),
        postings=[(2, "SPLIT", 0, 10)],
        changes=[(3, 2, "AMENDED")],
        realised=-40 * 5.5,
    ),
    case(
        "a split changes the units of a target's order",
        bars=[100, 100, 50],
        asks={0: "hold 0.1", 1: "hold 0.05"},
        fills=[(1, 10, 100), (2, -10, 50)],
        cash=9_000 + 500,
        actions="cash",
        columns={"split": [nan, nan, 2]},
        postings=[(2, "SPLIT", 0, 10)],
    ),
    case(
        "a split divides what a trailing stop follows",
        bars=[100, 100, (106, 108, 104, 107), (53, 54, 51, 52)],
        asks={0: "buy 10 market", 1: "sell 10 trail 5 reduce"},
        fills=[(1, 10, 100), (3, -20, 51.5)],  # 54 - 2.5
        cash=9_000 + 20 * 51.5,
        actions="cash",
        columns={"split": [nan, nan, nan, 2]},
        postings=[(3, "SPLIT", 0, 10)],
    ),
    case(
        "a reverse split makes fewer units",
        bars=[100, 100, 200, 200],
        asks={0: "hold 0.1", 2: "hold 0"},
        fills=[(1, 10, 100), (3, -5, 200)],
        cash=10_000,
        actions="cash",
        columns={"split": [nan, nan, 0.5, nan]},
        postings=[(2, "SPLIT", 0, -5)],
        realised=0,
    ),
    case(
        "a split is no reason to trade",
        bars=[100, 100, 50, 50],
        asks={0: "hold 0.1"},
        fills=[(1, 10, 100)],
        cash=9_000,
        rebalance=Rebalance.every_row(),
        actions="cash",
        columns={"split": [nan, nan, 2, nan]},
        postings=[(2, "SPLIT", 0, 10)],
        equity=[10_000] * 4,
    ),
]

CONTRACTS = [
    case(
        "a contract is not paid for, its profit is booked when closed",
        bars=[100, (100, 110, 100, 110), 110],
        asks={0: "buy 50 market", 1: "sell 50 market"},
        fills=[(1, 50, 100, 5), (2, -50, 110, 5.5)],
        cash=10_000 + 50 * 10 - 10.5,
        instrument=LINEAR | {"taker_bps": 10},
        equity=[10_000, 10_495, 10_489.5],
        realised=500,
    ),
    case(
        "a multiplier counts in size and profit of a contract",
        bars=[100, (100, 110, 100, 110), 110],
        asks={0: "hold 1", 1: "hold 0"},
        fills=[(1, 2, 100), (2, -2, 110)],
        cash=10_000 + 2 * 50 * 10,
        instrument=LINEAR | {"multiplier": 50},
    ),
    case(
        "a contract sold short earns what the price falls",
        bars=[100, (100, 100, 80, 80), 80],
        asks={0: "hold -0.5", 1: "hold 0"},
        fills=[(1, -50, 100), (2, 50, 80)],
        cash=10_000 + 50 * 20,
        instrument=LINEAR,
    ),
    case(
        "an inverse contract earns coins: the face over the prices",
        bars=[[100, 100], [100, 100], [125, 80], [125, 80]],
        asks={0: "hold 0.1; B hold 0.1", 2: "hold 0; B hold 0"},
        fills=[(1, 1_000, 100), (1, "B", 1_000, 100), (3, -1_000, 125), (3, "B", -1_000, 80)],
        cash=10_000 + 200 - 250,  # 100,000 * (0.01 - 0.008), 100,000 * (0.01 - 0.0125)
        instrument=INVERSE,
        equity=[10_000, 10_000, 9_950, 9_950],
    ),
    case(
        "an inverse contract's average is that of the inverses",
        bars=[100, (100, 125, 100, 125), 125, 125],
        asks={0: "buy 1000 market", 1: "buy 1000 market", 2: "sell 2000 market"},
        fills=[(1, 1_000, 100), (2, 1_000, 125), (3, -2_000, 125)],
        cash=10_000 + 200,
        instrument=INVERSE,
        realised=200,
    ),
    case(
        "spot in another currency gains with that currency",
        bars=[100, 100, 100, 100],
        asks={0: "hold 0.5", 2: "hold 0"},
        fills=[(1, 40, 100), (3, -40, 100)],  # 5,000 / 125
        cash=5_000 + 40 * 150,
        instrument={"currency": "EUR"},
        columns={"eurusd": [1.25, 1.25, 1.5, 1.5]},
        equity=[10_000, 10_000, 11_000, 11_000],
        realised=1_000,
        **EURO,
    ),
    case(
        "a contract's profit in another currency is changed when it is booked",
        bars=[100, 100, 110, 110],
        asks={0: "hold 0.1", 2: "hold 0"},
        fills=[(1, 8, 100), (3, -8, 110)],  # 1,000 / 125
        cash=10_000 + 8 * 10 * 1.5,
        instrument=LINEAR | {"currency": "EUR"},
        columns={"eurusd": [1.25, 1.25, 1.5, 1.5]},
        equity=[10_000, 10_000, 10_120, 10_120],
        **EURO,
    ),
    case(
        "a dividend in another currency is changed at the rate of its row",
        bars=[100, 100, 98],
        asks={0: "hold 0.1"},
        fills=[(1, 8, 100)],
        cash=9_000 + 8 * 2 * 1.5,
        actions="cash",
        instrument={"currency": "EUR"},
        columns={"eurusd": [1.25, 1.25, 1.5], "dividend": [nan, nan, 2]},
        postings=[(2, "DIVIDEND", 24)],
        **EURO,
    ),
]

CASES: list[Case] = [*HOLDING, *ACTIONS, *CONTRACTS]
