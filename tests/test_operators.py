"""Every operator against its naive twin, in every partition, and blind to the future."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from compare import assert_identical, assert_same
from naive import TWINS
from running import assets, cut, random_cut, run

from alphalab.expr.functions import column, group
from alphalab.expr.nodes import Expr, apply
from alphalab.expr.plan import group_codes
from alphalab.expr.registry import REGISTRY, Operator, partial_form

# Users' operators, which other tests register, carry a function.
OPERATORS = {
    name: record
    for name, record in REGISTRY.items()
    if isinstance(record.update, str) and record.update
}
FINITE_MEMORY = [n for n, r in OPERATORS.items() if r.family == "series" and not r.recursive]
ROWS = 64
WINDOWS = (1, 2, 3, 5, 20, ROWS + 5)


# Inputs.


def gaps(x: np.ndarray, rng: np.random.Generator, holes: float = np.nan) -> np.ndarray:
    """Unknown values one at a time, in a row, from the start, and at the end."""
    x = x.copy()
    x[rng.random(x.shape) < 0.04] = holes
    x[:3, 0] = holes
    x[30:34] = holes
    x[-1, -1] = holes
    return x


def infinities(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return gaps(gaps(x, rng, np.inf), rng, -np.inf)


def spikes(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Huge values that enter and leave, at other rows in every input."""
    x = x.copy()
    a, b, c = 5 + np.sort(rng.choice(50, size=3, replace=False))
    x[a], x[b], x[b + 1], x[c] = 1e9, -1e9, 1e9, 1e15
    return x


def bumps(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values far enough out to cost digits, not so far that this cannot be overlooked."""
    x = x.copy()
    rows = rng.choice(len(x), size=4, replace=False)
    x[rows] = np.array([[1e2], [1e3], [1e4], [1e5]])
    return x


def plateaus(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Constant for a while, a step of one last digit, constant again, then moving."""
    x = x.copy()
    x[:25], x[25:50] = 0.1, np.nextafter(0.1, 1.0)
    return x


SERIES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "random": lambda x, rng: x,
    "constant": lambda x, rng: np.full(x.shape, 0.1),
    "plateaus": plateaus,
    "offset": lambda x, rng: x + 1e9,
    "gaps": gaps,
    "infinities": infinities,
    "spikes": spikes,
    "bumps": bumps,
    "integers": lambda x, rng: np.round(x),
    "bits": lambda x, rng: gaps((x > 0).astype(float), rng),
    "tiny": lambda x, rng: x * 1e-100,
    "rising": lambda x, rng: np.cumsum(np.abs(x), axis=0),
    "falling": lambda x, rng: -np.cumsum(np.abs(x), axis=0),
    "walk": lambda x, rng: 100.0 + np.cumsum(x, axis=0),
}


def inputs(kind: str, n_inputs: int, n_assets: int, n_rows: int = ROWS) -> dict[str, np.ndarray]:
    """Columns x, y, z of one kind, each with its own random numbers."""
    rng = np.random.default_rng(zlib.crc32(f"{kind} {n_assets}".encode()))
    return {
        name: np.ascontiguousarray(SERIES[kind](rng.normal(size=(n_rows, n_assets)), rng))
        for name in "xyz"[:n_inputs]
    }


def numbers(record: Operator) -> Iterator[tuple[float, ...]]:
    """Values of an operator's parameters: smallest, usual, and longer than the data."""
    choices = {
        "n": [n for n in WINDOWS if n >= record.params[0].low] if record.params else [],
        "q": [0.0, 0.1, 0.5, 1.0],
        "low": [-0.5],
        "high": [0.25, np.inf],
        "value": [-7.0],
        "gross": [1.0, 2.5],
        "limit": [0.0, 0.05, 0.3, 0.5, 1.0, 3.0, np.inf],
        "k": [1, 2, 10],
        "min_periods": [1, 4],
        "step": [0.0, 0.02, 0.3],
    }
    return itertools.product(
        *([v for v in choices[p.name] if p.low <= v <= p.high] for p in record.params)
    )


def calls(name: str) -> list[tuple[Expr, tuple[float, ...]]]:
    record = OPERATORS[name]
    args = [
        group("sector") if argument == "group" else column(letter)
        for letter, argument in zip("xyz", record.inputs, strict=False)
    ]
    return [(apply(name, *args, *params), params) for params in numbers(record)]


def twin_of(name: str, columns: dict[str, np.ndarray], params: tuple[float, ...]) -> np.ndarray:
    args = list(columns.values())
    if OPERATORS[name].inputs[1:] == ("group",):
        args[1] = np.broadcast_to(
            group_codes(assets(args[0].shape[1]), "sector"), args[0].shape
        ).copy()
    return TWINS[name](*args, *params)


# Tolerances.


def deviations(columns: dict[str, np.ndarray], params: tuple[float, ...]) -> list[np.ndarray]:
    return [np.nan_to_num(TWINS["ts_std"](x, params[0])) for x in columns.values()]


def row_spread(columns: dict[str, np.ndarray], params: tuple[float, ...]) -> np.ndarray:
    """Largest distance of the row's values of x from the first of them."""
    x = np.where(np.isfinite(columns["x"]), columns["x"], np.nan)
    first = np.array([row[np.isfinite(row)][:1].sum() for row in x])[:, None]
    spread = np.nan_to_num(np.abs(x - first)).max(axis=1, keepdims=True)
    return np.broadcast_to(spread, x.shape)


#: Where a result near 0 comes from terms that are not: the size of these terms.
SIZE: dict[str, Callable[..., np.ndarray | float]] = {
    "rsi": lambda c, p: 1.0,
    "ts_zscore": lambda c, p: 1.0,
    "ts_skew": lambda c, p: 1.0,
    "ts_kurt": lambda c, p: 1.0,
    "ts_corr": lambda c, p: 1.0,
    "ts_corr_or": lambda c, p: 1.0,
    "ts_cov": lambda c, p: np.multiply(*deviations(c, p)),
    "ts_beta": lambda c, p: ratio(*deviations(c, p)),
    "ts_residual": lambda c, p: deviations(c, p)[0],
    "ts_decay_linear": lambda c, p: TWINS["ts_max"](np.abs(c["x"]), p[0]),
    "ts_sum": lambda c, p: 1e-6 * TWINS["ts_max"](np.abs(c["x"]), p[0]),
    "ts_mean": lambda c, p: 1e-6 * TWINS["ts_max"](np.abs(c["x"]), p[0]),
    "ema": lambda c, p: 1e-6 * np.nanmax(np.abs(c["x"]), initial=0.0, where=np.isfinite(c["x"])),
    "cs_demean": row_spread,
    "cs_neutralize": row_spread,
    "cs_zscore": lambda c, p: 1.0,
    "cs_mean": row_spread,
    "cs_std": row_spread,
    "group_mean": row_spread,
    "group_zscore": lambda c, p: 1.0,
    "cs_residual": row_spread,
}


for _name in ("ts_sum", "ts_mean"):
    # No less than the largest of the window, which counts although others are unknown.
    SIZE[partial_form(_name)] = lambda c, p: (
        1e-6 * TWINS[partial_form("ts_max")](np.abs(c["x"]), p[0], 1)
    )
SIZE[partial_form("ts_zscore")] = lambda c, p: 1.0


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def size_of(name: str, columns: dict[str, np.ndarray], params: tuple[float, ...]) -> np.ndarray:
    size = SIZE[name](columns, params) if name in SIZE else 0.0
    return np.nan_to_num(np.broadcast_to(size, columns["x"].shape))


# Every operator.


def test_every_operator_has_a_twin():
    assert set(TWINS) == set(OPERATORS)


@pytest.mark.nojit
@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize("name", OPERATORS)
def test_equals_its_twin(name, kind):
    n_assets = 5 if OPERATORS[name].family == "cross" else 2
    columns = inputs(kind, len(OPERATORS[name].inputs), n_assets)
    for expr, params in calls(name):
        expected = twin_of(name, columns, params)
        atol = 1e-10 * size_of(name, columns, params)
        try:
            assert_same(run(expr, columns), expected, rtol=1e-10, atol=atol)
        except AssertionError as error:
            error.add_note(f"{expr} of {kind} inputs")
            raise


def eventful(n_inputs: int, n_assets: int) -> dict[str, np.ndarray]:
    """Columns in which everything happens: a bit of each kind, one after the other."""
    parts = [inputs(kind, n_inputs, n_assets, n_rows=60) for kind in SERIES]
    return {name: np.concatenate([part[name][:46] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("n_assets", [1, 3])
@pytest.mark.parametrize("name", OPERATORS)
def test_blocks_change_no_bit(name, n_assets):
    columns = eventful(len(OPERATORS[name].inputs), n_assets)
    n_rows = len(columns["x"])
    rng = np.random.default_rng(n_assets)
    for expr, _ in calls(name):
        whole = run(expr, columns)
        for blocks in (cut(n_rows, 1), cut(n_rows, 7), random_cut(n_rows, rng)):
            assert_identical(run(expr, columns, blocks), whole)


@pytest.mark.parametrize("name", [n for n, r in OPERATORS.items() if r.family == "series"])
def test_an_asset_has_the_same_bits_beside_others(name):
    """Many assets are computed by vector instructions, with some left over; one is not."""
    columns = eventful(len(OPERATORS[name].inputs), 21)
    for expr, _ in calls(name):
        together = run(expr, columns)
        for j in (0, 7, 15, 20):
            alone = {key: np.ascontiguousarray(values[:, [j]]) for key, values in columns.items()}
            assert_identical(run(expr, alone), together[:, [j]])


@pytest.mark.nojit
@pytest.mark.parametrize("name", OPERATORS)
def test_the_future_changes_no_bit_of_the_past(name):
    columns = eventful(len(OPERATORS[name].inputs), 2)
    n_rows = len(columns["x"])
    rng = np.random.default_rng(7)
    for expr, _ in calls(name):
        now = int(rng.integers(1, n_rows))
        future = {key: values.copy() for key, values in columns.items()}
        for values in future.values():
            values[now:] = rng.permutation(values[now:], axis=0)
            values[now] = rng.choice([np.nan, np.inf, -1e12, 0.0])
        assert_identical(run(expr, future)[:now], run(expr, columns)[:now])


@pytest.mark.nojit
@pytest.mark.parametrize("name", FINITE_MEMORY)
def test_two_windows_back_is_forgotten(name):
    columns = eventful(len(OPERATORS[name].inputs), 2)
    for values in columns.values():
        values[300:, 0] = values[300:, 1]  # two assets of different pasts
    for expr, params in calls(name):
        later = run(expr, columns)[300 + 2 * int(params[0]) :]
        assert_identical(later[:, 0], later[:, 1])


# Exact statements.


def of_x(name: str, x: list[float], *params: float) -> np.ndarray:
    column_x = np.array(x, float)[:, None]
    return run(apply(name, column("x"), *params), {"x": column_x})[:, 0]


@pytest.mark.nojit
@pytest.mark.parametrize("value", [0.1, -0.1, 1e9 + 0.1, 1e-300, 1e300, 0.0, 1 / 3])
@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_constant_windows_are_exact(value, n):
    # Something else first, so that the window slides into the constant.
    x = [3.0, -1e9, 7.0] + [value] * 30
    constant = slice(n + 2, None)
    assert (of_x("ts_mean", x, n)[constant] == value).all()
    assert (of_x("ts_std", x, n)[constant] == 0.0).all()
    assert (of_x("ts_var", x, n)[constant] == 0.0).all()
    assert np.isnan(of_x("ts_zscore", x, n)[constant]).all()
    for name in ("ts_min", "ts_max", "ts_median"):
        assert (of_x(name, x, n)[constant] == value).all()
    assert (of_x("ts_quantile", x, n, 0.3)[constant] == value).all()
    assert (of_x("ts_rank", x, n)[constant] == (n + 1) / 2 / n).all()
    if n > 3:
        assert np.isnan(of_x("ts_skew", x, n)[constant]).all()
        assert np.isnan(of_x("ts_kurt", x, n)[constant]).all()
    for name in ("ema", "wilder"):
        assert (of_x(name, [value] * 30, n)[n - 1 :] == value).all()


@pytest.mark.nojit
@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, 1 / 3])
@pytest.mark.parametrize("n", [2, 7, 20, 29])
def test_constant_pairs_are_exact(value, n):
    moving = np.random.default_rng(3).normal(size=(60, 1))
    still = np.concatenate([moving[:9], np.full((51, 1), value)])
    columns = {"x": still, "y": moving}
    known = slice(9 + n - 1, None)
    for pair in ("xy", "yx"):
        assert (run(apply("ts_cov", *map(column, pair), n), columns)[known] == 0.0).all()
        assert np.isnan(run(apply("ts_corr", *map(column, pair), n), columns)[known]).all()
    # `still` explained by `moving`: no slope, nothing left. The other way round there is no line.
    for name in ("ts_beta", "ts_residual"):
        assert (run(apply(name, *map(column, "xy"), n), columns)[known] == 0.0).all()
        assert np.isnan(run(apply(name, *map(column, "yx"), n), columns)[known]).all()


@pytest.mark.nojit
def test_constant_rows_are_exact():
    x = {"x": np.full((2, 5), 0.1)}
    assert (run(apply("cs_demean", column("x")), x) == 0.0).all()
    assert (run(apply("cs_rank", column("x")), x) == 0.6).all()
    assert np.isnan(run(apply("cs_zscore", column("x")), x)).all()
    assert (run(apply("cs_winsorize", column("x"), 0.3), x) == 0.1).all()
    neutral = run(apply("cs_neutralize", column("x"), group("sector")), x)
    assert (neutral[:, [0, 1, 3, 4]] == 0.0).all()
    assert np.isnan(neutral[:, 2]).all()  # no sector


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("name", "length"),
    [("and_", 1), ("or_", 1), ("not_", 2), ("where", 1), ("latch", 3), ("bars_since", 5)],
)
def test_all_sequences_of_truth_values(name, length):
    """Every asset is one sequence of true, false, unknown, and any other number."""
    n_inputs = len(OPERATORS[name].inputs)
    values = (0.0, 1.0, np.nan) if length > 2 else (0.0, 1.0, np.nan, -2.5, np.inf)
    sequences = np.array(list(itertools.product(values, repeat=length * n_inputs))).T
    columns = {
        key: np.ascontiguousarray(sequences[i::n_inputs])
        for i, key in zip(range(n_inputs), "xyz", strict=False)
    }
    expr = apply(name, *map(column, columns))
    assert_same(run(expr, columns), TWINS[name](*columns.values()), rtol=0.0)


@pytest.mark.nojit
@pytest.mark.parametrize("n_assets", [50, 300])  # sorted by comparison, and by bits
@pytest.mark.parametrize("name", ["cs_rank", "cs_bucket", "cs_top", "cs_winsorize"])
def test_rows_in_any_order_are_sorted(name, n_assets):
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(1, n_assets))
    clumped = 1e9 + np.round(noise, 1) * 1e-3  # almost all in the same leading bits
    clumped[0, 5] = -1e300
    rows = [noise, clumped, np.sort(noise), -np.sort(noise), np.round(noise), noise * 1e-300]
    x = np.concatenate(rows)
    x[4, : n_assets // 6] = np.where(x[4, : n_assets // 6] == 0.0, -0.0, x[4, : n_assets // 6])
    x[:, 17] = np.nan
    params = {"cs_rank": (), "cs_bucket": (5,), "cs_top": (n_assets // 3,), "cs_winsorize": (0.1,)}[
        name
    ]
    out = run(apply(name, column("x"), *params), {"x": x})
    assert_same(out, TWINS[name](x, *params), rtol=1e-12)


@pytest.mark.nojit
def test_correlation_stays_within_one():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 1))
    expr = apply("ts_corr", column("x"), column("y"), 2)
    r = run(expr, {"x": x, "y": 3.0 * x + 1e-9 * rng.normal(size=x.shape)})[1:]
    assert_same(np.abs(r), np.ones(r.shape), rtol=1e-9)
    assert (np.abs(r) <= 1.0).all()


@pytest.mark.nojit
@pytest.mark.parametrize("name", ["ts_zscore", "ts_skew", "ts_kurt", "ts_corr"])
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_squares_beyond_float64_are_unknown(name, scale):
    x = scale * np.random.default_rng(4).normal(size=(30, 2))
    columns = {"x": x[:, :1], "y": x[:, 1:]}
    args = [column("x"), column("y")][: len(OPERATORS[name].inputs)]
    assert np.isnan(run(apply(name, *args, 5), columns)).all()


@pytest.mark.nojit
@pytest.mark.parametrize("name", FINITE_MEMORY)
def test_recovers_from_numbers_whose_squares_overflow(name):
    record = OPERATORS[name]
    columns = inputs("random", len(record.inputs), 1)
    clean = {key: values.copy() for key, values in columns.items()}
    for values in columns.values():
        values[20:22] = [[1e200], [-1.7e308]]
        values[22] = np.nan
    for key, values in clean.items():
        values[20:23] = columns[key][22]
    for expr, params in calls(name):
        after = slice(23 + int(params[0]), None)
        assert_same(run(expr, columns)[after], run(expr, clean)[after], rtol=1e-12, atol=1e-12)


@pytest.mark.nojit
@pytest.mark.parametrize("name", ["ts_sum", "ts_mean"])
def test_sums_forget_what_was_far_larger(name):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(60, 1))
    x[[20, 21, 40]] = [[1e34], [1e17], [1.7e308]]
    x[47] = 1.7e308  # enters as the other leaves
    out = run(apply(name, column("x"), 7), {"x": x})
    expected = TWINS[name](x, 7)
    clean = [t for t in range(60) if not 20 <= t < 28 and not 40 <= t < 54]
    assert_same(out[clean], expected[clean], rtol=1e-12, atol=1e-12)
    assert_same(out[20:28], expected[20:28], rtol=1e-12)
    assert_same(out[40:54], expected[40:54], rtol=1e-12)


@pytest.mark.nojit
def test_recursion_recovers_from_steps_beyond_float64():
    x = [1.7e308, -1.7e308, 1.0, 2.0, 3.0, 4.0]
    for name in ("ema", "wilder"):
        out = of_x(name, x, 2)
        assert np.isnan(out[:3]).all()
        assert_same(out[3:], of_x(name, x[2:], 2)[1:], rtol=0.0)
    index = of_x("rsi", [*x, 3.0, 4.0, 3.0], 2)
    assert np.isfinite(index[3:]).all()
    assert ((index[3:] >= 0.0) & (index[3:] <= 100.0)).all()
    column_x = {"x": np.array([*x, 3.0, 4.0])[:, None]}
    ranges = run(apply("atr", column("x"), column("x"), column("x"), 2), column_x)
    assert np.isfinite(ranges[3:]).all()


@pytest.mark.nojit
@pytest.mark.parametrize("name", ["ts_corr", "ts_beta", "ts_residual"])
@pytest.mark.parametrize(
    ("y", "x"),
    [
        ([1.0, 2.0, 3.0, 5.0], [1e-170, 2e-170, 3e-170, 5e-170]),
        ([1.0, 2.0, 4.0, 1.0], [1e200, -1e200, 2e200, 1.0]),
        ([1e200, -1e200, 2e200, 1.0], [1.0, 2.0, 4.0, 1.0]),
    ],
)
def test_variances_beyond_float64_give_no_line(name, y, x):
    columns = {"y": np.array(y)[:, None], "x": np.array(x)[:, None]}
    assert np.isnan(run(apply(name, column("y"), column("x"), 3), columns)).all()


@pytest.mark.nojit
def test_a_quantile_at_a_value_is_this_value():
    x = [-1e308, -1e308, 1e308, 1e308]
    assert_same(of_x("ts_median", x, 3)[2:], np.array([-1e308, 1e308]), rtol=0.0)
    assert_same(of_x("ts_quantile", x, 3, 0.5)[2:], np.array([-1e308, 1e308]), rtol=0.0)


# Long series.

LONG = 200_000


@pytest.mark.parametrize("n", [5, 250])
@pytest.mark.parametrize("name", FINITE_MEMORY)
def test_does_not_drift(name, n):
    """After 200,000 rows of a walk with jumps a window says what a fresh one says."""
    record = OPERATORS[name]
    rng = np.random.default_rng(11)
    steps = rng.normal(size=(LONG, len(record.inputs)))
    steps[:: LONG // 50] *= 1e6
    walks = 1e9 + np.cumsum(steps, axis=0)
    last = slice(LONG - n - 20, LONG)
    columns = {
        key: np.ascontiguousarray(walks[:, [i]])
        for i, key in zip(range(len(record.inputs)), "xy", strict=False)
    }
    second = {"q": 0.3, "min_periods": 1, "value": 0.0}  # of a window with a second number
    params = (n, *(second[p.name] for p in OPERATORS[name].params[1:]))
    expr = apply(name, *map(column, columns), *params)
    end = {key: values[last] for key, values in columns.items()}
    atol = 1e-10 * size_of(name, end, params)[n:]
    full = run(expr, columns, cut(LONG, 4096))[last][n:]
    assert_same(full, TWINS[name](*end.values(), *params)[n:], rtol=1e-10, atol=atol)


@pytest.mark.parametrize("name", ["ema", "wilder", "rsi"])
def test_long_recursion(name):
    """The first 190,000 of 200,000 rows leave nothing behind."""
    x = 1e9 + np.cumsum(np.random.default_rng(12).normal(size=(LONG, 1)), axis=0)
    expr = apply(name, column("x"), 20)
    full = run(expr, {"x": x}, cut(LONG, 4096))
    late = run(expr, {"x": x[190_000:]})
    assert_same(full[-1000:], late[-1000:], rtol=1e-13)
