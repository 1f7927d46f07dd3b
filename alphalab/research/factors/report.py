"""`factor_report`: how well factors order the returns that follow them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphalab.config import Costs
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.data.panel.bars import Bars
from alphalab.errors import AlphalabError, ParameterError
from alphalab.expr.nodes import Expr, Number, apply, as_expr
from alphalab.expr.plan import group_codes
from alphalab.expr.text import parse
from alphalab.research.factors.analysis import Analysis, Returns, check_informative
from alphalab.research.factors.coverage import coverage
from alphalab.research.factors.forward import checked_horizons, forward_returns
from alphalab.research.factors.library import library
from alphalab.research.factors.measured import Measured
from alphalab.research.pages import page
from alphalab.research.results.values import values_of
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.backtest import backtest
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

#: Horizons of the decay, beside those that are asked for.
DECAY = (1, 2, 3, 5, 10, 21, 42, 63)
#: Factors that others are compared with unless others are given.
KNOWN = ("momentum", "reversal", "low_volatility")


class FactorReport(Measured):
    """What factors say about the returns that follow them; `factor_report` makes one.

    Its tables and attributes are those of `alphalab.research.factors.measured.Measured`.
    """

    def plot(self, name: str | None = None) -> go.Figure:
        """Return a Plotly figure of one factor: its rank IC through time, decay and quantiles.

        Parameters
        ----------
        name : str, optional
            Not given: the first factor.
        """
        from alphalab.research.factors.plots import overview

        return overview(self.chosen(name), self.bars)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report as one page that needs neither other files nor a network.

        Raises
        ------
        InputError
            A path that cannot be written.
        """
        from alphalab.research.factors.report_page import render

        return page.write(render(self), path)

    def to_alphalens(self, name: str | None = None) -> pd.DataFrame:
        """Return a factor as alphalens takes it: the ``factor_data`` of all its tear sheets.

        Parameters
        ----------
        name : str, optional
            Not given: the first factor.

        Raises
        ------
        MissingExtraError
            alphalens-reloaded is not installed.
        """
        from alphalab.research.factors.handover import to_alphalens

        return to_alphalens(self.chosen(name), self.bars, self.groups)

    def __repr__(self) -> str:
        """Return names, rank ICs and t statistics at the first horizon on one line."""
        h = self.horizons[0]
        parts = (
            f"{name} rank IC {one.decay[h].mean:.4f} (t {one.decay[h].t:.1f})"
            for name, one in self.factors.items()
        )
        return f"<FactorReport over {h} row{'s' if h > 1 else ''}: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        return str(self.summary.to_html(float_format=lambda x: f"{x:.4f}"))


def factor_report(
    exprs: Expr | str | Mapping[str, Expr | str | Number],
    bars: Bars,
    *,
    horizons: Sequence[int] = (1, 5, 21),
    quantiles: int = 5,
    groups: str | None = None,
    costs: Costs | None = None,
    known: Mapping[str, Expr | str | Number] | None = None,
) -> FactorReport:
    """Measure how well factors order the returns that follow them.

    Parameters
    ----------
    exprs : Expr, str, or mapping of str to Expr, str or number
        One factor, or several by name. A high value stands for a high expected return.
    bars : Bars
        At least two symbols.
    horizons : sequence of int
        Rows that a position is held. Returns run from the next open to the open a horizon later,
        so no factor has seen the price that it trades at.
    quantiles : int
        Quantiles of each row, by rank; at least 2, at most the number of symbols.
    groups : str, optional
        A label of the instruments, such as ``"sector"``: the rank IC is also measured inside each.
    costs : Costs, optional
        Of the long-short portfolio; else the fees of the instruments.
    known : mapping of str to Expr, str or number, optional
        Factors to compare with. Not given: momentum, reversal and low volatility.

    Returns
    -------
    FactorReport

    Raises
    ------
    ParameterError
        One symbol, a horizon that the rows do not hold, too many quantiles, a factor that orders
        no row.
    UnknownNameError
        A column or a group that the bars do not have.

    Notes
    -----
    t statistics are those of Newey and West (1987) with at least ``horizon - 1`` lags, since
    returns of neighbouring rows overlap. The long-short portfolio holds
    ``cs_scale(cs_demean(cs_rank(x)))`` and trades it in every row through the step of `backtest`;
    it counts in the trial ledger.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500_stocks", start="2018-01-01")
    >>> report = factor_report(al.factors.reversal(5), bars, horizons=(1, 5), known={})
    >>> report.summary.round(4)["rank_ic"].tolist()
    [-0.0037, 0.0015]
    """
    refuse_swapped("factor_report", exprs, bars)
    chosen = _named(exprs, "factor_report")
    if bars.n_symbols < 2:
        raise ParameterError(
            f"factor_report of one symbol, {bars.symbols[0]!r}",
            rule="a factor orders the symbols of a row, so there are at least two.",
            fix="A rule for one symbol is a strategy: al.backtest(al.ExprStrategy(...), bars).",
        )
    if not 2 <= quantiles <= bars.n_symbols:
        raise ParameterError(
            f"quantiles={quantiles}",
            rule=f"at least 2 and at most the number of symbols, {bars.n_symbols}.",
        )
    horizons = checked_horizons(horizons, bars.n_rows)
    if groups:
        group_codes(bars.instruments, groups)
    others = _known(known)
    values = _values(chosen, others, bars, quantiles)
    longest = max(horizons[-1], bars.n_rows // 4)
    every = sorted({*horizons, *(h for h in DECAY if h <= longest)})
    returns = Returns({h: forward_returns(bars, h) for h in every if h < bars.n_rows - 1})
    factors = {}
    for name, expr in chosen.items():
        own = Analysis(
            name=name,
            expr=expr,
            values=values["factor", name],
            buckets=values["bucket", name],
            coverage=coverage(values["factor", name], bars, expr.warmup),
            returns=returns,
            horizons=horizons,
            n_quantiles=quantiles,
            **_long_short(expr, bars, costs),
        )
        check_informative(own)
        factors[name] = own
    return FactorReport(
        bars, factors, groups or "", {name: values["known", name] for name in others}
    )


def _values(
    chosen: Mapping[str, Expr], others: Mapping[str, Expr], bars: Bars, n: int
) -> dict[tuple[str, str], FloatArray]:
    """Return values and quantiles of the factors, and values of the known ones, by kind."""
    wanted = {("factor", name): expr for name, expr in chosen.items()}
    wanted |= {("bucket", name): apply("cs_bucket", expr, n) for name, expr in chosen.items()}
    wanted |= {("known", name): expr for name, expr in others.items()}
    found = values_of({str(place): expr for place, expr in enumerate(wanted.values())}, bars)
    return dict(zip(wanted, found.values(), strict=True))


def _long_short(expr: Expr, bars: Bars, costs: Costs | None) -> dict[str, Any]:
    """Return the run of the factor's ranks as weights, or why there is none."""
    weights = apply("cs_scale", apply("cs_demean", apply("cs_rank", expr)))
    events = {"split", "dividend"} & bars.columns.keys()
    try:
        run = backtest(
            ExprStrategy(text=str(weights)),
            bars,
            costs=costs,
            actions="reinvest" if events else "none",
        )
    except AlphalabError as error:
        return {"why_not_traded": error.what}
    return {"long_short": run}


def _known(given: Mapping[str, Expr | str | Number] | None) -> dict[str, Expr]:
    if given is None:
        return {name: library("classics")[name].expr for name in KNOWN}
    return {str(name): _read(expr, f"known[{name!r}]") for name, expr in given.items()}


def _named(exprs: Any, owner: str) -> dict[str, Expr]:
    if not isinstance(exprs, Mapping):
        return {"factor": _read(exprs, owner)}
    if not exprs:
        raise ParameterError(f"{owner}({{}}, ...)", rule="it takes at least one factor.")
    return {str(name): _read(expr, f"{owner}[{name!r}]") for name, expr in exprs.items()}


def _read(expr: Any, owner: str) -> Expr:
    return parse(expr) if isinstance(expr, str) else as_expr(expr, owner)
