"""The engine: rows in any portion, snapshots, bad input, and strategies that decide."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from builders import panel
from engine_strategies import (
    INSTRUMENTS,
    SETTINGS,
    STRATEGIES,
    Patient,
    Trend,
    digest,
    engine_of,
    finish,
    prices,
    pushed,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import DAY, HOUR, MONDAY, Given, Market, random_market

from alphalab.codes import Reason
from alphalab.config import Costs, Limits, Rebalance, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.snapshot import decode
from alphalab.core.strategy import Strategy
from alphalab.errors import (
    DataError,
    ExprError,
    ParameterError,
    StateError,
    StrategyError,
    UnknownNameError,
)
from alphalab.expr.custom import python_op
from alphalab.expr.functions import close, constant, per_symbol, where
from alphalab.expr.nodes import Expr
from alphalab.kernels._jit import DISABLED
from alphalab.research.run.backtest import backtest
from alphalab.types import FloatArray, Instrument

nojit = pytest.mark.nojit

TIME, COLUMNS = prices()
ONE = [Instrument(symbol="A")]


def joined(blocks: list[Block]) -> Block:
    return Block(*(np.concatenate(tables) for tables in zip(*blocks, strict=True)))


def equal(a: Block, b: Block) -> bool:
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def memory_of(engine: Engine, shape: tuple[int, int]) -> FloatArray:
    return np.frombuffer(decode(engine.snapshot()).memory).reshape(shape)


# --- any portion of rows -------------------------------------------------------------------------


@nojit
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("capacity", [1, 7, 4096, None])
def test_one_row_at_a_time_is_all_rows_at_once(strategy: Strategy, capacity: int | None) -> None:
    whole, single = engine_of(strategy, capacity), engine_of(strategy)
    block = whole.push(TIME, COLUMNS)
    assert block.fills.size > 20
    rows = [pushed(single, TIME, COLUMNS, i, i + 1) for i in range(TIME.size)]
    assert equal(block, joined(rows))
    assert whole.snapshot() == single.snapshot()


@settings(max_examples=30)
@given(
    st.sampled_from(STRATEGIES),
    st.lists(st.integers(0, TIME.size), max_size=8),
    st.sampled_from([1, 3, 50, None]),
)
def test_any_partition(strategy: Strategy, cuts: list[int], capacity: int | None) -> None:
    whole, parts = engine_of(strategy), engine_of(strategy, capacity)
    edges = [0, *sorted(cuts), TIME.size]
    blocks = [pushed(parts, TIME, COLUMNS, a, b) for a, b in pairwise(edges)]
    assert equal(whole.push(TIME, COLUMNS), joined(blocks))
    assert whole.snapshot() == parts.snapshot()


def test_random_markets_in_random_portions() -> None:
    for seed in range(100):
        rng = random.Random(seed)
        market = random_market(rng)
        engine = market.engine(capacity=rng.choice([1, 5, None]))
        blocks, first = [], 0
        while first < market.time.size:
            last = first + rng.randint(1, 20)
            blocks.append(pushed(engine, market.time, market.columns, first, last))
            first = last
        assert equal(market.run(), joined(blocks)), f"market of seed {seed}"


@nojit
def test_no_rows_push_nothing() -> None:
    engine = engine_of(Trend())
    before = engine.snapshot()
    block = pushed(engine, TIME, COLUMNS, 0, 0)
    assert [table.shape[0] for table in block] == [0] * 8
    assert engine.snapshot() == before


def test_more_fills_and_refusals_than_the_logs_hold() -> None:
    """A log that fills up inside a block is emptied, and the block goes on where it stopped."""
    n_rows, n_assets = 4096, 4
    wave = np.where(np.arange(n_rows) % 2 == 0, 1.0, -1.0)[:, np.newaxis]
    market = Market(
        time=MONDAY + HOUR * np.arange(n_rows),
        open=np.full((n_rows, n_assets), 10.0),
        close=np.full((n_rows, n_assets), 10.0),
        weights=wave * np.ones(n_assets),
        instruments=[Instrument(symbol=f"S{i}") for i in range(n_assets)],
        settings=RunSettings(limits=Limits(weight=0.25), rebalance=Rebalance.every_row()),
    )
    engine = market.engine(capacity=4096)
    block = engine.push(market.time, market.columns)
    assert block.fills.size == (n_rows - 1) * n_assets
    assert block.refusals.size == n_rows * n_assets
    assert block.fills["row"].tolist() == np.repeat(np.arange(1, n_rows), n_assets).tolist()
    other = market.engine(capacity=100)
    parts = [pushed(other, market.time, market.columns, i, i + 37) for i in range(0, n_rows, 37)]
    assert equal(block, joined(parts))


# --- snapshots -----------------------------------------------------------------------------------


@nojit
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_a_snapshot_goes_on_in_another_engine(strategy: Strategy) -> None:
    rng = random.Random(3)
    for row in [0, 1, TIME.size, *(rng.randrange(TIME.size) for _ in range(8))]:
        first, second = engine_of(strategy), engine_of(strategy, capacity=13)
        second.push(TIME, COLUMNS)  # what it has seen is forgotten
        pushed(first, TIME, COLUMNS, 0, row)
        second.restore(first.snapshot())
        assert second.snapshot() == first.snapshot()
        a = pushed(first, TIME, COLUMNS, row, TIME.size)
        b = pushed(second, TIME, COLUMNS, row, TIME.size)
        assert digest(first, a) == digest(second, b)


def test_a_snapshot_goes_on_in_another_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, expected = random.Random(4), {}
    for number, strategy in enumerate(STRATEGIES):
        for row in sorted(rng.sample(range(1, TIME.size), 3)):
            engine = engine_of(strategy)
            pushed(engine, TIME, COLUMNS, 0, row)
            name = f"{number}_{row}"
            (tmp_path / name).write_bytes(engine.snapshot())
            expected[name] = digest(engine, pushed(engine, TIME, COLUMNS, row, TIME.size))
    script = Path(__file__).with_name("engine_strategies.py")
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            timeout=120,
        )
        assert dict(line.split() for line in done.stdout.splitlines()) == expected
    finish(str(tmp_path))
    assert capsys.readouterr().out == done.stdout


@nojit
@pytest.mark.parametrize(
    "other",
    [
        lambda: engine_of(Trend(n=7)),
        lambda: engine_of(Patient(rows=3)),
        lambda: Engine(Trend(n=4), INSTRUMENTS[:2], SETTINGS),
        lambda: Engine(Trend(n=4), INSTRUMENTS[::-1], SETTINGS),
        lambda: Engine(Trend(n=4), INSTRUMENTS, RunSettings(limits=Limits(gross=2))),
    ],
    ids=["parameter", "strategy", "fewer assets", "order of the assets", "settings"],
)
def test_a_snapshot_of_something_else_is_refused(other: Callable[[], Engine]) -> None:
    engine = engine_of(Trend(n=4))
    pushed(engine, TIME, COLUMNS, 0, 60)
    before = engine.snapshot()
    with pytest.raises(StateError, match="same strategy, parameters, settings and assets"):
        engine.restore(other().snapshot())
    assert engine.snapshot() == before


@nojit
def test_a_snapshot_of_another_decide_is_refused() -> None:
    class Other(Patient):
        @staticmethod
        def decide(table, account, memory):  # type: ignore[no-untyped-def]
            return np.full(table.shape[1], 0.125)

    Other.__name__ = "Patient"
    one, other = engine_of(Patient(rows=3)), engine_of(Other(rows=3))
    assert one.id != other.id
    assert one.id == engine_of(Patient(rows=3)).id
    with pytest.raises(StateError):
        one.restore(other.snapshot())


def _with_limit(limit: float) -> type[Strategy]:
    class Limited(Strategy):
        def signals(self) -> dict[str, Expr]:
            return {"close": close}

        @staticmethod
        def decide(table, account, memory):  # type: ignore[no-untyped-def]
            return np.full(table.shape[1], limit)

    return Limited


@nojit
def test_a_number_that_decide_names_is_part_of_the_identity() -> None:
    low, high = (engine_of(_with_limit(limit)()) for limit in (0.1, 0.2))
    assert low.id != high.id
    assert low.id == engine_of(_with_limit(0.1)()).id


@nojit
@pytest.mark.parametrize("garbage", [b"", b"abc", b"\x00" * 100, "text", None])
def test_garbage_is_refused(garbage: Any) -> None:
    engine = engine_of(Trend())
    pushed(engine, TIME, COLUMNS, 0, 60)
    before = engine.snapshot()
    with pytest.raises(StateError, match="not a snapshot"):
        engine.restore(garbage)
    assert engine.snapshot() == before


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_cut_and_random_bytes_are_refused(random_bytes: bytes, length: int) -> None:
    engine = engine_of(Trend())
    before = engine.snapshot()
    for bad in (random_bytes, before[:length], before[:length] + random_bytes):
        with pytest.raises(StateError):
            engine.restore(bad)
        assert engine.snapshot() == before


# --- bad rows ------------------------------------------------------------------------------------


@nojit
@pytest.mark.parametrize(
    ("times", "match"),
    [
        ([60, 60], "strictly increasing"),
        ([61, 60], "strictly increasing"),
        ([59, 60], "strictly increasing"),
        ([10, 70], "strictly increasing"),
        ([60.0, 61.0], "int64"),
        (np.array([[60, 61]]), "int64"),
        (np.array([60, 61], "M8[s]"), "int64"),
    ],
    ids=["repeated", "backwards", "the last one again", "before", "floats", "table", "datetimes"],
)
def test_bad_times_push_nothing(times: Any, match: str) -> None:
    engine = Engine(Given(), ONE, RunSettings())
    table = np.full((2, 1), 10.0)
    columns = {"open": table, "close": table, "w": table / 20}
    engine.push(np.array([58, 59]), columns)
    before = engine.snapshot()
    with pytest.raises(DataError, match=match):
        engine.push(np.asarray(times), columns)
    assert engine.snapshot() == before
    assert engine.push(np.array([60, 61]), columns).ledger.size == 2


@nojit
@pytest.mark.parametrize("missing", ["open", "close", "w"])
def test_a_missing_column_is_named(missing: str) -> None:
    engine = Engine(Given(), ONE, RunSettings())
    table = np.full((2, 1), 10.0)
    columns = {name: table for name in ("open", "close", "w") if name != missing}
    before = engine.snapshot()
    with pytest.raises(UnknownNameError, match=f"unknown column '{missing}'"):
        engine.push(np.array([1, 2]), columns)
    assert engine.snapshot() == before


@nojit
@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (2,), (1, 2)])
def test_a_column_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    engine = Engine(Given(), INSTRUMENTS[:2], RunSettings())
    table = np.full((2, 2), 10.0)
    before = engine.snapshot()
    for name in ("open", "close", "w"):
        with pytest.raises(DataError, match=f"column '{name}'"):
            engine.push(
                np.array([1, 2]),
                {"open": table, "close": table, "w": table, name: np.full(shape, 10.0)},
            )
    assert engine.snapshot() == before


@nojit
@pytest.mark.parametrize("price", [0.0, -1.0, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["open", "close"])
def test_a_price_that_is_no_price_is_refused(column: str, price: float) -> None:
    engine = Engine(Given(), INSTRUMENTS[:2], RunSettings())
    good = np.full((3, 2), 10.0)
    bad = good.copy()
    bad[2, 1] = price
    before = engine.snapshot()
    with pytest.raises(DataError, match=f"{column} of 'B' in row 2"):
        engine.push(np.array([1, 2, 3]), {"open": good, "close": good, "w": good, column: bad})
    assert engine.snapshot() == before


# --- the backtest around it ----------------------------------------------------------------------


@pytest.mark.parametrize("block_rows", [0, -1, 2.5, "7", np.nan])
def test_block_rows_is_a_count(block_rows: Any) -> None:
    with pytest.raises(ParameterError, match="block_rows is an integer of at least 1"):
        backtest(Trend(), panel(np.linspace(10.0, 20.0, 30)), block_rows=block_rows)


@pytest.mark.parametrize("block_rows", [1, 7, np.int64(30), 10**15])
def test_block_rows_changes_nothing(block_rows: int) -> None:
    bars = panel(10.0 + np.sin(np.arange(30.0)))
    one, other = backtest(Trend(), bars), backtest(Trend(), bars, block_rows=block_rows)
    assert one.fills.size > 5
    assert one.digest == other.digest


def test_a_column_that_the_bars_have_not_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown column 'w'(.|\n)*with_columns"):
        backtest(Given(), panel(np.linspace(10.0, 20.0, 30)))


# --- weights known beforehand --------------------------------------------------------------------


class Fixed(Strategy):
    weight: float = 0.5

    def weights(self) -> Expr:
        return constant(self.weight)


class FixedPair(Strategy):
    a: float = 0.5
    b: float = -0.5

    def weights(self) -> Expr:
        return per_symbol({"A": self.a, "B": self.b})


@nojit
@pytest.mark.parametrize(
    "strategy", [Fixed(weight=0.34), Fixed(weight=-0.34), FixedPair(a=0.5, b=-0.51)]
)
def test_constant_weights_above_the_gross_limit_are_refused(strategy: Strategy) -> None:
    with pytest.raises(ParameterError, match="the gross limit is 1"):
        Engine(strategy, INSTRUMENTS, RunSettings())
    Engine(strategy, INSTRUMENTS, RunSettings(limits=Limits(gross=1.1)))


@nojit
@pytest.mark.parametrize("strategy", [Fixed(weight=1 / 3), FixedPair()])
def test_constant_weights_at_the_gross_limit_are_accepted(strategy: Strategy) -> None:
    block = Engine(strategy, INSTRUMENTS, RunSettings()).push(TIME, COLUMNS)
    assert not np.isin(block.refusals["reason"], [Reason.GROSS_LIMIT]).any()


# --- decide --------------------------------------------------------------------------------------


class Witness(Strategy):
    """Holds half of its equity, and writes what it is shown into its memory, nine lines a row."""

    memory_rows = 36

    def signals(self) -> dict[str, Expr]:
        return {"close": close, "double": close * 2.0}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        position = account.positions[0]
        seen = memory[9 * account.row : 9 * account.row + 9, 0]
        seen[0] = account.cash
        seen[1] = account.equity
        seen[2] = account.drawdown
        seen[3] = account.time
        seen[4] = position["qty"]
        seen[5] = position["entry_price"]
        seen[6] = position["entry_row"]
        seen[7] = position["target"]
        seen[8] = table[1, 0] - table[0, 0]
        return np.array([0.5]) if account.row < 2 else np.array([0.0])


@nojit
def test_decide_sees_the_account_as_it_is_marked() -> None:
    engine = Engine(Witness(), ONE, RunSettings(cash=1000.0))
    opens, closes = np.array([[10.0], [10], [8], [8]]), np.array([[10.0], [16], [8], [8]])
    time = MONDAY + DAY * np.arange(4)
    block = engine.push(time, {"open": opens, "close": closes})
    nan = np.nan
    # cash, equity, drawdown, time, qty, entry price, entry row, target, close
    expected = [
        [1000, 1000, 0, time[0], 0, nan, -1, nan, 10],
        [500, 1300, 0, time[1], 50, 10, 1, 0.5, 16],
        [500, 900, 1 - 900 / 1300, time[2], 50, 10, 1, 0.5, 8],
        [900, 900, 1 - 900 / 1300, time[3], 0, nan, -1, 0, 8],
    ]
    np.testing.assert_array_equal(memory_of(engine, (4, 9)), expected)
    assert block.fills[["row", "qty", "price"]].tolist() == [(1, 50, 10), (3, -50, 8)]
    assert block.targets[:, 0].tolist() == [0.5, 0.5, 0, 0]


@nojit
def test_memory_is_carried_and_restored() -> None:
    engine = engine_of(Patient(rows=3))
    assert not memory_of(engine, (2, 3)).any()
    pushed(engine, TIME, COLUMNS, 0, 50)
    snapshot = engine.snapshot()
    assert memory_of(engine, (2, 3))[1].tolist() == [50, 50, 50]
    pushed(engine, TIME, COLUMNS, 50, 70)
    assert memory_of(engine, (2, 3))[1].tolist() == [70, 70, 70]
    engine.restore(snapshot)
    assert memory_of(engine, (2, 3))[1].tolist() == [50, 50, 50]


class Forger(Strategy):
    """Tries to write itself a position."""

    def signals(self) -> dict[str, Expr]:
        return {"close": close}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        for j in range(table.shape[1]):
            account.positions[j]["qty"] = 1e6
        return np.zeros(table.shape[1])


@nojit
def test_decide_cannot_change_the_account() -> None:
    block = engine_of(Forger()).push(TIME, COLUMNS)
    assert not block.qty.any()
    assert (block.ledger["equity"] == SETTINGS.cash).all()


def deciding(decide: Callable[..., Any], memory: int = 0) -> Strategy:
    """Return a strategy with this `decide`."""

    class Deciding(Strategy):
        memory_rows = memory

        def signals(self) -> dict[str, Expr]:
            return {"close": close}

    Deciding.decide = staticmethod(decide)  # type: ignore[assignment]
    return Deciding()


def too_few(table, account, memory):  # type: ignore[no-untyped-def]
    return np.zeros(2)


def one_for_all(table, account, memory):  # type: ignore[no-untyped-def]
    return np.zeros(1)


def nothing(table, account, memory):  # type: ignore[no-untyped-def]
    return None


def a_number(table, account, memory):  # type: ignore[no-untyped-def]
    return 0.5


def no_such_field(table, account, memory):  # type: ignore[no-untyped-def]
    return account.wealth * table[0]


def another_argument(table, prices):  # type: ignore[no-untyped-def]
    return table[0]


def memory_it_has_not(table, account, memory):  # type: ignore[no-untyped-def]
    memory[0, 0] = 1.0
    return np.zeros(table.shape[1])


def a_signal_it_has_not(table, account, memory):  # type: ignore[no-untyped-def]
    return table[1] * 0.0


def gives_up(table, account, memory):  # type: ignore[no-untyped-def]
    if account.row == 7:
        raise ValueError("no idea")
    return np.full(table.shape[1], 0.2)


@nojit
@pytest.mark.parametrize(
    "decide",
    [
        too_few, one_for_all, nothing, a_number, no_such_field, another_argument,
        memory_it_has_not, a_signal_it_has_not, gives_up,
    ],
)  # fmt: skip
def test_a_bad_decide_is_a_strategy_error(decide: Callable[..., Any]) -> None:
    with pytest.raises(
        StrategyError, match=r"Deciding(\(\))?\.decide (failed in row|cannot be compiled)"
    ):
        engine_of(deciding(decide)).push(TIME, COLUMNS)


@pytest.mark.skipif(DISABLED, reason="only the compiler sees it before the first row")
def test_what_cannot_be_compiled_is_refused_at_once() -> None:
    line = no_such_field.__code__.co_firstlineno + 1
    with pytest.raises(StrategyError, match=f"in line {line}: Unknown attribute 'wealth'"):
        engine_of(deciding(no_such_field))


@nojit
def test_an_engine_that_failed_takes_rows_only_after_a_restore() -> None:
    engine = engine_of(deciding(gives_up))
    pushed(engine, TIME, COLUMNS, 0, 5)
    snapshot = engine.snapshot()
    with pytest.raises(StrategyError, match="row 7: ValueError: no idea"):
        pushed(engine, TIME, COLUMNS, 5, 20)
    with pytest.raises(StateError, match="the push of row 7 did not end"):
        pushed(engine, TIME, COLUMNS, 20, 30)
    engine.restore(snapshot)
    again, other = pushed(engine, TIME, COLUMNS, 5, 7), engine_of(deciding(gives_up))
    assert equal(joined([pushed(other, TIME, COLUMNS, 0, 5), again]), _first_rows(7))


def _first_rows(n: int) -> Block:
    return pushed(engine_of(deciding(gives_up)), TIME, COLUMNS, 0, n)


@nojit
def test_a_python_operator_that_fails_stops_the_engine_too() -> None:
    def fragile(x: FloatArray) -> FloatArray:
        if x[0, 0] == 12.0:
            raise ArithmeticError("not twelve")
        return x[0] * 0.0

    class Fragile(Strategy):
        def weights(self) -> Expr:
            return python_op(fragile, [close], 1, name="fragile_in_the_engine")

    engine = Engine(Fragile(), ONE, RunSettings())
    table = np.array([[10.0], [11.0], [12.0], [13.0], [14.0]])
    with pytest.raises(ExprError, match="not twelve"):
        engine.push(np.arange(1, 6), {"open": table, "close": table})
    with pytest.raises(StateError, match="did not end"):
        engine.push(np.arange(6, 11), {"open": table, "close": table})


@nojit
def test_the_identity_is_all_that_decides() -> None:
    engine = engine_of(Trend(n=4))
    assert engine.id == engine_of(Trend(n=4), capacity=3).id
    costs = msgspec.structs.replace(SETTINGS, costs=Costs(fee_bps=8))
    assert engine.id != Engine(Trend(n=4), INSTRUMENTS, costs).id
    assert set(engine.columns) == {"open", "close"}
    assert engine.warmup == 3


@pytest.mark.nojit
@pytest.mark.parametrize(("instruments", "capacity"), [([], None), ([Instrument(symbol="A")], 0)])
def test_an_engine_has_assets_and_blocks_have_rows(instruments, capacity):
    with pytest.raises(ParameterError, match="at least one asset"):
        Engine(Given(), instruments, RunSettings(), capacity=capacity)


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("field", "value"),
    [("lot", -1.0), ("tick", np.inf), ("taker_bps", 1e4), ("maker_bps", -1e4), ("multiplier", 0.0)],
)
def test_an_instrument_with_an_impossible_number_is_refused(field, value):
    with pytest.raises(ParameterError, match=f"Instrument 'A': {field}="):
        Instrument(symbol="A", **{field: value})


def test_rows_before_the_first_fill_windows_and_trade_nothing() -> None:
    class Above(Strategy):
        def weights(self):
            return where(close > close.ts_mean(5), 1.0, 0.0)

    closes = np.linspace(10.0, 20.0, 12)[:, np.newaxis]
    time = np.arange(1, 13)
    engine = Engine(Above(), [Instrument(symbol="A")], RunSettings())
    assert engine.warmup == 4
    engine.warm({"close": closes[:3]})
    assert engine.warmup == 1
    engine.warm({"close": closes[3:6]})
    assert engine.warmup == 0
    block = engine.push(time[6:], {"open": closes[6:], "close": closes[6:]})
    assert block.fills["row"].tolist() == [1]  # decided on the first row that was pushed
    assert (block.ledger["equity"][:1] == 100_000.0).all()


def test_an_engine_that_reads_no_column_has_nothing_to_see_before() -> None:
    engine = Engine(ExprStrategy(text="0.5"), [Instrument(symbol="A")], RunSettings())
    engine.warm({})
    assert engine.warmup == 0
