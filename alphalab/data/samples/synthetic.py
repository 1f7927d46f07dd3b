"""Synthetic market from a seed: volatility regimes, consistent bars, gaps."""

from __future__ import annotations

import numpy as np

from alphalab.data.clock.times import NS_DAY, nanoseconds, parse_duration
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray, Instrument, IntArray

# The regimes, equally frequent: drift and volatility of the log price a year, relative volume.
# The drifts add up to zero, so that a long history neither explodes nor vanishes.
_DRIFT = np.array([0.35, 0.05, -0.40])
_VOLATILITY = np.array([0.25, 0.50, 1.10])
_ACTIVITY = np.array([1.0, 1.6, 3.0])
_REGIME_BARS = 400.0  # average stay, bars
_MARKET_SHARE = 0.5  # of each symbol's variance, common to all
_JUMP_SHARE = 0.05  # of each bar's variance, between the close before and its open
_DAYS_PER_YEAR = 365
_START = "2020-01-01"
_LAST = "2262-01-01"


def synthetic(
    n_rows: int = 5_000,
    n_symbols: int = 4,
    seed: int = 0,
    bar: str = "1h",
    gap_frac: float = 0.01,
) -> Bars:
    """Return synthetic bars of a market that never closes.

    Equal arguments give equal bytes, for one version of NumPy on one kind of processor.

    A Markov chain of three regimes (calm and rising, busy, falling and wild) sets the drift and
    volatility of a geometric random walk; symbols share half of their variance. High and low follow
    the law of a Brownian path's extremes between the open and the close.

    Parameters
    ----------
    n_rows : int
        Rows, T.
    n_symbols : int
        Symbols ``SYN1``, ``SYN2`` ...; one alone is called ``SYN``.
    seed : int
        At least 0.
    bar : str
        Length of a bar, such as ``"1m"``, ``"1h"`` or ``"1d"``.
    gap_frac : float in [0, 0.5]
        Share of rows that are missing (gaps in the times) and, with several symbols, of cells that
        are NaN. The walk goes on in a gap.

    Returns
    -------
    Bars
        From 2020-01-01 on; currency USD, calendar 24/7.

    Raises
    ------
    ParameterError
        An argument outside its range, or more rows than the years up to 2261 hold.

    Examples
    --------
    >>> synthetic(1_000, 2, seed=7, bar="5m") == synthetic(1_000, 2, seed=7, bar="5m")
    True
    >>> synthetic(n_rows=0)
    Traceback (most recent call last):
        ...
    alphalab.errors.ParameterError: synthetic(n_rows=0)
      Rule: n_rows is at least 1.
    """
    for name, value in (("n_rows", n_rows), ("n_symbols", n_symbols), ("seed", seed)):
        least = 0 if name == "seed" else 1
        if value < least:
            raise ParameterError(f"synthetic({name}={value})", rule=f"{name} is at least {least}.")
    if not 0 <= gap_frac <= 0.5:
        raise ParameterError(f"synthetic(gap_frac={gap_frac})", rule="gap_frac is from 0 to 0.5.")
    try:
        step = parse_duration(bar)
    except DataError as error:
        raise ParameterError(f"synthetic(bar={bar!r})", rule=error.rule) from None
    longest = (nanoseconds(_LAST) - nanoseconds(_START)) // (3 * step)
    if n_rows > longest:
        raise ParameterError(
            f"synthetic(n_rows={n_rows}, bar={bar!r})",
            rule=f"n_rows is at most {longest} at this bar, so that rows and gaps end before 2262.",
        )

    rng = np.random.default_rng(seed)
    elapsed = _elapsed(rng, n_rows, gap_frac)
    years = elapsed * (step / (_DAYS_PER_YEAR * NS_DAY))
    regime = _regimes(rng, n_rows)
    columns = _walk(rng, _DRIFT[regime] * years, _VOLATILITY[regime] * np.sqrt(years), n_symbols)
    columns["volume"] *= _ACTIVITY[regime][:, np.newaxis] * (step / NS_DAY)
    if n_symbols > 1:
        untraded = rng.random((n_rows, n_symbols)) < gap_frac
        for values in columns.values():
            values[untraded] = np.nan
    for values in columns.values():
        values.setflags(write=False)
    names = ["SYN"] if n_symbols == 1 else [f"SYN{place}" for place in range(1, n_symbols + 1)]
    return Bars(
        nanoseconds(_START) + step * np.cumsum(elapsed),
        names,
        columns,
        instruments=[Instrument(symbol=name, currency="USD", calendar="24/7") for name in names],
        periods_per_year=_DAYS_PER_YEAR * NS_DAY / step,
        source="synthetic",
        notes=(
            f"synthetic: a regime-switching random walk with gaps (seed {seed}), not market data",
        ),
    )


def _elapsed(rng: np.random.Generator, n_rows: int, gap_frac: float) -> IntArray:
    """Return bars since the row before: 1, and more after a gap (3 more on average)."""
    elapsed = np.ones(n_rows, np.int64)
    after_gap = rng.random(n_rows) < gap_frac / 3 / (1 - gap_frac)
    elapsed[after_gap] += rng.geometric(1 / 3, int(np.count_nonzero(after_gap)))
    return elapsed


def _regimes(rng: np.random.Generator, n_rows: int) -> IntArray:
    """Return the regime of each row: geometric stays, then one of the two others by even chance."""
    n_stays = 16 + int(4 * n_rows / _REGIME_BARS)
    stays = rng.geometric(1 / _REGIME_BARS, n_stays)
    while stays.sum() < n_rows:
        stays = np.concatenate([stays, rng.geometric(1 / _REGIME_BARS, n_stays)])
    regimes = np.cumsum(rng.integers(1, 3, len(stays))) % len(_DRIFT)
    return np.repeat(regimes, stays)[:n_rows]


def _walk(
    rng: np.random.Generator, drift: FloatArray, volatility: FloatArray, n_symbols: int
) -> dict[str, FloatArray]:
    """Return the five columns, (T, N); drift and volatility, (T,), are those of each row's step."""
    shape = (len(drift), n_symbols)
    spread = volatility[:, np.newaxis]
    market = rng.standard_normal((len(drift), 1))
    own = rng.standard_normal(shape)
    shock = np.sqrt(_MARKET_SHARE) * market + np.sqrt(1 - _MARKET_SHARE) * own
    inside = drift[:, np.newaxis] + spread * np.sqrt(1 - _JUMP_SHARE) * shock
    jump = spread * np.sqrt(_JUMP_SHARE) * rng.standard_normal(shape)

    log_close = np.log(100.0) + np.cumsum(inside + jump, axis=0)
    log_open = log_close - inside
    # Given both ends, a Brownian path's maximum M has P(M > m) = exp(-2 (m - a)(m - b) / variance).
    variance = (1 - _JUMP_SHARE) * spread**2
    reach = [
        np.sqrt(inside**2 + 2 * variance * rng.standard_exponential(shape)) / 2 for _ in range(2)
    ]
    middle = log_open + inside / 2
    close, open_ = np.exp(log_close), np.exp(log_open)
    high = np.maximum(np.exp(middle + reach[0]), np.maximum(open_, close))
    low = np.minimum(np.exp(middle - reach[1]), np.minimum(open_, close))
    volume = 1e6 * rng.lognormal(-0.125, 0.5, shape)
    return {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
