"""Tables of a factor report, as pandas frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.expr.functions import column
from alphalab.expr.nodes import apply
from alphalab.expr.plan import Plan
from alphalab.research.factors.analysis import Analysis, mean_of
from alphalab.research.factors.correlation import rank_ic
from alphalab.research.factors.inference import (
    Mean,
    newey_west,
    residuals,
    row_correlation,
    slopes,
    standardised,
)
from alphalab.types import FloatArray, Instrument

if TYPE_CHECKING:
    import pandas as pd

#: Figures of the long-short portfolio.
LONG_SHORT = (
    "annual_return",
    "volatility",
    "sharpe",
    "max_drawdown",
    "turnover",
    "n_fills",
)

Factors = Mapping[str, Analysis]


def summary(factors: Factors) -> pd.DataFrame:
    """Return one row for each factor and horizon."""
    rows = {}
    for name, one in factors.items():
        for h in one.horizons:
            mean, spread = newey_west(one.rank_ic[h], h), newey_west(one.spread(h), h)
            known = one.rank_ic[h][np.isfinite(one.rank_ic[h])]
            rows[name, h] = {
                "ic": mean_of(one.ic[h]),
                "rank_ic": mean.mean,
                "rank_ic_std": mean.std,
                "t": mean.t,
                "p": mean.p,
                "icir": mean.mean / mean.std if mean.std > 0.0 else np.nan,
                "positive": float((known > 0).mean()) if known.size else np.nan,
                "rows": mean.n,
                "spread": spread.mean,
                "spread_t": spread.t,
                "turnover": float(np.mean(one.turnover[h])),
                "autocorrelation": one.autocorrelation[h],
                "coverage": one.coverage,
            }
    return _frame(rows, ("factor", "horizon"))


def series(
    factors: Factors, bars: Bars, of: Callable[[Analysis], Mapping[int, FloatArray]]
) -> pd.DataFrame:
    """Return a series of each factor and horizon, one row for each time."""
    import pandas as pd

    columns = {(name, h): of(one)[h] for name, one in factors.items() for h in one.horizons}
    index = pd.DatetimeIndex(bars.time.astype("M8[ns]"), tz="UTC", name="time")
    frame = pd.DataFrame(columns, index=index)
    frame.columns.names = ["factor", "horizon"]
    return frame


def decay(factors: Factors) -> pd.DataFrame:
    """Return the mean rank IC of each factor and horizon."""
    rows = {
        (name, h): _mean(mean, "rank_ic")
        for name, one in factors.items()
        for h, mean in one.decay.items()
    }
    return _frame(rows, ("factor", "horizon"))


def quantiles(factors: Factors) -> pd.DataFrame:
    """Return the mean return of each factor, horizon and quantile."""
    rows = {
        (name, h, q + 1): _mean(newey_west(one.quantile_returns[h][:, q], h), "return")
        for name, one in factors.items()
        for h in one.horizons
        for q in range(one.n_quantiles)
    }
    return _frame(rows, ("factor", "horizon", "quantile"))


def by_year(factors: Factors, bars: Bars) -> pd.DataFrame:
    """Return the mean rank IC of each factor and year."""
    rows = {
        (name, year): _mean(mean, "rank_ic")
        for name, one in factors.items()
        for year, mean in one.by_year(bars.time).items()
    }
    return _frame(rows, ("factor", "year"))


def by_group(factors: Factors, bars: Bars, label: str) -> pd.DataFrame:
    """Return the mean rank IC of each factor, group and horizon."""
    rows = {
        (name, group, h): _mean(mean, "rank_ic")
        for name, one in factors.items()
        for group, found in one.by_group(bars.instruments, label).items()
        for h, mean in found.items()
    }
    return _frame(rows, ("factor", label, "horizon"))


def fama_macbeth(factors: Factors) -> pd.DataFrame:
    """Return the mean slope of each factor and horizon, all factors together."""
    first = next(iter(factors.values()))
    values = [one.values for one in factors.values()]
    found = {h: slopes(values, first.returns[h].returns) for h in first.horizons}
    rows = {
        (name, h): _mean(newey_west(found[h][:, k], h), "slope")
        for k, name in enumerate(factors)
        for h in first.horizons
    }
    return _frame(rows, ("factor", "horizon"))


def correlations(factors: Factors, known: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Return the mean correlation of ranks of each factor with the others and the known ones."""
    import pandas as pd

    ranks = {name: ranked(one.values) for name, one in factors.items()}
    others = {**ranks, **{x: ranked(values) for x, values in known.items() if x not in ranks}}
    cells = [[row_correlation(a, b) for b in others.values()] for a in ranks.values()]
    return pd.DataFrame(cells, index=pd.Index(list(ranks), name="factor"), columns=list(others))


def orthogonal(factors: Factors, known: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Return the rank IC of the part of each factor that the known ones do not explain."""
    others = [standardised(ranked(values)) for values in known.values()]
    rows = {}
    for name, one in factors.items():
        rest = residuals(standardised(ranked(one.values)), others) if others else one.values
        for h in one.horizons:
            rows[name, h] = _mean(newey_west(rank_ic(rest, one.returns[h].returns), h), "rank_ic")
    return _frame(rows, ("factor", "horizon"))


def long_short(factors: Factors) -> pd.DataFrame:
    """Return the figures of each factor that was traded, and its break-even fee."""
    import pandas as pd

    columns = {}
    for name, one in factors.items():
        if one.long_short is not None:
            figures = {key: one.long_short.metrics[key] for key in LONG_SHORT}
            columns[name] = {**figures, "break_even_bps": one.long_short.break_even_bps()}
    return pd.DataFrame(columns, index=[*LONG_SHORT, "break_even_bps"])


def ranked(values: FloatArray) -> FloatArray:
    """Return the rank of each known value in its row, as `cs_rank`, (T, N); NaN where unknown."""
    assets = [Instrument(symbol=f"A{j}") for j in range(values.shape[1])]
    plan = Plan({"rank": apply("cs_rank", column("x"))}, assets, capacity=len(values))
    return plan.run({"x": values}, len(values))["rank"]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain data; a figure that is not defined is None."""
    plain = frame.reset_index().to_dict("records")
    return [
        {
            str(key): None if isinstance(x, float) and not np.isfinite(x) else x
            for key, x in record.items()
        }
        for record in plain
    ]


def _mean(mean: Mean, name: str) -> dict[str, float]:
    return {name: mean.mean, "t": mean.t, "p": mean.p, "rows": mean.n}


def _frame(
    rows: Mapping[tuple[Any, ...], Mapping[str, float]], names: tuple[str, ...]
) -> pd.DataFrame:
    import pandas as pd

    index = pd.MultiIndex.from_tuples(rows, names=names)
    return pd.DataFrame(list(rows.values()), index=index)
