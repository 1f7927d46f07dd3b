"""Results of a sweep on disk: finished columns are saved at once, and not run again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np

from alphalab.core.columns import column_type
from alphalab.errors import InputError, StateError
from alphalab.types import FloatArray, Records

_APPLICATION = 0x616C7068  # "alph", in the header of every file of ours
_MAGIC = b"SQLite format 3\0"
_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION};
CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE columns (
    key BLOB PRIMARY KEY,   -- identity of strategy, parameters and settings
    params TEXT NOT NULL,   -- JSON
    metrics TEXT NOT NULL,  -- JSON, for people; null: unknown
    tally BLOB NOT NULL     -- exact sums that the metrics are computed from
);
"""
_SECONDS = 30.0  # to wait for another process that reads or writes


class SaveError(StateError):
    """Finished columns could not be saved; columns saved before are kept."""


class ResultsFile:
    """Finished columns of sweeps over the same data, in one SQLite file.

    `save` is one transaction, on the disk when it returns: saved columns survive a killed process
    and a full disk. Other processes can read the file with SQL meanwhile.

    Parameters
    ----------
    path : str or Path
        Created if it does not exist; its folder has to exist.
    header : mapping of str to str
        Properties that all columns share, such as the identity of the bars. The layout of a tally
        is added.
    n_segments : int
        Segments whose sums the tallies hold.

    Raises
    ------
    InputError
        A file that cannot be opened or written, is damaged, is not a results file, or has another
        header. The file is not changed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ResultsFile(Path(folder) / "sma.db", {"bars": "4f2a"}) as file:
    ...         tallies = np.zeros(1, column_type(0))
    ...         file.save([b"key"], [{"fast": 5}], tallies, {"sharpe": np.ones(1)})
    ...     with ResultsFile(Path(folder) / "sma.db", {"bars": "4f2a"}) as file:
    ...         sorted(file.finished([b"key", b"another"]))
    [b'key']
    """

    def __init__(self, path: str | Path, header: Mapping[str, str], *, n_segments: int = 0) -> None:
        self.path = Path(path).expanduser()
        self._type = column_type(n_segments)
        layout = hashlib.blake2b(repr(self._type.descr).encode(), digest_size=8).hexdigest()
        header = {**header, "segments": str(n_segments), "layout": layout}
        self._look()
        try:
            self._file = sqlite3.connect(self.path, timeout=_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            # The first read rolls back a transaction that was interrupted.
            self._file.execute("SELECT count(*) FROM sqlite_schema")
            if self._file.execute("PRAGMA page_count").fetchone() == (0,):
                self._create(header)
            self._check(header)
        except sqlite3.Error as error:
            self.close()
            raise self._unusable(error) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def finished(self, keys: Iterable[bytes]) -> dict[bytes, np.void]:
        """Return the tallies of the columns that are saved.

        Returns
        -------
        dict of bytes to record of `alphalab.core.columns.column_type`
        """
        wanted = set(keys)
        try:
            rows = self._file.execute("SELECT key, tally FROM columns").fetchall()
            return {
                key: np.frombuffer(tally, self._type)[0] for key, tally in rows if key in wanted
            }
        except (sqlite3.Error, ValueError, IndexError) as error:
            raise self._unusable(error) from None

    def save(
        self,
        keys: Sequence[bytes],
        params: Sequence[Mapping[str, Any]],
        tallies: Records,
        metrics: Mapping[str, FloatArray],
    ) -> None:
        """Save finished columns, all or none.

        Parameters
        ----------
        keys : sequence of bytes
            Identities of C columns; a saved column with the same key is replaced.
        params : sequence of mapping
            Their swept parameters.
        tallies : records of shape (C,)
            `alphalab.core.columns.column_type` of the number of segments.
        metrics : mapping of str to ndarray of shape (C,)
            Metrics by name, for people who query the file; alphalab reads the tallies.

        Raises
        ------
        SaveError
            A full disk, or a file that another program has locked or removed.
        """
        figures = {name: np.asarray(values).tolist() for name, values in metrics.items()}
        rows = [
            (
                key,
                _json(params[i]),
                _json({name: values[i] for name, values in figures.items()}),
                tallies[i].tobytes(),
            )
            for i, key in enumerate(keys)
        ]
        try:
            with self._transaction():
                self._file.executemany("INSERT OR REPLACE INTO columns VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise SaveError(
                f"results file {self.path}: {error}",
                rule="columns saved before are kept.",
                fix="Free disk space or give another file; with the same file the sweep continues.",
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:  # SQLite has rolled back by itself when the disk is full
                self._file.execute("ROLLBACK")
            raise

    def _look(self) -> None:
        """Refuse a file that is not SQLite, before SQLite opens it."""
        if not self.path.parent.is_dir():
            raise self._refused(f"there is no folder {self.path.parent}", "Make it.")
        if self.path.is_dir():
            raise self._refused("it is a folder", "Give the name of a file in it.")
        try:
            with self.path.open("rb") as file:
                start = file.read(len(_MAGIC))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._refused(str(error.strerror), "Give another file.") from None
        if start not in (b"", _MAGIC):
            raise self._refused("it is not a results file", "Give another file.")

    def _create(self, header: Mapping[str, str]) -> None:
        from importlib import metadata

        self._file.executescript(_SCHEMA)
        rows = [*header.items(), ("alphalab", metadata.version("alphalab"))]
        self._file.executemany("INSERT INTO header VALUES (?, ?)", rows)
        self._file.execute("COMMIT")

    def _check(self, header: Mapping[str, str]) -> None:
        """Refuse a file of another program, a damaged file, and a read-only file."""
        if self._file.execute("PRAGMA application_id").fetchone() != (_APPLICATION,):
            raise self._refused("it is an SQLite file of another program", "Give another file.")
        if (check := self._file.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
            raise self._refused(f"it is damaged: {check[0]}", "Give another file.")
        there = dict(self._file.execute("SELECT name, value FROM header").fetchall())
        for name, value in header.items():
            if there.get(name) != value:
                raise self._refused(
                    f"it holds results for {name} {there.get(name)}, these are for {value}",
                    "Give another file, or delete this one.",
                )
        self._file.execute("BEGIN IMMEDIATE")  # fails if the file or its journal cannot be written
        self._file.execute("INSERT INTO header VALUES ('', '')")
        self._file.execute("ROLLBACK")

    def _refused(self, reason: str, fix: str) -> InputError:
        return InputError(
            f"results file {self.path}: {reason}",
            rule="a results file is writable, and of the same data and release.",
            fix=fix,
        )

    def _unusable(self, error: Exception) -> InputError:
        return self._refused(str(error), "Give another file.")


def _json(values: Mapping[str, Any]) -> str:
    """Return values as JSON; NaN becomes null, other types become text."""
    return msgspec.json.encode(dict(values), enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
