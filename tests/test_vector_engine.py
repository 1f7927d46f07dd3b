"""Many accounts in one pass: each equals, bit for bit, an engine of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_strategies import Trend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import DAY, HOUR, MONDAY
from sweeping import (
    Mix,
    Told,
    differences,
    push,
    quiet_mix,
    random_mix,
    row_by_row,
    told,
)

from alphalab.codes import Reason
from alphalab.config import Costs, Execution, Exits, Limits, Rebalance, RunSettings
from alphalab.core.columns import COLUMN, Column, columns_read
from alphalab.core.engine import Block, Engine
from alphalab.core.snapshot import decode
from alphalab.core.strategy import Strategy
from alphalab.core.vector_engine import VectorEngine
from alphalab.errors import (
    AlphalabError,
    DataError,
    ParameterError,
    StateError,
    StrategyError,
    UnknownNameError,
)
from alphalab.expr.functions import close, constant, group
from alphalab.expr.nodes import Expr
from alphalab.research.results.tally_metrics import digests
from alphalab.types import Instrument

nojit = pytest.mark.nojit

ONE = [Instrument(symbol="A")]
PLAIN = RunSettings()


def blocks_of(mix: Mix) -> list[Block]:
    return [mix.run(i) for i in range(len(mix.accounts))]


def some_cuts(rng: random.Random, n_rows: int) -> list[int]:
    return [rng.randint(0, n_rows) for _ in range(rng.choice([0, 1, 5]))]


# --- one column is the single run ----------------------------------------------------------------


def check_mixes(draw: Any, seeds: range) -> None:
    for seed in seeds:
        rng = random.Random(seed)
        mix = draw(rng)
        capacity = rng.choice([1, 3, 7, 4096, None])
        tallies = mix.tallies(capacity=capacity, cuts=some_cuts(rng, mix.time.size))
        assert differences(tallies, blocks_of(mix)) == [], f"seed {seed}, capacity {capacity}"


@nojit
def test_two_accounts_by_hand() -> None:
    prices = np.array([[10.0], [10.0], [20.0], [20.0], [30.0]])
    columns = {"open": prices, "close": prices}
    columns["all"] = np.array([[1.0], [1.0], [1.0], [0.0], [0.0]])
    columns["half"] = np.array([[0.5], [0.5], [0.0], [0.0], [0.5]])
    half = RunSettings(cash=100.0, costs=Costs(fee_bps=100))
    accounts = [(Told(source="all"), RunSettings(cash=100.0)), (Told(source="half"), half)]
    tallies = Mix(MONDAY + DAY * np.arange(5), columns, ONE, accounts).tallies()
    assert tallies["equity"][0] == 300.0  # bought 10 at 10, sold them at 30
    units = 50.0 / (10.0 * 1.01)
    spent, came = units * 10.0 * 1.01, units * 20.0 * 0.99
    assert tallies["equity"][1] == pytest.approx(100.0 - spent + came, rel=1e-15)
    assert tallies["fees"][1] == pytest.approx(units * 0.1 + units * 0.2, rel=1e-15)
    assert tallies["turnover"].tolist() == pytest.approx([400.0, units * 30.0], rel=1e-15)
    assert tallies["n_fills"].tolist() == [2, 2]
    assert tallies["n_trips"].tolist() == tallies["n_won"].tolist() == [1, 1]
    assert tallies["trip_rows"].tolist() == [3, 2]
    assert tallies["invested"].tolist() == [3, 2]
    assert tallies["rows"].tolist() == [5, 5]


@nojit
def test_few_random_mixtures() -> None:
    check_mixes(lambda rng: random_mix(rng, 3, max_rows=15), range(3))


def test_random_mixtures() -> None:
    check_mixes(random_mix, range(120))


@pytest.mark.slow
def test_many_random_mixtures() -> None:
    check_mixes(random_mix, range(120, 1_500))


def test_quiet_mixtures() -> None:
    check_mixes(quiet_mix, range(400))


@pytest.mark.slow
def test_many_quiet_mixtures() -> None:
    check_mixes(quiet_mix, range(400, 10_000))


@pytest.mark.parametrize("draw", [random_mix, quiet_mix])
def test_any_partition_and_any_capacity(draw: Any) -> None:
    for seed in range(1_000, 1_006):
        mix = draw(random.Random(seed))
        n_rows = mix.time.size
        whole = mix.tallies()
        assert differences(whole, blocks_of(mix)) == []
        for size in (1, 7, 500, n_rows):
            cuts = list(range(size, n_rows, size))
            for capacity in (1, 7, 4096):
                if size * capacity > 1 or n_rows < 100:
                    assert mix.tallies(capacity=capacity, cuts=cuts).tobytes() == whole.tobytes()


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 4096]))
def test_searched_mixtures(rng: random.Random, capacity: int) -> None:
    mix = random_mix(rng, 3, max_rows=12, max_assets=3)
    assert differences(mix.tallies(capacity=capacity), blocks_of(mix)) == []


@pytest.mark.parametrize("draw", [random_mix, quiet_mix])
def test_neighbours_change_nothing(draw: Any) -> None:
    """A column alone, among others in any order, and twice."""
    for seed in range(2_000, 2_012):
        rng = random.Random(seed)
        mix = draw(rng, 5)
        together = mix.tallies()
        places = list(range(5))
        rng.shuffle(places)
        assert mix.tallies(places).tobytes() == together[places].tobytes()
        assert mix.tallies([2, 4, 2]).tobytes() == together[[2, 4, 2]].tobytes()
        for place in places:
            assert mix.tallies([place]).tobytes() == together[place].tobytes()


def test_more_columns_than_one_call_takes() -> None:
    """In batches, in blocks as large as they come."""
    mixes = [quiet_mix(random.Random(seed)) for seed in range(40)]
    market = max(mixes, key=lambda mix: mix.time.size)
    accounts = [
        (strategy, settings)
        for settings in (PLAIN, RunSettings(fill="same_close"), RunSettings(cash=5.0))
        for strategy in [*(Told(source=f"w{i}") for i in range(3)), *map(_trend, range(2, 22))]
    ]
    mix = market._replace(accounts=accounts)
    assert differences(mix.tallies(capacity=4096), blocks_of(mix)) == []


def _trend(n: int) -> Strategy:
    return Trend(n=n)


def test_tallies_may_be_read_at_any_time() -> None:
    for seed in range(3_000, 3_010):
        rng = random.Random(seed)
        mix = quiet_mix(rng)
        cuts = sorted({0, mix.time.size, *some_cuts(rng, mix.time.size)})
        columns = mix.made(capacity=rng.choice([5, None]))
        engines = [mix.engine(i) for i in range(3)]
        parts: list[list[Block]] = [[], [], []]
        for first, last in pairwise(cuts):
            push(columns, mix.time, mix.columns, first, last)
            rows = slice(first, last)
            table = {name: values[rows] for name, values in mix.columns.items()}
            for engine, blocks in zip(engines, parts, strict=True):
                blocks.append(engine.push(mix.time[rows], table))
            whole = [Block(*map(np.concatenate, zip(*blocks, strict=True))) for blocks in parts]
            assert differences(columns.tallies(), whole) == []
            assert columns.tallies().tobytes() == columns.tallies().tobytes()


def test_the_comparison_sees_the_last_bit() -> None:
    mix = quiet_mix(random.Random(8))
    tallies, blocks = mix.tallies(), blocks_of(mix)
    assert differences(tallies, blocks) == []
    for name in set(told(blocks[0])) - {"digest"}:
        changed = tallies.copy()
        if changed.dtype[name] == np.float64:
            changed[name][1] = np.nextafter(changed[name][1], np.inf)
        else:
            changed[name][1] += 1
        assert [d.split(":")[0] for d in differences(changed, blocks)] == [f"1 {name}"]
    changed = tallies.copy()
    changed["words"][2, 15] ^= np.uint64(1)
    assert [d.split(":")[0] for d in differences(changed, blocks)] == ["2 digest"]


@pytest.mark.parametrize("table", ["equity", "qty", "price"])
def test_the_digest_sees_the_last_bit(table: str) -> None:
    mix = quiet_mix(random.Random(8))
    block = next(block for block in blocks_of(mix) if block.fills.size)
    ledger, qty, fills = block.ledger.copy(), block.qty.copy(), block.fills.copy()
    values = {"equity": ledger["equity"], "qty": qty[:, 0], "price": fills["price"]}[table]
    values[-1] = np.nextafter(values[-1], np.inf)
    changed = block._replace(ledger=ledger, qty=qty, fills=fills)
    assert told(changed)["digest"] != told(block)["digest"]


# --- rows in which nothing happens ---------------------------------------------------------------


def state_of(engine: Engine) -> list[Any]:
    """What an engine remembers, without its name."""
    snapshot = decode(engine.snapshot())
    parts = {name: getattr(snapshot, name) for name in snapshot.__struct_fields__}
    return [part for name, part in parts.items() if name != "engine_id"]


def check_quiet(mix: Mix, place: int, cut: int, capacity: int | None) -> None:
    """Rows passed together are what the whole step makes of each."""
    slow = mix._replace(accounts=[(s, row_by_row(x)) for s, x in mix.accounts])
    quick, whole = mix.engine(place, capacity), slow.engine(place)
    for rows in (slice(0, cut), slice(cut, None)):
        table = {name: values[rows] for name, values in mix.columns.items()}
        block, expected = quick.push(mix.time[rows], table), whole.push(mix.time[rows], table)
        for name in block._fields:
            assert getattr(block, name).tobytes() == getattr(expected, name).tobytes(), name
        assert state_of(quick) == state_of(whole)


def test_quiet_rows_are_what_the_step_makes_of_them() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        mix = quiet_mix(rng, 1)
        check_quiet(mix, 0, rng.randint(0, mix.time.size), rng.choice([1, 100, 513, None]))


def test_quiet_columns_are_what_the_step_makes_of_them() -> None:
    for seed in range(100):
        mix = quiet_mix(random.Random(seed))
        slow = mix._replace(accounts=[(s, row_by_row(x)) for s, x in mix.accounts])
        quick, whole = mix.tallies(), slow.tallies()
        assert quick.tobytes() == whole.tobytes(), f"seed {seed}"


def test_random_markets_are_what_the_step_makes_of_them() -> None:
    for seed in range(40):
        mix = random_mix(random.Random(seed), 1)
        slow = mix._replace(accounts=[(s, row_by_row(x)) for s, x in mix.accounts])
        binds = (slow.run(0).refusals["reason"] == Reason.NET_LIMIT).any()  # however large it is
        if mix.accounts[0][1].limits.net is None and not binds:
            check_quiet(mix, 0, mix.time.size // 2, None)


def test_the_quiet_markets_reach_everything() -> None:
    seen: Counter[str] = Counter()
    for seed in range(300):
        mix = quiet_mix(random.Random(seed), 1)
        block, n_rows = mix.run(0), mix.time.size
        if mix.accounts[0][1].limits.daily_loss or mix.accounts[0][1].limits.drawdown:
            continue
        traded = np.zeros(n_rows, np.bool_)
        for log in (block.fills, block.refusals, block.events):
            traded[log["row"]] = True
        held = (block.qty != 0.0) & ~traded[:, None]
        gaps = np.isnan(mix.columns["close"])
        days = np.diff((mix.time - 1) // DAY, prepend=0) > 0
        reasons = block.refusals["reason"]
        seen["gap"] += bool((held & gaps).any())
        seen["day"] += bool((held.any(axis=1) & days).any())
        seen["ruin"] += bool((reasons == Reason.BANKRUPT).any())
        seen["unknown"] += bool((held & np.isnan(block.targets)).any())
        seen["long"] += bool((held & (block.qty > 0.0)).any())
        seen["short"] += bool((held & (block.qty < 0.0)).any())
        seen["listed late"] += bool((gaps[0] & ~gaps.all(axis=0)).any() and held.any())
        seen["delisted"] += bool((held & gaps)[-1].any())
        seen["cut"] += bool((reasons == Reason.GROSS_LIMIT).any())
        over = held[500:520].any(axis=0).all() and not traded[500:520].any()
        seen["two chunks"] += bool(n_rows > 520 and over)
    assert len(seen) == 10
    assert min(seen.values()) >= 5, seen


def steady(n_rows: int, n_assets: int = 1, step: int = HOUR) -> tuple[Any, dict[str, Any]]:
    prices = np.full((n_rows, n_assets), 10.0)
    return MONDAY + step * np.arange(n_rows), {"open": prices.copy(), "close": prices.copy()}


@pytest.mark.parametrize("kind", ["spot", "linear", "inverse"])
@pytest.mark.parametrize("weight", [1.0, -1.0])
@pytest.mark.parametrize("price", [1e-9, 4.9, 20.0, 20.1, 1e5])
def test_an_account_that_may_end_inside_a_stretch(kind: Any, weight: float, price: float) -> None:
    """The price moves away in the middle of rows without a trade, and comes back."""
    time, columns = steady(900)
    for name in ("open", "close"):
        columns[name][450:800] = price
    columns["close"][600:610] = np.nan
    columns["w"] = np.full((900, 1), weight)
    mix = Mix(time, columns, [Instrument(symbol="A", kind=kind)], [(Told(), PLAIN)])
    check_quiet(mix, 0, 0, None)
    block = mix.run(0)
    assert differences(mix.tallies(), [block]) == []
    growth = 1.0 - 10.0 / price if kind == "inverse" else price / 10.0 - 1.0
    ruined = block.refusals["row"][block.refusals["reason"] == Reason.BANKRUPT]
    assert ruined.tolist() == ([450] if 1.0 + weight * growth <= 0.0 else [])


@pytest.mark.parametrize("loss", [None, 0.01, 0.5])
def test_daily_bars_are_days_of_their_own(loss: float | None) -> None:
    time, columns = steady(1_100, 2, DAY)
    rng = np.random.default_rng(3)
    columns["close"] *= np.exp(0.02 * rng.standard_normal((1_100, 2))).cumprod(axis=0)
    columns["open"][1:] = columns["close"][:-1]
    columns["w"] = np.full((1_100, 2), 0.4)
    columns["w"][700:] = 0.0
    settings = RunSettings(limits=Limits(daily_loss=loss))
    instruments = [Instrument(symbol="A"), Instrument(symbol="B")]
    mix = Mix(time, columns, instruments, [(Told(), settings)])
    check_quiet(mix, 0, 333, None)
    assert differences(mix.tallies(), [mix.run(0)]) == []


def test_quiet_rows_are_passed_together() -> None:
    """With the compiler off, the rows are counted: of a steady account the step sees few."""
    script = """
import numpy as np
from alphalab.config import RunSettings
from alphalab.core.columns import Column
from alphalab.core.engine import Engine
from alphalab.expr.functions import close, where
from alphalab.core.strategy import Strategy
from alphalab.core.vector_engine import VectorEngine
from alphalab.kernels.market import drivers
from alphalab.types import Instrument

class Hold(Strategy):
    def weights(self):
        return where(close > 0, 1.0, 0.0)

seen = []
whole = drivers.before_decision
drivers.before_decision = lambda *x: (seen.append(x[3]), whole(*x))[1]
assets, prices = [Instrument(symbol="A")], np.linspace(10.0, 20.0, 700)[:, None].copy()
table = time, columns = np.arange(1, 701), {"open": prices, "close": prices}
Engine(Hold(), assets, RunSettings()).push(*table)
print(seen)
seen.clear()
VectorEngine([Column.of(Hold(), RunSettings(), assets)], assets).push(*table)
print(seen)
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["[0, 1]", "[0, 1]"], done.stderr


# --- what is refused -----------------------------------------------------------------------------


class Fails(Strategy):
    """Gives up in a row."""

    row: float = 13.0
    memory_rows = 1

    def signals(self) -> dict[str, Expr | float]:
        return {"close": close, "row": self.row}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        if account.row == table[1, 0]:
            raise ValueError("enough")
        return np.zeros(table.shape[1])


class Fixed(Strategy):
    part: float

    def weights(self) -> Expr:
        return constant(self.part)


@pytest.mark.parametrize("capacity", [5, 4096])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_decide_that_fails_is_named_with_its_parameters_and_row(
    place: int, capacity: int
) -> None:
    time, columns = steady(50)
    accounts: list[Strategy] = [Fails(row=100.0 + i) for i in range(4)]
    accounts[place] = Fails(row=13.0)
    made = [Column.of(x, PLAIN, ONE) for x in (Fixed(part=0.5), *accounts, Trend(n=3))]
    with pytest.raises(
        StrategyError, match=r"^Fails\(row=13\.0\)\.decide failed in row 13: ValueError: enough"
    ):
        VectorEngine(made, ONE, capacity=capacity).push(time, columns)


def test_after_a_push_that_failed_no_rows_are_taken() -> None:
    time, columns = steady(50)
    engine = VectorEngine([Column.of(Fails(row=13.0), PLAIN, ONE)], ONE)
    with pytest.raises(StrategyError):
        engine.push(time, columns)
    with pytest.raises(StateError, match="the push of row 13 did not end"):
        engine.push(time + time[-1], columns)


def test_weights_above_the_gross_limit_are_refused_for_their_column() -> None:
    assert Column.of(Fixed(part=1.0), PLAIN, ONE).settings is PLAIN
    with pytest.raises(ParameterError, match="gross limit is 1"):
        Column.of(Fixed(part=1.5), PLAIN, ONE)
    Column.of(Fixed(part=1.5), RunSettings(limits=Limits(gross=2.0)), ONE)


def test_there_is_a_column() -> None:
    with pytest.raises(ParameterError, match="at least one column"):
        VectorEngine([], ONE)


DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"currency": "USD"}, {"currency": "EUR", "conversions": {"USD": "x"}}),
    ({"conversions": {}}, {"conversions": {"EUR": "x"}}),
    ({"actions": "none"}, {"actions": "cash"}),
    ({"actions": "cash"}, {"actions": "reinvest"}),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_accounts_that_see_other_money_are_refused(one: Any, other: Any) -> None:
    made = [Column.of(Fixed(part=1.0), RunSettings(**x), ONE) for x in (one, other)]
    with pytest.raises(ParameterError, match="is the same in all columns"):
        VectorEngine(made, ONE)


@pytest.mark.parametrize(("instruments", "capacity"), [([], None), (ONE, 0), ([*ONE, *ONE], None)])
def test_what_an_engine_refuses(instruments: Any, capacity: Any) -> None:
    made = [Column.of(Fixed(part=0.1), PLAIN, ONE)]
    with pytest.raises(ParameterError):
        VectorEngine(made, instruments, capacity=capacity)


class Grouped(Strategy):
    def weights(self) -> Expr:
        return group("planet") * 0.0


def test_an_unknown_group_is_named() -> None:
    with pytest.raises(UnknownNameError, match="planet"):
        VectorEngine([Column.of(Grouped(), PLAIN, ONE)], ONE)


def of_all_kinds() -> VectorEngine:
    """Columns that read different parts of a bar."""
    accounts = [
        (Told(), PLAIN),
        (Trend(n=2), RunSettings(exits=Exits(stop_loss=0.1))),
        (Told(), RunSettings(execution=Execution(participation=0.5))),
    ]
    return VectorEngine([Column.of(*account, ONE) for account in accounts], ONE)


def table_of_all(n_rows: int = 10) -> tuple[Any, dict[str, Any]]:
    time, columns = steady(n_rows)
    for name in ("high", "low", "volume", "w"):
        columns[name] = columns["close"] * (0.1 if name == "w" else 1.0)
    return time, columns


def test_the_columns_read_are_those_of_all() -> None:
    columns = of_all_kinds()
    assert set(columns.columns) == {"open", "close", "high", "low", "volume", "w"}
    made = [Column.of(Told(), PLAIN, ONE), Column.of(Trend(n=2), PLAIN, ONE)]
    assert set(columns_read(made, ONE)) == {"open", "close", "w"}
    assert set(VectorEngine(made, ONE).columns) == {"open", "close", "w"}


@pytest.mark.parametrize("missing", ["open", "close", "high", "low", "volume", "w"])
def test_a_missing_column_is_named(missing: str) -> None:
    time, table = table_of_all()
    del table[missing]
    with pytest.raises(UnknownNameError, match=f"column '{missing}'"):
        of_all_kinds().push(time, table)


BROKEN = [
    *(("close", x) for x in (0.0, -1.0, np.inf, -np.inf)),
    *(("open", x) for x in (0.0, np.inf)),
    *(("high", x) for x in (-1.0, np.inf)),
    *(("volume", x) for x in (-1.0, np.nan, np.inf)),
]


@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_broken_rows_are_refused_before_any_is_pushed(name: str, value: float) -> None:
    time, table = table_of_all()
    broken = {key: values.copy() for key, values in table.items()}
    broken[name][7] = value
    columns = of_all_kinds()
    with pytest.raises(DataError, match=f"{name} of 'A' in row 7"):
        columns.push(time, broken)
    columns.push(time, table)
    expected = of_all_kinds()
    expected.push(time, table)
    assert columns.tallies().tobytes() == expected.tallies().tobytes()


@pytest.mark.parametrize("times", [[3, 2], [1, 1]])
def test_times_that_do_not_go_forward_are_refused(times: list[int]) -> None:
    _, table = table_of_all(2)
    with pytest.raises(DataError, match="increasing time"):
        of_all_kinds().push(np.array(times), table)
    columns = of_all_kinds()
    columns.push(np.array([5, 6]), table)
    with pytest.raises(DataError, match="increasing time"):
        columns.push(np.array([6, 7]), table)


def test_no_rows_push_nothing() -> None:
    time, table = table_of_all(0)
    columns = of_all_kinds()
    columns.push(time, table)
    tallies = columns.tallies()
    assert tallies.dtype == COLUMN
    assert tallies["rows"].tolist() == [0, 0, 0]
    assert tallies["equity"].tolist() == [100_000.0] * 3


def test_an_equity_beyond_a_float_is_refused_as_by_an_engine() -> None:
    """Bought at the least price and sold at the largest, again and again."""
    time, table = steady(40)
    high = np.arange(40)[:, np.newaxis] % 2 == 1
    for name in ("open", "close"):
        table[name] = np.where(high, 1e15, 1e-15)
    table["w"] = np.where(high, 1.0, 0.0)
    mix = Mix(time, table, ONE, [(Told(), RunSettings(cash=1e6))])
    with pytest.raises(DataError, match="equity is"):
        mix.run(0)
    with pytest.raises(DataError, match="equity is"):
        mix.tallies()


# --- identity ------------------------------------------------------------------------------------


def test_the_key_is_what_decides_the_results() -> None:
    accounts: list[tuple[Strategy, RunSettings]] = [
        (Trend(n=3), PLAIN),
        (Trend(n=4), PLAIN),
        (Trend(n=3), RunSettings(cash=1.0)),
        (Trend(n=3), RunSettings(rebalance=Rebalance.every_row())),
        (Told(), PLAIN),
        (Told(source="v"), PLAIN),
        (Fails(row=1.0), PLAIN),
        (Fails(row=2.0), PLAIN),
    ]
    keys = [Column.of(*account, ONE).key for account in accounts]
    assert [Column.of(*account, ONE).key for account in accounts] == keys
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {16}


# --- threads -------------------------------------------------------------------------------------


def test_two_threads_at_once_give_the_same() -> None:
    rng = np.random.default_rng(1)
    n_rows = 30_000
    close = 50.0 * np.exp(0.002 * rng.standard_normal((n_rows, 2))).cumprod(axis=0)
    columns = {"open": close, "close": close, "high": close * 1.01, "low": close * 0.99}
    columns["w"] = np.repeat(rng.choice([0.0, 0.3, np.nan], (n_rows // 50, 2)), 50, axis=0)
    time = MONDAY + HOUR * np.arange(n_rows)
    stops = RunSettings(exits=Exits(stop_loss=0.02, take_profit=0.03))
    fails = Fails(row=1e9)
    accounts = [(Told(), PLAIN), (Trend(n=9), stops), (fails, PLAIN), (Trend(n=5), PLAIN)]
    instruments = [Instrument(symbol="A"), Instrument(symbol="B")]
    mix = Mix(time, columns, instruments, accounts)
    expected = mix.tallies().tobytes()
    start, got = threading.Barrier(4), {}

    def run(number: int) -> None:
        start.wait()
        got[number] = mix.tallies().tobytes()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == dict.fromkeys(range(4), expected)
    assert digests(mix.tallies())[0] != digests(mix.tallies())[1]


def test_errors_are_of_one_tree() -> None:
    assert issubclass(StrategyError, AlphalabError)
