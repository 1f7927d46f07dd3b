"""``alphalab live`` as an operator types it: a paper run, its proof, and every refused start."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from alphalab_live.account_lock import lock_account
from alphalab_live.run_folder import RunFolder
from alphalab_live.settings import api_keys, load_settings
from commands import Run
from live_cases import rows_of
from live_desk import TEXT, Desk, know_live_commands

from alphalab.artifact.open import open_artifact
from alphalab.errors import ArtifactError, InputError, ParameterError, RefusedError

Cli = Callable[..., Run]


@pytest.fixture(scope="module")
def live_cli() -> None:
    """Make the commands known."""
    know_live_commands()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_cli: None) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    return Desk(tmp_path)


def test_a_paper_run_of_spot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_cli: None, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    desk = Desk(tmp_path, symbol="BTC/USDT", text=TEXT.replace("-0.6", "0.0")).promote()
    ran = cli("live", "run", "cross", "--json")
    assert ran.code == 0, ran.err
    ledger, _ = rows_of(Path("runs/cross"))
    assert ledger.tobytes() == desk.backtest().ledger.tobytes()


def test_a_paper_run_and_its_proof(desk: Desk, cli: Cli) -> None:
    desk.promote()
    ran = cli("live", "run", "cross", "--json")
    assert ran.code == 0, ran.err
    assert (ran.object["state"], ran.object["reason"]) == ("STOPPED", "the market has ended")
    want = desk.backtest()
    ledger, qty = rows_of(Path("runs/cross"))
    assert ledger.tobytes() == want.ledger.tobytes()
    assert qty.tobytes() == want.qty.tobytes()
    shown = cli("live", "status", "runs/cross")
    assert "STOPPED since" in shown.out and "BTC/USDT:USDT" in shown.out
    told = cli("live", "log", "runs/cross").out
    assert "rows of history" in told and "submit market" in told and "fee" in told

    proof = cli("live", "verify", "runs/cross", "--key", "anna")
    assert proof.code == 0, proof
    assert "every decision, intent and booking follows" in proof.out
    assert Path("runs/cross/certificate.json").is_file()

    sql = sqlite3.connect("runs/cross/run.journal")
    with sql:
        sql.execute("update event set time = time + 1 where seq = 20")
    sql.close()
    proof = cli("live", "verify", "runs/cross")
    assert proof.code == 1 and "row 20: changed" in proof.out
    again = cli("live", "run", "--run", "runs/cross")
    assert again.code == 1, again


def test_a_shadow_run_sends_nothing(desk: Desk, cli: Cli) -> None:
    desk.promote()
    ran = cli("live", "run", "cross", "--shadow", "--json")
    assert ran.code == 0, ran.err
    assert rows_of(Path("runs/cross"))[0].tobytes() == desk.backtest().ledger.tobytes()
    assert "submit" not in cli("live", "log", "runs/cross").out
    assert cli("live", "verify", "runs/cross").code == 0


def test_an_artifact_that_may_not_trade(desk: Desk, cli: Cli, tmp_path: Path) -> None:
    early = cli("live", "run", "cross")
    assert early.code == 3 and "is in the stage research" in early.err
    assert "--to paper" in early.err
    assert not Path("runs").exists()
    desk.promote()
    real = cli("live", "run", "cross", "--venue", "ccxt:binanceusdm")
    assert real.code == 3 and "needs the stage limited" in real.err
    nowhere = cli("live", "run", "cross", "--venue", "binance")
    assert nowhere.code == 2 and "ccxt:binance for spot" in nowhere.err
    file = desk.artifact / "settings.json"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("100000.0", "200000.0"))
    tampered = cli("live", "run", "cross")
    assert tampered.code == 1 and "settings.json has changed" in tampered.err


def test_an_artifact_that_has_expired(
    desk: Desk, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.promote()
    later = time.time_ns() + 11 * 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    ran = cli("live", "run", "cross")
    assert ran.code == 1 and "has expired" in ran.err, ran
    assert not Path("runs").exists()


def test_settings_that_no_venue_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_cli: None, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    Desk(tmp_path, sizing="by_value").promote()
    ran = cli("live", "run", "cross")
    assert ran.code == 3 and "no venue takes an order for a value" in ran.err


def test_a_warm_up_that_nobody_certified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_cli: None, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    Desk(tmp_path, warmup=None).promote()
    ran = cli("live", "run", "cross")
    assert ran.code == 3 and "no certified warm-up" in ran.err


def test_a_second_runner(desk: Desk, cli: Cli, tmp_path: Path) -> None:
    desk.promote()
    trusted = desk.ring.public()
    artifact = open_artifact(desk.artifact, trusted, now=time.time_ns())
    folder = RunFolder(tmp_path / "runs" / "cross")
    with folder.begin([artifact], venue="paper", account="paper", now=1):
        second = cli("live", "run", "cross")
    assert second.code == 1 and "written by another process" in second.err
    lock = lock_account("ccxt:binance", "key", tmp_path / "accounts")
    with pytest.raises(RefusedError, match="another runner trades this account"):
        lock_account("ccxt:binance", "key", tmp_path / "accounts")
    lock.release()
    lock_account("ccxt:binance", "key", tmp_path / "accounts").release()


def test_data_that_is_too_short(desk: Desk, cli: Cli, tmp_path: Path) -> None:
    desk.promote()
    desk.bars.rows(0, 9).to_frame("long").reset_index().to_parquet(tmp_path / "short.parquet")
    ran = cli("live", "run", "cross", "--data", "short.parquet")
    assert ran.code == 2 and "rows of history, and at least two to trade" in ran.err


def test_settings_and_keys(tmp_path: Path) -> None:
    file = tmp_path / "live.toml"
    file.write_text("grace_seconds = 3\n[symbols]\nBTC = 'BTC/USDT'\n")
    settings = load_settings(file, {"ALPHALAB_LIVE_GRACE_SECONDS": "4", "HOME": "/"})
    assert (settings.grace_seconds, settings.symbols["BTC"]) == (4.0, "BTC/USDT")
    with pytest.raises(InputError, match="grace_second`"):
        file.write_text("grace_second = 3\n")
        load_settings(file, {})
    with pytest.raises(InputError, match="did you mean 'grace_seconds'"):
        load_settings(None, {"ALPHALAB_LIVE_GRACE_SECOND": "4"})
    with pytest.raises(ParameterError, match="CAPITAL='-1'"):
        load_settings(None, {"ALPHALAB_LIVE_CAPITAL": "-1"})

    keys = tmp_path / "keys.toml"
    keys.write_text('api_key = "canary-key"\nsecret = "canary-secret"\n')
    keys.chmod(0o644)
    with pytest.raises(ArtifactError, match="can be read by others"):
        api_keys("main", keys, {})
    keys.chmod(0o600)
    found = api_keys("main", keys, {})
    assert (found.key, found.secret) == ("canary-key", "canary-secret")
    assert "canary" not in repr(found)
    keys.write_text('api_key = "canary-key"\nsecret = 5\n')
    with pytest.raises(InputError) as error:
        api_keys("main", keys, {})
    assert "canary" not in str(error.value)


def test_no_secret_is_written(desk: Desk, cli: Cli) -> None:
    desk.promote()
    assert cli("live", "run", "cross").code == 0
    place = json.loads(Path("runs/cross/exchange.json").read_text())
    assert os.stat("runs/cross/exchange.json").st_mode & 0o077 == 0
    for file in Path("runs/cross").glob("run.journal*"):
        content = file.read_bytes()
        assert place["secret"].encode() not in content
        assert b"signature=" not in content
    assert msgspec.json.decode(Path("runs/cross/exchange.json").read_bytes())["key"] == "paper"
