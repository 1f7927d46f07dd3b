"""`Expression`: a strategy that is one expression."""

from __future__ import annotations

from functools import cached_property

import msgspec

from alphalab.core.strategy import Strategy
from alphalab.expr.nodes import Expr
from alphalab.expr.text import parse


class Expression(Strategy, frozen=True, dict=True):
    """Hold the weights that one expression gives: its value is the weight of equity per asset.

    Parameters
    ----------
    text : str
        An expression of the alpha language. It is stored in its canonical form, so two texts of one
        expression make equal strategies.

    Raises
    ------
    InputError
        A text or a name that the alpha language does not have.

    Examples
    --------
    >>> Expression(text="where(close>ts_mean(close,20), 1, 0)").text
    'where(close > ts_mean(close, 20), 1.0, 0.0)'
    """

    text: str

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "text", str(self._parsed))

    def weights(self) -> Expr:
        """Return the expression."""
        return self._parsed

    @cached_property
    def _parsed(self) -> Expr:
        return parse(self.text)
