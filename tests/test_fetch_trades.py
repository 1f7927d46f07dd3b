"""Fetching trades: pages end between trades of one time, and no trade is lost."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exchange_server import ExchangeServer, Fault, Listing, Trade
from fetching import DAY, HOUR, MINUTE, START, TRADES, as_stored, ask, hourly, stored, trades_of

from alphalab.data.store.store import Store
from alphalab.errors import DataError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize("exchange", ["binance", "kraken"])  # by id; by time, in seconds
def test_trades_that_share_a_time_are_neither_lost_nor_doubled(exchange: str, store) -> None:
    trades = trades_of(400, crowd=8)
    market = Listing("BTC", "USDT", trades=trades, candles={"1h": hourly(1_000)})
    market.in_days("1h")
    with ExchangeServer([market], trades[200].time, most=30) as server:
        ask(server, store, "trades", exchange=exchange, since="2021-01-01")
        server.now = trades[-1].time + HOUR
        done = ask(server, store, "trades", exchange=exchange)
        assert sorted(stored(store, "trades")) == sorted(as_stored(trades))
        assert done.notes == ()
        version = store.version("trades")
        assert ask(server, store, "trades", exchange=exchange).n_new == 0
        assert store.version("trades") == version


def test_more_trades_at_one_time_than_a_page_holds(store) -> None:
    trades = [Trade(row, START + HOUR, "buy", 1.0, 1.0) for row in range(100)]
    market = Listing("BTC", "USDT", trades=trades, candles={"1d": []})
    with ExchangeServer([market], START + DAY, most=60) as server:
        with pytest.raises(DataError, match="trades of BTC/USDT around 2021-01-01T01:00:00Z do no"):
            ask(server, store, "trades", exchange="kraken", since="2021-01-01")
        ask(server, store, "trades", since="2021-01-01")  # by id they fit
    assert len(stored(store, "trades", venue="binance")) == 100


@pytest.mark.parametrize("skip", [0, 1, 2, 5])
def test_an_empty_page_of_ids_is_asked_for_again(skip: int, store) -> None:
    trades = [Trade(row, START + row * 1_000, "buy", 1.0, 1.0) for row in range(200)]
    market = Listing("BTC", "USDT", trades=trades)
    with ExchangeServer([market], START + HOUR, most=30) as server:
        server.faults = [Fault("fromId", skip=skip, change=lambda rows: [])]
        ask(server, store, "trades", since="2021-01-01T00:01")
        assert server.faults[0].times == 0
    assert stored(store, "trades") == as_stored(trades[60:])


@pytest.mark.parametrize("skip", [0, 1, 2, 3, 4])
def test_an_exchange_that_forgets_its_ids_is_refused(skip: int, store) -> None:
    trades = [Trade(row, START + row * 1_000, "buy", 1.0, 1.0) for row in range(200)]
    market = Listing("BTC", "USDT", trades=trades)
    with ExchangeServer([market], START + HOUR, most=30) as server:
        server.faults = [Fault("fromId", skip=skip, times=99, change=lambda rows: [])]
        with pytest.raises(DataError, match=r"no trades come from id \d+ on, and there is trade"):
            ask(server, store, "trades", since="2021-01-01T00:01")
    assert stored(store, "trades") == []


def test_trades_that_the_exchange_has_no_more_are_told(store) -> None:
    market = Listing("BTC", "USDT", trades=trades_of(300, 1), candles={"1d": []})
    with ExchangeServer([market], market.trades[100].time) as server:
        ask(server, store, "trades", exchange="kraken", since="2021-01-01")
        del market.trades[:150]
        server.now = market.trades[-1].time
        done = ask(server, store, "trades", exchange="kraken")
    assert done.notes[0].startswith("trades may be missing: what kraken gives after trade 1094 ")


def test_real_trades_with_an_earlier_part(shared_data: Path, store) -> None:
    rows = pq.read_table(shared_data / "xrp_eth_trades.parquet")
    times = rows["time"].cast(pa.int64()).to_pylist()
    names = ("id", "side", "price", "amount")
    columns = dict(zip(names, (rows[name].to_pylist() for name in names), strict=True))
    trades = [
        Trade(int(columns["id"][row]), time, *(columns[name][row] for name in names[1:]))
        for row, time in enumerate(times)
    ]
    market = Listing("XRP", "ETH", trades=trades)
    with ExchangeServer([market], times[-1] + DAY) as server:
        options = {"symbol": "XRP/ETH"}
        ask(server, store, "trades", since="2019-10-12T06:00", until="2019-10-13", **options)
        done = ask(server, store, "trades", since="2019-10-12", **options)
    since = times[0] // DAY * DAY + DAY
    assert sorted(stored(store, "trades")) == sorted(t for t in as_stored(trades) if t[0] >= since)
    assert done.first.startswith("2019-10-12T00:0")


def test_an_interruption_while_earlier_rows_come_leaves_one_piece(store) -> None:
    trades = [Trade(row, START + row * 10 * MINUTE, "buy", 1.0, 1.0) for row in range(300)]
    market = Listing("BTC", "USDT", trades=trades)
    with ExchangeServer([market], START + 3 * DAY) as server:
        ask(server, store, "trades", since="2021-01-02T20:00")
        n_late = len(stored(store, "trades"))
        server.faults = [Fault(TRADES, skip=8, status=400)]
        with pytest.raises(DataError, match="refuses"):
            ask(server, store, "trades", since="2021-01-01")
        rows = stored(store, "trades")
        assert n_late < len(rows) < 300
        assert sorted(rows) == sorted(as_stored(trades[-len(rows) :]))
        assert ask(server, store, "trades", since="2021-01-01").n_new == 300 - len(rows)
        assert sorted(stored(store, "trades")) == sorted(as_stored(trades))
