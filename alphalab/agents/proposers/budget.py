"""`Budget`: how large a proposed factor may be, and what it may read."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from alphalab.errors import RefusedError
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import REGISTRY, operator
from alphalab.types import BAR_COLUMNS

#: Operators that a proposed text may never use: they run code of a user.
_NEVER = ("python_op",)


class Limit(StrEnum):
    """The limits of a budget."""

    NODES = "nodes"
    DEPTH = "depth"
    WARMUP = "warmup"
    STATE = "state_bytes"
    COLUMN = "columns"
    OPERATOR = "operators"


class Breach(NamedTuple):
    """The first limit that an expression breaks.

    Attributes
    ----------
    limit : Limit
    given, allowed : str
        What the expression has, and what the budget allows.
    """

    limit: Limit
    given: str
    allowed: str


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a proposed expression.

    Parameters
    ----------
    nodes : int
        Distinct nodes.
    depth : int
        Levels, the root included.
    warmup : int
        Rows before the first value.
    state_bytes : int
        Bytes of state for each asset.
    columns : tuple of str
        Columns that it may read.
    operators : tuple of str
        Operators that it may use; empty: all of the language, but none that runs a user's code.

    Examples
    --------
    >>> from alphalab.expr.text import parse
    >>> Budget().breach(parse("ts_median(close, 10000000)"))
    Breach(limit=<Limit.WARMUP: 'warmup'>, given='9999999', allowed='504')
    >>> Budget().breach(parse("-returns(close, 5)")) is None
    True
    """

    nodes: int = 40
    depth: int = 10
    warmup: int = 504
    state_bytes: int = 100_000
    columns: tuple[str, ...] = BAR_COLUMNS
    operators: tuple[str, ...] = ()

    def breach(self, expr: Expr) -> Breach | None:
        """Return the first limit that the expression breaks; None: it is within the budget."""
        nodes = list(expr.walk())
        for limit, given in (
            (Limit.NODES, len(nodes)),
            (Limit.DEPTH, depth(expr)),
            (Limit.WARMUP, expr.warmup),
            (Limit.STATE, state_bytes(expr)),
        ):
            allowed = getattr(self, limit.value)
            if given > allowed:
                return Breach(limit, str(given), str(allowed))
        for node in nodes:
            if node.op == "column" and node.params[0] not in self.columns:
                return Breach(Limit.COLUMN, node.params[0], ", ".join(self.columns))
            if not self._allows(node.op):
                allowed = ", ".join(self.operators) or "operators of the language"
                return Breach(Limit.OPERATOR, node.op, allowed)
        return None

    def check(self, expr: Expr) -> None:
        """Refuse an expression over the budget.

        Raises
        ------
        RefusedError
            With the limit that it breaks.
        """
        if (breach := self.breach(expr)) is not None:
            raise RefusedError(
                f"{expr!s:.80} is over the budget: {breach.limit} {breach.given}",
                rule=f"{breach.limit}: {breach.allowed} at most."
                if breach.given.isdigit()
                else f"{breach.limit}: {breach.allowed}.",
                fix="Use a smaller text, or a larger Budget.",
            )

    def _allows(self, name: str) -> bool:
        if name in _NEVER:
            return False
        if REGISTRY[name].family in ("source", "clock"):
            return True
        if self.operators:
            return name in self.operators
        return isinstance(REGISTRY[name].update, str)


def depth(expr: Expr) -> int:
    """Return the levels of an expression, the root included.

    Examples
    --------
    >>> from alphalab.expr.text import parse
    >>> depth(parse("ts_mean(close - open, 5)"))
    3
    """
    levels: dict[bytes, int] = {}
    for node in expr.walk():
        levels[node.key] = 1 + max((levels[arg.key] for arg in node.args), default=0)
    return levels[expr.key]


def state_bytes(expr: Expr) -> int:
    """Return the bytes of state that an expression carries for each asset.

    A Python function counts its window of inputs.
    """
    total = 0
    for node in expr.walk():
        if node.op == "python_op":
            total += 8 * node.params[1] * len(node.args)
            continue
        record = operator(node.op)
        total += 8 * record.state.at(record.n(node.params))
    return total
