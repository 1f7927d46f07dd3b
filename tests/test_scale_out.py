"""One sweep in threads, processes, on a Dask and on a Ray cluster gives the same bits.

The clusters are real, of two processes on this machine.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import joblib
import numpy as np
import pytest

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.core.columns import COLUMN, Column
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import ExprError, StateError
from alphalab.research.parallel.backends import Backend
from alphalab.research.parallel.jobs import run_columns

LEVEL = 0.75
PLACES = ("loky", "dask", "ray")


@al.op(params=["n"], rows="2", state="2", recursive=True)
def worn_peak(state, params, x):
    """Highest value so far, which wears off by n bps a row."""
    state[0] = x if state[1] == 0.0 else max(x, state[0] * (1.0 - 1e-4 * params[0]))
    state[1] = 1.0
    return state[0]


def steady(x):
    return x[-1] * 0.0 + LEVEL


class NearPeak(al.Strategy):
    """Of this file: with an operator and a Python function of its own."""

    n: int = 10
    rebalance = al.Rebalance.drift(0.05)

    def weights(self) -> al.Expr:
        near = al.close > worn_peak(al.close, self.n) * 0.99
        return al.where(near, al.python_op(steady, [al.close], 3), 0.0)


class Patient(al.Strategy):
    """Of this file: with a `decide`."""

    n: int = 10
    memory_rows = 1

    def signals(self) -> dict[str, al.Expr | float]:
        return {"mean": al.close.ts_mean(self.n), "close": al.close}

    @staticmethod
    def decide(table, account, memory):
        memory[0] = np.where(table[1] > table[0], memory[0] + 1.0, 0.0)
        return np.where(memory[0] > 3.0, LEVEL / memory.shape[1], 0.0)


def forty_columns(bars: Bars) -> list[Column]:
    sma_cross = load_strategy("sma_cross")
    pairs = [(fast, slow) for fast in (5, 8, 12, 15) for slow in (20, 30, 45, 60, 90)]
    strategies: list[al.Strategy] = [sma_cross(fast=fast, slow=slow) for fast, slow in pairs]
    strategies += [NearPeak(n=n) for n in range(1, 11)]
    strategies += [Patient(n=n) for n in range(5, 55, 5)]
    settings = al.RunSettings(cash=50_000.0, costs=al.Costs(fee_bps=10))
    return [Column.of(strategy, settings, bars.instruments) for strategy in strategies]


def run(columns: list[Column], bars: Bars, kept: dict[int, bytes] | None = None) -> list[bytes]:
    """Bytes of the tallies; what is finished before an error is in `kept`."""
    kept = {} if kept is None else kept
    progress: list[float] = []

    def done(indices, tallies):
        assert tallies.dtype == COLUMN
        kept.update(zip(indices, (tally.tobytes() for tally in tallies), strict=True))

    run_columns(columns, History(bars), done=done, advance=progress.append)
    assert sum(progress) == pytest.approx(len(columns))
    return [kept[i] for i in range(len(columns))]


# Places.


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, ExitStack]]:
    """The clusters that were started, each when it is first used."""
    with ExitStack() as started:
        yield {"all": started}


@pytest.fixture(params=PLACES)
def place(request, places) -> Iterator[str]:
    name = request.param
    if name not in places and name != "loky":
        places[name] = places["all"].enter_context({"dask": dask, "ray": ray}[name]())
    patience = {"wait_for_workers_timeout": 30} if name == "dask" else {}
    with joblib.parallel_config(backend=name, n_jobs=2, **patience):
        yield name


@contextmanager
def dask() -> Iterator[None]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster),
    ):
        yield


@contextmanager
def ray() -> Iterator[None]:
    # Ray's servers listen on all interfaces, so they ask for a token; this one is kept nowhere.
    mine = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    before = {name: os.environ.get(name) for name in mine}
    os.environ.update(mine)
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # its sockets want a short path
    import ray
    from ray.util.joblib import register_ray

    try:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=100 * 2**20,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        register_ray()
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic(2000, 2, seed=3)


@pytest.fixture(scope="module")
def here(bars) -> list[bytes]:
    """The tallies of one thread of this process."""
    with joblib.parallel_config(backend="threading", n_jobs=1):
        return run(forty_columns(bars), bars)


# The same everywhere.


def test_every_column_differs(here):
    assert len(set(here)) == 40


def test_threads_give_what_one_thread_gives(bars, here):
    assert run(forty_columns(bars), bars) == here


def test_every_place_gives_what_one_thread_gives(place, bars, here):
    assert run(forty_columns(bars), bars) == here
    assert run(forty_columns(bars)[::-1], bars) == here[::-1]


# Shared data.


def test_data_are_sent_once_to_every_worker(place):
    def seen(array: np.ndarray, number: int) -> tuple[int, int, bool, float]:
        address = array.__array_interface__["data"][0]
        return os.getpid(), address, array.flags.writeable, float(array.sum()) + number

    array = np.arange(500_000.0)
    found = list(Backend().results(seen, [(array, number) for number in range(12)]))
    assert sorted(x[3] - array.sum() for x in found) == list(range(12))
    if place != "dask":  # a file in memory, or the object store, which all processes map
        assert not any(writeable for _, _, writeable, _ in found)
    else:  # one array for all tasks of a process
        assert len({(process, address) for process, address, _, _ in found}) <= 2


# Workers that die.


def killing(marker: str | None):
    """Make a function that kills its process: once, or always without a marker."""
    parent = os.getpid()

    def kill(x):
        if os.getpid() != parent and (marker is None or once(marker)):
            os.kill(os.getpid(), signal.SIGKILL)
        return x[-1] * 0.0 + 1.0

    return kill


def once(marker: str) -> bool:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def column_that_kills(bars: Bars, marker: str | None) -> Column:
    class Kills(al.Strategy):
        def weights(self) -> al.Expr:
            kill = al.python_op(killing(marker), [al.close], 100, version=f"kill {marker}")
            return al.where(al.close > al.close.ts_mean(20), kill, 0.0)

    return Column.of(Kills(), al.RunSettings(), bars.instruments)


def test_what_a_lost_worker_had_is_run_again(place, bars, here, tmp_path):
    marker = tmp_path / "killed"
    columns = forty_columns(bars)
    columns.insert(17, column_that_kills(bars, str(marker)))
    got = run(columns, bars)
    assert marker.exists()
    assert [*got[:17], *got[18:]] == here


# Errors.


def fail(x):
    raise ZeroDivisionError("of mine")


class Fails(al.Strategy):
    def weights(self) -> al.Expr:
        return al.python_op(fail, [al.close], 5)


def test_an_error_in_a_worker_names_its_column(place, bars, here):
    columns = forty_columns(bars)
    columns[30] = Column.of(Fails(), al.RunSettings(), bars.instruments)
    kept: dict[int, bytes] = {}
    with pytest.raises(ExprError, match="'fail' failed: ZeroDivisionError: of mine") as caught:
        run(columns, bars, kept)
    assert "column 30: Fails()" in caught.value.__notes__
    assert all(kept[i] == here[i] for i in kept)
    assert run(forty_columns(bars), bars) == here  # and the place is as good as before


# The last ones: they end the clusters.


@pytest.mark.slow
def test_a_column_that_kills_all_its_workers_is_given_up_and_the_others_are_kept(place, bars, here):
    columns = forty_columns(bars)
    columns.insert(17, column_that_kills(bars, None))
    kept: dict[int, bytes] = {}
    quick = {"ray_remote_args": {"max_retries": 0}} if place == "ray" else {}
    with (
        joblib.parallel_config(backend=place, n_jobs=2, **quick),
        pytest.raises(StateError, match="workers died 3 times in a row") as caught,
    ):
        run(columns, bars, kept)
    assert "Kills()" in caught.value.rule
    assert f"{len(kept)} of 41 columns are done and kept" in caught.value.rule
    assert 17 not in kept
    assert len(kept) >= 30
    assert all(kept[i] == here[i - (i > 17)] for i in kept)


def test_nothing_is_left_behind(places):
    """The clusters end without a warning."""
    import psutil

    places["all"].close()
    listening = [c.laddr.port for c in psutil.Process().net_connections() if c.status == "LISTEN"]
    names = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert not listening
    assert not [name for name in names if "ray" in name.split("/")[-1] or "distributed" in name]
