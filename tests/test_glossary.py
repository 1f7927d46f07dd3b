"""The glossary: few terms, sorted, each of them once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "glossary.md"
MOST = 60


def terms_of(text: str) -> list[str]:
    """Return the first cell of each row of the page's tables, without the heads of the tables."""
    cells = re.findall(r"^\| ([^|]*?) \| .* \|$", text, re.M)
    return [cell for cell in cells if cell not in ("term", "---")]


def check(terms: list[str]) -> None:
    assert 0 < len(terms) <= MOST
    assert terms == sorted(terms, key=str.lower)
    assert len(terms) == len({term.lower() for term in terms})


def test_terms_are_few_sorted_and_unique() -> None:
    check(terms_of(PAGE.read_text()))


def test_every_row_has_a_meaning() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert all(re.fullmatch(r"\| [^|]+ \| [^|]+ \|", row) for row in rows)


@pytest.mark.parametrize(
    "terms", [[], ["b", "a"], ["a", "A"], ["a", "b", "b"], [f"{i:02}" for i in range(MOST + 1)]]
)
def test_the_check_can_fail(terms: list[str]) -> None:
    with pytest.raises(AssertionError):
        check(terms)
