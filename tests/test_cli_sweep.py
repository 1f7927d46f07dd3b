from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import on_a_terminal, process, strategy_file, text_file

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.cli.grids import grid_values, search_space
from alphalab.core.expr_strategy import ExprStrategy

SMA_CROSS = load_strategy("sma_cross")
SWEEP = ("sweep", "sma_cross", "--data", "sp500")

EXPRESSIONS = """
# trend
where(close > ts_mean(close, 50), 1, 0)

  where(close > delay(close, 20), 1, 0)
close >
"""


class Several(al.Strategy):
    n: int = 5
    k: float = 1.0
    pair: str = "A:B"
    on: bool = False
    cap: float | None = None


# ---- values as text --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("n", "5", [5]),
        ("n", "5,7, 9", [5, 7, 9]),
        ("n", "5:9", [5, 6, 7, 8, 9]),
        ("n", "20:200:60", [20, 80, 140, 200]),
        ("n", "20:199:60", [20, 80, 140]),
        ("n", "3:1:-1", [3, 2, 1]),
        ("n", "-1:1", [-1, 0, 1]),
        ("n", "5:5", [5]),
        ("n", "1e2:3e2:1e2", [100, 200, 300]),
        ("k", "1:3", [1.0, 2.0, 3.0]),
        ("k", "0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("k", "0:1:.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("pair", "BTC:USDT,ETH:USDT", ["BTC:USDT", "ETH:USDT"]),
        ("pair", "none", ["none"]),
        ("on", "true,false", [True, False]),
        ("cap", "none,0.5", [None, 0.5]),
        ("cap", "null", [None]),
        ("costs.fee_bps", "0,2.5", [0.0, 2.5]),
        ("fill", "next_open, same_close", ["next_open", "same_close"]),
        ("execution.delay", "0:2", [0, 1, 2]),
        ("entry.post_only", "true", [True]),
    ],
)
def test_what_a_grid_says(name: str, text: str, expected: list[Any]) -> None:
    (found,) = grid_values({name: text}, Several, 100).values()
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_what_a_search_says() -> None:
    from optuna.distributions import FloatDistribution

    texts = {"n": "20:205:10", "k": "0.1:0.5", "cap": "0.1:0.55:0.1", "pair": "a,b"}
    assert search_space(texts, Several, 100) == {
        "n": range(20, 201, 10),
        "k": (0.1, 0.5),
        "cap": FloatDistribution(0.1, 0.5, step=0.1),
        "pair": ["a", "b"],
    }
    assert search_space({"n": "9:5:-2", "k": "2:2"}, Several, 100) == {
        "n": range(5, 10, 2),
        "k": [2.0],
    }
    assert search_space({"costs.fee_bps": "0:10"}, Several, 100) == {"costs.fee_bps": (0.0, 10.0)}


# ---- the command -----------------------------------------------------------------------------


def test_json_is_that_of_the_sweep(cli) -> None:
    run = cli(*SWEEP, "--grid", "fast=5:9", "-g", "slow=8:20:6", "--top", 3, "--json")
    assert (run.code, run.err) == (0, "")
    assert run.object["schema"] == "alphalab.sweep/1"
    here = al.sweep(SMA_CROSS, al.load("sp500"), {"fast": range(5, 10), "slow": [8, 14, 20]})
    ours = json.loads(json.dumps(here.to_dict(3)))
    assert {k: v for k, v in run.object.items() if k not in ("seconds", "report", "results")} == {
        k: v for k, v in ours.items() if k != "seconds"
    }
    assert run.object["columns"] == {"ok": 13, "invalid": 2, "not run": 0}
    assert len(run.object["top"]) == 3


def test_a_pipe_gets_plain_lines() -> None:
    run = process(*SWEEP, "-g", "fast=5,10,60", "-g", "slow=30,50", "--top", "2")
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert lines[0] == (
        "SmaCross on sp500, 1999-01-04 to 2018-12-31, 5,031 rows; best by Sharpe ratio"
    )
    assert re.split(r"\s{2,}", lines[1]) == [
        *("column", "fast", "slow", "Total return", "Annual return", "Sharpe ratio"),
        *("Deflated Sharpe", "Max drawdown", "Exposure", "Round trips"),
    ]
    first, second = (re.split(r"\s+", line.strip()) for line in lines[2:4])
    found = al.sweep(SMA_CROSS, al.load("sp500"), {"fast": [5, 10, 60], "slow": [30, 50]})
    table, trials = found.top(2), found.to_dict()["trials"]
    assert [first[0], second[0]] == [str(column) for column in table.index]
    assert first[1:3] == [str(x) for x in table.iloc[0][["fast", "slow"]]]
    assert first[3] == f"{table.iloc[0]['total_return']:.2%}"
    assert lines[4:] == [
        "6 combinations: 4 ok, 2 invalid",
        f"Independent trials: {trials['n_effective']}; by chance alone the best of them shows an "
        f"annual Sharpe ratio of {trials['sharpe_by_chance']:.2f}",
        "Invalid, for example: fast=60, slow=30: SmaCross(fast=60, slow=30); 1 <= fast < slow",
    ]
    assert run.err.startswith("data: S&P 500 index")


def test_a_terminal_gets_a_table() -> None:
    shown = on_a_terminal(*SWEEP, "-g", "fast=5:20", "-g", "slow=30,50", "--top", "2")
    assert "━" in shown or "─" in shown
    assert "32 combinations: 32 ok" in shown


def test_every_flag_of_a_run_arrives(cli, tmp_path: Path) -> None:
    settings = text_file(tmp_path, "run.toml", "cash = 5000\n[limits]\ngross = 0.5\n")
    run = cli(
        *("sweep", "buy_and_hold", "-d", "sp500_stocks", "--symbols", "KO,PEP", "--json"),
        *("--start", "2000-01-01", "--end", "2000-12-31", "--settings", settings),
        *("--slippage-bps", 3, "-g", "costs.fee_bps=0,5", "-g", "limits.weight=0.1,0.2"),
    )
    assert run.code == 0, run.out
    bars = al.load("sp500_stocks").select(["KO", "PEP"]).between("2000-01-01", "2000-12-31")
    for row in run.object["top"]:
        single = al.backtest(
            load_strategy("buy_and_hold")(),
            bars,
            cash=5000,
            costs=al.Costs(slippage_bps=3, fee_bps=row["params"]["costs.fee_bps"]),
            limits=al.Limits(gross=0.5, weight=row["params"]["limits.weight"]),
        )
        assert row["digest"] == single.digest


def test_parameters_stay_beside_the_grid(cli) -> None:
    run = cli(*SWEEP, "-p", "slow=90", "-g", "fast=40,50")
    assert "slow" not in run.out.splitlines()[1].split()
    assert "2 combinations: 2 ok" in run.out
    rows = cli(*SWEEP, "-p", "slow=90", "-g", "fast=40,50", "--json").object["top"]
    assert {(row["params"]["fast"], row["params"]["slow"]) for row in rows} == {(40, 90), (50, 90)}


def test_by_another_figure(cli) -> None:
    run = cli(*SWEEP, "-g", "fast=5:15", "--metric", "fees", "--fee-bps", 10, "--json")
    fees = [row["metrics"]["fees"] for row in run.object["top"]]
    assert fees == sorted(fees) and fees[0] < fees[-1]
    assert "best by Fees" in cli(*SWEEP, "-g", "fast=5:6", "--metric", "fees").out


def test_expressions_of_a_file(cli, tmp_path: Path) -> None:
    file = text_file(tmp_path, "alphas.txt", EXPRESSIONS)
    run = cli("sweep", "-d", "sp500", "--expressions", file, "-g", "costs.fee_bps=0,5", "--json")
    assert run.code == 0, run.out
    assert run.object["columns"] == {"ok": 4, "invalid": 2, "not run": 0}
    alone = ExprStrategy(text="where(close > delay(close, 20), 1, 0)")
    digest = al.backtest(alone, al.load("sp500"), costs=al.Costs(fee_bps=5)).digest
    assert digest in [
        row["digest"] for row in run.object["top"] if row["params"]["costs.fee_bps"] == 5
    ]
    shown = cli("sweep", "-d", "sp500", "--expressions", file).out
    assert "where(close > ts_mean(close, 50), 1, 0)" in shown
    assert "Invalid, for example: expression='close >': " in shown


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random"])
def test_a_search_is_the_same_each_time(cli, sampler: str) -> None:
    command = (*SWEEP, "-g", "fast=5:50", "-g", "slow=20:200:10", "--search", sampler, "--json")
    command += ("--trials", 30, "--batch", 10)
    first, again, other = (cli(*command, *seed) for seed in ((), ("--seed", 0), ("--seed", 1)))
    assert first.code == 0, first.out
    assert first.object["top"] == again.object["top"] != other.object["top"]
    assert sum(first.object["columns"].values()) <= 30


def test_a_report_and_results_are_written(cli, tmp_path: Path) -> None:
    report, results = tmp_path / "new" / "sweep.html", tmp_path / "sweep.results"
    command = (*SWEEP, "-g", "fast=5:9", "--report", report, "--results", results)
    run = cli(*command)
    assert run.code == 0, run.err
    assert f"Report: {report}" in run.out
    assert report.read_text().lstrip().lower().startswith("<!doctype html>")
    assert results.stat().st_size
    again = cli(*command, "--json").object
    assert again["report"] == str(report) and again["results"] == str(results)
    assert again["columns"] == {"ok": 5, "invalid": 0, "not run": 0}


def test_more_columns_than_wanted_are_asked_for(cli) -> None:
    command = (*SWEEP, "-g", "fast=5:9", "--max-columns", 4)
    run = cli(*command, "--json")
    assert (run.code, run.object["error"]["code"]) == (2, "PARAMETER")
    assert "5 values" in run.object["error"]["message"]
    assert "--max-columns" in run.object["error"]["fix"]
    assert cli(*command, "--yes").code == 0
    two = cli(*SWEEP, "-g", "fast=5:7", "-g", "slow=30,50", "--max-columns", 4, "--json")
    assert two.object["error"]["message"] == "grid of 6 combinations"
    started = time.thread_time()
    assert cli(*SWEEP, "-g", "fast=1:1000000000000").code == 2
    assert time.thread_time() - started < 1


#: what is wrong -> (arguments after `sweep`, code, words of the error)
WRONG: dict[str, tuple[list[str], str, str]] = {
    "nothing": (["-d", "sp500"], "PARAMETER", "neither STRATEGY nor --expressions"),
    "both": (
        ["sma_cross", "-d", "sp500", "--expressions", "x"],
        "PARAMETER",
        "both STRATEGY and --expressions",
    ),
    "no grid": (["sma_cross", "-d", "sp500"], "PARAMETER", "a sweep without --grid"),
    "no values": (["sma_cross", "-d", "sp500", "-g", "fast"], "PARAMETER", "name=values"),
    "no name": (["sma_cross", "-d", "sp500", "-g", "=5"], "PARAMETER", "name=values"),
    "name twice": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5", "-g", "fast=6"],
        "PARAMETER",
        "a name is given once",
    ),
    "grid and parameter": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5", "-p", "fast=6"],
        "PARAMETER",
        "--grid and --param for fast",
    ),
    "unknown": (["sma_cross", "-d", "sp500", "-g", "fats=5"], "UNKNOWN", "did you mean 'fast'"),
    "unknown setting": (
        ["sma_cross", "-d", "sp500", "-g", "costs.fee_bp=5"],
        "UNKNOWN",
        "did you mean 'costs.fee_bps'",
    ),
    "unknown parameter": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5", "-p", "slwo=50"],
        "UNKNOWN",
        "did you mean 'slow'",
    ),
    "type": (["sma_cross", "-d", "sp500", "-g", "fast=5,x"], "PARAMETER", "--grid fast=5,x"),
    "fraction": (["sma_cross", "-d", "sp500", "-g", "fast=1:2:.5"], "PARAMETER", "Expected int"),
    "choice": (
        ["sma_cross", "-d", "sp500", "-g", "fill=soon"],
        "PARAMETER",
        "Choose from next_open, next_close, same_close",
    ),
    "range": (["sma_cross", "-d", "sp500", "-g", "costs.fee_bps=-1,0"], "PARAMETER", ">= 0"),
    "backwards": (["sma_cross", "-d", "sp500", "-g", "fast=9:5"], "PARAMETER", "both ends"),
    "no step": (["sma_cross", "-d", "sp500", "-g", "fast=5:9:0"], "PARAMETER", "both ends"),
    "four parts": (["sma_cross", "-d", "sp500", "-g", "fast=5:9:1:1"], "PARAMETER", "both ends"),
    "fractions in ones": (
        ["sma_cross", "-d", "sp500", "-g", "costs.fee_bps=0.5:2.5"],
        "PARAMETER",
        "needs a step",
    ),
    "value twice": (["sma_cross", "-d", "sp500", "-g", "fast=5,5"], "PARAMETER", "5 twice"),
    "nothing valid": (
        ["sma_cross", "-d", "sp500", "-g", "fast=40,50"],
        "PARAMETER",
        "no valid combination",
    ),
    "metric": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5", "--metric", "sharp"],
        "UNKNOWN",
        "did you mean 'sharpe'",
    ),
    "trials without a search": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5:9", "--trials", "5"],
        "PARAMETER",
        "Add --search tpe",
    ),
    "search of a choice": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5,7", "--search", "cmaes"],
        "PARAMETER",
        "CMA-ES searches numbers",
    ),
    "batch": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5:9", "--search", "tpe", "--batch", "0"],
        "PARAMETER",
        "batch is a whole number of at least 1",
    ),
    "search of expressions": (
        ["-d", "sp500", "--expressions", "ALPHAS", "--search", "tpe"],
        "PARAMETER",
        "--search with --expressions",
    ),
    "no file": (["-d", "sp500", "--expressions", "nowhere.txt"], "INPUT", "nowhere.txt"),
    "empty file": (["-d", "sp500", "--expressions", "EMPTY"], "INPUT", "no expressions"),
    "no text": (["-d", "sp500", "--expressions", "BINARY"], "INPUT", "not a text file"),
    "report": (
        ["sma_cross", "-d", "sp500", "-g", "fast=5", "--report", "sweep.txt"],
        "INPUT",
        "ends in .html",
    ),
    "data": (["sma_cross", "-d", "sp5000", "-g", "fast=5"], "UNKNOWN", "did you mean 'sp500'"),
    "strategy": (["sma_crss", "-d", "sp500", "-g", "fast=5"], "UNKNOWN", "'sma_cross'"),
    "search": (["sma_cross", "-d", "sp500", "-g", "fast=5", "--search", "x"], "USAGE", "--search"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(cli, tmp_path: Path, case: str) -> None:
    arguments, code, words = WRONG[case]
    files = {"ALPHAS": b"close\n", "EMPTY": b"# nothing\n\n", "BINARY": b"\xff\xfe\x00"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    arguments = [str(tmp_path / x) if x in files else x for x in arguments]
    run = cli("sweep", *arguments, "--json")
    assert (run.code, run.object["error"]["code"]) == (2, code)
    assert words in " ".join(run.object["error"][part] for part in ("message", "rule", "fix"))
    plain = cli("sweep", *arguments)
    assert (plain.code, plain.out) == (2, "")
    assert "Traceback" not in plain.err


def test_a_strategy_that_fails_shows_its_line(cli, tmp_path: Path) -> None:
    file = strategy_file(
        tmp_path, "n: int = 1\ndef weights(self):\n    return al.close * (1 / self.n)"
    )
    run = cli("sweep", file, "-d", "sp500", "-g", "n=1,0", "--json")
    assert (run.code, run.object["error"]["code"]) == (2, "STRATEGY")
    assert "ZeroDivisionError" in run.object["error"]["message"]
    assert "line 7" in run.object["error"]["message"]


def test_what_a_strategy_prints_stays_out_of_the_object(cli, tmp_path: Path) -> None:
    file = strategy_file(
        tmp_path,
        "n: int = 1\ndef weights(self):\n    print('hello')\n    return al.close > self.n",
    )
    run = cli("sweep", file, "-d", "sp500", "-g", "n=1,2", "--json")
    assert run.object["columns"]["ok"] == 2
    assert "hello" in run.err


INTERRUPTED = """
n: int = 1
def weights(self):
    MADE.append(self.n)
    if len(MADE) == 13 and 'INTERRUPT' in os.environ:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    return al.where(al.close > al.close.ts_mean(self.n), 1.0, 0.0)
"""


def test_an_interruption_prints_what_is_done_and_it_goes_on_from_there(tmp_path: Path) -> None:
    file = strategy_file(tmp_path, INTERRUPTED, head="import os, signal, time\nMADE = []")
    results = tmp_path / "sweep.results"
    command = ["sweep", str(file), "-d", "sp500", "-g", "n=2:500", "--json", "--top", "99"]
    command += ["--search", "tpe", "--trials", "20", "--batch", "5"]
    stopped = process(*command, "--results", str(results), INTERRUPT="1")
    assert stopped.code == 1, stopped.err
    assert stopped.object["stopped"] == "interrupted"
    assert stopped.object["columns"] == {"ok": 10, "invalid": 0, "not run": 0}
    assert stopped.err.count("interrupted") == 1
    assert "Traceback" not in stopped.err and "UserWarning" not in stopped.err
    with closing(sqlite3.connect(results)) as saved:
        assert saved.execute("SELECT count(*) FROM columns").fetchone() == (10,)
    again, whole = process(*command, "--results", str(results)), process(*command)
    assert (again.code, whole.code) == (0, 0), again.err
    assert again.object["top"] == whole.object["top"]
    assert again.object["columns"] == {"ok": 20, "invalid": 0, "not run": 0}
