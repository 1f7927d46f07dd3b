"""Trades, funding, splits, instruments, observations and members on their way into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import texts
from lean_factors import actions_from_factors

from alphalab.data.clock.times import iso
from alphalab.data.ingestion.ingest import Ingested, ingest
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.store.store import Store
from alphalab.errors import InputError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def bring(folder: Path, text: str, store: Store, **options: Any) -> Ingested:
    path = folder / "file.csv"
    path.write_text(text)
    return ingest(path, **{"venue": "x", "store": store} | options)


def plain(store: Store, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table as tuples, times as text, without their venue."""
    rows = store.read(table)
    cells = []
    for name in rows.column_names:
        values = rows[name].to_pylist()
        if pa.types.is_timestamp(rows.schema.field(name).type):
            values = [None if at is None else f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:23] for at in values]
        cells.append(values)
    return [row[rows.column_names[0] == "venue" :] for row in zip(*cells, strict=True)]


KINDS = {
    "trades": (
        "Timestamp,trade_id,Side,Price,qty,symbol\n"
        "2024-01-02T00:00:00.001Z,007,BUY,10,2,A\n"
        "2024-01-02T00:00:00.001Z,108,,11,1,A\n",
        {},
        [
            ("A", "2024-01-02T00:00:00.001", "007", "buy", 10.0, 2.0),
            ("A", "2024-01-02T00:00:00.001", "108", None, 11.0, 1.0),
        ],
    ),
    "funding": (
        "time,fundingRate\n1704153600005,0.0001\n1704182400011,-0.0002\n",
        {"schema": {"columns": {"rate": "fundingRate"}, "symbol": "P"}},
        [
            ("P", "2024-01-02T00:00:00.005", 0.0001),
            ("P", "2024-01-02T08:00:00.011", -0.0002),
        ],
    ),
    "actions": (
        "ex_date,symbol,split,dividend\n2024-01-02,A,2,\n2024-02-02,A,,0.5\n",
        {},
        [
            ("A", *["2024-01-02T00:00:00.000"] * 2, 2.0, None),
            ("A", *["2024-02-02T00:00:00.000"] * 2, None, 0.5),
        ],
    ),
    "instruments": (
        'symbol,start,tick,groups,currency\nA,2024-01-02,0.5,"{""sector"":""x""}",USDT\n',
        {},
        [
            (
                *("A", "2024-01-02T00:00:00.000", "spot", 0.5, 0.0, 0.0, 0.0, 0.0, 1.0),
                *("USDT", 0.0, '{"sector":"x"}', ""),
            )
        ],
    ),
    "observations": (
        "time,published,value,name\n2023-12-31,2024-02-01,1.5,gdp\n2024-03-31,2024-05-01,2,gdp\n",
        {"schema": {"columns": {"known": "published"}}},
        [
            ("gdp", "", "2023-12-31T00:00:00.000", "2024-02-02T00:00:00.000", 1.5),
            ("gdp", "", "2024-03-31T00:00:00.000", "2024-05-02T00:00:00.000", 2.0),
        ],
    ),
    "universe": (
        "symbol,start,end,known\n"
        "A,2020-01-02,,2020-01-01T12:00Z\n"
        "B,2020-01-02,2021-01-04,2020-01-01T12:00Z\n",
        {"name": "big"},
        [
            ("big", "A", "2020-01-02T00:00:00.000", None, "2020-01-01T12:00:00.000"),
            (
                *("big", "B", "2020-01-02T00:00:00.000"),
                *("2021-01-04T00:00:00.000", "2020-01-01T12:00:00.000"),
            ),
        ],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_records(tmp_path: Path, store: Store, kind: str) -> None:
    text, options, expected = KINDS[kind]
    done = bring(tmp_path, text, store, kind=kind, **options)
    assert done.written[0][:3] == (kind, 0, len(expected))
    assert plain(store, kind) == expected
    again = bring(tmp_path, text, store, kind=kind, **options)
    assert again.written[0] == (kind, 0, 0, 0, len(expected))


TRADES = "time,id,side,price,amount,symbol\n"


@pytest.mark.parametrize(
    ("kind", "text", "options", "match"),
    [
        ("trades", "time,price,amount,symbol\n2024-01-02,1,1,A\n", {}, "no column id or trade_id"),
        ("trades", TRADES + "2024-01-02,1,bid,1,1,A\n", {}, "row 0, column 'side': 'bid'"),
        ("trades", TRADES + "2024-01-02,1,buy,-1,1,A\n", {}, "row 0, column 'price': -1"),
        ("trades", TRADES + "2024-01-02,1,buy,x,1,A\n", {}, "'x' is not a number"),
        ("trades", "time,id,price,amount\n2024-01-02,1,1,1\n", {}, "no column symbol or ticker"),
        ("trades", TRADES + "2024-01-02,1,s,1,1,A\n2024-01-02,1,s,2,1,A\n", {}, "is there twice"),
        ("trades", TRADES, {}, "no rows"),
        ("funding", "time,rate,symbol\n2024-01-02,inf,A\n", {}, "rate is a finite number"),
        ("funding", "time,symbol\n2024-01-02,A\n", {}, "no column rate or funding_rate"),
        ("actions", "time,symbol,split\n2024-01-02,A,0\n", {}, "split is finite and above 0"),
        ("actions", "time,symbol\n2024-01-02,A\n", {}, "no column split"),
        ("instruments", "symbol,start,tick\nA,2024-01-02,-1\n", {}, "tick is finite and at least"),
        ("instruments", "symbol,tick\nA,1\n", {}, "no column start"),
        ("observations", "time,value,name\n2024-01-02,1,x\n", {}, "see values too early"),
        ("observations", "time,known,value\n2024-01-02,2024-01-02,1\n", {}, "without a name"),
        ("universe", "symbol,start\nA,2020-01-02\n", {"name": "u"}, "no column known"),
    ],
)  # fmt: skip
def test_records_that_are_refused(
    tmp_path: Path, store: Store, kind: str, text: str, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(InputError) as error:
        bring(tmp_path, text, store, kind=kind, **options)
    assert match in str(error.value) and "file.csv" in str(error.value)
    assert store.tables() == {}


def test_local_times_of_trades(tmp_path: Path, store: Store) -> None:
    text = "time,id,price,amount,symbol\n2024-01-02 09:30,1,1,1,A\n"
    bring(tmp_path, text, store, kind="trades", schema={"zone": "America/New_York"})
    assert plain(store, "trades")[0][1] == "2024-01-02T14:30:00.000"


# ---- real files ------------------------------------------------------------------------------


def test_real_trades_and_fundings(shared_data: Path, store: Store) -> None:
    trades = shared_data / "xrp_eth_trades.parquet"
    funding = shared_data / "xrp_perp_funding_8h.parquet"
    ingest(trades, venue="binance", kind="trades", store=store)
    ingest(funding, venue="binance", kind="funding", store=store)
    frame, stored = pd.read_parquet(trades), store.read("trades").to_pandas()
    assert len(stored) == len(frame) == 12_477
    for name in ("id", "side", "price", "amount"):
        left, right = (x.sort_values("id")[name].to_list() for x in (frame, stored))
        assert left == right
    rates = store.read("funding").to_pandas()
    expected = pd.read_parquet(funding)
    assert rates["rate"].to_list() == expected["funding_rate"].to_list()
    # Stamps keep the milliseconds by which they are late.
    assert (rates["time"].astype("M8[ns, UTC]") == expected["time"]).all()


def test_real_splits_and_dividends(shared_data: Path, store: Store) -> None:
    raw = pd.read_parquet(shared_data / "us_equity_daily_raw.parquet")
    factors = pd.read_parquet(shared_data / "us_equity_factors.parquet")
    closes = raw.pivot(index="time", columns="symbol", values="close")
    session = {"label": "session", "calendar": "XNYS"}
    ingest(raw, schema=session, venue="lean", interval="1d", store=store)
    events = actions_from_factors(factors, closes)
    done = ingest(events, kind="actions", venue="lean", store=store)
    assert done.written[0].n_new == store.read("actions").num_rows == 271
    splits = store.read("actions", where={"symbol": "AAPL"}).to_pandas().dropna(subset="split")
    assert dict(zip(splits["time"].dt.strftime("%Y-%m-%d"), splits["split"], strict=True)) == {
        "2000-06-21": 2,
        "2005-02-28": 2,
        "2014-06-09": 7,
        "2020-08-31": 4,
    }
    bars = store.bars("lean", "1d", symbols=["AAPL"])
    row = int(np.flatnonzero(bars["split"][:, 0] == 7)[0])
    assert iso(bars.time[row]) == "2014-06-09T20:00:00Z"
    assert bars.close[row - 1, 0] == 645.57 and bars.close[row, 0] == 93.70


def test_real_candles_close_when_they_close(shared_data: Path, store: Store) -> None:
    path = shared_data / "crypto_5m_binance.parquet"
    done = ingest(path, venue="binance", interval="5m", schema={"label": "open"}, store=store)
    assert done.n_rows == 57_546 and len(done.symbols) == 10
    bars = store.bars("binance", "5m")
    given = load(path, label="open").select(bars.symbols)
    assert np.array_equal(bars.time, given.time)
    for name in given.columns:
        np.testing.assert_array_equal(bars[name], given[name])


def test_delistings(tmp_path: Path, store: Store) -> None:
    """A listing ends at its last close; as of a date before, it has not ended."""
    days = pd.to_datetime(["2024-01-02T21:00Z", "2024-01-03T21:00Z", "2024-01-04T21:00Z"])
    prices = pd.DataFrame({"A": [9.0, 8.0, None], "B": [5.0, 5.0, 6.0]}, index=days)
    bars = Bars.from_closes(prices)
    ingest(bars, venue="x", interval="1d", store=store)
    done = bring(
        tmp_path,
        "date,symbol,price,known\n2024-01-03,A,,2024-01-02T12:00Z\n",
        store,
        kind="delistings",
    )
    assert (done.written[0].table, done.written[0].n_new, texts(done)) == ("delistings", 1, ())
    found = store.bars("x", "1d")
    assert np.argwhere(~np.isnan(found["delisting"])).tolist() == [[1, 0]]
    assert found["delisting"][1, 0] == 8.0
    assert not any("end before the last row" in note for note in texts(found))
    assert "delisting" not in store.bars("x", "1d", as_of="2024-01-02").columns
    for text, match in (
        ("date,symbol,price\n2024-01-03,A,-1\n", "price is finite and at least 0"),
        ("date,symbol,price\n,A,1\n", "no time in column 'date'"),
    ):
        with pytest.raises(InputError, match=match):
            bring(tmp_path, text, store, kind="delistings", revise=True)
