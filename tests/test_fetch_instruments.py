"""What exchanges say about their symbols, as instruments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from exchange_server import ExchangeServer, Funding, Listing
from fetching import HOUR, START, ask

from alphalab.data.exchanges.fetch import fetch
from alphalab.data.store.store import Store
from alphalab.errors import DataError, UnknownNameError

PERPETUAL = {"tick": "0.1", "lot": "0.01", "min_value": "100"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    rates = [Funding(START + hours * HOUR + 9, 0.0001) for hours in (0, 8, 16)]
    listings = [
        Listing("BTC", "USDT", tick="0.01", lot="0.00001", min_value="5"),
        Listing("BTC", "USDT", "linear", fundings=rates, **PERPETUAL),
        Listing("XRP", "USDT", "linear", funding_hours=4, **PERPETUAL),
        Listing("BTC", "USD", "inverse", contract_size="100", fundings=rates, **PERPETUAL),
    ]
    with ExchangeServer(listings, START + 20 * HOUR) as running:
        yield running


def instruments(store: Store) -> dict[str, dict[str, Any]]:
    return {row.pop("symbol"): row for row in store.read("instruments").to_pylist()}


def test_all_kinds_of_instruments(server, store) -> None:
    done = ask(server, store, "instruments", symbol="all")
    assert (done.n_new, done.symbol) == (4, "BTC/USDT, BTC/USDT:USDT, XRP/USDT:USDT, BTC/USD:BTC")
    found = instruments(store)
    fields = ("kind", "tick", "lot", "min_value", "maker_bps", "taker_bps")
    more = ("multiplier", "currency", "funding_hours", "calendar")
    assert {symbol: tuple(row[f] for f in fields + more) for symbol, row in found.items()} == {
        "BTC/USDT": ("spot", 0.01, 1e-5, 5.0, 10.0, 10.0, 1.0, "USDT", 0.0, "24/7"),
        "BTC/USDT:USDT": ("linear", 0.1, 0.01, 100.0, 2.0, 5.0, 1.0, "USDT", 8.0, "24/7"),
        "XRP/USDT:USDT": ("linear", 0.1, 0.01, 100.0, 2.0, 5.0, 1.0, "USDT", 4.0, "24/7"),
        "BTC/USD:BTC": ("inverse", 0.1, 0.01, 100.0, 1.0, 5.0, 100.0, "BTC", 8.0, "24/7"),
    }
    assert {row["start"].isoformat()[:19] for row in found.values()} == {"2021-01-01T20:00:00"}


def test_only_what_changed_is_a_new_row(server, store) -> None:
    symbols = {"symbol": "BTC/USDT,XRP/USDT:USDT"}
    assert ask(server, store, "instruments", **symbols).n_new == 2
    assert ask(server, store, "instruments", **symbols).n_new == 0
    assert store.version("instruments") == 0
    server.listings["spot", "BTCUSDT"].tick = "0.10"
    server.now += HOUR
    assert ask(server, store, "instruments", **symbols).n_new == 1
    ticks = store.read("instruments", where={"symbol": "BTC/USDT"})["tick"].to_pylist()
    assert ticks == [0.01, 0.1]


def test_a_contract_whose_fundings_are_not_known(server, store) -> None:
    server.listings["inverse", "BTCUSD_PERP"].fundings = []
    with pytest.raises(DataError, match="does not tell how often BTC/USD:BTC has funding"):
        ask(server, store, "instruments", symbol="BTC/USD:BTC")
    done = ask(server, store, "instruments", symbol="all")
    assert done.n_new == 3
    assert done.notes[0].startswith("1 symbols are left out; the first: binance does not tell how")


def test_an_unknown_symbol(server, store) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'BTC/USDT'"):
        ask(server, store, "instruments", symbol="BTC/USDTT")


MARKET = {
    **{"id": "btcusd", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "active": True},
    **{"type": "spot", "spot": True, "maker": 0.001, "taker": 0.0025, "percentage": True},
}


@pytest.mark.parametrize(
    ("exchange", "precision", "tick", "lot"),
    [
        ("binance", {"price": 0.25, "amount": 1e-8}, 0.25, 1e-8),  # steps
        ("foxbit", {"price": 2, "amount": 8}, 0.01, 1e-8),  # decimals
        ("foxbit", {"price": -2, "amount": 0}, 100.0, 1.0),
        ("bitfinex", {"price": 5, "amount": 8}, 0.0, 1e-8),  # significant digits of the price
        ("binance", {"price": None, "amount": None}, 0.0, 0.0),
    ],
)
def test_precision_in_all_ways_that_ccxt_knows(exchange, precision, tick, lot, store) -> None:
    client = getattr(ccxt, exchange)({"has": {"fetchTime": False}})
    client.set_markets([{**MARKET, "precision": precision}])
    done = fetch(client, "BTC/USD", "instruments", store=store)[0]
    client.close()
    row = instruments(store)["BTC/USD"]
    assert (row["tick"], row["lot"], row["taker_bps"]) == (tick, lot, 25.0)
    digits = "prices have a number of digits, and no tick: stored as 0 (any price)"
    assert done.notes == ((digits,) if exchange == "bitfinex" else ())
    assert store.history("instruments")[0].record["clock"] == "this machine"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"spot": False, "type": "option", "option": True}, "is option, neither linear nor inv"),
        ({"spot": False, "type": "swap", "swap": True, "linear": False}, "neither linear nor inve"),
    ],
)
def test_what_is_no_instrument_is_refused(fields, words: str, store) -> None:
    client = ccxt.binance({"has": {"fetchTime": False}})
    client.set_markets([{**MARKET, **fields, "precision": {}}])
    with pytest.raises(DataError, match=words):
        fetch(client, "BTC/USD", "instruments", store=store)
    client.close()


def test_fees_that_are_not_told(store) -> None:
    client = ccxt.binance({"has": {"fetchTime": False}})
    client.set_markets([{**MARKET, "precision": {}, "maker": None, "percentage": False}])
    done = fetch(client, "BTC/USD", "instruments", store=store)[0]
    client.close()
    assert done.notes == tuple(
        f"BTC/USD: no {name} fee is stated, stored as 0" for name in ("maker", "taker")
    )
