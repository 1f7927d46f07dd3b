"""The text of a note or of a message is for people: no code branches on it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

# Variables that hold one text for people, and those that hold several.
ONE = {"note", "message", "statement", "sentence", "warning", "remark"}
SEVERAL = {"notes", "messages", "warnings", "remarks"}
# Attributes of errors, findings and notes that hold the same.
ONE_OF = {"what", "fix", "message"}
SEVERAL_OF = {"notes", "warnings"}
METHODS = {
    *("startswith", "endswith", "find", "index", "partition", "rpartition"),
    *("removeprefix", "removesuffix", "split"),
}
FUNCTIONS = {"match", "search", "fullmatch", "findall", "finditer"}

# Places that are known, by file: to be emptied by whoever owns the file.
KNOWN = {
    "alphalab/research/sweep/result.py": 1,
    "alphalab/research/sweep/run.py": 1,
    "alphalab/research/validation/walk_forward.py": 1,
}


class Branches(ast.NodeVisitor):
    """Collects the lines in which code looks into texts for people."""

    def __init__(self) -> None:
        self.lines: set[int] = set()
        self.bound: set[str] = set()  # names that go through texts

    def is_one(self, node: ast.expr) -> bool:
        """Return True for an expression that holds a text for people."""
        if isinstance(node, ast.Name):
            return node.id in ONE | self.bound
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr == "rule":  # of an error it is a sentence, of a finding a name
                return owner == "error"
            return node.attr in ONE_OF or (node.attr == "text" and self.is_one(node.value))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id == "str" and any(map(self.is_one, node.args))
        return isinstance(node, ast.Subscript) and self.is_several(node.value)

    def is_several(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in SEVERAL
        return isinstance(node, ast.Attribute) and node.attr in SEVERAL_OF

    def visit_comprehensions(self, node: Any) -> None:
        self.through(node, [(one.iter, one.target) for one in node.generators])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehensions

    def visit_For(self, node: ast.For) -> None:
        self.through(node, [(node.iter, node.target)])

    def through(self, node: ast.AST, loops: list[tuple[ast.expr, ast.expr]]) -> None:
        before = set(self.bound)
        names = (x for x, _ in loops)
        if any(map(self.is_several, names)):
            self.bound |= {x.id for _, x in loops if isinstance(x, ast.Name)}
        self.generic_visit(node)
        self.bound = before

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            looked = node.func.attr in METHODS and self.is_one(node.func.value)
            searched = node.func.attr in FUNCTIONS and any(map(self.is_one, node.args))
            filtered = node.func.attr == "filterwarnings" and len(node.args) > 1
            if looked or searched or filtered:
                self.lines.add(node.lineno)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                found = self.is_one(right) or (is_literal(left) and self.is_several(right))
            else:
                equal = isinstance(op, ast.Eq | ast.NotEq)
                pair = (left, right)
                found = equal and any(map(self.is_one, pair)) and any(map(is_literal, pair))
            if found:
                self.lines.add(node.lineno)
        self.generic_visit(node)

    def visit_Match(self, node: ast.Match) -> None:
        if self.is_one(node.subject):
            self.lines.add(node.lineno)
        self.generic_visit(node)


def is_literal(node: ast.expr) -> bool:
    """Return True for a text in the code that is not empty."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)
    )


def branches(source: str) -> list[int]:
    """Return the lines in which code looks into texts for people."""
    found = Branches()
    found.visit(ast.parse(source))
    return sorted(found.lines)


def test_no_code_branches_on_words() -> None:
    found = {}
    for path in sorted((ROOT / "alphalab").rglob("*.py")):
        lines = branches(path.read_text())
        if lines:
            found[path.relative_to(ROOT).as_posix()] = lines
    assert {file: len(lines) for file, lines in found.items()} == KNOWN, found


@pytest.mark.parametrize(
    "text",
    [
        'any(note.startswith("times are dates") for note in bars.notes)',
        'note.text.startswith("times are dates")',
        'str(note).endswith("UTC")',
        '"is duplicated" in error.what',
        '"is duplicated" not in error.what',
        'error.rule == "times are strictly increasing."',
        'message.partition(":")',
        're.search("dates", note.text)',
        'made.warnings[0].startswith("stopped")',
        "next(x for x in made.warnings if x.startswith(made.stopped))",
        'any(PRICE.rstrip(".") in warning for warning in self.warnings)',
        'warnings.filterwarnings("ignore", "interrupted: ")',
    ],
)
def test_a_branch_on_words_is_found(text: str) -> None:
    assert branches(text) == [1]


@pytest.mark.parametrize(
    "text",
    [
        'note.code == "dates"',
        'finding.rule == "funding"',
        'path.name.startswith("x")',
        "print(note.text)",
        'f"{error.what}: {error.fix}"',
        "[note for note in notes if note not in self.notes]",
        'warnings.simplefilter("ignore", DeprecationWarning)',
    ],
)
def test_codes_and_printing_pass(text: str) -> None:
    assert branches(text) == []
