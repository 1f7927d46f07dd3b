"""`Proposal`, a text with its reason, and `View`, all that a proposer may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np

from alphalab.agents.proposers.budget import Budget
from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError
from alphalab.research.factors.score import Score


class Proposal(msgspec.Struct, frozen=True):
    """A factor that somebody wants to try.

    Parameters
    ----------
    text : str
        Canonical text of an expression.
    why : str
        Where it comes from, such as ``growth`` or ``mutation``.
    parents : tuple of str
        Canonical texts of the factors that it was made of.
    """

    text: str
    why: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """What a proposer sees: rows before the holdout, a budget, and the scores so far.

    Parameters
    ----------
    bars : Bars
        Rows before the holdout; a view has no others.
    budget : Budget
    scores : mapping of str to Score
        What was tried so far, by canonical text.
    """

    bars: Bars
    budget: Budget = field(default_factory=Budget)
    scores: Mapping[str, Score] = field(default_factory=dict)

    @classmethod
    def before(cls, bars: Bars, holdout: Instant, budget: Budget | None = None) -> View:
        """Return a view of the rows before the first row at or after `holdout`.

        Raises
        ------
        DataError
            No rows before the holdout, or none from it on.

        Examples
        --------
        >>> import alphalab as al
        >>> View.before(al.load("sp500_stocks"), "2013-01-01").bars.end
        '2012-12-31T21:00:00Z'
        """
        n_seen = bars.n_rows - bars.between(holdout).n_rows
        if not n_seen:
            raise DataError(
                f"holdout={holdout!r}: no rows before it",
                rule=f"a search sees the rows before the holdout; the first is {bars.start}.",
            )
        return cls(bars.rows(0, n_seen), budget or Budget())


class Proposer(Protocol):
    """A function from a view to proposals; all its randomness comes from `rng`."""

    def __call__(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """Return at most n proposals within the budget of the view."""
