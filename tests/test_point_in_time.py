from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import texts
from hypothesis import given, settings
from hypothesis import strategies as st
from lean_factors import actions_from_factors
from test_panel import actions, day, rows, series

import alphalab as al
from alphalab.data.load import load
from alphalab.data.panel.universe import Universe
from alphalab.data.samples.datasets import session_closes
from alphalab.data.store.store import Store
from alphalab.errors import DataError, UnknownNameError

# ---- real shares -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lean(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Four real shares, unadjusted, and the events that their factors imply."""
    raw = pd.read_parquet(shared_data / "us_equity_daily_raw.parquet")
    factors = pd.read_parquet(shared_data / "us_equity_factors.parquet")
    prices = raw.pivot(index="time", columns="symbol", values="close")
    events = actions_from_factors(factors, prices)
    dates = raw["time"].dt.tz_localize(None).to_numpy("M8[D]").astype(np.int64)
    raw["time"] = pd.to_datetime(session_closes(dates), utc=True)
    store = Store(tmp_path_factory.mktemp("lean"))
    store.write("bars", pa.Table.from_pandas(raw.assign(venue="lean", interval="1d")))
    known = events.assign(venue="lean", known=events["time"])
    store.write("actions", pa.Table.from_pandas(known, preserve_index=False))
    return store


@pytest.mark.parametrize(
    ("as_of", "last", "before"),
    [
        ("2014-06-06", 645.57, 647.35),
        ("2014-06-09", 93.70, 645.57 / 7),
        ("2014-06-09T13:00Z", 645.57 / 7, 647.35 / 7),
        ("2014-06-10", 94.25, 93.70),
    ],
)
def test_apple_around_its_split(lean: Store, as_of: str, last: float, before: float) -> None:
    bars = load("store:lean/1d/AAPL", store=lean.url, adjust="splits", as_of=as_of)
    np.testing.assert_allclose(bars.close[[-1, -2], 0], [last, before], rtol=1e-15)
    friday = bars.between("2014-06-06", "2014-06-06")
    raw = lean.bars("lean", "1d", symbols=["AAPL"], start="2014-06-06", end="2014-06-06")
    ratio = 1.0 if as_of == "2014-06-06" else 7.0
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(friday[name] * ratio, raw[name], rtol=1e-15)
    np.testing.assert_array_equal(friday.volume, raw.volume * ratio)


def test_the_command_shows_both_sides_of_the_split(cli: Any, lean: Store) -> None:
    def last(as_of: str) -> float:
        flags = ("--store", lean.url, "--adjust", "splits", "--as-of", as_of, "--rows", 1, "--json")
        return float(cli("data", "show", "store:lean/1d/AAPL", *flags).object["rows"][0]["close"])

    assert (last("2014-06-06"), last("2014-06-10")) == (645.57, 94.25)


@pytest.mark.parametrize("as_of", ["2000-06-20", "2005-02-28", "2014-08-07", "2021-03-31"])
def test_views_agree_with_the_factors_of_lean(lean: Store, shared_data: Path, as_of: str) -> None:
    """As of a date, Lean's adjusted price is price * factor / (factor on that date)."""
    factors = pd.read_parquet(shared_data / "us_equity_factors.parquet")
    view = lean.bars("lean", "1d", adjust="all", as_of=as_of)
    raw = lean.bars("lean", "1d", as_of=as_of)
    dates = pd.to_datetime(raw.time).floor("D")
    for asset, symbol in enumerate(raw.symbols):
        own = factors[factors["symbol"] == symbol].assign(
            # The file rounds 1/28 to 0.0357143.
            factor=lambda x: x["price_factor"] / (1 / x["split_factor"]).round()
        )
        own["time"] = own["time"].dt.tz_localize(None)
        days = pd.DataFrame({"time": dates.astype(own["time"].dtype)})
        held = pd.merge_asof(days, own, on="time", direction="forward")["factor"].to_numpy()
        last = np.flatnonzero(~np.isnan(raw.close[:, asset]))[-1]  # QQQ has a gap of years
        expected = raw.close[:, asset] * held / held[last]
        np.testing.assert_allclose(view.close[:, asset], expected, rtol=1e-12)


def test_nothing_that_comes_later_changes_a_view(lean: Store) -> None:
    past = Store(Path(lean.url).parent / "past")
    cut = "2014-06-06"
    bars = lean.read("bars", where={"symbol": "AAPL"}, end=cut)
    past.write("bars", bars)
    past.write("actions", lean.read("actions", where={"symbol": "AAPL"}, end=cut))
    then = past.bars("lean", "1d", adjust="all", as_of=cut)
    assert lean.bars("lean", "1d", symbols=["AAPL"], adjust="all", as_of=cut) == then


@settings(max_examples=10)
@given(
    events_=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(-1, 5),
            st.sampled_from([None, 1.5, 0.8]),
            st.sampled_from([None, 0.5]),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda x: x[0],
    ),
    as_of=st.integers(0, 5),
    adjust=st.sampled_from([None, "splits", "all"]),
)
def test_a_view_is_what_a_store_of_that_day_gives(
    events_: list[tuple[int, int, float | None, float | None]], as_of: int, adjust: Any
) -> None:
    """Every row and event that came or became known later is cut out of a second store."""
    prices = {"A": {n: 10.0 + n for n in range(6)}, "B": {n: 7.0 for n in (1, 3)}}
    events = [("A", n - 0.5, known + 0.25, x, y) for n, known, x, y in events_]
    past_prices = {s: {n: x for n, x in p.items() if n <= as_of} for s, p in prices.items()}
    past_events = [x for x in events if max(x[1], x[2]) <= as_of]
    views = []
    for days, given_ in ((prices, events), (past_prices, past_events)):
        with TemporaryDirectory() as folder:
            made = Store(folder)
            made.write("bars", rows(days))
            # One event of another symbol, known ever since: the venue has events at any time.
            made.write("actions", actions(*given_, ("Z", -9, -9, 2.0, None)))
            views.append(made.bars("xtest", "1d", as_of=day(as_of), adjust=adjust))
    assert views[0] == views[1]


# ---- universe --------------------------------------------------------------------------------


def members(*intervals: tuple[str, float, float | None, float]) -> pa.Table:
    """Return intervals of membership: symbol, start, end, known."""
    kind = pa.timestamp("us", "UTC")
    symbols, *times = zip(*intervals, strict=True)
    columns = {
        name: pa.array([None if x is None else day(x) for x in column], kind)
        for name, column in zip(("start", "end", "known"), times, strict=True)
    }
    return pa.table({"name": ["top"] * len(symbols), "symbol": symbols, **columns})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A that stays, B that leaves and is delisted, C that comes, D that never is a member."""
    made = Store(tmp_path / "store")
    days = range(6)
    closes = {
        "A": {n: 10.0 + n for n in days},
        "B": {n: 20.0 - n for n in range(4)},
        "C": {n: 30.0 for n in range(2, 6)},
        "D": {n: 5.0 for n in days},
    }
    made.write("bars", rows(closes))
    made.write("universe", members(("A", -9, None, -9), ("B", -9, 2.5, -9), ("C", 3, None, 3)))
    return made


def test_a_delisted_member_is_there_while_it_lived(store: Store) -> None:
    bars = store.bars("xtest", "1d", universe="top")
    assert bars.symbols == ("A", "B", "C")
    assert series(bars, "member") == [[1.0] * 6, [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    assert series(bars)[1] == [20.0, 19.0, 18.0, 17.0, None, None]
    assert "universe=0" in bars.version and "universe=top" in bars.version
    assert load(bars.version, store=store.url) == bars


@pytest.mark.parametrize(("known", "column"), [(-9, [1, 1, 1, 1, 0, 0]), (4, [0] * 6)])
def test_a_member_leaves_by_its_row_with_the_same_known(
    store: Store, known: float, column: list[float]
) -> None:
    store.write("universe", members(("A", -9, 4, known)), revise=True)
    bars = store.bars("xtest", "1d", universe="top", symbols=["A"])
    assert series(bars, "member") == [column]


def test_the_universe_of_a_span_has_those_of_its_time(store: Store) -> None:
    assert store.bars("xtest", "1d", universe="top", start=day(3)).symbols == ("A", "C")
    assert store.bars("xtest", "1d", universe="top", end=day(2)).symbols == ("A", "B")
    assert store.bars("xtest", "1d", universe="top", as_of=day(2)).symbols == ("A", "B")
    chosen = store.bars("xtest", "1d", universe="top", symbols=["D", "B"])
    assert series(chosen, "member") == [[0.0] * 6, [1, 1, 1, 0, 0, 0]]


def test_members_at_a_time(store: Store) -> None:
    assert store.members("top") == ("A", "C")
    assert store.members("top", at=day(2)) == ("A", "B")
    assert store.members("top", at=day(2.5)) == ("A",)
    assert store.members("top", at="2023-01-01") == ()
    with pytest.raises(UnknownNameError, match="unknown universe 'tops': did you mean 'top'"):
        store.members("tops")


def test_members_without_bars_are_named(store: Store) -> None:
    store.write("universe", members(("E", 0, None, 0)))
    bars = store.bars("xtest", "1d", universe="top")
    assert bars.symbols == ("A", "B", "C")
    assert "universe 'top': 1 of 4 members have no bars: E" in texts(bars)
    store.write("bars", rows({"Z": {0: 1.0}}, "other"))
    with pytest.raises(DataError, match="bars of none of the 3 members of 'top'"):
        store.bars("other", "1d", universe="top")


EQUAL = al.Expression(text="cs_scale(column('member'))")


def test_equal_weights_of_members_hold_who_was_there(store: Store) -> None:
    early = members(("A", -9, None, -9), ("B", -9, 1.5, -9), ("C", 3, None, 3))
    store.write("universe", early.set_column(0, "name", pa.array(["early"] * 3)))
    result = al.backtest(EQUAL, store.bars("xtest", "1d", universe="early"), cash=1_000.0)
    assert (result.positions > 0).to_numpy().T.tolist() == [
        [False, True, True, True, True, True],
        [False, True, True, False, False, False],  # left at 1.5, sold at the open of day 3
        [False, False, False, False, True, True],
    ]


def test_a_position_without_a_market_keeps_its_last_price(store: Store) -> None:
    bars = store.bars("xtest", "1d", universe="top")
    result = al.backtest(EQUAL, bars, cash=1_000.0)
    left = result.positions["B"].to_numpy()
    assert (left[1:] == left[1]).all() and left[1] > 0  # left at 2.5, and no open came after that
    worth = result.equity - result.positions[["A", "C"]].mul(bars.close[:, [0, 2]]).sum(axis=1)
    assert worth.iloc[-1] >= left[-1] * 17.0 - 1e-9
    assert "bars of B end before the last row: what is held then keeps its last price" in texts(
        bars
    )


intervals = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.integers(-2, 8),
        st.none() | st.integers(-2, 9),
        st.integers(-2, 8),
    ),
    max_size=6,
    unique_by=lambda x: x[:2],
)


@settings(max_examples=200)
@given(intervals.filter(bool))
def test_membership_is_what_was_known_by_row(
    given_: list[tuple[str, int, int | None, int]],
) -> None:
    universe = Universe(members(*given_))
    time = np.array([pd.Timestamp(day(n)).value for n in range(8)])
    column = universe.by_row(time, ["A", "B"])
    for n in range(8):
        now = {
            symbol
            for symbol, start, end, known in given_
            if known <= n and start <= n and (end is None or n < end)
        }
        assert {s for s, x in zip("AB", column[n], strict=True) if x} == now
        assert set(universe.members(day(n))) == now
    ever = {s for s, x in zip("AB", column.any(axis=0), strict=True) if x}
    assert set(universe.ever(int(time[0]), int(time[-1]))) >= ever


# ---- observations ----------------------------------------------------------------------------


def test_observations_of_a_store_are_joined_as_they_became_known(store: Store) -> None:
    given_ = [("pe", "A", -9, 1, 7.0), ("pe", "A", -9, 3, 8.0), ("pe", "Z", -9, 0, 1.0)]
    given_ += [("news", "", 0, 0, 0.5), ("rare", "Z", 0, 0, 1.0)]
    names = ("name", "symbol", "time", "known", "value")
    table = [dict(zip(names, row, strict=True)) for row in given_]
    for row in table:
        row["time"], row["known"] = day(row["time"]), day(row["known"])
    store.write("observations", pa.Table.from_pylist(table))
    bars = store.bars("xtest", "1d", symbols=["A", "D"], observations=["pe", "news", "rare"])
    assert series(bars, "pe") == [[None, 7.0, 7.0, 8.0, 8.0, 8.0], [None] * 6]
    assert series(bars, "news") == [[0.5] * 6] * 2
    assert np.isnan(bars["rare"]).all()
    assert "observations=0" in bars.version
    assert load(bars.version, store=store.url) == bars
    assert not any("left out" in note for note in texts(bars))
    with pytest.raises(UnknownNameError, match="unknown observation 'new': did you mean 'news'"):
        store.bars("xtest", "1d", observations=["new"])
