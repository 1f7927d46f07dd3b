"""Starts that are refused: what is wrong is named with what to do, and no order leaves."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alphalab_live.commands.status import read_status
from alphalab_live.exchange import Account, LocalExchange, Rights
from alphalab_live.lockstep import LockstepVenue
from alphalab_live.run_folder import RunFolder
from alphalab_live.runner import Runner, Start
from alphalab_live.session import Session
from alphalab_live.start import check_starts
from alphalab_live.states import RunState
from live_cases import (
    AT_DECISION,
    QUICK,
    Case,
    Cross,
    bars_of,
    live,
    lockstep,
    opened,
    replayed,
    rows_of,
    venue_of,
)
from live_crashes import orders_of

import alphalab as al
from alphalab.core.events import RUN_EVENTS
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import AlphalabError, HaltError, JournalError, RefusedError, UnknownNameError

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"


def case_of(symbol: str = PERP) -> Case:
    if symbol == PERP:
        return Case(bars_of(PERP, rows=45), Cross(), al.RunSettings(**AT_DECISION))
    return Case(
        bars_of(SPOT, rows=45, kind="spot"), Cross(short=0.0), al.RunSettings(**AT_DECISION)
    )


def start(
    case: Case,
    account: Account,
    path: Path,
    make_venue: Callable[[LocalExchange, Case], LockstepVenue] = venue_of,
) -> tuple[AlphalabError | None, int]:
    """Start a run as with real money; return why it was refused, and the number of orders."""

    async def all_of_it() -> tuple[AlphalabError | None, int]:
        async with LocalExchange(case.bars, [account]) as exchange:
            folder, venue = RunFolder(path), make_venue(exchange, case)
            with opened(folder) as journal:
                runner = Runner(folder, journal, Session(case.traders()), venue, QUICK)
                try:
                    await runner.run(Start(case.start(), warmup=[0], real=True))
                except AlphalabError as error:
                    return error, orders_of(exchange).total()
            return None, orders_of(exchange).total()

    return asyncio.run(all_of_it())


@pytest.mark.parametrize("symbol", [SPOT, PERP])
@pytest.mark.parametrize(
    ("rights", "words"),
    [
        (Rights(withdraw=True), "may withdraw or transfer money"),
        (Rights(transfer=True), "may withdraw or transfer money"),
        (Rights(trade=False), "may not trade"),
    ],
)
def test_rights_of_a_key(symbol: str, rights: Rights, words: str, tmp_path: Path) -> None:
    case = case_of(symbol)
    error, n_orders = start(case, Account(settings=case.settings, rights=rights), tmp_path)
    assert isinstance(error, RefusedError) and words in error.what
    assert error.fix and n_orders == 0
    assert read_status(RunFolder(tmp_path))["state"] == "STOPPED"


def test_a_key_that_may_trade_is_taken(tmp_path: Path) -> None:
    case = case_of()
    error, n_orders = start(case, case.account(), tmp_path)
    assert error is None and n_orders > 4


def test_too_little_balance(tmp_path: Path) -> None:
    case = case_of()
    poor = Account(settings=al.RunSettings(cash=1_000.0, **AT_DECISION))
    error, n_orders = start(case, poor, tmp_path)
    assert isinstance(error, HaltError)
    assert "USDT at the start: at least 100000.0 expected, 1000.0 found" in error.what
    assert "Pay the capital of the run in" in error.fix and n_orders == 0


def test_a_symbol_that_the_exchange_does_not_have(tmp_path: Path) -> None:
    case = case_of()

    def misspelt(exchange: LocalExchange, case: Case) -> LockstepVenue:
        venue = venue_of(exchange, case)
        venue._symbols[PERP] = "BTC/USD:USDT"
        return venue

    error, n_orders = start(case, case.account(), tmp_path, misspelt)
    assert isinstance(error, UnknownNameError) and n_orders == 0
    assert f"did you mean '{PERP}'" in str(error)


def test_a_run_that_is_started_again_and_again(tmp_path: Path) -> None:
    now = 10**18
    case = case_of()
    with opened(RunFolder(tmp_path)) as journal:
        for minute in range(19):
            journal.write([(now - minute * 60 * 10**9, case.start())], durable=False)
            check_starts(journal, now)
        journal.write([(now - 3_601 * 10**9, case.start())])
        check_starts(journal, now)
        journal.write([(now, case.start())])
        with pytest.raises(RefusedError, match="started 20 times within an hour") as error:
            check_starts(journal, now)
    assert "--resume WHY" in error.value.fix


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the system refuses, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    case = case_of()
    assert lockstep(case, tmp_path / "whole") is RunState.STOPPED

    async def all_of_it() -> None:
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            with files_end_at(250_000), pytest.raises(JournalError, match="nothing of this write"):
                await live(case, exchange, tmp_path / "full")
            sent = orders_of(exchange).total()
            assert await live(case, exchange, tmp_path / "full") is RunState.STOPPED
            assert 0 < sent < orders_of(exchange).total()

    asyncio.run(all_of_it())
    assert rows_of(tmp_path / "full")[0].tobytes() == rows_of(tmp_path / "whole")[0].tobytes()
    assert replayed(case, tmp_path / "full").divergence is None


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that has ended, its journal in one file."""
    path = tmp_path_factory.mktemp("finished")
    lockstep(case_of(), path)
    sql = sqlite3.connect(RunFolder(path).journal)
    sql.execute("pragma wal_checkpoint(truncate)")
    sql.close()
    return path


def contents(path: Path) -> list[Any]:
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        return [(entry.time, event) for entry, event in reader.events()]


def test_a_journal_changed_at_one_byte_is_not_continued(finished: Path, tmp_path: Path) -> None:
    """A flipped bit is refused, unless it stands where the file keeps nothing."""
    whole, size = contents(finished), RunFolder(finished).journal.stat().st_size
    refused = 0
    for place in np.random.default_rng(0).integers(0, size, 60).tolist():
        path = tmp_path / str(place)
        path.mkdir()
        shutil.copy(RunFolder(finished).journal, path)
        with RunFolder(path).journal.open("r+b") as file:
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 4]))
        try:
            RunFolder(path).go_on().close()
        except JournalError as error:
            assert error.fix, error
            refused += 1
        else:
            assert contents(path) == whole, place
    assert refused > 20
