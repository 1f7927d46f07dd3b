"""What an expression is measured in: prices do not add to volumes."""

from __future__ import annotations

from enum import StrEnum

from alphalab.expr.nodes import Expr


class Dimension(StrEnum):
    """The unit of an expression."""

    PRICE = "price"
    VOLUME = "volume"
    PURE = "pure"  # returns, ranks, correlations, counts: no unit


#: Operators whose result has the unit of their input, which is a window or a past value of it.
KEEP = (
    *("ts_mean", "ts_std", "ts_max", "ts_min", "ts_median", "ts_decay_linear"),
    *("delay", "delta", "ema", "cs_demean", "neg", "abs"),
)
#: Operators of one input whose result has no unit.
TO_PURE = (
    *("ts_rank", "ts_zscore", "ts_skew", "ts_argmax", "ts_argmin", "returns"),
    *("cs_rank", "cs_zscore", "sign", "rsi"),
)
#: Operators of two inputs of one unit: the result has it as well.
ALIKE = ("add", "sub", "minimum", "maximum")
_COLUMNS = {
    **dict.fromkeys(("open", "high", "low", "close"), Dimension.PRICE),
    "volume": Dimension.VOLUME,
}


def dimension_of(expr: Expr) -> Dimension | None:
    """Return the unit of an expression; None: its parts do not fit, or a rule is not known.

    Examples
    --------
    >>> from alphalab.expr.text import parse
    >>> dimension_of(parse("ts_mean(close, 5) - low"))
    <Dimension.PRICE: 'price'>
    >>> dimension_of(parse("close / delay(close, 5)"))
    <Dimension.PURE: 'pure'>
    >>> dimension_of(parse("close + volume")) is None
    True
    """
    found: dict[bytes, Dimension | None] = {}
    for node in expr.walk():
        found[node.key] = _of(node, [found[arg.key] for arg in node.args])
    return found[expr.key]


def _of(node: Expr, inputs: list[Dimension | None]) -> Dimension | None:
    if node.op == "column":
        return _COLUMNS.get(node.params[0], Dimension.PURE)
    if node.op == "constant":
        return Dimension.PURE
    if None in inputs:
        return None
    if node.op in KEEP:
        return inputs[0]
    if node.op in TO_PURE or node.op == "ts_corr":
        return Dimension.PURE
    same = len(set(inputs)) == 1
    if node.op in ALIKE:
        return inputs[0] if same else None
    if node.op == "div":
        return Dimension.PURE if same else None
    if node.op == "mul":
        units = [x for x in inputs if x is not Dimension.PURE]
        if len(units) > 1:
            return None
        return units[0] if units else Dimension.PURE
    return None
