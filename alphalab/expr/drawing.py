"""Expressions drawn as trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Part(Protocol):
    """What is drawn of an expression."""

    @property
    def op(self) -> str:
        """Name of the operator."""

    @property
    def args(self) -> Sequence[Any]:
        """What it reads."""

    @property
    def params(self) -> tuple[Any, ...]:
        """Its numbers and names."""


#: Most lines of a drawn tree.
MOST_LINES = 60


def drawn(node: Part) -> list[str]:
    """Return an expression as lines of text, each part below what reads it.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> for line in drawn(close > close.ts_mean(10)):
    ...     print(line)
    gt
    ├ column 'close'
    └ ts_mean 10
      └ column 'close'
    """
    lines: list[str] = []
    for line in _lines(node, "", "", ""):
        if len(lines) == MOST_LINES:
            return [*lines, "..."]
        lines.append(line)
    return lines


def _lines(node: Part, lead: str, fork: str, below: str) -> Iterator[str]:
    numbers = " ".join(f"{x:g}" if isinstance(x, float) else repr(x) for x in node.params)
    yield f"{lead}{fork}{node.op}{f' {numbers}' if numbers else ''}"
    for place, part in enumerate(node.args):
        last = place == len(node.args) - 1
        yield from _lines(part, lead + below, "└ " if last else "├ ", "  " if last else "│ ")
