"""Memory that the step works in, made once: logs, saved copies, what a `decide` sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphalab.core.accounts import Shape, bits
from alphalab.kernels.market.arguments import WORKSPACE
from alphalab.kernels.market.books import most_of_row
from alphalab.kernels.market.postings import DAYS
from alphalab.kernels.market.tally import CHUNK
from alphalab.types import (
    ACCOUNT,
    AMBIGUITY,
    EVENT,
    FILL,
    ORDER,
    POSITION,
    POSTED,
    REFUSAL,
    REQUEST,
    IntArray,
)

#: The logs of a run and the type of their entries, in the order of the kernels' `counts`.
LOGS = {
    "fills": FILL,
    "refusals": REFUSAL,
    "events": EVENT,
    "postings": POSTED,
    "ambiguities": AMBIGUITY,
}
_USUAL = (2048, 512, 4096, 256, 256)  # entries of each log, where one row needs no more


def workspace(n_assets: int, shape: Shape, bounds: IntArray, *, events: bool) -> Any:
    """Return the memory for columns of one shape, packed for the driver.

    `bounds` are those of the segments. Without `events` the log of order events has no room, and
    none is logged: a tally has no use for them.
    """
    most = most_of_row(n_assets, n_assets * shape.places, shape.n_requests + 1)
    logs: dict[str, Any] = {
        name: np.empty(max(usual, 2 * size), log)
        for (name, log), usual, size in zip(LOGS.items(), _USUAL, most, strict=True)
    }
    if not events:
        logs["events"] = np.empty(0, EVENT)
    return WORKSPACE.pack(
        **logs,
        fill_bits=bits(logs["fills"]),
        counts=np.zeros(len(LOGS), np.int64),
        saved_account=np.zeros(1, ACCOUNT),
        saved_position=np.zeros(1, POSITION),
        saved_orders=np.zeros(shape.places, ORDER),
        saved_traded=np.zeros(DAYS + 1),
        value=np.empty(CHUNK),
        gross=np.empty(CHUNK),
        gain=np.empty(CHUNK),
        bounds=bounds,
        seen=np.empty(n_assets, POSITION),
        seen_orders=np.zeros((n_assets, shape.places), ORDER),
        requests=np.zeros(shape.n_requests + 1, REQUEST),
        sent=np.zeros(3, np.int64),
    )
