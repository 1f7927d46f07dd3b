"""A results file keeps saved columns through crashes, and refuses files of another kind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import alphalab as al
from alphalab.core.columns import COLUMN
from alphalab.errors import InputError, StateError
from alphalab.research.sweep.results_file import ResultsFile, SaveError

HEADER = {"bars": "4f2a"}
ROOT = Path(al.__file__).parents[1]


def tallies(n: int, seed: int = 0) -> np.ndarray:
    return np.frombuffer(np.random.default_rng(seed).bytes(n * COLUMN.itemsize), COLUMN)


def keys(n: int) -> list[bytes]:
    return [i.to_bytes(16, "big") for i in range(n)]


def saved(path: Path, n: int, seed: int = 0) -> np.ndarray:
    records = tallies(n, seed)
    with ResultsFile(path, HEADER) as file:
        file.save(keys(n), [{"n": i} for i in range(n)], records, {"sharpe": np.arange(float(n))})
    return records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sma.db"


def test_what_was_saved_is_found_again_bit_for_bit(path):
    records = saved(path, 5)
    with ResultsFile(path, HEADER) as file:
        found = file.finished([*keys(7)[3:], b"unknown"])
    assert sorted(found) == keys(5)[3:]
    assert [found[key].tobytes() for key in keys(5)[3:]] == [x.tobytes() for x in records[3:]]


def test_it_is_one_file_when_closed_and_readable_with_sql(path):
    records = tallies(2)
    values = {"path": Path("a"), "x": np.float64(0.5), "n": np.int64(3), "fill": "next_open"}
    with ResultsFile(path, HEADER) as file:
        file.save(keys(2), [values, {}], records, {"sharpe": np.array([1.5, np.nan])})
        with sqlite3.connect(path) as reader:  # while it is open
            rows = reader.execute(
                "SELECT params, json_extract(metrics, '$.sharpe') FROM columns ORDER BY key"
            ).fetchall()
        reader.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert json.loads(rows[0][0]) == {"path": "a", "x": 0.5, "n": 3, "fill": "next_open"}
    assert [row[1] for row in rows] == [1.5, None]


def test_a_column_saved_again_is_replaced(path):
    saved(path, 3, seed=1)
    records = saved(path, 3, seed=2)
    with ResultsFile(path, HEADER) as file:
        assert file.finished(keys(1))[keys(1)[0]] == records[0]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER | {"bars": "0000"}, "holds results for bars 4f2a, these are for 0000"),
        (HEADER | {"more": "1"}, "holds results for more None, these are for 1"),
    ],
)
def test_results_of_something_else_are_refused(path, header, said):
    saved(path, 3)
    before = path.read_bytes()
    with pytest.raises(InputError, match=said):
        ResultsFile(path, header)
    assert path.read_bytes() == before


def test_tallies_of_another_layout_are_refused(path, monkeypatch):
    with monkeypatch.context() as context:
        other = np.dtype([*COLUMN.descr, ("more", "f8")])
        context.setattr("alphalab.research.sweep.results_file.column_type", lambda n: other)
        saved(path, 3)
    with pytest.raises(InputError, match=r"holds results for layout .*, these are for "):
        ResultsFile(path, HEADER)


def test_tallies_of_another_number_of_segments_are_refused(path):
    saved(path, 3)
    with pytest.raises(InputError, match="holds results for segments 0, these are for 16"):
        ResultsFile(path, HEADER, n_segments=16)


def write_text(path: Path) -> None:
    path.write_text("fast,slow\n5,20\n" * 1000)


def write_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE studies (study_id INTEGER)")
    file.close()


def write_cut(path: Path) -> None:
    saved(path, 200)
    path.write_bytes(path.read_bytes()[:20_000])


def write_scratched(path: Path) -> None:
    saved(path, 200)
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (write_text, "it is not a results file"),
        (write_sqlite, "an SQLite file of another program"),
        (write_cut, "malformed|damaged"),
        (write_scratched, "malformed|damaged"),
        (Path.mkdir, "it is a folder"),
    ],
)
def test_a_file_that_is_none_is_refused_and_left_alone(path, make, said):
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(InputError, match=said) as caught:
        ResultsFile(path, HEADER)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        ResultsFile(tmp_path / "none" / "sma.db", HEADER)
    assert not list(tmp_path.iterdir())


def test_an_empty_file_is_taken(path):
    path.touch()
    saved(path, 1)


def run(code: str, path: Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


NOT_MINE = """
import os, sys
from pathlib import Path
from test_results_file import *

if os.geteuid() == 0:  # whom no permission stops
    os.setuid(65534)
try:
    ResultsFile(Path(sys.argv[1]), HEADER)
except InputError as error:
    print(str(error).splitlines()[0])
"""


@pytest.mark.parametrize(
    ("mode", "folder_mode", "said"),
    [
        (0o444, 0o777, "attempt to write a readonly database"),
        (0o000, 0o777, "Permission denied"),
        (0o666, 0o555, "unable to open database file|readonly database"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(mode, folder_mode, said):
    with tempfile.TemporaryDirectory() as name:  # not in tmp_path, which others may not enter
        folder, path = Path(name), Path(name) / "sma.db"
        saved(path, 3)
        before = path.read_bytes()
        path.chmod(mode)
        folder.chmod(folder_mode)
        done = run(NOT_MINE, path)
        folder.chmod(0o755)
        path.chmod(0o644)
        assert done.returncode == 0, done.stderr
        assert f"results file {path}: " in done.stdout
        assert any(part in done.stdout for part in said.split("|")), done.stdout
        assert path.read_bytes() == before


KILLED = """
import os, sys, threading
from pathlib import Path
from test_results_file import *

file = ResultsFile(Path(sys.argv[1]), HEADER)
n = 0
while True:  # a transaction of ten columns after the other, until killed
    ten = [(10 * n + i).to_bytes(16, "big") for i in range(10)]
    file.save(ten, [{"n": n}] * 10, tallies(10, n), {"sharpe": np.zeros(10)})
    n += 1
    print(n, flush=True)
"""


def test_all_that_was_saved_outlives_a_killed_process(path):
    command = [sys.executable, "-W", "error", "-c", KILLED, str(path)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    for more in (1, 7):  # the second one goes on in the same file
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            for _ in range(more):
                said = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        with ResultsFile(path, HEADER) as file:
            found = file.finished(keys(100_000))
        assert len(found) >= 10 * said
        assert len(found) % 10 == 0  # a transaction is saved whole or not at all
        assert found[keys(10)[3]] == tallies(10, 0)[3]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


FULL = """
import resource, signal, sys
from pathlib import Path
from test_results_file import *

path = Path(sys.argv[1])
first = saved(path, 20)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
with ResultsFile(path, HEADER) as file:
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50_000, most))
    try:
        file.save(keys(2000), [{}] * 2000, tallies(2000, 1), {})
    except SaveError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert {key: x.tobytes() for key, x in file.finished(keys(2000)).items()} == {
        key: x.tobytes() for key, x in zip(keys(20), first)
    }
    file.save(keys(2000), [{}] * 2000, tallies(2000, 1), {})  # there is room again
    assert len(file.finished(keys(2000))) == 2000
with ResultsFile(path, HEADER) as file:
    assert len(file.finished(keys(2000))) == 2000
"""


def test_a_full_disk_loses_nothing_that_was_saved(path):
    done = run(FULL, path)
    assert done.returncode == 0, done.stderr
    assert f"results file {path}: " in done.stdout
    assert "columns saved before are kept" in done.stdout


def test_a_file_that_another_program_holds_is_not_waited_for_without_end(path, monkeypatch):
    monkeypatch.setattr("alphalab.research.sweep.results_file._SECONDS", 0.1)
    saved(path, 1)
    with ResultsFile(path, HEADER) as file:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SaveError, match="database is locked"):
            file.save(keys(1), [{}], tallies(1), {})
        other.close()
        file.save(keys(1), [{}], tallies(1), {})
    assert issubclass(SaveError, StateError)
