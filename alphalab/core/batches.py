"""`Batch`: columns that one call of the driver pushes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.core.accounts import Accounts, Market, Shape
from alphalab.core.distances import DISTANCES
from alphalab.core.strategy import Strategy
from alphalab.core.workspace import workspace
from alphalab.kernels._jit import entry_of
from alphalab.kernels.market.arguments import COLUMNS, OUTPUT, ROWS
from alphalab.types import LEDGER, FloatArray

_CELLS = 65_536  # targets and signals of a batch in a block of rows: half a megabyte


class Batch(NamedTuple):
    """C columns of one shape, their arrays packed for the driver."""

    strategies: Sequence[Strategy]
    shape: Shape
    decide: Any
    entry: Any  # of `decide`, for the driver; 0 without one
    columns: Any
    work: Any
    rows: Any
    output: Any  # where tallies are kept; None where rows are recorded

    def fill(
        self,
        market: Market,
        values: Iterator[tuple[str, FloatArray]],
        targets: FloatArray,
        n_rows: int,
    ) -> None:
        """Write what the columns read of the next rows.

        Parameters
        ----------
        market : Market
            Has read the rows.
        values : iterator of str and ndarray of shape (R, N)
            One item for each expression of each column: its targets, or the signals of its
            `decide`, then the distances of its exits.
        targets : ndarray of shape (C, R or more, N)
        n_rows : int
            R.
        """
        if self.shape.period is not None:
            self.rows.period[:n_rows] = market.periods(self.shape.period, n_rows)
        for c in range(len(self.strategies)):
            if self.decide is None:
                targets[c, :n_rows] = next(values)[1]
            else:
                for k in range(len(self.shape.signals)):
                    self.rows.signals[c, :n_rows, k] = next(values)[1]
            for name in self.shape.distances:
                self.rows.distances[c, :n_rows, DISTANCES.index(name)] = next(values)[1]


def batches_of(
    accounts: Accounts, strategies: Sequence[Strategy], market: Market, *, recording: bool
) -> Iterator[Batch]:
    """Yield columns of one shape in batches whose targets and signals stay in the cache."""
    shape, decide = accounts.shape, accounts.decide
    capacity, n_assets = market.time.size, accounts.positions.shape[1]
    n_signals = 0 if decide is None else len(shape.signals)
    most = max(_CELLS // (capacity * n_assets * (1 + n_signals)), 1)
    most = min(most, len(strategies))
    work = workspace(n_assets, shape, accounts.bounds, events=recording)
    period = np.zeros(capacity, np.int64)
    signals = np.empty((most, capacity, n_signals, n_assets))
    n_distances = len(DISTANCES) if shape.distances else 0
    distances = np.full((most, capacity, n_distances, n_assets), np.nan)
    targets = np.empty((0 if recording else most, capacity, n_assets))
    ledger, qty = np.zeros((most, 1), LEDGER), np.zeros((most, 1, n_assets))
    for first in range(0, len(strategies), most):
        some = strategies[first : first + most]
        n, places = len(some), slice(first, first + len(some))
        yield Batch(
            some,
            shape,
            decide,
            0 if decide is None else entry_of(decide),
            COLUMNS.pack(**{name: getattr(accounts, name)[places] for name in COLUMNS.names}),
            work,
            ROWS.pack(
                time=market.time,
                period=period,
                bars=market.bars,
                delists=market.delists,
                signals=signals[:n],
                distances=distances[:n],
            ),
            None if recording else OUTPUT.pack(targets=targets[:n], ledger=ledger[:n], qty=qty[:n]),
        )
