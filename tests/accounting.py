"""Results computed by hand: market orders at the open, booked one by one in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alphalab.codes import OrderStatus, OrderType, Origin
from alphalab.config import Costs, RunSettings
from alphalab.core.engine import Block
from alphalab.data.panel.bars import Bars
from alphalab.research.results.result import Result
from alphalab.types import AMBIGUITY, EVENT, FILL, LEDGER, POSTED, REFUSAL, Records


def book(
    bars: Bars,
    orders: Sequence[tuple[int, int, float]],
    *,
    cash: float = 10_000.0,
    fee_bps: float = 0.0,
    fill: str = "next_open",
    **fields: Any,
) -> Result:
    """Result of `orders`, (row, asset, units) sorted by row, each filled at that row's open."""
    n_rows, n_symbols = bars.close.shape
    multiplier = [instrument.multiplier for instrument in bars.instruments]
    settings = RunSettings(cash=cash, costs=Costs(fee_bps=fee_bps), fill=fill)
    held, entry = np.zeros(n_symbols), np.zeros(n_symbols)
    mark = np.full(n_symbols, np.nan)
    ledger, qty = np.zeros(n_rows, LEDGER), np.zeros((n_rows, n_symbols))
    fills, events = [], []
    realised = fees = turnover = 0.0
    waiting = list(orders)
    for row in range(n_rows):
        while waiting and waiting[0][0] == row:
            _, asset, units = waiting.pop(0)
            price, m = bars.open[row, asset], multiplier[asset]
            fee = abs(units) * price * m * fee_bps / 1e4
            before = held[asset]
            closing = np.sign(units) * min(abs(units), abs(before)) if units * before < 0 else 0.0
            profit = -closing * (price - entry[asset]) * m if closing else 0.0
            held[asset] = before + units
            if before * held[asset] <= 0:
                entry[asset] = price
            elif not closing:
                entry[asset] = (before * entry[asset] + units * price) / held[asset]
            cash -= units * price * m + fee
            realised, fees = realised + profit, fees + fee
            turnover += abs(units) * price * m
            order = len(fills) + 1
            fills.append((row, bars.time[row], asset, order, row - 1, units, price, fee, profit))
            events.append(told(order, bars, row, asset, units))
        mark = np.where(np.isnan(bars.close[row]), mark, bars.close[row])
        values = np.array(
            [q * p * m if q else 0.0 for q, p, m in zip(held, mark, multiplier, strict=True)]
        )
        opened = np.array(
            [
                q * (p - e) * m if q else 0.0
                for q, p, e, m in zip(held, mark, entry, multiplier, strict=True)
            ]
        )
        qty[row] = held
        ledger[row] = (
            cash + values.sum(),
            cash,
            values.sum(),
            np.abs(values).sum(),
            realised,
            opened.sum(),
            fees,
            turnover,
            0.0,
        )
    records = {name: fields.pop(name) for name in Block._fields if name in fields}
    given = {
        "strategy": "ByHand",
        "params": {"n": 3},
        "expressions": {"weights": "1.0"},
        "settings": settings,
        "bars": bars,
        "record": Block(
            ledger=ledger,
            qty=qty,
            targets=np.full((n_rows, n_symbols), np.nan),
            fills=np.array(fills, FILL),
            refusals=np.empty(0, REFUSAL),
            events=np.concatenate([np.empty(0, EVENT), *events]),
            postings=np.empty(0, POSTED),
            ambiguities=np.empty(0, AMBIGUITY),
        )._replace(**records),
        "warnings": (),
        "seconds": 0.01,
    }
    return Result(**(given | fields))


def told(order: int, bars: Bars, row: int, asset: int, units: float) -> Records:
    """Events of a market order that is filled whole at a row's open."""
    events = np.zeros(3, EVENT)
    events["row"] = [max(row - 1, 0), row, row]
    events["time"] = bars.time[events["row"]]
    events["status"] = [OrderStatus.SUBMITTED, OrderStatus.ACTIVE, OrderStatus.FILLED]
    events["qty"], events["filled"] = [abs(units), abs(units), 0.0], [0.0, 0.0, abs(units)]
    events["limit"] = events["stop"] = np.nan
    for name, value in (
        *(("order", order), ("asset", asset), ("side", np.sign(units))),
        *(("origin", Origin.TARGET), ("type", OrderType.MARKET)),
    ):
        events[name] = value
    return events
