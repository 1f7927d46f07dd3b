"""Observers tell a run values from beside it; rows have them as in a backtest, replays too."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from alphalab_live.exchange import LocalExchange
from alphalab_live.observing import observe
from alphalab_live.replay import Replayed, replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from commands import Run as Ran
from live_cases import AT_DECISION, HOUR, Case, bars_of, lockstep, replayed, rows_of, venue_of
from live_desk import IN_A_PROCESS, Desk, know_live_commands, wait_for_rows

import alphalab as al
from alphalab.core.event_codec import Event, array_bytes
from alphalab.core.events import RUN_EVENTS, Observation, Reconcile, Row, Run
from alphalab.core.journal import Journal
from alphalab.errors import InputError, ParameterError, UnknownNameError

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
AGE = 5 * HOUR
#: By row: value, symbol and the row that it is about.
TOLD: Mapping[int, tuple[float, str, int]] = {
    3: (1.0, "", 3),
    8: (-1.0, SYMBOLS[1], 8),
    9: (2.0, SYMBOLS[1], 1),  # about an older time: it replaces nothing
    11: (-1.0, "", 11),
    24: (1.0, "", 30),  # a forecast
}


class Mood(al.Strategy):
    """Long while the mood is good, short while it is bad."""

    def weights(self) -> al.Expr:
        return al.where(al.column("mood") > 0, 0.3, -0.3) + 0 * al.close


class Watched(Case):
    """A case whose column `mood` is filled by an observer."""

    def start(self, run: str = "test") -> Run:
        return msgspec.structs.replace(super().start(run), observes=(("mood", AGE),))


CASE = Watched(bars_of(*SYMBOLS, rows=40), Mood(), al.RunSettings(**AT_DECISION))


def backtest(case: Case) -> Any:
    """Return the block of a backtest over bars that know the same values at the same times."""
    time = pd.to_datetime(case.bars.time, utc=True)
    table = pd.DataFrame(
        [
            {
                "name": "mood",
                "symbol": symbol,
                "time": time[about],
                "known": time[row],
                "value": value,
            }
            for row, (value, symbol, about) in TOLD.items()
        ]
    )
    bars = case.bars.with_observations(table, max_age="5h")
    engine = case.engine(external=False)
    return engine.push(bars.time, {name: bars[name] for name in engine.columns})


def telling(path: Path) -> Callable[[LocalExchange, Case], Any]:
    """Return a venue beside which an observer tells `TOLD`."""

    class Telling:
        def __init__(self, venue: Any) -> None:
            self._venue = venue

        def __getattr__(self, name: str) -> Any:
            return getattr(self._venue, name)

        async def signal(self) -> Any:
            signal = await self._venue.signal()
            row = int(np.searchsorted(CASE.bars.time, self._venue.now()))
            if signal.candle is not None and signal.candle.symbol == SYMBOLS[0] and row in TOLD:
                value, symbol, about = TOLD[row]
                observe(path, "mood", value, symbol=symbol, about=int(CASE.bars.time[about]))
            return signal

    def made(exchange: LocalExchange, case: Case) -> Any:
        return Telling(venue_of(exchange, case))

    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    RunFolder(path).observations.mkdir()
    assert lockstep(CASE, path, make_venue=telling(path)) is RunState.STOPPED
    return path


def events_of(path: Path) -> list[tuple[int, Event]]:
    with RunFolder(path).reader() as reader:
        return [(entry.time, event) for entry, event in reader.events()]


def test_a_run_with_an_observer_equals_its_backtest(run: Path) -> None:
    want = backtest(CASE)
    assert len(want.fills) > 4
    ledger, qty = rows_of(run)
    assert ledger.tobytes() == want.ledger.tobytes()
    assert qty.tobytes() == want.qty.tobytes()
    told = [x for _, x in events_of(run) if isinstance(x, Observation) and x.name == "mood"]
    assert [x.known for x in told] == [int(CASE.bars.time[row]) for row in TOLD]
    assert list(RunFolder(run).observations.iterdir()) == []
    assert replayed(CASE, run).divergence is None


def changed(run: Path, folder: Path, change: Callable[[Event], Event]) -> Replayed:
    """Replay a run of which one event was changed."""
    events = [(time, change(event)) for time, event in events_of(run)]
    with Journal(folder / "run.journal", RUN_EVENTS, meta={"run": "test"}) as journal:
        journal.write(events, durable=False)
        return replay(journal, CASE.traders())


def test_an_observation_that_was_changed_is_found(run: Path, tmp_path: Path) -> None:
    def other(event: Event) -> Event:
        if isinstance(event, Observation) and event.name == "mood" and event.time > 0:
            return msgspec.structs.replace(event, values=array_bytes(np.array([0.25])))
        return event

    found = changed(run, tmp_path, other).divergence
    assert found is not None and found.what == "another observation of mood"
    assert (found.recorded, found.computed) == ("[1.0, 1.0]", "[0.25, 0.25]")


def test_a_row_with_another_value_is_found(run: Path, tmp_path: Path) -> None:
    first = next(x for _, x in events_of(run) if isinstance(x, Row))

    def other(event: Event) -> Event:
        if event == first:
            values = np.nan_to_num(np.frombuffer(first.values, "<f8"), nan=1.0)
            return msgspec.structs.replace(event, values=array_bytes(values))
        return event

    found = changed(run, tmp_path, other).divergence
    assert found is not None and found.what == "another observation of mood"


def test_what_a_run_cannot_use_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'moods': did you mean 'mood'"):
        observe(run, "moods", 1.0)
    with pytest.raises(UnknownNameError, match="symbol of the run"):
        observe(run, "mood", 1.0, symbol="BTC")
    with pytest.raises(ParameterError, match="value is a finite number"):
        observe(run, "mood", float("nan"))
    with pytest.raises(InputError, match="is no run"):
        observe(tmp_path, "mood", 1.0)


def test_a_file_that_is_no_observation_is_left_out_and_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.observations.mkdir()
    (folder.observations / "1.json").write_text("{")
    (folder.observations / "2.json").write_text(
        '{"column": "other", "value": 1.0, "symbol": "", "time": 1}'
    )
    assert lockstep(CASE, tmp_path) is RunState.STOPPED
    found = [x for _, x in events_of(tmp_path) if isinstance(x, Reconcile)]
    assert [x.subject for x in found] == ["observation 1.json", "observation 2.json"]
    assert "'other'" in found[1].found
    assert list(folder.observations.iterdir()) == []


# ---- a process beside a run

MOOD = re.search(
    r"```python\n(# mood.py.*?)```",
    (Path(__file__).parents[1] / "docs" / "observers.md").read_text(),
    re.S,
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    know_live_commands()
    text = "where(column('mood') > 0, 0.6, -0.6) + 0 * ts_mean(close, 3)"
    return Desk(tmp_path, text=text, observed="mood").promote()


def test_a_process_that_scores_headlines(desk: Desk, cli: Callable[..., Ran]) -> None:
    refused = cli("live", "run", "cross")
    assert refused.code == 2 and "[observe], mood = 3600" in refused.err
    assert MOOD is not None
    Path("mood.py").write_text(MOOD[1])
    Path("live.toml").write_text("[observe]\nmood = 1_000_000\n")
    run = Path("runs/cross")
    command = [sys.executable, "-c", IN_A_PROCESS, "live", "run", "cross", "--pause", "0.5"]
    with (
        subprocess.Popen(
            [sys.executable, "mood.py", str(run)], stdin=subprocess.PIPE, text=True
        ) as observer,
        subprocess.Popen([*command, "--settings", "live.toml"]) as trading,
    ):
        assert observer.stdin is not None
        wait_for_rows(run, 2, trading)
        for n, line in enumerate(("Bitcoin at a record", "Exchange loses coins in a hack"), 1):
            print(line, file=observer.stdin, flush=True)
            wait_for_moods(run, n, trading)
            wait_for_rows(run, len(rows_of(run)[0]) + 3, trading)
        observer.stdin.close()
        assert cli("live", "stop", str(run)).code == 0
    assert observer.returncode == 0
    assert trading.returncode == 0
    assert moods_of(run) == [1.0, -1.0]
    _, qty = rows_of(run)
    assert (qty.max() > 0) and (qty.min() < 0) and (qty[0] == 0).all()
    assert cli("live", "verify", str(run)).code == 0


def moods_of(run: Path) -> list[float]:
    told = [x for _, x in events_of(run) if isinstance(x, Observation) and x.name == "mood"]
    return [float(np.frombuffer(x.values)[0]) for x in told]


def wait_for_moods(run: Path, n: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1_200):
        assert process.poll() is None, "the run has ended by itself"
        if len(moods_of(run)) >= n:
            return
        time.sleep(0.05)
    raise AssertionError(f"{len(moods_of(run))} of {n} moods")
