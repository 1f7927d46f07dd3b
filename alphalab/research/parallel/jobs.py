"""Run the columns of a sweep in parts: in threads, in processes or on a cluster."""

from __future__ import annotations

import pickle
import time as clock
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from threading import Event
from typing import Any, NamedTuple

import numpy as np

from alphalab.core.columns import Column, columns_read
from alphalab.core.vector_engine import VectorEngine
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.errors import AlphalabError, StateError
from alphalab.expr.custom import PYTHON_FUNCTIONS
from alphalab.expr.nodes import Expr
from alphalab.kernels.market import drivers
from alphalab.research.parallel.backends import Backend, WorkersLost
from alphalab.research.parallel.parcel import Parcel, Sender, unpacked
from alphalab.types import (
    DELISTING,
    FloatArray,
    Instrument,
    InstrumentChange,
    IntArray,
    Records,
)

#: Times in a row that workers die without any part finished, before a sweep gives up.
ROUNDS = 3

_MOST_COLUMNS = 256
_MOST_CELLS = 2**29  # rows x assets x columns of a part: one or two seconds
_CALL_CELLS = 1000  # cost of a row that calls Python, in cells
_PARTS = 4  # for each worker process; a dead worker loses one part
_SECONDS = 0.1  # least time of a slice


class Task(NamedTuple):
    """What all parts share, besides the arrays of the bars.

    Attributes
    ----------
    instruments, changes : tuple
        Of the rows that are traded.
    n_warm : int
        Rows at the start of the arrays that the expressions see and that are not traded.
    bounds : ndarray of shape (S + 1,)
        Of the segments whose sums the tallies keep.
    """

    instruments: tuple[Instrument, ...]
    changes: tuple[InstrumentChange, ...]
    n_warm: int
    bounds: IntArray


class Failure(NamedTuple):
    """The first column of a part that raised."""

    place: int | None  # position in the part; None: the whole part could not be read
    error: Exception


class _Stopped(Exception):
    """The caller has stopped and does not need this part."""


def run_columns(
    columns: Sequence[Column],
    history: History,
    *,
    bounds: IntArray | None = None,
    n_jobs: int | None = None,
    done: Callable[[Sequence[int], Records], None],
    advance: Callable[[float], None] = lambda columns: None,
) -> None:
    """Run columns over the rows of a history, several at a time.

    They run in threads of this process, or on the backend of `joblib.parallel_config`: processes
    (loky), a Dask or a Ray cluster. Backend and number of workers change no result.

    Parameters
    ----------
    columns : sequence of Column
        Adjacent columns should share indicators, which are computed once for each part.
    history : History
        Shared by the workers, not copied for every task.
    bounds : ndarray of shape (S + 1,), optional
        Segments of the traded rows whose sums the tallies keep: the first row of each, and the
        number of rows.
    n_jobs : int, optional
        Workers, as in joblib. Not given: from `joblib.parallel_config`, else one for each core.
    done : callable
        ``done(indices, tallies)`` is called in this thread when a part is finished, in any order:
        indices into `columns` and their records of `alphalab.core.columns.column_type`.
    advance : callable
        ``advance(x)`` is called after x more columns, also fractions; from any thread.

    Raises
    ------
    AlphalabError
        An error of a strategy, a setting or the bars; a note names the column. Parts finished
        before have been handed to `done`.
    StateError
        Workers died `ROUNDS` times in a row without any part finished.
    KeyboardInterrupt
        After Ctrl-C: finished parts have been handed to `done`, and no worker keeps running.

    Examples
    --------
    >>> import alphalab as al
    >>> bars, settings = al.load("sp500"), al.RunSettings(cash=100.0)
    >>> texts = [f"where(close > ts_mean(close, {n}), 1, 0)" for n in (50, 200)]
    >>> columns = [Column.of(al.ExprStrategy(text=x), settings, bars.instruments) for x in texts]
    >>> fills = {}
    >>> def done(indices, tallies):
    ...     fills.update(zip(indices, tallies["n_fills"].tolist()))
    >>> run_columns(columns, History(bars), done=done)
    >>> sorted(fills.items())
    [(0, 364), (1, 148)]
    """
    backend = Backend(n_jobs)
    drivers.run()  # compiled, or loaded, before several threads would do it at once
    calls = any(n.op == "python_op" for n in _nodes(columns)) if PYTHON_FUNCTIONS else False
    bars, traded = history.bars, history.traded
    cells = bars.n_rows * max(bars.n_symbols, _CALL_CELLS * calls)
    bounds = np.zeros(1, np.int64) if bounds is None else bounds
    task = Task(traded.instruments, traded.instrument_changes, history.n_warm, bounds)
    parts = _parts(len(columns), cells, backend.n_workers * (1 if backend.threads else _PARTS))
    barren = 0
    while parts:
        left = set(parts)
        stop = Event()
        if backend.threads:
            work = partial(_work_here, columns, task, bars, stop, advance)
            results = backend.results(work, ((part,) for part in parts))
        else:
            results = backend.results(_work_there, _calls(columns, task, bars, parts))
        try:
            for part, outcome in results:
                if isinstance(outcome, Failure):
                    raise _named(outcome, columns, part)
                done(part, outcome)
                left.remove(part)
                if not backend.threads:
                    advance(len(part))
        except WorkersLost as lost:
            barren = barren + 1 if len(left) == len(parts) else 0
            if barren == ROUNDS:
                raise _given_up(columns, sorted(i for part in left for i in part), lost) from lost
        finally:
            stop.set()
            results.close()
        # Reversed, so that a part which kills its workers is not always among the first.
        parts = [half for part in reversed(parts) if part in left for half in _halves(part)]


def _parts(n_columns: int, cells: int, n_workers: int) -> list[range]:
    """Cut the columns into ranges: as few for each worker as the limits on a part allow."""
    most = max(1, min(_MOST_COLUMNS, _MOST_CELLS // cells))
    n_parts = min(n_workers * -(-n_columns // (n_workers * most)), n_columns)
    cuts = [i * n_columns // max(n_parts, 1) for i in range(n_parts + 1)]
    return [range(*cut) for cut in pairwise(cuts)]


def _halves(part: range) -> list[range]:
    """Cut a part in two, which isolates a column that kills, and needs less memory."""
    middle = len(part) // 2
    return [half for half in (part[:middle], part[middle:]) if half]


def _work_here(
    columns: Sequence[Column],
    task: Task,
    bars: Bars,
    stop: Event,
    advance: Callable[[float], None],
    part: range,
) -> tuple[range, Records | Failure]:
    """Run a part in this process."""

    def between(fraction: float) -> None:
        if stop.is_set():
            raise _Stopped
        advance(fraction * len(part))

    some = columns[part.start : part.stop]
    return part, _outcome(some, task, bars.time, bars.columns, between)


def _calls(
    columns: Sequence[Column], task: Task, bars: Bars, parts: Sequence[range]
) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of `_work_there` for each part."""
    sender = Sender()
    for part in parts:
        some = columns[part.start : part.stop]
        read = columns_read(some, task.instruments)
        names = [name for name in bars.columns if name in read or name == DELISTING]
        arrays = (bars.columns[name] for name in names)
        yield part, sender.pack(some), task, names, bars.time, *arrays


def _work_there(
    part: range,
    parcel: Parcel,
    task: Task,
    names: Sequence[str],
    time: IntArray,
    *arrays: FloatArray,
) -> tuple[range, Records | Failure]:
    """Run a part in a worker process."""
    # Arrays from a network may be unaligned, and kernels need aligned ones.
    table = {
        name: np.require(array, requirements=("C", "A"))
        for name, array in zip(names, arrays, strict=True)
    }
    try:
        with unpacked(parcel) as columns:
            stamps = np.require(time, requirements=("C", "A"))
            outcome = _outcome(columns, task, stamps, table, lambda fraction: None)
    except Exception as error:
        outcome = Failure(None, error)
    if isinstance(outcome, Failure):
        outcome = Failure(outcome.place, _sendable(outcome.error))
    return part, outcome


def _outcome(
    columns: Sequence[Column],
    task: Task,
    time: IntArray,
    table: Mapping[str, FloatArray],
    between: Callable[[float], None],
) -> Records | Failure:
    """Return the tallies; after an error, bisect for the column that caused it."""
    try:
        return _tallies(columns, task, time, table, between)
    except _Stopped:
        raise
    except Exception as error:
        if len(columns) == 1:
            return Failure(0, error)
    middle, parts = len(columns) // 2, []
    for first, some in ((0, columns[:middle]), (middle, columns[middle:])):
        outcome = _outcome(some, task, time, table, between)
        if isinstance(outcome, Failure):
            return Failure(first + (outcome.place or 0), outcome.error)
        parts.append(outcome)
    return np.concatenate(parts)  # the whole was too large for the memory


def _tallies(
    columns: Sequence[Column],
    task: Task,
    time: IntArray,
    table: Mapping[str, FloatArray],
    between: Callable[[float], None],
) -> Records:
    """Push all rows in slices of a tenth of a second or more; a part can stop between slices."""
    engine = VectorEngine(columns, task.instruments, task.changes, bounds=task.bounds)
    calls = any(node.op == "python_op" for node in engine.plan.nodes)
    first, size = task.n_warm, min(engine.capacity, 64) if calls else engine.capacity
    if first:
        seen = {name: table[name][:first] for name in engine.plan.columns}
        engine.warm(seen, time[:first])
    while first < time.size:
        started = clock.perf_counter()
        rows = slice(first, first + size)
        engine.push(time[rows], {name: table[name][rows] for name in table})
        between(time[rows].size / (time.size - task.n_warm))
        first, seconds = first + size, clock.perf_counter() - started
        if seconds < _SECONDS:
            size *= 2
    return engine.tallies()


def _nodes(columns: Sequence[Column]) -> Iterator[Expr]:
    for column in columns:
        for expr in column.expressions.values():
            yield from expr.walk()


def _given_up(columns: Sequence[Column], left: Sequence[int], lost: WorkersLost) -> StateError:
    done = len(columns) - len(left)
    shown = ", ".join(repr(columns[i].strategy) for i in left[:3])
    return StateError(
        f"workers died {ROUNDS} times in a row: {str(lost).partition(chr(10))[0]}",
        rule=f"{done} of {len(columns)} columns are done and kept; not done are {shown}"
        f"{' ...' if len(left) > 3 else ''}.",
        fix="Check the memory of the workers, or use fewer of them (n_jobs).",
    )


def _named(failure: Failure, columns: Sequence[Column], part: range) -> Exception:
    if failure.place is not None:
        index = part[failure.place]
        failure.error.add_note(f"column {index}: {columns[index].strategy!r}")
    return failure.error


def _sendable(error: Exception) -> Exception:
    """Return an error that can be pickled, with the traceback of the worker as a note."""
    where = "".join(traceback.format_exception(error))
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:
        error = StateError(f"{type(error).__name__}: {error}")
    if not isinstance(error, AlphalabError):
        error.add_note(where)
    return error
