"""From the gate's own file to an artifact, and every way in which a validation is too old."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Run, strategy_file

import alphalab as al

Cli = Callable[..., Run]
BODY = """n: int = 20
def weights(self):
    return al.where(al.close > al.close.ts_mean(self.n), 1, 0)"""
RUN = ("mine.py", "--data", "mine.csv", "--fee-bps", "5")


@pytest.fixture
def validated(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a strategy, its data, a key, and what the gate wrote on them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("ALPHALAB_TRIALS", str(tmp_path / "trials.sqlite"))
    strategy_file(tmp_path, BODY)
    frame = al.load("sp500").between("2014-01-01", "2016-12-31").to_frame("long").reset_index()
    frame.to_csv("mine.csv", index=False)
    assert cli("key", "new", "anna").code == 0
    assert cli("validate", *RUN, "--out", "validation").code == 3
    return tmp_path


def promote(cli: Cli, *more: str) -> Run:
    made = ("--validation", "validation/validation.json", "--key", "anna", "--out", "artifact")
    return cli("promote", *RUN, *made, "--override", "to learn", *more)


def test_the_gates_file_is_promoted_with_its_trials(cli: Cli, validated: Path) -> None:
    assert cli("promote", *RUN, "--key", "anna").code == 2  # without a validation
    run = promote(cli)
    assert run.code == 0, run
    shown = cli("artifact", "show", "artifact", "--json").object
    wrote = json.loads(Path("validation/validation.json").read_text())
    record = json.loads(Path("artifact/validation.json").read_text())
    assert record.items() <= wrote.items()
    assert (record["n_trials"], record["ledger_head"][:2]) == (1, "1:")
    assert shown["override"]["why"] == "to learn"
    manifest = json.loads(Path("artifact/manifest.json").read_text())
    assert manifest["ledger_head"] == record["ledger_head"]
    assert cli("trials", "verify", "--head", record["ledger_head"]).code == 0
    assert cli("reproduce", "artifact").code == 0


def test_a_validation_that_is_too_old_is_refused(cli: Cli, validated: Path) -> None:
    text, data = Path("mine.py").read_text(), Path("mine.csv").read_text()
    for changed in (text.replace("n: int = 20", "n: int = 21"), text.replace("1, 0)", "0.9, 0)")):
        Path("mine.py").write_text(changed)
        run = promote(cli)
        assert (run.code, "the validation is of another strategy" in run.err) == (3, True), run
    Path("mine.py").write_text(text)
    Path("mine.csv").write_text("\n".join(data.splitlines()[:-1]) + "\n")
    run = promote(cli)
    assert (run.code, "the validation is of another data" in run.err) == (3, True), run
    Path("mine.csv").write_text(data)
    run = promote(cli, "--fill", "next_close")
    assert (run.code, "the validation is of another settings" in run.err) == (3, True), run
    assert not Path("artifact").exists()
    assert promote(cli).code == 0
