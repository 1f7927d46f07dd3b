"""A desk for tests: a folder with bars, a keyring and an artifact, and the commands to trade it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import artifact_cases
import numpy as np
from alphalab_live.commands.app import app as live_commands
from alphalab_live.run_folder import RunFolder
from artifact_cases import content_of, keyring, made
from live_cases import bars_of, rows_of

import alphalab as al
from alphalab.artifact.open import open_artifact
from alphalab.artifact.stages import StagePolicy, propose, standing
from alphalab.cli.main import app
from alphalab.core.engine import Engine

TEXT = "where(ts_mean(close, 3) > ts_mean(close, 9), 0.6, -0.6)"
WARMUP = 12  # rows of history
IN_A_PROCESS = (
    "import sys; from alphalab.cli.main import app, main\n"
    "from alphalab_live.commands.app import app as live\n"
    "if 'live' not in {x.name for x in app.registered_groups}: app.add_typer(live, name='live')\n"
    "sys.exit(main(sys.argv[1:]))"
)


def know_live_commands() -> None:
    """Make the commands known where the package is not installed with them."""
    if "live" not in {group.name for group in app.registered_groups}:
        app.add_typer(live_commands, name="live")


class Desk:
    """A folder with bars, a keyring and an artifact in the stage paper."""

    def __init__(
        self,
        folder: Path,
        *,
        warmup: int | None = WARMUP,
        symbol: str = "BTC/USDT:USDT",
        text: str = TEXT,
        observed: str = "",
        rows: int = 60,
        **options: Any,
    ) -> None:
        self.folder = folder
        now = time.time_ns()
        artifact_cases.NOW, artifact_cases.END = now, now + 10 * artifact_cases.DAY
        self.ring, self.keys = keyring(folder, "anna")
        given = bars_of(symbol, rows=rows, kind="linear" if ":" in symbol else "spot")
        file = folder / "bars.parquet"
        given.to_frame("long").reset_index().to_parquet(file)
        self.bars = al.load(str(file)).with_instruments(list(given.instruments))
        self.strategy = al.ExprStrategy(text=text)
        settings = {"sizing": "at_decision"} | options
        record = {"warmup_rows": warmup}
        seen = self.bars
        if observed:
            seen = seen.with_columns({observed: np.sin(np.arange(seen.n_rows))[:, None]})
        content = content_of(self.strategy, data=str(file), bars=seen, record=record, **settings)
        self.settings = content.settings
        self.artifact = made(folder / "cross", self.strategy, self.keys, content=content)

    def promote(self, folder: Path | None = None) -> Desk:
        """Move an artifact, or that of the desk, to the stage paper."""
        trusted, now = self.ring.public(), time.time_ns()
        artifact = open_artifact(folder or self.artifact, trusted, now=now)
        at, policy = standing(artifact, trusted, StagePolicy(), now=now), StagePolicy()
        propose(artifact, at, "paper", policy=policy, keys=self.keys, why="a test", time=now)
        return self

    def backtest(self) -> Any:
        """Return the block of the rows behind the history."""
        engine = Engine(self.strategy, self.bars.instruments, self.settings)
        names = engine.plan.columns
        seen = {name: self.bars[name][:WARMUP] for name in names}
        engine.warm(seen, self.bars.time[:WARMUP])
        cells = {name: self.bars[name][WARMUP:] for name in engine.columns}
        return engine.push(self.bars.time[WARMUP:], cells)


def wait_for_rows(path: Path, rows: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(6_000):
        assert process.poll() is None, "the run has ended by itself"
        if RunFolder(path).exists and len(rows_of(path)[0]) >= rows:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {rows} rows")
