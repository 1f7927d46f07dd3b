"""`History`: bars of which the first rows are seen by the expressions and not traded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError


@dataclass(frozen=True, eq=False)
class History:
    """The rows that a run sees, and the row from which on it trades.

    Parameters
    ----------
    bars : Bars
        All rows, the first ones included.
    n_warm : int
        Rows that the expressions see before the first row that is traded.

    Raises
    ------
    ParameterError
        A number of rows that leaves none to trade.

    Examples
    --------
    >>> from alphalab.data.samples.datasets import sp500
    >>> history = History.of(sp500(), "2018-01-01")
    >>> history.n_warm, history.traded.n_rows, history.traded.start
    (4780, 251, '2018-01-02T21:00:00Z')
    """

    bars: Bars
    n_warm: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.n_warm < self.bars.n_rows:
            raise ParameterError(
                f"{self.n_warm} of {self.bars.n_rows} rows seen and not traded",
                rule="at least one row is traded.",
            )

    @classmethod
    def of(cls, bars: Bars, start: Instant | None = None) -> History:
        """Return the history that is traded from the first row at or after `start`.

        Raises
        ------
        DataError
            No row from `start` on.
        """
        return cls(bars, 0 if start is None else bars.n_rows - bars.between(start).n_rows)

    @cached_property
    def traded(self) -> Bars:
        """The rows that are traded."""
        return self.bars.rows(self.n_warm, self.bars.n_rows)

    @cached_property
    def before(self) -> Bars | None:
        """The rows that are seen only; None: there are none."""
        return self.bars.rows(0, self.n_warm) if self.n_warm else None
