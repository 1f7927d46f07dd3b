"""Indicators against TA-Lib, or against their published formula written out in NumPy and pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import talib
from compare import assert_identical, assert_same
from running import cut, random_cut

import alphalab as al
from alphalab.data.panel.bars import Bars
from alphalab.expr.functions import column
from alphalab.expr.indicators import HOME
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.types import Instrument

pytestmark = pytest.mark.nojit

ROWS, HOUR = 400, 3_600 * 10**9
open_, high, low, close, volume = al.open, al.high, al.low, al.close, al.volume


def market(n_rows: int = ROWS, seed: int = 3) -> Bars:
    """Hourly bars of two assets: a walk with gaps between bars, some of them without a range."""
    rng = np.random.default_rng(seed)
    ends = 100.0 * np.exp(np.cumsum(0.01 * rng.normal(size=(n_rows, 2)), axis=0))
    starts = np.vstack((ends[:1], ends[:-1])) * np.exp(0.002 * rng.normal(size=ends.shape))
    reach = 0.4 * rng.random((2, *ends.shape))
    flat = rng.random(ends.shape) < 0.02
    starts, reach = np.where(flat, ends, starts), np.where(flat, 0.0, reach)
    columns = {
        "open": starts,
        "high": np.maximum(starts, ends) + reach[0],
        "low": np.minimum(starts, ends) - reach[1],
        "close": ends,
        "volume": rng.integers(1, 10_000, size=ends.shape).astype(float),
    }
    time = np.datetime64("2024-03-01", "ns").astype(np.int64) + HOUR * np.arange(1, n_rows + 1)
    return Bars(time, ["A", "B"], columns)


BARS = market()


def values(expr: Expr, bars: Bars = BARS, blocks: list[int] | None = None) -> np.ndarray:
    """Values of an expression on bars, (T, N), pushed in blocks with their times."""
    blocks = blocks or [bars.n_rows]
    plan = Plan({"x": expr}, bars.instruments, capacity=max(blocks))
    parts, start = [], 0
    for length in blocks:
        rows = slice(start, start + length)
        columns = {name: bars[name][rows] for name in plan.columns}
        parts.append(plan.run(columns, length, bars.time[rows])["x"])
        start += length
    return np.concatenate(parts)


def of_each(function: Callable[..., object], *names: str, **options: object) -> list[np.ndarray]:
    """Outputs of a function of one asset's arrays, each (T, N)."""
    assets = []
    for j in range(BARS.n_symbols):
        made = function(*(np.ascontiguousarray(BARS[name][:, j]) for name in names), **options)
        assets.append(made if isinstance(made, tuple) else (made,))
    return [np.column_stack(parts).astype(float) for parts in zip(*assets, strict=True)]


# ---- TA-Lib ----------------------------------------------------------------------------------

HLC, HLCV = ("high", "low", "close"), ("high", "low", "close", "volume")

#: Ours, TA-Lib's function, what it reads, and its options. Its unknown rows are no statement.
EQUAL: dict[str, tuple[tuple[Expr, ...], str, tuple[str, ...], dict[str, int]]] = {
    "dema": ((al.dema(close, 12),), "DEMA", ("close",), {"timeperiod": 12}),
    "tema": ((al.tema(close, 12),), "TEMA", ("close",), {"timeperiod": 12}),
    "kama": ((al.kama(close, 10),), "KAMA", ("close",), {"timeperiod": 10}),
    "roc": ((al.roc(close, 10),), "ROC", ("close",), {"timeperiod": 10}),
    "trix": ((al.trix(close, 9),), "TRIX", ("close",), {"timeperiod": 9}),
    "stochastic": (
        tuple(al.stochastic(high, low, close, 14, 3, 5)),
        "STOCH",
        HLC,
        {"fastk_period": 14, "slowk_period": 3, "slowd_period": 5},
    ),
    "fast stochastic": (
        tuple(al.stochastic(high, low, close, 9, smooth=1)),
        "STOCHF",
        HLC,
        {"fastk_period": 9, "fastd_period": 3},
    ),
    "stochastic_rsi": (
        tuple(al.stochastic_rsi(close, 14, 10, smooth=1)),
        "STOCHRSI",
        ("close",),
        {"timeperiod": 14, "fastk_period": 10, "fastd_period": 3},
    ),
    "williams_r": ((al.williams_r(high, low, close),), "WILLR", HLC, {"timeperiod": 14}),
    "cci": ((al.cci(high, low, close, 20),), "CCI", HLC, {"timeperiod": 20}),
    "mfi": ((al.mfi(high, low, close, volume),), "MFI", HLCV, {"timeperiod": 14}),
    "aroon": (
        (al.aroon(high, low, 14).down, al.aroon(high, low, 14).up),
        "AROON",
        ("high", "low"),
        {"timeperiod": 14},
    ),
    "aroon oscillator": (
        (al.aroon(high, low, 14).oscillator,),
        "AROONOSC",
        ("high", "low"),
        {"timeperiod": 14},
    ),
    "parabolic_sar": ((al.parabolic_sar(high, low),), "SAR", ("high", "low"), {}),
    "ts_slope": ((al.ts_slope(close, 14),), "LINEARREG_SLOPE", ("close",), {"timeperiod": 14}),
    "true_range": ((al.true_range(high, low, close),), "TRANGE", HLC, {}),
    "accumulation_distribution": (
        (al.accumulation_distribution(high, low, close, volume),),
        "AD",
        HLCV,
        {},
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equals_talib(name):
    ours, function, names, options = EQUAL[name]
    theirs = of_each(getattr(talib, function), *names, **options)
    assert len(ours) == len(theirs)
    for mine, expected in zip(ours, theirs, strict=True):
        known = np.isfinite(expected)
        assert known.sum() > 1.5 * ROWS
        assert_same(values(mine)[known], expected[known], rtol=1e-8, atol=1e-8)


def test_talib_on_balance_volume():
    """TA-Lib counts the volume of the first row as well: a constant more."""
    (theirs,) = of_each(talib.OBV, "close", "volume")
    assert_same(values(al.obv(close, volume))[1:], theirs[1:] - theirs[0], rtol=1e-12)


def test_talib_directional_movement_converges():
    """TA-Lib starts its sums one row earlier; a start fades by 1 - 1 / 5 a row."""
    ours = al.dmi(high, low, close, 5)
    for mine, function in zip(ours, (talib.PLUS_DI, talib.MINUS_DI, talib.ADX), strict=True):
        (theirs,) = of_each(function, *HLC, timeperiod=5)
        mine = values(mine)
        assert_same(mine[200:], theirs[200:], rtol=1e-9, atol=1e-9)
        assert np.nanmax(np.abs(mine - theirs)) > 1e-3
    assert al.adx(high, low, close, 5).same_as(ours.adx)


def test_talib_chaikin_oscillator_converges():
    (theirs,) = of_each(talib.ADOSC, *HLCV, fastperiod=3, slowperiod=10)
    mine = values(al.chaikin_oscillator(high, low, close, volume))
    assert_same(mine[200:], theirs[200:], rtol=1e-9, atol=1e-6)


def test_a_price_without_movement_has_no_strength():
    """Quotients of nothing and nothing are unknown; TA-Lib writes 0."""
    still = Bars(BARS.time, BARS.symbols, {n: np.full((ROWS, 2), 7.0) for n in BARS.columns})
    for expr in (
        al.adx(high, low, close),
        al.williams_r(high, low, close),
        al.cci(high, low, close),
        al.mfi(high, low, close, volume),
        al.true_strength(close),
    ):
        assert np.isnan(values(expr, still)).all()
    assert (values(al.kama(close), still)[10:] == 7.0).all()


# ---- published formulas ----------------------------------------------------------------------


def pandas(name: str) -> pd.DataFrame:
    return pd.DataFrame(BARS[name])


def test_hull():
    def weighted(x: pd.DataFrame, n: int) -> pd.DataFrame:
        weights = np.arange(1.0, n + 1.0)
        return x.rolling(n).apply(lambda w: w @ weights / weights.sum(), raw=True)

    x = pandas("close")
    expected = weighted(2.0 * weighted(x, 10) - weighted(x, 20), 4)
    assert_same(values(al.hull(close, 20)), expected, rtol=1e-10)


def test_true_strength_converges():
    change = pandas("close").diff()
    moved, path = (
        x.ewm(span=25, adjust=False).mean().ewm(span=13, adjust=False).mean()
        for x in (change, change.abs())
    )
    ours = values(al.true_strength(close))
    assert_same(ours[350:], (100.0 * moved / path)[350:], rtol=1e-6, atol=1e-6)


def test_supertrend():
    """The rules of TradingView's ``ta.supertrend``, row by row."""
    width, n = 1.5, 10
    (ranges,) = of_each(talib.ATR, *HLC, timeperiod=n)
    middle = (BARS["high"] + BARS["low"]) / 2.0
    line, rising = np.full((2, *middle.shape), np.nan)
    for j in range(2):
        upper = lower = np.nan
        up = False
        for t in range(n, ROWS):
            above, below = middle[t, j] + width * ranges[t, j], middle[t, j] - width * ranges[t, j]
            before = BARS["close"][t - 1, j]
            upper = above if above < upper or before > upper or t == n else upper
            lower = below if below > lower or before < lower or t == n else lower
            now = BARS["close"][t, j]
            up = not now < lower if up else now > upper
            line[t, j], rising[t, j] = lower if up else upper, up
    ours = al.supertrend(high, low, close, n, width)
    assert_same(values(ours.rising)[n:], rising[n:], rtol=0.0)
    assert_same(values(ours.line)[n:], line[n:], rtol=1e-9)
    assert 5 < np.abs(np.diff(rising[n:], axis=0)).sum() < 100


def test_vwap_starts_with_each_session():
    frame = {name: pandas(name) for name in BARS.columns}
    day = (BARS.time - 1) // (24 * HOUR)
    price = (frame["high"] + frame["low"] + frame["close"]) / 3.0
    paid = (price * frame["volume"]).groupby(day).cumsum()
    expected = (paid / frame["volume"].groupby(day).cumsum()).to_numpy(copy=True)
    expected[day == day[0]] = np.nan  # the first session may have begun before
    assert_same(values(al.vwap(high, low, close, volume)), expected, rtol=1e-12)


def test_vwap_from_a_condition():
    start = al.bars_since(volume > 9_500) == 0
    ours = values(al.vwap(high, low, close, volume, start))
    price = (BARS["high"] + BARS["low"] + BARS["close"]) / 3.0
    for j in range(2):
        starts = np.flatnonzero(BARS["volume"][:, j] > 9_500)
        since = starts[np.searchsorted(starts, ROWS - 1, side="right") - 1]
        expected = np.average(price[since:, j], weights=BARS["volume"][since:, j])
        assert_same(ours[-1, j], expected, rtol=1e-12)


def test_bands():
    mean = pandas("close").ewm(span=20, adjust=False).mean()
    (ranges,) = of_each(talib.ATR, *HLC, timeperiod=10)
    ours = [values(expr) for expr in al.keltner(high, low, close)]
    for mine, reach in zip(ours, (-2.0, 0.0, 2.0), strict=True):
        assert_same(mine[350:], (mean + reach * ranges)[350:], rtol=1e-9)
    lower, upper = pandas("low").rolling(20).min(), pandas("high").rolling(20).max()
    ours = [values(expr) for expr in al.donchian(high, low, 20)]
    for mine, expected in zip(ours, (lower, (lower + upper) / 2.0, upper), strict=True):
        assert_same(mine, expected, rtol=1e-12)


def test_ichimoku():
    def middle(n: int) -> pd.DataFrame:
        return (pandas("high").rolling(n).max() + pandas("low").rolling(n).min()) / 2.0

    expected = (
        middle(9),
        middle(26),
        ((middle(9) + middle(26)) / 2.0).shift(26),
        middle(52).shift(26),
    )
    for mine, theirs in zip(al.ichimoku(high, low), expected, strict=True):
        assert_same(values(mine), theirs, rtol=1e-12)


def test_heikin_ashi():
    """The usual recursion starts from the first bar; ours is the same 50 rows later."""
    end = sum(BARS[name] for name in ("open", "high", "low", "close")) / 4.0
    start = np.empty(end.shape)
    start[0] = (BARS["open"][0] + BARS["close"][0]) / 2.0
    for t in range(1, ROWS):
        start[t] = (start[t - 1] + end[t - 1]) / 2.0
    top = np.maximum(BARS["high"], np.maximum(start, end))
    bottom = np.minimum(BARS["low"], np.minimum(start, end))
    ours = al.heikin_ashi(open_, high, low, close)
    for mine, expected in zip(ours, (start, top, bottom, end), strict=True):
        assert_same(values(mine)[55:], expected[55:], rtol=1e-13)


def test_chaikin_money_flow():
    h, lo, c, v = (BARS[name] for name in HLCV)
    place = np.divide((c - lo) - (h - c), h - lo, out=np.zeros(c.shape), where=h > lo)
    flow = pd.DataFrame(place * v).rolling(20).sum()
    expected = flow / pandas("volume").rolling(20).sum()
    assert_same(values(al.chaikin_money_flow(high, low, close, volume)), expected, 1e-9, 1e-12)


def test_hurst():
    lags, n, x = (1, 2, 4, 8, 16), 100, pandas("close").pipe(np.log)
    spreads = np.array([x.diff(lag).rolling(n).std().to_numpy() for lag in lags])
    expected = np.full(x.shape, np.nan)
    for t, j in np.ndindex(expected.shape):
        if np.isfinite(spreads[:, t, j]).all():
            expected[t, j] = np.polyfit(np.log(lags), np.log(spreads[:, t, j]), 1)[0]
    ours = values(al.hurst(close.log(), n))
    assert_same(ours, expected, rtol=1e-7, atol=1e-9)
    assert 0.35 < np.nanmean(ours) < 0.6  # a random walk


@pytest.mark.parametrize("n", [5, 20])
def test_volatility(n):
    o, h, lo, c = (np.log(pandas(name)) for name in ("open", "high", "low", "close"))
    roots = {
        al.realised_volatility(close, n): (c.diff() ** 2).rolling(n).mean(),
        al.parkinson_volatility(high, low, n): ((h - lo) ** 2).rolling(n).mean()
        / (4.0 * np.log(2.0)),
        al.garman_klass_volatility(open_, high, low, close, n): (
            (h - lo) ** 2 / 2.0 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2
        )
        .rolling(n)
        .mean(),
    }
    inside = ((h - c) * (h - o) + (lo - c) * (lo - o)).rolling(n).mean()
    k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0))
    gap, body = (o - c.shift()).rolling(n).var(), (c - o).rolling(n).var()
    roots[al.yang_zhang_volatility(open_, high, low, close, n)] = (
        gap + k * body + (1.0 - k) * inside
    )
    for ours, variance in roots.items():
        assert_same(values(ours), np.sqrt(variance), rtol=1e-8)


def test_estimates_of_volatility_agree():
    """A walk in small steps has one volatility; each estimate finds it."""
    rng = np.random.default_rng(5)
    steps, true = 100, 0.02
    walk = np.exp(np.cumsum(true / np.sqrt(steps) * rng.normal(size=2_000 * steps)))
    inside = walk.reshape(2_000, steps)
    starts = np.concatenate(([1.0], inside[:-1, -1]))
    prices = {
        "open": starts,
        "high": np.maximum(inside.max(axis=1), starts),
        "low": np.minimum(inside.min(axis=1), starts),
        "close": inside[:, -1],
        "volume": np.full(2_000, np.nan),
    }
    time = HOUR * np.arange(1, 2_001)
    bars = Bars(time, ["A"], {name: x[:, None] for name, x in prices.items()})
    for expr in (
        al.realised_volatility(close, 1_900),
        al.parkinson_volatility(high, low, 1_900),
        al.garman_klass_volatility(open_, high, low, close, 1_900),
        al.yang_zhang_volatility(open_, high, low, close, 1_900),
    ):
        assert abs(values(expr, bars)[-1, 0] / true - 1.0) < 0.12


# ---- every indicator -------------------------------------------------------------------------


def outputs(name: str) -> Iterator[Expr]:
    """Yield the outputs of an indicator with its defaults, over the bars."""
    function = getattr(al, name)
    takes = function.__code__.co_varnames[: function.__code__.co_argcount]
    inputs = takes[: len(takes) - len(function.__defaults__ or ())]
    made = function(*(close if x == "x" else column(x) for x in inputs))
    yield from made if isinstance(made, tuple) else (made,)


@pytest.mark.parametrize("name", HOME)
def test_blocks_change_no_bit(name):
    for expr in outputs(name):
        whole = values(expr)
        assert np.isfinite(whole).any()
        rng = np.random.default_rng(1)
        for blocks in (cut(ROWS, 1), cut(ROWS, 7), random_cut(ROWS, rng)):
            assert_identical(values(expr, BARS, blocks), whole)


@pytest.mark.parametrize("name", HOME)
def test_the_future_changes_no_bit_of_the_past(name):
    past = market(seed=3)
    future = {k: np.vstack((past[k][:250], market(seed=4)[k][250:])) for k in past.columns}
    other = Bars(past.time, past.symbols, future)
    for expr in outputs(name):
        assert_identical(values(expr, other)[:250], values(expr, past)[:250])


@pytest.mark.parametrize("name", HOME)
def test_known_when_its_windows_are_full(name):
    """Not before, and in every row after: the market has no quiet window."""
    for expr in outputs(name):
        known = np.isfinite(values(expr)).all(axis=1)
        assert not known[: expr.warmup].any() or name in ("supertrend", "heikin_ashi")
        assert known[expr.warmup + 30 :].all()


@pytest.mark.parametrize("name", HOME)
def test_its_text_gives_it_back(name):
    for expr in outputs(name):
        assert al.parse(str(expr)).same_as(expr)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: al.hull(close, 1), "hull: n=1"),
        (lambda: al.ts_slope(close, 1), "ts_slope: n=1"),
        (lambda: al.aroon(high, low, 0), "aroon: n=0"),
        (lambda: al.macd(close, 26, 12), "macd: fast=26"),
        (lambda: al.hurst(close, 50, (3,)), "hurst: lags"),
        (
            lambda: al.yang_zhang_volatility(open_, high, low, close, 1),
            "yang_zhang_volatility: n=1",
        ),
        (lambda: al.dema(close, 0), "ema: n=0"),
    ],
)
def test_wrong_numbers_are_refused(call, said):
    with pytest.raises(al.errors.ExprError, match=said.replace("(", r"\(")):
        call()


def test_an_instrument_needs_no_calendar():
    assert BARS.instruments[0] == Instrument(symbol="A")
