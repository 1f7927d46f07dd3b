"""Answers of ccxt as records of the runner, checked field by field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from alphalab.errors import ParameterError, VenueError
from alphalab_live.venue import Candle, Income, Terms, Trade, VenueOrder

NS_MS = 1_000_000
_NS_SECOND = 10**9


def timeframe(interval: int) -> str:
    """Return the exchange's name of a bar length, ns.

    Examples
    --------
    >>> timeframe(60 * 10**9), timeframe(4 * 3600 * 10**9), timeframe(86_400 * 10**9)
    ('1m', '4h', '1d')
    """
    seconds = interval // 10**9
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"


def interval_of(name: str) -> int:
    """Return the length of bars in ns.

    Raises
    ------
    ParameterError
        A text that names no length.

    Examples
    --------
    >>> interval_of("4h") == 4 * 3600 * 10**9
    True
    """
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    if not name[:-1].isdigit() or name[-1] not in units or int(name[:-1]) == 0:
        raise ParameterError(f"interval {name!r}", rule="it reads 1m, 15m, 4h or 1d.")
    return int(name[:-1]) * units[name[-1]] * 10**9


#: How ccxt writes precisions: as decimals, as significant digits, or as the step itself.
_DECIMALS, _STEP = 2, 4


def market_terms(market: Mapping[str, Any], precision_mode: int) -> Terms:
    """Return the rules of a market of ccxt.

    Examples
    --------
    >>> told = {"spot": True, "quote": "USDT", "active": True, "precision": {"price": 2}}
    >>> market_terms(told, precision_mode=2).tick
    0.01
    """
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    is_linear = bool(market.get("swap") and market.get("linear"))

    def step(name: str) -> float:
        value = precision.get(name)
        if value is None or precision_mode not in (_DECIMALS, _STEP):
            return math.nan
        return float(value) if precision_mode == _STEP else 1 / 10 ** int(value)

    def least(name: str) -> float:
        value = (limits.get(name) or {}).get("min")
        return math.nan if value is None else float(value)

    return Terms(
        kind="spot" if market.get("spot") else "linear" if is_linear else str(market.get("type")),
        currency=str(market.get("settle") or market.get("quote")),
        is_active=market.get("active") is not False,
        tick=step("price"),
        lot=step("amount"),
        least=least("amount"),
        min_value=least("cost"),
        multiplier=float(market.get("contractSize") or 1.0),
    )


def candle_record(told: Any, symbol: str, interval: int) -> Candle:
    """Return a bar, whether it is closed or not; `interval` is its length, ns.

    Raises
    ------
    VenueError
        It is no row of a time and five numbers.
    """
    if not isinstance(told, Sequence) or len(told) < 6:
        raise VenueError(f"a candle of {symbol} reads {str(told)[:100]}")
    close = milliseconds(told[0], f"a candle of {symbol}") * NS_MS + interval
    return Candle(symbol, close, *(finite(x) for x in told[1:6]))


def order_record(told: Mapping[str, Any], symbol: str) -> VenueOrder:
    """Return an order.

    Raises
    ------
    VenueError
        It has no id or no status.
    """
    info = told.get("info") or {}
    status = told.get("status")
    if told.get("id") is None or status is None:
        raise VenueError(f"an order of {symbol} without an id or a status")
    actual = info.get("actualOrderId") if isinstance(info, Mapping) else None
    return VenueOrder(
        client_id=str(told.get("clientOrderId") or ""),
        venue_id=str(told["id"]),
        symbol=symbol,
        is_open=status == "open",
        expired=status in ("expired", "rejected"),
        filled=float(told.get("filled") or 0.0),
        trades_as=str(actual or told["id"]),
    )


def cash_record(told: Mapping[str, Any]) -> dict[str, float]:
    """Return the cash of a balance by currency, without open profit."""
    totals = {str(k): float(v) for k, v in (told.get("total") or {}).items() if v is not None}
    info = told.get("info")
    assets = info.get("assets", ()) if isinstance(info, Mapping) else ()
    for one in assets:  # of Binance's futures, where ccxt's total includes open profit
        if "walletBalance" in one:
            totals[str(one["asset"])] = finite(one["walletBalance"])
    return totals


def trade_record(told: Mapping[str, Any], symbol: str) -> Trade:
    """Return an execution.

    Raises
    ------
    VenueError
        It has no id, order, side, time, units or price.
    """
    side, fee = told.get("side"), told.get("fee") or {}
    units, price = finite(told.get("amount")), finite(told.get("price"))
    if side not in ("buy", "sell") or not told.get("id") or not told.get("order") or units <= 0:
        raise VenueError(f"a trade of {symbol} that is not whole: {dict(told.get('info') or {})}")
    return Trade(
        symbol=symbol,
        id=str(told["id"]),
        order=str(told["order"]),
        time=milliseconds(told.get("timestamp"), "trade") * NS_MS,
        qty=units if side == "buy" else -units,
        price=price,
        fee=float(fee.get("cost") or 0.0),
        fee_currency=str(fee.get("currency") or ""),
    )


def income_record(told: Mapping[str, Any], symbol: str, rates: Mapping[int, float]) -> Income:
    """Return a funding, with the last rate that was stamped before it, or NaN."""
    amount = told.get("amount")
    if amount is None or not math.isfinite(float(amount)):
        raise VenueError(f"an income of {symbol} without an amount")
    at = milliseconds(told.get("timestamp"), "income") * NS_MS
    before = [time for time in rates if time <= at + _NS_SECOND]
    return Income(
        id=str(told.get("id") or told.get("timestamp")),
        symbol=symbol,
        time=at,
        amount=float(amount),
        currency=str(told.get("code") or ""),
        rate=rates[max(before)] if before else math.nan,
    )


def finite(value: Any) -> float:
    """Return a number; refuse one that is missing, NaN or infinite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise VenueError(f"a number reads {value!r}", rule="it is finite.")
    return number


def milliseconds(value: Any, what: str) -> int:
    """Return a time in ms; refuse what is no whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise VenueError(f"{what}: a time reads {value!r}", rule="it is a whole number, ms.")
    return value


def number_of(text: str) -> int:
    """Return an id as a number; 0 for one that has letters."""
    return int(text) if text.isdigit() else 0


def is_true(value: Any) -> bool:
    """Return True for true as JSON or text."""
    return value is True or str(value).lower() == "true"
