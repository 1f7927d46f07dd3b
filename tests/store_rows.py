"""Rows for tests of the store, small and plain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

MINUTE = 60_000_000  # microseconds
PRICES = ("open", "high", "low", "close", "volume")


def times(first: int, last: int) -> pa.Array:
    """Return the minutes from first to last (not included) since 1970."""
    return pa.array(np.arange(first, last) * MINUTE, pa.timestamp("us", "UTC"))


def bar_rows(
    symbol: str, first: int, last: int, price: Any = 1.0, venue: str = "binance", **extra: Any
) -> pa.Table:
    """Return one-minute bars whose prices and volume are one number (or, each, one array)."""
    n = last - first
    texts = {"venue": [venue] * n, "interval": ["1m"] * n, "symbol": [symbol] * n}
    numbers = {name: np.full(n, price, np.float64) for name in PRICES}
    return pa.table({**texts, "time": times(first, last), **numbers, **extra})
