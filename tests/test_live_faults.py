"""A venue that loses, cuts and garbles answers, and an operator who commands: where runs end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from alphalab_live.commands.status import read_status
from alphalab_live.exchange import Account, Fault, LocalExchange, Rights
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from live_cases import (
    AT_DECISION,
    QUICK,
    Case,
    Cross,
    bars_of,
    live,
    opened,
    replayed,
    rows_of,
    venue_of,
)

import alphalab as al
from alphalab.core.events import RUN_EVENTS
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import HaltError, JournalError, RefusedError, VenueError

ORDER = "POST /fapi/v1/order"
QUERY = "GET /fapi/v1/order"


def case_of(rows: int = 45) -> Case:
    return Case(bars_of("BTC/USDT:USDT", rows=rows), Cross(), al.RunSettings(**AT_DECISION))


def run_with(
    path: Path, faults: list[Fault], *, account: Account | None = None, **options: Any
) -> tuple[LocalExchange, BaseException | RunState]:
    """Trade a small market with faults; return the exchange and the state or the error."""
    case = case_of()

    async def all_of_it() -> tuple[LocalExchange, BaseException | RunState]:
        async with LocalExchange(case.bars, [account or case.account()]) as exchange:
            exchange.faults.add(faults)
            try:
                return exchange, await live(case, exchange, path, **options)
            except HaltError as halt:
                return exchange, halt

    return asyncio.run(all_of_it())


def orders_of(exchange: LocalExchange) -> list[str]:
    return [o.client_id for w in exchange.desk.wallets.values() for o in w.orders.values()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str]]:
    path = tmp_path_factory.mktemp("undisturbed")
    exchange, state = run_with(path, [])
    assert state is RunState.STOPPED
    assert len(orders_of(exchange)) > 4
    return rows_of(path)[0].tobytes(), orders_of(exchange)


SAME_END = {
    "the answer is lost": [Fault(on=ORDER, do="lose", skip=1)],
    "the request is lost": [Fault(on=ORDER, do="lose", done=False, skip=1)],
    "the answer is cut": [Fault(on=ORDER, do="cut", skip=1)],
    "a web page with 200": [Fault(on=ORDER, do="html", skip=1)],
    "an empty body": [Fault(on=ORDER, do="empty", skip=1)],
    "an empty object": [Fault(on=ORDER, do="object", skip=1)],
    "another order's id": [Fault(on=ORDER, do="change", fields={"clientOrderId": "x"}, skip=1)],
    "-1007, and it is there": [Fault(on=ORDER, do="answer", status=400, code=-1007, skip=1)],
    "-1007, and it is not": [
        Fault(on=ORDER, do="answer", status=400, code=-1007, done=False, skip=1)
    ],
    "504": [Fault(on=ORDER, do="answer", status=504, code=-1007, skip=1)],
    "overload": [Fault(on=ORDER, do="answer", status=503, code=-1008, done=False, skip=1)],
    "429": [
        Fault(on=ORDER, do="answer", status=429, code=-1003, done=False, retry_after=0, skip=1)
    ],
    "the answer and the first query are lost": [
        Fault(on=ORDER, do="lose", skip=1),
        Fault(on=QUERY, do="lose", times=2),
    ],
    "not known yet": [
        Fault(on=ORDER, do="lose", skip=1),
        Fault(on=QUERY, do="answer", status=400, code=-2013, times=2),
    ],
    "trades come late": [Fault(on="GET /fapi/v1/userTrades", do="html", skip=6)],
    "a candle comes twice": [Fault(on="stream * btcusdt@kline_1h", do="twice", skip=4, times=3)],
    "a candle does not come": [Fault(on="stream * btcusdt@kline_1h", do="drop", skip=4, times=3)],
}


@pytest.mark.parametrize("name", SAME_END)
def test_a_fault_changes_nothing(
    name: str, undisturbed: tuple[bytes, list[str]], tmp_path: Path
) -> None:
    exchange, state = run_with(tmp_path, SAME_END[name])
    assert state is RunState.STOPPED, state
    assert rows_of(tmp_path)[0].tobytes() == undisturbed[0]
    assert orders_of(exchange) == undisturbed[1]  # none lost, none doubled
    assert replayed(case_of(), tmp_path).divergence is None


HALTS = {
    "a ban": ([Fault(on=ORDER, do="answer", status=418, code=-1003, done=False)], "banned"),
    "the key is refused": (
        [Fault(on=ORDER, do="answer", status=401, code=-2015, done=False)],
        "refuses the API key",
    ),
    "the order is refused for no rule of the market": (
        [Fault(on=ORDER, do="answer", status=400, code=-1102, done=False)],
        "is refused (code -1102)",
    ),
    "the outcome stays unknown": (
        [Fault(on=ORDER, do="lose"), Fault(on=QUERY, do="html", times=10_000)],
        "is not known after",
    ),
}


@pytest.mark.parametrize("name", HALTS)
def test_a_fault_that_halts(name: str, tmp_path: Path) -> None:
    faults, words = HALTS[name]
    settings = QUICK.__class__(
        grace_seconds=0, absence_seconds=0.01, unknown_seconds=0.3, settle_seconds=1e4
    )
    _, halt = run_with(tmp_path, faults, settings=settings)
    assert isinstance(halt, HaltError) and words in halt.what, halt
    assert halt.fix
    found = read_status(RunFolder(tmp_path))
    assert (found["state"], found["reason"]) == ("HALTED", halt.what)
    assert replayed(case_of(), tmp_path).divergence is None


def test_a_refusal_by_the_market_goes_on(tmp_path: Path) -> None:
    fault = Fault(on=ORDER, do="answer", status=400, code=-2019, done=False, skip=1)
    _, state = run_with(tmp_path, [fault])
    assert state is RunState.STOPPED
    assert replayed(case_of(), tmp_path).divergence is None


def test_the_time_of_a_request_is_refused_once_and_twice(tmp_path: Path) -> None:
    once = Fault(on=ORDER, do="answer", status=400, code=-1021, done=False, skip=1)
    _, state = run_with(tmp_path / "once", [once])
    assert state is RunState.STOPPED
    _, halt = run_with(tmp_path / "twice", [once, once])
    assert isinstance(halt, HaltError) and "time of requests" in halt.what


def test_foreign_orders_and_positions_halt(tmp_path: Path) -> None:
    case = case_of()

    async def all_of_it() -> HaltError | None:
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            from alphalab_live.exchange.listing import listings

            (listing,) = listings(case.bars.instruments)
            assert listing.id == "BTCUSDT"
            for _ in range(3):
                await exchange.step()
            other = venue_of(exchange, case)
            await other.open()
            await other._client.create_order(
                "BTC/USDT:USDT", "limit", "buy", 1.0, 50.0, {"clientOrderId": "somebody"}
            )
            await other.close()
            try:
                await live(case, exchange, tmp_path)
            except HaltError as halt:
                return halt
        return None

    halt = asyncio.run(all_of_it())
    assert halt is not None and "open order somebody" in halt.what
    assert "somebody else trades this account" in halt.fix


def test_commands(tmp_path: Path) -> None:
    for name, expected in (("stop", "STOPPED"), ("kill", "KILLED"), ("flatten", "STOPPED")):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        (folder.path / "commands").mkdir()
        told = 0

        class Commanding:
            def __init__(self, venue: Any) -> None:
                self.venue = venue

            def __getattr__(self, attribute: str) -> Any:
                return getattr(self.venue, attribute)

            async def signal(self) -> Any:
                nonlocal told
                told += 1
                if told == 25:
                    folder.command(name, (), who="anna", now=told)  # noqa: B023
                return await self.venue.signal()

        def make_venue(exchange: LocalExchange, case: Case) -> Any:
            return Commanding(venue_of(exchange, case))

        run_with(folder.path, [], make_venue=make_venue)
        found = read_status(folder)
        assert found["state"] == expected, name
        assert replayed(case_of(), folder.path).divergence is None
        if name == "flatten":
            assert list(found["engines"][0]["units"].values()) == [0.0]
        else:
            assert 15 < found["rows"] < 40


def test_what_is_compared_can_differ(undisturbed: tuple[bytes, list[str]], tmp_path: Path) -> None:
    fault = Fault(on=ORDER, do="answer", status=400, code=-2019, done=False, skip=1)
    exchange, _ = run_with(tmp_path, [fault])
    assert rows_of(tmp_path)[0].tobytes() != undisturbed[0]
    assert orders_of(exchange) != undisturbed[1]


def test_a_clock_that_is_off(tmp_path: Path) -> None:
    case = case_of()

    async def all_of_it() -> None:
        late = {"clock": lambda: time.time_ns() // 1_000_000 + 60_000}
        async with LocalExchange(case.bars, [case.account()], **late) as exchange:
            with pytest.raises(RefusedError, match=r"clock is -\d\d\.\d s off"):
                await live(case, exchange, tmp_path)
            assert orders_of(exchange) == []

    asyncio.run(all_of_it())
    assert read_status(RunFolder(tmp_path))["state"] == "STOPPED"


def test_keys_that_are_wrong(tmp_path: Path) -> None:
    case = case_of()

    async def all_of_it() -> None:
        async with LocalExchange(case.bars, [case.account()]) as exchange:

            def with_wrong_secret(exchange: LocalExchange, case: Case) -> Any:
                venue = venue_of(exchange, case)
                venue._client.secret = "canary"
                return venue

            with pytest.raises(VenueError, match="Signature") as error:
                await live(case, exchange, tmp_path, make_venue=with_wrong_secret)
            assert "canary" not in str(error.value) and "keys" in error.value.fix
            assert orders_of(exchange) == []

    asyncio.run(all_of_it())


def test_a_full_disk(tmp_path: Path) -> None:
    case = case_of()

    def almost_full(folder: RunFolder) -> Journal:
        journal = opened(folder)
        (pages,) = journal._sql.execute("pragma page_count").fetchone()
        journal._sql.execute(f"pragma max_page_count = {pages + 4}")
        return journal

    async def all_of_it() -> int:
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            with pytest.raises(JournalError, match="full"):
                await live(case, exchange, tmp_path, open_journal=almost_full)
            sent = len(orders_of(exchange))
            assert await live(case, exchange, tmp_path) is RunState.STOPPED  # there is room again
            return sent

    assert asyncio.run(all_of_it()) < 6
    with JournalReader(RunFolder(tmp_path).journal, RUN_EVENTS) as reader:
        assert reader.verify() is None
    assert replayed(case, tmp_path).divergence is None


def test_keys_that_may_withdraw(tmp_path: Path) -> None:
    case = case_of()
    account = Account(settings=case.settings, rights=Rights(withdraw=True))

    async def all_of_it() -> Any:
        async with LocalExchange(case.bars, [account]) as exchange:
            venue = venue_of(exchange, case)
            await venue.open()
            try:
                return await venue.key_rights()
            finally:
                await venue.close()

    rights = asyncio.run(all_of_it())
    assert rights.moves_money is True
