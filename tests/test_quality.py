"""Each rule of quality finds what is planted, and nothing else speaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import walk
from hypothesis import given, settings
from hypothesis import strategies as st
from lean_factors import actions_from_factors
from quality_cases import (
    FAULTS,
    HOUR,
    PRICES,
    counts,
    halved,
    put,
    scaled,
    sound,
    with_columns,
)

import alphalab as al
from alphalab.data.ingestion.repairs import STEPS
from alphalab.data.panel.rows import Rows
from alphalab.data.quality.bars import check_bars
from alphalab.data.quality.check import check
from alphalab.data.quality.joined import joined
from alphalab.data.quality.of_bars import quality_of
from alphalab.data.quality.registry import RULES
from alphalab.data.quality.series import scatter
from alphalab.data.quality.settings import QualitySettings, read_quality_settings
from alphalab.errors import InputError, ParameterError, UnknownNameError

# ---- one fault, one rule -------------------------------------------------------------------------


def test_sound_rows_have_no_findings() -> None:
    verdict = check(sound())
    assert (verdict.status, verdict.findings, verdict.skipped) == ("ok", (), {})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_nothing_else(fault: str) -> None:
    plant, expected = FAULTS[fault]
    assert counts(check(plant(sound()))) == expected


@pytest.mark.parametrize("fault", FAULTS)
def test_findings_name_rows_times_and_numbers(fault: str) -> None:
    rows = FAULTS[fault][0](sound())
    for finding in check(rows).findings:
        assert finding.severity == RULES[finding.rule].severity
        assert finding.message.endswith(".") and finding.fix.endswith(".")
        assert finding.first is not None and finding.last is not None
        assert finding.first <= finding.last
        assert len(finding.rows) <= 5
        assert set(finding.at) <= set(rows.time)
        assert finding.at.size >= len(finding.rows)
        assert all(set(rows.time[rows.number == row]) & set(finding.at) for row in finding.rows)


def test_few_rows_are_not_compared_with_their_like() -> None:
    rows = scaled(sound(90), slice(50, None), 0.5, PRICES, 2.0)
    verdict = check(rows)
    assert verdict.status == "ok"
    assert verdict.skipped["splits"] == "fewer than 100 rows"
    assert check(rows, QualitySettings(min_rows=50)).status == "errors"


def test_a_frame_is_checked_before_bars_can_be_made_of_it() -> None:
    frame = al.load("synthetic:rows=300,symbols=1,gaps=0").to_frame("long")
    frame.loc[7, "low"] = -1.0
    assert counts(check(frame)) == {"nonpositive": 1, "gaps": 1}


def test_a_split_that_is_known_is_no_fault() -> None:
    bars = halved()
    column = np.full((bars.n_rows, 1), np.nan)
    column[200] = 2.0
    assert counts(check(bars)) == {"splits": 1}
    assert check(bars.with_columns({"split": column})).status == "ok"
    actions = {"ex_date": ["2022-07-26"], "split": [2.0]}
    assert check(bars, actions=pd.DataFrame(actions)).status == "ok"
    actions["split"] = [3.0]
    assert check(bars, actions=pd.DataFrame(actions)).status == "errors"


def test_a_crash_that_everybody_trades_is_no_split() -> None:
    rows = scaled(sound(), slice(600, None), 0.5, PRICES)
    rows = scaled(rows, slice(600, 605), 1.0, (), 30.0)
    assert counts(check(rows)) == {"jumps": 1}


def test_rows_without_any_volume_need_a_closer_ratio() -> None:
    plain = put(sound(), slice(None), volume=np.nan)
    near, far = (scaled(plain, slice(600, None), by, PRICES) for by in (0.5, 0.46))
    assert counts(check(near)) == {"splits": 1, "volume_unknown": 1000}
    assert counts(check(far)) == {"jumps": 1, "volume_unknown": 1000}


def test_what_all_symbols_share_is_said_once() -> None:
    time = np.arange(1, 201) * HOUR
    columns = {name: np.tile(values, 3) for name, values in walk(time).items()}
    rows = Rows(
        np.tile(time, 3), ("A", "B", "C"), np.repeat([0, 1, 2], 200), columns, np.arange(600)
    )
    verdict = check(with_columns(rows, volume=np.full(600, np.nan)))
    (finding,) = verdict.findings
    assert (finding.rule, finding.symbol, finding.count) == ("volume_unknown", "", 600)
    assert finding.message == "no row has a volume; the same for all 3 symbols."


# ---- properties ----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(-8, 8), st.sampled_from(sorted(FAULTS)))
def test_the_unit_of_prices_changes_nothing(power: int, fault: str) -> None:
    rows = FAULTS[fault][0](sound())
    other = scaled(rows, slice(None), 2.0**power, PRICES)
    assert counts(check(other)) == counts(check(rows))


@settings(max_examples=40)
@given(st.integers(2, 997), st.sampled_from([1, -1]))
def test_a_spike_is_found_wherever_it_is(place: int, sign: int) -> None:
    rows = sound()
    close = float(rows.columns["close"][place]) * 1.4**sign
    name = "high" if sign > 0 else "low"
    found = check(put(rows, place, close=close, **{name: close * 1.01**sign})).findings
    assert [(f.rule, f.rows) for f in found] == [("outliers", (place,))]


@settings(max_examples=40)
@given(st.integers(1, 2_000), st.integers(20, 400), st.randoms(use_true_random=False))
def test_scatter_by_hand(n: int, window: int, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    values = rng.standard_normal(n) * rng.integers(0, 2, n)
    cuts = [*range(0, max(n // window, 1) * window, window), n]
    sizes = [sorted(np.abs(values[a:b])) for a, b in pairwise(cuts)]
    own = [x[min(int(0.75 * len(x)), len(x) - 1)] / 1.1503494 for x in sizes]
    moved = np.abs(values[values != 0])
    for row in range(0, n, 7):
        i = min(row // window, len(own) - 1)
        expected = max(own[max(i - 1, 0) : i + 2]) or (moved.mean() if moved.size else 0.0)
        assert scatter(values, window)[row] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=30)
@given(st.data())
def test_any_rows_have_a_verdict(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 12))
    number = st.sampled_from([0.0, 1.0, 2.0, 1e9, -1.0, np.nan, np.inf])
    prices = {
        name: np.array(data.draw(st.lists(number, min_size=n, max_size=n)), np.float64)
        for name in (*PRICES, "volume")
    }
    time = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), np.int64)
    symbol = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int64)
    rows = Rows(time * HOUR, ("A", "B", "C"), symbol, prices, np.arange(n))
    rules = QualitySettings(min_rows=1, stale_rows=1)
    for calendar in ("", "24/7"):
        verdict = check(rows, rules, calendar=calendar)
        assert verdict.to_dict() == check(rows, rules, calendar=calendar).to_dict()
        assert json.dumps(verdict.to_dict(), allow_nan=False)


def test_bars_that_were_cut_at_midnight_are_not_suspected() -> None:
    bars = al.load("synthetic:rows=1000,symbols=1,gaps=0").between("2020-01-05", "2020-01-31")
    assert bars.start.endswith("T00:00:00Z") and bars.end.endswith("T23:00:00Z")
    assert check(bars).status == "ok"


def test_the_order_of_symbols_changes_no_finding() -> None:
    bars = al.load("synthetic:rows=500,symbols=4,seed=9")
    other = bars.select(bars.symbols[::-1])
    ours, theirs = ({str(f) for f in check(b).findings} for b in (bars, other))
    assert ours == theirs


def test_rows_and_bars_have_one_verdict() -> None:
    bars = al.load("synthetic:rows=800,symbols=3,seed=2")
    ours, theirs = (check(data).to_dict()["findings"] for data in (bars, bars.to_rows()))
    assert ours == theirs and ours


def test_another_process_gives_the_same_bytes() -> None:
    code = (
        "import json, alphalab as al; "
        "print(json.dumps(al.check(al.load('synthetic:rows=500,symbols=3')).to_dict()))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert json.loads(said[0])["schema"] == "alphalab.data.check/1"


# ---- built-in and real data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("sp500", "ok"),
        ("nasdaq", "warnings"),  # two days without volume
        ("sp500_stocks", "warnings"),
        ("synthetic:gaps=0", "ok"),
        ("synthetic:rows=20000,symbols=1,bar=1m,gaps=0.02", "warnings"),
    ],
)
def test_built_in_data_has_no_errors(name: str, status: str) -> None:
    bars = al.load(name)
    assert check(bars).status == quality_of(bars).status == status


@pytest.mark.parametrize("seed", range(6))
def test_made_up_markets_have_no_errors(seed: int) -> None:
    bars = al.load(f"synthetic:rows=2000,symbols=8,bar=1d,seed={seed}")
    assert check(bars).errors == ()


def test_real_splits_are_found_and_crashes_are_not(shared_data: Path) -> None:
    file = shared_data / "us_equity_daily_raw.parquet"
    verdict = check(file, calendar="XNYS")
    splits = {
        (f.symbol, str(np.datetime64(int(t), "ns"))[:10])
        for f in verdict.findings
        if f.rule == "splits"
        for t in f.at
    }
    assert splits == {
        *(("AAPL", day) for day in ("2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31")),
        ("IBM", "1999-05-27"),
        ("QQQ", "2000-03-20"),
    }
    crash = next(f for f in verdict.findings if f.rule == "jumps")
    assert crash.symbol == "AAPL" and "2000-09-29" in crash.message
    gap = next(f for f in verdict.findings if f.rule == "gaps")
    assert (gap.symbol, gap.count) == ("QQQ", 1588)
    assert "label" in counts(verdict)
    factors = pd.read_parquet(shared_data / "us_equity_factors.parquet")
    closes = pd.read_parquet(file).pivot(index="time", columns="symbol", values="close")
    known = check(file, calendar="XNYS", actions=actions_from_factors(factors, closes))
    assert known.errors == ()


def test_real_gaps_are_counted(shared_data: Path) -> None:
    verdict = check(shared_data / "crypto_5m_binance.parquet")
    gaps = {f.symbol: f.count for f in verdict.findings if f.rule == "gaps"}
    assert gaps == {"ADA/BTC": 40, "DASH/BTC": 2, "TRX/BTC": 6, "XMR/BTC": 2, "ZEC/BTC": 2}
    assert verdict.errors == ()


# ---- settings and verdicts -----------------------------------------------------------------------


def test_the_page_and_the_remedies_know_every_rule() -> None:
    page = (Path(__file__).parents[1] / "docs" / "quality.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.M))
    assert listed == {rule.name: rule.severity for rule in RULES.values()}
    named = {step for rule in RULES.values() for step in re.findall(r"--repair (\w+)", rule.fix)}
    assert named and named <= STEPS.keys()


def test_levels_of_rules() -> None:
    rows = FAULTS["a split"][0](sound())
    for level, status in (("error", "errors"), ("warning", "warnings"), ("info", "ok")):
        verdict = check(rows, QualitySettings(severity={"splits": level}))  # type: ignore[dict-item]
        assert (verdict.status, len(verdict.findings)) == (status, 1)
    assert check(rows, QualitySettings(severity={"splits": "off"})).findings == ()


def test_settings_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gaps'"):
        QualitySettings(severity={"gap": "error"})
    with pytest.raises(ParameterError, match="severity"):
        QualitySettings(severity={"gaps": "bad"})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="No such file"):
        read_quality_settings(tmp_path / "none.toml")
    for text, words in (
        ("[severity", "TOML"),
        ("stale_row = 3", "did you mean 'stale_rows'"),
        ("stale_rows = 0", "stale_rows=0"),
    ):
        file = tmp_path / "rules.toml"
        file.write_text(text)
        with pytest.raises(InputError, match=words) as error:
            read_quality_settings(file)
        assert str(file) in str(error.value)


def test_settings_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('stale_rows = 50\n[severity]\ngaps = "error"\n')
    expected = QualitySettings(stale_rows=50, severity={"gaps": "error"})
    assert read_quality_settings(file) == expected
    file.write_text('[costs]\nfee_bps = 1\n[quality]\nstale_rows = 50\nseverity = {gaps = "error"}')
    assert read_quality_settings(file) == expected


def test_the_verdict_of_bars_is_made_once() -> None:
    bars = al.load("synthetic:rows=500,symbols=2")
    assert quality_of(bars) is quality_of(bars)
    strict = QualitySettings(severity={"gaps": "error"})
    assert quality_of(bars, strict) is quality_of(bars, strict)
    assert quality_of(bars, strict).status == "errors"
    assert quality_of(bars.rows(0, 200)).n_rows < quality_of(bars).n_rows


def test_the_quick_check_says_what_it_leaves_out() -> None:
    bars = al.load("sp500", start="2010-01-01", end="2012-12-31")
    kept = np.delete(np.arange(bars.n_rows), [300, 301, 302])
    part = al.Bars(
        bars.time[kept],
        bars.symbols,
        {name: values[kept] for name, values in bars.columns.items()},
        instruments=bars.instruments,
    )
    assert counts(check(part)) == {"gaps": 3}
    assert counts(quality_of(part)) == {}
    assert "alphalab data check" in quality_of(part).skipped["gaps"]


def test_the_quick_check_imports_no_calendar() -> None:
    code = (
        "import sys, alphalab as al; from alphalab.data.quality.of_bars import quality_of; "
        "quality_of(al.load('sp500')); quality_of(al.load('synthetic:rows=500')); "
        "print([m for m in ('pandas', 'exchange_calendars', 'deltalake') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_verdicts_of_blocks_become_one() -> None:
    bars = al.load("synthetic:rows=3000,symbols=2,seed=4")
    cuts = [0, 700, 1500, 3000]
    blocks = [bars.rows(max(a - 1, 0), b) for a, b in pairwise(cuts)]
    rules = QualitySettings()
    whole = check_bars(bars, rules, exact=False)
    made = joined(check_bars(block, rules, exact=False) for block in blocks)
    assert counts(made) == counts(whole)
    assert (made.start, made.end) == (whole.start, whole.end)
    assert "in 3 blocks" in made.findings[0].message
