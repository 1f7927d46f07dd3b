"""A venue that answers nonsense to reads: the run ends as without it, or stops and says why."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alphalab_live.exchange import Fault, LocalExchange
from alphalab_live.settings import LiveSettings
from alphalab_live.states import RunState
from live_cases import AT_DECISION, Case, Cross, bars_of, live, replayed
from live_crashes import Whole, bytes_of, orders_of

import alphalab as al
from alphalab.errors import AlphalabError

SETTINGS = LiveSettings(
    grace_seconds=0, absence_seconds=0.01, unknown_seconds=0.3, settle_seconds=1e4
)
READS = (
    "exchangeInfo",
    "time",
    "klines",
    "account",
    "positionRisk",
    "userTrades",
    "openOrders",
    "openAlgoOrders",
    "order",
    "leverageBracket",
)
NONSENSE: dict[str, dict[str, Any]] = {
    "a web page": {"do": "html"},
    "a cut body": {"do": "cut"},
    "an empty body": {"do": "empty"},
    "an empty object": {"do": "object"},
    "an error": {"do": "answer", "status": 500, "code": -1000},
}
ALWAYS = 10_000
CASE = Case(bars_of("BTC/USDT:USDT", rows=30), Cross(), al.RunSettings(**AT_DECISION))


def trade(path: Path, *faults: Fault) -> tuple[RunState | AlphalabError, Whole]:
    """Trade under faults; any error that is none of alphalab's fails the test."""

    async def all_of_it() -> tuple[RunState | AlphalabError, Whole]:
        async with LocalExchange(CASE.bars, [CASE.account()]) as exchange:
            exchange.faults.add(faults)
            end: RunState | AlphalabError
            try:
                end = await live(CASE, exchange, path, settings=SETTINGS)
            except AlphalabError as error:
                end = error
            return end, Whole([], orders_of(exchange), bytes_of(path))

    return asyncio.run(all_of_it())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    end, found = trade(tmp_path_factory.mktemp("whole"))
    assert end is RunState.STOPPED and found.orders.total() > 3
    return found


def check_fault(path: Path, fault: Fault, whole: Whole) -> None:
    end, found = trade(path, fault)
    if isinstance(end, AlphalabError):
        assert end.what and end.fix, end
        assert found.orders <= whole.orders  # none that would not have been sent, and none twice
    else:
        assert end is RunState.STOPPED
        assert found == whole
    assert replayed(CASE, path).divergence is None


@pytest.mark.parametrize(
    ("read", "nonsense", "skip"),
    [
        ("exchangeInfo", "an empty object", 0),
        ("klines", "a web page", 0),
        ("account", "an empty object", 0),
        ("userTrades", "a web page", 4),
        ("userTrades", "an empty object", 4),
        ("positionRisk", "an empty object", 1),
        ("order", "an empty object", 4),
    ],
)
def test_nonsense_to_a_read(
    read: str, nonsense: str, skip: int, whole: Whole, tmp_path: Path
) -> None:
    fault = Fault(on=f"GET /fapi/v?/{read}", times=ALWAYS, skip=skip, **NONSENSE[nonsense])
    check_fault(tmp_path, fault, whole)


@pytest.mark.slow
@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("read", READS)
def test_all_nonsense_to_all_reads(read: str, nonsense: str, whole: Whole, tmp_path: Path) -> None:
    for times in (1, ALWAYS):
        for skip in (0, 4):
            fault = Fault(on=f"GET /fapi/v?/{read}", times=times, skip=skip, **NONSENSE[nonsense])
            check_fault(tmp_path / f"{times}-{skip}", fault, whole)


@pytest.mark.parametrize(
    "fields",
    [
        {"orderId": "1001"},  # a number as text
        {"orderId": 4},  # another order's id
        {"executedQty": "many", "avgPrice": "high"},
        {"status": "UNHEARD_OF"},
        {"status": None},
    ],
)
def test_an_accepted_order_with_odd_fields(
    fields: dict[str, Any], whole: Whole, tmp_path: Path
) -> None:
    check_fault(tmp_path, Fault(on="POST /fapi/v1/order", do="change", fields=fields), whole)


@pytest.mark.parametrize(
    "fields",
    [
        {"executedQty": "many"},
        {"executedQty": "0"},
        {"status": "UNHEARD_OF"},
        {"status": "CANCELED"},
        {"clientOrderId": "al-test-0-99"},
        {"orderId": 4},
    ],
)
def test_a_queried_order_with_odd_fields(
    fields: dict[str, Any], whole: Whole, tmp_path: Path
) -> None:
    check_fault(tmp_path, Fault(on="GET /fapi/v1/order", do="change", fields=fields), whole)
