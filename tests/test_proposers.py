"""Proposers: within the budget, units that fit, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import alphalab as al
from alphalab.agents.proposers.budget import Budget, Limit, depth, state_bytes
from alphalab.agents.proposers.dimensions import Dimension, dimension_of
from alphalab.agents.proposers.genetic import genetic, neighbours
from alphalab.agents.proposers.growth import grown
from alphalab.agents.proposers.proposal import View
from alphalab.errors import DataError, RefusedError
from alphalab.research.factors.score import Refusal, Score


@pytest.fixture(scope="module")
def view() -> View:
    return View(al.load("synthetic:rows=60,symbols=3,seed=1"))


def test_growth_fits_units_and_budget(view):
    found = grown(view, 300, np.random.default_rng(0))
    assert len({proposal.text for proposal in found}) == 300
    for proposal in found:
        expr = al.parse(proposal.text)
        assert str(expr) == proposal.text
        assert dimension_of(expr) is Dimension.PURE
        assert view.budget.breach(expr) is None


def test_growth_is_a_function_of_its_seed(view):
    one, same, other = (grown(view, 20, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == same != other


def test_what_was_tried_is_not_proposed_again(view):
    first = grown(view, 30, np.random.default_rng(3))
    told = View(view.bars, view.budget, dict.fromkeys(p.text for p in first))
    again = grown(told, 30, np.random.default_rng(3))
    assert not {p.text for p in first} & {p.text for p in again}


def test_columns_without_values_are_not_read():
    closes = View(al.load("sp500_stocks", start="2022-01-01"))
    texts = " ".join(p.text for p in grown(closes, 100, np.random.default_rng(1)))
    assert "close" in texts and "volume" not in texts
    only = View(closes.bars, Budget(columns=("close",)))
    texts = " ".join(p.text for p in grown(only, 100, np.random.default_rng(1)))
    assert not any(name in texts for name in ("open", "high", "low"))


def test_a_budget_that_allows_nothing_gives_nothing(view):
    assert grown(View(view.bars, Budget(nodes=1)), 3, np.random.default_rng(1)) == []


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("ts_median(close, 10000000)", Limit.WARMUP),
        ("ts_mean(close, 506)", Limit.WARMUP),
        ("bars_since(close > 1)", Limit.OPERATOR),
        ("column('news')", Limit.COLUMN),
        ("neg(neg(neg(neg(neg(close)))))", Limit.DEPTH),
        ("close + open + high + low + volume", Limit.NODES),
        ("ts_corr(close, open, 500)", Limit.STATE),
    ],
)
def test_a_text_over_the_budget_names_its_limit(text, limit):
    budget = Budget(
        nodes=8,
        depth=5,
        state_bytes=9_000,
        operators=("ts_mean", "ts_median", "neg", "add", "gt", "ts_corr"),
    )
    breach = budget.breach(al.parse(text))
    assert breach is not None and breach.limit is limit
    with pytest.raises(RefusedError, match="over the budget"):
        budget.check(al.parse(text))


def test_code_of_a_user_is_never_allowed():
    def last(x):
        return x[-1]

    expr = al.python_op(last, [al.close], 2, name="last_of_two")
    assert Budget().breach(expr).limit is Limit.OPERATOR
    assert Budget(operators=("python_op",)).breach(expr).limit is Limit.OPERATOR


def test_measures_of_an_expression():
    assert depth(al.close) == 1 and depth(al.parse("ts_corr(close, open - low, 5)")) == 3
    assert state_bytes(al.parse("ts_rank(close, 5)")) == 8 * 14
    assert state_bytes(al.close) == 0


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("close - ts_mean(low, 3)", Dimension.PRICE),
        ("ts_std(volume, 3)", Dimension.VOLUME),
        ("close * cs_rank(volume)", Dimension.PRICE),
        ("returns(close, 1) * 2", Dimension.PURE),
        ("close * volume", None),
        ("close / volume", None),
        ("ts_rank(close + volume, 3)", None),
        ("hour()", None),
    ],
)
def test_units(text, unit):
    assert dimension_of(al.parse(text)) is unit


def test_a_view_ends_before_the_holdout():
    bars = al.load("sp500_stocks", start="2020-01-01")
    view = View.before(bars, "2021-01-01")
    assert view.bars.end < "2021-01-01" <= bars.between("2021-01-01").start
    with pytest.raises(DataError, match="no rows before"):
        View.before(bars, "2019-01-01")


# ---- breeding --------------------------------------------------------------------------------


def scored(texts: list[str], best: str) -> dict[str, Score]:
    return {
        text: Score(text, 0.0, 1.0, 9.0 if text == best else 1.0, 100, 1.0, Refusal.NONE)
        for text in texts
    }


def test_children_come_from_the_best_and_fit(view):
    texts = [p.text for p in grown(view, 40, np.random.default_rng(1))]
    told = View(view.bars, view.budget, scored(texts, texts[7]))
    found = genetic(told, 100, np.random.default_rng(2))
    assert len({p.text for p in found}) == 100 and not {p.text for p in found} & set(texts)
    for proposal in found:
        expr = al.parse(proposal.text)
        assert dimension_of(expr) is Dimension.PURE and view.budget.breach(expr) is None
        assert set(proposal.parents) <= set(texts)
    kinds = {p.why for p in found}
    assert kinds == {"growth", "window", "crossover", "mutation"}
    bred = [p for p in found if p.parents]
    assert sum(p.parents[0] == texts[7] for p in bred) > 2 * len(bred) / len(texts)
    assert genetic(told, 100, np.random.default_rng(2)) == found


def test_refused_factors_have_no_children(view):
    few = Score("close", 0.1, 1.0, 0.0, 100, 0.1, Refusal.COVERAGE)
    found = genetic(View(view.bars, view.budget, {"close": few}), 10, np.random.default_rng(1))
    assert {p.why for p in found} == {"growth"}


def test_neighbours_move_one_window():
    near = [str(x) for x in neighbours(al.parse("ts_corr(returns(close, 1), volume, 10)"))]
    assert near == [
        "ts_corr(returns(close, 2), volume, 10)",
        "ts_corr(returns(close, 1), volume, 8)",
        "ts_corr(returns(close, 1), volume, 13)",
    ]
    assert neighbours(al.close) == []


def test_windows_stay_above_their_least():
    assert [str(x) for x in neighbours(al.parse("ts_skew(close, 5)"))] == [
        "ts_skew(close, 3)",
        "ts_skew(close, 8)",
    ]
    assert [str(x) for x in neighbours(al.parse("ts_skew(close, 3)"))] == ["ts_skew(close, 5)"]
