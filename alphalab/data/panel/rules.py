"""The rules every panel of bars keeps.

Nothing is repaired: a row that breaks a rule is refused, and the message names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import Instant, datetimes_to_ns, iso, nanoseconds
from alphalab.errors import DataError, ParameterError, UnknownNameError
from alphalab.settings import FIRST_YEAR, LAST_YEAR, MOST_YEARS
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, InstrumentChange, IntArray

#: Adjusting prices for splits leaves the last digit of each to chance.
ROUNDING = 1e-12

PRICES = ("open", "high", "low", "close")

# What notes say about data that lacks something.
CLOSES_ONLY = "closes only: open, high and low are set to the close"
NO_VOLUME = "no volume column: volume is unknown"

_FIX = "Correct the row at its source, or leave it out."


def frozen(values: Any, name: str) -> FloatArray:
    """Return values as read-only, C-contiguous float64; copied unless nobody can write to them.

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
    """Return names as plain texts; a text alone is one name.

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
    """Refuse times that repeat or go back; `rows` are the numbers that a message calls them by."""
    back = time[1:] <= time[:-1]
    if not back.any():
        return
    at = int(np.argmax(back)) + 1
    row, before, now, previous = rows[at], rows[at - 1], iso(time[at]), iso(time[at - 1])
    if time[at] == time[at - 1]:
        raise DataError(
            f"{where}row {row} has the time of row {before}: {now} is duplicated",
            rule="times are strictly increasing.",
            fix="Keep one of the two rows.",
        )
    raise DataError(
        f"{where}row {row} ({now}) is earlier than row {before} ({previous}): times are unsorted",
        rule="times are strictly increasing.",
        fix="Sort the rows by time.",
    )


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
        result[name] = frozen(values, name)
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
    """Refuse prices that are partly unknown, not finite and positive, or at odds; or a bad volume.

    A cell whose four prices are all NaN was not listed or did not trade, and passes.
    """
    for bad, names, rule in broken_rules(columns):
        if bad.any():
            row, asset = np.unravel_index(int(np.argmax(bad)), bad.shape)
            values = {name: columns[name][row, asset] for name in names}
            raise broken_cell(source, int(row), int(time[row]), symbols[asset], values, rule)


def broken_rules(
    columns: Mapping[str, FloatArray],
) -> Iterator[tuple[NDArray[np.bool_], tuple[str, ...], str]]:
    """Yield for each rule of a bar: where it is broken, the columns it is about, and its words.

    Parameters
    ----------
    columns : mapping of str to ndarray
        The five columns of bars, all of one shape, which is that of the answers.
    """
    open_, high, low, close, volume = (columns[name] for name in BAR_COLUMNS)
    unknown = np.isnan(open_)
    mixed = np.zeros(unknown.shape, np.bool_)
    for price in (high, low, close):
        mixed |= np.isnan(price) != unknown
    yield mixed, PRICES, "the four prices are known together: none is NaN, or all are."
    for name in PRICES:
        price = columns[name]
        yield (price <= 0) | np.isinf(price), (name,), "prices are finite and above 0."
    top, bottom = high * (1 + ROUNDING), low * (1 - ROUNDING)
    highest = (top < open_) | (top < close) | (top < low)
    yield highest, PRICES, "high is not below open, close or low."
    yield (bottom > open_) | (bottom > close), PRICES, "low is not above open or close."
    bad_volume = (volume < 0) | np.isinf(volume)
    yield bad_volume, ("volume",), "volume is finite and at least 0, or NaN if unknown."


def broken_cell(
    source: str, row: int, time: int, symbol: str, values: Mapping[str, float], rule: str
) -> DataError:
    """Return the error about one cell of prices."""
    said = ", ".join(f"{name}={value:.14g}" for name, value in values.items())
    return DataError(
        f"{_prefix(source)}row {row} ({iso(time)}), symbol {symbol!r}: {said}", rule=rule, fix=_FIX
    )


def repeats(*keys: Any) -> NDArray[np.bool_]:
    """Return whether the same keys were there in an earlier place, (R,).

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
    """Return the instruments of the row at one time, and what becomes of them up to another.

    A change holds from the first row on that ends after it. `changes` are in the order of time.
    """
    if not changes:
        return instruments, ()
    now = {instrument.symbol: instrument for instrument in instruments}
    now |= {x.instrument.symbol: x.instrument for x in changes if x.time < first}
    return tuple(now.values()), tuple(x for x in changes if first <= x.time < last)


def changed_changes(
    changes: tuple[InstrumentChange, ...], symbol: str | None, fields: Mapping[str, Any]
) -> tuple[InstrumentChange, ...]:
    """Return changes after which, too, fields of one instrument (or of all) are as given."""
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
        if isinstance(error.__cause__, ParameterError):  # its own rules have the better words
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
