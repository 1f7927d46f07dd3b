"""The naive twin of every operator: slow, obvious, and independent of the kernels.

A twin takes the operator's inputs, arrays of shape (T, N), then its numbers, and gives (T, N).
Windows are cut out one by one; their moments are exact rational numbers, rounded at the end.
"""

from __future__ import annotations

import cmath
import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np

NAN = math.nan
TWINS: dict[str, Callable[..., np.ndarray]] = {}


def twin(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    TWINS[function.__name__] = function
    return function


# One cell.


def cell(function: Callable[..., float]) -> Callable[..., np.ndarray]:
    """A twin of one cell, which is unknown where an input is."""

    def known_only(*values: float) -> float:
        return NAN if any(math.isnan(v) for v in values) else function(*values)

    TWINS[function.__name__] = _every_cell(known_only)
    return TWINS[function.__name__]


def cell_of_unknowns(function: Callable[..., float]) -> Callable[..., np.ndarray]:
    """A twin of one cell that is asked about unknown inputs too."""
    TWINS[function.__name__] = _every_cell(function)
    return TWINS[function.__name__]


def _every_cell(function: Callable[..., float]) -> Callable[..., np.ndarray]:
    def over_all(*args: np.ndarray | float) -> np.ndarray:
        inputs = [a for a in args if isinstance(a, np.ndarray)]
        params = [a for a in args if not isinstance(a, np.ndarray)]
        out = np.empty(inputs[0].shape)
        for place in np.ndindex(out.shape):
            out[place] = function(*(float(x[place]) for x in inputs), *params)
        return out

    return over_all


@cell
def add(x, y):
    return x + y


@cell
def sub(x, y):
    return x - y


@cell
def mul(x, y):
    return x * y


@cell
def div(x, y):
    if y != 0:
        return x / y
    return NAN if x == 0 else math.copysign(math.inf, x) * math.copysign(1.0, y)


@cell
def power(x, y):
    if x == 0 and y < 0:
        odd = math.isfinite(y) and y == int(y) and int(y) % 2 == 1
        return math.copysign(math.inf, x) if odd else math.inf
    try:
        return math.pow(x, y)
    except ValueError:  # a root of a negative number
        return NAN
    except OverflowError:
        return -math.inf if x < 0 and int(y) % 2 == 1 else math.inf


@cell
def signed_power(x, y):
    size = TWINS["power"](np.array(x if x >= 0 else -x), np.array(y)).item()
    return math.copysign(size, x) if x else x * size


@cell
def neg(x):
    return -x


@cell
def gt(x, y):
    return float(x > y)


@cell
def ge(x, y):
    return float(x >= y)


@cell
def lt(x, y):
    return float(x < y)


@cell
def le(x, y):
    return float(x <= y)


@cell
def eq(x, y):
    return float(x == y)


@cell
def ne(x, y):
    return float(x != y)


def _could_be(x: float) -> set[bool]:
    return {True, False} if math.isnan(x) else {x != 0}


def _decided(answers: set[bool]) -> float:
    return NAN if len(answers) == 2 else float(answers.pop())


@cell_of_unknowns
def and_(x, y):
    return _decided({a and b for a in _could_be(x) for b in _could_be(y)})


@cell_of_unknowns
def or_(x, y):
    return _decided({a or b for a in _could_be(x) for b in _could_be(y)})


@cell_of_unknowns
def not_(x):
    return _decided({not a for a in _could_be(x)})


@cell_of_unknowns
def where(condition, x, y):
    if math.isnan(condition):
        return NAN
    return x if condition else y


@cell
def abs(x):
    return x if x >= 0 else -x


@cell
def log(x):
    if x < 0:
        return NAN
    return math.log(x) if x > 0 else -math.inf


@cell
def exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


@cell
def sqrt(x):
    if x == math.inf:
        return x
    root = cmath.sqrt(x) if math.isfinite(x) else 1j
    return root.real if root.imag == 0 else NAN


@cell
def sign(x):
    return float((x > 0) - (x < 0))


@cell
def floor(x):
    return float(math.floor(x)) if math.isfinite(x) else x


@cell
def tanh(x):
    return math.tanh(x)


@cell
def clip(x, low, high):
    return sorted([low, x, high])[1]


@cell
def minimum(x, y):
    return x if x < y else y


@cell
def maximum(x, y):
    return x if x > y else y


@cell_of_unknowns
def is_nan(x):
    return float(x != x)


@cell_of_unknowns
def fill_nan(x, value):
    return value if x != x else x


@cell_of_unknowns
def finite(x, value):
    return x if math.isfinite(x) else value


# The past of one asset.


@twin
def delay(x, n):
    out = np.full(x.shape, NAN)
    out[n:] = x[: max(len(x) - n, 0)]
    return out


@twin
def delta(x, n):
    return TWINS["sub"](x, delay(x, n))


@twin
def returns(x, n):
    return TWINS["sub"](TWINS["div"](x, delay(x, n)), np.ones(x.shape))


# Windows.


def windows(n_inputs: int = 1) -> Callable[..., Callable[..., np.ndarray]]:
    """A twin of a window: called with the n values of every input, oldest first, all finite."""

    def of(function: Callable[..., float]) -> Callable[..., np.ndarray]:
        def over_all(*args: np.ndarray | float) -> np.ndarray:
            inputs, (n, *params) = args[:n_inputs], args[n_inputs:]
            out = np.full(inputs[0].shape, NAN)
            for t, j in np.ndindex(out.shape):
                cut = [[float(v) for v in x[t - n + 1 : t + 1, j]] for x in inputs]
                if t + 1 >= n and all(math.isfinite(v) for values in cut for v in values):
                    out[t, j] = function(*cut, *params)
            return out

        TWINS[function.__name__] = over_all
        return over_all

    return of


def exact(values: list[float]) -> tuple[Fraction, list[Fraction]]:
    """Mean and deviations from it, as rational numbers."""
    numbers = [Fraction(v) for v in values]
    mean = sum(numbers) / len(numbers)
    return mean, [v - mean for v in numbers]


def products(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def root(value: Fraction) -> float:
    """Square root of a rational number, whose own float may be too small to be normal."""
    return (
        math.sqrt(value * 4**200) / 2.0**200 if value < Fraction(1, 10**280) else math.sqrt(value)
    )


@windows()
def ts_sum(x):
    return math.fsum(x)


@windows()
def ts_mean(x):
    return float(exact(x)[0])


@windows()
def ts_var(x):
    return statistics.variance(x) if len(x) > 1 else NAN


@windows()
def ts_std(x):
    return deviation(exact(x)[1]) if len(x) > 1 else NAN


@windows()
def ts_zscore(x):
    _, d = exact(x)
    return float(d[-1]) / deviation(d) if any(d) else NAN


def deviation(d: list[Fraction]) -> float:
    return root(products(d, d) / (len(d) - 1))


@windows()
def ts_skew(x):
    n, (_, d) = len(x), exact(x)
    if not any(d):
        return NAN
    m2, m3 = (sum(v**k for v in d) / n for k in (2, 3))
    ratio = math.copysign(root(m3 * m3 / m2**3), m3)
    return math.sqrt(n * (n - 1)) / (n - 2) * ratio


@windows()
def ts_kurt(x):
    n, (_, d) = len(x), exact(x)
    if not any(d):
        return NAN
    m2, m4 = (sum(v**k for v in d) / n for k in (2, 4))
    excess = m4 / m2**2 - 3
    return float(Fraction(n - 1, (n - 2) * (n - 3)) * ((n + 1) * excess + 6))


@windows()
def ts_product(x):
    return math.prod(x)


@windows()
def ts_decay_linear(x):
    n = len(x)
    weights = [n - age for age in range(n - 1, -1, -1)]
    return math.fsum(w * v for w, v in zip(weights, x, strict=True)) / sum(weights)


@twin
def ts_count(x, n):
    holds = np.where(np.isnan(x), NAN, (x != 0).astype(float))
    return TWINS["ts_sum"](holds, n)


@windows()
def ts_mad(x):
    _, d = exact(x)
    return float(sum(v if v > 0 else -v for v in d) / len(d))


@windows()
def ts_rank(x):
    less = sum(v < x[-1] for v in x)
    equal = sum(v == x[-1] for v in x)
    return statistics.mean(range(less + 1, less + equal + 1)) / len(x)


@windows()
def ts_min(x):
    return min(x)


@windows()
def ts_max(x):
    return max(x)


@windows()
def ts_argmin(x):
    return x[::-1].index(min(x))


@windows()
def ts_argmax(x):
    return x[::-1].index(max(x))


@windows()
def ts_median(x):
    return statistics.median(x)


@windows()
def ts_quantile(x, q):
    return quantile(x, q)


def quantile(values: list[float], q: float) -> float:
    """Value at place q * (n - 1) of the sorted values, on the line between its neighbours."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (place - math.floor(place)) * (above - below)


@windows(2)
def ts_cov(x, y):
    if len(x) == 1:
        return NAN
    return float(products(exact(x)[1], exact(y)[1]) / (len(x) - 1))


@windows(2)
def ts_corr(x, y):
    dx, dy = exact(x)[1], exact(y)[1]
    if not (any(dx) and any(dy)):
        return NAN
    xy = products(dx, dy)
    return math.copysign(root(xy * xy / products(dx, dx) / products(dy, dy)), xy)


@windows(2)
def ts_corr_or(x, y, value):
    dx, dy = exact(x)[1], exact(y)[1]
    if not (any(dx) and any(dy)):
        return value
    xy = products(dx, dy)
    return math.copysign(root(xy * xy / products(dx, dx) / products(dy, dy)), xy)


@windows(2)
def ts_beta(y, x):
    dx, dy = exact(x)[1], exact(y)[1]
    return float(products(dx, dy) / products(dx, dx)) if any(dx) else NAN


@windows(2)
def ts_residual(y, x):
    dx, dy = exact(x)[1], exact(y)[1]
    return float(dy[-1] - products(dx, dy) / products(dx, dx) * dx[-1]) if any(dx) else NAN


# Recursion.


def _each_asset(function: Callable[..., list[float]], *args: np.ndarray | float) -> np.ndarray:
    """Apply a function of lists, one per input, to the finite rows of every asset."""
    inputs = [a for a in args if isinstance(a, np.ndarray)]
    params = [a for a in args if not isinstance(a, np.ndarray)]
    out = np.full(inputs[0].shape, NAN)
    for j in range(out.shape[1]):
        finite = np.all([np.isfinite(x[:, j]) for x in inputs], axis=0)
        out[finite, j] = function(*([float(v) for v in x[finite, j]] for x in inputs), *params)
    return out


def smoothed(x: list[float], n: int, weight: float) -> list[float]:
    """Mean of the first n, then a weighted mean of each value and the result before it."""
    out: list[float] = []
    for t, value in enumerate(x):
        if t < n - 1:
            out.append(NAN)
        elif t == n - 1:
            out.append(math.fsum(x[:n]) / n)
        else:
            out.append(weight * value + (1 - weight) * out[-1])
    return out


@twin
def ema(x, n):
    return _each_asset(lambda v: smoothed(v, n, 2 / (n + 1)), x)


@twin
def wilder(x, n):
    return _each_asset(lambda v: smoothed(v, n, 1 / n), x)


@twin
def rsi(x, n):
    def of(values: list[float]) -> list[float]:
        changes = [b - a for a, b in pairwise(values)]
        gains = smoothed([max(c, 0.0) for c in changes], n, 1 / n)
        losses = smoothed([max(-c, 0.0) for c in changes], n, 1 / n)
        pairs = zip(gains, losses, strict=True)
        index = [100 - 100 / (1 + g / q) if q else 100.0 if g else NAN for g, q in pairs]
        return [NAN, *index][: len(values)]

    return _each_asset(of, x)


@twin
def atr(high, low, close, n):
    def of(highs: list[float], lows: list[float], closes: list[float]) -> list[float]:
        ranges = [
            max(h, before) - min(lo, before) if h >= lo else max(lo - before, before - h, h - lo)
            for h, lo, before in zip(highs[1:], lows[1:], closes, strict=False)
        ]
        return [NAN, *smoothed(ranges, n, 1 / n)][: len(highs)]

    return _each_asset(of, high, low, close)


@twin
def latch(enter, exit):
    out = np.full(enter.shape, NAN)
    for j in range(out.shape[1]):
        inside = False
        for t in range(out.shape[0]):
            answers = {
                not leave and (come or inside)
                for come in _could_be(enter[t, j])
                for leave in _could_be(exit[t, j])
            }
            if len(answers) == 1:
                inside = answers.pop()
                out[t, j] = float(inside)
    return out


@twin
def bars_since(x):
    out = np.full(x.shape, NAN)
    for t, j in np.ndindex(out.shape):
        past = [float(v) for v in x[: t + 1, j][::-1]]
        for age, value in enumerate(past):
            if math.isnan(value):
                break
            if value != 0:
                out[t, j] = age
                break
    return out


# One row across assets.


def rows(n_inputs: int = 1) -> Callable[..., Callable[..., np.ndarray]]:
    """A twin of a row: called with the values of the assets that are known in every input."""

    def of(function: Callable[..., list[float]]) -> Callable[..., np.ndarray]:
        def over_all(*args: np.ndarray | float) -> np.ndarray:
            inputs, params = args[:n_inputs], args[n_inputs:]
            out = np.full(inputs[0].shape, NAN)
            known = np.all([np.isfinite(x) for x in inputs], axis=0)
            for t in range(len(out)):
                values = [[float(v) for v in x[t, known[t]]] for x in inputs]
                if values[0]:
                    out[t, known[t]] = function(*values, *params)
            return out

        TWINS[function.__name__] = over_all
        return over_all

    return of


@rows()
def cs_rank(x):
    ordered = sorted(x)
    ranks = [ordered.index(v) + 1 + (ordered.count(v) - 1) / 2 for v in x]
    return [rank / len(x) for rank in ranks]


@rows()
def cs_bucket(x, k):
    ordered = sorted(x)
    ranks = [Fraction(2 * ordered.index(v) + 1 + ordered.count(v), 2) for v in x]
    return [float(math.ceil(rank * k / len(x))) for rank in ranks]


@rows()
def cs_mean(x):
    return [float(exact(x)[0])] * len(x)


@rows()
def cs_std(x):
    return [deviation(exact(x)[1]) if len(x) > 1 else NAN] * len(x)


@rows()
def cs_demean(x):
    return [float(d) for d in exact(x)[1]]


@rows()
def cs_zscore(x):
    d = exact(x)[1]
    return [float(v) / deviation(d) if any(d) else NAN for v in d]


@rows()
def cs_scale(x, gross):
    total = math.fsum(math.fabs(v) for v in x)
    return [gross * (v / total) if total else 0.0 for v in x]


@rows()
def cs_winsorize(x, limit):
    low, high = quantile(x, limit), quantile(x, 1 - limit)
    return [low if v < low else high if v > high else v for v in x]


@rows(2)
def cs_neutralize(x, group):
    return [
        float(Fraction(v) - exact([w for w, h in zip(x, group, strict=True) if h == g])[0])
        for v, g in zip(x, group, strict=True)
    ]


def _of_group(x, group, of):
    """Apply a function to the values of each asset's group and the asset's own."""
    members = [[w for w, h in zip(x, group, strict=True) if h == g] for g in group]
    return [of(values, v) for values, v in zip(members, x, strict=True)]


@rows(2)
def group_mean(x, group):
    return _of_group(x, group, lambda values, v: float(exact(values)[0]))


@rows(2)
def group_rank(x, group):
    return _of_group(
        x,
        group,
        lambda values, v: (
            (sum(w < v for w in values) + sum(w <= v for w in values) + 1) / 2 / len(values)
        ),
    )


@rows(2)
def group_zscore(x, group):
    def of(values: list[float], v: float) -> float:
        mean, d = exact(values)
        return float(Fraction(v) - mean) / deviation(d) if any(d) else NAN

    return _of_group(x, group, of)


@rows()
def cs_top(x, k):
    best = sorted(range(len(x)), key=lambda j: (-x[j], j))[:k]
    return [float(j in best) for j in range(len(x))]


@rows(2)
def cs_residual(y, x):
    dx, dy = exact(x)[1], exact(y)[1]
    if not any(dx):
        return [NAN] * len(x)
    beta = products(dx, dy) / products(dx, dx)
    return [float(b - beta * a) for a, b in zip(dx, dy, strict=True)]


# Windows that may hold unknown values.


def _partial(name: str) -> None:
    """A twin over the known values of a window that need not be full."""

    def over_all(x: np.ndarray, n: int, least: int) -> np.ndarray:
        out = np.full(x.shape, NAN)
        for t, j in np.ndindex(out.shape):
            known = [float(v) for v in x[max(t - n + 1, 0) : t + 1, j] if math.isfinite(v)]
            if len(known) >= least:
                column = np.array([known]).T
                out[t, j] = TWINS[name](column, len(known))[-1, 0]
            if name == "ts_zscore" and not math.isfinite(x[t, j]):
                out[t, j] = NAN
        return out

    TWINS[f"{name}_min_periods"] = over_all


for _name in ("sum", "mean", "std", "var", "zscore", "min", "max", "count"):
    _partial(f"ts_{_name}")


@twin
def ffill(x, limit):
    out = x.copy()
    for t, j in np.ndindex(x.shape):
        if math.isnan(x[t, j]):
            before = [s for s in range(t) if not math.isnan(x[s, j])]
            if before and t - before[-1] <= limit:
                out[t, j] = x[before[-1], j]
    return out


# Levels that follow a price, and sums from a row on.


@twin
def cum_sum(x):
    return _each_asset(lambda v: [math.fsum(v[: t + 1]) for t in range(len(v))], x)


@twin
def sum_since(x, start):
    out = np.full(x.shape, NAN)
    for t, j in np.ndindex(out.shape):
        begun = [s for s in range(t + 1) if start[s, j] != 0]  # NaN too: begun or not
        if begun and not math.isnan(start[begun[-1], j]) and math.isfinite(x[t, j]):
            out[t, j] = math.fsum(v for v in x[begun[-1] : t + 1, j] if math.isfinite(v))
    return out


@twin
def adaptive_mean(x, weight):
    out = np.full(x.shape, NAN)
    for j in range(out.shape[1]):
        level, before = NAN, NAN  # the mean, and the last x
        for t in range(out.shape[0]):
            value, w = float(x[t, j]), float(weight[t, j])
            if not math.isfinite(value):
                continue
            if 0 <= w <= 1:
                start = before if math.isnan(level) else level
                level = value if math.isnan(start) else w * value + (1 - w) * start
                out[t, j] = level
            before = value
    return out


@twin
def ratchet(x, price):
    def of(levels: list[float], prices: list[float]) -> list[float]:
        out = levels[:1]
        for level, before in zip(levels[1:], prices, strict=False):
            out.append(level if before < out[-1] else max(level, out[-1]))
        return out

    return _each_asset(of, x, price)


@twin
def parabolic_sar(high, low, step, limit):
    """Wilder's rules, with a case for each direction."""

    def of(highs: list[float], lows: list[float]) -> list[float]:
        if len(highs) < 2:
            return [NAN] * len(highs)
        first = min(step, limit)
        fall, rise = lows[0] - lows[1], highs[1] - highs[0]
        rising = not (fall > 0 and fall > rise)
        sar, extreme = (lows[0], highs[1]) if rising else (highs[0], lows[1])
        speed, out = first, [NAN]
        for t in range(1, len(highs)):
            pair = slice(max(t - 1, 1), t + 1)
            top, bottom = max(highs[pair]), min(lows[pair])
            turned = lows[t] <= sar if rising else highs[t] >= sar
            if turned:
                rising = not rising
                sar = min(extreme, bottom) if rising else max(extreme, top)
                out.append(sar)
                speed, extreme = first, highs[t] if rising else lows[t]
            else:
                out.append(sar)
                if (highs[t] > extreme) if rising else (lows[t] < extreme):
                    speed = min(speed + first, limit)
                    extreme = highs[t] if rising else lows[t]
            sar = sar + speed * (extreme - sar)
            sar = min(sar, bottom) if rising else max(sar, top)
        return out

    return _each_asset(of, high, low)
