from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import pytest

from alphalab.artifact.loading import blame, load_strategy, make_strategy, reference_strategies
from alphalab.errors import DataError, StrategyError

SOURCE = """\
import alphalab as al


class Mine(al.Strategy):
    n: int = {n}

    def weights(self):
        return al.close.ts_mean(self.n) * 0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(SOURCE.format(n=3))
    return file


def described(strategy: object) -> tuple[str, str]:
    return repr(strategy), str(strategy.weights())  # type: ignore[attr-defined]


def test_a_file_is_run_once_until_it_changes(path: Path) -> None:
    first = load_strategy(str(path))
    assert load_strategy(f"{path}:Mine") is first
    path.write_text(SOURCE.format(n=4))
    second = load_strategy(str(path))
    assert second is not first
    assert (first().n, second().n) == (3, 4)


def test_a_file_that_no_longer_runs_leaves_no_module_behind(path: Path) -> None:
    name = load_strategy(str(path)).__module__
    path.write_text("1 / 0\n")
    with pytest.raises(StrategyError, match="line 1: 1 / 0"):
        load_strategy(str(path))
    assert name not in sys.modules


def test_files_of_one_name_do_not_meet(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "mine.py"
    other.parent.mkdir()
    other.write_text(SOURCE.format(n=9))
    assert (load_strategy(str(path))().n, load_strategy(str(other))().n) == (3, 9)


def test_loading_leaves_no_files_and_no_path(path: Path) -> None:
    before = list(sys.path)
    load_strategy(str(path))
    assert sys.path == before
    assert [file.name for file in path.parent.iterdir()] == ["mine.py"]


def test_workers_get_strategies_of_files(path: Path) -> None:
    strategies = [load_strategy(str(path))(n=n) for n in (1, 2)]
    there = joblib.Parallel(n_jobs=2)(joblib.delayed(described)(s) for s in strategies)
    assert there == [described(s) for s in strategies]


def test_a_fresh_process_unpickles_a_strategy_of_a_file(path: Path) -> None:
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer))"
    sent = pickle.dumps(load_strategy(str(path))(n=7))
    done = subprocess.run(
        [sys.executable, "-c", code], input=sent, capture_output=True, check=True, timeout=60
    )
    assert done.stdout == b"Mine(n=7)\n"


def test_every_reference_strategy_loads() -> None:
    assert {"buy_and_hold", "sma_cross"} <= set(reference_strategies())
    for name in reference_strategies():
        assert make_strategy(load_strategy(name), {}).expressions()


def test_blame_leaves_errors_of_others_alone(path: Path) -> None:
    cls = load_strategy(str(path))
    with pytest.raises(ZeroDivisionError), blame(cls):
        _ = 1 / 0
    with pytest.raises(DataError) as caught, blame(cls):
        raise DataError("of others")
    assert not hasattr(caught.value, "__notes__")
