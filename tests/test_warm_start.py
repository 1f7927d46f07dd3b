"""A later start: earlier rows feed the signals, nothing trades on them, the report counts them."""

from __future__ import annotations

import joblib
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


# --- sweeps, checks, validations and walk-forwards: the same rows, seen and not traded ------------

GRID = {"fast": [5, 20], "slow": [100, 200]}


@pytest.fixture(scope="module")
def swept(bars) -> al.Sweep:
    return al.sweep(load_strategy("sma_cross"), bars, GRID, start=START)


def test_a_sweep_equals_the_backtests_of_its_columns(bars, swept):
    assert swept.bars == bars.between(START)
    for column, variant in enumerate(swept.variants):
        alone = al.backtest(variant.strategy, bars, start=START)
        assert swept.digest(column) == alone.digest == swept.result(column).digest
        assert swept.result(column).n_warm == alone.n_warm
    cold = al.sweep(load_strategy("sma_cross"), bars.between(START), GRID)
    assert all(swept.digest(i) != cold.digest(i) for i in range(4))


def test_processes_and_strategies_with_decide_start_warm_too(bars):
    cls, grid = load_strategy("donchian_breakout"), {"enter": [20, 55]}
    found = al.sweep(cls, bars, grid, start=START)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        elsewhere = al.sweep(cls, bars, grid, start=START)
    assert found.tallies.tobytes() == elsewhere.tallies.tobytes()
    alone = al.backtest(cls(enter=20), bars, start=START)
    assert found.digest(0) == alone.digest


def test_kept_columns_of_another_start_are_refused(bars, tmp_path):
    sma, file = load_strategy("sma_cross"), tmp_path / "kept.db"
    al.sweep(sma, bars, GRID, start=START, results=file)
    again = al.sweep(sma, bars, GRID, start=START, results=file)
    assert again.ran.all()
    with pytest.raises(al.errors.InputError, match="first traded row"):
        al.sweep(sma, bars, GRID, start="2011-01-01", results=file)


def test_a_walk_forward_trains_and_trades_warm(bars):
    sma = load_strategy("sma_cross")
    walk = al.walk_forward(sma, bars, GRID, train=800, test=400, start=START)
    traded = bars.between(START)
    assert walk.bars == traded and walk.folds[0].train == (0, 800)
    n_warm = bars.n_rows - traded.n_rows
    for fold, found in zip(walk.folds, walk.sweeps, strict=True):
        seen = bars.rows(0, n_warm + fold.train[1])
        alone = al.sweep(sma, seen, GRID, start=np.datetime64(int(found.bars.time[0]), "ns"))
        assert found.history.n_warm == n_warm + fold.train[0]
        assert found.table["digest"].tolist() == alone.table["digest"].tolist()
    assert walk.result.n_warm == n_warm + 800
    whole = al.walk_forward(sma, traded, GRID, train=800, test=400)
    assert whole.sweeps[0].digest(0) != walk.sweeps[0].digest(0)


def test_a_check_cuts_where_it_trades(bars):
    found = al.check_causality(Slow(), bars, start=START)
    n_warm = bars.n_rows - bars.between(START).n_rows
    assert found.ok and found.n_warm == n_warm
    assert min(found.cuts) >= n_warm
    assert f"{n_warm:,} rows before the first one were seen, not traded" in str(found)


class Peeks(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.column("next") > al.close, 1.0, 0.0)


def peek(bars: al.Bars) -> al.Bars:
    following = np.vstack([bars.close[1:], bars.close[-1:]])
    return bars.with_columns({"next": following})


def test_a_leak_is_found_in_rows_that_are_traded(bars):
    short = bars.between("2009-06-01", "2011-12-31")
    found = al.check_causality(Peeks(), short, prepare=peek, start=START)
    first = {leak.output: leak for leak in found.leaks}
    assert first["signals"].source == "column('next')"
    n_warm = short.n_rows - short.between(START).n_rows
    for output in ("signals", "targets"):
        leak = first[output]
        traded = leak.row if output == "signals" else leak.row + n_warm
        assert leak.time[:19] == str(short.time[traded].astype("M8[ns]"))[:19]
        assert (f"start='{short.between(START).start}'" in leak.counter_example) == (
            output != "signals"
        )


def test_a_validation_starts_warm(bars, tmp_path):
    found = al.validate(Slow(), bars, costs=al.Costs(fee_bps=2), start="2013-01-01")
    alone = al.backtest(Slow(), bars, costs=al.Costs(fee_bps=2), start="2013-01-01")
    assert found.record.digest == alone.digest
    assert found.record.data_ids == (bars.id,)
    assert found.evidence.causality.n_warm == alone.n_warm
    words = f"{alone.n_warm:,} rows before the first one were seen"
    assert words in found.to_html(tmp_path / "report.html").read_text()
    assert found.to_dict()["n_warm"] == alone.n_warm
    starts = [x for x in found.evidence.stress if x.kind == "start"]
    n = found.evidence.history.traded.n_rows
    row = alone.n_warm + n // 10
    later = al.backtest(
        *(Slow(), bars), costs=al.Costs(fee_bps=2), start=np.datetime64(int(bars.time[row]), "ns")
    )
    assert starts[0].sharpe == later.metrics["sharpe"]


def test_the_commands_start_where_the_backtest_does(cli, bars, tmp_path):
    strategy = ("sma_cross", "--data", "sp500", "--start", START, "--fee-bps", "2")
    single = cli("backtest", *strategy, "--json").object
    sweep = cli("sweep", *strategy, "-g", "fast=10", "--json").object
    assert sweep["best"]["digest"] == single["digest"]
    assert sweep["n_warm"] == single["n_warm"] > 0
    assert (
        f"{single['n_warm']:,} rows before the first one were seen, not traded"
        in cli("sweep", *strategy, "-g", "fast=10").out
    )
    check = cli("check", *strategy, "--json").object
    assert check["n_warm"] == single["n_warm"]
    out = ("--out", tmp_path / "v")
    found = cli("validate", *strategy, *out, "--json").object
    assert (found["digest"], found["n_warm"]) == (single["digest"], single["n_warm"])
