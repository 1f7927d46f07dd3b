"""Operators against pandas, TA-Lib, SciPy and least squares, wherever the meanings agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import talib
from compare import assert_same
from running import assets, bars, run

import alphalab as al
from alphalab.expr.functions import column, group
from alphalab.expr.nodes import Expr
from alphalab.types import FloatArray

ROWS, ASSETS, N = 300, 4, 14
close, extra = al.close, column("extra")


@pytest.fixture(scope="module")
def walk() -> dict[str, FloatArray]:
    """Prices of four assets as a walk, the high above and the low below the close."""
    rng = np.random.default_rng(20)
    prices = 100.0 * np.exp(np.cumsum(0.01 * rng.normal(size=(ROWS, ASSETS)), axis=0))
    spread = 0.5 * rng.random((2, ROWS, ASSETS))
    return bars(ROWS, ASSETS) | {
        "close": prices,
        "high": prices + spread[0],
        "low": prices - spread[1],
        "extra": rng.normal(size=(ROWS, ASSETS)),
    }


@pytest.fixture(scope="module")
def holed(walk) -> dict[str, FloatArray]:
    """The same with unknown and infinite values."""
    rng = np.random.default_rng(21)
    holes = {name: np.where(rng.random(x.shape) < 0.01, np.nan, x) for name, x in walk.items()}
    return {name: np.where(rng.random(x.shape) < 0.003, np.inf, x) for name, x in holes.items()}


# pandas: rolling windows treat infinities as unknown, as we do.

WINDOWS = {
    "ts_sum": lambda w, other: w.sum(),
    "ts_mean": lambda w, other: w.mean(),
    "ts_var": lambda w, other: w.var(),
    "ts_std": lambda w, other: w.std(),
    "ts_min": lambda w, other: w.min(),
    "ts_max": lambda w, other: w.max(),
    "ts_median": lambda w, other: w.median(),
    "ts_skew": lambda w, other: w.skew(),
    "ts_kurt": lambda w, other: w.kurt(),
    "ts_rank": lambda w, other: w.rank(pct=True),
    "ts_cov": lambda w, other: w.cov(other),
    "ts_corr": lambda w, other: w.corr(other),
    "ts_product": lambda w, other: w.apply(np.prod, raw=True),
    "ts_argmax": lambda w, other: w.apply(lambda x: N - 1 - np.argmax(x), raw=True),
    "ts_argmin": lambda w, other: w.apply(lambda x: N - 1 - np.argmin(x), raw=True),
    "ts_count": lambda w, other: w.apply(np.count_nonzero, raw=True),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_pandas_windows(holed, name):
    expr = getattr(al, name)(*[close, extra][: 2 if name in ("ts_cov", "ts_corr") else 1], N)
    finite = {key: np.where(np.isfinite(x), x, np.nan) for key, x in holed.items()}
    window = pd.DataFrame(finite["close"]).rolling(N)
    expected = WINDOWS[name](window, pd.DataFrame(finite["extra"]))
    if name == "ts_count":  # an infinity holds
        holed = finite
    assert_same(run(expr, holed), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.77, 1.0])
def test_pandas_quantiles(holed, q):
    finite = np.where(np.isfinite(holed["close"]), holed["close"], np.nan)
    expected = pd.DataFrame(finite).rolling(N).quantile(q, interpolation="linear")
    assert_same(run(close.ts_quantile(N, q), holed), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 7])
def test_pandas_lags(holed, n):
    frame = pd.DataFrame(holed["close"])
    assert_same(run(close.delay(n), holed), frame.shift(n), rtol=0.0)
    assert_same(run(close.delta(n), holed), frame.diff(n), rtol=0.0)
    expected = frame.pct_change(n, fill_method=None)
    assert_same(run(close.returns(n), holed), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "weights"), [("ema", {"span": N}), ("wilder", {"alpha": 1.0 / N})]
)
def test_pandas_exponential_means(walk, name, weights):
    """Equal once pandas starts where we do: with the mean of the first n in the n-th row."""
    x = walk["close"]
    started = np.concatenate([x[:N].mean(axis=0, keepdims=True), x[N:]])
    expected = np.full(x.shape, np.nan)
    expected[N - 1 :] = pd.DataFrame(started).ewm(**weights, adjust=False).mean()
    assert_same(run(getattr(al, name)(close, N), walk), expected, rtol=1e-12)


def test_pandas_rows(holed):
    frame = pd.DataFrame(np.where(np.isfinite(holed["extra"]), holed["extra"], np.nan))
    mean, std = frame.mean(axis=1), frame.std(axis=1)
    low, high = frame.quantile(0.1, axis=1), frame.quantile(0.9, axis=1)
    best = frame.rank(axis=1, ascending=False) <= 2
    sectors = [instrument.groups.get("sector") for instrument in assets(ASSETS)]
    known = frame.loc[:, [sector is not None for sector in sectors]]
    labels = [sector for sector in sectors if sector is not None]
    grouped = known.T.groupby(labels).transform("mean").T
    for expr, expected in [
        (extra.cs_rank(), frame.rank(axis=1, pct=True)),
        (extra.cs_demean(), frame.sub(mean, axis=0)),
        (extra.cs_zscore(), frame.sub(mean, axis=0).div(std, axis=0)),
        (extra.cs_scale(2.0), 2.0 * frame.div(frame.abs().sum(axis=1), axis=0)),
        (extra.cs_winsorize(0.1), frame.clip(low, high, axis=0)),
        (extra.cs_top(2), best.astype(float).where(frame.notna())),
        (extra.cs_neutralize(group("sector")), (known - grouped).reindex(columns=frame.columns)),
    ]:
        assert_same(run(expr, holed), expected, rtol=1e-10, atol=1e-12)


# TA-Lib.


def talib_of(function, columns: dict[str, FloatArray], *names: str, **options) -> FloatArray:
    inputs = [columns[name] for name in names]
    return np.column_stack(
        [function(*(x[:, j] for x in inputs), **options) for j in range(ASSETS)]
    ).astype(float)


INDICATORS: dict[str, tuple[Expr, str, tuple[str, ...]]] = {
    "SMA": (close.ts_mean(N), "SMA", ("close",)),
    "EMA": (close.ema(N), "EMA", ("close",)),
    "WMA": (close.ts_decay_linear(N), "WMA", ("close",)),
    "RSI": (close.rsi(N), "RSI", ("close",)),
    "ATR": (al.atr(al.high, al.low, close, N), "ATR", ("high", "low", "close")),
    "SUM": (close.ts_sum(N), "SUM", ("close",)),
    "MIN": (close.ts_min(N), "MIN", ("close",)),
    "MAX": (close.ts_max(N), "MAX", ("close",)),
    "MOM": (close.delta(N), "MOM", ("close",)),
    "ROCP": (close.returns(N), "ROCP", ("close",)),
    "CORREL": (al.ts_corr(close, extra, N), "CORREL", ("close", "extra")),
    "LINEARREG_SLOPE": (al.ts_beta(close, column("row"), N), "LINEARREG_SLOPE", ("close",)),
    "TSF": (
        # The line through the window, one row on.
        close - al.ts_residual(close, column("row"), N) + al.ts_beta(close, column("row"), N),
        "TSF",
        ("close",),
    ),
}


@pytest.mark.parametrize("name", INDICATORS)
def test_talib(walk, name):
    expr, function, names = INDICATORS[name]
    columns = walk | {"row": np.repeat(np.arange(float(ROWS))[:, None], ASSETS, axis=1)}
    expected = talib_of(getattr(talib, function), columns, *names, timeperiod=N)
    assert_same(run(expr, columns), expected, rtol=1e-8, atol=1e-8)


def test_talib_extreme_places(walk):
    """TA-Lib counts the extreme's row from the start of the data, we count back from this row."""
    here = np.arange(ROWS)[:, None]
    known = slice(N - 1, None)
    for expr, function in [
        (close.ts_argmax(N), talib.MAXINDEX),
        (close.ts_argmin(N), talib.MININDEX),
    ]:
        expected = here - talib_of(function, walk, "close", timeperiod=N)
        assert_same(run(expr, walk)[known], expected[known], rtol=0.0)


def test_talib_rsi_of_an_unmoved_price(walk):
    """TA-Lib says 0; nothing has moved, so we say unknown."""
    still = {"close": np.full((30, ASSETS), 7.0)}
    assert (talib_of(talib.RSI, still, "close", timeperiod=N)[N:] == 0.0).all()
    assert np.isnan(run(close.rsi(N), still)).all()


def test_talib_bollinger(walk):
    """TA-Lib divides by n, we divide by n - 1: its width times sqrt(n / (n - 1)) is ours."""
    bands = al.bollinger(close, N, width=2.0)
    ratio = np.sqrt(N / (N - 1.0))
    for j in range(ASSETS):
        upper, middle, lower = talib.BBANDS(walk["close"][:, j], N, nbdevup=2.0, nbdevdn=2.0)
        assert_same(run(bands.middle, walk)[:, j], middle)
        assert_same(run(bands.upper, walk)[:, j], middle + ratio * (upper - middle), rtol=1e-8)
        assert_same(run(bands.lower, walk)[:, j], middle + ratio * (lower - middle), rtol=1e-8)


def test_talib_macd_converges(walk):
    """TA-Lib starts its fast mean late (at row 14, not 0), so the first values differ.

    What is left of a start shrinks by 1 - 2 / 27 a row: below 1e-7 after 200 rows.
    """
    ours = [run(expr, walk) for expr in al.macd(close)]
    for j in range(ASSETS):
        for mine, theirs in zip(ours, talib.MACD(walk["close"][:, j]), strict=True):
            known = np.isfinite(mine[:, j])
            assert_same(known, np.isfinite(theirs) | known)
            assert_same(mine[250:, j], theirs[250:], rtol=0.0, atol=1e-6)
            assert np.nanmax(np.abs(mine[:, j] - theirs)) > 1e-6


# SciPy and least squares.


@pytest.mark.parametrize("n", [4, 30])
def test_scipy_moments(walk, n):
    windows = np.lib.stride_tricks.sliding_window_view(walk["close"], n, axis=0)
    skew = scipy.stats.skew(windows, axis=-1, bias=False)
    kurt = scipy.stats.kurtosis(windows, axis=-1, bias=False)
    z = scipy.stats.zscore(windows, axis=-1, ddof=1)[..., -1]
    for expr, expected in [
        (close.ts_skew(n), skew),
        (close.ts_kurt(n), kurt),
        (close.ts_zscore(n), z),
    ]:
        assert_same(run(expr, walk)[n - 1 :], expected, rtol=1e-8, atol=1e-9)


def test_least_squares_through_time(walk):
    y, x = walk["close"], walk["extra"]
    beta, residual = np.full((2, *y.shape), np.nan)
    for t in range(N - 1, ROWS):
        for j in range(ASSETS):
            window = slice(t - N + 1, t + 1)
            design = np.column_stack([np.ones(N), x[window, j]])
            (start, beta[t, j]), *_ = np.linalg.lstsq(design, y[window, j])
            residual[t, j] = y[t, j] - start - beta[t, j] * x[t, j]
    assert_same(run(al.ts_beta(close, extra, N), walk), beta, rtol=1e-9, atol=1e-10)
    assert_same(run(al.ts_residual(close, extra, N), walk), residual, rtol=1e-9, atol=1e-10)


def test_least_squares_across_assets():
    rng = np.random.default_rng(22)
    columns = {"close": rng.normal(size=(50, 8)), "extra": 1e6 + rng.normal(size=(50, 8))}
    for values in columns.values():
        values[rng.random(values.shape) < 0.1] = np.nan
    expected = np.full((50, 8), np.nan)
    for t in range(50):
        known = np.isfinite(columns["close"][t]) & np.isfinite(columns["extra"][t])
        y, x = columns["close"][t, known], columns["extra"][t, known]
        design = np.column_stack([np.ones(x.size), x - x.mean()])
        expected[t, known] = y - design @ np.linalg.lstsq(design, y)[0]
    assert_same(run(al.cs_residual(close, extra), columns), expected, rtol=1e-8, atol=1e-8)
