"""Joins of events to bars: funding, splits, dividends and delistings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from alphalab.data.clock.times import NS_DAY, NS_SECOND, bar_spacing, iso
from alphalab.data.formats.events import EventTable
from alphalab.data.formats.header import SYMBOL_NAMES
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.panel.panel import Panel
from alphalab.data.panel.rules import repeats
from alphalab.errors import DataError
from alphalab.types import DELISTING, FloatArray, IntArray

# Largest lag of the stamp of a funding.
_LATE = 60 * NS_SECOND

# A split of at least this ratio (or its inverse) must show in the prices.
_VISIBLE = 2.0

_FUNDED = "funding is for perpetual contracts."
_FUND_ALL = 'Declare it first: bars.with_instruments(kind="linear", funding_hours=8).'


class _Events(NamedTuple):
    """Events in the order of their table."""

    where: str  # leads the messages about them
    symbols: tuple[str, ...]
    time: IntArray  # ns UTC
    asset: IntArray  # index into the symbols
    values: Mapping[str, FloatArray]

    def refuse(self, bad: Any, what: str, rule: str, fix: str = "") -> None:
        """Refuse the first bad event; `what` is a template with its values."""
        if bad.any():
            row = int(np.argmax(bad))
            symbol, time = self.symbols[self.asset[row]], iso(self.time[row])
            said = what.format(**{name: f"{cells[row]:g}" for name, cells in self.values.items()})
            raise DataError(
                f"{self.where}row {row} ({time}), symbol {symbol!r}: {said}", rule=rule, fix=fix
            )


def funding_column(bars: Panel, given: Any) -> tuple[FloatArray, Notes]:
    """Return the funding rate of each row, (T, N), and notes about it.

    A row has the sum of the rates of the fundings from the time of the row before to its own time
    (not included). NaN: no funding is due, or one that is due has no rate; a backtest refuses to
    run without it.

    Parameters
    ----------
    bars : Bars
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table, or a CSV, Parquet or Feather file of one: a time column (as in `Bars.from_frame`),
        ``funding_rate`` (or funding, rate; 0.0001 is one basis point, paid by those who are long)
        and, where several symbols have funding, symbol. Stamps lag by up to a minute.

    Raises
    ------
    DataError
        No symbol with `Instrument.funding_hours`, a stamp that is no multiple of them since
        midnight UTC, two rates for one funding, an unknown symbol, or a rate that is no number.

    Notes
    -----
    Symbols that the table does not name keep their values. A note counts the fundings outside the
    bars.
    """
    hours = [instrument.funding_hours for instrument in bars.instruments]
    steps = np.array([round(number * 3_600 * NS_SECOND) for number in hours])
    if not steps.any():
        raise DataError(f"funding for {', '.join(bars.symbols[:5])}", rule=_FUNDED, fix=_FUND_ALL)
    events = _events(bars, "funding", given, ("rate",), np.flatnonzero(steps))
    rate, step = events.values["rate"], steps[events.asset]
    events.refuse(step == 0, "has no funding", _FUNDED, _FUND_ALL)
    events.refuse(~np.isfinite(rate), "a rate of {rate}", "rates are finite numbers.")
    number, late = _number_since_1970(events.time, step)
    events.refuse(
        late >= _LATE,
        "no time of a funding",
        "a stamp is less than a minute after a multiple of funding_hours since midnight UTC.",
        "Correct the stamp, or funding_hours by bars.with_instruments(...).",
    )
    events.refuse(
        repeats(events.asset, number), "a second rate", "there is one rate for each funding."
    )
    column, outside = _kept(bars, "funding", events.asset), 0
    for asset in np.unique(events.asset):
        mine = events.asset == asset
        column[:, asset], lost = _rates_by_row(bars, steps[asset], number[mine], rate[mine])
        outside += lost
    return column, _outside(events, outside, "fundings")


def action_columns(bars: Panel, given: Any) -> tuple[dict[str, FloatArray], Notes]:
    """Return the splits and dividends of each row, (T, N), and notes about them.

    An event belongs to the first row with a price that ends after it; other rows have NaN. Where
    times are dates, that is the row of the same date or the next one.

    Parameters
    ----------
    bars : Bars
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table, or a CSV, Parquet or Feather file of one: the ex-date (the first day that trades in
        new units, or without the dividend) as a time column (as in `Bars.from_frame`) or as
        ex_date; split (new units for an old one, 2 doubles them) and dividend (cash per unit after
        the split of its time), or one of the two, empty where there is none; symbol, where the bars
        have several.

    Raises
    ------
    DataError
        An unknown symbol, a split that is not above 0, a dividend below 0, two of one kind at one
        time, or a split by a factor of 2 or more (or its inverse) that prices do not show: they are
        adjusted already, or the date is wrong.

    Notes
    -----
    Several events of one row become one: the product of the splits, and the cash per unit after
    all of them. Symbols that the table does not name keep their values. A note counts the events
    outside the bars.
    """
    events = _events(bars, "actions", given, ("split", "dividend"), np.arange(bars.n_symbols))
    split, dividend = events.values["split"], events.values["dividend"]
    events.refuse(
        (split <= 0) | np.isinf(split),
        "a split of {split}",
        "a split is the number of new units for an old one, above 0.",
        "Leave it empty where there is none.",
    )
    events.refuse(
        (dividend < 0) | np.isinf(dividend),
        "a dividend of {dividend}",
        "a dividend is finite and not below 0.",
    )
    for name, values in events.values.items():
        known = ~np.isnan(values)
        empty = np.where(known, 0, 1 + np.arange(len(values)))  # a key of its own
        events.refuse(
            known & repeats(events.asset, events.time, empty),
            f"a second {name}",
            f"an asset has one {name} at a time.",
        )

    columns = {name: _kept(bars, name, events.asset) for name in events.values}
    assets = [int(asset) for asset in np.unique(events.asset)]
    row_of = {asset: _rows(bars, asset) for asset in assets}
    outside = 0
    for event in np.lexsort((np.isnan(split), events.time)):  # by time, splits first
        asset = int(events.asset[event])
        row = row_of[asset](int(events.time[event]))
        if row is None:
            outside += 1
        else:
            _add(columns["split"], columns["dividend"], (row, asset), split[event], dividend[event])
    for asset in assets:
        _check_visible(bars, columns["split"][:, asset], asset)
    return columns, _outside(events, outside, "splits and dividends")


def delisting_column(bars: Panel, given: Any) -> tuple[FloatArray, Notes]:
    """Return the cash price of each row in which a listing ends, (T, N), and notes about it.

    It stands in the first row that ends after the end of the listing, whether or not the symbol
    has a price there; NaN elsewhere. Where times are dates, that is the row of the date. The market
    closes what is held of the symbol in that row at this price.

    Parameters
    ----------
    bars : Panel
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table, or a CSV, Parquet or Feather file of one: a time column (when the listing ends),
        symbol where the bars have several, and optionally price: cash per unit, 0 for a worthless
        unit; empty for the last close.

    Raises
    ------
    DataError
        An unknown symbol, two delistings of one symbol, a price that is negative or infinite, or a
        symbol that has a price after its listing ended.

    Notes
    -----
    A note counts the delistings outside the bars, and those of symbols without any price.
    """
    events = _events(bars, "delistings", given, ("price",), np.arange(bars.n_symbols), needed=())
    price = events.values["price"]
    events.refuse(
        (price < 0) | np.isinf(price),
        "a price of {price}",
        "a delisting pays cash per unit, finite and not below 0.",
        "Leave it empty for the last close.",
    )
    events.refuse(repeats(events.asset), "a second delisting", "a listing ends once.")
    rows = np.searchsorted(bars.time, events.time, side=_side(bars))
    inside = (events.time >= _start(bars)) & (rows < bars.n_rows)
    column, n_booked = _kept(bars, DELISTING, events.asset), 0
    for event in np.flatnonzero(inside):
        row, asset = int(rows[event]), int(events.asset[event])
        last = _last_close(bars, row, asset)
        if not np.isnan(last):  # without a price nobody holds it
            column[row, asset] = last if np.isnan(price[event]) else price[event]
            n_booked += 1
    return column, _outside(events, len(price) - n_booked, "delistings")


def _last_close(bars: Panel, row: int, asset: int) -> float:
    """Return the last close of a symbol up to a row; NaN: none. Later prices are refused."""
    priced = np.flatnonzero(~np.isnan(bars.close[:, asset]))
    if priced.size and priced[-1] > row:
        raise DataError(
            f"{bars.symbols[asset]!r}: delisted in row {row} ({iso(bars.time[row])}), and row "
            f"{int(priced[-1])} ({iso(bars.time[priced[-1]])}) has a price",
            rule="a symbol has no price after its listing ended.",
            fix="Correct the date, or give the later asset another symbol.",
        )
    return float(bars.close[priced[-1], asset]) if priced.size else np.nan


def _events(
    bars: Panel,
    kind: str,
    given: Any,
    roles: tuple[str, ...],
    owners: IntArray,
    needed: tuple[str, ...] | None = None,
) -> _Events:
    """Read a table of events of the bars.

    Parameters
    ----------
    bars : Panel
    kind : str
        One of `alphalab.data.formats.events.KINDS`.
    given : table, str or Path
    roles : tuple of str
        The columns of numbers to read.
    owners : ndarray of int
        The assets of which a table without symbols may mean the only one.
    needed : tuple of str, optional
        Columns of which the table has one at least. Not given: the roles.
    """
    read = EventTable.read(kind, given)
    needed = roles if needed is None else needed
    if needed:
        read.require_one(needed)
    values = {role: read.numbers(role) for role in roles}
    time = read.time()
    return _Events(read.where, bars.symbols, time, _assets(bars, read, owners), values)


def _assets(bars: Panel, read: EventTable, owners: IntArray) -> IntArray:
    """Return the place of each event's symbol among those of the bars."""
    if read.symbols == ("",):
        if len(owners) != 1:
            raise DataError(
                f"{read.where}no column {' or '.join(SYMBOL_NAMES)}; {read.columns.found}",
                rule="events name their symbol where several could be meant.",
            )
        return np.full(len(read), owners[0], np.int64)
    places = {name: place for place, name in enumerate(bars.symbols)}
    for code, name in enumerate(read.symbols):
        if name not in places:
            row = int(np.argmax(read.codes == code))
            raise DataError(
                f"{read.where}row {row}: the bars have no symbol {name!r}",
                rule=f"events are those of {', '.join(bars.symbols[:10])}"
                f"{' ...' if bars.n_symbols > 10 else ''}.",
                fix="Leave the others out.",
            )
    chosen: IntArray = np.array([places[name] for name in read.symbols], np.int64)[read.codes]
    return chosen


def _kept(bars: Panel, name: str, assets: IntArray) -> FloatArray:
    """Return a copy of a column, NaN for the assets with new events."""
    given = bars.columns.get(name)
    column = np.full((bars.n_rows, bars.n_symbols), np.nan) if given is None else given.copy()
    column[:, np.unique(assets)] = np.nan
    return column


def _outside(events: _Events, count: int, what: str) -> Notes:
    if not count:
        return ()
    text = f"{events.where}{count:,} of {len(events.time):,} {what} lie outside the bars: left out"
    return (Note("outside", text),)


def _start(bars: Panel) -> int:
    """Return an estimate of the time at which the first row opens, ns UTC."""
    return int(bars.time[0]) - (bar_spacing(bars.time) if bars.n_rows > 1 else NS_DAY)


def _number_since_1970(time: IntArray, step: Any) -> tuple[IntArray, IntArray]:
    """Return the number of the funding before each stamp, counted since 1970, and the lag, ns.

    Fundings begin at midnight and are a step apart; the last step of a day may be shorter.
    """
    day, rest = np.divmod(time, NS_DAY)
    return day * -(-NS_DAY // step) + rest // step, rest % step


def _rates_by_row(
    bars: Panel, step: int, number: IntArray, rate: FloatArray
) -> tuple[FloatArray, int]:
    """Return the sum of rates of each row, (T,), and the number of fundings outside all rows.

    NaN where a funding of the row has no rate.
    """
    edges = np.concatenate(([_start(bars)], bars.time))
    due, late = _number_since_1970(edges, step)
    due += late > 0  # the first funding that is not before the edge
    place = np.searchsorted(due, number, side="right") - 1
    inside = (place >= 0) & (place < bars.n_rows)
    given = np.bincount(place[inside], minlength=bars.n_rows)
    total = np.bincount(place[inside], rate[inside], minlength=bars.n_rows)
    complete = (given > 0) & (given == np.diff(due))
    return np.where(complete, total, np.nan), int(np.count_nonzero(~inside))


def _rows(bars: Panel, asset: int) -> Callable[[int], int | None]:
    """Return a function from an instant to the row of its event, None outside the rows."""
    priced = np.flatnonzero(~np.isnan(bars.close[:, asset]))
    times = bars.time[priced]
    first = int(priced[0]) if len(priced) else 0
    start = int(bars.time[first - 1]) if first else _start(bars)
    side = _side(bars)

    def row_of(time: int) -> int | None:
        place = int(np.searchsorted(times, time, side=side))
        early = time <= start if side == "left" else time < start
        return None if early or place == len(times) else int(priced[place])

    return row_of


def _side(bars: Panel) -> Literal["left", "right"]:
    """Return how to look for the row of an instant among the times of rows.

    A row whose time is a date holds the events of that date; any other row ends at its time.
    """
    return "left" if bars.time_names == "date" else "right"


def _add(
    splits: FloatArray, dividends: FloatArray, cell: tuple[int, int], split: float, dividend: float
) -> None:
    """Add an event to a cell after earlier ones: a dividend is per unit after all splits."""
    if not np.isnan(split):
        splits[cell] = split if np.isnan(splits[cell]) else splits[cell] * split
        dividends[cell] /= split
    if not np.isnan(dividend):
        dividends[cell] = dividend + np.nan_to_num(dividends[cell])


def _check_visible(bars: Panel, splits: FloatArray, asset: int) -> None:
    """Refuse a large split that prices do not show: they are adjusted, or the date is wrong."""
    close, open_ = bars.close[:, asset], bars.open[:, asset]
    priced = np.flatnonzero(~np.isnan(close))
    for row in np.flatnonzero((splits >= _VISIBLE) | (splits <= 1 / _VISIBLE)):
        place = int(np.searchsorted(priced, row))
        if place == 0:
            continue  # no price before it
        before = float(close[priced[place - 1]])
        change = np.log(before / open_[row])
        if abs(change - np.log(splits[row])) > abs(change):
            raise DataError(
                f"{bars.symbols[asset]!r}: a split of {splits[row]:g} in row {row} "
                f"({iso(bars.time[row])}), where the price goes from {before:g} to {open_[row]:g}",
                rule="prices show a split: they are unadjusted, and its date is the first day in "
                "new units.",
                fix="Use unadjusted prices, or correct the date.",
            )
