"""`Store`: tables of market data with versions, and the bars, instruments and members in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import pyarrow as pa

from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.instruments import instruments_at
from alphalab.data.panel.universe import universe_of
from alphalab.data.store.failures import in_our_words
from alphalab.data.store.panel import read_view
from alphalab.data.store.tables import table_named
from alphalab.data.store.versions import VersionedTables
from alphalab.data.store.view import View, ViewOptions
from alphalab.types import Instrument


class Store(VersionedTables):
    """Versioned tables of market data in a folder or an object store.

    Parameters
    ----------
    url : str or Path, optional
        A folder, or an address such as ``s3://bucket/prefix``. Not given: the environment variable
        ``ALPHALAB_STORE``, else the folder ``data``.
    options : mapping of str to str, optional
        Access to an object store. Not given: the environment (``AWS_ACCESS_KEY_ID``,
        ``AWS_ENDPOINT_URL``, ...). Options are neither stored nor shown.

    Attributes
    ----------
    url : str

    Raises
    ------
    UnknownNameError
        An unknown kind of address.
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

    def bars(self, venue: str, interval: str, **options: Unpack[ViewOptions]) -> Bars:
        """Return bars of the store.

        Parameters
        ----------
        venue, interval : str
            Such as ``"binance"`` and ``"1h"``.
        symbols : sequence of str, optional
            These, in this order. Not given: all, or the members of `universe`.
        start, end : str, date, datetime or datetime64, optional
            Rows between them, see `Bars.between`.
        versions : mapping of str to int, str or int, optional
            Versions by table, ``17`` or ``"bars=17,funding=4"``; None reads a table as if it did
            not exist. Other tables are read at their newest version.
        adjust : {"splits", "all"}, optional
            Adjust prices for splits, or for dividends as well, see `Bars.adjusted`. Not given: raw
            prices, with the columns ``split`` and ``dividend`` if the venue has such events.
        as_of : str, date, datetime or datetime64, optional
            The view of this moment: no later row or event, and no event, membership or instrument
            that became known later. A bare date includes its whole day. Revised rows have their new
            values: earlier `versions` have the old ones.
        universe : str, optional
            A universe of the store: reads all symbols that were members at some time of the span,
            and adds the column ``member``: 1.0 where a symbol was known to be one, else 0.0.
        observations : sequence of str
            Names of observations to join, see `Bars.with_observations`.

        Returns
        -------
        Bars
            `Bars.version` is the address with the version of every table: `alphalab.load` reads the
            same bars from it. `Bars.notes` has recorded repairs, changes of instruments, and
            members without bars.

        Raises
        ------
        UnknownNameError
            A series, a symbol, a universe or an observation that the store does not have.
        DataError
            No row in the span, no such version, `adjust` for a venue without events, or data that
            breaks a rule of `Bars`.
        """
        return read_view(self, View.of(venue=venue, interval=interval, **options))

    def instruments(self, venue: str, at: Instant | None = None) -> tuple[Instrument, ...]:
        """Return the instruments of a venue at an instant; not given: the newest.

        Symbols that were not listed yet are left out.
        """
        return instruments_at(self.read("instruments", where={"venue": venue}), at)

    def members(self, universe: str, at: Instant | None = None) -> tuple[str, ...]:
        """Return the symbols that were known members of a universe at an instant, sorted.

        Not given: the members that have not left.

        Raises
        ------
        UnknownNameError
            No universe of this name; near names are suggested.
        """
        return universe_of(self.read("universe"), universe).members(at)

    def sql(
        self, query: str, *, versions: Mapping[str, int] | None = None, limit: int | None = None
    ) -> pa.Table:
        """Run an SQL query (DuckDB); each existing table is a view.

        Parameters
        ----------
        query : str
            One SELECT over the tables; it has no access to files or the network.
        versions : mapping of str to int, optional
            Versions by table; other tables are read at their newest version.
        limit : int, optional
            Largest number of rows; the result is held in memory.

        Raises
        ------
        DataError
            A query that is not one SELECT, or that DuckDB refuses; the message has its reason.
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
