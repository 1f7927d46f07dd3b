"""The trial ledger: every backtest, sweep, search and walk-forward of a project, counted.

It is a journal (`alphalab.core.journal`) that several processes write. The environment variable
``ALPHALAB_TRIALS`` names its file, or says ``off``; not set, it is ``.alphalab/trials.sqlite`` at
the root of the project: the nearest folder upwards that has a ledger, ``.git`` or
``pyproject.toml``, else the current one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from alphalab.artifact.trials import NAMED, TRIAL_EVENTS, Trial
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import Entry, Head, JournalReader
from alphalab.errors import JournalError, ParameterError

OFF = "off"
VARIABLE = "ALPHALAB_TRIALS"
# The folder .alphalab alone is no mark: that of a user holds their keys.
_MARKS = (".alphalab/trials.sqlite", ".git", "pyproject.toml")


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
    return f"{NAMED}{name}" if name else family


def is_counting() -> bool:
    """Return True if a run has to be recorded."""
    return _COUNTED.get() and ledger_path() is not None


def counting_ledger() -> str:
    """Return the file in which a run is counted now, or ``off``; empty: inside of `uncounted`."""
    if not _COUNTED.get():
        return ""
    return str(ledger_path() or OFF)


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
