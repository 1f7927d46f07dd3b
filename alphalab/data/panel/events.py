"""Events onto bars: funding, splits and dividends, each in the row that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import NS_DAY, NS_SECOND, bar_spacing, iso
from alphalab.data.formats import arrow
from alphalab.data.formats.files import read_table
from alphalab.data.formats.header import SYMBOL_NAMES, TIME_NAMES
from alphalab.data.formats.labels import DATED
from alphalab.data.panel.frames import as_table
from alphalab.data.panel.rules import repeats
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    from alphalab.data.panel.bars import Bars

_TIMES = (*TIME_NAMES, "ex_date")
RATE_NAMES = ("funding_rate", "funding", "rate")

#: How late the stamp of a funding may be.
_LATE = 60 * NS_SECOND

#: From this ratio on (or its inverse) prices have to show a split.
_VISIBLE = 2.0

_FUNDED = "funding is for perpetual contracts."
_FUND_ALL = 'Say so first: bars.with_instruments(kind="linear", funding_hours=8).'


class _Events(NamedTuple):
    """Events in the order of their table."""

    where: str  # leads the messages about them
    symbols: tuple[str, ...]
    time: IntArray  # ns UTC
    asset: IntArray  # index into the symbols
    values: Mapping[str, FloatArray]

    def refuse(self, bad: Any, what: str, rule: str, fix: str = "") -> None:
        """Raise an error about the first event that is bad; `what` may name its values."""
        if bad.any():
            row = int(np.argmax(bad))
            symbol, time = self.symbols[self.asset[row]], iso(self.time[row])
            said = what.format(**{name: f"{cells[row]:g}" for name, cells in self.values.items()})
            raise DataError(
                f"{self.where}row {row} ({time}), symbol {symbol!r}: {said}", rule=rule, fix=fix
            )


def funding_column(bars: Bars, given: Any) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the funding rate of each row, (T, N), and what a report has to say about it.

    A row's rate is that of the funding in its span, from the time of the row before to its own time
    (not included); the sum, where several are. It is NaN where none is, and where one that is due
    has no rate: nothing is made up, and a backtest refuses to go on without it.

    Parameters
    ----------
    bars : Bars
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table, or a CSV, Parquet or Feather file of one: a time column (as in `Bars.from_frame`),
        ``funding_rate`` (or funding, rate; 0.0001 is one basis point, paid by those who are long)
        and, where several symbols have funding, symbol. Stamps are up to a minute late.

    Raises
    ------
    DataError
        No symbol with `Instrument.funding_hours`, a stamp that is no multiple of them since
        midnight UTC, two rates for one funding, an unknown symbol, or a rate that is no number.

    Notes
    -----
    Symbols that the table does not name keep the column that they have. It is said how many
    fundings lie outside the bars.
    """
    hours = [instrument.funding_hours for instrument in bars.instruments]
    steps = np.array([round(number * 3_600 * NS_SECOND) for number in hours])
    if not steps.any():
        raise DataError(f"funding for {', '.join(bars.symbols[:5])}", rule=_FUNDED, fix=_FUND_ALL)
    events = _events(bars, given, {"rate": RATE_NAMES}, np.flatnonzero(steps))
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


def action_columns(bars: Bars, given: Any) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Return the splits and dividends of each row, (T, N), and what a report has to say about them.

    Each stands in the first row of its symbol, with a price, that ends after it; NaN elsewhere.
    Where rows are labelled by dates, that is the row of its date, or the next one.

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
        time, or a split to double or half the units, or beyond, that prices do not show: they are
        adjusted for it already, or it has the date of another day.

    Notes
    -----
    Several in one row become one: what units are multiplied by, and cash per unit after all.
    Symbols that the table does not name keep the columns that they have. It is said how many lie
    outside the bars.
    """
    roles = {"split": ("split",), "dividend": ("dividend",)}
    events = _events(bars, given, roles, np.arange(bars.n_symbols))
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
        empty = np.where(known, 0, 1 + np.arange(len(values)))  # which repeats nothing
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


def _events(bars: Bars, given: Any, roles: Mapping[str, tuple[str, ...]], owners: Any) -> _Events:
    """Read a table of events; `owners` are the assets one of which it means if it names none."""
    table, where = given_table(given)
    found = {role: column_named(table, names, where) for role, names in roles.items()}
    if not any(found.values()):
        raise _no_column(table, sum(roles.values(), ()), where)
    if table.num_rows == 0:
        none = np.zeros(0)
        ints = none.astype(np.int64)
        return _Events(where, bars.symbols, ints, ints, dict.fromkeys(roles, none))
    time = column_named(table, _TIMES, where)
    if time is None:
        raise _no_column(table, _TIMES, where)
    values = {}
    for role, name in found.items():
        if name is None:
            values[role] = np.full(table.num_rows, np.nan)
        elif arrow.is_number(table[name].type):
            values[role] = arrow.floats(arrow.plain(table[name]))
        else:
            raise arrow.not_a_number(table[name], name, where)
    times, _ = arrow.instants(arrow.plain(table[time]), time, where)
    return _Events(where, bars.symbols, times, _assets(bars, table, owners, where), values)


def given_table(given: Any) -> tuple[pa.Table, str]:
    """Return a table, given as a frame or as the path of a file, and what leads messages about it.

    Raises
    ------
    DataError
        No table, or a file that cannot be read.
    """
    if isinstance(given, str | Path):
        return read_table(Path(given).expanduser()), f"{given}: "
    return as_table(given), ""


def column_named(table: pa.Table, names: tuple[str, ...], where: str) -> str | None:
    """Return what the table calls the column that has one of the names, in any letter case.

    Raises
    ------
    DataError
        Several columns have.
    """
    there: list[str] = [name for name in table.column_names if name.strip().lower() in names]
    if len(there) > 1:
        raise DataError(
            f"{where}columns {' and '.join(map(repr, there))} could each be meant",
            rule=f"one column is named {', '.join(names)}.",
            fix="Drop or rename the others.",
        )
    return there[0] if there else None


def _no_column(table: pa.Table, names: tuple[str, ...], where: str) -> DataError:
    return DataError(
        f"{where}no column {' or '.join(names)}; there are {table.column_names}",
        rule="one column has one of these names (any letter case).",
    )


def _assets(bars: Bars, table: pa.Table, owners: Any, where: str) -> IntArray:
    column = column_named(table, SYMBOL_NAMES, where)
    if column is None:
        if len(owners) != 1:
            raise DataError(
                f"{where}no column {' or '.join(SYMBOL_NAMES)}; there are {table.column_names}",
                rule="events name their symbol where several could be meant.",
            )
        return np.full(table.num_rows, owners[0], np.int64)
    names, codes = arrow.symbol_codes(arrow.plain(table[column]), column, where)
    places = {name: place for place, name in enumerate(bars.symbols)}
    for code, name in enumerate(names):
        if name not in places:
            raise DataError(
                f"{where}row {int(np.argmax(codes == code))}: the bars have no symbol {name!r}",
                rule=f"events are those of {', '.join(bars.symbols[:10])}"
                f"{' ...' if bars.n_symbols > 10 else ''}.",
                fix="Leave the others out.",
            )
    chosen: IntArray = np.array([places[name] for name in names], np.int64)[codes]
    return chosen


def _kept(bars: Bars, name: str, assets: IntArray) -> FloatArray:
    """Return a copy of a column, empty for the assets that now get theirs."""
    given = bars.columns.get(name)
    column = np.full((bars.n_rows, bars.n_symbols), np.nan) if given is None else given.copy()
    column[:, np.unique(assets)] = np.nan
    return column


def _outside(events: _Events, count: int, what: str) -> tuple[str, ...]:
    said = f"{events.where}{count:,} of {len(events.time):,} {what} lie outside the bars: left out"
    return (said,) if count else ()


def _start(bars: Bars) -> int:
    """Return the time from which the first row is."""
    return int(bars.time[0]) - (bar_spacing(bars.time) if bars.n_rows > 1 else NS_DAY)


def _number_since_1970(time: IntArray, step: Any) -> tuple[IntArray, IntArray]:
    """Return which funding each stamp follows, counted since 1970, and by how much, ns.

    Fundings are a step apart from midnight on: the last of a day may be less before the next.
    """
    day, rest = np.divmod(time, NS_DAY)
    return day * -(-NS_DAY // step) + rest // step, rest % step


def _rates_by_row(
    bars: Bars, step: int, number: IntArray, rate: FloatArray
) -> tuple[FloatArray, int]:
    """Return the sum of rates for each row, (T,), and how many fundings are in none.

    A row of which a funding has no rate stays unknown.
    """
    edges = np.concatenate(([_start(bars)], bars.time))
    due, late = _number_since_1970(edges, step)
    due += late > 0  # the first one that is not before the edge
    place = np.searchsorted(due, number, side="right") - 1
    inside = (place >= 0) & (place < bars.n_rows)
    given = np.bincount(place[inside], minlength=bars.n_rows)
    total = np.bincount(place[inside], rate[inside], minlength=bars.n_rows)
    complete = (given > 0) & (given == np.diff(due))
    return np.where(complete, total, np.nan), int(np.count_nonzero(~inside))


def _rows(bars: Bars, asset: int) -> Callable[[int], int | None]:
    """Return the function from an instant to the row of an asset that carries it, if one does."""
    priced = np.flatnonzero(~np.isnan(bars.close[:, asset]))
    times = bars.time[priced]
    first = int(priced[0]) if len(priced) else 0
    start = int(bars.time[first - 1]) if first else _start(bars)
    # A row that is labelled by a date holds what happened on it; any other row ends at its time.
    dated = any(note.startswith(DATED) for note in bars.notes)

    def row_of(time: int) -> int | None:
        place = int(np.searchsorted(times, time, side="left" if dated else "right"))
        early = time <= start if dated else time < start
        return None if early or place == len(times) else int(priced[place])

    return row_of


def _add(
    splits: FloatArray, dividends: FloatArray, cell: tuple[int, int], split: float, dividend: float
) -> None:
    """Put an event into a cell, after those that are there: a dividend is per unit after all."""
    if not np.isnan(split):
        splits[cell] = split if np.isnan(splits[cell]) else splits[cell] * split
        dividends[cell] /= split
    if not np.isnan(dividend):
        dividends[cell] = dividend + np.nan_to_num(dividends[cell])


def _check_visible(bars: Bars, splits: FloatArray, asset: int) -> None:
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
                rule="prices show a split: they are not adjusted for it, and its date is that of "
                "the first day in new units.",
                fix="Use unadjusted prices, or correct the date.",
            )
