"""The compiled market does what docs/market.md says: compared with a simulator written from it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import page_after
import page_bar
import page_draws
import page_execution
import page_fees
import page_market
import page_requests
import page_targets
import pytest
from page_books import Logs
from page_compare import assert_same, differences, same

N_SUITE, N_CONTRACTS, N_SLOW, STEP = 300, 50, 20_300, 25

#: Rules that were once wrong, each with what breaks it again in the plain market.
RULES = {
    "a child keeps the delay": (page_after, "has_arrived", lambda a, child: True),
    "drift ends the order of a target that was left": (
        page_targets, "ends_when_left", lambda a, waiting: False,
    ),
    "the market order after an entry is for its target": (
        page_targets, "chases_another", lambda held: held.chase,
    ),
    "the first target waits for the cooldown": (
        page_targets, "has_rested", lambda a, held: held.qty == 0 or _has_rested(a, held),
    ),
    "a child of a filled parent is judged by the mark": (
        page_requests, "waits_for", lambda parent: True,
    ),
    "a remainder of rounding is nothing": (
        page_execution, "sum_of", lambda instrument, a, b: a + b,
    ),
    "impact adds up over a bar": (page_execution, "taken", lambda a, j: 0.0),
    "a limit order that rests is traded through": (page_bar, "needs_more", lambda a: False),
    "an order pays its fixed fee once": (
        page_fees, "fixed_fee", lambda a, order: a.settings.costs.fee_per_order,
    ),
    "an order has a least and a largest fee": (page_fees, "bound_of", lambda a, raw: raw),
    "a fee may be taken from the units": (page_execution, "is_coin_fee", lambda a, order: False),
    "a quote holds from its close on": (page_bar, "take_quotes", lambda a, bars: None),
    "the close that waits is not replaced by the same": (
        page_targets, "closes_already", lambda waiting: False,
    ),
    "a target that a ladder has moved trades at once": (
        page_after, "is_rested", lambda order: True,
    ),
    "a trailing stop may have a start": (page_after, "has_no_stop", lambda order: False),
    "a distance is above 0": (page_market, "is_distance", lambda x: not math.isnan(x)),
    "no position without its distances": (page_targets, "is_unsafe", lambda a, j, target: False),
    "a target is new where an exit has closed": (page_targets, "asks_again", lambda held: False),
    "the largest targets get the places": (page_market, "rank", lambda targets, j: (0.0, -j)),
}  # fmt: skip
_has_rested = page_targets.has_rested


@pytest.mark.parametrize("first", range(0, N_SUITE, STEP))
def test_the_compiled_market_follows_the_page(first: int) -> None:
    _compare(range(first, first + STEP), page_draws.draw)


@pytest.mark.parametrize("first", range(0, N_CONTRACTS, STEP))
def test_the_compiled_market_follows_the_page_with_contracts(first: int) -> None:
    _compare(range(first, first + STEP), page_draws.draw_contracts)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(N_SUITE, N_SLOW, 10 * STEP))
def test_the_compiled_market_follows_the_page_in_many_markets(first: int) -> None:
    _compare(range(first, first + 8 * STEP), page_draws.draw)
    _compare(range(first + 8 * STEP, first + 10 * STEP), page_draws.draw_contracts)


def _compare(seeds: range, draw: Callable[[int], page_draws.Market]) -> None:
    for seed in seeds:
        market = draw(seed)
        try:
            assert_same(market.compiled(), page_market.run(market))
        except Exception as error:
            error.add_note(f"market {seed}: page_draws.{draw.__name__}({seed})")
            raise


@pytest.mark.parametrize("rule", RULES)
def test_the_random_markets_meet_every_rule(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(_broken_differs(seed, rule, monkeypatch) for seed in range(N_SUITE))


def _broken_differs(seed: int, rule: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """True if breaking the rule changes what the plain market does."""
    market = page_draws.draw(seed)
    module, name, broken = RULES[rule]
    right = _logs(seed)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, broken)
        wrong = page_market.run(market).logs
    return _unlike(right.events, wrong.events) or _unlike(right.fills, wrong.fills)


@functools.cache
def _logs(seed: int) -> Logs:
    return page_market.run(page_draws.draw(seed)).logs


def _unlike(some: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> bool:
    return len(some) != len(others) or any(
        not same(x, y) for a, b in zip(some, others, strict=True) for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize(
    ("log", "field"),
    [
        *(("fills", name) for name in ("price", "qty", "fee", "realised", "order")),
        *(("events", name) for name in ("limit", "filled", "status", "reason")),
        *(("ledger", name) for name in ("cash", "equity", "unrealised")),
        ("refusals", "asked"),
    ],
)
def test_the_comparison_fails_on_one_bit(log: str, field: str) -> None:
    market = _market_with(log, field)
    block, account = market.compiled(), page_market.run(market)
    records = getattr(block, log)
    i = int(np.flatnonzero(~np.isnan(records[field]))[-1])
    value = records[field][i]
    is_float = records.dtype[field].kind == "f"
    nearby = value * (1 + 1e-9) if log == "refusals" else math.nextafter(value, math.inf)
    records[field][i] = nearby if is_float else value + 1
    assert any(text.startswith(f"{log}[") for text in differences(block, account))


def test_the_comparison_fails_on_a_missing_entry() -> None:
    market = _market_with("fills", "price")
    account = page_market.run(market)
    account.logs.fills.pop()
    assert any(text.startswith("fills:") for text in differences(market.compiled(), account))


def _market_with(log: str, field: str) -> page_draws.Market:
    """The first random market in which a log has a number in a field."""
    for seed in range(N_SUITE):
        market = page_draws.draw(seed)
        if np.any(getattr(market.compiled(), log)[field] != 0):
            return market
    raise AssertionError(f"no market has {log} with a {field}")
