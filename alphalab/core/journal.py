"""`Journal`: write a journal. The live runner, the trial ledger and agents share this one class.

A write is one transaction. A durable one is on disk when the call returns (SQLite's
``synchronous=FULL``). Any other survives the death of the process; when the machine loses power it
may be lost, whole and with all that followed.
"""

from __future__ import annotations

import contextlib
import operator
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from alphalab.core.event_codec import Codec, Event
from alphalab.core.journal_reader import (
    FORMAT,
    WAIT_SECONDS,
    Head,
    JournalReader,
    chained,
    genesis,
    snapshot_hash,
    unreadable,
)
from alphalab.errors import JournalError

_TABLES = (
    "create table meta (key text primary key, value text not null) strict",
    "create table event (seq integer primary key, time integer not null, kind integer not null,"
    " payload blob not null, hash blob not null) strict",
    "create table snapshot (seq integer not null, engine text not null, state blob not null,"
    " hash blob not null, primary key (seq, engine)) strict",
    "create table head (one integer primary key check (one = 1), seq integer not null,"
    " hash blob not null) strict",
)
_LIMIT = 2**63


class Journal(JournalReader):
    """Write a journal: make a new one, or go on with one that exists.

    Parameters
    ----------
    path : Path
    codec : Codec
    meta : mapping of str to str
        What a new journal is of; one that exists must say the same under these keys.
    shared : bool
        False: this is the one writer until `close`, and a second one is refused. True: several
        processes may append, and each write takes its place behind what the others wrote.

    Attributes
    ----------
    failure : str
        Why it takes no more; empty while it does.

    Raises
    ------
    JournalError
        Another process writes it; it is no journal, or one of something else; its last event does
        not fit its head.

    Notes
    -----
    Not for several threads at once; they may take turns.

    Examples
    --------
    >>> import tempfile
    >>> from alphalab.core.events import RUN_EVENTS, State
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Journal(Path(folder) / "run.journal", RUN_EVENTS) as journal:
    ...         head = journal.write([(10, State(before="", after="LOADING", reason="start"))])
    ...         print(head.seq, journal.verify())
    1 None
    """

    codec: Codec

    def __init__(
        self,
        path: Path | str,
        codec: Codec,
        *,
        meta: Mapping[str, str] | None = None,
        shared: bool = False,
    ) -> None:
        self.path = Path(path)
        self.codec = codec
        if not self.path.parent.is_dir():
            raise JournalError(f"{self.path}: there is no such folder", fix="Make it first.")
        self.failure = ""
        self._is_durable: bool | None = None
        # A file of its own: closing a second handle of the database would drop SQLite's locks.
        self._lock = FileLock(f"{self.path}.lock", fallback_to_soft=False, thread_local=False)
        self._acquire(wait=shared)
        try:
            self._sql = _writable(self.path)
            self._open(dict(meta or {}), shared)
            if shared:  # only making it is exclusive; a transaction protects each write
                self._lock.release()
        except BaseException:
            self.close()
            raise

    def _acquire(self, *, wait: bool) -> None:
        try:
            self._lock.acquire(timeout=WAIT_SECONDS if wait else 0, poll_interval=0.002)
        except Timeout:
            raise JournalError(
                f"{self.path} is written by another process",
                rule="a journal has one writer.",
                fix="Stop the other one first; reading needs no stop.",
            ) from None
        except OSError as error:
            raise JournalError(
                f"{self.path}: {error.strerror}", fix="Choose a folder that can be written."
            ) from None

    def _open(self, given: dict[str, str], shared: bool) -> None:
        meta = {"format": FORMAT, "codec": self.codec.name, "shared": str(shared).lower(), **given}
        with self._writing(durable=True):
            is_new = self._sql.execute("select 1 from sqlite_schema").fetchone() is None
            if is_new:
                _create(self._sql, meta)
            self.meta = self._read_meta()
            for key, value in meta.items():
                if self.meta.get(key) != value:
                    raise JournalError(
                        f"{self.path}: {key} is {self.meta.get(key)!r}, not {value!r}",
                        rule="a journal goes on with what it was made for.",
                        fix="Choose another file.",
                    )
            self._last = self._checked_head()
        if is_new:  # the tables are in the main file, and its name is on the disk, before any event
            self._sql.execute("pragma wal_checkpoint(truncate)")
            sync_folder(self.path.parent)

    def _checked_head(self) -> Head:
        """Return the head, or refuse to go on behind a last event that is not the one it names."""
        rows = self._sql.execute(
            "select seq, time, kind, payload, hash from event order by seq desc limit 2"
        ).fetchall()
        previous = rows[1][4] if len(rows) == 2 else genesis(self.meta)
        last = Head(rows[0][0], chained(previous, *rows[0][:4])) if rows else Head(0, previous)
        head = self.head
        if last != head:
            raise JournalError(
                f"{self.path}: row {last.seq} is not the last event that was written "
                f"(row {head.seq})",
                rule="a journal is continued only behind its own last event.",
                fix=f"Look at it with: alphalab journal verify {self.path}",
            )
        return head

    def write(self, events: Sequence[tuple[int, Event]], *, durable: bool = True) -> Head:
        """Append events in one transaction: all of them, or none.

        Parameters
        ----------
        events : sequence of (time, event)
            The time of each in ns UTC; it may go back.
        durable : bool
            True: they are on disk when this returns. False: a power cut may lose them.

        Returns
        -------
        Head
            That of the last one.

        Raises
        ------
        JournalError
            The disk is full or fails, or another process has written. Nothing of the call is kept,
            all before it is, and this journal takes no more: a failed sync cannot be repeated.
        """
        encoded = [(_checked_time(time), *self.codec.encode(event)) for time, event in events]
        with self._writing(durable):
            seq, last = self._current_head()
            rows = []
            for time, kind, payload in encoded:
                seq += 1
                last = chained(last, seq, time, kind, payload)
                rows.append((seq, time, kind, payload, last))
            self._sql.executemany("insert into event values (?, ?, ?, ?, ?)", rows)
            self._sql.execute("update head set seq = ?, hash = ?", (seq, last))
        self._last = Head(seq, last)
        return self._last

    def write_snapshot(self, engine: str, state: bytes) -> None:
        """Keep the state of an engine after the last event; a replay may start from it.

        Raises
        ------
        JournalError
            An empty journal, or a disk that fails.
        """
        with self._writing(durable=False):
            seq, last = self._current_head()
            if seq == 0:
                raise JournalError(f"{self.path} is empty", rule="a snapshot follows an event.")
            row = (seq, engine, state, snapshot_hash(last, engine, state))
            self._sql.execute("insert or replace into snapshot values (?, ?, ?, ?)", row)

    def _current_head(self) -> Head:
        head = self.head
        if self.meta["shared"] == "false" and head != self._last:
            raise JournalError(
                f"{self.path} ends with row {head.seq}, its writer left it at row {self._last.seq}",
                rule="a journal has one writer.",
                fix="Open it again, and see who else writes it.",
            )
        return head

    @contextlib.contextmanager
    def _writing(self, durable: bool) -> Iterator[None]:
        """Run one transaction; after a failure of the disk the journal takes no more."""
        if self.failure:
            raise JournalError(
                f"{self.path} takes no more after: {self.failure}",
                rule="a write that failed is not repeated: what reached the disk is unknown.",
                fix="Make room, and open it again.",
            )
        try:
            if durable is not self._is_durable:
                self._sql.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
                self._is_durable = durable
            self._sql.execute("begin immediate")
            try:
                yield
                self._sql.execute("commit")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._sql.execute("rollback")
                raise
        except sqlite3.Error as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise JournalError(
                    f"{self.path} was locked by another process for {WAIT_SECONDS:g} s",
                    rule="one process writes at a time.",
                    fix="Find and stop what holds it.",
                ) from None
            self.failure = str(error)
            raise JournalError(
                f"{self.path}: {error}; nothing of this write was kept, all before it is",
                rule="a journal writes whole transactions.",
                fix="Make room or repair the disk, and open it again.",
            ) from None

    def close(self) -> None:
        """Close the file and let others write."""
        if hasattr(self, "_sql"):
            self._sql.close()
        self._lock.release()


def _create(sql: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    for statement in _TABLES:
        sql.execute(statement)
    sql.executemany("insert into meta values (?, ?)", sorted(meta.items()))
    sql.execute("insert into head values (1, 0, ?)", (genesis(meta),))


def _writable(path: Path) -> sqlite3.Connection:
    try:
        sql = sqlite3.connect(
            path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        (mode,) = sql.execute("pragma journal_mode = wal").fetchone()
    except sqlite3.Error as error:
        raise unreadable(path, error) from None
    if mode != "wal":  # a network drive without shared memory, for one
        sql.close()
        raise JournalError(
            f"{path}: SQLite cannot keep a write-ahead log there",
            rule="readers read while one writes.",
            fix="Choose a folder on a local disk.",
        )
    return sql


def _checked_time(time: int) -> int:
    number = operator.index(time)
    if not -_LIMIT <= number < _LIMIT:
        raise JournalError(f"time {number}", rule="a time is int64 ns UTC.")
    return number


def sync_folder(folder: Path) -> None:
    """Make the name of a new file durable, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
