"""Backends that run parts of a sweep: threads, or the one that `joblib.parallel_config` names.

Joblib runs loky and any other registered backend. Tasks for threads, Dask and Ray are submitted
here without joblib: its threads cost ten milliseconds a call, its Dask and Ray backends lose a call
if the worker that holds shared data dies, and its Ray backend copies the data for every task.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

from alphalab.errors import ParameterError, StateError

Calls = Iterable[tuple[Any, ...]]
Results = Generator[Any, None, None]


class WorkersLost(Exception):
    """Workers died, and the backend has not run their tasks again."""


class Backend:
    """The backend that the caller of a sweep has configured.

    Parameters
    ----------
    n_jobs : int, optional
        As in joblib, -1 for all cores. Not given: from `joblib.parallel_config`, else -1.

    Attributes
    ----------
    n_workers : int
        Tasks that run in parallel.
    threads : bool
        True if tasks run in this process.

    Raises
    ------
    ParameterError
        A number of jobs that is 0 or not an integer.
    StateError
        A Dask cluster without a worker.
    """

    def __init__(self, n_jobs: int | None = None) -> None:
        from joblib.parallel import get_active_backend

        if n_jobs is not None and (type(n_jobs) is not int or n_jobs == 0):
            raise ParameterError(
                f"n_jobs={n_jobs!r}",
                rule="n_jobs is a count of workers, or -1 for all cores, -2 for all but one.",
            )
        self._backend, _ = get_active_backend(prefer="threads")
        self._n_jobs: int = n_jobs or get_active_backend()[1] or -1
        self._name = type(self._backend).__name__
        self.threads = bool(getattr(self._backend, "uses_threads", False))
        self.n_workers = max(1, self._count())

    def results(self, function: Callable[..., Any], calls: Calls) -> Results:
        """Call a function in the workers; yield the results in order of completion.

        Array arguments are shared, not copied for every call: by memory mapping, by scattering them
        once, or in the object store.

        Raises
        ------
        WorkersLost
            Some calls have not returned and will not.
        """
        if self._name == "DaskDistributedBackend":
            return self._dask(function, calls)
        if self._name == "RayBackend":
            return self._ray(function, calls)
        return (self._threads if self.threads else self._joblib)(function, calls)

    def _count(self) -> int:
        if self._name == "DaskDistributedBackend":
            try:
                self._await_worker()
            except TimeoutError:
                raise StateError(
                    f"no Dask worker within {self._backend.wait_for_workers_timeout} seconds",
                    rule="a sweep starts when there is a worker.",
                    fix='Wait longer: parallel_config(backend="dask", wait_for_workers_timeout=..)',
                ) from None
            return sum(self._backend.client.ncores().values())
        if self._name == "RayBackend":
            import ray

            if not ray.is_initialized():
                ray.init()
            cores = int(ray.cluster_resources().get("CPU", 1))
            return cores if self._n_jobs < 0 else min(cores, self._n_jobs)
        return int(self._backend.effective_n_jobs(self._n_jobs))

    def _threads(self, function: Callable[..., Any], calls: Calls) -> Results:
        pool = ThreadPoolExecutor(self.n_workers)
        try:
            for future in as_completed([pool.submit(function, *args) for args in calls]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _joblib(self, function: Callable[..., Any], calls: Calls) -> Results:
        from joblib import Parallel, delayed

        lazy = self._backend.supports_return_generator
        parallel = Parallel(
            n_jobs=self._n_jobs,
            prefer="threads",
            batch_size=1,
            return_as="generator_unordered" if lazy else "list",
            **({"initializer": _ignore_interrupt} if self._name == "LokyBackend" else {}),
        )
        # A list: joblib would lose an error raised while it iterates over calls in its thread.
        results = parallel([delayed(function)(*args) for args in calls])
        try:
            for result in results:  # noqa: UP028  (the rest is closed below)
                yield result
        except BrokenProcessPool as error:
            raise WorkersLost(str(error)) from error
        finally:
            if lazy:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message=".*have been cancelled")
                    results.close()

    def _dask(self, function: Callable[..., Any], calls: Calls) -> Results:
        import distributed
        from distributed.scheduler import KilledWorker

        client, options = self._backend.client, self._backend.submit_kwargs
        share = _Shared(lambda array: client.scatter(array, broadcast=True, hash=False))
        futures: list[Any] = []
        try:
            self._await_worker()  # scatter needs a worker, also after all have died
            for args in calls:
                futures.append(client.submit(function, *share(args), pure=False, **options))
            for future in distributed.as_completed(futures):
                yield future.result()
        except (KilledWorker, CancelledError, TimeoutError) as error:
            raise WorkersLost(str(error)) from error  # or the data scattered to them
        finally:
            client.cancel(futures)

    def _await_worker(self) -> None:
        """Run a task: an adaptive cluster starts its first worker for a task."""
        timeout = self._backend.wait_for_workers_timeout
        self._backend.client.submit(int, pure=False).result(timeout or None)

    def _ray(self, function: Callable[..., Any], calls: Calls) -> Results:
        import ray
        from ray.exceptions import RayError, RayTaskError

        task = ray.remote(function).options(**(self._backend.ray_remote_args or {}))
        share = _Shared(ray.put)
        waiting = [task.remote(*share(args)) for args in calls]
        try:
            while waiting:
                ready, waiting = ray.wait(waiting)
                yield ray.get(ready[0])
        except RayError as error:
            if isinstance(error, RayTaskError):
                raise
            raise WorkersLost(str(error)) from error
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)


def _ignore_interrupt() -> None:
    """Ignore Ctrl-C, which a terminal sends to all processes; the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Shared:
    """Shares every array with all workers once, and returns its handle."""

    def __init__(self, put: Callable[[Any], Any]) -> None:
        self._put = put
        # By the id of an array, which is kept as well: an id is unique only while it lives.
        self._handles: dict[int, tuple[Any, Any]] = {}

    def __call__(self, args: tuple[Any, ...]) -> Iterator[Any]:
        for value in args:
            if not isinstance(value, np.ndarray):
                yield value
                continue
            if id(value) not in self._handles:
                self._handles[id(value)] = value, self._put(value)
            yield self._handles[id(value)][1]
