"""`VersionedTables`: Delta Lake tables with versions, in a folder or in an object store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from alphalab.data.clock.times import Instant
from alphalab.data.store.address import default_store_url, place_of
from alphalab.data.store.choice import condition, span
from alphalab.data.store.delta import dataset_of, open_table
from alphalab.data.store.failures import in_our_words
from alphalab.data.store.log import Commit, Series, commits_of, series_of
from alphalab.data.store.order import order_of
from alphalab.data.store.tables import TABLES, Table, table_named
from alphalab.data.store.writing import Written, restore, write
from alphalab.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

# Time out after seconds if an object store does not answer; deltalake's default is minutes.
_PATIENCE = {"max_retries": "5", "retry_timeout": "10s"}


class VersionedTables:
    """Delta Lake tables with versions: write, read, restore and list.

    `Store` documents the parameters. Code that reads tables takes this type.
    """

    url: str

    def __init__(
        self, url: str | Path | None = None, *, options: Mapping[str, str] | None = None
    ) -> None:
        text = default_store_url() if url is None else str(url)
        self.url = place_of(text)
        self._options = {**(_PATIENCE if "://" in self.url else {}), **(options or {})}

    def __repr__(self) -> str:
        """Return the address."""
        return f"<{type(self).__name__} {self.url}>"

    def write(
        self,
        table: str,
        rows: pa.Table,
        *,
        revise: bool = False,
        record: Mapping[str, Any] | None = None,
    ) -> Written:
        """Add rows to a table in one commit, or change nothing.

        Rows that are stored with equal values change nothing: a second run of an ingestion makes no
        version. Several processes may write at once.

        Parameters
        ----------
        table : str
            A name in `alphalab.data.store.tables.TABLES`.
        rows : pyarrow.Table
            The columns and the rows in any order. Times are timestamps with a zone; NaN and null
            both mean unknown. Optional columns may be missing: new rows get null, revised rows
            keep their stored values.
        revise : bool
            True to replace stored rows of the same key with other values; their partitions are
            rewritten.
        record : mapping, optional
            Metadata of the version, kept as JSON: source, repairs. No secrets.

        Returns
        -------
        Written

        Raises
        ------
        DataError
            A row that does not fit the table, or a stored key with other values unless `revise`:
            the message names the first, with both values. Nothing is written.
        UnknownNameError
            No such table or column.

        Notes
        -----
        Needs about ten times the memory of the rows: write large sources in parts of a million
        rows.
        """
        return write(
            table_named(table),
            self._url(table),
            rows,
            options=self._options,
            revise=revise,
            record=record or {},
        )

    def restore(self, table: str, version: int) -> int:
        """Make a new version with the content of an old one.

        The versions in between stay, and can be read or restored as before. The record of the new
        one is ``{"restored": version}``.

        Parameters
        ----------
        table : str
            A name in `alphalab.data.store.tables.TABLES`.
        version : int

        Returns
        -------
        int
            The new version, or the newest one if it has that content already.

        Raises
        ------
        DataError
            No such version, deleted files, or another writer was faster. Nothing is restored.
        UnknownNameError
            No such table.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> folder = TemporaryDirectory()
        >>> store = VersionedTables(folder.name)
        >>> row = {"venue": ["x"], "symbol": ["A"], "rate": [0.1]}
        >>> for day in (1, 2):
        ...     time = pa.array([day * 86_400], pa.timestamp("s", "UTC"))
        ...     version = store.write("funding", pa.table({**row, "time": time})).version
        >>> store.restore("funding", 0), store.read("funding").num_rows
        (2, 1)
        >>> folder.cleanup()
        """
        return restore(table_named(table), self._url(table), version, self._options)

    def read(
        self,
        table: str,
        *,
        where: Mapping[str, str | Sequence[str]] | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        columns: str | Sequence[str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows of a table, sorted by its key.

        Parameters
        ----------
        table : str
        where : mapping, optional
            Columns of text, each with the value or the values that rows have.
        start, end : str, date, datetime or datetime64, optional
            Rows whose time (of instruments and universes: start) lies between them, both included;
            a bare date as `end` includes its whole day.
        columns : str or sequence of str, optional
            Only these, in this order.
        version : int, optional
            Not given: the newest.

        Returns
        -------
        pyarrow.Table
            Empty, with the columns of the table, if the table does not exist.

        Raises
        ------
        DataError
            No such version, a value in `where` that is no text, or a store that cannot be read.
        UnknownNameError
            No such table or column; near names are suggested.
        """
        kind = table_named(table)
        columns = [columns] if isinstance(columns, str) else columns
        with in_our_words(self._url(table)):
            dataset = self.dataset(table, version, where=where, start=start, end=end)
            _check_columns(table, dataset.schema, where or {}, columns or ())
            shown = list(dataset.schema.names if columns is None else columns)
            read = [*shown, *(name for name in kind.key if name not in shown)]
            rows = dataset.to_table(read, filter=condition(kind, _texts(where), span(start, end)))
        return rows.select(shown).take(order_of(kind, rows))

    def dataset(
        self,
        table: str,
        version: int | None = None,
        *,
        where: Mapping[str, str | Sequence[str]] | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
    ) -> Dataset:
        """Return the files of a table as a pyarrow dataset; empty if the table does not exist.

        Files without rows of `where`, `start` and `end` (as in `read`) are left out; the caller
        filters the rows of the others. Inside a file, rows are sorted by the key of the table.
        Files of one partition may overlap in time.
        """
        import pyarrow.dataset as ds

        kind = table_named(table)
        there = self._open(kind, version)
        if there is None:
            return ds.dataset(pa.schema(list(kind.columns.items())).empty_table())
        with in_our_words(self._url(table)):
            return dataset_of(kind, there, _texts(where), span(start, end))

    def version(self, table: str) -> int | None:
        """Return the newest version of a table; None if the table does not exist."""
        there = self._open(table_named(table))
        return None if there is None else there.version()

    def tables(self) -> dict[str, int]:
        """Return the existing tables, each with its newest version."""
        found = {name: self.version(name) for name in TABLES}
        return {name: version for name, version in found.items() if version is not None}

    def series(self, table: str, version: int | None = None) -> list[Series]:
        """Return the number of rows, the first and the last time of each partition of a table.

        They come from the log of the table; times are cut to the millisecond.
        """
        kind = table_named(table)
        there = self._open(kind, version)
        with in_our_words(self._url(table)):
            return [] if there is None else series_of(kind, there)

    def history(self, table: str) -> list[Commit]:
        """Return the versions of a table, the newest first; empty if the table does not exist."""
        there = self._open(table_named(table))
        with in_our_words(self._url(table)):
            return [] if there is None else commits_of(there)

    def _url(self, table: str) -> str:
        return f"{self.url}/{table}"

    def _open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        return open_table(table, self._url(table.name), self._options, version)


def _texts(where: Mapping[str, str | Sequence[str]] | None) -> dict[str, list[str]]:
    return {name: _text_list(name, values) for name, values in (where or {}).items()}


def _text_list(name: str, values: str | Sequence[str]) -> list[str]:
    one = isinstance(values, str) or not isinstance(values, Iterable)
    texts: list[Any] = [values] if one else list(values)
    for text in texts:
        if not isinstance(text, str):
            raise DataError(f"where: {name}={text!r}", rule="where holds texts, such as 'AAPL'.")
    return texts


def _check_columns(
    table: str, schema: pa.Schema, where: Iterable[str], columns: Iterable[str]
) -> None:
    for name in (*where, *columns):
        if name not in schema.names:
            raise UnknownNameError(f"column of {table}", name, schema.names)
    for name in where:
        if schema.field(name).type != pa.string():
            raise DataError(
                f"where: {name} is a column of {schema.field(name).type}",
                rule="where is about columns of text.",
            )
