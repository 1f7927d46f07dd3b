"""`Record`: every row and every log entry of one column, as a push produces them."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphalab.core.workspace import LOGS
from alphalab.errors import DataError
from alphalab.types import LEDGER, Records


class Record:
    """The rows of one push of one column.

    Attributes
    ----------
    ledger : records of shape (R,)
        `alphalab.types.LEDGER`.
    qty, targets : ndarray of shape (R, N)
        Units held after each row, and approved weights.
    """

    def __init__(self, n_assets: int) -> None:
        self._n_assets = n_assets
        self.begin(0)

    def begin(self, n_rows: int) -> None:
        """Make room for the rows of a push; those of the push before are forgotten."""
        self.ledger: Any = np.zeros(n_rows, LEDGER)
        self.qty = np.empty((n_rows, self._n_assets))
        self.targets = np.empty((n_rows, self._n_assets))
        self._logs: list[list[Any]] = [[] for _ in LOGS]

    def places(self, rows: slice) -> dict[str, Any]:
        """Return where the driver writes some rows, with the column as first axis."""
        return {
            "ledger": self.ledger[None, rows],
            "qty": self.qty[None, rows],
            "targets": self.targets[None, rows],
        }

    def empty(self, work: Any) -> None:
        """Take over the entries of all logs of a workspace, and empty the logs."""
        for parts, name, count in zip(self._logs, LOGS, work.counts.tolist(), strict=True):
            if count:
                entries = getattr(work, name)[:count]
                parts.append(entries.view(np.uint8).copy())  # as bytes: not field by field
        work.counts[:] = 0

    def logs(self) -> list[Records]:
        """Return all entries of each log, in the order of `LOGS`."""
        return [
            np.concatenate(parts).view(log) if parts else np.empty(0, log)
            for parts, log in zip(self._logs, LOGS.values(), strict=True)
        ]

    def check_equity(self, rows: slice) -> None:
        """Refuse an equity that is not finite."""
        equity = self.ledger["equity"][rows]
        finite = np.isfinite(equity)
        if not finite.all():
            row = int(np.argmin(finite))
            raise DataError(
                f"equity is {equity[row]} in row {rows.start + row} of this push",
                rule="prices and positions stay within what a float can hold.",
                fix="Look for a broken price there.",
            )
