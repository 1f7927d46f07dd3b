"""A client that trades an engine's orders on the exchange has the bits of the backtest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from alphalab_live.exchange import Account
from alphalab_live.exchange.desk import Desk, Told
from alphalab_live.exchange.orders import Order
from alphalab_live.exchange.wallet import Update
from builders import walk

from alphalab.codes import OrderType, ReportKind
from alphalab.config import Entry, Execution, Exits, Margin, RunSettings
from alphalab.core.engine import Engine
from alphalab.core.reports import report
from alphalab.core.strategy import Strategy
from alphalab.data.panel.bars import Bars
from alphalab.expr.functions import close, where
from alphalab.expr.nodes import Expr

MINUTE = 60 * 10**9
FIRST = int(np.datetime64("2024-01-01T00:01", "ns").astype(np.int64))
SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")


def market(n_rows: int) -> Bars:
    time = FIRST + MINUTE * np.arange(n_rows)
    parts = [walk(time, seed) for seed in range(2)]
    columns = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
    bars = Bars(time, SYMBOLS, columns)
    return bars.with_instruments(
        kind="linear", tick=0.01, lot=0.001, min_value=5, maker_bps=2, taker_bps=5, currency="USDT"
    )


class LongShort(Strategy):
    def weights(self) -> Expr:
        return where(close > close.ts_mean(7), 0.4, -0.4)


class Client:
    """A runner without a network: it sends what should stand, and reports what it hears."""

    def __init__(self, engine: Engine, desk: Desk) -> None:
        self.engine, self.desk = engine, desk
        self.wallet = desk.wallet("key", "linear")
        self.sent: dict[int, Order] = {}
        self.accepted: list[Order] = []
        self.blocks: list[Any] = []

    def hear(self, told: list[Told], time: int) -> None:
        """Report executions and ends to the engine."""
        reports = [
            report(ReportKind.ACCEPTED, order=int(x.client_id), asset=x.listing.asset, time=time)
            for x in self.accepted
        ]
        self.accepted.clear()
        reports += [self._report(x.event, time) for x in told if isinstance(x.event, Update)]
        found = [x for x in reports if x is not None]
        if found:
            self.blocks.append(self.engine.report(np.concatenate(found)))

    def _report(self, event: Update, time: int) -> Any:
        of = {"order": int(event.order.client_id), "asset": event.order.listing.asset, "time": time}
        if event.trade is not None:
            qty = float(event.trade.qty)
            done = {"filled": qty, "price": float(event.trade.price), "fee": float(event.trade.fee)}
            qty *= event.order.sign
            return report(ReportKind.EXECUTED, qty=qty, last=not event.order.lives, **done, **of)
        if event.execution == "EXPIRED":
            return report(ReportKind.CANCELLED, code=0, **of)
        return None

    def send(self) -> None:
        """Send the orders that should stand at the venue, and cancel the others."""
        working = {int(o["id"]): (j, o) for j, o in self.engine.working}
        for number, order in self.sent.items():
            wanted = working.get(number)
            moved = wanted is not None and not _same(order, wanted[1])
            if order.lives and (wanted is None or moved):
                self.wallet.cancel(order)
            if moved:
                self._submit(*wanted)  # type: ignore[misc]
        for number, (j, o) in working.items():
            if number not in self.sent:
                self._submit(j, o)

    def _submit(self, j: int, o: Any) -> None:
        kind = OrderType(o["type"])
        qty = o["qty"] if o["qty"] == o["qty"] else abs(self.engine.positions["qty"][j])
        order = Order(
            listing=self.wallet.listings[j],
            client_id=str(o["id"]),
            side="BUY" if o["side"] > 0 else "SELL",
            type=kind.name,
            kind=kind,
            tif="GTC",
            qty=repr(float(qty)),
            price=repr(float(o["limit"])) if kind == OrderType.LIMIT else "0",
            stop=repr(float(o["stop"])) if kind == OrderType.STOP else "0",
            reduce_only=bool(o["reduce_only"]),
            closes=False,
            trail=float("nan"),
        )
        self.wallet.submit(order)
        self.sent[int(o["id"])] = order
        self.accepted.append(order)


def _same(order: Order, o: Any) -> bool:
    stop = o["stop"] if order.kind == OrderType.STOP else np.nan
    limit = o["limit"] if order.kind == OrderType.LIMIT else np.nan
    return bool(np.array_equal([order.trigger, order.limit], [stop, limit], equal_nan=True))


CASES = {
    "market": {},
    "exits": {"exits": Exits(stop_loss=0.003, take_profit=0.004)},
    "entries": {"entry": Entry(limit_offset_bps=3), "exits": Exits(stop_loss=0.003)},
}


@pytest.mark.parametrize("case", CASES)
def test_a_client_has_the_bits_of_its_backtest(case: str) -> None:
    settings = RunSettings(
        cash=10_000.0,
        margin=Margin(initial=0.2, maintenance=0.1),
        execution=Execution(path="ohlc"),
        sizing="at_decision",
        **CASES[case],
    )
    bars, strategy = market(600), LongShort()
    columns = {name: bars[name] for name in bars.columns}
    want = Engine(strategy, bars.instruments, settings).push(bars.time, columns)
    desk = Desk(
        bars, [Account(settings=settings)], start=0, names={}, clid_policy="open_only",
        limits=None, clock=lambda: 0,
    )  # fmt: skip
    client = Client(Engine(strategy, bars.instruments, settings, external=True), desk)
    for t in range(bars.n_rows):
        name = "fills"
        while name == "fills":
            phase, told = desk.step()
            name = phase.name
            client.hear(told, int(bars.time[t]))
            if name == "fills":
                client.send()
        row = {name: x[t : t + 1] for name, x in columns.items()}
        client.blocks.append(client.engine.push(bars.time[t : t + 1], row))
        client.send()
    assert len(want.fills) > 100
    for name in ("ledger", "qty", "targets", "fills"):
        found = np.concatenate([getattr(block, name) for block in client.blocks])
        assert found.tobytes() == getattr(want, name).tobytes(), name
