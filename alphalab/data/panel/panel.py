"""`Panel`: prices of several symbols, checked once and read-only from then on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any, Self, TypeVar

import msgspec
import numpy as np

from alphalab.data.clock.annual import rows_per_year
from alphalab.data.clock.times import Instant, iso
from alphalab.data.formats.bar_columns import BarColumns
from alphalab.data.formats.html import html_table
from alphalab.data.formats.labels import TimeNames, checked_time_names
from alphalab.data.formats.notes import Note, Notes, notes_of
from alphalab.data.panel import rules
from alphalab.data.panel.rows import Rows
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, Instrument, InstrumentChange, IntArray

#: Symbols that a notebook shows.
_SHOWN_SYMBOLS = 10

P = TypeVar("P", bound="Panel")


class Panel(BarColumns):
    """The record below `Bars`: checked arrays, and the methods that slice or replace them.

    `Bars` documents the parameters and attributes. Code that reads bars, joins tables to them or
    checks them takes this type.
    """

    __slots__ = (
        *("_annual", "_id", "_notes", "coarser", "columns", "instrument_changes", "instruments"),
        *("known_early", "known_since", "source", "symbols", "time", "time_names", "version"),
    )

    time: IntArray
    symbols: tuple[str, ...]
    coarser: Mapping[str, str]
    columns: Mapping[str, FloatArray]
    instruments: tuple[Instrument, ...]
    instrument_changes: tuple[InstrumentChange, ...]
    known_early: Mapping[str, int]
    known_since: Mapping[str, Mapping[str, IntArray]]
    source: str
    time_names: TimeNames
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
        notes: Iterable[Note | str] = (),
        version: str = "",
        time_names: TimeNames = "close",
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
        self.coarser = {}
        self.known_early = {}
        self.known_since = {}
        self._notes = notes_of(notes)
        self.time_names = checked_time_names(time_names)
        self._annual: tuple[float, str] | None = None
        self._id: str | None = None
        if periods_per_year is not None:
            if not (np.isfinite(periods_per_year) and periods_per_year > 0):
                raise DataError(
                    f"periods_per_year={periods_per_year!r}", rule="it is finite and above 0."
                )
            self._annual = (float(periods_per_year), "")

    @property
    def n_rows(self) -> int:
        """Number of rows, T."""
        return len(self.time)

    @property
    def n_symbols(self) -> int:
        """Number of symbols, N."""
        return len(self.symbols)

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
        """Rows a year holds: as given, or derived from the times, which a note explains.

        Raises
        ------
        DataError
            Not given, and fewer than three rows to derive it from.
        """
        if self._annual is None:
            self._annual = rows_per_year(self.time, _calendars(self.instruments))
        return self._annual[0]

    @property
    def notes(self) -> Notes:
        """Statements that a report shows, among them how `periods_per_year` was derived."""
        derived = self._derived_annual()
        if not (derived and derived[1]):
            return self._notes
        return (*self._notes, Note("periods_per_year", derived[1]))

    def _derived_annual(self) -> tuple[float, str] | None:
        if self._annual is None and self.n_rows < 3:
            return None
        _ = self.periods_per_year
        return self._annual

    def _annual_with(self, instruments: Sequence[Instrument]) -> tuple[float, str] | None:
        """Return the rows a year with other instruments; None where other calendars change them."""
        derived = self._derived_annual()
        same = _calendars(instruments) == _calendars(self.instruments)
        return derived if same or not (derived and derived[1]) else None

    @property
    def id(self) -> str:
        """Identity of the data: 32 hexadecimal digits.

        BLAKE2b of times and what they name, symbols, columns, instruments and their changes. The
        order of the columns, `source` and `notes` do not count.
        """
        if self._id is None:
            self._id = _identity(self)
        return self._id

    def __getitem__(self, name: str) -> FloatArray:
        """Return a column, (T, N)."""
        if name not in self.columns:
            raise UnknownNameError("column", name, self.columns)
        return self.columns[name]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    def __eq__(self, other: object) -> bool:
        """Return True if the other holds the same data."""
        return self.id == other.id if isinstance(other, Panel) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash of the `id`."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Return size, span and source on one line."""
        size = f"{_count(self.n_rows, 'row')} x {_count(self.n_symbols, 'symbol')}"
        origin = f", {self.source}" if self.source else ""
        return f"<Bars: {size}, {self.start} to {self.end}{origin}>"

    def _repr_html_(self) -> str:
        rows = []
        for place, symbol in enumerate(self.symbols[:_SHOWN_SYMBOLS]):
            traded = np.flatnonzero(~np.isnan(self.close[:, place]))
            ends = (
                [iso(self.time[row])[:10] for row in traded[[0, -1]]] if traded.size else ["", ""]
            )
            last = f"{self.close[traded[-1], place]:,.6g}" if traded.size else "none"
            rows.append((symbol, f"{traded.size:,}", *ends, last))
        if self.n_symbols > _SHOWN_SYMBOLS:
            rows.append((f"... {self.n_symbols:,} in all", "", "", "", ""))
        head = ("symbol", "rows that trade", "first", "last", "last close")
        notes = "".join(f"<div>{escape(str(note))}</div>" for note in self.notes)
        return html_table(repr(self)[1:-1], head, rows) + notes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the parts; unpickling does not check them again."""
        return _assemble, (type(self), self._state | {"columns": dict(self.columns)})

    def rows(self, i0: int, i1: int) -> Self:
        """Return rows i0 to i1 (not included) without copying them.

        Instruments are those of the first row; changes outside the rows are left out.

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

    def between(self, start: Instant | None = None, end: Instant | None = None) -> Self:
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

    def select(self, symbols: Sequence[str]) -> Self:
        """Return some of the symbols, in the order given; all rows stay.

        Raises
        ------
        UnknownNameError
            An unknown symbol; near names are suggested.
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

    def with_columns(self, columns: Mapping[str, Any]) -> Self:
        """Return bars with columns added or replaced; prices and volume are checked.

        Parameters
        ----------
        columns : mapping of str to a table or an array
            Tables (pandas with a DatetimeIndex; polars or Arrow with a time column) have one column
            for each symbol and are put in place by label, whatever their order; a pandas Series
            holds for every symbol. Arrays have no labels: they have the shape (T, N), in the order
            of rows and symbols. A square one of several symbols is refused, since it could lie on
            its side.

        Raises
        ------
        DataError
            A time or a symbol that does not fit, an array of another shape, or a broken rule.

        Examples
        --------
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> bars = synthetic(3, 2)
        >>> backwards = bars.to_frame()["close"].iloc[::-1, ::-1]
        >>> bool((bars.with_columns({"again": backwards})["again"] == bars.close).all())
        True
        """
        for name, values in columns.items():
            if isinstance(values, np.ndarray) and values.shape == (self.n_rows,) * 2:
                self._refuse_square(name)
        return self.joined(columns)

    def _refuse_square(self, name: str) -> None:
        if self.n_rows == self.n_symbols > 1:
            raise DataError(
                f"column {name!r}: an array of shape {(self.n_rows,) * 2}",
                rule="the shape of an array tells rows from symbols.",
                fix="Give a table with labels: pd.DataFrame(values, index=bars.to_frame().index, "
                "columns=bars.symbols).",
            )

    def with_instruments(
        self,
        instruments: Sequence[Instrument] | None = None,
        *,
        changes: Sequence[InstrumentChange] | None = None,
        symbol: str | None = None,
        **fields: Any,
    ) -> Self:
        """Return bars with other instruments.

        Parameters
        ----------
        instruments : sequence of Instrument, optional
            One for each symbol, in their order. Not given: the present ones.
        changes : sequence of InstrumentChange, optional
            Their later changes. Not given: the present ones, or none if `instruments` are given.
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

    @classmethod
    def from_rows(
        cls,
        rows: Rows,
        *,
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
    ) -> Self:
        """Make a panel of rows; cells without a row are NaN.

        Raises
        ------
        DataError
            As `Rows.check`; messages call a row by its number in the source.
        """
        time, columns = rows.spread()
        try:
            return cls(
                time,
                rows.symbols,
                columns,
                instruments=instruments,
                periods_per_year=periods_per_year,
                source=rows.source,
                notes=rows.notes,
                time_names=rows.time_names,
            )
        except DataError:
            rows.check()  # names the row of the source instead of that of the panel
            raise

    def to_rows(self) -> Rows:
        """Return one row for each cell that traded, symbol by symbol.

        Examples
        --------
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> rows = synthetic(100, 2, gap_frac=0.0).to_rows()
        >>> rows.time.size, rows.symbols
        (200, ('SYN1', 'SYN2'))
        """
        symbol, row = np.nonzero(~np.isnan(self.close).T)
        return Rows(
            time=self.time[row],
            symbols=self.symbols,
            symbol=symbol,
            columns={name: values[row, symbol] for name, values in self.columns.items()},
            number=row,
            source=self.source,
            notes=self.notes,
            time_names=self.time_names,
        )

    def named(self, version: str) -> Self:
        """Return the same data with the address at which a store gives it again."""
        return _assemble(type(self), self._state | {"version": version})

    def joined(self, columns: Mapping[str, Any], notes: Notes = ()) -> Self:
        """Return the panel with columns, (T, N), added or replaced, and notes about them."""
        merged = {**self.columns, **columns}
        checked = rules.checked_columns(merged, self.time, self.symbols, self.source)
        return self._with(notes, columns=checked)

    def with_content(self, columns: Mapping[str, FloatArray], notes: Notes) -> Self:
        """Return the panel with these columns alone, (T, N) each, and notes about them."""
        return self._with(notes, columns=dict(columns))

    def _with(self, notes: Notes = (), **changes: Any) -> Self:
        """Return a panel of other content; it has no version, and a note names what it is made of.

        A slice keeps its parent's `periods_per_year`: it may be too short to derive it.
        """
        kept = self._state | {"_annual": self._derived_annual(), "version": "", "_id": None}
        return _assemble(type(self), kept | {"_notes": self.made_of + notes} | changes)

    @property
    def made_of(self) -> Notes:
        """The notes of a panel that is made of this one."""
        if not self.version:
            return self._notes
        return (*self._notes, Note("made_of", f"made of {self.version}"))

    @property
    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Panel.__slots__}


def _assemble(cls: type[P], state: dict[str, Any]) -> P:
    """Return a panel of parts that were checked before."""
    panel = cls.__new__(cls)
    for name, value in state.items():
        setattr(panel, name, value)
    for array in (panel.time, *panel.columns.values()):
        array.setflags(write=False)
    panel.columns = MappingProxyType(dict(panel.columns))
    return panel


def _identity(panel: Panel) -> str:
    names = sorted(panel.columns)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(msgspec.json.encode([panel.n_rows, panel.symbols, names]))
    digest.update(msgspec.json.encode(panel.instruments, order="sorted"))
    for change in panel.instrument_changes:
        digest.update(msgspec.json.encode(change, order="sorted"))
    if panel.time_names != "close":
        digest.update(panel.time_names.encode())
    digest.update(panel.time.astype("<i8", copy=False).tobytes())
    for name in names:
        values = panel.columns[name]
        # NaN has many bit patterns, and processors differ in the one they make.
        digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8", copy=False).data)
    return digest.hexdigest()


def _calendars(instruments: Sequence[Instrument]) -> list[str]:
    return [instrument.calendar for instrument in instruments]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
