"""`Measured`: the tables of a factor report, without its views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.research.factors import tables
from alphalab.research.factors.analysis import Analysis
from alphalab.research.factors.coverage import LEAST_COVERAGE
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd


class Measured:
    """What was measured of factors, as tables.

    Attributes
    ----------
    bars : Bars
    factors : mapping of str to Analysis
        By name.
    horizons : tuple of int
        Rows that positions are held.
    groups : str
        Label of the groups; empty: none.
    known : mapping of str to ndarray of shape (T, N)
        Values of the known factors.
    """

    def __init__(
        self,
        bars: Bars,
        factors: Mapping[str, Analysis],
        groups: str,
        known: Mapping[str, FloatArray],
    ) -> None:
        self.bars = bars
        self.factors = dict(factors)
        self.horizons = next(iter(self.factors.values())).horizons
        self.groups = groups
        self.known = dict(known)

    @property
    def summary(self) -> pd.DataFrame:
        """One row for each factor and horizon: information coefficients, spread, turnover.

        Columns: ``ic`` and ``rank_ic`` (means over rows), ``rank_ic_std`` (ddof 1), ``t`` and ``p``
        of the rank IC (Newey-West), ``icir`` (mean over standard deviation, per row), ``positive``
        (share of rows), ``rows``, ``spread`` (highest minus lowest quantile, return of the horizon)
        and its ``spread_t``, ``turnover`` (of both quantiles), ``autocorrelation`` of the ranks and
        ``coverage``.
        """
        return tables.summary(self.factors)

    @property
    def rank_ic(self) -> pd.DataFrame:
        """Rank IC of each row, (T, factors x horizons), indexed by time (UTC)."""
        return tables.series(self.factors, self.bars, lambda one: one.rank_ic)

    @property
    def ic(self) -> pd.DataFrame:
        """Pearson's IC of each row, (T, factors x horizons), indexed by time (UTC)."""
        return tables.series(self.factors, self.bars, lambda one: one.ic)

    @property
    def decay(self) -> pd.DataFrame:
        """Mean rank IC and its t by factor and horizon, for more horizons than the others."""
        return tables.decay(self.factors)

    @property
    def quantiles(self) -> pd.DataFrame:
        """Mean return, t and rows by factor, horizon and quantile; 1 has the lowest values."""
        return tables.quantiles(self.factors)

    @property
    def by_year(self) -> pd.DataFrame:
        """Mean rank IC, t and rows by factor and calendar year (UTC), at the first horizon."""
        return tables.by_year(self.factors, self.bars)

    @property
    def by_group(self) -> pd.DataFrame:
        """Mean rank IC, t and rows among the assets of each group, by factor and horizon.

        Raises
        ------
        ParameterError
            The report has no groups.
        """
        if not self.groups:
            raise ParameterError(
                "by_group of a report without groups",
                rule="groups are named when the report is made.",
                fix='Write al.factor_report(..., groups="sector").',
            )
        return tables.by_group(self.factors, self.bars, self.groups)

    @property
    def fama_macbeth(self) -> pd.DataFrame:
        """Mean slopes of the regressions of each row on all factors together, by horizon.

        A slope is the return of a horizon for one standard deviation of the factor.
        """
        return tables.fama_macbeth(self.factors)

    @property
    def correlations(self) -> pd.DataFrame:
        """Mean correlation of ranks with each other factor and with each known factor."""
        return tables.correlations(self.factors, self.known)

    @property
    def orthogonal(self) -> pd.DataFrame:
        """Rank IC of what the known factors do not explain, by factor and horizon."""
        return tables.orthogonal(self.factors, self.known)

    @property
    def long_short(self) -> pd.DataFrame:
        """Figures of the factors' ranks as weights, traded with costs; one column each."""
        return tables.long_short(self.factors)

    @property
    def remarks(self) -> list[str]:
        """What a reader has to know first."""
        return [*_remarks(self), *(str(note) for note in self.bars.notes)]

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as plain data; a figure that is not defined is None."""
        names = ["summary", "decay", "quantiles", "by_year", "fama_macbeth", "orthogonal"]
        names += ["by_group"] if self.groups else []
        return {
            "data": {"source": self.bars.source, "id": self.bars.id},
            "factors": {name: str(one.expr) for name, one in self.factors.items()},
            "horizons": list(self.horizons),
            **{name: tables.records(getattr(self, name)) for name in names},
            "correlations": tables.records(self.correlations),
            "long_short": tables.records(self.long_short.T.rename_axis("factor")),
            "remarks": self.remarks,
        }

    def chosen(self, name: str | None) -> Analysis:
        """Return the factor of this name; not given: the first."""
        if name is None:
            return next(iter(self.factors.values()))
        if name not in self.factors:
            raise UnknownNameError("factor of the report", name, self.factors)
        return self.factors[name]


def _remarks(report: Measured) -> list[str]:
    found = []
    for name, one in report.factors.items():
        if one.coverage < LEAST_COVERAGE:
            found.append(
                f"{name} is known in {one.coverage:.0%} of the cells with a close after its "
                f"warm-up of {one.expr.warmup} rows: its figures hold for these alone. Scores and "
                f"searches refuse a factor below {LEAST_COVERAGE:.0%}."
            )
        if one.why_not_traded:
            found.append(f"{name} was not traded long-short: {one.why_not_traded}")
    if report.bars.n_symbols < 30:
        found.append(
            f"{report.bars.n_symbols} symbols: a rank IC of one row is noise of "
            f"{1 / np.sqrt(report.bars.n_symbols - 1):.2f}, and quantiles hold few of them."
        )
    return found
