"""Orders, costs and accounts worked out by hand, and the checks of their settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import nan
from typing import Any

import exit_cases
import holding_cases
import life_cases
import money_cases
import numpy as np
import order_cases
import pytest
import refusal_cases
import target_cases
import venue_cases
from case_strategy import (
    ORDINARY,
    Case,
    Narrow,
    Scripted,
    columns_of,
    instruments_of,
    settings_of,
    times_of,
)

from alphalab.codes import OrderStatus, Posting, Reason
from alphalab.config import (
    Costs,
    Entry,
    Execution,
    Exits,
    FeeTier,
    Financing,
    Margin,
    RunSettings,
)
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.errors import AlphalabError, ParameterError, StrategyError
from alphalab.expr import functions
from alphalab.expr.nodes import Expr
from alphalab.kernels.market import orders
from alphalab.types import Instrument

nojit = pytest.mark.nojit

CASES = [
    *(*order_cases.CASES, *life_cases.CASES, *exit_cases.CASES, *refusal_cases.CASES),
    *(*money_cases.CASES, *holding_cases.CASES, *target_cases.CASES, *venue_cases.CASES),
]


def engine_of(case: Case, capacity: int | None = None) -> Engine:
    strategy = Narrow() if case.narrow else Scripted()
    return Engine(strategy, instruments_of(case), settings_of(case), capacity=capacity)


def ran(case: Case) -> Block:
    return engine_of(case).push(times_of(case), columns_of(case))


def spelled(records: Iterable[tuple[Any, ...]], n_words: int, defaults: tuple[Any, ...]) -> Any:
    """Return records in full: what is `(row, ...)` has asset A in between, the end has defaults."""
    for row, *rest in records:
        lettered = isinstance(rest[0], str) and rest[0] in "ABC*"
        asset, rest = ("ABC*".index(rest[0]), rest[1:]) if lettered else (0, rest)
        words, numbers = rest[:n_words], rest[n_words:]
        numbers = [*numbers, *defaults[len(numbers) :]]
        yield (int(row), -1 if asset == 3 else asset, *words), numbers


def differences(case: Case, block: Block) -> list[str]:
    """Return what came out otherwise than the case says, one line each."""
    seen: dict[str, Any] = {
        "fills": [
            ((row, asset), [qty, price, fee])
            for row, asset, qty, price, fee in block.fills[
                ["row", "asset", "qty", "price", "fee"]
            ].tolist()
        ],
        "refusals": [
            ((row, asset, Reason(reason).name), [asked, approved])
            for row, _, asset, reason, asked, approved in block.refusals.tolist()
        ],
        "postings": [
            ((row, asset, Posting(kind).name), [amount, qty])
            for row, _, asset, kind, qty, _, amount in block.postings.tolist()
        ],
        "ambiguous": [
            ((row, "high" if taken else "low"), [low_first, high_first])
            for row, _, _, low_first, high_first, taken in block.ambiguities.tolist()
        ],
    }
    wanted: dict[str, Any] = {
        "fills": list(spelled(case.fills, 0, (nan, nan, 0.0))),
        "refusals": list(spelled(case.refusals, 1, (None, None))),
        "postings": list(spelled(case.postings, 1, (nan, None))),
        "ambiguous": [((row, taken), [low, high]) for row, low, high, taken in case.ambiguous],
    }
    lines = [
        f"{name}: expected {wanted[name]}, got {seen[name]}"
        for name in wanted
        if not alike(wanted[name], seen[name])
    ]
    stages = [
        (row, order, OrderStatus(status).name, *([Reason(reason).name] if reason else []))
        for row, order, status, reason in block.events[
            ["row", "order", "status", "reason"]
        ].tolist()
    ]
    changes = [stage for stage in stages if stage[2] not in ORDINARY]
    if changes != case.changes:
        lines.append(f"changes: expected {case.changes}, got {changes}")
    if case.life is not None and case.life != [stage[:3] for stage in stages]:
        lines.append(f"life: expected {case.life}, got {[stage[:3] for stage in stages]}")
    fees = sum(numbers[2] for _, numbers in wanted["fills"])
    carry = sum(numbers[0] for words, numbers in wanted["postings"] if words[2] != "REINVESTMENT")
    figures = {"cash": case.cash, "fees": fees, "carry": carry, "realised": case.realised}
    for name, figure in figures.items():
        if not close([figure], [block.ledger[name][-1]]):
            lines.append(f"{name}: expected {figure}, got {block.ledger[name][-1]}")
    if case.equity is not None and not close(case.equity, block.ledger["equity"].tolist()):
        lines.append(f"equity: expected {case.equity}, got {block.ledger['equity'].tolist()}")
    return lines


def alike(wanted: list[Any], seen: list[Any]) -> bool:
    return [words for words, _ in wanted] == [words for words, _ in seen] and all(
        close(a, b) for (_, a), (_, b) in zip(wanted, seen, strict=True)
    )


def close(wanted: list[Any], seen: list[float]) -> bool:
    """Whether numbers are equal but for rounding; None is any."""
    return len(wanted) == len(seen) and all(
        a is None or b == pytest.approx(a, rel=1e-12, abs=1e-9, nan_ok=True)
        for a, b in zip(wanted, seen, strict=True)
    )


@nojit
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_by_hand(case: Case) -> None:
    assert differences(case, ran(case)) == []


@nojit
def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 100


@nojit
def test_rows_can_be_pushed_one_by_one_and_again() -> None:
    for case in CASES:
        time, columns = times_of(case), columns_of(case)
        engine = engine_of(case)
        snapshot = engine.snapshot()
        whole = engine.push(time, columns)
        blocks = []
        for t in range(time.size):
            row = {name: values[t : t + 1] for name, values in columns.items()}
            engine.restore(snapshot)
            engine.push(time[t : t + 1], row)
            engine.restore(snapshot)
            blocks.append(engine.push(time[t : t + 1], row))
            snapshot = engine.snapshot()
        for name, table in whole._asdict().items():
            parts = np.concatenate([getattr(block, name) for block in blocks])
            assert parts.tobytes() == table.tobytes(), f"{name} of {case.name}"


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


WRONG: list[tuple[str, str, Callable[[Case], Any]]] = [
    ("a market order trades at the next open", "fills", lambda c: [(1, 10, 101.0001)]),
    ("a market order trades at the next open", "fills", lambda c: [(1, 10, 101, 0.001)]),
    ("a market order trades at the next open", "fills", lambda c: [(1, "B", 10, 101)]),
    ("a market order trades at the next open", "fills", lambda c: [(2, 10, 101)]),
    ("a market order trades at the next open", "fills", lambda c: []),
    ("a market order trades at the next open", "cash", lambda c: c.cash + 0.001),
    ("a market order trades at the next open", "equity", lambda c: [10_000, 10_010.1]),
    ("a market order trades at the next open", "life", lambda c: c.life[:2]),
    ("a market order trades at the next open", "changes", lambda c: [(1, 1, "TRIGGERED")]),
    ("LOT", "refusals", lambda c: [(0, "LOT", 16, 0)]),
    ("LOT", "refusals", lambda c: [(0, "OFF_TICK", 15, 0)]),
    ("LOT", "changes", lambda c: [(0, 1, "REFUSED", "OFF_TICK")]),
    ("a split comes before the dividend of its row", "postings", lambda c: c.postings[::-1]),
    ("a split comes before the dividend of its row", "postings", lambda c: c.postings[:1]),
    ("a reverse split makes fewer units", "realised", lambda c: 1),
    (
        "pessimistic meets the stop before the target",
        "ambiguous",
        lambda c: [(*c.ambiguous[0][:3], "high")],
    ),
]


@nojit
@pytest.mark.parametrize(("name", "what", "wrong"), WRONG)
def test_a_wrong_expectation_is_noticed(name: str, what: str, wrong: Callable[[Case], Any]) -> None:
    case = named(name)
    block = ran(case)
    assert differences(case, block) == []
    lines = differences(replace(case, **{what: wrong(case)}), block)
    assert any(line.startswith(f"{what}: ") for line in lines)


def tier(value: float) -> FeeTier:
    return FeeTier(value=value, maker_bps=1, taker_bps=2)


IMPACT = Costs(root_impact_bps=10)

BAD_SETTINGS: list[tuple[Callable[[], Any], str]] = [
    (lambda: Costs(tiers=(tier(100),)), "the first tier starts at 0"),
    (lambda: Costs(tiers=(tier(0), tier(200), tier(100))), "the first tier starts at 0"),
    (lambda: Costs(tiers=(tier(0), tier(0))), "the first tier starts at 0"),
    (lambda: Costs(fee_bps=10, tiers=(tier(0),)), "set either fee_bps or tiers"),
    (lambda: Costs(spread_bps=9_000, slippage_bps=6_000), "below 10,000 bps"),
    (lambda: Costs(share_impact_bps=6_000, root_impact_bps=6_000), "below 10,000 bps"),
    (lambda: Costs(min_fee=-1), "min_fee"),
    (lambda: Costs(fee_per_unit=float("inf")), "fee_per_unit"),
    (lambda: Costs(spread_bps=-1), "spread_bps"),
    (lambda: FeeTier(value=-1, maker_bps=0, taker_bps=0), "value"),
    (lambda: FeeTier(value=0, maker_bps=0, taker_bps=-1), "taker_bps"),
    (lambda: FeeTier(value=0, maker_bps=-10_000, taker_bps=0), "maker_bps"),
    (lambda: Execution(path="random"), "Choose from pessimistic, optimistic, ohlc"),
    (lambda: Execution(participation=0), "participation"),
    (lambda: Execution(participation=1.5), "participation"),
    (lambda: Execution(delay=-1), "delay"),
    (lambda: Execution(delay=0.5), "delay"),
    (lambda: Margin(initial=0.5, maintenance=0.5), "maintenance < initial"),
    (lambda: Margin(initial=0.2, maintenance=0.5), "maintenance < initial"),
    (lambda: Margin(initial=0, maintenance=0.5), "initial"),
    (lambda: Margin(initial=1.5, maintenance=0.5), "initial"),
    (lambda: Margin(initial=0.5, maintenance=0), "maintenance"),
    (lambda: Financing(borrow_bps=-1), "borrow_bps"),
    (lambda: Financing(day_count=364), "day_count"),
    (lambda: Exits(), "at least one exit"),
    (lambda: Exits(stop_loss=0), "stop_loss"),
    (lambda: Exits(stop_loss=1), "stop_loss"),
    (lambda: Exits(take_profit=-0.1), "take_profit"),
    (lambda: Exits(trailing=1.5), "trailing"),
    (lambda: Exits(max_holding=0), "max_holding"),
    (lambda: Entry(limit_offset_bps=10, ttl=0), "ttl"),
    (lambda: Entry(limit_offset_bps=10_000), "limit_offset_bps"),
    (lambda: Entry(limit_offset_bps=10, then="cancel"), "Choose from requote, market, give_up"),
    (lambda: RunSettings(costs=IMPACT), "limit of participation"),
    (lambda: RunSettings(execution=Execution(delay=1), fill="same_close"), "a later open"),
    (lambda: RunSettings(execution=Execution(delay=1), fill="next_close"), "a later open"),
    (lambda: RunSettings(actions="split"), "Choose from none, cash, reinvest"),
    (lambda: RunSettings(conversions={"EUR": 1.1}), "conversions"),
    (lambda: Instrument(symbol="A", kind="option"), "spot, linear or inverse"),
    (lambda: Instrument(symbol="A", funding_hours=8), "funding is for contracts"),
    (lambda: Instrument(symbol="A", kind="linear", funding_hours=25), "funding_hours"),
    (lambda: Instrument(symbol="A", kind="linear", funding_hours=7), "a part of a day"),
    (lambda: Instrument(symbol="A", kind="linear", funding_hours=-8), "funding_hours"),
    (lambda: Instrument(symbol="A", taker_bps=-1), "taker_bps"),
    (lambda: Instrument(symbol="A", maker_bps=-10_000), "maker_bps"),
]


@nojit
@pytest.mark.parametrize(("make", "told"), BAD_SETTINGS, ids=lambda x: x if type(x) is str else "")
def test_bad_settings_are_refused(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ParameterError) as error:
        make()
    assert told in str(error.value)


def changed(name: str, **columns: Any) -> Callable[[], Block]:
    """Return a run of a case with other values in its columns; None: without that column."""
    case = named(name)
    given = columns_of(case)
    for column, value in columns.items():
        given[column] = None if value is None else np.full_like(given["close"], value)
    given = {column: values for column, values in given.items() if values is not None}
    return lambda: engine_of(case).push(times_of(case), given)


BAD_COLUMNS = [
    (changed("a limit order goes on at its limit", volume=nan), "volume of 'A' in row 0"),
    (changed("a limit order goes on at its limit", volume=None), "unknown column 'volume'"),
    (changed("a limit order goes on at its limit", volume=-1), "volume of 'A' in row 0"),
    (changed("the stop-loss of a short is above", high=None), "unknown column 'high'"),
    (changed("the stop-loss of a short is above", low=0), "low of 'A' in row 0"),
    (changed("spot in another currency gains with that currency", eurusd=nan), "eurusd of 'A'"),
    (changed("spot in another currency gains with that currency", eurusd=0), "eurusd of 'A'"),
    (changed("below 0 the long is paid, on the mark of the row before", funding=nan), "funding"),
    (changed("below 0 the long is paid, on the mark of the row before", funding=0.1), "funding"),
    (changed("a reverse split makes fewer units", split=0), "split of 'A'"),
    (changed("a reverse split makes fewer units", dividend=-1), "dividend of 'A'"),
    (changed("a reverse split makes fewer units", dividend=None), "unknown column 'dividend'"),
]


@nojit
@pytest.mark.parametrize(("push", "told"), BAD_COLUMNS, ids=lambda x: x if type(x) is str else "")
def test_bad_columns_are_refused(push: Callable[[], Block], told: str) -> None:
    with pytest.raises(AlphalabError) as error:
        push()
    assert told in str(error.value)


@nojit
@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        (
            "spot in another currency gains with that currency",
            {"settings": {"currency": "USD"}},
            "every other currency has a column",
        ),
        (
            "a split comes before the dividend of its row",
            {"instrument": {"kind": "linear"}},
            "splits and dividends are for spot",
        ),
    ],
)
def test_bad_markets_are_refused(name: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(AlphalabError) as error:
        ran(replace(named(name), **changes))
    assert told in str(error.value)


class Flood(Strategy):
    """Asks for twenty orders on its first row."""

    max_orders = 1

    def signals(self) -> dict[str, Expr]:
        return {"close": functions.close}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        if account.row == 0:
            for _ in range(20):
                orders.limit(account, 0, orders.BUY, 1.0, 5.0)
        return np.full(table.shape[1], np.nan)


def test_requests_beyond_the_buffer_are_told_not_forgotten() -> None:
    engine = Engine(Flood(), [Instrument(symbol="A")], RunSettings())
    column = np.full((2, 1), 10.0)
    block = engine.push(np.array([1, 2]), dict.fromkeys(("open", "high", "low", "close"), column))
    too_many = block.refusals[block.refusals["reason"] == Reason.TOO_MANY_ORDERS]
    assert (too_many["asset"] == 0).sum() == 15  # one of sixteen found a place
    assert too_many["asked"][too_many["asset"] == -1].tolist() == [4.0]
    assert block.events["order"].max() == 16


class Forgetful(Flood):
    """Asks for orders without saying how many may live."""

    max_orders = 0


def test_orders_without_room_for_any_are_told_not_forgotten() -> None:
    engine = Engine(Forgetful(), [Instrument(symbol="A")], RunSettings())
    column = np.full((2, 1), 10.0)
    block = engine.push(np.array([1, 2]), {"open": column, "close": column})
    assert block.refusals[["row", "asset", "reason", "asked"]].tolist() == [
        (0, -1, Reason.TOO_MANY_ORDERS, 20.0)
    ]


@nojit
@pytest.mark.parametrize("number", [-1, 2.5])
@pytest.mark.parametrize("name", ["max_orders", "memory_rows"])
def test_a_number_of_places_is_none_below_zero(name: str, number: float) -> None:
    with pytest.raises(StrategyError, match="whole number of at least 0"):
        type("Odd", (Flood,), {name: number})
