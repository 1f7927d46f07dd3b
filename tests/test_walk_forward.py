"""`al.walk_forward`: no choice uses later rows, and one account trades all segments."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import optuna
import pytest
from builders import one_price
from compare import assert_identical
from hypothesis import given
from hypothesis import strategies as st
from sweeping import Told, digest_of_block

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.core.engine import Engine
from alphalab.data.clock.times import NS_DAY, iso
from alphalab.errors import AlphalabError, DataError, ParameterError, StateError, UnknownNameError
from alphalab.expr.plan import Plan
from alphalab.research.results.result import Result
from alphalab.research.run.options import run_settings
from alphalab.research.validation.splits import Fold, make_folds
from alphalab.research.validation.walk_forward import WalkForward
from alphalab.types import FloatArray

Cross: type[al.Strategy] = load_strategy("sma_cross")
GRID = {"fast": [3, 10, 25], "slow": [20, 40, 80]}  # one of the nine is invalid


class Mixed(al.Strategy):
    """A window, a recursion and a cross-section; long and short."""

    n: int = 20
    short: float = 0.0

    def weights(self) -> al.Expr:
        strength = (al.close / al.close.ema(self.n) - 1.0).cs_rank()
        rising = al.close > al.close.ts_mean(self.n)
        long_ago = (al.close.ema(60) / al.close).clip(0.9, 1.1)  # every row before counts
        return al.where(rising, 0.5 + 0.4 * strength, -self.short) * long_ago


class Part(al.Strategy):
    """Hold a part of the equity from the first row on."""

    part: float = 1.0

    def weights(self) -> al.Expr:
        return al.where(al.close > 0, self.part, 0.0)


class Counts(al.Strategy):
    """Holds in the first rows of its life, which it counts, and never again."""

    rows: int = 3
    memory_rows = 1

    def signals(self) -> dict[str, al.Expr | float]:
        return {"rows": al.where(al.close > 0, float(self.rows), 0.0)}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        memory[0] += 1.0
        return np.where(memory[0] <= table[0], 0.5, 0.0)


@pytest.fixture(scope="module")
def bars() -> al.Bars:
    return al.load("sp500").between("2000-01-01", "2004-12-31")


@pytest.fixture(scope="module")
def stocks() -> al.Bars:
    """Three symbols with holes, listed at different times."""
    return al.load("synthetic:rows=700,symbols=3,seed=4")


@pytest.fixture(scope="module")
def walk(bars: al.Bars) -> WalkForward:
    return al.walk_forward(Cross, bars, GRID, train=300, test=100)


def chosen(walk: WalkForward) -> list[al.Strategy]:
    return [found.variants[found.best].strategy for found in walk.sweeps]  # type: ignore[misc]


def sweep_of_training(bars: al.Bars, fold: Fold, space: Any, **more: Any) -> al.Sweep:
    """A plain sweep of the training rows; the expressions see the rows before them."""
    start = np.datetime64(int(bars.time[fold.train[0]]), "ns")
    return al.sweep(Cross, bars.rows(0, fold.train[1]), space, start=start, **more)


def by_hand(walk: WalkForward, options: dict[str, Any], **more: Any) -> Result:
    """One plain backtest of an account that is told what each choice wants in its rows."""
    bars = walk.bars
    told = np.full(bars.close.shape, np.nan)
    for fold, strategy in zip(walk.folds, chosen(walk), strict=True):
        plan = Plan(strategy.expressions(), bars.instruments, bars.n_rows)
        rows = slice(*fold.test)
        told[rows] = plan.run(bars.columns, bars.n_rows)["weights"][rows]
    outside = bars.with_columns({"w": told}).rows(walk.folds[0].test[0], walk.folds[-1].test[1])
    return al.backtest(Told(source="w"), outside, **{**options, **more})


def changed(bars: al.Bars, row: int) -> al.Bars:
    """Other prices from a row on."""
    factor = np.exp(np.random.default_rng(row).normal(0.0, 0.1, bars.close.shape).cumsum(axis=0))
    factor[:row] = 1.0
    prices = {name: bars[name] * factor for name in ("open", "high", "low", "close")}
    return bars.with_columns(prices)


# --- folds ---------------------------------------------------------------------------------------


def folds_of(bars: al.Bars, train: Any, test: Any, **more: Any) -> list[tuple[Any, Any]]:
    folds = make_folds(bars, train, test, more.get("anchored", False), more.get("gap", 0))
    return [tuple(fold) for fold in folds]


def at_days(*days: float) -> al.Bars:
    """Bars of one price whose rows close on these days."""
    time = (np.array(days) * NS_DAY).astype(np.int64)
    return one_price(time, 10.0, periods_per_year=365.0)


TEN = at_days(*range(1, 11))


def test_folds_of_rows() -> None:
    assert folds_of(TEN, 4, 2) == [
        ((0, 4), (4, 6)),
        ((2, 6), (6, 8)),
        ((4, 8), (8, 10)),
    ]
    assert folds_of(TEN, 4, 4) == [((0, 4), (4, 8)), ((4, 8), (8, 10))]  # the last one is shorter
    assert folds_of(TEN, 9, 100) == [((0, 9), (9, 10))]
    assert folds_of(TEN, 4, 3, anchored=True) == [((0, 4), (4, 7)), ((0, 7), (7, 10))]
    assert folds_of(TEN, 4, 3, gap=1) == [((0, 4), (5, 8)), ((3, 7), (8, 10))]
    assert folds_of(TEN, 4, 3, gap=1, anchored=True) == [((0, 4), (5, 8)), ((0, 7), (8, 10))]
    assert folds_of(TEN, np.int64(4), np.int32(2), gap=np.int64(0)) == folds_of(TEN, 4, 2)


def test_folds_of_time_are_those_of_rows_where_rows_are_regular() -> None:
    for gap in (0, 1):
        for anchored in (False, True):
            more = {"gap": gap, "anchored": anchored}
            assert folds_of(TEN, "4d", "3d", **more) == folds_of(TEN, 4, 3, **more)
            assert folds_of(TEN, "96h", 3, **more) == folds_of(TEN, 4, "3d", **more)


def test_folds_of_time_go_by_time() -> None:
    bars = at_days(0, 1, 2, 3, 30, 31, 31.5, 32, 33, 34)
    assert folds_of(bars, "3d", "2d") == [
        ((0, 3), (3, 4)),  # nothing else within two days of the third
        ((1, 4), (4, 7)),  # rows 30, 31 and 31.5; chosen on 1, 2, 3
        ((4, 7), (7, 9)),  # 32 and 33; chosen on what lies after 28.5
        ((5, 9), (9, 10)),
    ]
    ever = "100000000000000d"
    assert folds_of(bars, "3d", ever) == [((0, 3), (3, 10))]
    with pytest.raises(ParameterError, match="at least one test row follows"):
        folds_of(bars, ever, 2)


def test_rows_after_a_hole_are_chosen_for_by_what_was_before_it() -> None:
    assert folds_of(at_days(0, 1, 2, 90, 91), "2d", "1d") == [
        ((0, 2), (2, 3)),
        ((1, 3), (3, 4)),
        ((3, 4), (4, 5)),
    ]


steps = st.lists(st.sampled_from([0.25, 1.0, 1.0, 3.0, 40.0]), min_size=3, max_size=60)
lengths = st.integers(1, 12) | st.sampled_from(["6h", "1d", "5d", "50d"])


@given(steps, lengths, lengths, st.booleans(), st.integers(0, 3))
def test_any_folds(steps: list[float], train: Any, test: Any, anchored: bool, gap: int) -> None:
    bars = at_days(*np.cumsum(steps))
    try:
        folds = list(make_folds(bars, train, test, anchored, gap))
    except ParameterError:
        return
    assert folds[-1].test[1] == bars.n_rows
    assert all(before.test[1] == after.test[0] for before, after in pairwise(folds))
    day = bars.time / NS_DAY
    for fold in folds:
        (a, b), (c, d) = fold
        assert 0 <= a < b == c - gap and c < d
        if anchored:
            assert a == 0
        elif isinstance(train, int):
            assert b - a == train
        else:
            length = {"6h": 0.25, "1d": 1, "5d": 5, "50d": 50}[train]
            assert day[b - 1] - day[a] < length and (a == 0 or day[b - 1] - day[a - 1] >= length)
        if isinstance(test, int):
            assert d == min(c + test, bars.n_rows)


# --- what is chosen ------------------------------------------------------------------------------

OPTIONS = {"costs": al.Costs(fee_bps=3)}


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("metric", ["sharpe", "max_drawdown"])
def test_each_choice_is_the_best_of_a_sweep_of_its_rows(
    bars: al.Bars, anchored: bool, metric: str
) -> None:
    more = {"train": "400d", "test": 150, "gap": 5, "anchored": anchored}
    walk = al.walk_forward(Cross, bars, GRID, metric=metric, **more, **OPTIONS)
    assert [tuple(fold) for fold in walk.folds] == folds_of(bars, **more)
    assert len(walk.folds) > 4 and len(set(walk.table["fast"])) > 1
    for i, (fold, found) in enumerate(zip(walk.folds, walk.sweeps, strict=True)):
        alone = sweep_of_training(bars, fold, GRID, metric=metric, **OPTIONS)
        assert found.bars.time.tolist() == bars.time[slice(*fold.train)].tolist()
        assert found.table.equals(alone.table) and found.best == alone.best
        params = alone.variants[alone.best].params
        assert walk.table.loc[i, [*params]].to_dict() == params
        assert found.result(found.best).digest == alone.table.digest[alone.best]


def searching(**more: Any) -> al.Search:
    return al.Search({"fast": (2, 30), "slow": (40, 90)}, n_trials=8, batch=4, **more)


PAIRS = [{"fast": 3, "slow": 20}, {"fast": 25, "slow": 40}, {"fast": 5, "slow": 90}]
SPACES: dict[str, Callable[[], Any]] = {
    "list": lambda: PAIRS,
    "list that can be read once": lambda: (pair for pair in PAIRS),
    "values that can be read once": lambda: {"fast": iter([3, 25]), "slow": np.array([40, 80])},
    "tpe": lambda: searching(sampler="tpe"),
    "random": lambda: searching(sampler="random", seed=4),
    "a sampler of Optuna": lambda: searching(sampler=optuna.samplers.RandomSampler(seed=3)),
}


@pytest.mark.parametrize("kind", SPACES)
def test_other_spaces(bars: al.Bars, kind: str) -> None:
    walk = al.walk_forward(Cross, bars, SPACES[kind](), train=400, test=300)
    assert len(walk.folds) == 3
    for fold, found in zip(walk.folds, walk.sweeps, strict=True):
        alone = sweep_of_training(bars, fold, SPACES[kind]())
        assert found.table.equals(alone.table)


def test_one_of_several_expressions(stocks: al.Bars) -> None:
    alphas = [al.cs_scale(al.cs_rank(al.close.returns(n))) for n in (2, 20)]
    texts = [*map(str, alphas), "where(close > 0.0, 0.1, 0.0)"]
    walk = al.walk_forward((text for text in texts), stocks, train=200, test=100)
    assert len(walk.folds) == 5 and len(set(walk.table["expression"])) > 1
    assert set(walk.table["expression"]) <= set(texts)
    assert walk.result.digest == by_hand(walk, {}).digest
    for strategy, space in ((alphas, None), (al.ExprStrategy, {"expression": texts})):
        other = al.walk_forward(strategy, stocks, space, train=200, test=100)
        assert strategy is alphas or other.result.digest == walk.result.digest
        assert other.sweeps[0].names == ("expression",)


def test_an_instance_keeps_what_is_not_varied(bars: al.Bars) -> None:
    walk = al.walk_forward(Cross(slow=90), bars, {"fast": [5, 50]}, train=500, test=400)
    assert {strategy.slow for strategy in chosen(walk)} == {90}  # type: ignore[attr-defined]
    assert walk.result.params["slow"] == 90


# --- what is traded ------------------------------------------------------------------------------

ACCOUNTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "costs": {"costs": al.Costs(fee_bps=10, spread_bps=2), "cash": 5_000.0},
    "every row": {"rebalance": al.Rebalance.every_row(), "fill": "next_close"},
    "drift": {"rebalance": al.Rebalance.drift(0.02, cooldown=7)},
    "daily": {"rebalance": al.Rebalance.calendar("day")},
    "limits": {"limits": al.Limits(weight=0.3, daily_loss=0.02, drawdown=0.3)},
    "exits": {"exits": al.Exits(stop_loss=0.03, take_profit=0.05)},
    "limit orders": {"entry": al.Entry(limit_offset_bps=20.0), "execution": al.Execution(delay=1)},
    "margin": {
        "margin": al.Margin(initial=0.4, maintenance=0.2),
        "financing": al.Financing(borrow_bps=100.0),
    },
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_one_account_is_told_what_each_choice_wants(stocks: al.Bars, name: str) -> None:
    options = ACCOUNTS[name]
    short = [0.0, 0.2] if name == "margin" else [0.0]
    space = {"n": [3, 10, 40], "short": short}
    walk = al.walk_forward(
        Mixed, stocks, space, train=150, test=60, metric="total_return", **options
    )
    assert len(walk.folds) == 10 and len(set(walk.table["n"])) > 1
    told = by_hand(walk, options)
    result = walk.result
    for table in ("ledger", "fills", "refusals", "events", "postings", "ambiguities"):
        assert getattr(result.record, table).tobytes() == getattr(told.record, table).tobytes()
    assert_identical(result.record.qty, told.record.qty)
    assert_identical(result.record.targets, told.record.targets)
    assert result.digest == told.digest
    assert result.record.fills.size > 20
    same = {k: v for k, v in told.metrics.items() if not math.isnan(v)}
    assert {k: v for k, v in result.metrics.items() if not math.isnan(v)} == same


def test_a_position_goes_over_to_the_next_choice_as_it_is(bars: al.Bars) -> None:
    walk = al.walk_forward(Cross, bars, GRID, train=250, test=20)
    result, first = walk.result, walk.folds[0].test[0]
    held = 0
    for (before, after), fold in zip(pairwise(chosen(walk)), walk.folds[1:], strict=True):
        row = fold.test[0] - first
        decided = result.record.fills["order_row"] == row
        if result.record.targets[row - 1] == result.record.targets[row]:
            assert not decided.any()
            held += before != after and result.record.qty[row, 0] > 0
            assert result.record.qty[row, 0] == result.record.qty[row + 1, 0]
        else:
            assert decided.any()
    assert held > 2


def test_one_fold_is_an_engine_that_has_seen_the_rows_before(stocks: al.Bars) -> None:
    for strategy in (Mixed(n=30), Counts(rows=100)):
        space = {name: [value] for name, value in msgspec.structs.asdict(strategy).items()}
        walk = al.walk_forward(
            type(strategy), stocks, space, train=300, gap=7, test=10_000, metric="total_return"
        )
        assert walk.folds == (Fold((0, 300), (307, 700)),)
        engine = Engine(strategy, stocks.instruments, run_settings(strategy, {}), capacity=13)
        engine.warm({name: stocks[name][:307] for name in engine.plan.columns})
        rows = slice(307, 700)
        block = engine.push(
            stocks.time[rows], {name: x[rows] for name, x in stocks.columns.items()}
        )
        assert walk.result.digest == digest_of_block(block)
        assert walk.result.params == msgspec.structs.asdict(strategy)
        assert walk.result.expressions == {k: str(x) for k, x in strategy.expressions().items()}
    assert by_hand(walk_of_one(stocks), {}).digest == walk_of_one(stocks).result.digest


def walk_of_one(bars: al.Bars) -> WalkForward:
    return al.walk_forward(Mixed, bars, {"n": [30]}, train=300, test=10_000)


def test_the_memory_of_a_decide_begins_at_zeros_in_every_fold(bars: al.Bars) -> None:
    walk = al.walk_forward(
        Counts, bars, {"rows": [4, 6, 9]}, train=300, test=50, metric="total_return"
    )
    wanted = [
        0.5 if row < strategy.rows else 0.0  # type: ignore[attr-defined]
        for fold, strategy in zip(walk.folds, chosen(walk), strict=True)
        for row in range(fold.test[1] - fold.test[0])
    ]
    assert len(set(walk.table["rows"])) > 1
    assert walk.result.record.targets[:, 0].tolist() == wanted


def test_a_strategy_that_reads_no_column(bars: al.Bars) -> None:
    walk = al.walk_forward(["0.5", "1.0"], bars, train=300, test=100)
    assert walk.result.record.fills.size == 1 + len(
        [1 for before, after in pairwise(chosen(walk)) if before != after]
    )


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(
    bars: al.Bars, walk: WalkForward, n_jobs: int
) -> None:
    other = al.walk_forward(Cross, bars, GRID, train=300, test=100, n_jobs=n_jobs)
    assert other.table.equals(walk.table)
    assert other.result.digest == walk.result.digest


# --- nothing is known before its time ------------------------------------------------------------


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("gap", [0, 15])
def test_what_comes_later_changes_nothing_before(bars: al.Bars, anchored: bool, gap: int) -> None:
    more: dict[str, Any] = {"train": 300, "test": 120, "anchored": anchored, "gap": gap}
    more |= {
        "rebalance": al.Rebalance.every_row(),
        "quality": "accept",
        **OPTIONS,
    }  # prices are changed
    walk = al.walk_forward(Cross, bars, GRID, **more)
    first = walk.folds[0].test[0]
    rows = {fold.test[0] for fold in walk.folds} | {fold.train[1] for fold in walk.folds[1:]}
    for row in sorted(rows | {first + 1, first + 77, bars.n_rows - 1}):
        other = al.walk_forward(Cross, changed(bars, row), GRID, **more)
        for fold, ours, theirs in zip(walk.folds, walk.sweeps, other.sweeps, strict=True):
            known = fold.train[1] <= row
            assert ours.table.equals(theirs.table) == known
            assert not known or ours.best == theirs.best
        before = slice(0, row - first)
        assert_identical(
            walk.result.record.ledger["equity"][before],
            other.result.record.ledger["equity"][before],
        )
        assert_identical(walk.result.record.qty[before], other.result.record.qty[before])
        assert walk.result.digest != other.result.digest


# --- what it says --------------------------------------------------------------------------------


def by_steps(closes: Sequence[float], periods_per_year: float) -> al.Bars:
    """Bars that open at the close before."""
    close = np.array(closes)[:, None]
    open_ = np.concatenate([close[:1], close[:-1]])
    columns = {
        "open": open_,
        "high": np.maximum(open_, close),
        "low": np.minimum(open_, close),
        "close": close,
        "volume": close,
    }
    time = NS_DAY * np.arange(1, close.size + 1)
    return al.Bars(time, ["A"], columns, periods_per_year=periods_per_year)


def test_a_small_case_by_hand() -> None:
    # Decided at a close, bought at the same price: the next row opens there.
    bars = by_steps([100.0, 110.0, 121.0, 121.0, 96.8, 96.8, 106.48], periods_per_year=3.0)
    walk = al.walk_forward(
        Part, bars, {"part": [0.5, 1.0]}, train=3, test=2, metric="total_return", cash=1_000.0
    )
    assert walk.folds == (Fold((0, 3), (3, 5)), Fold((2, 5), (5, 7)))
    # First rows 0 to 2: +21 %, or half of it. Then rows 2 to 4: -20 %, or half of it.
    assert walk.table["part"].tolist() == [1.0, 0.5]
    # All of 1,000 bought at 121 is worth 800 in row 4; half is sold there, the rest gains 10 %.
    equity = walk.result.record.ledger["equity"]
    assert equity == pytest.approx([1000.0, 800.0, 800.0, 840.0], rel=1e-12)
    row = walk.table.to_dict("list")
    day = np.datetime64("1970-01-01")
    times = [("train_start", 0, 2), ("train_end", 2, 4), ("test_start", 3, 5), ("test_end", 4, 6)]
    for name, *rows in times:
        assert [x.tz_localize(None).to_datetime64() for x in row[name]] == [
            day + np.timedelta64(i + 1, "D") for i in rows
        ]
    figures = {
        "train_total_return": [0.21, -0.1],
        "train_max_drawdown": [0.0, 0.1],
        "test_total_return": [-0.2, 0.05],
        "test_max_drawdown": [0.2, 0.0],
        "test_sharpe": [-math.sqrt(0.5) * math.sqrt(3.0), math.sqrt(0.5) * math.sqrt(3.0)],
    }
    for name, expected in figures.items():
        assert row[name] == pytest.approx(expected, rel=1e-9, abs=1e-12), name
    # A year is three rows: the choices made 21 % and -10 % in one.
    assert walk.efficiency == pytest.approx((0.84**0.75 - 1) / ((0.21 - 0.10) / 2), rel=1e-9)
    assert repr(walk) == (
        "<WalkForward Part: 2 folds, out of sample 1970-01-05 to 1970-01-08, sharpe -0.565, "
        "efficiency -2.23>"
    ).replace("-0.565", f"{walk.result.metrics['sharpe']:.3f}")


def test_without_a_gain_in_sample_there_is_no_efficiency() -> None:
    bars = by_steps([100.0, 90.0, 80.0, 70.0, 60.0, 50.0], periods_per_year=3.0)
    walk = al.walk_forward(Part, bars, {"part": [1.0]}, train=3, test=2, metric="total_return")
    assert math.isnan(walk.efficiency)


def test_the_table_has_the_figure_that_was_chosen_by(bars: al.Bars) -> None:
    walk = al.walk_forward(Cross, bars, GRID, train=500, test=400, metric="calmar")
    best = [found.metrics["calmar"].max() for found in walk.sweeps]
    assert walk.table["train_calmar"].tolist() == [
        np.nanmax(found.metrics["calmar"]) for found in walk.sweeps
    ]
    assert len(best) == len(walk.table)


def test_figures_of_the_folds_are_those_of_the_account(walk: WalkForward) -> None:
    table = walk.table
    total = np.prod(1 + table["test_total_return"]) - 1
    assert total == pytest.approx(walk.result.metrics["total_return"], rel=1e-12)
    for i, (fold, found) in enumerate(zip(walk.folds, walk.sweeps, strict=True)):
        alone = found.result(found.best).metrics
        names = ("total_return", "sharpe", "max_drawdown")
        in_sample = [alone[name] for name in names]
        assert table.loc[i, [f"train_{x}" for x in names]].tolist() == pytest.approx(in_sample)
        assert fold.test[1] - fold.test[0] == 100 or i == len(walk.folds) - 1


def test_the_result_says_what_was_chosen_when(walk: WalkForward) -> None:
    result, table = walk.result, walk.table
    assert result.params == {name: table[name].tolist() for name in ("fast", "slow")}
    texts = {"weights": str(chosen(walk)[0].weights())}
    for fold, (before, after) in zip(walk.folds[1:], pairwise(chosen(walk)), strict=True):
        if before != after:
            texts[f"weights from {iso(walk.bars.time[fold.test[0]])}"] = str(after.weights())
    assert result.expressions == texts and len(texts) > 2
    assert (result.bars.start, result.bars.end) == (
        iso(walk.bars.time[walk.folds[0].test[0]]),
        walk.bars.end,
    )
    assert result.to_dict()["params"] == result.params


def test_the_report_is_written(walk: WalkForward, tmp_path: Path) -> None:
    page = walk.result.to_html(tmp_path / "walk.html").read_text()
    fast = walk.table["fast"].tolist()
    assert f"fast = {fast}" in page
    assert "weights from 20" in page and walk.result.digest in page


def test_the_plot_has_a_line_where_a_choice_takes_over(walk: WalkForward) -> None:
    figure, plain = walk.plot(), walk.result.plot()
    lines = figure.layout.shapes[len(plain.layout.shapes) :]
    begins = [iso(walk.bars.time[fold.test[0]]) for fold in walk.folds[1:]]
    assert [line.x0 for line in lines] == [x for x in begins for _ in range(3)]  # in three plots
    assert all(line.x0 == line.x1 and (line.y0, line.y1) == (0, 1) for line in lines)
    assert {line.yref for line in lines} == {"y domain", "y2 domain", "y3 domain"}
    assert len(figure.data) == len(plain.data)


# --- run again -----------------------------------------------------------------------------------


def test_the_interval_runs_the_walk_again(stocks: al.Bars) -> None:
    options = {"exits": al.Exits(stop_loss=0.01, take_profit=0.01)}
    walk = al.walk_forward(
        Mixed, stocks, {"n": [3, 10, 40]}, train=150, test=100, metric="total_return", **options
    )
    interval = walk.result.interval()
    assert interval.equals(by_hand(walk, options).interval())
    assert interval.loc["total_return"].nunique() == 3
    optimistic = by_hand(walk, options, execution=al.Execution(path="optimistic"))
    assert interval["optimistic"].equals(optimistic.interval()["optimistic"])


def test_the_fee_to_break_even_at_runs_the_walk_again(bars: al.Bars) -> None:
    walk = al.walk_forward(Cross, bars, {"fast": [3, 10], "slow": [20, 40]}, train=300, test=200)
    told = by_hand(walk, {})
    assert math.isfinite(walk.result.break_even_bps())
    assert walk.result.break_even_bps() == told.break_even_bps()
    fee = al.Costs(fee_bps=walk.result.break_even_bps())
    assert abs(by_hand(walk, {}, costs=fee).metrics["total_return"]) < 1e-3


# --- interruptions and progress ------------------------------------------------------------------


def interrupts_at(row_after: int) -> tuple[Any, list[int]]:
    """An alpha that sends Ctrl-C to this process, once it has been called so often."""
    calls: list[int] = []

    def stop(x: FloatArray) -> FloatArray:
        calls.append(1)
        if len(calls) == row_after:
            os.kill(os.getpid(), signal.SIGINT)
        return np.where(x[-1] > x[0], 1.0, 0.5)

    return al.python_op(stop, [al.close], 2, version="1"), calls


def test_after_an_interruption_there_is_what_was_finished(bars: al.Bars) -> None:
    bars = bars.rows(0, 450)
    alpha, calls = interrupts_at(250)  # 100 calls a fold: in the third
    with pytest.warns(UserWarning, match="^interrupted after 2 of 7 folds$"):
        walk = al.walk_forward([alpha], bars, train=100, test=50, n_jobs=1)
    assert calls
    assert walk.stopped == ("interrupted", "interrupted after 2 of 7 folds")
    assert walk.stopped.text in repr(walk)
    assert [tuple(fold) for fold in walk.folds] == folds_of(bars, 100, 50)[:2]
    assert walk.result.bars.n_rows == 100 and len(walk.table) == 2
    whole = al.walk_forward([alpha], bars, train=100, test=50, n_jobs=1)
    assert whole.stopped is None and len(whole.folds) == 7
    assert_identical(whole.result.equity_path[:101], walk.result.equity_path)


def test_an_interruption_of_the_first_fold_is_one(bars: al.Bars) -> None:
    alpha, _ = interrupts_at(20)
    with pytest.raises(KeyboardInterrupt):
        al.walk_forward([alpha], bars, train=100, test=50, n_jobs=1)


def test_progress_goes_to_stderr(
    bars: al.Bars, walk: WalkForward, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = al.walk_forward(Cross, bars, GRID, train=300, test=100, progress=True)
    out, _ = capsys.readouterr()
    assert out == ""
    assert shown.result.digest == walk.result.digest


# --- bad input -----------------------------------------------------------------------------------

LENGTHS = [
    *(0, -5, 1.5, True, None, math.nan, "", "5", "0d", "5 d", "-3d", "1y", "d", "1.5d"),
    timedelta(days=3),
]


@pytest.mark.parametrize("name", ["train", "test"])
@pytest.mark.parametrize("length", LENGTHS, ids=repr)
def test_what_is_no_length_is_refused(bars: al.Bars, name: str, length: Any) -> None:
    given = {"train": 100, "test": 50, name: length}
    with pytest.raises(ParameterError) as caught:
        al.walk_forward(Cross, bars, GRID, **given)
    assert str(caught.value) == (
        f"{name}={length!r}\n  Rule: {name} is a number of rows, at least 1, or a duration such as "
        "'365d' or '12h'."
    )


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no rows left": ({"train": 5000}, ParameterError, r"^walk_forward\(train=5000, gap=0\) on"),
    "exactly none left": ({"train": 1254, "gap": 2}, ParameterError, "at least one test row"),
    "more time than there is": ({"train": "9999999d"}, ParameterError, "Use fewer training rows"),
    "a gap too long": ({"gap": 5000}, ParameterError, r"gap=5000\) on"),
    "a negative gap": ({"gap": -1}, ParameterError, "^gap=-1\n.*at least 0"),
    "no gap of rows": ({"gap": "5d"}, ParameterError, "^gap='5d'"),
    "a gap that is true": ({"gap": True}, ParameterError, "^gap=True"),
    "no bars": ({"bars": [1, 2]}, ParameterError, r"walk_forward\(\.\.\., list\)\n.*al\.load"),
    "no strategy": ({"strategy": 5}, ParameterError, "int in place of a strategy"),
    "a name of a strategy": ({"strategy": "sma_cross"}, ParameterError, "in place of a strategy"),
    "no expressions": ({"strategy": [], "space": None}, ParameterError, "expression: no values"),
    "an expression that is none": ({"strategy": [7], "space": None}, ParameterError, "7 at 0"),
    "expressions and settings": (
        {"strategy": ["close > 1"], "space": {"costs.fee_bps": [1, 2]}},
        ParameterError,
        "^walk_forward over costs.fee_bps\n.*one set of settings.*once for each value",
    ),
    "settings": ({"space": {"fast": [5], "fill": ["next_open"]}}, ParameterError, "over fill\n"),
    "settings of a search": (
        {"space": al.Search({"costs.fee_bps": (0.0, 5.0)}, n_trials=2)},
        ParameterError,
        "over costs.fee_bps\n",
    ),
    "a study": (
        {"space": al.Search({"fast": (2, 9)}, study=optuna.create_study(direction="maximize"))},
        ParameterError,
        "^walk_forward with a study\n.*sampler in place",
    ),
    "no space": ({"space": None}, ParameterError, "without a grid"),
    "an empty grid": ({"space": {}}, ParameterError, "an empty grid"),
    "no values": ({"space": {"fast": []}}, ParameterError, "fast: no values"),
    "a list of nothing": ({"space": []}, ParameterError, "an empty list"),
    "too many": ({"max_columns": 8}, ParameterError, "^grid of 9 combinations"),
    "none is valid": ({"space": {"fast": [50], "slow": [5]}}, ParameterError, "no valid comb"),
    "an unknown name": ({"space": {"fats": [5]}}, UnknownNameError, "did you mean 'fast'"),
    "an unknown metric": ({"metric": "sharp"}, UnknownNameError, "did you mean 'sharpe'"),
    "bad cash": ({"cash": -5.0}, ParameterError, "cash=-5"),
    "an unknown keyword": (
        {"results": "kept.db"},
        al.errors.UnknownNameError,
        "unknown keyword .results",
    ),
    "no figure": (
        {"space": {"fast": [200], "slow": [300]}},
        StateError,
        r"^fold 1 of \d+, chosen on 2000-01-\S+ to \S+: no column has a sharpe\n.*total_return",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_the_rule(bars: al.Bars, name: str) -> None:
    given, kind, said = BAD[name]
    call = {"strategy": Cross, "bars": bars, "space": GRID, "train": 100, "test": 50} | given
    with pytest.raises(kind, match=f"(?s){said}") as caught:
        al.walk_forward(**call)
    if isinstance(caught.value, AlphalabError):
        assert caught.value.rule and not isinstance(caught.value, DataError)


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_hardly_any_rows(bars: al.Bars, n_rows: int) -> None:
    given = {"train": 1, "test": 1, "metric": "total_return"}
    if n_rows == 1:
        with pytest.raises(ParameterError, match="at least one test row"):
            al.walk_forward(Part, bars.rows(0, 1), {"part": [1.0]}, **given)
        return
    walk = al.walk_forward(Part, bars.rows(0, n_rows), {"part": [0.5, 1.0]}, **given)
    assert len(walk.folds) == n_rows - 1
    assert math.isnan(walk.efficiency) and "nan" in repr(walk)
    assert len(walk.table) == n_rows - 1


@pytest.mark.parametrize(
    "run",
    [
        lambda bars: al.backtest(Cross(), bars, csh=1.0),
        lambda bars: al.sweep(Cross, bars, {"fast": [5]}, csh=1.0),
        lambda bars: al.walk_forward(Cross, bars, {"fast": [5]}, train=100, test=50, csh=1.0),
    ],
    ids=["backtest", "sweep", "walk_forward"],
)
def test_a_keyword_that_does_not_exist_is_refused(bars: al.Bars, run: Any) -> None:
    with pytest.raises(
        al.errors.UnknownNameError, match="unknown keyword 'csh': did you mean 'cash'"
    ):
        run(bars)
