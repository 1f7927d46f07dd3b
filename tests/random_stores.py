"""Random stores, for which a scan and a read into memory must agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

import alphalab as al
from alphalab.data.store.tables import TABLES

SECONDS = {"1d": 86_400, "1h": 3_600, "1m": 60, "1s": 1}
US = 1_000_000
START = 1_704_229_200 * US  # 2024-01-02 21:00, in microseconds


class Made(NamedTuple):
    store: al.Store
    address: str
    asked: dict[str, Any]  # keywords of load and scan
    strategy: al.Strategy
    options: dict[str, Any]  # of backtest


class Trend(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close.returns(3) > 0, 0.4, -0.2)


class Members(al.Strategy):
    def weights(self) -> al.Expr:
        return al.cs_scale(al.column("member") * al.where(al.close > 0, 1.0, 0.0))


class Scored(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.column("score") > 0, 0.3, 0.1)


def random_store(folder: Path, seed: int) -> Made:
    """Some assets with gaps and spans of their own, and whatever can belong to them."""
    rng = np.random.default_rng(seed)
    interval = str(rng.choice(list(SECONDS)))
    step, n = SECONDS[interval] * US, int(rng.integers(3, 90))
    grid = START + step * np.arange(n)
    if rng.random() < 0.3:  # finer than the statistics of files
        grid = grid + rng.integers(0, 999, n)
    names = [f"S{i}" for i in range(int(rng.integers(1, 5)))]
    funded = interval != "1d" and rng.random() < 0.4
    store = al.Store(folder)
    actions = [] if funded else _actions(rng, names, grid, step)
    rows = [row for name in names for row in _bars(rng, name, interval, grid, actions)]
    order = rng.permutation(len(rows))
    for part in np.array_split(order, int(rng.integers(1, 4))):
        write(store, "bars", [rows[i] for i in part])
    write(store, "actions", actions)
    write(store, "instruments", _instruments(rng, names, grid, funded))
    if funded:
        write(store, "funding", _rates(rng, names, grid))
    write(store, "universe", _universe(rng, names, grid))
    write(store, "observations", _scores(rng, names, grid))
    asked, strategy = _asked(rng, names, grid)
    options: dict[str, Any] = {"cash": 1e5, "limits": al.Limits(gross=2.0)}
    options["quality"] = str(rng.choice(["unchecked", "accept"]))
    if actions:
        options["actions"] = str(rng.choice(["none", "cash", "reinvest"]))
    return Made(store, f"store:v/{interval}", asked, strategy, options)


def write(store: al.Store, table: str, rows: list[dict[str, Any]]) -> None:
    """Write rows whose times are microseconds."""
    if rows:
        kinds = TABLES[table].columns
        plain = [{k: getattr(x, "item", lambda x=x: x)() for k, x in row.items()} for row in rows]
        store.write(table, pa.Table.from_pylist(plain, pa.schema(list(kinds.items()))))


def _bars(rng, name, interval, grid, actions) -> list[dict[str, Any]]:
    price = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, len(grid))))
    for action in actions:
        if action["symbol"] == name and action["split"]:
            price = np.where(grid > action["time"], price / action["split"], price)
    first = 0 if name == "S0" else int(rng.integers(0, len(grid)))
    there = [i for i in range(first, len(grid)) if rng.random() < 0.8] or [first]
    key = {"venue": "v", "interval": interval, "symbol": name, "volume": 10.0}
    return [
        key | {"time": grid[i], **dict.fromkeys(("open", "high", "low", "close"), price[i])}
        for i in there
    ]


def _actions(rng, names, grid, step) -> list[dict[str, Any]]:
    found = {}
    for _ in range(int(rng.integers(0, 6))):
        name, at = str(rng.choice(names)), int(rng.choice(grid)) - int(rng.choice([0, step // 2]))
        split = float(rng.choice([0.5, 1.5, 2.0, 3.0])) if rng.random() < 0.7 else None
        key = {"venue": "v", "symbol": name, "time": at, "known": at}
        found[name, at] = key | {"split": split, "dividend": None if split else 0.5}
    return list(found.values())


def _instruments(rng, names, grid, funded) -> list[dict[str, Any]]:
    found = {}
    kind = {"kind": "linear" if funded else "spot", "funding_hours": 8.0 if funded else 0.0}
    same = {"min_value": 0.0, "multiplier": 1.0, "currency": "USD", "groups": "{}", "calendar": ""}
    for name in names:
        for _ in range(int(rng.integers(0, 4)) + funded):
            start = int(rng.choice(grid)) + int(rng.choice([0, US])) if found else START - US
            fees = {"maker_bps": 0.0, "taker_bps": float(rng.integers(0, 9))}
            steps = {"tick": float(rng.choice([0.0, 0.01])), "lot": float(rng.choice([0, 0.01, 1]))}
            key = {"venue": "v", "symbol": name, "start": start}
            found[name, start] = key | kind | same | fees | steps
    return list(found.values())


def _rates(rng, names, grid) -> list[dict[str, Any]]:
    hours = 8 * 3_600 * US
    due = np.arange(grid[0] // hours - 2, grid[-1] // hours + 3) * hours
    return [
        {"venue": "v", "symbol": name, "time": int(at + rng.integers(0, 50 * US)), "rate": 1e-4}
        for name in names
        for at in due
    ]


def _universe(rng, names, grid) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        i, known = int(rng.integers(0, len(grid))), int(rng.choice(grid))
        end = int(grid[rng.integers(i, len(grid))]) + 1 if rng.random() < 0.5 else None
        rows.append({"name": "u", "symbol": name, "start": grid[i], "end": end, "known": known})
    return rows


def _scores(rng, names, grid) -> list[dict[str, Any]]:
    found = {}
    for _ in range(10):
        key = (str(rng.choice(["", *names])), int(rng.choice(grid)), int(rng.choice(grid)) + 7)
        symbol, time, known = key
        about = {"name": "score", "symbol": symbol, "time": time, "known": known}
        found[key] = about | {"value": float(rng.normal())}
    return list(found.values())


def _asked(rng, names, grid) -> tuple[dict[str, Any], al.Strategy]:
    asked: dict[str, Any] = {}
    for name in ("start", "end", "as_of"):
        if rng.random() < 0.3:
            asked[name] = np.datetime64(int(rng.choice(grid)), "us")
    chosen = rng.random()
    if chosen < 0.3:
        return asked | {"universe": "u"}, Members()
    if chosen < 0.6:
        return asked | {"observations": ["score"]}, Scored()
    if chosen < 0.8:
        some = rng.permutation(names)[: int(rng.integers(1, len(names) + 1))]
        return asked | {"symbols": some.tolist()}, Trend()
    return asked, Trend()
