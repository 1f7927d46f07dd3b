from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import IN_A_PROCESS, Run, on_a_terminal, process, strategy_file, text_file

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.config import RunSettings
from alphalab.expr.indicators import HOME
from alphalab.expr.registry import REGISTRY

SMA_CROSS = str(Path(__file__).parents[1] / "strategies" / "sma_cross.py")
HEADER = "time,open,high,low,close,volume\n"
GOOD_ROWS = [f"2024-01-{day:02d},10,12,9,11,100\n" for day in range(1, 11)]


def data_file(folder: Path, text: str) -> Path:
    path = folder / "prices.csv"
    path.write_text(text)
    return path


# ---- backtest --------------------------------------------------------------------------------


def test_json_is_one_object_with_what_was_promised(cli) -> None:
    run = cli("backtest", SMA_CROSS, "--data", "sp500", "--fee-bps", 10, "--json")
    assert run.code == 0
    assert list(run.object)[:5] == ["schema", "strategy", "params", "data", "metrics"]
    assert run.object["schema"] == "alphalab.backtest/1"
    assert run.object["strategy"] == "SmaCross"
    assert run.object["params"] == {"fast": 10, "slow": 30}
    data = run.object["data"]
    assert (data["rows"], data["symbols"]) == (5031, ["SP500"])
    assert {"id", "start", "end"} <= data.keys()
    assert data["notes"][0].startswith("S&P 500 index")
    promised = "final_equity total_return annual_return volatility sharpe sortino max_drawdown"
    promised += " n_fills n_round_trips fees turnover exposure"
    assert set(promised.split()) <= run.object["metrics"].keys()
    assert run.object["seconds"] > 0
    assert run.object["report"] is None
    assert run.err == ""


@pytest.mark.nojit
def test_blocks_change_no_digest(cli) -> None:
    command = ("backtest", "sma_cross", "--data", "synthetic:rows=300,seed=2", "--json")
    digests = {cli(*command, "--block-rows", n).object["digest"] for n in (1, 7, 100_000)}
    assert digests == {cli(*command).object["digest"]}


def test_another_process_gives_the_same_digest(cli) -> None:
    command = ("backtest", SMA_CROSS, "--data", "sp500", "--json")
    assert process(*command).object["digest"] == cli(*command).object["digest"]


def test_every_option_arrives(cli) -> None:
    run = cli(
        *("backtest", f"{SMA_CROSS}:SmaCross", "--data", "sp500_stocks", "--json"),
        *("--param", "fast=5", "-p", "slow = 50", "--symbols", "KO, PEP"),
        *("--start", "2000-01-01", "--end", "2001-12-31", "--cash", 5000),
        *("--fee-bps", 2.5, "--fill", "same_close"),
    )
    assert run.code == 0, run.err
    result = run.object
    assert result["params"] == {"fast": 5, "slow": 50}
    assert result["data"]["symbols"] == ["KO", "PEP"]
    assert result["data"]["start"] >= "2000-01-01"
    assert result["data"]["end"] < "2002"
    settings = result["settings"]
    assert (settings["cash"], settings["fill"]) == (5000.0, "same_close")
    assert settings["costs"]["fee_bps"] == 2.5


RUN_TOML = """
cash = 5000
fill = "next_open"
actions = "reinvest"

[costs]
fee_bps = 2.5
spread_bps = 4

[limits]
weight = 0.5

[rebalance]
when = "drift"
threshold = 0.05

[execution]
participation = 0.1

[financing]
interest_bps = 100

[exits]
stop_loss = 0.2

[entry]
limit_offset_bps = 5
ttl = 3

[instrument]
tick = 0.01

[instruments.A]
lot = 1
"""

TIERS_TOML = """
[margin]
initial = 0.5
maintenance = 0.25

[[costs.tiers]]
value = 0
maker_bps = 1
taker_bps = 2

[[costs.tiers]]
value = 1e6
maker_bps = 0
taker_bps = 1
"""


def halved(folder: Path) -> Path:
    """Bars of two symbols, of which A is split in two on the fifth day."""
    days = [f"2024-01-{day:02d}" for day in range(1, 11)]
    prices = [20] * 4 + [10] * 6
    lines = [f"{day},A,{p},{p + 1},{p - 1},{p},1000\n" for day, p in zip(days, prices, strict=True)]
    lines += [f"{day},B,10,11,9,10,1000\n" for day in days]
    return text_file(
        folder, "halved.csv", "date,symbol,open,high,low,close,volume\n" + "".join(lines)
    )


def test_settings_come_from_a_file(cli, tmp_path: Path) -> None:
    file = text_file(tmp_path, "run.toml", RUN_TOML)
    events = text_file(tmp_path, "actions.csv", "date,symbol,split,dividend\n2024-01-05,A,2,\n")
    run = cli(
        *("backtest", "buy_and_hold", "-d", halved(tmp_path), "--json"),
        *("--settings", file, "--actions", events),
    )
    assert run.code == 0, run.out
    settings = run.object["settings"]
    assert (settings["cash"], settings["actions"]) == (5000.0, "reinvest")
    expected = {
        "costs": {"fee_bps": 2.5, "spread_bps": 4.0},
        "limits": {"weight": 0.5},
        "rebalance": {"when": "drift", "threshold": 0.05},
        "execution": {"participation": 0.1},
        "financing": {"interest_bps": 100.0},
        "exits": {"stop_loss": 0.2},
        "entry": {"limit_offset_bps": 5.0, "ttl": 3},
    }
    for table, fields in expected.items():
        assert fields.items() <= settings[table].items()


def test_fee_tiers_and_a_margin_account_come_from_a_file(cli, tmp_path: Path) -> None:
    file = text_file(tmp_path, "run.toml", TIERS_TOML)
    command = ("backtest", "sma_cross", "-d", "synthetic:rows=50", "--json", "--settings", file)
    settings = cli(*command).object["settings"]
    assert [tier["taker_bps"] for tier in settings["costs"]["tiers"]] == [2.0, 1.0]
    assert settings["margin"]["initial"] == 0.5
    again = cli(*command, "--leverage", 4, "--maintenance", 0.2).object["settings"]
    assert (again["margin"]["initial"], again["margin"]["maintenance"]) == (0.25, 0.2)


def test_flags_go_before_the_file(cli, tmp_path: Path) -> None:
    file = text_file(tmp_path, "run.toml", RUN_TOML.replace('actions = "reinvest"', ""))
    run = cli(
        *("backtest", "sma_cross", "-d", "synthetic:rows=50,symbols=1", "--json"),
        *("--settings", text_file(tmp_path, "one.toml", file.read_text().split("[instrument]")[0])),
        *("--cash", 7000, "--spread-bps", 1, "--slippage-bps", 3, "--participation", 0.2),
        *("--delay", 1, "--path", "ohlc"),
    )
    assert run.code == 0, run.out
    settings = run.object["settings"]
    assert settings["cash"] == 7000.0
    costs = {"fee_bps": 2.5, "spread_bps": 1.0, "slippage_bps": 3.0}
    assert costs.items() <= settings["costs"].items()
    execution = {"participation": 0.2, "delay": 1, "path": "ohlc"}
    assert execution.items() <= settings["execution"].items()
    assert {"stop_loss": 0.2}.items() <= settings["exits"].items()


def test_splits_and_dividends_of_a_file_are_booked(cli, tmp_path: Path) -> None:
    bars = halved(tmp_path)
    events = text_file(
        tmp_path, "actions.csv", "date,symbol,split,dividend\n2024-01-05,A,2,0.5\n2023-01-01,B,,1\n"
    )
    command = ("backtest", "buy_and_hold", "-d", bars, "--symbols", "A", "--json")
    command += ("--fill", "same_close")
    without = cli(*command).object["metrics"]["final_equity"]
    cash = cli(*command, "--actions", events)
    again = cli(*command, "--actions", events, "--dividends", "reinvest")
    assert (without, cash.object["metrics"]["final_equity"]) == (50_000.0, 105_000.0)
    assert cash.object["settings"]["actions"] == "cash"
    assert any("lie outside the bars" in note for note in cash.object["data"]["notes"])
    # 0.5 for each of 10,000 new units buys units at 9.5.
    expected = 10 * 10_000 * (1 + 0.5 / 9.5)
    assert again.object["metrics"]["final_equity"] == pytest.approx(expected, rel=1e-12)


def test_funding_of_a_file_is_booked(cli, tmp_path: Path) -> None:
    rows = [f"2024-01-01T{hour:02d}:00Z,10,10,10,10,100\n" for hour in range(24)]
    bars = data_file(tmp_path, HEADER + "".join(rows))
    rates = text_file(
        tmp_path,
        "rates.csv",
        "time,rate\n" + "".join(f"2024-01-01T{hour:02d}:00:00.004Z,0.001\n" for hour in (0, 8, 16)),
    )
    file = text_file(tmp_path, "run.toml", '[instrument]\nkind = "linear"\nfunding_hours = 8\n')
    command = ("backtest", "buy_and_hold", "-d", bars, "--json", "--settings", file)
    command += ("--leverage", 5, "--maintenance", 0.1)
    run = cli(*command, "--funding", rates)
    assert run.code == 0, run.out
    # Held from the second row on: what was due at 08:00 and 16:00 is paid on the whole equity.
    assert run.object["metrics"]["carry"] == pytest.approx(-200.0, rel=1e-12)
    missing = cli(
        *command, "--funding", text_file(tmp_path, "few.csv", "time,rate\n2024-01-01,0\n")
    )
    assert (missing.code, missing.object["error"]["code"]) == (2, "DATA")
    assert "funding" in missing.object["error"]["message"]


#: what is wrong -> (content of the settings file, code, words that the message holds)
BAD_SETTINGS: dict[str, tuple[str, str, list[str]]] = {
    "no toml": ("[costs\n", "INPUT", ["run.toml", "line 1"]),
    "table": ("[cots]\nfee_bps = 1\n", "UNKNOWN", ["run.toml", "did you mean 'costs'"]),
    "field": (
        "[costs]\nfee_bp = 1\n",
        "UNKNOWN",
        ["run.toml: unknown setting of costs 'fee_bp'", "'fee_bps'"],
    ),
    "field of a tier": (
        "[[costs.tiers]]\nvalues = 0\n",
        "UNKNOWN",
        ["run.toml: unknown setting of tiers", "did you mean 'value'"],
    ),
    "type": ("[costs]\nfee_bps = 'ten'\n", "PARAMETER", ["run.toml: Costs: fee_bps='ten'"]),
    "range": ("[limits]\ndrawdown = 2\n", "PARAMETER", ["run.toml: Limits: drawdown=2"]),
    "nan": ("cash = nan\n", "PARAMETER", ["run.toml: RunSettings: cash=nan"]),
    "choice": ("fill = 'soon'\n", "PARAMETER", ["run.toml", "fill='soon'", "same_close"]),
    "inner choice": ("[execution]\npath = 'up'\n", "PARAMETER", ["path='up'", "optimistic"]),
    "no table": ("costs = 5\n", "PARAMETER", ["run.toml: costs=5", "[costs]"]),
    "half a table": ("[margin]\ninitial = 0.2\n", "PARAMETER", ["[margin]", "maintenance"]),
    "rule": (
        "[margin]\ninitial = 0.2\nmaintenance = 0.3\n",
        "PARAMETER",
        ["run.toml", "maintenance < initial"],
    ),
    "two tables": ("[costs]\nroot_impact_bps = 5\n", "PARAMETER", ["impact", "participation"]),
    "instrument": ("[instrument]\ntik = 1\n", "UNKNOWN", ["run.toml", "did you mean 'tick'"]),
    "its value": ("[instrument]\ntick = -1\n", "PARAMETER", ["run.toml", "tick=-1"]),
    "symbol": ("[instruments.SP50]\ntick = 1\n", "UNKNOWN", ["run.toml", "'SP500'"]),
    "no symbol": ("[instruments]\ntick = 1\n", "INPUT", ["run.toml", "[instruments.SYMBOL]"]),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings(cli, tmp_path: Path, name: str) -> None:
    text, code, words = BAD_SETTINGS[name]
    file = text_file(tmp_path, "run.toml", text)
    assert_refused(cli, tmp_path, [SMA_CROSS, "-d", "sp500", "--settings", file], code, words)


def test_a_flag_is_not_blamed_on_the_file_alone(cli, tmp_path: Path) -> None:
    file = text_file(tmp_path, "run.toml", "[costs]\nspread_bps = 1\n")
    command = (SMA_CROSS, "-d", "sp500", "--settings", file)
    words = ["run.toml and flags: Costs: fee_bps=-1"]
    assert_refused(cli, tmp_path, [*command, "--fee-bps", "-1"], "PARAMETER", words)
    run = cli("backtest", *command, "--cash", "0")
    assert run.err.startswith("error[PARAMETER]: RunSettings: cash=0")


def test_bars_of_a_file_can_be_labelled_by_their_opening(cli, tmp_path: Path) -> None:
    path = data_file(tmp_path, HEADER + "".join(GOOD_ROWS))
    starts = [
        cli("backtest", "buy_and_hold", "-d", path, "--label", label, "--json").object["data"][
            "start"
        ]
        for label in ("open", "close")
    ]
    assert starts[1] < starts[0]


def test_the_default_cash_is_that_of_the_settings(cli) -> None:
    run = cli("backtest", "sma_cross", "--data", "synthetic:rows=50", "--json")
    assert run.object["settings"]["cash"] == RunSettings().cash


def test_the_table_is_plain_where_nobody_watches(cli) -> None:
    run = cli("backtest", "sma_cross", "--data", "sp500", "--end", "2005-01-01")
    assert run.code == 0
    lines = run.out.splitlines()
    assert lines[0].startswith("SmaCross(fast=10, slow=30) on sp500, 1999-01-04 to 2004-12-31")
    assert any(line.startswith("Sharpe ratio ") for line in lines)
    assert any(line.startswith("Fill: A decision") for line in lines)
    assert "\x1b" not in run.out and "─" not in run.out
    assert run.err.startswith("data: S&P 500 index")


def test_a_terminal_gets_a_drawn_table() -> None:
    shown = on_a_terminal("backtest", "sma_cross", "--data", "synthetic:rows=200", "--quiet")
    assert "────" in shown
    assert "\x1b[1m" in shown


def test_no_color_takes_the_colours_away() -> None:
    command = ("backtest", "sma_cross", "--data", "synthetic:rows=20")
    red_to_cyan = re.compile("\x1b\\[3[1-6]m")
    assert red_to_cyan.search(on_a_terminal(*command))
    assert not red_to_cyan.search(on_a_terminal(*command, NO_COLOR="1"))


def test_a_report_is_written_with_its_folders(cli, tmp_path: Path) -> None:
    report = tmp_path / "reports" / "new" / "x.html"
    run = cli("backtest", SMA_CROSS, "--data", "sp500", "--report", report)
    assert run.code == 0
    assert "<html" in report.read_text("utf-8")
    assert f"Report: {report}" in run.out
    assert [file.name for file in report.parent.iterdir()] == ["x.html"]


def test_a_window_longer_than_the_data_warns_on_stderr(cli) -> None:
    command = ("backtest", "sma_cross", "--data", "sp500", "--end", "1999-01-20", "--json")
    run = cli(*command)
    assert run.code == 0
    assert "Nothing can trade" in run.err
    assert run.object["metrics"]["n_fills"] == 0
    assert run.object["metrics"]["sharpe"] is None
    assert cli(*command, "--quiet").err == ""


def test_parameters_take_the_types_of_their_fields(cli, tmp_path: Path) -> None:
    path = strategy_file(
        tmp_path,
        "n: int = 1\nx: float = 1.0\non: bool = True\nname: str = ''\nmaybe: int | None = 3\n"
        "many: list[int] = []\n"
        "def weights(self):\n    return al.where(al.close > 0, self.x, 0.0)",
    )
    given = {"n": "2", "x": "0.5", "on": "false", "name": "12", "maybe": "null", "many": "[1, 2]"}
    params = [part for name, value in given.items() for part in ("-p", f"{name}={value}")]
    run = cli("backtest", path, "-d", "synthetic:rows=50", "--json", *params)
    assert run.code == 0, run.out
    expected = {"n": 2, "x": 0.5, "on": False, "name": "12", "maybe": None, "many": [1, 2]}
    assert run.object["params"] == expected


def test_what_a_strategy_prints_stays_out_of_the_json(cli, tmp_path: Path) -> None:
    path = strategy_file(
        tmp_path,
        "def weights(self):\n    print('inside')\n    return al.close * 0",
        head="print('top')",
    )
    run = cli("backtest", path, "-d", "synthetic:rows=50", "--json")
    assert run.object["strategy"] == "Mine"
    assert "top" in run.err and "inside" in run.err


# ---- bad input -------------------------------------------------------------------------------

WEIGHTS = "def weights(self):\n    return {}"

#: what is wrong -> (arguments after `backtest`, code, words that the message holds)
BAD_ARGUMENTS: dict[str, tuple[list[str], str, list[str]]] = {
    "data set": ([SMA_CROSS, "-d", "sp50"], "UNKNOWN", ["'sp50'", "did you mean 'sp500'"]),
    "strategy": (["sma_cros", "-d", "sp500"], "UNKNOWN", ["did you mean 'sma_cross'"]),
    "class": ([f"{SMA_CROSS}:Smacross", "-d", "sp500"], "UNKNOWN", ["did you mean 'SmaCross'"]),
    "no file": (["x/none.py", "-d", "sp500"], "STRATEGY", ["'x/none.py' does not exist"]),
    "folder": ([".", "-d", "sp500"], "UNKNOWN", ["unknown strategy '.'"]),
    "parameter": (
        [SMA_CROSS, "-d", "sp500", "-p", "fats=3"],
        "UNKNOWN",
        ["parameter of SmaCross 'fats'", "did you mean 'fast'", "fast, slow"],
    ),
    "text for a number": ([SMA_CROSS, "-d", "sp500", "-p", "fast=x"], "PARAMETER", ["fast='x'"]),
    "half": ([SMA_CROSS, "-d", "sp500", "-p", "fast=2.5"], "PARAMETER", ["fast='2.5'"]),
    "zero": ([SMA_CROSS, "-d", "sp500", "-p", "fast=0"], "PARAMETER", ["fast=0", "1 <= fast"]),
    "no value": ([SMA_CROSS, "-d", "sp500", "-p", "fast"], "PARAMETER", ["name=value"]),
    "twice": (
        [SMA_CROSS, "-d", "sp500", "-p", "fast=3", "-p", "fast=4"],
        "PARAMETER",
        ["given once"],
    ),
    "symbol": (
        [SMA_CROSS, "-d", "sp500_stocks", "--symbols", "AAPL,MSTF"],
        "UNKNOWN",
        ["symbol 'MSTF'", "did you mean 'MSFT'"],
    ),
    "start after end": (
        [SMA_CROSS, "-d", "sp500", "--start", "2010-01-01", "--end", "2009-01-01"],
        "DATA",
        ["2010-01-01", "2009-01-01"],
    ),
    "no date": ([SMA_CROSS, "-d", "sp500", "--start", "soon"], "DATA", ["soon"]),
    "cash": ([SMA_CROSS, "-d", "sp500", "--cash", "0"], "PARAMETER", ["cash"]),
    "cash nan": ([SMA_CROSS, "-d", "sp500", "--cash", "nan"], "PARAMETER", ["cash"]),
    "fee": ([SMA_CROSS, "-d", "sp500", "--fee-bps", "-1"], "PARAMETER", ["fee_bps"]),
    "block": ([SMA_CROSS, "-d", "sp500", "--block-rows", "0"], "PARAMETER", ["block_rows"]),
    "fill": ([SMA_CROSS, "-d", "sp500", "--fill", "soon"], "USAGE", ["next_open"]),
    "no data": ([SMA_CROSS], "USAGE", ["--data"]),
    "no strategy": ([], "USAGE", ["STRATEGY"]),
    "option": ([SMA_CROSS, "-d", "sp500", "--feebps", "1"], "USAGE", ["--fee-bps"]),
    "no settings": (
        [SMA_CROSS, "-d", "sp500", "--settings", "none.toml"],
        "INPUT",
        ["none.toml", "No such file"],
    ),
    "settings a folder": ([SMA_CROSS, "-d", "sp500", "--settings", "."], "INPUT", ["--settings ."]),
    "leverage": ([SMA_CROSS, "-d", "sp500", "--leverage", "5"], "PARAMETER", ["--maintenance"]),
    "maintenance": (
        [SMA_CROSS, "-d", "sp500", "--maintenance", "0.1"],
        "PARAMETER",
        ["without --leverage"],
    ),
    "low leverage": (
        [SMA_CROSS, "-d", "sp500", "--leverage", "0.5", "--maintenance", "0.1"],
        "PARAMETER",
        ["--leverage 0.5", "1 or more"],
    ),
    "margins": (
        [SMA_CROSS, "-d", "sp500", "--leverage", "5", "--maintenance", "0.2"],
        "PARAMETER",
        ["maintenance < initial"],
    ),
    "path": ([SMA_CROSS, "-d", "sp500", "--path", "up"], "USAGE", ["pessimistic"]),
    "participation": (
        [SMA_CROSS, "-d", "sp500", "--participation", "2"],
        "PARAMETER",
        ["participation=2"],
    ),
    "delay": ([SMA_CROSS, "-d", "sp500", "--delay", "-1"], "PARAMETER", ["delay=-1"]),
    "delayed close": (
        [SMA_CROSS, "-d", "sp500", "--delay", "1", "--fill", "next_close"],
        "PARAMETER",
        ["delay", "next_close"],
    ),
    "spread": ([SMA_CROSS, "-d", "sp500", "--spread-bps", "-1"], "PARAMETER", ["spread_bps"]),
    "slippage": ([SMA_CROSS, "-d", "sp500", "--slippage-bps", "x"], "USAGE", ["slippage"]),
    "no actions": ([SMA_CROSS, "-d", "sp500", "--actions", "a.csv"], "DATA", ["a.csv: no such"]),
    "dividends alone": (
        [SMA_CROSS, "-d", "sp500", "--dividends", "cash"],
        "UNKNOWN",
        ["split", "with_actions"],
    ),
    "funding of spot": (
        [SMA_CROSS, "-d", "sp500", "--funding", "rates.csv"],
        "DATA",
        ["perpetual", "funding_hours"],
    ),
    "label": ([SMA_CROSS, "-d", "sp500", "--label", "open"], "DATA", ["labelled"]),
}

#: what is wrong -> (body of the strategy, code, words that the message holds)
BAD_STRATEGIES: dict[str, tuple[str, str, list[str]]] = {
    "operator": (
        WEIGHTS.format("al.close.ts_maen(3)"),
        "STRATEGY",
        ["mine.py, line 6", "al.close.ts_maen(3)", "did you mean 'ts_mean'"],
    ),
    "function": (WEIGHTS.format("al.ts_maen(al.close, 3)"), "STRATEGY", ["'ts_mean'", "line 6"]),
    "window": (WEIGHTS.format("al.close.ts_mean(0)"), "EXPR", ["n=0", "mine.py, line 6"]),
    "column": (WEIGHTS.format("al.column('clsoe')"), "UNKNOWN", ["did you mean 'close'"]),
    "series of": (WEIGHTS.format("al.close.of('SP50')"), "UNKNOWN", ["did you mean 'SP500'"]),
    "nothing": (WEIGHTS.format("None"), "EXPR", ["Mine.weights()"]),
    "gross": (WEIGHTS.format("1.5"), "PARAMETER", ["1.5", "gross limit is 1"]),
    "crash": (
        WEIGHTS.format("1 / 0"),
        "STRATEGY",
        ["mine.py, line 6: return 1 / 0", "ZeroDivisionError: division by zero"],
    ),
    "no weights": ("n: int = 1", "STRATEGY", ["weights()"]),
    "required": (f"n: int\n{WEIGHTS.format('al.close')}", "PARAMETER", ["Mine without n"]),
    "needs extra": (
        "import nothing_of_the_kind",
        "STRATEGY",
        ["mine.py, line 5", "No module named 'nothing_of_the_kind'"],
    ),
    "exit": ("raise SystemExit(0)", "STRATEGY", ["mine.py, line 5", "SystemExit"]),
}

BAD_SOURCES: dict[str, tuple[bytes, list[str]]] = {
    "syntax": (
        b"import alphalab as al\n\nclass Mine(al.Strategy:\n    pass\n",
        ["mine.py, line 3", "class Mine(al.Strategy:", "^"],
    ),
    "indentation": (b"x = 1\n  y = 2\n", ["mine.py, line 2", "y = 2"]),
    "empty": (b"", ["mine.py has no strategy"]),
    "binary": (b"\x7fELF\x00\x01", ["mine.py, line 1: not a text file"]),
    "latin": ("x = 'ü'\n".encode("latin-1"), ["mine.py, line 1", "utf-8"]),
    "two": (
        b"import alphalab as al\nclass A(al.Strategy): pass\nclass B(al.Strategy): pass\n",
        ["has A, B", "mine.py:A"],
    ),
}

BAD_FILES: dict[str, tuple[str, list[str]]] = {
    "empty": ("", ["prices.csv is empty"]),
    "only a header": (HEADER, ["prices.csv"]),
    "not a table": ("\x00\x01\x02", ["prices.csv"]),
    "NaN price": (HEADER + GOOD_ROWS[0] + "2024-01-02,10,12,9,,100\n", ["2024-01-02", "close"]),
    "negative price": (HEADER + "2024-01-02,10,12,-9,11,100\n", ["2024-01-02", "-9"]),
    "unsorted": (HEADER + GOOD_ROWS[1] + GOOD_ROWS[0], ["2024-01-01"]),
    "duplicated": (HEADER + GOOD_ROWS[1] + GOOD_ROWS[1], ["2024-01-02"]),
    "high below low": (HEADER + "2024-01-02,10,9,12,11,100\n", ["2024-01-02", "high", "low"]),
    "text": (HEADER + "2024-01-02,ten,12,9,11,100\n", ["prices.csv", "open"]),
}


def assert_refused(run_as: Callable[..., Run], tmp_path: Path, arguments, code, words) -> None:
    """Nothing but the error, in both forms, and no file that was not there before."""
    before = sorted(tmp_path.rglob("*"))
    report = ("--report", tmp_path / "reports" / "x.html")
    plain = run_as("backtest", *arguments, *report)
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.startswith(f"error[{code}]: ")
    assert "Traceback" not in plain.err
    machine = run_as("backtest", *arguments, *report, "--json")
    assert (machine.code, machine.err) == (2, "")
    assert machine.object["schema"] == "alphalab.error/1"
    error = machine.object["error"]
    assert list(error) == ["code", "message", "rule", "fix", "at"]
    assert error["code"] == code
    for word in words:
        assert word in plain.err
        assert word in " ".join(error.values())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments(cli, tmp_path: Path, name: str) -> None:
    assert_refused(cli, tmp_path, *BAD_ARGUMENTS[name])


@pytest.mark.parametrize("name", BAD_STRATEGIES)
def test_bad_strategies(cli, tmp_path: Path, name: str) -> None:
    body, code, words = BAD_STRATEGIES[name]
    path = strategy_file(tmp_path, body)
    assert_refused(cli, tmp_path, [path, "-d", "sp500"], code, words)


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_bad_sources(cli, tmp_path: Path, name: str) -> None:
    source, words = BAD_SOURCES[name]
    path = tmp_path / "mine.py"
    path.write_bytes(source)
    assert_refused(cli, tmp_path, [path, "-d", "sp500"], "STRATEGY", words)


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(cli, tmp_path: Path, name: str) -> None:
    text, words = BAD_FILES[name]
    path = data_file(tmp_path, text)
    assert_refused(cli, tmp_path, [SMA_CROSS, "-d", path], "DATA", words)


def test_the_check_of_refusals_can_fail(cli, tmp_path: Path) -> None:
    arguments, code, words = BAD_ARGUMENTS["data set"]
    with pytest.raises(AssertionError):
        assert_refused(cli, tmp_path, arguments, code, [*words, "no such word"])
    with pytest.raises(AssertionError):
        assert_refused(cli, tmp_path, arguments, "DATA", words)
    with pytest.raises(AssertionError):
        assert_refused(cli, tmp_path, [SMA_CROSS, "-d", "sp500"], code, [])


def test_a_parameter_of_the_strategy_keeps_the_strategys_words(cli) -> None:
    run = cli("backtest", SMA_CROSS, "-d", "sp500", "-p", "fast=40", "--json")
    assert run.object["error"] == {
        "code": "PARAMETER",
        "message": "SmaCross(fast=40, slow=30)",
        "rule": "1 <= fast < slow.",
        "fix": "Use fewer rows for the fast average than for the slow one.",
        "at": "",
    }


def test_a_report_that_cannot_be_written_is_refused_first(cli, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for report, words in ((tmp_path, "is a folder"), (file / "a" / "x.html", f"{file} is a file")):
        run = cli("backtest", "no_such_strategy", "-d", "sp500", "--report", report)
        assert (run.code, run.out) == (2, "")
        assert words in run.err


def test_debug_shows_the_traceback(cli, tmp_path: Path) -> None:
    path = strategy_file(tmp_path, WEIGHTS.format("1 / 0"))
    run = cli("backtest", path, "-d", "sp500", "--debug")
    assert run.code == 2
    assert "Traceback" in run.err and "error[STRATEGY]" in run.err
    run = cli("backtest", path, "-d", "sp500", "--debug", "--json")
    assert "Traceback" in run.err and run.object["error"]["code"] == "STRATEGY"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_error_nobody_expected_is_short_too() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS, "ops"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error[UNEXPECTED]: OSError: [Errno 28] No space left on device",
        "  Run it again with --debug to see where.",
    ]


def test_an_interruption_is_130_and_writes_nothing(cli, tmp_path: Path) -> None:
    path = strategy_file(tmp_path, "def weights(self):\n    raise KeyboardInterrupt")
    report = tmp_path / "x.html"
    run = cli("backtest", path, "-d", "sp500", "--report", report)
    assert (run.code, run.out) == (130, "")
    assert run.err == "error[INTERRUPTED]: interrupted, nothing was written\n"
    assert not report.exists()


# ---- the other commands ----------------------------------------------------------------------


def test_ops_lists_the_registry(cli) -> None:
    listed = cli("ops", "--json").object["operators"]
    names = [operator["name"] for operator in listed]
    known = [name for name, record in REGISTRY.items() if not record.form_of]
    assert names[: len(known)] == known
    assert {*HOME, "session_open"} == set(names[len(known) :])
    assert all(operator["doc"] and operator["memory"] for operator in listed)
    indicators = [operator for operator in listed if operator["name"] in HOME]
    assert all(operator["formula"] and operator["source"] for operator in indicators)
    lines = cli("ops").out.splitlines()
    assert len(lines) == len(names) + 1
    mean = next(line for line in lines if line.startswith("ts_mean(x, n) "))
    assert REGISTRY["ts_mean"].doc in mean and REGISTRY["ts_mean"].memory in mean


def test_ops_shows_one_operator(cli) -> None:
    run = cli("ops", "ts_quantile")
    assert run.out.splitlines()[0] == "ts_quantile(x, n, q)"
    assert "n: integer >= 1" in run.out and "q: number >= 0 <= 1" in run.out
    lines = cli("ops", "macd").out.splitlines()
    assert lines[0] == "macd(x, fast=12, slow=26, signal=9)"
    assert "line = ema(column('x'), 12) - ema(column('x'), 26)" in lines
    assert any(line.startswith("Source: G. Appel") for line in lines)
    assert "Wilder" in cli("ops", "rsi").out


def test_an_unknown_operator_is_suggested(cli) -> None:
    run = cli("ops", "ts_maen")
    assert (run.code, run.out) == (2, "")
    assert "did you mean 'ts_mean'" in run.err


def test_new_makes_a_project_that_works(cli, tmp_path: Path, monkeypatch) -> None:
    run = cli("new", tmp_path / "My Alphas", "--json")
    assert run.code == 0
    project = tmp_path / "My Alphas"
    made = {str(p.relative_to(project)) for p in project.rglob("*") if p.is_file()}
    assert made == set(run.object["files"])
    folders = {p.name for p in project.iterdir() if p.is_dir()}
    assert folders == {"strategies", "notebooks", "data", "tests", "environments", "live"}
    assert 'name = "my-alphas"' in (project / "pyproject.toml").read_text()

    monkeypatch.chdir(project)
    program, *arguments = run.object["next"].split()
    assert program == "alphalab"
    assert cli(*arguments).code == 0
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "1 passed" in tests.stdout, tests.stdout + tests.stderr


def test_new_takes_an_empty_folder_and_leaves_a_full_one_alone(cli, tmp_path: Path) -> None:
    assert cli("new", tmp_path).code == 0
    before = sorted(tmp_path.rglob("*"))
    for folder in (tmp_path, tmp_path / "README.md"):
        run = cli("new", folder)
        assert (run.code, run.out) == (2, "")
        assert "error[INPUT]" in run.err
    assert sorted(tmp_path.rglob("*")) == before


def test_doctor_says_what_there_is(cli) -> None:
    run = cli("doctor", "--json")
    assert run.code == 0, run.out
    assert run.object["healthy"] is True
    assert {"alphalab", "python", "numba"} <= run.object["versions"].keys()
    findings = {finding["subject"]: finding for finding in run.object["findings"]}
    assert findings["data sp500"]["state"] == "ok"
    assert "writable" in findings["kernels"]["detail"]
    for name, finding in findings.items():
        if finding["state"] == "missing" and name.startswith("extra "):
            assert finding["fix"] == f"pip install 'alphalab[{name.removeprefix('extra ')}]'"
    plain = cli("doctor")
    assert plain.code == 0
    assert "sp500_stocks" in plain.out


def test_doctor_finds_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "kernels").write_text("a file where a folder has to be")
    run = process("doctor", "--json", ALPHALAB_CACHE_DIR=str(tmp_path), NUMBA_DISABLE_JIT="0")
    assert run.code == 1
    assert run.object["healthy"] is False
    (broken,) = (f for f in run.object["findings"] if f["state"] == "broken")
    assert broken["subject"] == "kernels"
    assert "ALPHALAB_CACHE_DIR" in broken["fix"]


# ---- the command itself ----------------------------------------------------------------------


def test_help_and_version(cli) -> None:
    assert cli("--version").out == "alphalab 0.1.0\n"
    for command in ((), ("backtest",), ("ops",), ("new",), ("doctor",)):
        run = cli(*command, "--help")
        assert (run.code, run.err) == (0, "")
        assert "Usage: alphalab" in run.out
    run = cli()
    assert run.code == 2
    assert "Usage: alphalab" in run.out + run.err


def test_an_unknown_command_is_suggested(cli) -> None:
    run = cli("bactest")
    assert (run.code, run.out) == (2, "")
    assert "backtest" in run.err


def test_every_command_has_the_three_flags(cli) -> None:
    for command in ("backtest", "ops", "new", "doctor"):
        text = cli(command, "--help").out
        assert all(flag in text for flag in ("--json", "--quiet", "--debug"))


def test_the_shell_completes() -> None:
    run = process(
        _ALPHALAB_COMPLETE="complete_bash", COMP_WORDS="alphalab backtest --f", COMP_CWORD="2"
    )
    assert run.out.split() == ["--fee-bps", "--fill", "--funding", "--family"]


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    command = f'"{sys.executable}" -c "{IN_A_PROCESS}" ops | head -1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("operator")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], "numpy msgspec numba pandas plotly pyarrow"),
        (
            ["backtest", SMA_CROSS, "-d", "sp500", "--json"],
            "pandas plotly scipy.stats rich.table duckdb deltalake",
        ),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments: list[str], unwanted: str) -> None:
    code = (
        "import sys, runpy\n"
        "from alphalab.cli.main import main\n"
        f"assert main({arguments!r}) == 0\n"
        f"print('imported', *[m for m in {unwanted.split()} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported"


@pytest.mark.nojit
@pytest.mark.parametrize("victim", ["prices.csv", "strategy.py", "report"])
def test_a_report_never_takes_the_place_of_another_kind_of_file(
    cli, tmp_path: Path, victim
) -> None:
    path = tmp_path / victim
    path.write_text("precious")
    run = cli("backtest", "sma_cross", "-d", "sp500", "--report", path)
    assert run.code == 2
    assert "ends in .html" in run.err
    assert path.read_text() == "precious"


def test_what_is_held_before_the_first_row_comes_from_a_file(cli, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("fractions = 'paid'\n[holdings.SP500]\nqty = 10\nprice = 1000.0\n")
    run = cli("backtest", SMA_CROSS, "--data", "sp500", "--settings", file, "--json")
    assert run.code == 0
    assert run.object["settings"]["holdings"] == {"SP500": {"qty": 10.0, "price": 1000.0}}
    held = al.Holding(qty=10, price=1000)
    alone = al.backtest(load_strategy("sma_cross")(), al.load("sp500"), holdings={"SP500": held})
    assert run.object["digest"] == alone.digest
    assert alone.start_equity == 110_000
    assert alone.record.fills["qty"][0] == 10  # taken over by the venue

    file.write_text("[holdings.SP500]\nqyt = 10\nprice = 1000.0\n")
    wrong = cli("backtest", SMA_CROSS, "--data", "sp500", "--settings", file)
    assert wrong.code == 2 and "unknown field" in wrong.err and "qyt" in wrong.err
    file.write_text("[holdings.APPL]\nqty = 10\nprice = 1000.0\n")
    unknown = cli("backtest", SMA_CROSS, "--data", "sp500", "--settings", file)
    assert unknown.code == 2 and "SP500" in unknown.err
