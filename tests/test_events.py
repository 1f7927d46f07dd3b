from __future__ import annotations

import importlib
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import dated_closes, one_price, texts
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather

import alphalab as al
from alphalab.data.clock.times import NS_DAY, NS_SECOND, iso, nanoseconds
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError, UnknownNameError
from alphalab.types import Instrument

MINUTE, HOUR = 60 * NS_SECOND, 3_600 * NS_SECOND
START = nanoseconds("2024-01-02")


def perpetual(rows: int = 25, step: int = HOUR, hours: float = 8.0, n: int = 1) -> Bars:
    time = START + step * np.arange(1, rows + 1)
    names = [f"P{i}" for i in range(n)]
    return one_price(time, 10.0, names).with_instruments(kind="linear", funding_hours=hours)


def rates(*stamps: str, rate: float = 1e-4, **columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"time": pd.to_datetime(list(stamps), format="ISO8601"), "funding_rate": rate, **columns}
    )


def refused(call: object, frame: object, *words: str) -> None:
    with pytest.raises(DataError) as error:
        call(frame)  # type: ignore[operator]
    for word in words:
        assert word in str(error.value)


def cells(column: np.ndarray, asset: int = 0) -> dict[int, float]:
    """Return the values that are known, by row."""
    return {int(row): float(column[row, asset]) for row in np.flatnonzero(column[:, asset] > -9)}


# ---- instruments -----------------------------------------------------------------------------


def test_instruments_are_replaced_or_changed() -> None:
    bars = one_price(
        START + NS_DAY * np.arange(5), 10.0, ["A", "B"], source="here", notes=("said",)
    )
    both = bars.with_instruments(kind="linear", funding_hours=8, taker_bps=np.int64(5))
    assert {(i.kind, i.funding_hours, i.taker_bps) for i in both.instruments} == {
        ("linear", 8.0, 5.0)
    }
    one = both.with_instruments(symbol="B", tick=0.5)
    assert one.instruments[0] == both.instruments[0]
    assert (one.instruments[1].tick, one.instruments[1].kind) == (0.5, "linear")
    given = [Instrument(symbol="A", lot=1), Instrument(symbol="B", currency="EUR")]
    assert one.with_instruments(given).instruments == tuple(given)
    assert one.with_instruments(given, symbol="A", lot=2).instruments[0].lot == 2.0
    assert (one.source, texts(one)[0], one.close is bars.close) == ("here", "said", True)
    assert len({bars.id, both.id, one.id}) == 3
    assert bars.with_instruments() == bars


def test_instruments_that_cannot_be() -> None:
    bars = one_price(START + NS_DAY * np.arange(5), 10.0, ["AAA", "BBB"])
    with pytest.raises(UnknownNameError, match="'fundinghours': did you mean 'funding_hours'"):
        bars.with_instruments(fundinghours=8)
    with pytest.raises(UnknownNameError, match="unknown symbol 'AAB': did you mean 'AAA'"):
        bars.with_instruments(symbol="AAB", tick=1)
    with pytest.raises(ParameterError, match=r"'AAA': kind='future'\n.*spot, linear, inverse"):
        bars.with_instruments(kind="future")
    with pytest.raises(ParameterError, match=r"'AAA': tick='1'\n.*float, got str"):
        bars.with_instruments(tick="1")
    with pytest.raises(ParameterError, match="funding is for contracts"):
        bars.with_instruments(funding_hours=8)
    with pytest.raises(DataError, match="one instrument for each symbol"):
        bars.with_instruments([Instrument(symbol="AAA")])
    with pytest.raises(DataError, match="one instrument for each symbol"):
        bars.with_instruments([])


def test_a_calendar_may_tell_another_number_of_rows_a_year() -> None:
    days = pd.bdate_range("2024-01-02T21:00", periods=60)
    bars = one_price(days.to_numpy(), 10.0)
    assert bars.periods_per_year == 252
    assert bars.with_instruments(calendar="24/7").periods_per_year == 365
    assert bars.with_instruments(tick=1).periods_per_year == 252
    given = one_price(days.to_numpy(), 10.0, periods_per_year=250)
    assert given.with_instruments(calendar="24/7").periods_per_year == 250
    # A part that is too short to tell keeps what the whole said.
    assert bars.rows(0, 2).with_instruments(tick=1).periods_per_year == 252


# ---- funding ---------------------------------------------------------------------------------


def test_a_rate_is_in_the_row_whose_span_holds_it() -> None:
    bars = perpetual()
    frame = rates("2024-01-02T00:00:00.017", "2024-01-02T08:00", "2024-01-02T16:00:59.999")
    column = bars.with_funding(frame)["funding"]
    # Rows end at 01:00, 02:00, ...: what is due at 08:00 belongs to the row that ends at 09:00.
    assert cells(column) == {0: 1e-4, 8: 1e-4, 16: 1e-4}
    assert bars.with_funding(frame.iloc[::-1]) == bars.with_funding(frame)


def test_rates_in_one_row_are_added_up_and_one_that_is_missing_stays_missing() -> None:
    bars = perpetual(3, NS_DAY)
    stamps = pd.date_range("2024-01-02", periods=6, freq="8h")
    frame = pd.DataFrame({"date": stamps, "rate": [1e-4, 2e-4, -4e-4, 1.0, 1.0, 1.0]})
    assert cells(bars.with_funding(frame)["funding"]) == {0: 1e-4 + 2e-4 - 4e-4, 1: 3.0}
    assert cells(bars.with_funding(frame.drop(index=4))["funding"]) == {0: 1e-4 + 2e-4 - 4e-4}


def test_a_gap_in_the_bars_holds_all_that_was_due() -> None:
    bars = perpetual().rows(0, 25)
    some = np.r_[0:3, 20:25]
    gap = one_price(bars.time[some], 10.0, ["P0"]).with_instruments(kind="linear", funding_hours=8)
    frame = rates("2024-01-02T00:00", "2024-01-02T08:00", "2024-01-02T16:00", "2024-01-03T00:00")
    assert cells(gap.with_funding(frame)["funding"]) == {0: 1e-4, 3: 2e-4, 7: 1e-4}


def test_fundings_outside_the_bars_are_counted() -> None:
    bars = perpetual(8)
    frame = rates("2024-01-01T16:00", "2024-01-02T00:00", "2024-01-02T08:00")
    funded = bars.with_funding(frame)
    assert cells(funded["funding"]) == {0: 1e-4}
    assert "2 of 3 fundings lie outside the bars: left out" in texts(funded)
    assert texts(bars.with_funding(frame.iloc[1:2])) == texts(bars)


@given(
    st.integers(1, 40),
    st.sampled_from([5 * MINUTE, HOUR, 7 * HOUR, NS_DAY]),
    st.sampled_from([1.0, 4.0, 8.0, 24.0]),
    st.data(),
)
def test_funding_by_hand(rows: int, step: int, hours: float, data: st.DataObject) -> None:
    bars = perpetual(rows, step, hours)
    due = [
        day + int(hours * k * HOUR)
        for day in range(START - NS_DAY, int(bars.time[-1]) + NS_DAY, NS_DAY)
        for k in range(int(np.ceil(24 / hours)))
    ]
    kept = data.draw(st.lists(st.sampled_from(due), min_size=1, max_size=len(due), unique=True))
    late = data.draw(st.integers(0, MINUTE - 1))
    frame = pd.DataFrame(
        {"time": np.array(kept, "M8[ns]") + late, "rate": np.arange(1.0, len(kept) + 1)}
    )
    column = bars.with_funding(frame)["funding"][:, 0]
    rate = dict(zip(kept, frame["rate"], strict=True))
    before = int(bars.time[0]) - (step if rows > 1 else NS_DAY)
    for row, now in enumerate(bars.time):
        mine = [instant for instant in due if before <= instant < now]
        expected = sum(rate.get(x, np.nan) for x in mine) if mine else np.nan
        assert column[row] == expected or (np.isnan(column[row]) and np.isnan(expected))
        before = int(now)


def test_symbols_of_fundings() -> None:
    bars = perpetual(n=2)
    frame = rates("2024-01-02", "2024-01-02", rate=1e-4, symbol=["P1", "P0"])
    assert bars.with_funding(frame)["funding"][0].tolist() == [1e-4, 1e-4]
    refused(bars.with_funding, frame.drop(columns="symbol"), "symbol", "several could be meant")
    # Each of two files has its own symbols.
    apart = bars.with_funding(rates("2024-01-02", symbol="P1"))
    apart = apart.with_funding(rates("2024-01-02", rate=2e-4, symbol="P0"))
    assert apart["funding"][0].tolist() == [2e-4, 1e-4]
    # One of two has funding: nothing else can be meant.
    spot = Instrument(symbol="P0")
    mixed = bars.with_instruments([spot, bars.instruments[1]])
    assert cells(mixed.with_funding(rates("2024-01-02"))["funding"], 1) == {0: 1e-4}
    refused(mixed.with_funding, frame, "row 1 (2024-01-02T00:00:00Z), symbol 'P0'", "perpetual")


def test_fundings_that_are_refused() -> None:
    bars = perpetual()
    call = bars.with_funding
    refused(one_price(bars.time, 10.0).with_funding, rates("2024-01-02"), "funding_hours=8")
    refused(call, rates("2024-01-02T00:01"), "row 0 (2024-01-02T00:01:00Z)", "less than a minute")
    refused(call, rates("2024-01-02T00:00", "2024-01-02T04:00"), "row 1", "funding_hours")
    refused(call, rates("2024-01-01T23:59:59.999"), "no time of a funding")
    refused(call, rates("2024-01-02", "2024-01-02T00:00:00.010"), "row 1", "a second rate")
    refused(call, rates("2024-01-02", rate=np.nan), "a rate of nan", "finite")
    refused(call, rates("2024-01-02", rate=np.inf), "a rate of inf")
    refused(call, rates("2024-01-02", symbol="P9"), "row 0: the bars have no symbol 'P9'", "P0")
    refused(call, rates("2024-01-02").rename(columns={"time": "when"}), "no time column", "'when'")
    refused(call, rates("2024-01-02")[["time"]], "no column rate or funding_rate or funding")
    refused(call, rates("2024-01-02", rate=0.1, Rate=0.1), "could each be the rate")
    refused(call, rates("2024-01-02").astype({"funding_rate": "str"}), "'0.0001' is not a number")
    refused(call, [1, 2], "a list is not a table")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
def test_events_are_read_from_files(tmp_path: Path, suffix: str) -> None:
    frame = rates("2024-01-02T00:00:00.017", "2024-01-02T08:00")
    path = tmp_path / f"rates{suffix}"
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        feather.write_feather(table, path)
    bars = perpetual()
    expected = bars.with_funding(frame)
    assert bars.with_funding(path) == bars.with_funding(str(path)) == expected
    assert bars.with_funding(table) == bars.with_funding(frame.set_index("time")) == expected


def test_files_of_events_that_are_refused(tmp_path: Path) -> None:
    call = perpetual().with_funding
    refused(call, tmp_path / "none.csv", "none.csv: no such file")
    refused(call, tmp_path, "is not a file")
    (tmp_path / "rates.txt").write_text("time,rate\n")
    refused(call, tmp_path / "rates.txt", "unknown kind", ".csv, .csv.gz, .parquet")
    (tmp_path / "rates.parquet").write_text("no such thing")
    refused(call, tmp_path / "rates.parquet", "cannot be read as .parquet")
    (tmp_path / "bad.csv").write_text("time,rate\n2024-01-02T00:00,0.1\nsoon,0.1\n")
    refused(call, tmp_path / "bad.csv", "bad.csv: row 1", "'soon'")


def test_real_fundings(shared_data: Path) -> None:
    bars = load(shared_data / "xrp_perp_5m.parquet", label="open")
    bars = bars.with_instruments(kind="linear", funding_hours=8)
    path = shared_data / "xrp_perp_funding_8h.parquet"
    funded, frame = bars.with_funding(path), pd.read_parquet(path)
    assert any("79 of 91 fundings lie outside the bars" in note for note in texts(funded))
    known = cells(funded["funding"])
    assert list(known.values()) == frame["funding_rate"].tolist()[:12]
    assert [iso(funded.time[row] - 5 * MINUTE) for row in list(known)[:2]] == [
        "2021-11-18T00:00:00Z",
        "2021-11-18T08:00:00Z",
    ]


# ---- splits and dividends --------------------------------------------------------------------

DATES = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"]
HALVED = {"A": [20.0, 20.0, 10.0, 10.0, 10.0]}


def actions(date: str | list[str], **columns: object) -> pd.DataFrame:
    dates = [date] if isinstance(date, str) else date
    return pd.DataFrame({"ex_date": pd.to_datetime(dates), **columns})


@pytest.mark.parametrize("label", ["open", "date"])
def test_the_session_of_the_date_carries_it(label: str) -> None:
    bars = dated_closes(HALVED, DATES, label).with_actions(actions("2024-01-04", split=2))
    assert cells(bars["split"]) == {2: 2.0}
    assert cells(bars["dividend"]) == {}
    paid = dated_closes(HALVED, DATES, label).with_actions(
        actions(["2024-01-02", "2024-01-06", "2024-01-08"], dividend=[0.5, 1.0, 2.0])
    )
    # The 6th is a Saturday: it comes to the Monday that follows, together with what is there.
    assert cells(paid["dividend"]) == {0: 0.5, 4: 3.0}


def test_bars_with_hours_carry_a_date_in_the_first_that_ends_after_midnight() -> None:
    sessions = one_price(nanoseconds("2024-01-02T21:00") + NS_DAY * np.arange(5), 10.0)
    assert cells(sessions.with_actions(actions("2024-01-04", dividend=1))["dividend"]) == {2: 1.0}
    hours = one_price(START + HOUR * np.arange(1, 50), 10.0)
    placed = hours.with_actions(actions("2024-01-03", dividend=1))
    assert cells(placed["dividend"]) == {24: 1.0}
    assert iso(placed.time[24]) == "2024-01-03T01:00:00Z"


def test_an_asset_without_a_price_gets_it_with_its_next_one() -> None:
    bars = dated_closes({"A": [9.0, 9, 9, 9, 9], "B": [9.0, np.nan, np.nan, 9, np.nan]}, DATES)
    frame = actions("2024-01-03", dividend=1.0)
    for symbol, row in (("A", 1), ("B", 3)):
        placed = bars.with_actions(frame.assign(symbol=symbol))
        asset = bars.symbols.index(symbol)
        assert cells(placed["dividend"], asset) == {row: 1.0}
        assert cells(placed["dividend"], 1 - asset) == {}
    late = bars.with_actions(actions("2024-01-08", dividend=1.0, symbol="B"))
    assert "1 of 1 splits and dividends lie outside the bars: left out" in texts(late)


def test_actions_outside_the_bars_are_counted() -> None:
    bars = dated_closes({"A": [np.nan, 9, 9, 9, 9], "B": [9.0] * 5}, DATES)
    frame = actions(
        ["2020-01-01", "2024-01-02", "2024-01-03", "2030-01-01"], dividend=1.0, symbol="A"
    )
    placed = bars.with_actions(frame)
    assert cells(placed["dividend"]) == {1: 1.0}
    assert "3 of 4 splits and dividends lie outside the bars: left out" in texts(placed)
    none = bars.with_actions(frame.iloc[:0])
    assert np.isnan(none["split"]).all() and texts(none) == texts(bars)


def test_several_actions_in_one_row_become_one() -> None:
    weekly = dated_closes({"A": [100.0, 48.0, 12.0]}, ["2024-01-05", "2024-01-12", "2024-01-19"])
    frame = actions(
        ["2024-01-08", "2024-01-09", "2024-01-10", "2024-01-17"],
        dividend=[1.0, np.nan, 0.5, np.nan],
        split=[np.nan, 2, np.nan, 4],
    )
    placed = weekly.with_actions(frame.iloc[::-1])
    # A dividend of 1 before units double is half of it for each unit after.
    assert cells(placed["dividend"]) == {1: 1.0 / 2 + 0.5}
    assert cells(placed["split"]) == {1: 2.0, 2: 4.0}
    together = weekly.with_actions(actions("2024-01-10", split=2.0, dividend=0.5))
    assert cells(together["dividend"]) == {1: 0.5}
    twice = actions(["2024-01-10", "2024-01-10"], split=[2, np.nan], dividend=[np.nan, 0.5])
    assert weekly.with_actions(twice) == together == weekly.with_actions(twice.iloc[::-1])


def test_actions_that_are_refused() -> None:
    bars = dated_closes(HALVED | {"B": [9.0] * 5}, DATES)
    call = bars.with_actions

    def one(**columns: object) -> pd.DataFrame:
        return actions("2024-01-04", **{"symbol": "A", **columns})

    refused(call, one(split=0.0), "a split of 0", "symbol 'A'", "Leave it empty")
    refused(call, one(split=-2.0), "a split of -2")
    refused(call, one(split=np.inf), "a split of inf")
    refused(call, one(dividend=-0.1), "a dividend of -0.1")
    refused(call, one(split=2.0, symbol="C"), "row 0: the bars have no symbol 'C'", "A, B")
    refused(call, one(split=2.0).drop(columns="symbol"), "several could be meant")
    refused(call, one(), "no column split or dividend")
    refused(call, one(split="two"), "'two' is not a number")
    double = pd.concat([one(dividend=1.0), one(dividend=1.0, symbol="B"), one(dividend=2.0)])
    refused(call, double, "row 2", "a second dividend")
    assert np.nansum(call(double.iloc[:2])["dividend"]) == 2.0


def test_a_split_that_prices_do_not_show_is_refused() -> None:
    adjusted = dated_closes({"A": [10.0] * 5}, DATES)
    refused(adjusted.with_actions, actions("2024-01-04", split=2), "from 10 to 10", "unadjusted")
    refused(adjusted.with_actions, actions("2024-01-04", split=0.5), "a split of 0.5 in row 2")
    raw = dated_closes(HALVED, DATES)
    for date in ("2024-01-03", "2024-01-05"):
        refused(raw.with_actions, actions(date, split=2), "correct the date")
    refused(raw.with_actions, actions("2024-01-04", split=0.5), "from 20 to 10")
    # Nothing is to be seen of a small one, or before the first price.
    assert cells(adjusted.with_actions(actions("2024-01-04", split=1.1))["split"]) == {2: 1.1}
    assert cells(adjusted.with_actions(actions("2024-01-02", split=2))["split"]) == {0: 2.0}


def test_columns_of_symbols_that_are_not_named_stay() -> None:
    bars = dated_closes({"A": [9.0] * 5, "B": [9.0] * 5}, DATES)
    first = bars.with_actions(actions("2024-01-04", dividend=1.0, symbol="A"))
    second = first.with_actions(actions("2024-01-05", dividend=2.0, symbol="B"))
    assert (cells(second["dividend"], 0), cells(second["dividend"], 1)) == ({2: 1.0}, {3: 2.0})
    again = second.with_actions(actions("2024-01-03", dividend=3.0, symbol="A"))
    assert (cells(again["dividend"], 0), cells(again["dividend"], 1)) == ({1: 3.0}, {3: 2.0})


# ---- the engine on a real perpetual ----------------------------------------------------------


def test_real_funding_is_explained_term_by_term(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    show = importlib.import_module("perpetual_funding")
    assert show.main([str(shared_data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    booked = found["fundings"]
    assert [term["time"] for term in booked][:2] == ["2021-11-18T08:00", "2021-11-18T16:00"]
    assert len(booked) == 11
    for term in booked:
        # A short earns where the rate is above 0.
        assert term["units"] < 0 < term["rate"]
        assert term["amount"] == pytest.approx(-term["units"] * term["mark"] * term["rate"])
    assert found["carry"] == pytest.approx(sum(term["amount"] for term in booked), rel=1e-12)
    explained = found["realised"] + found["unrealised"] - found["fees"] + found["carry"]
    assert found["equity"] - show.CASH == pytest.approx(explained, rel=1e-9)
    assert "funding" in found["refusal"] and "XRP/USDT:USDT" in found["refusal"]


def test_missing_funding_is_refused_and_never_made_up(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    show = importlib.import_module("perpetual_funding")
    bars = show.load(shared_data)
    with pytest.raises(DataError, match="funding"):
        show.run(bars)
    part = bars.between("2021-11-18", "2021-11-20")
    assert len(show.run(part).fills) > 0
    row = int(np.flatnonzero(~np.isnan(part["funding"][:, 0]))[3])
    hole = part["funding"].copy()
    hole[row] = np.nan
    with pytest.raises(DataError, match=f"row {row}"):
        show.run(part.with_columns({"funding": hole}))


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_midnights_that_are_closes_stay_closes(layout: str) -> None:
    """Bars of days labelled by their open close at the next midnight, in a frame as well."""
    bars = dated_closes(
        {"A": [100.0, 50.0, 51.0]}, ["2024-01-02", "2024-01-03", "2024-01-04"], "open"
    )
    actions = pd.DataFrame({"time": pd.to_datetime(["2024-01-03"]), "split": [2.0]})
    frame = bars.to_frame(layout)  # type: ignore[arg-type]
    back = Bars.from_frame(frame)
    assert cells(back.with_actions(actions)["split"]) == {1: 2.0}
    assert cells(bars.with_actions(actions)["split"]) == {1: 2.0}
    if layout == "wide":  # times that were changed since are in doubt again
        frame.index = frame.index + pd.Timedelta(days=1)
        with pytest.raises(DataError, match="state what a date names"):
            Bars.from_frame(frame)


# ---- what times name -------------------------------------------------------------------------


def test_equal_bars_book_a_dividend_in_the_same_row() -> None:
    """Bars of dates and the same numbers as closes are not equal: their events fall elsewhere."""
    days = ["2024-01-02", "2024-01-03", "2024-01-04"]
    dated = dated_closes({"A": [10.0, 10.0, 10.0]}, days)
    certain = Bars(dated.time, dated.symbols, dated.columns)
    assert (dated.time_names, certain.time_names) == ("date", "close")
    paid = pd.DataFrame({"time": pd.to_datetime([days[1]]), "dividend": [1.0]})
    rows = [cells(bars.with_actions(paid)["dividend"]) for bars in (dated, certain)]
    assert rows == [{1: 1.0}, {2: 1.0}]
    assert dated.id != certain.id and dated != certain
    again = Bars(dated.time, dated.symbols, dated.columns, time_names="date")
    assert again == dated and again.id == dated.id
    assert cells(again.with_actions(paid)["dividend"]) == rows[0]
    with pytest.raises(DataError, match="time_names is one of close, date"):
        Bars(dated.time, dated.symbols, dated.columns, time_names="open")  # type: ignore[arg-type]


def test_what_times_name_survives_whatever_makes_other_bars() -> None:
    dated = dated_closes({"A": [10.0, 11.0, 12.0], "B": [1.0, 2.0, 3.0]}, DATES[:3])
    others = (
        dated.rows(0, 2),
        dated.select(["B"]),
        dated.with_columns({"x": dated.close}),
        dated.with_instruments(tick=0.01),
        dated.with_actions(pd.DataFrame({"time": [], "symbol": [], "split": []})),
        dated.resample("2d"),
        Bars.from_rows(dated.to_rows()),
        Bars.from_frame(dated.to_frame()),
        pickle.loads(pickle.dumps(dated)),
    )
    assert [bars.time_names for bars in others] == ["date"] * len(others)


# ---- listings that end -----------------------------------------------------------------------


def ends(*rows: tuple[str, str, float | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["time", "symbol", "price"])
    return table.assign(time=pd.to_datetime(table["time"]))


def test_a_listing_ends_at_its_last_close_or_at_a_price() -> None:
    """A bankruptcy, a cash merger, and a symbol that stays."""
    prices = {"A": [9.0, 8.0, np.nan, np.nan, np.nan], "B": [5.0, 6.0, 6.0, np.nan, np.nan]}
    bars = dated_closes(prices | {"C": [1.0, 1.0, 1.0, 1.0, 1.0]}, DATES)
    delisted = bars.with_delistings(ends((DATES[1], "A", 0.0), (DATES[3], "B", None)))
    assert cells(delisted["delisting"], 0) == {1: 0.0}
    assert cells(delisted["delisting"], 1) == {3: 6.0}  # the last close, in a row without a price
    assert np.isnan(delisted["delisting"][:, 2]).all()
    assert delisted.id != bars.id
    # A second table replaces the symbols that it names, and keeps the others.
    other = delisted.with_delistings(ends((DATES[3], "B", 7.5)))
    assert cells(other["delisting"], 1) == {3: 7.5} and cells(other["delisting"], 0) == {1: 0.0}
    assert cells(delisted.between(end=DATES[3])["delisting"], 1) == {3: 6.0}


def test_a_listing_ends_in_the_row_that_ends_after_it() -> None:
    bars = one_price(START + HOUR * np.arange(1, 5), 10.0)
    assert cells(bars.with_delistings(ends(("2024-01-02T03:30", "A", 9.0)))["delisting"]) == {
        3: 9.0
    }
    late = bars.with_delistings(ends(("2024-01-02T04:00", "A", 9.0)))
    assert np.isnan(late["delisting"]).all()
    assert "1 of 1 delistings lie outside the bars: left out" in texts(late)


def test_delistings_that_are_refused() -> None:
    bars = dated_closes({"A": [9.0, 8.0, np.nan, 7.0], "B": [np.nan, np.nan, 5.0, 5.0]}, DATES[:4])
    call = bars.with_delistings
    refused(call, ends((DATES[1], "A", -1.0)), "a price of -1", "not below 0")
    refused(call, ends((DATES[3], "A", np.inf)), "a price of inf")
    refused(call, ends((DATES[1], "A", 1.0)), "row 1", "row 3", "no price after its listing ended")
    refused(call, ends((DATES[1], "C", 1.0)), "the bars have no symbol 'C'")
    refused(call, ends((DATES[3], "A", 1.0), (DATES[2], "A", 1.0)), "a second delisting")


def test_a_listing_without_a_price_in_the_span_ends_outside() -> None:
    never = dated_closes({"A": [9.0, 8.0], "B": [np.nan, np.nan]}, DATES[:2])
    left = never.with_delistings(ends((DATES[1], "B", 1.0)))
    assert np.isnan(left["delisting"]).all()
    assert "1 of 1 delistings lie outside the bars: left out" in texts(left)


def test_dell_is_taken_private() -> None:
    """Dell's merger of October 2013: 0.13 in dividends and 13.75 in cash, then no listing.

    Closes are rounded. An account that keeps the last price goes on with 13.86 for ever.
    """
    days = ("2013-10-24", "2013-10-25", "2013-10-28", "2013-10-29", "2013-10-30", "2013-10-31")
    left = [13.83, 13.84, 13.86, 13.86, np.nan, np.nan]
    bars = dated_closes({"DELL": left, "MSFT": [33.7, 35.7, 35.6, 35.5, 35.5, 35.4]}, days)
    paid = pd.DataFrame({"time": [pd.Timestamp(days[2])], "symbol": "DELL", "dividend": 0.13})
    bars = bars.with_actions(paid).with_delistings(ends((days[3], "DELL", 13.75)))
    hold = al.ExprStrategy(text="per_symbol({'DELL': 1.0})")
    result = al.backtest(hold, bars, cash=10_000.0, actions="cash")
    units = 10_000.0 / 13.84
    bought, closed = result.fills.itertuples()
    assert (bought.price, bought.qty) == (13.84, pytest.approx(units))
    assert (closed.row, closed.symbol, closed.price, closed.qty) == (3, "DELL", 13.75, -bought.qty)
    assert result.order_events["reason"].iloc[-1] == "the listing of the asset ended"
    assert result.postings["amount"].tolist() == pytest.approx([0.13 * units])
    assert result.equity.iloc[3:].tolist() == pytest.approx([units * (13.75 + 0.13)] * 3)
    assert (result.record.qty[3:, 0] == 0.0).all()
