"""`Timeline`: the instruments of an account, with the changes that venues make to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from alphalab.errors import DataError, UnknownNameError
from alphalab.types import Instrument, InstrumentChange, IntArray

#: What a venue may change while an account trades.
CHANGEABLE = ("tick", "lot", "min_value", "maker_bps", "taker_bps")


class Timeline:
    """The instruments of an account over time.

    A change is in force from the first row that ends after its time.

    Parameters
    ----------
    instruments : sequence of Instrument
        The instruments before all changes.
    changes : sequence of InstrumentChange
        In any order.

    Attributes
    ----------
    states : tuple of tuple of Instrument
        The instruments before the first change, after it, ...
    times : ndarray of int64
        When each state but the first begins, ns UTC, increasing.

    Raises
    ------
    UnknownNameError
        A change of a symbol that the account does not have.
    DataError
        A change of any other field than those in `CHANGEABLE`.

    Examples
    --------
    >>> before = Instrument(symbol="A", tick=0.01)
    >>> after = Instrument(symbol="A", tick=0.001)
    >>> timeline = Timeline([before], [InstrumentChange(20, after)])
    >>> list(timeline.spans(np.array([10, 20, 30, 40, 50]), most=2))
    [(slice(0, 2, None), 0), (slice(2, 4, None), 1), (slice(4, 5, None), 1)]
    >>> timeline.states[1][0].tick
    0.001
    """

    def __init__(
        self, instruments: Sequence[Instrument], changes: Sequence[InstrumentChange] = ()
    ) -> None:
        places = {instrument.symbol: place for place, instrument in enumerate(instruments)}
        for change in changes:
            if change.instrument.symbol not in places:
                raise UnknownNameError("symbol", change.instrument.symbol, places)
            _check(instruments[places[change.instrument.symbol]], change)
        self.times = np.unique(np.array([change.time for change in changes], np.int64))
        states = [tuple(instruments)]
        for time in self.times:
            now = list(states[-1])
            for change in changes:
                if change.time == time:
                    now[places[change.instrument.symbol]] = change.instrument
            states.append(tuple(now))
        self.states = tuple(states)

    def spans(self, time: IntArray, most: int) -> Iterator[tuple[slice, int]]:
        """Yield runs of rows with the same instruments, and the place of these in `states`.

        Parameters
        ----------
        time : ndarray of shape (R,)
            ns UTC, increasing.
        most : int
            Rows of a run, at most.
        """
        cuts = np.searchsorted(time, self.times, side="right") if self.times.size else self.times
        ends = [*cuts[cuts > 0].tolist(), time.size]
        place = len(cuts) - len(ends) + 1
        first = 0
        for end in ends:
            while first < end:
                last = min(first + most, end)
                yield slice(first, last), place
                first = last
            place += 1


def _check(before: Instrument, change: InstrumentChange) -> None:
    for name in Instrument.__struct_fields__:
        old, new = getattr(before, name), getattr(change.instrument, name)
        if old != new and name not in CHANGEABLE:
            raise DataError(
                f"{before.symbol!r}: {name} changes from {old!r} to {new!r} at "
                f"{np.datetime64(change.time, 'ns').astype('M8[s]')}Z",
                rule=f"during a run only {', '.join(CHANGEABLE)} of an instrument may change.",
                fix="Run the rows before and after it apart: bars.between(...).",
            )
