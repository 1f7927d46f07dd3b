"""Expressions as values: built, compared, refused, and how long they warm up."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
from expressions import LONGEST_WINDOW, OPERATORS, expressions
from hypothesis import given, settings
from running import assets, bars, run

import alphalab as al
from alphalab.errors import ExprError
from alphalab.expr.functions import column, constant, group, per_symbol
from alphalab.expr.nodes import Expr, apply
from alphalab.expr.plan import Plan
from alphalab.expr.registry import MAX_ROWS, REGISTRY, Linear, partial_form

close, high, low = al.close, al.high, al.low

pytestmark = pytest.mark.nojit


def first_line(error: pytest.ExceptionInfo[ExprError]) -> str:
    return str(error.value).splitlines()[0]


def test_expressions_cannot_be_changed():
    expr = close.ts_mean(10)
    for name in ("op", "args", "params", "key", "warmup", "other"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(expr, name, 1)
    with pytest.raises(AttributeError):
        del expr.op


def test_formulas_are_compared_by_what_they_say():
    assert close.ts_mean(10).same_as(al.ts_mean(close, n=10.0))
    assert (close + 1).same_as(close + 1.0)
    assert not (close + 1).same_as(1 + close)
    assert close.delay(1).same_as(close.delay())
    assert not constant(0.0).same_as(constant(-0.0))
    assert constant(np.nan).same_as(constant(-np.nan))
    assert not close.of("A").same_as(close.of("B"))
    assert not column("A").same_as(group("A"))


def test_equal_signs_compare_values():
    """The trial's mistake: `1 - 0.5 * (x == 1)` was the constant 1."""
    assert str(1 - 0.5 * (column("crash") == 1)) == "1.0 - 0.5 * (column('crash') == 1.0)"
    values = run((close == 2) + 10 * (close != np.float64(2)), {"close": np.array([[1.0], [2.0]])})
    np.testing.assert_array_equal(values, [[10.0], [1.0]])
    with pytest.raises(ExprError, match="got 'close'"):
        _ = close == "close"
    with pytest.raises(ExprError, match="got None"):
        _ = close != None  # noqa: E711


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        (lambda: close == 1 or close == 2, r"\|"),
        (lambda: 1 < close < 3, r"\(a < b\) & \(b < c\)"),
        (lambda: close in [low, high], "same_as"),
        (lambda: min(close, low), r"al\.minimum"),
        (lambda: not close, "~"),
        (lambda: round(close), r"al\.python_op"),
        (lambda: close % 2, r"al\.python_op"),
        (lambda: close // 2, r"al\.python_op"),
        (lambda: float(close), r"al\.evaluate"),
        (lambda: math.log(close), r"al\.evaluate"),
        (lambda: close[-1], r"x\.delay\(n\)"),
        (lambda: np.mean(close), r"al\.ts_mean"),
        (lambda: np.where(close > 1, 1, 0), r"al\.where"),
        (lambda: np.asarray(close), r"al\.evaluate"),
        (lambda: np.sinh(close), "alphalab ops"),
        (lambda: np.add.reduce(close), r"al\.python_op"),
        (lambda: np.array([1.0, 2.0]) * close, "with_columns"),
    ],
)
def test_what_needs_values_is_refused_with_a_remedy(written, remedy):
    with pytest.raises(ExprError, match=remedy):
        written()


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (lambda: abs(close), close.abs()),
        (lambda: np.log(close), close.log()),
        (lambda: np.maximum(close, low), close.maximum(low)),
        (lambda: np.float64(2) < close, close > 2),
        (lambda: np.isnan(close), close.is_nan()),
        (lambda: np.logical_and(close > 1, low > 1), (close > 1) & (low > 1)),
    ],
)
def test_functions_of_numpy_that_the_language_has_are_operators(written, same):
    assert written().same_as(same)


def test_an_expression_is_not_iterated():
    with pytest.raises(TypeError):
        iter(close)


@settings(max_examples=100)
@given(expressions(), expressions())
def test_equal_exactly_when_the_text_is_equal(a, b):
    assert a.same_as(b) == (str(a) == str(b))


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(close),
        lambda: close > low and close < high,
        lambda: low < close < high,
        lambda: not close,
        lambda: 1 if close > low else 0,
        lambda: max(close, low),
        lambda: sorted([close, low]),
    ],
)
def test_no_truth_value(use):
    with pytest.raises(ExprError, match="no single truth value") as error:
        use()
    assert "al.where" in str(error.value)


SIGNS = [
    (operator.add, "+"),
    (operator.sub, "-"),
    (operator.mul, "*"),
    (operator.truediv, "/"),
    (operator.pow, "**"),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.eq, "=="),
    (operator.ne, "!="),
    (operator.and_, "&"),
    (operator.or_, "|"),
]


@pytest.mark.parametrize(("function", "sign"), SIGNS)
def test_signs_take_numbers_on_either_side(function, sign):
    mirrored = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
    for number in (2, 2.0, np.float64(2.0), np.int64(2), np.array(2.0)):
        assert str(function(close, number)) == f"close {sign} 2.0"
        left = str(function(number, close))
        other = f"close {mirrored[sign]} 2.0" if sign in mirrored else f"2.0 {sign} close"
        assert left == other
    assert str(function(close, low)) == f"close {sign} low"


def test_every_operator_is_a_function_and_a_method():
    for record in OPERATORS:
        assert getattr(close, record.name).__call__
        if not (record.infix or record.form_of):
            function = getattr(al, record.name)
            assert record.doc in function.__doc__
            form = ["min_periods"] if partial_form(record.name) in REGISTRY else []
            assert list(function.__signature__.parameters) == [
                *record.inputs,
                *(p.name for p in record.params),
                *form,
            ]
            assert record.name in dir(close)
    with pytest.raises(AttributeError, match="did you mean 'ts_mean'"):
        _ = close.ts_maen
    with pytest.raises(AttributeError, match="did you mean 'ts_mean'"):
        _ = al.ts_maen
    assert not hasattr(close, "column")


@pytest.mark.parametrize(
    ("use", "complaint"),
    [
        (lambda: al.ts_mean(close), "n missing"),
        (lambda: al.ts_mean(n=3), "x missing"),
        (lambda: al.ts_mean(close, 3, 4), "3 arguments"),
        (lambda: al.ts_mean(close, m=3), "argument 'm'"),
        (lambda: al.ts_mean(close, 3, n=3), "argument 'n'"),
        (lambda: al.ts_mean(close, 0), "n=0"),
        (lambda: al.ts_mean(close, -1), "n=-1"),
        (lambda: al.delay(close, -1), "n=-1"),
        (lambda: al.ts_mean(close, 2.5), "n=2.5"),
        (lambda: al.ts_mean(close, "3"), "n='3'"),
        (lambda: al.ts_mean(close, None), "n=None"),
        (lambda: al.ts_mean(close, True), "n=True"),
        (lambda: al.ts_mean(close, np.nan), "n=nan"),
        (lambda: al.ts_mean(close, np.inf), "n=inf"),
        (lambda: al.ts_mean(close, close), "n=Expr"),
        (lambda: al.ts_mean(close, MAX_ROWS + 1), "n=10000001"),
        (lambda: al.ts_mean("close", 3), "'close'"),
        (lambda: al.ts_mean(np.arange(3), 3), "array"),
        (lambda: close + "1", "'1'"),
        (lambda: close + None, "None"),
        (lambda: close + np.arange(3.0), "array"),
        (lambda: close + 10**400, "beyond float64"),
        (lambda: al.ts_skew(close, 2), "n=2"),
        (lambda: al.ts_kurt(close, 3), "n=3"),
        (lambda: al.ts_quantile(close, 3, 1.5), "q=1.5"),
        (lambda: al.ts_quantile(close, 3, np.nan), "q=nan"),
        (lambda: al.clip(close, 1, 0), "low=1, high=0"),
        (lambda: al.clip(close, 0, 10**400), "high=1000"),
        (lambda: al.cs_winsorize(close, 0.6), "limit=0.6"),
        (lambda: al.cs_scale(close, -1), "gross=-1"),
        (lambda: al.cs_top(close, 0), "k=0"),
        (lambda: al.cs_neutralize(close, close), "group=close"),
        (lambda: al.macd(close, 26, 12), "fast=26, slow=12"),
        (lambda: close.of(""), "of('')"),
        (lambda: close.of(1), "of(1)"),
        (lambda: column(""), "column('')"),
        (lambda: column(1), "column(1)"),
        (lambda: group(""), "group('')"),
        (lambda: per_symbol({}), "per_symbol({})"),
        (lambda: per_symbol({1: close}), "per_symbol: 1"),
        (lambda: per_symbol({"": close}), "per_symbol: ''"),
        (lambda: per_symbol({"A": "close"}), "'close'"),
    ],
)
def test_wrong_arguments(use, complaint):
    with pytest.raises(ExprError) as error:
        use()
    assert complaint in first_line(error)
    assert error.value.rule


def test_numbers_may_be_any_number():
    for n in (3, 3.0, np.int64(3), np.float64(3.0), np.array(3)):
        assert str(al.ts_mean(close, n)) == "ts_mean(close, 3)"
    assert str(al.where(1, np.float32(0.5), 1)) == "where(1.0, 0.5, 1.0)"


def test_counts_are_written_as_they_are_read():
    for text in ("0", "1", "n", "n + 1", "2*n", "2*n + 11", "13*n + 2"):
        assert str(Linear.parse(text)) == text
    assert Linear.parse(" 2*n+11 ").at(20) == 51
    for text in ("", "m", "n - 1", "n*2", "2n", "1.5", "n + ", "-1"):
        with pytest.raises(ExprError, match="count"):
            Linear.parse(text)


# Warm-up.


def first_known(expr: Expr) -> int:
    """Row of the first value, over columns that are known from the first row on."""
    return int(np.isfinite(run(expr, bars(40, 5))).any(axis=1).argmax())


@pytest.mark.parametrize("record", OPERATORS, ids=lambda record: record.name)
def test_warmup_is_the_first_known_row(record):
    inputs = [
        group("sector") if name == "group" else column(letter)
        for letter, name in zip(("close", "open", "extra"), record.inputs, strict=False)
    ]
    for n in (4, 9):
        values = {"n": n, "k": 2, "q": 0.5, "low": -9.0, "high": 9.0, "min_periods": n}
        values["limit"] = 0.1 if record.family == "cross" else 1
        params = [values.get(p.name, p.default) for p in record.params]
        expr = apply(record.name, *inputs, *params)
        assert expr.warmup == record.rows.at(record.n(expr.params)) - 1
        assert first_known(expr) == expr.warmup
        # One that reads another waits for it.
        late = apply(record.name, *[x.delay(6) if x.op == "column" else x for x in inputs], *params)
        assert late.warmup == expr.warmup + 6
        # The weight of adaptive_mean lies between 0 and 1, and prices do not.
        if record.name not in ("is_nan", "fill_nan", "finite", "adaptive_mean"):
            assert first_known(late) == late.warmup


def test_warmup_of_a_plan_is_the_longest():
    plan = Plan({"a": close.ts_mean(5), "b": close.ts_std(4).ts_mean(3) + high.delay()}, assets(1))
    assert plan.warmup == 5
    assert Plan({"a": constant(1.0)}, assets(1)).warmup == 0
    assert Plan({}, assets(1)).warmup == 0


@settings(max_examples=100)
@given(expressions())
def test_windows_add_up_to_the_warmup(expr):
    assert 0 <= expr.warmup <= LONGEST_WINDOW * len(list(expr.walk()))


def test_the_registry_says_everything():
    for name, record in REGISTRY.items():
        assert record.name == name
        assert record.doc.endswith(".")
        assert record.memory
        assert record.unknown
        assert record.signature
