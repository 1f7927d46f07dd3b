"""Orders that stand at the venue: trailing stops, orders that the venue ends, and new starts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from alphalab_live.commands.status import read_status
from alphalab_live.exchange import LocalExchange
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from live_cases import (
    AT_DECISION,
    Case,
    Cross,
    bars_of,
    live,
    lockstep,
    logs_of,
    replayed,
    venue_of,
)
from live_crashes import bytes_of, orders_of, scripted, trade

import alphalab as al
from alphalab.errors import HaltError

PERP = "BTC/USDT:USDT"


def trailing(rows: int = 120) -> Case:
    settings = al.RunSettings(
        exits=al.Exits(trailing=0.004), execution=al.Execution(path="ohlc"), **AT_DECISION
    )
    return Case(bars_of(PERP, rows=rows), Cross(), settings)


def test_the_venue_trails_a_stop_as_the_backtest_does(tmp_path: Path) -> None:
    case = trailing()
    want = case.backtest()
    assert len(want.fills) > 20
    assert lockstep(case, tmp_path) is RunState.STOPPED
    assert bytes_of(tmp_path) == (want.ledger.tobytes(), want.qty.tobytes())
    logs = logs_of(case, tmp_path)
    for log in ("fills", "postings", "refusals"):
        assert logs[log].tobytes() == getattr(want, log).tobytes(), log


def test_trailing_stops_of_an_earlier_process_are_adopted(tmp_path: Path) -> None:
    case = trailing(60)
    want = case.backtest()
    ended = trade(case, tmp_path, [140, 60, 150])
    assert len(ended.points.deaths) == 3
    assert bytes_of(tmp_path) == (want.ledger.tobytes(), want.qty.tobytes())
    assert set(ended.orders.values()) == {1}
    assert replayed(case, tmp_path).divergence is None


class Acting:
    """A venue that does something before some of the runner's waits, counted from 1."""

    def __init__(self, venue: Any, waits: Container[int], act: Callable[[], Any]) -> None:
        self._venue, self._waits, self._act = venue, waits, act
        self._n = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def signal(self) -> Any:
        self._n += 1
        if self._n in self._waits:
            await self._act()
        return await self._venue.signal()


def ending(case: Case, path: Path, *, waits: range) -> tuple[list[str], Any, Counter[str]]:
    """Trade while the venue ends all exits before some of the runner's waits, as in maintenance.

    Return what it has ended, how the run ended, and the orders.
    """
    ended: list[str] = []

    async def all_of_it() -> tuple[list[str], Any, Counter[str]]:
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            (wallet,) = exchange.desk.wallets.values()

            async def end_all() -> None:
                for order in [x for x in wallet.living if x.reduce_only or x.closes]:
                    ended.append(order.client_id)
                    await exchange.cancel(int(order.id or order.algo_id))

            def make_venue(exchange: LocalExchange, case: Case) -> Any:
                return Acting(venue_of(exchange, case), waits, end_all)

            end: RunState | HaltError
            try:
                await live(case, exchange, path, make_venue=make_venue)
                end = await live(case, exchange, path)  # compares the books with the exchange
            except HaltError as halt:
                end = halt
            return ended, end, orders_of(exchange)

    return asyncio.run(all_of_it())


def test_exits_that_the_venue_has_ended_are_sent_again(tmp_path: Path) -> None:
    case = scripted(45)
    ended, end, orders = ending(case, tmp_path, waits=range(25, 26))
    assert ended == ["al-test-0-9", "al-test-0-10"]  # a stop and a target
    assert end is RunState.STOPPED
    assert set(orders.values()) == {1}
    assert orders.keys() >= {"al-test-0-9-1", "al-test-0-10-1"}
    assert replayed(case, tmp_path).divergence is None


def test_exits_that_the_venue_ends_again_and_again(tmp_path: Path) -> None:
    exits = al.RunSettings(
        exits=al.Exits(stop_loss=0.5), execution=al.Execution(path="ohlc"), **AT_DECISION
    )
    case = Case(bars_of(PERP, rows=45), Cross(slow=30), exits)
    _, halt, _ = ending(case, tmp_path, waits=range(1_000))
    assert isinstance(halt, HaltError) and "has ended this exit 4 times" in halt.what
    assert "Protect or close the position by hand" in halt.fix
    assert replayed(case, tmp_path).divergence is None


def test_a_stopped_run_leaves_its_orders_and_finds_them(tmp_path: Path) -> None:
    case = scripted(45)
    want = case.backtest()

    async def all_of_it() -> Any:
        folder = RunFolder(tmp_path)
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            (wallet,) = exchange.desk.wallets.values()

            async def stop() -> None:
                folder.command("stop", (), who="anna", now=1)

            def make_venue(exchange: LocalExchange, case: Case) -> Any:
                return Acting(venue_of(exchange, case), {24}, stop)

            await live(case, exchange, tmp_path, make_venue=make_venue)
            stood = {order.client_id for order in wallet.living}
            assert read_status(folder)["reason"] == "stopped"
            assert await live(case, exchange, tmp_path) is RunState.STOPPED
            return stood, orders_of(exchange)

    stood, orders = asyncio.run(all_of_it())
    assert stood
    assert set(orders.values()) == {1}
    assert bytes_of(tmp_path) == (want.ledger.tobytes(), want.qty.tobytes())
