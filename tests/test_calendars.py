"""Sessions against the package they come from, and the closes that bars should have."""

from __future__ import annotations

import subprocess
import sys

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from alphalab.data.clock.annual import rows_per_year
from alphalab.data.clock.calendars import (
    bars_per_session,
    expected_closes,
    session_days,
    sessions_per_year,
)
from alphalab.data.clock.times import NS_DAY, NS_SECOND, nanoseconds
from alphalab.errors import DataError, UnknownNameError
from alphalab.sessions import session_bounds, sessions
from alphalab.types import IntArray

HOUR = 3_600 * NS_SECOND
MINUTE = 60 * NS_SECOND


def day(text: str) -> int:
    return nanoseconds(text) // NS_DAY


def ns(times: pd.Series) -> IntArray:
    naive = times.dt.tz_convert(None).to_numpy("M8[ns]")
    return naive.view(np.int64)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("code", ["XNYS", "XHKG", "CMES", "XLON", "XNZE"])
def test_sessions_are_those_of_the_package(code: str) -> None:
    schedule = exchange_calendars.get_calendar(code, start="2019-03-05", end="2021-11-29").schedule
    days, opens, closes = session_bounds(code, day("2019-03-05"), day("2021-11-29"))
    assert (days == schedule.index.to_numpy("M8[D]").astype(np.int64)).all()
    assert (opens == ns(schedule["open"])).all() and (closes == ns(schedule["close"])).all()
    parts = sessions(code, day("2019-03-05"), day("2021-11-29"))
    breaks = ns(schedule["break_start"].dropna())
    assert set(parts.part_close) == set(closes) | set(breaks)
    assert len(parts.part_open) == len(days) + len(breaks)
    assert (parts.part_open < parts.part_close).all()


def test_an_alias_is_its_calendar() -> None:
    bounds = [
        session_bounds(code, day("2024-12-20"), day("2024-12-31")) for code in ("NYSE", "XNYS")
    ]
    assert all((a == b).all() for a, b in zip(*bounds, strict=True))


def test_days_without_a_session_are_empty() -> None:
    for first, last in [("2024-12-25", "2024-12-25"), ("2024-12-28", "2024-12-29")]:
        assert [len(part) for part in session_bounds("XNYS", day(first), day(last))] == [0, 0, 0]
    assert len(session_bounds("XNYS", 10, 9)[0]) == 0


@pytest.mark.parametrize(
    ("code", "first", "last", "words"),
    [
        ("XNYS", "1952-12-31", "1953-01-05", "known for the years 1953 to"),
        ("XLON", "1989-12-29", "1990-01-05", "sessions of 1989"),
        ("XSAU", "2020-12-31", "2021-01-05", "known for the years 2021 to"),
        ("XHKG", "2049-12-31", "2050-01-01", "sessions of 2050"),
    ],
)
def test_sessions_that_are_not_known_are_refused(
    code: str, first: str, last: str, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        session_bounds(code, day(first), day(last))


def test_what_is_known_to_its_last_day_needs_no_day_after() -> None:
    last = day("2049-12-31")
    closes = expected_closes("XHKG", NS_DAY, last * NS_DAY, (last + 1) * NS_DAY - 1)
    assert len(closes) == 1
    first = expected_closes("XLON", HOUR, nanoseconds("1990-01-01"), nanoseconds("1990-01-02T12"))
    assert len(first) == 4


def test_unknown_calendars_suggest_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*'XNYS'"):
        session_bounds("XNYZ", 0, 1)
    with pytest.raises(UnknownNameError, match="unknown calendar"):
        rows_per_year(np.arange(9) * NS_DAY, {"New York"})


def test_a_calendar_that_the_package_cannot_make(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise NotImplementedError("implemented by subclasses")

    monkeypatch.setattr(exchange_calendars, "get_calendar", broken)
    with pytest.raises(DataError, match=r"XSGO.* cannot make it \(implemented by subclasses\)"):
        session_bounds("XSGO", day("2024-01-01"), day("2024-01-05"))


@pytest.mark.parametrize("code", ["XNYS", "XHKG", "CMES"])
@pytest.mark.parametrize("interval", [7 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR])
@pytest.mark.parametrize("offset", [0, 5 * MINUTE])
def test_closes_are_multiples_up_to_the_close_of_each_part(
    code: str, interval: int, offset: int
) -> None:
    start, end = nanoseconds("2020-11-23T16:00"), nanoseconds("2020-12-28T15:00")
    parts = sessions(code, day("2020-11-20"), day("2020-12-31"))
    naive = set()
    for opens, closes in zip(parts.part_open, parts.part_close, strict=True):
        multiples = [t for t in range(opens, closes, MINUTE) if (t - offset) % interval == 0]
        naive |= {t for t in (*multiples, closes) if t > opens and start <= t <= end}
    assert expected_closes(code, interval, start, end, offset).tolist() == sorted(naive)


@pytest.mark.parametrize(("n_days", "offset"), [(1, 0), (2, 1), (7, 0), (7, 4), (30, 11)])
def test_closes_of_days_are_those_of_the_last_session(n_days: int, offset: int) -> None:
    start, end = nanoseconds("2020-01-15"), nanoseconds("2021-03-02T23:00")
    days, _, closes = session_bounds("XNYS", day("2019-12-01"), day("2021-05-01"))
    last = dict(zip((days - offset) // n_days, closes.tolist(), strict=True))  # later ones win
    naive = [close for close in last.values() if start <= close <= end]
    found = expected_closes("XNYS", n_days * NS_DAY, start, end, offset * NS_DAY)
    assert found.tolist() == naive


def test_what_never_closes_has_every_multiple() -> None:
    closes = expected_closes("24/7", 4 * HOUR, 4 * HOUR, NS_DAY + 1)
    assert closes.tolist() == [4 * HOUR * k for k in range(1, 7)]
    assert expected_closes("24/7", 4 * HOUR, 1, NS_DAY, HOUR).tolist()[0] == HOUR
    assert session_bounds("24/7", 0, 1)[2].tolist() == [NS_DAY, 2 * NS_DAY]


def test_an_interval_does_not_cut_sessions() -> None:
    with pytest.raises(DataError, match="36h in calendar XNYS"):
        expected_closes("XNYS", 36 * HOUR, 0, NS_DAY)
    assert len(expected_closes("24/7", 36 * HOUR, 1, 3 * NS_DAY)) == 2


# ---- rows a year -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [("XNYS", 252), ("XLON", 253), ("XTKS", 244), ("XHKG", 246), ("CMES", 258), ("24/5", 261)],
)
def test_sessions_a_year_are_the_mean_of_ten_years(code: str, expected: float) -> None:
    assert sessions_per_year(code) == expected
    days, _, _ = session_bounds(code, day("2015-01-01"), day("2024-12-31"))
    assert round(len(days) / 10) == expected


@pytest.mark.parametrize(
    ("code", "interval", "expected"),
    [("XNYS", HOUR, 7), ("XNYS", MINUTE, 390), ("XHKG", HOUR, 6), ("XHKG", NS_DAY, 1)],
)
def test_bars_that_fit_into_a_session(code: str, interval: int, expected: float) -> None:
    assert bars_per_session(code, interval) == expected


def test_a_calendar_known_for_less_counts_from_its_first_year() -> None:
    days, _, _ = session_bounds("XSAU", day("2021-01-01"), day("2024-12-31"))
    assert sessions_per_year("XSAU") == round(len(days) / 4)


@pytest.mark.parametrize(
    ("code", "interval", "expected", "words"),
    [
        ("XNYS", NS_DAY, 252, "252 periods a year: calendar XNYS, 252 sessions of 1 bar"),
        ("XTKS", NS_DAY, 244, "calendar XTKS, 244 sessions of 1 bar"),
        ("XNYS", 5 * MINUTE, 252 * 78, "calendar XNYS, 252 sessions of 78 bars"),
        ("XLON", HOUR, 253 * 9, "calendar XLON, 253 sessions of 9 bars"),
        ("24/7", HOUR, 8760, "calendar 24/7, 365 days of 24 bars"),
    ],
)
def test_rows_a_year_of_a_calendar(code: str, interval: int, expected: float, words: str) -> None:
    time = expected_closes(code, interval, nanoseconds("2024-01-08"), nanoseconds("2024-02-16"))
    number, said = rows_per_year(time, {code})
    assert number == expected and words in said
    few = time[:: 3 if interval < NS_DAY else 1][: max(3, len(time) // 2)]
    assert rows_per_year(few, {code})[0] <= expected


def test_gaps_do_not_change_the_rows_a_year_of_sessions() -> None:
    time = expected_closes("XNYS", MINUTE, nanoseconds("2024-01-08"), nanoseconds("2024-02-16"))
    kept = np.sort(np.random.default_rng(0).choice(time, len(time) * 4 // 5, replace=False))
    assert rows_per_year(kept, {"XNYS"})[0] == 252 * 390


def test_rows_outside_sessions_count() -> None:
    start = nanoseconds("2024-01-08")
    hours = [start + d * NS_DAY + h * HOUR for d in range(5) for h in range(9, 24)]
    assert rows_per_year(np.array(hours), {"XNYS"})[0] == 252 * 15


def test_several_calendars_count_the_days_that_one_of_them_has() -> None:
    both = session_days(frozenset({"XNYS", "XLON"}))
    assert 253 < both <= 261
    closes = [
        expected_closes(code, NS_DAY, nanoseconds("2024-01-08"), nanoseconds("2024-02-16"))
        for code in ("XNYS", "XLON")
    ]
    number, said = rows_per_year(np.unique(np.concatenate(closes)), {"XNYS", "XLON"})
    assert number == 2 * both and "calendar XLON, XNYS" in said
    assert session_days(frozenset({"XNYS", "24/7"})) == 365


@pytest.mark.parametrize("calendars", [(), {"24/7"}, {"XNYS"}])
def test_irregular_rows_are_counted(calendars: set[str]) -> None:
    days = 20
    time = np.unique(np.random.default_rng(0).integers(0, days * NS_DAY, 5_000))
    number, said = rows_per_year(time, calendars)
    assert number == pytest.approx(5_000 / days * 365.25, rel=1e-3) and "irregular rows" in said


def test_data_that_comes_along_and_markets_that_never_close_load_no_calendar() -> None:
    code = (
        "import sys, alphalab as al; [al.load(n).notes for n in ('sp500', 'nasdaq', 'synthetic')];"
        "al.load('sp500_stocks').periods_per_year;"
        "al.load('synthetic').resample('1d').notes;"
        "sys.exit('exchange_calendars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
