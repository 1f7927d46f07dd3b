"""Scores of many factors: the rank IC of each, fused with the computation of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr, Number, as_expr
from alphalab.expr.plan import Plan
from alphalab.expr.text import parse
from alphalab.research.factors.correlation import Target
from alphalab.research.factors.coverage import LEAST_COVERAGE
from alphalab.research.factors.forward import forward_returns
from alphalab.research.factors.inference import newey_west
from alphalab.types import FloatArray

#: Expressions that share a plan: parts that they share are computed once.
_BATCH = 64
#: Values of a block of one node, so that the nodes of an expression stay in the cache.
_BLOCK_CELLS = 16_384


class Refusal(StrEnum):
    """Why a factor has no score."""

    NONE = ""
    COVERAGE = "coverage"
    CONSTANT = "constant"


class Score(NamedTuple):
    """What one factor says about the returns that follow it.

    Attributes
    ----------
    name : str
    rank_ic, std : float
        Mean and standard deviation (ddof 1) of Spearman's correlation over rows.
    t : float
        Of the mean, with Newey-West errors. 0 for a factor that is refused.
    n_rows : int
        Rows that have a correlation.
    coverage : float
        Share of the cells with a forward return, after the warm-up, in which the factor is known.
    refusal : Refusal
        Empty, or why it has no score.
    """

    name: str
    rank_ic: float
    std: float
    t: float
    n_rows: int
    coverage: float
    refusal: Refusal


def score_factors(
    exprs: Mapping[str, Expr | str | Number] | Sequence[Expr | str],
    bars: Bars,
    *,
    horizon: int = 1,
    least_coverage: float = LEAST_COVERAGE,
    n_jobs: int | None = None,
) -> list[Score]:
    """Return the score of each factor, in their order.

    Memory does not grow with their number. A factor's values are never stored: each block of rows
    is computed and correlated at once.

    Parameters
    ----------
    exprs : mapping of str to Expr, str or number, or sequence of Expr or str
        Factors of a sequence are called by their texts.
    bars : Bars
        At least two symbols.
    horizon : int
        Rows that a position is held, from the next open on.
    least_coverage : float in [0, 1]
        Share of cells below which a factor is refused. A search without it finds factors that are
        known in few lucky cells.
    n_jobs : int, optional
        Threads; not given: that of `joblib.parallel_config`, else 1. It changes the speed only.

    Raises
    ------
    ParameterError
        One symbol, a horizon that the rows do not hold, a coverage outside its range.
    UnknownNameError
        A column or a group that the bars do not have.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500_stocks", end="2012-12-31")
    >>> best, rare = score_factors(["-returns(close, 1)", "where(close > 50, close, nan)"], bars)
    >>> round(best.rank_ic, 3), round(best.t, 1)
    (0.023, 6.1)
    >>> rare.refusal
    <Refusal.COVERAGE: 'coverage'>
    """
    import joblib

    named = exprs.items() if isinstance(exprs, Mapping) else ((str(x), x) for x in exprs)
    chosen = [
        (str(name), parse(x) if isinstance(x, str) else as_expr(x, name)) for name, x in named
    ]
    if bars.n_symbols < 2:
        raise ParameterError(
            f"scores on one symbol, {bars.symbols[0]!r}",
            rule="a factor orders the symbols of a row, so there are at least two.",
        )
    if not 0.0 <= least_coverage <= 1.0:
        raise ParameterError(f"least_coverage={least_coverage!r}", rule="it is from 0 to 1.")
    scorer = Scorer(bars, horizon, least_coverage)
    work = joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    batches = (chosen[i : i + _BATCH] for i in range(0, len(chosen), _BATCH))
    found = work(joblib.delayed(scorer.of_batch)(batch) for batch in batches)
    return [score for scores in found for score in scores]


class Scorer:
    """Forward returns of bars, ranked once, and what scores factors by them.

    Parameters
    ----------
    bars : Bars
    horizon : int
    least_coverage : float
    """

    def __init__(
        self, bars: Bars, horizon: int = 1, least_coverage: float = LEAST_COVERAGE
    ) -> None:
        self.bars = bars
        self.horizon = horizon
        self.least_coverage = least_coverage
        self.target = Target(forward_returns(bars, horizon))
        self._block = max(_BLOCK_CELLS // bars.n_symbols, 64)

    def of_batch(self, exprs: Sequence[tuple[str, Expr]]) -> list[Score]:
        """Return the scores of some factors, computed by one plan."""
        ics = np.empty((len(exprs), self.bars.n_rows))
        known = [0] * len(exprs)
        for start, place, values in self._blocks([expr for _, expr in exprs]):
            stop = start + len(values)
            ics[place, start:stop], cells = self.target.rank_ic(values, start)
            known[place] += cells
        return [self._score(name, expr, ics[i], known[i]) for i, (name, expr) in enumerate(exprs)]

    def rank_ics(self, exprs: Sequence[Expr]) -> FloatArray:
        """Return the rank IC of each factor in each row, (K, T)."""
        out = np.empty((len(exprs), self.bars.n_rows))
        for start, place, values in self._blocks(exprs):
            out[place, start : start + len(values)] = self.target.rank_ic(values, start)[0]
        return out

    def _blocks(self, exprs: Sequence[Expr]) -> Iterator[tuple[int, int, FloatArray]]:
        """Yield the first row, the place of an expression, and its values in a block of rows."""
        outputs = {str(place): expr for place, expr in enumerate(exprs)}
        rows = min(self._block, self.bars.n_rows)
        plan = Plan(outputs, self.bars.instruments, rows)
        for name in plan.columns:
            if name not in self.bars.columns:
                raise UnknownNameError("column", name, self.bars.columns)
        for start in range(0, self.bars.n_rows, rows):
            stop = min(start + rows, self.bars.n_rows)
            block = {name: self.bars.columns[name][start:stop] for name in plan.columns}
            for name, values in plan.each(block, stop - start, self.bars.time[start:stop]):
                yield start, int(name), values

    def _score(self, name: str, expr: Expr, ic: FloatArray, known: int) -> Score:
        expected = int(self.target.sizes[expr.warmup :].sum())
        coverage = known / expected if expected else 0.0
        mean = newey_west(ic, self.horizon)
        refusal = Refusal.NONE
        if coverage < self.least_coverage:
            refusal = Refusal.COVERAGE
        elif not np.isfinite(mean.t):
            refusal = Refusal.CONSTANT
        t = mean.t if refusal is Refusal.NONE else 0.0
        return Score(name, mean.mean, mean.std, t, mean.n, coverage, refusal)
