"""Resampled returns: bootstrap intervals, and tests of the best of many columns.

The bootstraps are those of `arch.bootstrap`; both resample blocks of rows, so that what depends on
the rows before stays together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from alphalab.errors import DataError, ParameterError, UnknownNameError, import_extra
from alphalab.research.results.sharpe_ratio import check_returns
from alphalab.types import FloatArray

Scheme = Literal["stationary", "block"]

_SCHEMES = {"stationary": "StationaryBootstrap", "block": "CircularBlockBootstrap"}
_FEWEST_ROWS = 20


class Interval(NamedTuple):
    """A figure and where it may as well have been.

    Attributes
    ----------
    value, low, high : float
        The figure, and the bounds of its interval.
    level : float
        Confidence of the interval.
    block_rows : int
        Mean length of the resampled blocks, rows.
    """

    value: float
    low: float
    high: float
    level: float
    block_rows: int


def bootstrap_interval(
    returns: FloatArray,
    metric: Callable[[FloatArray], float],
    *,
    scheme: Scheme = "stationary",
    block_rows: int | None = None,
    level: float = 0.95,
    n_samples: int = 1_000,
    seed: int = 0,
) -> Interval:
    """Interval of any metric of a series of returns, by percentiles of resampled series.

    Parameters
    ----------
    returns : ndarray of shape (T,)
        At least 20. NaN is refused.
    metric : callable
        ``metric(returns) -> float``.
    scheme : {"stationary", "block"}
        Blocks of random length (Politis & Romano 1994), or of fixed length on a circle (Politis &
        Romano 1992).
    block_rows : int, optional
        Mean length of a block. Not given: the optimal one of Politis & White (2004).
    level : float
        In (0, 1).
    n_samples : int
        Resampled series, at least 100.
    seed : int

    Raises
    ------
    DataError
        Returns that are too few, unknown or all equal.
    ParameterError
        An argument outside its range, or a metric that is not known on resampled returns.

    Examples
    --------
    >>> returns = np.random.default_rng(0).normal(0.001, 0.01, 1_000)
    >>> found = bootstrap_interval(returns, np.mean)
    >>> found.low < found.value < found.high
    True
    """
    values = np.asarray(returns, np.float64)
    check_returns(values, _FEWEST_ROWS)
    if scheme not in _SCHEMES:
        raise UnknownNameError("scheme", scheme, _SCHEMES)
    if not 0.0 < level < 1.0 or n_samples < 100:
        raise ParameterError(
            f"level={level:g}, n_samples={n_samples}",
            rule="0 < level < 1, and at least 100 samples.",
        )
    block = block_length(values, scheme) if block_rows is None else block_rows
    _check_block(block, values.size)
    bootstrap = import_extra("arch.bootstrap", "research")
    sampler = getattr(bootstrap, _SCHEMES[scheme])(block, values, seed=seed)
    found = sampler.apply(lambda sample: float(metric(sample)), n_samples)[:, 0]
    if not np.isfinite(found).all():
        raise ParameterError(
            f"the metric is {found[~np.isfinite(found)][0]} for {np.sum(~np.isfinite(found))} of "
            f"{n_samples} resampled series",
            rule="it is a finite number for every series of returns.",
            fix="Use a metric that is always there, such as the mean return.",
        )
    low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(metric(values)), float(low), float(high), level, block)


def block_length(returns: FloatArray, scheme: Scheme = "stationary") -> int:
    """Return the optimal mean length of a block, rows, at least 1: Politis & White (2004)."""
    bootstrap = import_extra("arch.bootstrap", "research")
    name = "stationary" if scheme == "stationary" else "circular"
    found = float(bootstrap.optimal_block_length(np.asarray(returns, np.float64))[name].iloc[0])
    return min(max(math.ceil(found), 1), returns.size // 2)


class Superiority(NamedTuple):
    """The test that the best of many columns is better than a benchmark, all of them considered.

    Attributes
    ----------
    best : int
        Column with the largest mean return over the benchmark.
    p_lower, p_consistent, p_upper : float
        P values of Hansen's test of superior predictive ability: liberal, consistent, conservative.
    p_reality_check : float
        P value of White's reality check.
    superior : tuple of int
        Columns that stepwise multiple testing (Romano & Wolf) finds better, at `level`.
    level : float
        Chance of one false discovery or more among `superior`.
    block_rows : int
        Mean length of the resampled blocks, rows.
    """

    best: int
    p_lower: float
    p_consistent: float
    p_upper: float
    p_reality_check: float
    superior: tuple[int, ...]
    level: float
    block_rows: int


def superiority(
    returns: FloatArray,
    benchmark: FloatArray | None = None,
    *,
    block_rows: int | None = None,
    level: float = 0.05,
    n_samples: int = 1_000,
    seed: int = 0,
) -> Superiority:
    """Test whether any of M columns has a larger mean return than a benchmark.

    Hansen, A Test for Superior Predictive Ability (2005); White, A Reality Check for Data Snooping
    (2000); Romano & Wolf, Stepwise Multiple Testing as Formalized Data Snooping (2005). Stationary
    bootstrap.

    Parameters
    ----------
    returns : ndarray of shape (T, M)
        At least 20 rows. NaN is refused.
    benchmark : ndarray of shape (T,), optional
        Returns to compare with. Not given: cash, 0 in every row.
    block_rows : int, optional
        Mean length of a block. Not given: the optimal one of the best column.
    level : float
        In (0, 0.5).
    n_samples : int
        Resampled tables, at least 100.
    seed : int

    Raises
    ------
    DataError
        Columns that are too short, unknown, or equal to the benchmark up to a constant.
    ParameterError
        An argument outside its range.

    Examples
    --------
    >>> returns = np.random.default_rng(0).normal(0.0, 0.01, (1_000, 10))
    >>> superiority(returns).superior
    ()
    >>> returns[:, 3] += 0.002
    >>> superiority(returns).superior
    (3,)
    """
    table = np.asarray(returns, np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(f"returns of shape {table.shape}", rule="the shape is (T, M), M >= 1.")
    base = np.zeros(len(table)) if benchmark is None else np.asarray(benchmark, np.float64)
    if base.shape != (len(table),):
        raise DataError(f"a benchmark of shape {base.shape}", rule=f"its shape is ({len(table)},).")
    excess = table - base[:, np.newaxis]
    for column in excess.T:
        check_returns(column, _FEWEST_ROWS)
    if not 0.0 < level < 0.5 or n_samples < 100:
        raise ParameterError(
            f"level={level:g}, n_samples={n_samples}",
            rule="0 < level < 0.5, and at least 100 samples.",
        )
    best = int(np.argmax(excess.mean(axis=0)))
    block = block_length(excess[:, best]) if block_rows is None else block_rows
    _check_block(block, len(table))
    bootstrap = import_extra("arch.bootstrap", "research")

    # arch compares losses: the smaller is the better one.
    def tested(studentize: bool) -> Any:
        test = bootstrap.SPA(
            -base, -table, block_size=block, reps=n_samples, seed=seed, studentize=studentize
        )
        test.compute()
        return test

    test = tested(studentize=True)
    spa = test.pvalues
    reality = tested(studentize=False).pvalues
    return Superiority(
        best=best,
        p_lower=float(spa["lower"]),
        p_consistent=float(spa["consistent"]),
        p_upper=float(spa["upper"]),
        p_reality_check=float(reality["upper"]),
        superior=_superior(test, table.shape[1], level),
        level=level,
        block_rows=block,
    )


def _superior(test: Any, n_columns: int, level: float) -> tuple[int, ...]:
    """Return the superior columns: drop those that a test finds and test the rest, until none is.

    As `arch.bootstrap.StepM`, which fails where its steps together find all columns.
    """
    left = np.ones(n_columns, np.bool_)
    while left.any():
        test.subset(left)
        test.compute()
        found = test.better_models(level)
        if not len(found):
            break
        left = left.copy()
        left[found] = False
    return tuple(np.flatnonzero(~left).tolist())


def _check_block(block_rows: int, n_rows: int) -> None:
    if not 1 <= block_rows <= n_rows // 2:
        raise ParameterError(
            f"block_rows={block_rows} of {n_rows} rows",
            rule="a block has at least one row, and at most half of them.",
        )
