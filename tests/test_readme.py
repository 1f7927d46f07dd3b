"""The README's examples run and its links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_examples_run():
    failed, tried = doctest.testfile(
        str(ROOT / "README.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 5
    assert failed == 0


def test_the_strategy_shown_is_the_one_shipped():
    shown = re.search(r"```python\n(class SmaCross.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert shown is not None
    shipped = (ROOT / "strategies" / "sma_cross.py").read_text()
    for line in shown.group(1).strip().splitlines():
        assert line.strip() in shipped, line


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/decisions/{p.name}" for p in ROOT.glob("docs/decisions/*.md"))]
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        if not target.startswith("https://"):
            assert (ROOT / page).parent.joinpath(target).exists(), target
