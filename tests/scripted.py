"""A strategy that sends the orders and returns the weights that a test has scripted.

The requests of a row are in numbered columns: each cell holds up to `SLOTS` requests, and the cells
of a row are read from the first asset to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alphalab.codes import TimeInForce
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import column
from alphalab.expr.nodes import Expr
from alphalab.kernels._jit import jit
from alphalab.kernels.market import orders
from alphalab.types import FloatArray

HOUR = 3_600 * 10**9
SLOTS = 2
MEMORY_ROWS = 128
ACTIONS = (
    *("", "market", "limit", "stop", "stop_limit", "take_profit", "trailing", "bracket"),
    *("amend", "cancel", "market_on_open", "market_on_close", "limit_if_touched"),
)
FIELDS = (
    *("action", "asset", "side", "qty", "limit", "stop", "trail", "frac"),
    *("tif", "hours", "reduce_only", "post_only", "group", "of", "offset"),
)
NAMES = [f"{name}_{slot}" for slot in range(SLOTS) for name in FIELDS]
N_FIELDS = len(FIELDS)

#: A request that says nothing, to be filled in. `of` is the number of an earlier one that sent an
#: order, `offset` the child of a bracket (1: its target, 2: its stop); `hours` is how long GTD is.
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("qty", "limit", "stop", "trail", "frac"), np.nan),
    **dict(action="", asset=0, side=1, tif="GTC", hours=0),
    **dict(reduce_only=False, post_only=False, group=0, id=0, of=None, offset=0),
}


@jit
def send(r, account, memory):
    """Send one request."""
    action, asset, side, qty = int(r[0]), int(r[1]), int(r[2]), r[3]
    limit, stop, trail, frac = r[4], r[5], r[6], r[7]
    tif, until = int(r[8]), account.time + int(r[9]) * HOUR
    reduce_only, post_only = r[10] > 0.0, r[11] > 0.0
    group, of = int(r[12]), int(r[13])
    n_assets, n_sent = memory.shape[1], int(memory[0, 0])
    known = 0
    if 0 <= of < n_sent:
        known = int(memory[1 + of // n_assets, of % n_assets]) + int(r[14])
    if action == 8:
        orders.amend(account, known, qty, limit, stop, trail, frac)
        return
    if action == 9:
        orders.cancel(account, known)
        return
    more = (tif, until, reduce_only)
    if action == 1:
        sent = orders.market(account, asset, side, qty, *more, group, known)
    elif action == 2:
        sent = orders.limit(account, asset, side, qty, limit, *more, post_only, group, known)
    elif action == 3:
        sent = orders.stop(account, asset, side, qty, stop, *more, group, known)
    elif action == 4:
        sent = orders.stop_limit(account, asset, side, qty, stop, limit, *more, group, known)
    elif action == 5:
        sent = orders.take_profit(account, asset, side, qty, stop, *more, group, known)
    elif action == 6:
        sent = orders.trailing_stop(account, asset, side, qty, trail, frac, *more, group, known)
    elif action == 10:
        sent = orders.market_on_open(account, asset, side, qty, *more, group, known)
    elif action == 11:
        sent = orders.market_on_close(account, asset, side, qty, *more, group, known)
    elif action == 12:
        sent = orders.limit_if_touched(account, asset, side, qty, stop, limit, *more, group, known)
    else:
        sent = orders.bracket(account, asset, side, qty, limit, trail, stop)
    memory[1 + n_sent // n_assets, n_sent % n_assets] = sent
    memory[0, 0] = n_sent + 1


class Scripted(Strategy):
    """Weights in the column `w`, requests in the columns `NAMES`."""

    memory_rows = MEMORY_ROWS
    max_orders = 3

    def signals(self) -> dict[str, Expr | float]:
        return {name: column(name) for name in ("w", *NAMES)}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        for j in range(table.shape[1]):
            for slot in range(SLOTS):
                first = 1 + slot * N_FIELDS
                if table[first, j] > 0.0:
                    send(table[first : first + N_FIELDS, j].copy(), account, memory)
        return table[0].copy()


def encoded(requests: Sequence[Sequence[dict[str, Any]]], n_assets: int) -> dict[str, FloatArray]:
    """Columns that say what is asked for on each row, at most `SLOTS` requests per asset."""
    table = np.zeros((len(NAMES), len(requests), n_assets))
    for row, asked in enumerate(requests):
        for i, request in enumerate(asked):
            cell, slot = divmod(i, SLOTS)
            numbers = NOTHING | request
            numbers["action"] = ACTIONS.index(numbers["action"])
            numbers["tif"] = TimeInForce[numbers["tif"]]
            numbers["of"] = -1 if numbers["of"] is None else numbers["of"]
            first = slot * N_FIELDS
            table[first : first + N_FIELDS, row, cell] = [numbers[name] for name in FIELDS]
    return dict(zip(NAMES, table, strict=True))


def spelled_out(requests: Sequence[dict[str, Any]], time: int) -> list[dict[str, Any]]:
    """The same requests as the naive account takes them on a row that closes at `time`."""
    rows = []
    for request in requests:
        whole = NOTHING | request
        prices = dict(take_profit=whole["trail"], stop_loss=whole["stop"])
        rows.append(whole | prices | {"until": time + whole["hours"] * HOUR})
    return rows
