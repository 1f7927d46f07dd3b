"""The operators of the language as pandas and KunQuant write them, for `expressions.py`.

A case is written for columns `close`, `high`, `low`, `volume` (prices), `extra` (numbers around 0)
and the groups `sector`. pandas is given its fastest idiom that we know, NumPy where that is faster;
KunQuant its own operator, or the composition of operators that has the same meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

N = 20  # rows of a window: a month of days
DECAY = np.arange(1.0, N + 1.0) / (N * (N + 1) / 2)


class Case(NamedTuple):
    """One operator in three languages.

    `none` says why KunQuant is left out; `documented` is how pandas' documentation writes it, where
    another idiom is faster.
    """

    text: str
    pandas: Callable[[SimpleNamespace], pd.DataFrame]
    kun: Callable[[SimpleNamespace], Any] | None
    none: str = ""
    documented: Callable[[SimpleNamespace], pd.DataFrame] | None = None


def windows(frame: pd.DataFrame) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(frame.to_numpy(), N, axis=0)


def from_windows(values: np.ndarray, like: pd.DataFrame) -> pd.DataFrame:
    out = np.full(like.shape, np.nan)
    out[N - 1 :] = values
    return pd.DataFrame(out, like.index, like.columns)


def as_number(truth: pd.DataFrame) -> pd.DataFrame:
    return truth.astype(np.float64)


def smoothed(frame: pd.DataFrame, n: int, first: int = 0, **weight: float) -> pd.DataFrame:
    """An exponential mean that starts in row `first + n - 1` with the mean of n rows."""
    values = frame.to_numpy().copy()
    start = first + n - 1
    values[start] = values[first : start + 1].mean(axis=0)
    values[:start] = np.nan
    started = pd.DataFrame(values, frame.index, frame.columns)
    return started.ewm(**weight, adjust=False).mean()


def rsi(p: SimpleNamespace) -> pd.DataFrame:
    change = p.close.diff()
    gain = smoothed(change.clip(lower=0.0), N, 1, alpha=1.0 / N)
    loss = smoothed(-change.clip(upper=0.0), N, 1, alpha=1.0 / N)
    return 100.0 / (1.0 + loss / gain)


def atr(p: SimpleNamespace) -> pd.DataFrame:
    before = p.close.shift()
    reach = np.maximum(p.high - p.low, np.maximum((p.high - before).abs(), (p.low - before).abs()))
    return smoothed(reach, N, 1, alpha=1.0 / N)


def latch(p: SimpleNamespace) -> pd.DataFrame:
    changes = pd.DataFrame(
        np.where(p.extra < -0.01, 0.0, np.where(p.extra > 0.01, 1.0, np.nan)),
        p.extra.index,
        p.extra.columns,
    )
    return changes.ffill().fillna(0.0)


def bars_since(p: SimpleNamespace) -> pd.DataFrame:
    rows = np.arange(float(len(p.extra)))[:, np.newaxis]
    last = pd.DataFrame(
        np.where(p.extra > 0.01, rows, np.nan), p.extra.index, p.extra.columns
    ).ffill()
    return rows - last


def beta(p: SimpleNamespace) -> pd.DataFrame:
    return p.close.rolling(N).cov(p.volume) / p.volume.rolling(N).var()


def residual(p: SimpleNamespace) -> pd.DataFrame:
    y, x = p.close.rolling(N), p.volume.rolling(N)
    return p.close - y.mean() - beta(p) * (p.volume - x.mean())


def row_residual(p: SimpleNamespace) -> pd.DataFrame:
    y = p.close.sub(p.close.mean(axis=1), axis=0)
    x = p.volume.sub(p.volume.mean(axis=1), axis=0)
    return y - x.mul((x * y).sum(axis=1) / (x * x).sum(axis=1), axis=0)


def winsorized(p: SimpleNamespace) -> pd.DataFrame:
    low, high = np.quantile(p.close.to_numpy(), [0.05, 0.95], axis=1)[..., np.newaxis]
    return p.close.clip(pd.DataFrame(low)[0], pd.DataFrame(high)[0], axis=0)


def neutral(p: SimpleNamespace) -> pd.DataFrame:
    member = np.equal.outer(p.sectors, np.unique(p.sectors)) * 1.0
    return p.close - (p.close.to_numpy() @ (member / member.sum(axis=0))) @ member.T


def of_sectors(p: SimpleNamespace) -> Any:
    return p.close.T.groupby(p.sectors)


def absolute_deviation(p: SimpleNamespace) -> pd.DataFrame:
    cut = windows(p.close)
    return from_windows(np.abs(cut - cut.mean(axis=2, keepdims=True)).mean(axis=2), p.close)


def sum_since(p: SimpleNamespace) -> pd.DataFrame:
    total, start = p.close.cumsum(), p.extra > 0.01
    return total - (total - p.close).where(start).ffill()


def ratchet(p: SimpleNamespace) -> pd.DataFrame:
    x, price = p.low.to_numpy(), p.close.to_numpy()
    out = x.copy()
    for t in range(1, len(x)):
        out[t] = np.where(price[t - 1] < out[t - 1], x[t], np.maximum(x[t], out[t - 1]))
    return pd.DataFrame(out, p.low.index, p.low.columns)


def parabolic_sar(p: SimpleNamespace) -> pd.DataFrame:
    import talib

    columns = [talib.SAR(p.high[j].to_numpy(), p.low[j].to_numpy()) for j in p.high]
    return pd.DataFrame(np.column_stack(columns), p.high.index, p.high.columns)


def truth(k: SimpleNamespace, condition: Any) -> Any:
    """KunQuant's conditions are no numbers."""
    return k.ops.Select(condition, k.one, k.zero)


def kun_smoothed(k: SimpleNamespace, x: Any, n: int, span: int, first: int = 0) -> Any:
    """As KunQuant's own ATR: the mean of n rows, then `ExpMovingAvg`."""
    o = k.ops
    row = o.Accumulator(x, f"row_{id(x)}", is_whole_time_required=True)
    now = row + 1
    always = o.Equals(k.zero, k.zero)
    mean = o.WindowedSum(x, n) / n
    later = o.Select(now > first + n, x, k.nan)
    started = o.Select(o.Equals(now, k.constant(first + n)), mean, later)
    return o.ReturnFirstValue([o.ExpMovingAvg(started, span), o.SetAccumulator(row, always, now)])


def kun_rsi(k: SimpleNamespace) -> Any:
    change = k.close - k.ops.BackRef(k.close, 1)
    gain = kun_smoothed(k, k.ops.Max(change, k.zero), N, 2 * N - 1, 1)
    loss = kun_smoothed(k, k.ops.Max(k.zero - change, k.zero), N, 2 * N - 1, 1)
    return k.constant(100.0) / (loss / gain + 1.0)


def kun_latch(k: SimpleNamespace) -> Any:
    o = k.ops
    held = o.Accumulator(k.extra, "held", is_whole_time_required=True)
    now = o.Select(k.extra < -0.01, k.zero, o.Select(k.extra > 0.01, k.one, held))
    return o.ReturnFirstValue([now, o.SetAccumulator(held, o.Equals(k.zero, k.zero), now)])


def kun_bars_since(k: SimpleNamespace) -> Any:
    o = k.ops
    since = o.Accumulator(k.extra, "since", is_whole_time_required=True, init_val="nan")
    now = o.Select(k.extra > 0.01, k.zero, since + 1.0)
    return o.ReturnFirstValue([now, o.SetAccumulator(since, o.Equals(k.zero, k.zero), now)])


def kun_beta(k: SimpleNamespace) -> Any:
    return k.ops.WindowedCovariance(k.close, N, k.volume) / k.ops.WindowedVar(k.volume, N)


def kun_residual(k: SimpleNamespace) -> Any:
    o = k.ops
    return (k.close - o.WindowedAvg(k.close, N)) - kun_beta(k) * (
        k.volume - o.WindowedAvg(k.volume, N)
    )


_NONE = "KunQuant has no such operator"

CASES = {
    # Cells.
    "add": Case("close + extra", lambda p: p.close + p.extra, lambda k: k.close + k.extra),
    "sub": Case("close - extra", lambda p: p.close - p.extra, lambda k: k.close - k.extra),
    "mul": Case("close * extra", lambda p: p.close * p.extra, lambda k: k.close * k.extra),
    "div": Case("extra / close", lambda p: p.extra / p.close, lambda k: k.extra / k.close),
    "power": Case(
        "close ** 0.7", lambda p: p.close**0.7, lambda k: k.ops.Pow(k.close, k.constant(0.7))
    ),
    "neg": Case("-close", lambda p: -p.close, lambda k: k.zero - k.close),
    "gt": Case(
        "close > high", lambda p: as_number(p.close > p.high), lambda k: truth(k, k.close > k.high)
    ),
    "ge": Case(
        "close >= high",
        lambda p: as_number(p.close >= p.high),
        lambda k: truth(k, k.close >= k.high),
    ),
    "lt": Case(
        "close < high", lambda p: as_number(p.close < p.high), lambda k: truth(k, k.close < k.high)
    ),
    "le": Case(
        "close <= high",
        lambda p: as_number(p.close <= p.high),
        lambda k: truth(k, k.close <= k.high),
    ),
    "eq": Case(
        "eq(close, high)",
        lambda p: as_number(p.close == p.high),
        lambda k: truth(k, k.ops.Equals(k.close, k.high)),
    ),
    "ne": Case(
        "ne(close, high)",
        lambda p: as_number(p.close != p.high),
        lambda k: truth(k, k.ops.Not(k.ops.Equals(k.close, k.high))),
    ),
    "and_": Case(
        "up & down",
        lambda p: as_number((p.up != 0) & (p.down != 0)),
        lambda k: truth(k, k.ops.And(k.up > 0.0, k.down > 0.0)),
    ),
    "or_": Case(
        "up | down",
        lambda p: as_number((p.up != 0) | (p.down != 0)),
        lambda k: truth(k, k.ops.Or(k.up > 0.0, k.down > 0.0)),
    ),
    "not_": Case("~up", lambda p: as_number(p.up == 0), lambda k: truth(k, k.ops.Not(k.up > 0.0))),
    "where": Case(
        "where(up, close, high)",
        lambda p: p.close.where(p.up != 0, p.high),
        lambda k: k.ops.Select(k.up > 0.0, k.close, k.high),
    ),
    "abs": Case("abs(extra)", lambda p: p.extra.abs(), lambda k: k.ops.Abs(k.extra)),
    "log": Case("log(close)", lambda p: np.log(p.close), lambda k: k.ops.Log(k.close)),
    "exp": Case("exp(extra)", lambda p: np.exp(p.extra), lambda k: k.ops.Exp(k.extra)),
    "sqrt": Case("sqrt(close)", lambda p: np.sqrt(p.close), lambda k: k.ops.Sqrt(k.close)),
    "sign": Case("sign(extra)", lambda p: np.sign(p.extra), lambda k: k.ops.Sign(k.extra)),
    "signed_power": Case(
        "signed_power(extra, 2)", lambda p: np.sign(p.extra) * p.extra.abs() ** 2, None, _NONE
    ),
    "floor": Case("floor(close)", lambda p: np.floor(p.close), None, _NONE),
    "tanh": Case("tanh(extra)", lambda p: np.tanh(p.extra), None, _NONE),
    "finite": Case(
        "finite(close, 0.0)",
        lambda p: p.close.where(np.isfinite(p.close), 0.0),
        lambda k: k.ops.SetInfOrNanToValue(k.close, 0.0),
    ),
    "clip": Case(
        "clip(extra, -0.01, 0.01)",
        lambda p: p.extra.clip(-0.01, 0.01),
        lambda k: k.ops.Clip(k.extra, 0.01),
    ),
    "minimum": Case(
        "minimum(close, volume)",
        lambda p: np.minimum(p.close, p.volume),
        lambda k: k.ops.Min(k.close, k.volume),
    ),
    "maximum": Case(
        "maximum(close, volume)",
        lambda p: np.maximum(p.close, p.volume),
        lambda k: k.ops.Max(k.close, k.volume),
    ),
    "is_nan": Case(
        "is_nan(close)",
        lambda p: as_number(p.close.isna()),
        lambda k: truth(k, k.ops.Not(k.ops.Equals(k.close, k.close))),
    ),
    "fill_nan": Case(
        "fill_nan(close, 0.0)",
        lambda p: p.close.fillna(0.0),
        lambda k: k.ops.SetInfOrNanToValue(k.close, 0.0),
    ),
    # The past of one asset.
    "delay": Case(
        f"delay(close, {N})", lambda p: p.close.shift(N), lambda k: k.ops.BackRef(k.close, N)
    ),
    "delta": Case(
        f"delta(close, {N})",
        lambda p: p.close.diff(N),
        lambda k: k.close - k.ops.BackRef(k.close, N),
    ),
    "returns": Case(
        f"returns(close, {N})",
        lambda p: p.close / p.close.shift(N) - 1.0,
        lambda k: k.close / k.ops.BackRef(k.close, N) - 1.0,
    ),
    # Windows.
    "ts_sum": Case(
        f"ts_sum(close, {N})",
        lambda p: p.close.rolling(N).sum(),
        lambda k: k.ops.WindowedSum(k.close, N),
    ),
    "ts_mean": Case(
        f"ts_mean(close, {N})",
        lambda p: p.close.rolling(N).mean(),
        lambda k: k.ops.WindowedAvg(k.close, N),
    ),
    "ts_std": Case(
        f"ts_std(close, {N})",
        lambda p: p.close.rolling(N).std(),
        lambda k: k.ops.WindowedStddev(k.close, N),
    ),
    "ts_var": Case(
        f"ts_var(close, {N})",
        lambda p: p.close.rolling(N).var(),
        lambda k: k.ops.WindowedVar(k.close, N),
    ),
    "ts_zscore": Case(
        f"ts_zscore(close, {N})",
        lambda p: (p.close - p.close.rolling(N).mean()) / p.close.rolling(N).std(),
        lambda k: (k.close - k.ops.WindowedAvg(k.close, N)) / k.ops.WindowedStddev(k.close, N),
    ),
    "ts_skew": Case(
        f"ts_skew(close, {N})",
        lambda p: p.close.rolling(N).skew(),
        lambda k: k.ops.WindowedSkew(k.close, N),
    ),
    "ts_kurt": Case(
        f"ts_kurt(close, {N})",
        lambda p: p.close.rolling(N).kurt(),
        lambda k: k.ops.WindowedKurt(k.close, N),
    ),
    "ts_product": Case(
        f"ts_product(1 + extra, {N})",
        lambda p: np.exp(np.log1p(p.extra).rolling(N).sum()),
        lambda k: k.ops.WindowedProduct(k.extra + 1.0, N),
        documented=lambda p: (1.0 + p.extra).rolling(N).apply(np.prod, raw=True),
    ),
    "ts_decay_linear": Case(
        f"ts_decay_linear(close, {N})",
        lambda p: from_windows(windows(p.close) @ DECAY, p.close),
        lambda k: k.ops.DecayLinear(k.close, N),
        documented=lambda p: p.close.rolling(N).apply(lambda x: x @ DECAY, raw=True),
    ),
    "ts_count": Case(
        f"ts_count(up, {N})",
        lambda p: as_number(p.up != 0).rolling(N).sum(),
        lambda k: k.ops.WindowedSum(truth(k, k.up > 0.0), N),
    ),
    "ts_rank": Case(
        f"ts_rank(close, {N})",
        lambda p: p.close.rolling(N).rank(pct=True),
        lambda k: k.ops.TsRank(k.close, N) / N,
    ),
    "ts_min": Case(
        f"ts_min(close, {N})",
        lambda p: p.close.rolling(N).min(),
        lambda k: k.ops.WindowedMin(k.close, N),
    ),
    "ts_max": Case(
        f"ts_max(close, {N})",
        lambda p: p.close.rolling(N).max(),
        lambda k: k.ops.WindowedMax(k.close, N),
    ),
    "ts_argmin": Case(
        f"ts_argmin(close, {N})",
        lambda p: from_windows(N - 1.0 - windows(p.close).argmin(axis=-1), p.close),
        lambda k: k.constant(N) - k.ops.TsArgMin(k.close, N),
        documented=lambda p: N - 1.0 - p.close.rolling(N).apply(np.argmin, raw=True),
    ),
    "ts_argmax": Case(
        f"ts_argmax(close, {N})",
        lambda p: from_windows(N - 1.0 - windows(p.close).argmax(axis=-1), p.close),
        lambda k: k.constant(N) - k.ops.TsArgMax(k.close, N),
        documented=lambda p: N - 1.0 - p.close.rolling(N).apply(np.argmax, raw=True),
    ),
    "ts_median": Case(
        f"ts_median(close, {N})",
        lambda p: p.close.rolling(N).median(),
        lambda k: k.ops.WindowedQuantile(k.close, N, 0.5),
    ),
    "ts_quantile": Case(
        f"ts_quantile(close, {N}, 0.3)",
        lambda p: p.close.rolling(N).quantile(0.3),
        lambda k: k.ops.WindowedQuantile(k.close, N, 0.3),
    ),
    "ts_cov": Case(
        f"ts_cov(close, volume, {N})",
        lambda p: p.close.rolling(N).cov(p.volume),
        lambda k: k.ops.WindowedCovariance(k.close, N, k.volume),
    ),
    "ts_corr": Case(
        f"ts_corr(close, volume, {N})",
        lambda p: p.close.rolling(N).corr(p.volume),
        lambda k: k.ops.WindowedCorrelation(k.close, N, k.volume),
    ),
    "ts_corr_or": Case(
        f"ts_corr_or(close, volume, {N}, 0)",
        lambda p: p.close.rolling(N).corr(p.volume),
        None,
        _NONE,
    ),
    "ts_mad": Case(f"ts_mad(close, {N})", absolute_deviation, None, _NONE),
    "ts_beta": Case(f"ts_beta(close, volume, {N})", beta, kun_beta),
    "ts_residual": Case(f"ts_residual(close, volume, {N})", residual, kun_residual),
    # Recursion.
    "ema": Case(
        f"ema(close, {N})",
        lambda p: smoothed(p.close, N, span=N),
        lambda k: kun_smoothed(k, k.close, N, N),
    ),
    "wilder": Case(
        f"wilder(close, {N})",
        lambda p: smoothed(p.close, N, alpha=1.0 / N),
        lambda k: kun_smoothed(k, k.close, N, 2 * N - 1),
    ),
    "rsi": Case(f"rsi(close, {N})", rsi, kun_rsi),
    "atr": Case(
        f"atr(high, low, close, {N})", atr, lambda k: k.talib.ATR(k.high, k.low, k.close, N)
    ),
    "latch": Case("latch(extra > 0.01, extra < -0.01)", latch, kun_latch),
    "ffill": Case("ffill(up / up, 3)", lambda p: (p.up / p.up).ffill(limit=3), None, _NONE),
    "bars_since": Case("bars_since(extra > 0.01)", bars_since, kun_bars_since),
    "cum_sum": Case("cum_sum(close)", lambda p: p.close.cumsum(), None, _NONE),
    "sum_since": Case("sum_since(close, extra > 0.01)", sum_since, None, _NONE),
    "adaptive_mean": Case(
        "adaptive_mean(close, 0.1)",
        lambda p: p.close.ewm(alpha=0.1, adjust=False).mean(),
        None,
        _NONE,
    ),
    "ratchet": Case("ratchet(low, close)", ratchet, None, _NONE),
    "parabolic_sar": Case("parabolic_sar(high, low)", parabolic_sar, None, _NONE),
    # One row across assets.
    "cs_rank": Case(
        "cs_rank(close)", lambda p: p.close.rank(axis=1, pct=True), lambda k: k.op.Rank(k.close)
    ),
    "cs_bucket": Case(
        "cs_bucket(close, 5)",
        lambda p: np.ceil(p.close.rank(axis=1) * 5 / p.close.shape[1]),
        None,
        _NONE,
    ),
    "cs_mean": Case(
        "cs_mean(close)",
        lambda p: p.close.sub(p.close, axis=0).add(p.close.mean(axis=1), axis=0),
        None,
        _NONE,
    ),
    "cs_std": Case(
        "cs_std(close)",
        lambda p: p.close.sub(p.close, axis=0).add(p.close.std(axis=1), axis=0),
        None,
        _NONE,
    ),
    "group_mean": Case(
        "group_mean(close, group('sector'))",
        lambda p: of_sectors(p).transform("mean").T,
        None,
        _NONE,
    ),
    "group_rank": Case(
        "group_rank(close, group('sector'))", lambda p: of_sectors(p).rank(pct=True).T, None, _NONE
    ),
    "group_zscore": Case(
        "group_zscore(close, group('sector'))",
        lambda p: (p.close - of_sectors(p).transform("mean").T) / of_sectors(p).transform("std").T,
        None,
        _NONE,
    ),
    "cs_zscore": Case(
        "cs_zscore(close)",
        lambda p: p.close.sub(p.close.mean(axis=1), axis=0).div(p.close.std(axis=1), axis=0),
        None,
        _NONE,
    ),
    "cs_demean": Case(
        "cs_demean(close)",
        lambda p: p.close.sub(p.close.mean(axis=1), axis=0),
        lambda k: k.ops.DiffWithWeightedSum(k.close, k.share),
    ),
    "cs_scale": Case(
        "cs_scale(extra)",
        lambda p: p.extra.div(p.extra.abs().sum(axis=1), axis=0),
        lambda k: k.op.Scale(k.extra),
    ),
    "cs_winsorize": Case("cs_winsorize(close, 0.05)", winsorized, None, _NONE),
    "cs_neutralize": Case("cs_neutralize(close, group('sector'))", neutral, None, _NONE),
    "cs_top": Case(
        "cs_top(close, 50)",
        lambda p: as_number(p.close.rank(axis=1, ascending=False, method="first") <= 50),
        None,
        _NONE,
    ),
    "cs_residual": Case("cs_residual(close, volume)", row_residual, None, _NONE),
}
