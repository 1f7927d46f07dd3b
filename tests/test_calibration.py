"""The markets and searches that the gate is calibrated on."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import alphalab as al

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A script of the benchmarks as a module."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def calibration(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("calibration")


@pytest.mark.parametrize("sharpe", [0.0, 2.0])
def test_the_edge_has_its_sharpe_ratio(calibration: ModuleType, sharpe: float) -> None:
    bars = calibration.market(np.random.default_rng(1), 60_000, sharpe)
    found = al.backtest(al.ExprStrategy(text=calibration.EDGE), bars, quality="unchecked")
    assert found.metrics["sharpe"] == pytest.approx(sharpe, abs=0.2)  # three standard errors


def test_a_market_without_an_edge_has_no_drift(calibration: ModuleType) -> None:
    bars = calibration.market(np.random.default_rng(2), 60_000)
    returns = bars.close[1:, 0] / bars.close[:-1, 0] - 1.0
    assert abs(returns.mean() / returns.std() * 252**0.5) < 0.2


def test_a_search_of_noise_is_refused_and_its_tables_are_whole(calibration: ModuleType) -> None:
    found = calibration.search(3, 600, 6)
    assert not found.promoted
    assert found.refused
    assert 1 <= found.n_effective <= 6
    ideas = calibration.one_idea(3, 600)
    assert not ideas.promoted and ideas.n_effective < 100
    text = calibration.noise([found, ideas], "4 strategies")
    assert "| promoted by the default policy | 0.0% (0.0% to " in text


def test_the_picture_shows_the_numbers_of_the_table(
    script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    plot = script("power_plot")
    cells = plot.read_table("| 1.5 | 10 | 20 | 90.0% (68.3% to 98.8%) | 1.50 | pbo 2 |\n| 1 | 2 |")
    assert cells == [(1.5, 10, 90.0, 68.3, 98.8)]
    plot.draw(cells, tmp_path / "a.png")
    plot.draw([cells[0]._replace(share=80.0)], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert len(plot.read_table(plot.PAGE.read_text("utf-8"))) == 6
    with pytest.raises(SystemExit, match="no power table"):
        plot.read_table("| 1 | 2 |")
