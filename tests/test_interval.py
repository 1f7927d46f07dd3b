"""The interval of the three paths, and the break-even fee: both from further runs."""

from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from accounting import book
from builders import Cross, panel

import alphalab as al
from alphalab.research.results import sensitivity
from alphalab.research.results.record import Run
from alphalab.research.results.result import Result

PATHS = ["pessimistic", "ohlc", "optimistic"]


class Told(al.Strategy):
    """Holds what the column says."""

    def weights(self) -> al.Expr:
        return al.column("told")


class Dip(al.Strategy):
    exits = al.Exits(stop_loss=0.01, take_profit=0.01)

    def weights(self) -> al.Expr:
        return al.where(al.close < al.close.ts_mean(20), 1.0, 0.0)


def one_bar(high: float = 120.0, low: float = 80.0, close: float = 100.0) -> al.Bars:
    """Flat at 100, long from row 1 on, and one wide bar in row 2, which opens at 100."""
    prices = np.full(5, 100.0)
    bars = panel(prices).with_columns({"told": np.full((5, 1), 1.0)})
    columns = {name: x.copy() for name, x in bars.columns.items()}
    columns["high"][2], columns["low"][2], columns["close"][2] = high, low, close
    return al.Bars(bars.time, bars.symbols, columns, periods_per_year=252.0)


def ten_percent(bars: al.Bars, **settings: object) -> Result:
    exits = al.Exits(stop_loss=0.1, take_profit=0.1)
    return al.backtest(Told(), bars, cash=1_000.0, exits=exits, **settings)


def test_a_bar_that_meets_stop_and_target_by_hand() -> None:
    result = ten_percent(one_bar())
    table = result.interval()
    assert list(table.columns) == PATHS
    assert list(table.index) == list(result.metrics)
    # Bought 10 at 100: out at 90 or at 110. The way to the nearer extreme is a tie: the low first.
    assert table.loc["final_equity"].tolist() == pytest.approx([900, 900, 1_100])
    (bar,) = result.ambiguities.to_dict("records")
    assert (bar["low_first"], bar["high_first"]) == pytest.approx((900, 1_100))
    assert (bar["taken"], bar["row"], bar["symbol"]) == ("low first", 2, "S0")
    assert bar["at_stake"] == pytest.approx(200)


def test_the_guess_goes_to_the_nearer_extreme() -> None:
    nearer_high = ten_percent(one_bar(high=115.0)).interval()
    assert nearer_high.loc["final_equity"].tolist() == pytest.approx([900, 1_100, 1_100])


@pytest.mark.parametrize("path", PATHS)
def test_every_path_tells_the_same_interval(path: str) -> None:
    own = ten_percent(one_bar(), execution=al.Execution(path=path))
    pd.testing.assert_frame_equal(own.interval(), ten_percent(one_bar()).interval())
    assert own.metrics["final_equity"] == own.interval().loc["final_equity", path]


def test_interval_is_what_other_settings_give() -> None:
    bars = al.load("sp500")
    table = al.backtest(Dip(), bars, costs=al.Costs(fee_bps=1)).interval()
    for path in PATHS:
        run = al.backtest(Dip(), bars, costs=al.Costs(fee_bps=1), execution=al.Execution(path=path))
        assert table[path].equals(pd.Series(run.metrics, name=path, dtype=float))
    assert table.loc["total_return"].is_monotonic_increasing
    assert table.loc["total_return"].nunique() == 3


@pytest.fixture
def reruns(monkeypatch: pytest.MonkeyPatch) -> list[al.RunSettings]:
    """Settings of every run that `interval` starts."""
    seen: list[al.RunSettings] = []
    with_settings = Run.with_settings

    def counted(run: Run, settings: al.RunSettings) -> Run:
        seen.append(settings)
        return with_settings(run, settings)

    monkeypatch.setattr(Run, "with_settings", counted)
    return seen


def test_nothing_runs_again_where_no_order_meets_the_inside(reruns: list[al.RunSettings]) -> None:
    result = al.backtest(Cross(), al.load("sp500"))
    assert not result.depends_on_path
    table = result.interval()
    assert reruns == []
    assert "ptimistic" not in repr(result)  # there is nothing to tell apart
    assert all(table[path].equals(table["ohlc"]) for path in PATHS)
    # It is true as well: another path changes nothing.
    other = al.backtest(Cross(), al.load("sp500"), execution=al.Execution(path="optimistic"))
    assert other.digest == result.digest


def test_two_runs_once_and_none_to_be_shown(reruns: list[al.RunSettings]) -> None:
    result = ten_percent(one_bar())
    for text in (repr(result), result._repr_html_()):
        assert "ptimistic" not in text and "reak-even" not in text
    assert reruns == []
    result.interval()
    result.interval()
    assert [settings.execution.path for settings in reruns] == ["ohlc", "optimistic"]
    assert "(pessimistic -10.00%; expected -10.00%; optimistic 10.00%)" in repr(result)
    assert "<th>Optimistic</th>" in result._repr_html_()
    assert len(reruns) == 2


def test_margin_depends_on_the_path() -> None:
    """Four times long from 100: a low of 70 is not survived, unless nobody looks at it."""
    bars = one_bar(high=101.0, low=70.0)
    bars = bars.with_columns({"told": np.full((5, 1), 4.0)})
    margin = al.Margin(initial=0.25, maintenance=0.1)
    result = al.backtest(Told(), bars, cash=1_000.0, margin=margin)
    assert result.depends_on_path
    final = result.interval().loc["final_equity"]
    assert final["pessimistic"] < 400 and final["ohlc"] == final["optimistic"] == 1_000
    assert any(
        warning.startswith("Liquidated on 2020-01-03: equity of") for warning in result.warnings
    )
    assert result.trades["left_by"].tolist() == ["liquidation"]


def waves(n: int = 400) -> al.Bars:
    """A price that swings between 95 and 105, and a target that buys low and sells high."""
    close = 100 + 5 * np.sin(np.arange(n) / 9)
    rises = np.cos(np.arange(n) / 9) > 0
    return panel(close).with_columns({"told": np.where(rises, 0.9, 0.0)[:, None]})


@pytest.mark.parametrize("fee_bps", [0.0, 3.0, None])
def test_break_even_leaves_nothing(fee_bps: float | None) -> None:
    result = al.backtest(Told(), waves(), costs=al.Costs(fee_bps=fee_bps))
    assert result.metrics["total_return"] > 0.1
    fee = result.break_even_bps()
    around = [
        al.backtest(Told(), waves(), costs=al.Costs(fee_bps=fee + step)).metrics["total_return"]
        for step in (-sensitivity.TOLERANCE_BPS, sensitivity.TOLERANCE_BPS)
    ]
    assert around[0] > 0 > around[1]
    # Nearly the gain per value traded: a trade's fee is paid from a smaller account, not its gain.
    free = al.backtest(Told(), waves())
    gain = free.metrics["final_equity"] - free.settings.cash
    assert fee == pytest.approx(gain / free.record.ledger["turnover"][-1] * 1e4, rel=0.5)


def test_break_even_keeps_other_costs_and_replaces_fees() -> None:
    tiers = (al.FeeTier(value=0, maker_bps=1, taker_bps=9),)
    plain, tiered, slow = (
        al.backtest(Told(), waves(), costs=costs).break_even_bps()
        for costs in (al.Costs(), al.Costs(tiers=tiers), al.Costs(slippage_bps=10))
    )
    assert plain == tiered
    assert plain - 11 < slow < plain - 9
    unit = al.backtest(Told(), waves(), costs=al.Costs(fee_per_unit=0.1)).break_even_bps()
    assert plain - 11 < unit < plain - 9  # 0.1 of about 100


def test_break_even_cases() -> None:
    loses = waves().with_columns({"told": 0.9 - waves()["told"]})
    assert math.isnan(al.backtest(Told(), loses).break_even_bps())
    nothing = waves().with_columns({"told": np.zeros((400, 1))})
    assert math.isnan(al.backtest(Told(), nothing).break_even_bps())
    rockets = panel(np.geomspace(1, 1e6, 50)).with_columns({"told": np.full((50, 1), 0.5)})
    assert al.backtest(Told(), rockets).break_even_bps() == math.inf
    still = panel(np.full(50, 100.0)).with_columns({"told": np.full((50, 1), 0.5)})
    assert 0 <= al.backtest(Told(), still).break_even_bps() <= sensitivity.TOLERANCE_BPS


def test_break_even_takes_few_runs_once(reruns: list[al.RunSettings]) -> None:
    result = al.backtest(Told(), waves())
    assert result.break_even_bps() == result.break_even_bps()
    assert 3 <= len(reruns) <= 12
    assert f"break-even fee {result.break_even_bps():,.2f} bps" in repr(result)
    assert {settings.costs.tiers for settings in reruns} == {()}


@pytest.mark.parametrize("edge", [0.004, 3.0, 77.7])
@pytest.mark.parametrize("loss", [1e-9, 1.0, 1e9])
def test_break_even_finds_a_jump(edge: float, loss: float) -> None:
    """A lot less, an order refused: equity may jump, by little or by much."""
    tried: list[float] = []

    def jumps(fee_bps: float) -> tuple[float, float]:
        tried.append(fee_bps)
        return (1.0 if fee_bps < edge else -loss), 500.0

    assert sensitivity.break_even_bps(jumps) == pytest.approx(edge, abs=0.01)
    assert len(tried) < 35


def test_the_benchmark_goes_along() -> None:
    closes = np.linspace(50.0, 100.0, 5)
    table = ten_percent(one_bar(), benchmark=closes).interval()
    assert table.loc["benchmark_return"].tolist() == [1.0] * 3


def test_a_result_by_hand_cannot_be_run_again() -> None:
    result = book(panel([100.0, 101.0, 102.0]), [(1, 0, 1.0)])
    assert result.interval().loc["n_fills"].tolist() == [1, 1, 1]
    with pytest.raises(al.errors.StateError, match="cannot be run again"):
        _ = result.break_even_bps()


def test_a_result_that_was_pickled_can_be_run_again() -> None:
    result = al.backtest(Dip(), al.load("sp500"))
    again = pickle.loads(pickle.dumps(result))
    assert again.digest == result.digest
    pd.testing.assert_frame_equal(again.interval(), result.interval())


def test_a_changed_result_forgets_what_was_computed() -> None:
    result = ten_percent(one_bar())
    result.interval()
    wider = ten_percent(one_bar(low=95.0))
    other = dataclasses.replace(result, bars=wider.bars, rerun=wider.rerun)
    assert other.interval().loc["final_equity"].tolist() == pytest.approx([900, 1_100, 1_100])
