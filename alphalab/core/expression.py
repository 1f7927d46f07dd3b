"""`Expression`: the strategy that is nothing but one expression."""

from __future__ import annotations

from functools import cached_property

import msgspec

from alphalab.core.strategy import Strategy
from alphalab.expr.nodes import Expr
from alphalab.expr.text import parse


class Expression(Strategy, frozen=True, dict=True):
    """Hold what one expression says: its value is the desired weight of equity per asset.

    Parameters
    ----------
    text : str
        An expression of the alpha language. It is kept in its canonical form, so that two texts
        that say the same make equal strategies.

    Raises
    ------
    InputError
        A text that the alpha language does not allow, or a name that it does not have.

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
        """Give the expression."""
        return self._parsed

    @cached_property
    def _parsed(self) -> Expr:
        return parse(self.text)
