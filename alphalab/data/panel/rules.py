"""The rules of bars.

Nothing is repaired: a row that breaks a rule is refused, and the message names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import Instant, datetimes_to_ns, iso, nanoseconds
from alphalab.data.formats.notes import Note
from alphalab.data.panel.labelled import by_label
from alphalab.errors import DataError, ParameterError, UnknownNameError
from alphalab.settings import FIRST_YEAR, LAST_YEAR, MOST_YEARS
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, InstrumentChange, IntArray

#: Relative tolerance of comparisons of prices: split adjustment rounds the last digit.
ROUNDING = 1e-12

PRICES = ("open", "high", "low", "close")

CLOSES_ONLY = Note("closes_only", "closes only: open, high and low are set to the close")
NO_VOLUME = Note("no_volume", "no volume column: volume is unknown")

#: The rules of bars. Code that helps with a broken one acts on its name.
BrokenRule: TypeAlias = Literal[
    "no_rows",
    "unknown_price",
    "duplicate_time",
    "unsorted_time",
    "partly_unknown",
    "price_range",
    "high",
    "low",
    "volume",
]

# The rules of one cell in words.
_RULES: dict[BrokenRule, str] = {
    "partly_unknown": "the four prices are known together: none is NaN, or all are.",
    "price_range": "prices are finite and above 0.",
    "high": "high is not below open, close or low.",
    "low": "low is not above open or close.",
    "volume": "volume is finite and at least 0, or NaN if unknown.",
}
_FIX = "Correct the row at its source, or leave it out."


class Broken(NamedTuple):
    """A rule that data breaks, and the error about the first place that breaks it."""

    rule: BrokenRule
    error: DataError


def frozen(values: Any, name: str) -> FloatArray:
    """Return values as read-only, C-contiguous float64; writeable arrays are copied.

    Raises
    ------
    DataError
        Values that are not numbers.
    """
    try:
        array = np.asarray(values, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise DataError(f"column {name!r}: {error}", rule="a column holds numbers.") from None
    if _writeable(array):
        array = array.copy()
        array.setflags(write=False)
    return array


def _writeable(array: NDArray[Any]) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return False


def names_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return names as a tuple of str; a single text is one name.

    Examples
    --------
    >>> names_of("close"), names_of(np.array(["A", "B"]))
    (('close',), ('A', 'B'))
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        names = (names,)
    return tuple(str(name) if isinstance(name, str) else name for name in names)


def checked_symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return the symbols: at least one, each a text of its own."""
    names = names_of(symbols)
    if not names:
        raise DataError("no symbols", rule="a panel has at least one symbol.")
    seen: set[str] = set()
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise DataError(
                f"symbol number {place} is {name!r}", rule="a symbol is text that is not empty."
            )
        if name in seen:
            raise DataError(f"symbol {name!r} is there twice", rule="symbols are unique.")
        seen.add(name)
    return names


def checked_time(time: Any, source: str) -> IntArray:
    """Return times as read-only int64 ns: one dimension, at least one row, strictly increasing."""
    array = np.asarray(time)
    if array.ndim != 1 or array.dtype.kind not in "iM":
        raise DataError(
            f"{_prefix(source)}time has shape {array.shape} and type {array.dtype}",
            rule="time is one array of int64 nanoseconds UTC, or of datetime64.",
        )
    if len(array) == 0:
        raise DataError(f"{_prefix(source)}no rows", rule="bars have at least one row.")
    array = (
        datetimes_to_ns(array) if array.dtype.kind == "M" else array.astype(np.int64, copy=False)
    )
    if _writeable(array):
        array = array.copy()
        array.setflags(write=False)
    check_increasing(array, np.arange(len(array)), _prefix(source))
    _check_span(array, _prefix(source))
    return array


def _check_span(time: IntArray, where: str) -> None:
    """Refuse times whose differences, in ns, an int64 does not hold."""
    first, last = (int(year) for year in time[[0, -1]].astype("M8[ns]").astype("M8[Y]").astype(str))
    if first < FIRST_YEAR or last > LAST_YEAR or last - first >= MOST_YEARS:
        raise DataError(
            f"{where}times from {iso(time[0])} to {iso(time[-1])}",
            rule=f"times lie in the years {FIRST_YEAR} to {LAST_YEAR}, and less than {MOST_YEARS} "
            "years apart.",
            fix="Correct the times, or cut the bars.",
        )


def check_increasing(time: IntArray, rows: IntArray, where: str) -> None:
    """Refuse times that repeat or go back, see `broken_order`."""
    broken = broken_order(time, rows, where)
    if broken is not None:
        raise broken.error


def broken_order(time: IntArray, rows: IntArray, where: str) -> Broken | None:
    """Return the first time that repeats or goes back; messages call the rows by `rows`."""
    back = time[1:] <= time[:-1]
    if not back.any():
        return None
    at = int(np.argmax(back)) + 1
    row, before, now, previous = rows[at], rows[at - 1], iso(time[at]), iso(time[at - 1])
    rule = "times are strictly increasing."
    if time[at] == time[at - 1]:
        error = DataError(
            f"{where}row {row} has the time of row {before}: {now} is duplicated",
            rule=rule,
            fix="Keep one of the two rows.",
        )
        return Broken("duplicate_time", error)
    error = DataError(
        f"{where}row {row} ({now}) is earlier than row {before} ({previous}): times are unsorted",
        rule=rule,
        fix="Sort the rows by time.",
    )
    return Broken("unsorted_time", error)


def rows_between(time: IntArray, start: Instant | None, end: Instant | None) -> tuple[int, int]:
    """Return the first row of a span and the row after its last; refuse a span without rows."""
    first = int(time[0]) if start is None else nanoseconds(start)
    last = int(time[-1]) if end is None else nanoseconds(end, end_of_day=True)
    if start is not None and end is not None and first > last:
        raise DataError(f"start={start} is after end={end}", rule="start is not after end.")
    i0, i1 = int(np.searchsorted(time, first)), int(np.searchsorted(time, last, side="right"))
    if i0 >= i1:
        raise DataError(
            f"no rows between start={start} and end={end}",
            rule=f"the data runs from {iso(time[0])} to {iso(time[-1])}.",
        )
    return i0, i1


def checked_columns(
    columns: Mapping[str, Any], time: IntArray, symbols: tuple[str, ...], source: str
) -> dict[str, FloatArray]:
    """Return the columns as read-only arrays, (T, N), whose prices and volume keep the rules."""
    missing = [name for name in BAR_COLUMNS if name not in columns]
    if missing:
        raise DataError(
            f"{_prefix(source)}no column {', '.join(missing)}; there are {list(columns)}",
            rule=f"bars have the columns {', '.join(BAR_COLUMNS)}.",
            fix="Where the volume is unknown, give it as NaN.",
        )
    result = {}
    for name, values in columns.items():
        if not isinstance(name, str) or not name:
            raise DataError(
                f"a column is named {name!r}", rule="a column's name is text that is not empty."
            )
        result[name] = frozen(by_label(values, name, time, symbols), name)
        if result[name].shape != (len(time), len(symbols)):
            raise DataError(
                f"{_prefix(source)}column {name!r} has shape {result[name].shape}",
                rule=f"a column has shape {(len(time), len(symbols))}: rows, symbols.",
            )
    check_cells(result, time, symbols, source)
    return result


def check_cells(
    columns: Mapping[str, FloatArray], time: IntArray, symbols: tuple[str, ...], source: str
) -> None:
    """Refuse cells that break a rule of prices or volume.

    A cell with four NaN prices was not listed or did not trade: it passes.
    """
    for rule, bad, names in broken_rules(columns):
        if bad.any():
            row, asset = np.unravel_index(int(np.argmax(bad)), bad.shape)
            values = {name: columns[name][row, asset] for name in names}
            raise broken_cell(source, int(row), int(time[row]), symbols[asset], values, rule)


def broken_rules(
    columns: Mapping[str, FloatArray],
) -> Iterator[tuple[BrokenRule, NDArray[np.bool_], tuple[str, ...]]]:
    """Yield for each rule of a cell its name, where it is broken, and the columns it is about.

    Parameters
    ----------
    columns : mapping of str to ndarray
        The five columns of bars, all of one shape, which is that of the truth values.
    """
    open_, high, low, close, volume = (columns[name] for name in BAR_COLUMNS)
    unknown = np.isnan(open_)
    mixed = np.zeros(unknown.shape, np.bool_)
    for price in (high, low, close):
        mixed |= np.isnan(price) != unknown
    yield "partly_unknown", mixed, PRICES
    for name in PRICES:
        price = columns[name]
        yield "price_range", (price <= 0) | np.isinf(price), (name,)
    top, bottom = high * (1 + ROUNDING), low * (1 - ROUNDING)
    yield "high", (top < open_) | (top < close) | (top < low), PRICES
    yield "low", (bottom > open_) | (bottom > close), PRICES
    yield "volume", (volume < 0) | np.isinf(volume), ("volume",)


def broken_cell(
    source: str, row: int, time: int, symbol: str, values: Mapping[str, float], rule: BrokenRule
) -> DataError:
    """Return the error about one cell of prices."""
    shown = ", ".join(f"{name}={value:.14g}" for name, value in values.items())
    return DataError(
        f"{_prefix(source)}row {row} ({iso(time)}), symbol {symbol!r}: {shown}",
        rule=_RULES[rule],
        fix=_FIX,
    )


def repeats(*keys: Any) -> NDArray[np.bool_]:
    """Return True where an earlier place has the same keys, (R,).

    Examples
    --------
    >>> repeats(np.array([3, 1, 3]), np.array([0, 0, 0]))
    array([False, False,  True])
    """
    order = np.lexsort(keys)  # stable: equal ones stay in their order
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    found = np.zeros(len(order), np.bool_)
    found[order[1:]] = same
    return found


def checked_instruments(
    instruments: Sequence[Instrument] | None, symbols: tuple[str, ...]
) -> tuple[Instrument, ...]:
    """Return one instrument for each symbol, in their order."""
    if instruments is None:
        return tuple(Instrument(symbol=name) for name in symbols)
    given = tuple(instruments)
    if tuple(instrument.symbol for instrument in given) != symbols:
        raise DataError(
            f"instruments {[i.symbol for i in given]} for symbols {list(symbols)}",
            rule="there is one instrument for each symbol, in the same order.",
        )
    return given


def checked_changes(
    changes: Sequence[InstrumentChange], symbols: tuple[str, ...]
) -> tuple[InstrumentChange, ...]:
    """Return changes of instruments in the order of time, each of a symbol that is there."""
    for change in changes:
        if change.instrument.symbol not in symbols:
            raise UnknownNameError("symbol", change.instrument.symbol, symbols)
    return tuple(sorted(changes, key=lambda x: (x.time, symbols.index(x.instrument.symbol))))


def instruments_between(
    instruments: tuple[Instrument, ...],
    changes: tuple[InstrumentChange, ...],
    first: int,
    last: int,
) -> tuple[tuple[Instrument, ...], tuple[InstrumentChange, ...]]:
    """Return the instruments at one time, and their changes up to another.

    A change is valid from the first row on that ends after it. `changes` are in the order of time.
    """
    if not changes:
        return instruments, ()
    now = {instrument.symbol: instrument for instrument in instruments}
    now |= {x.instrument.symbol: x.instrument for x in changes if x.time < first}
    return tuple(now.values()), tuple(x for x in changes if first <= x.time < last)


def changed_changes(
    changes: tuple[InstrumentChange, ...], symbol: str | None, fields: Mapping[str, Any]
) -> tuple[InstrumentChange, ...]:
    """Return changes with the given fields of one instrument (or of all) replaced."""
    return tuple(
        InstrumentChange(change.time, changed_instruments((change.instrument,), None, fields)[0])
        if symbol in (None, change.instrument.symbol)
        else change
        for change in changes
    )


def changed_instruments(
    instruments: tuple[Instrument, ...], symbol: str | None, fields: Mapping[str, Any]
) -> tuple[Instrument, ...]:
    """Return the instruments, with fields of one of them (or of all) replaced.

    Raises
    ------
    UnknownNameError
        No such symbol or field; near ones are suggested.
    ParameterError
        A value of the wrong type or outside its range.
    """
    symbols = [instrument.symbol for instrument in instruments]
    if symbol is not None and symbol not in symbols:
        raise UnknownNameError("symbol", symbol, symbols)
    known = [name for name in Instrument.__struct_fields__ if name != "symbol"]
    for name in fields:
        if name not in known:
            raise UnknownNameError("field of an instrument", name, known)
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in fields.items()}
    return tuple(
        _changed(instrument, plain) if symbol in (None, instrument.symbol) else instrument
        for instrument in instruments
    )


def _changed(instrument: Instrument, fields: dict[str, Any]) -> Instrument:
    try:
        return msgspec.convert(msgspec.structs.asdict(instrument) | fields, Instrument)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ParameterError):  # its own message is clearer
            raise error.__cause__ from None
        rule, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        hint = next((x.type for x in msgspec.structs.fields(Instrument) if x.name == name), None)
        allowed = (
            f" Choose from {', '.join(get_args(hint))}." if get_origin(hint) is Literal else ""
        )
        raise ParameterError(
            f"Instrument {instrument.symbol!r}: {name}={fields.get(name)!r}",
            rule=f"{rule}.{allowed}".replace("`", ""),
        ) from None


def _prefix(source: str) -> str:
    return f"{source}: " if source else ""
