"""`Series`: candles, trades or funding rates of one symbol, page by page.

ccxt has one call for each, which takes the time of the first row and a number of rows. What follows
from that differs between exchanges: some give the rows from that time on, wherever they begin, some
those of a span that starts there and may be empty, and some only what is recent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from alphalab.data.exchanges.client import Client
from alphalab.data.store.tables import TABLES
from alphalab.errors import DataError

HOUR = 3_600_000  # ms
DAY = 24 * HOUR

#: Rows to request for each page, if the exchange allows as many.
MOST = 1_000

#: Assumed page size of an exchange with an unknown limit.
_FEWEST = 100


class Row(NamedTuple):
    """One row: its time in ms (a candle's is its open), its id (trades only), its values."""

    time: int
    id: str
    values: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Series:
    """One kind of rows of one symbol.

    Parameters
    ----------
    client : Client
    table : str
        Of a store.
    key : dict of str to str
        The columns that all of its rows share: venue, symbol, interval.
    names : tuple of str
        The columns that the values of a row fill.
    ask : callable
        Returns the page of rows from a time (ms) on, in order of time.
    unit : int
        The least ms between two rows; of candles their length.
    hop : int
        The ms after `since` in which an empty page proves that there is no row.
    from_id : callable, optional
        Returns the page of rows from an id on, that row included.
    """

    client: Client
    table: str
    key: dict[str, str]
    names: tuple[str, ...]
    ask: Callable[[int], list[Row]]
    unit: int
    hop: int
    from_id: Callable[[str], list[Row]] | None = None

    @property
    def symbol(self) -> str:
        """The symbol, as ccxt writes it."""
        return self.key["symbol"]

    @property
    def length(self) -> int:
        """Time from a row's time until it is known, ms: the length of a candle."""
        return self.unit if self.table == "bars" else 0

    def page(self, since: int) -> list[Row]:
        """Return the page of rows from a time (ms) on; an empty page is requested twice."""
        return self.ask(since) or self.ask(since)

    def rows(self, rows: list[Row]) -> pa.Table:
        """Return rows as a table of the store; candles are labelled by their close."""
        known = pa.array([row.time + self.length for row in rows], pa.timestamp("ms", "UTC"))
        columns: dict[str, Any] = {name: [text] * len(rows) for name, text in self.key.items()}
        columns["time"] = known
        if self.table == "trades":
            columns["id"] = [row.id for row in rows]
        for place, name in enumerate(self.names):
            kind = TABLES[self.table].columns[name]
            columns[name] = pa.array([row.values[place] for row in rows], kind)
        return pa.table(columns)

    def hop_over(self, since: int, stop: int) -> int:
        """Return the next time that may have rows, after an empty page that began at `since`.

        Where days have candles too, they tell: a symbol may be listed years later, and asking for
        its minutes page by page until then takes hours.
        """
        after = since + self.hop
        if self.length >= DAY or after >= stop or not self._has_days():
            return after
        days = candles(self.client, self.symbol, "1d")
        first = after - DAY  # the day that `after` is in began before it
        traded = [day.time for day in days.page(first) if day.time + DAY > after]
        return max(after, traded[0] if traded else first + days.hop)

    def _has_days(self) -> bool:
        return self.client.can("fetchOHLCV") and "1d" in (self.client.ccxt.timeframes or {})


def candles(client: Client, symbol: str, interval: str) -> Series:
    """Return the candles of a symbol."""
    client.require("fetchOHLCV", "candles")
    length = client.interval(interval)
    client.market(symbol)
    limit = client.ccxt.feature_value(symbol, "fetchOHLCV", "limit")
    limit = None if limit is None else min(int(limit), MOST)

    def ask(since: int) -> list[Row]:
        page = client.ask("fetch_ohlcv", symbol, interval, since, limit, check=_are_candles)
        rows = (Row(candle[0], "", tuple(candle[1:6])) for candle in page)
        return sorted((row for row in rows if row.time >= since), key=in_order)

    return Series(
        client,
        "bars",
        {"venue": client.name, "interval": interval, "symbol": symbol},
        ("open", "high", "low", "close", "volume"),
        ask,
        unit=length,
        hop=length * (limit or _FEWEST),
    )


def funding(client: Client, symbol: str) -> Series:
    """Return the funding rates of a perpetual contract."""
    client.require("fetchFundingRateHistory", "funding rates")
    if not client.market(symbol).get("swap"):
        perpetual = [name for name in client.markets() if name.startswith(f"{symbol}:")]
        raise DataError(
            f"{symbol!r} has no funding",
            rule="funding is for perpetual contracts.",
            fix=f"Did you mean {' or '.join(map(repr, perpetual[:3]))}?" if perpetual else "",
        )

    def ask(since: int) -> list[Row]:
        page = client.ask("fetch_funding_rate_history", symbol, since, _FEWEST, check=_are_fundings)
        rows = (Row(f["timestamp"], "", (float(f["fundingRate"]),)) for f in page)
        return sorted(rows, key=in_order)

    return Series(
        client,
        "funding",
        {"venue": client.name, "symbol": symbol},
        ("rate",),
        ask,
        unit=1,
        hop=HOUR * _FEWEST,
    )


def in_order(row: Row) -> tuple[int, int, str]:
    """Return the sort key of a trade: its time, then its id, as a number if it is one."""
    return row.time, len(row.id), row.id


def _are_candles(page: Any) -> bool:
    return isinstance(page, list) and all(
        isinstance(candle[0], int) and all(map(is_finite, candle[1:5])) for candle in page
    )


def _are_fundings(page: Any) -> bool:
    return isinstance(page, list) and all(
        isinstance(f["timestamp"], int) and is_finite(f["fundingRate"]) for f in page
    )


def is_finite(value: Any) -> bool:
    """Return True for a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)
