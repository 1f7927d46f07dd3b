"""`Trader`: one artifact's engine, its rows and its reports."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np

from alphalab.codes import ReportKind
from alphalab.core.engine import Block, Engine
from alphalab.core.event_codec import array_bytes
from alphalab.core.events import History, Report, Row
from alphalab.types import LEDGER, REPORT, FloatArray, IntArray, Records

_ENDS = (ReportKind.CANCELLED, ReportKind.EXPIRED)
_LOGS = ("fills", "refusals", "events", "postings", "ambiguities")


class Trader:
    """One engine that trades through the venue.

    Parameters
    ----------
    place : int
        Place of the engine in the run, from 0.
    engine : Engine
        With ``external=True``.
    interval : int
        Length of a bar, ns.
    """

    def __init__(self, place: int, engine: Engine, interval: int) -> None:
        self.place = place
        self.engine = engine
        self.interval = interval
        self.symbols = tuple(instrument.symbol for instrument in engine.instruments)
        self.columns = engine.columns
        self.last = 0  # close of the last row, ns; 0 before the first
        self._between: list[Block] = []  # of reports, since the last row

    @property
    def qty(self) -> FloatArray:
        """Units held, (N,)."""
        return self.engine.positions["qty"].astype(np.float64)

    @property
    def cash(self) -> float:
        """Cash, in `currency`."""
        return float(self.engine.account["cash"])

    @property
    def currency(self) -> str:
        """Currency of the account."""
        return self.engine.settings.currency or self.engine.instruments[0].currency

    @property
    def is_flat(self) -> bool:
        """True if it holds less than half a lot of everything."""
        return all(abs(q) < self.half_lot(j) for j, q in enumerate(self.qty))

    def half_lot(self, asset: int) -> float:
        """Return the units below which two quantities of an asset are equal."""
        lot = self.engine.instruments[asset].lot
        return lot / 2 if lot else 1e-9

    # ---- rows and reports

    def begin(self, time: int) -> None:
        """Let the first row be the first one that begins at a time (ns) or later."""
        if self.last == 0:
            self.last = -(-time // self.interval) * self.interval

    def warm(self, history: History) -> None:
        """Fill the windows of the engine with rows from before the first one."""
        values = np.frombuffer(history.values, "<f8")
        values = values.reshape(-1, len(self.columns), len(self.symbols))
        seen = {name: values[:, i].copy() for i, name in enumerate(self.columns)}
        self.engine.warm(seen, np.frombuffer(history.times, "<i8"))

    def push(self, times: IntArray, values: FloatArray) -> list[Row]:
        """Push R rows, (R, columns, symbols), and return their events."""
        first = self.engine.account["row"]
        block = self.engine.push(
            times, {name: values[:, i].copy() for i, name in enumerate(self.columns)}
        )
        self.last = int(times[-1])
        ledger = _cut(block.ledger.tobytes(), len(times))
        qty = _cut(array_bytes(block.qty), len(times))
        decisions = self._hashes(block, int(first), ledger, qty)
        read = _cut(array_bytes(values), len(times))
        return [
            Row(
                engine=self.place,
                time=time,
                values=read[i],
                ledger=ledger[i],
                qty=qty[i],
                decision=decisions[i],
            )
            for i, time in enumerate(times.tolist())
        ]

    def book(self, reports: Sequence[Report]) -> None:
        """Book reports; the end of an order that was replaced is none of the engine's."""
        rows = [_record(x) for x in reports if x.last or x.kind not in _ENDS or not x.client_id]
        if rows:
            self._between.append(self.engine.report(np.array(rows, REPORT)))

    def _hashes(
        self, block: Block, first: int, ledger: Sequence[bytes], qty: Sequence[bytes]
    ) -> list[bytes]:
        """Return the hash of each row: what reports recorded before it, and what it recorded."""
        before = hashlib.sha256()
        for name in _LOGS:  # one log after the other: how reports were grouped does not matter
            for reported in self._between:
                before.update(getattr(reported, name).tobytes())
        self._between.clear()
        targets = _cut(array_bytes(block.targets), len(ledger))
        rows = np.arange(first, first + len(ledger) + 1)
        logs = [_by_row(log, rows) for name in _LOGS if len(log := getattr(block, name))]
        found = []
        for i in range(len(ledger)):
            digest = hashlib.sha256() if i else before
            digest.update(ledger[i] + qty[i] + targets[i])
            for log in logs:
                digest.update(log[i])
            found.append(digest.digest())
        return found

    @property
    def in_progress(self) -> int:
        """Close of the row that is pushed next, ns: reports belong to it."""
        return self.last + self.interval


def ledger_of(row: Row) -> np.void:
    """Return the account after a row, one record of `alphalab.types.LEDGER`."""
    record: np.void = np.frombuffer(row.ledger, LEDGER)[0]
    return record


def _cut(raw: bytes, n: int) -> list[bytes]:
    """Return n equal parts of bytes: cutting is much cheaper than an array for each row."""
    size = len(raw) // n
    return [raw[i * size : (i + 1) * size] for i in range(n)]


def _by_row(log: Records, rows: IntArray) -> list[bytes]:
    """Return the bytes of a log in each row but the last of some rows."""
    raw, size = log.tobytes(), log.dtype.itemsize
    bounds = np.searchsorted(log["row"], rows).tolist()
    return [raw[a * size : b * size] for a, b in itertools.pairwise(bounds)]


def _record(report: Report) -> tuple[object, ...]:
    return tuple(getattr(report, name) for name in REPORT.names or ())
