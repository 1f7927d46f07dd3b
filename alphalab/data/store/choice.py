"""Filters of rows: by values of text columns, and by a span of time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.clock.times import Instant, nanoseconds
from alphalab.data.store.tables import Table

if TYPE_CHECKING:
    from pyarrow.dataset import Expression

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Span(NamedTuple):
    """First and last instant, both included; None: no limit."""

    first: dt.datetime | None = None
    last: dt.datetime | None = None


def span(start: Instant | None, end: Instant | None) -> Span:
    """Return the microseconds from `start` to `end`; a bare date as `end` includes its whole day.

    Examples
    --------
    >>> str(span("2024-01-01T00:00:00.000000001", "2024-01-31").first)
    '2024-01-01 00:00:00.000001+00:00'
    """
    return Span(
        None if start is None else _moment(-(-nanoseconds(start) // 1_000)),  # not before it
        None if end is None else _moment(nanoseconds(end, end_of_day=True) // 1_000),
    )


def condition(table: Table, where: Mapping[str, Collection[str]], when: Span) -> Expression | None:
    """Return the pyarrow filter of the rows; None: no filter."""
    tests = [pc.field(name).isin(pa.array(values, pa.string())) for name, values in where.items()]
    time, kind = pc.field(table.time), table.columns[table.time]
    if when.first is not None:
        tests.append(time >= pa.scalar(when.first, kind))
    if when.last is not None:
        tests.append(time <= pa.scalar(when.last, kind))
    return reduce(and_, tests) if tests else None


def files(
    table: Table, where: Mapping[str, Collection[str]], when: Span
) -> list[tuple[str, str, Any]]:
    """Return the deltalake filters that skip files without such rows.

    deltalake has no filter for an empty list: all files stay.
    """
    tests: list[tuple[str, str, Any]] = [
        (name, "in", sorted(set(where[name]))) for name in table.partition if where.get(name)
    ]
    if when.first is not None:
        tests.append((table.time, ">=", when.first))
    if when.last is not None:
        tests.append((table.time, "<=", when.last))
    return tests


def _moment(microseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=microseconds)
