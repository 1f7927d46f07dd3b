"""Episodes: the rows at which they may begin, and how one is drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.errors import ParameterError
from alphalab.types import IntArray


class Span(NamedTuple):
    """Rows inside which an episode stays: the first decision and the last row."""

    first: int
    last: int


def runs(rows: slice | Sequence[int] | IntArray | None, n_rows: int) -> Iterator[tuple[int, int]]:
    """Yield first and last row of each run of consecutive rows.

    Raises
    ------
    ParameterError
        Rows that do not exist, or are not in ascending order.

    Examples
    --------
    >>> list(runs([0, 1, 2, 5, 6], 10)), list(runs(slice(-3, None), 10))
    ([(0, 2), (5, 6)], [(7, 9)])
    """
    if rows is None:
        rows = slice(None)
    if isinstance(rows, slice):
        first, end, step = rows.indices(n_rows)
        chosen = np.arange(first, end, step)
    else:
        chosen = np.asarray(rows)
    if not chosen.size or chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise ParameterError(
            f"rows={rows!r}",
            rule="rows are a slice or whole numbers, and there is at least one.",
            fix=f"The bars have rows 0 to {n_rows - 1}.",
        )
    if chosen[0] < 0 or chosen[-1] >= n_rows or (np.diff(chosen) <= 0).any():
        raise ParameterError(
            f"rows from {chosen[0]} to {chosen[-1]}",
            rule=f"rows ascend, and the bars have rows 0 to {n_rows - 1}.",
        )
    cuts = np.flatnonzero(np.diff(chosen) > 1) + 1
    for run in np.split(chosen, cuts):
        yield int(run[0]), int(run[-1])


class Episodes:
    """Where episodes may lie, and how one is drawn.

    Parameters
    ----------
    spans : sequence of Span
        At least one; each holds an episode of `length` steps.
    length : int, optional
        Steps of an episode; None: from its start to the end of the span, and it starts at the
        beginning.

    Examples
    --------
    >>> episodes = Episodes([Span(10, 20), Span(40, 50)], length=4)
    >>> episodes.n_starts
    14
    >>> episodes.draw(np.random.default_rng(0)), episodes.at(12)
    ((44, 48), (12, 16))
    """

    def __init__(self, spans: Sequence[Span], length: int | None) -> None:
        self.spans, self.length = tuple(spans), length
        counts = [1 if length is None else x.last - x.first - length + 1 for x in spans]
        self._ends = np.cumsum(counts).tolist()
        self.n_starts: int = self._ends[-1]

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Return first and last row of an episode; every start is equally likely."""
        place = int(rng.integers(self.n_starts))
        which = bisect_right(self._ends, place)
        span = self.spans[which]
        start = span.first + place - (self._ends[which - 1] if which else 0)
        return start, span.last if self.length is None else start + self.length

    def at(self, start: Any) -> tuple[int, int]:
        """Return first and last row of the episode that begins at a row.

        Raises
        ------
        ParameterError
            No episode may begin there.
        """
        for span in self.spans:
            last = span.last if self.length is None else start + self.length
            if span.first <= start < last <= span.last:
                return int(start), int(last)
        where = ", ".join(f"{x.first} to {x.last - (self.length or 1)}" for x in self.spans[:5])
        raise ParameterError(
            f'options={{"start": {start}}}', rule=f"an episode begins in rows {where}."
        )


def spans_of(found: Sequence[tuple[int, int]], least: int, length: int | None) -> list[Span]:
    """Return the runs of rows that hold an episode; its first decision is not before row `least`.

    Raises
    ------
    ParameterError
        A length below 1, or one for which no run has the rows.
    """
    if length is not None and (not isinstance(length, int) or length < 1):
        raise ParameterError(f"episode={length!r}", rule="an episode has one step or more.")
    steps = 1 if length is None else length
    spans = [Span(max(first, least), last) for first, last in found]
    fitting = [span for span in spans if span.last - span.first >= steps]
    if not fitting:
        most = max(span.last - span.first for span in spans)
        raise ParameterError(
            f"episode={length} with {max(last - first + 1 for first, last in found)} rows",
            rule=f"the first decision is in row {least} at the earliest, when all windows are "
            f"full, so an episode has at most {max(most, 0)} steps.",
            fix="Use a shorter episode, shorter windows or more rows.",
        )
    return fitting
