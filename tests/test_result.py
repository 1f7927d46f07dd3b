"""`Result`: tables, figures, identity and hand-overs, on real runs and on booked accounts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from accounting import book, panel

import alphalab as al
from alphalab.research.display import FIGURES
from alphalab.research.result import Result
from alphalab.types import REASONS, REFUSAL, Instrument, Reason

NAN = float("nan")
HOUR = 3_600 * 10**9


class Cross(al.Strategy):
    fast: int = 10
    slow: int = 30

    def weights(self) -> al.Expr:
        return al.where(al.close.ts_mean(self.fast) > al.close.ts_mean(self.slow), 1.0, 0.0)


class Reversal(al.Strategy):
    """Long what fell, short what rose."""

    rebalance = al.every_row()

    def weights(self) -> al.Expr:
        return -1 * (al.close.returns(5).cs_demean()).cs_scale()


@pytest.fixture(scope="module")
def cross() -> Result:
    return al.backtest(Cross(), al.load("sp500"), costs=al.Costs(fee_bps=10))


@pytest.fixture(scope="module")
def reversal() -> Result:
    return al.backtest(Reversal(), al.load("synthetic"), costs=al.Costs(fee_bps=2))


@pytest.fixture(scope="module")
def stocks() -> Result:
    bars = al.load("sp500_stocks", start="2015-01-01", end="2018-12-31")
    return al.backtest(Reversal(), bars, costs=al.Costs(fee_bps=5))


@pytest.fixture(params=["cross", "reversal", "stocks"])
def real(request: pytest.FixtureRequest) -> Result:
    return request.getfixturevalue(request.param)


def wiggle(n: int = 40, symbols: int = 1) -> np.ndarray:
    rng = np.random.default_rng(5)
    return 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (n, symbols)), axis=0))


def test_tables_have_utc_rows_and_symbol_columns(real: Result) -> None:
    index = pd.DatetimeIndex(real.bars.time, tz="UTC")
    for table in (real.equity, real.returns, real.positions, real.weights):
        assert (table.index == index).all()
        assert table.index.name == "time"
    assert list(real.positions.columns) == list(real.bars.symbols)
    np.testing.assert_array_equal(real.positions, real.qty)
    assert real.equity.iloc[-1] == real.ledger["equity"][-1]


def test_returns_compound_to_the_equity(real: Result) -> None:
    grown = real.settings.cash * (1 + real.returns).cumprod()
    np.testing.assert_allclose(grown, real.equity, rtol=1e-10)


def test_weights_are_position_values_over_equity(real: Result) -> None:
    gross = real.weights.abs().sum(axis=1).to_numpy()
    np.testing.assert_allclose(gross, real.ledger["gross"] / real.ledger["equity"], atol=1e-12)
    net = real.position_values.sum(axis=1)
    np.testing.assert_allclose(net, real.ledger["value"], atol=1e-6)


def test_trips_explain_every_cent(real: Result) -> None:
    trips = real.trades
    gained = real.metrics["final_equity"] - real.settings.cash
    assert trips["pnl"].sum() == pytest.approx(gained, abs=1e-6)
    assert trips["fees"].sum() == pytest.approx(real.metrics["fees"], abs=1e-6)
    assert trips["closed"].sum() == real.metrics["n_round_trips"]
    assert (~trips["closed"]).sum() == np.count_nonzero(real.qty[-1])
    sides = np.where(trips["side"] == "long", 1, -1)
    by_price = sides * trips["qty"] * (trips["exit_price"] - trips["entry_price"]) - trips["fees"]
    np.testing.assert_allclose(trips["pnl"], by_price, atol=1e-6)


def test_fills_frame(real: Result) -> None:
    fills = real.fills_frame
    assert len(fills) == real.metrics["n_fills"]
    assert (fills["decided"] < fills["time"]).all()
    assert fills["value"].abs().sum() == pytest.approx(real.ledger["turnover"][-1])
    assert fills["fee"].sum() == pytest.approx(real.ledger["fees"][-1])


def test_monthly_returns_against_resampling(real: Result) -> None:
    monthly = real.monthly_returns
    within = real.equity.set_axis(real.equity.index - pd.Timedelta(1, "ns"))  # midnight closes
    ends = within.resample("ME").last().dropna()
    want = ends / ends.shift(fill_value=real.settings.cash) - 1
    for when, value in want.items():
        assert monthly.loc[when.year, when.strftime("%b")] == pytest.approx(value, abs=1e-12)
    months = monthly.drop(columns="Year")
    assert months.notna().sum().sum() == len(want)
    np.testing.assert_allclose((1 + months.fillna(0)).prod(axis=1) - 1, monthly["Year"], atol=1e-12)


def test_a_bar_that_closes_at_midnight_belongs_to_the_day_that_ends() -> None:
    bars = panel(wiggle(72), step=HOUR)  # begins 2020-01-01T21:00, one bar closes at each midnight
    days, _, _ = book(bars, [(1, 0, 50.0)]).to_pyfolio()
    at_midnight = book(bars, [(1, 0, 50.0)]).equity.iloc[3]
    assert at_midnight == pytest.approx(10_000 * (1 + days.iloc[0]))
    assert len(days) == 4


def test_rolling_against_slices(reversal: Result) -> None:
    window, year = 50, reversal.bars.periods_per_year
    table = reversal.rolling(window)
    path = reversal.equity_path
    assert table.iloc[: window - 1].isna().all().all()
    for row in (window - 1, 333, 4_999):
        part = path[row + 1 - window : row + 2]
        returns = part[1:] / part[:-1] - 1
        spread = returns.std(ddof=1)
        want = {
            "return": part[-1] / part[0] - 1,
            "volatility": spread * year**0.5,
            "sharpe": returns.mean() / spread * year**0.5 if spread > 0 else NAN,
            "drawdown": 1 - part[-1] / part.max(),
        }
        for name, value in want.items():
            assert table[name].iloc[row] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True)
    with pytest.raises(al.ParameterError, match="window=1"):
        reversal.rolling(1)


def test_refusals_in_words() -> None:
    refusals = np.zeros(3, REFUSAL)
    refusals["reason"] = [Reason.CASH, Reason.GROSS_LIMIT, Reason.CASH]
    refusals["asset"] = [0, -1, 0]
    result = book(panel(wiggle()), [(1, 0, 5.0)], refusals=refusals)
    frame = result.refusals_frame
    assert frame["symbol"].tolist() == ["S0", "portfolio", "S0"]
    assert frame["meaning"].tolist()[0] == REASONS[Reason.CASH]
    assert result.to_dict()["refusals"] == {"GROSS_LIMIT": 1, "CASH": 2}


def test_digest_is_the_hash_it_says(cross: Result) -> None:
    parts = (cross.ledger["equity"], cross.qty, cross.fills)
    digest = hashlib.blake2b(b"".join(p.tobytes() for p in parts), digest_size=16).hexdigest()
    assert cross.digest == digest
    again = al.backtest(Cross(), al.load("sp500"), costs=al.Costs(fee_bps=10), block_rows=7)
    assert again.digest == digest
    assert again.metrics == cross.metrics
    assert dataclasses.replace(cross, seconds=9.0, strategy="Other").digest == digest


def test_digest_sees_the_last_bit(cross: Result) -> None:
    for name in ("ledger", "qty", "fills"):
        changed = getattr(cross, name).copy()
        values = {"ledger": lambda r: r["equity"], "qty": lambda r: r[:, 0]}.get(
            name, lambda r: r["price"]
        )(changed)
        values[-1] = np.nextafter(values[-1], np.inf)
        assert dataclasses.replace(cross, **{name: changed}).digest != cross.digest


def test_to_dict_is_strict_json(real: Result) -> None:
    data = real.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert list(data) == [
        *("schema", "strategy", "params", "data", "metrics", "settings"),
        *("refusals", "warnings", "digest", "seconds"),
    ]
    assert data["schema"] == "alphalab.backtest/1"
    assert list(data["data"]) == ["id", "source", "rows", "symbols", "start", "end", "notes"]
    assert list(data["metrics"])[:12] == [
        *("final_equity", "total_return", "annual_return", "volatility", "sharpe", "sortino"),
        *("max_drawdown", "n_fills", "n_round_trips", "fees", "turnover", "exposure"),
    ]
    assert data["settings"]["costs"]["fee_bps"] == real.settings.costs.fee_bps


def test_figures_are_plain_and_all_have_words(real: Result) -> None:
    assert list(real.metrics) == list(FIGURES)
    assert {type(value) for value in real.metrics.values()} <= {float, int}
    for name, figure in FIGURES.items():
        assert figure.definition.endswith(".")
        assert figure.text(real.metrics[name])
    assert FIGURES["sharpe"].text(NAN) == "n/a"


def test_undefined_figures_are_null() -> None:
    still = book(panel(np.full(10, 50.0)), [])
    metrics = still.to_dict()["metrics"]
    assert metrics["total_return"] == metrics["volatility"] == metrics["max_drawdown"] == 0
    for name in ("sharpe", "sortino", "calmar", "omega", "win_rate", "profit_factor", "beta"):
        assert metrics[name] is None
        assert math.isnan(still.metrics[name])
    assert still.trades.empty and still.fills_frame.empty and still.refusals_frame.empty


def test_one_row() -> None:
    one = book(panel([50.0], periods_per_year=None), [(0, 0, 1.0)])
    assert one.metrics["total_return"] == 0
    assert one.metrics["exposure"] == 1
    assert math.isnan(one.metrics["annual_return"]) and math.isnan(one.metrics["sharpe"])
    assert json.dumps(one.to_dict(), allow_nan=False)
    assert len(one.monthly_returns) == 1


def test_ruin_is_said_and_figures_after_it_are_not() -> None:
    prices = np.array([100.0, 100.0, 150.0, 220.0, 230.0, 200.0])
    ruined = book(panel(prices), [(1, 0, -90.0)], cash=10_000.0)
    assert "zero or less on 2020-01-04" in ruined.warnings[0]
    assert dataclasses.replace(ruined, seconds=2.0).warnings == ruined.warnings
    assert ruined.metrics["max_drawdown"] > 1
    for name in ("annual_return", "sharpe", "turnover", "alpha"):
        assert math.isnan(ruined.metrics[name])
    assert ruined.weights.iloc[3:5].isna().all().all()
    assert json.dumps(ruined.to_dict(), allow_nan=False)


def test_benchmark_of_one_asset_is_holding_it(cross: Result) -> None:
    close = cross.bars.close[:, 0]
    assert cross.benchmark_name == "buy and hold SP500"
    assert cross.metrics["benchmark_return"] == pytest.approx(close[-1] / close[0] - 1)
    hold = dataclasses.replace(cross, benchmark=close)
    assert hold.metrics["beta"] == pytest.approx(cross.metrics["beta"])
    assert hold.benchmark_name == "buy and hold SP500"


def test_benchmark_that_is_given(stocks: Result) -> None:
    own = dataclasses.replace(stocks, benchmark=stocks.ledger["equity"], benchmark_name="itself")
    assert own.metrics["beta"] == pytest.approx(1)
    assert own.metrics["alpha"] == pytest.approx(0, abs=1e-9)
    assert "itself" in own.assumptions["Benchmark"]
    assert "20 symbols, rebalanced every row" in stocks.assumptions["Benchmark"]
    for wrong in (np.ones(3), -np.ones(stocks.bars.n_rows), np.full(stocks.bars.n_rows, NAN)):
        with pytest.raises(al.DataError, match="one close above 0 for each row"):
            dataclasses.replace(stocks, benchmark=wrong)


def test_assumptions_say_everything(cross: Result) -> None:
    said = cross.assumptions
    assert "open of the next bar" in said["Fill"]
    assert "10 bps" in said["Costs"] and "not modelled" in said["Costs"]
    assert said["Digest"].startswith(cross.digest)
    assert cross.bars.id in said["Data"]
    assert said["Data notes"].startswith("S&P 500 index")
    assert "ts_mean(close, 10)" in said["Expressions"]
    assert said["Cash"].startswith("100,000.00 USD")
    assert said["Warnings"] == ("; ".join(cross.warnings) or "none")


def test_a_seen_price_is_never_kept_quiet() -> None:
    seen = book(panel(wiggle()), [(1, 0, 5.0)], fill="same_close")
    for text in (repr(seen), seen._repr_html_(), seen.assumptions["Fill"]):
        assert "price the decision has seen" in text
    assert "has seen" not in repr(book(panel(wiggle()), [(1, 0, 5.0)]))


def test_costs_are_stated() -> None:
    free = book(panel(wiggle()), [(1, 0, 5.0)])
    assert free.assumptions["Costs"].startswith("Costs are not modelled: the fee is 0.")
    venue = (Instrument(symbol="S0", taker_bps=4), Instrument(symbol="S1", taker_bps=7))
    bars = panel(wiggle(symbols=2), instruments=venue)
    settings = al.RunSettings(cash=10_000.0)
    assert "4 to 7 bps" in book(bars, [(1, 0, 5.0)], settings=settings).assumptions["Costs"]


@pytest.mark.parametrize(
    ("rebalance", "words"),
    [
        (al.on_change(), "when its target changes"),
        (al.every_row(), "on every row"),
        (al.drift(0.05, cooldown=3), "more than 0.05 from its target, and not again for 3 rows"),
        (al.calendar("month"), "once in each month (UTC)"),
    ],
)
def test_rebalance_and_limits_in_words(rebalance: al.Rebalance, words: str) -> None:
    limits = al.Limits(gross=2, weight=0.3, group="sector", group_gross=0.5)
    settings = al.RunSettings(rebalance=rebalance, limits=limits)
    said = book(panel(wiggle()), [], settings=settings).assumptions
    assert words in said["Rebalance"]
    assert said["Limits"] == (
        "At most: gross exposure 2; weight of one asset 0.3; gross exposure of one sector 0.5."
    )


def test_repr(cross: Result) -> None:
    assert repr(cross) == (
        f"<Result: Cross(fast=10, slow=30), return {cross.metrics['total_return']:.2%}, "
        f"Sharpe {cross.metrics['sharpe']:.2f}, max drawdown "
        f"{cross.metrics['max_drawdown']:.2%}, {len(cross.fills):,} fills, "
        f"digest {cross.digest[:8]}>"
    )
    evil = dataclasses.replace(cross, strategy="<img src=x>", warnings=("<b>",))
    assert "<img" not in evil._repr_html_() and "&lt;b&gt;" in evil._repr_html_()


def test_figures_need_no_pandas() -> None:
    code = (
        "import json, sys, alphalab as al\n"
        "class Hold(al.Strategy):\n"
        "    def weights(self): return al.where(al.close > 0, 1.0, 0.0)\n"
        "result = al.backtest(Hold(), al.load('sp500'))\n"
        "json.dumps(result.to_dict()), result.digest, repr(result), result.assumptions\n"
        "print([m for m in ('pandas', 'plotly', 'scipy.stats', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_multiplier_counts_everywhere() -> None:
    venue = (Instrument(symbol="S0", multiplier=10),)
    prices = np.array([100.0, 100.0, 103.0, 104.0])
    ten = book(panel(prices, instruments=venue), [(1, 0, 2.0), (3, 0, -2.0)], fee_bps=1)
    plain = book(panel(prices), [(1, 0, 20.0), (3, 0, -20.0)], fee_bps=1)
    assert ten.to_dict()["metrics"] == plain.to_dict()["metrics"]
    pd.testing.assert_frame_equal(ten.weights, plain.weights)
    for ours, theirs in zip(ten.to_pyfolio(), plain.to_pyfolio(), strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(ours), pd.DataFrame(theirs))


def test_pyfolio_inputs(real: Result) -> None:
    returns, positions, transactions = real.to_pyfolio()
    assert (returns.index == positions.index).all()
    assert str(returns.index.tz) == "UTC"
    assert (returns.index == returns.index.normalize()).all()
    total = (1 + returns).prod() - 1
    assert total == pytest.approx(real.metrics["total_return"])
    worth = positions.sum(axis=1)
    assert worth.iloc[-1] == pytest.approx(real.metrics["final_equity"])
    np.testing.assert_allclose(worth.pct_change().iloc[1:], returns.iloc[1:], atol=1e-12)
    traded = (transactions["amount"] * transactions["price"]).abs().sum()
    assert traded == pytest.approx(real.ledger["turnover"][-1])


@pytest.mark.filterwarnings('ignore:Module "zipline.assets" not found:UserWarning')
def test_pyfolio_takes_them(stocks: Result) -> None:
    pyfolio = pytest.importorskip("pyfolio")
    returns, positions, transactions = stocks.to_pyfolio()
    stats = pyfolio.timeseries.perf_stats(
        returns, positions=positions, transactions=transactions, factor_returns=returns
    )
    ours = stocks.metrics
    for name, value in {
        "Annual return": ours["annual_return"],
        "Cumulative returns": ours["total_return"],
        "Annual volatility": ours["volatility"],
        "Sharpe ratio": ours["sharpe"],
        "Calmar ratio": ours["calmar"],
        "Max drawdown": -ours["max_drawdown"],
        "Omega ratio": ours["omega"],
        "Sortino ratio": ours["sortino"],
        "Skew": ours["skew"],
        "Kurtosis": ours["kurtosis"],
        "Beta": 1.0,
    }.items():
        assert stats[name] == pytest.approx(value, rel=1e-9), name
    assert stats["Daily turnover"] > 0
    assert stats["Gross leverage"] == pytest.approx(ours["mean_gross_exposure"], rel=0.02)
    top = pyfolio.pos.get_top_long_short_abs(pyfolio.pos.get_percent_alloc(positions))
    assert all(len(side) == 10 for side in top)


def test_pyfolio_keeps_the_name_cash() -> None:
    with pytest.raises(al.DataError, match="symbol 'cash'"):
        book(panel(wiggle(), symbols=["cash"]), []).to_pyfolio()


@pytest.fixture(scope="module")
def vectorbt() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever its import says
        return pytest.importorskip("vectorbt")


def test_vectorbt_agrees_on_every_row(real: Result, vectorbt: object) -> None:
    value = real.to_vectorbt().value()
    np.testing.assert_allclose(value, real.equity, rtol=1e-9)
    assert (value.index == real.equity.index).all()


def test_vectorbt_agrees_with_gaps_and_two_fills_in_a_row(vectorbt: object) -> None:
    prices = wiggle(60, symbols=3)
    prices[:10, 1] = np.nan
    prices[30:35, 0] = np.nan
    prices[50:, 2] = np.nan
    orders = [(2, 0, 20.0), (2, 0, -20.0), (5, 2, -8.0), (12, 1, 7.0), (12, 1, -12.0), (40, 0, 3.0)]
    result = book(panel(prices), orders, fee_bps=15)
    portfolio = result.to_vectorbt()
    np.testing.assert_allclose(portfolio.value(), result.equity, rtol=1e-9)
    assert portfolio.orders.count() == len(orders)
    assert portfolio.total_profit() == pytest.approx(result.equity.iloc[-1] - 10_000)
    assert portfolio.orders.fees.sum() == pytest.approx(result.metrics["fees"])


def test_a_missing_extra_says_how_to_get_it(cross: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vectorbt", None)
    with pytest.raises(al.MissingExtraError, match=r"pip install 'alphalab\[research\]'"):
        cross.to_vectorbt()
