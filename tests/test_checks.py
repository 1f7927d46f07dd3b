"""Inputs that are refused before the first row, and warnings of results."""

from __future__ import annotations

import numpy as np
import pytest
from builders import one_price

import alphalab as al

pytestmark = pytest.mark.nojit

PRICES = np.array([[10.0], [10.0], [11.0], [12.0]])


def bars(n_assets: int = 1, **columns: np.ndarray) -> al.Bars:
    close = columns.pop("close", np.repeat(PRICES, n_assets, axis=1))
    days = np.arange("2024-01-02T21", "2024-01-06T21", 24, "M8[h]").astype("M8[ns]")
    symbols = [f"S{j}" for j in range(n_assets)]
    return one_price(days, close, symbols, columns=columns, periods_per_year=252)


def weights(expression: al.Expr) -> al.Strategy:
    class Given(al.Strategy):
        def weights(self) -> al.Expr:
            return expression

    return Given()


@pytest.mark.parametrize(
    ("expression", "n_assets"),
    [
        (al.parse("2.0"), 1),
        (al.parse("0.6"), 2),
        (al.parse("where(close > open, 2, 0)"), 1),
        (al.parse("where(close > open, where(close > 3, 0, -1.5), 0)"), 1),
        (al.parse("fill_nan(close / close, 3)"), 1),
        (al.parse("per_symbol({'S0': 0.8, 'S1': -0.8})"), 2),
        (al.parse("per_symbol({'S0': 0.8, 'S1': 1.2})"), 2),
    ],
    ids=str,
)
def test_weights_written_above_the_gross_limit_are_refused(expression, n_assets):
    with pytest.raises(al.errors.ParameterError, match="the gross limit is 1"):
        al.backtest(weights(expression), bars(n_assets))


@pytest.mark.parametrize(
    "expression",
    [al.parse("where(close > open, 1, nan)"), al.parse("per_symbol({'S0': 0.5})"), al.parse("1")],
    ids=str,
)
def test_weights_within_the_gross_limit_pass(expression):
    al.backtest(weights(expression), bars())


def test_weights_above_the_limit_by_the_data_are_scaled_and_said():
    result = al.backtest(weights(al.close / 5), bars())
    assert np.nanmax(result.record.targets) == 1.0
    assert any("gross exposure of up to 2.4" in warning for warning in result.warnings)


def test_nothing_can_trade_is_said_only_when_nothing_traded():
    mute = al.backtest(weights(al.where(al.close > al.close.ts_mean(50), 1, 0)), bars())
    assert any(warning.startswith("Nothing can trade") for warning in mute.warnings)
    filled = al.where(al.close > al.close.ts_mean(50), 1, 0).fill_nan(1)
    assert al.backtest(weights(filled), bars()).warnings == ()


def test_a_position_without_a_last_price_is_said():
    gone = PRICES.copy()
    gone[2:] = np.nan
    close = np.hstack([gone, PRICES])
    result = al.backtest(weights(al.parse("fill_nan(close / close, 1) / 2")), bars(2, close=close))
    assert any("S0 is held at the end" in warning for warning in result.warnings)


def test_a_lock_is_said_with_its_day():
    fallen = np.array([[10.0], [10.0], [5.0], [5.0]])
    result = al.backtest(
        weights(al.parse("1.0")), bars(close=fallen), limits=al.Limits(drawdown=0.2)
    )
    assert any(
        warning.startswith("2024-01-04: drawdown limit") and "1 rows that follow" in warning
        for warning in result.warnings
    )


def test_accounts_that_cannot_be():
    a, b = al.Instrument(symbol="A"), al.Instrument(symbol="B", currency="JPY")
    for instruments, words in (([a, a], "twice"), ([a, b], "need currency=")):
        with pytest.raises(al.errors.ParameterError, match=words):
            al.Engine(weights(al.parse("0.1")), instruments, al.RunSettings())


def test_a_strategy_is_decided_in_one_way():
    class Both(al.Strategy):
        def weights(self):
            return al.close

        def signals(self):
            return {"x": al.close}

        @staticmethod
        def decide(table, account, memory):
            return table[0]

    with pytest.raises(al.errors.StrategyError, match="one of the two"):
        al.backtest(Both(), bars())


def test_a_parameter_without_a_type_is_refused():
    with pytest.raises(al.errors.StrategyError, match="Write n: int = 20"):

        class Untyped(al.Strategy):
            n = 20


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: al.backtest(weights(al.close), "sp500"), "it takes bars"),
        (lambda: al.backtest(weights(al.close), bars(), benchmark=[1.0]), "one for each of the 4"),
        (lambda: al.backtest(weights(al.close), bars(), fill="close"), "next_open, next_close"),
        (lambda: al.Rebalance.calendar("monthly"), "Choose from day, week, month"),
        (lambda: al.Rebalance(when="calendar"), "a period to calendar"),
        (lambda: al.Rebalance(threshold=0.3), "belong to drift"),
    ],
)
def test_wrong_calls_say_what_is_right(call, words):
    with pytest.raises(al.errors.ParameterError, match=words):
        call()


def test_a_snapshot_is_refused_after_half_a_push():
    class Breaks(al.Strategy):
        def signals(self):
            return {"close": al.close}

        @staticmethod
        def decide(table, account, memory):
            return table[0, :0] if account.row == 1 else table[0] * 0.0

    market = bars()
    engine = al.Engine(Breaks(), market.instruments, al.RunSettings())
    with pytest.raises(al.errors.StrategyError, match="failed in row 1"):
        engine.push(market.time, market.columns)
    with pytest.raises(al.errors.StateError, match="did not end"):
        engine.snapshot()


def test_equity_that_is_not_finite_is_an_error():
    """Bought at the least price and sold at the largest, again and again."""
    price = np.where(np.arange(40) % 2, 1e15, 1e-15)[:, np.newaxis]
    days = np.datetime64("2024-01-01", "ns") + np.arange(40) * np.timedelta64(1, "D")
    market = al.Bars(days, ["A"], dict.fromkeys(("open", "high", "low", "close", "volume"), price))
    with pytest.raises(al.errors.DataError, match="equity is"):
        al.backtest(weights(al.parse("where(close > 1, 1, 0)")), market, quality="unchecked")
