"""A later start: earlier rows feed the signals, nothing trades on them, the report counts them."""

from __future__ import annotations

import numpy as np
import pytest
from compare import assert_identical

import alphalab as al
from alphalab.artifact.loading import load_strategy

START = "2010-01-01"


class Slow(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(200), 1.0, 0.0)


@pytest.fixture(scope="module")
def bars() -> al.Bars:
    return al.load("sp500")


@pytest.fixture(scope="module")
def warm(bars) -> al.Result:
    return al.backtest(Slow(), bars, start=START)


def test_rows_before_the_start_are_seen_and_not_traded(bars, warm):
    whole = al.backtest(Slow(), bars)
    traded = bars.between(START)
    assert warm.bars == traded
    assert warm.n_warm == bars.n_rows - traded.n_rows
    assert_identical(warm.record.targets, whole.record.targets[warm.n_warm :])
    assert warm.record.fills["row"][0] == 1  # decided in the first row that is traded
    cold = al.backtest(Slow(), traded)
    assert np.isnan(cold.record.targets[:199]).all()
    assert cold.n_warm == 0


def test_a_run_again_sees_the_same_rows(warm):
    """What is found by running again, such as the break-even fee, must not start cold."""
    assert warm.break_even_bps() != al.backtest(Slow(), warm.bars).break_even_bps()
    again = warm.rerun(warm.settings, benchmark=None)
    assert again.digest == warm.digest


def test_the_report_says_how_many(warm, tmp_path):
    words = f"{warm.n_warm:,} rows before the first one were seen by the expressions, not traded."
    assert warm.assumptions["Warm-up"] == words
    assert words in warm.to_html(tmp_path / "report.html").read_text()
    assert warm.to_dict()["n_warm"] == warm.n_warm
    assert "Warm-up" not in al.backtest(Slow(), warm.bars).assumptions


def test_blocks_change_nothing(bars, warm):
    for rows in (1, 7):
        assert al.backtest(Slow(), bars, start=START, block_rows=rows).digest == warm.digest


def test_a_decide_sees_signals_that_are_warm(bars):
    strategy = load_strategy("donchian_breakout")()
    found = al.backtest(strategy, bars, start=START)
    assert found.record.fills["row"][0] < strategy.enter
    assert al.backtest(strategy, bars.between(START)).record.fills["row"][0] >= strategy.enter


def test_a_benchmark_is_cut_with_the_rows(bars, warm):
    found = al.backtest(Slow(), bars, start=START, benchmark=bars.close[:, 0])
    assert_identical(found.benchmark, bars.between(START).close[:, 0])


def test_the_first_row_as_a_start_changes_nothing(bars):
    assert al.backtest(Slow(), bars, start=bars.start).digest == al.backtest(Slow(), bars).digest


def test_a_start_without_rows_is_refused(bars):
    with pytest.raises(al.errors.DataError, match="no rows between start=2030-01-01"):
        al.backtest(Slow(), bars, start="2030-01-01")


def test_the_command_starts_warm(cli, bars):
    strategy = ("backtest", "sma_cross", "-p", "slow=200", "--data", "sp500", "--start", START)
    run = cli(*strategy, "--json").object
    cross = load_strategy("sma_cross")(slow=200)
    expected = al.backtest(cross, bars, start=START)
    assert (run["digest"], run["n_warm"]) == (expected.digest, expected.n_warm)
    text = cli(*strategy, "--end", "2012-01-01").out
    assert f"Warm-up: {expected.n_warm:,} rows before the first one were seen" in text
