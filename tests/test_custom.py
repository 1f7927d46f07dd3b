"""User-defined operators: compiled updates and Python functions."""

from __future__ import annotations

import copy
import math
import os
import pickle
import random
import sys
import types
from random import gauss

import numpy as np
import pytest
from compare import assert_identical, assert_same
from naive import smoothed
from numpy.random import default_rng
from running import assets, bars, cut, push, random_cut, run

import alphalab as al
from alphalab.codes import Reason
from alphalab.errors import ExprError, StateError, UnknownNameError
from alphalab.expr.custom import LATEST, PYTHON_FUNCTIONS
from alphalab.expr.identity import identity
from alphalab.expr.plan import Plan
from alphalab.expr.registry import REGISTRY, Param
from alphalab.expr.text import parse
from alphalab.kernels._jit import jit

close, low = al.close, al.low

nojit = pytest.mark.nojit


# al.op.

WEIGHT = 0.5


@al.op(params=["n"], rows="n", state="2", recursive=True)
def half_life(state, params, x):
    """Exponential mean whose weights halve every n rows."""
    state[0] += 1.0
    state[1] += (x - state[1]) * (1.0 - WEIGHT ** (1.0 / params[0])) if state[0] > 1 else x
    return state[1] if state[0] >= params[0] else np.nan


@al.op(params=["n"], rows="n + 1", state="n + 1")
def oldest(state, params, x, y):
    """Value of y, n rows ago, when x is above it."""
    n = int(params[0])
    before = state[n]
    state[1 : n + 1] = state[0:n].copy()
    state[0] = y
    return before if x > before else 0.0


@al.op(params=["power", Param("shift", default=1.0)], family="elementwise")
def shifted_power(params, x):
    return (x + params[1]) ** params[0]


@nojit
def test_a_users_operator_computes_what_it_says():
    columns = bars(30, 2)
    x = columns["close"]
    weight = 1.0 - 0.5 ** (1.0 / 4.0)
    expected = np.column_stack([smoothed(list(x[:, j]), 1, weight) for j in range(2)])
    expected[:3] = np.nan
    assert_same(run(half_life(close, 4), columns), expected, rtol=1e-12)
    assert_same(run(shifted_power(close, 2), columns), (x + 1.0) ** 2.0, rtol=1e-15)


@nojit
@pytest.mark.parametrize(
    "expr", [half_life(close, 3), oldest(close, low, n=4), shifted_power(close, 2.0, shift=-1.0)]
)
def test_a_users_operator_is_like_any_other(expr):
    assert parse(str(expr)).same_as(expr)
    assert getattr(close, expr.op)(*expr.args[1:], *expr.params).same_as(expr)
    assert expr.warmup == REGISTRY[expr.op].rows.at(REGISTRY[expr.op].n(expr.params)) - 1
    columns = bars(50, 3)
    whole = run(expr, columns)
    for blocks in (cut(50, 1), cut(50, 7), random_cut(50, np.random.default_rng(1))):
        assert_identical(run(expr, columns, blocks), whole)
    plan = Plan({"a": expr}, assets(3))
    push(plan, {k: v[:20] for k, v in columns.items()}, [20])
    again = Plan({"a": expr}, assets(3))
    again.restore(plan.snapshot())
    rest = push(again, {k: v[20:] for k, v in columns.items()}, [30])["a"]
    assert_identical(rest, whole[20:])


def late(state, params, x):
    return x


@nojit
@pytest.mark.parametrize(
    ("options", "name", "complaint"),
    [
        ({}, "ts_mean", "ts_mean"),
        ({}, "close", "close"),
        ({}, "column", "column"),
        ({}, "macd", "macd"),
        ({}, "nan", "nan"),
        ({}, "walk", "walk"),
        ({"params": ["k", "n"], "rows": "n"}, "late", "n is the first"),
        ({"params": ["k", "n"], "state": "n"}, "late", "n is the first"),
        ({"rows": "n"}, "late", "n is the first"),
        ({"params": [Param("n", integer=True)], "state": "n"}, "late", "least value"),
        ({"rows": "0"}, "late", "at least 1"),
        ({"rows": "2n"}, "late", "count '2n'"),
        ({"state": "n - 1", "params": ["n"]}, "late", "count 'n - 1'"),
        ({"family": "elementwise"}, "late", "one to three inputs"),
    ],
)
def test_wrong_declarations_are_refused(options, name, complaint):
    def function(state, params, x):
        return x

    function.__name__ = name
    before = dict(REGISTRY)
    with pytest.raises(ExprError, match=complaint):
        al.op(**options)(function)
    assert before == REGISTRY


@nojit
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda params, x: x,
        lambda state, x: x,
        lambda state, params: 0.0,
        lambda params, state, x: x,
        lambda state, params, a, b, c, d: a,
    ],
)
def test_wrong_signatures_are_refused(function):
    with pytest.raises(ExprError, match="is called as f\\(state, params, x\\)"):
        al.op()(function)


@nojit
def test_unknown_families_are_refused():
    with pytest.raises(UnknownNameError, match="'serie': did you mean 'series'"):
        al.op(family="serie")


def test_what_cannot_be_compiled_is_named():
    @al.op()
    def uncompilable(state, params, x):
        return open(str(x)).read()

    with pytest.raises(ExprError, match="'uncompilable' cannot be compiled"):
        Plan({"a": uncompilable(close)}, assets(1))


@nojit
def test_state_that_was_not_declared_is_an_error():
    @al.op(state="1")
    def beyond(state, params, x):
        state[3] = x
        return state[3]

    with pytest.raises(ExprError, match="'beyond' failed: IndexError"):
        run(beyond(close), bars(3, 2))


@nojit
def test_an_operator_is_declared_again_only_as_it_was():
    def declared(factor):
        @al.op(family="elementwise")
        def again(params, x):
            return factor * x

        return again(close)

    columns = bars(3, 1)
    first = declared(2.0)
    assert declared(2.0).same_as(first)
    with pytest.raises(ExprError, match="again is another function already"):
        declared(3.0)
    assert_identical(run(first, columns), 2.0 * columns["close"])


@nojit
def test_an_operator_of_a_notebook_may_be_edited():
    def cell(source, module="__main__"):
        scope = {"al": al, "__name__": module}
        exec(f"@al.op(family='elementwise')\ndef edited(params, x):\n    return {source}", scope)
        return scope["edited"](close)

    columns = bars(3, 1)
    assert_identical(run(cell("x + 1.0"), columns), columns["close"] + 1.0)
    assert_identical(run(cell("x + 2.0"), columns), columns["close"] + 2.0)
    with pytest.raises(ExprError, match="edited is another function already"):
        cell("x + 2.0", module="elsewhere")


@nojit
@pytest.mark.parametrize("family", ["series", "elementwise"])
def test_the_numbers_of_an_operator_are_read_only(family):
    def series_writes(state, params, x):
        params[0] += 1.0
        return x * params[0]

    def elementwise_writes(params, x):
        params[0] += 1.0
        return x * params[0]

    function = {"series": series_writes, "elementwise": elementwise_writes}[family]
    expr = al.op(params=["k"], family=family)(function)(close, 1.0)
    with pytest.raises(ExprError, match=f"'{family}_writes' (failed|cannot be compiled)"):
        run(expr, bars(3, 2))


# The cache of compiled operators.

SCALE = np.array([1.0, 2.0])


def scaled(x):
    return x * SCALE[1]


def naming(value):
    def update(params, x):
        return value if x > 0 else scaled(x)

    return update


@nojit
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 2.0),
        (np.array([1.0]), np.array([2.0])),
        (naming(1.0), naming(2.0)),
        (np, os),
        ((1, "a"), (1, "b")),
    ],
)
def test_identity_follows_what_a_function_names(one, other):
    assert identity(naming(one)) == identity(naming(one))
    assert identity(naming(one)) != identity(naming(other))


@nojit
def test_identity_follows_the_functions_a_function_calls(monkeypatch):
    before = identity(naming(1.0))
    monkeypatch.setitem(globals(), "SCALE", np.array([1.0, 3.0]))
    assert identity(naming(1.0)) != before


def with_default(value):
    return lambda x, factor=value: x * factor


def with_named_default(value):
    return lambda x, *, factor=value: x * factor


def in_a_comprehension(value):
    return lambda x: [v * value for v in x]


def from_globals(value):
    return eval("lambda x: sum(VALUE * v for v in x)", {"VALUE": value})


def from_a_module(value):
    module = types.ModuleType("of_the_user")
    module.__file__ = "of_the_user.py"
    module.VALUE = value
    sys.modules["of_the_user"] = module
    return lambda x: module.VALUE * x


@nojit
@pytest.mark.parametrize(
    "made",
    [with_default, with_named_default, in_a_comprehension, from_globals, from_a_module],
)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 2.0),
        (1, True),
        (np.float32(1.0), np.float64(1.0)),
        (np.zeros(2), np.zeros(2, np.int64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array([[1], "a"], object), np.array([[2], "a"], object)),
        ([1, [2], 3], [1, [2, 3]]),
        ({"a": 1.0}, {"a": 2.0}),
        ({"a", "b"}, {"a", "c"}),
        (Reason.CASH, Reason.LOT),
        (np.sqrt, np.exp),
        (np.mean, np.median),
        (with_default(1.0), with_default(2.0)),
        (jit(with_default(1.0), folder=None), jit(with_default(2.0), folder=None)),
        (float, int),
        (math.sin, math.cos),
    ],
)
def test_identity_covers_all_that_decides(made, one, other, monkeypatch):
    monkeypatch.delitem(sys.modules, "of_the_user", raising=False)
    assert identity(made(one)) == identity(made(copy.deepcopy(one)))
    assert identity(made(one)) != identity(made(other))


@nojit
def test_identity_ends_where_names_go_round():
    def round_and_round(x):
        return round_and_round(x) if names else x

    names = [round_and_round, {}]
    names[1]["self"] = names
    assert identity(round_and_round) == identity(round_and_round)


class Model:
    def predict(self, x):
        return x[-1]


@nojit
@pytest.mark.parametrize("value", [Model(), Model().predict, np.ma.zeros(3), object()])
def test_what_has_no_content_is_refused_and_named(value):
    with pytest.raises(ExprError, match=r"value(\[1\])? is of type .*(?s:.*)version='...'"):
        identity(lambda x: value)


GENERATOR = np.random.default_rng(1)


def imports_chance(x):
    import random as chance

    return chance.random() * x


@nojit
@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.random.random() * x,  # noqa: NPY002
        lambda x: [v * np.random.normal() for v in x],  # noqa: NPY002
        lambda x: random.gauss(0.0, 1.0) * x,
        lambda x: gauss(0.0, 1.0) * x,
        lambda x: GENERATOR.normal() * x,
        lambda x: default_rng(1).normal() * x,
        lambda x, draw=np.random.normal: draw() * x,
        imports_chance,
        with_default(imports_chance),
    ],
)
def test_chance_is_refused(function):
    with pytest.raises(ExprError, match=r"names random numbers(?s:.*)with a seed"):
        al.python_op(function, [close], 1, name="by chance")


@nojit
def test_chance_in_a_compiled_operator_is_refused():
    @al.op()
    def noise(state, params, x):
        return x + np.random.random()  # noqa: NPY002

    with pytest.raises(ExprError, match="noise names random numbers"):
        Plan({"a": noise(close)}, assets(1))


# al.python_op.


@nojit
def test_python_sees_exactly_the_last_rows_in_every_partition():
    columns = bars(23, 3)
    columns["close"][5, 1] = np.nan
    for blocks in (cut(23, 1), cut(23, 7), [23], random_cut(23, np.random.default_rng(2))):
        seen = []

        def record(x, y, seen=seen):
            seen.append((x.copy(), y.copy()))
            return x[0] - y[-1]

        out = run(al.python_op(record, [close, low], 4), columns, blocks)
        assert len(seen) == 20
        for t, (x, y) in enumerate(seen, start=3):
            assert_identical(x, columns["close"][t - 3 : t + 1])
            assert_identical(y, columns["low"][t - 3 : t + 1])
        expected = columns["close"][:-3] - columns["low"][3:]
        assert_identical(out, np.concatenate([np.full((3, 3), np.nan), expected]))


@nojit
def test_python_is_not_called_before_there_are_enough_rows():
    def never(x):
        raise AssertionError

    expr = al.python_op(never, [close], 10)
    assert expr.warmup == 9
    assert np.isnan(run(expr, bars(9, 2))).all()


@nojit
def test_python_may_return_one_number_for_all():
    def latest(x):
        return x[-1].max()

    columns = bars(3, 4)
    out = run(al.python_op(latest, [close], 1), columns)
    assert_identical(out, np.repeat(columns["close"].max(axis=1, keepdims=True), 4, axis=1))


def writes(x):
    x[0] = 0.0
    return x[0]


def unlocks(x):
    x.flags.writeable = True
    return x[0]


def divides(x):
    raise ZeroDivisionError("by zero")


def too_many(x):
    return np.zeros(7)


def whole_window(x):
    return x


def nothing(x):
    pass


def words(x):
    return "up"


def takes_two(x, y):
    return x[0]


@nojit
@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (writes, "'writes' failed: ValueError: assignment destination is read-only"),
        (unlocks, "'unlocks' failed: ValueError"),
        (divides, "'divides' failed: ZeroDivisionError: by zero"),
        (too_many, r"'too_many' returned shape \(7,\)"),
        (whole_window, r"'whole_window' returned shape \(2, 3\)"),
        (nothing, "'nothing' failed: TypeError: it returned nothing"),
        (words, "'words' failed: ValueError"),
        (takes_two, "'takes_two' failed: TypeError"),
    ],
)
def test_what_fails_in_python_is_named(function, complaint):
    with pytest.raises(ExprError, match=complaint):
        run(al.python_op(function, [close], 2), bars(5, 3))


@nojit
@pytest.mark.parametrize(
    ("use", "complaint"),
    [
        (lambda: al.python_op(writes, [close], 0), "lookback=0"),
        (lambda: al.python_op(writes, [close], 2.5), "lookback=2.5"),
        (lambda: al.python_op(writes, [], 2), "at least one"),
        (lambda: al.python_op(lambda x: x, [close], 2), "has a name"),
        (lambda: al.python_op(writes, [close, "low"], 2), "'low'"),
    ],
)
def test_wrong_python_declarations_are_refused(use, complaint):
    with pytest.raises(ExprError, match=complaint):
        use()


@nojit
def test_python_functions_have_names():
    expr = al.python_op(lambda x: x[-1], [close], 2, name="last of 2")
    assert str(expr) == "python_op('last of 2', close, 2)"
    assert parse(str(expr)).same_as(expr)
    # In a process that has not registered the function there is only its name.
    del PYTHON_FUNCTIONS["last of 2", LATEST.pop("last of 2")]
    with pytest.raises(UnknownNameError, match="Python function 'last of 2'"):
        Plan({"a": expr}, assets(1))
    with pytest.raises(UnknownNameError, match="Python function 'last of 2'"):
        parse(str(expr))


@nojit
def test_functions_of_one_name_stay_two():
    def times(k):
        def scaled(x):
            return k * x[-1]

        return al.python_op(scaled, [close], 1)

    one, two = times(1.0), times(2.0)
    assert not one.same_as(two)
    assert one.same_as(times(1.0))
    assert str(one) == str(two) == "python_op('scaled', close, 1)"
    columns = bars(3, 2)
    assert_identical(run(one, columns), columns["close"])
    assert_identical(run(two, columns), 2.0 * columns["close"])
    assert_identical(run(two - one, columns), columns["close"])
    assert pickle.loads(pickle.dumps(two)).same_as(two)
    assert parse(str(two)).same_as(one)  # the latest that was registered
    with pytest.raises(StateError, match="does not fit"):
        Plan({"a": one}, assets(2)).restore(Plan({"a": two}, assets(2)).snapshot())


@nojit
def test_a_version_stands_for_a_model():
    model = Model()

    def of_model(x):
        return model.predict(x)

    with pytest.raises(ExprError, match="model is of type"):
        al.python_op(of_model, [close], 2)
    one, same, two = (al.python_op(of_model, [close], 2, version=v) for v in ("1", "1", "2"))
    assert one.same_as(same) and not one.same_as(two)
    columns = bars(3, 2)
    assert_identical(run(one, columns)[1:], columns["close"][1:])
