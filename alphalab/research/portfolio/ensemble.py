"""`Ensemble`: several signals vote, weighted by regime, with levels and a veto."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.core.strategy import Strategy
from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError
from alphalab.expr.nodes import Expr, constant
from alphalab.expr.ops import clip, fill_nan, is_nan, where
from alphalab.expr.text import parse
from alphalab.research.results.holdings import asset_returns
from alphalab.research.results.values import values_of
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd

#: Name of the level, the least score for it, and the weight to hold; None keeps what is held.
Level = tuple[str, float, float | None]

LEVELS: tuple[Level, ...] = (
    ("strong buy", 0.6, 1.0),
    ("buy", 0.2, 0.5),
    ("hold", -0.2, None),
    ("sell", -0.6, 0.0),
    ("strong sell", -1.0, 0.0),
)


class Ensemble(Strategy, frozen=True):
    """A strategy whose members vote: their weighted mean, the score, decides what is held.

    It is one expression of the alpha language, so it is promoted and traded like any other.

    Parameters
    ----------
    members : dict of str to str
        An expression for each, from -1 (sell) to 1 (buy), cut there. NaN: it does not vote.
    votes : dict of str to float
        How much the vote of each member counts, at least 0. Not given: all alike.
    by_regime : dict of str to dict of str to float
        Votes in each regime, in the order of the numbers of `regime`. A member that a regime does
        not name has no vote in it.
    regime : str
        The expression of the number of the regime: 0, 1, ... Where it is another or unknown,
        `votes` count.
    levels : tuple of (str, float, float or None)
        Name, least score, and the weight of equity to hold; the highest level first, None keeps
        what is held.
    veto : str
        An expression; where it is neither 0 nor NaN nothing is held.

    Raises
    ------
    ParameterError
        No member; votes of something else, or below 0; levels whose scores do not fall.
    InputError
        A text that is no expression.

    Examples
    --------
    >>> import alphalab as al
    >>> ensemble = Ensemble(
    ...     members={"trend": "sign(delta(close, 99))", "dip": "-ts_zscore(close, 5) / 2"},
    ...     votes={"trend": 2.0, "dip": 1.0},
    ...     veto="ts_std(returns(close, 1), 20) > 0.03",
    ... )
    >>> bars = al.load("sp500", start="2007-01-01")
    >>> result = al.backtest(ensemble, bars)
    >>> votes = Votes(ensemble, bars)
    >>> votes.table.columns.tolist()
    ['trend', 'dip', 'score', 'level', 'vetoed']
    """

    members: dict[str, str]
    votes: dict[str, float] = {}  # noqa: RUF012 - a frozen record copies it
    by_regime: dict[str, dict[str, float]] = {}  # noqa: RUF012
    regime: str = ""
    levels: tuple[Level, ...] = LEVELS
    veto: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.members:
            raise ParameterError("an ensemble without members", rule="it has at least one.")
        for where_, votes in {"votes": self.votes, **self.by_regime}.items():
            _check_votes(where_, votes, self.members)
        if bool(self.by_regime) != bool(self.regime):
            raise ParameterError(
                f"by_regime of {len(self.by_regime)} regimes, regime={self.regime!r}",
                rule="votes by regime need the expression of the regime, and it needs them.",
            )
        scores = [least for _, least, _ in self.levels]
        if not scores or any(a <= b for a, b in pairwise(scores)):
            raise ParameterError(
                f"levels with the scores {scores}",
                rule="the least scores of the levels fall from the first to the last.",
            )
        for text in (*self.members.values(), self.regime, self.veto):
            if text:
                parse(text)

    def weights(self) -> Expr:
        """Return the weight of the level that the score reaches, or 0 under a veto."""
        score = self.score()
        held: Expr = constant(np.nan)
        for _, least, weight in reversed(self.levels):
            held = where(score >= least, np.nan if weight is None else weight, held)
        # An unknown score has no opinion; a comparison with it is unknown, and so is `where`.
        return where(fill_nan(parse(self.veto), 0.0), 0.0, held) if self.veto else held

    def score(self) -> Expr:
        """Return the weighted mean of the members that vote, from -1 to 1; NaN if none does."""
        members = {name: clip(parse(text), -1.0, 1.0) for name, text in self.members.items()}
        total, counted = constant(0.0), constant(0.0)
        for name, member in members.items():
            weight = self._weight(name)
            total = total + weight * fill_nan(member, 0.0)
            counted = counted + where(is_nan(member), 0.0, weight)
        return where(counted > 0.0, total / counted, np.nan)

    def _weight(self, name: str) -> Expr:
        """Return how much the vote of a member counts."""
        usual = self.votes.get(name, 0.0) if self.votes else 1.0
        weight = constant(usual)
        regime = fill_nan(parse(self.regime), -1.0) if self.regime else None
        for number, votes in enumerate(self.by_regime.values()):
            weight = where(regime == number, votes.get(name, 0.0), weight)
        return weight


def _check_votes(where_: str, votes: dict[str, float], members: dict[str, str]) -> None:
    for name, weight in votes.items():
        if name not in members:
            raise ParameterError(f"{where_}: {name!r}", rule=f"members are {', '.join(members)}.")
        if not 0.0 <= weight < np.inf:
            raise ParameterError(f"{where_}: {name}={weight!r}", rule="a vote counts 0 or more.")
    if votes and not any(votes.values()):
        raise ParameterError(f"{where_}: all votes count 0", rule="one of them counts more.")


@dataclass(frozen=True, eq=False, repr=False)
class Votes:
    """Who voted for what, and what each member would have earned alone.

    Parameters
    ----------
    ensemble : Ensemble
    bars : Bars
    """

    ensemble: Ensemble
    bars: Bars

    @property
    def table(self) -> pd.DataFrame:
        """Votes, score, name of the level and veto, by time; of several symbols also by symbol."""
        import pandas as pd

        values = self._values()
        score = values["score"]
        level = np.full(score.shape, "", object)
        for name, least, _ in reversed(self.ensemble.levels):
            level[score >= least] = name
        columns: dict[str, Any] = {name: x.ravel() for name, x in values.items() if name != "veto"}
        columns["level"] = level.ravel()
        veto = values["veto"]
        columns["vetoed"] = (np.isfinite(veto) & (veto != 0.0)).ravel()
        time = pd.DatetimeIndex(self.bars.time.astype("M8[ns]"), tz="UTC", name="time")
        index: Any = time
        if self.bars.n_symbols > 1:
            index = pd.MultiIndex.from_product([time, self.bars.symbols], names=["time", "symbol"])
        return pd.DataFrame(columns, index=index)

    @property
    def earned(self) -> pd.DataFrame:
        """One row for each member and the score: share of cells it voted in, mean vote, and return.

        ``annual_return`` is the mean of vote times the next row's return, close to close without
        costs, times the periods of a year; ``agreed`` the share of its votes with the score's sign.
        """
        import pandas as pd

        values = self._values()
        score = values["score"]
        later = np.full_like(score, np.nan)
        later[:-1] = asset_returns(self.bars)[1:]
        rows = {}
        for name in (*self.ensemble.members, "score"):
            vote = values[name]
            known = np.isfinite(vote)
            both = known & np.isfinite(later)
            gain = (vote[both] * later[both]).mean() if both.any() else np.nan
            rows[name] = {
                "voted": known.mean(),
                "mean_vote": vote[known].mean() if known.any() else np.nan,
                "agreed": (np.sign(vote[known]) == np.sign(score[known])).mean()
                if known.any()
                else np.nan,
                "annual_return": gain * self.bars.periods_per_year,
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def _values(self) -> dict[str, FloatArray]:
        members = self.ensemble.members
        asked = {name: clip(parse(text), -1.0, 1.0) for name, text in members.items()}
        veto = parse(self.ensemble.veto) if self.ensemble.veto else constant(0.0)
        return values_of({**asked, "score": self.ensemble.score(), "veto": veto}, self.bars)

    def __repr__(self) -> str:
        return str(self.earned.round(4))
