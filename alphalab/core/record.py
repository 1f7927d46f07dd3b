"""`Record`: every row and every log entry of one column, as a push produces them."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphalab.core.workspace import LOGS
from alphalab.errors import DataError
from alphalab.kernels.market.arguments import OUTPUT
from alphalab.types import LEDGER

_EMPTY = {name: np.empty(0, log) for name, log in LOGS.items()}


class Record:
    """The rows of one push of one column of N assets."""

    def __init__(self, n_assets: int) -> None:
        self._n_assets = n_assets
        self.begin(0)

    def begin(self, n_rows: int) -> None:
        """Make room for the R rows of a push."""
        self._ledger: Any = np.zeros(n_rows, LEDGER)
        self._qty = np.empty((n_rows, self._n_assets))
        self._targets = np.empty((n_rows, self._n_assets))
        self._logs: dict[str, list[Any]] = {}

    def output(self, rows: slice) -> Any:
        """Return where the driver writes some of the rows, packed for it."""
        return OUTPUT.pack(
            targets=self._targets[None, rows],
            ledger=self._ledger[None, rows],
            qty=self._qty[None, rows],
        )

    def empty(self, work: Any) -> None:
        """Take over the entries of all logs of a workspace, and empty the logs."""
        counts = work.counts.tolist()
        if not any(counts):
            return
        for name, count in zip(LOGS, counts, strict=True):
            if count:
                entries = getattr(work, name)[:count].view(np.uint8)  # bytes: not field by field
                self._logs.setdefault(name, []).append(entries.copy())
        work.counts[:] = 0

    def taken(self) -> tuple[Any, ...]:
        """Return ledger (R,), qty (R, N), targets (R, N) and the logs, and forget them."""
        logs = (
            np.concatenate(self._logs[name]).view(log) if name in self._logs else _EMPTY[name]
            for name, log in LOGS.items()
        )
        taken = (self._ledger, self._qty, self._targets, *logs)
        self.begin(0)
        return taken

    def check_equity(self, rows: slice) -> None:
        """Refuse an equity that is not finite."""
        equity = self._ledger["equity"][rows]
        finite = np.isfinite(equity)
        if np.count_nonzero(finite) < equity.size:
            row = int(np.argmin(finite))
            raise DataError(
                f"equity is {equity[row]} in row {rows.start + row} of this push",
                rule="prices and positions stay within what a float can hold.",
                fix="Look for a broken price there.",
            )
