from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = dict(
    re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", line).groups()
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def run_python(code: str, folder: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=120,
    )
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return path


# ---- the wheel -------------------------------------------------------------------------------


def test_the_wheel_has_no_generic_top_level_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packages = {"alphalab", "alphalab_envs", "alphalab_live", "alphalab_train"}
    assert {name.split("/")[0] for name in names} == packages | {"alphalab-0.1.0.dist-info"}


def test_the_wheel_holds_everything_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    homes = {"alphalab": "alphalab", "environments/alphalab_envs": "alphalab_envs"}
    homes |= {"environments/alphalab_train": "alphalab_train"}
    homes |= {"live/alphalab_live": "alphalab_live", "strategies": "alphalab/_strategies"}
    expected = {
        f"{inside}/{file.relative_to(ROOT / home).as_posix()}"
        for home, inside in homes.items()
        for file in (ROOT / home).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names == expected
    assert {"alphalab/py.typed", "alphalab/_strategies/sma_cross.py"} <= names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read("alphalab-0.1.0.dist-info/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    licence = archive.read("alphalab-0.1.0.dist-info/licenses/LICENSE").decode()
    assert licence.split() == (ROOT / "LICENSE").read_text().split()
    assert "Version 2.0, January 2004" in licence and "END OF TERMS AND CONDITIONS" in licence
    entry_points = archive.read("alphalab-0.1.0.dist-info/entry_points.txt").decode()
    assert "alphalab = alphalab.cli.main:main" in entry_points


def test_an_installed_wheel_finds_its_strategies(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import alphalab\n"
        "from alphalab.artifact.loading import load_strategy, reference_strategies\n"
        "print(alphalab.__file__, load_strategy('sma_cross').__name__)\n"
        "print(*reference_strategies().values())"
    )
    first, second = run_python(code, tmp_path, PYTHONPATH=str(tmp_path / "site")).splitlines()
    assert first == f"{tmp_path}/site/alphalab/__init__.py SmaCross"
    assert str(tmp_path / "site" / "alphalab" / "_strategies" / "sma_cross.py") in second.split()
    assert len(second.split()) == len(list((ROOT / "strategies").glob("[!_]*.py")))


# ---- the pins --------------------------------------------------------------------------------


def test_everything_that_make_installs_is_pinned() -> None:
    lines = [*PROJECT["dependencies"], *EXTRAS["data"], *EXTRAS["dev"]]
    wanted = {canonical(re.match(r"[\w.-]+", line).group()) for line in lines} - {"alphalab"}
    assert wanted <= {canonical(name) for name in PINS}
    assert PINS["torch"] == "2.13.0"


def test_what_runs_here_is_what_is_pinned() -> None:
    from importlib.metadata import PackageNotFoundError, version

    different = {}
    for name, pin in PINS.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        if installed.split("+")[0] != pin:
            different[name] = (installed, pin)
    assert not different


# ---- the import ------------------------------------------------------------------------------


def test_import_is_cheap() -> None:
    heavy = "numba pandas pyarrow plotly rich typer scipy"
    code = f"import sys, alphalab; print([m for m in {heavy.split()} if m in sys.modules])"
    assert run_python(code).strip() == "[]"
