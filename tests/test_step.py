"""The step: accounts worked out by hand, and its naive twin, bit for bit, on random markets."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import HOUR, MONDAY, Market, random_market
from naive_step import NaiveAccount, Row
from step_cases import CASES, Case

from alphalab.config import Limits, RunSettings
from alphalab.core.engine import Block
from alphalab.types import FILL, LEDGER, REFUSAL, Instrument, Reason

nojit = pytest.mark.nojit


def naive(market: Market) -> NaiveAccount:
    tables = (market.time, market.open, market.close, market.weights)
    rows = zip(*(table.tolist() for table in tables), strict=True)
    return NaiveAccount(market.instruments, market.settings).push(Row(*row) for row in rows)


def equal_bits(a: Any, b: Any) -> bool:
    """Whether two arrays of numbers have the same bits; one NaN is like another."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype == np.int64:
        return np.array_equal(a, b)
    same = a.view(np.int64) == b.astype(np.float64).view(np.int64)
    return bool((same | (np.isnan(a) & np.isnan(b))).all())


def differences(block: Block, twin: NaiveAccount) -> list[str]:
    """Names of all tables and fields in which they differ."""
    different = [
        name
        for name in ("qty", "targets")
        if not equal_bits(getattr(block, name), getattr(twin, name))
    ]
    for name, dtype in (("ledger", LEDGER), ("fills", FILL), ("refusals", REFUSAL)):
        records, rows = getattr(block, name), getattr(twin, name)
        for key in dtype.names:
            values: list[Any] = [row[key] for row in rows]
            if key == "reason":
                values = [Reason[reason] for reason in values]
            if not equal_bits(records[key], values):
                different.append(f"{name}.{key}")
    return different


def check(seeds: range) -> None:
    for seed in seeds:
        rng = random.Random(seed)
        market = random_market(rng)
        block = market.run(capacity=rng.choice([1, 7, 4096]))
        assert not differences(block, naive(market)), f"market of seed {seed}"


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
def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


@nojit
def test_few_random_markets() -> None:
    check(range(40))


def test_random_markets() -> None:
    check(range(4_000))


@pytest.mark.slow
def test_many_random_markets() -> None:
    check(range(4_000, 24_000))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 4096]))
def test_searched_markets(rng: random.Random, capacity: int) -> None:
    market = random_market(rng, max_rows=12, max_assets=3)
    assert not differences(market.run(capacity), naive(market))


@pytest.mark.parametrize("table", ["qty", "targets", "ledger", "fills", "refusals"])
def test_the_comparison_sees_one_bit(table: str) -> None:
    market = next(
        m
        for m in map(random_market, map(random.Random, range(100)))
        if m.run().fills.size and m.run().refusals.size
    )
    block, twin = market.run(), naive(market)
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


def test_the_markets_reach_everything() -> None:
    """The comparison means something only where the markets go."""
    seen: Counter[str] = Counter()
    for seed in range(600):
        market = random_market(random.Random(seed))
        block = market.run()
        when = market.settings.rebalance.when
        seen.update(Reason(code).name for code in block.refusals["reason"].tolist())
        seen.update([f"{when} traded", f"{market.settings.fill} traded"] * bool(block.fills.size))
        held = np.vstack([np.zeros(block.qty.shape[1]), block.qty])
        seen["flips"] += int((held[1:] * held[:-1] < 0.0).sum())
        seen["covers"] += int(((held[:-1] < 0.0) & (held[1:] == 0.0)).sum())
        seen["waited"] += int((block.fills["row"] > block.fills["order_row"] + 1).sum())
        seen["cash below zero"] += int((block.ledger["cash"] < 0.0).sum())
    wanted = [reason.name for reason in Reason]
    wanted += [f"{when} traded" for when in ("on_change", "every_row", "drift", "calendar")]
    wanted += [f"{fill} traded" for fill in ("next_open", "next_close", "same_close")]
    wanted += ["flips", "covers", "waited", "cash below zero"]
    assert {name: seen[name] for name in wanted if seen[name] < 10} == {}


# --- the account's own laws, on the same markets -------------------------------------------------


def ran(seeds: range) -> Any:
    for seed in seeds:
        market = random_market(random.Random(seed))
        yield market, market.run()


def test_conservation() -> None:
    for market, block in ran(range(1_000)):
        rows = block.ledger
        made = rows["realised"] + rows["unrealised"] - rows["fees"]
        size = market.settings.cash + rows["turnover"] + rows["gross"]
        assert np.isfinite(rows["equity"]).all()
        assert equal_bits(rows["equity"], rows["cash"] + rows["value"])
        error = np.abs(rows["equity"] - (market.settings.cash + made)) / size
        assert error.max() < 1e-9


def test_cash_is_never_negative_but_for_covering_a_short() -> None:
    for market, block in ran(range(2_000)):
        cash, held = market.settings.cash, [0.0] * len(market.instruments)
        for fill in block.fills:
            asset, qty = int(fill["asset"]), float(fill["qty"])
            multiplier = market.instruments[asset].multiplier
            cash -= qty * (float(fill["price"]) * multiplier) + float(fill["fee"])
            held[asset] += qty
            assert cash >= 0.0 or qty < 0.0 or held[asset] <= 0.0
        assert cash == block.ledger["cash"][-1]


def test_approved_targets_keep_the_limits() -> None:
    for market, block in ran(range(1_000)):
        limits, weights = market.settings.limits, np.nan_to_num(block.targets)
        above = 1.0 + 2e-9
        assert (np.abs(weights).sum(axis=1) <= limits.gross * above).all()
        if limits.weight is not None:
            assert (np.abs(weights) <= limits.weight * above).all()
        if limits.group is not None:
            for name in {i.groups["sector"] for i in market.instruments if i.groups}:
                members = [i.groups.get("sector") == name for i in market.instruments]
                gross = np.abs(weights[:, members]).sum(axis=1)
                assert (gross <= limits.group_gross * above).all()
        if limits.net is not None and not np.isnan(block.targets).any():
            known = np.nan_to_num(market.weights, posinf=0.0, neginf=0.0)
            asked = np.abs(known).sum(axis=1)
            assert (np.abs(weights.sum(axis=1)) <= limits.net + 1e-9 * (2.0 + asked)).all()


def test_after_a_lock_positions_only_shrink() -> None:
    for _, block in ran(range(1_000)):
        locks = np.isin(block.refusals["reason"], [Reason.DRAWDOWN_LOCK, Reason.BANKRUPT])
        if locks.any():
            since = int(block.refusals["row"][locks][0])
            held = np.abs(block.qty[since:])
            assert (held[1:] <= held[:-1]).all()
            assert (block.targets[since:] == 0.0).all()
            assert locks.sum() == 1


def test_quantities_are_whole_lots_and_orders_have_their_least_value() -> None:
    for market, block in ran(range(500)):
        for fill in block.fills:
            instrument = market.instruments[fill["asset"]]
            value = abs(fill["qty"]) * (fill["price"] * instrument.multiplier)
            assert value >= instrument.min_value
            if instrument.lot >= 0.1:
                lots = fill["qty"] / instrument.lot
                assert abs(lots - round(lots)) <= 1e-9 * max(abs(lots), 1.0)


def test_no_row_writes_more_than_its_logs_are_sure_to_hold() -> None:
    for market, block in ran(range(1_000)):
        n_assets = len(market.instruments)
        assert max(Counter(block.fills["row"].tolist()).values(), default=0) <= 2 * n_assets
        assert max(Counter(block.refusals["row"].tolist()).values(), default=0) <= 7 * n_assets + 4


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
