"""Instrument history with effective dates: rows of a store as instruments and their changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from alphalab.data.clock.times import Instant, iso, nanoseconds
from alphalab.data.formats import arrow
from alphalab.data.formats.notes import Note, Notes
from alphalab.errors import DataError, ParameterError
from alphalab.types import Instrument, InstrumentChange

_FIELDS = Instrument.__struct_fields__
_EVER = -(2**63)  # before all instants, ns UTC


class Dated(NamedTuple):
    """An instrument and the instant, ns UTC, from which it is valid."""

    start: int
    instrument: Instrument


def dated_instruments(rows: pa.Table) -> dict[str, list[Dated]]:
    """Return the instruments of table rows, by symbol, in the order of time.

    Raises
    ------
    DataError
        A row that is not a valid instrument.
    """
    starts = arrow.integers(rows["start"].cast(pa.timestamp("us", tz="UTC"))) * 1_000
    found: dict[str, list[Dated]] = {}
    for start, fields in zip(starts.tolist(), rows.select(_FIELDS).to_pylist(), strict=True):
        found.setdefault(fields["symbol"], []).append(Dated(start, _instrument(start, fields)))
    for states in found.values():
        states.sort()
    return found


def instruments_at(rows: pa.Table, at: Instant | None = None) -> tuple[Instrument, ...]:
    """Return the instrument of each symbol at an instant, sorted; not given: the newest."""
    when = None if at is None else nanoseconds(at)
    valid = (
        [state for state in states if when is None or state.start <= when]
        for _, states in sorted(dated_instruments(rows).items())
    )
    return tuple(states[-1].instrument for states in valid if states)


class OfSpan(NamedTuple):
    """The instruments of the first row, and their later changes.

    Attributes
    ----------
    instruments : tuple of Instrument
    changes : tuple of InstrumentChange
    notes : tuple of Note
    """

    instruments: tuple[Instrument, ...]
    changes: tuple[InstrumentChange, ...]
    notes: Notes


def for_span(
    states: Mapping[str, Sequence[Dated]], symbols: Sequence[str], first: int, last: int
) -> OfSpan:
    """Return the instruments of rows.

    An instrument is valid from the first row on that ends after its start. Labels (groups,
    calendar) stay those of the first row: expressions are compiled with them.

    Parameters
    ----------
    states : mapping of str to sequence of Dated
        As `dated_instruments` returns them.
    symbols : sequence of str
    first, last : int
        Times of the first and the last row, ns UTC.
    """
    chosen, changes, later = [], [], []
    notes: list[Note] = []
    for symbol in symbols:
        own = states.get(symbol) or [Dated(_EVER, Instrument(symbol=symbol))]
        before = [state for state in own if state.start < first]
        if not before:
            later.append(symbol)
        now = before[-1].instrument if before else own[0].instrument
        chosen.append(now)
        for start, instrument in own:
            after = msgspec.structs.replace(instrument, groups=now.groups, calendar=now.calendar)
            if first <= start < last and after != now:
                changes.append(InstrumentChange(start, after))
                text = f"{symbol} changes at {iso(start)}: {_difference(now, after)}"
                notes.append(Note("instruments", text))
                now = after
    if later:
        text = f"instruments of {some(later)} are known from later on: used before it, too"
        notes.append(Note("instruments", text))
    if missing := [symbol for symbol in symbols if symbol not in states]:
        text = f"the store has no instruments of {some(missing)}: no fees, ticks and lots"
        notes.append(Note("instruments", text))
    return OfSpan(tuple(chosen), tuple(changes), tuple(notes))


def _instrument(start: int, fields: dict[str, Any]) -> Instrument:
    try:
        groups = msgspec.json.decode(fields["groups"] or "{}", type=dict[str, str])
        return msgspec.convert(fields | {"groups": groups}, Instrument)
    except (msgspec.DecodeError, ParameterError) as error:
        raise DataError(
            f"the instrument {fields['symbol']!r} from {iso(start)}: {error}",
            rule="fields are those of alphalab.Instrument; groups are a JSON object of texts.",
        ) from None


def _difference(before: Instrument, after: Instrument) -> str:
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in _FIELDS]
    return ", ".join(f"{name} {old} to {new}" for name, old, new in pairs if old != new)


def some(symbols: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    return ", ".join(symbols[:5]) + (f" and {len(symbols) - 5} more" if len(symbols) > 5 else "")
