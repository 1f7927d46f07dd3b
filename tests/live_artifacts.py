"""Artifacts that trade real data on paper through the commands, beside their backtests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import artifact_cases
import numpy as np
import pandas as pd
from artifact_cases import content_of, keyring, made

import alphalab as al
from alphalab.artifact.open import open_artifact
from alphalab.artifact.stages import StagePolicy, propose, standing
from alphalab.core.engine import Block, Engine

WARMUP = 130  # rows of history
PERP, COIN = "BTC/USDT:USDT", "BTC/USDT"
AT_DECISION = {"sizing": "at_decision"}
FEES = {"maker_bps": 2.0, "taker_bps": 5.0}
CROSS = "where(ts_mean(close, 20) > ts_mean(close, 90), 0.6, -0.6)"
LONG = "where(ts_mean(close, 20) > ts_mean(close, 90), 0.9, 0.0)"
STRONGEST = "where(cs_rank(returns(close, 48)) > 0.75, 0.25, 0.0)"


class Kind(NamedTuple):
    """One artifact: its formula, its settings, and the market that it trades."""

    text: str
    settings: dict[str, Any]
    market: Callable[[Path, int], al.Bars]
    funded: bool = False


def bitcoin(symbol: str) -> Callable[[Path, int], al.Bars]:
    """Return a function that loads a month of minutes as a market of this name."""

    def load(folder: Path, rows: int) -> al.Bars:
        frame = pd.read_parquet(folder / "btc_perp_1m.parquet").iloc[:rows]
        bars = al.Bars.from_frame(frame.assign(symbol=symbol), label="open", source="btc")
        kind = "linear" if ":" in symbol else "spot"
        terms = {"tick": 0.5, "lot": 0.001, "min_value": 5.0, "currency": "USDT"}
        return bars.with_instruments(kind=kind, **terms, **FEES)

    return load


def ten_pairs(folder: Path, rows: int) -> al.Bars:
    """Return ten pairs of five minutes, paid in bitcoin; five of them have gaps."""
    frame = pd.read_parquet(folder / "crypto_5m_binance.parquet")
    bars = al.Bars.from_frame(frame, label="open", source="pairs")
    terms = {"tick": 1e-8, "lot": 0.01, "min_value": 0.001, "currency": "BTC"}
    return bars.rows(0, min(rows, bars.n_rows)).with_instruments(**terms, **FEES)


KINDS = {
    "perpetual with funding": Kind(CROSS, {}, bitcoin(PERP), funded=True),
    "exits": Kind(
        CROSS,
        {
            "exits": al.Exits(stop_loss=0.002, take_profit=0.003),
            "execution": al.Execution(path="ohlc"),
        },
        bitcoin(PERP),
    ),
    "limit entries": Kind(CROSS, {"entry": al.Entry(limit_offset_bps=2, ttl=5)}, bitcoin(PERP)),
    "spot": Kind(LONG, {}, bitcoin(COIN)),
    "ten pairs": Kind(STRONGEST, {"cash": 10.0}, ten_pairs),
}


def funding_of(bars: al.Bars) -> pd.DataFrame:
    """Return a rate for every eight hours inside bars; the rates are made up."""
    times = pd.to_datetime(bars.time, utc=True)
    stamps = pd.date_range(times[0].ceil("8h"), times[-1], freq="8h", inclusive="left")
    rates = np.round(1e-4 * np.cos(np.arange(len(stamps))), 8)
    return pd.DataFrame({"time": stamps, "funding_rate": rates})


class Desk:
    """A folder with a market, a keyring, and an artifact in the stage paper.

    Parameters
    ----------
    folder : Path
        The working folder; the keyring is in ``keys``.
    kind : Kind
    data : Path
        The folder of the real data.
    rows : int
        Of the market, its history included.
    """

    def __init__(self, folder: Path, kind: Kind, data: Path, rows: int) -> None:
        self.bars = kind.market(data, rows)
        self.file = folder / "bars.parquet"
        self.bars.to_frame("long").reset_index().to_parquet(self.file)
        self.flags: Sequence[object] = ()
        if kind.funded:
            rates = funding_of(self.bars)
            rates.to_parquet(folder / "funding.parquet")
            self.bars = self.bars.with_instruments(funding_hours=8).with_funding(rates)
            self.flags = ("--funding", folder / "funding.parquet")
        self.strategy = al.ExprStrategy(text=kind.text)
        now = time.time_ns()
        artifact_cases.NOW, artifact_cases.END = now, now + 10 * artifact_cases.DAY
        ring, keys = keyring(folder, "anna")
        content = content_of(
            self.strategy,
            data=str(self.file),
            bars=self.bars,
            record={"warmup_rows": WARMUP},
            **AT_DECISION | kind.settings,
        )
        self.settings = content.settings
        self.artifact = made(folder / "artifact", self.strategy, keys, content=content)
        trusted, policy = ring.public(), StagePolicy()
        artifact = open_artifact(self.artifact, trusted, now=now)
        at = standing(artifact, trusted, policy, now=now)
        propose(artifact, at, "paper", policy=policy, keys=keys, why="a test", time=now)

    def backtest(self) -> Block:
        """Return the block of the rows behind the history."""
        engine = Engine(self.strategy, self.bars.instruments, self.settings)
        seen = {name: self.bars[name][:WARMUP] for name in engine.columns}
        engine.warm(seen, self.bars.time[:WARMUP])
        cells = {name: self.bars[name][WARMUP:] for name in engine.columns}
        return engine.push(self.bars.time[WARMUP:], cells)
