"""The markets and searches that the gate is calibrated on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import alphalab as al

FILE = Path(__file__).parents[1] / "benchmarks" / "calibration.py"


@pytest.fixture
def calibration(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_calibration", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


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
