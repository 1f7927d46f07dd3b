"""The step and its naive twin on the same market, compared bit for bit."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np
from markets import Market, random_market
from naive_money import Row
from naive_step import NaiveAccount
from scripted import Scripted, spelled_out

from alphalab.codes import OrderStatus, OrderType, Origin, Posting, Reason
from alphalab.core.distances import DISTANCES
from alphalab.core.engine import Block
from alphalab.types import AMBIGUITY, EVENT, FILL, LEDGER, POSTED, REFUSAL

#: Every table of records, and the codes whose words the naive account writes down.
TABLES: dict[str, tuple[np.dtype[Any], dict[str, Any]]] = {
    "ledger": (LEDGER, {}),
    "fills": (FILL, {}),
    "refusals": (REFUSAL, {"reason": Reason}),
    "events": (
        EVENT,
        {"origin": Origin, "status": OrderStatus, "reason": Reason, "type": OrderType},
    ),
    "postings": (POSTED, {"kind": Posting}),
    "ambiguities": (AMBIGUITY, {}),
}


def rows_of(market: Market) -> list[Row]:
    """The market as the naive account reads it."""
    settings, shape = market.settings, market.open.shape
    quote = settings.currency or market.instruments[0].currency
    given = {"open": market.open, "close": market.close, "w": market.weights, **market.more}
    unknown, rate = np.full(shape, np.nan), np.ones(shape)
    for j, instrument in enumerate(market.instruments):
        if instrument.currency != quote:
            rate[:, j] = given[settings.conversions[instrument.currency]][:, j]
    prices = [given.get(name, unknown) for name in ("open", "high", "low", "close", "volume")]
    names = ("funding", "split", "dividend", "bid", "ask", "delisting", *DISTANCES)
    others = [given.get(name, unknown) for name in names]
    tables = [table.tolist() for table in (*prices, market.weights, rate, *others)]
    times = market.time.tolist()
    requests = market.requests or [[]] * len(times)
    asked = [spelled_out(row, time) for row, time in zip(requests, times, strict=True)]
    return [Row(*row) for row in zip(times, *tables, asked, strict=True)]


def naive(market: Market, max_orders: int | None = None) -> NaiveAccount:
    if max_orders is None:
        max_orders = Scripted.max_orders if market.requests else 0
    return NaiveAccount(market.instruments, market.settings, max_orders).push(rows_of(market))


def equal_bits(a: Any, b: Any) -> bool:
    """Whether two arrays of numbers have the same bits; one NaN is like another."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "i":
        return np.array_equal(a, b)
    same = a.view(np.int64) == b.astype(np.float64).view(np.int64)
    return bool((same | (np.isnan(a) & np.isnan(b))).all())


def differences(block: Block, twin: NaiveAccount) -> list[str]:
    """Names of all tables and fields in which they differ."""
    different = [
        name
        for name in ("qty", "targets")
        if not equal_bits(getattr(block, name), getattr(twin, name))
    ]
    for name, (dtype, codes) in TABLES.items():
        records = getattr(block, name)
        rows = twin.ledger if name == "ledger" else getattr(twin.diary, name)
        for key in dtype.names or ():
            values: list[Any] = [row[key] for row in rows]
            if key in codes:
                values = [codes[key][word] if word else 0 for word in values]
            if not equal_bits(records[key], np.array(values, dtype[key])):
                different.append(f"{name}.{key}")
    return different


N_KEPT = 2_000


def ran(seed: int) -> tuple[Market, Block]:
    """A random market and what came of it, in blocks of a random size; the first are kept."""
    return _kept(seed) if seed < N_KEPT else _run(seed)


def _run(seed: int) -> tuple[Market, Block]:
    rng = random.Random(seed)
    market = random_market(rng)
    return market, market.run(capacity=rng.choice([1, 7, 4096]))


_kept = cache(_run)
