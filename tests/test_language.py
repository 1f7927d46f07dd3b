"""Expressions as text: written, read back, and refused with the place and near names."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from expressions import expressions
from hypothesis import example, given, settings
from hypothesis import strategies as st
from running import run

import alphalab as al
from alphalab.errors import AlphalabError, ExprError, UnknownNameError
from alphalab.expr.functions import column, constant, group, per_symbol
from alphalab.expr.nodes import apply
from alphalab.expr.text import MAX_LENGTH, parse

close, high, low, volume = al.close, al.high, al.low, al.volume

pytestmark = pytest.mark.nojit


def first_line(error: pytest.ExceptionInfo[AlphalabError]) -> str:
    return str(error.value).splitlines()[0]


@settings(max_examples=300)
@given(expressions(max_leaves=12))
@example(-(close**2.0))
@example((-close) ** -2.0)
@example((close**2.0) ** 2.0)
@example(close ** (close**2.0))
@example(close - (close - close))
@example(apply("neg", -close))
@example(constant(-0.0))
@example((close > low) & (close < high) | ~(volume >= 1.0))
@example((close > low) > (close < high))
@example(close.of('it\'s "quoted" \\ and \n broken'))
@example(group("'"))
@example(column("nan") + column("close ") + column("Ünïcode 漢字 🙂"))
@example(close.clip(-np.inf, -0.0).fill_nan(np.inf))
def test_text_gives_the_expression_back(expr):
    text = str(expr)
    again = parse(text)
    assert again.same_as(expr)
    assert str(again) == text
    assert again.warmup == expr.warmup
    assert repr(expr) == f"Expr({text!r})"


@settings(max_examples=100)
@given(expressions())
def test_pickling_and_copying_give_the_expression_back(expr):
    assert pickle.loads(pickle.dumps(expr)).same_as(expr)
    assert copy.deepcopy(expr).same_as(expr)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  close+1 ", "close + 1.0"),
        ("close.ts_mean(10)", "ts_mean(close, 10)"),
        ("close.ts_mean(n=10)", "ts_mean(close, 10)"),
        ("ts_beta(x=close, y=open, n=3)", "ts_beta(open, close, 3)"),
        ("delay(close)", "delay(close, 1)"),
        ("ts_mean(close, 1e1)", "ts_mean(close, 10)"),
        ("clip(close, -1, +inf)", None),
        ("clip(close, -1, inf)", "clip(close, -1.0, inf)"),
        ("column('close')", "close"),
        ("constant(2)", "2.0"),
        ("+close", "close"),
        ("-3", "-3.0"),
        ("--3", "3.0"),
        ("1_000 + 0x10", "1000.0 + 16.0"),
        ("-close ** 2", "-close ** 2.0"),
        ("(-close) ** 2", "(-close) ** 2.0"),
        ("2 ** 3 ** 2", "2.0 ** 3.0 ** 2.0"),
        ("close - (low - high)", "close - (low - high)"),
        ("(close - low) - high", "close - low - high"),
        ("(close > low) & (close < high)", "(close > low) & (close < high)"),
        ("~(close > low) | (close < high)", "~(close > low) | (close < high)"),
        ("close.of('SPY')", "of(close, 'SPY')"),
        ("per_symbol({'A': close, 'B': 2})", "per_symbol({'A': close, 'B': 2.0})"),
        ("where(close > nan,\n  1, 0)", "where(close > nan, 1.0, 0.0)"),
        ("close # with a comment", "close"),
        ("roc(close)", "100.0 * returns(close, 10)"),
        ("macd(close, fast=3, slow=5).line", "ema(close, 3) - ema(close, 5)"),
        ("donchian(high, low, 5).upper.delay(1)", "delay(ts_max(high, 5), 1)"),
    ],
)
def test_canonical_text(text, canonical):
    if canonical is None:
        with pytest.raises(ExprError, match="plain number"):
            parse(text)
    else:
        assert str(parse(text)) == canonical


CODE = [
    "__import__('os').system('true')",
    "(lambda: close)()",
    "lambda x: x",
    "close.__class__",
    "close.args[0]",
    "close.__class__.__bases__[0].__subclasses__()",
    "[close for x in close]",
    "(x for x in close)",
    "{close for x in close}",
    "{'a': close}",
    "[close]",
    "(close, open)",
    "f'{close}'",
    "(x := close)",
    "close if close else open",
    "close[0]",
    "close and open",
    "not close",
    "close is open",
    "close in open",
    "close is open",
    "open < close < high",
    "close % 2",
    "close // 2",
    "close @ close",
    "close ^ close",
    "close << 2",
    "'close'",
    "b'close'",
    "1j",
    "None",
    "...",
    "await close",
    "yield close",
    "*close",
    "ts_mean(*[close, 10])",
    "ts_mean(**{'x': close})",
    "ts_mean(close, 5 + 5)",
    "ts_mean(close, n=close)",
    "ts_mean(close, n=5, n=10)",
    "ts_mean(close, 'n')",
    "close = open",
    "import os",
    "close; open",
    "close open",
    "close +",
    "(close",
    "close)",
    "",
    "   ",
    "\x00",
    "close\x00",
    "close\nopen",
    "print(close)",
    "eval('close')",
    "exec('close')",
    "open('/etc/passwd')",
    "close()",
    "close(1)",
    "ts_mean(close, 10)(1)",
    "column(close)",
    "column('')",
    "column()",
    "column('a', 'b')",
    "column('a', b=1)",
    "column(f'a')",
    "group('a', b=1)",
    "constant()",
    "constant(1, 2)",
    "macd(close)",
    "macd(close).lines",
    "macd(close).__class__",
    "roc(close).line",
    "roc(close, close)",
    "roc(close, 10, 10)",
    "roc(**close)",
    "roc(*close)",
    "hurst(close, 100, (1, 2))",
    "constant(close)",
    "of(close)",
    "of(close, open)",
    "of(close, 'A', 'B')",
    "of(close, 'A', b=1)",
    "per_symbol({})",
    "per_symbol(close)",
    "per_symbol({'A': 1, 'A': 2})",
    "per_symbol({A: 1})",
    "per_symbol({**{'A': 1}})",
    "per_symbol({'A': 1}, b=2)",
    "python_op('no such function', close, 3)",
    "python_op('midpoint', close)",
    "python_op('midpoint', close, 2.5)",
    "python_op('midpoint', close, inf)",
    "python_op('midpoint', close, 3, b=1)",
    "cs_neutralize(close, close)",
    "macd(close)",
    "al.close",
    "np.log(close)",
    "1" + "0" * 400,
    "1" + "0" * 5000,
]


@pytest.mark.parametrize("text", CODE)
def test_refuses_what_is_no_expression(text):
    with pytest.raises(AlphalabError) as error:
        parse(text)
    assert isinstance(error.value, ExprError | UnknownNameError)
    assert error.value.exit_code == 2


@settings(max_examples=300)
@given(st.text(max_size=30) | st.text("close()+-*/<>&|~'\",.: 0123ts_mean{}[]=\\\n", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        expr = parse(text)
    except (ExprError, UnknownNameError):
        return
    assert parse(str(expr)).same_as(expr)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("clsoe + 1", "close"),
        ("ts_maen(close, 3)", "ts_mean"),
        ("close.ts_maen(3)", "ts_mean"),
        ("cs_neutralise(close, group('sector'))", "cs_neutralize"),
        ("Close", "close"),
    ],
)
def test_unknown_names_have_near_ones(text, near):
    with pytest.raises(UnknownNameError, match="did you mean") as error:
        parse(text)
    assert f"'{near}'" in first_line(error)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("close + [1]", "[1] (column 9)"),
        ("ts_mean(close, 2 + 3)", "2 + 3 (column 16)"),
        ("close + (lambda: 1)", "lambda: 1 (column 10)"),
        ("where(close < open < 3, 1, 0)", "close < open < 3 (column 7)"),
        ("column('é') + [1]", "[1] (column 15)"),
        ("   close + [1]", "[1] (column 9)"),
        ("(close +\n   [1])", "[1] (line 2, column 4)"),
    ],
)
def test_refusals_show_the_place(text, place):
    with pytest.raises(ExprError) as error:
        parse(text)
    assert first_line(error) == place


def test_syntax_errors_point_at_the_place():
    with pytest.raises(ExprError) as error:
        parse("close + * open")
    _, line, pointer = str(error.value).splitlines()[:3]
    assert line.strip() == "close + * open"
    assert line[pointer.index("^")] == "*"


def test_length_and_depth_have_limits():
    with pytest.raises(ExprError, match="100001 characters"):
        parse("1" * (MAX_LENGTH + 1))
    for before, after in [("(" * 5000, ")" * 5000), ("-" * 50_000, ""), ("", "+1" * 40_000)]:
        with pytest.raises(ExprError):
            parse(f"{before}close{after}")


@pytest.mark.parametrize(
    "step",
    [
        lambda x: abs(x),
        lambda x: -x,
        lambda x: x + 1.0,
        lambda x: 1.0 - x,
        lambda x: x > low,
        lambda x: 2.0**x,
        lambda x: per_symbol({"A": x}),
    ],
)
def test_hundred_levels_are_written_and_read(step):
    expr = close
    for _ in range(95):
        expr = step(expr)
    assert parse(str(expr)).same_as(expr)


def test_sums_over_many_assets_are_written_and_read():
    expr = sum(close.of(f"S{i}") for i in range(500))
    assert parse(str(expr)).same_as(expr)


def test_shared_parts_do_not_explode():
    expr = close
    for _ in range(60):
        expr = expr + expr
    assert expr.warmup == 0
    assert len(list(expr.walk())) == 61
    with pytest.raises(ExprError, match="more than 100000 characters"):
        str(expr)
    # Such an expression is still computed, every part once.
    assert run(expr, {"close": np.ones((3, 1))})[0, 0] == 2.0**60


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("power(close, 2)", "close ** 2.0"),
        ("close.add(1)", "close + 1.0"),
        ("gt(close, open) & not_(open)", "(close > open) & ~open"),
        ("neg(close)", "-close"),
        ("eq(close, 1) * ne(open, 2)", "(close == 1.0) * (open != 2.0)"),
    ],
)
def test_signs_have_names_too(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical).same_as(parse(text))
