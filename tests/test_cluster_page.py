"""The scripts of docs/cluster.md run, and all of them print the same table."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import alphalab as al

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text()
SCRIPTS = {name: text for text, name in re.findall(r"```python\n(# (\w+\.py)\n.*?)```", PAGE, re.S)}

# Two stand-ins for SLURM's commands: a job is a group of processes of this machine.
SBATCH = """\
#!/bin/sh
job=$(mktemp -p "$JOBS")
sed 's/--nworkers [0-9]*/--nworkers 1/' "$1" > "$job"
setsid bash "$job" > "$job.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """\
#!/bin/sh
kill -- "-$1"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    yield tmp_path


def run(script: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, script],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(folder: Path) -> str:
    (folder / "in_threads.py").write_text(
        "import alphalab as al\n"
        "from sma import GRID, Sma\n"
        'print(al.sweep(Sma, al.load("sp500"), GRID).top(3))\n'
    )
    return run("in_threads.py", folder)


def test_the_page_has_these_scripts():
    assert set(SCRIPTS) == {"sma.py", "on_processes.py", "on_dask.py", "on_slurm.py", "on_ray.py"}
    assert PAGE.count("```python") == len(SCRIPTS)


def test_links_and_names_lead_somewhere():
    assert "alphalab[scale]" in PAGE
    assert "scale = [" in (ROOT / "pyproject.toml").read_text()
    for name in re.findall(r"`al\.(\w+)", PAGE):
        assert hasattr(al, name), name


@pytest.mark.slow
@pytest.mark.parametrize("script", ["on_processes.py", "on_dask.py"])
def test_on_this_machine(script, folder):
    assert run(script, folder) == expected(folder)


@pytest.mark.slow
def test_on_ray(folder):
    short = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # its sockets want a short path
    try:
        said = run(
            "on_ray.py",
            folder,
            RAY_TMPDIR=short,
            RAY_USAGE_STATS_ENABLED="0",
            RAY_AUTH_MODE="token",
            RAY_AUTH_TOKEN=secrets.token_hex(32),
        )
    finally:
        shutil.rmtree(short, ignore_errors=True)
    assert said == expected(folder)
    assert (folder / "sma.db").stat().st_size > 0


@pytest.mark.slow
def test_on_slurm(folder):
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    script = folder / "on_slurm.py"
    assert "jobs=4" in script.read_text()
    script.write_text(script.read_text().replace("jobs=4", "jobs=2"))
    (folder / "jobs").mkdir()
    said = run(
        "on_slurm.py",
        folder,
        JOBS=str(folder / "jobs"),
        PATH=f"{folder}:{os.environ['PATH']}",
        DASK_JOBQUEUE__SLURM__INTERFACE="lo",
    )
    assert said == expected(folder)
    assert (folder / "sma.db").stat().st_size > 0
    assert len(list((folder / "jobs").glob("*.log"))) == 2
