"""Every figure against an independent implementation, a hand value, and degenerate input."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from alphalab.research.pages.thinning import thin
from alphalab.research.results import holdings, round_trips, series
from alphalab.research.results import metrics as m
from alphalab.types import FILL, POSTED

YEAR = 252
NAN = float("nan")


def close(got: float, want: float) -> bool:
    """Equal to twelve digits, or both NaN."""
    return (math.isnan(got) and math.isnan(want)) or math.isclose(got, want, rel_tol=1e-12)


def test_close_can_fail() -> None:
    assert close(1.0, 1.0 + 1e-14) and close(NAN, NAN)
    assert not close(1.0, 1.0 + 1e-9)
    assert not close(1.0, NAN)
    assert not close(NAN, 1.0)


def sample(seed: int, n: int = 700) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fat-tailed returns, a benchmark they depend on, and the equity path they make."""
    rng = np.random.default_rng(seed)
    benchmark = 0.01 * rng.standard_t(4, n)
    returns = 0.0004 + 0.7 * benchmark + 0.006 * rng.standard_t(3, n)
    equity = 1e5 * np.cumprod(np.append(1.0, 1 + returns))
    return m.row_returns(equity), benchmark, equity


SAMPLES = [
    *(pytest.param(*sample(seed), id=f"seed{seed}") for seed in range(5)),
    pytest.param(*sample(5, 40_000), id="long"),
]
each_sample = pytest.mark.parametrize(("returns", "benchmark", "equity"), SAMPLES)


@each_sample
def test_against_empyrical(returns, benchmark, equity) -> None:
    e = empyrical
    pairs = {
        "total": (m.total_return(equity), e.cum_returns_final(returns)),
        "annual": (m.annual_return(equity, YEAR), e.annual_return(returns)),
        "volatility": (m.volatility(returns, YEAR), e.annual_volatility(returns)),
        "sharpe": (m.sharpe(returns, YEAR), e.sharpe_ratio(returns)),
        "sortino": (m.sortino(returns, YEAR), e.sortino_ratio(returns)),
        "calmar": (m.calmar(equity, YEAR), e.calmar_ratio(returns)),
        "omega": (m.omega(returns), e.omega_ratio(returns)),
        "max_drawdown": (m.max_drawdown(equity), -e.max_drawdown(returns)),
        "value_at_risk": (m.value_at_risk(returns), -e.value_at_risk(returns)),
        "cvar": (m.cvar(returns), -e.conditional_value_at_risk(returns)),
        "beta": (m.beta(returns, benchmark), e.beta(returns, benchmark)),
        "information_ratio": (
            m.information_ratio(returns, benchmark, YEAR),
            e.excess_sharpe(returns, benchmark) * YEAR**0.5,
        ),
        # empyrical compounds what we add up.
        "alpha": (
            (1 + m.alpha(returns, benchmark, YEAR) / YEAR) ** YEAR - 1,
            e.alpha(returns, benchmark),
        ),
    }
    wrong = {name: pair for name, pair in pairs.items() if not math.isclose(*pair, rel_tol=1e-9)}
    assert not wrong


@each_sample
def test_against_scipy_and_pandas(returns, benchmark, equity) -> None:
    assert close(m.skew(returns), scipy.stats.skew(returns))
    assert close(m.kurtosis(returns), scipy.stats.kurtosis(returns))
    frame = pd.Series(equity)
    np.testing.assert_allclose(m.row_returns(equity), frame.pct_change()[1:], rtol=0, atol=1e-15)
    np.testing.assert_allclose(m.drawdowns(equity), 1 - frame / frame.cummax(), rtol=0, atol=1e-15)
    assert close(m.value_at_risk(returns), -pd.Series(returns).quantile(0.05))
    fit = scipy.stats.linregress(benchmark, returns)
    assert math.isclose(m.beta(returns, benchmark), fit.slope, rel_tol=1e-10)
    assert math.isclose(m.alpha(returns, benchmark, YEAR), fit.intercept * YEAR, rel_tol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 20, 21, 22, 9_999, 10_001, 50_000])
@pytest.mark.parametrize("kind", ["any", "ties", "every hundredth is low", "it is high", "rising"])
def test_the_worst_returns_against_numpy(n: int, kind: str) -> None:
    returns = np.random.default_rng(n).normal(0.0, 0.01, n)
    if kind == "ties":
        returns = returns.round(2)
    elif kind == "rising":
        returns.sort()
    elif kind != "any":
        returns[::100] = -1.0 if "low" in kind else 1.0
    worst = np.sort(returns)[: int(0.05 * (n - 1)) + 1]
    assert close(m.value_at_risk(returns), -np.quantile(returns, 0.05))
    assert close(m.cvar(returns), -worst.mean())


@each_sample
def test_what_is_known_already_changes_nothing(returns, benchmark, equity) -> None:
    falls, slope = m.drawdowns(equity), m.beta(returns, benchmark)
    for figure in (m.max_drawdown, m.max_drawdown_span, m.longest_drawdown_span):
        assert figure(equity, falls) == figure(equity)
    assert m.calmar(equity, YEAR, falls) == m.calmar(equity, YEAR)
    assert m.alpha(returns, benchmark, YEAR, slope) == m.alpha(returns, benchmark, YEAR)
    assert m.tail(returns) == (m.value_at_risk(returns), m.cvar(returns))


def test_hand_values() -> None:
    equity = np.array([100.0, 110.0, 88.0, 99.0, 121.0])
    returns = m.row_returns(equity)
    assert close(m.total_return(equity), 0.21)
    assert close(m.annual_return(equity, periods_per_year=2), math.sqrt(1.21) - 1)
    assert close(m.max_drawdown(equity), 0.2)
    assert m.max_drawdown_span(equity) == m.longest_drawdown_span(equity) == (1, 4)
    assert close(m.omega(returns), (0.1 + 0.125 + 22 / 99) / 0.2)
    assert m.exposure(np.array([0.0, 5.0, 0.0, 5.0])) == 0.5
    assert close(m.turnover(300.0, np.array([9.0, 100.0, 200.0]), periods_per_year=4), 4.0)


def naive_spans(equity: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of each time below a peak, walked point by point."""
    spans, peak, begin = [], 0, None
    for i, value in enumerate(equity):
        if value >= equity[peak]:
            if begin is not None:
                spans.append((begin, i))
            peak, begin = i, None
        elif begin is None:
            begin = peak
    return spans if begin is None else [*spans, (begin, len(equity) - 1)]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_drawdown_spans_against_a_walk(path: list[int]) -> None:
    equity = np.array(path, np.float64)
    spans = naive_spans(equity)
    falls = [1 - equity[a : b + 1].min() / equity[a] for a, b in spans]
    lengths = [b - a for a, b in spans]
    deepest, longest = m.max_drawdown_span(equity), m.longest_drawdown_span(equity)
    if not spans:
        assert deepest == longest == (0, 0)
        return
    assert falls[spans.index(deepest)] == max(falls) == pytest.approx(m.max_drawdown(equity))
    assert lengths[spans.index(longest)] == max(lengths)


FLAT = np.full(6, 100.0)
STEADY = 100 * 1.01 ** np.arange(300)
ONE_ROW = np.array([100.0, 101.0])
RUINED = np.array([100.0, 50.0, -10.0, -10.0, -10.0])
UNKNOWN = np.array([100.0, NAN, 102.0, 103.0])


def ratios(equity: np.ndarray) -> dict[str, float]:
    returns = m.row_returns(equity)
    return {
        "annual_return": m.annual_return(equity, YEAR),
        "volatility": m.volatility(returns, YEAR),
        "sharpe": m.sharpe(returns, YEAR),
        "sortino": m.sortino(returns, YEAR),
        "calmar": m.calmar(equity, YEAR),
        "omega": m.omega(returns),
        "value_at_risk": m.value_at_risk(returns),
        "cvar": m.cvar(returns),
        "skew": m.skew(returns),
        "kurtosis": m.kurtosis(returns),
        "alpha": m.alpha(returns, returns, YEAR),
        "beta": m.beta(returns, returns),
        "information_ratio": m.information_ratio(returns, returns, YEAR),
        "turnover": m.turnover(50.0, equity, YEAR),
        "gross": m.mean_gross_exposure(np.full(returns.size, 10.0), equity),
    }


def defined(equity: np.ndarray) -> set[str]:
    return {name for name, value in ratios(equity).items() if not math.isnan(value)}


def test_no_spread_has_no_ratio() -> None:
    always = {"annual_return", "volatility", "value_at_risk", "cvar", "turnover", "gross"}
    assert defined(FLAT) == always
    assert defined(STEADY) == always  # its returns differ by rounding only
    assert (ratios(FLAT)["volatility"], ratios(FLAT)["value_at_risk"]) == (0.0, 0.0)
    assert math.copysign(1, ratios(FLAT)["value_at_risk"]) == 1


def test_one_row() -> None:
    assert defined(ONE_ROW) == {"annual_return", "value_at_risk", "cvar", "turnover", "gross"}


@pytest.mark.parametrize("equity", [RUINED, UNKNOWN], ids=["ruined", "unknown"])
def test_nothing_is_said_after_ruin_or_with_nan(equity: np.ndarray) -> None:
    assert defined(equity) == set()


def test_ruin_keeps_what_has_a_meaning() -> None:
    assert close(m.total_return(RUINED), -1.1)
    assert close(m.max_drawdown(RUINED), 1.1)
    assert m.max_drawdown_span(RUINED) == (0, 4)
    assert np.isnan(m.row_returns(RUINED)).tolist() == [False, False, True, True]


def test_growth_too_fast_to_annualise() -> None:
    assert math.isnan(m.annual_return(np.array([1.0, 10.0]), periods_per_year=525_600))


def test_empty() -> None:
    none = np.empty(0)
    assert math.isnan(m.total_return(none)) and math.isnan(m.exposure(none))
    assert math.isnan(m.max_drawdown(none)) and math.isnan(m.omega(none))
    for trip_figure in (round_trips.win_rate, round_trips.profit_factor):
        assert math.isnan(trip_figure(np.empty(0, round_trips.TRIP)))


def paired(fills: np.ndarray, mark: np.ndarray, *, multiplier: float = 1.0, **last: int):
    """Round trips of spot assets in one currency."""
    n = mark.size
    assets = holdings.Assets(np.zeros(n, np.int64), np.full(n, multiplier), np.zeros(n))
    changes = holdings.changes_of(fills, np.empty(0, POSTED), np.ones((100, n)))
    return round_trips.round_trips(changes, assets, mark, np.ones(n), **last)


def naive_trips(fills: np.ndarray, mark: float) -> list[tuple[float, ...]]:
    """(entry row, exit row, units, entry price, pnl, fees, closed) of one asset, fill by fill."""
    done, trip, held = [], None, 0.0
    pieces = []
    for f in fills:
        total = held + f["qty"]
        if held * total < 0:
            for part in (-held, total):
                pieces.append((f["row"], part, f["price"], f["fee"] * part / f["qty"]))
        else:
            pieces.append((f["row"], f["qty"], f["price"], f["fee"]))
        held = total
    held = 0.0
    for row, qty, price, fee in pieces:
        if trip is None:
            trip = {"row": row, "in": 0.0, "paid": 0.0, "cash": 0.0, "fees": 0.0}
        if held * qty >= 0:
            trip["in"] += abs(qty)
            trip["paid"] += abs(qty) * price
        trip["cash"] -= qty * price
        trip["fees"] += fee
        held += qty
        if held == 0:
            done.append((trip, row, True))
            trip = None
    if trip is not None:
        trip["cash"] += held * mark
        done.append((trip, 99, False))
    return [
        (t["row"], row, t["in"], t["paid"] / t["in"], t["cash"] - t["fees"], t["fees"], closed)
        for t, row, closed in done
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([-3, -2, -1, 1, 2, 3]), st.integers(1, 50)),
        min_size=1,
        max_size=60,
    )
)
def test_trips_against_a_walk(orders: list[tuple[int, int, int]]) -> None:
    fills = np.zeros(len(orders), FILL)
    fills["row"] = np.arange(len(orders))
    fills["asset"], fills["qty"], fills["price"] = np.array(orders, np.float64).T
    fills["fee"] = np.abs(fills["qty"]) * 0.25
    mark = np.array([10.0, 20.0, 30.0])
    got = paired(fills, mark, last_row=99, last_time=0)
    names = ["entry_row", "exit_row", "qty", "entry_price", "pnl", "fees", "closed"]
    for asset in range(3):
        ours = got[got["asset"] == asset][names]
        want = naive_trips(fills[fills["asset"] == asset], mark[asset])
        np.testing.assert_allclose(
            np.array([tuple(trip) for trip in ours.tolist()], np.float64).reshape(-1, 7),
            np.array(want, np.float64).reshape(-1, 7),
            rtol=1e-12,
            atol=1e-9,
        )
    assert (np.diff(got["entry_row"]) >= 0).all()


def test_trip_of_every_kind() -> None:
    # Long 2, add 2, sell 3; then through zero to short 2, half of it bought back.
    fills = np.zeros(5, FILL)
    fills["row"] = [0, 1, 2, 3, 4]
    fills["qty"], fills["price"] = [2.0, 2.0, -3.0, -3.0, 1.0], [10.0, 14.0, 15.0, 16.0, 12.0]
    fills["fee"] = [1.0, 1.0, 1.0, 3.0, 1.0]
    long, short = paired(fills, np.array([11.0]), multiplier=10.0, last_row=9, last_time=900)
    assert (long["side"], long["closed"], long["exit_row"], long["qty"]) == (1, True, 3, 4.0)
    assert (long["entry_price"], long["exit_price"], long["fees"]) == (12.0, 15.25, 4.0)
    assert (long["pnl"], long["return"]) == (4 * 3.25 * 10 - 4, 126 / 480)
    assert (short["side"], short["closed"], short["exit_row"], short["exit_time"]) == (
        -1,
        False,
        9,
        900,
    )
    assert (short["entry_price"], short["exit_price"], short["pnl"]) == (16.0, 11.5, 87.0)


def test_rounding_does_not_leave_a_trip_open() -> None:
    fills = np.zeros(3, FILL)
    fills["qty"], fills["price"] = [0.1, 0.2, -0.3], 10.0
    assert 0.1 + 0.2 - 0.3 != 0
    assert paired(fills, np.ones(1), last_row=9, last_time=0)["closed"].tolist() == [True]


def test_equal_weight_benchmark_against_pandas() -> None:
    rng = np.random.default_rng(3)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (200, 4)), axis=0))
    prices[:20, 1] = np.nan
    prices[50:60, 2] = np.nan
    prices[90, :] = np.nan
    frame = pd.DataFrame(prices)
    want = frame.ffill().pct_change().mean(axis=1).fillna(0.0)
    np.testing.assert_allclose(series.equal_weight_returns(prices), want, rtol=0, atol=1e-15)


@given(st.lists(st.floats(-1e6, 1e6) | st.just(NAN), min_size=1, max_size=300), st.integers(4, 40))
def test_thin_keeps_ends_and_extremes(values: list[float], limit: int) -> None:
    line = np.array(values)
    kept = thin(line, limit)
    assert kept.size <= max(limit, 4)
    assert (kept[0], kept[-1]) == (0, line.size - 1)
    assert (np.diff(kept) > 0).all()
    if not np.isnan(line).all():
        assert np.nanmin(line[kept]) == np.nanmin(line)
        assert np.nanmax(line[kept]) == np.nanmax(line)
