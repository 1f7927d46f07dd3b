"""How fast a run trades, verifies and recovers, and how soon an order leaves after its bar.

python benchmarks/live.py [--rows 10000] [--events 100000] [--orders 1000] [--json]

The runner trades through the real ccxt client and a socket with a local exchange in a process of
its own, as ``alphalab live run --venue paper`` does; its journal is on the disk of `--folder`.
The ledger is that of the backtest, and the journal replays, or the exit code is 1.

- *lockstep*: rows a second of an average cross on one perpetual contract.
- *verify*: rows a second of that run: its hash chain, and every decision, intent and booking again.
- *recovery*: a journal with this many events from its last snapshot, its hash chain included.
- *bar to wire*: from the candle in the runner to its order in the hands of the socket, for a
  strategy that trades on every row: settled, decided, and committed. With the disk waited for
  (``synchronous=FULL``, as always), and not (NORMAL).

*by cpu* counts seconds of the processor in this process alone, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import measure
import numpy as np
from alphalab_live.paper import PaperMarket, PaperPlan, paper_venue, start_exchange, stop_exchange
from alphalab_live.recorder import Recorder
from alphalab_live.replay import replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.runner import Runner, Start
from alphalab_live.session import Session
from alphalab_live.settings import LiveSettings
from alphalab_live.states import RunState
from alphalab_live.trader import Trader
from alphalab_live.venue import Signal

import alphalab as al
from alphalab.core.event_codec import Event
from alphalab.core.events import RUN_EVENTS, Row, Run
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import Head, JournalReader
from alphalab.types import LEDGER

MINUTE = 60 * 10**9
SYMBOL = "S0"
TERMS = {"kind": "linear", "currency": "USDT", "tick": 0.01, "lot": 0.001, "min_value": 5.0}
CROSS = "where(ts_mean(close, 20) > ts_mean(close, 90), 0.6, -0.6)"
EVERY_ROW = "where(close > delay(close, 1), 0.2, -0.2)"
TARGETS = {"lockstep": 700.0, "verify": 30_000.0, "recovery": 5.0, "wire": 10.0}


class Relaxed(Journal):
    """A journal that never waits for the disk."""

    def write(self, events: Sequence[tuple[int, Event]], *, durable: bool = True) -> Head:
        return super().write(events, durable=False)


class Trial:
    """A market, and a strategy that trades it."""

    def __init__(self, text: str, rows: int) -> None:
        self.data = f"synthetic:rows={rows},symbols=1,seed=1,bar=1m"
        bars = al.load(self.data)
        self.bars = bars.with_instruments(**TERMS)
        self.strategy = al.ExprStrategy(text=text)
        self.settings = al.RunSettings(sizing="at_decision")

    def trader(self, *, external: bool = True) -> Trader:
        engine = al.Engine(self.strategy, self.bars.instruments, self.settings, external=external)
        return Trader(0, engine, MINUTE)

    def run(self, trader: Trader, *, sends: bool = True) -> Run:
        return Run(
            run="bench",
            artifacts=("0" * 64,),
            engines=(trader.engine.id,),
            capital=(self.settings.cash,),
            intervals=(MINUTE,),
            venue="paper",
            account="paper",
            symbols=(trader.symbols,),
            columns=(trader.columns,),
            sends=sends,
            versions=(),
        )

    def ledger(self) -> np.ndarray:
        engine = self.trader(external=False).engine
        return engine.push(self.bars.time, {x: self.bars[x] for x in engine.columns}).ledger


def opened(folder: RunFolder, kind: type[Journal] = Journal) -> Journal:
    (folder.path / "commands").mkdir(parents=True, exist_ok=True)
    return kind(folder.journal, RUN_EVENTS, meta={"run": "bench"})


class Spent(NamedTuple):
    """Seconds by the clock, and of the processor in this process."""

    wall: float
    cpu: float


@contextlib.contextmanager
def spending(found: list[Spent]) -> Iterator[None]:
    """Append what the block has spent."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    found.append(Spent(time.perf_counter() - wall, time.process_time() - cpu))


def traded(trial: Trial, path: Path, kind: type[Journal] = Journal) -> tuple[Spent, list[float]]:
    """Trade all rows; return the time, and from each bar with an order to its request, ms."""
    folder, latencies = RunFolder(path), list[float]()
    path.mkdir(parents=True)
    market = PaperMarket(data={"data": trial.data}, instruments=trial.bars.instruments)
    place = start_exchange(path, PaperPlan(markets=(market,), settings=trial.settings))
    venue = paper_venue(place, list(trial.bars.symbols), pause=0.0)
    arrived = 0.0
    signal, listen = venue.signal, venue.listen

    async def timed_signal() -> Signal:
        nonlocal arrived
        found = await signal()
        if found.candle is not None:
            arrived = time.perf_counter()
        return found

    def timed_listen(on_send: Any) -> None:
        def sent(*request: str) -> None:
            nonlocal arrived
            on_send(*request)  # journalled first
            if arrived:
                latencies.append((time.perf_counter() - arrived) * 1e3)
                arrived = 0.0

        listen(sent)

    venue.signal, venue.listen = timed_signal, timed_listen
    try:
        with opened(folder, kind) as journal:
            trader = trial.trader()
            live = LiveSettings(grace_seconds=0.0)
            runner = Runner(folder, journal, Session([trader]), venue, live)
            with spending(spent := []):
                state = asyncio.run(runner.run(Start(trial.run(trader), warmup=[0])))
    finally:
        stop_exchange(place)
    if state is not RunState.STOPPED:
        raise SystemExit(f"the run ended {state}")
    return spent[0], latencies


def same_ledger(trial: Trial, path: Path) -> bool:
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        rows = [event.ledger for _, event in reader.events() if isinstance(event, Row)]
    return bool(np.frombuffer(b"".join(rows), LEDGER).tobytes() == trial.ledger().tobytes())


def verified(trial: Trial, path: Path) -> tuple[Spent, bool]:
    """Return the time that the work of ``alphalab live verify`` takes, and whether it holds."""
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        trader = trial.trader()
        with spending(spent := []):
            damage = reader.verify()
            found = replay(reader, [trader])
    return spent[0], damage is None and found.divergence is None


def recovered(events: int, path: Path) -> tuple[Spent, bool]:
    """Return the time of a recovery behind so many rows, and whether it holds."""
    trial = Trial(CROSS, events + 8)
    folder = RunFolder(path)
    with opened(folder, Relaxed) as journal:
        trader = trial.trader(external=False)
        session = Session([trader])
        recorder = Recorder(journal, session, lambda: 0)
        recorder.note(trial.run(trader, sends=False))
        values = np.stack([trial.bars[name] for name in trader.columns], axis=1)
        for i in range(events):
            recorder.push(trader, int(trial.bars.time[i]), values[i])
            if i % 1000 == 999:
                recorder.snapshot(trader)
    again = trial.trader(external=False)
    with spending(spent := []), folder.go_on() as journal:
        found = replay(journal, [again], from_snapshots=True)
    same = found.session.traders[0].engine.snapshot() == trader.engine.snapshot()
    return spent[0], same and found.divergence is None


def quantiles(latencies: Sequence[float]) -> dict[str, float]:
    spent = np.array(latencies[20:])  # the first ones open connections
    return {
        "orders": len(spent),
        "median_ms": float(np.median(spent)),
        "p99_ms": float(np.quantile(spent, 0.99)),
    }


def _line(label: str, found: dict[str, Any], wall: str, cpu: str, aim: str) -> dict[str, Any]:
    return {"": label, "found": found[wall], "by cpu": found[cpu], "aim": TARGETS[aim]}


def main() -> int:
    """Print the figures; return 1 if something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument(
        "--orders", type=int, default=1_000, help="rows of the strategy of each row"
    )
    parser.add_argument("--folder", type=Path, help="for the journals; default: a temporary one")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        traded(Trial(CROSS, 300), folder / "warm")  # imports, and what is compiled once
        trial = Trial(CROSS, given.rows)
        run, _ = traded(trial, folder / "run")
        holds = same_ledger(trial, folder / "run")
        verify, replays = verified(trial, folder / "run")
        recovery, recovers = recovered(given.events, folder / "recovery")
        wire = {}
        for durable, kind in (("FULL", Journal), ("NORMAL", Relaxed)):
            _, latencies = traded(Trial(EVERY_ROW, given.orders), folder / durable, kind)
            wire[durable] = quantiles(latencies)
    found = {
        "environment": measure.environment("ccxt", "aiohttp") | {"load": round(load, 1)},
        "lockstep_rows_s": given.rows / run.wall,
        "lockstep_rows_cpu_s": given.rows / run.cpu,
        "verify_rows_s": given.rows / verify.wall,
        "verify_rows_cpu_s": given.rows / verify.cpu,
        "recovery_events": given.events,
        "recovery_s": recovery.wall,
        "recovery_cpu_s": recovery.cpu,
        "wire": wire,
        "holds": holds and replays and recovers,
    }

    def tell() -> None:
        rows = [
            _line("lockstep, rows/s", found, "lockstep_rows_s", "lockstep_rows_cpu_s", "lockstep"),
            _line("verify, rows/s", found, "verify_rows_s", "verify_rows_cpu_s", "verify"),
            _line(
                f"recovery of {given.events:,} events, s",
                found,
                "recovery_s",
                "recovery_cpu_s",
                "recovery",
            ),
        ]
        for durable, figures in wire.items():
            for quantile in ("median_ms", "p99_ms"):
                label = f"bar to wire, {durable}, {quantile.replace('_ms', '')}, ms"
                aimed = durable == "FULL" and quantile == "p99_ms"
                aim = TARGETS["wire"] if aimed else ""
                rows.append({"": label, "found": figures[quantile], "by cpu": "", "aim": aim})
        measure.show("A live run on paper", rows, f"load at the start: {load:.1f}")

    measure.finish(found, given.json, tell)
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
