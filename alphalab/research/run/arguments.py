"""Arguments that the functions of research take in one order: what runs, then the bars."""

from __future__ import annotations

from typing import Any

from alphalab.data.panel.bars import Bars
from alphalab.data.panel.blocks import BlockSource
from alphalab.errors import ParameterError

_FIRST = {"evaluate": "an expression", "features": "expressions"}


def refuse_swapped(function: str, first: Any, second: Any) -> None:
    """Refuse bars in the place of a strategy or of an expression.

    Raises
    ------
    ParameterError
    """
    if isinstance(first, Bars | BlockSource):
        what = _FIRST.get(function, "a strategy")
        raise ParameterError(
            f"{function}({type(first).__name__}, {type(second).__name__})",
            rule=f"{what} first, then the bars.",
            fix=f"Write al.{function}({what.split()[-1]}, bars).",
        )
