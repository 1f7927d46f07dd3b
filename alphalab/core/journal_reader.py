"""Read and verify a journal: an append-only, hash-chained log of events in one SQLite file.

The file holds four tables::

    meta      key, value                       what the journal is for; fixed when it is made
    event     seq, time, kind, payload, hash   one row an event, seq = 1, 2, 3, ...
    snapshot  seq, engine, state, hash         state of an engine after event `seq`
    head      seq, hash                        the last event; one row

``hash`` is SHA-256 over the hash before, seq, time, kind and payload; before the first event it is
the hash of `meta`. So a changed event is found, and named, by reading the chain. An attacker who
rewrites all that follows, or cuts the tail and the head with it, is found only by a head that was
kept elsewhere: give it to `JournalReader.verify`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from alphalab.core.event_codec import Codec, Event
from alphalab.errors import JournalError

FORMAT = "1"
WAIT_SECONDS = 30.0
_PAGE = 4096  # events read at a time: a reader holds no lock in between
_ROW = struct.Struct(">qqq")


class Head(NamedTuple):
    """The last event of a journal: how many there are, and the hash of the chain.

    Examples
    --------
    >>> str(Head(3, bytes(32)))[:6]
    '3:0000'
    """

    seq: int
    hash: bytes

    def __str__(self) -> str:
        """Return ``SEQ:HASH``, the hash hexadecimal."""
        return f"{self.seq}:{self.hash.hex()}"


class Entry(NamedTuple):
    """One event as it stands in a journal; `time` is in ns UTC."""

    seq: int
    time: int
    kind: int
    payload: bytes
    hash: bytes


class Damage(NamedTuple):
    """The first thing in a journal that is not as it was written."""

    seq: int
    what: str

    def __str__(self) -> str:
        return f"row {self.seq}: {self.what}"


def chained(previous: bytes, seq: int, time: int, kind: int, payload: bytes) -> bytes:
    """Return the hash of an event that follows the hash `previous`.

    Examples
    --------
    >>> chained(bytes(32), 1, 0, 1, b"").hex()[:16]
    'e8837af8736ab45a'
    """
    return hashlib.sha256(previous + _ROW.pack(seq, time, kind) + payload).digest()


def genesis(meta: Mapping[str, str]) -> bytes:
    """Return the hash that the first event follows: that of the meta."""
    return hashlib.sha256(msgspec.json.encode(sorted(meta.items()))).digest()


def snapshot_hash(event_hash: bytes, engine: str, state: bytes) -> bytes:
    """Return the hash of an engine's state after the event with a hash."""
    return hashlib.sha256(event_hash + engine.encode() + b"\0" + state).digest()


class JournalReader:
    """Read a journal, also while another process writes it.

    Parameters
    ----------
    path : Path
    codec : Codec, optional
        Not given: events are read as bytes only.

    Attributes
    ----------
    meta : dict of str to str
        What the journal is of.

    Raises
    ------
    JournalError
        No such file, one that is no journal, or one of another codec or format.
    """

    def __init__(self, path: Path | str, codec: Codec | None = None) -> None:
        self.path = Path(path)
        self.codec = codec
        if not self.path.is_file():
            raise JournalError(f"there is no journal {self.path}", fix="Check the path.")
        self._sql = _read_only(self.path)
        try:
            self.meta = self._read_meta()
        except BaseException:
            self._sql.close()
            raise

    @property
    def head(self) -> Head:
        """The last event; of an empty journal seq 0 and the hash of its meta."""
        with self._reading():
            row = self._sql.execute("select seq, hash from head").fetchone()
        if row is None:
            raise JournalError(
                f"{self.path} has lost its head", rule="a journal names its last event."
            )
        return Head(*row)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield the events behind row `after`, in order.

        Raises
        ------
        JournalError
            A part of the file that cannot be read; the message names the last row before it.
        """
        for page in self._pages(after):
            yield from map(Entry._make, page)

    def _pages(self, after: int = 0) -> Iterator[list[tuple[int, int, int, bytes, bytes]]]:
        """Yield the columns of `Entry` of the events behind row `after`, many rows at a time."""
        last = after
        while True:
            with self._reading(last):
                page = self._sql.execute(
                    "select seq, time, kind, payload, hash from event"
                    " where seq > ? order by seq limit ?",
                    (last, _PAGE),
                ).fetchall()
            if not page:
                return
            yield page
            last = page[-1][0]

    def events(self, after: int = 0) -> Iterator[tuple[Entry, Event]]:
        """Yield the events behind row `after` with their contents, in their current version.

        Raises
        ------
        JournalError
            An event that the codec does not know, or the reader has no codec.
        """
        codec = self.codec
        if codec is None:
            raise JournalError(f"{self.path} was opened without a codec", fix="Give one.")
        for entry in self.entries(after):
            try:
                yield entry, codec.decode(entry.payload)
            except JournalError as error:
                error.add_note(f"row {entry.seq} of {self.path}")
                raise

    def latest_snapshot(self, engine: str) -> tuple[int, bytes] | None:
        """Return the row that the last state of an engine follows, and the state; None: no state.

        Raises
        ------
        JournalError
            A snapshot that was changed.
        """
        with self._reading():
            row = self._sql.execute(
                "select s.seq, s.state, s.hash, e.hash from snapshot s left join event e"
                " using (seq) where engine = ? order by s.seq desc limit 1",
                (engine,),
            ).fetchone()
        if row is None:
            return None
        seq, state, found, event_hash = row
        if event_hash is None or found != snapshot_hash(event_hash, engine, state):
            raise JournalError(
                f"{self.path}: the snapshot after row {seq} was changed",
                fix="Replay the journal from its start.",
            )
        return seq, state

    def verify(self, expected: Head | None = None) -> Damage | None:
        """Check every row, the head and the snapshots; return the first damage, or None.

        Parameters
        ----------
        expected : Head, optional
            A head that was kept elsewhere: the journal has to contain it. Without one, a journal
            that was cut or rewritten as a whole cannot be told from a shorter or another one.
        """
        last = 0
        digest = genesis(self.meta)
        try:
            # A writer may append while this reads: the head is taken first, and again at the end.
            head = self.head
            wanted = {seq: known for seq, known in (head, expected or head) if seq}
            for seq, time, kind, payload, found in chain.from_iterable(self._pages()):
                if seq != last + 1:
                    return Damage(last + 1, f"missing; row {seq} follows")
                digest = chained(digest, seq, time, kind, payload)
                if found != digest:
                    what = "changed, or the hash of the row before: the chain breaks here"
                    return Damage(seq, what)
                if seq in wanted and wanted[seq] != digest:
                    return Damage(seq, "not the event that a head names")
                last = seq
            if (most := max(wanted, default=0)) > last:
                what = f"missing, and all that followed: the journal had {most} rows"
                return Damage(last + 1, what)
            head = self.head
            if last > head.seq:
                return Damage(head.seq + 1, "behind the head: it was not written by a journal")
            if last == head.seq and digest != head.hash:
                return Damage(last, "not the event that a head names")
            return self._damaged_snapshot()
        except JournalError as error:
            return Damage(last + 1, error.what)

    def _damaged_snapshot(self) -> Damage | None:
        with self._reading():
            rows = self._sql.execute(
                "select s.seq, s.engine, s.state, s.hash, e.hash"
                " from snapshot s left join event e using (seq) order by s.seq"
            )
            for seq, engine, state, found, event_hash in rows:
                if event_hash is None or found != snapshot_hash(event_hash, engine, state):
                    return Damage(seq, f"the snapshot of engine {engine[:12]} was changed")
        return None

    def _read_meta(self) -> dict[str, str]:
        """Return the meta of a journal that this can read; refuse all else."""
        try:
            meta = dict(self._sql.execute("select key, value from meta"))
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from None
        if meta.get("format") != FORMAT:
            raise JournalError(
                f"{self.path} has format {meta.get('format')!r}",
                rule=f"this alphalab reads format {FORMAT!r}.",
            )
        if self.codec is not None and meta.get("codec") != self.codec.name:
            raise JournalError(
                f"{self.path} is a journal of {meta.get('codec')!r}, not of {self.codec.name!r}",
                fix="Check the path.",
            )
        return meta

    @contextlib.contextmanager
    def _reading(self, last: int = 0) -> Iterator[None]:
        """Turn an error of SQLite into one that names the last row before it."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(
                f"{self.path} cannot be read behind row {last}: {error}",
                rule="a journal is a whole SQLite file.",
                fix=f"Save the rows before with: alphalab journal export --until {last}",
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def unreadable(path: Path, error: sqlite3.Error) -> JournalError:
    """Return the error of a file that SQLite cannot open as a journal."""
    return JournalError(
        f"{path}: {error}",
        rule="a journal is a SQLite file that alphalab made.",
        fix="Check the path, its permissions and the disk.",
    )


def _read_only(path: Path) -> sqlite3.Connection:
    """Open a database to read; in a folder that nobody can write, as a file that never changes."""
    url = f"{path.resolve().as_uri()}?mode=ro"
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        url += "&immutable=1"
    try:
        sql = sqlite3.connect(url, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
        sql.execute("select 1 from sqlite_schema").fetchone()
        return sql
    except sqlite3.Error as error:
        raise unreadable(path, error) from None
