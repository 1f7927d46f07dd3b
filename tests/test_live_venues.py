"""What exchanges offer, and the check of one that the user names, over a real socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import page_venues
import pytest
from alphalab_live.conformance import Check, conformance
from alphalab_live.exchange import Account, Fault, LocalExchange, Rights
from alphalab_live.offers import check_offer, offer_of
from alphalab_live.venue_ccxt import CcxtVenue
from commands import Run as Ran
from live_cases import HOUR, bars_of
from live_desk import know_live_commands

import alphalab as al
from alphalab.errors import RefusedError


def test_the_page_has_what_ccxt_says() -> None:
    page = page_venues.PAGE.read_text()
    assert page_venues.TABLE.search(page + "\n")
    assert page_venues.table() in page, "run: python tests/page_venues.py"


def test_an_exchange_that_lacks_something_is_refused() -> None:
    check_offer("binance")
    lacking = next(x for x in ("upbit", "luno") if offer_of(x).lacks)
    with pytest.raises(RefusedError, match="finds its orders and trades again"):
        check_offer(lacking)


def until_now(symbol: str) -> al.Bars:
    """Return bars of which the last one closed at the last full hour."""
    bars = bars_of(symbol, rows=40, kind="linear" if ":" in symbol else "spot")
    last = time.time_ns() // HOUR * HOUR
    cells = {name: bars[name] for name in bars.columns}
    moved = al.Bars(last - HOUR * np.arange(39, -1, -1), bars.symbols, cells)
    return moved.with_instruments(list(bars.instruments))


@asynccontextmanager
async def asked(
    symbol: str, rights: Rights | None = None
) -> AsyncIterator[tuple[LocalExchange, Callable[[], CcxtVenue]]]:
    bars = until_now(symbol)
    account = Account(rights=rights or Rights())
    async with LocalExchange(bars, [account], start=38) as exchange:
        await exchange.step()
        await exchange.step()
        config = exchange.ccxt_config()
        yield (
            exchange,
            lambda: CcxtVenue(
                "binanceusdm" if ":" in symbol else "binance",
                "check",
                {symbol: symbol},
                {symbol: HOUR},
                {name: value for name, value in config.items() if name != "urls"},
                api=config["urls"]["api"],
            ),
        )


async def all_of(venue: CcxtVenue, symbol: str, run: str) -> dict[str, Check]:
    found = [x async for x in conformance(venue, symbol, HOUR, orders=True, run=run)]
    return {check.name: check for check in found}


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USDT:USDT"])
def test_the_local_exchange_conforms(symbol: str) -> None:
    async def all_of_it() -> None:
        async with asked(symbol) as (exchange, venue):
            found = await all_of(venue(), symbol, "c1")
            assert [x for x in found.values() if not x.passed] == []
            assert {"order found by its client id", "order cancelled", "balance"} <= set(found)
            orders = [x for w in exchange.desk.wallets.values() for x in w.orders.values()]
            assert [order.client_id for order in orders] == ["al-c1-0-1"]

    asyncio.run(all_of_it())


def test_an_exchange_that_does_not_conform_is_found() -> None:
    async def all_of_it() -> None:
        rights = Rights(withdraw=True)
        async with asked("BTC/USDT:USDT", rights) as (exchange, venue):
            exchange.faults.add([Fault(on="GET /fapi/v1/openOrders", do="html", skip=1)])
            found = await all_of(venue(), "BTC/USDT:USDT", "c1")
            assert found["key may not move money"].passed is False
            assert found["stopped"].passed is False
            exchange.faults.add([Fault(on="POST /fapi/v1/order", do="lose", done=False)])
            found = await all_of(venue(), "BTC/USDT:USDT", "c2")
            assert found["order sent"].passed is False
            assert found["order found by its client id"].passed is False

    asyncio.run(all_of_it())


def test_the_command_asks_a_local_exchange(cli: Callable[..., Ran], tmp_path: Path) -> None:
    know_live_commands()
    file = tmp_path / "bars.parquet"
    bars = until_now("BTC/USDT")
    bars.to_frame("long").reset_index().to_parquet(file)
    (tmp_path / "paper.toml").write_text(
        '[instrument]\ntick = 0.01\nlot = 0.001\ncurrency = "USDT"\n'
    )
    keys = tmp_path / "keys.toml"
    keys.write_text('api_key = "key"\nsecret = "secret"\n')
    keys.chmod(0o600)
    served = "from alphalab_live.commands.exchange import app; app()"
    start = np.datetime_as_string(np.datetime64(int(bars.time[-2]), "ns"), "s")
    command = [sys.executable, "-c", served, "serve", "--json", "--data", str(file), "--port", "0"]
    flags = ["--settings", str(tmp_path / "paper.toml"), "--speed", "36000", "--start", start]
    with subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"]
            time.sleep(1)  # two hours at 36,000 times their speed
            flags = ["--venue", "ccxt:binance", "--symbol", "BTC/USDT", "--interval", "1h"]
            ran = cli("live", "check", *flags, "--api-keys", str(keys), "--orders", "--at", url)
        finally:
            process.terminate()
    assert ran.code == 0, ran
    assert "order cancelled" in ran.out and "FAILED" not in ran.out


def test_the_list_of_venues(cli: Callable[..., Ran]) -> None:
    know_live_commands()
    shown = cli("live", "venues").out
    assert "binanceusdm" in shown and "upbit" not in shown
