"""What a command names to be trained: an environment, or a strategy whose expressions it sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from alphalab.core.strategy import Strategy
from alphalab.errors import ParameterError
from alphalab.expr.nodes import Expr
from alphalab.expr.policy_rows import policy_of
from alphalab_envs.training.task import EnvName

ENVIRONMENTS: tuple[EnvName, ...] = ("trading", "portfolio")


class Subject(NamedTuple):
    """The environment, its features (None: given otherwise) and further options."""

    env: EnvName
    features: Mapping[str, Expr] | None
    options: Mapping[str, Any]


def subject_of(strategy: Strategy, n_symbols: int) -> Subject:
    """Return what an agent learns that sees the expressions of a strategy.

    The limits, exits, entry and rebalancing of the strategy's class are those of the environment.
    A strategy that holds one trained policy gives the features of that policy, so that it is
    trained again.

    Raises
    ------
    ParameterError
        A strategy with a `decide`: the agent takes its place, and sends no orders of its own.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> found = subject_of(load_strategy("sma_cross")(), n_symbols=1)
    >>> found.env, list(found.features)
    ('trading', ['weights'])
    """
    if strategy.max_orders:
        raise ParameterError(
            f"{type(strategy).__name__} sends orders of its own",
            rule="an agent decides by weights.",
            fix="Train on a strategy of expressions, or name trading or portfolio.",
        )
    env: EnvName = "trading" if n_symbols == 1 else "portfolio"
    kept = ("limits", "rebalance", "exits", "entry")
    options = {x: getattr(strategy, x) for x in kept if getattr(strategy, x) is not None}
    expressions = strategy.expressions()
    (first, *others) = expressions.values()
    if not others and first.op == "policy":
        described = policy_of(first.params[1]).description
        options |= {"window": described.window}
        options |= {"account": ("asked",) if described.shows_asked else ()}
        return Subject(env, dict(zip(described.features, first.args, strict=True)), options)
    # Unknown during the warm-up, and where an expression has no opinion: 0 then.
    return Subject(env, {name: expr.fill_nan(0.0) for name, expr in expressions.items()}, options)
