"""Instruments of an exchange, valid from the time of the request on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from alphalab.data.clock.times import iso
from alphalab.data.exchanges.client import Client
from alphalab.data.exchanges.fill import Fetched
from alphalab.data.exchanges.series import HOUR
from alphalab.data.store.store import Store
from alphalab.data.store.tables import TABLES
from alphalab.errors import DataError, InputError, import_extra
from alphalab.types import Instrument

_TABLE = "instruments"
_SCHEMA = pa.schema(list((TABLES[_TABLE].columns | {"start": pa.timestamp("ms", "UTC")}).items()))


def fetch_instruments(client: Client, symbols: Sequence[str], store: Store) -> list[Fetched]:
    """Store the instruments of symbols that differ from the stored ones.

    Parameters
    ----------
    client : Client
    symbols : sequence of str
        As ccxt writes them; ``["all"]``: all that are traded, but options and contracts that settle
        in a third currency.
    store : Store

    Raises
    ------
    UnknownNameError
        No such symbol.
    DataError
        A symbol that is no instrument of alphalab, or whose times of funding are not known.
    """
    everything = list(symbols) == ["all"]
    if everything:
        markets = [market for market in client.markets().values() if market["active"] is not False]
    else:
        markets = [client.market(name) for name in symbols]
    found, notes = _instruments(client, markets, skip=everything)
    now, stored = client.now(), _newest(store, client.name)
    new = [one for one in map(_fields, found) if one != stored.get(one["symbol"])]
    rows = pa.Table.from_pylist(
        [{**one, "venue": client.name, "start": now} for one in new], _SCHEMA
    )
    record = {"source": client.source, "venue": client.name, "clock": client.clock}
    written = store.write(_TABLE, rows, record=record)
    names = [instrument.symbol for instrument in found]
    start = iso(now * 1_000_000) if new else ""
    return [
        Fetched(
            table=_TABLE,
            symbol=", ".join(names) if len(names) <= 5 else f"{len(names):,} symbols",
            what=_TABLE,
            n_new=written.n_new,
            n_revised=0,
            first=start,
            last=start,
            version=written.version,
            notes=notes,
        )
    ]


def _instruments(
    client: Client, markets: Sequence[Mapping[str, Any]], *, skip: bool
) -> tuple[list[Instrument], tuple[str, ...]]:
    """Return markets as instruments, and notes; `skip` leaves out what is no instrument."""
    hours = _funding_hours(client, markets)
    found: list[Instrument] = []
    notes: list[str] = []
    left_out: list[str] = []
    for market in markets:
        try:
            instrument, said = _instrument(client, market, hours)
        except InputError as error:
            if not skip:
                raise
            left_out.append(error.what)
        else:
            found.append(instrument)
            notes += said
    if left_out:
        notes.append(f"{len(left_out):,} symbols are left out; the first: {left_out[0]}")
    return found, tuple(dict.fromkeys(notes))


def _instrument(
    client: Client, market: Mapping[str, Any], hours: Mapping[str, float]
) -> tuple[Instrument, list[str]]:
    """Return a market as an instrument, and notes about it."""
    symbol, kind, notes = market["symbol"], _kind(market), []
    if market.get("swap") and symbol not in hours:
        raise DataError(
            f"{client.name} does not tell how often {symbol} has funding",
            rule="a perpetual contract has its hours of funding.",
        )
    fees = {}
    for name in ("maker", "taker"):
        told = market.get(name) is not None and market.get("percentage") is not False
        fees[name] = round(float(market[name]) * 1e4, 9) if told else 0.0
        if not told:
            notes.append(f"{symbol}: no {name} fee is stated, stored as 0")
    tick, lot = _steps(client, market["precision"])
    if tick is None:
        notes.append("prices have a number of digits, and no tick: stored as 0 (any price)")
    lowest = ((market.get("limits") or {}).get("cost") or {}).get("min")
    return Instrument(
        symbol=symbol,
        kind=kind,
        tick=tick or 0.0,
        lot=lot,
        min_value=float(lowest or 0.0),
        maker_bps=fees["maker"],
        taker_bps=fees["taker"],
        multiplier=float(market.get("contractSize") or 1.0) if kind != "spot" else 1.0,
        currency=market["settle"] if kind == "inverse" else market["quote"],
        funding_hours=hours.get(symbol, 0.0),
        calendar="24/7",
    ), notes


def _kind(market: Mapping[str, Any]) -> Any:
    if market.get("spot"):
        return "spot"
    if not market.get("option"):
        for kind in ("linear", "inverse"):
            if market.get(kind):
                return kind
    raise DataError(
        f"{market['symbol']} is {market.get('type')}, neither linear nor inverse",
        rule="instruments are spot, or contracts that settle in what they are quoted in or are on.",
    )


def _steps(client: Client, precision: Mapping[str, Any]) -> tuple[float | None, float]:
    """Return tick and lot; None for a number of significant digits."""
    ccxt = import_extra("ccxt", "fetch")
    price, amount = precision.get("price"), precision.get("amount")
    if client.ccxt.precisionMode == ccxt.TICK_SIZE:
        return float(price or 0.0), float(amount or 0.0)
    # With significant digits of prices, quantities still have decimals.
    lot = 0.0 if amount is None else float(f"1e{-int(amount)}")
    if client.ccxt.precisionMode == ccxt.SIGNIFICANT_DIGITS:
        return None, lot
    return 0.0 if price is None else float(f"1e{-int(price)}"), lot


def _funding_hours(client: Client, markets: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the funding interval, hours, of the perpetual contracts that state it."""
    hours: dict[str, float] = {}
    for kind in ("linear", "inverse"):
        names = [market["symbol"] for market in markets if market.get("swap") and market.get(kind)]
        told = {}
        if names and client.can("fetchFundingIntervals"):
            told = client.ask("fetch_funding_intervals", names)
        for name in names:
            hours[name] = _hours(told.get(name)) or _hours_between(client, name)
    return {name: number for name, number in hours.items() if number}


def _hours(told: Mapping[str, Any] | None) -> float:
    """Return a stated interval such as 4h in hours; 0 if none is stated."""
    text = (told or {}).get("interval") or ""
    return float(text[:-1]) if text.endswith("h") else 0.0


def _hours_between(client: Client, symbol: str) -> float:
    """Return the hours between the last two fundings; 0 if unknown."""
    if not client.can("fetchFundingRateHistory"):
        return 0.0
    past = client.ask("fetch_funding_rate_history", symbol, None, 10)
    times = sorted(row["timestamp"] for row in past)
    return float(round((times[-1] - times[-2]) / HOUR)) if len(times) > 1 else 0.0


def _fields(instrument: Instrument) -> dict[str, Any]:
    groups = msgspec.json.encode(instrument.groups, order="sorted").decode()
    return {**msgspec.structs.asdict(instrument), "groups": groups}


def _newest(store: Store, venue: str) -> dict[str, dict[str, Any]]:
    """Return the newest stored instruments of a venue, by symbol."""
    names = [name for name in TABLES[_TABLE].columns if name not in ("venue", "start")]
    rows = store.read(_TABLE, where={"venue": venue}, columns=names)  # by symbol and start
    return {row["symbol"]: row for row in rows.to_pylist()}
