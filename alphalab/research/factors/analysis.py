"""`Analysis`: everything that is measured of one factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alphalab.errors import ParameterError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import group_codes
from alphalab.research.factors.correlation import Target, centred, pearson_ic
from alphalab.research.factors.inference import Mean, newey_west
from alphalab.research.factors.quantiles import quantile_returns, rank_autocorrelation, turnover
from alphalab.research.results.record import Run
from alphalab.types import FloatArray, Instrument, IntArray


class Returns(Mapping[int, Target]):
    """Forward returns by horizon, ranked once for all factors."""

    def __init__(self, returns: Mapping[int, FloatArray]) -> None:
        self._targets = {horizon: Target(values) for horizon, values in returns.items()}

    def __getitem__(self, horizon: int) -> Target:
        """Return the target of a horizon."""
        return self._targets[horizon]

    def __iter__(self) -> Iterator[int]:
        """Yield the horizons."""
        return iter(self._targets)

    def __len__(self) -> int:
        """Return the number of horizons."""
        return len(self._targets)


@dataclass(frozen=True)
class Analysis:
    """What a factor says about the returns that follow it.

    Attributes
    ----------
    name : str
    expr : Expr
    values, buckets : ndarray of shape (T, N)
        The factor, and its quantile in each row, counted from 1.
    coverage : float
        Share of the cells with a close, after the warm-up, in which the factor is known.
    returns : Returns
        Forward returns by horizon.
    horizons : tuple of int
        Those that tables show; the decay has more.
    n_quantiles : int
    long_short : Run, optional
        The factor's ranks as weights, traded with costs; None: it was not traded.
    why_not_traded : str
        Why not.
    """

    name: str
    expr: Expr
    values: FloatArray
    buckets: FloatArray
    coverage: float
    returns: Returns
    horizons: tuple[int, ...]
    n_quantiles: int
    long_short: Run | None = None
    why_not_traded: str = ""

    @cached_property
    def rank_ic(self) -> dict[int, FloatArray]:
        """Spearman's correlation with forward returns in each row, by horizon."""
        return {h: self.returns[h].rank_ic(self.values)[0] for h in self.returns}

    @cached_property
    def ic(self) -> dict[int, FloatArray]:
        """Pearson's correlation with forward returns in each row, by horizon."""
        return {h: pearson_ic(self.values, self.returns[h].returns) for h in self.horizons}

    @cached_property
    def decay(self) -> dict[int, Mean]:
        """Mean rank IC by horizon, more horizons than the tables show."""
        return {h: newey_west(series, h) for h, series in self.rank_ic.items()}

    @cached_property
    def quantile_returns(self) -> dict[int, FloatArray]:
        """Mean forward return of each quantile in each row, (T, Q), by horizon."""
        return {
            h: quantile_returns(self.buckets, self.returns[h].returns, self.n_quantiles)
            for h in self.horizons
        }

    def spread(self, horizon: int) -> FloatArray:
        """Return of the highest quantile minus that of the lowest in each row, (T,)."""
        returns = self.quantile_returns[horizon]
        result: FloatArray = returns[:, -1] - returns[:, 0]
        return result

    @cached_property
    def turnover(self) -> dict[int, tuple[float, float]]:
        """Mean share of new assets in the lowest and the highest quantile, by horizon."""
        return {
            h: (
                mean_of(turnover(self.buckets, 1, h)),
                mean_of(turnover(self.buckets, self.n_quantiles, h)),
            )
            for h in self.horizons
        }

    @cached_property
    def autocorrelation(self) -> dict[int, float]:
        """Mean rank correlation with the factor itself, a horizon before."""
        return {h: mean_of(rank_autocorrelation(self.values, h)) for h in self.horizons}

    def by_year(self, time: IntArray) -> dict[int, Mean]:
        """Return the mean rank IC of each calendar year (UTC) at the first horizon."""
        years = time.astype("M8[ns]").astype("M8[Y]").astype(np.int64) + 1970
        series, h = self.rank_ic[self.horizons[0]], self.horizons[0]
        return {int(year): newey_west(series[years == year], h) for year in np.unique(years)}

    def by_group(self, instruments: Sequence[Instrument], label: str) -> dict[str, dict[int, Mean]]:
        """Return the mean rank IC among the assets of each group, by horizon.

        Raises
        ------
        UnknownNameError
            No instrument has this label.
        """
        codes = group_codes(instruments, label)
        names = sorted({x.groups[label] for x in instruments if label in x.groups})
        found: dict[str, dict[int, Mean]] = {}
        for code, name in enumerate(names):
            members = np.where(codes == code, self.values, np.nan)
            found[name] = {
                h: newey_west(self.returns[h].rank_ic(members)[0], h) for h in self.horizons
            }
        return found


def mean_of(series: FloatArray) -> float:
    """Return the mean of the known values; NaN if there is none."""
    known = series[np.isfinite(series)]
    return float(known.mean()) if known.size else np.nan


def check_informative(analysis: Analysis) -> None:
    """Refuse a factor of which no row has a rank correlation.

    Raises
    ------
    ParameterError
        With the reason: the factor is unknown, or equal for all assets; or the returns are.
    """
    h = analysis.horizons[0]
    if np.isfinite(analysis.rank_ic[h]).any():
        return
    known = np.isfinite(analysis.values).sum(axis=1)
    returns = analysis.returns[h].returns
    if known.max(initial=0) < 2:
        reason, fix = (
            "it is known for fewer than two assets in every row",
            f"It is first known after {analysis.expr.warmup} rows: use more rows.",
        )
    elif not centred(returns, np.isfinite(returns)).any():
        reason, fix = "the forward returns of all assets are equal in every row", "Use other data."
    else:
        reason, fix = "it is equal for all assets in every row", "Use a factor that differs."
    raise ParameterError(
        f"factor {analysis.name!r} has no rank correlation in any row: {reason}",
        rule="a factor is judged by how it orders at least two assets in a row.",
        fix=fix,
    )
