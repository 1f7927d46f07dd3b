"""Succession: a symbol that ends where another begins may be one asset under a new name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from alphalab.data.rows import Rows
from alphalab.data.times import iso

# A new name comes with the next bar, at about the old price.
_LARGEST_CHANGE = 0.15
# Of many symbols that come and go some do so at once by chance: the first few are enough to see.
_SHOWN = 5


def names_there(
    rename: Mapping[str, str], symbols: Collection[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return which of the old names a source has, and what is to be said about the others.

    Of several files that are renamed alike, not all have rows of every name.

    Examples
    --------
    >>> names_there({"FB": "META"}, ["AAPL"])
    ({}, ("no rows of 'FB', which was to be renamed 'META'",))
    """
    there = {old: new for old, new in rename.items() if old in symbols}
    absent = tuple(
        f"no rows of {old!r}, which was to be renamed {new!r}"
        for old, new in rename.items()
        if old not in there
    )
    return there, absent


def successors(rows: Rows) -> tuple[str, ...]:
    """Return a sentence for each symbol that seems to go on under another name.

    Parameters
    ----------
    rows : Rows
        In the order of time for each symbol.

    Examples
    --------
    >>> from alphalab.data.synthetic import synthetic
    >>> rows = Rows.of(synthetic(100, 1))
    >>> halves = np.arange(100) // 50
    >>> from dataclasses import replace
    >>> print(successors(replace(rows, symbols=("FB", "META"), symbol=halves))[0])
    'FB' ends at 2020-01-03T04:00:00Z (close 97.6254) and 'META' begins with the next bar (open
    97.5551): if they are one asset under a new name, rename FB=META
    """
    if len(rows.symbols) < 2:
        return ()
    times = np.unique(rows.time)
    series = [(name, places) for name, places in rows.by_symbol() if len(places)]
    first = {int(rows.time[places[0]]): name for name, places in reversed(series)}
    begins = {name: places[0] for name, places in series}
    said = []
    for old, places in series:
        end = places[-1]
        after = int(np.searchsorted(times, rows.time[end], side="right"))
        new = first.get(int(times[after])) if after < len(times) else None
        if new is None:
            continue
        close, open_ = rows.columns["close"][end], rows.columns["open"][begins[new]]
        if abs(np.log(open_ / close)) < _LARGEST_CHANGE:
            said.append(
                f"{old!r} ends at {iso(rows.time[end])} (close {close:g}) and {new!r} begins with "
                f"the next bar (open {open_:g}): if they are one asset under a new name, "
                f"rename {old}={new}"
            )
    return tuple(said[:_SHOWN])
