"""Coarser bars, and columns of a higher timeframe: `Bars.resample` and `Bars.with_timeframe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import NS_SECOND, bar_spacing
from alphalab.data.formats.notes import Note
from alphalab.data.panel.panel import P, Panel
from alphalab.data.panel.rules import PRICES, names_of
from alphalab.data.panel.windows import Cut, cut
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, IntArray

Flags: TypeAlias = NDArray[np.bool_]

#: Columns that count units: they are added, and splits multiply them.
UNITS = ("volume", "buy_volume")

#: Further columns that are added: those of bars made of trades.
COUNTS = ("n_trades", "traded_value")


def resample(
    bars: P, interval: str, *, calendar: str | None = None, offset: str | None = None
) -> P:
    """Return coarser bars, labelled by their close.

    A bar holds the rows that became known after the end of the window before it, up to its own. A
    window is finished when a row at its end or later exists: the unfinished last one is left out,
    and a note says so. A window without rows makes no bar.

    Parameters
    ----------
    bars : Bars
    interval : str
        Such as ``"1h"`` or ``"1d"``: a multiple of the spacing of the rows. Windows are multiples
        of it since 1970, UTC.
    calendar : str, optional
        A code such as ``"XNYS"``: windows end where sessions or their parts before a break end, and
        those of whole days hold the sessions whose dates are in them. ``"24/7"``: nothing is cut.
        Not given: that of all instruments, ``"24/7"`` if these differ.
    offset : str, optional
        By how much windows begin later: ``"4d"`` makes weeks of ``"7d"`` begin on Mondays.

    Returns
    -------
    Bars
        Open: the first; high, low: of all; close: the last; volume, funding, and ``n_trades``,
        ``buy_volume``, ``traded_value`` of bars made of trades: the sum, NaN where a part is
        unknown; split: the product; dividend: cash per unit after all; other columns: the last
        known value. Prices and units before a split inside a bar are turned into those after it.
        `version` is empty; a note says which one they were made of.

    Raises
    ------
    DataError
        An interval that is no multiple of the spacing, a row that lies in two windows or outside
        sessions, or no window that has closed.
    UnknownNameError
        No such calendar.

    Notes
    -----
    In sessions, a row belongs to the one that opened last before it. One row of each, its last, may
    be stamped later than the close (dates of the day after, a close of 16:00 on days that end at
    13:00): the bar then has that later time.

    A calendar tells which sessions were held, and so knows of closures that nobody expected: the
    week of 2001-09-10 in New York is labelled by the close of that Monday, since no other session
    of it was held. Its prices were known then, but not that the week was over.

    Examples
    --------
    >>> from alphalab.data.samples.datasets import sp500
    >>> weeks = resample(sp500().between("2018-12-01"), "7d", offset="4d")
    >>> weeks.end, weeks.notes[-2].text
    ('2018-12-28T21:00:00Z', 'the 7d window to 2019-01-04T21:00:00Z has not closed: ...')
    """
    windows = cut(bars, interval, calendar, offset)
    if not len(windows.time):
        raise DataError(
            f"no {interval} window has closed between {bars.start} and {bars.end}",
            rule="a window is a bar when a row at its end or later is there.",
        )
    return type(bars)(
        windows.time,
        bars.symbols,
        _columns(bars, windows),
        instruments=bars.instruments,
        instrument_changes=bars.instrument_changes,
        source=bars.source,
        notes=(*bars.made_of, *windows.notes),
        time_names=bars.time_names,
    )


def with_timeframe(
    bars: P,
    interval: str,
    columns: str | Sequence[str] | None = ("close",),
    *,
    calendar: str | None = None,
    offset: str | None = None,
) -> P:
    """Return bars with columns of a coarser interval, such as ``close_1h``.

    A row has the value of the last coarser bar that had closed when the row became known: that of
    its own hour where it ends the hour, else that of the hour before. NaN before the first.

    Parameters
    ----------
    bars : Bars
    interval, calendar, offset : str
        As in `resample`.
    columns : str or sequence of str, optional
        What to add. None: a column for each that is there.

    Raises
    ------
    DataError
        As in `resample`, but that no window need have closed; or a column that is there already.
    UnknownNameError
        No such column or calendar.

    Examples
    --------
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> bars = with_timeframe(synthetic(6, 1, bar="30m", gap_frac=0.0), "1h")
    >>> (bars["close_1h"] == bars.close).ravel().tolist()
    [False, True, False, True, False, True]
    """
    names = names_of(bars.columns if columns is None else columns)
    for name in names:
        if name not in bars.columns:
            raise UnknownNameError("column", name, bars.columns)
        if f"{name}_{interval}" in bars.columns:
            raise DataError(
                f"column {name}_{interval} exists already",
                rule="a new column has a new name.",
            )
    windows = cut(bars, interval, calendar, offset)
    coarse = _columns(bars, windows) if len(windows.time) else {}
    last = np.searchsorted(windows.time, bars.time, side="right") - 1
    added = {}
    for name in names:
        values = np.full((bars.n_rows, bars.n_symbols), np.nan)
        if coarse:
            values[last >= 0] = coarse[name][last[last >= 0]]
        added[f"{name}_{interval}"] = values
    notes = (Note(x.code, f"columns of {interval}: {x.text}") for x in windows.notes)
    joined = bars.joined(added, tuple(notes))
    joined.coarser = {**bars.coarser, **dict.fromkeys(added, interval)}
    return joined


def _columns(bars: Panel, windows: Cut) -> dict[str, FloatArray]:
    """Return the columns of the finished windows, (K, N) each."""
    given = {name: values[: windows.stop] for name, values in bars.columns.items()}
    traded = ~np.isnan(given["close"])
    after = _splits_after(given.get("split"), traded.shape, windows.first)
    result = {}
    for name, values in given.items():
        known = ~np.isnan(values)
        if name in PRICES:
            result[name] = _price(name, values / after, traded, windows.first)
        elif name in UNITS:
            result[name] = _total(values * after, traded, windows.first)
        elif name in COUNTS:
            result[name] = _total(values, traded, windows.first)
        elif name == "dividend":
            result[name] = _total(values / after, known, windows.first)
        elif name == "split":
            product = np.multiply.reduceat(np.where(known, values, 1.0), windows.first, axis=0)
            result[name] = np.where(_any(known, windows.first), product, np.nan)
        elif name == "funding":
            result[name] = _funding(bars, values, windows)
        else:
            result[name] = _taken(values, known, windows.first, last=True)
    return result


def _splits_after(split: FloatArray | None, shape: tuple[int, ...], first: IntArray) -> FloatArray:
    """Return the product of the splits after each row until the end of its window, (T, N)."""
    after = np.ones(shape)
    if split is not None:
        for row, asset in np.argwhere(~np.isnan(split)):
            begin = first[np.searchsorted(first, row, side="right") - 1]
            after[begin:row, asset] *= split[row, asset]
    return after


def _price(name: str, values: FloatArray, traded: Flags, first: IntArray) -> FloatArray:
    if name == "high":
        return np.fmax.reduceat(values, first, axis=0)
    if name == "low":
        return np.fmin.reduceat(values, first, axis=0)
    return _taken(values, traded, first, last=name == "close")


def _taken(values: FloatArray, known: Flags, first: IntArray, *, last: bool) -> FloatArray:
    """Return the first or the last known value of each window, (K, N); NaN where there is none."""
    rows, begin = np.arange(len(values))[:, None], first[:, None]
    if last:
        place = np.maximum.reduceat(np.where(known, rows, -1), first, axis=0)
        place = np.maximum(place, begin)
    else:
        place = np.minimum.reduceat(np.where(known, rows, len(values)), first, axis=0)
        place = np.where(place == len(values), begin, place)
    return np.take_along_axis(values, place, axis=0)


def _total(values: FloatArray, counted: Flags, first: IntArray) -> FloatArray:
    """Return the sums of the counted cells, (K, N); NaN if one is NaN, or if none counts."""
    sums = np.add.reduceat(np.where(counted, values, 0.0), first, axis=0)
    return np.where(_any(counted, first), sums, np.nan)


def _any(flags: Flags, first: IntArray) -> Flags:
    result: Flags = np.logical_or.reduceat(flags, first, axis=0)
    return result


def _funding(bars: Panel, rate: FloatArray, windows: Cut) -> FloatArray:
    """Return the sums of funding rates, (K, N).

    Rows and windows have the fundings from the time before to their own time (not included). The
    sum is NaN unless the rows of a window have exactly its fundings, each with a rate.
    """
    known = ~np.isnan(rate)
    sums = _total(rate, known, windows.first)
    if bars.n_rows < 2:
        return sums
    start = bars.time[0] - bar_spacing(bars.time)
    fine = np.concatenate(([start], bars.time[: windows.stop]))
    coarse = np.concatenate(([start], windows.time))
    for asset, instrument in enumerate(bars.instruments):
        if instrument.funding_hours:
            span = round(instrument.funding_hours * 3_600 * NS_SECOND)
            due, carried = (np.diff(-(-edges // span)) for edges in (coarse, fine))
            told = np.add.reduceat(np.where(known[:, asset], carried, 0), windows.first)
            sums[told != due, asset] = np.nan
    return sums
