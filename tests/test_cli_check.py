"""``alphalab check``: verdict, exit code, JSON, and the function that prepares the bars."""

from __future__ import annotations

from pathlib import Path

FEATURES = """
import numpy as np


def prepare(bars):
    ahead = np.append(np.diff(bars.close[:, 0]), 0.0)
    return bars.with_columns({"signal": ahead[:, np.newaxis]})


def clean(bars):
    return bars.with_columns({"signal": bars.close - bars.open})
"""
STRATEGY = """
import alphalab as al


class Signal(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.column("signal") > 0, 1.0, 0.0)
"""
DATA = ("--data", "sp500", "--start", "2016-01-01")


def files(folder: Path) -> tuple[Path, Path]:
    strategy, features = folder / "signal.py", folder / "features.py"
    strategy.write_text(STRATEGY)
    features.write_text(FEATURES)
    return strategy, features


def test_expressions_are_proved(cli) -> None:
    run = cli("check", "sma_cross", *DATA)
    assert run.code == 0
    assert run.out.startswith("Causal: proved by construction, and tested at ")


def test_a_leak_is_named_with_a_counter_example(cli, tmp_path: Path) -> None:
    strategy, features = files(tmp_path)
    run = cli("check", strategy, *DATA, "--prepare", f"{features}:prepare")
    assert run.code == 1
    assert (
        "leak: signals in row 4277 (2016-01-04T21:00:00Z, SP500) from column('signal')" in run.out
    )
    assert "for x in (bars, perturbed(bars, 4277, " in run.out


def test_json_has_every_leak(cli, tmp_path: Path) -> None:
    strategy, features = files(tmp_path)
    run = cli("check", strategy, *DATA, "--prepare", f"{features}:prepare", "--json")
    assert run.code == 1
    assert run.object["schema"] == "alphalab.check/1"
    assert [leak["output"] for leak in run.object["leaks"]][:2] == ["signals", "targets"]
    run = cli("check", strategy, *DATA, "--prepare", f"{features}:clean", "--json")
    assert (run.code, run.object["ok"], run.object["proved"]) == (0, True, False)


def test_a_function_that_is_not_there_is_refused(cli, tmp_path: Path) -> None:
    strategy, features = files(tmp_path)
    run = cli("check", strategy, *DATA, "--prepare", f"{features}:prepared")
    assert run.code == 2
    assert "unknown function in features.py 'prepared': did you mean 'prepare'?" in run.err
    run = cli("check", strategy, *DATA, "--prepare", f"{features}")
    assert run.code == 2
    assert "names no function" in run.err
