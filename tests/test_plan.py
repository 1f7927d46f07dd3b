"""Plans: common parts merged, shapes across assets, state carried from block to block."""

from __future__ import annotations

import numpy as np
import pytest
from compare import assert_identical
from expressions import expressions
from hypothesis import given, settings
from hypothesis import strategies as st
from running import assets, bars, cut, push, random_cut, run

import alphalab as al
from alphalab.errors import ParameterError, StateError, UnknownNameError
from alphalab.expr.functions import column, constant, group, per_symbol
from alphalab.expr.plan import Plan

close, high, low = al.close, al.high, al.low

pytestmark = pytest.mark.nojit


def test_common_parts_are_merged():
    mean = close.ts_mean(10)
    outputs = {"a": mean + close.ts_mean(10), "b": al.ts_mean(column("close"), 10) * 2, "c": mean}
    plan = Plan(outputs, assets(2))
    assert [str(node) for node in plan.nodes] == [
        "close",
        "ts_mean(close, 10)",
        "ts_mean(close, 10) + ts_mean(close, 10)",
        "2.0",
        "ts_mean(close, 10) * 2.0",
    ]
    assert plan.columns == ("close",)


def test_merged_parts_are_called_once():
    calls = []

    def counted(window):
        calls.append(1)
        return window[-1]

    part = al.python_op(counted, [close], 1)
    plan = Plan({"a": part + part, "b": part.ts_mean(2) - part}, assets(1))
    out = push(plan, bars(5, 1), [5])
    assert len(calls) == 5
    assert_identical(out["a"], 2.0 * bars(5, 1)["close"])


def test_shapes_across_assets():
    columns = bars(4, 3)
    x = columns["close"]
    assert_identical(run(close.of("S1"), columns), np.repeat(x[:, 1:2], 3, axis=1))
    chosen = run(per_symbol({"S2": close, "S0": -close}), columns)
    assert_identical(chosen, np.column_stack([-x[:, 0], np.full(4, np.nan), x[:, 2]]))
    codes = run(group("sector"), bars(2, 5))
    assert_identical(codes, [[1.0, 0.0, np.nan, 1.0, 2.0]] * 2)
    assert_identical(run(constant(2.5), columns), np.full((4, 3), 2.5))


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        (close.of("S11"), "unknown symbol 'S11': did you mean 'S1'"),
        (per_symbol({"S0": close, "X": close}), "unknown symbol 'X'"),
        (group("sectr"), "unknown group 'sectr': did you mean 'sector'"),
        (close.cs_neutralize(group("country")), "unknown group 'country'"),
    ],
)
def test_unknown_symbols_and_groups(expr, complaint):
    with pytest.raises(UnknownNameError, match=complaint):
        Plan({"a": expr}, assets(3))


def test_blocks_have_a_largest_size():
    plan = Plan({"a": close}, assets(1), capacity=4)
    with pytest.raises(ParameterError, match="at most 4"):
        plan.run(bars(5, 1), 5)
    assert plan.run(bars(0, 1), 0)["a"].shape == (0, 1)


@settings(max_examples=100)
@given(st.lists(expressions(max_leaves=6), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_a_snapshot_goes_on_where_it_was_taken(exprs, seed):
    outputs = {str(i): expr for i, expr in enumerate(exprs)}
    rng = np.random.default_rng(seed)
    n_rows = 40
    columns = bars(n_rows, 3, seed)
    for values in columns.values():
        values[rng.random(values.shape) < 0.1] = rng.choice([np.nan, np.inf, 0.0, 1e9])
    first, second, whole = (Plan(outputs, assets(3), capacity=n_rows) for _ in range(3))
    taken = int(rng.integers(1, n_rows))
    rest = {name: values[taken:] for name, values in columns.items()}
    expected = push(whole, columns, [n_rows])
    push(first, columns, cut(taken, 3))
    state = first.snapshot()
    # What came before in the second plan is forgotten.
    push(second, bars(9, 3, seed + 1), [9])
    second.restore(state)
    for plan in (first, second):
        out = push(plan, rest, random_cut(n_rows - taken, rng))
        for name in outputs:
            assert_identical(out[name], expected[name][taken:])


@pytest.mark.parametrize(
    "other",
    [
        lambda: Plan({"a": close.ts_mean(6)}, assets(2)),
        lambda: Plan({"a": close.ts_sum(5)}, assets(2)),
        lambda: Plan({"a": low.ts_mean(5)}, assets(2)),
        lambda: Plan({"a": close.ts_mean(5)}, assets(3)),
        lambda: Plan({"a": close.ts_mean(5)}, assets(3)[1:]),
        lambda: Plan({"a": close}, assets(2)),
    ],
)
def test_wrong_snapshots_are_refused(other):
    plan = Plan({"a": close.ts_mean(5)}, assets(2))
    push(plan, bars(7, 2), [7])
    before = plan.snapshot()
    with pytest.raises(StateError, match="does not fit"):
        plan.restore(other().snapshot())
    for broken in ([], before[:-1], [*before[:-1], before[-1][:-8]], [*before, b""]):
        with pytest.raises(StateError, match="does not fit"):
            plan.restore(broken)
    assert plan.snapshot() == before


def test_a_snapshot_fits_any_capacity_and_names():
    plan = Plan({"a": close.ts_mean(5)}, assets(2), capacity=7)
    push(plan, bars(7, 2), [7])
    Plan({"b": close.ts_mean(5)}, assets(2), capacity=100).restore(plan.snapshot())
