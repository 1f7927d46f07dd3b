"""A process that is killed or frozen, and a disk that fails once or is slow."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from alphalab_live.run_folder import RunFolder
from commands import Run
from live_cases import rows_of
from live_child import start
from live_desk import IN_A_PROCESS, Desk, know_live_commands
from sync_faults import sync_fault

Cli = Callable[..., Run]
FOLDER = Path("runs/cross")
BEGIN = (sys.executable, "-c", IN_A_PROCESS, "live", "run", "cross")
GO_ON = ("--run", str(FOLDER))


@pytest.fixture
def desk_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    know_live_commands()
    return lambda rows: Desk(tmp_path, rows=rows).promote()


def check_end(desk: Desk, cli: Cli) -> None:
    """Check that the run has the bits of its backtest, and verifies."""
    want = desk.backtest()
    ledger, qty = rows_of(FOLDER)
    assert ledger.tobytes() == want.ledger.tobytes()
    assert qty.tobytes() == want.qty.tobytes()
    assert cli("live", "verify", FOLDER).code == 0


def n_events() -> int:
    """Return the number of events in the journal; 0 before it is there."""
    if not RunFolder(FOLDER).exists:
        return 0
    with RunFolder(FOLDER).reader() as reader:
        return reader.head.seq


def kill_after(events: int, *command: str) -> None:
    """Start a run, and kill it without warning once it has written some events."""
    before, one = n_events(), start(*command, "--pause", "0.02")
    until = time.monotonic() + 300
    while n_events() - before < events:
        assert one.is_alive(), "the run has ended by itself"
        assert time.monotonic() < until, "the run writes nothing"
        time.sleep(0.005)
    one.kill()
    one.join()
    assert one.exitcode == -signal.SIGKILL


def finish() -> None:
    """Let a run go on to the end of its market."""
    last = start(*GO_ON)
    last.join(300)
    assert last.exitcode == 0


def test_a_run_that_was_killed_goes_on(desk_of: Callable[[int], Desk], cli: Cli) -> None:
    desk = desk_of(60)
    kill_after(20, "cross")
    finish()
    check_end(desk, cli)


@pytest.mark.slow
def test_a_run_that_was_killed_a_hundred_times(desk_of: Callable[[int], Desk], cli: Cli) -> None:
    """Kills come during starts, which write about ten events each, and between rows."""
    desk = desk_of(1_000)
    kill_after(20, "cross")
    for events in np.random.default_rng(0).integers(0, 25, 99).tolist():
        kill_after(events, *GO_ON)
    finish()
    check_end(desk, cli)


@pytest.mark.slow
def test_a_process_that_is_frozen_goes_on(desk_of: Callable[[int], Desk], cli: Cli) -> None:
    desk = desk_of(60)
    with subprocess.Popen([*BEGIN, "--pause", "0.02"], stderr=subprocess.DEVNULL) as one:
        while n_events() < 20:
            assert one.poll() is None
            time.sleep(0.02)
        one.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        one.send_signal(signal.SIGCONT)
        assert one.wait(300) == 0
    check_end(desk, cli)


def test_a_sync_that_fails_once_is_not_repeated(
    desk_of: Callable[[int], Desk], cli: Cli, tmp_path: Path
) -> None:
    """The process ends; what it had decided and not sent is sent by the next one."""
    desk = desk_of(60)
    environment = sync_fault(tmp_path, at=12)
    failed = subprocess.run(
        BEGIN, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert failed.returncode == 1
    assert "disk I/O error" in failed.stderr and "open it again" in failed.stderr
    assert 0 < len(rows_of(FOLDER)[0]) < len(desk.backtest().ledger)
    finish()
    check_end(desk, cli)


@pytest.mark.slow
def test_a_sync_that_takes_long_is_waited_for(
    desk_of: Callable[[int], Desk], cli: Cli, tmp_path: Path
) -> None:
    desk = desk_of(60)
    environment = sync_fault(tmp_path, at=12, seconds=3.0)
    began = time.monotonic()
    ran = subprocess.run(
        BEGIN, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert time.monotonic() - began > 3.0
    check_end(desk, cli)
