"""Metrics of the columns of a sweep, from their tallies, for all columns at once.

Each has the formula (`formulas.py`) and the NaN rule of its namesake in `metrics.py`; the values
agree with those of the full result to 1e-12.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from alphalab.research.results import formulas
from alphalab.types import Records


def metrics_of(tallies: Records, periods_per_year: float) -> dict[str, Any]:
    """Return every metric by name, one value for each column.

    Parameters
    ----------
    tallies : records of `alphalab.types.TALLY`, shape (C,)
        Sums over all rows, as `VectorEngine.tallies` returns them.
    periods_per_year : float
        Rows a year holds, NaN when unknown.

    Returns
    -------
    dict of str to ndarray of shape (C,)
        Counts are integers, all others float64; NaN where a metric is not defined.

    Examples
    --------
    >>> from alphalab.types import TALLY
    >>> tally = np.zeros(1, TALLY)
    >>> tally["rows"], tally["start"], tally["equity"] = 2, 100.0, 121.0
    >>> tally["least"] = tally["least_before"] = 100.0
    >>> metrics_of(tally, periods_per_year=1.0)["annual_return"].round(12)
    array([0.1])
    """
    return {name: metric(tallies, periods_per_year) for name, metric in _METRICS.items()}


def digests(tallies: Records) -> list[str]:
    """Return the digest of every column: `alphalab.research.results.result.Result.digest`."""
    return [digest_of(words) for words in tallies["words"]]


def digest_of(words: Any) -> str:
    """Return 32 hexadecimal digits: BLAKE2b over the hash words of a run, little-endian."""
    data = np.ascontiguousarray(words, "<u8").data
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _returns(x: Any, least: int, values: Any) -> Any:
    """Return values where there are `least` returns or more, all of them known."""
    return np.where((x["rows"] >= least) & (x["least_before"] > 0), values, np.nan)


def _alive(x: Any, values: Any) -> Any:
    """Return values where there is a row and equity was always above zero."""
    return np.where((x["rows"] >= 1) & (x["least"] > 0), values, np.nan)


def _annual_return(x: Any, year: float) -> Any:
    return _alive(x, formulas.annual_return(x["start"], x["equity"], x["rows"], year))


def _max_drawdown(x: Any) -> Any:
    return np.where(x["start"] > 0, x["max_drawdown"], np.nan)


def _moment(power: int, x: Any) -> Any:
    found = formulas.standardised_moment(power, x[f"m{power}"], x["m2"], x["rows"])
    return _returns(x, 2, found)


_METRICS: dict[str, Callable[[Any, float], Any]] = {
    "final_equity": lambda x, year: x["equity"].copy(),
    "total_return": lambda x, year: np.where(
        x["rows"] >= 1, formulas.share(x["equity"], x["start"]) - 1, np.nan
    ),
    "annual_return": _annual_return,
    "volatility": lambda x, year: _returns(x, 2, formulas.volatility(x["m2"], x["rows"], year)),
    "sharpe": lambda x, year: _returns(x, 2, formulas.sharpe(x["mean"], x["m2"], x["rows"], year)),
    "sortino": lambda x, year: _returns(
        x, 1, formulas.sortino(x["mean"], x["downside"], x["rows"], year)
    ),
    "max_drawdown": lambda x, year: _max_drawdown(x),
    "calmar": lambda x, year: formulas.ratio(_annual_return(x, year), _max_drawdown(x)),
    "omega": lambda x, year: _returns(x, 1, formulas.ratio(x["gained"], x["lost"])),
    "n_fills": lambda x, year: x["n_fills"].copy(),
    "n_round_trips": lambda x, year: x["n_trips"].copy(),
    "win_rate": lambda x, year: formulas.share(x["n_won"], x["n_trips"]),
    "profit_factor": lambda x, year: formulas.share(x["trips_won"], x["trips_lost"]),
    "average_holding": lambda x, year: formulas.share(x["trip_rows"], x["n_trips"]),
    "fees": lambda x, year: x["fees"].copy(),
    "carry": lambda x, year: x["carry"].copy(),
    "turnover": lambda x, year: _alive(
        x, formulas.turnover(x["turnover"], x["equity_sum"], x["rows"], year)
    ),
    "exposure": lambda x, year: formulas.share(x["invested"], x["rows"]),
    "skew": lambda x, year: _moment(3, x),
    "kurtosis": lambda x, year: _moment(4, x) - 3,
    "n_refusals": lambda x, year: x["n_refusals"].copy(),
}

#: Names of the metrics, in the order of tables.
METRICS = tuple(_METRICS)

#: Metrics of which smaller values are better.
SMALLER_IS_BETTER = frozenset({"volatility", "max_drawdown", "fees", "turnover", "n_refusals"})
