"""Succession: a symbol that ends where another begins may be one asset under a new name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from alphalab.data.clock.times import NS_DAY, bar_spacing, iso
from alphalab.data.panel.rows import Rows
from alphalab.errors import UnknownNameError

# A new name comes at about the old price, within a long weekend or three bars.
_LARGEST_CHANGE = 0.15
_LONGEST_BREAK = 4 * NS_DAY
_MOST_BARS = 3
# Of many symbols that come and go some do so at once by chance: the first few are enough to see.
_SHOWN = 5


class Life(NamedTuple):
    """The first and the last row of a symbol: times in ns UTC, and their prices."""

    symbol: str
    begin: int
    open: float
    end: int
    close: float


def successions(lives: Sequence[Life], interval: int) -> Iterator[tuple[Life, Life]]:
    """Yield symbols that end where another begins at about the same price, old and new.

    Parameters
    ----------
    lives : sequence of Life
        Of all symbols of one source.
    interval : int
        Length of a bar, ns.
    """
    first = min((life.begin for life in lives), default=0)
    last = max((life.end for life in lives), default=0)
    longest = max(_LONGEST_BREAK if interval > NS_DAY // 2 else 0, _MOST_BARS * interval)
    begins = [life for life in lives if life.begin > first]
    for old in (life for life in lives if life.end < last):
        for new in begins:
            waits = 0 < new.begin - old.end <= longest
            if waits and abs(new.open / old.close - 1) < _LARGEST_CHANGE:
                yield old, new


def names_there(
    rename: Mapping[str, str], symbols: Collection[str], absent: str = "note"
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return which of the old names a source has, and what is to be said about the others.

    Of several files that are renamed alike, not all have rows of every name.

    Parameters
    ----------
    rename : mapping of str to str
        Old to new.
    symbols : collection of str
        Those of the source.
    absent : {"note", "refuse"}
        Whether old names that are not there are said or refused.

    Raises
    ------
    UnknownNameError
        An old name that is not there; near ones are suggested.

    Examples
    --------
    >>> names_there({"FB": "META"}, ["AAPL"])
    ({}, ("no rows of 'FB', which was to be renamed 'META'",))
    """
    there = {old: new for old, new in rename.items() if old in symbols}
    if absent != "note" and len(there) < len(rename):
        raise UnknownNameError("symbol", next(old for old in rename if old not in there), symbols)
    said = tuple(
        f"no rows of {old!r}, which was to be renamed {new!r}"
        for old, new in rename.items()
        if old not in there
    )
    return there, said


def successors(rows: Rows) -> tuple[str, ...]:
    """Return a sentence for each symbol that seems to go on under another name.

    Parameters
    ----------
    rows : Rows
        In the order of time for each symbol.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> rows = Rows.of(synthetic(100, 1))
    >>> halves = np.arange(100) // 50
    >>> print(successors(replace(rows, symbols=("FB", "META"), symbol=halves))[0])
    'FB' ends at 2020-01-03T04:00:00Z (close 97.6254) and 'META' begins at 2020-01-03T05:00:00Z
    (open 97.5551): if they are one asset under a new name, rename FB=META
    """
    if len(rows.symbols) < 2:
        return ()
    found = [(name, places) for name, places in rows.by_symbol() if len(places)]
    open_, close = rows.columns["open"], rows.columns["close"]
    lives = [
        Life(name, int(rows.time[i]), float(open_[i]), int(rows.time[j]), float(close[j]))
        for name, i, j in ((name, places[0], places[-1]) for name, places in found)
    ]
    longest = max((places for _, places in found), key=len)
    interval = bar_spacing(rows.time[longest]) if len(longest) > 1 else NS_DAY
    said = [
        f"{old.symbol!r} ends at {iso(old.end)} (close {old.close:g}) and {new.symbol!r} begins at "
        f"{iso(new.begin)} (open {new.open:g}): if they are one asset under a new name, "
        f"rename {old.symbol}={new.symbol}"
        for old, new in successions(lives, interval)
    ]
    return tuple(said[:_SHOWN])
