"""The reference strategies: their weights against pandas, and what they did on real prices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alphalab as al
from alphalab.artifact.loading import load_strategy

FOLDER = Path(__file__).parents[1] / "strategies"


#: name, data, and what a run at 10 bps gave: total return, Sharpe ratio, largest drawdown, fills.
DONE = [
    ("buy_and_hold", "sp500_stocks", (199.88437, 0.82600578, 0.57903743, 20)),
    ("sma_cross", "sp500", (0.31257785, 0.17937369, 0.33850075, 176)),
    ("bollinger_reversion", "sp500_stocks", (3.7852784, 0.59681354, 0.20688894, 5420)),
    ("time_series_momentum", "sp500_stocks", (3.0791588, 0.66105167, 0.17358271, 7700)),
    ("cross_sectional_momentum", "sp500_stocks", (1282.0309, 1.0442902, 0.45952072, 2340)),
    ("pair_reversion", "sp500_stocks", (0.032138579, 0.051378645, 0.39670242, 1031)),
    ("protected_trend", "sp500", (0.021027484, 0.14238444, 0.023470657, 22)),
    ("donchian_breakout", "sp500", (-0.14193223, -0.051651374, 0.34723008, 96)),
    ("ppo_allocator", "sp500_stocks", (139.32358, 0.89009517, 0.50085792, 164766)),
]


def strategy(name, **params):
    return load_strategy(str(FOLDER / f"{name}.py"))(**params)


@pytest.fixture(scope="module")
def stocks():
    return al.load("sp500_stocks", end="2000-12-31")


@pytest.fixture(scope="module")
def closes(stocks):
    return stocks.to_frame()["close"]


def weights_of(strategy, bars):
    return al.evaluate(strategy.weights(), bars)


def assert_weights(actual, expected):
    np.testing.assert_allclose(actual.to_numpy(), expected.to_numpy(), rtol=1e-9, atol=1e-12)


def hold_between(enter, leave):
    """Plain loop for "from enter to leave": the state is unknown wherever an input is."""
    out = np.full(enter.shape, np.nan)
    for j in range(enter.shape[1]):
        held = 0.0
        for t in range(enter.shape[0]):
            if np.isnan(enter[t, j]) or np.isnan(leave[t, j]):
                continue
            held = 0.0 if leave[t, j] else 1.0 if enter[t, j] else held
            out[t, j] = held
    return out


def known(condition, *inputs):
    """Return a condition as 0 and 1, NaN where an input is."""
    out = condition.astype(float)
    for x in inputs:
        out = out.where(x.notna())
    return out


def test_every_strategy_file_is_tested_here():
    tested = {name for name, *_ in DONE}
    assert tested == {path.stem for path in FOLDER.glob("*.py")}


def test_buy_and_hold_weights(stocks, closes):
    assert_weights(weights_of(strategy("buy_and_hold"), stocks), closes * 0 + 1 / 20)


def test_sma_cross_weights(stocks, closes):
    fast, slow = closes.rolling(10).mean(), closes.rolling(30).mean()
    assert_weights(weights_of(strategy("sma_cross"), stocks), known(fast > slow, slow))


def test_protected_trend_weights(stocks, closes):
    fast, slow = closes.rolling(60).mean(), closes.rolling(480).mean()
    weights = known(fast > slow, slow) * 2 - 1
    assert_weights(weights_of(strategy("protected_trend"), stocks), weights)


def test_protected_trend_leaves_by_each_of_its_exits():
    strategy_ = strategy("protected_trend", fast=5, slow=20)
    trades = al.backtest(strategy_, al.load("sp500")).trades
    assert {"stop", "target", "trailing"} <= set(trades["left_by"])


def test_bollinger_reversion_weights(stocks, closes):
    middle, deviation = closes.rolling(20).mean(), closes.rolling(20).std()
    below = known(closes < middle - 2 * deviation, deviation).to_numpy()
    above = known(closes > middle, middle).to_numpy()
    expected = pd.DataFrame(hold_between(below, above) / 20)
    assert_weights(weights_of(strategy("bollinger_reversion"), stocks), expected)


def test_time_series_momentum_weights(stocks, closes):
    volatility = closes.pct_change().rolling(60).std()
    expected = np.sign(closes.pct_change(252)) * (0.01 / volatility).clip(upper=1.0) / 20
    assert_weights(weights_of(strategy("time_series_momentum"), stocks), expected)


@pytest.mark.parametrize("short", [False, True])
def test_cross_sectional_momentum_weights(stocks, closes, short):
    strength = closes.shift(21).pct_change(231)
    rank = strength.rank(axis=1, ascending=False, method="first")
    last = (-strength).rank(axis=1, ascending=False, method="first")
    picks = (rank <= 5).astype(float) - (last <= 5).astype(float) * short
    expected = picks.div(picks.abs().sum(axis=1), axis=0).where(strength.notna())
    assert_weights(weights_of(strategy("cross_sectional_momentum", short=short), stocks), expected)


def test_pair_reversion_weights(stocks, closes):
    y, x = np.log(closes["KO"]), np.log(closes["PEP"])
    n = 120
    beta = y.rolling(n).cov(x) / x.rolling(n).var()
    residual = (y - y.rolling(n).mean()) - beta * (x - x.rolling(n).mean())
    z = (residual - residual.rolling(n).mean()) / residual.rolling(n).std()
    conditions = [z < -2.0, z > -0.25, z > 2.0, z < 0.25]
    columns = [known(c, z).to_numpy()[:, None] for c in conditions]
    side = hold_between(columns[0], columns[1]) - hold_between(columns[2], columns[3])
    share = side[:, 0] / (1 + beta.abs())
    actual = weights_of(strategy("pair_reversion"), stocks)
    np.testing.assert_allclose(actual["KO"], share, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(actual["PEP"], -share * beta, rtol=1e-6, atol=1e-9)
    assert actual.drop(columns=["KO", "PEP"]).isna().all().all()


def test_donchian_breakout_trades_at_breakouts():
    bars = al.load("sp500")
    result = al.backtest(strategy("donchian_breakout"), bars)
    frame = pd.DataFrame({name: bars.columns[name][:, 0] for name in ("high", "low", "close")})
    highest, lowest = frame.high.rolling(55).max().shift(1), frame.low.rolling(20).min().shift(1)
    held, expected = False, []
    for t in range(len(frame)):
        # Filled at the open of t + 1: that row decides with the new position.
        if not held and frame.close[t] > highest[t]:
            held = True
            expected.append((t, 1))
        elif held and frame.close[t] < lowest[t]:
            held = False
            expected.append((t, -1))
    fills = result.record.fills
    orders = list(zip(fills["order_row"], np.sign(fills["qty"]), strict=True))
    assert orders == [order for order in expected if order[0] < len(frame) - 1]


@pytest.mark.parametrize(("name", "data", "expected"), DONE)
def test_what_it_did(name, data, expected):
    result = al.backtest(strategy(name), al.load(data), costs=al.Costs(fee_bps=10))
    m = result.metrics
    actual = (m["total_return"], m["sharpe"], m["max_drawdown"], m["n_fills"])
    assert actual == pytest.approx(expected, rel=1e-6)


def test_buy_and_hold_trades_once_in_spite_of_gaps(shared_data):
    bars = al.load(shared_data / "crypto_5m_binance.parquet", label="open")
    assert np.isnan(bars.close).any()
    result = al.backtest(strategy("buy_and_hold"), bars)
    assert sorted(result.record.fills["asset"]) == list(range(10))
