"""`Batch`: columns that one call of the driver pushes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.core.accounts import Accounts, Shape
from alphalab.core.strategy import Strategy
from alphalab.core.workspace import workspace
from alphalab.kernels.market.arguments import COLUMNS
from alphalab.types import FloatArray

_CELLS = 65_536  # targets and signals of a batch in a block of rows: half a megabyte


class Batch(NamedTuple):
    """C columns of one shape."""

    strategies: Sequence[Strategy]
    shape: Shape
    decide: Any
    columns: Any  # `COLUMNS`, packed
    work: Any  # `WORKSPACE`, packed
    signals: FloatArray  # (C, capacity, K, N) for a `decide`

    def fill(
        self, values: Iterator[tuple[str, FloatArray]], targets: FloatArray, n_rows: int
    ) -> None:
        """Write the next values of a plan: into the targets, or into the signals of a `decide`.

        Parameters
        ----------
        values : iterator of str and ndarray of shape (R, N)
            One item for each expression of each column.
        targets : ndarray of shape (C, R or more, N)
        n_rows : int
            R.
        """
        for c in range(len(self.strategies)):
            if self.decide is None:
                targets[c, :n_rows] = next(values)[1]
            else:
                for k in range(self.shape.n_signals):
                    self.signals[c, :n_rows, k] = next(values)[1]


def batches_of(
    accounts: Accounts, strategies: Sequence[Strategy], capacity: int, *, recording: bool
) -> Iterator[Batch]:
    """Yield columns of one shape in batches whose targets and signals stay in the cache."""
    shape, n_assets = accounts.shape, accounts.positions.shape[1]
    work = workspace(n_assets, shape, events=recording)
    n_signals = shape.n_signals if shape.decide else 0
    size = max(_CELLS // (capacity * n_assets * (1 + n_signals)), 1)
    signals = np.empty((min(size, len(strategies)), capacity, n_signals, n_assets))
    for first in range(0, len(strategies), size):
        some = strategies[first : first + size]
        places = slice(first, first + len(some))
        columns = COLUMNS.pack(**{name: getattr(accounts, name)[places] for name in COLUMNS.names})
        yield Batch(some, shape, accounts.decide, columns, work, signals[: len(some)])
