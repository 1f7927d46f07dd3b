"""Random markets drawn from the language of docs/market.md: prices, settings, targets, orders."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import numpy as np
from scripted import SLOTS, Scripted, encoded

import alphalab as al
from alphalab.config import (
    Costs,
    Entry,
    Execution,
    Exits,
    FeeTier,
    Limits,
    Rebalance,
    RunSettings,
)
from alphalab.types import FloatArray, Instrument, IntArray

NAN = math.nan
HOUR = 3_600 * 10**9
START = int(np.datetime64("2024-01-01T20:00", "ns").astype(np.int64))
TYPES = ("market", "limit", "stop", "stop_limit", "take_profit", "trailing", "bracket")


class Roomy(Scripted):
    """A script with room for many orders of an asset."""

    max_orders = 8


class Market(NamedTuple):
    time: IntArray
    columns: dict[str, FloatArray]  # open, high, low, close, volume; w: targets
    instruments: list[Instrument]
    settings: RunSettings
    requests: list[list[dict[str, Any]]]
    max_orders: int = 8

    def backtest(self) -> al.Result:
        script = encoded(self.requests, len(self.instruments)) if self.requests else {}
        strategy = (Roomy if self.max_orders == Roomy.max_orders else Scripted)()
        if not self.requests:
            script = encoded([[] for _ in self.time], len(self.instruments))
        bars = al.Bars(
            self.time,
            [instrument.symbol for instrument in self.instruments],
            {**self.columns, **script},
            instruments=self.instruments,
        )
        s = self.settings
        return al.backtest(
            strategy, bars, cash=s.cash, costs=s.costs, fill=s.fill, limits=s.limits,
            rebalance=s.rebalance, exits=s.exits, entry=s.entry, execution=s.execution,
            margin=s.margin, quality="unchecked",
        )  # fmt: skip


def draw(seed: int) -> Market:
    rng = random.Random(seed)
    n_rows, n_assets = rng.randint(4, 50), rng.choice([1, 1, 1, 2, 3])
    instruments = [_instrument(rng, j) for j in range(n_assets)]
    hours = rng.choice([1, 6, 24, 24, 100])
    time = START + np.cumsum([hours * rng.choice([1, 1, 1, 3]) for _ in range(n_rows)]) * HOUR
    style = rng.choice(["targets", "targets", "orders", "orders", "both"])
    settings = _settings(rng, style, any(i.groups for i in instruments))
    columns = _prices(rng, n_rows, instruments, settings.cash)
    columns["w"] = np.full((n_rows, n_assets), NAN)
    if style != "orders":
        columns["w"] = _targets(rng, n_rows, n_assets)
    requests: list[list[dict[str, Any]]] = []
    max_orders = rng.choice([3, 8, 8])
    if style != "targets":
        requests = _Script(rng, instruments, columns["close"], settings.cash).rows()
    return Market(time.astype(np.int64), columns, instruments, settings, requests, max_orders)


def _instrument(rng: random.Random, j: int) -> Instrument:
    return Instrument(
        symbol=f"S{j}",
        tick=rng.choice([0.0, 0.01, 0.25, 1.0]),
        lot=rng.choice([0.0, 0.0, 0.1, 1.0, 10.0]),
        min_value=rng.choice([0.0, 0.0, 500.0]),
        maker_bps=rng.choice([0.0, 2.0, -1.0]),
        taker_bps=rng.choice([0.0, 5.0, 30.0]),
        multiplier=rng.choice([1.0, 1.0, 1.0, 5.0]),
        groups={} if rng.random() < 0.3 else {"sector": rng.choice(["a", "a", "b"])},
    )


def _settings(rng: random.Random, style: str, labelled: bool) -> RunSettings:
    participation = rng.choice([None, None, 0.1, 0.5, 1.0])
    fill = rng.choice(["next_open", "next_open", "next_open", "next_close", "same_close"])
    impacts = participation is not None and rng.random() < 0.4
    fee_bps = rng.choice([None, None, 0.0, 10.0])
    tiers = (
        FeeTier(value=0.0, maker_bps=8.0, taker_bps=12.0),
        FeeTier(value=2e4, maker_bps=4.0, taker_bps=10.0),
        FeeTier(value=2e5, maker_bps=-1.0, taker_bps=5.0),
    )
    return RunSettings(
        cash=rng.choice([1e3, 12_345.67, 1e5]),
        fill=fill,
        costs=Costs(
            fee_bps=fee_bps,
            tiers=tiers if fee_bps is None and rng.random() < 0.2 else (),
            fee_per_unit=rng.choice([0.0, 0.0, 0.0, 0.01]),
            min_fee=rng.choice([0.0, 0.0, 0.0, 1.0, 5.0]),
            spread_bps=rng.choice([0.0, 0.0, 10.0]),
            slippage_bps=rng.choice([0.0, 0.0, 5.0]),
            share_impact_bps=rng.choice([0.0, 500.0]) if impacts else 0.0,
            root_impact_bps=rng.choice([0.0, 100.0]) if impacts else 0.0,
        ),
        limits=_limits(rng, style, labelled),
        rebalance=_rebalance(rng),
        execution=Execution(
            path=rng.choice(["pessimistic", "pessimistic", "optimistic", "ohlc"]),
            participation=participation,
            delay=rng.choice([0, 0, 0, 1, 2]) if fill == "next_open" else 0,
        ),
        exits=_exits(rng),
        entry=_entry(rng),
    )


def _limits(rng: random.Random, style: str, labelled: bool) -> Limits:
    """Limits of single orders; those of targets only where there are none (decision 004)."""
    flat = {
        "drawdown": rng.choice([None, None, None, 0.02, 0.1]),
        "daily_loss": rng.choice([None, None, None, 0.005, 0.05]),
        "order": rng.choice([None, None, None, 0.3]),
    }
    if style != "orders" or rng.random() < 0.5:
        return Limits(gross=50.0, **flat)
    return Limits(
        gross=rng.choice([None, 0.5, 2.0]),
        net=rng.choice([None, None, 0.2, 0.6]),
        weight=rng.choice([None, None, 0.25, 0.5]),
        group="sector" if labelled else None,
        group_gross=rng.choice([0.4, 10.0]) if labelled else None,
        **flat,
    )


def _rebalance(rng: random.Random) -> Rebalance:
    when = rng.choice(["on_change", "on_change", "every_row", "drift", "drift", "calendar"])
    if when == "drift":
        return al.drift(rng.choice([0.0, 0.02, 0.1, 0.3]), rng.choice([0, 0, 1, 5]))
    if when == "calendar":
        return al.calendar(rng.choice(["day", "week", "month", "quarter", "year"]))
    return Rebalance(when=when)


def _exits(rng: random.Random) -> Exits | None:
    if rng.random() < 0.6:
        return None
    some = {
        "stop_loss": rng.choice([None, 0.005, 0.03]),
        "take_profit": rng.choice([None, 0.005, 0.03]),
        "trailing": rng.choice([None, 0.005, 0.03]),
        "max_holding": rng.choice([None, 1, 3, 10]),
    }
    return Exits(**some) if any(some.values()) else None


def _entry(rng: random.Random) -> Entry | None:
    if rng.random() < 0.65:
        return None
    return Entry(
        limit_offset_bps=rng.choice([0.0, 20.0, 100.0, -50.0]),
        ttl=rng.choice([None, 1, 2, 4]),
        then=rng.choice(["requote", "market", "give_up"]),
        post_only=rng.random() < 0.4,
    )


def _prices(
    rng: random.Random, n_rows: int, instruments: list[Instrument], cash: float
) -> dict[str, FloatArray]:
    names = ("open", "high", "low", "close", "volume")
    columns = {name: np.full((n_rows, len(instruments)), NAN) for name in names}
    for j, instrument in enumerate(instruments):
        step = instrument.tick or (0.01 if rng.random() < 0.5 else 0.0)
        swing = rng.choice([0.002, 0.01, 0.03])
        gaps, holes = rng.choice([0.0, 0.01]), rng.choice([0.0, 0.0, 0.1])
        share = rng.choice([0.1, 1.0, 10.0, 1000.0])

        def rounded(price: float, step: float = step) -> float:
            return max(round(price / step) * step, step) if step else price

        price = rng.choice([5.0, 100.0])
        for t in range(n_rows):
            price *= math.exp(gaps * rng.gauss(0, 1))
            way = [price := price * math.exp(swing * rng.gauss(0, 0.5)) for _ in range(6)]
            way = [rounded(x) for x in way]
            volume = share * cash / (price * instrument.multiplier) * math.exp(rng.gauss(0, 1))
            row = [way[0], max(way), min(way), way[-1], float(round(volume, 1))]
            if rng.random() < 0.05:
                row[4] = 0.0
            if rng.random() < holes:
                row[:] = [NAN] * 5
            for name, x in zip(names, row, strict=True):
                columns[name][t, j] = x
    return columns


def _targets(rng: random.Random, n_rows: int, n_assets: int) -> FloatArray:
    restless, silent = rng.choice([0.05, 0.2, 0.6]), rng.choice([0.0, 0.1])
    longs = [0.0, 0.0, 0.3, 0.5, 1.0, 0.95]
    choices = longs if rng.random() < 0.4 else [*longs, -0.3, -0.5, -1.0]
    row = [rng.choice(choices) for _ in range(n_assets)]
    rows = []
    for _ in range(n_rows):
        row = [rng.choice(choices) if rng.random() < restless else w for w in row]
        rows.append([NAN if rng.random() < silent else w for w in row])
    return np.array(rows)


class _Script:
    """Orders of all types, near the price, with parents, groups, changes and mistakes."""

    def __init__(
        self, rng: random.Random, instruments: list[Instrument], close: FloatArray, cash: float
    ) -> None:
        self.rng, self.instruments, self.close, self.cash = rng, instruments, close, cash
        self.busy = rng.choice([0.2, 0.5, 0.9])
        self.naughty = rng.choice([0.0, 0.0, 0.1])
        self.sent: list[dict[str, Any]] = []
        self.mark = [NAN] * len(instruments)

    def rows(self) -> list[list[dict[str, Any]]]:
        rows = []
        later: list[dict[str, Any]] = []
        for close in self.close.tolist():
            self.mark = [m if math.isnan(c) else c for m, c in zip(self.mark, close, strict=True)]
            asked, later = later, []
            if len(asked) < SLOTS * len(self.mark) and self.rng.random() < 0.05:
                parent, child = self._filled_parent()
                asked.append(parent)
                later = [child]
            while len(asked) < SLOTS * len(self.mark) and self.rng.random() < self.busy:
                asked.append(self._request())
            rows.append(asked)
        return rows

    def _request(self) -> dict[str, Any]:
        rng = self.rng
        if self.sent and rng.random() < 0.25:
            return self._change()
        request = self._order()
        if rng.random() < self.naughty:
            request |= self._mistake()
        self.sent.append(request)
        return request

    def _order(self) -> dict[str, Any]:
        rng = self.rng
        j, side = rng.randrange(len(self.mark)), rng.choice([1, 1, -1])
        action = rng.choice(TYPES)
        parent = None
        if self.sent and rng.random() < 0.3:
            parent = self._parent()
            action = rng.choice([action, "stop", "take_profit"])
            j, side = self.sent[parent]["asset"], -self.sent[parent]["side"]
            j = j if 0 <= j < len(self.mark) else 0
        request = {
            "action": action, "asset": j, "side": side, "qty": self._qty(j), "of": parent,
            "reduce_only": rng.random() < (0.6 if parent is not None else 0.15),
            "post_only": rng.random() < 0.2,
            "group": rng.choice([0, 0, 0, rng.randint(1, 8)]),
            "tif": rng.choice(["GTC", "GTC", "GTC", "GTC", "DAY", "IOC", "FOK", "GTD"]),
            "hours": rng.choice([0, 1, 6, 48, 100]),
        }  # fmt: skip
        return request | self._levels(action, j, side)

    def _parent(self) -> int:
        """One of the last orders, often a limit order: its limit may decide for its children."""
        n = len(self.sent)
        last = range(max(n - 6, 0), n)
        limits = [i for i in last if self.sent[i]["action"] == "limit"]
        if limits and self.rng.random() < 0.5:
            return self.rng.choice(limits)
        return max(n - self.rng.choice([1, 1, 2, 4]), 0)

    def _filled_parent(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """A limit order that trades at once, in part, and a stop that is its child a row later."""
        j, s = self.rng.randrange(len(self.mark)), self.rng.choice([1, -1])
        first, way = len(self.sent), self.rng.choice([1, -1])
        common = {"asset": j, "qty": self._qty(j)}
        parent = common | {"action": "limit", "side": s, "limit": self._level(j, 2 * s)}
        child = common | {"action": "stop", "side": -s, "stop": self._level(j, way), "of": first}
        self.sent += [parent, child]
        return parent, child

    def _qty(self, j: int) -> float:
        rng, instrument = self.rng, self.instruments[j]
        if math.isnan(self.mark[j]):
            return max(instrument.lot, 1.0)
        units = rng.choice([0.02, 0.1, 0.3, 0.9]) * self.cash
        units /= self.mark[j] * instrument.multiplier
        if instrument.lot:
            return max(round(units / instrument.lot), 1) * instrument.lot
        return max(rng.choice([units, float(round(units)), round(units, 1)]), 0.1)

    def _level(self, j: int, away: float) -> float:
        near = self.rng.choice([0.002, 0.01, 0.03])
        price = self.mark[j] * (1 + away * near * self.rng.random())
        tick = self.instruments[j].tick
        if not tick or math.isnan(price):
            return price
        return max(round(price / tick), 1) * tick

    def _levels(self, action: str, j: int, s: int) -> dict[str, float]:
        rng = self.rng
        match action:
            case "limit":
                return {"limit": self._level(j, rng.choice([-s, -s, s]))}
            case "stop":
                return {"stop": self._level(j, s)}
            case "stop_limit":
                return {"stop": self._level(j, s), "limit": self._level(j, rng.choice([-s, s, s]))}
            case "take_profit":
                return {"stop": self._level(j, -s)}
            case "trailing":
                near = rng.choice([0.002, 0.01, 0.03])
                return rng.choice([{"frac": near}, {"trail": near * self.mark[j]}])
            case "bracket":
                limit = rng.choice([NAN, self._level(j, -s)])
                return {
                    "limit": limit, "trail": self._level(j, 2 * s), "stop": self._level(j, -4 * s)
                }  # fmt: skip
        return {}

    def _change(self) -> dict[str, Any]:
        """Amend or cancel one of the last orders."""
        rng = self.rng
        number = max(len(self.sent) - rng.choice([1, 1, 2, 3, 5]), 0)
        order = self.sent[number]
        request = {"action": "cancel", "of": number, "offset": rng.choice([0, 0, 1, 2])}
        j = order["asset"]
        if rng.random() < 0.4 or not 0 <= j < len(self.mark):
            return request
        action, side = order["action"], order["side"]
        if action == "bracket":
            action = ("limit", "limit", "stop")[request["offset"]]
            side = -side if request["offset"] else side
        else:
            request["offset"] = rng.choice([0, 0, 0, 0, request["offset"]])
        new = self._levels(action, j, side)
        request |= {"action": "amend", "qty": self._qty(j)}
        request |= {name: new.get(name, NAN) for name in ("limit", "stop")}
        for name in ("qty", "limit", "stop"):
            if rng.random() < 0.4:
                request[name] = NAN
        return request

    def _mistake(self) -> dict[str, Any]:
        rng = self.rng
        return rng.choice(
            [
                {"asset": rng.choice([-1, 99])},
                {"side": rng.choice([0, 2])},
                {"qty": rng.choice([0.0, -1.0, NAN, math.inf])},
                {"limit": rng.choice([0.0, -5.0, NAN, math.inf])},
                {"stop": rng.choice([0.0, -5.0, NAN, math.inf])},
                {"limit": 1.234567, "stop": 7.654321},
                {"qty": 1.234567},
                {"frac": rng.choice([1.0, 0.5, NAN]), "trail": rng.choice([0.0, math.inf, NAN])},
                {"reduce_only": True},
                {"of": 10**6},
                {"qty": 1e12},
                {"qty": 1e-9},
            ]
        )
