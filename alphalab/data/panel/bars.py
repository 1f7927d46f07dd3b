"""`Bars`: a panel of market data, checked once and read-only from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alphalab.data.clock.times import Instant, iso, rows_per_year
from alphalab.data.identity import identity_of
from alphalab.data.panel import rules
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, Instrument, InstrumentChange, IntArray

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
    instrument_changes : sequence of InstrumentChange
        What becomes of them later. An engine takes other ticks, lots, minimum values and fees.
    periods_per_year : float, optional
        Rows a year holds. Not given: derived from the times, see `periods_per_year`.
    source : str
        Where the data came from; leads the error messages.
    notes : sequence of str
        Statements that every report on this data has to show.
    version : str
        What to ask a store for to get the same data again; empty for what no store holds. Other
        bars made of these have none: one of their notes says what they were made of.

    Attributes
    ----------
    time, symbols, columns, instruments, instrument_changes, source, version
        As above; arrays are read-only.
    known_early : mapping of str to int
        Observations that were known before the time they are about, by the column they are in.

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
        *("columns", "instrument_changes", "instruments", "known_early", "source", "symbols"),
        *("time", "version"),
    )

    time: IntArray
    symbols: tuple[str, ...]
    columns: Mapping[str, FloatArray]
    instruments: tuple[Instrument, ...]
    instrument_changes: tuple[InstrumentChange, ...]
    known_early: Mapping[str, int]
    source: str
    version: str

    def __init__(
        self,
        time: Any,
        symbols: Sequence[str],
        columns: Mapping[str, Any],
        *,
        instruments: Sequence[Instrument] | None = None,
        instrument_changes: Sequence[InstrumentChange] = (),
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
        self.instrument_changes = rules.checked_changes(instrument_changes, self.symbols)
        self.known_early = {}
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
            Time, open, high, low, close, volume, symbol: one bar in each row, or wide. See
            `alphalab.data.panel.frames.from_frame`.
        symbol : str
            The symbol of a frame that names none.
        bar_label : {"close", "open"}
            What a time names. Opening times move later by the most frequent step between rows.
        instruments, periods_per_year, source
            As in `Bars`.

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
        from alphalab.data.panel.frames import from_frame

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
        from alphalab.data.panel.frames import from_closes

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
            and time. `from_frame` makes equal bars of it (long: if every cell traded).
        """
        from alphalab.data.panel.frames import to_frame

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

    def _annual_with(self, instruments: Sequence[Instrument]) -> tuple[float, str] | None:
        """Return rows a year with other instruments: None if another calendar may tell others."""
        derived = self._derived_annual()
        same = _calendars(instruments) == _calendars(self.instruments)
        return derived if same or not (derived and derived[1]) else None

    @property
    def id(self) -> str:
        """Identity of the data: 32 hexadecimal digits.

        BLAKE2b of times, symbols, columns, instruments and their changes. Neither the order of the
        columns nor `source` nor `notes` counts.
        """
        if self._id is None:
            self._id = identity_of(self)
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
        return _assemble, (self._state | {"columns": dict(self.columns)},)

    def rows(self, i0: int, i1: int) -> Bars:
        """Return rows i0 to i1 (not included) without copying them.

        Instruments are those of the first of them; changes that no row of them meets are left out.

        Raises
        ------
        DataError
            Unless 0 <= i0 < i1 <= n_rows.
        """
        if not 0 <= i0 < i1 <= self.n_rows:
            raise DataError(f"rows({i0}, {i1})", rule=f"0 <= i0 < i1 <= {self.n_rows} (n_rows).")
        if (i0, i1) == (0, self.n_rows):
            return self
        time = self.time[i0:i1]
        instruments, changes = rules.instruments_between(
            self.instruments, self.instrument_changes, int(time[0]), int(time[-1])
        )
        return self._with(
            time=time,
            columns={name: values[i0:i1] for name, values in self.columns.items()},
            instruments=instruments,
            instrument_changes=changes,
            _annual=self._annual_with(instruments),
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
        >>> from alphalab.data.samples.datasets import nasdaq
        >>> nasdaq().between("2018-12-30", "2018-12-31")
        <Bars: 1 row x 1 symbol, 2018-12-31T21:00:00Z to 2018-12-31T21:00:00Z, nasdaq>
        """
        return self.rows(*rules.rows_between(self.time, start, end))

    def select(self, symbols: Sequence[str]) -> Bars:
        """Return some of the symbols, in the order given; all rows stay.

        Raises
        ------
        UnknownNameError
            A symbol that is not there; near ones are suggested.
        """
        names = rules.checked_symbols(symbols)
        if names == self.symbols:
            return self
        places = {name: place for place, name in enumerate(self.symbols)}
        for name in names:
            if name not in places:
                raise UnknownNameError("symbol", name, self.symbols)
        chosen = [places[name] for name in names]
        return self._with(
            symbols=names,
            instruments=tuple(self.instruments[place] for place in chosen),
            instrument_changes=tuple(
                change for change in self.instrument_changes if change.instrument.symbol in names
            ),
            columns={
                name: np.ascontiguousarray(values[:, chosen])
                for name, values in self.columns.items()
            },
        )

    def with_columns(self, columns: Mapping[str, Any]) -> Bars:
        """Return bars with columns, (T, N), added or replaced; they are checked like all others."""
        return self._joined(columns)

    def with_instruments(
        self,
        instruments: Sequence[Instrument] | None = None,
        *,
        changes: Sequence[InstrumentChange] | None = None,
        symbol: str | None = None,
        **fields: Any,
    ) -> Bars:
        """Return bars with other instruments.

        Parameters
        ----------
        instruments : sequence of Instrument, optional
            One for each symbol, in their order. Not given: those that are there.
        changes : sequence of InstrumentChange, optional
            What becomes of them later. Not given: what is there, or nothing if `instruments` are
            given.
        symbol : str, optional
            The one whose fields change. Not given: all of them.
        **fields
            Fields of `Instrument` and their new values.

        Examples
        --------
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> bars = synthetic(100, 2).with_instruments(kind="linear", funding_hours=8)
        >>> bars = bars.with_instruments(symbol=bars.symbols[0], tick=0.01)
        >>> [(x.kind, x.funding_hours, x.tick) for x in bars.instruments]
        [('linear', 8.0, 0.01), ('linear', 8.0, 0.0)]
        """
        given, later = self.instruments, self.instrument_changes
        if instruments is not None:
            given, later = rules.checked_instruments(instruments, self.symbols), ()
        if changes is not None:
            later = rules.checked_changes(changes, self.symbols)
        changed = rules.changed_instruments(given, symbol, fields)
        later = rules.changed_changes(later, symbol, fields)
        if (changed, later) == (self.instruments, self.instrument_changes):
            return self
        return self._with(
            instruments=changed, instrument_changes=later, _annual=self._annual_with(changed)
        )

    def with_funding(self, given: Any) -> Bars:
        """Return bars with the funding of perpetual contracts as the column ``funding``.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table or a file of one: a time column, ``funding_rate`` and, where several symbols
            have funding, symbol. See `alphalab.data.panel.events.funding_column`.

        Examples
        --------
        >>> import pandas as pd
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> bars = synthetic(5, 1, bar="4h").with_instruments(kind="linear", funding_hours=8)
        >>> stamps = pd.to_datetime(["2020-01-01T00:00:00.017", "2020-01-01T08:00:00.003"])
        >>> funding = pd.DataFrame({"time": stamps, "funding_rate": [0.0001, 0.0002]})
        >>> bars.with_funding(funding)["funding"].ravel()
        array([0.0001,    nan, 0.0002,    nan,    nan])
        """
        from alphalab.data.panel.events import funding_column

        column, said = funding_column(self, given)
        return self._joined({"funding": column}, said)

    def with_actions(self, given: Any) -> Bars:
        """Return bars with splits and dividends as the columns ``split`` and ``dividend``.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table or a file of one: the ex-date, split (new units for an old one), dividend (cash
            per unit) and, where there are several, symbol. See
            `alphalab.data.panel.events.action_columns`.
        """
        from alphalab.data.panel.events import action_columns

        return self._joined(*action_columns(self, given))

    def with_observations(
        self, given: Any, names: str | Sequence[str] | None = None, *, max_age: str | None = None
    ) -> Bars:
        """Return bars with a column for each name of observations, joined as they became known.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table or a file of one: time, known, value, name and symbol.
        names, max_age
            Which to join, and for how long each counts: see
            `alphalab.data.panel.observations.observation_columns`.
        """
        from alphalab.data.panel.observations import observation_columns

        columns, early, said = observation_columns(self, given, names, max_age)
        joined = self._joined(columns, said)
        joined.known_early = {**self.known_early, **early}
        return joined

    def adjusted(
        self,
        *,
        as_of: Instant | None = None,
        dividends: bool = True,
        ahead: tuple[FloatArray, FloatArray] | None = None,
    ) -> Bars:
        """Return bars as if splits and dividends had always been behind them.

        As of a moment: rows after it are left out, and so is what happened in them; a bare date
        includes its whole day. See `alphalab.data.panel.adjust.adjusted_columns` for the rest.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=4, name="date")
        >>> bars = Bars.from_closes(pd.DataFrame({"ACME": [100.0, 102.0, 51.0, 50.0]}, index=days))
        >>> actions = pd.DataFrame({"ex_date": days[2:], "split": [2, None], "dividend": [None, 1]})
        >>> bars = bars.with_actions(actions)
        >>> bars["split"].ravel(), bars["dividend"].ravel()
        (array([nan, nan,  2., nan]), array([nan, nan, nan,  1.]))
        >>> bars.adjusted(dividends=False).close.ravel()
        array([50., 51., 51., 50.])
        >>> bars.adjusted(as_of="2024-01-03").close.ravel()
        array([100., 102.])
        """
        from alphalab.data.panel.adjust import adjusted_columns, statement

        past = self if as_of is None else self.between(end=as_of)
        columns = adjusted_columns(past, dividends, ahead)
        said = statement(dividends, past.end if as_of is None else str(as_of))
        return past._with((said,), columns=columns)

    def resample(
        self, interval: str, *, calendar: str | None = None, offset: str | None = None
    ) -> Bars:
        """Return coarser bars, labelled by their close; see `alphalab.data.panel.resample`.

        Examples
        --------
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> synthetic(120, 1, bar="1m", gap_frac=0.0).resample("1h").end
        '2020-01-01T02:00:00Z'
        """
        from alphalab.data.panel.resample import resample

        return resample(self, interval, calendar=calendar, offset=offset)

    def with_timeframe(
        self,
        interval: str,
        columns: str | Sequence[str] | None = ("close",),
        *,
        calendar: str | None = None,
        offset: str | None = None,
    ) -> Bars:
        """Return bars with columns of a coarser interval, such as ``close_1h``.

        See `alphalab.data.panel.resample.with_timeframe`.
        """
        from alphalab.data.panel.resample import with_timeframe

        return with_timeframe(self, interval, columns, calendar=calendar, offset=offset)

    def named(self, version: str) -> Bars:
        """Return the same bars as what a store gives when it is asked for a version."""
        return _assemble(self._state | {"version": version})

    def _joined(self, columns: Mapping[str, Any], said: tuple[str, ...] = ()) -> Bars:
        merged = {**self.columns, **columns}
        checked = rules.checked_columns(merged, self.time, self.symbols, self.source)
        return self._with(said, columns=checked)

    def _with(self, said: tuple[str, ...] = (), **changes: Any) -> Bars:
        """Return bars of other content, which no store gives; a note says what of."""
        # What the whole says about its market holds for a part that is too short to tell.
        kept = self._state | {"_annual": self._derived_annual(), "version": ""}
        notes = {"_notes": self._made_of + said}
        return _assemble(kept | notes | {"_id": None, "_quality": None} | changes)

    @property
    def _made_of(self) -> tuple[str, ...]:
        """The notes of what is made of these bars."""
        return self._notes + ((f"made of {self.version}",) if self.version else ())

    @property
    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


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
