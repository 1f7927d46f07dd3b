"""Distances of exits that follow from an expression, such as twice the average true range."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from alphalab.config import RunSettings
from alphalab.errors import AlphalabError, ParameterError
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import operator
from alphalab.expr.text import parse

#: The fields of `Exits` that hold an expression, in the order of `Rows.distances`.
DISTANCES = ("stop_distance", "profit_distance", "trailing_distance")


def distances_of(settings: RunSettings) -> Mapping[str, Expr]:
    """Return the expressions of the exits' distances by their names; often none.

    Raises
    ------
    ParameterError
        Text that is no expression, or one that calls a function of the user.

    Examples
    --------
    >>> from alphalab.config import Exits
    >>> exits = Exits(stop_distance="2 * atr(high, low, close, 14)", take_profit=0.1)
    >>> {name: str(x) for name, x in distances_of(RunSettings(exits=exits)).items()}
    {'stop_distance': '2.0 * atr(high, low, close, 14)'}
    """
    if settings.exits is None:
        return {}
    return {name: _read(name, text) for name, text in settings.exits.distances.items()}


@lru_cache(maxsize=256)
def _read(name: str, text: str) -> Expr:
    try:
        expr = parse(text)
    except AlphalabError as error:
        raise ParameterError(
            f"Exits({name}={text!r}): {error}",
            rule=f"{name} is an expression, a distance in units of the price.",
            fix=f"Write {name}=2 * al.atr(al.high, al.low, al.close, 14), or its text.",
        ) from None
    users = next((node.op for node in expr.walk() if _is_of_user(node)), "")
    if users:
        raise ParameterError(
            f"Exits({name}={text!r})",
            rule="a distance is made of the operators of alphalab: its text says all of it.",
            fix=f"Leave out {users!r}.",
        )
    return expr


def _is_of_user(node: Expr) -> bool:
    return node.op == "python_op" or not isinstance(operator(node.op).update, str)
