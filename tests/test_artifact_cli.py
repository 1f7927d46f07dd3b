"""The commands on keys, artifacts and promotion, as a user types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from artifact_cases import content_of
from commands import Run, process

import alphalab as al
from alphalab.artifact.format import canonical
from alphalab.artifact.loading import load_strategy

Cli = Callable[..., Run]
SMA = ("sma_cross", "--data", "sp500", "--param", "fast=5")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with a keyring."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    return tmp_path


def validated(passed: bool = True, fast: int = 5) -> Path:
    strategy = load_strategy("sma_cross")(fast=fast)
    path = Path(f"validation-{passed}-{fast}.json")
    path.write_bytes(canonical(content_of(strategy, passed=passed).validation))
    return path


def promoted(cli: Cli, to: str = "artifacts/sma", *more: str, passed: bool = True) -> Run:
    if not Path("keys").exists():
        assert cli("key", "new", "anna").code == 0
    file = validated(passed)
    return cli("promote", *SMA, "--validation", file, "--key", "anna", "--out", to, *more)


def moved_to(cli: Cli, stage: str, why: str, key: str, *more: str) -> Run:
    flags = ("--to", stage, "--why", why, "--key", key)
    return cli("artifact", "stage", "artifacts/sma", *flags, *more)


def test_from_key_to_full_and_back(cli: Cli) -> None:
    run = promoted(cli, "artifacts/sma", "--json")
    assert run.code == 0, run
    assert run.object["manifest"]["kind"] == "expressions"
    shown = cli("artifact", "show", "artifacts/sma", "--json").object
    assert shown["id"] == run.object["id"]
    assert (shown["stage"], shown["cap"], shown["override"]) == ("research", 0.0, None)
    cli("key", "new", "bob")
    folder = "artifacts/sma"
    for stage in ("paper", "limited"):
        moved = moved_to(cli, stage, "as planned", "anna")
        assert (moved.code, f"stage {stage}" in moved.out) == (0, True), moved
    waiting = moved_to(cli, "full", "it earns", "anna")
    assert "stage limited, cap 10,000" in waiting.out
    assert "The move to full waits: signed by anna, 2 are needed" in waiting.out
    assert "waits for signatures" in cli("artifact", "show", folder).err
    signed = cli("artifact", "sign", folder, "--key", "bob")
    assert "stage full, cap 1,000,000" in signed.out
    assert cli("artifact", "sign", folder, "--key", "bob").code == 3
    text = cli("artifact", "show", folder).out
    for words in ("SmaCross(fast=5, slow=30)", "limited -> full", "anna, bob", "it earns"):
        assert words in text
    down = moved_to(cli, "research", "it lost", "bob", "--json")
    assert down.object["stage"] == "research"
    assert cli("reproduce", folder).out.startswith("sma: reproduced, digest ")


def test_a_tampered_artifact_is_named_and_not_run(cli: Cli) -> None:
    promoted(cli)
    folder = Path("artifacts/sma")
    assert cli("artifact", "verify", folder).out.startswith("artifacts/sma: unchanged")
    file = folder / "settings.json"
    file.write_text(file.read_text().replace("100000.0", "900000.0"))
    for command in (("artifact", "verify"), ("artifact", "show"), ("reproduce",)):
        run = cli(*command, folder)
        assert run.code == 1
        assert "settings.json has changed since it was signed" in run.err
    listed = cli("artifact", "list", "--json")
    assert listed.code == 1 and "settings.json" in listed.object["artifacts"][0]["error"]


def test_a_refusal_and_its_override(cli: Cli) -> None:
    refused = promoted(cli, passed=False)
    assert refused.code == 3 and "the gate refused: sharpe" in refused.err
    assert not Path("artifacts").exists()
    assert promoted(cli, "artifacts/sma", "--override", "to learn", passed=False).code == 0
    for command in (("show", "artifacts/sma"), ("verify", "artifacts/sma")):
        run = cli("artifact", *command, "--quiet")
        assert "refused, overridden by anna: to learn" in run.out
    assert "refused, overridden by anna" in cli("artifact", "list").out


def test_promotion_without_validation_or_key(cli: Cli) -> None:
    cli("key", "new", "anna")
    run = cli("promote", *SMA, "--validation", "none.json", "--key", "anna")
    assert (run.code, "only what was validated is promoted" in run.err) == (2, True)
    run = cli("promote", *SMA, "--validation", validated(), "--key", "carl")
    assert (run.code, "unknown key" in run.err) == (2, True)
    run = cli("promote", *SMA, "--validation", validated(fast=6), "--key", "anna")
    assert (run.code, "the validation is of another strategy" in run.err) == (3, True)
    Path("broken.json").write_text('{"checks": []}')
    run = cli("promote", *SMA, "--validation", "broken.json", "--key", "anna")
    assert (run.code, "is what alphalab validate wrote" in run.err) == (2, True)
    run = cli(
        *("promote", *SMA, "--validation", validated(), "--key", "anna"), "--funding", "x.csv"
    )
    assert (run.code, "with --funding" in run.err) == (2, True)
    assert not Path("artifacts").exists()


def test_figures_beside_the_record_are_left_out(cli: Cli) -> None:
    cli("key", "new", "anna")
    file = validated()
    content = json.loads(file.read_text()) | {"trials": {"n": 3}, "years": [2001, None]}
    file.write_text(json.dumps(content))
    made = ("--validation", file, "--key", "anna", "--out", "sma")
    assert cli("promote", *SMA, *made).code == 0
    kept = json.loads(Path("sma/validation.json").read_text())
    assert kept.keys() == content.keys() - {"trials", "years"}


def test_models_are_checked(cli: Cli) -> None:
    Path("net.onnx").write_bytes(b"\x80\x04\x95 a pickle")
    run = promoted(cli, "artifacts/sma", "--model", "net.onnx")
    assert (run.code, "not what its name says" in run.err) == (1, True)
    assert not Path("artifacts").exists()


def test_what_differs_between_two(cli: Cli) -> None:
    promoted(cli)
    file = validated(fast=6)
    other = ("promote", "sma_cross", "--data", "sp500", "--param", "fast=6", "--fee-bps", "5")
    run = cli(*other, "--validation", file, "--key", "anna", "--out", "artifacts/other")
    assert run.code == 3 and "another settings" in run.err
    plain = other[:-2]
    assert cli(*plain, "--validation", file, "--key", "anna", "--out", "artifacts/other").code == 0
    run = cli("artifact", "diff", "artifacts/sma", "artifacts/other", "--json")
    assert "differences" in run.object, (run.err, run.object)
    found = {(x["part"], x["name"]): (x["first"], x["second"]) for x in run.object["differences"]}
    assert run.code == 1
    assert found["parameters", "fast"] == ("5", "6")
    assert found["expressions", "weights"] == ("ts_mean(close, 5)", "ts_mean(close, 6)")
    assert set(part for part, _ in found) == {"expressions", "parameters", "digest"}
    same = cli("artifact", "diff", "artifacts/sma", "artifacts/sma")
    assert (same.code, "nothing differs" in same.out) == (0, True)


def test_an_artifact_is_reproduced_elsewhere(cli: Cli, tmp_path: Path) -> None:
    promoted(cli)
    shutil.move("artifacts/sma", tmp_path / "moved")
    run = process("reproduce", str(tmp_path / "moved"), "--json", ALPHALAB_TRIALS="off")
    assert run.code == 0 and run.object["same"] is True


def test_data_that_is_gone_or_other_is_said(cli: Cli) -> None:
    bars = al.load("sp500").between("2010-01-01", "2012-12-31")
    frame = bars.to_frame("long").reset_index()
    frame.to_csv("mine.csv", index=False)
    strategy = load_strategy("sma_cross")(fast=5)
    record = content_of(strategy, bars=al.load("mine.csv")).validation
    Path("v.json").write_bytes(canonical(record))
    cli("key", "new", "anna")
    run = cli(
        *("promote", "sma_cross", "--data", "mine.csv", "--param", "fast=5"),
        *("--validation", "v.json", "--key", "anna", "--out", "mine"),
    )
    assert run.code == 0, run
    assert cli("reproduce", "mine").code == 0
    text = Path("mine.csv").read_text().splitlines()
    Path("mine.csv").write_text("\n".join(text[:-1]) + "\n")
    run = cli("reproduce", "mine")
    assert (run.code, "and was" in run.err) == (1, True)
    Path("mine.csv").unlink()
    run = cli("reproduce", "mine")
    assert (run.code, "cannot be loaded" in run.err) == (1, True)


def test_data_of_a_store_is_found_by_its_version(cli: Cli) -> None:
    ingest = ("data", "ingest", "--venue", "demo", "--interval", "1d", "--store", "store")
    assert cli(*ingest, "sp500").code == 0
    bars = al.load("store:demo/1d", store="store")
    strategy, start = load_strategy("sma_cross")(fast=5), {"start": "2010-01-01"}
    Path("v.json").write_bytes(canonical(content_of(strategy, bars=bars, **start).validation))
    cli("key", "new", "anna")
    flags = ("--data", "store:demo/1d", "--store", "store", "--start", "2010-01-01")
    made = ("--validation", "v.json", "--key", "anna", "--out", "stored")
    run = cli("promote", "sma_cross", "--param", "fast=5", *flags, *made)
    assert run.code == 0, run
    assert cli("reproduce", "stored", "--store", "store").code == 0
    assert cli(*ingest, "nasdaq").code == 0  # another version of the table, with another asset
    assert cli("reproduce", "stored", "--store", "store").code == 0
    gone = cli("reproduce", "stored", "--store", "elsewhere")
    assert (gone.code, "cannot be loaded" in gone.err) == (1, True)


def test_a_part_of_the_data_is_reproduced(cli: Cli) -> None:
    cli("key", "new", "anna")
    bars = al.load("sp500_stocks", symbols=["AAPL", "KO"], end="2018-06-30")
    strategy, start = load_strategy("buy_and_hold")(), {"start": "2015-01-01"}
    Path("v.json").write_bytes(canonical(content_of(strategy, bars=bars, **start).validation))
    part = ("--symbols", "AAPL,KO", "--start", "2015-01-01", "--end", "2018-06-30")
    made = ("--validation", "v.json", "--key", "anna", "--out", "part")
    assert cli("promote", "buy_and_hold", "--data", "sp500_stocks", *part, *made).code == 0
    assert cli("reproduce", "part").code == 0
    data = cli("artifact", "show", "part", "--json").object["data"]
    assert data["start"][:4] < "2015" and 0 < data["n_warm"] < data["rows"]


def test_source_needs_its_pin(cli: Cli) -> None:
    strategy = load_strategy("donchian_breakout")()
    Path("v.json").write_bytes(canonical(content_of(strategy).validation))
    cli("key", "new", "anna")
    flags = ("--validation", "v.json", "--key", "anna", "--out", "donchian")
    assert cli("promote", "donchian_breakout", "--data", "sp500", *flags).code == 0
    run = cli("reproduce", "donchian")
    assert (run.code, "its hash is not pinned" in run.err) == (1, True)
    files = cli("artifact", "show", "donchian", "--json").object["files"]
    pin = next(file["sha256"] for file in files if file["path"] == "strategy.py")
    assert cli("reproduce", "donchian", "--pin", pin).code == 0


def test_the_operators_own_rules_of_stages(cli: Cli) -> None:
    promoted(cli)
    Path("stages.toml").write_text("[paper]\ncap = 0.0\nsignatures = 2\n")
    move = ("artifact", "stage", "artifacts/sma", "--to", "paper", "--why", "x", "--key", "anna")
    assert "waits: signed by anna, 2 are needed" in cli(*move, "--stages", "stages.toml").out
    Path("stages.toml").write_text("[paper]\ncap = -1\n")
    run = cli("artifact", "show", "artifacts/sma", "--stages", "stages.toml")
    assert (run.code, "--stages stages.toml" in run.err) == (2, True)
    assert cli("artifact", "show", "artifacts/sma", "--stages", "none.toml").code == 2


def test_keys_are_listed_without_secrets(cli: Cli) -> None:
    assert "holds no key" in cli("key", "list").out
    cli("key", "new", "anna", "--days", "30")
    found = cli("key", "list", "--json").object["keys"]
    assert [(key["name"], key["signs"], key["expired"]) for key in found] == [("anna", True, False)]
    Path("keys/anna.key").unlink()
    assert cli("key", "list", "--json").object["keys"][0]["signs"] is False
    again = cli("key", "new", "anna")
    assert (again.code, "never written over" in again.err) == (2, True)
    assert "PRIVATE" not in json.dumps(found)
