from __future__ import annotations

import itertools
import math
import pickle
import time
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.config import RunSettings
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.research.run.options import RunOptions, run_settings
from alphalab.research.sweep.combinations import combinations
from alphalab.research.sweep.variants import Family, Variant, variants

SmaCross = load_strategy("sma_cross")
ASSETS = [al.Instrument(symbol="A")]


class Band(al.Strategy):
    """A parameter of every plain type, one of them needed."""

    n: int
    k: float = 2.0
    name: str = "a"
    on: bool = True
    cap: float | None = None

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(self.n) * self.k, 1.0, 0.0)


class Guarded(al.Strategy):
    """Says how it wants to be traded; the stop is a parameter."""

    stop: float = 0.1

    limits = al.Limits(gross=0.5)

    @property
    def exits(self) -> al.Exits:
        return al.Exits(stop_loss=self.stop)

    def weights(self) -> al.Expr:
        return al.where(al.close > 0, 0.5, 0.0)


def made(strategy: Any, space: Any = None, /, **options: Any) -> tuple[Variant, ...]:
    return variants(strategy, space, options, ASSETS)[1]


# ---- order and counts ------------------------------------------------------------------------

VALUES = st.lists(st.integers(-50, 50) | st.floats(-5, 5).filter(bool), min_size=1, max_size=4)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from("abcdef"), VALUES, min_size=1, max_size=4))
def test_a_grid_is_nested_loops_in_the_order_of_its_names(space: dict[str, list[Any]]) -> None:
    space = {name: list(dict.fromkeys(values)) for name, values in space.items()}
    expected: list[tuple[Any, ...]] = [()]
    for values in space.values():
        expected = [(*row, value) for row in expected for value in values]
    names, rows = combinations(space, 256)
    assert (names, list(rows)) == (tuple(space), expected)


def test_values_may_be_anything_in_a_row() -> None:
    def numbers() -> Any:
        yield from (5, 6)

    for values in (
        [5, 6],
        (5, 6),
        range(5, 7),
        np.array([5, 6]),
        np.array([5, 6], dtype=np.int8),
        [np.int64(5), np.int16(6)],
        pd.Series([5, 6]),
        pd.Index([5, 6]),
        {5: "a", 6: "b"}.keys(),
        numbers(),
    ):
        found = made(SmaCross, {"fast": values})
        assert [v.params for v in found] == [{"fast": 5}, {"fast": 6}]
        assert all(type(v.params["fast"]) is int for v in found)
        assert [v.strategy for v in found] == [SmaCross(fast=5), SmaCross(fast=6)]


def test_fractions_texts_booleans_and_none_arrive_as_they_are() -> None:
    space = {"n": [3], "k": np.array([0.5, 1.5]), "name": ["a", "b"], "on": [True, False]}
    found = made(Band, space | {"cap": [None, 1.0]})
    assert len(found) == 16
    assert found[0].strategy == Band(n=3, k=0.5)
    assert found[-1].strategy == Band(n=3, k=1.5, name="b", on=False, cap=1.0)
    assert all(type(v.params["k"]) is float for v in found)


def test_a_list_keeps_its_order_and_its_first_names() -> None:
    space = [{"slow": 60, "fast": 7}, {"fast": np.int64(5), "slow": 50}, {"slow": 20, "fast": 30}]
    names, found = variants(SmaCross, space, {}, ASSETS)
    assert names == ("slow", "fast")
    assert [tuple(v.params.items()) for v in found] == [
        (("slow", 60), ("fast", 7)),
        (("slow", 50), ("fast", 5)),
        (("slow", 20), ("fast", 30)),
    ]
    assert [v.strategy for v in found] == [
        SmaCross(fast=7, slow=60),
        SmaCross(fast=5, slow=50),
        None,
    ]


def test_what_is_not_swept_is_as_in_the_instance() -> None:
    (one,) = made(SmaCross(fast=40, slow=90), {"slow": [50]})
    assert one.strategy == SmaCross(fast=40, slow=50)
    (one,) = made(SmaCross(fast=40, slow=90), {"cash": [50]})
    assert one.strategy == SmaCross(fast=40, slow=90)


# ---- settings --------------------------------------------------------------------------------


def test_settings_are_those_of_a_single_backtest() -> None:
    costs = al.Costs(spread_bps=4)
    space = {"fill": ["next_open", "next_close"], "costs.fee_bps": [0, 5], "exits.stop_loss": [0.1]}
    for variant in made(SmaCross, space, costs=costs, cash=5000.0):
        expected = run_settings(
            SmaCross,
            {
                "cash": 5000.0,
                "fill": variant.params["fill"],
                "costs": al.Costs(spread_bps=4, fee_bps=variant.params["costs.fee_bps"]),
                "exits": al.Exits(stop_loss=0.1),
            },
        )
        assert variant.settings == expected


def test_settings_without_a_sweep_are_made_once() -> None:
    found = made(SmaCross, {"fast": range(1, 20), "costs.fee_bps": [0, 5]})
    assert len({id(v.settings) for v in found}) == 2


def test_tables_are_swept_as_a_whole_too() -> None:
    choices = [None, al.Rebalance.every_row(), al.Rebalance.drift(0.05)]
    found = made(SmaCross, {"rebalance": choices, "exits": [None, al.Exits(trailing=0.1)]})
    assert [v.settings.rebalance for v in found[::2]] == [al.Rebalance.on_change(), *choices[1:]]
    assert [v.settings.exits for v in found[:2]] == [None, al.Exits(trailing=0.1)]


def test_a_table_of_nothing_is_no_table() -> None:
    none, one = made(SmaCross, {"exits.stop_loss": [None, 0.1]})
    assert (none.settings.exits, one.settings.exits) == (None, al.Exits(stop_loss=0.1))
    none, one = made(Guarded, {"exits.stop_loss": [None, 0.3]})
    assert (none.settings.exits, one.settings.exits) == (None, al.Exits(stop_loss=0.3))
    keeps = made(SmaCross, {"exits.stop_loss": [None]}, exits=al.Exits(trailing=0.2))
    assert keeps[0].settings.exits == al.Exits(trailing=0.2)
    cash, half = made(SmaCross, {"margin": [None, al.Margin(initial=0.5, maintenance=0.25)]})
    assert (cash.settings.margin is None, half.settings.gross) == (True, 2.0)


def test_what_a_strategy_says_of_itself_counts_for_each_variant() -> None:
    found = made(Guarded, {"stop": [0.1, 0.2], "limits.weight": [0.3]})
    assert [v.settings.exits.stop_loss for v in found] == [0.1, 0.2]
    assert {v.settings.limits for v in found} == {al.Limits(gross=0.5, weight=0.3)}
    found = made(Guarded, {"stop": [0.1, 0.2]}, exits=al.Exits(max_holding=3))
    assert {v.settings.exits for v in found} == {al.Exits(max_holding=3)}


def test_a_swept_setting_may_complete_the_others() -> None:
    costs = al.Costs(root_impact_bps=10)
    found = made(SmaCross, {"execution.participation": [None, 0.1]}, costs=costs)
    assert [v.strategy is None for v in found] == [True, False]
    assert found[0].reason.startswith("Costs with an impact")


def test_a_parameter_goes_before_a_setting_of_its_name() -> None:
    class Own(al.Strategy):
        cash: float = 1.0

        def weights(self) -> al.Expr:
            return al.where(al.close > self.cash, 1.0, 0.0)

    (one,) = made(Own, {"cash": [7.0]})
    assert (one.strategy.cash, one.settings.cash) == (7.0, 100_000.0)


# ---- invalid combinations --------------------------------------------------------------------


def test_invalid_combinations_stay_with_their_reason() -> None:
    found = made(SmaCross, {"fast": [5, 20], "slow": [10, 30]})
    assert [v.strategy is None for v in found] == [False, False, True, False]
    reason = "SmaCross(fast=20, slow=10); 1 <= fast < slow"
    assert found[2][:3] == ({"fast": 20, "slow": 10}, None, reason)
    assert "1 <= fast < slow" in found[2].rule and "20" not in found[2].rule
    assert {v.reason for v in found if v.strategy} == {""}


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"n": [0, 5]}, "ts_mean"),  # found only when the expression is made
        ({"n": [2.5, 5]}, "Expected int, got float"),
        ({"n": ["5", 5]}, "Expected int, got str"),
        ({"n": [True, 5]}, "Expected int, got bool"),
        ({"n": [None, 5]}, "Expected int, got None"),
        ({"n": [5], "k": [math.nan, 5]}, "k is a finite number"),
        ({"n": [5], "costs.fee_bps": [-1, 5]}, "Costs: fee_bps=-1"),
        ({"n": [5], "fill": ["soon", "next_open"]}, "Choose from next_open"),
        ({"n": [5], "limits.group": ["sector", None]}, "both the label and the limit"),
        ({"n": [5], "entry.ttl": [3, None]}, "limit_offset_bps"),
        ({"n": [5], "costs": [5, al.Costs()]}, "Expected"),
    ],
)
def test_a_value_that_is_refused_makes_its_combination_invalid(
    space: dict[str, Any], words: str
) -> None:
    bad, good = made(Band, space)
    assert (bad.strategy, bad.settings) == (None, None)
    assert words in bad.reason.replace("null", "None")
    assert "\n" not in bad.reason
    assert isinstance(good.strategy, Band) and isinstance(good.settings, al.RunSettings)


def test_weights_above_the_gross_limit_are_invalid() -> None:
    half, whole = made(["where(close > 0, 1, 0)"], {"limits.gross": [0.5, 1.0]})
    assert "gross exposure of 1 of one asset; the gross limit is 0.5" in half.reason
    assert whole.strategy is not None


def test_an_account_that_does_not_fit_the_assets_is_invalid() -> None:
    assets = [al.Instrument(symbol=s, currency=c) for s, c in (("A", "USD"), ("B", "EUR"))]
    rates = [{"EUR": "eurusd"}, {}]
    space = {"conversions": rates, "currency": ["USD"]}
    good, bad = variants(["close / 1000"], space, {}, assets)[1]
    assert good.settings.conversions == rates[0]
    assert "every other currency has a column" in bad.reason


def test_another_exception_says_where() -> None:
    class Broken(al.Strategy):
        n: int = 1

        def weights(self) -> al.Expr:
            return al.close * (1 / self.n)

    with pytest.raises(ZeroDivisionError) as caught:
        made(Broken, {"n": [1, 0]})
    assert caught.value.__notes__ == ["at n=0"]


# ---- expressions -----------------------------------------------------------------------------


def test_expressions_are_swept_under_their_text() -> None:
    names, found = variants([al.close > 1, "close>1", "close >"], None, {"cash": 10.0}, ASSETS)
    assert names == ("expression",)
    assert [v.params["expression"] for v in found] == ["close > 1.0", "close>1", "close >"]
    assert found[0].strategy == found[1].strategy == ExprStrategy(text="close > 1")
    assert found[2].strategy is None and "close >" in found[2].reason
    assert {v.settings.cash for v in found if v.settings} == {10.0}


def test_expressions_go_with_a_grid_of_settings() -> None:
    names, found = variants(["close", "open"], {"costs.fee_bps": [0, 5]}, {}, ASSETS)
    assert names == ("expression", "costs.fee_bps")
    assert [tuple(v.params.values()) for v in found] == [
        *itertools.product(["close", "open"], [0, 5])
    ]
    assert made(ExprStrategy, {"expression": ["close"]})[0].strategy == ExprStrategy(text="close")


def test_an_expression_is_a_strategy_like_any_other() -> None:
    class Same(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(al.close > al.close.ts_mean(20), 1.0, 0.0)

    bars = al.load("sp500").between("2000-01-01", "2003-12-31")
    written = ExprStrategy(text="where(close>ts_mean(close,20), 1, 0)")
    assert written.text == "where(close > ts_mean(close, 20), 1.0, 0.0)"
    assert al.backtest(written, bars).digest == al.backtest(Same(), bars).digest
    again = pickle.loads(pickle.dumps(written))
    assert again == written and again.weights().same_as(written.weights())
    assert ExprStrategy(text=written.text).id == written.id
    for text in ("close >", "__import__('os')"):
        with pytest.raises(al.errors.InputError):
            ExprStrategy(text=text)
    with pytest.raises(al.errors.ParameterError):
        ExprStrategy(text=5)


# ---- errors ----------------------------------------------------------------------------------

UNKNOWN, PARAMETER = al.errors.UnknownNameError, al.errors.ParameterError

#: what is wrong -> (strategy, space, error, words of its message)
ERRORS: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "name": (SmaCross, {"fst": [1]}, UNKNOWN, "'fst': did you mean 'fast'"),
    "name of a setting": (SmaCross, {"fil": ["next_open"]}, UNKNOWN, "did you mean 'fill'"),
    "field of a setting": (SmaCross, {"costs.fee_bp": [1]}, UNKNOWN, "'costs.fee_bps'"),
    "table": (SmaCross, {"cost.fee_bps": [1]}, UNKNOWN, "did you mean 'costs.fee_bps'"),
    "name in a list": (SmaCross, [{"fast": 1, "slwo": 5}], UNKNOWN, "did you mean 'slow'"),
    "number as a name": (SmaCross, {3: [1]}, PARAMETER, "names are texts"),
    "field of an expression": (["close"], {"text": ["open"]}, UNKNOWN, "'text'"),
    "empty grid": (SmaCross, {}, PARAMETER, "empty grid"),
    "empty list": (SmaCross, [], PARAMETER, "empty list"),
    "empty mapping": (SmaCross, [{}], PARAMETER, "nothing at 0"),
    "no expressions": ([], None, PARAMETER, "expression: no values"),
    "no values": (SmaCross, {"fast": []}, PARAMETER, "fast: no values"),
    "no values of a range": (SmaCross, {"fast": range(5, 5)}, PARAMETER, "fast: no values"),
    "one value": (SmaCross, {"fast": 5}, PARAMETER, "Write [5]"),
    "one text": (Band, {"n": [1], "name": "abc"}, PARAMETER, "name: 'abc'"),
    "a set": (SmaCross, {"fast": {1, 2}}, PARAMETER, "a list, a range or an array"),
    "a mapping": (SmaCross, {"fast": {"a": 1}}, PARAMETER, "a list, a range or an array"),
    "two dimensions": (SmaCross, {"fast": np.ones((2, 2))}, PARAMETER, "one dimension"),
    "no dimension": (SmaCross, {"fast": np.array(5)}, PARAMETER, "one dimension"),
    "value twice": (SmaCross, {"fast": [5, 6, 5]}, PARAMETER, "fast: 5 twice, at 0 and 2"),
    "nearly twice": (SmaCross, {"fast": [5, 5.0]}, PARAMETER, "fast: 5 twice, at 0 and 1"),
    "list value twice": (Band, {"n": [[1], [1]]}, PARAMETER, "[1] twice"),
    "twice": (SmaCross, [{"fast": 5}, {"fast": 6}, {"fast": 6}], PARAMETER, "fast=6 twice, at 1"),
    "expression twice": (["close", al.close], None, PARAMETER, "'close' twice, at 0 and 1"),
    "other names": (SmaCross, [{"fast": 5}, {"slow": 3}], PARAMETER, "slow at 1, but fast at 0"),
    "no mapping": (SmaCross, [{"fast": 5}, 3], PARAMETER, "3 at 1"),
    "frame": (SmaCross, pd.DataFrame({"fast": [5]}), PARAMETER, 'to_dict("records")'),
    "number as a grid": (SmaCross, 5, PARAMETER, "int in place of a grid"),
    "text as a grid": (SmaCross, "fast", PARAMETER, "str in place of a grid"),
    "nothing as a grid": (SmaCross, None, PARAMETER, "a sweep of SmaCross without a grid"),
    "whole and by its fields": (
        SmaCross,
        {"costs.fee_bps": [1], "costs": [al.Costs()]},
        PARAMETER,
        "either as a whole or by its fields",
    ),
    "missing parameter": (Band, {"k": [1.0]}, PARAMETER, "Band without n"),
    "one expression": ("close", None, PARAMETER, "Put it in a list"),
    "one Expr": (al.close, None, PARAMETER, "Put it in a list"),
    "number as an expression": (["close", 5], None, PARAMETER, "5 at 1"),
    "list of strategies": ([SmaCross], {"fast": [5]}, PARAMETER, "are several sweeps"),
    "expressions and a list": (["close"], [{"cash": 5}], PARAMETER, "with a grid of settings"),
    "two kinds of expressions": (["close"], {"expression": ["open"]}, PARAMETER, "swept alone"),
    "no strategy": (dict, {"fast": [5]}, PARAMETER, "dict in place of a strategy"),
    "mapping as a strategy": ({"fast": [5]}, None, PARAMETER, "without a grid"),
    "base class": (al.Strategy, {"cash": [5]}, PARAMETER, "Strategy in place of a strategy"),
    "nothing valid": (
        SmaCross,
        {"fast": [40, 50]},
        PARAMETER,
        "no valid combination of SmaCross among 2",
    ),
    "only a bad expression": (["close >"], None, PARAMETER, "expression='close >', breaks: "),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_wrong_is_said(case: str) -> None:
    strategy, space, kind, words = ERRORS[case]
    with pytest.raises(al.errors.AlphalabError) as caught:
        variants(strategy, space, {}, ASSETS)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert caught.value.rule


def test_too_many_are_counted_not_made() -> None:
    def endless() -> Any:
        for i in itertools.count(1):
            assert i < 100, "more was asked for than is needed to know"
            yield i

    numbers = range(1, 1235)
    for space, words in (
        ({"fast": numbers, "slow": range(1, 1001)}, "grid of 1,234,000 combinations"),
        ({"fast": range(10**30), "slow": [1, 2, 3]}, f"grid of {3 * 10**30:,} combinations"),
        ({"fast": range(10**30, 0, -(10**20))}, f"grid of {10**10:,} combinations"),
        ({"fast": endless()}, "grid of 51 combinations"),
        ([{"fast": i} for i in numbers], "list of 1,234 combinations"),
        (({"fast": i} for i in endless()), "list of more than 50 combinations"),
    ):
        with pytest.raises(al.errors.ParameterError) as caught:
            variants(SmaCross, space, {}, ASSETS, max_columns=50)
        assert words in str(caught.value)
        assert "max_columns=" in caught.value.fix
    with pytest.raises(al.errors.ParameterError, match="grid of 51 combinations"):
        variants((f"close > {i}" for i in endless()), None, {}, ASSETS, max_columns=50)
    assert len(variants(SmaCross, {"slow": range(40, 90)}, {}, ASSETS, max_columns=50)[1]) == 50


def test_settings_of_a_name_follow_the_settings() -> None:
    """Every field of every table can be swept: nothing here knows their names."""
    for field in msgspec.structs.fields(al.RunSettings):
        Family(SmaCross, [field.name], {}, ASSETS)
    for table, cls in (("costs", al.Costs), ("exits", al.Exits), ("margin", al.Margin)):
        Family(SmaCross, [f"{table}.{name}" for name in cls.__struct_fields__], {}, ASSETS)


def test_ten_thousand_variants_are_made_in_no_time() -> None:
    space = {"fast": range(1, 101), "slow": range(20, 70), "costs.fee_bps": [0.0, 5.0]}
    started = time.thread_time()
    found = made(SmaCross, space)
    assert len(found) == 10_000
    assert time.thread_time() - started < 2


def test_every_setting_is_a_keyword_of_a_run() -> None:
    assert set(RunOptions.__annotations__) == set(RunSettings.__struct_fields__)
