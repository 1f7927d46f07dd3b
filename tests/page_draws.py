"""Random markets drawn from the language of docs/market.md: prices, settings, targets."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from page_scripts import Script
from scripted import Scripted, encoded

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
from alphalab.core.engine import Block, Engine
from alphalab.types import FloatArray, Instrument, IntArray

NAN = math.nan
HOUR = 3_600 * 10**9
START = int(np.datetime64("2024-01-01T20:00", "ns").astype(np.int64))


class Roomy(Scripted):
    """A script with room for many orders of an asset."""

    max_orders = 8


class Market(NamedTuple):
    time: IntArray
    columns: dict[str, FloatArray]  # open, high, low, close, volume, bid, ask; w: targets
    instruments: list[Instrument]
    settings: RunSettings
    requests: list[list[dict[str, Any]]]
    max_orders: int = 8

    def compiled(self) -> Block:
        """What the compiled market makes of it."""
        requests = self.requests or [[] for _ in self.time]
        strategy = (Roomy if self.max_orders == Roomy.max_orders else Scripted)()
        engine = Engine(strategy, self.instruments, self.settings)
        columns = self.columns | encoded(requests, len(self.instruments))
        return engine.push(self.time, {name: columns[name] for name in engine.columns})


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
        requests = Script(rng, instruments, columns["close"], settings.cash).rows()
    settings = _with_new_exits(rng, settings, columns, n_assets)
    return Market(time.astype(np.int64), columns, instruments, settings, requests, max_orders)


def draw_contracts(seed: int) -> Market:
    """The market of a seed with contracts among its assets."""
    market, rng = draw(seed), random.Random(seed)
    kinds = [rng.choice(["spot", "linear", "inverse"]) for _ in market.instruments]
    instruments = [replace(i, kind=kind) for i, kind in zip(market.instruments, kinds, strict=True)]
    return market._replace(instruments=instruments)


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
    return RunSettings(
        cash=rng.choice([1e3, 12_345.67, 1e5]),
        fill=fill,
        costs=_costs(rng, participation is not None),
        limits=_limits(rng, style, labelled),
        rebalance=_rebalance(rng),
        execution=Execution(
            path=rng.choice(["pessimistic", "pessimistic", "optimistic", "ohlc"]),
            participation=participation,
            delay=rng.choice([0, 0, 0, 1, 2]) if fill == "next_open" else 0,
            limits=rng.choice(["touched", "touched", "traded_through"]),
        ),
        sizing=rng.choice(["by_value", "by_value", "at_fill"]),
        exits=_exits(rng),
        entry=_entry(rng),
    )


def _costs(rng: random.Random, has_share: bool) -> Costs:
    impacts = has_share and rng.random() < 0.4
    quotes = rng.choice(["none", "none", "none", "both", "ask", "bid"])
    return Costs(
        **_fees(rng),
        quotes=quotes,
        spread_bps=rng.choice([0.0, 0.0, 10.0]) if quotes == "none" else 0.0,
        slippage_bps=rng.choice([0.0, 0.0, 5.0]),
        share_impact_bps=rng.choice([0.0, 500.0]) if impacts else 0.0,
        root_impact_bps=rng.choice([0.0, 100.0]) if impacts else 0.0,
    )


def _fees(rng: random.Random) -> dict[str, Any]:
    fee_bps = rng.choice([None, None, 0.0, 10.0])
    fees: dict[str, Any] = {"fee_bps": fee_bps}
    if fee_bps is None and rng.random() < 0.2:
        fees["tiers"] = (
            FeeTier(value=0.0, maker_bps=8.0, taker_bps=12.0),
            FeeTier(value=2e4, maker_bps=4.0, taker_bps=10.0),
            FeeTier(value=2e5, maker_bps=-1.0, taker_bps=5.0),
        )
    if rng.random() < 0.15:
        return fees | {"fee_in": "coin"}
    least = rng.choice([0.0, 0.0, 0.0, 1.0, 5.0])
    return fees | {
        "fee_per_unit": rng.choice([0.0, 0.0, 0.0, 0.01]),
        "fee_per_order": rng.choice([0.0, 0.0, 0.0, 0.5]),
        "min_fee": least,
        "max_fee": rng.choice([None, None, None, least, 2 * least + 3]),
        "fee_step": rng.choice([0.0, 0.0, 0.0, 0.01, 0.25]),
    }


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
        return al.Rebalance.drift(rng.choice([0.0, 0.02, 0.1, 0.3]), rng.choice([0, 0, 1, 5]))
    if when == "calendar":
        return al.Rebalance.calendar(rng.choice(["day", "week", "month", "quarter", "year"]))
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


def _with_new_exits(
    rng: random.Random, settings: RunSettings, columns: dict[str, FloatArray], n_assets: int
) -> RunSettings:
    """Let some exits have a distance from a column, a ladder or a start, and few assets a place."""
    if n_assets > 1 and rng.random() < 0.3:
        limits = replace(settings.limits, max_positions=rng.choice([1, 1, 2]))
        settings = replace(settings, limits=limits)
    if settings.exits is None:
        return settings
    fields = {name: getattr(settings.exits, name) for name in settings.exits.__struct_fields__}
    if fields["trailing"]:
        fields["trailing_after"] = rng.choice([None, 0.002, 0.01])
    if fields["take_profit"] and rng.random() < 0.5:
        ages = rng.choice([(1,), (2, 4), ("3h", "2d"), ("30m",)])
        rungs = {age: rng.choice([0.004, 0.0, -0.01]) for age in ages}
        fields["take_profit"] = {0: fields["take_profit"]} | rungs
    for name in ("stop", "profit", "trailing"):
        column, fraction = f"{name}_distance", _FRACTIONS[name]
        if isinstance(fields[fraction], float) and rng.random() < 0.4:
            near = np.array([rng.choice([0.5, 1.0, 1.0, NAN, -1.0]) for _ in columns["close"]])
            columns[column] = fields[fraction] * columns["close"] * near[:, None]
            columns[column][: rng.choice([0, 0, 3])] = NAN
            fields |= {column: f"column({column!r})", fraction: None}
    return replace(settings, exits=Exits(**fields))


_FRACTIONS = {"stop": "stop_loss", "profit": "take_profit", "trailing": "trailing"}


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
    return columns | _quotes(rng, columns["close"])


def _quotes(rng: random.Random, close: FloatArray) -> dict[str, FloatArray]:
    """Bids and asks around the close, with holes; sometimes on its wrong side."""
    bid, ask = np.full_like(close, NAN), np.full_like(close, NAN)
    wide, holes = rng.choice([0.0005, 0.003]), rng.choice([0.0, 0.1, 0.5])
    for t, j in np.ndindex(close.shape):
        half = close[t, j] * wide * rng.uniform(-0.2, 1.0)
        bid[t, j] = NAN if rng.random() < holes else close[t, j] - half
        ask[t, j] = NAN if rng.random() < holes else close[t, j] + half
    return {"bid": bid, "ask": ask}


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
