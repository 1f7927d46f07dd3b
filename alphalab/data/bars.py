"""`Bars`: a panel of market data, checked once and read-only from then on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from alphalab.data import rules
from alphalab.data.times import Instant, iso, nanoseconds, rows_per_year
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, Instrument, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from alphalab.data.quality.findings import Verdict


class Bars:
    """A panel of bars: T rows of N symbols.

    Parameters
    ----------
    time : array of shape (T,), int64 or datetime64
        Nanoseconds UTC, strictly increasing: the instant each row became known, its bar's close.
    symbols : sequence of str
        N names, unique.
    columns : mapping of str to array of shape (T, N)
        ``open``, ``high``, ``low``, ``close`` (quote currency, above 0), ``volume`` (units, at
        least 0, NaN where unknown) and any further named column (any float). Four NaN prices in a
        cell: not listed or not traded. Arrays are copied unless they are read-only.
    instruments : sequence of Instrument, optional
        One for each symbol, in their order. Not given: plain ones.
    periods_per_year : float, optional
        Rows a year holds. Not given: derived from the times, see `periods_per_year`.
    source : str
        Where the data came from; leads the error messages.
    notes : sequence of str
        Statements that every report on this data has to show.
    version : str
        What to ask a store for to get the same data again; empty for what no store holds.

    Attributes
    ----------
    time, symbols, columns, instruments, source, version
        As above; arrays are read-only.

    Raises
    ------
    DataError
        A broken rule: the message names row, time, symbol, values and rule.

    Notes
    -----
    Two `Bars` are equal when their `id` is. Treat one as immutable: every method returns another.

    Examples
    --------
    >>> close = np.array([[10.0], [11.0], [12.0]])
    >>> columns = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": close}
    >>> time = np.array(["2024-01-02T21", "2024-01-03T21", "2024-01-04T21"], "datetime64[ns]")
    >>> bars = Bars(time, ["ACME"], columns)
    >>> bars
    <Bars: 3 rows x 1 symbol, 2024-01-02T21:00:00Z to 2024-01-04T21:00:00Z>
    >>> Bars(time, ["ACME"], columns | {"high": close - 1})
    Traceback (most recent call last):
        ...
    alphalab.errors.DataError: row 0 (2024-01-02T21:00:00Z), symbol 'ACME': open=10, high=9, ...
      Rule: high is not below open, close or low. Correct the row at its source, or leave it out.
    """

    __slots__ = (
        *("_annual", "_id", "_notes", "_quality"),
        *("columns", "instruments", "source", "symbols", "time", "version"),
    )

    time: IntArray
    symbols: tuple[str, ...]
    columns: Mapping[str, FloatArray]
    instruments: tuple[Instrument, ...]
    source: str
    version: str

    def __init__(
        self,
        time: Any,
        symbols: Sequence[str],
        columns: Mapping[str, Any],
        *,
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
        source: str = "",
        notes: Sequence[str] = (),
        version: str = "",
    ) -> None:
        self.source = source
        self.version = version
        self.symbols = rules.checked_symbols(symbols)
        self.time = rules.checked_time(time, source)
        self.columns = MappingProxyType(
            rules.checked_columns(columns, self.time, self.symbols, source)
        )
        self.instruments = rules.checked_instruments(instruments, self.symbols)
        self._notes = tuple(notes)
        self._annual: tuple[float, str] | None = None
        self._id: str | None = None
        self._quality: dict[str, Verdict] | None = None
        if periods_per_year is not None:
            if not (np.isfinite(periods_per_year) and periods_per_year > 0):
                raise DataError(
                    f"periods_per_year={periods_per_year!r}", rule="it is finite and above 0."
                )
            self._annual = (float(periods_per_year), "")

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        symbol: str = "asset",
        bar_label: str = "close",
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
        source: str = "",
    ) -> Bars:
        """Make bars of a table.

        Parameters
        ----------
        frame : pandas.DataFrame, pyarrow.Table, or anything that exports itself to Arrow (polars)
            One bar in each row: times as a DatetimeIndex or as a column named time, timestamp,
            date, datetime, open_time or close_time; open, high, low, close and optionally volume in
            any letter case; a column symbol (or ticker) where there are several. Every row has its
            four prices. Or, pandas only, wide: times as the index, two column levels, field and
            symbol in either order; four NaN in a cell: did not trade. Further numeric columns keep
            their name. Times without a zone are UTC.
        symbol : str
            The symbol of a frame that names none.
        bar_label : {"close", "open"}
            What a time names. Opening times move later by the most frequent step between rows.
        instruments, periods_per_year, source
            As in `Bars`.

        Raises
        ------
        DataError
            A column that is missing, ambiguous or not numeric, or a broken rule of `Bars`.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=3, name="date")
        >>> prices = {"Open": 1.0, "High": 3.0, "Low": 1.0, "Close": 2.0}
        >>> frame = pd.DataFrame(prices, index=days)
        >>> bars = Bars.from_frame(frame, symbol="ACME", bar_label="open")
        >>> bars.end, Bars.from_frame(bars.to_frame()) == bars
        ('2024-01-05T00:00:00Z', True)
        """
        from alphalab.data.frames import from_frame

        return from_frame(
            frame,
            symbol=symbol,
            bar_label=bar_label,
            instruments=instruments,
            periods_per_year=periods_per_year,
            source=source,
        )

    @classmethod
    def from_closes(
        cls,
        frame: pd.DataFrame,
        *,
        bar_label: str = "close",
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
        source: str = "",
    ) -> Bars:
        """Make bars of closing prices: open, high and low are set to the close, and a note says so.

        Parameters
        ----------
        frame : pandas.DataFrame
            A DatetimeIndex, and one column of prices for each symbol; NaN: did not trade.
        bar_label, instruments, periods_per_year, source
            As in `from_frame`.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=2)
        >>> Bars.from_closes(pd.DataFrame({"A": [1.0, 2.0], "B": [3.0, None]}, index=days)).notes[0]
        'closes only: open, high and low are set to the close'
        """
        from alphalab.data.frames import from_closes

        return from_closes(
            frame,
            bar_label=bar_label,
            instruments=instruments,
            periods_per_year=periods_per_year,
            source=source,
        )

    def to_frame(self, layout: Literal["wide", "long"] = "wide") -> pd.DataFrame:
        """Return the panel as a pandas frame.

        Parameters
        ----------
        layout : {"wide", "long"}
            ``"wide"``: times as the index (UTC), two column levels, field and symbol. ``"long"``:
            columns time, symbol and the fields, one row for each cell that traded, sorted by symbol
            and time; cells without prices are left out.

        Returns
        -------
        pandas.DataFrame
            `from_frame` makes equal bars of it (long: if every row and symbol traded, and nothing
            is known where nothing traded).
        """
        from alphalab.data.frames import to_frame

        return to_frame(self, layout)

    @property
    def n_rows(self) -> int:
        """Number of rows, T."""
        return len(self.time)

    @property
    def n_symbols(self) -> int:
        """Number of symbols, N."""
        return len(self.symbols)

    @property
    def open(self) -> FloatArray:
        """Opening prices, (T, N)."""
        return self.columns["open"]

    @property
    def high(self) -> FloatArray:
        """Highest prices, (T, N)."""
        return self.columns["high"]

    @property
    def low(self) -> FloatArray:
        """Lowest prices, (T, N)."""
        return self.columns["low"]

    @property
    def close(self) -> FloatArray:
        """Closing prices, (T, N)."""
        return self.columns["close"]

    @property
    def volume(self) -> FloatArray:
        """Traded units, (T, N); NaN where unknown."""
        return self.columns["volume"]

    @property
    def start(self) -> str:
        """Time of the first row, ISO-8601 UTC."""
        return iso(self.time[0])

    @property
    def end(self) -> str:
        """Time of the last row, ISO-8601 UTC."""
        return iso(self.time[-1])

    @property
    def periods_per_year(self) -> float:
        """Rows a year holds: as given, or derived from the times (`notes` then says how).

        Raises
        ------
        DataError
            Not given, and fewer than three rows to derive it from.
        """
        if self._annual is None:
            self._annual = rows_per_year(self.time, _calendars(self.instruments))
        return self._annual[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Statements that a report has to show, among them how `periods_per_year` was derived."""
        derived = self._derived_annual()
        return self._notes + ((derived[1],) if derived and derived[1] else ())

    def _derived_annual(self) -> tuple[float, str] | None:
        if self._annual is None and self.n_rows < 3:
            return None
        _ = self.periods_per_year
        return self._annual

    @property
    def id(self) -> str:
        """Identity of the data: 32 hexadecimal digits.

        BLAKE2b of times, symbols, columns and instruments. Neither the order of the columns nor
        `source` nor `notes` counts.
        """
        if self._id is None:
            names = sorted(self.columns)
            digest = hashlib.blake2b(digest_size=16)
            digest.update(msgspec.json.encode([self.n_rows, self.symbols, names]))
            digest.update(msgspec.json.encode(self.instruments, order="sorted"))
            digest.update(self.time.astype("<i8", copy=False).tobytes())
            for name in names:
                values = self.columns[name]
                # NaN has many bit patterns, and processors differ in the one they make.
                digest.update(
                    np.where(np.isnan(values), np.nan, values).astype("<f8", copy=False).data
                )
            self._id = digest.hexdigest()
        return self._id

    @property
    def quality(self) -> Verdict:
        """Verdict of the quick check of this data, made once: see `alphalab.data.quality`."""
        from alphalab.data.quality.of_bars import quality_of

        return quality_of(self)

    def __getitem__(self, name: str) -> FloatArray:
        """Return a column, (T, N)."""
        if name not in self.columns:
            raise UnknownNameError("column", name, self.columns)
        return self.columns[name]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    def __eq__(self, other: object) -> bool:
        """Return whether the other holds the same data."""
        return self.id == other.id if isinstance(other, Bars) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash of the `id`."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Return size, span and source on one line."""
        size = f"{_count(self.n_rows, 'row')} x {_count(self.n_symbols, 'symbol')}"
        origin = f", {self.source}" if self.source else ""
        return f"<Bars: {size}, {self.start} to {self.end}{origin}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the parts: what was checked once is not checked again."""
        state = {name: getattr(self, name) for name in self.__slots__}
        return _assemble, (state | {"columns": dict(self.columns)},)

    def rows(self, i0: int, i1: int) -> Bars:
        """Return rows i0 to i1 (not included) without copying them.

        Raises
        ------
        DataError
            Unless 0 <= i0 < i1 <= n_rows.
        """
        if not 0 <= i0 < i1 <= self.n_rows:
            raise DataError(f"rows({i0}, {i1})", rule=f"0 <= i0 < i1 <= {self.n_rows} (n_rows).")
        return self._with(
            time=self.time[i0:i1],
            columns={name: values[i0:i1] for name, values in self.columns.items()},
        )

    def between(self, start: Instant | None = None, end: Instant | None = None) -> Bars:
        """Return the rows known from `start` to `end`, both included, without copying them.

        Parameters
        ----------
        start, end : str, date, datetime or datetime64, optional
            ISO text or date objects, UTC unless they say otherwise. A bare date as `end` includes
            its whole day.

        Raises
        ------
        DataError
            `start` after `end`, no row between them, or not a date.

        Examples
        --------
        >>> from alphalab.data.datasets import nasdaq
        >>> nasdaq().between("2018-12-30", "2018-12-31")
        <Bars: 1 row x 1 symbol, 2018-12-31T21:00:00Z to 2018-12-31T21:00:00Z, nasdaq>
        """
        first = int(self.time[0]) if start is None else nanoseconds(start)
        last = int(self.time[-1]) if end is None else nanoseconds(end, end_of_day=True)
        if start is not None and end is not None and first > last:
            raise DataError(f"start={start} is after end={end}", rule="start is not after end.")
        i0 = int(np.searchsorted(self.time, first, side="left"))
        i1 = int(np.searchsorted(self.time, last, side="right"))
        if i0 >= i1:
            raise DataError(
                f"no rows between start={start} and end={end}",
                rule=f"the data runs from {self.start} to {self.end}.",
            )
        return self.rows(i0, i1)

    def select(self, symbols: Sequence[str]) -> Bars:
        """Return some of the symbols, in the order given; all rows stay.

        Raises
        ------
        UnknownNameError
            A symbol that is not there; near ones are suggested.
        """
        names = rules.checked_symbols(symbols)
        places = {name: place for place, name in enumerate(self.symbols)}
        for name in names:
            if name not in places:
                raise UnknownNameError("symbol", name, self.symbols)
        chosen = [places[name] for name in names]
        return self._with(
            symbols=names,
            instruments=tuple(self.instruments[place] for place in chosen),
            columns={
                name: np.ascontiguousarray(values[:, chosen])
                for name, values in self.columns.items()
            },
        )

    def with_columns(self, columns: Mapping[str, Any]) -> Bars:
        """Return bars with columns, (T, N), added or replaced; they are checked like all others."""
        merged = {**self.columns, **columns}
        return self._with(
            columns=rules.checked_columns(merged, self.time, self.symbols, self.source)
        )

    def with_instruments(
        self,
        instruments: Sequence[Instrument] | None = None,
        *,
        symbol: str | None = None,
        **fields: Any,
    ) -> Bars:
        """Return bars with other instruments.

        Parameters
        ----------
        instruments : sequence of Instrument, optional
            One for each symbol, in their order. Not given: those that are there.
        symbol : str, optional
            The one whose fields change. Not given: all of them.
        **fields
            Fields of `Instrument` and their new values.

        Raises
        ------
        UnknownNameError
            No such symbol or field; near ones are suggested.
        ParameterError
            A value of the wrong type or outside its range.

        Examples
        --------
        >>> from alphalab.data.synthetic import synthetic
        >>> bars = synthetic(100, 2).with_instruments(kind="linear", funding_hours=8)
        >>> bars = bars.with_instruments(symbol=bars.symbols[0], tick=0.01)
        >>> [(x.kind, x.funding_hours, x.tick) for x in bars.instruments]
        [('linear', 8.0, 0.01), ('linear', 8.0, 0.0)]
        """
        given = self.instruments
        if instruments is not None:
            given = rules.checked_instruments(instruments, self.symbols)
        changed = rules.changed_instruments(given, symbol, fields)
        derived = self._derived_annual()
        if derived and derived[1] and _calendars(changed) != _calendars(self.instruments):
            derived = None  # another calendar may tell another number of rows a year
        return self._with(instruments=changed, _annual=derived)

    def with_funding(self, given: Any) -> Bars:
        """Return bars with the funding of perpetual contracts as the column ``funding``.

        A row's rate is that of the funding in its span, from the time of the row before to its own
        time (not included); the sum, where several are. It is NaN where none is, and where one that
        is due has no rate: nothing is made up, and a backtest refuses to go on without it.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table, or a CSV, Parquet or Feather file of one: a time column (as in `from_frame`),
            ``funding_rate`` (or funding, rate; 0.0001 is one basis point, paid by those who are
            long) and, where several symbols have funding, symbol. Stamps are up to a minute late.

        Raises
        ------
        DataError
            No symbol with `Instrument.funding_hours`, a stamp that is no multiple of them since
            midnight UTC, two rates for one funding, an unknown symbol, or a rate that is no number.

        Notes
        -----
        Symbols that the table does not name keep the column that they have. `notes` says how many
        fundings lie outside the bars.

        Examples
        --------
        >>> import pandas as pd
        >>> from alphalab.data.synthetic import synthetic
        >>> bars = synthetic(5, 1, bar="4h").with_instruments(kind="linear", funding_hours=8)
        >>> stamps = pd.to_datetime(["2020-01-01T00:00:00.017", "2020-01-01T08:00:00.003"])
        >>> funding = pd.DataFrame({"time": stamps, "funding_rate": [0.0001, 0.0002]})
        >>> bars.with_funding(funding)["funding"].ravel()
        array([0.0001,    nan, 0.0002,    nan,    nan])
        """
        from alphalab.data.events import funding_column

        column, said = funding_column(self, given)
        return self.with_columns({"funding": column})._with(_notes=self._notes + said)

    def with_actions(self, given: Any) -> Bars:
        """Return bars with splits and dividends as the columns ``split`` and ``dividend``.

        Each stands in the first row of its symbol, with a price, that ends after it; NaN elsewhere.
        Where rows are labelled by dates, that is the row of its date, or the next one.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table, or a CSV, Parquet or Feather file of one: the ex-date (the first day that
            trades in new units, or without the dividend) as a time column (as in `from_frame`) or
            as ex_date; split (new units for an old one, 2 doubles them) and dividend (cash per unit
            after the split of its time), or one of the two, empty where there is none; symbol,
            where the bars have several.

        Raises
        ------
        DataError
            An unknown symbol, a split that is not above 0, a dividend below 0, two of one kind at
            one time, or a split to double or half the units, or beyond, that prices do not show:
            they are adjusted for it already, or it has the date of another day.

        Notes
        -----
        Several in one row become one: what units are multiplied by, and cash per unit after all.
        Symbols that the table does not name keep the columns that they have. `notes` says how many
        lie outside the bars.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=4, name="date")
        >>> bars = Bars.from_closes(pd.DataFrame({"ACME": [100.0, 102.0, 51.0, 50.0]}, index=days))
        >>> actions = pd.DataFrame({"ex_date": days[2:], "split": [2, None], "dividend": [None, 1]})
        >>> bars = bars.with_actions(actions)
        >>> bars["split"].ravel(), bars["dividend"].ravel()
        (array([nan, nan,  2., nan]), array([nan, nan, nan,  1.]))
        """
        from alphalab.data.events import action_columns

        columns, said = action_columns(self, given)
        return self.with_columns(columns)._with(_notes=self._notes + said)

    def with_observations(
        self, given: Any, names: Sequence[str] | None = None, *, max_age: str | None = None
    ) -> Bars:
        """Return bars with a column for each name of observations, joined as they became known.

        In each row stands, of what was known at its time or before, the value about the latest
        time, in its last revision; NaN before the first. What is about a future time (a forecast)
        counts from when it is known, like all else.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table, or a CSV, Parquet or Feather file of one: ``time`` (what a value is about, such
            as the end of a quarter), ``known`` (since when it could be used), ``value``, ``name``,
            and ``symbol``, empty where a value is about all. Without a column for names there is
            one name; without one for symbols all is about all. Or `Store.read("observations")`.
        names : sequence of str, optional
            The names to join. Not given: all.
        max_age : str, optional
            How long a value counts after it became known, such as ``"7d"``; later the column is
            NaN. Not given: until the next.

        Raises
        ------
        DataError
            A column that is missing, a value that is no finite number, two that became known
            together, or a name that a column has already.
        UnknownNameError
            A name that the table does not have.

        Notes
        -----
        Of two about the same time that became known together, one about the symbol goes before one
        about all. `notes` says which symbols are not among the bars.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=4)
        >>> bars = Bars.from_closes(pd.DataFrame({"ACME": [10.0, 11.0, 12.0, 13.0]}, index=days))
        >>> earnings = pd.DataFrame({
        ...     "name": "earnings",
        ...     "time": pd.to_datetime(["2023-12-31", "2023-12-31"]),
        ...     "known": pd.to_datetime(["2024-01-03", "2024-01-05"]),
        ...     "value": [1.20, 1.15],  # the second revises the first
        ... })
        >>> bars.with_observations(earnings)["earnings"].ravel()
        array([ nan, 1.2 , 1.2 , 1.15])
        """
        from alphalab.data.observations import observation_columns

        columns, said = observation_columns(self, given, names, max_age)
        return self.with_columns(columns)._with(_notes=self._notes + said)

    def adjusted(
        self,
        *,
        as_of: Instant | None = None,
        dividends: bool = True,
        ahead: tuple[FloatArray, FloatArray] | None = None,
    ) -> Bars:
        """Return bars as if splits and dividends had always been behind them.

        Prices before a split are divided by it and volume is multiplied by it; prices before a
        dividend are multiplied by 1 less its share of the last close. The last bar of each symbol
        stays as it was. Neither column is left, so nothing is booked twice; other columns stay.

        Parameters
        ----------
        as_of : str, date, datetime or datetime64, optional
            The view of this moment: rows after it are left out, and so is what happened in them. A
            bare date includes its whole day.
        dividends : bool
            Whether prices are adjusted for dividends as well. Returns are then those of a position
            whose dividends are put into the same asset, at the close before less the dividend.
        ahead : pair of ndarray of shape (N,), optional
            Splits and dividends that are due before the next bar; NaN where there is none.

        Raises
        ------
        DataError
            Bars without the columns split and dividend (`with_actions`), a dividend that is not
            below the price it is paid from, or no row up to `as_of`.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=4, name="date")
        >>> bars = Bars.from_closes(pd.DataFrame({"ACME": [100.0, 102.0, 51.0, 50.0]}, index=days))
        >>> actions = pd.DataFrame({"ex_date": days[2:], "split": [2, None], "dividend": [None, 1]})
        >>> bars = bars.with_actions(actions)
        >>> bars.adjusted(dividends=False).close.ravel()
        array([50., 51., 51., 50.])
        >>> bars.adjusted(as_of="2024-01-03").close.ravel()
        array([100., 102.])
        """
        from alphalab.data.actions import adjusted_columns, statement

        past = self if as_of is None else self.between(end=as_of)
        columns = adjusted_columns(past, dividends, ahead)
        said = statement(dividends, past.end if as_of is None else str(as_of))
        return past._with(columns=columns, _notes=(*past._notes, said))

    def resample(
        self, interval: str, *, calendar: str | None = None, offset: str | None = None
    ) -> Bars:
        """Return coarser bars, labelled by their close.

        A bar holds the rows that became known after the end of the window before it, up to its own.
        It is there when a row at that end or later is: the last, unfinished one is left out, which
        a note says. A window without rows makes no bar.

        Parameters
        ----------
        interval : str
            Such as ``"1h"`` or ``"1d"``: a multiple of the spacing of the rows. Windows are
            multiples of it since 1970, UTC.
        calendar : str, optional
            A code such as ``"XNYS"``: windows end where sessions or their parts before a break end,
            and those of whole days hold the sessions whose dates are in them. ``"24/7"``: nothing
            is cut. Not given: that of all instruments, ``"24/7"`` where they have no common one.
        offset : str, optional
            By how much windows begin later: ``"4d"`` makes weeks of ``"7d"`` begin on Mondays.

        Returns
        -------
        Bars
            Open: the first; high, low: of all; close: the last; volume (and ``buy_volume``,
            ``traded_value``, ``n_trades``), funding: the sum, NaN where a part is unknown; split:
            the product; dividend: cash per unit after all; other columns: the last value that is
            known. Prices and volume before a split inside a bar are those of units after it.

        Raises
        ------
        DataError
            An interval that is no multiple of the spacing, a row that lies in two windows or
            outside sessions, or no window that has closed.
        UnknownNameError
            No such calendar.

        Examples
        --------
        >>> from alphalab.data.datasets import sp500
        >>> weeks = sp500().between("2018-12-01").resample("7d", offset="4d")
        >>> weeks.end, weeks.notes[-2]
        ('2018-12-28T21:00:00Z', 'the 7d window to 2019-01-04T21:00:00Z has not closed: ...')
        """
        from alphalab.data.resample import resampled

        time, columns, said = resampled(self, interval, calendar, offset)
        return Bars(
            time,
            self.symbols,
            columns,
            instruments=self.instruments,
            source=self.source,
            notes=self._notes + said,
            version=self.version,
        )

    def with_timeframe(
        self,
        interval: str,
        columns: Sequence[str] | None = ("close",),
        *,
        calendar: str | None = None,
        offset: str | None = None,
    ) -> Bars:
        """Return bars with columns of a coarser interval, such as ``close_1h``.

        A row has the value of the last coarser bar that had closed when the row became known: its
        own hour's when it ends that hour, else that of the hour before. NaN before the first.

        Parameters
        ----------
        interval, calendar, offset : str
            As in `resample`.
        columns : sequence of str, optional
            What to add. None: a column for each that is there.

        Raises
        ------
        DataError
            As in `resample`, or a column that is there already.
        UnknownNameError
            No such column or calendar.

        Examples
        --------
        >>> from alphalab.data.synthetic import synthetic
        >>> bars = synthetic(6, 1, bar="30m", gap_frac=0.0).with_timeframe("1h")
        >>> (bars["close_1h"].ravel() == bars.close.ravel()).tolist()
        [False, True, False, True, False, True]
        """
        from alphalab.data.resample import timeframe_columns

        names = tuple(self.columns if columns is None else columns)
        return self.with_columns(timeframe_columns(self, interval, names, calendar, offset))

    def _with(self, **changes: Any) -> Bars:
        state = {name: getattr(self, name) for name in self.__slots__}
        # What the whole says about its market holds for a part that is too short to tell.
        state["_annual"] = self._derived_annual()
        return _assemble(state | {"_id": None, "_quality": None} | changes)


def _assemble(state: dict[str, Any]) -> Bars:
    bars = Bars.__new__(Bars)
    for name, value in state.items():
        setattr(bars, name, value)
    for array in (bars.time, *bars.columns.values()):
        array.setflags(write=False)
    bars.columns = MappingProxyType(dict(bars.columns))
    return bars


def _calendars(instruments: Sequence[Instrument]) -> list[str]:
    return [instrument.calendar for instrument in instruments]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
