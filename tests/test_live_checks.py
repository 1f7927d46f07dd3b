"""Before the first order: markets, modes, keys and hosts are what the artifact needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web
from alphalab_live.ccxt_client import make_client, moved, open_session
from alphalab_live.ccxt_records import market_terms
from alphalab_live.commands.status import read_status
from alphalab_live.exchange import Account, Fault, LocalExchange
from alphalab_live.market_checks import check_terms, term_differences
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from alphalab_live.trader import Trader
from alphalab_live.venue import Terms
from live_cases import AT_DECISION, Case, Cross, bars_of, live

import alphalab as al
from alphalab.core.engine import Engine
from alphalab.core.events import Reconcile
from alphalab.errors import RefusedError, VenueError
from alphalab.types import Instrument, InstrumentChange

LEVERED = al.RunSettings(margin=al.Margin(initial=0.2, maintenance=0.05), **AT_DECISION)
CASE = Case(bars_of("BTC/USDT:USDT", rows=12), Cross(), LEVERED)


def start_at(
    path: Path, *, case: Case = CASE, account: Account | None = None, faults: Any = ()
) -> tuple[LocalExchange, RunState]:
    """Trade a case at an exchange that has the bars of `CASE`."""

    async def all_of_it() -> tuple[LocalExchange, RunState]:
        given = account or CASE.account()
        async with LocalExchange(CASE.bars, [given], lockstep=True) as exchange:
            exchange.faults.add(list(faults))
            return exchange, await live(case, exchange, path)

    return asyncio.run(all_of_it())


def reconciled(path: Path) -> list[Reconcile]:
    with RunFolder(path).reader() as reader:
        return [event for _, event in reader.events() if isinstance(event, Reconcile)]


def test_a_market_with_other_rules_is_refused(tmp_path: Path) -> None:
    other = CASE.bars.with_instruments(tick=0.015, lot=0.0001, min_value=1.0)
    with pytest.raises(RefusedError) as error:
        start_at(tmp_path, case=Case(other, Cross(), LEVERED))
    for words in ("tick 0.015, and the venue's is 0.01", "lot 0.0001", "minimum value 1"):
        assert words in error.value.what
    assert read_status(RunFolder(tmp_path))["state"] == "STOPPED"


def test_a_coarser_grid_is_on_the_grid_of_the_venue(tmp_path: Path) -> None:
    coarse = CASE.bars.with_instruments(tick=0.05, lot=0.01, min_value=20.0)
    assert start_at(tmp_path, case=Case(coarse, Cross(), LEVERED))[1] is RunState.STOPPED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_active": False}, "does not trade it now"),
        ({"kind": "spot"}, "linear, and the venue lists it as spot"),
        ({"currency": "USDC"}, "counts in USDT, and at the venue in USDC"),
        ({"multiplier": 0.01}, "multiplier 1, and the venue's is 0.01"),
        ({"least": 0.01}, "smallest order is 0.01"),
        ({"lot": 0.003}, "lot 0.002, and the venue's is 0.003"),
    ],
)
def test_what_differs_is_said(changes: dict[str, Any], words: str) -> None:
    asset = Instrument(symbol="X", kind="linear", currency="USDT", tick=0.1, lot=0.002)
    same = Terms("linear", "USDT", True, tick=0.1, lot=0.001, least=0.001, min_value=0.0)
    assert list(term_differences(asset, same)) == []
    assert words in " ".join(term_differences(asset, same._replace(**changes)))


def test_precisions_that_ccxt_writes_in_another_way() -> None:
    told = {"spot": True, "quote": "USDT", "precision": {"price": 1, "amount": 3}}
    assert (market_terms(told, 2).tick, market_terms(told, 2).lot) == (0.1, 0.001)
    unknown = market_terms(told, 3)  # significant digits: no step follows from them
    assert unknown.tick != unknown.tick


def test_an_instrument_is_the_one_in_force() -> None:
    finer = msgspec.structs.replace(CASE.bars.instruments[0], tick=0.001)
    changes = [InstrumentChange(100, finer)]
    engine = Engine(CASE.strategy, CASE.bars.instruments, CASE.settings, changes=changes)
    trader = Trader(0, engine, CASE.interval)
    listed = Terms("linear", "USDT", True, tick=0.01, lot=0.001, least=0.001, min_value=5.0)

    def venue(now: int) -> Any:
        return SimpleNamespace(now=lambda: now, terms=lambda symbol: listed)

    check_terms(venue(100), [trader])
    with pytest.raises(RefusedError, match=r"tick 0\.001, and the venue's is 0\.01"):
        check_terms(venue(101), [trader])


def test_the_leverage_is_set_and_checked(tmp_path: Path) -> None:
    account = Account(settings=al.RunSettings(margin=al.Margin(initial=0.05, maintenance=0.01)))
    exchange, _ = start_at(tmp_path, account=account)
    (wallet,) = exchange.desk.wallets.values()
    assert wallet.leverage == {"BTCUSDT": 5}
    (changed,) = reconciled(tmp_path)
    assert (changed.subject, changed.action) == ("modes of BTC/USDT:USDT", "set")
    assert "leverage 20" in changed.found and "leverage 5" in changed.expected


def test_a_leverage_that_the_venue_keeps_is_refused(tmp_path: Path) -> None:
    account = Account(settings=al.RunSettings(margin=al.Margin(initial=0.05, maintenance=0.01)))
    nothing = Fault(on="POST /fapi/v1/leverage", do="object", done=False)
    with pytest.raises(RefusedError, match="leverage 20, margin crossed, positions one-way"):
        start_at(tmp_path, account=account, faults=[nothing])


def test_positions_that_are_hedged_are_refused(tmp_path: Path) -> None:
    hedged = {"dualSidePosition": True}
    fault = Fault(on="GET /fapi/v1/positionSide/dual", do="change", fields=hedged, times=99)
    with pytest.raises(VenueError, match="No need to change position side"):
        start_at(tmp_path, faults=[fault])
    assert read_status(RunFolder(tmp_path))["state"] == "STOPPED"


def test_a_redirect_is_not_followed() -> None:
    async def all_of_it() -> None:
        reached: list[str] = []

        async def elsewhere(request: web.Request) -> web.Response:
            reached.append(request.path)
            return web.json_response({"serverTime": 1})

        async def redirected(request: web.Request) -> web.Response:
            raise web.HTTPFound("/elsewhere")

        app = web.Application()
        app.router.add_get("/elsewhere", elsewhere)
        app.router.add_get("/{path:.*}", redirected)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        client = make_client("binance", {})
        client.urls["api"] = moved(client.urls["api"], host)
        session = open_session(client)
        try:
            with pytest.raises(RefusedError, match="redirects /api/v3/time to /elsewhere"):
                await client.fetch_time()
            client.urls["api"]["public"] = "http://localhost:1/api/v3"
            with pytest.raises(RefusedError, match="a request to localhost"):
                await client.fetch_time()
            assert reached == []
        finally:
            await client.close()
            await session.close()
            await runner.cleanup()

    asyncio.run(all_of_it())
