"""The how-to pages: their examples run, their commands work, their links lead somewhere."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *("artifacts.md", "fetch.md", "journal.md", "point_in_time.md", "quality.md", "scan.md"),
    *("sources.md", "store.md", "sweeps.md", "time.md", "trials.md", "validation.md"),
]


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str) -> None:
    failed, tried = doctest.testfile(
        str(ROOT / "docs" / page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 5
    assert failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_commands_work(cli, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALPHALAB_TRIALS")  # the ledger of this folder
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert commands
    for command in commands:
        name, *arguments = shlex.split(command)
        run = cli(*arguments)
        assert (name, run.code) == ("alphalab", 0), run.err


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (ROOT / "docs" / target.partition("#")[0]).exists(), target
