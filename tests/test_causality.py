"""The causality check: it finds every planted leak, and refuses no clean strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from leak_zoo import Case, Signal, clean, column, index, leaks, user

import alphalab as al
from alphalab.research.validation.causality import check_causality
from alphalab.research.validation.leaks import Causality
from alphalab.research.validation.perturb import HOWS, perturbed, perturbed_table

LEAKS, CLEAN = leaks(), clean()


def check(case: Case, **more: Any) -> Causality:
    return check_causality(
        case.strategy,
        case.bars,
        prepare=case.prepare,
        tables=case.tables,
        **case.options,
        **more,
    )


def test_the_zoo_is_large():
    assert len(LEAKS) >= 30
    assert len(CLEAN) >= 30


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught(name):
    case = LEAKS[name]
    found = check(case)
    assert not found.ok
    assert not found.proved
    first = found.leaks[0]
    assert first.output == case.output
    assert case.source in first.source
    assert 0 <= first.row <= first.cut
    assert first.row < case.bars.n_rows - 1


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_clean_is_accused(name):
    case = CLEAN[name]
    found = check(case, n_cuts=8)
    assert found.ok, str(found)
    built_in = case.prepare is None and not callable(case.strategy)
    made = not isinstance(case.strategy, al.Strategy)
    free = (
        made or type(case.strategy).decide is not None or ("operator" in name and "rec" not in name)
    )
    assert found.proved == (built_in and not free)
    # An observation without a value is refused, whoever makes it up.
    assert set(found.untested) == ({"nan"} if name.startswith("observations") else set())


@pytest.mark.parametrize("sizing", ["by_value", "at_decision"])
def test_orders_that_repeat_refused_ones_are_no_leak(sizing):
    """They are logged when something comes of them, in a later row."""
    bars = al.load("sp500_stocks", start="2018-01-01").rows(0, 60)
    assets = [al.Instrument(symbol=name, lot=1.0, min_value=500.0) for name in bars.symbols]
    bars = al.Bars(bars.time, bars.symbols, bars.columns, instruments=assets)
    strategy = al.ExprStrategy(text="cs_scale(maximum(cs_zscore(returns(close, 5)), 0))")
    assert (al.backtest(strategy, bars, sizing=sizing).refusals["reason"] == "MIN_VALUE").any()
    assert al.check_causality(strategy, bars, sizing=sizing).leaks == ()


def test_the_first_leaking_row_is_found_by_bisection():
    """The column knows the next return from row 237 on, and nothing before."""

    def late(x):
        ahead = x.pct_change().shift(-1)
        return ahead.where(np.arange(len(x))[:, np.newaxis] >= 237, 0.0)

    first = check(user(late)).leaks[0]
    assert (first.output, first.row, first.cut) == ("signals", 237, 237)
    assert first.time == index().rows(237, 238).start


@pytest.mark.parametrize(
    "name",
    [
        "negative shift",
        "threshold from everything",
        "survivorship",
        "same-bar fill",
        "revision before it was published",
        "closure over the data",
    ],
)
def test_the_counter_example_runs_and_shows_two_values(name, capsys):
    case = LEAKS[name]
    leak = check(case).leaks[0]
    names = {
        "strategy": case.strategy,
        "bars": case.bars,
        "prepare": case.prepare,
        "tables": case.tables,
    }
    if "function" in leak.counter_example:
        names["function"] = _python(case)
    exec(leak.counter_example, names)
    printed = capsys.readouterr().out.strip().splitlines()
    if leak.how not in ("same bar", "held data"):
        assert len(printed) == 2
        assert printed[0] != printed[1]
    assert len(leak.counter_example.splitlines()) <= 5


def _python(case: Case) -> Any:
    from alphalab.research.validation.free_code import _functions

    return next(_functions(case.strategy))[1]


def test_what_is_not_the_same_twice_is_said():
    rng = np.random.default_rng()
    found = check(Case(Signal(), index(), column(lambda x: rng.normal(size=x.shape))))
    assert found.leaks[0].how == "again"
    assert "not the same when run again" in str(found.leaks[0])


def test_a_future_that_the_code_cannot_take_is_named():
    def fragile(x):
        if x.isna().any().any():
            raise ValueError("no gaps, please")
        return x.pct_change()

    found = check(Case(Signal(), index(), column(fragile)))
    assert found.ok
    assert found.untested == {"nan": "at 16 of 16 cuts: ValueError: no gaps, please"}


def test_code_that_fails_on_most_futures_is_an_error():
    def only_all(bars):
        if bars.n_rows < index().n_rows or not (bars.close == index().close).all():
            raise ValueError("other bars")
        return bars

    with pytest.raises(ValueError, match="other bars"):
        check(Case(CLEAN["sma_cross"].strategy, index(), only_all))


@pytest.mark.parametrize("how", HOWS)
def test_other_futures_keep_the_past_and_change_the_rest(how):
    bars = LEAKS["survivorship"].bars
    changed = perturbed(bars, 260, how)
    n = changed.n_rows
    for name, values in bars.columns.items():
        np.testing.assert_array_equal(changed[name][:261], values[:261])
        if how != "drop":
            assert not np.array_equal(changed[name][261:n], values[261:], equal_nan=True)
    assert n == (261 if how == "drop" else bars.n_rows)


@pytest.mark.parametrize("how", HOWS)
def test_other_futures_of_a_table_keep_what_was_known(how):
    survey = LEAKS["observation stamped early"].tables["survey"]
    moment = int(index().time[200])
    changed = perturbed_table(survey, moment, how)
    known = survey["known"].astype("datetime64[ns, UTC]").astype("int64") <= moment
    kept = changed.loc[changed.index.isin(survey.index[known])]
    assert kept.equals(survey[known])
    assert not changed["value"].equals(survey["value"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_causality(Signal(), index().rows(0, 10)), "10 rows.*at least 20"),
        (lambda: check_causality(Signal(), index(), n_cuts=1), "n_cuts=1"),
        (lambda: check_causality(Signal(), index(), tables={"x": None}), "tables without prepare"),
        (
            lambda: check_causality(Signal(), index(), prepare=lambda bars: None),
            "prepare returned NoneType",
        ),
        (lambda: perturbed(index(), 399, "nan"), "cut=399 of 400"),
        (lambda: perturbed(index(), 3, "swap"), "unknown way to change the future 'swap'"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(al.errors.InputError, match=f"(?s){message}"):
        call()
