"""Random growth: expressions drawn from the language, with units that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from alphalab.agents.proposers.dimensions import ALIKE, KEEP, TO_PURE, Dimension
from alphalab.agents.proposers.proposal import Proposal, View
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr, apply
from alphalab.expr.registry import REGISTRY

Choice = TypeVar("Choice")

WINDOWS = (2, 3, 5, 8, 10, 13, 21, 34, 42, 63, 126, 252)
_DEEPEST = 4
#: Draws for one proposal before growth gives up: a budget may allow almost nothing.
_PATIENCE = 200
_COLUMNS = {
    Dimension.PRICE: ("open", "high", "low", "close"),
    Dimension.VOLUME: ("volume",),
}


class Growth:
    """Draws expressions without a unit, such as returns, ranks and ratios, level by level.

    Parameters
    ----------
    view : View
        Its budget says which columns and operators are allowed.
    rng : numpy.random.Generator
    """

    def __init__(self, view: View, rng: np.random.Generator) -> None:
        self.budget = view.budget
        self.rng = rng
        self._columns = {
            dimension: [name for name in names if self._known(name, view)]
            for dimension, names in _COLUMNS.items()
        }
        self._units = [dimension for dimension, names in self._columns.items() if names]

    def pure(self, depth: int) -> Expr:
        """Return an expression without a unit of at most `depth` levels above its columns."""
        kind = self.rng.random()
        if depth <= 1 or kind < 0.35:
            return self._one(TO_PURE, self._any(depth - 1))
        if kind < 0.5:
            unit = self._draw(self._units)
            return apply("div", self.of(unit, depth - 1), self.of(unit, depth - 1))
        if kind < 0.65:
            return self._one(KEEP, self.pure(depth - 1))
        if kind < 0.8:
            return apply("ts_corr", self._any(depth - 1), self._any(depth - 1), self._window(3))
        name = self._draw(("add", "sub", "mul"))
        return apply(name, self.pure(depth - 1), self.pure(depth - 1))

    def of(self, unit: Dimension, depth: int) -> Expr:
        """Return an expression of a unit."""
        if unit is Dimension.PURE:
            return self.pure(depth)
        if depth <= 0 or self.rng.random() < 0.4:
            return column(self._draw(self._columns[unit]))
        if self.rng.random() < 0.75:
            return self._one(KEEP, self.of(unit, depth - 1))
        return apply(self._draw(ALIKE), self.of(unit, depth - 1), self.of(unit, depth - 1))

    def _any(self, depth: int) -> Expr:
        unit = self._draw([*self._units, Dimension.PURE] if depth > 1 else self._units)
        return self.of(unit, depth)

    def _one(self, names: Sequence[str], x: Expr) -> Expr:
        name = self._draw(names)
        record = REGISTRY[name]
        if not record.params:
            return apply(name, x)
        return apply(name, x, self._window(int(max(record.params[0].low, 1))))

    def _window(self, least: int) -> int:
        return int(self._draw([n for n in WINDOWS if n >= least]))

    def _draw(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self.rng.integers(len(choices)))]

    def _known(self, name: str, view: View) -> bool:
        """Return True for a column that is allowed and has values; volumes are often unknown."""
        values = view.bars.columns.get(name)
        return (
            name in self.budget.columns and values is not None and bool(np.isfinite(values).any())
        )


def grown(view: View, n: int, rng: np.random.Generator) -> list[Proposal]:
    """Return at most n random expressions within the budget, each one new; see `Proposer`.

    Examples
    --------
    >>> import alphalab as al
    >>> view = View(al.load("synthetic:rows=100,symbols=3,seed=1"))
    >>> [proposal.why for proposal in grown(view, 2, np.random.default_rng(1))]
    ['growth', 'growth']
    """
    growth = Growth(view, rng)
    found: dict[str, Proposal] = {}
    for _ in range(_PATIENCE * n):
        if len(found) == n:
            break
        expr = growth.pure(int(rng.integers(1, _DEEPEST + 1)))
        text = str(expr)
        if text not in view.scores and view.budget.breach(expr) is None:
            found.setdefault(text, Proposal(text, "growth"))
    return list(found.values())
