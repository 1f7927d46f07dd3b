"""Only known kinds of files are tracked: sources, pages and settings, and nothing a run writes."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]

# Kinds by suffix, and the folders that may hold them ("" is the root itself).
FOLDERS = {
    ".py": {"alphalab", "benchmarks", "docs", "environments", "live", "strategies", "tests"},
    ".md": {"", "data", "docs"},
    ".toml": {"", "alphalab", "tests"},  # those of alphalab: libraries of factors
    ".txt": {"", "benchmarks", "tests"},
    ".ipynb": {"notebooks"},
    ".html": {"alphalab"},
    ".journal": {"tests"},  # as alphalab wrote them once: they stay readable
    ".onnx": {"strategies", "tests"},
    ".safetensors": {"tests"},
    ".png": {"docs"},
    ".typed": {"alphalab"},
    ".pyi": {"alphalab"},
}
NAMES = {
    *(".ci/run", ".gitignore", "LICENSE", "Makefile", "conftest.py"),
    *("mkdocs.yml", "mkdocs_decisions.py"),  # the site of the documentation
}
LARGEST = 400_000  # bytes


def unknown(path: str) -> bool:
    """Return True for a path of no kind that is tracked."""
    file = PurePosixPath(path)
    folder = file.parts[0] if len(file.parts) > 1 else ""
    return path not in NAMES and folder not in FOLDERS.get(file.suffix, ())


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: nothing is tracked")
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return listed.rstrip("\0").split("\0")


def test_only_known_kinds_are_tracked(tracked: list[str]) -> None:
    assert not [path for path in tracked if unknown(path)]


def test_no_large_file_is_tracked(tracked: list[str]) -> None:
    there = [path for path in tracked if (ROOT / path).is_file()]
    assert not [path for path in there if (ROOT / path).stat().st_size > LARGEST]


@pytest.mark.parametrize(
    "path",
    [
        "kernels_7942/index.nbi",
        "kernels_7942/step.py",
        "alphalab/kernels/step.nbc",
        "tests/data.parquet",
        "notes.py",
        "data/prices.csv",
        "alphalab/__pycache__/x.pyc",
    ],
)
def test_what_a_run_writes_is_unknown(path: str) -> None:
    assert unknown(path)
