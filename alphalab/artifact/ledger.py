"""The trial ledger: every backtest, sweep, search and walk-forward of a project, counted.

It is a journal (`alphalab.core.journal`) that several processes write. The environment variable
``ALPHALAB_TRIALS`` names its file, or says ``off``; not set, it is ``.alphalab/trials.sqlite`` at
the root of the project: the nearest folder upwards with a ``.alphalab``, ``.git`` or
``pyproject.toml``, else the current one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alphalab.core.events import Codec, Event, tag
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import Entry, Head, JournalReader
from alphalab.errors import JournalError, ParameterError
from alphalab.types import FloatArray

OFF = "off"
VARIABLE = "ALPHALAB_TRIALS"
_NAMED = "name:"
_MARKS = (".alphalab", ".git", "pyproject.toml")


class Trial(Event, frozen=True, tag=tag(1)):
    """One run: a backtest is one trial, a sweep as many as it has columns.

    Attributes
    ----------
    run : str
        ``backtest``, ``sweep``, ``search``, ``walk_forward`` or ``validate``.
    family : str
        `alphalab.artifact.identity.family_id`, or ``name:NAME`` where the user named one. Of
        expressions of several families: a hash of their ids.
    members : bytes
        `member_ids` of those families; empty: there is one.
    strategy : str
        Name of the class.
    strategy_id : str
        Of a backtest `alphalab.artifact.identity.strategy_id`; of others empty.
    parameters : str
        Canonical JSON of the parameters, or of what was varied.
    data, settings : str
        `Bars.id` and `RunSettings.id`.
    n_columns, n_rows : int
        Columns that were run, and rows of the data.
    periods_per_year : float
    sharpe_mean, sharpe_variance, sharpe_best : float
        Over the columns whose Sharpe ratio is defined, per row, not annualised; variance with ddof
        1. NaN: there are too few.
    n_sharpes : int
        How many these are.
    segments : bytes
        `packed` sums of the columns' returns; empty: not kept.
    digest : str
        Of the result; of a sweep that of its best column.
    """

    run: str
    family: str
    members: bytes
    strategy: str
    strategy_id: str
    parameters: str
    data: str
    settings: str
    n_columns: int
    n_rows: int
    periods_per_year: float
    sharpe_mean: float
    sharpe_variance: float
    sharpe_best: float
    n_sharpes: int
    segments: bytes
    digest: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells two trials apart: the same run repeated is one trial."""
        key = self.strategy_id or self.parameters
        return (self.strategy, key, self.data, self.settings, str(self.n_columns))

    def is_of(self, family: str) -> bool:
        """Return whether a family, or one of its members, is among what was tried."""
        if family == self.family:
            return True
        is_id = bool(self.members) and not family.startswith(_NAMED)
        return is_id and member_ids([family]) in _chunks(self.members)


TRIAL_EVENTS = Codec("trials", Trial)


class Family(NamedTuple):
    """What a ledger knows of one hypothesis.

    Attributes
    ----------
    name : str
    n_runs, n_trials : int
        Rows of the ledger, and different columns that were tried. A run that was repeated on the
        same data with the same settings counts once.
    sharpe_mean, sharpe_variance : float
        Over all trials, per row, ddof 1; NaN: too few.
    head : Head
        Of the ledger when it was read.
    """

    name: str
    n_runs: int
    n_trials: int
    sharpe_mean: float
    sharpe_variance: float
    head: Head


def member_ids(families: Iterable[str]) -> bytes:
    """Return the first 8 bytes of each of some families' ids, sorted, without repeats.

    Examples
    --------
    >>> member_ids(["ff" * 32, "0a" * 32, "ff" * 32]).hex()
    '0a0a0a0a0a0a0a0affffffffffffffff'
    """
    return b"".join(sorted({bytes.fromhex(name[:16]) for name in families}))


def _chunks(members: bytes) -> set[bytes]:
    return {members[i : i + 8] for i in range(0, len(members), 8)}


def sharpe_moments(sharpes: FloatArray) -> dict[str, float | int]:
    """Return the fields of a `Trial` on Sharpe ratios per row, NaN left out.

    Examples
    --------
    >>> sharpe_moments(np.array([0.5, np.nan, 0.25]))["sharpe_mean"]
    0.375
    """
    known = np.asarray(sharpes, np.float64)
    known = known[np.isfinite(known)]
    return {
        "sharpe_mean": float(known.mean()) if known.size else np.nan,
        "sharpe_variance": float(known.var(ddof=1)) if known.size > 1 else np.nan,
        "sharpe_best": float(known.max()) if known.size else np.nan,
        "n_sharpes": int(known.size),
    }


def packed(sums: FloatArray) -> bytes:
    """Return segment sums as compressed bytes.

    Parameters
    ----------
    sums : ndarray of shape (3, S, M)
        Sum of returns, sum of their squares, and rows, of S segments and M columns. Kept as
        float32.

    Examples
    --------
    >>> unpacked(packed(np.ones((3, 2, 4)))).shape
    (3, 2, 4)
    """
    values = np.asarray(sums, "<f4")
    shape = np.array(values.shape, "<u4")
    return shape.tobytes() + zlib.compress(values.tobytes(), 1)


def unpacked(data: bytes) -> FloatArray:
    """Return the segment sums that `packed` made bytes of, (3, S, M).

    Raises
    ------
    JournalError
        Bytes that it did not make.
    """
    try:
        shape = tuple(int(n) for n in np.frombuffer(data[:12], "<u4"))
        # One byte more than the shape says is enough to see that there is too much.
        stream = zlib.decompressobj()
        raw = stream.decompress(data[12:], 4 * int(np.prod(shape, dtype=np.int64)) + 1)
        if not stream.eof or len(shape) != 3:
            raise ValueError("they are cut, or longer than they say")
        return np.frombuffer(raw, "<f4").astype(np.float64).reshape(shape)
    except (zlib.error, ValueError) as error:
        raise JournalError(f"segment sums that cannot be read: {error}") from None


def ledger_path() -> Path | None:
    """Return the file of the ledger; None: it is off."""
    said = os.environ.get(VARIABLE, "")
    if said.lower() == OFF:
        return None
    if said:
        return Path(said).expanduser()
    here = Path.cwd()
    root = next((p for p in (here, *here.parents) if any((p / m).exists() for m in _MARKS)), here)
    return root / ".alphalab" / "trials.sqlite"


_FAMILY: ContextVar[str] = ContextVar("family", default="")
_COUNTED: ContextVar[bool] = ContextVar("counted", default=True)


@contextlib.contextmanager
def trial_family(name: str) -> Iterator[None]:
    """Count the runs inside under one name, whatever their strategies.

    Raises
    ------
    ParameterError
        An empty name.

    Examples
    --------
    >>> with trial_family("momentum"):
    ...     family_name("0" * 64)
    'name:momentum'
    """
    if not name.strip():
        raise ParameterError("a family without a name", rule="a name has at least one letter.")
    before = _FAMILY.set(name)
    try:
        yield
    finally:
        _FAMILY.reset(before)


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """Count no run inside: whoever runs them counts them as one."""
    before = _COUNTED.set(False)
    try:
        yield
    finally:
        _COUNTED.reset(before)


def family_name(family: str) -> str:
    """Return the name that the user gave, or the identity of the family."""
    name = _FAMILY.get()
    return f"{_NAMED}{name}" if name else family


def is_counting() -> bool:
    """Return whether a run has to be recorded."""
    return _COUNTED.get() and ledger_path() is not None


class _Open(NamedTuple):
    journal: Journal
    file: tuple[int, int]


# Opening costs a few milliseconds and closing merges the log: so each process keeps it open.
_OPEN: dict[Path, _Open] = {}
_LOCK = threading.Lock()
_OF_PARENT: list[_Open] = []  # never closed: the parent goes on with them


def check_ledger() -> None:
    """Open the ledger, so that a run that could not be counted fails before its work.

    Raises
    ------
    JournalError
        A file that is no ledger, is damaged at its end, or cannot be written.
    """
    path = ledger_path()
    if path is not None and _COUNTED.get():
        with _LOCK, _remedy():
            _journal(path)


def record(trial: Trial, *, time: int) -> Head | None:
    """Append a trial at a time (ns UTC); return the head of the ledger, None if it is off.

    Raises
    ------
    JournalError
        A file that is no ledger, is damaged at its end, or cannot be written.
    """
    path = ledger_path()
    if path is None:
        return None
    with _LOCK, _remedy():
        return _journal(path).write([(time, trial)], durable=False)


def _journal(path: Path) -> Journal:
    """Return the open journal of a path, if its file is still the same one."""
    known = _OPEN.get(path)
    if known is not None:
        if _file(path) == known.file and not known.journal.failure:
            return known.journal
        _OPEN.pop(path).journal.close()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{path.parent}: {error.strerror}") from None
    journal = Journal(path, TRIAL_EVENTS, shared=True)
    _OPEN[path] = _Open(journal, _file(path) or (0, 0))
    return journal


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _remedy() -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        error.add_note(f"the trial ledger: {VARIABLE} names another file, or says {OFF}")
        raise


def close_ledgers() -> None:
    """Close the ledgers that this process has open; the next record opens them again."""
    with _LOCK:
        for known in _OPEN.values():
            known.journal.close()
        _OPEN.clear()


def _forget() -> None:
    """Leave the connections of a parent process alone: SQLite's do not survive a fork."""
    global _LOCK
    _LOCK = threading.Lock()
    _OF_PARENT.extend(_OPEN.values())
    _OPEN.clear()


atexit.register(close_ledgers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def read_trials(path: Path | None = None) -> Iterator[tuple[Entry, Trial]]:
    """Yield the trials of a ledger, in order; nothing where there is no ledger.

    Raises
    ------
    JournalError
        A file that is no ledger, or that cannot be read.
    """
    path = ledger_path() if path is None else path
    if path is None or not path.exists():
        return
    with JournalReader(path, TRIAL_EVENTS) as reader:
        for entry, event in reader.events():
            assert isinstance(event, Trial)
            yield entry, event


def family_of(trials: Iterable[tuple[Entry, Trial]], family: str) -> Family:
    """Return what is known of one family; runs over several families count for each of them."""
    head, n_runs = Head(0, b""), 0
    different: dict[tuple[str, ...], Trial] = {}
    for entry, trial in trials:
        head = Head(entry.seq, entry.hash)
        if trial.is_of(family):
            different[trial.identity] = trial
            n_runs += 1
    tried = list(different.values())
    n_trials = sum(trial.n_columns for trial in tried)
    return Family(family, n_runs, n_trials, *_pooled(tried), head)


def families(trials: Sequence[tuple[Entry, Trial]]) -> list[Family]:
    """Return what is known of every family, in the order of their first runs."""
    names = dict.fromkeys(trial.family for _, trial in trials)
    return [family_of(trials, name) for name in names]


def _pooled(trials: list[Trial]) -> tuple[float, float]:
    """Return mean and variance (ddof 1) of all Sharpe ratios from those of each run."""
    some = [trial for trial in trials if trial.n_sharpes]
    n = sum(trial.n_sharpes for trial in some)
    if n == 0:
        return np.nan, np.nan
    mean = sum(trial.n_sharpes * trial.sharpe_mean for trial in some) / n
    squares = sum(
        (0.0 if trial.n_sharpes == 1 else (trial.n_sharpes - 1) * trial.sharpe_variance)
        + trial.n_sharpes * (trial.sharpe_mean - mean) ** 2
        for trial in some
    )
    return mean, squares / (n - 1) if n > 1 else np.nan
