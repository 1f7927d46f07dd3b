"""A run through the real client, a socket and a journal equals its backtest in every bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from alphalab_live.replay import replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from live_cases import AT_DECISION, Case, Cross, bars_of, lockstep, logs_of, rows_of, with_funding

import alphalab as al
from alphalab.core.events import RUN_EVENTS
from alphalab.core.journal_reader import JournalReader

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
        expected = getattr(want, log)
        # After the last row the venue still accepts its orders: an event that a backtest lacks.
        assert logs[log][: len(expected)].tobytes() == expected.tobytes(), log
    with JournalReader(RunFolder(tmp_path).journal, RUN_EVENTS) as reader:
        assert reader.verify() is None
        found = replay(reader, case.traders())
        assert found.divergence is None
        quick = replay(reader, case.traders(), from_snapshots=True)
    assert (found.n_rows, quick.decisions) == (case.bars.n_rows, found.decisions)
