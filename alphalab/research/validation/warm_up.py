"""The warm-up certificate: how much history a cold start needs to decide what full history decides.

An account that starts to trade today has seen fewer rows than the backtest had. Windows are full
after a known number of rows; recursive operators never are, and the question is after how many rows
it no longer matters. What the registry knows is taken from there, and all of it is proved on the
data: cold starts at random rows, whose signals must be those of full history from then on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from alphalab.core.strategy import Strategy
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError
from alphalab.expr.nodes import Expr
from alphalab.expr.policy_rows import feeds_back
from alphalab.expr.registry import operator
from alphalab.research.results.values import values_of
from alphalab.types import FloatArray

#: Share of its value before the start that a recursive operator may still hold.
FORGOTTEN = 1e-6
_ROUNDS = 5


class NodeMemory(NamedTuple):
    """Rows that decide a node's value.

    Attributes
    ----------
    text : str
        The node.
    own : float
        Rows that its operator reads; of a recursive one, until less than a millionth of what was
        known before is left. Infinite: no number of rows is enough in general.
    total : float
        The same with all that it reads.
    """

    text: str
    own: float
    total: float


@dataclass(frozen=True)
class Certificate:
    """The least history, and its proof.

    Attributes
    ----------
    rows : int
        Rows to see before the first decision; whoever trades the strategy starts no earlier. The
        bound where there is one, else a quarter more than cold starts needed.
    bound : float
        What the registry says is enough; infinite where it cannot say.
    exact : bool
        True if the bound holds whatever the data: every node has a finite memory.
    needed : int
        Largest number of rows that a cold start on these data needed.
    n_starts : int
        Cold starts of the proof, none of which decided otherwise after `rows`.
    n_compared : int
        Rows in which they were compared with full history.
    tolerance : float
        Largest difference of a signal, relative to its size or 1, that is no difference.
    nodes : tuple of NodeMemory
        Inputs first.
    data : str
        Identity of the bars.
    """

    rows: int
    bound: float
    exact: bool
    needed: int
    n_starts: int
    n_compared: int
    tolerance: float
    nodes: tuple[NodeMemory, ...]
    data: str

    def __str__(self) -> str:
        """Say it in a sentence."""
        how = "by construction" if self.exact else "on these data"
        return (
            f"{self.rows:,} rows of history, {how}: {self.n_starts} cold starts decided as full "
            f"history did in {self.n_compared:,} rows after it (the slowest needed {self.needed:,})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data; what is infinite is None."""
        return {
            **{k: v for k, v in vars(self).items() if k not in ("nodes", "bound")},
            "bound": _finite(self.bound),
            "nodes": [
                {"text": node.text, "own": _finite(node.own), "total": _finite(node.total)}
                for node in self.nodes
            ],
        }


def certify_warmup(
    strategy: Strategy,
    bars: Bars,
    *,
    n_starts: int = 50,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> Certificate:
    """Return the least history after which a cold start decides what full history decides.

    The signals of the strategy are compared: its weights, or what its `decide` reads. What a
    `decide` remembers and holds is its own affair: an account that starts late has other positions.

    Parameters
    ----------
    strategy : Strategy
    bars : Bars
        Long enough for cold starts that leave rows to compare.
    n_starts : int
        Cold starts at random rows, at least 10.
    tolerance : float
        Largest difference of a signal, relative to its size or 1, that counts as none. A recursive
        operator comes ever closer to its value with full history and need not meet it.
    seed : int
        Of the rows.

    Raises
    ------
    DataError
        Too few rows, or signals that differ however much history a cold start has.
    ParameterError
        Fewer than 10 starts, or a tolerance that is not above 0.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> found = certify_warmup(load_strategy("sma_cross")(), al.load("sp500"))
    >>> found.rows, found.exact
    (30, True)
    >>> slow = al.ExprStrategy(text="where(close > ema(close, 30), 1, 0)")
    >>> found = certify_warmup(slow, al.load("sp500"))
    >>> found.rows, found.bound, found.exact
    (238, 238, False)
    """
    if n_starts < 10 or not tolerance > 0:
        raise ParameterError(
            f"n_starts={n_starts}, tolerance={tolerance:g}",
            rule="at least 10 starts, and a tolerance above 0.",
        )
    expressions = strategy.expressions()
    nodes, bound, exact = memory_of(strategy)
    full_windows = max(expression.warmup for expression in expressions.values()) + 1
    runs = _ColdStarts(strategy, bars, tolerance)
    rng = np.random.default_rng(seed)
    needed, rows = 0, math.ceil(bound) if math.isfinite(bound) else full_windows
    for _ in range(_ROUNDS):
        last = bars.n_rows - 2 * rows  # as many rows to compare as were seen
        if last < n_starts:
            break
        starts = np.sort(rng.integers(1, last + 1, n_starts))
        needed = max(needed, *(runs.needed(int(start)) for start in starts))
        if needed <= rows:
            compared = int((bars.n_rows - starts - rows).sum())
            return Certificate(
                rows, bound, exact, needed, n_starts, compared, tolerance, nodes, bars.id
            )
        rows = needed + needed // 4  # to be proved by other starts
    raise DataError(
        f"cold starts need {rows:,} rows or more, of {bars.n_rows:,}",
        rule="a strategy that is traded has forgotten what was before its history, and the data "
        "are long enough to prove it.",
        fix="Take more data, or replace what never forgets: a latch or bars_since whose event may "
        "stay out, a sum of all rows.",
    )


def memory_of(strategy: Strategy) -> tuple[tuple[NodeMemory, ...], float, bool]:
    """Return the memory of every node, that of the strategy, and whether all of it is finite.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> nodes, bound, exact = memory_of(load_strategy("sma_cross")())
    >>> [(node.text, node.total) for node in nodes][:2], bound, exact
    ([('close', 1), ('ts_mean(close, 10)', 10)], 30, True)
    """
    seen: set[bytes] = set()
    totals: dict[bytes, float] = {}
    nodes, exact = [], True
    for expression in strategy.expressions().values():
        for node in expression.walk(seen):
            own = _own_rows(node)
            exact &= node.op == "python_op" or not (operator(node.op).recursive or feeds_back(node))
            totals[node.key] = own - 1 + max((totals[arg.key] for arg in node.args), default=1)
            nodes.append(NodeMemory(str(node), own, totals[node.key]))
    bound = max(totals[expression.key] for expression in strategy.expressions().values())
    return tuple(nodes), bound, exact


def _own_rows(node: Expr) -> float:
    if node.op == "python_op":
        return float(node.params[1])
    if feeds_back(node):
        return math.inf
    return operator(node.op).rows_to_forget(node.params, FORGOTTEN)


class _ColdStarts:
    """Compares signals that begin at a row with those of full history."""

    def __init__(self, strategy: Strategy, bars: Bars, tolerance: float) -> None:
        self.expressions = strategy.expressions()
        self.bars, self.tolerance = bars, tolerance
        self.full = self._signals(0)

    def needed(self, start: int) -> int:
        """Return the rows from a start to the last signal that differs from full history."""
        last = 0
        for full, cold in zip(self.full, self._signals(start), strict=True):
            rows = np.flatnonzero(self._differs(full[start:], cold))
            last = max(last, int(rows[-1]) + 2 if rows.size else 1)
        return last

    def _differs(self, full: FloatArray, cold: FloatArray) -> Any:
        near = np.abs(full - cold) <= self.tolerance * np.maximum(np.abs(full), 1.0)
        same = near | (full == cold) | (np.isnan(full) & np.isnan(cold))
        return ~same.all(axis=1)

    def _signals(self, start: int) -> list[FloatArray]:
        rows = self.bars.rows(start, self.bars.n_rows)
        return list(values_of(self.expressions, rows).values())


def _finite(rows: float) -> int | None:
    return int(rows) if math.isfinite(rows) else None
