"""``alphalab new``: start a project with a strategy that runs and a test that passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import InputError

STRATEGY = "sma_cross"

_README = """\
# {name}

    pip install 'alphalab[data]' pytest
    alphalab backtest strategies/{strategy}.py --data sp500 --report reports/{strategy}.html
    pytest

| folder | holds |
|---|---|
| `strategies/` | one file per strategy |
| `notebooks/` | research |
| `data/` | CSV, Parquet or Feather files: `--data data/mine.parquet` |
| `tests/` | tests |
| `environments/` | reinforcement learning environments |
| `live/` | settings of paper and live runs |

`alphalab ops` lists the operators of strategies, `alphalab doctor` checks the installation.
"""

_PYPROJECT = """\
[project]
name = "{package}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["alphalab[data]"]

[project.optional-dependencies]
dev = ["pytest"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

_TEST = '''\
"""The strategy runs, and its result does not depend on how the rows are cut."""

from pathlib import Path

import alphalab as al
from alphalab.artifact.loading import load_strategy

STRATEGY = Path(__file__).parents[1] / "strategies" / "{strategy}.py"


def test_blocks_do_not_change_the_result():
    strategy, bars = load_strategy(str(STRATEGY))(), al.load("synthetic:rows=500,seed=1")
    whole = al.backtest(strategy, bars)
    assert len(whole.fills) > 0
    assert al.backtest(strategy, bars, block_rows=7).digest == whole.digest
'''

_GITIGNORE = """\
__pycache__/
.venv/
/reports/
/data/*
!/data/README.md
"""

_FOLDERS = {
    "strategies": "",
    "notebooks": "Notebooks: start with `import alphalab as al`.\n",
    "data": "Data files; git ignores them.\n",
    "tests": "",
    "environments": "Reinforcement learning environments.\n",
    "live": "Settings of paper and live runs; no keys, ever.\n",
}


def new(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A new or an empty folder.", show_default=False),
    ],
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Start a project: folders, a strategy that runs and its test."""
    from alphalab.artifact.loading import reference_strategies

    out = Output(json=json, quiet=quiet)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} {'is not empty' if folder.is_dir() else 'is a file'}",
            rule="a project starts in a new or an empty folder.",
        )
    files = _files(folder.resolve().name, reference_strategies()[STRATEGY].read_text("utf-8"))
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(
            f"cannot make {folder}: {error.strerror}", rule="a project is made where one can write."
        ) from None

    command = f"alphalab backtest strategies/{STRATEGY}.py --data sp500"
    if json:
        content = {"folder": str(folder), "files": sorted(files), "next": command}
        out.object("new", content)
    else:
        out.text(f"Made {folder} with {len(files)} files. Next:")
        out.text(f"  cd {folder}")
        out.text(f"  {command}")


def _files(name: str, strategy: str) -> dict[str, str]:
    """Return the files of a new project: text by path."""
    package = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "alphas"
    notes = {f"{folder}/README.md": text for folder, text in _FOLDERS.items() if text}
    return {
        "README.md": _README.format(name=name, strategy=STRATEGY),
        "pyproject.toml": _PYPROJECT.format(package=package),
        ".gitignore": _GITIGNORE,
        f"strategies/{STRATEGY}.py": strategy,
        f"tests/test_{STRATEGY}.py": _TEST.format(strategy=STRATEGY),
        **notes,
    }
