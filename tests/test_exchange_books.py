"""The books of the local exchange fill orders in the very bits of the backtest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from alphalab_live.exchange.books import Books
from builders import walk
from compare import assert_identical
from msgspec import structs

from alphalab.codes import OrderStatus, OrderType, Origin, Reason, TimeInForce
from alphalab.config import Costs, Execution, Margin, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr
from alphalab.kernels.market import orders
from alphalab.types import FloatArray, Instrument, IntArray

MINUTE = 60 * 10**9
FIRST = int(np.datetime64("2024-01-01T00:01", "ns").astype(np.int64))
FIELDS = ("type", "side", "qty", "limit", "stop", "frac", "tif", "reduce", "cancel")
TICK, LOT = 0.01, 0.001


class Sent(Strategy):
    """The orders that a test has written down: at most one for each asset and row."""

    max_orders = 30

    def signals(self) -> dict[str, Expr | float]:
        return {name: column(name) for name in FIELDS}

    @staticmethod
    def decide(table: Any, account: Any, memory: Any) -> Any:
        n_assets = table.shape[1]
        for j in range(n_assets):
            if table[8, j] > 0:
                orders.cancel(account, int(table[8, j]))
            kind, side, qty = int(table[0, j]), int(table[1, j]), table[2, j]
            limit, stop, frac = table[3, j], table[4, j], table[5, j]
            tif, reduce = int(table[6, j]), table[7, j] > 0
            if kind == 1:
                orders.market(account, j, side, qty, 0, 0, reduce)
            elif kind == 2:
                orders.limit(account, j, side, qty, limit, tif, 0, reduce)
            elif kind == 3:
                orders.stop(account, j, side, qty, stop, 0, 0, reduce)
            elif kind == 4:
                orders.stop_limit(account, j, side, qty, stop, limit, 0, 0, reduce)
            elif kind == 5:
                orders.take_profit(account, j, side, qty, stop, 0, 0, reduce)
            elif kind == 6:
                orders.trailing_stop(account, j, side, qty, np.nan, frac, 0, 0, reduce)
            elif kind == 9:
                orders.limit_if_touched(account, j, side, qty, stop, limit, 0, 0, reduce)
        return np.full(n_assets, np.nan)


KINDS = [
    *(OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT),
    *(OrderType.TAKE_PROFIT, OrderType.TRAILING, OrderType.LIMIT_IF_TOUCHED),
]


def market(seed: int, n_rows: int, n_assets: int) -> tuple[IntArray, dict[str, FloatArray]]:
    """Return times, and the four prices and the volume of a few assets, some bars of it missing."""
    time = FIRST + MINUTE * np.arange(n_rows)
    parts = [walk(time, 100 * seed + j, volume=5.0) for j in range(n_assets)]
    columns = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
    gaps = np.random.default_rng(seed).random((n_rows, n_assets)) < 0.03
    for name in columns:
        columns[name][gaps] = np.nan
    columns["volume"][gaps] = 0.0
    return time, columns


def script(seed: int, closes: FloatArray) -> dict[str, FloatArray]:
    """Return random orders near the last close, and now and then a cancellation."""
    rng = np.random.default_rng(seed)
    n_rows, n_assets = closes.shape
    cells: dict[str, FloatArray] = {name: np.full(closes.shape, np.nan) for name in FIELDS}
    for name in ("type", "side", "tif", "reduce", "cancel"):
        cells[name][:] = 0.0
    n_orders = 0
    for t in range(n_rows):
        for j in range(n_assets):
            if rng.random() < 0.6 or np.isnan(closes[t, j]):
                continue
            kind, side = KINDS[rng.integers(len(KINDS))], int(rng.choice([-1, 1]))
            n_orders += 1
            cells["type"][t, j], cells["side"][t, j] = kind, side
            cells["qty"][t, j] = round(float(rng.integers(1, 3000)) * LOT, 3)
            better, worse = closes[t, j] * (1 + side * rng.normal(0.0, 0.002, 2))
            cells["limit"][t, j], cells["stop"][t, j] = round(better, 2), round(worse, 2)
            cells["frac"][t, j] = rng.choice([0.001, 0.004])
            cells["reduce"][t, j] = rng.random() < 0.2
            if kind == OrderType.LIMIT:
                cells["tif"][t, j] = rng.choice([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
            if rng.random() < 0.2:
                cells["cancel"][t, j] = rng.integers(1, n_orders + 1)
    return cells


def instruments(kind: str, n_assets: int) -> list[Instrument]:
    common: dict[str, Any] = dict(kind=kind, tick=TICK, lot=LOT, min_value=5.0, currency="USDT")
    return [
        Instrument(symbol=f"A{j}USDT", maker_bps=2.0, taker_bps=5.0, **common)
        for j in range(n_assets)
    ]


SETTINGS = {
    "margin": dict(margin=Margin(initial=0.1, maintenance=0.05, liquidation_fee_bps=50)),
    "ohlc": dict(
        margin=Margin(initial=0.2, maintenance=0.1),
        execution=Execution(path="ohlc", limits="traded_through"),
    ),
    "volume": dict(
        margin=Margin(initial=0.1, maintenance=0.05),
        execution=Execution(path="optimistic", participation=0.2),
        costs=Costs(spread_bps=2, slippage_bps=1, share_impact_bps=10),
    ),
    "next_close": dict(margin=Margin(initial=0.1, maintenance=0.05), fill="next_close"),
}


def fills_of(
    books: Books, block: Block, time: IntArray, columns: Mapping[str, FloatArray]
) -> list[tuple[Any, ...]]:
    """Send what the engine has sent, row by row; return the fills of the exchange."""
    cells = columns
    refused = set(block.events["order"][block.events["status"] == OrderStatus.REFUSED].tolist())
    ids: dict[int, int] = {}
    found = []
    for t in range(len(time)):
        books.begin(time, columns, t)
        over = False
        while not over:
            over, changes, _ = books.meet()
            found += [
                (t, c.asset, c.fill.units, c.fill.price, c.fill.fee, c.fill.realised)
                for c in changes
                if c.fill is not None
            ]
        for event in block.events[block.events["row"] == t]:
            order, j = int(event["order"]), int(event["asset"])
            if event["status"] == OrderStatus.CANCELLED and event["reason"] == Reason.ASKED_FOR:
                books.cancel(ids[order])
            sent = event["status"] == OrderStatus.SUBMITTED and event["origin"] == Origin.DECIDE
            at_once = order in refused and _refused_at_once(block, order, t)
            if not sent or at_once:
                continue
            ids[order], reason = books.submit(
                asset=j,
                side=int(event["side"]),
                type=int(event["type"]),
                qty=float(event["qty"]),
                limit=float(event["limit"]),
                stop=float("nan") if event["type"] == OrderType.TRAILING else float(event["stop"]),
                trail_frac=float(cells["frac"][t, j]),
                tif=int(cells["tif"][t, j]) if event["type"] == OrderType.LIMIT else 0,
                reduce_only=int(cells["reduce"][t, j]),
            )
            assert reason is None, (t, j, reason)
    return found


def _refused_at_once(block: Block, order: int, row: int) -> bool:
    own = block.events[block.events["order"] == order]
    last = own[own["status"] == OrderStatus.REFUSED][0]
    return bool(last["row"] == row and OrderStatus.ACTIVE not in own["status"])


def of_block(block: Block) -> list[tuple[Any, ...]]:
    names = ("row", "asset", "qty", "price", "fee", "realised")
    return [tuple(fill[name].item() for name in names) for fill in block.fills]


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.nojit), 1, 2])
def test_orders_of_a_client_fill_as_in_a_backtest(name: str, seed: int) -> None:
    settings = RunSettings(cash=20_000.0, **SETTINGS[name])
    assets = instruments("linear", 2)
    time, columns = market(seed, 300, 2)
    columns |= script(seed, columns["close"])
    block = Engine(Sent(), assets, settings).push(time, columns)
    books = Books(settings, assets)
    books.check(time, columns)
    found = fills_of(books, block, time, columns)
    assert len(found) > 50
    assert found == of_block(block)
    assert_identical(float(books.account["cash"]), float(block.ledger["cash"][-1]))
    assert_identical(float(books.ledger["equity"]), float(block.ledger["equity"][-1]))


def test_the_comparison_can_fail() -> None:
    settings = RunSettings(cash=20_000.0, **SETTINGS["margin"])
    assets = instruments("linear", 2)
    time, columns = market(1, 100, 2)
    columns |= script(1, columns["close"])
    block = Engine(Sent(), assets, settings).push(time, columns)
    dearer = [structs.replace(x, taker_bps=5.1) for x in assets]
    found = fills_of(Books(settings, dearer), block, time, columns)
    assert found != of_block(block)
