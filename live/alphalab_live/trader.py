"""`Trader`: one artifact's engine, its rows and reports, and the orders that it wants at the venue.

The venue's orders follow from a difference: what the engine holds as working against what the
runner's order book says is there. So a restart sends what is missing and nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from alphalab.codes import OrderState as Stage
from alphalab.codes import OrderType, ReportKind, Sizing, TimeInForce
from alphalab.core.engine import Block, Engine
from alphalab.core.event_codec import array_bytes
from alphalab.core.events import History, Intent, Report, Row
from alphalab.core.rules import whole_lots
from alphalab.errors import StateError
from alphalab.types import LEDGER, REPORT, FloatArray, IntArray, Records
from alphalab_live.order_book import LiveOrder, OrderBook, OrderState, client_id
from alphalab_live.states import Rights

NAN = float("nan")
_TYPES = {
    OrderType.MARKET: "market",
    OrderType.MARKET_ON_OPEN: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TAKE_PROFIT: "take_profit",
    OrderType.LIMIT_IF_TOUCHED: "limit_if_touched",
    OrderType.TRAILING: "trailing",
}
_ENDS = (ReportKind.CANCELLED, ReportKind.EXPIRED)
_LOGS = ("fills", "refusals", "events", "postings", "ambiguities")


class Wanted(NamedTuple):
    """An order that the engine wants at the venue.

    `qty` is signed, prices may be NaN; `closes`: it is for the whole position, whatever that is.
    """

    order: int
    asset: int
    order_type: str
    qty: float
    price: float
    stop: float
    trail: float
    time_in_force: str
    reduce_only: bool
    post_only: bool
    closes: bool


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
        hashes = self._hashes(block, int(first))
        return [
            Row(
                engine=self.place,
                time=int(times[i]),
                values=array_bytes(values[i]),
                ledger=block.ledger[i].tobytes(),
                qty=array_bytes(block.qty[i]),
                decision=hashes[i],
            )
            for i in range(len(times))
        ]

    def book(self, reports: Sequence[Report]) -> None:
        """Book reports; the end of an order that was replaced is none of the engine's."""
        rows = [_record(x) for x in reports if x.last or x.kind not in _ENDS or not x.client_id]
        if rows:
            self._between.append(self.engine.report(np.array(rows, REPORT)))

    def _hashes(self, block: Block, first: int) -> list[bytes]:
        """Return the hash of each row: what reports recorded before it, and what it recorded."""
        digests = [hashlib.sha256() for _ in range(len(block.ledger))]
        for name in _LOGS:  # one log after the other: how reports were grouped does not matter
            for before in self._between:
                digests[0].update(getattr(before, name).tobytes())
        self._between.clear()
        logs: list[tuple[Records, IntArray]] = []
        for name in _LOGS:
            log = getattr(block, name)
            rows = np.arange(first, first + len(digests) + 1)
            logs.append((log, np.searchsorted(log["row"], rows)))
        for i, digest in enumerate(digests):
            digest.update(block.ledger[i].tobytes())
            digest.update(array_bytes(block.qty[i]))
            digest.update(array_bytes(block.targets[i]))
            for log, bounds in logs:
                digest.update(log[bounds[i] : bounds[i + 1]].tobytes())
        return [digest.digest() for digest in digests]

    @property
    def in_progress(self) -> int:
        """Close of the row that is pushed next, ns: reports belong to it."""
        return self.last + self.interval

    # ---- orders

    def wanted(self) -> Iterator[Wanted]:
        """Yield the orders that the engine wants at the venue, by its number of the order."""
        held = self.qty
        for asset, o in self.engine.working:
            if o["state"] not in (Stage.SUBMITTED, Stage.ACTIVE):
                continue
            yield Wanted(
                order=int(o["id"]),
                asset=asset,
                order_type=_name(o),
                qty=int(o["side"]) * self._units(asset, o, float(held[asset])),
                price=float(o["limit"]),
                stop=float(o["stop"]),
                trail=float(o["trail_frac"]) if o["type"] == OrderType.TRAILING else NAN,
                time_in_force=TimeInForce(int(o["tif"])).name,
                reduce_only=bool(o["reduce_only"]),
                post_only=bool(o["post_only"]),
                closes=int(o["sizing"]) == Sizing.CLOSE,
            )

    def _units(self, asset: int, o: np.void, held: float) -> float:
        if o["sizing"] in (Sizing.QTY, Sizing.SELL_QTY):
            return float(o["qty"])
        if o["sizing"] == Sizing.CLOSE:
            return whole_lots(abs(held), self.engine.instruments[asset].lot)
        raise StateError(
            f"order {o['id']} is sized by value",
            rule='what trades is sized at the decision: RunSettings(sizing="at_decision").',
        )

    def increases(self, wanted: Wanted) -> bool:
        """Return True if an order can leave the account with a larger position."""
        held = float(self.qty[wanted.asset])
        after = held + wanted.qty
        return not wanted.reduce_only and abs(after) > abs(held) + self.half_lot(wanted.asset)

    def intents(self, book: OrderBook, run: str, rights: Rights) -> list[Intent]:
        """Return what has to be sent so that the venue has what the engine wants."""
        wanted = {x.order: x for x in self.wanted()}
        found: list[Intent] = []
        for order in book.living(self.place):
            one = wanted.get(order.terms.order)
            drop = rights.cancel if one is None else rights.clear and self.increases(one)
            if drop and not order.unwanted:
                found.append(cancel_of(order))
        for number, one in wanted.items():
            live = book.current(self.place, number)
            if live is not None and live.lives:
                if live.unwanted or self.agree(live, one):
                    continue
                action = "replace"
            else:
                action = "submit"
            if rights.increase if self.increases(one) else rights.reduce:
                revision = 0 if live is None else live.terms.revision + 1
                found.append(self._intent(one, run, revision, action))
        return found

    def withheld(self, book: OrderBook, rights: Rights) -> list[Wanted]:
        """Return the orders that the state of the run does not let out, and that were not sent."""
        found = []
        for one in self.wanted():
            live = book.current(self.place, one.order)
            waits = live is None or not live.lives
            if waits and not (rights.increase if self.increases(one) else rights.reduce):
                found.append(one)
        return found

    def agree(self, live: LiveOrder, one: Wanted) -> bool:
        """Return True if an order at the venue is the one that the engine wants."""
        terms = live.terms
        if terms.order_type == one.order_type == "market" and live.state is not OrderState.INTENT:
            return True  # it trades at once: there is nothing to replace
        same_units = abs(live.left - abs(one.qty)) < self.half_lot(one.asset)
        same_side = (terms.qty > 0) == (one.qty > 0)
        same_stop = terms.order_type == "trailing" or _same(terms.stop, one.stop)
        return same_units and same_side and same_stop and _same(terms.price, one.price)

    def _intent(self, one: Wanted, run: str, revision: int, action: str) -> Intent:
        return Intent(
            client_id=client_id(run, self.place, one.order, revision),
            engine=self.place,
            order=one.order,
            revision=revision,
            action=action,
            order_type=one.order_type,
            symbol=self.symbols[one.asset],
            qty=one.qty,
            price=one.price,
            stop=one.stop,
            trail=one.trail,
            time_in_force=one.time_in_force,
            reduce_only=one.reduce_only,
            post_only=one.post_only,
        )


def cancel_of(order: LiveOrder) -> Intent:
    """Return the intent to cancel an order."""
    return msgspec.structs.replace(order.terms, action="cancel")


def ledger_of(row: Row) -> np.void:
    """Return the account after a row, one record of `alphalab.types.LEDGER`."""
    record: np.void = np.frombuffer(row.ledger, LEDGER)[0]
    return record


def _name(o: np.void) -> str:
    kind = OrderType(int(o["type"]))
    if kind not in _TYPES:
        raise StateError(
            f"order {o['id']} is of type {kind.name}",
            rule="no venue holds orders for its close.",
            fix="Use a market order.",
        )
    return _TYPES[kind]


def _record(report: Report) -> tuple[object, ...]:
    return tuple(getattr(report, name) for name in REPORT.names or ())


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)
