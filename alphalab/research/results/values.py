"""Values of expressions on bars, as a strategy that uses them sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from alphalab.core.accounts import default_capacity
from alphalab.data.panel.bars import Bars
from alphalab.errors import UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.types import FloatArray


def value_blocks(
    expressions: Mapping[str, Expr], bars: Bars, before: Bars | None = None
) -> Iterator[tuple[slice, str, FloatArray]]:
    """Yield rows, a name and the values of its expression in them, (R, N), block by block.

    The array is valid until the next step. The expressions see the rows `before` first.

    Raises
    ------
    UnknownNameError
        A column, a symbol or a group that the bars do not have.
    """
    plan = Plan(expressions, bars.instruments, default_capacity(bars.n_symbols))
    for name in plan.columns:
        if name not in bars.columns:
            raise UnknownNameError("column", name, bars.columns)
    if before is not None:
        for _ in _pushed(plan, before):
            pass
    yield from _pushed(plan, bars)


def _pushed(plan: Plan, bars: Bars) -> Iterator[tuple[slice, str, FloatArray]]:
    for i in range(0, bars.n_rows, plan.capacity):
        rows = slice(i, min(i + plan.capacity, bars.n_rows))
        block = {name: bars.columns[name][rows] for name in plan.columns}
        for name, values in plan.each(block, rows.stop - rows.start, bars.time[rows]):
            yield rows, name, values


def values_of(
    expressions: Mapping[str, Expr], bars: Bars, before: Bars | None = None
) -> dict[str, FloatArray]:
    """Return the values of expressions at every row of the bars, (T, N) each; NaN: unknown."""
    values = {name: np.empty((bars.n_rows, bars.n_symbols)) for name in expressions}
    for rows, name, part in value_blocks(expressions, bars, before):
        values[name][rows] = part
    return values
