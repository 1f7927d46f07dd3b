"""The steps of a tutorial page: files to save, commands with their output, Python examples."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import Run

_BLOCK = re.compile(r"^```(console|python|toml)\n(.*?)^```$", re.S | re.M)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_page(text: str, cli: Callable[..., Run]) -> int:
    """Run the blocks of a page in their order, in the current folder; return how many there were.

    - ``console``: lines that begin with ``$`` are commands. The lines below are parts of the
      output, in its order; ``...`` stands for any text. ``# exit code N`` after a command: not 0.
    - ``python`` with ``>>>``: doctests, which share their names.
    - ``python`` or ``toml`` whose first line is ``# NAME``: a file to save.

    Raises
    ------
    AssertionError
        Another exit code or output than the page says.
    """
    names: dict[str, Any] = {"__name__": "page"}
    blocks = _BLOCK.findall(text)
    for kind, block in blocks:
        if kind == "console":
            _run_commands(block, cli)
        elif block.startswith("# "):
            Path(block.splitlines()[0].removeprefix("# ")).write_text(block)
        else:
            test = doctest.DocTestParser().get_doctest(block, names, "page", None, None)
            found = doctest.DocTestRunner(optionflags=_FLAGS).run(test, clear_globs=False)
            assert found.attempted and not found.failed, block
            names = test.globs
    return len(blocks)


def _run_commands(block: str, cli: Callable[..., Run]) -> None:
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, *expected = step.splitlines()
        said = re.search(r"# exit code (\d)$", command)
        name, *arguments = shlex.split(command, comments=True)
        run = cli(*arguments)
        code = int(said[1]) if said else 0
        assert (name, run.code) == ("alphalab", code), (command, run)
        # On a page blanks that align a table may differ in number.
        output = " ".join((run.out + run.err).split())
        place = 0
        for line in expected:
            pattern = r"\s*.*?\s*".join(
                re.escape(" ".join(part.split())) for part in line.split("...")
            )
            found = re.compile(pattern).search(output, place)
            assert found, (command, line, run)
            place = found.end()
