"""`Bars`: a panel of market data, and how it is made of tables, joined and resampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from alphalab.data.clock.times import Instant
from alphalab.data.panel.panel import Panel
from alphalab.types import DELISTING, FloatArray, Instrument

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from alphalab.data.formats.schema import Schema


class Bars(Panel):
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
        Their later changes. An engine applies new ticks, lots, minimum values and fees.
    periods_per_year : float, optional
        Rows a year holds. Not given: derived from the times, see `periods_per_year`.
    source : str
        Origin of the data; leads the error messages.
    notes : sequence of Note or str
        Statements that every report on this data shows; a text is one of the source.
    version : str
        The address at which a store gives the same data again; empty where no store holds it. Bars
        made of these have no version: a note names what they were made of.
    time_names : {"close", "date"}
        What `time` names. ``"date"``: times are midnights of dates of which nobody said whether
        their bar ends or begins there; a split or dividend then belongs to the row of its date.

    Attributes
    ----------
    time, symbols, columns, instruments, instrument_changes, source, version, time_names
        As above; arrays are read-only.
    coarser : mapping of str to str
        The interval of each column of a coarser clock, as `with_timeframe` adds them.
    known_early : mapping of str to int
        Observations that were known before the time they are about, by the column they are in.
    known_since : mapping of str to mapping of str to ndarray
        When the values of observations without a `max_age` became known, ns UTC, by column and
        symbol.

    Raises
    ------
    DataError
        A broken rule: the message names row, time, symbol, values and rule.

    Notes
    -----
    Two `Bars` are equal when their `id` is. Treat one as immutable: every method returns another.

    Examples
    --------
    >>> import numpy as np
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

    __slots__ = ()

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        symbol: str = "asset",
        label: str | None = None,
        calendar: str = "",
        schema: Schema | Mapping[str, Any] | str | Path | None = None,
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
        source: str = "",
    ) -> Self:
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
        label : {"close", "open", "session"}, optional
            What a time names: the close of a bar; its open, and the close follows by the most
            frequent step between rows; or its session by its date, and the close is that of the
            calendar. Not given: the close; dates are refused, since each of the three is common.
        calendar : str
            Exchange whose sessions the dates name, such as ``"XNYS"``; with ``label="session"``.
        schema : Schema, dict, str or Path, optional
            How the table is written, such as ``{"columns": {"close": "Last"}}``; see
            `alphalab.data.Schema`. A path names a TOML file.
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
        >>> bars = Bars.from_frame(frame, symbol="ACME", label="session", calendar="XNYS")
        >>> bars.end, Bars.from_frame(bars.to_frame()) == bars
        ('2024-01-04T21:00:00Z', True)
        """
        from alphalab.data.formats.schema import Schema
        from alphalab.data.panel.frames import from_frame

        return from_frame(
            cls,
            frame,
            symbol=symbol,
            schema=Schema.of(schema).labelled(label, calendar),
            instruments=instruments,
            periods_per_year=periods_per_year,
            source=source,
        )

    @classmethod
    def from_closes(
        cls,
        frame: pd.DataFrame,
        *,
        label: str | None = None,
        calendar: str = "",
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
        source: str = "",
    ) -> Self:
        """Make bars of closing prices: open, high and low are set to the close, and a note says so.

        Parameters
        ----------
        frame : pandas.DataFrame
            A DatetimeIndex, and one column of prices for each symbol; NaN: did not trade.
        label, calendar, instruments, periods_per_year, source
            As in `from_frame`.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=2)
        >>> closes = pd.DataFrame({"A": [1.0, 2.0], "B": [3.0, None]}, index=days)
        >>> print(Bars.from_closes(closes, label="close").notes[0])
        closes only: open, high and low are set to the close
        """
        from alphalab.data.panel.frames import from_closes

        return from_closes(
            cls,
            frame,
            label=label,
            calendar=calendar,
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

    def with_funding(self, given: Any) -> Self:
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

        column, notes = funding_column(self, given)
        return self.joined({"funding": column}, notes)

    def with_actions(self, given: Any) -> Self:
        """Return bars with splits and dividends as the columns ``split`` and ``dividend``.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table or a file of one: the ex-date, split (new units for an old one), dividend (cash
            per unit) and, where there are several, symbol. See
            `alphalab.data.panel.events.action_columns`.
        """
        from alphalab.data.panel.events import action_columns

        return self.joined(*action_columns(self, given))

    def with_delistings(self, given: Any) -> Self:
        """Return bars with the ends of listings as the column ``delisting``.

        The column holds NaN, or the cash per unit at which the market closes what is held of a
        symbol in that row.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table or a file of one: a time column, and optionally price (cash per unit; empty: the
            last close) and symbol. See `alphalab.data.panel.events.delisting_column`.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=3)
        >>> closes = pd.DataFrame({"A": [1.0, 2.0, 3.0], "B": [5.0, 6.0, None]}, index=days)
        >>> ends = pd.DataFrame({"time": [days[2]], "symbol": ["B"]})
        >>> bars = Bars.from_closes(closes, label="session", calendar="XNYS")
        >>> bars.with_delistings(ends)["delisting"][:, 1]
        array([nan, nan,  6.])
        """
        from alphalab.data.panel.events import delisting_column

        column, notes = delisting_column(self, given)
        return self.joined({DELISTING: column}, notes)

    def with_observations(
        self, given: Any, names: str | Sequence[str] | None = None, *, max_age: str | None = None
    ) -> Self:
        """Return bars with a column for each name of observations, joined as they became known.

        Parameters
        ----------
        given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
            A table or a file of one: time, known, value, name and symbol.
        names, max_age
            Which to join, and how long a value stays valid: see
            `alphalab.data.panel.observations.observation_columns`.
        """
        from alphalab.data.panel.observations import observation_columns

        found = observation_columns(self, given, names, max_age)
        joined = self.joined(found.columns, found.notes)
        joined.known_early = {**self.known_early, **found.early}
        joined.known_since = {**self.known_since, **found.known}
        return joined

    def adjusted(
        self,
        *,
        as_of: Instant | None = None,
        dividends: bool = True,
        ahead: tuple[FloatArray, FloatArray] | None = None,
    ) -> Self:
        """Return bars with prices and volume adjusted for splits, and for dividends if wanted.

        As of a moment, later rows and their events are left out; a bare date includes its whole
        day. See `alphalab.data.panel.adjust.adjusted_columns`.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-02", periods=4, name="date")
        >>> closes = pd.DataFrame({"ACME": [100.0, 102.0, 51.0, 50.0]}, index=days)
        >>> bars = Bars.from_closes(closes, label="session", calendar="XNYS")
        >>> actions = pd.DataFrame({"ex_date": days[2:], "split": [2, None], "dividend": [None, 1]})
        >>> bars = bars.with_actions(actions)
        >>> bars["split"].ravel(), bars["dividend"].ravel()
        (array([nan, nan,  2., nan]), array([nan, nan, nan,  1.]))
        >>> bars.adjusted(dividends=False).close.ravel()
        array([50., 51., 51., 50.])
        >>> bars.adjusted(as_of="2024-01-03").close.ravel()
        array([100., 102.])
        """
        from alphalab.data.panel.adjust import adjusted_columns, adjusted_note

        past = self if as_of is None else self.between(end=as_of)
        columns = adjusted_columns(past, dividends, ahead)
        note = adjusted_note(dividends, past.end if as_of is None else str(as_of))
        return past.with_content(columns, (note,))

    def resample(
        self, interval: str, *, calendar: str | None = None, offset: str | None = None
    ) -> Self:
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
    ) -> Self:
        """Return bars with columns of a coarser interval, such as ``close_1h``.

        See `alphalab.data.panel.resample.with_timeframe`.
        """
        from alphalab.data.panel.resample import with_timeframe

        return with_timeframe(self, interval, columns, calendar=calendar, offset=offset)
