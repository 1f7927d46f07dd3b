"""Genetic proposals: the best so far, mutated and crossed, with fresh growth among them."""

from __future__ import annotations

import numpy as np

from alphalab.agents.proposers.dimensions import Dimension, dimension_of
from alphalab.agents.proposers.growth import WINDOWS, Growth, grown
from alphalab.agents.proposers.proposal import Proposal, View
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import REGISTRY
from alphalab.expr.text import parse
from alphalab.research.factors.score import Refusal

#: Share of proposals that are new growth, so that a population does not narrow to one idea.
_FRESH = 0.2
#: Factors of a tournament: the best of them becomes a parent.
_TOURNAMENT = 5
#: What each further node costs in |t|: of two equal factors the shorter one wins.
_PARSIMONY = 0.02
_PATIENCE = 50


def genetic(view: View, n: int, rng: np.random.Generator) -> list[Proposal]:
    """Return at most n proposals bred from the scores of the view; see `Proposer`.

    Parents win tournaments by |t| less a price for each node. A child replaces a part of one parent
    by a part of another of the same unit, by new growth of that unit, or changes a window. Without
    scores everything is growth.

    References
    ----------
    J. Koza, Genetic Programming (1992); parsimony: R. Poli and N. McPhee, Parsimony Pressure Made
    Easy (2008).
    """
    parents = {
        text: parse(text) for text, score in view.scores.items() if score.refusal is Refusal.NONE
    }
    if not parents:
        return grown(view, n, rng)
    fitness = {
        text: abs(view.scores[text].t) - _PARSIMONY * sum(1 for _ in expr.walk())
        for text, expr in parents.items()
    }
    names, growth = sorted(parents), Growth(view, rng)
    found = {one.text: one for one in grown(view, int(np.ceil(_FRESH * n)), rng)}
    for _ in range(_PATIENCE * n):
        if len(found) >= n:
            break
        first, second = (_winner(names, fitness, rng) for _ in range(2))
        child, why = _child(parents[first], parents[second], growth, rng)
        text = str(child)
        if text in view.scores or text in found or view.budget.breach(child) is not None:
            continue
        bred = (first, second) if why == "crossover" else (first,)
        found[text] = Proposal(text, why, bred)
    return list(found.values())


def neighbours(expr: Expr) -> list[Expr]:
    """Return the expression with each of its windows one step shorter and one step longer.

    Examples
    --------
    >>> [str(one) for one in neighbours(parse("ts_mean(close, 10)"))]
    ['ts_mean(close, 8)', 'ts_mean(close, 13)']
    """
    found: dict[bytes, Expr] = {}
    for node in expr.walk():
        for other in _other_windows(node):
            changed = replaced(expr, node, other)
            found.setdefault(changed.key, changed)
    return list(found.values())


def replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    """Return the expression with another part wherever `old` stands in it.

    Examples
    --------
    >>> str(replaced(parse("close - ts_mean(close, 5)"), parse("close"), parse("open")))
    'open - ts_mean(open, 5)'
    """
    made: dict[bytes, Expr] = {}
    for node in expr.walk():
        args = tuple(made[arg.key] for arg in node.args)
        made[node.key] = new if node.key == old.key else Expr(node.op, args, node.params)
    return made[expr.key]


def _winner(names: list[str], fitness: dict[str, float], rng: np.random.Generator) -> str:
    drawn = [names[i] for i in rng.integers(len(names), size=_TOURNAMENT).tolist()]
    best: str = max(drawn, key=lambda text: fitness[text])
    return best


def _child(first: Expr, second: Expr, growth: Growth, rng: np.random.Generator) -> tuple[Expr, str]:
    """Return a child and how it was made."""
    parts = list(first.walk())
    old = parts[int(rng.integers(len(parts)))]
    kind = rng.random()
    if kind < 0.3 and (others := _other_windows(old)):
        return replaced(first, old, others[int(rng.integers(len(others)))]), "window"
    unit = dimension_of(old) or Dimension.PURE
    if kind < 0.7:
        fitting = [part for part in second.walk() if dimension_of(part) is unit]
        if fitting:
            return replaced(first, old, fitting[int(rng.integers(len(fitting)))]), "crossover"
    return replaced(first, old, growth.of(unit, 2)), "mutation"


def _other_windows(node: Expr) -> list[Expr]:
    """Return the node with the next shorter and the next longer window; none without a window."""
    record = REGISTRY[node.op]
    if not record.counts_rows or record.params[0].name != "n":
        return []
    n, least = int(node.params[0]), record.params[0].low
    near = [
        max((w for w in WINDOWS if w < n and w >= least), default=None),
        min((w for w in WINDOWS if w > n), default=None),
    ]
    return [Expr(node.op, node.args, (w, *node.params[1:])) for w in near if w is not None]
