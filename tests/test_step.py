"""The step: accounts worked out by hand, and its naive twin, bit for bit, on random markets."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import exit_cases
import money_cases
import numpy as np
import order_cases
import pytest
import refusal_cases
import target_cases
import venue_cases
from case_market import market_of_case
from case_strategy import Narrow, Scripted, columns_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import HOUR, MONDAY, Market, random_market
from naive_step import NaiveAccount
from step_cases import CASES, Case
from twin import TABLES, differences, naive, ran

from alphalab.codes import OrderType, Posting, Reason, Sizing, TimeInForce
from alphalab.config import Limits, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.types import Instrument

nojit = pytest.mark.nojit


def check(seeds: range, seen: Counter[str] | None = None) -> None:
    """Compare random markets with their twins, and count what happened in them."""
    for seed in seeds:
        market, block = ran(seed)
        twin = naive(market)
        assert differences(block, twin) == [], f"market of seed {seed}"
        if seen is not None:
            seen += seen_in(market, block, twin)


def market_of(case: Case) -> Market:
    opens, closes, weights = (np.array(table, np.float64) for table in case.columns)
    time = MONDAY + np.array([int(hours * HOUR) for hours in case.offsets])
    return Market(time, opens, closes, weights, case.instruments, case.settings)


@nojit
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_by_hand(case: Case) -> None:
    market = market_of(case)
    block = market.run()
    delay = 0 if case.fill == "same_close" else 1
    expected = [fill if len(fill) == 5 else (*fill, fill[0] - delay) for fill in case.fills]
    fills = block.fills[["row", "asset", "qty", "price", "order_row"]].tolist()
    assert [f[:2] for f in fills] == [f[:2] for f in expected]
    assert np.array(fills) == pytest.approx(np.array(expected), rel=1e-12)
    refusals = [
        (row, asset, Reason(reason).name) for row, _, asset, reason, _, _ in block.refusals.tolist()
    ]
    assert refusals == [refusal[:3] for refusal in case.refusals]
    amounts = np.array([refusal[3:] for refusal in case.refusals]).reshape(-1, 2)
    assert block.refusals["asked"] == pytest.approx(amounts[:, 0], rel=1e-12)
    assert block.refusals["approved"] == pytest.approx(amounts[:, 1], rel=1e-12, nan_ok=True)
    assert block.ledger["cash"][-1] == pytest.approx(case.cash, rel=1e-12, abs=1e-9)
    assert block.ledger["fees"][-1] == pytest.approx(case.fees, rel=1e-12)
    if case.realised is not None:
        assert block.ledger["realised"][-1] == pytest.approx(case.realised, rel=1e-12, abs=1e-9)
    if case.equity is not None:
        assert block.ledger["equity"] == pytest.approx(np.array(case.equity), rel=1e-12)
    assert not differences(block, naive(market))


@nojit
def test_the_twin_says_the_same_of_orders_worked_out_by_hand() -> None:
    cases = [
        *(*order_cases.CASES, *exit_cases.CASES, *refusal_cases.CASES, *money_cases.CASES),
        *(*target_cases.CASES, *venue_cases.CASES),
    ]
    for case in cases:
        market, script = market_of_case(case), Narrow if case.narrow else Scripted
        engine = Engine(script(), market.instruments, market.settings)
        block = engine.push(market.time, columns_of(case))
        assert not differences(block, naive(market, script.max_orders)), case.name


@nojit
def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


@nojit
def test_few_random_markets() -> None:
    check(range(40))


def test_random_markets() -> None:
    """The comparison means something only where the markets go: everything happens in them."""
    seen: Counter[str] = Counter()
    check(range(1_300), seen)
    assert {name: seen[name] for name in wanted() if seen[name] < 5} == {}
    check(range(1_300, 2_000))


@pytest.mark.slow
def test_many_random_markets() -> None:
    check(range(2_000, 24_000))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 4096]))
def test_searched_markets(rng: random.Random, capacity: int) -> None:
    market = random_market(rng, max_rows=12, max_assets=3)
    assert not differences(market.run(capacity), naive(market))


@pytest.mark.parametrize("table", ["qty", "targets", *TABLES])
def test_the_comparison_sees_one_bit(table: str) -> None:
    market, block = next(
        (market, block)
        for market, block in map(ran, range(100))
        if all(getattr(block, name).size for name in TABLES)
    )
    twin = naive(market)
    assert not differences(block, twin)
    values = getattr(block, table)
    for key in values.dtype.names or [None]:
        changed = values.copy()
        column = changed if key is None else changed[key]
        cell = np.unravel_index(np.argmax(~np.isnan(column.astype(np.float64))), column.shape)
        if column.dtype == np.float64:
            column[cell] = np.nextafter(column[cell], np.inf)
        else:
            column[cell] += 1
        seen = differences(block._replace(**{table: changed}), twin)
        assert seen == [table if key is None else f"{table}.{key}"]
    assert differences(block._replace(**{table: values[:-1]}), twin)


def submitted_in(twin: NaiveAccount, event: dict[str, Any]) -> bool:
    """Whether an order for the asset of an event was sent in its row."""
    return any(
        (other["row"], other["asset"], other["status"])
        == (event["row"], event["asset"], "SUBMITTED")
        for other in twin.diary.events
    )


def how_it_traded(market: Market, fill: dict[str, Any], order: Any) -> list[str]:
    """What a fill has to do with costs and with the lives of orders that are seldom met."""
    settings, costs = market.settings, market.settings.costs
    words = ["fee in coin"] if costs.fee_in == "coin" and fill["qty"] > 0.0 else []
    words += ["cents"] if costs.fee_step and fill["fee"] else []
    words += ["largest fee"] if costs.max_fee and fill["fee"] == costs.max_fee else []
    words += [f"quotes {costs.quotes}"]
    if order is not None and order.parent and order.active_row == order.live_row:
        words += ["with a child's delay"] if settings.execution.delay else []
    if order is not None and order.type == "LIMIT" and fill["price"] == order.limit:
        words += ["only past the limit"] if settings.execution.limits != "touched" else []
    return words


def seen_in(market: Market, block: Block, twin: NaiveAccount) -> Counter[str]:
    """Everything that happened in a market, by name."""
    seen: Counter[str] = Counter()
    settings, orders = market.settings, twin.diary.orders
    for refusal in twin.diary.refusals:
        seen[f"refused {refusal['reason']}"] += 1
        seen[f"{refusal['reason']} when {settings.execution.path}"] += 1
    for event in twin.diary.events:
        order, status, reason = orders.get(event["order"]), event["status"], event["reason"]
        seen.update([f"{status} {event['type']}", f"{status} of {event['origin']}"])
        seen[f"{status} for {reason}"] += bool(reason)
        if settings.rebalance.when == "drift" and reason == "REPLACED":
            seen["left by its target"] += not submitted_in(twin, event)
        if order is not None:
            words = [order.sizing, order.tif, settings.fill]
            words += ["reduce-only"] * order.reduce_only + ["post-only"] * order.post_only
            words += ["of a group"] * bool(order.group) + ["of a parent"] * bool(order.parent)
            if order.origin == "EXITS":
                words += ["by distance"] * (not math.isnan(order.away))
                words += ["by a trailing distance"] * (not math.isnan(order.trail))
                words += ["after its start"] * (not math.isnan(order.starts_at))
                words += ["on a rung"] * bool(settings.exits and settings.exits.ladder)
            seen.update(f"{status} {word}" for word in words)
    for posting in twin.diary.postings:
        seen[posting["kind"]] += 1
    for ambiguity in twin.diary.ambiguities:
        seen[f"{settings.execution.path} took {ambiguity['taken']}"] += 1
    for fill in twin.diary.fills:
        instrument = market.instruments[fill["asset"]]
        seen.update([f"{instrument.kind} traded", f"{settings.rebalance.when} traded"])
        seen["traded in a foreign currency"] += instrument.currency == "EUR"
        seen[f"traded with a delay of {settings.execution.delay}"] += 1
        seen["waited"] += fill["row"] > fill["order_row"] + 1
        seen["maker was paid"] += fill["fee"] < 0.0
        seen.update(how_it_traded(market, fill, orders.get(fill["order"])))
    if settings.entry and block.events.size:
        seen[f"entry then {settings.entry.then}"] += 1
    held = np.vstack([np.zeros(block.qty.shape[1]), block.qty])
    seen["flips"] += int((held[1:] * held[:-1] < 0.0).sum())
    seen["covers"] += int(((held[:-1] < 0.0) & (held[1:] == 0.0)).sum())
    seen["cash below zero"] += int((block.ledger["cash"] < 0.0).sum())
    seen[f"tier {twin.books.tier} reached"] += bool(settings.costs.tiers)
    return seen


#: Reasons that end an order without a refusal.
ENDINGS = ("FILL_OR_KILL", "IMMEDIATE_OR_CANCEL", "REPLACED", "ONE_CANCELS_OTHER", "ASKED_FOR")

#: Reasons of trades that the venue makes by itself.
FORCED = ("HELD_BEFORE", "DELISTED", "CASH_IN_LIEU")

#: Reasons and postings that only reports of a venue outside have.
OF_REPORTS = ("ADJUSTED", "COMMANDED", "TRANSFER")


def wanted() -> list[str]:
    kinds, origins = [kind.name for kind in OrderType], ("TARGET", "EXITS", "DECIDE")
    filled = [*kinds, *(sizing.name for sizing in Sizing), *(tif.name for tif in TimeInForce)]
    filled += ["reduce-only", "of a group", "of a parent", "next_open", "next_close", "same_close"]
    names = [f"FILLED {word}" for word in [*filled, "post-only"]]
    names += [f"PARTIALLY_FILLED {word}" for word in filled if word != "FOK"]
    names += [f"FILLED of {origin}" for origin in (*origins, "VENUE")]
    names += [f"CANCELLED {kind}" for kind in kinds] + [f"REFUSED {kind}" for kind in kinds]
    names += [
        "TRIGGERED STOP_LIMIT",
        "TRIGGERED LIMIT_IF_TOUCHED",
        "EXPIRED DAY",
        "EXPIRED GTD",
        "EXPIRED of TARGET",
    ]
    names += [f"AMENDED {kind}" for kind in kinds] + ["AMENDED of EXITS", "AMENDED of DECIDE"]
    silent = (*ENDINGS, *FORCED, *OF_REPORTS)
    names += [f"refused {reason.name}" for reason in Reason if reason.name not in silent]
    names += [f"FILLED for {reason}" for reason in FORCED] + ["CANCELLED for DELISTED"]
    names += [f"CANCELLED for {reason}" for reason in ENDINGS]
    names += ["CANCELLED for LIQUIDATED", "CANCELLED for PARENT_ENDED", "CANCELLED for DAILY_LOSS"]
    names += ["FILLED for CASH", "FILLED for MARGIN", "FILLED for LIQUIDATED"]
    names += [posting.name for posting in Posting if posting.name not in OF_REPORTS]
    names += [f"{path} took {k}" for path in ("pessimistic", "optimistic", "ohlc") for k in (0, 1)]
    names += [f"{kind} traded" for kind in ("spot", "linear", "inverse")]
    names += [f"{when} traded" for when in ("on_change", "every_row", "drift", "calendar")]
    names += [f"traded with a delay of {rows}" for rows in (0, 1, 2)]
    names += [f"entry then {then}" for then in ("requote", "market", "give_up")]
    names += [f"tier {place} reached" for place in (0, 1, 2)]
    names += ["LIQUIDATED when pessimistic", "LIQUIDATED when optimistic", "LIQUIDATED when ohlc"]
    names += ["traded in a foreign currency", "waited", "maker was paid"]
    names += [f"FILLED {word}" for word in ("by distance", "by a trailing distance")]
    names += ["FILLED after its start", "FILLED on a rung", "AMENDED on a rung"]
    names += ["with a child's delay", "left by its target", "fee in coin", "largest fee", "cents"]
    names += [f"quotes {side}" for side in ("both", "ask", "bid")] + ["only past the limit"]
    return [*names, "flips", "covers", "cash below zero"]


@nojit
@pytest.mark.parametrize("price", [1e-12, 1e-3, 1e12])
@pytest.mark.parametrize("multiplier", [1.0, 0.003, 50.0])
@pytest.mark.parametrize("lot", [0.0, 1e-8, 1.0])
def test_all_in_spends_the_cash_and_not_a_bit_more(
    price: float, multiplier: float, lot: float
) -> None:
    for fee_bps in (0.0, 7.0, 33.3):
        prices = price * np.array([[1.0], [1.1], [0.7]])
        market = Market(
            time=MONDAY + HOUR * np.arange(3),
            open=prices,
            close=prices,
            weights=np.array([[1.0], [0.0], [0.0]]),
            instruments=[Instrument(symbol="A", lot=lot, multiplier=multiplier)],
            settings=RunSettings(
                cash=1e5 / 3, costs={"fee_bps": fee_bps}, limits=Limits(gross=1.0)
            ),
        )
        block = market.run()
        bought = block.ledger["cash"][1]
        assert bought >= 0.0
        unit = float(prices[1, 0]) * multiplier
        assert bought <= max(1e-11 * 1e5, 1.001 * lot * unit)
        assert block.qty[-1, 0] == 0.0 or unit * lot > 1e5
        assert not differences(block, naive(market))
