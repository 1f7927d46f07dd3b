"""Random scripts: orders that make sense near the price, and some that break a rule."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from scripted import SLOTS

from alphalab.types import Instrument

NAN, INF = math.nan, math.inf
MOST = 120  # orders that a script may send
PRICED = ("limit", "stop", "stop_limit", "take_profit", "limit_if_touched")
AT_ONCE = ("market", "market", "market_on_open", "market_on_close")


def random_requests(rng: random.Random, market: Any) -> list[list[dict[str, Any]]]:
    """For each row of a market, what its script asks for."""
    busy = rng.choice([0.1, 0.4, 0.9])
    naughty = rng.choice([0.0, 0.05, 0.3])
    n_assets = len(market.instruments)
    mark = [NAN] * n_assets
    rows, sent = [], []
    for close in market.close:
        mark = np.where(np.isnan(close), mark, close).tolist()
        asked: list[dict[str, Any]] = []
        while len(asked) < min(SLOTS * n_assets, 6) and rng.random() < busy:
            request = _order(rng, market.instruments, mark, market.settings.cash, len(sent))
            if sent and rng.random() < 0.25:
                request = _change(rng, market.instruments, mark, market.settings.cash, sent)
            if rng.random() < naughty:
                request |= _broken(rng)
            if request["action"] not in ("amend", "cancel"):
                if len(sent) == MOST:
                    break
                sent.append(request)
            asked.append(request)
        rows.append(asked)
    return rows


def _order(
    rng: random.Random, instruments: list[Instrument], mark: list[float], cash: float, n_sent: int
) -> dict[str, Any]:
    asset = rng.randrange(len(instruments))
    instrument, price = instruments[asset], mark[asset]
    side = rng.choice([1, -1])
    action = rng.choice([*AT_ONCE, "limit", "limit", "trailing", "bracket", *PRICED])
    request = {
        "action": action,
        "asset": asset,
        "side": side,
        "qty": _quantity(rng, instrument, price, cash),
        "of": n_sent - 1 if n_sent and rng.random() < 0.15 else None,
        "reduce_only": rng.random() < 0.15,
        "post_only": rng.random() < 0.2,
        "group": rng.choice([0, 0, 0, 1001, 1002]),
        "tif": rng.choice(["GTC", "GTC", "GTC", "DAY", "IOC", "FOK", "GTD"]),
        "hours": rng.choice([0, 1, 30, 100, 1000]),
    }
    return request | _prices(rng, action, side, instrument, price)


def _change(
    rng: random.Random,
    instruments: list[Instrument],
    mark: list[float],
    cash: float,
    sent: list[dict[str, Any]],
) -> dict[str, Any]:
    """Amend or cancel one of the last orders."""
    number = max(len(sent) - rng.choice([1, 1, 2, 3, 5]), 0)
    order = sent[number]
    request = {"of": number, "offset": rng.choice([0, 0, 0, 1, 2]), "action": "cancel"}
    asset = order["asset"]
    if rng.random() < 0.4 or not 0 <= asset < len(instruments):
        return request
    kind, side = order["action"], order["side"]
    if kind == "bracket" and request["offset"]:
        kind, side = ("limit" if request["offset"] == 1 else "stop"), -side
    prices = _prices(rng, kind, side, instruments[asset], mark[asset])
    names = ("limit", "stop", "trail", "frac") if kind == "trailing" else ("limit", "stop")
    request |= {name: prices.get(name, NAN) for name in names}
    request |= {"action": "amend", "qty": _quantity(rng, instruments[asset], mark[asset], cash)}
    for name in ("qty", "limit", "stop"):
        if rng.random() < 0.4:
            request[name] = NAN
    return request


def _quantity(rng: random.Random, instrument: Instrument, price: float, cash: float) -> float:
    unit = price * instrument.multiplier
    if instrument.kind == "inverse":
        unit = instrument.multiplier / price
    units = rng.choice([0.02, 0.1, 0.1, 0.3, 1.0]) * cash / unit
    if math.isnan(units):
        return max(instrument.lot, 1.0)
    if not instrument.lot:
        return float(round(units)) if units > 10.0 else units
    return max(round(units / instrument.lot), 1) * instrument.lot


def _prices(
    rng: random.Random, action: str, side: int, instrument: Instrument, price: float
) -> dict[str, float]:
    """Levels on the side on which they make sense, on whole ticks."""
    near = rng.choice([0.001, 0.01, 0.05])

    def at(steps: float) -> float:
        away = price * (1.0 + steps * near * rng.random())
        tick = instrument.tick
        if not tick or math.isnan(away):
            return away
        return max(round(away / tick), 1) * tick

    better, worse = -side, side  # for whoever trades
    match action:
        case "limit":
            return {"limit": at(rng.choice([better, better, worse]))}
        case "stop":
            return {"stop": at(worse)}
        case "stop_limit":
            return {"stop": at(worse), "limit": at(rng.choice([better, worse, 3 * worse]))}
        case "take_profit":
            return {"stop": at(better)}
        case "limit_if_touched":
            return {"stop": at(better), "limit": at(rng.choice([better, worse, 3 * better]))}
        case "trailing":
            if rng.random() < 0.5:
                return {"frac": near}
            return {"trail": price * near}
        case "bracket":
            limit = NAN if rng.random() < 0.5 else at(better)
            return {"limit": limit, "trail": at(2 * worse), "stop": at(3 * better)}
    return {}


def _broken(rng: random.Random) -> dict[str, Any]:
    """What no venue takes, or an order of another kind than meant."""
    return rng.choice(
        [
            {"asset": rng.choice([-1, 99])},
            {"side": rng.choice([0, 2])},
            {"qty": rng.choice([0.0, -1.0, NAN, INF])},
            {"limit": rng.choice([0.0, -5.0, NAN, INF])},
            {"stop": rng.choice([0.0, -5.0, NAN, INF])},
            {"limit": 1.234567, "stop": 7.654321},
            {"qty": 1.234567},
            {"frac": rng.choice([1.0, 0.5, NAN]), "trail": rng.choice([0.0, INF, NAN])},
            {"reduce_only": True},
            {"of": 10**6},
            {"qty": 1e12},
            {"qty": 1e-9},
        ]
    )
