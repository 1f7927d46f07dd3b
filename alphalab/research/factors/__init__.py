"""Factors: libraries of texts, their analysis, and scores of many of them.

The factors of the literature are functions of this module: `momentum`, `reversal`, and what else
``alphalab factors list classics`` shows.

Examples
--------
>>> from alphalab.research import factors
>>> str(factors.momentum(252, 21))
'delay(close, 21) / delay(close, 252) - 1.0'
>>> str(factors.alpha101(41, vwap="column('vwap')"))
"(high * low) ** 0.5 - column('vwap')"
>>> len(factors.alpha158())
158
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from alphalab.expr.nodes import Expr
from alphalab.research.factors.library import (
    BUILT_IN,
    Factor,
    Library,
    find_factor,
    library,
    read_library,
)

if TYPE_CHECKING:
    # What type checkers see; at run time each is imported when it is first used.
    from alphalab.research.factors.score import Score as Score
    from alphalab.research.factors.score import score_factors as score_factors

_LATER = {"Score": "score", "score_factors": "score"}

__all__ = [
    "BUILT_IN",
    "Factor",
    "Library",
    "alpha101",
    "alpha158",
    "alpha360",
    "classics",
    "find_factor",
    "library",
    "read_library",
]


def alpha101(number: int | None = None, **words: Any) -> Any:
    """Return one of WorldQuant's 101 alphas, or all of them by name.

    Parameters
    ----------
    number : int, optional
        1 to 101. Not given: all.
    **words : Expr or str
        What takes the place of a word of the library: ``vwap`` (the typical price), ``traded``
        (what ``adv`` averages: close times volume), ``cap``, ``sector``, ``industry`` and
        ``subindustry``.

    Returns
    -------
    Expr, or dict of str to Expr

    Raises
    ------
    UnknownNameError
        Another number, or a word that the alpha does not use.

    References
    ----------
    Z. Kakushadze, 101 Formulaic Alphas (2016), arXiv:1601.00991.

    Examples
    --------
    >>> str(alpha101(101))
    '(close - open) / (high - low + 0.001)'
    """
    found = library("alpha101")
    return found.exprs(**words) if number is None else found[f"alpha{number}"](**words)


def alpha158(**words: Any) -> dict[str, Expr]:
    """Return qlib's Alpha158 by name; `words` such as ``vwap`` replace words of the library.

    Examples
    --------
    >>> str(alpha158()["ROC5"])
    'delay(close, 5) / close'
    """
    return library("alpha158").exprs(**words)


def alpha360(**words: Any) -> dict[str, Expr]:
    """Return qlib's Alpha360 by name; `words` such as ``vwap`` replace words of the library.

    Examples
    --------
    >>> str(alpha360()["VOLUME3"])
    'delay(volume, 3) / (volume + 1e-12)'
    """
    return library("alpha360").exprs(**words)


def classics(**words: Any) -> Mapping[str, Expr]:
    """Return the factors of the literature by name, with their defaults.

    Examples
    --------
    >>> str(classics()["reversal"])
    '-returns(close, 21)'
    """
    return library("classics").exprs(**words)


def __getattr__(name: str) -> Any:
    """Return a factor of the literature; called with its numbers, it is an expression."""
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    if not name.startswith("_") and name in library("classics"):
        return library("classics")[name]
    raise AttributeError(f"module 'alphalab.factors' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_LATER, *library("classics")])
