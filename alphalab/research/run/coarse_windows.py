"""Windows that count rows of the bars although their column changes on a coarser clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alphalab.expr.nodes import OWN_CLOCK, Expr
from alphalab.expr.registry import operator


def coarse_windows(expressions: Mapping[str, Expr], coarser: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each window over a column of a coarser clock.

    Parameters
    ----------
    expressions : mapping of str to Expr
    coarser : mapping of str to str
        The interval of each column that is known to be coarser than the bars.
    """
    seen: set[bytes] = set()
    for node in (n for expr in expressions.values() for n in expr.walk(seen, inside=False)):
        record = operator(node.op)
        if record.family != "series" or not record.rows.per_n or node.op in ("delay", "ffill"):
            continue
        for name in _read(node):
            if name in coarser:
                interval = coarser[name]
                column = name.removesuffix(f"_{interval}")
                numbers = ", ".join(f"{number:g}" for number in node.params)
                yield (
                    f"{node!s:.80} counts rows of the bars, not of {interval}: between two of "
                    f"these the column {name} stays as it is. Write "
                    f"al.on({interval!r}, al.{column}.{node.op}({numbers})) or the like."
                )


def _read(node: Expr) -> list[str]:
    """Return the columns that an input of a node reads on the rows of the bars, once each."""
    nodes = [x for arg in node.args for x in arg.walk(inside=False) if x.op not in OWN_CLOCK]
    return list(dict.fromkeys(x.params[0] for x in nodes if x.op == "column"))
