"""The public names of `alphalab.data`: what type checkers see is what runs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from alphalab import data


def test_type_checkers_see_the_names_that_run() -> None:
    tree = ast.parse(Path(str(data.__file__)).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        str(alias.asname): str(line.module)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    assert seen == data._HOME
    assert dir(data) == sorted(seen)


@pytest.mark.parametrize("name", dir(data))
def test_every_name_is_there(name: str) -> None:
    """No name is hidden by a file or a folder of the same name, once that is imported."""
    value = getattr(data, name)
    assert value is not None and type(value).__name__ != "module"


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ingst'"):
        data.ingst  # noqa: B018
