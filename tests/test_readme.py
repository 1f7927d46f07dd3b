"""The README's examples run, and the strategy it shows is the one that is shipped."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

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
