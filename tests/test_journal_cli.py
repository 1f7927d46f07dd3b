"""``alphalab journal``: its output for whole and damaged journals."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from commands import Run, process
from journal_events import ONE_OF_EACH, STORED

Cli = Callable[..., Run]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(STORED / "run_1.journal", tmp_path / "run.journal"))


def edit(path: Path, statement: str) -> None:
    sql = sqlite3.connect(path)
    with sql:
        sql.execute(statement)
    sql.close()


def test_events_are_shown_by_name(cli: Cli, path: Path) -> None:
    run = cli("journal", "show", path)
    assert run.code == 0
    assert len(run.out.splitlines()) == len(ONE_OF_EACH) + 1
    assert 'state        {"before":"RUNNING","after":"HALTED","reason":"disk full"}' in run.out
    assert f"{len(ONE_OF_EACH)} events" in run.err and "run r1" in run.err
    shown = cli("journal", "show", path, "--json", "--kind", "answer").object["events"]
    assert [event["kind"] for event in shown] == ["answer"]
    assert base64.b64decode(shown[0]["event"]["body"]) == b"<html>\xff"
    assert len(cli("journal", "show", path, "--json", "--limit", "3").object["events"]) == 3
    rest = cli("journal", "show", path, "--json", "--after", str(len(ONE_OF_EACH) - 2)).object[
        "events"
    ]
    assert [event["seq"] for event in rest] == [len(ONE_OF_EACH) - 1, len(ONE_OF_EACH)]


def test_a_kind_that_does_not_exist_is_named(cli: Cli, path: Path) -> None:
    run = cli("journal", "show", path, "--kind", "raw")
    assert (run.code, "unknown kind of event 'raw': did you mean 'row'" in run.err) == (2, True)


def test_a_journal_of_an_unknown_codec_is_shown_as_bytes(cli: Cli, tmp_path: Path) -> None:
    path = shutil.copy(STORED / "prices_1.journal", tmp_path / "prices.journal")
    shown = cli("journal", "show", path, "--json").object["events"]
    assert [event["kind"] for event in shown] == ["1", "2", "1"]
    assert cli("journal", "export", path, tmp_path / "prices.parquet").code == 0
    assert cli("journal", "verify", path).code == 0


def test_a_whole_journal_and_a_changed_one(cli: Cli, path: Path) -> None:
    run = cli("journal", "verify", path, "--json")
    assert (run.code, run.object["whole"]) == (0, True)
    head = run.object["head"]
    assert head.startswith(f"{len(ONE_OF_EACH)}:")
    assert cli("journal", "verify", path, "--head", head).code == 0
    edit(path, "update event set payload = x'00' where seq = 4")
    run = cli("journal", "verify", path)
    assert run.code == 1 and "row 4: changed" in run.out
    run = cli("journal", "verify", path, "--json")
    assert (run.code, run.object["row"], run.object["whole"]) == (1, 4, False)


@pytest.mark.parametrize("head", ["7", "x:00", "1:00", "-1:" + "00" * 32])
def test_a_head_that_is_none_is_wrong_use(cli: Cli, path: Path, head: str) -> None:
    assert cli("journal", "verify", path, "--head", head).code == 2


def test_a_head_of_another_journal_is_a_finding(cli: Cli, path: Path) -> None:
    run = cli("journal", "verify", path, "--head", "3:" + "00" * 32)
    assert run.code == 1 and "row 3: not the event that a head names" in run.out


def test_a_journal_becomes_a_table(cli: Cli, path: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.parquet"
    assert cli("journal", "export", path, file).code == 0
    table = pq.read_table(file)
    assert table.num_rows == len(ONE_OF_EACH)
    assert table["kind"].to_pylist() == [type(event).__name__.lower() for event in ONE_OF_EACH]
    assert json.loads(table["event"][len(ONE_OF_EACH) - 4].as_py())["reason"] == "disk full"
    answer = duckdb.sql(
        f"select event ->> '$.symbol' from '{file}' where kind = 'intent'"
    ).fetchall()
    assert answer == [("BTC",)]
    again = cli("journal", "export", path, file)
    assert (again.code, "exists" in again.err) == (2, True)


def test_what_stands_before_a_damage_can_be_saved(cli: Cli, path: Path, tmp_path: Path) -> None:
    edit(path, "update event set payload = x'00' where seq = 4")
    file = tmp_path / "run.parquet"
    run = cli("journal", "export", path, file)
    assert run.code == 1 and not list(tmp_path.glob("*parquet*"))
    assert cli("journal", "export", path, file, "--until", "3").code == 0
    assert pq.read_table(file).num_rows == 3
    assert cli("journal", "export", path, tmp_path / "none" / "x.parquet").code == 2


def test_files_that_are_no_journal(cli: Cli, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no journal" * 1000)
    for command in ("show", "verify"):
        assert "not a database" in cli("journal", command, text).err
        assert "there is no journal" in cli("journal", command, tmp_path / "none").err


def test_a_process_of_its_own_reads_it(path: Path) -> None:
    run = process("journal", "verify", str(path))
    assert run.code == 0 and f"whole, head {len(ONE_OF_EACH)}:" in run.out
