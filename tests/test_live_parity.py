"""A run through the real client, a socket and a journal equals its backtest in every bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from alphalab_live.replay import replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from builders import walk
from live_cases import Case, lockstep, logs_of, rows_of

import alphalab as al
from alphalab.core.events import RUN_EVENTS
from alphalab.core.journal_reader import JournalReader
from alphalab.types import Instrument

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
    return funded.with_funding(frame)


CASES = {
    "perpetual with funding": lambda: Case(
        with_funding(bars_of("BTC/USDT:USDT")), Cross(), al.RunSettings(**AT_DECISION)
    ),
    "exits": lambda: Case(
        bars_of("BTC/USDT:USDT"),
        Cross(),
        al.RunSettings(
            exits=al.Exits(stop_loss=0.004, take_profit=0.006),
            execution=al.Execution(path="ohlc"),
            **AT_DECISION,
        ),
    ),
    "spot": lambda: Case(
        bars_of("BTC/USDT", kind="spot"), Cross(short=0.0, long=0.9), al.RunSettings(**AT_DECISION)
    ),
    "spot, fee in the coin": lambda: Case(
        bars_of("BTC/USDT", kind="spot"),
        Cross(short=0.0, long=0.9),
        al.RunSettings(costs=al.Costs(fee_in="coin"), **AT_DECISION),
    ),
    "limit entries": lambda: Case(
        bars_of("BTC/USDT:USDT"),
        Cross(),
        al.RunSettings(entry=al.Entry(limit_offset_bps=5, ttl=3), **AT_DECISION),
    ),
    "three symbols": lambda: Case(
        bars_of("BTC/USDT", "ETH/USDT", "XRP/USDT", kind="spot"),
        Cross(short=0.0, long=0.3),
        al.RunSettings(**AT_DECISION),
    ),
    "every row": lambda: Case(
        bars_of("BTC/USDT:USDT"),
        Cross(),
        al.RunSettings(rebalance=al.Rebalance.every_row(), **AT_DECISION),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_equals_its_backtest(name: str, tmp_path: Path) -> None:
    case = CASES[name]()
    want = case.backtest()
    assert len(want.fills) > 5
    assert lockstep(case, tmp_path) is RunState.STOPPED
    ledger, qty = rows_of(tmp_path)
    assert ledger.tobytes() == want.ledger.tobytes()
    assert qty.tobytes() == want.qty.tobytes()
    logs = logs_of(case, tmp_path)
    for log in ("fills", "postings", "events", "refusals"):
        assert logs[log].tobytes() == getattr(want, log).tobytes(), log
    with JournalReader(RunFolder(tmp_path).journal, RUN_EVENTS) as reader:
        assert reader.verify() is None
        found = replay(reader, case.traders())
        assert found.divergence is None
        quick = replay(reader, case.traders(), from_snapshots=True)
    assert (found.n_rows, quick.decisions) == (case.bars.n_rows, found.decisions)
