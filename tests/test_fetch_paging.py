"""Paging over exchanges with every kind of page: no row is lost."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphalab.data.exchanges.client import Client
from alphalab.data.exchanges.series import Row, Series, in_order
from alphalab.data.exchanges.trades import first_page
from alphalab.data.exchanges.walk import walk
from alphalab.errors import DataError

HOUR = 3_600_000
Ask = Callable[[int], list[Row]]

# No candles: nothing but the exchange's pages tells where rows are.
SILENT = Client("bit2c")


def from_a_time_on(rows: list[Row], most: int) -> Ask:
    def ask(since: int) -> list[Row]:
        begin = bisect_left(rows, since, key=lambda row: row.time)
        return rows[begin : begin + most]

    return ask


def of_a_span(rows: list[Row], most: int) -> Ask:
    """Whose pages end an hour after they begin, as those of trades on Binance do."""
    page = from_a_time_on(rows, most)
    return lambda since: [row for row in page(since) if row.time < since + HOUR]


def after_a_time(rows: list[Row], most: int) -> Ask:
    """Whose pages begin after the time that is asked for."""
    page = from_a_time_on(rows, most)
    return lambda since: page(since + 1)


def trades(ask: Ask, rows: list[Row], most: int, *, by_id: bool = False) -> Series:
    def from_id(first: str) -> list[Row]:
        begin = next(place for place, row in enumerate(rows) if row.id == first)
        return rows[begin : begin + most]

    key = {"venue": "x", "symbol": "A/B"}
    found = from_id if by_id else None
    return Series(SILENT, "trades", key, ("price",), ask, unit=1, hop=HOUR, from_id=found)


@st.composite
def crowded(draw: st.DrawFn) -> list[Row]:
    """Trades of which up to six share a ms, some hours or years apart."""
    steps = st.sampled_from([1, 2, 999, HOUR - 1, HOUR, HOUR + 1, 30 * HOUR])
    time, rows = 10 * HOUR, []
    for step, crowd in draw(st.lists(st.tuples(steps, st.integers(1, 6)), max_size=40)):
        time += step
        rows += [Row(time, str(7 + len(rows) + place), ()) for place in range(crowd)]
    return rows


@pytest.mark.parametrize("manner", [from_a_time_on, of_a_span, after_a_time])
@pytest.mark.parametrize("by_id", [False, True])
@settings(max_examples=40)
@given(rows=crowded(), most=st.integers(14, 20), start=st.integers(9, 12), hours=st.integers(1, 99))
def test_trades_come_once_and_all(manner, by_id, rows, most, start, hours) -> None:
    begin, stop = start * HOUR, (start + hours) * HOUR
    series = trades(manner(rows, most), rows, most, by_id=by_id)
    first = 1 if manner is after_a_time else 0  # what has the very time is asked for in vain
    pages = list(walk(series, begin, stop))
    found = [row for page in pages for row in page.rows]
    assert found == [row for row in rows if begin + first <= row.time < stop]
    reached = [page.reached for page in pages]
    assert reached == sorted(reached)


@settings(max_examples=40)
@given(rows=crowded(), most=st.integers(14, 20), known=st.integers(0, 200), by_id=st.booleans())
def test_going_on_after_any_trade_misses_none(rows, most, known, by_id) -> None:
    if not rows:
        return
    last = rows[known % len(rows)]
    notes: list[str] = []
    series = trades(from_a_time_on(rows, most), rows, most, by_id=by_id)
    pages = walk(series, last.time, rows[-1].time + 2 * HOUR, after=last, note=notes.append)
    later = [row for page in pages for row in page.rows if in_order(row) > in_order(last)]
    assert later == rows[rows.index(last) + 1 :]
    assert notes == []


@settings(max_examples=100)
@given(rows=crowded(), most=st.integers(1, 20), since=st.integers(9 * HOUR, 15 * HOUR))
def test_the_first_trades_of_an_hour_are_found_from_its_last_ones(rows, most, since) -> None:
    span = [row for row in rows if since <= row.time < since + HOUR]
    if not span:
        return
    asked = []

    def from_id(first: str) -> list[Row]:
        asked.append(first)
        later = [row for row in rows if int(row.id) >= int(first)]
        return later[:most]

    assert first_page(from_id, span[-most:], since)[0] == span[0]
    assert len(asked) <= 2 * len(rows).bit_length() + 2


@pytest.mark.parametrize("n_rows", [19, 20, 40])
def test_a_page_that_may_be_cut_among_trades_of_one_time_is_refused(n_rows: int) -> None:
    before = [Row(HOUR + row, str(row), ()) for row in range(30)]
    rows = before + [Row(2 * HOUR, str(100 + row), ()) for row in range(n_rows)]
    series = trades(from_a_time_on(rows, 20), rows, 20)
    if n_rows < 20:
        assert sum(len(page.rows) for page in walk(series, 0, 3 * HOUR)) == len(rows)
    else:
        with pytest.raises(DataError, match="do not fit a page"):
            list(walk(series, 0, 3 * HOUR))


def test_ids_that_change_are_refused() -> None:
    count = iter(range(10**6))
    series = trades(lambda since: [Row(HOUR, str(next(count)), ())], [], 1)
    with pytest.raises(DataError, match="have other ids each time"):
        list(walk(series, 0, 2 * HOUR))


@pytest.mark.parametrize("manner", [from_a_time_on, of_a_span])
@settings(max_examples=40)
@given(
    minutes=st.lists(st.integers(0, 3_000), unique=True, max_size=300),
    most=st.integers(60, 70),
    start=st.integers(0, 2_000),
)
def test_candles_come_once_and_all(manner, minutes, most, start) -> None:
    rows = [Row(minute * 60_000, "", ()) for minute in sorted(minutes)]
    key = {"venue": "x", "interval": "1m", "symbol": "A/B"}
    ask = manner(rows, most)
    series = Series(SILENT, "bars", key, ("close",), ask, unit=60_000, hop=HOUR)
    pages = list(walk(series, start * 60_000, 2_500 * 60_000))
    found = [row for page in pages for row in page.rows]
    assert found == [row for row in rows if start <= row.time // 60_000 < 2_500]
