"""How good the best of many factors is by chance: the same search where no factor works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError
from alphalab.expr.nodes import Expr, Number
from alphalab.research.factors.score import Score, score_factors
from alphalab.research.factors.worlds import null
from alphalab.types import FloatArray

#: Fewest null worlds: with 20 the highest of them is the 95 % quantile.
FEWEST_WORLDS = 20


class Chance(NamedTuple):
    """The best |t| of a search in each of several null worlds.

    Attributes
    ----------
    best : ndarray of shape (W,)
        Ascending.
    """

    best: FloatArray

    @property
    def bar(self) -> float:
        """The |t| that the best of the search has to exceed: the 95 % quantile."""
        return float(np.quantile(self.best, 0.95, method="higher"))

    def p(self, t: float) -> float:
        """Return the share of worlds whose best is at least |t|, the real one counted as one.

        Examples
        --------
        >>> Chance(np.arange(19.0)).p(-18.5)
        0.05
        """
        return float((1 + (self.best >= abs(t)).sum()) / (1 + self.best.size))

    def __repr__(self) -> str:
        """Return the bar and the number of worlds."""
        return f"<Chance: the best |t| of {self.best.size} null worlds, 95 % below {self.bar:.2f}>"


def best_by_chance(
    search: Mapping[str, Expr | str | Number]
    | Sequence[Expr | str]
    | Callable[[Bars], Iterable[Score]],
    bars: Bars,
    *,
    horizon: int = 1,
    n_worlds: int = FEWEST_WORLDS,
    seed: int = 0,
) -> Chance:
    """Return how good the best factor of a search looks where no factor works.

    Parameters
    ----------
    search : mapping, sequence or callable
        The factors that were tried, as `score_factors` takes them. A search that chooses its next
        factors by the scores of earlier ones is a function of bars that returns all its scores: it
        must search anew in each world, with the same budget.
    bars : Bars
        World w is ``null(bars, seed + w)``.
    horizon : int
        Of the scores; a callable has its own.
    n_worlds : int
        At least 20.
    seed : int
        At least 0.

    Raises
    ------
    ParameterError
        Too few worlds; a search without a score.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.planted("-returns(close, 2)", 0.08, n_rows=400, n_assets=12, seed=1)
    >>> texts = [f"{sign}returns(close, {n})" for n in (1, 2, 4, 8, 16) for sign in ("", "-")]
    >>> best = max(al.factors.score_factors(texts, bars), key=lambda score: abs(score.t))
    >>> chance = best_by_chance(texts, bars)
    >>> chance.bar < abs(best.t), chance.p(best.t) < 0.05
    (True, True)
    """
    if n_worlds < FEWEST_WORLDS:
        raise ParameterError(
            f"best_by_chance(n_worlds={n_worlds})",
            rule=f"the bar is a 95 % quantile, so there are at least {FEWEST_WORLDS} worlds.",
        )
    best = []
    for world in range(n_worlds):
        shuffled = null(bars, seed + world)
        scores = (
            search(shuffled)
            if callable(search)
            else score_factors(search, shuffled, horizon=horizon)
        )
        best.append(max((abs(score.t) for score in scores), default=-1.0))
    if min(best) < 0.0:
        raise ParameterError(
            "best_by_chance of a search without a score",
            rule="a search scores at least one factor in every world.",
        )
    return Chance(np.sort(best))
