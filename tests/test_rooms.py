"""The rooms of the package: no circle of files, also not through imports inside functions."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Circles that are still there, each by its files. Empty this set; never add to it.
KNOWN = {
    ("expr/custom", "expr/functions", "expr/nodes", "expr/text"),
}


def modules(package: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their modules."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, known: Mapping[str, Path], own: str) -> set[str]:
    """Return the modules that a source imports anywhere: inside functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{own}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in known:
                name = name.rpartition(".")[0]
            # A package only offers names of its files lazily: it is not part of a circle.
            if name and name != own and known[name].name != "__init__.py":
                found.add(name)
    return found


def circles(graph: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Return the sets of modules that reach each other (Tarjan 1972), each sorted."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            place = stack.index(node)
            group = stack[place:]
            del stack[place:]
            if len(group) > 1:
                found.append(tuple(sorted(group)))

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return sorted(found)


def graph_of(package: Path) -> dict[str, set[str]]:
    known = modules(package)
    return {name: imports(path.read_text(), known, name) for name, path in known.items()}


def test_no_circle_of_files() -> None:
    found = {
        tuple(name.removeprefix("alphalab.").replace(".", "/") for name in circle)
        for circle in circles(graph_of(ROOT / "alphalab"))
    }
    assert found == KNOWN


@pytest.mark.parametrize(
    "text",
    [
        "import shop.b\n",
        "from shop import b\n",
        "from shop.b import thing\n",
        "def f():\n    from shop.b import thing\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.b import thing\n",
    ],
)
def test_a_circle_is_found_wherever_the_import_stands(tmp_path: Path, text: str) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("from shop.a import thing\n")
    (package / "a.py").write_text(text)
    (package / "b.py").write_text("from shop.c import thing\n")
    (package / "c.py").write_text("import numpy\n")
    assert circles(graph_of(package)) == []
    (package / "c.py").write_text("import shop.a\n")
    assert circles(graph_of(package)) == [("shop.a", "shop.b", "shop.c")]
