"""Streams wake the runner: of candles and of orders, also after their key has expired."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from alphalab_live.commands.status import read_status
from alphalab_live.exchange import Fault, LocalExchange
from alphalab_live.exchange.listing import listings
from alphalab_live.run_folder import RunFolder
from alphalab_live.settings import LiveSettings
from alphalab_live.states import RunState
from alphalab_live.venue import Signal, Stir
from alphalab_live.venue_ccxt import CcxtVenue
from live_cases import AT_DECISION, Case, Cross, bars_of, live, replayed

import alphalab as al

SECOND = 10**9


def venue_at(exchange: LocalExchange, case: Case) -> CcxtVenue:
    """Return a venue that takes its signals from streams, as at a real exchange."""
    listed = listings(case.bars.instruments)
    config = exchange.ccxt_config()
    names = {case.bars.instruments[x.asset].symbol: x.unified for x in listed}
    return CcxtVenue(
        "binance" if listed[0].kind == "spot" else "binanceusdm",
        "main",
        names,
        dict.fromkeys(names, case.interval),
        {name: value for name, value in config.items() if name != "urls"},
        api=config["urls"]["api"],
    )


async def wait_for(venue: CcxtVenue, stir: Stir) -> Signal:
    """Return the next signal of a kind; other signals are dropped."""
    async with asyncio.timeout(20):
        while (signal := await venue.signal()).stir is not stir:
            pass
    return signal


def test_streams_wake_also_after_their_key_has_expired() -> None:
    case = Case(bars_of("BTC/USDT:USDT", rows=60), Cross(), al.RunSettings(**AT_DECISION))

    async def all_of_it() -> None:
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            venue = venue_at(exchange, case)
            await venue.open()
            try:
                await asyncio.sleep(0.5)  # until the streams are open
                await exchange.step()
                candle = (await wait_for(venue, Stir.CANDLE)).candle
                assert candle is not None and candle.close == case.bars.close[0, 0]

                await buy(venue)
                await wait_for(venue, Stir.ORDERS)
                exchange.faults.add([Fault(on="user linear ORDER_TRADE_UPDATE", do="expire")])
                await buy(venue)  # the key of the stream expires in place of the event
                await wait_for(venue, Stir.DOWN)
                await wait_for(venue, Stir.UP)
                await buy(venue)
                await wait_for(venue, Stir.ORDERS)
            finally:
                await venue.close()

    asyncio.run(all_of_it())


async def buy(venue: CcxtVenue) -> None:
    await venue._client.create_order("BTC/USDT:USDT", "limit", "buy", 1.0, 50.0)


def now_on(rows: int, *, after: int) -> Case:
    """Return a market of spot with bars of a second, that begins now and moves up and down."""
    bars = bars_of("BTC/USDT", kind="spot", rows=rows)
    first = (time.time_ns() // SECOND + after) * SECOND
    cells = {name: bars[name] for name in bars.columns}
    moved = al.Bars(first + SECOND * np.arange(rows), bars.symbols, cells)
    return Case(
        moved.with_instruments(list(bars.instruments)),
        Cross(fast=1, slow=2, short=0.0, long=0.9),
        al.RunSettings(**AT_DECISION),
    )


def trade_in_its_own_time(case: Case, path: Path, at_row: Callable[[LocalExchange], None]) -> None:
    """Trade a market that does not wait, until its last row has come."""

    async def all_of_it() -> None:
        async with LocalExchange(case.bars, [case.account()], lockstep=False, speed=1) as exchange:
            folder = RunFolder(path)
            run = asyncio.create_task(
                live(case, exchange, path, settings=LiveSettings(), make_venue=venue_at)
            )
            while exchange.desk.tape.row < 5:
                await asyncio.sleep(0.1)
            at_row(exchange)
            while not exchange.desk.tape.ended:
                await asyncio.sleep(0.1)
            await asyncio.sleep(1.0)
            folder.command("stop", (), who="anna", now=time.time_ns())
            assert await run is RunState.STOPPED

    asyncio.run(all_of_it())


def test_a_run_in_real_time(tmp_path: Path) -> None:
    case = now_on(14, after=4)

    def expire(exchange: LocalExchange) -> None:
        exchange.faults.add([Fault(on="user spot executionReport", do="drop", times=100)])

    trade_in_its_own_time(case, tmp_path, expire)
    found = read_status(RunFolder(tmp_path))
    assert found["rows"] >= 10
    assert found["reason"] == "stopped"
    assert replayed(case, tmp_path).divergence is None
