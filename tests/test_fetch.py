"""Fetching: the real ccxt clients, over real sockets, with everything that goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ccxt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from exchange_server import Candle, ExchangeServer, Fault, Funding, Listing
from fetching import (
    DAY,
    HOUR,
    KLINES,
    MINUTE,
    START,
    ask,
    candles_of,
    expected,
    hourly,
    listing,
    stored,
)

from alphalab.data.exchanges.client import Client
from alphalab.data.exchanges.fetch import fetch
from alphalab.data.exchanges.fill import Fetched, Progress
from alphalab.data.store.store import Store
from alphalab.errors import DataError, InputError, UnknownNameError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    """300 hourly candles, ten a page; the last is open."""
    candles = hourly(300)
    with ExchangeServer([listing(candles)], START + 300 * HOUR - 1, most=10) as running:
        yield running


def test_candles_are_those_of_the_exchange_labelled_by_their_close(server, store) -> None:
    done = ask(server, store, since="2021-01-01")
    assert stored(store) == expected(candles_of(server)[:299])
    assert done == Fetched(
        table="bars",
        symbol="BTC/USDT",
        what="1h",
        n_new=299,
        n_revised=0,
        first="2021-01-01T01:00:00Z",
        last="2021-01-13T11:00:00Z",
        version=0,
        notes=(),
    )
    record = store.history("bars")[0].record
    assert record["source"] == f"binance through ccxt {ccxt.__version__}"
    assert record["clock"] == "exchange"


def test_real_candles_of_a_perpetual_contract(shared_data: Path, store) -> None:
    rows = pq.read_table(shared_data / "xrp_perp_5m.parquet")
    opens = rows["time"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_pylist()
    names = ("open", "high", "low", "close", "volume")
    values = zip(*(rows[name].to_pylist() for name in names), strict=True)
    candles = [Candle(time, *prices) for time, prices in zip(opens, values, strict=True)]
    perpetual = Listing("XRP", "USDT", "linear", candles={"5m": candles})
    with ExchangeServer([perpetual], opens[-1] + HOUR) as server:
        done = ask(server, store, "5m", symbol="XRP/USDT:USDT", since="2021-11-15")
    assert done.n_new == len(candles) == 1_999
    read = store.read("bars").select(["time", *names])
    shifted = pc.add(rows["time"], pa.scalar(300 * 10**9, pa.duration("ns")))
    given = rows.select(["time", *names]).set_column(0, "time", shifted)
    assert read.cast(given.schema.remove_metadata()).equals(given.replace_schema_metadata())


@pytest.mark.parametrize(
    ("after_close_ms", "is_stored"), [(-1, False), (0, False), (1_000, False), (2_000, True)]
)
def test_a_candle_is_stored_two_seconds_after_its_close(after_close_ms, is_stored, store) -> None:
    with ExchangeServer([listing(hourly(5))], START + 5 * HOUR + after_close_ms) as server:
        ask(server, store, since="2021-01-01")
    assert len(stored(store)) == 4 + is_stored


def test_what_is_stored_is_not_asked_for_again(server, store) -> None:
    ask(server, store, since="2021-01-01", until="2021-01-10")
    assert stored(store) == expected(candles_of(server)[: 9 * 24 + 24])
    version, asked = store.version("bars"), server.n_asked(KLINES)
    for options in ({}, {"since": "2021-01-01"}, {"since": "2021-01-04"}):
        done = ask(server, store, until="2021-01-10", **options)
        assert (done.n_new, done.version) == (0, version)
    assert server.n_asked(KLINES) == asked

    done = ask(server, store)
    assert done.n_new == 299 - 240
    assert server.n_asked(KLINES) == asked + 6  # one candle again, and the 59 new ones
    assert stored(store) == expected(candles_of(server)[:299])


def test_it_goes_on_as_time_goes_on(server, store) -> None:
    server.now = START + 20 * HOUR
    ask(server, store, since="2021-01-01")
    for hours in (21, 21, 35, 300):
        server.now = START + hours * HOUR + 5_000
        ask(server, store)
        assert stored(store) == expected(candles_of(server)[:hours])


@pytest.mark.parametrize("symbols", ["BTC/USDT, ETH/USDT", ["BTC/USDT", "ETH/USDT"]])
def test_several_symbols(symbols, store) -> None:
    other = Listing("ETH", "USDT", candles={"1h": hourly(30, seed=1)})
    with ExchangeServer([listing(hourly(40)), other], START + 100 * HOUR) as server:
        client = ccxt.binance({"rateLimit": 0})
        done = fetch(client, symbols, "1h", since="2021-01-01", store=store, url=server.url)
        client.close()
    assert [(one.symbol, one.n_new) for one in done] == [("BTC/USDT", 40), ("ETH/USDT", 30)]
    assert stored(store, symbol="ETH/USDT") == expected(other.candles["1h"])


def again(rows: list[Any]) -> list[Any]:
    return [*rows, *rows[:3], *rows]


def with_earlier(rows: list[Any]) -> list[Any]:
    return [[row[0] - 7 * HOUR, *row[1:]] for row in rows[:7]] + rows if rows else rows


FAULTS = {
    "server error": Fault(KLINES, skip=2, times=2, status=500),
    "bad gateway": Fault(KLINES, skip=29, times=1, status=502),
    "too many requests": Fault(KLINES, skip=3, status=429, retry_after=0),
    "banned for a second": Fault(KLINES, skip=3, status=418, retry_after=1),
    "cut in the body": Fault(KLINES, skip=4, times=3, cut=True),
    "too slow": Fault(KLINES, skip=5, delay=0.8),
    "a web page": Fault(KLINES, skip=6, times=2, body=b"<html>Attention Required!</html>"),
    "half a list": Fault(KLINES, skip=6, body=b'[[1609459200000, "1.0", "2'),
    "other JSON": Fault(KLINES, skip=6, body=b'{"result": "ok"}'),
    "no prices": Fault(KLINES, skip=6, change=lambda rows: [[row[0], None] for row in rows]),
    "an empty page": Fault(KLINES, skip=7, change=lambda rows: []),
    "rows twice": Fault(KLINES, times=99, change=again),
    "overlapping pages": Fault(KLINES, skip=1, times=99, change=with_earlier),
    "newest first": Fault(KLINES, times=99, change=lambda rows: rows[::-1]),
    "symbols fail first": Fault("/exchangeInfo", times=2, status=503),
    "no time at first": Fault("/time", times=1, status=500),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_change_nothing(fault: str, server, store) -> None:
    server.faults = [replace(FAULTS[fault])]
    waits: list[Progress] = []
    done = ask(server, store, since="2021-01-01", progress=waits.append)
    assert stored(store) == expected(candles_of(server)[:299])
    assert (done.n_new, done.notes) == (299, ())
    repeated = fault not in ("an empty page", "rows twice", "overlapping pages", "newest first")
    assert any(now.waiting for now in waits) == repeated


def test_an_exchange_that_is_down_ends_it_and_what_came_is_kept(server, store) -> None:
    server.faults = [Fault(KLINES, skip=23, times=99, status=503)]
    with pytest.raises(DataError, match="does not answer: ExchangeNotAvailable") as error:
        ask(server, store, since="2021-01-01")
    assert error.value.__notes__ == ["BTC/USDT: 230 new rows are kept"]
    assert server.n_asked(KLINES) == 23 + 8
    assert stored(store) == expected(candles_of(server)[:230])
    server.faults = []
    assert ask(server, store).n_new == 69
    assert stored(store) == expected(candles_of(server)[:299])


@pytest.mark.parametrize(
    ("code", "n_asked", "message"),
    [
        (socket.EAI_NONAME, 1, "binance: unknown host: NetworkError"),
        (socket.EAI_AGAIN, 8, "binance does not answer: NetworkError"),
    ],
)
def test_a_host_that_has_no_address(
    code: int, n_asked: int, message: str, store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def nowhere(*arguments: Any) -> Any:
        asked.append(arguments[0])
        raise socket.gaierror(code, "no address")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    waits: list[Progress] = []
    with pytest.raises(DataError, match=message):
        options = {"since": "2021-01-01", "store": store, "retry_wait": 0.001}
        fetch("binance", "BTC/USDT", "1h", **options, progress=waits.append)
    assert len(asked) == n_asked
    told = [now.waiting.partition(": ")[0] for now in waits]
    assert told == [f"no answer, {tried} of 8" for tried in range(1, n_asked)]
    assert all(f"again in 0.00{2**n} s" in now.waiting for n, now in enumerate(waits[:3]))


def test_what_is_refused_is_not_tried_again(server, store) -> None:
    server.faults = [Fault(KLINES, skip=2, status=400)]
    with pytest.raises(DataError, match="refuses: BadRequest"):
        ask(server, store, since="2021-01-01")
    assert server.n_asked(KLINES) == 3
    assert len(stored(store)) == 20


def test_a_long_ban_is_told_at_once(server, store) -> None:
    server.faults = [Fault(KLINES, status=418, retry_after=7_200, times=99)]
    with pytest.raises(DataError, match="DDoSProtection") as error:
        ask(server, store, since="2021-01-01")
    assert error.value.fix == "It asks to wait for 7200 s."
    assert server.n_asked(KLINES) == 1


@pytest.mark.parametrize("kind", ["spot", "inverse"])  # pages from a time on; pages of a span
def test_gaps_and_a_late_listing(kind: str, store) -> None:
    candles = hourly(60 * 24, start=START + 400 * DAY)
    del candles[200:900], candles[300:310]
    market = listing(candles, kind)
    with ExchangeServer([market], START + 460 * DAY + MINUTE, most=24) as server:
        symbol = "BTC/USD:BTC" if kind == "inverse" else "BTC/USDT"
        done = ask(server, store, symbol=symbol, since="2020-06-01")
        assert stored(store) == expected(candles)
        assert done.notes == (
            "binance has nothing before 2022-02-05T00:00:00Z",
            "710 of 1,440 candles are missing in between",
        )
        # 31 pages of candles; what is empty is asked for twice, and days tell where to go on.
        assert server.n_asked(KLINES) < 31 + 40


def test_an_empty_page_of_days_is_asked_for_again(store) -> None:
    candles = hourly(48, start=START + 30 * DAY)
    with ExchangeServer([listing(candles, "inverse")], START + 40 * DAY, most=24) as server:
        server.faults = [Fault("interval=1d", change=lambda rows: [])]
        ask(server, store, symbol="BTC/USD:BTC", since="2021-01-01")
        assert server.faults[0].times == 0
    assert stored(store) == expected(candles)


def test_earlier_rows_join_the_stored_ones(server, store) -> None:
    ask(server, store, since="2021-01-11", until="2021-01-11")
    assert len(stored(store)) == 24
    done = ask(server, store, since="2021-01-03")
    assert done.n_new == 299 - 48 - 24
    assert stored(store) == expected(candles_of(server)[48:299])
    asked = server.n_asked(KLINES)
    assert ask(server, store, since="2020-12-01").n_new == 48
    assert ask(server, store, since="2020-12-01").n_new == 0
    assert stored(store) == expected(candles_of(server)[:299])
    assert server.n_asked(KLINES) - asked < 12


@pytest.mark.parametrize(
    ("stored_span", "asked_span", "note"),
    [
        (("2021-01-01", "2021-01-02"), ("2021-01-05", "2021-01-06"), "the stored rows end earlier"),
        (("2021-01-05", "2021-01-06"), ("2021-01-01", "2021-01-02"), "the stored rows begin later"),
    ],
)
def test_no_gap_is_left_between_spans(stored_span, asked_span, note, server, store) -> None:
    ask(server, store, since=stored_span[0], until=stored_span[1])
    done = ask(server, store, since=asked_span[0], until=asked_span[1])
    assert stored(store) == expected(candles_of(server)[: 6 * 24])
    assert done.notes[0].startswith(note)


def test_again_fills_what_is_missing_inside(server, store) -> None:
    ask(server, store, since="2021-01-01")
    whole = store.read("bars")
    other = Store(f"{store.url}-2")
    other.write("bars", whole.filter(pa.array([not 50 <= row < 90 for row in range(299)])))
    assert ask(server, other).notes == ("40 of 299 candles are missing in between",)
    done = ask(server, other, again=True)
    assert (done.n_new, done.notes) == (40, ())
    assert other.read("bars").equals(whole)


def test_a_candle_that_changed_is_refused_unless_revised(server, store) -> None:
    server.now = START + 100 * HOUR + 5_000
    ask(server, store, since="2021-01-01")
    server.now = START + 300 * HOUR
    candles = candles_of(server)
    for row in (40, 99):
        candles[row] = candles[row]._replace(volume=1e6)
    with pytest.raises(DataError, match="1000000"):
        ask(server, store)  # the last stored one is looked at again
    with pytest.raises(DataError, match="2021-01-02T17:00:00Z is stored with other"):
        ask(server, store, since="2021-01-01", again=True)
    assert len(stored(store)) == 100
    done = ask(server, store, since="2021-01-01", revise=True)
    assert (done.n_new, done.n_revised) == (199, 2)
    assert stored(store) == expected(candles[:299])
    assert ask(server, store).n_revised == 0


def test_progress_goes_forward_to_the_end(server, store) -> None:
    for options in ({"since": "2021-01-08", "until": "2021-01-10"}, {"since": "2021-01-02"}):
        seen: list[Progress] = []
        ask(server, store, progress=seen.append, **options)
        shares = [now.done_frac for now in seen]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
    assert seen[-1].n_rows == 299 - 24 - 3 * 24 + 1  # one of them again


def test_real_funding_rates(shared_data: Path, store) -> None:
    rows = pq.read_table(shared_data / "xrp_perp_funding_8h.parquet")
    times = rows["time"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_pylist()
    rates = rows["funding_rate"].to_pylist()
    fundings = [Funding(*pair) for pair in zip(times, rates, strict=True)]
    perpetual = Listing("XRP", "USDT", "linear", fundings=fundings)
    with ExchangeServer([perpetual], times[60] + HOUR, most=25) as server:
        options = {"symbol": "XRP/USDT:USDT"}
        assert ask(server, store, "funding", since="2021-11-20", **options).n_new == 61 - 6
        server.now = times[-1] + HOUR
        done = ask(server, store, "funding", since="2021-11-01", **options)
    assert stored(store, "funding") == [(f.time, pytest.approx(f.rate, abs=1e-8)) for f in fundings]
    assert done.notes == ("binance has nothing before 2021-11-18T00:00:00.017Z",)


def test_kraken_gives_only_what_is_recent(store) -> None:
    candles = hourly(2_000)
    with ExchangeServer([listing(candles)], START + 1_999 * HOUR + MINUTE) as server:
        done = ask(server, store, exchange="kraken", since="2021-01-01")
        assert stored(store) == expected(candles[1_280:1_999])
        assert done.notes == ("kraken has nothing before 2021-02-23T08:00:00Z",)
        server.now += DAY
        assert ask(server, store, exchange="kraken", since="2021-01-01").n_new == 1


BEGIN = datetime.fromtimestamp(START / 1_000, UTC)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"what": "7h"}, UnknownNameError, "unknown interval of binance '7h'"),
        ({"what": "1M"}, DataError, "candles are all of one length"),
        ({"what": "1h", "symbol": "BTC/USDC"}, UnknownNameError, "did you mean 'BTC/USDT'"),
        ({"what": "funding"}, DataError, "no funding"),
        ({"what": "funding", "exchange": "kraken"}, DataError, "kraken offers no funding rates"),
        ({"since": None}, DataError, "no time from which to fetch BTC/USDT"),
        ({"since": "2031-01-01"}, DataError, "it begins before it ends, and before now"),
        ({"since": "2021-01-02", "until": "2021-01-01"}, DataError, "it begins before it ends"),
    ],
)
def test_what_cannot_be_fetched_is_said(options, error, words: str, server, store) -> None:
    options = {"since": "2021-01-01", **options}
    with pytest.raises(error) as caught:
        ask(server, store, options.pop("what", "1h"), **options)
    assert words in str(caught.value)
    assert store.tables() == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": "January"}, "'January' is not a date"),
        ({"until": "nonsense"}, "'nonsense' is not a date"),
        ({"since": "2021-01-03", "until": "2021-01-01"}, "it begins before it ends"),
        ({"since": "9999-01-01", "until": "9999-12-31"}, "since 2262-04-11T23:47:16.854Z until"),
        ({"symbol": ""}, "symbols ''"),
        ({"symbol": "BTC/USDT, "}, "symbols 'BTC/USDT, '"),
        ({"symbol": []}, "a symbol or more are named"),
    ],
)
def test_what_no_exchange_has_to_tell_is_said_before_it_is_asked(
    options, words: str, server, store
) -> None:
    with pytest.raises(DataError) as caught:
        ask(server, store, **{"since": "2021-01-01", **options})
    assert words in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    ("exchange", "url", "error", "words"),
    [
        ("binanse", None, UnknownNameError, "did you mean 'binance'"),
        (object(), None, InputError, "is not an exchange"),
        ("binance", "localhost:80", InputError, "an address reads http://HOST:PORT"),
        ("binance", "http://127.0.0.1:9", DataError, r"does not answer: .*Connection refused"),
    ],
)
def test_an_exchange_that_is_none(exchange, url, error, words: str, store) -> None:
    with pytest.raises(error, match=words):
        fetch(exchange, "BTC/USDT", "1h", since=BEGIN, store=store, url=url, retry_wait=0.0)


def addresses(urls: Any) -> list[str]:
    if isinstance(urls, str):
        return [urls]
    return [address for nested in urls.values() for address in addresses(nested)]


@pytest.mark.parametrize(
    "name", ["binance", "bybit", "kraken", "okx", "kucoin", "bitfinex", "gate"]
)
def test_all_addresses_of_an_exchange_move(name: str) -> None:
    client = Client(name, url="http://me:secret@127.0.0.1:9/proxy/")
    moved = addresses(client.ccxt.urls["api"])
    assert moved
    assert all(url.startswith("http://127.0.0.1:9/proxy") for url in moved)
    assert client.ccxt.session.auth == ("me", "secret")
    client.close()


def test_a_password_is_never_shown(server, store) -> None:
    server.faults = [Fault(KLINES, skip=3, times=9, cut=True)]
    client = ccxt.binance({"rateLimit": 0})
    url = server.url.replace("//", "//me:secret@")
    options = {"store": store, "url": url, "retry_wait": 0.0}
    with pytest.raises(DataError) as error:
        fetch(client, "BTC/USDT", "1h", since="2021-01-01", **options)
    client.close()
    assert "secret" not in f"{error.value} {store.history('bars')}"


def test_bars_of_the_store_have_what_was_fetched(store) -> None:
    rates = [Funding(START + hours * HOUR + 7, hours / 1e6) for hours in range(0, 200, 8)]
    market = listing(hourly(200), "linear", fundings=rates, tick="0.05")
    with ExchangeServer([market], START + 200 * HOUR - 1) as server:
        for what, since in (("1h", "2021-01-01"), ("funding", "2021-01-01"), ("instruments", None)):
            ask(server, store, what, symbol="BTC/USDT:USDT", since=since)
    bars = store.bars("binance", "1h", symbols=["BTC/USDT:USDT"])
    assert (bars.n_rows, bars.end) == (199, "2021-01-09T07:00:00Z")
    assert (bars.instruments[0].tick, bars.instruments[0].funding_hours) == (0.05, 8.0)
    # The funding at 08:00 and some ms is in the row that closes at 09:00.
    assert bars.columns["funding"][:, 0][8::8] == pytest.approx([r.rate for r in rates[1:]])
    assert (
        bars.version
        == "store:binance/1h/BTC/USDT:USDT@bars=0,funding=0,instruments=0?without=delistings"
    )
