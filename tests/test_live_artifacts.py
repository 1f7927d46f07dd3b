"""Five artifacts trade real data on paper: each run has the bits of its backtest, and verifies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from alphalab_live.commands.app import app as live_commands
from alphalab_live.trader import Trader
from commands import Run
from live_artifacts import KINDS, WARMUP, Desk
from live_cases import logs_of_trader, rows_of

from alphalab.cli.main import app
from alphalab.core.engine import Block, Engine
from alphalab.types import Records

Cli = Callable[..., Run]
FOLDER = Path("runs/artifact")
MONTH = 10**9  # rows; all there are


@pytest.fixture(scope="module", autouse=True)
def live_commands_are_known() -> None:
    if "live" not in {group.name for group in app.registered_groups}:
        app.add_typer(live_commands, name="live")


def check_run(desk: Desk, cli: Cli) -> Block:
    """Run an artifact, compare the run with its backtest bit for bit, and certify it."""
    ran = cli("live", "run", "artifact", *desk.flags, "--json")
    assert ran.code == 0, ran.err
    assert (ran.object["state"], ran.object["reason"]) == ("STOPPED", "the market has ended")
    want = desk.backtest()
    ledger, qty = rows_of(FOLDER)
    assert ledger.tobytes() == want.ledger.tobytes()
    assert qty.tobytes() == want.qty.tobytes()
    engine = Engine(desk.strategy, desk.bars.instruments, desk.settings, external=True)
    interval = int(np.min(np.diff(desk.bars.time)))
    logs = logs_of_trader(Trader(0, engine, interval), FOLDER)
    for name in ("fills", "postings", "refusals"):
        assert logs[name].tobytes() == getattr(want, name).tobytes(), name
    # After the last row the venue still accepts its orders: events that a backtest lacks.
    events = logs["events"][: len(want.events)]
    assert by_order(events).tobytes() == by_order(want.events).tobytes()
    proof = cli("live", "verify", FOLDER, "--key", "anna", "--json")
    assert proof.code == 0, proof
    made: dict[str, Any] = proof.object["certificate"]
    assert made["rows"] == len(want.ledger)
    assert msgspec.json.decode((FOLDER / "certificate.json").read_bytes())["signatures"]
    return want


def by_order(events: Records) -> Records:
    """Sort events by their order: sales of a row are sent, and accepted, before its purchases."""
    return events[np.lexsort((np.arange(len(events)), events["order"]))]


@pytest.fixture
def desk_of(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, int], Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    return lambda name, rows: Desk(tmp_path, KINDS[name], shared_data, WARMUP + rows)


@pytest.mark.parametrize("name", KINDS)
def test_hours_of_an_artifact(name: str, desk_of: Callable[[str, int], Desk], cli: Cli) -> None:
    want = check_run(desk_of(name, 60 if name == "ten pairs" else 250), cli)
    assert len(want.fills) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_month_of_an_artifact(name: str, desk_of: Callable[[str, int], Desk], cli: Cli) -> None:
    want = check_run(desk_of(name, MONTH), cli)
    assert len(want.ledger) > 5_000 and len(want.fills) > 500
