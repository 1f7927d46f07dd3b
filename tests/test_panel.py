from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders import texts

import alphalab as al
from alphalab.data.clock.times import NS_DAY, nanoseconds
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.store.store import Store
from alphalab.data.store.view import View
from alphalab.errors import DataError, UnknownNameError
from alphalab.research.results.provenance import data_of
from alphalab.types import Instrument

FIRST = nanoseconds("2024-01-01T21:00")


def day(number: float) -> dt.datetime:
    """Return the close of a day, counted from 0; a part of a day is added to it."""
    return dt.datetime(2024, 1, 1, 21, tzinfo=dt.UTC) + dt.timedelta(days=number)


def rows(
    closes: Mapping[str, Mapping[int, float]], venue: str = "xtest", **extra: float
) -> pa.Table:
    """Return bars whose four prices are the close: symbol -> day -> close."""
    return pa.Table.from_pylist(
        [
            {
                **{"venue": venue, "interval": "1d", "symbol": symbol, "time": day(number)},
                **dict.fromkeys(("open", "high", "low", "close"), close),
                **{"volume": 100.0, **extra},
            }
            for symbol, days in closes.items()
            for number, close in days.items()
        ]
    )


def actions(*events: tuple[str, float, float, float | None, float | None]) -> pa.Table:
    """Return events: symbol, day, day on which it is known, split, dividend."""
    names = ("symbol", "time", "known", "split", "dividend")
    kinds = (pa.string(), *(pa.timestamp("us", "UTC"),) * 2, *(pa.float64(),) * 2)
    table = pa.table(
        {
            name: pa.array([e[i] if i in (0, 3, 4) else day(e[i]) for e in events], kind)
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
        }
    )
    return table.append_column("venue", pa.array(["xtest"] * len(events)))


def instrument(symbol: str, start: float, **fields: Any) -> dict[str, Any]:
    return {
        **{"venue": "xtest", "symbol": symbol, "start": day(start), "kind": "spot", "tick": 0.01},
        **{"lot": 1.0, "min_value": 0.0, "maker_bps": 1.0, "taker_bps": 2.0, "multiplier": 1.0},
        **{"currency": "USD", "funding_hours": 0.0, "groups": "{}", "calendar": ""},
        **fields,
    }


AAA = {0: 10.0, 1: 11.0, 2: 5.5, 3: 6.0, 4: 6.5}
BBB = {1: 20.0, 2: 21.0, 4: 22.0}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.write("bars", rows({"BBB": BBB, "AAA": AAA}))
    return made


def series(bars: Bars, name: str = "close") -> list[list[float | None]]:
    """Return a column by symbol; None: unknown."""
    return [[None if np.isnan(x) else float(x) for x in column] for column in bars[name].T]


# ---- rows ------------------------------------------------------------------------------------


def test_rows_become_a_panel(store: Store) -> None:
    bars = store.bars("xtest", "1d")
    assert bars.symbols == ("AAA", "BBB")
    assert bars.time.tolist() == [FIRST + n * NS_DAY for n in range(5)]
    assert series(bars) == [[10.0, 11.0, 5.5, 6.0, 6.5], [None, 20.0, 21.0, None, 22.0]]
    assert series(bars, "volume")[1] == [None, 100.0, 100.0, None, 100.0]
    assert list(bars.columns) == ["open", "high", "low", "close", "volume"]
    assert bars.source == "store:xtest/1d"
    one = store.bars("xtest", "1d", symbols=["BBB"])
    assert series(one) == [[20.0, 21.0, 22.0]] and one.source == "store:xtest/1d/BBB"
    both = store.bars("xtest", "1d", symbols=["BBB", "AAA"])
    assert both == bars.select(["BBB", "AAA"])


def test_a_span_is_what_between_gives(store: Store) -> None:
    whole = store.bars("xtest", "1d", symbols=["AAA"])
    for start, end in (
        ("2024-01-02", None),
        (None, "2024-01-03"),
        ("2024-01-02T21:00:00.000000001Z", "2024-01-04T21:00:00Z"),
        (dt.date(2024, 1, 2), np.datetime64("2024-01-04")),
    ):
        part = store.bars("xtest", "1d", symbols=["AAA"], start=start, end=end)
        assert part == whole.between(start, end)


def test_rows_that_came_in_any_order_are_in_order(store: Store) -> None:
    store.write("bars", rows({"AAA": {-1: 9.0, 5: 7.0}, "CCC": {-2: 1.0}}))
    assert series(store.bars("xtest", "1d", symbols=["AAA"]))[0][::6] == [9.0, 7.0]
    assert store.bars("xtest", "1d").n_rows == 8
    assert series(store.bars("xtest", "1d"))[2] == [1.0] + [None] * 7


def test_columns_of_other_series_are_none_of_theirs(store: Store) -> None:
    before = store.bars("xtest", "1d")
    store.write("bars", rows({"DDD": {0: 1.0}}, "other", n_trades=3.0))
    assert store.bars("xtest", "1d") == before
    assert series(store.bars("other", "1d"), "n_trades") == [[3.0]]


def test_a_symbol_without_rows_in_the_span_stays(store: Store) -> None:
    bars = store.bars("xtest", "1d", symbols=["AAA", "BBB"], end="2024-01-01")
    assert series(bars) == [[10.0], [None]]
    assert store.bars("xtest", "1d", end="2024-01-01").symbols == ("AAA",)


# ---- versions --------------------------------------------------------------------------------


def test_the_version_reads_the_same_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHALAB_STORE", store.url)
    store.write("instruments", pa.Table.from_pylist([instrument("AAA", -9)]))
    views: list[dict[str, Any]] = [
        {},
        {"symbols": ["BBB", "AAA"], "start": "2024-01-02"},
        {"symbols": ["AAA"], "as_of": dt.datetime(2024, 1, 3, 22, tzinfo=dt.UTC)},
    ]
    first = [store.bars("xtest", "1d", **view) for view in views]
    assert first[0].version == "store:xtest/1d@bars=0,instruments=0?without=actions,delistings"
    assert first[1].version.endswith("?symbols=BBB,AAA&start=2024-01-02&without=actions,delistings")
    store.write("bars", rows({"AAA": {2: 5.6}}), revise=True)
    store.write("bars", rows({"ABC": {2: 5.6}}))
    store.write("instruments", pa.Table.from_pylist([instrument("AAA", -1, lot=7.0)]))
    store.write("actions", actions(("AAA", 1.5, 1, 2.0, None)))
    for bars, view in zip(first, views, strict=True):
        again = load(bars.version)
        assert (again, again.version, texts(again)) == (bars, bars.version, texts(bars))
        assert store.bars("xtest", "1d", **view) != bars
    assert load("store:xtest/1d@bars=1,instruments=0", end="2024-01-04").close[2, 0] == 5.6
    assert load("store:xtest/1d/AAA@0").close[2, 0] == 5.5
    assert store.bars("xtest", "1d", versions=0).symbols == ("AAA", "BBB")


FUNDING = pa.table({"time": [day(1.125)], "symbol": ["AAA"], "funding_rate": [0.01]})
SPLIT = pa.table({"ex_date": [day(1)], "symbol": ["AAA"], "split": [2.0]})
SEEN = pa.table({"time": [day(0)], "known": [day(1)], "value": [1.0]})


@pytest.mark.parametrize(
    "make",
    [
        lambda bars: bars.rows(1, 3),
        lambda bars: bars.between("2024-01-02"),
        lambda bars: bars.select(["AAA"]),
        lambda bars: bars.with_columns({"x": bars.close}),
        lambda bars: bars.with_instruments(taker_bps=7),
        lambda bars: bars.with_instruments(kind="linear", funding_hours=8).with_funding(FUNDING),
        lambda bars: bars.with_actions(SPLIT),
        lambda bars: bars.with_actions(SPLIT).adjusted(as_of="2024-01-04"),
        lambda bars: bars.with_observations(SEEN, "x"),
        lambda bars: bars.with_timeframe("1d"),
        lambda bars: bars.resample("2d"),
    ],
)
def test_what_is_made_of_bars_has_no_version(
    store: Store, make: Callable[[Bars], Bars], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHALAB_STORE", store.url)
    bars = store.bars("xtest", "1d")
    made = make(bars)
    assert made.version == "" and made.id != bars.id
    assert texts(made).count(f"made of {bars.version}") == 1
    again = made.with_instruments(taker_bps=9)
    assert again != made and texts(again).count(f"made of {bars.version}") == 1
    assert load(bars.version) == bars and data_of(made, None)["id"] == made.id


def test_what_is_the_same_keeps_the_version(store: Store) -> None:
    bars = store.bars("xtest", "1d")
    for same in (
        bars.between("2024-01-01"),
        bars.select(bars.symbols),
        bars.with_instruments(lot=0.0),
        pickle.loads(pickle.dumps(bars)),
    ):
        assert (same.version, same.id, texts(same)) == (bars.version, bars.id, texts(bars))


@pytest.mark.parametrize(
    "versions", [1.0, "x", -1, [1], {"bars": "x"}, {"bars": -1}, {"funding": 1.5}]
)
def test_what_is_no_version(store: Store, versions: Any) -> None:
    with pytest.raises(DataError, match=r"versions? .*\n.*Rule: .*17"):
        store.bars("xtest", "1d", versions=versions)


def test_names_may_be_of_numpy(store: Store) -> None:
    store.write("bars", rows({"AAA": dict.fromkeys(range(10, 40), 10.0)}))
    names = np.array(["AAA"])
    bars = store.bars("xtest", "1d", symbols=names, versions={"bars": np.int64(1)})
    assert bars == store.bars("xtest", "1d", symbols="AAA")
    assert {type(x) for x in (*bars.symbols, *bars.select(names[:1]).symbols)} == {str}
    assert al.backtest(al.ExprStrategy(text="where(close > 10, 1, 0)"), bars).digest
    with pytest.raises(DataError, match="symbol number 0 is 5"):
        store.bars("xtest", "1d", symbols=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "store:xtest/1d",
        "store:binance/1h/BTC/USDT:USDT@bars=17,funding=4",
        "store:xtest/1d@bars=3?symbols=A,B%2CC&end=2024-01-01&adjust=all&universe=top%2010",
        "store:xtest/1d@bars=3?as_of=2024-01-01T10:00&observations=pe,news&without=actions,funding",
    ],
)
def test_addresses_are_written_as_they_are_read(text: str) -> None:
    assert str(View.parse(text)) == text


# ---- what belongs to the rows ----------------------------------------------------------------


def test_instruments_are_those_of_the_first_row(store: Store) -> None:
    changes = [instrument("AAA", start, lot=lot) for start, lot in ((-9, 1), (-2, 2), (0, 3))]
    store.write("instruments", pa.Table.from_pylist([*changes, instrument("BBB", 2)]))
    bars = store.bars("xtest", "1d", symbols=["AAA"])
    assert bars.instruments[0].lot == 2
    assert [x.lot for x in store.bars("xtest", "1d", start="2024-01-02").instruments] == [3, 1]
    assert [x.lot for x in store.instruments("xtest")] == [3, 1]
    assert [x.lot for x in store.instruments("xtest", at="2024-01-01T20:00")] == [2]
    assert store.instruments("nowhere") == ()
    both = texts(store.bars("xtest", "1d"))
    assert "instruments of BBB are known from later on: used before it, too" in both
    early = store.bars("xtest", "1d", as_of=day(1))
    assert [x.lot for x in early.instruments] == [2, 0]
    plain = store.bars("xtest", "1d", symbols=["AAA"], versions={"instruments": None})
    assert plain.instruments == (Instrument(symbol="AAA"),)
    assert texts(plain)[0] == "the store has no instruments of AAA: no fees, ticks and lots"


def test_changes_inside_the_span_are_carried_and_said(store: Store) -> None:
    states = [
        instrument("AAA", -9, lot=1.0),
        instrument("AAA", 1, lot=2.0, tick=0.5, groups='{"sector": "new"}'),
        instrument("AAA", 2, lot=2.0, tick=0.5),  # another label alone
        instrument("AAA", 4, lot=3.0),  # from after the last row on
    ]
    store.write("instruments", pa.Table.from_pylist(states))
    bars = store.bars("xtest", "1d", symbols=["AAA"])
    assert [(x.time, x.instrument.lot) for x in bars.instrument_changes] == [(FIRST + NS_DAY, 2.0)]
    assert bars.instrument_changes[0].instrument.groups == {}
    assert "AAA changes at 2024-01-02T21:00:00Z: tick 0.01 to 0.5, lot 1.0 to 2.0" in texts(bars)
    trade = al.backtest(al.ExprStrategy(text="where(close > 0, 1, 0)"), bars, cash=100.0)
    assert (trade.record.fills["qty"] % 1.0 == 0).all()
    kind = instrument("AAA", 1.5, kind="linear")
    store.write("instruments", pa.Table.from_pylist([kind]))
    with pytest.raises(DataError, match="'AAA': kind changes from 'spot' to 'linear'"):
        al.backtest(
            al.ExprStrategy(text="where(close > 0, 1, 0)"),
            store.bars("xtest", "1d", symbols=["AAA"]),
        )


def test_groups_and_broken_instruments(store: Store) -> None:
    tagged = instrument("AAA", -9, groups='{"sector": "energy"}')
    store.write("instruments", pa.Table.from_pylist([tagged]))
    assert store.instruments("xtest")[0].groups == {"sector": "energy"}
    store.write("instruments", pa.Table.from_pylist([instrument("AAA", -8, groups="[1]")]))
    with pytest.raises(DataError, match="the instrument 'AAA' from 2023-12-24"):
        store.instruments("xtest")


def test_funding_is_joined_for_contracts(store: Store) -> None:
    contract = instrument("AAA", -9, kind="linear", funding_hours=24.0)
    store.write("instruments", pa.Table.from_pylist([contract]))
    rates = [(-4, 0.9), (0.125, 0.1), (1.125, 0.2), (2.125, 0.3), (3.125, 0.4), (9.125, 0.9)]
    given = [
        {"venue": "xtest", "symbol": "AAA", "time": day(at), "rate": rate} for at, rate in rates
    ]
    store.write("funding", pa.Table.from_pylist(given))
    bars = store.bars("xtest", "1d")
    assert series(bars, "funding") == [[None, 0.1, 0.2, 0.3, 0.4], [None] * 5]
    assert "funding=0" in bars.version and not any("outside" in note for note in texts(bars))
    assert "funding" not in store.bars("xtest", "1d", symbols=["BBB"]).columns


def test_splits_and_dividends_stand_beside_raw_prices(store: Store) -> None:
    events = actions(("AAA", 1.5, 1, 2.0, None), ("AAA", 3.5, 3, None, 0.5), ("Z", 2, 2, 3.0, None))
    store.write("actions", events)
    bars = store.bars("xtest", "1d")
    assert series(bars, "split") == [[None, None, 2.0, None, None], [None] * 5]
    assert series(bars, "dividend")[0] == [None, None, None, None, 0.5]
    assert series(bars)[0] == list(AAA.values())
    assert np.isnan(store.bars("xtest", "1d", symbols=["BBB"])["split"]).all()


def test_what_was_said_when_rows_were_stored_is_a_note(store: Store) -> None:
    repair = {"step": "drop_duplicates", "rows": 1, "said": "1 identical row dropped"}
    about = {"venue": "xtest", "interval": "1d", "source": "a.csv"}
    for symbol, record in (
        ("AAA", {"symbols": ["AAA"], "repairs": [repair], "notes": ["times carry no zone"]}),
        ("BBB", {"symbols": ["BBB"], "repairs": [repair | {"said": "sorted"}]}),
    ):
        store.write("bars", rows({symbol: {9: 1.0}}), record=about | record)
    assert texts(store.bars("xtest", "1d", symbols=["AAA"]))[:2] == (
        "times carry no zone",
        "a.csv: 1 identical row dropped",
    )
    assert "a.csv: sorted" in texts(store.bars("xtest", "1d"))
    old = store.bars("xtest", "1d", versions=1)
    assert "a.csv: sorted" not in texts(old) and "a.csv: 1 identical row dropped" in texts(old)


# ---- as of a date ----------------------------------------------------------------------------


def test_revised_rows_are_seen_as_they_are_now(store: Store) -> None:
    store.write("bars", rows({"AAA": {0: 9.0}}), revise=True)
    views = [{"versions": 0}, {"as_of": day(0)}]
    firsts = [store.bars("xtest", "1d", symbols=["AAA"], **view).close[0, 0] for view in views]
    assert firsts == [10.0, 9.0]


def test_a_view_has_what_was_known_then(store: Store) -> None:
    store.write("actions", actions(("AAA", 1.5, 1.2, 2.0, None), ("AAA", 3.5, 4.2, None, 0.5)))

    def closes(**keywords: Any) -> list[float | None]:
        return series(store.bars("xtest", "1d", symbols=["AAA"], adjust="all", **keywords))[0]

    assert closes(as_of=day(1.1)) == [10.0, 11.0]
    assert closes(as_of=day(1.4)) == [10.0, 11.0]  # announced, and not due
    assert closes(as_of=day(1.6)) == [5.0, 5.5]  # due in the morning, before the next bar
    assert closes(as_of=day(2)) == [5.0, 5.5, 5.5]
    assert closes(as_of=day(2), end=day(0)) == [5.0]
    assert closes(as_of=day(4)) == [5.0, 5.5, 5.5, 6.0, 6.5]  # the dividend is not known
    paid = 1 - 0.5 / 6.0
    expected = [5 * paid, 5.5 * paid, 5.5 * paid, 6 * paid, 6.5]
    np.testing.assert_allclose(closes(as_of=day(4.3)), expected)
    assert closes(as_of=day(4.3), start=day(4)) == [6.5]
    raw = store.bars("xtest", "1d", symbols=["AAA"], as_of=day(4))
    assert series(raw, "split") == [[None, None, 2.0, None, None]]
    assert np.isnan(raw["dividend"]).all()


def test_without_a_date_prices_are_adjusted_as_of_the_last_row(store: Store) -> None:
    store.write("actions", actions(("AAA", 1.5, 1, 2.0, None)))
    ends = {end: store.bars("xtest", "1d", end=day(end), adjust="splits") for end in range(5)}
    assert [series(bars)[0][0] for bars in ends.values()] == [10.0, 10.0, 5.0, 5.0, 5.0]
    assert "split" not in ends[4].columns
    assert "as of 2024-01-05T21:00:00Z" in " ".join(texts(ends[4]))


def test_files_and_data_sets_have_views_too(tmp_path: Path) -> None:
    assert load("sp500", as_of="2018-01-31") == load("sp500", end="2018-01-31")
    (tmp_path / "A.csv").write_text(
        "time,open,high,low,close,split\n2024-01-02T21:00Z,10,10,10,10,\n"
        "2024-01-03T21:00Z,5,5,5,5,2\n2024-01-04T21:00Z,6,6,6,6,\n"
    )
    assert series(load(tmp_path / "A.csv", adjust="splits")) == [[5.0, 5.0, 6.0]]
    assert series(load(tmp_path / "A.csv", adjust="all", as_of="2024-01-02")) == [[10.0]]
    with pytest.raises(DataError, match="sp500: no column split or dividend"):
        load("sp500", adjust="splits")


# ---- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "keywords", "words"),
    [
        ("store:xtes/1d", {}, "unknown series 'xtes/1d': did you mean 'xtest/1d'"),
        ("store:xtest/1h", {}, "unknown series 'xtest/1h'"),
        ("store:xtest/1d/AAB", {}, "unknown symbol of xtest/1d 'AAB': did you mean 'AAA'"),
        ("store:xtest/1d", {"symbols": ["AAB"]}, "unknown symbol"),
        ("store:xtest/1d/AAA", {"symbols": ["BBB"]}, "symbols is given once"),
        ("store:xtest/1d?adjust=all", {"adjust": "all"}, "adjust is given once"),
        ("store:xtest/1d", {"symbols": []}, "no symbols"),
        ("store:xtest/1d", {"symbols": ["AAA", "AAA"]}, "'AAA' is there twice"),
        ("store:xtest/1d?without=action", {}, "unknown table 'action': did you mean 'actions'"),
        ("store:xtest/1d?adjusted=all", {}, "unknown option of an address 'adjusted'"),
        ("store:xtest/1d", {"adjust": "both"}, "adjust='both'"),
        ("store:xtest/1d", {"adjust": "all"}, "no splits and dividends of xtest"),
        ("store:xtest/1d", {"start": "2025-01-01"}, "no rows between start=2025-01-01"),
        ("store:xtest/1d", {"start": "yesterday"}, "'yesterday' is not a date"),
        ("store:xtest/1d", {"universe": "sp500"}, "unknown universe 'sp500'"),
        ("store:xtest/1d", {"observations": ["pe"]}, "unknown observation 'pe'"),
        ("store:xtest/1d", {"label": "open"}, "label is for files"),
        ("store:xtest/1d", {"schema": {}}, "fields of a schema are for files"),
        ("store:xtest/1d@9", {}, "version"),
        ("sp500", {"universe": "x"}, "universe is for addresses in a store"),
        ("sp500", {"store": "x"}, "store is for addresses in a store"),
    ],
)
def test_what_is_refused(store: Store, address: str, keywords: dict[str, Any], words: str) -> None:
    on = {} if address == "sp500" else {"store": store.url}
    with pytest.raises((DataError, UnknownNameError), match=words):
        load(address, **on, **keywords)


def test_an_empty_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no bars"):
        load("store:xtest/1d", store=tmp_path)


# ---- the command -----------------------------------------------------------------------------


def test_show(cli: Any, store: Store) -> None:
    store.write("actions", actions(("AAA", 1.5, 1, 2.0, None)))
    run = cli("data", "show", "store:xtest/1d/AAA", "--store", store.url, "--rows", 2)
    assert run.code == 0, run.err
    assert "2024-01-05T21:00:00Z  AAA      6.5" in run.out and "2024-01-03" not in run.out
    assert "Data id: store:xtest/1d/AAA@actions=0,bars=0?without=delistings,instruments" in run.out
    assert "data: the store has no instruments of AAA" in run.err
    flags = ("--store", store.url, "--adjust", "splits", "--as-of", "2024-01-03", "--json")
    shown = cli("data", "show", "store:xtest/1d", *flags).object
    assert shown["schema"] == "alphalab.data.show/1"
    assert [(x["symbol"], x["close"]) for x in shown["rows"][:3]] == [
        ("AAA", 5.0),
        ("BBB", None),
        ("AAA", 5.5),
    ]
    assert "as of 2024-01-03" in " ".join(shown["data"]["notes"])
    assert cli("data", "show", "sp500", "--rows", 1).code == 0
    assert "store:VENUE/INTERVAL" in cli("data", "show", "--help").out


def test_show_leaves_out_what_has_no_price(cli: Any, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    lines = ("2024-01-01,A,1,1,1,1", "2024-01-02,A,2,2,2,2", "2024-01-02,B,3,3,3,3")
    file.write_text(
        "day,symbol,open,high,low,close\n" + "\n".join(lines) + "\n2024-01-03,B,4,4,4,4"
    )
    schema = tmp_path / "written.toml"
    schema.write_text('[columns]\ntime = "day"\n')
    run = cli("data", "show", file, "--schema", schema, "--rows", 2)
    assert [line.split()[:2] for line in run.out.splitlines() if line.startswith("2024")] == [
        ["2024-01-02T00:00:00Z", "A"],
        ["2024-01-02T00:00:00Z", "B"],
        ["2024-01-03T00:00:00Z", "B"],
    ]
    run = cli("data", "show", file, "--schema", schema, "--rows", 1)
    assert "Not shown: 1 symbol without a price in these rows" in run.out


def test_a_backtest_takes_a_view(cli: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHALAB_STORE", store.url)
    address = "store:xtest/1d?symbols=AAA,BBB&as_of=2024-01-04"
    run = cli("backtest", "buy_and_hold", "--data", address, "--json")
    assert run.code == 0, run.err
    data = run.object["data"]
    assert (data["end"], data["symbols"]) == ("2024-01-04T21:00:00Z", ["AAA", "BBB"])
    assert load(data["id"]).id == data["content"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("store:xtest/1h",),
        ("store:xtest/1d", "--as-of", "soon"),
        ("store:xtest/1d", "--symbols", "NO"),
        ("nothing",),
        ("sp500", "--adjust", "all"),
    ],
)
def test_show_refuses(cli: Any, store: Store, arguments: Sequence[str]) -> None:
    flags = ("--store", store.url) if arguments[0].startswith("store:") else ()
    run = cli("data", "show", *arguments, *flags)
    assert (run.code, run.out) == (2, "") and "Traceback" not in run.err
