"""The series of a strategy that lie near the price: averages, bands, channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from alphalab.errors import InputError
from alphalab.expr.nodes import CALLS_PYTHON, Expr
from alphalab.expr.text import parse
from alphalab.research.results.record import Run
from alphalab.research.results.values import value_blocks
from alphalab.types import FloatArray

#: Most series beside the price.
MOST_SERIES = 4
#: A series is near the price if half of its values are within the first fraction of the close, and
#: 95 % within a factor of 2.
_NEAR = 0.15
#: Their values are the price of some bar, so they say nothing that the candles do not.
_PRICES = ("column", "constant", "delay")


def price_series(run: Run, assets: Sequence[int]) -> dict[str, FloatArray]:
    """Return the expressions of a run that lie near the price of the first of some assets.

    Parameters
    ----------
    run : Run
    assets : sequence of int

    Returns
    -------
    dict of str to ndarray of shape (T, len(assets))
        At most 4: the strategy's own names first, then the parts of its expressions by their text.
        NaN: unknown. Expressions that call Python are left out, because it would be called again;
        so is everything if an operator of another process is not registered in this one.
    """
    close = run.bars.close[:, assets[0]]
    values = _values(run, assets)
    near = (name for name, found in values.items() if _is_near(found[:, 0], close))
    return {name: values[name] for name, _ in zip(near, range(MOST_SERIES), strict=False)}


def _values(run: Run, assets: Sequence[int]) -> dict[str, FloatArray]:
    try:
        expressions = {name: parse(text) for name, text in run.expressions.items()}
        candidates = dict(_candidates(expressions))
        values = {name: np.empty((run.bars.n_rows, len(assets))) for name in candidates}
        for rows, name, part in value_blocks(candidates, run.bars, run.before):
            values[name][rows] = part[:, assets]
    except InputError:
        return {}
    return values


def _candidates(expressions: Mapping[str, Expr]) -> Iterator[tuple[str, Expr]]:
    compiled = {
        name: expr
        for name, expr in expressions.items()
        if all(node.op not in CALLS_PYTHON for node in expr.walk())
    }
    named = {expr.key for expr in compiled.values()}
    yield from ((name, expr) for name, expr in compiled.items() if expr.op not in _PRICES)
    seen: set[bytes] = set()
    for expr in compiled.values():
        for node in expr.walk(seen, inside=False):
            if node.op not in _PRICES and node.key not in named:
                yield str(node), node


def _is_near(values: FloatArray, close: FloatArray) -> bool:
    known = np.isfinite(values) & (close > 0)
    if not known.any():
        return False
    ratio = values[known] / close[known]
    within = np.mean((ratio > 0.5) & (ratio < 2.0))
    return bool(np.median(np.abs(ratio - 1)) <= _NEAR and within >= 0.95)
