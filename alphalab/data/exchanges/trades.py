"""Trades of an exchange: requested by time, or by id where ids are consecutive."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from alphalab.data.exchanges.client import Client
from alphalab.data.exchanges.series import HOUR, MOST, Row, Series, in_order, is_finite
from alphalab.errors import DataError

FromId = Callable[[str], list[Row]]

# Exchanges whose trades have consecutive numbers as ids and can be asked for from one of them on,
# and the name of that parameter.
_FROM_ID = dict.fromkeys(("binance", "binanceus", "binanceusdm", "binancecoinm"), "fromId")

# Exchanges for which ccxt cuts times to seconds, of which a page may hold less than one: the name
# of the parameter that takes the ns.
_IN_NS = {"kraken": "since"}


def trades(client: Client, symbol: str) -> Series:
    """Return the trades of a symbol."""
    client.require("fetchTrades", "trades")
    client.market(symbol)
    by_id, in_ns = _FROM_ID.get(client.name), _IN_NS.get(client.name)

    def page(since: int | None, parameters: dict[str, str]) -> list[Row]:
        limit = MOST if by_id else None
        found = client.ask("fetch_trades", symbol, since, limit, parameters, check=_are_trades)
        if any(trade["id"] is None for trade in found):
            raise DataError(
                f"{client.name} gives its trades no ids",
                rule="ids distinguish trades of one time and price.",
            )
        rows = [
            Row(t["timestamp"], t["id"], (t["side"], float(t["price"]), float(t["amount"])))
            for t in found
        ]
        return sorted(rows, key=in_order)

    def from_id(first: str) -> list[Row]:
        parameters = {by_id: first} if by_id else {}
        # An empty page may be an error of the exchange.
        return page(None, parameters) or page(None, parameters)

    def ask(since: int) -> list[Row]:
        if in_ns:
            return [row for row in page(None, {in_ns: f"{since}000000"}) if row.time >= since]
        found = page(since, {})
        return first_page(from_id, found, since) if by_id and found else found

    return Series(
        client,
        "trades",
        {"venue": client.name, "symbol": symbol},
        ("side", "price", "amount"),
        ask,
        unit=1,
        hop=HOUR,
        from_id=from_id if by_id else None,
    )


def first_page(from_id: FromId, found: list[Row], since: int) -> list[Row]:
    """Return a page that begins with the first trade from a time on.

    Parameters
    ----------
    from_id : callable
        Returns the trades from an id on.
    found : list of Row
        Trades after that time, which need not be the first: asked for an hour that has more than a
        page holds, Binance gives the last ones (told in binance-spot-api-docs).
    since : int
        ms.

    Raises
    ------
    DataError
        No trades from an id on, although there is a later one.

    Notes
    -----
    Steps back that double until they are before `since`, then halves what is in between: for an
    hour of a million trades some twenty requests, for a quiet one a single one.
    """

    def page(first: int) -> list[Row]:
        if rows := from_id(str(first)):
            return rows
        raise DataError(
            f"no trades come from id {first} on, and there is trade {found[0].id}",
            rule="an exchange that has a trade gives it with those before it.",
            fix="Run it again.",
        )

    high, step = int(found[0].id), len(found)
    while True:
        low = max(high - step, 0)
        earlier = page(low)
        if low == 0 or earlier[0].time < since:
            break
        high, step = low, 2 * step
    inside = [row for row in earlier if row.time >= since]
    if inside:
        return inside
    between = range(int(earlier[-1].id) + 1, high)
    place = bisect_left(between, since, key=lambda number: page(number)[0].time)
    return page(between[place] if place < len(between) else high)


def _are_trades(page: Any) -> bool:
    return isinstance(page, list) and all(
        isinstance(t["timestamp"], int) and is_finite(t["price"]) and is_finite(t["amount"])
        for t in page
    )
