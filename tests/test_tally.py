"""Metrics from a tally equal those of the full result, for every metric."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from builders import AboveMean, closes, panel
from hypothesis import given
from hypothesis import strategies as st
from lean_factors import actions_from_factors
from sweeping import Mix, Told, digest_of_block, quiet_mix, random_mix

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.codes import Posting
from alphalab.core.columns import COLUMN, Column
from alphalab.core.engine import Block
from alphalab.core.rules import start_equity
from alphalab.core.vector_engine import VectorEngine
from alphalab.data.panel.bars import Bars
from alphalab.kernels._jit import silent
from alphalab.kernels.market.tally import CHUNK, fold_all
from alphalab.research.results import holdings, metrics, round_trips
from alphalab.research.results.result import Result
from alphalab.research.results.tally_metrics import METRICS, SMALLER_IS_BETTER, digests, metrics_of
from alphalab.types import TALLY, FloatArray, Instrument, Records

nojit = pytest.mark.nojit

NAN = float("nan")
YEAR = 252.0

#: Figures in which numbers cancel out: they agree to 1e-12 of what is subtracted.
SIZES = {"skew": 1.0, "kurtosis": 3.0}


def unlike(got: Mapping[str, Any], expected: Mapping[str, Any], column: int) -> list[str]:
    """Figures of a column that are not the expected ones, to twelve digits; NaN is only NaN."""
    different = []
    for name in METRICS:
        a, b = float(got[name][column]), float(expected[name])
        allowed = 1e-12 * max(abs(b), SIZES.get(name, 0.0))
        # Infinite figures are equal or not, and NaN has no distance.
        if not (a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= allowed):
            different.append(f"{name}: {a!r}, expected {b!r}")
    return different


def of_result(result: Result) -> dict[str, float]:
    return {**result.metrics, "n_refusals": result.record.refusals.size}


def of_block(mix: Mix, place: int, block: Block) -> dict[str, float]:
    """The figures of a full result, of rows that no `Bars` would take."""
    settings, ledger = mix.accounts[place][1], block.ledger
    equity = np.concatenate([[start_equity(settings, mix.instruments)], ledger["equity"]])
    returns, last = metrics.row_returns(equity), len(ledger) - 1
    bars: Any = SimpleNamespace(
        close=mix.columns["close"],
        columns=mix.columns,
        instruments=mix.instruments,
        symbols=[instrument.symbol for instrument in mix.instruments],
    )
    rates, marks = holdings.rates_of(bars, settings), holdings.marks_of(bars, settings)
    changes = holdings.changes_of(block.fills, block.postings, rates)
    at_end = (marks[last], rates[last], last, int(mix.time[last]))
    made = round_trips.round_trips(changes, holdings.assets_of(bars), *at_end)
    return {
        "final_equity": equity[-1],
        "total_return": metrics.total_return(equity),
        "annual_return": metrics.annual_return(equity, YEAR),
        "volatility": metrics.volatility(returns, YEAR),
        "sharpe": metrics.sharpe(returns, YEAR),
        "sortino": metrics.sortino(returns, YEAR),
        "max_drawdown": metrics.max_drawdown(equity),
        "calmar": metrics.calmar(equity, YEAR),
        "omega": metrics.omega(returns),
        "n_fills": block.fills.size,
        "n_round_trips": made["closed"].sum(),
        "win_rate": round_trips.win_rate(made),
        "profit_factor": round_trips.profit_factor(made),
        "average_holding": round_trips.average_holding(made)[0],
        "fees": ledger["fees"][-1],
        "carry": ledger["carry"][-1],
        "turnover": metrics.turnover(ledger["turnover"][-1], equity, YEAR),
        "exposure": metrics.exposure(ledger["gross"]),
        "skew": metrics.skew(returns),
        "kurtosis": metrics.kurtosis(returns),
        "n_refusals": block.refusals.size,
    }


def check(bars: Bars, strategies: Sequence[al.Strategy], **options: Any) -> list[Result]:
    """Compare columns with the results of their backtests; return these."""
    results = [al.backtest(strategy, bars, **options) for strategy in strategies]
    made = [
        Column.of(x, result.settings, bars.instruments)
        for x, result in zip(strategies, results, strict=True)
    ]
    engine = VectorEngine(made, bars.instruments)
    engine.push(bars.time, bars.columns)
    tallies = engine.tallies()
    got = metrics_of(tallies, results[0].periods_per_year)
    for i, result in enumerate(results):
        assert unlike(got, of_result(result), i) == [], repr(strategies[i])
        assert digests(tallies)[i] == result.digest
    return results


# --- what is compared, and how -------------------------------------------------------------------


def test_every_figure_is_one_of_a_result() -> None:
    result = al.backtest(load_strategy("sma_cross")(), al.load("sp500"))
    assert set(METRICS) - set(result.metrics) == {"n_refusals"}
    assert {*METRICS} >= SMALLER_IS_BETTER
    counts = metrics_of(np.zeros(1, COLUMN), YEAR)
    assert list(counts) == list(METRICS)
    for name in METRICS:
        whole = isinstance(of_result(result)[name], int)
        assert np.issubdtype(counts[name].dtype, np.integer) == whole, name


def test_the_comparison_sees_a_wrong_figure() -> None:
    expected = dict.fromkeys(METRICS, 2.0)
    got = {name: np.array([NAN, 2.0]) for name in METRICS}
    assert unlike(got, expected, 1) == []
    assert len(unlike(got, expected, 0)) == len(METRICS)
    for name in METRICS:
        for wrong in (2.0 * (1.0 + 4e-12), NAN, math.inf, -2.0, 0.0):
            assert len(unlike(got | {name: np.array([0.0, wrong])}, expected, 1)) == 1
        assert unlike(got | {name: np.array([0.0, 2.0 * (1.0 + 1e-13)])}, expected, 1) == []
        assert len(unlike(got, expected | {name: NAN}, 1)) == 1


# --- real markets --------------------------------------------------------------------------------


class Reversal(al.Strategy):
    """Long what fell, short what rose, on every row."""

    n: int = 5
    rebalance = al.Rebalance.every_row()

    def weights(self) -> al.Expr:
        return -1 * (al.close.returns(self.n).cs_demean()).cs_scale()


class Winners(al.Strategy):
    """Some of the best, held until others are better."""

    n: int = 60

    def weights(self) -> al.Expr:
        return al.where(al.close.returns(self.n).cs_rank() > 0.7, 0.1, 0.0)


def flips(n: int) -> al.Strategy:
    """From long to short and back: every trade ends one trip and begins the next."""
    return AboveMean(n=n, above=0.9, below=-0.9)


def crosses(*pairs: tuple[int, int]) -> list[al.Strategy]:
    cross = load_strategy("sma_cross")
    return [cross(fast=fast, slow=slow) for fast, slow in pairs]


def test_sp500() -> None:
    strategies = [*crosses((5, 20), (10, 30), (20, 200)), flips(n=10), flips(n=100)]
    for fee in (0.0, 10.0):
        results = check(al.load("sp500"), strategies, costs=al.Costs(fee_bps=fee))
        assert results[0].metrics["n_round_trips"] > 100
    check(al.load("sp500"), strategies, exits=al.Exits(stop_loss=0.02, take_profit=0.05))


def test_sp500_stocks() -> None:
    strategies = [Reversal(n=5), Reversal(n=60), Winners(n=20), Winners(n=250)]
    bars = al.load("sp500_stocks", start="2016-01-01")
    results = check(bars, strategies, costs=al.Costs(fee_bps=5))
    assert results[0].bars.n_symbols == 20
    assert results[0].metrics["n_fills"] > 10_000


def test_minutes_of_a_perpetual(shared_data: Path) -> None:
    bars = al.load(shared_data / "btc_perp_1m.parquet", label="open")
    assert bars.n_rows == 45_031
    results = check(bars, [*crosses((10, 60), (60, 600)), flips(n=30)], costs=al.Costs(fee_bps=1))
    returns = results[0].row_returns
    assert results[0].metrics["skew"] == pytest.approx(scipy.stats.skew(returns), rel=1e-12)
    kurtosis = scipy.stats.kurtosis(returns)
    assert results[0].metrics["kurtosis"] == pytest.approx(kurtosis, rel=1e-12)


def test_pairs_with_missing_bars(shared_data: Path) -> None:
    bars = al.load(shared_data / "crypto_5m_binance.parquet", label="open")
    assert bars.n_symbols == 10
    assert np.isnan(bars.close).any()
    check(bars, [Reversal(n=12), Winners(n=24)], costs=al.Costs(fee_bps=10))


@pytest.mark.parametrize("actions", ["cash", "reinvest"])
def test_shares_with_splits_and_dividends(shared_data: Path, actions: str) -> None:
    bars = al.load(shared_data / "us_equity_daily_raw.parquet")
    raw = pd.read_parquet(shared_data / "us_equity_daily_raw.parquet")
    factors = pd.read_parquet(shared_data / "us_equity_factors.parquet")
    closes = raw.pivot(index="time", columns="symbol", values="close")
    bars = bars.with_actions(actions_from_factors(factors, closes))
    strategies = [Winners(n=20), Winners(n=250), flips(n=50)]
    results = check(bars, strategies, actions=actions, costs=al.Costs(fee_bps=3))
    assert results[1].metrics["carry"] > 0.0
    assert (results[1].record.postings["kind"] == Posting.SPLIT).any()


# --- random markets ------------------------------------------------------------------------------


def check_mixes(draw: Any, seeds: range) -> None:
    for seed in seeds:
        mix = draw(random.Random(seed))
        got = metrics_of(mix.tallies(), YEAR)
        for i in range(len(mix.accounts)):
            with np.errstate(
                all="ignore"
            ):  # of a plain function on equities near the largest float
                expected = of_block(mix, i, mix.run(i))
            assert unlike(got, expected, i) == [], f"seed {seed}, account {i}"


def test_random_mixtures() -> None:
    check_mixes(random_mix, range(60))


def test_a_dividend_of_a_holding_on_the_first_row() -> None:
    """The market of seed 289 reinvests one, after the fill that books the holding."""
    check_mixes(random_mix, range(289, 290))


def test_a_dividend_of_a_holding_is_part_of_its_round_trip() -> None:
    """One reinvested in the first row: ten units come with the holding, two with the dividend."""
    columns = {"split": [NAN] * 4, "dividend": [20.0] + [NAN] * 3, "told": [NAN, 0.0, 0.0, 0.0]}
    cells = {name: np.array(values)[:, np.newaxis] for name, values in columns.items()}
    bars = panel([100.0, 110.0, 100.0, 120.0]).with_columns(cells)
    holdings = {"S0": al.Holding(qty=10, price=120)}
    result = check(bars, [Holds()], actions="reinvest", holdings=holdings)[0]
    assert result.round_trips["qty"].tolist() == [12.0]


def test_quiet_mixtures() -> None:
    check_mixes(quiet_mix, range(100))


@pytest.mark.slow
def test_many_mixtures() -> None:
    check_mixes(random_mix, range(60, 600))
    check_mixes(quiet_mix, range(100, 2_000))


# --- runs of any length and shape ----------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [1, 2, 3, 30, 511, 512, 513, 514, 1023, 1024, 1025, 1537])
def test_any_number_of_rows(n_rows: int) -> None:
    check(panel(closes(n_rows, n_assets=2)), [flips(n=2), flips(n=7), Reversal(n=1), Winners(n=1)])


@pytest.mark.slow
def test_a_million_rows() -> None:
    bars = panel(closes(1_000_000), step=60 * 10**9)
    results = check(bars, [*crosses((10, 50)), flips(n=1_000)], costs=al.Costs(fee_bps=0.1))
    assert results[0].metrics["n_round_trips"] > 10_000


class Holds(al.Strategy):
    """What a column says."""

    def weights(self) -> al.Expr:
        return al.column("told")


def held(close: Any, told: Any, **options: Any) -> Result:
    """The result of weights in rows, compared with a column."""
    close = np.asarray(close, np.float64)
    table = np.broadcast_to(np.asarray(told, np.float64), close.shape).reshape(len(close), -1)
    bars = panel(close).with_columns({"told": table.copy()})
    return check(bars, [Holds()], **options)[0]


def test_an_account_that_never_trades() -> None:
    result = held(closes(600)[:, 0], 0.0)
    assert result.metrics["n_fills"] == 0
    assert math.isnan(result.metrics["sharpe"]) and result.metrics["exposure"] == 0.0


def test_an_account_that_trades_once() -> None:
    result = held(closes(600)[:, 0], 1.0)
    assert (result.metrics["n_fills"], result.metrics["n_round_trips"]) == (1, 0)


@pytest.mark.parametrize("close", [1.0, 100.0, 0.3])
def test_nothing_is_earned_and_nothing_lost(close: float) -> None:
    """Fees of 0, and prices that stay: no trip is won, and rounding is no volatility."""
    told = np.tile([0.3, 0.7, 0.1, 0.9, 0.2, 0.0, -0.5, -0.1, -0.9, 0.0, NAN], 60)
    result = held(np.full(told.size, close), told)
    assert result.metrics["n_round_trips"] == 120
    assert result.metrics["win_rate"] == 0.0
    assert math.isnan(result.metrics["profit_factor"])
    assert math.isnan(result.metrics["sharpe"])


@pytest.mark.parametrize("growth", [1.01, 0.99, 1.0000001, 1.1])
@pytest.mark.parametrize("n_rows", [2, 600])
def test_returns_that_are_all_the_same(growth: float, n_rows: int) -> None:
    """Their spread is rounding, and nothing is divided by it."""
    close = 1e-3 * growth ** np.arange(n_rows)
    result = held(close, 1.0)
    constant = metrics_of(folded(np.append(100.0, 100.0 * growth ** np.arange(1, n_rows))), YEAR)
    for name in ("sharpe", "skew", "kurtosis"):
        assert math.isnan(constant[name][0]), name
    assert n_rows == 2 or result.metrics["volatility"] > 0.0  # the first row earned nothing


@pytest.mark.parametrize("where", [3, 511, 512, 513, 700])
@pytest.mark.parametrize("rise", [1.5, 2.0, 50.0])
def test_an_account_that_goes_bankrupt(where: int, rise: float) -> None:
    """Short, and the price doubles or more: figures that need returns after it are NaN."""
    close = np.full(900, 100.0)
    close[where:] *= rise
    close[where + 1 :] *= 1.0 + 0.01 * np.sin(np.arange(899 - where))
    result = held(close, -1.0)
    ruined = rise >= 2.0
    assert bool((result.record.ledger["equity"] <= 0.0).any()) == ruined
    assert math.isnan(result.metrics["sharpe"]) == ruined
    assert math.isfinite(result.metrics["max_drawdown"])


def test_ruin_in_the_last_row_still_has_returns() -> None:
    close = np.append(closes(600)[:, 0], 1e9)
    result = held(close, -1.0)
    assert result.metrics["final_equity"] < 0.0
    assert math.isfinite(result.metrics["sharpe"])
    assert math.isnan(result.metrics["annual_return"])


# --- by hand -------------------------------------------------------------------------------------


class Units(al.Strategy):
    """Trades the units that a column says, at the next open."""

    max_orders = 1

    def signals(self) -> dict[str, Any]:
        return {"told": al.column("told")}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        units = table[0, 0]
        if units > 0.0:
            al.orders.market(account, 0, al.orders.BUY, units)
        elif units < 0.0:
            al.orders.market(account, 0, al.orders.SELL, -units)
        return np.full(table.shape[1], np.nan)


def traded(prices: Sequence[float], units: Sequence[float], fee_bps: float = 0.0) -> Any:
    """The tally of units, each traded at the price of the row after it."""
    bars = panel(np.repeat(prices, 1)).with_columns({"told": np.array(units)[:, None]})
    columns = {name: np.array(prices)[:, None] for name in ("open", "high", "low", "close")}
    mix = Mix(
        bars.time,
        {**columns, "told": np.array(units, np.float64)[:, None]},
        [Instrument(symbol="A")],
        [(Units(), al.RunSettings(cash=1e4, costs=al.Costs(fee_bps=fee_bps)))],
    )
    block = mix.run(0)
    tallies = mix.tallies()
    assert digests(tallies) == [digest_of_block(block)]
    assert unlike(metrics_of(tallies, YEAR), of_block(mix, 0, block), 0) == []
    return tallies[0]


def test_trips_by_hand() -> None:
    """In, more, through zero, more, and out, with a fee of one percent."""
    prices = [10.0, 10.0, 12.0, 15.0, 20.0, 16.0]
    tally = traded(prices, [10.0, 10.0, -30.0, -5.0, 15.0, 0.0], fee_bps=100.0)
    # 30 sold at 15: 20 of them end a trip, with two thirds of the fee of 4.5.
    long = 10 * (15 - 10) + 10 * (15 - 12) - (1.0 + 1.2 + 3.0)
    short = 10 * (15 - 16) + 5 * (20 - 16) - (1.5 + 1.0 + 2.4)
    assert (tally["n_fills"], tally["n_trips"], tally["n_won"]) == (5, 2, 2)
    assert tally["trips_won"] == pytest.approx(long + short, rel=1e-12)
    assert tally["trips_lost"] == 0.0
    assert tally["trip_rows"] == (3 - 1) + (5 - 3)
    assert tally["fees"] == pytest.approx(1.0 + 1.2 + 4.5 + 1.0 + 2.4, rel=1e-12)
    assert tally["equity"] == pytest.approx(1e4 + long + short, rel=1e-12)


def test_a_trip_that_earns_just_its_fees_is_lost() -> None:
    tally = traded([10.0, 10.0, 10.0, 10.0], [5.0, -5.0, 0.0, 0.0], fee_bps=100.0)
    assert (tally["n_trips"], tally["n_won"], tally["trips_won"]) == (1, 0, 0.0)
    assert tally["trips_lost"] == pytest.approx(1.0, rel=1e-12)
    tally = traded([10.0, 10.0, 10.0, 10.0], [5.0, -5.0, 0.0, 0.0])
    assert (tally["n_trips"], tally["n_won"]) == (1, 0)
    assert tally["trips_won"] == tally["trips_lost"] == 0.0


def test_what_is_still_held_is_no_trip() -> None:
    tally = traded([10.0, 10.0, 12.0, 15.0], [10.0, -9.0, 0.0, 0.0])
    assert (tally["n_fills"], tally["n_trips"], tally["invested"]) == (2, 0, 3)
    assert tally["trip_rows"] == tally["trips_won"] == 0


@pytest.mark.parametrize("left", [1e-4, 1e-12])
def test_dust_that_is_left_and_sold(left: float) -> None:
    """What is left of a sale by rounding ends its trip; selling it is a trip as in the result."""
    units = 1e6
    tally = traded([1.0] * 7, [0.0, units / 1e3, -units / 1e3 + left, -left, 7.0, -7.0, 0.0])
    assert tally["n_fills"] == 5


def folded(equity: Sequence[float] | FloatArray, chunk: int = CHUNK) -> Records:
    """The tally of an equity path that begins with the cash, folded in chunks."""
    path = np.asarray(equity, np.float64)
    tallies: Any = np.zeros(1, COLUMN)
    figure = np.zeros(1, TALLY)
    for name in ("start", "peak", "least", "least_before", "equity"):
        figure[name] = path[0]
    room, words = np.zeros((1, CHUNK + 1)), np.zeros((1, 16), np.uint64)
    room[0, 0] = path[0]
    for first in range(1, path.size, chunk):
        rows = path[first : first + chunk]
        room[0, 1 : 1 + rows.size] = rows
        figure["kept"] = rows.size
        with silent():
            fold_all()(
                *(figure, room, room.view(np.uint64), words),
                *(np.zeros((1, 2, 0)), np.zeros(1, np.int64), np.empty(CHUNK)),
            )
    figure["equity"] = path[-1]
    for name in TALLY.names or ():
        tallies[name] = figure[name]
    tallies["words"] = words
    return tallies


def of_path(equity: FloatArray) -> dict[str, float]:
    """Figures of an equity path alone."""
    returns = metrics.row_returns(equity)
    return {
        "final_equity": float(equity[-1]),
        "total_return": metrics.total_return(equity),
        "annual_return": metrics.annual_return(equity, YEAR),
        "volatility": metrics.volatility(returns, YEAR),
        "sharpe": metrics.sharpe(returns, YEAR),
        "sortino": metrics.sortino(returns, YEAR),
        "max_drawdown": metrics.max_drawdown(equity),
        "calmar": metrics.calmar(equity, YEAR),
        "omega": metrics.omega(returns),
        "skew": metrics.skew(returns),
        "kurtosis": metrics.kurtosis(returns),
    }


def unlike_path(equity: FloatArray, chunk: int = CHUNK) -> list[str]:
    got = metrics_of(folded(equity, chunk), YEAR)
    expected = of_path(equity)
    nothing = {name: float(got[name][0]) for name in METRICS if name not in expected}
    return unlike(got, expected | nothing, 0)


@nojit
def test_moments_by_hand() -> None:
    """Returns of 10, -10, 20 and 0 percent: mean 5, deviations 5, -15, 15 and -5."""
    tally = folded([100.0, 110.0, 99.0, 118.8, 118.8])[0]
    assert tally["rows"] == 4
    assert tally["mean"] == pytest.approx(0.05, rel=1e-12)
    assert tally["m2"] == pytest.approx(0.05, rel=1e-12)
    assert tally["m3"] == pytest.approx(0.0, abs=1e-16)
    assert tally["m4"] == pytest.approx((625 + 50625 + 50625 + 625) * 1e-8, rel=1e-12)
    assert tally["gained"] == pytest.approx(0.3, rel=1e-12)
    assert tally["lost"] == pytest.approx(0.1, rel=1e-12)
    assert tally["downside"] == pytest.approx(0.01, rel=1e-12)
    assert tally["max_drawdown"] == pytest.approx(0.1, rel=1e-12)
    assert (tally["peak"], tally["least"], tally["least_before"]) == (118.8, 99.0, 99.0)
    assert tally["equity_sum"] == pytest.approx(110.0 + 99.0 + 118.8 + 118.8, rel=1e-12)
    found = metrics_of(folded([100.0, 110.0, 99.0, 118.8, 118.8]), periods_per_year=4.0)
    assert found["sharpe"][0] == pytest.approx(0.05 / math.sqrt(0.05 / 3) * 2.0, rel=1e-12)
    assert found["sortino"][0] == pytest.approx(0.05 / math.sqrt(0.0025) * 2.0, rel=1e-12)
    assert found["omega"][0] == pytest.approx(3.0, rel=1e-12)
    assert found["annual_return"][0] == pytest.approx(0.188, rel=1e-12)
    assert found["calmar"][0] == pytest.approx(1.88, rel=1e-12)
    assert found["kurtosis"][0] == pytest.approx(1.64 - 3.0, rel=1e-12)


@pytest.mark.parametrize("chunk", [1, 2, 5, 64, 511, 512])
def test_chunks_of_any_size_are_merged(chunk: int) -> None:
    """Of skewed returns, whose moments differ from chunk to chunk."""
    rng = np.random.default_rng(chunk)
    returns = rng.exponential(0.01, 1_500) * np.sign(np.sin(np.arange(1_500) / 70.0))
    equity = np.cumprod(np.append(1e4, 1.0 + returns))
    assert unlike_path(equity, chunk) == []
    moments = folded(equity, chunk)[0]
    r = metrics.row_returns(equity)
    for order in (2, 3, 4):
        central = scipy.stats.moment(r, order) * r.size
        assert moments[f"m{order}"] == pytest.approx(central, rel=1e-11)


PATHS = st.lists(
    st.one_of(st.floats(-50.0, 200.0).map(lambda x: round(x, 6)), st.integers(-2, 5)),
    min_size=1,
    max_size=30,
)


@given(PATHS, st.sampled_from([1, 2, 4, 7, 512]))
def test_any_path(path: list[float], chunk: int) -> None:
    """Also through zero, and from there back to a new peak."""
    assert unlike_path(np.array([100.0, *path], np.float64), chunk) == []


def test_a_fall_below_zero_before_a_new_peak() -> None:
    """Deeper than the one before, which a look at the lowest and the highest does not tell."""
    first, second = np.full(512, 100.0), np.full(512, 1_000.0)
    first[200], second[:100] = -2.0, 50.0
    second[40] = -5.0
    equity = np.concatenate([[100.0], first, second])
    assert folded(equity)["max_drawdown"][0] == 1.05
    assert unlike_path(equity) == []


# --- what is not a number ------------------------------------------------------------------------


def test_without_a_year_what_is_annual_is_unknown() -> None:
    found = metrics_of(folded(closes(50)[:, 0]), NAN)
    annual = {"annual_return", "volatility", "sharpe", "sortino", "calmar", "turnover"}
    unknown = {name for name, values in found.items() if math.isnan(float(values[0]))}
    assert unknown == annual | {"win_rate", "profit_factor", "average_holding"}


def test_of_no_rows_most_is_unknown() -> None:
    engine = VectorEngine(
        [Column.of(Told(), al.RunSettings(), [Instrument(symbol="A")])], [Instrument(symbol="A")]
    )
    found = {name: float(values[0]) for name, values in metrics_of(engine.tallies(), YEAR).items()}
    known = {name for name, value in found.items() if not math.isnan(value)}
    assert known == {
        "final_equity",
        "max_drawdown",
        "fees",
        "carry",
        *(n for n in METRICS if n.startswith("n_")),
    }
    assert found["final_equity"] == 100_000.0 and found["max_drawdown"] == 0.0


def test_nothing_warns() -> None:
    paths = ([100.0], [100.0, 0.0], [100.0, -5.0, 0.0], [100.0, 1e-300, 1e300], [1e-300, 1e300])
    for path in paths:
        metrics_of(folded(path), YEAR)
    metrics_of(np.zeros(3, COLUMN), 0.0)
