"""The page of a factor report: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from alphalab.research.factors import plots
from alphalab.research.factors.analysis import Analysis
from alphalab.research.factors.coverage import LEAST_COVERAGE
from alphalab.research.factors.inference import newey_west
from alphalab.research.pages import page
from alphalab.research.pages.page import chart, quiet, section, signed, table, tile
from alphalab.research.results.figures import FIGURES

if TYPE_CHECKING:
    import pandas as pd

    from alphalab.research.factors.measured import Measured

_ASSUMPTIONS = {
    "Forward returns": "from the next open to the open a horizon later; a price that the factor "
    "has seen is never traded",
    "IC and rank IC": "Pearson's and Spearman's correlation of factor and forward return across "
    "the assets of a row; the mean is over rows",
    "t": "Newey-West with at least horizon - 1 lags; intervals are 95 %",
    "Quantiles": "of equal count by rank; assets of equal value share one; equally weighted",
    "Turnover": "share of a quantile's assets that were not in it a horizon before",
    "Long-short": "weights cs_scale(cs_demean(cs_rank(factor))), traded in every row through the "
    "step of a backtest, with costs",
}


def render(report: Measured) -> str:
    """Return the report as HTML."""
    names = list(report.factors)
    return page.Page(
        title=f"Factors: {', '.join(names)}",
        heading="Factor report" if len(names) > 1 else names[0],
        detail=", ".join(names) if len(names) > 1 else str(report.factors[names[0]].expr)[:300],
        about=page.about(report.bars),
        remarks=report.remarks,
        tiles=_tiles(next(iter(report.factors.values()))) if len(names) == 1 else (),
        sections=_sections(report),
        assumptions=_ASSUMPTIONS,
        footer=f"alphalab · data {report.bars.id}",
    ).html()


def _tiles(one: Analysis) -> Iterator[str]:
    h = one.horizons[0]
    mean, spread = one.decay[h], newey_west(one.spread(h), h)
    bps = f"{1e4 * spread.mean / h:.1f} bps"
    yield tile("Rank IC", f"{mean.mean:.4f}", page.sign(mean.mean), plots.rows_text(h))
    yield tile("t (Newey-West)", _number(mean.t, 1), "", f"{mean.n:,} rows")
    yield tile("ICIR", _number(mean.mean / mean.std, 3), "", "per row")
    yield tile("Spread", bps, page.sign(spread.mean), "a row, no costs")
    yield tile("Turnover", f"{np.mean(one.turnover[h]):.0%}", "", plots.rows_text(h))
    yield tile("Coverage", f"{one.coverage:.0%}", "" if one.coverage >= LEAST_COVERAGE else "down")
    if one.long_short is not None:
        sharpe = one.long_short.metrics["sharpe"]
        yield tile("Sharpe after costs", _number(sharpe, 2), page.sign(sharpe), "long-short")
        yield tile("Break-even fee", f"{one.long_short.break_even_bps():.1f} bps")


def _sections(report: Measured) -> Iterator[str]:
    yield section("By horizon", _summary(report.summary))
    for name, one in report.factors.items():
        yield from _of_factor(report, name, one, f"{name}: " if len(report.factors) > 1 else "")
    yield section(
        "Fama-MacBeth",
        _means(report.fama_macbeth, "slope", 1e4, "Slope, bps"),
        "Mean slope of each row's regression of forward returns on all factors together: basis "
        "points of a horizon for one standard deviation.",
    )
    correlations = _others(report)
    if len(correlations.columns):
        cells = zip(correlations.index, correlations.to_numpy(), strict=True)
        yield section(
            "Correlation with other factors",
            table(
                ("Factor", *map(escape, correlations.columns)),
                ((escape(name), *map(_number, row)) for name, row in cells),
            ),
            "Mean over rows of the correlation of ranks.",
        )
    if report.known:
        yield section(
            "Rank IC beyond known factors",
            _means(report.orthogonal, "rank_ic", 1.0, "Rank IC"),
            f"Of the residual of each row's regression on the ranks of {', '.join(report.known)}.",
        )
    yield section("Long-short after costs", _long_short(report))


def _others(report: Measured) -> pd.DataFrame:
    """Return the correlations, without a factor's correlation with itself if it is alone."""
    found = report.correlations
    return found.drop(columns=found.index) if len(found) == 1 else found


def _of_factor(report: Measured, name: str, one: Analysis, lead: str) -> Iterator[str]:
    h = f"Horizon {plots.rows_text(one.horizons[0])}"
    if lead:
        yield section(name, f"<p><code>{escape(str(one.expr)[:500])}</code></p>")
    yield chart(
        f"{lead}Rank IC through time",
        plots.cumulative_ic(one, report.bars),
        "Sum of the rank IC of each row.",
    )
    yield '<div class="pair">'
    yield chart(f"{lead}Decay", plots.decay(one), "Mean rank IC by horizon.")
    yield chart(f"{lead}Rank IC of rows", plots.histogram(one), f"{h}.")
    yield "</div>"
    yield '<div class="pair">'
    yield chart(
        f"{lead}Return by quantile",
        plots.quantile_bars(one),
        "Above the mean of all quantiles, before costs.",
    )
    yield chart(
        f"{lead}Quantiles through time",
        plots.quantile_growth(one, report.bars),
        f"{h}, above the mean of all, before costs.",
    )
    yield "</div>"
    if report.groups:
        yield '<div class="pair">'
    yield chart(f"{lead}By year", plots.years(one, report.bars), f"{h}.")
    if report.groups:
        yield chart(
            f"{lead}By {report.groups}",
            plots.groups(one, report.bars, report.groups),
            f"Rank IC among the assets of each {report.groups} with at least two.",
        )
        yield "</div>"


def _summary(frame: pd.DataFrame) -> str:
    head = (
        *("Factor", "Horizon", "Rank IC", "t", "ICIR", "IC", "Positive", "Rows"),
        *("Spread, bps a row", "t", "Turnover", "Autocorrelation", "Coverage"),
    )
    rows = []
    for x in frame.reset_index().to_dict("records"):
        rows.append(
            (
                escape(x["factor"]),
                str(x["horizon"]),
                signed(x["rank_ic"], _number(x["rank_ic"], 4)),
                _number(x["t"], 1),
                _number(x["icir"], 3),
                _number(x["ic"], 4),
                f"{x['positive']:.1%}",
                f"{x['rows']:,.0f}",
                _number(1e4 * x["spread"] / x["horizon"], 2),
                _number(x["spread_t"], 1),
                f"{x['turnover']:.1%}",
                _number(x["autocorrelation"], 3),
                f"{x['coverage']:.1%}",
            )
        )
    return table(head, rows)


def _means(frame: pd.DataFrame, column: str, unit: float, label: str) -> str:
    rows = (
        (
            escape(x["factor"]),
            str(x["horizon"]),
            signed(x[column], _number(unit * x[column], 4)),
            _number(x["t"], 1),
            f"{x['rows']:,.0f}",
        )
        for x in frame.reset_index().to_dict("records")
    )
    return table(("Factor", "Horizon", label, "t", "Rows"), rows)


def _long_short(report: Measured) -> str:
    frame = report.long_short
    if frame.empty or not len(frame.columns):
        return quiet("No factor was traded; the remarks say why.")
    rows = (
        (escape(_label(name)), *(_figure(name, x) for x in frame.loc[name])) for name in frame.index
    )
    return table(("Figure", *map(escape, frame.columns)), rows)


def _label(name: str) -> str:
    return FIGURES[name].label if name in FIGURES else "Break-even fee (bps)"


def _figure(name: str, value: float) -> str:
    return FIGURES[name].text(value) if name in FIGURES else _number(value, 2)


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "n/a"
