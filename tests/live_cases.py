"""Runs for tests: a market, an engine of a backtest, and a runner at a local exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from alphalab_live.exchange import Account, LocalExchange
from alphalab_live.exchange.listing import listings
from alphalab_live.lockstep import LockstepVenue
from alphalab_live.replay import Replayed, replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.runner import Runner, Start
from alphalab_live.session import Session
from alphalab_live.settings import LiveSettings
from alphalab_live.states import RunState
from alphalab_live.trader import Trader
from builders import walk

import alphalab as al
from alphalab.core.engine import Block, Engine
from alphalab.core.events import RUN_EVENTS, History, Report, Row, Run
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import JournalReader
from alphalab.types import LEDGER, Instrument

MINUTE = 60 * 10**9
QUICK = LiveSettings(
    grace_seconds=0.0,
    absence_seconds=0.02,
    unknown_seconds=5.0,
    settle_seconds=1e4,
    snapshot_rows=50,
)


HOUR = 3_600 * 10**9
START = int(np.datetime64("2024-01-02T00:00", "ns").astype(np.int64))
AT_DECISION = {"sizing": "at_decision"}


class Cross(al.Strategy):
    fast: int = 3
    slow: int = 9
    long: float = 0.6
    short: float = -0.6

    def weights(self) -> al.Expr:
        up = al.close.ts_mean(self.fast) > al.close.ts_mean(self.slow)
        return al.where(up, self.long, self.short)


def bars_of(*symbols: str, rows: int = 160, kind: str = "linear", **terms: float) -> al.Bars:
    time = START + HOUR * np.arange(1, rows + 1)
    terms = {
        "tick": 0.01,
        "lot": 0.001,
        "min_value": 5.0,
        "maker_bps": 2.0,
        "taker_bps": 5.0,
    } | terms
    columns = [walk(time, seed=i) for i in range(len(symbols))]
    cells = {
        name: np.round(np.column_stack([c[name] for c in columns]), 2 if name != "volume" else 3)
        for name in columns[0]
    }
    cells["high"] = np.maximum(cells["high"], np.maximum(cells["open"], cells["close"]))
    cells["low"] = np.minimum(cells["low"], np.minimum(cells["open"], cells["close"]))
    coin = "USDT"
    assets = [Instrument(symbol=s, kind=kind, currency=coin, **terms) for s in symbols]
    return al.Bars(time, symbols, cells, instruments=assets)


def with_funding(bars: al.Bars) -> al.Bars:
    funded = bars.with_instruments(funding_hours=8)
    stamps = pd.date_range("2024-01-02", periods=40, freq="8h", tz="UTC")
    rates = 1e-4 * np.cos(np.arange(40))
    inside = (stamps >= pd.Timestamp(START, tz="UTC")) & (
        stamps < pd.Timestamp(int(bars.time[-1]), tz="UTC")
    )
    frame = pd.DataFrame({"time": stamps[inside], "funding_rate": rates[inside]})
    frames = [frame.assign(symbol=symbol) for symbol in bars.symbols]
    return funded.with_funding(pd.concat(frames))


class Case(NamedTuple):
    """A market, and what trades it."""

    bars: al.Bars
    strategy: al.Strategy
    settings: al.RunSettings

    def engine(self, *, external: bool) -> Engine:
        return Engine(self.strategy, self.bars.instruments, self.settings, external=external)

    def backtest(self) -> Block:
        engine = self.engine(external=False)
        return engine.push(self.bars.time, {name: self.bars[name] for name in engine.columns})

    @property
    def interval(self) -> int:
        return int(np.min(np.diff(self.bars.time)))

    def traders(self) -> list[Trader]:
        return [Trader(0, self.engine(external=True), self.interval)]

    def start(self, run: str = "test") -> Run:
        (trader,) = self.traders()
        return Run(
            run=run,
            artifacts=("a" * 64,),
            engines=(trader.engine.id,),
            capital=(self.settings.cash,),
            intervals=(self.interval,),
            venue="lockstep",
            account="main",
            symbols=(trader.symbols,),
            columns=(trader.columns,),
            sends=True,
            versions=(),
        )

    def account(self) -> Account:
        return Account(settings=self.settings)


def venue_of(exchange: LocalExchange, case: Case) -> LockstepVenue:
    names = {
        case.bars.instruments[x.asset].symbol: x.unified for x in listings(case.bars.instruments)
    }
    kinds = {x.kind for x in listings(case.bars.instruments)}
    config = exchange.ccxt_config()
    return LockstepVenue(
        "binanceusdm" if kinds == {"linear"} else "binance",
        "main",
        names,
        dict.fromkeys(names, case.interval),
        {k: v for k, v in config.items() if k != "urls"},
        api=config["urls"]["api"],
        control_url=exchange.control_url,
        token=exchange.token,
    )


def opened(folder: RunFolder) -> Journal:
    folder.path.mkdir(parents=True, exist_ok=True)
    (folder.path / "commands").mkdir(exist_ok=True)
    return Journal(folder.journal, RUN_EVENTS, meta={"run": "test"})


async def live(
    case: Case,
    exchange: LocalExchange,
    path: Path,
    *,
    settings: LiveSettings = QUICK,
    resumed: bool = False,
    make_venue: Callable[[LocalExchange, Case], Any] = venue_of,
    open_journal: Callable[[RunFolder], Journal] = opened,
) -> RunState:
    """Run, or go on with, a run in a folder."""
    folder = RunFolder(path)
    with open_journal(folder) as journal:
        found = replay(journal, case.traders(), from_snapshots=True)
        assert found.divergence is None, found.divergence
        runner = Runner(folder, journal, found.session, make_venue(exchange, case), settings)
        start = case.start()
        return await runner.run(Start(start, warmup=[0] * len(start.engines), resumed=resumed))


def lockstep(case: Case, path: Path, **options: Any) -> RunState:
    """Trade all bars of a case through a local exchange."""

    async def all_of_it() -> RunState:
        async with LocalExchange(case.bars, [case.account()], lockstep=True) as exchange:
            return await live(case, exchange, path, **options)

    return asyncio.run(all_of_it())


def replayed(case: Case, path: Path) -> Replayed:
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        return replay(reader, case.traders())


def sessions_equal(one: Session, other: Session) -> bool:
    return all(
        a.engine.snapshot() == b.engine.snapshot()
        for a, b in zip(one.traders, other.traders, strict=True)
    )


def rows_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return ledger (R,) and units (R, N) of the rows in a journal."""
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        rows = [event for _, event in reader.events() if isinstance(event, Row)]
    ledger = np.frombuffer(b"".join(row.ledger for row in rows), LEDGER)
    return ledger, np.array([np.frombuffer(row.qty, "<f8") for row in rows])


def logs_of(case: Case, path: Path) -> dict[str, np.ndarray]:
    """Return the logs of an engine that is fed with the rows and reports of a journal."""
    (trader,) = case.traders()
    return logs_of_trader(trader, path)


def logs_of_trader(trader: Trader, path: Path) -> dict[str, np.ndarray]:
    """Return the logs of a trader that is fed with the history, rows and reports of a journal."""
    blocks = []
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        for _, event in reader.events():
            if isinstance(event, History):
                trader.warm(event)
            elif isinstance(event, Row):
                shape = (1, len(trader.columns), len(trader.symbols))
                values = np.frombuffer(event.values, "<f8").reshape(shape)
                cells = {name: values[:, i].copy() for i, name in enumerate(trader.columns)}
                blocks.append(trader.engine.push(np.array([event.time]), cells))
            elif isinstance(event, Report):
                trader.book([event])
                blocks += trader._between
                trader._between.clear()
    names = ("fills", "refusals", "events", "postings")
    return {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
