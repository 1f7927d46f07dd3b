"""Columns in parts: in threads and processes, stopped, failing, and what is sent of them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.core.columns import COLUMN, Column
from alphalab.core.vector_engine import VectorEngine
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import ExprError, ParameterError, StateError, StrategyError
from alphalab.expr.registry import REGISTRY
from alphalab.research.parallel import jobs, parcel
from alphalab.research.parallel.backends import Backend
from alphalab.research.parallel.jobs import run_columns
from alphalab.research.parallel.parcel import Sender, unpacked

SETTINGS = al.RunSettings()
ROOT = Path(al.__file__).parents[1]


class Above(al.Strategy):
    n: int = 3

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(self.n), 1.0, 0.0)


class Fails(al.Strategy):
    n: int = 3

    def weights(self) -> al.Expr:
        return al.python_op(refuse, [al.close], self.n)


class Sleeps(al.Strategy):
    n: int = 3

    def weights(self) -> al.Expr:
        return al.python_op(sleep, [al.close], self.n)


def refuse(x):
    raise KeyError("of mine")


def sleep(x):
    time.sleep(0.001)
    return x[-1] * 0.0


def column(strategy: al.Strategy, n_assets: int = 1) -> Column:
    return Column.of(strategy, SETTINGS, synthetic(3, n_assets).instruments)


def task_of(bars: Bars) -> jobs.Task:
    return jobs.Task(bars.instruments, bars.instrument_changes, 0, np.zeros(1, np.int64))


def expected(columns: list[Column], bars: Bars) -> np.ndarray:
    engine = VectorEngine(columns, bars.instruments)
    engine.push(bars.time, bars.columns)
    return engine.tallies()


class Seen:
    """What `run_columns` has told."""

    def __init__(self, n_columns: int) -> None:
        self.tallies = np.zeros(n_columns, COLUMN)
        self.finished: list[int] = []
        self.progress: list[float] = []

    def done(self, indices, tallies) -> None:
        self.tallies[list(indices)] = tallies
        self.finished += indices

    def advance(self, columns: float) -> None:
        self.progress.append(columns)


def run(columns: list[Column], bars: Bars, n_jobs: int | None = None, seen: Seen | None = None):
    seen = seen or Seen(len(columns))
    run_columns(columns, History(bars), n_jobs=n_jobs, done=seen.done, advance=seen.advance)
    return seen


# Parts.


@pytest.mark.parametrize("n_columns", [0, 1, 2, 190, 1000, 100_000])
@pytest.mark.parametrize("cells", [1, 50_000, 10_000_000, 10**12])
@pytest.mark.parametrize("n_workers", [1, 2, 7])
def test_parts_cover_all_columns_and_are_even(n_columns, cells, n_workers):
    parts = jobs._parts(n_columns, cells, n_workers)
    assert [i for part in parts for i in part] == list(range(n_columns))
    sizes = {len(part) for part in parts}
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert not sizes or max(sizes) <= 256
    assert not sizes or max(sizes) * cells <= 2**29 or max(sizes) == 1
    assert len(parts) % n_workers == 0 or len(parts) == n_columns


def test_columns_that_fit_are_cut_into_one_part_for_each_worker():
    assert jobs._parts(190, 50_000, 2) == [range(95), range(95, 190)]


def test_columns_that_call_python_come_in_smaller_parts():
    bars = synthetic(100_000, 1)
    assert len(jobs._parts(40, bars.n_rows * jobs._CALL_CELLS, 2)) > 2


# Threads.


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 3, -1])
def test_the_number_of_threads_changes_nothing(n_jobs):
    bars = synthetic(3000, 2)
    columns = [column(Above(n=n), 2) for n in range(1, 12)]
    seen = run(columns, bars, n_jobs)
    assert sorted(seen.finished) == list(range(11))
    assert seen.tallies.tobytes() == expected(columns, bars).tobytes()
    assert sum(seen.progress) == pytest.approx(11)


def test_no_columns_are_run_at_once():
    assert run([], synthetic(10, 1)).finished == []


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True])
def test_a_number_of_jobs_that_is_none_is_refused(n_jobs):
    with pytest.raises(ParameterError, match="n_jobs="):
        run([column(Above())], synthetic(10, 1), n_jobs)


def test_slices_change_nothing(monkeypatch):
    bars = synthetic(20_000, 1)
    columns = [column(Above(n=n)) for n in (5, 50)]
    whole = expected(columns, bars)
    for seconds in (0.0, 1e9):  # slices of one block, and as large as they become
        monkeypatch.setattr(jobs, "_SECONDS", seconds)
        assert run(columns, bars, 1).tallies.tobytes() == whole.tobytes()


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_an_error_names_its_column_and_leaves_what_is_done(backend):
    columns = [column(Above(n=n)) for n in range(1, 20)]
    columns[16] = column(Fails(n=30))
    bars, seen = synthetic(200, 1), Seen(19)
    with (
        joblib.parallel_config(backend=backend, n_jobs=2),
        pytest.raises(ExprError, match="'refuse' failed: KeyError: 'of mine'") as caught,
    ):
        run(columns, bars, seen=seen)
    assert "column 16: Fails(n=30)" in caught.value.__notes__
    if backend == "loky":  # in threads the first of two parts may still be running
        assert seen.finished
    assert 16 not in seen.finished
    whole = expected([*columns[:16], *columns[17:]], bars)
    for i in seen.finished:
        assert seen.tallies[i] == whole[i - (i > 16)]


def test_a_part_that_is_too_large_for_the_memory_is_run_in_halves(monkeypatch):
    class Small(VectorEngine):
        def __init__(self, columns, *task, **more):
            if len(columns) > 3:
                raise MemoryError
            super().__init__(columns, *task, **more)

    bars = synthetic(100, 1)
    columns = [column(Above(n=n)) for n in range(1, 12)]
    whole = expected(columns, bars)
    monkeypatch.setattr(jobs, "VectorEngine", Small)
    assert run(columns, bars, 1).tallies.tobytes() == whole.tobytes()


def test_an_error_of_the_caller_ends_the_run():
    columns = [column(Sleeps(n=n)) for n in range(1, 9)]

    def full(indices, tallies):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_columns(columns, History(synthetic(100, 1)), n_jobs=8, done=full)
    assert nothing_runs()


def nothing_runs() -> bool:
    """Whether all threads of a pool end, within ten seconds."""
    end = time.monotonic() + 10.0
    while any("ThreadPool" in thread.name for thread in threading.enumerate()):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_interrupted_threads_stop_and_what_is_done_is_kept():
    quick, slow = column(Above()), column(Sleeps())
    bars, seen = synthetic(100_000, 1), Seen(2)  # the slow one would take 100 seconds

    def done(indices, tallies):
        seen.done(indices, tallies)
        signal.raise_signal(signal.SIGINT)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_columns([quick, slow], History(bars), n_jobs=2, done=done)
    assert nothing_runs()
    assert time.monotonic() - started < 30.0
    assert seen.finished == [0]


INTERRUPTED = """
import os, signal, sys, threading, time
import joblib
import alphalab as al
from alphalab.core.columns import Column
from alphalab.data.panel.history import History
from alphalab.data.samples.synthetic import synthetic
from alphalab.research.parallel.jobs import run_columns

def sleep(x):
    time.sleep(0.001)
    return x[-1] * 0.0

class Sleeps(al.Strategy):
    n: int = 3
    def weights(self):
        return al.python_op(sleep, [al.close], self.n)

class Quick(al.Strategy):
    n: int = 3
    def weights(self):
        return al.where(al.close > al.close.ts_mean(self.n), 1.0, 0.0)

if __name__ == "__main__":
    bars = synthetic(100_000, 1)
    strategies = [Quick(), *(Sleeps(n=n) for n in range(1, 8))]
    columns = [Column.of(x, al.RunSettings(), bars.instruments) for x in strategies]
    done = []

    def save(indices, tallies):
        done.extend(indices)
        if 0 in indices:  # as a terminal does: to all processes of the group
            threading.Timer(0.5, os.killpg, (0, signal.SIGINT)).start()

    try:
        with joblib.parallel_config(backend="loky", n_jobs=2):
            run_columns(columns, History(bars), done=save)
    except KeyboardInterrupt:
        import psutil
        time.sleep(0.5)
        commands = [" ".join(p.cmdline()) for p in psutil.Process().children()]
        print("kept", done, [c for c in commands if "resource_tracker" not in c])
"""


def test_interrupted_processes_stop_in_silence_and_what_is_done_is_kept(tmp_path):
    (tmp_path / "main.py").write_text(INTERRUPTED)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "main.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("kept [0] []\n", "")


# Processes.


def kind_of(array: np.ndarray, small: np.ndarray) -> tuple[str, str, float]:
    return type(array).__name__, str(getattr(array, "filename", "")), float(array[5]) + small[0]


def test_processes_see_one_copy_of_the_data():
    large, small = np.arange(200_000.0), np.arange(3.0)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        seen = set(Backend().results(kind_of, [(large, small)] * 4))
    ((kind, file, value),) = seen
    assert (kind, value) == ("memmap", 5.0)
    assert file


def test_data_on_the_disk_are_not_copied(tmp_path):
    file = np.memmap(tmp_path / "close.f8", np.float64, "w+", shape=(50_000, 1))
    file[:] = synthetic(50_000, 1).close
    file.flush()
    close = np.memmap(tmp_path / "close.f8", np.float64, "r", shape=(50_000, 1))
    plain = synthetic(50_000, 1)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), close)
    bars = Bars(plain.time, plain.symbols, columns)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        seen = set(Backend().results(file_of, [(bars.close,)] * 3))
    assert seen == {str(tmp_path / "close.f8")}


def file_of(array: np.ndarray) -> str:
    return str(getattr(array, "filename", ""))


def test_what_is_sent_of_columns_does_not_grow_with_the_data():
    columns = [column(Above(n=n)) for n in range(1, 101)]
    ((part, sent, task, names, *arrays),) = jobs._calls(columns, task_of(LONG), LONG, [range(100)])
    assert names == ["open", "close"]
    assert [array is LONG[name] for name, array in zip(names, arrays[1:], strict=True)]
    assert len(pickle.dumps((part, sent, task, names))) < 25_000


LONG = synthetic(10_000, 1)


# Parcels.

FACTOR = 3.0


@al.op(params=["n"], rows="2", state="1", recursive=True)
def sent_sum(state, params, x):
    state[0] += x * FACTOR
    return state[0] - params[0]


def test_a_process_that_has_everything_takes_its_own():
    registered = al.parse("sent_sum(close, 3)")
    with unpacked(Sender().pack([column(Weighs(expr="sent_sum(close, 3)"))])) as (got,):
        assert got.expressions["weights"].same_as(registered * 0.0)
        assert repr(got.strategy) == "Weighs(expr='sent_sum(close, 3)')"


class Weighs(al.Strategy):
    expr: str

    def weights(self) -> al.Expr:
        return al.parse(self.expr) * 0.0


def test_another_release_in_a_worker_is_refused():
    sent = Sender().pack([column(Above())])
    with pytest.raises(StateError, match="one release"), unpacked(sent._replace(version="0")):
        pass


def test_code_that_cannot_be_sent_is_refused(tmp_path):
    with (tmp_path / "open").open("w") as file:

        def writes(x):
            print(x, file=file)
            return x[-1]

        class Writes(al.Strategy):
            def weights(self) -> al.Expr:
                return al.python_op(writes, [al.close], 2, version="1")

        with (
            joblib.parallel_config(backend="loky", n_jobs=2),
            pytest.raises(StrategyError, match="writes: PicklingError: Cannot pickle files"),
        ):
            run([*(column(Above(n=n)) for n in range(1, 12)), column(Writes())], LONG)


def test_code_that_is_shared_is_pickled_once():
    sender = Sender()
    parcels = [sender.pack([column(Weighs(expr=f"sent_sum(close, {n})"))]) for n in (1, 2)]
    assert parcels[0].code is parcels[1].code
    assert parcels[0].columns != parcels[1].columns


def operator_code(name: str, factor: float) -> bytes:
    """An operator as a process sends it that is the only one to know it."""

    def update(params, x):
        return x * factor

    update.__name__ = name
    update.__qualname__ = name
    made = al.op(family="elementwise")(update)(al.close)
    try:
        return Sender().pack([Column(Above(), SETTINGS, {"weights": made})]).code
    finally:
        del REGISTRY[name]


def test_operators_are_registered_while_a_task_runs():
    code = operator_code("passing", 2.0)
    assert "passing" not in REGISTRY
    with parcel._registered(code), parcel._registered(code):
        assert "passing" in REGISTRY
    assert "passing" not in REGISTRY


def test_tasks_of_one_process_with_other_code_wait():
    one, two = operator_code("shared", 2.0), operator_code("shared", 3.0)
    seen = []

    def run_with(code: bytes) -> None:
        with parcel._registered(code):
            update = REGISTRY["shared"].update
            seen.append((code, update({}, 1.0)))

    with parcel._registered(one):
        others = [threading.Thread(target=run_with, args=(code,)) for code in (two, one, b"")]
        for thread in others:
            thread.start()
        others[1].join(10.0)
        others[2].join(10.0)
        assert sorted(seen) == [(b"", 2.0), (one, 2.0)]
        assert others[0].is_alive()
    others[0].join(10.0)
    assert seen[-1] == (two, 3.0)
    assert "shared" not in REGISTRY


STRATEGY = """
import numpy as np
from numba import njit

import alphalab as al
import beside_it
from alphalab.kernels.market.orders import limit
from beside_it import LIMIT, share


@al.op(params=["n"], rows="2", state="1", recursive=True)
def sent_high(state, params, x):
    state[0] = max(x, state[0]) - beside_it.STEP
    return state[0] * (1.0 - 1.0 / params[0])


@njit
def twice(x):
    return 2.0 * x if x < 1.0 else twice(x - 1.0)


def middle(x):
    return share(x)


class Both(al.Strategy):
    n: int = 3
    rebalance = al.Rebalance.drift(0.05)

    def __post_init__(self):
        super().__post_init__()
        if self.n < 1:
            raise al.errors.ParameterError("n")

    def weights(self):
        share = al.python_op(middle, [al.close], 4)
        return al.where(al.close > sent_high(al.close, self.n), share, 0.0)


class Decides(al.Strategy):
    n: int = 3
    memory_rows = 1
    max_orders = 1

    def signals(self):
        return {"mean": al.close.ts_mean(self.n), "close": al.close}

    @staticmethod
    def decide(signals, params, account, memory):
        memory[0] += 1.0
        if account.row == 7:
            limit(account, 0, 1, 1.0, 1e6)
        return np.where((signals.close > signals.mean) & (params.n > 0), twice(LIMIT), 0.0)
"""

BESIDE = """
import numpy as np

STEP = 0.125
LIMIT = 0.25


def share(x):
    return np.minimum(x[-1] * 0.0 + 0.75, LIMIT * 2)
"""

WORKER = """
import pickle, sys
from alphalab.research.parallel.jobs import _work_there

part, outcome = _work_there(*pickle.load(sys.stdin.buffer))
assert not any("beside" in name for name in sys.path)
sys.stdout.buffer.write(pickle.dumps((part, outcome)))
"""


def test_a_worker_needs_no_file_of_the_strategy(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(STRATEGY)
    (folder / "beside_it.py").write_text(BESIDE)
    monkeypatch.syspath_prepend(folder)
    bars = synthetic(300, 2)
    classes = [load_strategy(f"{folder / 'mine.py'}:{name}") for name in ("Both", "Decides")]
    columns = [column(cls(n=n), 2) for cls in classes for n in (10, 60)]
    (call,) = jobs._calls(columns, task_of(bars), bars, [range(4)])
    whole = expected(columns, bars)
    assert len(set(whole["equity"])) == 4
    folder.rename(tmp_path / "away")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(WORKER)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input=pickle.dumps(call),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    part, outcome = pickle.loads(ran.stdout)
    assert part == range(4)
    assert not isinstance(outcome, jobs.Failure), outcome.error
    assert outcome.tobytes() == whole.tobytes()
