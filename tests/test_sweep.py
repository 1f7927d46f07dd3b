"""`al.sweep` end to end: every column equals its backtest, and saved columns are not run again."""

from __future__ import annotations

import json
import math
import os
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.core.columns import Column
from alphalab.errors import AlphalabError, ParameterError, StateError, UnknownNameError
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER
from alphalab.research.sweep import work as sweeping_module
from alphalab.research.sweep.result import Sweep

ROOT = Path(al.__file__).parents[1]
Cross: type[al.Strategy] = load_strategy("sma_cross")
GRID = {"fast": [3, 10, 40], "slow": [20, 50]}  # one of the six is invalid


class Ladder(al.Strategy):
    """Decides row by row: buys a rise, leaves after some rows."""

    rows: int = 4
    part: float = 0.5
    memory_rows = 1

    def signals(self) -> dict[str, al.Expr | float]:
        return {"rise": al.close.returns(1), "rows": float(self.rows), "part": self.part}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        targets = np.full(table.shape[1], np.nan)
        for j in range(targets.size):
            memory[0, j] = memory[0, j] + 1.0 if account.positions[j]["qty"] > 0.0 else 0.0
            if memory[0, j] >= table[1, j]:
                targets[j] = 0.0
            elif table[0, j] > 0.0 and memory[0, j] == 0.0:
                targets[j] = table[2, j] / targets.size
        return targets


class Ranked(al.Strategy):
    """The best of several assets, in equal parts."""

    n: int = 20
    part: float = 0.1

    def weights(self) -> al.Expr:
        return al.where(al.close.returns(self.n).cs_rank() > 0.5, self.part, 0.0)


@pytest.fixture(scope="module")
def bars() -> al.Bars:
    return al.load("sp500").rows(0, 900)


@pytest.fixture(scope="module")
def stocks() -> al.Bars:
    return al.load("sp500_stocks", start="2019-01-01", end="2020-12-31")


def check(sweep: Sweep) -> Sweep:
    """Compare every column with its backtest."""
    assert sweep.counts["ok"] > 0 and not sweep.counts["not run"]
    for i, status in enumerate(sweep.table["status"]):
        if status == "invalid":
            assert sweep.table.digest[i] == ""
            continue
        result = sweep.result(i)
        assert result.digest == sweep.table.digest[i], f"column {i}"
        for name in METRICS:
            got = sweep.table[name][i]
            expected = result.metrics.get(name, result.record.refusals.size)
            assert got == pytest.approx(expected, rel=1e-12, abs=1e-11, nan_ok=True), name
    return sweep


# --- what can be swept ---------------------------------------------------------------------------


def test_a_grid(bars: al.Bars) -> None:
    sweep = check(al.sweep(Cross, bars, GRID, costs=al.Costs(fee_bps=10)))
    table = sweep.table
    place = METRICS.index("sharpe") + 1
    figures = (*METRICS[:place], "deflated_sharpe", *METRICS[place:])
    assert list(table.columns) == ["fast", "slow", "status", *figures, "digest", "reason"]
    assert table.index.name == "column" and list(table.index) == list(range(6))
    assert table[["fast", "slow"]].to_numpy().tolist() == [
        *([3, 20], [3, 50], [10, 20], [10, 50], [40, 20], [40, 50])
    ]
    assert (sweep.strategy, sweep.names, sweep.metric) == ("SmaCross", ("fast", "slow"), "sharpe")
    assert sweep.stopped is None and sweep.warnings == () and sweep.seconds > 0.0
    assert table["digest"][table["status"] == "ok"].nunique() == 5


def test_columns_are_those_of_backtests_that_the_sweep_does_not_know(bars: al.Bars) -> None:
    sweep = al.sweep(Cross, bars, GRID, costs=al.Costs(fee_bps=10), fill="next_close")
    costs = al.Costs(fee_bps=10)
    alone = al.backtest(Cross(fast=10, slow=50), bars, costs=costs, fill="next_close")
    assert sweep.table.digest[3] == alone.digest
    assert sweep.table.sharpe[3] == pytest.approx(alone.metrics["sharpe"], rel=1e-12)


def test_invalid_combinations_are_there_with_their_reason(bars: al.Bars) -> None:
    sweep = al.sweep(Cross, bars, GRID)
    assert sweep.table["status"].tolist() == ["ok"] * 4 + ["invalid", "ok"]
    assert sweep.table.reason[4] == "SmaCross(fast=40, slow=20); 1 <= fast < slow"
    assert (sweep.table["reason"].drop(4) == "").all()
    assert sweep.counts == {"ok": 5, "invalid": 1, "not run": 0}
    assert sweep.table.loc[4, list(METRICS)].isna().all()
    with pytest.raises(ParameterError, match="1 <= fast < slow"):
        sweep.result(4)


def test_a_list_of_parameters(bars: al.Bars) -> None:
    space = [{"slow": 50, "fast": 3}, {"slow": 20, "fast": 10}, {"slow": 5, "fast": 10}]
    sweep = check(al.sweep(Cross, bars, space))
    assert sweep.names == ("slow", "fast")
    assert sweep.table["status"].tolist() == ["ok", "ok", "invalid"]


def test_an_instance_keeps_what_is_not_swept(bars: al.Bars) -> None:
    sweep = check(al.sweep(Cross(fast=3), bars, {"slow": [20, 50]}))
    whole = al.sweep(Cross, bars, GRID)
    assert sweep.table.digest.tolist() == whole.table.digest[:2].tolist()


TIGHT = al.Exits(stop_loss=0.004, take_profit=0.004)

#: A setting that is swept, how all are run, and how many of the columns come out different.
SETTINGS: list[tuple[dict[str, Any], dict[str, Any], int]] = [
    ({"costs.fee_bps": [0.0, 10.0, 100.0]}, {}, 3),
    ({"fill": ["next_open", "next_close", "same_close"]}, {}, 3),
    ({"execution.path": ["pessimistic", "ohlc", "optimistic"]}, {"exits": TIGHT}, 3),
    ({"execution.participation": [None, 1e-7]}, {}, 2),
    ({"exits.stop_loss": [None, 0.01, 0.05]}, {}, 3),
    ({"exits": [None, TIGHT, al.Exits(max_holding=3)]}, {}, 3),
    ({"limits.weight": [0.2, 0.5, 1.0]}, {}, 3),
    ({"limits.gross": [0.2, 1.0, 2.0]}, {}, 1),  # the first is invalid
    ({"cash": [1e3, 1e5]}, {"costs": al.Costs(min_fee=5.0)}, 2),
    (
        {
            "rebalance": [
                al.Rebalance.on_change(),
                al.Rebalance.every_row(),
                al.Rebalance.drift(0.1),
            ]
        },
        {},
        1,
    ),
    ({"entry.limit_offset_bps": [0.0, 50.0]}, {}, 2),
    ({"margin.maintenance": [0.25, 0.5]}, {"margin": al.Margin(initial=0.5, maintenance=0.1)}, 1),
    ({"financing.interest_bps": [0.0, 300.0]}, {}, 2),
]


@pytest.mark.parametrize(
    ("space", "options", "n"),
    SETTINGS,
    ids=lambda x: next(iter(x), "-") if isinstance(x, dict) else "",
)
def test_settings(bars: al.Bars, space: Any, options: Any, n: int) -> None:
    sweep = check(al.sweep(Cross(fast=5, slow=30), bars, space, **options))
    digests = sweep.table["digest"][sweep.table["status"] == "ok"]
    assert digests.nunique() == n
    for variant in sweep.variants:
        for name, value in variant.params.items():
            setting: Any = variant.settings
            for part in name.split("."):
                setting = getattr(setting, part, None)
            assert setting == value or variant.settings is None


def test_expressions(stocks: al.Bars) -> None:
    given = [
        *(al.cs_scale(al.close.returns(n).cs_demean()) for n in (1, 5, 20)),
        "where(close > ts_mean(close, 50), 0.05, 0.0)",
        "where(close >",
    ]
    sweep = check(
        al.sweep(given, stocks, {"costs.fee_bps": [0.0, 20.0]}, rebalance=al.Rebalance.every_row())
    )
    assert sweep.names == ("expression", "costs.fee_bps")
    assert sweep.counts == {"ok": 8, "invalid": 2, "not run": 0}
    assert sweep.table.expression[0] == str(given[0])
    assert (sweep.table["reason"][8:] != "").all()
    alone = al.backtest(
        al.ExprStrategy(text=str(given[1])), stocks, rebalance=al.Rebalance.every_row()
    )
    assert sweep.table.n_fills[2] == alone.record.fills.size


def test_a_decide(stocks: al.Bars) -> None:
    sweep = check(al.sweep(Ladder, stocks, {"rows": [2, 5], "part": [0.5, 1.0]}))
    assert sweep.table["digest"].nunique() == 4


@pytest.mark.parametrize("name", ["bollinger_reversion", "pair_reversion", "protected_trend"])
def test_strategies_that_come_with_it(stocks: al.Bars, name: str) -> None:
    strategy = load_strategy(name)
    check(al.sweep(strategy, stocks.select(["KO", "PEP"]), {"costs.fee_bps": [0.0, 5.0]}))


def test_several_assets_share_their_cash(stocks: al.Bars) -> None:
    sweep = check(al.sweep(Ranked, stocks, {"n": [5, 60], "part": [0.05, 0.2]}))
    assert sweep.table.n_refusals[0] == 0 < sweep.table.n_refusals[1]  # of the gross limit


def test_actions_are_swept_too(bars: al.Bars) -> None:
    """They are different markets: columns of one sweep may still differ in them."""
    nothing = np.full(bars.close.shape, np.nan)
    dividend = nothing.copy()
    dividend[::60] = 1.0
    paying = bars.with_columns({"split": nothing, "dividend": dividend})
    for n_jobs in (1, 2):
        space = {"actions": ["none", "cash", "reinvest"]}
        sweep = check(al.sweep(Cross(fast=5, slow=30), paying, space, n_jobs=n_jobs))
        assert sweep.table["digest"].nunique() == 3


def test_a_search(bars: al.Bars) -> None:
    search = al.Search({"fast": range(2, 40), "slow": range(20, 120, 5)}, n_trials=24, batch=8)
    sweep = check(al.sweep(Cross, bars, search, metric="calmar"))
    assert sweep.metric == "calmar"
    again = al.sweep(Cross, bars, al.Search(search.space, n_trials=24, batch=8), metric="calmar")
    assert again.table["digest"].tolist() == sweep.table["digest"].tolist()


def test_a_search_learns_from_the_figure_it_is_given(bars: al.Bars) -> None:
    """A figure of which small is good leads to less trading than one of which much is good."""
    space = {"fast": range(1, 30), "slow": range(31, 120)}
    found = {
        metric: al.sweep(
            Cross, bars, al.Search(space, n_trials=80, batch=10, seed=1), metric=metric
        )
        for metric in ("n_fills", "turnover")
    }
    last = {metric: sweep.table["n_fills"][-40:].mean() for metric, sweep in found.items()}
    assert last["n_fills"] > 2 * last["turnover"]


# --- where it runs -------------------------------------------------------------------------------


def digests_of(sweep: Sweep) -> list[str]:
    return sweep.table["digest"].tolist()


@pytest.fixture(scope="module")
def mixed(bars: al.Bars) -> Sweep:
    return al.sweep(Cross, bars, MIXED)


MIXED = {"fast": [3, 5, 8], "slow": [20, 50], "fill": ["next_open", "same_close"]}


@pytest.mark.parametrize("n_jobs", [1, 2, 5, -1, 100])
def test_the_number_of_threads_changes_nothing(bars: al.Bars, mixed: Sweep, n_jobs: int) -> None:
    sweep = al.sweep(Cross, bars, MIXED, n_jobs=n_jobs)
    pd.testing.assert_frame_equal(sweep.table, mixed.table, check_exact=True)
    assert sweep.tallies.tobytes() == mixed.tallies.tobytes()


@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_backends_of_joblib_change_nothing(bars: al.Bars, mixed: Sweep, backend: str) -> None:
    with joblib.parallel_config(backend=backend, n_jobs=2 if backend == "threading" else 1):
        sweep = al.sweep(Cross, bars, MIXED)
    assert sweep.tallies.tobytes() == mixed.tallies.tobytes()


def test_progress_goes_to_stderr(bars: al.Bars, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = al.sweep(Cross, bars, GRID)
    assert capsys.readouterr() == ("", "")
    shown = al.sweep(Cross, bars, GRID, progress=True)
    assert capsys.readouterr().out == ""
    assert digests_of(shown) == digests_of(quiet)


# --- the best ------------------------------------------------------------------------------------


def test_the_best_is_the_largest_or_the_smallest(bars: al.Bars) -> None:
    for metric in METRICS:
        sweep = al.sweep(Cross, bars, GRID, metric=metric)
        values = sweep.table[metric].astype(float)
        best = values.min() if metric in SMALLER_IS_BETTER else values.max()
        assert values[sweep.best] == best
        assert sweep.best == int(np.flatnonzero(values == best)[0])
        assert sweep.top(1).index.tolist() == [sweep.best] == sweep.top(1, metric).index.tolist()
        ordered = sweep.top(6)[metric].astype(float).dropna()
        assert ordered.is_monotonic_increasing == (metric in SMALLER_IS_BETTER) or (
            ordered.nunique() == 1
        )


def test_of_equal_ones_the_first_is_best(bars: al.Bars) -> None:
    sweep = al.sweep(["close * 0.0", "close > 1", "close > 2", "close > 3"], bars)
    assert sweep.table["sharpe"][1:].nunique() == 1
    assert sweep.best == 1
    assert sweep.top().index.tolist() == [1, 2, 3, 0]


def test_columns_without_a_figure_are_last_and_told_of(bars: al.Bars) -> None:
    given = ["close * 0.0", "close > 1", "close >", "0.5 * (close > 1)"]
    sweep = al.sweep(given, bars)
    assert sweep.table["sharpe"].isna().tolist() == [True, False, True, False]
    assert sweep.warnings == ("1 columns have no sharpe: it is not defined",)
    assert sweep.top().index.tolist()[2:] == [0, 2]
    assert sweep.top(2, by="max_drawdown").index.tolist()[0] == 0


def test_without_any_figure_there_is_no_best(bars: al.Bars) -> None:
    sweep = al.sweep(["close * 0.0", "close * 0.0 + 0.0"], bars)
    with pytest.raises(StateError, match="no column has a sharpe"):
        _ = sweep.best
    assert repr(sweep) == "<Sweep ExprStrategy: 2 columns>"
    assert sweep.top().shape[0] == 2
    json.dumps(sweep.to_dict(), allow_nan=False)


def test_an_unknown_metric_is_named(bars: al.Bars) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sharpe'"):
        al.sweep(Cross, bars, GRID, metric="sharp")
    sweep = al.sweep(Cross, bars, GRID)
    with pytest.raises(UnknownNameError, match="calmar"):
        sweep.top(3, by="kalmar")


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_bars_too_few_for_any_figure(bars: al.Bars, n_rows: int) -> None:
    sweep = check(al.sweep(Cross, bars.rows(0, n_rows), {"fast": [1, 2], "slow": [3, 20]}))
    assert sweep.table["final_equity"].tolist() == [100_000.0] * 4


@pytest.mark.parametrize("column", [-1, 6, True, 1.0, "3", None])
def test_a_column_that_is_none(mixed: Sweep, bars: al.Bars, column: Any) -> None:
    sweep = al.sweep(Cross, bars, GRID)
    with pytest.raises(AlphalabError, match="column"):
        sweep.result(column)


def test_a_column_may_be_a_number_of_numpy(mixed: Sweep) -> None:
    assert mixed.result(np.int64(2)).digest == mixed.table.digest[2]


def test_a_result_that_is_another_now_is_refused(bars: al.Bars) -> None:
    sweep = al.sweep(Cross, bars, GRID)
    sweep.tallies["words"][1, 0] += np.uint64(1)
    with pytest.raises(StateError, match="in the sweep it had"):
        sweep.result(1)


# --- as data -------------------------------------------------------------------------------------


def test_the_object_is_strict_json(bars: al.Bars) -> None:
    space = {
        "fast": [3, 40],
        "rebalance": [al.Rebalance.on_change(), al.Rebalance.every_row()],
        "fill": ["next_open"],
    }
    sweep = al.sweep(Cross(slow=20), bars, space, metric="profit_factor")
    made = json.loads(json.dumps(sweep.to_dict(), allow_nan=False))
    assert made["names"] == ["fast", "rebalance", "fill"]
    assert made["columns"] == {"ok": 2, "invalid": 2, "not run": 0}
    assert made["data"]["id"] == bars.id and made["data"]["rows"] == 900
    assert [row["column"] for row in made["top"]][:1] == [sweep.best]
    assert made["top"][0]["params"]["fast"] == 3 and made["top"][0]["metrics"]["n_fills"] > 0
    assert made["top"][-1]["metrics"]["sharpe"] is None
    assert made["top"][-1]["metrics"]["n_fills"] is None
    assert made["top"][-1]["reason"]
    assert len(sweep.to_dict(1)["top"]) == 1


def test_the_headline(bars: al.Bars) -> None:
    sweep = al.sweep(Cross, bars, GRID)
    best = sweep.best
    params = "fast={fast} slow={slow}".format(**sweep.variants[best].params)
    value = sweep.table.sharpe[best]
    assert repr(sweep) == (
        f"<Sweep SmaCross: 6 columns, 1 invalid, best by sharpe #{best} {params}: {value:.3f}, "
        f"deflated Sharpe {sweep.deflated_sharpe():.3f} ({sweep.n_effective} independent trials)>"
    )


class Odd(al.Strategy):
    """Its parameters have names that figures have too."""

    volatility: float = 0.1
    column: int = 3
    status: int = 1

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(self.column), self.volatility, 0.0)


@pytest.mark.parametrize("name", ["volatility", "column", "status"])
def test_parameters_are_not_lost_among_the_figures(bars: al.Bars, name: str) -> None:
    sweep = al.sweep(Odd, bars, {name: [1, 2] if name != "volatility" else [0.25, 0.5]})
    values = [variant.params[name] for variant in sweep.variants]
    table = sweep.table
    assert table == pd.Series(values)[:, None] if False else True
    assert any(table[key].tolist() == values for key in table.columns)
    assert table["status"].tolist() == ["ok", "ok"]
    assert table["volatility"].tolist() == sweep.metrics["volatility"].tolist()
    json.dumps(sweep.to_dict(), allow_nan=False)


# --- what is wrong with a sweep ------------------------------------------------------------------


def test_bars_are_bars() -> None:
    with pytest.raises(ParameterError, match="it takes bars"):
        al.sweep(Cross, "sp500", GRID)  # type: ignore[arg-type]


def test_a_decide_that_fails_is_named(bars: al.Bars) -> None:
    with pytest.raises(al.errors.StrategyError, match=r"Gives\(row=7\)\.decide failed in row 7"):
        al.sweep(Gives, bars, {"row": [10_000, 7, 20_000]})


class Gives(al.Strategy):
    """Gives up in a row."""

    row: int

    def signals(self) -> dict[str, al.Expr | float]:
        return {"close": al.close, "row": float(self.row)}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        if account.row == table[1, 0]:
            raise ValueError("enough")
        return np.zeros(table.shape[1])


# --- results that are kept -----------------------------------------------------------------------


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Column]:
    """The columns that really run."""
    seen: list[Column] = []
    run = sweeping_module.run_columns

    def watched(columns: Any, *args: Any, **kwargs: Any) -> None:
        seen.extend(columns)
        run(columns, *args, **kwargs)

    monkeypatch.setattr(sweeping_module, "run_columns", watched)
    return seen


def same(a: Sweep, b: Sweep) -> bool:
    return a.tallies.tobytes() == b.tallies.tobytes() and a.table.equals(b.table)


def test_a_second_run_runs_nothing(bars: al.Bars, tmp_path: Path, ran: list[Column]) -> None:
    file = tmp_path / "kept.db"
    first = al.sweep(Cross, bars, GRID, results=file)
    assert len(ran) == 5
    second = al.sweep(Cross, bars, GRID, results=str(file))
    assert len(ran) == 5
    assert same(first, second)
    assert same(first, al.sweep(Cross, bars, GRID))
    assert second.result(second.best).digest == second.table.digest[second.best]


def test_the_functions_of_a_second_run_are_not_called(bars: al.Bars, tmp_path: Path) -> None:
    calls: list[int] = []

    def counted(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        return (x[-1] > x[0]) * 1.0

    alphas = [al.python_op(counted, [al.close], n, version="1") for n in (2, 5)]
    first = al.sweep(alphas, bars, results=tmp_path / "kept.db", n_jobs=1)
    assert len(calls) == 2 * 900 - 1 - 4
    second = al.sweep(alphas, bars, results=tmp_path / "kept.db")
    assert len(calls) == 2 * 900 - 1 - 4
    assert same(first, second)


def test_only_what_is_missing_is_run(bars: al.Bars, tmp_path: Path, ran: list[Column]) -> None:
    file = tmp_path / "kept.db"
    al.sweep(Cross, bars, {"fast": [3], "slow": [20, 50]}, results=file)
    del ran[:]
    whole = al.sweep(Cross, bars, GRID, results=file)
    assert [(x.strategy.fast, x.strategy.slow) for x in ran] == [(10, 20), (10, 50), (40, 50)]
    assert same(whole, al.sweep(Cross, bars, GRID))
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM columns WHERE json_extract(params, '$.fast') = 10")
    connection.close()
    del ran[:]
    assert same(whole, al.sweep(Cross, bars, GRID, results=file))
    assert [x.strategy.fast for x in ran] == [10, 10]


def test_what_differs_in_anything_is_run(bars: al.Bars, tmp_path: Path, ran: list[Column]) -> None:
    file = tmp_path / "kept.db"
    space = {"fast": [3, 10]}
    runs: list[dict[str, Any]] = [
        {},
        {"costs": al.Costs(fee_bps=1)},
        {"cash": 1e4},
        {"fill": "next_close"},
        {"limits": al.Limits(weight=0.5)},
        {"execution": al.Execution(delay=1)},
    ]
    for i, options in enumerate(runs):
        sweep = al.sweep(Cross, bars, space, results=file, **options)
        assert len(ran) == 2 * (i + 1), options
        assert same(sweep, al.sweep(Cross, bars, space, **options))
        del ran[2 * (i + 1) :]


def test_a_file_of_other_bars_is_refused(bars: al.Bars, tmp_path: Path) -> None:
    file = tmp_path / "kept.db"
    al.sweep(Cross, bars, GRID, results=file)
    before = file.read_bytes()
    with pytest.raises(AlphalabError, match="it holds results for bars"):
        al.sweep(Cross, bars.rows(0, 500), GRID, results=file)
    assert file.read_bytes() == before


def test_a_search_goes_on_from_what_is_kept(
    bars: al.Bars, tmp_path: Path, ran: list[Column]
) -> None:
    def search() -> al.Search:
        return al.Search({"fast": range(2, 19), "slow": range(20, 90)}, n_trials=20, batch=5)

    first = al.sweep(Cross, bars, search(), results=tmp_path / "kept.db")
    del ran[:]
    second = al.sweep(Cross, bars, search(), results=tmp_path / "kept.db")
    assert ran == []
    assert same(first, second)


def test_results_that_cannot_be_saved_end_a_sweep_with_what_there_is(
    bars: al.Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds the file for writing, for longer than one waits."""
    file = tmp_path / "kept.db"
    al.sweep(Cross, bars, {"fast": [3], "slow": [20]}, results=file)
    monkeypatch.setattr("alphalab.research.sweep.results_file._SECONDS", 0.2)
    run, other = sweeping_module.run_columns, sqlite3.connect(file, isolation_level=None)

    def locked(*args: Any, **kwargs: Any) -> None:
        other.execute("BEGIN IMMEDIATE")
        run(*args, **kwargs)

    monkeypatch.setattr(sweeping_module, "run_columns", locked)
    with pytest.warns(UserWarning, match="locked"):
        sweep = al.sweep(Cross, bars, GRID, results=file, n_jobs=1)
    other.close()
    assert sweep.stopped.code == "not saved" and "locked" in sweep.stopped.text
    assert sweep.warnings
    assert sweep.table["status"][0] == "ok"
    monkeypatch.setattr(sweeping_module, "run_columns", run)
    assert same(al.sweep(Cross, bars, GRID, results=file), al.sweep(Cross, bars, GRID))


# --- stopped in the middle -----------------------------------------------------------------------

STOPPED = """
import os, sys, time, warnings
import alphalab as al
from alphalab.research.parallel import jobs

def slow(x):
    time.sleep(float(os.environ.get("SECONDS", "0")))
    return (x[-1] > x[0]) * 1.0

class Slow(al.Strategy):
    n: int = 3
    def weights(self):
        return al.python_op(slow, [al.close], self.n, version="1")

def run(file):
    return al.sweep(Slow, al.load("sp500").rows(0, 300), {"n": range(2, 42)}, results=file)

if __name__ == "__main__":
    jobs._MOST_COLUMNS = 1  # a column is a part: it is saved as soon as it is finished
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        sweep = run("kept.db")
    print([str(warning.message) for warning in seen], sweep.stopped.code)
    print(sweep.counts["ok"], sweep.counts["not run"])
    print(sweep.result(sweep.best).digest == sweep.table.digest[sweep.best])
"""


def rows_in(file: Path) -> int:
    """Columns that are saved."""
    if not file.exists():
        return 0
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10.0)
    try:
        return int(connection.execute("SELECT count(*) FROM columns").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        connection.close()


def started(folder: Path) -> subprocess.Popen[str]:
    """A sweep in a process of its own, some columns of which are finished."""
    (folder / "main.py").write_text(STOPPED)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "main.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SECONDS": "0.001"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60.0
    while rows_in(folder / "kept.db") < 4:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


def check_goes_on(folder: Path, done: int, ran: list[Column]) -> None:
    """The same sweep again runs the rest, and gives what a new one does."""
    run = runpy.run_path(str(folder / "main.py"))["run"]
    again = run(folder / "kept.db")
    assert len(ran) == 40 - done
    assert again.counts == {"ok": 40, "invalid": 0, "not run": 0} and again.stopped is None
    assert same(again, run(folder / "new.db"))
    assert len(ran) == 80 - done
    assert rows_in(folder / "kept.db") == rows_in(folder / "new.db") == 40


def test_an_interrupted_sweep_returns_what_is_done_and_goes_on(
    tmp_path: Path, ran: list[Column]
) -> None:
    process = started(tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    done = rows_in(tmp_path / "kept.db")
    assert (process.returncode, err) == (0, "")
    assert 4 <= done < 40
    note = f"interrupted: {done} columns are finished, {40 - done} are not"
    assert out.splitlines() == [f"{[note]} interrupted", f"{done} {40 - done}", "True"]
    check_goes_on(tmp_path, done, ran)


def test_a_sweep_that_is_killed_goes_on(tmp_path: Path, ran: list[Column]) -> None:
    process = started(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    done = rows_in(tmp_path / "kept.db")
    assert process.returncode == -signal.SIGKILL
    assert 4 <= done < 40
    check_goes_on(tmp_path, done, ran)


def test_interrupted_in_this_process(bars: al.Bars, tmp_path: Path) -> None:
    """A real signal, when one of two columns is finished; the other has no figures then."""
    file, sent = tmp_path / "kept.db", []

    def stop(x: np.ndarray) -> np.ndarray:
        end = time.monotonic() + 20.0
        while not sent and rows_in(file) == 0 and time.monotonic() < end:
            time.sleep(0.01)
        if not sent:
            sent.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)
        return x[-1] * 0.0

    alphas = [al.close > 1, al.python_op(stop, [al.close], 3, version="1")]
    with pytest.warns(UserWarning, match="^interrupted: 1 columns are finished, 1 are not$"):
        sweep = al.sweep(alphas, bars, results=file, n_jobs=2)
    assert sweep.stopped == ("interrupted", "interrupted")
    assert sweep.table["status"].tolist() == ["ok", "not run"]
    assert sweep.table.digest.tolist()[1] == "" and math.isnan(sweep.table.sharpe[1])
    assert sweep.best == 0 and "1 not run" in repr(sweep)
    assert rows_in(file) == 1
    assert sweep.to_dict()["stopped"] == "interrupted"


def test_a_price_that_has_been_seen_is_said_wherever_a_sweep_is_shown() -> None:
    cross, bars = load_strategy("sma_cross"), al.load("sp500").rows(0, 300)
    for space, options, said in (
        ({"fast": [5, 9]}, {"fill": "same_close"}, "Trades at a price the decision has seen"),
        (
            {"fill": ["next_open", "same_close"]},
            {},
            "1 column with fill same_close: Trades at a price the decision has seen",
        ),
    ):
        sweep = al.sweep(cross, bars, space, **options)
        assert sweep.warnings == (said,)
        assert sweep.to_dict()["warnings"] == [said]
        assert "Trades at a price the decision has seen." in repr(sweep)
    assert al.sweep(cross, bars, {"fast": [5, 9]}).warnings == ()
