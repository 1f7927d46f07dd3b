"""Bar cases as markets that the naive account can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from case_strategy import (
    FIELDS,
    SIGNALS,
    SLOTS,
    Case,
    columns_of,
    instruments_of,
    settings_of,
    times_of,
)
from markets import Market
from scripted import ACTIONS

from alphalab.codes import TimeInForce
from alphalab.types import FloatArray

#: What the three numbers of a statement are, by what it asks for.
NUMBERS = {
    "limit": ("limit",),
    "stop": ("stop",),
    "stop_limit": ("stop", "limit"),
    "take_profit": ("stop",),
    "trailing": ("trail", "frac"),
    "bracket": ("limit", "trail", "stop"),
    "amend": ("limit", "stop", "trail", "frac"),
    "limit_if_touched": ("stop", "limit"),
}


def market_of_case(case: Case) -> Market:
    columns = columns_of(case)
    more = {name: values for name, values in columns.items() if name not in SIGNALS}
    return Market(
        times_of(case),
        columns["open"],
        columns["close"],
        columns["w"],
        instruments_of(case),
        settings_of(case),
        more,
        [_requests(columns, row) for row in range(len(case.bars))],
    )


def _requests(columns: Mapping[str, FloatArray], row: int) -> list[dict[str, Any]]:
    requests = []
    for slot in range(SLOTS):
        given = {name: float(columns[f"{name}{slot}"][row, 0]) for name in FIELDS}
        action = ACTIONS[int(given["kind"])]
        if action:
            changes = action in ("amend", "cancel")
            numbers = (given[name] for name in ("first", "second", "third", "fourth"))
            request = {
                "action": action,
                "asset": int(given["asset"]),
                "side": int(given["side"]),
                "qty": given["qty"],
                "tif": TimeInForce(int(given["tif"])).name,
                "hours": int(given["hours"]),
                "reduce_only": given["reduce"] > 0.0,
                "post_only": given["post"] > 0.0,
                "group": int(given["group"]),
                "id": int(given["asset" if changes else "parent"]),
            }
            names = NUMBERS.get(action, ())
            requests.append(request | dict(zip(names, numbers, strict=False)))
    return requests
