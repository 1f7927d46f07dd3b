"""The benchmarks run at a small size, compare what they time, and can find a difference.

No test asserts a time: timings need a quiet machine.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow

#: vectorbt gives numba lists.
numba_lists = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPendingDeprecationWarning")
Loader = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Loader:
    """A benchmark as a module; `expressions` is also the name of a module of the tests."""
    monkeypatch.syspath_prepend(FOLDER)

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


def run(module: ModuleType, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the benchmark finds; its tables are made of that, too."""
    assert module.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agrees"] is True
    assert found["environment"]["alphalab"]
    module.tell(found)
    assert "|---" in capsys.readouterr().out  # nobody looks on: Markdown
    return found  # type: ignore[no-any-return]


@numba_lists
def test_sweep_has_the_figures_of_vectorbt(
    script: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vectorbt")
    sweep = script("sweep")
    size = ("--rows", "800", "--combinations", "6", "--repeats", "1")
    found = run(sweep, capsys, *size, "--no-memory")
    assert found["combinations"] == 6
    assert found["fills"] > 20
    sides = {row["side"] for row in found["sides"]}
    assert {"alphalab, 1 thread", "vectorbt documented, numba", "vectorbt lean, numba"} <= sides
    assert all(row["difference"] <= 1e-9 for row in found["sides"])
    assert sweep.main(["--side", "alphalab, 2 threads", *size]) == 0
    held = json.loads(capsys.readouterr().out)
    assert 0 < held["loaded_mib"] <= held["peak_mib"] <= held["peak_after_3_mib"]


@numba_lists
def test_the_comparison_of_sweeps_can_fail(
    script: Loader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vectorbt")
    sweep = script("sweep")
    monkeypatch.setattr(sweep, "present", lambda: [sweep.REFERENCE, "vectorbt lean, numba"])
    dear = sweep.theirs

    def with_another_fee(*arguments: Any) -> Any:
        monkeypatch.setattr(sweep, "FEE_BPS", 1.001)
        try:
            return dear(*arguments)
        finally:
            monkeypatch.setattr(sweep, "FEE_BPS", 1.0)

    monkeypatch.setattr(sweep, "theirs", with_another_fee)
    size = ("--rows", "800", "--combinations", "3", "--repeats", "1", "--no-memory", "--json")
    assert sweep.main([*size]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["sides"][1]["difference"] > 1e-9 >= found["sides"][0]["difference"]


@numba_lists
def test_single_has_the_results_of_its_peers(
    script: Loader, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vectorbt")
    pytest.importorskip("backtesting")
    single = script("single")
    monkeypatch.setattr(single, "NAUTILUS", Path("nowhere"))  # another environment
    found = run(single, capsys, "--rows", "600", "--repeats", "1", "--no-memory")
    assert {"alphalab", "vectorbt, numba", "backtesting.py"} <= {x["side"] for x in found["sides"]}
    assert found["sides"][0]["n_fills"] > 10


def test_the_comparison_of_single_runs_can_fail(script: Loader) -> None:
    single = script("single")
    equity = np.array([100.0, 101.0, 102.0])
    ours = single.Run(1, 0.02, 1.0, 0.0, equity, np.array([1]))
    assert single.difference("vectorbt, numba", ours, ours) == 0.0
    moved = ours._replace(equity=equity * [1.0, 1.001, 1.0])
    assert single.difference("vectorbt, numba", moved, ours) == pytest.approx(1e-3)
    assert single.difference("backtesting.py", moved, ours) == 0.0  # a row of a fill
    assert single.difference("backtesting.py", ours._replace(equity=equity * 2), ours) == 1.0
    assert single.difference("vectorbt, numba", ours._replace(n_fills=2), ours) == np.inf
    final = ours._replace(equity=None, total_return=0.03)
    assert single.difference("nautilus_trader", final, ours) == pytest.approx(0.01 / 1.02)


def test_push_is_one_block_in_pieces(script: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    push = script("push")
    found = run(push, capsys, "--rows", "60")
    assert [(case["assets"], case["nodes"]) for case in found["cases"]] == [(1, 20), (500, 20)]
    assert all(case["fills"] > 5 for case in found["cases"])
    assert all(0 < case["median_us"] <= case["p99_us"] for case in found["cases"])


def test_expressions_have_the_values_of_pandas(
    script: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    expressions = script("expressions")
    found = run(expressions, capsys, "--rows", "60", "--assets", "22", "--repeats", "1")
    assert len(found["operators"]) == len(expressions.CASES) == found["totals"]["operators"]
    assert all(row["differs"]["pandas"] < 1e-4 for row in found["operators"])
    assert found["totals"]["pandas_over_alphalab"] > 0


def test_expressions_compare_every_operator_there_is(script: Loader) -> None:
    from alphalab.expr.registry import REGISTRY

    families = ("elementwise", "series", "cross")
    operators = {name for name, record in REGISTRY.items() if record.family in families}
    builtin = {x for x in operators if isinstance(REGISTRY[x].update, str)}
    builtin -= {x for x in builtin if REGISTRY[x].form_of}  # one code for windows with gaps
    assert set(script("expressions").CASES) == builtin


def test_the_comparison_of_expressions_can_fail(
    script: Loader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expressions = script("expressions")
    wrong = expressions.CASES["ts_std"]._replace(pandas=lambda p: p.close.rolling(20).std(ddof=0))
    monkeypatch.setitem(expressions.CASES, "ts_std", wrong)
    size = ("--rows", "60", "--assets", "5", "--repeats", "1", "--operators", "ts_mean,ts_std")
    assert expressions.main([*size, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [row["differs"]["pandas"] > 1e-4 for row in found["operators"]] == [False, True]
    with pytest.raises(SystemExit):
        expressions.main(["--operators", "ts_nothing"])
    assert "ts_nothing" in capsys.readouterr().err


def test_scaling_leaves_the_table_as_it_is(
    script: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    scaling = script("scaling")
    size = ("--rows", "300,600", "--columns", "5", "--repeats", "1")
    found = run(scaling, capsys, *size)
    assert [row["threads"] for row in found["threads"]] == [1, 2]
    assert [row["rows"] for row in found["rows"]] == [300, 600]
    assert all(0 < row["held_mib"] <= row["swept_mib"] <= row["peak_mib"] for row in found["rows"])


def test_frugal_bars_are_bars(script: Loader) -> None:
    bars = script("scaling").frugal_bars(70_000)  # more than one piece
    np.testing.assert_array_less(bars.low, np.minimum(bars.open, bars.close))
    assert np.abs(np.diff(np.log(bars.close[:, 0]))).max() < 2.0
    assert bars.close.min() > 1.0


def test_a_scan_is_what_memory_gives(
    script: Loader, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scan = script("scan")
    size = ("--rows", "5000", "--store", str(tmp_path), "--memory")
    found = run(scan, capsys, *size)
    assert found["written"]["new"] == 5_000
    assert [row["side"] for row in found["sides"]] == list(scan.SIDES)
    assert all(row["fills"] > 100 for row in found["sides"])
    assert scan.write(5_000, str(tmp_path))["new"] == 0


def test_a_million_bars(
    script: Loader, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    million = script("one_million_bars")
    monkeypatch.setattr(million, "ROWS", 3_000)
    million.main(["--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 3_000
    assert found["fills"] > 10


def test_differences_are_found(script: Loader) -> None:
    measure = script("measure")
    x = np.array([1.0, np.nan, np.inf, 1e6])
    assert measure.largest_difference(x, x) == 0.0
    assert measure.largest_difference(x, np.array([1.0, np.nan, np.inf, 1e6 + 1])) < 2e-6
    assert measure.largest_difference(x, np.array([1.0, 2.0, np.inf, 1e6])) == np.inf
    assert measure.largest_difference(x, np.array([1.0, np.nan, -np.inf, 1e6])) == np.inf
    assert measure.largest_difference(x, np.array([np.nan, np.nan, np.inf, 1e6])) == np.inf
    assert measure.largest_difference(x, np.array([np.inf, np.nan, np.inf, 1e6])) == np.inf
    assert measure.largest_difference(x, x[:3]) == np.inf
    assert measure.largest_difference([0.5], [0.25]) == 0.25


def test_sides_take_turns(script: Loader) -> None:
    measure = script("measure")
    order: list[str] = []
    sides = {name: lambda name=name: order.append(name) for name in "ab"}
    times = measure.side_by_side(sides, 2)
    assert order == ["a", "b", "b", "a"]
    assert all(spent.best <= spent.median <= spent.worst for spent in times.values())
    assert measure.summary([(3.0, 1.0), (1.0, 1.0), (2.0, 5.0)]) == (1.0, 2.0, 3.0, 1.0)


def test_a_peer_that_fails_says_why(script: Loader, tmp_path: Path) -> None:
    measure = script("measure")
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no such thing')")
    with pytest.raises(SystemExit, match="no such thing"):
        measure.alone(broken)
    good = tmp_path / "good.py"
    good.write_text("print('noise')\nprint('{\"x\": 1}')")
    assert measure.alone(good) == {"x": 1}


def test_the_page_has_a_place_for_every_benchmark(script: Loader) -> None:
    page = script("page")
    text = page.PAGE.read_text()
    for name in ("where", *page.NAMES):
        new = page.replaced(text, name, "measured")
        assert f"<!-- {name} -->\n\nmeasured\n\n<!-- end of {name} -->" in new
        assert page.replaced(new, name, "measured") == new
    with pytest.raises(SystemExit, match="no place for 'other'"):
        page.replaced(text, "other", "measured")
    assert page.tidy("a  \n\n\n|b|\n \n") == "a\n\n|b|\n"
    assert "cores" in page.where()
