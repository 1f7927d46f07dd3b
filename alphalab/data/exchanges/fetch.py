"""`fetch`: data of an exchange into a store; stored rows are not requested again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alphalab.data.clock.times import Instant, iso, nanoseconds
from alphalab.data.exchanges.client import MARGIN, Client
from alphalab.data.exchanges.fill import Fetched, Order, Progress, fill
from alphalab.data.exchanges.series import Series, candles, funding
from alphalab.data.exchanges.trades import trades
from alphalab.data.store.store import Store
from alphalab.errors import DataError

_NS = 1_000_000  # in a ms
_LAST_MS = (2**63 - 1) // _NS


def fetch(
    exchange: str | Any,
    symbols: str | Sequence[str],
    what: str,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    store: Store | str | Path | None = None,
    url: str | None = None,
    again: bool = False,
    revise: bool = False,
    retry_wait: float = 1.0,
    progress: Callable[[Progress], None] | None = None,
) -> list[Fetched]:
    """Fetch candles, trades, funding rates or instruments of an exchange into a store.

    Stored rows are not requested again: a second call continues after the last stored row, and
    before the first one if `since` is earlier. A stored series has no gap that the exchange
    could fill: what lies between it and the asked span is fetched as well.

    Parameters
    ----------
    exchange : str or ccxt.Exchange
        A name that ccxt knows (``"binance"``), or a synchronous ccxt client of your own.
    symbols : str or sequence of str
        As ccxt writes them: ``"BTC/USDT"``, ``"BTC/USDT:USDT"`` for the perpetual contract. Only
        for instruments: ``"all"``.
    what : str
        An interval of candles that the exchange has (``"1h"``), ``"trades"``, ``"funding"`` or
        ``"instruments"``.
    since, until : str, date, datetime or datetime64, optional
        Candles open at `since` or later and have closed by `until`; trades and fundings are from
        `since` (included) to `until` (not). A bare date as `until` means its end. Not given: on
        from what is stored; until now.
    store : Store, str or Path, optional
        Where to; not given: the default one, see `Store`.
    url : str, optional
        Replaces scheme and host of all addresses of the exchange.
    again : bool
        True to request the whole span again: fills gaps and finds changed rows.
    revise : bool
        True to replace stored rows that changed at the exchange; requests the span again.
    retry_wait : float
        Seconds before a failed request is sent again; they double each time.
    progress : callable, optional
        Called after each page with the progress, and before each wait with the reason.

    Returns
    -------
    list of Fetched
        One for each symbol.

    Raises
    ------
    UnknownNameError
        No such exchange, symbol or interval; near names are suggested.
    DataError
        The exchange does not offer it, refuses, or does not answer; or a stored row has other
        values there now. What came before is stored.
    MissingExtraError
        The package ccxt is not installed.

    Notes
    -----
    A candle is stored when it has closed by the clock of the exchange, two seconds ago or more.
    Rows are stored in commits of some pages each, so an interruption loses little.

    Examples
    --------
    >>> fetch("kraken", "BTC/USD", "10m", since="2021-01-01")
    Traceback (most recent call last):
        ...
    alphalab.errors.UnknownNameError: unknown interval of kraken '10m': did you mean ...
    """
    names = _names(symbols)
    start, end = _span(since, until)
    client = Client(exchange, url=url, retry_wait=retry_wait)
    show = progress or _unseen
    client.on_wait = lambda why: show(Progress(names[0], 0.0, "", 0, waiting=why))
    place = store if isinstance(store, Store) else Store(store)
    try:
        if what == "instruments":
            from alphalab.data.exchanges.instruments import fetch_instruments

            return fetch_instruments(client, names, place)
        wanted = [_series(client, name, what) for name in names]
        now = client.now() - MARGIN
        end = now if end is None else min(end, now)
        _check_order(start, end)
        order = Order(start, end, again=again or revise, revise=revise)
        return [fill(one, place, order, show) for one in wanted]
    finally:
        client.close()


def _unseen(progress: Progress) -> None:
    """Show nothing."""


def _series(client: Client, symbol: str, what: str) -> Series:
    if what == "trades":
        return trades(client, symbol)
    if what == "funding":
        return funding(client, symbol)
    return candles(client, symbol, what)


def _names(symbols: str | Sequence[str]) -> list[str]:
    given = symbols.split(",") if isinstance(symbols, str) else symbols
    names = [name.strip() for name in given]
    if not names or "" in names:
        raise DataError(
            f"symbols {symbols!r}", rule="a symbol or more are named, such as BTC/USDT,ETH/USDT."
        )
    return names


def _span(since: Instant | None, until: Instant | None) -> tuple[int | None, int | None]:
    """Return start (included) and end (not included), ms."""
    start = None if since is None else _ms(nanoseconds(since))
    # A bare date includes its whole day.
    end = None if until is None else _ms(nanoseconds(until, end_of_day=True))
    if end is not None:
        _check_order(start, end)
    return start, end


def _ms(ns: int) -> int:
    """Return an instant in ms, rounded up; at most the last ms that int64 ns can hold."""
    return min(-(-ns // _NS), _LAST_MS)


def _check_order(start: int | None, end: int) -> None:
    if start is not None and start >= end:
        raise DataError(
            f"since {iso(start * _NS)} until {iso(end * _NS)}",
            rule="it begins before it ends, and before now.",
        )
