"""A validation takes the number of trials from the ledger, and counts itself there once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import Run
from planted_alpha import Follow, planted_bars

import alphalab as al
from alphalab.artifact import ledger
from alphalab.artifact.ledger import read_trials, trial_family
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import JournalError
from alphalab.research.results.overfitting import clusters_of
from alphalab.research.results.segments import segment_sums
from alphalab.research.results.sharpe_ratio import probabilistic_sharpe

BARS = planted_bars(400, strength=0.0)
GRID = {"n": [2, 10, 40, 90]}


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "trials.sqlite"
    monkeypatch.setenv("ALPHALAB_TRIALS", str(path))
    yield path
    ledger.close_ledgers()


def test_number_variance_and_head_are_those_of_the_ledger(file: Path, tmp_path: Path) -> None:
    swept = al.sweep(Follow, BARS, GRID)
    found = al.validate(Follow(), BARS)
    runs = [trial for _, trial in read_trials()]
    assert [trial.run for trial in runs] == ["sweep", "validate"]  # nothing inside was counted
    with JournalReader(file) as reader:
        assert found.record.ledger_head == found.trials.head == str(reader.head)
    assert (found.record.n_trials, found.trials.counted) == (5, True)
    alone = [swept.result(i).row_returns for i in range(4)]
    sums = segment_sums(np.stack([*alone, found.evidence.result.row_returns], axis=1))
    clusters = clusters_of(sums)
    assert found.record.n_effective == found.trials.n == clusters.n_effective > 1
    assert found.trials.variance == pytest.approx(clusters.variance, rel=1e-5)  # kept as float32
    check = next(x for x in found.record.checks if x.name == "deflated_sharpe")
    assert found.trials.column_variance == pytest.approx(clusters.column_variance, rel=1e-5)
    assert found.trials.by_chance == pytest.approx(clusters.by_chance, rel=1e-5)
    assert check.figure == probabilistic_sharpe(found.evidence.moments, found.trials.by_chance)
    words = f"{clusters.n_effective} independent trials of 5 in the trial ledger"
    assert words in check.reason
    said = json.loads(found.to_json(tmp_path / "validation.json").read_text())
    assert (said["n_trials"], said["trials"]["counted"]) == (5, True)
    assert said["trials"]["ledger"] == str(file)
    page = found.to_html(tmp_path / "report.html").read_text()
    assert words in page
    assert f"trial ledger {found.record.ledger_head[:24]}" in page
    assert "Trials were not counted" not in page


def test_a_validated_column_that_was_swept_counts_once() -> None:
    al.sweep(Follow, BARS, {"n": [3, 5, 7]})
    found = al.validate(Follow(n=5), BARS)
    assert found.record.n_trials == 3


def test_the_first_trial_of_all_was_not_chosen() -> None:
    found = al.validate(Follow(), BARS)
    assert (found.trials.n, found.trials.variance, found.trials.by_chance) == (1.0, 0.0, 0.0)
    check = next(x for x in found.record.checks if x.name == "deflated_sharpe")
    assert check.figure == probabilistic_sharpe(found.evidence.moments)


def test_a_validation_that_is_repeated_adds_no_trial() -> None:
    first, second = (al.validate(Follow(), BARS).record for _ in range(2))
    assert (first.n_trials, second.n_trials) == (1, 1)
    assert (first.ledger_head[:2], second.ledger_head[:2]) == ("1:", "2:")
    assert first.checks == second.checks


@pytest.mark.parametrize(("swept", "validated"), [("", "fresh"), ("old", ""), ("old", "fresh")])
def test_a_new_name_hides_no_trial(swept: str, validated: str) -> None:
    def run(name: str, work: Callable[[], object]) -> object:
        if not name:
            return work()
        with trial_family(name):
            return work()

    run(swept, lambda: al.sweep(Follow, BARS, GRID))
    run(swept, lambda: al.backtest(Follow(n=9), BARS))
    found = run(validated, lambda: al.validate(Follow(), BARS))
    assert isinstance(found, al.Validation)
    assert found.record.n_trials == 6


def test_a_name_adds_the_trials_of_other_strategies() -> None:
    with trial_family("trend"):
        al.backtest(al.ExprStrategy(text="where(close > 1, 1.0, 0.0)"), BARS)
        found = al.validate(Follow(), BARS)
    assert found.record.n_trials == 2


def test_a_ledger_that_is_off_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALPHALAB_TRIALS", "off")
    found = al.validate(Follow(), BARS)
    assert (found.record.n_trials, found.record.ledger_head) == (0, "")
    page = found.to_html(tmp_path / "report.html").read_text()
    assert "not counted" in page and "trial ledger off" in page


def test_a_ledger_that_is_damaged_is_refused_before_the_work(file: Path) -> None:
    file.write_text("not a ledger" * 1000)
    with pytest.raises(JournalError, match="not a database"):
        al.validate(Follow(), BARS)


def test_the_command_says_how_many(cli: Callable[..., Run], tmp_path: Path) -> None:
    data = ("--data", "sp500", "--start", "2016-01-01", "--fee-bps", "5")
    assert cli("sweep", "sma_cross", *data, "--grid", "fast=4,5,6").code == 0
    run = cli("validate", "sma_cross", *data, "--param", "fast=5", "--out", tmp_path / "out")
    assert run.code == 3
    # The sweep had fast=5 as well: the same returns are the same trial.
    assert re.search(r"Trials: \d independent trials? of 3 in the trial ledger", run.out)
    assert "not counted" not in run.out + run.err
    named = cli(
        *("validate", "sma_cross", *data, "--param", "fast=5", "--family", "fresh", "--json"),
        *("--out", tmp_path / "named"),
    )
    assert named.object["n_trials"] == 3
    listed = cli("trials", "list", "--json").object["families"]
    assert "name:fresh" in [family["name"] for family in listed]
