"""The trial ledger: every run is counted exactly once, also by several processes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import Run

import alphalab as al
from alphalab.artifact import ledger
from alphalab.artifact.identity import family_id, strategy_id
from alphalab.artifact.ledger import read_trials, record, trial_family, uncounted
from alphalab.artifact.loading import load_strategy
from alphalab.artifact.trials import Trial, families, family_of, packed, sharpe_moments, unpacked
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import JournalError
from alphalab.research.results.segments import segment_sums
from alphalab.research.run.count import (
    OFF_NOTE,
    NotCountedWarning,
    count_backtest,
    count_validation,
)
from alphalab.research.run.family_trials import Counted, count_trials

Cli = Callable[..., Run]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "trials.sqlite"
    monkeypatch.setenv("ALPHALAB_TRIALS", str(path))
    yield path
    ledger.close_ledgers()


def trial(i: int, **fields: object) -> Trial:
    values: dict[str, object] = {
        "run": "backtest",
        "family": "f" * 64,
        "members": b"",
        "strategy": "SmaCross",
        "strategy_id": f"{i:064}",
        "parameters": f'{{"n":{i}}}',
        "data": "d" * 32,
        "settings": "s" * 64,
        "n_columns": 1,
        "n_rows": 100,
        "periods_per_year": 252.0,
        "segments": b"",
        "digest": "0" * 32,
        **sharpe_moments(np.array([0.01 * i])),
    }
    return Trial(**values | fields)  # type: ignore[arg-type]


def counted() -> list[Counted]:
    """What the ledger says of every family."""
    return [count_trials(family) for family in families(list(read_trials()))]


# Writing


def test_trials_come_back_in_order(file: Path) -> None:
    for i in range(5):
        assert record(trial(i), time=i) is not None
    found = list(read_trials())
    assert [(entry.seq, entry.time) for entry, _ in found] == [(i + 1, i) for i in range(5)]
    assert repr([t for _, t in found]) == repr([trial(i) for i in range(5)])


def test_off_counts_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHALAB_TRIALS", "off")
    assert not ledger.is_counting()
    assert record(trial(0), time=0) is None
    assert list(read_trials()) == [] and not file.exists()


def test_the_ledger_of_a_project_lies_at_its_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALPHALAB_TRIALS")
    below = tmp_path / "project" / "research" / "deep"
    below.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    monkeypatch.chdir(below)
    (tmp_path / "project" / "research" / ".alphalab" / "keys").mkdir(parents=True)
    assert ledger.ledger_path() == tmp_path / "project" / ".alphalab" / "trials.sqlite"
    record(trial(0), time=0)
    assert len(list(read_trials())) == 1


def test_a_ledger_that_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("not a ledger" * 1000)
    for path in (tmp_path / "text", tmp_path / "text" / "trials.sqlite"):
        monkeypatch.setenv("ALPHALAB_TRIALS", str(path))
        with pytest.raises(JournalError) as refused:
            ledger.check_ledger()
        assert "ALPHALAB_TRIALS names another file" in refused.value.__notes__[0]


def test_a_ledger_that_was_removed_begins_anew(file: Path) -> None:
    record(trial(0), time=0)
    for part in file.parent.glob("trials*"):
        part.unlink()
    record(trial(1), time=1)
    assert [t.parameters for _, t in read_trials()] == ['{"n":1}']


def test_processes_count_into_one_ledger(file: Path) -> None:
    body = (
        "import sys; from test_trials import record, trial\n"
        "for i in range(100): record(trial(int(sys.argv[1]) * 100 + i), time=i)\n"
    )
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", body, str(k)],
            env={**os.environ, "PYTHONPATH": here},
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(3)
    ]
    for writer in writers:
        assert writer.wait(120) == 0, writer.communicate()[1]
        writer.communicate()
    (family,) = counted()
    assert (family.n_runs, family.n_trials) == (300, 300)
    with JournalReader(file) as reader:
        assert reader.verify() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_opens_its_own(file: Path) -> None:
    record(trial(0), time=0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            record(trial(1), time=1)
            ledger.close_ledgers()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    record(trial(2), time=2)
    assert [t.parameters for _, t in read_trials()] == [f'{{"n":{i}}}' for i in range(3)]


# Families


def test_the_same_run_again_is_the_same_trial() -> None:
    for again in range(3):
        record(trial(1), time=again)
    record(trial(1, data="e" * 32), time=3)
    record(trial(1, settings="t" * 64), time=4)
    record(trial(0, strategy_id="", run="sweep", n_columns=50), time=5)
    (family,) = counted()
    assert (family.n_runs, family.n_trials, family.head.seq) == (6, 53, 6)


def test_moments_are_those_of_all_trials_together() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=n) for n in (1, 1, 7, 40)]
    for i, sharpes in enumerate(parts):
        record(trial(i, n_columns=sharpes.size, **sharpe_moments(sharpes)), time=i)
    record(trial(9, **sharpe_moments(np.array([np.nan]))), time=9)
    whole = np.concatenate(parts)
    (family,) = counted()
    assert family.sharpe_mean == pytest.approx(whole.mean(), rel=1e-12)
    assert family.sharpe_variance == pytest.approx(whole.var(ddof=1), rel=1e-12)


def test_families_are_hypotheses() -> None:
    sma = load_strategy("sma_cross")
    one = family_id(sma(fast=3), ["A", "B"], 252.0)
    assert one == family_id(sma(fast=9), ["B", "A"], 252.0) == family_id(sma, ["A", "B"], 252.0)
    assert one != family_id(sma, ["A", "C"], 252.0)
    assert one != family_id(sma, ["A", "B"], 8760.0)
    assert one != family_id(load_strategy("buy_and_hold"), ["A", "B"], 252.0)
    assert strategy_id(sma(fast=3)) != strategy_id(sma(fast=9))
    texts = ["column('x1') > 2", "column('x1') > 3.5", "column('x2') > 2", "column('x1') < 2"]
    ids = [family_id(al.ExprStrategy(text=text), ["A"], 252.0) for text in texts]
    assert ids[0] == ids[1] and len(set(ids)) == 3


def test_a_name_puts_hypotheses_together() -> None:
    assert ledger.family_name("f") == "f"
    with trial_family("mine"):
        assert ledger.family_name("f") == "name:mine"
    with uncounted():
        assert not ledger.is_counting()
    assert ledger.is_counting()


# Segment sums


def test_segment_sums_come_back_as_float32() -> None:
    rng = np.random.default_rng(1)
    total, squares, rows = rng.normal(size=(16, 5)), rng.normal(size=(16, 5)), np.arange(16) + 60
    data = packed(total, squares, rows)
    found = unpacked(data)
    np.testing.assert_array_equal(found.total, total.astype(np.float32))
    np.testing.assert_array_equal(found.squares, squares.astype(np.float32))
    np.testing.assert_array_equal(found.rows, rows)
    other_shape = np.array([16, 6], "<u4").tobytes() + data[8:]
    for broken in (b"", data[:-4], b"\x01" * 40, data[:8], data[:20], other_shape):
        with pytest.raises(JournalError, match="segment sums"):
            unpacked(broken)


def test_a_bomb_is_not_unpacked() -> None:
    large = packed(np.zeros((64, 20_000)), np.zeros((64, 20_000)), np.zeros(64, np.int64))
    for shape in ([16, 1], [60_000, 60_000]):
        with pytest.raises(JournalError, match="segment sums"):
            unpacked(np.array(shape, "<u4").tobytes() + large[8:])


# Independent trials


def with_sums(i: int, returns: np.ndarray, **fields: object) -> Trial:
    """A sweep of these returns, (T, M)."""
    sums = segment_sums(returns)
    sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    more = {"run": "sweep", "n_columns": returns.shape[1], "segments": packed(*sums)}
    return trial(i, **more | sharpe_moments(sharpes) | fields)


def test_a_search_that_converges_is_few_independent_trials() -> None:
    """Sixty columns about three ideas: the variance is that between the ideas."""
    rng = np.random.default_rng(5)
    ideas = rng.normal(0.0005, 0.01, (1_600, 3))
    sharpes: list[float] = []
    means = []
    for i in range(3):
        noise = rng.normal(0.0, 0.001, (1_600, 20))
        found = np.repeat(ideas[:, [i]], 20, axis=1) + noise
        record(with_sums(i, found), time=i)
        sharpes.extend(found.mean(axis=0) / found.std(axis=0, ddof=1))
        means.append(np.mean(sharpes[-20:]))
    (family,) = counted()
    assert (family.n_runs, family.n_trials, family.n_effective) == (3, 60, 3)
    assert family.sharpe_variance == pytest.approx(np.var(means, ddof=1), rel=1e-4)
    assert family.column_variance == pytest.approx(np.var(sharpes, ddof=1), rel=1e-4)


def test_the_same_column_in_several_runs_is_one_trial() -> None:
    returns = np.random.default_rng(6).normal(0.0, 0.01, (1_600, 4))
    record(with_sums(0, returns), time=0)
    record(with_sums(1, returns[:, [2]], run="validate"), time=1)
    record(with_sums(2, returns[:, [1, 3]], settings="t" * 64), time=2)
    (family,) = counted()
    assert (family.n_runs, family.n_trials, family.n_effective) == (3, 4, 4)
    record(with_sums(3, returns[:, [2]], data="e" * 32), time=3)
    assert counted()[0][:3] == (4, 5, 5)  # of other data nothing is known to be the same
    record(trial(4, n_columns=7, **sharpe_moments(np.arange(7.0))), time=4)
    assert counted()[0][:3] == (5, 12, 12)  # nor without segment sums


def test_columns_that_fell_to_zero_are_trials_that_nobody_can_choose() -> None:
    returns = np.random.default_rng(7).normal(0.0, 0.01, (1_600, 4))
    record(with_sums(0, returns, n_columns=6), time=0)
    assert counted()[0][:3] == (1, 6, 4)


# Commands


def test_the_commands_on_an_empty_ledger(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing was tried yet" in cli("trials", "list").out
    assert cli("trials", "list", "--ledger", "none.sqlite").code == 2
    assert cli("trials", "show", "x").code == 2
    monkeypatch.setenv("ALPHALAB_TRIALS", "off")
    run = cli("trials", "list")
    assert (run.code, "ALPHALAB_TRIALS is off" in run.err) == (2, True)


def test_families_are_listed_and_shown(cli: Cli, file: Path) -> None:
    for i in range(30):
        record(trial(i, family="a" * 63 + str(i % 2)), time=i)
    record(trial(99, family="name:momentum"), time=99)
    listed = cli("trials", "list", "--json").object["families"]
    assert [(x["n_runs"], x["n_trials"]) for x in listed] == [(15, 15), (15, 15), (1, 1)]
    assert "momentum" in cli("trials", "list").out
    run = cli("trials", "show", "momentum", "--json")
    assert [x["row"] for x in run.object["runs"]] == [31]
    assert len(cli("trials", "show", "a" * 63 + "1", "--json").object["runs"]) == 15
    assert len(cli("trials", "show", "a" * 63 + "1", "--limit", "4").out.splitlines()) == 6
    several = cli("trials", "show", "aaa")
    assert (several.code, "begins 2 families" in several.err) == (2, True)


def test_a_tampered_ledger_is_named_by_row(cli: Cli, file: Path, tmp_path: Path) -> None:
    for i in range(10):
        record(trial(i), time=i)
    ledger.close_ledgers()
    head = cli("trials", "verify", "--json").object["head"]
    for name, statement, row in (
        ("changed", "update event set time = 0 where seq = 5", "row 5: changed"),
        ("cut", "delete from event where seq > 7", "row 8: missing, and all that followed"),
        ("left out", "delete from event where seq = 2", "row 2: missing; row 3 follows"),
    ):
        path = shutil.copy(file, tmp_path / name)
        sql = sqlite3.connect(path)
        with sql:
            sql.execute(statement)
        sql.close()
        run = cli("trials", "verify", "--ledger", path)
        assert run.code == 1 and row in run.out
    record(trial(10), time=10)
    assert cli("trials", "verify", "--head", head).code == 0


# Runs


def trials() -> list[Trial]:
    return [t for _, t in read_trials()]


def test_a_backtest_is_a_trial() -> None:
    bars = al.load("sp500")
    sma = load_strategy("sma_cross")
    result = al.backtest(sma(fast=5), bars)
    (row,) = trials()
    assert (row.run, row.strategy, row.n_columns, row.n_rows) == ("backtest", "SmaCross", 1, 5031)
    assert row.strategy_id == strategy_id(sma(fast=5))
    assert (row.data, row.settings, row.digest) == (bars.id, result.settings.id, result.digest)
    assert row.parameters == '{"fast":5,"slow":30}'
    annual = row.sharpe_best * np.sqrt(row.periods_per_year)
    assert annual == pytest.approx(result.metrics["sharpe"], rel=1e-12)
    total, squares, rows = unpacked(row.segments)
    assert rows.tolist() == np.diff(np.arange(17) * 5031 // 16).tolist()
    assert total.sum() == pytest.approx(result.row_returns.sum(), rel=1e-5)
    assert squares.sum() == pytest.approx((result.row_returns**2).sum(), rel=1e-5)


def test_a_sweep_is_as_many_trials_as_it_has_columns() -> None:
    bars = al.load("sp500", start="2015-01-01")
    grid = {"fast": range(28, 33), "slow": [30, 60]}  # three of them are none
    found = al.sweep(load_strategy("sma_cross"), bars, grid)
    (row,) = trials()
    assert (row.run, row.n_columns, row.n_sharpes) == ("sweep", 7, 7)
    sharpes = found.table["sharpe"].dropna() / np.sqrt(row.periods_per_year)
    assert row.sharpe_mean == pytest.approx(sharpes.mean(), rel=1e-12)
    assert row.sharpe_variance == pytest.approx(sharpes.var(ddof=1), rel=1e-12)
    assert row.sharpe_best == pytest.approx(sharpes.max(), rel=1e-12)
    kept, sums = unpacked(row.segments), found.selection.sums
    assert (kept.total == sums.total.astype(np.float32)).all()
    assert (kept.squares == sums.squares.astype(np.float32)).all()
    al.sweep(load_strategy("sma_cross"), bars, grid)
    al.backtest(load_strategy("sma_cross")(), bars)
    (family,) = counted()
    assert (family.n_runs, family.n_trials) == (3, 8)


def test_other_fixed_parameters_are_other_trials() -> None:
    bars = al.load("sp500", start="2017-01-01")
    sma = load_strategy("sma_cross")
    for slow in (40, 50):
        al.sweep(sma(slow=slow), bars, {"fast": [2, 3]})
    al.sweep(sma(slow=50), bars, {"fast": [2, 3]}, fill="next_close")
    (family,) = counted()
    assert (family.n_runs, family.n_trials) == (3, 6)


def test_a_sweep_of_expressions_counts_for_each_of_its_families() -> None:
    bars = al.load("sp500", start="2017-01-01")
    texts = ["close > ts_mean(close, 5)", "close > ts_mean(close, 9)", "close > ts_max(close, 5)"]
    al.sweep(texts, bars)
    for text, n in zip([*texts, "close > ts_min(close, 5)"], (3, 3, 3, 0), strict=True):
        year = trials()[0].periods_per_year
        family = family_id(al.ExprStrategy(text=text), bars.symbols, year)
        assert count_trials(family_of(read_trials(), family)).n_trials == n


def test_a_search_is_counted_as_it_went() -> None:
    bars = al.load("sp500", start="2017-01-01")
    search = al.Search({"fast": range(2, 25)}, sampler="random", n_trials=12, batch=6)
    found = al.sweep(load_strategy("sma_cross"), bars, search)
    (row,) = trials()
    assert (row.run, row.n_columns) == ("search", int(found.ran.sum()))


def test_a_walk_forward_is_one_row_of_its_variants() -> None:
    bars = al.load("sp500", start="2010-01-01")
    grid = {"fast": [5, 10], "slow": [30, 60]}
    walk = al.walk_forward(load_strategy("sma_cross"), bars, grid, train="900d", test="300d")
    (row,) = trials()
    assert len(walk.folds) > 3
    assert (row.run, row.n_columns, row.n_sharpes) == ("walk_forward", 4, 4)
    assert (row.digest, row.data) == (walk.result.digest, bars.id)


def test_a_backtest_over_a_scan_is_a_trial(cli: Cli, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    ingest = ("data", "ingest", "sp500", "--venue", "demo", "--interval", "1d", "--store", store)
    assert cli(*ingest).code == 0
    strategy = load_strategy("sma_cross")()
    summary = al.backtest(strategy, al.scan("store:demo/1d", store=store))
    result = al.backtest(strategy, al.load("store:demo/1d", store=store))
    scanned, whole = trials()
    assert scanned.digest == whole.digest == summary.digest == result.digest
    assert scanned.sharpe_best == pytest.approx(whole.sharpe_best, rel=1e-9)
    assert (scanned.family, scanned.n_rows) == (whole.family, 5031)
    assert scanned.segments == b"" and whole.segments


def test_a_validation_counts_itself_and_learns_of_its_family(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bars = al.load("sp500", start="2017-01-01")
    sma = load_strategy("sma_cross")
    al.sweep(sma, bars, {"fast": [2, 3, 4]})
    with uncounted():
        result = al.backtest(sma(), bars)
        assert count_validation(sma(), result, data=bars.id) is None
    family = count_validation(sma(), result, data=bars.id)
    assert family is not None and (family.n_runs, family.n_trials) == (2, 4)
    assert [t.run for t in trials()] == ["sweep", "validate"]
    with JournalReader(ledger.ledger_path() or "") as reader:
        assert family.head == reader.head
    monkeypatch.setenv("ALPHALAB_TRIALS", "off")
    assert count_validation(sma(), result, data=bars.id) is None


def test_results_say_that_the_ledger_was_off(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = al.load("sp500", start="2010-01-01")
    sma, grid = load_strategy("sma_cross"), {"fast": [2, 3]}
    assert OFF_NOTE not in al.backtest(sma(), bars).warnings
    monkeypatch.setenv("ALPHALAB_TRIALS", "off")
    walk = al.walk_forward(sma, bars, grid, train="900d", test="900d")
    for found in (al.backtest(sma(), bars), al.sweep(sma, bars, grid), walk.result):
        assert OFF_NOTE in found.warnings
        assert found.ledger == "off"


def test_results_say_which_ledger_counted_them(file: Path, tmp_path: Path) -> None:
    bars = al.load("sp500", start="2010-01-01")
    sma, grid = load_strategy("sma_cross"), {"fast": [2, 3]}
    result, sweep = al.backtest(sma(), bars), al.sweep(sma, bars, grid)
    walk = al.walk_forward(sma, bars, grid, train="900d", test="900d")
    for found in (result, sweep, walk.result):
        assert found.ledger == found.to_dict()["ledger"] == str(file)
    said = f"Counted in the ledger {file}."
    assert result.assumptions["Trials"] == said
    assert said in sweep.to_html(tmp_path / "sweep.html").read_text()
    with uncounted():
        part = al.backtest(sma(), bars)
    assert part.ledger == "" and "Trials" not in part.assumptions
    assert sweep.result(0).ledger == ""  # a column that is run again is no new trial


def test_uncounted_runs_and_other_names() -> None:
    bars = al.load("sp500", start="2017-01-01")
    with uncounted():
        al.backtest(load_strategy("sma_cross")(), bars)
    assert trials() == []
    with trial_family("trend"):
        al.backtest(load_strategy("sma_cross")(), bars)
        al.backtest(load_strategy("donchian_breakout")(), bars)
    assert [family.name for family in families(list(read_trials()))] == ["name:trend"]
    assert counted()[0].n_trials == 2


def test_no_run_starts_that_could_not_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("not a ledger" * 1000)
    monkeypatch.setenv("ALPHALAB_TRIALS", str(tmp_path / "text"))
    bars = al.load("sp500", start="2017-01-01")
    with pytest.raises(JournalError, match="not a database"):
        al.backtest(load_strategy("sma_cross")(), bars)
    with pytest.raises(JournalError, match="not a database"):
        al.sweep(load_strategy("sma_cross"), bars, {"fast": [2, 3]})


def test_a_ledger_that_fails_at_the_end_costs_no_result(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = al.load("sp500", start="2017-01-01")
    result = al.backtest(load_strategy("sma_cross")(), bars)
    sql = sqlite3.connect(file)
    with sql:
        sql.execute("drop table head")
    sql.close()
    with pytest.warns(NotCountedWarning, match="was not counted"):
        count_backtest(load_strategy("sma_cross")(), result, data=bars.id)
    with pytest.raises(JournalError):  # a validation is nothing without its number of trials
        count_validation(load_strategy("sma_cross")(), result, data=bars.id)


def test_a_flag_names_the_family(cli: Cli) -> None:
    run = ("--data", "sp500", "--start", "2017-01-01", "--family", "trend")
    assert cli("backtest", "sma_cross", *run).code == 0
    assert cli("sweep", "sma_cross", "--grid", "fast=2,3", *run).code == 0
    (family,) = cli("trials", "list", "--json").object["families"]
    assert (family["name"], family["n_runs"], family["n_trials"]) == ("name:trend", 2, 3)
    empty = cli("backtest", "sma_cross", *run[:-1], " ")
    assert (empty.code, "a family without a name" in empty.err) == (2, True)
