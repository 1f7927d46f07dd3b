"""Learning works: three markets whose answer is known, five seeds on three paths each (slow)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from sanity import ran, summary

RUNS = [(path, seed) for path in range(3) for seed in range(5)]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "seed"), RUNS)
def test_tomorrows_return_wins_by_far(path: int, seed: int) -> None:
    assert ran("oracle", path, seed)["sharpes"][-1] > 10.0


@pytest.mark.slow
@pytest.mark.parametrize(("path", "seed"), RUNS)
def test_noise_with_costs_ends_flat(path: int, seed: int) -> None:
    assert ran("noise", path, seed)["flat"]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "seed"), RUNS)
def test_planted_reversion_beats_holding(path: int, seed: int) -> None:
    found = ran("reversion", path, seed)
    assert found["sharpes"][-1] > max(found["hold"], 0.0) + 0.5


def test_a_summary_can_show_a_failure() -> None:
    lines = [
        {"case": "noise", "sharpes": [0.0, 0.3], "hold": 0.1, "flat": False},
        {"case": "oracle", "sharpes": [0.0, 0.3], "hold": 0.4, "flat": False},
    ]
    assert [row[-1] for row in summary(lines)] == ["0 of 1", "0 of 1"]
