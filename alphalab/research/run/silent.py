"""Assets on which a strategy has no opinion in most rows in which they trade, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alphalab.core.engine import Block
from alphalab.data.panel.bars import Bars
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import operator
from alphalab.research.results.values import value_blocks
from alphalab.types import IntArray

#: Share of the rows in which an asset trades; above it, unknown signals are reported.
MOST = 0.5
#: Symbols that one warning names.
_SHOWN = 5

_CURES = (
    "al.on_traded(...) counts the rows in which the asset trades, x.ffill() goes on with the last "
    "known value, and min_periods=... lets a window hold unknown values."
)


class _Unknown(NamedTuple):
    """Rows in which each node is unknown although the asset trades, by node."""

    rows: Mapping[bytes, IntArray]  # (N,) each
    traded: IntArray  # (N,)

    def most(self, node: Expr, asset: int) -> bool:
        return bool(self.rows[node.key][asset] > MOST * self.traded[asset])


def silent_assets(
    expressions: Mapping[str, Expr], bars: Bars, block: Block, before: Bars | None = None
) -> Iterator[str]:
    """Yield one warning for each cause, which names the assets and the node of the expression.

    Parameters
    ----------
    expressions : mapping of str to Expr
        Of a strategy: ``weights``, or the signals of its `decide`.
    bars : Bars
        The rows that were traded.
    block : Block
        What the engine recorded in them.
    before : Bars, optional
        Rows that the expressions saw before.
    """
    traded = ~np.isnan(bars.close)
    filled = np.bincount(block.fills["asset"], minlength=bars.n_symbols) > 0
    if "weights" in expressions:
        unknown = (np.isnan(block.targets) & traded).sum(axis=0)
        assets = np.flatnonzero(unknown > MOST * traded.sum(axis=0))
    else:  # a decide may well be without an opinion, but not without signals
        assets = np.flatnonzero(~filled & traded.any(axis=0))
    if not assets.size:
        return
    unknown = _count(expressions, bars, traded, before)
    causes: dict[str, list[int]] = {}
    for asset in assets.tolist():
        for expr in expressions.values():
            node = _cause(expr, asset, bars, unknown) if unknown.most(expr, asset) else None
            if node is not None and not (node.op == "column" and filled[asset]):
                causes.setdefault(_because(node, asset, bars, unknown, before), []).append(asset)
                break
    for because, found in causes.items():
        first = found[0]
        names = ", ".join(bars.symbols[asset] for asset in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        verb, their = ("have", "they trade") if len(found) > 1 else ("has", "it trades")
        rows = max(int(unknown.rows[expr.key][first]) for expr in expressions.values())
        count = f"{rows:,} of the {int(unknown.traded[first]):,} rows in which {their}"
        yield f"{names}{more} {verb} no signal in {count}: {because}"


def _count(
    expressions: Mapping[str, Expr], bars: Bars, traded: NDArray[np.bool_], before: Bars | None
) -> _Unknown:
    """Count unknown values of all nodes in one pass over the rows."""
    seen: set[bytes] = set()
    nodes = {node.key: node for expr in expressions.values() for node in expr.walk(seen)}
    names = {str(place): node for place, node in enumerate(nodes.values())}
    rows = {key: np.zeros(bars.n_symbols, np.int64) for key in nodes}
    for part, name, values in value_blocks(names, bars, before):
        rows[names[name].key] += (np.isnan(values) & traded[part]).sum(axis=0)
    return _Unknown(rows, traded.sum(axis=0))


def _cause(node: Expr, asset: int, bars: Bars, unknown: _Unknown) -> Expr | None:
    """Return the node that is unknown although its inputs are known; None if it is meant to be."""
    while True:
        inputs = list(node.args)
        if node.op == "per_symbol":
            if bars.symbols[asset] not in node.params:
                return None
            inputs = [node.args[node.params.index(bars.symbols[asset])]]
        elif node.op == "of":
            asset = bars.symbols.index(node.params[0])
        worse = [arg for arg in inputs if unknown.most(arg, asset)]
        written = [arg for arg in worse if arg.op == "constant"]
        worse = [arg for arg in worse if arg.op != "constant"]
        if not worse:
            return None if written or node.op == "constant" else node
        node = max(worse, key=lambda arg: unknown.rows[arg.key][asset])


def _because(node: Expr, asset: int, bars: Bars, unknown: _Unknown, before: Bars | None) -> str:
    text = f"{node!s:.80}"
    if node.op == "column":
        return f"the column {node.params[0]} is unknown there."
    if node.op == "group":
        return f"their instruments have no label {node.params[0]}."
    if operator(node.op).family != "series":
        return f"{text} is unknown there, although its inputs are known."
    there = int(unknown.traded[asset]) + (0 if before is None else before.n_rows)
    if node.warmup >= there:
        return f"{text} needs {node.warmup + 1:,} rows. Use a shorter window or more data."
    gaps = int(np.isnan(bars.close[:, asset]).sum())
    if gaps:
        return (
            f"{text} is unknown while its window holds one of the {gaps:,} rows of the bars in "
            f"which the asset does not trade. {_CURES}"
        )
    return f"{text} is unknown while its window holds an unknown value. {_CURES}"
