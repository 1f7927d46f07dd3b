"""Expressions on rows of their own: of a coarser clock, or those in which an asset trades.

Each holds plans of what is inside, and the arrays that it carries from block to block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from alphalab.expr.intervals import interval_ns
from alphalab.kernels.operators import coarse
from alphalab.types import FloatArray, IntArray

_KINDS = {
    "open": coarse.FIRST,
    "high": coarse.HIGHEST,
    "low": coarse.LOWEST,
    "close": coarse.LAST,
    **dict.fromkeys(("volume", "buy_volume", "n_trades", "traded_value"), coarse.TOTAL),
}

#: The output of an inner plan.
OUTPUT = "inside"


class Inner(Protocol):
    """What is needed of a plan."""

    columns: tuple[str, ...]

    @property
    def arrays(self) -> list[FloatArray]:
        """All that is carried from block to block."""

    def check_arrays(self, read: Iterator[FloatArray]) -> None:
        """Refuse arrays that no plan can have."""

    def each(
        self, columns: Mapping[str, FloatArray], n_rows: int, time: IntArray | None
    ) -> Iterator[tuple[str, FloatArray]]:
        """Push rows and yield the values of each output."""


class OnTraded:
    """One plan for each asset, over the rows in which it has a close."""

    def __init__(self, plans: Sequence[Inner]) -> None:
        self.plans = plans
        self.arrays: tuple[FloatArray, ...] = ()

    def push(
        self, columns: Mapping[str, FloatArray], time: IntArray | None, n: int, out: FloatArray
    ) -> None:
        """Fill `out` (R, N)."""
        out[:] = np.nan
        for asset, plan in enumerate(self.plans):
            rows = np.flatnonzero(~np.isnan(columns["close"][:n, asset]))
            if not rows.size:
                continue
            mine = {name: columns[name][rows, asset : asset + 1] for name in plan.columns}
            when = None if time is None else time[rows]
            for _, values in plan.each(mine, rows.size, when):
                out[rows, asset] = values[:, 0]


class OnInterval:
    """One plan over the windows of a coarser clock."""

    def __init__(self, plan: Inner, interval: str, offset: str, n_assets: int) -> None:
        self.plans = (plan,)
        self._names = ("close", *(name for name in plan.columns if name != "close"))
        self._kinds = np.array([_KINDS.get(x, coarse.LATEST) for x in self._names], np.int64)
        self._step = interval_ns(interval)
        self._shift = interval_ns(offset) if offset else 0
        self._clock = np.zeros((1, 2))
        self._part = np.zeros((1 + len(self._names), n_assets))
        self._last = np.full((1, n_assets), np.nan)
        self.arrays = (self._clock, self._part, self._last)

    def push(
        self, columns: Mapping[str, FloatArray], time: IntArray, n: int, out: FloatArray
    ) -> None:
        """Fill `out` (R, N): in each row the value of the last window that has closed."""
        number = -((self._shift - time) // self._step)
        ends = (time - self._shift) % self._step == 0
        rows = np.ascontiguousarray([columns[name][:n] for name in self._names])
        merged = np.empty((len(self._names), n + 1, out.shape[1]))
        windows, shown = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
        done = coarse.merging()(
            *(self._clock[0], self._part, self._kinds, number, ends, rows),
            *(merged, windows, shown),
        )
        named = {name: merged[place, :done] for place, name in enumerate(self._names)}
        (plan,) = self.plans
        known = np.vstack((self._last, np.empty((done, out.shape[1]))))
        for _, values in plan.each(named, done, windows[:done] * self._step + self._shift):
            known[1:] = values
        out[:] = known[np.searchsorted(shown[:done], np.arange(n), side="right")]
        self._last[:] = known[-1:]
