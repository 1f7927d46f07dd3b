"""Rules about raw rows: order, duplicates, and the cells that `Bars` refuse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import iso
from alphalab.data.panel.rules import PRICES, ROUNDING
from alphalab.data.quality.series import Hit, Series
from alphalab.types import IntArray


def order(s: Series) -> Iterator[Hit]:
    """Find times that go back, in the order of the source."""
    back = 1 + np.flatnonzero(s.time[1:] < s.time[:-1])
    if back.size:
        at, before = int(back[0]), int(back[0]) - 1
        yield Hit(
            "unsorted",
            back,
            f"{_rows(back.size)} earlier than the row before: row {s.number[at]} "
            f"({iso(s.time[at])}) after row {s.number[before]} ({iso(s.time[before])})",
        )


def in_order(s: Series) -> tuple[Series, list[Hit]]:
    """Return the rows sorted by time, and the findings about duplicate times."""
    if (s.time[1:] > s.time[:-1]).all():
        return s, []
    s = s.take(np.argsort(s.time, kind="stable"))
    again = np.concatenate(([False], s.time[1:] == s.time[:-1]))
    same = again.copy()
    for values in s.columns.values():
        equal = values[1:] == values[:-1]
        same[1:] &= equal | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    hits = []
    for rule, rows, words in (
        ("duplicates", np.flatnonzero(same), "the same values as row"),
        ("conflicting_duplicates", np.flatnonzero(again & ~same), "other values than row"),
    ):
        if rows.size:
            at = int(rows[0])
            text = (
                f"{_rows(rows.size)} of a time that is there already: row {s.number[at]} "
                f"({iso(s.time[at])}) has {words} {s.number[at - 1]}"
            )
            hits.append(Hit(rule, rows, text))
    # Places count the sorted rows, duplicates included.
    return s, hits


def cells(s: Series) -> Iterator[Hit]:
    """Find prices that are unknown, not above 0 or at odds, and volume below 0."""
    unknown = np.logical_or.reduce([np.isnan(s.columns[name]) for name in PRICES])
    yield from _cells(s, "missing_values", unknown, PRICES, "a price that is not known")
    four = [s.columns[name] for name in PRICES]
    bad = ~unknown & ((np.fmin.reduce(four) <= 0) | np.isinf(np.fmax.reduce(four)))
    yield from _cells(s, "nonpositive", bad, PRICES, "a price that is not finite and above 0")
    top, bottom = s.high * (1 + ROUNDING), s.low * (1 - ROUNDING)
    with np.errstate(invalid="ignore"):
        odd = (top < s.open) | (top < s.close) | (top < s.low) | (bottom > s.open)
        odd |= bottom > s.close
    yield from _cells(
        s, "inconsistent", odd & ~unknown & ~bad, PRICES, "prices outside low and high"
    )
    with np.errstate(invalid="ignore"):
        negative = (s.volume < 0) | np.isinf(s.volume)
    yield from _cells(
        s, "negative_volume", negative, ("volume",), "a volume that is not finite and at least 0"
    )


def usable(s: Series) -> IntArray:
    """Return the first row of each time if its prices are positive and finite."""
    known = np.ones(s.n, np.bool_)
    for name in PRICES:
        known &= (s.columns[name] > 0) & np.isfinite(s.columns[name])
    rows = np.flatnonzero(known)
    return rows[once(s.take(rows))]


def once(s: Series) -> IntArray:
    """Return the first row of each time, of rows in the order of time."""
    return np.flatnonzero(np.concatenate(([True], s.time[1:] != s.time[:-1]))[: s.n])


def _cells(
    s: Series, rule: str, bad: NDArray[np.bool_], names: tuple[str, ...], what: str
) -> Iterator[Hit]:
    rows = np.flatnonzero(bad)
    if rows.size:
        at = int(rows[0])
        values = ", ".join(f"{name}={s.columns[name][at]:.10g}" for name in names)
        verb = "has" if rows.size == 1 else "have"
        count = f"{rows.size:,} row{'' if rows.size == 1 else 's'}"
        text = f"{count} {verb} {what}: row {s.number[at]} ({iso(s.time[at])}), {values}"
        yield Hit(rule, rows, text)


def _rows(count: int) -> str:
    return f"{count:,} row is" if count == 1 else f"{count:,} rows are"
