"""`Observed`: what observers have told, and the value that holds in a row.

A row has, of the values about its symbol or about all that were known at its close, the one about
the latest time, in its last revision: the rule of `Bars.with_observations`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from alphalab.core.events import Observation


class _Value(NamedTuple):
    """A value; the greater of two precedes the other."""

    time: int
    known: int
    value: float


class _History:
    """The values of one name and symbol, in the order in which they became known."""

    def __init__(self) -> None:
        self.known: list[int] = []
        self.best: list[_Value] = []  # of all values up to the same place

    def add(self, value: _Value) -> None:
        self.known.append(value.known)
        last = self.best[-1] if self.best else value
        self.best.append(value if value[:2] >= last[:2] else last)

    def at(self, time: int) -> _Value | None:
        place = bisect_right(self.known, time)
        return self.best[place - 1] if place else None


class Observed:
    """Observations by column and symbol: a fold over the journal.

    Examples
    --------
    >>> observed = Observed()
    >>> values = np.array([0.5]).tobytes()
    >>> observed.add(Observation(name="mood", known=100, time=90, values=values))
    >>> [observed.value("mood", "BTC", at, oldest=50) for at in (99, 100, 150, 151)]
    [nan, 0.5, 0.5, nan]
    """

    def __init__(self) -> None:
        self._histories: dict[tuple[str, str], _History] = {}
        self.last = 0  # when the last one became known, ns

    def add(self, event: Observation) -> None:
        """Take in an observation; it became known no earlier than the one before."""
        history = self._histories.setdefault((event.name, event.symbol), _History())
        history.add(_Value(event.time, event.known, value_of(event)))
        self.last = max(self.last, event.known)

    def value(self, name: str, symbol: str, at: int, oldest: int) -> float:
        """Return what holds at a time (ns); NaN: nothing is known, or it is too old.

        Parameters
        ----------
        name, symbol : str
        at : int
            Close of the row, ns.
        oldest : int
            How long a value holds after it became known, ns.
        """
        best: _Value | None = None
        for owner in (symbol, ""):
            history = self._histories.get((name, owner))
            found = None if history is None else history.at(at)
            if found is not None and (best is None or found[:2] > best[:2]):
                best = found
        return math.nan if best is None or at - best.known > oldest else best.value


def value_of(event: Observation) -> float:
    """Return the value of an observation of one number."""
    (value,) = np.frombuffer(event.values, "<f8")
    return float(value)
