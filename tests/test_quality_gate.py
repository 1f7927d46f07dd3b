"""Data with errors is refused, unless the user accepts it: then every result states it."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from builders import AboveMean
from commands import text_file
from quality_cases import counts, halved

import alphalab as al
from alphalab.data.quality.check import check
from alphalab.data.quality.of_bars import quality_of
from alphalab.data.quality.registry import RULES
from alphalab.errors import ParameterError, RefusedError

GRID = {"n": [5, 20]}
SPAN = {"train": 150, "test": 100}


RUNS = {
    "backtest": lambda bars, **more: al.backtest(AboveMean(), bars, **more),
    "sweep": lambda bars, **more: al.sweep(AboveMean, bars, GRID, **more),
    "walk_forward": lambda bars, **more: al.walk_forward(AboveMean, bars, GRID, **SPAN, **more),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_errors_are_refused(run) -> None:
    with pytest.raises(RefusedError, match=r"split\.csv: data with 1 error: splits") as error:
        run(halved())
    assert error.value.exit_code == 3
    for words in ("row 200 (2022-07-27", "alphalab data check split.csv", "--quality accept"):
        assert words in str(error.value)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_errors_that_are_accepted_are_stated(run) -> None:
    made = run(halved(), quality="accept")
    result = made.result if isinstance(made, al.WalkForward) else made
    assert result.quality is not None and result.quality.status == "errors"
    quality = result.to_dict()["data"]["quality"]
    assert json.loads(json.dumps(quality, allow_nan=False)) == quality
    assert (quality["status"], quality["counts"]["errors"]) == ("errors", 1)
    assert quality["findings"][0]["rule"] == "splits"
    assert any("The data has 1 error, accepted: splits" in text for text in result.warnings)
    assert repr(result).endswith("The data has errors.>")


def test_what_a_result_says_of_its_data(tmp_path: Path) -> None:
    result = al.backtest(AboveMean(), halved(), quality="accept")
    said = result.assumptions["Data quality"]
    assert said.startswith("1 error. splits (ACME): ") and "were accepted" in said
    page = result.to_html(tmp_path / "report.html").read_text()
    assert "Data quality" in page and "accepted: splits (ACME)" in page
    assert result._repr_html_().count("accepted: splits") == 1
    page = al.sweep(AboveMean, halved(), GRID, quality="accept").to_html(tmp_path / "sweep.html")
    assert "accepted: splits (ACME)" in page.read_text()


def test_sound_data_is_stated_too() -> None:
    result = al.backtest(AboveMean(), al.load("sp500"))
    quality = result.to_dict()["data"]["quality"]
    assert (quality["status"], quality["findings"]) == ("ok", [])
    assert "XNYS" in quality["skipped"]["gaps"]
    assert result.assumptions["Data quality"].startswith("No findings. Not checked (gaps")
    assert result.warnings == ()


def test_settings_say_what_an_error_is() -> None:
    bars = al.load("synthetic:rows=400,symbols=1")
    assert al.backtest(AboveMean(), bars).quality == quality_of(bars)
    strict = al.data.QualitySettings(severity={"gaps": "error"})
    with pytest.raises(RefusedError, match="gaps"):
        al.backtest(AboveMean(), bars, quality=strict)
    accepting = al.data.QualitySettings(severity={"gaps": "error"}, on_errors="accept")
    assert al.backtest(AboveMean(), bars, quality=accepting).quality.status == "errors"
    mild = al.data.QualitySettings(severity={"splits": "info"})
    assert al.backtest(AboveMean(), halved(), quality=mild).quality.status == "ok"


def test_the_check_changes_no_figure() -> None:
    bars = halved()
    ways = ("accept", al.data.QualitySettings(severity={"splits": "off"}), "unchecked")
    assert len({al.backtest(AboveMean(), bars, quality=way).digest for way in ways}) == 1


def test_nothing_is_checked_where_it_was_asked_so() -> None:
    result = al.backtest(AboveMean(), halved(), quality="unchecked")
    assert result.quality is None
    assert result.to_dict()["data"]["quality"] is None
    assert "not checked" in result.assumptions["Data quality"].lower()


def test_words_that_are_refused() -> None:
    with pytest.raises(ParameterError, match="quality='maybe'"):
        al.backtest(AboveMean(), halved(), quality="maybe")


def test_a_run_again_and_a_column_carry_the_verdict() -> None:
    found = al.sweep(AboveMean, halved(), GRID, quality="accept")
    assert found.result(0).quality is found.quality
    assert found.result(0).warnings[0].startswith("The data has 1 error")
    again = pickle.loads(pickle.dumps(quality_of(halved())))
    assert again.to_dict() == quality_of(halved()).to_dict()
    assert quality_of(copy.copy(halved())).status == "errors"


def test_the_folds_of_a_walk_are_checked_as_one() -> None:
    """A fold of 150 rows is checked as part of all rows: its sweep states the verdict of all."""
    walk = al.walk_forward(AboveMean, halved(), GRID, **SPAN, quality="accept")
    assert {id(found.quality) for found in walk.sweeps} == {id(walk.result.quality)}


def test_the_identity_of_the_data() -> None:
    bars = al.load("sp500")
    data = al.backtest(AboveMean(), bars).to_dict()["data"]
    assert data["id"] == data["content"] == bars.id
    stored = al.Bars(
        bars.time,
        bars.symbols,
        bars.columns,
        instruments=bars.instruments,
        source="store:x/1d/SP500",
        version="store:x/1d/SP500@bars=3",
    )
    data = al.backtest(AboveMean(), stored).to_dict()["data"]
    assert (data["id"], data["content"]) == ("store:x/1d/SP500@bars=3", bars.id)


# ---- on the command line -------------------------------------------------------------------------


@pytest.fixture
def split_file(tmp_path: Path) -> Path:
    file = tmp_path / "split.parquet"
    halved().to_frame("long").to_parquet(file)
    return file


@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_a_run_on_bad_data_exits_with_3(cli, command: str, split_file: Path) -> None:
    grid = ("--grid", "fast=5,10") if command == "sweep" else ()
    given = (command, "sma_cross", "-d", split_file, "--json", *grid)
    refused = cli(*given)
    assert (refused.code, refused.object["error"]["code"]) == (3, "REFUSED")
    run = cli(*given, "--quality", "accept")
    assert (run.code, run.object["data"]["quality"]["status"]) == (0, "errors")
    assert any("accepted" in text for text in run.object["warnings"])


def test_a_settings_file_says_what_an_error_is(cli, split_file: Path, tmp_path: Path) -> None:
    file = text_file(tmp_path, "run.toml", '[quality]\nseverity = {splits = "info"}\n')
    given = ("backtest", "sma_cross", "-d", split_file, "--json", "--settings")
    assert cli(*given, file).code == 0
    bad = text_file(tmp_path, "bad.toml", "[quality]\nstale_row = 3\n")
    run = cli(*given, bad)
    assert run.code == 2 and "bad.toml: quality: " in run.object["error"]["message"]


def test_check_finds_what_the_gate_finds(cli, split_file: Path) -> None:
    run = cli("data", "check", split_file, "--json")
    assert (run.code, run.object["status"]) == (1, "errors")
    assert run.object["schema"] == "alphalab.data.check/1"
    expected = check(split_file).to_dict()
    assert {name: run.object[name] for name in expected} == expected
    run = cli("data", "check", split_file, "--json", "--severity", "splits=warning")
    assert (run.code, run.object["status"]) == (0, "warnings")
    assert counts(check(split_file))["splits"] == 1


def test_check_of_what_bars_refuse(cli, tmp_path: Path) -> None:
    """Rows that no `Bars` can be made of are checked all the same, all rules at once."""
    lines = [f"2024-01-{day:02d},10,12,9,11,100" for day in range(1, 29)]
    lines[3] = "2024-01-04,10,9,9,11,100"
    lines[5] = "2024-01-06,10,12,-9,11,100"
    lines[8], lines[9] = lines[9], lines[8]
    lines.append(lines[-1])
    text = "time,open,high,low,close,volume\n" + "\n".join(lines) + "\n"
    file = text_file(tmp_path, "bad.csv", text)
    assert cli("backtest", "sma_cross", "-d", file).code == 2
    run = cli("data", "check", file)
    assert run.code == 1
    for words in (
        "error: unsorted (bad): 1 row is earlier than the row before: row 9 (2024-01-09T00:00:00Z)",
        "error: nonpositive (bad): 1 row has a price that is not finite and above 0: row 5",
        "error: inconsistent (bad): 1 row has prices outside low and high: row 3",
        "warning: duplicates (bad): 1 row is of a time that is there already: row 28",
        "Verdict: 3 errors, 2 warnings",
    ):
        assert words in run.out


def test_how_a_file_is_written(cli, tmp_path: Path) -> None:
    """The flags of a schema count: opening times are none to complain about when said so."""
    bars = al.load("synthetic:rows=960,symbols=1,gaps=0")
    frame = bars.to_frame("long")
    frame["time"] = frame["time"] - np.timedelta64(1, "h")
    file = tmp_path / "open.csv"
    frame.rename(columns={"close": "Last"}).to_csv(file, index=False)
    given = ("data", "check", file, "--column", "close=Last", "--json")
    assert [f["rule"] for f in cli(*given).object["findings"]] == ["label"]
    assert cli(*given, "--label", "open").object["status"] == "ok"


def test_a_report_of_a_check(cli, split_file: Path, tmp_path: Path) -> None:
    report = tmp_path / "new" / "check.html"
    run = cli("data", "check", split_file, "--report", report)
    assert run.code == 1 and f"Report: {report}" in run.out
    page = report.read_text()
    assert "the level shifts as in a split" in page
    assert page.count('class="chart"') == 4
    for name in ("sp500", "synthetic:rows=600,symbols=12"):
        run = cli("data", "check", name, "--report", report, "--json")
        assert (run.code, run.object["report"]) == (0, str(report))
    assert "Findings by symbol and rule" in report.read_text()
    assert cli("data", "check", "sp500", "--report", tmp_path).code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sp50",), "did you mean 'sp500'"),
        (("sp500", "--severity", "gap=error"), "did you mean 'gaps'"),
        (("sp500", "--severity", "gaps"), "a level is written"),
        (("sp500", "--severity", "gaps=bad"), "Choose from error, warning, info, off"),
        (("sp500", "--calendar", "XNYC"), "unknown calendar"),
        (("sp500", "--interval", "soon"), "'soon'"),
        (("sp500", "--settings", "none.toml"), "none.toml"),
        (("none.csv",), "no such file"),
        (("sp500", "--actions", "none.csv"), "no such file"),
    ],
)
def test_wrong_use(cli, arguments: tuple[str, ...], words: str) -> None:
    run = cli("data", "check", *arguments)
    assert (run.code, words in run.err) == (2, True), run.err


def test_data_of_a_store(cli, split_file: Path, tmp_path: Path, monkeypatch) -> None:
    store = tmp_path / "store"
    given = ("--venue", "x", "--interval", "1d", "--label", "close", "--store", store)
    run = cli("data", "ingest", split_file, *given)
    assert run.code == 0, run.err
    run = cli("data", "check", "store:x/1d/ACME", "--store", store, "--json")
    assert (run.code, run.object["counts"]["errors"]) == (1, 1)
    monkeypatch.setenv("ALPHALAB_STORE", str(store))
    command = ("backtest", "sma_cross", "-d", "store:x/1d/ACME", "--json")
    refused = cli(*command)
    assert refused.code == 3
    assert "alphalab data check store:x/1d/ACME" in refused.object["error"]["fix"]
    data = cli(*command, "--quality", "accept").object["data"]
    assert data["id"].startswith("store:x/1d/ACME@bars=")
    assert data["content"] == al.load(data["id"]).id


def test_a_run_reads_a_file_by_its_schema(cli, tmp_path: Path) -> None:
    lines = [f"2024-01-{day:02d} 16:00,10,12,9,11" for day in range(2, 12)]
    data = text_file(tmp_path, "e.csv", "when,Open,High,Low,Last\n" + "\n".join(lines) + "\n")
    schema = text_file(
        tmp_path,
        "vendor.toml",
        'zone = "America/New_York"\n[columns]\ntime = "when"\nclose = "Last"\n',
    )
    given = ("backtest", "buy_and_hold", "--json", "--schema", schema, "-d")
    assert cli(*given, data).object["data"]["start"] == "2024-01-02T21:00:00Z"
    assert cli(*given, "sp500").code == 2


def test_dates_that_are_no_sessions_are_a_finding(cli, tmp_path: Path) -> None:
    days = ["2024-06-17", "2024-06-18", "2024-06-19", "2024-06-20", "2024-06-22"]
    lines = [f"{day},10,12,9,11,100" for day in days]  # Juneteenth, and a Saturday
    lines[0] = "2024-06-17,10,12,-9,11,100"
    text = "date,open,high,low,close,volume\n" + "\n".join(lines) + "\n"
    file = text_file(tmp_path, "days.csv", text)
    given = ("data", "check", file, "--label", "session", "--calendar", "XNYS", "--json")
    run = cli(*given)
    found = {f["rule"]: f for f in run.object["findings"]}
    assert (run.code, found["nonpositive"]["rows"]) == (1, [0])
    closed = found["off_session"]
    assert (closed["count"], closed["rows"]) == (2, [2, 4])
    assert "row 2 (2024-06-19T20:00:00Z)" in closed["message"]


def test_what_is_read_already_is_not_mapped(cli, tmp_path: Path) -> None:
    for flags in (("--label", "open"), ("--rename", "A=B"), ("--zone", "Asia/Tokyo")):
        run = cli("data", "check", "sp500", *flags)
        assert run.code == 2 and f"sp500 with {flags[0][2:]}=" in run.err
    run = cli("data", "check", "store:us/1d", "--label", "open", "--store", tmp_path)
    assert run.code == 2 and "store:us/1d with label='open'" in run.err
    assert cli("data", "check", "sp500", "--calendar", "XNYS", "--interval", "1d").code == 0


def test_rows_of_a_file_are_renamed(cli, split_file: Path) -> None:
    run = cli("data", "check", split_file, "--rename", "ACME=NEW", "--json")
    assert run.object["symbols"] == ["NEW"]


def test_nothing_found_says_what_was_asked(cli, tmp_path: Path) -> None:
    report = tmp_path / "check.html"
    run = cli("data", "check", "sp500", "--report", report, "--severity", "stale=off")
    (said,) = re.findall("^No findings: (.*)$", run.out, re.M)
    assert "gaps" in said and not {"stale", "ids"} & set(said.split(", "))
    page = report.read_text()
    assert f"No findings: {said}." in page
    assert "holiday_days = 5" in page
    for name in ("stale_rows", "funding_late", "on_errors"):
        assert name not in page
    assert "the calendar XNYS expects" in page


def test_remedies_name_what_there_is() -> None:
    for words in ("--actions FILE", "--kind actions", "?adjust=splits"):
        assert words in RULES["splits"].fix
    assert "--repeated-hour infer" in RULES["conflicting_duplicates"].fix
