"""Identities: of a strategy with its parameters, and of the hypothesis that it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from alphalab.core.decide import decide_identity
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.expr.nodes import Expr


def strategy_id(strategy: Strategy) -> str:
    """Return the identity of what a strategy decides: 64 hexadecimal digits.

    It covers the name of the class, the parameters, every expression with the functions it calls,
    and the code of `decide`; neither the data nor the settings of a run.

    Examples
    --------
    >>> first = strategy_id(ExprStrategy(text="where(close > 1, 1, 0)"))
    >>> first == strategy_id(ExprStrategy(text="where(close>1.0, 1, 0)"))
    True
    >>> first == strategy_id(ExprStrategy(text="where(close > 2, 1, 0)"))
    False
    """
    expressions = strategy.expressions().items()
    return _hashed(
        [
            type(strategy).__name__,
            strategy.canonical_json(),
            *(f"{name}={expr.key.hex()}" for name, expr in expressions),
            decide_identity(strategy),
        ]
    )


def family_id(
    strategy: Strategy | type[Strategy], symbols: Sequence[str], periods_per_year: float
) -> str:
    """Return the identity of a hypothesis: 64 hexadecimal digits.

    Runs of one class are one family whatever their parameters; runs of an `ExprStrategy` are one
    family if their expressions differ in numbers only. The symbols, in any order, and the number of
    rows in a year belong to it. An edited class keeps its family: its trials still count. Runs of
    trained policies are one family if the policies read the same features, whoever holds them.

    Examples
    --------
    >>> fast, slow = (ExprStrategy(text=f"close > ts_mean(close, {n})") for n in (5, 50))
    >>> family_id(fast, ["A", "B"], 252.0) == family_id(slow, ["B", "A"], 252.0)
    True
    >>> other = ExprStrategy(text="close > ts_max(close, 5)")
    >>> family_id(fast, ["A"], 252.0) == family_id(other, ["A"], 252.0)
    False
    """
    policies = () if isinstance(strategy, type) else _policies(strategy)
    if policies:
        idea = [f"policy={shape}" for shape in policies]
    elif isinstance(strategy, ExprStrategy):
        idea = [f"{name}={_shape(expr).hex()}" for name, expr in strategy.expressions().items()]
    else:
        cls = strategy if isinstance(strategy, type) else type(strategy)
        idea = [cls.__name__]
    return _hashed([*idea, *sorted(symbols), f"{periods_per_year:.4g}"])


def _policies(strategy: Strategy) -> tuple[str, ...]:
    """Return the shapes of the policies that a strategy runs, sorted."""
    nodes = (node for expr in strategy.expressions().values() for node in expr.walk())
    return tuple(sorted({_shape(node).hex() for node in nodes if node.op == "policy"}))


def _shape(expr: Expr) -> bytes:
    """Return a hash of an expression without its numbers and the hashes of its policies."""
    known: dict[bytes, bytes] = {}
    for node in expr.walk():
        digest = hashlib.blake2b(node.op.encode(), digest_size=16)
        # Policies of any hash that read the same features are one family.
        for param in node.params if node.op != "policy" else ():
            digest.update(repr(param).encode() if isinstance(param, str) else b"#")
        for arg in node.args:
            digest.update(known[arg.key])
        known[node.key] = digest.digest()
    return known[expr.key]


def _hashed(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
