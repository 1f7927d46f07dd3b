"""Random orders for a market: of all types, near the price, with parents, groups, mistakes."""

from __future__ import annotations

import math
import random
from typing import Any

from scripted import SLOTS

from alphalab.types import FloatArray, Instrument

NAN = math.nan
PRICES = ("limit", "stop", "trail", "frac")
TYPES = (
    *("market", "market", "limit", "limit", "stop", "stop", "stop_limit", "take_profit"),
    *("trailing", "bracket", "market_on_open", "market_on_close", "limit_if_touched"),
)


class Script:
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
            case "limit_if_touched":
                return {"stop": self._level(j, -s), "limit": self._level(j, rng.choice([-s, s]))}
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
        request |= {name: new.get(name, NAN) for name in PRICES}
        for name in ("qty", *PRICES):
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
