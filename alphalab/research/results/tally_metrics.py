"""Figures of the columns of a sweep: those of a full result, from what a column kept of its rows.

Each follows the formula and the NaN rule of its namesake in `metrics.py`, for all
columns at once; they agree to 1e-12.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from alphalab.research.results.metrics import ROUNDING
from alphalab.types import Records

_LARGEST_LOG = 700.0


def metrics_of(tallies: Records, periods_per_year: float) -> dict[str, Any]:
    """Return every figure by name, one value per column.

    Parameters
    ----------
    tallies : records of `alphalab.types.TALLY`, shape (C,)
        All rows folded, as `Columns.tallies` gives them.
    periods_per_year : float
        Rows a year holds, NaN when unknown.

    Returns
    -------
    dict of str to ndarray of shape (C,)
        Counts are integers, all others float64; NaN where a figure is not defined.

    Examples
    --------
    >>> from alphalab.types import TALLY
    >>> tally = np.zeros(1, TALLY)
    >>> tally["rows"], tally["start"], tally["equity"] = 2, 100.0, 121.0
    >>> tally["least"] = tally["least_before"] = 100.0
    >>> metrics_of(tally, periods_per_year=1.0)["annual_return"].round(12)
    array([0.1])
    """
    with np.errstate(all="ignore"):
        return {name: formula(tallies, periods_per_year) for name, formula in _FORMULAS.items()}


def digests(tallies: Records) -> list[str]:
    """Return the digest of every column: `alphalab.research.results.result.Result.digest`."""
    return [digest_of(words) for words in tallies["words"]]


def digest_of(words: Any) -> str:
    """Return 32 hexadecimal digits: BLAKE2b over the folded words of a run, little-endian."""
    data = np.ascontiguousarray(words, "<u8").data
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _ratio(numerator: Any, denominator: Any) -> Any:
    return np.where(denominator > ROUNDING, numerator / denominator, np.nan)


def _returns(x: Any, least: int, values: Any) -> Any:
    """Return values that need `least` returns, all of them known."""
    return np.where((x["rows"] >= least) & (x["least_before"] > 0), values, np.nan)


def _alive(x: Any, values: Any) -> Any:
    """Return values that need a row, and an account that never stood at zero."""
    return np.where((x["rows"] >= 1) & (x["least"] > 0), values, np.nan)


def _total_return(x: Any, year: float) -> Any:
    return np.where((x["rows"] >= 1) & (x["start"] > 0), x["equity"] / x["start"] - 1, np.nan)


def _annual_return(x: Any, year: float) -> Any:
    log_growth = np.log(x["equity"] / x["start"]) * year / x["rows"]
    return _alive(x, np.where(log_growth < _LARGEST_LOG, np.expm1(log_growth), np.nan))


def _std(x: Any) -> Any:
    return np.sqrt(x["m2"] / (x["rows"] - 1))


def _volatility(x: Any, year: float) -> Any:
    return _returns(x, 2, _std(x) * np.sqrt(year))


def _sharpe(x: Any, year: float) -> Any:
    return _returns(x, 2, _ratio(x["mean"], _std(x)) * np.sqrt(year))


def _sortino(x: Any, year: float) -> Any:
    downside = np.sqrt(x["downside"] / x["rows"])
    return _returns(x, 1, _ratio(x["mean"], downside) * np.sqrt(year))


def _omega(x: Any, year: float) -> Any:
    return _returns(x, 1, _ratio(x["gained"], x["lost"]))


def _max_drawdown(x: Any, year: float) -> Any:
    return np.where(x["start"] > 0, x["max_drawdown"], np.nan)


def _calmar(x: Any, year: float) -> Any:
    return _ratio(_annual_return(x, year), _max_drawdown(x, year))


def _turnover(x: Any, year: float) -> Any:
    mean = x["equity_sum"] / x["rows"]
    return _alive(x, x["turnover"] / mean * year / x["rows"])


def _moment(order: int, name: str, less: float) -> Callable[[Any, float], Any]:
    def standardised(x: Any, year: float) -> Any:
        n = x["rows"]
        spread = np.sqrt(x["m2"] / n)
        return _returns(x, 2, _ratio(x[name] / n, spread) / spread ** (order - 1) - less)

    return standardised


def _share(part: str, whole: str) -> Callable[[Any, float], Any]:
    return lambda x, year: np.where(x[whole] > 0, x[part] / x[whole], np.nan)


def _field(name: str) -> Callable[[Any, float], Any]:
    return lambda x, year: x[name].copy()


def _profit_factor(x: Any, year: float) -> Any:
    return np.where(x["trips_lost"] > 0, x["trips_won"] / x["trips_lost"], np.nan)


_FORMULAS: dict[str, Callable[[Any, float], Any]] = {
    "final_equity": _field("equity"),
    "total_return": _total_return,
    "annual_return": _annual_return,
    "volatility": _volatility,
    "sharpe": _sharpe,
    "sortino": _sortino,
    "max_drawdown": _max_drawdown,
    "calmar": _calmar,
    "omega": _omega,
    "n_fills": _field("n_fills"),
    "n_round_trips": _field("n_trips"),
    "win_rate": _share("n_won", "n_trips"),
    "profit_factor": _profit_factor,
    "average_holding": _share("trip_rows", "n_trips"),
    "fees": _field("fees"),
    "carry": _field("carry"),
    "turnover": _turnover,
    "exposure": _share("invested", "rows"),
    "skew": _moment(3, "m3", 0.0),
    "kurtosis": _moment(4, "m4", 3.0),
    "n_refusals": _field("n_refusals"),
}

#: Names of the figures, in the order of tables.
METRICS = tuple(_FORMULAS)

#: Of two columns the better one has the smaller of these.
SMALLER_IS_BETTER = frozenset({"volatility", "max_drawdown", "fees", "turnover", "n_refusals"})
