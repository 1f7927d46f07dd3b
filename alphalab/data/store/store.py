"""`Store`: tables of market data with versions, in a folder or in an object store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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

    from alphalab.data.panel.bars import Bars
    from alphalab.types import Instrument

# An object store that does not answer is told within seconds; deltalake's own default is minutes.
_PATIENCE = {"max_retries": "5", "retry_timeout": "10s"}


class Store:
    """Tables of market data that keep every version of themselves.

    Parameters
    ----------
    url : str or Path, optional
        A folder, or an address such as ``s3://bucket/prefix``. Not given: the environment variable
        ``ALPHALAB_STORE``, else the folder ``data``.
    options : mapping of str to str, optional
        How to reach an object store. Not given: the environment (``AWS_ACCESS_KEY_ID``,
        ``AWS_ENDPOINT_URL``, ...). They are neither stored nor shown.

    Attributes
    ----------
    url : str

    Raises
    ------
    UnknownNameError
        An address of a kind that does not exist.
    DataError
        No bucket, a file where a folder has to be, or a folder that deltalake cannot reach.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> store = Store(folder.name)
    >>> rate = {"venue": "binance", "symbol": "BTC/USDT:USDT", "rate": 0.0001}
    >>> times = pa.array([0, 28_800], pa.timestamp("s", "UTC"))
    >>> rows = pa.Table.from_pylist([rate, rate]).append_column("time", times)
    >>> store.write("funding", rows)
    Written(table='funding', version=0, n_new=2, n_revised=0, n_same=0)
    >>> store.write("funding", rows)
    Written(table='funding', version=0, n_new=0, n_revised=0, n_same=2)
    >>> store.read("funding", end="1970-01-01T07:00").num_rows
    1
    >>> folder.cleanup()
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
        return f"<Store {self.url}>"

    def write(
        self,
        table: str,
        rows: pa.Table,
        *,
        revise: bool = False,
        record: Mapping[str, Any] | None = None,
    ) -> Written:
        """Add rows to a table in one commit, or change nothing.

        Rows that are there already with equal values change nothing: a second run of an ingestion
        makes no version. Several processes may write at once.

        Parameters
        ----------
        table : str
            A name in `alphalab.data.store.tables.TABLES`.
        rows : pyarrow.Table
            The columns of the table in any order, the rows in any order. Times are timestamps with
            a zone; NaN and null are the same, unknown. Optional columns may be missing: new rows
            have null in them, revised rows what is stored.
        revise : bool
            Whether rows of a known key with other values replace the stored ones. Their partitions
            are rewritten.
        record : mapping, optional
            What is kept with the version, as JSON: source, repairs. No secrets.

        Returns
        -------
        Written

        Raises
        ------
        DataError
            A row that the table does not take, or one of a known key with other values unless
            `revise`: the first is named, with both values. Nothing has been written then.
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
        """Undo what came after a version: a new version has its content.

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
            The version that this made; the newest one where it has that content already.

        Raises
        ------
        DataError
            No such version, one whose files are not there any more, or another writer was faster:
            nothing has been restored then.
        UnknownNameError
            No such table.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> folder = TemporaryDirectory()
        >>> store = Store(folder.name)
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
            Empty, with the columns of the table, where the table is not there.

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
        """Return the files of a table as a pyarrow dataset, for scans; none where it is not there.

        Files that cannot hold what `where`, `start` and `end` ask for (as in `read`) are left out;
        rows of the others are to be filtered by whoever reads them. Inside a file, rows are sorted
        by the key of the table. Files of one partition may overlap in time.
        """
        import pyarrow.dataset as ds

        kind = table_named(table)
        there = self._open(kind, version)
        if there is None:
            return ds.dataset(pa.schema(list(kind.columns.items())).empty_table())
        with in_our_words(self._url(table)):
            return dataset_of(kind, there, _texts(where), span(start, end))

    def bars(
        self,
        venue: str,
        interval: str,
        *,
        symbols: Sequence[str] | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        versions: Mapping[str, int | None] | str | int | None = None,
        adjust: Literal["splits", "all"] | None = None,
        as_of: Instant | None = None,
        universe: str | None = None,
        observations: Sequence[str] = (),
    ) -> Bars:
        """Return bars of the store, see `alphalab.data.store.panel.read_bars`."""
        from alphalab.data.store.panel import read_bars

        return read_bars(
            self,
            venue,
            interval,
            symbols=symbols,
            start=start,
            end=end,
            versions=versions,
            adjust=adjust,
            as_of=as_of,
            universe=universe,
            observations=observations,
        )

    def instruments(self, venue: str, at: Instant | None = None) -> tuple[Instrument, ...]:
        """Return the instruments of a venue as they were at an instant; not given: as they are.

        Symbols that the venue did not have yet are not among them.
        """
        from alphalab.data.panel.instruments import instruments_at

        return instruments_at(self.read("instruments", where={"venue": venue}), at)

    def members(self, universe: str, at: Instant | None = None) -> tuple[str, ...]:
        """Return who was a member of a universe at an instant, and known to be; sorted.

        Not given: who has not left.

        Raises
        ------
        UnknownNameError
            No universe of this name; near names are suggested.
        """
        from alphalab.data.panel.universe import universe_of

        return universe_of(self.read("universe"), universe).members(at)

    def sql(
        self, query: str, *, versions: Mapping[str, int] | None = None, limit: int | None = None
    ) -> pa.Table:
        """Answer a question in SQL (DuckDB); each table that is there is a view.

        Parameters
        ----------
        query : str
            One SELECT. It can read the tables, and nothing else: no files, no network.
        versions : mapping of str to int, optional
            Of the tables that are to be read at a version; others are read at their newest.
        limit : int, optional
            Rows to compute at most: an answer is held in memory.

        Raises
        ------
        DataError
            A query that is not one SELECT, or that DuckDB refuses, with its words.
        ParameterError
            A `limit` below 0.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Store(folder).sql("select 6 * 7 as answer").to_pylist()
        [{'answer': 42}]
        """
        from alphalab.data.store.sql import answer

        asked = versions or {}
        for name in asked:
            table_named(name)
        there = {**self.tables(), **asked}
        datasets = {name: self.dataset(name, version) for name, version in there.items()}
        with in_our_words(self.url):
            return answer(query, datasets, limit)

    def version(self, table: str) -> int | None:
        """Return the newest version of a table; None where the table is not there."""
        there = self._open(table_named(table))
        return None if there is None else there.version()

    def tables(self) -> dict[str, int]:
        """Return the tables that are there, each with its newest version."""
        found = {name: self.version(name) for name in TABLES}
        return {name: version for name, version in found.items() if version is not None}

    def series(self, table: str, version: int | None = None) -> list[Series]:
        """Return what a table holds: rows, first and last time of each partition.

        It is answered by the log of the table, no row is read; times are cut to the millisecond.
        """
        kind = table_named(table)
        there = self._open(kind, version)
        with in_our_words(self._url(table)):
            return [] if there is None else series_of(kind, there)

    def history(self, table: str) -> list[Commit]:
        """Return the versions of a table, the newest first; none where the table is not there."""
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
