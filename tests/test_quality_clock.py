"""Rows against the sessions of an exchange: gaps, zones, labels, and rows that are not bars."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from builders import rows_at
from quality_cases import DAY, HOUR, counts, put, sound

import alphalab as al
from alphalab.data.clock.calendars import expected_closes
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rows import Rows
from alphalab.data.quality.bars import series_of
from alphalab.data.quality.check import check
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.funding import checked_with_funding
from alphalab.data.quality.reading import Events
from alphalab.data.quality.settings import QualitySettings
from alphalab.errors import DataError, ParameterError, UnknownNameError
from alphalab.research.pages.quality_plots import coverage, values
from alphalab.sessions import session_bounds
from alphalab.types import IntArray

HALF_HOUR = HOUR // 2


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


YEAR = expected_closes("XNYS", HALF_HOUR, ns("2024-01-01"), ns("2024-12-31T23"))
DAYS, OPENS, CLOSES = session_bounds("XNYS", ns("2022-01-01") // DAY, ns("2024-12-31") // DAY)


def local(time: IntArray, zone: str = "America/New_York") -> IntArray:
    """What a clock on the wall shows, taken as UTC."""
    shown = pd.DatetimeIndex(time).tz_localize("UTC").tz_convert(ZoneInfo(zone)).tz_localize(None)
    return shown.to_numpy().astype("M8[ns]").astype(np.int64)


def said(time: IntArray, calendar: str = "XNYS") -> Verdict:
    return check(rows_at(time), calendar=calendar)


def rule(verdict: Verdict, name: str) -> str:
    return next(finding.message for finding in verdict.findings if finding.rule == name)


# ---- shorter than a day --------------------------------------------------------------------------


def test_the_bars_of_a_year_have_no_findings() -> None:
    assert counts(said(YEAR)) == {}


@pytest.mark.parametrize("minutes", [5, 60])
def test_other_bars_of_a_year_have_no_findings(minutes: int) -> None:
    step = minutes * HOUR // 60
    time = expected_closes("XNYS", step, ns("2024-05-01"), ns("2024-12-31T23"))
    assert counts(said(time)) == {}


def test_hours_that_begin_with_the_session() -> None:
    first, last = ns("2024-01-01"), ns("2024-12-31T23")
    time = expected_closes("XNYS", HOUR, first, last, HALF_HOUR)
    assert counts(said(time)) == {}
    assert counts(said(np.delete(time, [50, 51, 500]))) == {"gaps": 3}


def test_missing_bars_of_a_session() -> None:
    day = YEAR // DAY
    christmas_eve = day == ns("2024-12-24") // DAY
    assert np.count_nonzero(christmas_eve) == 7  # it closes at 13:00
    verdict = said(YEAR[~christmas_eve])
    assert counts(verdict) == {"gaps": 7}
    assert "the longest has 7 bars, after 2024-12-23T21:00:00Z" in rule(verdict, "gaps")


def test_bars_while_the_market_is_closed() -> None:
    extra = ns("2024-12-25T16:00") + np.arange(4) * HALF_HOUR
    verdict = said(np.sort(np.concatenate((YEAR, extra))))
    assert counts(verdict) == {"off_session": 4}
    assert "2024-12-25T16:00:00Z" in rule(verdict, "off_session")


def test_times_of_a_wrong_zone() -> None:
    verdict = said(YEAR + 3 * HOUR)
    assert set(counts(verdict)) == {"zone"}
    assert "if every time were -3 h" in rule(verdict, "zone")


def test_local_times_that_were_read_as_utc() -> None:
    verdict = said(local(YEAR))
    assert set(counts(verdict)) == {"zone"}
    assert "+5 h in winter and +4 h in summer" in rule(verdict, "zone")


def test_a_zone_that_does_not_change_its_clocks() -> None:
    """Winter time all year: right in winter, an hour late in summer."""
    verdict = said(local(YEAR) + 5 * HOUR)
    assert set(counts(verdict)) == {"zone"}
    assert "+0 h in winter and -1 h in summer" in rule(verdict, "zone")


def test_opening_times_that_were_read_as_closing_times() -> None:
    verdict = said(YEAR - HALF_HOUR)
    assert set(counts(verdict)) == {"label"}
    assert "shifted" in verdict.skipped["gaps"]
    assert "252 of 252 sessions" in rule(verdict, "label")


@pytest.mark.parametrize("calendar", ["XTKS", "XHKG", "XLON"])
def test_markets_with_breaks_and_other_zones(calendar: str) -> None:
    time = expected_closes(calendar, HALF_HOUR, ns("2023-02-01"), ns("2023-06-30T23"))
    assert counts(said(time, calendar)) == {}


# ---- days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    [CLOSES, OPENS * 0 + DAYS * DAY + 21 * HOUR, (DAYS + 1) * DAY],
    ids=["closes", "four in the afternoon", "the midnight after"],
)
def test_daily_rows_have_no_findings(time: IntArray) -> None:
    assert counts(said(time)) == {}


def test_dates_count_as_known_too_early() -> None:
    verdict = said(DAYS * DAY)
    assert counts(verdict) == {"label": len(DAYS)}
    assert "before the session of their date has closed" in rule(verdict, "label")
    plain = check(rows_at(DAYS * DAY))
    assert counts(plain) == {"label": len(DAYS)}
    assert "Monday to Friday" in rule(plain, "label")


def test_dates_that_lost_their_zone() -> None:
    days, _, _ = session_bounds("XTKS", DAYS[0], DAYS[-1])
    verdict = said(days * DAY - 9 * HOUR, "XTKS")  # midnight in Tokyo, as UTC
    assert set(counts(verdict)) == {"zone"}
    assert "1 day later" in rule(verdict, "zone")


def test_daily_gaps_with_and_without_a_calendar() -> None:
    part = np.delete(CLOSES, range(100, 112))
    assert counts(said(part)) == {"gaps": 12}
    assert counts(check(rows_at(part))) == {"gaps": 13}  # Memorial Day is a weekday, too
    assert counts(check(rows_at(CLOSES))) == {}
    few = np.delete(CLOSES, range(100, 103))
    assert counts(said(few)) == {"gaps": 3}
    assert counts(check(rows_at(few))) == {}
    strict = QualitySettings(holiday_days=1)
    assert counts(check(rows_at(few), strict))["gaps"] >= 3


def test_intraday_gaps_without_a_calendar() -> None:
    assert counts(check(rows_at(YEAR))) == {}
    assert counts(check(rows_at(np.delete(YEAR, [200, 201, 202])))) in ({}, {"gaps": 3})
    noon = np.flatnonzero(YEAR % DAY == 17 * HOUR)[10:12]
    assert counts(check(rows_at(np.delete(YEAR, noon)))) == {"gaps": 2}


def test_weeks_and_months_without_a_calendar() -> None:
    weeks = rows_at(ns("2010-01-01T21:00") + np.arange(300) * 7 * DAY)
    assert counts(check(weeks)) == {}
    months = pd.date_range("2000-01-01", periods=200, freq="MS").to_numpy().astype("M8[ns]")
    time = months.astype(np.int64)
    assert counts(check(rows_at(time))) == {}
    assert counts(check(rows_at(np.delete(time, [50, 51])))) == {"gaps": 2}


def test_years_that_a_calendar_does_not_know() -> None:
    verdict = said(DAYS * DAY - 90 * 365 * DAY + 20 * HOUR)
    assert "its sessions are known" in verdict.skipped["gaps"] or "XNYS" in verdict.skipped["gaps"]
    with pytest.raises(UnknownNameError, match="XNYS"):
        said(CLOSES, "XNYC")


# ---- funding -------------------------------------------------------------------------------------


def perpetual(rates: IntArray | None = None) -> al.Bars:
    rows = rows_at((1 + np.arange(240)) * HOUR + ns("2024-01-01"))
    bars = Bars.from_rows(rows).with_instruments(kind="linear", funding_hours=8)
    if rates is None:
        return bars
    return bars.with_funding(pd.DataFrame({"time": pd.to_datetime(rates), "funding_rate": 1e-4}))


STAMPS = ns("2024-01-01") + np.arange(31) * 8 * HOUR


def test_funding_of_a_contract() -> None:
    assert counts(check(perpetual(STAMPS))) == {}
    assert counts(check(perpetual(np.delete(STAMPS, [3, 7])))) == {"funding": 2}
    assert counts(check(perpetual())) == {"funding": 29}
    spot = Bars.from_rows(rows_at((1 + np.arange(240)) * HOUR))
    assert counts(check(spot)) == {}


def test_a_table_of_rates_beside_bars(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"

    def found(stamps: IntArray, rate: float = 1e-4) -> dict[str, int]:
        times = np.datetime_as_string(stamps.astype("M8[ns]"), "ms")
        file.write_text("time,rate\n" + "".join(f"{t}Z,{rate}\n" for t in times))
        return counts(check(perpetual(), funding=file))

    assert found(STAMPS + 17 * 10**6) == {}
    assert found(np.delete(STAMPS, [3, 4, 9])) == {"funding": 3}
    assert found(np.sort(np.append(STAMPS, STAMPS[5] + 20 * 10**9))) == {"funding": 1}
    assert found(STAMPS + np.where(np.arange(31) == 6, 10 * 60 * 10**9, 0)) == {"off_grid": 1}
    assert found(STAMPS[::-1].copy()) == {"unsorted": 30}


def test_rates_alone(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    lines = [f"{np.datetime64(int(t), 'ns')}Z,X,{0.0001}\n" for t in np.delete(STAMPS, 5)]
    file.write_text("time,symbol,funding_rate\n" + "".join(lines))
    verdict = check(file)
    assert (verdict.kind, counts(verdict)) == ("funding", {"funding": 1})
    file.write_text("time,symbol,funding_rate\n" + "".join(lines).replace("0.0001", "1.25"))
    assert "a basis point" in rule(check(file), "outliers")


# ---- trades, splits, dividends ------------------------------------------------------------------


def trades_file(tmp_path: Path, *changes: tuple[int, str]) -> Path:
    lines = [f"{i * 60},{5000 + i},buy,{100 + i % 7 / 100:.2f},1.5" for i in range(1, 301)]
    lines = [f"{1_700_000_000 + int(x.partition(',')[0])},{x.partition(',')[2]}" for x in lines]
    for place, line in changes:
        lines[place : place + 1] = [line] if line else []
    file = tmp_path / "trades.csv"
    file.write_text("time,id,side,price,amount\n" + "\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((0, "1700000060,5001,buy,100.01,1.5"), {}),
        ((50, "1700003060,5050,buy,100.01,1.5"), {"conflicting_duplicates": 1, "ids": 1}),
        ((50, "1700003060,5051,buy,-1,1.5"), {"nonpositive": 1}),
        ((50, "1700003060,5051,buy,,1.5"), {"missing_values": 1}),
        ((50, "1700003060,5051,buy,170,1.5"), {"outliers": 1}),
        ((50, ""), {"ids": 1}),
        ((299, "1700118000,5300,buy,100.00,1.5"), {"gaps": 1}),
    ],
)
def test_trades(tmp_path: Path, change: tuple[int, str], expected: dict[str, int]) -> None:
    verdict = check(trades_file(tmp_path, change))
    assert (verdict.kind, counts(verdict)) == ("trades", expected)


def test_splits_and_dividends(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    for text, expected in (
        ("date,symbol,split,dividend\n2024-01-02,A,2,\n2024-01-03,A,,0.5\n", {}),
        ("date,symbol,split,dividend\n2024-01-02,A,-2,\n2024-01-03,A,,-0.5\n", {"nonpositive": 2}),
        ("date,split\n2024-01-03,2\n2024-01-02,3\n", {"unsorted": 1}),
        ("date,split,dividend\n2024-01-03,,\n2024-01-04,2,\n", {"missing_values": 1}),
    ):
        file.write_text(text)
        assert counts(check(file)) == expected


def test_what_is_of_no_kind(tmp_path: Path) -> None:
    file = tmp_path / "weather.csv"
    file.write_text("time,temperature\n2024-01-01,3\n")
    with pytest.raises(DataError, match=r"weather\.csv: neither bars nor trades"):
        check(file)
    with pytest.raises(ParameterError, match="interval for trades"):
        check(trades_file(tmp_path), interval="1h")
    with pytest.raises(DataError, match="a table of actions"):
        check(perpetual(), actions=trades_file(tmp_path))


def test_real_trades_and_rates(shared_data: Path) -> None:
    for name, kind in (
        ("xrp_eth_trades", "trades"),
        ("xrp_perp_funding_8h", "funding"),
    ):
        verdict = check(shared_data / f"{name}.parquet")
        assert (verdict.kind, verdict.status) == (kind, "ok")
    rates = shared_data / "xrp_perp_funding_8h.parquet"
    verdict = check(shared_data / "xrp_perp_5m.parquet", funding=rates)
    assert counts(verdict) == {"funding": 9}
    assert "79 of 91 rates lie outside the bars" in verdict.skipped["funding"]


def test_sessions_of_rows_in_several_symbols() -> None:
    one, two = rows_at(YEAR, "A"), rows_at(np.delete(YEAR, [5, 6]), "B")
    both = Rows(
        np.concatenate((one.time, two.time)),
        ("A", "B"),
        np.repeat([0, 1], [len(one), len(two)]),
        {name: np.concatenate((one.columns[name], two.columns[name])) for name in one.columns},
        np.arange(len(one) + len(two)),
    )
    (finding,) = check(both, calendar="XNYS").findings
    assert (finding.rule, finding.symbol, finding.count) == ("gaps", "B", 2)
    assert finding.rows == (len(one) + 5,)
    assert replace(finding, symbol="").to_dict()["first"] == finding.to_dict()["first"]


@pytest.mark.parametrize("kind", ["trades", "funding", "actions"])
def test_any_events_have_a_verdict(kind: str) -> None:
    rng = np.random.default_rng(1)
    names = {"trades": ("price", "amount"), "funding": ("rate",)}
    names |= {"actions": ("split", "dividend")}
    cells = np.array([0, 1, 2, -1, np.nan, np.inf, 1e-4])
    rules, bars = QualitySettings(min_rows=1), perpetual()
    for _ in range(100):
        n = int(rng.integers(1, 12))
        events = Events(
            kind,
            "events.csv",
            ("ACME", "B"),
            rng.integers(0, 2, n),
            ns("2024-01-01") + rng.integers(0, 40, n) * HOUR,
            {name: rng.choice(cells, n) for name in names[kind]},
            rng.integers(0, 9, n).astype(str) if kind == "trades" else None,
        )
        verdict = check(events, rules)
        if kind == "funding":
            verdict = checked_with_funding(verdict, bars, events, rules)
        assert json.dumps(verdict.to_dict(), allow_nan=False)
        assert all(np.isfinite(ratio).all() for _, ratio in events.splits().values())


# ---- pictures ------------------------------------------------------------------------------------


def test_a_line_is_broken_where_bars_are_missing_and_fundings_are_marked() -> None:
    rows = rows_at((1 + np.arange(240)) * HOUR + ns("2024-01-01"))
    rows = rows.take(np.delete(np.arange(240), range(100, 150)))
    rates = Events(
        "funding",
        "",
        ("ACME",),
        np.zeros(28, np.int64),
        np.delete(STAMPS, [3, 4, 9]),
        {"rate": np.full(28, 1e-4)},
    )
    verdict = checked_with_funding(check(rows, calendar="24/7"), rows, rates, QualitySettings())
    (s,) = series_of(rows, QualitySettings())
    line, *marks = values(s, "close", verdict.findings, "Close").data
    assert np.flatnonzero(np.isnan(line.y)).tolist() == [100]
    (missing,) = (mark for mark in marks if "funding" in mark.name)
    assert list(np.asarray(missing.x, "M8[ns]").astype(np.int64)) == list(STAMPS[[3, 4, 9]])


def test_holidays_are_no_missing_bars_where_the_calendar_is_known() -> None:
    (s,) = series_of(rows_at(np.delete(CLOSES, 100)), QualitySettings())
    figure, note = coverage(replace(s, interval=DAY, calendar="XNYS"))
    cells = np.asarray(figure.data[0].z)
    assert np.count_nonzero(cells < 1) == 1 and "XNYS expects" in note
    figure, note = coverage(replace(s, interval=DAY))
    assert np.count_nonzero(np.asarray(figure.data[0].z) < 1) > 10 and "holidays" in note


def test_marks_beside_the_line_say_so() -> None:
    rows = sound()
    rows = put(rows, 500, low=0.5 * float(rows.columns["low"][500]))
    (s,) = series_of(rows, QualitySettings())
    _, mark = values(s, "close", check(rows).findings, "Close").data
    assert mark.name.endswith("(at the high or low of the bar)")
    assert mark.y[0] == rows.columns["low"][500]
