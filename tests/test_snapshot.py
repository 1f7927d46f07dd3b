"""Damaged or forged snapshots: refused, and never a crash."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphalab.config import Costs, Exits, FeeTier, RunSettings
from alphalab.core.engine import Engine
from alphalab.core.snapshot import MAGIC, Snapshot, decode, encode
from alphalab.core.strategy import Strategy
from alphalab.errors import StateError
from alphalab.expr.custom import python_op
from alphalab.expr.functions import close
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.expr.registry import REGISTRY, Operator
from alphalab.kernels.market import orders
from alphalab.kernels.market.order_table import FIRST_EXPLICIT
from alphalab.kernels.operators.window import ROWS, SLOT
from alphalab.types import ACCOUNT, NEVER, ORDER, POSITION, FloatArray, Instrument

N_ROWS, CUT, DAY = 80, 50, 86_400_000_000_000
ASSETS = (Instrument(symbol="A"), Instrument(symbol="B"))
TIERS = (
    FeeTier(value=0.0, maker_bps=1.0, taker_bps=5.0),
    FeeTier(value=1e5, maker_bps=0.0, taker_bps=4.0),
)
SETTINGS = RunSettings(costs=Costs(tiers=TIERS), exits=Exits(stop_loss=0.05, trailing=0.1))


def last_close(x: FloatArray) -> FloatArray:
    return x[-1]


class Sender(Strategy):
    """Has every kind of state: windows, Python, memory, exits, brackets that wait, fee tiers."""

    max_orders = 4
    memory_rows = 1

    def signals(self) -> dict[str, Expr]:
        return {
            "mean": close.ts_mean(5),
            "low": close.ts_min(7),
            "seen": python_op(last_close, [close], lookback=3),
        }

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        for j in range(table.shape[1]):
            memory[0, j] += 1.0
            price = account.positions[j]["mark"]
            if account.row % 5 == j:
                orders.bracket(
                    account, j, orders.BUY, 1.0, 0.99 * price, 1.03 * price, 0.96 * price
                )
        return np.full(table.shape[1], np.nan)


def market() -> tuple[Any, dict[str, FloatArray]]:
    rng = np.random.default_rng(11)
    closes = 100.0 * np.exp(rng.normal(0.0, 0.01, (N_ROWS, 2)).cumsum(axis=0))
    opens = closes * np.exp(rng.normal(0.0, 0.002, (N_ROWS, 2)))
    low, high = np.minimum(opens, closes) * 0.995, np.maximum(opens, closes) * 1.005
    time = 1_700_000_000_000_000_000 + DAY // 4 * np.arange(N_ROWS)
    return time, {"open": opens, "high": high, "low": low, "close": closes}


TIME, COLUMNS = market()


def engine_at(row: int) -> Engine:
    engine = Engine(Sender(), ASSETS, SETTINGS)
    push(engine, 0, row)
    return engine


def push(engine: Engine, first: int, last: int) -> Any:
    rows = slice(first, last)
    return engine.push(TIME[rows], {name: values[rows] for name, values in COLUMNS.items()})


WHOLE = engine_at(CUT).snapshot()
PARTS = tuple(name for name in Snapshot.__struct_fields__ if name not in ("engine_id", "plan"))
LAYOUTS = {"account": ACCOUNT, "positions": POSITION, "orders": ORDER}


def with_field(part: str, name: str, value: float, place: int = 0) -> bytes:
    """Return the snapshot with one number changed, and a hash that fits."""
    snapshot = decode(WHOLE)
    records: Any = np.frombuffer(getattr(snapshot, part), LAYOUTS[part]).copy()
    records[name][place] = value
    return encode(msgspec.structs.replace(snapshot, **{part: records.tobytes()}))


def refuse(data: bytes, match: str) -> None:
    """The engine refuses it, and is as it was: it goes on as if nothing had been asked."""
    engine = engine_at(CUT)
    with pytest.raises(StateError, match=match):
        engine.restore(data)
    assert engine.snapshot() == WHOLE


def live_order() -> int:
    table: Any = np.frombuffer(decode(WHOLE).orders, ORDER)
    return int(np.flatnonzero(table["state"])[0])


def test_the_whole_one_goes_on() -> None:
    table: Any = np.frombuffer(decode(WHOLE).orders, ORDER)
    assert (table["state"] > 0).sum() > 2
    engine = Engine(Sender(), ASSETS, SETTINGS)
    engine.restore(WHOLE)
    block, expected = push(engine, CUT, N_ROWS), push(engine_at(CUT), CUT, N_ROWS)
    assert expected.fills.size > 1
    assert all(a.tobytes() == b.tobytes() for a, b in zip(block, expected, strict=True))


# --- damage --------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 8 * len(WHOLE) - 1))
def test_a_flipped_bit_is_found(bit: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StateError):
        Engine(Sender(), ASSETS, SETTINGS).restore(bytes(damaged))


def test_what_is_wrong_with_it_is_told() -> None:
    refuse(WHOLE[:-1], "a damaged snapshot: its content does not match its hash")
    refuse(WHOLE + b"\0", "a damaged snapshot")
    refuse(WHOLE[:20], "not a snapshot: .*20 bytes")
    refuse(b"PAR1" + WHOLE[4:], "not a snapshot")
    refuse(MAGIC + b"\x63\0\0\0" + WHOLE[12:], "version 99, this is version")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_cut_is_refused(part: str) -> None:
    snapshot = decode(WHOLE)
    cut = {part: getattr(snapshot, part)[:-1]}
    refuse(encode(msgspec.structs.replace(snapshot, **cut)), "are cut")


def test_a_plan_that_is_cut_is_refused() -> None:
    snapshot = decode(WHOLE)
    for plan in (snapshot.plan[:-1], [], [*snapshot.plan[:-1], b""], [*snapshot.plan, b""]):
        refuse(encode(msgspec.structs.replace(snapshot, plan=plan)), "does not fit this plan")


# --- made up -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tier", 2**40),
        ("tier", -1),
        ("day", 10**6),
        ("day", NEVER),
        ("time", 2**62),
        ("flat_day", 10**6),
        ("row", -5),
        ("row", 2**60),
        ("n_orders", -1),
        ("waiting", 0),
        ("waiting", 10**9),
        ("lock", 99),
        ("cash", np.nan),
        ("equity", np.inf),
    ],
)
def test_an_account_that_cannot_be_is_refused(name: str, value: float) -> None:
    field = "day" if name == "time" else name
    refuse(with_field("account", name, value), f"no engine can have taken: account: {field}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("qty", np.inf),
        ("mark", -1.0),
        ("rate", 0.0),
        ("room", np.nan),
        ("refusal", 77),
        ("unmet", 2),
        ("entry_row", CUT),
        ("traded_row", -2),
    ],
)
def test_a_position_that_cannot_be_is_refused(name: str, value: float) -> None:
    refuse(with_field("positions", name, value, 1), f"position of 'B': {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", 9),
        ("type", 0),
        ("type", 2**50),
        ("sizing", 6),
        ("side", 3),
        ("tif", -1),
        ("id", 0),
        ("origin", 0),
        ("parent", 2**40),
        ("triggered", 7),
        ("row", CUT),
        ("met_row", 2**40),
        ("time", 2**62),
        ("qty", np.inf),
        ("limit", -np.inf),
    ],
)
def test_an_order_that_cannot_be_is_refused(name: str, value: float) -> None:
    refuse(with_field("orders", name, value, live_order()), "no engine can have taken: order ")


def test_two_orders_of_one_id_are_refused() -> None:
    table: Any = np.frombuffer(decode(WHOLE).orders, ORDER)
    first, second = np.flatnonzero(table["state"])[:2]
    refuse(with_field("orders", "id", table["id"][first], second), "orders: id|parent")


CLOCKS = [
    place
    for place, node in enumerate(engine_at(0).plan.nodes, start=1)
    if node.op == "python_op" or REGISTRY[node.op].has_clock
]


@pytest.mark.parametrize("place", CLOCKS)
@pytest.mark.parametrize(("field", "value"), [(ROWS, 7.5), (ROWS, -1.0), (ROWS, np.nan), (ROWS, 3)])
def test_a_clock_that_cannot_be_is_refused(place: int, field: int, value: float) -> None:
    snapshot = decode(WHOLE)
    state = np.frombuffer(snapshot.plan[place]).copy()
    state[field] = value
    plan = [*snapshot.plan[:place], state.tobytes(), *snapshot.plan[place + 1 :]]
    refuse(encode(msgspec.structs.replace(snapshot, plan=plan)), "no plan can have taken")


WINDOWS = [operator for operator in REGISTRY.values() if operator.has_clock]


@pytest.mark.parametrize("operator", WINDOWS, ids=lambda operator: operator.name)
def test_a_window_that_stands_outside_its_ring_is_refused(operator: Operator) -> None:
    """Its next value would be written there: this was a segmentation fault."""
    params = (5, *(1.0 for _ in operator.params[1:]))
    expr = Expr(operator.name, (close,) * len(operator.inputs), params)
    plan = Plan({"x": expr}, ASSETS)
    plan.run({"close": COLUMNS["close"][:8]}, 8)
    taken = plan.snapshot()
    state = np.frombuffer(taken[-1]).reshape(-1, 2).copy()
    assert state[ROWS, 0] == 8.0 and state[SLOT, 0] == 3.0
    plan.restore(taken)
    for slot in (5.0, 2.0**40, -1.0, np.nan, 2.5):
        state[SLOT, 0] = slot
        with pytest.raises(StateError, match=f"state of {operator.form_of or operator.name}"):
            plan.restore([*taken[:-1], state.tobytes()])
    assert plan.snapshot() == taken


SPECIAL = st.sampled_from([0, 1, 2, 3, 7, -1, 10**6, 2**31, 2**40, 2**53, 2**62, NEVER])
NUMBERS = st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, 1e-300, 1e300, 5e-324, 2.0**53])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_made_up_is_refused_or_goes_on(data: st.DataObject) -> None:
    """Up to three numbers anywhere in the state are others: no crash, whatever they are."""
    snapshot = decode(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from([*PARTS, "plan"]))
        place = data.draw(st.integers(1, len(snapshot.plan) - 1)) if part == "plan" else 0
        whole = snapshot.plan[place] if part == "plan" else getattr(snapshot, part)
        if not whole:
            continue
        words = np.frombuffer(whole, np.int64).copy()
        word = data.draw(st.integers(0, words.size - 1))
        number = data.draw(SPECIAL | NUMBERS | st.integers(-(2**63), 2**63 - 1))
        words[word : word + 1] = np.array([number]).view(np.int64)
        changed: Any = words.tobytes()
        if part == "plan":
            changed = [*snapshot.plan[:place], changed, *snapshot.plan[place + 1 :]]
        snapshot = msgspec.structs.replace(snapshot, **{part: changed})
    engine = Engine(Sender(), ASSETS, SETTINGS)
    try:
        engine.restore(encode(snapshot))
        push(engine, CUT, N_ROWS)
    except (StateError, ValueError):  # the second: equity that is not finite, a Python operator
        pass


def test_books_of_orders_have_places_for_them() -> None:
    """The tests above change orders of a `decide`, not only those of exits."""
    table: Any = np.frombuffer(decode(WHOLE).orders, ORDER).reshape(2, -1)
    assert (table["state"][:, FIRST_EXPLICIT:] > 0).any()
