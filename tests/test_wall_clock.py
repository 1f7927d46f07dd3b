"""Words of the clock: of the exchange where the asset has a calendar, from the row's time alone."""

from __future__ import annotations

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from builders import one_price
from compare import assert_identical
from running import cut, random_cut

import alphalab as al
from alphalab.errors import DataError, ExprError, ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.types import Instrument

pytestmark = pytest.mark.nojit

ZONES = {
    "XNYS": "America/New_York",
    "XLON": "Europe/London",
    "XTKS": "Asia/Tokyo",
    "XASX": "Australia/Sydney",
    "CMES": "America/Chicago",
    "24/7": "UTC",
    "": "UTC",
}
FIELDS = {"hour": "hour", "minute": "minute", "weekday": "day_of_week", "month": "month"}


def pushed(expr: Expr, time: np.ndarray, calendars: list[str], blocks: list[int]) -> np.ndarray:
    assets = [Instrument(symbol=f"S{j}", calendar=c) for j, c in enumerate(calendars)]
    plan = Plan({"x": expr}, assets, capacity=max(blocks))
    ends = np.cumsum(blocks).tolist()
    close = np.full((time.size, len(calendars)), 1.0)
    rows = [slice(end - length, end) for end, length in zip(ends, blocks, strict=True)]
    return np.concatenate(
        [plan.run({"close": close[r]}, r.stop - r.start, time[r])["x"] for r in rows]
    )


def values(expr: Expr, time: np.ndarray, *calendars: str) -> np.ndarray:
    return pushed(expr, time, list(calendars), [time.size])


def times(start: str, end: str, step: str) -> np.ndarray:
    return pd.date_range(start, end, freq=step).as_unit("ns").asi8


@pytest.mark.parametrize("word", FIELDS)
@pytest.mark.parametrize(
    "time",
    [
        times("2023-10-20", "2024-04-15", "15min"),  # both changes of clocks, of all zones
        times("1999-12-20", "2000-01-10", "7min"),
        times("1970-01-01", "2030-01-01", "53D"),
    ],
)
def test_equals_the_index_of_pandas(word, time):
    found = values(getattr(al, word)(), time, *ZONES)
    index = pd.DatetimeIndex(time).tz_localize("UTC")
    for j, zone in enumerate(ZONES.values()):
        assert_identical(found[:, j], getattr(index.tz_convert(zone), FIELDS[word]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, in exchange_calendars
@pytest.mark.parametrize("calendar", ["XNYS", "XTKS", "XASX", "CMES", "XHKG"])
def test_sessions_are_those_of_the_exchange(calendar):
    """The date of the last session that opened before each row, by looking at all of them."""
    time = times("2023-12-15", "2024-02-20", "30min")
    schedule = exchange_calendars.get_calendar(calendar, start="2023-11-01", end="2024-03-01")
    opens = schedule.opens.dt.tz_convert(None).to_numpy().astype("M8[ns]").astype(np.int64)
    days = schedule.sessions.as_unit("ns").asi8 // (86_400 * 10**9)
    expected = [days[np.flatnonzero(opens < t)[-1]] for t in time]
    assert_identical(values(al.ops.session(), time, calendar)[:, 0], expected)
    first = np.diff(expected, prepend=np.nan) > 0
    assert_identical(
        values(al.session_open(), time, calendar)[:, 0],
        np.where(np.arange(time.size) == 0, np.nan, first),
    )


def test_a_session_opens_in_its_first_row():
    """New York opens at 9:30: the row of 9:30 ends before it, that of 10:00 is the first in it."""
    time = times("2024-07-02T13:00", "2024-07-05T20:00", "30min")  # 4 July is a holiday
    opens = values(al.session_open(), time, "XNYS")[:, 0] == 1.0
    local = pd.DatetimeIndex(time[opens]).tz_localize("UTC").tz_convert("America/New_York")
    assert [str(t)[:16] for t in local] == [
        "2024-07-02 10:00",
        "2024-07-03 10:00",
        "2024-07-05 10:00",
    ]


def test_a_market_that_never_closes_has_days_of_utc():
    time = times("2024-07-02T22:00", "2024-07-04T02:00", "1h")
    for calendar in ("24/7", ""):
        opens = values(al.session_open(), time, calendar)[:, 0] == 1.0
        assert [str(t)[:13] for t in time[opens].view("M8[ns]")] == [
            "2024-07-03T01",
            "2024-07-04T01",
        ]


WORDS = [al.hour(), al.minute(), al.weekday(), al.month(), al.ops.session(), al.session_open()]


@pytest.mark.parametrize("expr", WORDS, ids=str)
def test_blocks_change_no_bit(expr):
    time = times("2024-03-01", "2024-03-20", "1h")
    whole = values(expr, time, *ZONES)
    for blocks in (
        cut(time.size, 1),
        cut(time.size, 7),
        random_cut(time.size, np.random.default_rng(1)),
    ):
        assert_identical(pushed(expr, time, list(ZONES), blocks), whole)


@pytest.mark.parametrize("expr", WORDS, ids=str)
def test_later_rows_change_nothing(expr):
    early = times("2024-03-01", "2024-03-09", "1h")
    late = np.concatenate([early, times("2024-03-12", "2024-05-01", "3h")])
    assert_identical(values(expr, late, *ZONES)[: early.size], values(expr, early, *ZONES))


@pytest.mark.parametrize("expr", WORDS, ids=str)
def test_text_gives_the_word_back(expr):
    assert al.parse(str(expr)).same_as(expr)


def test_a_word_takes_nothing():
    with pytest.raises(ExprError, match=r"it is called as hour\(\)"):
        al.ops.hour(al.close)
    with pytest.raises(ExprError, match="column 6"):
        al.parse("hour(close)")
    with pytest.raises(AttributeError, match="hour"):
        _ = al.close.hour


def test_rows_need_times():
    plan = Plan({"x": al.hour()}, [Instrument(symbol="A")])
    assert plan.needs_time and plan.columns == ()
    with pytest.raises(ParameterError, match="words of the clock need the time of every row"):
        plan.run({}, 3)


def test_unknown_calendars_and_years_are_refused():
    time = times("2024-03-01", "2024-03-02", "1h")
    with pytest.raises(UnknownNameError, match="XNYX"):
        values(al.hour(), time, "XNYX")
    with pytest.raises(DataError, match="sessions of 1980"):
        values(al.session_open(), times("1980-03-03", "1980-03-05", "1h"), "XLON")


def test_words_on_other_clocks_read_their_rows():
    """The hour of a window is that of its end; on traded rows a clock reads those rows."""
    time = times("2024-03-04T00:30", "2024-03-05T00:00", "30min")
    assert_identical(values(al.on("1h", al.hour()), time, "")[2:5, 0], [1.0, 2.0, 2.0])
    bars = one_price(time, np.where(np.arange(time.size) < 30, np.nan, 1.0))
    counted = al.evaluate(al.on_traded(al.cum_sum(al.hour() * 0 + 1)), bars).to_numpy()[:, 0]
    assert np.isnan(counted[:30]).all() and counted[30:35].tolist() == [1, 2, 3, 4, 5]


class Mornings(al.Strategy):
    """Long from the first row of a session until 13 o'clock in New York."""

    def weights(self) -> Expr:
        return al.latch(al.session_open(), al.hour() >= 13)


def test_a_strategy_is_the_same_row_by_row():
    """The engine pushes a block or one row, as a live run does, through the same code."""
    time = times("2024-03-07T14:30", "2024-03-14T21:00", "30min")
    rng = np.random.default_rng(2)
    price = 100.0 * np.exp(np.cumsum(0.001 * rng.normal(size=(time.size, 1)), axis=0))
    bars = one_price(time, price, instruments=[Instrument(symbol="A", calendar="XNYS")])
    whole = al.backtest(Mornings(), bars, quality="unchecked")
    assert al.backtest(Mornings(), bars, quality="unchecked", block_rows=1).digest == whole.digest
    bought = whole.record.fills["time"][whole.record.fills["qty"] > 0]
    local = pd.DatetimeIndex(bought.astype("M8[ns]")).tz_localize("UTC")
    local = local.tz_convert("America/New_York")
    # Decided in the row that ends at 10:00, filled in the next; clocks changed on 10 March.
    assert set(local.strftime("%H:%M")) == {"10:30"} and len(local) >= 4
