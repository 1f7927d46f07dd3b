"""An expression as a tree with the value of each part in one row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Node:
    """One part of an expression, with its value in a row.

    Attributes
    ----------
    text : str
        The part as it is written.
    value : float
        NaN where it is unknown.
    parts : tuple of Node
        What it reads; of a part with a clock of its own nothing, since that has other rows.
    """

    text: str
    value: float
    parts: tuple[Node, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain data; an unknown value is None."""
        return {
            "text": self.text,
            "value": self.value if math.isfinite(self.value) else None,
            "parts": [part.to_dict() for part in self.parts],
        }

    def lines(self, lead: str = "", last: bool = True, top: bool = True) -> Iterator[str]:
        """Yield the tree as lines of text."""
        fork = "" if top else "└ " if last else "├ "
        yield f"{lead}{fork}{self.text} = {number(self.value)}"
        below = lead if top else lead + ("  " if last else "│ ")
        for place, part in enumerate(self.parts):
            yield from part.lines(below, place == len(self.parts) - 1, False)


def number(value: float) -> str:
    """Return a value with six digits; ``unknown`` for NaN."""
    return "unknown" if math.isnan(value) else f"{value:,.6g}"
